//! Renewal of tokens where something goes wrong: who shares what, whose turn it is, and what is never lost or done twice.

use std::time::Duration;

use control::modules::tokens::{self, MUST_CONNECT};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::issuer::way;
use crate::outside::refused;
use crate::tokens::Scene;

const PAUSE: Duration = Duration::from_millis(400);

impl Scene {
    /// One whose token is over, and whose authorization server takes its time and then says this.
    async fn over(answer: Option<(u16, Value)>) -> (Self, model::ConnectionId) {
        let (scene, connection) = Self::connected().await;
        scene.presented(connection).await;
        scene.pass(3600);
        *scene.issuer.answer.lock() = answer;
        *scene.issuer.pause.lock() = PAUSE;
        (scene, connection)
    }

    /// Wants the token while this is done to its row.
    async fn meanwhile(
        &self,
        connection: model::ConnectionId,
        statement: &'static str,
    ) -> Result<String, control::Error> {
        let presented = self.present(&self.world.control, connection);
        let change = async {
            while self.renewals() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            self.row(statement).await;
        };
        let (presented, ()) = tokio::join!(presented, change);
        Ok(secrecy::ExposeSecret::expose_secret(&presented?.secret).to_owned())
    }
}

fn invalid_grant() -> Option<(u16, Value)> {
    Some((400, json!({"error": "invalid_grant"})))
}

#[tokio::test]
async fn who_waits_for_a_renewal_that_fails_shares_that_it_failed() {
    let (scene, connection) = Scene::over(Some((503, Value::Null))).await;
    let other = scene.world.silent_control().await;
    let all = (0..6).map(|number| {
        let control = if number % 3 == 0 { &other } else { &scene.world.control };
        scene.present(control, connection)
    });
    for presented in join_all(all).await {
        assert_eq!(refused(presented.map(|_| ())), "authorization_unreachable");
    }
    assert_eq!(scene.renewals(), 1);
    // Once it has rested, it is tried again.
    *scene.issuer.answer.lock() = None;
    assert_eq!(
        refused(scene.present(&scene.world.control, connection).await.map(|_| ())),
        "authorization_unreachable"
    );
    scene.rested().await;
    assert!(scene.presented(connection).await.starts_with("Bearer token-"));
    assert_eq!(scene.renewals(), 2);
}

#[tokio::test]
async fn a_refusal_says_nothing_of_a_later_token() {
    let (scene, connection) = Scene::over(invalid_grant()).await;
    // Another node has renewed it, long after this one's turn.
    let renewed = "UPDATE connection_tokens SET version = version + 1";
    assert_eq!(scene.meanwhile(connection, renewed).await.unwrap(), "Bearer token-1");
    assert_eq!(scene.view().await.unwrap().over, None);
    assert!(!scene.needs().await);
}

#[tokio::test]
async fn who_took_a_token_for_over_was_too_late() {
    let (scene, connection) = Scene::over(None).await;
    let ended = "UPDATE connection_tokens SET over = 'invalid_grant', over_at = now()";
    assert_eq!(scene.meanwhile(connection, ended).await.unwrap(), "Bearer token-2");
    assert_eq!(scene.view().await.unwrap().over, None);
}

#[tokio::test]
async fn what_was_disconnected_meanwhile_is_not_presented() {
    let (scene, connection) = Scene::over(None).await;
    let gone = "DELETE FROM connection_tokens";
    assert!(matches!(scene.meanwhile(connection, gone).await, Err(control::Error::NotFound { .. })));
    // Nor is it kept: it goes back to where it came from.
    tokens::settled(&scene.world.control).await;
    let given_back: Vec<_> = scene.issuer.revoked.lock().iter().map(|form| form["token"].clone()).collect();
    assert_eq!(given_back, ["refresh-2"]);
}

#[tokio::test]
async fn a_turn_that_is_another_s_is_not_given_back() {
    let (scene, connection) = Scene::over(Some((503, Value::Null))).await;
    let taken = "UPDATE connection_tokens SET renewing_until = now() + interval '1 hour'";
    assert_eq!(refused(scene.meanwhile(connection, taken).await), "authorization_unreachable");
    let (turn, rests): (bool, bool) =
        sqlx::query_as("SELECT renewing_until > now(), rests_until IS NOT NULL FROM connection_tokens")
            .fetch_one(&mut scene.world.database.owner().await)
            .await
            .unwrap();
    assert_eq!((turn, rests), (true, false));
}

#[tokio::test]
async fn a_renewal_that_could_not_be_written_down_ends_in_words() {
    let (scene, connection) = Scene::connected().await;
    scene.row("CREATE TABLE before AS SELECT sealed, ends_at FROM connection_tokens").await;
    scene.pass(3600);
    assert_eq!(scene.presented(connection).await, "Bearer token-2");
    scene.row("UPDATE connection_tokens SET version = 1, renewed_at = NULL, sealed = b.sealed, ends_at = b.ends_at FROM before b").await;
    // What is in memory is presented while it is good.
    assert_eq!(scene.presented(connection).await, "Bearer token-2");
    scene.pass(3600);
    *scene.issuer.answer.lock() = invalid_grant();
    let presented =
        tokio::time::timeout(Duration::from_secs(20), scene.present(&scene.world.control, connection));
    assert_eq!(refused(presented.await.unwrap().map(|_| ())), MUST_CONNECT);
    assert!(scene.needs().await);
}

#[tokio::test]
async fn a_token_that_lives_shortly_is_renewed_in_the_last_quarter_of_its_life() {
    let scene = Scene::new().await;
    *scene.issuer.lifetime.lock() = Some(60);
    scene.connect(None).await;
    let connection = scene.connection().await.unwrap();
    for (seconds, renew) in [(0, None), (40, None), (10, Some(1)), (10, None), (40, None), (10, Some(2))] {
        scene.pass(seconds);
        let presented = scene.present(&scene.world.control, connection).await.unwrap();
        assert_eq!(presented.renew, renew, "{seconds}");
    }
}

#[tokio::test]
async fn a_token_that_was_refused_is_not_presented_a_second_time() {
    let (scene, connection) = Scene::connected().await;
    *scene.issuer.answer.lock() = Some((503, Value::Null));
    let other = scene.refused(connection, "Bearer token-1", Default::default()).await;
    assert_eq!((other.unwrap(), scene.renewals()), (None, 1));
}

#[tokio::test]
async fn a_process_that_ends_waits_for_what_is_being_renewed() {
    let (scene, connection) = Scene::over(None).await;
    let (control, tenant) = (&scene.world.control, scene.world.tenant.tenant);
    tokens::renew_beside(control, &way(&scene.issuer), tenant, connection, 1);
    tokens::settled(control).await;
    let version: i64 = sqlx::query_scalar("SELECT version FROM connection_tokens")
        .fetch_one(&mut scene.world.database.owner().await)
        .await
        .unwrap();
    assert_eq!(version, 2);
    // What comes later is renewed all the same.
    scene.pass(3600);
    assert_eq!(scene.presented(connection).await, "Bearer token-3");
}

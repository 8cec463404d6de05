//! What was given for a connection that is over is given back: by whom, when, and when not; and nobody waits for it.

use std::time::{Duration, Instant};

use control::modules::connecting::Target;
use control::modules::tokens;
use control::modules::{self, NewModule, connections};
use model::ModuleId;
use secrecy::SecretString;

use crate::issuer::way;
use crate::tokens::{SESSION, Scene, answer, drive};

impl Scene {
    async fn disconnect(&self, module: ModuleId) {
        let (control, way) = (&self.world.control, way(&self.issuer));
        connections::revoke(control, &self.olga, &way, module).await.unwrap();
    }

    /// What was given back by now: each as what it is, and itself.
    async fn given_back(&self) -> Vec<(String, String)> {
        tokens::settled(&self.world.control).await;
        let revoked = self.issuer.revoked.lock();
        revoked.iter().map(|form| (form["token_type_hint"].clone(), form["token"].clone())).collect()
    }

    /// Another module of the same server, connected.
    async fn another(&self) -> ModuleId {
        let (control, operator) = (&self.world.control, &self.world.operator);
        let new = NewModule { name: "files".to_owned(), ..drive() };
        let module = modules::add_mcp(control, operator, new, vec![]).await.unwrap().module;
        let sent = self.begin(&self.olga, Target::Module(module), None).await.unwrap();
        self.back(&self.olga, SESSION, &answer(&sent)).await.unwrap();
        module
    }
}

fn refresh(number: u32) -> (String, String) {
    ("refresh_token".to_owned(), format!("refresh-{number}"))
}

#[tokio::test]
async fn what_is_disconnected_is_given_back() {
    let (scene, connection) = Scene::connected().await;
    assert_eq!(scene.presented(connection).await, "Bearer token-1");
    scene.disconnect(scene.module).await;
    assert_eq!(scene.given_back().await, [refresh(1)]);
    assert!(scene.present(&scene.world.control, connection).await.is_err());
}

#[tokio::test]
async fn what_was_renewed_is_given_back_as_it_is_now() {
    let (scene, connection) = Scene::connected().await;
    scene.pass(3600);
    assert_eq!(scene.presented(connection).await, "Bearer token-2");
    scene.disconnect(scene.module).await;
    assert_eq!(scene.given_back().await, [refresh(2)]);
}

#[tokio::test]
async fn where_there_is_nothing_to_renew_with_the_token_itself_is() {
    let scene = Scene::new().await;
    *scene.issuer.once.lock() = true;
    scene.connect(None).await;
    scene.disconnect(scene.module).await;
    assert_eq!(scene.given_back().await, [("access_token".to_owned(), "token-1".to_owned())]);
}

#[tokio::test]
async fn what_is_replaced_by_a_fixed_secret_is_given_back() {
    let (scene, _) = Scene::connected().await;
    let (control, olga, way) = (&scene.world.control, &scene.olga, way(&scene.issuer));
    let secret = SecretString::from("Bearer fixed".to_owned());
    connections::set(control, olga, &way, scene.module, &secret).await.unwrap();
    assert_eq!(scene.given_back().await, [refresh(1)]);
    // That has nothing to be given back.
    scene.disconnect(scene.module).await;
    assert_eq!(scene.given_back().await.len(), 1);
}

#[tokio::test]
async fn what_another_connection_of_the_same_client_may_hang_on_is_not_given_back() {
    let (scene, _) = Scene::connected().await;
    // Connected again.
    scene.connect(None).await;
    assert!(scene.given_back().await.is_empty());
    let other = scene.another().await;
    scene.disconnect(scene.module).await;
    assert!(scene.given_back().await.is_empty());
    // The last of them.
    scene.disconnect(other).await;
    assert_eq!(scene.given_back().await, [refresh(3)]);
}

#[tokio::test]
async fn whoever_disconnects_waits_for_nobody_and_is_not_kept_from_it() {
    for status in [503, 400, 404, 302] {
        let (scene, connection) = Scene::connected().await;
        *scene.issuer.revokes.lock() = status;
        let pause = Duration::from_secs(2);
        *scene.issuer.pause.lock() = pause;
        let begun = Instant::now();
        scene.disconnect(scene.module).await;
        assert!(begun.elapsed() < pause, "{status}");
        assert_eq!(scene.view().await, None);
        assert!(scene.present(&scene.world.control, connection).await.is_err());
        *scene.issuer.pause.lock() = Duration::ZERO;
        let tries = if status == 503 { 3 } else { 1 };
        assert_eq!(scene.given_back().await, vec![refresh(1); tries], "{status}");
    }
}

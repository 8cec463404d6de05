//! Keys of agents: issued, used, rotated, revoked.

use std::time::Duration;

use crate::outside::{audit, invalid, not_there, refused, user};
use chrono::TimeDelta;
use control::credentials::{self, Issued, NewCredential};
use model::call::ReasonCode;
use policy::{Directory, Unauthenticated};
use secrecy::ExposeSecret as _;
use testkit::TestWorld;

async fn directory(world: &TestWorld) -> Directory {
    let facts = control::directory::facts(&world.control, world.tenant.tenant).await.unwrap();
    Directory::build(facts, world.control.ambient().now()).unwrap()
}

/// What happens to a key that is presented now.
async fn presented(world: &TestWorld, issued: &Issued, from: &str) -> Result<(), Option<ReasonCode>> {
    let hash = TestWorld::hash(&issued.key);
    let at = world.control.ambient().now();
    match directory(world).await.authenticate(&hash, Some(from.parse().unwrap()), at) {
        Ok(principal) => {
            assert_eq!(principal.attribution.credential, issued.view.id);
            Ok(())
        }
        Err(Unauthenticated::Unknown) => Err(None),
        Err(Unauthenticated::Refused { code, .. }) => Err(Some(code)),
    }
}

const HOME: &str = "192.0.2.7";

async fn new(world: &TestWorld) -> NewCredential {
    let (agent, _) = world.agent("Inbox helper").await;
    NewCredential {
        agent,
        name: "production".to_owned(),
        expires_at: None,
        allowed_addresses: Vec::new(),
        on_behalf_of: None,
    }
}

#[tokio::test]
async fn a_key_is_shown_once_and_only_its_hash_is_kept() {
    let world = TestWorld::new().await;
    let issued = credentials::issue(&world.control, &world.operator, new(&world).await).await.unwrap();
    let key = issued.key.expose_secret();
    assert!(model::key::well_formed(key));
    assert!(key.starts_with(&issued.view.prefix) && issued.view.prefix.len() == model::key::SHOWN);
    presented(&world, &issued, HOME).await.unwrap();
    assert!(!format!("{issued:?}").contains(key));
    for table in ["credentials", "audit_events"] {
        let text: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT string_agg(t::text, '') FROM {table} t")))
                .fetch_one(&mut world.database.owner().await)
                .await
                .unwrap();
        assert!(!text.contains(&key[model::key::SHOWN..]), "{table}");
    }
    assert!(audit(&world).await.contains(&"operator test credential.issue: production".to_owned()));
}

#[tokio::test]
async fn addresses_and_ends_hold_to_the_instant() {
    let world = TestWorld::new().await;
    let now = world.control.ambient().now();
    let wanted = NewCredential {
        expires_at: Some(now + TimeDelta::hours(1)),
        // Bits below the mask say nothing.
        allowed_addresses: vec!["192.0.2.99/24".parse().unwrap(), "2001:db8::1/64".parse().unwrap()],
        ..new(&world).await
    };
    let past = NewCredential { expires_at: Some(now), ..wanted.clone() };
    assert_eq!(invalid(credentials::issue(&world.control, &world.operator, past).await), "expires_at");
    let many =
        NewCredential { allowed_addresses: vec!["192.0.2.0/24".parse().unwrap(); 101], ..wanted.clone() };
    assert_eq!(invalid(credentials::issue(&world.control, &world.operator, many).await), "allowed_addresses");

    let issued = credentials::issue(&world.control, &world.operator, wanted).await.unwrap();
    presented(&world, &issued, HOME).await.unwrap();
    presented(&world, &issued, "2001:db8::77").await.unwrap();
    assert_eq!(presented(&world, &issued, "192.0.3.7").await, Err(Some(ReasonCode::CredentialAddress)));
    world.clock.as_ref().unwrap().advance(Duration::from_secs(3599));
    presented(&world, &issued, HOME).await.unwrap();
    world.clock.as_ref().unwrap().advance(Duration::from_secs(1));
    assert_eq!(presented(&world, &issued, HOME).await, Err(Some(ReasonCode::CredentialExpired)));
}

#[tokio::test]
async fn while_a_key_is_rotated_both_are_valid_and_then_only_the_new_one() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let ada = user(&world, "Ada", None).await;
    let wanted = NewCredential {
        on_behalf_of: Some(ada),
        allowed_addresses: vec!["192.0.2.0/24".parse().unwrap()],
        ..new(&world).await
    };
    let old = credentials::issue(control, operator, wanted).await.unwrap();
    let next = credentials::rotate(control, operator, old.view.id, Duration::from_secs(600)).await.unwrap();
    assert_eq!((next.view.agent, &next.view.name), (old.view.agent, &old.view.name));
    let lines = credentials::list(control, operator, Some(old.view.agent)).await.unwrap();
    let line = lines.iter().find(|line| line.view.id == next.view.id).unwrap();
    assert_eq!(
        (line.replaces, line.on_behalf_of.clone()),
        (Some(old.view.id), Some((ada, "Ada".to_owned())))
    );

    presented(&world, &old, HOME).await.unwrap();
    presented(&world, &next, HOME).await.unwrap();
    assert_eq!(presented(&world, &next, "198.51.100.1").await, Err(Some(ReasonCode::CredentialAddress)));
    assert_eq!(
        refused(credentials::rotate(control, operator, old.view.id, Duration::ZERO).await),
        "already_rotated"
    );

    world.clock.as_ref().unwrap().advance(Duration::from_secs(600));
    assert_eq!(presented(&world, &old, HOME).await, Err(Some(ReasonCode::CredentialExpired)));
    presented(&world, &next, HOME).await.unwrap();
    assert_eq!(
        refused(credentials::rotate(control, operator, old.view.id, Duration::ZERO).await),
        "not_in_force"
    );
}

#[tokio::test]
async fn an_overlap_never_lengthens_a_key_and_its_follower_lives_as_long_as_it_was_meant_to() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let now = world.control.ambient().now();
    let wanted = NewCredential { expires_at: Some(now + TimeDelta::days(10)), ..new(&world).await };
    let old = credentials::issue(control, operator, wanted).await.unwrap();
    world.clock.as_ref().unwrap().advance(Duration::from_secs(9 * 24 * 3600));
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    assert_eq!(invalid(credentials::rotate(control, operator, old.view.id, days(31)).await), "overlap");
    let next = credentials::rotate(control, operator, old.view.id, days(7)).await.unwrap();
    let ends = |at: Option<model::Timestamp>| ((at.unwrap() - now).num_minutes() + 1) / (24 * 60);
    let lines = credentials::list(control, operator, Some(old.view.agent)).await.unwrap();
    let line = lines.iter().find(|line| line.view.id == old.view.id).unwrap();
    assert_eq!((ends(line.view.expires_at), ends(next.view.expires_at)), (10, 19));
}

#[tokio::test]
async fn a_revoked_key_is_nobodys_and_is_revoked_once() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let issued = credentials::issue(control, operator, new(&world).await).await.unwrap();
    let (_, other) = world.another_tenant("other").await;
    not_there(credentials::revoke(control, &other, issued.view.id).await);

    credentials::revoke(control, operator, issued.view.id).await.unwrap();
    assert_eq!(presented(&world, &issued, HOME).await, Err(None));
    assert_eq!(refused(credentials::revoke(control, operator, issued.view.id).await), "already_revoked");
    assert_eq!(
        refused(credentials::rotate(control, operator, issued.view.id, Duration::ZERO).await),
        "not_in_force"
    );
    not_there(credentials::find(control, operator, issued.view.agent, "production").await);
}

#[tokio::test]
async fn a_key_is_found_by_name_or_by_how_it_begins() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let wanted = new(&world).await;
    let agent = wanted.agent;
    let one = credentials::issue(control, operator, wanted.clone()).await.unwrap();
    assert_eq!(credentials::find(control, operator, agent, "Production").await.unwrap().view.id, one.view.id);
    let two = credentials::issue(control, operator, wanted).await.unwrap();
    assert_eq!(refused(credentials::find(control, operator, agent, "production").await), "ambiguous_name");
    let shown = format!("{}…", two.view.prefix);
    assert_eq!(credentials::find(control, operator, agent, &shown).await.unwrap().view.id, two.view.id);
}

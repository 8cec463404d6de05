//! Signing in, being slowed down, and sessions.

use std::collections::HashMap;
use std::time::Duration;

use crate::outside::{audit, invalid, user};
use control::sign_in::{self, SignInError};
use control::{sessions, users};
use secrecy::SecretString;
use testkit::{PASSWORD, TestWorld};
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::{ExpiredDeletion as _, SessionStore as _};

fn secret(text: &str) -> SecretString {
    text.to_owned().into()
}

const ADDRESS: &str = "192.0.2.1";

async fn attempt(world: &TestWorld, email: &str, password: &str, from: &str) -> Result<usize, SignInError> {
    let from = Some(from.parse().unwrap());
    sign_in::sign_in(&world.control, email, &secret(password), from).await.map(|people| people.len())
}

#[tokio::test]
async fn the_right_password_finds_each_account_of_a_person() {
    let world = TestWorld::new().await;
    let (other, operator) = world.another_tenant("other").await;
    let new = users::NewUser {
        email: "owner@acme.example".to_owned(),
        name: "Olga elsewhere".to_owned(),
        home_unit: other.unit,
        password: Some(secret("quite another password")),
        role: None,
    };
    let elsewhere = users::create(&world.control, &operator, new).await.unwrap();

    let found =
        sign_in::sign_in(&world.control, " Owner@ACME.example ", &secret(PASSWORD), None).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].user, found[0].slug.as_str(), found[0].tenant_name.as_str()),
        (world.tenant.owner, "acme", "acme Ltd")
    );
    users::set_password(&world.control, &operator, elsewhere, &secret(PASSWORD)).await.unwrap();
    let both = sign_in::sign_in(&world.control, "owner@acme.example", &secret(PASSWORD), None).await.unwrap();
    assert_eq!(both.len(), 2);
    let audit = audit(&world).await;
    assert_eq!(audit.iter().filter(|event| *event == "user Olga Owner user.sign_in: Olga Owner").count(), 2);

    // A suspended account is none.
    users::suspend(&world.control, &operator, elsewhere).await.unwrap();
    let one = sign_in::sign_in(&world.control, "owner@acme.example", &secret(PASSWORD), None).await.unwrap();
    assert_eq!(one.len(), 1);
}

#[tokio::test]
async fn nothing_is_told_of_why_it_was_wrong() {
    let world = TestWorld::new().await;
    user(&world, "Ada", None).await;
    for (email, password) in [
        ("owner@acme.example", "not the password"),
        ("nobody@acme.example", PASSWORD),
        ("ada@acme.example", PASSWORD),
        ("no address", PASSWORD),
        ("owner@acme.example", ""),
        ("owner@acme.example", &"x".repeat(5000)),
    ] {
        assert_eq!(
            attempt(&world, email, password, ADDRESS).await,
            Err(SignInError::WrongCredentials),
            "{email}"
        );
    }
}

#[tokio::test]
async fn ten_failures_from_one_address_are_enough_for_a_quarter_of_an_hour() {
    let world = TestWorld::new().await;
    let owner = "owner@acme.example";
    for _ in 0..10 {
        assert_eq!(
            attempt(&world, owner, "wrong wrong wrong", ADDRESS).await,
            Err(SignInError::WrongCredentials)
        );
    }
    // Now even the right one is not looked at, from there.
    let Err(SignInError::TooMany { retry_after }) = attempt(&world, owner, PASSWORD, ADDRESS).await else {
        panic!("it was looked at");
    };
    assert!(
        retry_after <= Duration::from_secs(900) && retry_after > Duration::from_secs(890),
        "{retry_after:?}"
    );
    // From elsewhere the person can still sign in, and others can from there.
    assert_eq!(attempt(&world, owner, PASSWORD, "198.51.100.7").await, Ok(1));
    assert_eq!(attempt(&world, "x@acme.example", "y", ADDRESS).await, Err(SignInError::WrongCredentials));

    world.clock.as_ref().unwrap().advance(Duration::from_secs(901));
    assert_eq!(attempt(&world, owner, PASSWORD, ADDRESS).await, Ok(1));
    // Having signed in, the person has all attempts again.
    for _ in 0..10 {
        assert_eq!(
            attempt(&world, owner, "wrong wrong wrong", ADDRESS).await,
            Err(SignInError::WrongCredentials)
        );
    }
    assert_eq!(control::throttle::delete_expired(&world.control).await.unwrap(), 0, "they still count");
    world.clock.as_ref().unwrap().advance(Duration::from_secs(3601));
    assert!(control::throttle::delete_expired(&world.control).await.unwrap() > 0);
}

#[tokio::test]
async fn many_attempts_at_once_are_not_more_than_their_number() {
    let world = std::sync::Arc::new(TestWorld::new().await);
    let attempts = (0..30).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { attempt(&world, "owner@acme.example", "wrong wrong wrong", ADDRESS).await })
    });
    let results = futures::future::join_all(attempts).await;
    let looked_at =
        results.iter().filter(|result| matches!(result, Ok(Err(SignInError::WrongCredentials)))).count();
    assert_eq!(looked_at, 10);
}

#[tokio::test]
async fn a_person_is_not_locked_out_by_one_stranger_but_by_many() {
    let world = TestWorld::new().await;
    for n in 0..50 {
        let from = format!("198.51.100.{n}");
        assert_eq!(
            attempt(&world, "owner@acme.example", "wrong wrong wrong", &from).await,
            Err(SignInError::WrongCredentials)
        );
    }
    assert!(matches!(
        attempt(&world, "owner@acme.example", PASSWORD, "203.0.113.5").await,
        Err(SignInError::TooMany { .. })
    ));
}

#[tokio::test]
async fn a_password_is_long_enough_and_not_too_long() {
    let world = TestWorld::new().await;
    for bad in ["elevenchars", &"x".repeat(1025)] {
        let set =
            users::set_password(&world.control, &world.operator, world.tenant.owner, &secret(bad)).await;
        assert_eq!(invalid(set), "password");
    }
    let set =
        users::set_password(&world.control, &world.operator, world.tenant.owner, &secret("zwölf Zeichen"))
            .await;
    set.unwrap();
    assert_eq!(attempt(&world, "owner@acme.example", "zwölf Zeichen", ADDRESS).await, Ok(1));
    let stored: String =
        sqlx::query_scalar("SELECT password_hash FROM users WHERE email = 'owner@acme.example'")
            .fetch_one(&mut world.database.owner().await)
            .await
            .unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
}

#[tokio::test]
async fn sessions_are_kept_under_a_hash_until_they_end() {
    let world = TestWorld::new().await;
    let store = sessions::Store::new(world.control.clone());
    let now = time::OffsetDateTime::from_unix_timestamp(world.control.ambient().now().timestamp()).unwrap();
    let mut record = Record {
        id: Id(42),
        data: HashMap::from([("user".to_owned(), serde_json::json!({ "id": 7 }))]),
        expiry_date: now + Duration::from_secs(600),
    };
    store.create(&mut record).await.unwrap();
    assert_eq!(store.load(&Id(42)).await.unwrap(), Some(record.clone()));
    // The same id is not given twice.
    let mut second = Record { id: Id(42), ..record.clone() };
    store.create(&mut second).await.unwrap();
    assert_ne!(second.id, Id(42));

    record.data.insert("more".to_owned(), true.into());
    store.save(&record).await.unwrap();
    assert_eq!(store.load(&Id(42)).await.unwrap(), Some(record.clone()));
    let (id, count): (Vec<u8>, i64) = sqlx::query_as("SELECT id, count(*) OVER () FROM sessions LIMIT 1")
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap();
    assert_eq!((id.len(), count), (32, 2));

    store.delete(&Id(42)).await.unwrap();
    assert_eq!(store.load(&Id(42)).await.unwrap(), None);
    // A request that was under way when the session ended does not bring it back.
    store.save(&record).await.unwrap();
    assert_eq!(store.load(&Id(42)).await.unwrap(), None);

    world.clock.as_ref().unwrap().advance(Duration::from_secs(600));
    assert_eq!(store.load(&second.id).await.unwrap(), None);
    store.delete_expired().await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions")
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap();
    assert_eq!(left, 0);

    let big = HashMap::from([("x".to_owned(), "x".repeat(20_000).into())]);
    assert!(store.create(&mut Record { id: Id(1), data: big, expiry_date: now }).await.is_err());
}

//! One's own account: name, time zone, password, and where one is signed in.

use crate::outside::{audit, epoch, invalid, not_there, refused, signed_in, with_role};
use control::sessions::{self, Store, WHO, Who};
use control::users::{self, NewUser};
use control::{Actor, account, sign_in};
use model::UserId;
use model::people::Role;
use secrecy::SecretString;
use testkit::{PASSWORD, TestWorld};
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::SessionStore as _;

fn secret(text: &str) -> SecretString {
    text.to_owned().into()
}

async fn with_password(world: &TestWorld, name: &str, role: Option<Role>) -> UserId {
    let new = NewUser {
        email: format!("{}@acme.example", name.to_lowercase()),
        name: name.to_owned(),
        home_unit: world.tenant.unit,
        password: Some(secret(PASSWORD)),
        role,
    };
    users::create(&world.control, &world.operator, new).await.unwrap()
}

async fn stamp_of(world: &TestWorld, user: UserId) -> sign_in::Stamp {
    sign_in::present(&world.control, world.tenant.tenant, user).await.unwrap().unwrap().stamp
}

/// Signs somebody in, as a browser would; returns the session's handle.
async fn browser(world: &TestWorld, user: UserId, n: i128) -> String {
    let now = world.control.ambient().now();
    let stamp = stamp_of(world, user).await;
    let who = Who {
        tenant: world.tenant.tenant,
        user,
        slug: "acme".parse().unwrap(),
        stamp,
        since: now,
        seen: now,
        user_agent: Some(format!("Browser {n}")),
        address: Some("192.0.2.7".parse().unwrap()),
    };
    let data = [(WHO.to_owned(), serde_json::to_value(who).unwrap())].into();
    let expiry_date = time::OffsetDateTime::from_unix_timestamp(now.timestamp() + 3600).unwrap();
    let mut record = Record { id: Id(n), data, expiry_date };
    Store::new(world.control.clone()).create(&mut record).await.unwrap();
    sessions::handle(&record.id)
}

#[tokio::test]
async fn a_person_changes_their_name_and_zone_and_nobody_elses() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let mia = with_role(&world, "Mia", Role::Member).await;
    let before = epoch(&world).await;
    account::change(control, &mia, " Mia Müller ", Some("Asia/Tokyo")).await.unwrap();
    assert_eq!(epoch(&world).await, before, "a name authorizes nothing");
    let own = account::own(control, &mia).await.unwrap();
    assert_eq!((own.name.as_str(), own.zone.unwrap().name()), ("Mia Müller", "Asia/Tokyo"));
    let present =
        sign_in::present(control, world.tenant.tenant, mia.user_id().unwrap()).await.unwrap().unwrap();
    assert_eq!(present.zone.name(), "Asia/Tokyo");
    account::change(control, &mia, "Mia", None).await.unwrap();
    assert_eq!(account::own(control, &mia).await.unwrap().zone, None);
    assert_eq!(invalid(account::change(control, &mia, "", None).await), "name");
    assert_eq!(invalid(account::change(control, &mia, "a\u{202E}b", None).await), "name");
    for zone in ["", "Mars/Olympus", "../../etc/passwd", &"x".repeat(10_000)] {
        assert_eq!(invalid(account::change(control, &mia, "Mia", Some(zone)).await), "time_zone");
    }
    not_there(account::own(control, &world.operator).await);
    not_there(account::change(control, &world.operator, "Root", None).await);
    assert!(audit(&world).await.contains(&"user Mia user.change: Mia Müller".to_owned()));
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_the_old_one_and_ends_all_sessions() {
    let world = TestWorld::new().await;
    let control = &world.control.clone().sending_mail();
    let user = with_password(&world, "Ada", None).await;
    let ada = signed_in(&world, user).await;
    browser(&world, user, 1).await;
    let new = secret("another long password");
    assert_eq!(
        invalid(account::set_password(control, &ada, &secret("wrong"), &new, None).await),
        "old_password"
    );
    assert_eq!(
        invalid(account::set_password(control, &ada, &secret(PASSWORD), &secret("short"), None).await),
        "password"
    );
    assert_eq!(account::sessions(control, &ada, user).await.unwrap().len(), 1);

    let stamp = account::set_password(control, &ada, &secret(PASSWORD), &new, None).await.unwrap();
    assert_eq!(stamp, stamp_of(&world, user).await);
    assert!(account::sessions(control, &ada, user).await.unwrap().is_empty());
    assert!(sign_in::sign_in(control, "ada@acme.example", &secret(PASSWORD), None).await.is_err());
    assert!(sign_in::sign_in(control, "ada@acme.example", &new, None).await.is_ok());
    let mails = control::mail::lease(control, 10).await.unwrap();
    assert_eq!((mails.len(), mails[0].to.email.as_str()), (1, "ada@acme.example"));
    assert!(matches!(mails[0].letter, control::mail::Letter::PasswordChanged { .. }));
}

#[tokio::test]
async fn an_open_browser_is_no_way_around_the_limits_of_sign_in() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let user = with_password(&world, "Ada", None).await;
    let ada = signed_in(&world, user).await;
    let (from, new) = (Some("192.0.2.9".parse().unwrap()), secret("another long password"));
    for _ in 0..10 {
        assert_eq!(
            invalid(account::set_password(control, &ada, &secret("wrong"), &new, from).await),
            "old_password"
        );
    }
    assert_eq!(
        refused(account::set_password(control, &ada, &secret(PASSWORD), &new, from).await),
        "too_many"
    );
    assert!(sign_in::sign_in(control, "ada@acme.example", &secret(PASSWORD), from).await.is_err());
}

#[tokio::test]
async fn sessions_are_seen_and_ended_by_oneself_and_by_who_may_change_one() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let user = with_password(&world, "Ada", None).await;
    let ada = signed_in(&world, user).await;
    let (here, there) = (browser(&world, user, 1).await, browser(&world, user, 2).await);
    let third = browser(&world, user, 3).await;
    let owners = browser(&world, world.tenant.owner, 4).await;
    let seen = account::sessions(control, &ada, user).await.unwrap();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0].address.unwrap().to_string(), "192.0.2.7");
    assert!(seen.iter().any(|it| it.handle == here && it.user_agent.as_deref() == Some("Browser 1")));

    let admin = with_role(&world, "Adam", Role::Admin).await;
    let mia = with_role(&world, "Mia", Role::Member).await;
    not_there(account::sessions(control, &mia, user).await);
    not_there(account::end_session(control, &mia, &there).await);
    not_there(account::end_session(control, &ada, &owners).await);
    // An admin sees an owner's session in the list of all, and cannot end it from anywhere.
    not_there(account::sessions(control, &admin, world.tenant.owner).await);
    not_there(account::ending_sessions(control, &admin, world.tenant.owner, None).await);
    not_there(account::end_sessions(control, &admin, world.tenant.owner, None).await);
    not_there(account::end_session(control, &admin, &owners).await);
    let (all, _) = account::all_sessions(control, &admin, None, 0).await.unwrap();
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|it| it.may_end == (it.handle != owners)), "{all:?}");

    assert_eq!(account::end_session(control, &ada, &there).await.unwrap(), "Ada");
    not_there(account::end_session(control, &ada, &there).await);
    let one = (1, "Ada".to_owned());
    assert_eq!(account::ending_sessions(control, &ada, user, Some(&here)).await.unwrap(), one);
    assert_eq!(account::end_sessions(control, &ada, user, Some(&here)).await.unwrap(), one);
    let left = account::sessions(control, &admin, user).await.unwrap();
    assert_eq!(left.iter().map(|it| &it.handle).collect::<Vec<_>>(), [&here]);
    assert_ne!(left[0].handle, third);

    // Suspended and let go on, one has to sign in again.
    users::suspend(control, &world.operator, user).await.unwrap();
    users::resume(control, &world.operator, user).await.unwrap();
    assert!(account::sessions(control, &ada, user).await.unwrap().is_empty());
    browser(&world, user, 5).await;
    assert_eq!(users::parting(control, &ada, user).await.unwrap().sessions, 1);
    users::remove(control, &world.operator, user, users::Agents::Stop).await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions WHERE user_id = $1")
        .bind(user.uuid())
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap();
    assert_eq!(left, 0);
    let (other, stranger) = world.another_tenant("other").await;
    not_there(account::sessions(control, &stranger, world.tenant.owner).await);
    not_there(account::sessions(control, &Actor::operator(world.tenant.tenant, "test"), other.owner).await);
}

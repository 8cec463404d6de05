//! Signing up, setting a new password, and the outbox between.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::outside::audit;
use control::mail::{self, Letter, Undelivered};
use control::sessions::{self, WHO, Who};
use control::sign_ups::{self, NewSignUp};
use control::users::NewUser;
use control::{Control, Error, resets, sign_in, users};
use model::people::Role;
use model::{TenantId, UserId};
use secrecy::SecretString;
use sqlx::Row as _;
use testkit::{PASSWORD, TestWorld};
use tower_sessions_core::SessionStore as _;
use tower_sessions_core::session::{Id, Record};

const HERE: &str = "192.0.2.1";
const NEW: &str = "seven green bottles standing";

fn secret(text: &str) -> SecretString {
    text.to_owned().into()
}

fn here() -> Option<IpAddr> {
    Some(HERE.parse().unwrap())
}

fn given(organization: &str, email: &str) -> NewSignUp {
    NewSignUp {
        organization: organization.to_owned(),
        name: "Ada Lovelace".to_owned(),
        email: email.to_owned(),
        password: secret(PASSWORD),
        currency: "EUR".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
    }
}

/// Signs up and returns the token of the mail.
async fn asked(world: &TestWorld, organization: &str, email: &str) -> String {
    sign_ups::begin(&world.control, given(organization, email), here()).await.unwrap();
    match world.mail_to(email).await {
        Letter::VerifySignUp { token, .. } | Letter::SignUpKnown { token, .. } => token,
        other => panic!("{other:?}"),
    }
}

async fn forgot(world: &TestWorld, email: &str) -> String {
    resets::ask(&world.control, email, here()).await.unwrap();
    match world.mail_to(email).await {
        Letter::ResetPassword { token, .. } => token,
        other => panic!("{other:?}"),
    }
}

fn code(error: &Error) -> &str {
    match error {
        Error::Refused { code, .. } => code,
        Error::Invalid { field, .. } => field,
        Error::NotFound { .. } => "not_found",
        other => panic!("{other:?}"),
    }
}

async fn can_sign_in(control: &Control, email: &str, password: &str) -> usize {
    sign_in::sign_in(control, email, &secret(password), None).await.map_or(0, |people| people.len())
}

async fn count(world: &TestWorld, sql: &'static str) -> i64 {
    let mut owner = world.database.owner().await;
    sqlx::query(sql).fetch_one(&mut owner).await.unwrap().get(0)
}

#[tokio::test]
async fn an_organization_is_made_when_its_address_is_proved_and_not_before() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let tenants = count(&world, "SELECT count(*) FROM tenants").await;
    let token = asked(&world, " Müller & Söhne ", "Ada@Mueller.example".to_lowercase().as_str()).await;
    assert_eq!(count(&world, "SELECT count(*) FROM tenants").await, tenants, "nothing yet");
    assert_eq!(can_sign_in(control, "ada@mueller.example", PASSWORD).await, 0);
    let waiting = sign_ups::look(control, &token).await.unwrap().unwrap();
    assert_eq!(
        (waiting.organization.as_str(), waiting.email.as_str()),
        ("Müller & Söhne", "ada@mueller.example")
    );

    let founded = sign_ups::verify(control, &token).await.unwrap();
    assert_eq!(founded.slug.as_str(), "mueller-and-soehne");
    let present = sign_in::present(control, founded.tenant, founded.owner).await.unwrap().unwrap();
    assert_eq!(present.stamp, founded.stamp, "the owner's first session lasts");
    assert_eq!((present.tenant.zone.name(), present.tenant.currency.code()), ("Europe/Berlin", "EUR"));
    assert_eq!(present.actor.roles()[0].role, Role::Owner);
    assert_eq!(can_sign_in(control, "ada@mueller.example", PASSWORD).await, 1);
    control::vault::opens(control, founded.tenant).await.unwrap();

    // A link works once.
    assert!(sign_ups::look(control, &token).await.unwrap().is_none());
    assert_eq!(code(&sign_ups::verify(control, &token).await.unwrap_err()), "not_found");
    assert_eq!(code(&sign_ups::verify(control, "made up").await.unwrap_err()), "not_found");
}

#[tokio::test]
async fn a_link_ends_after_a_day() {
    let world = TestWorld::new().await;
    let token = asked(&world, "Late", "late@example.com").await;
    world.clock.as_ref().unwrap().advance(Duration::from_secs(24 * 3600));
    assert!(sign_ups::look(&world.control, &token).await.unwrap().is_none());
    assert_eq!(code(&sign_ups::verify(&world.control, &token).await.unwrap_err()), "not_found");
    sign_ups::delete_expired(&world.control).await.unwrap();
    assert_eq!(count(&world, "SELECT count(*) FROM sign_ups").await, 0);
}

#[tokio::test]
async fn short_names_get_a_number_when_they_are_taken() {
    let world = TestWorld::new().await;
    for (email, slug) in [("a@x.example", "acme-2"), ("b@x.example", "acme-3")] {
        let token = asked(&world, "ACME", email).await;
        assert_eq!(sign_ups::verify(&world.control, &token).await.unwrap().slug.as_str(), slug);
    }
}

/// Two links of one address, and one link pressed by many at once: one organization.
#[tokio::test]
async fn one_address_proved_many_times_at_once_makes_one_organization() {
    let world = TestWorld::in_real_time().await;
    for round in 0..5 {
        let email = format!("race{round}@example.com");
        let (first, second) = (asked(&world, "Race", &email).await, asked(&world, "Race", &email).await);
        let all = (0..8).map(|turn| {
            let token = if turn % 2 == 0 { first.clone() } else { second.clone() };
            let control = world.control.clone();
            tokio::spawn(async move { sign_ups::verify(&control, &token).await })
        });
        let mut made = 0;
        for outcome in futures::future::join_all(all).await {
            match outcome.unwrap() {
                Ok(_) => made += 1,
                Err(error) => assert_eq!(code(&error), "not_found"),
            }
        }
        assert_eq!(made, 1);
        assert_eq!(can_sign_in(&world.control, &email, PASSWORD).await, 1);
    }
}

#[tokio::test]
async fn nothing_tells_whether_an_address_is_known_but_the_mail() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let known = "owner@acme.example";
    sign_ups::begin(control, given("Second", known), here()).await.unwrap();
    let Letter::SignUpKnown { known: names, token, .. } = world.mail_to(known).await else { panic!() };
    assert_eq!(names, ["acme Ltd"]);
    resets::ask(control, "nobody@example.com", here()).await.unwrap();
    assert_eq!(world.mail_to("nobody@example.com").await, Letter::ResetUnknown);
    resets::ask(control, known, here()).await.unwrap();
    // What is in the database is as much for the one as for the other.
    assert_eq!(count(&world, "SELECT count(*) FROM resets").await, 2);
    // They can have a second organization all the same, with a password of its own.
    sign_ups::verify(control, &token).await.unwrap();
    assert_eq!(can_sign_in(control, known, PASSWORD).await, 2);
}

#[tokio::test]
async fn what_is_wrong_is_told_of_every_field() {
    let world = TestWorld::new().await;
    let wrong = NewSignUp {
        organization: " ".to_owned(),
        name: "a\u{0}b".to_owned(),
        email: "ada".to_owned(),
        password: secret("short"),
        currency: "DOGE".to_owned(),
        time_zone: String::new(),
    };
    let errors = sign_ups::check(&wrong);
    let fields: Vec<_> = errors.iter().map(code).collect();
    assert_eq!(fields, ["organization", "name", "email", "password", "currency"]);
    let obvious = NewSignUp { password: secret("Lovelace-1815"), ..given("X", "ada@example.com") };
    assert_eq!(code(&sign_ups::begin(&world.control, obvious, here()).await.unwrap_err()), "password");
    // What a browser says of its zone is not believed.
    let odd = NewSignUp { time_zone: "Mars/Olympus".to_owned(), ..given("Odd", "odd@example.com") };
    sign_ups::begin(&world.control, odd, here()).await.unwrap();
    assert_eq!(world.mails().await.len(), 1);
}

#[tokio::test]
async fn mails_to_one_address_and_from_one_address_are_limited() {
    let world = TestWorld::new().await;
    let control = &world.control;
    for _ in 0..5 {
        asked(&world, "Acme", "victim@example.com").await;
        resets::ask(control, "victim@example.com", here()).await.unwrap();
        world.mails().await;
    }
    let error = sign_ups::begin(control, given("Acme", "victim@example.com"), None).await.unwrap_err();
    assert_eq!(code(&error), "too_many");
    let error = resets::ask(control, "Victim@example.com", None).await.unwrap_err();
    assert!(error.to_string().contains("60 minutes"), "{error}");
    assert_eq!(world.mails().await, []);
    for turn in 0..26 {
        let outcome = sign_ups::begin(control, given("Acme", &format!("{turn}@example.com")), here()).await;
        assert_eq!(outcome.is_ok(), turn < 25, "{turn}");
    }
    world.mails().await;
    world.clock.as_ref().unwrap().advance(Duration::from_secs(3600));
    asked(&world, "Acme", "victim@example.com").await;
}

#[tokio::test]
async fn an_installation_without_mail_begins_nothing() {
    let world = TestWorld::new().await;
    let control = world.silent_control().await;
    assert_eq!(
        code(&sign_ups::begin(&control, given("X", "x@example.com"), None).await.unwrap_err()),
        "no_mail"
    );
    assert_eq!(code(&resets::ask(&control, "owner@acme.example", None).await.unwrap_err()), "no_mail");
    // An operator can still set a password, and nobody is told by a mail that never comes.
    users::set_password(&control, &world.operator, world.tenant.owner, &secret(NEW)).await.unwrap();
    assert_eq!(count(&world, "SELECT count(*) FROM mails").await, 0);
}

/// A session of somebody, as the dashboard begins it.
async fn session(control: &Control, tenant: TenantId, user: UserId) -> (Id, Who) {
    let now = control.ambient().now();
    let present = sign_in::present(control, tenant, user).await.unwrap().unwrap();
    let who = Who {
        tenant,
        user,
        slug: present.tenant.slug,
        stamp: present.stamp,
        since: now,
        seen: now,
        user_agent: Some("Firefox".repeat(100)),
        address: here(),
    };
    let id = Id(i128::from_le_bytes(control.ambient().bytes()));
    let data = HashMap::from([(WHO.to_owned(), serde_json::to_value(&who).unwrap())]);
    let expiry_date = time::OffsetDateTime::from_unix_timestamp(now.timestamp() + 3600).unwrap();
    let mut record = Record { id, data, expiry_date };
    sessions::Store::new(control.clone()).create(&mut record).await.unwrap();
    (record.id, who)
}

async fn lasts(control: &Control, session: &(Id, Who)) -> bool {
    let stored = sessions::Store::new(control.clone()).load(&session.0).await.unwrap().is_some();
    let holds = sign_in::holder(control, &session.1).await.unwrap().is_some();
    assert!(!stored || holds, "a session that is stored holds nobody");
    stored
}

#[tokio::test]
async fn a_reset_is_for_every_account_of_the_address_and_ends_their_sessions() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let email = "owner@acme.example";
    let (beta, operator) = world.another_tenant("beta").await;
    let new = |password: Option<&str>, email: &str| NewUser {
        email: email.to_owned(),
        name: "Olga Elsewhere".to_owned(),
        home_unit: beta.unit,
        password: password.map(secret),
        role: None,
    };
    let elsewhere =
        users::create(control, &operator, new(Some("quite another password"), email)).await.unwrap();
    let mine = session(control, world.tenant.tenant, world.tenant.owner).await;
    let other = session(control, beta.tenant, elsewhere).await;
    let strangers = session(control, beta.tenant, beta.owner).await;

    let (unused, token) = (forgot(&world, email).await, forgot(&world, email).await);
    let asked = resets::look(control, &token).await.unwrap().unwrap();
    assert_eq!((asked.email.as_str(), asked.organizations.len()), (email, 2));
    assert!(lasts(control, &mine).await, "asking changes nothing");

    for bad in ["short", "owner@acme.example", "beta Ltd beta Ltd", "Olga Elsewhere"] {
        let error = resets::set(control, &token, &secret(bad), here()).await.unwrap_err();
        assert_eq!(code(&error), "password", "{bad}");
    }
    assert_eq!(resets::set(control, &token, &secret(NEW), here()).await.unwrap(), email);
    assert_eq!(can_sign_in(control, email, NEW).await, 2);
    assert_eq!(can_sign_in(control, email, PASSWORD).await, 0);
    assert!(!lasts(control, &mine).await && !lasts(control, &other).await, "their sessions are over");
    assert!(lasts(control, &strangers).await, "others' are not");
    let told: Vec<_> = world.mails().await;
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|(to, letter)| to == email && matches!(letter, Letter::PasswordChanged { .. })));
    assert!(audit(&world).await.iter().any(|event| event.contains("user.reset_password")));
    for spent in [&token, &unused] {
        assert_eq!(
            code(&resets::set(control, spent, &secret(PASSWORD), None).await.unwrap_err()),
            "not_found"
        );
    }
}

#[tokio::test]
async fn who_has_no_password_gets_none_by_asking() {
    let world = TestWorld::new().await;
    let new = NewUser {
        email: "invited@acme.example".to_owned(),
        name: "Ines".to_owned(),
        home_unit: world.tenant.unit,
        password: None,
        role: None,
    };
    let ines = users::create(&world.control, &world.operator, new).await.unwrap();
    resets::ask(&world.control, "invited@acme.example", here()).await.unwrap();
    assert_eq!(world.mail_to("invited@acme.example").await, Letter::ResetUnknown);
    // Nor does somebody who was suspended after asking.
    users::set_password(&world.control, &world.operator, ines, &secret(PASSWORD)).await.unwrap();
    world.mails().await;
    let token = forgot(&world, "invited@acme.example").await;
    users::suspend(&world.control, &world.operator, ines).await.unwrap();
    let error = resets::set(&world.control, &token, &secret(NEW), here()).await.unwrap_err();
    assert_eq!(code(&error), "not_found");
}

#[tokio::test]
async fn a_reset_link_ends_after_an_hour_and_is_used_once_whoever_is_first() {
    let world = TestWorld::in_real_time().await;
    let control = &world.control;
    let email = "owner@acme.example";
    let token = forgot(&world, email).await;
    let all = (0..6).map(|turn| {
        let (control, token) = (control.clone(), token.clone());
        tokio::spawn(async move {
            resets::set(&control, &token, &secret(&format!("{NEW} {turn}")), None).await.is_ok()
        })
    });
    let set = futures::future::join_all(all).await.into_iter().filter(|it| *it.as_ref().unwrap()).count();
    assert_eq!(set, 1);

    let world = TestWorld::new().await;
    let token = forgot(&world, email).await;
    world.clock.as_ref().unwrap().advance(Duration::from_secs(3600));
    assert!(resets::look(&world.control, &token).await.unwrap().is_none());
    let error = resets::set(&world.control, &token, &secret(NEW), None).await.unwrap_err();
    assert_eq!(code(&error), "not_found");
    resets::delete_expired(&world.control).await.unwrap();
    assert_eq!(count(&world, "SELECT count(*) FROM resets").await, 0);
}

#[tokio::test]
async fn a_new_password_forgets_failed_attempts_and_is_told() {
    let world = TestWorld::new().await;
    let (control, email) = (&world.control, "owner@acme.example");
    for _ in 0..11 {
        let _ = sign_in::sign_in(control, email, &secret("wrong wrong wrong"), here()).await;
    }
    assert!(sign_in::sign_in(control, email, &secret(PASSWORD), here()).await.is_err(), "locked out");
    let token = forgot(&world, email).await;
    resets::set(control, &token, &secret(NEW), here()).await.unwrap();
    assert!(sign_in::sign_in(control, email, &secret(NEW), here()).await.is_ok());
    world.mails().await;

    // By whomever it is changed: sessions end, and the person is told.
    let before = session(control, world.tenant.tenant, world.tenant.owner).await;
    users::set_password(control, &world.operator, world.tenant.owner, &secret(PASSWORD)).await.unwrap();
    assert!(!lasts(control, &before).await);
    // Also one that was begun with the old password while the new one was set.
    assert!(sign_in::holder(control, &before.1).await.unwrap().is_none());
    assert!(matches!(world.mail_to(email).await, Letter::PasswordChanged { .. }));
}

#[tokio::test]
async fn a_session_says_in_columns_whose_it_is() {
    let world = TestWorld::new().await;
    session(&world.control, world.tenant.tenant, world.tenant.owner).await;
    let mut owner = world.database.owner().await;
    let row = sqlx::query("SELECT tenant, user_id, length(user_agent), host(address) FROM sessions")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(row.get::<uuid::Uuid, _>(0), world.tenant.tenant.uuid());
    assert_eq!(row.get::<uuid::Uuid, _>(1), world.tenant.owner.uuid());
    assert_eq!((row.get::<i32, _>(2), row.get::<String, _>(3)), (300, HERE.to_owned()));
}

#[tokio::test]
async fn mails_are_sent_by_one_worker_tried_again_and_given_up() {
    let world = TestWorld::new().await;
    let (control, clock) = (&world.control, world.clock.as_ref().unwrap());
    let minutes = |minutes: u64| clock.advance(Duration::from_secs(minutes * 60));
    let again = Undelivered { again: true, problem: "refused: 451".to_owned() };
    resets::ask(control, "owner@acme.example", None).await.unwrap();

    // What waits shows neither address nor token.
    let mut owner = world.database.owner().await;
    let row: String =
        sqlx::query("SELECT row_to_json(m)::text FROM mails m").fetch_one(&mut owner).await.unwrap().get(0);
    let sealed: Vec<u8> = sqlx::query("SELECT sealed FROM mails").fetch_one(&mut owner).await.unwrap().get(0);
    assert!(row.contains("reset_password") && !row.contains("acme"), "{row}");
    assert!(!sealed.windows(4).any(|part| part == b"acme"));

    let leased = mail::lease(control, 10).await.unwrap();
    assert_eq!((leased.len(), leased[0].attempt), (1, 1));
    assert_eq!(mail::lease(control, 10).await.unwrap(), [], "nobody else has it");
    mail::failed(control, &leased[0], &again).await.unwrap();
    assert_eq!(mail::lease(control, 10).await.unwrap(), [], "not at once");
    minutes(1);
    let second = mail::lease(control, 10).await.unwrap();
    assert_eq!(second[0].attempt, 2);
    // A worker that died: when its lease is over, the mail is sent by another, and what it says later does not count.
    minutes(6);
    let third = mail::lease(control, 10).await.unwrap();
    assert_eq!((third[0].attempt, third[0].id), (3, leased[0].id));
    mail::failed(control, &second[0], &Undelivered { again: false, problem: "late".to_owned() })
        .await
        .unwrap();
    mail::sent(control, &third[0]).await.unwrap();
    let outbox = mail::outbox(control).await.unwrap();
    assert_eq!((outbox.waiting, outbox.given_up, outbox.problem), (0, 0, None));
    assert_eq!(count(&world, "SELECT count(*) FROM mails WHERE sealed IS NOT NULL").await, 0, "emptied");

    // Never taken: given up at once. Not taken in time: given up when the link is of no use any more.
    resets::ask(control, "nobody@example.com", None).await.unwrap();
    let refused = mail::lease(control, 10).await.unwrap();
    let never = Undelivered { again: false, problem: "refused: 550".to_owned() };
    mail::failed(control, &refused[0], &never).await.unwrap();
    resets::ask(control, "owner@acme.example", None).await.unwrap();
    minutes(61);
    assert_eq!(mail::lease(control, 10).await.unwrap(), []);
    let outbox = mail::outbox(control).await.unwrap();
    assert_eq!((outbox.waiting, outbox.given_up), (0, 2));
    minutes(31 * 24 * 60);
    mail::clear(control).await.unwrap();
    assert_eq!(count(&world, "SELECT count(*) FROM mails").await, 0);
}

#[tokio::test]
async fn many_workers_send_each_mail_once() {
    let world = TestWorld::in_real_time().await;
    for turn in 0..20 {
        resets::ask(&world.control, &format!("{turn}@example.com"), None).await.unwrap();
    }
    let other = world.another_control().await;
    let workers = (0..8).map(|turn| {
        let control = if turn % 2 == 0 { world.control.clone() } else { other.clone() };
        tokio::spawn(async move {
            let mut taken = Vec::new();
            loop {
                let leased = mail::lease(&control, 3).await.unwrap();
                if leased.is_empty() {
                    return taken;
                }
                for mail in leased {
                    mail::sent(&control, &mail).await.unwrap();
                    taken.push(mail.id);
                }
            }
        })
    });
    let mut taken = Vec::new();
    for worker in futures::future::join_all(workers).await {
        taken.extend(worker.unwrap());
    }
    let sent = taken.len();
    taken.sort();
    taken.dedup();
    assert_eq!((sent, taken.len()), (20, 20));
}

/// A mail is sent if and only if what caused it has happened.
#[tokio::test]
async fn a_new_mail_is_heard_of_when_its_cause_has_committed() {
    let world = TestWorld::in_real_time().await;
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let listening = tokio::spawn(mail::listen(world.database.app_url(), move || {
        let _ = told.send(());
    }));
    heard.recv().await.unwrap();
    resets::ask(&world.control, "owner@acme.example", None).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), heard.recv()).await.expect("heard within five seconds");
    assert_eq!(world.mails().await.len(), 1);
    listening.abort();
}

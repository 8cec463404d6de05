//! What an organization settles for itself, and that it is followed.

use crate::outside::{audit, epoch, invalid, not_there, refused, user, with_role};
use chrono::TimeDelta;
use control::sessions::Who;
use control::settings::{self, MailSender, RecordFilter, SessionRules, SignInRules};
use control::{account, sign_in, tenants, users};
use futures::TryStreamExt as _;
use model::call::NotAdmitted;
use model::people::Role;
use model::{Currency, Money, UserId, Zone};
use testkit::{PASSWORD, TestWorld};

fn rules(idle_minutes: u16, longest_hours: u16) -> SignInRules {
    SignInRules {
        sessions: SessionRules { idle_minutes, longest_hours },
        shortest_password: 12,
        invited_domains: Vec::new(),
    }
}

async fn who(world: &TestWorld, user: UserId) -> Who {
    let present = sign_in::present(&world.control, world.tenant.tenant, user).await.unwrap().unwrap();
    let now = world.control.ambient().now();
    Who {
        tenant: world.tenant.tenant,
        user,
        slug: "acme".parse().unwrap(),
        stamp: present.stamp,
        since: now,
        seen: now,
        user_agent: None,
        address: None,
    }
}

/// A session as the store keeps it.
async fn session(world: &TestWorld, user: UserId, id: u8) {
    sqlx::query(
        "INSERT INTO sessions (id, data, expires_at, tenant, user_id, since, seen, user_agent)
         VALUES ($1, '{}', $2 + interval '1 day', $3, $4, $2, $2, 'A browser')",
    )
    .bind([id; 32].as_slice())
    .bind(world.control.ambient().now())
    .bind(world.tenant.tenant.uuid())
    .bind(user.uuid())
    .execute(&mut world.database.owner().await)
    .await
    .unwrap();
}

#[tokio::test]
async fn an_organization_changes_its_name_zone_and_currency_until_there_are_prices() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let admin = with_role(&world, "Abel", Role::Admin).await;
    let was = epoch(&world).await;
    let berlin: Zone = "Europe/Berlin".parse().unwrap();
    settings::set_organization(control, &admin, " Acme GmbH ", Currency::USD, berlin).await.unwrap();
    assert_eq!(epoch(&world).await, was + 1, "agents are told its name");
    let now = settings::get(control, &admin).await.unwrap();
    assert_eq!(
        (now.name.as_str(), now.currency, now.zone, now.currency_stays),
        ("Acme GmbH", Currency::USD, berlin, false)
    );
    assert_eq!(now.slug.as_str(), "acme");
    assert_eq!(
        invalid(settings::set_organization(control, &admin, "a\u{202E}b", Currency::USD, berlin).await),
        "name"
    );

    let notes = control::modules::find(control, &admin, "notes").await.unwrap();
    let price = Money { amount: "0.5".parse().unwrap(), currency: Currency::USD };
    control::modules::set_price(control, &admin, notes.tools[0].id, price).await.unwrap();
    assert!(settings::get(control, &admin).await.unwrap().currency_stays);
    assert_eq!(
        invalid(settings::set_organization(control, &admin, "Acme", Currency::EUR, berlin).await),
        "currency"
    );
    settings::set_organization(control, &admin, "Acme", Currency::USD, Zone::UTC).await.unwrap();
}

#[tokio::test]
async fn sessions_end_by_the_rules_of_the_organization() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let admin = with_role(&world, "Abel", Role::Admin).await;
    let ada = user(&world, "Ada", Some(Role::Member)).await;
    let mut session = who(&world, ada).await;
    let began = session.since;
    let goes_on = async |session: &Who| sign_in::holder(control, session).await.unwrap().is_some();
    let clock = world.clock.as_ref().unwrap();
    settings::set_sign_in(control, &admin, &rules(15, 1)).await.unwrap();
    clock.advance(std::time::Duration::from_secs(14 * 60));
    assert!(goes_on(&session).await);
    clock.advance(std::time::Duration::from_secs(60));
    assert!(!goes_on(&session).await, "not used for a quarter of an hour");
    session.seen = control.ambient().now();
    assert!(goes_on(&session).await);
    // Used or not, it ends.
    clock.advance(std::time::Duration::from_secs(45 * 60));
    session.seen = control.ambient().now();
    assert_eq!(session.seen - began, TimeDelta::hours(1));
    assert!(!goes_on(&session).await);
    settings::set_sign_in(control, &admin, &rules(720, 720)).await.unwrap();
    assert!(goes_on(&session).await);
    for (rules, field) in
        [(rules(14, 1), "idle_minutes"), (rules(15, 0), "longest_hours"), (rules(721, 1), "idle_minutes")]
    {
        assert_eq!(invalid(settings::set_sign_in(control, &admin, &rules).await), field);
    }
}

#[tokio::test]
async fn passwords_are_as_long_as_the_organization_wants_them() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let admin = with_role(&world, "Abel", Role::Admin).await;
    let ada = user(&world, "Ada", None).await;
    let twenty = SignInRules { shortest_password: 20, ..rules(720, 168) };
    settings::set_sign_in(control, &admin, &twenty).await.unwrap();
    let short = "nineteen characters".to_owned().into();
    assert_eq!(invalid(users::set_password(control, &admin, ada, &short).await), "password");
    let long = "twenty characters now".to_owned().into();
    users::set_password(control, &admin, ada, &long).await.unwrap();
    // Another organization has its own rule.
    let (other, stranger) = world.another_tenant("other").await;
    users::set_password(control, &stranger, other.owner, &short).await.unwrap();
    let five = SignInRules { shortest_password: 5, ..rules(720, 168) };
    assert_eq!(invalid(settings::set_sign_in(control, &admin, &five).await), "shortest_password");
}

#[tokio::test]
async fn people_are_made_at_the_domains_of_the_organization() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let admin = with_role(&world, "Abel", Role::Admin).await;
    let domains = |domains: &[&str]| SignInRules {
        invited_domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
        ..rules(720, 168)
    };
    settings::set_sign_in(control, &admin, &domains(&["@Acme.example", "acme.test"])).await.unwrap();
    assert_eq!(
        settings::get(control, &admin).await.unwrap().sign_in.invited_domains,
        ["acme.example", "acme.test"]
    );
    let new = |email: &str| users::NewUser {
        email: email.to_owned(),
        name: "New".to_owned(),
        home_unit: world.tenant.unit,
        password: None,
        role: None,
    };
    users::create(control, &admin, new("Ada@ACME.example")).await.unwrap();
    for elsewhere in ["ada@evil.example", "ada@acme.example.evil.example", "ada@sub.acme.example"] {
        assert_eq!(invalid(users::create(control, &admin, new(elsewhere)).await), "email");
    }
    assert_eq!(
        invalid(settings::set_sign_in(control, &admin, &domains(&["not a domain"])).await),
        "invited_domains"
    );
}

#[tokio::test]
async fn a_mail_sender_is_a_name_and_an_address_that_cannot_be_taken_for_another() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let admin = with_role(&world, "Abel", Role::Admin).await;
    let sender = |name: &str, reply_to: &str| MailSender {
        name: Some(name.to_owned()),
        reply_to: Some(reply_to.to_owned()),
    };
    settings::set_sender(control, &admin, &sender(" Acme help ", "Help@Acme.example")).await.unwrap();
    assert_eq!(
        settings::get(control, &admin).await.unwrap().sender,
        sender("Acme help", "help@acme.example")
    );
    for (name, reply_to, field) in [
        ("Bank <bank@bank.example>", "", "sender_name"),
        ("a\r\nBcc: x", "", "sender_name"),
        ("Acme", "not an address", "reply_to"),
        ("Acme", "a@b.example\r\nBcc: x@y.example", "reply_to"),
    ] {
        assert_eq!(invalid(settings::set_sender(control, &admin, &sender(name, reply_to)).await), field);
    }
    settings::set_sender(control, &admin, &sender("", " ")).await.unwrap();
    assert_eq!(settings::get(control, &admin).await.unwrap().sender, MailSender::default());
}

#[tokio::test]
async fn sessions_are_listed_and_ended_in_ones_own_organization_alone() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let admin = with_role(&world, "Abel", Role::Admin).await;
    let auditor = with_role(&world, "Tess", Role::Auditor).await;
    let (ada, bob) = (user(&world, "Ada", None).await, user(&world, "Bob", None).await);
    for (user, id) in [(ada, 1), (ada, 2), (bob, 3)] {
        session(&world, user, id).await;
    }
    let (lines, more) = account::all_sessions(control, &auditor, None, 0).await.unwrap();
    assert_eq!((lines.len(), more), (3, false));
    assert!(lines.iter().all(|line| !line.may_end), "an auditor ends nothing");
    let (lines, _) = account::all_sessions(control, &auditor, Some("ADA"), 0).await.unwrap();
    assert_eq!(lines.len(), 2);
    let handle = lines[0].handle.clone();
    not_there(account::end_session(control, &auditor, &handle).await);
    let (_, stranger) = world.another_tenant("other").await;
    not_there(account::end_session(control, &stranger, &handle).await);
    assert!(account::all_sessions(control, &stranger, None, 0).await.unwrap().0.is_empty());
    for bad in ["", "zz", "00", "' OR true --"] {
        not_there(account::end_session(control, &admin, bad).await);
    }
    assert_eq!(account::end_session(control, &admin, &handle).await.unwrap(), "Ada");
    not_there(account::end_session(control, &admin, &handle).await);
    assert_eq!(account::end_sessions(control, &admin, ada, None).await.unwrap(), (1, "Ada".to_owned()));
    let own = "03".repeat(32);
    assert_eq!(account::ending_sessions(control, &admin, bob, Some(&own)).await.unwrap().0, 0);
    assert_eq!(
        account::end_sessions(control, &admin, bob, Some(&own)).await.unwrap().0,
        0,
        "one's own stays"
    );
    // What has run out by the rules opens nothing and is not shown.
    settings::set_sign_in(control, &admin, &rules(15, 720)).await.unwrap();
    world.clock.as_ref().unwrap().advance(std::time::Duration::from_secs(15 * 60));
    assert!(account::all_sessions(control, &admin, None, 0).await.unwrap().0.is_empty());
}

#[tokio::test]
async fn the_emergency_stop_refuses_the_next_call_and_brings_back_what_was() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let owner = sign_in::actor(control, world.tenant.tenant, world.tenant.owner).await.unwrap().unwrap();
    let admin = with_role(&world, "Abel", Role::Admin).await;
    let (helper, key) = world.agent("Helper").await;
    let (resting, _) = world.agent("Resting").await;
    control::agents::suspend(control, &admin, resting).await.unwrap();
    world.grant("notes", model::access::Grantee::Agent(helper)).await;
    let (ledger, _) = world.ledger(control).await;
    let directories = control::directory::Directories::new(control.clone());
    let directory = directories.current(world.tenant.mcp_id).await.unwrap().unwrap();
    let entry = |directory: &policy::Directory| {
        testkit::entry(control.ambient(), directory, TestWorld::hash(&key), "notes.read_note")
    };
    ledger.admit(entry(&directory).unwrap()).await.unwrap();
    not_there(settings::stop_agents(control, &admin).await);
    let decided_before = entry(&directory).unwrap();
    let stop = settings::stop_agents(control, &owner).await.unwrap();
    assert_eq!((stop.agents, stop.keys, stop.running), (1, 1, 1));
    // What was decided before is not admitted after, and is refused when it is decided again.
    assert!(matches!(ledger.admit(decided_before).await, Err(NotAdmitted::Stale { .. })));
    let directory = directories.newer(world.tenant.mcp_id, directory.epoch()).await.unwrap().unwrap();
    assert!(entry(&directory).is_none());
    assert_eq!(refused(settings::stop_agents(control, &owner).await), "nothing_to_do");
    assert_eq!(settings::get(control, &admin).await.unwrap().stopped.unwrap().1, "Olga Owner");
    // One that is made meanwhile is stopped too.
    let (_, late) = world.agent("Late").await;
    let directory = directories.newer(world.tenant.mcp_id, directory.epoch()).await.unwrap().unwrap();
    assert!(directory.authenticate(&TestWorld::hash(&late), None, control.ambient().now()).is_err());

    not_there(settings::resume_agents(control, &admin).await);
    settings::resume_agents(control, &owner).await.unwrap();
    let directory = directories.newer(world.tenant.mcp_id, directory.epoch()).await.unwrap().unwrap();
    ledger.admit(entry(&directory).unwrap()).await.unwrap();
    let agents = control::agents::list(control, &admin).await.unwrap();
    let resting = agents.into_iter().find(|agent| agent.id == resting).unwrap();
    assert_eq!(resting.standing, model::people::Standing::Suspended, "it was before");
    assert_eq!(refused(settings::resume_agents(control, &owner).await), "nothing_to_do");
}

#[tokio::test]
async fn an_owner_who_types_the_short_name_closes_the_organization() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let owner = sign_in::actor(control, world.tenant.tenant, world.tenant.owner).await.unwrap().unwrap();
    let admin = with_role(&world, "Abel", Role::Admin).await;
    session(&world, world.tenant.owner, 1).await;
    not_there(settings::close(control, &admin, "acme").await);
    not_there(settings::closing(control, &admin).await);
    let closing = settings::closing(control, &owner).await.unwrap();
    assert_eq!((closing.people, closing.sessions), (2, 1));
    for wrong in ["", "Acme", "acme ltd", "other"] {
        assert_eq!(invalid(settings::close(control, &owner, wrong).await), "short_name");
    }
    settings::close(control, &owner, " acme ").await.unwrap();
    assert!(sign_in::actor(control, world.tenant.tenant, world.tenant.owner).await.unwrap().is_none());
    assert!(
        sign_in::sign_in(control, "owner@acme.example", &PASSWORD.to_owned().into(), None).await.is_err()
    );
    assert_eq!(audit(&world).await.last().unwrap(), "user Olga Owner tenant.close: acme Ltd");
    // The operator alone opens it again, and then its sessions are gone.
    tenants::resume(control, &world.operator).await.unwrap();
    assert!(sign_in::actor(control, world.tenant.tenant, world.tenant.owner).await.unwrap().is_some());
    let (lines, _) = account::all_sessions(control, &admin, None, 0).await.unwrap();
    assert!(lines.is_empty());
}

#[tokio::test]
async fn the_record_of_changes_is_read_filtered_and_exported() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let auditor = with_role(&world, "Tess", Role::Auditor).await;
    let finance = with_role(&world, "Fred", Role::Finance).await;
    world.clock.as_ref().unwrap().advance(std::time::Duration::from_secs(60));
    let later = control.ambient().now();
    user(&world, "=1+1", None).await;
    let all = RecordFilter::default();
    not_there(settings::list(control, &finance, &all, None, 10).await);
    not_there(settings::actions(control, &finance).await);
    assert!(settings::export(control, &finance, all.clone()).await.is_err());

    let (newest, more) = settings::list(control, &auditor, &all, None, 2).await.unwrap();
    assert_eq!(
        (newest[0].action.as_str(), newest[0].subject_name.as_str(), more),
        ("user.create", "=1+1", true)
    );
    let (older, _) = settings::list(control, &auditor, &all, Some(newest[1].id), 200).await.unwrap();
    assert!(older.iter().all(|event| event.id < newest[1].id));
    let found =
        async |filter: RecordFilter| settings::list(control, &auditor, &filter, None, 200).await.unwrap().0;
    assert!(found(RecordFilter { who: Some("TEST".to_owned()), ..all.clone() }).await.len() > 3);
    assert!(found(RecordFilter { who: Some("nobody".to_owned()), ..all.clone() }).await.is_empty());
    let given = found(RecordFilter { what: Some("role.".to_owned()), ..all.clone() }).await;
    assert!(!given.is_empty() && given.iter().all(|event| event.action.starts_with("role.")));
    assert_eq!(found(RecordFilter { from: Some(later), ..all.clone() }).await.len(), 1);
    assert!(
        found(RecordFilter { until: Some(later), ..all.clone() }).await.iter().all(|event| event.at < later)
    );
    assert_eq!(found(RecordFilter { to: Some("=1".to_owned()), ..all.clone() }).await.len(), 1);
    let actions = settings::actions(control, &auditor).await.unwrap();
    assert!(actions.contains(&"user.create".to_owned()) && actions.is_sorted());

    let sheet: Vec<bytes::Bytes> =
        settings::export(control, &auditor, all).await.unwrap().try_collect().await.unwrap();
    let text = String::from_utf8(sheet.concat()).unwrap();
    assert!(
        text.starts_with("\u{FEFF}at,actor_kind,actor,action,subject_kind,subject,subject_id,detail\r\n")
    );
    assert!(text.contains(",'=1+1,"), "a name cannot become a formula");
    assert_eq!(text.lines().count(), audit(&world).await.len() + 1);
}

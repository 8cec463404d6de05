//! People who are removed, or leave: what ends with them, what goes on, what stays on record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::outside::{audit, epoch, invalid, not_there, refused, signed_in, user, with_role};
use control::credentials::{self, NewCredential};
use control::people::{self, Presence};
use control::users::{self, Agents, NewUser};
use control::{Actor, agents, sign_in};
use model::access::Grantee;
use model::call::{NotAdmitted, Verdict};
use model::people::{Role, Standing, UnitKind};
use model::{AgentId, UserId};
use secrecy::SecretString;
use testkit::{PASSWORD, TestWorld, entry};

async fn with_password(world: &TestWorld, name: &str, role: Option<Role>) -> UserId {
    let new = NewUser {
        email: format!("{}@acme.example", name.to_lowercase()),
        name: name.to_owned(),
        home_unit: world.tenant.unit,
        password: Some(SecretString::from(PASSWORD)),
        role,
    };
    users::create(&world.control, &world.operator, new).await.unwrap()
}

async fn agent_of(world: &TestWorld, owner: UserId, name: &str) -> (AgentId, SecretString) {
    let new = agents::NewAgent { name: name.to_owned(), owner, home_unit: world.tenant.unit };
    let agent = agents::create(&world.control, &world.operator, new).await.unwrap();
    (agent, world.key(agent).await)
}

async fn key_for(world: &TestWorld, agent: AgentId, person: UserId) -> SecretString {
    let new = NewCredential {
        agent,
        name: "for somebody".to_owned(),
        expires_at: None,
        allowed_addresses: Vec::new(),
        on_behalf_of: Some(person),
    };
    credentials::issue(&world.control, &world.operator, new).await.unwrap().key
}

/// Whether a key could be used at all, by the directory as it is.
async fn is_known(world: &TestWorld, key: &SecretString) -> bool {
    let facts = control::directory::facts(&world.control, world.tenant.tenant).await.unwrap();
    let now = world.control.ambient().now();
    let directory = policy::Directory::build(facts, now).unwrap();
    directory.authenticate(&TestWorld::hash(key), None, now).is_ok()
}

async fn count(world: &TestWorld, sql: &'static str, user: UserId) -> i64 {
    sqlx::query_scalar(sql).bind(user.uuid()).fetch_one(&mut world.database.owner().await).await.unwrap()
}

#[tokio::test]
async fn with_a_removed_person_goes_all_they_might_do() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let ada = with_password(&world, "Ada", Some(Role::Admin)).await;
    let sales = control::units::NewUnit { parent: None, kind: UnitKind::Team, name: "Sales".into() };
    let sales = control::units::create(control, operator, sales).await.unwrap();
    users::join_unit(control, operator, ada, sales).await.unwrap();
    world.grant("notes:read", Grantee::User(ada)).await;
    let (own, own_key) = agent_of(&world, ada, "Adas helper").await;
    let (other, other_key) = world.agent("Other").await;
    let for_ada = key_for(&world, other, ada).await;
    let told = users::parting(control, operator, ada).await.unwrap();
    assert_eq!((told.agents, told.keys, told.keys_on_behalf, told.roles, told.grants), (1, 1, 1, 1, 1));
    assert!(!told.last_owner);

    let before = epoch(&world).await;
    users::remove(control, operator, ada, Agents::Stop).await.unwrap();
    assert_eq!(epoch(&world).await, before + 1);
    assert!(sign_in::actor(control, world.tenant.tenant, ada).await.unwrap().is_none());
    let password = SecretString::from(PASSWORD);
    assert!(sign_in::sign_in(control, "ada@acme.example", &password, None).await.is_err());
    assert!(!is_known(&world, &own_key).await, "her agent is stopped");
    assert!(!is_known(&world, &for_ada).await, "nobody acts for her");
    assert!(is_known(&world, &other_key).await, "the other agent goes on for itself");
    for (table, left) in [
        ("SELECT count(*) FROM role_assignments WHERE user_id = $1", 0),
        ("SELECT count(*) FROM memberships WHERE user_id = $1", 0),
        ("SELECT count(*) FROM grants WHERE user_id = $1", 0),
        ("SELECT count(*) FROM credentials WHERE on_behalf_of = $1 AND revoked_at IS NULL", 0),
        ("SELECT count(*) FROM users WHERE id = $1 AND password_hash IS NOT NULL", 0),
        ("SELECT count(*) FROM users WHERE id = $1 AND name = 'Ada'", 1),
    ] {
        assert_eq!(count(&world, table, ada).await, left, "{table}");
    }
    // Made active again, the agent is still of somebody who is gone.
    agents::resume(control, operator, own).await.unwrap();
    assert!(!is_known(&world, &own_key).await);

    // She is nobody whom anything could be done to or given.
    not_there(users::suspend(control, operator, ada).await);
    not_there(users::resume(control, operator, ada).await);
    not_there(users::remove(control, operator, ada, Agents::Stop).await);
    not_there(users::give_role(control, operator, ada, Role::Member, None).await);
    not_there(users::join_unit(control, operator, ada, sales).await);
    not_there(users::set_password(control, operator, ada, &password).await);
    not_there(
        control::grants::give(control, operator, &"notes".parse().unwrap(), Grantee::User(ada), None).await,
    );
    not_there(users::find(control, operator, "ada@acme.example").await);
    assert!(users::list(control, operator).await.unwrap().iter().all(|line| line.view.id != ada));
    let story = people::person(control, operator, ada).await.unwrap();
    assert_eq!((story.name.as_str(), story.presence, story.may_change), ("Ada", Presence::Removed, false));

    // Her address is free, for somebody who is not her.
    let again = user(&world, "Ada", None).await;
    assert_ne!(again, ada);
    assert!(signed_in(&world, again).await.roles().is_empty());
    assert!(audit(&world).await.contains(&"operator test user.remove: Ada".to_owned()));
}

#[tokio::test]
async fn agents_are_handed_to_somebody_who_may_act() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let ada = user(&world, "Ada", None).await;
    let bob = user(&world, "Bob", None).await;
    let cyd = user(&world, "Cyd", None).await;
    users::suspend(control, operator, cyd).await.unwrap();
    let (agent, key) = agent_of(&world, ada, "Adas helper").await;
    let to = |email: &str| Agents::HandTo(email.to_owned());
    for nobody in ["", "nobody@acme.example", "ada@acme.example", "cyd@acme.example", "not an address"] {
        assert_eq!(invalid(users::remove(control, operator, ada, to(nobody)).await), "to", "{nobody:?}");
    }
    let (_, _) = world.another_tenant("other").await;
    assert_eq!(invalid(users::remove(control, operator, ada, to("owner@other.example")).await), "to");
    assert!(is_known(&world, &key).await, "nothing has happened yet");

    users::remove(control, operator, ada, to(" BOB@acme.example ")).await.unwrap();
    assert!(is_known(&world, &key).await);
    let found = agents::find(control, operator, "Adas helper").await.unwrap();
    assert_eq!((found.id, found.owner, found.standing), (agent, bob, Standing::Active));
    let modules = control::modules::list(control, operator).await.unwrap();
    assert!(!modules.is_empty());
}

#[tokio::test]
async fn owners_remove_owners_and_the_last_one_stays() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let owner = signed_in(&world, world.tenant.owner).await;
    let admin = with_role(&world, "Adam", Role::Admin).await;
    not_there(users::remove(control, &admin, world.tenant.owner, Agents::Stop).await);
    not_there(users::parting(control, &admin, world.tenant.owner).await);
    assert_eq!(refused(users::remove(control, &owner, world.tenant.owner, Agents::Stop).await), "last_owner");
    assert_eq!(refused(users::leave(control, &owner, Agents::Stop).await), "last_owner");
    assert!(users::parting(control, &owner, world.tenant.owner).await.unwrap().last_owner);
    let before = epoch(&world).await;
    let second = user(&world, "Second", Some(Role::Owner)).await;
    users::suspend(control, &owner, second).await.unwrap();
    assert_eq!(
        refused(users::leave(control, &owner, Agents::Stop).await),
        "last_owner",
        "suspended ones do not count"
    );
    users::resume(control, &owner, second).await.unwrap();
    users::leave(control, &owner, Agents::HandTo("second@acme.example".to_owned())).await.unwrap();
    assert!(epoch(&world).await > before);
    assert!(sign_in::actor(control, world.tenant.tenant, world.tenant.owner).await.unwrap().is_none());
    let notes = control::modules::find(control, &world.operator, "notes").await.unwrap();
    assert_eq!(notes.view.owner, Some(second), "modules change hands too");
    assert!(audit(&world).await.contains(&"user Olga Owner user.leave: Olga Owner".to_owned()));
}

#[tokio::test]
async fn a_member_leaves_and_hands_to_nobody_they_cannot_see() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let mia = with_role(&world, "Mia", Role::Member).await;
    let (agent, _) = agent_of(&world, mia.user_id().unwrap(), "Mias helper").await;
    let told = users::parting(control, &mia, mia.user_id().unwrap()).await.unwrap();
    assert_eq!((told.agents, told.keys), (1, 1));
    not_there(users::parting(control, &mia, world.tenant.owner).await);
    not_there(users::remove(control, &mia, world.tenant.owner, Agents::Stop).await);
    not_there(users::leave(control, &mia, Agents::HandTo("owner@acme.example".to_owned())).await);
    not_there(users::leave(control, &world.operator, Agents::Stop).await);
    let before = epoch(&world).await;
    users::leave(control, &mia, Agents::Stop).await.unwrap();
    assert_eq!(epoch(&world).await, before + 1);
    let found = agents::find(control, &world.operator, "Mias helper").await.unwrap();
    assert_eq!((found.id, found.standing), (agent, Standing::Suspended));
    // Held from before: the person is gone, and so is what they could do.
    not_there(users::leave(control, &mia, Agents::Stop).await);
}

#[tokio::test]
async fn calls_that_run_are_counted_before_and_keep_their_names_after() {
    let world = TestWorld::in_real_time().await;
    let control = &world.control;
    let ada = user(&world, "Ada", None).await;
    let (agent, key) = agent_of(&world, ada, "Adas helper").await;
    world.grant("notes:read", Grantee::Agent(agent)).await;
    let (ledger, _) = world.ledger(control).await;
    let directories = world.directories(control);
    let directory = directories.current(world.tenant.mcp_id).await.unwrap().unwrap();
    let call = entry(control.ambient(), &directory, TestWorld::hash(&key), "notes.read_note").unwrap();
    let id = call.id;
    ledger.admit(call).await.unwrap();
    assert_eq!(users::parting(control, &world.operator, ada).await.unwrap().running, 1);
    users::remove(control, &world.operator, ada, Agents::Stop).await.unwrap();
    let owner = signed_in(&world, world.tenant.owner).await;
    let story = control::activity::story(control, &owner, id).await.unwrap().unwrap();
    assert_eq!(story.row.owner_name, "Ada");
    ledger.close().await;
}

/// Callers admit without pause while their owner is removed: after the commit, by the database's own clock, nothing is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_of_a_removed_person_is_admitted_afterwards() {
    let world = Arc::new(TestWorld::in_real_time().await);
    let mut outside = world.database.owner().await;
    let (control, operator) = (world.control.clone(), world.operator.clone());
    let second = world.another_control().await;
    let (first_ledger, _) = world.ledger(&control).await;
    let (second_ledger, _) = world.ledger(&second).await;
    let nodes = [
        (control.clone(), first_ledger, world.directories(&control)),
        (second.clone(), second_ledger, world.directories(&second)),
    ];
    let (mut admitted_all, mut late_all) = (0, 0);
    for round in 0..12 {
        let person = user(&world, &format!("Person{round}"), None).await;
        let (own, own_key) = agent_of(&world, person, &format!("own {round}")).await;
        let (other, _) = world.agent(&format!("other {round}")).await;
        let for_person = key_for(&world, other, person).await;
        world.grant("notes:read", Grantee::Agent(own)).await;
        world.grant("notes:read", Grantee::Agent(other)).await;
        world.grant("notes:read", Grantee::User(person)).await;
        let stop = Arc::new(AtomicBool::new(false));
        let admitted = Arc::new(AtomicU64::new(0));
        let mut callers = Vec::new();
        for caller in 0..8 {
            let (control, ledger, directories) = nodes[caller % 2].clone();
            let key = TestWorld::hash(if caller < 4 { &own_key } else { &for_person });
            let (world, stop, admitted) = (world.clone(), stop.clone(), admitted.clone());
            callers.push(tokio::spawn(async move {
                let mut directory = directories.current(world.tenant.mcp_id).await.unwrap().unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let fresh = || directories.newer(world.tenant.mcp_id, directory.epoch());
                    let Some(entry) = entry(control.ambient(), &directory, key, "notes.read_note") else {
                        // Refused or not known yet: asked again on the newest snapshot.
                        directory = fresh().await.unwrap().unwrap();
                        tokio::time::sleep(Duration::from_millis(1)).await;
                        continue;
                    };
                    let verdict = entry.verdict;
                    match ledger.admit(entry).await {
                        Ok(_) if verdict == Verdict::Permit => {
                            admitted.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                        Err(NotAdmitted::Stale { .. }) => directory = fresh().await.unwrap().unwrap(),
                        Err(error) => panic!("{error}"),
                    }
                }
            }));
        }
        while admitted.load(Ordering::Relaxed) < 20 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        users::remove(&control, &operator, person, Agents::Stop).await.unwrap();
        let removed: model::Timestamp =
            sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&mut outside).await.unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
        stop.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.await.unwrap();
        }
        let late: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM calls WHERE verdict = 'permit' AND recorded_at > $1 AND (owner_id = $2 OR on_behalf_of = $2)",
        )
        .bind(removed)
        .bind(person.uuid())
        .fetch_one(&mut outside)
        .await
        .unwrap();
        admitted_all += admitted.load(Ordering::Relaxed);
        late_all += late;
    }
    println!("{admitted_all} admitted before, {late_all} after");
    assert!(admitted_all > 200, "it was a race: {admitted_all}");
    assert_eq!(late_all, 0);
    for (_, ledger, _) in nodes {
        ledger.close().await;
    }
}

#[tokio::test]
async fn another_organization_removes_nobody_here() {
    let world = TestWorld::new().await;
    let (other, stranger) = world.another_tenant("other").await;
    let ada = user(&world, "Ada", None).await;
    not_there(users::remove(&world.control, &stranger, ada, Agents::Stop).await);
    not_there(users::parting(&world.control, &stranger, ada).await);
    not_there(users::remove(&world.control, &world.operator, other.owner, Agents::Stop).await);
    let elsewhere = Actor::operator(other.tenant, "test");
    assert!(people::people(&world.control, &elsewhere, &people::Sought::default()).await.unwrap().total == 1);
}

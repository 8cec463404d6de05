//! Agents from the form to retirement: keys issued once whatever a browser sends again, effective access, Revoke now.

use std::time::Duration;

use crate::outside::{audit, epoch, not_there, refused, signed_in, user, with_role};
use control::access::{self, Holder, Source, Subject, Wanted};
use control::agents::{self, NewAgent};
use control::credentials::{self, NewCredential};
use control::revocations::{self, Target};
use control::units::{self, NewUnit};
use control::{Actor, users};
use model::access::Grantee;
use model::call::{NotAdmitted, Verdict};
use model::people::{Role, Standing, UnitKind};
use model::{AgentId, CredentialId, UnitId, UserId};
use policy::Directory;
use testkit::{TestWorld, entry};

async fn unit(world: &TestWorld, parent: Option<UnitId>, name: &str) -> UnitId {
    let new = NewUnit { parent, kind: UnitKind::Team, name: name.to_owned() };
    units::create(&world.control, &world.operator, new).await.unwrap()
}

fn key(agent: AgentId, on_behalf_of: Option<UserId>) -> NewCredential {
    NewCredential {
        agent,
        name: "production".to_owned(),
        expires_at: None,
        allowed_addresses: Vec::new(),
        on_behalf_of,
    }
}

async fn directory(world: &TestWorld) -> Directory {
    let facts = control::directory::facts(&world.control, world.tenant.tenant).await.unwrap();
    Directory::build(facts, world.control.ambient().now()).unwrap()
}

#[tokio::test]
async fn a_form_that_is_sent_again_issues_no_second_key() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let (agent, _) = world.agent("Inbox helper").await;
    let id: CredentialId = control.ambient().id();
    let issued = credentials::issue_as(control, operator, id, key(agent, None)).await.unwrap();
    assert_eq!(issued.view.id, id);
    assert_eq!(
        refused(credentials::issue_as(control, operator, id, key(agent, None)).await),
        "issued_before"
    );
    let next: CredentialId = control.ambient().id();
    credentials::rotate_as(control, operator, next, id, Duration::from_secs(60)).await.unwrap();
    assert_eq!(
        refused(credentials::rotate_as(control, operator, next, id, Duration::from_secs(60)).await),
        "issued_before"
    );
    assert_eq!(credentials::list(control, operator, Some(agent)).await.unwrap().len(), 3);
}

#[tokio::test]
async fn an_agent_is_renamed_moved_handed_over_and_retired() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let (agent, secret) = world.agent("Inbox helper").await;
    world.agent("Outbox helper").await;
    let sales = unit(&world, None, "Sales").await;
    let emea = unit(&world, Some(sales), "EMEA").await;
    let ada = user(&world, "Ada", Some(Role::Member)).await;
    world.grant("notes:read", Grantee::Unit(world.tenant.unit)).await;
    world.grant("notes:write", Grantee::Unit(sales)).await;

    assert_eq!(refused(agents::rename(control, operator, agent, "outbox HELPER").await), "name_taken");
    agents::rename(control, operator, agent, "Mail helper").await.unwrap();

    let moving = agents::if_moved(control, operator, agent, emea).await.unwrap();
    assert_eq!(
        (moving.lost, moving.gained),
        (vec!["notes.read_note".to_owned()], vec!["notes.write_note".to_owned()])
    );
    agents::move_to(control, operator, agent, emea).await.unwrap();

    agents::hand_over(control, operator, agent, ada).await.unwrap();
    assert_eq!(refused(agents::hand_over(control, operator, agent, ada).await), "nothing_to_do");
    let bob = user(&world, "Bob", None).await;
    users::suspend(control, operator, bob).await.unwrap();
    assert_eq!(refused(agents::hand_over(control, operator, agent, bob).await), "owner_suspended");
    let new = NewAgent { name: "New".to_owned(), owner: bob, home_unit: sales };
    assert_eq!(refused(agents::create(control, operator, new).await), "owner_suspended");

    // Its owner reads its story, another member does not.
    let ada_signed_in = signed_in(&world, ada).await;
    let story = agents::story(control, &ada_signed_in, agent).await.unwrap();
    assert_eq!((story.view.name.as_str(), story.owner.0.as_str(), story.keys), ("Mail helper", "Ada", 1));
    let path: Vec<_> = story.unit_path.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(path, ["Sales", "EMEA"]);
    let mia = with_role(&world, "Mia", Role::Member).await;
    not_there(agents::story(control, &mia, agent).await);

    world.grant("notes", Grantee::Agent(agent)).await;
    let before = epoch(&world).await;
    let retired = agents::retire(control, operator, agent).await.unwrap();
    assert_eq!((retired.keys, retired.grants), (1, 1));
    assert_eq!(epoch(&world).await, before + 1);
    assert_eq!(refused(agents::retire(control, operator, agent).await), "nothing_to_do");
    not_there(agents::resume(control, operator, agent).await);
    assert!(
        directory(&world)
            .await
            .authenticate(&TestWorld::hash(&secret), None, control.ambient().now())
            .is_err()
    );
    assert!(!agents::list(control, operator).await.unwrap().iter().any(|it| it.id == agent));
    // Its page stays for the record, and its name is free.
    let story = agents::story(control, operator, agent).await.unwrap();
    assert!(story.retired_at.is_some() && story.view.standing == Standing::Suspended);
    let new = NewAgent { name: "mail helper".to_owned(), owner: ada, home_unit: sales };
    agents::create(control, operator, new).await.unwrap();
    // A unit that only a retired agent sat in is empty.
    units::archive(control, operator, emea).await.unwrap();
    let events = audit(&world).await;
    for event in ["agent.rename: Mail helper", "agent.hand_over: Mail helper", "agent.retire: Mail helper"] {
        assert!(events.contains(&format!("operator test {event}")), "{event}: {events:?}");
    }
}

#[tokio::test]
async fn access_says_what_may_be_called_and_who_gave_it() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let sales = unit(&world, None, "Sales").await;
    let emea = unit(&world, Some(sales), "EMEA").await;
    let ada = user(&world, "Ada", Some(Role::Member)).await;
    let new = NewAgent { name: "Reporter".to_owned(), owner: ada, home_unit: emea };
    let agent = agents::create(control, operator, new).await.unwrap();
    let issued = credentials::issue(control, operator, key(agent, Some(ada))).await.unwrap();
    world.grant("notes:read", Grantee::Unit(sales)).await;
    world.grant("notes", Grantee::User(ada)).await;

    let all = Wanted::default();
    let shown = access::of(control, operator, Subject::Agent(agent), &all).await.unwrap();
    assert_eq!((shown.counts, shown.matching, shown.pages), ([1, 0, 1], 2, 1));
    let [read, write] = shown.tools.as_slice() else { panic!("{shown:?}") };
    assert_eq!((read.full_name.as_str(), read.verdict), ("notes.read_note", Verdict::Permit));
    let [way] = read.ways.as_slice() else { panic!("{read:?}") };
    assert_eq!(
        (way.key.as_str(), way.holder, way.given.as_ref().unwrap().0.as_str()),
        ("notes:read", Holder::Agent, "test")
    );
    assert!(
        matches!(&way.source, Source::Unit { name, through: Some(through), .. } if name == "Sales" && through == "EMEA"),
        "{way:?}"
    );
    assert_eq!(write.verdict, Verdict::Deny);
    // Word for word what a call is told.
    let decided = directory(&world).await;
    let entry = entry(control.ambient(), &decided, TestWorld::hash(&issued.key), "notes.write_note").unwrap();
    let both = access::of(control, operator, Subject::OnBehalf(agent, ada), &all).await.unwrap();
    assert_eq!(both.tools[1].reason.as_ref(), entry.reason.as_ref());

    // The person alone has the module's key, and so both tools.
    let person = access::of(control, operator, Subject::Person(ada), &all).await.unwrap();
    assert_eq!(person.counts, [2, 0, 0]);
    assert_eq!(access::rights(control, operator, Subject::Person(ada)).await.unwrap().len(), 1);

    // Searched and filtered.
    let wanted = Wanted { text: Some("WRITE".to_owned()), ..all.clone() };
    let found = access::of(control, operator, Subject::Agent(agent), &wanted).await.unwrap();
    assert_eq!((found.matching, found.tools[0].full_name.as_str()), (1, "notes.write_note"));
    let wanted = Wanted { verdict: Some(Verdict::Permit), page: 7, ..all.clone() };
    let found = access::of(control, operator, Subject::Agent(agent), &wanted).await.unwrap();
    assert_eq!((found.matching, found.page), (1, 0));

    let faces = access::faces(control, operator, agent).await.unwrap();
    assert!(!faces.itself);
    assert_eq!((faces.people.len(), faces.people[0].0, faces.people[0].1.as_str()), (1, ada, "Ada"));

    // One's own, and nobody else's.
    let me = signed_in(&world, ada).await;
    access::of(control, &me, Subject::Agent(agent), &all).await.unwrap();
    access::of(control, &me, Subject::Person(ada), &all).await.unwrap();
    let other = with_role(&world, "Mia", Role::Member).await;
    not_there(access::of(control, &other, Subject::Agent(agent), &all).await);
    not_there(access::of(control, &other, Subject::Person(ada), &all).await);
    not_there(access::rights(control, &other, Subject::OnBehalf(agent, ada)).await);
    not_there(access::faces(control, &other, agent).await);
    let (_, stranger) = world.another_tenant("other").await;
    not_there(access::of(control, &stranger, Subject::Agent(agent), &all).await);

    // What was changed a moment ago is seen.
    world.grant("notes:write", Grantee::Agent(agent)).await;
    let shown = access::of(control, operator, Subject::Agent(agent), &all).await.unwrap();
    assert_eq!(shown.counts, [2, 0, 0]);
}

/// Who is there, a call that runs, and a call that could be admitted next.
async fn busy(world: &TestWorld) -> (UserId, AgentId, control::ledger::Ledger, model::call::Entry) {
    let (control, operator) = (&world.control, &world.operator);
    let ada = user(world, "Ada", Some(Role::Member)).await;
    let new = NewAgent { name: "Reporter".to_owned(), owner: ada, home_unit: world.tenant.unit };
    let agent = agents::create(control, operator, new).await.unwrap();
    let issued = credentials::issue(control, operator, key(agent, None)).await.unwrap();
    world.grant("notes:read", Grantee::Agent(agent)).await;
    let (ledger, _) = world.ledger(control).await;
    let decided = directory(world).await;
    let hash = TestWorld::hash(&issued.key);
    let call = || entry(control.ambient(), &decided, hash, "notes.read_note").unwrap();
    ledger.admit(call()).await.unwrap();
    let next = call();
    (ada, agent, ledger, next)
}

#[tokio::test]
async fn revoke_now_says_what_it_means_does_it_and_tells_what_still_runs() {
    let world = TestWorld::in_real_time().await;
    let (control, operator) = (&world.control, &world.operator);
    let (_, agent, ledger, next) = busy(&world).await;
    let target = Target::Agent(agent);
    let meant = revocations::consequence(control, operator, target).await.unwrap();
    assert_eq!((meant.name.as_str(), meant.keys, meant.tools, meant.agent_count), ("Reporter", 1, 1, 1));
    assert_eq!(meant.units, ["Operations"]);
    let [running] = meant.running.calls.as_slice() else { panic!("{meant:?}") };
    assert_eq!((running.agent_name.as_str(), running.tool_name.as_str()), ("Reporter", "notes.read_note"));

    let before = epoch(&world).await;
    let event = revocations::revoke_now(control, operator, target).await.unwrap();
    assert_eq!(epoch(&world).await, before + 1, "one transaction");
    assert!(
        matches!(ledger.admit(next).await, Err(NotAdmitted::Stale { .. })),
        "decided before, and not admitted"
    );
    let told = revocations::story(control, operator, event).await.unwrap();
    assert_eq!((told.epoch, told.keys, told.agents, told.by.as_str()), (before + 1, 1, 1, "test"));
    assert_eq!(told.running, meant.running, "what was admitted before still runs");
    assert!(told.since >= running.admitted_at);
    assert_eq!(refused(revocations::revoke_now(control, operator, target).await), "nothing_to_do");
    assert_eq!(epoch(&world).await, before + 1);
    assert!(credentials::list(control, operator, Some(agent)).await.unwrap()[0].revoked_at.is_some());

    // Not for others, and other events are none of it.
    let auditor = with_role(&world, "Tess", Role::Auditor).await;
    not_there(revocations::consequence(control, &auditor, target).await);
    not_there(revocations::revoke_now(control, &auditor, target).await);
    not_there(revocations::story(control, &auditor, event).await);
    let other: uuid::Uuid = sqlx::query_scalar("SELECT id FROM audit_events WHERE action = 'agent.create'")
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap();
    not_there(revocations::story(control, operator, other.into()).await);
    ledger.close().await;
}

#[tokio::test]
async fn a_person_goes_with_their_agents_and_every_key_that_acts_for_them() {
    let world = TestWorld::in_real_time().await;
    let (control, operator) = (&world.control, &world.operator);
    let (ada, agent, ledger, next) = busy(&world).await;
    // Somebody else's agent acts for Ada with one key and for itself with another.
    let (other, own_key) = world.agent("Secretary").await;
    let for_ada = credentials::issue(control, operator, key(other, Some(ada))).await.unwrap();
    let target = Target::Person(ada);
    let meant = revocations::consequence(control, operator, target).await.unwrap();
    assert_eq!((meant.keys, meant.agent_count, meant.running.calls.len()), (2, 2, 1));
    let event = revocations::revoke_now(control, operator, target).await.unwrap();
    assert!(ledger.admit(next).await.is_err());
    let told = revocations::story(control, operator, event).await.unwrap();
    assert_eq!((told.keys, told.agents, told.running.calls.len()), (2, 1, 1));
    let (decided, now) = (directory(&world).await, control.ambient().now());
    assert!(decided.authenticate(&TestWorld::hash(&for_ada.key), None, now).is_err());
    decided.authenticate(&TestWorld::hash(&own_key), None, now).unwrap();
    let standing = |agents: Vec<model::people::AgentView>, id| {
        agents.into_iter().find(|it| it.id == id).unwrap().standing
    };
    let all = agents::list(control, operator).await.unwrap();
    assert_eq!(standing(all.clone(), agent), Standing::Suspended);
    assert_eq!(standing(all, other), Standing::Active);
    assert!(
        control::sign_in::actor(control, world.tenant.tenant, ada).await.unwrap().is_none(),
        "signed out"
    );

    // The only owner cannot be taken out, and an admin cannot take out any.
    let owner = Target::Person(world.tenant.owner);
    assert_eq!(refused(revocations::revoke_now(control, operator, owner).await), "last_owner");
    let admin: Actor = with_role(&world, "Adam", Role::Admin).await;
    not_there(revocations::revoke_now(control, &admin, owner).await);
    decided.authenticate(&TestWorld::hash(&own_key), None, now).unwrap();
    ledger.close().await;
}

#[tokio::test]
async fn one_key_goes_and_the_agents_others_stay() {
    let world = TestWorld::in_real_time().await;
    let (control, operator) = (&world.control, &world.operator);
    let (_, agent, ledger, next) = busy(&world).await;
    let used = credentials::list(control, operator, Some(agent)).await.unwrap()[0].view.id;
    let spare = world.key(agent).await;
    let last = credentials::last_used(control, operator, agent).await.unwrap();
    assert_eq!(last.keys().collect::<Vec<_>>(), [&used]);
    let meant = revocations::consequence(control, operator, Target::Key(used)).await.unwrap();
    assert_eq!((meant.keys, meant.running.calls.len(), meant.agent.unwrap().1.as_str()), (1, 1, "Reporter"));
    let spare_id = credentials::list(control, operator, Some(agent)).await.unwrap()[0].view.id;
    assert_ne!(spare_id, used);
    let none = revocations::consequence(control, operator, Target::Key(spare_id)).await.unwrap();
    assert!(none.running.calls.is_empty(), "calls by another key go on");

    revocations::revoke_now(control, operator, Target::Key(used)).await.unwrap();
    assert!(ledger.admit(next).await.is_err());
    assert_eq!(refused(revocations::revoke_now(control, operator, Target::Key(used)).await), "nothing_to_do");
    directory(&world).await.authenticate(&TestWorld::hash(&spare), None, control.ambient().now()).unwrap();
    assert_eq!(agents::find(control, operator, "Reporter").await.unwrap().standing, Standing::Active);
    ledger.close().await;
}

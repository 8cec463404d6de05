//! The front page: what needs whom, what happens now, and first steps that go away by themselves.

use crate::office::Office;
use crate::outside::{not_there, signed_in, user, with_role};
use chrono::{SubsecRound as _, TimeDelta};
use control::credentials::{self, NewCredential};
use control::home::{self, Due, FirstStep, Need};
use control::invitations;
use control::modules;
use control::units::{self, NewUnit};
use control::{Actor, users};
use model::access::Grantee;
use model::call::{Entry, Outcome, Verdict};
use model::people::{Role, UnitKind};
use testkit::TestWorld;

async fn needs(world: &TestWorld, actor: &Actor) -> Vec<(Need, Due)> {
    home::needs(&world.control, actor).await.unwrap().all
}

fn kinds(needs: &[(Need, Due)]) -> Vec<&'static str> {
    let kind = |need: &Need| match need {
        Need::ToolsDrifted { .. } => "drifted",
        Need::MustConnect { .. } => "must_connect",
        Need::ModuleFailing { .. } => "failing",
        Need::ToolsProposed { .. } => "proposed",
        Need::KeyEnds { .. } => "key",
        Need::GrantEnds { .. } => "grant",
        Need::AgentWithoutOwner { .. } => "ownerless",
        Need::InvitationsWait { .. } => "invitations",
        Need::OneOwner { .. } => "one owner",
    };
    needs.iter().map(|(need, _)| kind(need)).collect()
}

#[tokio::test]
async fn tools_that_drift_or_wait_need_whoever_changes_the_catalog_since_they_did() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let owner = signed_in(&world, world.tenant.owner).await;
    assert_eq!(needs(&world, &owner).await, []);
    let clock = world.clock.clone().unwrap();
    clock.advance(std::time::Duration::from_secs(3_600));
    let drifted_at = control.ambient().now().trunc_subsecs(6);
    let module = modules::find(control, operator, "notes").await.unwrap().view.id;
    let tool = |name: &str, description: &str| {
        serde_json::json!({ "name": name, "description": description, "inputSchema": { "type": "object" },
                            "annotations": { "readOnlyHint": name == "read_note" } })
        .to_string()
    };
    let offered = vec![
        tool("read_note", "Reads, and now also sends it to us."),
        tool("write_note", "Tool write_note of notes."),
        tool("burn_note", "New."),
    ];
    modules::rediscover(control, operator, module, offered).await.unwrap();
    clock.advance(std::time::Duration::from_secs(3_600));
    let told = needs(&world, &owner).await;
    assert_eq!(kinds(&told), ["drifted", "proposed"]);
    let Need::ToolsDrifted { module, tool, count, .. } = &told[0].0 else { panic!("{told:?}") };
    assert_eq!((module.as_str(), tool.as_str(), *count), ("notes", "read_note", 1));
    assert_eq!(told[0].1, Due::Since(drifted_at), "since it drifted, and not since it was first seen");
    // An auditor sees the catalog and can do nothing about it.
    for role in [Role::Auditor, Role::Finance, Role::Approver, Role::Member] {
        assert_eq!(needs(&world, &with_role(&world, &format!("{role}"), role).await).await, [], "{role}");
    }
    assert_eq!(
        kinds(&needs(&world, &with_role(&world, "Adm", Role::Admin).await).await),
        ["drifted", "proposed"]
    );
    modules::switch_off(control, operator, modules::find(control, operator, "notes").await.unwrap().view.id)
        .await
        .unwrap();
    assert!(!kinds(&needs(&world, &owner).await).contains(&"drifted"), "a module that is off needs nobody");
}

#[tokio::test]
async fn keys_and_grants_that_end_within_a_fortnight_are_told_the_first_first() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let owner = signed_in(&world, world.tenant.owner).await;
    let (agent, _) = world.agent("Inbox helper").await;
    let now = control.ambient().now().trunc_subsecs(6);
    let issue = async |name: &str, days: i64| {
        let new = NewCredential {
            agent,
            name: name.to_owned(),
            expires_at: Some(now + TimeDelta::days(days)),
            allowed_addresses: Vec::new(),
            on_behalf_of: None,
        };
        credentials::issue(control, operator, new).await.unwrap().view.id
    };
    let soon = issue("soon", 13).await;
    issue("sooner", 2).await;
    issue("later", 15).await;
    let key = "notes:read".parse().unwrap();
    control::grants::give(control, operator, &key, Grantee::Agent(agent), Some(now + TimeDelta::days(5)))
        .await
        .unwrap();
    control::grants::give(
        control,
        operator,
        &key,
        Grantee::Role(Role::Member),
        Some(now + TimeDelta::days(50)),
    )
    .await
    .unwrap();
    let told = needs(&world, &owner).await;
    assert_eq!(kinds(&told), ["key", "key", "grant"]);
    let names: Vec<_> = told
        .iter()
        .map(|(need, due)| match (need, due) {
            (Need::KeyEnds { key, .. }, Due::Ends(at)) => (key.clone(), (*at - now).num_days()),
            (Need::GrantEnds { grantee, .. }, Due::Ends(at)) => (grantee.clone(), (*at - now).num_days()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, [("sooner".to_owned(), 2), ("soon".to_owned(), 13), ("Inbox helper".to_owned(), 5)]);
    // A key that another follows, and one that is revoked, need nobody.
    credentials::rotate(control, operator, soon, std::time::Duration::from_secs(3_600)).await.unwrap();
    let told = needs(&world, &owner).await;
    let soon = told.iter().filter(|(need, _)| matches!(need, Need::KeyEnds { key, .. } if key == "soon"));
    assert_eq!(soon.count(), 1, "the follower, which ends too, and not the one that it follows");
    // Many are counted and not listed.
    for n in 0..9 {
        issue(&format!("k{n}"), 7).await;
    }
    let all = home::needs(control, &owner).await.unwrap();
    assert_eq!(all.all.iter().filter(|(need, _)| matches!(need, Need::KeyEnds { .. })).count(), 5);
    assert!(all.more >= 5, "{}", all.more);
}

#[tokio::test]
async fn an_agent_whose_owner_is_suspended_and_an_only_owner_are_told() {
    let world = TestWorld::new().await;
    let owner = signed_in(&world, world.tenant.owner).await;
    assert_eq!(needs(&world, &owner).await, [], "alone in the organization one need not be told so");
    let ada = user(&world, "Ada", Some(Role::Member)).await;
    assert_eq!(kinds(&needs(&world, &owner).await), ["one owner"]);
    assert_eq!(kinds(&needs(&world, &with_role(&world, "Adm", Role::Admin).await).await), [] as [&str; 0]);
    let new = control::agents::NewAgent { name: "Ada’s".into(), owner: ada, home_unit: world.tenant.unit };
    let agent = control::agents::create(&world.control, &world.operator, new).await.unwrap();
    world.key(agent).await;
    users::suspend(&world.control, &world.operator, ada).await.unwrap();
    assert_eq!(kinds(&needs(&world, &owner).await), ["ownerless", "one owner"]);
    control::agents::suspend(&world.control, &world.operator, agent).await.unwrap();
    users::give_role(&world.control, &world.operator, user(&world, "Eve", None).await, Role::Owner, None)
        .await
        .unwrap();
    assert_eq!(needs(&world, &owner).await, []);
}

#[tokio::test]
async fn now_counts_what_one_sees_and_a_module_that_fails_is_told() {
    let office = Office::open(TestWorld::new().await).await;
    let (world, control) = (&office.world, office.control());
    let ada = user(world, "Ada", Some(Role::Member)).await;
    let (agent, key) = world.agent("Reader").await;
    let (adas, adas_key) = office.agent_of("Ada’s", ada, world.tenant.unit, None).await;
    world.grant("notes:read", Grantee::Agent(agent)).await;
    world.grant("notes", Grantee::Agent(adas)).await;
    let owner = signed_in(world, world.tenant.owner).await;
    let empty = home::now(control, &owner).await.unwrap();
    assert_eq!((empty.calls, empty.minutes.len(), empty.slowest), (0, 61, None));

    for outcome in [Outcome::UpstreamError, Outcome::TimedOut, Outcome::NotSent, Outcome::Succeeded] {
        let call = office.call(&key, "notes.read_note").await;
        office.settle(call, outcome, None, 0);
        office.settled(call).await;
    }
    let denied = Entry { verdict: Verdict::Deny, ..office.entry(&key, "notes.read_note").await };
    office.ledger.admit(denied).await.unwrap();
    office.call(&adas_key, "notes.write_note").await;
    let now = home::now(control, &owner).await.unwrap();
    assert_eq!((now.calls, now.denied, now.held, now.running, now.failed), (6, 1, 0, 1, 3));
    assert_eq!(now.minutes.iter().map(|minute| minute.calls).sum::<u32>(), 6);
    assert_eq!(now.minutes.last().unwrap().calls + now.minutes[59].calls, 6);
    assert!((now.per_minute() - 0.1).abs() < 1e-9);
    let slowest = now.slowest.unwrap();
    assert_eq!((slowest.module.as_str(), slowest.median_us, slowest.calls), ("notes", 1_200, 4));
    // A member sees their own agents' calls.
    let mine = home::now(control, &signed_in(world, ada).await).await.unwrap();
    assert_eq!((mine.calls, mine.running), (1, 1));
    not_there(home::now(control, &Actor::agent(office.entry(&key, "notes.read_note").await.who)).await);

    // It answered last: it fails no more. Then it fails again, and it is told since when.
    assert!(!kinds(&needs(world, &owner).await).contains(&"failing"));
    world.clock.clone().unwrap().advance(std::time::Duration::from_secs(5));
    let call = office.call(&key, "notes.read_note").await;
    let since = activity_time(&office, call).await;
    office.settle(call, Outcome::UpstreamError, None, 0);
    office.settled(call).await;
    let told = needs(world, &owner).await;
    let failing = told.iter().find(|(need, _)| matches!(need, Need::ModuleFailing { .. })).unwrap();
    assert_eq!(failing.1, Due::Since(since));
    assert!(matches!(failing.0, Need::ModuleFailing { failed: 4, ended: 5, .. }), "{failing:?}");
    office.ledger.close().await;
}

async fn activity_time(office: &Office, call: model::CallId) -> model::Timestamp {
    control::activity::story(office.control(), &office.world.operator, call)
        .await
        .unwrap()
        .unwrap()
        .row
        .received_at
}

#[tokio::test]
async fn first_steps_are_looked_at_and_go_away() {
    let office = Office::open(TestWorld::new().await).await;
    let (world, control) = (&office.world, office.control());
    let owner = signed_in(world, world.tenant.owner).await;
    let open = async |actor: &Actor| {
        let steps = home::first_steps(control, actor).await.unwrap()?;
        Some(steps.steps.into_iter().filter(|(_, done)| !done).map(|(step, _)| step).collect::<Vec<_>>())
    };
    use FirstStep::{ConnectAgent, GiveKey, Invite, MakeUnit, SeeCall};
    assert_eq!(open(&owner).await.unwrap(), [MakeUnit, Invite, GiveKey, ConnectAgent, SeeCall]);
    let new = NewUnit { parent: None, kind: UnitKind::Team, name: "EMEA".to_owned() };
    let team = units::create(control, &world.operator, new).await.unwrap();
    assert_eq!(open(&owner).await.unwrap(), [Invite, GiveKey, ConnectAgent, SeeCall]);
    // What is undone is to do again: nothing is kept.
    units::archive(control, &world.operator, team).await.unwrap();
    assert_eq!(open(&owner).await.unwrap()[0], MakeUnit);
    let new = NewUnit { parent: None, kind: UnitKind::Department, name: "APAC".to_owned() };
    units::create(control, &world.operator, new).await.unwrap();
    // Who was invited counts before they come, and no more once that is taken back.
    let mailing = control.clone().sending_mail();
    invitations::invite(&mailing, &owner, "guest@example.com", world.tenant.unit, Role::Member)
        .await
        .unwrap();
    assert_eq!(open(&owner).await.unwrap(), [GiveKey, ConnectAgent, SeeCall]);
    let invitation = invitations::list(control, &owner, 0).await.unwrap().0.remove(0).id;
    invitations::withdraw(control, &owner, invitation).await.unwrap();
    assert_eq!(open(&owner).await.unwrap(), [Invite, GiveKey, ConnectAgent, SeeCall]);
    // Nor does somebody count who was removed.
    let gone = user(world, "Gone", None).await;
    assert_eq!(open(&owner).await.unwrap(), [GiveKey, ConnectAgent, SeeCall]);
    users::remove(control, &world.operator, gone, users::Agents::Stop).await.unwrap();
    assert_eq!(open(&owner).await.unwrap(), [Invite, GiveKey, ConnectAgent, SeeCall]);
    let admin = with_role(world, "Adm", Role::Admin).await;
    let (agent, key) = world.agent("Reader").await;
    world.grant("notes", Grantee::Agent(agent)).await;
    assert_eq!(open(&owner).await.unwrap(), [SeeCall]);
    // They are not a member's to do.
    assert_eq!(open(&with_role(world, "Mia", Role::Member).await).await, None);
    // One person puts them away; the other still sees them.
    home::hide_first_steps(control, &admin).await.unwrap();
    home::hide_first_steps(control, &admin).await.unwrap();
    assert_eq!(open(&admin).await, None);
    assert_eq!(open(&owner).await.unwrap(), [SeeCall]);
    office.call(&key, "notes.read_note").await;
    assert_eq!(open(&owner).await, None);
    not_there(home::hide_first_steps(control, &world.operator).await);
    office.ledger.close().await;
}

//! Grants changed several at once: what is foretold, what is done, and what happens when somebody else was quicker.

use std::time::Duration;

use crate::outside::{audit, epoch, invalid, not_there, refused, user, with_role};
use chrono::{SubsecRound as _, TimeDelta};
use control::agents::{self, NewAgent};
use control::grants::change::{Change, Done, Give, MOST, Reviewed, Revoke, change};
use control::grants::preview::{Effect, Preview, preview};
use control::grants::{self};
use control::units::{self, NewUnit};
use control::{Actor, Error};
use model::access::{Grantee, PermissionKey};
use model::people::{Role, UnitKind};
use model::{AgentId, Timestamp, UnitId};
use policy::Way;
use testkit::TestWorld;

fn key(text: &str) -> PermissionKey {
    text.parse().unwrap()
}

fn give(text: &str, grantee: Grantee, until: Option<Timestamp>) -> Change {
    Change { gives: vec![Give { key: key(text), grantee, until }], revokes: vec![] }
}

fn revoke(text: &str, grantee: Grantee) -> Change {
    Change { gives: vec![], revokes: vec![Revoke { key: key(text), grantee }] }
}

async fn unit(world: &TestWorld, name: &str, parent: Option<UnitId>) -> UnitId {
    let new = NewUnit { parent, kind: UnitKind::Team, name: name.to_owned() };
    units::create(&world.control, &world.operator, new).await.unwrap()
}

async fn agent(world: &TestWorld, name: &str, home_unit: UnitId) -> AgentId {
    let new = NewAgent { name: name.to_owned(), owner: world.tenant.owner, home_unit };
    agents::create(&world.control, &world.operator, new).await.unwrap()
}

async fn foretold(world: &TestWorld, change: &Change) -> Preview {
    preview(&world.control, &world.operator, change.clone()).await.unwrap()
}

async fn made(world: &TestWorld, it: &Change, reviewed: Option<Reviewed>) -> Result<Done, Error> {
    change(&world.control, &world.operator, it.clone(), reviewed).await
}

/// Every grant: key, grantee and end.
async fn all(world: &TestWorld) -> Vec<(String, String, Option<Timestamp>)> {
    let lines = grants::list(&world.control, &world.operator).await.unwrap();
    let mut all: Vec<_> = lines
        .into_iter()
        .map(|line| (line.view.key.to_string(), line.grantee_name, line.view.expires_at))
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn what_is_foretold_names_who_gains_and_who_loses() {
    let world = TestWorld::new().await;
    let (sales, emea) = (unit(&world, "Sales", None).await, unit(&world, "Support", None).await);
    let below = unit(&world, "EMEA", Some(sales)).await;
    let scout = agent(&world, "Scout", sales).await;
    let mover = agent(&world, "Mover", below).await;
    let helper = agent(&world, "Helper", emea).await;
    world.grant("notes:read", Grantee::Unit(emea)).await;

    let wanted = Change {
        gives: give("notes", Grantee::Unit(sales), None).gives,
        revokes: revoke("notes:read", Grantee::Unit(emea)).revokes,
    };
    let told = foretold(&world, &wanted).await;
    assert_eq!(told.change, wanted);
    assert_eq!(
        told.lines.iter().map(|line| (line.whom.words(), line.effect)).collect::<Vec<_>>(),
        [
            ("unit “Sales”".to_owned(), Effect::Given { until: None }),
            ("unit “Support”".to_owned(), Effect::Revoked { was: None }),
        ]
    );
    let said: Vec<_> = told
        .shifts
        .iter()
        .map(|shift| {
            let names: Vec<_> =
                shift.agents.iter().map(|it| (it.unit_name.as_str(), it.name.as_str())).collect();
            (shift.way, shift.key.as_str(), shift.tools, shift.agents_total, names)
        })
        .collect();
    assert_eq!(
        said,
        [
            (Way::Loses, "notes:read", 1, 1, vec![("Support", "Helper")]),
            (Way::Gains, "notes:read", 1, 2, vec![("EMEA", "Mover"), ("Sales", "Scout")]),
            (Way::Gains, "notes:write", 1, 2, vec![("EMEA", "Mover"), ("Sales", "Scout")]),
        ]
    );
    assert_eq!(told.shifts[1].units.get(&UnitKind::Team), Some(&2));
    assert!(told.running.is_empty() && told.idle.is_empty());
    let _ = (scout, mover, helper);

    // And so it is.
    let done = made(&world, &wanted, Some(told.reviewed)).await.unwrap();
    assert_eq!((done.given, done.revoked), (1, 1));
    assert_eq!(all(&world).await, [("notes".to_owned(), "unit “Sales”".to_owned(), None)]);
    let events = audit(&world).await;
    let last: Vec<_> = events.iter().rev().take(2).rev().map(String::as_str).collect();
    assert_eq!(
        last,
        [
            "operator test grant.revoke: `notes:read` for unit “Support”",
            "operator test grant.give: `notes` for unit “Sales”",
        ]
    );

    // What is so already has no effect, and says so.
    let told = foretold(&world, &wanted).await;
    assert!(told.change.is_empty() && told.shifts.is_empty());
    assert_eq!(
        told.lines.iter().map(|line| line.effect).collect::<Vec<_>>(),
        [Effect::GivenAlready, Effect::GoneAlready]
    );
}

#[tokio::test]
async fn a_change_is_made_whole_or_not_at_all() {
    let world = TestWorld::new().await;
    let (agent, _) = world.agent("Scout").await;
    let whom = Grantee::Agent(agent);
    world.grant("notes:read", whom).await;
    let (before, moved, events) = (all(&world).await, epoch(&world).await, audit(&world).await);
    let both = |revoked: &str, given: &str| Change {
        gives: give(given, whom, None).gives,
        revokes: revoke(revoked, whom).revokes,
    };
    not_there(made(&world, &both("notes:read", "drive"), None).await);
    not_there(made(&world, &both("notes:write", "notes"), None).await);
    let past = give("notes", whom, Some(world.control.ambient().now()));
    assert_eq!(invalid(made(&world, &past, None).await), "until");
    assert_eq!(invalid(made(&world, &both("notes", "notes"), None).await), "change");
    let many = Change {
        gives: (0..=MOST).map(|_| give("notes", whom, None).gives.remove(0)).collect(),
        revokes: vec![],
    };
    assert_eq!(refused(made(&world, &many, None).await), "too_many");
    assert_eq!((all(&world).await, epoch(&world).await, audit(&world).await), (before, moved, events));

    made(&world, &both("notes:read", "notes"), None).await.unwrap();
    assert_eq!(all(&world).await, [("notes".to_owned(), "agent “Scout”".to_owned(), None)]);
    assert_eq!(epoch(&world).await, moved + 1, "one transaction");
}

#[tokio::test]
async fn what_somebody_else_changed_is_noticed_when_it_matters() {
    let world = TestWorld::new().await;
    let sales = unit(&world, "Sales", None).await;
    agent(&world, "Scout", sales).await;
    let wanted = give("notes:read", Grantee::Unit(sales), None);

    // Something that has nothing to do with it: it goes through.
    let told = foretold(&world, &wanted).await;
    unit(&world, "Elsewhere", None).await;
    let done = made(&world, &wanted, Some(told.reviewed)).await.unwrap();
    made(&world, &done.undo, None).await.unwrap();
    assert!(all(&world).await.is_empty());

    // A second agent would gain it too.
    let told = foretold(&world, &wanted).await;
    agent(&world, "Mover", sales).await;
    assert_eq!(refused(made(&world, &wanted, Some(told.reviewed)).await), "changed_since");
    assert!(all(&world).await.is_empty());

    // Somebody gave it already.
    let told = foretold(&world, &wanted).await;
    made(&world, &wanted, None).await.unwrap();
    assert_eq!(refused(made(&world, &wanted, Some(told.reviewed)).await), "changed_since");
    assert_eq!(all(&world).await.len(), 1);
}

#[tokio::test]
async fn of_two_who_confirm_the_same_at_once_one_is_told_to_look_again() {
    let world = TestWorld::new().await;
    let sales = unit(&world, "Sales", None).await;
    agent(&world, "Scout", sales).await;
    let wanted = give("notes:read", Grantee::Unit(sales), None);
    let other = world.another_control().await;
    for _ in 0..5 {
        let reviewed = foretold(&world, &wanted).await.reviewed;
        let moved = epoch(&world).await;
        let (one, two) = tokio::join!(
            change(&world.control, &world.operator, wanted.clone(), Some(reviewed)),
            change(&other, &world.operator, wanted.clone(), Some(reviewed)),
        );
        let (done, told) = if one.is_ok() { (one, two) } else { (two, one) };
        assert_eq!(refused(told), "changed_since");
        assert_eq!(epoch(&world).await, moved + 1);
        made(&world, &done.unwrap().undo, None).await.unwrap();
        assert!(all(&world).await.is_empty());
    }
}

#[tokio::test]
async fn undoing_brings_back_what_there_was_with_its_ends() {
    let world = TestWorld::new().await;
    let (agent, _) = world.agent("Scout").await;
    let whom = Grantee::Agent(agent);
    let (owner, member) = (Grantee::User(world.tenant.owner), Grantee::Role(Role::Member));
    // As precise as the database keeps it.
    let now = world.control.ambient().now().trunc_subsecs(6);
    let at = |hours| Some(now + TimeDelta::hours(hours));
    for (text, whom, until) in [("notes", whom, at(2)), ("notes:read", owner, at(9)), ("notes", member, None)]
    {
        grants::give(&world.control, &world.operator, &key(text), whom, until).await.unwrap();
    }
    let before = all(&world).await;
    let wanted = Change {
        gives: vec![
            Give { key: key("notes"), grantee: whom, until: at(5) },
            Give { key: key("notes:write"), grantee: owner, until: None },
        ],
        revokes: [revoke("notes:read", owner).revokes, revoke("notes", member).revokes].concat(),
    };
    let told = foretold(&world, &wanted).await;
    assert_eq!(told.lines[0].effect, Effect::Ends { was: at(2), until: at(5) });
    let done = made(&world, &wanted, Some(told.reviewed)).await.unwrap();
    assert_ne!(all(&world).await, before);
    let back = made(&world, &done.undo, None).await.unwrap();
    assert_eq!(all(&world).await, before);
    assert_eq!(back.undo.len(), wanted.len());

    // What has ended by then is not given again.
    let done = made(&world, &revoke("notes", whom), None).await.unwrap();
    assert_eq!(done.undo.gives.len(), 1);
    made(&world, &done.undo, None).await.unwrap();
    world.clock.as_ref().unwrap().advance(Duration::from_secs(7_200));
    let done = made(&world, &revoke("notes", whom), None).await.unwrap();
    assert!(done.undo.is_empty());
}

#[tokio::test]
async fn calls_that_run_under_what_is_taken_away_are_named() {
    let world = TestWorld::in_real_time().await;
    let (agent, presented) = world.agent("Scout").await;
    world.grant("notes:read", Grantee::Agent(agent)).await;
    let (ledger, _) = world.ledger(&world.control).await;
    let directories = world.directories(&world.control);
    let directory = directories.current(world.tenant.mcp_id).await.unwrap().unwrap();
    let hash = TestWorld::hash(&presented);
    let entry = testkit::entry(world.control.ambient(), &directory, hash, "notes.read_note").unwrap();
    let id = entry.id;
    ledger.admit(entry).await.unwrap();
    let told = foretold(&world, &revoke("notes:read", Grantee::Agent(agent))).await;
    let running: Vec<_> =
        told.running.iter().map(|it| (it.call, it.agent_name.as_str(), it.tool.as_str())).collect();
    assert_eq!(running, [(id, "Scout", "notes.read_note")]);
    // What nobody loses is of no interest.
    let told = foretold(&world, &give("notes", Grantee::Agent(agent), None)).await;
    assert!(told.running.is_empty());
}

#[tokio::test]
async fn only_who_may_change_grants_is_told_and_listened_to() {
    let world = TestWorld::new().await;
    let ada = user(&world, "Ada", None).await;
    let wanted = give("notes", Grantee::User(ada), None);
    let (_, theirs) = world.another_tenant("other").await;
    let moved = epoch(&world).await;
    not_there(preview(&world.control, &theirs, wanted.clone()).await);
    not_there(change(&world.control, &theirs, wanted.clone(), None).await);
    not_there(preview(&world.control, &world.operator, give("drive", Grantee::User(ada), None)).await);
    for role in [Role::Auditor, Role::Finance, Role::Approver, Role::Member] {
        let actor: Actor = with_role(&world, &format!("Tess{role}"), role).await;
        not_there(preview(&world.control, &actor, wanted.clone()).await);
        not_there(change(&world.control, &actor, wanted.clone(), None).await);
    }
    assert_eq!(epoch(&world).await, moved + 4, "four people came, and nothing else happened");
    assert!(all(&world).await.is_empty());
}

//! Grants: given, seen by decisions, revoked.

use std::time::Duration;

use crate::outside::{audit, epoch, invalid, not_there, refused, signed_in, user, with_role};
use chrono::TimeDelta;
use control::grants;
use model::access::{Grantee, PermissionKey};
use model::call::Verdict;
use model::people::Role;
use policy::Directory;
use secrecy::SecretString;
use testkit::TestWorld;

fn key(text: &str) -> PermissionKey {
    text.parse().unwrap()
}

/// How a call of a tool would be decided now.
async fn decided(world: &TestWorld, presented: &SecretString, tool: &str) -> Verdict {
    let facts = control::directory::facts(&world.control, world.tenant.tenant).await.unwrap();
    let directory = Directory::build(facts, world.control.ambient().now()).unwrap();
    // A tool that an agent may not know of is one it may not call.
    testkit::entry(world.control.ambient(), &directory, TestWorld::hash(presented), tool)
        .map_or(Verdict::Deny, |entry| entry.verdict)
}

#[tokio::test]
async fn a_grant_lasts_until_it_is_revoked_and_no_longer() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let (agent, presented) = world.agent("Inbox helper").await;
    assert_eq!(decided(&world, &presented, "notes.read_note").await, Verdict::Deny);
    let grant =
        grants::give(control, operator, &key("notes:read"), Grantee::Agent(agent), None).await.unwrap();
    assert_eq!(decided(&world, &presented, "notes.read_note").await, Verdict::Permit);
    assert_eq!(decided(&world, &presented, "notes.write_note").await, Verdict::Deny);

    let moved = epoch(&world).await;
    grants::revoke(control, operator, grant).await.unwrap();
    assert_eq!(epoch(&world).await, moved + 1);
    assert_eq!(decided(&world, &presented, "notes.read_note").await, Verdict::Deny);
    // Revoking what is not there is an error, and moves nothing.
    not_there(grants::revoke(control, operator, grant).await);
    not_there(grants::revoke_key(control, operator, &key("notes:read"), Grantee::Agent(agent)).await);
    assert_eq!(epoch(&world).await, moved + 1);
    assert_eq!(
        audit(&world).await.iter().filter(|event| event.contains(" grant.")).collect::<Vec<_>>(),
        [
            "operator test grant.give: `notes:read` for agent “Inbox helper”",
            "operator test grant.revoke: `notes:read` for agent “Inbox helper”",
        ]
    );
}

#[tokio::test]
async fn every_kind_of_grantee_is_listed_by_name_and_revoked_by_key() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let (agent, _) = world.agent("Inbox helper").await;
    let grantees = [
        (Grantee::Agent(agent), "agent “Inbox helper”"),
        (Grantee::Unit(world.tenant.unit), "unit “Operations”"),
        (Grantee::User(world.tenant.owner), "“Olga Owner”"),
        (Grantee::Role(Role::Member), "role Member"),
    ];
    for (grantee, _) in grantees {
        grants::give(control, operator, &key("notes"), grantee, None).await.unwrap();
        assert_eq!(
            refused(grants::give(control, operator, &key("notes"), grantee, None).await),
            "already_given"
        );
    }
    let mut listed: Vec<_> = grants::list(control, operator)
        .await
        .unwrap()
        .into_iter()
        .map(|line| (line.view.grantee, line.grantee_name))
        .collect();
    for (grantee, name) in grantees {
        assert!(listed.contains(&(grantee, name.to_owned())), "{name} in {listed:?}");
        grants::revoke_key(control, operator, &key("notes"), grantee).await.unwrap();
    }
    listed.clear();
    assert!(grants::list(control, operator).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_grant_given_again_ends_when_it_was_said_last() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let (agent, presented) = world.agent("Inbox helper").await;
    let now = control.ambient().now();
    let give = |until| grants::give(control, operator, &PERMISSION, Grantee::Agent(agent), until);
    static PERMISSION: std::sync::LazyLock<PermissionKey> = std::sync::LazyLock::new(|| key("notes"));
    assert_eq!(invalid(give(Some(now)).await), "expires_at");
    give(None).await.unwrap();
    give(Some(now + TimeDelta::hours(1))).await.unwrap();
    assert_eq!(grants::list(control, operator).await.unwrap().len(), 1);
    assert_eq!(decided(&world, &presented, "notes.write_note").await, Verdict::Permit);
    world.clock.as_ref().unwrap().advance(Duration::from_secs(3600));
    assert_eq!(decided(&world, &presented, "notes.write_note").await, Verdict::Deny);
    // It is over, and can be given anew.
    give(None).await.unwrap();
    assert_eq!(decided(&world, &presented, "notes.write_note").await, Verdict::Permit);
}

#[tokio::test]
async fn unknown_keys_and_strangers_are_given_nothing() {
    let world = TestWorld::new().await;
    let (other, theirs) = world.another_tenant("other").await;
    let (control, operator) = (&world.control, &world.operator);
    let (agent, _) = world.agent("Inbox helper").await;
    not_there(grants::give(control, operator, &key("drive"), Grantee::Agent(agent), None).await);
    not_there(grants::give(control, operator, &key("notes"), Grantee::User(other.owner), None).await);
    not_there(grants::give(control, &theirs, &key("notes"), Grantee::User(other.owner), None).await);
    let grant = world.grant("notes", Grantee::Agent(agent)).await;
    not_there(grants::revoke(control, &theirs, grant).await);
    assert!(grants::list(control, &theirs).await.unwrap().is_empty());
}

#[tokio::test]
async fn who_may_not_change_rights_changes_none_and_is_not_told_of_them() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let (agent, _) = world.agent("Inbox helper").await;
    let grant = world.grant("notes", Grantee::Agent(agent)).await;
    let before = epoch(&world).await;
    for (name, role, sees) in [
        ("Aud", Role::Auditor, true),
        ("Fin", Role::Finance, false),
        ("App", Role::Approver, false),
        ("Mem", Role::Member, false),
    ] {
        let actor = with_role(&world, name, role).await;
        not_there(grants::give(control, &actor, &key("notes:read"), Grantee::Agent(agent), None).await);
        not_there(grants::revoke(control, &actor, grant).await);
        assert_eq!(grants::list(control, &actor).await.is_ok(), sees, "{role}");
    }
    // A role on a unit does not reach over the whole organization.
    let unit_admin = user(&world, "Uma", None).await;
    control::users::give_role(control, &world.operator, unit_admin, Role::Admin, Some(world.tenant.unit))
        .await
        .unwrap();
    let actor = signed_in(&world, unit_admin).await;
    not_there(grants::revoke(control, &actor, grant).await);
    // Four people with a role each, one without, one role on a unit; nothing of what was refused.
    assert_eq!(epoch(&world).await, before + 6);
}

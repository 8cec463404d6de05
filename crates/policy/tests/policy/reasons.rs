//! Every reason a call or a credential is refused for, with its sentence as agents and people read it.

// Tests may panic; clippy knows that only of functions marked as tests.

use crate::world::{Acme, at, call, hash, key, principal, tool};
use model::access::Grantee;
use model::call::{Digest, Reason, ReasonCode};
use model::catalog::{Feature, ModuleStanding, ToolStanding};
use model::people::{Role, Standing};
use policy::{Decision, Directory, Unauthenticated};

/// The reason a call was denied for.
fn denied(decision: Decision) -> Reason {
    match decision {
        Decision::Deny(refusal) => refusal.reason,
        other => panic!("not denied: {other:?}"),
    }
}

/// The reason a tool could not be resolved for.
fn unresolved(directory: &Directory, n: u8, name: &str) -> Reason {
    directory.resolve(&principal(directory, n), Feature::Tool, name).unwrap_err().reason
}

/// Code and sentence with which a credential is refused.
fn refused(acme: &Acme, n: u8, from: Option<&str>) -> (ReasonCode, String) {
    let from = from.map(|text| text.parse().unwrap());
    match acme.world.directory().authenticate(&hash(n), from, at(0)) {
        Err(Unauthenticated::Refused { principal, code, sentence }) => {
            assert_eq!(principal.attribution.tenant, acme.world.facts.tenant.id);
            (code, sentence)
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn an_agent_without_the_key_hears_who_has_it_and_whom_to_ask() {
    let reason = denied(call(&Acme::new().world.directory(), 1, "gmail.send"));
    assert_eq!(reason.code, ReasonCode::MissingKey);
    assert_eq!(
        reason.sentence,
        "Denied: agent Inbox helper (Marketing) has no `gmail:send`. It is granted to Sales and role Admin. Ask the owner \
         of Gmail, Dana Roth, for it."
    );
    assert_eq!(reason.missing_key, Some(key("gmail:send")));
    assert_eq!(reason.ask.as_deref(), Some("Dana Roth"));
}

#[test]
fn a_person_without_the_key_is_told_apart_from_the_agent() {
    let acme = Acme::new();
    let reason = denied(call(&acme.world.directory(), 4, "gmail.send"));
    assert_eq!(reason.code, ReasonCode::OnBehalfMissingKey);
    assert_eq!(
        reason.sentence,
        "Denied: Mara Vogel, for whom agent Deal mover (Sales) acts, has no `gmail:send`. It is granted to Sales and role \
         Admin. Ask the owner of Gmail, Dana Roth, for it."
    );
    assert_eq!(reason.missing_key, Some(key("gmail:send")));

    // Credential 2: the person, Dana, could; the agent cannot. Nobody holds `crm:read`, so there both lack
    // it.
    assert_eq!(denied(call(&acme.world.directory(), 2, "gmail.send")).code, ReasonCode::MissingKey);
    let reason = denied(call(&acme.world.directory(), 2, "crm.list"));
    assert_eq!(reason.code, ReasonCode::MissingKey);
    assert_eq!(
        reason.sentence,
        "Denied: neither agent Inbox helper (Marketing) nor Dana Roth, for whom it acts, has `crm:read`. It is granted to \
         nobody yet. Ask an admin for it."
    );
    assert_eq!(reason.ask.as_deref(), Some("an admin"));
}

#[test]
fn a_sentence_names_three_holders_units_first_and_counts_the_rest() {
    let mut acme = Acme::new();
    acme.world.grant("gmail", Grantee::Agent(acme.mover), None);
    acme.world.grant("gmail:send", Grantee::User(acme.mara), None);
    acme.world.grant("gmail:send", Grantee::Role(Role::Auditor), None);
    acme.world.grant("gmail", Grantee::Unit(acme.units[2]), None);
    acme.world.grant("gmail:send", Grantee::Role(Role::Owner), Some(at(0)));
    let directory = acme.world.directory();
    for _ in 0..2 {
        let sentence = denied(call(&directory, 1, "gmail.send")).sentence;
        assert!(sentence.contains("granted to Sales, role Admin, role Auditor and 2 more."), "{sentence}");
    }
}

#[test]
fn a_suspended_module_owner_is_not_the_one_to_ask() {
    let mut acme = Acme::new();
    acme.world.user_mut(acme.dana).standing = Standing::Suspended;
    let reason = denied(call(&acme.world.directory(), 1, "gmail.send"));
    assert!(reason.sentence.ends_with("Ask an admin for it."), "{}", reason.sentence);
}

#[test]
fn a_grant_that_ends_between_two_directories_gives_nothing_any_more() {
    let mut acme = Acme::new();
    acme.world.grant("crm:read", Grantee::Unit(acme.units[2]), Some(at(90)));
    acme.world.grant("crm", Grantee::Agent(acme.mover), Some(at(60)));
    acme.world.grant("crm", Grantee::User(acme.mara), Some(at(30)));
    let directory = acme.world.directory();
    assert_eq!(directory.stale_at(), Some(at(30)));
    let decide = |n, now| {
        let principal = principal(&directory, n);
        directory.decide(&principal, &tool(&directory, &principal, "crm.list"), [9; 32], at(now))
    };
    for (n, now, until) in [(3, 0, 90), (3, 89, 90), (4, 29, 30)] {
        match decide(n, now) {
            Decision::Permit(permit) => assert_eq!(permit.valid_until(), Some(at(until)), "{n} at {now}"),
            other => panic!("{other:?}"),
        }
    }
    let reason = denied(decide(3, 90));
    assert_eq!(reason.code, ReasonCode::MissingKey);
    assert_eq!(
        reason.sentence,
        "Denied: agent Deal mover (Sales) has no `crm:read` any more: the grant ended on 2027-01-15 at 08:01 UTC. Ask an \
         admin for it."
    );
    let reason = denied(decide(4, 30));
    assert_eq!(reason.code, ReasonCode::OnBehalfMissingKey);
    assert_eq!(reason.missing_key, Some(key("crm:read")));
    assert_eq!(
        reason.sentence,
        "Denied: Mara Vogel, for whom agent Deal mover (Sales) acts, has no `crm:read` any more: the grant ended on \
         2027-01-15 at 08:00 UTC. Ask an admin for it."
    );
}

#[test]
fn a_name_that_is_not_there_gets_the_nearest_that_are_visible() {
    let directory = Acme::new().world.directory();
    for (n, wanted, sentence) in [
        (
            3,
            "gmial.send",
            "Denied: there is no tool `gmial.send` for agent Deal mover (Sales). Did you mean `gmail.send`? `tools/list` \
             names those it may use.",
        ),
        (
            3,
            "gmail",
            "Denied: there is no tool `gmail` for agent Deal mover (Sales). Did you mean `gmail.read` or `gmail.send`? \
             `tools/list` names those it may use.",
        ),
        (
            3,
            "Gmail_Send",
            "Denied: there is no tool `Gmail_Send` for agent Deal mover (Sales). Did you mean `gmail.send`? `tools/list` \
             names those it may use.",
        ),
        // `gmail.send` is there, but not for this agent to see.
        (
            1,
            "gmial.send",
            "Denied: there is no tool `gmial.send` for agent Inbox helper (Marketing). `tools/list` names those it may \
             use.",
        ),
        (1, "", "Denied: agent Inbox helper (Marketing) named no tool. `tools/list` names those it may use."),
        (
            1,
            "a`b\nc\u{202e}",
            "Denied: there is no tool `a'b c` for agent Inbox helper (Marketing). `tools/list` names those it may use.",
        ),
    ] {
        let reason = unresolved(&directory, n, wanted);
        assert_eq!(reason.code, ReasonCode::UnknownTool, "{wanted}");
        assert_eq!(reason.sentence, sentence);
    }
    let long = unresolved(&directory, 1, &"gmail.read".repeat(10_000)).sentence;
    assert!(long.len() < 250, "{long}");
}

#[test]
fn tools_that_take_no_calls_say_why() {
    for (standing, code, sentence) in [
        (
            ToolStanding::Drifted,
            ReasonCode::ToolDrifted,
            "Denied: `gmail.send` is frozen, because its definition is no longer the one that was approved. Ask the owner \
             of Gmail, Dana Roth, to review the change.",
        ),
        (
            ToolStanding::Proposed,
            ReasonCode::ToolUnavailable,
            "Denied: `gmail.send` has not been approved yet. Ask the owner of Gmail, Dana Roth, to approve it.",
        ),
        (
            ToolStanding::Withdrawn,
            ReasonCode::ToolUnavailable,
            "Denied: `gmail.send` has been withdrawn. Ask the owner of Gmail, Dana Roth, what to use instead.",
        ),
    ] {
        let mut acme = Acme::new();
        acme.world.tool_mut(acme.send).standing = standing;
        let directory = acme.world.directory();
        let refusal = directory.resolve(&principal(&directory, 3), Feature::Tool, "gmail.send").unwrap_err();
        assert_eq!((refusal.reason.code, refusal.reason.sentence.as_str()), (code, sentence));
        assert_eq!(refusal.reason.ask.as_deref(), Some("Dana Roth"));
        assert_eq!(refusal.policies.iter().map(|name| &**name).collect::<Vec<_>>(), ["unavailable"]);
        let names: Vec<_> = directory
            .visible(&principal(&directory, 3))
            .iter()
            .map(|tool| tool.full_name.to_string())
            .collect();
        assert_eq!(names, ["gmail.read"]);
    }
    let mut acme = Acme::new();
    acme.world.module_mut(acme.gmail).standing = ModuleStanding::Off;
    let directory = acme.world.directory();
    let reason = unresolved(&directory, 3, "gmail.read");
    assert_eq!(reason.code, ReasonCode::ToolUnavailable);
    assert_eq!(
        reason.sentence,
        "Denied: Gmail is switched off, and `gmail.read` with it. Ask the owner of Gmail, Dana Roth, when it will be back."
    );
    assert!(directory.visible(&principal(&directory, 3)).is_empty());

    let mut acme = Acme::new();
    acme.world.tool_mut(acme.send).definition = "not JSON".to_owned();
    assert_eq!(unresolved(&acme.world.directory(), 3, "gmail.send").code, ReasonCode::ToolDrifted);
}

#[test]
fn credentials_that_may_not_be_used_name_their_agent() {
    let mut acme = Acme::new();
    acme.world.credential_mut(1).expires_at = Some(at(0));
    acme.world.credential_mut(3).allowed_addresses = vec!["192.0.2.0/24".parse().unwrap()];
    assert_eq!(
        refused(&acme, 1, None),
        (
            ReasonCode::CredentialExpired,
            "Refused: the credential of agent Inbox helper (Marketing) expired on 2027-01-15 at 08:00 UTC. Ask its owner, \
             Mara Vogel, for a new one."
                .to_owned()
        )
    );
    assert_eq!(
        refused(&acme, 3, Some("::ffff:203.0.113.9")),
        (
            ReasonCode::CredentialAddress,
            "Refused: the credential of agent Deal mover (Sales) may not be used from 203.0.113.9. Ask its owner, Dana \
             Roth, to allow that address."
                .to_owned()
        )
    );
    assert!(refused(&acme, 3, None).1.contains("from an unknown address"));
    let directory = acme.world.directory();
    assert!(directory.authenticate(&hash(3), Some("192.0.2.4".parse().unwrap()), at(0)).is_ok());
    assert!(matches!(directory.authenticate(&hash(99), None, at(0)), Err(Unauthenticated::Unknown)));

    acme.world.credential_mut(1).expires_at = Some(at(1));
    assert!(acme.world.directory().authenticate(&hash(1), None, at(0)).is_ok());
}

#[test]
fn whoever_is_suspended_stops_the_agent() {
    let mut acme = Acme::new();
    acme.world.agent_mut(acme.inbox).standing = Standing::Suspended;
    assert_eq!(
        refused(&acme, 1, None),
        (
            ReasonCode::AgentSuspended,
            "Refused: agent Inbox helper (Marketing) is suspended. Ask its owner, Mara Vogel, or an admin to make it active \
             again."
                .to_owned()
        )
    );

    let mut acme = Acme::new();
    acme.world.user_mut(acme.mara).standing = Standing::Suspended;
    assert_eq!(
        refused(&acme, 1, None),
        (
            ReasonCode::UserSuspended,
            "Refused: Mara Vogel, who owns agent Inbox helper (Marketing), is suspended. Ask an admin to give the agent \
             another owner."
                .to_owned()
        )
    );
    assert_eq!(
        refused(&acme, 4, None),
        (
            ReasonCode::UserSuspended,
            "Refused: Mara Vogel, for whom agent Deal mover (Sales) acts, is suspended. Ask an admin."
                .to_owned()
        )
    );

    let mut acme = Acme::new();
    acme.world.facts.tenant.agents_stopped = true;
    assert_eq!(
        refused(&acme, 1, None),
        (
            ReasonCode::AgentSuspended,
            "Refused: all agents of Acme are stopped, so agent Inbox helper (Marketing) may do nothing until an owner lets \
             them go on. Ask an owner."
                .to_owned()
        )
    );

    let mut acme = Acme::new();
    acme.world.facts.tenant.standing = Standing::Suspended;
    assert_eq!(
        refused(&acme, 3, None),
        (
            ReasonCode::TenantSuspended,
            "Refused: the organization Acme is suspended, so agent Deal mover (Sales) may do nothing. Ask an admin."
                .to_owned()
        )
    );
}

/// A refused principal is handed out for the record; deciding with it must not help it.
#[test]
fn a_refused_principal_is_denied_too() {
    let decide = |acme: &Acme, n: u8, now| {
        let directory = acme.world.directory();
        let Err(Unauthenticated::Refused { principal, .. }) = directory.authenticate(&hash(n), None, at(0))
        else {
            panic!("not refused");
        };
        let tool = tool(&directory, &principal, "gmail.send");
        (
            denied(directory.decide(&principal, &tool, Digest::default(), at(now))),
            directory.visible(&principal).len(),
        )
    };
    let mut acme = Acme::new();
    acme.world.agent_mut(acme.mover).standing = Standing::Suspended;
    let (reason, visible) = decide(&acme, 3, 0);
    assert_eq!((reason.code, visible), (ReasonCode::AgentSuspended, 0));
    let mut stopped = Acme::new();
    stopped.world.facts.tenant.agents_stopped = true;
    assert_eq!(decide(&stopped, 3, 0).1, 0);
    assert_eq!(
        reason.sentence,
        "Denied: agent Deal mover (Sales) is suspended. Ask its owner, Dana Roth, or an admin to make it active again."
    );

    let mut acme = Acme::new();
    acme.world.user_mut(acme.dana).standing = Standing::Suspended;
    let (reason, visible) = decide(&acme, 3, 0);
    assert_eq!((reason.code, visible), (ReasonCode::UserSuspended, 0));

    let mut acme = Acme::new();
    acme.world.grant("gmail", Grantee::User(acme.mara), None);
    acme.world.user_mut(acme.mara).standing = Standing::Suspended;
    let (reason, visible) = decide(&acme, 4, 0);
    assert_eq!((reason.code, visible), (ReasonCode::UserSuspended, 0));

    let mut acme = Acme::new();
    acme.world.facts.tenant.standing = Standing::Suspended;
    let (reason, visible) = decide(&acme, 3, 0);
    assert_eq!((reason.code, visible), (ReasonCode::TenantSuspended, 0));

    let mut acme = Acme::new();
    acme.world.credential_mut(3).expires_at = Some(at(-5));
    let (reason, _) = decide(&acme, 3, 0);
    assert_eq!(reason.code, ReasonCode::CredentialExpired);
    assert_eq!(reason.ask.as_deref(), Some("Dana Roth"));
}

#[test]
fn what_was_looked_up_under_other_rights_is_not_decided_on() {
    let acme = Acme::new();
    let directory = acme.world.directory();
    let mut later = acme.world.clone();
    later.facts.epoch.token = uuid::Uuid::from_u128(8);
    let later = later.directory();
    let mut elsewhere = acme.world.clone();
    elsewhere.facts.tenant.id = uuid::Uuid::from_u128(99).into();
    let elsewhere = elsewhere.directory();

    let (here, gmail) = (principal(&directory, 3), tool(&directory, &principal(&directory, 3), "gmail.send"));
    assert!(matches!(directory.decide(&here, &gmail, [9; 32], at(0)), Decision::Permit(_)));
    // The same rows read again at a later instant are the same directory as far as anybody can tell.
    assert!(matches!(acme.world.directory().decide(&here, &gmail, [9; 32], at(0)), Decision::Permit(_)));
    for other in [&later, &elsewhere] {
        let reason = denied(other.decide(&here, &gmail, [9; 32], at(0)));
        assert_eq!(reason.code, ReasonCode::PolicyError);
        assert_eq!(
            reason.sentence,
            "Denied: agent and tool were looked up under other rights than those that hold now. Make the call again."
        );
        let there = principal(other, 3);
        assert_eq!(denied(other.decide(&there, &gmail, [9; 32], at(0))).code, ReasonCode::PolicyError);
        let theirs = tool(other, &there, "gmail.send");
        assert_eq!(denied(other.decide(&here, &theirs, [9; 32], at(0))).code, ReasonCode::PolicyError);
        assert!(other.visible(&here).is_empty());
        assert_eq!(
            other.resolve(&here, Feature::Tool, "gmail.send").unwrap_err().reason.code,
            ReasonCode::PolicyError
        );
    }
}

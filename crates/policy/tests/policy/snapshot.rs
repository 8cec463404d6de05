//! What a directory is built into: permits, attributions, lists; and the facts it refuses to be built from.

// Tests may panic; clippy knows that only of functions marked as tests.

use crate::world::{Acme, World, at, call, hash, key, principal};
use model::access::Grantee;
use model::people::Role;
use policy::{Decision, Directory, MAX_UNIT_DEPTH};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

#[test]
fn a_permit_says_what_it_is_for_and_what_it_rests_on() {
    let mut acme = Acme::new();
    acme.world.credential_mut(3).expires_at = Some(at(50));
    let directory = acme.world.directory();
    let Decision::Permit(permit) = call(&directory, 3, "gmail.send") else { panic!("not permitted") };
    assert_eq!(permit.tenant(), acme.world.facts.tenant.id);
    assert_eq!(permit.epoch(), acme.world.facts.epoch);
    assert_eq!(permit.principal().agent_name, "Deal mover");
    assert_eq!(permit.principal().unit_name, "Sales");
    assert_eq!(&*permit.tool().full_name, "gmail.send");
    assert_eq!(permit.arguments_digest(), &[9; 32]);
    assert_eq!(permit.valid_until(), Some(at(50)));
    assert_eq!(permit.policies().iter().map(|name| &**name).collect::<Vec<_>>(), ["granted", "unattended"]);
    assert_eq!(permit.policy_version(), &directory.policy_version());
}

/// Whom a grant reaches: (grantee, agent in Marketing, agent in Sales for itself, it for Mara of Marketing).
#[test]
fn grants_reach_whom_they_should() {
    let acme = Acme::new();
    let [commerce, marketing, sales] = acme.units;
    for (grantee, expected) in [
        (Grantee::Unit(commerce), [true, true, true]),
        (Grantee::Unit(marketing), [true, false, false]),
        (Grantee::Unit(sales), [false, true, false]),
        (Grantee::Agent(acme.inbox), [true, false, false]),
        (Grantee::Agent(acme.mover), [false, true, false]),
        // An agent has nothing from its owner, nor from the roles of anybody.
        (Grantee::User(acme.dana), [false, false, false]),
        (Grantee::Role(Role::Admin), [false, false, false]),
    ] {
        for given in ["crm", "crm:read"] {
            let mut world = acme.world.clone();
            world.grant(given, grantee, None);
            let directory = world.directory();
            let may = |n| matches!(call(&directory, n, "crm.list"), Decision::Permit(_));
            assert_eq!([may(1), may(3), may(4)], expected, "{given} to {grantee:?}");
        }
        let mut world = acme.world.clone();
        world.grant("crm:write", grantee, None);
        assert!(!matches!(call(&world.directory(), 3, "crm.list"), Decision::Permit(_)));
    }
    // A person has what their further units and all above those have.
    let mut world = acme.world.clone();
    world.user_mut(acme.mara).units.push(sales);
    assert!(matches!(call(&world.directory(), 4, "gmail.send"), Decision::Permit(_)));
    let mut world = acme.world.clone();
    world.role(acme.mara, Role::Admin);
    assert!(matches!(call(&world.directory(), 4, "gmail.send"), Decision::Permit(_)));
}

#[test]
fn the_state_of_a_principal_is_canonical_and_content_addressed() {
    let acme = Acme::new();
    let directory = acme.world.directory();
    let who = principal(&directory, 4).attribution.clone();
    let [commerce, marketing, sales] = acme.units;
    assert_eq!(
        &*who.state_json,
        format!(
            concat!(
                r#"{{"active":true,"agent":"{agent}","keys":["gmail:read","gmail:send"],"name":"Deal mover","#,
                r#""on_behalf_of":{{"active":true,"keys":["gmail:read"],"roles":[],"units":["{commerce}","{marketing}"],"#,
                r#""user":"{mara}"}},"owner":{{"active":true,"user":"{dana}"}},"unit_path":["{commerce}","{sales}"]}}"#
            ),
            agent = acme.mover,
            commerce = commerce,
            marketing = marketing,
            mara = acme.mara,
            dana = acme.dana,
            sales = sales,
        )
    );
    assert_eq!(who.state, <[u8; 32]>::from(Sha256::digest(who.state_json.as_bytes())));
    assert_eq!(*who.unit_path, [commerce, sales]);
    assert_eq!((who.agent, who.owner, who.on_behalf_of), (acme.mover, acme.dana, Some(acme.mara)));

    // The order of the rows does not show; what is granted does.
    let mut turned = acme.world.clone();
    turned.facts.grants.reverse();
    turned.facts.units.reverse();
    assert_eq!(principal(&turned.directory(), 4).attribution.state, who.state);
    turned.grant("crm", Grantee::Agent(acme.mover), None);
    assert_ne!(principal(&turned.directory(), 4).attribution.state, who.state);
}

#[test]
fn the_list_is_in_order_and_shows_full_names() {
    let mut acme = Acme::new();
    acme.world.grant("crm", Grantee::Agent(acme.mover), None);
    acme.world.tool(acme.gmail, "archive", "gmail:read");
    let directory = acme.world.directory();
    let tools = directory.visible(&principal(&directory, 3));
    let names: Vec<&str> = tools.iter().map(|tool| &*tool.full_name).collect();
    assert_eq!(names, ["crm.list", "gmail.archive", "gmail.read", "gmail.send"]);
    assert_eq!(&*tools[3].listing, r#"{"inputSchema":{"type":"object"},"name":"gmail.send"}"#);
    assert_eq!(
        (&*tools[3].name, &*tools[3].module_name, &*tools[3].module_title),
        ("send", "gmail", "Gmail")
    );
}

#[test]
fn a_directory_is_stale_when_the_next_grant_ends() {
    let mut acme = Acme::new();
    assert_eq!(acme.world.directory().stale_at(), None);
    for end in [-10, 0, 40, 20] {
        acme.world.grant("crm", Grantee::Agent(acme.inbox), Some(at(end)));
    }
    assert_eq!(acme.world.directory().stale_at(), Some(at(20)));
    let later = Directory::build(acme.world.facts.clone(), at(20)).unwrap();
    assert_eq!(later.stale_at(), Some(at(40)));
    let last = Directory::build(acme.world.facts.clone(), at(40)).unwrap();
    assert_eq!(last.stale_at(), None);
    assert!(matches!(call(&later, 1, "crm.list"), Decision::Permit(_)));
    assert!(matches!(call(&last, 1, "crm.list"), Decision::Deny(_)));
}

type Spoil = fn(&mut Acme);

#[test]
fn facts_that_contradict_each_other_are_refused() {
    fn nowhere<T: From<Uuid>>() -> T {
        T::from(Uuid::from_u128(0xdead))
    }
    let spoils: [(&str, Spoil); 24] = [
        ("user Mara Vogel refers to unit_", |a| a.world.user_mut(a.mara).home_unit = nowhere()),
        ("user Mara Vogel refers to unit_", |a| a.world.user_mut(a.mara).units.push(nowhere())),
        ("agent Inbox helper refers to unit_", |a| a.world.agent_mut(a.inbox).home_unit = nowhere()),
        ("agent Inbox helper refers to user_", |a| a.world.agent_mut(a.inbox).owner = nowhere()),
        ("refers to agent_", |a| a.world.credential_mut(1).agent = nowhere()),
        ("refers to user_", |a| a.world.credential_mut(1).on_behalf_of = Some(nowhere())),
        ("module gmail refers to user_", |a| a.world.module_mut(a.gmail).owner = Some(nowhere())),
        ("tool send refers to mod_", |a| a.world.tool_mut(a.send).module = nowhere()),
        ("the grant of crm (grant_", |a| _ = a.world.grant("crm", Grantee::Unit(nowhere()), None)),
        ("refers to user_", |a| _ = a.world.grant("crm", Grantee::User(nowhere()), None)),
        ("refers to agent_", |a| _ = a.world.grant("crm", Grantee::Agent(nowhere()), Some(at(-1)))),
        ("unit Commerce refers to unit_", |a| a.world.facts.units[0].parent = Some(nowhere())),
        ("form a circle", |a| a.world.facts.units[0].parent = Some(a.units[2])),
        ("two tools, modules or bundles are called gmail.read", |a| {
            a.world.tool_mut(a.send).name = "read".to_owned()
        }),
        ("two tools, modules or bundles are called crm", |a| {
            a.world.module_mut(a.gmail).name = "crm".to_owned()
        }),
        ("user Dana Roth is among the facts twice", |a| {
            a.world.facts.users.push(a.world.facts.users[0].clone())
        }),
        ("agent Inbox helper is among", |a| a.world.facts.agents.push(a.world.facts.agents[0].clone())),
        ("module gmail is among", |a| a.world.facts.modules.push(a.world.facts.modules[0].clone())),
        ("tool read is among", |a| a.world.facts.tools.push(a.world.facts.tools[0].clone())),
        ("bundle desk refers to tool_", |a| a.world.bundle("desk", &[(nowhere(), "send")])),
        ("bundles are called send", |a| a.world.bundle("desk", &[(a.send, "send"), (a.send, "send")])),
        ("bundles are called prompt:send", |a| a.world.bundle("desk", &[(a.send, "prompt:send")])),
        ("bundles are called desk", |a| {
            a.world.bundle("desk", &[]);
            a.world.bundle("desk", &[]);
        }),
        ("is among the facts twice", |a| a.world.credential_mut(1).secret_hash = hash(2)),
    ];
    for (fault, spoil) in spoils {
        let mut acme = Acme::new();
        spoil(&mut acme);
        let error = Directory::build(acme.world.facts, at(0)).unwrap_err().to_string();
        assert!(error.contains(fault), "{fault}: {error}");
    }
}

#[test]
fn the_deepest_tree_hands_its_grants_all_the_way_down() {
    let mut world = World::new();
    let mut unit = world.unit("0", None);
    let top = unit;
    for n in 1..MAX_UNIT_DEPTH {
        unit = world.unit(&n.to_string(), Some(unit));
    }
    let owner = world.user("Dana Roth", unit);
    let agent = world.agent("Diver", owner, unit);
    world.credential(1, agent, None);
    let crm = world.module("crm", "CRM", None);
    world.tool(crm, "list", "crm:read");
    world.grant("crm", Grantee::Unit(top), None);
    assert!(matches!(call(&world.directory(), 1, "crm.list"), Decision::Permit(_)));
    world.unit("one too many", Some(unit));
    assert!(Directory::build(world.facts, at(0)).is_err());
}

#[test]
fn names_of_any_kind_are_taken_as_names() {
    let mut acme = Acme::new();
    let odd = "\"; permit(principal,action,resource); // \u{0}\n\\`";
    acme.world.agent_mut(acme.inbox).name = odd.to_owned();
    acme.world.tool_mut(acme.send).name = odd.to_owned();
    acme.world.facts.units[1].name = odd.to_owned();
    let directory = acme.world.directory();
    assert!(matches!(call(&directory, 1, &format!("gmail.{odd}")), Decision::Deny(_)));
    assert_eq!(key("gmail:send").module(), "gmail");
    let state: serde_json::Value =
        serde_json::from_str(&principal(&directory, 1).attribution.state_json).unwrap();
    assert_eq!(state["name"], odd);
}

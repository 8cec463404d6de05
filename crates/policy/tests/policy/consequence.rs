//! What is said of a change before it is made is what `decide` says afterwards.

// Tests may panic; clippy knows that only of functions marked as tests.

use std::collections::BTreeMap;

use crate::sketch::{Sketch, any_index, key_of, sketch, whoever};
use crate::world::{Acme, at, hash, key};
use model::access::{Grantee, PermissionKey};
use model::catalog::Feature;
use model::people::Role;
use model::{AgentId, GrantId, UserId};
use policy::{Consequence, Decision, Directory, Facts, GrantFact, Way, consequence};
use proptest::prelude::*;
use proptest::sample::Index;
use uuid::Uuid;

/// How many tools of each key every way of an agent to act gains and loses, by asking `decide` for each tool.
fn decided(
    before: &Facts,
    after: &[GrantFact],
) -> BTreeMap<(PermissionKey, Way, AgentId, Option<UserId>), usize> {
    let after = Facts { grants: after.to_vec(), ..before.clone() };
    let (was, is) =
        (Directory::build(before.clone(), at(0)).unwrap(), Directory::build(after, at(0)).unwrap());
    let may = |directory: &Directory, n: usize, name: &str| {
        let principal = whoever(directory, n);
        directory.resolve(&principal, Feature::Tool, name).is_ok_and(|tool| {
            matches!(directory.decide(&principal, &tool, [0; 32], at(0)), Decision::Permit(_))
        })
    };
    let mut counted = BTreeMap::new();
    let mut seen = Vec::new();
    for (n, credential) in before.credentials.iter().enumerate() {
        // Two keys of one agent are one way to act; what is over is none.
        let way = (credential.agent, credential.on_behalf_of);
        if credential.expires_at.is_some_and(|end| end <= at(0)) || seen.contains(&way) {
            continue;
        }
        seen.push(way);
        for tool in &before.tools {
            let module = before.modules.iter().find(|module| module.id == tool.module).unwrap();
            let name = format!("{}.{}", module.name, tool.name);
            let change = match (may(&was, n, &name), may(&is, n, &name)) {
                (false, true) => Way::Gains,
                (true, false) => Way::Loses,
                _ => continue,
            };
            *counted.entry((tool.key.clone(), change, way.0, way.1)).or_default() += 1;
        }
    }
    counted
}

/// A grant as chance wrote it: module, part of it, kind of grantee, which one, until when.
type Drawn = (Index, Option<Index>, u8, Index, Option<i64>);

/// Grants as somebody might leave them: some taken away, some given.
fn changed(sketch: &Sketch, facts: &Facts, gone: &[Index], given: &[Drawn]) -> Vec<GrantFact> {
    let mut after = facts.grants.clone();
    for which in gone.iter().filter(|_| !facts.grants.is_empty()) {
        let id = facts.grants[which.index(facts.grants.len())].id;
        after.retain(|grant| grant.id != id);
    }
    for (n, (module, part, kind, whom, until)) in given.iter().enumerate() {
        let grantee = match kind {
            0 => Grantee::Unit(whom.get(&facts.units).id),
            1 => Grantee::Role(*whom.get(Role::ALL)),
            2 => Grantee::User(whom.get(&facts.users).id),
            _ => Grantee::Agent(whom.get(&facts.agents).id),
        };
        let key = key_of(module, part.as_ref(), sketch.modules()).parse().unwrap();
        let id = GrantId::from(Uuid::from_u128(10_000 + n as u128));
        after.push(GrantFact { id, key, grantee, expires_at: until.map(at) });
    }
    after
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn what_is_foretold_is_what_is_decided(
        sketch in sketch(),
        open in any::<bool>(),
        gone in prop::collection::vec(any_index(), 0..4),
        given in prop::collection::vec(
            (any_index(), prop::option::of(any_index()), 0u8..4, any_index(), prop::option::weighted(0.3, -3i64..6)),
            0..4,
        ),
    ) {
        let mut facts = sketch.facts();
        if open {
            // Agents that hold everything may call for a person what the person may.
            for agent in &facts.agents {
                for module in &facts.modules {
                    let (id, key) = (GrantId::from(Uuid::from_u128(30_000)), module.name.parse().unwrap());
                    facts.grants.push(GrantFact { id, key, grantee: Grantee::Agent(agent.id), expires_at: None });
                }
            }
        }
        let after = changed(&sketch, &facts, &gone, &given);
        let told = consequence(&facts, &after, at(0)).unwrap();
        let with_key = |agent| facts.credentials.iter().any(|held| {
            held.agent == agent && held.expires_at.is_none_or(|end| end > at(0))
        });
        let said: BTreeMap<_, _> = told
            .agents
            .iter()
            .filter(|shift| with_key(shift.agent))
            .map(|shift| ((shift.key.clone(), shift.way, shift.agent, shift.on_behalf_of), shift.tools))
            .collect();
        prop_assert_eq!(said, decided(&facts, &after));

        // An agent without a key counts as if it had one for itself.
        let mut keyed = facts.clone();
        for (n, agent) in facts.agents.iter().enumerate().filter(|(_, agent)| !with_key(agent.id)) {
            let mut credential = facts.credentials[0].clone();
            (credential.id, credential.agent) = (Uuid::from_u128(20_000 + n as u128).into(), agent.id);
            (credential.on_behalf_of, credential.expires_at) = (None, None);
            credential.secret_hash = hash(100 + n as u8);
            keyed.credentials.push(credential);
        }
        prop_assert_eq!(consequence(&keyed, &after, at(0)).unwrap(), told.clone());

        // Back again is the opposite.
        let back = Facts { grants: after, ..facts.clone() };
        let opposite = consequence(&back, &facts.grants, at(0)).unwrap();
        prop_assert_eq!(mirrored(&opposite), told);
    }
}

fn mirrored(consequence: &Consequence) -> Consequence {
    let other = |way| if way == Way::Gains { Way::Loses } else { Way::Gains };
    let mut mirrored = consequence.clone();
    mirrored.agents.iter_mut().for_each(|shift| shift.way = other(shift.way));
    mirrored.people.iter_mut().for_each(|shift| shift.way = other(shift.way));
    mirrored.agents.sort_unstable();
    mirrored.people.sort_unstable();
    mirrored
}

fn given(facts: &Facts, key: &str, grantee: Grantee) -> Vec<GrantFact> {
    let mut after = facts.grants.clone();
    after.push(GrantFact {
        id: GrantId::from(Uuid::from_u128(9_999)),
        key: key.parse().unwrap(),
        grantee,
        expires_at: None,
    });
    after
}

#[test]
fn a_unit_that_is_given_a_module_gains_what_it_did_not_have() {
    let acme = Acme::new();
    let facts = &acme.world.facts;
    let told = consequence(facts, &given(facts, "gmail", Grantee::Unit(acme.units[1])), at(0)).unwrap();
    let said: Vec<_> =
        told.agents.iter().map(|it| (it.key.as_str(), it.way, it.agent, it.on_behalf_of, it.tools)).collect();
    assert_eq!(
        said,
        [
            ("gmail:send", Way::Gains, acme.inbox, None, 1),
            // For Dana, who has the key as an admin, it may send now too; the mover may for Mara, who gains it here.
            ("gmail:send", Way::Gains, acme.inbox, Some(acme.dana), 1),
            ("gmail:send", Way::Gains, acme.mover, Some(acme.mara), 1),
        ]
    );
    let people: Vec<_> = told.people.iter().map(|it| (it.key.as_str(), it.way, it.person)).collect();
    assert_eq!(people, [("gmail:send", Way::Gains, acme.mara)]);
    assert_eq!(told.keys, BTreeMap::from([(key("gmail:read"), 1), (key("gmail:send"), 1)]));
}

#[test]
fn what_one_has_in_another_way_too_is_neither_gained_nor_lost() {
    let acme = Acme::new();
    let facts = &acme.world.facts;
    // Commerce has it already, and Sales lies in it.
    let told = consequence(facts, &given(facts, "gmail:read", Grantee::Unit(acme.units[2])), at(0)).unwrap();
    assert_eq!((told.agents, told.people), (vec![], vec![]));
    let without: Vec<_> =
        facts.grants.iter().filter(|grant| grant.grantee != Grantee::Role(Role::Admin)).cloned().collect();
    let told = consequence(facts, &without, at(0)).unwrap();
    assert_eq!((told.agents, told.people), (vec![], vec![]), "Dana sits in Sales, which has it");
}

#[test]
fn a_key_that_no_tool_asks_for_stands_for_itself() {
    let acme = Acme::new();
    let facts = &acme.world.facts;
    let told = consequence(facts, &given(facts, "gmail:label", Grantee::User(acme.mara)), at(0)).unwrap();
    assert_eq!(told.agents, vec![]);
    assert_eq!(told.keys, BTreeMap::from([(key("gmail:label"), 0)]));
    assert_eq!(told.people.len(), 1);
}

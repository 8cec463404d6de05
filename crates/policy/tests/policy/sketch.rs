//! Random tenants, small enough to be walked naively.

use std::sync::Arc;

use model::access::Grantee;
use model::catalog::{ModuleStanding, ToolStanding};
use model::people::{Role, Standing};
use model::{AgentId, UnitId, UserId};
use policy::{Directory, Facts, Principal, Unauthenticated};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::world::{World, at, hash};

/// A tenant in the raw: places in lists are taken modulo their length.
#[derive(Clone, Debug)]
pub struct Sketch {
    tenant_suspended: bool,
    /// The unit above, among those before.
    units: Vec<Option<Index>>,
    /// Home, further units, roles, suspended.
    users: Vec<(Index, Vec<Index>, Vec<Index>, bool)>,
    /// Owner, home, suspended.
    agents: Vec<(Index, Index, bool)>,
    /// Agent, on behalf of, expiry.
    credentials: Vec<(Index, Option<Index>, Option<i64>)>,
    /// Switched off.
    modules: Vec<bool>,
    /// Module, part of its key, standing.
    tools: Vec<(Index, Option<Index>, Index)>,
    grants: Vec<GrantSketch>,
}

/// Module, part of its key, kind of grantee, which of them, expiry.
type GrantSketch = (Index, Option<Index>, u8, Index, Option<i64>);

/// Parts that keys have.
pub const PARTS: [&str; 3] = ["read", "write", "send"];
const NAMES: [&str; 4] = ["crm", "drive", "gmail", "wiki"];

fn seldom() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.08)
}

/// A place in a list.
pub fn any_index() -> impl Strategy<Value = Index> {
    any::<Index>()
}

/// Any tenant.
pub fn sketch() -> impl Strategy<Value = Sketch> {
    let grant = (any_index(), weighted(0.6, any_index()), 0u8..4, any_index(), weighted(0.3, -3i64..6));
    let credential = (any_index(), weighted(0.6, any_index()), weighted(0.2, -2i64..6));
    (
        prop::bool::weighted(0.03),
        vec(weighted(0.7, any_index()), 1..8),
        vec((any_index(), vec(any_index(), 0..3), vec(any_index(), 0..3), seldom()), 1..6),
        vec((any_index(), any_index(), seldom()), 1..5),
        vec(credential, 1..6),
        vec(seldom(), 1..4),
        vec((any_index(), weighted(0.8, any_index()), any_index()), 1..8),
        vec(grant, 0..14),
    )
        .prop_map(|(tenant_suspended, units, users, agents, credentials, modules, tools, grants)| {
            Sketch { tenant_suspended, units, users, agents, credentials, modules, tools, grants }
        })
}

/// A key of one of the modules.
pub fn key_of(module: &Index, part: Option<&Index>, modules: usize) -> String {
    let module = NAMES[module.index(modules)];
    part.map_or_else(|| module.to_owned(), |part| format!("{module}:{}", part.get(&PARTS)))
}

impl Sketch {
    /// How many modules it has.
    pub fn modules(&self) -> usize {
        self.modules.len()
    }

    /// Spelled out.
    pub fn facts(&self) -> Facts {
        let mut world = World::new();
        let standing = |suspended| if suspended { Standing::Suspended } else { Standing::Active };
        world.facts.tenant.standing = standing(self.tenant_suspended);
        let mut units: Vec<UnitId> = vec![];
        for (n, above) in self.units.iter().enumerate() {
            let parent = above.filter(|_| n > 0).map(|above| *above.get(&units));
            units.push(world.unit(&format!("Unit {n}"), parent));
        }
        let mut users: Vec<UserId> = vec![];
        for (n, (home, further, roles, suspended)) in self.users.iter().enumerate() {
            users.push(world.user(&format!("Person {n}"), *home.get(&units)));
            let user = world.user_mut_last();
            user.units = further.iter().map(|unit| *unit.get(&units)).collect();
            user.roles = roles.iter().map(|role| *role.get(Role::ALL)).collect();
            user.standing = standing(*suspended);
        }
        let mut agents: Vec<AgentId> = vec![];
        for (n, (owner, home, suspended)) in self.agents.iter().enumerate() {
            agents.push(world.agent(&format!("Agent {n}"), *owner.get(&users), *home.get(&units)));
            world.agent_mut(agents[n]).standing = standing(*suspended);
        }
        for (n, (agent, person, expiry)) in self.credentials.iter().enumerate() {
            world.credential(n as u8, *agent.get(&agents), person.map(|person| *person.get(&users)));
            world.credential_mut(n as u8).expires_at = expiry.map(at);
        }
        let modules = self.modules.iter().zip(NAMES).map(|(off, name)| {
            let id = world.module(name, name, None);
            world.module_mut(id).standing = if *off { ModuleStanding::Off } else { ModuleStanding::Live };
            id
        });
        let modules: Vec<_> = modules.collect();
        for (n, (module, part, standing)) in self.tools.iter().enumerate() {
            let wanted = key_of(module, part.as_ref(), modules.len());
            let id = world.tool(*module.get(&modules), &format!("tool_{n}"), &wanted);
            // Two in three are approved.
            world.tool_mut(id).standing = match standing.index(12) {
                0 => ToolStanding::Proposed,
                1 => ToolStanding::Drifted,
                2 => ToolStanding::Withdrawn,
                _ => ToolStanding::Approved,
            };
        }
        for (module, part, kind, whom, expiry) in &self.grants {
            let grantee = match kind {
                0 => Grantee::Unit(*whom.get(&units)),
                1 => Grantee::Role(*whom.get(Role::ALL)),
                2 => Grantee::User(*whom.get(&users)),
                _ => Grantee::Agent(*whom.get(&agents)),
            };
            world.grant(&key_of(module, part.as_ref(), modules.len()), grantee, expiry.map(at));
        }
        world.facts
    }
}

/// Who a credential stands for, refused or not.
pub fn whoever(directory: &Directory, n: usize) -> Arc<Principal> {
    match directory.authenticate(&hash(n as u8), None, at(0)) {
        Ok(principal) | Err(Unauthenticated::Refused { principal, .. }) => principal,
        Err(Unauthenticated::Unknown) => panic!("credential {n} is not known"),
    }
}

//! What must hold in every tenant, tried on random ones against an oracle that walks the facts naively.

// Tests may panic; clippy knows that only of functions marked as tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::type_complexity)]

mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use model::access::Grantee;
use model::catalog::{ModuleStanding, ToolStanding};
use model::people::{Role, Standing};
use model::{AgentId, Timestamp, UnitId, UserId};
use policy::{
    AgentFact, CredentialFact, Decision, Directory, Facts, GrantFact, Principal, ToolFact, Unauthenticated,
};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::Index;
use world::{World, at, hash};

/// A tenant in the raw: places in lists are taken modulo their length.
#[derive(Clone, Debug)]
struct Sketch {
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
    /// Module, part of its key, kind of grantee, which of them, expiry.
    grants: Vec<(Index, Option<Index>, u8, Index, Option<i64>)>,
}

const PARTS: [&str; 3] = ["read", "write", "send"];
const NAMES: [&str; 4] = ["crm", "drive", "gmail", "wiki"];

fn seldom() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.08)
}

fn any_index() -> impl Strategy<Value = Index> {
    any::<Index>()
}

fn sketch() -> impl Strategy<Value = Sketch> {
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

fn key_of(module: &Index, part: Option<&Index>, modules: usize) -> String {
    let module = NAMES[module.index(modules)];
    part.map_or_else(|| module.to_owned(), |part| format!("{module}:{}", part.get(&PARTS)))
}

impl Sketch {
    fn facts(&self) -> Facts {
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
fn whoever(directory: &Directory, n: usize) -> Arc<Principal> {
    match directory.authenticate(&hash(n as u8), None, at(0)) {
        Ok(principal) | Err(Unauthenticated::Refused { principal, .. }) => principal,
        Err(Unauthenticated::Unknown) => panic!("credential {n} is not known"),
    }
}

fn is_in(facts: &Facts, mut unit: UnitId, wanted: UnitId) -> bool {
    loop {
        if unit == wanted {
            return true;
        }
        match facts.units.iter().find(|fact| fact.id == unit).unwrap().parent {
            Some(parent) => unit = parent,
            None => return false,
        }
    }
}

/// Whether a grant reaches an agent, or the person it acts for.
fn reaches(facts: &Facts, grant: &GrantFact, agent: Option<&AgentFact>, person: Option<UserId>) -> bool {
    let person = person.map(|id| facts.users.iter().find(|user| user.id == id).unwrap());
    match grant.grantee {
        Grantee::Agent(id) => agent.is_some_and(|agent| agent.id == id),
        Grantee::User(id) => person.is_some_and(|user| user.id == id),
        Grantee::Role(role) => person.is_some_and(|user| user.roles.contains(&role)),
        Grantee::Unit(unit) => {
            agent.is_some_and(|agent| is_in(facts, agent.home_unit, unit))
                || person.is_some_and(|user| {
                    is_in(facts, user.home_unit, unit)
                        || user.units.iter().any(|own| is_in(facts, *own, unit))
                })
        }
    }
}

/// The latest end among the grants that reach; the outer none: there is no such grant at `now`.
fn held(
    facts: &Facts,
    tool: &ToolFact,
    agent: Option<&AgentFact>,
    person: Option<UserId>,
    now: Timestamp,
) -> Option<Option<Timestamp>> {
    let mut ends = facts
        .grants
        .iter()
        .filter(|grant| grant.key.covers(&tool.key) && reaches(facts, grant, agent, person))
        .map(|grant| grant.expires_at)
        .filter(|end| end.is_none_or(|end| end > now));
    let first = ends.next()?;
    Some(ends.fold(first, |a, b| Some(a?.max(b?))))
}

fn active(facts: &Facts, person: UserId) -> bool {
    facts.users.iter().any(|user| user.id == person && user.standing == Standing::Active)
}

/// Whether a credential's holder may call a tool at `now`, and until when; straight from the facts.
fn oracle(
    facts: &Facts,
    holder: &CredentialFact,
    tool: &ToolFact,
    now: Timestamp,
) -> Option<Option<Timestamp>> {
    let agent = facts.agents.iter().find(|agent| agent.id == holder.agent).unwrap();
    let module = facts.modules.iter().find(|module| module.id == tool.module).unwrap();
    let open = facts.tenant.standing == Standing::Active
        && module.standing == ModuleStanding::Live
        && tool.standing == ToolStanding::Approved
        && agent.standing == Standing::Active
        && active(facts, agent.owner)
        && holder.on_behalf_of.is_none_or(|person| active(facts, person))
        && holder.expires_at.is_none_or(|end| end > now);
    if !open {
        return None;
    }
    let mut ends = vec![holder.expires_at, held(facts, tool, Some(agent), None, now)?];
    if let Some(person) = holder.on_behalf_of {
        ends.push(held(facts, tool, None, Some(person), now)?);
    }
    Some(ends.into_iter().flatten().min())
}

/// Every (credential, tool) that is permitted at `now`, with the end of the permit.
fn permitted(facts: &Facts, now: Timestamp) -> BTreeSet<(usize, String, Option<Timestamp>)> {
    let directory = Directory::build(facts.clone(), at(0)).unwrap();
    let mut permitted = BTreeSet::new();
    for n in 0..facts.credentials.len() {
        let principal = whoever(&directory, n);
        for name in names(facts) {
            let Ok(tool) = directory.resolve(&principal, &name) else { continue };
            if let Decision::Permit(permit) = directory.decide(&principal, &tool, [0; 32], now) {
                permitted.insert((n, name, permit.valid_until()));
            }
        }
    }
    permitted
}

fn names(facts: &Facts) -> Vec<String> {
    facts.tools.iter().map(|tool| full_name(facts, tool)).collect()
}

fn full_name(facts: &Facts, tool: &ToolFact) -> String {
    let module = facts.modules.iter().find(|module| module.id == tool.module).unwrap();
    format!("{}.{}", module.name, tool.name)
}

fn without_ends(set: BTreeSet<(usize, String, Option<Timestamp>)>) -> BTreeSet<(usize, String)> {
    set.into_iter().map(|(n, name, _)| (n, name)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// No permit without a path of grants, no refusal with one, whenever it is asked, and each permit ends
    /// when what it rests on does. Nobody suspended is permitted anything, and nothing panics.
    #[test]
    fn decisions_are_those_of_the_oracle(sketch in sketch(), later in 0i64..7) {
        let facts = sketch.facts();
        let now = at(later);
        let mut expected = BTreeSet::new();
        for (n, holder) in facts.credentials.iter().enumerate() {
            for tool in &facts.tools {
                if let Some(end) = oracle(&facts, holder, tool, now) {
                    expected.insert((n, full_name(&facts, tool), end));
                }
            }
        }
        prop_assert_eq!(permitted(&facts, now), expected);
    }

    /// An old directory says no less strictly what one says that is built at the instant.
    #[test]
    fn an_old_directory_decides_as_a_new_one(sketch in sketch(), later in 0i64..7) {
        let facts = sketch.facts();
        let (old, new) = (facts.clone(), Directory::build(facts.clone(), at(later)).unwrap());
        let old = Directory::build(old, at(0)).unwrap();
        for n in 0..facts.credentials.len() {
            let (before, after) = (whoever(&old, n), whoever(&new, n));
            for name in names(&facts) {
                let Ok(tool) = new.resolve(&after, &name) else { continue };
                let was = matches!(old.decide(&before, &tool, [0; 32], at(later)), Decision::Permit(_));
                let is = matches!(new.decide(&after, &tool, [0; 32], at(later)), Decision::Permit(_));
                prop_assert_eq!(was, is, "{} calls {}", n, name);
            }
        }
    }

    /// Taking a grant away, or suspending somebody, never permits anything.
    #[test]
    fn less_is_never_more(sketch in sketch(), which in any_index()) {
        let facts = sketch.facts();
        let before = without_ends(permitted(&facts, at(0)));
        if !facts.grants.is_empty() {
            let mut fewer = facts.clone();
            fewer.grants.remove(which.index(facts.grants.len()));
            prop_assert!(without_ends(permitted(&fewer, at(0))).is_subset(&before));
        }
        let mut calmer = facts.clone();
        calmer.users[which.index(facts.users.len())].standing = Standing::Suspended;
        prop_assert!(without_ends(permitted(&calmer, at(0))).is_subset(&before));
    }

    /// On behalf of a person an agent may do what it may do for itself and the person may do too, and nothing
    /// else.
    #[test]
    fn on_behalf_of_somebody_is_what_both_may(sketch in sketch()) {
        let facts = sketch.facts();
        let mut for_itself = facts.clone();
        for_itself.credentials.iter_mut().for_each(|credential| credential.on_behalf_of = None);
        let (both, alone) = (without_ends(permitted(&facts, at(0))), without_ends(permitted(&for_itself, at(0))));
        prop_assert!(both.is_subset(&alone));
        for (n, name) in alone {
            let Some(person) = facts.credentials[n].on_behalf_of else { continue };
            let tool = facts.tools.iter().find(|tool| full_name(&facts, tool) == name).unwrap();
            let person_may = active(&facts, person) && held(&facts, tool, None, Some(person), at(0)).is_some();
            prop_assert_eq!(both.contains(&(n, name)), person_may);
        }
    }

    /// What is shown is what may be called, in order, the first time and the second.
    #[test]
    fn what_is_visible_may_be_called(sketch in sketch()) {
        let mut facts = sketch.facts();
        facts.credentials.iter_mut().for_each(|credential| credential.expires_at = None);
        let callable = without_ends(permitted(&facts, at(0)));
        let directory = Directory::build(facts.clone(), at(0)).unwrap();
        for n in 0..facts.credentials.len() {
            let principal = whoever(&directory, n);
            let may: Vec<&str> = callable.iter().filter(|(who, _)| *who == n).map(|(_, name)| name.as_str()).collect();
            for _ in 0..2 {
                let shown = directory.visible(&principal);
                prop_assert_eq!(shown.iter().map(|tool| &*tool.full_name).collect::<Vec<_>>(), may.clone());
            }
        }
    }

    /// Names and calls from outside are answered, whatever they are.
    #[test]
    fn any_name_is_answered(sketch in sketch(), name in ".{0,120}", more in "(crm|gmail)[._]?[a-z_0-9]{0,8}") {
        let facts = sketch.facts();
        let directory = Directory::build(facts.clone(), at(0)).unwrap();
        for n in 0..facts.credentials.len() {
            let principal = whoever(&directory, n);
            for name in [&name, &more] {
                if let Err(refusal) = directory.resolve(&principal, name) {
                    prop_assert!(refusal.reason.sentence.starts_with("Denied: "));
                    prop_assert!(!refusal.reason.sentence.contains(char::is_control));
                    prop_assert!(refusal.reason.sentence.len() < 1_000);
                }
            }
        }
    }
}

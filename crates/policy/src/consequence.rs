//! What a change of grants would come to, before it is made: who gains and who loses which tools.
//!
//! Two directories are built, of the facts as they are and as they would be, and Cedar is asked in both. Into them goes
//! only what the change can reach: the tools that ask for a changed key, and the principals whose keys, or whose
//! owner's or person's keys, are others afterwards. All else is the same in both, so nothing else can be decided
//! differently, whatever the policies say.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cedar_policy::EntityUid;
use model::access::{Grantee, PermissionKey};
use model::people::Standing;
use model::{AgentId, Timestamp, UnitId, UserId};

use crate::catalog::Kind;
use crate::directory::{BuildError, Directory};
use crate::facts::{Facts, GrantFact, ModuleFact, UserFact};
use crate::keys::{KeyRing, Keys, over};
use crate::schema::Action;
use crate::tree::Tree;

/// Whether somebody has something more or less afterwards.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Way {
    /// Has it afterwards and not before.
    Gains,
    /// Has it before and not afterwards.
    Loses,
}

/// An agent that may call other tools afterwards, for itself or for one person.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AgentShift {
    /// The key that the tools ask for.
    pub key: PermissionKey,
    /// More or fewer.
    pub way: Way,
    /// The agent.
    pub agent: AgentId,
    /// For whom it acts; none: for itself.
    pub on_behalf_of: Option<UserId>,
    /// How many tools of this key it gains or loses; never 0.
    pub tools: usize,
}

/// A person who holds other keys afterwards. That alone calls nothing: an agent that acts for the person may call what
/// both may.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PersonShift {
    /// The key.
    pub key: PermissionKey,
    /// Gained or lost.
    pub way: Way,
    /// The person.
    pub person: UserId,
}

/// What a change of grants comes to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Consequence {
    /// Agents, by key.
    pub agents: Vec<AgentShift>,
    /// Active people, by key.
    pub people: Vec<PersonShift>,
    /// The keys in question, those that tools ask for and those that were changed, with the number of tools that
    /// ask for each and may be called.
    pub keys: BTreeMap<PermissionKey, usize>,
}

/// Compares who may call what under the grants among the facts and under the grants `after`, both at `now`. An agent
/// counts in every way in which one of its credentials lets it act; without any, as acting for itself.
///
/// # Errors
/// As [`Directory::build`].
pub fn consequence(facts: &Facts, after: &[GrantFact], now: Timestamp) -> Result<Consequence, BuildError> {
    let changed = changed(&facts.grants, after);
    let wanted = wanted(facts, &changed);
    let tree = Tree::grow(facts.units.clone())?;
    let wanted: Vec<(PermissionKey, PermissionKey)> =
        wanted.into_iter().map(|key| (key.clone(), module_key(&key))).collect();
    let relevant: HashSet<&PermissionKey> =
        changed.iter().chain(wanted.iter().flat_map(|(key, module)| [key, module])).collect();
    let ring = |grants: &[GrantFact]| {
        let relevant: Vec<GrantFact> =
            grants.iter().filter(|grant| relevant.contains(&grant.key)).cloned().collect();
        KeyRing::new(&relevant, &tree, now)
    };
    let mut rings = (ring(&facts.grants), ring(after));

    let (moved, people) = people(facts, &wanted, &mut rings);
    let agents: HashSet<AgentId> = reached_agents(facts, &moved, &mut rings);
    let ways = ways(facts, &agents, now);
    let (before, after) =
        (reached(facts, &facts.grants, &changed, &ways), reached(facts, after, &changed, &ways));
    let (before, after) = (Directory::build(before, now)?, Directory::build(after, now)?);

    let kinds: Vec<Kind<'_>> = before.catalog.kinds().filter(|kind| kind.callable).collect();
    let mut shifts = Vec::new();
    for (agent, on_behalf_of) in ways {
        shifts.extend(shifts_of(&before, &after, &kinds, agent, on_behalf_of));
    }
    shifts.sort_unstable();
    let mut keys: BTreeMap<PermissionKey, usize> = wanted.into_iter().map(|(key, _)| (key, 0)).collect();
    for kind in &kinds {
        *keys.entry(kind.key.clone()).or_default() += kind.tools;
    }
    Ok(Consequence { agents: shifts, people, keys })
}

/// The keys of which some grant is there before and not afterwards, or the other way round.
fn changed(before: &[GrantFact], after: &[GrantFact]) -> BTreeSet<PermissionKey> {
    fn all(grants: &[GrantFact]) -> HashSet<(&PermissionKey, Grantee, Option<Timestamp>)> {
        grants.iter().map(|grant| (&grant.key, grant.grantee, grant.expires_at)).collect()
    }
    all(before).symmetric_difference(&all(after)).map(|(key, ..)| (*key).clone()).collect()
}

/// The keys that tools ask for and that a changed key is enough for; a changed key that no tool asks for stands for
/// itself.
fn wanted(facts: &Facts, changed: &BTreeSet<PermissionKey>) -> BTreeSet<PermissionKey> {
    let mut wanted: BTreeSet<PermissionKey> =
        facts.tools.iter().map(|tool| &tool.key).filter(|key| reaches(changed, key)).cloned().collect();
    let idle: Vec<_> =
        changed.iter().filter(|key| !wanted.iter().any(|it| key.covers(it))).cloned().collect();
    wanted.extend(idle);
    wanted
}

fn reaches(changed: &BTreeSet<PermissionKey>, key: &PermissionKey) -> bool {
    changed.contains(key) || changed.iter().any(|changed| changed.covers(key))
}

/// The key of a key's module. A key's first part is always a key; were it not, the key itself is the narrowest reading.
fn module_key(key: &PermissionKey) -> PermissionKey {
    key.module().parse().unwrap_or_else(|_| key.clone())
}

/// The people whose keys change, and what that is for those who may act. `wanted`: keys with their modules' keys.
fn people(
    facts: &Facts,
    wanted: &[(PermissionKey, PermissionKey)],
    rings: &mut (KeyRing, KeyRing),
) -> (HashSet<UserId>, Vec<PersonShift>) {
    let (mut moved, mut shifts) = (HashSet::new(), Vec::new());
    for user in &facts.users {
        let units = units_of(user);
        let own = Grantee::User(user.id);
        let (before, after) = (rings.0.of(own, &units, &user.roles), rings.1.of(own, &units, &user.roles));
        if same(&before, &after) {
            continue;
        }
        moved.insert(user.id);
        if facts.tenant.standing != Standing::Active || user.standing != Standing::Active {
            continue;
        }
        for (key, module) in wanted {
            let way = match (before.until(key, module).is_some(), after.until(key, module).is_some()) {
                (false, true) => Way::Gains,
                (true, false) => Way::Loses,
                _ => continue,
            };
            shifts.push(PersonShift { key: key.clone(), way, person: user.id });
        }
    }
    shifts.sort_unstable();
    (moved, shifts)
}

fn units_of(user: &UserFact) -> Vec<UnitId> {
    let further = user.units.iter().copied().filter(|unit| *unit != user.home_unit);
    std::iter::once(user.home_unit).chain(further).collect()
}

/// Whether two hold the same keys. Until when is no matter here.
fn same(one: &Keys, other: &Keys) -> bool {
    one.iter().eq(other.iter())
}

/// The agents whose keys change, or those of somebody whom policies can read through them.
fn reached_agents(
    facts: &Facts,
    moved: &HashSet<UserId>,
    rings: &mut (KeyRing, KeyRing),
) -> HashSet<AgentId> {
    let mut reached: HashSet<AgentId> = facts
        .credentials
        .iter()
        .filter(|credential| credential.on_behalf_of.is_some_and(|person| moved.contains(&person)))
        .map(|credential| credential.agent)
        .collect();
    for agent in &facts.agents {
        let (own, home) = (Grantee::Agent(agent.id), [agent.home_unit]);
        if moved.contains(&agent.owner) || !same(&rings.0.of(own, &home, &[]), &rings.1.of(own, &home, &[])) {
            reached.insert(agent.id);
        }
    }
    reached
}

/// For whom each of the agents may act, by the credentials that have not expired.
fn ways(facts: &Facts, agents: &HashSet<AgentId>, now: Timestamp) -> BTreeSet<(AgentId, Option<UserId>)> {
    let mut ways: BTreeSet<(AgentId, Option<UserId>)> = facts
        .credentials
        .iter()
        .filter(|credential| agents.contains(&credential.agent) && !over(credential.expires_at, now))
        .map(|credential| (credential.agent, credential.on_behalf_of))
        .collect();
    let with: HashSet<AgentId> = ways.iter().map(|(agent, _)| *agent).collect();
    ways.extend(agents.iter().filter(|agent| !with.contains(agent)).map(|agent| (*agent, None)));
    ways
}

/// The facts that decisions on these agents and on tools of these keys rest on, under `grants`.
fn reached(
    facts: &Facts,
    grants: &[GrantFact],
    changed: &BTreeSet<PermissionKey>,
    ways: &BTreeSet<(AgentId, Option<UserId>)>,
) -> Facts {
    let agents: HashMap<AgentId, _> =
        facts.agents.iter().filter(|agent| has(ways, agent.id)).map(|agent| (agent.id, agent)).collect();
    let mut users: HashSet<UserId> = agents.values().map(|agent| agent.owner).collect();
    users.extend(ways.iter().filter_map(|(_, person)| *person));
    let tools: Vec<_> = facts.tools.iter().filter(|tool| reaches(changed, &tool.key)).cloned().collect();
    let modules: HashSet<_> = tools.iter().map(|tool| tool.module).collect();
    Facts {
        epoch: facts.epoch,
        tenant: facts.tenant.clone(),
        units: facts.units.clone(),
        users: facts.users.iter().filter(|user| users.contains(&user.id)).cloned().collect(),
        agents: agents.values().map(|agent| (*agent).clone()).collect(),
        credentials: facts
            .credentials
            .iter()
            .filter(|credential| ways.contains(&(credential.agent, credential.on_behalf_of)))
            .cloned()
            .collect(),
        modules: facts
            .modules
            .iter()
            .filter(|module| modules.contains(&module.id))
            // Owners are for sentences, which nobody reads here.
            .map(|module| ModuleFact { owner: None, ..module.clone() })
            .collect(),
        tools,
        // Bundles give no right.
        bundles: Vec::new(),
        limits: Vec::new(),
        grants: grants
            .iter()
            .filter(|grant| match grant.grantee {
                Grantee::Unit(_) | Grantee::Role(_) => true,
                Grantee::User(user) => users.contains(&user),
                Grantee::Agent(agent) => agents.contains_key(&agent),
            })
            .cloned()
            .collect(),
    }
}

fn has(ways: &BTreeSet<(AgentId, Option<UserId>)>, agent: AgentId) -> bool {
    ways.range((agent, None)..).next().is_some_and(|(first, _)| *first == agent)
}

/// What one agent may call more or less afterwards, in one of its ways.
fn shifts_of(
    before: &Directory,
    after: &Directory,
    kinds: &[Kind<'_>],
    agent: AgentId,
    on_behalf_of: Option<UserId>,
) -> Vec<AgentShift> {
    let mut counts: BTreeMap<(&PermissionKey, Way), usize> = BTreeMap::new();
    for kind in kinds {
        let way = match (
            may(before, agent, on_behalf_of, kind.sample),
            may(after, agent, on_behalf_of, kind.sample),
        ) {
            (false, true) => Way::Gains,
            (true, false) => Way::Loses,
            _ => continue,
        };
        *counts.entry((kind.key, way)).or_default() += kind.tools;
    }
    let shift = |((key, way), tools): ((&PermissionKey, Way), usize)| AgentShift {
        key: key.clone(),
        way,
        agent,
        on_behalf_of,
        tools,
    };
    counts.into_iter().map(shift).collect()
}

/// Whether an agent may call a tool at all, if need be once a person has approved: as [`Directory::decide`] asks, of the
/// agent and of the person it acts for.
fn may(directory: &Directory, agent: AgentId, on_behalf_of: Option<UserId>, tool: &EntityUid) -> bool {
    let agent = directory.agents.get(&agent).map(|agent| &agent.uid);
    let person = on_behalf_of.map(|id| directory.people.get(&id).map(|person| &person.uid));
    let allowed = |who: Option<&EntityUid>| {
        who.is_some_and(|who| {
            directory.rules.ask(&directory.entities, who, Action::Call, tool, on_behalf_of.is_some()).allowed
        })
    };
    allowed(agent) && person.is_none_or(allowed)
}

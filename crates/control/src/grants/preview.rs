//! What a change would come to, told before it is made: on the facts of one instant, by the policies themselves.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::access::{Grantee, PermissionKey};
use model::people::UnitKind;
use model::{AgentId, CallId, GrantId, Timestamp, UnitId, UserId};
pub use policy::Way;
use policy::{Consequence, Facts, GrantFact};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::change::{Change, Give, Reviewed, Revoke};
use super::pick::{self, Named};
use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, directory, rows};

/// How many agents, and how many people, are named for each key.
pub const NAMED: usize = 100;
/// How many running calls are listed at most.
const RUNNING: i64 = 100;
/// Calls that began longer ago are not looked for: none may take that long.
const LONGEST: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// What a change would come to.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Hand it back to [`super::change::change`].
    pub reviewed: Reviewed,
    /// What happens to each grant that was asked for, in that order: gives first.
    pub lines: Vec<Line>,
    /// What of it has an effect. The rest is so already.
    pub change: Change,
    /// Who gains and loses what, by key; losses first.
    pub shifts: Vec<Shift>,
    /// Changed keys that no tool asks for at present.
    pub idle: Vec<PermissionKey>,
    /// Calls that are running and could not be made any more. They run to their end.
    pub running: Vec<Running>,
}

/// One grant of a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The key.
    pub key: PermissionKey,
    /// Whose.
    pub whom: Named,
    /// What happens to it.
    pub effect: Effect,
}

/// What happens to a grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It is given.
    Given {
        /// Until when.
        until: Option<Timestamp>,
    },
    /// It is given already; its end changes.
    Ends {
        /// When it would have ended, or has.
        was: Option<Timestamp>,
        /// Until when it holds afterwards.
        until: Option<Timestamp>,
    },
    /// It is taken away.
    Revoked {
        /// When it would have ended, or has.
        was: Option<Timestamp>,
    },
    /// It was to be given, and is, until that very time.
    GivenAlready,
    /// It was to be taken away, and is not there.
    GoneAlready,
}

/// Those who gain, or lose, the tools of one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shift {
    /// The key that the tools ask for.
    pub key: PermissionKey,
    /// Gained or lost.
    pub way: Way,
    /// How many tools ask for the key and may be called.
    pub tools: usize,
    /// How many agents.
    pub agents_total: usize,
    /// In how many units of each kind they sit.
    pub units: BTreeMap<UnitKind, usize>,
    /// The first of them, by unit and name.
    pub agents: Vec<Affected>,
    /// How many people.
    pub people_total: usize,
    /// The first of them, by name.
    pub people: Vec<(UserId, String)>,
}

/// An agent that gains or loses something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Affected {
    /// Its id.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// Its unit.
    pub unit: UnitId,
    /// That unit's name.
    pub unit_name: String,
    /// The people on whose behalf alone it gains or loses; empty: also for itself.
    pub on_behalf_of: Vec<(UserId, String)>,
}

/// A call that is running.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Running {
    /// Its id.
    pub call: CallId,
    /// Whose.
    pub agent: AgentId,
    /// Its agent's name.
    pub agent_name: String,
    /// What it calls.
    pub tool: String,
    /// Since when.
    pub since: Timestamp,
}

/// Works out what a change would come to.
///
/// # Errors
/// `too_many`; `until` when an end has passed; not found, for a key or grantee that is not there.
pub async fn preview(control: &Control, actor: &Actor, change: Change) -> Result<Preview, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ChangeGrants, "grant")?;
    let now = tx.now();
    let change = change.checked(now)?;
    let whom = whom(&mut tx, &change).await?;
    known(&mut tx, &change).await?;
    drop(tx);

    let facts = directory::facts_of(control, actor.tenant(), &modules(&change)).await?;
    let (lines, change) = lines(&facts, change, &whom)?;
    let after = after(&facts, &change);
    // Asking thousands of times must not hold up the other tasks of this thread.
    let (facts, told) = tokio::task::spawn_blocking(move || {
        let told = policy::consequence(&facts, &after, now);
        (facts, told)
    })
    .await
    .map_err(|error| Error::inconsistent("consequence", error))?;
    let told = told.map_err(|error| Error::inconsistent("the set-up", error))?;
    let shifts = shifts(&facts, &told);
    let idle = told.keys.iter().filter(|(_, tools)| **tools == 0).map(|(key, _)| key.clone()).collect();
    let running = running(control, actor, &told, now).await?;
    let reviewed = Reviewed { epoch: facts.epoch.number, digest: digest(&lines, &told) };
    Ok(Preview { reviewed, lines, change, shifts, idle, running })
}

/// The modules whose keys are changed: no other tool can be gained or lost.
fn modules(change: &Change) -> Vec<String> {
    let gives = change.gives.iter().map(|give| &give.key);
    let keys = gives.chain(change.revokes.iter().map(|revoke| &revoke.key));
    let modules: HashSet<&str> = keys.map(PermissionKey::module).collect();
    modules.into_iter().map(str::to_owned).collect()
}

/// Those whom it is about, by name.
async fn whom(tx: &mut TenantTx, change: &Change) -> Result<HashMap<Grantee, Named>, Error> {
    let gives = change.gives.iter().map(|give| give.grantee);
    let wanted: HashSet<Grantee> = gives.chain(change.revokes.iter().map(|revoke| revoke.grantee)).collect();
    let wanted: Vec<Grantee> = wanted.into_iter().collect();
    let there = pick::by_id(tx, &wanted).await?;
    match wanted.iter().find(|grantee| !there.contains_key(grantee)) {
        Some(missing) => pick::one(tx, *missing).await.map(|_| there),
        None => Ok(there),
    }
}

/// Refuses keys that are not there.
async fn known(tx: &mut TenantTx, change: &Change) -> Result<(), Error> {
    let wanted: Vec<String> = change.gives.iter().map(|give| give.key.as_str().to_owned()).collect();
    let tenant = tx.tenant_uuid();
    let missing = sqlx::query_scalar!(
        r#"SELECT w.key AS "key!" FROM unnest($2::text[]) AS w (key)
           WHERE NOT EXISTS (SELECT FROM permission_keys k WHERE k.tenant_id = $1 AND k.key = w.key) LIMIT 1"#,
        tenant,
        &wanted,
    )
    .fetch_optional(tx.conn())
    .await?;
    match missing {
        Some(key) => Err(Error::not_found(format!("permission key `{key}`"))),
        None => Ok(()),
    }
}

/// What happens to each grant, and what of the change has an effect.
fn lines(
    facts: &Facts,
    change: Change,
    whom: &HashMap<Grantee, Named>,
) -> Result<(Vec<Line>, Change), Error> {
    let there: HashMap<(&PermissionKey, Grantee), Option<Timestamp>> =
        facts.grants.iter().map(|grant| ((&grant.key, grant.grantee), grant.expires_at)).collect();
    let mut lines = Vec::with_capacity(change.len());
    let mut effective = Change::default();
    let mut push = |key: &PermissionKey, grantee: Grantee, effect: Effect| -> Result<(), Error> {
        let whom = whom.get(&grantee).cloned().ok_or_else(|| Error::not_found("such grantee"))?;
        lines.push(Line { key: key.clone(), whom, effect });
        Ok(())
    };
    for Give { key, grantee, until } in change.gives {
        let effect = match there.get(&(&key, grantee)) {
            None => Effect::Given { until },
            Some(was) if *was == until => Effect::GivenAlready,
            Some(was) => Effect::Ends { was: *was, until },
        };
        push(&key, grantee, effect)?;
        if effect != Effect::GivenAlready {
            effective.gives.push(Give { key, grantee, until });
        }
    }
    for Revoke { key, grantee } in change.revokes {
        let effect = match there.get(&(&key, grantee)) {
            Some(was) => Effect::Revoked { was: *was },
            None => Effect::GoneAlready,
        };
        push(&key, grantee, effect)?;
        if effect != Effect::GoneAlready {
            effective.revokes.push(Revoke { key, grantee });
        }
    }
    Ok((lines, effective))
}

/// The grants as they would be.
fn after(facts: &Facts, change: &Change) -> Vec<GrantFact> {
    let touched: HashSet<(&PermissionKey, Grantee)> = change
        .gives
        .iter()
        .map(|give| (&give.key, give.grantee))
        .chain(change.revokes.iter().map(|revoke| (&revoke.key, revoke.grantee)))
        .collect();
    let stay = facts.grants.iter().filter(|grant| !touched.contains(&(&grant.key, grant.grantee))).cloned();
    let given = change.gives.iter().map(|give| GrantFact {
        // Nothing is decided by a grant's id.
        id: GrantId::from(Uuid::nil()),
        key: give.key.clone(),
        grantee: give.grantee,
        expires_at: give.until,
    });
    stay.chain(given).collect()
}

/// Agents, each with the people it acts for: `None` where it acts for itself.
type AgentWays = BTreeMap<AgentId, Vec<Option<UserId>>>;

/// By key and way, with names.
fn shifts(facts: &Facts, told: &Consequence) -> Vec<Shift> {
    let agents: HashMap<AgentId, _> = facts.agents.iter().map(|agent| (agent.id, agent)).collect();
    let users: HashMap<UserId, &str> = facts.users.iter().map(|user| (user.id, user.name.as_str())).collect();
    let units: HashMap<UnitId, _> = facts.units.iter().map(|unit| (unit.id, unit)).collect();
    let mut of_agents: BTreeMap<(Order, &PermissionKey), AgentWays> = BTreeMap::new();
    for shift in &told.agents {
        let ways = of_agents.entry((Order(shift.way), &shift.key)).or_default();
        ways.entry(shift.agent).or_default().push(shift.on_behalf_of);
    }
    let mut of_people: BTreeMap<(Order, &PermissionKey), Vec<UserId>> = BTreeMap::new();
    for shift in &told.people {
        of_people.entry((Order(shift.way), &shift.key)).or_default().push(shift.person);
    }
    let mut places: Vec<(Order, &PermissionKey)> =
        of_agents.keys().chain(of_people.keys()).copied().collect();
    places.sort_unstable();
    places.dedup();
    let named = |user: &UserId| (*user, users.get(user).map(|name| (*name).to_owned()).unwrap_or_default());
    places
        .into_iter()
        .map(|place| {
            let affected = of_agents.remove(&place).unwrap_or_default();
            let homes: HashSet<UnitId> =
                affected.keys().filter_map(|id| agents.get(id)).map(|agent| agent.home_unit).collect();
            let mut kinds: BTreeMap<UnitKind, usize> = BTreeMap::new();
            for unit in homes.iter().filter_map(|id| units.get(id)) {
                *kinds.entry(unit.kind).or_default() += 1;
            }
            let agents_total = affected.len();
            let mut first: Vec<Affected> = affected
                .into_iter()
                .filter_map(|(id, ways)| {
                    let agent = agents.get(&id)?;
                    let for_itself = ways.contains(&None);
                    let people = ways.iter().flatten().filter(|_| !for_itself).map(named).collect();
                    Some(Affected {
                        id,
                        name: agent.name.clone(),
                        unit: agent.home_unit,
                        unit_name: units
                            .get(&agent.home_unit)
                            .map(|unit| unit.name.clone())
                            .unwrap_or_default(),
                        on_behalf_of: people,
                    })
                })
                .collect();
            first.sort_by(|a, b| (&a.unit_name, &a.name).cmp(&(&b.unit_name, &b.name)));
            first.truncate(NAMED);
            let people = of_people.remove(&place).unwrap_or_default();
            let people_total = people.len();
            let mut people: Vec<(UserId, String)> = people.iter().map(named).collect();
            people.sort_by(|a, b| a.1.cmp(&b.1));
            people.truncate(NAMED);
            let (Order(way), key) = place;
            Shift {
                key: key.clone(),
                way,
                tools: told.keys.get(key).copied().unwrap_or(0),
                agents_total,
                units: kinds,
                agents: first,
                people_total,
                people,
            }
        })
        .collect()
}

/// Losses before gains.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Order(Way);

impl Ord for Order {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.cmp(&self.0)
    }
}

impl PartialOrd for Order {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Calls under way that could not be made any more.
async fn running(
    control: &Control,
    actor: &Actor,
    told: &Consequence,
    now: Timestamp,
) -> Result<Vec<Running>, Error> {
    let (mut agents, mut keys) = (Vec::new(), Vec::new());
    for shift in told.agents.iter().filter(|shift| shift.way == Way::Loses) {
        agents.push(shift.agent.uuid());
        keys.push(shift.key.as_str().to_owned());
    }
    if agents.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = actor.read(control).await?;
    let tenant = tx.tenant_uuid();
    let found = sqlx::query!(
        r#"SELECT c.id, c.received_at, c.agent_id, c.tool_name, a.name AS "agent_name?"
           FROM calls c
           JOIN tools t ON t.tenant_id = c.tenant_id AND t.id = c.tool_id
           LEFT JOIN agents a ON a.tenant_id = c.tenant_id AND a.id = c.agent_id
           WHERE c.tenant_id = $1 AND c.id >= $2 AND c.verdict = 'permit'
             AND (c.agent_id, t.permission_key) IN (SELECT l.agent, l.key FROM unnest($3::uuid[], $4::text[]) AS l (agent, key))
             AND NOT EXISTS (SELECT FROM settlements s
                             WHERE s.tenant_id = c.tenant_id AND s.call_id = c.id AND s.call_id >= $2)
           ORDER BY c.id DESC LIMIT $5"#,
        tenant,
        rows::uuid_floor(now - LONGEST),
        &agents,
        &keys,
        RUNNING,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(found
        .into_iter()
        .map(|row| Running {
            call: row.id.into(),
            agent: row.agent_id.into(),
            agent_name: row.agent_name.unwrap_or_default(),
            tool: row.tool_name,
            since: row.received_at,
        })
        .collect())
}

/// SHA-256 of what is shown of a change: what happens to each grant, and who gains and loses what. Who merely runs a
/// call at the moment is no part of it.
fn digest(lines: &[Line], told: &Consequence) -> model::call::Digest {
    let mut hash = Sha256::new();
    for line in lines {
        hash.update(format!("{} {:?} {:?}\n", line.key, line.whom.grantee, line.effect));
    }
    for shift in &told.agents {
        hash.update(format!("{shift:?}\n"));
    }
    for shift in &told.people {
        hash.update(format!("{shift:?}\n"));
    }
    hash.finalize().into()
}

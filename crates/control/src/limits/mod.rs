//! Limits on calls: how many in which time, of whom and of what. They are part of the directory, so that one that is changed
//! holds at the next call on every node; how much of each is used is in meters that all nodes share.

pub mod meters;
mod store;

use model::limit::{Allowance, OfWhat, Scope, Whose};
use model::{AgentId, LimitId, ModuleId, TenantId, Timestamp, ToolId, UnitId};
use policy::meter;
use serde_json::json;

use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error};

/// Limits of an organization, at most: each call is compared with those of its agent.
pub const MOST_LIMITS: i64 = 200;

/// A limit with names, and how much of it is used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LimitRow {
    /// Its id.
    pub id: LimitId,
    /// Which calls it counts.
    pub scope: Scope,
    /// How many, in which time.
    pub allowance: Allowance,
    /// Who set it last.
    pub set_by: String,
    /// When.
    pub set_at: Timestamp,
    /// Name of the unit or agent whose calls count; none: everybody's.
    pub whose: Option<String>,
    /// Of what: name and title of a module, and name of a tool in it; none: everything.
    pub what: Option<(String, String, Option<String>)>,
    /// How many calls are used at present, of the burst or of the quota. Where each agent has its own: by whom most are.
    pub used: u32,
    /// Where each agent has its own: the agent of which `used` speaks.
    pub used_by: Option<(AgentId, String)>,
}

/// Of what a page speaks: it shows the limits that can stand in the way of its calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum About {
    /// The organization: all limits.
    Everything,
    /// An agent: what counts its calls. Use is shown of this agent.
    Agent(AgentId),
    /// A module, or a tool of it.
    Module(ModuleId),
    /// A tool.
    Tool(ToolId),
}

/// The limits that concern something, the wider ones first.
pub async fn list(control: &Control, actor: &Actor, about: About) -> Result<Vec<LimitRow>, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadLimits, "limits")?;
    store::all(&mut tx, about).await
}

/// One limit.
pub async fn one(control: &Control, actor: &Actor, id: LimitId) -> Result<LimitRow, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadLimits, "limit")?;
    found(&mut tx, id).await
}

/// What a limit can be set on: units by path and modules by title; an agent and a tool where a page has named them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Choices {
    /// Units and their paths.
    pub units: Vec<(UnitId, String)>,
    /// Modules and their titles.
    pub modules: Vec<(ModuleId, String)>,
    /// An agent and its name.
    pub agent: Option<(AgentId, String)>,
    /// A tool and its full name.
    pub tool: Option<(ToolId, String)>,
}

/// What there is to choose from, with this agent and this tool.
pub async fn choices(
    control: &Control,
    actor: &Actor,
    agent: Option<AgentId>,
    tool: Option<ToolId>,
) -> Result<Choices, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ChangeLimits, "limits that you may change")?;
    store::choices(&mut tx, agent, tool).await
}

/// Sets a limit. What was called of a day or month before it was set counts.
///
/// # Errors
/// `already_set` where there is one of the same calls and time; `too_many`; `too_slow`; what is wrong with the numbers; not found: a
/// unit, agent, module or tool that is not there.
pub async fn set(
    control: &Control,
    actor: &Actor,
    scope: Scope,
    allowance: Allowance,
) -> Result<LimitId, Error> {
    check(scope, allowance)?;
    let before = counted(control, actor, scope, allowance).await?;
    let mut tx = actor.change(control, Deed::ChangeLimits, "limits that you may change").await?;
    if store::count(&mut tx).await? >= MOST_LIMITS {
        let sentence = format!("there are {MOST_LIMITS} limits: take one away first");
        return Err(Error::refused("too_many", sentence));
    }
    store::must_be_there(&mut tx, scope).await?;
    let id: LimitId = tx.id();
    store::insert(&mut tx, id, scope, allowance).await?;
    before.write(&mut tx, id).await?;
    let row = found(&mut tx, id).await?;
    let detail = json!({ "scope": scope, "allowance": allowance });
    tx.audit("limit.set", "limit", id, &row.title(), detail).await?;
    tx.commit().await?;
    Ok(id)
}

/// Changes how many calls a limit is of, and answers its id. What is used of it stays used. Where it is a quota of another time from now
/// on, or was one, it is another limit with an id of its own: nodes may draw from the old one's meters until they have heard of it, and
/// would begin the new one's count anew.
///
/// # Errors
/// `nothing_to_do`; `already_set`; `too_slow`; what is wrong with the numbers.
pub async fn change(
    control: &Control,
    actor: &Actor,
    id: LimitId,
    allowance: Allowance,
) -> Result<LimitId, Error> {
    let was = one(control, actor, id).await?;
    check(was.scope, allowance)?;
    let per = was.allowance.per;
    let is_anew = per != allowance.per && (per.is_quota() || allowance.per.is_quota());
    let before =
        if is_anew { counted(control, actor, was.scope, allowance).await? } else { Counted::default() };
    let mut tx = actor.change(control, Deed::ChangeLimits, "limit").await?;
    let was = found(&mut tx, id).await?;
    if was.allowance == allowance {
        return Err(Error::refused("nothing_to_do", "that is what it is"));
    }
    if was.allowance.per != per {
        // What was counted is of another time.
        return Err(Error::refused("changed_since", "somebody has just changed it: look at it again"));
    }
    let now_id = if is_anew {
        let anew: LimitId = tx.id();
        store::remove(&mut tx, id).await?;
        store::insert(&mut tx, anew, was.scope, allowance).await?;
        before.write(&mut tx, anew).await?;
        anew
    } else {
        store::change(&mut tx, id, allowance).await?;
        id
    };
    let instead_of = is_anew.then_some(id);
    let detail = json!({ "allowance": allowance, "was": was.allowance, "instead_of": instead_of });
    tx.audit("limit.change", "limit", now_id, &was.title(), detail).await?;
    tx.commit().await?;
    if is_anew {
        sweep(control, actor.tenant()).await;
    } else if let (Some(was), Some(worth)) = (meter::worth(was.allowance), meter::worth(allowance)) {
        rescale(control, actor.tenant(), id, was, worth).await;
    }
    Ok(now_id)
}

/// Takes a limit away: from the next call on it counts none.
pub async fn remove(control: &Control, actor: &Actor, id: LimitId) -> Result<LimitRow, Error> {
    let mut tx = actor.change(control, Deed::ChangeLimits, "limit").await?;
    let was = found(&mut tx, id).await?;
    store::remove(&mut tx, id).await?;
    let detail = json!({ "scope": was.scope, "allowance": was.allowance });
    tx.audit("limit.remove", "limit", id, &was.title(), detail).await?;
    tx.commit().await?;
    sweep(control, actor.tenant()).await;
    Ok(was)
}

/// Takes away the limits of an agent or a unit that is no more, and answers how many there were.
pub(crate) async fn remove_all_of(tx: &mut TenantTx, whose: Whose) -> Result<u64, Error> {
    store::remove_all_of(tx, whose).await
}

/// Not under the gate either. If it fails, as much of the time is used as before, and it passes by itself.
async fn rescale(control: &Control, tenant: TenantId, id: LimitId, was: i64, worth: i64) {
    let rescaled = async {
        let mut tx = Actor::worker(tenant).write(control).await?;
        store::rescale_meters(&mut tx, id, was, worth).await?;
        tx.commit().await
    };
    if let Err(error) = rescaled.await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(%tenant, limit = %id, error, "what is used of a limit is measured as before its change");
    }
}

/// Deletes meters whose limits are gone, also those that a node has drawn from once more after that. Not under the gate, where calls
/// would wait for it; what is left over by a failure goes the next time.
pub(crate) async fn sweep(control: &Control, tenant: TenantId) {
    let swept = async {
        let mut tx = Actor::worker(tenant).write(control).await?;
        store::sweep_meters(&mut tx).await?;
        tx.commit().await
    };
    if let Err(error) = swept.await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(%tenant, error, "meters of limits that are gone were not deleted");
    }
}

impl LimitRow {
    /// What it is about, for the record: `Sales: calls of Gmail`.
    fn title(&self) -> String {
        let whose = self.whose.as_deref().unwrap_or("Everybody");
        match &self.what {
            None => format!("{whose}: all calls"),
            Some((_, title, None)) => format!("{whose}: calls of {title}"),
            Some((module, _, Some(tool))) => format!("{whose}: calls of {module}.{tool}"),
        }
    }
}

fn check(scope: Scope, allowance: Allowance) -> Result<(), Error> {
    let Allowance { calls, per, burst } = allowance;
    if scope.each_agent && matches!(scope.whose, Whose::Agent(_)) {
        return Err(Error::invalid("each_agent", "one agent has its limit to itself anyway"));
    }
    if calls == 0 || calls > per.most() {
        let sentence = format!("give a number of calls from 1 to {}", per.most());
        return Err(Error::invalid("calls", sentence));
    }
    if burst == 0 || burst > calls {
        return Err(Error::invalid("burst", format!("give a number of calls from 1 to {calls}")));
    }
    if !allowance.is_sound() {
        return Err(Error::invalid("burst", "of a day's or month's calls, all may come at once"));
    }
    Ok(())
}

async fn found(tx: &mut TenantTx, id: LimitId) -> Result<LimitRow, Error> {
    store::one(tx, id).await?.ok_or_else(|| Error::not_found("such limit"))
}

/// How much of a quota was used before it was set.
#[derive(Default)]
struct Counted {
    since: i64,
    by: Vec<(Option<AgentId>, i64)>,
}

impl Counted {
    async fn write(self, tx: &mut TenantTx, id: LimitId) -> Result<(), Error> {
        if self.by.is_empty() { Ok(()) } else { store::begin_meters(tx, id, self.since, &self.by).await }
    }
}

/// Counts what was called of this day or month until now. Calls that are made between this and setting the limit are not counted.
///
/// # Errors
/// `too_slow`: a quota that began with less than is used would be overshot.
async fn counted(
    control: &Control,
    actor: &Actor,
    scope: Scope,
    allowance: Allowance,
) -> Result<Counted, Error> {
    if !allowance.per.is_quota() {
        return Ok(Counted::default());
    }
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ChangeLimits, "limits that you may change")?;
    tx.bound_time().await?;
    let zone = store::zone(&mut tx).await?;
    let (start, _) = policy::meter::period(allowance.per, zone, tx.now());
    let by = store::calls_since(&mut tx, scope, start).await?;
    Ok(Counted { since: start.timestamp(), by })
}

pub(crate) fn scope(
    unit: Option<uuid::Uuid>,
    agent: Option<uuid::Uuid>,
    module: Option<uuid::Uuid>,
    tool: Option<uuid::Uuid>,
    each_agent: bool,
) -> Result<Scope, Error> {
    let whose = match (unit, agent) {
        (None, None) => Whose::Everybody,
        (Some(unit), None) => Whose::Unit(unit.into()),
        (None, Some(agent)) => Whose::Agent(agent.into()),
        (Some(_), Some(_)) => return Err(Error::inconsistent("a limit", "it names a unit and an agent")),
    };
    let what = match (module, tool) {
        (None, None) => OfWhat::Everything,
        (Some(module), None) => OfWhat::Module(module.into()),
        (None, Some(tool)) => OfWhat::Tool(tool.into()),
        (Some(_), Some(_)) => return Err(Error::inconsistent("a limit", "it names a module and a tool")),
    };
    Ok(Scope { whose, what, each_agent })
}

/// Numbers as the database has them; what no constraint of it would let through is a fault of ours.
pub(crate) fn allowance(calls: i32, per: &str, burst: i32) -> Result<Allowance, Error> {
    let number = |number: i32| u32::try_from(number).map_err(|error| Error::inconsistent("a limit", error));
    Ok(Allowance { calls: number(calls)?, per: crate::rows::word("limit", per)?, burst: number(burst)? })
}

//! Activity: the calls of a tenant, as people read them. Reads the ledger and changes nothing.

mod export;
mod follow;
mod names;
mod narrow;
pub mod saved;
mod session;
mod sight;
mod store;
mod story;
mod why;

use model::call::{CallRow, Outcome, Verdict};
use model::{AgentId, CallId, ModuleId, Timestamp, ToolId, UnitId, UserId};
use uuid::Uuid;

use crate::authority::Deed;
use crate::{Actor, Control, Error, rows};
pub(crate) use sight::Sight;

pub use export::{EXPORT, export};
pub use follow::follow;
pub use names::{Names, names};
pub use session::{SESSION_PAGE, Session, SessionHead, session};
pub use story::story;
pub use why::{Change, Source, Why, why};

/// Most rows of one page.
const LONGEST: u16 = 200;

/// Which calls are wanted; each that is given narrows.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Filter {
    /// Received at this time or later, to the millisecond.
    pub from: Option<Timestamp>,
    /// Received before this time, to the millisecond.
    pub to: Option<Timestamp>,
    /// By this agent.
    pub agent: Option<AgentId>,
    /// Of a tool of this module.
    pub module: Option<ModuleId>,
    /// Of exactly this tool.
    pub tool_id: Option<ToolId>,
    /// By an agent that sat in this unit or below at the time.
    pub unit: Option<UnitId>,
    /// By an agent whose home was this very unit at the time.
    pub team: Option<UnitId>,
    /// By an agent in this department at the time: the topmost department above it.
    pub department: Option<UnitId>,
    /// By an agent that this person owned, or on behalf of this person.
    pub person: Option<UserId>,
    /// Whose charge counts for this person: on whose behalf it was, else who owned the agent. As Money counts.
    pub charged: Option<UserId>,
    /// Of this protocol session.
    pub session: Option<String>,
    /// Where the tool's name, the client's name or the reason contains this; case does not matter. Content is sealed and
    /// never searched.
    pub text: Option<String>,
    /// Whose tool's name, as it was asked for, contains this; case does not matter.
    pub tool: Option<String>,
    /// Decided so.
    pub verdict: Option<Verdict>,
    /// Ended so.
    pub outcome: Option<Outcome>,
}

/// Which part of a list is wanted.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Page {
    /// The newest calls.
    #[default]
    Newest,
    /// Those next older than this one.
    Before(CallId),
    /// Those next newer than this one.
    After(CallId),
}

/// A page of calls.
#[derive(Clone, PartialEq, Debug)]
pub struct Listing {
    /// The calls, newest first.
    pub rows: Vec<CallRow>,
    /// Whether there are newer ones than the first.
    pub has_newer: bool,
    /// Whether there are older ones than the last.
    pub has_older: bool,
}

/// What one may choose from to filter by: of each the first 300, which is what a list that opens can bear.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choices {
    /// Agents by name.
    pub agents: Vec<(AgentId, String)>,
    /// Modules by title.
    pub modules: Vec<(ModuleId, String)>,
}

/// Requests that never became calls, as many as were alike within a second.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RejectionRow {
    /// When.
    pub at: Timestamp,
    /// Stable code such as `malformed_json`.
    pub code: String,
    /// The HTTP status that was answered.
    pub status: u16,
    /// Name and beginning of the key, when one was recognised.
    pub credential: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// How many.
    pub count: u32,
}

/// A range of call ids, the end not included.
#[derive(Clone, Copy, Debug)]
struct Range {
    from: Uuid,
    to: Uuid,
}

impl Range {
    /// Ids carry the time at which the request was received, to the millisecond.
    fn of(filter: &Filter) -> Self {
        Self {
            from: filter.from.map_or(Uuid::nil(), rows::uuid_floor),
            to: filter.to.map_or(Uuid::max(), rows::uuid_floor),
        }
    }

    fn before(self, call: CallId) -> Self {
        Self { to: self.to.min(call.uuid()), ..self }
    }

    fn from(self, id: Uuid) -> Self {
        Self { from: self.from.max(id), ..self }
    }
}

fn next(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128().saturating_add(1))
}

/// A page of at most `limit` calls (at most 200) that the actor may see: all of the tenant, or those of
/// agents that the person owns or that acted for them, or those below units where a role lets them.
///
/// # Errors
/// `too_slow` when going through the calls takes more than ten seconds.
pub async fn list(
    control: &Control,
    actor: &Actor,
    filter: &Filter,
    page: Page,
    limit: u16,
) -> Result<Listing, Error> {
    let sight = Sight::of(actor)?;
    let mut tx = actor.read(control).await?;
    tx.bound_time().await?;
    let range = Range::of(filter);
    let limit = usize::from(limit.clamp(1, LONGEST));
    let more = i64::try_from(limit).unwrap_or(0) + 1;
    let (mut ids, has_newer, has_older);
    match page {
        Page::Newest => {
            ids = store::newest(&mut tx, &sight, filter, range, more).await?;
            (has_newer, has_older) = (false, ids.len() > limit);
            ids.truncate(limit);
        }
        Page::Before(call) => {
            ids = store::newest(&mut tx, &sight, filter, range.before(call), more).await?;
            let newer = store::oldest(&mut tx, &sight, filter, range.from(call.uuid()), 1).await?;
            (has_newer, has_older) = (!newer.is_empty(), ids.len() > limit);
            ids.truncate(limit);
        }
        Page::After(call) => {
            ids = store::oldest(&mut tx, &sight, filter, range.from(next(call.uuid())), more).await?;
            let older =
                store::newest(&mut tx, &sight, filter, range.before(next(call.uuid()).into()), 1).await?;
            (has_newer, has_older) = (ids.len() > limit, !older.is_empty());
            ids.truncate(limit);
        }
    }
    Ok(Listing { rows: store::rows(&mut tx, &ids).await?, has_newer, has_older })
}

/// What the actor may filter by.
pub async fn choices(control: &Control, actor: &Actor) -> Result<Choices, Error> {
    let sight = Sight::of(actor)?;
    let mut tx = actor.read(control).await?;
    store::choices(&mut tx, &sight).await
}

/// The newest requests that never became calls; only for those who may see everybody's activity. At most 200.
pub async fn rejections(control: &Control, actor: &Actor, limit: u16) -> Result<Vec<RejectionRow>, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadActivity, "list of rejected requests")?;
    store::rejections(&mut tx, i64::from(limit.clamp(1, LONGEST))).await
}

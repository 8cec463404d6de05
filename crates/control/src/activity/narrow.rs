//! Which agents, tools and calls a question about calls can be about. A person's calls, or a small unit's, lie far apart among those
//! of everybody; those of an agent or a tool are together in an index. What agents have called what, as whom, is known from
//! the lines that Money keeps, of all calls but the newest.

use model::call::Outcome;
use uuid::Uuid;

use super::{Filter, Range, Sight};
use crate::tx::TenantTx;
use crate::{Error, money};

/// With more agents than this the calls of one are never far.
const MANY: usize = 400;
/// With more calls that ended so than this the next one is never far.
const RARE: usize = 1_000;

/// What is known before the calls are looked through. None: nothing that would help.
#[derive(Default)]
pub(super) struct Narrow {
    /// No call of another agent fits.
    pub(super) agents: Option<Vec<Uuid>>,
    /// No call of another tool fits, except of tools that do not exist.
    pub(super) tools: Option<Vec<Uuid>>,
    /// No other call fits.
    pub(super) calls: Option<Vec<Uuid>>,
}

impl Narrow {
    pub(super) async fn of(
        tx: &mut TenantTx,
        sight: &Sight,
        filter: &Filter,
        range: Range,
    ) -> Result<Self, Error> {
        let mut narrow = Self::default();
        if range.to.as_u128().saturating_sub(range.from.as_u128()) <= 1 {
            return Ok(narrow);
        }
        let of_somebody = !sight.all
            || filter.unit.is_some()
            || filter.team.is_some()
            || filter.department.is_some()
            || filter.person.is_some()
            || filter.charged.is_some();
        if of_somebody && filter.agent.is_none() {
            let mark = money::mark(tx).await?;
            // Above the mark calls are few; and with no mark there are no lines.
            if mark > range.from {
                narrow.agents = agents(tx, sight, filter, mark).await?;
            }
        }
        if (filter.tool.is_some() || filter.module.is_some()) && filter.tool_id.is_none() {
            narrow.tools = Some(tools(tx, filter).await?);
        }
        if let Some(outcome) = filter.outcome.filter(|outcome| *outcome != Outcome::Succeeded) {
            narrow.calls = calls(tx, outcome, range).await?;
        }
        Ok(narrow)
    }
}

async fn agents(
    tx: &mut TenantTx,
    sight: &Sight,
    filter: &Filter,
    mark: Uuid,
) -> Result<Option<Vec<Uuid>>, Error> {
    let tenant = tx.tenant_uuid();
    let agents = sqlx::query_scalar!(
        r#"SELECT DISTINCT l.agent_id AS "agent!" FROM (
               SELECT agent_id, owner_id, on_behalf_of, unit_path FROM money_lines WHERE tenant_id = $1
               UNION ALL
               SELECT agent_id, owner_id, on_behalf_of, unit_path FROM calls WHERE tenant_id = $1 AND id >= $2
           ) l
           WHERE ($3 OR l.owner_id = $4 OR l.on_behalf_of = $4 OR l.unit_path && $5::uuid[])
             AND ($6::uuid IS NULL OR l.unit_path @> ARRAY[$6])
             AND ($7::uuid IS NULL OR l.unit_path[cardinality(l.unit_path)] = $7)
             AND ($8::uuid IS NULL OR l.unit_path @> ARRAY[$8])
             AND ($9::uuid IS NULL OR l.owner_id = $9 OR l.on_behalf_of = $9)
             AND ($10::uuid IS NULL OR coalesce(l.on_behalf_of, l.owner_id) = $10)
           LIMIT $11"#,
        tenant,
        mark,
        sight.all,
        sight.person,
        &sight.units,
        filter.unit.map(|unit| unit.uuid()),
        filter.team.map(|unit| unit.uuid()),
        filter.department.map(|unit| unit.uuid()),
        filter.person.map(|user| user.uuid()),
        filter.charged.map(|user| user.uuid()),
        i64::try_from(MANY).unwrap_or(0) + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok((agents.len() <= MANY).then_some(agents))
}

/// Tools of a module, or whose full name contains a text. A call has its tool's id only if it asked for it by exactly that name.
async fn tools(tx: &mut TenantTx, filter: &Filter) -> Result<Vec<Uuid>, Error> {
    let tenant = tx.tenant_uuid();
    let tools = sqlx::query_scalar!(
        "SELECT t.id FROM tools t JOIN modules m ON m.tenant_id = t.tenant_id AND m.id = t.module_id
         WHERE t.tenant_id = $1 AND ($2::text IS NULL OR strpos(lower(m.name || '.' || t.name), lower($2)) > 0)
           AND ($3::uuid IS NULL OR m.id = $3)",
        tenant,
        filter.tool.as_deref(),
        filter.module.map(|module| module.uuid()),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(tools)
}

/// Calls in a range that ended in a way that few do.
async fn calls(tx: &mut TenantTx, outcome: Outcome, range: Range) -> Result<Option<Vec<Uuid>>, Error> {
    let tenant = tx.tenant_uuid();
    let calls = sqlx::query_scalar!(
        "SELECT call_id FROM settlements
         WHERE tenant_id = $1 AND outcome = $2 AND outcome <> 'succeeded' AND call_id >= $3 AND call_id < $4
         LIMIT $5",
        tenant,
        outcome.word(),
        range.from,
        range.to,
        i64::try_from(RARE).unwrap_or(0) + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok((calls.len() <= RARE).then_some(calls))
}

//! The rows of limits.

use model::limit::{Allowance, OfWhat, Scope, Whose};
use model::{AgentId, LimitId, Timestamp, ToolId, Zone};
use policy::meter::Meter;
use uuid::Uuid;

use super::{About, Choices, LimitRow, allowance, scope};
use crate::tx::TenantTx;
use crate::{Error, rows};

/// A scope as its columns: unit, agent, module, tool.
fn columns(scope: Scope) -> (Option<Uuid>, Option<Uuid>, Option<Uuid>, Option<Uuid>) {
    let (unit, agent) = match scope.whose {
        Whose::Everybody => (None, None),
        Whose::Unit(unit) => (Some(unit.uuid()), None),
        Whose::Agent(agent) => (None, Some(agent.uuid())),
    };
    let (module, tool) = match scope.what {
        OfWhat::Everything => (None, None),
        OfWhat::Module(module) => (Some(module.uuid()), None),
        OfWhat::Tool(tool) => (None, Some(tool.uuid())),
    };
    (unit, agent, module, tool)
}

pub(super) async fn zone(tx: &mut TenantTx) -> Result<Zone, Error> {
    let zone = sqlx::query_scalar!("SELECT time_zone FROM tenants").fetch_one(tx.conn()).await?;
    Ok(rows::zone(&zone))
}

pub(super) async fn count(tx: &mut TenantTx) -> Result<i64, Error> {
    let tenant = tx.tenant_uuid();
    Ok(sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM limits WHERE tenant_id = $1"#, tenant)
        .fetch_one(tx.conn())
        .await?)
}

pub(super) async fn choices(
    tx: &mut TenantTx,
    agent: Option<AgentId>,
    tool: Option<ToolId>,
) -> Result<Choices, Error> {
    let tenant = tx.tenant_uuid();
    let units = crate::units::paths(tx).await?;
    let modules =
        sqlx::query!("SELECT id, title FROM modules WHERE tenant_id = $1 ORDER BY lower(title), id", tenant)
            .fetch_all(tx.conn())
            .await?;
    let named = sqlx::query!(
        r#"SELECT (SELECT name FROM agents WHERE tenant_id = $1 AND id = $2 AND retired_at IS NULL) AS agent,
                  (SELECT m.name || '.' || t.name FROM tools t JOIN modules m ON m.tenant_id = $1 AND m.id = t.module_id
                   WHERE t.tenant_id = $1 AND t.id = $3) AS tool"#,
        tenant,
        agent.map(|agent| agent.uuid()),
        tool.map(|tool| tool.uuid()),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Choices {
        units,
        modules: modules.into_iter().map(|row| (row.id.into(), row.title)).collect(),
        agent: agent.zip(named.agent),
        tool: tool.zip(named.tool),
    })
}

/// What a limit names must be there; of what is no more, nothing is limited.
pub(super) async fn must_be_there(tx: &mut TenantTx, scope: Scope) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    let (unit, agent, module, tool) = columns(scope);
    let row = sqlx::query!(
        r#"SELECT ($2::uuid IS NULL OR EXISTS (
                      SELECT FROM units WHERE tenant_id = $1 AND id = $2 AND archived_at IS NULL)) AS "unit!",
                  ($3::uuid IS NULL OR EXISTS (
                      SELECT FROM agents WHERE tenant_id = $1 AND id = $3 AND retired_at IS NULL)) AS "agent!",
                  ($4::uuid IS NULL OR EXISTS (SELECT FROM modules WHERE tenant_id = $1 AND id = $4)) AS "module!",
                  ($5::uuid IS NULL OR EXISTS (SELECT FROM tools WHERE tenant_id = $1 AND id = $5)) AS "tool!""#,
        tenant,
        unit,
        agent,
        module,
        tool,
    )
    .fetch_one(tx.conn())
    .await?;
    for (there, what) in [
        (row.unit, "such unit"),
        (row.agent, "such agent"),
        (row.module, "such module"),
        (row.tool, "such tool"),
    ] {
        if !there {
            return Err(Error::not_found(what));
        }
    }
    Ok(())
}

pub(super) async fn insert(
    tx: &mut TenantTx,
    id: LimitId,
    scope: Scope,
    Allowance { calls, per, burst }: Allowance,
) -> Result<(), Error> {
    let (tenant, now, by) = (tx.tenant_uuid(), tx.now(), tx.actor().name().to_owned());
    let (unit, agent, module, tool) = columns(scope);
    sqlx::query!(
        "INSERT INTO limits (tenant_id, id, unit_id, agent_id, module_id, tool_id, each_agent, calls, per, burst, set_by,
                             set_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        tenant,
        id.uuid(),
        unit,
        agent,
        module,
        tool,
        scope.each_agent,
        number(calls)?,
        per.word(),
        number(burst)?,
        by,
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(already_set)?;
    Ok(())
}

pub(super) async fn change(
    tx: &mut TenantTx,
    id: LimitId,
    Allowance { calls, per, burst }: Allowance,
) -> Result<(), Error> {
    let (tenant, now, by) = (tx.tenant_uuid(), tx.now(), tx.actor().name().to_owned());
    sqlx::query!(
        "UPDATE limits SET calls = $3, per = $4, burst = $5, set_by = $6, set_at = $7 WHERE tenant_id = $1 AND id = $2",
        tenant,
        id.uuid(),
        number(calls)?,
        per.word(),
        number(burst)?,
        by,
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(already_set)?;
    Ok(())
}

fn number(number: u32) -> Result<i32, Error> {
    i32::try_from(number).map_err(|error| Error::inconsistent("a limit", error))
}

fn already_set(error: sqlx::Error) -> Error {
    match error.as_database_error() {
        Some(db) if db.is_unique_violation() => {
            let sentence = "there is a limit of the same calls in the same time: change that one";
            Error::refused("already_set", sentence)
        }
        _ => error.into(),
    }
}

pub(super) async fn remove(tx: &mut TenantTx, id: LimitId) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!("DELETE FROM limits WHERE tenant_id = $1 AND id = $2", tenant, id.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn remove_all_of(tx: &mut TenantTx, whose: Whose) -> Result<u64, Error> {
    let tenant = tx.tenant_uuid();
    let (unit, agent, ..) = columns(Scope { whose, what: OfWhat::Everything, each_agent: false });
    Ok(sqlx::query!(
        "DELETE FROM limits WHERE tenant_id = $1 AND (unit_id = $2 OR agent_id = $3)",
        tenant,
        unit,
        agent
    )
    .execute(tx.conn())
    .await?
    .rows_affected())
}

/// Deletes the meters of limits that are no more. One that somebody draws from at the moment is left: nobody waits for another here.
pub(super) async fn sweep_meters(tx: &mut TenantTx) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "WITH gone AS (
             SELECT m.limit_id, m.agent_id FROM meters m
             WHERE m.tenant_id = $1
               AND NOT EXISTS (SELECT FROM limits l WHERE l.tenant_id = $1 AND l.id = m.limit_id)
             ORDER BY m.limit_id, m.agent_id
             FOR UPDATE OF m SKIP LOCKED
         )
         DELETE FROM meters m USING gone g
         WHERE m.tenant_id = $1 AND m.limit_id = g.limit_id AND m.agent_id = g.agent_id",
        tenant,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What is used of a rate stays that many calls, each of which is worth another time now.
pub(super) async fn rescale_meters(
    tx: &mut TenantTx,
    id: LimitId,
    was: i64,
    worth: i64,
) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "WITH used AS (
             SELECT m.limit_id, m.agent_id, (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint AS now
             FROM meters m
             WHERE m.tenant_id = $1 AND m.limit_id = $2
             ORDER BY m.limit_id, m.agent_id
             FOR UPDATE OF m
         )
         UPDATE meters m SET arrival = u.now + ((m.arrival - u.now)::numeric * $4::bigint / $3::bigint)::bigint FROM used u
         WHERE m.tenant_id = $1 AND m.limit_id = u.limit_id AND m.agent_id = u.agent_id AND m.arrival > u.now",
        tenant,
        id.uuid(),
        was,
        worth,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Begins with what was used before there was a limit.
pub(super) async fn begin_meters(
    tx: &mut TenantTx,
    id: LimitId,
    since: i64,
    by: &[(Option<AgentId>, i64)],
) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    let agents: Vec<Uuid> =
        by.iter().map(|(agent, _)| agent.map_or(Uuid::nil(), |agent| agent.uuid())).collect();
    let taken: Vec<i64> = by.iter().map(|(_, taken)| *taken).collect();
    sqlx::query!(
        "INSERT INTO meters (tenant_id, limit_id, agent_id, since, taken)
         SELECT $1, $2, m.agent_id, $3, m.taken FROM unnest($4::uuid[], $5::bigint[]) AS m (agent_id, taken)
         ORDER BY 3",
        tenant,
        id.uuid(),
        since,
        &agents,
        &taken,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many calls of a scope were permitted since then: together, or by agent.
pub(super) async fn calls_since(
    tx: &mut TenantTx,
    scope: Scope,
    start: Timestamp,
) -> Result<Vec<(Option<AgentId>, i64)>, Error> {
    let tenant = tx.tenant_uuid();
    let (unit, agent, module, tool) = columns(scope);
    let rows = sqlx::query!(
        r#"SELECT CASE WHEN $7 THEN agent_id END AS agent, count(*) AS "count!"
           FROM calls
           WHERE tenant_id = $1 AND id >= $2 AND verdict = 'permit'
             AND ($3::uuid IS NULL OR $3 = ANY (unit_path)) AND ($4::uuid IS NULL OR agent_id = $4)
             AND ($5::uuid IS NULL OR module_id = $5) AND ($6::uuid IS NULL OR tool_id = $6)
           GROUP BY 1"#,
        tenant,
        rows::uuid_floor(start),
        unit,
        agent,
        module,
        tool,
        scope.each_agent,
    )
    .fetch_all(tx.conn())
    .await
    .map_err(rows::too_slow)?;
    Ok(rows.into_iter().map(|row| (row.agent.map(Into::into), row.count)).collect())
}

pub(super) async fn one(tx: &mut TenantTx, id: LimitId) -> Result<Option<LimitRow>, Error> {
    Ok(read(tx, About::Everything, Some(id)).await?.pop())
}

pub(super) async fn all(tx: &mut TenantTx, about: About) -> Result<Vec<LimitRow>, Error> {
    read(tx, about, None).await
}

async fn read(tx: &mut TenantTx, about: About, id: Option<LimitId>) -> Result<Vec<LimitRow>, Error> {
    let tenant = tx.tenant_uuid();
    let (mut agent, mut module, mut tool) = (None, None, None);
    match about {
        About::Everything => {}
        About::Agent(it) => agent = Some(it.uuid()),
        About::Module(it) => module = Some(it.uuid()),
        About::Tool(it) => tool = Some(it.uuid()),
    }
    // Of meters that each agent has, the one that is used most: a rate's arrival lies furthest ahead, a quota's latest time has
    // most taken.
    let rows = sqlx::query!(
        r#"WITH RECURSIVE up (id) AS (
               SELECT home_unit_id FROM agents WHERE tenant_id = $1 AND id = $2
               UNION SELECT n.parent_id FROM units n JOIN up ON n.tenant_id = $1 AND n.id = up.id WHERE n.parent_id IS NOT NULL
           )
           SELECT l.id, l.unit_id, l.agent_id, l.module_id, l.tool_id, l.each_agent, l.calls, l.per, l.burst, l.set_by, l.set_at,
                  n.name AS "unit?", a.name AS "agent?", m.name AS "module?", m.title AS "module_title?", t.name AS "tool?",
                  z.time_zone AS "time_zone!", u.arrival AS "arrival?", u.since AS "since?", u.taken AS "taken?",
                  u.agent_id AS "used_by?", u.name AS "used_by_name?"
           FROM limits l
           JOIN tenants z ON z.tenant_id = l.tenant_id
           LEFT JOIN units n ON n.tenant_id = l.tenant_id AND n.id = l.unit_id
           LEFT JOIN agents a ON a.tenant_id = l.tenant_id AND a.id = l.agent_id
           LEFT JOIN tools t ON t.tenant_id = l.tenant_id AND t.id = l.tool_id
           LEFT JOIN modules m ON m.tenant_id = l.tenant_id AND m.id = coalesce(l.module_id, t.module_id)
           LEFT JOIN LATERAL (
               SELECT k.arrival, k.since, k.taken, k.agent_id, b.name
               FROM meters k LEFT JOIN agents b ON b.tenant_id = k.tenant_id AND b.id = k.agent_id
               WHERE k.tenant_id = l.tenant_id AND k.limit_id = l.id
                 AND ($2::uuid IS NULL OR NOT l.each_agent OR k.agent_id = $2)
               ORDER BY k.since DESC, k.taken DESC, k.arrival DESC LIMIT 1
           ) u ON true
           WHERE l.tenant_id = $1 AND ($5::uuid IS NULL OR l.id = $5)
             AND a.retired_at IS NULL
             AND ($2::uuid IS NULL
                  OR CASE WHEN l.agent_id IS NOT NULL THEN l.agent_id = $2
                          ELSE l.unit_id IS NULL OR l.unit_id IN (SELECT id FROM up) END)
             AND ($3::uuid IS NULL OR m.id = $3 OR (l.module_id IS NULL AND l.tool_id IS NULL))
             AND ($4::uuid IS NULL
                  OR l.tool_id = $4
                  OR (l.module_id IS NULL AND l.tool_id IS NULL)
                  OR l.module_id = (SELECT module_id FROM tools WHERE tenant_id = $1 AND id = $4))
           ORDER BY l.tool_id IS NOT NULL, l.module_id IS NOT NULL, l.agent_id IS NOT NULL, l.unit_id IS NOT NULL,
                    lower(m.title), lower(t.name), lower(coalesce(n.name, a.name)), l.each_agent,
                    array_position(ARRAY['second', 'minute', 'hour', 'day', 'month'], l.per), l.id"#,
        tenant,
        agent,
        module,
        tool,
        id.map(|id| id.uuid()),
    )
    .fetch_all(tx.conn())
    .await?;
    let now = tx.now();
    rows.into_iter()
        .map(|row| {
            let allowance = allowance(row.calls, &row.per, row.burst)?;
            let meter = Meter {
                arrival: row.arrival.unwrap_or_default(),
                since: row.since.unwrap_or_default(),
                taken: row.taken.unwrap_or_default(),
            };
            let used = meter.used(allowance, rows::zone(&row.time_zone), now);
            let used_by = row.used_by.map(AgentId::from).zip(row.used_by_name);
            Ok(LimitRow {
                id: row.id.into(),
                scope: scope(row.unit_id, row.agent_id, row.module_id, row.tool_id, row.each_agent)?,
                allowance,
                set_by: row.set_by,
                set_at: row.set_at,
                whose: row.unit.or(row.agent),
                what: row.module.zip(row.module_title).map(|(name, title)| (name, title, row.tool)),
                used,
                used_by: used_by.filter(|_| row.each_agent && used > 0),
            })
        })
        .collect()
}

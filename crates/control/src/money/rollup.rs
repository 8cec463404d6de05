//! Sums of the ledger, kept so that a year can be read in milliseconds. Derived: they can be thrown away and made again.
//!
//! The sums hold every call below a mark and none above it; readers add what is above from the ledger itself. A call below
//! the mark must be final, which takes two things. No call below may be recorded late: `admit` takes calls whose id is at
//! most ten minutes old by a clock that it reads after its transaction has a number. So we take a number ourselves: whoever
//! has a higher one read the clock later than we began, and once all lower ones have ended, nothing older than ten minutes
//! before that can come any more. (A snapshot's end would not do for it: numbers beyond it may have been taken.) And each permitted
//! call below must be settled. Sums and mark move in one transaction that holds the mark's row: what is done twice by two
//! workers, or half by one that dies, is done once.

use model::TenantId;
use uuid::Uuid;

use crate::actor::Actor;
use crate::tx::TenantTx;
use crate::{Control, Error};

/// Most calls that are added in one transaction.
const GROUP: i64 = 50_000;

/// How far one step came.
struct Step {
    /// Calls that were added.
    added: u64,
    /// Whether there is more that could be added at once.
    more: bool,
}

/// Adds, in all tenants, what has become final since. Returns how many calls that were. Harmless when several workers do it
/// at once.
pub async fn advance(control: &Control) -> Result<u64, Error> {
    let tenants = sqlx::query_scalar!(r#"SELECT tenant_ids() AS "id!""#).fetch_all(control.pool()).await?;
    let mut added = 0;
    for tenant in tenants {
        added += advance_one(control, tenant.into()).await?;
    }
    Ok(added)
}

/// The same in one tenant.
pub async fn advance_one(control: &Control, tenant: TenantId) -> Result<u64, Error> {
    let mut added = 0;
    loop {
        let step = step(control, tenant).await?;
        added += step.added;
        if !step.more {
            return Ok(added);
        }
    }
}

/// Throws a tenant's sums away. Until [`advance`] has made them again, readers go through the ledger instead.
pub async fn forget(control: &Control, tenant: TenantId) -> Result<(), Error> {
    let mut tx = Actor::worker(tenant).write(control).await?;
    begin_anew(tx.conn(), tenant.uuid()).await?;
    tx.commit().await
}

/// The same within a transaction that has said its tenant. Whoever writes calls of the past does this in one with them.
pub(crate) async fn begin_anew(conn: &mut sqlx::PgConnection, tenant: Uuid) -> Result<(), Error> {
    // The mark first: workers wait for its row until this transaction has ended.
    sqlx::query!(
        "INSERT INTO money_marks (tenant_id, below, ahead, ahead_xact)
         VALUES ($1, '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000',
                 pg_current_xact_id())
         ON CONFLICT (tenant_id) DO UPDATE SET below = excluded.below, ahead = excluded.ahead, ahead_xact = excluded.ahead_xact",
        tenant,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("DELETE FROM money_sums WHERE tenant_id = $1", tenant).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM money_lines WHERE tenant_id = $1", tenant).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM money_totals WHERE tenant_id = $1", tenant).execute(&mut *conn).await?;
    Ok(())
}

async fn step(control: &Control, tenant: TenantId) -> Result<Step, Error> {
    const NOTHING: Step = Step { added: 0, more: false };
    let mut tx = Actor::worker(tenant).write(control).await?;
    let tenant = tenant.uuid();
    let Some(mark) = mark(&mut tx, tenant).await? else { return Ok(NOTHING) };
    let limit = if mark.reached { mark.ahead } else { mark.below };
    let (end, crowded) = end(&mut tx, tenant, mark.below, limit).await?;
    let added = if end > mark.below { add(&mut tx, tenant, mark.below, end).await? } else { 0 };
    // Only a limit that was reached is replaced: it takes the next step to know that it is.
    let done = mark.reached && !crowded;
    sqlx::query!(
        "UPDATE money_marks SET below = $2,
             ahead = CASE WHEN $3 THEN greatest(ahead, uuid_floor(now() - interval '11 minutes')) ELSE ahead END,
             ahead_xact = CASE WHEN $3 THEN pg_current_xact_id() ELSE ahead_xact END
         WHERE tenant_id = $1",
        tenant,
        end,
        done,
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(Step { added, more: crowded })
}

struct Mark {
    below: Uuid,
    ahead: Uuid,
    /// Whether everything that could bring a call below `ahead` has ended.
    reached: bool,
}

/// Holds the tenant's mark. None: there is nothing above it.
async fn mark(tx: &mut TenantTx, tenant: Uuid) -> Result<Option<Mark>, Error> {
    let idle = sqlx::query_scalar!(
        r#"SELECT NOT EXISTS (
               SELECT FROM calls c WHERE c.tenant_id = $1 AND c.id >= coalesce(
                   (SELECT m.below FROM money_marks m WHERE m.tenant_id = $1), '00000000-0000-0000-0000-000000000000'))
               AS "idle!""#,
        tenant,
    )
    .fetch_one(tx.conn())
    .await?;
    if idle {
        return Ok(None);
    }
    sqlx::query!(
        "INSERT INTO money_marks (tenant_id, below, ahead, ahead_xact)
         VALUES ($1, '00000000-0000-0000-0000-000000000000', uuid_floor(now() - interval '11 minutes'),
                 pg_current_xact_id())
         ON CONFLICT DO NOTHING",
        tenant,
    )
    .execute(tx.conn())
    .await?;
    let row = sqlx::query!(
        r#"SELECT below, ahead, pg_snapshot_xmin(pg_current_snapshot()) >= ahead_xact AS "reached!"
           FROM money_marks WHERE tenant_id = $1 FOR UPDATE"#,
        tenant,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Some(Mark { below: row.below, ahead: row.ahead, reached: row.reached }))
}

/// How far calls can be added in one go, and whether only their number stopped it.
async fn end(tx: &mut TenantTx, tenant: Uuid, below: Uuid, limit: Uuid) -> Result<(Uuid, bool), Error> {
    if limit <= below {
        return Ok((below, false));
    }
    let full = sqlx::query_scalar!(
        "SELECT c.id FROM calls c WHERE c.tenant_id = $1 AND c.id >= $2 AND c.id < $3 ORDER BY c.id OFFSET $4 LIMIT 1",
        tenant,
        below,
        limit,
        GROUP,
    )
    .fetch_optional(tx.conn())
    .await?;
    let end = full.unwrap_or(limit);
    let open = sqlx::query_scalar!(
        "SELECT c.id FROM calls c
         LEFT JOIN settlements s ON s.tenant_id = c.tenant_id AND s.call_id = c.id AND s.call_id >= $2 AND s.call_id < $3
         WHERE c.tenant_id = $1 AND c.id >= $2 AND c.id < $3 AND c.verdict = 'permit' AND s.call_id IS NULL
         ORDER BY c.id LIMIT 1",
        tenant,
        below,
        end,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(match open {
        Some(open) => (open, false),
        None => (end, full.is_some()),
    })
}

/// Adds the calls in a range. Returns how many.
async fn add(tx: &mut TenantTx, tenant: Uuid, from: Uuid, end: Uuid) -> Result<u64, Error> {
    let added = sqlx::query_scalar!(
        r#"WITH ended AS MATERIALIZED (
               SELECT c.agent_id, c.owner_id, c.on_behalf_of, c.unit_path, c.module_id, c.tool_id,
                      coalesce(h.currency, CASE WHEN c.tool_id IS NULL THEN (SELECT t.currency FROM tenants t WHERE t.tenant_id = $1)
                                                ELSE c.currency END) AS currency, (uuid_time(c.id) AT TIME ZONE 'UTC')::date AS day,
                      count(*) AS calls, count(*) FILTER (WHERE c.verdict = 'permit') AS permitted,
                      count(*) FILTER (WHERE c.verdict = 'deny') AS denied,
                      count(*) FILTER (WHERE s.outcome <> 'succeeded') AS failed, coalesce(sum(h.amount), 0) AS amount
               FROM calls c
               LEFT JOIN settlements s ON s.tenant_id = c.tenant_id AND s.call_id = c.id AND s.call_id >= $2 AND s.call_id < $3
               LEFT JOIN charges h ON h.tenant_id = c.tenant_id AND h.call_id = c.id AND h.call_id >= $2 AND h.call_id < $3
               WHERE c.tenant_id = $1 AND c.id >= $2 AND c.id < $3
               GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
           ), matched AS MATERIALIZED (
               SELECT e.*, l.id AS line, l.department_id
               FROM ended e
               LEFT JOIN money_lines l
                   ON l.tenant_id = $1 AND l.agent_id = e.agent_id AND l.owner_id = e.owner_id AND l.unit_path = e.unit_path
                  AND l.currency = e.currency AND l.on_behalf_of IS NOT DISTINCT FROM e.on_behalf_of
                  AND l.module_id IS NOT DISTINCT FROM e.module_id AND l.tool_id IS NOT DISTINCT FROM e.tool_id
           ), made AS (
               INSERT INTO money_lines (
                   tenant_id, agent_id, owner_id, on_behalf_of, unit_path, department_id, module_id, tool_id, currency)
               SELECT $1, n.agent_id, n.owner_id, n.on_behalf_of, n.unit_path,
                      (SELECT u.id FROM unnest(n.unit_path) WITH ORDINALITY AS p (id, depth)
                       JOIN units u ON u.tenant_id = $1 AND u.id = p.id AND u.kind = 'department' ORDER BY p.depth LIMIT 1),
                      n.module_id, n.tool_id, n.currency
               FROM (SELECT DISTINCT agent_id, owner_id, on_behalf_of, unit_path, module_id, tool_id, currency
                     FROM matched WHERE line IS NULL) n
               RETURNING *
           ), placed AS MATERIALIZED (
               SELECT coalesce(m.line, l.id) AS line, coalesce(m.department_id, l.department_id) AS department_id,
                      m.agent_id, coalesce(m.on_behalf_of, m.owner_id) AS user_id, m.unit_path[cardinality(m.unit_path)] AS team_id,
                      m.module_id, m.tool_id, m.currency, m.day, m.calls, m.permitted, m.denied, m.failed, m.amount
               FROM matched m
               LEFT JOIN made l
                   ON m.line IS NULL AND l.agent_id = m.agent_id AND l.owner_id = m.owner_id AND l.unit_path = m.unit_path
                  AND l.currency = m.currency AND l.on_behalf_of IS NOT DISTINCT FROM m.on_behalf_of
                  AND l.module_id IS NOT DISTINCT FROM m.module_id AND l.tool_id IS NOT DISTINCT FROM m.tool_id
           ), dated AS MATERIALIZED (
               SELECT p.*, g.grain, g.since
               FROM placed p
               CROSS JOIN LATERAL (VALUES
                   ('day', p.day),
                   ('third', p.day - (CASE WHEN extract(day FROM p.day) > 30 THEN 10 ELSE (extract(day FROM p.day)::int - 1) % 10 END)),
                   ('month', date_trunc('month', p.day::timestamp)::date)) AS g (grain, since)
           ), summed AS (
               INSERT INTO money_sums (tenant_id, grain, since, line, calls, permitted, denied, failed, amount)
               SELECT $1, d.grain, d.since, d.line, sum(d.calls), sum(d.permitted), sum(d.denied), sum(d.failed), sum(d.amount)
               FROM dated d
               GROUP BY 2, 3, 4
               ON CONFLICT (tenant_id, grain, since, line) DO UPDATE SET
                   calls = money_sums.calls + excluded.calls, permitted = money_sums.permitted + excluded.permitted,
                   denied = money_sums.denied + excluded.denied, failed = money_sums.failed + excluded.failed,
                   amount = money_sums.amount + excluded.amount
           ), totalled AS (
               INSERT INTO money_totals (
                   tenant_id, dimension, currency, grain, since, subject, calls, permitted, denied, failed, amount)
               SELECT $1, a.dimension, d.currency, d.grain, d.since, coalesce(a.subject, '00000000-0000-0000-0000-000000000000'),
                      sum(d.calls), sum(d.permitted), sum(d.denied), sum(d.failed), sum(d.amount)
               FROM dated d
               CROSS JOIN LATERAL (VALUES
                   ('all', NULL), ('department', d.department_id), ('team', d.team_id), ('user', d.user_id),
                   ('agent', d.agent_id), ('module', d.module_id), ('tool', d.tool_id)) AS a (dimension, subject)
               GROUP BY 2, 3, 4, 5, 6
               ON CONFLICT (tenant_id, dimension, currency, grain, since, subject) DO UPDATE SET
                   calls = money_totals.calls + excluded.calls, permitted = money_totals.permitted + excluded.permitted,
                   denied = money_totals.denied + excluded.denied, failed = money_totals.failed + excluded.failed,
                   amount = money_totals.amount + excluded.amount
           )
           SELECT coalesce(sum(calls), 0)::bigint AS "calls!" FROM placed"#,
        tenant,
        from,
        end,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(added.unsigned_abs())
}

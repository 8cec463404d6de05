//! Reading calls. Statements are static; a range of ids stands for a range of time, so that only its
//! partitions are read.

use model::CallId;
use model::call::{CallRow, Reason};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::narrow::Narrow;
use super::{Choices, Filter, Range, RejectionRow, Sight};
use crate::tx::TenantTx;
use crate::{Error, rows as read};

/// The ids of the newest calls in a range, newest first.
pub(super) async fn newest(
    tx: &mut TenantTx,
    sight: &Sight,
    filter: &Filter,
    range: Range,
    limit: i64,
) -> Result<Vec<Uuid>, Error> {
    ids(tx, sight, filter, range, End::Newest, limit).await
}

/// The ids of the oldest calls in a range, oldest first.
pub(super) async fn oldest(
    tx: &mut TenantTx,
    sight: &Sight,
    filter: &Filter,
    range: Range,
    limit: i64,
) -> Result<Vec<Uuid>, Error> {
    ids(tx, sight, filter, range, End::Oldest, limit).await
}

/// From which end of a range calls are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Newest,
    Oldest,
}

/// One statement for all filters and both ends. It relies on plans made for the values at hand (`plan_cache_mode`, set
/// where reading transactions begin): only then what is not asked for falls away, and the order is one of the index.
async fn ids(
    tx: &mut TenantTx,
    sight: &Sight,
    filter: &Filter,
    range: Range,
    end: End,
    limit: i64,
) -> Result<Vec<Uuid>, Error> {
    let tenant = tx.tenant_uuid();
    let Narrow { agents, tools, calls } = Narrow::of(tx, sight, filter, range).await?;
    if [&agents, &calls].into_iter().flatten().any(Vec::is_empty) {
        return Ok(Vec::new());
    }
    sqlx::query_scalar!(
        "SELECT c.id FROM calls c
         WHERE c.tenant_id = $1 AND c.id >= $2 AND c.id < $3
           AND ($4 OR c.owner_id = $5 OR c.on_behalf_of = $5 OR c.unit_path && $6::uuid[])
           AND ($7::uuid IS NULL OR c.agent_id = $7)
           AND ($8::uuid IS NULL OR c.module_id = $8)
           AND ($9::uuid IS NULL OR c.tool_id = $9)
           AND ($10::text IS NULL OR strpos(lower(c.tool_name), lower($10)) > 0)
           AND ($11::text IS NULL OR c.verdict = $11)
           AND ($12::text IS NULL OR EXISTS (
               SELECT FROM settlements s WHERE s.tenant_id = c.tenant_id AND s.call_id = c.id AND s.outcome = $12))
           AND ($13::uuid IS NULL OR c.unit_path @> ARRAY[$13])
           AND ($14::uuid IS NULL OR c.unit_path[cardinality(c.unit_path)] = $14)
           AND ($15::uuid IS NULL OR c.unit_path @> ARRAY[$15] AND $15 = (
               SELECT u.id FROM unnest(c.unit_path) WITH ORDINALITY AS p (id, depth)
               JOIN units u ON u.tenant_id = $1 AND u.id = p.id AND u.kind = 'department' ORDER BY p.depth LIMIT 1))
           AND ($16::uuid IS NULL OR c.owner_id = $16 OR c.on_behalf_of = $16)
           AND ($17::uuid IS NULL OR coalesce(c.on_behalf_of, c.owner_id) = $17)
           AND ($18::text IS NULL OR c.session = $18)
           AND ($19::text IS NULL OR strpos(lower(c.tool_name), lower($19)) > 0
                OR strpos(lower(c.client_name), lower($19)) > 0 OR strpos(lower(c.reason ->> 'sentence'), lower($19)) > 0)
           AND ($20::uuid[] IS NULL OR c.agent_id = ANY ($20))
           AND ($21::uuid[] IS NULL OR c.tool_id = ANY ($21) OR c.tool_id IS NULL)
           AND ($22::uuid[] IS NULL OR c.id = ANY ($22))
         ORDER BY CASE WHEN $23 THEN c.id END DESC, CASE WHEN NOT $23 THEN c.id END
         LIMIT $24",
        tenant,
        range.from,
        range.to,
        sight.all,
        sight.person,
        &sight.units,
        filter.agent.map(|agent| agent.uuid()),
        filter.module.map(|module| module.uuid()),
        filter.tool_id.map(|tool| tool.uuid()),
        filter.tool.as_deref(),
        filter.verdict.map(|verdict| verdict.word()),
        filter.outcome.map(|outcome| outcome.word()),
        filter.unit.map(|unit| unit.uuid()),
        filter.team.map(|unit| unit.uuid()),
        filter.department.map(|unit| unit.uuid()),
        filter.person.map(|user| user.uuid()),
        filter.charged.map(|user| user.uuid()),
        filter.session.as_deref(),
        filter.text.as_deref(),
        agents.as_deref(),
        tools.as_deref(),
        calls.as_deref(),
        end == End::Newest,
        limit,
    )
    .fetch_all(tx.conn())
    .await
    .map_err(read::too_slow)
}

/// Lines of Activity, newest first. Names are those of now; ids are those of then.
pub(super) async fn rows(tx: &mut TenantTx, ids: &[Uuid]) -> Result<Vec<CallRow>, Error> {
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else { return Ok(Vec::new()) };
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        r#"SELECT c.id, c.received_at, c.agent_id, c.tool_name, c.verdict, c.reason, c.owner_id, c.on_behalf_of,
                  c.unit_path[cardinality(c.unit_path)] AS "unit_id?",
                  a.name AS "agent_name?", o.name AS "owner_name?", b.name AS "on_behalf_of_name?", n.name AS "unit_name?",
                  s.outcome AS "outcome?", s.duration_us AS "duration_us?", h.amount AS "amount?", h.currency AS "currency?"
           FROM calls c
           LEFT JOIN agents a ON a.tenant_id = c.tenant_id AND a.id = c.agent_id
           LEFT JOIN users o ON o.tenant_id = c.tenant_id AND o.id = c.owner_id
           LEFT JOIN users b ON b.tenant_id = c.tenant_id AND b.id = c.on_behalf_of
           LEFT JOIN units n ON n.tenant_id = c.tenant_id AND n.id = c.unit_path[cardinality(c.unit_path)]
           LEFT JOIN settlements s ON s.tenant_id = c.tenant_id AND s.call_id = c.id AND s.call_id BETWEEN $3 AND $4
           LEFT JOIN charges h ON h.tenant_id = c.tenant_id AND h.call_id = c.id AND h.call_id BETWEEN $3 AND $4
           WHERE c.tenant_id = $1 AND c.id = ANY ($2) AND c.id BETWEEN $3 AND $4
           ORDER BY c.id DESC"#,
        tenant,
        ids,
        first,
        last,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(CallRow {
            id: row.id.into(),
            received_at: row.received_at,
            agent: row.agent_id.into(),
            agent_name: name(row.agent_name),
            owner: row.owner_id.into(),
            owner_name: name(row.owner_name),
            on_behalf_of: row.on_behalf_of.map(Into::into),
            on_behalf_of_name: row.on_behalf_of_name,
            unit: row.unit_id.map(Into::into),
            unit_name: row.unit_name,
            tool_name: row.tool_name,
            verdict: read::word("call", &row.verdict)?,
            reason: row.reason.map(reason).transpose()?,
            outcome: row.outcome.map(|outcome| read::word("settlement", &outcome)).transpose()?,
            duration_us: row.duration_us,
            charge: charge(row.amount, row.currency)?,
        })
    })
    .collect()
}

/// Agents and people are suspended and never deleted, so their names are there; a page must not fail should
/// one not be.
pub(super) fn name(name: Option<String>) -> String {
    name.unwrap_or_else(|| "(unknown)".to_owned())
}

pub(super) fn reason(json: serde_json::Value) -> Result<Reason, Error> {
    serde_json::from_value(json).map_err(|error| Error::inconsistent("the reason of a call", error))
}

fn charge(amount: Option<Decimal>, currency: Option<String>) -> Result<Option<model::Money>, Error> {
    amount.zip(currency).map(|(amount, currency)| read::money("charge", amount, &currency)).transpose()
}

/// Whether one call is there and may be seen.
pub(super) async fn visible(tx: &mut TenantTx, sight: &Sight, call: CallId) -> Result<bool, Error> {
    let range = Range { from: call.uuid(), to: super::next(call.uuid()) };
    Ok(!newest(tx, sight, &Filter::default(), range, 1).await?.is_empty())
}

pub(super) async fn choices(tx: &mut TenantTx, sight: &Sight) -> Result<Choices, Error> {
    let tenant = tx.tenant_uuid();
    let agents = sqlx::query!(
        "WITH RECURSIVE below (id) AS (
             SELECT unnest($4::uuid[])
             UNION
             SELECT u.id FROM units u JOIN below ON u.parent_id = below.id WHERE u.tenant_id = $1
         )
         SELECT a.id, a.name FROM agents a
         WHERE a.tenant_id = $1 AND ($2 OR a.owner_id = $3 OR a.home_unit_id IN (SELECT id FROM below) OR EXISTS (
             SELECT FROM credentials c WHERE c.tenant_id = $1 AND c.agent_id = a.id AND c.on_behalf_of = $3))
         ORDER BY lower(a.name), a.id LIMIT 300",
        tenant,
        sight.all,
        sight.person,
        &sight.units,
    )
    .fetch_all(tx.conn())
    .await?;
    let modules = sqlx::query!(
        "SELECT id, title FROM modules WHERE tenant_id = $1 ORDER BY lower(title), id LIMIT 300",
        tenant
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Choices {
        agents: agents.into_iter().map(|row| (row.id.into(), row.name)).collect(),
        modules: modules.into_iter().map(|row| (row.id.into(), row.title)).collect(),
    })
}

pub(super) async fn rejections(tx: &mut TenantTx, limit: i64) -> Result<Vec<RejectionRow>, Error> {
    let tenant = tx.tenant_uuid();
    let rows = sqlx::query!(
        r#"SELECT r.at, r.code, r.status, r.count, host(r.address) AS address,
                  c.name AS "credential_name?", c.prefix AS "prefix?"
           FROM rejections r
           LEFT JOIN credentials c ON c.tenant_id = r.tenant_id AND c.id = r.credential_id
           WHERE r.tenant_id = $1 ORDER BY r.id DESC LIMIT $2"#,
        tenant,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| RejectionRow {
            at: row.at,
            code: row.code,
            status: u16::try_from(row.status).unwrap_or(0),
            credential: row
                .credential_name
                .zip(row.prefix)
                .map(|(name, prefix)| format!("{name} ({prefix}…)")),
            address: row.address,
            count: row.count.unsigned_abs(),
        })
        .collect())
}

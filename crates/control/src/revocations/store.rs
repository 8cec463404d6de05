//! The rows that a revocation reads and changes.

use chrono::TimeDelta;
use model::people::Standing;
use model::{AgentId, AuditEventId, CredentialId, Timestamp, UserId};
use uuid::Uuid;

use super::{NAMED, Running, RunningCall};
use crate::tx::TenantTx;
use crate::{Error, rows};

/// How long ago a call that is still running can have been admitted: requests have a limit of minutes, and what a
/// process that died has left is settled by the reconciler.
const LONGEST: TimeDelta = TimeDelta::hours(1);

/// A key in force.
pub(super) struct Key {
    pub(super) id: CredentialId,
    pub(super) agent: AgentId,
    pub(super) on_behalf_of: Option<UserId>,
}

/// The epoch that began with this transaction, and the database's time behind the gate: every call that was admitted
/// before has an earlier one, and none is admitted until the commit.
pub(super) async fn gate(tx: &mut TenantTx) -> Result<(i64, Timestamp), Error> {
    let tenant = tx.tenant_uuid();
    let row =
        sqlx::query!(r#"SELECT epoch, clock_timestamp() AS "at!" FROM gates WHERE tenant_id = $1"#, tenant)
            .fetch_one(tx.conn())
            .await?;
    Ok((row.epoch, row.at))
}

/// The agents that a person owns.
pub(super) async fn agents_of(tx: &mut TenantTx, owner: UserId) -> Result<Vec<AgentId>, Error> {
    let tenant = tx.tenant_uuid();
    let ids = sqlx::query_scalar!(
        "SELECT id FROM agents WHERE tenant_id = $1 AND owner_id = $2 AND retired_at IS NULL ORDER BY id",
        tenant,
        owner.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(Into::into).collect())
}

/// Keys in force: of these agents, and those with which any agent acts for a person.
pub(super) async fn keys(
    tx: &mut TenantTx,
    agents: &[AgentId],
    person: Option<UserId>,
) -> Result<Vec<Key>, Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let agents: Vec<Uuid> = agents.iter().map(|agent| agent.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT id, agent_id, on_behalf_of FROM credentials
         WHERE tenant_id = $1 AND (agent_id = ANY ($2) OR on_behalf_of = $3) AND revoked_at IS NULL
           AND (expires_at IS NULL OR expires_at > $4)
         ORDER BY id",
        tenant,
        &agents,
        person.map(|person| person.uuid()),
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Key {
            id: row.id.into(),
            agent: row.agent_id.into(),
            on_behalf_of: row.on_behalf_of.map(Into::into),
        })
        .collect())
}

/// Agents by name, and the names of the units they sit in.
pub(super) async fn named(
    tx: &mut TenantTx,
    agents: &[AgentId],
) -> Result<(Vec<(AgentId, String)>, Vec<String>), Error> {
    let tenant = tx.tenant_uuid();
    let ids: Vec<Uuid> = agents.iter().map(|agent| agent.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT a.id, a.name, u.id AS unit_id, u.name AS unit_name
         FROM agents a JOIN units u ON u.tenant_id = a.tenant_id AND u.id = a.home_unit_id
         WHERE a.tenant_id = $1 AND a.id = ANY ($2) ORDER BY lower(a.name), a.id",
        tenant,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut units: Vec<(String, Uuid)> =
        rows.iter().map(|row| (row.unit_name.clone(), row.unit_id)).collect();
    units.sort();
    units.dedup();
    Ok((
        rows.into_iter().map(|row| (row.id.into(), row.name)).collect(),
        units.into_iter().map(|(name, _)| name).collect(),
    ))
}

/// Suspends agents. Returns those that were active.
pub(super) async fn suspend(tx: &mut TenantTx, agents: &[AgentId]) -> Result<Vec<AgentId>, Error> {
    let tenant = tx.tenant_uuid();
    let ids: Vec<Uuid> = agents.iter().map(|agent| agent.uuid()).collect();
    let ids = sqlx::query_scalar!(
        "UPDATE agents SET standing = $3 WHERE tenant_id = $1 AND id = ANY ($2) AND standing <> $3 RETURNING id",
        tenant,
        &ids,
        Standing::Suspended.word(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(Into::into).collect())
}

/// Revokes keys. Returns those that were not before.
pub(super) async fn revoke(tx: &mut TenantTx, keys: &[CredentialId]) -> Result<Vec<CredentialId>, Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let ids: Vec<Uuid> = keys.iter().map(|key| key.uuid()).collect();
    let ids = sqlx::query_scalar!(
        "UPDATE credentials SET revoked_at = $3 WHERE tenant_id = $1 AND id = ANY ($2) AND revoked_at IS NULL RETURNING id",
        tenant,
        &ids,
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(Into::into).collect())
}

/// Calls that were admitted, before an instant if one is given, and have not ended: every call of the agents `own`,
/// and those by the keys. `agents` are all agents that either can be of.
pub(super) async fn running(
    tx: &mut TenantTx,
    agents: &[AgentId],
    own: &[AgentId],
    keys: &[CredentialId],
    before: Option<Timestamp>,
) -> Result<Running, Error> {
    tx.bound_time().await?;
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let uuids = |ids: &[AgentId]| ids.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>();
    let keys: Vec<Uuid> = keys.iter().map(|key| key.uuid()).collect();
    let most = i64::try_from(NAMED).unwrap_or(0) + 1;
    let rows = sqlx::query!(
        r#"SELECT c.id, c.agent_id, c.tool_name, c.recorded_at, a.name AS "agent_name?"
           FROM calls c
           LEFT JOIN settlements s ON s.tenant_id = c.tenant_id AND s.call_id = c.id AND s.call_id >= $3
           LEFT JOIN agents a ON a.tenant_id = c.tenant_id AND a.id = c.agent_id
           WHERE c.tenant_id = $1 AND c.agent_id = ANY ($2) AND c.id >= $3 AND c.verdict = 'permit'
             AND (c.agent_id = ANY ($4) OR c.credential_id = ANY ($5))
             AND ($6::timestamptz IS NULL OR c.recorded_at <= $6) AND s.call_id IS NULL
           ORDER BY c.id DESC LIMIT $7"#,
        tenant,
        &uuids(agents),
        rows::uuid_floor(now - LONGEST),
        &uuids(own),
        &keys,
        before,
        most,
    )
    .fetch_all(tx.conn())
    .await?;
    let more = rows.len() > NAMED;
    let calls = rows
        .into_iter()
        .take(NAMED)
        .map(|row| RunningCall {
            call: row.id.into(),
            agent: row.agent_id.into(),
            agent_name: row.agent_name.unwrap_or_default(),
            tool_name: row.tool_name,
            admitted_at: row.recorded_at,
        })
        .collect();
    Ok(Running { calls, more })
}

/// An entry of the record of changes: action, subject's id and name, who did it, and the detail.
pub(super) async fn event(
    tx: &mut TenantTx,
    event: AuditEventId,
) -> Result<Option<(String, String, String, String, serde_json::Value)>, Error> {
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        "SELECT action, subject_id, subject_name, actor_name, detail FROM audit_events WHERE tenant_id = $1 AND id = $2",
        tenant,
        event.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (row.action, row.subject_id, row.subject_name, row.actor_name, row.detail)))
}

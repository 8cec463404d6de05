//! What only owners do: stop all agents at once and let them go on, close the organization.

use model::Timestamp;
use serde_json::json;

use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, rows};

/// What the emergency stop would stop, or has stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stop {
    /// Since when it is in force, and who did it.
    pub stopped: Option<(Timestamp, String)>,
    /// Agents that are active by themselves.
    pub agents: u64,
    /// Keys of theirs that are valid.
    pub keys: u64,
    /// Calls that were admitted in the last hour and have not ended: they go on.
    pub running: u64,
}

/// What closing the organization would close.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closing {
    /// People who can sign in now and could not any more.
    pub people: u64,
    /// Agents that are active.
    pub agents: u64,
    /// Sessions that would end.
    pub sessions: u64,
    /// Calls on record, which stay until the operator deletes the organization.
    pub calls: u64,
}

/// What the emergency stop would stop, in numbers.
pub async fn stop(control: &Control, actor: &Actor) -> Result<Stop, Error> {
    let mut tx = owners(control, actor).await?;
    numbers(&mut tx).await
}

async fn numbers(tx: &mut TenantTx) -> Result<Stop, Error> {
    let now = tx.now();
    let row = sqlx::query!(
        r#"SELECT (SELECT agents_stopped_at FROM settings) AS at, (SELECT agents_stopped_by FROM settings) AS by,
                  (SELECT count(*) FROM agents WHERE standing = 'active') AS "agents!",
                  (SELECT count(*) FROM credentials c JOIN agents a ON a.tenant_id = c.tenant_id AND a.id = c.agent_id
                   WHERE a.standing = 'active' AND c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > $1))
                      AS "keys!",
                  (SELECT count(*) FROM calls c
                   WHERE c.id >= $2 AND c.verdict = 'permit'
                     AND NOT EXISTS (SELECT FROM settlements s WHERE s.tenant_id = c.tenant_id AND s.call_id = c.id))
                      AS "running!""#,
        now,
        rows::uuid_floor(now - chrono::TimeDelta::hours(1)),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Stop {
        stopped: row.at.zip(row.by),
        agents: row.agents.unsigned_abs(),
        keys: row.keys.unsigned_abs(),
        running: row.running.unsigned_abs(),
    })
}

/// Stops all agents at once, also those that are made later: when this has returned, no call of theirs is admitted on any
/// node. Which of them are suspended by themselves is not touched, so that [`resume_agents`] brings back what was.
///
/// # Errors
/// `nothing_to_do` when they are stopped already.
pub async fn stop_agents(control: &Control, actor: &Actor) -> Result<Stop, Error> {
    let mut tx = actor.change(control, Deed::ChangeOwners, "organization that you may stop").await?;
    let (tenant, now, by) = (tx.tenant_uuid(), tx.now(), tx.actor().name().to_owned());
    let changed = sqlx::query!(
        "INSERT INTO settings AS s (tenant_id, agents_stopped_at, agents_stopped_by) VALUES ($1, $2, $3)
         ON CONFLICT (tenant_id) DO UPDATE
             SET agents_stopped_at = excluded.agents_stopped_at, agents_stopped_by = excluded.agents_stopped_by
             WHERE s.agents_stopped_at IS NULL",
        tenant,
        now,
        by,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    if changed == 0 {
        return Err(Error::refused("nothing_to_do", "all agents are stopped already"));
    }
    let stop = numbers(&mut tx).await?;
    let detail = json!({ "agents": stop.agents, "keys": stop.keys, "running": stop.running });
    tx.audit("agents.stop_all", "tenant", actor.tenant(), "all agents", detail).await?;
    tx.commit().await?;
    Ok(stop)
}

/// Lets the agents go on that were not suspended by themselves.
///
/// # Errors
/// `nothing_to_do` when they are not stopped.
pub async fn resume_agents(control: &Control, actor: &Actor) -> Result<Stop, Error> {
    let mut tx = actor.change(control, Deed::ChangeOwners, "organization that you may stop").await?;
    let changed = sqlx::query!(
        "UPDATE settings SET agents_stopped_at = NULL, agents_stopped_by = NULL WHERE agents_stopped_at IS NOT NULL"
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    if changed == 0 {
        return Err(Error::refused("nothing_to_do", "the agents are not stopped"));
    }
    let stop = numbers(&mut tx).await?;
    tx.audit("agents.resume_all", "tenant", actor.tenant(), "all agents", json!({ "agents": stop.agents }))
        .await?;
    tx.commit().await?;
    Ok(stop)
}

/// What closing the organization would close, in numbers.
pub async fn closing(control: &Control, actor: &Actor) -> Result<Closing, Error> {
    let mut tx = owners(control, actor).await?;
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM users WHERE standing = 'active') AS "people!",
                  (SELECT count(*) FROM agents WHERE standing = 'active') AS "agents!",
                  (SELECT count(*) FROM sessions WHERE tenant = $1 AND expires_at > $2) AS "sessions!",
                  (SELECT count(*) FROM calls) AS "calls!""#,
        tenant,
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Closing {
        people: row.people.unsigned_abs(),
        agents: row.agents.unsigned_abs(),
        sessions: row.sessions.unsigned_abs(),
        calls: row.calls.unsigned_abs(),
    })
}

/// Closes the organization: from now on nobody of it can sign in and no call is admitted. What it holds stays until whoever
/// runs the installation deletes it, and they alone can open it again. `typed` is its short name, as the owner typed it.
///
/// # Errors
/// `short_name` when it is not that.
pub async fn close(control: &Control, actor: &Actor, typed: &str) -> Result<(), Error> {
    // Before the gate: a slip of the finger is no reason to let calls wait.
    let mut tx = owners(control, actor).await?;
    let slug = sqlx::query_scalar!("SELECT slug FROM tenants").fetch_one(tx.conn()).await?;
    drop(tx);
    if typed.trim() != slug {
        return Err(Error::invalid(
            "short_name",
            format!("type `{slug}`, the short name of this organization"),
        ));
    }
    let mut tx = actor.change(control, Deed::ChangeOwners, "organization that you may close").await?;
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let name = sqlx::query_scalar!(
        "UPDATE tenants SET standing = 'suspended' WHERE tenant_id = $1 RETURNING name",
        tenant
    )
    .fetch_one(tx.conn())
    .await?;
    sqlx::query!(
        "INSERT INTO settings (tenant_id, closed_at) VALUES ($1, $2)
         ON CONFLICT (tenant_id) DO UPDATE SET closed_at = excluded.closed_at",
        tenant,
        now,
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!("DELETE FROM sessions WHERE tenant = $1", tenant).execute(tx.conn()).await?;
    tx.audit("tenant.close", "tenant", actor.tenant(), &name, json!({})).await?;
    tx.commit().await
}

async fn owners(control: &Control, actor: &Actor) -> Result<TenantTx, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ChangeOwners, "organization that you may close")?;
    tx.bound_time().await?;
    Ok(tx)
}

//! Agents: non-human principals, each with a person who answers for it and a home unit.

use model::people::{AgentView, Standing};
use model::{AgentId, UnitId, UserId};
use serde_json::json;

use crate::authority::{self, Deed};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, given, rows, units, users};

/// An agent to be made.
#[derive(Clone, Debug)]
pub struct NewAgent {
    /// Its name: 1 to 120 characters, the only one of its kind in the tenant.
    pub name: String,
    /// The person who answers for it.
    pub owner: UserId,
    /// The unit it sits in.
    pub home_unit: UnitId,
}

/// Makes an agent. It can do nothing until it has a key and somebody gives it, or a unit it is in, a
/// permission key.
///
/// # Errors
/// `name_taken`.
pub async fn create(control: &Control, actor: &Actor, new: NewAgent) -> Result<AgentId, Error> {
    let mut tx = actor.change(control, Deed::ChangeAgents, "agent").await?;
    let name = given::name("name", &new.name, 120)?;
    let (owner, unit) = (users::one(&mut tx, new.owner).await?, units::one(&mut tx, new.home_unit).await?);
    let (id, tenant, now): (AgentId, _, _) = (tx.id(), tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "INSERT INTO agents (tenant_id, id, name, owner_id, home_unit_id, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        tenant,
        id.uuid(),
        name,
        owner.id.uuid(),
        unit.id.uuid(),
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(|error| {
        Error::taken(error, "agents_name", "name_taken", || format!("there is an agent “{name}” already"))
    })?;
    tx.audit("agent.create", "agent", id, &name, json!({ "owner": owner.name, "unit": unit.name })).await?;
    tx.commit().await?;
    Ok(id)
}

/// Agents by name: all of them, or, for those who may not see people, the ones they own.
pub async fn list(control: &Control, actor: &Actor) -> Result<Vec<AgentView>, Error> {
    let mut tx = actor.read(control).await?;
    let all = authority::may(actor, Deed::ReadPeople);
    if !all && actor.user_id().is_none() {
        return Err(Error::not_found("list of agents"));
    }
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "SELECT id, name, owner_id, home_unit_id, standing FROM agents
         WHERE tenant_id = $1 AND ($2 OR owner_id = $3) ORDER BY lower(name), id",
        tenant,
        all,
        actor.user_id().map(|user| user.uuid()),
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(AgentView {
            id: row.id.into(),
            name: row.name,
            owner: row.owner_id.into(),
            home_unit: row.home_unit_id.into(),
            standing: rows::word("agent", &row.standing)?,
        })
    })
    .collect()
}

/// An agent by name. Case does not matter.
pub async fn find(control: &Control, actor: &Actor, name: &str) -> Result<AgentView, Error> {
    let wanted = name.trim().to_lowercase();
    let agents = list(control, actor).await?;
    agents
        .into_iter()
        .find(|agent| agent.name.to_lowercase() == wanted)
        .ok_or_else(|| Error::not_found(format!("agent “{}”", name.trim())))
}

/// Stops an agent: its next call is refused, whatever key it presents.
pub async fn suspend(control: &Control, actor: &Actor, agent: AgentId) -> Result<(), Error> {
    stand(control, actor, agent, Standing::Suspended).await
}

/// Lets a suspended agent act again.
pub async fn resume(control: &Control, actor: &Actor, agent: AgentId) -> Result<(), Error> {
    stand(control, actor, agent, Standing::Active).await
}

async fn stand(control: &Control, actor: &Actor, agent: AgentId, standing: Standing) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangeAgents, "agent").await?;
    let name = one(&mut tx, agent).await?.name;
    let tenant = tx.tenant_uuid();
    let changed = sqlx::query!(
        "UPDATE agents SET standing = $3 WHERE tenant_id = $1 AND id = $2 AND standing <> $3",
        tenant,
        agent.uuid(),
        standing.word(),
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    if changed == 0 {
        return Err(Error::refused("nothing_to_do", format!("agent “{name}” is {standing} already")));
    }
    let action = if standing == Standing::Active { "agent.resume" } else { "agent.suspend" };
    tx.audit(action, "agent", agent, &name, json!({})).await?;
    tx.commit().await
}

/// Moves an agent to another unit, whose grants it then has instead.
pub async fn move_to(control: &Control, actor: &Actor, agent: AgentId, unit: UnitId) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangeAgents, "agent").await?;
    let (was, unit) = (one(&mut tx, agent).await?, units::one(&mut tx, unit).await?);
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "UPDATE agents SET home_unit_id = $3 WHERE tenant_id = $1 AND id = $2",
        tenant,
        agent.uuid(),
        unit.id.uuid()
    )
    .execute(tx.conn())
    .await?;
    tx.audit("agent.move", "agent", agent, &was.name, json!({ "unit": unit.name, "from": was.home_unit }))
        .await?;
    tx.commit().await
}

/// One agent of the tenant, suspended or not.
pub(crate) async fn one(tx: &mut TenantTx, agent: AgentId) -> Result<AgentView, Error> {
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        "SELECT id, name, owner_id, home_unit_id, standing FROM agents WHERE tenant_id = $1 AND id = $2",
        tenant,
        agent.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::not_found("such agent"))?;
    Ok(AgentView {
        id: row.id.into(),
        name: row.name,
        owner: row.owner_id.into(),
        home_unit: row.home_unit_id.into(),
        standing: rows::word("agent", &row.standing)?,
    })
}

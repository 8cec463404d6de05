//! Agents: non-human principals, each with a person who answers for it and a home unit.

use model::limit::Whose;
use model::people::{AgentView, Standing, UserView};
use model::{AgentId, Timestamp, UnitId, UserId};
use serde_json::json;

use crate::authority::{self, Deed};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, directory, given, limits, rows, units, users};

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

/// An agent with what its page shows beside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentStory {
    /// The agent.
    pub view: AgentView,
    /// The name of the person who answers for it, and their mail address.
    pub owner: (String, String),
    /// May that person act.
    pub owner_standing: Standing,
    /// The names of its units from the top down to its home, with their ids.
    pub unit_path: Vec<(UnitId, String)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it is no more.
    pub retired_at: Option<Timestamp>,
    /// Keys in force.
    pub keys: u32,
}

/// What a move to another unit would change, as to the tools whose key the agent has.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Moving {
    /// Full names of tools that it could not call any more.
    pub lost: Vec<String>,
    /// Full names of tools that it could call from then on.
    pub gained: Vec<String>,
}

/// What went with an agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retired {
    /// Keys that were in force.
    pub keys: u64,
    /// Grants to the agent itself.
    pub grants: u64,
}

/// Makes an agent. It can do nothing until it has a key and somebody gives it, or a unit it is in, a
/// permission key.
///
/// # Errors
/// `name_taken`; `owner_suspended`.
pub async fn create(control: &Control, actor: &Actor, new: NewAgent) -> Result<AgentId, Error> {
    let mut tx = actor.change(control, Deed::ChangeAgents, "agent").await?;
    let name = given::name("name", &new.name, 120)?;
    let (owner, unit) = (owner(&mut tx, new.owner).await?, units::one(&mut tx, new.home_unit).await?);
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

/// The actor's own mail address, for forms that begin with them as the owner.
pub async fn own_address(control: &Control, actor: &Actor) -> Result<Option<String>, Error> {
    let Some(me) = actor.user_id() else { return Ok(None) };
    let mut tx = actor.read(control).await?;
    Ok(Some(users::one(&mut tx, me).await?.email))
}

/// One agent, also one that was retired. For those who may see people, and for its owner.
pub async fn story(control: &Control, actor: &Actor, agent: AgentId) -> Result<AgentStory, Error> {
    let mut tx = actor.read(control).await?;
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let row = sqlx::query!(
        r#"SELECT a.id, a.name, a.owner_id, a.home_unit_id, a.standing, a.created_at, a.retired_at,
                  o.name AS owner_name, o.email AS owner_email, o.standing AS owner_standing,
                  (SELECT count(*) FROM credentials c
                   WHERE c.tenant_id = $1 AND c.agent_id = a.id AND c.revoked_at IS NULL
                     AND (c.expires_at IS NULL OR c.expires_at > $3)) AS "keys!"
           FROM agents a JOIN users o ON o.tenant_id = a.tenant_id AND o.id = a.owner_id
           WHERE a.tenant_id = $1 AND a.id = $2"#,
        tenant,
        agent.uuid(),
        now,
    )
    .fetch_optional(tx.conn())
    .await?;
    let mine = |owner: uuid::Uuid| actor.user_id().is_some_and(|me| me.uuid() == owner);
    let row = row
        .filter(|row| authority::may(actor, Deed::ReadPeople) || mine(row.owner_id))
        .ok_or_else(|| Error::not_found("such agent"))?;
    let units = sqlx::query!(
        r#"WITH RECURSIVE up (id, name, parent_id, depth) AS (
               SELECT u.id, u.name, u.parent_id, 0 FROM units u WHERE u.tenant_id = $1 AND u.id = $2
               UNION ALL
               SELECT u.id, u.name, u.parent_id, up.depth + 1 FROM units u JOIN up ON u.id = up.parent_id
               WHERE u.tenant_id = $1 AND up.depth < 300
           )
           SELECT id AS "id!", name AS "name!" FROM up ORDER BY depth DESC"#,
        tenant,
        row.home_unit_id,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(AgentStory {
        view: AgentView {
            id: row.id.into(),
            name: row.name,
            owner: row.owner_id.into(),
            home_unit: row.home_unit_id.into(),
            standing: rows::word("agent", &row.standing)?,
        },
        owner: (row.owner_name, row.owner_email),
        owner_standing: rows::word("user", &row.owner_standing)?,
        unit_path: units.into_iter().map(|unit| (unit.id.into(), unit.name)).collect(),
        created_at: row.created_at,
        retired_at: row.retired_at,
        keys: u32::try_from(row.keys).unwrap_or(u32::MAX),
    })
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
         WHERE tenant_id = $1 AND ($2 OR owner_id = $3) AND retired_at IS NULL ORDER BY lower(name), id",
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

/// Gives an agent another name. The record of its past calls shows the new one from then on.
///
/// # Errors
/// `name_taken`.
pub async fn rename(control: &Control, actor: &Actor, agent: AgentId, name: &str) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangeAgents, "agent").await?;
    let name = given::name("name", name, 120)?;
    let was = one(&mut tx, agent).await?.name;
    let tenant = tx.tenant_uuid();
    sqlx::query!("UPDATE agents SET name = $3 WHERE tenant_id = $1 AND id = $2", tenant, agent.uuid(), name)
        .execute(tx.conn())
        .await
        .map_err(|error| {
            Error::taken(error, "agents_name", "name_taken", || format!("there is an agent “{name}” already"))
        })?;
    tx.audit("agent.rename", "agent", agent, &name, json!({ "was": was })).await?;
    tx.commit().await
}

/// Makes another person answer for an agent.
///
/// # Errors
/// `owner_suspended`; `nothing_to_do` when it is theirs already.
pub async fn hand_over(control: &Control, actor: &Actor, agent: AgentId, to: UserId) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangeAgents, "agent").await?;
    let (was, to) = (one(&mut tx, agent).await?, owner(&mut tx, to).await?);
    if was.owner == to.id {
        return Err(Error::refused(
            "nothing_to_do",
            format!("“{}” owns agent “{}” already", to.name, was.name),
        ));
    }
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "UPDATE agents SET owner_id = $3 WHERE tenant_id = $1 AND id = $2",
        tenant,
        agent.uuid(),
        to.id.uuid()
    )
    .execute(tx.conn())
    .await?;
    tx.audit("agent.hand_over", "agent", agent, &was.name, json!({ "owner": to.name, "from": was.owner }))
        .await?;
    tx.commit().await
}

/// What a move to another unit would change, before it is done.
pub async fn if_moved(
    control: &Control,
    actor: &Actor,
    agent: AgentId,
    unit: UnitId,
) -> Result<Moving, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ChangeAgents, "such agent")?;
    one(&mut tx, agent).await?;
    units::one(&mut tx, unit).await?;
    let directory = directory::present(control, actor.tenant()).await?;
    let moved = directory
        .if_moved(agent, unit, control.ambient().now())
        .ok_or_else(|| Error::not_found("such agent or unit"))?;
    let names = |tools: Vec<std::sync::Arc<policy::Tool>>| {
        tools.iter().map(|tool| tool.full_name.to_string()).collect()
    };
    Ok(Moving { lost: names(moved.lost), gained: names(moved.gained) })
}

/// Ends an agent for good: its keys are revoked, what was given to it is taken, its limits are gone, its name is free. Its calls stay on
/// record under it.
///
/// # Errors
/// `nothing_to_do` when it is retired already.
pub async fn retire(control: &Control, actor: &Actor, agent: AgentId) -> Result<Retired, Error> {
    let mut tx = actor.change(control, Deed::ChangeAgents, "agent").await?;
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let known = sqlx::query!(
        "SELECT name, retired_at FROM agents WHERE tenant_id = $1 AND id = $2",
        tenant,
        agent.uuid()
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::not_found("such agent"))?;
    let name = known.name;
    if known.retired_at.is_some() {
        return Err(Error::refused("nothing_to_do", format!("agent “{name}” is retired already")));
    }
    sqlx::query!(
        "UPDATE agents SET standing = 'suspended', retired_at = $3 WHERE tenant_id = $1 AND id = $2",
        tenant,
        agent.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    let keys = sqlx::query!(
        "UPDATE credentials SET revoked_at = $3 WHERE tenant_id = $1 AND agent_id = $2 AND revoked_at IS NULL",
        tenant,
        agent.uuid(),
        now
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    let grants =
        sqlx::query!("DELETE FROM grants WHERE tenant_id = $1 AND agent_id = $2", tenant, agent.uuid())
            .execute(tx.conn())
            .await?
            .rows_affected();
    let limits = limits::remove_all_of(&mut tx, Whose::Agent(agent)).await?;
    let detail = json!({ "keys_revoked": keys, "grants_revoked": grants, "limits_removed": limits });
    tx.audit("agent.retire", "agent", agent, &name, detail).await?;
    tx.commit().await?;
    limits::sweep(control, actor.tenant()).await;
    Ok(Retired { keys, grants })
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

/// Somebody who can answer for an agent.
async fn owner(tx: &mut TenantTx, user: UserId) -> Result<UserView, Error> {
    let user = users::one(tx, user).await?;
    match user.standing {
        Standing::Active => Ok(user),
        Standing::Suspended => Err(Error::refused(
            "owner_suspended",
            format!(
                "“{}” is suspended, and an agent of theirs could do nothing: choose somebody else",
                user.name
            ),
        )),
    }
}

/// One agent of the tenant, suspended or not; one that was retired is not there.
pub(crate) async fn one(tx: &mut TenantTx, agent: AgentId) -> Result<AgentView, Error> {
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        "SELECT id, name, owner_id, home_unit_id, standing FROM agents
         WHERE tenant_id = $1 AND id = $2 AND retired_at IS NULL",
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

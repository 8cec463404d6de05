//! Grants: permission keys given to units, roles, people and agents, and revoked.
//!
//! One at a time here; several at once, with their consequence told first, in [`change`]; read as a matrix in
//! [`matrix`], as a list in [`listing`].

pub mod change;
pub mod listing;
pub mod matrix;
pub mod pick;
pub mod preview;

use model::access::{GrantView, Grantee, PermissionKey};
use model::{GrantId, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, agents, given, rows, units, users};

/// A grant with what lists show beside.
#[derive(Clone, Debug)]
pub struct GrantLine {
    /// The grant.
    pub view: GrantView,
    /// The grantee in words: `agent “Inbox helper”`.
    pub grantee_name: String,
    /// Who gave it.
    pub given_by: String,
    /// When.
    pub given_at: Timestamp,
}

/// The columns of a grantee.
struct Columns {
    unit: Option<Uuid>,
    role: Option<&'static str>,
    user: Option<Uuid>,
    agent: Option<Uuid>,
}

impl From<Grantee> for Columns {
    fn from(grantee: Grantee) -> Self {
        let none = Self { unit: None, role: None, user: None, agent: None };
        match grantee {
            Grantee::Unit(unit) => Self { unit: Some(unit.uuid()), ..none },
            Grantee::Role(role) => Self { role: Some(role.word()), ..none },
            Grantee::User(user) => Self { user: Some(user.uuid()), ..none },
            Grantee::Agent(agent) => Self { agent: Some(agent.uuid()), ..none },
        }
    }
}

/// Gives a permission key. Given again with another end, the new end holds.
///
/// # Errors
/// `already_given` when the grantee has just that.
pub async fn give(
    control: &Control,
    actor: &Actor,
    key: &PermissionKey,
    grantee: Grantee,
    expires_at: Option<Timestamp>,
) -> Result<GrantId, Error> {
    let mut tx = actor.change(control, Deed::ChangeGrants, "grant").await?;
    let (id, _) = put(&mut tx, key, grantee, expires_at).await?;
    tx.commit().await?;
    Ok(id)
}

/// Gives a permission key inside a transaction that holds the gate. Says also what the grantee had before: until when
/// it was given; the outer none: nothing.
async fn put(
    tx: &mut TenantTx,
    key: &PermissionKey,
    grantee: Grantee,
    expires_at: Option<Timestamp>,
) -> Result<(GrantId, Option<Option<Timestamp>>), Error> {
    let whom = in_words(tx, grantee).await?;
    let expires_at = given::end("expires_at", expires_at, tx.now())?;
    let tenant = tx.tenant_uuid();
    let known = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM permission_keys WHERE tenant_id = $1 AND key = $2) AS "known!""#,
        tenant,
        key.as_str(),
    )
    .fetch_one(tx.conn())
    .await?;
    if !known {
        return Err(Error::not_found(format!("permission key `{key}`")));
    }
    let was = delete(tx, key, grantee).await?;
    if was.as_ref().is_some_and(|until| *until == expires_at) {
        return Err(Error::refused("already_given", format!("{whom} has `{key}` already")));
    }
    let (id, now, given_by): (GrantId, _, _) = (tx.id(), tx.now(), tx.actor().name().to_owned());
    let columns = Columns::from(grantee);
    sqlx::query!(
        "INSERT INTO grants (tenant_id, id, permission_key, unit_id, role, user_id, agent_id, given_by, given_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        tenant,
        id.uuid(),
        key.as_str(),
        columns.unit,
        columns.role,
        columns.user,
        columns.agent,
        given_by,
        now,
        expires_at,
    )
    .execute(tx.conn())
    .await?;
    let detail = json!({
        "key": key, "grantee": grantee, "expires_at": expires_at, "replaced": was.is_some(),
    });
    tx.audit("grant.give", "grant", id, &format!("`{key}` for {whom}"), detail).await?;
    Ok((id, was))
}

/// Revokes a grant by its id.
///
/// # Errors
/// When there is none.
pub async fn revoke(control: &Control, actor: &Actor, grant: GrantId) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangeGrants, "grant").await?;
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        "DELETE FROM grants WHERE tenant_id = $1 AND id = $2 RETURNING permission_key, unit_id, role, user_id, agent_id",
        tenant,
        grant.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::not_found("such grant"))?;
    let key: PermissionKey = rows::word("grant", &row.permission_key)?;
    let grantee = rows::grantee(row.unit_id, row.role.as_deref(), row.user_id, row.agent_id)?;
    revoked(&mut tx, grant.to_string(), &key, grantee).await?;
    tx.commit().await
}

/// Revokes a key from a grantee.
///
/// # Errors
/// When the grantee has no grant of this very key; what it has through others stays.
pub async fn revoke_key(
    control: &Control,
    actor: &Actor,
    key: &PermissionKey,
    grantee: Grantee,
) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangeGrants, "grant").await?;
    take(&mut tx, key, grantee).await?;
    tx.commit().await
}

/// Revokes a key from a grantee inside a transaction that holds the gate. Says until when it was given.
async fn take(tx: &mut TenantTx, key: &PermissionKey, grantee: Grantee) -> Result<Option<Timestamp>, Error> {
    let whom = in_words(tx, grantee).await?;
    let Some(until) = delete(tx, key, grantee).await? else {
        return Err(Error::not_found(format!("grant of `{key}` to {whom}")));
    };
    revoked(tx, format!("{key} {whom}"), key, grantee).await?;
    Ok(until)
}

async fn revoked(tx: &mut TenantTx, id: String, key: &PermissionKey, grantee: Grantee) -> Result<(), Error> {
    let whom = in_words(tx, grantee).await?;
    let detail = json!({ "key": key, "grantee": grantee });
    tx.audit("grant.revoke", "grant", id, &format!("`{key}` for {whom}"), detail).await
}

/// Deletes a grant and says until when it was given. None: there was none.
async fn delete(
    tx: &mut TenantTx,
    key: &PermissionKey,
    grantee: Grantee,
) -> Result<Option<Option<Timestamp>>, Error> {
    let (tenant, columns) = (tx.tenant_uuid(), Columns::from(grantee));
    Ok(sqlx::query_scalar!(
        "DELETE FROM grants
         WHERE tenant_id = $1 AND permission_key = $2 AND unit_id IS NOT DISTINCT FROM $3 AND role IS NOT DISTINCT FROM $4
           AND user_id IS NOT DISTINCT FROM $5 AND agent_id IS NOT DISTINCT FROM $6
         RETURNING expires_at",
        tenant,
        key.as_str(),
        columns.unit,
        columns.role,
        columns.user,
        columns.agent,
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// All grants that were not revoked, expired ones included, by key.
pub async fn list(control: &Control, actor: &Actor) -> Result<Vec<GrantLine>, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadGrants, "list of grants")?;
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        r#"SELECT g.id, g.permission_key, g.unit_id, g.role, g.user_id, g.agent_id, g.given_by, g.given_at, g.expires_at,
                  n.name AS "unit?", u.name AS "user?", a.name AS "agent?"
           FROM grants g
           LEFT JOIN units n ON n.tenant_id = g.tenant_id AND n.id = g.unit_id
           LEFT JOIN users u ON u.tenant_id = g.tenant_id AND u.id = g.user_id
           LEFT JOIN agents a ON a.tenant_id = g.tenant_id AND a.id = g.agent_id
           WHERE g.tenant_id = $1
           ORDER BY g.permission_key, g.given_at, g.id"#,
        tenant,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        let grantee = rows::grantee(row.unit_id, row.role.as_deref(), row.user_id, row.agent_id)?;
        let name = row.unit.or(row.user).or(row.agent).unwrap_or_default();
        Ok(GrantLine {
            view: GrantView {
                id: row.id.into(),
                key: rows::word("grant", &row.permission_key)?,
                grantee,
                expires_at: row.expires_at,
            },
            grantee_name: words(grantee, &name),
            given_by: row.given_by,
            given_at: row.given_at,
        })
    })
    .collect()
}

async fn in_words(tx: &mut TenantTx, grantee: Grantee) -> Result<String, Error> {
    let name = match grantee {
        Grantee::Unit(unit) => units::one(tx, unit).await?.name,
        Grantee::User(user) => users::one(tx, user).await?.name,
        Grantee::Agent(agent) => agents::one(tx, agent).await?.name,
        Grantee::Role(_) => String::new(),
    };
    Ok(words(grantee, &name))
}

fn words(grantee: Grantee, name: &str) -> String {
    match grantee {
        Grantee::Unit(_) => format!("unit “{name}”"),
        Grantee::Role(role) => format!("role {}", role.title()),
        Grantee::User(_) => format!("“{name}”"),
        Grantee::Agent(_) => format!("agent “{name}”"),
    }
}

//! The rows of people.

use model::people::{Standing, UserView};
use model::{UnitId, UserId};

use super::UserLine;
use crate::actor::HeldRole;
use crate::tx::TenantTx;
use crate::{Error, rows};

pub(super) async fn insert(
    tx: &mut TenantTx,
    id: UserId,
    email: &str,
    name: &str,
    home: UnitId,
    hash: Option<String>,
) -> Result<(), Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "INSERT INTO users (tenant_id, id, email, name, home_unit_id, password_hash, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant,
        id.uuid(),
        email,
        name,
        home.uuid(),
        hash,
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(|error| {
        Error::taken(error, "users_address", "email_taken", || {
            format!("somebody here has the address {email} already")
        })
    })?;
    Ok(())
}

/// One person of the tenant, suspended or not. Who was removed is nobody any more.
pub(crate) async fn one(tx: &mut TenantTx, user: UserId) -> Result<UserView, Error> {
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        "SELECT id, name, email, home_unit_id, standing FROM users WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL",
        tenant,
        user.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::not_found("such person"))?;
    Ok(UserView {
        id: row.id.into(),
        name: row.name,
        email: row.email,
        home_unit: row.home_unit_id.into(),
        standing: rows::word("user", &row.standing)?,
    })
}

pub(crate) async fn by_email(tx: &mut TenantTx, email: &str) -> Result<Option<UserView>, Error> {
    let tenant = tx.tenant_uuid();
    let found = sqlx::query_scalar!(
        "SELECT id FROM users WHERE tenant_id = $1 AND email = $2 AND removed_at IS NULL",
        tenant,
        email
    )
    .fetch_optional(tx.conn())
    .await?;
    match found {
        Some(id) => Ok(Some(one(tx, id.into()).await?)),
        None => Ok(None),
    }
}

pub(super) async fn all(tx: &mut TenantTx) -> Result<Vec<UserLine>, Error> {
    let tenant = tx.tenant_uuid();
    let rows = sqlx::query!(
        r#"SELECT u.id, u.name, u.email, u.home_unit_id, u.standing, u.password_hash IS NOT NULL AS "has_password!",
                  ARRAY(SELECT m.unit_id FROM memberships m WHERE m.tenant_id = u.tenant_id AND m.user_id = u.id)
                      AS "units!"
           FROM users u WHERE u.tenant_id = $1 AND u.removed_at IS NULL ORDER BY lower(u.name), u.id"#,
        tenant,
    )
    .fetch_all(tx.conn())
    .await?;
    let held = sqlx::query!(
        "SELECT user_id, role, unit_id FROM role_assignments WHERE tenant_id = $1 ORDER BY given_at, id",
        tenant
    )
    .fetch_all(tx.conn())
    .await?;
    let mut roles: std::collections::HashMap<_, Vec<HeldRole>> = std::collections::HashMap::new();
    for row in held {
        let held = HeldRole { role: rows::word("role", &row.role)?, unit: row.unit_id.map(Into::into) };
        roles.entry(row.user_id).or_default().push(held);
    }
    rows.into_iter()
        .map(|row| {
            Ok(UserLine {
                roles: roles.remove(&row.id).unwrap_or_default(),
                view: UserView {
                    id: row.id.into(),
                    name: row.name,
                    email: row.email,
                    home_unit: row.home_unit_id.into(),
                    standing: rows::word("user", &row.standing)?,
                },
                units: row.units.into_iter().map(Into::into).collect(),
                has_password: row.has_password,
            })
        })
        .collect()
}

pub(super) async fn set_standing(tx: &mut TenantTx, user: UserId, standing: Standing) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "UPDATE users SET standing = $3 WHERE tenant_id = $1 AND id = $2",
        tenant,
        user.uuid(),
        standing.word()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn set_password(tx: &mut TenantTx, user: UserId, hash: &str) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "UPDATE users SET password_hash = $3 WHERE tenant_id = $1 AND id = $2",
        tenant,
        user.uuid(),
        hash
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The organization's name.
pub(super) async fn organization(tx: &mut TenantTx) -> Result<String, Error> {
    let tenant = tx.tenant_uuid();
    Ok(sqlx::query_scalar!("SELECT name FROM tenants WHERE tenant_id = $1", tenant)
        .fetch_one(tx.conn())
        .await?)
}

pub(super) async fn set_home(tx: &mut TenantTx, user: UserId, unit: UnitId) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "UPDATE users SET home_unit_id = $3 WHERE tenant_id = $1 AND id = $2",
        tenant,
        user.uuid(),
        unit.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// False: was a member already.
pub(super) async fn join(tx: &mut TenantTx, user: UserId, unit: UnitId) -> Result<bool, Error> {
    let tenant = tx.tenant_uuid();
    let joined = sqlx::query!(
        "INSERT INTO memberships (tenant_id, user_id, unit_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        tenant,
        user.uuid(),
        unit.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(joined.rows_affected() == 1)
}

/// False: was no member.
pub(super) async fn leave(tx: &mut TenantTx, user: UserId, unit: UnitId) -> Result<bool, Error> {
    let tenant = tx.tenant_uuid();
    let left = sqlx::query!(
        "DELETE FROM memberships WHERE tenant_id = $1 AND user_id = $2 AND unit_id = $3",
        tenant,
        user.uuid(),
        unit.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(left.rows_affected() == 1)
}

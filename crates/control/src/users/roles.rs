//! What people may do in the dashboard: roles given and taken. Only owners make and unmake owners, and one
//! always stays.

use model::people::Role;
use model::{RoleAssignmentId, UnitId, UserId};
use serde_json::json;

use super::store;
use crate::actor::HeldRole;
use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, units};

/// Gives a person a role: in the whole tenant, or on a unit and below.
///
/// # Errors
/// `already_held`; `owner_of_a_unit`, for owners own the whole.
pub async fn give_role(
    control: &Control,
    actor: &Actor,
    user: UserId,
    role: Role,
    unit: Option<UnitId>,
) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangePeople, "user").await?;
    let person = store::one(&mut tx, user).await?;
    give(&mut tx, user, &person.name, HeldRole { role, unit }).await?;
    tx.commit().await
}

/// Takes a role from a person.
///
/// # Errors
/// When the person does not hold it there; `last_owner`.
pub async fn take_role(
    control: &Control,
    actor: &Actor,
    user: UserId,
    role: Role,
    unit: Option<UnitId>,
) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangePeople, "user").await?;
    let person = store::one(&mut tx, user).await?;
    if role == Role::Owner {
        tx.authorize(Deed::ChangeOwners, &format!("owner “{}” that you may change", person.name))?;
    }
    let tenant = tx.tenant_uuid();
    let taken = sqlx::query!(
        "DELETE FROM role_assignments
         WHERE tenant_id = $1 AND user_id = $2 AND role = $3 AND unit_id IS NOT DISTINCT FROM $4",
        tenant,
        user.uuid(),
        role.word(),
        unit.map(|unit| unit.uuid()),
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    if taken == 0 {
        return Err(Error::not_found(format!("role {role} of “{}”", person.name)));
    }
    if role == Role::Owner {
        some_owner_is_left(&mut tx, &person.name).await?;
    }
    tx.audit("role.take", "user", user, &person.name, json!({ "role": role, "unit": unit })).await?;
    tx.commit().await
}

pub(super) async fn give(tx: &mut TenantTx, user: UserId, name: &str, held: HeldRole) -> Result<(), Error> {
    if held.role == Role::Owner {
        tx.authorize(Deed::ChangeOwners, "role of owner that you may give")?;
        if held.unit.is_some() {
            return Err(Error::refused(
                "owner_of_a_unit",
                "an owner owns the whole organization: give the role without a unit",
            ));
        }
    }
    let place = match held.unit {
        Some(unit) => format!(" on unit “{}”", units::one(tx, unit).await?.name),
        None => String::new(),
    };
    let (id, tenant, now): (RoleAssignmentId, _, _) = (tx.id(), tx.tenant_uuid(), tx.now());
    let given_by = tx.actor().name().to_owned();
    let given = sqlx::query!(
        "INSERT INTO role_assignments (tenant_id, id, user_id, role, unit_id, given_by, given_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, user_id, role, unit_id) DO NOTHING",
        tenant,
        id.uuid(),
        user.uuid(),
        held.role.word(),
        held.unit.map(|unit| unit.uuid()),
        given_by,
        now,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    if given == 0 {
        return Err(Error::refused(
            "already_held",
            format!("“{name}” holds the role {}{place} already", held.role),
        ));
    }
    tx.audit("role.give", "user", user, name, json!({ "role": held.role, "unit": held.unit })).await
}

pub(crate) async fn is_owner(tx: &mut TenantTx, user: UserId) -> Result<bool, Error> {
    let tenant = tx.tenant_uuid();
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM role_assignments WHERE tenant_id = $1 AND user_id = $2 AND role = 'owner') AS "is!""#,
        tenant,
        user.uuid(),
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Called after the change: an organization that nobody owns could not be handed on.
pub(super) async fn some_owner_is_left(tx: &mut TenantTx, name: &str) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    let left = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM role_assignments r
               JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.user_id AND u.standing = 'active'
               WHERE r.tenant_id = $1 AND r.role = 'owner' AND r.unit_id IS NULL) AS "left!""#,
        tenant,
    )
    .fetch_one(tx.conn())
    .await?;
    if left {
        Ok(())
    } else {
        Err(Error::refused(
            "last_owner",
            format!("“{name}” is the only active owner: make somebody else an owner first"),
        ))
    }
}

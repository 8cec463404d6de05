//! Moving a unit to another place in the tree: what it comes to inherit, what it inherits no longer.

use model::UnitId;
use model::access::PermissionKey;
use model::people::UnitView;
use serde_json::json;

use super::{DEEPEST, below, line, live, name_taken, named};
use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, rows};

/// What moving a unit changes, before it is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moving {
    /// The units from the top down to this one, as they are.
    pub from: Vec<UnitView>,
    /// The units from the top down to the new place; empty: the top itself.
    pub to: Vec<UnitView>,
    /// People who sit in the unit or below, or are members there.
    pub people: u64,
    /// Agents that sit there.
    pub agents: u64,
    /// Their keys that are in force.
    pub keys: u64,
    /// Permission keys that the unit comes to have, and from which unit.
    pub gains: Vec<Inherited>,
    /// Permission keys that it has no longer, and from which unit it had them.
    pub loses: Vec<Inherited>,
}

/// A permission key that a unit has from one above it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inherited {
    /// The key.
    pub key: PermissionKey,
    /// The unit that it was given to.
    pub unit: UnitId,
    /// Its name.
    pub unit_name: String,
}

/// What moving a unit under `parent` (none: to the top) would change.
///
/// # Errors
/// As [`move_to`].
pub async fn moving(
    control: &Control,
    actor: &Actor,
    unit: UnitId,
    parent: Option<UnitId>,
) -> Result<Moving, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ChangePeople, "unit")?;
    let units = live(&mut tx).await?;
    allowed(&units, unit, parent)?;
    let from: Vec<UnitView> = line(&units, unit).into_iter().cloned().collect();
    let to: Vec<UnitView> =
        parent.map(|parent| line(&units, parent).into_iter().cloned().collect()).unwrap_or_default();
    let given = given_to(&mut tx, from.iter().chain(&to)).await?;
    let has = |path: &[UnitView], key: &PermissionKey| {
        given.iter().any(|it| path.iter().any(|unit| unit.id == it.unit) && it.key.covers(key))
    };
    let kept: Vec<UnitView> = to.iter().chain(from.last()).cloned().collect();
    let gains = given
        .iter()
        .filter(|it| to.iter().any(|unit| unit.id == it.unit) && !has(&from, &it.key))
        .cloned()
        .collect();
    let loses = given
        .iter()
        .filter(|it| from.iter().any(|unit| unit.id == it.unit) && !has(&kept, &it.key))
        .cloned()
        .collect();
    let inside: Vec<uuid::Uuid> = below(&units, unit).into_iter().map(|unit| unit.uuid()).collect();
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM users p WHERE p.tenant_id = $1 AND p.removed_at IS NULL
                      AND (p.home_unit_id = ANY ($2) OR EXISTS (
                          SELECT FROM memberships m
                          WHERE m.tenant_id = $1 AND m.user_id = p.id AND m.unit_id = ANY ($2)))) AS "people!",
                  (SELECT count(*) FROM agents a WHERE a.tenant_id = $1 AND a.home_unit_id = ANY ($2)
                      AND a.retired_at IS NULL) AS "agents!",
                  (SELECT count(*) FROM credentials c JOIN agents a ON a.tenant_id = c.tenant_id AND a.id = c.agent_id
                   WHERE c.tenant_id = $1 AND a.home_unit_id = ANY ($2) AND c.revoked_at IS NULL
                     AND (c.expires_at IS NULL OR c.expires_at > $3)) AS "keys!""#,
        tenant,
        &inside,
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Moving {
        from,
        to,
        people: row.people.unsigned_abs(),
        agents: row.agents.unsigned_abs(),
        keys: row.keys.unsigned_abs(),
        gains,
        loses,
    })
}

/// Moves a unit, with all that is in it, under another (none: to the top).
///
/// # Errors
/// `circle` into itself or a unit below it; `nothing_to_do` where it is already; `too_deep`; `name_taken`.
pub async fn move_to(
    control: &Control,
    actor: &Actor,
    unit: UnitId,
    parent: Option<UnitId>,
) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangePeople, "unit").await?;
    let units = live(&mut tx).await?;
    let was = allowed(&units, unit, parent)?;
    let names = |path: Vec<&UnitView>| path.iter().map(|unit| unit.name.clone()).collect::<Vec<_>>();
    let to = parent.map(|parent| names(line(&units, parent))).unwrap_or_default();
    let detail = json!({ "from": names(line(&units, unit)), "to": to });
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "UPDATE units SET parent_id = $3 WHERE tenant_id = $1 AND id = $2",
        tenant,
        unit.uuid(),
        parent.map(|parent| parent.uuid()),
    )
    .execute(tx.conn())
    .await
    .map_err(|error| name_taken(error, &was.name))?;
    tx.audit("unit.move", "unit", unit, &was.name, detail).await?;
    tx.commit().await
}

/// Whether the tree stays a tree. Under the gate nobody else moves units at the same time.
fn allowed(units: &[UnitView], unit: UnitId, parent: Option<UnitId>) -> Result<&UnitView, Error> {
    let moved = named(units, unit)?;
    if moved.parent == parent {
        return Err(Error::refused("nothing_to_do", format!("unit “{}” is there already", moved.name)));
    }
    let Some(parent) = parent else { return Ok(moved) };
    let inside = below(units, unit);
    let goal = named(units, parent)?;
    if inside.contains(&parent) {
        return Err(Error::refused(
            "circle",
            format!(
                "“{}” is inside unit “{}” itself: choose a unit that is not below it",
                goal.name, moved.name
            ),
        ));
    }
    let depth = line(units, unit).len();
    let height = inside.iter().map(|id| line(units, *id).len().saturating_sub(depth)).max().unwrap_or(0);
    if line(units, parent).len() + 1 + height > DEEPEST {
        return Err(Error::refused("too_deep", format!("units go at most {DEEPEST} levels deep")));
    }
    Ok(moved)
}

/// Grants to units that have not expired.
async fn given_to(
    tx: &mut TenantTx,
    units: impl Iterator<Item = &UnitView>,
) -> Result<Vec<Inherited>, Error> {
    let ids: Vec<uuid::Uuid> = units.map(|unit| unit.id.uuid()).collect();
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        r#"SELECT g.permission_key, u.id, u.name
           FROM grants g JOIN units u ON u.tenant_id = g.tenant_id AND u.id = g.unit_id
           WHERE g.tenant_id = $1 AND g.unit_id = ANY ($2) AND (g.expires_at IS NULL OR g.expires_at > $3)
           ORDER BY g.permission_key, lower(u.name), u.id"#,
        tenant,
        &ids,
        now,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(Inherited {
            key: rows::word("grant", &row.permission_key)?,
            unit: row.id.into(),
            unit_name: row.name,
        })
    })
    .collect()
}

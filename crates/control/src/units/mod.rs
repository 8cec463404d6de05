//! Departments and teams: the tenant's tree. What moving and archiving a unit change is beside.

mod archiving;
mod moving;

use std::collections::HashMap;

use model::UnitId;
use model::people::{UnitKind, UnitView};
use serde_json::json;

use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, given, rows};

pub use archiving::{Archiving, archive, archiving};
pub use moving::{Inherited, Moving, move_to, moving};

/// How deep the tree may be. People read paths; nobody reads one longer than this.
const DEEPEST: usize = 32;

/// A unit to be made.
#[derive(Clone, Debug)]
pub struct NewUnit {
    /// The unit it goes into; none: at the top.
    pub parent: Option<UnitId>,
    /// Department or team.
    pub kind: UnitKind,
    /// Its name: 1 to 120 characters, one of its kind beside its siblings.
    pub name: String,
}

/// Makes a unit.
///
/// # Errors
/// `name_taken` when a sibling is called the same; `too_deep` below 32 levels.
pub async fn create(control: &Control, actor: &Actor, new: NewUnit) -> Result<UnitId, Error> {
    let mut tx = actor.change(control, Deed::ChangePeople, "unit").await?;
    let id = insert(&mut tx, &new).await?;
    tx.commit().await?;
    Ok(id)
}

/// Makes a unit inside a transaction that moves the epoch anyway.
pub(crate) async fn insert(tx: &mut TenantTx, new: &NewUnit) -> Result<UnitId, Error> {
    let name = given::name("name", &new.name, 120)?;
    if let Some(parent) = new.parent {
        let units = live(tx).await?;
        named(&units, parent)?;
        if path(&units, parent).len() >= DEEPEST {
            return Err(Error::refused("too_deep", format!("units go at most {DEEPEST} levels deep")));
        }
    }
    let (id, tenant, now): (UnitId, _, _) = (tx.id(), tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "INSERT INTO units (tenant_id, id, parent_id, kind, name, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        tenant,
        id.uuid(),
        new.parent.map(|unit| unit.uuid()),
        new.kind.word(),
        name,
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(|error| name_taken(error, &name))?;
    tx.audit("unit.create", "unit", id, &name, json!({ "kind": new.kind, "parent": new.parent })).await?;
    Ok(id)
}

/// All units that are not archived, by name.
pub async fn list(control: &Control, actor: &Actor) -> Result<Vec<UnitView>, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadPeople, "list of units")?;
    live(&mut tx).await
}

/// A unit by its path from the top, `Sales/EMEA`, or by its name alone where only one has it. Case does not
/// matter.
pub async fn find(control: &Control, actor: &Actor, text: &str) -> Result<UnitView, Error> {
    let wanted = text.trim().to_lowercase();
    let units = list(control, actor).await?;
    let mut by_path = units.iter().filter(|unit| path(&units, unit.id).join("/").to_lowercase() == wanted);
    if let Some(unit) = by_path.next() {
        return Ok(unit.clone());
    }
    let mut by_name = units.iter().filter(|unit| unit.name.to_lowercase() == wanted);
    match (by_name.next(), by_name.next()) {
        (Some(unit), None) => Ok(unit.clone()),
        (Some(one), Some(other)) => Err(Error::refused(
            "ambiguous_name",
            format!(
                "several units are called “{}”: say which by its path, such as `{}` or `{}`",
                one.name,
                path(&units, one.id).join("/"),
                path(&units, other.id).join("/")
            ),
        )),
        (None, _) => Err(Error::not_found(format!("unit “{}”", text.trim()))),
    }
}

/// Gives a unit another name.
pub async fn rename(control: &Control, actor: &Actor, unit: UnitId, name: &str) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangePeople, "unit").await?;
    let name = given::name("name", name, 120)?;
    let was = one(&mut tx, unit).await?.name;
    let tenant = tx.tenant_uuid();
    sqlx::query!("UPDATE units SET name = $3 WHERE tenant_id = $1 AND id = $2", tenant, unit.uuid(), name)
        .execute(tx.conn())
        .await
        .map_err(|error| name_taken(error, &name))?;
    tx.audit("unit.rename", "unit", unit, &name, json!({ "was": was })).await?;
    tx.commit().await
}

/// The names from the top down to a unit. Empty when the unit is not among those given.
pub fn path(units: &[UnitView], unit: UnitId) -> Vec<&str> {
    line(units, unit).into_iter().map(|unit| unit.name.as_str()).collect()
}

/// Units and their paths from the top, by path.
pub(crate) async fn paths(tx: &mut TenantTx) -> Result<Vec<(UnitId, String)>, Error> {
    let units = live(tx).await?;
    let mut paths: Vec<_> = units.iter().map(|unit| (unit.id, path(&units, unit.id).join(" / "))).collect();
    paths.sort_by_cached_key(|(_, path)| path.to_lowercase());
    Ok(paths)
}

/// The units from the top down to a unit, itself included. Empty when it is not among those given.
pub fn line(units: &[UnitView], unit: UnitId) -> Vec<&UnitView> {
    let by_id: HashMap<UnitId, &UnitView> = units.iter().map(|unit| (unit.id, unit)).collect();
    let mut path = Vec::new();
    let mut next = by_id.get(&unit);
    // Bounded, should the rows ever form a circle.
    while let Some(unit) = next.filter(|_| path.len() <= DEEPEST) {
        path.push(*unit);
        next = unit.parent.and_then(|parent| by_id.get(&parent));
    }
    path.reverse();
    path
}

/// A unit and all below it, of those given; the unit first.
pub(crate) fn below(units: &[UnitView], top: UnitId) -> Vec<UnitId> {
    let mut children: HashMap<UnitId, Vec<UnitId>> = HashMap::new();
    for unit in units {
        if let Some(parent) = unit.parent {
            children.entry(parent).or_default().push(unit.id);
        }
    }
    let mut found = vec![top];
    let mut next = 0;
    while let Some(unit) = found.get(next).copied() {
        // Taken out, so that each is visited once even if the rows form a circle.
        found.extend(children.remove(&unit).unwrap_or_default());
        next += 1;
    }
    found
}

/// One unit that is not archived.
pub(crate) async fn one(tx: &mut TenantTx, unit: UnitId) -> Result<UnitView, Error> {
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        "SELECT id, parent_id, kind, name FROM units WHERE tenant_id = $1 AND id = $2 AND archived_at IS NULL",
        tenant,
        unit.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::not_found("such unit"))?;
    Ok(UnitView {
        id: row.id.into(),
        parent: row.parent_id.map(Into::into),
        kind: rows::word("unit", &row.kind)?,
        name: row.name,
    })
}

pub(crate) async fn live(tx: &mut TenantTx) -> Result<Vec<UnitView>, Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "SELECT id, parent_id, kind, name FROM units WHERE tenant_id = $1 AND archived_at IS NULL ORDER BY lower(name), id",
        tenant,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(UnitView {
            id: row.id.into(),
            parent: row.parent_id.map(Into::into),
            kind: rows::word("unit", &row.kind)?,
            name: row.name,
        })
    })
    .collect()
}

fn named(units: &[UnitView], id: UnitId) -> Result<&UnitView, Error> {
    units.iter().find(|unit| unit.id == id).ok_or_else(|| Error::not_found("such unit"))
}

fn name_taken(error: sqlx::Error, name: &str) -> Error {
    Error::taken(error, "units_name", "name_taken", || format!("there is a unit “{name}” beside it already"))
}

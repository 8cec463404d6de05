//! Grants as a matrix: rows are modules with their keys and tools, columns are those whom keys are given to. Only what is
//! shown is read.
//!
//! A cell says what was given right here and what comes from elsewhere: from a unit above, from a role, from the
//! module's key. It follows the same rules by which a directory gives out keys (`policy::keys`); a test compares the two.

mod cells;
mod one;

use std::collections::HashMap;

use model::access::{Grantee, PermissionKey};
use model::catalog::{ModuleStanding, ToolStanding};
use model::{GrantId, ModuleId, Timestamp, UnitId};
use uuid::Uuid;

use super::pick::{self, Found, Kind, Named, Where};
use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, rows};

pub use one::{OneCell, Reach, cell};

/// Modules on a page.
pub const MODULES: i64 = 15;
/// Columns on a page; with the unit that one has drilled into, one more.
pub const COLUMNS: i64 = 10;
/// Tools shown of an opened module.
const TOOLS: i64 = 200;

/// What is to be shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Part of a module's, key's or tool's name; empty: any.
    pub text: String,
    /// Which page of modules, the first one being 0.
    pub page: u32,
    /// Names of the modules whose tools are shown.
    pub open: Vec<String>,
    /// What the columns are.
    pub kind: Kind,
    /// The unit whose children, people or agents are the columns.
    pub within: Option<UnitId>,
    /// This column alone.
    pub only: Option<Grantee>,
    /// Part of the columns' names; empty: any.
    pub who: String,
    /// Which page of columns, the first one being 0.
    pub columns: u32,
}

/// What is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Matrix {
    /// The units from the top down to the one that one has drilled into, itself included.
    pub trail: Vec<(UnitId, String)>,
    /// The columns.
    pub columns: Vec<Named>,
    /// How many there are on all pages.
    pub columns_total: i64,
    /// The modules.
    pub modules: Vec<ModuleRows>,
    /// How many there are on all pages.
    pub modules_total: i64,
}

/// A module and its keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModuleRows {
    /// Its id.
    pub id: ModuleId,
    /// Its own key, and its name in URLs.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Whether it takes calls.
    pub standing: ModuleStanding,
    /// Its keys: its own first.
    pub keys: Vec<KeyRow>,
}

/// A key, with one cell for each column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRow {
    /// The key.
    pub key: PermissionKey,
    /// What it is for.
    pub title: String,
    /// How many tools ask for it.
    pub tools_total: i64,
    /// The tools that ask for it, where the module is open.
    pub tools: Vec<ToolRow>,
    /// In the order of the columns.
    pub cells: Vec<Cell>,
}

/// A tool below its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToolRow {
    /// Its name inside its module.
    pub name: String,
    /// Where it stands.
    pub standing: ToolStanding,
}

/// Whether somebody has a key, and from where.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cell {
    /// The grant of this very key to this very one, ended or not.
    pub own: Option<Given>,
    /// Grants from elsewhere that have not ended, the nearest first.
    pub inherited: Vec<Source>,
    /// How many grants of this very key that have not ended lie below a unit: to units, people and agents in it.
    pub below: i64,
}

impl Cell {
    /// Whether the key is held at `now`.
    pub fn held(&self, now: Timestamp) -> bool {
        self.given(now) || !self.inherited.is_empty()
    }

    /// Whether it was given here and has not ended at `now`.
    pub fn given(&self, now: Timestamp) -> bool {
        self.own.as_ref().is_some_and(|own| !own.over(now))
    }
}

/// A grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    /// Its id.
    pub id: GrantId,
    /// Who gave it.
    pub given_by: String,
    /// When.
    pub given_at: Timestamp,
    /// Until when.
    pub expires_at: Option<Timestamp>,
}

impl Given {
    /// Whether it has ended at `now`.
    pub fn over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// A grant from elsewhere that is enough for a cell's key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// The key that was given: the cell's, or its module's.
    pub key: PermissionKey,
    /// To whom.
    pub grantee: Grantee,
    /// That one's name; of a role its word.
    pub name: String,
    /// The grant.
    pub given: Given,
}

/// Reads the matrix, at one instant.
pub async fn matrix(control: &Control, actor: &Actor, wanted: &Wanted) -> Result<Matrix, Error> {
    let mut tx = TenantTx::snapshot(control, actor.clone()).await?;
    tx.authorize(Deed::ReadGrants, "matrix of grants")?;
    let trail = match wanted.within {
        Some(unit) => trail(&mut tx, unit).await?,
        None => Vec::new(),
    };
    let columns = columns(&mut tx, wanted).await?;
    let modules = modules(&mut tx, wanted).await?;
    let (columns_total, modules_total) = (columns.total, modules.total);
    let mut modules = modules.rows;
    cells::fill(&mut tx, &columns.rows, &mut modules).await?;
    tx.commit().await?;
    Ok(Matrix { trail, columns: columns.rows, columns_total, modules, modules_total })
}

/// From the top down to a unit.
async fn trail(tx: &mut TenantTx, unit: UnitId) -> Result<Vec<(UnitId, String)>, Error> {
    pick::one(tx, Grantee::Unit(unit)).await?;
    let chains = cells::chains(tx, &[unit.uuid()]).await?;
    let above = chains.get(&unit.uuid()).cloned().unwrap_or_default();
    Ok(above.into_iter().rev().map(|(id, name)| (id.into(), name)).collect())
}

async fn columns(tx: &mut TenantTx, wanted: &Wanted) -> Result<Found<Named>, Error> {
    if let Some(only) = wanted.only {
        return Ok(Found { rows: vec![pick::one(tx, only).await?], total: 1 });
    }
    let (text, offset) = (wanted.who.as_str(), i64::from(wanted.columns) * COLUMNS);
    match wanted.kind {
        Kind::Roles => Ok(pick::roles(text)),
        Kind::People => pick::people(tx, text, wanted.within, COLUMNS, offset).await,
        Kind::Agents => pick::agents(tx, text, wanted.within, COLUMNS, offset).await,
        Kind::Units => {
            let place = match wanted.within {
                Some(unit) => Where::Below(unit),
                None if text.is_empty() => Where::Top,
                None => Where::Anywhere,
            };
            let mut found = pick::units(tx, text, place, COLUMNS, offset).await?;
            // Beside its parts the whole stays in sight: what they inherit comes from there.
            if let Some(unit) = wanted.within {
                found.rows.insert(0, pick::one(tx, Grantee::Unit(unit)).await?);
            }
            Ok(found)
        }
    }
}

/// A page of modules with their keys, and tools where they are open. No cells yet.
async fn modules(tx: &mut TenantTx, wanted: &Wanted) -> Result<Found<ModuleRows>, Error> {
    let tenant = tx.tenant_uuid();
    let found = sqlx::query!(
        r#"SELECT m.id, m.name, m.title, m.standing, count(*) OVER () AS "total!" FROM modules m
           WHERE m.tenant_id = $1
             AND ($2 = '' OR strpos(m.name, lower($2)) > 0 OR strpos(lower(m.title), lower($2)) > 0
                  OR EXISTS (SELECT FROM permission_keys k
                             WHERE k.tenant_id = m.tenant_id AND k.module_id = m.id AND strpos(k.key, lower($2)) > 0)
                  OR EXISTS (SELECT FROM tools t
                             WHERE t.tenant_id = m.tenant_id AND t.module_id = m.id
                               AND strpos(lower(m.name || '.' || t.name), lower($2)) > 0))
           ORDER BY m.name LIMIT $3 OFFSET $4"#,
        tenant,
        wanted.text,
        MODULES,
        i64::from(wanted.page) * MODULES,
    )
    .fetch_all(tx.conn())
    .await?;
    let total = found.first().map_or(0, |row| row.total);
    let ids: Vec<Uuid> = found.iter().map(|row| row.id).collect();
    let mut keys: HashMap<Uuid, Vec<KeyRow>> = HashMap::new();
    let of_modules = sqlx::query!(
        r#"SELECT k.key, k.module_id, k.title,
                  (SELECT count(*) FROM tools t
                   WHERE t.tenant_id = k.tenant_id AND t.module_id = k.module_id AND t.permission_key = k.key) AS "tools!"
           FROM permission_keys k WHERE k.tenant_id = $1 AND k.module_id = ANY ($2) ORDER BY k.key"#,
        tenant,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    for row in of_modules {
        keys.entry(row.module_id).or_default().push(KeyRow {
            key: rows::word("permission key", &row.key)?,
            title: row.title,
            tools_total: row.tools,
            tools: Vec::new(),
            cells: Vec::new(),
        });
    }
    let open: Vec<Uuid> =
        found.iter().filter(|row| wanted.open.contains(&row.name)).map(|row| row.id).collect();
    let tools = sqlx::query!(
        "SELECT t.module_id, t.name, t.permission_key, t.standing
         FROM unnest($2::uuid[]) AS o (id)
         CROSS JOIN LATERAL (
             SELECT module_id, name, permission_key, standing FROM tools
             WHERE tenant_id = $1 AND module_id = o.id ORDER BY name LIMIT $3
         ) t",
        tenant,
        &open,
        TOOLS,
    )
    .fetch_all(tx.conn())
    .await?;
    for tool in tools {
        let rows = keys.get_mut(&tool.module_id).into_iter().flatten();
        if let Some(row) = rows.into_iter().find(|row| row.key.as_str() == tool.permission_key) {
            row.tools.push(ToolRow { name: tool.name, standing: rows::word("tool", &tool.standing)? });
        }
    }
    let rows = found
        .into_iter()
        .map(|row| {
            Ok(ModuleRows {
                keys: keys.remove(&row.id).unwrap_or_default(),
                id: row.id.into(),
                name: row.name,
                title: row.title,
                standing: rows::word("module", &row.standing)?,
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(Found { rows, total })
}

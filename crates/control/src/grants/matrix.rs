//! Grants as a matrix: rows are modules with their keys and tools, columns are those whom keys are given to. Only what is
//! shown is read.
//!
//! A cell says what was given right here and what comes from elsewhere: from a unit above, from a role, from the
//! module's key. It follows the same rules by which a directory gives out keys (`policy::keys`); a test compares the two.

use std::collections::{HashMap, HashSet};

use model::access::{Grantee, PermissionKey};
use model::catalog::{ModuleStanding, ToolStanding};
use model::people::Role;
use model::{GrantId, ModuleId, Timestamp, UnitId};
use uuid::Uuid;

use super::pick::{self, Found, Kind, Named, Where};
use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, rows};

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
    fill(&mut tx, &columns.rows, &mut modules).await?;
    tx.commit().await?;
    Ok(Matrix { trail, columns: columns.rows, columns_total, modules, modules_total })
}

/// One cell with its surroundings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OneCell {
    /// Whose.
    pub column: Named,
    /// The module of the key.
    pub module: ModuleId,
    /// Its name.
    pub module_name: String,
    /// Its title.
    pub module_title: String,
    /// Whether it takes calls.
    pub module_standing: ModuleStanding,
    /// The key with the tools that it is enough for, by their full text: of a module's own key all of them.
    pub row: KeyRow,
    /// The cell.
    pub cell: Cell,
    /// How many people and agents a unit or role reaches.
    pub reach: Reach,
}

/// How many somebody stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reach {
    /// People.
    pub people: i64,
    /// Agents.
    pub agents: i64,
}

/// Reads one cell.
pub async fn cell(
    control: &Control,
    actor: &Actor,
    key: &PermissionKey,
    grantee: Grantee,
) -> Result<OneCell, Error> {
    let mut tx = TenantTx::snapshot(control, actor.clone()).await?;
    tx.authorize(Deed::ReadGrants, "grant")?;
    let column = pick::one(&mut tx, grantee).await?;
    let tenant = tx.tenant_uuid();
    let found = sqlx::query!(
        "SELECT k.title AS key_title, m.id, m.name, m.title, m.standing FROM permission_keys k
         JOIN modules m ON m.tenant_id = k.tenant_id AND m.id = k.module_id
         WHERE k.tenant_id = $1 AND k.key = $2",
        tenant,
        key.as_str(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::not_found(format!("permission key `{key}`")))?;
    let tools: Vec<ToolRow> = sqlx::query!(
        "SELECT name, standing FROM tools
         WHERE tenant_id = $1 AND module_id = $2 AND (permission_key = $3 OR $3 = $4) ORDER BY name LIMIT $5",
        tenant,
        found.id,
        key.as_str(),
        found.name,
        TOOLS,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| Ok(ToolRow { name: row.name, standing: rows::word("tool", &row.standing)? }))
    .collect::<Result<_, Error>>()?;
    let mut row = KeyRow {
        key: key.clone(),
        title: found.key_title,
        tools_total: tools.len() as i64,
        tools,
        cells: Vec::new(),
    };
    let mut module = ModuleRows {
        id: found.id.into(),
        name: found.name,
        title: found.title,
        standing: rows::word("module", &found.standing)?,
        keys: vec![row.clone()],
    };
    fill(&mut tx, std::slice::from_ref(&column), std::slice::from_mut(&mut module)).await?;
    let cell = module.keys.pop().and_then(|mut filled| filled.cells.pop()).unwrap_or_default();
    row.cells.clear();
    let reach = reach(&mut tx, grantee).await?;
    tx.commit().await?;
    Ok(OneCell {
        column,
        module: module.id,
        module_name: module.name,
        module_title: module.title,
        module_standing: module.standing,
        row,
        cell,
        reach,
    })
}

/// From the top down to a unit.
async fn trail(tx: &mut TenantTx, unit: UnitId) -> Result<Vec<(UnitId, String)>, Error> {
    pick::one(tx, Grantee::Unit(unit)).await?;
    let chains = chains(tx, &[unit.uuid()]).await?;
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

/// From whom each column has keys: itself first, then the others, the nearest first.
type Lines = Vec<Vec<(Grantee, String)>>;

/// Fills in the cells.
async fn fill(tx: &mut TenantTx, columns: &[Named], modules: &mut [ModuleRows]) -> Result<(), Error> {
    let now = tx.now();
    let lines = lines(tx, columns).await?;
    let mut keys: HashSet<String> = HashSet::new();
    for row in modules.iter().flat_map(|module| &module.keys) {
        keys.insert(row.key.module().to_owned());
        keys.insert(row.key.as_str().to_owned());
    }
    let keys: Vec<String> = keys.into_iter().collect();
    let grants = grants(tx, &keys, &lines).await?;
    let below = below(tx, &keys, columns).await?;
    for row in modules.iter_mut().flat_map(|module| &mut module.keys) {
        row.cells = lines
            .iter()
            .map(|line| {
                let mut cell = of_line(&row.key, line, &grants, now);
                if let Some((Grantee::Unit(unit), _)) = line.first() {
                    cell.below = below.get(&(unit.uuid(), row.key.clone())).copied().unwrap_or(0);
                }
                cell
            })
            .collect();
    }
    Ok(())
}

type ByKey = HashMap<(PermissionKey, Grantee), Given>;

fn of_line(key: &PermissionKey, line: &[(Grantee, String)], grants: &ByKey, now: Timestamp) -> Cell {
    let mut cell = Cell::default();
    // A key's first part is always a key; were it not, no grant would be found under it.
    let module: Option<PermissionKey> = key.module().parse().ok().filter(|module| module != key);
    for (at, (grantee, name)) in line.iter().enumerate() {
        for wanted in std::iter::once(key).chain(module.as_ref()) {
            let Some(given) = grants.get(&(wanted.clone(), *grantee)) else { continue };
            if at == 0 && wanted == key {
                cell.own = Some(given.clone());
            } else if !given.over(now) {
                let (key, name, given) = (wanted.clone(), name.clone(), given.clone());
                cell.inherited.push(Source { key, grantee: *grantee, name, given });
            }
        }
    }
    cell
}

async fn lines(tx: &mut TenantTx, columns: &[Named]) -> Result<Lines, Error> {
    let tenant = tx.tenant_uuid();
    let users: Vec<Uuid> = ids(columns, |it| if let Grantee::User(id) = it { Some(id.uuid()) } else { None });
    let agents: Vec<Uuid> =
        ids(columns, |it| if let Grantee::Agent(id) = it { Some(id.uuid()) } else { None });
    let mut starts: Vec<(Uuid, Uuid)> = Vec::new();
    let mut roles: HashMap<Uuid, Vec<Role>> = HashMap::new();
    if !users.is_empty() {
        // Home first.
        let of_people = sqlx::query!(
            r#"SELECT s.user_id AS "user_id!", s.unit_id AS "unit_id!" FROM (
                   SELECT id AS user_id, home_unit_id AS unit_id, 0 AS place FROM users
                   WHERE tenant_id = $1 AND id = ANY ($2)
                   UNION ALL
                   SELECT user_id, unit_id, 1 FROM memberships WHERE tenant_id = $1 AND user_id = ANY ($2)
               ) s ORDER BY s.user_id, s.place, s.unit_id"#,
            tenant,
            &users,
        )
        .fetch_all(tx.conn())
        .await?;
        starts.extend(of_people.into_iter().map(|row| (row.user_id, row.unit_id)));
        let held = sqlx::query!(
            "SELECT user_id, role FROM role_assignments
             WHERE tenant_id = $1 AND user_id = ANY ($2) AND unit_id IS NULL ORDER BY user_id, role",
            tenant,
            &users,
        )
        .fetch_all(tx.conn())
        .await?;
        for row in held {
            roles.entry(row.user_id).or_default().push(rows::word("role", &row.role)?);
        }
    }
    if !agents.is_empty() {
        let homes = sqlx::query!(
            "SELECT id, home_unit_id FROM agents WHERE tenant_id = $1 AND id = ANY ($2)",
            tenant,
            &agents,
        )
        .fetch_all(tx.conn())
        .await?;
        starts.extend(homes.into_iter().map(|row| (row.id, row.home_unit_id)));
    }
    starts.extend(
        ids(columns, |it| if let Grantee::Unit(id) = it { Some(id.uuid()) } else { None })
            .into_iter()
            .map(|unit| (unit, unit)),
    );
    let units: Vec<Uuid> = starts.iter().map(|(_, unit)| *unit).collect();
    let chains = chains(tx, &units).await?;
    let mut lines = Vec::with_capacity(columns.len());
    for column in columns {
        let mut line = vec![(column.grantee, column.name.clone())];
        let id = match column.grantee {
            Grantee::Unit(id) => id.uuid(),
            Grantee::User(id) => id.uuid(),
            Grantee::Agent(id) => id.uuid(),
            // A role inherits from nobody.
            Grantee::Role(_) => {
                lines.push(line);
                continue;
            }
        };
        let own = starts.iter().filter(|(whose, _)| *whose == id).map(|(_, unit)| unit);
        for (unit, name) in own.filter_map(|unit| chains.get(unit)).flatten() {
            let grantee = Grantee::Unit((*unit).into());
            if line.iter().all(|(known, _)| *known != grantee) {
                line.push((grantee, name.clone()));
            }
        }
        line.extend(
            roles.get(&id).into_iter().flatten().map(|role| (Grantee::Role(*role), role.word().to_owned())),
        );
        lines.push(line);
    }
    Ok(lines)
}

fn ids(columns: &[Named], pick: impl Fn(Grantee) -> Option<Uuid>) -> Vec<Uuid> {
    columns.iter().filter_map(|column| pick(column.grantee)).collect()
}

/// The units from each of these up to the top, itself first.
async fn chains(tx: &mut TenantTx, units: &[Uuid]) -> Result<HashMap<Uuid, Vec<(Uuid, String)>>, Error> {
    if units.is_empty() {
        return Ok(HashMap::new());
    }
    let tenant = tx.tenant_uuid();
    let found = sqlx::query!(
        r#"WITH RECURSIVE up (start, id, parent_id, name, depth) AS (
               SELECT id, id, parent_id, name, 0 FROM units WHERE tenant_id = $1 AND id = ANY ($2)
               UNION ALL
               SELECT up.start, u.id, u.parent_id, u.name, up.depth + 1
               FROM up JOIN units u ON u.tenant_id = $1 AND u.id = up.parent_id
               WHERE up.depth < 256
           )
           SELECT start AS "start!", id AS "id!", name AS "name!" FROM up ORDER BY start, depth"#,
        tenant,
        units,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut chains: HashMap<Uuid, Vec<(Uuid, String)>> = HashMap::new();
    for row in found {
        chains.entry(row.start).or_default().push((row.id, row.name));
    }
    Ok(chains)
}

/// The grants of these keys to anybody of these lines.
async fn grants(tx: &mut TenantTx, keys: &[String], lines: &Lines) -> Result<ByKey, Error> {
    let (mut units, mut roles, mut users, mut agents) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (grantee, _) in lines.iter().flatten() {
        match grantee {
            Grantee::Unit(id) => units.push(id.uuid()),
            Grantee::Role(role) => roles.push(role.word().to_owned()),
            Grantee::User(id) => users.push(id.uuid()),
            Grantee::Agent(id) => agents.push(id.uuid()),
        }
    }
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "SELECT id, permission_key, unit_id, role, user_id, agent_id, given_by, given_at, expires_at FROM grants
         WHERE tenant_id = $1 AND permission_key = ANY ($2)
           AND (unit_id = ANY ($3) OR role = ANY ($4) OR user_id = ANY ($5) OR agent_id = ANY ($6))",
        tenant,
        keys,
        &units,
        &roles,
        &users,
        &agents,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        let grantee = rows::grantee(row.unit_id, row.role.as_deref(), row.user_id, row.agent_id)?;
        let (id, given_by) = (row.id.into(), row.given_by);
        let given = Given { id, given_by, given_at: row.given_at, expires_at: row.expires_at };
        Ok(((rows::word("grant", &row.permission_key)?, grantee), given))
    })
    .collect()
}

/// How many grants of each key lie below each unit that is a column.
async fn below(
    tx: &mut TenantTx,
    keys: &[String],
    columns: &[Named],
) -> Result<HashMap<(Uuid, PermissionKey), i64>, Error> {
    let units = ids(columns, |it| if let Grantee::Unit(id) = it { Some(id.uuid()) } else { None });
    if units.is_empty() {
        return Ok(HashMap::new());
    }
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        r#"WITH RECURSIVE inside (start, id) AS (
               SELECT id, id FROM units WHERE tenant_id = $1 AND id = ANY ($3)
               UNION
               SELECT inside.start, u.id FROM inside JOIN units u ON u.tenant_id = $1 AND u.parent_id = inside.id
           ), placed AS (
               SELECT g.permission_key, g.unit_id, coalesce(g.unit_id, p.home_unit_id, a.home_unit_id) AS place
               FROM grants g
               LEFT JOIN users p ON p.tenant_id = g.tenant_id AND p.id = g.user_id
               LEFT JOIN agents a ON a.tenant_id = g.tenant_id AND a.id = g.agent_id
               WHERE g.tenant_id = $1 AND g.permission_key = ANY ($2) AND g.role IS NULL
                 AND (g.expires_at IS NULL OR g.expires_at > $4)
           )
           SELECT inside.start AS "start!", placed.permission_key, count(*) AS "grants!"
           FROM placed JOIN inside ON inside.id = placed.place
           WHERE placed.unit_id IS DISTINCT FROM inside.start
           GROUP BY inside.start, placed.permission_key"#,
        tenant,
        keys,
        &units,
        now,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| Ok(((row.start, rows::word("grant", &row.permission_key)?), row.grants)))
    .collect()
}

/// How many people and agents a unit or a role reaches.
async fn reach(tx: &mut TenantTx, grantee: Grantee) -> Result<Reach, Error> {
    let tenant = tx.tenant_uuid();
    match grantee {
        Grantee::User(_) => Ok(Reach { people: 1, agents: 0 }),
        Grantee::Agent(_) => Ok(Reach { people: 0, agents: 1 }),
        Grantee::Role(role) => {
            let people = sqlx::query_scalar!(
                r#"SELECT count(*) AS "people!" FROM role_assignments
                   WHERE tenant_id = $1 AND role = $2 AND unit_id IS NULL"#,
                tenant,
                role.word(),
            )
            .fetch_one(tx.conn())
            .await?;
            Ok(Reach { people, agents: 0 })
        }
        Grantee::Unit(unit) => {
            let counted = sqlx::query!(
                r#"WITH RECURSIVE inside (id) AS (
                       SELECT $2::uuid
                       UNION
                       SELECT u.id FROM units u JOIN inside ON u.parent_id = inside.id WHERE u.tenant_id = $1
                   )
                   SELECT (SELECT count(*) FROM agents a
                           WHERE a.tenant_id = $1 AND a.retired_at IS NULL AND a.home_unit_id IN (SELECT id FROM inside))
                              AS "agents!",
                          (SELECT count(*) FROM (
                              SELECT p.id FROM users p
                              WHERE p.tenant_id = $1 AND p.removed_at IS NULL AND p.home_unit_id IN (SELECT id FROM inside)
                              UNION
                              SELECT m.user_id FROM memberships m
                              WHERE m.tenant_id = $1 AND m.unit_id IN (SELECT id FROM inside)) s) AS "people!""#,
                tenant,
                unit.uuid(),
            )
            .fetch_one(tx.conn())
            .await?;
            Ok(Reach { people: counted.people, agents: counted.agents })
        }
    }
}

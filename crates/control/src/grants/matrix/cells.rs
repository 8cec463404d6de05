//! What stands in the cells: from whom each column has keys, and which of them were given.

use std::collections::{HashMap, HashSet};

use model::Timestamp;
use model::access::{Grantee, PermissionKey};
use model::people::Role;
use uuid::Uuid;

use super::{Cell, Given, ModuleRows, Source};
use crate::grants::pick::Named;
use crate::tx::TenantTx;
use crate::{Error, rows};

/// From whom each column has keys: itself first, then the others, the nearest first.
type Lines = Vec<Vec<(Grantee, String)>>;

/// Fills in the cells.
pub(super) async fn fill(
    tx: &mut TenantTx,
    columns: &[Named],
    modules: &mut [ModuleRows],
) -> Result<(), Error> {
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
pub(super) async fn chains(
    tx: &mut TenantTx,
    units: &[Uuid],
) -> Result<HashMap<Uuid, Vec<(Uuid, String)>>, Error> {
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

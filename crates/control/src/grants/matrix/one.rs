//! One cell with its surroundings.

use model::ModuleId;
use model::access::{Grantee, PermissionKey};
use model::catalog::ModuleStanding;

use super::{Cell, KeyRow, ModuleRows, TOOLS, ToolRow, cells};
use crate::authority::Deed;
use crate::grants::pick::{self, Named};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, rows};

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
    cells::fill(&mut tx, std::slice::from_ref(&column), std::slice::from_mut(&mut module)).await?;
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

//! The rows of bundles.

use model::catalog::{BundleView, Naming};
use model::{BundleId, ToolId};
use uuid::Uuid;

use super::{BundleRow, Bundled};
use crate::tx::TenantTx;
use crate::{Error, rows};

pub(super) async fn all(tx: &mut TenantTx) -> Result<Vec<BundleRow>, Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        r#"SELECT b.id, b.name, b.title, b.naming, count(t.tool_id) AS "tools!",
                  coalesce(array_agg(DISTINCT m.title) FILTER (WHERE m.title IS NOT NULL), '{}') AS "modules!"
           FROM bundles b
           LEFT JOIN bundled_tools e ON e.tenant_id = b.tenant_id AND e.bundle_id = b.id
           LEFT JOIN (SELECT tenant_id, id AS tool_id, module_id FROM tools) t
                  ON t.tenant_id = e.tenant_id AND t.tool_id = e.tool_id
           LEFT JOIN modules m ON m.tenant_id = t.tenant_id AND m.id = t.module_id
           WHERE b.tenant_id = $1
           GROUP BY b.tenant_id, b.id ORDER BY b.title, b.name"#,
        tenant,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        let view = BundleView {
            id: row.id.into(),
            name: row.name,
            title: row.title,
            naming: rows::word("bundle", &row.naming)?,
        };
        Ok(BundleRow { view, tools: u32::try_from(row.tools).unwrap_or(u32::MAX), modules: row.modules })
    })
    .collect()
}

pub(super) async fn one(tx: &mut TenantTx, name: &str) -> Result<Option<BundleView>, Error> {
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        "SELECT id, name, title, naming FROM bundles WHERE tenant_id = $1 AND name = $2",
        tenant,
        name
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(BundleView {
            id: row.id.into(),
            name: row.name,
            title: row.title,
            naming: rows::word("bundle", &row.naming)?,
        })
    })
    .transpose()
}

pub(super) async fn count(tx: &mut TenantTx) -> Result<i64, Error> {
    let tenant = tx.tenant_uuid();
    let count =
        sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM bundles WHERE tenant_id = $1"#, tenant);
    Ok(count.fetch_one(tx.conn()).await?)
}

pub(super) async fn insert(tx: &mut TenantTx, bundle: &BundleView) -> Result<(), Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "INSERT INTO bundles (tenant_id, id, name, title, naming, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        tenant,
        bundle.id.uuid(),
        bundle.name,
        bundle.title,
        bundle.naming.word(),
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(|error| {
        Error::taken(error, "bundles_tenant_id_name_key", "name_taken", || {
            format!("there is a bundle `{}` already", bundle.name)
        })
    })?;
    Ok(())
}

pub(super) async fn describe(
    tx: &mut TenantTx,
    bundle: BundleId,
    title: &str,
    naming: Naming,
) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "UPDATE bundles SET title = $3, naming = $4 WHERE tenant_id = $1 AND id = $2",
        tenant,
        bundle.uuid(),
        title,
        naming.word(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Every tool that is in a bundle or could be put into it, by module and name.
pub(super) async fn shelf(tx: &mut TenantTx, bundle: BundleId) -> Result<Vec<Bundled>, Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        r#"SELECT t.id, m.name AS module, m.title, t.name, t.standing, e.name AS "here?"
           FROM tools t
           JOIN modules m ON m.tenant_id = t.tenant_id AND m.id = t.module_id
           LEFT JOIN bundled_tools e ON e.tenant_id = t.tenant_id AND e.bundle_id = $2 AND e.tool_id = t.id
           WHERE t.tenant_id = $1 AND (e.tool_id IS NOT NULL OR t.standing IN ('approved', 'drifted', 'proposed'))
           ORDER BY m.title, m.name, t.name"#,
        tenant,
        bundle.uuid(),
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(Bundled {
            tool: row.id.into(),
            module: (row.module, row.title),
            name: row.name,
            here: row.here,
            standing: rows::word("tool", &row.standing)?,
        })
    })
    .collect()
}

pub(super) async fn put(
    tx: &mut TenantTx,
    bundle: BundleId,
    tools: &[(ToolId, String)],
) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    let (ids, names): (Vec<Uuid>, Vec<String>) =
        tools.iter().map(|(tool, name)| (tool.uuid(), name.clone())).unzip();
    sqlx::query!(
        "INSERT INTO bundled_tools (tenant_id, bundle_id, tool_id, name)
         SELECT $1, $2, tool, name FROM unnest($3::uuid[], $4::text[]) AS chosen (tool, name)",
        tenant,
        bundle.uuid(),
        &ids,
        &names,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Returns what they were called.
pub(super) async fn take(
    tx: &mut TenantTx,
    bundle: BundleId,
    tools: &[ToolId],
) -> Result<Vec<String>, Error> {
    let tenant = tx.tenant_uuid();
    let ids: Vec<Uuid> = tools.iter().map(|tool| tool.uuid()).collect();
    let taken = sqlx::query_scalar!(
        "DELETE FROM bundled_tools WHERE tenant_id = $1 AND bundle_id = $2 AND tool_id = ANY ($3) RETURNING name",
        tenant,
        bundle.uuid(),
        &ids,
    );
    Ok(taken.fetch_all(tx.conn()).await?)
}

pub(super) async fn rename(
    tx: &mut TenantTx,
    bundle: BundleId,
    tool: ToolId,
    name: &str,
    shown: &str,
) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "UPDATE bundled_tools SET name = $4 WHERE tenant_id = $1 AND bundle_id = $2 AND tool_id = $3",
        tenant,
        bundle.uuid(),
        tool.uuid(),
        name,
    )
    .execute(tx.conn())
    .await
    .map_err(|error| {
        Error::taken(error, "bundled_tools_tenant_id_bundle_id_name_key", "name_taken", || {
            format!("another is called `{shown}` in this bundle")
        })
    })?;
    Ok(())
}

pub(super) async fn delete(tx: &mut TenantTx, bundle: BundleId) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!("DELETE FROM bundled_tools WHERE tenant_id = $1 AND bundle_id = $2", tenant, bundle.uuid())
        .execute(tx.conn())
        .await?;
    sqlx::query!("DELETE FROM bundles WHERE tenant_id = $1 AND id = $2", tenant, bundle.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

//! The rows of modules, permission keys, tools and prices.

use std::collections::HashMap;
use std::time::Duration;

use model::catalog::{ModuleStanding, ModuleView, Timeouts, ToolStanding, ToolView};
use model::{ModuleId, Money, RateId, ToolId, UserId};
use rust_decimal::Decimal;

use super::definition::{self, Definition};
use super::discovery::Shelved;
use super::{ModuleLine, ToolDetail, discovery};
use crate::tx::TenantTx;
use crate::{Error, rows};

pub(super) async fn insert(tx: &mut TenantTx, module: &ModuleView) -> Result<(), Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "INSERT INTO modules (tenant_id, id, name, title, kind, url, owner_id, standing, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        tenant,
        module.id.uuid(),
        module.name,
        module.title,
        module.kind.word(),
        module.url,
        module.owner.map(|owner| owner.uuid()),
        module.standing.word(),
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(|error| {
        Error::taken(error, "modules_tenant_id_name_key", "name_taken", || {
            format!("there is a module `{}` already", module.name)
        })
    })?;
    Ok(())
}

/// A key that is there already stays as it is.
pub(super) async fn insert_key(
    tx: &mut TenantTx,
    key: &str,
    module: ModuleId,
    title: &str,
) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "INSERT INTO permission_keys (tenant_id, key, module_id, title) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        tenant,
        key,
        module.uuid(),
        title,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn set_standing(
    tx: &mut TenantTx,
    module: ModuleId,
    standing: ModuleStanding,
) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "UPDATE modules SET standing = $3 WHERE tenant_id = $1 AND id = $2",
        tenant,
        module.uuid(),
        standing.word()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn module(tx: &mut TenantTx, id: ModuleId) -> Result<Option<ModuleView>, Error> {
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        "SELECT id, name, title, kind, url, owner_id, standing FROM modules WHERE tenant_id = $1 AND id = $2",
        tenant,
        id.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(ModuleView {
            id: row.id.into(),
            name: row.name,
            title: row.title,
            kind: rows::word("module", &row.kind)?,
            url: row.url,
            owner: row.owner_id.map(Into::into),
            standing: rows::word("module", &row.standing)?,
        })
    })
    .transpose()
}

pub(super) async fn module_of_name(tx: &mut TenantTx, name: &str) -> Result<Option<ModuleView>, Error> {
    let tenant = tx.tenant_uuid();
    let found =
        sqlx::query_scalar!("SELECT id FROM modules WHERE tenant_id = $1 AND name = $2", tenant, name)
            .fetch_optional(tx.conn())
            .await?;
    match found {
        Some(id) => module(tx, id.into()).await,
        None => Ok(None),
    }
}

pub(super) async fn all(tx: &mut TenantTx) -> Result<Vec<ModuleLine>, Error> {
    let tenant = tx.tenant_uuid();
    let mut tools: HashMap<ModuleId, Vec<ToolView>> = HashMap::new();
    for row in sqlx::query!(
        r#"SELECT t.id, t.module_id, t.name, t.permission_key, t.standing, r.amount AS "amount?",
                  coalesce(r.currency, n.currency) AS "currency!"
           FROM tools t
           JOIN tenants n ON n.tenant_id = t.tenant_id
           LEFT JOIN LATERAL (
               SELECT amount, currency FROM rates
               WHERE tenant_id = t.tenant_id AND tool_id = t.id AND effective_from <= clock_timestamp()
               ORDER BY effective_from DESC, id DESC LIMIT 1
           ) r ON true
           WHERE t.tenant_id = $1 ORDER BY t.name"#,
        tenant,
    )
    .fetch_all(tx.conn())
    .await?
    {
        tools.entry(row.module_id.into()).or_default().push(ToolView {
            id: row.id.into(),
            module: row.module_id.into(),
            name: row.name,
            key: discovery::parsed(&row.permission_key)?,
            standing: rows::word("tool", &row.standing)?,
            price: rows::money("rate", row.amount.unwrap_or(Decimal::ZERO), &row.currency)?,
        });
    }
    let mut keys: HashMap<ModuleId, Vec<_>> = HashMap::new();
    for row in sqlx::query!(
        "SELECT key, module_id, title FROM permission_keys WHERE tenant_id = $1 ORDER BY key",
        tenant
    )
    .fetch_all(tx.conn())
    .await?
    {
        keys.entry(row.module_id.into()).or_default().push((discovery::parsed(&row.key)?, row.title));
    }
    sqlx::query!(
        r#"SELECT m.id, m.name, m.title, m.kind, m.url, m.owner_id, m.standing, u.name AS "owner_name?", c.id AS "connection?"
           FROM modules m
           LEFT JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.owner_id
           LEFT JOIN connections c ON c.tenant_id = m.tenant_id AND c.module_id = m.id AND c.revoked_at IS NULL
           WHERE m.tenant_id = $1 ORDER BY m.name"#,
        tenant,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        let id = row.id.into();
        Ok(ModuleLine {
            view: ModuleView {
                id,
                name: row.name,
                title: row.title,
                kind: rows::word("module", &row.kind)?,
                url: row.url,
                owner: row.owner_id.map(Into::into),
                standing: rows::word("module", &row.standing)?,
            },
            owner_name: row.owner_name,
            connection: row.connection.map(Into::into),
            keys: keys.remove(&id).unwrap_or_default(),
            tools: tools.remove(&id).unwrap_or_default(),
        })
    })
    .collect()
}

/// A module's tools as comparing needs them.
pub(super) async fn shelf(tx: &mut TenantTx, module: ModuleId) -> Result<Vec<Shelved>, Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "SELECT id, name, definition_hash, standing, seen_definition, approved_at, withdrawn_by FROM tools
         WHERE tenant_id = $1 AND module_id = $2 ORDER BY name",
        tenant,
        module.uuid(),
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(Shelved {
            id: row.id.into(),
            name: row.name,
            hash: rows::digest("tool", row.definition_hash)?,
            standing: rows::word("tool", &row.standing)?,
            seen: row.seen_definition.as_deref().map(read).transpose()?.map(|seen| seen.hash),
            was_approved: row.approved_at.is_some(),
            taken_out: row.withdrawn_by.is_some(),
        })
    })
    .collect()
}

pub(super) async fn tool(tx: &mut TenantTx, tool: ToolId) -> Result<Option<ToolDetail>, Error> {
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        r#"SELECT t.id, t.module_id, t.name, t.definition, t.definition_hash, t.seen_definition, t.permission_key, t.standing,
                  t.approved_at, t.approved_by, t.withdrawn_by, t.key_chosen_by, t.discovered_at, t.drifted_at,
                  t.first_byte_timeout, t.total_timeout, r.amount AS "amount?",
                  coalesce(r.currency, n.currency) AS "currency!"
           FROM tools t
           JOIN tenants n ON n.tenant_id = t.tenant_id
           LEFT JOIN LATERAL (
               SELECT amount, currency FROM rates
               WHERE tenant_id = t.tenant_id AND tool_id = t.id AND effective_from <= clock_timestamp()
               ORDER BY effective_from DESC, id DESC LIMIT 1
           ) r ON true
           WHERE t.tenant_id = $1 AND t.id = $2"#,
        tenant,
        tool.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        let offered = match &row.seen_definition {
            Some(seen) => read(seen)?.hash,
            None => rows::digest("tool", row.definition_hash)?,
        };
        Ok(ToolDetail {
            view: ToolView {
                id: row.id.into(),
                module: row.module_id.into(),
                name: row.name,
                key: discovery::parsed(&row.permission_key)?,
                standing: rows::word("tool", &row.standing)?,
                price: rows::money("rate", row.amount.unwrap_or(Decimal::ZERO), &row.currency)?,
            },
            definition: row.definition,
            seen_definition: row.seen_definition,
            offered,
            approved_at: row.approved_at,
            approved_by: row.approved_by,
            withdrawn_by: row.withdrawn_by,
            key_chosen_by: row.key_chosen_by,
            discovered_at: row.discovered_at,
            drifted_at: row.drifted_at,
            timeouts: rows::timeouts(row.first_byte_timeout, row.total_timeout),
        })
    })
    .transpose()
}

pub(super) fn read(text: &str) -> Result<Definition, Error> {
    definition::read(text).map_err(|why| Error::inconsistent("a tool's definition", why))
}

/// Puts new tools on the shelf, with their keys: proposed, or approved by somebody.
pub(super) async fn insert_tools(
    tx: &mut TenantTx,
    module: ModuleId,
    new: &[(Definition, String)],
    approved_by: Option<&str>,
) -> Result<(), Error> {
    if new.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = new.iter().map(|_| tx.id::<ToolId>().uuid()).collect();
    let names: Vec<_> = new.iter().map(|(tool, _)| tool.name.clone()).collect();
    let texts: Vec<_> = new.iter().map(|(tool, _)| tool.text.clone()).collect();
    let hashes: Vec<_> = new.iter().map(|(tool, _)| tool.hash.to_vec()).collect();
    let keys: Vec<_> = new.iter().map(|(_, key)| key.clone()).collect();
    let standing = if approved_by.is_some() { ToolStanding::Approved } else { ToolStanding::Proposed };
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "INSERT INTO tools (tenant_id, id, module_id, name, definition, definition_hash, permission_key, standing,
                            discovered_at, approved_at, approved_by)
         SELECT $1, t.id, $2, t.name, t.definition, t.hash, t.key, $8, $9, $10, $11
         FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bytea[], $7::text[]) AS t (id, name, definition, hash, key)",
        tenant,
        module.uuid(),
        &ids,
        &names,
        &texts,
        &hashes,
        &keys,
        standing.word(),
        now,
        approved_by.map(|_| now),
        approved_by,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives a tool another definition and standing, and the key that its definition asks for unless somebody chose one.
pub(super) async fn redefine(
    tx: &mut TenantTx,
    tool: ToolId,
    definition: &Definition,
    key: &str,
    standing: ToolStanding,
) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "UPDATE tools SET definition = $3, definition_hash = $4, standing = $6, seen_definition = NULL, drifted_at = NULL,
                          permission_key = CASE WHEN key_chosen_by IS NULL THEN $5 ELSE permission_key END,
                          withdrawn_by = CASE WHEN $6 = 'withdrawn' THEN withdrawn_by END
         WHERE tenant_id = $1 AND id = $2",
        tenant,
        tool.uuid(),
        definition.text,
        definition.hash.as_slice(),
        key,
        standing.word(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives a tool a key that somebody chose.
pub(super) async fn choose_key(tx: &mut TenantTx, tool: ToolId, key: &str, by: &str) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "UPDATE tools SET permission_key = $3, key_chosen_by = $4 WHERE tenant_id = $1 AND id = $2",
        tenant,
        tool.uuid(),
        key,
        by,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn describe(
    tx: &mut TenantTx,
    module: ModuleId,
    title: &str,
    owner: Option<UserId>,
) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "UPDATE modules SET title = $3, owner_id = $4 WHERE tenant_id = $1 AND id = $2",
        tenant,
        module.uuid(),
        title,
        owner.map(|owner| owner.uuid()),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn note_asked(
    tx: &mut TenantTx,
    module: ModuleId,
    failure: Option<&str>,
) -> Result<(), Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let failure: Option<String> = failure.map(|text| text.replace('\0', " ").chars().take(1_000).collect());
    sqlx::query!(
        "UPDATE modules SET asked_at = $3, ask_failure = $4 WHERE tenant_id = $1 AND id = $2",
        tenant,
        module.uuid(),
        now,
        failure,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn mark_approved(tx: &mut TenantTx, tool: ToolId) -> Result<(), Error> {
    let (tenant, now, by) = (tx.tenant_uuid(), tx.now(), tx.actor().name().to_owned());
    sqlx::query!(
        "UPDATE tools SET approved_at = $3, approved_by = $4 WHERE tenant_id = $1 AND id = $2",
        tenant,
        tool.uuid(),
        now,
        by
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn drift(tx: &mut TenantTx, tool: ToolId, seen: &str) -> Result<(), Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "UPDATE tools SET standing = 'drifted', seen_definition = $3, drifted_at = coalesce(drifted_at, $4)
         WHERE tenant_id = $1 AND id = $2",
        tenant,
        tool.uuid(),
        seen,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn restore(tx: &mut TenantTx, tool: ToolId) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "UPDATE tools SET standing = 'approved', seen_definition = NULL, drifted_at = NULL WHERE tenant_id = $1 AND id = $2",
        tenant,
        tool.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// `by` none: the upstream no longer offers it.
pub(super) async fn withdraw(tx: &mut TenantTx, tool: ToolId, by: Option<&str>) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "UPDATE tools SET standing = 'withdrawn', seen_definition = NULL, drifted_at = NULL, withdrawn_by = $3
         WHERE tenant_id = $1 AND id = $2",
        tenant,
        tool.uuid(),
        by
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn set_timeouts(tx: &mut TenantTx, tool: ToolId, timeouts: Timeouts) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    let seconds = |time: Option<Duration>| time.and_then(|time| i32::try_from(time.as_secs()).ok());
    sqlx::query!(
        "UPDATE tools SET first_byte_timeout = $3, total_timeout = $4 WHERE tenant_id = $1 AND id = $2",
        tenant,
        tool.uuid(),
        seconds(timeouts.first_byte),
        seconds(timeouts.total),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// In effect from now on by the database's clock, which is the one that directories are read by.
pub(super) async fn insert_rate(tx: &mut TenantTx, tool: ToolId, price: Money) -> Result<RateId, Error> {
    let (id, tenant, by): (RateId, _, _) = (tx.id(), tx.tenant_uuid(), tx.actor().name().to_owned());
    sqlx::query!(
        "INSERT INTO rates (tenant_id, id, tool_id, amount, currency, effective_from, set_by)
         VALUES ($1, $2, $3, $4, $5, clock_timestamp(), $6)",
        tenant,
        id.uuid(),
        tool.uuid(),
        price.amount,
        price.currency.code(),
        by,
    )
    .execute(tx.conn())
    .await?;
    Ok(id)
}

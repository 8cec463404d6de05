//! What the pages of one module and one tool show.

use model::access::{Grantee, PermissionKey};
use model::catalog::ModuleView;
use model::{AgentId, ConnectionId, Money, Timestamp, ToolId, UserId};
use rust_decimal::Decimal;

use super::overview::{self, Asked, Health, Recent, Standings, ToolRows};
use super::tokens::{self, TokenView};
use super::{ToolDetail, discovery, store, tools};
use crate::authority::{self, Deed};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, rows};

/// Holders of keys that a page names; the matrix has all.
const HOLDERS: i64 = 60;
/// Prices that a page lists.
const PRICES: i64 = 50;

/// Who was given a key that is enough.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// To whom.
    pub grantee: Grantee,
    /// Their name; empty for a role.
    pub name: String,
    /// Which key.
    pub key: PermissionKey,
    /// Until when.
    pub expires_at: Option<Timestamp>,
}

/// What the reader has of a module.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Yours {
    /// Keys that the reader holds: by themselves, a unit, or a role.
    pub keys: Vec<PermissionKey>,
    /// The reader's own agents that hold one, each with its keys.
    pub agents: Vec<(AgentId, String, Vec<PermissionKey>)>,
}

/// Everything on a module's page.
#[derive(Clone, Debug)]
pub struct ModulePage {
    /// The module.
    pub view: ModuleView,
    /// Name and mail address of the person who answers for it.
    pub owner: Option<(String, String)>,
    /// What is presented to its server, since when, if anything.
    pub connection: Option<(ConnectionId, Timestamp)>,
    /// What of the token that is presented may be seen, if it is one.
    pub token: Option<TokenView>,
    /// Its keys, with title and how many grants each has; none where the reader may not see grants.
    pub keys: Vec<(PermissionKey, String, Option<u64>)>,
    /// Who was given them, as far as the reader may see; at most sixty.
    pub holders: Vec<Holder>,
    /// How its tools stand.
    pub standings: Standings,
    /// A page of its tools.
    pub tools: ToolRows,
    /// How many agents have one of its keys.
    pub agents: u64,
    /// What was called.
    pub recent: Recent,
    /// How it is.
    pub health: Health,
    /// When its server was asked last what it offers.
    pub asked_at: Option<Timestamp>,
    /// What the reader has.
    pub yours: Yours,
}

/// What a call cost from when on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Price {
    /// How much.
    pub price: Money,
    /// From when on.
    pub from: Timestamp,
    /// Who set it.
    pub by: String,
}

/// Everything on a tool's page.
#[derive(Clone, Debug)]
pub struct ToolPage {
    /// Its module.
    pub module: ModuleView,
    /// Name of the person who answers for the module.
    pub owner_name: Option<String>,
    /// The tool.
    pub detail: ToolDetail,
    /// Hash of the definition in force.
    pub hash: model::call::Digest,
    /// Its prices, newest first.
    pub prices: Vec<Price>,
    /// Who was given a key that is enough, as far as the reader may see; at most sixty.
    pub holders: Vec<Holder>,
    /// What was called.
    pub recent: Recent,
    /// What the reader has of its module.
    pub yours: Yours,
}

/// A module by its name, with the page of its tools that is asked for.
pub async fn module_page(
    control: &Control,
    actor: &Actor,
    name: &str,
    asked: &Asked,
) -> Result<ModulePage, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadCatalog, "module")?;
    let view = named(&mut tx, name).await?;
    let (tenant, id) = (tx.tenant_uuid(), view.id.uuid());
    let more = sqlx::query!(
        r#"SELECT u.name AS "owner_name?", u.email AS "owner_email?", c.id AS "connection?", c.created_at AS "since?",
                  m.asked_at, m.ask_failure
           FROM modules m
           LEFT JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.owner_id
           LEFT JOIN connections c ON c.tenant_id = m.tenant_id AND c.module_id = m.id AND c.revoked_at IS NULL
           WHERE m.tenant_id = $1 AND m.id = $2"#,
        tenant,
        id,
    )
    .fetch_one(tx.conn())
    .await?;
    let token = match more.connection {
        Some(connection) => tokens::view(&mut tx, connection.into()).await?,
        None => None,
    };
    let sees_grants = authority::may(actor, Deed::ReadGrants);
    let keys = sqlx::query!(
        r#"SELECT k.key, k.title, (SELECT count(*) FROM grants g WHERE g.tenant_id = $1 AND g.permission_key = k.key
                 AND (g.expires_at IS NULL OR g.expires_at > clock_timestamp())) AS "grants!"
           FROM permission_keys k WHERE k.tenant_id = $1 AND k.module_id = $2 ORDER BY k.key"#,
        tenant,
        id,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        let grants = sees_grants.then_some(row.grants.unsigned_abs());
        Ok((discovery::parsed(&row.key)?, row.title, grants))
    })
    .collect::<Result<Vec<_>, Error>>()?;
    let all: Vec<String> = keys.iter().map(|(key, _, _)| key.to_string()).collect();
    let holders = if sees_grants { holders(&mut tx, &all).await? } else { Vec::new() };
    let standings = overview::standings(&mut tx, &[id]).await?.remove(&id).unwrap_or_default();
    let recent = overview::recent(&mut tx, &[id], None).await?.remove(&id).unwrap_or_default();
    let newest =
        if more.ask_failure.is_some() { overview::newest(&mut tx, &[id]).await?.remove(&id) } else { None };
    let agents = overview::agents(&mut tx, &[id]).await?.remove(&id).unwrap_or_default();
    let tools = overview::tools(&mut tx, Some(view.id), asked).await?;
    let yours = yours(&mut tx, actor, &all).await?;
    Ok(ModulePage {
        owner: more.owner_name.zip(more.owner_email),
        connection: more.connection.map(Into::into).zip(more.since),
        token,
        health: overview::health(&view, more.ask_failure, more.asked_at, recent, newest),
        asked_at: more.asked_at,
        keys,
        holders,
        standings,
        tools,
        agents,
        recent,
        yours,
        view,
    })
}

/// A tool by the names of its module and its own.
pub async fn tool_page(
    control: &Control,
    actor: &Actor,
    module: &str,
    tool: &str,
) -> Result<ToolPage, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadCatalog, "tool")?;
    let module = named(&mut tx, module).await?;
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        "SELECT id, definition_hash FROM tools WHERE tenant_id = $1 AND module_id = $2 AND name = $3",
        tenant,
        module.id.uuid(),
        tool.replace('\0', ""),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::not_found(format!("tool `{tool}`")))?;
    let detail = tools::detail(&mut tx, row.id.into()).await?;
    let owner_name = match module.owner {
        Some(owner) => Some(crate::users::one(&mut tx, owner).await?.name),
        None => None,
    };
    let enough = [detail.view.key.to_string(), detail.view.key.module().to_owned()];
    let holders =
        if authority::may(actor, Deed::ReadGrants) { holders(&mut tx, &enough).await? } else { Vec::new() };
    let recent = overview::recent(&mut tx, &[module.id.uuid()], Some(row.id)).await?;
    Ok(ToolPage {
        prices: prices(&mut tx, detail.view.id).await?,
        recent: recent.into_values().next().unwrap_or_default(),
        yours: yours(&mut tx, actor, &enough).await?,
        hash: rows::digest("tool", row.definition_hash)?,
        module,
        owner_name,
        detail,
        holders,
    })
}

/// Names and addresses of people whom a form may suggest as owners, whose name or address contains a text; at most
/// twenty.
pub async fn people(
    control: &Control,
    actor: &Actor,
    text: &str,
) -> Result<Vec<(UserId, String, String)>, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadPeople, "list of people")?;
    let tenant = tx.tenant_uuid();
    let rows = sqlx::query!(
        "SELECT id, name, email FROM users
         WHERE tenant_id = $1 AND standing = 'active' AND (strpos(lower(name), lower($2)) > 0 OR strpos(email, lower($2)) > 0)
         ORDER BY lower(name), id LIMIT 20",
        tenant,
        text.trim().replace('\0', ""),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id.into(), row.name, row.email)).collect())
}

async fn named(tx: &mut TenantTx, name: &str) -> Result<ModuleView, Error> {
    let found = store::module_of_name(tx, &name.replace('\0', "")).await?;
    found.ok_or_else(|| Error::not_found(format!("module `{name}`")))
}

async fn prices(tx: &mut TenantTx, tool: ToolId) -> Result<Vec<Price>, Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "SELECT amount, currency, effective_from, set_by FROM rates
         WHERE tenant_id = $1 AND tool_id = $2 ORDER BY effective_from DESC, id DESC LIMIT $3",
        tenant,
        tool.uuid(),
        PRICES,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        let amount: Decimal = row.amount;
        Ok(Price {
            price: rows::money("rate", amount.normalize(), &row.currency)?,
            from: row.effective_from,
            by: row.set_by,
        })
    })
    .collect()
}

async fn holders(tx: &mut TenantTx, keys: &[String]) -> Result<Vec<Holder>, Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        r#"SELECT g.permission_key, g.unit_id, g.role, g.user_id, g.agent_id, g.expires_at,
                  coalesce(n.name, u.name, a.name, '') AS "name!"
           FROM grants g
           LEFT JOIN units n ON n.tenant_id = g.tenant_id AND n.id = g.unit_id
           LEFT JOIN users u ON u.tenant_id = g.tenant_id AND u.id = g.user_id
           LEFT JOIN agents a ON a.tenant_id = g.tenant_id AND a.id = g.agent_id
           WHERE g.tenant_id = $1 AND g.permission_key = ANY ($2)
             AND (g.expires_at IS NULL OR g.expires_at > clock_timestamp())
           ORDER BY g.unit_id IS NULL, g.role IS NULL, g.user_id IS NULL, lower(coalesce(n.name, u.name, a.name, g.role)),
                    g.permission_key, g.id
           LIMIT $3"#,
        tenant,
        keys,
        HOLDERS,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(Holder {
            grantee: rows::grantee(row.unit_id, row.role.as_deref(), row.user_id, row.agent_id)?,
            name: row.name,
            key: discovery::parsed(&row.permission_key)?,
            expires_at: row.expires_at,
        })
    })
    .collect()
}

/// Which of the keys the actor holds as a person, and which of their agents hold one.
async fn yours(tx: &mut TenantTx, actor: &Actor, keys: &[String]) -> Result<Yours, Error> {
    let Some(me) = actor.user_id() else { return Ok(Yours::default()) };
    let tenant = tx.tenant_uuid();
    let roles: Vec<String> = actor
        .roles()
        .iter()
        .filter(|held| held.unit.is_none())
        .map(|held| held.role.word().to_owned())
        .collect();
    let held = sqlx::query_scalar!(
        r#"WITH RECURSIVE up (id) AS (
               SELECT home_unit_id FROM users WHERE tenant_id = $1 AND id = $2
               UNION
               SELECT unit_id FROM memberships WHERE tenant_id = $1 AND user_id = $2
               UNION
               SELECT n.parent_id FROM units n JOIN up ON n.tenant_id = $1 AND n.id = up.id WHERE n.parent_id IS NOT NULL
           )
           SELECT DISTINCT g.permission_key AS "key!" FROM grants g
           WHERE g.tenant_id = $1 AND g.permission_key = ANY ($3)
             AND (g.expires_at IS NULL OR g.expires_at > clock_timestamp())
             AND (g.user_id = $2 OR g.unit_id IN (SELECT id FROM up) OR g.role = ANY ($4))
           ORDER BY 1"#,
        tenant,
        me.uuid(),
        keys,
        &roles,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut agents: Vec<(AgentId, String, Vec<PermissionKey>)> = Vec::new();
    for row in sqlx::query!(
        r#"WITH RECURSIVE own AS (
               SELECT id, name, home_unit_id FROM agents
               WHERE tenant_id = $1 AND owner_id = $2 AND standing = 'active' ORDER BY lower(name), id LIMIT 50
           ), up (agent_id, unit_id) AS (
               SELECT id, home_unit_id FROM own
               UNION
               SELECT up.agent_id, n.parent_id FROM up JOIN units n ON n.tenant_id = $1 AND n.id = up.unit_id
               WHERE n.parent_id IS NOT NULL
           )
           SELECT own.id, own.name, array_agg(DISTINCT g.permission_key) AS "keys!"
           FROM own JOIN grants g ON g.tenant_id = $1 AND g.permission_key = ANY ($3)
             AND (g.expires_at IS NULL OR g.expires_at > clock_timestamp())
             AND (g.agent_id = own.id OR g.unit_id IN (SELECT unit_id FROM up WHERE up.agent_id = own.id))
           GROUP BY own.id, own.name ORDER BY lower(own.name), own.id"#,
        tenant,
        me.uuid(),
        keys,
    )
    .fetch_all(tx.conn())
    .await?
    {
        let keys = row.keys.iter().map(|key| discovery::parsed(key)).collect::<Result<_, _>>()?;
        agents.push((row.id.into(), row.name, keys));
    }
    let keys = held.iter().map(|key| discovery::parsed(key)).collect::<Result<_, _>>()?;
    Ok(Yours { keys, agents })
}

//! Reads a tenant's facts at one instant.

use ipnet::IpNet;
use model::access::Grantee;
use model::call::Epoch;
use model::{McpId, Money, TenantId};
use policy::{
    AgentFact, BundleFact, BundledFact, CredentialFact, Facts, GrantFact, LimitFact, ModuleFact, TenantFact,
    ToolFact, UnitFact, UserFact,
};

use crate::actor::Actor;
use crate::limits::{allowance, scope};
use crate::rows::{self, digest, word};
use crate::tx::TenantTx;
use crate::{Control, Error};

/// Reads the epoch and the endpoint.
pub(super) async fn head(control: &Control, tenant: TenantId) -> Result<(Epoch, McpId), Error> {
    let mut tx = Actor::worker(tenant).read(control).await?;
    let row = sqlx::query!(
        "SELECT g.epoch, g.token, t.mcp_id FROM gates g JOIN tenants t ON t.tenant_id = g.tenant_id"
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((Epoch { number: row.epoch, token: row.token }, row.mcp_id.into()))
}

/// Reads the epoch alone.
pub(super) async fn epoch(control: &Control, tenant: TenantId) -> Result<Epoch, Error> {
    let mut tx = Actor::worker(tenant).read(control).await?;
    let gate = sqlx::query!("SELECT epoch, token FROM gates").fetch_one(tx.conn()).await?;
    Ok(Epoch { number: gate.epoch, token: gate.token })
}

/// Reads everything, the epoch included, in one REPEATABLE READ transaction. In pieces, old grants could be read and
/// then a new epoch with them: a permanent bypass. With `of`, of all tools only those whose keys are of these modules.
pub(super) async fn facts(
    control: &Control,
    tenant: TenantId,
    of: Option<&[String]>,
) -> Result<Facts, Error> {
    let mut tx = TenantTx::snapshot(control, Actor::worker(tenant)).await?;
    let gate = sqlx::query!("SELECT epoch, token FROM gates").fetch_one(tx.conn()).await?;
    let facts = Facts {
        epoch: Epoch { number: gate.epoch, token: gate.token },
        tenant: read_tenant(&mut tx).await?,
        units: units(&mut tx).await?,
        users: users(&mut tx).await?,
        agents: agents(&mut tx).await?,
        credentials: credentials(&mut tx).await?,
        modules: modules(&mut tx).await?,
        tools: tools(&mut tx, of).await?,
        grants: grants(&mut tx).await?,
        // They give no right, and what is asked of some tools is asked about rights.
        bundles: if of.is_none() { bundles(&mut tx).await? } else { Vec::new() },
        limits: if of.is_none() { limits(&mut tx).await? } else { Vec::new() },
    };
    tx.commit().await?;
    Ok(facts)
}

async fn read_tenant(tx: &mut TenantTx) -> Result<TenantFact, Error> {
    let row = sqlx::query!(
        r#"SELECT tenant_id, slug, name, mcp_id, standing, time_zone,
                  EXISTS (SELECT FROM settings s WHERE s.tenant_id = t.tenant_id AND s.agents_stopped_at IS NOT NULL)
                      AS "agents_stopped!"
           FROM tenants t"#
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(TenantFact {
        id: row.tenant_id.into(),
        slug: word("tenant", &row.slug)?,
        name: row.name,
        mcp_id: row.mcp_id.into(),
        standing: word("tenant", &row.standing)?,
        agents_stopped: row.agents_stopped,
        zone: rows::zone(&row.time_zone),
    })
}

async fn units(tx: &mut TenantTx) -> Result<Vec<UnitFact>, Error> {
    sqlx::query!("SELECT id, parent_id, kind, name FROM units")
        .fetch_all(tx.conn())
        .await?
        .into_iter()
        .map(|row| {
            Ok(UnitFact {
                id: row.id.into(),
                parent: row.parent_id.map(Into::into),
                kind: word("unit", &row.kind)?,
                name: row.name,
            })
        })
        .collect()
}

async fn users(tx: &mut TenantTx) -> Result<Vec<UserFact>, Error> {
    sqlx::query!(
        // Joined, not asked for each person: of thousands that takes half the time.
        r#"SELECT u.id, u.name, u.home_unit_id, u.standing,
                  coalesce(m.units, '{}') AS "units!", coalesce(r.roles, '{}') AS "roles!"
           FROM users u
           LEFT JOIN (SELECT user_id, array_agg(unit_id) AS units FROM memberships GROUP BY user_id) m
                  ON m.user_id = u.id
           LEFT JOIN (SELECT user_id, array_agg(role) AS roles FROM role_assignments
                      WHERE unit_id IS NULL GROUP BY user_id) r ON r.user_id = u.id"#
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(UserFact {
            id: row.id.into(),
            name: row.name,
            home_unit: row.home_unit_id.into(),
            units: row.units.into_iter().map(Into::into).collect(),
            roles: row.roles.iter().map(|role| word("role", role)).collect::<Result<_, _>>()?,
            standing: word("user", &row.standing)?,
        })
    })
    .collect()
}

async fn agents(tx: &mut TenantTx) -> Result<Vec<AgentFact>, Error> {
    sqlx::query!("SELECT id, name, owner_id, home_unit_id, standing FROM agents WHERE retired_at IS NULL")
        .fetch_all(tx.conn())
        .await?
        .into_iter()
        .map(|row| {
            Ok(AgentFact {
                id: row.id.into(),
                name: row.name,
                owner: row.owner_id.into(),
                home_unit: row.home_unit_id.into(),
                standing: word("agent", &row.standing)?,
            })
        })
        .collect()
}

async fn credentials(tx: &mut TenantTx) -> Result<Vec<CredentialFact>, Error> {
    sqlx::query!(
        r#"SELECT id, agent_id, on_behalf_of, secret_hash, expires_at, allowed_addresses AS "allowed_addresses!: Vec<IpNet>"
           FROM credentials WHERE revoked_at IS NULL"#
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(CredentialFact {
            id: row.id.into(),
            agent: row.agent_id.into(),
            on_behalf_of: row.on_behalf_of.map(Into::into),
            secret_hash: digest("credential", row.secret_hash)?,
            expires_at: row.expires_at,
            allowed_addresses: row.allowed_addresses,
        })
    })
    .collect()
}

async fn modules(tx: &mut TenantTx) -> Result<Vec<ModuleFact>, Error> {
    sqlx::query!(
        r#"SELECT m.id, m.name, m.title, m.kind, m.url, m.owner_id, m.standing, c.id AS "connection?"
           FROM modules m
           LEFT JOIN connections c ON c.tenant_id = m.tenant_id AND c.module_id = m.id AND c.revoked_at IS NULL"#
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(ModuleFact {
            id: row.id.into(),
            name: row.name,
            title: row.title,
            kind: word("module", &row.kind)?,
            url: row.url,
            connection: row.connection.map(Into::into),
            owner: row.owner_id.map(Into::into),
            standing: word("module", &row.standing)?,
        })
    })
    .collect()
}

async fn tools(tx: &mut TenantTx, of: Option<&[String]>) -> Result<Vec<ToolFact>, Error> {
    let currency = sqlx::query_scalar!("SELECT currency FROM tenants").fetch_one(tx.conn()).await?;
    let currency = word("tenant", &currency)?;
    sqlx::query!(
        r#"SELECT t.id, t.module_id, t.name, t.definition, t.definition_hash, t.permission_key, t.standing,
                  t.first_byte_timeout, t.total_timeout,
                  r.id AS "rate?", r.amount AS "amount?", r.currency AS "rate_currency?"
           FROM tools t
           LEFT JOIN LATERAL (
               SELECT id, amount, currency FROM rates
               WHERE tenant_id = t.tenant_id AND tool_id = t.id AND effective_from <= clock_timestamp()
               ORDER BY effective_from DESC, id DESC LIMIT 1
           ) r ON true
           WHERE $1::text[] IS NULL OR split_part(t.permission_key, ':', 1) = ANY ($1)"#,
        of as Option<&[String]>,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(ToolFact {
            id: row.id.into(),
            module: row.module_id.into(),
            name: row.name,
            definition: row.definition,
            definition_hash: digest("tool", row.definition_hash)?,
            key: word("tool", &row.permission_key)?,
            standing: word("tool", &row.standing)?,
            price: match (row.amount, row.rate_currency) {
                (Some(amount), Some(currency)) => Money { amount, currency: word("rate", &currency)? },
                _ => Money::zero(currency),
            },
            rate: row.rate.map(Into::into),
            timeouts: rows::timeouts(row.first_byte_timeout, row.total_timeout),
        })
    })
    .collect()
}

async fn bundles(tx: &mut TenantTx) -> Result<Vec<BundleFact>, Error> {
    sqlx::query!(
        r#"SELECT b.id, b.name, b.title,
                  coalesce(array_agg(t.tool_id) FILTER (WHERE t.tool_id IS NOT NULL), '{}') AS "tools!",
                  coalesce(array_agg(t.name) FILTER (WHERE t.tool_id IS NOT NULL), '{}') AS "names!"
           FROM bundles b
           LEFT JOIN bundled_tools t ON t.tenant_id = b.tenant_id AND t.bundle_id = b.id
           GROUP BY b.tenant_id, b.id"#
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        let tools = row.tools.into_iter().zip(row.names);
        Ok(BundleFact {
            id: row.id.into(),
            name: row.name,
            title: row.title,
            tools: tools.map(|(tool, name)| BundledFact { tool: tool.into(), name }).collect(),
        })
    })
    .collect()
}

async fn grants(tx: &mut TenantTx) -> Result<Vec<GrantFact>, Error> {
    // A grant to an agent that is no more would be one to nobody, and nothing is decided on facts that contradict each
    // other. Retiring takes them; should one be given afterwards, it gives nothing.
    sqlx::query!(
        "SELECT id, permission_key, unit_id, role, user_id, agent_id, expires_at FROM grants g
         WHERE agent_id IS NULL OR EXISTS (
             SELECT FROM agents a WHERE a.tenant_id = g.tenant_id AND a.id = g.agent_id AND a.retired_at IS NULL)"
    )
        .fetch_all(tx.conn())
        .await?
        .into_iter()
        .map(|row| {
            let grantee = match (row.unit_id, row.role, row.user_id, row.agent_id) {
                (Some(unit), None, None, None) => Grantee::Unit(unit.into()),
                (None, Some(role), None, None) => Grantee::Role(word("grant", &role)?),
                (None, None, Some(user), None) => Grantee::User(user.into()),
                (None, None, None, Some(agent)) => Grantee::Agent(agent.into()),
                _ => return Err(Error::inconsistent("a grant", "it names none or several grantees")),
            };
            Ok(GrantFact {
                id: row.id.into(),
                key: word("grant", &row.permission_key)?,
                grantee,
                expires_at: row.expires_at,
            })
        })
        .collect()
}

async fn limits(tx: &mut TenantTx) -> Result<Vec<LimitFact>, Error> {
    // As with grants: a limit of an agent that is no more limits nobody.
    sqlx::query!(
        "SELECT id, unit_id, agent_id, module_id, tool_id, each_agent, calls, per, burst, set_by FROM limits l
         WHERE agent_id IS NULL OR EXISTS (
             SELECT FROM agents a WHERE a.tenant_id = l.tenant_id AND a.id = l.agent_id AND a.retired_at IS NULL)
         ORDER BY id"
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(LimitFact {
            id: row.id.into(),
            scope: scope(row.unit_id, row.agent_id, row.module_id, row.tool_id, row.each_agent)?,
            allowance: allowance(row.calls, &row.per, row.burst)?,
            set_by: row.set_by,
        })
    })
    .collect()
}

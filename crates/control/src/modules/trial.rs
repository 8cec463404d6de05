//! Trying a tool from the dashboard: as which agents somebody may, and the leave to do it once.

use model::call::Digest;
use model::catalog::Feature;
use model::{CallId, CredentialId, McpId, Timestamp};
use policy::Decision;
use serde_json::json;

use crate::authority::{self, Deed};
use crate::{Actor, Control, Error, directory};

/// Keys that a form offers at once.
const OFFERED: i64 = 100;

/// As whom a tool can be tried: a key of an agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The key.
    pub credential: CredentialId,
    /// The agent's name.
    pub agent: String,
    /// The key's name and how it begins.
    pub key: (String, String),
    /// The person the agent then acts for.
    pub on_behalf_of: Option<String>,
    /// Name of the person who owns the agent.
    pub owner: String,
    /// Whether that is the reader.
    pub own: bool,
}

/// The leave to make one call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leave {
    /// The call's id, made at `at`.
    pub call: CallId,
    /// When leave was given.
    pub at: Timestamp,
    /// The organization's endpoint.
    pub endpoint: McpId,
    /// As which key.
    pub credential: CredentialId,
}

/// Keys in force of the agents that the actor may change, or owns: their own first, then by name; at most a hundred whose
/// agent's name contains `text`. An owner acts as their agent for itself, or for the owner: for somebody else only who
/// may issue such keys.
pub async fn identities(control: &Control, actor: &Actor, text: &str) -> Result<Vec<Identity>, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadCatalog, "tool")?;
    let (tenant, all) = (tx.tenant_uuid(), authority::may(actor, Deed::ChangeAgents));
    let me = actor.user_id().map(|user| user.uuid());
    let rows = sqlx::query!(
        r#"SELECT c.id, a.name AS agent, c.name, c.prefix, o.name AS owner, u.name AS "on_behalf_of?",
                  (a.owner_id = $3) IS TRUE AS "own!"
           FROM credentials c
           JOIN agents a ON a.tenant_id = c.tenant_id AND a.id = c.agent_id
           JOIN users o ON o.tenant_id = a.tenant_id AND o.id = a.owner_id
           LEFT JOIN users u ON u.tenant_id = c.tenant_id AND u.id = c.on_behalf_of
           WHERE c.tenant_id = $1 AND c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > $5)
             AND ($2 OR (a.owner_id = $3 AND (c.on_behalf_of IS NULL OR c.on_behalf_of = $3)))
             AND ($4::text IS NULL OR strpos(lower(a.name), lower($4)) > 0)
           ORDER BY (a.owner_id = $3) IS TRUE DESC, lower(a.name), a.id, c.on_behalf_of IS NOT NULL, c.id DESC LIMIT $6"#,
        tenant,
        all,
        me,
        Some(text.trim()).filter(|text| !text.is_empty()),
        tx.now(),
        OFFERED,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Identity {
            credential: row.id.into(),
            agent: row.agent,
            key: (row.name, row.prefix),
            on_behalf_of: row.on_behalf_of,
            owner: row.owner,
            own: row.own,
        })
        .collect())
}

/// The same for one tool, those first that may call it as things stand. It is only a proposal: the call itself is decided
/// where all calls are.
pub async fn identities_for(
    control: &Control,
    actor: &Actor,
    text: &str,
    tool: &str,
) -> Result<Vec<Identity>, Error> {
    let mut identities = identities(control, actor, text).await?;
    let directory = directory::present(control, actor.tenant()).await?;
    let now = control.ambient().now();
    let may = |credential: CredentialId| {
        let Ok(principal) = directory.authenticate_as(credential, None, now) else { return false };
        let Ok(found) = directory.resolve(&principal, Feature::Tool, tool) else { return false };
        !matches!(directory.decide(&principal, &found, Digest::default(), now), Decision::Deny(_))
    };
    identities.sort_by_cached_key(|it| !may(it.credential));
    Ok(identities)
}

/// Gives the actor leave to make one call as a key's agent, and records who it was: the call itself is the agent's. Whether
/// the agent may make it is decided where all calls are.
///
/// # Errors
/// When there is no such key in force of an agent of theirs.
pub async fn leave(
    control: &Control,
    actor: &Actor,
    credential: CredentialId,
    tool: &str,
) -> Result<Leave, Error> {
    let mut tx = actor.write(control).await?;
    tx.authorize(Deed::ReadCatalog, "tool")?;
    let (tenant, all) = (tx.tenant_uuid(), authority::may(actor, Deed::ChangeAgents));
    let me = actor.user_id().map(|user| user.uuid());
    let row = sqlx::query!(
        "SELECT a.name AS agent, c.prefix, n.mcp_id
         FROM credentials c
         JOIN agents a ON a.tenant_id = c.tenant_id AND a.id = c.agent_id
         JOIN tenants n ON n.tenant_id = c.tenant_id
         WHERE c.tenant_id = $1 AND c.id = $2 AND c.revoked_at IS NULL
           AND ($3 OR (a.owner_id = $4 AND (c.on_behalf_of IS NULL OR c.on_behalf_of = $4)))",
        tenant,
        credential.uuid(),
        all,
        me,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::not_found("such key of an agent of yours"))?;
    let at = tx.now();
    let call: CallId = control.ambient().id_at(at);
    let detail = json!({ "call": call, "agent": row.agent, "prefix": row.prefix });
    tx.audit("tool.try", "call", call, tool, detail).await?;
    tx.commit().await?;
    Ok(Leave { call, at, endpoint: row.mcp_id.into(), credential })
}

//! What agents present: bearer keys, shown once, kept as their SHA-256.

use std::collections::HashMap;
use std::time::Duration;

use chrono::TimeDelta;
use ipnet::IpNet;
use model::people::CredentialView;
use model::{AgentId, CredentialId, Timestamp, UserId};
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::authority::{self, Deed};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, agents, given, rows, users};

/// Most addresses that one key may name.
const ADDRESSES: usize = 100;
/// Longest time that an old and a new key may be valid side by side.
pub const LONGEST_OVERLAP: Duration = Duration::from_secs(30 * 24 * 3600);

/// A key to be issued.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// To which agent.
    pub agent: AgentId,
    /// What it is for, in words: 1 to 120 characters.
    pub name: String,
    /// From when it is refused; none: until it is revoked.
    pub expires_at: Option<Timestamp>,
    /// From where it may come, at most 100 networks; empty: from anywhere.
    pub allowed_addresses: Vec<IpNet>,
    /// For whom the agent acts when it presents this.
    pub on_behalf_of: Option<UserId>,
}

/// A key that was just made. This is the only time it can be read.
#[derive(Debug)]
pub struct Issued {
    /// As lists show it.
    pub view: CredentialView,
    /// The key.
    pub key: SecretString,
}

/// A key with what lists show beside.
#[derive(Clone, Debug)]
pub struct CredentialLine {
    /// The key, without its secret.
    pub view: CredentialView,
    /// Whose it is.
    pub agent_name: String,
    /// The person the agent acts for when it presents this.
    pub on_behalf_of: Option<(UserId, String)>,
    /// From where it may come; empty: from anywhere.
    pub allowed_addresses: Vec<IpNet>,
    /// The key that it was issued to follow.
    pub replaces: Option<CredentialId>,
    /// Since when it is refused, if it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Issues a key to an agent.
pub async fn issue(control: &Control, actor: &Actor, new: NewCredential) -> Result<Issued, Error> {
    issue_as(control, actor, control.ambient().id(), new).await
}

/// Issues a key under an id that was made before: asked for twice, as by a form that is sent again, it is issued once.
///
/// # Errors
/// `issued_before` when there is a key of that id.
pub async fn issue_as(
    control: &Control,
    actor: &Actor,
    id: CredentialId,
    new: NewCredential,
) -> Result<Issued, Error> {
    let mut tx = actor.change(control, Deed::ChangeAgents, "agent").await?;
    let agent = agents::one(&mut tx, new.agent).await?;
    let person = match new.on_behalf_of {
        Some(user) => Some(users::one(&mut tx, user).await?),
        None => None,
    };
    let new = NewCredential { expires_at: given::end("expires_at", new.expires_at, tx.now())?, ..new };
    let issued = insert(control, &mut tx, id, &new, None).await?;
    let detail = json!({
        "agent": agent.name, "agent_id": agent.id, "prefix": issued.view.prefix,
        "on_behalf_of": person.map(|person| person.name), "expires_at": new.expires_at,
        "allowed_addresses": new.allowed_addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    tx.audit("credential.issue", "credential", issued.view.id, &issued.view.name, detail).await?;
    tx.commit().await?;
    Ok(issued)
}

/// Issues a key to follow another, which then ends after `overlap` (or when it would have ended, if that is
/// sooner). The new key has the same name, addresses and person, and lives as long as the old one was meant
/// to.
///
/// # Errors
/// `not_in_force` for a key that has ended; `already_rotated` when one follows it already.
pub async fn rotate(
    control: &Control,
    actor: &Actor,
    credential: CredentialId,
    overlap: Duration,
) -> Result<Issued, Error> {
    rotate_as(control, actor, control.ambient().id(), credential, overlap).await
}

/// The same, under an id that was made before, as [`issue_as`].
pub async fn rotate_as(
    control: &Control,
    actor: &Actor,
    id: CredentialId,
    credential: CredentialId,
    overlap: Duration,
) -> Result<Issued, Error> {
    let overlap = TimeDelta::from_std(overlap)
        .ok()
        .filter(|overlap| overlap.to_std().is_ok_and(|overlap| overlap <= LONGEST_OVERLAP))
        .ok_or_else(|| Error::invalid("overlap", "two keys may be valid side by side for at most 30 days"))?;
    let mut tx = actor.change(control, Deed::ChangeAgents, "key").await?;
    let old = one(&mut tx, credential).await?;
    if is_there(&mut tx, id).await? {
        return Err(issued_before());
    }
    let now = tx.now();
    if old.revoked_at.is_some() || old.view.expires_at.is_some_and(|at| at <= now) {
        return Err(Error::refused(
            "not_in_force",
            format!("key “{}” ({}…) has ended: issue a new one instead", old.view.name, old.view.prefix),
        ));
    }
    let tenant = tx.tenant_uuid();
    let followed = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM credentials WHERE tenant_id = $1 AND replaces = $2 AND revoked_at IS NULL) AS "is!""#,
        tenant,
        credential.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    if followed {
        return Err(Error::refused(
            "already_rotated",
            format!("key “{}” ({}…) has a follower already: rotate that one", old.view.name, old.view.prefix),
        ));
    }
    let new = NewCredential {
        agent: old.view.agent,
        name: old.view.name.clone(),
        expires_at: old.view.expires_at.map(|at| now + (at - old.view.created_at)),
        allowed_addresses: old.allowed_addresses.clone(),
        on_behalf_of: old.on_behalf_of.as_ref().map(|(user, _)| *user),
    };
    let issued = insert(control, &mut tx, id, &new, Some(credential)).await?;
    let ends = old.view.expires_at.map_or(now + overlap, |at| at.min(now + overlap));
    sqlx::query!(
        "UPDATE credentials SET expires_at = $3 WHERE tenant_id = $1 AND id = $2",
        tenant,
        credential.uuid(),
        ends
    )
    .execute(tx.conn())
    .await?;
    let detail = json!({
        "agent": old.agent_name, "agent_id": old.view.agent, "prefix": issued.view.prefix, "replaces": old.view.prefix,
        "old_ends_at": ends,
    });
    tx.audit("credential.rotate", "credential", issued.view.id, &issued.view.name, detail).await?;
    tx.commit().await?;
    Ok(issued)
}

/// Ends a key at once.
///
/// # Errors
/// When there is no such key, or it was revoked before.
pub async fn revoke(control: &Control, actor: &Actor, credential: CredentialId) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangeAgents, "key").await?;
    let old = one(&mut tx, credential).await?;
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let revoked = sqlx::query!(
        "UPDATE credentials SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL",
        tenant,
        credential.uuid(),
        now,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    if revoked == 0 {
        return Err(Error::refused(
            "already_revoked",
            format!("key “{}” ({}…) was revoked before", old.view.name, old.view.prefix),
        ));
    }
    let detail = json!({ "agent": old.agent_name, "agent_id": old.view.agent, "prefix": old.view.prefix });
    tx.audit("credential.revoke", "credential", credential, &old.view.name, detail).await?;
    tx.commit().await
}

/// Keys, newest first: of one agent or of all; those who may not see people see the keys of their own agents.
pub async fn list(
    control: &Control,
    actor: &Actor,
    agent: Option<AgentId>,
) -> Result<Vec<CredentialLine>, Error> {
    let mut tx = actor.read(control).await?;
    let all = authority::may(actor, Deed::ReadPeople);
    if !all && actor.user_id().is_none() {
        return Err(Error::not_found("list of keys"));
    }
    let owner = if all { None } else { actor.user_id() };
    lines(&mut tx, agent, owner, None).await
}

/// A key of an agent by its name or by the beginning of the key, as lists show it. Only one that was not
/// revoked.
pub async fn find(
    control: &Control,
    actor: &Actor,
    agent: AgentId,
    text: &str,
) -> Result<CredentialLine, Error> {
    let wanted = text.trim().trim_end_matches('…');
    let mut lines = list(control, actor, Some(agent)).await?;
    lines.retain(|line| {
        line.revoked_at.is_none()
            && (line.view.prefix == wanted || line.view.name.eq_ignore_ascii_case(wanted))
    });
    if let [one, other, ..] = lines.as_slice() {
        return Err(Error::refused(
            "ambiguous_name",
            format!(
                "several keys of this agent are called “{wanted}”: say which by its beginning, such as `{}` or `{}`",
                one.view.prefix, other.view.prefix
            ),
        ));
    }
    lines.pop().ok_or_else(|| Error::not_found(format!("key “{wanted}” of this agent")))
}

/// When each key of an agent was last used, as far as its newest thousand calls of the last 90 days tell: more is not
/// worth going through. For those who may see people, and for its owner.
pub async fn last_used(
    control: &Control,
    actor: &Actor,
    agent: AgentId,
) -> Result<HashMap<CredentialId, Timestamp>, Error> {
    let mut tx = actor.read(control).await?;
    tx.bound_time().await?;
    let (tenant, from) = (tx.tenant_uuid(), rows::uuid_floor(tx.now() - TimeDelta::days(90)));
    let all = authority::may(actor, Deed::ReadPeople);
    let rows = sqlx::query!(
        r#"SELECT n.credential_id AS "credential!", max(n.received_at) AS "at!"
           FROM (SELECT c.credential_id, c.received_at FROM calls c
                 WHERE c.tenant_id = $1 AND c.agent_id = $2 AND c.id >= $3
                 ORDER BY c.id DESC LIMIT 1000) n
           WHERE $4 OR EXISTS (SELECT FROM agents a WHERE a.tenant_id = $1 AND a.id = $2 AND a.owner_id = $5)
           GROUP BY n.credential_id"#,
        tenant,
        agent.uuid(),
        from,
        all,
        actor.user_id().map(|user| user.uuid()),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.credential.into(), row.at)).collect())
}

async fn is_there(tx: &mut TenantTx, credential: CredentialId) -> Result<bool, Error> {
    let tenant = tx.tenant_uuid();
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM credentials WHERE tenant_id = $1 AND id = $2) AS "is!""#,
        tenant,
        credential.uuid(),
    )
    .fetch_one(tx.conn())
    .await?)
}

fn issued_before() -> Error {
    Error::refused(
        "issued_before",
        "this key was issued before, and a key is shown once: if it was not stored, revoke it and issue another",
    )
}

async fn insert(
    control: &Control,
    tx: &mut TenantTx,
    id: CredentialId,
    new: &NewCredential,
    replaces: Option<CredentialId>,
) -> Result<Issued, Error> {
    let name = given::name("name", &new.name, 120)?;
    if new.allowed_addresses.len() > ADDRESSES {
        return Err(Error::invalid("allowed_addresses", format!("name at most {ADDRESSES} networks")));
    }
    // A network with bits set below its mask is one and the same network.
    let allowed: Vec<IpNet> = new.allowed_addresses.iter().map(IpNet::trunc).collect();
    let random = Zeroizing::new(control.ambient().bytes::<32>());
    let key = Zeroizing::new(model::key::mint(*random));
    let hash = Sha256::digest(key.as_bytes());
    let prefix: String = key.chars().take(model::key::SHOWN).collect();
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "INSERT INTO credentials (tenant_id, id, agent_id, on_behalf_of, name, prefix, secret_hash, allowed_addresses,
                                  replaces, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8::inet[]::cidr[], $9, $10, $11)",
        tenant,
        id.uuid(),
        new.agent.uuid(),
        new.on_behalf_of.map(|user| user.uuid()),
        name,
        prefix,
        hash.as_slice(),
        &allowed,
        replaces.map(|credential| credential.uuid()),
        now,
        new.expires_at,
    )
    .execute(tx.conn())
    .await
    .map_err(|error| match Error::violates(&error, "credentials_pkey") {
        true => issued_before(),
        false => error.into(),
    })?;
    Ok(Issued {
        view: CredentialView {
            id,
            agent: new.agent,
            name,
            prefix,
            created_at: now,
            expires_at: new.expires_at,
        },
        key: SecretString::from(key.as_str()),
    })
}

/// One key, by its id.
pub(crate) async fn one(tx: &mut TenantTx, credential: CredentialId) -> Result<CredentialLine, Error> {
    lines(tx, None, None, Some(credential)).await?.pop().ok_or_else(|| Error::not_found("such key"))
}

async fn lines(
    tx: &mut TenantTx,
    agent: Option<AgentId>,
    owner: Option<UserId>,
    credential: Option<CredentialId>,
) -> Result<Vec<CredentialLine>, Error> {
    let tenant = tx.tenant_uuid();
    let rows = sqlx::query!(
        r#"SELECT c.id, c.agent_id, c.name, c.prefix, c.created_at, c.expires_at, c.revoked_at, c.replaces,
                  c.allowed_addresses AS "allowed_addresses!: Vec<IpNet>", c.on_behalf_of, a.name AS agent_name,
                  u.name AS "on_behalf_of_name?"
           FROM credentials c
           JOIN agents a ON a.tenant_id = c.tenant_id AND a.id = c.agent_id
           LEFT JOIN users u ON u.tenant_id = c.tenant_id AND u.id = c.on_behalf_of
           WHERE c.tenant_id = $1 AND ($2::uuid IS NULL OR c.agent_id = $2) AND ($3::uuid IS NULL OR a.owner_id = $3)
             AND ($4::uuid IS NULL OR c.id = $4)
           ORDER BY c.created_at DESC, c.id DESC"#,
        tenant,
        agent.map(|agent| agent.uuid()),
        owner.map(|owner| owner.uuid()),
        credential.map(|credential| credential.uuid()),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| CredentialLine {
            view: CredentialView {
                id: row.id.into(),
                agent: row.agent_id.into(),
                name: row.name,
                prefix: row.prefix,
                created_at: row.created_at,
                expires_at: row.expires_at,
            },
            agent_name: row.agent_name,
            on_behalf_of: row.on_behalf_of.map(Into::into).zip(row.on_behalf_of_name),
            allowed_addresses: row.allowed_addresses,
            replaces: row.replaces.map(Into::into),
            revoked_at: row.revoked_at,
        })
        .collect())
}

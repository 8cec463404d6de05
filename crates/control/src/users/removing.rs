//! How people leave for good. Their rights end with the transaction; their name stays on the record of what was done, and
//! their address can be invited again.

use model::UserId;
use model::people::{Standing, UserView};
use serde_json::json;

use super::{roles, store};
use crate::authority::{self, Deed};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, given, rows, sessions};

/// What becomes of the agents, and of the modules, that somebody who leaves answers for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Agents {
    /// They go on, and the person with this mail address answers for them.
    HandTo(String),
    /// The agents are suspended, and nobody answers for the modules.
    Stop,
}

/// What ends, or changes hands, when a person leaves or is suspended: before it is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parting {
    /// The person.
    pub person: UserView,
    /// Agents they own, those not suspended.
    pub agents: u64,
    /// Further agents they own, which are suspended.
    pub suspended_agents: u64,
    /// Keys in force of agents that they own.
    pub keys: u64,
    /// Keys in force with which agents of anybody act for them.
    pub keys_on_behalf: u64,
    /// Calls of their agents, or on their behalf, that are running at this moment.
    pub running: u64,
    /// Modules that they answer for.
    pub modules: u64,
    /// Roles that they hold.
    pub roles: u64,
    /// Permission keys given to them in person.
    pub grants: u64,
    /// Browsers in which they are signed in.
    pub sessions: u64,
    /// Invitations of theirs that nobody has accepted yet.
    pub invitations: u64,
    /// Whether they are the only active owner, who cannot go.
    pub last_owner: bool,
}

/// What ends when a person leaves or is suspended. For those who may remove them, and for themselves.
pub async fn parting(control: &Control, actor: &Actor, user: UserId) -> Result<Parting, Error> {
    let mut tx = actor.read(control).await?;
    if actor.user_id() != Some(user) {
        tx.authorize(Deed::ChangePeople, "such person")?;
    }
    let person = store::one(&mut tx, user).await?;
    let is_owner = roles::is_owner(&mut tx, user).await?;
    if is_owner && actor.user_id() != Some(user) {
        tx.authorize(Deed::ChangeOwners, &format!("owner “{}” that you may change", person.name))?;
    }
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM agents a WHERE a.tenant_id = $1 AND a.owner_id = $2 AND a.standing = 'active')
                      AS "agents!",
                  (SELECT count(*) FROM agents a WHERE a.tenant_id = $1 AND a.owner_id = $2 AND a.standing = 'suspended'
                      AND a.retired_at IS NULL) AS "suspended_agents!",
                  (SELECT count(*) FROM credentials c JOIN agents a ON a.tenant_id = c.tenant_id AND a.id = c.agent_id
                   WHERE c.tenant_id = $1 AND a.owner_id = $2 AND c.revoked_at IS NULL
                     AND (c.expires_at IS NULL OR c.expires_at > $3)) AS "keys!",
                  (SELECT count(*) FROM credentials c
                   WHERE c.tenant_id = $1 AND c.on_behalf_of = $2 AND c.revoked_at IS NULL
                     AND (c.expires_at IS NULL OR c.expires_at > $3)) AS "keys_on_behalf!",
                  (SELECT count(*) FROM modules m WHERE m.tenant_id = $1 AND m.owner_id = $2) AS "modules!",
                  (SELECT count(*) FROM role_assignments r WHERE r.tenant_id = $1 AND r.user_id = $2) AS "roles!",
                  (SELECT count(*) FROM grants g WHERE g.tenant_id = $1 AND g.user_id = $2) AS "grants!",
                  (SELECT count(*) FROM invitations i WHERE i.tenant_id = $1 AND i.invited_by = $2
                      AND i.accepted_at IS NULL AND i.withdrawn_at IS NULL) AS "invitations!",
                  (SELECT count(*) FROM sessions s WHERE s.tenant = $1 AND s.user_id = $2 AND s.expires_at > $3)
                      AS "sessions!",
                  EXISTS (SELECT FROM role_assignments r
                          JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.user_id AND u.standing = 'active'
                          WHERE r.tenant_id = $1 AND r.role = 'owner' AND r.unit_id IS NULL AND r.user_id <> $2)
                      AS "other_owner!""#,
        tenant,
        user.uuid(),
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    // A call lasts seconds or minutes. Beyond a day back, one without an end belongs to a process that died.
    let since = rows::uuid_floor(now - chrono::TimeDelta::days(1));
    let running = sqlx::query_scalar!(
        r#"SELECT count(*) AS "running!" FROM calls c
           WHERE c.tenant_id = $1 AND c.id >= $3 AND c.verdict = 'permit' AND (c.owner_id = $2 OR c.on_behalf_of = $2)
             AND NOT EXISTS (SELECT FROM settlements s
                             WHERE s.tenant_id = c.tenant_id AND s.call_id = c.id AND s.call_id >= $3)"#,
        tenant,
        user.uuid(),
        since,
    )
    .fetch_one(tx.conn())
    .await?;
    let last_owner = is_owner && !row.other_owner;
    Ok(Parting {
        person,
        agents: row.agents.unsigned_abs(),
        suspended_agents: row.suspended_agents.unsigned_abs(),
        keys: row.keys.unsigned_abs(),
        keys_on_behalf: row.keys_on_behalf.unsigned_abs(),
        running: running.unsigned_abs(),
        modules: row.modules.unsigned_abs(),
        roles: row.roles.unsigned_abs(),
        grants: row.grants.unsigned_abs(),
        sessions: row.sessions.unsigned_abs(),
        invitations: row.invitations.unsigned_abs(),
        last_owner,
    })
}

/// Removes a person for good: no call of theirs, and none on their behalf, is admitted afterwards, and they cannot sign
/// in. Roles, memberships, personal grants and sessions are gone, keys on their behalf revoked, invitations of theirs
/// withdrawn.
///
/// # Errors
/// `last_owner` for the only active owner; `to` when the person to hand over to is not one who could take over.
pub async fn remove(control: &Control, actor: &Actor, user: UserId, agents: Agents) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangePeople, "such person").await?;
    let person = store::one(&mut tx, user).await?;
    if roles::is_owner(&mut tx, user).await? {
        tx.authorize(Deed::ChangeOwners, &format!("owner “{}” that you may change", person.name))?;
    }
    part(&mut tx, &person, agents, "user.remove").await?;
    tx.commit().await
}

/// The same, done by the person themselves. To hand over to somebody, one must be able to see people.
///
/// # Errors
/// As [`remove`].
pub async fn leave(control: &Control, actor: &Actor, agents: Agents) -> Result<(), Error> {
    let user = actor.user_id().ok_or_else(|| Error::not_found("account of yours"))?;
    if matches!(agents, Agents::HandTo(_)) && !authority::may(actor, Deed::ReadPeople) {
        return Err(Error::not_found("list of people"));
    }
    let mut tx = actor.change_self(control, "account of yours").await?;
    let person = store::one(&mut tx, user).await?;
    part(&mut tx, &person, agents, "user.leave").await?;
    tx.commit().await
}

async fn part(tx: &mut TenantTx, person: &UserView, agents: Agents, action: &str) -> Result<(), Error> {
    let heir = match &agents {
        Agents::HandTo(email) => Some(heir(tx, person, email).await?),
        Agents::Stop => None,
    };
    let (tenant, user, now) = (tx.tenant_uuid(), person.id.uuid(), tx.now());
    let handed = match &heir {
        Some(heir) => sqlx::query!(
            "UPDATE agents SET owner_id = $3 WHERE tenant_id = $1 AND owner_id = $2 AND retired_at IS NULL",
            tenant,
            user,
            heir.id.uuid()
        )
        .execute(tx.conn())
        .await?
        .rows_affected(),
        None => sqlx::query!(
            "UPDATE agents SET standing = 'suspended' WHERE tenant_id = $1 AND owner_id = $2 AND standing = 'active'",
            tenant,
            user
        )
        .execute(tx.conn())
        .await?
        .rows_affected(),
    };
    sqlx::query!(
        "UPDATE modules SET owner_id = $3 WHERE tenant_id = $1 AND owner_id = $2",
        tenant,
        user,
        heir.as_ref().map(|heir| heir.id.uuid()),
    )
    .execute(tx.conn())
    .await?;
    let keys = sqlx::query!(
        "UPDATE credentials SET revoked_at = $3 WHERE tenant_id = $1 AND on_behalf_of = $2 AND revoked_at IS NULL",
        tenant,
        user,
        now
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    let grants = sqlx::query!("DELETE FROM grants WHERE tenant_id = $1 AND user_id = $2", tenant, user)
        .execute(tx.conn())
        .await?
        .rows_affected();
    let roles =
        sqlx::query!("DELETE FROM role_assignments WHERE tenant_id = $1 AND user_id = $2", tenant, user)
            .execute(tx.conn())
            .await?
            .rows_affected();
    sqlx::query!("DELETE FROM memberships WHERE tenant_id = $1 AND user_id = $2", tenant, user)
        .execute(tx.conn())
        .await?;
    let invitations = sqlx::query!(
        "UPDATE invitations SET withdrawn_at = $3
         WHERE tenant_id = $1 AND invited_by = $2 AND accepted_at IS NULL AND withdrawn_at IS NULL",
        tenant,
        user,
        now
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    sqlx::query!(
        "UPDATE users SET standing = 'suspended', removed_at = $3, password_hash = NULL WHERE tenant_id = $1 AND id = $2",
        tenant,
        user,
        now
    )
    .execute(tx.conn())
    .await?;
    let whole = tx.tenant();
    let sessions = sessions::end_all(tx.conn(), whole, person.id, None).await?;
    roles::some_owner_is_left(tx, &person.name).await?;
    let detail = json!({
        "email": person.email, "handed_to": heir.map(|heir| heir.name), "agents": handed, "keys_revoked": keys,
        "grants_revoked": grants, "roles_taken": roles, "invitations_withdrawn": invitations,
        "sessions_ended": sessions,
    });
    tx.audit(action, "user", person.id, &person.name, detail).await
}

/// Who takes over: somebody of the organization who may act.
async fn heir(tx: &mut TenantTx, person: &UserView, email: &str) -> Result<UserView, Error> {
    let email = given::email(email).map_err(|_| {
        Error::invalid("to", "give the mail address of the person who takes over, such as ada@example.com")
    })?;
    match store::by_email(tx, &email).await? {
        Some(heir) if heir.id == person.id => {
            Err(Error::invalid("to", format!("give somebody else's address than that of “{}”", person.name)))
        }
        Some(heir) if heir.standing == Standing::Suspended => Err(Error::invalid(
            "to",
            format!("“{}” is suspended: choose somebody whose agents may act", heir.name),
        )),
        Some(heir) => Ok(heir),
        None => Err(Error::invalid("to", format!("nobody here has the address {email}"))),
    }
}

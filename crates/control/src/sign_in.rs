//! Signing in by password, and who a signed-in person is at each request.

use std::net::IpAddr;
use std::time::Duration;

use chrono::TimeDelta;
use model::people::Slug;
use model::{TenantId, UserId, Zone};
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::actor::HeldRole;
use crate::sessions::Who;
use crate::settings::SessionRules;
use crate::tenants::TenantHead;
use crate::throttle::{Limit, TooMany, network};
use crate::{Actor, Control, Error, crm, given, passwords, rows};

/// Failures are counted for this long from the first one.
const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// Failures from one address for one mail address, before further attempts are refused unseen.
const FROM_ADDRESS_FOR_EMAIL: i32 = 10;
/// Failures for one mail address from anywhere. More, so that one stranger cannot lock a person out.
const FOR_EMAIL: i32 = 50;
/// Failures from one address for any mail address.
const FROM_ADDRESS: i32 = 100;

/// Tells one password of a person from the next, without being one: part of the SHA-256 of its stored hash. A session keeps
/// the stamp with which it was begun, and is over when the person's is another.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Stamp(String);

impl Stamp {
    /// Of the stored hash of a password; of nothing, where somebody does not sign in by password.
    pub(crate) fn of(hash: Option<&str>) -> Self {
        Self(hex::encode(Sha256::digest(hash.unwrap_or_default())).chars().take(32).collect())
    }
}

/// Somebody whose password was right, in one organization.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedIn {
    /// The person.
    pub user: UserId,
    /// In which organization.
    pub tenant: TenantId,
    /// Its short name.
    pub slug: Slug,
    /// Its name.
    pub tenant_name: String,
    /// The person's name.
    pub user_name: String,
    /// Of the password that was right.
    pub stamp: Stamp,
}

/// Why nobody was signed in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// Address or password are wrong. Which of them is not told.
    #[error("the mail address or the password is wrong")]
    WrongCredentials,
    /// Too many attempts have failed.
    #[error("too many attempts have failed: try again in {} minutes", retry_after.as_secs().div_ceil(60).max(1))]
    TooMany {
        /// After this, it may be tried again.
        retry_after: Duration,
    },
    /// It cannot be told at the moment.
    #[error("signing in is not possible at the moment: try again in a minute")]
    Unavailable,
}

impl From<Error> for SignInError {
    fn from(error: Error) -> Self {
        tracing::error!(%error, source = ?std::error::Error::source(&error), "signing in failed");
        Self::Unavailable
    }
}

impl From<sqlx::Error> for SignInError {
    fn from(error: sqlx::Error) -> Self {
        Error::from(error).into()
    }
}

/// Checks a password. The same person can have accounts in several organizations: those whose password it is
/// are returned, at least one.
///
/// Attempts are counted before the password is checked, so that many at once are not more than their number.
pub async fn sign_in(
    control: &Control,
    email: &str,
    password: &SecretString,
    from: Option<IpAddr>,
) -> Result<Vec<SignedIn>, SignInError> {
    let email = given::email(email).unwrap_or_default();
    let limits = limits(&email, from);
    for limit in &limits {
        limit
            .count(control)
            .await?
            .map_err(|TooMany { retry_after }| SignInError::TooMany { retry_after })?;
    }
    let candidates = sqlx::query!(
        r#"SELECT tenant AS "tenant!", slug AS "slug!", tenant_name AS "tenant_name!", user_id AS "user_id!",
                  user_name AS "user_name!", password_hash AS "password_hash!"
           FROM sign_in_candidates($1)"#,
        email,
    )
    .fetch_all(control.pool())
    .await?;
    let busy = |_| SignInError::Unavailable;
    if candidates.is_empty() {
        passwords::verify(password, passwords::DUMMY.to_owned()).await.map_err(busy)?;
    }
    let mut signed_in = Vec::new();
    for row in candidates {
        let stamp = Stamp::of(Some(&row.password_hash));
        if passwords::verify(password, row.password_hash).await.map_err(busy)? {
            signed_in.push(SignedIn {
                stamp,
                user: row.user_id.into(),
                tenant: row.tenant.into(),
                slug: rows::word("tenant", &row.slug)?,
                tenant_name: row.tenant_name,
                user_name: row.user_name,
            });
        }
    }
    if signed_in.is_empty() {
        tracing::info!(from = ?from, "a sign-in failed");
        return Err(SignInError::WrongCredentials);
    }
    forgive(control, &limits).await?;
    for person in &signed_in {
        let mut tx =
            Actor::user(person.tenant, person.user, &person.user_name, Vec::new()).write(control).await?;
        let detail = json!({ "address": from });
        tx.audit("user.sign_in", "user", person.user, &person.user_name, detail).await?;
        tx.commit().await?;
    }
    Ok(signed_in)
}

/// Whether a password is that of somebody who is signed in already. Wrong ones are counted as sign-ins of their address are,
/// so that an open browser is no way around the limits.
pub(crate) async fn is_password(
    control: &Control,
    email: &str,
    password: &SecretString,
    stored: Option<String>,
    from: Option<IpAddr>,
) -> Result<bool, Error> {
    let limits = limits(email, from);
    for limit in &limits {
        limit.count(control).await??;
    }
    let stored = stored.unwrap_or_else(|| passwords::DUMMY.to_owned());
    let fits = passwords::verify(password, stored).await?;
    if fits {
        forgive(control, &limits).await?;
    }
    Ok(fits)
}

/// A signed-in person and where they are, at one request.
#[derive(Clone, Debug)]
pub struct Present {
    /// The person, with what they may do now.
    pub actor: Actor,
    /// Their organization.
    pub tenant: TenantHead,
    /// In which they are told times: their own choice, or the organization's.
    pub zone: Zone,
    /// Of the password that they have now.
    pub stamp: Stamp,
    /// What they may do with the CRM.
    pub crm: crm::Sight,
    /// How long sessions last there.
    pub sessions: SessionRules,
}

/// Who a signed-in person is now: asked at each request, so that what was taken away is gone. None:
/// suspended, or in a suspended organization.
pub async fn present(control: &Control, tenant: TenantId, user: UserId) -> Result<Option<Present>, Error> {
    let mut tx = Actor::worker(tenant).read(control).await?;
    let found = sqlx::query!(
        r#"SELECT u.name, u.time_zone AS own_zone, u.password_hash, r.role AS "role?", r.unit_id AS "unit_id?",
                  t.slug, t.name AS tenant_name, t.mcp_id, t.standing, t.currency, t.time_zone,
                  s.session_idle_minutes AS "idle?", s.session_longest_hours AS "longest?"
           FROM users u
           JOIN tenants t ON t.tenant_id = u.tenant_id AND t.standing = 'active'
           LEFT JOIN settings s ON s.tenant_id = u.tenant_id
           LEFT JOIN role_assignments r ON r.tenant_id = u.tenant_id AND r.user_id = u.id
           WHERE u.tenant_id = $1 AND u.id = $2 AND u.standing = 'active'"#,
        tenant.uuid(),
        user.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let mut roles = Vec::with_capacity(found.len());
    for row in &found {
        if let Some(role) = &row.role {
            roles.push(HeldRole { role: rows::word("role", role)?, unit: row.unit_id.map(Into::into) });
        }
    }
    let Some(row) = found.into_iter().next() else { return Ok(None) };
    let head = TenantHead {
        id: tenant,
        slug: rows::word("tenant", &row.slug)?,
        name: row.tenant_name,
        mcp_id: row.mcp_id.into(),
        standing: rows::word("tenant", &row.standing)?,
        currency: rows::word("tenant", &row.currency)?,
        zone: rows::zone(&row.time_zone),
    };
    let zone = row.own_zone.as_deref().map_or(head.zone, rows::zone);
    let stamp = Stamp::of(row.password_hash.as_deref());
    let actor = Actor::user(tenant, user, &row.name, roles);
    let crm = crm::sight_of(&mut tx, &actor).await?;
    let sessions =
        row.idle.zip(row.longest).map(|(idle, longest)| SessionRules::of(idle, longest)).unwrap_or_default();
    Ok(Some(Present { actor, tenant: head, zone, stamp, crm, sessions }))
}

/// [`present`] for a session: none also when the password is another one since it was begun, or when it has lasted longer
/// than the organization lets sessions last.
pub async fn holder(control: &Control, who: &Who) -> Result<Option<Present>, Error> {
    let now = control.ambient().now();
    let present = present(control, who.tenant, who.user).await?;
    Ok(present.filter(|present| present.stamp == who.stamp && present.sessions.allow(who, now)))
}

/// The actor of [`present`].
pub async fn actor(control: &Control, tenant: TenantId, user: UserId) -> Result<Option<Actor>, Error> {
    Ok(present(control, tenant, user).await?.map(|present| present.actor))
}

/// What is counted for an attempt; the last of them is the person at that address.
fn limits(email: &str, from: Option<IpAddr>) -> Vec<Limit> {
    let mut limits = vec![Limit::new(&["sign_in", "email", email], FOR_EMAIL, WINDOW)];
    if let Some(from) = from.map(network) {
        limits.push(Limit::new(&["sign_in", "address", &from], FROM_ADDRESS, WINDOW));
        limits.push(Limit::new(&["sign_in", &from, email], FROM_ADDRESS_FOR_EMAIL, WINDOW));
    }
    limits
}

/// Takes back what was counted for an attempt that was no failure; for the person at that address, all of it.
async fn forgive(control: &Control, limits: &[Limit]) -> Result<(), Error> {
    for limit in limits {
        limit.forgive(control, limit.most == FROM_ADDRESS_FOR_EMAIL).await?;
    }
    Ok(())
}

/// Forgets all failures with a mail address, whose owner has just set a new password.
pub(crate) async fn forget_failures(
    control: &Control,
    email: &str,
    from: Option<IpAddr>,
) -> Result<(), Error> {
    for limit in limits(email, from).iter().filter(|limit| limit.most != FROM_ADDRESS) {
        limit.forgive(control, true).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_differs_by_address_and_by_mail_address() {
        let keys = |email, from: &str| limits(email, Some(from.parse().unwrap()));
        let (one, other) = (keys("a@b.c", "192.0.2.1"), keys("a@b.c", "192.0.2.2"));
        assert_eq!(one[0], other[0]);
        assert_ne!(one[1], other[1]);
        assert_ne!(one[2], other[2]);
        assert_eq!(one[1], keys("x@b.c", "192.0.2.1")[1]);
        assert_eq!(limits("a@b.c", None).len(), 1);
    }
}

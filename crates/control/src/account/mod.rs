//! One's own account: what one is called, in which zone one is told times, with what one signs in, where one is signed in.

mod sessions;

use std::net::IpAddr;

use model::Zone;
use secrecy::SecretString;
use serde_json::json;

use crate::sign_in::Stamp;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, given, passwords, rows, sign_in, users};

pub use sessions::{SessionLine, all_sessions, end_session, end_sessions, ending_sessions, sessions};

/// What one can change about oneself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The name.
    pub name: String,
    /// The mail address, which stays.
    pub email: String,
    /// The chosen time zone; none: the organization's.
    pub zone: Option<Zone>,
    /// The organization's.
    pub organizations_zone: Zone,
    /// Whether one signs in by password.
    pub has_password: bool,
}

/// One's own account.
pub async fn own(control: &Control, actor: &Actor) -> Result<Account, Error> {
    let user = actor.user_id().ok_or_else(nobody)?;
    let mut tx = actor.read(control).await?;
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        r#"SELECT u.name, u.email, u.time_zone AS own_zone, u.password_hash IS NOT NULL AS "has_password!", t.time_zone
           FROM users u JOIN tenants t ON t.tenant_id = u.tenant_id
           WHERE u.tenant_id = $1 AND u.id = $2 AND u.removed_at IS NULL"#,
        tenant,
        user.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(nobody)?;
    Ok(Account {
        name: row.name,
        email: row.email,
        zone: row.own_zone.as_deref().map(rows::zone),
        organizations_zone: rows::zone(&row.time_zone),
        has_password: row.has_password,
    })
}

/// Changes one's name and time zone (a name of the IANA database; none: the organization's). Neither authorizes anything, so
/// the epoch stays.
///
/// # Errors
/// `name`, `time_zone`.
pub async fn change(
    control: &Control,
    actor: &Actor,
    name: &str,
    time_zone: Option<&str>,
) -> Result<(), Error> {
    let user = actor.user_id().ok_or_else(nobody)?;
    let name = given::name("name", name, 120)?;
    let zone = match time_zone {
        None => None,
        Some(text) => Some(text.parse::<Zone>().map_err(|_| {
            Error::invalid("time_zone", "choose one of the time zones, such as `Europe/Berlin`")
        })?),
    };
    let mut tx = actor.write(control).await?;
    let was = users::one(&mut tx, user).await?.name;
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "UPDATE users SET name = $3, time_zone = $4 WHERE tenant_id = $1 AND id = $2",
        tenant,
        user.uuid(),
        name,
        zone.map(Zone::name),
    )
    .execute(tx.conn())
    .await?;
    tx.audit("user.change", "user", user, &name, json!({ "was": was, "time_zone": zone.map(Zone::name) }))
        .await?;
    tx.commit().await
}

/// Changes one's password. The old one is asked for, as often as at sign-in; all sessions end, and a mail tells of it. Returns
/// what the session begins with that goes on.
///
/// # Errors
/// `old_password`, `password`; `too_many` after too many wrong ones.
pub async fn set_password(
    control: &Control,
    actor: &Actor,
    old: &SecretString,
    new: &SecretString,
    from: Option<IpAddr>,
) -> Result<Stamp, Error> {
    let user = actor.user_id().ok_or_else(nobody)?;
    let (email, stored) = {
        let mut tx = actor.read(control).await?;
        stored(&mut tx, user).await?
    };
    let fits = sign_in::is_password(control, &email, old, stored, from).await?;
    if !fits {
        return Err(Error::invalid("old_password", "this is not your password"));
    }
    let hash = passwords::hash(control, Some(actor.tenant()), new).await?;
    let mut tx = actor.write(control).await?;
    let person = users::one(&mut tx, user).await?;
    users::replace_password(control, &mut tx, &person, &hash).await?;
    tx.audit("user.change_password", "user", user, &person.name, json!({})).await?;
    tx.commit().await?;
    Ok(Stamp::of(Some(&hash)))
}

async fn stored(tx: &mut TenantTx, user: model::UserId) -> Result<(String, Option<String>), Error> {
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        "SELECT email, password_hash FROM users WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL",
        tenant,
        user.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(nobody)?;
    Ok((row.email, row.password_hash))
}

fn nobody() -> Error {
    Error::not_found("account of yours")
}

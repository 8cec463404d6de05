//! A new password for somebody who has forgotten theirs: a link by mail, good for an hour and for one use.
//!
//! People sign in by address and password, and are asked for the organization afterwards: to them it is one password. So a
//! reset sets it for every active account of the address that signs in by password, in whichever organizations; each
//! account gets a hash of its own, an entry on its organization's record, and a mail. An account that has no
//! password (somebody invited who has not come yet) does not get one this way.
//!
//! What is answered does not tell whether an address is known: the same is done for all of them, and at an unknown one a
//! mail says so.

use std::net::IpAddr;

use chrono::{SubsecRound as _, TimeDelta};
use model::people::Standing;
use model::{TenantId, UserId};
use secrecy::SecretString;
use serde_json::json;

use crate::mail::{self, Letter, To};
use crate::sign_ups::email_hash;
use crate::throttle::{Limit, network};
use crate::vault::Stored;
use crate::{Actor, Control, Error, given, passwords, sign_in, token, tx, users};

/// How long the link in the mail is good.
const GOOD_FOR: TimeDelta = TimeDelta::hours(1);
/// Requests are counted for this long.
const WINDOW: TimeDelta = TimeDelta::hours(1);
/// For one mail address from anywhere: each is a mail to somebody who may not have asked.
const FOR_EMAIL: i32 = 5;
/// From one network address.
const FROM_ADDRESS: i32 = 60;

/// What a link leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// The address whose accounts get a new password.
    pub email: String,
    /// The organizations that they are in.
    pub organizations: Vec<String>,
}

/// An account that signs in by address and password.
struct Account {
    tenant: TenantId,
    tenant_name: String,
    user: UserId,
    user_name: String,
}

async fn accounts(control: &Control, email: &str) -> Result<Vec<Account>, Error> {
    let rows = sqlx::query!(
        r#"SELECT tenant AS "tenant!", tenant_name AS "tenant_name!", user_id AS "user_id!", user_name AS "user_name!"
           FROM sign_in_candidates($1)"#,
        email,
    )
    .fetch_all(control.pool())
    .await?;
    let account = |row: (uuid::Uuid, String, uuid::Uuid, String)| Account {
        tenant: row.0.into(),
        tenant_name: row.1,
        user: row.2.into(),
        user_name: row.3,
    };
    Ok(rows
        .into_iter()
        .map(|row| account((row.tenant, row.tenant_name, row.user_id, row.user_name)))
        .collect())
}

/// Sends a mail with a link to an address, or one that says that it has no account.
///
/// # Errors
/// `email` when it is no address; `too_many`; `no_mail` where the installation sends none.
pub async fn ask(control: &Control, email: &str, from: Option<IpAddr>) -> Result<(), Error> {
    if !control.sends_mail() {
        return Err(Error::refused(
            "no_mail",
            "this installation sends no mail: ask an administrator for a new password",
        ));
    }
    let email = given::email(email)?;
    if let Some(from) = from.map(network) {
        Limit::new(&["reset", "address", &from], FROM_ADDRESS, WINDOW).count(control).await??;
    }
    Limit::new(&["reset", "email", &email], FOR_EMAIL, WINDOW).count(control).await??;
    let ambient = control.ambient();
    let accounts = accounts(control, &email).await?;
    let (token, hash) = token::new(ambient);
    let email_hash = email_hash(&email);
    let sealed = control.vault().seal_stored(ambient, Stored::Reset(hash), email.as_bytes())?;
    let until = ambient.now().trunc_subsecs(6) + GOOD_FOR;
    let mut tx = tx::begun(control, "BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    // Also for an address without an account, so that it takes as long; nobody is told that token.
    sqlx::query!(
        "INSERT INTO resets (token_hash, email_hash, sealed, expires_at) VALUES ($1, $2, $3, $4)",
        hash.as_slice(),
        email_hash.as_slice(),
        sealed,
        until,
    )
    .execute(&mut *tx)
    .await?;
    let letter = match accounts.first() {
        None => Letter::ResetUnknown,
        Some(first) => Letter::ResetPassword {
            person: first.user_name.clone(),
            organizations: accounts.iter().map(|account| account.tenant_name.clone()).collect(),
            token,
            until,
        },
    };
    mail::post(control, &mut tx, To::address(email), letter).await?;
    tx.commit().await?;
    Ok(())
}

/// What a link leads to; none when it was used, is too old, or never was.
pub async fn look(control: &Control, token: &str) -> Result<Option<Asked>, Error> {
    let Some(email) = email_of(control, token::hash(token)).await? else { return Ok(None) };
    let accounts = accounts(control, &email).await?;
    let organizations: Vec<_> = accounts.into_iter().map(|account| account.tenant_name).collect();
    Ok(if organizations.is_empty() { None } else { Some(Asked { email, organizations }) })
}

async fn email_of(control: &Control, hash: [u8; 32]) -> Result<Option<String>, Error> {
    let now = control.ambient().now();
    let row = sqlx::query!(
        "SELECT sealed FROM resets WHERE token_hash = $1 AND expires_at > $2",
        hash.as_slice(),
        now
    )
    .fetch_optional(control.pool())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let email = control.vault().open_stored(Stored::Reset(hash), &row.sealed)?;
    String::from_utf8(email.to_vec()).map(Some).map_err(|error| Error::inconsistent("a reset", error))
}

/// Sets the password of every account of the address. The link is used up, and so are all others of that address; all
/// sessions of these accounts end. Returns the address.
///
/// # Errors
/// Not found when the link was used, is too old, or never was; `password` when it is too short or easy to guess.
pub async fn set(
    control: &Control,
    token: &str,
    password: &SecretString,
    from: Option<IpAddr>,
) -> Result<String, Error> {
    let hash = token::hash(token);
    let gone = || Error::not_found("password reset that waits");
    let email = email_of(control, hash).await?.ok_or_else(gone)?;
    let accounts = accounts(control, &email).await?;
    let mut known = vec![email.as_str()];
    for account in &accounts {
        known.extend([account.tenant_name.as_str(), &account.user_name]);
    }
    passwords::judge(password, &known)?;
    let mut hashed = Vec::with_capacity(accounts.len());
    for account in accounts {
        let hash = passwords::hash(control, Some(account.tenant), password).await?;
        hashed.push((account, hash));
    }
    let mut used_up = false;
    for (account, new) in hashed {
        let actor = Actor::user(account.tenant, account.user, &account.user_name, Vec::new());
        let mut tx = actor.write(control).await?;
        if !used_up {
            // With the first account, so that neither happens without the other. A transaction never spans tenants: if a
            // further one fails, the person asks for another link.
            use_up(&mut tx, hash, &email).await?;
            used_up = true;
        }
        let person = users::one(&mut tx, account.user).await?;
        // Unless they were suspended since the accounts were looked for.
        if person.standing == Standing::Active {
            users::replace_password(control, &mut tx, &person, &new).await?;
            let detail = json!({ "address": from });
            tx.audit("user.reset_password", "user", person.id, &person.name, detail).await?;
        }
        tx.commit().await?;
    }
    if !used_up {
        return Err(gone());
    }
    sign_in::forget_failures(control, &email, from).await?;
    Ok(email)
}

/// Takes the link away, and all others of the address.
async fn use_up(tx: &mut tx::TenantTx, hash: [u8; 32], email: &str) -> Result<(), Error> {
    let (now, email_hash) = (tx.now(), email_hash(email));
    // Two links of one address at the same time: the second waits here, and is used up by the first.
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('reset:' || encode($1, 'hex'), 0))",
        email_hash.as_slice()
    )
    .fetch_one(tx.conn())
    .await?;
    let used =
        sqlx::query!("DELETE FROM resets WHERE token_hash = $1 AND expires_at > $2", hash.as_slice(), now)
            .execute(tx.conn())
            .await?;
    if used.rows_affected() == 0 {
        return Err(Error::not_found("password reset that waits"));
    }
    sqlx::query!("DELETE FROM resets WHERE email_hash = $1", email_hash.as_slice())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Forgets resets whose links are too old.
pub async fn delete_expired(control: &Control) -> Result<(), Error> {
    let now = control.ambient().now();
    sqlx::query!("DELETE FROM resets WHERE expires_at <= $1", now).execute(control.pool()).await?;
    Ok(())
}

//! Invitations: somebody is told by mail that they may join, and joins by the link in it. What an invitation gives is what
//! whoever sent it may still give when it is accepted.

mod accepting;
mod lines;

use chrono::TimeDelta;
use model::people::Role;
use model::{InvitationId, Timestamp, UnitId, UserId};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::actor::Who;
use crate::authority::Deed;
use crate::mail::{self, Letter, To};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, rows, settings, units};

pub use accepting::{Standing, Welcome, accept, opened};
pub use lines::{LineError, MOST};

/// How long a link is good.
pub const LASTS: TimeDelta = TimeDelta::days(7);
/// Rows on one page of the list.
pub const PAGE: u32 = 50;

/// What came of inviting a list of addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Invited {
    /// All were sent, to these addresses.
    Sent(Vec<String>),
    /// None was sent: these lines have to be put right first.
    Wrong(Vec<LineError>),
}

/// An invitation that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvitationLine {
    /// Its id.
    pub id: InvitationId,
    /// To whom it was sent.
    pub email: String,
    /// Into which unit.
    pub unit: (UnitId, String),
    /// As what.
    pub role: Role,
    /// Who sent it, by id where it is a person.
    pub invited_by: (Option<UserId>, String),
    /// When it was sent last.
    pub sent_at: Timestamp,
    /// Until when its link is good.
    pub expires_at: Timestamp,
}

/// Invites everybody on a pasted list, one address on each line, into a unit and with a role in the whole organization. All
/// or none.
///
/// # Errors
/// `emails` when the list is empty or too long; `no_mail` where the installation sends none.
pub async fn invite(
    control: &Control,
    actor: &Actor,
    list: &str,
    unit: UnitId,
    role: Role,
) -> Result<Invited, Error> {
    let mut tx = actor.write(control).await?;
    authorized(&tx, role)?;
    able(control)?;
    let unit = units::one(&mut tx, unit).await?;
    let emails = match lines::read(list)? {
        Ok(emails) => emails,
        Err(wrong) => return Ok(Invited::Wrong(wrong)),
    };
    let wrong = lines::known(&mut tx, &emails).await?;
    if !wrong.is_empty() {
        return Ok(Invited::Wrong(wrong));
    }
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let addresses: Vec<String> = emails.into_iter().map(|(_, email)| email).collect();
    // What has run out makes room.
    sqlx::query!(
        "UPDATE invitations SET withdrawn_at = $3
         WHERE tenant_id = $1 AND email = ANY ($2) AND accepted_at IS NULL AND withdrawn_at IS NULL AND expires_at <= $3",
        tenant,
        &addresses,
        now,
    )
    .execute(tx.conn())
    .await?;
    for email in &addresses {
        let id: InvitationId = tx.id();
        let token = token(control);
        let (by, by_name) = (actor.user_id().map(|user| user.uuid()), actor.name().to_owned());
        sqlx::query!(
            "INSERT INTO invitations (tenant_id, id, email, unit_id, role, token_hash, invited_by, invited_by_name,
                                      created_at, sent_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)",
            tenant,
            id.uuid(),
            email,
            unit.id.uuid(),
            role.word(),
            hashed(&token),
            by,
            by_name,
            now,
            now + LASTS,
        )
        .execute(tx.conn())
        .await
        .map_err(|error| {
            Error::taken(error, "invitations_open", "invited_already", || {
                format!("somebody has just invited {email}: look at the list")
            })
        })?;
        post(control, &mut tx, email, &unit.name, role, token).await?;
        let detail = json!({ "unit": unit.name, "role": role });
        tx.audit("invitation.send", "invitation", id, email, detail).await?;
    }
    tx.commit().await?;
    Ok(Invited::Sent(addresses))
}

/// Invitations that were neither accepted nor withdrawn, newest first, one page (from 0); and how many there are.
pub async fn list(control: &Control, actor: &Actor, page: u32) -> Result<(Vec<InvitationLine>, u64), Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ChangePeople, "list of invitations")?;
    let tenant = tx.tenant_uuid();
    let found = sqlx::query!(
        r#"SELECT i.id, i.email, i.role, i.invited_by, i.invited_by_name, i.sent_at, i.expires_at, n.id AS unit_id,
                  n.name AS unit_name, count(*) OVER () AS "total!"
           FROM invitations i JOIN units n ON n.tenant_id = i.tenant_id AND n.id = i.unit_id
           WHERE i.tenant_id = $1 AND i.accepted_at IS NULL AND i.withdrawn_at IS NULL
           ORDER BY i.sent_at DESC, i.id DESC LIMIT $2 OFFSET $3"#,
        tenant,
        i64::from(PAGE),
        i64::from(page) * i64::from(PAGE),
    )
    .fetch_all(tx.conn())
    .await?;
    let total = found.first().map_or(0, |row| row.total.unsigned_abs());
    let rows = found
        .into_iter()
        .map(|row| {
            Ok(InvitationLine {
                id: row.id.into(),
                email: row.email,
                unit: (row.unit_id.into(), row.unit_name),
                role: rows::word("invitation", &row.role)?,
                invited_by: (row.invited_by.map(Into::into), row.invited_by_name),
                sent_at: row.sent_at,
                expires_at: row.expires_at,
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok((rows, total))
}

/// How many wait.
pub async fn waiting(control: &Control, actor: &Actor) -> Result<u64, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ChangePeople, "list of invitations")?;
    let tenant = tx.tenant_uuid();
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM invitations
           WHERE tenant_id = $1 AND accepted_at IS NULL AND withdrawn_at IS NULL"#,
        tenant,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count.unsigned_abs())
}

/// Sends an invitation again, with a new link that is good from now on; the old one is worth nothing. Returns the address.
pub async fn resend(control: &Control, actor: &Actor, invitation: InvitationId) -> Result<String, Error> {
    let mut tx = actor.write(control).await?;
    tx.authorize(Deed::ChangePeople, "such invitation")?;
    able(control)?;
    let open = open(&mut tx, invitation).await?;
    authorized(&tx, open.role)?;
    let (tenant, now, token) = (tx.tenant_uuid(), tx.now(), token(control));
    // Who sends it answers for it.
    let (by, by_name) = (actor.user_id().map(|user| user.uuid()), actor.name().to_owned());
    sqlx::query!(
        "UPDATE invitations SET token_hash = $3, sent_at = $4, expires_at = $5, invited_by = $6, invited_by_name = $7
         WHERE tenant_id = $1 AND id = $2",
        tenant,
        invitation.uuid(),
        hashed(&token),
        now,
        now + LASTS,
        by,
        by_name,
    )
    .execute(tx.conn())
    .await?;
    post(control, &mut tx, &open.email, &open.unit_name, open.role, token).await?;
    tx.audit("invitation.resend", "invitation", invitation, &open.email, json!({})).await?;
    tx.commit().await?;
    Ok(open.email)
}

/// Takes an invitation back: its link is worth nothing. Returns the address.
pub async fn withdraw(control: &Control, actor: &Actor, invitation: InvitationId) -> Result<String, Error> {
    let mut tx = actor.write(control).await?;
    tx.authorize(Deed::ChangePeople, "such invitation")?;
    let open = open(&mut tx, invitation).await?;
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "UPDATE invitations SET withdrawn_at = $3 WHERE tenant_id = $1 AND id = $2",
        tenant,
        invitation.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    tx.audit("invitation.withdraw", "invitation", invitation, &open.email, json!({})).await?;
    tx.commit().await?;
    Ok(open.email)
}

struct Open {
    email: String,
    unit_name: String,
    role: Role,
}

/// One that nobody has accepted or withdrawn, held until the transaction ends.
async fn open(tx: &mut TenantTx, invitation: InvitationId) -> Result<Open, Error> {
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        "SELECT i.email, i.role, n.name AS unit_name
         FROM invitations i JOIN units n ON n.tenant_id = i.tenant_id AND n.id = i.unit_id
         WHERE i.tenant_id = $1 AND i.id = $2 AND i.accepted_at IS NULL AND i.withdrawn_at IS NULL
         FOR UPDATE OF i",
        tenant,
        invitation.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::not_found("such invitation"))?;
    Ok(Open { email: row.email, unit_name: row.unit_name, role: rows::word("invitation", &row.role)? })
}

fn authorized(tx: &TenantTx, role: Role) -> Result<(), Error> {
    tx.authorize(Deed::ChangePeople, "invitation that you may send")?;
    if role == Role::Owner {
        tx.authorize(Deed::ChangeOwners, "role of owner that you may give")?;
    }
    Ok(())
}

/// An invitation that nobody gets is none.
fn able(control: &Control) -> Result<(), Error> {
    if control.sends_mail() {
        Ok(())
    } else {
        Err(Error::refused(
            "no_mail",
            "this installation sends no mail, so nobody can be invited: whoever runs it has to set up a mail server",
        ))
    }
}

async fn post(
    control: &Control,
    tx: &mut TenantTx,
    email: &str,
    unit: &str,
    role: Role,
    token: String,
) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    let organization = sqlx::query_scalar!("SELECT name FROM tenants WHERE tenant_id = $1", tenant)
        .fetch_one(tx.conn())
        .await?;
    // Whoever runs the installation is nobody that the invited person knows.
    let invited_by = matches!(tx.actor().who(), Who::User { .. }).then(|| tx.actor().name().to_owned());
    let letter = Letter::Invitation {
        organization,
        invited_by,
        unit: unit.to_owned(),
        role,
        token,
        until: tx.now() + LASTS,
    };
    let sender = settings::mail_sender(tx).await?;
    let to = To::address(email).on_behalf_of(sender.name, sender.reply_to);
    mail::post(control, tx.conn(), to, letter).await?;
    Ok(())
}

/// 256 random bits, as they stand in a link.
fn token(control: &Control) -> String {
    hex::encode(control.ambient().bytes::<32>())
}

fn hashed(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

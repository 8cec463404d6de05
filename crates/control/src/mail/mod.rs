//! The outbox. A mail is posted inside the transaction that causes it, so that it is sent if and only if that committed;
//! the worker leases what is due, sends it, and empties the row.
//!
//! At least once: a worker that dies after the mail server took a mail and before that was written down leaves it to be
//! sent again when its lease is over. Both have one `Message-ID`, by which mail programs show them as one.

mod letter;

use std::time::Duration;

use chrono::TimeDelta;
use model::{MailId, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::postgres::PgListener;

use crate::vault::Stored;
use crate::{Control, Error, given};

pub use letter::Letter;

/// How long an attempt to send may take, and a little more. Only after that somebody else tries.
const LEASE: TimeDelta = TimeDelta::minutes(5);
/// The pause after a first failure. Each further one is four times as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(15);
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(2);
/// For how long it is remembered that there was a mail.
const REMEMBERED: TimeDelta = TimeDelta::days(30);
/// The channel on which workers hear of new mails.
const CHANNEL: &str = "mails";

/// To whom a mail goes, and on whose behalf.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct To {
    /// Their address.
    pub email: String,
    /// Their name, if we know it well enough to put it beside the address.
    #[serde(default)]
    pub name: Option<String>,
    /// The name that is shown as the sender's, beside the installation's own address: an organization's.
    #[serde(default)]
    pub sender_name: Option<String>,
    /// Where answers go, instead of to the installation's own address.
    #[serde(default)]
    pub reply_to: Option<String>,
}

impl To {
    /// To an address, in the installation's own name.
    pub fn address(email: impl Into<String>) -> Self {
        Self { email: email.into(), name: None, sender_name: None, reply_to: None }
    }

    /// To somebody whose name we know.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// In the name of an organization: what stands as the sender's name, and where answers go.
    #[must_use]
    pub fn on_behalf_of(self, sender_name: Option<String>, reply_to: Option<String>) -> Self {
        Self { sender_name, reply_to, ..self }
    }
}

/// What is sealed in a row.
#[derive(Serialize, Deserialize)]
struct Inside {
    to: To,
    letter: Letter,
}

/// A mail that this worker alone has to send now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leased {
    /// Its id, for the `Message-ID`.
    pub id: MailId,
    /// To whom.
    pub to: To,
    /// What.
    pub letter: Letter,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// When it was posted.
    pub created_at: Timestamp,
    /// After this it is of no use.
    pub useful_until: Timestamp,
}

/// Why a mail was not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Undelivered {
    /// Whether trying again can help.
    pub again: bool,
    /// In a few words that name nobody: `refused: 550`.
    pub problem: String,
}

/// Puts a mail into the outbox, inside the transaction that causes it: `tx.conn()` of a tenant's, or one without a tenant.
/// Where the installation sends no mail ([`Control::sends_mail`]), it waits for a day, in case it is set up by then; pages
/// whose purpose is the mail ask first.
///
/// # Errors
/// `email` when the address is none.
pub(crate) async fn post(
    control: &Control,
    conn: &mut PgConnection,
    to: To,
    letter: Letter,
) -> Result<MailId, Error> {
    let to = To { email: given::email(&to.email)?, ..to };
    let (ambient, kind) = (control.ambient(), letter.kind());
    let now = ambient.now();
    let useful_until = letter.useful_until(now);
    let id: MailId = ambient.id();
    let inside =
        serde_json::to_vec(&Inside { to, letter }).map_err(|error| Error::inconsistent("a letter", error))?;
    let sealed = control.vault().seal_stored(ambient, Stored::Mail(id.uuid()), &inside)?;
    sqlx::query!(
        "INSERT INTO mails (id, kind, sealed, created_at, due_at, useful_until) VALUES ($1, $2, $3, $4, $4, $5)",
        id.uuid(),
        kind,
        sealed,
        now,
        useful_until,
    )
    .execute(&mut *conn)
    .await?;
    // Told at commit. A worker that did not hear it finds the mail by asking.
    sqlx::query!("SELECT pg_notify($1, '')", CHANNEL).execute(&mut *conn).await?;
    Ok(id)
}

/// Takes up to `most` mails that are due, so that nobody else sends them for the next five minutes.
pub async fn lease(control: &Control, most: i64) -> Result<Vec<Leased>, Error> {
    let now = control.ambient().now();
    give_up_old(control, now).await?;
    let rows = sqlx::query!(
        r#"UPDATE mails SET attempts = attempts + 1, due_at = $2
           WHERE id IN (SELECT id FROM mails WHERE sealed IS NOT NULL AND due_at <= $1
                        ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
           RETURNING id, sealed AS "sealed!", created_at, useful_until, attempts"#,
        now,
        now + LEASE,
        most,
    )
    .fetch_all(control.pool())
    .await?;
    let mut leased = Vec::with_capacity(rows.len());
    for row in rows {
        let id = MailId::from(row.id);
        let opened = control.vault().open_stored(Stored::Mail(row.id), &row.sealed).ok();
        let inside = opened.and_then(|plain| serde_json::from_slice::<Inside>(&plain).ok());
        let Some(Inside { to, letter }) = inside else {
            tracing::error!(mail = %id, "a mail in the outbox cannot be opened; is the master key the one it was sealed with?");
            let undelivered = Undelivered { again: true, problem: "cannot be opened".to_owned() };
            put_off(control, id, row.attempts, now, &undelivered).await?;
            continue;
        };
        leased.push(Leased {
            id,
            to,
            letter,
            attempt: row.attempts,
            created_at: row.created_at,
            useful_until: row.useful_until,
        });
    }
    Ok(leased)
}

/// The mail server took it: what it said goes.
pub async fn sent(control: &Control, mail: &Leased) -> Result<(), Error> {
    let now = control.ambient().now();
    sqlx::query!(
        "UPDATE mails SET sent_at = $2, sealed = NULL, problem = NULL WHERE id = $1 AND sealed IS NOT NULL",
        mail.id.uuid(),
        now
    )
    .execute(control.pool())
    .await?;
    Ok(())
}

/// The mail server did not take it: it is tried again after a pause that grows, or given up.
pub async fn failed(control: &Control, mail: &Leased, why: &Undelivered) -> Result<(), Error> {
    put_off(control, mail.id, mail.attempt, control.ambient().now(), why).await
}

async fn put_off(
    control: &Control,
    mail: MailId,
    attempt: i32,
    now: Timestamp,
    why: &Undelivered,
) -> Result<(), Error> {
    let problem: String = why.problem.chars().take(200).collect();
    // Somebody who leased it later decides instead.
    sqlx::query!(
        "UPDATE mails SET problem = $3, due_at = $4,
                sealed = CASE WHEN $5 THEN sealed END, given_up_at = CASE WHEN $5 THEN NULL ELSE $6::timestamptz END
         WHERE id = $1 AND attempts = $2 AND sealed IS NOT NULL",
        mail.uuid(),
        attempt,
        problem,
        now + pause(attempt),
        why.again,
        now,
    )
    .execute(control.pool())
    .await?;
    Ok(())
}

/// After which time it is tried again.
fn pause(attempt: i32) -> TimeDelta {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(10) * 2;
    (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE)
}

/// Gives up what nobody needs any more, whether or not this installation sends mail.
async fn give_up_old(control: &Control, now: Timestamp) -> Result<(), Error> {
    let given_up = sqlx::query!(
        "UPDATE mails SET given_up_at = $1, sealed = NULL, problem = coalesce(problem, 'not sent in time')
         WHERE sealed IS NOT NULL AND useful_until <= $1 AND due_at <= $1",
        now,
    )
    .execute(control.pool())
    .await?
    .rows_affected();
    if given_up > 0 {
        tracing::warn!(given_up, "mails were given up: they could not be sent while they were of use");
    }
    Ok(())
}

/// Gives up old mails and forgets those of long ago. For the worker, from time to time.
pub async fn clear(control: &Control) -> Result<(), Error> {
    let now = control.ambient().now();
    give_up_old(control, now).await?;
    sqlx::query!("DELETE FROM mails WHERE sealed IS NULL AND created_at <= $1", now - REMEMBERED)
        .execute(control.pool())
        .await?;
    Ok(())
}

/// How the outbox is, for whoever looks after the installation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outbox {
    /// Mails that wait to be sent.
    pub waiting: i64,
    /// Since when the oldest of them has waited.
    pub oldest: Option<Timestamp>,
    /// Why the last of them failed, if one has.
    pub problem: Option<String>,
    /// Mails of the last seven days that were given up.
    pub given_up: i64,
}

/// Looks at the outbox.
pub async fn outbox(control: &Control) -> Result<Outbox, Error> {
    let since = control.ambient().now() - TimeDelta::days(7);
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE sealed IS NOT NULL) AS "waiting!",
                  min(created_at) FILTER (WHERE sealed IS NOT NULL) AS oldest,
                  count(*) FILTER (WHERE given_up_at > $1) AS "given_up!",
                  (SELECT m.problem FROM mails m WHERE m.problem IS NOT NULL AND m.sent_at IS NULL
                   ORDER BY m.due_at DESC LIMIT 1) AS problem
           FROM mails"#,
        since
    )
    .fetch_one(control.pool())
    .await?;
    Ok(Outbox { waiting: row.waiting, oldest: row.oldest, problem: row.problem, given_up: row.given_up })
}

/// Calls `heard` whenever somebody has posted a mail. Runs until dropped; needs a direct connection to the database.
pub async fn listen(url: secrecy::SecretString, heard: impl Fn() + Send) {
    use secrecy::ExposeSecret as _;
    loop {
        let listening = async {
            let mut listener = PgListener::connect(url.expose_secret()).await?;
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            // What was said before we listened was not heard.
            heard();
            while listener.try_recv().await?.is_some() {
                heard();
            }
            Ok::<_, sqlx::Error>(())
        };
        if let Err(error) = listening.await {
            tracing::debug!(%error, "new mails are not heard of; asking instead");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let seconds: Vec<_> = (0..8).map(|attempt| pause(attempt).num_seconds()).collect();
        assert_eq!(seconds, [15, 15, 60, 240, 960, 3840, 7200, 7200]);
        assert_eq!(pause(i32::MAX), LONGEST_PAUSE);
    }
}

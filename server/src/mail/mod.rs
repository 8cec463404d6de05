//! Sending mails: the outbox is emptied by whoever carries mails, a mail server or, in `dev`, a mailbox in this process.

mod smtp;

use std::sync::Arc;
use std::time::Duration;

use app::mails::{self, Mail};
use async_trait::async_trait;
use control::Control;
use control::mail::{self, Leased, To, Undelivered};
use futures::StreamExt as _;
use model::{MailId, Timestamp};
use secrecy::SecretString;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::Failure;
use crate::say::one_line;
pub(crate) use smtp::Smtp;

/// How many mails one worker sends at a time.
const AT_ONCE: usize = 4;
/// How often the outbox is looked at when nothing is heard of it.
const POLL: Duration = Duration::from_secs(10);

/// A mail, ready to go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ready {
    /// The same for each attempt.
    pub(crate) id: MailId,
    pub(crate) to: To,
    pub(crate) mail: Mail,
    /// When it was posted.
    pub(crate) at: Timestamp,
}

/// Whatever takes mails.
#[async_trait]
pub(crate) trait Carrier: Send + Sync {
    /// Takes one, or says why not. May be asked twice for the same mail.
    async fn carry(&self, mail: &Ready) -> Result<(), Undelivered>;
}

/// What sending needs.
#[derive(Clone)]
pub(crate) struct Sending {
    pub(crate) carrier: Arc<dyn Carrier>,
    /// Where the dashboard is, for links.
    pub(crate) origin: String,
    /// The database, to hear of new mails.
    pub(crate) database: SecretString,
}

impl std::fmt::Debug for Sending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sending").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Sends what is posted until `stop`; what is being sent then is sent to its end.
pub(crate) async fn send(control: Control, sending: Sending, stop: CancellationToken) {
    let woken = Arc::new(Notify::new());
    let heard = woken.clone();
    let listening = tokio::spawn(mail::listen(sending.database.clone(), move || heard.notify_one()));
    while !stop.is_cancelled() {
        match empty(&control, &sending).await {
            Ok(0) => {}
            // There may be more.
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(
                    error = one_line(error.as_ref()),
                    "the outbox could not be looked at; trying again"
                );
            }
        }
        tokio::select! {
            () = woken.notified() => {}
            () = tokio::time::sleep(POLL) => {}
            () = stop.cancelled() => {}
        }
    }
    listening.abort();
}

/// Sends some of what is due. Returns how many that were.
async fn empty(control: &Control, sending: &Sending) -> Result<usize, Failure> {
    let leased = mail::lease(control, i64::try_from(AT_ONCE)?).await?;
    let count = leased.len();
    let mut outcomes =
        futures::stream::iter(leased).map(|leased| one(control, sending, leased)).buffer_unordered(AT_ONCE);
    while let Some(outcome) = outcomes.next().await {
        outcome?;
    }
    Ok(count)
}

async fn one(control: &Control, sending: &Sending, leased: Leased) -> Result<(), Failure> {
    let (kind, attempt) = (leased.letter.kind(), leased.attempt);
    let ready = Ready {
        id: leased.id,
        to: leased.to.clone(),
        mail: mails::write(&leased.letter, &sending.origin),
        at: leased.created_at,
    };
    match sending.carrier.carry(&ready).await {
        Ok(()) => {
            mail::sent(control, &leased).await?;
            tracing::info!(mail = %leased.id, kind, attempt, "a mail was sent");
        }
        Err(why) => {
            mail::failed(control, &leased, &why).await?;
            let Undelivered { again, problem } = why;
            tracing::warn!(mail = %leased.id, kind, attempt, again, problem, "a mail could not be sent");
        }
    }
    Ok(())
}

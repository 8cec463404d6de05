//! What is done in the background: settling what dead nodes left, summing up what calls cost, making partitions, sending
//! mails, clearing away old sessions, failed sign-ins, links and mails.
//! Harmless when several processes do it at once.

use std::sync::Arc;
use std::time::Duration;

use control::Control;
use control::ledger::{partitions, reconcile};
use control::money::rollup;
use control::sessions::Store;
use futures::future::BoxFuture;
use model::NodeId;
use tokio_util::sync::CancellationToken;
use tower_sessions::ExpiredDeletion as _;

use crate::Failure;
use crate::mail::{self, Sending};
use crate::say::one_line;

const SETTLE: Duration = Duration::from_secs(5);
/// What is not summed up yet is read call by call, so this only bounds how much that is.
const SUM: Duration = Duration::from_secs(20);
const PARTITIONS: Duration = Duration::from_secs(24 * 3600);
const SESSIONS: Duration = Duration::from_secs(3600);
/// After a failure, whatever was to be done is tried again this soon.
const AGAIN: Duration = Duration::from_secs(30);

/// Works until `stop`. `node` tells under which lease settlements are written. Without `sending`, mails stay in the outbox.
pub(crate) async fn run(
    control: Control,
    node: impl Fn() -> NodeId + Send + Sync + 'static,
    sending: Option<Sending>,
    stop: CancellationToken,
) {
    let (settling, summing, parting, clearing) =
        (control.clone(), control.clone(), control.clone(), control.clone());
    let node = Arc::new(node);
    tokio::join!(
        async {
            if let Some(sending) = sending {
                mail::send(control, sending, stop.clone()).await;
            }
        },
        every("settling calls of nodes that are gone", SETTLE, &stop, move || {
            let (control, node) = (settling.clone(), node.clone());
            Box::pin(async move {
                reconcile::interrupt_orphans(&control, node()).await?;
                Ok(())
            })
        }),
        every("summing up what calls cost", SUM, &stop, move || {
            let control = summing.clone();
            Box::pin(async move {
                rollup::advance(&control).await?;
                Ok(())
            })
        }),
        every("making partitions", PARTITIONS, &stop, move || {
            let control = parting.clone();
            Box::pin(async move {
                let made = partitions::make(&control).await?;
                if made > 0 {
                    tracing::info!(made, "made ledger partitions for the months to come");
                }
                Ok(())
            })
        }),
        every("clearing away what is over", SESSIONS, &stop, move || {
            let control = clearing.clone();
            Box::pin(async move {
                Store::new(control.clone()).delete_expired().await?;
                control::throttle::delete_expired(&control).await?;
                control::sign_ups::delete_expired(&control).await?;
                control::resets::delete_expired(&control).await?;
                control::mail::clear(&control).await?;
                Ok(())
            })
        }),
    );
}

/// Does it at once and then again and again.
async fn every(
    what: &str,
    pause: Duration,
    stop: &CancellationToken,
    work: impl Fn() -> BoxFuture<'static, Result<(), Failure>>,
) {
    loop {
        let next = tokio::select! {
            done = work() => match done {
                Ok(()) => pause,
                Err(error) => {
                    tracing::warn!(error = one_line(error.as_ref()), "{what} failed; trying again");
                    AGAIN.min(pause)
                }
            },
            () = stop.cancelled() => return,
        };
        tokio::select! {
            () = tokio::time::sleep(next) => {}
            () = stop.cancelled() => return,
        }
    }
}

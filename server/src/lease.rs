//! This process's lease: taken at the start, renewed every third of its time, taken anew when it ran out.

use std::time::Duration;

use control::ledger::Ledger;
use control::nodes::{self, LEASE};
use control::{Control, Error};
use model::NodeId;
use tokio_util::sync::CancellationToken;

use crate::health::Health;

/// What this process tells about itself.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// This machine's name, for the list of nodes.
pub(crate) fn host() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

/// Takes a first lease.
pub(crate) async fn take(control: &Control, health: &Health) -> Result<NodeId, Error> {
    let begun = control.ambient().since_boot();
    let node = nodes::join(control, &host(), VERSION).await?;
    health.leased(begun, LEASE);
    Ok(node)
}

/// Keeps the lease until `stop`.
pub(crate) async fn keep(control: Control, ledger: Ledger, health: Health, stop: CancellationToken) {
    let mut pause = LEASE / 3;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        let begun = control.ambient().since_boot();
        pause = match nodes::renew(&control, ledger.node()).await {
            Ok(true) => {
                health.leased(begun, LEASE);
                LEASE / 3
            }
            Ok(false) => {
                health.lost();
                match take(&control, &health).await {
                    Ok(node) => {
                        tracing::warn!(former = %ledger.node(), %node, "the lease had run out; going on under a new one");
                        ledger.rejoin(node);
                        LEASE / 3
                    }
                    Err(error) => failed(&error),
                }
            }
            Err(error) => failed(&error),
        };
    }
}

/// The lease may still run; asked again soon.
fn failed(error: &Error) -> Duration {
    tracing::warn!(error = error as &dyn std::error::Error, "the lease could not be renewed; trying again");
    Duration::from_secs(1)
}

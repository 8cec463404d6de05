//! Waiting for what may never come.

use tokio::time::{Instant, sleep_until};

/// Comes at an instant, or never.
pub(crate) async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

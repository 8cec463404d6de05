//! Whether this process is alive and whether it should be sent requests, for each listener.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;
use model::Ambient;

/// What readiness depends on. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    ambient: Ambient,
    /// Until when the lease is known to run, in milliseconds since boot.
    leased_until: AtomicU64,
    stopping: AtomicBool,
}

impl Health {
    /// Not ready: no lease is held yet.
    pub(crate) fn new(ambient: Ambient) -> Self {
        let inner = Inner { ambient, leased_until: AtomicU64::new(0), stopping: AtomicBool::new(false) };
        Self { inner: Arc::new(inner) }
    }

    /// A lease was taken or extended by a request that was begun at `begun`, time since boot.
    pub(crate) fn leased(&self, begun: Duration, lease: Duration) {
        let until = u64::try_from((begun + lease).as_millis()).unwrap_or(u64::MAX);
        self.inner.leased_until.store(until, Ordering::Relaxed);
    }

    /// No lease is held.
    pub(crate) fn lost(&self) {
        self.inner.leased_until.store(0, Ordering::Relaxed);
    }

    /// We were told to stop.
    pub(crate) fn stopping(&self) {
        self.inner.stopping.store(true, Ordering::Relaxed);
    }

    /// Why we should be sent nothing, if so.
    fn unready(&self) -> Option<&'static str> {
        let now = self.inner.ambient.since_boot().as_millis();
        if self.inner.stopping.load(Ordering::Relaxed) {
            Some("stopping\n")
        } else if u128::from(self.inner.leased_until.load(Ordering::Relaxed)) <= now {
            Some("no lease is held: the database cannot be reached, so no call could be recorded\n")
        } else {
            None
        }
    }

    /// `/healthz`: the process answers. `/readyz`: it can serve; 503 and the reason if not.
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route(
                "/readyz",
                get(async |State(health): State<Self>| match health.unready() {
                    None => (StatusCode::OK, "ready\n"),
                    Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
                }),
            )
            .with_state(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_while_a_lease_runs_and_nobody_told_us_to_stop() {
        let health = Health::new(crate::ambient::ambient());
        assert!(health.unready().is_some());
        let now = health.inner.ambient.since_boot();
        health.leased(now, Duration::from_secs(60));
        assert_eq!(health.unready(), None);
        health.leased(now.saturating_sub(Duration::from_secs(61)), Duration::from_secs(60));
        assert!(health.unready().is_some(), "a lease whose time is over by our own clock");
        health.leased(now, Duration::from_secs(60));
        health.stopping();
        assert_eq!(health.unready(), Some("stopping\n"));
    }
}

//! The gateway as the server builds it: what is plugged in, and the routes it serves.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use model::{Ambient, TenantId};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::correspondence::Correspondence;
use crate::edge;
use crate::limits::{Floods, Limiter};
use crate::listening::Places;
use crate::schemas::Schemas;
use crate::seams::{BootClock, Connections, Directories, Ledger, Limits, NativeModules, StateKey};
use crate::settings::Settings;
use crate::upstream::{Discovered, DiscoveryError, Progress, Upstreams};
use crate::volumes::Volumes;

/// What the gateway needs from the rest of the house.
#[derive(Clone)]
pub struct Plugs {
    /// Snapshots of tenants.
    pub directories: Arc<dyn Directories>,
    /// Where calls are admitted and settled.
    pub ledger: Arc<dyn Ledger>,
    /// What limits leave.
    pub limits: Arc<dyn Limits>,
    /// What we present upstream.
    pub connections: Arc<dyn Connections>,
    /// Modules that are built in.
    pub native: Arc<dyn NativeModules>,
    /// Time since boot.
    pub boot: Arc<dyn BootClock>,
    /// Seals what clients carry between the rounds of a call.
    pub state_key: StateKey,
}

/// Why the gateway cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum NotBuilt {
    /// A setting that can hold nothing.
    #[error("gateway.{setting} must be greater than 0")]
    Zero {
        /// Its name.
        setting: &'static str,
    },
    /// An origin that no browser would send.
    #[error(
        "gateway.allowed_origins: `{origin}` is no origin; write a scheme and a host such as https://example.com, \
         without a path"
    )]
    BadOrigin {
        /// As it was set.
        origin: String,
    },
    /// TLS cannot be set up.
    #[error("TLS for upstream servers cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// The MCP data plane. Cheap to clone; clones share sessions and connections.
#[derive(Clone)]
pub struct Gateway {
    house: Arc<House>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("settings", &self.house.settings).finish_non_exhaustive()
    }
}

/// What every request has at hand.
pub(crate) struct House {
    pub(crate) plugs: Plugs,
    pub(crate) settings: Settings,
    pub(crate) ambient: Ambient,
    pub(crate) schemas: Schemas,
    pub(crate) limiter: Limiter,
    pub(crate) floods: Floods,
    pub(crate) upstreams: Upstreams,
    pub(crate) correspondence: Arc<Correspondence>,
    pub(crate) volumes: Volumes,
    pub(crate) places: Arc<Places>,
}

impl Gateway {
    /// Builds it. Starts nothing: what runs, runs for a request.
    pub fn new(plugs: Plugs, mut settings: Settings, ambient: Ambient) -> Result<Self, NotBuilt> {
        for (setting, value) in [
            ("max_body_bytes", settings.max_body_bytes),
            ("max_depth", settings.max_depth),
            ("list_page", settings.list_page),
            ("max_upstream_bytes", settings.max_upstream_bytes),
            ("upstream_concurrency", settings.upstream_concurrency),
        ] {
            if value == 0 {
                return Err(NotBuilt::Zero { setting });
            }
        }
        for origin in &mut settings.allowed_origins {
            let is_origin = url::Url::parse(origin).is_ok_and(|url| {
                url.origin().ascii_serialization() == origin.trim_end_matches('/').to_lowercase()
            });
            if !is_origin {
                return Err(NotBuilt::BadOrigin { origin: std::mem::take(origin) });
            }
            *origin = origin.trim_end_matches('/').to_lowercase();
        }
        let upstreams = Upstreams::new(&settings)?;
        let limiter = Limiter::new(plugs.limits.clone());
        Ok(Self {
            house: Arc::new(House {
                plugs,
                settings,
                ambient,
                schemas: Schemas::default(),
                limiter,
                floods: Floods::default(),
                upstreams,
                correspondence: Arc::default(),
                volumes: Volumes::default(),
                places: Arc::default(),
            }),
        })
    }

    /// The routes of the machines' origin: `/{mcp_id}/mcp`. Cookies are ignored. The caller's address is taken from
    /// `axum::extract::ConnectInfo<SocketAddr>` where the server provides it.
    pub fn router(&self) -> Router {
        edge::router(self.house.clone())
    }

    /// Ends the streams on which clients listen for changes, which would go on for long otherwise, and begins no others.
    /// Everything else is served as before.
    pub fn stop_listening(&self) {
        self.house.places.close();
    }

    /// Draws ahead from limits for the calls that will come, and brings back what is not needed, until `stop`. Without it limits
    /// hold as well, and each call that one counts waits until it is drawn.
    pub async fn keep_limits(&self, stop: CancellationToken) {
        self.house.limiter.keep(&stop).await;
    }

    /// Asks the MCP server at `url` who it is and which tools it offers, presenting `authorization` (the value of
    /// the `Authorization` header) if any. Nothing is kept; the errors are sentences for the person who set the URL.
    pub async fn discover(
        &self,
        tenant: TenantId,
        url: &str,
        authorization: Option<SecretString>,
    ) -> Result<Discovered, DiscoveryError> {
        self.discover_telling(tenant, url, authorization, &mut |_| ()).await
    }

    /// The same, telling how far it has come while it goes on.
    pub async fn discover_telling(
        &self,
        tenant: TenantId,
        url: &str,
        authorization: Option<SecretString>,
        tell: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Discovered, DiscoveryError> {
        Box::pin(self.house.upstreams.discover(tenant, url, authorization, tell)).await
    }

    pub(crate) fn house(&self) -> &Arc<House> {
        &self.house
    }
}

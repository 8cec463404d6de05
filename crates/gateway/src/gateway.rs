//! The gateway as the server builds it: what is plugged in, and the routes it serves.

use std::fmt;
use std::sync::{Arc, Weak};

use axum::Router;
use model::{Ambient, ConnectionId, TenantId};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::correspondence::Correspondence;
use crate::edge;
use crate::life::Parking;
use crate::limits::{Floods, Limiter};
use crate::listening::{Places, Subscriptions};
use crate::rechecks::{self, Rechecks};
use crate::schemas::Schemas;
use crate::seams::{
    BootClock, Catalog, Connections, Directories, Ledger, Limits, NativeModules, StateKey, Traces,
};
use crate::settings::Settings;
use crate::upstream::{Discovered, DiscoveryError, Key, Progress, Upstreams};
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
    /// Where what servers offer is compared with what was approved.
    pub catalog: Arc<dyn Catalog>,
    /// Modules that are built in.
    pub native: Arc<dyn NativeModules>,
    /// Time since boot.
    pub boot: Arc<dyn BootClock>,
    /// Where traces of calls are gathered.
    pub traces: Arc<dyn Traces>,
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
    pub(crate) rechecks: Arc<Rechecks>,
    pub(crate) correspondence: Arc<Correspondence>,
    pub(crate) volumes: Volumes,
    pub(crate) places: Arc<Places>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) parking: Arc<Parking>,
    /// Which node this is, since it was started.
    pub(crate) node: Uuid,
}

/// The way out to authorization servers, under the rules for upstream servers: the same addresses are refused, and no redirects are
/// followed. It stands beside a gateway, which is plugged with what goes out by it.
pub fn fetch(settings: &Settings) -> Result<Arc<dyn authorization::Fetch>, NotBuilt> {
    Ok(Upstreams::new(settings)?.fetch())
}

/// Whether an authorization server on this machine's own loopback addresses may do without `https`: where upstream servers there
/// are allowed.
pub fn allows_loopback(settings: &Settings) -> bool {
    let loopback = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    settings.allowed_upstream_networks.iter().any(|network| network.contains(&loopback))
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
        let limiter = Limiter::new(plugs.limits.clone(), plugs.boot.clone());
        let node = ambient.random_uuid();
        Ok(Self {
            house: Arc::new_cyclic(|house: &Weak<House>| House {
                plugs,
                settings,
                ambient,
                schemas: Schemas::default(),
                limiter,
                floods: Floods::default(),
                upstreams: upstreams.noticing({
                    let house = house.clone();
                    Arc::new(move |key: &Key| rechecks::heard(&house, key))
                }),
                rechecks: Arc::default(),
                correspondence: Arc::default(),
                volumes: Volumes::default(),
                places: Arc::default(),
                subscriptions: Arc::default(),
                parking: Arc::default(),
                node,
            }),
        })
    }

    /// The routes of the machines' origin: `/{mcp_id}/mcp`. Cookies are ignored. The caller's address is taken from
    /// `axum::extract::ConnectInfo<SocketAddr>` where the server provides it.
    pub fn router(&self) -> Router {
        edge::router(self.house.clone())
    }

    /// Ends the streams on which clients listen for changes, and the calls whose servers wait for what their clients will say, which
    /// would go on for long otherwise, and begins no others. Everything else is served as before.
    pub fn stop_listening(&self) {
        self.house.places.close();
        self.house.parking.close();
    }

    /// Comes when the calls that [`Gateway::stop_listening`] ends have ended and are settled, two seconds or so after it.
    pub async fn stopped_listening(&self) {
        self.house.parking.closed().await;
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

    /// The same for a module that is connected: presents what the connection has, and once more what it has instead if the server
    /// does not take that.
    pub async fn discover_connected(
        &self,
        tenant: TenantId,
        url: &str,
        connection: Option<ConnectionId>,
    ) -> Result<Discovered, DiscoveryError> {
        self.house.discover_connected(tenant, url, connection).await
    }

    pub(crate) fn house(&self) -> &Arc<House> {
        &self.house
    }
}

impl House {
    /// See [`Gateway::discover_connected`].
    pub(crate) async fn discover_connected(
        &self,
        tenant: TenantId,
        url: &str,
        connection: Option<ConnectionId>,
    ) -> Result<Discovered, DiscoveryError> {
        let ask = async |secret| Box::pin(self.upstreams.discover(tenant, url, secret, &mut |_| ())).await;
        let Some(connection) = connection else { return ask(None).await };
        let connections = &self.plugs.connections;
        let secret = connections.authorization(tenant, connection).await?;
        let answered = ask(Some(secret.clone())).await;
        let Some(challenge) = answered.as_ref().err().and_then(DiscoveryError::challenge) else {
            return answered;
        };
        match connections.refused(tenant, connection, &secret, challenge).await? {
            Some(other) => ask(Some(other)).await,
            None => answered,
        }
    }
}

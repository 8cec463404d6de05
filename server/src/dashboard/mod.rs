//! The dashboard's edge: routes, sessions, and what stands around every request. Pages themselves are in `app`.
//!
//! From outside in: a request id and a line in the log; security headers and a nonce; error pages; compression; a
//! time limit. Around pages also: no requests from other sites, small bodies, the session.

mod activity;
mod agents;
pub(crate) mod assets;
mod bundles;
mod catalog;
mod crm;
mod csrf;
mod find;
mod form;
mod grants;
mod headers;
mod home;
mod joining;
mod limits;
mod live;
mod money;
mod people;
mod refusal;
mod routes;
mod session;
mod settings;
mod sign_in;
mod start;
mod watch;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use app::document::{Assets, Site};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use control::Control;
use http::StatusCode;
use model::Zone;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;

use crate::discovery::Discoverer;
pub(crate) use assets::NoSite;
use headers::Nonce;
use routes::Routes;

/// Forms are small.
const LARGEST_BODY: usize = 64 * 1024;
/// A page that takes longer than this is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the dashboard is built from.
pub(crate) struct Settings {
    /// Everything that pages ask for.
    pub(crate) control: Control,
    /// The folder that `cargo xtask build` fills: `pkg/`, `fonts/`, `favicon.svg`.
    pub(crate) site: PathBuf,
    /// The origin that browsers see: `https://app.example.com`. With `https`, cookies are `Secure` and HSTS is sent.
    pub(crate) origin: String,
    /// The origin that agents are told: `https://mcp.example.com`.
    pub(crate) machines_origin: String,
    /// Tells whose word on a caller's address is taken, for limiting sign-ins: the same as on the machines' origin.
    pub(crate) gateway: gateway::Settings,
    /// By which servers are asked what they offer.
    pub(crate) discoverer: Discoverer,
    /// By which calls are made that a person tries; set once it is built.
    pub(crate) calls: Arc<OnceLock<gateway::Gateway>>,
    /// What goes on after it was answered, such as asking a server for its tools. Waited for when the server stops.
    pub(crate) work: TaskTracker,
    /// Whether anybody may found an organization.
    pub(crate) sign_up_open: bool,
    /// Whether this is `dev`: pages carry a banner.
    pub(crate) development: bool,
    /// Cancelled when the server stops: live streams end then.
    pub(crate) stop: CancellationToken,
}

/// What every handler can reach. Cheap to clone.
#[derive(Clone)]
struct Dashboard(Arc<Inner>);

struct Inner {
    control: Control,
    sessions: Arc<control::sessions::Store>,
    assets: Arc<Assets>,
    origin: Arc<str>,
    machines: Arc<str>,
    programs: Option<Arc<str>>,
    secure: bool,
    sign_up_open: bool,
    development: bool,
    gateway: gateway::Settings,
    discoverer: Discoverer,
    calls: Arc<OnceLock<gateway::Gateway>>,
    work: TaskTracker,
    watchers: live::Watchers,
    stop: CancellationToken,
}

impl std::ops::Deref for Dashboard {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Dashboard {
    /// What a page of this response is rendered with, for a reader in this zone.
    fn site(&self, nonce: &Nonce, zone: Zone) -> Site {
        Site {
            assets: Arc::clone(&self.assets),
            development: self.development,
            nonce: nonce.0.clone(),
            machines: Arc::clone(&self.machines),
            programs: self.programs.clone(),
            now: self.control.ambient().now(),
            zone,
        }
    }
}

/// Every address of the dashboard but those of static files.
fn routes() -> Routes {
    Routes::new()
        .get("/", start::start)
        .and(sign_in::routes())
        .and(joining::routes())
        .and(home::routes())
        .and(find::routes())
        .and(activity::routes())
        .and(catalog::routes())
        .and(bundles::routes())
        .and(limits::routes())
        .and(crm::routes())
        .and(grants::routes())
        .and(people::routes())
        .and(agents::routes())
        .and(money::routes())
        .and(settings::routes())
}

/// The whole dashboard. Fails if the site folder has not been built.
pub(crate) fn router(settings: Settings) -> Result<Router, NoSite> {
    let assets = assets::read(&settings.site)?;
    let sessions = control::sessions::Store::new(settings.control.clone());
    let secure = settings.origin.starts_with("https://");
    let origins = csrf::Origins::of(&settings.origin);
    let dashboard = Dashboard(Arc::new(Inner {
        control: settings.control,
        sessions: Arc::new(sessions.clone()),
        assets: Arc::new(assets),
        origin: settings.origin.trim_end_matches('/').into(),
        machines: settings.machines_origin.into(),
        programs: settings.gateway.programs.names().map(Arc::from),
        secure,
        sign_up_open: settings.sign_up_open,
        development: settings.development,
        gateway: settings.gateway,
        discoverer: settings.discoverer,
        calls: settings.calls,
        work: settings.work,
        watchers: live::Watchers::default(),
        stop: settings.stop,
    }));

    let pages = routes()
        .into_router()
        .fallback(start::nowhere)
        .layer(session::layer(sessions, secure))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(origins, csrf::guard))
        .layer(from_fn(headers::never_stored))
        .with_state(dashboard.clone());

    Ok(pages
        .merge(assets::router(&settings.site))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, PATIENCE))
        .layer(CatchPanicLayer::custom(refusal::panicked))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(from_fn_with_state(dashboard.clone(), refusal::dress))
        .layer(from_fn_with_state(dashboard.clone(), headers::secure))
        .layer(from_fn_with_state(dashboard, watch::watch)))
}

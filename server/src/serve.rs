//! `serve`: the listeners, the gateway behind one of them, the lease, the worker; and stopping in good order.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use control::directory::Directories;
use control::ledger::Ledger;
use control::{Control, database, modules, nodes};
use futures::FutureExt as _;
use gateway::seams::NoTraces;
use gateway::{Gateway, Plugs};
use http::StatusCode;
use model::{Ambient, NodeId};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::discovery::Discoverer;
use crate::health::Health;
use crate::mail::{Carrier, Sending, Smtp};
use crate::metrics::Metrics;
use crate::net::{CannotListen, Listener};
use crate::{Failure, ambient, dashboard, lease, plugs, say, traces, worker};

/// The places on the network, taken and not yet served.
#[derive(Debug)]
pub(crate) struct Listeners {
    dashboard: Listener,
    machines: Listener,
    authorization: Listener,
    metrics: Option<Listener>,
}

/// The origins that others see, and where metrics are.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    pub(crate) dashboard: String,
    pub(crate) machines: String,
    pub(crate) authorization: String,
    pub(crate) metrics: Option<SocketAddr>,
}

impl Listeners {
    /// Takes all addresses, so that nothing is begun when one of them cannot be had.
    pub(crate) async fn bind(config: &Config) -> Result<Self, CannotListen> {
        Ok(Self {
            dashboard: Listener::bind("dashboard.listen", config.dashboard.listen).await?,
            machines: Listener::bind("machines.listen", config.machines.listen).await?,
            authorization: Listener::bind("authorization.listen", config.authorization.listen).await?,
            metrics: match config.metrics {
                Some(address) => Some(Listener::bind("metrics.listen", address).await?),
                None => None,
            },
        })
    }

    /// What to tell others.
    pub(crate) fn origins(&self, config: &Config) -> Origins {
        Origins {
            dashboard: config.dashboard.public_url(self.dashboard.address()),
            machines: config.machines.public_url(self.machines.address()),
            authorization: config.authorization.public_url(self.authorization.address()),
            metrics: self.metrics.as_ref().map(Listener::address),
        }
    }

    /// Where each listens, by the key that says so.
    pub(crate) fn addresses(&self) -> [(&'static str, SocketAddr); 3] {
        [
            ("dashboard", self.dashboard.address()),
            ("machines", self.machines.address()),
            ("authorization", self.authorization.address()),
        ]
    }
}

/// Opens the database as the application role and refuses one that could not keep what we promise.
pub(crate) async fn open(config: &Config, ambient: Ambient) -> Result<Control, Failure> {
    let pool = database::connect(config.database.url()?, config.database.connections).await?;
    database::check(&pool).await?;
    let control = Control::new(pool, ambient, config.encryption.master_keys()?);
    Ok(if config.mail.is_some() { control.sending_mail() } else { control })
}

/// The mail server, if one is set.
pub(crate) fn carrier(config: &Config) -> Result<Option<Arc<dyn Carrier>>, Failure> {
    match &config.mail {
        Some(mail) => Ok(Some(Arc::new(Smtp::new(mail)?))),
        None => Ok(None),
    }
}

/// Connections for drawing from limits. They are not the ledger's: draws that wait for each other hold up no admission.
const LIMIT_CONNECTIONS: u32 = 2;

/// Signals within this time of the first are the same order.
const ONE_ORDER: Duration = Duration::from_millis(500);

/// For whom we serve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// `serve`.
    Production,
    /// `dev`: pages carry a banner, and agents are served even where the pages' files have not been built.
    Development,
}

/// `workingagents serve`.
pub(crate) async fn command(config: &Config) -> Result<(), Failure> {
    // What was set wrong is told before anything is touched.
    config.database.url()?;
    config.encryption.master_keys()?;
    let listeners = Listeners::bind(config).await?;
    let carrier = carrier(config)?;
    if carrier.is_none() {
        tracing::warn!("`mail.smtp_url` is not set: no mails are sent, so nobody can sign up or be invited");
    }
    let control = open(config, ambient::ambient()).await?;
    let stop = stop_on_signals()?;
    run(config, Mode::Production, control, carrier, listeners, stop, |origins| {
        let Origins { dashboard, machines, authorization, metrics } = origins;
        let metrics = metrics.map(|address| address.to_string());
        tracing::info!(%dashboard, %machines, %authorization, metrics, "ready");
    })
    .await
}

/// Serves until `stop`, then lets what is in flight end and writes everything down. `carrier` takes mails, if any are sent. `ready` is told once, when the lease is
/// held and the listeners answer.
pub(crate) async fn run(
    config: &Config,
    mode: Mode,
    control: Control,
    carrier: Option<Arc<dyn Carrier>>,
    listeners: Listeners,
    stop: CancellationToken,
    ready: impl FnOnce(&Origins),
) -> Result<(), Failure> {
    let origins = listeners.origins(config);
    let ambient = control.ambient().clone();
    let health = Health::new(ambient.clone());
    let metrics = Metrics::new();

    let calls: Arc<OnceLock<Gateway>> = Arc::default();
    let serving = TaskTracker::new();
    let pages = pages(dashboard::Settings {
        control: control.clone(),
        discoverer: Discoverer::for_pages(&control, config.gateway.clone())?,
        calls: Arc::clone(&calls),
        work: serving.clone(),
        site: config.site.clone(),
        origin: origins.dashboard.clone(),
        machines_origin: origins.machines.clone(),
        gateway: config.gateway.clone(),
        sign_up_open: config.sign_up_open,
        development: mode == Mode::Development,
        stop: stop.clone(),
    })?;

    let ledger_connections = config.ledger.flush_connections + config.ledger.settle_connections;
    let pool =
        database::connect(config.database.url()?, u32::try_from(ledger_connections).unwrap_or(u32::MAX))
            .await?;
    let node = lease::take(&control, &health).await?;
    let limits = control.over(database::connect(config.database.url()?, LIMIT_CONNECTIONS).await?);
    let ledger = Ledger::open(control.clone(), pool, node, config.ledger.clone());
    metrics.watch(ledger.clone());
    let directories = Directories::new(control.clone());

    let traces = traces::gather(config.traces.as_ref())?;
    let gateway = Gateway::new(
        Plugs {
            directories: Arc::new(plugs::Directories {
                directories: directories.clone(),
                metrics: metrics.clone(),
            }),
            ledger: Arc::new(plugs::Ledger {
                ledger: ledger.clone(),
                ambient: ambient.clone(),
                metrics: metrics.clone(),
            }),
            limits: Arc::new(plugs::Limits { control: limits, metrics: metrics.clone() }),
            connections: Arc::new(plugs::Connections::new(control.clone(), plugs::way_out(&config.gateway)?)),
            catalog: Arc::new(plugs::Catalog { control: control.clone() }),
            native: Arc::new(plugs::NativeModules { control: control.clone() }),
            boot: Arc::new(plugs::BootClock { ambient: ambient.clone() }),
            traces: match &traces {
                Some(collector) => collector.clone(),
                None => Arc::new(NoTraces),
            },
            state_key: config.encryption.state_key()?,
        },
        config.gateway.clone(),
        ambient,
    )?;
    // It is set here alone.
    let _ = calls.set(gateway.clone());

    // Built-in modules are what this program says they are, in every organization.
    match modules::renew_native(&control).await {
        Ok(0) => {}
        Ok(renewed) => tracing::info!(renewed, "built-in modules are as this version has them"),
        Err(error) => tracing::error!(error = say::one_line(&error), "built-in modules are not up to date"),
    }

    // The lease and the directories go on while calls in flight end; `rest` stops them at last.
    let rest = CancellationToken::new();
    let background = TaskTracker::new();
    background.spawn(lease::keep(control.clone(), ledger.clone(), health.clone(), rest.clone()));
    let (limited, until) = (gateway.clone(), rest.clone());
    background.spawn(async move { limited.keep_limits(until).await });
    let hearing = tokio::spawn(directories.listen(config.database.url()?.clone()));
    if config.worker {
        let under = ledger.clone();
        let sending = sending(config, carrier, &origins.dashboard)?;
        background.spawn(worker::run(control.clone(), move || under.node(), sending, stop.clone()));
    }

    let serve = |listener: Listener, router: Router| {
        let router = router.merge(health.router());
        serving.spawn(listener.serve(
            router,
            config.network.max_connections,
            config.network.drain,
            stop.clone(),
        ));
    };
    let Listeners { dashboard, machines, authorization, metrics: fetched } = listeners;
    serve(dashboard, pages);
    serve(machines, gateway.router());
    serve(authorization, Router::new());
    if let Some(fetched) = fetched {
        serve(fetched, metrics.router());
    }
    ready(&origins);

    stop.cancelled().await;
    health.stopping();
    gateway.stop_listening();
    tracing::info!("stopping: nothing more is accepted, what is in flight may end");
    serving.close();
    serving.wait().await;
    gateway.stopped_listening().await;
    plugs::renewals_end(&control).await;
    ledger.close().await;
    if let Some(traces) = traces {
        // It waits for its thread.
        let _ = tokio::task::spawn_blocking(move || traces.close()).await;
    }
    rest.cancel();
    background.close();
    background.wait().await;
    hearing.abort();
    // Everything is settled: what is left of the lease would only keep the reconciler waiting.
    if let Err(error) = nodes::leave(&control, ledger.node()).await {
        tracing::warn!(
            error = say::one_line(&error),
            "the lease could not be given back; it runs out by itself"
        );
    }
    tracing::info!("stopped");
    Ok(())
}

/// The dashboard; in development without its files, one sentence in its place.
fn pages(settings: dashboard::Settings) -> Result<Router, dashboard::NoSite> {
    let mode = if settings.development { Mode::Development } else { Mode::Production };
    match dashboard::router(settings) {
        Err(missing) if mode == Mode::Development => {
            say::progress(format_args!("agents are served, and the dashboard is not: {missing}"));
            let sentence = format!("The dashboard is not here: {missing}.\n");
            Ok(Router::new().fallback(async move || (StatusCode::SERVICE_UNAVAILABLE, sentence)))
        }
        pages => pages,
    }
}

/// Cancelled by the first SIGTERM or SIGINT. The second one ends the process on the spot.
pub(crate) fn stop_on_signals() -> Result<CancellationToken, Failure> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if told.is_cancelled() {
                say::progress("told twice: stopping at once; calls in flight end as interrupted");
                std::process::exit(130);
            }
            told.cancel();
            // One order may come to us twice, by our own id and by that of our group.
            tokio::time::sleep(ONE_ORDER).await;
            let again = async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            let _ = again.now_or_never();
        }
    });
    Ok(stop)
}

/// `workingagents worker`: the background work alone.
pub(crate) async fn work(config: &Config) -> Result<(), Failure> {
    let control = open(config, ambient::ambient()).await?;
    let stop = stop_on_signals()?;
    // A worker admits nothing, so it needs no lease; its id only says who settled what.
    let node: NodeId = control.ambient().id();
    tracing::info!(%node, "working in the background");
    let origin = config.dashboard.public_url(config.dashboard.listen);
    let sending = sending(config, carrier(config)?, &origin)?;
    worker::run(control, move || node, sending, stop).await;
    Ok(())
}

fn sending(
    config: &Config,
    carrier: Option<Arc<dyn Carrier>>,
    origin: &str,
) -> Result<Option<Sending>, Failure> {
    let Some(carrier) = carrier else { return Ok(None) };
    let database = config.database.url()?.clone();
    Ok(Some(Sending { carrier, origin: origin.to_owned(), database }))
}

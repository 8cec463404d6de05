//! Plugs `control` into what the gateway asks for. Thin: nothing is decided here, only counted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use control::limits::meters;
use control::modules::connections;
use control::modules::tokens::{self, Way};
use control::{Control, directory, ledger};
use gateway::{Discovered, Gateway, NotBuilt, Plugs, seams};
use model::call::{Attribution, Entry, Epoch, NotAdmitted, Receipt, Rejection, Settlement};
use model::limit::{Per, Scope};
use model::{Ambient, CallId, ConnectionId, McpId, ModuleId, TenantId};
use policy::Directory;
use policy::meter::Drawn;
use secrecy::SecretString;

use crate::metrics::Metrics;

/// Directories of `control`.
pub(crate) struct Directories {
    pub(crate) directories: directory::Directories,
    pub(crate) metrics: Metrics,
}

impl Directories {
    fn counted(
        &self,
        answer: Result<Option<Arc<Directory>>, control::Error>,
    ) -> Result<Option<Arc<Directory>>, seams::Unavailable> {
        answer.map_err(|error| {
            self.metrics.directory_read("failed");
            tracing::error!(error = &error as &dyn std::error::Error, "a directory cannot be read");
            seams::Unavailable
        })
    }
}

#[async_trait]
impl seams::Directories for Directories {
    async fn current(&self, endpoint: McpId) -> Result<Option<Arc<Directory>>, seams::Unavailable> {
        self.counted(self.directories.current(endpoint).await)
    }

    async fn newer(
        &self,
        endpoint: McpId,
        seen: Epoch,
    ) -> Result<Option<Arc<Directory>>, seams::Unavailable> {
        let newer = self.counted(self.directories.newer(endpoint, seen).await)?;
        let moved = newer.as_ref().is_some_and(|directory| directory.epoch() != seen);
        self.metrics.directory_read(if moved { "newer" } else { "the_same" });
        Ok(newer)
    }

    async fn moved(
        &self,
        endpoint: McpId,
        seen: Epoch,
    ) -> Result<Option<Arc<Directory>>, seams::Unavailable> {
        self.counted(self.directories.moved(endpoint, seen).await)
    }
}

/// The ledger of `control`.
pub(crate) struct Ledger {
    pub(crate) ledger: ledger::Ledger,
    pub(crate) ambient: Ambient,
    pub(crate) metrics: Metrics,
}

#[async_trait]
impl seams::Ledger for Ledger {
    async fn admit(&self, entry: Entry) -> Result<Receipt, NotAdmitted> {
        let (verdict, begun) = (entry.verdict, self.ambient.since_boot());
        let answer = self.ledger.admit(entry).await;
        self.metrics.admission(verdict, answer.as_ref(), self.ambient.since_boot().saturating_sub(begun));
        answer
    }

    fn settle(&self, settlement: Settlement) {
        self.metrics.settlement(settlement.outcome, settlement.duration);
        self.ledger.settle(settlement);
    }

    fn reject(&self, rejection: Rejection) {
        self.metrics.rejection(rejection.code);
        self.ledger.reject(rejection);
    }
}

/// The meters of limits, from `control`.
pub(crate) struct Limits {
    pub(crate) control: Control,
    pub(crate) metrics: Metrics,
}

#[async_trait]
impl seams::Limits for Limits {
    async fn draw(
        &self,
        tenant: TenantId,
        draws: Vec<seams::MeterDraw>,
    ) -> Result<Vec<Drawn>, seams::NotDrawn> {
        let wanted = draws.into_iter().map(|it| meters::Wanted {
            limit: it.metered.limit,
            agent: it.metered.agent,
            allowance: it.allowance,
            zone: it.zone,
            draw: it.draw,
        });
        let wanted: Vec<_> = wanted.collect();
        meters::draw(&self.control, tenant, &wanted).await.map_err(|error| {
            tracing::error!(%tenant, error = &error as &dyn std::error::Error, "what limits leave cannot be found out");
            match error {
                meters::NotDrawn::NothingDone(_) => seams::NotDrawn::NothingDone,
                meters::NotDrawn::InDoubt(_) => seams::NotDrawn::InDoubt,
            }
        })
    }

    fn reached(&self, scope: Scope, per: Per) {
        self.metrics.limit_reached(scope, per);
    }
}

/// What we present upstream, from the vault. Tokens are renewed on the way, or beside it while they are still good.
pub(crate) struct Connections {
    control: Control,
    way: Way,
}

/// The way out to authorization servers, as narrow as the gateway's to upstream servers.
pub(crate) fn way_out(settings: &gateway::Settings) -> Result<Way, NotBuilt> {
    Ok(Way { fetch: gateway::fetch(settings)?, loopback: gateway::allows_loopback(settings) })
}

impl Connections {
    pub(crate) fn new(control: Control, way: Way) -> Self {
        Self { control, way }
    }
}

/// How long a process that ends waits for tokens that are being renewed: longer than an authorization server is waited for.
const RENEWALS: Duration = Duration::from_secs(15);

/// Waits until tokens that are being renewed are written down. What an authorization server has given meanwhile would be lost, and
/// what it was given for is worth nothing any more.
pub(crate) async fn renewals_end(control: &Control) {
    if tokio::time::timeout(RENEWALS, tokens::settled(control)).await.is_err() {
        tracing::warn!("a token was still being renewed: its module may have to be connected again");
    }
}

/// What control says of it, as the gateway wants to hear it.
fn not_presented(tenant: TenantId, connection: ConnectionId, error: &control::Error) -> seams::NotPresented {
    if matches!(error, control::Error::Refused { code: tokens::MUST_CONNECT, .. }) {
        return seams::NotPresented::MustConnect;
    }
    tracing::error!(%tenant, %connection, error = error as &dyn std::error::Error, "what a connection presents cannot be had");
    seams::NotPresented::Unavailable
}

#[async_trait]
impl seams::Connections for Connections {
    async fn authorization(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
    ) -> Result<SecretString, seams::NotPresented> {
        let presented = connections::authorization(&self.control, &self.way, tenant, connection).await;
        let presented = presented.map_err(|error| not_presented(tenant, connection, &error))?;
        if let Some(version) = presented.renew {
            tokens::renew_beside(&self.control, &self.way, tenant, connection, version);
        }
        Ok(presented.secret)
    }

    async fn refused(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        presented: &SecretString,
        challenge: &seams::Challenge,
    ) -> Result<Option<SecretString>, seams::NotPresented> {
        let other = tokens::refused(&self.control, &self.way, tenant, connection, presented, challenge).await;
        other.map_err(|error| not_presented(tenant, connection, &error))
    }
}

/// The catalog of `control`.
pub(crate) struct Catalog {
    pub(crate) control: Control,
}

#[async_trait]
impl seams::Catalog for Catalog {
    async fn offered(
        &self,
        tenant: TenantId,
        module: ModuleId,
        url: &str,
        discovered: Discovered,
    ) -> Result<(), seams::Unavailable> {
        let definitions = crate::discovery::definitions(discovered);
        match control::modules::recheck(&self.control, tenant, module, url, definitions).await {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::error!(%tenant, %module, error = &error as &dyn std::error::Error, "the catalog cannot be brought up to date");
                Err(seams::Unavailable)
            }
        }
    }
}

/// Time since boot, for the gateway.
pub(crate) struct BootClock {
    pub(crate) ambient: Ambient,
}

impl seams::BootClock for BootClock {
    fn since_boot(&self) -> Duration {
        self.ambient.since_boot()
    }
}

/// A gateway that only asks upstream servers what they offer, and the way out beside it: nothing can be called through it.
pub(crate) fn discovering(
    control: &Control,
    settings: gateway::Settings,
) -> Result<(Gateway, Way), NotBuilt> {
    let ambient = control.ambient().clone();
    let way = way_out(&settings)?;
    let plugs = Plugs {
        directories: Arc::new(Directories {
            directories: directory::Directories::new(control.clone()),
            metrics: Metrics::new(),
        }),
        ledger: Arc::new(NoLedger),
        limits: Arc::new(Limits { control: control.clone(), metrics: Metrics::new() }),
        connections: Arc::new(Connections::new(control.clone(), way.clone())),
        catalog: Arc::new(Catalog { control: control.clone() }),
        native: Arc::new(NativeModules { control: control.clone() }),
        boot: Arc::new(BootClock { ambient: ambient.clone() }),
        traces: Arc::new(seams::NoTraces),
        state_key: seams::StateKey::random(&ambient),
    };
    Ok((Gateway::new(plugs, settings, ambient)?, way))
}

/// Admits nothing.
struct NoLedger;

#[async_trait]
impl seams::Ledger for NoLedger {
    async fn admit(&self, _entry: Entry) -> Result<Receipt, NotAdmitted> {
        Err(NotAdmitted::Unavailable)
    }

    /// Of nothing that was admitted, nothing ends.
    fn settle(&self, _settlement: Settlement) {}

    fn reject(&self, _rejection: Rejection) {}
}

/// What is built in, from `control`.
pub(crate) struct NativeModules {
    pub(crate) control: Control,
}

#[async_trait]
impl seams::NativeModules for NativeModules {
    async fn call(
        &self,
        who: &Attribution,
        call: CallId,
        module: &str,
        tool: &str,
        arguments: Bytes,
    ) -> Result<seams::NativeAnswer, seams::NativeFailure> {
        match control::native::call(&self.control, who, call, module, tool, &arguments).await {
            Ok((result, is_error)) => Ok(seams::NativeAnswer { result: result.into(), is_error }),
            Err(error) => {
                tracing::error!(tenant = %who.tenant, module, tool, error = &error as &dyn std::error::Error, "a built-in module failed");
                Err(seams::NativeFailure { sentence: error.to_string() })
            }
        }
    }
}

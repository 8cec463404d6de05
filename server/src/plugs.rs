//! Plugs `control` into what the gateway asks for. Thin: nothing is decided here, only counted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use control::limits::meters;
use control::{Control, directory, ledger};
use gateway::{Gateway, NotBuilt, Plugs, seams};
use model::call::{Attribution, Entry, Epoch, NotAdmitted, Receipt, Rejection, Settlement};
use model::{Ambient, CallId, ConnectionId, McpId, TenantId};
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
}

#[async_trait]
impl seams::Limits for Limits {
    async fn draw(
        &self,
        tenant: TenantId,
        draws: Vec<seams::MeterDraw>,
    ) -> Result<Vec<Drawn>, seams::Unavailable> {
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
            seams::Unavailable
        })
    }
}

/// What we present upstream, from the vault.
pub(crate) struct Connections {
    pub(crate) control: Control,
}

#[async_trait]
impl seams::Connections for Connections {
    async fn authorization(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
    ) -> Result<SecretString, seams::Unavailable> {
        control::modules::connections::authorization(&self.control, tenant, connection).await.map_err(|error| {
            tracing::error!(%tenant, %connection, error = &error as &dyn std::error::Error, "a connection's secret cannot be had");
            seams::Unavailable
        })
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

/// A gateway that only asks upstream servers what they offer: nothing can be called through it.
pub(crate) fn discovering(control: &Control, settings: gateway::Settings) -> Result<Gateway, NotBuilt> {
    let ambient = control.ambient().clone();
    let plugs = Plugs {
        directories: Arc::new(Directories {
            directories: directory::Directories::new(control.clone()),
            metrics: Metrics::new(),
        }),
        ledger: Arc::new(NoLedger),
        limits: Arc::new(Limits { control: control.clone() }),
        connections: Arc::new(Connections { control: control.clone() }),
        native: Arc::new(NativeModules { control: control.clone() }),
        boot: Arc::new(BootClock { ambient: ambient.clone() }),
        state_key: seams::StateKey::random(&ambient),
    };
    Gateway::new(plugs, settings, ambient)
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

//! The ledger: where calls are admitted before anything runs, and settled after.
//!
//! Waiting calls of a tenant are flushed in groups, as soon as a flush connection is free; there is no timer.
//! Groups never span tenants. A call is admitted only once the database has answered that the group is committed.

mod flush;
pub mod import;
pub mod partitions;
mod queue;
pub mod reconcile;
mod reject;
mod settle;

use std::sync::Arc;

use arc_swap::ArcSwap;
use model::NodeId;
use model::call::{Entry, NotAdmitted, Receipt, Rejection, Settlement};
use sqlx::PgPool;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Control;
use crate::vault::About;
use queue::Queue;

/// How the ledger uses the database.
#[derive(Clone, Debug)]
pub struct LedgerSettings {
    /// Connections that flush admissions; this many groups can wait for the disk at once.
    pub flush_connections: usize,
    /// Connections that flush settlements.
    pub settle_connections: usize,
    /// Most calls in one group.
    pub group: usize,
    /// Most calls that may wait to be admitted; beyond, calls are refused as unavailable.
    pub waiting: usize,
    /// Most ended calls that may wait to be settled; beyond, their results are not kept, only how they ended.
    pub unsettled: usize,
}

impl Default for LedgerSettings {
    fn default() -> Self {
        Self { flush_connections: 4, settle_connections: 2, group: 256, waiting: 10_000, unsettled: 50_000 }
    }
}

/// A call that waits for admission, and whom to tell.
struct Waiting {
    row: flush::Admission,
    state: (Vec<u8>, Arc<str>),
    answer: oneshot::Sender<Result<Receipt, NotAdmitted>>,
}

/// The ledger of this node. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    control: Control,
    /// Connections for the ledger alone, so that pages cannot keep calls waiting.
    pool: PgPool,
    node: ArcSwap<NodeId>,
    settings: LedgerSettings,
    admissions: Queue<Waiting>,
    settlements: Queue<settle::Settling>,
    rejections: reject::Rejections,
    known_states: flush::KnownStates,
    tasks: TaskTracker,
    /// Flushers stop once the queues are empty.
    closing: CancellationToken,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("node", &self.inner.node.load()).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens the ledger for a node that holds a lease, and starts its flushers. `pool` should have at least as many
    /// connections as the settings name.
    pub fn open(control: Control, pool: PgPool, node: NodeId, settings: LedgerSettings) -> Self {
        let inner = Arc::new(Inner {
            control,
            pool,
            node: ArcSwap::from_pointee(node),
            admissions: Queue::new(settings.waiting),
            settlements: Queue::new(settings.unsettled),
            rejections: reject::Rejections::default(),
            known_states: flush::KnownStates::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            settings,
        });
        for _ in 0..inner.settings.flush_connections {
            inner.tasks.spawn(flush::run(inner.clone()));
        }
        for _ in 0..inner.settings.settle_connections {
            inner.tasks.spawn(settle::run(inner.clone()));
        }
        inner.tasks.spawn(reject::run(inner.clone()));
        Self { inner }
    }

    /// Writes an entry down, whatever its verdict, and returns once it is durable.
    pub async fn admit(&self, entry: Entry) -> Result<Receipt, NotAdmitted> {
        let inner = &self.inner;
        let tenant = entry.who.tenant;
        let keys = inner.control.keys(tenant).await.map_err(|error| {
            tracing::error!(%tenant, %error, "no key to seal a call's arguments with");
            NotAdmitted::Unavailable
        })?;
        let arguments = keys
            .seal(inner.control.ambient(), About::Arguments(entry.id.uuid()), &entry.arguments)
            .map_err(|_| NotAdmitted::Unavailable)?;
        let state = (entry.who.state.to_vec(), entry.who.state_json.clone());
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { row: flush::Admission::from_entry(entry, arguments), state, answer };
        if inner.closing.is_cancelled() || inner.admissions.push(tenant, waiting).is_err() {
            return Err(NotAdmitted::Unavailable);
        }
        answered.await.unwrap_or(Err(NotAdmitted::Unavailable))
    }

    /// Records how an admitted call ended. Does not wait; kept until it is durable.
    pub fn settle(&self, settlement: Settlement) {
        settle::enqueue(&self.inner, settlement);
    }

    /// Records a request that never became a call. Like ones within a second are merged.
    pub fn reject(&self, rejection: Rejection) {
        self.inner.rejections.note(rejection);
    }

    /// The node whose lease the ledger admits under.
    pub fn node(&self) -> NodeId {
        **self.inner.node.load()
    }

    /// Goes on under another node id, after the lease of the former ran out.
    pub fn rejoin(&self, node: NodeId) {
        self.inner.node.store(Arc::new(node));
    }

    /// Calls waiting for admission and ended calls waiting for settlement, for metrics.
    pub fn depth(&self) -> (usize, usize) {
        (self.inner.admissions.len(), self.inner.settlements.len())
    }

    /// Admits nothing more, writes down what is still waiting, and returns when all of it is durable.
    pub async fn close(&self) {
        self.inner.closing.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }
}

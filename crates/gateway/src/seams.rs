//! What the gateway needs from the rest of the house, as a few small traits. `server` plugs them in.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
pub use authorization::Challenge;
use bytes::Bytes;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use model::call::{Attribution, Entry, Epoch, NotAdmitted, Receipt, Rejection, Settlement};
use model::limit::{Allowance, Per, Scope};
use model::{AgentId, Ambient, CallId, ConnectionId, LimitId, McpId, ModuleId, TenantId, Zone};
use policy::Directory;
use policy::meter::{Draw, Drawn};
use secrecy::SecretString;

pub use crate::trace::{NoTraces, Part, SpanId, TraceId, Traced};
use crate::upstream::Discovered;

/// The directory could not be had; nothing is decided without one.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the directory of this organization cannot be read at the moment")]
pub struct Unavailable;

/// Snapshots of tenants.
#[async_trait]
pub trait Directories: Send + Sync + 'static {
    /// The newest snapshot this node has; reads it when it has none, or when the time of the one it has is over
    /// (`Directory::stale_at`). `None`: no such endpoint.
    async fn current(&self, endpoint: McpId) -> Result<Option<Arc<Directory>>, Unavailable>;

    /// A snapshot that is not of epoch `seen`, or, if the database still says `seen`, that same one. At most a few
    /// a second reach the database for each tenant; further callers share the answer.
    async fn newer(&self, endpoint: McpId, seen: Epoch) -> Result<Option<Arc<Directory>>, Unavailable>;

    /// Waits until this node has a snapshot that is not of epoch `seen`. Asks the database for nothing and holds no snapshot while
    /// it waits, so that thousands may wait at a time.
    async fn moved(&self, endpoint: McpId, seen: Epoch) -> Result<Option<Arc<Directory>>, Unavailable>;
}

/// Where calls are admitted and settled.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Writes the entry down, whatever its verdict; returns once it is durable. A permitted entry's receipt is the
    /// right to execute it.
    async fn admit(&self, entry: Entry) -> Result<Receipt, NotAdmitted>;

    /// Records how an admitted call ended. Does not wait: the ledger keeps it until it is durable.
    fn settle(&self, settlement: Settlement);

    /// Records a request that never became a call. Bounded: may be merged with others like it.
    fn reject(&self, rejection: Rejection);
}

/// Where traces of calls are gathered.
pub trait Traces: Send + Sync + 'static {
    /// Whether they are gathered at all.
    fn is_on(&self) -> bool;

    /// Whether this one is, of those that are; the same answer each time, on every node.
    fn samples(&self, trace: &TraceId) -> bool;

    /// A call of such a trace has ended. Does not wait; may lose what is too much.
    fn ended(&self, call: Traced);
}

/// What is metered: a limit's calls, of all together or of one agent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Metered {
    /// The limit.
    pub limit: LimitId,
    /// Whose, where each agent has a limit to itself.
    pub agent: Option<AgentId>,
}

/// A draw from one meter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MeterDraw {
    /// From which.
    pub metered: Metered,
    /// What the limit allows.
    pub allowance: Allowance,
    /// Where its days begin.
    pub zone: Zone,
    /// What is wanted and what is brought back.
    pub draw: Draw,
}

/// Why nothing was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDrawn {
    /// No meter was changed.
    #[error("what limits leave cannot be found out at the moment")]
    NothingDone,
    /// It is not known whether meters were changed.
    #[error("it is not known what limits leave")]
    InDoubt,
}

/// The meters of limits, which all nodes share.
#[async_trait]
pub trait Limits: Send + Sync + 'static {
    /// Draws from meters of one tenant, all at one instant, and answers in their order. No meter is named twice. What is given
    /// must be written down before the answer: [`policy::meter::Meter`] says how much it is.
    async fn draw(&self, tenant: TenantId, draws: Vec<MeterDraw>) -> Result<Vec<Drawn>, NotDrawn>;

    /// A call was refused, since a limit on such calls leaves no room for it; to be counted. Waits for nothing.
    fn reached(&self, scope: Scope, per: Per);
}

/// Why there is nothing to present upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPresented {
    /// It cannot be had at the moment.
    #[error("the credentials of the connection could not be read")]
    Unavailable,
    /// What was granted is over, or was taken back, or is not enough: a person has to connect the module again.
    #[error("the module must be connected again: the access that was given to it is over, or is not enough")]
    MustConnect,
}

/// What we present upstream.
#[async_trait]
pub trait Connections: Send + Sync + 'static {
    /// The `Authorization` header value for a connection. Waits for nothing while what it has is good.
    async fn authorization(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
    ) -> Result<SecretString, NotPresented>;

    /// The server has refused `presented`, in words of OAuth if it speaks that. What to present instead, for one more try; none:
    /// there is nothing else, and what was presented is not known to be over.
    async fn refused(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        presented: &SecretString,
        challenge: &Challenge,
    ) -> Result<Option<SecretString>, NotPresented>;
}

/// Where what servers offer is compared with what was approved.
#[async_trait]
pub trait Catalog: Send + Sync + 'static {
    /// The server of a module at `url` has said that its lists have changed, and this is what it offers now. What is no longer what
    /// was approved is frozen, what is new waits to be approved; nothing becomes callable that was never approved.
    async fn offered(
        &self,
        tenant: TenantId,
        module: ModuleId,
        url: &str,
        discovered: Discovered,
    ) -> Result<(), Unavailable>;
}

/// What a native module answers: the JSON text of an MCP `CallToolResult`.
#[derive(Debug, Clone)]
pub struct NativeAnswer {
    /// The whole result object.
    pub result: Bytes,
    /// Whether it says `isError`.
    pub is_error: bool,
}

/// Why a native module gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{sentence}")]
pub struct NativeFailure {
    /// One sentence for the agent and the record.
    pub sentence: String,
}

/// Modules that are built in, as one more kind of upstream.
#[async_trait]
pub trait NativeModules: Send + Sync + 'static {
    /// Runs a tool of a native module for a principal, in a call that is on record. `arguments` is the JSON text of an
    /// object.
    async fn call(
        &self,
        who: &Attribution,
        call: CallId,
        module: &str,
        tool: &str,
        arguments: Bytes,
    ) -> Result<NativeAnswer, NativeFailure>;
}

/// Knows the addresses of names. It need not be trusted: each address is looked at, each time, before it is connected to.
#[async_trait]
pub trait Names: fmt::Debug + Send + Sync + 'static {
    /// The addresses of `host` at this moment, those to be tried first in front.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Asks whom this machine asks.
#[derive(Debug, Clone, Copy)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Time since boot, including sleep: what `Receipt::send_before` is compared with (CLOCK_BOOTTIME).
pub trait BootClock: Send + Sync + 'static {
    /// Time since boot.
    fn since_boot(&self) -> Duration;
}

/// The secret under which what clients carry from one round of a call to the next is sealed. It is the same on every node, and
/// serves nothing else.
#[derive(Clone)]
pub struct StateKey {
    first: XChaCha20Poly1305,
    others: Vec<XChaCha20Poly1305>,
}

impl StateKey {
    /// `first` seals; it and the `others` open.
    pub fn new(first: [u8; 32], others: impl IntoIterator<Item = [u8; 32]>) -> Self {
        let cipher = |key: [u8; 32]| XChaCha20Poly1305::new(&key.into());
        Self { first: cipher(first), others: others.into_iter().map(cipher).collect() }
    }

    /// A key of its own, for a gateway that stands alone and serves no client twice.
    pub fn random(ambient: &Ambient) -> Self {
        Self::new(ambient.bytes(), [])
    }

    pub(crate) fn sealing(&self) -> &XChaCha20Poly1305 {
        &self.first
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &XChaCha20Poly1305> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateKey").finish_non_exhaustive()
    }
}

//! An immutable snapshot of one tenant: who there is, what there is, and who may use what.

use std::net::IpAddr;
use std::sync::Arc;

use model::access::PermissionKey;
use model::call::{Attribution, Digest, Epoch, ReasonCode};
use model::catalog::ModuleKind;
use model::{ConnectionId, ModuleId, Money, RateId, Timestamp, ToolId};

use crate::decision::{Decision, Refusal};
use crate::facts::{Facts, TenantFact};

/// Facts that contradict each other: nothing is decided on them.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A row points to one that is not there.
    #[error("{what} refers to {missing}, which is not among the facts")]
    Dangling {
        /// The row.
        what: String,
        /// What it points to.
        missing: String,
    },
    /// The units do not form a tree.
    #[error("the units above {unit} form a circle")]
    Circle {
        /// One of them.
        unit: String,
    },
    /// Two tools would have the same full name.
    #[error("two tools are called {name}")]
    SameName {
        /// The name.
        name: String,
    },
    /// Cedar would not take the entities or standing policies.
    #[error("cedar: {0}")]
    Cedar(String),
}

/// Why a credential was refused.
#[derive(Debug, Clone)]
pub enum Unauthenticated {
    /// No credential has this hash: nothing is known of who it was.
    Unknown,
    /// The credential is known and may not be used (expired, wrong address, agent or owner suspended).
    Refused {
        /// Whose it is.
        principal: Arc<Principal>,
        /// Which of those.
        code: ReasonCode,
        /// In words.
        sentence: String,
    },
}

/// Who calls: an agent with one credential, for itself or on behalf of a person.
#[derive(Debug)]
pub struct Principal {
    /// For the record.
    pub attribution: Arc<Attribution>,
    /// The agent's name.
    pub agent_name: String,
    /// The owner's name.
    pub owner_name: String,
    /// The name of the person it acts for.
    pub on_behalf_of_name: Option<String>,
    // entity ids and the like are private to this crate
}

/// A tool that can be resolved by name.
#[derive(Debug)]
pub struct Tool {
    /// Its id.
    pub id: ToolId,
    /// Its module.
    pub module: ModuleId,
    /// The module's key word, `crm`.
    pub module_name: Arc<str>,
    /// The module's title.
    pub module_title: Arc<str>,
    /// How the module is reached.
    pub kind: ModuleKind,
    /// Where the module is reached, unless native.
    pub url: Option<Arc<str>>,
    /// What we present there.
    pub connection: Option<ConnectionId>,
    /// Its name inside its module, as the upstream knows it.
    pub name: Arc<str>,
    /// `module.tool`, as agents see it.
    pub full_name: Arc<str>,
    /// The key one needs.
    pub key: PermissionKey,
    /// The approved definition as agents see it: a complete MCP `Tool` object as JSON text whose `name` is `full_name`.
    pub listing: Arc<str>,
    /// SHA-256 of the canonical definition.
    pub definition_hash: Digest,
    /// What a call costs.
    pub price: Money,
    /// By which rate.
    pub rate: Option<RateId>,
}

/// The snapshot.
#[derive(Debug)]
pub struct Directory {
    tenant: TenantFact,
    epoch: Epoch,
}

impl Directory {
    /// Builds the snapshot. `now` decides which grants have expired; see [`Directory::stale_at`].
    pub fn build(_facts: Facts, _now: Timestamp) -> Result<Self, BuildError> {
        todo!()
    }
    /// The tenant.
    pub fn tenant(&self) -> &TenantFact {
        &self.tenant
    }
    /// Under which epoch it was read.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
    /// From this instant on the snapshot would say something else although nothing was changed (a grant
    /// expires): it must be built anew.
    pub fn stale_at(&self) -> Option<Timestamp> {
        todo!()
    }
    /// Finds who presents a key, by the SHA-256 of the whole key.
    pub fn authenticate(
        &self,
        _hash: &Digest,
        _from: Option<IpAddr>,
        _now: Timestamp,
    ) -> Result<Arc<Principal>, Unauthenticated> {
        todo!()
    }
    /// The tools that the principal may see, ordered by full name (Cedar action `list`).
    pub fn visible(&self, _principal: &Principal) -> Vec<Arc<Tool>> {
        todo!()
    }
    /// Resolves a tool by the name agents use; a tool that does not take calls, or that the principal may neither
    /// list nor ask for, is refused with a reason.
    pub fn resolve(&self, _principal: &Principal, _full_name: &str) -> Result<Arc<Tool>, Refusal> {
        todo!()
    }
    /// Decides one call.
    pub fn decide(
        &self,
        _principal: &Arc<Principal>,
        _tool: &Arc<Tool>,
        _arguments_digest: Digest,
        _now: Timestamp,
    ) -> Decision {
        todo!()
    }
}

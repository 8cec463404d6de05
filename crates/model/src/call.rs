//! The call: what is written down before it runs, how it ended, and how people read it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::PermissionKey;
use crate::{
    AgentId, CallId, CredentialId, ModuleId, Money, RateId, RejectionId, TenantId, Timestamp, ToolId, UnitId,
    UserId, words,
};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// The state of everything that authorizes, as one value. A counter for people and a random token, compared
/// for equality, so that a failover that lost commits cannot mint the same value again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Epoch {
    /// Counts changes.
    pub number: i64,
    /// Random at each change.
    pub token: Uuid,
}

words! {
    /// What policy said of a call.
    Verdict {
        /// May run.
        Permit = "permit",
        /// May run once a person has approved it.
        Hold = "hold",
        /// May not run.
        Deny = "deny",
    }
}

words! {
    /// Why, as a stable code; the sentence beside it is for people.
    ReasonCode {
        /// A grant covers the tool's permission key.
        Granted = "granted",
        /// No grant gives the agent the key.
        MissingKey = "missing_key",
        /// The agent has the key; the person it acts for has not.
        OnBehalfMissingKey = "on_behalf_missing_key",
        /// The credential's time is over.
        CredentialExpired = "credential_expired",
        /// The request came from an address that the credential does not allow.
        CredentialAddress = "credential_address",
        /// The agent is suspended.
        AgentSuspended = "agent_suspended",
        /// The person who owns the agent, or for whom it acts, is suspended.
        UserSuspended = "user_suspended",
        /// The organization is suspended.
        TenantSuspended = "tenant_suspended",
        /// There is no such tool here, or none that this agent may know of.
        UnknownTool = "unknown_tool",
        /// The tool is not what was approved.
        ToolDrifted = "tool_drifted",
        /// The tool or its module takes no calls at present.
        ToolUnavailable = "tool_unavailable",
        /// A person must approve it first.
        ApprovalRequired = "approval_required",
        /// A policy forbids it.
        PolicyForbids = "policy_forbids",
        /// A policy could not be evaluated: denied.
        PolicyError = "policy_error",
        /// The arguments are not what the tool takes.
        InvalidArguments = "invalid_arguments",
        /// A limit's calls are used up for now.
        LimitReached = "limit_reached",
    }
}

/// Why a call was decided as it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reason {
    /// The stable code.
    pub code: ReasonCode,
    /// What happened, to which thing, and what to do, in words.
    pub sentence: String,
    /// The key that is missing, where that is the reason.
    pub missing_key: Option<PermissionKey>,
    /// Whom to ask, by name.
    pub ask: Option<String>,
}

words! {
    /// How a call that was admitted ended.
    Outcome {
        /// The tool answered.
        Succeeded = "succeeded",
        /// The tool answered that it failed.
        ToolError = "tool_error",
        /// The upstream server could not be understood, refused or broke off.
        UpstreamError = "upstream_error",
        /// The upstream server took too long.
        TimedOut = "timed_out",
        /// The caller went away or asked to stop.
        Cancelled = "cancelled",
        /// It was never sent: the upstream could not be reached, or too much time had passed.
        NotSent = "not_sent",
        /// The process that had it died. It may or may not have happened.
        Interrupted = "interrupted",
    }
}

impl Outcome {
    /// Whether the upstream may have received it, so that its price is due.
    pub const fn may_have_run(self) -> bool {
        !matches!(self, Self::NotSent)
    }
}

/// Who calls, resolved and attributed. Shared by all calls of one credential under one directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attribution {
    /// The tenant.
    pub tenant: TenantId,
    /// What was presented.
    pub credential: CredentialId,
    /// The agent that calls.
    pub agent: AgentId,
    /// The person who answers for it.
    pub owner: UserId,
    /// The person for whom it acts, from the credential alone.
    pub on_behalf_of: Option<UserId>,
    /// The agent's units, from the top down to its home.
    pub unit_path: Arc<[UnitId]>,
    /// Content address of what the decision knew of the principal.
    pub state: Digest,
    /// That state as canonical JSON.
    pub state_json: Arc<str>,
}

/// What the request told about the client. Never used to decide who it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Client {
    /// `clientInfo.name`, cut to 80 characters.
    pub name: Option<Arc<str>>,
    /// `clientInfo.version`, cut to 40 characters.
    pub version: Option<Arc<str>>,
    /// The protocol revision spoken.
    pub protocol: Option<Arc<str>>,
    /// The protocol session, where the era has one.
    pub session: Option<Arc<str>>,
    /// The address it came from.
    pub address: Option<IpAddr>,
}

/// What was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The name as the agent gave it, cut to 200 characters.
    pub name: Arc<str>,
    /// The module, when it is known.
    pub module: Option<ModuleId>,
    /// The tool, when it is known.
    pub tool: Option<ToolId>,
    /// Hash of the definition that was approved.
    pub definition: Option<Digest>,
    /// The rate in force.
    pub rate: Option<RateId>,
    /// What a call costs; reserved at admission.
    pub price: Money,
}

/// A call as it is written down before anything runs, whatever was decided.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id, made when the request was received.
    pub id: CallId,
    /// When the request was received.
    pub received_at: Timestamp,
    /// Under which epoch it was decided.
    pub epoch: Epoch,
    /// Until when the decision holds; an expiry, not a revocation.
    pub valid_until: Option<Timestamp>,
    /// What policy said.
    pub verdict: Verdict,
    /// Why; present unless permitted.
    pub reason: Option<Reason>,
    /// The determining policies.
    pub policies: Arc<[Arc<str>]>,
    /// Hash of the policies in force.
    pub policy_version: Digest,
    /// Who.
    pub who: Arc<Attribution>,
    /// What.
    pub wanted: Wanted,
    /// With what client.
    pub client: Client,
    /// The arguments, byte for byte.
    pub arguments: Bytes,
    /// SHA-256 of those bytes.
    pub arguments_digest: Digest,
}

/// The ledger's word that an entry is durable. What it is bound to is compared before anything runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// The call.
    pub call: CallId,
    /// Digest of the arguments that were written down.
    pub arguments_digest: Digest,
    /// The database's time of admission.
    pub admitted_at: Timestamp,
    /// Sending must begin before the boot-time clock shows this (time since boot).
    pub send_before: Duration,
}

/// Why an entry was not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// Something that authorizes has changed since: decide again on a directory that is not `seen`.
    #[error("rights have changed since the call was decided")]
    Stale {
        /// The epoch that holds now.
        current: Epoch,
    },
    /// The decision's time was over behind the gate.
    #[error("the decision had expired before the call was admitted")]
    Expired,
    /// There is a call of this id already.
    #[error("a call of this id is already on record")]
    Exists,
    /// The ledger could not write it down; nothing may run.
    #[error("the ledger cannot record calls at the moment")]
    Unavailable,
}

/// How an admitted call ended.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The tenant.
    pub tenant: TenantId,
    /// The call.
    pub call: CallId,
    /// When it ended.
    pub settled_at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// From receiving the request to having the reply.
    pub duration: Duration,
    /// The upstream's share of that; none if nothing was sent.
    pub upstream_duration: Option<Duration>,
    /// A short stable code and a sentence, unless it succeeded.
    pub failure: Option<Failure>,
    /// The result as it came, byte for byte, unless too large to keep.
    pub result: Option<Bytes>,
    /// What the server asked the client while the call ran, and what it was answered: the JSON text of an array of objects with
    /// `method`, `params`, and `answer` (an object with `result` or `error`; none: there was none). None: nothing was asked.
    pub exchange: Option<Bytes>,
    /// Size of the whole result in bytes.
    pub result_size: u64,
    /// SHA-256 of the whole result.
    pub result_digest: Option<Digest>,
    /// What it costs.
    pub charge: Money,
    /// By which rate.
    pub rate: Option<RateId>,
}

/// What went wrong, for people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// Stable code such as `connect_failed`.
    pub code: String,
    /// One sentence.
    pub sentence: String,
}

/// A request that never became a call: no valid credential, or nothing that could be understood.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// Its id.
    pub id: RejectionId,
    /// The tenant whose endpoint it reached.
    pub tenant: TenantId,
    /// When.
    pub at: Timestamp,
    /// Stable code such as `malformed_json`.
    pub code: &'static str,
    /// The HTTP status that was answered.
    pub status: u16,
    /// Whose credential it was, when known.
    pub credential: Option<CredentialId>,
    /// From where.
    pub address: Option<IpAddr>,
}

/// One line of Activity.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CallRow {
    /// Its id.
    pub id: CallId,
    /// When the request was received.
    pub received_at: Timestamp,
    /// The agent's id and name.
    pub agent: AgentId,
    /// The agent's name.
    pub agent_name: String,
    /// The person who owned the agent.
    pub owner: UserId,
    /// That person's name.
    pub owner_name: String,
    /// The person it acted for.
    pub on_behalf_of: Option<UserId>,
    /// That person's name.
    pub on_behalf_of_name: Option<String>,
    /// The unit the agent sat in at the time.
    pub unit: Option<UnitId>,
    /// That unit's name.
    pub unit_name: Option<String>,
    /// The tool as asked for: `crm.list_companies`.
    pub tool_name: String,
    /// What policy said.
    pub verdict: Verdict,
    /// Why, unless permitted.
    pub reason: Option<Reason>,
    /// How it ended; none while it runs or if it never ran.
    pub outcome: Option<Outcome>,
    /// How long it took, in microseconds.
    pub duration_us: Option<i64>,
    /// What it cost.
    pub charge: Option<Money>,
}

/// Everything that is known of one call.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CallStory {
    /// The line as in Activity.
    pub row: CallRow,
    /// When it was admitted (or the refusal recorded), by the database's clock.
    pub recorded_at: Timestamp,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
    /// The upstream's share of the duration, in microseconds.
    pub upstream_us: Option<i64>,
    /// The agent's units at the time, from the top.
    pub unit_path: Vec<String>,
    /// The credential's name and readable prefix.
    pub credential: Option<(String, String)>,
    /// The client as it named itself, with version.
    pub client: Option<String>,
    /// The protocol revision.
    pub protocol: Option<String>,
    /// The protocol session.
    pub session: Option<String>,
    /// The address it came from.
    pub address: Option<String>,
    /// The module's title.
    pub module_title: Option<String>,
    /// The determining policies.
    pub policies: Vec<String>,
    /// Hash of the policies in force, hexadecimal.
    pub policy_version: String,
    /// Number of the epoch it was decided under.
    pub epoch: i64,
    /// SHA-256 of the arguments, hexadecimal.
    pub arguments_digest: String,
    /// The arguments, when the reader may see content.
    pub arguments: Content,
    /// The result, when the reader may see content.
    pub result: Content,
    /// What its server asked the client meanwhile, when the reader may see content; see [`Settlement::exchange`].
    pub exchange: Content,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// An end that was reported after the call had been settled as interrupted.
    pub amended: Option<Outcome>,
}

/// Content of a call as a page may show it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Content {
    /// There is none.
    None,
    /// The text, as JSON.
    Text(String),
    /// It was larger than what is kept: its size in bytes.
    TooLarge(u64),
    /// The reader's role does not include content.
    Withheld,
}

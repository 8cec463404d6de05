//! What policy says of a call.

use std::sync::Arc;

use model::call::{Digest, Epoch, Reason};
use model::{TenantId, Timestamp};

use crate::directory::{Principal, Tool};

/// What policy says of a call.
#[derive(Debug)]
pub enum Decision {
    /// May run.
    Permit(Permit),
    /// May run once a person has approved it.
    Hold(Refusal),
    /// May not run.
    Deny(Refusal),
}

/// The right to make one call with these argument bytes under one epoch. Only this crate makes one.
#[derive(Debug)]
pub struct Permit {
    pub(crate) tenant: TenantId,
    pub(crate) epoch: Epoch,
    pub(crate) principal: Arc<Principal>,
    pub(crate) tool: Arc<Tool>,
    pub(crate) arguments_digest: Digest,
    pub(crate) valid_until: Option<Timestamp>,
    pub(crate) policies: Arc<[Arc<str>]>,
    pub(crate) policy_version: Digest,
}

/// A decision that something may not run (yet), with what is needed to record and explain it.
#[derive(Debug)]
pub struct Refusal {
    /// Under which epoch.
    pub epoch: Epoch,
    /// Why.
    pub reason: Reason,
    /// The determining policies.
    pub policies: Arc<[Arc<str>]>,
    /// Hash of the policies in force.
    pub policy_version: Digest,
}

impl Permit {
    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }
    /// Under which epoch it was decided.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
    /// Who may call.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }
    /// What may be called.
    pub fn tool(&self) -> &Arc<Tool> {
        &self.tool
    }
    /// SHA-256 of the argument bytes.
    pub fn arguments_digest(&self) -> &Digest {
        &self.arguments_digest
    }
    /// Until when it holds.
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.valid_until
    }
    /// The determining policies.
    pub fn policies(&self) -> &Arc<[Arc<str>]> {
        &self.policies
    }
    /// Hash of the policies in force.
    pub fn policy_version(&self) -> &Digest {
        &self.policy_version
    }
}

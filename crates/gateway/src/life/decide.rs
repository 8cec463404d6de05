//! What policy says of the call, and how the agent is told when it is not a yes.

use std::sync::Arc;

use model::call::{Reason, ReasonCode, Verdict, Wanted};
use model::catalog::Feature;
use model::{CallId, Currency, Money, Timestamp};
use policy::{Decision, Directory, Permit, Principal, Refusal, Tool};
use serde_json::json;

use super::ask::Ask;
use super::authenticate::Authenticated;
use super::receive::Received;
use super::resolve::Resolved;
use crate::refusals;
use crate::wire::{self, Answer, RpcError, code};

/// How much of a tool's name is kept on record, in characters.
const NAME: usize = 200;

/// A call that was decided, one way or the other.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) received: Box<Received>,
    pub(super) directory: Arc<Directory>,
    pub(super) principal: Arc<Principal>,
    pub(super) tool: Option<Arc<Tool>>,
    pub(super) ruling: Ruling,
}

/// What was decided.
#[derive(Debug)]
pub(super) enum Ruling {
    /// It may run.
    Permitted(Permit),
    /// It may not, or not yet.
    Refused {
        verdict: Verdict,
        refusal: Refusal,
        voice: Voice,
        /// After how many seconds another try may be worth it.
        retry_after: Option<u64>,
    },
}

/// How a refusal is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// As a tool result, which a model reads.
    ToolResult,
    /// As a JSON-RPC error, for what has no result that could say it.
    Error,
    /// As JSON-RPC's "invalid params", which the protocol wants for what is not there.
    Unknown,
    /// As HTTP's 401, for a credential that may not be used.
    Unauthorized,
}

/// Decides a call.
pub(super) fn decide(resolved: Resolved, now: Timestamp) -> Decided {
    let Resolved { received, directory, principal, tool } = resolved;
    let ruling = match directory.decide(&principal, &tool, received.digest(), now) {
        Decision::Permit(permit) => Ruling::Permitted(permit),
        Decision::Hold(refusal) => Ruling::refused(Verdict::Hold, refusal, received.ask()),
        Decision::Deny(refusal) => Ruling::refused(Verdict::Deny, refusal, received.ask()),
    };
    Decided { received, directory, principal, tool: Some(tool), ruling }
}

impl Ruling {
    /// Whether it may run, at once or once somebody has approved it.
    pub(super) fn may_run(&self) -> bool {
        matches!(self, Self::Permitted(_) | Self::Refused { verdict: Verdict::Hold, .. })
    }

    pub(super) fn refused(verdict: Verdict, refusal: Refusal, ask: Ask) -> Self {
        let voice = match refusal.reason.code {
            ReasonCode::UnknownTool => Voice::Unknown,
            _ if ask.is_tool_call() => Voice::ToolResult,
            _ => Voice::Error,
        };
        Self::Refused { verdict, refusal, voice, retry_after: None }
    }
}

impl Decided {
    /// The name stands for nothing that can be decided.
    pub(super) fn unresolved(authenticated: Authenticated, refusal: Refusal) -> Box<Self> {
        let Authenticated { received, directory, principal } = authenticated;
        let ruling = Ruling::refused(Verdict::Deny, refusal, received.ask());
        Box::new(Self { received, directory, principal, tool: None, ruling })
    }

    /// The credential may not be used. No policy was asked.
    pub(super) fn refused_at_the_door(authenticated: Authenticated, reason: Reason) -> Box<Self> {
        let Authenticated { received, directory, principal } = authenticated;
        let policy_version = directory.policy_version();
        let refusal = Refusal { epoch: directory.epoch(), reason, policies: Arc::from([]), policy_version };
        let voice = Voice::Unauthorized;
        let ruling = Ruling::Refused { verdict: Verdict::Deny, refusal, voice, retry_after: None };
        Box::new(Self { received, directory, principal, tool: None, ruling })
    }

    /// Whatever policy said of it, it is refused for this reason.
    pub(super) fn deny(&mut self, reason: Reason, after: Option<u64>) {
        let refusal = match &self.ruling {
            Ruling::Permitted(permit) => Refusal {
                epoch: permit.epoch(),
                reason,
                policies: permit.policies().clone(),
                policy_version: *permit.policy_version(),
            },
            Ruling::Refused { refusal, .. } => Refusal {
                epoch: refusal.epoch,
                reason,
                policies: refusal.policies.clone(),
                policy_version: refusal.policy_version,
            },
        };
        let mut ruling = Ruling::refused(Verdict::Deny, refusal, self.received.ask());
        if let Ruling::Refused { retry_after, .. } = &mut ruling {
            *retry_after = after;
        }
        self.ruling = ruling;
    }

    /// What was asked for, as it is recorded.
    pub(super) fn wanted(&self, currency: Currency) -> Wanted {
        // What was resolved by the name that the catalog has.
        let name = self.tool.as_ref().map_or(self.received.name(), |tool| &tool.full_name);
        let name = match name.char_indices().nth(NAME) {
            None => name.clone(),
            Some((end, _)) => Arc::from(name.split_at(end).0),
        };
        match &self.tool {
            None => Wanted {
                name,
                module: None,
                tool: None,
                definition: None,
                rate: None,
                price: Money::zero(currency),
            },
            Some(tool) => {
                let free = self.received.ask().is_free();
                Wanted {
                    name,
                    module: Some(tool.module),
                    tool: Some(tool.id),
                    definition: Some(tool.definition_hash),
                    rate: tool.rate.filter(|_| !free),
                    price: if free { Money::zero(tool.price.currency) } else { tool.price },
                }
            }
        }
    }
}

impl Voice {
    /// Tells the agent that its call was refused, and why. `call`: the one on record that says so too. `retry_after`: in how many
    /// seconds another try may be worth it.
    pub(super) fn tell(
        self,
        received: &Received,
        call: CallId,
        reason: &Reason,
        retry_after: Option<u64>,
    ) -> Answer {
        match self {
            Self::ToolResult => Answer::result(wire::refused(call, reason, retry_after)),
            Self::Error => {
                let error = RpcError::new(code::REFUSED, reason.sentence.clone());
                let mut data = json!({
                    "code": reason.code.word(), "missing_key": reason.missing_key, "ask": reason.ask, "call_id": call,
                });
                if let (Some(seconds), Some(data)) = (retry_after, data.as_object_mut()) {
                    data.insert("retry_after".to_owned(), seconds.into());
                }
                Answer::error(error.with(data))
            }
            Self::Unknown => {
                let name: String = received.name().chars().take(NAME).collect();
                let (what, code) = match received.ask().feature() {
                    Feature::Tool => ("tool", code::INVALID_PARAMS),
                    Feature::Prompt => ("prompt", code::INVALID_PARAMS),
                    // 2026-07-28 has no code of its own for it (Resources, Error Handling).
                    _ if received.is_stateless() => ("resource", code::INVALID_PARAMS),
                    _ => ("resource", code::RESOURCE_NOT_FOUND),
                };
                let error = RpcError::new(code, format!("Unknown {what}: {name}. {}", reason.sentence));
                let mut data = json!({"code": ReasonCode::UnknownTool.word(), "call_id": call});
                if let (Ask::Read | Ask::Subscribe, Some(data)) = (received.ask(), data.as_object_mut()) {
                    data.insert("uri".to_owned(), name.into());
                }
                Answer::error(error.with(data))
            }
            Self::Unauthorized => {
                let error = RpcError::new(code::INVALID_REQUEST, reason.sentence.clone());
                let error = error.with(json!({"code": reason.code.word(), "call_id": call}));
                Answer::challenged(error, refusals::INVALID_TOKEN)
            }
        }
    }
}

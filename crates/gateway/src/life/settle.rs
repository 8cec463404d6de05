//! How a call ended, told to the ledger exactly once and to the agent. The ledger is not waited for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use model::call::{Digest, Entry, Failure, Outcome, Reason, Settlement, Verdict};
use model::{AgentId, CallId, Money, RateId, TenantId, Timestamp};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::Lived;
use super::aloud::Aloud;
use super::ask::Ask;
use super::decide::Decided;
use super::ending::{Ending, Failed};
use super::inspect::Inspected;
use crate::conduit::Conduit;
use crate::gateway::House;
use crate::refusals;
use crate::seams::Traced;
use crate::trace::Trace;
use crate::upstream::Sending;
use crate::wire::{self, Answer, Revision, RpcError, code};

/// Results from this size on are hashed where they hold nobody up, in bytes.
const LARGE: usize = 1 << 20;

/// The duty to settle one call. Whoever drops it settles the call as cut off.
pub(super) struct Unsettled {
    house: Arc<House>,
    tenant: TenantId,
    call: CallId,
    agent: AgentId,
    called: Called,
    name: Arc<str>,
    verdict: Verdict,
    price: Money,
    rate: Option<RateId>,
    started: Instant,
    sent_from: Option<Instant>,
    sending: Option<Sending>,
    conduit: Option<Conduit>,
    at: Timestamp,
    trace: Option<Trace>,
    revision: Option<Revision>,
    /// Whether there is a call to settle: it was admitted, and is not settled yet.
    armed: bool,
}

impl fmt::Debug for Unsettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsettled")
            .field("call", &self.call)
            .field("armed", &self.armed)
            .finish_non_exhaustive()
    }
}

impl Unsettled {
    /// For a call that has yet to be admitted.
    pub(super) fn new(house: &Arc<House>, entry: &Entry, decided: &Decided) -> Self {
        Self {
            house: house.clone(),
            tenant: entry.who.tenant,
            call: entry.id,
            agent: entry.who.agent,
            called: Called {
                call: entry.id,
                ask: decided.received.ask(),
                is_stateless: decided.received.is_stateless(),
                is_retry: decided.received.input().is_there(),
            },
            name: entry.wanted.name.clone(),
            verdict: entry.verdict,
            price: entry.wanted.price,
            rate: entry.wanted.rate,
            started: decided.received.started(),
            sent_from: None,
            sending: None,
            conduit: decided.received.conduit().cloned(),
            at: decided.received.at(),
            trace: decided.received.trace(),
            revision: decided.received.revision(),
            armed: false,
        }
    }

    /// The call was admitted: from here on it is settled, come what may.
    pub(super) fn arm(&mut self) {
        self.armed = true;
    }

    /// What is asked and answered is heard there from here on.
    pub(super) fn hear(&mut self, conduit: Conduit) {
        self.conduit = Some(conduit);
    }

    /// Knows from here on whether the call was sent.
    pub(super) fn watch(&mut self, sending: Sending) {
        self.sending = Some(sending);
    }

    /// The upstream's share of the time begins.
    pub(super) fn sent_from(&mut self, instant: Instant) {
        self.sent_from = Some(instant);
    }

    pub(super) fn call(&self) -> CallId {
        self.call
    }

    pub(super) fn called(&self) -> Called {
        self.called
    }

    pub(super) fn is_permitted(&self) -> bool {
        self.verdict == Verdict::Permit
    }

    fn was_sent(&self) -> bool {
        self.sending.as_ref().is_some_and(Sending::has_begun)
    }

    /// Settles the call.
    pub(super) fn settle(self, ending: Ending) {
        self.settle_hashed(&ending, None);
    }

    fn settle_hashed(mut self, ending: &Ending, digest: Option<Digest>) {
        self.tell(ending, digest);
    }

    fn tell(&mut self, ending: &Ending, digest: Option<Digest>) {
        if !std::mem::take(&mut self.armed) {
            return;
        }
        let (outcome, failure, result) = match ending {
            Ending::Answered { result, is_error: false } => (Outcome::Succeeded, None, Some(&result.text)),
            Ending::Answered { result, is_error: true } => {
                let sentence = "the tool answered that it failed".to_owned();
                let failure = Failure { code: "tool_error".to_owned(), sentence };
                (Outcome::ToolError, Some(failure), Some(&result.text))
            }
            // What it asked for is what it answered.
            Ending::Asks { result, .. } => (Outcome::Succeeded, None, Some(result)),
            Ending::Failed(failed) => {
                let failure = Failure { code: failed.code.to_owned(), sentence: failed.sentence.clone() };
                (failed.outcome, Some(failure), failed.content.as_ref())
            }
        };
        let now = Instant::now();
        let duration = now.saturating_duration_since(self.started);
        let sent_from = self.sent_from.filter(|_| self.was_sent());
        let upstream_duration = sent_from.map(|from| now.saturating_duration_since(from));
        let charge = if outcome.may_have_run() { self.price } else { Money::zero(self.price.currency) };
        tracing::info!(
            target: "call",
            call = %self.call,
            tenant = %self.tenant,
            agent = %self.agent,
            "gen_ai.tool.name" = &*self.name,
            verdict = self.verdict.word(),
            outcome = outcome.word(),
            failure = failure.as_ref().map(|failure| &*failure.code),
            duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            upstream_us = upstream_duration.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
            trace_id = self.trace.map(|trace| tracing::field::display(trace.id())),
        );
        let sent_after = self.sent_from.map(|from| from.saturating_duration_since(self.started));
        self.trace(
            duration,
            failure.as_ref().map(|failure| &*failure.code),
            sent_after.zip(upstream_duration),
        );
        let kept = result.filter(|text| text.len() <= self.house.settings.kept_result_bytes);
        self.house.plugs.ledger.settle(Settlement {
            tenant: self.tenant,
            call: self.call,
            settled_at: self.house.ambient.now(),
            outcome,
            duration,
            upstream_duration,
            failure,
            result: kept.cloned(),
            exchange: self.conduit.as_ref().and_then(Conduit::exchange),
            result_size: result.map_or(0, |text| text.len() as u64),
            result_digest: digest,
            charge,
            rate: self.rate,
        });
    }

    /// Writes the log line of a call that was refused: there is nothing to settle.
    pub(super) fn log_refusal(&self, reason: &Reason) {
        tracing::info!(
            target: "call",
            call = %self.call,
            tenant = %self.tenant,
            agent = %self.agent,
            "gen_ai.tool.name" = &*self.name,
            verdict = self.verdict.word(),
            reason = reason.code.word(),
            duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            trace_id = self.trace.map(|trace| tracing::field::display(trace.id())),
        );
        self.trace(self.started.elapsed(), Some(reason.code.word()), None);
    }

    /// Tells whoever gathers traces of it.
    fn trace(&self, took: Duration, error: Option<&str>, upstream: Option<(Duration, Duration)>) {
        let Some(part) = self.trace.and_then(|trace| trace.told()) else { return };
        self.house.plugs.traces.ended(Traced {
            part,
            method: self.called.ask.method(),
            target: self.name.clone(),
            revision: self.revision.map(Revision::word),
            call: self.call,
            tenant: self.tenant,
            agent: self.agent,
            at: self.at,
            took,
            verdict: self.verdict.word(),
            error: error.map(str::to_owned),
            upstream,
        });
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let failed = Failed::let_go(self.was_sent(), std::thread::panicking());
        self.tell(&Ending::Failed(failed), None);
    }
}

/// Writes down how a call ended.
pub(super) async fn record(unsettled: Unsettled, ending: &Ending) {
    let digest = match ending {
        Ending::Answered { result, .. } => hash(result.text.clone()).await,
        Ending::Asks { result, .. } => hash(result.clone()).await,
        Ending::Failed(Failed { content: Some(content), .. }) => hash(content.clone()).await,
        Ending::Failed(_) => None,
    };
    tracing::debug!(target: "call", call = %unsettled.call, "settling");
    unsettled.settle_hashed(ending, digest);
}

/// What is known of a call whoever settles it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Called {
    call: CallId,
    ask: Ask,
    is_stateless: bool,
    /// Whether it brought more than its arguments, so that its result is true of this once (2026-07-28, Caching).
    is_retry: bool,
}

/// Settles a call and answers it.
pub(super) async fn settle(house: &House, inspected: Inspected) -> Lived {
    let Inspected { unsettled, asked: Called { call, ask, is_stateless, is_retry }, ending } = inspected;
    let keep_for = if is_retry { Duration::ZERO } else { house.settings.list_ttl };
    if let Some(unsettled) = unsettled {
        record(unsettled, &ending).await;
    }
    Lived::Answered(match ending {
        Ending::Answered { result, .. } if ask == Ask::Read && is_stateless => {
            Answer::result(wire::private(result, keep_for))
        }
        Ending::Answered { result, .. } => Answer::result(result),
        Ending::Asks { result, questions, next } if !is_stateless => {
            return Lived::Asks(Box::new(Aloud { next, questions, result }));
        }
        Ending::Asks { result, questions, next } => {
            // The state is ours, and theirs is in it; the rest passes as it came.
            let asking = next.seal(house, questions).and_then(|state| wire::asking(&result, &state));
            asking.map_or_else(refusals::internal, Answer::result)
        }
        Ending::Failed(failed) => tell_failed(call, ask, is_stateless, failed),
    })
}

/// Tells the agent of a call that brought no result.
pub(super) fn tell_failed(call: CallId, ask: Ask, is_stateless: bool, failed: Failed) -> Answer {
    match failed {
        // A client that says what it can do is told what more it would have to (2026-07-28, Error Codes).
        Failed { lacking: Some(data), told, .. } if is_stateless => {
            let error = RpcError::new(code::MISSING_CAPABILITY, told).with_raw(data);
            Answer::refused(StatusCode::BAD_REQUEST, error)
        }
        failed if ask.is_tool_call() => {
            Answer::result(wire::failed(call, failed.code, &failed.told, failed.retry_after))
        }
        failed => Answer::error(error(call, failed, is_stateless)),
    }
}

/// What went wrong with anything but a tool call, which alone has a result that can say so.
fn error(call: CallId, failed: Failed, is_stateless: bool) -> RpcError {
    let code = match failed.theirs {
        Some(code::RESOURCE_NOT_FOUND) if is_stateless => code::INVALID_PARAMS,
        Some(theirs @ (code::RESOURCE_NOT_FOUND | code::INVALID_PARAMS)) => theirs,
        _ => code::INTERNAL,
    };
    let data = match failed.retry_after {
        None => json!({ "code": failed.code, "call_id": call }),
        Some(seconds) => json!({ "code": failed.code, "call_id": call, "retry_after": seconds }),
    };
    RpcError::new(code, failed.told).with(data)
}

async fn hash(text: Bytes) -> Option<Digest> {
    if text.len() < LARGE {
        return Some(Sha256::digest(&text).into());
    }
    tokio::task::spawn_blocking(move || Sha256::digest(&text).into()).await.ok()
}

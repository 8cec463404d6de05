//! The gate: the decision is written down, and only what the ledger vouches for goes on. What was refused is written
//! down as well, and is decided again just the same when rights have changed meanwhile.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use model::CallId;
use model::call::{Entry, NotAdmitted, Receipt, Verdict};
use policy::{Directory, Permit, Principal};
use tokio::time::Instant;

use super::ask::Ask;
use super::decide::{Decided, Ruling};
use super::ending::Ending;
use super::limit::Limited;
use super::receive::Received;
use super::rounds::{Input, Next};
use super::settle::Unsettled;
use super::subscribing::Subscribing;
use crate::conduit::Conduit;
use crate::gateway::House;
use crate::refusals;
use crate::trace::Trace;
use crate::upstream::Sending;
use crate::wire::{Answer, Capabilities};

/// A call that may be executed: permitted, on record, and not executed yet. It can only be made here, from a permit
/// of the policy crate and a receipt of the ledger that are about the same call and the same argument bytes; and it
/// is settled exactly once, whatever becomes of it.
///
/// It can be looked at:
///
/// ```
/// fn id(call: &gateway::Admitted) -> model::CallId {
///     call.id()
/// }
/// ```
///
/// It cannot be made from a permit and a receipt, even with both at hand:
///
/// ```compile_fail,E0451
/// fn skip(like: gateway::Admitted) -> gateway::Admitted {
///     gateway::Admitted { ..like }
/// }
/// ```
///
/// Nor is there a function that would:
///
/// ```compile_fail,E0624
/// fn skip(permit: policy::Permit, receipt: model::call::Receipt) {
///     gateway::Admitted::new(permit, receipt);
/// }
/// ```
#[derive(Debug)]
pub struct Admitted {
    parts: Parts,
}

/// What there is to execute.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) permit: Arc<Permit>,
    pub(super) ask: Ask,
    /// As the agent gave it.
    pub(super) name: Arc<str>,
    pub(super) arguments: Bytes,
    pub(super) input: Input,
    pub(super) capabilities: Capabilities,
    /// What a client that can take a question brings back with its answer.
    pub(super) next: Option<Next>,
    pub(super) conduit: Option<Conduit>,
    pub(super) trace: Option<Trace>,
    pub(super) subscribing: Option<Subscribing>,
    pub(super) deadline: Instant,
    pub(super) unsettled: Unsettled,
    pub(super) sending: Sending,
}

impl Admitted {
    /// The call.
    pub fn id(&self) -> CallId {
        self.parts.unsettled.call()
    }

    /// Joins a permit and a receipt that are about the same call; anything else is not executed.
    fn new(
        house: &Arc<House>,
        permit: Permit,
        receipt: Receipt,
        received: &Received,
        mut unsettled: Unsettled,
    ) -> Option<Self> {
        unsettled.arm();
        let digest = received.digest();
        let same_call = receipt.call == received.id();
        let same_arguments = receipt.arguments_digest == digest && *permit.arguments_digest() == digest;
        if !same_call || !same_arguments {
            unsettled.settle(Ending::mismatch());
            return None;
        }
        let sending = Sending::new(receipt.send_before, house.plugs.boot.clone());
        unsettled.watch(sending.clone());
        let parts = Parts {
            next: Next::after(received, &permit),
            input: received.input().clone(),
            capabilities: received.capabilities(),
            permit: Arc::new(permit),
            ask: received.ask(),
            name: received.name().clone(),
            arguments: received.arguments().clone(),
            conduit: received.conduit().cloned(),
            trace: received.trace(),
            subscribing: received.subscribing().cloned(),
            deadline: received.deadline(),
            unsettled,
            sending,
        };
        Some(Self { parts })
    }

    /// Takes it apart to be executed.
    pub(super) fn into_parts(self) -> Parts {
        self.parts
    }
}

/// What became of a decided call at the gate.
pub(super) enum Admission {
    /// It may run.
    Admitted(Box<Admitted>),
    /// The refusal is on record; this is what the agent is told.
    Recorded(Answer),
    /// It was decided on what no longer holds.
    Again(Again),
    /// It could not be written down; nothing runs.
    Failed(Answer),
}

/// A call that has to be decided again.
#[derive(Debug)]
pub(super) struct Again {
    pub(super) received: Box<Received>,
    /// The snapshot that the last decision was made on, and who it said is calling.
    pub(super) directory: Arc<Directory>,
    pub(super) principal: Arc<Principal>,
    pub(super) why: Why,
}

/// Why a decision did not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Rights have changed.
    Stale,
    /// Its time was over.
    Expired,
}

/// Has a decided call written down.
pub(super) async fn admit(house: &Arc<House>, limited: Limited) -> Admission {
    // Unless it is admitted, it gives back what it has taken of limits.
    let Limited { decided, taken, reached, noted } = limited;
    let entry = entry(house, &decided);
    let unsettled = Unsettled::new(house, &entry, &decided);
    let deadline = decided.received.deadline();
    let mut pending = Pending::new(house, entry, unsettled);
    let written = tokio::time::timeout_at(deadline, &mut pending).await;
    let Decided { received, directory, principal, ruling, .. } = decided;
    let again = |received, why| Admission::Again(Again { received, directory, principal, why });
    match written {
        Ok((Ok(receipt), unsettled)) => match ruling {
            Ruling::Permitted(permit) => match Admitted::new(house, permit, receipt, &received, unsettled) {
                Some(admitted) => {
                    taken.spend();
                    Admission::Admitted(Box::new(admitted))
                }
                None => Admission::Failed(refusals::internal()),
            },
            Ruling::Refused { refusal, voice, retry_after, .. } => {
                unsettled.log_refusal(&refusal.reason);
                // What is decided again may be refused again: it counts once.
                if let Some((scope, per)) = reached {
                    house.plugs.limits.reached(scope, per);
                }
                if let Some(noted) = noted {
                    noted.recorded();
                }
                Admission::Recorded(voice.tell(&received, received.id(), &refusal.reason, retry_after))
            }
        },
        Ok((Err(NotAdmitted::Stale { .. }), _)) => again(received, Why::Stale),
        Ok((Err(NotAdmitted::Expired), _)) => again(received, Why::Expired),
        Ok((Err(NotAdmitted::Exists), _)) => Admission::Failed(refusals::internal()),
        Ok((Err(NotAdmitted::Unavailable), _)) | Err(_) => Admission::Failed(refusals::ledger_unavailable()),
    }
}

fn entry(house: &House, decided: &Decided) -> Entry {
    let received = &decided.received;
    let wanted = decided.wanted(house.settings.currency);
    let (epoch, valid_until, verdict, reason, policies, policy_version) = match &decided.ruling {
        Ruling::Permitted(permit) => (
            permit.epoch(),
            permit.valid_until(),
            Verdict::Permit,
            None,
            permit.policies().clone(),
            *permit.policy_version(),
        ),
        Ruling::Refused { verdict, refusal, .. } => (
            refusal.epoch,
            None,
            *verdict,
            Some(refusal.reason.clone()),
            refusal.policies.clone(),
            refusal.policy_version,
        ),
    };
    Entry {
        id: received.id(),
        received_at: received.at(),
        epoch,
        valid_until,
        verdict,
        reason,
        policies,
        policy_version,
        who: decided.principal.attribution.clone(),
        wanted,
        client: received.client().clone(),
        arguments: received.on_record().clone(),
        arguments_digest: received.digest(),
    }
}

/// An entry on its way to the ledger. The ledger may have taken it even if nobody waits for the answer any more, so
/// an answer that nobody waits for is waited for in the background, and settled as not sent.
struct Pending {
    /// Gone once there is an answer.
    under_way: Option<(BoxFuture<'static, Result<Receipt, NotAdmitted>>, Unsettled)>,
}

impl Pending {
    fn new(house: &Arc<House>, entry: Entry, unsettled: Unsettled) -> Self {
        let ledger = house.plugs.ledger.clone();
        let admission = Box::pin(async move { ledger.admit(entry).await });
        Self { under_way: Some((admission, unsettled)) }
    }
}

impl Future for Pending {
    type Output = (Result<Receipt, NotAdmitted>, Unsettled);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((admission, _)) = &mut self.under_way else { return Poll::Pending };
        match admission.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(answer) => match self.under_way.take() {
                Some((_, unsettled)) => Poll::Ready((answer, unsettled)),
                None => Poll::Pending,
            },
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Some((admission, mut unsettled)) = self.under_way.take() else { return };
        if std::thread::panicking() {
            // It broke in the middle of being polled and must not be polled again. The call was not sent; if it was
            // written down all the same, it is found without a settlement.
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if admission.await.is_ok() && unsettled.is_permitted() {
                unsettled.arm();
                unsettled.settle(Ending::left_before_sending());
            }
        });
    }
}

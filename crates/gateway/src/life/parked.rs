//! A server of the `initialize` era asks while it works on a call of a client of 2026-07-28. That client is answered with what is asked
//! and goes on with a call of its own; until then the first one waits here, still executing at its server, and is settled when that
//! is done with it. A round that may bring its answers takes it up where it was left.
//! Where it waits, and for how long: [`super::parking`].

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::ending::{Ending, Failed};
use super::inspect::unheard;
use super::settle::{Unsettled, record};
use crate::conduit::Conduit;
use crate::correspondence::Said;
use crate::inquiry::{Inquiries, Inquiry};
use crate::upstream::Brought;
use crate::waiting::at;
use crate::wire::{self, Asked};

/// How much one call's server may ask at a time, in bytes.
const ASKED: usize = 1 << 20;
/// How long is waited, once something was asked, for what else is asked, or for the answer that needed none.
const GATHERING: Duration = Duration::from_millis(50);
/// Largest result that is kept for whom is to fetch it, in bytes.
const KEPT: usize = 256 << 10;

/// What a server brought back, or what went wrong.
pub(super) type Done = Result<Brought, Failed>;

/// A call that is executing at its server, with what that has asked meanwhile.
pub(super) struct Exchange {
    /// Until it is done.
    executing: Option<BoxFuture<'static, Done>>,
    /// Once it is done, and nobody has fetched it.
    done: Option<Done>,
    inquiries: Inquiries,
    /// By which its client is told how it goes.
    conduit: Conduit,
    /// What was asked and is not answered.
    open: Vec<Open>,
    asked: u32,
    /// The duty to settle the first call, once that was answered with a question.
    first: Option<Unsettled>,
    /// What this node has yet to do before it stops.
    tasks: TaskTracker,
}

struct Open {
    asked: Asked,
    answer: oneshot::Sender<Said>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("first", &self.first).finish_non_exhaustive()
    }
}

impl Exchange {
    pub(super) fn new(
        executing: BoxFuture<'static, Done>,
        inquiries: Inquiries,
        conduit: Conduit,
        tasks: TaskTracker,
    ) -> Self {
        let (executing, done, open, first) = (Some(executing), None, Vec::new(), None);
        Self { executing, done, inquiries, conduit, open, asked: 0, first, tasks }
    }

    /// How it goes is told to the client of the round that goes on with it.
    pub(super) fn told_to(&self, of: Option<&Conduit>) {
        self.conduit.goes_on(of);
    }

    /// Its first call was answered with a question, and is to be settled when its server is done.
    pub(super) fn owing(&mut self, first: Unsettled) {
        self.first = Some(first);
    }

    /// Gives back the duty to settle the first call, if it is here.
    pub(super) fn owes(&mut self) -> Option<Unsettled> {
        self.first.take()
    }

    /// Goes on until its server is done or asks something. None: it asks.
    pub(super) async fn go_on(&mut self) -> Option<Done> {
        let mut until = None;
        loop {
            // What its server does not wait for any more is not asked.
            self.open.retain(|open| !open.answer.is_closed());
            until = if self.open.is_empty() { None } else { until.or(Some(Instant::now() + GATHERING)) };
            tokio::select! {
                biased;
                done = executed(&mut self.executing, &mut self.done) => {
                    self.is_done(&done);
                    return Some(done);
                }
                Some(inquiry) = self.inquiries.recv() => self.take(inquiry),
                () = at(until) => return None,
            }
        }
    }

    fn take(&mut self, inquiry: Inquiry) {
        let Inquiry { kind, params, answer } = inquiry;
        let held: usize =
            self.open.iter().filter_map(|open| open.asked.params.as_ref()).map(Bytes::len).sum();
        if held + params.len() > ASKED {
            // Its server hears that there is no answer.
            return;
        }
        self.asked += 1;
        let asked = Asked { key: format!("q{}", self.asked), kind, params: Some(params) };
        self.open.push(Open { asked, answer });
    }

    /// What is asked, as an `input_required` result.
    pub(super) fn asks(&self) -> Bytes {
        wire::input_required(self.open.iter().map(|open| &open.asked))
    }

    /// Passes on what the client answered; what it left out stays open.
    pub(super) fn answer(&mut self, responses: &[u8]) {
        for (key, response) in wire::members(responses).unwrap_or_default() {
            if let Some(at) = self.open.iter().position(|open| open.asked.key == key) {
                let _ = self.open.swap_remove(at).answer.send(Ok(response.to_owned()));
            }
        }
        self.open.sort_by_key(|open| (open.asked.key.len(), open.asked.key.clone()));
    }

    /// The first call is settled, without holding anybody up.
    fn is_done(&mut self, done: &Done) {
        if let Some(first) = self.first.take() {
            let ending = unheard(done.clone());
            self.tasks.spawn(async move { record(first, &ending).await });
        }
    }

    /// Goes on while nobody is there. Comes to an end only where what was brought back is too large to be kept.
    pub(super) async fn wait(&mut self) {
        loop {
            if self.done.is_some() {
                return std::future::pending().await;
            }
            tokio::select! {
                biased;
                done = executed(&mut self.executing, &mut self.done) => {
                    self.is_done(&done);
                    if done.as_ref().is_ok_and(|brought| brought.result.len() > KEPT) {
                        return;
                    }
                    self.done = Some(done);
                }
                Some(inquiry) = self.inquiries.recv() => self.take(inquiry),
            }
        }
    }

    /// Nobody will fetch it: its server hears that there are no answers, and may be done until `patience` is over. If it is not, its
    /// call has failed in this way.
    pub(super) async fn finish(mut self: Box<Self>, patience: impl Future<Output = ()>, otherwise: Failed) {
        self.open.clear();
        if self.executing.is_none() && self.done.is_none() {
            return;
        }
        let ended = async {
            loop {
                tokio::select! {
                    biased;
                    done = executed(&mut self.executing, &mut self.done) => return done,
                    Some(_) = self.inquiries.recv() => (),
                }
            }
        };
        let done = tokio::select! {
            biased;
            done = ended => Some(done),
            () = patience => None,
        };
        match (self.first.take(), done) {
            (Some(first), Some(done)) => record(first, &unheard(done)).await,
            (Some(first), None) => first.settle(Ending::Failed(otherwise)),
            (None, _) => (),
        }
    }
}

/// Comes when it is done; once.
async fn executed(executing: &mut Option<BoxFuture<'static, Done>>, done: &mut Option<Done>) -> Done {
    if let Some(done) = done.take() {
        return done;
    }
    let Some(future) = executing else { return std::future::pending().await };
    let result = future.await;
    *executing = None;
    result
}

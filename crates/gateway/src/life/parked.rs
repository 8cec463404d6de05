//! A server of the `initialize` era asks while it works on a call of a client of 2026-07-28. That client is answered with what is asked
//! and goes on with a call of its own; until then the first one waits here, still executing at its server, and is settled when that
//! is done with it. A round that may bring its answers takes it up where it was left.
//!
//! What waits does so at one node, and only for so long and so many at a time. It ends with its credential, and with the node.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use model::call::Epoch;
use model::{AgentId, CredentialId, TenantId};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::authenticate::{Presented, still_in};
use super::ending::{Ending, Failed};
use super::inspect::unheard;
use super::rounds::Parked;
use super::settle::{Unsettled, record};
use crate::conduit::Conduit;
use crate::correspondence::Said;
use crate::gateway::House;
use crate::inquiry::{Inquiries, Inquiry};
use crate::seams::Unavailable;
use crate::upstream::Brought;
use crate::wire::{self, Asked};

/// Calls of a credential, of a tenant and of a node that may wait at a time.
const OF_A_CREDENTIAL: usize = 16;
const OF_A_TENANT: usize = 128;
const OF_A_NODE: usize = 1024;
/// How much one call's server may ask at a time, in bytes.
const ASKED: usize = 1 << 20;
/// How long is waited, once something was asked, for what else is asked, or for the answer that needed none.
const GATHERING: Duration = Duration::from_millis(50);
/// Largest result that is kept for whom is to fetch it, in bytes.
const KEPT: usize = 256 << 10;
/// How long a server may take to hear that it is not waited for any more.
const FAREWELL: Duration = Duration::from_secs(1);
/// What is waited where it cannot be known whether a credential is still good.
const AWHILE: Duration = Duration::from_secs(1);

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
}

struct Open {
    asked: Asked,
    answer: oneshot::Sender<Said>,
}

/// Whose call waits.
pub(super) struct Whose {
    pub(super) tenant: TenantId,
    pub(super) agent: AgentId,
    pub(super) credential: CredentialId,
    pub(super) presented: Presented,
    /// Under which it was decided.
    pub(super) epoch: Epoch,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("first", &self.first).finish_non_exhaustive()
    }
}

impl Exchange {
    pub(super) fn new(executing: BoxFuture<'static, Done>, inquiries: Inquiries, conduit: Conduit) -> Self {
        let (executing, done, open, first) = (Some(executing), None, Vec::new(), None);
        Self { executing, done, inquiries, conduit, open, asked: 0, first }
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
            tokio::spawn(async move { record(first, &ending).await });
        }
    }

    /// Goes on while nobody is there. Comes to an end only where what was brought back is too large to be kept.
    async fn wait(&mut self) {
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

    /// Nobody will fetch it: its server hears that there are no answers, and may be done until `patience` is over.
    async fn finish(mut self: Box<Self>, patience: impl Future<Output = ()>) {
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
            (Some(first), None) => first.settle(Ending::Failed(Failed::given_up())),
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

/// The calls that wait on this node.
#[derive(Default)]
pub(crate) struct Parking {
    slots: Mutex<HashMap<Uuid, Slot>>,
    closing: CancellationToken,
    /// Whatever waits, or is being given up.
    tasks: TaskTracker,
}

struct Slot {
    tenant: TenantId,
    agent: AgentId,
    credential: CredentialId,
    /// Dropped, it says that nobody will fetch what waits.
    fetch: oneshot::Sender<oneshot::Sender<Box<Exchange>>>,
}

/// How waiting ends.
enum End {
    Fetched(oneshot::Sender<Box<Exchange>>),
    /// Its time is over.
    Late,
    /// It may not be fetched any more.
    GivenUp,
}

impl Parking {
    /// Has an exchange wait under a ticket; gives it back where too many wait.
    pub(super) fn park(
        house: &Arc<House>,
        whose: Whose,
        exchange: Box<Exchange>,
    ) -> Result<Parked, Box<Exchange>> {
        let ticket = house.ambient.random_uuid();
        let (fetch, fetched) = oneshot::channel();
        let Whose { tenant, agent, credential, .. } = whose;
        {
            let mut slots = house.parking.slots.lock();
            let of = |is: &dyn Fn(&Slot) -> bool| slots.values().filter(|slot| is(slot)).count();
            if house.parking.closing.is_cancelled()
                || slots.len() >= OF_A_NODE
                || of(&|slot| slot.tenant == tenant) >= OF_A_TENANT
                || of(&|slot| slot.credential == credential) >= OF_A_CREDENTIAL
            {
                return Err(exchange);
            }
            slots.insert(ticket, Slot { tenant, agent, credential, fetch });
        }
        house.parking.tasks.spawn(keep(house.clone(), ticket, whose, exchange, fetched));
        Ok(Parked { node: house.node, ticket })
    }

    /// Fetches what waits under a ticket. None: nothing does.
    pub(super) async fn fetch(&self, ticket: Uuid) -> Option<Box<Exchange>> {
        let slot = self.slots.lock().remove(&ticket)?;
        let (back, exchange) = oneshot::channel();
        slot.fetch.send(back).ok()?;
        exchange.await.ok()
    }

    /// What an agent has waiting under a ticket is not to be fetched any more.
    pub(super) fn give_up(&self, ticket: Uuid, agent: AgentId) {
        let mut slots = self.slots.lock();
        if slots.get(&ticket).is_some_and(|slot| slot.agent == agent) {
            slots.remove(&ticket);
        }
    }

    /// Ends an exchange that is not to wait at all.
    pub(super) fn dismiss(&self, exchange: Box<Exchange>) {
        self.tasks.spawn(exchange.finish(tokio::time::sleep(FAREWELL)));
    }

    /// Gives up all that waits; nothing waits from here on.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    /// Comes when all that waited has ended, once it was given up.
    pub(crate) async fn closed(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn keep(
    house: Arc<House>,
    ticket: Uuid,
    whose: Whose,
    mut exchange: Box<Exchange>,
    fetched: oneshot::Receiver<oneshot::Sender<Box<Exchange>>>,
) {
    let end = tokio::select! {
        biased;
        back = fetched => back.map_or(End::GivenUp, End::Fetched),
        () = house.parking.closing.cancelled() => End::GivenUp,
        () = tokio::time::sleep(house.settings.input_timeout) => End::Late,
        () = gone(&house, &whose) => End::GivenUp,
        () = exchange.wait() => End::Late,
    };
    house.parking.slots.lock().remove(&ticket);
    match end {
        // If whoever wanted it has gone meanwhile, it ends with that.
        End::Fetched(back) => drop(back.send(exchange)),
        // It has the time that any call has, as long as this node goes on.
        End::Late => {
            let stopping = async {
                house.parking.closing.cancelled().await;
                tokio::time::sleep(FAREWELL).await;
            };
            exchange.finish(stopping).await;
        }
        End::GivenUp => exchange.finish(tokio::time::sleep(FAREWELL)).await,
    }
}

/// Comes when a credential may not be used any more.
async fn gone(house: &House, whose: &Whose) {
    let mut epoch = whose.epoch;
    loop {
        match house.plugs.directories.moved(whose.presented.endpoint, epoch).await {
            Ok(Some(directory)) => {
                epoch = directory.epoch();
                if still_in(house, directory, &whose.presented).is_none() {
                    return;
                }
            }
            Ok(None) => return,
            Err(Unavailable) => tokio::time::sleep(AWHILE).await,
        }
    }
}

/// Comes at an instant, or never.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

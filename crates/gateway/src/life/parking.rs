//! Where calls wait for the rounds that go on with them: at one node, and only for so long and so many at a time. What waits ends with its
//! credential, and with the node.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::call::Epoch;
use model::{AgentId, CredentialId, ModuleId, TenantId};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::admit::Parts;
use super::authenticate::{Presented, still_in};
use super::ending::Failed;
use super::parked::{Done, Exchange};
use super::rounds::Parked;
use crate::gateway::House;
use crate::seams::Unavailable;

/// Calls of a credential, of a tenant and of a node that may wait at a time; of a module, half of those that may be under way.
const OF_A_CREDENTIAL: usize = 16;
const OF_A_TENANT: usize = 128;
const OF_A_NODE: usize = 1024;
/// How much those of a tenant and of a node may keep, in bytes of arguments and questions.
const BYTES_OF_A_TENANT: usize = 32 << 20;
const BYTES_OF_A_NODE: usize = 256 << 20;
/// How long a server may take to hear that it is not waited for any more.
const FAREWELL: Duration = Duration::from_secs(2);
/// What is waited where it cannot be known whether a credential is still good.
const AWHILE: Duration = Duration::from_secs(1);

/// Whose call waits.
pub(super) struct Whose {
    pub(super) tenant: TenantId,
    pub(super) agent: AgentId,
    pub(super) credential: CredentialId,
    pub(super) module: ModuleId,
    pub(super) presented: Presented,
    /// Under which it was decided.
    pub(super) epoch: Epoch,
    /// How much of it is kept.
    pub(super) bytes: usize,
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
    module: ModuleId,
    bytes: usize,
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

/// A place that is taken: free again once it is dropped, whatever becomes of what waits there.
struct Place {
    parking: Arc<Parking>,
    ticket: Uuid,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.parking.slots.lock().remove(&self.ticket);
    }
}

/// What was fetched, for a round. If its client leaves meanwhile, its server is told.
pub(super) struct Fetched {
    parking: Arc<Parking>,
    exchange: Option<Box<Exchange>>,
}

impl Fetched {
    /// Goes on with what the client brought; see [`Exchange::go_on`]. With what asks, if it does.
    pub(super) async fn go_on(mut self) -> Result<Done, Box<Exchange>> {
        let done = match &mut self.exchange {
            Some(exchange) => exchange.go_on().await,
            None => None,
        };
        match (done, self.exchange.take()) {
            (Some(done), _) => Ok(done),
            (None, Some(exchange)) => Err(exchange),
            (None, None) => Ok(Err(Failed::given_up())),
        }
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        let Some(exchange) = self.exchange.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let ended = exchange.finish(tokio::time::sleep(FAREWELL), Failed::let_go(true, false));
            self.parking.tasks.spawn_on(ended, &runtime);
        }
    }
}

impl Parking {
    /// Has an exchange wait under a ticket; gives it back where too many wait. One that has waited before keeps its place.
    pub(super) fn park(
        house: &Arc<House>,
        whose: Whose,
        exchange: Box<Exchange>,
        is_first: bool,
    ) -> Result<Parked, Box<Exchange>> {
        let parking = &house.parking;
        let ticket = house.ambient.random_uuid();
        let (fetch, fetched) = oneshot::channel();
        {
            let of_a_module = (house.settings.upstream_concurrency / 2).max(1);
            let mut slots = parking.slots.lock();
            if parking.closing.is_cancelled() || (is_first && !has_room(&slots, &whose, of_a_module)) {
                return Err(exchange);
            }
            let Whose { tenant, agent, credential, module, bytes, .. } = whose;
            slots.insert(ticket, Slot { tenant, agent, credential, module, bytes, fetch });
        }
        let place = Place { parking: Arc::clone(parking), ticket };
        parking.tasks.spawn(keep(house.clone(), place, whose, exchange, fetched));
        Ok(Parked { node: house.node, ticket })
    }

    /// Fetches what waits under a ticket. None: nothing does.
    pub(super) async fn fetch(self: &Arc<Self>, ticket: Uuid, round: &Parts) -> Option<Fetched> {
        let slot = self.slots.lock().remove(&ticket)?;
        let (back, exchange) = oneshot::channel();
        slot.fetch.send(back).ok()?;
        let mut exchange = exchange.await.ok()?;
        exchange.told_to(round.conduit.as_ref());
        exchange.answer(round.input.responses.as_deref().unwrap_or(b"{}"));
        Some(Fetched { parking: Arc::clone(self), exchange: Some(exchange) })
    }

    /// What an agent has waiting under a ticket is not to be fetched any more.
    pub(super) fn give_up(&self, ticket: Uuid, agent: AgentId) {
        let mut slots = self.slots.lock();
        if slots.get(&ticket).is_some_and(|slot| slot.agent == agent) {
            slots.remove(&ticket);
        }
    }

    /// What this node has yet to do before it stops.
    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Ends an exchange that is not to wait at all.
    pub(super) fn dismiss(&self, exchange: Box<Exchange>) {
        self.tasks.spawn(exchange.finish(tokio::time::sleep(FAREWELL), Failed::given_up()));
    }

    /// Gives up all that waits; nothing waits from here on.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    /// Comes when nothing waits here any more.
    pub(super) async fn closing(&self) {
        self.closing.cancelled().await;
    }

    /// Comes when all that waited has ended, once it was given up.
    pub(crate) async fn closed(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Whether one more may wait.
fn has_room(slots: &HashMap<Uuid, Slot>, whose: &Whose, of_a_module: usize) -> bool {
    let held = |is: &dyn Fn(&Slot) -> bool| {
        let of = slots.values().filter(|slot| is(slot));
        of.fold((0, whose.bytes), |(many, bytes): (usize, usize), slot| (many + 1, bytes + slot.bytes))
    };
    let is_room = |(many, bytes), most, most_bytes| many < most && bytes <= most_bytes;
    let of_tenant = |slot: &Slot| slot.tenant == whose.tenant;
    is_room(held(&|_| true), OF_A_NODE, BYTES_OF_A_NODE)
        && is_room(held(&of_tenant), OF_A_TENANT, BYTES_OF_A_TENANT)
        && held(&|slot| of_tenant(slot) && slot.module == whose.module).0 < of_a_module
        && held(&|slot| slot.credential == whose.credential).0 < OF_A_CREDENTIAL
}

async fn keep(
    house: Arc<House>,
    place: Place,
    whose: Whose,
    mut exchange: Box<Exchange>,
    fetched: oneshot::Receiver<oneshot::Sender<Box<Exchange>>>,
) {
    let end = tokio::select! {
        biased;
        back = fetched => back.map_or(End::GivenUp, End::Fetched),
        () = house.parking.closing() => End::GivenUp,
        () = tokio::time::sleep(house.settings.input_timeout) => End::Late,
        () = gone(&house, &whose.presented, whose.epoch) => End::GivenUp,
        () = exchange.wait() => End::Late,
    };
    drop(place);
    match end {
        End::Fetched(back) => {
            // Whoever wanted it may have gone meanwhile.
            if let Err(exchange) = back.send(exchange) {
                exchange.finish(tokio::time::sleep(FAREWELL), Failed::let_go(true, false)).await;
            }
        }
        // It has the time that any call has, as long as this node goes on.
        End::Late => {
            let stopping = async {
                house.parking.closing().await;
                tokio::time::sleep(FAREWELL).await;
            };
            exchange.finish(stopping, Failed::given_up()).await;
        }
        End::GivenUp => exchange.finish(tokio::time::sleep(FAREWELL), Failed::given_up()).await,
    }
}

/// Comes when whoever presented this may not come in any more. `epoch`: of the snapshot in which they might.
pub(super) async fn gone(house: &House, presented: &Presented, mut epoch: Epoch) {
    loop {
        match house.plugs.directories.moved(presented.endpoint, epoch).await {
            Ok(Some(directory)) => {
                epoch = directory.epoch();
                if still_in(house, directory, presented).is_none() {
                    return;
                }
            }
            Ok(None) => return,
            Err(Unavailable) => tokio::time::sleep(AWHILE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::authenticate::Proof;
    use super::*;

    fn whose(number: u128, bytes: usize) -> Whose {
        let id = Uuid::from_u128(number);
        let tenant = Uuid::from_u128(number / 100);
        let presented =
            Presented { endpoint: id.into(), bundle: None, proof: Proof::Key([0; 32]), address: None };
        let epoch = Epoch { number: 1, token: id };
        let (tenant, agent, credential, module) = (tenant.into(), id.into(), id.into(), id.into());
        Whose { tenant, agent, credential, module, presented, epoch, bytes }
    }

    /// Has as many wait as may, up to `most`, each of another credential and module; says how many.
    fn fill(slots: &mut HashMap<Uuid, Slot>, begin: u128, bytes: usize, most: u128) -> u128 {
        for number in begin..begin + most {
            let whose = whose(number, bytes);
            if !has_room(slots, &whose, 1) {
                return number - begin;
            }
            let Whose { tenant, agent, credential, module, bytes, .. } = whose;
            let slot = Slot { tenant, agent, credential, module, bytes, fetch: oneshot::channel().0 };
            slots.insert(Uuid::from_u128(number), slot);
        }
        most
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_size() {
        // A hundred each of a tenant.
        let mut slots = HashMap::new();
        assert_eq!(fill(&mut slots, 0, 1 << 20, 100), 32);
        assert!(!has_room(&slots, &whose(99, 1), 1) && has_room(&slots, &whose(99, 0), 1));
        assert!(has_room(&slots, &whose(100, 1 << 20), 1));
        assert!(!has_room(&slots, &whose(1, 0), 1), "its module has its share");
        assert!(has_room(&slots, &whose(1, 0), 2));
        for tenant in 1..8 {
            assert_eq!(fill(&mut slots, 100 * tenant, 1 << 20, 100), 32);
        }
        assert_eq!(fill(&mut slots, 800, 1, 1), 0, "the node has its share");
        slots.clear();
        assert_eq!(fill(&mut slots, 0, 0, 2000), 1024);
    }
}

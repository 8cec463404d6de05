//! How a call is executed whose client can be asked in rounds, at a server that may turn out to be of the `initialize` era: such a
//! server asks while the call goes on, so that it goes on without its client until the next round comes ([`super::parked`]).

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;

use super::admit::Parts;
use super::ending::Failed;
use super::execute::Executed;
use super::parked::{Exchange, Parking, Whose};
use super::rounds::Parked;
use crate::conduit::{Conduit, Listener, Way};
use crate::gateway::House;
use crate::inquiry::Inquirer;
use crate::upstream::{Brought, Trouble};
use crate::wire::{self, Capabilities};

/// Makes a call.
pub(super) async fn begin(house: &Arc<House>, mut parts: Parts) -> Executed {
    let (inquirer, inquiries) = Inquirer::new();
    let listener = Listener {
        way: Way::Rounds(inquirer),
        credential: parts.permit.principal().attribution.credential,
        capabilities: parts.capabilities,
        patience: house.settings.input_timeout,
    };
    let conduit = Conduit::in_rounds(parts.conduit.take().as_ref(), listener);
    parts.unsettled.hear(conduit.clone());
    let mut sent = parts.sent();
    sent.conduit = Some(conduit.clone());
    let executing = {
        let house = Arc::clone(house);
        async move { sent.remote(&house).await }
    };
    let mut exchange = Box::new(Exchange::new(executing.boxed(), inquiries, conduit));
    match exchange.go_on().await {
        Some(result) => parts.executed(result),
        None => wait(house, parts, exchange, true),
    }
}

/// Makes a round: its answers go to the call that waits for them, which goes on.
pub(super) async fn take_up(house: &Arc<House>, parts: Parts, parked: Parked) -> Executed {
    let tool = parts.permit.tool();
    if parked.node != house.node {
        let failed = Failed::not_waited_for(&tool.module_title, true);
        return parts.executed(Err(failed));
    }
    if !parts.sending.begin() {
        let failed = Failed::of(&Trouble::TooLate, tool, &parts.sending);
        return parts.executed(Err(failed));
    }
    let Some(mut exchange) = house.parking.fetch(parked.ticket).await else {
        parts.sending.was_not_taken();
        let failed = Failed::not_waited_for(&tool.module_title, false);
        return parts.executed(Err(failed));
    };
    exchange.told_to(parts.conduit.as_ref());
    exchange.answer(parts.input.responses.as_deref().unwrap_or(b"{}"));
    match exchange.go_on().await {
        Some(result) => parts.executed(result),
        None => wait(house, parts, exchange, false),
    }
}

/// The server asks: the call waits for the next round, if there may be one. The first call is settled when its server is done with
/// it; each other one has brought what it could.
fn wait(house: &Arc<House>, parts: Parts, mut exchange: Box<Exchange>, is_first: bool) -> Executed {
    let asks = exchange.asks();
    let has = parts.capabilities;
    let may_be_asked = wire::questions(&asks)
        .is_ok_and(|questions| questions.wants.missing_in(has) == Capabilities::default());
    let next = parts.next.as_ref().filter(|next| may_be_asked && !next.is_too_many());
    let Some(presented) = next.map(|next| next.received.presented().clone()) else {
        // What is wrong with it is found when it is inspected.
        house.parking.dismiss(exchange);
        return parts.executed(Ok(brought(asks)));
    };
    let who = &parts.permit.principal().attribution;
    let whose = Whose {
        tenant: who.tenant,
        agent: who.agent,
        credential: who.credential,
        presented,
        epoch: parts.permit.epoch(),
    };
    let title = parts.permit.tool().module_title.clone();
    let mut executed = parts.executed(Ok(brought(asks)));
    if let Some(first) = executed.unsettled.take_if(|_| is_first) {
        exchange.owing(first);
    }
    match Parking::park(house, whose, exchange) {
        Ok(parked) => executed.next = executed.next.map(|next| next.parked(parked)),
        Err(mut exchange) => {
            if is_first {
                executed.unsettled = exchange.owes();
            }
            house.parking.dismiss(exchange);
            executed.result = Err(Failed::too_many_wait(&title));
        }
    }
    executed
}

fn brought(result: Bytes) -> Brought {
    // As it is told, it is of the stateless era.
    Brought { result, is_stateless: true }
}

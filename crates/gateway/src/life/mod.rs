//! The life of a call, from top to bottom. Each step consumes one type and returns the next, so that a call that
//! skipped a step does not compile:
//!
//! ```text
//! receive -> authenticate -> resolve -> decide -> check -> limit -> admit -> execute -> inspect -> settle, reply
//!                  \------------\----------\--------\--------\-> a refusal: admitted to the record, not executed
//! ```

mod admit;
mod aloud;
mod ask;
mod asking;
mod authenticate;
mod check;
mod decide;
mod ending;
mod execute;
mod inspect;
mod limit;
mod parked;
mod parking;
mod receive;
mod resolve;
mod rounds;
mod settle;
mod subscribing;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub use self::admit::Admitted;
use self::admit::{Admission, Again, admit};
use self::aloud::Aloud;
pub(crate) use self::ask::Ask;
pub(crate) use self::authenticate::{Caller, NotSeen, Presented, Proof, current, look, still_in};
use self::authenticate::{authenticate, look_again};
use self::check::check;
use self::decide::decide;
use self::execute::execute;
use self::inspect::inspect;
use self::limit::limit;
pub(crate) use self::parking::Parking;
pub(crate) use self::receive::{NO_ARGUMENTS, Received, Told};
use self::resolve::{Unresolved, resolve};
pub(crate) use self::rounds::{Input, NotOpened, open as open_state};
use self::settle::settle;
pub(crate) use self::subscribing::{Subscribing, may_still};
use crate::gateway::House;
use crate::wire::Answer;
use crate::{refusals, reject};

/// How often a call is decided in all, within [`crate::Settings::redecide_for`].
const DECISIONS: u32 = 4;
/// What is waited before the third decision and each one after it, so that a burst of changes passes.
const PAUSE: Duration = Duration::from_millis(20);

/// How a call ended, as far as it is for its client to know.
enum Lived {
    Answered(Answer),
    /// Its server asks for input, for which the client is asked before the next call is made.
    Asks(Box<Aloud>),
}

/// Lives a call through, and those that go on from it while its client waits. `caller` is what the directory said of them when
/// the request came in.
pub(crate) async fn live(house: &Arc<House>, received: Box<Received>, caller: Caller) -> Answer {
    let (mut received, mut caller) = (received, caller);
    loop {
        let aloud = match once(house, received, caller).await {
            Lived::Answered(answer) => return answer,
            Lived::Asks(aloud) => aloud,
        };
        (received, caller) = match aloud.asked(house).await {
            Ok(next) => next,
            Err(answer) => return answer,
        };
    }
}

async fn once(house: &Arc<House>, received: Box<Received>, caller: Caller) -> Lived {
    let answered = Lived::Answered;
    // What waits for this call's answers waits in vain if it may not bring them.
    let waiting = received.input().parked().map(|parked| (parked, caller.principal.attribution.agent));
    let give_up = || {
        if let Some((parked, agent)) = waiting {
            house.parking.give_up(parked.ticket, agent);
        }
    };
    let until = (received.started() + house.settings.redecide_for).min(received.deadline());
    let (mut received, mut caller) = (received, caller);
    for decision in 1..=DECISIONS {
        let decided = match authenticate(received, caller) {
            Err(refused) => *refused,
            Ok(authenticated) => match resolve(authenticated) {
                Ok(resolved) => decide(resolved, house.ambient.now()),
                Err(Unresolved::Refused(refused)) => *refused,
                Err(Unresolved::Malformed(malformed)) => {
                    if malformed.is_of_another() {
                        give_up();
                    }
                    return answered(malformed.rejected(house));
                }
            },
        };
        let checked = check(house, decided).await;
        let may_run = checked.may_run();
        let admission = match limit(house, checked).await {
            Ok(limited) => admit(house, limited).await,
            Err(admission) => admission,
        };
        let again = match admission {
            Admission::Admitted(admitted) => {
                let executed = execute(house, *admitted).await;
                return settle(house, inspect(executed)).await;
            }
            Admission::Recorded(answer) => {
                // Once it is approved it may be made again.
                if !may_run {
                    give_up();
                }
                return answered(answer);
            }
            Admission::Failed(answer) => return answered(answer),
            Admission::Again(again) => again,
        };
        if decision == DECISIONS || Instant::now() >= until {
            break;
        }
        if decision >= 2 {
            tokio::time::sleep(PAUSE).await;
        }
        caller = match look_again(house, &again, until).await {
            Ok(caller) => caller,
            Err(NotSeen::Unknown { .. }) => {
                return answered(gone(house, &again, "unknown_key", refusals::unknown_key()));
            }
            Err(NotSeen::NoBundle { .. }) => {
                return answered(gone(house, &again, "unknown_bundle", refusals::no_such_bundle()));
            }
            Err(NotSeen::Failed(answer)) => return answered(answer),
        };
        received = again.received;
    }
    answered(refusals::rights_keep_changing())
}

/// The credential was revoked between two decisions, or the bundle taken away: there is nobody left to record a call for,
/// or nothing, only whose credential it was.
fn gone(house: &House, again: &Again, code: &'static str, answer: Answer) -> Answer {
    let credential = Some(again.principal.attribution.credential);
    let address = again.received.presented().address;
    reject::record(house, again.directory.tenant().id, code, answer.status, credential, address);
    answer
}

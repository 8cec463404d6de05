//! Whether limits leave room for a call that may be made. What is held does not count until it may run.

use policy::retry_after;
use tokio::time::Instant;

use super::authenticate::Proof;
use super::check::Checked;
use super::decide::{Decided, Ruling};
use crate::gateway::House;
use crate::limits::{Short, Taken};
use crate::wire::Answer;
use crate::{refusals, reject};

/// A call that no limit stands in the way of, if it may run; it has taken its share of them.
#[derive(Debug)]
pub(super) struct Limited {
    pub(super) decided: Decided,
    pub(super) taken: Taken,
}

/// Takes a call's share of its limits. What is over a limit is refused; if the like of it was recorded a moment ago, it is
/// answered here and only counted.
pub(super) async fn limit(house: &House, checked: Checked) -> Result<Limited, Answer> {
    let mut decided = checked.into_decided();
    let Ruling::Permitted(permit) = &decided.ruling else {
        return Ok(Limited { decided, taken: Taken::default() });
    };
    let (limit, wait) = match house.limiter.take(permit, decided.received.deadline()).await {
        Ok(taken) => return Ok(Limited { decided, taken }),
        Err(Short::Unknown) => return Err(refusals::limits_unavailable()),
        Err(Short::Reached { limit, wait }) => (limit, wait),
    };
    let reason = limit.reached(&decided.principal, house.ambient.now(), wait);
    let (received, credential) = (&decided.received, decided.principal.attribution.credential);
    let alike = (credential, permit.tool().id, limit.id);
    let recorded = match received.presented().proof {
        // Somebody looks at this very call.
        Proof::Entrusted(_) => None,
        Proof::Key(_) => house.floods.recorded(alike, received.id(), Instant::now()),
    };
    decided.deny(reason, Some(retry_after(wait)));
    let Ruling::Refused { refusal, voice, retry_after, .. } = &decided.ruling else {
        return Err(refusals::internal());
    };
    match recorded {
        None => Ok(Limited { decided, taken: Taken::default() }),
        Some(first) => {
            let (tenant, address) = (decided.directory.tenant().id, decided.received.presented().address);
            let (code, status) = ("limit_reached", http::StatusCode::TOO_MANY_REQUESTS);
            reject::record(house, tenant, code, status, Some(credential), address);
            Err(voice.tell(&decided.received, first, &refusal.reason, *retry_after))
        }
    }
}

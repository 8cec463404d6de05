//! Whether limits leave room for a call that may be made. What is held does not count until it may run.

use model::limit::{Per, Scope};
use policy::retry_after;
use tokio::time::Instant;

use super::admit::Admission;
use super::authenticate::Proof;
use super::check::Checked;
use super::decide::{Decided, Ruling};
use crate::gateway::House;
use crate::limits::{Noted, Short, Taken};
use crate::{refusals, reject};

/// A call that no limit stands in the way of, if it may run; it has taken its share of them.
#[derive(Debug)]
pub(super) struct Limited {
    pub(super) decided: Decided,
    pub(super) taken: Taken,
    /// It is refused for a limit of this kind.
    pub(super) reached: Option<(Scope, Per)>,
    /// For those like it too.
    pub(super) noted: Option<Noted>,
}

/// Takes a call's share of its limits. What is over a limit is refused; if the like of it was recorded a moment ago, it is
/// answered here and only counted.
pub(super) async fn limit(house: &House, checked: Checked) -> Result<Limited, Admission> {
    let mut decided = checked.into_decided();
    let Ruling::Permitted(permit) = &decided.ruling else {
        return Ok(Limited { decided, taken: Taken::default(), reached: None, noted: None });
    };
    let (limit, wait) = match house.limiter.take(permit, decided.received.deadline()).await {
        Ok(taken) => return Ok(Limited { decided, taken, reached: None, noted: None }),
        Err(Short::Unknown) => return Err(Admission::Failed(refusals::limits_unavailable())),
        Err(Short::Reached { limit, wait }) => (limit, wait),
    };
    let kind = (limit.scope, limit.allowance.per);
    let reason = limit.reached(&decided.principal, house.ambient.now(), wait);
    let (received, credential) = (&decided.received, decided.principal.attribution.credential);
    let alike = (credential, permit.tool().id, limit.id);
    let noted = match received.presented().proof {
        // Somebody looks at this very call.
        Proof::Entrusted(_) => Ok(None),
        Proof::Key(_) => house.floods.note(alike, received.id(), Instant::now()).map(Some),
    };
    decided.deny(reason, Some(retry_after(wait)));
    let Ruling::Refused { refusal, voice, retry_after, .. } = &decided.ruling else {
        return Err(Admission::Failed(refusals::internal()));
    };
    match noted {
        Ok(noted) => Ok(Limited { decided, taken: Taken::default(), reached: Some(kind), noted }),
        Err(first) => {
            let (tenant, address) = (decided.directory.tenant().id, decided.received.presented().address);
            let (code, status) = ("limit_reached", http::StatusCode::TOO_MANY_REQUESTS);
            house.plugs.limits.reached(kind.0, kind.1);
            reject::record(house, tenant, code, status, Some(credential), address);
            let answer = voice.tell(&decided.received, first, &refusal.reason, *retry_after);
            Err(Admission::Recorded(answer))
        }
    }
}

//! Who keeps calling although a limit is reached would fill the record with refusals. The first in a while is recorded as a call
//! that was denied; those after it are counted, as other requests are that never became calls, and named after it.

use std::collections::HashMap;
use std::time::Duration;

use model::{CallId, CredentialId, LimitId, ToolId};
use parking_lot::Mutex;
use tokio::time::Instant;

/// In this time, one refusal of a credential for a tool and a limit is recorded as a call.
const WHILE: Duration = Duration::from_secs(10);
/// Credentials, tools and limits that are remembered at a time; beyond, everything is forgotten and some refusals more are
/// recorded.
const MOST: usize = 20_000;

/// Refusals that were recorded a short while ago.
#[derive(Debug, Default)]
pub(crate) struct Floods(Mutex<HashMap<(CredentialId, ToolId, LimitId), (CallId, Instant)>>);

impl Floods {
    /// The call that was recorded for those like this one; none: this one is to be recorded.
    pub(crate) fn recorded(
        &self,
        alike: (CredentialId, ToolId, LimitId),
        call: CallId,
        now: Instant,
    ) -> Option<CallId> {
        let mut known = self.0.lock();
        match known.get(&alike) {
            // It may be decided several times.
            Some((first, _)) if *first == call => None,
            Some((first, at)) if now.saturating_duration_since(*at) < WHILE => Some(*first),
            _ => {
                if known.len() >= MOST {
                    known.retain(|_, (_, at)| now.saturating_duration_since(*at) < WHILE);
                }
                if known.len() >= MOST {
                    known.clear();
                }
                known.insert(alike, (call, now));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn one_in_a_while_is_recorded_and_what_is_remembered_is_bounded() {
        let (floods, now) = (Floods::default(), Instant::now());
        let alike = |n: u128| {
            (Uuid::from_u128(n).into(), ToolId::from(Uuid::from_u128(2)), LimitId::from(Uuid::from_u128(3)))
        };
        let call = |n: u128| CallId::from(Uuid::from_u128(n));
        assert_eq!(floods.recorded(alike(1), call(1), now), None);
        assert_eq!(floods.recorded(alike(1), call(1), now), None, "the same call, decided again");
        assert_eq!(floods.recorded(alike(1), call(2), now + WHILE / 2), Some(call(1)));
        assert_eq!(floods.recorded(alike(2), call(3), now), None, "another credential");
        assert_eq!(floods.recorded(alike(1), call(4), now + WHILE), None);
        for n in 0..=MOST as u128 {
            floods.recorded(alike(100 + n), call(5), now + WHILE);
        }
        assert!(floods.0.lock().len() <= MOST);
    }
}

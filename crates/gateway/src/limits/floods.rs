//! Who keeps calling although a limit is reached would fill the record with refusals. The first in a while is recorded as a call
//! that was denied; those after it are counted, as other requests are that never became calls, and named after it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::{CallId, CredentialId, LimitId, ToolId};
use parking_lot::Mutex;
use tokio::time::Instant;

/// In this time, one refusal of a credential for a tool and a limit is recorded as a call.
const WHILE: Duration = Duration::from_secs(10);
/// Credentials, tools and limits that are remembered at a time; beyond, everything is forgotten and some refusals more are
/// recorded.
const MOST: usize = 20_000;

/// What refusals that are alike have in common.
pub(crate) type Alike = (CredentialId, ToolId, LimitId);

/// Refusals that were recorded a short while ago.
#[derive(Debug, Default, Clone)]
pub(crate) struct Floods(Arc<Mutex<HashMap<Alike, (CallId, Instant)>>>);

/// A refusal that is to be recorded for those like it. Unless it is, it is forgotten, and the next one is to be recorded.
#[derive(Debug)]
pub(crate) struct Noted {
    floods: Floods,
    alike: Alike,
    call: CallId,
    is_recorded: bool,
}

impl Noted {
    /// It is on record.
    pub(crate) fn recorded(mut self) {
        self.is_recorded = true;
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if self.is_recorded {
            return;
        }
        let mut known = self.floods.0.lock();
        if known.get(&self.alike).is_some_and(|(first, _)| *first == self.call) {
            known.remove(&self.alike);
        }
    }
}

impl Floods {
    /// Notes a refusal that is to be recorded.
    ///
    /// # Errors
    /// The call that was recorded for those like this one.
    pub(crate) fn note(&self, alike: Alike, call: CallId, now: Instant) -> Result<Noted, CallId> {
        let mut known = self.0.lock();
        match known.get(&alike) {
            Some((first, at)) if *first != call && now.saturating_duration_since(*at) < WHILE => Err(*first),
            _ => {
                if known.len() >= MOST {
                    known.retain(|_, (_, at)| now.saturating_duration_since(*at) < WHILE);
                }
                if known.len() >= MOST {
                    known.clear();
                }
                known.insert(alike, (call, now));
                Ok(Noted { floods: self.clone(), alike, call, is_recorded: false })
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
        floods.note(alike(1), call(1), now).unwrap().recorded();
        assert_eq!(floods.note(alike(1), call(2), now + WHILE / 2).unwrap_err(), call(1));
        floods.note(alike(2), call(3), now).expect("another credential").recorded();
        floods.note(alike(1), call(4), now + WHILE).unwrap().recorded();
        for n in 0..=MOST as u128 {
            floods.note(alike(100 + n), call(5), now + WHILE).unwrap().recorded();
        }
        assert!(floods.0.lock().len() <= MOST);
    }

    #[test]
    fn what_was_not_recorded_after_all_is_not_named_to_those_after_it() {
        let (floods, now) = (Floods::default(), Instant::now());
        let id = |n: u128| Uuid::from_u128(n);
        let alike = (id(1).into(), ToolId::from(id(2)), LimitId::from(id(3)));
        let call = |n: u128| CallId::from(id(n));
        let noted = floods.note(alike, call(1), now).unwrap();
        assert_eq!(floods.note(alike, call(2), now).unwrap_err(), call(1));
        drop(noted);
        floods.note(alike, call(2), now).unwrap().recorded();
        assert_eq!(floods.note(alike, call(3), now).unwrap_err(), call(2));
    }
}

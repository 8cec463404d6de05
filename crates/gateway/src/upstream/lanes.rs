//! A server of the `initialize` era may ask on the stream of the session, where it does not say to which call a question belongs, and
//! many give a session one such stream at a time. A call whose client is asked in rounds keeps it for as long as that takes: so each has
//! a session that no other call uses meanwhile.

use std::collections::HashSet;
use std::sync::Arc;

use model::CredentialId;
use parking_lot::Mutex;

/// The lanes that are taken at one server.
#[derive(Debug, Default)]
pub(super) struct Lanes(Mutex<HashSet<(CredentialId, u16)>>);

/// One that a call has for itself; free again once it is dropped.
#[derive(Debug)]
pub(super) struct Lane {
    of: Arc<Lanes>,
    credential: CredentialId,
    number: u16,
}

impl Lanes {
    /// The lowest that no other call of this credential has: sessions are used again. None: all are taken.
    pub(super) fn take(self: &Arc<Self>, credential: CredentialId) -> Option<Lane> {
        let mut taken = self.0.lock();
        let number = (1..=u16::MAX).find(|number| !taken.contains(&(credential, *number)))?;
        taken.insert((credential, number));
        Some(Lane { of: Arc::clone(self), credential, number })
    }
}

impl Lane {
    /// Not 0: that is the lane of all who need none for themselves.
    pub(super) fn number(&self) -> u16 {
        self.number
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.of.0.lock().remove(&(self.credential, self.number));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn each_call_has_the_lowest_lane_that_is_free() {
        let lanes = Arc::new(Lanes::default());
        let take = |n: u128| lanes.take(CredentialId::from(Uuid::from_u128(n))).unwrap();
        let (one, two, other) = (take(1), take(1), take(2));
        assert_eq!((one.number(), two.number(), other.number()), (1, 2, 1));
        drop(one);
        assert_eq!((take(1).number(), two.number()), (1, 2));
        drop((two, other));
        assert!(lanes.0.lock().is_empty());
    }
}

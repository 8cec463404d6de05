//! Who listens on this node: bounded for each credential, and all sent away when the node stops.

use std::collections::HashMap;
use std::sync::Arc;

use model::CredentialId;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Streams that a credential may have on a node.
pub(super) const MOST: usize = 32;

/// The places of all who listen.
#[derive(Debug, Default)]
pub(crate) struct Places {
    taken: Mutex<Taken>,
    closing: CancellationToken,
}

#[derive(Debug, Default)]
struct Taken {
    last: u64,
    /// In the order in which they were taken.
    by: HashMap<CredentialId, Vec<Seat>>,
}

#[derive(Debug)]
struct Seat {
    number: u64,
    session: Option<Arc<str>>,
    updates: mpsc::Sender<Arc<str>>,
}

/// The place of one stream; free again once it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    credential: CredentialId,
    number: u64,
}

impl Places {
    /// A place, if this credential has not taken all that it may have, for a stream that hears of resources there.
    pub(super) fn take(
        self: &Arc<Self>,
        credential: CredentialId,
        updates: mpsc::Sender<Arc<str>>,
    ) -> Option<Place> {
        let mut taken = self.taken.lock();
        if taken.by.get(&credential).is_some_and(|seats| seats.len() >= MOST) {
            return None;
        }
        taken.last += 1;
        let number = taken.last;
        taken.by.entry(credential).or_default().push(Seat { number, session: None, updates });
        Some(Place { places: Arc::clone(self), credential, number })
    }

    /// Tells a session that a resource was updated, on the newest of its streams. One that takes nothing misses it.
    pub(super) fn tell(&self, credential: CredentialId, session: &str, uri: &Arc<str>) {
        let taken = self.taken.lock();
        let mut newest_first = taken.by.get(&credential).into_iter().flatten().rev();
        if let Some(seat) = newest_first.find(|seat| seat.session.as_deref() == Some(session)) {
            let _ = seat.updates.try_send(uri.clone());
        }
    }

    /// Whether a session has a stream.
    pub(super) fn has(&self, credential: CredentialId, session: &str) -> bool {
        let taken = self.taken.lock();
        let mut seats = taken.by.get(&credential).into_iter().flatten();
        seats.any(|seat| seat.session.as_deref() == Some(session))
    }

    /// Ends all streams; no others begin.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    pub(super) fn are_closed(&self) -> bool {
        self.closing.is_cancelled()
    }

    pub(super) async fn closed(&self) {
        self.closing.cancelled().await;
    }
}

impl Place {
    /// The stream is of a session, which may have others.
    pub(super) fn is_of(&self, session: Arc<str>) {
        let mut taken = self.places.taken.lock();
        let seats = taken.by.get_mut(&self.credential).into_iter().flatten();
        for seat in seats.filter(|seat| seat.number == self.number) {
            seat.session = Some(Arc::clone(&session));
        }
    }

    /// Whether this is the stream on which its session is told things: the newest, since an older one may be what is left of a
    /// broken connection.
    pub(super) fn is_told(&self) -> bool {
        let taken = self.places.taken.lock();
        let Some(seats) = taken.by.get(&self.credential) else { return false };
        let of_mine =
            seats.iter().find(|seat| seat.number == self.number).and_then(|seat| seat.session.as_ref());
        let Some(session) = of_mine else { return true };
        let newest = seats.iter().rev().find(|seat| seat.session.as_ref() == Some(session));
        newest.is_some_and(|seat| seat.number == self.number)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        if let Some(seats) = taken.by.get_mut(&self.credential) {
            seats.retain(|seat| seat.number != self.number);
            if seats.is_empty() {
                taken.by.remove(&self.credential);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_place_that_is_left_is_free_again() {
        let places = Arc::new(Places::default());
        let (one, other) = (CredentialId::from(Uuid::from_u128(1)), CredentialId::from(Uuid::from_u128(2)));
        let take = |credential| places.take(credential, mpsc::channel(1).0);
        let mut taken: Vec<Place> = (0..MOST).map(|_| take(one).unwrap()).collect();
        assert!(take(one).is_none());
        assert!(take(other).is_some());
        taken.pop();
        assert!(take(one).is_some());
        drop(taken);
        assert!(places.taken.lock().by.is_empty());
    }

    #[test]
    fn of_several_streams_of_a_session_the_newest_is_told() {
        let places = Arc::new(Places::default());
        let take = |n: u128, session: Option<&str>| {
            let place = places.take(CredentialId::from(Uuid::from_u128(n)), mpsc::channel(1).0).unwrap();
            session.into_iter().for_each(|session| place.is_of(session.into()));
            place
        };
        let (first, nameless) = (take(1, Some("a")), take(1, None));
        assert!(first.is_told() && nameless.is_told());
        let others = [take(1, Some("b")), take(2, Some("a"))];
        assert!(first.is_told() && others.iter().all(Place::is_told));
        let second = take(1, Some("a"));
        assert!(!first.is_told() && second.is_told());
        drop(second);
        assert!(first.is_told());
    }
}

//! Who hears of which resources' updates: clients of the `initialize` era in their session, those of 2026-07-28 on the stream that asked
//! for them. Whether they may is asked again for each update; who may not any more hears of nothing further.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::CredentialId;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::gateway::House;
use crate::life::{self, Presented};
use crate::upstream::Subscribed;

/// Resources that a credential may hear of on a node.
const MOST: usize = 256;
pub(crate) const TOO_MANY: &str = "this key hears of 256 resources already, which is all it may: unsubscribe from others, or use another key";
/// What happens to a resource within this time of an update is told together.
const BETWEEN: Duration = Duration::from_millis(250);
/// How often is looked whether a session has a stream, and how often it may have none before it is taken to be over.
const LOOK: Duration = Duration::from_secs(60);
const ABSENCES: u32 = 10;

/// The subscriptions on this node.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    held: Mutex<HashMap<CredentialId, usize>>,
    sessions: Mutex<HashMap<(CredentialId, Arc<str>), Passed>>,
    last: Mutex<u64>,
}

/// The resources that a session hears of.
type Passed = HashMap<Arc<str>, Passing>;

/// One of a session; it ends when this is dropped.
#[derive(Debug)]
struct Passing {
    number: u64,
    task: AbortHandle,
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Leave for one more; free again once it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    of: Arc<Subscriptions>,
    credential: CredentialId,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.of.held.lock();
        if let Some(count) = held.get_mut(&self.credential) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.credential);
            }
        }
    }
}

impl Subscriptions {
    /// Leave for one more resource. None: the credential has all that it may.
    pub(crate) fn hold(self: &Arc<Self>, credential: CredentialId) -> Option<Held> {
        let mut held = self.held.lock();
        let count = held.entry(credential).or_default();
        if *count >= MOST {
            return None;
        }
        *count += 1;
        Some(Held { of: Arc::clone(self), credential })
    }

    /// A session does not want to hear of a resource any more.
    pub(crate) fn end(&self, credential: CredentialId, session: &Arc<str>, uri: &str) {
        self.leave((credential, session.clone()), |uris| drop(uris.remove(uri)));
    }

    fn leave(&self, of: (CredentialId, Arc<str>), leave: impl FnOnce(&mut HashMap<Arc<str>, Passing>)) {
        let mut sessions = self.sessions.lock();
        if let Some(uris) = sessions.get_mut(&of) {
            leave(uris);
            if uris.is_empty() {
                sessions.remove(&of);
            }
        }
    }
}

/// Tells a session of a resource's updates until it does not want it, may not, or is over.
pub(crate) fn keep(
    house: &Arc<House>,
    presented: Presented,
    session: Arc<str>,
    uri: &str,
    held: Held,
    subscribed: Subscribed,
) {
    let number = {
        let mut last = house.subscriptions.last.lock();
        *last += 1;
        *last
    };
    let (uri, of): (Arc<str>, _) = (uri.into(), (held.credential, session));
    // It is to be found before it can end.
    let mut sessions = house.subscriptions.sessions.lock();
    let task = tokio::spawn({
        let (house, uri, of) = (Arc::clone(house), uri.clone(), of.clone());
        async move {
            let passing = pass_on(&house, &presented, &uri, subscribed, |uri| {
                house.places.tell(of.0, &of.1, uri);
                true
            });
            tokio::select! {
                () = passing => (),
                () = absent(&house, &of) => (),
                () = house.places.closed() => (),
            }
            drop(held);
            house.subscriptions.leave(of, |uris| {
                if uris.get(&uri).is_some_and(|passing| passing.number == number) {
                    uris.remove(&uri);
                }
            });
        }
    });
    sessions.entry(of).or_default().insert(uri, Passing { number, task: task.abort_handle() });
}

/// Passes updates on while whoever presented this may read the resource and wants to hear of it.
pub(super) async fn pass_on(
    house: &House,
    presented: &Presented,
    uri: &Arc<str>,
    mut subscribed: Subscribed,
    tell: impl Fn(&Arc<str>) -> bool,
) {
    loop {
        subscribed.updated().await;
        if !life::may_still(house, presented, uri).await || !tell(uri) {
            return;
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

/// Comes when a session has had no stream for long.
async fn absent(house: &House, (credential, session): &(CredentialId, Arc<str>)) {
    let mut absences = 0;
    while absences < ABSENCES {
        tokio::time::sleep(LOOK).await;
        absences = if house.places.has(*credential, session) { 0 } else { absences + 1 };
    }
}

/// Where a stream hears of updates.
pub(super) type Updates = mpsc::Receiver<Arc<str>>;

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_credential_hears_of_so_many_and_no_more() {
        let subscriptions = Arc::new(Subscriptions::default());
        let (one, other) = (CredentialId::from(Uuid::from_u128(1)), CredentialId::from(Uuid::from_u128(2)));
        let mut held: Vec<Held> = (0..MOST).map(|_| subscriptions.hold(one).unwrap()).collect();
        assert!(subscriptions.hold(one).is_none());
        assert!(subscriptions.hold(other).is_some());
        held.pop();
        assert!(subscriptions.hold(one).is_some());
        drop(held);
        assert!(subscriptions.held.lock().is_empty());
    }
}

//! What servers tell without being asked: that a resource has been updated, that a list has changed. For each server that somebody
//! wants to hear of there is one stream, whoever and however many they are; it is given up when nobody is left.
//!
//! A server of 2026-07-28 is asked for all of it at once (Subscriptions), and anew when that changes. One of the `initialize` era is
//! subscribed to for each resource in a session of its own, and tells on that session's stream (2025-11-25, Resources).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use secrecy::SecretString;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout, timeout_at};

use super::telling::{Broken, Telling};
use super::{Key, Notice, Peer, Trouble, Upstream, Upstreams, presented};
use crate::seams::{Connections, NotPresented};

/// Resources of one server that are subscribed to, and who subscribes to one of them, at most.
const RESOURCES: usize = 512;
const SUBSCRIBERS: usize = 4096;
/// What is waited before a stream that broke off is opened again: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// What is waited before a server is asked again that does not tell what is wanted.
const RELUCTANT: Duration = Duration::from_secs(900);
/// For how long a server's lists are heard for who may want to soon: clients come and go.
const LINGERING: Duration = Duration::from_secs(10);

/// The servers that are listened to.
#[derive(Default)]
pub(super) struct Watches(Mutex<HashMap<Key, Arc<Watched>>>);

/// One of them.
#[derive(Default)]
pub(super) struct Watched {
    wanted: Mutex<Wants>,
    /// What is wanted of it has changed.
    pub(super) changed: Notify,
}

/// What is wanted of a server.
#[derive(Default)]
struct Wants {
    last: u64,
    resources: HashMap<Arc<str>, Resource>,
    /// How many want to hear of its lists.
    lists: usize,
}

/// The same, for one stream.
#[derive(Debug)]
pub(super) struct Wanted {
    /// In an order.
    pub(super) resources: Vec<Arc<str>>,
    pub(super) lists: bool,
}

/// Somebody wants to hear of a server's lists; until this is dropped.
pub(crate) struct Heard {
    watched: Arc<Watched>,
    pub(crate) key: Key,
}

impl Drop for Heard {
    fn drop(&mut self) {
        let watched = self.watched.clone();
        let leave = move || {
            let mut wanted = watched.wanted.lock();
            wanted.lists -= 1;
            let is_last = wanted.lists == 0;
            drop(wanted);
            if is_last {
                watched.changed.notify_one();
            }
        };
        match tokio::runtime::Handle::try_current() {
            Err(_) => leave(),
            Ok(runtime) => drop(runtime.spawn(async move {
                tokio::time::sleep(LINGERING).await;
                leave();
            })),
        }
    }
}

struct Resource {
    by: Vec<(u64, mpsc::Sender<()>)>,
    /// None: its server has not said yet.
    taken: watch::Sender<Option<Result<(), Trouble>>>,
}

impl Resource {
    fn tell(&self) {
        for (_, subscriber) in &self.by {
            // Who has one waiting needs no other.
            let _ = subscriber.try_send(());
        }
    }
}

/// A subscription to one resource; given up once it is dropped.
pub(crate) struct Subscribed {
    watched: Arc<Watched>,
    uri: Arc<str>,
    number: u64,
    updates: mpsc::Receiver<()>,
}

impl std::fmt::Debug for Subscribed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscribed").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Upstreams {
    /// Hears of a server's lists from here on: whoever is told of those ([`Upstreams::noticing`]) is.
    pub(crate) fn hear(&self, connections: &Arc<dyn Connections>, key: &Key) -> Result<Heard, Trouble> {
        let watched = self.watched(connections, key, |watched| {
            let mut wanted = watched.wanted.lock();
            wanted.lists += 1;
            let is_first = wanted.lists == 1;
            drop(wanted);
            if is_first {
                watched.changed.notify_one();
            }
            watched.clone()
        })?;
        Ok(Heard { watched, key: key.clone() })
    }

    /// Does something with what is wanted of a server, which is listened to from then on if it was not.
    fn watched<T>(
        &self,
        connections: &Arc<dyn Connections>,
        key: &Key,
        join: impl FnOnce(&Arc<Watched>) -> T,
    ) -> Result<T, Trouble> {
        let mut watches = self.watches.0.lock();
        if let Some(watched) = watches.get(key) {
            return Ok(join(watched));
        }
        let upstream = self.upstream(key)?;
        let watched = Arc::new(Watched::default());
        watches.insert(key.clone(), watched.clone());
        let watcher = Watcher {
            watches: self.watches.clone(),
            peer: self.peer(&upstream, None),
            upstream,
            connections: connections.clone(),
            watched: watched.clone(),
            key: key.clone(),
            timeout: self.timeout,
            notice: self.notice.clone(),
        };
        tokio::spawn(watcher.run());
        Ok(join(&watched))
    }

    /// Subscribes to a resource. Comes back once its server has agreed.
    pub(crate) async fn subscribe(
        &self,
        connections: &Arc<dyn Connections>,
        key: &Key,
        uri: &str,
        deadline: Instant,
    ) -> Result<Subscribed, Trouble> {
        let (subscribed, mut taken) = self.watched(connections, key, |watched| watched.join(uri))??;
        let url = || key.url.to_string();
        let answer = timeout_at(deadline, taken.wait_for(Option::is_some)).await;
        match answer.map_err(|_| Trouble::TimedOut { url: url(), seconds: self.timeout.as_secs() })? {
            Ok(taken) => match &*taken {
                Some(Err(trouble)) => Err(trouble.clone()),
                _ => Ok(subscribed),
            },
            Err(_) => Err(Trouble::BrokeOff { url: url() }),
        }
    }
}

type Taken = watch::Receiver<Option<Result<(), Trouble>>>;

impl Watched {
    fn join(self: &Arc<Self>, uri: &str) -> Result<(Subscribed, Taken), Trouble> {
        let mut wanted = self.wanted.lock();
        let of_all: usize = wanted.resources.values().map(|resource| resource.by.len()).sum();
        let is_new = !wanted.resources.contains_key(uri);
        if of_all >= SUBSCRIBERS || (is_new && wanted.resources.len() >= RESOURCES) {
            return Err(Trouble::Busy { limit: RESOURCES });
        }
        wanted.last += 1;
        let number = wanted.last;
        let (sender, updates) = mpsc::channel(1);
        let uri: Arc<str> = uri.into();
        let resource = wanted
            .resources
            .entry(uri.clone())
            .or_insert_with(|| Resource { by: Vec::new(), taken: watch::Sender::new(None) });
        resource.by.push((number, sender));
        let taken = resource.taken.subscribe();
        drop(wanted);
        if is_new {
            self.changed.notify_one();
        }
        Ok((Subscribed { watched: self.clone(), uri, number, updates }, taken))
    }

    /// What is wanted of it at the moment.
    pub(super) fn wanted(&self) -> Wanted {
        let wanted = self.wanted.lock();
        let mut resources: Vec<Arc<str>> = wanted.resources.keys().cloned().collect();
        resources.sort();
        Wanted { resources, lists: wanted.lists > 0 }
    }

    /// Whether somebody waits for its server to say whether it will tell.
    pub(super) fn is_waited_for(&self) -> bool {
        self.wanted.lock().resources.values().any(|resource| resource.taken.borrow().is_none())
    }

    /// A server's answer to who wanted to subscribe.
    pub(super) fn answered(&self, uri: &str, answer: Result<(), Trouble>) {
        if let Some(resource) = self.wanted.lock().resources.get(uri) {
            resource.taken.send_replace(Some(answer));
        }
    }

    /// Nobody who waits for an answer gets another one.
    fn failed(&self, trouble: &Trouble) {
        for resource in self.wanted.lock().resources.values() {
            resource.taken.send_if_modified(|taken| {
                let is_waited_for = taken.is_none();
                taken.get_or_insert_with(|| Err(trouble.clone()));
                is_waited_for
            });
        }
    }

    /// A resource has been updated, or something below it.
    pub(super) fn updated(&self, uri: &str) {
        for (wanted, resource) in &self.wanted.lock().resources {
            let below = uri.strip_prefix(&**wanted);
            if below.is_some_and(|below| below.is_empty() || below.starts_with('/') || wanted.ends_with('/'))
            {
                resource.tell();
            }
        }
    }

    /// Anything may have happened meanwhile.
    fn all_updated(&self) {
        self.wanted.lock().resources.values().for_each(Resource::tell);
    }

    fn is_wanted(&self) -> bool {
        let wanted = self.wanted.lock();
        wanted.lists > 0 || !wanted.resources.is_empty()
    }
}

impl Subscribed {
    /// Comes when the resource was updated.
    pub(crate) async fn updated(&mut self) {
        if self.updates.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        let mut wanted = self.watched.wanted.lock();
        let Some(resource) = wanted.resources.get_mut(&self.uri) else { return };
        resource.by.retain(|(number, _)| *number != self.number);
        if resource.by.is_empty() {
            wanted.resources.remove(&self.uri);
            drop(wanted);
            self.watched.changed.notify_one();
        }
    }
}

/// Listens to one server.
struct Watcher {
    watches: Arc<Watches>,
    peer: Peer,
    upstream: Arc<Upstream>,
    connections: Arc<dyn Connections>,
    watched: Arc<Watched>,
    key: Key,
    timeout: Duration,
    notice: Notice,
}

impl Watcher {
    async fn run(self) {
        let mut pause = FIRST_PAUSE;
        let mut is_first = true;
        while !self.is_over() {
            let began = Instant::now();
            let broken = self.listen(!is_first).await;
            is_first = false;
            if let Broken::Off(trouble) = broken {
                tracing::info!(url = &*self.peer.url, why = %trouble, "what a server tells cannot be heard");
                self.watched.failed(&trouble);
                pause = if began.elapsed() > LONGEST_PAUSE { FIRST_PAUSE } else { pause };
                if matches!(trouble, Trouble::NoSubscriptions { .. }) {
                    // It will hardly change its mind soon.
                    pause = RELUCTANT;
                }
                // Who comes meanwhile is not kept waiting.
                let _ = timeout(pause, self.watched.changed.notified()).await;
                pause = if pause == RELUCTANT { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            }
        }
    }

    /// Whether nobody wants to hear anything any more; then nobody finds this one again.
    fn is_over(&self) -> bool {
        let mut watches = self.watches.0.lock();
        let is_over = !self.watched.is_wanted();
        if is_over {
            watches.remove(&self.key);
        }
        is_over
    }

    async fn listen(&self, is_again: bool) -> Broken {
        let Some(connection) = self.key.connection else { return self.tell(None, is_again).await };
        let authorization = self.connections.authorization(self.key.tenant, connection);
        let Some(secret) = had(timeout(self.timeout, authorization).await) else { return self.no_token() };
        let broken = self.tell(Some(&secret), is_again).await;
        let Broken::Off(trouble) = &broken else { return broken };
        let Some(challenge) = trouble.challenge() else { return broken };
        let refused = self.connections.refused(self.key.tenant, connection, &secret, challenge);
        match had(timeout(self.timeout, refused).await).flatten() {
            Some(other) => self.tell(Some(&other), is_again).await,
            None => broken,
        }
    }

    fn no_token(&self) -> Broken {
        let url = self.peer.url.to_string();
        let trouble = Trouble::Unauthorized { url, status: 401, phrase: "no credentials", challenge: None };
        Broken::Off(trouble)
    }

    async fn tell(&self, secret: Option<&SecretString>, is_again: bool) -> Broken {
        let mut peer = self.peer.clone();
        if let Some(secret) = secret {
            let Some(authorization) = presented(secret) else { return self.no_token() };
            peer.authorization = Some(authorization);
        }
        let telling = Telling {
            peer: &peer,
            ids: &self.upstream.ids,
            watched: &self.watched,
            timeout: self.timeout,
            lists_changed: &|| (self.notice)(&self.key),
        };
        let opened = || {
            if is_again {
                self.watched.all_updated();
            }
        };
        // On the heap: the futures of an HTTP exchange are large.
        Box::pin(telling.listen(opened)).await
    }
}

/// What was asked for, if it came in time.
fn had<T>(asked: Result<Result<T, NotPresented>, Elapsed>) -> Option<T> {
    asked.ok().and_then(Result::ok)
}

//! What servers tell without being asked: that a resource has been updated, that a list has changed. For each server that somebody
//! wants to hear of there is one stream, whoever and however many they are; it is given up when nobody is left.
//!
//! A server of 2026-07-28 is asked for all of it at once (Subscriptions), and anew when that changes. One of the `initialize` era is
//! subscribed to for each resource in a session of its own, and tells on that session's stream (2025-11-25, Resources).

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use secrecy::SecretString;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout, timeout_at};

use super::session::Server;
use super::telling::{Broken, Telling};
use super::{Key, Notice, Peer, Trouble, Upstream, Upstreams, presented};
use crate::seams::{Connections, NotPresented};
use crate::waiting::at;

/// Resources of one server that are subscribed to, and who subscribes to one of them, at most.
const RESOURCES: usize = 512;
const SUBSCRIBERS: usize = 4096;
/// What is waited before a stream that broke off is opened again: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// What is waited before a server is asked again that does not tell what is wanted.
const RELUCTANT: Duration = Duration::from_secs(900);
/// For how long a server's lists are heard for who may want to soon: clients come and go.
const LINGERING: Duration = Duration::from_secs(120);
/// How many of a server's requests are answered at a time.
const ANSWERS: usize = 4;

/// The servers that are listened to.
#[derive(Default)]
pub(super) struct Watches(Mutex<HashMap<Key, Arc<Watched>>>);

/// One of them.
#[derive(Default)]
pub(super) struct Watched {
    wanted: Mutex<Wants>,
    /// What is wanted of it has changed.
    changed: watch::Sender<()>,
}

/// Knows which changes of what is wanted have been looked at.
pub(super) type Changes = watch::Receiver<()>;

/// What is wanted of a server.
#[derive(Default)]
struct Wants {
    last: u64,
    resources: HashMap<Arc<str>, Resource>,
    /// How many want to hear of its lists.
    lists: usize,
    /// Until when they are heard once nobody wants to.
    lingers_until: Option<Instant>,
}

impl Wants {
    /// Until when its lists are heard for nobody; none: they are not, or somebody wants to hear of them.
    fn lingers(&self) -> Option<Instant> {
        self.lingers_until.filter(|until| self.lists == 0 && *until > Instant::now())
    }

    fn has_lists(&self) -> bool {
        self.lists > 0 || self.lingers().is_some()
    }
}

/// The same, for one stream.
#[derive(Debug)]
pub(super) struct Wanted {
    /// In an order.
    pub(super) resources: Vec<Arc<str>>,
    pub(super) lists: bool,
}

/// Of what a server tells, as it said itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tells {
    resources: bool,
    lists: bool,
}

impl Tells {
    pub(super) fn of(server: &Server) -> Self {
        Self { resources: server.tells_of_resources, lists: server.tells_of_lists }
    }

    /// Whether it tells of anything that is wanted.
    pub(super) fn any_of(self, wanted: &Wanted) -> bool {
        (self.lists && wanted.lists) || (self.resources && !wanted.resources.is_empty())
    }
}

/// Somebody wants to hear of a server's lists; until this is dropped.
pub(crate) struct Heard {
    watched: Arc<Watched>,
    pub(crate) key: Key,
}

impl Drop for Heard {
    fn drop(&mut self) {
        let mut wanted = self.watched.wanted.lock();
        wanted.lists -= 1;
        if wanted.lists == 0 {
            wanted.lingers_until = Some(Instant::now() + LINGERING);
            drop(wanted);
            self.watched.changed.send_replace(());
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
    key: Key,
    /// By the server's own name for it.
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
            let is_first = !wanted.has_lists();
            wanted.lists += 1;
            drop(wanted);
            if is_first {
                watched.changed.send_replace(());
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
            answering: Arc::new(Semaphore::new(ANSWERS)),
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
        let (subscribed, mut taken) = self.watched(connections, key, |watched| watched.join(key, uri))??;
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
    fn join(self: &Arc<Self>, key: &Key, uri: &str) -> Result<(Subscribed, Taken), Trouble> {
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
            self.changed.send_replace(());
        }
        Ok((Subscribed { watched: self.clone(), key: key.clone(), uri, number, updates }, taken))
    }

    /// What is wanted of it at the moment.
    pub(super) fn wanted(&self) -> Wanted {
        let wanted = self.wanted.lock();
        let mut resources: Vec<Arc<str>> = wanted.resources.keys().cloned().collect();
        resources.sort();
        Wanted { resources, lists: wanted.has_lists() }
    }

    /// Changes of what is wanted, from here on.
    pub(super) fn changes(&self) -> Changes {
        self.changed.subscribe()
    }

    /// Comes when something else may be wanted of it: somebody came or went, or has been gone for long.
    pub(super) async fn moved(&self, changes: &mut Changes) {
        let lingers = self.wanted.lock().lingers();
        tokio::select! {
            // What sends is here.
            _ = changes.changed() => (),
            () = at(lingers) => (),
        }
    }

    /// Whether somebody waits for its server to say whether it will tell.
    pub(super) fn is_waited_for(&self) -> bool {
        self.wanted.lock().resources.values().any(|resource| resource.taken.borrow().is_none())
    }

    /// Whether its server has refused to tell of a resource, and whoever wanted it to has yet to go.
    pub(super) fn is_refused(&self, uri: &str) -> bool {
        let wanted = self.wanted.lock();
        wanted.resources.get(uri).is_some_and(|resource| matches!(&*resource.taken.borrow(), Some(Err(_))))
    }

    /// A server's answer to who wanted to subscribe. Where it does not tell any more, who has subscribed hears that it is over.
    pub(super) fn answered(&self, uri: &str, answer: Result<(), Trouble>) {
        if let Some(resource) = self.wanted.lock().resources.get_mut(uri) {
            if answer.is_err() {
                resource.by.clear();
            }
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
        wanted.has_lists() || !wanted.resources.is_empty()
    }
}

impl Subscribed {
    /// Comes when the resource was updated. False: its server does not tell of it any more.
    pub(crate) async fn updated(&mut self) -> bool {
        self.updates.recv().await.is_some()
    }

    /// Whether it is to this resource, of this server, reached by this connection.
    pub(crate) fn is_to(&self, key: &Key, uri: &str) -> bool {
        self.key == *key && *self.uri == *uri
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
            self.watched.changed.send_replace(());
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
    /// Its requests that may be answered at a time.
    answering: Arc<Semaphore>,
}

impl Watcher {
    async fn run(self) {
        let mut changes = self.watched.changes();
        let mut pause = FIRST_PAUSE;
        let mut is_first = true;
        while !self.is_over() {
            let opened = OnceLock::new();
            let broken = if self.tells_nothing() {
                Broken::Off(Trouble::NoSubscriptions { url: self.peer.url.to_string() })
            } else {
                self.listen(!is_first, &opened).await
            };
            is_first = false;
            let Broken::Off(trouble) = broken else { continue };
            tracing::info!(url = &*self.peer.url, why = %trouble, "what a server tells cannot be heard");
            changes.mark_unchanged();
            self.watched.failed(&trouble);
            let was_open_for = opened.get().map_or(Duration::ZERO, Instant::elapsed);
            if was_open_for > pause {
                pause = FIRST_PAUSE;
            }
            let is_reluctant = matches!(trouble, Trouble::NoSubscriptions { .. });
            // Who comes meanwhile is not kept waiting.
            let _ =
                timeout(if is_reluctant { RELUCTANT } else { pause }, self.watched.moved(&mut changes)).await;
            pause = if is_reluctant { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        }
    }

    /// Whether it said not long ago that it tells of nothing that is wanted: it will hardly have changed its mind.
    fn tells_nothing(&self) -> bool {
        let said = *self.upstream.tells.lock();
        said.is_some_and(|(said, tells)| said.elapsed() < RELUCTANT && !tells.any_of(&self.watched.wanted()))
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

    async fn listen(&self, is_again: bool, opened: &OnceLock<Instant>) -> Broken {
        let Some(connection) = self.key.connection else { return self.tell(None, is_again, opened).await };
        let authorization = self.connections.authorization(self.key.tenant, connection);
        let Some(secret) = had(timeout(self.timeout, authorization).await) else { return self.no_token() };
        let broken = self.tell(Some(&secret), is_again, opened).await;
        let Broken::Off(trouble) = &broken else { return broken };
        let Some(challenge) = trouble.challenge() else { return broken };
        let refused = self.connections.refused(self.key.tenant, connection, &secret, challenge);
        match had(timeout(self.timeout, refused).await).flatten() {
            Some(other) => self.tell(Some(&other), is_again, opened).await,
            None => broken,
        }
    }

    fn no_token(&self) -> Broken {
        let url = self.peer.url.to_string();
        let trouble = Trouble::Unauthorized { url, status: 401, phrase: "no credentials", challenge: None };
        Broken::Off(trouble)
    }

    /// Listens, presenting this. When it was open, is laid down in `opened`.
    async fn tell(
        &self,
        secret: Option<&SecretString>,
        is_again: bool,
        opened: &OnceLock<Instant>,
    ) -> Broken {
        let mut peer = self.peer.clone();
        if let Some(secret) = secret {
            let Some(authorization) = presented(secret) else { return self.no_token() };
            peer.authorization = Some(authorization);
        }
        let telling = Telling {
            peer: &peer,
            upstream: &self.upstream,
            watched: &self.watched,
            timeout: self.timeout,
            lists_changed: &|| (self.notice)(&self.key),
            answering: &self.answering,
        };
        let opened = || {
            let _ = opened.set(Instant::now());
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

//! One stream on which a server tells what nobody asked for, from its opening to its end.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use http::StatusCode;
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use super::answer::Answer;
use super::events::Events;
use super::exchange::{Listening, Peer, is_stream};
use super::request::{For, request};
use super::session::Session;
use super::theirs::{self, Theirs};
use super::trouble::Trouble;
use super::watch::{Changes, Tells, Wanted, Watched};
use super::{Upstream, probe};
use crate::wire::{self, Message};

/// How long a stream is listened to; then another is opened. A connection may be gone without a word.
const LIFETIME: Duration = Duration::from_secs(3600);
/// What is waited for others who want something else, before a server is asked for all of it anew.
const GATHERING: Duration = Duration::from_millis(20);
/// How much of one stream is taken, in bytes.
const MOST: usize = 16 << 20;
/// How long a server may take to agree to something while it is heard already, and how much of it is asked for at a time.
const ARRANGING: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 8;
/// The id of no request of ours.
const NONE: u64 = 0;

/// Why nothing is heard any more.
pub(super) enum Broken {
    /// Nobody wants to.
    Unwanted,
    Off(Trouble),
}

impl From<Trouble> for Broken {
    fn from(trouble: Trouble) -> Self {
        Self::Off(trouble)
    }
}

pub(super) struct Telling<'a> {
    pub(super) peer: &'a Peer,
    pub(super) upstream: &'a Upstream,
    pub(super) watched: &'a Watched,
    pub(super) timeout: Duration,
    /// Is told that its lists have changed, or may have.
    pub(super) lists_changed: &'a (dyn Fn() + Sync),
    /// How many of its requests may be answered at a time.
    pub(super) answering: &'a Arc<Semaphore>,
}

/// A stream of a server of 2026-07-28, and what it was opened for.
struct Open {
    body: Answer,
    events: Events,
    uris: Vec<Arc<str>>,
    lists: bool,
    /// The resources that it tells of, once it has said so.
    honoured: Option<HashSet<String>>,
}

/// What a server tells.
enum Told {
    Updated(String),
    ListsChanged,
    /// What it will tell of (2026-07-28).
    Honoured(HashSet<String>),
    /// It wants to know something of us.
    Asked(Bytes),
    Nothing,
}

#[derive(Default, Deserialize)]
struct Params<'b> {
    #[serde(borrow, default, deserialize_with = "wire::present")]
    uri: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "wire::present")]
    notifications: Option<&'b RawValue>,
}

#[derive(Default, Deserialize)]
struct Filter {
    #[serde(default, rename = "resourceSubscriptions")]
    resources: HashSet<String>,
}

/// What is listened for, as `subscriptions/listen` takes it.
fn filter(resources: &[Arc<str>], lists: bool) -> Value {
    let mut filter = serde_json::Map::new();
    if !resources.is_empty() {
        filter.insert("resourceSubscriptions".to_owned(), serde_json::json!(resources));
    }
    if lists {
        let kinds = ["toolsListChanged", "promptsListChanged", "resourcesListChanged"];
        filter.extend(kinds.map(|kind| (kind.to_owned(), Value::Bool(true))));
    }
    Value::Object(filter)
}

impl Telling<'_> {
    /// Listens until it cannot any more, or nobody wants to. `opened` is told once all is in place.
    pub(super) async fn listen(&self, opened: impl FnOnce()) -> Broken {
        let deadline = Instant::now() + self.timeout;
        let ids = &self.upstream.ids;
        let session = match probe::open(self.peer, ids, wire::Capabilities::default(), deadline).await {
            Ok(session) => session,
            Err(trouble) => return trouble.into(),
        };
        let tells = Tells::of(&session.server);
        self.upstream.tells(tells);
        if !tells.any_of(&self.watched.wanted()) {
            self.peer.leave(&session).await;
            return self.refused().into();
        }
        let broken = if session.is_stateless {
            self.stateless(&session, opened).await
        } else {
            let broken = self.opened(&session, opened).await;
            self.peer.leave(&session).await;
            broken
        };
        broken.unwrap_or_else(|broken| broken)
    }

    /// A server of 2026-07-28.
    async fn stateless(&self, session: &Session, opened: impl FnOnce()) -> Result<Broken, Broken> {
        let until = Instant::now() + LIFETIME;
        let mut opened = Some(opened);
        let mut has_lists = false;
        let mut changes = self.watched.changes();
        let mut open: Option<Open> = None;
        loop {
            changes.mark_unchanged();
            let wanted = self.watched.wanted();
            let uris = self.resources(session, &wanted);
            let lists = wanted.lists && session.server.tells_of_lists;
            if uris.is_empty() && !lists {
                return self.nothing(&wanted);
            }
            if !open.as_ref().is_some_and(|open| open.uris == uris && open.lists == lists) {
                match self.open(session, uris, lists, open.is_some()).await {
                    // What was told on the one before, while this one was opened, is not lost.
                    Ok(new) => {
                        if let Some(before) = open.replace(new) {
                            self.run_out(before);
                        }
                    }
                    Err(trouble) => {
                        let Some(before) = open.as_ref().filter(|_| !is_about_all(&trouble)) else {
                            return Err(trouble.into());
                        };
                        // Who is heard already is heard as before.
                        for uri in uris.iter().filter(|uri| !before.uris.contains(uri)) {
                            self.watched.answered(uri, Err(trouble.clone()));
                        }
                    }
                }
            }
            let Some(open) = &mut open else { return Err(self.peer.broke_off().into()) };
            // Of what it has said already, whoever came since then is told as well.
            self.honoured(open);
            let changed = self.changed(&mut changes, session, &wanted);
            tokio::pin!(changed);
            loop {
                let frame = tokio::select! {
                    frame = open.body.frame() => frame,
                    () = &mut changed => break,
                    () = sleep_until(until) => return Err(self.peer.broke_off().into()),
                };
                for message in self.messages(frame, &mut open.events)? {
                    match told(&message) {
                        Told::Updated(uri) => self.watched.updated(&uri),
                        Told::Honoured(honoured) => {
                            open.honoured = Some(honoured);
                            self.honoured(open);
                            if let Some(opened) = opened.take() {
                                opened();
                            }
                            self.has_lists(&mut has_lists, open.lists);
                        }
                        Told::ListsChanged => (self.lists_changed)(),
                        Told::Asked(_) | Told::Nothing => (),
                    }
                }
            }
        }
    }

    /// Opens a stream. One that would only take the place of another is not waited for long.
    async fn open(
        &self,
        session: &Session,
        uris: &[Arc<str>],
        lists: bool,
        is_another: bool,
    ) -> Result<Open, Trouble> {
        let members = format!("\"notifications\":{}", filter(uris, lists));
        let with = For { session: Some(session), ..For::default() };
        let id = self.upstream.ids.next();
        let written = request(id, "subscriptions/listen", None, members.as_bytes(), with);
        let within = if is_another { self.timeout.min(ARRANGING) } else { self.timeout };
        let body = self.peer.open(session, written, within).await?;
        Ok(Open { body, events: Events::new(MOST), uris: uris.to_vec(), lists, honoured: None })
    }

    /// What has already come on a stream whose place another one has taken.
    fn run_out(&self, mut open: Open) {
        while let Some(Some(frame)) = open.body.frame().now_or_never() {
            let Ok(messages) = self.messages(Some(frame), &mut open.events) else { return };
            for message in messages {
                match told(&message) {
                    Told::Updated(uri) => self.watched.updated(&uri),
                    Told::ListsChanged => (self.lists_changed)(),
                    Told::Honoured(_) | Told::Asked(_) | Told::Nothing => (),
                }
            }
        }
    }

    /// Whoever wants to hear of a resource is told whether the server has agreed, if it has said so.
    fn honoured(&self, open: &Open) {
        let Some(honoured) = &open.honoured else { return };
        for uri in &open.uris {
            let is_honoured = honoured.contains(&**uri);
            self.watched.answered(uri, if is_honoured { Ok(()) } else { Err(self.refused()) });
        }
    }

    /// A server of the `initialize` era. What it is asked for is asked beside its stream, which is read all the while.
    async fn opened(&self, session: &Session, opened: impl FnOnce()) -> Result<Broken, Broken> {
        let until = Instant::now() + LIFETIME;
        let mut changes = self.watched.changes();
        let mut body = self.stream(session).await?;
        let mut events = Events::new(MOST);
        let mut opened = Some(opened);
        let mut has_lists = false;
        let mut has: HashSet<Arc<str>> = HashSet::new();
        let mut arranging = FuturesUnordered::new();
        let mut under_way: HashSet<Arc<str>> = HashSet::new();
        loop {
            changes.mark_unchanged();
            let wanted = self.watched.wanted();
            let uris = self.resources(session, &wanted);
            let lists = wanted.lists && session.server.tells_of_lists;
            if uris.is_empty() && !lists && has.is_empty() && arranging.is_empty() {
                return self.nothing(&wanted);
            }
            let free = AT_ONCE.saturating_sub(arranging.len());
            for uri in has.extract_if(|uri| !uris.contains(uri)).take(free) {
                under_way.insert(uri.clone());
                arranging.push(self.arrange(session, uri, false));
            }
            for uri in uris {
                if has.contains(uri) {
                    self.watched.answered(uri, Ok(()));
                } else if arranging.len() < AT_ONCE
                    && !self.watched.is_refused(uri)
                    && under_way.insert(uri.clone())
                {
                    arranging.push(self.arrange(session, uri.clone(), true));
                }
            }
            if arranging.is_empty()
                && let Some(opened) = opened.take()
            {
                opened();
            }
            self.has_lists(&mut has_lists, lists);
            let changed = self.changed(&mut changes, session, &wanted);
            tokio::pin!(changed);
            loop {
                let frame = tokio::select! {
                    frame = body.frame() => frame,
                    Some((uri, subscribed)) = arranging.next() => {
                        under_way.remove(&uri);
                        match subscribed {
                            // A server that minds says so when it is asked for something else.
                            None => (),
                            Some(Err(trouble)) if is_about_all(&trouble) => return Err(trouble.into()),
                            Some(answer) => {
                                if answer.is_ok() {
                                    has.insert(uri.clone());
                                }
                                self.watched.answered(&uri, answer);
                            }
                        }
                        break;
                    }
                    () = &mut changed => break,
                    () = sleep_until(until) => return Err(self.peer.broke_off().into()),
                };
                for message in self.messages(frame, &mut events)? {
                    match told(&message) {
                        Told::Updated(uri) => self.watched.updated(&uri),
                        Told::ListsChanged => (self.lists_changed)(),
                        Told::Asked(message) => self.answer(session, &message),
                        Told::Honoured(_) | Told::Nothing => (),
                    }
                }
            }
        }
    }

    /// The resources of which it may tell; who wants to hear of others is told that there is nothing to be heard.
    fn resources<'w>(&self, session: &Session, wanted: &'w Wanted) -> &'w [Arc<str>] {
        if session.server.tells_of_resources {
            return &wanted.resources;
        }
        wanted.resources.iter().for_each(|uri| self.watched.answered(uri, Err(self.refused())));
        &[]
    }

    /// There is nothing to listen to: nobody wants to, or it does not tell of what is wanted.
    fn nothing(&self, wanted: &Wanted) -> Result<Broken, Broken> {
        if wanted.lists { Err(self.refused().into()) } else { Ok(Broken::Unwanted) }
    }

    /// Its lists are heard of from here on, or not any more. What has happened before they were has happened.
    fn has_lists(&self, before: &mut bool, lists: bool) {
        if lists && !*before {
            (self.lists_changed)();
        }
        *before = lists;
    }

    /// Comes when something else is wanted than this.
    async fn changed(&self, changes: &mut Changes, session: &Session, wanted: &Wanted) {
        loop {
            self.watched.moved(changes).await;
            tokio::time::sleep(GATHERING).await;
            changes.mark_unchanged();
            let now = self.watched.wanted();
            let has_other_lists = now.lists != wanted.lists && session.server.tells_of_lists;
            if has_other_lists || now.resources != wanted.resources || self.watched.is_waited_for() {
                return;
            }
        }
    }

    /// Subscribes to a resource, or gives it up. With the server's answer, where that matters.
    async fn arrange(
        &self,
        session: &Session,
        uri: Arc<str>,
        is_wanted: bool,
    ) -> (Arc<str>, Option<Result<(), Trouble>>) {
        let method = if is_wanted { "resources/subscribe" } else { "resources/unsubscribe" };
        let mut members = Vec::from(b"\"uri\":");
        wire::write_string(&mut members, &uri);
        let with = For { session: Some(session), ..For::default() };
        let written = request(self.upstream.ids.next(), method, None, &members, with);
        let deadline = Instant::now() + self.timeout.min(ARRANGING);
        let answer = self.peer.ask(Some(session), written, Listening::default(), deadline).await;
        (uri, is_wanted.then(|| answer.map(drop)))
    }

    async fn stream(&self, session: &Session) -> Result<Answer, Trouble> {
        let opening = async {
            let request = self.peer.listening(session, None);
            let response = self.peer.send(Some(session), request).await.map_err(|_| self.peer.broke_off())?;
            let (head, body) = response.into_parts();
            let is_none = matches!(head.status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED);
            if head.status.is_success() && is_stream(&head.headers) {
                Ok(body)
            } else if head.status.is_success() || is_none {
                // It answers, and has no such stream.
                self.upstream.tells(Tells::default());
                Err(self.refused())
            } else {
                Err(self.peer.refusal(head.status, &head.headers, body, Some(session), NONE).await)
            }
        };
        let late = || Trouble::TimedOut { url: self.peer.url.to_string(), seconds: self.timeout.as_secs() };
        tokio::time::timeout(self.timeout, opening).await.map_err(|_| late())?
    }

    fn messages<E>(
        &self,
        frame: Option<Result<hyper::body::Frame<Bytes>, E>>,
        events: &mut Events,
    ) -> Result<Vec<Bytes>, Trouble> {
        let Some(Ok(frame)) = frame else { return Err(self.peer.broke_off()) };
        let Some(piece) = frame.data_ref() else { return Ok(Vec::new()) };
        let messages = events.feed(piece).map_err(|_| self.peer.too_large())?;
        Ok(messages.into_iter().map(Bytes::from).collect())
    }

    /// We are nobody who could be asked anything here, but whether we are there. A server that asks faster than it takes our answers
    /// misses some.
    fn answer(&self, session: &Session, message: &Bytes) {
        let Ok(place) = self.answering.clone().try_acquire_owned() else { return };
        if let Some(Theirs::Answered(answer)) = theirs::read(message, None) {
            let (peer, session) = (self.peer.clone(), session.clone());
            tokio::spawn(async move {
                let _ = peer.tell(Some(&session), answer).await;
                drop(place);
            });
        }
    }

    fn refused(&self) -> Trouble {
        Trouble::NoSubscriptions { url: self.peer.url.to_string() }
    }
}

/// Whether it says something of all that is listened to, and not only of what was asked for.
fn is_about_all(trouble: &Trouble) -> bool {
    matches!(
        trouble,
        Trouble::SessionLost { .. } | Trouble::WrongEra { .. } | Trouble::Unauthorized { status: 401, .. }
    ) || trouble.challenge().is_some()
        || trouble.spoken().is_some()
}

fn told(message: &Bytes) -> Told {
    let (method, params) = match wire::read(message) {
        Ok(Message::Notification { method, params }) => (method, params),
        Ok(Message::Request { .. }) => return Told::Asked(message.clone()),
        _ => return Told::Nothing,
    };
    let params: Option<Params<'_>> = params.and_then(wire::object);
    let Params { uri, notifications } = params.unwrap_or_default();
    match &*method {
        "notifications/tools/list_changed"
        | "notifications/prompts/list_changed"
        | "notifications/resources/list_changed" => Told::ListsChanged,
        "notifications/resources/updated" => {
            uri.and_then(wire::text_of).map_or(Told::Nothing, |uri| Told::Updated(uri.into_owned()))
        }
        "notifications/subscriptions/acknowledged" => {
            let filter: Filter =
                notifications.and_then(|filter| serde_json::from_str(filter.get()).ok()).unwrap_or_default();
            Told::Honoured(filter.resources)
        }
        _ => Told::Nothing,
    }
}

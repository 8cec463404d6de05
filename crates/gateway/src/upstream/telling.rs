//! One stream on which a server tells what nobody asked for, from its opening to its end.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep_until};

use super::events::Events;
use super::exchange::{Listening, Peer, is_stream};
use super::request::{For, request};
use super::session::Session;
use super::theirs::{self, Theirs};
use super::trouble::Trouble;
use super::watch::{Wanted, Watched};
use super::{Ids, probe};
use crate::wire::{self, Message};

/// How long a stream is listened to; then another is opened. A connection may be gone without a word.
const LIFETIME: Duration = Duration::from_secs(3600);
/// What is waited for others who want something else, before a server is asked for all of it anew.
const GATHERING: Duration = Duration::from_millis(20);
/// How much of one stream is taken, in bytes.
const MOST: usize = 16 << 20;

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
    pub(super) ids: &'a Ids,
    pub(super) watched: &'a Watched,
    pub(super) timeout: Duration,
    /// Is told that its lists have changed, or may have.
    pub(super) lists_changed: &'a (dyn Fn() + Sync),
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
        let session = match probe::open(self.peer, self.ids, wire::Capabilities::default(), deadline).await {
            Ok(session) => session,
            Err(trouble) => return trouble.into(),
        };
        let server = &session.server;
        let lists = self.watched.wanted().lists && server.tells_of_lists;
        if !server.tells_of_resources && !lists {
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
        let mut last: Option<(Incoming, Events)> = None;
        loop {
            let wanted = self.watched.wanted();
            let uris = self.resources(session, &wanted);
            let lists = wanted.lists && session.server.tells_of_lists;
            if uris.is_empty() && !lists {
                return self.nothing(&wanted);
            }
            let members = format!("\"notifications\":{}", filter(uris, lists));
            let with = For { session: Some(session), ..For::default() };
            let written = request(self.ids.next(), "subscriptions/listen", None, members.as_bytes(), with);
            let mut body = self.peer.open(session, written, self.timeout).await?;
            let mut events = Events::new(MOST);
            // What was told on the one before, while this one was opened, is not lost.
            if let Some((mut body, mut events)) = last.take() {
                while let Some(Some(frame)) = body.frame().now_or_never() {
                    for message in self.messages(Some(frame), &mut events)? {
                        match told(&message) {
                            Told::Updated(uri) => self.watched.updated(&uri),
                            Told::ListsChanged => (self.lists_changed)(),
                            Told::Honoured(_) | Told::Asked(_) | Told::Nothing => (),
                        }
                    }
                }
            }
            loop {
                let frame = tokio::select! {
                    frame = body.frame() => frame,
                    () = self.changed(session, &wanted) => break,
                    () = sleep_until(until) => return Err(self.peer.broke_off().into()),
                };
                for message in self.messages(frame, &mut events)? {
                    match told(&message) {
                        Told::Updated(uri) => self.watched.updated(&uri),
                        Told::Honoured(honoured) => {
                            for uri in uris {
                                let is_honoured = honoured.contains(&**uri);
                                self.watched
                                    .answered(uri, is_honoured.then_some(()).ok_or_else(|| self.refused()));
                            }
                            self.has_opened(&mut opened, lists);
                        }
                        Told::ListsChanged => (self.lists_changed)(),
                        Told::Asked(_) | Told::Nothing => (),
                    }
                }
            }
            last = Some((body, events));
        }
    }

    /// A server of the `initialize` era.
    async fn opened(&self, session: &Session, opened: impl FnOnce()) -> Result<Broken, Broken> {
        let until = Instant::now() + LIFETIME;
        let mut body = self.stream(session).await?;
        let mut events = Events::new(MOST);
        let mut has: Vec<Arc<str>> = Vec::new();
        let mut opened = Some(opened);
        loop {
            let wanted = self.watched.wanted();
            let uris = self.resources(session, &wanted);
            let lists = wanted.lists && session.server.tells_of_lists;
            for uri in has.extract_if(.., |uri| !uris.contains(uri)).collect::<Vec<_>>() {
                // A server that minds says so when it is asked for something else.
                let _ = self.ask(session, "resources/unsubscribe", &uri).await;
            }
            if uris.is_empty() && !lists {
                return self.nothing(&wanted);
            }
            for uri in uris {
                if has.contains(uri) {
                    self.watched.answered(uri, Ok(()));
                    continue;
                }
                match self.ask(session, "resources/subscribe", uri).await {
                    Ok(()) => {
                        has.push(uri.clone());
                        self.watched.answered(uri, Ok(()));
                    }
                    Err(trouble @ Trouble::Refused { .. }) => self.watched.answered(uri, Err(trouble)),
                    Err(trouble) => return Err(trouble.into()),
                }
            }
            self.has_opened(&mut opened, lists);
            loop {
                let frame = tokio::select! {
                    frame = body.frame() => frame,
                    () = self.changed(session, &wanted) => break,
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

    /// What has happened before it was heard has happened.
    fn has_opened(&self, opened: &mut Option<impl FnOnce()>, lists: bool) {
        if let Some(opened) = opened.take() {
            opened();
            if lists {
                (self.lists_changed)();
            }
        }
    }

    /// Comes when something else is wanted than this.
    async fn changed(&self, session: &Session, wanted: &Wanted) {
        loop {
            self.watched.changed.notified().await;
            tokio::time::sleep(GATHERING).await;
            let now = self.watched.wanted();
            let has_other_lists = now.lists != wanted.lists && session.server.tells_of_lists;
            if has_other_lists || now.resources != wanted.resources || self.watched.is_waited_for() {
                return;
            }
        }
    }

    async fn ask(&self, session: &Session, method: &'static str, uri: &str) -> Result<(), Trouble> {
        let mut members = Vec::from(b"\"uri\":");
        wire::write_string(&mut members, uri);
        let with = For { session: Some(session), ..For::default() };
        let written = request(self.ids.next(), method, None, &members, with);
        let deadline = Instant::now() + self.timeout;
        self.peer.ask(Some(session), written, Listening::default(), deadline).await.map(drop)
    }

    async fn stream(&self, session: &Session) -> Result<Incoming, Trouble> {
        let opening = self.peer.http.request(self.peer.listening(session, None));
        match tokio::time::timeout(self.timeout, opening).await {
            Ok(Ok(response)) if response.status().is_success() && is_stream(response.headers()) => {
                Ok(response.into_body())
            }
            // It answers, and has no such stream.
            Ok(Ok(_)) => Err(Trouble::NoSubscriptions { url: self.peer.url.to_string() }),
            Ok(Err(_)) => Err(self.peer.broke_off()),
            Err(_) => {
                Err(Trouble::TimedOut { url: self.peer.url.to_string(), seconds: self.timeout.as_secs() })
            }
        }
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

    /// We are nobody who could be asked anything here, but whether we are there.
    fn answer(&self, session: &Session, message: &Bytes) {
        if let Some(Theirs::Answered(answer)) = theirs::read(message, None) {
            let (peer, session) = (self.peer.clone(), session.clone());
            tokio::spawn(async move { peer.tell(Some(&session), answer).await });
        }
    }

    fn refused(&self) -> Trouble {
        Trouble::NoSubscriptions { url: self.peer.url.to_string() }
    }
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

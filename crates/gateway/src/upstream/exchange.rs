//! One request to an upstream server and its answer, as JSON or as a stream of events (MCP 2025-11-25, Transports,
//! Streamable HTTP).

use std::sync::Arc;
use std::time::Duration;

use authorization::Challenge;
use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, USER_AGENT, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::answer::Answer;
use super::client::HttpClient;
use super::launch::Launch;
use super::request::Written;
use super::sending::{Outgoing, Sending};
use super::session::Session;
use super::stream::Stream;
use super::trouble::{Place, Trouble};
use crate::conduit::Conduit;
use crate::wire::{self, Message};

const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
pub(crate) const SESSION_HEADER: HeaderName = HeaderName::from_static("mcp-session-id");
const BOTH_FORMS: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const EVENT_STREAM: &str = "text/event-stream";
const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) const WE: HeaderValue =
    HeaderValue::from_static(concat!("WorkingAgents/", env!("CARGO_PKG_VERSION")));
/// How much is read, in bytes, of an answer with an HTTP error, and of what comes after an answer.
pub(super) const ERROR_BODY: usize = 64 << 10;
/// How long is waited, once a server's time is over, before it is asked again whether its client is still waited for.
const AWHILE: Duration = Duration::from_millis(500);
/// How long a message that wants no answer may take.
const ASIDE: Duration = Duration::from_secs(10);

/// An upstream server as one who talks to it needs it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) http: HttpClient,
    /// How it is started, where it is a program.
    pub(crate) program: Option<Arc<Launch>>,
    pub(crate) uri: Uri,
    /// The URL as people wrote it, for sentences.
    pub(crate) url: Arc<str>,
    /// What we present. Marked as sensitive, so that it is not shown.
    pub(crate) authorization: Option<HeaderValue>,
    /// Largest answer that is taken.
    pub(crate) limit: usize,
}

/// What goes along with a request of ours.
#[derive(Clone, Copy, Default)]
pub(crate) struct Listening<'a> {
    /// Knows when it begins to be sent, and whether it still may.
    pub(crate) sending: Option<&'a Sending>,
    /// Is told of its progress.
    pub(crate) conduit: Option<&'a Conduit>,
    /// How long its answer may take to begin.
    pub(crate) first_byte: Option<Duration>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The result object, raw.
    pub(crate) result: Bytes,
    /// The session that the server gave, where it gave one.
    pub(crate) session: Option<HeaderValue>,
}

impl Peer {
    /// Sends a request and waits for its answer until `deadline`.
    pub(crate) async fn ask(
        &self,
        session: Option<&Session>,
        written: Written,
        listening: Listening<'_>,
        deadline: Instant,
    ) -> Result<Reply, Trouble> {
        let begun = Instant::now();
        let Written { id, text, headers } = written;
        let body = match listening.sending {
            Some(sending) => Outgoing::in_time(text, sending.clone()),
            None => Outgoing::any_time(text),
        };
        let late = |deadline: Instant| Trouble::TimedOut {
            url: self.url.to_string(),
            seconds: deadline.saturating_duration_since(begun).as_secs().max(1),
        };
        let answered = async {
            let begins_by = listening.first_byte.map_or(deadline, |time| (begun + time).min(deadline));
            let response = in_time(self.post(session, headers, body), begins_by, listening.conduit);
            let response = response.await.ok_or_else(|| late(begins_by))??;
            self.answer(response, session, id, listening.conduit).await
        };
        in_time(answered, deadline, listening.conduit).await.unwrap_or_else(|| Err(late(deadline)))
    }

    /// Sends a message that wants no answer: a notification, or an answer to a request of theirs.
    pub(crate) async fn tell(&self, session: Option<&Session>, message: Bytes) -> Result<(), Trouble> {
        let told = self.post(session, HeaderMap::new(), Outgoing::any_time(message));
        match tokio::time::timeout(ASIDE, told).await {
            Ok(response) => response.map(|_| ()),
            Err(_) => Err(Trouble::TimedOut { url: self.url.to_string(), seconds: ASIDE.as_secs() }),
        }
    }

    /// Ends a session that is no longer needed. The server may refuse; nothing depends on it.
    pub(crate) async fn leave(&self, session: &Session) {
        if session.id.is_some() {
            let request = self.request(Method::DELETE, Some(session), Outgoing::any_time(Bytes::new()));
            let _ = tokio::time::timeout(ASIDE, self.send(Some(session), request)).await;
        }
    }

    async fn post(
        &self,
        session: Option<&Session>,
        headers: HeaderMap,
        body: Outgoing,
    ) -> Result<Response<Answer>, Trouble> {
        let mut request = self.request(Method::POST, session, body);
        request.headers_mut().extend(headers);
        self.send(session, request).await
    }

    /// Sends a request over the network, or through the session's pipe where it has one.
    pub(super) async fn send(
        &self,
        session: Option<&Session>,
        request: Request<Outgoing>,
    ) -> Result<Response<Answer>, Trouble> {
        if let Some(pipe) = session.and_then(|session| session.pipe.as_ref()) {
            return Box::pin(pipe.answer(request)).await;
        }
        let response = self.http.request(request).await;
        let response =
            response.map_err(|error| Trouble::of_client(&error, error.is_connect(), &self.place()))?;
        Ok(response.map(Answer::Http))
    }

    /// Sends a request whose answer is a stream that goes on, and waits for it to begin.
    pub(super) async fn open(
        &self,
        session: &Session,
        written: Written,
        within: Duration,
    ) -> Result<Answer, Trouble> {
        let Written { id, text, headers } = written;
        let opening = async {
            let response = self.post(Some(session), headers, Outgoing::any_time(text)).await?;
            let (head, body) = response.into_parts();
            if !head.status.is_success() {
                return Err(self.refusal(head.status, &head.headers, body, Some(session), id).await);
            }
            if is_stream(&head.headers) {
                return Ok(body);
            }
            let text = self.whole(body, ERROR_BODY).await?;
            self.result_in(&text, id)?;
            Err(self.not_mcp("the answer is no event stream"))
        };
        let late = || Trouble::TimedOut { url: self.url.to_string(), seconds: within.as_secs() };
        tokio::time::timeout(within, opening).await.map_err(|_| late())?
    }

    /// A request for a stream of the session: its own, or what comes `after` an event of one that has ended.
    pub(super) fn listening(&self, session: &Session, after: Option<HeaderValue>) -> Request<Outgoing> {
        let mut request = self.streaming_in(Some(session));
        request.headers_mut().extend(after.map(|after| (LAST_EVENT, after)));
        request
    }

    /// A request for the stream of a server that has no other way to say anything (2024-11-05).
    pub(super) fn streaming(&self) -> Request<Outgoing> {
        self.streaming_in(None)
    }

    fn streaming_in(&self, session: Option<&Session>) -> Request<Outgoing> {
        let mut request = self.request(Method::GET, session, Outgoing::any_time(Bytes::new()));
        let headers = request.headers_mut();
        headers.remove(CONTENT_TYPE);
        headers.insert(ACCEPT, HeaderValue::from_static(EVENT_STREAM));
        request
    }

    fn request(&self, method: Method, session: Option<&Session>, body: Outgoing) -> Request<Outgoing> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, BOTH_FORMS);
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(USER_AGENT, WE);
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if let Some(session) = session {
            headers.insert(wire::VERSION_HEADER, session.version.clone());
            if let Some(id) = &session.id {
                headers.insert(SESSION_HEADER, id.clone());
            }
        }
        request
    }

    async fn answer(
        &self,
        response: Response<Answer>,
        session: Option<&Session>,
        id: u64,
        conduit: Option<&Conduit>,
    ) -> Result<Reply, Trouble> {
        let (head, body) = response.into_parts();
        if !head.status.is_success() {
            return Err(self.refusal(head.status, &head.headers, body, session, id).await);
        }
        if is_compressed(&head.headers) {
            return Err(self.not_mcp("the answer is compressed, which was not asked for"));
        }
        let given = head.headers.get(SESSION_HEADER).cloned();
        let result = match media_type(&head.headers) {
            "application/json" => {
                let text = self.whole(body, self.limit).await?;
                match self.result_in(&text, id)? {
                    Some(result) => result,
                    None => return Err(self.not_mcp("the answer is not to our request")),
                }
            }
            EVENT_STREAM => Stream { peer: self, session, id, conduit, is_aside: false }.read(body).await?,
            "" => return Err(self.not_mcp("the answer is empty")),
            other => {
                let other: String = other.chars().take(60).collect();
                return Err(self.not_mcp(&format!("the answer is {other}, not JSON or an event stream")));
            }
        };
        Ok(Reply { result, session: given })
    }

    /// The result in a message, if the message answers request `id`.
    pub(super) fn result_in(&self, text: &Bytes, id: u64) -> Result<Option<Bytes>, Trouble> {
        let message = wire::read(text).map_err(|_| self.not_mcp("a message is not JSON-RPC 2.0"))?;
        let Message::Response { id: theirs, outcome } = message else { return Ok(None) };
        match (theirs.map(|theirs| theirs.raw().parse() == Ok(id)), outcome) {
            (Some(true), Ok(result)) if result.get().starts_with('{') => {
                Ok(Some(kept(text, result.get().as_bytes())))
            }
            (Some(true), Ok(_)) => Err(self.not_mcp("the result is no object")),
            // An error without id is about a request that could not be read: there is only ours.
            (Some(true) | None, Err(error)) => Err(rpc_error(error)),
            _ => Ok(None),
        }
    }

    pub(super) async fn refusal(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: Answer,
        session: Option<&Session>,
        id: u64,
    ) -> Trouble {
        let url = || self.url.to_string();
        let phrase = status.canonical_reason().unwrap_or("");
        let has_session = session.is_some_and(|session| session.id.is_some());
        match status.as_u16() {
            404 if has_session => return Trouble::SessionLost { url: url() },
            status @ (401 | 403) => {
                // A 403 may be about anything.
                let challenge = Challenge::read(headers).filter(|said| status == 401 || said.wants_more());
                // Some say nothing else than that (RFC 9110 section 15.5.2 wants more).
                let says_nothing = status == 401 && !headers.contains_key(WWW_AUTHENTICATE);
                let challenge = challenge.or_else(|| says_nothing.then(Challenge::default));
                let challenge = challenge.map(Box::new);
                return Trouble::Unauthorized { url: url(), status, phrase, challenge };
            }
            300..=399 => {
                let to = headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
                return Trouble::Redirect { url: url(), to: super::without_query(to) };
            }
            _ => (),
        }
        // Servers tell more in a JSON-RPC error.
        if media_type(headers) == "application/json"
            && let Ok(text) = self.whole(body, ERROR_BODY).await
            && let Ok(Message::Response { id: theirs, outcome: Err(error) }) = wire::read(&text)
        {
            match theirs {
                // The common SDK says 400 and names no request when it does not know the session: the message was
                // not taken (2025-11-25, Transports, Sending Messages, 4).
                None if has_session && status == StatusCode::BAD_REQUEST => {
                    return Trouble::SessionLost { url: url() };
                }
                Some(theirs) if theirs.raw().parse() != Ok(id) => (),
                theirs => {
                    let trouble = rpc_error(error);
                    // A server that opens sessions says the same to who comes without one.
                    let is_unread = theirs.is_none() && status == StatusCode::BAD_REQUEST;
                    let is_stateless = session.is_some_and(|session| session.is_stateless);
                    if is_unread && is_stateless && !trouble.is_of_the_stateless_era() {
                        return Trouble::WrongEra { url: url() };
                    }
                    return trouble;
                }
            }
        }
        let hint = match status.as_u16() {
            404 => ": is the path right? Many servers use /mcp",
            405 => ": it takes no POST there; is the path right? Many servers use /mcp",
            406 | 415 => ": it may be no MCP server over streamable HTTP",
            429 => ": we have asked too often",
            500..=599 => ": the server itself has a problem",
            _ => "",
        };
        Trouble::Status { url: url(), status: status.as_u16(), phrase, hint }
    }

    async fn whole(&self, body: Answer, limit: usize) -> Result<Bytes, Trouble> {
        match Limited::new(body, limit).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(self.too_large()),
            Err(_) => Err(self.broke_off()),
        }
    }

    fn place(&self) -> Place<'_> {
        Place { url: &self.url, authority: self.uri.authority().map_or("", |authority| authority.as_str()) }
    }

    pub(super) fn not_mcp(&self, why: &str) -> Trouble {
        Trouble::NotMcp { url: self.url.to_string(), why: why.to_owned() }
    }

    pub(super) fn too_large(&self) -> Trouble {
        Trouble::TooLarge { url: self.url.to_string(), limit: self.limit }
    }

    pub(super) fn broke_off(&self) -> Trouble {
        Trouble::BrokeOff { url: self.url.to_string() }
    }
}

/// Waits for what a server does, until its time is over. The time in which its client was waited for was not the server's.
async fn in_time<T>(
    done: impl Future<Output = T>,
    deadline: Instant,
    conduit: Option<&Conduit>,
) -> Option<T> {
    tokio::pin!(done);
    let mut until = deadline;
    loop {
        if let Ok(done) = tokio::time::timeout_at(until, &mut done).await {
            return Some(done);
        }
        let now = Instant::now();
        let put_off = conduit.map_or(Some(deadline), |conduit| conduit.put_off(deadline));
        until = put_off.unwrap_or(now + AWHILE);
        if until <= now {
            return None;
        }
    }
}

/// Whether it is a stream of events, to be read as it is.
pub(super) fn is_stream(headers: &HeaderMap) -> bool {
    media_type(headers) == EVENT_STREAM && !is_compressed(headers)
}

fn is_compressed(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity")
}

/// The media type without its parameters; names are compared in lower case, as servers write them.
fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim()
}

/// A part of `text` that outlives it, without keeping much more than itself in memory.
fn kept(text: &Bytes, part: &[u8]) -> Bytes {
    if text.len() > 2 * part.len() + 4096 { Bytes::copy_from_slice(part) } else { text.slice_ref(part) }
}

#[derive(Deserialize)]
struct ErrorObject<'b> {
    code: Option<i64>,
    #[serde(borrow, default, deserialize_with = "wire::present")]
    message: Option<&'b RawValue>,
}

fn rpc_error(error: &RawValue) -> Trouble {
    let raw = Bytes::copy_from_slice(error.get().as_bytes());
    let error: Option<ErrorObject<'_>> = wire::object(error);
    let message = error.as_ref().and_then(|error| error.message).and_then(wire::text_of);
    Trouble::Refused {
        code: error.and_then(|error| error.code).unwrap_or(0),
        message: message.as_deref().unwrap_or("no message").chars().take(1000).collect(),
        raw,
    }
}

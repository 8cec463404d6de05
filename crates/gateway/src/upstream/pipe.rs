//! A server that is spoken to through a pipe, by messages alone: a program by its standard input and output, or an old one by posts
//! and one stream of events (MCP 2024-11-05, HTTP with SSE). Here it is given the form of a server of the `initialize` era over
//! streamable HTTP: a post is answered by a stream of what belongs to it, and what belongs to nothing is had by GET.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::answer::{Answer, Piped};
use super::child::Line;
use super::old_sse::Posting;
use super::sending::Outgoing;
use super::trouble::Trouble;
use crate::programs::Use;
use crate::wire::{self, Id, Message};

/// How many messages may wait for whoever reads an answer, and how long for a place among them.
const WAITING: usize = 64;
const STALLED: Duration = Duration::from_secs(10);
/// How many listen to what belongs to no request, and how many questions wait for somebody who can be asked.
const LISTENERS: usize = 4;
const UNASKED: usize = 16;

/// The way to a server. It ends once nobody has it any more.
#[derive(Debug)]
pub(crate) struct Pipe {
    desk: Arc<Desk>,
    out: Out,
    _open: DropGuard,
}

/// How messages go out.
#[derive(Clone, Debug)]
pub(super) enum Out {
    Child(mpsc::Sender<Line>),
    Post(Arc<Posting>),
}

/// What comes in, and who waits for it.
#[derive(Debug)]
pub(super) struct Desk {
    url: Arc<str>,
    state: Mutex<State>,
    use_of: Arc<Use>,
}

#[derive(Debug, Default)]
struct State {
    /// Requests without an answer, in the order in which they were made.
    waiting: Vec<(u64, mpsc::Sender<Piece>)>,
    listeners: Vec<mpsc::Sender<Piece>>,
    unasked: VecDeque<Bytes>,
    is_over: bool,
}

/// A message as an event, or why no more come.
pub(super) type Piece = Result<Bytes, Trouble>;

/// Where messages come from.
pub(super) trait Source: Send + 'static {
    /// The next ones; what stands in the way of more. May be given up at any time, and nothing is lost.
    fn next(&mut self) -> impl Future<Output = Result<Vec<Bytes>, Trouble>> + Send;

    /// It is over: in order, or by what went wrong. With how that is told.
    fn end(self, trouble: Option<Trouble>) -> impl Future<Output = Option<Trouble>> + Send;
}

#[derive(Deserialize)]
struct Progress<'b> {
    #[serde(borrow, default, deserialize_with = "wire::present", rename = "progressToken")]
    token: Option<&'b RawValue>,
}

impl Pipe {
    /// A pipe whose messages `source` brings, until it is closed or has not been used for `idle`.
    pub(super) fn new(
        url: Arc<str>,
        out: Out,
        source: impl Source,
        use_of: Arc<Use>,
        idle: Duration,
    ) -> Arc<Self> {
        *use_of.idle_since.lock() = None;
        let desk = Arc::new(Desk { url, state: Mutex::default(), use_of });
        let stop = desk.use_of.stop.clone();
        let pipe = Self { desk: desk.clone(), out: out.clone(), _open: stop.drop_guard() };
        tokio::spawn(async move { desk.read(source, &out, idle).await });
        Arc::new(pipe)
    }

    /// Answers a request as a server over streamable HTTP would.
    pub(super) async fn answer(&self, request: Request<Outgoing>) -> Result<Response<Answer>, Trouble> {
        match *request.method() {
            Method::GET => Ok(self.desk.listen()),
            Method::DELETE => {
                self.desk.use_of.stop.cancel();
                Ok(bare(StatusCode::OK))
            }
            _ => self.post(request).await,
        }
    }

    async fn post(&self, request: Request<Outgoing>) -> Result<Response<Answer>, Trouble> {
        let id = match request.body().text().map(|text| wire::read(text)) {
            Some(Ok(Message::Request { id, .. })) => number(id),
            _ => None,
        };
        let Some(id) = id else {
            if self.desk.is_over() {
                return Ok(bare(StatusCode::NOT_FOUND));
            }
            let refused = self.out.send(request).await?;
            return Ok(refused.unwrap_or_else(|| bare(StatusCode::ACCEPTED)));
        };
        let Some(answer) = self.desk.wait(id) else { return Ok(bare(StatusCode::NOT_FOUND)) };
        match self.out.send(request).await? {
            Some(refused) => Ok(refused),
            None => Ok(stream(answer)),
        }
    }
}

impl Out {
    /// Sends a message, if it may still be sent. With the answer, where that is none to be waited for.
    async fn send(&self, request: Request<Outgoing>) -> Result<Option<Response<Answer>>, Trouble> {
        match self {
            Self::Child(lines) => Line::send(lines, request.into_body()).await.map(|()| None),
            Self::Post(posting) => posting.post(request).await,
        }
    }

    fn tell(&self, message: Vec<u8>) {
        let (out, request) = (self.clone(), Request::new(Outgoing::any_time(message.into())));
        tokio::spawn(async move { out.send(request).await });
    }
}

impl Desk {
    async fn read(&self, mut source: impl Source, out: &Out, idle: Duration) {
        let stop = self.use_of.stop.clone();
        let trouble = loop {
            let read = tokio::select! {
                () = stop.cancelled() => break None,
                () = self.unused(idle) => break None,
                read = source.next() => read,
            };
            let taken = async {
                for message in read? {
                    self.take(message, out).await?;
                }
                Ok(())
            };
            tokio::select! {
                () = stop.cancelled() => break None,
                taken = taken => if let Err(trouble) = taken { break Some(trouble) },
            }
        };
        // From here on requests go elsewhere.
        self.state.lock().is_over = true;
        let trouble = source.end(trouble).await;
        let waiting = {
            let mut state = self.state.lock();
            state.listeners.clear();
            std::mem::take(&mut state.waiting)
        };
        for (_, asker) in waiting {
            let url = || self.url.to_string();
            let trouble = trouble.clone().unwrap_or_else(|| Trouble::BrokeOff { url: url() });
            let _ = asker.try_send(Err(trouble));
        }
    }

    /// Sees who a message is for.
    async fn take(&self, text: Bytes, out: &Out) -> Result<(), Trouble> {
        let message = wire::read(&text).map_err(|_| Trouble::NotMcp {
            url: self.url.to_string(),
            why: "a message is not JSON-RPC 2.0".to_owned(),
        })?;
        let to = match message {
            Message::Request { id, method, .. } if method == "ping" => {
                out.tell(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, id.raw()).into_bytes());
                None
            }
            Message::Request { .. } => {
                let mut state = self.state.lock();
                // It does not say to which call it belongs; the last one that was begun will have asked.
                let to = state.waiting.last().map(|(_, asker)| asker).or(state.listeners.first()).cloned();
                if to.is_none() && state.unasked.len() < UNASKED {
                    state.unasked.push_back(text.clone());
                }
                to
            }
            Message::Notification { params, .. } => {
                let told: Option<Progress<'_>> = params.and_then(wire::object);
                match told.and_then(|told| told.token) {
                    Some(token) => self.asker(token.get().parse().ok()),
                    None => {
                        self.tell(&text);
                        None
                    }
                }
            }
            Message::Response { id, .. } => self.answered(id),
        };
        if let Some(to) = to {
            // Who does not read keeps others waiting for so long, and then misses it.
            let _ = tokio::time::timeout(STALLED, to.send(Ok(event(&text)))).await;
        }
        Ok(())
    }

    fn asker(&self, id: Option<u64>) -> Option<mpsc::Sender<Piece>> {
        let state = self.state.lock();
        state.waiting.iter().find(|(waiting, _)| Some(*waiting) == id).map(|(_, asker)| asker.clone())
    }

    /// Who asked, and waits no more. What names no request is about one that could not be read.
    fn answered(&self, id: Option<Id<'_>>) -> Option<mpsc::Sender<Piece>> {
        let mut state = self.state.lock();
        let id = match id {
            Some(id) => number(id),
            None if state.waiting.len() == 1 => state.waiting.first().map(|(id, _)| *id),
            None => None,
        };
        let at = state.waiting.iter().position(|(waiting, _)| Some(*waiting) == id)?;
        let (_, asker) = state.waiting.remove(at);
        Some(asker)
    }

    /// Tells all who listen. Who does not read is told no more, and learns of it by the end.
    fn tell(&self, message: &Bytes) {
        self.state.lock().listeners.retain(|listener| listener.try_send(Ok(event(message))).is_ok());
    }

    /// Waits for the answer to a request. None: it is over.
    fn wait(self: &Arc<Self>, id: u64) -> Option<Piped> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let mut state = self.state.lock();
        if state.is_over {
            return None;
        }
        *self.use_of.idle_since.lock() = None;
        for question in state.unasked.drain(..) {
            let _ = sender.try_send(Ok(event(&question)));
        }
        state.waiting.push((id, sender));
        Some(Piped::new(receiver, Some(Waiting { desk: self.clone(), id })))
    }

    fn listen(&self) -> Response<Answer> {
        let mut state = self.state.lock();
        state.listeners.retain(|listener| !listener.is_closed());
        if state.is_over {
            return bare(StatusCode::NOT_FOUND);
        }
        if state.listeners.len() >= LISTENERS {
            return bare(StatusCode::CONFLICT);
        }
        let (sender, receiver) = mpsc::channel(WAITING);
        state.listeners.push(sender);
        stream(Piped::new(receiver, None))
    }

    fn is_over(&self) -> bool {
        self.state.lock().is_over
    }

    /// Comes when nobody has used it for so long.
    async fn unused(&self, idle: Duration) {
        loop {
            let since = {
                let mut state = self.state.lock();
                state.listeners.retain(|listener| !listener.is_closed());
                let mut since = self.use_of.idle_since.lock();
                if !state.waiting.is_empty() {
                    *since = None;
                }
                let is_used = !state.waiting.is_empty() || !state.listeners.is_empty();
                if is_used { Instant::now() } else { *since.get_or_insert_with(Instant::now) }
            };
            if since.elapsed() >= idle {
                return;
            }
            sleep_until(since + idle).await;
        }
    }
}

/// A request whose answer is waited for, until this is dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    desk: Arc<Desk>,
    id: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.desk.state.lock();
        state.waiting.retain(|(id, _)| *id != self.id);
        // Who only listens makes place for who calls.
        if state.waiting.is_empty() {
            *self.desk.use_of.idle_since.lock() = Some(Instant::now());
        }
    }
}

/// Our requests have numbers.
fn number(id: Id<'_>) -> Option<u64> {
    id.raw().parse().ok()
}

fn bare(status: StatusCode) -> Response<Answer> {
    let mut response = Response::new(Answer::Piped(Piped::nothing()));
    *response.status_mut() = status;
    response
}

fn stream(answer: Piped) -> Response<Answer> {
    let mut response = Response::new(Answer::Piped(answer));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

/// An event with a message in it, which stands in one line: outside of its texts a line break is a space.
fn event(message: &[u8]) -> Bytes {
    let mut event = Vec::with_capacity(message.len() + 8);
    event.extend_from_slice(b"data: ");
    event.extend(message.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    event.extend_from_slice(b"\n\n");
    event.into()
}

/// Whether a pipe is used, where nobody else wants to know.
pub(super) fn in_use() -> Arc<Use> {
    Arc::new(Use { idle_since: Mutex::new(None), stop: CancellationToken::new() })
}

#[cfg(test)]
mod tests;

//! The way back to a client while its request is still being served. What is told on it turns the answer into a stream of
//! events; a request on which nothing is told is answered as it always was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::{Ambient, CredentialId};
use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::correspondence::{Correspondence, Said};
use crate::inquiry::Inquirer;
use crate::wire::{self, Capabilities, Loudness};

/// Events that wait to be written, at most. Progress that nobody takes is passed over: the next one says more.
const WAITING: usize = 32;
/// Largest notification that is passed on, in bytes.
const LARGEST: usize = 64 << 10;
/// How much of what was asked and answered during a call is kept, in bytes.
const RECORDED: usize = 256 << 10;
/// Longest progress token that is taken, in bytes of JSON text.
const LONGEST_TOKEN: usize = 256;

/// An event that is none (HTML, Server-Sent Events, 9.2.6).
pub(crate) const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// What was told on a line, as events.
pub(crate) type Events = mpsc::Receiver<Bytes>;

/// Tells one client, on the answer to one HTTP request.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    events: mpsc::Sender<Bytes>,
}

impl Line {
    /// A line and its other end.
    pub(crate) fn new() -> (Self, Events) {
        let (events, told) = mpsc::channel(WAITING);
        (Self { events }, told)
    }

    /// Tells a message; waits while too much waits already. Who has gone is told nothing.
    pub(crate) async fn tell(&self, message: &str) {
        let _ = self.events.send(wire::as_event(message.as_bytes()).into()).await;
    }

    /// Says nothing, so that the other end knows that somebody is there.
    pub(crate) async fn comment(&self) {
        let _ = self.events.send(COMMENT).await;
    }
}

/// Whoever listens at the other end, where they can be asked something.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    pub(crate) way: Way,
    pub(crate) credential: CredentialId,
    /// What it said that it can do.
    pub(crate) capabilities: Capabilities,
    /// How long it may take.
    pub(crate) patience: Duration,
}

/// How a client is asked.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// On the answer to its own request: it is of the `initialize` era.
    Line { correspondence: Arc<Correspondence>, ambient: Ambient },
    /// In rounds: it is of 2026-07-28.
    Rounds(Inquirer),
}

/// Tells how one request goes, to a client that wants to know, and asks what its server wants of the client.
#[derive(Clone, Debug)]
pub(crate) struct Conduit {
    client: Arc<Mutex<Told>>,
    listener: Option<Listener>,
    pauses: Arc<Mutex<Pauses>>,
    exchange: Arc<Mutex<Exchange>>,
}

/// Where a client is told, and of what.
#[derive(Clone, Debug)]
struct Told {
    line: Line,
    /// The client's progress token, the JSON text of a string or number.
    token: Option<Arc<RawValue>>,
    /// The least of its server's log that the client wants.
    loudness: Option<Loudness>,
}

/// What was asked and answered, for the record.
#[derive(Debug, Default)]
struct Exchange {
    /// JSON objects with commas between them.
    text: String,
}

/// How long a client was waited for. It is not the server's time.
#[derive(Debug, Default)]
struct Pauses {
    open: u32,
    since: Option<Instant>,
    over: Duration,
}

impl Conduit {
    /// For a request with a progress token (MCP, Progress), one whose client wants a log, or one whose client can be asked. None:
    /// nothing can be told. A token that is neither a string nor a number is none.
    pub(crate) fn new(
        line: &Line,
        token: Option<&RawValue>,
        loudness: Option<Loudness>,
        listener: Option<Listener>,
    ) -> Option<Self> {
        let is_token = |text: &str| {
            let begins = text.starts_with('"') || text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
            begins && text.len() <= LONGEST_TOKEN
        };
        let token = token.filter(|token| is_token(token.get())).map(|token| Arc::from(token.to_owned()));
        let listener = listener.filter(|listener| listener.capabilities != Capabilities::default());
        let is_any = token.is_some() || loudness.is_some() || listener.is_some();
        is_any.then(|| Self::of(Told { line: line.clone(), token, loudness }, listener))
    }

    fn of(client: Told, listener: Option<Listener>) -> Self {
        let client = Arc::new(Mutex::new(client));
        Self { client, listener, pauses: Arc::default(), exchange: Arc::default() }
    }

    /// The same for a call whose client is asked in rounds; of one who wants to be told nothing, too.
    pub(crate) fn in_rounds(of: Option<&Self>, listener: Listener) -> Self {
        Self::of(Self::told_by(of), Some(listener))
    }

    /// From here on its client is told as that of `of` is: of the round that goes on with it.
    pub(crate) fn goes_on(&self, of: Option<&Self>) {
        *self.client.lock() = Self::told_by(of);
    }

    fn told_by(of: Option<&Self>) -> Told {
        let nobody = || Told { line: Line::new().0, token: None, loudness: None };
        of.map_or_else(nobody, |of| of.client.lock().clone())
    }

    /// Whether the client wants to know how far it has come.
    pub(crate) fn wants_progress(&self) -> bool {
        self.client.lock().token.is_some()
    }

    /// The least of a server's log that the client wants; none: nothing.
    pub(crate) fn loudness(&self) -> Option<Loudness> {
        self.client.lock().loudness
    }

    /// What the client can be asked for.
    pub(crate) fn capabilities(&self) -> Capabilities {
        self.listener.as_ref().map_or_else(Capabilities::default, |listener| listener.capabilities)
    }

    /// The credential of the client, where it can be asked.
    pub(crate) fn credential(&self) -> Option<CredentialId> {
        self.listener.as_ref().map(|listener| listener.credential)
    }

    /// Passes a server's progress notification on under the client's token; every other member as it came.
    pub(crate) fn progress(&self, params: &RawValue) {
        let Some(token) = self.client.lock().token.clone() else { return };
        if params.get().len() > LARGEST {
            return;
        }
        let Ok(mut members) = serde_json::from_str::<BTreeMap<&str, &RawValue>>(params.get()) else { return };
        members.insert("progressToken", &token);
        // Members are raw JSON: writing them cannot fail.
        let Ok(params) = serde_json::to_string(&members) else { return };
        self.notify("notifications/progress", &params);
    }

    /// Passes a line of a server's log on, as loud as the client wants it.
    pub(crate) fn log(&self, params: &RawValue) {
        let Some(least) = self.loudness() else { return };
        if params.get().len() <= LARGEST && Loudness::of(params).is_some_and(|level| level >= least) {
            self.notify("notifications/message", params.get());
        }
    }

    fn notify(&self, method: &str, params: &str) {
        let message = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
        let _ = self.client.lock().line.events.try_send(wire::as_event(message.as_bytes()).into());
    }

    /// Asks the client and waits for what it says, all of it to be on record with the call. None: it is gone, or takes too long.
    pub(crate) async fn ask(&self, method: &str, params: Option<&RawValue>) -> Option<Said> {
        let params = params.map_or("{}", RawValue::get);
        let said = self.put(method, params).await;
        self.exchange.lock().add(method, params, said.as_ref());
        said
    }

    /// Asks the client and waits for what it says. `params` is the JSON text of an object.
    pub(crate) async fn put(&self, method: &str, params: &str) -> Option<Said> {
        let listener = self.listener.as_ref()?;
        let _pause = self.pause();
        let answered = async {
            match &listener.way {
                Way::Rounds(inquirer) => inquirer.ask(method, params).await,
                Way::Line { correspondence, ambient } => {
                    let mut question = correspondence.ask(ambient.random_uuid(), listener.credential);
                    let id = question.id();
                    let message =
                        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
                    let line = self.client.lock().line.clone();
                    line.events.send(wire::as_event(message.as_bytes()).into()).await.ok()?;
                    question.answer().await
                }
            }
        };
        tokio::time::timeout(listener.patience, answered).await.ok().flatten()
    }

    /// What was asked and answered so far, as it is recorded: the JSON text of an array. None: nothing was.
    pub(crate) fn exchange(&self) -> Option<Bytes> {
        let exchange = self.exchange.lock();
        (!exchange.text.is_empty()).then(|| Bytes::from(format!("[{}]", exchange.text)))
    }

    fn pause(&self) -> Pause<'_> {
        let mut pauses = self.pauses.lock();
        if pauses.open == 0 {
            pauses.since = Some(Instant::now());
        }
        pauses.open += 1;
        Pause(self)
    }

    /// A deadline of its server, put off by the time that its client was waited for. None: it is being waited for.
    pub(crate) fn put_off(&self, deadline: Instant) -> Option<Instant> {
        let pauses = self.pauses.lock();
        pauses.since.is_none().then(|| deadline + pauses.over)
    }
}

impl Exchange {
    fn add(&mut self, method: &str, params: &str, said: Option<&Said>) {
        let answer = match said {
            Some(Ok(result)) => format!(r#"{{"result":{result}}}"#),
            Some(Err(error)) => format!(r#"{{"error":{error}}}"#),
            None => "null".to_owned(),
        };
        if !self.text.is_empty() {
            self.text.push(',');
        }
        // Method is one of three that we carry.
        let size = params.len() + answer.len();
        self.text.push_str(&if self.text.len() + size <= RECORDED {
            format!(r#"{{"method":"{method}","params":{params},"answer":{answer}}}"#)
        } else {
            format!(r#"{{"method":"{method}","bytes_not_kept":{size}}}"#)
        });
    }
}

struct Pause<'a>(&'a Conduit);

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        let mut pauses = self.0.pauses.lock();
        pauses.open -= 1;
        if pauses.open == 0
            && let Some(since) = pauses.since.take()
        {
            pauses.over += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_under_the_clients_token() {
        let (line, mut told) = Line::new();
        let raw = |text: &str| serde_json::from_str::<Box<RawValue>>(text).unwrap();
        let conduit = Conduit::new(&line, Some(&raw(r#""a\"b""#)), Some(Loudness::Warning), None).unwrap();
        conduit.progress(&raw(r#"{"progressToken":7,"progress":1.50,"message":"x"}"#));
        conduit.progress(&raw("[]"));
        assert_eq!(
            told.try_recv().unwrap(),
            "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":\
             {\"message\":\"x\",\"progress\":1.50,\"progressToken\":\"a\\\"b\"}}\n\n"
        );
        conduit.log(&raw(r#"{"level":"info","data":1}"#));
        assert!(told.try_recv().is_err());
        conduit.log(&raw(r#"{"level":"error","data":1}"#));
        assert!(
            told.try_recv().unwrap().starts_with(
                b"event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\""
            )
        );
        assert!(Conduit::new(&line, Some(&raw("7")), None, None).is_some());
        for token in ["null", "{}", "[1]", "true"] {
            assert!(Conduit::new(&line, Some(&raw(token)), None, None).is_none(), "{token}");
        }
    }
}

//! The way back to a client while its request is still being served. What is told on it turns the answer into a stream of
//! events; a request on which nothing is told is answered as it always was.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::wire;

/// Events that wait to be written, at most. Progress that nobody takes is passed over: the next one says more.
const WAITING: usize = 32;
/// Largest notification that is passed on, in bytes.
const LARGEST: usize = 64 << 10;
/// Longest progress token that is taken, in bytes of JSON text.
const LONGEST_TOKEN: usize = 256;

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
}

/// Tells how one request goes, to a client that wants to know.
#[derive(Clone, Debug)]
pub(crate) struct Conduit {
    line: Line,
    /// The client's progress token, the JSON text of a string or number.
    token: Arc<RawValue>,
}

impl Conduit {
    /// For a request with a progress token (MCP, Progress). None: its token is neither a string nor a number.
    pub(crate) fn new(line: &Line, token: &RawValue) -> Option<Self> {
        let text = token.get();
        let is_token = text.starts_with('"') || text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        let taken = is_token && text.len() <= LONGEST_TOKEN;
        taken.then(|| Self { line: line.clone(), token: Arc::from(token.to_owned()) })
    }

    /// Passes a server's progress notification on under the client's token; every other member as it came.
    pub(crate) fn progress(&self, params: &RawValue) {
        if params.get().len() > LARGEST {
            return;
        }
        let Ok(mut members) = serde_json::from_str::<BTreeMap<&str, &RawValue>>(params.get()) else { return };
        members.insert("progressToken", &self.token);
        // Members are raw JSON: writing them cannot fail.
        let Ok(params) = serde_json::to_string(&members) else { return };
        let message = format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{params}}}"#);
        let _ = self.line.events.try_send(wire::as_event(message.as_bytes()).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_under_the_clients_token() {
        let (line, mut told) = Line::new();
        let raw = |text: &str| serde_json::from_str::<Box<RawValue>>(text).unwrap();
        let conduit = Conduit::new(&line, &raw(r#""a\"b""#)).unwrap();
        conduit.progress(&raw(r#"{"progressToken":7,"progress":1.50,"message":"x"}"#));
        conduit.progress(&raw("[]"));
        assert_eq!(
            told.try_recv().unwrap(),
            "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":\
             {\"message\":\"x\",\"progress\":1.50,\"progressToken\":\"a\\\"b\"}}\n\n"
        );
        assert!(told.try_recv().is_err());
        assert!(Conduit::new(&line, &raw("7")).is_some());
        for token in ["null", "{}", "[1]", "true"] {
            assert!(Conduit::new(&line, &raw(token)).is_none(), "{token}");
        }
    }
}

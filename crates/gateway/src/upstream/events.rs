//! Reads a stream of server-sent events (WHATWG HTML, section 9.2): only what MCP uses of it, and bounded.

use std::time::Duration;

/// More was sent than is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Puts events together from the pieces they arrive in.
#[derive(Debug, Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    is_message: bool,
    is_endpoint: bool,
    endpoint: Option<Vec<u8>>,
    after_return: bool,
    begun: bool,
    taken: usize,
    limit: usize,
    id: Vec<u8>,
    last_id: Vec<u8>,
    retry: Option<Duration>,
}

impl Events {
    /// Takes at most `limit` bytes in all.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, is_message: true, ..Self::default() }
    }

    /// Reads a piece; returns the data of the messages that it completes.
    pub(crate) fn feed(&mut self, mut piece: &[u8]) -> Result<Vec<Vec<u8>>, TooLarge> {
        self.taken = self.taken.saturating_add(piece.len());
        if self.taken > self.limit {
            return Err(TooLarge);
        }
        let mut messages = Vec::new();
        while !piece.is_empty() {
            if std::mem::take(&mut self.after_return)
                && let Some(rest) = piece.strip_prefix(b"\n")
            {
                piece = rest;
                continue;
            }
            let end = piece.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (text, rest) = piece.split_at(end.unwrap_or(piece.len()));
            self.line.extend_from_slice(text);
            piece = match rest.split_first() {
                None => rest,
                Some((line_break, rest)) => {
                    self.after_return = *line_break == b'\r';
                    messages.extend(self.end_line());
                    rest
                }
            };
        }
        Ok(messages)
    }

    /// The stream has ended. An event whose empty line was left out still counts: servers do that.
    pub(crate) fn finish(&mut self) -> Option<Vec<u8>> {
        // It may have been cut short, so that nothing can go on after it.
        let last_id = self.last_id.clone();
        if !self.line.is_empty() {
            self.end_line();
        }
        let message = self.end_event();
        self.last_id = last_id;
        message
    }

    /// The id of the last event that was complete: from there the stream can be gone on with. Empty: it has none.
    pub(crate) fn last_id(&self) -> &[u8] {
        &self.last_id
    }

    /// How long the server wants to be left alone once the stream has ended, where it says so.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Where the server wants messages to be posted, once it has said so (2024-11-05, HTTP with SSE).
    pub(crate) fn endpoint(&mut self) -> Option<Vec<u8>> {
        self.endpoint.take()
    }

    /// How much is taken in all.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// What has been taken no longer counts: the stream carries many answers, each of which may be as large.
    pub(crate) fn begin_again(&mut self) {
        self.taken = 0;
    }

    /// The stream goes on in another answer: what was not complete comes again. What was taken still counts.
    pub(crate) fn go_on(&mut self) {
        let (taken, limit, retry) = (self.taken, self.limit, self.retry);
        let last_id = std::mem::take(&mut self.last_id);
        *self = Self { taken, retry, id: last_id.clone(), last_id, ..Self::new(limit) };
    }

    fn end_line(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            return self.end_event();
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => {
                let (field, rest) = line.split_at(colon);
                let value = rest.strip_prefix(b":").unwrap_or(rest);
                (field, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &b""[..]),
        };
        match field {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => {
                self.is_message = value == b"message";
                self.is_endpoint = value == b"endpoint";
            }
            b"id" if !value.contains(&0) => self.id = value.to_vec(),
            b"retry" => self.retry = milliseconds(value).or(self.retry),
            _ => (),
        }
        None
    }

    fn end_event(&mut self) -> Option<Vec<u8>> {
        let data = std::mem::take(&mut self.data);
        let has_data = std::mem::take(&mut self.has_data);
        let is_message = std::mem::replace(&mut self.is_message, true);
        if std::mem::take(&mut self.is_endpoint) && has_data {
            self.endpoint.get_or_insert_with(|| data.clone());
        }
        self.last_id.clone_from(&self.id);
        // An event with empty data is how 2025-11-25 servers prime a client to reconnect.
        (has_data && is_message && !data.is_empty()).then_some(data)
    }
}

/// A number of milliseconds in digits alone.
fn milliseconds(value: &[u8]) -> Option<Duration> {
    let digits =
        std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(stream: &[u8], piece: usize) -> Vec<String> {
        let mut events = Events::new(1 << 20);
        let mut messages = Vec::new();
        for piece in stream.chunks(piece) {
            messages.extend(events.feed(piece).unwrap());
        }
        messages.extend(events.finish());
        messages.into_iter().map(|message| String::from_utf8(message).unwrap()).collect()
    }

    #[test]
    fn events_are_the_same_however_they_arrive() {
        let stream = "\u{feff}: hello\nid: 1\ndata:\n\nevent: message\r\ndata: {\"a\":\r\ndata:1}\r\n\r\n\
            event: endpoint\ndata: /x\n\nretry: 5\rdata: two\r\rdata\n\ndata: last";
        for piece in 1..stream.len() {
            assert_eq!(read(stream.as_bytes(), piece), ["{\"a\":\n1}", "two", "last"], "pieces of {piece}");
        }
    }

    #[test]
    fn what_is_complete_says_where_the_stream_goes_on() {
        let mut events = Events::new(200);
        assert_eq!((events.last_id(), events.retry()), (&b""[..], None));
        let read = events.feed(b"id: 1\nretry: 500\ndata:\n\nid: 2\nretry: soon\ndata: x\n").unwrap();
        assert!(read.is_empty());
        assert_eq!((events.last_id(), events.retry()), (&b"1"[..], Some(Duration::from_millis(500))));
        events.go_on();
        assert_eq!(events.feed(b"data: y\n\n").unwrap(), [b"y"]);
        assert_eq!((events.last_id(), events.retry()), (&b"1"[..], Some(Duration::from_millis(500))));
        assert!(events.feed(b"id: 2\0\n\n").unwrap().is_empty());
        assert_eq!(events.last_id(), b"1");
        assert!(events.feed(b"id\n\n").unwrap().is_empty());
        assert_eq!(events.last_id(), b"");
        assert_eq!(events.feed(&[b'x'; 150]), Err(TooLarge));
    }

    #[test]
    fn a_stream_is_bounded() {
        let mut events = Events::new(10);
        assert_eq!(events.feed(b"data: 12"), Ok(vec![]));
        assert_eq!(events.feed(b"345"), Err(TooLarge));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_read_without_panic(stream in proptest::collection::vec(any::<u8>(), 0..200), piece in 1usize..20) {
            let mut events = Events::new(150);
            for piece in stream.chunks(piece) {
                if events.feed(piece).is_err() {
                    break;
                }
            }
            events.finish();
        }
    }
}

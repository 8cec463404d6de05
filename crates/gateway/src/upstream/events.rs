//! Reads a stream of server-sent events (WHATWG HTML, section 9.2): only what MCP uses of it, and bounded.

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
    after_return: bool,
    begun: bool,
    taken: usize,
    limit: usize,
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
        if !self.line.is_empty() {
            self.end_line();
        }
        self.end_event()
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
            b"event" => self.is_message = value == b"message",
            _ => (),
        }
        None
    }

    fn end_event(&mut self) -> Option<Vec<u8>> {
        let data = std::mem::take(&mut self.data);
        let has_data = std::mem::take(&mut self.has_data);
        let is_message = std::mem::replace(&mut self.is_message, true);
        // An event with empty data is how 2025-11-25 servers prime a client to reconnect.
        (has_data && is_message && !data.is_empty()).then_some(data)
    }
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

//! Doors by which fuzzers reach what reads bytes from outside; there are none in what is shipped. Each takes any bytes and panics where
//! something holds no longer that has to. See `fuzz/README.md`.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::value::RawValue;

use crate::edge;
use crate::upstream::Events;
use crate::wire::{self, Message, Meta, Params, ResultText, Revision};

/// How deep arguments may lie, as by default.
const DEPTH: usize = 64;

/// A message: what is taken can be answered, and what is strictly JSON is JSON to others.
pub fn envelope(text: &[u8]) {
    let strictly = wire::check_strictly(text, DEPTH);
    let raw = serde_json::from_slice::<&RawValue>(text);
    match (&strictly, &raw) {
        (Ok(()), Err(error)) => panic!("only we take it for JSON: {error}"),
        (Err(wire::Flaw::NotJson { at }), Ok(_)) => panic!("only we do not take it for JSON, at byte {at}"),
        _ => (),
    }
    if let Ok(Message::Request { id, params, .. }) = wire::read(text) {
        let mut answer = Vec::new();
        wire::write(&mut answer, Some(id), &Ok(ResultText::own("{}")), false);
        let Ok(Message::Response { id: Some(echoed), outcome: Ok(_) }) = wire::read(&answer) else {
            panic!("the answer is none: {}", String::from_utf8_lossy(&answer));
        };
        assert_eq!(echoed.raw(), id.raw());
        if let Some(params) = params.and_then(wire::object::<Params<'_>>) {
            let read = [params.name, params.cursor, params.uri, params.request_state]
                .map(|it| it.and_then(wire::text_of));
            drop(read);
            let _ = params.meta.and_then(wire::object::<Meta<'_>>);
            if let Some(responses) = params.input_responses {
                let _ = wire::check_responses(responses, &BTreeMap::new());
            }
        }
    }
    for message in wire::read_batch(text, 50).unwrap_or_default() {
        let _ = wire::read(message.get().as_bytes());
    }
    // What one era asks for can be asked in the other.
    if let Ok(questions) = wire::questions(text) {
        let asked = wire::as_requests(text, || uuid::Uuid::nil()).expect("it is one that was taken");
        assert_eq!(asked.len(), questions.kinds.len());
        let again = wire::questions(&wire::input_required(&asked)).expect("it can be asked again");
        assert_eq!(again.kinds, questions.kinds);
    }
}

/// Headers, one a line: a letter that says which, then its value; after an empty line, the params of a call. What is let through says
/// the same in both.
pub fn headers(text: &[u8]) {
    const NAMES: [&str; 12] = [
        "mcp-protocol-version",
        "mcp-method",
        "mcp-name",
        "mcp-session-id",
        "authorization",
        "origin",
        "x-forwarded-for",
        "fly-client-ip",
        "accept",
        "content-type",
        "traceparent",
        "mcp-param-region",
    ];
    let (head, params) = match text.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 2..).unwrap_or_default()),
        None => (text, &b""[..]),
    };
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n').take(50) {
        let Some((which, value)) = line.split_first() else { continue };
        let name = NAMES[usize::from(which.wrapping_sub(b'a')) % NAMES.len()];
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    edge::read_headers(&headers);
    let raw = serde_json::from_slice::<&RawValue>(params).ok();
    let params: Option<Params<'_>> = raw.and_then(wire::object);
    let meta: Option<Meta<'_>> = params.as_ref().and_then(|params| params.meta).and_then(wire::object);
    for method in ["tools/call", "initialize", "ping"] {
        match wire::revision(&headers, method, meta.as_ref()) {
            Ok(revision) if revision.is_stateless() => {
                assert_eq!(wire::from_header(&headers).ok(), Some(revision), "both say so");
            }
            Ok(revision) => assert!(Revision::ALL.contains(&revision)),
            Err(_) => (),
        }
    }
    let name = params.as_ref().and_then(|params| params.name).and_then(wire::text_of);
    if wire::mirrored(&headers, "tools/call", name.as_deref()).is_ok() {
        assert_eq!(
            headers.get("mcp-method").and_then(|value| value.to_str().ok()).map(str::trim),
            Some("tools/call")
        );
        assert!(name.is_none() || headers.contains_key("mcp-name"));
    }
    if let Some(name) = name {
        // As we would write it ourselves.
        let mut ours = HeaderMap::new();
        ours.insert(wire::METHOD_HEADER, HeaderValue::from_static("tools/call"));
        ours.insert(wire::NAME_HEADER, wire::encoded(&name));
        assert!(wire::mirrored(&ours, "tools/call", Some(&name)).is_ok(), "{name:?}");
    }
}

/// A stream of events, in pieces of a size that its first byte says: the same messages as in one piece, and no more of them than
/// came.
pub fn events(text: &[u8]) {
    let Some((size, stream)) = text.split_first() else { return };
    let size = usize::from(*size).max(1);
    let limit = stream.len();
    let whole = told(std::iter::once(stream), limit);
    assert_eq!(told(stream.chunks(size), limit), whole);
    let (messages, _) = whole;
    assert!(messages.iter().map(Vec::len).sum::<usize>() <= limit);
    for message in &messages {
        let _ = wire::read(message);
        // As it is passed on.
        let event = wire::as_event(message);
        let mut events = Events::new(event.len());
        if !message.contains(&b'\r') && !message.contains(&b'\n') {
            assert_eq!(events.feed(&event).expect("it is within the limit"), [message.clone()]);
        }
    }
    let mut bounded = Events::new(limit / 2);
    let taken =
        stream.chunks(size).take_while(|piece| bounded.feed(piece).is_ok()).map(<[u8]>::len).sum::<usize>();
    assert!(taken <= limit / 2);
}

/// The messages of a stream, and where it could be gone on with before it ended.
fn told<'s>(
    pieces: impl Iterator<Item = &'s [u8]>,
    limit: usize,
) -> (Vec<Vec<u8>>, (Vec<u8>, Option<Duration>)) {
    let mut events = Events::new(limit);
    let mut messages = Vec::new();
    for piece in pieces {
        messages.extend(events.feed(piece).expect("it is within the limit"));
    }
    let last = (events.last_id().to_vec(), events.retry());
    messages.extend(events.finish());
    (messages, last)
}

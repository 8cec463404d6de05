//! What is answered: a result, kept raw, or a JSON-RPC error; written into one buffer.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Id;
use super::members::saying;

/// JSON-RPC 2.0 section 5.1 and MCP 2026-07-28, Overview, Error Codes.
pub(crate) mod code {
    pub(crate) const PARSE: i32 = -32700;
    pub(crate) const INVALID_REQUEST: i32 = -32600;
    pub(crate) const METHOD_NOT_FOUND: i32 = -32601;
    pub(crate) const INVALID_PARAMS: i32 = -32602;
    pub(crate) const INTERNAL: i32 = -32603;
    /// Before 2026-07-28 (2025-11-25, Resources, Error Handling).
    pub(crate) const RESOURCE_NOT_FOUND: i32 = -32002;
    /// Our own, beyond those that JSON-RPC reserves: a decision said no.
    pub(crate) const REFUSED: i32 = -31_001;
    pub(crate) const HEADER_MISMATCH: i32 = -32020;
    pub(crate) const MISSING_CAPABILITY: i32 = -32021;
    pub(crate) const UNSUPPORTED_VERSION: i32 = -32022;
}

/// A JSON-RPC error.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RpcError {
    /// One of [`code`].
    pub(crate) code: i32,
    /// What happened, to which thing, what to do.
    pub(crate) message: Cow<'static, str>,
    /// For programs.
    pub(crate) data: Data,
}

/// The `data` of an error.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    /// What we say; `Null` is left out.
    Ours(Value),
    /// What a server said, as JSON text, byte for byte.
    Theirs(Bytes),
}

impl RpcError {
    /// An error without data.
    pub(crate) fn new(code: i32, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), data: Data::Ours(Value::Null) }
    }

    /// With data of ours.
    pub(crate) fn with(self, data: Value) -> Self {
        Self { data: Data::Ours(data), ..self }
    }

    /// What we say to programs by this name.
    pub(crate) fn has(&self, member: &str) -> bool {
        matches!(&self.data, Data::Ours(data) if data.get(member).is_some())
    }

    /// With a server's data.
    pub(crate) fn with_raw(self, data: Bytes) -> Self {
        Self { data: Data::Theirs(data), ..self }
    }
}

/// The text of a result object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResultText {
    /// A JSON object, from its first brace to its last.
    pub(crate) text: Bytes,
    /// Whether it already says its `resultType`, as 2026-07-28 wants.
    pub(crate) is_typed: bool,
}

impl ResultText {
    /// One of our own, written without `resultType`.
    pub(crate) fn own(text: impl Into<Bytes>) -> Self {
        Self { text: text.into(), is_typed: false }
    }
}

/// The answer to one request, before it is written down for the era and form that the client wants.
#[derive(Debug)]
pub(crate) struct Answer {
    /// HTTP status where this is the only answer of its response.
    pub(crate) status: StatusCode,
    /// What is said.
    pub(crate) said: Result<ResultText, Box<RpcError>>,
    /// The value of `WWW-Authenticate`, with 401.
    pub(crate) challenge: Option<&'static str>,
    /// The value of `Mcp-Session-Id`, with the answer to `initialize`.
    pub(crate) session: Option<HeaderValue>,
}

impl Answer {
    /// A result.
    pub(crate) fn result(result: ResultText) -> Self {
        Self { status: StatusCode::OK, said: Ok(result), challenge: None, session: None }
    }

    /// An error in JSON-RPC alone: HTTP itself went well.
    pub(crate) fn error(error: RpcError) -> Self {
        Self::refused(StatusCode::OK, error)
    }

    /// An error that shows in the HTTP status as well.
    pub(crate) fn refused(status: StatusCode, error: RpcError) -> Self {
        Self { status, said: Err(Box::new(error)), challenge: None, session: None }
    }

    /// HTTP's 401 with its challenge (RFC 6750 section 3).
    pub(crate) fn challenged(error: RpcError, challenge: &'static str) -> Self {
        Self { challenge: Some(challenge), ..Self::refused(StatusCode::UNAUTHORIZED, error) }
    }
}

/// Writes a response message. Without an id, it is `null` (JSON-RPC 2.0 section 5), or left out (2026-07-28).
pub(crate) fn write(
    out: &mut Vec<u8>,
    id: Option<Id<'_>>,
    said: &Result<ResultText, Box<RpcError>>,
    stateless: bool,
) {
    let room = 96 + id.map_or(0, |id| id.raw().len()) + said.as_ref().map_or(256, |result| result.text.len());
    out.reserve(room);
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\"");
    match id {
        Some(id) => {
            out.extend_from_slice(b",\"id\":");
            out.extend_from_slice(id.raw().as_bytes());
        }
        None if stateless => (),
        None => out.extend_from_slice(b",\"id\":null"),
    }
    match said {
        Ok(result) => {
            out.extend_from_slice(b",\"result\":");
            write_result(out, result, stateless);
        }
        Err(error) => {
            out.extend_from_slice(b",\"error\":{\"code\":");
            out.extend_from_slice(error.code.to_string().as_bytes());
            out.extend_from_slice(b",\"message\":");
            write_string(out, &error.message);
            match &error.data {
                Data::Ours(Value::Null) => (),
                Data::Ours(data) => {
                    out.extend_from_slice(b",\"data\":");
                    out.extend_from_slice(data.to_string().as_bytes());
                }
                Data::Theirs(data) => {
                    out.extend_from_slice(b",\"data\":");
                    out.extend_from_slice(data);
                }
            }
            out.push(b'}');
        }
    }
    out.push(b'}');
}

fn write_result(out: &mut Vec<u8>, result: &ResultText, stateless: bool) {
    match result.text.strip_prefix(b"{") {
        Some(rest) if stateless && !result.is_typed => {
            out.extend_from_slice(b"{\"resultType\":\"complete\"");
            if rest.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'}') {
                out.push(b',');
            }
            out.extend_from_slice(rest);
        }
        _ => out.extend_from_slice(&result.text),
    }
}

/// A result that asks for input, with a state of ours in place of its server's (2026-07-28, Multi Round-Trip Requests).
pub(crate) fn asking(result: &[u8], state: &str) -> Option<ResultText> {
    let mut ours = Vec::with_capacity(state.len() + 2);
    write_string(&mut ours, state);
    let ours = String::from_utf8(ours).ok()?;
    let said = [("resultType", "\"input_required\""), ("requestState", ours.as_str())];
    saying(result, &said).map(|text| ResultText { text, is_typed: true })
}

/// What was read, as 2026-07-28 wants it said to whom and for how long it may be kept (Caching): to its reader alone, since
/// the next may not read it, and no longer than `most`.
pub(crate) fn private(result: ResultText, most: Duration) -> ResultText {
    #[derive(Deserialize)]
    struct Kept {
        #[serde(rename = "ttlMs")]
        ttl: Option<Value>,
    }
    let kept: Option<Kept> = serde_json::from_slice(&result.text).ok();
    let ttl = kept.and_then(|kept| kept.ttl?.as_u64()).unwrap_or(0);
    let ttl = ttl.min(u64::try_from(most.as_millis()).unwrap_or(u64::MAX)).to_string();
    let said = [("resultType", "\"complete\""), ("ttlMs", ttl.as_str()), ("cacheScope", "\"private\"")];
    match saying(&result.text, &said) {
        Some(text) => ResultText { text, is_typed: true },
        None => result,
    }
}

/// Writes a response message with an error object as it came.
pub(crate) fn write_raw_error(out: &mut Vec<u8>, id: Id<'_>, error: &RawValue) {
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.raw().as_bytes());
    out.extend_from_slice(b",\"error\":");
    out.extend_from_slice(error.get().as_bytes());
    out.push(b'}');
}

/// Writes a JSON string with its quotes.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    // Writing a str to a Vec cannot fail.
    let _ = serde_json::to_writer(out, text);
}

/// Frames a message as the only event of a stream. Line breaks can stand only between JSON tokens, where a space
/// means the same and does not end the event's line.
pub(crate) fn as_event(message: &[u8]) -> Vec<u8> {
    let mut event = Vec::with_capacity(message.len() + 32);
    event.extend_from_slice(b"event: message\ndata: ");
    event.extend(message.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    event.extend_from_slice(b"\n\n");
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::envelope::{Message, read};

    fn written(text: &'static str, is_typed: bool, stateless: bool) -> String {
        let request = br#"{"jsonrpc":"2.0","id":"\u00e9","method":"m"}"#;
        let Ok(Message::Request { id, .. }) = read(request) else { panic!() };
        let mut out = Vec::new();
        write(&mut out, Some(id), &Ok(ResultText { text: text.into(), is_typed }), stateless);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_result_passes_raw_and_gains_its_type_where_that_is_wanted() {
        assert_eq!(
            written("{ \"x\":1.0 }", false, false),
            r#"{"jsonrpc":"2.0","id":"\u00e9","result":{ "x":1.0 }}"#
        );
        assert_eq!(
            written("{ \"x\":1.0 }", false, true),
            r#"{"jsonrpc":"2.0","id":"\u00e9","result":{"resultType":"complete", "x":1.0 }}"#
        );
        assert_eq!(
            written("{ }", false, true),
            r#"{"jsonrpc":"2.0","id":"\u00e9","result":{"resultType":"complete" }}"#
        );
        assert_eq!(
            written("{\"resultType\":\"complete\"}", true, true),
            r#"{"jsonrpc":"2.0","id":"\u00e9","result":{"resultType":"complete"}}"#
        );
    }

    #[test]
    fn an_error_without_id_says_null_or_nothing_by_era() {
        let error = RpcError::new(code::PARSE, "not \"JSON\"").with(serde_json::json!({"code": "x"}));
        let said = Err(Box::new(error));
        let mut out = Vec::new();
        write(&mut out, None, &said, false);
        let error = r#""error":{"code":-32700,"message":"not \"JSON\"","data":{"code":"x"}}}"#;
        assert_eq!(String::from_utf8(out).unwrap(), format!(r#"{{"jsonrpc":"2.0","id":null,{error}"#));
        let mut out = Vec::new();
        write(&mut out, None, &said, true);
        assert_eq!(String::from_utf8(out).unwrap(), format!(r#"{{"jsonrpc":"2.0",{error}"#));
    }

    #[test]
    fn an_event_is_one_line_of_data() {
        assert_eq!(as_event(b"{\n\"a\":\r\n1}"), b"event: message\ndata: { \"a\":  1}\n\n");
    }
}

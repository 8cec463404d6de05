//! The JSON-RPC envelope: read once, with everything inside left as raw text, so that unknown members survive and
//! nothing is parsed twice.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Longest request id that is taken, in bytes of JSON text. It is echoed, so it is bounded.
const LONGEST_ID: usize = 1024;

/// A request id exactly as it came (JSON-RPC 2.0 section 4; MCP takes strings and integers).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Id<'b>(&'b str);

impl<'b> Id<'b> {
    /// The JSON text.
    pub(crate) fn raw(self) -> &'b str {
        self.0
    }

    /// The id that is written there, if it is one.
    pub(crate) fn of(raw: &'b RawValue) -> Option<Self> {
        let text = raw.get();
        let integer = || {
            let digits = text.strip_prefix('-').unwrap_or(text);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        (text.len() <= LONGEST_ID && (text.starts_with('"') || integer())).then_some(Self(text))
    }
}

/// One message.
#[derive(Debug)]
pub(crate) enum Message<'b> {
    /// Wants an answer.
    Request {
        /// Echoed in the answer.
        id: Id<'b>,
        /// What is wanted.
        method: Cow<'b, str>,
        /// With what.
        params: Option<&'b RawValue>,
    },
    /// Wants none.
    Notification {
        /// What is told.
        method: Cow<'b, str>,
        /// With what.
        params: Option<&'b RawValue>,
    },
    /// Answers a request of the other side.
    Response {
        /// To which request.
        id: Option<Id<'b>>,
        /// What it brings.
        outcome: Result<&'b RawValue, &'b RawValue>,
    },
}

/// Why a text is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed<'b> {
    /// It is not JSON at all.
    NotJson,
    /// It is JSON and not a JSON-RPC 2.0 message.
    NotAMessage {
        /// The id, where it could be read.
        id: Option<Id<'b>>,
        /// What is wrong.
        why: &'static str,
    },
}

#[derive(Deserialize)]
struct Envelope<'b> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'b RawValue>,
}

/// A member that is there, be it `null`.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads one message.
pub(crate) fn read(text: &[u8]) -> Result<Message<'_>, Malformed<'_>> {
    if is_batch(text) {
        // An array would be read as a struct by position.
        return Err(Malformed::NotAMessage { id: None, why: "one message is wanted here, not an array" });
    }
    let envelope: Envelope<'_> = serde_json::from_slice(text).map_err(|error| match error.classify() {
        // A duplicate member, or JSON that is no object.
        serde_json::error::Category::Data => Malformed::NotAMessage {
            id: None,
            why: "a message is a JSON object with each member once (JSON-RPC 2.0)",
        },
        _ => Malformed::NotJson,
    })?;
    let id = envelope.id.and_then(Id::of);
    let not = |why| Err(Malformed::NotAMessage { id, why });
    if envelope.jsonrpc.and_then(text_of).as_deref() != Some("2.0") {
        return not("`jsonrpc` must be \"2.0\"");
    }
    let Some(method) = envelope.method else {
        return match (envelope.result, envelope.error) {
            (Some(result), None) => Ok(Message::Response { id, outcome: Ok(result) }),
            (None, Some(error)) => Ok(Message::Response { id, outcome: Err(error) }),
            _ => not("`method` is missing"),
        };
    };
    let Some(method) = text_of(method) else { return not("`method` must be a string") };
    match (envelope.id, id) {
        (None, _) => Ok(Message::Notification { method, params: envelope.params }),
        (Some(_), Some(id)) => Ok(Message::Request { id, method, params: envelope.params }),
        (Some(_), None) => not("`id` must be a string or an integer, and not longer than 1024 bytes"),
    }
}

/// The messages of a batch (2025-03-26 alone has them), or none where the text is more than that or less.
pub(crate) fn read_batch(text: &[u8], at_most: usize) -> Option<Vec<&RawValue>> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let messages = Few { at_most }.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    (!messages.is_empty()).then_some(messages)
}

/// Whether the text is an array, which a batch is.
pub(crate) fn is_batch(text: &[u8]) -> bool {
    text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

/// Reads an array of raw values and stops as soon as there are too many.
struct Few {
    at_most: usize,
}

impl<'de> DeserializeSeed<'de> for Few {
    type Value = Vec<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Few {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of at most {} messages", self.at_most)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut messages = Vec::new();
        while let Some(message) = array.next_element()? {
            if messages.len() == self.at_most {
                return Err(serde::de::Error::invalid_length(self.at_most + 1, &self));
            }
            messages.push(message);
        }
        Ok(messages)
    }
}

/// The text of a raw value that is a string; borrowed where it has no escapes.
pub(crate) fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str::<String>(raw.get()).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// The `params` of every method that is served, each member raw: whichever it needs, a method reads.
#[derive(Default, Deserialize)]
pub(crate) struct Params<'b> {
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) name: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) arguments: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "_meta")]
    pub(crate) meta: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) cursor: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) uri: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "ref")]
    pub(crate) reference: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) argument: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) context: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "inputResponses")]
    pub(crate) input_responses: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "requestState")]
    pub(crate) request_state: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "protocolVersion")]
    pub(crate) protocol_version: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "clientInfo")]
    pub(crate) client_info: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) capabilities: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) level: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) notifications: Option<&'b RawValue>,
}

/// The members of a request's `_meta` that 2026-07-28 defines (schema `RequestMetaObject`).
#[derive(Default, Deserialize)]
pub(crate) struct Meta<'b> {
    #[serde(
        borrow,
        default,
        deserialize_with = "present",
        rename = "io.modelcontextprotocol/protocolVersion"
    )]
    pub(crate) protocol_version: Option<&'b RawValue>,
    #[serde(
        borrow,
        default,
        deserialize_with = "present",
        rename = "io.modelcontextprotocol/clientCapabilities"
    )]
    pub(crate) client_capabilities: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "io.modelcontextprotocol/clientInfo")]
    pub(crate) client_info: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "io.modelcontextprotocol/logLevel")]
    pub(crate) log_level: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "progressToken")]
    pub(crate) progress_token: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) traceparent: Option<&'b RawValue>,
}

/// What an argument is completed for (schema `PromptReference`, `ResourceTemplateReference`).
#[derive(Default, Deserialize)]
pub(crate) struct Reference<'b> {
    #[serde(borrow, default, deserialize_with = "present", rename = "type")]
    pub(crate) kind: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) name: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) uri: Option<&'b RawValue>,
}

/// How a client names itself (schema `Implementation`); what is no string is passed over.
#[derive(Default, Deserialize)]
pub(crate) struct Implementation<'b> {
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) name: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) version: Option<&'b RawValue>,
}

/// The `data` of an error object, raw.
pub(crate) fn error_data(error: &[u8]) -> Option<Bytes> {
    #[derive(Deserialize)]
    struct Error<'b> {
        #[serde(borrow)]
        data: Option<&'b RawValue>,
    }
    let error: Error<'_> = serde_json::from_slice(error).ok()?;
    error.data.map(|data| Bytes::copy_from_slice(data.get().as_bytes()))
}

/// Reads an object's known members; nothing for what is no object or has one of them twice.
pub(crate) fn object<'b, T: Deserialize<'b>>(raw: &'b RawValue) -> Option<T> {
    // An array would be read as a struct by position.
    raw.get().starts_with('{').then(|| serde_json::from_str(raw.get()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_three_kinds_of_message_are_told_apart_and_ids_kept_as_they_came() {
        let text = br#" {"method":"tools/\u0063all","id": 1 ,"jsonrpc":"2.0","params":{"a":1},"more":[{}]} "#;
        let Ok(Message::Request { id, method, params }) = read(text) else { panic!() };
        assert_eq!((id.raw(), &*method, params.unwrap().get()), ("1", "tools/call", r#"{"a":1}"#));
        let text = br#"{"jsonrpc":"2.0","id":"\u0041\"","method":"ping"}"#;
        let Ok(Message::Request { id, params: None, .. }) = read(text) else { panic!() };
        assert_eq!(id.raw(), r#""\u0041\"""#);
        assert!(matches!(
            read(br#"{"jsonrpc":"2.0","method":"n"}"#),
            Ok(Message::Notification { method, params: None }) if method == "n"
        ));
        assert!(matches!(
            read(br#"{"jsonrpc":"2.0","id":-7,"result":null}"#),
            Ok(Message::Response { id: Some(Id("-7")), outcome: Ok(_) })
        ));
        assert!(matches!(
            read(br#"{"jsonrpc":"2.0","id":null,"error":{}}"#),
            Ok(Message::Response { id: None, outcome: Err(_) })
        ));
    }

    #[test]
    fn what_is_no_message_says_why() {
        for text in [&b""[..], b"{", b"nope", b"{\"jsonrpc\":\"2.0\",}", b"\xff", b"{} {}"] {
            assert!(matches!(read(text), Err(Malformed::NotJson)), "{}", String::from_utf8_lossy(text));
        }
        for text in [
            "{}",
            "1",
            "\"a\"",
            "null",
            r#"{"jsonrpc":"1.0","id":1,"method":"a"}"#,
            r#"{"id":1,"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":true,"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":1,"error":2}"#,
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"a"}"#,
        ] {
            assert!(matches!(read(text.as_bytes()), Err(Malformed::NotAMessage { .. })), "{text}");
        }
        let long = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"a"}}"#, "x".repeat(2000));
        assert!(matches!(read(long.as_bytes()), Err(Malformed::NotAMessage { id: None, .. })));
        let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"a","x":{}}}"#, "[".repeat(1_000_000));
        assert!(matches!(read(deep.as_bytes()), Err(Malformed::NotJson)));
    }

    #[test]
    fn a_batch_is_bounded() {
        assert_eq!(read_batch(b"[1,2,3]", 3).map(|messages| messages.len()), Some(3));
        assert!(read_batch(b"[1,2,3,4]", 3).is_none());
        assert!(read_batch(b"[]", 3).is_none());
        assert!(read_batch(b"[1] 2", 3).is_none());
        assert!(is_batch(b" \n[") && !is_batch(b" {") && !is_batch(b""));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_read_without_panic(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            let valid = serde_json::from_slice::<&RawValue>(&text).is_ok();
            match read(&text) {
                Ok(_) | Err(Malformed::NotAMessage { .. }) => (),
                Err(Malformed::NotJson) => prop_assert!(!valid),
            }
            let _ = read_batch(&text, 20);
        }

        #[test]
        fn messages_with_any_json_inside_are_read_as_serde_json_reads_them(
            id in prop_oneof![any::<i64>().prop_map(|n| n.to_string()), "[a-z]{0,9}".prop_map(|s| format!("\"{s}\""))],
            method in "\\PC{0,12}",
            params in proptest::option::of("\\PC{0,20}"),
        ) {
            let mut message = serde_json::json!({"jsonrpc": "2.0", "method": method});
            message["id"] = serde_json::from_str(&id).expect("an id");
            if let Some(params) = &params {
                message["params"] = serde_json::json!({"name": params});
            }
            let text = serde_json::to_vec(&message).expect("writable");
            let Ok(Message::Request { id: read_id, method: read_method, params: read_params }) = read(&text) else {
                return Err(TestCaseError::fail("no request"));
            };
            prop_assert_eq!(read_id.raw(), id);
            prop_assert_eq!(read_method.as_ref(), method.as_str());
            let name = read_params.and_then(object::<Params<'_>>).and_then(|params| params.name).and_then(text_of);
            prop_assert_eq!(name.as_deref(), params.as_deref());
        }
    }
}

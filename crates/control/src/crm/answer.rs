//! What a tool answers: an MCP `CallToolResult` (2025-11-25, server/tools), or the sentence that is wrong
//! with the call.

use model::Timestamp;
use serde_json::{Value, json};

use crate::Error;

/// Why a tool has no result.
#[derive(Debug)]
pub(super) enum Fault {
    /// The agent can mend it: what is wrong with which field, and what to do.
    Sentence(String),
    /// It cannot.
    Broken(Error),
}

impl Fault {
    pub(super) fn say(sentence: impl Into<String>) -> Self {
        Self::Sentence(sentence.into())
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid { field, sentence } => Self::Sentence(format!("`{field}`: {sentence}.")),
            Error::Refused { sentence, .. } => Self::Sentence(format!("{sentence}.")),
            Error::NotFound { what } => {
                let lists = match what.split(' ').next() {
                    Some("company") => "list_companies",
                    Some("contact") => "list_contacts",
                    Some("deal") => "list_deals",
                    _ => "list_interactions",
                };
                Self::Sentence(format!("There is no {what}: {lists} shows those there are."))
            }
            broken => Self::Broken(broken),
        }
    }
}

/// A result, once as structure and once as text for clients that only read text.
pub(super) fn result(structured: &Value) -> Vec<u8> {
    let text = structured.to_string();
    json!({ "content": [{ "type": "text", "text": text }], "structuredContent": structured, "isError": false })
        .to_string()
        .into_bytes()
}

/// A sentence about what is wrong.
pub(super) fn error(sentence: &str) -> Vec<u8> {
    json!({ "content": [{ "type": "text", "text": sentence }], "isError": true }).to_string().into_bytes()
}

/// An object without the members that have no value: agents pay for every word.
pub(super) fn filled(object: Value) -> Value {
    match object {
        Value::Object(members) => {
            Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect())
        }
        other => other,
    }
}

/// A time as tools write it: RFC 3339 in UTC, to the second.
pub(super) fn time(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

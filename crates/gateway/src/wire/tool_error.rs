//! What an agent is told of a call that did not bring a result: a tool result with `isError`, since a model reads
//! that and can act on it, with the same as structured content for programs.

use bytes::Bytes;
use model::CallId;
use model::access::PermissionKey;
use model::call::Reason;
use serde::Serialize;

use super::ResultText;

#[derive(Serialize)]
struct ToolResult<'a> {
    content: [Text<'a>; 1],
    #[serde(rename = "isError")]
    is_error: bool,
    #[serde(rename = "structuredContent")]
    structured: Structured<'a>,
}

#[derive(Serialize)]
struct Text<'a> {
    r#type: &'static str,
    text: &'a str,
}

#[derive(Serialize)]
struct Structured<'a> {
    error: Trouble<'a>,
}

#[derive(Serialize)]
struct Trouble<'a> {
    code: &'a str,
    message: &'a str,
    missing_key: Option<&'a PermissionKey>,
    ask: Option<&'a str>,
    call_id: CallId,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

/// A call that was denied or is held. `retry_after`: in how many seconds another try may be worth it.
pub(crate) fn refused(call: CallId, reason: &Reason, retry_after: Option<u64>) -> ResultText {
    write(Trouble {
        code: reason.code.word(),
        message: &reason.sentence,
        missing_key: reason.missing_key.as_ref(),
        ask: reason.ask.as_deref(),
        call_id: call,
        retry_after,
    })
}

/// A call that was permitted and failed on the way. `retry_after`: in how many seconds another try may be worth it.
pub(crate) fn failed(call: CallId, code: &str, sentence: &str, retry_after: Option<u64>) -> ResultText {
    write(Trouble { code, message: sentence, missing_key: None, ask: None, call_id: call, retry_after })
}

fn write(trouble: Trouble<'_>) -> ResultText {
    let text = format!("{} (reference {})", trouble.message, trouble.call_id);
    let result = ToolResult {
        content: [Text { r#type: "text", text: &text }],
        is_error: true,
        structured: Structured { error: trouble },
    };
    // Strings alone: writing them as JSON cannot fail.
    ResultText::own(serde_json::to_vec(&result).map_or_else(|_| Bytes::from_static(b"{}"), Bytes::from))
}

//! The JSON-RPC messages of the benchmark. `arguments`, `id` and `text` stay raw JSON: what is echoed is never
//! decoded, so that the echo measures the path to it and not a JSON library.

use std::borrow::Cow;
use std::fmt::Write as _;

use model::call::ReasonCode;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The newest revision of the `initialize` era (MCP 2025-11-25).
pub(crate) const LEGACY: &str = "2025-11-25";
/// The stateless revision.
pub(crate) const MODERN: &str = "2026-07-28";

/// A request or notification as the echo upstream reads it.
#[derive(Deserialize)]
pub(crate) struct Request<'a> {
    /// Absent in a notification.
    #[serde(borrow)]
    pub(crate) id: Option<&'a RawValue>,
    /// Such as `tools/call`.
    #[serde(borrow)]
    pub(crate) method: Cow<'a, str>,
    /// Read by the method.
    #[serde(borrow)]
    pub(crate) params: Option<&'a RawValue>,
}

/// `params` of `tools/call`.
#[derive(Deserialize)]
pub(crate) struct CallParams<'a> {
    /// The tool.
    #[serde(borrow)]
    pub(crate) name: Cow<'a, str>,
    /// Its arguments.
    #[serde(borrow)]
    pub(crate) arguments: Option<EchoArguments<'a>>,
}

/// The arguments of `echo`.
#[derive(Deserialize)]
pub(crate) struct EchoArguments<'a> {
    /// A JSON string with its quotes.
    #[serde(borrow)]
    pub(crate) text: &'a RawValue,
    /// How many bytes the answer is to have at least.
    pub(crate) bytes: Option<u32>,
}

/// `params` of `initialize`, as far as they matter.
#[derive(Deserialize)]
pub(crate) struct InitializeParams<'a> {
    /// What the client would like to speak.
    #[serde(rename = "protocolVersion", borrow)]
    pub(crate) protocol_version: Cow<'a, str>,
}

/// A response as the load generator reads it.
#[derive(Deserialize)]
pub(crate) struct Response<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<CallResult<'a>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct CallResult<'a> {
    #[serde(rename = "isError", default)]
    is_error: bool,
    #[serde(borrow, default)]
    content: Vec<Content<'a>>,
    #[serde(rename = "structuredContent", borrow)]
    structured: Option<&'a RawValue>,
}

/// The structured content of a refusal or failure of the gateway's own.
#[derive(Deserialize)]
struct Structured<'a> {
    #[serde(borrow)]
    error: Trouble<'a>,
}

#[derive(Deserialize)]
struct Trouble<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

/// What a reply amounts to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The tool answered, and with what was asked for.
    Success,
    /// The gateway refused the call, with a reason that is in the record too.
    Denied(String),
    /// The tool answered that it failed, or the gateway in its place.
    ToolError(String),
    /// A JSON-RPC error.
    ProtocolError(String),
    /// Not an answer to what was asked.
    Wrong(String),
}

/// What the first content of a reply is to be.
#[derive(Clone, Copy)]
pub(crate) enum Expected<'a> {
    /// This text, filled up with dots to so many bytes.
    Text(&'a str, usize),
    /// Whatever it is.
    Anything,
}

/// Judges a reply to request `id`.
pub(crate) fn judge(body: &[u8], id: u64, expected: Expected<'_>) -> Verdict {
    let response: Response<'_> = match serde_json::from_slice(body) {
        Ok(response) => response,
        Err(wrong) => return Verdict::Wrong(format!("not a JSON-RPC response ({wrong}): {}", excerpt(body))),
    };
    if let Some(error) = response.error {
        return Verdict::ProtocolError(excerpt(error.get().as_bytes()));
    }
    if response.id.and_then(|raw| raw.get().parse().ok()) != Some(id) {
        return Verdict::Wrong(format!("an answer to another request than {id}: {}", excerpt(body)));
    }
    let Some(result) = response.result else {
        return Verdict::Wrong(format!("neither result nor error: {}", excerpt(body)));
    };
    if result.is_error {
        let structured =
            result.structured.and_then(|raw| serde_json::from_str::<Structured<'_>>(raw.get()).ok());
        let is_reason = structured.is_some_and(|it| it.error.code.parse::<ReasonCode>().is_ok());
        let verdict = if is_reason { Verdict::Denied } else { Verdict::ToolError };
        return verdict(excerpt(body));
    }
    let Expected::Text(text, length) = expected else { return Verdict::Success };
    let first = result.content.first().and_then(|content| content.text.as_deref());
    let rest =
        first.filter(|first| first.len() == length.max(text.len())).and_then(|it| it.strip_prefix(text));
    if rest.is_none_or(|rest| rest.bytes().any(|byte| byte != b'.')) {
        return Verdict::Wrong(format!("echoed something else: {}", excerpt(body)));
    }
    Verdict::Success
}

/// The first 300 characters, for a report.
pub(crate) fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(300).collect()
}

/// Takes the JSON-RPC message with `id` out of a `text/event-stream` body: notifications may come before it.
pub(crate) fn from_event_stream(body: &str, id: u64) -> Option<&str> {
    body.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).find(|data| {
        serde_json::from_str::<Response<'_>>(data)
            .is_ok_and(|response| response.id.and_then(|raw| raw.get().parse().ok()) == Some(id))
    })
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// A call of the tool that the endpoint knows by this name. Its result is to have so many bytes of text at least.
    Call { tool: String, result: u32 },
    /// The list of tools.
    List,
}

/// What a load generator's calls have in common.
pub(crate) struct CallTemplate {
    pub(crate) ask: Ask,
    /// Begins each call's text, which ends with the call's number: no two calls are alike.
    pub(crate) run: String,
    /// Length of the text in bytes; short ones are filled up.
    pub(crate) payload: usize,
    /// Speak the stateless revision instead of the `initialize` era.
    pub(crate) modern: bool,
}

impl CallTemplate {
    /// The text of call `number`: `run-number`, filled up with dots to the payload's length.
    pub(crate) fn text(&self, number: u64) -> String {
        let mut text = String::with_capacity(self.payload + self.run.len() + 12);
        let _ = write!(text, "{}-{number}", self.run);
        while text.len() < self.payload {
            text.push('.');
        }
        text
    }

    /// The body of the request whose id is `number`.
    pub(crate) fn body(&self, number: u64, text: &str) -> String {
        let meta = if self.modern { MODERN_META } else { "" };
        let (method, params) = match &self.ask {
            Ask::Call { tool, result: 0 } => {
                ("tools/call", format!(r#""name":"{tool}","arguments":{{"text":"{text}"}}"#))
            }
            Ask::Call { tool, result } => {
                ("tools/call", format!(r#""name":"{tool}","arguments":{{"text":"{text}","bytes":{result}}}"#))
            }
            Ask::List => ("tools/list", String::new()),
        };
        let comma = if params.is_empty() || meta.is_empty() { "" } else { "," };
        format!(r#"{{"jsonrpc":"2.0","id":{number},"method":"{method}","params":{{{params}{comma}{meta}}}}}"#)
    }

    /// What the reply to a request with this text is to be.
    pub(crate) fn expected<'a>(&self, text: &'a str) -> Expected<'a> {
        match &self.ask {
            Ask::Call { result, .. } => Expected::Text(text, *result as usize),
            Ask::List => Expected::Anything,
        }
    }
}

const MODERN_META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"0"}}"#;

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: &str =
        r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"a-7"}],"isError":false}}"#;

    #[test]
    fn a_reply_is_a_success_only_if_it_answers_this_call_with_this_text() {
        let judge = |id, expected| judge(REPLY.as_bytes(), id, expected);
        assert_eq!(judge(7, Expected::Text("a-7", 0)), Verdict::Success);
        assert!(matches!(judge(8, Expected::Text("a-7", 0)), Verdict::Wrong(_)));
        assert!(matches!(judge(7, Expected::Text("a-8", 0)), Verdict::Wrong(_)));
        assert!(matches!(judge(7, Expected::Text("a-7", 4)), Verdict::Wrong(_)), "it is not filled up");
        assert_eq!(judge(7, Expected::Anything), Verdict::Success);
        let filled = REPLY.replace("a-7", "a-7..");
        assert_eq!(super::judge(filled.as_bytes(), 7, Expected::Text("a-7", 5)), Verdict::Success);
        assert!(matches!(super::judge(filled.as_bytes(), 7, Expected::Text("a-7", 0)), Verdict::Wrong(_)));
    }

    #[test]
    fn denials_and_errors_are_told_apart() {
        let failed = REPLY.replace("false", "true");
        assert!(matches!(judge(failed.as_bytes(), 7, Expected::Text("a-7", 0)), Verdict::ToolError(_)));
        for (code, denied) in [("missing_key", true), ("timed_out", false)] {
            let said = format!(r#"true,"structuredContent":{{"error":{{"code":"{code}","ask":null}}}}"#);
            let verdict = judge(REPLY.replace("false", &said).as_bytes(), 7, Expected::Text("a-7", 0));
            assert_eq!(matches!(verdict, Verdict::Denied(_)), denied, "{code}");
            assert_eq!(matches!(verdict, Verdict::ToolError(_)), !denied, "{code}");
        }
        let error = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"no"}}"#;
        assert!(matches!(judge(error.as_bytes(), 7, Expected::Text("a-7", 0)), Verdict::ProtocolError(_)));
        assert!(matches!(judge(b"<html>", 7, Expected::Text("a-7", 0)), Verdict::Wrong(_)));
    }

    #[test]
    fn the_answer_is_found_behind_notifications() {
        let stream = format!(
            "event: message\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}}\n\nid: 4\ndata: {REPLY}\n\n"
        );
        assert_eq!(from_event_stream(&stream, 7), Some(REPLY));
        assert_eq!(from_event_stream(&stream, 9), None);
    }

    #[test]
    fn a_call_carries_its_number_and_its_length() {
        let ask = Ask::Call { tool: "echo".into(), result: 0 };
        let calls = CallTemplate { ask, run: "r".into(), payload: 16, modern: false };
        let text = calls.text(12);
        assert_eq!(text, "r-12............");
        let body = calls.body(12, &text);
        let request: Request<'_> = serde_json::from_str(&body).unwrap();
        assert_eq!(request.id.unwrap().get(), "12");
        let params: CallParams<'_> = serde_json::from_str(request.params.unwrap().get()).unwrap();
        assert_eq!(params.arguments.unwrap().text.get(), "\"r-12............\"");
    }

    #[test]
    fn a_request_is_json_whatever_is_asked_for() {
        for modern in [false, true] {
            for ask in [Ask::List, Ask::Call { tool: "echo".into(), result: 9 }] {
                let calls = CallTemplate { ask, run: "r".into(), payload: 0, modern };
                let body: serde_json::Value = serde_json::from_str(&calls.body(3, "r-3")).unwrap();
                assert_eq!(body["params"]["_meta"].is_object(), modern);
                let bytes = matches!(calls.ask, Ask::Call { .. }).then_some(9);
                assert_eq!(body["params"]["arguments"]["bytes"].as_u64(), bytes);
            }
        }
    }
}

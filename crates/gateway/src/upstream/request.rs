//! The requests that we write to upstream servers, of either era. Arguments go in byte for byte.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;

use super::session::Session;
use crate::trace::Trace;
use crate::wire::{self, Capabilities, Loudness, Revision};

/// A request as it is sent.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) id: u64,
    pub(crate) text: Bytes,
    /// The headers that say what the text says (2026-07-28, Streamable HTTP, Standard Request Headers).
    pub(crate) headers: HeaderMap,
}

/// What a request is written for, besides what it asks.
#[derive(Clone, Copy, Default)]
pub(crate) struct For<'a> {
    /// How the server is spoken to; none before that is known.
    pub(crate) session: Option<&'a Session>,
    /// What the client can do that the server may ask of it.
    pub(crate) capabilities: Capabilities,
    /// The least of its log that is wanted; none: nothing.
    pub(crate) loudness: Option<Loudness>,
    /// Whether somebody wants to know of its progress. Its token is the request's id.
    pub(crate) progress: bool,
    /// The trace that it is part of (2026-07-28, Overview, Distributed Tracing Conventions).
    pub(crate) trace: Option<Trace>,
}

/// Writes a request. `name` is what `Mcp-Name` says; `members` are those of its `params`, without braces.
pub(crate) fn request(
    id: u64,
    method: &'static str,
    name: Option<&str>,
    members: &[u8],
    with: For<'_>,
) -> Written {
    let mut out = Vec::with_capacity(448 + members.len());
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.to_string().as_bytes());
    out.extend_from_slice(b",\"method\":\"");
    out.extend_from_slice(method.as_bytes());
    out.extend_from_slice(b"\",\"params\":{");
    out.extend_from_slice(members);
    let mut headers = HeaderMap::new();
    let meta = match with.session {
        Some(session) if session.is_stateless => {
            headers.insert(wire::METHOD_HEADER, HeaderValue::from_static(method));
            if let Some(name) = name {
                headers.insert(wire::NAME_HEADER, wire::encoded(name));
            }
            Some(standing_for_itself(id, with))
        }
        _ => following(id, with),
    };
    if let Some(meta) = meta {
        if !members.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(b"\"_meta\":");
        out.extend_from_slice(meta.as_bytes());
    }
    out.extend_from_slice(b"}}");
    Written { id, text: out.into(), headers }
}

/// The `_meta` of a request that follows an `initialize`, if there is anything to say in it.
fn following(id: u64, with: For<'_>) -> Option<String> {
    match (with.progress, with.trace.and_then(|trace| trace.for_server())) {
        (false, None) => None,
        (true, None) => Some(format!(r#"{{"progressToken":{id}}}"#)),
        (false, Some(trace)) => Some(format!(r#"{{"traceparent":"{trace}"}}"#)),
        (true, Some(trace)) => Some(format!(r#"{{"progressToken":{id},"traceparent":"{trace}"}}"#)),
    }
}

/// The `_meta` of a request that follows no `initialize` (2026-07-28, schema `RequestMetaObject`).
fn standing_for_itself(id: u64, with: For<'_>) -> String {
    let progress = if with.progress { format!(r#","progressToken":{id}"#) } else { String::new() };
    let trace = with.trace.and_then(|trace| trace.for_server());
    let trace = trace.map_or_else(String::new, |trace| format!(r#","traceparent":"{trace}""#));
    let loudness = with.loudness.map_or_else(String::new, |loudness| {
        format!(r#","io.modelcontextprotocol/logLevel":"{}""#, loudness.word())
    });
    format!(
        r#"{{"io.modelcontextprotocol/protocolVersion":"{}","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{{"name":"WorkingAgents","version":"{}"}}{loudness}{progress}{trace}}}"#,
        Revision::V2026_07_28.word(),
        with.capabilities.object(),
        env!("CARGO_PKG_VERSION"),
    )
}

/// What a call asks of a server, by the server's own names. Arguments are the JSON text of an object and go in byte for byte.
pub(crate) enum Wanted<'a> {
    /// `tools/call`. Its definition says which arguments are mirrored into headers.
    Call { tool: &'a str, definition: &'a str, arguments: &'a [u8] },
    /// `prompts/get`.
    Get { prompt: &'a str, arguments: &'a [u8] },
    /// `resources/read`.
    Read { uri: &'a str },
    /// `completion/complete`; `rest` is an object with all but `ref`.
    CompletePrompt { prompt: &'a str, rest: &'a [u8] },
    /// The same.
    CompleteTemplate { template: &'a str, rest: &'a [u8] },
}

/// What goes along with a call that goes on after a server asked for input (2026-07-28, Multi Round-Trip Requests).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Input<'a> {
    /// `inputResponses`, the JSON text of an object.
    pub(crate) responses: Option<&'a [u8]>,
    /// `requestState`, as the server gave it.
    pub(crate) state: Option<&'a str>,
    /// Whether it goes on from an earlier call: then it means nothing to a server of the other era.
    pub(crate) goes_on: bool,
}

impl Wanted<'_> {
    /// Whether to ask twice does no more than to ask once: what reads does, and a tool whose approved definition says so
    /// (2025-11-25, schema `ToolAnnotations`).
    pub(crate) fn may_be_repeated(&self) -> bool {
        #[derive(Deserialize)]
        struct Definition {
            annotations: Option<Annotations>,
        }
        #[derive(Deserialize)]
        struct Annotations {
            #[serde(default, rename = "idempotentHint")]
            idempotent: bool,
            #[serde(default, rename = "readOnlyHint")]
            read_only: bool,
        }
        let Self::Call { definition, .. } = self else { return true };
        let read = serde_json::from_str::<Definition>(definition).ok();
        read.and_then(|definition| definition.annotations)
            .is_some_and(|hints| hints.idempotent || hints.read_only)
    }

    /// Writes the request. None: its arguments would have to be mirrored into headers, which cannot say them.
    pub(crate) fn request(&self, id: u64, input: Input<'_>, with: For<'_>) -> Option<Written> {
        let (method, before, name, between, rest) = match self {
            Self::Call { tool, arguments, .. } => {
                ("tools/call", "\"name\":", *tool, ",\"arguments\":", *arguments)
            }
            Self::Get { prompt, arguments } => {
                ("prompts/get", "\"name\":", *prompt, ",\"arguments\":", *arguments)
            }
            Self::Read { uri } => ("resources/read", "\"uri\":", *uri, "", &b""[..]),
            Self::CompletePrompt { prompt, rest } => (
                "completion/complete",
                "\"ref\":{\"type\":\"ref/prompt\",\"name\":",
                *prompt,
                "},",
                members(rest),
            ),
            Self::CompleteTemplate { template, rest } => (
                "completion/complete",
                "\"ref\":{\"type\":\"ref/resource\",\"uri\":",
                *template,
                "},",
                members(rest),
            ),
        };
        let is_stateless = with.session.is_some_and(|session| session.is_stateless);
        let mut out = Vec::with_capacity(64 + name.len() + rest.len());
        out.extend_from_slice(before.as_bytes());
        wire::write_string(&mut out, name);
        out.extend_from_slice(between.as_bytes());
        out.extend_from_slice(rest);
        if is_stateless {
            if let Some(responses) = input.responses {
                out.extend_from_slice(b",\"inputResponses\":");
                out.extend_from_slice(responses);
            }
            if let Some(state) = input.state {
                out.extend_from_slice(b",\"requestState\":");
                wire::write_string(&mut out, state);
            }
        }
        let named = (method != "completion/complete").then_some(name);
        let mut written = request(id, method, named, &out, with);
        if let (true, Self::Call { definition, arguments, .. }) = (is_stateless, self) {
            written.headers.extend(wire::mirrored_arguments(definition, arguments)?);
        }
        Some(written)
    }
}

/// An object without its braces.
fn members(object: &[u8]) -> &[u8] {
    object.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn requests_are_written_in_the_words_of_the_server() {
        let stateless = Session::stateless(super::super::session::Server::default());
        for (wanted, params, name) in [
            (
                Wanted::Call { tool: "a\"", definition: "{}", arguments: b"{\"x\":1.0}" },
                r#""name":"a\"","arguments":{"x":1.0}"#,
                Some("a\""),
            ),
            (Wanted::Get { prompt: "p", arguments: b"{}" }, r#""name":"p","arguments":{}"#, Some("p")),
            (Wanted::Read { uri: "test://é" }, r#""uri":"test://é""#, Some("=?base64?dGVzdDovL8Op?=")),
            (
                Wanted::CompletePrompt { prompt: "p", rest: br#"{"argument":{"name":"n","value":""}}"# },
                r#""ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"n","value":""}"#,
                None,
            ),
            (
                Wanted::CompleteTemplate { template: "t://{x}", rest: br#"{"argument":{}}"# },
                r#""ref":{"type":"ref/resource","uri":"t://{x}"},"argument":{}"#,
                None,
            ),
        ] {
            let write = |input, with| {
                let written = wanted.request(7, input, with).unwrap();
                let text = String::from_utf8(written.text.to_vec()).unwrap();
                assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
                (text, written.headers)
            };
            let input = Input { responses: Some(b"{ }"), state: Some("s\""), goes_on: true };
            let (text, headers) = write(input, For::default());
            assert!(text.ends_with(&format!("\"params\":{{{params}}}}}")), "{text}");
            assert!(headers.is_empty());
            let (text, _) = write(Input::default(), For { progress: true, ..For::default() });
            assert!(text.ends_with(&format!("{params},\"_meta\":{{\"progressToken\":7}}}}}}")), "{text}");

            let with = For { session: Some(&stateless), progress: true, ..For::default() };
            let (text, headers) = write(input, with);
            let begins = format!(
                "\"params\":{{{params},\"inputResponses\":{{ }},\"requestState\":\"s\\\"\",\"_meta\":"
            );
            assert!(text.contains(&begins), "{text}");
            let meta = &serde_json::from_str::<Value>(&text).unwrap()["params"]["_meta"];
            assert_eq!(
                *meta,
                json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities": {},
                    "io.modelcontextprotocol/clientInfo": {"name": "WorkingAgents", "version": env!("CARGO_PKG_VERSION")},
                    "progressToken": 7})
            );
            assert_eq!(headers.get("mcp-name").map(|name| name.to_str().unwrap()), name);
            assert!(text.contains(headers["mcp-method"].to_str().unwrap()));
        }
    }
}

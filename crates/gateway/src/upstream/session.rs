//! The opening of a session with an upstream server of the `initialize` era, and the requests that we write.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::exchange::{Listening, Peer, Reply};
use super::trouble::Trouble;
use crate::wire::{self, Revision};

/// Revisions that upstream servers may answer with. Tools are the same in the oldest, and servers that otherwise
/// speak streamable HTTP still name it.
const SPOKEN: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// A session with an upstream server; without id where the server keeps none.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// `Mcp-Session-Id`. Marked as sensitive: who has it can act in the session.
    pub(crate) id: Option<HeaderValue>,
    /// The revision that was agreed on.
    pub(crate) version: HeaderValue,
    /// What the server said of itself.
    pub(crate) server: Arc<Server>,
}

/// What a server says of itself when a session is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) protocol: String,
    pub(crate) has_tools: bool,
    pub(crate) has_prompts: bool,
    pub(crate) has_resources: bool,
}

#[derive(Deserialize)]
struct Initialized<'b> {
    #[serde(borrow, default, deserialize_with = "wire::present", rename = "protocolVersion")]
    protocol_version: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "wire::present")]
    capabilities: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "wire::present", rename = "serverInfo")]
    server_info: Option<&'b RawValue>,
}

#[derive(Default, Deserialize)]
struct Capabilities<'b> {
    #[serde(borrow)]
    tools: Option<&'b RawValue>,
    #[serde(borrow)]
    prompts: Option<&'b RawValue>,
    #[serde(borrow)]
    resources: Option<&'b RawValue>,
}

impl Session {
    /// Opens a session: `initialize`, then `notifications/initialized`.
    pub(crate) async fn open(peer: &Peer, id: u64, deadline: Instant) -> Result<Self, Trouble> {
        let params = format!(
            r#"{{"protocolVersion":"{}","capabilities":{{}},"clientInfo":{{"name":"WorkingAgents","version":"{}"}}}}"#,
            Revision::NEWEST_OPENED.word(),
            env!("CARGO_PKG_VERSION"),
        );
        let reply = peer
            .ask(None, request(id, "initialize", params.as_bytes()), id, Listening::default(), deadline)
            .await?;
        let session = Self::of(peer, reply)?;
        // A server that minds will say so when it is asked something.
        let told = Bytes::from_static(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        peer.tell(Some(&session), told).await?;
        Ok(session)
    }

    fn of(peer: &Peer, reply: Reply) -> Result<Self, Trouble> {
        let said: &RawValue = serde_json::from_slice(&reply.result)
            .map_err(|_| peer.not_mcp("the result of initialize is no JSON"))?;
        let said: Initialized<'_> =
            wire::object(said).ok_or_else(|| peer.not_mcp("the result of initialize has a member twice"))?;
        let protocol = said
            .protocol_version
            .and_then(wire::text_of)
            .ok_or_else(|| peer.not_mcp("the result of initialize names no protocolVersion"))?;
        let version = SPOKEN.into_iter().find(|version| *version == protocol).ok_or_else(|| {
            Trouble::UnknownRevision {
                url: peer.url.to_string(),
                theirs: protocol.chars().take(40).collect(),
            }
        })?;
        let info: wire::Implementation<'_> = said.server_info.and_then(wire::object).unwrap_or_default();
        let named = |raw: Option<&RawValue>| {
            raw.and_then(wire::text_of).map(|text| text.chars().take(120).collect()).unwrap_or_default()
        };
        let capabilities: Capabilities<'_> = said.capabilities.and_then(wire::object).unwrap_or_default();
        let id = reply.session.map(|mut id| {
            id.set_sensitive(true);
            id
        });
        Ok(Self {
            id,
            version: HeaderValue::from_static(version),
            server: Arc::new(Server {
                name: named(info.name),
                version: named(info.version),
                protocol: version.to_owned(),
                has_tools: capabilities.tools.is_some(),
                has_prompts: capabilities.prompts.is_some(),
                has_resources: capabilities.resources.is_some(),
            }),
        })
    }
}

/// Writes a request; `params` is the JSON text of an object.
pub(crate) fn request(id: u64, method: &str, params: &[u8]) -> Bytes {
    let mut out = begun(id, method, params.len());
    out.extend_from_slice(params);
    out.push(b'}');
    out.into()
}

/// A request up to its `params`, with room for so many bytes of them.
fn begun(id: u64, method: &str, room: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + method.len() + room);
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.to_string().as_bytes());
    out.extend_from_slice(b",\"method\":\"");
    out.extend_from_slice(method.as_bytes());
    out.extend_from_slice(b"\",\"params\":");
    out
}

/// What a call asks of a server, by the server's own names. Arguments are the JSON text of an object and go in byte for byte.
pub(crate) enum Wanted<'a> {
    /// `tools/call`.
    Call { tool: &'a str, arguments: &'a [u8] },
    /// `prompts/get`.
    Get { prompt: &'a str, arguments: &'a [u8] },
    /// `resources/read`.
    Read { uri: &'a str },
    /// `completion/complete`; `rest` is an object with all but `ref`.
    CompletePrompt { prompt: &'a str, rest: &'a [u8] },
    /// The same.
    CompleteTemplate { template: &'a str, rest: &'a [u8] },
}

impl Wanted<'_> {
    /// Writes the request; with a progress token, which is its id, where progress is wanted.
    pub(crate) fn request(&self, id: u64, progress: bool) -> Bytes {
        let (method, before, name, between, rest) = match self {
            Self::Call { tool, arguments } => {
                ("tools/call", "{\"name\":", *tool, ",\"arguments\":", *arguments)
            }
            Self::Get { prompt, arguments } => {
                ("prompts/get", "{\"name\":", *prompt, ",\"arguments\":", *arguments)
            }
            Self::Read { uri } => ("resources/read", "{\"uri\":", *uri, "", &b""[..]),
            Self::CompletePrompt { prompt, rest } => (
                "completion/complete",
                "{\"ref\":{\"type\":\"ref/prompt\",\"name\":",
                *prompt,
                "},",
                members(rest),
            ),
            Self::CompleteTemplate { template, rest } => (
                "completion/complete",
                "{\"ref\":{\"type\":\"ref/resource\",\"uri\":",
                *template,
                "},",
                members(rest),
            ),
        };
        let mut out = begun(id, method, 64 + name.len() + rest.len());
        out.extend_from_slice(before.as_bytes());
        wire::write_string(&mut out, name);
        out.extend_from_slice(between.as_bytes());
        out.extend_from_slice(rest);
        if progress {
            out.extend_from_slice(b",\"_meta\":{\"progressToken\":");
            out.extend_from_slice(id.to_string().as_bytes());
            out.push(b'}');
        }
        out.extend_from_slice(b"}}");
        out.into()
    }
}

/// An object without its braces.
fn members(object: &[u8]) -> &[u8] {
    object.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_written_in_the_words_of_the_server() {
        for (wanted, params) in [
            (
                Wanted::Call { tool: "a\"", arguments: b"{\"x\":1.0}" },
                r#""name":"a\"","arguments":{"x":1.0}"#,
            ),
            (Wanted::Get { prompt: "p", arguments: b"{}" }, r#""name":"p","arguments":{}"#),
            (Wanted::Read { uri: "test://a" }, r#""uri":"test://a""#),
            (
                Wanted::CompletePrompt { prompt: "p", rest: br#"{"argument":{"name":"n","value":""}}"# },
                r#""ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"n","value":""}"#,
            ),
            (
                Wanted::CompleteTemplate { template: "t://{x}", rest: br#"{"argument":{}}"# },
                r#""ref":{"type":"ref/resource","uri":"t://{x}"},"argument":{}"#,
            ),
        ] {
            let text = String::from_utf8(wanted.request(7, false).to_vec()).unwrap();
            assert!(text.ends_with(&format!("\"params\":{{{params}}}}}")), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
            let text = String::from_utf8(wanted.request(7, true).to_vec()).unwrap();
            assert!(text.ends_with(&format!("{params},\"_meta\":{{\"progressToken\":7}}}}}}")), "{text}");
        }
    }
}

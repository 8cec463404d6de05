//! The opening of a session with an upstream server of the `initialize` era, and the requests that we write.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::exchange::{Peer, Reply};
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

#[derive(Deserialize)]
struct Capabilities<'b> {
    #[serde(borrow)]
    tools: Option<&'b RawValue>,
}

impl Session {
    /// Opens a session: `initialize`, then `notifications/initialized`.
    pub(crate) async fn open(peer: &Peer, id: u64, deadline: Instant) -> Result<Self, Trouble> {
        let params = format!(
            r#"{{"protocolVersion":"{}","capabilities":{{}},"clientInfo":{{"name":"WorkingAgents","version":"{}"}}}}"#,
            Revision::NEWEST_OPENED.word(),
            env!("CARGO_PKG_VERSION"),
        );
        let reply = peer.ask(None, request(id, "initialize", params.as_bytes()), id, None, deadline).await?;
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
        let capabilities: Option<Capabilities<'_>> = said.capabilities.and_then(wire::object);
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
                has_tools: capabilities.is_some_and(|capabilities| capabilities.tools.is_some()),
            }),
        })
    }
}

/// Writes a request; `params` is the JSON text of an object.
pub(crate) fn request(id: u64, method: &str, params: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(64 + method.len() + params.len());
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.to_string().as_bytes());
    out.extend_from_slice(b",\"method\":\"");
    out.extend_from_slice(method.as_bytes());
    out.extend_from_slice(b"\",\"params\":");
    out.extend_from_slice(params);
    out.push(b'}');
    out.into()
}

/// Writes a `tools/call`; `arguments` go in byte for byte.
pub(crate) fn tool_call(id: u64, tool: &str, arguments: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(96 + tool.len() + arguments.len());
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.to_string().as_bytes());
    out.extend_from_slice(b",\"method\":\"tools/call\",\"params\":{\"name\":");
    wire::write_string(&mut out, tool);
    out.extend_from_slice(b",\"arguments\":");
    out.extend_from_slice(arguments);
    out.extend_from_slice(b"}}");
    out.into()
}

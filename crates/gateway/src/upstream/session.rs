//! How an upstream server is spoken to: in a session that it opens, if it is of the `initialize` era; else by requests that
//! each stand for themselves.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use http::HeaderValue;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::exchange::{Listening, Peer, Reply};
use super::pipe::Pipe;
use super::request::{For, request};
use super::trouble::Trouble;
use crate::wire::{self, Revision};

/// Revisions of that era that upstream servers may answer with. Tools are the same in the oldest, and servers that otherwise
/// speak streamable HTTP still name it.
pub(crate) const SPOKEN: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// How a server is spoken to, once that is known.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// `Mcp-Session-Id`, where the server keeps a session. Marked as sensitive: who has it can act in the session.
    pub(crate) id: Option<HeaderValue>,
    /// The revision that was agreed on.
    pub(crate) version: HeaderValue,
    /// Whether each request stands for itself (2026-07-28), so that there is no session at all.
    pub(crate) is_stateless: bool,
    /// The way to the server, where it is spoken to through a pipe.
    pub(crate) pipe: Option<Arc<Pipe>>,
    /// Whether the server has said that the session has no stream of its own.
    pub(crate) has_no_stream: Arc<AtomicBool>,
    /// What the server said of itself.
    pub(crate) server: Arc<Server>,
}

/// What a server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) protocol: String,
    pub(crate) has_tools: bool,
    pub(crate) has_prompts: bool,
    pub(crate) has_resources: bool,
    /// Whether one can subscribe to them.
    pub(crate) tells_of_resources: bool,
    /// Whether it tells when one of its lists has changed.
    pub(crate) tells_of_lists: bool,
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

#[derive(Default, Deserialize)]
#[serde(default)]
struct TellsOf {
    subscribe: bool,
    #[serde(rename = "listChanged")]
    list_changed: bool,
}

fn tells_of(offered: Option<&RawValue>) -> TellsOf {
    offered.and_then(wire::object).unwrap_or_default()
}

impl Session {
    /// Without a session (2026-07-28).
    pub(crate) fn stateless(server: Server) -> Self {
        let version = HeaderValue::from_static(Revision::V2026_07_28.word());
        Self {
            id: None,
            version,
            is_stateless: true,
            pipe: None,
            server: Arc::new(server),
            has_no_stream: Arc::default(),
        }
    }

    /// What a session is through a pipe before it is opened.
    fn through(pipe: Arc<Pipe>) -> Self {
        Self {
            id: None,
            version: HeaderValue::from_static(Revision::NEWEST_OPENED.word()),
            is_stateless: false,
            pipe: Some(pipe),
            // What it asks comes with the answers that it is asked for.
            has_no_stream: Arc::new(AtomicBool::new(true)),
            server: Arc::default(),
        }
    }

    /// Opens a session for clients that can do what `asked` says, through `pipe` if there is one: `initialize`, then
    /// `notifications/initialized`.
    pub(crate) async fn open(
        peer: &Peer,
        pipe: Option<Arc<Pipe>>,
        id: u64,
        asked: wire::Capabilities,
        deadline: Instant,
    ) -> Result<Self, Trouble> {
        let params = format!(
            r#""protocolVersion":"{}","capabilities":{},"clientInfo":{{"name":"WorkingAgents","version":"{}"}}"#,
            Revision::NEWEST_OPENED.word(),
            asked.object(),
            env!("CARGO_PKG_VERSION"),
        );
        let asked = request(id, "initialize", None, params.as_bytes(), For::default());
        let before = pipe.map(Self::through);
        let reply = peer.ask(before.as_ref(), asked, Listening::default(), deadline).await?;
        let mut session = Self::of(peer, reply)?;
        if let Some(Self { pipe, has_no_stream, .. }) = before {
            session = Self { id: Some(HeaderValue::from_static("pipe")), pipe, has_no_stream, ..session };
        }
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
        let id = reply.session.map(|mut id| {
            id.set_sensitive(true);
            id
        });
        Ok(Self {
            id,
            version: HeaderValue::from_static(version),
            is_stateless: false,
            pipe: None,
            has_no_stream: Arc::default(),
            server: Arc::new(Server::of(version, said.server_info, said.capabilities)),
        })
    }
}

impl Server {
    /// Reads what it says of itself: an `Implementation` and `ServerCapabilities`, in either era.
    pub(crate) fn of(protocol: &str, info: Option<&RawValue>, capabilities: Option<&RawValue>) -> Self {
        let info: wire::Implementation<'_> = info.and_then(wire::object).unwrap_or_default();
        let named = |raw: Option<&RawValue>| {
            raw.and_then(wire::text_of).map(|text| text.chars().take(120).collect()).unwrap_or_default()
        };
        let capabilities: Capabilities<'_> = capabilities.and_then(wire::object).unwrap_or_default();
        Self {
            name: named(info.name),
            version: named(info.version),
            protocol: protocol.to_owned(),
            has_tools: capabilities.tools.is_some(),
            has_prompts: capabilities.prompts.is_some(),
            has_resources: capabilities.resources.is_some(),
            tells_of_resources: tells_of(capabilities.resources).subscribe,
            tells_of_lists: [capabilities.tools, capabilities.prompts, capabilities.resources]
                .into_iter()
                .any(|offered| tells_of(offered).list_changed),
        }
    }
}

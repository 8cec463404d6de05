//! What an upstream server offers, asked for the catalog: who it is, and the definition of each of its tools.

use std::collections::HashSet;
use std::sync::Arc;

use model::TenantId;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::exchange::Peer;
use super::session::{Session, request};
use super::{Trouble, Upstreams, presented, read_url};
use crate::wire;

const MOST_PAGES: u64 = 50;
const MOST_TOOLS: usize = 5_000;
const MOST_BYTES: usize = 16 << 20;
/// How deep a definition may be nested.
const DEEPEST: usize = 64;

/// What an upstream server offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovered {
    /// Its name, as it says; cut to 120 characters.
    pub server_name: String,
    /// Its version, as it says; cut to 120 characters.
    pub server_version: String,
    /// The protocol revision agreed on: `2025-11-25`.
    pub protocol: String,
    /// Its tools, in its order.
    pub tools: Vec<DiscoveredTool>,
}

/// A tool as its server defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveredTool {
    /// Its name there.
    pub name: String,
    /// The whole definition, an MCP `Tool` object, as JSON text: byte for byte, without duplicate keys.
    pub definition: String,
}

/// How far asking a server has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It answered and a session is open.
    Opened {
        /// Its name, as it says.
        server_name: String,
        /// Its version, as it says.
        server_version: String,
        /// The protocol revision agreed on.
        protocol: String,
    },
    /// It offers this tool.
    Tool {
        /// The tool's name there.
        name: String,
    },
}

/// Why nothing was discovered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// The server could not be used.
    #[error(transparent)]
    Upstream(#[from] Trouble),
    /// The secret holds what no HTTP header can.
    #[error(
        "the connection's secret cannot stand in an HTTP header: it has a line break or another control character"
    )]
    BadSecret,
    /// More tools or pages than are taken.
    #[error("the server offers more than is taken: {what}")]
    TooMany {
        /// Of what there are too many.
        what: &'static str,
    },
    /// A definition that cannot be used.
    #[error("the server's tool {tool} cannot be used: {why}")]
    BadTool {
        /// Its name, or its number on the list.
        tool: String,
        /// What is wrong with it.
        why: String,
    },
}

#[derive(Deserialize)]
struct Page<'b> {
    #[serde(borrow, default)]
    tools: Vec<&'b RawValue>,
    #[serde(borrow, rename = "nextCursor")]
    next_cursor: Option<&'b RawValue>,
}

#[derive(Deserialize)]
struct Definition<'b> {
    #[serde(borrow, default, deserialize_with = "wire::present")]
    name: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "wire::present", rename = "inputSchema")]
    input_schema: Option<&'b RawValue>,
}

impl Upstreams {
    /// Opens a session of its own, lists all tools, and ends the session. Takes at most the time of one call.
    pub(crate) async fn discover(
        &self,
        tenant: TenantId,
        url: &str,
        authorization: Option<SecretString>,
        tell: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Discovered, DiscoveryError> {
        let authorization = match &authorization {
            Some(secret) => Some(presented(secret).ok_or(DiscoveryError::BadSecret)?),
            None => None,
        };
        let (uri, shown) = read_url(url)?;
        let peer = Peer {
            http: self.http.clone(),
            uri,
            url: Arc::from(shown),
            authorization,
            limit: self.limit.min(MOST_BYTES),
        };
        let deadline = Instant::now() + self.timeout;
        let session = Session::open(&peer, 1, deadline).await?;
        tell(Progress::Opened {
            server_name: session.server.name.clone(),
            server_version: session.server.version.clone(),
            protocol: session.server.protocol.clone(),
        });
        let listed = list(&peer, &session, deadline, tell).await;
        peer.leave(&session).await;
        let tools = listed?;
        tracing::debug!(%tenant, url = &*peer.url, tools = tools.len(), "discovered");
        Ok(Discovered {
            server_name: session.server.name.clone(),
            server_version: session.server.version.clone(),
            protocol: session.server.protocol.clone(),
            tools,
        })
    }
}

async fn list(
    peer: &Peer,
    session: &Session,
    deadline: Instant,
    tell: &mut (dyn FnMut(Progress) + Send),
) -> Result<Vec<DiscoveredTool>, DiscoveryError> {
    let mut tools = Vec::new();
    let mut names = HashSet::new();
    let mut bytes = 0;
    let mut cursor: Option<String> = None;
    if !session.server.has_tools {
        return Ok(tools);
    }
    for page in 0..MOST_PAGES {
        let params = cursor.as_ref().map_or("{}".to_owned(), |cursor| format!(r#"{{"cursor":{cursor}}}"#));
        let id = page + 2;
        let reply =
            peer.ask(Some(session), request(id, "tools/list", params.as_bytes()), id, None, deadline).await?;
        bytes += reply.result.len();
        if bytes > MOST_BYTES {
            return Err(DiscoveryError::TooMany { what: "definitions of more than 16 MiB" });
        }
        let page: Page<'_> = serde_json::from_slice(&reply.result)
            .map_err(|error| peer.not_mcp(&format!("the list of tools cannot be read: {error}")))?;
        for definition in page.tools {
            let tool = read_tool(definition, tools.len() + 1)?;
            if !names.insert(tool.name.clone()) {
                return Err(DiscoveryError::BadTool {
                    tool: tool.name,
                    why: "two tools have this name".to_owned(),
                });
            }
            tell(Progress::Tool { name: tool.name.clone() });
            tools.push(tool);
            if tools.len() > MOST_TOOLS {
                return Err(DiscoveryError::TooMany { what: "more than 5,000 tools" });
            }
        }
        // Cursors go back as they came; a server that sends the same one again would go round in circles.
        let next = page.next_cursor.map(|next| next.get().to_owned()).filter(|next| next.starts_with('"'));
        if next.is_none() || next == cursor {
            return Ok(tools);
        }
        cursor = next;
    }
    Err(DiscoveryError::TooMany { what: "more than 50 pages of tools" })
}

fn read_tool(definition: &RawValue, number: usize) -> Result<DiscoveredTool, DiscoveryError> {
    let bad = |tool: &str, why: &str| DiscoveryError::BadTool {
        tool: tool.chars().take(120).collect(),
        why: why.to_owned(),
    };
    let unnamed = format!("number {number}");
    if let Err(flaw) = wire::check_strictly(definition.get().as_bytes(), DEEPEST) {
        return Err(bad(&unnamed, &flaw.to_string()));
    }
    let read: Definition<'_> =
        wire::object(definition).ok_or_else(|| bad(&unnamed, "its definition is no JSON object"))?;
    let name = read.name.and_then(wire::text_of).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| bad(&unnamed, "it has no name"))?;
    if !read.input_schema.is_some_and(|schema| schema.get().starts_with('{')) {
        return Err(bad(&name, "its inputSchema is missing or no JSON object"));
    }
    Ok(DiscoveredTool { name: name.into_owned(), definition: definition.get().to_owned() })
}

//! What an upstream server offers, asked for the catalog: who it is, and the definition of each of its tools.

use std::collections::HashSet;

use model::TenantId;
use model::catalog::Feature;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::exchange::{Listening, Peer};
use super::request::{For, request};
use super::session::Session;
use super::{Address, Ids, Trouble, Upstreams, presented, probe};
use crate::seams::{Challenge, NotPresented};
use crate::wire;
use crate::wire::code::METHOD_NOT_FOUND;

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
    /// What it offers besides and cannot be used, though the rest can.
    pub passed_over: Vec<PassedOver>,
}

/// A tool that was left out of what a server offers (2026-07-28, Custom Headers from Tool Parameters).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Its name there.
    pub name: String,
    /// What is wrong with it.
    pub why: String,
}

/// A tool as its server defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveredTool {
    /// Its name inside its module: see [`Feature`].
    pub name: String,
    /// The whole definition, an MCP `Tool`, `Prompt`, `Resource` or `ResourceTemplate` object, as JSON text: byte for byte, without duplicate keys.
    pub definition: String,
}

/// How far asking a server has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It answered, and how it is spoken to is known.
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
    /// There is nothing to present to it.
    #[error(transparent)]
    NotPresented(#[from] NotPresented),
}

impl DiscoveryError {
    /// What the server says to who comes without a token that it takes, in words of OAuth.
    pub fn challenge(&self) -> Option<&Challenge> {
        match self {
            Self::Upstream(trouble) => trouble.challenge(),
            _ => None,
        }
    }
}

/// A page of any of the lists, which have one of the first four members.
#[derive(Deserialize)]
struct Page<'b> {
    #[serde(borrow, default)]
    tools: Vec<&'b RawValue>,
    #[serde(borrow, default)]
    prompts: Vec<&'b RawValue>,
    #[serde(borrow, default)]
    resources: Vec<&'b RawValue>,
    #[serde(borrow, default, rename = "resourceTemplates")]
    templates: Vec<&'b RawValue>,
    #[serde(borrow, rename = "nextCursor")]
    next_cursor: Option<&'b RawValue>,
}

#[derive(Deserialize)]
struct Definition<'b> {
    #[serde(borrow, default, deserialize_with = "wire::present")]
    name: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "wire::present")]
    uri: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "wire::present", rename = "uriTemplate")]
    template: Option<&'b RawValue>,
    #[serde(borrow, default, deserialize_with = "wire::present", rename = "inputSchema")]
    input_schema: Option<&'b RawValue>,
}

impl Upstreams {
    /// Finds out how the server is spoken to, lists all that it offers, and ends its session if there is one. Takes at most
    /// the time of one call.
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
        let Address { uri, shown, program } = self.address(tenant, url)?;
        let limit = self.limit.min(MOST_BYTES);
        let peer = Peer { http: self.http.clone(), uri, url: shown, program, authorization, limit };
        let deadline = Instant::now() + self.timeout;
        let ids = Ids::default();
        let session = probe::open(&peer, &ids, wire::Capabilities::default(), deadline).await?;
        tell(Progress::Opened {
            server_name: session.server.name.clone(),
            server_version: session.server.version.clone(),
            protocol: session.server.protocol.clone(),
        });
        let listed = list(&peer, &session, &ids, deadline, tell).await;
        peer.leave(&session).await;
        let (tools, passed_over) = listed?;
        tracing::debug!(%tenant, url = &*peer.url, tools = tools.len(), "discovered");
        for PassedOver { name, why } in &passed_over {
            tracing::warn!(%tenant, url = &*peer.url, tool = name, why, "a tool was passed over");
        }
        Ok(Discovered {
            server_name: session.server.name.clone(),
            server_version: session.server.version.clone(),
            protocol: session.server.protocol.clone(),
            tools,
            passed_over,
        })
    }
}

async fn list(
    peer: &Peer,
    session: &Session,
    ids: &Ids,
    deadline: Instant,
    tell: &mut (dyn FnMut(Progress) + Send),
) -> Result<(Vec<DiscoveredTool>, Vec<PassedOver>), DiscoveryError> {
    let mut shelf = Shelf {
        peer,
        session,
        ids,
        deadline,
        bytes: 0,
        tools: Vec::new(),
        passed_over: Vec::new(),
        names: HashSet::new(),
    };
    let server = &session.server;
    for (feature, offered) in [
        (Feature::Tool, server.has_tools),
        (Feature::Prompt, server.has_prompts),
        (Feature::Resource, server.has_resources),
        (Feature::Template, server.has_resources),
    ] {
        if offered {
            shelf.fill(feature, tell).await?;
        }
    }
    Ok((shelf.tools, shelf.passed_over))
}

/// What a server has told so far.
struct Shelf<'a> {
    peer: &'a Peer,
    session: &'a Session,
    ids: &'a Ids,
    deadline: Instant,
    bytes: usize,
    tools: Vec<DiscoveredTool>,
    passed_over: Vec<PassedOver>,
    names: HashSet<String>,
}

impl Shelf<'_> {
    async fn fill(
        &mut self,
        feature: Feature,
        tell: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), DiscoveryError> {
        let method = match feature {
            Feature::Tool => "tools/list",
            Feature::Prompt => "prompts/list",
            Feature::Resource => "resources/list",
            Feature::Template => "resources/templates/list",
        };
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let members = cursor.as_ref().map_or(String::new(), |cursor| format!(r#""cursor":{cursor}"#));
            let with = For { session: Some(self.session), ..For::default() };
            let asked = request(self.ids.next(), method, None, members.as_bytes(), with);
            let reply =
                match self.peer.ask(Some(self.session), asked, Listening::default(), self.deadline).await {
                    // Some that have resources know no templates.
                    Err(Trouble::Refused { code, .. })
                        if feature == Feature::Template && code == i64::from(METHOD_NOT_FOUND) =>
                    {
                        return Ok(());
                    }
                    reply => reply?,
                };
            self.bytes += reply.result.len();
            if self.bytes > MOST_BYTES {
                return Err(DiscoveryError::TooMany { what: "definitions of more than 16 MiB" });
            }
            let page: Page<'_> = serde_json::from_slice(&reply.result).map_err(|error| {
                self.peer.not_mcp(&format!("the list of {}s cannot be read: {error}", feature.word()))
            })?;
            let definitions = match feature {
                Feature::Tool => page.tools,
                Feature::Prompt => page.prompts,
                Feature::Resource => page.resources,
                Feature::Template => page.templates,
            };
            for definition in definitions {
                let number = self.tools.len() + self.passed_over.len() + 1;
                let tool = read_tool(feature, definition, number)?;
                if !self.names.insert(tool.name.clone()) {
                    let why = format!("two {}s have this name", feature.word());
                    return Err(DiscoveryError::BadTool { tool: tool.name, why });
                }
                if feature == Feature::Tool
                    && self.session.is_stateless
                    && let Err(why) = wire::annotations(&tool.definition)
                {
                    self.passed_over.push(PassedOver { name: tool.name, why });
                    continue;
                }
                tell(Progress::Tool { name: tool.name.clone() });
                self.tools.push(tool);
                if number > MOST_TOOLS {
                    return Err(DiscoveryError::TooMany { what: "more than 5,000 tools" });
                }
            }
            // Cursors go back as they came; a server that sends the same one again would go round in circles.
            let next =
                page.next_cursor.map(|next| next.get().to_owned()).filter(|next| next.starts_with('"'));
            if next.is_none() || next == cursor {
                return Ok(());
            }
            cursor = next;
        }
        Err(DiscoveryError::TooMany { what: "more than 50 pages of tools" })
    }
}

fn read_tool(
    feature: Feature,
    definition: &RawValue,
    number: usize,
) -> Result<DiscoveredTool, DiscoveryError> {
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
    let (named, missing) = match feature {
        Feature::Tool | Feature::Prompt => (read.name, "it has no name"),
        Feature::Resource => (read.uri, "it has no uri"),
        Feature::Template => (read.template, "it has no uriTemplate"),
    };
    let name = named.and_then(wire::text_of).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| bad(&unnamed, missing))?;
    if feature == Feature::Tool && !read.input_schema.is_some_and(|schema| schema.get().starts_with('{')) {
        return Err(bad(&name, "its inputSchema is missing or no JSON object"));
    }
    Ok(DiscoveredTool { name: feature.name(&name), definition: definition.get().to_owned() })
}

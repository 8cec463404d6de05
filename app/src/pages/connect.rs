//! How an agent is connected: with the organization's real URL and, where it was just issued, the real key. On an
//! agent's page, on the page that shows a key, and on Activity while no agent has called yet.

use leptos::prelude::*;
use model::words;
use serde_json::json;

use crate::islands::CopyButton;

/// What stands for the key where it is not known: it is shown once.
const VARIABLE: &str = "WORKINGAGENTS_KEY";

words! {
    /// A runtime or language that an agent runs in.
    Way {
        /// Anthropic's Managed Agents.
        ManagedAgents = "managed-agents",
        /// Claude Code.
        ClaudeCode = "claude-code",
        /// The official Python SDK.
        Python = "python",
        /// The official TypeScript SDK.
        TypeScript = "typescript",
        /// Nothing but HTTP.
        Curl = "curl",
    }
}

impl Way {
    /// What people call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::ManagedAgents => "Claude Managed Agents",
            Self::ClaudeCode => "Claude Code",
            Self::Python => "Python",
            Self::TypeScript => "TypeScript",
            Self::Curl => "curl",
        }
    }
}

/// To what one connects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connection {
    /// The organization's MCP URL.
    pub url: String,
    /// The key, where it may be shown.
    pub key: Option<String>,
}

impl Connection {
    /// The URL alone: the key is in the environment of whoever runs the snippet.
    pub fn to(url: String) -> Self {
        Self { url, key: None }
    }

    /// The key in a shell's double quotes.
    fn in_shell(&self) -> String {
        self.key.clone().unwrap_or_else(|| format!("${VARIABLE}"))
    }

    /// The key in JSON, which knows no environment.
    fn in_json(&self) -> String {
        self.key.clone().unwrap_or_else(|| "THE KEY".to_owned())
    }

    fn snippets(&self, way: Way) -> Vec<Snippet> {
        let url = &self.url;
        match way {
            Way::ManagedAgents => vec![
                Snippet::new(
                    "agent-json",
                    "In the agent",
                    pretty(&json!({
                        "mcp_servers": [{ "type": "url", "name": "workingagents", "url": url }],
                        "tools": [{ "type": "mcp_toolset", "mcp_server_name": "workingagents" }],
                    })),
                ),
                Snippet::new(
                    "vault-json",
                    "In its vault, as a credential",
                    pretty(&json!({
                        "auth": { "type": "static_bearer", "mcp_server_url": url, "token": self.in_json() },
                    })),
                ),
            ],
            Way::ClaudeCode => vec![Snippet::new(
                "claude-code",
                "In a shell, once",
                format!(
                    "claude mcp add --transport http workingagents \\\n  {url} \\\n  --header \"Authorization: Bearer {}\"",
                    self.in_shell()
                ),
            )],
            Way::Python => vec![
                Snippet::new(
                    "python-install",
                    "Once: Python 3.10 or newer",
                    "pip install \"mcp>=2.3\"".to_owned(),
                ),
                Snippet::new("python", "List the tools that the key may use", self.python()),
            ],
            Way::TypeScript => vec![
                Snippet::new(
                    "typescript-install",
                    "Once: Node.js 20 or newer",
                    "npm install @modelcontextprotocol/client".to_owned(),
                ),
                Snippet::new("typescript", "List the tools that the key may use", self.typescript()),
            ],
            Way::Curl => vec![Snippet::new("curl", "List the tools that the key may use", self.curl())],
        }
    }

    fn python(&self) -> String {
        let (import, key) = match &self.key {
            Some(key) => ("", format!("\"{key}\"")),
            None => ("import os\n", format!("os.environ[\"{VARIABLE}\"]")),
        };
        let url = &self.url;
        format!(
            r#"import asyncio
{import}
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

URL = "{url}"
KEY = {key}


async def main():
    headers = {{"Authorization": f"Bearer {{KEY}}"}}
    async with httpx2.AsyncClient(headers=headers, timeout=300) as http:
        async with Client(streamable_http_client(URL, http_client=http)) as client:
            for tool in (await client.list_tools()).tools:
                print(tool.name)


asyncio.run(main())"#
        )
    }

    fn typescript(&self) -> String {
        let key = match &self.key {
            Some(key) => format!("'{key}'"),
            None => format!("process.env.{VARIABLE}"),
        };
        let url = &self.url;
        format!(
            r"import {{ Client, StreamableHTTPClientTransport }} from '@modelcontextprotocol/client';

const url = new URL('{url}');
const key = {key};

const client = new Client({{ name: 'my-agent', version: '1.0.0' }});
await client.connect(
  new StreamableHTTPClientTransport(url, {{
    requestInit: {{ headers: {{ Authorization: `Bearer ${{key}}` }} }},
  }}),
);
const {{ tools }} = await client.listTools();
console.log(tools.map((tool) => tool.name).join('\n'));
await client.close();"
        )
    }

    fn curl(&self) -> String {
        format!(
            r#"curl -sS {} \
  -H "Authorization: Bearer {}" \
  -H 'Content-Type: application/json' \
  -H 'Accept: application/json, text/event-stream' \
  -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/list' \
  -d '{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"_meta":{{
        "io.modelcontextprotocol/protocolVersion":"2026-07-28",
        "io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}'"#,
            self.url,
            self.in_shell()
        )
    }
}

fn pretty(value: &serde_json::Value) -> String {
    // Strings and lists always serialize.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

struct Snippet {
    id: &'static str,
    label: &'static str,
    text: String,
}

impl Snippet {
    fn new(id: &'static str, label: &'static str, text: String) -> Self {
        Self { id, label, text }
    }
}

/// One way, with what there is to copy.
#[component]
pub fn Connect(
    /// To what.
    connection: Connection,
    /// In which way.
    way: Way,
) -> impl IntoView {
    let note = note(way, &connection);
    let snippets =
        connection.snippets(way).into_iter().map(|it| snippet(it.id, it.label, it.text)).collect::<Vec<_>>();
    view! {
        <div class="connect">
            {note}
            {snippets}
        </div>
    }
}

fn note(way: Way, connection: &Connection) -> AnyView {
    let host = connection.url.split("://").nth(1).unwrap_or_default();
    let from = |starts: &[&str]| starts.iter().any(|it| host.starts_with(it));
    let inside = if from(&["127.", "localhost", "[::1]"]) {
        Some("machine")
    } else {
        from(&["10.", "192.168."]).then_some("network")
    };
    let known = connection.key.is_some();
    match way {
        Way::ManagedAgents => {
            let nearby = inside.map(|place| {
                view! {
                    <p class="consequence">
                        {format!("This address cannot be reached from outside this {place}")}
                        ", and Anthropic's servers have to reach it."
                    </p>
                }
            });
            let replace =
                (!known).then(|| view! { " Replace "<code>"THE KEY"</code>" with the agent's key." });
            view! {
                {nearby}
                <p>
                    "Anthropic's servers open the connection. The key goes into a vault, never into the agent." {replace}
                </p>
            }
            .into_any()
        }
        _ if known => {
            view! { <p>"The key stands in the text: keep what you copy as secret as the key."</p> }.into_any()
        }
        _ => view! { <p>"With the key in the environment as "<code>{VARIABLE}</code>"."</p> }.into_any(),
    }
}

/// Every way, one open at a time, where a link would lead away from what is shown once.
#[component]
pub fn EveryWay(
    /// To what.
    connection: Connection,
) -> impl IntoView {
    Way::ALL
        .iter()
        .enumerate()
        .map(|(at, way)| {
            view! {
                <details class="way" name="way" open=at == 0>
                    <summary>{way.label()}</summary>
                    <Connect connection=connection.clone() way=*way />
                </details>
            }
        })
        .collect::<Vec<_>>()
}

/// What Activity shows while no agent has called yet.
#[component]
pub fn ConnectAgent(
    /// The organization's MCP URL.
    mcp_url: String,
    /// Where one gets a key: what the link says, and where it leads.
    agents: (&'static str, String),
) -> impl IntoView {
    view! {
        <section class="empty">
            <h2>"No agent has called yet"</h2>
            <p>
                "As soon as an agent uses a tool, the call appears here, whether it was permitted or denied: the record "
                "is written before anything reaches the tool."
            </p>
            <p>
                "Point the agent's MCP connection at your organization's URL and give it a key of its own, here as "
                <code>{format!("${VARIABLE}")}</code> ". An agent’s page makes its keys and has these lines filled in."
            </p>
            <p>
                <a class="button primary" href=agents.1>
                    {agents.0}
                </a>
            </p>
            {snippet("mcp-url", "MCP address", mcp_url.clone())}
            <EveryWay connection=Connection::to(mcp_url) />
        </section>
    }
}

/// Text to copy, with what it is.
pub(crate) fn snippet(id: &'static str, label: &'static str, text: String) -> impl IntoView {
    view! {
        <figure class="snippet">
            <figcaption>
                {label} <CopyButton target=id.to_owned() />
            </figcaption>
            <pre tabindex="0"><code id=id>{text}</code></pre>
        </figure>
    }
}

//! What Activity shows while no agent has called yet: how to connect one, with the organization's real URL.

use leptos::prelude::*;

use crate::islands::CopyButton;

/// How to connect an agent.
#[component]
pub fn ConnectAgent(
    /// The organization's MCP URL.
    mcp_url: String,
    /// Where one gets a key: what the link says, and where it leads.
    agents: (&'static str, String),
) -> impl IntoView {
    let claude = format!(
        "claude mcp add --transport http workingagents \\\n  {mcp_url} \\\n  --header \"Authorization: Bearer $WORKINGAGENTS_KEY\""
    );
    let curl = format!(
        r#"curl -sS {mcp_url} \
  -H "Authorization: Bearer $WORKINGAGENTS_KEY" \
  -H 'Content-Type: application/json' \
  -H 'Accept: application/json, text/event-stream' \
  -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/list' \
  -d '{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"_meta":{{
        "io.modelcontextprotocol/protocolVersion":"2026-07-28",
        "io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}'"#
    );
    view! {
        <section class="empty">
            <h2>"No agent has called yet"</h2>
            <p>
                "As soon as an agent uses a tool, the call appears here, whether it was permitted or denied: the record "
                "is written before anything reaches the tool."
            </p>
            <p>
                "Point the agent's MCP connection at your organization's URL and give it a key of its own, here as "
                <code>"$WORKINGAGENTS_KEY"</code> ". An agent’s page makes its keys and has these lines filled in."
            </p>
            <p>
                <a class="button primary" href=agents.1>
                    {agents.0}
                </a>
            </p>
            {snippet("mcp-url", "MCP URL", mcp_url)}
            {snippet("claude-code", "Claude Code", claude)}
            {snippet("curl", "curl: list the tools that the key may use", curl)}
        </section>
    }
}

fn snippet(id: &'static str, label: &'static str, text: String) -> impl IntoView {
    view! {
        <figure class="snippet">
            <figcaption>
                {label} <CopyButton target=id.to_owned() />
            </figcaption>
            <pre tabindex="0"><code id=id>{text}</code></pre>
        </figure>
    }
}

//! What `dev` says when it is ready: words for people, one line of JSON for scripts.

use std::path::Path;

use serde_json::json;

use super::database::Database;
use super::demo::Demo;
use crate::serve::Origins;

/// What there is to say.
pub(super) struct Ready<'a> {
    pub(super) origins: &'a Origins,
    /// Where mails are read; none: they go to a mail server.
    pub(super) mailbox_url: Option<&'a str>,
    /// Where every piece of the dashboard is on one page.
    pub(super) components_url: &'a str,
    pub(super) demo: &'a Demo,
    pub(super) database: &'a Database,
    /// With which further processes can join.
    pub(super) config_file: &'a Path,
}

impl Ready<'_> {
    fn mcp_url(&self) -> String {
        format!("{}/{}/mcp", self.origins.machines, self.demo.mcp_id)
    }

    /// One line for scripts. `mailbox_url` is null where mails go to a mail server.
    pub(super) fn json(&self) -> String {
        let agents: Vec<_> = self
            .demo
            .agents
            .iter()
            .map(|agent| json!({ "name": agent.name, "key": agent.key, "unit": agent.unit, "note": agent.note }))
            .collect();
        let people: Vec<_> = self
            .demo
            .people
            .iter()
            .map(|person| json!({ "name": person.name, "email": person.email, "roles": person.roles }))
            .collect();
        json!({
            "url": self.origins.dashboard,
            "mcp_url": self.mcp_url(),
            "authorization_url": self.origins.authorization,
            "mailbox_url": self.mailbox_url,
            "components_url": self.components_url,
            "tenant": self.demo.slug,
            "owner": { "email": self.demo.owner, "password": self.demo.password },
            "people": people,
            "agents": agents,
            "database_url": self.database.url(),
            "admin_database_url": self.database.owner_url(),
            "config_file": self.config_file,
            "pid": std::process::id(),
        })
        .to_string()
    }

    /// Everything one needs to look around and to connect an agent.
    pub(super) fn words(&self) -> String {
        let (mcp_url, demo) = (self.mcp_url(), self.demo);
        let key = demo.agents.first().map_or("", |agent| agent.key.as_str());
        let mut out = String::new();
        let mut line = |text: &str| {
            out.push_str(text);
            out.push('\n');
        };
        line("");
        line(&format!("WorkingAgents is ready: {}", self.origins.dashboard));
        line("");
        line(&format!("  Sign in as   {}   password   {}", demo.owner, demo.password));
        line("  The same password works for everybody:");
        for person in demo.people.iter().filter(|person| person.email != demo.owner) {
            line(&format!("    {:<34} {}", person.email, person.roles.join(", ")));
        }
        match self.mailbox_url {
            Some(url) => line(&format!("  Mails it sends are at   {url}")),
            None => line("  Mails go to the mail server that is set"),
        }
        line(&format!("  Every piece of the dashboard on one page   {}", self.components_url));
        line("");
        line(&format!("  Agents connect to   {mcp_url}"));
        for agent in &demo.agents {
            line(&format!("    {}   {} ({}): {}", agent.key, agent.name, agent.unit, agent.note));
        }
        line("");
        line("Claude Code:");
        line(&format!(
            "  claude mcp add --transport http workingagents {mcp_url} --header \"Authorization: Bearer {key}\""
        ));
        line("");
        line(
            "Claude Managed Agents (the endpoint must be reachable from the internet), in the agent and in its vault:",
        );
        line(&format!(
            "  {}",
            json!({
                "mcp_servers": [{ "type": "url", "name": "workingagents", "url": mcp_url }],
                "tools": [{ "type": "mcp_toolset", "mcp_server_name": "workingagents" }],
            })
        ));
        line(&format!(
            "  {}",
            json!({ "auth": { "type": "static_bearer", "mcp_server_url": mcp_url, "token": key } })
        ));
        line("");
        line("curl:");
        let post = |body: serde_json::Value| {
            format!(
                "  curl -s {mcp_url} -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\\n    -H \
                 'Accept: application/json, text/event-stream' -d '{body}'"
            )
        };
        line(&post(json!({
            "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "curl", "version": "1" },
            },
        })));
        line(&post(json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" })));
        line("");
        line(&format!(
            "The operator's tool:   workingagents admin --config {} --help",
            self.config_file.display()
        ));
        line("Ctrl-C stops everything; the data stay.");
        out
    }
}

//! What agents present.

use std::time::Duration;

use clap::Subcommand;
use control::Actor;
use control::credentials::{self, CredentialLine, Issued, NewCredential};
use ipnet::IpNet;
use secrecy::ExposeSecret;
use serde_json::json;

use super::Desk;
use super::answer::Answer;
use super::named::{time, until, when};
use crate::Failure;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Issue a key to an agent; it is shown once.
    Issue {
        /// The agent's name.
        #[arg(long, value_name = "NAME")]
        agent: String,
        /// What the key is for.
        #[arg(long, default_value = "issued at the command line")]
        name: String,
        /// For how long, such as 30d; not given: until it is revoked.
        #[arg(long, value_name = "TIME", value_parser = time)]
        expires_in: Option<Duration>,
        /// A network it may come from, such as 192.0.2.0/24; can be given several times.
        #[arg(long = "from", value_name = "NETWORK")]
        from: Vec<IpNet>,
        /// Mail address of the person for whom the agent acts with it.
        #[arg(long, value_name = "EMAIL")]
        on_behalf_of: Option<String>,
    },
    /// Issue a key that follows another; both are valid for a while.
    Rotate {
        /// How the key begins, as lists show it.
        #[arg(long)]
        prefix: String,
        /// For how long both are valid.
        #[arg(long, value_name = "TIME", default_value = "1d", value_parser = time)]
        overlap: Duration,
    },
    /// End a key at once.
    Revoke {
        /// How the key begins, as lists show it.
        #[arg(long)]
        prefix: String,
    },
    /// All keys, or those of one agent.
    List {
        /// The agent's name.
        #[arg(long, value_name = "NAME")]
        agent: Option<String>,
    },
}

pub(super) async fn run(desk: &Desk, verb: Verb) -> Result<Answer, Failure> {
    let (control, actor) = (&desk.control, desk.actor().await?);
    match verb {
        Verb::Issue { agent, name, expires_in, from, on_behalf_of } => {
            let agent = desk.agent(&actor, &agent).await?;
            let on_behalf_of = match on_behalf_of {
                Some(email) => Some(desk.user(&actor, &email).await?.id),
                None => None,
            };
            let new = NewCredential {
                agent: agent.id,
                name,
                expires_at: desk.after(expires_in),
                allowed_addresses: from,
                on_behalf_of,
            };
            let issued = credentials::issue(control, &actor, new).await?;
            Ok(shown(&issued, &agent.name))
        }
        Verb::Rotate { prefix, overlap } => {
            let old = find(desk, &actor, &prefix).await?;
            let issued = credentials::rotate(control, &actor, old.view.id, overlap).await?;
            Ok(shown(&issued, &old.agent_name))
        }
        Verb::Revoke { prefix } => {
            let line = find(desk, &actor, &prefix).await?;
            credentials::revoke(control, &actor, line.view.id).await?;
            Ok(Answer::said(
                format!(
                    "Key “{}” ({}…) of agent “{}” no longer works: its next call is refused.",
                    line.view.name, line.view.prefix, line.agent_name
                ),
                json!({ "id": line.view.id, "prefix": line.view.prefix, "agent": line.agent_name, "revoked": true }),
            ))
        }
        Verb::List { agent } => {
            let agent = match agent {
                Some(name) => Some(desk.agent(&actor, &name).await?.id),
                None => None,
            };
            let lines = credentials::list(control, &actor, agent).await?;
            Ok(table(lines))
        }
    }
}

/// The only time that a key can be read.
fn shown(issued: &Issued, agent: &str) -> Answer {
    let key = issued.key.expose_secret();
    Answer::said(
        format!(
            "A key for agent “{agent}”, shown this once (valid {}):\n{key}",
            until(issued.view.expires_at)
        ),
        json!({
            "id": issued.view.id, "agent": agent, "name": issued.view.name, "prefix": issued.view.prefix, "key": key,
            "expires_at": issued.view.expires_at,
        }),
    )
}

/// The key that begins so, of any agent.
async fn find(desk: &Desk, actor: &Actor, prefix: &str) -> Result<CredentialLine, Failure> {
    let wanted = prefix.trim().trim_end_matches('…');
    let mut lines = credentials::list(&desk.control, actor, None).await?;
    lines.retain(|line| line.revoked_at.is_none() && line.view.prefix == wanted);
    match <[CredentialLine; 1]>::try_from(lines) {
        Ok([line]) => Ok(line),
        Err(none) if none.is_empty() => {
            Err(format!("no key in force begins with `{wanted}`; see `admin key list`").into())
        }
        Err(_) => Err(format!("several keys begin with `{wanted}`").into()),
    }
}

fn table(lines: Vec<CredentialLine>) -> Answer {
    let json = lines
        .iter()
        .map(|line| {
            json!({
                "id": line.view.id, "agent": line.agent_name, "name": line.view.name, "prefix": line.view.prefix,
                "created_at": line.view.created_at, "expires_at": line.view.expires_at, "revoked_at": line.revoked_at,
                "on_behalf_of": line.on_behalf_of.as_ref().map(|(_, name)| name), "from": line.allowed_addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        })
        .collect();
    let rows = lines
        .into_iter()
        .map(|line| {
            let valid = match line.revoked_at {
                Some(at) => format!("revoked {}", when(Some(at), "")),
                None => until(line.view.expires_at),
            };
            let whom = line.on_behalf_of.map(|(_, name)| name).unwrap_or_default();
            vec![line.agent_name, format!("{}…", line.view.prefix), line.view.name, valid, whom]
        })
        .collect();
    Answer::table(&["agent", "key", "for", "valid", "on behalf of"], rows, json)
}

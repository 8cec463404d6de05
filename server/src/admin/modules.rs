//! Services in the catalog, with their tools and prices.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use control::modules::tokens::Way;
use control::modules::{self, Discovery, ModuleLine, NewModule, connections};
use model::catalog::Timeouts;
use model::{Currency, Money};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::answer::Answer;
use super::{Desk, secret};
use crate::Failure;
use crate::discovery::{Discoverer, definitions, passed_over};
use crate::plugs;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Add an upstream MCP server: asks it for its tools and shows them.
    Add {
        /// Its permission key and the first part of its tools' names.
        #[arg(long)]
        name: String,
        /// What people call it.
        #[arg(long)]
        title: String,
        /// Where it is reached by streamable HTTP, or by the older HTTP with SSE. A server lets calls through to addresses that are
        /// not public only if network.allowed_upstream_networks says so. Or a program of programs.known, such as stdio:git.
        #[arg(long)]
        url: String,
        /// Mail address of the person who answers for it, and whom denials name to ask.
        #[arg(long, value_name = "EMAIL")]
        owner: Option<String>,
        /// A file with the value of the Authorization header that we present there; `-`: standard input.
        #[arg(long, value_name = "FILE")]
        authorization_file: Option<PathBuf>,
        /// Approve every tool as it is now.
        #[arg(long)]
        approve_all: bool,
    },
    /// Put a built-in module such as crm into the catalog, with all its tools approved.
    Enable {
        /// Its name.
        #[arg(long)]
        name: String,
        /// Mail address of the person who answers for it, and whom denials name to ask.
        #[arg(long, value_name = "EMAIL")]
        owner: Option<String>,
    },
    /// All modules with their tools.
    List,
    /// Ask a server again which tools it offers.
    Rediscover {
        /// The module's name.
        #[arg(long)]
        module: String,
        /// A file with the value of the Authorization header to ask with; `-`: standard input. Not given: the one that is
        /// kept, which needs the master key.
        #[arg(long, value_name = "FILE")]
        authorization_file: Option<PathBuf>,
    },
    /// Approve tools as they are offered now.
    #[command(group(clap::ArgGroup::new("what").required(true)))]
    Approve {
        /// Full name of a tool, such as drive.search.
        #[arg(long, group = "what")]
        tool: Option<String>,
        /// Name of a module: all of its tools.
        #[arg(long, group = "what")]
        module: Option<String>,
    },
    /// Set how long a tool's server may take for a call.
    Timeouts {
        /// Its full name, such as drive.search.
        #[arg(long)]
        tool: String,
        /// Seconds to the end of the answer; not given: as everywhere.
        #[arg(long, value_name = "SECONDS")]
        total: Option<u64>,
        /// Seconds until the answer begins, connecting included; not given: no time of its own.
        #[arg(long, value_name = "SECONDS")]
        first_byte: Option<u64>,
    },
    /// Take a tool out: it can no longer be called.
    Withdraw {
        /// Its full name, such as drive.search.
        #[arg(long)]
        tool: String,
    },
    /// Set what a call costs from now on.
    Price {
        /// Full name of the tool, such as drive.search.
        #[arg(long)]
        tool: String,
        /// How much, such as 0.0025.
        #[arg(long)]
        amount: Decimal,
        /// Of what (ISO 4217); not given: the organization's currency.
        #[arg(long)]
        currency: Option<Currency>,
    },
    /// Let a module take no calls until it is switched on again.
    Off {
        /// The module's name.
        #[arg(long)]
        module: String,
    },
    /// Let a module take calls again.
    On {
        /// The module's name.
        #[arg(long)]
        module: String,
    },
    /// What we present to a module.
    #[command(subcommand)]
    Connection(ConnectionVerb),
}

#[derive(Subcommand, Debug)]
pub(super) enum ConnectionVerb {
    /// Present another secret from now on.
    Set {
        /// The module's name.
        #[arg(long)]
        module: String,
        /// A file with the value of the Authorization header; `-`: standard input.
        #[arg(long, value_name = "FILE")]
        authorization_file: PathBuf,
    },
    /// Present nothing any more.
    Revoke {
        /// The module's name.
        #[arg(long)]
        module: String,
    },
}

pub(super) async fn run(desk: &Desk, verb: Verb) -> Result<Answer, Failure> {
    let (control, actor) = (&desk.control, desk.actor().await?);
    match verb {
        Verb::Add { name, title, url, owner, authorization_file, approve_all } => {
            let authorization = authorization_file.as_deref().map(secret::read).transpose()?;
            let owner = match owner {
                Some(email) => Some(desk.user(&actor, &email).await?.id),
                None => None,
            };
            let asked = discoverer(desk)?.ask(actor.tenant(), &url, authorization.clone(), &mut |_| ()).await;
            let discovered = asked?;
            let server = format!("{} {}", discovered.server_name, discovered.server_version);
            let new = NewModule { name: name.clone(), title, url, owner, authorization };
            let passed_over = passed_over(&discovered);
            let mut added = modules::add_mcp(control, &actor, new, definitions(discovered)).await?;
            added.discovery.refused.extend(passed_over);
            let approved = match approve_all && !added.discovery.proposed.is_empty() {
                true => modules::approve_all(control, &actor, added.module).await?,
                false => 0,
            };
            let next = match approved {
                0 => format!(
                    "\nNone can be called before it is approved: admin module approve --module {name}"
                ),
                _ => format!(
                    "\n{approved} approved. Give somebody `{name}`, `{name}:read` or `{name}:write` next."
                ),
            };
            Ok(Answer::said(
                format!("{server} is module `{name}`.{}{next}", in_words(&added.discovery)),
                json!({
                    "id": added.module, "module": name, "server": server, "discovery": as_json(&added.discovery),
                    "approved": approved,
                }),
            ))
        }
        Verb::Enable { name, owner } => {
            let owner = match owner {
                Some(email) => Some(desk.user(&actor, &email).await?.id),
                None => None,
            };
            let id = modules::enable_native(control, &actor, &name, owner).await?;
            let line = modules::find(control, &actor, &name).await?;
            let keys: Vec<_> = line.keys.iter().map(|(key, _)| format!("`{key}`")).collect();
            Ok(Answer::said(
                format!("{} is in the catalog. Give somebody {} next.", line.view.title, keys.join(", ")),
                json!({ "id": id, "module": name, "tools": line.tools.len() }),
            ))
        }
        Verb::List => Ok(list(modules::list(control, &actor).await?)),
        Verb::Rediscover { module, authorization_file } => {
            let authorization = authorization_file.as_deref().map(secret::read).transpose()?;
            let line = modules::find(control, &actor, &module).await?;
            let discovery =
                discoverer(desk)?.rediscover(&actor, &line.view, line.connection, authorization).await?;
            let words = in_words(&discovery);
            let words = if words.is_empty() { " Nothing has changed.".to_owned() } else { words };
            Ok(Answer::said(
                format!("Asked {}.{words}", line.view.title),
                json!({ "id": line.view.id, "module": module, "discovery": as_json(&discovery) }),
            ))
        }
        Verb::Approve { tool: Some(tool), .. } => {
            let found = modules::find_tool(control, &actor, &tool).await?;
            modules::approve_tool(control, &actor, found.id, None).await?;
            let json = json!({ "id": found.id, "tool": tool, "approved": 1 });
            Ok(Answer::said(format!("`{tool}` is approved; who has `{}` may call it.", found.key), json))
        }
        Verb::Approve { module, .. } => {
            let line = modules::find(control, &actor, module.as_deref().unwrap_or_default()).await?;
            let approved = modules::approve_all(control, &actor, line.view.id).await?;
            let json = json!({ "id": line.view.id, "module": line.view.name, "approved": approved });
            Ok(Answer::said(format!("{approved} tools of {} are approved.", line.view.title), json))
        }
        Verb::Withdraw { tool } => {
            let found = modules::find_tool(control, &actor, &tool).await?;
            modules::withdraw_tool(control, &actor, found.id).await?;
            Ok(Answer::said(
                format!("`{tool}` is withdrawn: its next call is refused, whoever makes it."),
                json!({ "id": found.id, "tool": tool, "standing": "withdrawn" }),
            ))
        }
        Verb::Price { tool, amount, currency } => {
            let found = modules::find_tool(control, &actor, &tool).await?;
            let currency = match currency {
                Some(currency) => currency,
                None => desk.head().await?.currency,
            };
            let price = Money { amount, currency };
            let rate = modules::set_price(control, &actor, found.id, price).await?;
            Ok(Answer::said(
                format!("A call of `{tool}` costs {price} from now on."),
                json!({ "id": found.id, "tool": tool, "rate": rate, "price": price }),
            ))
        }
        Verb::Timeouts { tool, total, first_byte } => {
            let found = modules::find_tool(control, &actor, &tool).await?;
            let time = |seconds: Option<u64>| seconds.map(Duration::from_secs);
            let timeouts = Timeouts { first_byte: time(first_byte), total: time(total) };
            modules::set_timeouts(control, &actor, found.id, timeouts).await?;
            Ok(Answer::said(
                format!("The timeouts of `{tool}` are set: they hold from the next call on."),
                json!({ "id": found.id, "tool": tool, "total": total, "first_byte": first_byte }),
            ))
        }
        Verb::Off { module } => {
            let line = modules::find(control, &actor, &module).await?;
            modules::switch_off(control, &actor, line.view.id).await?;
            Ok(Answer::said(
                format!(
                    "{} is off: the next call of each of its {} tools is refused.",
                    line.view.title,
                    line.tools.len()
                ),
                json!({ "id": line.view.id, "module": module, "standing": "off" }),
            ))
        }
        Verb::On { module } => {
            let line = modules::find(control, &actor, &module).await?;
            modules::switch_on(control, &actor, line.view.id).await?;
            let json = json!({ "id": line.view.id, "module": module, "standing": "live" });
            Ok(Answer::said(format!("{} takes calls again.", line.view.title), json))
        }
        Verb::Connection(ConnectionVerb::Set { module, authorization_file }) => {
            let authorization = secret::read(&authorization_file)?;
            let line = modules::find(control, &actor, &module).await?;
            let id = connections::set(control, &actor, &way_out(desk)?, line.view.id, &authorization).await?;
            Ok(Answer::said(
                format!("{} is presented another secret from the next call on.", line.view.title),
                json!({ "id": id, "module": module }),
            ))
        }
        Verb::Connection(ConnectionVerb::Revoke { module }) => {
            let line = modules::find(control, &actor, &module).await?;
            connections::revoke(control, &actor, &way_out(desk)?, line.view.id).await?;
            Ok(Answer::said(
                format!(
                    "{} is presented nothing any more; calls that need a secret there will fail.",
                    line.view.title
                ),
                json!({ "id": line.connection, "module": module, "revoked": true }),
            ))
        }
    }
}

/// Where what was given is given back, a tenant's server has said: that reaches no further than calls do.
fn way_out(desk: &Desk) -> Result<Way, Failure> {
    Ok(plugs::way_out(&desk.config.gateway)?)
}

fn discoverer(desk: &Desk) -> Result<Discoverer, Failure> {
    Ok(Discoverer::for_operators(&desk.control, desk.config.gateway.clone())?)
}

fn as_json(discovery: &Discovery) -> Value {
    let Discovery { proposed, drifted, restored, withdrawn, refused, suspect } = discovery;
    let refused: Vec<_> = refused.iter().map(|(tool, why)| json!({ "tool": tool, "why": why })).collect();
    json!({
        "proposed": proposed, "drifted": drifted, "restored": restored, "withdrawn": withdrawn, "refused": refused,
        "suspect": suspect,
    })
}

/// One line for each thing that happened.
fn in_words(discovery: &Discovery) -> String {
    let mut words = String::new();
    for (what, names) in [
        ("Waits to be approved", &discovery.proposed),
        ("No longer what was approved, frozen", &discovery.drifted),
        ("What was approved once more, callable again", &discovery.restored),
        ("No longer offered", &discovery.withdrawn),
        ("To be looked at closely: hidden characters, or text that speaks to models", &discovery.suspect),
    ] {
        if !names.is_empty() {
            words.push_str(&format!("\n{what}: {}", names.join(", ")));
        }
    }
    for (tool, why) in &discovery.refused {
        words.push_str(&format!("\nNot taken: {tool}: {why}"));
    }
    words
}

fn list(lines: Vec<ModuleLine>) -> Answer {
    let json = lines
        .iter()
        .map(|line| {
            let tools: Vec<_> = line
                .tools
                .iter()
                .map(|tool| {
                    json!({
                        "id": tool.id, "tool": format!("{}.{}", line.view.name, tool.name), "key": tool.key,
                        "standing": tool.standing, "price": tool.price,
                    })
                })
                .collect();
            json!({
                "id": line.view.id, "module": line.view.name, "title": line.view.title, "kind": line.view.kind,
                "url": line.view.url, "standing": line.view.standing, "owner": line.owner_name,
                "connection": line.connection.is_some(),
                "keys": line.keys.iter().map(|(key, _)| key).collect::<Vec<_>>(), "tools": tools,
            })
        })
        .collect();
    let rows = lines
        .iter()
        .flat_map(|line| {
            let module = vec![
                line.view.name.clone(),
                line.view.title.clone(),
                line.view.standing.to_string(),
                line.view.url.clone().unwrap_or_else(|| "built in".to_owned()),
            ];
            let tools = line.tools.iter().map(|tool| {
                let name = format!("  {}.{}", line.view.name, tool.name);
                vec![name, tool.key.to_string(), tool.standing.to_string(), tool.price.to_string()]
            });
            std::iter::once(module).chain(tools.collect::<Vec<_>>())
        })
        .collect();
    Answer::table(&["module or tool", "title or key", "standing", "address or price"], rows, json)
}

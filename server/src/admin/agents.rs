//! Agents.

use clap::Subcommand;
use control::agents::{self, NewAgent};
use serde_json::json;

use super::Desk;
use super::answer::Answer;
use crate::Failure;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Add an agent. It can do nothing until it has a key and a grant.
    Create {
        /// Its name.
        #[arg(long)]
        name: String,
        /// Mail address of the person who answers for it.
        #[arg(long, value_name = "EMAIL")]
        owner: String,
        /// Path of the unit it sits in, such as Sales/EMEA.
        #[arg(long, value_name = "PATH")]
        unit: String,
    },
    /// All agents.
    List,
    /// Stop an agent: its next call is refused.
    Suspend {
        /// Its name.
        #[arg(long, value_name = "NAME")]
        agent: String,
    },
    /// Let a suspended agent act again.
    Resume {
        /// Its name.
        #[arg(long, value_name = "NAME")]
        agent: String,
    },
}

pub(super) async fn run(desk: &Desk, verb: Verb) -> Result<Answer, Failure> {
    let (control, actor) = (&desk.control, desk.actor().await?);
    match verb {
        Verb::Create { name, owner, unit } => {
            let (owner, unit) = (desk.user(&actor, &owner).await?, desk.unit(&actor, &unit).await?);
            let new = NewAgent { name: name.clone(), owner: owner.id, home_unit: unit.id };
            let id = agents::create(control, &actor, new).await?;
            Ok(Answer::said(
                format!(
                    "Agent “{name}” of {} is there. It needs a key and a grant before it can do anything.",
                    owner.name
                ),
                json!({ "id": id, "agent": name, "owner": owner.email, "unit": unit.name }),
            ))
        }
        Verb::List => {
            let (all, names) = (agents::list(control, &actor).await?, desk.names(&actor).await?);
            let json = all
                .iter()
                .map(|agent| {
                    json!({
                        "id": agent.id, "agent": agent.name, "owner": names.email(agent.owner),
                        "unit": names.unit(agent.home_unit), "standing": agent.standing,
                    })
                })
                .collect();
            let rows = all
                .into_iter()
                .map(|agent| {
                    let (owner, unit) = (names.user(agent.owner), names.unit(agent.home_unit));
                    vec![agent.name, owner, unit, agent.standing.to_string()]
                })
                .collect();
            Ok(Answer::table(&["agent", "owner", "unit", "standing"], rows, json))
        }
        Verb::Suspend { agent } => {
            let agent = desk.agent(&actor, &agent).await?;
            agents::suspend(control, &actor, agent.id).await?;
            Ok(Answer::said(
                format!("Agent “{}” is suspended: its next call is refused.", agent.name),
                json!({ "id": agent.id, "agent": agent.name, "standing": "suspended" }),
            ))
        }
        Verb::Resume { agent } => {
            let agent = desk.agent(&actor, &agent).await?;
            agents::resume(control, &actor, agent.id).await?;
            let json = json!({ "id": agent.id, "agent": agent.name, "standing": "active" });
            Ok(Answer::said(format!("Agent “{}” may act again.", agent.name), json))
        }
    }
}

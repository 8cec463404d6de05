//! `admin limit`: limits on calls.

use clap::Subcommand;
use control::limits::{self, About, LimitRow};
use control::modules;
use model::LimitId;
use model::limit::{Allowance, OfWhat, Per, Scope, Whose};
use serde_json::{Value, json};

use super::Desk;
use super::answer::Answer;
use super::named::when;
use crate::Failure;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Set a limit. Without a unit or an agent it counts everybody's calls, without a module or a tool those of everything.
    Set {
        /// Path of a unit: calls of the agents in it and below it.
        #[arg(long, value_name = "PATH", conflicts_with = "agent")]
        unit: Option<String>,
        /// Name of an agent: its calls.
        #[arg(long, value_name = "NAME")]
        agent: Option<String>,
        /// Name of a module: calls of what it has.
        #[arg(long, conflicts_with = "tool")]
        module: Option<String>,
        /// Full name of a tool, such as drive.search: its calls.
        #[arg(long)]
        tool: Option<String>,
        /// Each agent has all of it to itself; without this they share it.
        #[arg(long)]
        each_agent: bool,
        #[command(flatten)]
        numbers: Numbers,
    },
    /// All limits with their use.
    List,
    /// Change how many calls a limit is of. What is used of it stays used.
    Change {
        /// Its id, as `list` shows it.
        #[arg(long)]
        id: LimitId,
        #[command(flatten)]
        numbers: Numbers,
    },
    /// Take a limit away.
    Remove {
        /// Its id, as `list` shows it.
        #[arg(long)]
        id: LimitId,
    },
}

#[derive(clap::Args, Clone, Copy, Debug)]
pub(super) struct Numbers {
    /// So many calls.
    #[arg(long)]
    calls: u32,
    /// In this time: second, minute, hour, day, month.
    #[arg(long)]
    per: Per,
    /// How many of a second's, minute's or hour's may come at once; not given: all.
    #[arg(long)]
    burst: Option<u32>,
}

impl Numbers {
    fn allowance(self) -> Allowance {
        let Self { calls, per, burst } = self;
        Allowance { calls, per, burst: burst.unwrap_or(calls) }
    }
}

pub(super) async fn run(desk: &Desk, verb: Verb) -> Result<Answer, Failure> {
    let (control, actor) = (&desk.control, desk.actor().await?);
    match verb {
        Verb::Set { unit, agent, module, tool, each_agent, numbers } => {
            let whose = match (unit, agent) {
                (Some(path), _) => Whose::Unit(desk.unit(&actor, &path).await?.id),
                (None, Some(name)) => Whose::Agent(desk.agent(&actor, &name).await?.id),
                (None, None) => Whose::Everybody,
            };
            let what = match (module, tool) {
                (Some(name), _) => OfWhat::Module(modules::find(control, &actor, &name).await?.view.id),
                (None, Some(name)) => OfWhat::Tool(modules::find_tool(control, &actor, &name).await?.id),
                (None, None) => OfWhat::Everything,
            };
            let scope = Scope { whose, what, each_agent };
            let id = limits::set(control, &actor, scope, numbers.allowance()).await?;
            let row = limits::one(control, &actor, id).await?;
            let said = format!("The limit is set: {}, {}.", whom(&row), how_many(row.allowance));
            Ok(Answer::said(said, told(&row)))
        }
        Verb::List => {
            let rows = limits::list(control, &actor, About::Everything).await?;
            let lines = rows.iter().map(|row| {
                let by =
                    row.used_by.as_ref().map(|(_, name)| format!(" (most by {name})")).unwrap_or_default();
                vec![
                    row.id.to_string(),
                    whom(row),
                    how_many(row.allowance),
                    format!("{} of {}{by}", row.used, row.allowance.burst),
                    format!("{}, {}", row.set_by, when(Some(row.set_at), "")),
                ]
            });
            let json = rows.iter().map(told).collect();
            Ok(Answer::table(&["id", "calls", "limit", "used", "set"], lines.collect(), json))
        }
        Verb::Change { id, numbers } => {
            let id = limits::change(control, &actor, id, numbers.allowance()).await?;
            let row = limits::one(control, &actor, id).await?;
            let said = format!("{}: {} from now on.", whom(&row), how_many(row.allowance));
            Ok(Answer::said(said, told(&row)))
        }
        Verb::Remove { id } => {
            let was = limits::remove(control, &actor, id).await?;
            let said = format!("The limit is taken away: {}, {}.", whom(&was), how_many(was.allowance));
            Ok(Answer::said(said, told(&was)))
        }
    }
}

/// Whose calls of what.
fn whom(row: &LimitRow) -> String {
    let each = if row.scope.each_agent { "each agent of " } else { "" };
    let whose = match &row.whose {
        None => "everybody".to_owned(),
        Some(name) => format!("“{name}”"),
    };
    let what = match &row.what {
        None => "everything".to_owned(),
        Some((module, _, None)) => module.clone(),
        Some((module, _, Some(tool))) => format!("{module}.{tool}"),
    };
    format!("{each}{whose}, calls of {what}")
}

fn how_many(Allowance { calls, per, burst }: Allowance) -> String {
    let at_once = if burst < calls { format!(", {burst} at once") } else { String::new() };
    format!("{calls} per {per}{at_once}")
}

fn told(row: &LimitRow) -> Value {
    let LimitRow { id, scope, allowance, set_by, set_at, whose, what, used, used_by } = row;
    let what = what.as_ref().map(|(module, _, tool)| match tool {
        Some(tool) => format!("{module}.{tool}"),
        None => module.clone(),
    });
    json!({
        "id": id, "scope": scope, "whose": whose, "what": what, "each_agent": scope.each_agent, "calls": allowance.calls,
        "per": allowance.per, "burst": allowance.burst, "used": used, "used_by": used_by.as_ref().map(|(agent, _)| agent),
        "set_by": set_by, "set_at": set_at,
    })
}

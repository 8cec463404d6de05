//! The record of calls, newest first.

use clap::Subcommand;
use control::activity::{self, Filter, Page};
use control::modules;
use model::CallId;
use model::call::{CallRow, Content, Outcome, Verdict};
use serde_json::json;

use super::Desk;
use super::answer::Answer;
use super::named::when;
use crate::Failure;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// The newest calls.
    List {
        /// How many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        /// Of one agent, by name.
        #[arg(long, value_name = "NAME")]
        agent: Option<String>,
        /// Of one module, by name.
        #[arg(long, value_name = "NAME")]
        module: Option<String>,
        /// Whose tool's name contains this.
        #[arg(long)]
        tool: Option<String>,
        /// permit, hold or deny.
        #[arg(long)]
        verdict: Option<Verdict>,
        /// How they ended: succeeded, tool_error, upstream_error, timed_out, cancelled, not_sent or interrupted.
        #[arg(long)]
        outcome: Option<Outcome>,
    },
    /// Everything about one call.
    Show {
        /// Its id, as lists show it.
        id: CallId,
    },
}

pub(super) async fn run(desk: &Desk, verb: Verb) -> Result<Answer, Failure> {
    let (control, actor) = (&desk.control, desk.actor().await?);
    match verb {
        Verb::List { limit, agent, module, tool, verdict, outcome } => {
            let agent = match agent {
                Some(name) => Some(desk.agent(&actor, &name).await?.id),
                None => None,
            };
            let module = match module {
                Some(name) => Some(modules::find(control, &actor, &name).await?.view.id),
                None => None,
            };
            let filter = Filter { agent, module, tool, verdict, outcome, ..Filter::default() };
            let mut rows: Vec<CallRow> = Vec::new();
            let mut page = Page::Newest;
            loop {
                let left = usize::from(limit).saturating_sub(rows.len());
                let most = u16::try_from(left).unwrap_or(limit);
                let listing = activity::list(control, &actor, &filter, page, most).await?;
                rows.extend(listing.rows);
                match rows.last() {
                    Some(last) if listing.has_older && rows.len() < usize::from(limit) => {
                        page = Page::Before(last.id)
                    }
                    _ => break,
                }
            }
            Ok(table(rows))
        }
        Verb::Show { id } => {
            let story = activity::story(control, &actor, id)
                .await?
                .ok_or_else(|| format!("there is no call {id} here"))?;
            let content = |content: &Content| match content {
                Content::None => "none".to_owned(),
                Content::Text(text) => text.clone(),
                Content::TooLarge(bytes) => format!("({bytes} bytes, more than is kept)"),
                Content::Withheld => "(not yours to see)".to_owned(),
            };
            let row = &story.row;
            let reason =
                row.reason.as_ref().map(|reason| format!(": {}", reason.sentence)).unwrap_or_default();
            let ended =
                row.outcome.map_or("has not ended or never ran".to_owned(), |outcome| outcome.to_string());
            let lines = [
                format!("call       {} at {}", row.id, when(Some(row.received_at), "")),
                format!(
                    "who        {} ({}), owner {}",
                    row.agent_name,
                    story.unit_path.join("/"),
                    row.owner_name
                ),
                format!("for        {}", row.on_behalf_of_name.as_deref().unwrap_or("itself")),
                format!("tool       {}", row.tool_name),
                format!("decision   {}{reason}", row.verdict),
                format!("ended      {ended}"),
                format!(
                    "cost       {}",
                    row.charge.map_or("nothing".to_owned(), |charge| charge.to_string())
                ),
                format!("arguments  {}", content(&story.arguments)),
                format!("result     {}", content(&story.result)),
                format!("asked      {}", content(&story.exchange)),
            ];
            Ok(Answer::said(lines.join("\n"), serde_json::to_value(&story)?))
        }
    }
}

fn table(rows: Vec<CallRow>) -> Answer {
    let json = json!(rows);
    let rows = rows
        .into_iter()
        .map(|row| {
            let decision = match (row.outcome, &row.reason) {
                (Some(outcome), _) => outcome.to_string(),
                (None, Some(reason)) => format!("{}: {}", row.verdict, reason.code),
                (None, None) => row.verdict.to_string(),
            };
            let took = row.duration_us.map_or(String::new(), |us| format!("{:.1} ms", us as f64 / 1000.0));
            vec![
                when(Some(row.received_at), ""),
                row.agent_name,
                row.tool_name,
                decision,
                took,
                row.charge.map_or(String::new(), |charge| charge.to_string()),
                row.id.to_string(),
            ]
        })
        .collect();
    Answer::table(&["received", "agent", "tool", "ended", "took", "cost", "id"], rows, json)
}

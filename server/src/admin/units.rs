//! Departments and teams.

use clap::Subcommand;
use control::units::{self, NewUnit};
use model::people::UnitKind;
use serde_json::json;

use super::Desk;
use super::answer::Answer;
use crate::Failure;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Make a department or team.
    Create {
        /// Its name.
        #[arg(long)]
        name: String,
        /// Path of the unit it goes into, such as Sales; not given: at the top.
        #[arg(long, value_name = "PATH")]
        parent: Option<String>,
        /// department or team; not given: a department at the top, a team below.
        #[arg(long)]
        kind: Option<UnitKind>,
    },
    /// The whole tree.
    List,
    /// Take an empty unit out of the tree; grants and roles given to it end.
    Archive {
        /// Its path, such as Sales/EMEA.
        #[arg(long, value_name = "PATH")]
        unit: String,
    },
}

pub(super) async fn run(desk: &Desk, verb: Verb) -> Result<Answer, Failure> {
    let (control, actor) = (&desk.control, desk.actor().await?);
    match verb {
        Verb::Create { name, parent, kind } => {
            let parent = match parent {
                Some(path) => Some(desk.unit(&actor, &path).await?.id),
                None => None,
            };
            let kind = kind.unwrap_or(if parent.is_some() { UnitKind::Team } else { UnitKind::Department });
            let id = units::create(control, &actor, NewUnit { parent, kind, name }).await?;
            let path = desk.names(&actor).await?.unit(id);
            Ok(Answer::said(
                format!("The {kind} {path} is there."),
                json!({ "id": id, "unit": path, "kind": kind }),
            ))
        }
        Verb::List => {
            let all = units::list(control, &actor).await?;
            let mut lines: Vec<_> =
                all.iter().map(|unit| (units::path(&all, unit.id).join("/"), unit)).collect();
            lines.sort_by(|a, b| a.0.cmp(&b.0));
            let json = lines
                .iter()
                .map(|(path, unit)| {
                    json!({ "id": unit.id, "unit": path, "name": unit.name, "kind": unit.kind, "parent": unit.parent })
                })
                .collect();
            let rows = lines.into_iter().map(|(path, unit)| vec![path, unit.kind.to_string()]).collect();
            Ok(Answer::table(&["unit", "kind"], rows, json))
        }
        Verb::Archive { unit } => {
            let unit = desk.unit(&actor, &unit).await?;
            let path = desk.names(&actor).await?.unit(unit.id);
            units::archive(control, &actor, unit.id).await?;
            Ok(Answer::said(
                format!(
                    "{path} is out of the tree; grants and roles given to it have ended. It stays on the record of calls."
                ),
                json!({ "id": unit.id, "unit": path, "archived": true }),
            ))
        }
    }
}

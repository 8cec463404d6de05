//! Bundles: MCP addresses with a choice of the tools.

use clap::Subcommand;
use control::bundles::{self, NewBundle};
use control::modules;
use model::ToolId;
use model::catalog::{Naming, ToolStanding};
use serde_json::json;

use super::Desk;
use super::answer::Answer;
use crate::Failure;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Make a bundle, and put all approved tools of modules into it.
    Create {
        /// The last part of its MCP address, such as travel-desk.
        #[arg(long)]
        name: String,
        /// What people call it; not given: its name.
        #[arg(long)]
        title: Option<String>,
        /// Call tools as their server does, without their module's name.
        #[arg(long)]
        unprefixed: bool,
        /// Name of a module whose approved tools are put in; can be repeated.
        #[arg(long)]
        module: Vec<String>,
    },
    /// All bundles.
    List,
    /// Put tools in.
    #[command(group(clap::ArgGroup::new("what").required(true).multiple(true)))]
    Add {
        /// The bundle's name.
        #[arg(long)]
        name: String,
        /// Full name of a tool, such as drive.search; can be repeated.
        #[arg(long, group = "what")]
        tool: Vec<String>,
        /// Name of a module: all of its approved tools; can be repeated.
        #[arg(long, group = "what")]
        module: Vec<String>,
    },
    /// Take tools out.
    Remove {
        /// The bundle's name.
        #[arg(long)]
        name: String,
        /// Full name of a tool in the catalog, such as drive.search; can be repeated.
        #[arg(long, required = true)]
        tool: Vec<String>,
    },
    /// Call a tool by another name in a bundle.
    Rename {
        /// The bundle's name.
        #[arg(long)]
        name: String,
        /// Full name of the tool in the catalog, such as drive.search.
        #[arg(long)]
        tool: String,
        /// Its name in the bundle.
        #[arg(long)]
        to: String,
    },
    /// Delete a bundle: its address is not there any more.
    Delete {
        /// The bundle's name.
        #[arg(long)]
        name: String,
    },
}

pub(super) async fn run(desk: &Desk, verb: Verb) -> Result<Answer, Failure> {
    let (control, actor) = (&desk.control, desk.actor().await?);
    match verb {
        Verb::Create { name, title, unprefixed, module } => {
            let tools = desk.approved(&module).await?;
            let naming = if unprefixed { Naming::Plain } else { Naming::Full };
            let new = NewBundle { title: title.unwrap_or_else(|| name.clone()), name, naming };
            let bundle = bundles::create(control, &actor, new).await?;
            let added = bundles::add(control, &actor, &bundle.name, &tools).await?;
            let said = format!(
                "Bundle `{}` is made, with {added} tools. Its MCP address is the organization's, with /{} after it.",
                bundle.name, bundle.name
            );
            Ok(Answer::said(said, json!({ "id": bundle.id, "bundle": bundle.name, "tools": added })))
        }
        Verb::List => {
            let rows = bundles::list(control, &actor).await?;
            let json = rows.iter().map(|row| {
                json!({
                    "id": row.view.id, "bundle": row.view.name, "title": row.view.title,
                    "naming": row.view.naming, "tools": row.tools, "modules": row.modules,
                })
            });
            let json = json.collect();
            let lines = rows.iter().map(|row| {
                let modules = row.modules.join(", ");
                vec![row.view.name.clone(), row.view.title.clone(), row.tools.to_string(), modules]
            });
            Ok(Answer::table(&["bundle", "title", "tools", "of the modules"], lines.collect(), json))
        }
        Verb::Add { name, tool, module } => {
            let mut tools = desk.approved(&module).await?;
            for tool in &tool {
                tools.push(modules::find_tool(control, &actor, tool).await?.id);
            }
            let added = bundles::add(control, &actor, &name, &tools).await?;
            Ok(Answer::said(
                format!("{added} tools were put into `{name}`."),
                json!({ "bundle": name, "added": added }),
            ))
        }
        Verb::Remove { name, tool } => {
            let mut tools = Vec::new();
            for tool in &tool {
                tools.push(modules::find_tool(control, &actor, tool).await?.id);
            }
            let removed = bundles::remove(control, &actor, &name, &tools).await?;
            let json = json!({ "bundle": name, "removed": removed });
            Ok(Answer::said(format!("{removed} tools were taken out of `{name}`."), json))
        }
        Verb::Rename { name, tool, to } => {
            let found = modules::find_tool(control, &actor, &tool).await?;
            bundles::rename(control, &actor, &name, found.id, &to).await?;
            let json = json!({ "bundle": name, "tool": tool, "name": to });
            Ok(Answer::said(format!("`{tool}` is called `{to}` in `{name}`."), json))
        }
        Verb::Delete { name } => {
            let gone = bundles::delete(control, &actor, &name).await?;
            let json = json!({ "id": gone.id, "bundle": gone.name, "deleted": true });
            Ok(Answer::said(format!("Bundle `{}` is deleted.", gone.name), json))
        }
    }
}

impl Desk {
    /// The approved tools of modules.
    async fn approved(&self, names: &[String]) -> Result<Vec<ToolId>, Failure> {
        let actor = self.actor().await?;
        let mut tools = Vec::new();
        for name in names {
            let module = modules::find(&self.control, &actor, name).await?;
            let approved = module.tools.iter().filter(|tool| tool.standing == ToolStanding::Approved);
            tools.extend(approved.map(|tool| tool.id));
        }
        Ok(tools)
    }
}

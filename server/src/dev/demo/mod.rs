//! The demo organization: three departments with teams, people in every role, the CRM with data, agents, and a week of calls.
//! It was set up two weeks ago, so that all of it was there before the calls. Loading it again adds what is missing and
//! changes nothing else.

mod crm;
mod handbook;
mod history;
mod past;
mod people;
mod set_up;
mod week;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use control::tenants::TenantHead;
use control::{Actor, Control, sign_in, tenants, users};
use model::people::Slug;
use model::{McpId, TenantId};
use serde::{Deserialize, Serialize};

use super::database::Database;
use super::folder::Folder;
use crate::{Failure, ambient, say};

/// Its short name.
const SLUG: &str = "demo";
/// Its name.
const NAME: &str = "Meridian Works";
/// Who founds it, for the record. Its owner does the rest.
const LOADER: &str = "workingagents dev";
/// So long ago it was set up.
pub(super) const FOUNDED: TimeDelta = TimeDelta::days(14);
/// So long ago an agent and a module were stopped: before the refusals of the last hour.
pub(super) const STOPPED: TimeDelta = TimeDelta::minutes(55);

pub(super) use past::ago;

/// The same installation at different times.
pub(super) struct Controls {
    /// Now.
    pub(super) now: Control,
    /// Now, over connections that do not wait for the disk at each commit: for what can be loaded again.
    pub(super) hasty: Control,
    /// [`FOUNDED`]. It sends no mail.
    pub(super) founding: Control,
    /// [`STOPPED`].
    pub(super) stopping: Control,
}

/// What cannot be read from the database again, kept in the data folder.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Everybody's.
    pub(super) password: String,
    /// The agents' keys by their names.
    pub(super) keys: BTreeMap<String, String>,
    /// The organization, once all of it is there.
    pub(super) loaded: Option<TenantId>,
}

/// An agent with its key.
#[derive(Clone, Debug)]
pub(super) struct DemoAgent {
    pub(super) name: String,
    pub(super) key: String,
    pub(super) unit: String,
    /// What it may do, in words.
    pub(super) note: String,
}

/// A person.
#[derive(Clone, Debug)]
pub(super) struct DemoPerson {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) roles: Vec<String>,
}

/// The organization as it is told about.
#[derive(Clone, Debug)]
pub(super) struct Demo {
    pub(super) slug: String,
    pub(super) mcp_id: McpId,
    /// Mail address of its owner.
    pub(super) owner: String,
    pub(super) password: String,
    pub(super) people: Vec<DemoPerson>,
    pub(super) agents: Vec<DemoAgent>,
}

/// Loads the demo where it is missing, and tells about it.
pub(super) async fn load(controls: &Controls, database: &Database, folder: &Folder) -> Result<Demo, Failure> {
    let slug: Slug = SLUG.parse()?;
    let head = tenants::by_slug(&controls.now, &slug).await?;
    let mut kept = folder.kept()?.unwrap_or_default();
    let head = match head {
        Some(head) if kept.loaded == Some(head.id) => head,
        head => {
            say::progress(format_args!("loading the demo organization “{NAME}”"));
            let (head, owner) = set_up(&controls.founding, &slug, head, folder, &mut kept).await?;
            Box::pin(history::load(controls, &owner, &head, database, &kept.keys)).await?;
            kept.loaded = Some(head.id);
            folder.keep(&kept)?;
            head
        }
    };
    Ok(Demo {
        slug: SLUG.to_owned(),
        mcp_id: head.mcp_id,
        owner: people::email(people::OWNER.name),
        password: kept.password,
        people: people::everybody()
            .map(|person| DemoPerson {
                name: person.name.to_owned(),
                email: people::email(person.name),
                roles: vec![match person.on {
                    Some(unit) => format!("{} in {unit}", person.role),
                    None => person.role.to_string(),
                }],
            })
            .collect(),
        agents: people::AGENTS
            .iter()
            .map(|agent| DemoAgent {
                name: agent.name.to_owned(),
                key: kept.keys.get(agent.name).cloned().unwrap_or_default(),
                unit: agent.unit.to_owned(),
                note: agent.note.to_owned(),
            })
            .collect(),
    })
}

/// Units, people, catalog, agents, grants and keys, where they are missing. With its owner, who does all of it.
async fn set_up(
    control: &Control,
    slug: &Slug,
    head: Option<TenantHead>,
    folder: &Folder,
    kept: &mut Kept,
) -> Result<(TenantHead, Actor), Failure> {
    let new = head.is_none();
    if new || kept.password.is_empty() {
        // What is kept belongs to a database that is gone; or what was kept is gone.
        *kept = Kept { password: ambient::password(control.ambient()), ..Kept::default() };
        folder.keep(kept)?;
    }
    if new {
        set_up::found_organization(control, slug.clone(), &kept.password).await?;
    }
    let head = tenants::by_slug(control, slug)
        .await?
        .ok_or("the demo organization is not there after it was founded")?;
    let operator = Actor::operator(head.id, LOADER);
    let owner = users::find(control, &operator, &people::email(people::OWNER.name)).await?.id;
    let actor =
        sign_in::actor(control, head.id, owner).await?.ok_or("the demo organization's owner is suspended")?;
    let place = set_up::people(control, &actor, &kept.password).await?;
    set_up::catalog(control, &actor, &place).await?;
    set_up::bundle(control, &actor).await?;
    set_up::agents(control, &actor, &place).await?;
    set_up::grants(control, &actor).await?;
    if set_up::keys(control, &actor, &mut kept.keys).await? {
        folder.keep(kept)?;
    }
    Ok((head, actor))
}

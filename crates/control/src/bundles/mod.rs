//! Bundles: endpoints of their own that show a choice of the tools by names of their own. A bundle gives no right: who may
//! call what is in it is asked of each call as everywhere.

mod store;

use model::ToolId;
use model::access::is_key_word;
use model::catalog::{BundleView, Feature, Naming, ToolStanding};
use serde_json::json;

use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, given};

/// Tools that a bundle has at most: lists longer than this help no agent.
pub const MOST_TOOLS: usize = 1000;
/// Bundles of an organization, at most.
const MOST_BUNDLES: i64 = 200;
/// Characters of a name that is given to a tool or prompt.
const LONGEST_NAME: usize = 128;

/// A bundle to be made.
#[derive(Clone, Debug)]
pub struct NewBundle {
    /// The last part of its address: `a-z` first, then `a-z`, `0-9`, `_`, `-`; at most 40.
    pub name: String,
    /// What people call it: 1 to 120 characters.
    pub title: String,
    /// What tools are called that are put into it.
    pub naming: Naming,
}

/// A bundle with how much is in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BundleRow {
    /// The bundle.
    pub view: BundleView,
    /// How many tools it has.
    pub tools: u32,
    /// Of which modules, by title.
    pub modules: Vec<String>,
}

/// A tool that is in a bundle, or could be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bundled {
    /// The tool.
    pub tool: ToolId,
    /// Name and title of its module.
    pub module: (String, String),
    /// Its name inside its module.
    pub name: String,
    /// What it is called in the bundle, as in [`model::catalog::Feature::name`]; none: it is not in it.
    pub here: Option<String>,
    /// Whether it takes calls.
    pub standing: ToolStanding,
}

impl Bundled {
    /// What it is, and what agents see of it in the bundle.
    pub fn shown(&self) -> Option<(Feature, &str)> {
        self.here.as_deref().map(Feature::of)
    }
}

/// A bundle with all that is in it and all that could be.
#[derive(Clone, Debug)]
pub struct BundlePage {
    /// The bundle.
    pub view: BundleView,
    /// What is in it, by name.
    pub tools: Vec<Bundled>,
    /// What could be put into it, by module and name.
    pub others: Vec<Bundled>,
}

impl BundlePage {
    /// One of the tools in it.
    ///
    /// # Errors
    /// Not found: it is not in it.
    pub fn tool(&self, id: ToolId) -> Result<&Bundled, Error> {
        let found = self.tools.iter().find(|tool| tool.tool == id);
        found.ok_or_else(|| Error::not_found("such tool in this bundle"))
    }
}

/// All bundles, by title.
pub async fn list(control: &Control, actor: &Actor) -> Result<Vec<BundleRow>, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadCatalog, "bundles")?;
    store::all(&mut tx).await
}

/// One bundle, by the last part of its address.
pub async fn page(control: &Control, actor: &Actor, name: &str) -> Result<BundlePage, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadCatalog, "bundle")?;
    let view = named(&mut tx, name).await?;
    let (mut tools, others): (Vec<_>, Vec<_>) =
        store::shelf(&mut tx, view.id).await?.into_iter().partition(|tool| tool.here.is_some());
    tools.sort_by(|one, other| one.shown().cmp(&other.shown()));
    Ok(BundlePage { view, tools, others })
}

/// Makes a bundle with nothing in it.
///
/// # Errors
/// `name_taken`, `too_many`; or what is wrong with name or title.
pub async fn create(control: &Control, actor: &Actor, new: NewBundle) -> Result<BundleView, Error> {
    let mut tx = actor.change(control, Deed::ChangeCatalog, "catalog that you may change").await?;
    let title = given::name("title", &new.title, 120)?;
    if !is_key_word(&new.name) {
        let sentence = "give a-z first, then a-z, 0-9, `_` or `-`, at most 40 characters";
        return Err(Error::invalid("name", sentence));
    }
    // Where bundles are made is at this name's address.
    if new.name == "new" {
        return Err(Error::invalid("name", "`new` is taken by this page: take another name"));
    }
    if store::count(&mut tx).await? >= MOST_BUNDLES {
        return Err(Error::refused(
            "too_many",
            format!("there are {MOST_BUNDLES} bundles: delete one first"),
        ));
    }
    let view = BundleView { id: tx.id(), name: new.name, title, naming: new.naming };
    store::insert(&mut tx, &view).await?;
    let detail = json!({ "name": view.name, "naming": view.naming });
    tx.audit("bundle.create", "bundle", view.id, &view.title, detail).await?;
    tx.commit().await?;
    Ok(view)
}

/// Changes what people call a bundle, and what tools are called that are put into it from now on.
///
/// # Errors
/// `nothing_to_do`; or what is wrong with the title.
pub async fn describe(
    control: &Control,
    actor: &Actor,
    name: &str,
    title: &str,
    naming: Naming,
) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangeCatalog, "bundle").await?;
    let title = given::name("title", title, 120)?;
    let was = named(&mut tx, name).await?;
    if was.title == title && was.naming == naming {
        return Err(Error::refused("nothing_to_do", "title and names are what they were"));
    }
    store::describe(&mut tx, was.id, &title, naming).await?;
    let detail = json!({ "naming": naming, "was": { "title": was.title, "naming": was.naming } });
    tx.audit("bundle.describe", "bundle", was.id, &title, detail).await?;
    tx.commit().await
}

/// Puts tools into a bundle, each by the name that the bundle's naming gives it; where another has that name, by its
/// module's name and its own. What is in it already stays as it is. Returns how many were put in.
///
/// # Errors
/// `not_approved`: a tool waits to be approved or was withdrawn. `too_many`. Not found: a tool that is not there.
pub async fn add(control: &Control, actor: &Actor, name: &str, tools: &[ToolId]) -> Result<usize, Error> {
    let mut tx = actor.change(control, Deed::ChangeCatalog, "bundle").await?;
    let bundle = named(&mut tx, name).await?;
    let shelf = store::shelf(&mut tx, bundle.id).await?;
    let mut taken: Vec<String> = shelf.iter().filter_map(|tool| tool.here.clone()).collect();
    let mut added = Vec::new();
    for id in tools {
        let tool = shelf.iter().find(|tool| tool.tool == *id).ok_or_else(|| Error::not_found("such tool"))?;
        if tool.here.is_some() || added.iter().any(|(there, _)| there == id) {
            continue;
        }
        if !matches!(tool.standing, ToolStanding::Approved | ToolStanding::Drifted) {
            let sentence = format!("`{}.{}` is not approved: approve it first", tool.module.0, tool.name);
            return Err(Error::refused("not_approved", sentence));
        }
        let here = free_name(tool, bundle.naming, &taken)?;
        taken.push(here.clone());
        added.push((*id, here));
    }
    if taken.len() > MOST_TOOLS {
        let sentence = format!("a bundle has at most {MOST_TOOLS} tools: make another for the rest");
        return Err(Error::refused("too_many", sentence));
    }
    if added.is_empty() {
        return Ok(0);
    }
    store::put(&mut tx, bundle.id, &added).await?;
    let names: Vec<&str> = added.iter().map(|(_, name)| name.as_str()).collect();
    tx.audit("bundle.add_tools", "bundle", bundle.id, &bundle.title, json!({ "tools": names })).await?;
    tx.commit().await?;
    Ok(added.len())
}

/// Takes tools out of a bundle. Returns how many were in it.
pub async fn remove(control: &Control, actor: &Actor, name: &str, tools: &[ToolId]) -> Result<usize, Error> {
    let mut tx = actor.change(control, Deed::ChangeCatalog, "bundle").await?;
    let bundle = named(&mut tx, name).await?;
    let removed = store::take(&mut tx, bundle.id, tools).await?;
    if removed.is_empty() {
        return Ok(0);
    }
    tx.audit("bundle.remove_tools", "bundle", bundle.id, &bundle.title, json!({ "tools": removed })).await?;
    tx.commit().await?;
    Ok(removed.len())
}

/// Gives a tool or prompt another name in a bundle. Resources keep their addresses: results speak of them.
///
/// # Errors
/// `name_taken`, `nothing_to_do`; or what is wrong with the name.
pub async fn rename(
    control: &Control,
    actor: &Actor,
    name: &str,
    tool: ToolId,
    here: &str,
) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangeCatalog, "bundle").await?;
    let bundle = named(&mut tx, name).await?;
    let shelf = store::shelf(&mut tx, bundle.id).await?;
    let there = shelf.iter().find(|other| other.tool == tool);
    let Some((feature, was)) = there.and_then(Bundled::shown) else {
        return Err(Error::not_found("such tool in this bundle"));
    };
    if !matches!(feature, Feature::Tool | Feature::Prompt) {
        return Err(Error::refused("address", "resources keep their addresses, of which results speak"));
    }
    let here = here.trim();
    // Names of tools in MCP (2025-11-25, Tools, Tool Names).
    let fits = (1..=LONGEST_NAME).contains(&here.len())
        && here.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if !fits {
        let sentence = format!("give letters, digits, `_`, `-` or `.`, at most {LONGEST_NAME}");
        return Err(Error::invalid("here", sentence));
    }
    if here == was {
        return Err(Error::refused("nothing_to_do", format!("it is called `{here}` already")));
    }
    store::rename(&mut tx, bundle.id, tool, &feature.name(here), here).await?;
    let detail = json!({ "name": here, "was": was });
    tx.audit("bundle.rename_tool", "bundle", bundle.id, &bundle.title, detail).await?;
    tx.commit().await
}

/// Deletes a bundle: from the next request on its endpoint is not there. Its tools stay in the catalog.
pub async fn delete(control: &Control, actor: &Actor, name: &str) -> Result<BundleView, Error> {
    let mut tx = actor.change(control, Deed::ChangeCatalog, "bundle").await?;
    let bundle = named(&mut tx, name).await?;
    store::delete(&mut tx, bundle.id).await?;
    tx.audit("bundle.delete", "bundle", bundle.id, &bundle.title, json!({ "name": bundle.name })).await?;
    tx.commit().await?;
    Ok(bundle)
}

async fn named(tx: &mut TenantTx, name: &str) -> Result<BundleView, Error> {
    store::one(tx, name).await?.ok_or_else(|| Error::not_found(format!("bundle `{name}`")))
}

/// What a tool will be called, where these names are taken.
fn free_name(tool: &Bundled, naming: Naming, taken: &[String]) -> Result<String, Error> {
    let (feature, theirs) = Feature::of(&tool.name);
    let full = feature.name(&feature.shown(&tool.module.0, theirs));
    let plain = feature.name(theirs);
    let wished = match naming {
        Naming::Full => [full, plain],
        Naming::Plain => [plain, full],
    };
    wished.into_iter().find(|name| !taken.contains(name)).ok_or_else(|| {
        let sentence = format!("`{theirs}` of {} has the name of another: rename that first", tool.module.1);
        Error::refused("name_taken", sentence)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_becomes_the_full_one() {
        let tool = |name: &str| Bundled {
            tool: ToolId::from(uuid::Uuid::nil()),
            module: ("my_drive".to_owned(), "Drive".to_owned()),
            name: name.to_owned(),
            here: None,
            standing: ToolStanding::Approved,
        };
        let named = |name: &str, naming, taken: &[&str]| {
            let taken: Vec<String> = taken.iter().map(|name| (*name).to_owned()).collect();
            free_name(&tool(name), naming, &taken).ok()
        };
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(named("search", Naming::Plain, &[]), some("search"));
        assert_eq!(named("search", Naming::Full, &[]), some("my_drive.search"));
        assert_eq!(named("search", Naming::Plain, &["search"]), some("my_drive.search"));
        assert_eq!(named("search", Naming::Plain, &["search", "my_drive.search"]), None);
        assert_eq!(named("prompt:sum", Naming::Full, &[]), some("prompt:my_drive.sum"));
        assert_eq!(named("prompt:sum", Naming::Plain, &["sum"]), some("prompt:sum"));
        assert_eq!(named("resource:a://b", Naming::Full, &[]), some("resource:my.drive+a://b"));
        assert_eq!(named("template:a://{b}", Naming::Plain, &[]), some("template:a://{b}"));
    }
}

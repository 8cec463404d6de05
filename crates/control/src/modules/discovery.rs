//! What an upstream offers, compared with what is on the shelf. Pinned: nothing that changed upstream runs
//! before somebody has approved the change.

use std::collections::HashMap;

use model::access::PermissionKey;
use model::call::Digest;
use model::catalog::{ModuleKind, ModuleView, ToolStanding};
use model::{ModuleId, TenantId};
use serde_json::json;

use super::definition::{self, Definition};
use super::store;
use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error};

/// Most tools that one module may have.
const TOOLS: usize = 1000;

/// What became of a module's tools, by name.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Discovery {
    /// New, or changed before anybody approved them: wait to be approved.
    pub proposed: Vec<String>,
    /// No longer what was approved: frozen until the change is approved.
    pub drifted: Vec<String>,
    /// What was approved once more: callable again.
    pub restored: Vec<String>,
    /// No longer offered.
    pub withdrawn: Vec<String>,
    /// Not taken, and why.
    pub refused: Vec<(String, String)>,
    /// Of those that wait or are frozen, which are to be looked at closely; see [`super::suspicions`].
    pub suspect: Vec<String>,
}

impl Discovery {
    /// Notes a definition that is to be looked at closely.
    fn look(&mut self, definition: &Definition) {
        if !super::suspicions(&definition.text).is_empty() {
            self.suspect.push(definition.name.clone());
        }
    }

    fn changes_something(&self) -> bool {
        [&self.proposed, &self.drifted, &self.restored, &self.withdrawn].iter().any(|names| !names.is_empty())
    }
}

/// An upstream's list of tools, read.
#[derive(Debug)]
pub(super) struct Offered {
    pub(super) tools: Vec<Definition>,
    pub(super) refused: Vec<(String, String)>,
}

impl Offered {
    /// Reads each definition; one that cannot be taken does not stand in the way of the others.
    pub(super) fn read(texts: Vec<String>) -> Result<Self, Error> {
        if texts.len() > TOOLS {
            return Err(Error::invalid(
                "definitions",
                format!("the server offers {} tools and a module takes {TOOLS}", texts.len()),
            ));
        }
        let mut offered = Self { tools: Vec::with_capacity(texts.len()), refused: Vec::new() };
        let mut seen = std::collections::HashSet::new();
        for text in texts {
            match definition::read(&text) {
                Ok(tool) if seen.insert(tool.name.clone()) => offered.tools.push(tool),
                Ok(tool) => {
                    offered.refused.push((tool.name, "the server offers two tools of this name".to_owned()))
                }
                Err(why) => offered.refused.push((definition::name_of(&text), why)),
            }
        }
        // Of two with one name neither can be told to be the right one.
        let twice: Vec<String> = offered.refused.iter().map(|(name, _)| name.clone()).collect();
        offered.tools.retain(|tool| !twice.contains(&tool.name));
        Ok(offered)
    }
}

/// A tool on the shelf, as far as comparing needs it.
#[derive(Clone, Debug)]
pub(super) struct Shelved {
    pub(super) id: model::ToolId,
    pub(super) name: String,
    pub(super) hash: Digest,
    pub(super) standing: ToolStanding,
    /// Hash of what the upstream was last seen to say, while that is not what was approved.
    pub(super) seen: Option<Digest>,
    pub(super) was_approved: bool,
    /// Taken out by somebody, rather than by the upstream.
    pub(super) taken_out: bool,
}

/// What has to become of a tool on the shelf.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// Its definition is replaced; nobody has approved it (any more, or yet).
    Redefine(ToolStanding),
    /// It is frozen, and what the upstream says now is kept beside what was approved.
    Drift,
    /// It is what was approved.
    Restore,
    /// It is no longer offered.
    Withdraw,
}

/// Compares a tool on the shelf with what the upstream offers under its name.
pub(super) fn compare(tool: &Shelved, offered: Option<&Digest>) -> Option<Change> {
    use ToolStanding::*;
    match (tool.standing, offered) {
        (Withdrawn, None) => None,
        (_, None) => Some(Change::Withdraw),
        (Approved, Some(hash)) => (*hash != tool.hash).then_some(Change::Drift),
        (Drifted, Some(hash)) if *hash == tool.hash => Some(Change::Restore),
        (Drifted, Some(hash)) => (Some(*hash) != tool.seen).then_some(Change::Drift),
        (Proposed, Some(hash)) => (*hash != tool.hash).then_some(Change::Redefine(Proposed)),
        // Whoever took it out decides whether it comes back.
        (Withdrawn, Some(hash)) if tool.taken_out => {
            (*hash != tool.hash).then_some(Change::Redefine(Withdrawn))
        }
        (Withdrawn, Some(hash)) if tool.was_approved && *hash == tool.hash => Some(Change::Restore),
        (Withdrawn, Some(_)) if tool.was_approved => Some(Change::Drift),
        (Withdrawn, Some(_)) => Some(Change::Redefine(Proposed)),
    }
}

/// Compares what an upstream offers now (the JSON text of MCP `Tool` objects) with the shelf. New tools are
/// proposed, changed ones that had been approved drift, missing ones are withdrawn.
pub async fn rediscover(
    control: &Control,
    actor: &Actor,
    module: ModuleId,
    definitions: Vec<String>,
) -> Result<Discovery, Error> {
    let offered = Offered::read(definitions)?;
    // Most of the time nothing has changed; then the epoch stays and no directory is read anew.
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ChangeCatalog, "module")?;
    let view = super::one(&mut tx, module).await?;
    if view.kind != ModuleKind::Mcp {
        return Err(Error::refused(
            "built_in",
            format!("“{}” is built in: it has nothing to discover", view.title),
        ));
    }
    let shelf = store::shelf(&mut tx, module).await?;
    tx.commit().await?;
    if !differs(&shelf, &offered) {
        return Ok(Discovery { refused: offered.refused, ..Discovery::default() });
    }
    let mut tx = actor.change(control, Deed::ChangeCatalog, "module").await?;
    let discovery = apply(&mut tx, &view, offered).await?;
    if discovery.changes_something() {
        let detail = json!({
            "proposed": discovery.proposed, "drifted": discovery.drifted, "restored": discovery.restored,
            "withdrawn": discovery.withdrawn, "suspect": discovery.suspect,
        });
        tx.audit("module.rediscover", "module", module, &view.title, detail).await?;
    }
    tx.commit().await?;
    Ok(discovery)
}

/// The same where nobody asked: the module's server, at `url`, has said that its lists have changed, and this is what it offers
/// now. What was asked at another address than the module has by now says nothing.
pub async fn recheck(
    control: &Control,
    tenant: TenantId,
    module: ModuleId,
    url: &str,
    definitions: Vec<String>,
) -> Result<Discovery, Error> {
    let actor = Actor::worker(tenant);
    let mut tx = actor.read(control).await?;
    let view = super::one(&mut tx, module).await?;
    tx.commit().await?;
    if view.url.as_deref() != Some(url) {
        return Ok(Discovery::default());
    }
    rediscover(control, &actor, module, definitions).await
}

/// Whether the actor may rediscover a module, which is asked before its server is.
pub async fn may_rediscover(control: &Control, actor: &Actor, module: ModuleId) -> Result<(), Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ChangeCatalog, "module")?;
    super::one(&mut tx, module).await.map(drop)
}

fn differs(shelf: &[Shelved], offered: &Offered) -> bool {
    let hashes: HashMap<&str, &Digest> =
        offered.tools.iter().map(|tool| (tool.name.as_str(), &tool.hash)).collect();
    let known: std::collections::HashSet<&str> = shelf.iter().map(|tool| tool.name.as_str()).collect();
    shelf.iter().any(|tool| compare(tool, hashes.get(tool.name.as_str()).copied()).is_some())
        || offered.tools.iter().any(|tool| !known.contains(tool.name.as_str()))
}

/// Brings the shelf to what is offered, inside a transaction that holds the gate.
pub(super) async fn apply(
    tx: &mut TenantTx,
    module: &ModuleView,
    offered: Offered,
) -> Result<Discovery, Error> {
    let shelf = store::shelf(tx, module.id).await?;
    let mut discovery = Discovery { refused: offered.refused, ..Discovery::default() };
    let mut new: HashMap<String, Definition> =
        offered.tools.into_iter().map(|tool| (tool.name.clone(), tool)).collect();
    for tool in shelf {
        let definition = new.remove(&tool.name);
        let change = compare(&tool, definition.as_ref().map(|definition| &definition.hash));
        match (change, definition) {
            (None, _) => {}
            (Some(Change::Withdraw), _) => {
                store::withdraw(tx, tool.id, None).await?;
                discovery.withdrawn.push(tool.name);
            }
            (Some(Change::Restore), _) => {
                store::restore(tx, tool.id).await?;
                discovery.restored.push(tool.name);
            }
            (Some(Change::Drift), Some(definition)) => {
                store::drift(tx, tool.id, &definition.text).await?;
                discovery.look(&definition);
                discovery.drifted.push(tool.name);
            }
            (Some(Change::Redefine(standing)), Some(definition)) => {
                store::redefine(tx, tool.id, &definition, &key(&module.name, &definition), standing).await?;
                if standing == ToolStanding::Proposed {
                    discovery.look(&definition);
                    discovery.proposed.push(tool.name);
                }
            }
            (Some(Change::Drift | Change::Redefine(_)), None) => {}
        }
    }
    let mut new: Vec<(Definition, String)> = new
        .into_values()
        .map(|definition| {
            let key = key(&module.name, &definition);
            (definition, key)
        })
        .collect();
    new.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    for (definition, _) in &new {
        discovery.look(definition);
    }
    discovery.proposed.extend(new.iter().map(|(definition, _)| definition.name.clone()));
    store::insert_tools(tx, module.id, &new, None).await?;
    Ok(discovery)
}

/// The key that a tool of an upstream server asks for. What does not say that it only reads is taken to
/// write.
pub(super) fn key(module: &str, definition: &Definition) -> String {
    part(module, !definition.read_only)
}

/// A module's key to write, or to read.
pub(super) fn part(module: &str, writes: bool) -> String {
    format!("{module}:{}", if writes { "write" } else { "read" })
}

/// The key as a value, for tools that are shown.
pub(super) fn parsed(key: &str) -> Result<PermissionKey, Error> {
    crate::rows::word("tool", key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelved(standing: ToolStanding, was_approved: bool, taken_out: bool, seen: Option<u8>) -> Shelved {
        Shelved {
            id: uuid::Uuid::from_u128(1).into(),
            name: "echo".to_owned(),
            hash: [1; 32],
            standing,
            seen: seen.map(|byte| [byte; 32]),
            was_approved,
            taken_out,
        }
    }

    #[test]
    fn nothing_that_changed_becomes_callable_by_itself() {
        use ToolStanding::*;
        let (same, other) = ([1; 32], [2; 32]);
        for standing in [Proposed, Approved, Drifted, Withdrawn] {
            for was_approved in [false, true] {
                for taken_out in [false, true] {
                    let tool = shelved(standing, was_approved, taken_out, None);
                    assert!(
                        match compare(&tool, Some(&other)) {
                            Some(Change::Restore) => false,
                            None => standing != Approved,
                            Some(_) => true,
                        },
                        "{tool:?}"
                    );
                    if taken_out && standing == Withdrawn {
                        assert_eq!(compare(&tool, Some(&same)), None, "{tool:?}");
                    }
                }
            }
        }
        assert_eq!(compare(&shelved(Approved, true, false, None), Some(&same)), None);
        assert_eq!(compare(&shelved(Drifted, true, false, Some(2)), Some(&same)), Some(Change::Restore));
        assert_eq!(compare(&shelved(Drifted, true, false, Some(2)), Some(&other)), None);
        assert_eq!(compare(&shelved(Drifted, true, false, Some(3)), Some(&other)), Some(Change::Drift));
        assert_eq!(compare(&shelved(Withdrawn, true, false, None), Some(&same)), Some(Change::Restore));
        assert_eq!(compare(&shelved(Withdrawn, true, false, None), Some(&other)), Some(Change::Drift));
        assert_eq!(
            compare(&shelved(Withdrawn, false, false, None), Some(&same)),
            Some(Change::Redefine(Proposed))
        );
        assert_eq!(compare(&shelved(Approved, true, false, None), None), Some(Change::Withdraw));
        assert_eq!(compare(&shelved(Withdrawn, true, true, None), None), None);
    }

    #[test]
    fn of_two_tools_with_one_name_neither_is_taken() {
        let text = |name: &str| format!(r#"{{"name":"{name}","inputSchema":{{}}}}"#);
        let offered = Offered::read(vec![text("a"), text("b"), text("a"), "{".to_owned()]).unwrap();
        assert_eq!(offered.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(offered.refused.len(), 2);
    }
}

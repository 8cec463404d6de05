//! Bundles: endpoints that show a choice of the catalog under names of their own. A bundle gives no right and takes none; a
//! tool in it is the catalog's tool in all but its name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::catalog::Feature;

use crate::catalog::{Catalog, listing};
use crate::directory::{BuildError, Directory, Tool, found};
use crate::facts::BundleFact;
use crate::template;

/// All bundles, by name.
#[derive(Debug, Default)]
pub(crate) struct Bundles(HashMap<String, Bundle>);

/// One bundle.
#[derive(Debug)]
pub(crate) struct Bundle {
    title: String,
    /// By kind and by the name it has here.
    tools: BTreeMap<(Feature, Arc<str>), Arc<Tool>>,
}

impl Bundles {
    /// Finds the tools that bundles name.
    pub(crate) fn bind(facts: Vec<BundleFact>, catalog: &Catalog) -> Result<Self, BuildError> {
        let there = if facts.is_empty() { HashMap::new() } else { catalog.by_id() };
        let mut bundles = HashMap::with_capacity(facts.len());
        for BundleFact { id: _, name, title, tools: chosen } in facts {
            let mut tools = BTreeMap::new();
            for entry in chosen {
                let tool = found(there.get(&entry.tool), || format!("bundle {name}"), entry.tool)?;
                let (feature, shown) = Feature::of(&entry.name);
                let same = |name: &str| BuildError::SameName { name: name.to_owned() };
                if feature != tool.feature {
                    return Err(same(&entry.name));
                }
                let tool = Arc::new(under(tool, shown));
                if tools.insert((feature, Arc::clone(&tool.shown)), tool).is_some() {
                    return Err(same(&entry.name));
                }
            }
            if bundles.insert(name.clone(), Bundle { title, tools }).is_some() {
                return Err(BuildError::SameName { name });
            }
        }
        Ok(Self(bundles))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Bundle> {
        self.0.get(name)
    }
}

impl Bundle {
    /// What agents mean by a name or URI of this kind. A URI that no resource has may be a template's.
    pub(crate) fn find(&self, feature: Feature, shown: &str) -> Option<&Arc<Tool>> {
        let exact = self.tools.get(&(feature, Arc::from(shown)));
        if exact.is_some() || feature != Feature::Resource {
            return exact;
        }
        self.of(Feature::Template).find(|tool| template::fits(&tool.shown, shown))
    }

    /// What it has of one kind, by name.
    pub(crate) fn of(&self, feature: Feature) -> impl Iterator<Item = &Arc<Tool>> {
        self.tools.iter().filter(move |((kind, _), _)| *kind == feature).map(|(_, tool)| tool)
    }
}

/// A tool by another name. What cannot be shown, because its definition is no object, is frozen anyway.
fn under(tool: &Tool, shown: &str) -> Tool {
    let listing =
        listing(&tool.listing, tool.feature, shown).map_or_else(|| tool.listing.clone(), Into::into);
    Tool { shown: shown.into(), listing, ..tool.clone() }
}

impl Directory {
    /// The title of a bundle; none: there is no such bundle.
    pub fn bundle(&self, name: &str) -> Option<&str> {
        self.bundles.get(name).map(|bundle| bundle.title.as_str())
    }
}

impl Tool {
    /// The URI that its server knows, of the one that an agent asked for and that led to this resource or template.
    pub fn uri<'a>(&'a self, asked: &'a str) -> &'a str {
        match self.feature {
            Feature::Template if self.shown == self.name => asked,
            // The scheme is ours, with the module before it.
            Feature::Template => asked.split_once('+').map_or(asked, |(_, theirs)| theirs),
            _ => &self.name,
        }
    }
}

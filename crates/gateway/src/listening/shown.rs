//! What is listened for, and what of it a client was last told of.

use std::collections::HashSet;

use model::call::Digest;
use model::catalog::Feature;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::life::Caller;
use crate::upstream::Key;

/// The kinds of lists that change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Tools,
    Prompts,
    Resources,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Tools, Self::Prompts, Self::Resources];

    /// As methods have it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
        }
    }

    /// By which member it is asked for.
    pub(super) fn asked(self) -> &'static str {
        match self {
            Self::Tools => "toolsListChanged",
            Self::Prompts => "promptsListChanged",
            Self::Resources => "resourcesListChanged",
        }
    }

    fn features(self) -> &'static [Feature] {
        match self {
            Self::Tools => &[Feature::Tool],
            Self::Prompts => &[Feature::Prompt],
            Self::Resources => &[Feature::Resource, Feature::Template],
        }
    }
}

/// What a client of 2026-07-28 wants to hear of (`SubscriptionFilter`). What we do not tell is passed over, and missing in what is
/// acknowledged.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub(super) struct Filter {
    tools_list_changed: bool,
    prompts_list_changed: bool,
    resources_list_changed: bool,
    resource_subscriptions: Vec<String>,
}

/// Resources that are heard of on one stream, and characters of the URI of one.
const RESOURCES: usize = 64;
const LONGEST_URI: usize = 2048;

impl Filter {
    /// The resources that are to be heard of, each once. None: more than are taken.
    pub(super) fn resources(&self) -> Option<Vec<String>> {
        let mut uris = self.resource_subscriptions.clone();
        uris.sort();
        uris.dedup();
        let fit = uris.len() <= RESOURCES && uris.iter().all(|uri| uri.chars().count() <= LONGEST_URI);
        fit.then_some(uris)
    }

    pub(super) fn kinds(&self) -> Vec<Kind> {
        let wanted = [self.tools_list_changed, self.prompts_list_changed, self.resources_list_changed];
        Kind::ALL.into_iter().zip(wanted).filter_map(|(kind, wanted)| wanted.then_some(kind)).collect()
    }
}

/// What a client is shown of each kind that it listens for.
pub(super) struct Digests(Vec<(Kind, Digest)>);

impl Digests {
    pub(super) fn of(caller: &Caller, bundle: Option<&str>, kinds: &[Kind]) -> Self {
        Self(kinds.iter().map(|kind| (*kind, digest(caller, bundle, *kind))).collect())
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.0.iter().map(|(kind, _)| *kind)
    }

    /// The servers that what is shown comes from.
    pub(super) fn servers(&self, caller: &Caller, bundle: Option<&str>) -> HashSet<Key> {
        let tenant = caller.directory.tenant().id;
        let features = self.kinds().flat_map(Kind::features);
        let tools = features.flat_map(|feature| caller.offered(bundle, *feature));
        let servers = tools.filter_map(|tool| {
            let url = tool.url.clone()?;
            Some(Key { tenant, module: tool.module, url, connection: tool.connection })
        });
        servers.collect()
    }

    /// Takes what is shown now, and says of which kinds it is not what was shown before.
    pub(super) fn renewed(&mut self, caller: &Caller, bundle: Option<&str>) -> Vec<Kind> {
        let mut changed = Vec::new();
        for (kind, shown) in &mut self.0 {
            let now = digest(caller, bundle, *kind);
            if now != *shown {
                *shown = now;
                changed.push(*kind);
            }
        }
        changed
    }
}

/// Over names and the hashes of definitions: what a client sees is made of these two, and of many tools it is much less.
fn digest(caller: &Caller, bundle: Option<&str>, kind: Kind) -> Digest {
    let mut hash = Sha256::new();
    for feature in kind.features() {
        let offered = caller.offered(bundle, *feature);
        hash.update(offered.len().to_be_bytes());
        for tool in offered {
            hash.update(tool.definition_hash);
            for name in [&tool.full_name, &tool.shown] {
                hash.update(name.len().to_be_bytes());
                hash.update(name.as_bytes());
            }
        }
    }
    hash.finalize().into()
}

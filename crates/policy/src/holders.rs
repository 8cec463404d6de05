//! To whom keys are granted, for the sentence that tells somebody without a key where it is.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use model::access::{Grantee, PermissionKey};
use model::{GrantId, Timestamp};

use crate::directory::{Directory, Tool};
use crate::explain::{all_of, shown};
use crate::facts::GrantFact;

/// How many holders of a key a sentence names.
const NAMED: usize = 3;

/// A grant of a key, beside the key.
#[derive(Debug)]
pub(crate) struct Holding {
    pub(crate) grant: GrantId,
    pub(crate) grantee: Grantee,
    pub(crate) until: Option<Timestamp>,
}

/// Who holds which key by grants that have not ended.
#[derive(Debug)]
pub(crate) struct Holders {
    by_key: HashMap<PermissionKey, Vec<Holding>>,
    /// For each key that a tool asks for, found out at the first refusal: there may be thousands of holders,
    /// and whoever is refused may try again as fast as they can.
    told: HashMap<PermissionKey, OnceLock<Option<String>>>,
}

impl Holders {
    pub(crate) fn new<'a>(
        lasting: impl Iterator<Item = GrantFact>,
        wanted: impl Iterator<Item = &'a PermissionKey>,
    ) -> Self {
        let mut by_key: HashMap<PermissionKey, Vec<Holding>> = HashMap::new();
        for GrantFact { id, key, grantee, expires_at } in lasting {
            by_key.entry(key).or_default().push(Holding { grant: id, grantee, until: expires_at });
        }
        Self { by_key, told: wanted.map(|key| (key.clone(), OnceLock::new())).collect() }
    }

    /// The grants of exactly this key.
    pub(crate) fn of(&self, key: &PermissionKey) -> &[Holding] {
        self.by_key.get(key).map_or(&[], Vec::as_slice)
    }

    /// Every grant, in no order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&PermissionKey, &Holding)> {
        self.by_key.iter().flat_map(|(key, holdings)| holdings.iter().map(move |holding| (key, holding)))
    }

    /// To whom a tool's key is granted, it or its module's: units first, then roles, people and agents, each
    /// by name. None: to nobody.
    pub(crate) fn sentence_part(&self, directory: &Directory, tool: &Tool) -> Option<String> {
        match self.told.get(&tool.key) {
            Some(told) => told.get_or_init(|| self.tell(directory, tool)).clone(),
            None => self.tell(directory, tool),
        }
    }

    fn tell(&self, directory: &Directory, tool: &Tool) -> Option<String> {
        let of = |key| self.of(key).iter().map(|holding| holding.grantee);
        let all: HashSet<Grantee> = of(&tool.key).chain(of(&tool.module_key)).collect();
        let mut named: Vec<(u8, String)> = all.into_iter().map(|holder| directory.holder(holder)).collect();
        named.sort();
        let total = named.len();
        let first: Vec<String> = named.into_iter().take(NAMED).map(|(_, name)| name).collect();
        if first.is_empty() { None } else { Some(all_of(&first, total)) }
    }
}

impl Directory {
    /// A holder's place among the kinds of holders, and its name.
    fn holder(&self, holder: Grantee) -> (u8, String) {
        match holder {
            Grantee::Unit(id) => (0, self.tree.get(id).map(|unit| shown(&unit.name)).unwrap_or_default()),
            Grantee::Role(role) => (1, format!("role {}", role.title())),
            Grantee::User(id) => (2, self.people.get(&id).map(|user| shown(&user.name)).unwrap_or_default()),
            Grantee::Agent(id) => (
                3,
                self.agents.get(&id).map(|agent| format!("agent {}", shown(&agent.name))).unwrap_or_default(),
            ),
        }
    }
}

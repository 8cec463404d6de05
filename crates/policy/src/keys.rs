//! The keys that a principal holds, and until when: worked out from grants when a directory is built.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::access::{Grantee, PermissionKey};
use model::people::Role;
use model::{Timestamp, UnitId};

use crate::facts::GrantFact;
use crate::tree::Tree;

/// Permission keys, each with the instant at which the last of the grants that give it ends; none: never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys(BTreeMap<PermissionKey, Option<Timestamp>>);

impl Keys {
    /// Adds a key; of two grants of one key the later end counts.
    fn add(&mut self, key: &PermissionKey, until: Option<Timestamp>) {
        match self.0.get_mut(key) {
            Some(known) => *known = later(*known, until),
            None => {
                self.0.insert(key.clone(), until);
            }
        }
    }

    /// What grants come to, each a key with its end.
    pub(crate) fn of_grants<'a>(
        grants: impl Iterator<Item = (&'a PermissionKey, Option<Timestamp>)>,
    ) -> Self {
        let mut keys = Self::default();
        grants.for_each(|(key, until)| keys.add(key, until));
        keys
    }

    fn add_all(&mut self, others: &Self) {
        for (key, until) in &others.0 {
            self.add(key, *until);
        }
    }

    /// Until when a key that is enough for `key` is held: the key itself or its module's. The outer none: not
    /// at all; the inner: without end.
    pub(crate) fn until(&self, key: &PermissionKey, module_key: &PermissionKey) -> Option<Option<Timestamp>> {
        match (self.0.get(key), self.0.get(module_key)) {
            (Some(one), Some(other)) => Some(later(*one, *other)),
            (one, other) => one.or(other).copied(),
        }
    }

    /// The keys in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &PermissionKey> {
        self.0.keys()
    }
}

/// The later of two ends, where none is never.
fn later(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        _ => None,
    }
}

/// The earlier of two ends, where none is never.
pub(crate) fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Whether something that ends at `end` is over at `now`. It is over at that very instant.
pub(crate) fn over(end: Option<Timestamp>, now: Timestamp) -> bool {
    end.is_some_and(|end| end <= now)
}

/// Gives out the keys of principals. Those with the same units and roles and no grants of their own share
/// them.
pub(crate) struct KeyRing {
    direct: HashMap<Grantee, Keys>,
    /// What a unit gives: its own grants and those of every unit above.
    units: HashMap<UnitId, Arc<Keys>>,
    shared: HashMap<(Vec<UnitId>, Vec<Role>), Arc<Keys>>,
    none: Arc<Keys>,
}

impl KeyRing {
    /// Sorts the grants that have not ended at `now`.
    pub(crate) fn new(grants: &[GrantFact], tree: &Tree, now: Timestamp) -> Self {
        let mut direct: HashMap<Grantee, Keys> = HashMap::new();
        for grant in grants.iter().filter(|grant| !over(grant.expires_at, now)) {
            direct.entry(grant.grantee).or_default().add(&grant.key, grant.expires_at);
        }
        let none = Arc::new(Keys::default());
        let mut units: HashMap<UnitId, Arc<Keys>> = HashMap::new();
        for unit in tree.top_down() {
            let above = unit.parent.and_then(|parent| units.get(&parent)).unwrap_or(&none);
            let keys = match direct.get(&Grantee::Unit(unit.id)) {
                None => Arc::clone(above),
                Some(own) => {
                    let mut keys = Keys::clone(above);
                    keys.add_all(own);
                    Arc::new(keys)
                }
            };
            units.insert(unit.id, keys);
        }
        Self { direct, units, shared: HashMap::new(), none }
    }

    /// The keys of somebody who sits in `units` (the first one is home), holds `roles`, and may have grants
    /// of its own.
    pub(crate) fn of(&mut self, own: Grantee, units: &[UnitId], roles: &[Role]) -> Arc<Keys> {
        let shared = match (units, roles) {
            ([home], []) => Arc::clone(self.units.get(home).unwrap_or(&self.none)),
            _ => self.of_units_and_roles(units, roles),
        };
        match self.direct.get(&own) {
            None => shared,
            Some(own) => {
                let mut keys = Keys::clone(&shared);
                keys.add_all(own);
                Arc::new(keys)
            }
        }
    }

    fn of_units_and_roles(&mut self, units: &[UnitId], roles: &[Role]) -> Arc<Keys> {
        let mut place = (units.to_vec(), roles.to_vec());
        place.0.sort_unstable();
        place.0.dedup();
        place.1.sort_unstable();
        place.1.dedup();
        if let Some(known) = self.shared.get(&place) {
            return Arc::clone(known);
        }
        let mut keys = Keys::default();
        for given in place.0.iter().filter_map(|unit| self.units.get(unit)) {
            keys.add_all(given);
        }
        for given in place.1.iter().filter_map(|role| self.direct.get(&Grantee::Role(*role))) {
            keys.add_all(given);
        }
        let keys = Arc::new(keys);
        self.shared.insert(place, Arc::clone(&keys));
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn of_several_grants_the_latest_end_counts_and_never_is_latest() {
        let key = |text: &str| text.parse::<PermissionKey>().unwrap();
        let (part, module, other) = (key("crm:write"), key("crm"), key("crm:read"));
        let mut keys = Keys::default();
        keys.add(&part, Some(at(5)));
        keys.add(&part, Some(at(9)));
        keys.add(&part, Some(at(7)));
        assert_eq!(keys.until(&part, &module), Some(Some(at(9))));
        assert_eq!(keys.until(&other, &module), None);
        keys.add(&module, Some(at(12)));
        assert_eq!(keys.until(&part, &module), Some(Some(at(12))));
        assert_eq!(keys.until(&other, &module), Some(Some(at(12))));
        keys.add(&part, None);
        assert_eq!(keys.until(&part, &module), Some(None));
        assert_eq!(keys.until(&other, &module), Some(Some(at(12))));
    }

    #[test]
    fn what_ends_now_is_over() {
        assert!(over(Some(at(5)), at(5)));
        assert!(!over(Some(at(6)), at(5)));
        assert!(!over(None, at(5)));
        assert_eq!(earlier(Some(at(5)), None), Some(at(5)));
        assert_eq!(earlier(None, Some(at(5))), Some(at(5)));
        assert_eq!(earlier(Some(at(4)), Some(at(5))), Some(at(4)));
    }
}

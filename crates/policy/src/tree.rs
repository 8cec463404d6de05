//! The tenant's units as a tree: checked, and with the way from the top down to each.

use std::collections::HashMap;
use std::sync::Arc;

use model::UnitId;

use crate::directory::BuildError;
use crate::facts::UnitFact;

/// How many units may stand in one line from a top-level unit down. Nobody's organization is that deep;
/// without a bound, a chain of many thousand units would need memory with the square of its length.
pub const MAX_UNIT_DEPTH: usize = 256;

/// A unit that is in its place.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) id: UnitId,
    pub(crate) parent: Option<UnitId>,
    pub(crate) name: String,
    /// From the top down to this unit.
    pub(crate) path: Arc<[UnitId]>,
}

/// All units.
#[derive(Debug)]
pub(crate) struct Tree {
    units: HashMap<UnitId, Unit>,
    /// Parents before children.
    order: Vec<UnitId>,
}

impl Tree {
    /// Puts the units in their places. Takes time with the number of units and the depth of the tree, and no
    /// stack.
    pub(crate) fn grow(facts: Vec<UnitFact>) -> Result<Self, BuildError> {
        let mut rows: HashMap<UnitId, UnitFact> = HashMap::with_capacity(facts.len());
        let mut ids = Vec::with_capacity(facts.len());
        for fact in facts {
            ids.push(fact.id);
            if let Some(twice) = rows.insert(fact.id, fact) {
                return Err(BuildError::Twice { what: format!("unit {} ({})", twice.name, twice.id) });
            }
        }
        let mut tree =
            Self { units: HashMap::with_capacity(rows.len()), order: Vec::with_capacity(rows.len()) };
        for id in ids {
            tree.place(id, &mut rows)?;
        }
        Ok(tree)
    }

    /// Takes a unit, and first all above it that are not in the tree yet, out of `rows` and into the tree.
    fn place(&mut self, id: UnitId, rows: &mut HashMap<UnitId, UnitFact>) -> Result<(), BuildError> {
        let mut chain: Vec<UnitFact> = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next.filter(|id| !self.units.contains_key(id)) {
            match rows.remove(&id) {
                Some(fact) => {
                    next = fact.parent;
                    chain.push(fact);
                }
                // Not in the tree and no longer among the rows: it is further down in this very chain.
                None if chain.iter().any(|below| below.id == id) => {
                    let unit = chain.last().map_or_else(String::new, |below| below.name.clone());
                    return Err(BuildError::Circle { unit });
                }
                None => {
                    let what = chain.last().map_or_else(String::new, |below| format!("unit {}", below.name));
                    return Err(BuildError::Dangling { what, missing: id.to_string() });
                }
            }
        }
        let mut path: Vec<UnitId> =
            next.and_then(|id| self.units.get(&id)).map_or_else(Vec::new, |unit| unit.path.to_vec());
        for fact in chain.into_iter().rev() {
            path.push(fact.id);
            if path.len() > MAX_UNIT_DEPTH {
                return Err(BuildError::TooDeep { unit: fact.name });
            }
            self.order.push(fact.id);
            let unit =
                Unit { id: fact.id, parent: fact.parent, name: fact.name, path: Arc::from(path.as_slice()) };
            self.units.insert(fact.id, unit);
        }
        Ok(())
    }

    /// A unit by its id.
    pub(crate) fn get(&self, id: UnitId) -> Option<&Unit> {
        self.units.get(&id)
    }

    /// Every unit, parents before children.
    pub(crate) fn top_down(&self) -> impl Iterator<Item = &Unit> {
        self.order.iter().filter_map(|id| self.units.get(id))
    }
}

#[cfg(test)]
mod tests {
    use model::people::UnitKind;
    use uuid::Uuid;

    use super::*;

    fn id(n: u128) -> UnitId {
        UnitId::from(Uuid::from_u128(n))
    }

    fn unit(n: u128, parent: Option<u128>) -> UnitFact {
        UnitFact { id: id(n), parent: parent.map(id), kind: UnitKind::Team, name: format!("U{n}") }
    }

    #[test]
    fn units_find_their_places_whatever_their_order() {
        let tree =
            Tree::grow(vec![unit(3, Some(2)), unit(4, None), unit(2, Some(1)), unit(1, None)]).unwrap();
        assert_eq!(*tree.get(id(3)).unwrap().path, [id(1), id(2), id(3)]);
        let order: Vec<_> = tree.top_down().map(|unit| unit.id).collect();
        assert_eq!(order, [id(1), id(2), id(3), id(4)]);
    }

    #[test]
    fn what_is_no_tree_is_refused_by_name() {
        let refused = |units| Tree::grow(units).unwrap_err().to_string();
        assert_eq!(refused(vec![unit(1, Some(1))]), "the units above U1 form a circle");
        assert_eq!(
            refused(vec![unit(4, Some(3)), unit(1, Some(3)), unit(2, Some(1)), unit(3, Some(2))]),
            "the units above U1 form a circle"
        );
        assert_eq!(
            refused(vec![unit(1, Some(9))]),
            format!("unit U1 refers to {}, which is not among the facts", id(9))
        );
        assert!(refused(vec![unit(1, None), unit(1, None)]).contains("twice"));
    }

    #[test]
    fn a_chain_has_a_bound() {
        let chain = |length: u128| (1..=length).map(|n| unit(n, (n > 1).then(|| n - 1))).rev().collect();
        assert!(Tree::grow(chain(256)).is_ok());
        let error = Tree::grow(chain(100_000)).unwrap_err().to_string();
        assert!(error.contains("256"), "{error}");
    }
}

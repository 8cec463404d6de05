//! The tree, each unit with how many sit in it and below.

use std::collections::HashMap;

use model::UnitId;
use model::people::UnitView;

use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, units};

/// A unit in the tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// The unit.
    pub view: UnitView,
    /// How many units are above it.
    pub depth: usize,
    /// People who sit in it or below.
    pub people: u64,
    /// Agents that sit there.
    pub agents: u64,
}

/// All units: each directly before those below it, siblings by name.
pub async fn tree(control: &Control, actor: &Actor) -> Result<Vec<Node>, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadPeople, "tree of units")?;
    read(&mut tx).await
}

pub(super) async fn read(tx: &mut TenantTx) -> Result<Vec<Node>, Error> {
    let units = units::live(tx).await?;
    let tenant = tx.tenant_uuid();
    let rows = sqlx::query!(
        r#"SELECT unit AS "unit!", sum(people)::bigint AS "people!", sum(agents)::bigint AS "agents!"
           FROM (SELECT home_unit_id AS unit, count(*) AS people, 0 AS agents
                 FROM users WHERE tenant_id = $1 AND removed_at IS NULL GROUP BY home_unit_id
                 UNION ALL
                 SELECT home_unit_id, 0, count(*) FROM agents WHERE tenant_id = $1 AND retired_at IS NULL
                 GROUP BY home_unit_id) AS sitting
           GROUP BY unit"#,
        tenant,
    )
    .fetch_all(tx.conn())
    .await?;
    let sitting: HashMap<UnitId, (u64, u64)> = rows
        .into_iter()
        .map(|row| (row.unit.into(), (row.people.unsigned_abs(), row.agents.unsigned_abs())))
        .collect();
    Ok(arranged(units, &sitting))
}

/// Puts units, given by name, into the order of the tree and adds up what sits below each.
fn arranged(units: Vec<UnitView>, sitting: &HashMap<UnitId, (u64, u64)>) -> Vec<Node> {
    let mut children: HashMap<Option<UnitId>, Vec<UnitView>> = HashMap::new();
    // From the last name to the first: they are taken from the end.
    for unit in units.into_iter().rev() {
        children.entry(unit.parent).or_default().push(unit);
    }
    let mut nodes: Vec<Node> = Vec::new();
    let mut open = vec![children.remove(&None).unwrap_or_default()];
    while let Some(level) = open.last_mut() {
        match level.pop() {
            None => {
                open.pop();
            }
            Some(view) => {
                let (people, agents) = sitting.get(&view.id).copied().unwrap_or_default();
                let below = children.remove(&Some(view.id)).unwrap_or_default();
                nodes.push(Node { view, depth: open.len() - 1, people, agents });
                open.push(below);
            }
        }
    }
    // From the bottom up: what is below a unit stands between it and the next that is not deeper.
    let mut above: Vec<(usize, u64, u64)> = Vec::new();
    for node in nodes.iter_mut().rev() {
        while let Some((depth, people, agents)) = above.last().copied() {
            if depth <= node.depth {
                break;
            }
            if depth == node.depth + 1 {
                node.people += people;
                node.agents += agents;
            }
            above.pop();
        }
        above.push((node.depth, node.people, node.agents));
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::people::UnitKind;
    use uuid::Uuid;

    #[test]
    fn the_tree_is_in_order_and_adds_up() {
        let id = |n: u128| UnitId::from(Uuid::from_u128(n));
        let unit = |n: u128, parent: Option<u128>, name: &str| UnitView {
            id: id(n),
            parent: parent.map(id),
            kind: UnitKind::Team,
            name: name.to_owned(),
        };
        // By name, as they are read.
        let units = vec![
            unit(4, Some(2), "Americas"),
            unit(5, Some(4), "Brazil"),
            unit(3, Some(2), "EMEA"),
            unit(6, Some(9), "Lost"),
            unit(1, None, "Marketing"),
            unit(2, None, "Sales"),
        ];
        let sitting = [(1, (5, 0)), (2, (1, 1)), (3, (10, 2)), (4, (100, 0)), (5, (1000, 3))];
        let sitting = sitting.into_iter().map(|(n, counts)| (id(n), counts)).collect();
        let said: Vec<_> = arranged(units, &sitting)
            .into_iter()
            .map(|node| (node.view.name, node.depth, node.people, node.agents))
            .collect();
        let expected = [
            ("Marketing", 0, 5, 0),
            ("Sales", 0, 1111, 6),
            ("Americas", 1, 1100, 3),
            ("Brazil", 2, 1000, 3),
            ("EMEA", 1, 10, 2),
        ];
        assert_eq!(
            said,
            expected.map(|(name, depth, people, agents)| (name.to_owned(), depth, people, agents))
        );
    }
}

//! A unit's page: where it is, what is below, who holds roles on it, what it was given.

use model::access::PermissionKey;
use model::people::{Role, UnitView};
use model::{GrantId, Timestamp, UnitId, UserId};

use super::tree::{self, Node};
use crate::authority::{self, Deed};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, rows, units};

/// What a unit's page tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnitStory {
    /// The unit, with how many sit in it and below.
    pub node: Node,
    /// The units from the top down to this one.
    pub path: Vec<UnitView>,
    /// The units directly below.
    pub children: Vec<Node>,
    /// Roles held on it and, further down, those held on units above, which hold here too.
    pub roles: Vec<RoleHere>,
    /// What was given to it, and to units above; none: the reader may not see grants.
    pub grants: Option<Vec<GrantHere>>,
}

/// A role that somebody holds on a unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleHere {
    /// Who.
    pub person: (UserId, String),
    /// What.
    pub role: Role,
    /// On which unit: this one, or one above.
    pub unit: (UnitId, String),
    /// Who gave it.
    pub given_by: String,
    /// When.
    pub given_at: Timestamp,
}

/// A permission key that was given to a unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrantHere {
    /// The grant.
    pub id: GrantId,
    /// The key.
    pub key: PermissionKey,
    /// To which unit: this one, or one above.
    pub unit: (UnitId, String),
    /// Who gave it.
    pub given_by: String,
    /// When.
    pub given_at: Timestamp,
    /// Until when; none: until it is revoked.
    pub expires_at: Option<Timestamp>,
}

/// One unit that is not archived.
pub async fn unit(control: &Control, actor: &Actor, unit: UnitId) -> Result<UnitStory, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadPeople, "such unit")?;
    let nodes = tree::read(&mut tx).await?;
    let node = nodes
        .iter()
        .find(|node| node.view.id == unit)
        .cloned()
        .ok_or_else(|| Error::not_found("such unit"))?;
    let views: Vec<UnitView> = nodes.iter().map(|node| node.view.clone()).collect();
    let path: Vec<UnitView> = units::line(&views, unit).into_iter().cloned().collect();
    let children = nodes.into_iter().filter(|node| node.view.parent == Some(unit)).collect();
    let ids: Vec<uuid::Uuid> = path.iter().rev().map(|unit| unit.id.uuid()).collect();
    let roles = roles(&mut tx, &ids).await?;
    let grants = match authority::may(actor, Deed::ReadGrants) {
        true => Some(grants(&mut tx, &ids).await?),
        false => None,
    };
    Ok(UnitStory { node, path, children, roles, grants })
}

/// Of the units given, in their order.
async fn roles(tx: &mut TenantTx, units: &[uuid::Uuid]) -> Result<Vec<RoleHere>, Error> {
    let tenant = tx.tenant_uuid();
    sqlx::query!(
        "SELECT r.role, r.given_by, r.given_at, u.id, u.name, n.id AS unit_id, n.name AS unit_name
         FROM role_assignments r
         JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.user_id
         JOIN units n ON n.tenant_id = r.tenant_id AND n.id = r.unit_id
         WHERE r.tenant_id = $1 AND r.unit_id = ANY ($2)
         ORDER BY array_position($2, r.unit_id), lower(u.name), u.id, r.role
         LIMIT 200",
        tenant,
        units,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(RoleHere {
            person: (row.id.into(), row.name),
            role: rows::word("role", &row.role)?,
            unit: (row.unit_id.into(), row.unit_name),
            given_by: row.given_by,
            given_at: row.given_at,
        })
    })
    .collect()
}

async fn grants(tx: &mut TenantTx, units: &[uuid::Uuid]) -> Result<Vec<GrantHere>, Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "SELECT g.id, g.permission_key, g.given_by, g.given_at, g.expires_at, n.id AS unit_id, n.name AS unit_name
         FROM grants g
         JOIN units n ON n.tenant_id = g.tenant_id AND n.id = g.unit_id
         WHERE g.tenant_id = $1 AND g.unit_id = ANY ($2) AND (g.expires_at IS NULL OR g.expires_at > $3)
         ORDER BY array_position($2, g.unit_id), g.permission_key
         LIMIT 500",
        tenant,
        units,
        now,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(GrantHere {
            id: row.id.into(),
            key: rows::word("grant", &row.permission_key)?,
            unit: (row.unit_id.into(), row.unit_name),
            given_by: row.given_by,
            given_at: row.given_at,
            expires_at: row.expires_at,
        })
    })
    .collect()
}

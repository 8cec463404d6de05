//! People and agents in lists: searched, filtered and paged by the database.

use std::collections::HashMap;

use model::people::{Role, Standing};
use model::{AgentId, Timestamp, UnitId, UserId, words};
use uuid::Uuid;

use crate::actor::Actor;
use crate::authority::{self, Deed};
use crate::tx::TenantTx;
use crate::{Control, Error, rows};

/// Rows on one page.
pub const PAGE: u32 = 50;

words! {
    /// Whether somebody is here.
    Presence {
        /// May act.
        Active = "active",
        /// May not act until made active again.
        Suspended = "suspended",
        /// Has left for good.
        Removed = "removed",
    }
}

/// Which people are wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sought {
    /// Those who sit in this unit or below, or are members there.
    pub unit: Option<UnitId>,
    /// Part of the name or mail address; case does not matter.
    pub text: Option<String>,
    /// Those who hold this role, anywhere.
    pub role: Option<Role>,
    /// Those who are so; none: those who were not removed.
    pub presence: Option<Presence>,
    /// Which page, from 0.
    pub page: u32,
}

/// Which agents are wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SoughtAgents {
    /// Those that sit in this unit or below.
    pub unit: Option<UnitId>,
    /// Part of the agent's or its owner's name; case does not matter.
    pub text: Option<String>,
    /// Those that are so.
    pub standing: Option<Standing>,
    /// Those of this person.
    pub owner: Option<UserId>,
    /// Which page, from 0.
    pub page: u32,
}

/// One page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// How many rows all pages have.
    pub total: u64,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), total: 0 }
    }
}

/// A role, and the unit where it holds if not everywhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleAt {
    /// The role.
    pub role: Role,
    /// The unit.
    pub unit: Option<(UnitId, String)>,
}

/// A person in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonLine {
    /// Their id.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// Their mail address.
    pub email: String,
    /// The unit they sit in.
    pub home: (UnitId, String),
    /// Whether they are here.
    pub presence: Presence,
    /// What they may do.
    pub roles: Vec<RoleAt>,
    /// How many agents they own.
    pub agents: u64,
}

/// An agent in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentLine {
    /// Its id.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// The person who answers for it.
    pub owner: (UserId, String),
    /// Whether they are here.
    pub owner_presence: Presence,
    /// The unit it sits in.
    pub home: (UnitId, String),
    /// Whether it may act.
    pub standing: Standing,
    /// Its keys that are in force.
    pub keys: u64,
}

/// Whether somebody sees nobody but themselves and their own agents.
pub fn seen_alone(actor: &Actor) -> bool {
    !authority::may(actor, Deed::ReadPeople)
}

/// People by name, one page. Those who may not see people find themselves alone.
pub async fn people(control: &Control, actor: &Actor, sought: &Sought) -> Result<Listed<PersonLine>, Error> {
    let mut tx = actor.read(control).await?;
    let only = only(actor)?;
    let (tenant, text) =
        (tx.tenant_uuid(), sought.text.as_deref().map(str::trim).filter(|it| !it.is_empty()));
    let unit = sought.unit.map(|unit| unit.uuid());
    let (role, presence) = (sought.role.map(Role::word), sought.presence.map(Presence::word));
    let found = sqlx::query!(
        r#"WITH RECURSIVE inside (id) AS (
               SELECT n.id FROM units n WHERE n.tenant_id = $1 AND n.id = $2
               UNION
               SELECT n.id FROM units n JOIN inside i ON n.parent_id = i.id
               WHERE n.tenant_id = $1 AND n.archived_at IS NULL
           ), found AS (
               SELECT u.id, u.name FROM users u
               WHERE u.tenant_id = $1
                 AND ($2::uuid IS NULL OR u.home_unit_id IN (SELECT id FROM inside)
                      OR EXISTS (SELECT FROM memberships m WHERE m.tenant_id = $1 AND m.user_id = u.id
                                 AND m.unit_id IN (SELECT id FROM inside)))
                 AND ($3::text IS NULL OR strpos(lower(u.name), lower($3)) > 0 OR strpos(u.email, lower($3)) > 0)
                 AND ($4::text IS NULL OR EXISTS (SELECT FROM role_assignments r
                                                  WHERE r.tenant_id = $1 AND r.user_id = u.id AND r.role = $4))
                 AND CASE $5::text
                         WHEN 'removed' THEN u.removed_at IS NOT NULL
                         WHEN 'suspended' THEN u.removed_at IS NULL AND u.standing = 'suspended'
                         WHEN 'active' THEN u.standing = 'active'
                         ELSE u.removed_at IS NULL
                     END
                 AND ($6::uuid IS NULL OR u.id = $6)
           ), page AS (
               SELECT f.id, count(*) OVER () AS total FROM found f
               ORDER BY lower(f.name), f.id LIMIT $7 OFFSET $8
           )
           SELECT u.id, u.name, u.email, u.standing, u.removed_at, u.home_unit_id, n.name AS unit_name,
                  p.total AS "total!",
                  (SELECT count(*) FROM agents a
                   WHERE a.tenant_id = u.tenant_id AND a.owner_id = u.id AND a.retired_at IS NULL) AS "agents!"
           FROM page p
           JOIN users u ON u.tenant_id = $1 AND u.id = p.id
           JOIN units n ON n.tenant_id = u.tenant_id AND n.id = u.home_unit_id
           ORDER BY lower(u.name), u.id"#,
        tenant,
        unit,
        text,
        role,
        presence,
        only.map(|user| user.uuid()),
        i64::from(PAGE),
        i64::from(sought.page) * i64::from(PAGE),
    )
    .fetch_all(tx.conn())
    .await?;
    let total = found.first().map_or(0, |row| row.total.unsigned_abs());
    let ids: Vec<Uuid> = found.iter().map(|row| row.id).collect();
    let mut roles = roles(&mut tx, &ids).await?;
    let rows = found
        .into_iter()
        .map(|row| {
            Ok(PersonLine {
                roles: roles.remove(&row.id).unwrap_or_default(),
                id: row.id.into(),
                name: row.name,
                email: row.email,
                home: (row.home_unit_id.into(), row.unit_name),
                presence: presence_of(&row.standing, row.removed_at)?,
                agents: row.agents.unsigned_abs(),
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(Listed { rows, total })
}

/// Agents by name, one page. Those who may not see people find their own alone.
pub async fn agents(
    control: &Control,
    actor: &Actor,
    sought: &SoughtAgents,
) -> Result<Listed<AgentLine>, Error> {
    let mut tx = actor.read(control).await?;
    let owner = match (only(actor)?, sought.owner) {
        (None, wanted) => wanted,
        (Some(own), None) => Some(own),
        (Some(own), Some(wanted)) if own == wanted => Some(own),
        (Some(_), Some(_)) => return Ok(Listed::default()),
    };
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let text = sought.text.as_deref().map(str::trim).filter(|it| !it.is_empty());
    let found = sqlx::query!(
        r#"WITH RECURSIVE inside (id) AS (
               SELECT n.id FROM units n WHERE n.tenant_id = $1 AND n.id = $2
               UNION
               SELECT n.id FROM units n JOIN inside i ON n.parent_id = i.id
               WHERE n.tenant_id = $1 AND n.archived_at IS NULL
           ), page AS (
               SELECT a.id, count(*) OVER () AS total
               FROM agents a JOIN users u ON u.tenant_id = a.tenant_id AND u.id = a.owner_id
               WHERE a.tenant_id = $1 AND a.retired_at IS NULL
                 AND ($2::uuid IS NULL OR a.home_unit_id IN (SELECT id FROM inside))
                 AND ($3::text IS NULL OR strpos(lower(a.name), lower($3)) > 0 OR strpos(lower(u.name), lower($3)) > 0)
                 AND ($4::text IS NULL OR a.standing = $4)
                 AND ($5::uuid IS NULL OR a.owner_id = $5)
               ORDER BY lower(a.name), a.id LIMIT $6 OFFSET $7
           )
           SELECT a.id, a.name, a.standing, a.owner_id, u.name AS owner_name, u.standing AS owner_standing, u.removed_at,
                  a.home_unit_id, n.name AS unit_name, p.total AS "total!",
                  (SELECT count(*) FROM credentials c
                   WHERE c.tenant_id = a.tenant_id AND c.agent_id = a.id AND c.revoked_at IS NULL
                     AND (c.expires_at IS NULL OR c.expires_at > $8)) AS "keys!"
           FROM page p
           JOIN agents a ON a.tenant_id = $1 AND a.id = p.id
           JOIN users u ON u.tenant_id = a.tenant_id AND u.id = a.owner_id
           JOIN units n ON n.tenant_id = a.tenant_id AND n.id = a.home_unit_id
           ORDER BY lower(a.name), a.id"#,
        tenant,
        sought.unit.map(|unit| unit.uuid()),
        text,
        sought.standing.map(Standing::word),
        owner.map(|owner| owner.uuid()),
        i64::from(PAGE),
        i64::from(sought.page) * i64::from(PAGE),
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    let total = found.first().map_or(0, |row| row.total.unsigned_abs());
    let rows = found
        .into_iter()
        .map(|row| {
            Ok(AgentLine {
                id: row.id.into(),
                name: row.name,
                owner: (row.owner_id.into(), row.owner_name),
                owner_presence: presence_of(&row.owner_standing, row.removed_at)?,
                home: (row.home_unit_id.into(), row.unit_name),
                standing: rows::word("agent", &row.standing)?,
                keys: row.keys.unsigned_abs(),
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(Listed { rows, total })
}

/// Whom alone somebody sees; none: everybody.
fn only(actor: &Actor) -> Result<Option<UserId>, Error> {
    match (seen_alone(actor), actor.user_id()) {
        (false, _) => Ok(None),
        (true, Some(own)) => Ok(Some(own)),
        (true, None) => Err(Error::not_found("list of people")),
    }
}

pub(super) fn presence_of(standing: &str, removed_at: Option<Timestamp>) -> Result<Presence, Error> {
    Ok(match (rows::word("user", standing)?, removed_at) {
        (_, Some(_)) => Presence::Removed,
        (Standing::Suspended, None) => Presence::Suspended,
        (Standing::Active, None) => Presence::Active,
    })
}

/// The roles of some people: those of the whole organization first.
async fn roles(tx: &mut TenantTx, people: &[Uuid]) -> Result<HashMap<Uuid, Vec<RoleAt>>, Error> {
    let tenant = tx.tenant_uuid();
    let held = sqlx::query!(
        r#"SELECT r.user_id, r.role, r.unit_id, n.name AS "unit_name?"
           FROM role_assignments r
           LEFT JOIN units n ON n.tenant_id = r.tenant_id AND n.id = r.unit_id
           WHERE r.tenant_id = $1 AND r.user_id = ANY ($2)
           ORDER BY r.unit_id IS NOT NULL, r.given_at, r.id"#,
        tenant,
        people,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut roles: HashMap<Uuid, Vec<RoleAt>> = HashMap::new();
    for row in held {
        let unit = row.unit_id.map(Into::into).zip(row.unit_name);
        roles.entry(row.user_id).or_default().push(RoleAt { role: rows::word("role", &row.role)?, unit });
    }
    Ok(roles)
}

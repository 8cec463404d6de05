//! Those whom keys are given to, by name, and choosing among them and among keys: always a page of what is looked for.

use std::collections::HashMap;

use model::access::{Grantee, PermissionKey};
use model::people::{Role, Standing};
use model::{UnitId, words};

use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, rows};

/// Rows on a page of choices.
const PAGE: i64 = 50;

words! {
    /// The kinds of those whom keys are given to.
    Kind {
        /// Departments and teams.
        Units = "units",
        /// Roles.
        Roles = "roles",
        /// People.
        People = "people",
        /// Agents.
        Agents = "agents",
    }
}

impl Kind {
    /// Of which kind somebody is.
    pub fn of(grantee: Grantee) -> Self {
        match grantee {
            Grantee::Unit(_) => Self::Units,
            Grantee::Role(_) => Self::Roles,
            Grantee::User(_) => Self::People,
            Grantee::Agent(_) => Self::Agents,
        }
    }
}

/// Somebody to whom keys may be given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// Who.
    pub grantee: Grantee,
    /// The name; of a role its word.
    pub name: String,
    /// What tells it from others of that name: of a unit the one above, of people and agents their home unit.
    pub note: Option<String>,
    /// How many units are directly below, of a unit.
    pub below: i64,
    /// Whether it may not act at present.
    pub suspended: bool,
}

impl Named {
    /// A role.
    pub fn role(role: Role) -> Self {
        let (grantee, name) = (Grantee::Role(role), role.word().to_owned());
        Self { grantee, name, note: None, below: 0, suspended: false }
    }

    /// In a sentence: `agent “Inbox helper”`.
    pub fn words(&self) -> String {
        super::words(self.grantee, &self.name)
    }
}

/// A page of what was looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found<T> {
    /// What is on the page.
    pub rows: Vec<T>,
    /// How many there are on all pages; 0 on a page behind the last one.
    pub total: i64,
}

/// A permission key that can be given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyChoice {
    /// The key.
    pub key: PermissionKey,
    /// What it is for.
    pub title: String,
    /// Its module's title.
    pub module: String,
}

/// Keys whose text, title or module contains `text`, fifty on a page, the first one being 0.
pub async fn keys(
    control: &Control,
    actor: &Actor,
    text: &str,
    page: u32,
) -> Result<Found<KeyChoice>, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadGrants, "list of keys")?;
    let tenant = tx.tenant_uuid();
    let found = sqlx::query!(
        r#"SELECT k.key, k.title, m.title AS module, count(*) OVER () AS "total!"
           FROM permission_keys k
           JOIN modules m ON m.tenant_id = k.tenant_id AND m.id = k.module_id
           WHERE k.tenant_id = $1
             AND (strpos(k.key, lower($2)) > 0 OR strpos(lower(k.title), lower($2)) > 0 OR strpos(lower(m.title), lower($2)) > 0)
           ORDER BY k.key LIMIT $3 OFFSET $4"#,
        tenant,
        text,
        PAGE,
        i64::from(page) * PAGE,
    )
    .fetch_all(tx.conn())
    .await?;
    let total = found.first().map_or(0, |row| row.total);
    let rows = found
        .into_iter()
        .map(|row| {
            Ok(KeyChoice {
                key: rows::word("permission key", &row.key)?,
                title: row.title,
                module: row.module,
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(Found { rows, total })
}

/// Units, roles, people or agents whose name contains `text`, fifty on a page, the first one being 0.
pub async fn grantees(
    control: &Control,
    actor: &Actor,
    kind: Kind,
    text: &str,
    page: u32,
) -> Result<Found<Named>, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadGrants, "list of grantees")?;
    let (limit, offset) = (PAGE, i64::from(page) * PAGE);
    match kind {
        Kind::Units => units(&mut tx, text, Where::Anywhere, limit, offset).await,
        Kind::Roles => Ok(roles(text)),
        Kind::People => people(&mut tx, text, None, limit, offset).await,
        Kind::Agents => agents(&mut tx, text, None, limit, offset).await,
    }
}

/// One who may be given keys, by name.
pub async fn grantee(control: &Control, actor: &Actor, grantee: Grantee) -> Result<Named, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadGrants, "grantee")?;
    one(&mut tx, grantee).await
}

/// The roles whose word contains a text.
pub(super) fn roles(text: &str) -> Found<Named> {
    let wanted = text.to_lowercase();
    let rows: Vec<Named> = Role::ALL
        .iter()
        .filter(|role| role.word().contains(&wanted))
        .map(|role| Named::role(*role))
        .collect();
    Found { total: rows.len() as i64, rows }
}

/// Which units are looked at.
#[derive(Clone, Copy)]
pub(super) enum Where {
    /// All of them.
    Anywhere,
    /// Those at the top.
    Top,
    /// Those directly below one.
    Below(UnitId),
}

pub(super) async fn units(
    tx: &mut TenantTx,
    text: &str,
    place: Where,
    limit: i64,
    offset: i64,
) -> Result<Found<Named>, Error> {
    let tenant = tx.tenant_uuid();
    let parent = if let Where::Below(parent) = place { Some(parent.uuid()) } else { None };
    let found = sqlx::query!(
        r#"SELECT u.id, u.name, p.name AS "note?", count(*) OVER () AS "total!",
                  (SELECT count(*) FROM units c
                   WHERE c.tenant_id = u.tenant_id AND c.parent_id = u.id AND c.archived_at IS NULL) AS "below!"
           FROM units u
           LEFT JOIN units p ON p.tenant_id = u.tenant_id AND p.id = u.parent_id
           WHERE u.tenant_id = $1 AND u.archived_at IS NULL AND strpos(lower(u.name), lower($2)) > 0
             AND ($3 OR u.parent_id IS NOT DISTINCT FROM $4)
           ORDER BY lower(u.name), u.id LIMIT $5 OFFSET $6"#,
        tenant,
        text,
        matches!(place, Where::Anywhere),
        parent,
        limit,
        offset,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Found {
        total: found.first().map_or(0, |row| row.total),
        rows: found
            .into_iter()
            .map(|row| Named {
                grantee: Grantee::Unit(row.id.into()),
                name: row.name,
                note: row.note,
                below: row.below,
                suspended: false,
            })
            .collect(),
    })
}

/// People by name or mail address; with `within`, those of that unit and all below it.
pub(super) async fn people(
    tx: &mut TenantTx,
    text: &str,
    within: Option<UnitId>,
    limit: i64,
    offset: i64,
) -> Result<Found<Named>, Error> {
    let tenant = tx.tenant_uuid();
    let found = sqlx::query!(
        r#"WITH RECURSIVE inside (id) AS (
               SELECT $3::uuid
               UNION
               SELECT c.id FROM units c JOIN inside ON c.parent_id = inside.id WHERE c.tenant_id = $1
           )
           SELECT u.id, u.name, n.name AS note, u.standing, count(*) OVER () AS "total!"
           FROM users u
           JOIN units n ON n.tenant_id = u.tenant_id AND n.id = u.home_unit_id
           WHERE u.tenant_id = $1 AND u.removed_at IS NULL
             AND (strpos(lower(u.name), lower($2)) > 0 OR strpos(u.email, lower($2)) > 0)
             AND ($3::uuid IS NULL OR u.id IN (
                 SELECT h.id FROM users h WHERE h.tenant_id = $1 AND h.home_unit_id IN (SELECT id FROM inside)
                 UNION
                 SELECT m.user_id FROM memberships m WHERE m.tenant_id = $1 AND m.unit_id IN (SELECT id FROM inside)))
           ORDER BY lower(u.name), u.id LIMIT $4 OFFSET $5"#,
        tenant,
        text,
        within.map(|unit| unit.uuid()),
        limit,
        offset,
    )
    .fetch_all(tx.conn())
    .await?;
    let total = found.first().map_or(0, |row| row.total);
    let rows = found
        .into_iter()
        .map(|row| named(Grantee::User(row.id.into()), row.name, row.note, &row.standing))
        .collect::<Result<_, Error>>()?;
    Ok(Found { rows, total })
}

/// Agents by name; with `within`, those of that unit and all below it.
pub(super) async fn agents(
    tx: &mut TenantTx,
    text: &str,
    within: Option<UnitId>,
    limit: i64,
    offset: i64,
) -> Result<Found<Named>, Error> {
    let tenant = tx.tenant_uuid();
    let found = sqlx::query!(
        r#"WITH RECURSIVE inside (id) AS (
               SELECT $3::uuid
               UNION
               SELECT c.id FROM units c JOIN inside ON c.parent_id = inside.id WHERE c.tenant_id = $1
           )
           SELECT a.id, a.name, n.name AS note, a.standing, count(*) OVER () AS "total!"
           FROM agents a
           JOIN units n ON n.tenant_id = a.tenant_id AND n.id = a.home_unit_id
           WHERE a.tenant_id = $1 AND a.retired_at IS NULL AND strpos(lower(a.name), lower($2)) > 0
             AND ($3::uuid IS NULL OR a.home_unit_id IN (SELECT id FROM inside))
           ORDER BY lower(a.name), a.id LIMIT $4 OFFSET $5"#,
        tenant,
        text,
        within.map(|unit| unit.uuid()),
        limit,
        offset,
    )
    .fetch_all(tx.conn())
    .await?;
    let total = found.first().map_or(0, |row| row.total);
    let rows = found
        .into_iter()
        .map(|row| named(Grantee::Agent(row.id.into()), row.name, row.note, &row.standing))
        .collect::<Result<_, Error>>()?;
    Ok(Found { rows, total })
}

fn named(grantee: Grantee, name: String, note: String, standing: &str) -> Result<Named, Error> {
    let suspended = rows::word::<Standing>("grantee", standing)? == Standing::Suspended;
    Ok(Named { grantee, name, note: Some(note), below: 0, suspended })
}

/// Some by who they are. Whoever is not there, or is archived, is not among the answers.
pub(super) async fn by_id(tx: &mut TenantTx, wanted: &[Grantee]) -> Result<HashMap<Grantee, Named>, Error> {
    let tenant = tx.tenant_uuid();
    let (mut units, mut users, mut agents) = (Vec::new(), Vec::new(), Vec::new());
    let mut all: HashMap<Grantee, Named> = HashMap::with_capacity(wanted.len());
    for grantee in wanted {
        match grantee {
            Grantee::Unit(id) => units.push(id.uuid()),
            Grantee::User(id) => users.push(id.uuid()),
            Grantee::Agent(id) => agents.push(id.uuid()),
            Grantee::Role(role) => _ = all.insert(*grantee, Named::role(*role)),
        }
    }
    if !units.is_empty() {
        let found = sqlx::query!(
            r#"SELECT u.id, u.name, p.name AS "note?",
                      (SELECT count(*) FROM units c
                       WHERE c.tenant_id = u.tenant_id AND c.parent_id = u.id AND c.archived_at IS NULL) AS "below!"
               FROM units u
               LEFT JOIN units p ON p.tenant_id = u.tenant_id AND p.id = u.parent_id
               WHERE u.tenant_id = $1 AND u.id = ANY ($2) AND u.archived_at IS NULL"#,
            tenant,
            &units,
        )
        .fetch_all(tx.conn())
        .await?;
        for row in found {
            let grantee = Grantee::Unit(row.id.into());
            let (name, note, below) = (row.name, row.note, row.below);
            all.insert(grantee, Named { grantee, name, note, below, suspended: false });
        }
    }
    if !users.is_empty() {
        let found = sqlx::query!(
            "SELECT u.id, u.name, n.name AS note, u.standing FROM users u
             JOIN units n ON n.tenant_id = u.tenant_id AND n.id = u.home_unit_id
             WHERE u.tenant_id = $1 AND u.id = ANY ($2) AND u.removed_at IS NULL",
            tenant,
            &users,
        )
        .fetch_all(tx.conn())
        .await?;
        for row in found {
            let grantee = Grantee::User(row.id.into());
            all.insert(grantee, named(grantee, row.name, row.note, &row.standing)?);
        }
    }
    if !agents.is_empty() {
        let found = sqlx::query!(
            "SELECT a.id, a.name, n.name AS note, a.standing FROM agents a
             JOIN units n ON n.tenant_id = a.tenant_id AND n.id = a.home_unit_id
             WHERE a.tenant_id = $1 AND a.id = ANY ($2) AND a.retired_at IS NULL",
            tenant,
            &agents,
        )
        .fetch_all(tx.conn())
        .await?;
        for row in found {
            let grantee = Grantee::Agent(row.id.into());
            all.insert(grantee, named(grantee, row.name, row.note, &row.standing)?);
        }
    }
    Ok(all)
}

/// One of them.
pub(super) async fn one(tx: &mut TenantTx, grantee: Grantee) -> Result<Named, Error> {
    let what = match grantee {
        Grantee::Unit(_) => "such unit",
        Grantee::User(_) => "such person",
        Grantee::Agent(_) => "such agent",
        Grantee::Role(_) => "such role",
    };
    by_id(tx, &[grantee]).await?.remove(&grantee).ok_or_else(|| Error::not_found(what))
}

//! A person's page: where they sit, what they may do, whether they are here.

use model::people::{Role, UnitView};
use model::{Timestamp, UnitId, UserId};

use super::lists::{Presence, presence_of};
use crate::authority::{self, Deed};
use crate::{Actor, Control, Error, rows, units};

/// What a person's page tells of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonStory {
    /// Their id.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// Their mail address.
    pub email: String,
    /// Whether they are here.
    pub presence: Presence,
    /// Since when they are.
    pub created_at: Timestamp,
    /// Since when they are not.
    pub removed_at: Option<Timestamp>,
    /// The unit they sit in.
    pub home: (UnitId, String),
    /// The units from the top down to it; empty when it was archived since.
    pub path: Vec<UnitView>,
    /// Further units they are members of.
    pub further: Vec<(UnitId, String)>,
    /// What they may do.
    pub roles: Vec<RoleHeld>,
    /// Whether they can sign in by password.
    pub has_password: bool,
    /// Whether the reader may change where they sit, their standing and their roles.
    pub may_change: bool,
}

/// A role with who gave it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleHeld {
    /// The role.
    pub role: Role,
    /// Where it holds; none: everywhere.
    pub unit: Option<(UnitId, String)>,
    /// Who gave it.
    pub given_by: String,
    /// When.
    pub given_at: Timestamp,
}

/// One person, also after they were removed. Those who may not see people see themselves.
pub async fn person(control: &Control, actor: &Actor, user: UserId) -> Result<PersonStory, Error> {
    let mut tx = actor.read(control).await?;
    if actor.user_id() != Some(user) {
        tx.authorize(Deed::ReadPeople, "such person")?;
    }
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        r#"SELECT u.name, u.email, u.standing, u.created_at, u.removed_at, u.home_unit_id, n.name AS unit_name,
                  u.password_hash IS NOT NULL AS "has_password!"
           FROM users u JOIN units n ON n.tenant_id = u.tenant_id AND n.id = u.home_unit_id
           WHERE u.tenant_id = $1 AND u.id = $2"#,
        tenant,
        user.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::not_found("such person"))?;
    let further = sqlx::query!(
        "SELECT n.id, n.name FROM memberships m JOIN units n ON n.tenant_id = m.tenant_id AND n.id = m.unit_id
         WHERE m.tenant_id = $1 AND m.user_id = $2 ORDER BY lower(n.name), n.id",
        tenant,
        user.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let roles = sqlx::query!(
        r#"SELECT r.role, r.given_by, r.given_at, r.unit_id, n.name AS "unit_name?"
           FROM role_assignments r
           LEFT JOIN units n ON n.tenant_id = r.tenant_id AND n.id = r.unit_id
           WHERE r.tenant_id = $1 AND r.user_id = $2
           ORDER BY r.unit_id IS NOT NULL, r.given_at, r.id"#,
        tenant,
        user.uuid(),
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(RoleHeld {
            role: rows::word("role", &row.role)?,
            unit: row.unit_id.map(Into::into).zip(row.unit_name),
            given_by: row.given_by,
            given_at: row.given_at,
        })
    })
    .collect::<Result<Vec<_>, Error>>()?;
    let units = units::live(&mut tx).await?;
    let home: UnitId = row.home_unit_id.into();
    let is_owner = roles.iter().any(|held| held.role == Role::Owner);
    let may_change = row.removed_at.is_none()
        && authority::may(actor, Deed::ChangePeople)
        && (!is_owner || authority::may(actor, Deed::ChangeOwners));
    Ok(PersonStory {
        id: user,
        name: row.name,
        email: row.email,
        presence: presence_of(&row.standing, row.removed_at)?,
        created_at: row.created_at,
        removed_at: row.removed_at,
        path: units::line(&units, home).into_iter().cloned().collect(),
        home: (home, row.unit_name),
        further: further.into_iter().map(|row| (row.id.into(), row.name)).collect(),
        roles,
        has_password: row.has_password,
        may_change,
    })
}

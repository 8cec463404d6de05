//! The names of what a filter is set to, for the page that says so.

use model::UserId;

use super::Filter;
use crate::authority::{Deed, may};
use crate::{Actor, Control, Error};

/// Names, as far as there are such things and the actor may know of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names {
    /// Of [`Filter::agent`].
    pub agent: Option<String>,
    /// Of [`Filter::unit`].
    pub unit: Option<String>,
    /// Of [`Filter::team`].
    pub team: Option<String>,
    /// Of [`Filter::department`].
    pub department: Option<String>,
    /// Of [`Filter::person`].
    pub person: Option<String>,
    /// Of [`Filter::charged`].
    pub charged: Option<String>,
    /// Of [`Filter::tool_id`]: the full name.
    pub tool: Option<String>,
}

/// What a filter's ids are called. Oneself one may always name; an agent, who sees its calls.
pub async fn names(control: &Control, actor: &Actor, filter: &Filter) -> Result<Names, Error> {
    let (people, catalog) = (may(actor, Deed::ReadPeople), may(actor, Deed::ReadCatalog));
    let uuid =
        |user: Option<UserId>| user.filter(|user| people || actor.user_id() == Some(*user)).map(UserId::uuid);
    let unit = |unit: Option<model::UnitId>| unit.filter(|_| people).map(|unit| unit.uuid());
    let mut tx = actor.read(control).await?;
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        r#"SELECT (SELECT name FROM agents WHERE tenant_id = $1 AND id = $2 AND ($9 OR owner_id = $10)) AS agent,
                  (SELECT name FROM units WHERE tenant_id = $1 AND id = $3) AS unit,
                  (SELECT name FROM units WHERE tenant_id = $1 AND id = $4) AS team,
                  (SELECT name FROM units WHERE tenant_id = $1 AND id = $5) AS department,
                  (SELECT name FROM users WHERE tenant_id = $1 AND id = $6) AS person,
                  (SELECT name FROM users WHERE tenant_id = $1 AND id = $7) AS charged,
                  (SELECT m.name || '.' || t.name FROM tools t JOIN modules m ON m.tenant_id = $1 AND m.id = t.module_id
                   WHERE t.tenant_id = $1 AND t.id = $8) AS tool"#,
        tenant,
        filter.agent.map(|agent| agent.uuid()),
        unit(filter.unit),
        unit(filter.team),
        unit(filter.department),
        uuid(filter.person),
        uuid(filter.charged),
        filter.tool_id.filter(|_| catalog).map(|tool| tool.uuid()),
        people,
        actor.user_id().map(UserId::uuid),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Names {
        agent: row.agent,
        unit: row.unit,
        team: row.team,
        department: row.department,
        person: row.person,
        charged: row.charged,
        tool: row.tool,
    })
}

//! Taking a unit out of the tree: what is inside, what is revoked with it.

use model::UnitId;
use model::limit::Whose;
use model::people::UnitView;
use serde_json::json;

use super::{line, live, named, one};
use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, limits};

/// What archiving a unit meets and undoes, before it is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Archiving {
    /// The units from the top down to this one.
    pub path: Vec<UnitView>,
    /// Units directly below it. While there are any of these three, it cannot be archived.
    pub units: u64,
    /// People who sit in it or are members of it.
    pub people: u64,
    /// Agents that sit in it, suspended ones too.
    pub agents: u64,
    /// Grants to it, which end.
    pub grants: u64,
    /// Roles that people hold on it, which end.
    pub roles: u64,
    /// Open invitations into it, which are withdrawn.
    pub invitations: u64,
}

impl Archiving {
    /// Whether something has to be moved first.
    pub fn is_empty(&self) -> bool {
        self.units + self.people + self.agents == 0
    }
}

/// What archiving a unit would meet and undo.
pub async fn archiving(control: &Control, actor: &Actor, unit: UnitId) -> Result<Archiving, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ChangePeople, "unit")?;
    let units = live(&mut tx).await?;
    named(&units, unit)?;
    let path = line(&units, unit).into_iter().cloned().collect();
    counted(&mut tx, unit, path).await
}

/// Takes an empty unit out of the tree, with what was given to it and its limits. It stays on the record of past calls.
///
/// # Errors
/// `unit_not_empty` while units, people or agents are in it.
pub async fn archive(control: &Control, actor: &Actor, unit: UnitId) -> Result<(), Error> {
    let mut tx = actor.change(control, Deed::ChangePeople, "unit").await?;
    let name = one(&mut tx, unit).await?.name;
    let inside = counted(&mut tx, unit, Vec::new()).await?;
    if !inside.is_empty() {
        return Err(Error::refused(
            "unit_not_empty",
            format!(
                "unit “{name}” still holds {} units, {} people and {} agents: move them first",
                inside.units, inside.people, inside.agents
            ),
        ));
    }
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "UPDATE units SET archived_at = $3 WHERE tenant_id = $1 AND id = $2",
        tenant,
        unit.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    // What was given to the unit would otherwise come back to life with it, unseen.
    let grants =
        sqlx::query!("DELETE FROM grants WHERE tenant_id = $1 AND unit_id = $2", tenant, unit.uuid())
            .execute(tx.conn())
            .await?
            .rows_affected();
    let roles = sqlx::query!(
        "DELETE FROM role_assignments WHERE tenant_id = $1 AND unit_id = $2",
        tenant,
        unit.uuid()
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    let invitations = sqlx::query!(
        "UPDATE invitations SET withdrawn_at = $3
         WHERE tenant_id = $1 AND unit_id = $2 AND accepted_at IS NULL AND withdrawn_at IS NULL",
        tenant,
        unit.uuid(),
        now
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    let limits = limits::remove_all_of(&mut tx, Whose::Unit(unit)).await?;
    let detail = json!({
        "grants_revoked": grants, "roles_taken": roles, "invitations_withdrawn": invitations,
        "limits_removed": limits,
    });
    tx.audit("unit.archive", "unit", unit, &name, detail).await?;
    tx.commit().await?;
    limits::sweep(control, actor.tenant()).await;
    Ok(())
}

async fn counted(tx: &mut TenantTx, unit: UnitId, path: Vec<UnitView>) -> Result<Archiving, Error> {
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM units u WHERE u.tenant_id = $1 AND u.parent_id = $2 AND u.archived_at IS NULL)
                      AS "units!",
                  (SELECT count(*) FROM users p WHERE p.tenant_id = $1 AND p.removed_at IS NULL
                      AND (p.home_unit_id = $2 OR EXISTS (
                          SELECT FROM memberships m WHERE m.tenant_id = $1 AND m.user_id = p.id AND m.unit_id = $2)))
                      AS "people!",
                  (SELECT count(*) FROM agents a WHERE a.tenant_id = $1 AND a.home_unit_id = $2 AND a.retired_at IS NULL)
                      AS "agents!",
                  (SELECT count(*) FROM grants g WHERE g.tenant_id = $1 AND g.unit_id = $2) AS "grants!",
                  (SELECT count(*) FROM role_assignments r WHERE r.tenant_id = $1 AND r.unit_id = $2) AS "roles!",
                  (SELECT count(*) FROM invitations i WHERE i.tenant_id = $1 AND i.unit_id = $2
                      AND i.accepted_at IS NULL AND i.withdrawn_at IS NULL) AS "invitations!""#,
        tenant,
        unit.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Archiving {
        path,
        units: row.units.unsigned_abs(),
        people: row.people.unsigned_abs(),
        agents: row.agents.unsigned_abs(),
        grants: row.grants.unsigned_abs(),
        roles: row.roles.unsigned_abs(),
        invitations: row.invitations.unsigned_abs(),
    })
}

//! Who may use the CRM. Agents were judged before, call by call; people hold its permission keys, or a role that needs none.

use crate::actor::Who;
use crate::authority::{self, Deed};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error};

/// Where the module is in the organization's catalog.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InCatalog {
    /// Nobody has enabled it.
    Missing,
    /// It is switched off.
    Off,
    /// It is in use.
    Live,
}

/// What somebody may do with the CRM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sight {
    /// Whether it is in use at all.
    pub module: InCatalog,
    /// See records.
    pub read: bool,
    /// Add and change records.
    pub change: bool,
    /// Delete records.
    pub delete: bool,
}

impl Sight {
    /// Whether its pages are to be had: it is in use, and they may read it.
    pub fn opens(&self) -> bool {
        self.module == InCatalog::Live && self.read
    }
}

/// What one is about to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    Read,
    Change,
    Delete,
}

/// What an actor may do with the CRM now. Keys count that they hold themselves, by a role in the whole organization, or
/// by a unit that they sit in or one above it, as for agents; those that have expired do not.
pub async fn sight(control: &Control, actor: &Actor) -> Result<Sight, Error> {
    let mut tx = actor.read(control).await?;
    sight_in(&mut tx).await
}

pub(super) async fn sight_in(tx: &mut TenantTx) -> Result<Sight, Error> {
    let actor = tx.actor().clone();
    sight_of(tx, &actor).await
}

/// The same, in a transaction that is somebody else's.
pub(crate) async fn sight_of(tx: &mut TenantTx, actor: &Actor) -> Result<Sight, Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let everywhere = actor.roles().iter().filter(|held| held.unit.is_none());
    let roles: Vec<String> = everywhere.map(|held| held.role.word().to_owned()).collect();
    let row = sqlx::query!(
        r#"WITH RECURSIVE above (id) AS (
               (SELECT home_unit_id FROM users WHERE tenant_id = $1 AND id = $2
                UNION SELECT unit_id FROM memberships WHERE tenant_id = $1 AND user_id = $2)
               UNION SELECT u.parent_id FROM units u JOIN above ON u.id = above.id
               WHERE u.tenant_id = $1 AND u.parent_id IS NOT NULL)
           SELECT (SELECT standing FROM modules WHERE tenant_id = $1 AND name = 'crm' AND kind = 'native') AS standing,
                  ARRAY(SELECT g.permission_key FROM grants g
                        WHERE g.tenant_id = $1 AND g.permission_key IN ('crm', 'crm:read', 'crm:write', 'crm:delete')
                          AND (g.expires_at IS NULL OR g.expires_at > $3)
                          AND (g.user_id = $2 OR g.role = ANY($4) OR g.unit_id IN (SELECT id FROM above))) AS "keys!""#,
        tenant,
        actor.user_id().map(|user| user.uuid()),
        now,
        &roles,
    )
    .fetch_one(tx.conn())
    .await?;
    let module = match row.standing.as_deref() {
        None => InCatalog::Missing,
        Some("live") => InCatalog::Live,
        Some(_) => InCatalog::Off,
    };
    let holds = |part: &str| row.keys.iter().any(|key| key == "crm" || key == part);
    let changes = authority::may(actor, Deed::ChangeCrm);
    Ok(Sight {
        module,
        read: authority::may(actor, Deed::ReadCrm) || holds("crm:read"),
        change: changes || holds("crm:write"),
        delete: changes || holds("crm:delete"),
    })
}

/// Opens a transaction for a person or the operator.
pub(super) async fn open(control: &Control, actor: &Actor, wanted: Access) -> Result<TenantTx, Error> {
    if matches!(actor.who(), Who::Agent(_)) {
        // Agents come through tools, where policy has decided.
        return Err(Error::not_found("CRM"));
    }
    let mut tx = match wanted {
        Access::Read => actor.read(control).await?,
        Access::Change | Access::Delete => actor.write(control).await?,
    };
    tx.bound_time().await?;
    let sight = sight_in(&mut tx).await?;
    let may = match wanted {
        Access::Read => sight.read,
        Access::Change => sight.read && sight.change,
        Access::Delete => sight.read && sight.delete,
    };
    if !may {
        return Err(Error::not_found("CRM"));
    }
    match sight.module {
        InCatalog::Live => Ok(tx),
        InCatalog::Missing => {
            Err(Error::refused("crm_not_enabled", "the CRM is not in use: enable it in the Catalog"))
        }
        InCatalog::Off => Err(Error::refused(
            "crm_switched_off",
            "the CRM is switched off; its records are kept: switch it on in the Catalog",
        )),
    }
}

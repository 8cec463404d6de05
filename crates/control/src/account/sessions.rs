//! In which browsers a person is signed in, and ending that: one's own, or somebody's whom one may change.

use model::{Timestamp, UserId};
use serde_json::json;

use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, sessions as kept, users};

/// A browser in which somebody is signed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionLine {
    /// As the store names it, see [`kept::hashed`].
    pub id: Vec<u8>,
    /// When it was begun.
    pub since: Timestamp,
    /// When it was used last, to within some minutes.
    pub seen: Timestamp,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
    /// From where it was begun.
    pub address: Option<String>,
}

/// A person's sessions, the one used last first; at most 100.
pub async fn sessions(control: &Control, actor: &Actor, user: UserId) -> Result<Vec<SessionLine>, Error> {
    let mut tx = actor.read(control).await?;
    permitted(&mut tx, user).await?;
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let rows = sqlx::query!(
        r#"SELECT id, since AS "since!", seen AS "seen!", user_agent, host(address) AS address
           FROM sessions WHERE tenant = $1 AND user_id = $2 AND expires_at > $3
           ORDER BY seen DESC, id LIMIT 100"#,
        tenant,
        user.uuid(),
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| SessionLine {
            id: row.id,
            since: row.since,
            seen: row.seen,
            user_agent: row.user_agent,
            address: row.address,
        })
        .collect())
}

/// Ends one session of a person.
pub async fn end_session(control: &Control, actor: &Actor, user: UserId, id: &[u8]) -> Result<(), Error> {
    let mut tx = actor.write(control).await?;
    let name = permitted(&mut tx, user).await?;
    let tenant = tx.tenant_uuid();
    let ended = sqlx::query!(
        "DELETE FROM sessions WHERE tenant = $1 AND user_id = $2 AND id = $3",
        tenant,
        user.uuid(),
        id
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    if ended == 0 {
        return Err(Error::not_found("such session"));
    }
    tx.audit("session.end", "user", user, &name, json!({ "sessions": ended })).await?;
    tx.commit().await
}

/// Ends all sessions of a person but for `keep`. Returns how many.
pub async fn end_others(
    control: &Control,
    actor: &Actor,
    user: UserId,
    keep: Option<&[u8]>,
) -> Result<u64, Error> {
    let mut tx = actor.write(control).await?;
    let name = permitted(&mut tx, user).await?;
    let tenant = tx.tenant();
    let ended = kept::end_all(tx.conn(), tenant, user, keep).await?;
    if ended > 0 {
        tx.audit("session.end", "user", user, &name, json!({ "sessions": ended })).await?;
    }
    tx.commit().await?;
    Ok(ended)
}

/// Oneself, or who may change the person. Returns their name.
async fn permitted(tx: &mut TenantTx, user: UserId) -> Result<String, Error> {
    if tx.actor().user_id() != Some(user) {
        tx.authorize(Deed::ChangePeople, "such person")?;
        if users::is_owner(tx, user).await? {
            tx.authorize(Deed::ChangeOwners, "such person")?;
        }
    }
    Ok(users::one(tx, user).await?.name)
}

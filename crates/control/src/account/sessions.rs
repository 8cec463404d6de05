//! In which browsers people are signed in, and ending that: one's own, or somebody's whom one may change.

use std::net::IpAddr;

use ipnet::IpNet;
use model::{Timestamp, UserId};
use serde_json::json;

use crate::authority::{Deed, may};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, sessions as kept, users};

/// Sessions that are listed at once.
const PAGE: usize = 100;

/// A browser in which somebody is signed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionLine {
    /// Names it and does not open it, see [`kept::handle`].
    pub handle: String,
    /// Whose.
    pub user: UserId,
    /// Their name.
    pub user_name: String,
    /// When it was begun.
    pub since: Timestamp,
    /// When it was used last, to within some minutes.
    pub seen: Timestamp,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
    /// From where it was begun.
    pub address: Option<IpAddr>,
    /// Whether who asks may end it.
    pub may_end: bool,
}

/// A person's sessions that go on, the one used last first; at most 100.
pub async fn sessions(control: &Control, actor: &Actor, user: UserId) -> Result<Vec<SessionLine>, Error> {
    let mut tx = actor.read(control).await?;
    permitted(&mut tx, user, "such person").await?;
    Ok(open(&mut tx, Some(user), None, 0).await?.0)
}

/// The sessions that go on of everybody whose name or address contains the text, the one used last first; at most 100, and
/// whether there are more.
pub async fn all_sessions(
    control: &Control,
    actor: &Actor,
    search: Option<&str>,
    from: u32,
) -> Result<(Vec<SessionLine>, bool), Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadSettings, "settings")?;
    let (lines, total) = open(&mut tx, None, search, from).await?;
    let more = u64::from(from) + (lines.len() as u64) < total;
    Ok((lines, more))
}

/// How many sessions [`end_sessions`] would end, and whose.
pub async fn ending_sessions(
    control: &Control,
    actor: &Actor,
    user: UserId,
    keep: Option<&str>,
) -> Result<(u64, String), Error> {
    let mut tx = actor.read(control).await?;
    let name = permitted(&mut tx, user, "such person").await?;
    let (lines, total) = open(&mut tx, Some(user), None, 0).await?;
    let kept = lines.iter().any(|line| keep == Some(line.handle.as_str()));
    Ok((total.saturating_sub(u64::from(kept)), name))
}

/// Ends one session, at the latest with its next click. Returns whose it was.
pub async fn end_session(control: &Control, actor: &Actor, handle: &str) -> Result<String, Error> {
    let missing = || Error::not_found("such session");
    let id = hex::decode(handle).map_err(|_| missing())?;
    let mut tx = actor.write(control).await?;
    let tenant = tx.tenant_uuid();
    let user = sqlx::query_scalar!(
        r#"SELECT user_id AS "user!" FROM sessions WHERE tenant = $1 AND id = $2 AND user_id IS NOT NULL FOR UPDATE"#,
        tenant,
        id
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(missing)?;
    let name = permitted(&mut tx, user.into(), "such session").await?;
    sqlx::query!("DELETE FROM sessions WHERE tenant = $1 AND id = $2", tenant, id).execute(tx.conn()).await?;
    ended(tx, user.into(), &name, 1).await?;
    Ok(name)
}

/// Ends all sessions of a person but for `keep`. Returns how many, and whose.
pub async fn end_sessions(
    control: &Control,
    actor: &Actor,
    user: UserId,
    keep: Option<&str>,
) -> Result<(u64, String), Error> {
    let mut tx = actor.write(control).await?;
    let name = permitted(&mut tx, user, "such person").await?;
    let (tenant, keep) = (tx.tenant(), keep.and_then(|handle| hex::decode(handle).ok()));
    let number = kept::end_all(tx.conn(), tenant, user, keep.as_deref()).await?;
    ended(tx, user, &name, number).await?;
    Ok((number, name))
}

async fn ended(mut tx: TenantTx, user: UserId, name: &str, sessions: u64) -> Result<(), Error> {
    if sessions > 0 {
        tx.audit("session.end", "user", user, name, json!({ "sessions": sessions })).await?;
    }
    tx.commit().await
}

/// Who may end a person's sessions sees them too; to others there is nothing. Returns the person's name.
async fn permitted(tx: &mut TenantTx, user: UserId, what: &str) -> Result<String, Error> {
    let owner = users::is_owner(tx, user).await?;
    if !may_end(tx.actor(), user, owner) {
        return Err(Error::not_found(what));
    }
    Ok(users::one(tx, user).await?.name)
}

/// Oneself, or who may change the person.
fn may_end(actor: &Actor, user: UserId, owner: bool) -> bool {
    actor.user_id() == Some(user)
        || may(actor, Deed::ChangePeople) && (!owner || may(actor, Deed::ChangeOwners))
}

/// One page of the sessions that go on, of one person or of all, and how many there are on all pages.
async fn open(
    tx: &mut TenantTx,
    user: Option<UserId>,
    search: Option<&str>,
    from: u32,
) -> Result<(Vec<SessionLine>, u64), Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    // What has run out by the organization's rules is there until it is swept, and opens nothing.
    let rows = sqlx::query!(
        r#"SELECT n.id, n.user_id AS "user_id!", u.name, n.since AS "since!", n.seen AS "seen!", n.user_agent,
                  n.address AS "address: IpNet", count(*) OVER () AS "total!",
                  EXISTS (SELECT FROM role_assignments r
                          WHERE r.tenant_id = $1 AND r.user_id = u.id AND r.role = 'owner') AS "owner!"
           FROM sessions n
           JOIN users u ON u.tenant_id = n.tenant AND u.id = n.user_id
           LEFT JOIN settings s ON s.tenant_id = n.tenant
           WHERE n.tenant = $1 AND n.expires_at > $2
             AND n.since > $2 - make_interval(hours => coalesce(s.session_longest_hours, 168))
             AND n.seen > $2 - make_interval(mins => coalesce(s.session_idle_minutes, 720))
             AND ($3::uuid IS NULL OR n.user_id = $3)
             AND ($4::text IS NULL OR strpos(lower(u.name), lower($4)) > 0 OR strpos(u.email, lower($4)) > 0)
           ORDER BY n.seen DESC, n.id OFFSET $5 LIMIT $6"#,
        tenant,
        now,
        user.map(UserId::uuid),
        search,
        i64::from(from),
        PAGE as i64,
    )
    .fetch_all(tx.conn())
    .await?;
    let total = rows.first().map_or(0, |row| u64::try_from(row.total).unwrap_or(0));
    let lines = rows
        .into_iter()
        .map(|row| SessionLine {
            handle: hex::encode(row.id),
            user: row.user_id.into(),
            user_name: row.name,
            since: row.since,
            seen: row.seen,
            user_agent: row.user_agent,
            address: row.address.map(|net| net.addr()),
            may_end: may_end(tx.actor(), row.user_id.into(), row.owner),
        })
        .collect();
    Ok((lines, total))
}

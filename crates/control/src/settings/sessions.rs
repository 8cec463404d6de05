//! The sessions of an organization's people: who is signed in, from where, and ending it.

use std::net::IpAddr;

use ipnet::IpNet;
use model::{Timestamp, UserId};
use serde_json::json;

use crate::authority::Deed;
use crate::{Actor, Control, Error, users};

/// One session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionLine {
    /// SHA-256 of its id in hexadecimal: names it, and does not open it.
    pub handle: String,
    /// Whose.
    pub user: UserId,
    /// Their name.
    pub user_name: String,
    /// Since when.
    pub since: Timestamp,
    /// When it was used last, to within some minutes.
    pub seen: Timestamp,
    /// In what, in the browser's own words.
    pub user_agent: Option<String>,
    /// From where it was begun.
    pub address: Option<IpAddr>,
}

/// Sessions that go on, used last first, of people whose name or address contains the text; at most 100, and whether there
/// are more.
pub async fn open_sessions(
    control: &Control,
    actor: &Actor,
    search: Option<&str>,
    from: u32,
) -> Result<(Vec<SessionLine>, bool), Error> {
    const PAGE: usize = 100;
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadSettings, "settings")?;
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    // What has run out by the rules is there until it is swept, and opens nothing.
    let rows = sqlx::query!(
        r#"SELECT n.id, n.user_id AS "user_id!", u.name, n.since AS "since!", n.seen AS "seen!", n.user_agent,
                  n.address AS "address: IpNet"
           FROM sessions n
           JOIN users u ON u.tenant_id = n.tenant AND u.id = n.user_id
           LEFT JOIN settings s ON s.tenant_id = n.tenant
           WHERE n.tenant = $1 AND n.expires_at > $2
             AND n.since > $2 - make_interval(hours => coalesce(s.session_longest_hours, 168))
             AND n.seen > $2 - make_interval(mins => coalesce(s.session_idle_minutes, 720))
             AND ($3::text IS NULL OR strpos(lower(u.name), lower($3)) > 0 OR strpos(u.email, lower($3)) > 0)
           ORDER BY n.seen DESC, n.id OFFSET $4 LIMIT 101"#,
        tenant,
        now,
        search,
        i64::from(from),
    )
    .fetch_all(tx.conn())
    .await?;
    let more = rows.len() > PAGE;
    let lines = rows
        .into_iter()
        .take(PAGE)
        .map(|row| SessionLine {
            handle: hex::encode(row.id),
            user: row.user_id.into(),
            user_name: row.name,
            since: row.since,
            seen: row.seen,
            user_agent: row.user_agent,
            address: row.address.map(|net| net.addr()),
        })
        .collect();
    Ok((lines, more))
}

/// How many sessions of a person are open, and their name.
pub async fn sessions_of(control: &Control, actor: &Actor, user: UserId) -> Result<(String, usize), Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadSettings, "settings")?;
    let (tenant, now, person) = (tx.tenant_uuid(), tx.now(), users::one(&mut tx, user).await?);
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM sessions WHERE tenant = $1 AND user_id = $2 AND expires_at > $3"#,
        tenant,
        user.uuid(),
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((person.name, usize::try_from(count).unwrap_or(0)))
}

/// Ends one session, at the latest with its next click. Returns whose it was.
pub async fn end(control: &Control, actor: &Actor, handle: &str) -> Result<String, Error> {
    let mut tx = actor.write(control).await?;
    tx.authorize(Deed::ChangeSettings, "session that you may end")?;
    let missing = || Error::not_found("such session");
    let id = hex::decode(handle).map_err(|_| missing())?;
    let tenant = tx.tenant_uuid();
    let user = sqlx::query_scalar!(
        r#"DELETE FROM sessions WHERE tenant = $1 AND id = $2 AND user_id IS NOT NULL RETURNING user_id AS "user!""#,
        tenant,
        id
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(missing)?;
    let person = users::one(&mut tx, user.into()).await?;
    tx.audit("session.end", "user", person.id, &person.name, json!({ "sessions": 1 })).await?;
    tx.commit().await?;
    Ok(person.name)
}

/// Ends all sessions of a person but for the one in which this is asked, if it is theirs. Returns how many, and their name.
pub async fn end_all_of(
    control: &Control,
    actor: &Actor,
    user: UserId,
    keep: Option<&[u8]>,
) -> Result<(u64, String), Error> {
    let mut tx = actor.write(control).await?;
    tx.authorize(Deed::ChangeSettings, "session that you may end")?;
    let person = users::one(&mut tx, user).await?;
    let tenant = tx.tenant();
    let ended = crate::sessions::end_all(tx.conn(), tenant, user, keep).await?;
    if ended > 0 {
        tx.audit("session.end", "user", person.id, &person.name, json!({ "sessions": ended })).await?;
    }
    tx.commit().await?;
    Ok((ended, person.name))
}

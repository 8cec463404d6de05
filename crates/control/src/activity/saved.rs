//! Filters of Activity under a name: one's own, and those that somebody shares with the organization.
//!
//! What is kept is the query part of the page's address. It says which calls to look for and not whose one may see:
//! everybody who opens a shared filter sees their own share of it.

use model::{SavedFilterId, Timestamp};
use serde_json::json;

use crate::authority::{Deed, may};
use crate::{Actor, Control, Error, given};

/// Most filters of one person, and most shared ones.
const MOST: i64 = 50;
/// Longest query that is kept, in bytes; the page writes none that is longer.
const LONGEST: usize = 2_000;

/// A filter to be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewFilter {
    /// Its name: 1 to 80 characters.
    pub name: String,
    /// The query part of Activity's address: `verdict=deny&span=24h`.
    pub query: String,
    /// Whether everybody in the organization is to see it.
    pub shared: bool,
}

/// A filter that was kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SavedFilter {
    /// Its id.
    pub id: SavedFilterId,
    /// Its name.
    pub name: String,
    /// The query part of Activity's address.
    pub query: String,
    /// Whether everybody sees it.
    pub shared: bool,
    /// Who keeps it.
    pub by: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Whether the reader may delete it: their own; the others' shared ones, those who change the settings.
    pub deletable: bool,
}

/// Whether somebody may share filters: those who see everybody's activity.
pub fn may_share(actor: &Actor) -> bool {
    may(actor, Deed::ReadActivity)
}

/// Keeps a filter.
///
/// # Errors
/// `name_taken`; `too_many` beyond 50 of one's own or 50 shared ones.
pub async fn save(control: &Control, actor: &Actor, new: NewFilter) -> Result<SavedFilterId, Error> {
    let user = actor.user_id().ok_or_else(|| Error::not_found("list of saved filters"))?;
    if new.shared && !may_share(actor) {
        return Err(Error::invalid("shared", "only those who see everybody’s calls share filters"));
    }
    let name = given::name("name", &new.name, 80)?;
    if new.query.is_empty() || new.query.len() > LONGEST || new.query.chars().any(char::is_control) {
        return Err(Error::invalid("name", "set a filter first: there is nothing to keep yet"));
    }
    let mut tx = actor.write(control).await?;
    let (id, tenant, now): (SavedFilterId, _, _) = (tx.id(), tx.tenant_uuid(), tx.now());
    let kept = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM saved_filters
           WHERE tenant_id = $1 AND shared = $3 AND ($3 OR user_id = $2)"#,
        tenant,
        user.uuid(),
        new.shared,
    )
    .fetch_one(tx.conn())
    .await?;
    if kept >= MOST {
        let whose = if new.shared { "shared filters" } else { "filters of your own" };
        return Err(Error::refused(
            "too_many",
            format!("there are {MOST} {whose} already: delete one first"),
        ));
    }
    sqlx::query!(
        "INSERT INTO saved_filters (tenant_id, id, user_id, name, query, shared, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant,
        id.uuid(),
        user.uuid(),
        name,
        new.query,
        new.shared,
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(|error| {
        let sentence = || format!("there is a filter “{name}” already: give another name");
        if Error::violates(&error, "saved_filters_own") || Error::violates(&error, "saved_filters_shared") {
            Error::refused("name_taken", sentence())
        } else {
            error.into()
        }
    })?;
    if new.shared {
        tx.audit("filter.share", "filter", id, &name, json!({ "query": new.query })).await?;
    }
    tx.commit().await?;
    Ok(id)
}

/// One's own filters and the shared ones, by name.
pub async fn saved(control: &Control, actor: &Actor) -> Result<Vec<SavedFilter>, Error> {
    let Some(user) = actor.user_id() else { return Ok(Vec::new()) };
    let mut tx = actor.read(control).await?;
    let tenant = tx.tenant_uuid();
    let rows = sqlx::query!(
        "SELECT f.id, f.name, f.query, f.shared, f.user_id, f.created_at, u.name AS by
         FROM saved_filters f JOIN users u ON u.tenant_id = f.tenant_id AND u.id = f.user_id
         WHERE f.tenant_id = $1 AND (f.shared OR f.user_id = $2)
         ORDER BY f.shared, lower(f.name), f.id LIMIT 100",
        tenant,
        user.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let any = may(actor, Deed::ChangeSettings);
    Ok(rows
        .into_iter()
        .map(|row| SavedFilter {
            id: row.id.into(),
            name: row.name,
            query: row.query,
            shared: row.shared,
            by: row.by,
            created_at: row.created_at,
            deletable: any || row.user_id == user.uuid(),
        })
        .collect())
}

/// Forgets a filter, and tells its name: one's own; somebody else's shared one only for those who change the settings.
pub async fn delete(control: &Control, actor: &Actor, filter: SavedFilterId) -> Result<String, Error> {
    let user = actor.user_id().ok_or_else(|| Error::not_found("list of saved filters"))?;
    let any = may(actor, Deed::ChangeSettings);
    let mut tx = actor.write(control).await?;
    let tenant = tx.tenant_uuid();
    let gone = sqlx::query!(
        "DELETE FROM saved_filters WHERE tenant_id = $1 AND id = $2 AND (user_id = $3 OR shared AND $4)
         RETURNING name, shared",
        tenant,
        filter.uuid(),
        user.uuid(),
        any,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::not_found("such filter"))?;
    if gone.shared {
        tx.audit("filter.delete", "filter", filter, &gone.name, json!({})).await?;
    }
    tx.commit().await?;
    Ok(gone.name)
}

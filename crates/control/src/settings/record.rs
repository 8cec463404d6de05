//! The record of changes: who did what to the set-up, and when. Insert-only; here it is read.

use bytes::Bytes;
use futures::Stream;
use model::{AuditEventId, Timestamp};
use uuid::Uuid;

use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, rows, sheet};

/// One act.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// Its id.
    pub id: AuditEventId,
    /// When.
    pub at: Timestamp,
    /// What did it: `user`, `agent`, `operator` or `worker`.
    pub actor_kind: String,
    /// Which.
    pub actor_id: Option<Uuid>,
    /// By the name it had then.
    pub actor_name: String,
    /// What was done: `grant.give`.
    pub action: String,
    /// To what kind of thing: `agent`.
    pub subject_kind: String,
    /// To which, as text.
    pub subject_id: String,
    /// By the name it had then.
    pub subject_name: String,
    /// What else there is to say.
    pub detail: serde_json::Value,
}

/// Which acts are wanted; each that is given narrows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RecordFilter {
    /// Part of the name of who did it; case does not matter.
    pub who: Option<String>,
    /// The beginning of what was done: `grant.` or `grant.give`.
    pub what: Option<String>,
    /// Part of the name of what it was done to.
    pub to: Option<String>,
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

/// Acts, the newest first, before one of them if given; at most so many and at most 200, and whether there are older ones.
pub async fn list(
    control: &Control,
    actor: &Actor,
    filter: &RecordFilter,
    before: Option<AuditEventId>,
    most: u16,
) -> Result<(Vec<Event>, bool), Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadSettings, "record of changes")?;
    tx.bound_time().await?;
    let most = usize::from(most.clamp(1, 200));
    let mut events = some(&mut tx, filter, before.map(|id| id.uuid()), most + 1).await?;
    let more = events.len() > most;
    events.truncate(most);
    Ok((events, more))
}

/// What was ever done, as words to filter by, in their order. Walks from one word to the next, so that it takes as long as
/// there are words and not acts.
pub async fn actions(control: &Control, actor: &Actor) -> Result<Vec<String>, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadSettings, "record of changes")?;
    let tenant = tx.tenant_uuid();
    let found = sqlx::query_scalar!(
        r#"WITH RECURSIVE words (word) AS (
               (SELECT action FROM audit_events WHERE tenant_id = $1 ORDER BY action LIMIT 1)
               UNION ALL
               SELECT (SELECT action FROM audit_events WHERE tenant_id = $1 AND action > words.word
                       ORDER BY action LIMIT 1)
               FROM words WHERE words.word IS NOT NULL)
           SELECT word AS "word!" FROM words WHERE word IS NOT NULL"#,
        tenant,
    );
    Ok(found.fetch_all(tx.conn()).await?)
}

/// The acts of a filter as CSV (RFC 4180), the newest first: see [`sheet`] for how cells are written. Read in pieces, each in
/// a transaction of its own, so that a slow reader holds none.
pub async fn export(
    control: &Control,
    actor: &Actor,
    filter: RecordFilter,
) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send + 'static, Error> {
    actor.read(control).await?.authorize(Deed::ReadSettings, "record of changes")?;
    let head = ["at", "actor_kind", "actor", "action", "subject_kind", "subject", "subject_id", "detail"];
    let (control, actor) = (control.clone(), actor.clone());
    Ok(sheet::in_pieces(&head, move |after| {
        let (control, actor, filter) = (control.clone(), actor.clone(), filter.clone());
        async move {
            let mut tx = actor.read(&control).await?;
            tx.bound_time().await?;
            let events = some(&mut tx, &filter, after, sheet::PIECE).await?;
            let last = events.last().map(|event| event.id.uuid());
            Ok((events.into_iter().map(Event::cells).collect(), last))
        }
    }))
}

impl Event {
    fn cells(self) -> Vec<String> {
        vec![
            self.at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            self.actor_kind,
            self.actor_name,
            self.action,
            self.subject_kind,
            self.subject_name,
            self.subject_id,
            self.detail.to_string(),
        ]
    }
}

async fn some(
    tx: &mut TenantTx,
    filter: &RecordFilter,
    before: Option<Uuid>,
    most: usize,
) -> Result<Vec<Event>, Error> {
    let tenant = tx.tenant_uuid();
    let found = sqlx::query!(
        "SELECT id, at, actor_kind, actor_id, actor_name, action, subject_kind, subject_id, subject_name, detail
         FROM audit_events
         WHERE tenant_id = $1
           AND ($2::text IS NULL OR strpos(lower(actor_name), lower($2)) > 0)
           AND ($3::text IS NULL OR starts_with(action, $3))
           AND ($4::text IS NULL OR strpos(lower(subject_name), lower($4)) > 0)
           AND ($5::uuid IS NULL OR id >= $5) AND ($6::uuid IS NULL OR id < $6)
           AND ($7::uuid IS NULL OR id < $7)
         ORDER BY id DESC LIMIT $8",
        tenant,
        filter.who,
        filter.what,
        filter.to,
        filter.from.map(rows::uuid_floor),
        filter.until.map(rows::uuid_floor),
        before,
        i64::try_from(most).unwrap_or(i64::MAX),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(found
        .into_iter()
        .map(|row| Event {
            id: row.id.into(),
            at: row.at,
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            actor_name: row.actor_name,
            action: row.action,
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
            subject_name: row.subject_name,
            detail: row.detail,
        })
        .collect())
}

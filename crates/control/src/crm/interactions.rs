//! Interactions: what happened with a person.

use chrono::TimeDelta;
use model::{CompanyId, ContactId, InteractionId, Timestamp, words};
use serde_json::{Value, json};

use super::answer::{Fault, filled, time};
use super::arguments::{Arguments, Cursor};
use super::contacts;
use crate::tx::TenantTx;

words! {
    /// What an interaction was.
    Kind {
        /// A telephone or video call.
        Call = "call",
        /// A mail.
        Mail = "mail",
        /// A meeting.
        Meeting = "meeting",
        /// A note about the person.
        Note = "note",
    }
}

pub(super) async fn log(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let (contact, kind): (ContactId, Kind) = (given.id("contact_id")?, given.word("kind")?);
    let (summary, at) = (given.text("summary", 10_000)?, given.maybe_time("at")?);
    given.end()?;
    let now = tx.now();
    let at = at.unwrap_or(now);
    if at > now + TimeDelta::days(1) {
        return Err(Fault::say("`at` lies in the future: this is a record of what has happened."));
    }
    let contact_name = contacts::hold(tx, contact).await?;
    let (id, tenant): (InteractionId, _) = (tx.id(), tx.tenant_uuid());
    sqlx::query!(
        "INSERT INTO crm_interactions (tenant_id, id, contact_id, kind, summary, at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant,
        id.uuid(),
        contact.uuid(),
        kind.word(),
        summary,
        at,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(json!({ "interaction": {
        "id": id, "contact_id": contact, "contact_name": contact_name, "kind": kind, "summary": summary, "at": time(at),
    } }))
}

pub(super) async fn list(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let contact = given.maybe_id::<ContactId>("contact_id")?;
    let company = given.maybe_id::<CompanyId>("company_id")?;
    let (limit, cursor) = (given.limit()?, given.cursor()?);
    given.end()?;
    let (before, before_id) = match cursor {
        Some(Cursor(at, id)) => {
            let at: Timestamp = at
                .parse()
                .map_err(|_| Fault::say("`cursor` is not the `next_cursor` of an earlier answer."))?;
            (Some(at), Some(id))
        }
        None => (None, None),
    };
    let tenant = tx.tenant_uuid();
    let mut rows = sqlx::query!(
        "SELECT i.id, i.contact_id, c.name AS contact_name, i.kind, i.summary, i.at
         FROM crm_interactions i
         JOIN crm_contacts c ON c.tenant_id = i.tenant_id AND c.id = i.contact_id
         WHERE i.tenant_id = $1
           AND ($2::uuid IS NULL OR i.contact_id = $2)
           AND ($3::uuid IS NULL OR c.company_id = $3)
           AND ($4::timestamptz IS NULL OR (i.at, i.id) < ($4, $5::uuid))
         ORDER BY i.at DESC, i.id DESC LIMIT $6",
        tenant,
        contact.map(|contact| contact.uuid()),
        company.map(|company| company.uuid()),
        before,
        before_id,
        i64::try_from(limit).unwrap_or(0) + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows
        .last()
        .filter(|_| more)
        .map(|row| Cursor(row.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true), row.id).write());
    let interactions: Vec<Value> = rows
        .into_iter()
        .map(|row| {
            json!({
                "id": InteractionId::from(row.id), "contact_id": ContactId::from(row.contact_id),
                "contact_name": row.contact_name, "kind": row.kind, "summary": row.summary, "at": time(row.at),
            })
        })
        .collect();
    Ok(filled(json!({ "interactions": interactions, "next_cursor": next })))
}

pub(super) async fn delete(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let id: InteractionId = given.id("id")?;
    given.end()?;
    let tenant = tx.tenant_uuid();
    let gone =
        sqlx::query!("DELETE FROM crm_interactions WHERE tenant_id = $1 AND id = $2", tenant, id.uuid())
            .execute(tx.conn())
            .await?
            .rows_affected();
    if gone == 0 {
        return Err(Fault::say(format!(
            "There is no interaction {id}: list_interactions shows those there are."
        )));
    }
    Ok(json!({ "deleted": id }))
}

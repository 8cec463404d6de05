//! Contacts: people, with or without a company.

use model::{CompanyId, ContactId};
use serde_json::{Value, json};

use super::answer::{Fault, filled, time};
use super::arguments::{Arguments, Cursor, Patch};
use super::companies;
use crate::tx::TenantTx;

pub(super) async fn list(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let (search, company) = (given.maybe_text("search", 200)?, given.maybe_id::<CompanyId>("company_id")?);
    let (limit, cursor) = (given.limit()?, given.cursor()?);
    given.end()?;
    let tenant = tx.tenant_uuid();
    let (after, after_id) = cursor.map(|Cursor(name, id)| (name, id)).unzip();
    let mut rows = sqlx::query!(
        r#"SELECT c.id, c.company_id, o.name AS "company_name?", c.name, c.email, c.phone, c.job_title, c.created_at,
                  c.updated_at, lower(c.name) AS "sort!"
           FROM crm_contacts c
           LEFT JOIN crm_companies o ON o.tenant_id = c.tenant_id AND o.id = c.company_id
           WHERE c.tenant_id = $1
             AND ($2::text IS NULL OR strpos(lower(c.name), lower($2)) > 0 OR strpos(lower(c.email), lower($2)) > 0
                  OR strpos(lower(c.job_title), lower($2)) > 0)
             AND ($3::uuid IS NULL OR c.company_id = $3)
             AND ($4::text IS NULL OR (lower(c.name), c.id) > ($4, $5::uuid))
           ORDER BY lower(c.name), c.id LIMIT $6"#,
        tenant,
        search,
        company.map(|company| company.uuid()),
        after,
        after_id,
        i64::try_from(limit).unwrap_or(0) + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| Cursor(row.sort.clone(), row.id).write());
    let contacts: Vec<Value> = rows
        .into_iter()
        .map(|row| {
            filled(json!({
                "id": ContactId::from(row.id), "company_id": row.company_id.map(CompanyId::from),
                "company_name": row.company_name, "name": row.name, "email": row.email, "phone": row.phone,
                "job_title": row.job_title, "created_at": time(row.created_at), "updated_at": time(row.updated_at),
            }))
        })
        .collect();
    Ok(filled(json!({ "contacts": contacts, "next_cursor": next })))
}

pub(super) async fn get(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let id: ContactId = given.id("id")?;
    given.end()?;
    let mut contact = one(tx, id).await?;
    let tenant = tx.tenant_uuid();
    let interactions = sqlx::query_scalar!(
        r#"SELECT count(*) AS "interactions!" FROM crm_interactions WHERE tenant_id = $1 AND contact_id = $2"#,
        tenant,
        id.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    if let Some(members) = contact.as_object_mut() {
        members.insert("interactions".to_owned(), interactions.into());
    }
    Ok(json!({ "contact": contact }))
}

pub(super) async fn create(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let (name, company) = (given.text("name", 200)?, given.maybe_id::<CompanyId>("company_id")?);
    let (email, phone) = (given.maybe_text("email", 254)?, given.maybe_text("phone", 60)?);
    let (job_title, notes) = (given.maybe_text("job_title", 200)?, given.maybe_text("notes", 10_000)?);
    given.end()?;
    if let Some(company) = company {
        companies::hold(tx, company).await?;
    }
    let (id, tenant, now): (ContactId, _, _) = (tx.id(), tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "INSERT INTO crm_contacts (tenant_id, id, company_id, name, email, phone, job_title, notes, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        tenant,
        id.uuid(),
        company.map(|company| company.uuid()),
        name,
        email,
        phone,
        job_title,
        notes,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(json!({ "contact": one(tx, id).await? }))
}

pub(super) async fn update(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let id: ContactId = given.id("id")?;
    let (name, company) = (given.maybe_text("name", 200)?, given.patch_id::<CompanyId>("company_id")?);
    let (email, phone) = (given.patch_text("email", 254)?, given.patch_text("phone", 60)?);
    let (job_title, notes) = (given.patch_text("job_title", 200)?, given.patch_text("notes", 10_000)?);
    given.end()?;
    let changes = name.is_some()
        || company.changes()
        || [&email, &phone, &job_title, &notes].iter().any(|patch| patch.changes());
    if !changes {
        return Err(Fault::say(
            "Nothing to change: give at least one of `name`, `company_id`, `email`, `phone`, `job_title`, `notes`.",
        ));
    }
    if let Patch::Set(company) = &company {
        companies::hold(tx, *company).await?;
    }
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "UPDATE crm_contacts SET name = coalesce($3, name), company_id = CASE WHEN $4 THEN $5 ELSE company_id END,
                email = CASE WHEN $6 THEN $7 ELSE email END, phone = CASE WHEN $8 THEN $9 ELSE phone END,
                job_title = CASE WHEN $10 THEN $11 ELSE job_title END, notes = CASE WHEN $12 THEN $13 ELSE notes END,
                updated_at = $14
         WHERE tenant_id = $1 AND id = $2",
        tenant,
        id.uuid(),
        name,
        company.changes(),
        company.value().map(|company| company.uuid()),
        email.changes(),
        email.value(),
        phone.changes(),
        phone.value(),
        job_title.changes(),
        job_title.value(),
        notes.changes(),
        notes.value(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(json!({ "contact": one(tx, id).await? }))
}

pub(super) async fn delete(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let id: ContactId = given.id("id")?;
    given.end()?;
    let tenant = tx.tenant_uuid();
    // Locked, so that nothing is put on record with the person between the two deletions.
    sqlx::query_scalar!(
        "SELECT id FROM crm_contacts WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        tenant,
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| missing(id))?;
    let interactions = sqlx::query!(
        "DELETE FROM crm_interactions WHERE tenant_id = $1 AND contact_id = $2",
        tenant,
        id.uuid()
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    sqlx::query!("DELETE FROM crm_contacts WHERE tenant_id = $1 AND id = $2", tenant, id.uuid())
        .execute(tx.conn())
        .await?;
    Ok(json!({ "deleted": id, "interactions_deleted": interactions }))
}

/// Makes sure that a contact is there, and stays until the transaction ends. Answers the name.
pub(super) async fn hold(tx: &mut TenantTx, id: ContactId) -> Result<String, Fault> {
    let tenant = tx.tenant_uuid();
    sqlx::query_scalar!(
        "SELECT name FROM crm_contacts WHERE tenant_id = $1 AND id = $2 FOR KEY SHARE",
        tenant,
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| missing(id))
}

fn missing(id: ContactId) -> Fault {
    Fault::say(format!("There is no contact {id}: list_contacts shows those there are."))
}

async fn one(tx: &mut TenantTx, id: ContactId) -> Result<Value, Fault> {
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        r#"SELECT c.company_id, o.name AS "company_name?", c.name, c.email, c.phone, c.job_title, c.notes, c.created_at,
                  c.updated_at
           FROM crm_contacts c
           LEFT JOIN crm_companies o ON o.tenant_id = c.tenant_id AND o.id = c.company_id
           WHERE c.tenant_id = $1 AND c.id = $2"#,
        tenant,
        id.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| missing(id))?;
    Ok(filled(json!({
        "id": id, "company_id": row.company_id.map(CompanyId::from), "company_name": row.company_name, "name": row.name,
        "email": row.email, "phone": row.phone, "job_title": row.job_title, "notes": row.notes,
        "created_at": time(row.created_at), "updated_at": time(row.updated_at),
    })))
}

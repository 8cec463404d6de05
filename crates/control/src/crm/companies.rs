//! Companies.

use model::CompanyId;
use serde_json::{Value, json};

use super::answer::{Fault, filled, time};
use super::arguments::{Arguments, Cursor};
use crate::tx::TenantTx;

pub(super) async fn list(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let (search, limit, cursor) = (given.maybe_text("search", 200)?, given.limit()?, given.cursor()?);
    given.end()?;
    let tenant = tx.tenant_uuid();
    let (after, after_id) = cursor.map(|Cursor(name, id)| (name, id)).unzip();
    let mut rows = sqlx::query!(
        r#"SELECT id, name, website, industry, created_at, updated_at, lower(name) AS "sort!" FROM crm_companies
           WHERE tenant_id = $1
             AND ($2::text IS NULL OR strpos(lower(name), lower($2)) > 0 OR strpos(lower(website), lower($2)) > 0
                  OR strpos(lower(industry), lower($2)) > 0)
             AND ($3::text IS NULL OR (lower(name), id) > ($3, $4::uuid))
           ORDER BY lower(name), id LIMIT $5"#,
        tenant,
        search,
        after,
        after_id,
        i64::try_from(limit).unwrap_or(0) + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| Cursor(row.sort.clone(), row.id).write());
    let companies: Vec<Value> = rows
        .into_iter()
        .map(|row| {
            filled(json!({
                "id": CompanyId::from(row.id), "name": row.name, "website": row.website, "industry": row.industry,
                "created_at": time(row.created_at), "updated_at": time(row.updated_at),
            }))
        })
        .collect();
    Ok(filled(json!({ "companies": companies, "next_cursor": next })))
}

pub(super) async fn get(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let id: CompanyId = given.id("id")?;
    given.end()?;
    let mut company = one(tx, id).await?;
    let inside = inside(tx, id).await?;
    if let Some(members) = company.as_object_mut() {
        members.insert("contacts".to_owned(), inside.contacts.into());
        members.insert("deals".to_owned(), inside.deals.into());
    }
    Ok(json!({ "company": company }))
}

pub(super) async fn create(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let name = given.text("name", 200)?;
    let (website, industry) = (given.maybe_text("website", 500)?, given.maybe_text("industry", 120)?);
    let notes = given.maybe_text("notes", 10_000)?;
    given.end()?;
    let (id, tenant, now): (CompanyId, _, _) = (tx.id(), tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "INSERT INTO crm_companies (tenant_id, id, name, website, industry, notes, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
        tenant,
        id.uuid(),
        name,
        website,
        industry,
        notes,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(json!({ "company": one(tx, id).await? }))
}

pub(super) async fn update(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let id: CompanyId = given.id("id")?;
    let name = given.maybe_text("name", 200)?;
    let (website, industry) = (given.patch_text("website", 500)?, given.patch_text("industry", 120)?);
    let notes = given.patch_text("notes", 10_000)?;
    given.end()?;
    if name.is_none() && !website.changes() && !industry.changes() && !notes.changes() {
        return Err(Fault::say(
            "Nothing to change: give at least one of `name`, `website`, `industry`, `notes`.",
        ));
    }
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "UPDATE crm_companies SET name = coalesce($3, name), website = CASE WHEN $4 THEN $5 ELSE website END,
                industry = CASE WHEN $6 THEN $7 ELSE industry END, notes = CASE WHEN $8 THEN $9 ELSE notes END,
                updated_at = $10
         WHERE tenant_id = $1 AND id = $2",
        tenant,
        id.uuid(),
        name,
        website.changes(),
        website.value(),
        industry.changes(),
        industry.value(),
        notes.changes(),
        notes.value(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(json!({ "company": one(tx, id).await? }))
}

pub(super) async fn delete(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let id: CompanyId = given.id("id")?;
    given.end()?;
    let tenant = tx.tenant_uuid();
    // Locked, so that nobody adds a contact or a deal between the question and the deletion.
    let name = sqlx::query_scalar!(
        "SELECT name FROM crm_companies WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        tenant,
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| missing(id))?;
    let inside = inside(tx, id).await?;
    if inside.contacts + inside.deals > 0 {
        return Err(Fault::say(format!(
            "“{name}” has {} contacts and {} deals and was not deleted: delete those first, or move the contacts to another company.",
            inside.contacts, inside.deals
        )));
    }
    sqlx::query!("DELETE FROM crm_companies WHERE tenant_id = $1 AND id = $2", tenant, id.uuid())
        .execute(tx.conn())
        .await?;
    Ok(json!({ "deleted": id }))
}

/// Makes sure that a company is there, and stays until the transaction ends.
pub(super) async fn hold(tx: &mut TenantTx, id: CompanyId) -> Result<(), Fault> {
    let tenant = tx.tenant_uuid();
    sqlx::query_scalar!(
        "SELECT id FROM crm_companies WHERE tenant_id = $1 AND id = $2 FOR KEY SHARE",
        tenant,
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?
    .map(|_| ())
    .ok_or_else(|| missing(id))
}

fn missing(id: CompanyId) -> Fault {
    Fault::say(format!("There is no company {id}: list_companies shows those there are."))
}

struct Inside {
    contacts: i64,
    deals: i64,
}

async fn inside(tx: &mut TenantTx, id: CompanyId) -> Result<Inside, Fault> {
    let tenant = tx.tenant_uuid();
    Ok(sqlx::query_as!(
        Inside,
        r#"SELECT (SELECT count(*) FROM crm_contacts WHERE tenant_id = $1 AND company_id = $2) AS "contacts!",
                  (SELECT count(*) FROM crm_deals WHERE tenant_id = $1 AND company_id = $2) AS "deals!""#,
        tenant,
        id.uuid(),
    )
    .fetch_one(tx.conn())
    .await?)
}

async fn one(tx: &mut TenantTx, id: CompanyId) -> Result<Value, Fault> {
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        "SELECT name, website, industry, notes, created_at, updated_at FROM crm_companies WHERE tenant_id = $1 AND id = $2",
        tenant,
        id.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| missing(id))?;
    Ok(filled(json!({
        "id": id, "name": row.name, "website": row.website, "industry": row.industry, "notes": row.notes,
        "created_at": time(row.created_at), "updated_at": time(row.updated_at),
    })))
}

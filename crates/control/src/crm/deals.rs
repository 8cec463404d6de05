//! Deals with companies.

use chrono::NaiveDate;
use model::{CompanyId, Currency, DealId, Timestamp, words};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::{Fault, filled, time};
use super::arguments::{Arguments, Cursor, Patch};
use super::companies;
use crate::tx::TenantTx;

words! {
    /// Where a deal stands.
    Stage {
        /// Somebody may be interested.
        Lead = "lead",
        /// Somebody is.
        Qualified = "qualified",
        /// They have a proposal.
        Proposal = "proposal",
        /// It is being negotiated.
        Negotiation = "negotiation",
        /// Made.
        Won = "won",
        /// Not made.
        Lost = "lost",
    }
}

/// A deal as the database has it.
struct Row {
    id: Uuid,
    company_id: Uuid,
    company_name: String,
    name: String,
    stage: String,
    amount: Option<Decimal>,
    currency: Option<String>,
    close_on: Option<NaiveDate>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Row> for Value {
    fn from(row: Row) -> Value {
        // At most 14 digits, which a JSON number keeps.
        let amount =
            row.amount.and_then(|amount| amount.normalize().to_string().parse::<serde_json::Number>().ok());
        filled(json!({
            "id": DealId::from(row.id), "company_id": CompanyId::from(row.company_id), "company_name": row.company_name,
            "name": row.name, "stage": row.stage, "amount": amount, "currency": row.currency, "close_on": row.close_on,
            "created_at": time(row.created_at), "updated_at": time(row.updated_at),
        }))
    }
}

pub(super) async fn list(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let (search, company) = (given.maybe_text("search", 200)?, given.maybe_id::<CompanyId>("company_id")?);
    let stage = given.maybe_word::<Stage>("stage")?;
    let (limit, cursor) = (given.limit()?, given.cursor()?);
    given.end()?;
    let tenant = tx.tenant_uuid();
    let mut rows = sqlx::query_as!(
        Row,
        "SELECT d.id, d.company_id, c.name AS company_name, d.name, d.stage, d.amount, d.currency, d.close_on, d.created_at,
                d.updated_at
         FROM crm_deals d
         JOIN crm_companies c ON c.tenant_id = d.tenant_id AND c.id = d.company_id
         WHERE d.tenant_id = $1
           AND ($2::text IS NULL OR strpos(lower(d.name), lower($2)) > 0)
           AND ($3::uuid IS NULL OR d.company_id = $3)
           AND ($4::text IS NULL OR d.stage = $4)
           AND ($5::uuid IS NULL OR d.id < $5)
         ORDER BY d.id DESC LIMIT $6",
        tenant,
        search,
        company.map(|company| company.uuid()),
        stage.map(|stage| stage.word()),
        cursor.map(|Cursor(_, id)| id),
        i64::try_from(limit).unwrap_or(0) + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| Cursor(String::new(), row.id).write());
    let deals: Vec<Value> = rows.into_iter().map(Value::from).collect();
    Ok(filled(json!({ "deals": deals, "next_cursor": next })))
}

pub(super) async fn get(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let id: DealId = given.id("id")?;
    given.end()?;
    Ok(json!({ "deal": Value::from(one(tx, id).await?) }))
}

pub(super) async fn create(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let (company, name): (CompanyId, _) = (given.id("company_id")?, given.text("name", 200)?);
    let stage = given.maybe_word("stage")?.unwrap_or(Stage::Lead);
    let (amount, currency) =
        (given.patch_amount("amount")?.value(), given.maybe_word::<Currency>("currency")?);
    let close_on = given.patch_date("close_on")?.value();
    given.end()?;
    if amount.is_some() != currency.is_some() {
        return Err(Fault::say("`amount` and `currency` go together: give both or neither."));
    }
    companies::hold(tx, company).await?;
    let (id, tenant, now): (DealId, _, _) = (tx.id(), tx.tenant_uuid(), tx.now());
    sqlx::query!(
        "INSERT INTO crm_deals (tenant_id, id, company_id, name, stage, amount, currency, close_on, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        tenant,
        id.uuid(),
        company.uuid(),
        name,
        stage.word(),
        amount,
        currency.as_ref().map(Currency::code),
        close_on,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(json!({ "deal": Value::from(one(tx, id).await?) }))
}

pub(super) async fn update(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let id: DealId = given.id("id")?;
    let (name, stage) = (given.maybe_text("name", 200)?, given.maybe_word::<Stage>("stage")?);
    let (amount, currency) = (given.patch_amount("amount")?, given.maybe_word::<Currency>("currency")?);
    let close_on = given.patch_date("close_on")?;
    given.end()?;
    let changes =
        name.is_some() || stage.is_some() || amount.changes() || currency.is_some() || close_on.changes();
    if !changes {
        return Err(Fault::say(
            "Nothing to change: give at least one of `name`, `stage`, `amount`, `currency`, `close_on`.",
        ));
    }
    let tenant = tx.tenant_uuid();
    let was = sqlx::query!(
        "SELECT amount, currency FROM crm_deals WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE",
        tenant,
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| missing(id))?;
    let amount = match amount {
        Patch::Keep => was.amount,
        Patch::Clear => None,
        Patch::Set(amount) => Some(amount),
    };
    let currency =
        currency.map(|currency| currency.code().to_owned()).or(was.currency.filter(|_| amount.is_some()));
    if amount.is_some() != currency.is_some() {
        return Err(Fault::say(
            "`amount` and `currency` go together: the deal would have one without the other.",
        ));
    }
    let now = tx.now();
    sqlx::query!(
        "UPDATE crm_deals SET name = coalesce($3, name), stage = coalesce($4, stage), amount = $5, currency = $6,
                close_on = CASE WHEN $7 THEN $8 ELSE close_on END, updated_at = $9
         WHERE tenant_id = $1 AND id = $2",
        tenant,
        id.uuid(),
        name,
        stage.map(|stage| stage.word()),
        amount,
        currency,
        close_on.changes(),
        close_on.value(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(json!({ "deal": Value::from(one(tx, id).await?) }))
}

pub(super) async fn delete(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let id: DealId = given.id("id")?;
    given.end()?;
    let tenant = tx.tenant_uuid();
    let gone = sqlx::query!("DELETE FROM crm_deals WHERE tenant_id = $1 AND id = $2", tenant, id.uuid())
        .execute(tx.conn())
        .await?
        .rows_affected();
    if gone == 0 { Err(missing(id)) } else { Ok(json!({ "deleted": id })) }
}

fn missing(id: DealId) -> Fault {
    Fault::say(format!("There is no deal {id}: list_deals shows those there are."))
}

async fn one(tx: &mut TenantTx, id: DealId) -> Result<Row, Fault> {
    let tenant = tx.tenant_uuid();
    sqlx::query_as!(
        Row,
        "SELECT d.id, d.company_id, c.name AS company_name, d.name, d.stage, d.amount, d.currency, d.close_on, d.created_at,
                d.updated_at
         FROM crm_deals d
         JOIN crm_companies c ON c.tenant_id = d.tenant_id AND c.id = d.company_id
         WHERE d.tenant_id = $1 AND d.id = $2",
        tenant,
        id.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| missing(id))
}

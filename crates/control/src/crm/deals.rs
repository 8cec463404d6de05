//! Deals with companies.

use chrono::NaiveDate;
use model::crm::{Deal, Line, Records, Stage, StageTotal};
use model::{Currency, DealId, Timestamp};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::record::{self, Bounds, Consequence, Filter, Key, Mark, Record, Sort, Start, changed_by, line};
use crate::tx::TenantTx;
use crate::{Error, rows};

impl Record for Deal {
    type Id = DealId;
    const RECORDS: Records = Records::Deals;
    const FIELDS: &'static [&'static str] =
        &["external_id", "name", "company_id", "stage", "amount", "currency", "close_on"];

    fn set(&mut self, field: &str, text: &str) -> Result<(), String> {
        match field {
            "external_id" => self.external_id = line(text, 200)?,
            "name" => self.name = line(text, 200)?.unwrap_or_default(),
            "company_id" => self.company = record::id(text)?,
            "stage" => self.stage = record::word(text)?.unwrap_or(Stage::Lead),
            "amount" => self.amount = record::amount(text)?,
            "currency" => self.currency = record::word(text)?,
            "close_on" => self.close_on = record::day(text)?,
            _ => {}
        }
        Ok(())
    }

    fn get(&self, field: &str) -> String {
        match field {
            "external_id" => self.external_id.clone().unwrap_or_default(),
            "name" => self.name.clone(),
            "company_id" => self.company.map(|id| id.to_string()).unwrap_or_default(),
            "stage" => self.stage.word().to_owned(),
            "amount" => self.amount.map(|amount| amount.normalize().to_string()).unwrap_or_default(),
            "currency" => self.currency.map(|currency| currency.to_string()).unwrap_or_default(),
            "close_on" => self.close_on.map(|day| day.to_string()).unwrap_or_default(),
            _ => String::new(),
        }
    }

    fn check(&self, _: Timestamp) -> Result<(), (&'static str, String)> {
        if self.name.is_empty() {
            return Err(("name", "say what it is about".to_owned()));
        }
        if self.company.is_none() {
            return Err(("company_id", "say with which company it is".to_owned()));
        }
        match (self.amount, self.currency) {
            (Some(_), None) => Err(("currency", "give the currency of the amount, such as EUR".to_owned())),
            (None, Some(_)) => Err(("currency", "give an amount with the currency, or neither".to_owned())),
            _ => Ok(()),
        }
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn parent(&self) -> Option<(Records, Uuid)> {
        self.company.map(|company| (Records::Companies, company.uuid()))
    }

    async fn insert(tx: &mut TenantTx, rows: &[(Uuid, Self)], mark: &Mark) -> Result<(), Error> {
        let (tenant, now) = (tx.tenant_uuid(), tx.now());
        sqlx::query!(
            "INSERT INTO crm_deals (tenant_id, id, external_id, name, company_id, stage, amount, currency, close_on,
                                    created_at, updated_at, changed_kind, changed_by, changed_name, changed_call)
             SELECT $1, r.id, r.external_id, r.name, r.company_id, r.stage, r.amount, r.currency, r.close_on, $3, $3, $4,
                    $5, $6, $7
             FROM jsonb_to_recordset($2) AS r (id uuid, external_id text, name text, company_id uuid, stage text,
                                               amount numeric, currency text, close_on date)",
            tenant,
            as_json(rows),
            now,
            mark.kind,
            mark.id,
            mark.name,
            mark.call,
        )
        .execute(tx.conn())
        .await?;
        Ok(())
    }

    async fn update(tx: &mut TenantTx, rows: &[(Uuid, Self)], mark: &Mark) -> Result<(), Error> {
        let (tenant, now) = (tx.tenant_uuid(), tx.now());
        sqlx::query!(
            "UPDATE crm_deals d
             SET external_id = r.external_id, name = r.name, company_id = r.company_id, stage = r.stage, amount = r.amount,
                 currency = r.currency, close_on = r.close_on, updated_at = $3, changed_kind = $4, changed_by = $5,
                 changed_name = $6, changed_call = $7
             FROM jsonb_to_recordset($2) AS r (id uuid, external_id text, name text, company_id uuid, stage text,
                                               amount numeric, currency text, close_on date)
             WHERE d.tenant_id = $1 AND d.id = r.id",
            tenant,
            as_json(rows),
            now,
            mark.kind,
            mark.id,
            mark.name,
            mark.call,
        )
        .execute(tx.conn())
        .await?;
        Ok(())
    }

    async fn matching(tx: &mut TenantTx, key: Key, values: &[String]) -> Result<Vec<(Uuid, Self)>, Error> {
        let tenant = tx.tenant_uuid();
        let found = sqlx::query!(
            "SELECT id, external_id, name, company_id, stage, amount, currency, close_on FROM crm_deals
             WHERE tenant_id = $1
               AND ($2 = 'id' AND id = ANY ($4) OR $2 = 'external_id' AND external_id = ANY ($3)
                    OR $2 = 'name' AND sort_name = ANY ($3))
             ORDER BY id FOR NO KEY UPDATE",
            tenant,
            key.word(),
            values,
            &record::uuids(values),
        )
        .fetch_all(tx.conn())
        .await?;
        found
            .into_iter()
            .map(|row| {
                let deal = Self {
                    external_id: row.external_id,
                    name: row.name,
                    company: Some(row.company_id.into()),
                    stage: rows::word("a deal", &row.stage)?,
                    amount: row.amount,
                    currency: currency(row.currency)?,
                    close_on: row.close_on,
                };
                Ok((row.id, deal))
            })
            .collect()
    }

    async fn list(
        tx: &mut TenantTx,
        filter: &Filter,
        start: &Start,
        most: usize,
    ) -> Result<Vec<Line<Self>>, Error> {
        let (tenant, most) = (tx.tenant_uuid(), i64::try_from(most).unwrap_or(i64::MAX));
        let Bounds { text_id, id, offset, .. } = start.bounds();
        macro_rules! in_order {
            ($order:literal) => {
                sqlx::query_as!(
                    Row,
                    "SELECT d.id, d.external_id, d.name, d.company_id, c.name AS company_name, d.stage, d.amount, d.currency,
                            d.close_on, d.created_at, d.updated_at, d.changed_kind, d.changed_by, d.changed_name,
                            d.changed_call
                     FROM crm_deals d
                     JOIN crm_companies c ON c.tenant_id = d.tenant_id AND c.id = d.company_id
                     WHERE d.tenant_id = $1
                       AND ($2::text IS NULL OR strpos(d.search, lower($2)) > 0)
                       AND ($3::uuid IS NULL OR d.company_id = $3)
                       AND ($4::text IS NULL OR d.stage = $4)
                       AND ($5::uuid IS NULL OR d.id < $5)
                       AND ($6::uuid IS NULL OR d.id > $6)
                     ORDER BY " + $order + " OFFSET $7 LIMIT $8",
                    tenant,
                    filter.search,
                    filter.company.map(|company| company.uuid()),
                    filter.stage.map(|stage| stage.word()),
                    text_id,
                    id,
                    offset,
                    most,
                )
                .fetch_all(tx.conn())
                .await?
            };
        }
        let rows = match (start, filter.sort) {
            (Start::Id(_), _) => in_order!("d.id"),
            (_, Some(Sort::Changed)) => in_order!("d.updated_at DESC, d.id DESC"),
            (_, Some(Sort::Name)) => in_order!("d.sort_name, d.id"),
            (_, Some(Sort::Amount)) => in_order!("d.currency NULLS LAST, d.amount DESC, d.id DESC"),
            (_, Some(Sort::Closing)) => in_order!("d.close_on NULLS LAST, d.id DESC"),
            _ => in_order!("d.id DESC"),
        };
        rows.into_iter().map(Row::line).collect()
    }

    async fn find(tx: &mut TenantTx, id: Uuid) -> Result<Option<Line<Self>>, Error> {
        let tenant = tx.tenant_uuid();
        let row = sqlx::query_as!(
            Row,
            "SELECT d.id, d.external_id, d.name, d.company_id, c.name AS company_name, d.stage, d.amount, d.currency,
                    d.close_on, d.created_at, d.updated_at, d.changed_kind, d.changed_by, d.changed_name, d.changed_call
             FROM crm_deals d
             JOIN crm_companies c ON c.tenant_id = d.tenant_id AND c.id = d.company_id
             WHERE d.tenant_id = $1 AND d.id = $2",
            tenant,
            id,
        )
        .fetch_optional(tx.conn())
        .await?;
        row.map(Row::line).transpose()
    }

    async fn consequence(tx: &mut TenantTx, id: Uuid) -> Result<Option<Consequence>, Error> {
        let tenant = tx.tenant_uuid();
        let name = sqlx::query_scalar!(
            "SELECT name FROM crm_deals WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
            tenant,
            id
        )
        .fetch_optional(tx.conn())
        .await?;
        Ok(name.map(|name| Consequence { name, ..Consequence::default() }))
    }

    async fn delete(tx: &mut TenantTx, id: Uuid) -> Result<(), Error> {
        let tenant = tx.tenant_uuid();
        sqlx::query!("DELETE FROM crm_deals WHERE tenant_id = $1 AND id = $2", tenant, id)
            .execute(tx.conn())
            .await?;
        Ok(())
    }
}

/// What the deals of a filter come to, by stage and currency.
pub(super) async fn totals(tx: &mut TenantTx, filter: &Filter) -> Result<Vec<StageTotal>, Error> {
    let tenant = tx.tenant_uuid();
    let rows = sqlx::query!(
        r#"SELECT stage, currency, count(*) AS "deals!", coalesce(sum(amount), 0) AS "amount!" FROM crm_deals
           WHERE tenant_id = $1
             AND ($2::text IS NULL OR strpos(search, lower($2)) > 0)
             AND ($3::uuid IS NULL OR company_id = $3)
             AND ($4::text IS NULL OR stage = $4)
           GROUP BY stage, currency ORDER BY currency NULLS LAST"#,
        tenant,
        filter.search,
        filter.company.map(|company| company.uuid()),
        filter.stage.map(|stage| stage.word()),
    )
    .fetch_all(tx.conn())
    .await?;
    let mut totals = rows
        .into_iter()
        .map(|row| {
            Ok(StageTotal {
                stage: rows::word("a deal", &row.stage)?,
                currency: currency(row.currency)?,
                deals: row.deals.unsigned_abs(),
                amount: row.amount.normalize(),
            })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    totals.sort_by_key(|total| total.stage);
    Ok(totals)
}

fn currency(text: Option<String>) -> Result<Option<Currency>, Error> {
    text.map(|text| rows::word("a deal", &text)).transpose()
}

/// A deal as the database has it.
struct Row {
    id: Uuid,
    external_id: Option<String>,
    name: String,
    company_id: Uuid,
    company_name: String,
    stage: String,
    amount: Option<Decimal>,
    currency: Option<String>,
    close_on: Option<NaiveDate>,
    created_at: Timestamp,
    updated_at: Timestamp,
    changed_kind: String,
    changed_by: Option<Uuid>,
    changed_name: String,
    changed_call: Option<Uuid>,
}

impl Row {
    fn line(self) -> Result<Line<Deal>, Error> {
        Ok(Line {
            id: self.id,
            record: Deal {
                external_id: self.external_id,
                name: self.name,
                company: Some(self.company_id.into()),
                stage: rows::word("a deal", &self.stage)?,
                amount: self.amount.map(|amount| amount.normalize()),
                currency: currency(self.currency)?,
                close_on: self.close_on,
            },
            company: Some((self.company_id.into(), self.company_name)),
            contact: None,
            created_at: self.created_at,
            updated_at: self.updated_at,
            changed_by: changed_by(&self.changed_kind, self.changed_by, self.changed_name, self.changed_call),
        })
    }
}

fn as_json(rows: &[(Uuid, Deal)]) -> Value {
    let row = |(id, deal): &(Uuid, Deal)| {
        json!({
            "id": id, "external_id": deal.external_id, "name": deal.name,
            "company_id": deal.company.map(|company| company.uuid()), "stage": deal.stage,
            // As text: its digits and not a float.
            "amount": deal.amount.map(|amount| amount.to_string()), "currency": deal.currency, "close_on": deal.close_on,
        })
    };
    rows.iter().map(row).collect()
}

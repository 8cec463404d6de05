//! Companies.

use model::crm::{Company, Line, Records};
use model::{CompanyId, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::record::{
    self, Bounds, Consequence, Filter, Key, Mark, Record, Sort, Start, changed_by, line, lines,
};
use crate::Error;
use crate::tx::TenantTx;

impl Record for Company {
    type Id = CompanyId;
    const RECORDS: Records = Records::Companies;
    const FIELDS: &'static [&'static str] = &["external_id", "name", "website", "industry", "notes"];

    fn set(&mut self, field: &str, text: &str) -> Result<(), String> {
        match field {
            "external_id" => self.external_id = line(text, 200)?,
            "name" => self.name = line(text, 200)?.unwrap_or_default(),
            "website" => self.website = line(text, 500)?,
            "industry" => self.industry = line(text, 120)?,
            "notes" => self.notes = lines(text, 10_000)?,
            _ => {}
        }
        Ok(())
    }

    fn get(&self, field: &str) -> String {
        let text = match field {
            "external_id" => &self.external_id,
            "name" => return self.name.clone(),
            "website" => &self.website,
            "industry" => &self.industry,
            "notes" => &self.notes,
            _ => &None,
        };
        text.clone().unwrap_or_default()
    }

    fn check(&self, _: Timestamp) -> Result<(), (&'static str, String)> {
        if self.name.is_empty() { Err(("name", "give its name".to_owned())) } else { Ok(()) }
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn parent(&self) -> Option<(Records, Uuid)> {
        None
    }

    async fn insert(tx: &mut TenantTx, rows: &[(Uuid, Self)], mark: &Mark) -> Result<(), Error> {
        let (tenant, now) = (tx.tenant_uuid(), tx.now());
        sqlx::query!(
            "INSERT INTO crm_companies (tenant_id, id, external_id, name, website, domain, industry, notes, created_at,
                                        updated_at, changed_kind, changed_by, changed_name, changed_call)
             SELECT $1, r.id, r.external_id, r.name, r.website, r.domain, r.industry, r.notes, $3, $3, $4, $5, $6, $7
             FROM jsonb_to_recordset($2) AS r (id uuid, external_id text, name text, website text, domain text,
                                               industry text, notes text)",
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
            "UPDATE crm_companies c
             SET external_id = r.external_id, name = r.name, website = r.website, domain = r.domain, industry = r.industry,
                 notes = r.notes, updated_at = $3, changed_kind = $4, changed_by = $5, changed_name = $6, changed_call = $7
             FROM jsonb_to_recordset($2) AS r (id uuid, external_id text, name text, website text, domain text,
                                               industry text, notes text)
             WHERE c.tenant_id = $1 AND c.id = r.id",
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
            "SELECT id, external_id, name, website, industry, notes FROM crm_companies
             WHERE tenant_id = $1
               AND ($2 = 'id' AND id = ANY ($4) OR $2 = 'external_id' AND external_id = ANY ($3)
                    OR $2 = 'website' AND domain = ANY ($3) OR $2 = 'name' AND sort_name = ANY ($3))
             ORDER BY id FOR NO KEY UPDATE",
            tenant,
            key.word(),
            values,
            &record::uuids(values),
        )
        .fetch_all(tx.conn())
        .await?;
        Ok(found
            .into_iter()
            .map(|row| {
                let company = Self {
                    external_id: row.external_id,
                    name: row.name,
                    website: row.website,
                    industry: row.industry,
                    notes: row.notes,
                };
                (row.id, company)
            })
            .collect())
    }

    async fn list(
        tx: &mut TenantTx,
        filter: &Filter,
        start: &Start,
        most: usize,
    ) -> Result<Vec<Line<Self>>, Error> {
        let (tenant, most) = (tx.tenant_uuid(), i64::try_from(most).unwrap_or(i64::MAX));
        let Bounds { text, text_id, id, offset } = start.bounds();
        macro_rules! in_order {
            ($order:literal) => {
                sqlx::query_as!(
                    Row,
                    "SELECT id, external_id, name, website, industry, notes, created_at, updated_at, changed_kind, changed_by,
                            changed_name, changed_call
                     FROM crm_companies
                     WHERE tenant_id = $1
                       AND ($2::text IS NULL OR strpos(search, lower($2)) > 0)
                       AND ($3::text IS NULL OR (sort_name, id) > (lower($3), $4::uuid))
                       AND ($5::uuid IS NULL OR id > $5)
                     ORDER BY " + $order + " OFFSET $6 LIMIT $7",
                    tenant,
                    filter.search,
                    text,
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
            (Start::Id(_), _) => in_order!("id"),
            (_, Some(Sort::Changed)) => in_order!("updated_at DESC, id DESC"),
            (_, Some(Sort::Newest)) => in_order!("id DESC"),
            _ => in_order!("sort_name, id"),
        };
        Ok(rows.into_iter().map(Row::line).collect())
    }

    async fn find(tx: &mut TenantTx, id: Uuid) -> Result<Option<Line<Self>>, Error> {
        let tenant = tx.tenant_uuid();
        let row = sqlx::query_as!(
            Row,
            "SELECT id, external_id, name, website, industry, notes, created_at, updated_at, changed_kind, changed_by,
                    changed_name, changed_call
             FROM crm_companies WHERE tenant_id = $1 AND id = $2",
            tenant,
            id,
        )
        .fetch_optional(tx.conn())
        .await?;
        Ok(row.map(Row::line))
    }

    async fn consequence(tx: &mut TenantTx, id: Uuid) -> Result<Option<Consequence>, Error> {
        let tenant = tx.tenant_uuid();
        // Locked, so that nobody adds a contact or a deal between the question and the deletion.
        let name = sqlx::query_scalar!(
            "SELECT name FROM crm_companies WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
            tenant,
            id
        )
        .fetch_optional(tx.conn())
        .await?;
        let Some(name) = name else { return Ok(None) };
        let (contacts, deals) = inside(tx, id).await?;
        Ok(Some(Consequence { name, contacts, deals, interactions: 0 }))
    }

    async fn delete(tx: &mut TenantTx, id: Uuid) -> Result<(), Error> {
        let tenant = tx.tenant_uuid();
        sqlx::query!("DELETE FROM crm_companies WHERE tenant_id = $1 AND id = $2", tenant, id)
            .execute(tx.conn())
            .await?;
        Ok(())
    }
}

/// How many contacts and deals a company has.
pub(super) async fn inside(tx: &mut TenantTx, id: Uuid) -> Result<(u64, u64), Error> {
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM crm_contacts WHERE tenant_id = $1 AND company_id = $2) AS "contacts!",
                  (SELECT count(*) FROM crm_deals WHERE tenant_id = $1 AND company_id = $2) AS "deals!""#,
        tenant,
        id,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((row.contacts.unsigned_abs(), row.deals.unsigned_abs()))
}

/// A company as the database has it.
struct Row {
    id: Uuid,
    external_id: Option<String>,
    name: String,
    website: Option<String>,
    industry: Option<String>,
    notes: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    changed_kind: String,
    changed_by: Option<Uuid>,
    changed_name: String,
    changed_call: Option<Uuid>,
}

impl Row {
    fn line(self) -> Line<Company> {
        Line {
            id: self.id,
            record: Company {
                external_id: self.external_id,
                name: self.name,
                website: self.website,
                industry: self.industry,
                notes: self.notes,
            },
            company: None,
            contact: None,
            created_at: self.created_at,
            updated_at: self.updated_at,
            changed_by: changed_by(&self.changed_kind, self.changed_by, self.changed_name, self.changed_call),
        }
    }
}

fn as_json(rows: &[(Uuid, Company)]) -> Value {
    let row = |(id, company): &(Uuid, Company)| {
        json!({
            "id": id, "external_id": company.external_id, "name": company.name, "website": company.website,
            "domain": company.website.as_deref().and_then(domain), "industry": company.industry, "notes": company.notes,
        })
    };
    rows.iter().map(row).collect()
}

/// The host of a website, in lower case and without `www.`: `https://www.Acme.example/shop` and `acme.example` are one.
pub(super) fn domain(website: &str) -> Option<String> {
    let website = website.trim();
    let after = website.split_once("://").map_or(website, |(_, after)| after);
    let host = after.split(['/', '?', '#']).next().unwrap_or(after);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split(':').next().unwrap_or(host).trim_end_matches('.').to_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    (!host.is_empty()).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_website_is_found_by_its_host_however_it_is_written() {
        for text in [
            "acme.example",
            "https://www.Acme.example/shop?x",
            "HTTP://ACME.EXAMPLE:8080.",
            " www.acme.example ",
        ] {
            assert_eq!(domain(text).as_deref(), Some("acme.example"), "{text}");
        }
        assert_eq!(domain("https://"), None);
        assert_eq!(domain(""), None);
    }
}

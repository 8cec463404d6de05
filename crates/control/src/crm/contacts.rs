//! Contacts: people, with or without a company.

use model::crm::{Contact, Line, Records};
use model::{ContactId, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::record::{
    self, Bounds, Consequence, Filter, Key, Mark, Record, Sort, Start, changed_by, line, lines,
};
use crate::Error;
use crate::tx::TenantTx;

impl Record for Contact {
    type Id = ContactId;
    const RECORDS: Records = Records::Contacts;
    const FIELDS: &'static [&'static str] =
        &["external_id", "name", "company_id", "email", "phone", "job_title", "notes"];

    fn set(&mut self, field: &str, text: &str) -> Result<(), String> {
        match field {
            "external_id" => self.external_id = line(text, 200)?,
            "name" => self.name = line(text, 200)?.unwrap_or_default(),
            "company_id" => self.company = record::id(text)?,
            "email" => self.email = line(text, 254)?,
            "phone" => self.phone = line(text, 60)?,
            "job_title" => self.job_title = line(text, 200)?,
            "notes" => self.notes = lines(text, 10_000)?,
            _ => {}
        }
        Ok(())
    }

    fn get(&self, field: &str) -> String {
        let text = match field {
            "external_id" => &self.external_id,
            "name" => return self.name.clone(),
            "company_id" => return self.company.map(|id| id.to_string()).unwrap_or_default(),
            "email" => &self.email,
            "phone" => &self.phone,
            "job_title" => &self.job_title,
            "notes" => &self.notes,
            _ => &None,
        };
        text.clone().unwrap_or_default()
    }

    fn check(&self, _: Timestamp) -> Result<(), (&'static str, String)> {
        if self.name.is_empty() { Err(("name", "give their name".to_owned())) } else { Ok(()) }
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
            "INSERT INTO crm_contacts (tenant_id, id, external_id, name, company_id, email, phone, job_title, notes,
                                       created_at, updated_at, changed_kind, changed_by, changed_name, changed_call)
             SELECT $1, r.id, r.external_id, r.name, r.company_id, r.email, r.phone, r.job_title, r.notes, $3, $3, $4, $5,
                    $6, $7
             FROM jsonb_to_recordset($2) AS r (id uuid, external_id text, name text, company_id uuid, email text,
                                               phone text, job_title text, notes text)",
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
            "UPDATE crm_contacts c
             SET external_id = r.external_id, name = r.name, company_id = r.company_id, email = r.email, phone = r.phone,
                 job_title = r.job_title, notes = r.notes, updated_at = $3, changed_kind = $4, changed_by = $5,
                 changed_name = $6, changed_call = $7
             FROM jsonb_to_recordset($2) AS r (id uuid, external_id text, name text, company_id uuid, email text,
                                               phone text, job_title text, notes text)
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
            "SELECT id, external_id, name, company_id, email, phone, job_title, notes FROM crm_contacts
             WHERE tenant_id = $1
               AND ($2 = 'id' AND id = ANY ($4) OR $2 = 'external_id' AND external_id = ANY ($3)
                    OR $2 = 'email' AND mail_key = ANY ($3) OR $2 = 'name' AND sort_name = ANY ($3))
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
                let contact = Self {
                    external_id: row.external_id,
                    name: row.name,
                    company: row.company_id.map(Into::into),
                    email: row.email,
                    phone: row.phone,
                    job_title: row.job_title,
                    notes: row.notes,
                };
                (row.id, contact)
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
                    r#"SELECT c.id, c.external_id, c.name, c.company_id, o.name AS "company_name?", c.email, c.phone,
                              c.job_title, c.notes, c.created_at, c.updated_at, c.changed_kind, c.changed_by, c.changed_name,
                              c.changed_call
                       FROM crm_contacts c
                       LEFT JOIN crm_companies o ON o.tenant_id = c.tenant_id AND o.id = c.company_id
                       WHERE c.tenant_id = $1
                         AND ($2::text IS NULL OR strpos(c.search, lower($2)) > 0)
                         AND ($3::uuid IS NULL OR c.company_id = $3)
                         AND ($4::text IS NULL OR (c.sort_name, c.id) > (lower($4), $5::uuid))
                         AND ($6::uuid IS NULL OR c.id > $6)
                       ORDER BY "# + $order + " OFFSET $7 LIMIT $8",
                    tenant,
                    filter.search,
                    filter.company.map(|company| company.uuid()),
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
            (Start::Id(_), _) => in_order!("c.id"),
            (_, Some(Sort::Changed)) => in_order!("c.updated_at DESC, c.id DESC"),
            (_, Some(Sort::Newest)) => in_order!("c.id DESC"),
            _ => in_order!("c.sort_name, c.id"),
        };
        Ok(rows.into_iter().map(Row::line).collect())
    }

    async fn find(tx: &mut TenantTx, id: Uuid) -> Result<Option<Line<Self>>, Error> {
        let tenant = tx.tenant_uuid();
        let row = sqlx::query_as!(
            Row,
            r#"SELECT c.id, c.external_id, c.name, c.company_id, o.name AS "company_name?", c.email, c.phone, c.job_title,
                      c.notes, c.created_at, c.updated_at, c.changed_kind, c.changed_by, c.changed_name, c.changed_call
               FROM crm_contacts c
               LEFT JOIN crm_companies o ON o.tenant_id = c.tenant_id AND o.id = c.company_id
               WHERE c.tenant_id = $1 AND c.id = $2"#,
            tenant,
            id,
        )
        .fetch_optional(tx.conn())
        .await?;
        Ok(row.map(Row::line))
    }

    async fn consequence(tx: &mut TenantTx, id: Uuid) -> Result<Option<Consequence>, Error> {
        let tenant = tx.tenant_uuid();
        // Locked, so that nothing is put on record with the person between the question and the deletion.
        let name = sqlx::query_scalar!(
            "SELECT name FROM crm_contacts WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
            tenant,
            id
        )
        .fetch_optional(tx.conn())
        .await?;
        let Some(name) = name else { return Ok(None) };
        let interactions = interactions(tx, id).await?;
        Ok(Some(Consequence { name, contacts: 0, deals: 0, interactions }))
    }

    async fn delete(tx: &mut TenantTx, id: Uuid) -> Result<(), Error> {
        let tenant = tx.tenant_uuid();
        sqlx::query!("DELETE FROM crm_interactions WHERE tenant_id = $1 AND contact_id = $2", tenant, id)
            .execute(tx.conn())
            .await?;
        sqlx::query!("DELETE FROM crm_contacts WHERE tenant_id = $1 AND id = $2", tenant, id)
            .execute(tx.conn())
            .await?;
        Ok(())
    }
}

/// How many interactions there were with a contact.
pub(super) async fn interactions(tx: &mut TenantTx, id: Uuid) -> Result<u64, Error> {
    let tenant = tx.tenant_uuid();
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM crm_interactions WHERE tenant_id = $1 AND contact_id = $2"#,
        tenant,
        id,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count.unsigned_abs())
}

/// A contact as the database has it.
struct Row {
    id: Uuid,
    external_id: Option<String>,
    name: String,
    company_id: Option<Uuid>,
    company_name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    job_title: Option<String>,
    notes: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    changed_kind: String,
    changed_by: Option<Uuid>,
    changed_name: String,
    changed_call: Option<Uuid>,
}

impl Row {
    fn line(self) -> Line<Contact> {
        Line {
            id: self.id,
            record: Contact {
                external_id: self.external_id,
                name: self.name,
                company: self.company_id.map(Into::into),
                email: self.email,
                phone: self.phone,
                job_title: self.job_title,
                notes: self.notes,
            },
            company: self.company_id.map(Into::into).zip(self.company_name),
            contact: None,
            created_at: self.created_at,
            updated_at: self.updated_at,
            changed_by: changed_by(&self.changed_kind, self.changed_by, self.changed_name, self.changed_call),
        }
    }
}

fn as_json(rows: &[(Uuid, Contact)]) -> Value {
    let row = |(id, contact): &(Uuid, Contact)| {
        json!({
            "id": id, "external_id": contact.external_id, "name": contact.name,
            "company_id": contact.company.map(|company| company.uuid()), "email": contact.email, "phone": contact.phone,
            "job_title": contact.job_title, "notes": contact.notes,
        })
    };
    rows.iter().map(row).collect()
}

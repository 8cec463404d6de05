//! Interactions: what happened with a contact.

use model::crm::{Interaction, InteractionKind, Line, Records};
use model::{InteractionId, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::record::{
    self, Consequence, Filter, Key, Mark, Record, Sort, Start, changed_by, happened, line, lines,
};
use crate::tx::TenantTx;
use crate::{Error, rows};

impl Record for Interaction {
    type Id = InteractionId;
    const RECORDS: Records = Records::Interactions;
    const FIELDS: &'static [&'static str] = &["external_id", "contact_id", "kind", "at", "summary"];

    fn set(&mut self, field: &str, text: &str) -> Result<(), String> {
        match field {
            "external_id" => self.external_id = line(text, 200)?,
            "contact_id" => self.contact = record::id(text)?,
            "kind" => self.kind = record::word(text)?,
            "at" => self.at = record::instant(text)?,
            "summary" => self.summary = lines(text, 10_000)?.unwrap_or_default(),
            _ => {}
        }
        Ok(())
    }

    fn get(&self, field: &str) -> String {
        match field {
            "external_id" => self.external_id.clone().unwrap_or_default(),
            "contact_id" => self.contact.map(|id| id.to_string()).unwrap_or_default(),
            "kind" => self.kind.map(|kind| kind.to_string()).unwrap_or_default(),
            "at" => self.at.map(time).unwrap_or_default(),
            "summary" => self.summary.clone(),
            _ => String::new(),
        }
    }

    fn check(&self, now: Timestamp) -> Result<(), (&'static str, String)> {
        if self.contact.is_none() {
            return Err(("contact_id", "say with whom it was".to_owned()));
        }
        if self.kind.is_none() {
            return Err(("kind", format!("say what it was: {}", kinds())));
        }
        if self.summary.is_empty() {
            return Err(("summary", "say what was said or agreed".to_owned()));
        }
        match self.at {
            None => Err(("at", "say when it was".to_owned())),
            Some(at) => happened(at, now).map_err(|sentence| ("at", sentence)),
        }
    }

    /// The beginning of what was said, for the record of changes.
    fn name(&self) -> String {
        let mut name: String =
            self.summary.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if name.len() < self.summary.len() {
            name.push('…');
        }
        name
    }

    fn parent(&self) -> Option<(Records, Uuid)> {
        self.contact.map(|contact| (Records::Contacts, contact.uuid()))
    }

    async fn insert(tx: &mut TenantTx, rows: &[(Uuid, Self)], mark: &Mark) -> Result<(), Error> {
        let (tenant, now) = (tx.tenant_uuid(), tx.now());
        sqlx::query!(
            "INSERT INTO crm_interactions (tenant_id, id, external_id, contact_id, kind, at, summary, created_at, updated_at,
                                           changed_kind, changed_by, changed_name, changed_call)
             SELECT $1, r.id, r.external_id, r.contact_id, r.kind, r.at, r.summary, $3, $3, $4, $5, $6, $7
             FROM jsonb_to_recordset($2) AS r (id uuid, external_id text, contact_id uuid, kind text, at timestamptz,
                                               summary text)",
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
            "UPDATE crm_interactions i
             SET external_id = r.external_id, contact_id = r.contact_id, kind = r.kind, at = r.at, summary = r.summary,
                 updated_at = $3, changed_kind = $4, changed_by = $5, changed_name = $6, changed_call = $7
             FROM jsonb_to_recordset($2) AS r (id uuid, external_id text, contact_id uuid, kind text, at timestamptz,
                                               summary text)
             WHERE i.tenant_id = $1 AND i.id = r.id",
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
            "SELECT id, external_id, contact_id, kind, at, summary FROM crm_interactions
             WHERE tenant_id = $1
               AND ($2 = 'id' AND id = ANY ($4) OR $2 = 'external_id' AND external_id = ANY ($3))
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
                let interaction = Self {
                    external_id: row.external_id,
                    contact: Some(row.contact_id.into()),
                    kind: Some(rows::word("an interaction", &row.kind)?),
                    at: Some(row.at),
                    summary: row.summary,
                };
                Ok((row.id, interaction))
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
        let bounds = start.bounds();
        // A tool goes on before a time: the text of its cursor.
        let before = bounds.text.and_then(|text| text.parse::<Timestamp>().ok());
        macro_rules! in_order {
            ($order:literal) => {
                sqlx::query_as!(
                    Row,
                    r#"SELECT i.id, i.external_id, i.contact_id, c.name AS contact_name, c.company_id,
                              o.name AS "company_name?", i.kind, i.at, i.summary, i.created_at, i.updated_at, i.changed_kind,
                              i.changed_by, i.changed_name, i.changed_call
                       FROM crm_interactions i
                       JOIN crm_contacts c ON c.tenant_id = i.tenant_id AND c.id = i.contact_id
                       LEFT JOIN crm_companies o ON o.tenant_id = c.tenant_id AND o.id = c.company_id
                       WHERE i.tenant_id = $1
                         AND ($2::text IS NULL OR strpos(lower(i.summary), lower($2)) > 0
                              OR strpos(c.sort_name, lower($2)) > 0)
                         AND ($3::uuid IS NULL OR i.contact_id = $3)
                         AND ($4::uuid IS NULL OR c.company_id = $4)
                         AND ($5::text IS NULL OR i.kind = $5)
                         AND ($6::timestamptz IS NULL OR (i.at, i.id) < ($6, $7::uuid))
                         AND ($8::uuid IS NULL OR i.id > $8)
                       ORDER BY "# + $order + " OFFSET $9 LIMIT $10",
                    tenant,
                    filter.search,
                    filter.contact.map(|contact| contact.uuid()),
                    filter.company.map(|company| company.uuid()),
                    filter.kind.map(|kind| kind.word()),
                    before,
                    bounds.text_id,
                    bounds.id,
                    bounds.offset,
                    most,
                )
                .fetch_all(tx.conn())
                .await?
            };
        }
        let rows = match (start, filter.sort) {
            (Start::Id(_), _) => in_order!("i.id"),
            (_, Some(Sort::Changed)) => in_order!("i.updated_at DESC, i.id DESC"),
            _ => in_order!("i.at DESC, i.id DESC"),
        };
        rows.into_iter().map(Row::line).collect()
    }

    async fn find(tx: &mut TenantTx, id: Uuid) -> Result<Option<Line<Self>>, Error> {
        let tenant = tx.tenant_uuid();
        let row = sqlx::query_as!(
            Row,
            r#"SELECT i.id, i.external_id, i.contact_id, c.name AS contact_name, c.company_id, o.name AS "company_name?",
                      i.kind, i.at, i.summary, i.created_at, i.updated_at, i.changed_kind, i.changed_by, i.changed_name,
                      i.changed_call
               FROM crm_interactions i
               JOIN crm_contacts c ON c.tenant_id = i.tenant_id AND c.id = i.contact_id
               LEFT JOIN crm_companies o ON o.tenant_id = c.tenant_id AND o.id = c.company_id
               WHERE i.tenant_id = $1 AND i.id = $2"#,
            tenant,
            id,
        )
        .fetch_optional(tx.conn())
        .await?;
        row.map(Row::line).transpose()
    }

    async fn consequence(tx: &mut TenantTx, id: Uuid) -> Result<Option<Consequence>, Error> {
        let tenant = tx.tenant_uuid();
        let summary = sqlx::query_scalar!(
            "SELECT summary FROM crm_interactions WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
            tenant,
            id
        )
        .fetch_optional(tx.conn())
        .await?;
        Ok(summary.map(|summary| {
            let name = Self { summary, ..Self::default() }.name();
            Consequence { name, ..Consequence::default() }
        }))
    }

    async fn delete(tx: &mut TenantTx, id: Uuid) -> Result<(), Error> {
        let tenant = tx.tenant_uuid();
        sqlx::query!("DELETE FROM crm_interactions WHERE tenant_id = $1 AND id = $2", tenant, id)
            .execute(tx.conn())
            .await?;
        Ok(())
    }
}

/// A time as files and cursors carry it: to the microsecond, as the database keeps it.
pub(super) fn time(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

fn kinds() -> String {
    let words: Vec<_> = InteractionKind::ALL.iter().map(|kind| kind.word()).collect();
    words.join(", ")
}

/// An interaction as the database has it.
struct Row {
    id: Uuid,
    external_id: Option<String>,
    contact_id: Uuid,
    contact_name: String,
    company_id: Option<Uuid>,
    company_name: Option<String>,
    kind: String,
    at: Timestamp,
    summary: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    changed_kind: String,
    changed_by: Option<Uuid>,
    changed_name: String,
    changed_call: Option<Uuid>,
}

impl Row {
    fn line(self) -> Result<Line<Interaction>, Error> {
        Ok(Line {
            id: self.id,
            record: Interaction {
                external_id: self.external_id,
                contact: Some(self.contact_id.into()),
                kind: Some(rows::word("an interaction", &self.kind)?),
                at: Some(self.at),
                summary: self.summary,
            },
            company: self.company_id.map(Into::into).zip(self.company_name),
            contact: Some((self.contact_id.into(), self.contact_name)),
            created_at: self.created_at,
            updated_at: self.updated_at,
            changed_by: changed_by(&self.changed_kind, self.changed_by, self.changed_name, self.changed_call),
        })
    }
}

fn as_json(rows: &[(Uuid, Interaction)]) -> Value {
    let row = |(id, interaction): &(Uuid, Interaction)| {
        json!({
            "id": id, "external_id": interaction.external_id,
            "contact_id": interaction.contact.map(|contact| contact.uuid()), "kind": interaction.kind,
            "at": interaction.at.map(time), "summary": interaction.summary,
        })
    };
    rows.iter().map(row).collect()
}

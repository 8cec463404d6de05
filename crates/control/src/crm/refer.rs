//! What a record belongs to, said by name: people and files write `company`, and mean one that is there.

use std::collections::HashMap;

use model::crm::Records;
use model::{CompanyId, ContactId};
use uuid::Uuid;

use super::record::{Given, Record};
use crate::Error;
use crate::tx::TenantTx;

/// What may be said of the company or contact that a record belongs to, beside its id.
struct Names {
    /// The field with the id.
    id: &'static str,
    /// The field with the name.
    name: &'static str,
    /// The field with the mail address, for contacts.
    email: Option<&'static str>,
}

const fn names(of: Records) -> Option<Names> {
    match of {
        Records::Companies => None,
        Records::Contacts | Records::Deals => Some(Names { id: "company_id", name: "company", email: None }),
        Records::Interactions => {
            Some(Names { id: "contact_id", name: "contact", email: Some("contact_email") })
        }
    }
}

/// Somebody or something that records can belong to.
struct Parent {
    id: Uuid,
    name: String,
    email: Option<String>,
}

/// Puts the id of what each record belongs to in the place of its name. Says for each what is wrong, by field.
///
/// An id counts alone, and beside a name only while it is the id of one of that name: so a form that carries both means the
/// one it showed, until somebody types another name. A name or address that several have is not enough.
pub(super) async fn resolve<R: Record>(
    tx: &mut TenantTx,
    rows: &mut [Given],
) -> Result<Vec<Option<(&'static str, String)>>, Error> {
    let mut wrong: Vec<Option<(&'static str, String)>> = rows.iter().map(|_| None).collect();
    let Some(names) = names(R::RECORDS) else { return Ok(wrong) };
    let said = |row: &Given, field: &str| {
        row.get(field).map(|text| text.trim().to_lowercase()).filter(|it| !it.is_empty())
    };
    let all = |field: &str| -> Vec<String> {
        // PostgreSQL takes no NUL, so nothing is called so.
        let can_be = |text: &String| !text.contains('\0');
        let mut texts: Vec<_> = rows.iter().filter_map(|row| said(row, field)).filter(can_be).collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    };
    let ids: Vec<Uuid> = all(names.id).iter().filter_map(|text| uuid(R::RECORDS, text)).collect();
    let (by_name, by_email) = (all(names.name), names.email.map(all).unwrap_or_default());
    let parents = parents(tx, R::RECORDS, &ids, &by_name, &by_email).await?;
    let mut named: HashMap<String, Vec<&Parent>> = HashMap::new();
    let mut mailed: HashMap<String, Vec<&Parent>> = HashMap::new();
    let known: HashMap<Uuid, &Parent> = parents.iter().map(|parent| (parent.id, parent)).collect();
    for parent in &parents {
        named.entry(parent.name.to_lowercase()).or_default().push(parent);
        if let Some(email) = &parent.email {
            mailed.entry(email.to_lowercase()).or_default().push(parent);
        }
    }
    let noun = if matches!(R::RECORDS, Records::Interactions) { "contact" } else { "company" };
    for (row, wrong) in rows.iter_mut().zip(&mut wrong) {
        let given_id = said(row, names.id).map(|text| uuid(R::RECORDS, &text));
        let (name, email) = (said(row, names.name), names.email.and_then(|field| said(row, field)));
        let writes = row.contains_key(names.name) || names.email.is_some_and(|field| row.contains_key(field));
        let (field, candidates, shown) = match (&name, &email) {
            (_, Some(email)) => (names.email.unwrap_or(names.name), mailed.get(email), email),
            (Some(name), None) => (names.name, named.get(name), name),
            (None, None) if writes && given_id.is_none() => {
                row.insert(names.id.to_owned(), String::new());
                continue;
            }
            // The id alone; one that is none is refused where it is read.
            (None, None) => match given_id {
                Some(Some(id)) if !known.contains_key(&id) => {
                    *wrong = Some((names.id, format!("there is no {noun} of this id")));
                    continue;
                }
                _ => continue,
            },
        };
        let candidates = candidates.map(Vec::as_slice).unwrap_or_default();
        let meant = candidates.iter().find(|parent| Some(Some(parent.id)) == given_id);
        match (meant, candidates) {
            (Some(one), _) | (None, [one]) => {
                row.insert(names.id.to_owned(), text(R::RECORDS, one.id));
            }
            (None, []) => *wrong = Some((field, format!("there is no {noun} “{}”", cut(shown)))),
            (None, several) => {
                *wrong = Some((
                    field,
                    format!(
                        "{} {noun} records are called “{}”: say which by `{}`",
                        several.len(),
                        cut(shown),
                        names.id
                    ),
                ));
            }
        }
    }
    Ok(wrong)
}

/// Makes sure that what records belong to is there, and stays until the transaction ends.
pub(super) async fn hold(tx: &mut TenantTx, parents: &[(Records, Uuid)]) -> Result<(), Error> {
    let of = |wanted: Records| -> Vec<Uuid> {
        let mut ids: Vec<_> =
            parents.iter().filter(|(records, _)| *records == wanted).map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let tenant = tx.tenant_uuid();
    let (companies, contacts) = (of(Records::Companies), of(Records::Contacts));
    if !companies.is_empty() {
        let there = sqlx::query_scalar!(
            "SELECT id FROM crm_companies WHERE tenant_id = $1 AND id = ANY ($2) ORDER BY id FOR KEY SHARE",
            tenant,
            &companies,
        )
        .fetch_all(tx.conn())
        .await?;
        if let Some(missing) = companies.into_iter().find(|id| !there.contains(id)) {
            return Err(Error::not_found(format!("company {}", CompanyId::from(missing))));
        }
    }
    if !contacts.is_empty() {
        let there = sqlx::query_scalar!(
            "SELECT id FROM crm_contacts WHERE tenant_id = $1 AND id = ANY ($2) ORDER BY id FOR KEY SHARE",
            tenant,
            &contacts,
        )
        .fetch_all(tx.conn())
        .await?;
        if let Some(missing) = contacts.into_iter().find(|id| !there.contains(id)) {
            return Err(Error::not_found(format!("contact {}", ContactId::from(missing))));
        }
    }
    Ok(())
}

async fn parents(
    tx: &mut TenantTx,
    of: Records,
    ids: &[Uuid],
    names: &[String],
    emails: &[String],
) -> Result<Vec<Parent>, Error> {
    let tenant = tx.tenant_uuid();
    if of == Records::Interactions {
        let found = sqlx::query_as!(
            Parent,
            "SELECT id, name, email FROM crm_contacts
             WHERE tenant_id = $1 AND (id = ANY ($2) OR sort_name = ANY ($3) OR mail_key = ANY ($4)) ORDER BY id",
            tenant,
            ids,
            names,
            emails,
        );
        return Ok(found.fetch_all(tx.conn()).await?);
    }
    let found = sqlx::query_as!(
        Parent,
        r#"SELECT id, name, NULL AS "email?" FROM crm_companies
           WHERE tenant_id = $1 AND (id = ANY ($2) OR sort_name = ANY ($3)) ORDER BY id"#,
        tenant,
        ids,
        names,
    );
    Ok(found.fetch_all(tx.conn()).await?)
}

fn uuid(of: Records, text: &str) -> Option<Uuid> {
    match of {
        Records::Interactions => text.parse::<ContactId>().ok().map(|id| id.uuid()),
        _ => text.parse::<CompanyId>().ok().map(|id| id.uuid()),
    }
}

fn text(of: Records, id: Uuid) -> String {
    match of {
        Records::Interactions => ContactId::from(id).to_string(),
        _ => CompanyId::from(id).to_string(),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}

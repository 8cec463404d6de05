//! The CRM as agents use it: arguments of a tool into fields, records into structured content.

use model::crm::{Company, Contact, Deal, Interaction, Line};
use model::{CallId, CompanyId, ContactId, DealId, InteractionId, Timestamp};
use serde_json::{Value, json};

use super::answer::{Fault, filled, time};
use super::arguments::{Arguments, Cursor};
use super::record::{Filter, Record, Start};
use super::{companies, contacts, interactions, store};
use crate::Error;
use crate::tx::TenantTx;

/// Runs a tool for an agent whose call was admitted.
pub(super) async fn run(
    tx: &mut TenantTx,
    call: CallId,
    tool: &str,
    given: &mut Arguments,
) -> Result<Value, Fault> {
    match tool {
        "list_companies" => list::<Company>(tx, given, &[]).await,
        "get_company" => {
            let line = one::<Company>(tx, given).await?;
            let (contacts, deals) = companies::inside(tx, line.id).await?;
            Ok(wrapped(&line, json!({ "contacts": contacts, "deals": deals })))
        }
        "create_company" => {
            create::<Company>(tx, call, given, &["name", "website", "industry", "notes"]).await
        }
        "update_company" => {
            update::<Company>(tx, call, given, &["name", "website", "industry", "notes"]).await
        }
        "delete_company" => delete::<Company>(tx, given).await,
        "list_contacts" => list::<Contact>(tx, given, &["company_id"]).await,
        "get_contact" => {
            let line = one::<Contact>(tx, given).await?;
            let interactions = contacts::interactions(tx, line.id).await?;
            Ok(wrapped(&line, json!({ "interactions": interactions })))
        }
        "create_contact" => create::<Contact>(tx, call, given, PERSON).await,
        "update_contact" => update::<Contact>(tx, call, given, PERSON).await,
        "delete_contact" => {
            let id: ContactId = given.id("id")?;
            given.end()?;
            let gone = store::delete::<Contact>(tx, id).await?;
            Ok(json!({ "deleted": id, "interactions_deleted": gone.interactions }))
        }
        "list_deals" => list::<Deal>(tx, given, &["company_id", "stage"]).await,
        "get_deal" => Ok(wrapped(&one::<Deal>(tx, given).await?, json!({}))),
        "create_deal" => {
            let fields = &["company_id", "name", "stage", "amount", "currency", "close_on"];
            create::<Deal>(tx, call, given, fields).await
        }
        "update_deal" => {
            update::<Deal>(tx, call, given, &["name", "stage", "amount", "currency", "close_on"]).await
        }
        "delete_deal" => delete::<Deal>(tx, given).await,
        "log_interaction" => {
            if !given.has("at") {
                given.put("at", interactions::time(tx.now()));
            }
            create::<Interaction>(tx, call, given, &["contact_id", "kind", "summary", "at"]).await
        }
        "list_interactions" => list::<Interaction>(tx, given, &["contact_id", "company_id"]).await,
        "delete_interaction" => delete::<Interaction>(tx, given).await,
        _ => Err(Fault::Broken(Error::not_found(format!("tool `{tool}` in the CRM")))),
    }
}

const PERSON: &[&str] = &["name", "company_id", "email", "phone", "job_title", "notes"];

/// A record as tools answer with it.
trait Told: Record {
    /// Its members beside id and times. Of a list, without what is long.
    fn told(line: &Line<Self>, listed: bool) -> Value;
    /// Where a list goes on after it.
    fn cursor(line: &Line<Self>) -> Cursor;
}

impl Told for Company {
    fn told(line: &Line<Self>, listed: bool) -> Value {
        let Self { name, website, industry, notes, .. } = &line.record;
        json!({
            "id": CompanyId::from(line.id), "name": name, "website": website, "industry": industry,
            "notes": notes.as_ref().filter(|_| !listed), "created_at": time(line.created_at),
            "updated_at": time(line.updated_at),
        })
    }

    fn cursor(line: &Line<Self>) -> Cursor {
        Cursor(line.record.name.clone(), line.id)
    }
}

impl Told for Contact {
    fn told(line: &Line<Self>, listed: bool) -> Value {
        let Self { name, company, email, phone, job_title, notes, .. } = &line.record;
        json!({
            "id": ContactId::from(line.id), "company_id": company,
            "company_name": line.company.as_ref().map(|(_, name)| name), "name": name, "email": email, "phone": phone,
            "job_title": job_title, "notes": notes.as_ref().filter(|_| !listed), "created_at": time(line.created_at),
            "updated_at": time(line.updated_at),
        })
    }

    fn cursor(line: &Line<Self>) -> Cursor {
        Cursor(line.record.name.clone(), line.id)
    }
}

impl Told for Deal {
    fn told(line: &Line<Self>, _: bool) -> Value {
        let Self { name, company, stage, amount, currency, close_on, .. } = &line.record;
        // At most 14 digits, which a JSON number keeps.
        let amount = amount.and_then(|amount| amount.to_string().parse::<serde_json::Number>().ok());
        json!({
            "id": DealId::from(line.id), "company_id": company,
            "company_name": line.company.as_ref().map(|(_, name)| name), "name": name, "stage": stage, "amount": amount,
            "currency": currency, "close_on": close_on, "created_at": time(line.created_at),
            "updated_at": time(line.updated_at),
        })
    }

    fn cursor(line: &Line<Self>) -> Cursor {
        Cursor(String::new(), line.id)
    }
}

impl Told for Interaction {
    fn told(line: &Line<Self>, _: bool) -> Value {
        let Self { contact, kind, summary, at, .. } = &line.record;
        json!({
            "id": InteractionId::from(line.id), "contact_id": contact,
            "contact_name": line.contact.as_ref().map(|(_, name)| name), "kind": kind, "summary": summary,
            "at": at.map(time),
        })
    }

    fn cursor(line: &Line<Self>) -> Cursor {
        Cursor(line.record.at.map(interactions::time).unwrap_or_default(), line.id)
    }
}

async fn list<R: Told>(
    tx: &mut TenantTx,
    given: &mut Arguments,
    filters: &[&'static str],
) -> Result<Value, Fault> {
    let mut filter = Filter::default();
    if R::RECORDS != model::crm::Records::Interactions {
        filter.search = given.maybe_text("search", 200)?;
    }
    for field in filters {
        match *field {
            "company_id" => filter.company = given.maybe_id("company_id")?,
            "contact_id" => filter.contact = given.maybe_id("contact_id")?,
            _ => filter.stage = given.maybe_word("stage")?,
        }
    }
    let (limit, cursor) = (given.limit()?, given.cursor()?);
    given.end()?;
    let start = match cursor {
        None => Start::Row(0),
        Some(Cursor(at, _))
            if R::RECORDS == model::crm::Records::Interactions && at.parse::<Timestamp>().is_err() =>
        {
            return Err(Fault::say("`cursor` is not the `next_cursor` of an earlier answer."));
        }
        Some(Cursor(text, id)) => Start::After(text, id),
    };
    let mut lines = R::list(tx, &filter, &start, limit + 1).await?;
    let more = lines.len() > limit;
    lines.truncate(limit);
    let next = lines.last().filter(|_| more).map(|line| R::cursor(line).write());
    let listed: Vec<Value> = lines.iter().map(|line| filled(R::told(line, true))).collect();
    Ok(filled(json!({ R::RECORDS.word(): listed, "next_cursor": next })))
}

async fn create<R: Told>(
    tx: &mut TenantTx,
    call: CallId,
    given: &mut Arguments,
    fields: &[&'static str],
) -> Result<Value, Fault> {
    let fields = given.fields(fields)?;
    given.end()?;
    let id = store::create::<R>(tx, fields, Some(call)).await?;
    told::<R>(tx, id).await
}

async fn update<R: Told>(
    tx: &mut TenantTx,
    call: CallId,
    given: &mut Arguments,
    names: &[&'static str],
) -> Result<Value, Fault> {
    let id: R::Id = given.id("id")?;
    let mut fields = given.fields(names)?;
    given.end()?;
    if fields.is_empty() {
        return Err(Fault::say(format!("Nothing to change: give at least one of `{}`.", names.join("`, `"))));
    }
    // An amount that goes takes its currency with it.
    if fields.get("amount").is_some_and(|amount| amount.trim().is_empty()) {
        fields.entry("currency".to_owned()).or_default();
    }
    store::update::<R>(tx, id, fields, Some(call)).await?;
    told::<R>(tx, id).await
}

async fn delete<R: Record>(tx: &mut TenantTx, given: &mut Arguments) -> Result<Value, Fault> {
    let id: R::Id = given.id("id")?;
    given.end()?;
    store::delete::<R>(tx, id).await?;
    Ok(json!({ "deleted": id.to_string() }))
}

async fn one<R: Told>(tx: &mut TenantTx, given: &mut Arguments) -> Result<Line<R>, Fault> {
    let id: R::Id = given.id("id")?;
    given.end()?;
    Ok(R::find(tx, id.into()).await?.ok_or_else(|| store::missing::<R>(id))?)
}

async fn told<R: Told>(tx: &mut TenantTx, id: R::Id) -> Result<Value, Fault> {
    let line = R::find(tx, id.into()).await?.ok_or_else(|| store::missing::<R>(id))?;
    Ok(wrapped(&line, json!({})))
}

/// A record under the name of its kind, with what else is told of it.
fn wrapped<R: Told>(line: &Line<R>, more: Value) -> Value {
    let mut told = filled(R::told(line, false));
    if let (Some(members), Value::Object(more)) = (told.as_object_mut(), more) {
        members.extend(more);
    }
    json!({ R::RECORDS.noun(): told })
}

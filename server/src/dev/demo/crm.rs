//! What is in the demo's CRM, entered by the steward on the first morning of the past week, as calls like any other.

use chrono::{Days, TimeDelta};
use model::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::past::{Client, Past};
use crate::Failure;

/// Companies with their contacts and deals.
const COMPANIES: &str = include_str!("crm.json");
/// With what the steward calls.
const WITH: (&str, Client) =
    ("CRM steward", Client { name: "claude-code", version: "2.1.14", modern: true, from: [203, 0, 113, 24] });

#[derive(Deserialize)]
struct Company {
    name: String,
    website: String,
    industry: String,
    notes: String,
    contacts: Vec<Contact>,
    deals: Vec<Deal>,
}

#[derive(Deserialize)]
struct Contact {
    name: String,
    email: String,
    phone: String,
    job_title: String,
    interactions: Vec<Interaction>,
}

#[derive(Deserialize)]
struct Interaction {
    kind: String,
    summary: String,
    days_ago: u64,
}

#[derive(Deserialize)]
struct Deal {
    name: String,
    stage: String,
    amount: u32,
    currency: String,
    close_in_days: i64,
}

/// What there is to talk about in later calls.
#[derive(Default)]
pub(super) struct Filled {
    /// Ids and names.
    pub(super) companies: Vec<(String, String)>,
    /// Ids and names.
    pub(super) contacts: Vec<(String, String)>,
    /// Ids.
    pub(super) deals: Vec<String>,
}

/// Enters everything, from `begin` on, and says what it became and when it was done.
pub(super) async fn enter(past: &Past, begin: Timestamp) -> Result<(Filled, Timestamp), Failure> {
    let companies: Vec<Company> = serde_json::from_str(COMPANIES)?;
    let mut filled = Filled::default();
    let mut at = begin;
    let mut enter = async |tool: &str, arguments: Value, kind: &str| -> Result<String, Failure> {
        at += TimeDelta::seconds(14);
        let made = past.call(at, WITH, tool, arguments).await?;
        let id = made.pointer(&format!("/{kind}/id")).and_then(Value::as_str);
        id.map(str::to_owned).ok_or_else(|| format!("{tool} did not answer with an id: {made}").into())
    };
    for company in companies {
        let Company { name, website, industry, notes, contacts, deals } = company;
        let arguments = json!({ "name": name, "website": website, "industry": industry, "notes": notes });
        let company = enter("crm.create_company", arguments, "company").await?;
        filled.companies.push((company.clone(), name));
        for contact in contacts {
            let Contact { name, email, phone, job_title, interactions } = contact;
            let arguments = json!({
                "name": name, "company_id": company, "email": email, "phone": phone, "job_title": job_title,
            });
            let contact = enter("crm.create_contact", arguments, "contact").await?;
            filled.contacts.push((contact.clone(), name));
            for Interaction { kind, summary, days_ago } in interactions {
                let when = begin.checked_sub_days(Days::new(days_ago)).unwrap_or(begin);
                let arguments = json!({
                    "contact_id": contact, "kind": kind, "summary": summary, "at": when.to_rfc3339(),
                });
                enter("crm.log_interaction", arguments, "interaction").await?;
            }
        }
        for Deal { name, stage, amount, currency, close_in_days } in deals {
            let close_on = (begin + TimeDelta::days(close_in_days)).date_naive();
            let arguments = json!({
                "company_id": company, "name": name, "stage": stage, "amount": amount, "currency": currency,
                "close_on": close_on,
            });
            filled.deals.push(enter("crm.create_deal", arguments, "deal").await?);
        }
    }
    Ok((filled, at))
}

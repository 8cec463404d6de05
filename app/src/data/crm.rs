//! What the CRM's pages ask of `control`.

use control::authority::{Deed, may};
use control::crm::sheets::{self, Plan};
use control::crm::{self, InCatalog, Record, Sight};
use control::{Actor, Control, Error};
use model::crm::Records;
use model::{CompanyId, ContactId};
use uuid::Uuid;

use crate::document::Visit;
use crate::pages::crm as pages;
use crate::pages::crm::{Kind, PAGE, Query, Rights, Shown};
use crate::pieces::field::FieldError;
use crate::pieces::form::Form;

/// What somebody may do with the CRM, or the page that says that it is not in use. To those who have nothing to do with it
/// there is none.
pub async fn opened(control: &Control, actor: &Actor, visit: &Visit) -> Result<Result<Sight, String>, Error> {
    let sight = crm::sight(control, actor).await?;
    let may_enable = may(actor, Deed::ChangeCatalog);
    match sight.module {
        InCatalog::Live if sight.read => Ok(Ok(sight)),
        module @ (InCatalog::Missing | InCatalog::Off) if sight.read || may_enable => {
            Ok(Err(pages::absent(visit, module, may_enable)))
        }
        _ => Err(Error::NotFound { what: "CRM".to_owned() }),
    }
}

/// A list.
pub async fn list<R: Kind>(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    query: Query,
    mut errors: Vec<FieldError>,
    rights: Rights,
) -> Result<String, Error> {
    let mut shown = Shown { lines: Vec::new(), more: false, totals: Vec::new() };
    if errors.is_empty() {
        let from = query.page.saturating_mul(PAGE.into());
        match crm::list::<R>(control, actor, &query.filter(), from, PAGE).await {
            Ok(listing) => (shown.lines, shown.more) = (listing.lines, listing.more),
            Err(Error::Refused { sentence, .. }) => {
                errors.push(FieldError::new("q", crate::wording::sentence(&sentence)));
            }
            Err(other) => return Err(other),
        }
        if R::RECORDS == Records::Deals && errors.is_empty() {
            shown.totals = crm::totals(control, actor, &query.filter()).await?;
        }
    }
    Ok(pages::list(visit, query, errors, shown, rights))
}

/// One record.
pub async fn record<R: Kind>(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    id: R::Id,
    rights: Rights,
) -> Result<String, Error> {
    let (line, around) = crm::find::<R>(control, actor, id).await?;
    Ok(pages::record(visit, line, around, rights))
}

/// The form for a new record, with what was typed.
pub async fn new<R: Kind>(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    form: Form,
) -> Result<String, Error> {
    let names = names::<R>(control, actor).await?;
    Ok(pages::new(visit, R::RECORDS, form, names))
}

/// The beginning of a new record of a company or contact.
pub async fn begun<R: Kind>(
    control: &Control,
    actor: &Actor,
    company: Option<CompanyId>,
    contact: Option<ContactId>,
) -> Result<Form, Error> {
    let mut form = Form::default();
    match (R::RECORDS, company, contact) {
        (Records::Contacts | Records::Deals, Some(id), _) => {
            let (line, _) = crm::find::<model::crm::Company>(control, actor, id).await?;
            form = form.with("company", line.record.name).with("company_id", id.to_string());
        }
        (Records::Interactions, _, Some(id)) => {
            let (line, _) = crm::find::<model::crm::Contact>(control, actor, id).await?;
            form = form.with("contact", line.record.name).with("contact_id", id.to_string());
        }
        _ => {}
    }
    if R::RECORDS == Records::Interactions {
        let now = control.ambient().now().format("%Y-%m-%dT%H:%M").to_string();
        form = form.with("at", now);
    }
    Ok(form)
}

/// The form that changes a record: with what was typed, or with what is there.
pub async fn edit<R: Kind>(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    id: R::Id,
    typed: Option<Form>,
) -> Result<String, Error> {
    let (line, _) = crm::find::<R>(control, actor, id).await?;
    let names = names::<R>(control, actor).await?;
    let form = typed.unwrap_or_else(|| pages::begin::<R>(&line));
    Ok(pages::edit(visit, &line, form, names))
}

/// What deleting a record would mean.
pub async fn remove<R: Kind>(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    id: R::Id,
) -> Result<String, Error> {
    let consequence = crm::consequence::<R>(control, actor, id).await?;
    let (line, _) = crm::find::<R>(control, actor, id).await?;
    Ok(pages::remove(visit, &line, &consequence))
}

/// What would come of an uploaded sheet.
pub async fn preview<R: Kind>(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    import: Uuid,
    errors: Vec<FieldError>,
) -> Result<String, Error> {
    let plan: Plan = sheets::plan::<R>(control, actor, import).await?;
    Ok(pages::preview(visit, R::RECORDS, import, plan, errors))
}

async fn names<R: Record>(control: &Control, actor: &Actor) -> Result<Vec<String>, Error> {
    match R::RECORDS {
        Records::Companies => Ok(Vec::new()),
        Records::Contacts | Records::Deals => crm::names(control, actor, Records::Companies, "").await,
        Records::Interactions => crm::names(control, actor, Records::Contacts, "").await,
    }
}

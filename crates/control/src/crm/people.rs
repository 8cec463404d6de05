//! The CRM as people use it: what they may do is asked, what they changed is in the record of changes.

use model::crm::{Company, Contact, Deal, Interaction, Line, Records, StageTotal};
use model::{CompanyId, ContactId};

use super::access::{Access, open};
use super::record::{Consequence, Filter, Given, Record, Start};
use super::{deals, store};
use crate::{Actor, Control, Error};

/// Rows of each list beside a record, at most.
pub const BESIDE: usize = 20;
/// Beyond this many rows a list is to be narrowed instead of paged through.
const DEEPEST: u32 = 100_000;

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Listing<R> {
    /// The records.
    pub lines: Vec<Line<R>>,
    /// Whether there are more.
    pub more: bool,
}

/// Records of a list, from a row on, at most 100.
///
/// # Errors
/// As if there were none for whoever may not read the CRM; `crm_not_enabled` and `crm_switched_off`; `too_deep`.
pub async fn list<R: Record>(
    control: &Control,
    actor: &Actor,
    filter: &Filter,
    from: u32,
    most: u16,
) -> Result<Listing<R>, Error> {
    let mut tx = open(control, actor, Access::Read).await?;
    if from > DEEPEST {
        return Err(Error::refused("too_deep", "there are too many pages: narrow the list by a filter"));
    }
    let most = usize::from(most.clamp(1, 100));
    let mut lines = R::list(&mut tx, filter, &Start::Row(from.into()), most + 1).await?;
    let more = lines.len() > most;
    lines.truncate(most);
    Ok(Listing { lines, more })
}

/// What the deals of a filter come to, by stage and currency.
pub async fn totals(control: &Control, actor: &Actor, filter: &Filter) -> Result<Vec<StageTotal>, Error> {
    let mut tx = open(control, actor, Access::Read).await?;
    deals::totals(&mut tx, filter).await
}

/// What stands around a record: of its company, of itself.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// Contacts, by name.
    pub contacts: Vec<Line<Contact>>,
    /// Deals, the newest first.
    pub deals: Vec<Line<Deal>>,
    /// Interactions, the newest first.
    pub interactions: Vec<Line<Interaction>>,
}

/// One record with what stands around it: the first of each list.
pub async fn find<R: Record>(
    control: &Control,
    actor: &Actor,
    id: R::Id,
) -> Result<(Line<R>, Around), Error> {
    let mut tx = open(control, actor, Access::Read).await?;
    let line = R::find(&mut tx, id.into()).await?.ok_or_else(|| store::missing::<R>(id))?;
    let start = Start::Row(0);
    let mut around = Around::default();
    let company = match R::RECORDS {
        Records::Companies => Some(CompanyId::from(line.id)),
        _ => line.company.as_ref().map(|(id, _)| *id),
    };
    let contact = match R::RECORDS {
        Records::Contacts => Some(ContactId::from(line.id)),
        _ => line.contact.as_ref().map(|(id, _)| *id),
    };
    if company.is_some() {
        let of = Filter { company, ..Filter::default() };
        if matches!(R::RECORDS, Records::Companies | Records::Deals) {
            around.contacts = Contact::list(&mut tx, &of, &start, BESIDE).await?;
        }
        if matches!(R::RECORDS, Records::Companies | Records::Contacts) {
            around.deals = Deal::list(&mut tx, &of, &start, BESIDE).await?;
        }
        if matches!(R::RECORDS, Records::Companies | Records::Deals) {
            around.interactions = Interaction::list(&mut tx, &of, &start, BESIDE).await?;
        }
    }
    if contact.is_some() && R::RECORDS == Records::Contacts {
        let of = Filter { contact, ..Filter::default() };
        around.interactions = Interaction::list(&mut tx, &of, &start, BESIDE).await?;
    }
    Ok((line, around))
}

/// Names of companies or contacts, for a field to be typed with their help: those that contain the text, or those that
/// were changed last.
pub async fn names(
    control: &Control,
    actor: &Actor,
    records: Records,
    search: &str,
) -> Result<Vec<String>, Error> {
    let mut tx = open(control, actor, Access::Read).await?;
    let search = Some(search.trim().to_owned()).filter(|text| !text.is_empty());
    let filter = Filter { search, sort: Some(super::Sort::Changed), ..Filter::default() };
    let start = Start::Row(0);
    let mut names: Vec<String> = match records {
        Records::Companies => Company::list(&mut tx, &filter, &start, 200)
            .await?
            .into_iter()
            .map(|line| line.record.name)
            .collect(),
        _ => Contact::list(&mut tx, &filter, &start, 200)
            .await?
            .into_iter()
            .map(|line| line.record.name)
            .collect(),
    };
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Adds a record. `company` and `contact` may be given by name.
///
/// # Errors
/// What is wrong with which field.
pub async fn create<R: Record>(control: &Control, actor: &Actor, given: Given) -> Result<R::Id, Error> {
    let mut tx = open(control, actor, Access::Change).await?;
    let id = store::create::<R>(&mut tx, given, None).await?;
    tx.commit().await?;
    Ok(id)
}

/// Changes a record in the fields that were given. Nothing is written when they say what is there already.
pub async fn update<R: Record>(
    control: &Control,
    actor: &Actor,
    id: R::Id,
    given: Given,
) -> Result<(), Error> {
    let mut tx = open(control, actor, Access::Change).await?;
    store::update::<R>(&mut tx, id, given, None).await?;
    tx.commit().await
}

/// What deleting a record would mean.
pub async fn consequence<R: Record>(
    control: &Control,
    actor: &Actor,
    id: R::Id,
) -> Result<Consequence, Error> {
    let mut tx = open(control, actor, Access::Delete).await?;
    R::consequence(&mut tx, id.into()).await?.ok_or_else(|| store::missing::<R>(id))
}

/// Deletes a record with what goes with it.
///
/// # Errors
/// `still_in_use` of a company with contacts or deals.
pub async fn delete<R: Record>(control: &Control, actor: &Actor, id: R::Id) -> Result<Consequence, Error> {
    let mut tx = open(control, actor, Access::Delete).await?;
    let gone = store::delete::<R>(&mut tx, id).await?;
    tx.commit().await?;
    Ok(gone)
}

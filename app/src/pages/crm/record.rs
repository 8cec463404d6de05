//! One record: what it is, who changed it last, what stands around it.

use control::crm::{Around, BESIDE};
use leptos::prelude::*;
use model::crm::{Contact, Deal, Interaction, Line, Records};
use model::{CompanyId, ContactId};

use super::kinds::{self, Kind, label};
use super::list::table;
use super::{Query, Rights, changed_by};
use crate::document::{self, Crumb, Visit};
use crate::links::{Links, Place};
use crate::pieces::head::PageHead;
use crate::text;
use crate::wording::{self, Clock};

/// The page.
pub fn record<R: Kind>(visit: &Visit, line: Line<R>, around: Around, rights: Rights) -> String {
    let (links, clock) = (visit.links(), visit.clock());
    let (records, name) = (R::RECORDS, line.record.name());
    let id = R::Id::from(line.id).to_string();
    let crumbs = vec![
        Crumb::to("CRM", links.crm()),
        Crumb::to(label(records), links.records(records)),
        Crumb::here(name.clone()),
    ];
    document::page(visit, Place::Crm, &text::one_line(&name, 60), crumbs, false, || {
        let edit = rights.change.then(|| {
            view! { <a class="button primary" href=links.edit_record(records, &id)>"Edit"</a> }
        });
        let delete = rights.delete.then(|| {
            view! { <a class="button" href=links.delete_record(records, &id)>"Delete"</a> }
        });
        let facts = R::facts(&line, &links, clock)
            .into_iter()
            .map(|(what, that)| view! { <div><dt>{what}</dt><dd>{that}</dd></div> })
            .collect::<Vec<_>>();
        let text = line.record.text().map(|said| {
            let title = if records == Records::Interactions { "What was said or agreed" } else { "Notes" };
            view! { <section><h2>{title}</h2><p class="record-text"><bdi>{text::lines(said, 10_000)}</bdi></p></section> }
        });
        view! {
            <PageHead title=text::name(&name).into_any() lead=provenance(&line, &links, clock)>
                {edit} {delete}
            </PageHead>
            <dl class="record-facts">{facts}</dl>
            {text}
            {beside(&line, around, &links, clock, rights)}
        }
    })
}

fn provenance<R>(line: &Line<R>, links: &Links, clock: Clock) -> AnyView {
    let made = clock.minute(line.created_at);
    view! {
        "Changed "
        <time datetime=wording::instant(line.updated_at) title=clock.exact(line.updated_at)>{clock.minute(line.updated_at)}</time>
        " by " {changed_by(&line.changed_by, links)} ". Made " {made} "."
    }
    .into_any()
}

/// The lists that belong to it, as far as they can.
fn beside<R: Kind>(line: &Line<R>, around: Around, links: &Links, clock: Clock, rights: Rights) -> AnyView {
    let company = match R::RECORDS {
        Records::Companies => Some(CompanyId::from(line.id)),
        _ => line.company.as_ref().map(|(id, _)| *id),
    };
    let of = Query { company, ..Query::default() };
    match R::RECORDS {
        Records::Companies => {
            let new_contact = company.map(|id| links.new_record_of(Records::Contacts, "company", id));
            let new_deal = company.map(|id| links.new_record_of(Records::Deals, "company", id));
            view! {
                {related::<Contact>("Contacts", around.contacts, &of, new_contact, links, clock, rights)}
                {related::<Deal>("Deals", around.deals, &of, new_deal, links, clock, rights)}
                {timeline(around.interactions, &of, None, links, clock, rights, true)}
            }
            .into_any()
        }
        Records::Contacts => {
            let contact = ContactId::from(line.id);
            let of_contact = Query { contact: Some(contact), ..Query::default() };
            let new = links.new_record_of(Records::Interactions, "contact", contact);
            let deals = company.map(|id| {
                let new = links.new_record_of(Records::Deals, "company", id);
                related::<Deal>("Deals with the company", around.deals, &of, Some(new), links, clock, rights)
            });
            view! { {timeline(around.interactions, &of_contact, Some(new), links, clock, rights, false)} {deals} }
                .into_any()
        }
        Records::Deals => view! {
            {related::<Contact>("Contacts at the company", around.contacts, &of, None, links, clock, rights)}
            {timeline(around.interactions, &of, None, links, clock, rights, true)}
        }
        .into_any(),
        Records::Interactions => ().into_any(),
    }
}

/// The way from the first few to the list that has them all.
fn all_of(records: Records, shown: usize, of: &Query, links: &Links) -> Option<impl IntoView + use<>> {
    let words = match shown {
        0 | 1 => return None,
        shown if shown < BESIDE => format!("All {shown} {records}"),
        _ => format!("All {records}"),
    };
    Some(view! { <a href=links.records_with(records, &of.to_query())>{words}</a> })
}

fn related<R: Kind>(
    title: &'static str,
    lines: Vec<Line<R>>,
    of: &Query,
    new: Option<String>,
    links: &Links,
    clock: Clock,
    rights: Rights,
) -> impl IntoView + use<R> {
    let all = all_of(R::RECORDS, lines.len(), of, links);
    let new = new.filter(|_| rights.change).map(|href| {
        view! { <a class="button" href=href>"New " {R::RECORDS.noun()}</a> }
    });
    let body = if lines.is_empty() {
        view! { <p class="absent">"None yet."</p> }.into_any()
    } else {
        // They are all of one company, which the page names.
        table(&lines, &["Company"], links, clock).into_any()
    };
    view! {
        <section class="related">
            <header><h2>{title}</h2> {all} {new}</header>
            {body}
        </section>
    }
}

/// What happened, the latest first; with whom, where that is not clear from the page.
fn timeline(
    lines: Vec<Line<Interaction>>,
    of: &Query,
    new: Option<String>,
    links: &Links,
    clock: Clock,
    rights: Rights,
    with: bool,
) -> impl IntoView + use<> {
    let all = all_of(Records::Interactions, lines.len(), of, links);
    let new =
        new.filter(|_| rights.change).map(|href| view! { <a class="button" href=href>"New interaction"</a> });
    let empty = lines.is_empty().then(|| view! { <p class="absent">"Nothing has happened yet."</p> });
    let items = lines
        .iter()
        .map(|line| {
            let at = line.record.at.map(|at| {
                view! { <time datetime=wording::instant(at) title=clock.exact(at)>{clock.minute(at)}</time> }
            });
            let href = links.record(Records::Interactions, &model::InteractionId::from(line.id).to_string());
            let kind = line.record.kind.map(kinds::kind);
            let whom = with.then(|| view! { " with " {kinds::contact(&line.contact, links)} });
            view! {
                <li>
                    <p class="happened">
                        <a href=href>{kind}</a> {whom} " · " {at}
                    </p>
                    <p class="record-text"><bdi>{text::lines(&line.record.summary, 600)}</bdi></p>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="related">
            <header><h2>"What happened"</h2> {all} {new}</header>
            {empty}
            <ol class="happenings">{items}</ol>
        </section>
    }
}

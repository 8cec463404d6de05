//! A list: tabs, filters, what deals come to, the table, its pages.

use control::crm::Sort;
use leptos::prelude::*;
use model::Currency;
use model::crm::{Line, Records, StageTotal};

use super::kinds::{self, Kind, label};
use super::{Query, Rights, tabs};
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::{Links, Place};
use crate::pieces::field::{ErrorSummary, Field, FieldError, error_of};
use crate::pieces::head::PageHead;
use crate::text;
use crate::wording::{self, Clock};

/// Rows on one page.
pub const PAGE: u16 = 50;

/// What a list shows.
#[derive(Clone, Debug)]
pub struct Shown<R> {
    /// The rows of this page.
    pub lines: Vec<Line<R>>,
    /// Whether there are more.
    pub more: bool,
    /// What deals come to, by stage and currency.
    pub totals: Vec<StageTotal>,
}

/// The page. With errors in the query nothing is listed.
pub fn list<R: Kind>(
    visit: &Visit,
    query: Query,
    errors: Vec<FieldError>,
    shown: Shown<R>,
    rights: Rights,
) -> String {
    let records = R::RECORDS;
    let crumbs = vec![Crumb::to("CRM", visit.links().crm()), Crumb::here(label(records))];
    document::page(visit, Place::Crm, label(records), crumbs, false, || {
        let (links, clock) = (visit.links(), visit.clock());
        let wrong = !errors.is_empty();
        let body = if wrong {
            view! { <p class="absent">"Nothing is listed until the filters are right."</p> }.into_any()
        } else if shown.lines.is_empty() {
            nothing(&links, records, &query, rights)
        } else {
            view! {
                {(!shown.totals.is_empty()).then(|| totals(&shown.totals, &links, &query))}
                {table(&shown.lines, &[], &links, clock)}
                <Pages links=links.clone() records=records query=query.clone() more=shown.more />
            }
            .into_any()
        };
        let of = of_whom(&query, &shown, &links, records);
        let actions = actions(&links, records, &query, rights);
        view! {
            <ErrorSummary errors=errors.clone() />
            <PageHead title=label(records).into_any() lead=kinds::lead(records).into_any()>
                {actions}
            </PageHead>
            {tabs(&links, records)}
            <Filters links=links.clone() records=records query=query.clone() errors=errors.clone() />
            {of}
            {body}
        }
    })
}

fn actions(links: &Links, records: Records, query: &Query, rights: Rights) -> impl IntoView + use<> {
    let change = rights.change.then(|| {
        view! {
            <a class="button primary" href=links.new_record(records)>"New " {records.noun()}</a>
            <a class="button" href=links.import_records(records)>"Import"</a>
        }
    });
    let export = links.export_records(records, &query.at(0).to_query());
    view! {
        {change}
        <a class="button" href=export download="">"Export CSV"</a>
    }
}

/// Of which company or contact alone it is a list, with the way out of it.
fn of_whom<R>(
    query: &Query,
    shown: &Shown<R>,
    links: &Links,
    records: Records,
) -> Option<impl IntoView + use<R>> {
    let line = shown.lines.first();
    let whom = match (query.contact, query.company) {
        (Some(_), _) => {
            line.and_then(|line| line.contact.clone()).map_or("one contact".to_owned(), |(_, name)| name)
        }
        (_, Some(_)) => {
            line.and_then(|line| line.company.clone()).map_or("one company".to_owned(), |(_, name)| name)
        }
        _ => return None,
    };
    let all = links
        .records_with(records, &Query { company: None, contact: None, page: 0, ..query.clone() }.to_query());
    Some(
        view! { <p class="of-whom">"Only those of " {text::name(&whom)} ". " <a href=all>"Show all"</a></p> },
    )
}

fn nothing(links: &Links, records: Records, query: &Query, rights: Rights) -> AnyView {
    if query.narrows() || query.page > 0 {
        return view! {
            <section class="empty">
                <h2>"Nothing matches"</h2>
                <p>"Take a filter away, or search for less."</p>
                <p><a class="button" href=links.records(records)>"Clear the filters"</a></p>
            </section>
        }
        .into_any();
    }
    let begin = rights.change.then(|| {
        view! {
            <p class="form-actions">
                <a class="button primary" href=links.new_record(records)>"New " {records.noun()}</a>
                <a class="button" href=links.import_records(records)>"Import a CSV file"</a>
            </p>
        }
    });
    view! {
        <section class="empty">
            <h2>{format!("No {records} yet")}</h2>
            <p>{kinds::why(records)}</p>
            {begin}
        </section>
    }
    .into_any()
}

#[component]
fn Filters(links: Links, records: Records, query: Query, errors: Vec<FieldError>) -> impl IntoView {
    let stage = (records == Records::Deals).then(|| {
        let chosen = query.stage.map(|stage| stage.to_string());
        view! {
            <Field name="stage" label="Stage" error=error_of(&errors, "stage")>
                {select("stage", Some("Any stage"), kinds::stages(), chosen)}
            </Field>
        }
    });
    let kind = (records == Records::Interactions).then(|| {
        let chosen = query.kind.map(|kind| kind.to_string());
        view! {
            <Field name="kind" label="Kind" error=error_of(&errors, "kind")>
                {select("kind", Some("Any kind"), kinds::all_kinds(), chosen)}
            </Field>
        }
    });
    let orders = Sort::of(records).iter().map(|sort| (sort.to_string(), order(*sort).to_owned()));
    let sort = query.sort.or(Sort::of(records).first().copied()).map(|sort| sort.to_string());
    let hidden = |name: &'static str, value: Option<String>| {
        value.map(|value| view! { <input type="hidden" name=name value=value /> })
    };
    let clear =
        query.narrows().then(|| view! { <a class="button plain" href=links.records(records)>"Clear"</a> });
    view! {
        <form class="filters" method="get" action=links.records(records) role="search" aria-label="Filter the list">
            <Field name="q" label="Search" error=error_of(&errors, "q")>
                <input type="search" id="q" name="q" maxlength="200" autocomplete="off" value=query.search.as_deref().map(|text| crate::text::one_line(text, 200)) />
            </Field>
            {stage}
            {kind}
            <Field name="sort" label="Order" error=error_of(&errors, "sort")>
                {select("sort", None, orders, sort)}
            </Field>
            {hidden("company", query.company.map(|id| id.to_string()))}
            {hidden("contact", query.contact.map(|id| id.to_string()))}
            <div class="filter-actions">
                <button type="submit" class="button">"Apply"</button>
                {clear}
            </div>
        </form>
    }
}

const fn order(sort: Sort) -> &'static str {
    match sort {
        Sort::Name => "By name",
        Sort::Changed => "Changed last",
        Sort::Newest => "Newest",
        Sort::Amount => "Largest amount",
        Sort::Closing => "Closing soonest",
        Sort::When => "Latest",
    }
}

fn select(
    name: &'static str,
    any: Option<&'static str>,
    options: impl Iterator<Item = (String, String)>,
    chosen: Option<String>,
) -> AnyView {
    let options = options
        .map(|(value, label)| {
            let selected = chosen.as_ref() == Some(&value);
            view! { <option value=value selected=selected>{label}</option> }
        })
        .collect::<Vec<_>>();
    view! {
        <select id=name name=name>
            {any.map(|any| view! { <option value="">{any}</option> })}
            {options}
        </select>
    }
    .into_any()
}

/// What the deals of the list come to: a line for each stage, a column for each currency.
fn totals(totals: &[StageTotal], links: &Links, query: &Query) -> impl IntoView + use<> {
    let mut currencies: Vec<Currency> = totals.iter().filter_map(|total| total.currency).collect();
    currencies.sort_unstable();
    currencies.dedup();
    let mut rows = Vec::new();
    for stage in model::crm::Stage::ALL {
        let of: Vec<&StageTotal> = totals.iter().filter(|total| total.stage == *stage).collect();
        if of.is_empty() {
            continue;
        }
        let deals = of.iter().map(|total| total.deals).sum::<u64>();
        let amounts = currencies
            .iter()
            .map(|currency| {
                let total = of.iter().find(|total| total.currency == Some(*currency));
                let said = total.map_or("–".to_owned(), |total| kinds::money(total.amount, *currency));
                view! { <td class="number amount">{said}</td> }
            })
            .collect::<Vec<_>>();
        let href = links.records_with(
            Records::Deals,
            &Query { stage: Some(*stage), page: 0, ..query.clone() }.to_query(),
        );
        rows.push(view! {
            <tr>
                <th scope="row"><a href=href>{kinds::stage(*stage)}</a></th>
                <td class="number">{wording::grouped(deals)}</td>
                {amounts}
            </tr>
        });
    }
    let heads = currencies
        .iter()
        .map(|currency| view! { <th scope="col" class="number">"In " {currency.to_string()}</th> })
        .collect::<Vec<_>>();
    view! {
        <div class="scroll">
            <table class="stage-totals">
                <caption>"What these deals come to, by stage"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Stage"</th>
                        <th scope="col" class="number">"Deals"</th>
                        {heads}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

/// The table, without the columns that would say the same in each row.
pub(super) fn table<R: Kind>(
    lines: &[Line<R>],
    without: &[&str],
    links: &Links,
    clock: Clock,
) -> impl IntoView + use<R> {
    let heads = R::heads()
        .iter()
        .filter(|(head, _)| !without.contains(head))
        .map(|(head, number)| view! { <th scope="col" class=number.then_some("number")>{*head}</th> })
        .collect::<Vec<_>>();
    let rows = lines
        .iter()
        .map(|line| {
            let href = links.record(R::RECORDS, &R::Id::from(line.id).to_string());
            let cells = R::cells(line, links, clock)
                .into_iter()
                .zip(R::heads().iter().skip(1))
                .filter(|(_, (head, _))| !without.contains(head))
                .map(|(cell, (head, number))| {
                    view! { <td class=number.then_some("number") data-label=*head>{cell}</td> }
                })
                .collect::<Vec<_>>();
            view! {
                <tr>
                    <th scope="row"><a href=href>{text::name(&line.record.name())}</a></th>
                    {cells}
                </tr>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <div class="records-box">
        <table class="records">
            <caption class="visually-hidden">{label(R::RECORDS)}</caption>
            <thead><tr>{heads}</tr></thead>
            <tbody>{rows}</tbody>
        </table>
        </div>
    }
}

#[component]
fn Pages(links: Links, records: Records, query: Query, more: bool) -> impl IntoView {
    let to = |page: u32| links.records_with(records, &query.at(page).to_query());
    let by_time =
        matches!(query.sort.or(Sort::of(records).first().copied()), Some(Sort::Newest | Sort::When));
    let (back, onward) = if by_time { ("Newer", "Older") } else { ("Previous", "Next") };
    let before = query.page.checked_sub(1).map(|page| {
        view! { <a class="button" href=to(page) rel="prev"><Icon name="previous" />{back}</a> }
    });
    let after = more.then(|| {
        view! { <a class="button" href=to(query.page.saturating_add(1)) rel="next">{onward} <Icon name="next" /></a> }
    });
    view! { <nav class="pages" aria-label="Pages of the list">{before} {after}</nav> }
}

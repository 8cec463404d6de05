//! Activity: the list of calls with its filters, and what is shown while there is nothing to list.

use control::activity::Names;
use control::activity::saved::SavedFilter;
use control::authority::Deed;
use leptos::prelude::*;
use model::call::CallRow;
use model::{AgentId, ModuleId, UnitId};

use super::connect::ConnectAgent;
use super::filter::{self, ActivityQuery, Cursor, Span};
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::islands::LiveCalls;
use crate::links::{Links, Place};
use crate::pieces::call_row::Row;
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::Form;
use crate::pieces::head::PageHead;

mod filters;
mod saved;

/// Rows on one page of the list.
pub const PAGE: u16 = 50;

/// What the list shows.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The rows, newest first.
    pub rows: Vec<CallRow>,
    /// Whether there are newer ones.
    pub newer: bool,
    /// Whether there are older ones.
    pub older: bool,
    /// Agents to filter by, with their names.
    pub agents: Vec<(AgentId, String)>,
    /// Modules to filter by, with their titles.
    pub modules: Vec<(ModuleId, String)>,
    /// Units to filter by, with their paths; empty for those who may not see units.
    pub units: Vec<(UnitId, String)>,
    /// What the filter's ids are called.
    pub names: Names,
    /// What was typed to name a person.
    pub who: String,
    /// Filters that were kept.
    pub saved: Vec<SavedFilter>,
    /// Whether the reader may share filters.
    pub may_share: bool,
    /// The form that keeps a filter, as it came back.
    pub saving: Form,
}

/// The page. With errors in the query nothing is listed, so that no one takes a wider list for the one they wanted.
pub fn page(visit: &Visit, read: filter::Read, shown: Shown) -> String {
    let live = read.errors.is_empty() && read.query.is_live();
    document::page(visit, Place::Activity, "Activity", vec![Crumb::here("Activity")], live, || {
        let links = visit.links();
        let list = if read.errors.is_empty() {
            list(visit, &read.query, &shown, live)
        } else {
            view! { <p class="absent">"Nothing is listed until the filters are right."</p> }.into_any()
        };
        let saved = saved::Saved {
            links: links.clone(),
            query: read.query.clone(),
            saved: shown.saved,
            may_share: shown.may_share,
            form: shown.saving.clone(),
            any: read.errors.is_empty() && (live || !shown.rows.is_empty()),
        };
        let errors: Vec<_> = read.errors.iter().chain(shown.saving.errors()).cloned().collect();
        let filters = filters::Filters {
            links,
            query: read.query,
            errors: read.errors,
            agents: shown.agents,
            modules: shown.modules,
            units: shown.units,
            names: shown.names,
            who: shown.who,
            people: visit.may(Deed::ReadPeople),
            zone: visit.site.zone,
            zone_name: visit.clock().zone_name(),
        };
        view! {
            <ErrorSummary errors=errors />
            {head(visit, Tab::Calls).into_any()}
            {filters.view().into_any()}
            {saved.view().into_any()}
            {list}
        }
    })
}

/// The tabs of Activity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tab {
    Calls,
    Rejected,
}

pub(super) fn head(visit: &Visit, tab: Tab) -> impl IntoView + use<> {
    let links = visit.links();
    let here = |it: Tab| (it == tab).then_some("page");
    let rejected = visit.may(Deed::ReadActivity).then(|| {
        view! { <a href=links.rejected() aria-current=here(Tab::Rejected)>"Rejected requests"</a> }
    });
    view! {
        <PageHead
            title="Activity".into_any()
            lead="Every tool call of every agent: for whom, what was decided and why, what came of it.".into_any()
        />
        <nav class="tabs" aria-label="Activity">
            <a href=links.activity() aria-current=here(Tab::Calls)>"Calls"</a>
            {rejected}
        </nav>
    }
}

fn list(visit: &Visit, query: &ActivityQuery, shown: &Shown, live: bool) -> AnyView {
    let empty = shown.rows.is_empty();
    let nothing = match (empty, live) {
        (false, false) => None,
        _ if query.filters() || query.cursor != Cursor::Newest => Some(none_match(&visit.links(), query)),
        _ => Some(view! { <ConnectAgent mcp_url=visit.mcp_url() agents=agents_link(visit) /> }.into_any()),
    };
    // A live list has both from the start; the island shows one or the other.
    let content = view! {
        <div id="calls-nothing" hidden=!empty>{nothing}</div>
        <div id="calls-list" hidden=empty>
            <CallTable visit=visit.clone() rows=shown.rows.clone() />
            <Pages links=visit.links() query=query.clone() shown=shown.clone() />
        </div>
    };
    if live {
        let url = visit.links().live(&query.to_query());
        view! { <LiveCalls url=url>{content}</LiveCalls> }.into_any()
    } else {
        content.into_any()
    }
}

/// Where one gets a key: from a new agent, or, for those who make none, from one's own.
fn agents_link(visit: &Visit) -> (&'static str, String) {
    match visit.may(Deed::ChangeAgents) {
        true => ("Make an agent with a key", visit.links().new_agent()),
        false => ("Your agents and people", visit.links().people()),
    }
}

fn none_match(links: &Links, query: &ActivityQuery) -> AnyView {
    let narrowed = ActivityQuery { span: Span::All, from: None, to: None, ..query.clone() }.filters();
    let advice = match (query.span, narrowed) {
        (Span::All, _) => "Take a filter away.",
        (_, true) => "Widen the time range, or take a filter away.",
        (_, false) => "Widen the time range.",
    };
    view! {
        <section class="empty">
            <h2>"No call matches"</h2>
            <p>{advice}</p>
            <p>
                <a class="button" href=links.activity()>
                    "Clear the filters"
                </a>
            </p>
        </section>
    }
    .into_any()
}

/// The table. Its body's id and the ids of its rows are what the live island works on.
#[component]
pub(super) fn CallTable(visit: Visit, rows: Vec<CallRow>) -> impl IntoView {
    let links = visit.links();
    let (clock, reader) = (visit.clock(), visit.reader());
    let zone = clock.zone_name();
    view! {
        <table class="calls">
            <caption class="visually-hidden">"Calls, newest first. Times are in "{zone.clone()}"."</caption>
            <thead>
                <tr>
                    <th scope="col">"Time ("{zone}")"</th>
                    <th scope="col">"Who"</th>
                    <th scope="col">"Tool"</th>
                    <th scope="col">"Decision"</th>
                    <th scope="col">"Outcome"</th>
                    <th scope="col" class="number">"Duration"</th>
                    <th scope="col" class="number">"Charge"</th>
                </tr>
            </thead>
            <tbody id="calls">
                {rows
                    .into_iter()
                    .map(|call| view! { <Row call=call links=links.clone() clock=clock reader=reader /> })
                    .collect::<Vec<_>>()}
            </tbody>
        </table>
    }
}

/// Older and newer. The older link is there, hidden, also when there is nothing older yet: the live island needs
/// it once the list has grown past what it keeps.
#[component]
fn Pages(links: Links, query: ActivityQuery, shown: Shown) -> impl IntoView {
    let to = |cursor| links.activity_with(&query.at(cursor).to_query());
    let newer = shown
        .rows
        .first()
        .filter(|_| shown.newer)
        .map(|row| view! { <a class="button" href=to(Cursor::After(row.id)) rel="prev"><Icon name="previous" />"Newer"</a> });
    let newest = (query.cursor != Cursor::Newest)
        .then(|| view! { <a class="button" href=to(Cursor::Newest)>"Newest"</a> });
    let last = shown.rows.last().map(|row| row.id);
    let older = last.map_or_else(|| to(Cursor::Newest), |id| to(Cursor::Before(id)));
    view! {
        <nav class="pages" aria-label="Pages of the list">
            {newest}
            {newer}
            <a class="button" id="calls-older" href=older rel="next" hidden=!shown.older>
                "Older"
                <Icon name="next" />
            </a>
        </nav>
    }
}

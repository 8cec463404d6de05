//! Activity: the list of calls with its filters, and what is shown while there is nothing to list.

use control::authority::Deed;
use leptos::prelude::*;
use model::call::{CallRow, Outcome, Verdict};
use model::{AgentId, ModuleId};

use super::connect::ConnectAgent;
use super::filter::{self, ActivityQuery, Cursor, Span};
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::islands::LiveCalls;
use crate::links::{Links, Place};
use crate::pieces::call_row::Row;
use crate::pieces::field::{ErrorSummary, Field, FieldError, error_of};
use crate::pieces::head::PageHead;
use crate::{text, wording};

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
        view! {
            <ErrorSummary errors=read.errors.clone() />
            {head(visit, Tab::Calls)}
            <Filters links=links query=read.query errors=read.errors agents=shown.agents modules=shown.modules />
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
        _ if query.filters() || query.cursor != Cursor::Newest => Some(none_match(&visit.links())),
        _ => Some(view! { <ConnectAgent mcp_url=visit.mcp_url() /> }.into_any()),
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

fn none_match(links: &Links) -> AnyView {
    view! {
        <section class="empty">
            <h2>"No call matches"</h2>
            <p>"Widen the time range, or take a filter away."</p>
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
    let clock = visit.clock();
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
                    .map(|call| view! { <Row call=call links=links.clone() clock=clock /> })
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

/// The filters: a plain form that writes the URL.
#[component]
fn Filters(
    links: Links,
    query: ActivityQuery,
    errors: Vec<FieldError>,
    agents: Vec<(AgentId, String)>,
    modules: Vec<(ModuleId, String)>,
) -> impl IntoView {
    let spans = Span::ALL.iter().map(|span| (span.word().to_owned(), span.label().to_owned()));
    let verdicts =
        Verdict::ALL.iter().map(|it| (it.word().to_owned(), wording::verdict(*it).word.to_owned()));
    let outcomes =
        Outcome::ALL.iter().map(|it| (it.word().to_owned(), wording::outcome(*it).word.to_owned()));
    let agents = with_chosen(agents, query.agent, "An agent that you cannot see");
    let modules = with_chosen(modules, query.module, "A module that you cannot see");
    let error = |field: &str| error_of(&errors, field);
    let described = |field: &str| error(field).map(|_| format!("{field}-error"));
    let (from_described, to_described, tool_described) =
        (described("from"), described("to"), described("tool"));
    let clear = query.filters().then(|| links.activity());
    let (from, to, tool) = (query.from.map(filter::local), query.to.map(filter::local), query.tool.clone());
    view! {
        <form class="filters" method="get" action=links.activity() role="search" aria-label="Filter the calls">
            <Field name="span" label="Time" error=error("span")>
                {select("span", None, spans, Some(query.span.word().to_owned()))}
            </Field>
            <Field name="from" label="From (UTC)" error=error("from")>
                <input
                    type="datetime-local"
                    id="from"
                    name="from"
                    value=from
                    aria-describedby=from_described
                />
            </Field>
            <Field name="to" label="To (UTC)" error=error("to")>
                <input
                    type="datetime-local"
                    id="to"
                    name="to"
                    value=to
                    aria-describedby=to_described
                />
            </Field>
            <Field name="agent" label="Agent" error=error("agent")>
                {select("agent", Some("Any agent"), agents.into_iter(), query.agent.map(|id| id.to_string()))}
            </Field>
            <Field name="module" label="Module" error=error("module")>
                {select("module", Some("Any module"), modules.into_iter(), query.module.map(|id| id.to_string()))}
            </Field>
            <Field name="tool" label="Tool contains" error=error("tool")>
                <input
                    type="search"
                    id="tool"
                    name="tool"
                    maxlength="100"
                    autocomplete="off"
                    spellcheck="false"
                    value=tool
                    aria-describedby=tool_described
                />
            </Field>
            <Field name="verdict" label="Decision" error=error("verdict")>
                {select("verdict", Some("Any decision"), verdicts, query.verdict.map(|it| it.to_string()))}
            </Field>
            <Field name="outcome" label="Outcome" error=error("outcome")>
                {select("outcome", Some("Any outcome"), outcomes, query.outcome.map(|it| it.to_string()))}
            </Field>
            <div class="filter-actions">
                <button type="submit" class="button primary">
                    "Apply"
                </button>
                {clear.map(|href| view! { <a class="button plain" href=href>"Clear"</a> })}
            </div>
        </form>
    }
}

/// Choices as texts; what is chosen is among them even when it is not to be had.
fn with_chosen<I: Copy + PartialEq + std::fmt::Display>(
    mut choices: Vec<(I, String)>,
    chosen: Option<I>,
    unknown: &str,
) -> Vec<(String, String)> {
    if let Some(id) = chosen.filter(|id| choices.iter().all(|(known, _)| known != id)) {
        choices.push((id, unknown.to_owned()));
    }
    choices.into_iter().map(|(id, label)| (id.to_string(), label)).collect()
}

fn select(
    name: &'static str,
    any: Option<&'static str>,
    choices: impl Iterator<Item = (String, String)>,
    chosen: Option<String>,
) -> AnyView {
    let options = choices
        .map(|(value, label)| {
            let selected = chosen.as_ref() == Some(&value);
            view! { <option value=value selected=selected>{text::one_line(&label, 80)}</option> }
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

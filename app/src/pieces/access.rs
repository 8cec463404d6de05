//! Effective access: which tools may be called, by which key and where the right comes from, and why the others may not.
//! On an agent's page and on a person's.

use control::access::{Holder, PAGE, Shown, Source, Subject, Wanted, Way};
use leptos::prelude::*;
use model::call::{ReasonCode, Verdict};

use crate::links::Links;
use crate::pieces::sign::Badge;
use crate::wording::Clock;
use crate::{text, wording};

/// Most characters that are searched for.
const LONGEST: usize = 100;

/// Where the list is: the page, and the fields of its query that are not the list's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The page's path.
    pub path: String,
    /// Names and values that stay as they are.
    pub fixed: Vec<(&'static str, String)>,
}

impl Place {
    fn at(&self, wanted: &Wanted) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.fixed.iter().map(|(name, value)| (*name, value.as_str())));
        if let Some(text) = &wanted.text {
            query.append_pair("find", text);
        }
        if let Some(verdict) = wanted.verdict {
            query.append_pair("says", verdict.word());
        }
        if wanted.page > 0 {
            query.append_pair("page", &(wanted.page + 1).to_string());
        }
        format!("{}?{}", self.path, query.finish())
    }
}

/// What the list's fields in a query ask for: `find`, `says`, `page`. What cannot be read asks for nothing.
pub fn wanted<'a>(field: impl Fn(&'static str) -> &'a str) -> Wanted {
    let text: String = field("find").trim().chars().take(LONGEST).collect();
    Wanted {
        text: (!text.is_empty()).then_some(text),
        verdict: field("says").parse().ok(),
        page: field("page").parse::<usize>().unwrap_or(1).saturating_sub(1),
    }
}

/// The list with its search.
#[component]
pub fn Access(
    /// What there is to say.
    shown: Shown,
    /// What was asked for.
    wanted: Wanted,
    /// Where the list is.
    place: Place,
    /// The organization's pages.
    links: Links,
    /// The present, in the reader's zone.
    clock: Clock,
    /// Whether it is the reader's own.
    #[prop(optional)]
    own: bool,
) -> impl IntoView {
    let [may, held, may_not] = shown.counts;
    let all = may + held + may_not;
    if all == 0 {
        return view! {
            <p class="absent">
                "There are no tools yet. Once a module is in the catalog, each of its tools is listed here with what would "
                "come of calling it."
            </p>
        }
        .into_any();
    }
    let held = (held > 0).then(|| format!(", {held} only once a person has approved the call"));
    let number = view! { <strong>{wording::grouped(may as u64)}</strong> };
    let tools = format!(" of {} tools ", wording::grouped(all as u64));
    let sum = match shown.subject {
        Subject::Agent(_) => {
            view! { {number} {tools} "may be called by the agent for itself" {held} "." }.into_any()
        }
        Subject::OnBehalf(..) => {
            view! { {number} {tools} "may be called on this person's behalf: what both may" {held} "." }
                .into_any()
        }
        Subject::Person(_) => {
            let whose = if own { "on your behalf" } else { "on their behalf" };
            view! { "Agents may call " {number} {tools} {whose} ", if the agent itself has access" {held} "." }
                .into_any()
        }
    };
    // What stops all of it is said once, and each line says what there would be without it.
    let stopped = shown
        .tools
        .iter()
        .filter_map(|line| line.reason.as_ref())
        .find(|reason| stops_all(reason.code))
        .map(|reason| wording::without_verdict(&reason.sentence));
    let stopped = stopped.map(|said| {
        view! { <p class="consequence" data-tone="deny">{text::prose(&said, 1_000)}</p> }
    });
    let two = matches!(shown.subject, Subject::OnBehalf(..));
    let rows = shown.tools.iter().map(|line| row(line, &links, clock, two)).collect::<Vec<_>>();
    let empty = shown.tools.is_empty();
    let fixed = place
        .fixed
        .iter()
        .map(|(name, value)| view! { <input type="hidden" name=*name value=value.clone() /> })
        .collect::<Vec<_>>();
    let chosen = |verdict: Option<Verdict>| wanted.verdict == verdict;
    let filtered = wanted.text.is_some() || wanted.verdict.is_some();
    let clear = filtered.then(|| place.at(&Wanted::default()));
    let pages = pages(&shown, &wanted, &place);
    view! {
        <div class="access">
            {stopped}
            <p class="access-sum">{sum}</p>
            <form class="filters" method="get" action=place.path.clone() role="search" aria-label="Filter the tools">
                {fixed}
                <div class="field">
                    <label for="find">"Tool or key contains"</label>
                    <input
                        type="search"
                        id="find"
                        name="find"
                        maxlength=LONGEST
                        autocomplete="off"
                        spellcheck="false"
                        value=wanted.text.as_deref().map(|it| text::one_line(it, LONGEST))
                    />
                </div>
                <div class="field">
                    <label for="says">"Would be"</label>
                    <select id="says" name="says">
                        <option value="" selected=chosen(None)>"Anything"</option>
                        {Verdict::ALL
                            .iter()
                            .map(|it| {
                                let selected = chosen(Some(*it));
                                view! {
                                    <option value=it.word() selected=selected>{wording::verdict(*it).word}</option>
                                }
                            })
                            .collect::<Vec<_>>()}
                    </select>
                </div>
                <div class="filter-actions">
                    <button type="submit" class="button">"Apply"</button>
                    {clear.map(|href| view! { <a class="button plain" href=href>"Clear"</a> })}
                </div>
            </form>
            <table class="access-table" hidden=empty>
                <caption class="visually-hidden">"Tools by name, with what would come of calling each"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Tool"</th>
                        <th scope="col">"Would be"</th>
                        <th scope="col">"By what, or why not"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            {empty.then(|| view! { <p class="absent">"No tool matches. Search for less."</p> })}
            {pages}
        </div>
    }
    .into_any()
}

/// Whether it is a reason for which nothing at all may be called.
fn stops_all(code: ReasonCode) -> bool {
    matches!(code, ReasonCode::AgentSuspended | ReasonCode::UserSuspended | ReasonCode::TenantSuspended)
}

/// One tool. `names_holders`: whether grants can be the agent's or the person's.
fn row(
    line: &control::access::Line,
    links: &Links,
    clock: Clock,
    names_holders: bool,
) -> impl IntoView + use<> {
    let stopped = line.reason.as_ref().is_some_and(|reason| stops_all(reason.code));
    let neither = (stopped && line.ways.is_empty())
        .then(|| view! { <p class="reason">"Nothing that was given reaches it, either."</p> });
    let why = line.reason.as_ref().filter(|_| !stopped).map(|reason| {
        let sentence = wording::without_verdict(&reason.sentence);
        view! { <p class="reason">{text::prose(&sentence, 1_000)}</p> }
    });
    let key = (line.reason.is_some())
        .then(|| view! { <p class="needs">"Needs " {text::code(line.key.as_str())}</p> });
    let ways = line
        .ways
        .iter()
        .map(|way| view! { <li>{said(way, links, clock, names_holders)}</li> })
        .collect::<Vec<_>>();
    let ways = (!ways.is_empty()).then(|| view! { <ul class="ways">{ways}</ul> });
    let unbound = (line.verdict == Verdict::Permit && line.ways.is_empty())
        .then(|| view! { <p class="reason">"A policy permits it without a key."</p> });
    view! {
        <tr data-verdict=line.verdict.word()>
            <th scope="row">
                <a href=links.tool(&line.module, &line.name)>{text::code(&line.full_name)}</a>
                {key}
            </th>
            <td><Badge sign=wording::verdict(line.verdict) /></td>
            <td>
                {why}
                {neither}
                {ways}
                {unbound}
            </td>
        </tr>
    }
}

/// One grant: the key, whom it reaches by which way, who gave it, until when.
fn said(way: &Way, links: &Links, clock: Clock, names_holder: bool) -> AnyView {
    let from = match &way.source {
        Source::Itself => match way.holder {
            Holder::Agent => "given to the agent itself".into_any(),
            Holder::Person => "given to the person".into_any(),
        },
        Source::Role(role) => format!("given to the role {}", wording::role(*role)).into_any(),
        Source::Unit { unit, name, through, .. } => {
            let through = through.as_deref().map(|unit| view! { ", inherited by " {text::name(unit)} });
            view! { "given to " <a href=links.unit(*unit)>{text::name(name)}</a> {through} }.into_any()
        }
    };
    let given = way.given.as_ref().map(|(by, at)| {
        view! { <span class="given">" by " {text::name(by)} {format!(", {}", clock.day(*at))}</span> }
    });
    let until = way.until.map(|at| {
        view! {
            <span class="until" title=clock.exact(at)>{format!(" until {}", clock.minute(at))}</span>
        }
    });
    let holder = names_holder.then_some(match way.holder {
        Holder::Agent => "agent",
        Holder::Person => "person",
    });
    view! {
        <span data-holder=holder>
            {text::code(way.key.as_str())}
            " "
            {from}
            {given}
            {until}
        </span>
    }
    .into_any()
}

fn pages(shown: &Shown, wanted: &Wanted, place: &Place) -> AnyView {
    if shown.pages < 2 {
        return ().into_any();
    }
    let to = |page: usize| place.at(&Wanted { page, ..wanted.clone() });
    let first = shown.page * PAGE + 1;
    let last = shown.page * PAGE + shown.tools.len();
    let previous = (shown.page > 0)
        .then(|| view! { <a class="button" href=to(shown.page - 1) rel="prev">"Previous"</a> });
    let next = (shown.page + 1 < shown.pages)
        .then(|| view! { <a class="button" href=to(shown.page + 1) rel="next">"Next"</a> });
    view! {
        <nav class="pages" aria-label="Pages of the tools">
            {previous}
            <span>
                {format!(
                    "{} to {} of {}",
                    wording::grouped(first as u64),
                    wording::grouped(last as u64),
                    wording::grouped(shown.matching as u64),
                )}
            </span>
            {next}
        </nav>
    }
    .into_any()
}

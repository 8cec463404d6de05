//! Limits in the facts of a page: how many calls, and how many of them are used.

use control::authority::Deed;
use control::limits::LimitRow;
use leptos::prelude::*;
use model::limit::{Allowance, OfWhat, Per, Whose};

use crate::document::Visit;
use crate::text;
use crate::wording::grouped;

/// `1,000 calls an hour, at most 50 at once`.
pub fn allowance(allowance: Allowance) -> String {
    let Allowance { calls, per, burst } = allowance;
    let noun = if calls == 1 { "call" } else { "calls" };
    let a = if per == Per::Hour { "an" } else { "a" };
    let at_once =
        if burst < calls { format!(", at most {} at once", grouped(burst.into())) } else { String::new() };
    format!("{} {noun} {a} {per}{at_once}", grouped(calls.into()))
}

/// `412 of 1,000 this month`. What is used of a rate is given back little by little, so it is said of the present.
pub fn used(row: &LimitRow) -> String {
    let Allowance { per, burst, .. } = row.allowance;
    let when = match per {
        Per::Day => "today",
        Per::Month => "this month",
        Per::Second | Per::Minute | Per::Hour => "at present",
    };
    format!("{} of {} {when}", grouped(row.used.into()), grouped(burst.into()))
}

/// Whose calls: `All agents together`.
pub fn whose(row: &LimitRow) -> String {
    let name = text::one_line(row.whose.as_deref().unwrap_or_default(), 120);
    match (row.scope.whose, row.scope.each_agent) {
        (Whose::Everybody, true) => "Each agent".to_owned(),
        (Whose::Everybody, false) => "All agents together".to_owned(),
        (Whose::Unit(_), true) => format!("Each agent of {name}"),
        (Whose::Unit(_), false) => format!("All agents of {name} together"),
        (Whose::Agent(_), _) => format!("Agent {name}"),
    }
}

/// Calls of what: `all tools`, `Gmail`, `gmail.send`.
pub fn what(row: &LimitRow) -> String {
    match &row.what {
        None => "all tools".to_owned(),
        Some((_, title, None)) => text::one_line(title, 120),
        Some((module, _, Some(tool))) => text::one_line(&format!("{module}.{tool}"), 160),
    }
}

/// The limits that can stand in the way of calls here, and where one is set. None of it for who may not see limits.
pub fn facts(visit: &Visit, rows: Option<&[LimitRow]>, set: (Whose, OfWhat)) -> Option<AnyView> {
    let rows = rows?;
    let links = visit.links();
    let may = visit.may(Deed::ChangeLimits);
    let lines = rows
        .iter()
        .map(|row| {
            let said = allowance(row.allowance);
            let said = if may {
                view! { <a href=links.limit(row.id)>{said}</a> }.into_any()
            } else {
                said.into_any()
            };
            let whose = format!("{}, of {}", whose(row), what(row));
            view! {
                <li>
                    {said}
                    <span class="limit-used">{used(row)}</span>
                    <span class="note">{whose}</span>
                </li>
            }
        })
        .collect::<Vec<_>>();
    let lines = if lines.is_empty() {
        view! { <span class="absent">"none"</span> }.into_any()
    } else {
        view! { <ul class="cat-plain-list limit-list">{lines}</ul> }.into_any()
    };
    let set = may.then(|| view! { <p><a href=links.new_limit_of(set.0, set.1)>"Set a limit"</a></p> });
    Some(view! { {lines} {set} }.into_any())
}

//! Who may use what: the matrix, one of its cells, the list, giving a key, and the review of a change.

pub mod cell;
pub mod list;
pub mod matrix;
pub mod new;
pub mod query;
pub mod review;

use control::grants::pick::{Kind, Named};
use leptos::prelude::*;
use model::Timestamp;
use model::access::Grantee;

use crate::document::Visit;
use crate::icon::Icon;
use crate::links::Links;
use crate::pieces::field::{Field, error_of};
use crate::pieces::form::Form;
use crate::pieces::head::PageHead;
use crate::wording::Clock;
use crate::{text, wording};
use control::authority::Deed;

/// The views of Grants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tab {
    Matrix,
    List,
}

fn head(visit: &Visit, tab: Tab) -> impl IntoView + use<> {
    let links = visit.links();
    let here = |it: Tab| (it == tab).then_some("page");
    let may = visit.may(Deed::ChangeGrants);
    let new = links.new_grant(None, None);
    // What one does in the matrix is to tick and to review.
    let class = if tab == Tab::Matrix { "button" } else { "button primary" };
    view! {
        <PageHead
            title="Grants".into_any()
            lead="Who may use what: the keys of modules, and to whom they are given.".into_any()
        >
            {may.then(|| view! { <a class=class href=new><Icon name="key" />"Give a key"</a> })}
        </PageHead>
        <nav class="tabs" aria-label="Grants">
            <a href=links.grants() aria-current=here(Tab::Matrix)>"Matrix"</a>
            <a href=links.grant_list() aria-current=here(Tab::List)>"List"</a>
        </nav>
    }
}

/// What the kinds of grantees are called.
const fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Units => "Departments and teams",
        Kind::Roles => "Roles",
        Kind::People => "People",
        Kind::Agents => "Agents",
    }
}

/// One of that kind.
const fn kind_of_one(kind: Kind) -> &'static str {
    match kind {
        Kind::Units => "Unit",
        Kind::Roles => "Role",
        Kind::People => "Person",
        Kind::Agents => "Agent",
    }
}

const fn kind_icon(kind: Kind) -> &'static str {
    match kind {
        Kind::Units => "team",
        Kind::Roles => "key",
        Kind::People => "person",
        Kind::Agents => "agent",
    }
}

/// The name of a grantee in plain text: `Sales`, `role Admin`.
fn plain_name(grantee: Grantee, name: &str) -> String {
    match grantee {
        Grantee::Role(role) => format!("role {}", wording::role(role)),
        _ => text::one_line(name, 80),
    }
}

/// A grantee with the icon of its kind, as a link to its page.
fn whom(links: &Links, grantee: Grantee, name: &str) -> impl IntoView + use<> {
    let kind = Kind::of(grantee);
    let shown = match grantee {
        Grantee::Role(role) => view! { <bdi>{wording::role(role)}</bdi> }.into_any(),
        _ => text::name(name).into_any(),
    };
    view! {
        <a class="whom" href=links.grantee(grantee)>
            <Icon name=kind_icon(kind) />
            <span class="visually-hidden">{kind_of_one(kind)} " "</span>
            {shown}
        </a>
    }
}

/// The same with what tells it from others of that name.
fn whom_with_note(links: &Links, named: &Named) -> impl IntoView + use<> {
    let note = named.note.as_deref().map(|note| view! { " " <span class="note">{text::name(note)}</span> });
    let suspended = named.suspended.then(|| view! { " " <span class="note">"(suspended)"</span> });
    view! {
        {whom(links, named.grantee, &named.name)}
        {note}
        {suspended}
    }
}

/// An instant to the minute.
fn when(clock: Clock, at: Timestamp) -> impl IntoView + use<> {
    view! { <time datetime=wording::instant(at) title=clock.exact(at)>{clock.minute(at)}</time> }
}

/// Until when something holds.
fn until(clock: Clock, end: Option<Timestamp>) -> AnyView {
    match end {
        None => view! { <span class="absent">"No end"</span> }.into_any(),
        Some(end) if end <= clock.now => {
            view! { <span class="ended">"Ended " {when(clock, end)}</span> }.into_any()
        }
        Some(end) => when(clock, end).into_any(),
    }
}

/// `1 agent`, `1,204 agents`.
fn count(number: usize, one: &str, several: &str) -> String {
    let number = number as u64;
    format!("{} {}", wording::grouped(number), if number == 1 { one } else { several })
}

/// Earlier and later pages of something, both linked where they are there. `page` is 0 for the first one.
fn pages(
    label: &'static str,
    what: &str,
    page: u32,
    size: i64,
    total: i64,
    to: impl Fn(u32) -> String,
) -> Option<AnyView> {
    let first = i64::from(page) * size;
    if total == 0 && page > 0 {
        return Some(
            view! { <p><a href=to(0)>"Nothing is on this page: to the first one"</a></p> }.into_any(),
        );
    }
    if total <= size {
        return None;
    }
    let last = (first + size).min(total);
    let number = |n: i64| wording::grouped(n.unsigned_abs());
    let said = format!("{what} {} to {} of {}", number(first + 1), number(last), number(total));
    let previous = (page > 0).then(|| {
        view! { <a class="button" rel="prev" href=to(page.saturating_sub(1))><Icon name="previous" />"Previous"</a> }
    });
    let next = (last < total).then(|| {
        view! { <a class="button" rel="next" href=to(page.saturating_add(1))>"Next" <Icon name="next" /></a> }
    });
    Some(
        view! {
            <nav class="pages" aria-label=label>
                <span class="note">{said}</span>
                {previous}
                {next}
            </nav>
        }
        .into_any(),
    )
}

/// A date on which what is given ends, at the end of the day in the reader's zone.
fn end_field(form: &Form, clock: Clock, hint: &'static str) -> impl IntoView + use<> {
    let error = error_of(form.errors(), "until");
    let described = if error.is_some() { "until-error until-hint" } else { "until-hint" };
    let invalid = error.is_some().then_some("true");
    let value = text::one_line(form.value("until"), 40);
    let today = clock.now.with_timezone(&clock.zone).format("%Y-%m-%d").to_string();
    view! {
        <Field name="until" label="Ends on (optional)" error=error>
            <p class="hint" id="until-hint">{hint}</p>
            <input
                type="date"
                id="until"
                name="until"
                min=today
                value=value
                aria-describedby=described
                aria-invalid=invalid
            />
        </Field>
    }
}

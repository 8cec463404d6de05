//! How units, people and what they may do are said on these pages.

use control::people::{Node, Presence, RoleAt};
use leptos::prelude::*;
use model::people::{Role, Standing, UnitKind, UnitView};
use model::{Timestamp, UnitId, UserId};

use crate::document::Crumb;
use crate::icon::Icon;
use crate::links::Links;
use crate::pieces::sign::State;
use crate::text;
use crate::wording::{self, Clock, Sign, Tone};

/// A number with its noun: `1 person`, `1,200 people`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", wording::grouped(number), if number == 1 { one } else { many })
}

/// Department or team, as it is said.
pub const fn kind(kind: UnitKind) -> &'static str {
    match kind {
        UnitKind::Department => "Department",
        UnitKind::Team => "Team",
    }
}

/// What a role is for, in a few words.
pub const fn meaning(role: Role) -> &'static str {
    match role {
        Role::Owner => "Everything, and hand the organization over",
        Role::Admin => "Everything but what only an owner may do",
        Role::Auditor => "Read everything, change nothing",
        Role::Finance => "See what things cost, and who is here",
        Role::Approver => "Answer held calls",
        Role::Member => "Use their own agents",
    }
}

/// Roles to choose from, the least powerful first. Only owners make owners.
pub fn role_options(owners_too: bool) -> Vec<(String, String)> {
    Role::ALL
        .iter()
        .rev()
        .filter(|role| owners_too || **role != Role::Owner)
        .map(|role| (role.word().to_owned(), format!("{}: {}", wording::role(*role), meaning(*role))))
        .collect()
}

/// Units to choose from, each under the one above it.
pub fn unit_options(tree: &[Node]) -> Vec<(String, String)> {
    tree.iter()
        .map(|node| {
            (node.view.id.to_string(), format!("{}{}", "\u{2003}".repeat(node.depth), node.view.name))
        })
        .collect()
}

/// Whether somebody is here.
pub const fn presence(presence: Presence) -> Sign {
    match presence {
        Presence::Active => Sign { tone: Tone::Permit, icon: "check", word: "Active" },
        Presence::Suspended => Sign { tone: Tone::Deny, icon: "stop", word: "Suspended" },
        Presence::Removed => Sign { tone: Tone::Quiet, icon: "out", word: "Removed" },
    }
}

/// Whether an agent may act: it, and the person who answers for it.
pub const fn standing(standing: Standing, owner: Presence) -> Sign {
    match (standing, owner) {
        (Standing::Suspended, _) => Sign { tone: Tone::Deny, icon: "stop", word: "Suspended" },
        (Standing::Active, Presence::Active) => Sign { tone: Tone::Permit, icon: "check", word: "Active" },
        (Standing::Active, Presence::Suspended) => {
            Sign { tone: Tone::Deny, icon: "stop", word: "Owner suspended" }
        }
        (Standing::Active, Presence::Removed) => {
            Sign { tone: Tone::Deny, icon: "stop", word: "Owner removed" }
        }
    }
}

/// A unit's name that leads to it.
pub fn unit_link(links: &Links, (id, name): &(UnitId, String)) -> impl IntoView + use<> {
    view! { <a href=links.unit(*id)>{text::name(name)}</a> }
}

/// A person's name that leads to them.
pub fn person_link(links: &Links, (id, name): &(UserId, String)) -> impl IntoView + use<> {
    view! { <a href=links.user(*id)>{text::name(name)}</a> }
}

/// Roles as a list: each with its unit where it holds only there.
pub fn roles(links: &Links, roles: &[RoleAt]) -> AnyView {
    if roles.is_empty() {
        return view! { <span class="absent">"None"</span> }.into_any();
    }
    let said = roles
        .iter()
        .map(|held| {
            let place = held.unit.as_ref().map(|unit| view! { " on " {unit_link(links, unit)} });
            view! { <li>{wording::role(held.role)} {place}</li> }
        })
        .collect::<Vec<_>>();
    view! { <ul class="role-list">{said}</ul> }.into_any()
}

/// The steps from the place's front page down a line of units, each a link.
pub fn crumbs(links: &Links, path: &[UnitView]) -> Vec<Crumb> {
    std::iter::once(Crumb::to("People & Agents", links.people()))
        .chain(path.iter().map(|unit| Crumb::to(unit.name.clone(), links.unit(unit.id))))
        .collect()
}

/// The names of a line of units, each a link.
pub fn path(links: &Links, path: &[UnitView]) -> impl IntoView + use<> {
    path.iter()
        .enumerate()
        .map(|(at, unit)| {
            let between = (at > 0).then_some(" / ");
            view! { {between} <a href=links.unit(unit.id)>{text::name(&unit.name)}</a> }
        })
        .collect::<Vec<_>>()
}

/// Where one stands in a list of several pages.
pub fn pages(total: u64, page: u32, size: u32, what: &str, to: impl Fn(u32) -> String) -> AnyView {
    let (first, size) = (u64::from(page) * u64::from(size), u64::from(size));
    if total == 0 || (page == 0 && total <= size) {
        return ().into_any();
    }
    let last = total.min(first + size);
    let newer = (page > 0).then(|| {
        let href = to(page - 1);
        view! { <a class="button" href=href rel="prev"><Icon name="previous" />"Previous"</a> }
    });
    let older = (last < total).then(|| {
        let href = to(page + 1);
        view! { <a class="button" href=href rel="next">"Next"<Icon name="next" /></a> }
    });
    let said = format!(
        "{} to {} of {}",
        wording::grouped(first + 1),
        wording::grouped(last),
        wording::grouped(total)
    );
    view! {
        <nav class="pages" aria-label=format!("Pages of the list of {what}")>
            <span class="note">{said}</span>
            {newer}
            {older}
        </nav>
    }
    .into_any()
}

/// A state beside a name where it is not the usual one.
pub fn unless_active(here: Presence) -> Option<impl IntoView> {
    (here != Presence::Active).then(|| view! { <State sign=presence(here) /> })
}

/// An instant to the minute, in the reader's zone; exact in its tooltip.
pub fn when(at: Timestamp, clock: Clock) -> impl IntoView {
    view! { <time datetime=wording::instant(at) title=clock.exact(at)>{clock.minute(at)}</time> }
}

/// The day of an instant, in the reader's zone; exact in its tooltip.
pub fn day(at: Timestamp, clock: Clock) -> impl IntoView {
    view! { <time datetime=wording::instant(at) title=clock.exact(at)>{clock.day(at)}</time> }
}

//! One key and one who may or may not have it: from where, since when and until when, and what can be done about it.

use control::authority::Deed;
use control::grants::change::{Change, Give, Revoke};
use control::grants::matrix::{Given, OneCell};
use leptos::prelude::*;
use model::access::{Grantee, PermissionKey};
use model::catalog::{ModuleStanding, ToolStanding};

use super::query::Asked;
use super::{count, end_field, plain_name, until, when, whom};
use crate::document::{self, Crumb, Visit};
use crate::links::grants::item;
use crate::links::{Links, Place};
use crate::pieces::form::{Form, hidden};
use crate::pieces::head::PageHead;
use crate::{text, wording};

/// The page.
pub fn page(visit: &Visit, one: OneCell) -> String {
    let name = plain_name(one.column.grantee, &one.column.name);
    let title = format!("{} for {name}", one.row.key);
    let crumbs = vec![Crumb::to("Grants", visit.links().grants()), Crumb::here(title.clone())];
    document::page(visit, Place::Grants, &title, crumbs, false, || {
        let heading = view! { {text::code(one.row.key.as_str())} " for " {text::name(&name)} };
        view! {
            <PageHead title=heading.into_any() lead=state(visit, &one) />
            {sources(visit, &one)}
            {visit.may(Deed::ChangeGrants).then(|| change(visit, &one))}
            {tools(&visit.links(), &one)}
        }
    })
}

/// In a sentence, whether it is held.
fn state(visit: &Visit, one: &OneCell) -> AnyView {
    let now = visit.site.now;
    let name = match one.column.grantee {
        Grantee::Role(role) => format!("The role {}", wording::role(role)),
        _ => one.column.name.clone(),
    };
    let (name, key) = (text::name(&name), text::code(one.row.key.as_str()));
    let reach = match one.column.grantee {
        Grantee::Unit(_) | Grantee::Role(_) => {
            let number = |count: i64| usize::try_from(count).unwrap_or(0);
            let people = count(number(one.reach.people), "person", "people");
            let agents = match one.column.grantee {
                Grantee::Unit(_) => format!(" and {}", count(number(one.reach.agents), "agent", "agents")),
                _ => String::new(),
            };
            let who = if matches!(one.column.grantee, Grantee::Role(_)) { "The role" } else { "The unit" };
            format!(" {who} has {people}{agents}.")
        }
        _ => String::new(),
    };
    match (one.cell.given(now), one.cell.inherited.is_empty(), &one.cell.own) {
        (true, ..) => view! { {name} " has " {key} ": it was given here." {reach} }.into_any(),
        (_, false, _) => view! { {name} " has " {key} " from elsewhere." {reach} }.into_any(),
        (_, _, Some(_)) => view! { {name} " has " {key} " no more: the grant has ended." {reach} }.into_any(),
        _ => view! { {name} " does not have " {key} "." {reach} }.into_any(),
    }
}

/// Each grant that it rests on, and the one that has ended.
fn sources(visit: &Visit, one: &OneCell) -> Option<AnyView> {
    let (links, clock) = (visit.links(), visit.clock());
    let may = visit.may(Deed::ChangeGrants);
    let line = |key: &PermissionKey, grantee: Grantee, name: &str, given: &Given| {
        let revoke = Change { gives: vec![], revokes: vec![Revoke { key: key.clone(), grantee }] };
        let back = links.grant_cell(&one.row.key, one.column.grantee);
        let revoke = may.then(|| {
            let said = format!("Revoke {key} from {}", plain_name(grantee, name));
            let href = links.review_of(&Asked::of(revoke, back).to_query());
            view! { <a class="button" href=href aria-label=said>"Revoke…"</a> }
        });
        view! {
            <tr>
                <th scope="row">{text::code(key.as_str())}</th>
                <td data-label="Given to">{whom(&links, grantee, name)}</td>
                <td data-label="By">{text::name(&given.given_by)}</td>
                <td data-label="On">{when(clock, given.given_at)}</td>
                <td data-label="Ends">{until(clock, given.expires_at)}</td>
                <td class="do">{revoke}</td>
            </tr>
        }
        .into_any()
    };
    let own = one.cell.own.as_ref().map(|own| line(&one.row.key, one.column.grantee, &one.column.name, own));
    let others = one.cell.inherited.iter().map(|it| line(&it.key, it.grantee, &it.name, &it.given));
    let lines: Vec<AnyView> = own.into_iter().chain(others).collect();
    (!lines.is_empty()).then(|| {
        view! {
            <section class="grant-part">
                <h2>"Where it comes from"</h2>
                <div class="scroll" tabindex="0" role="region" aria-label="Where it comes from">
                    <table class="grants-table grants-list">
                        <caption class="visually-hidden">"The grants that it rests on, the nearest first"</caption>
                        <thead>
                            <tr>
                                <th scope="col">"Key"</th>
                                <th scope="col">"Given to"</th>
                                <th scope="col">"By"</th>
                                <th scope="col">"On"</th>
                                <th scope="col">"Ends"</th>
                                <th scope="col"><span class="visually-hidden">"What to do"</span></th>
                            </tr>
                        </thead>
                        <tbody>{lines}</tbody>
                    </table>
                </div>
            </section>
        }
        .into_any()
    })
}

/// Giving it here, or giving it another end.
fn change(visit: &Visit, one: &OneCell) -> AnyView {
    let (links, clock) = (visit.links(), visit.clock());
    let given = one.cell.given(clock.now);
    let back = links.grant_cell(&one.row.key, one.column.grantee);
    let (title, hint) = if given {
        ("Change its end", "The last day on which it holds. Empty: until somebody revokes it.")
    } else {
        ("Give it here", "The last day on which it holds. Empty: until somebody revokes it.")
    };
    let for_ever = (given && one.cell.own.as_ref().is_some_and(|own| own.expires_at.is_some())).then(|| {
        let give = Give { key: one.row.key.clone(), grantee: one.column.grantee, until: None };
        let asked = Asked::of(Change { gives: vec![give], revokes: vec![] }, back.clone());
        view! { <a class="button" href=links.review_of(&asked.to_query())>"Take the end away…"</a> }
    });
    view! {
        <section class="grant-part">
            <h2>{title}</h2>
            <form class="sheet" method="get" action=links.review_grants()>
                {hidden("give", item(&one.row.key, one.column.grantee))}
                {hidden("back", back)}
                {end_field(&Form::default(), clock, hint)}
                <div class="form-actions">
                    <button type="submit" class="button primary">
                        "Review the change"
                    </button>
                    {for_ever}
                </div>
            </form>
        </section>
    }
    .into_any()
}

/// What the key opens.
fn tools(links: &Links, one: &OneCell) -> AnyView {
    let off = (one.module_standing == ModuleStanding::Off).then(|| {
        view! { <p class="note">"The module is switched off, so that none of them takes calls at present."</p> }
    });
    let module = view! { <a href=links.module(&one.module_name)>{text::name(&one.module_title)}</a> };
    if one.row.tools.is_empty() {
        return view! {
            <section class="grant-part">
                <h2>"What it opens"</h2>
                <p>"No tool of " {module} " asks for it at present."</p>
            </section>
        }
        .into_any();
    }
    let list = one
        .row
        .tools
        .iter()
        .map(|tool| {
            let standing = match tool.standing {
                ToolStanding::Approved => None,
                ToolStanding::Proposed => Some("not approved yet"),
                ToolStanding::Drifted => Some("frozen: it has changed"),
                ToolStanding::Withdrawn => Some("withdrawn"),
            };
            view! {
                <li>
                    <a href=links.tool(&one.module_name, &tool.name)>{text::code(&tool.name)}</a>
                    {standing.map(|said| view! { " " <span class="note">{said}</span> })}
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="grant-part">
            <h2>"What it opens"</h2>
            <p class="note">{count(one.row.tools.len(), "tool", "tools")} " of " {module}</p>
            {off}
            <ul class="tool-names">{list}</ul>
        </section>
    }
    .into_any()
}

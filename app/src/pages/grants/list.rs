//! Grants as a list: to whom, which key, by whom and until when.

use control::authority::Deed;
use control::grants::GrantLine;
use control::grants::change::{Change, Revoke};
use control::grants::listing::{Ends, PAGE};
use control::grants::pick::{Found, Kind};
use leptos::prelude::*;

use super::query::{Asked, ListQuery};
use super::{Tab, head, kind_word, pages, plain_name, until, when, whom};
use crate::document::{self, Crumb, Visit};
use crate::links::{Links, Place, grants::grantee_pair};
use crate::pieces::form::hidden;
use crate::text;

/// The page. `only` is the name of the one whose grants are listed, if it is one.
pub fn page(visit: &Visit, query: ListQuery, found: Found<GrantLine>, only: Option<String>) -> String {
    let crumbs = vec![Crumb::to("Grants", visit.links().grants()), Crumb::here("List")];
    document::page(visit, Place::Grants, "List of grants", crumbs, false, || {
        let links = visit.links();
        let content =
            if found.rows.is_empty() { nothing(&links, &query) } else { table(visit, &query, &found) };
        let only = query.grantee.zip(only).map(|(grantee, name)| {
            let all = ListQuery { grantee: None, page: 0, ..query.clone() };
            view! {
                <p class="only">
                    "Given to " {whom(&links, grantee, &name)} " itself. "
                    <a href=links.grant_list_with(&all.to_query())>"Show everybody’s"</a>
                </p>
            }
        });
        view! {
            {head(visit, Tab::List)}
            {filters(&links, &query)}
            {only}
            {content}
        }
    })
}

const fn ends_word(ends: Ends) -> &'static str {
    match ends {
        Ends::Any => "Any time, or never",
        Ends::Week => "In the next 7 days",
        Ends::Month => "In the next 30 days",
        Ends::Over => "Ended already",
        Ends::Never => "Never",
    }
}

fn filters(links: &Links, query: &ListQuery) -> impl IntoView + use<> {
    let kinds = Kind::ALL
        .iter()
        .map(|kind| view! { <option value=kind.word() selected={query.kind == Some(*kind)}>{kind_word(*kind)}</option> })
        .collect::<Vec<_>>();
    let ends = Ends::ALL
        .iter()
        .map(|ends| view! { <option value=ends.word() selected={query.ends == *ends}>{ends_word(*ends)}</option> })
        .collect::<Vec<_>>();
    let grantee = query.grantee.map(|grantee| {
        let (name, value) = grantee_pair(grantee);
        hidden(name, value)
    });
    let clear = query.filters().then(|| links.grant_list());
    view! {
        <form class="filters grants-filters" method="get" action=links.grant_list() role="search" aria-label="Filter the grants">
            <div class="field">
                <label for="q">"Key or name contains"</label>
                <input type="search" id="q" name="q" maxlength="100" autocomplete="off" value=query.text.clone() />
            </div>
            <div class="field">
                <label for="kind">"Given to"</label>
                <select id="kind" name="kind">
                    <option value="">"Anybody"</option>
                    {kinds}
                </select>
            </div>
            <div class="field">
                <label for="ends">"Ends"</label>
                <select id="ends" name="ends">
                    {ends}
                </select>
            </div>
            {grantee}
            <div class="filter-actions">
                <button type="submit" class="button">
                    "Apply"
                </button>
                {clear.map(|href| view! { <a class="button plain" href=href>"Clear"</a> })}
            </div>
        </form>
    }
}

fn nothing(links: &Links, query: &ListQuery) -> AnyView {
    if query.filters() || query.page > 0 {
        return view! {
            <section class="empty">
                <h2>"No grant matches"</h2>
                <p>
                    <a class="button" href=links.grant_list()>
                        "Clear the filters"
                    </a>
                </p>
            </section>
        }
        .into_any();
    }
    view! {
        <section class="empty">
            <h2>"Nothing has been given yet"</h2>
            <p>
                "A grant gives a permission key to a department, a team, a role, a person or an agent. Without one, nobody's "
                "agent may use a tool."
            </p>
            <p>
                <a class="button primary" href=links.grants()>
                    "Open the matrix"
                </a>
            </p>
        </section>
    }
    .into_any()
}

fn table(visit: &Visit, query: &ListQuery, found: &Found<GrantLine>) -> AnyView {
    let (links, clock, may) = (visit.links(), visit.clock(), visit.may(Deed::ChangeGrants));
    let back = links.grant_list_with(&query.to_query());
    let rows = found
        .rows
        .iter()
        .map(|line| {
            let (key, grantee) = (&line.view.key, line.view.grantee);
            let revoke = may.then(|| {
                let revoke = Change { gives: vec![], revokes: vec![Revoke { key: key.clone(), grantee }] };
                let href = links.review_of(&Asked::of(revoke, back.clone()).to_query());
                let said = format!("Revoke {key} from {}", plain_name(grantee, &line.grantee_name));
                view! { <a class="button" href=href aria-label=said>"Revoke…"</a> }
            });
            view! {
                <tr>
                    <th scope="row" data-label="Given to">{whom(&links, grantee, &line.grantee_name)}</th>
                    <td data-label="Key"><a href=links.grant_cell(key, grantee)>{text::code(key.as_str())}</a></td>
                    <td data-label="Ends">{until(clock, line.view.expires_at)}</td>
                    <td data-label="Given by">{text::name(&line.given_by)}</td>
                    <td data-label="On">{when(clock, line.given_at)}</td>
                    <td class="do">{revoke}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    let caption = match query.ends {
        Ends::Week | Ends::Month | Ends::Over => "Grants, the one that ends first at the top",
        Ends::Any | Ends::Never => "Grants, by whom they are given to",
    };
    let turn = pages("Pages of the list", "Grants", query.page, PAGE, found.total, |page| {
        links.grant_list_with(&ListQuery { page, ..query.clone() }.to_query())
    });
    view! {
        <table class="grants-table grants-list">
            <caption class="visually-hidden">{caption}</caption>
            <thead>
                <tr>
                    <th scope="col">"Given to"</th>
                    <th scope="col">"Key"</th>
                    <th scope="col">"Ends"</th>
                    <th scope="col">"Given by"</th>
                    <th scope="col">"On"</th>
                    <th scope="col"><span class="visually-hidden">"What to do"</span></th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
        {turn}
    }
    .into_any()
}

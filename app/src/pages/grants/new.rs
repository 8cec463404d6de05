//! Giving one key to one grantee: what is not known yet is asked for, first the key, then to whom.

use control::grants::pick::{Found, KeyChoice, Kind, Named};
use leptos::prelude::*;
use model::access::{Grantee, PermissionKey};

use super::query::NewQuery;
use super::{end_field, kind_icon, kind_word, pages, plain_name};
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::Place;
use crate::links::grants::{grantee_pair, item};
use crate::pieces::form::{Form, hidden};
use crate::pieces::head::PageHead;
use crate::{text, wording};

/// Choices on a page.
const PAGE: i64 = 50;

/// What is asked for next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Which key. With the one to whom it is given, if that is known.
    Key(Found<KeyChoice>, Option<Named>),
    /// To whom.
    Whom(PermissionKey, Found<Named>),
    /// Until when.
    End(PermissionKey, Named),
}

/// The page. `back` is where to go on to afterwards.
pub fn page(visit: &Visit, query: NewQuery, step: Step, back: String) -> String {
    let crumbs = vec![Crumb::to("Grants", visit.links().grants()), Crumb::here("Give a key")];
    document::page(visit, Place::Grants, "Give a key", crumbs, false, || {
        let lead = match &step {
            Step::Key(_, Some(named)) => {
                let name = plain_name(named.grantee, &named.name);
                view! { "Which key is " {text::name(&name)} " to have?" }.into_any()
            }
            Step::Key(_, None) => "Which key is to be given?".into_any(),
            Step::Whom(key, _) => view! { "Who is to have " {text::code(key.as_str())} "?" }.into_any(),
            Step::End(key, named) => {
                let name = plain_name(named.grantee, &named.name);
                view! { {text::code(key.as_str())} " for " {text::name(&name)} ". You see what it comes to before anything changes." }
                    .into_any()
            }
        };
        let content = match step {
            Step::Key(found, _) => keys(visit, &query, found),
            Step::Whom(_, found) => grantees(visit, &query, found),
            Step::End(key, named) => end(visit, &key, named.grantee, back),
        };
        view! {
            <PageHead title="Give a key".into_any() lead=lead />
            {content}
        }
    })
}

fn search(visit: &Visit, query: &NewQuery, label: &'static str) -> AnyView {
    let key = query.key.as_ref().map(|key| hidden("key", key.to_string()));
    let grantee = query.grantee.map(|grantee| {
        let (name, value) = grantee_pair(grantee);
        hidden(name, value)
    });
    let kind = (query.kind != Kind::Units).then(|| hidden("kind", query.kind.word()));
    view! {
        <form class="filters grants-filters" method="get" action=visit.links().new_grant(None, None) role="search">
            <div class="field">
                <label for="q">{label}</label>
                <input type="search" id="q" name="q" maxlength="100" autocomplete="off" value=query.text.clone() />
            </div>
            {key}
            {grantee}
            {kind}
            <div class="filter-actions">
                <button type="submit" class="button">
                    "Search"
                </button>
            </div>
        </form>
    }
    .into_any()
}

fn turn<T>(visit: &Visit, query: &NewQuery, found: &Found<T>) -> Option<AnyView> {
    let links = visit.links();
    pages("Pages of choices", "Choices", query.page, PAGE, found.total, |page| {
        let base = links.new_grant(None, None);
        format!("{base}?{}", NewQuery { page, ..query.clone() }.to_query())
    })
}

fn none() -> AnyView {
    view! { <p class="absent">"Nothing matches. Look for another part of the name."</p> }.into_any()
}

fn keys(visit: &Visit, query: &NewQuery, found: Found<KeyChoice>) -> AnyView {
    let links = visit.links();
    let rows = found
        .rows
        .iter()
        .map(|choice| {
            let href = links.new_grant(Some(&choice.key), query.grantee);
            let wide = (choice.key.as_str() == choice.key.module()).then_some("the whole module");
            view! {
                <li>
                    <a href=href>{text::code(choice.key.as_str())}</a>
                    <span class="note">{text::name(&choice.module)} ": " {wide.map_or_else(|| text::name(&choice.title).into_any(), |it| it.into_any())}</span>
                </li>
            }
        })
        .collect::<Vec<_>>();
    let empty = rows.is_empty().then(none);
    view! {
        {search(visit, query, "Key or module contains")}
        <ul class="grant-choices">{rows}</ul>
        {empty}
        {turn(visit, query, &found)}
    }
    .into_any()
}

fn grantees(visit: &Visit, query: &NewQuery, found: Found<Named>) -> AnyView {
    let links = visit.links();
    let base = links.new_grant(None, None);
    let tabs = Kind::ALL
        .iter()
        .map(|kind| {
            let there = NewQuery { kind: *kind, page: 0, ..query.clone() };
            let here = (*kind == query.kind).then_some("page");
            view! { <a href=format!("{base}?{}", there.to_query()) aria-current=here>{kind_word(*kind)}</a> }
        })
        .collect::<Vec<_>>();
    let rows = found
        .rows
        .iter()
        .map(|named| {
            let href = links.new_grant(query.key.as_ref(), Some(named.grantee));
            let shown = match named.grantee {
                Grantee::Role(role) => wording::role(role).into_any(),
                _ => text::name(&named.name).into_any(),
            };
            let note =
                named.note.as_deref().map(|note| view! { <span class="note">{text::name(note)}</span> });
            view! {
                <li>
                    <a href=href>
                        <Icon name=kind_icon(query.kind) />
                        {shown}
                    </a>
                    {note}
                </li>
            }
        })
        .collect::<Vec<_>>();
    let empty = rows.is_empty().then(none);
    view! {
        <nav class="tabs" aria-label="To whom">
            {tabs}
        </nav>
        {search(visit, query, "Name contains")}
        <ul class="grant-choices">{rows}</ul>
        {empty}
        {turn(visit, query, &found)}
    }
    .into_any()
}

fn end(visit: &Visit, key: &PermissionKey, grantee: Grantee, back: String) -> AnyView {
    let links = visit.links();
    let back = if back.is_empty() { links.grants_of(grantee) } else { back };
    view! {
        <form class="sheet" method="get" action=links.review_grants()>
            {hidden("give", item(key, grantee))}
            {hidden("back", back)}
            {end_field(&Form::default(), visit.clock(), "The last day on which it holds. Empty: until somebody revokes it.")}
            <div class="form-actions">
                <button type="submit" class="button primary">
                    "Review the change"
                </button>
            </div>
        </form>
    }
    .into_any()
}

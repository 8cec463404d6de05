//! What calls cost: everybody's, and one's own.

use app::data;
use app::pages::money::query::{self, Read};
use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use control::money::Whose;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use super::Dashboard;
use super::refusal::Refusal;
use super::routes::Routes;
use super::session::{self, Person};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/t/{tenant}/money", money)
        .get("/t/{tenant}/money/file", money_file)
        .get("/t/{tenant}/usage", usage)
        .get("/t/{tenant}/usage/file", usage_file)
}

async fn money(
    State(dashboard): State<Dashboard>,
    person: Person,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    page(&dashboard, &person, Whose::Everybodys, query).await
}

async fn usage(
    State(dashboard): State<Dashboard>,
    person: Person,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    page(&dashboard, &person, Whose::Mine, query).await
}

async fn money_file(
    State(dashboard): State<Dashboard>,
    person: Person,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    file(&dashboard, &person, Whose::Everybodys, "money.csv", query).await
}

async fn usage_file(
    State(dashboard): State<Dashboard>,
    person: Person,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    file(&dashboard, &person, Whose::Mine, "usage.csv", query).await
}

/// What a form leaves empty is dropped from the address by one redirect, so that it can be read and passed on.
async fn page(
    dashboard: &Dashboard,
    person: &Person,
    whose: Whose,
    query: Option<String>,
) -> Result<Response, Refusal> {
    let query = query.unwrap_or_default();
    let read = query::read(&query, whose);
    let short = read.query.to_query();
    let wrong = !read.errors.is_empty();
    if whose == Whose::Everybodys && !control::money::may_read(&person.actor) {
        return Err(Refusal::NotFound);
    }
    if !wrong && short != query {
        let to = match whose {
            Whose::Everybodys => person.links.money_with(&short),
            Whose::Mine => person.links.usage_with(&short),
        };
        return Ok(Redirect::to(&to).into_response());
    }
    let status = if wrong { session::AGAIN } else { http::StatusCode::OK };
    let page = data::money::page(&dashboard.control, &person.actor, &person.visit, whose, read).await?;
    Ok((status, Html(page)).into_response())
}

async fn file(
    dashboard: &Dashboard,
    person: &Person,
    whose: Whose,
    name: &str,
    query: Option<String>,
) -> Result<Response, Refusal> {
    let Read { query, errors } = query::read(&query.unwrap_or_default(), whose);
    if whose == Whose::Everybodys && !control::money::may_read(&person.actor) {
        return Err(Refusal::NotFound);
    }
    if !errors.is_empty() {
        return Err(Refusal::Unreadable);
    }
    let csv = data::money::csv(&dashboard.control, &person.actor, &person.visit, whose, &query).await?;
    let disposition = format!("attachment; filename=\"{name}\"");
    let heads = [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, disposition)];
    Ok((heads, csv).into_response())
}

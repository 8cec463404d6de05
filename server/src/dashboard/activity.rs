//! Calls: the list, one of them, and requests that never became one.

use app::data;
use app::pages::filter;
use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use model::CallId;
use serde::Deserialize;

use super::refusal::Refusal;
use super::routes::Routes;
use super::session::{self, Person};
use super::{Dashboard, live};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/t/{tenant}/activity", activity)
        .get("/t/{tenant}/activity/live", live::live)
        .get("/t/{tenant}/activity/rejected", rejected)
        .get("/t/{tenant}/activity/{call}", call)
}

/// Calls, filtered. Empty fields of the form are dropped from the address by one redirect, so that it can be read and
/// passed on.
async fn activity(
    State(dashboard): State<Dashboard>,
    person: Person,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = query.unwrap_or_default();
    let read = filter::read(&query);
    let short = read.query.to_query();
    if read.errors.is_empty() && short != query {
        return Ok(Redirect::to(&person.links.activity_with(&short)).into_response());
    }
    let status = if read.errors.is_empty() { http::StatusCode::OK } else { session::AGAIN };
    let page = data::activity::activity(&dashboard.control, &person.actor, &person.visit, read).await?;
    Ok((status, Html(page)).into_response())
}

#[derive(Deserialize)]
struct OneCall {
    call: String,
}

/// One call.
async fn call(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneCall { call }): Path<OneCall>,
) -> Result<Html<String>, Refusal> {
    let id: CallId = call.parse().map_err(|_| Refusal::NotFound)?;
    let page = data::activity::call(&dashboard.control, &person.actor, &person.visit, id).await?;
    page.map(Html).ok_or(Refusal::NotFound)
}

/// Requests that never became calls.
async fn rejected(State(dashboard): State<Dashboard>, person: Person) -> Result<Html<String>, Refusal> {
    Ok(Html(data::activity::rejected(&dashboard.control, &person.actor, &person.visit).await?))
}

//! The pages' handlers: who asks, for what, and the answer.

use app::data;
use app::links::{self, Links};
use app::pages::filter;
use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use model::CallId;
use serde::Deserialize;
use tower_sessions::Session;

use super::Dashboard;
use super::refusal::Refusal;
use super::session::{self, Person};

/// `/`: to one's own organization, or to sign in.
pub(super) async fn start(State(dashboard): State<Dashboard>, session: Session) -> Result<Redirect, Refusal> {
    let place = own_place(&dashboard, &session).await?;
    Ok(Redirect::to(place.as_deref().unwrap_or(links::SIGN_IN)))
}

/// Where a signed-in person belongs; none if nobody is signed in, or they may not act any more.
pub(super) async fn own_place(dashboard: &Dashboard, session: &Session) -> Result<Option<String>, Refusal> {
    let control = &dashboard.control;
    let Some(who) = session::who(session, control.ambient().now()).await? else { return Ok(None) };
    if control::sign_in::actor(control, who.tenant, who.user).await?.is_none() {
        return Ok(None);
    }
    Ok(Some(Links::of(who.slug).activity()))
}

/// `/t/{tenant}`: Activity, until there is a front page.
pub(super) async fn home(person: Person) -> Redirect {
    Redirect::to(&person.links.activity())
}

/// Calls, filtered. Empty fields of the form are dropped from the address by one redirect, so that it can be read and
/// passed on.
pub(super) async fn activity(
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
    let page = data::activity(&dashboard.control, &person.actor, &person.visit, read).await?;
    Ok((status, Html(page)).into_response())
}

#[derive(Deserialize)]
pub(super) struct OneCall {
    call: String,
}

/// One call.
pub(super) async fn call(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneCall { call }): Path<OneCall>,
) -> Result<Html<String>, Refusal> {
    let id: CallId = call.parse().map_err(|_| Refusal::NotFound)?;
    let page = data::call(&dashboard.control, &person.actor, &person.visit, id).await?;
    page.map(Html).ok_or(Refusal::NotFound)
}

/// Requests that never became calls.
pub(super) async fn rejected(
    State(dashboard): State<Dashboard>,
    person: Person,
) -> Result<Html<String>, Refusal> {
    Ok(Html(data::rejected(&dashboard.control, &person.actor, &person.visit).await?))
}

/// Everything else.
pub(super) async fn nowhere() -> Refusal {
    Refusal::NotFound
}

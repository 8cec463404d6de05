//! Calls: the list, one of them, sessions, files, saved filters, and requests that never became a call.

use app::data;
use app::data::activity::Beside;
use app::document::Notice;
use app::pages::filter;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use control::activity::saved::NewFilter;
use futures::TryStreamExt as _;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use model::{CallId, SavedFilterId};
use serde::Deserialize;

use super::form::{self, Typed};
use super::refusal::Refusal;
use super::routes::Routes;
use super::session::{self, Person};
use super::{Dashboard, live};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/t/{tenant}/activity", activity)
        .get("/t/{tenant}/activity/live", live::live)
        .get("/t/{tenant}/activity/export.csv", export)
        .get("/t/{tenant}/activity/rejected", rejected)
        .post("/t/{tenant}/activity/filters", save_filter)
        .post("/t/{tenant}/activity/filters/{filter}/delete", delete_filter)
        .get("/t/{tenant}/activity/sessions/{session}", one_session)
        .get("/t/{tenant}/activity/{call}", call)
}

/// Calls, filtered. Empty fields of the form are dropped from the address by one redirect, so that it can be read and
/// passed on; and whoever was named by a text stands in it by their id.
async fn activity(
    State(dashboard): State<Dashboard>,
    person: Person,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = query.unwrap_or_default();
    let mut read = filter::read(&query, person.visit.site.zone);
    let mut beside = Beside::default();
    if read.errors.is_empty()
        && let Some(who) = asked_for(&query)
    {
        match data::activity::whose(&dashboard.control, &person.actor, read.query.person, &who).await? {
            Ok(user) => read.query.person = user,
            Err(wrong) => {
                read.errors.push(wrong);
                beside.who = who;
            }
        }
    }
    let short = read.query.to_query();
    if read.errors.is_empty() && short != query {
        return Ok(Redirect::to(&person.links.activity_with(&short)).into_response());
    }
    let status = if read.errors.is_empty() { http::StatusCode::OK } else { session::AGAIN };
    let page =
        data::activity::activity(&dashboard.control, &person.actor, &person.visit, read, beside).await?;
    Ok((status, Html(page)).into_response())
}

/// What stands where a person is named: nothing, when that was emptied; none, when there was no such field.
fn asked_for(query: &str) -> Option<String> {
    let (_, who) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "who")?;
    Some(who.trim().chars().take(120).collect())
}

/// The calls of a filter as a file, a page at a time: whoever stops taking it stops it.
async fn export(
    State(dashboard): State<Dashboard>,
    person: Person,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let read = filter::read(query.as_deref().unwrap_or_default(), person.visit.site.zone);
    if !read.errors.is_empty() {
        return Err(Refusal::Unreadable);
    }
    let now = person.visit.site.now;
    let lines = data::activity::export(&dashboard.control, &person.actor, &read.query, now);
    let name =
        format!("attachment; filename=\"calls-{}-{}.csv\"", person.visit.slug, now.format("%Y-%m-%d-%H%M"));
    let headers = [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, name)];
    // What goes wrong on the way breaks the connection off, so that nobody takes a part for the whole.
    Ok((headers, Body::from_stream(lines.map_err(std::io::Error::other))).into_response())
}

/// Keeps the filter that the list shows.
async fn save_filter(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    let read = filter::read(typed.text("query"), person.visit.site.zone);
    let query = read.query.at(filter::Cursor::Newest).to_query();
    let new = NewFilter {
        name: typed.text("name").to_owned(),
        query: query.clone(),
        shared: typed.ticked("shared"),
    };
    let name = new.name.trim().to_owned();
    match data::activity::save(&dashboard.control, &person.actor, new).await {
        Ok(_) => {
            let to = person.links.activity_with(&query);
            form::done(&person, Notice::new(format!("The filter “{name}” was saved.")), &to).await
        }
        Err(error) => {
            let beside = Beside { saving: typed.wrong(form::errors(error)?), ..Beside::default() };
            let page = data::activity::activity(
                &dashboard.control,
                &person.actor,
                &person.visit,
                filter::Read { errors: Vec::new(), ..read },
                beside,
            );
            Ok(form::again(page.await?))
        }
    }
}

#[derive(Deserialize)]
struct OneFilter {
    filter: String,
}

/// Forgets a filter.
async fn delete_filter(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneFilter { filter }): Path<OneFilter>,
) -> Result<Response, Refusal> {
    let filter: SavedFilterId = filter.parse().map_err(|_| Refusal::NotFound)?;
    let name = control::activity::saved::delete(&dashboard.control, &person.actor, filter).await?;
    let notice = Notice::new(format!("The filter “{name}” was deleted."));
    form::done(&person, notice, &person.links.activity()).await
}

#[derive(Deserialize)]
struct OneSession {
    session: String,
}

/// All calls of a protocol session.
async fn one_session(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneSession { session }): Path<OneSession>,
    typed: Typed,
) -> Result<Html<String>, Refusal> {
    let after: Option<CallId> = match typed.maybe("after") {
        Some(call) => Some(call.parse().map_err(|_| Refusal::NotFound)?),
        None => None,
    };
    let page =
        data::activity::session(&dashboard.control, &person.actor, &person.visit, &session, after).await?;
    page.map(Html).ok_or(Refusal::NotFound)
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

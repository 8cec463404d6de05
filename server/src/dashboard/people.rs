//! Units, people, invitations, one's own account.

mod invitations;
mod join;
mod me;
mod units;
mod users;

use std::str::FromStr;

use app::data;
use app::pages::people::list::Query;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use model::UserId;
use serde::Deserialize;

use super::Dashboard;
use super::form::Typed;
use super::refusal::Refusal;
use super::routes::Routes;
use super::session::Person;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/t/{tenant}/people", front)
        .and(units::routes())
        .and(users::routes())
        .and(invitations::routes())
        .and(me::routes())
        .and(join::routes())
}

/// The front page. What an address says in vain is dropped from it by one redirect, so that it can be read and passed on.
async fn front(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    let query = Query::read(|name| typed.text(name));
    let short = query.to_query();
    if !typed.is_query(&short) {
        return Ok(Redirect::to(&person.links.people_with(&short)).into_response());
    }
    let page = data::people::front(&dashboard.control, &person.actor, &person.visit, &query).await?;
    Ok(Html(page).into_response())
}

/// The person whom a path names.
#[derive(Deserialize)]
pub(super) struct OneUser {
    user: String,
}

impl OneUser {
    pub(super) fn id(&self) -> Result<UserId, Refusal> {
        id(&self.user)
    }
}

/// An id in a path. What is none leads nowhere.
fn id<T: FromStr>(text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|_| Refusal::NotFound)
}

//! The front page, and search.

use axum::response::Redirect;

use super::routes::Routes;
use super::session::Person;

pub(super) fn routes() -> Routes {
    Routes::new().get("/t/{tenant}", home)
}

/// `/t/{tenant}`: Activity, until there is a front page.
async fn home(person: Person) -> Redirect {
    Redirect::to(&person.links.activity())
}

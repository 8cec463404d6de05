//! Search, as a page and as the palette's fragment.

use app::data;
use axum::extract::State;
use axum::response::Html;

use super::Dashboard;
use super::form::Typed;
use super::refusal::Refusal;
use super::routes::Routes;
use super::session::Person;

pub(super) fn routes() -> Routes {
    Routes::new().get("/t/{tenant}/find", find).get("/t/{tenant}/find/palette", palette)
}

/// `GET /t/{tenant}/find?q=…`
async fn find(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Html<String>, Refusal> {
    let page = data::find::page(&dashboard.control, &person.actor, &person.visit, typed.text("q")).await?;
    Ok(Html(page))
}

/// `GET /t/{tenant}/find/palette?q=…`: options of a list box.
async fn palette(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Html<String>, Refusal> {
    let asked = typed.text("q");
    Ok(Html(data::find::fragment(&dashboard.control, &person.actor, &person.visit, asked).await?))
}

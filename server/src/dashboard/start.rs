//! The way in: from `/` to one's own organization. And the way out of an address where nothing is.

use app::links::{self, Links};
use axum::extract::State;
use axum::response::Redirect;
use tower_sessions::Session;

use super::Dashboard;
use super::refusal::Refusal;
use super::session;

/// `/`: to one's own organization, or to sign in.
pub(super) async fn start(State(dashboard): State<Dashboard>, session: Session) -> Result<Redirect, Refusal> {
    let place = own_place(&dashboard, &session).await?;
    Ok(Redirect::to(place.as_deref().unwrap_or(links::SIGN_IN)))
}

/// Where a signed-in person belongs; none if nobody is signed in, or they may not act any more.
pub(super) async fn own_place(dashboard: &Dashboard, session: &Session) -> Result<Option<String>, Refusal> {
    let control = &dashboard.control;
    let Some(who) = session::who(session, control.ambient().now()).await? else { return Ok(None) };
    if control::sign_in::holder(control, &who).await?.is_none() {
        return Ok(None);
    }
    Ok(Some(Links::of(who.slug).home()))
}

/// Everything else.
pub(super) async fn nowhere() -> Refusal {
    Refusal::NotFound
}

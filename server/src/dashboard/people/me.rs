//! One's own account.

use app::data::people as data;
use app::document::Notice;
use app::links;
use app::pages::people::me::Part;
use app::pieces::field::FieldError;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use control::{account, users};
use secrecy::SecretString;

use super::users::{end, fate};
use crate::dashboard::Dashboard;
use crate::dashboard::form::{self, Typed, again};
use crate::dashboard::refusal::Refusal;
use crate::dashboard::routes::Routes;
use crate::dashboard::session::{self, Caller, Person};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/t/{tenant}/me", me)
        .post("/t/{tenant}/me", change)
        .post("/t/{tenant}/me/password", set_password)
        .post("/t/{tenant}/me/sessions", end_sessions)
        .get("/t/{tenant}/me/leave", leaving)
        .post("/t/{tenant}/me/leave", leave)
}

async fn page(dashboard: &Dashboard, person: &Person, part: Part) -> Result<String, Refusal> {
    Ok(data::me(&dashboard.control, &person.actor, &person.visit, person.here(), part).await?)
}

async fn me(State(dashboard): State<Dashboard>, person: Person) -> Result<Html<String>, Refusal> {
    Ok(Html(page(&dashboard, &person, Part::None).await?))
}

async fn change(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    let changed =
        account::change(&dashboard.control, &person.actor, typed.text("name"), typed.maybe("time_zone"))
            .await;
    match changed {
        Ok(()) => form::done(&person, Notice::new("Saved."), &person.links.me()).await,
        Err(error) => {
            let wrong = typed.wrong(form::errors(error)?);
            Ok(again(page(&dashboard, &person, Part::About(wrong)).await?))
        }
    }
}

async fn set_password(
    State(dashboard): State<Dashboard>,
    person: Person,
    caller: Caller,
    typed: Typed,
) -> Result<Response, Refusal> {
    let control = &dashboard.control;
    let old = SecretString::from(typed.text("old_password"));
    let new = SecretString::from(typed.text("password"));
    match account::set_password(control, &person.actor, &old, &new, caller.address).await {
        Ok(stamp) => {
            // All sessions have ended with the old password, this one too.
            let who = &person.who;
            let shown = session::Shown { tenant: who.tenant, slug: who.slug.clone(), user: who.user, stamp };
            session::begin(&person.session, shown, caller, control.ambient().now()).await?;
            let notice = Notice::new("The password was changed; all other browsers are signed out.");
            form::done(&person, notice, &person.links.me()).await
        }
        Err(error) => {
            let wrong = typed.wrong(form::errors(error)?);
            Ok(again(page(&dashboard, &person, Part::Password(wrong)).await?))
        }
    }
}

async fn end_sessions(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    end(&dashboard, &person, &typed, person.visit.user, &person.links.me()).await
}

async fn leaving(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Html<String>, Refusal> {
    Ok(Html(data::leave(&dashboard.control, &person.actor, &person.visit, &typed.form()).await?))
}

async fn leave(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    let control = &dashboard.control;
    let errors: Vec<FieldError> = match fate(&typed) {
        Err(wrong) => vec![wrong],
        Ok(agents) => match users::leave(control, &person.actor, agents).await {
            Ok(()) => {
                person.session.flush().await?;
                return Ok(Redirect::to(&format!("{}?signed_out=yes", links::SIGN_IN)).into_response());
            }
            Err(error) => form::errors(error)?,
        },
    };
    Ok(again(data::leave(control, &person.actor, &person.visit, &typed.wrong(errors)).await?))
}

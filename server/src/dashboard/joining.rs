//! Signing up, proving the address, asking for a new password and setting it: pages that need no session.
//!
//! A link of a mail never acts when it is opened: programs that look at mails open them too. What is answered does not tell
//! whether an address is known here.

use app::document::{Notice, Site};
use app::links::{self, Links};
use app::pages::joining::{self as page, Closed, Sent, password, sign_up as sign_up_page};
use app::pieces::field::FieldError;
use app::pieces::form::Form;
use axum::extract::{Extension, Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use control::{Error, resets, sign_ups};
use http::StatusCode;
use model::Zone;
use secrecy::SecretString;
use serde::Deserialize;
use tower_sessions::Session;

use super::Dashboard;
use super::form::{self, Typed};
use super::headers::Nonce;
use super::refusal::Refusal;
use super::routes::Routes;
use super::session::{self, AGAIN, Caller, Shown};

/// Under which name a session keeps the address to which a mail went, for the page that says so.
const SENT_TO: &str = "sent_to";

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(links::SIGN_UP, sign_up_form)
        .post(links::SIGN_UP, sign_up)
        .get(links::SIGN_UP_SENT, sign_up_sent)
        .get("/verify/{token}", verify_page)
        .post("/verify/{token}", verify)
        .get(links::FORGOT, forgot_form)
        .post(links::FORGOT, forgot)
        .get(links::FORGOT_SENT, forgot_sent)
        .get("/reset/{token}", reset_form)
        .post("/reset/{token}", reset)
}

/// A visitor of these pages.
fn site(dashboard: &Dashboard, nonce: &Nonce) -> Site {
    dashboard.site(nonce, Zone::UTC)
}

/// The secret of a mail's link.
#[derive(Deserialize)]
struct Link {
    token: String,
}

/// Why nobody can sign up here, if so.
fn sign_up_closed(dashboard: &Dashboard) -> Option<Closed> {
    match (dashboard.sign_up_open, dashboard.control.sends_mail()) {
        (false, _) => Some(Closed::SignUp),
        (true, false) => Some(Closed::NoMail),
        (true, true) => None,
    }
}

fn no_sign_up(site: &Site, closed: Closed) -> Response {
    Html(page::closed(site, "Set up your organization", closed)).into_response()
}

async fn sign_up_form(
    State(dashboard): State<Dashboard>,
    Extension(nonce): Extension<Nonce>,
    session: Session,
) -> Result<Response, Refusal> {
    if super::start::own_place(&dashboard, &session).await?.is_some() {
        return Ok(Redirect::to("/").into_response());
    }
    let site = site(&dashboard, &nonce);
    if let Some(closed) = sign_up_closed(&dashboard) {
        return Ok(no_sign_up(&site, closed));
    }
    let form = Form::default().with("currency", dashboard.gateway.currency.code());
    Ok(Html(sign_up_page::page(&site, form)).into_response())
}

async fn sign_up(
    State(dashboard): State<Dashboard>,
    Extension(nonce): Extension<Nonce>,
    session: Session,
    caller: Caller,
    typed: Typed,
) -> Result<Response, Refusal> {
    let site = site(&dashboard, &nonce);
    if let Some(closed) = sign_up_closed(&dashboard) {
        let mut response = no_sign_up(&site, closed);
        *response.status_mut() = StatusCode::FORBIDDEN;
        return Ok(response);
    }
    let new = sign_ups::NewSignUp {
        organization: typed.text("organization").to_owned(),
        name: typed.text("name").to_owned(),
        email: typed.text("email").to_owned(),
        password: SecretString::from(typed.text("password")),
        currency: typed.text("currency").to_owned(),
        time_zone: typed.text("time_zone").to_owned(),
    };
    let again =
        |status, errors| (status, Html(sign_up_page::page(&site, typed.wrong(errors)))).into_response();
    let mut errors = Vec::new();
    for error in sign_ups::check(&new) {
        errors.extend(form::errors(error)?);
    }
    if !errors.is_empty() {
        return Ok(again(AGAIN, errors));
    }
    match sign_ups::begin(&dashboard.control, new, caller.address).await {
        Ok(()) => on_its_way(&session, typed.text("email"), links::SIGN_UP_SENT).await,
        Err(error) => {
            let (status, errors) = refused(error)?;
            Ok(again(status, errors))
        }
    }
}

/// The mail is posted: on to the page that says so, with the address as it was given.
async fn on_its_way(session: &Session, email: &str, to: &str) -> Result<Response, Refusal> {
    let email: String = email.trim().chars().take(254).collect();
    session.insert(SENT_TO, email).await?;
    Ok(Redirect::to(to).into_response())
}

/// What is wrong, for the form, and how the answer is called. Everything else is a page of its own.
fn refused(error: Error) -> Result<(StatusCode, Vec<FieldError>), Refusal> {
    let status = match &error {
        Error::Refused { code: "too_many", .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Refused { code: "busy", .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => AGAIN,
    };
    Ok((status, form::errors(error)?))
}

async fn sign_up_sent(
    State(dashboard): State<Dashboard>,
    Extension(nonce): Extension<Nonce>,
    session: Session,
) -> Result<Html<String>, Refusal> {
    let email = session.get::<String>(SENT_TO).await?;
    Ok(Html(page::sent(&site(&dashboard, &nonce), Sent::SignUp, email.as_deref())))
}

/// A link that leads nowhere any more.
fn spent(site: &Site, what: Sent) -> Response {
    (StatusCode::NOT_FOUND, Html(page::spent(site, what))).into_response()
}

async fn verify_page(
    State(dashboard): State<Dashboard>,
    Extension(nonce): Extension<Nonce>,
    Path(Link { token }): Path<Link>,
) -> Result<Response, Refusal> {
    let site = site(&dashboard, &nonce);
    Ok(match sign_ups::look(&dashboard.control, &token).await? {
        Some(waiting) => Html(sign_up_page::verify(&site, &token, &waiting)).into_response(),
        None => spent(&site, Sent::SignUp),
    })
}

async fn verify(
    State(dashboard): State<Dashboard>,
    Extension(nonce): Extension<Nonce>,
    Path(Link { token }): Path<Link>,
    session: Session,
    caller: Caller,
) -> Result<Response, Refusal> {
    let control = &dashboard.control;
    let founded = match sign_ups::verify(control, &token).await {
        Ok(founded) => founded,
        Err(Error::NotFound { .. }) => return Ok(spent(&site(&dashboard, &nonce), Sent::SignUp)),
        Err(error) => return Err(error.into()),
    };
    let home = Links::of(founded.slug.clone()).home();
    let shown =
        Shown { tenant: founded.tenant, slug: founded.slug, user: founded.owner, stamp: founded.stamp };
    session::begin(&session, shown, caller, control.ambient().now()).await?;
    session
        .insert(session::NOTICE, Notice::new("Your address is confirmed, and everything is set up."))
        .await?;
    Ok(Redirect::to(&home).into_response())
}

async fn forgot_form(State(dashboard): State<Dashboard>, Extension(nonce): Extension<Nonce>) -> Html<String> {
    let site = site(&dashboard, &nonce);
    Html(if dashboard.control.sends_mail() {
        password::forgot(&site, Form::default())
    } else {
        page::closed(&site, "Set a new password", Closed::NoMail)
    })
}

async fn forgot(
    State(dashboard): State<Dashboard>,
    Extension(nonce): Extension<Nonce>,
    session: Session,
    caller: Caller,
    typed: Typed,
) -> Result<Response, Refusal> {
    let site = site(&dashboard, &nonce);
    if !dashboard.control.sends_mail() {
        let page = page::closed(&site, "Set a new password", Closed::NoMail);
        return Ok((StatusCode::FORBIDDEN, Html(page)).into_response());
    }
    match resets::ask(&dashboard.control, typed.text("email"), caller.address).await {
        Ok(()) => on_its_way(&session, typed.text("email"), links::FORGOT_SENT).await,
        Err(error) => {
            let (status, errors) = refused(error)?;
            Ok((status, Html(password::forgot(&site, typed.wrong(errors)))).into_response())
        }
    }
}

async fn forgot_sent(
    State(dashboard): State<Dashboard>,
    Extension(nonce): Extension<Nonce>,
    session: Session,
) -> Result<Html<String>, Refusal> {
    let email = session.get::<String>(SENT_TO).await?;
    Ok(Html(page::sent(&site(&dashboard, &nonce), Sent::Password, email.as_deref())))
}

async fn reset_form(
    State(dashboard): State<Dashboard>,
    Extension(nonce): Extension<Nonce>,
    Path(Link { token }): Path<Link>,
) -> Result<Response, Refusal> {
    let site = site(&dashboard, &nonce);
    Ok(match resets::look(&dashboard.control, &token).await? {
        Some(asked) => Html(password::reset(&site, &token, &asked, Form::default())).into_response(),
        None => spent(&site, Sent::Password),
    })
}

/// Sets the password and leads to sign-in: with it one can show at once that one has it, and choose the organization.
async fn reset(
    State(dashboard): State<Dashboard>,
    Extension(nonce): Extension<Nonce>,
    Path(Link { token }): Path<Link>,
    session: Session,
    caller: Caller,
    typed: Typed,
) -> Result<Response, Refusal> {
    let (control, site) = (&dashboard.control, site(&dashboard, &nonce));
    let Some(asked) = resets::look(control, &token).await? else { return Ok(spent(&site, Sent::Password)) };
    let new = SecretString::from(typed.text("password"));
    match resets::set(control, &token, &new, caller.address).await {
        Ok(_) => {
            session.flush().await?;
            Ok(Redirect::to(&format!("{}?reset=yes", links::SIGN_IN)).into_response())
        }
        Err(Error::NotFound { .. }) => Ok(spent(&site, Sent::Password)),
        Err(error) => {
            let (status, errors) = refused(error)?;
            Ok((status, Html(password::reset(&site, &token, &asked, typed.wrong(errors)))).into_response())
        }
    }
}

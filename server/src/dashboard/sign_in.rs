//! Signing in, choosing an organization, signing out. Plain forms: a POST, then a redirect.

use app::document::Site;
use app::links::{self, Links};
use app::pages::sign_in::{self as page, Choice, Form as Shown};
use app::pieces::field::FieldError;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, FromRequest as _, Query, Request, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use chrono::TimeDelta;
use control::sign_in::{SignInError, SignedIn, Stamp};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use model::people::Slug;
use model::{TenantId, Timestamp, UserId, Zone};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use tower_sessions::Session;

use super::Dashboard;
use super::headers::Nonce;
use super::refusal::Refusal;
use super::routes::Routes;
use super::session::{self, AGAIN, Caller, local};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(links::SIGN_IN, form)
        .post(links::SIGN_IN, sign_in)
        .get(links::CHOOSE, choices)
        .post(links::CHOOSE, choose)
        .post(links::SIGN_OUT, sign_out)
}

/// Under which name a session keeps what there is to choose from.
const CHOICES: &str = "choices";
/// How long one may take to choose.
const CHOOSING: TimeDelta = TimeDelta::minutes(10);

#[derive(Deserialize, Default)]
pub(super) struct Asked {
    #[serde(default)]
    next: String,
    signed_out: Option<String>,
    reset: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Sent {
    #[serde(default)]
    email: String,
    #[serde(default, deserialize_with = "secret")]
    password: SecretString,
    #[serde(default)]
    next: String,
}

fn secret<'de, D: Deserializer<'de>>(field: D) -> Result<SecretString, D::Error> {
    String::deserialize(field).map(SecretString::from)
}

/// Whose password was right, until they have chosen an organization.
#[derive(Serialize, Deserialize)]
struct Choices {
    since: Timestamp,
    people: Vec<Chosen>,
}

#[derive(Serialize, Deserialize)]
struct Chosen {
    tenant: TenantId,
    user: UserId,
    slug: Slug,
    organization: String,
    person: String,
    stamp: Stamp,
}

/// The form. Who is signed in already goes on.
pub(super) async fn form(
    State(dashboard): State<Dashboard>,
    Extension(nonce): Extension<Nonce>,
    Query(asked): Query<Asked>,
    session: Session,
) -> Result<Response, Refusal> {
    if super::start::own_place(&dashboard, &session).await?.is_some() {
        return Ok(Redirect::to("/").into_response());
    }
    let notice = match (asked.signed_out, asked.reset) {
        (Some(_), _) => Some("You are signed out."),
        (None, Some(_)) => Some("Your new password is set. Sign in with it."),
        (None, None) => None,
    };
    let next = local(&asked.next).unwrap_or_default().to_owned();
    Ok(Html(page::page(&dashboard.site(&nonce, Zone::UTC), Shown { next, notice, ..Shown::default() }))
        .into_response())
}

/// Checks the password, and begins a session or asks for the organization.
pub(super) async fn sign_in(
    State(dashboard): State<Dashboard>,
    Extension(nonce): Extension<Nonce>,
    session: Session,
    caller: Caller,
    request: Request,
) -> Result<Response, Refusal> {
    let from = caller.address;
    let sent = Form::<Sent>::from_request(request, &()).await;
    let Form(sent) = sent.map_err(|_: FormRejection| Refusal::Unreadable)?;
    let site = dashboard.site(&nonce, Zone::UTC);
    let next = local(&sent.next).unwrap_or_default().to_owned();
    let empty = missing(&sent);
    if !empty.is_empty() {
        return Ok(again(&site, sent.email, next, empty, AGAIN));
    }
    let people = match control::sign_in::sign_in(&dashboard.control, &sent.email, &sent.password, from).await
    {
        Ok(people) => people,
        Err(error) => return Ok(refused(&site, sent.email, next, &error)),
    };
    match people.as_slice() {
        [] => Ok(refused(&site, sent.email, next, &SignInError::WrongCredentials)),
        [one] => enter(&session, one.into(), caller, &next, site.now).await,
        several => {
            // A link that led here says which organization was meant.
            let meant = several
                .iter()
                .find(|it| next.starts_with(&format!("{}/", Links::of(it.slug.clone()).home())));
            if let Some(one) = meant {
                return enter(&session, one.into(), caller, &next, site.now).await;
            }
            session::renew(&session).await?;
            let people = several.iter().map(Chosen::from).collect();
            session.insert(CHOICES, Choices { since: site.now, people }).await?;
            Ok(Redirect::to(links::CHOOSE).into_response())
        }
    }
}

fn missing(sent: &Sent) -> Vec<FieldError> {
    use secrecy::ExposeSecret as _;
    let mut errors = Vec::new();
    if sent.email.trim().is_empty() {
        errors.push(FieldError { field: "email".into(), sentence: "Enter your mail address.".into() });
    }
    if sent.password.expose_secret().is_empty() {
        errors.push(FieldError { field: "password".into(), sentence: "Enter your password.".into() });
    }
    errors
}

/// The form once more, with the address as it was typed and what is wrong.
fn again(site: &Site, email: String, next: String, errors: Vec<FieldError>, status: StatusCode) -> Response {
    (status, Html(page::page(site, Shown { email, next, errors, notice: None }))).into_response()
}

fn refused(site: &Site, email: String, next: String, error: &SignInError) -> Response {
    let (status, field, sentence) = match error {
        SignInError::WrongCredentials => {
            (AGAIN, "password", "The mail address or the password is not right.".to_owned())
        }
        SignInError::TooMany { retry_after } => {
            let minutes = retry_after.as_secs().div_ceil(60).max(1);
            let minutes = if minutes == 1 { "one minute".to_owned() } else { format!("{minutes} minutes") };
            let sentence = format!("Too many attempts have failed. Wait {minutes}, then try again.");
            (StatusCode::TOO_MANY_REQUESTS, "password", sentence)
        }
        SignInError::Unavailable => {
            let sentence = "Signing in is not possible at the moment. Try again in a minute.".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, "password", sentence)
        }
    };
    let mut response = again(site, email, next, vec![FieldError::new(field, sentence)], status);
    if let SignInError::TooMany { retry_after } = error {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
    }
    response
}

/// Begins the session and goes on.
async fn enter(
    session: &Session,
    shown: session::Shown,
    caller: Caller,
    next: &str,
    now: Timestamp,
) -> Result<Response, Refusal> {
    let home = Links::of(shown.slug.clone()).home();
    session::begin(session, shown, caller, now).await?;
    let next = if next.is_empty() { home } else { next.to_owned() };
    Ok(Redirect::to(&next).into_response())
}

impl From<&SignedIn> for session::Shown {
    fn from(person: &SignedIn) -> Self {
        Self {
            tenant: person.tenant,
            slug: person.slug.clone(),
            user: person.user,
            stamp: person.stamp.clone(),
        }
    }
}

impl From<&SignedIn> for Chosen {
    fn from(person: &SignedIn) -> Self {
        Self {
            tenant: person.tenant,
            user: person.user,
            slug: person.slug.clone(),
            organization: person.tenant_name.clone(),
            person: person.user_name.clone(),
            stamp: person.stamp.clone(),
        }
    }
}

async fn waiting(session: &Session, now: Timestamp) -> Result<Vec<Chosen>, Refusal> {
    let choices = session.get::<Choices>(CHOICES).await?;
    let choices = choices.filter(|it| now.signed_duration_since(it.since) < CHOOSING);
    choices.map(|it| it.people).ok_or(Refusal::SignIn { next: None })
}

/// The organizations to choose from.
pub(super) async fn choices(
    State(dashboard): State<Dashboard>,
    Extension(nonce): Extension<Nonce>,
    session: Session,
) -> Result<Html<String>, Refusal> {
    let site = dashboard.site(&nonce, Zone::UTC);
    let people = waiting(&session, site.now).await?;
    let choices = people
        .into_iter()
        .map(|it| Choice { slug: it.slug.to_string(), organization: it.organization, person: it.person })
        .collect();
    Ok(Html(page::choose(&site, choices)))
}

#[derive(Deserialize)]
pub(super) struct Organization {
    organization: String,
}

/// Begins a session in one of them.
pub(super) async fn choose(
    State(dashboard): State<Dashboard>,
    session: Session,
    caller: Caller,
    sent: Result<Form<Organization>, FormRejection>,
) -> Result<Response, Refusal> {
    let Form(Organization { organization }) = sent.map_err(|_| Refusal::Unreadable)?;
    let now = dashboard.control.ambient().now();
    let people = waiting(&session, now).await?;
    let one = people.into_iter().find(|it| it.slug.as_str() == organization).ok_or(Refusal::NotFound)?;
    let shown = session::Shown { tenant: one.tenant, slug: one.slug, user: one.user, stamp: one.stamp };
    enter(&session, shown, caller, "", now).await
}

/// Ends the session.
pub(super) async fn sign_out(session: Session) -> Result<Redirect, Refusal> {
    session.flush().await?;
    Ok(Redirect::to(&format!("{}?signed_out=yes", links::SIGN_IN)))
}

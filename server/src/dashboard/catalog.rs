//! The catalog: modules, tools, the wizard, trying a tool.

mod modules;
mod oauth;
mod tools;
mod trial;
mod wizard;

use app::data;
use app::pages::catalog::Query;
use app::pieces::field::FieldError;
use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use control::Error;
use control::authority::Deed;
use http::HeaderValue;
use http::header::REFRESH;
use model::{Currency, Money, UserId};
use rust_decimal::Decimal;

use super::Dashboard;
use super::form::Typed;
use super::refusal::Refusal;
use super::routes::Routes;
use super::session::Person;

/// A review of a thousand tools.
const REVIEW: usize = 512 * 1024;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/t/{tenant}/catalog", table)
        .get("/t/{tenant}/catalog/new", wizard::start)
        .post("/t/{tenant}/catalog/new", wizard::begin)
        .post("/t/{tenant}/catalog/new/built-in", wizard::built_in)
        .get("/t/{tenant}/catalog/new/{draft}", wizard::draft)
        .post("/t/{tenant}/catalog/new/{draft}", wizard::again)
        .post_up_to("/t/{tenant}/catalog/new/{draft}/add", REVIEW, wizard::add)
        .post("/t/{tenant}/catalog/new/{draft}/discard", wizard::discard)
        .get("/t/{tenant}/catalog/new/{draft}/oauth", oauth::ask_draft)
        .post("/t/{tenant}/catalog/new/{draft}/oauth", oauth::begin_draft)
        .get("/t/{tenant}/catalog/{module}", modules::module)
        .post("/t/{tenant}/catalog/{module}/-/rediscover", modules::rediscover)
        .post("/t/{tenant}/catalog/{module}/-/approve", modules::approve)
        .get("/t/{tenant}/catalog/{module}/-/off", modules::ask_off)
        .post("/t/{tenant}/catalog/{module}/-/off", modules::off)
        .post("/t/{tenant}/catalog/{module}/-/on", modules::on)
        .get("/t/{tenant}/catalog/{module}/-/describe", modules::ask_describe)
        .post("/t/{tenant}/catalog/{module}/-/describe", modules::describe)
        .get("/t/{tenant}/catalog/{module}/-/connection", modules::ask_connection)
        .post("/t/{tenant}/catalog/{module}/-/connection", modules::connection)
        .get("/t/{tenant}/catalog/{module}/-/oauth", oauth::ask_module)
        .post("/t/{tenant}/catalog/{module}/-/oauth", oauth::begin_module)
        .get("/t/{tenant}/oauth/callback", oauth::callback)
        .get("/t/{tenant}/oauth/client", oauth::client)
        .get("/t/{tenant}/catalog/{module}/-/connection/revoke", modules::ask_revoke)
        .post("/t/{tenant}/catalog/{module}/-/connection/revoke", modules::revoke)
        .get("/t/{tenant}/catalog/{module}/{tool}", tools::tool)
        .post("/t/{tenant}/catalog/{module}/{tool}/approve", tools::approve)
        .get("/t/{tenant}/catalog/{module}/{tool}/withdraw", tools::ask_withdraw)
        .post("/t/{tenant}/catalog/{module}/{tool}/withdraw", tools::withdraw)
        .get("/t/{tenant}/catalog/{module}/{tool}/key", tools::ask_key)
        .post("/t/{tenant}/catalog/{module}/{tool}/key", tools::key)
        .post("/t/{tenant}/catalog/{module}/{tool}/price", tools::price)
        .post("/t/{tenant}/catalog/{module}/{tool}/timeouts", tools::timeouts)
        .get("/t/{tenant}/catalog/{module}/{tool}/try", trial::form)
        .post("/t/{tenant}/catalog/{module}/{tool}/try", trial::call)
}

/// Modules, or tools, filtered. Empty fields of the form are dropped from the address by one redirect.
async fn table(
    State(dashboard): State<Dashboard>,
    person: Person,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let given = query.unwrap_or_default();
    let query = Query::read(&given);
    let short = query.to_query();
    if short != given {
        return Ok(Redirect::to(&person.links.catalog_with(&short)).into_response());
    }
    let page = data::catalog::table(&dashboard.control, &person.actor, &person.visit, &query).await?;
    Ok(Html(page).into_response())
}

/// A page that is to be looked at again in a second, by whatever browser it is.
fn soon_again(page: String) -> Response {
    let mut response = Html(page).into_response();
    response.headers_mut().insert(REFRESH, HeaderValue::from_static("1"));
    response
}

/// Who may not change the catalog finds nothing where it is changed, whatever they send.
fn may_change(person: &Person) -> Result<(), Refusal> {
    if person.visit.may(Deed::ChangeCatalog) { Ok(()) } else { Err(Refusal::NotFound) }
}

/// The person of a mail address that was typed; nobody when none was.
async fn owner(
    dashboard: &Dashboard,
    person: &Person,
    typed: &Typed,
) -> Result<Result<Option<UserId>, FieldError>, Refusal> {
    let Some(email) = typed.maybe("owner") else { return Ok(Ok(None)) };
    match control::users::find(&dashboard.control, &person.actor, email).await {
        Ok(user) => Ok(Ok(Some(user.id))),
        Err(Error::NotFound { .. }) => Ok(Err(FieldError::new(
            "owner",
            "Nobody here has this mail address. Invite them first, or leave it empty.",
        ))),
        Err(Error::Invalid { sentence, .. }) => {
            Ok(Err(FieldError::new("owner", app::wording::sentence(&sentence))))
        }
        Err(other) => Err(other.into()),
    }
}

/// An amount that was typed.
fn amount(text: &str, field: String, currency: Currency) -> Result<Money, FieldError> {
    match text.trim().parse::<Decimal>() {
        Ok(amount) if !amount.is_sign_negative() || amount.is_zero() => Ok(Money { amount, currency }),
        _ => Err(FieldError::new(field, "Give an amount from 0 up, such as 0.0025.")),
    }
}

//! The organization's settings.

use app::data::settings as data;
use app::document::Notice;
use app::pages::settings::RecordQuery;
use app::pieces::field::FieldError;
use app::pieces::form::Form;
use app::wording;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use control::account;
use control::authority::{Deed, may};
use control::settings::{self, MailSender, SessionRules, SignInRules};
use http::StatusCode;
use model::{Currency, Zone};

use super::Dashboard;
use super::form::{self, Typed};
use super::people::OneUser;
use super::refusal::Refusal;
use super::routes::Routes;
use super::session::{self, AGAIN, Person};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/t/{tenant}/settings", organization)
        .post("/t/{tenant}/settings", change_organization)
        .get("/t/{tenant}/settings/sign-in", sign_in)
        .post("/t/{tenant}/settings/sign-in", change_sign_in)
        .get("/t/{tenant}/settings/mail", mail)
        .post("/t/{tenant}/settings/mail", change_mail)
        .get("/t/{tenant}/settings/sessions", sessions)
        .post("/t/{tenant}/settings/sessions/end", end)
        .get("/t/{tenant}/settings/sessions/{user}/end", ask_end_all)
        .post("/t/{tenant}/settings/sessions/{user}/end", end_all)
        .get("/t/{tenant}/settings/record", record)
        .get("/t/{tenant}/settings/record/export", export)
        .get("/t/{tenant}/settings/danger", danger)
        .get("/t/{tenant}/settings/danger/stop", ask_stop)
        .post("/t/{tenant}/settings/danger/stop", stop)
        .post("/t/{tenant}/settings/danger/resume", resume)
        .get("/t/{tenant}/settings/danger/close", ask_close)
        .post("/t/{tenant}/settings/danger/close", close)
}

/// Before a form is read: for those who may not change anything there is nothing to be filled in wrongly.
fn may_change(person: &Person) -> Result<(), Refusal> {
    if may(&person.actor, Deed::ChangeSettings) { Ok(()) } else { Err(Refusal::NotFound) }
}

async fn organization(State(dashboard): State<Dashboard>, person: Person) -> Result<Html<String>, Refusal> {
    Ok(Html(data::organization(&dashboard.control, &person.actor, &person.visit, None).await?))
}

async fn change_organization(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    let control = &dashboard.control;
    let currency = typed.text("currency").trim().parse::<Currency>();
    let zone = typed.text("time_zone").trim().parse::<Zone>();
    let mut wrong = Vec::new();
    if currency.is_err() {
        wrong.push(FieldError::new("currency", "Give three capital letters, such as EUR."));
    }
    if zone.is_err() {
        wrong.push(FieldError::new("time_zone", "Choose a time zone of the list, such as Europe/Berlin."));
    }
    if let (Ok(currency), Ok(zone)) = (currency, zone) {
        match settings::set_organization(control, &person.actor, typed.text("name"), currency, zone).await {
            Ok(()) => {
                return form::done(&person, Notice::new("It was saved."), &person.links.settings()).await;
            }
            Err(error) => wrong = form::errors(error)?,
        }
    }
    let page = data::organization(control, &person.actor, &person.visit, Some(typed.wrong(wrong))).await?;
    Ok(form::again(page))
}

async fn sign_in(State(dashboard): State<Dashboard>, person: Person) -> Result<Html<String>, Refusal> {
    Ok(Html(data::sign_in(&dashboard.control, &person.actor, &person.visit, None).await?))
}

async fn change_sign_in(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    let control = &dashboard.control;
    let mut wrong = Vec::new();
    let mut number = |field: &'static str| {
        let number = typed.text(field).trim().parse::<u16>();
        if number.is_err() {
            wrong.push(FieldError::new(field, "Give a whole number."));
        }
        number.unwrap_or_default()
    };
    let rules = SignInRules {
        sessions: SessionRules {
            idle_minutes: number("idle_minutes"),
            longest_hours: number("longest_hours"),
        },
        shortest_password: number("shortest_password"),
        invited_domains: typed
            .text("invited_domains")
            .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
            .map(str::to_owned)
            .collect(),
    };
    if wrong.is_empty() {
        match settings::set_sign_in(control, &person.actor, &rules).await {
            Ok(()) => {
                return form::done(&person, Notice::new("It was saved."), &person.links.sign_in_rules())
                    .await;
            }
            Err(error) => wrong = form::errors(error)?,
        }
    }
    let page = data::sign_in(control, &person.actor, &person.visit, Some(typed.wrong(wrong))).await?;
    Ok(form::again(page))
}

async fn mail(State(dashboard): State<Dashboard>, person: Person) -> Result<Html<String>, Refusal> {
    Ok(Html(data::mail(&dashboard.control, &person.actor, &person.visit, None).await?))
}

async fn change_mail(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    let control = &dashboard.control;
    let sender = MailSender {
        name: typed.maybe("sender_name").map(str::to_owned),
        reply_to: typed.maybe("reply_to").map(str::to_owned),
    };
    match settings::set_sender(control, &person.actor, &sender).await {
        Ok(()) => form::done(&person, Notice::new("It was saved."), &person.links.mail_sender()).await,
        Err(error) => {
            let form = typed.wrong(form::errors(error)?);
            Ok(form::again(data::mail(control, &person.actor, &person.visit, Some(form)).await?))
        }
    }
}

async fn sessions(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Html<String>, Refusal> {
    let page = typed.text("page").parse().unwrap_or(0).min(10_000);
    let (control, visit, here) = (&dashboard.control, &person.visit, person.here());
    let html = data::sessions(control, &person.actor, visit, typed.text("q"), page, here.as_deref()).await?;
    Ok(Html(html))
}

async fn end(State(dashboard): State<Dashboard>, person: Person, typed: Typed) -> Result<Response, Refusal> {
    let name = account::end_session(&dashboard.control, &person.actor, typed.text("session")).await?;
    form::done(&person, session::ended(1, &name), &person.links.sessions()).await
}

async fn ask_end_all(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneUser>,
) -> Result<Html<String>, Refusal> {
    let (control, here) = (&dashboard.control, person.here());
    Ok(Html(data::end_all(control, &person.actor, &person.visit, one.id()?, here.as_deref()).await?))
}

async fn end_all(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneUser>,
) -> Result<Response, Refusal> {
    let (control, here) = (&dashboard.control, person.here());
    let (number, name) = account::end_sessions(control, &person.actor, one.id()?, here.as_deref()).await?;
    form::done(&person, session::ended(number, &name), &person.links.sessions()).await
}

async fn record(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    let (query, errors) = RecordQuery::read(typed.pairs());
    let status = if errors.is_empty() { StatusCode::OK } else { AGAIN };
    let page = data::record(&dashboard.control, &person.actor, &person.visit, query, errors).await?;
    Ok((status, Html(page)).into_response())
}

async fn export(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    let (query, errors) = RecordQuery::read(typed.pairs());
    if !errors.is_empty() {
        return Err(Refusal::Unreadable);
    }
    let filter = query.filter(person.visit.site.zone);
    let pieces = settings::export(&dashboard.control, &person.actor, filter).await?;
    Ok(super::crm::sheet(&format!("{}-changes", person.visit.slug), Body::from_stream(pieces)))
}

async fn danger(State(dashboard): State<Dashboard>, person: Person) -> Result<Html<String>, Refusal> {
    Ok(Html(data::danger(&dashboard.control, &person.actor, &person.visit).await?))
}

async fn ask_stop(State(dashboard): State<Dashboard>, person: Person) -> Result<Html<String>, Refusal> {
    Ok(Html(data::stop(&dashboard.control, &person.actor, &person.visit).await?))
}

async fn stop(State(dashboard): State<Dashboard>, person: Person) -> Result<Response, Refusal> {
    let notice = match settings::stop_agents(&dashboard.control, &person.actor).await {
        Ok(stop) => Notice::new(format!("All agents are stopped: {}.", wording::grouped(stop.agents))),
        Err(control::Error::Refused { sentence, .. }) => Notice::new(wording::sentence(&sentence)),
        Err(other) => return Err(other.into()),
    };
    form::done(&person, notice, &person.links.danger()).await
}

async fn resume(State(dashboard): State<Dashboard>, person: Person) -> Result<Response, Refusal> {
    let notice = match settings::resume_agents(&dashboard.control, &person.actor).await {
        Ok(stop) => Notice::new(format!("The agents go on: {}.", wording::grouped(stop.agents))),
        Err(control::Error::Refused { sentence, .. }) => Notice::new(wording::sentence(&sentence)),
        Err(other) => return Err(other.into()),
    };
    form::done(&person, notice, &person.links.danger()).await
}

async fn ask_close(State(dashboard): State<Dashboard>, person: Person) -> Result<Html<String>, Refusal> {
    Ok(Html(data::close(&dashboard.control, &person.actor, &person.visit, Form::default()).await?))
}

async fn close(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    let control = &dashboard.control;
    match settings::close(control, &person.actor, typed.text("short_name")).await {
        Ok(()) => {
            person.session.flush().await?;
            Ok(Redirect::to(app::links::SIGN_IN).into_response())
        }
        Err(error) => {
            let form = typed.wrong(form::errors(error)?);
            Ok(form::again(data::close(control, &person.actor, &person.visit, form).await?))
        }
    }
}

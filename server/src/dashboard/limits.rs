//! Limits on calls: set, changed, taken away.

use app::data::limits as data;
use app::document::Notice;
use app::pieces::field::FieldError;
use axum::extract::{Path, State};
use axum::response::{Html, Response};
use control::authority::Deed;
use control::limits;
use model::LimitId;
use model::limit::{Allowance, OfWhat, Per, Scope, Whose};
use serde::Deserialize;

use super::Dashboard;
use super::form::{Typed, again, done, errors};
use super::refusal::Refusal;
use super::routes::Routes;
use super::session::Person;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/t/{tenant}/settings/limits", list)
        .get("/t/{tenant}/settings/limits/new", ask_set)
        .post("/t/{tenant}/settings/limits/new", set)
        .get("/t/{tenant}/settings/limits/{limit}", ask_change)
        .post("/t/{tenant}/settings/limits/{limit}", change)
        .get("/t/{tenant}/settings/limits/{limit}/remove", ask_remove)
        .post("/t/{tenant}/settings/limits/{limit}/remove", remove)
}

#[derive(Deserialize)]
struct OneLimit {
    limit: String,
}

impl OneLimit {
    /// What is no id of a limit is as if there were none.
    fn id(&self) -> Result<LimitId, Refusal> {
        self.limit.parse().map_err(|_| Refusal::NotFound)
    }
}

/// Who may not set limits finds nothing where they are set, whatever they send.
fn may_change(person: &Person) -> Result<(), Refusal> {
    if person.visit.may(Deed::ChangeLimits) { Ok(()) } else { Err(Refusal::NotFound) }
}

/// Whose calls, as a choice of the form says it.
fn whose(text: &str) -> Option<Whose> {
    match text {
        "" | "everybody" => Some(Whose::Everybody),
        id => id.parse().map(Whose::Unit).ok().or_else(|| id.parse().map(Whose::Agent).ok()),
    }
}

/// Of what, as a choice of the form says it.
fn what(text: &str) -> Option<OfWhat> {
    match text {
        "" | "everything" => Some(OfWhat::Everything),
        id => id.parse().map(OfWhat::Module).ok().or_else(|| id.parse().map(OfWhat::Tool).ok()),
    }
}

/// A whole number, as people write it: `1,000`, `1 000`.
fn number(text: &str) -> Option<u32> {
    let digits: String =
        text.chars().filter(|c| !matches!(c, ',' | ' ' | '\u{a0}' | '\u{202f}' | '’' | '_')).collect();
    digits.parse().ok()
}

/// How many calls in which time, or what is wrong with it.
fn allowance(typed: &Typed) -> Result<Allowance, Vec<FieldError>> {
    let mut wrong = Vec::new();
    let per = typed.chosen::<Per>("per", "Choose a time.").map_err(|error| wrong.push(error)).ok();
    let calls = number(typed.text("calls"));
    if calls.is_none() {
        wrong.push(FieldError::new("calls", "Give a whole number, such as 600."));
    }
    let burst = match typed.maybe("burst") {
        None => calls,
        Some(text) => {
            let burst = number(text);
            if burst.is_none() {
                wrong.push(FieldError::new("burst", "Give a whole number, or nothing."));
            }
            burst
        }
    };
    match (calls, per, burst) {
        (Some(calls), Some(per), Some(burst)) => Ok(Allowance { calls, per, burst }),
        _ => Err(wrong),
    }
}

async fn list(State(dashboard): State<Dashboard>, person: Person) -> Result<Html<String>, Refusal> {
    Ok(Html(data::list(&dashboard.control, &person.actor, &person.visit).await?))
}

async fn ask_set(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Html<String>, Refusal> {
    may_change(&person)?;
    // An address that somebody has changed by hand begins with what is widest.
    let whose = whose(typed.text("whose")).unwrap_or(Whose::Everybody);
    let what = what(typed.text("what")).unwrap_or(OfWhat::Everything);
    Ok(Html(data::new(&dashboard.control, &person.actor, &person.visit, whose, what, None).await?))
}

async fn set(State(dashboard): State<Dashboard>, person: Person, typed: Typed) -> Result<Response, Refusal> {
    may_change(&person)?;
    let (control, actor) = (&dashboard.control, &person.actor);
    let chosen = (whose(typed.text("whose")), what(typed.text("what")));
    let (Some(whose), Some(what)) = chosen else { return Err(Refusal::Unreadable) };
    // One agent has its limit to itself however the question was answered.
    let each_agent = typed.text("each_agent") == "yes" && !matches!(whose, Whose::Agent(_));
    let scope = Scope { whose, what, each_agent };
    let wrong = match allowance(&typed) {
        Err(wrong) => wrong,
        Ok(allowance) => match limits::set(control, actor, scope, allowance).await {
            Ok(_) => {
                let notice = Notice::new("The limit is set: it holds from the next call on.");
                return done(&person, notice, &person.links.limits()).await;
            }
            Err(error) => errors(error)?,
        },
    };
    let sent = Some(typed.wrong(wrong));
    Ok(again(data::new(control, actor, &person.visit, whose, what, sent).await?))
}

async fn ask_change(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneLimit>,
) -> Result<Html<String>, Refusal> {
    may_change(&person)?;
    Ok(Html(data::change(&dashboard.control, &person.actor, &person.visit, one.id()?, None).await?))
}

async fn change(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneLimit>,
    typed: Typed,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    let (control, actor, id) = (&dashboard.control, &person.actor, one.id()?);
    let wrong = match allowance(&typed) {
        Err(wrong) => wrong,
        Ok(allowance) => match limits::change(control, actor, id, allowance).await {
            Ok(_) => {
                let notice = Notice::new("The limit is changed: it holds so from the next call on.");
                return done(&person, notice, &person.links.limits()).await;
            }
            Err(error) => errors(error)?,
        },
    };
    let sent = Some(typed.wrong(wrong));
    Ok(again(data::change(control, actor, &person.visit, id, sent).await?))
}

async fn ask_remove(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneLimit>,
) -> Result<Html<String>, Refusal> {
    may_change(&person)?;
    Ok(Html(data::remove(&dashboard.control, &person.actor, &person.visit, one.id()?).await?))
}

async fn remove(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneLimit>,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    limits::remove(&dashboard.control, &person.actor, one.id()?).await?;
    done(&person, Notice::new("The limit is taken away."), &person.links.limits()).await
}

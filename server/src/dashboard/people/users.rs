//! People: the page of one, where they sit, what they may do, suspending and removing them.

use std::future::ready;

use app::data::people as data;
use app::document::Notice;
use app::pieces::access;
use app::pieces::field::FieldError;
use axum::extract::{Path, State};
use axum::response::{Html, Response};
use control::authority::Deed;
use control::users::{self, Agents};
use control::{Error, account};
use model::people::Role;
use model::{UnitId, UserId};

use super::OneUser;
use crate::dashboard::Dashboard;
use crate::dashboard::form::{self, Typed, again};
use crate::dashboard::refusal::Refusal;
use crate::dashboard::routes::Routes;
use crate::dashboard::session::{self, Person};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/t/{tenant}/people/users/{user}", user)
        .post("/t/{tenant}/people/users/{user}/move", relocate)
        .post("/t/{tenant}/people/users/{user}/units", join_unit)
        .post("/t/{tenant}/people/users/{user}/units/leave", leave_unit)
        .post("/t/{tenant}/people/users/{user}/roles", give_role)
        .post("/t/{tenant}/people/users/{user}/roles/take", take_role)
        .get("/t/{tenant}/people/users/{user}/suspend", suspending)
        .post("/t/{tenant}/people/users/{user}/suspend", suspend)
        .post("/t/{tenant}/people/users/{user}/resume", resume)
        .get("/t/{tenant}/people/users/{user}/remove", removing)
        .post("/t/{tenant}/people/users/{user}/remove", remove)
        .post("/t/{tenant}/people/users/{user}/sessions", end_sessions)
}

const UNIT: &str = "Choose a unit of the list.";

async fn user(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneUser>,
    typed: Typed,
) -> Result<Html<String>, Refusal> {
    let (control, form) = (&dashboard.control, typed.form());
    Ok(Html(
        data::user(
            control,
            &person.actor,
            &person.visit,
            one.id()?,
            &form,
            &access::wanted(|name| typed.text(name)),
        )
        .await?,
    ))
}

/// Does what a form of the page asks for, unless it was filled in wrongly: on to the page with a word on what was done, or
/// with what is wrong.
async fn then(
    dashboard: &Dashboard,
    person: &Person,
    user: UserId,
    typed: &Typed,
    done: Result<impl Future<Output = Result<(), Error>>, FieldError>,
    said: &str,
) -> Result<Response, Refusal> {
    // What is wrong with a form is told to nobody who could not send it.
    if !person.visit.may(Deed::ChangePeople) {
        return Err(Refusal::NotFound);
    }
    let errors = match done {
        Err(wrong) => vec![wrong],
        Ok(doing) => match doing.await {
            Ok(()) => return form::done(person, Notice::new(said), &person.links.user(user)).await,
            Err(error) => form::errors(error)?,
        },
    };
    let wrong = typed.wrong(errors);
    Ok(again(
        data::user(&dashboard.control, &person.actor, &person.visit, user, &wrong, &access::wanted(|_| ""))
            .await?,
    ))
}

async fn relocate(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneUser>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let user = one.id()?;
    let done =
        typed.chosen("home", UNIT).map(|unit| users::move_to(&dashboard.control, &person.actor, user, unit));
    then(
        &dashboard,
        &person,
        user,
        &typed,
        done,
        "They sit in another unit now, and have its permission keys.",
    )
    .await
}

async fn join_unit(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneUser>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let user = one.id()?;
    let done = typed
        .chosen("unit", UNIT)
        .map(|unit| users::join_unit(&dashboard.control, &person.actor, user, unit));
    then(&dashboard, &person, user, &typed, done, "They are a member of a further unit now.").await
}

async fn leave_unit(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneUser>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let user = one.id()?;
    let done = typed
        .chosen("unit", UNIT)
        .map(|unit| users::leave_unit(&dashboard.control, &person.actor, user, unit));
    then(
        &dashboard,
        &person,
        user,
        &typed,
        done,
        "The membership has ended, with the permission keys that came by it.",
    )
    .await
}

/// A role and where it holds.
fn held(typed: &Typed) -> Result<(Role, Option<UnitId>), FieldError> {
    let role = typed.chosen("role", "Choose a role.")?;
    Ok((role, typed.maybe_chosen("where", UNIT)?))
}

async fn give_role(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneUser>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let user = one.id()?;
    let done = held(&typed)
        .map(|(role, unit)| users::give_role(&dashboard.control, &person.actor, user, role, unit));
    then(&dashboard, &person, user, &typed, done, "The role was given; it holds from the next click.").await
}

async fn take_role(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneUser>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let user = one.id()?;
    let done = match held(&typed) {
        Ok((role, unit)) => Ok(users::take_role(&dashboard.control, &person.actor, user, role, unit).await),
        Err(wrong) => Err(wrong),
    };
    // Who takes a role from themselves may not see this page any more.
    if matches!(done, Ok(Ok(()))) && person.actor.user_id() == Some(user) {
        return form::done(&person, Notice::new("You have given the role up."), &person.links.me()).await;
    }
    then(&dashboard, &person, user, &typed, done.map(ready), "The role was taken.").await
}

async fn suspending(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneUser>,
    typed: Typed,
) -> Result<Html<String>, Refusal> {
    let (control, form) = (&dashboard.control, typed.form());
    Ok(Html(data::suspend_user(control, &person.actor, &person.visit, one.id()?, &form).await?))
}

async fn suspend(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneUser>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let (control, user) = (&dashboard.control, one.id()?);
    match users::suspend(control, &person.actor, user).await {
        Ok(()) => {
            let notice = Notice::new("They are suspended: nothing of theirs is let through from now on.");
            form::done(&person, notice, &person.links.user(user)).await
        }
        Err(error) => {
            let wrong = typed.wrong(form::errors(error)?);
            Ok(again(data::suspend_user(control, &person.actor, &person.visit, user, &wrong).await?))
        }
    }
}

async fn resume(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneUser>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let user = one.id()?;
    let done = Ok(users::resume(&dashboard.control, &person.actor, user));
    then(&dashboard, &person, user, &typed, done, "They may act again.").await
}

async fn removing(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneUser>,
    typed: Typed,
) -> Result<Html<String>, Refusal> {
    let (control, form) = (&dashboard.control, typed.form());
    Ok(Html(data::remove_user(control, &person.actor, &person.visit, one.id()?, &form).await?))
}

/// What becomes of the agents, as the form asks.
pub(super) fn fate(typed: &Typed) -> Result<Agents, FieldError> {
    match typed.text("agents") {
        "hand" => Ok(Agents::HandTo(typed.text("to").to_owned())),
        "stop" => Ok(Agents::Stop),
        _ => Err(FieldError::new("agents", "Choose what becomes of the agents.")),
    }
}

async fn remove(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneUser>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let (control, user) = (&dashboard.control, one.id()?);
    let errors = match fate(&typed) {
        Err(wrong) => vec![wrong],
        Ok(agents) => match users::remove(control, &person.actor, user, agents).await {
            Ok(()) => {
                let notice = Notice::new("They were removed: nothing of theirs is let through from now on.");
                return form::done(&person, notice, &person.links.user(user)).await;
            }
            Err(error) => form::errors(error)?,
        },
    };
    Ok(again(data::remove_user(control, &person.actor, &person.visit, user, &typed.wrong(errors)).await?))
}

async fn end_sessions(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneUser>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let user = one.id()?;
    end(&dashboard, &person, &typed, user, &person.links.user(user)).await
}

/// Ends the session that was chosen, or all of a person's but for the one that asks; on to `back` with a word on it.
pub(super) async fn end(
    dashboard: &Dashboard,
    person: &Person,
    typed: &Typed,
    user: UserId,
    back: &str,
) -> Result<Response, Refusal> {
    let (control, actor) = (&dashboard.control, &person.actor);
    let (number, name) = match typed.text("session") {
        "others" => account::end_sessions(control, actor, user, person.here().as_deref()).await?,
        one => (1, account::end_session(control, actor, one).await?),
    };
    form::done(person, session::ended(number, &name), back).await
}

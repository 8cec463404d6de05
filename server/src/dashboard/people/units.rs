//! Units: the page of one, and the forms that make, rename, move and archive it.

use app::data::people as data;
use app::document::Notice;
use app::pages::people::unit::TOP;
use app::pieces::field::FieldError;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};
use control::units::{self, NewUnit};
use model::UnitId;
use model::people::UnitKind;
use serde::Deserialize;

use super::id;
use crate::dashboard::Dashboard;
use crate::dashboard::form::{self, Typed, again};
use crate::dashboard::refusal::Refusal;
use crate::dashboard::routes::Routes;
use crate::dashboard::session::{AGAIN, Person};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/t/{tenant}/people/units/new", new)
        .post("/t/{tenant}/people/units/new", create)
        .get("/t/{tenant}/people/units/{unit}", unit)
        .get("/t/{tenant}/people/units/{unit}/rename", renaming)
        .post("/t/{tenant}/people/units/{unit}/rename", rename)
        .get("/t/{tenant}/people/units/{unit}/move", moving)
        .post("/t/{tenant}/people/units/{unit}/move", relocate)
        .get("/t/{tenant}/people/units/{unit}/archive", archiving)
        .post("/t/{tenant}/people/units/{unit}/archive", archive)
}

#[derive(Deserialize)]
struct OneUnit {
    unit: String,
}

async fn unit(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneUnit { unit }): Path<OneUnit>,
) -> Result<Html<String>, Refusal> {
    Ok(Html(data::unit(&dashboard.control, &person.actor, &person.visit, id(&unit)?).await?))
}

async fn new(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Html<String>, Refusal> {
    Ok(Html(data::new_unit(&dashboard.control, &person.actor, &person.visit, &typed.form()).await?))
}

async fn create(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    let control = &dashboard.control;
    let (kind, parent) = (
        typed.chosen::<UnitKind>("kind", "Choose whether it is a department or a team."),
        typed.maybe_chosen::<UnitId>("parent", "Choose a unit of the list."),
    );
    let errors = match (kind, parent) {
        (Ok(kind), Ok(parent)) => {
            let name = typed.text("name").to_owned();
            match units::create(control, &person.actor, NewUnit { parent, kind, name }).await {
                Ok(made) => {
                    let notice = Notice::new(format!("Unit “{}” was made.", typed.text("name").trim()));
                    return form::done(&person, notice, &person.links.unit(made)).await;
                }
                Err(error) => form::errors(error)?,
            }
        }
        (kind, parent) => kind.err().into_iter().chain(parent.err()).collect(),
    };
    let page = data::new_unit(control, &person.actor, &person.visit, &typed.wrong(errors)).await?;
    Ok(again(page))
}

async fn renaming(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneUnit { unit }): Path<OneUnit>,
) -> Result<Html<String>, Refusal> {
    let page = data::rename_unit(&dashboard.control, &person.actor, &person.visit, id(&unit)?, None).await?;
    Ok(Html(page))
}

async fn rename(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneUnit { unit }): Path<OneUnit>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let (control, unit) = (&dashboard.control, id::<UnitId>(&unit)?);
    match units::rename(control, &person.actor, unit, typed.text("name")).await {
        Ok(()) => {
            let notice = Notice::new(format!("The unit is called “{}” now.", typed.text("name").trim()));
            form::done(&person, notice, &person.links.unit(unit)).await
        }
        Err(error) => {
            let wrong = typed.wrong(form::errors(error)?);
            Ok(again(data::rename_unit(control, &person.actor, &person.visit, unit, Some(wrong)).await?))
        }
    }
}

/// Where to: none: nothing is chosen yet; none inside: the top.
fn goal(typed: &Typed) -> Result<Option<Option<UnitId>>, FieldError> {
    match typed.maybe("to") {
        None => Ok(None),
        Some(TOP) => Ok(Some(None)),
        Some(_) => typed.chosen("to", "Choose a unit of the list.").map(|unit| Some(Some(unit))),
    }
}

async fn moving(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneUnit { unit }): Path<OneUnit>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let (to, form) = match goal(&typed) {
        Ok(to) => (to, typed.form()),
        Err(wrong) => (None, typed.wrong(vec![wrong])),
    };
    let (page, wrong) =
        data::move_unit(&dashboard.control, &person.actor, &person.visit, id(&unit)?, to, form).await?;
    let status = if wrong { AGAIN } else { http::StatusCode::OK };
    Ok((status, Html(page)).into_response())
}

async fn relocate(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneUnit { unit }): Path<OneUnit>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let (control, unit) = (&dashboard.control, id::<UnitId>(&unit)?);
    let errors = match goal(&typed) {
        Err(wrong) => vec![wrong],
        Ok(None) => vec![FieldError::new("to", "Choose where the unit is to go.")],
        Ok(Some(to)) => match units::move_to(control, &person.actor, unit, to).await {
            Ok(()) => {
                return form::done(&person, Notice::new("The unit was moved."), &person.links.unit(unit))
                    .await;
            }
            Err(error) => form::errors(error)?,
        },
    };
    let wrong = typed.wrong(errors);
    let (page, _) = data::move_unit(control, &person.actor, &person.visit, unit, None, wrong).await?;
    Ok(again(page))
}

async fn archiving(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneUnit { unit }): Path<OneUnit>,
    typed: Typed,
) -> Result<Html<String>, Refusal> {
    let (control, form) = (&dashboard.control, typed.form());
    Ok(Html(data::archive_unit(control, &person.actor, &person.visit, id(&unit)?, &form).await?))
}

async fn archive(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneUnit { unit }): Path<OneUnit>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let (control, unit) = (&dashboard.control, id::<UnitId>(&unit)?);
    match units::archive(control, &person.actor, unit).await {
        Ok(()) => form::done(&person, Notice::new("The unit was archived."), &person.links.people()).await,
        Err(error) => {
            let wrong = typed.wrong(form::errors(error)?);
            Ok(again(data::archive_unit(control, &person.actor, &person.visit, unit, &wrong).await?))
        }
    }
}

//! Bundles: made, filled, renamed, deleted.

use app::data;
use app::document::Notice;
use app::pages::catalog::bundles as pages;
use app::pieces::field::{FORM, FieldError};
use app::pieces::form::Form;
use axum::extract::{Path, State};
use axum::response::{Html, Response};
use control::authority::Deed;
use control::bundles::{self, NewBundle};
use model::ToolId;
use model::catalog::Naming;
use serde::Deserialize;

use super::Dashboard;
use super::form::{Typed, again, done, errors};
use super::refusal::Refusal;
use super::routes::Routes;
use super::session::Person;

/// A choice of a thousand tools.
const CHOICE: usize = 128 * 1024;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/t/{tenant}/bundles", table)
        .get("/t/{tenant}/bundles/new", ask_create)
        .post("/t/{tenant}/bundles/new", create)
        .get("/t/{tenant}/bundles/{bundle}", bundle)
        .post_up_to("/t/{tenant}/bundles/{bundle}/add", CHOICE, add)
        .post_up_to("/t/{tenant}/bundles/{bundle}/remove", CHOICE, remove)
        .get("/t/{tenant}/bundles/{bundle}/describe", ask_describe)
        .post("/t/{tenant}/bundles/{bundle}/describe", describe)
        .get("/t/{tenant}/bundles/{bundle}/tools/{bundled}", ask_rename)
        .post("/t/{tenant}/bundles/{bundle}/tools/{bundled}", rename)
        .get("/t/{tenant}/bundles/{bundle}/delete", ask_delete)
        .post("/t/{tenant}/bundles/{bundle}/delete", delete)
}

#[derive(Deserialize)]
struct OneBundle {
    bundle: String,
}

#[derive(Deserialize)]
struct OneTool {
    bundle: String,
    bundled: ToolId,
}

/// Who may not change the catalog finds nothing where it is changed, whatever they send.
fn may_change(person: &Person) -> Result<(), Refusal> {
    if person.visit.may(Deed::ChangeCatalog) { Ok(()) } else { Err(Refusal::NotFound) }
}

async fn table(State(dashboard): State<Dashboard>, person: Person) -> Result<Html<String>, Refusal> {
    Ok(Html(data::bundles::table(&dashboard.control, &person.actor, &person.visit).await?))
}

async fn page(dashboard: &Dashboard, person: &Person, bundle: &str, form: &Form) -> Result<String, Refusal> {
    Ok(data::bundles::one(&dashboard.control, &person.actor, &person.visit, bundle, form).await?)
}

async fn bundle(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneBundle { bundle }): Path<OneBundle>,
) -> Result<Html<String>, Refusal> {
    Ok(Html(page(&dashboard, &person, &bundle, &Form::default()).await?))
}

/// The page once more, with what stood in the way.
async fn wrong(
    dashboard: &Dashboard,
    person: &Person,
    bundle: &str,
    wrong: Vec<FieldError>,
) -> Result<Response, Refusal> {
    Ok(again(page(dashboard, person, bundle, &Form::default().wrong(wrong)).await?))
}

async fn ask_create(person: Person) -> Result<Html<String>, Refusal> {
    may_change(&person)?;
    let form = Form::default().with("naming", Naming::Full.word());
    Ok(Html(pages::new(&person.visit, &form)))
}

async fn create(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    let made = match typed.chosen::<Naming>("naming", "Choose what tools are called.") {
        Err(error) => Err(vec![error]),
        Ok(naming) => {
            let new = NewBundle {
                name: typed.text("name").trim().to_owned(),
                title: typed.text("title").to_owned(),
                naming,
            };
            match bundles::create(&dashboard.control, &person.actor, new).await {
                Ok(view) => Ok(view),
                Err(error) => Err(errors(error)?),
            }
        }
    };
    match made {
        Ok(view) => {
            let notice = Notice::new("The bundle is made. Put something in.");
            done(&person, notice, &person.links.bundle(&view.name)).await
        }
        Err(errors) => Ok(again(pages::new(&person.visit, &typed.wrong(errors)))),
    }
}

/// The tools that were ticked; an error that says so when none was.
fn ticked(typed: &Typed, what: &str) -> Result<Result<Vec<ToolId>, FieldError>, Refusal> {
    let mut tools = Vec::new();
    for value in typed.all("tool") {
        tools.push(value.parse().map_err(|_| Refusal::Unreadable)?);
    }
    Ok(if tools.is_empty() { Err(FieldError::new(FORM, what)) } else { Ok(tools) })
}

async fn add(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneBundle { bundle }): Path<OneBundle>,
    typed: Typed,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    let tools = match ticked(&typed, "Tick what you want to put in.")? {
        Ok(tools) => tools,
        Err(nothing) => return wrong(&dashboard, &person, &bundle, vec![nothing]).await,
    };
    match bundles::add(&dashboard.control, &person.actor, &bundle, &tools).await {
        Ok(added) => {
            let notice = Notice::new(match added {
                0 => "All of them were in it already.".to_owned(),
                1 => "1 tool was put in.".to_owned(),
                many => format!("{many} tools were put in."),
            });
            done(&person, notice, &person.links.bundle(&bundle)).await
        }
        Err(error) => wrong(&dashboard, &person, &bundle, errors(error)?).await,
    }
}

async fn remove(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneBundle { bundle }): Path<OneBundle>,
    typed: Typed,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    let tools = match ticked(&typed, "Tick what you want to take out.")? {
        Ok(tools) => tools,
        Err(nothing) => return wrong(&dashboard, &person, &bundle, vec![nothing]).await,
    };
    match bundles::remove(&dashboard.control, &person.actor, &bundle, &tools).await {
        Ok(taken) => {
            let tools = if taken == 1 { "tool was" } else { "tools were" };
            let notice = Notice::new(format!("{taken} {tools} taken out."));
            done(&person, notice, &person.links.bundle(&bundle)).await
        }
        Err(error) => wrong(&dashboard, &person, &bundle, errors(error)?).await,
    }
}

async fn ask_describe(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneBundle { bundle }): Path<OneBundle>,
) -> Result<Html<String>, Refusal> {
    may_change(&person)?;
    let page = data::bundles::describe(&dashboard.control, &person.actor, &person.visit, &bundle, None);
    Ok(Html(page.await?))
}

async fn describe(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneBundle { bundle }): Path<OneBundle>,
    typed: Typed,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    let (control, actor) = (&dashboard.control, &person.actor);
    let errors = match typed.chosen::<Naming>("naming", "Choose what tools are called.") {
        Err(error) => vec![error],
        Ok(naming) => match bundles::describe(control, actor, &bundle, typed.text("title"), naming).await {
            Ok(()) => {
                return done(&person, Notice::new("It is saved."), &person.links.bundle(&bundle)).await;
            }
            Err(error) => errors(error)?,
        },
    };
    let sent = Some(typed.wrong(errors));
    Ok(again(data::bundles::describe(control, actor, &person.visit, &bundle, sent).await?))
}

async fn ask_rename(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneTool { bundle, bundled: tool }): Path<OneTool>,
) -> Result<Html<String>, Refusal> {
    may_change(&person)?;
    let page = data::bundles::rename(&dashboard.control, &person.actor, &person.visit, (&bundle, tool), None);
    Ok(Html(page.await?))
}

async fn rename(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneTool { bundle, bundled: tool }): Path<OneTool>,
    typed: Typed,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    let (control, actor) = (&dashboard.control, &person.actor);
    let errors = match bundles::rename(control, actor, &bundle, tool, typed.text("here")).await {
        Ok(()) => {
            let notice = Notice::new("It is renamed: agents find it by its new name.");
            return done(&person, notice, &person.links.bundle(&bundle)).await;
        }
        Err(error) => errors(error)?,
    };
    let sent = Some(typed.wrong(errors));
    Ok(again(data::bundles::rename(control, actor, &person.visit, (&bundle, tool), sent).await?))
}

async fn ask_delete(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneBundle { bundle }): Path<OneBundle>,
) -> Result<Html<String>, Refusal> {
    may_change(&person)?;
    Ok(Html(data::bundles::delete(&dashboard.control, &person.actor, &person.visit, &bundle).await?))
}

async fn delete(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneBundle { bundle }): Path<OneBundle>,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    match bundles::delete(&dashboard.control, &person.actor, &bundle).await {
        Ok(gone) => {
            let notice = Notice::new(format!("{} is deleted.", app::text::one_line(&gone.title, 120)));
            done(&person, notice, &person.links.bundles()).await
        }
        Err(error) => wrong(&dashboard, &person, &bundle, errors(error)?).await,
    }
}

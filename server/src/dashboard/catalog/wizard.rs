//! Adding a module, step by step. Its server is asked in the background; each step is kept in the database.

use std::collections::HashMap;
use std::time::Duration;

use app::data;
use app::document::Notice;
use app::pieces::field::{FORM, FieldError};
use app::pieces::form::Form;
use app::wording;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use control::modules::drafts::{self, Asking, Choice, DraftState, Told};
use control::modules::{self, NewModule};
use control::{Actor, Error};
use gateway::Progress;
use http::StatusCode;
use model::DraftId;
use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::super::Dashboard;
use super::super::form::{Typed, again as form_again, done, errors};
use super::super::refusal::Refusal;
use super::super::session::Person;
use super::{amount, may_change, owner, soon_again};
use crate::discovery::{code, definitions};

/// How often what was found is written down while a server is being asked.
const WRITE: Duration = Duration::from_millis(150);

#[derive(Deserialize)]
pub(super) struct OneDraft {
    draft: String,
}

impl OneDraft {
    pub(super) fn id(&self) -> Result<DraftId, Refusal> {
        self.draft.parse().map_err(|_| Refusal::NotFound)
    }
}

/// Step 1.
pub(super) async fn start(
    State(dashboard): State<Dashboard>,
    person: Person,
) -> Result<Html<String>, Refusal> {
    let form = Form::default();
    Ok(Html(data::catalog::new_module(&dashboard.control, &person.actor, &person.visit, &form).await?))
}

/// Step 1 is filled in: on to step 2, where its server is asked.
pub(super) async fn begin(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    match ask(&dashboard, &person, None, &typed).await? {
        Ok(draft) => Ok(Redirect::to(&person.links.draft(draft)).into_response()),
        Err(wrong) => {
            let form = typed.wrong(wrong);
            let page =
                data::catalog::new_module(&dashboard.control, &person.actor, &person.visit, &form).await?;
            Ok(form_again(page))
        }
    }
}

/// Steps 2 and 3: being asked, not to be used, or to be reviewed.
pub(super) async fn draft(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneDraft>,
) -> Result<Response, Refusal> {
    let (page, asking) =
        data::catalog::draft(&dashboard.control, &person.actor, &person.visit, one.id()?, &Form::default())
            .await?;
    Ok(if asking { soon_again(page) } else { Html(page).into_response() })
}

/// What was wrong with step 1 is corrected, and its server asked again.
pub(super) async fn again(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneDraft>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let id = one.id()?;
    match ask(&dashboard, &person, Some(id), &typed).await? {
        Ok(draft) => Ok(Redirect::to(&person.links.draft(draft)).into_response()),
        Err(wrong) => {
            let form = typed.wrong(wrong);
            let (page, _) =
                data::catalog::draft(&dashboard.control, &person.actor, &person.visit, id, &form).await?;
            Ok(form_again(page))
        }
    }
}

/// Keeps what was typed, and has its server asked in the background.
async fn ask(
    dashboard: &Dashboard,
    person: &Person,
    draft: Option<DraftId>,
    typed: &Typed,
) -> Result<Result<DraftId, Vec<FieldError>>, Refusal> {
    let owner = match owner(dashboard, person, typed).await? {
        Ok(owner) => owner,
        Err(wrong) => return Ok(Err(vec![wrong])),
    };
    if let Some(name) = typed.text("url").trim().strip_prefix("stdio:")
        && !dashboard.gateway.programs.known.contains_key(name)
    {
        let known = dashboard.programs.as_deref().map_or_else(
            || "no programs are set up here: give an http:// or https:// address".to_owned(),
            |known| format!("there is no such program here; there is {known}"),
        );
        return Ok(Err(vec![FieldError::new("url", wording::sentence(&known))]));
    }
    let new = NewModule {
        name: typed.text("name").trim().to_owned(),
        title: typed.text("title").to_owned(),
        url: typed.text("url").to_owned(),
        owner,
        authorization: typed.maybe("authorization").map(SecretString::from),
    };
    match drafts::ask(&dashboard.control, &person.actor, draft, new).await {
        Ok(asking) => {
            let id = asking.draft;
            begin_asking(dashboard, person, asking);
            Ok(Ok(id))
        }
        Err(error) => Ok(Err(errors(error)?)),
    }
}

/// Has a draft's server asked in the background.
pub(super) fn begin_asking(dashboard: &Dashboard, person: &Person, asking: Asking) {
    let (dashboard, actor) = (dashboard.clone(), person.actor.clone());
    dashboard.work.clone().spawn(async move { ask_server(&dashboard, &actor, asking).await });
}

/// Asks a server, writing down how far it has come.
async fn ask_server(dashboard: &Dashboard, actor: &Actor, asking: Asking) {
    let Asking { draft, url, authorization, asked_at } = asking;
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let asked = async {
        let mut tell = |progress| {
            let _ = sender.send(progress);
        };
        let asked = dashboard.discoverer.ask(actor.tenant(), &url, authorization, &mut tell).await;
        drop(sender);
        asked
    };
    let written = async {
        let (mut server, mut seen) = (None, Vec::new());
        while let Some(first) = receiver.recv().await {
            let mut heard = vec![first];
            while let Ok(more) = receiver.try_recv() {
                heard.push(more);
            }
            for progress in heard {
                match progress {
                    Progress::Opened { server_name, server_version, protocol } => {
                        server = Some((server_name, server_version, protocol));
                    }
                    Progress::Tool { name } => seen.push(name),
                }
            }
            if let Some(server) = &server {
                let told = Told::Opened { server: server.clone(), seen: seen.clone() };
                write(dashboard, actor, draft, asked_at, told).await;
            }
            tokio::time::sleep(WRITE).await;
        }
    };
    let (asked, ()) = tokio::join!(asked, written);
    let told = match asked {
        Ok(found) => {
            let server = (found.server_name.clone(), found.server_version.clone(), found.protocol.clone());
            Told::Found { server, definitions: definitions(found) }
        }
        Err(error) => Told::Failed { code: code(&error), sentence: error.to_string() },
    };
    write(dashboard, actor, draft, asked_at, told).await;
}

async fn write(dashboard: &Dashboard, actor: &Actor, draft: DraftId, asked_at: model::Timestamp, told: Told) {
    if let Err(error) = drafts::tell(&dashboard.control, actor, draft, asked_at, told).await {
        tracing::warn!(
            error = crate::say::one_line(&error),
            "what a server offers could not be written down"
        );
    }
}

/// The review: into the catalog with it.
pub(super) async fn add(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneDraft>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let (control, actor, id) = (&dashboard.control, &person.actor, one.id()?);
    let draft = drafts::draft(control, actor, id).await?;
    if draft.state != DraftState::Found {
        return Ok(Redirect::to(&person.links.draft(id)).into_response());
    }
    let all = typed.ticked("all");
    let (mut choices, mut wrong) = (HashMap::new(), Vec::new());
    for (at, tool) in draft.offered.iter().enumerate().filter(|(_, tool)| tool.refused.is_none()) {
        let field = format!("p{at}");
        let price = match typed.values(&field).first().copied().unwrap_or_default().trim() {
            "" => None,
            text => match amount(text, field.clone(), person.visit.currency) {
                Ok(price) => Some(price),
                Err(error) => {
                    wrong.push(error);
                    None
                }
            },
        };
        let writes = match typed.values(&format!("k{at}")).first().copied() {
            Some("read") => false,
            Some(_) => true,
            None => !tool.read_only,
        };
        let approve = all || !typed.values(&format!("a{at}")).is_empty();
        choices.insert(tool.name.clone(), Choice { approve, writes, price });
    }
    if wrong.is_empty() {
        match drafts::finish(control, actor, id, typed.text("reviewed"), &choices).await {
            Ok((_, approved)) => {
                let to = person.links.module(&draft.name);
                let sentence = format!(
                    "{} is in the catalog, with {approved} approved {}. Nobody can use it yet: give `{2}`, `{2}:read` or `{2}:write` to a \
                     team or an agent.",
                    draft.title,
                    if approved == 1 { "tool" } else { "tools" },
                    draft.name
                );
                let notice = Notice::new(sentence).leading("Grants", person.links.grants());
                return done(&person, notice, &to).await;
            }
            Err(error) => wrong = errors(error)?,
        }
    }
    let form = typed.wrong(wrong);
    let (page, _) = data::catalog::draft(control, actor, &person.visit, id, &form).await?;
    Ok(form_again(page))
}

/// Throws a draft away.
pub(super) async fn discard(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneDraft>,
) -> Result<Response, Refusal> {
    drafts::discard(&dashboard.control, &person.actor, one.id()?).await?;
    done(&person, Notice::new("The module was not added."), &person.links.catalog()).await
}

/// Switches on a built-in module.
pub(super) async fn built_in(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    let (control, actor) = (&dashboard.control, &person.actor);
    let name = typed.text("module");
    match modules::enable_native(control, actor, name, person.actor.user_id()).await {
        Ok(_) => {
            let title = control::native::find(name).map_or(name, |native| native.title);
            let sentence = format!(
                "{title} is in the catalog, its tools approved, and you are its owner. Nobody can use it yet: give `{name}:read` or \
                 `{name}:write` to a team or an agent."
            );
            let notice = Notice::new(sentence).leading("Grants", person.links.grants());
            done(&person, notice, &person.links.module(name)).await
        }
        Err(Error::Refused { sentence, .. }) => {
            let form = Form::default().wrong(vec![FieldError::new(FORM, wording::sentence(&sentence))]);
            let page = data::catalog::new_module(control, actor, &person.visit, &form).await?;
            Ok((StatusCode::CONFLICT, Html(page)).into_response())
        }
        Err(other) => Err(other.into()),
    }
}

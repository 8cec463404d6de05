//! Connecting a module by OAuth: a form, a page that says where the person goes and for what, and the way back. Without
//! JavaScript: the way there is a link, since forms lead nowhere but here (`form-action`).

use std::time::Duration;

use app::data::catalog::{OAuthTarget, oauth_subject};
use app::document::Notice;
use app::links::Links;
use app::pages::catalog::oauth as pages;
use app::pieces::field::{FORM, FieldError};
use app::pieces::form::Form;
use app::wording;
use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use control::modules::connecting::{self, Application, Asked, Given, NotBack, Sent, Target, Trouble};
use control::modules::drafts;
use model::people::Slug;
use serde::Deserialize;
use url::Url;

use super::super::Dashboard;
use super::super::form::{Typed, again, done, errors};
use super::super::refusal::Refusal;
use super::super::session::Person;
use super::may_change;
use super::modules::OneModule;
use super::wizard::{OneDraft, begin_asking};
use crate::discovery::Discoverer;

/// How long others may take until the person is told that they took too long. Less than a page is waited for.
const PATIENCE: Duration = Duration::from_secs(16);
/// What authorization servers show people who are asked for access.
const NAME: &str = "WorkingAgents";

#[derive(Deserialize)]
pub(super) struct InTenant {
    tenant: String,
}

/// Before anybody is asked.
pub(super) async fn ask_module(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneModule { module }): Path<OneModule>,
) -> Result<Html<String>, Refusal> {
    Ok(Html(form(&dashboard, &person, &OAuthTarget::Module(module), &Form::default()).await?))
}

/// The same for one that is being added.
pub(super) async fn ask_draft(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(draft): Path<OneDraft>,
) -> Result<Html<String>, Refusal> {
    Ok(Html(form(&dashboard, &person, &OAuthTarget::Draft(draft.id()?), &Form::default()).await?))
}

/// Finds out who gives access, and says where to go.
pub(super) async fn begin_module(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneModule { module }): Path<OneModule>,
    typed: Typed,
) -> Result<Response, Refusal> {
    begin(&dashboard, &person, &OAuthTarget::Module(module), &typed).await
}

/// The same for one that is being added.
pub(super) async fn begin_draft(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(draft): Path<OneDraft>,
    typed: Typed,
) -> Result<Response, Refusal> {
    begin(&dashboard, &person, &OAuthTarget::Draft(draft.id()?), &typed).await
}

async fn begin(
    dashboard: &Dashboard,
    person: &Person,
    target: &OAuthTarget,
    typed: &Typed,
) -> Result<Response, Refusal> {
    may_change(person)?;
    let secret = typed.maybe("client_secret").map(|secret| secret.trim().to_owned());
    let given = match (typed.maybe("client_id"), secret) {
        (Some(id), secret) => Some(Given::new(id.trim(), secret)),
        (None, None) => None,
        (None, Some(_)) => {
            let wrong = FieldError::new("client_id", "Give the client ID that this secret belongs to.");
            return Ok(again(form(dashboard, person, target, &typed.wrong(vec![wrong])).await?));
        }
    };
    let anew = typed.ticked("anew");
    let sent = tokio::time::timeout(PATIENCE, send(dashboard, person, target, given, anew)).await;
    let wrong = match sent {
        Ok(Ok(sent)) => {
            let subject = oauth_subject(
                &dashboard.control,
                &person.actor,
                &person.visit,
                target,
                &redirect(dashboard, &person.links),
            )
            .await?;
            return Ok(Html(pages::leave(&person.visit, &subject, &sent)).into_response());
        }
        Ok(Err(NotSent::Server(error))) => vec![FieldError::new(FORM, wording::sentence(&error.to_string()))],
        Ok(Err(NotSent::Trouble(trouble))) => in_words(trouble)?,
        Err(_) => {
            let sentence = format!(
                "The server, or who gives access to it, did not answer within {} seconds. Try again in a moment.",
                PATIENCE.as_secs()
            );
            vec![FieldError::new(FORM, sentence)]
        }
    };
    Ok(again(form(dashboard, person, target, &typed.wrong(wrong)).await?))
}

/// Why nobody was sent anywhere.
enum NotSent {
    Server(gateway::DiscoveryError),
    Trouble(Trouble),
}

async fn send(
    dashboard: &Dashboard,
    person: &Person,
    target: &OAuthTarget,
    given: Option<Given>,
    anew: bool,
) -> Result<Sent, NotSent> {
    let (control, actor) = (&dashboard.control, &person.actor);
    let of_control = |error: control::Error| NotSent::Trouble(error.into());
    let (target, url) = match target {
        OAuthTarget::Draft(id) => {
            (Target::Draft(*id), Some(drafts::draft(control, actor, *id).await.map_err(of_control)?.url))
        }
        OAuthTarget::Module(name) => {
            let found = control::modules::find(control, actor, name).await.map_err(of_control)?;
            (Target::Module(found.view.id), found.view.url)
        }
    };
    let discoverer: &Discoverer = &dashboard.discoverer;
    let challenge = match url {
        Some(url) => discoverer.challenge(actor.tenant(), &url).await.map_err(NotSent::Server)?,
        // One that is built in, which is said below.
        None => None,
    };
    let session = person.here().unwrap_or_default();
    let application = application(dashboard, &person.links).ok_or_else(|| {
        of_control(control::Error::Refused {
            code: "no_origin",
            sentence: "the address of this dashboard is not one that people can come back to".to_owned(),
        })
    })?;
    let asked = Asked {
        target,
        session: &session,
        application: &application,
        challenge: challenge.as_ref(),
        given,
        anew,
    };
    connecting::begin(control, actor, discoverer.way(), asked).await.map_err(NotSent::Trouble)
}

/// They came back: with a code, or with a refusal.
pub(super) async fn callback(
    State(dashboard): State<Dashboard>,
    person: Person,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    let (control, actor) = (&dashboard.control, &person.actor);
    let session = person.here().unwrap_or_default();
    let query = query.unwrap_or_default();
    let back = connecting::come_back(control, actor, &session, dashboard.discoverer.way(), &query).await;
    match back {
        Ok(back) => match back.target {
            Target::Module(_) => {
                let sentence = format!("{} is connected. Its calls use this access from now on.", back.title);
                done(&person, Notice::new(sentence), &person.links.module(&back.name)).await
            }
            Target::Draft(draft) => {
                let asking = drafts::ask_again(control, actor, draft).await?;
                begin_asking(&dashboard, &person, asking);
                let notice = Notice::new(format!("{} is connected.", back.title));
                done(&person, notice, &person.links.draft(draft)).await
            }
        },
        Err(NotBack { target: Some((target, name)), why }) => {
            let wrong = in_words(why)?;
            let target = match target {
                Target::Module(_) => OAuthTarget::Module(name),
                Target::Draft(draft) => OAuthTarget::Draft(draft),
            };
            Ok(again(form(&dashboard, &person, &target, &Form::default().wrong(wrong)).await?))
        }
        // Nothing is known of what was to be connected.
        Err(NotBack { target: None, why }) => {
            let said: Vec<String> = in_words(why)?.into_iter().map(|error| error.sentence).collect();
            done(
                &person,
                Notice::new(format!("Nothing was connected. {}", said.join(" "))),
                &person.links.catalog(),
            )
            .await
        }
    }
}

/// The document about us as a client, which stands at our client ID (OAuth Client ID Metadata Document). It is the same for
/// whatever organization is named, so that it tells nobody which there are.
pub(super) async fn client(
    State(dashboard): State<Dashboard>,
    Path(InTenant { tenant }): Path<InTenant>,
) -> Result<Response, Refusal> {
    let slug: Slug = tenant.parse().map_err(|_| Refusal::NotFound)?;
    let application = application(&dashboard, &Links::of(slug)).ok_or(Refusal::NotFound)?;
    if application.document.is_none() {
        return Err(Refusal::NotFound);
    }
    Ok(Json(authorization::document(&application)).into_response())
}

async fn form(
    dashboard: &Dashboard,
    person: &Person,
    target: &OAuthTarget,
    form: &Form,
) -> Result<String, Refusal> {
    may_change(person)?;
    let redirect = redirect(dashboard, &person.links);
    let subject = oauth_subject(&dashboard.control, &person.actor, &person.visit, target, &redirect).await?;
    Ok(pages::ask(&person.visit, &subject, form))
}

fn redirect(dashboard: &Dashboard, links: &Links) -> String {
    format!("{}{}", dashboard.origin, links.oauth_callback())
}

/// What we say of ourselves. Only who is reached by `https` can be looked up by others.
fn application(dashboard: &Dashboard, links: &Links) -> Option<Application> {
    let document = format!("{}{}", dashboard.origin, links.oauth_client());
    Some(Application {
        name: NAME.to_owned(),
        redirect: Url::parse(&redirect(dashboard, links)).ok()?,
        document: Url::parse(&document).ok().filter(|_| dashboard.secure),
    })
}

/// What stood in the way, for the form; everything else is a page of its own.
fn in_words(trouble: Trouble) -> Result<Vec<FieldError>, Refusal> {
    match trouble {
        Trouble::Authorization(error) => {
            Ok(vec![FieldError::new(FORM, wording::sentence(&error.to_string()))])
        }
        Trouble::Control(error) => Ok(errors(error)?),
    }
}

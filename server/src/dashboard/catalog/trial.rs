//! Trying a tool: the arguments are checked, the person's leave is recorded, and the call is made as any call of the agent.

use std::time::Duration;

use app::data;
use app::data::catalog::TrialQuery;
use app::pieces::field::{FORM, FieldError};
use app::schema::{Definition, form as schema_form};
use app::wording;
use axum::RequestExt as _;
use axum::extract::{Path, Request, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use control::modules::trial;
use gateway::{Entrusted, NotMade};
use model::CallId;
use model::call::Client;

use super::super::Dashboard;
use super::super::form::{Typed, again, errors};
use super::super::refusal::Refusal;
use super::super::session::Person;
use super::soon_again;
use super::tools::OneTool;

/// How long the page waits for the call; afterwards it looks again by itself.
const WAIT: Duration = Duration::from_secs(8);
/// How long it waits for what came of a call to be on record.
const RECORD: Duration = Duration::from_secs(2);

/// The form, and the call that was made with it.
pub(super) async fn form(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneTool>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let call: Option<CallId> = match typed.maybe("call") {
        Some(text) => Some(text.parse().map_err(|_| Refusal::NotFound)?),
        None => None,
    };
    let query = TrialQuery { call, as_json: is_json(&typed), agents: looked_for(&typed), sent: None };
    let (page, waiting) =
        data::catalog::trial(&dashboard.control, &person.actor, &person.visit, one.names(), query).await?;
    Ok(if waiting { soon_again(page) } else { Html(page).into_response() })
}

fn is_json(typed: &Typed) -> bool {
    typed.text("as") == "json"
}

fn looked_for(typed: &Typed) -> String {
    typed.text("agents").replace('\0', "").trim().chars().take(120).collect()
}

/// Makes the call.
pub(super) async fn call(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneTool>,
    request: Request,
) -> Result<Response, Response> {
    let (parts, body) = request.into_parts();
    let address = gateway::caller_address(&parts, &dashboard.gateway);
    let typed: Typed = Request::from_parts(parts, body).extract().await?;
    Ok(make(&dashboard, &person, &one, typed, address).await?)
}

async fn make(
    dashboard: &Dashboard,
    person: &Person,
    one: &OneTool,
    typed: Typed,
    address: Option<std::net::IpAddr>,
) -> Result<Response, Refusal> {
    let tool = one.found(dashboard, person).await?;
    let definition = Definition::read(&tool.detail.definition);
    let fields = match schema_form::fields(&definition.input) {
        schema_form::Fields::Some(_) if is_json(&typed) => schema_form::Fields::Json,
        fields => fields,
    };
    let mut wrong = Vec::new();
    let credential = typed
        .chosen("credential", "Choose the agent that makes the call.")
        .map_err(|error| wrong.push(error));
    let arguments = match schema_form::read(&definition.input, &fields, &|name| typed.values(name)) {
        Ok(arguments) => Some(arguments),
        Err(errors) => {
            wrong.extend(errors);
            None
        }
    };
    if let (Ok(credential), Some(arguments), true) = (credential, arguments, wrong.is_empty()) {
        let name = format!("{}.{}", tool.module.name, tool.detail.view.name);
        match trial::leave(&dashboard.control, &person.actor, credential, &name).await {
            Ok(leave) => {
                let entrusted = Entrusted {
                    endpoint: leave.endpoint,
                    credential: leave.credential,
                    call: leave.call,
                    at: leave.at,
                    tool: name,
                    arguments: arguments.json().into(),
                    client: Client {
                        name: Some("WorkingAgents dashboard".into()),
                        version: Some(env!("CARGO_PKG_VERSION").into()),
                        protocol: None,
                        session: None,
                        address,
                    },
                };
                match made(dashboard, person, entrusted).await? {
                    Ok(()) => {
                        let (module, tool) = one.names();
                        let mut query = form_urlencoded::Serializer::new(String::new());
                        query.append_pair("call", &leave.call.to_string());
                        if is_json(&typed) {
                            query.append_pair("as", "json");
                        }
                        let here = person.links.tool_to(module, tool, "try");
                        return Ok(Redirect::to(&format!("{here}?{}", query.finish())).into_response());
                    }
                    Err(error) => wrong.push(FieldError::new(FORM, told(&error))),
                }
            }
            Err(control::Error::NotFound { .. }) => wrong.push(FieldError::new(
                "credential",
                "Choose an agent of yours whose key is in force: this one is not, or not any more.",
            )),
            Err(error) => wrong.extend(errors(error)?),
        }
    }
    let query = TrialQuery {
        as_json: is_json(&typed),
        agents: looked_for(&typed),
        sent: Some(typed.wrong(wrong)),
        call: None,
    };
    let (page, _) =
        data::catalog::trial(&dashboard.control, &person.actor, &person.visit, one.names(), query).await?;
    Ok(again(page))
}

/// Has the call made, and waits a while for it: it goes on, and is recorded, whether or not somebody waits.
async fn made(
    dashboard: &Dashboard,
    person: &Person,
    entrusted: Entrusted,
) -> Result<Result<(), NotMade>, Refusal> {
    let gateway = dashboard.calls.get().cloned().ok_or(Refusal::Unavailable)?;
    let call = entrusted.call;
    let task = dashboard.work.spawn(async move { gateway.call_as(entrusted).await });
    match tokio::time::timeout(WAIT, task).await {
        // It is under way: the page looks again.
        Err(_) => return Ok(Ok(())),
        Ok(Err(_)) => return Err(Refusal::Broken),
        Ok(Ok(Err(error))) => return Ok(Err(error)),
        Ok(Ok(Ok(()))) => {}
    }
    // What came of it is written down a moment later.
    let settled = async {
        loop {
            let story = control::activity::story(&dashboard.control, &person.actor, call).await?;
            let over = story.is_some_and(|story| {
                story.row.outcome.is_some() || story.row.verdict != model::call::Verdict::Permit
            });
            if over {
                return Ok::<(), control::Error>(());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    if let Ok(result) = tokio::time::timeout(RECORD, settled).await {
        result?;
    }
    Ok(Ok(()))
}

fn told(error: &NotMade) -> String {
    let sentence = wording::sentence(&error.to_string());
    match error {
        NotMade::Malformed(_) | NotMade::NotAnObject { .. } => sentence,
        NotMade::Revoked | NotMade::NotRecorded { .. } => format!("{sentence} Nothing was done."),
    }
}

//! One module: its page, what its server offers now, its approvals, its standing, what is presented to it.

use app::data;
use app::data::catalog::ModuleForm;
use app::document::Notice;
use app::pages::catalog::Query;
use app::pieces::field::{FORM, FieldError};
use app::pieces::form::Form;
use app::wording;
use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, Response};
use control::modules::{self, Asked, Discovery, ModulePage, connections};
use model::ToolId;
use model::call::Digest;
use secrecy::SecretString;
use serde::Deserialize;

use super::super::Dashboard;
use super::super::form::{Typed, again, done, errors};
use super::super::refusal::Refusal;
use super::super::session::Person;
use super::{may_change, owner};
use crate::discovery::NotDiscovered;

#[derive(Deserialize)]
pub(super) struct OneModule {
    pub(super) module: String,
}

/// `/catalog/{module}`.
pub(super) async fn module(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneModule { module }): Path<OneModule>,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, Refusal> {
    let query = Query { tools: false, ..Query::read(&query.unwrap_or_default()) };
    let page = page(&dashboard, &person, &module, &query, &Form::default()).await?;
    Ok(Html(page))
}

async fn page(
    dashboard: &Dashboard,
    person: &Person,
    module: &str,
    query: &Query,
    form: &Form,
) -> Result<String, Refusal> {
    Ok(data::catalog::module(&dashboard.control, &person.actor, &person.visit, module, query, form).await?)
}

/// The page once more, with what stood in the way.
async fn wrong(
    dashboard: &Dashboard,
    person: &Person,
    module: &str,
    wrong: Vec<FieldError>,
) -> Result<Response, Refusal> {
    let form = Form::default().wrong(wrong);
    Ok(again(page(dashboard, person, module, &Query::default(), &form).await?))
}

/// A module that the person may change.
async fn to_change(dashboard: &Dashboard, person: &Person, module: &str) -> Result<ModulePage, Refusal> {
    may_change(person)?;
    Ok(modules::module_page(&dashboard.control, &person.actor, module, &Asked::default()).await?)
}

/// Asks its server what it offers now. What changed is frozen until somebody approves it.
pub(super) async fn rediscover(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneModule { module }): Path<OneModule>,
) -> Result<Response, Refusal> {
    let there = to_change(&dashboard, &person, &module).await?;
    let connection = there.connection.map(|(id, _)| id);
    match dashboard.discoverer.rediscover(&person.actor, &there.view, connection, None).await {
        Ok(discovery) => {
            let to = person.links.module(&module);
            let to = match (discovery.drifted.is_empty(), discovery.proposed.is_empty()) {
                (false, _) => format!("{to}?standing=drifted"),
                (true, false) => format!("{to}?standing=proposed"),
                (true, true) => to,
            };
            done(&person, Notice::new(in_words(&there.view.title, &discovery)), &to).await
        }
        Err(NotDiscovered::Server(error)) => {
            let sentence = wording::sentence(&error.to_string());
            wrong(&dashboard, &person, &module, vec![FieldError::new(FORM, sentence)]).await
        }
        Err(NotDiscovered::Control(error)) => wrong(&dashboard, &person, &module, errors(error)?).await,
    }
}

/// What became of its tools, in one sentence for each kind of change.
fn in_words(title: &str, discovery: &Discovery) -> String {
    let mut words = vec![format!("The server of {title} was asked.")];
    let kinds = [
        (&discovery.drifted, "changed and frozen until the change is approved"),
        (&discovery.proposed, "new, to be approved"),
        (&discovery.restored, "what was approved once more"),
        (&discovery.withdrawn, "no longer offered"),
        (&discovery.suspect, "to be looked at closely"),
    ];
    for (names, what) in kinds.into_iter().filter(|(names, _)| !names.is_empty()) {
        let some: Vec<String> = names
            .iter()
            .take(5)
            .map(|name| format!("`{}`", app::text::one_line(name, 60).replace('`', "'")))
            .collect();
        let more = names.len().saturating_sub(some.len());
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        words.push(format!("{}{more}: {what}.", some.join(", ")));
    }
    if words.len() == 1 {
        words.push("Nothing has changed.".to_owned());
    }
    if !discovery.refused.is_empty() {
        words.push(format!("{} of its tools cannot be taken.", discovery.refused.len()));
    }
    words.join(" ")
}

/// Approves what was ticked, each as it was seen.
pub(super) async fn approve(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneModule { module }): Path<OneModule>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let there = to_change(&dashboard, &person, &module).await?;
    let mut reviewed: Vec<(ToolId, Digest)> = Vec::new();
    for value in typed.all("approve") {
        let read = value.split_once('.').and_then(|(tool, hash)| Some((tool.parse().ok()?, digest(hash)?)));
        reviewed.push(read.ok_or(Refusal::Unreadable)?);
    }
    if reviewed.is_empty() {
        let nothing = FieldError::new(FORM, "Tick the tools that you want to approve.");
        return wrong(&dashboard, &person, &module, vec![nothing]).await;
    }
    match modules::approve_some(&dashboard.control, &person.actor, there.view.id, &reviewed).await {
        Ok((approved, left)) => {
            let left = match left {
                0 => String::new(),
                1 => " 1 was not: it has changed since you looked.".to_owned(),
                left => format!(" {left} were not: they have changed since you looked."),
            };
            let tools = if approved == 1 { "tool is" } else { "tools are" };
            let notice = Notice::new(format!("{approved} {tools} approved.{left}"));
            done(&person, notice, &person.links.module(&module)).await
        }
        Err(error) => wrong(&dashboard, &person, &module, errors(error)?).await,
    }
}

/// A SHA-256 in hexadecimal.
pub(super) fn digest(hex_digits: &str) -> Option<Digest> {
    hex::decode(hex_digits).ok()?.try_into().ok()
}

/// Asks before it is switched off.
pub(super) async fn ask_off(
    dashboard: State<Dashboard>,
    person: Person,
    module: Path<OneModule>,
) -> Result<Html<String>, Refusal> {
    form(&dashboard, &person, &module.module, ModuleForm::Off, None).await
}

async fn form(
    dashboard: &Dashboard,
    person: &Person,
    module: &str,
    which: ModuleForm,
    sent: Option<Form>,
) -> Result<Html<String>, Refusal> {
    may_change(person)?;
    let page =
        data::catalog::module_form(&dashboard.control, &person.actor, &person.visit, module, which, sent)
            .await?;
    Ok(Html(page))
}

/// Switches it off.
pub(super) async fn off(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneModule { module }): Path<OneModule>,
) -> Result<Response, Refusal> {
    let there = to_change(&dashboard, &person, &module).await?;
    match modules::switch_off(&dashboard.control, &person.actor, there.view.id).await {
        Ok(()) => {
            let sentence =
                format!("{} is off: the next call of each of its tools is refused.", there.view.title);
            done(&person, Notice::new(sentence), &person.links.module(&module)).await
        }
        Err(error) => wrong(&dashboard, &person, &module, errors(error)?).await,
    }
}

/// Switches it on.
pub(super) async fn on(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneModule { module }): Path<OneModule>,
) -> Result<Response, Refusal> {
    let there = to_change(&dashboard, &person, &module).await?;
    match modules::switch_on(&dashboard.control, &person.actor, there.view.id).await {
        Ok(()) => {
            let notice = Notice::new(format!("{} takes calls again.", there.view.title));
            done(&person, notice, &person.links.module(&module)).await
        }
        Err(error) => wrong(&dashboard, &person, &module, errors(error)?).await,
    }
}

/// Its title and owner.
pub(super) async fn ask_describe(
    dashboard: State<Dashboard>,
    person: Person,
    module: Path<OneModule>,
) -> Result<Html<String>, Refusal> {
    form(&dashboard, &person, &module.module, ModuleForm::Describe, None).await
}

/// Changes them.
pub(super) async fn describe(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneModule { module }): Path<OneModule>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let there = to_change(&dashboard, &person, &module).await?;
    let (control, actor, id) = (&dashboard.control, &person.actor, there.view.id);
    let done_so = match owner(&dashboard, &person, &typed).await? {
        Ok(owner) => match modules::describe(control, actor, id, typed.text("title"), owner).await {
            Ok(()) => Ok(()),
            Err(error) => Err(errors(error)?),
        },
        Err(error) => Err(vec![error]),
    };
    match done_so {
        Ok(()) => {
            let notice = Notice::new("Title and owner are changed.");
            done(&person, notice, &person.links.module(&module)).await
        }
        Err(errors) => {
            let Html(page) =
                form(&dashboard, &person, &module, ModuleForm::Describe, Some(typed.wrong(errors))).await?;
            Ok(again(page))
        }
    }
}

/// What is presented to its server.
pub(super) async fn ask_connection(
    dashboard: State<Dashboard>,
    person: Person,
    module: Path<OneModule>,
) -> Result<Html<String>, Refusal> {
    form(&dashboard, &person, &module.module, ModuleForm::Connection, None).await
}

/// Presents another secret from now on.
pub(super) async fn connection(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneModule { module }): Path<OneModule>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let there = to_change(&dashboard, &person, &module).await?;
    let secret = SecretString::from(typed.text("authorization").trim());
    match connections::set(
        &dashboard.control,
        &person.actor,
        dashboard.discoverer.way(),
        there.view.id,
        &secret,
    )
    .await
    {
        Ok(_) => {
            let sentence = format!("{} is presented this secret from the next call on.", there.view.title);
            done(&person, Notice::new(sentence), &person.links.module(&module)).await
        }
        Err(error) => {
            let sent = Form::default().wrong(errors(error)?);
            let Html(page) = form(&dashboard, &person, &module, ModuleForm::Connection, Some(sent)).await?;
            Ok(again(page))
        }
    }
}

/// Asks before nothing is presented any more.
pub(super) async fn ask_revoke(
    dashboard: State<Dashboard>,
    person: Person,
    module: Path<OneModule>,
) -> Result<Html<String>, Refusal> {
    form(&dashboard, &person, &module.module, ModuleForm::RevokeConnection, None).await
}

/// Presents nothing any more.
pub(super) async fn revoke(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneModule { module }): Path<OneModule>,
) -> Result<Response, Refusal> {
    let there = to_change(&dashboard, &person, &module).await?;
    connections::revoke(&dashboard.control, &person.actor, dashboard.discoverer.way(), there.view.id).await?;
    let sentence = format!("{} is presented nothing any more.", there.view.title);
    done(&person, Notice::new(sentence), &person.links.module(&module)).await
}

//! Modules and tools.

use control::actor::Actor;
use control::limits::About;
use control::modules::{self, drafts, trial};
use control::{Control, Error, activity, native};
use model::call::Content;
use model::{CallId, DraftId};

use crate::document::Visit;
use crate::pages::catalog::confirm;
use crate::pages::catalog::oauth::Subject;
use crate::pages::catalog::table::{self, Shown};
use crate::pages::catalog::trial::Trial;
use crate::pages::catalog::wizard::{self, BuiltIn};
use crate::pages::catalog::{Query, module, tool};
use crate::pieces::form::Form;
use crate::schema::form::{self, Fields, JSON};
use crate::schema::{Definition, Tree};

/// The table of modules, or of tools.
pub async fn table(control: &Control, actor: &Actor, visit: &Visit, query: &Query) -> Result<String, Error> {
    let shown = if query.tools {
        Shown::Tools(modules::tools_page(control, actor, None, &query.asked).await?)
    } else {
        Shown::Modules(modules::modules_page(control, actor, &query.asked).await?)
    };
    Ok(table::page(visit, query, shown))
}

/// One module; `form` says what was wrong with what was done on its page.
pub async fn module(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    name: &str,
    query: &Query,
    form: &Form,
) -> Result<String, Error> {
    let found = modules::module_page(control, actor, name, &query.asked).await?;
    let limits = super::limits::about(control, actor, About::Module(found.view.id)).await?;
    Ok(module::page(visit, query, found, limits, form))
}

/// One tool; `form` holds what was typed as its price, or as its timeouts.
pub async fn tool(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    names: (&str, &str),
    form: &Form,
) -> Result<String, Error> {
    let found = modules::tool_page(control, actor, names.0, names.1).await?;
    let limits = super::limits::about(control, actor, About::Tool(found.detail.view.id)).await?;
    Ok(tool::page(visit, found, limits, form))
}

/// Forms of a module, and questions before something is done with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ModuleForm {
    /// Before it is switched off.
    Off,
    /// Its title and owner.
    Describe,
    /// What is presented to its server.
    Connection,
    /// Before nothing is presented any more.
    RevokeConnection,
}

/// One of them. Without a form that was sent, it begins with what is there.
pub async fn module_form(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    name: &str,
    which: ModuleForm,
    sent: Option<Form>,
) -> Result<String, Error> {
    let found = modules::module_page(control, actor, name, &modules::Asked::default()).await?;
    Ok(match which {
        ModuleForm::Off => confirm::off(visit, &found),
        ModuleForm::Describe => {
            let owner = found.owner.as_ref().map(|(_, email)| email.clone()).unwrap_or_default();
            let begin = || Form::default().with("title", found.view.title.clone()).with("owner", owner);
            confirm::describe(visit, &found, &sent.unwrap_or_else(begin))
        }
        ModuleForm::Connection => confirm::connection(visit, &found, &sent.unwrap_or_default()),
        ModuleForm::RevokeConnection => confirm::revoke_connection(visit, &found),
    })
}

/// What is connected, as the pages of connecting it show it. `redirect` is where people come back to.
pub async fn oauth_subject(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    target: &OAuthTarget,
    redirect: &str,
) -> Result<Subject, Error> {
    let links = visit.links();
    Ok(match target {
        OAuthTarget::Module(name) => {
            let found = modules::module_page(control, actor, name, &modules::Asked::default()).await?;
            Subject {
                page: links.module(name),
                here: links.module_to(name, "oauth"),
                redirect: redirect.to_owned(),
                token: found.token,
                is_draft: false,
                title: found.view.title,
            }
        }
        OAuthTarget::Draft(id) => {
            let found = drafts::draft(control, actor, *id).await?;
            Subject {
                page: links.draft(*id),
                here: links.draft_to(*id, "oauth"),
                redirect: redirect.to_owned(),
                token: None,
                is_draft: true,
                title: found.title,
            }
        }
    })
}

/// What is connected, as addresses name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OAuthTarget {
    /// A module, by its permission key.
    Module(String),
    /// One that is being added.
    Draft(DraftId),
}

/// Before a tool is withdrawn.
pub async fn withdraw(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    names: (&str, &str),
) -> Result<String, Error> {
    Ok(confirm::withdraw(visit, &modules::tool_page(control, actor, names.0, names.1).await?))
}

/// Which key a tool asks for.
pub async fn tool_key(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    names: (&str, &str),
    sent: Option<Form>,
) -> Result<String, Error> {
    let found = modules::tool_page(control, actor, names.0, names.1).await?;
    let part = found.detail.view.key.as_str().split(':').nth(1).unwrap_or_default().to_owned();
    let form = sent.unwrap_or_else(|| Form::default().with("key", part));
    Ok(confirm::tool_key(visit, &found, &form))
}

/// The first step of adding a module.
pub async fn new_module(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    form: &Form,
) -> Result<String, Error> {
    let drafts = drafts::drafts(control, actor).await?;
    let mut built_in = Vec::new();
    for native in native::MODULES {
        let there = match modules::module_page(control, actor, native.name, &modules::Asked::default()).await
        {
            Ok(_) => true,
            Err(Error::NotFound { .. }) => false,
            Err(other) => return Err(other),
        };
        built_in.push(BuiltIn { name: native.name, title: native.title, there });
    }
    Ok(wizard::start(visit, form, &built_in, &drafts))
}

/// A draft as far as it has come, and whether its server is still being asked.
pub async fn draft(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    id: DraftId,
    form: &Form,
) -> Result<(String, bool), Error> {
    let found = drafts::draft(control, actor, id).await?;
    let asking = found.state == drafts::DraftState::Asking;
    Ok((wizard::draft(visit, &found, form), asking))
}

/// What a page of trying a tool is asked for.
#[derive(Clone, Default, Debug)]
pub struct TrialQuery {
    /// The call that was made.
    pub call: Option<CallId>,
    /// Whether the arguments are entered as JSON.
    pub as_json: bool,
    /// Part of an agent's name.
    pub agents: String,
    /// What was sent, with what is wrong.
    pub sent: Option<Form>,
}

/// Trying a tool: its form, and the call that was made; and whether that is still under way.
pub async fn trial(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    names: (&str, &str),
    query: TrialQuery,
) -> Result<(String, bool), Error> {
    let found = modules::tool_page(control, actor, names.0, names.1).await?;
    let full_name = format!("{}.{}", found.module.name, found.detail.view.name);
    let identities = trial::identities_for(control, actor, &query.agents, &full_name).await?;
    let definition = Definition::read(&found.detail.definition);
    let fields = form::fields(&definition.input);
    let called = match query.call {
        Some(call) => activity::story(control, actor, call).await?,
        None => None,
    };
    // Another tool's call says nothing here.
    let called = called.filter(|story| story.row.tool_name == full_name);
    let is_over = |story: &model::call::CallStory| {
        story.row.outcome.is_some() || story.row.verdict != model::call::Verdict::Permit
    };
    // A call that was made just now may not be on record yet; one that never was is not waited for.
    let waiting = match (&called, query.call) {
        (Some(story), _) => !is_over(story),
        (None, Some(call)) => is_young(call, visit),
        (None, None) => false,
    };
    let form = match query.sent {
        Some(form) => form,
        None => begin(&fields, called.as_ref().map(|story| &story.arguments), query.as_json),
    };
    let trial = Trial {
        tool: found,
        fields,
        as_json: query.as_json,
        identities,
        looked_for: query.agents,
        form,
        called: called.filter(is_over),
        waiting,
    };
    Ok((crate::pages::catalog::trial::page(visit, trial), waiting))
}

/// Whether a call's id was made within the last two minutes.
fn is_young(call: CallId, visit: &Visit) -> bool {
    let made = call.uuid().get_timestamp().map(|at| at.to_unix().0);
    let now = u64::try_from(visit.site.now.timestamp()).unwrap_or(0);
    made.is_some_and(|made| now.abs_diff(made) < 120)
}

/// The fields at first: what was sent the last time, or what is there if nothing is given.
fn begin(fields: &Fields, arguments: Option<&Content>, as_json: bool) -> Form {
    let text = match arguments {
        Some(Content::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let arguments = text.and_then(Tree::read);
    match fields {
        Fields::Some(fields) if !as_json => Form::new(form::values(fields, arguments.as_ref())),
        _ => Form::default().with(JSON, text.unwrap_or("{}")),
    }
}

//! One tool: its page, its approval, its key, its price and its timeouts.

use std::time::Duration;

use app::data;
use app::document::Notice;
use app::links::named;
use app::pieces::field::FieldError;
use app::pieces::form::Form;
use axum::extract::{Path, State};
use axum::response::{Html, Response};
use control::modules::{self, ToolPage};
use model::catalog::Timeouts;
use serde::Deserialize;

use super::super::Dashboard;
use super::super::form::{Typed, again, done, errors};
use super::super::refusal::Refusal;
use super::super::session::Person;
use super::modules::digest;
use super::{amount, may_change};

#[derive(Deserialize)]
pub(super) struct OneTool {
    module: String,
    tool: String,
}

impl OneTool {
    /// The names of the module and of the tool inside it.
    pub(super) fn names(&self) -> (&str, &str) {
        (&self.module, named(&self.tool))
    }

    pub(super) fn href(&self, person: &Person) -> String {
        person.links.tool(&self.module, named(&self.tool))
    }

    pub(super) async fn found(&self, dashboard: &Dashboard, person: &Person) -> Result<ToolPage, Refusal> {
        let (module, tool) = self.names();
        Ok(modules::tool_page(&dashboard.control, &person.actor, module, tool).await?)
    }
}

/// `/catalog/{module}/{tool}`.
pub(super) async fn tool(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneTool>,
) -> Result<Html<String>, Refusal> {
    let form = Form::default();
    let page =
        data::catalog::tool(&dashboard.control, &person.actor, &person.visit, one.names(), &form).await?;
    Ok(Html(page))
}

/// The page once more, with what stood in the way.
async fn wrong(
    dashboard: &Dashboard,
    person: &Person,
    one: &OneTool,
    form: Form,
) -> Result<Response, Refusal> {
    let page =
        data::catalog::tool(&dashboard.control, &person.actor, &person.visit, one.names(), &form).await?;
    Ok(again(page))
}

/// Approves the definition that the page showed.
pub(super) async fn approve(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneTool>,
    typed: Typed,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    let there = one.found(&dashboard, &person).await?;
    // Without it, something that nobody has seen could be approved.
    let reviewed = digest(typed.text("reviewed")).ok_or(Refusal::Unreadable)?;
    match modules::approve_tool(&dashboard.control, &person.actor, there.detail.view.id, Some(reviewed)).await
    {
        Ok(()) => {
            let sentence = format!(
                "`{}.{}` is approved: whoever has its key may call it.",
                there.module.name, there.detail.view.name
            );
            done(&person, Notice::new(sentence), &one.href(&person)).await
        }
        Err(error) => wrong(&dashboard, &person, &one, Form::default().wrong(errors(error)?)).await,
    }
}

/// Asks before it is withdrawn.
pub(super) async fn ask_withdraw(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneTool>,
) -> Result<Html<String>, Refusal> {
    may_change(&person)?;
    let page = data::catalog::withdraw(&dashboard.control, &person.actor, &person.visit, one.names()).await?;
    Ok(Html(page))
}

/// Withdraws it.
pub(super) async fn withdraw(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneTool>,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    let there = one.found(&dashboard, &person).await?;
    match modules::withdraw_tool(&dashboard.control, &person.actor, there.detail.view.id).await {
        Ok(()) => {
            let sentence = format!(
                "`{}.{}` is withdrawn: its next call is refused.",
                there.module.name, there.detail.view.name
            );
            done(&person, Notice::new(sentence), &one.href(&person)).await
        }
        Err(error) => wrong(&dashboard, &person, &one, Form::default().wrong(errors(error)?)).await,
    }
}

/// Which key it asks for.
pub(super) async fn ask_key(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneTool>,
) -> Result<Html<String>, Refusal> {
    may_change(&person)?;
    let page =
        data::catalog::tool_key(&dashboard.control, &person.actor, &person.visit, one.names(), None).await?;
    Ok(Html(page))
}

/// Lets it ask for another one.
pub(super) async fn key(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneTool>,
    typed: Typed,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    let there = one.found(&dashboard, &person).await?;
    let (control, actor) = (&dashboard.control, &person.actor);
    let part = typed.text("key");
    let errors = match part {
        "read" | "write" => match modules::set_key(control, actor, there.detail.view.id, part == "write")
            .await
        {
            Ok(()) => {
                let (module, name) = (&there.module.name, &there.detail.view.name);
                let sentence = format!("`{module}.{name}` asks for `{module}:{part}` from the next call on.");
                return done(&person, Notice::new(sentence), &one.href(&person)).await;
            }
            Err(error) => errors(error)?,
        },
        _ => vec![FieldError::new("key", "Choose one of the two keys.")],
    };
    let form = typed.wrong(errors);
    let page = data::catalog::tool_key(control, actor, &person.visit, one.names(), Some(form)).await?;
    Ok(again(page))
}

/// Sets what a call costs from now on.
pub(super) async fn price(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneTool>,
    typed: Typed,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    let there = one.found(&dashboard, &person).await?;
    let set = match amount(typed.text("price"), "price".to_owned(), person.visit.currency) {
        Ok(price) => {
            match modules::set_price(&dashboard.control, &person.actor, there.detail.view.id, price).await {
                Ok(_) => Ok(price),
                Err(error) => Err(errors(error)?),
            }
        }
        Err(error) => Err(vec![error]),
    };
    match set {
        Ok(price) => {
            let sentence = format!(
                "A call of `{}.{}` costs {price} from now on.",
                there.module.name, there.detail.view.name
            );
            done(&person, Notice::new(sentence), &one.href(&person)).await
        }
        Err(errors) => wrong(&dashboard, &person, &one, typed.wrong(errors)).await,
    }
}

/// Sets how long its server may take from now on.
pub(super) async fn timeouts(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneTool>,
    typed: Typed,
) -> Result<Response, Refusal> {
    may_change(&person)?;
    let there = one.found(&dashboard, &person).await?;
    let mut wrong = Vec::new();
    let mut seconds = |field: &'static str| {
        let text = typed.maybe(field)?;
        let time = text.parse().map(Duration::from_secs);
        time.map_err(|_| wrong.push(FieldError::new(field, "Give a whole number of seconds, or nothing.")))
            .ok()
    };
    let timeouts = Timeouts { first_byte: seconds("first_byte"), total: seconds("total") };
    if wrong.is_empty() {
        let tool = there.detail.view.id;
        match modules::set_timeouts(&dashboard.control, &person.actor, tool, timeouts).await {
            Ok(()) => {
                let sentence = format!(
                    "The timeouts of `{}.{}` are set: they hold from the next call on.",
                    there.module.name, there.detail.view.name
                );
                return done(&person, Notice::new(sentence), &one.href(&person)).await;
            }
            Err(error) => wrong = errors(error)?,
        }
    }
    self::wrong(&dashboard, &person, &one, typed.wrong(wrong)).await
}

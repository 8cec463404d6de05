//! Bundles of the catalog.

use control::actor::Actor;
use control::bundles;
use control::{Control, Error};
use model::ToolId;

use crate::document::Visit;
use crate::pages::catalog::{bundle, bundles as pages};
use crate::pieces::form::Form;

/// The table of bundles.
pub async fn table(control: &Control, actor: &Actor, visit: &Visit) -> Result<String, Error> {
    Ok(pages::page(visit, bundles::list(control, actor).await?))
}

/// One bundle; `form` says what was wrong with what was done on its page.
pub async fn one(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    name: &str,
    form: &Form,
) -> Result<String, Error> {
    Ok(bundle::page(visit, bundles::page(control, actor, name).await?, form))
}

/// Its title and what tools are called. Without a form that was sent, it begins with what is there.
pub async fn describe(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    name: &str,
    sent: Option<Form>,
) -> Result<String, Error> {
    let found = bundles::page(control, actor, name).await?;
    let begin =
        || Form::default().with("title", found.view.title.clone()).with("naming", found.view.naming.word());
    Ok(bundle::describe(visit, &found, &sent.unwrap_or_else(begin)))
}

/// What a tool is called in it.
pub async fn rename(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    (name, tool): (&str, ToolId),
    sent: Option<Form>,
) -> Result<String, Error> {
    let found = bundles::page(control, actor, name).await?;
    let tool = found.tool(tool)?;
    let here = tool.shown().map(|(_, here)| here).unwrap_or_default();
    let form = sent.unwrap_or_else(|| Form::default().with("here", here));
    Ok(bundle::rename(visit, &found, tool, &form))
}

/// Before it is deleted.
pub async fn delete(control: &Control, actor: &Actor, visit: &Visit, name: &str) -> Result<String, Error> {
    Ok(bundle::delete(visit, &bundles::page(control, actor, name).await?))
}

//! Limits on calls.

use control::actor::Actor;
use control::authority::{self, Deed};
use control::limits::{self, About, LimitRow};
use control::{Control, Error};
use model::LimitId;
use model::limit::{OfWhat, Whose};

use crate::document::Visit;
use crate::pages::settings::limits as pages;
use crate::pieces::form::Form;

/// All limits.
pub async fn list(control: &Control, actor: &Actor, visit: &Visit) -> Result<String, Error> {
    Ok(pages::list(visit, &limits::list(control, actor, About::Everything).await?))
}

/// Those that concern what a page is about; none for whoever may not see limits.
pub(super) async fn about(
    control: &Control,
    actor: &Actor,
    about: About,
) -> Result<Option<Vec<LimitRow>>, Error> {
    if !authority::may(actor, Deed::ReadLimits) {
        return Ok(None);
    }
    limits::list(control, actor, about).await.map(Some)
}

/// Where one is set, filled in for whose calls of what, or with what was sent.
pub async fn new(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    whose: Whose,
    what: OfWhat,
    sent: Option<Form>,
) -> Result<String, Error> {
    let agent = if let Whose::Agent(agent) = whose { Some(agent) } else { None };
    let tool = if let OfWhat::Tool(tool) = what { Some(tool) } else { None };
    let choices = limits::choices(control, actor, agent, tool).await?;
    Ok(pages::new(visit, &choices, &sent.unwrap_or_else(|| pages::begin_new(whose, what))))
}

/// Where one is changed, with what is there or what was sent.
pub async fn change(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    id: LimitId,
    sent: Option<Form>,
) -> Result<String, Error> {
    let row = limits::one(control, actor, id).await?;
    Ok(pages::change(visit, &row, &sent.unwrap_or_else(|| pages::begin(row.allowance))))
}

/// Before it is taken away.
pub async fn remove(control: &Control, actor: &Actor, visit: &Visit, id: LimitId) -> Result<String, Error> {
    Ok(pages::remove(visit, &limits::one(control, actor, id).await?))
}

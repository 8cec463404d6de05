//! Units, people, invitations, one's own account.

use control::access::{Subject, Wanted};
use control::actor::Actor;
use control::authority::{Deed, may};
use control::people::{self, Sought, SoughtAgents};
use control::{Control, Error, account, invitations, units, users};
use model::people::UnitView;
use model::{UnitId, UserId};

use crate::data::agents::access_of;
use crate::document::Visit;
use crate::pages::people::list::{Query, Rows, Show, Shown};
use crate::pages::people::{invitations as invitation_pages, list, me, parting, person, unit};
use crate::pieces::access::Place;
use crate::pieces::field::FieldError;
use crate::pieces::form::Form;

/// The front page.
pub async fn front(control: &Control, actor: &Actor, visit: &Visit, query: &Query) -> Result<String, Error> {
    let tree = match people::seen_alone(actor) {
        true => None,
        false => Some(people::tree(control, actor).await?),
    };
    let rows = match query.show {
        Show::People => Rows::People(people::people(control, actor, &query.people()).await?),
        Show::Agents => Rows::Agents(people::agents(control, actor, &query.agents()).await?),
    };
    let invited = match may(actor, Deed::ChangePeople) {
        true => Some(invitations::waiting(control, actor).await?),
        false => None,
    };
    Ok(list::page(visit, query, &Shown { tree, rows, invited }))
}

/// A unit's page.
pub async fn unit(control: &Control, actor: &Actor, visit: &Visit, id: UnitId) -> Result<String, Error> {
    let story = people::unit(control, actor, id).await?;
    let here = people::people(control, actor, &Sought { unit: Some(id), ..Sought::default() }).await?;
    let agents = SoughtAgents { unit: Some(id), ..SoughtAgents::default() };
    let agents = people::agents(control, actor, &agents).await?;
    Ok(unit::page(visit, &story, &here, &agents))
}

/// The form for a new unit.
pub async fn new_unit(control: &Control, actor: &Actor, visit: &Visit, form: &Form) -> Result<String, Error> {
    allowed(actor, Deed::ChangePeople)?;
    Ok(unit::create(visit, &people::tree(control, actor).await?, form))
}

/// The form for a unit's new name.
pub async fn rename_unit(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    id: UnitId,
    form: Option<Form>,
) -> Result<String, Error> {
    allowed(actor, Deed::ChangePeople)?;
    let path = path(control, actor, id).await?;
    let name = path.last().map(|unit| unit.name.clone()).unwrap_or_default();
    Ok(unit::rename(visit, &path, &form.unwrap_or_else(|| Form::default().with("name", name))))
}

/// The choice of a unit's new place, with what it would change once one is chosen (`to`).
pub async fn move_unit(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    id: UnitId,
    to: Option<Option<UnitId>>,
    form: Form,
) -> Result<(String, bool), Error> {
    allowed(actor, Deed::ChangePeople)?;
    let tree = people::tree(control, actor).await?;
    let path = path(control, actor, id).await?;
    let (told, form) = match to {
        None => (None, form),
        Some(to) => match units::moving(control, actor, id, to).await {
            Ok(told) => (Some(told), form),
            Err(Error::Refused { sentence, .. }) => {
                let wrong = FieldError::new("to", crate::wording::sentence(&sentence));
                (None, form.wrong(vec![wrong]))
            }
            Err(other) => return Err(other),
        },
    };
    let wrong = !form.errors().is_empty();
    Ok((unit::relocate(visit, &path, &tree, &form, told.as_ref()), wrong))
}

/// What archiving a unit meets and ends.
pub async fn archive_unit(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    id: UnitId,
    form: &Form,
) -> Result<String, Error> {
    Ok(unit::archive(visit, &units::archiving(control, actor, id).await?, form))
}

/// A person's page. `wanted`: what of their access is looked for.
pub async fn user(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    id: UserId,
    form: &Form,
    wanted: &Wanted,
) -> Result<String, Error> {
    let story = people::person(control, actor, id).await?;
    let sought = SoughtAgents { owner: Some(id), ..SoughtAgents::default() };
    let agents = people::agents(control, actor, &sought).await?;
    let (tree, sessions) = match story.may_change {
        true => (people::tree(control, actor).await?, Some(account::sessions(control, actor, id).await?)),
        false => (Vec::new(), None),
    };
    let may_own = may(actor, Deed::ChangeOwners);
    // Who was removed can use nothing.
    let access = match story.removed_at {
        Some(_) => None,
        None => {
            let place = Place { path: visit.links().user(id), fixed: Vec::new() };
            access_of(control, actor, visit, Subject::Person(id), wanted, place).await?
        }
    };
    Ok(person::page(visit, &person::Shown { story, agents, tree, sessions, may_own, access }, form))
}

/// What suspending a person would stop.
pub async fn suspend_user(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    id: UserId,
    form: &Form,
) -> Result<String, Error> {
    allowed(actor, Deed::ChangePeople)?;
    Ok(parting::suspend(visit, &users::parting(control, actor, id).await?, form))
}

/// What removing a person would end.
pub async fn remove_user(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    id: UserId,
    form: &Form,
) -> Result<String, Error> {
    allowed(actor, Deed::ChangePeople)?;
    Ok(parting::remove(visit, &users::parting(control, actor, id).await?, form))
}

/// The form that invites.
pub async fn invite(control: &Control, actor: &Actor, visit: &Visit, form: &Form) -> Result<String, Error> {
    allowed(actor, Deed::ChangePeople)?;
    let tree = people::tree(control, actor).await?;
    let may_own = may(actor, Deed::ChangeOwners);
    Ok(invitation_pages::form(visit, &tree, form, may_own, control.sends_mail()))
}

/// Who was invited and has not come yet.
pub async fn invitations(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    page: u32,
) -> Result<String, Error> {
    let (rows, total) = invitations::list(control, actor, page).await?;
    Ok(invitation_pages::list(visit, &rows, total, page))
}

/// One's own account. `here`: the handle of the session that the page is shown in.
pub async fn me(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    here: Option<String>,
    part: me::Part,
) -> Result<String, Error> {
    let account = account::own(control, actor).await?;
    let sessions = account::sessions(control, actor, visit.user).await?;
    Ok(me::page(visit, &me::Shown { account, sessions, here }, part))
}

/// What leaving would end.
pub async fn leave(control: &Control, actor: &Actor, visit: &Visit, form: &Form) -> Result<String, Error> {
    let told = users::parting(control, actor, visit.user).await?;
    Ok(parting::leave(visit, &told, form, !people::seen_alone(actor)))
}

/// Pages of forms are there only for those who may send them.
fn allowed(actor: &Actor, deed: Deed) -> Result<(), Error> {
    if may(actor, deed) { Ok(()) } else { Err(Error::NotFound { what: "page".to_owned() }) }
}

async fn path(control: &Control, actor: &Actor, id: UnitId) -> Result<Vec<UnitView>, Error> {
    let units = units::list(control, actor).await?;
    let path: Vec<UnitView> = units::line(&units, id).into_iter().cloned().collect();
    if path.is_empty() { Err(Error::NotFound { what: "such unit".to_owned() }) } else { Ok(path) }
}

//! What the settings' pages ask of `control`.

use control::authority::{Deed, may};
use control::settings::{self, MailSender};
use control::{Actor, Control, Error, account, bundles, modules};
use model::UserId;

use crate::document::Visit;
use crate::pages::settings as pages;
use crate::pages::settings::{RecordKnown, RecordQuery};
use crate::pieces::field::FieldError;
use crate::pieces::form::Form;
use crate::wording;

/// Rows on one page of the record.
const EVENTS: u16 = 100;
/// Sessions on one page.
const SESSIONS: u32 = 100;

/// The organization: with what was typed, or with what is there.
pub async fn organization(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    typed: Option<Form>,
) -> Result<String, Error> {
    let settings = settings::get(control, actor).await?;
    let form = typed.unwrap_or_else(|| pages::organization_form(&settings));
    Ok(pages::organization(visit, &settings, form))
}

/// How people sign in.
pub async fn sign_in(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    typed: Option<Form>,
) -> Result<String, Error> {
    let settings = settings::get(control, actor).await?;
    Ok(pages::sign_in(visit, typed.unwrap_or_else(|| pages::sign_in_form(&settings.sign_in))))
}

/// As whom mails are sent.
pub async fn mail(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    typed: Option<Form>,
) -> Result<String, Error> {
    let MailSender { name, reply_to } = settings::get(control, actor).await?.sender;
    let form = typed.unwrap_or_else(|| {
        Form::default()
            .with("sender_name", name.unwrap_or_default())
            .with("reply_to", reply_to.unwrap_or_default())
    });
    Ok(pages::mail(visit, form))
}

/// Who is signed in.
pub async fn sessions(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    search: &str,
    page: u32,
    here: Option<&str>,
) -> Result<String, Error> {
    let search = search.trim();
    let wanted = Some(search).filter(|text| !text.is_empty() && text.len() <= 800 && !text.contains('\0'));
    let from = page.saturating_mul(SESSIONS);
    let (lines, more) = account::all_sessions(control, actor, wanted, from).await?;
    Ok(pages::sessions(visit, &lines, wanted.unwrap_or_default(), page, more, here))
}

/// What ending all sessions of a person but for `here` would mean.
pub async fn end_all(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    user: UserId,
    here: Option<&str>,
) -> Result<String, Error> {
    if !may(actor, Deed::ReadSettings) {
        return Err(Error::NotFound { what: "page".to_owned() });
    }
    let (count, name) = account::ending_sessions(control, actor, user, here).await?;
    Ok(pages::end_all(visit, user, &name, count))
}

/// The record of changes.
pub async fn record(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    query: RecordQuery,
    mut errors: Vec<FieldError>,
) -> Result<String, Error> {
    let actions = settings::actions(control, actor).await?;
    let modules = modules::list(control, actor).await?;
    let bundles = bundles::list(control, actor).await?;
    let known = RecordKnown {
        modules: modules.into_iter().map(|it| (it.view.id, it.view.name)).collect(),
        bundles: bundles.into_iter().map(|it| (it.view.id, it.view.name)).collect(),
    };
    let mut found = (Vec::new(), false);
    if errors.is_empty() {
        match settings::list(control, actor, &query.filter(visit.site.zone), query.before, EVENTS).await {
            Ok(events) => found = events,
            Err(Error::Refused { sentence, .. }) => {
                errors.push(FieldError::new("who", wording::sentence(&sentence)))
            }
            Err(other) => return Err(other),
        }
    }
    Ok(pages::record(visit, &query, errors, actions, &found.0, found.1, &known))
}

/// What only owners do.
pub async fn danger(control: &Control, actor: &Actor, visit: &Visit) -> Result<String, Error> {
    Ok(pages::danger(visit, &settings::stop(control, actor).await?))
}

/// What stopping all agents would mean.
pub async fn stop(control: &Control, actor: &Actor, visit: &Visit) -> Result<String, Error> {
    Ok(pages::stop(visit, &settings::stop(control, actor).await?))
}

/// What closing the organization would mean.
pub async fn close(control: &Control, actor: &Actor, visit: &Visit, form: Form) -> Result<String, Error> {
    Ok(pages::close(visit, &settings::closing(control, actor).await?, form))
}

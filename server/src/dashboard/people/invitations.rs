//! Inviting people, and the list of who has not come yet.

use app::data::people as data;
use app::document::Notice;
use app::pieces::field::FieldError;
use axum::extract::{Path, State};
use axum::response::{Html, Response};
use control::invitations::{self, Invited, LineError};
use model::people::Role;
use model::{InvitationId, UnitId};
use serde::Deserialize;

use super::id;
use crate::dashboard::Dashboard;
use crate::dashboard::form::{self, Typed, again};
use crate::dashboard::refusal::Refusal;
use crate::dashboard::routes::Routes;
use crate::dashboard::session::Person;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/t/{tenant}/people/invitations", list)
        .get("/t/{tenant}/people/invitations/new", new)
        .post("/t/{tenant}/people/invitations/new", invite)
        .post("/t/{tenant}/people/invitations/{invitation}/resend", resend)
        .post("/t/{tenant}/people/invitations/{invitation}/withdraw", withdraw)
}

/// Lines that are told of; the rest is counted.
const TOLD: usize = 20;

#[derive(Deserialize)]
struct OneInvitation {
    invitation: String,
}

async fn list(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Html<String>, Refusal> {
    let page = typed.text("page").parse::<u32>().map_or(0, |page| page.saturating_sub(1).min(10_000));
    Ok(Html(data::invitations(&dashboard.control, &person.actor, &person.visit, page).await?))
}

async fn new(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Html<String>, Refusal> {
    Ok(Html(data::invite(&dashboard.control, &person.actor, &person.visit, &typed.form()).await?))
}

async fn invite(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    let control = &dashboard.control;
    let unit = typed.chosen::<UnitId>("unit", "Choose the unit that they will sit in.");
    let role = typed.chosen::<Role>("role", "Choose what they will be.");
    let errors = match (unit, role) {
        (Ok(unit), Ok(role)) => {
            match invitations::invite(control, &person.actor, typed.text("emails"), unit, role).await {
                Ok(Invited::Sent(emails)) => {
                    let notice = Notice::new(match emails.as_slice() {
                        [one] => format!("An invitation was sent to {one}."),
                        all => format!("{} invitations were sent.", all.len()),
                    });
                    return form::done(&person, notice, &person.links.invitations()).await;
                }
                Ok(Invited::Wrong(lines)) => vec![FieldError::new("emails", told(&lines))],
                Err(error) => form::errors(error)?,
            }
        }
        (unit, role) => unit.err().into_iter().chain(role.err()).collect(),
    };
    Ok(again(data::invite(control, &person.actor, &person.visit, &typed.wrong(errors)).await?))
}

/// What is wrong with which lines, as one sentence.
fn told(lines: &[LineError]) -> String {
    let said: Vec<String> = lines
        .iter()
        .take(TOLD)
        .map(|it| format!("Line {}: {} {}.", it.line, app::text::one_line(&it.text, 80), it.sentence))
        .collect();
    let more = match lines.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(" And {more} more."),
    };
    format!("Nobody was invited yet. {}{more}", said.join(" "))
}

async fn resend(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneInvitation { invitation }): Path<OneInvitation>,
) -> Result<Response, Refusal> {
    let invitation: InvitationId = id(&invitation)?;
    let notice = match invitations::resend(&dashboard.control, &person.actor, invitation).await {
        Ok(email) => format!(
            "The invitation was sent to {email} again. The link in the earlier mail is no longer good."
        ),
        Err(control::Error::Refused { sentence, .. }) => app::wording::sentence(&sentence),
        Err(other) => return Err(other.into()),
    };
    form::done(&person, Notice::new(notice), &person.links.invitations()).await
}

async fn withdraw(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneInvitation { invitation }): Path<OneInvitation>,
) -> Result<Response, Refusal> {
    let email = invitations::withdraw(&dashboard.control, &person.actor, id(&invitation)?).await?;
    let notice = Notice::new(format!("The invitation of {email} was withdrawn: its link is worth nothing."));
    form::done(&person, notice, &person.links.invitations()).await
}

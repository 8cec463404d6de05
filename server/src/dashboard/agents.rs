//! Agents: making them, their keys, what they may do, their settings, and ending what somebody may do.

use std::time::Duration;

use app::data::agents::{self as data, Asked};
use app::document::Notice;
use app::pages::agents::Tab;
use app::pages::connect::Way;
use app::pieces::access::wanted;
use app::pieces::field::FieldError;
use app::pieces::form::Form;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use chrono::TimeDelta;
use control::agents::{self, NewAgent};
use control::credentials::{self, Issued, NewCredential};
use control::revocations::{self, Target};
use ipnet::IpNet;
use model::{AgentId, AuditEventId, CredentialId, Timestamp, UnitId};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::Dashboard;
use super::form::{Typed, again, done, errors};
use super::people::OneUser;
use super::refusal::Refusal;
use super::routes::Routes;
use super::session::Person;

pub(super) fn routes() -> Routes {
    const AGENT: &str = "/t/{tenant}/people/agents/{agent}";
    let at = |rest: &str| format!("{AGENT}{rest}");
    Routes::new()
        .get("/t/{tenant}/people/agents/new", new)
        .post("/t/{tenant}/people/agents/new", create)
        .get(AGENT, agent)
        .post(&at("/rename"), rename)
        .post(&at("/owner"), hand_over)
        .get(&at("/move"), moving)
        .post(&at("/move"), move_to)
        .get(&at("/suspend"), suspending)
        .post(&at("/suspend"), suspend)
        .post(&at("/resume"), resume)
        .get(&at("/retire"), retiring)
        .post(&at("/retire"), retire)
        .post(&at("/keys"), issue)
        .get(&at("/keys/new"), new_key)
        .get(&at("/keys/{key}/rotate"), rotating)
        .post(&at("/keys/{key}/rotate"), rotate)
        .get(&at("/keys/{key}/revoke"), revoking_key)
        .post(&at("/keys/{key}/revoke"), revoke_key)
        .get(&at("/revoke"), revoking_agent)
        .post(&at("/revoke"), revoke_agent)
        .get("/t/{tenant}/people/users/{user}/revoke", revoking_person)
        .post("/t/{tenant}/people/users/{user}/revoke", revoke_person)
        .get("/t/{tenant}/people/revocations/{event}", revoked)
}

const WHERE_TO: &str = "Choose the unit that it moves to.";

#[derive(Deserialize)]
struct OneAgent {
    agent: String,
}

impl OneAgent {
    fn id(&self) -> Result<AgentId, Refusal> {
        self.agent.parse().map_err(|_| Refusal::NotFound)
    }
}

#[derive(Deserialize)]
struct OneKey {
    agent: String,
    key: String,
}

impl OneKey {
    fn ids(&self) -> Result<(AgentId, CredentialId), Refusal> {
        let agent = self.agent.parse().map_err(|_| Refusal::NotFound)?;
        Ok((agent, self.key.parse().map_err(|_| Refusal::NotFound)?))
    }
}

#[derive(Deserialize)]
struct OneEvent {
    event: String,
}

/// The form for a new agent, which begins with the person themself as its owner.
async fn new(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Html<String>, Refusal> {
    let mut form = Form::default();
    // A unit's page leads here with itself.
    if let Some(unit) = typed.maybe("unit") {
        form = form.with("unit", unit);
    }
    if let Some(email) = agents::own_address(&dashboard.control, &person.actor).await? {
        form = form.with("owner", email);
    }
    Ok(Html(data::new_agent(&dashboard.control, &person.actor, &person.visit, &form).await?))
}

async fn create(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    let control = &dashboard.control;
    let wrong = match try_create(&dashboard, &person, &typed).await? {
        Ok(id) => {
            let notice = Notice::new("The agent is there. It needs a key to connect with.")
                .leading("Issue its first key", person.links.new_key(id));
            return done(&person, notice, &person.links.agent(id)).await;
        }
        Err(wrong) => wrong,
    };
    Ok(again(data::new_agent(control, &person.actor, &person.visit, &typed.wrong(wrong)).await?))
}

async fn try_create(
    dashboard: &Dashboard,
    person: &Person,
    typed: &Typed,
) -> Result<Result<AgentId, Vec<FieldError>>, Refusal> {
    let (control, actor) = (&dashboard.control, &person.actor);
    // Nobody is told whose address is known who may not make agents.
    data::new_agent(control, actor, &person.visit, &Form::default()).await?;
    let mut wrong = Vec::new();
    let unit = typed.chosen::<UnitId>("unit", "Choose the unit that it sits in.");
    let owner = data::person(control, actor, "owner", typed.text("owner")).await;
    let (unit, owner) = match (unit, owner) {
        (Ok(unit), Ok(owner)) => (unit, owner),
        (unit, owner) => {
            wrong.extend(unit.err());
            if let Err(error) = owner {
                wrong.extend(errors(error)?);
            }
            return Ok(Err(wrong));
        }
    };
    let new = NewAgent { name: typed.text("name").to_owned(), owner, home_unit: unit };
    match agents::create(control, actor, new).await {
        Ok(id) => Ok(Ok(id)),
        Err(error) => Ok(Err(about_name(errors(error)?))),
    }
}

/// That a name is taken is said beside the name.
fn about_name(wrong: Vec<FieldError>) -> Vec<FieldError> {
    wrong
        .into_iter()
        .map(|error| {
            match error.sentence.contains("there is an agent") || error.sentence.contains("There is an agent")
            {
                true => FieldError::new("name", error.sentence),
                false => error,
            }
        })
        .collect()
}

/// An agent's page.
async fn agent(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneAgent>,
    typed: Typed,
) -> Result<Html<String>, Refusal> {
    let asked = Asked {
        tab: typed.text("tab").parse().unwrap_or(Tab::Connect),
        way: typed.text("way").parse().unwrap_or(Way::ManagedAgents),
        whom: typed.text("for").parse().ok(),
        wanted: wanted(|name| typed.text(name)),
    };
    let (control, visit) = (&dashboard.control, &person.visit);
    Ok(Html(data::agent(control, &person.actor, visit, one.id()?, asked, &Form::default()).await?))
}

/// What came of one of the forms of the settings: on to the page that says so, or the form again.
async fn settled(
    dashboard: &Dashboard,
    person: &Person,
    typed: &Typed,
    agent: AgentId,
    result: Result<String, control::Error>,
) -> Result<Response, Refusal> {
    match result {
        Ok(sentence) => done(person, Notice::new(sentence), &person.links.agent_tab(agent, "settings")).await,
        Err(error) => settings_again(dashboard, person, typed, agent, about_name(errors(error)?)).await,
    }
}

async fn settings_again(
    dashboard: &Dashboard,
    person: &Person,
    typed: &Typed,
    agent: AgentId,
    wrong: Vec<FieldError>,
) -> Result<Response, Refusal> {
    let (form, asked) = (typed.wrong(wrong), Asked::of(Tab::Settings));
    let page = data::agent(&dashboard.control, &person.actor, &person.visit, agent, asked, &form).await?;
    Ok(again(page))
}

async fn rename(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneAgent>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let (control, agent) = (&dashboard.control, one.id()?);
    let renamed = agents::rename(control, &person.actor, agent, typed.text("name")).await;
    let result = renamed.map(|()| "It has its new name.".to_owned());
    settled(&dashboard, &person, &typed, agent, result).await
}

async fn hand_over(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneAgent>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let (control, actor, agent) = (&dashboard.control, &person.actor, one.id()?);
    data::story(control, actor, agent).await?;
    let result = match data::person(control, actor, "owner", typed.text("owner")).await {
        Ok(owner) => agents::hand_over(control, actor, agent, owner).await,
        Err(error) => Err(error),
    };
    settled(&dashboard, &person, &typed, agent, result.map(|()| "It has its new owner.".to_owned())).await
}

async fn moving(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneAgent>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let (control, actor, agent) = (&dashboard.control, &person.actor, one.id()?);
    data::story(control, actor, agent).await?;
    match typed.chosen("unit", WHERE_TO) {
        Ok(unit) => Ok(Html(data::moving(control, actor, &person.visit, agent, unit).await?).into_response()),
        Err(wrong) => settings_again(&dashboard, &person, &typed, agent, vec![wrong]).await,
    }
}

async fn move_to(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneAgent>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let (control, actor, agent) = (&dashboard.control, &person.actor, one.id()?);
    data::story(control, actor, agent).await?;
    let unit: UnitId = match typed.chosen("unit", WHERE_TO) {
        Ok(unit) => unit,
        Err(wrong) => return settings_again(&dashboard, &person, &typed, agent, vec![wrong]).await,
    };
    let result = agents::move_to(control, actor, agent, unit).await.map(|()| "It has moved.".to_owned());
    settled(&dashboard, &person, &typed, agent, result).await
}

async fn suspending(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneAgent>,
) -> Result<Html<String>, Refusal> {
    Ok(Html(data::suspend(&dashboard.control, &person.actor, &person.visit, one.id()?).await?))
}

async fn suspend(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneAgent>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let agent = one.id()?;
    let suspended = agents::suspend(&dashboard.control, &person.actor, agent).await;
    let result = suspended.map(|()| "It is suspended: its next call is refused.".to_owned());
    settled(&dashboard, &person, &typed, agent, result).await
}

async fn resume(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneAgent>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let agent = one.id()?;
    let resumed = agents::resume(&dashboard.control, &person.actor, agent).await;
    let result = resumed.map(|()| "It may act again, with the keys that it has.".to_owned());
    settled(&dashboard, &person, &typed, agent, result).await
}

async fn retiring(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneAgent>,
) -> Result<Html<String>, Refusal> {
    Ok(Html(data::retire(&dashboard.control, &person.actor, &person.visit, one.id()?).await?))
}

async fn retire(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneAgent>,
) -> Result<Response, Refusal> {
    let agent = one.id()?;
    let notice = match agents::retire(&dashboard.control, &person.actor, agent).await {
        Ok(_) => Notice::new("It is retired. Its past calls stay on record."),
        // Somebody else was quicker: what was wanted is so.
        Err(control::Error::Refused { sentence, .. }) => Notice::new(app::wording::sentence(&sentence)),
        Err(error) => return Err(error.into()),
    };
    done(&person, notice, &person.links.agent(agent)).await
}

/// The form for a new key. The id that it will have is made now, so that the form makes it once.
async fn new_key(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneAgent>,
) -> Result<Html<String>, Refusal> {
    let control = &dashboard.control;
    let (id, form) = (control.ambient().id(), Form::default().with("lasts", "90"));
    Ok(Html(data::new_key(control, &person.actor, &person.visit, one.id()?, id, &form).await?))
}

async fn issue(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneAgent>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let (control, actor, visit) = (&dashboard.control, &person.actor, &person.visit);
    let agent = one.id()?;
    // Nobody is told whose address is known who may not issue keys.
    data::story(control, actor, agent).await?;
    let id: CredentialId = typed.text("id").parse().map_err(|_| Refusal::Unreadable)?;
    let (new, mut wrong) = wished(&typed, agent, control.ambient().now());
    let mut on_behalf_of = None;
    if let Some(email) = typed.maybe("on_behalf_of") {
        match data::person(control, actor, "on_behalf_of", email).await {
            Ok(user) => on_behalf_of = Some(user),
            Err(error) => wrong.extend(errors(error)?),
        }
    }
    if wrong.is_empty() {
        match credentials::issue_as(control, actor, id, NewCredential { on_behalf_of, ..new }).await {
            Ok(issued) => return shown(&dashboard, &person, agent, &issued, None).await,
            Err(control::Error::Refused { code: "issued_before", .. }) => {
                return Ok(Html(data::issued_before(control, actor, visit, agent).await?).into_response());
            }
            Err(error) => wrong = errors(error)?,
        }
    }
    Ok(again(data::new_key(control, actor, visit, agent, id, &typed.wrong(wrong)).await?))
}

/// What the form asks for, but for the person; and what is wrong with it.
fn wished(typed: &Typed, agent: AgentId, now: Timestamp) -> (NewCredential, Vec<FieldError>) {
    let mut wrong = Vec::new();
    let expires_at = match typed.maybe("lasts").map(str::parse::<i64>) {
        None => None,
        Some(Ok(days @ 1..=3650)) => now.checked_add_signed(TimeDelta::days(days)),
        Some(_) => {
            wrong.push(FieldError::new("lasts", "Choose how long the key is to be valid."));
            None
        }
    };
    let mut allowed_addresses = Vec::new();
    let words = typed.text("allowed_addresses").split(|c: char| c.is_whitespace() || c == ',');
    for word in words.filter(|word| !word.is_empty()) {
        match network(word) {
            Some(network) => allowed_addresses.push(network),
            None => {
                let word: String = word.chars().take(60).collect();
                let sentence = format!(
                    "“{word}” is no address and no network. Write one such as 192.0.2.7 or 192.0.2.0/24."
                );
                wrong.push(FieldError::new("allowed_addresses", sentence));
                break;
            }
        }
    }
    let name = typed.text("name").to_owned();
    (NewCredential { agent, name, expires_at, allowed_addresses, on_behalf_of: None }, wrong)
}

/// A network, or an address as the network of it alone.
fn network(word: &str) -> Option<IpNet> {
    word.parse().ok().or_else(|| word.parse::<std::net::IpAddr>().ok().map(IpNet::from))
}

/// The answer that shows a key, the only one that ever does.
async fn shown(
    dashboard: &Dashboard,
    person: &Person,
    agent: AgentId,
    issued: &Issued,
    old_ends: Option<Timestamp>,
) -> Result<Response, Refusal> {
    let (name, key) = (&issued.view.name, issued.key.expose_secret());
    let page =
        data::issued(&dashboard.control, &person.actor, &person.visit, agent, name, key, old_ends).await?;
    Ok(Html(page).into_response())
}

async fn rotating(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneKey>,
) -> Result<Html<String>, Refusal> {
    let control = &dashboard.control;
    let (id, form) = (control.ambient().id(), Form::default().with("overlap", "24"));
    Ok(Html(data::rotate_key(control, &person.actor, &person.visit, one.ids()?, id, &form).await?))
}

async fn rotate(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneKey>,
    typed: Typed,
) -> Result<Response, Refusal> {
    let (control, actor, visit) = (&dashboard.control, &person.actor, &person.visit);
    let (agent, old) = one.ids()?;
    data::story(control, actor, agent).await?;
    data::key(control, actor, agent, old).await?;
    let id: CredentialId = typed.text("id").parse().map_err(|_| Refusal::Unreadable)?;
    let wrong = match typed.text("overlap").parse::<u64>() {
        Ok(hours @ 0..=720) => {
            let overlap = Duration::from_secs(hours * 3600);
            match credentials::rotate_as(control, actor, id, old, overlap).await {
                Ok(issued) => {
                    let ends = data::key(control, actor, agent, old).await?.view.expires_at;
                    return shown(&dashboard, &person, agent, &issued, ends).await;
                }
                Err(control::Error::Refused { code: "issued_before", .. }) => {
                    return Ok(Html(data::issued_before(control, actor, visit, agent).await?).into_response());
                }
                Err(error) => errors(error)?,
            }
        }
        _ => vec![FieldError::new("overlap", "Choose for how long the old key goes on.")],
    };
    Ok(again(data::rotate_key(control, actor, visit, (agent, old), id, &typed.wrong(wrong)).await?))
}

async fn revoking(dashboard: &Dashboard, person: &Person, target: Target) -> Result<Html<String>, Refusal> {
    Ok(Html(data::revoke(&dashboard.control, &person.actor, &person.visit, target, &[]).await?))
}

/// Does it, and goes on to the page that says what was done: that page can be loaded again.
async fn revoke(dashboard: &Dashboard, person: &Person, target: Target) -> Result<Response, Refusal> {
    let (control, actor) = (&dashboard.control, &person.actor);
    match revocations::revoke_now(control, actor, target).await {
        Ok(event) => Ok(Redirect::to(&person.links.revocation(event)).into_response()),
        Err(error) => {
            let wrong = errors(error)?;
            Ok(again(data::revoke(control, actor, &person.visit, target, &wrong).await?))
        }
    }
}

async fn revoking_agent(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneAgent>,
) -> Result<Html<String>, Refusal> {
    revoking(&dashboard, &person, Target::Agent(one.id()?)).await
}

async fn revoke_agent(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneAgent>,
) -> Result<Response, Refusal> {
    revoke(&dashboard, &person, Target::Agent(one.id()?)).await
}

async fn revoking_person(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneUser>,
) -> Result<Html<String>, Refusal> {
    revoking(&dashboard, &person, Target::Person(one.id()?)).await
}

async fn revoke_person(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneUser>,
) -> Result<Response, Refusal> {
    revoke(&dashboard, &person, Target::Person(one.id()?)).await
}

/// A key at the address of its agent, so that one cannot be led to another's key by a wrong name on the page.
async fn key_of(dashboard: &Dashboard, person: &Person, one: &OneKey) -> Result<Target, Refusal> {
    let (agent, key) = one.ids()?;
    data::key(&dashboard.control, &person.actor, agent, key).await?;
    Ok(Target::Key(key))
}

async fn revoking_key(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneKey>,
) -> Result<Html<String>, Refusal> {
    let target = key_of(&dashboard, &person, &one).await?;
    revoking(&dashboard, &person, target).await
}

async fn revoke_key(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(one): Path<OneKey>,
) -> Result<Response, Refusal> {
    let target = key_of(&dashboard, &person, &one).await?;
    revoke(&dashboard, &person, target).await
}

/// What was revoked, and what still runs.
async fn revoked(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(OneEvent { event }): Path<OneEvent>,
) -> Result<Html<String>, Refusal> {
    let event: AuditEventId = event.parse().map_err(|_| Refusal::NotFound)?;
    Ok(Html(data::revoked(&dashboard.control, &person.actor, &person.visit, event).await?))
}

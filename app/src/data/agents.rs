//! Agents and their keys; what anybody may have done; ending it.

use control::access::{self, Subject, Wanted};
use control::activity::{self, Filter, Page};
use control::actor::Actor;
use control::agents::{self, AgentStory};
use control::authority::{self, Deed};
use control::limits::About;
use control::money::{self, Period, Question, Whose};
use control::revocations::{self, Target};
use control::{Control, Error, credentials, units, users};
use leptos::prelude::*;
use model::people::UnitView;
use model::{AgentId, AuditEventId, CredentialId, Money, Timestamp, UnitId, UserId};

use crate::document::{self, Visit};
use crate::pages::agents::{Shown, Tab, View, keys, new, page, settings, stop};
use crate::pages::connect::Way;
use crate::pieces::access::{Access, Place};
use crate::pieces::field::FieldError;
use crate::pieces::form::Form;

/// Calls on an agent's page; the rest are in Activity.
const LATEST: u16 = 20;

/// What of an agent's page is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Which of its views.
    pub tab: Tab,
    /// How to connect it.
    pub way: Way,
    /// Whose access: on behalf of this person.
    pub whom: Option<UserId>,
    /// Which tools.
    pub wanted: Wanted,
}

impl Asked {
    /// One view as it comes first.
    pub fn of(tab: Tab) -> Self {
        Self { tab, way: Way::ManagedAgents, whom: None, wanted: Wanted::default() }
    }
}

/// An agent's page.
pub async fn agent(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    agent: AgentId,
    asked: Asked,
    form: &Form,
) -> Result<String, Error> {
    let story = agents::story(control, actor, agent).await?;
    let gone = story.retired_at.is_some();
    let tab = match asked.tab {
        Tab::Connect | Tab::Access if gone => Tab::Activity,
        Tab::Settings if gone || !authority::may(actor, Deed::ChangeAgents) => Tab::Activity,
        tab => tab,
    };
    let view = match tab {
        Tab::Connect => View::Connect(asked.way),
        Tab::Keys => {
            let mut last = credentials::last_used(control, actor, agent).await?;
            let lines = credentials::list(control, actor, Some(agent)).await?;
            let line =
                |key: credentials::CredentialLine| keys::Line { last_used: last.remove(&key.view.id), key };
            View::Keys(lines.into_iter().map(line).collect())
        }
        Tab::Access => {
            let subject = match asked.whom {
                Some(user) => Subject::OnBehalf(agent, user),
                None => Subject::Agent(agent),
            };
            // Who may see people, and not what is given to them, sees the agent without its access.
            match access::of(control, actor, subject, &asked.wanted).await {
                Ok(shown) => View::Access {
                    faces: Some(access::faces(control, actor, agent).await?),
                    shown: Box::new(shown),
                    wanted: asked.wanted,
                },
                Err(Error::NotFound { .. }) if asked.whom.is_none() => View::Withheld,
                Err(other) => return Err(other),
            }
        }
        Tab::Activity => {
            let filter = Filter { agent: Some(agent), ..Filter::default() };
            View::Activity(activity::list(control, actor, &filter, Page::Newest, LATEST).await?.rows)
        }
        Tab::Settings => {
            View::Settings(places(&units::list(control, actor).await?, Some(story.view.home_unit)))
        }
    };
    let spend = spend(control, actor, visit, agent).await?;
    let limits = super::limits::about(control, actor, About::Agent(agent)).await?;
    let form = match tab {
        Tab::Settings if form.errors().is_empty() => Form::default().with("name", story.view.name.clone()),
        _ => form.clone(),
    };
    Ok(page(visit, Shown { story, spend, limits, view }, &form))
}

/// What an agent's calls of this month cost, as far as the actor may know it.
async fn spend(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    agent: AgentId,
) -> Result<Option<Money>, Error> {
    let whose = if money::may_read(actor) { Whose::Everybodys } else { Whose::Mine };
    let question = Question {
        whose,
        before: None,
        filter: money::Filter { agent: Some(agent), ..money::Filter::default() },
        ..Question::about(Period::month_to(money::day(visit.site.now)), visit.currency)
    };
    match money::spend(control, actor, &question).await {
        Ok(answer) => Ok(Some(answer.total.money(visit.currency))),
        // A page of an agent does without it.
        Err(Error::Refused { .. } | Error::NotFound { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// The units to choose from as paths, by path; without one.
fn places(all: &[UnitView], without: Option<UnitId>) -> Vec<(String, String)> {
    let mut places: Vec<(String, String)> = all
        .iter()
        .filter(|unit| Some(unit.id) != without)
        .map(|unit| (unit.id.to_string(), units::path(all, unit.id).join(" / ")))
        .collect();
    places.sort_by_cached_key(|(_, path)| path.to_lowercase());
    places
}

/// Only for those who may change agents: to others there is no such page.
fn changes(actor: &Actor) -> Result<(), Error> {
    if authority::may(actor, Deed::ChangeAgents) {
        Ok(())
    } else {
        Err(Error::NotFound { what: "such page".to_owned() })
    }
}

/// The form for a new agent. A form that nothing was typed into begins with the actor as the owner.
pub async fn new_agent(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    form: &Form,
) -> Result<String, Error> {
    changes(actor)?;
    Ok(new::page(visit, places(&units::list(control, actor).await?, None), form))
}

/// A person by the mail address that was typed, for a field of a form.
pub async fn person(
    control: &Control,
    actor: &Actor,
    field: &'static str,
    email: &str,
) -> Result<UserId, Error> {
    let wrong = |sentence: String| Error::Invalid { field, sentence };
    match users::find(control, actor, email).await {
        Ok(user) => Ok(user.id),
        Err(Error::Invalid { sentence, .. }) => Err(wrong(sentence)),
        Err(Error::NotFound { .. }) => {
            Err(wrong("nobody here has this mail address: give the one that they sign in with".to_owned()))
        }
        Err(other) => Err(other),
    }
}

/// The story of an agent that may be changed.
pub async fn story(control: &Control, actor: &Actor, agent: AgentId) -> Result<AgentStory, Error> {
    changes(actor)?;
    let story = agents::story(control, actor, agent).await?;
    if story.retired_at.is_some() {
        return Err(Error::NotFound { what: "such agent".to_owned() });
    }
    Ok(story)
}

/// The form for a new key, which will have this id.
pub async fn new_key(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    agent: AgentId,
    id: CredentialId,
    form: &Form,
) -> Result<String, Error> {
    Ok(keys::new(visit, &story(control, actor, agent).await?, id, form))
}

/// One of an agent's keys.
pub async fn key(
    control: &Control,
    actor: &Actor,
    agent: AgentId,
    key: CredentialId,
) -> Result<credentials::CredentialLine, Error> {
    let keys = credentials::list(control, actor, Some(agent)).await?;
    keys.into_iter()
        .find(|line| line.view.id == key)
        .ok_or_else(|| Error::NotFound { what: "such key".to_owned() })
}

/// The form to have another key follow one.
pub async fn rotate_key(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    (agent, old): (AgentId, CredentialId),
    id: CredentialId,
    form: &Form,
) -> Result<String, Error> {
    let story = story(control, actor, agent).await?;
    let line = key(control, actor, agent, old).await?;
    Ok(keys::rotate(visit, &story, &line, id, form))
}

/// The page that shows a key.
pub async fn issued(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    agent: AgentId,
    name: &str,
    secret: &str,
    old_ends: Option<Timestamp>,
) -> Result<String, Error> {
    Ok(keys::issued(visit, &story(control, actor, agent).await?, name, secret, old_ends))
}

/// What is shown when a key was issued before under the same id.
pub async fn issued_before(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    agent: AgentId,
) -> Result<String, Error> {
    Ok(keys::issued_before(visit, &story(control, actor, agent).await?))
}

/// What a move of an agent would change.
pub async fn moving(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    agent: AgentId,
    unit: UnitId,
) -> Result<String, Error> {
    let story = story(control, actor, agent).await?;
    let moving = agents::if_moved(control, actor, agent, unit).await?;
    let units = units::list(control, actor).await?;
    let path = units::path(&units, unit).join(" / ");
    Ok(settings::moving(visit, &story, &unit.to_string(), &path, &moving))
}

/// What suspending an agent would mean.
pub async fn suspend(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    agent: AgentId,
) -> Result<String, Error> {
    let story = story(control, actor, agent).await?;
    Ok(stop::suspend(visit, &story, &revocations::consequence(control, actor, Target::Agent(agent)).await?))
}

/// What retiring an agent would mean.
pub async fn retire(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    agent: AgentId,
) -> Result<String, Error> {
    let story = story(control, actor, agent).await?;
    Ok(stop::retire(visit, &story, &revocations::consequence(control, actor, Target::Agent(agent)).await?))
}

/// What revoking now would mean.
pub async fn revoke(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    target: Target,
    errors: &[FieldError],
) -> Result<String, Error> {
    let meant = revocations::consequence(control, actor, target).await?;
    let errors: Vec<String> = errors.iter().map(|error| error.sentence.clone()).collect();
    Ok(stop::revoke(visit, &meant, &errors))
}

/// What was revoked, and what still runs.
pub async fn revoked(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    event: AuditEventId,
) -> Result<String, Error> {
    Ok(stop::revoked(visit, &revocations::story(control, actor, event).await?))
}

/// Somebody's access as a part of a page at `place`: none when it is not the actor's to see.
pub async fn access_of(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    subject: Subject,
    wanted: &Wanted,
    place: Place,
) -> Result<Option<String>, Error> {
    let shown = match access::of(control, actor, subject, wanted).await {
        Ok(shown) => shown,
        Err(Error::NotFound { .. }) => return Ok(None),
        Err(other) => return Err(other),
    };
    let (wanted, links, clock) = (wanted.clone(), visit.links(), visit.clock());
    let own = subject == Subject::Person(visit.user);
    Ok(Some(document::fragment(|| {
        view! { <Access shown=shown wanted=wanted place=place links=links clock=clock own=own /> }
    })))
}

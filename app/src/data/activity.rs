//! Calls: the list, one of them, sessions, files, and those that never became one.

use bytes::Bytes;
use control::activity::saved::{self, NewFilter};
use control::activity::{self as calls, Filter, Page};
use control::actor::Actor;
use control::authority::{Deed, may};
use control::{Control, Error};
use futures::Stream;
use model::call::CallRow;
use model::{CallId, SavedFilterId, Timestamp, UnitId, UserId};

use crate::document::Visit;
use crate::pages::activity::{PAGE, Shown};
use crate::pages::filter::{ActivityQuery, Cursor, Read};
use crate::pages::{activity, call, rejected, session};
use crate::pieces::field::FieldError;
use crate::pieces::form::Form;

/// Rejected requests on their page.
const REJECTED: u16 = 200;
/// People who are named when several are called so.
const NAMESAKES: u16 = 4;

/// What came with the request for the list, beside its filter.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// What was typed to name a person, where it names nobody.
    pub who: String,
    /// The form that keeps a filter, where it has to be filled in again.
    pub saving: Form,
}

/// The list of calls.
pub async fn activity(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    mut read: Read,
    beside: Beside,
) -> Result<String, Error> {
    let choices = calls::choices(control, actor).await?;
    let filter = filter(&read.query, visit.site.now);
    let mut shown = Shown {
        agents: choices.agents,
        modules: choices.modules,
        units: units(control, actor).await?,
        names: calls::names(control, actor, &filter).await?,
        saved: saved::saved(control, actor).await?,
        may_share: saved::may_share(actor),
        who: beside.who,
        saving: beside.saving,
        ..Shown::default()
    };
    if read.errors.is_empty() {
        match calls::list(control, actor, &filter, page(&read.query), PAGE).await {
            Ok(listing) => {
                (shown.rows, shown.newer, shown.older) = (listing.rows, listing.has_newer, listing.has_older);
            }
            // A search that takes too long: narrowing it is up to the reader.
            Err(Error::Refused { sentence, .. }) => {
                read.errors.push(FieldError { field: "span".into(), sentence })
            }
            Err(other) => return Err(other),
        }
    }
    Ok(activity::page(visit, read, shown))
}

/// Units to filter by, each with those above it, in their order; none for those who may not see units.
async fn units(control: &Control, actor: &Actor) -> Result<Vec<(UnitId, String)>, Error> {
    if !may(actor, Deed::ReadPeople) {
        return Ok(Vec::new());
    }
    let units = control::units::list(control, actor).await?;
    let path = |mut at: UnitId| {
        let mut path: Vec<&str> = Vec::new();
        while let Some(unit) = units.iter().find(|unit| unit.id == at) {
            path.push(&unit.name);
            // A tree of rows that contradict each other must not keep a page from being made.
            match unit.parent.filter(|_| path.len() < 32) {
                Some(above) => at = above,
                None => break,
            }
        }
        path.reverse();
        path.join(" / ")
    };
    let mut named: Vec<_> = units.iter().map(|unit| (unit.id, path(unit.id))).collect();
    named.sort_by_cached_key(|(_, path)| path.to_lowercase());
    Ok(named)
}

/// Whose calls a form asks for: those of the person it was about, while their name still stands there, or of whom it names
/// now; everybody's, when the name was taken out.
pub async fn whose(
    control: &Control,
    actor: &Actor,
    before: Option<UserId>,
    text: &str,
) -> Result<Result<Option<UserId>, FieldError>, Error> {
    if before.is_some() {
        let of = Filter { person: before, ..Filter::default() };
        let shown = match calls::names(control, actor, &of).await?.person {
            Some(name) => crate::text::one_line(&name, 120),
            None => String::new(),
        };
        if shown.trim().chars().take(120).eq(text.chars()) {
            return Ok(Ok(before));
        }
    }
    if text.is_empty() {
        return Ok(Ok(None));
    }
    Ok(person(control, actor, text).await?.map(Some))
}

/// The one person whom a text names: by their mail address, or by a name that only they have.
async fn person(control: &Control, actor: &Actor, text: &str) -> Result<Result<UserId, FieldError>, Error> {
    let people = control::find::find(control, actor, text, NAMESAKES).await?.people;
    let wanted = text.trim().to_lowercase();
    if let Some(hit) = people.hits.iter().find(|hit| hit.email == wanted) {
        return Ok(Ok(hit.id));
    }
    let named: Vec<_> = people.hits.iter().filter(|hit| hit.name.to_lowercase() == wanted).collect();
    let wrong = |sentence: String| Ok(Err(FieldError::new("who", sentence)));
    match (named.as_slice(), people.hits.as_slice()) {
        ([only], _) => Ok(Ok(only.id)),
        (_, [only]) => Ok(Ok(only.id)),
        (_, []) => wrong("Nobody here is called so.".to_owned()),
        (_, several) => {
            let names: Vec<_> = several
                .iter()
                .map(|hit| format!("{} ({})", crate::text::one_line(&hit.name, 80), hit.email))
                .collect();
            let more = if people.more { " and others" } else { "" };
            wrong(format!("Several people are called so: {}{more}. Give a mail address.", names.join(", ")))
        }
    }
}

/// Keeps a filter.
pub async fn save(control: &Control, actor: &Actor, new: NewFilter) -> Result<SavedFilterId, Error> {
    saved::save(control, actor, new).await
}

/// The calls of a filter as lines of CSV.
pub fn export(
    control: &Control,
    actor: &Actor,
    query: &ActivityQuery,
    now: Timestamp,
) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
    calls::export(control, actor, filter(query, now))
}

/// One call; none if there is none that the actor may see.
pub async fn call(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    id: CallId,
) -> Result<Option<String>, Error> {
    let Some(story) = calls::story(control, actor, id).await? else { return Ok(None) };
    let why = calls::why(control, actor, id).await?;
    Ok(Some(call::page(visit, story, why)))
}

/// A session's calls from the beginning, or after a call; none if there is no call of it that the actor may see.
pub async fn session(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    id: &str,
    after: Option<CallId>,
) -> Result<Option<String>, Error> {
    let story = calls::session(control, actor, id, after).await?;
    Ok(story.map(|story| session::page(visit, story)))
}

/// Requests that never became calls.
pub async fn rejected(control: &Control, actor: &Actor, visit: &Visit) -> Result<String, Error> {
    let rows = calls::rejections(control, actor, REJECTED).await?;
    let rows = rows
        .into_iter()
        .map(|row| rejected::Rejected {
            at: row.at,
            code: row.code,
            status: row.status,
            credential: row.credential,
            address: row.address,
            count: row.count,
        })
        .collect();
    Ok(rejected::page(visit, rows))
}

/// The newest calls of a list, newest first, and whether there are older ones.
pub async fn newest(
    control: &Control,
    actor: &Actor,
    query: &ActivityQuery,
    now: Timestamp,
) -> Result<(Vec<CallRow>, bool), Error> {
    let listing = calls::list(control, actor, &filter(query, now), Page::Newest, PAGE).await?;
    Ok((listing.rows, listing.has_older))
}

/// New and changed calls of a list, as they come.
pub fn follow(
    control: &Control,
    actor: &Actor,
    query: &ActivityQuery,
    now: Timestamp,
) -> impl Stream<Item = Result<CallRow, Error>> + Send + 'static {
    calls::follow(control, actor, filter(query, now))
}

fn filter(query: &ActivityQuery, now: Timestamp) -> Filter {
    Filter {
        from: query.since(now),
        to: query.to,
        agent: query.agent,
        module: query.module,
        tool_id: query.tool_id,
        unit: query.unit,
        team: query.team,
        department: query.department,
        person: query.person,
        charged: query.charged,
        session: query.session.clone(),
        text: query.text.clone(),
        tool: query.tool.clone(),
        verdict: query.verdict,
        outcome: query.outcome,
    }
}

fn page(query: &ActivityQuery) -> Page {
    match query.cursor {
        Cursor::Newest => Page::Newest,
        Cursor::Before(call) => Page::Before(call),
        Cursor::After(call) => Page::After(call),
    }
}

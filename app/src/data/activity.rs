//! Calls: the list, one of them, and those that never became one.

use control::activity::{self as calls, Filter, Page};
use control::actor::Actor;
use control::{Control, Error};
use futures::Stream;
use model::call::CallRow;
use model::{CallId, Timestamp};

use crate::document::Visit;
use crate::pages::activity::{PAGE, Shown};
use crate::pages::filter::{ActivityQuery, Cursor, Read};
use crate::pages::{activity, call, rejected};
use crate::pieces::field::FieldError;

/// Rejected requests on their page.
const REJECTED: u16 = 200;

/// The list of calls.
pub async fn activity(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    mut read: Read,
) -> Result<String, Error> {
    let choices = calls::choices(control, actor).await?;
    let mut shown = Shown { agents: choices.agents, modules: choices.modules, ..Shown::default() };
    if read.errors.is_empty() {
        let filter = filter(&read.query, visit.site.now);
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

/// One call; none if there is none that the actor may see.
pub async fn call(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    id: CallId,
) -> Result<Option<String>, Error> {
    let story = calls::story(control, actor, id).await?;
    Ok(story.map(|story| call::page(visit, story)))
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
        tool: query.tool.clone(),
        verdict: query.verdict,
        outcome: query.outcome,
        ..Filter::default()
    }
}

fn page(query: &ActivityQuery) -> Page {
    match query.cursor {
        Cursor::Newest => Page::Newest,
        Cursor::Before(call) => Page::Before(call),
        Cursor::After(call) => Page::After(call),
    }
}

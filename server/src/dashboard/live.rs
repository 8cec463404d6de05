//! The live list: rows as server-sent events, for as long as the session and the rights last.
//!
//! Each connection begins with the newest rows as they are (`page`: there are older ones, `all`: there are none), then
//! sends new and changed ones (`calls`), a few times a second at most. Rows are HTML from the same component as the
//! page's, which escapes everything; no tool's output is in them. `end` tells the browser not to come back.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use app::data::activity as data;
use app::links::Links;
use app::pages::filter::{self, ActivityQuery};
use app::pieces::call_row::{self, Reader};
use app::wording::Clock;
use axum::extract::{RawQuery, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use control::actor::Actor;
use control::sessions::Who;
use futures::{Stream, StreamExt as _, stream};
use http::{HeaderName, HeaderValue};
use model::call::CallRow;
use model::{CallId, UserId, Zone};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, timeout};
use tower_sessions::session::Id;

use super::Dashboard;
use super::refusal::Refusal;
use super::session::{self, Person};

/// A sign of life, so that proxies keep the connection and both ends notice a break.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often the session and the rights are looked at again.
pub(super) const RECHECK: Duration = Duration::from_secs(10);
/// Rows are sent together this often.
const GATHER: Duration = Duration::from_millis(250);
/// Rows sent at a time; the others are counted. A person reads none of 4,000 rows in a second.
const MOST: usize = 100;
/// Rows gathered between two sendings; beyond it only their number is kept.
const GATHERED: usize = 1_000;
/// A connection is renewed after this.
pub(super) const LONGEST: Duration = Duration::from_secs(60 * 60);
/// How long a browser may take to accept what is sent.
const PATIENCE: Duration = Duration::from_secs(20);
/// Streams for one person, and for everybody on this node.
const FOR_ONE: usize = 12;
const FOR_ALL: usize = 2_000;

const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// `GET /t/{tenant}/activity/live`, with the list's own query.
pub(super) async fn live(
    State(dashboard): State<Dashboard>,
    person: Result<Person, Refusal>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let person = match person {
        Ok(person) => person,
        // A browser would take a redirect for a failure and try again for ever.
        Err(Refusal::SignIn { .. }) => return Ok(events(stream::iter([Ok(end())]))),
        Err(other) => return Err(other),
    };
    let read = filter::read(query.as_deref().unwrap_or_default(), person.visit.site.zone);
    if !read.errors.is_empty() || !read.query.is_live() {
        return Err(Refusal::Unreadable);
    }
    let id = person.session.id().ok_or(Refusal::Broken)?;
    let place = dashboard.watchers.enter(person.who.user).ok_or(Refusal::TooManyWatchers)?;
    // Read here once, so that whoever may not see the list learns it by a status.
    data::newest(&dashboard.control, &person.actor, &read.query, person.visit.site.now).await?;
    let (sender, receiver) = mpsc::channel(8);
    let watch = Watch {
        dashboard,
        actor: person.actor,
        who: person.who,
        session: id,
        links: person.links,
        reader: person.visit.reader(),
        zone: person.visit.site.zone,
        query: read.query,
    };
    tokio::spawn(async move {
        let _place = place;
        let _ = timeout(LONGEST, Box::pin(watch.run(sender))).await;
    });
    let rows =
        stream::unfold(receiver, |mut receiver| async move { Some((Ok(receiver.recv().await?), receiver)) });
    Ok(events(rows))
}

pub(super) fn events(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    response.headers_mut().insert(BUFFERING, HeaderValue::from_static("no"));
    response
}

pub(super) fn end() -> Event {
    Event::default().event("end").data("over")
}

/// One open page.
struct Watch {
    dashboard: Dashboard,
    actor: Actor,
    who: Who,
    session: Id,
    links: Links,
    reader: Reader,
    zone: Zone,
    query: ActivityQuery,
}

/// The browser went away, or takes nothing.
pub(super) struct Gone;

impl Watch {
    async fn run(self, sender: mpsc::Sender<Event>) {
        let _ = self.follow(&sender).await;
    }

    async fn follow(&self, sender: &mpsc::Sender<Event>) -> Result<(), Gone> {
        let control = &self.dashboard.control;
        let now = || control.ambient().now();
        // It begins some seconds ago, so that nothing falls between it and the list; a row that comes twice stands once.
        let mut rows = pin!(data::follow(control, &self.actor, &self.query, now()));
        let mut gathered = Gathered::default();
        let Ok((newest, older)) = data::newest(control, &self.actor, &self.query, now()).await else {
            return Err(Gone);
        };
        let name = if older { "page" } else { "all" };
        send(sender, Event::default().event(name).retry(Duration::from_secs(2)).data(self.html(newest)))
            .await?;

        let mut sending = interval(GATHER);
        sending.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut checking = interval_at(Instant::now() + RECHECK, RECHECK);
        checking.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                row = rows.next() => match row {
                    Some(Ok(row)) => gathered.add(row),
                    // The browser comes back by itself, and is judged anew.
                    Some(Err(_)) | None => return Ok(()),
                },
                _ = sending.tick(), if !gathered.is_empty() => {
                    let (rows, skipped) = gathered.take();
                    send(sender, Event::default().event("calls").data(self.html(rows))).await?;
                    if skipped > 0 {
                        send(sender, Event::default().event("skipped").data(skipped.to_string())).await?;
                    }
                }
                _ = checking.tick() => match session::still(&self.dashboard, self.session, &self.who).await {
                    Ok(Some(actor)) if actor.roles() == self.actor.roles() => {}
                    // Other rights: the browser comes back and is judged anew.
                    Ok(Some(_)) => return Ok(()),
                    Ok(None) => return send(sender, end()).await,
                    // It cannot be told whether they still may: then they may not.
                    Err(_) => return Ok(()),
                },
                () = self.dashboard.stop.cancelled() => return Ok(()),
                () = sender.closed() => return Err(Gone),
            }
        }
    }

    fn html(&self, rows: Vec<CallRow>) -> String {
        if rows.is_empty() {
            // An event without data is not told to the page at all.
            return "<!-- none -->".to_owned();
        }
        let clock = Clock { now: self.dashboard.control.ambient().now(), zone: self.zone };
        rows.into_iter().map(|row| call_row::html(row, &self.links, clock, self.reader)).collect()
    }
}

pub(super) async fn send(sender: &mpsc::Sender<Event>, event: Event) -> Result<(), Gone> {
    match timeout(PATIENCE, sender.send(event)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(Gone),
    }
}

/// Rows that wait to be sent: the last state of each call.
#[derive(Default)]
struct Gathered {
    rows: HashMap<CallId, CallRow>,
    beyond: usize,
}

impl Gathered {
    fn add(&mut self, row: CallRow) {
        if self.rows.len() < GATHERED || self.rows.contains_key(&row.id) {
            self.rows.insert(row.id, row);
        } else {
            self.beyond = self.beyond.saturating_add(1);
        }
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The newest of them, newest first, and how many are left out.
    fn take(&mut self) -> (Vec<CallRow>, usize) {
        let mut rows: Vec<CallRow> = std::mem::take(&mut self.rows).into_values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.id));
        let skipped = rows.len().saturating_sub(MOST).saturating_add(std::mem::take(&mut self.beyond));
        rows.truncate(MOST);
        (rows, skipped)
    }
}

/// How many streams each person has open.
#[derive(Clone, Default)]
pub(super) struct Watchers(Arc<Mutex<HashMap<UserId, usize>>>);

/// One of them; given back when dropped.
pub(super) struct Place {
    watchers: Watchers,
    user: UserId,
}

impl Watchers {
    pub(super) fn enter(&self, user: UserId) -> Option<Place> {
        let mut open = self.0.lock();
        let all: usize = open.values().sum();
        let own = open.get(&user).copied().unwrap_or(0);
        if own >= FOR_ONE || all >= FOR_ALL {
            return None;
        }
        open.insert(user, own + 1);
        Some(Place { watchers: self.clone(), user })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.watchers.0.lock();
        match open.get_mut(&self.user) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                open.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::AgentId;
    use model::call::{Outcome, Verdict};
    use uuid::Uuid;

    fn row(n: u128) -> CallRow {
        CallRow {
            id: CallId::from(Uuid::from_u128(n)),
            received_at: model::Timestamp::default(),
            agent: AgentId::from(Uuid::from_u128(1)),
            agent_name: String::new(),
            owner: model::UserId::from(Uuid::from_u128(1)),
            owner_name: String::new(),
            on_behalf_of: None,
            on_behalf_of_name: None,
            unit: None,
            unit_name: None,
            tool_name: String::new(),
            verdict: Verdict::Permit,
            reason: None,
            outcome: None,
            duration_us: None,
            charge: None,
        }
    }

    #[test]
    fn a_call_that_changes_is_sent_once_as_it_is_last() {
        let mut gathered = Gathered::default();
        gathered.add(row(1));
        gathered.add(CallRow { outcome: Some(Outcome::Succeeded), ..row(1) });
        let (rows, skipped) = gathered.take();
        assert_eq!((rows.len(), skipped), (1, 0));
        assert_eq!(rows[0].outcome, Some(Outcome::Succeeded));
        assert!(gathered.is_empty());
    }

    #[test]
    fn of_a_flood_the_newest_are_sent_and_the_rest_is_counted() {
        let mut gathered = Gathered::default();
        (0..1_500).for_each(|n| gathered.add(row(n)));
        let (rows, skipped) = gathered.take();
        assert_eq!(rows.len(), MOST);
        assert_eq!(rows.len() + skipped, 1_500);
        assert!(rows[0].id > rows[1].id);
        assert_eq!(gathered.take().1, 0);
    }

    #[test]
    fn one_person_cannot_take_all_places_and_gives_them_back() {
        let watchers = Watchers::default();
        let (one, other) = (UserId::from(Uuid::from_u128(1)), UserId::from(Uuid::from_u128(2)));
        let mut places: Vec<_> = (0..FOR_ONE).map(|_| watchers.enter(one).unwrap()).collect();
        assert!(watchers.enter(one).is_none());
        assert!(watchers.enter(other).is_some());
        places.pop();
        assert!(watchers.enter(one).is_some());
        drop(places);
        assert!(watchers.0.lock().is_empty());
    }
}

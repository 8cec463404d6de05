//! Streams on which a client hears that what it is shown has changed, and of resources that it subscribed to: `subscriptions/listen` (2026-07-28, Subscriptions), and
//! before it the stream that a GET opens (2025-11-25, Transports, Listening for Messages from the Server).
//!
//! A stream waits for its tenant's next snapshot and holds none meanwhile. In each the credential is authenticated anew before
//! anything else: one that is no longer good ends the stream.

mod places;
mod resources;
mod shown;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use http::StatusCode;
use model::Timestamp;
use model::call::Epoch;
use policy::Directory;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

pub(crate) use self::places::Places;
use self::places::{MOST, Place};
use self::resources::Updates;
pub(crate) use self::resources::{Subscriptions, TOO_MANY, keep};
use self::shown::{Digests, Filter, Kind};
use crate::conduit::Line;
use crate::edge::{Reply, turn_away_refused};
use crate::gateway::House;
use crate::life::{self, Caller, Presented};
use crate::methods::{Asked, Visit};
use crate::refusals;
use crate::upstream::Heard;
use crate::wire::{self, Answer, Id, ResultText, RpcError, code};

/// What changes within this time of what was told is told together.
const BETWEEN: Duration = Duration::from_secs(1);
/// Updates of resources that wait to be told, at most. Who has not taken those misses others.
const WAITING: usize = 64;
const TOO_MANY_AT_ONCE: &str =
    "`params.notifications.resourceSubscriptions` takes up to 64 URIs of up to 2,048 characters";
/// Where a message says to which subscription it belongs.
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// One stream.
pub(crate) struct Listening {
    house: Arc<House>,
    presented: Presented,
    line: Line,
    /// The id of the request that opened it, as it came. None: a client of the `initialize` era, whose stream has no name.
    id: Option<Box<RawValue>>,
    place: Place,
    shown: Digests,
    /// The servers of what is shown, heard for changes of their lists.
    servers: Vec<Heard>,
    updates: Updates,
    /// The resources that a client of 2026-07-28 hears of here.
    resources: Vec<Arc<str>>,
    /// Passes their updates on; over with the stream.
    passing: JoinSet<()>,
    epoch: Epoch,
    /// When time alone may change what is shown, or to whom.
    holds_until: Option<Timestamp>,
    until: Instant,
}

/// Serves `subscriptions/listen`.
pub(crate) async fn subscribe(visit: &Visit<'_>, id: Id<'_>, asked: &Asked<'_>) -> Reply {
    let refused = |answer| Reply::to(Some(id), answer, true);
    if let Some(answer) = turn_away_refused(visit.house, visit.caller, &visit.presented) {
        return refused(answer);
    }
    let Some(filter) = asked.params.notifications.and_then(wire::object::<Filter>) else {
        let message = "`params.notifications` must be an object of which each `…ListChanged` is true or false, and \
                       `resourceSubscriptions` a list of URIs";
        return refused(visit.malformed("malformed_params", message));
    };
    let Some(uris) = filter.resources() else {
        return refused(visit.malformed("malformed_params", TOO_MANY_AT_ONCE));
    };
    let Some(line) = visit.line.clone() else {
        let message = "what is listened to is a stream: `Accept: application/json, text/event-stream`";
        let (status, code) = (StatusCode::NOT_ACCEPTABLE, "no_event_stream");
        visit.record(code, status);
        return refused(refusal(status, code, message.to_owned()));
    };
    let raw = RawValue::from_string(id.raw().to_owned()).ok();
    match Listening::begin(visit.house, visit.caller, visit.presented.clone(), &filter.kinds(), line) {
        Ok((mut listening, updates)) => {
            listening.id = raw;
            listening.hear(visit, asked, uris, &updates).await;
            Reply::listening(listening)
        }
        Err((code, answer)) => {
            visit.record(code, answer.status);
            refused(answer)
        }
    }
}

/// The code of a refusal, and what is answered.
type Refused = (&'static str, Answer);

/// Opens the stream of a session of the `initialize` era.
pub(crate) fn open(
    house: &Arc<House>,
    caller: &Caller,
    presented: Presented,
    session: Option<Arc<str>>,
    line: Line,
) -> Result<Reply, Refused> {
    let (listening, _) = Listening::begin(house, caller, presented, &Kind::ALL, line)?;
    if let Some(session) = session {
        listening.place.is_of(session);
    }
    Ok(Reply::listening(listening))
}

fn refusal(status: StatusCode, code: &'static str, message: String) -> Answer {
    let error = RpcError::new(code::INVALID_REQUEST, message).with(json!({ "code": code }));
    Answer::refused(status, error)
}

impl Listening {
    fn begin(
        house: &Arc<House>,
        caller: &Caller,
        presented: Presented,
        kinds: &[Kind],
        line: Line,
    ) -> Result<(Self, mpsc::Sender<Arc<str>>), Refused> {
        if house.places.are_closed() {
            return Err(("stopping", refusals::stopping()));
        }
        let (sender, updates) = mpsc::channel(WAITING);
        let Some(place) = house.places.take(caller.principal.attribution.credential, sender.clone()) else {
            let message = format!(
                "this key listens on {MOST} streams already, which is all it may have: close one, or use another key"
            );
            let code = "too_many_streams";
            return Err((code, refusal(StatusCode::TOO_MANY_REQUESTS, code, message)));
        };
        let mut listening = Self {
            servers: Vec::new(),
            house: Arc::clone(house),
            line,
            id: None,
            place,
            shown: Digests::of(caller, presented.bundle.as_deref(), kinds),
            presented,
            epoch: caller.directory.epoch(),
            holds_until: holds_until(caller),
            until: Instant::now() + house.settings.stream_lifetime,
            updates,
            resources: Vec::new(),
            passing: JoinSet::new(),
        };
        listening.attend(caller);
        Ok((listening, sender))
    }

    /// Hears of the servers of all that is shown, and of no others.
    fn attend(&mut self, caller: &Caller) {
        let servers = self.shown.servers(caller, self.presented.bundle.as_deref());
        self.servers.retain(|heard| servers.contains(&heard.key));
        for key in servers {
            if !self.servers.iter().any(|heard| heard.key == key) {
                // An address that cannot be one is told whoever calls there.
                let heard = self.house.upstreams.hear(&self.house.plugs.connections, &key);
                self.servers.extend(heard);
            }
        }
    }

    /// Subscribes to resources, each by a call of its own. What may not be heard of, or cannot, is left out.
    async fn hear(
        &mut self,
        visit: &Visit<'_>,
        asked: &Asked<'_>,
        uris: Vec<String>,
        updates: &mpsc::Sender<Arc<str>>,
    ) {
        let credential = visit.caller.principal.attribution.credential;
        let subscribing = uris.into_iter().filter_map(|uri| {
            let held = visit.house.subscriptions.hold(credential)?;
            Some(async move {
                let (_, subscribed) = visit.subscribe(asked, &uri).await;
                Some((Arc::<str>::from(uri), held, subscribed?))
            })
        });
        for (uri, held, subscribed) in join_all(subscribing).await.into_iter().flatten() {
            self.resources.push(uri.clone());
            let (house, presented) = (Arc::clone(visit.house), visit.presented.clone());
            let updates = updates.clone();
            self.passing.spawn(async move {
                let tell =
                    |uri: &Arc<str>| !matches!(updates.try_send(uri.clone()), Err(TrySendError::Closed(_)));
                resources::pass_on(&house, &presented, &uri, subscribed, tell).await;
                drop(held);
            });
        }
    }

    /// Tells what changes, until the stream is to end. What it ends with is the answer.
    pub(crate) async fn run(mut self) -> Reply {
        self.acknowledge().await;
        let house = Arc::clone(&self.house);
        let mut looked = None;
        let mut due: Option<Instant> = None;
        loop {
            // What is told early would be told again: it waits until the second since the last look is over.
            let next = || looked.map_or_else(Instant::now, |looked: Instant| looked + BETWEEN);
            let stale = self.stale();
            tokio::select! {
                biased;
                () = house.places.closed() => break,
                () = sleep_until(self.until) => break,
                moved = house.plugs.directories.moved(self.presented.endpoint, self.epoch) => {
                    let Ok(Some(directory)) = moved else { break };
                    if self.reach(directory).is_none() {
                        break;
                    }
                    due = due.or_else(|| Some(next()));
                }
                Some(uri) = self.updates.recv() => self.updated(&uri).await,
                () = at(stale), if due.is_none() => due = Some(next()),
                () = at(due) => {
                    (due, looked) = (None, Some(Instant::now()));
                    let Some(changed) = self.look().await else { break };
                    for kind in changed {
                        self.tell(&format!("notifications/{}/list_changed", kind.word()), None).await;
                    }
                }
            }
        }
        self.end()
    }

    /// The first that is said. In the `initialize` era, it is nothing: a comment, so that the client knows that it is heard.
    async fn acknowledge(&self) {
        match self.id {
            None => self.line.comment().await,
            Some(_) => {
                let mut honoured =
                    self.shown.kinds().map(|kind| format!(r#""{}":true"#, kind.asked())).collect::<Vec<_>>();
                if !self.resources.is_empty() {
                    honoured.push(format!(r#""resourceSubscriptions":{}"#, json!(self.resources)));
                }
                let honoured = format!(r#""notifications":{{{}}}"#, honoured.join(","));
                self.tell("notifications/subscriptions/acknowledged", Some(&honoured)).await;
            }
        }
    }

    /// Says that a resource was updated, by the name that its client has for it.
    async fn updated(&self, uri: &str) {
        self.tell("notifications/resources/updated", Some(&format!(r#""uri":{}"#, json!(uri)))).await;
    }

    /// Says one thing, under the subscription's id. `members` is what its `params` have besides.
    async fn tell(&self, method: &str, members: Option<&str>) {
        let meta = self.id.as_ref().map(|id| format!(r#""_meta":{{"{SUBSCRIPTION}":{}}}"#, id.get()));
        let members: Vec<&str> = meta.as_deref().into_iter().chain(members).collect();
        let params = match members.is_empty() {
            true => String::new(),
            false => format!(r#","params":{{{}}}"#, members.join(",")),
        };
        self.line.tell(&format!(r#"{{"jsonrpc":"2.0","method":"{method}"{params}}}"#)).await;
    }

    /// Comes to a snapshot. None: this client may not listen any more.
    fn reach(&mut self, directory: Arc<Directory>) -> Option<Caller> {
        let caller = life::still_in(&self.house, directory, &self.presented)?;
        (self.epoch, self.holds_until) = (caller.directory.epoch(), holds_until(&caller));
        Some(caller)
    }

    fn stale(&self) -> Option<Instant> {
        let left = self.holds_until?.signed_duration_since(self.house.ambient.now());
        Some(Instant::now() + left.to_std().unwrap_or_default())
    }

    /// What was changed since it was last told; none: this client may not listen any more.
    async fn look(&mut self) -> Option<Vec<Kind>> {
        let deadline = Instant::now() + self.house.settings.request_timeout;
        let directory = life::current(&self.house, self.presented.endpoint, deadline).await.ok()?;
        let caller = self.reach(directory)?;
        self.attend(&caller);
        let changed = self.shown.renewed(&caller, self.presented.bundle.as_deref());
        // Of several streams of a session, a message goes to one (2025-11-25, Transports, Multiple Connections).
        Some(if self.place.is_told() { changed } else { Vec::new() })
    }

    fn end(&self) -> Reply {
        let Some(id) = &self.id else { return Reply::accepted() };
        let result = format!(r#"{{"_meta":{{"{SUBSCRIPTION}":{}}}}}"#, id.get());
        Reply::to(Id::of(id), Answer::result(ResultText::own(result)), true)
    }
}

fn holds_until(caller: &Caller) -> Option<Timestamp> {
    caller.directory.stale_at().into_iter().chain(caller.principal.expires_at).min()
}

/// Comes at an instant, or never.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

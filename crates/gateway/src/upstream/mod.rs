//! The other side: MCP servers that calls are sent to. One HTTP client for all of them; for each module of each tenant a
//! number of places, and how its server is spoken to: in a session, or without one.

mod address;
mod answer;
mod aside;
mod breaker;
mod child;
mod client;
mod discover;
mod events;
mod exchange;
mod fetch;
mod lanes;
mod launch;
mod old_sse;
mod pipe;
mod probe;
mod request;
mod resume;
mod sending;
mod session;
mod stream;
mod telling;
mod theirs;
mod trouble;
mod watch;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use http::{HeaderValue, Uri};
use model::{ConnectionId, CredentialId, ModuleId, TenantId};
use parking_lot::Mutex;
use policy::Tool;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

use self::address::AddressRule;
use self::breaker::{Breaker, Patience};
use self::client::HttpClient;
pub use self::discover::{Discovered, DiscoveredTool, DiscoveryError, PassedOver, Progress};
#[cfg(fuzzing)]
pub(crate) use self::events::Events;
pub(crate) use self::exchange::SESSION_HEADER;
use self::exchange::{Listening, Peer};
use self::lanes::{Lane, Lanes};
use self::launch::Launch;
use self::request::For;
pub(crate) use self::request::{Input, Wanted};
pub(crate) use self::sending::Sending;
use self::session::Session;
pub use self::trouble::Trouble;
pub(crate) use self::watch::{Heard, Subscribed};
use self::watch::{Tells, Watches};
use crate::conduit::Conduit;
use crate::programs::{Programs, SCHEME};
use crate::settings::Settings;
use crate::trace::Trace;
use crate::wire::{Capabilities, Revision, code};

/// From how many open upstreams on those unused for [`UNUSED`] are forgotten.
const MANY: usize = 1024;
const UNUSED: Duration = Duration::from_secs(600);
/// What is waited before what may be repeated is.
const PAUSE: Duration = Duration::from_millis(100);

/// The upstream servers that this node talks to.
pub(crate) struct Upstreams {
    http: HttpClient,
    timeout: Duration,
    wait: Duration,
    places: usize,
    limit: usize,
    patience: Patience,
    programs: Arc<Programs>,
    known: Mutex<HashMap<Key, Arc<Upstream>>>,
    watches: Arc<Watches>,
    notice: Notice,
}

/// Is told of a server whose lists have changed, or may have.
pub(crate) type Notice = Arc<dyn Fn(&Key) + Send + Sync>;

/// A session is never shared across any of these.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Key {
    pub(crate) tenant: TenantId,
    pub(crate) module: ModuleId,
    pub(crate) url: Arc<str>,
    pub(crate) connection: Option<ConnectionId>,
}

impl Key {
    /// Where a tool's calls go. None: it has no URL.
    pub(crate) fn of(tenant: TenantId, tool: &Tool) -> Option<Self> {
        Some(Self { tenant, module: tool.module, url: tool.url.clone()?, connection: tool.connection })
    }
}

/// Whose calls share a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Sharers {
    /// What the clients can do: a server asks no more than its session was opened with.
    asked: Capabilities,
    /// The one credential whose clients they are, where they can be asked at all.
    of: Option<CredentialId>,
    /// The one call's at a time, where its client is asked in rounds; else 0.
    lane: u16,
}

/// Where a server is.
struct Address {
    uri: Uri,
    /// As it is shown.
    shown: Arc<str>,
    /// How it is started, where it is a program.
    program: Option<Arc<Launch>>,
}

struct Upstream {
    uri: Uri,
    url: Arc<str>,
    program: Option<Arc<Launch>>,
    sessions: Mutex<HashMap<Sharers, Standing>>,
    lanes: Arc<Lanes>,
    places: Semaphore,
    breaker: Breaker,
    ids: Ids,
    last_used: Mutex<Instant>,
    /// Of what it tells without being asked, and when it said so.
    tells: Mutex<Option<(Instant, Tells)>>,
}

/// Gives each request to a server an id of its own.
#[derive(Default)]
struct Ids(AtomicU64);

impl Ids {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

type Opening = Shared<BoxFuture<'static, Result<Session, Trouble>>>;

enum Standing {
    Opening(Opening),
    Open(Session),
}

/// What a call needs to be sent.
pub(crate) struct Outbound<'a> {
    pub(crate) wanted: &'a Wanted<'a>,
    /// What its server asked for before, answered.
    pub(crate) input: Input<'a>,
    /// What the client can do that its server may ask for.
    pub(crate) capabilities: Capabilities,
    /// Where its progress is told.
    pub(crate) conduit: Option<&'a Conduit>,
    /// The trace that it is part of.
    pub(crate) trace: Option<Trace>,
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) sending: &'a Sending,
    pub(crate) deadline: Instant,
    /// How long its server may take until it begins to answer, connecting to it included.
    pub(crate) first_byte: Option<Duration>,
    /// It has less time than calls have elsewhere, so that it says nothing of its server when that is over.
    pub(crate) is_hurried: bool,
}

/// What a server brought back.
#[derive(Debug, Clone)]
pub(crate) struct Brought {
    /// The result object, raw.
    pub(crate) result: Bytes,
    /// Whether its server is stateless (2026-07-28), so that the result may ask for input.
    pub(crate) is_stateless: bool,
}

impl Upstreams {
    pub(crate) fn new(settings: &Settings) -> Result<Self, rustls::Error> {
        let rule = AddressRule::new(&settings.allowed_upstream_networks);
        Ok(Self {
            http: client::client(
                &rule,
                Arc::clone(&settings.names),
                settings.connect_timeout,
                settings.upstream_concurrency,
            )?,
            timeout: settings.upstream_timeout,
            wait: settings.upstream_wait,
            places: settings.upstream_concurrency,
            limit: settings.max_upstream_bytes,
            patience: Patience { faults: settings.upstream_faults, rest: settings.upstream_rest },
            programs: Arc::new(settings.programs.clone()),
            known: Mutex::new(HashMap::new()),
            watches: Arc::default(),
            notice: Arc::new(|_| ()),
        })
    }

    /// Tells of servers whose lists have changed.
    pub(crate) fn noticing(self, notice: Notice) -> Self {
        Self { notice, ..self }
    }

    /// Makes a call and returns its result. Whether anything left the house, `outbound.sending` knows.
    pub(crate) async fn call(&self, key: &Key, outbound: Outbound<'_>) -> Result<Brought, Trouble> {
        let upstream = self.upstream(key)?;
        let peer = self.peer(&upstream, outbound.authorization.clone());
        if outbound.sending.left().is_zero() {
            return Err(Trouble::TooLate);
        }
        let pass = upstream.breaker.pass(Instant::now()).map_err(|rest| Trouble::Resting {
            url: upstream.url.to_string(),
            seconds: rest.as_secs_f64().ceil() as u64,
        })?;
        let waited = tokio::time::timeout(self.wait.min(outbound.sending.left()), upstream.places.acquire());
        // The semaphore is never closed; were it, nothing should pass.
        let Ok(Ok(_place)) = waited.await else { return Err(Trouble::Busy { limit: self.places }) };
        let lane = outbound.conduit.and_then(Conduit::asked_in_rounds).and_then(|of| upstream.lanes.take(of));
        let lane_number = lane.as_ref().map_or(0, Lane::number);
        let mut answered = self.exchange(&upstream, &peer, lane_number, &outbound).await;
        if let Err(trouble) = &answered
            && trouble.may_pass()
            && outbound.wanted.may_be_repeated()
        {
            let was_sent = outbound.sending.has_begun();
            tokio::time::sleep(PAUSE.min(outbound.sending.left())).await;
            match self.exchange(&upstream, &peer, lane_number, &outbound).await {
                // What became of it the first time counts. That it is refused now does not say that it was refused then.
                Err(Trouble::TooLate) => {}
                Err(Trouble::Unauthorized { .. }) if was_sent => {}
                again => answered = again,
            }
        }
        match &answered {
            Err(trouble) if trouble.is_ours() => drop(pass),
            Err(Trouble::TimedOut { .. }) if outbound.is_hurried => drop(pass),
            Err(trouble) if trouble.is_fault() => pass.failed(Instant::now()),
            _ => pass.went_well(),
        }
        answered
    }

    /// One attempt, and what helps when the server tells how it wants to be spoken to.
    async fn exchange(
        &self,
        upstream: &Arc<Upstream>,
        peer: &Peer,
        lane: u16,
        outbound: &Outbound<'_>,
    ) -> Result<Brought, Trouble> {
        let session = self.session(upstream, peer, lane, outbound).await?;
        let trouble = match send(upstream, peer, &session, outbound).await {
            Err(trouble) => trouble,
            brought => return brought,
        };
        match Remedy::of(&trouble, &session) {
            None => return Err(trouble),
            Some(Remedy::ProbeNextTime) => {
                upstream.forget(&session);
                return Err(trouble);
            }
            Some(Remedy::Nothing) => {
                outbound.sending.was_not_taken();
                return Err(trouble);
            }
            Some(Remedy::Reopen) => {
                outbound.sending.was_not_taken();
                upstream.forget(&session);
            }
            Some(Remedy::Again) => outbound.sending.was_not_taken(),
        }
        let session = self.session(upstream, peer, lane, outbound).await?;
        let answered = send(upstream, peer, &session, outbound).await;
        if let Err(Trouble::Refused { code, .. }) = &answered
            && *code == i64::from(code::UNSUPPORTED_VERSION)
        {
            outbound.sending.was_not_taken();
        }
        answered
    }

    /// The way out to authorization servers.
    pub(crate) fn fetch(&self) -> Arc<dyn authorization::Fetch> {
        Arc::new(fetch::WayOut { http: self.http.clone(), timeout: self.timeout.min(fetch::PATIENCE) })
    }

    fn upstream(&self, key: &Key) -> Result<Arc<Upstream>, Trouble> {
        let now = Instant::now();
        let mut known = self.known.lock();
        if let Some(upstream) = known.get(key) {
            *upstream.last_used.lock() = now;
            return Ok(upstream.clone());
        }
        if known.len() >= MANY {
            known.retain(|_, upstream| {
                Arc::strong_count(upstream) > 1 || now.duration_since(*upstream.last_used.lock()) < UNUSED
            });
        }
        let Address { uri, shown, program } = self.address(key.tenant, &key.url)?;
        let upstream = Arc::new(Upstream {
            uri,
            url: shown,
            program,
            sessions: Mutex::default(),
            lanes: Arc::default(),
            places: Semaphore::new(self.places),
            breaker: Breaker::new(self.patience),
            ids: Ids::default(),
            last_used: Mutex::new(now),
            tells: Mutex::default(),
        });
        known.insert(key.clone(), upstream.clone());
        Ok(upstream)
    }

    /// Reads a module's address: the URL of a server, or the name of a program that the operator has set up.
    fn address(&self, tenant: TenantId, url: &str) -> Result<Address, Trouble> {
        let Some(name) = url.strip_prefix(SCHEME) else {
            let (uri, shown) = read_url(url)?;
            return Ok(Address { uri, shown: shown.into(), program: None });
        };
        if !self.programs.known.contains_key(name) {
            let name = name.chars().take(40).collect();
            return Err(Trouble::NoProgram { name, known: self.programs.names() });
        }
        let program = Launch::new(self.programs.clone(), name, tenant);
        Ok(Address { uri: Uri::default(), shown: url.into(), program: Some(Arc::new(program)) })
    }

    fn peer(&self, upstream: &Upstream, authorization: Option<HeaderValue>) -> Peer {
        Peer {
            http: self.http.clone(),
            uri: upstream.uri.clone(),
            url: upstream.url.clone(),
            program: upstream.program.clone(),
            authorization,
            limit: self.limit,
        }
    }

    /// The session, opened if it is not. Callers share one opening, which goes on when they give up: the next call
    /// finds it done.
    async fn session(
        &self,
        upstream: &Arc<Upstream>,
        peer: &Peer,
        lane: u16,
        outbound: &Outbound<'_>,
    ) -> Result<Session, Trouble> {
        let shared = Sharers {
            asked: outbound.conduit.map(Conduit::capabilities).unwrap_or_default(),
            of: outbound.conduit.and_then(Conduit::credential),
            lane,
        };
        let opening = {
            let mut sessions = upstream.sessions.lock();
            if sessions.len() >= MANY {
                sessions.retain(|_, standing| matches!(standing, Standing::Opening(_)));
            }
            match sessions.get(&shared) {
                Some(Standing::Open(session)) => return Ok(session.clone()),
                Some(Standing::Opening(opening)) => opening.clone(),
                None => {
                    // Where there are no sessions there is nothing to have for oneself.
                    let stateless = sessions.values().find_map(|standing| match standing {
                        Standing::Open(session) if session.is_stateless => Some(session.clone()),
                        _ => None,
                    });
                    if let Some(session) = stateless.filter(|_| lane != 0) {
                        return Ok(session);
                    }
                    let opening = self.open(upstream, peer.clone(), shared);
                    sessions.insert(shared, Standing::Opening(opening.clone()));
                    opening
                }
            }
        };
        let until = outbound.deadline.min(Instant::now() + outbound.sending.left());
        match tokio::time::timeout_at(until, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(Trouble::StillOpening { url: upstream.url.to_string() }),
        }
    }

    fn open(&self, upstream: &Arc<Upstream>, peer: Peer, shared: Sharers) -> Opening {
        let deadline = Instant::now() + self.timeout;
        let (owner, url) = (upstream.clone(), upstream.url.to_string());
        let task = tokio::spawn({
            let upstream = upstream.clone();
            async move { probe::open(&peer, &upstream.ids, shared.asked, deadline).await }
        });
        // A task of its own does the waiting too, so that the outcome is kept when every caller has given up.
        let kept = tokio::spawn(async move {
            let opened = task.await.unwrap_or(Err(Trouble::StillOpening { url }));
            let mut sessions = owner.sessions.lock();
            match &opened {
                Ok(session) => sessions.insert(shared, Standing::Open(session.clone())),
                Err(_) => sessions.remove(&shared),
            };
            drop(sessions);
            opened
        });
        let url = upstream.url.to_string();
        async move { kept.await.unwrap_or(Err(Trouble::StillOpening { url })) }.boxed().shared()
    }
}

impl Upstream {
    /// It has said of what it tells.
    fn tells(&self, tells: Tells) {
        *self.tells.lock() = Some((Instant::now(), tells));
    }

    /// Gives up what was known of how to speak to it, unless it has been found out anew already.
    fn forget(&self, lost: &Session) {
        self.sessions.lock().retain(|_, standing| {
            !matches!(standing, Standing::Open(session) if Arc::ptr_eq(&session.server, &lost.server))
        });
    }
}

/// What helps when a call was refused in a way that tells how its server wants to be spoken to.
enum Remedy {
    /// It was not taken: find out anew how the server is spoken to, and send it once more.
    Reopen,
    /// It was not taken: send it once more.
    Again,
    /// It was not taken, and would not be.
    Nothing,
    /// It may have been taken, so it is not sent again; the next call finds out anew.
    ProbeNextTime,
}

impl Remedy {
    fn of(trouble: &Trouble, session: &Session) -> Option<Self> {
        if let Some(spoken) = trouble.spoken() {
            let has_ours = spoken.iter().any(|word| word == Revision::V2026_07_28.word());
            return Some(if session.is_stateless && has_ours { Self::Again } else { Self::Reopen });
        }
        match trouble {
            Trouble::SessionLost { .. } | Trouble::WrongEra { .. } => Some(Self::Reopen),
            // Headers are compared before anything runs. Ours are made from the definition that was approved, so that
            // another one must be approved first: listing again, as clients do, would not help.
            Trouble::Refused { code, .. }
                if session.is_stateless && *code == i64::from(code::HEADER_MISMATCH) =>
            {
                Some(Self::Nothing)
            }
            // An opened server may have codes of its own there.
            Trouble::Refused { .. } if !session.is_stateless && trouble.is_of_the_stateless_era() => {
                Some(Self::ProbeNextTime)
            }
            // A session says itself when it is over.
            _ if session.id.is_some() => None,
            Trouble::Refused { code, .. } if *code == i64::from(code::METHOD_NOT_FOUND) => {
                Some(Self::ProbeNextTime)
            }
            Trouble::Status { status: 400 | 404 | 405 | 406 | 415, .. } => Some(Self::ProbeNextTime),
            _ => None,
        }
    }
}

async fn send(
    upstream: &Upstream,
    peer: &Peer,
    session: &Session,
    outbound: &Outbound<'_>,
) -> Result<Brought, Trouble> {
    let id = upstream.ids.next();
    let is_stateless = session.is_stateless;
    if outbound.input.goes_on && !is_stateless {
        // What it goes on from was asked by a server that was.
        return Err(Trouble::WrongEra { url: upstream.url.to_string() });
    }
    let with = For {
        session: Some(session),
        capabilities: outbound.capabilities,
        loudness: outbound.conduit.and_then(Conduit::loudness),
        progress: outbound.conduit.is_some_and(Conduit::wants_progress),
        trace: outbound.trace,
    };
    let written = outbound.wanted.request(id, outbound.input, with).ok_or(Trouble::NoHeader)?;
    let mut withdrawal = Withdrawal { peer, session, id, sending: Some(outbound.sending) };
    let listening = Listening {
        sending: Some(outbound.sending),
        conduit: outbound.conduit,
        first_byte: outbound.first_byte,
    };
    let asked = peer.ask(Some(session), written, listening, outbound.deadline);
    let answered = aside::listening(peer, session, outbound.conduit, asked).await;
    if !matches!(answered, Err(Trouble::TimedOut { .. })) {
        withdrawal.sending = None;
    }
    match answered {
        Ok(reply) => Ok(Brought { result: reply.result, is_stateless }),
        // hyper reports its own error when the body refuses to be sent.
        Err(_) if outbound.sending.is_too_late() => Err(Trouble::TooLate),
        Err(trouble) if is_stateless => Err(trouble.understood()),
        Err(trouble) => Err(trouble),
    }
}

/// Tells the server that nobody waits for an answer any more (2025-11-25, Cancellation), unless one has come. A stateless one
/// learns it by the end of its stream (2026-07-28, Cancellation).
struct Withdrawal<'a> {
    peer: &'a Peer,
    session: &'a Session,
    id: u64,
    sending: Option<&'a Sending>,
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        if self.session.is_stateless || !self.sending.is_some_and(Sending::has_begun) {
            return;
        }
        let told = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{},"reason":"nobody waits for it any more"}}}}"#,
            self.id
        );
        let (peer, session) = (self.peer.clone(), self.session.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { peer.tell(Some(&session), Bytes::from(told)).await });
        }
    }
}

/// What we present, as a header value that is never shown.
pub(crate) fn presented(secret: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(secret.expose_secret()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Reads the URL of an MCP server: http or https, with a host, without user name or password. Beside it, as it is
/// shown: without its query, in which some servers want a key.
fn read_url(text: &str) -> Result<(Uri, String), Trouble> {
    let bad = |why| Trouble::BadUrl { url: without_query(text), why };
    let mut url = Url::parse(text).map_err(|_| bad("it is no URL such as https://example.com/mcp"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("it must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // Not repeated: what stands there may be a secret.
        return Err(Trouble::BadUrl {
            url: url.host_str().unwrap_or_default().to_owned(),
            why: "a user name or password cannot stand in it; credentials belong to a connection",
        });
    }
    url.set_fragment(None);
    let uri = url.as_str().parse().map_err(|_| bad("it is no URL such as https://example.com/mcp"))?;
    Ok((uri, without_query(url.as_str())))
}

/// A URL as it may be shown and written down, cut to 200 characters.
fn without_query(url: &str) -> String {
    url.chars().take_while(|letter| !matches!(letter, '?' | '#')).take(200).collect()
}

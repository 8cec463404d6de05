//! The other side: MCP servers that calls are sent to. One HTTP client for all of them, a session and a number of
//! places for each module of each tenant.

mod address;
mod client;
mod discover;
mod events;
mod exchange;
mod sending;
mod session;
mod trouble;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use http::{HeaderValue, Uri};
use model::{ConnectionId, ModuleId, TenantId};
use parking_lot::Mutex;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

use self::address::AddressRule;
use self::client::HttpClient;
pub use self::discover::{Discovered, DiscoveredTool, DiscoveryError, Progress};
pub(crate) use self::exchange::SESSION_HEADER;
use self::exchange::{Listening, Peer};
pub(crate) use self::sending::Sending;
use self::session::Session;
pub(crate) use self::session::Wanted;
pub use self::trouble::Trouble;
use crate::conduit::Conduit;
use crate::settings::Settings;

/// From how many open upstreams on those unused for [`UNUSED`] are forgotten.
const MANY: usize = 1024;
const UNUSED: Duration = Duration::from_secs(600);

/// The upstream servers that this node talks to.
pub(crate) struct Upstreams {
    http: HttpClient,
    timeout: Duration,
    wait: Duration,
    places: usize,
    limit: usize,
    known: Mutex<HashMap<Key, Arc<Upstream>>>,
}

/// A session is never shared across any of these.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Key {
    pub(crate) tenant: TenantId,
    pub(crate) module: ModuleId,
    pub(crate) url: Arc<str>,
    pub(crate) connection: Option<ConnectionId>,
}

struct Upstream {
    uri: Uri,
    url: Arc<str>,
    session: Mutex<Standing>,
    places: Semaphore,
    last_id: AtomicU64,
    last_used: Mutex<Instant>,
}

type Opening = Shared<BoxFuture<'static, Result<Session, Trouble>>>;

enum Standing {
    Closed,
    Opening(Opening),
    Open(Session),
}

/// What a call needs to be sent.
pub(crate) struct Outbound<'a> {
    pub(crate) wanted: &'a Wanted<'a>,
    /// Where its progress is told.
    pub(crate) conduit: Option<&'a Conduit>,
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) sending: &'a Sending,
    pub(crate) deadline: Instant,
}

impl Upstreams {
    pub(crate) fn new(settings: &Settings) -> Result<Self, rustls::Error> {
        let rule = AddressRule::new(&settings.allowed_upstream_networks);
        Ok(Self {
            http: client::client(&rule, settings.connect_timeout, settings.upstream_concurrency)?,
            timeout: settings.upstream_timeout,
            wait: settings.upstream_wait,
            places: settings.upstream_concurrency,
            limit: settings.max_upstream_bytes,
            known: Mutex::new(HashMap::new()),
        })
    }

    /// Calls a tool and returns the result object, raw. Whether anything left the house, `outbound.sending` knows.
    pub(crate) async fn call(&self, key: &Key, outbound: Outbound<'_>) -> Result<Bytes, Trouble> {
        let upstream = self.upstream(key)?;
        let peer = self.peer(&upstream, outbound.authorization.clone());
        if outbound.sending.left().is_zero() {
            return Err(Trouble::TooLate);
        }
        let waited = tokio::time::timeout(self.wait.min(outbound.sending.left()), upstream.places.acquire());
        // The semaphore is never closed; were it, nothing should pass.
        let Ok(Ok(_place)) = waited.await else { return Err(Trouble::Busy { limit: self.places }) };
        let session = self.session(&upstream, &peer, &outbound).await?;
        match send(&upstream, &peer, &session, &outbound).await {
            Err(Trouble::SessionLost { .. }) => {
                // It did not take the call: a new session, and once more.
                outbound.sending.was_not_taken();
                upstream.forget(&session);
                let session = self.session(&upstream, &peer, &outbound).await?;
                send(&upstream, &peer, &session, &outbound).await
            }
            answered => answered,
        }
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
        let (uri, shown) = read_url(&key.url)?;
        let upstream = Arc::new(Upstream {
            uri,
            url: shown.into(),
            session: Mutex::new(Standing::Closed),
            places: Semaphore::new(self.places),
            last_id: AtomicU64::new(0),
            last_used: Mutex::new(now),
        });
        known.insert(key.clone(), upstream.clone());
        Ok(upstream)
    }

    fn peer(&self, upstream: &Upstream, authorization: Option<HeaderValue>) -> Peer {
        Peer {
            http: self.http.clone(),
            uri: upstream.uri.clone(),
            url: upstream.url.clone(),
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
        outbound: &Outbound<'_>,
    ) -> Result<Session, Trouble> {
        let opening = {
            let mut standing = upstream.session.lock();
            match &*standing {
                Standing::Open(session) => return Ok(session.clone()),
                Standing::Opening(opening) => opening.clone(),
                Standing::Closed => {
                    let opening = self.open(upstream, peer.clone());
                    *standing = Standing::Opening(opening.clone());
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

    fn open(&self, upstream: &Arc<Upstream>, peer: Peer) -> Opening {
        let deadline = Instant::now() + self.timeout;
        let (owner, url) = (upstream.clone(), upstream.url.to_string());
        let task = tokio::spawn({
            let upstream = upstream.clone();
            async move { Session::open(&peer, upstream.next_id(), deadline).await }
        });
        // A task of its own does the waiting too, so that the outcome is kept when every caller has given up.
        let kept = tokio::spawn(async move {
            let opened = task.await.unwrap_or(Err(Trouble::StillOpening { url }));
            *owner.session.lock() = match &opened {
                Ok(session) => Standing::Open(session.clone()),
                Err(_) => Standing::Closed,
            };
            opened
        });
        let url = upstream.url.to_string();
        async move { kept.await.unwrap_or(Err(Trouble::StillOpening { url })) }.boxed().shared()
    }
}

impl Upstream {
    fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Gives a session up, unless another has replaced it already.
    fn forget(&self, lost: &Session) {
        let mut standing = self.session.lock();
        if matches!(&*standing, Standing::Open(session) if session.id == lost.id) {
            *standing = Standing::Closed;
        }
    }
}

async fn send(
    upstream: &Upstream,
    peer: &Peer,
    session: &Session,
    outbound: &Outbound<'_>,
) -> Result<Bytes, Trouble> {
    let id = upstream.next_id();
    let message = outbound.wanted.request(id, outbound.conduit.is_some());
    let mut withdrawal = Withdrawal { peer, session, id, sending: Some(outbound.sending) };
    let listening = Listening { sending: Some(outbound.sending), conduit: outbound.conduit };
    let answered = peer.ask(Some(session), message, id, listening, outbound.deadline).await;
    if !matches!(answered, Err(Trouble::TimedOut { .. })) {
        withdrawal.sending = None;
    }
    match answered {
        Ok(reply) => Ok(reply.result),
        // hyper reports its own error when the body refuses to be sent.
        Err(_) if outbound.sending.is_too_late() => Err(Trouble::TooLate),
        Err(trouble) => Err(trouble),
    }
}

/// Tells the server that nobody waits for an answer any more (2025-11-25, Cancellation), unless one has come.
struct Withdrawal<'a> {
    peer: &'a Peer,
    session: &'a Session,
    id: u64,
    sending: Option<&'a Sending>,
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        if !self.sending.is_some_and(Sending::has_begun) {
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

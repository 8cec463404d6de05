//! A gateway that lives in the past: the same that serves, with a clock that shows what it is told and a ledger that gathers
//! calls until they are imported. So every decision, reason, result and charge on record is a real one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use chrono::TimeDelta;
use control::Control;
use control::directory::Directories;
use control::ledger::import::PastCall;
use gateway::seams::StateKey;
use gateway::{Gateway, Plugs, Settings, seams};
use http::Request;
use model::ambient::{Clock, Entropy};
use model::call::{Entry, NotAdmitted, Receipt, Rejection, Settlement};
use model::{Ambient, CallId, McpId, Timestamp};
use parking_lot::Mutex;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

use crate::metrics::Metrics;
use crate::{Failure, plugs};

/// How long upstream servers are waited for.
pub(super) enum Patience {
    /// As long as in earnest.
    Usual,
    /// Nobody wants to wait a minute for a demo's time-out.
    Short,
}

/// [`Patience::Short`].
const SHORT: Duration = Duration::from_millis(250);

/// With what an agent calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    /// Revision 2026-07-28, which names the client in every request; else 2025-06-18, which does not.
    pub(super) modern: bool,
    /// From where, by an address that is nobody's (RFC 5737).
    pub(super) from: [u8; 4],
}

/// The gateway, with what it gathered.
pub(super) struct Past {
    router: Router,
    clock: Arc<PastClock>,
    gathered: Arc<Gathered>,
    endpoint: McpId,
    keys: BTreeMap<String, String>,
}

impl Past {
    /// Opens it for an organization whose agents have these keys.
    pub(super) fn open(
        control: &Control,
        endpoint: McpId,
        keys: &BTreeMap<String, String>,
        seed: u64,
        patience: Patience,
    ) -> Result<Self, Failure> {
        let clock = Arc::new(PastClock {
            shown: Mutex::new((control.ambient().now(), Instant::now())),
            real: control.ambient().clone(),
        });
        let seeded = Seeded { generator: Mutex::new(ChaCha12Rng::seed_from_u64(seed)) };
        let ambient = Ambient::new(clock.clone(), Arc::new(seeded));
        let gathered = Arc::new(Gathered { ambient: ambient.clone(), calls: Mutex::default() });
        let mut settings = Settings {
            // The demo's own upstream server lives on this machine.
            allowed_upstream_networks: vec!["127.0.0.0/8".parse()?],
            ..Settings::default()
        };
        if matches!(patience, Patience::Short) {
            settings.upstream_timeout = SHORT;
        }
        let plugs = Plugs {
            directories: Arc::new(plugs::Directories {
                directories: Directories::new(control.clone()),
                metrics: Metrics::new(),
            }),
            ledger: gathered.clone(),
            limits: Arc::new(plugs::Limits { control: control.clone(), metrics: Metrics::new() }),
            connections: Arc::new(plugs::Connections::new(control.clone(), plugs::way_out(&settings)?)),
            catalog: Arc::new(plugs::Catalog { control: control.clone() }),
            native: Arc::new(plugs::NativeModules { control: control.clone() }),
            boot: Arc::new(plugs::BootClock { ambient: ambient.clone() }),
            traces: Arc::new(gateway::seams::NoTraces),
            state_key: StateKey::random(&ambient),
        };
        let router = Gateway::new(plugs, settings, ambient)?.router();
        Ok(Self { router, clock, gathered, endpoint, keys: keys.clone() })
    }

    /// Makes a call as if at `at`, and answers its structured content: null when it was refused or failed.
    pub(super) async fn call(
        &self,
        at: Timestamp,
        who: (&str, Client),
        tool: &str,
        arguments: Value,
    ) -> Result<Value, Failure> {
        let request = self.request(who, tool, arguments)?;
        *self.clock.shown.lock() = (at, Instant::now());
        // A thousand lines about calls that nobody made just now would only hide what matters.
        let answered = self.router.clone().oneshot(request).with_subscriber(NoSubscriber::default());
        let answer = axum::body::to_bytes(answered.await?.into_body(), 16 << 20).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        Ok(answer.pointer("/result/structuredContent").cloned().unwrap_or_default())
    }

    /// Makes a call and goes away before it is answered.
    pub(super) async fn leave(
        &self,
        at: Timestamp,
        who: (&str, Client),
        tool: &str,
        arguments: Value,
    ) -> Result<(), Failure> {
        let request = self.request(who, tool, arguments)?;
        *self.clock.shown.lock() = (at, Instant::now());
        let left = async {
            let _ = tokio::time::timeout(SHORT / 2, self.router.clone().oneshot(request)).await;
        };
        left.with_subscriber(NoSubscriber::default()).await;
        Ok(())
    }

    fn request(
        &self,
        (agent, client): (&str, Client),
        tool: &str,
        arguments: Value,
    ) -> Result<Request<Body>, Failure> {
        let key = self.keys.get(agent).ok_or("a demo agent has no key")?;
        let mut params = json!({ "name": tool, "arguments": arguments });
        let mut request = Request::post(format!("/{}/mcp", self.endpoint))
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        if client.modern {
            let meta = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": { "name": client.name, "version": client.version },
            });
            if let Some(params) = params.as_object_mut() {
                params.insert("_meta".to_owned(), meta);
            }
            request = request
                .header("mcp-protocol-version", "2026-07-28")
                .header("mcp-method", "tools/call")
                .header("mcp-name", tool);
        } else {
            request = request.header("mcp-protocol-version", "2025-06-18");
        }
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let mut request = request.body(Body::from(body.to_string()))?;
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((client.from, 443))));
        Ok(request)
    }

    /// What was gathered, oldest first.
    pub(super) fn gathered(&self) -> Vec<PastCall> {
        std::mem::take(&mut *self.gathered.calls.lock()).into_values().collect()
    }
}

/// Shows a time that was set and goes on from there.
struct PastClock {
    shown: Mutex<(Timestamp, Instant)>,
    real: Ambient,
}

impl Clock for PastClock {
    fn now(&self) -> Timestamp {
        let (shown, set) = *self.shown.lock();
        shown + TimeDelta::from_std(set.elapsed()).unwrap_or_default()
    }

    fn since_boot(&self) -> Duration {
        self.real.since_boot()
    }
}

/// Time and randomness as they are, the wall clock `by` behind.
pub(in crate::dev) fn ago(real: &Ambient, by: TimeDelta) -> Ambient {
    let behind = Arc::new(Behind { real: real.clone(), by });
    Ambient::new(behind.clone(), behind)
}

/// See [`ago`].
struct Behind {
    real: Ambient,
    by: TimeDelta,
}

impl Clock for Behind {
    fn now(&self) -> Timestamp {
        self.real.now() - self.by
    }

    fn since_boot(&self) -> Duration {
        self.real.since_boot()
    }
}

impl Entropy for Behind {
    fn fill(&self, buffer: &mut [u8]) {
        for some in buffer.chunks_mut(32) {
            for (byte, random) in some.iter_mut().zip(self.real.bytes::<32>()) {
                *byte = random;
            }
        }
    }
}

/// The same ids at each load. Keys and nonces do not come from here.
struct Seeded {
    generator: Mutex<ChaCha12Rng>,
}

impl Entropy for Seeded {
    fn fill(&self, buffer: &mut [u8]) {
        self.generator.lock().fill_bytes(buffer);
    }
}

/// Calls in the order of their ids, which is that of their times.
struct Gathered {
    ambient: Ambient,
    calls: Mutex<BTreeMap<CallId, PastCall>>,
}

#[async_trait]
impl seams::Ledger for Gathered {
    async fn admit(&self, entry: Entry) -> Result<Receipt, NotAdmitted> {
        let receipt = Receipt {
            call: entry.id,
            arguments_digest: entry.arguments_digest,
            admitted_at: entry.received_at,
            send_before: self.ambient.since_boot() + Duration::from_secs(60),
        };
        self.calls.lock().insert(entry.id, PastCall { entry, settlement: None });
        Ok(receipt)
    }

    fn settle(&self, settlement: Settlement) {
        if let Some(call) = self.calls.lock().get_mut(&settlement.call) {
            call.settlement = Some(settlement);
        }
    }

    /// The demo's agents send nothing that cannot be understood.
    fn reject(&self, rejection: Rejection) {
        tracing::warn!(code = rejection.code, "a request of the demo's past was turned away");
    }
}

//! An organization, its gateway on a port of its own, and a client that speaks plain HTTP to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gateway::seams::{
    BootClock, Catalog, Challenge, Connections, NativeAnswer, NativeFailure, NativeModules, NotPresented,
    StateKey, TraceId, Traced, Traces, Unavailable,
};
use gateway::{Discovered, Gateway, Plugs, Settings};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use model::access::Grantee;
use model::ambient::{Clock, Entropy};
use model::call::{Attribution, Epoch};
use model::catalog::{ModuleKind, ModuleStanding, ToolStanding};
use model::people::{Role, Standing, UnitKind};
use model::{Ambient, CallId, ConnectionId, Currency, GrantId, McpId, Money, RateId, TenantId, Timestamp};
use parking_lot::Mutex;
use policy::{
    AgentFact, CredentialFact, Directory, Facts, GrantFact, ModuleFact, TenantFact, ToolFact, UnitFact,
    UserFact,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::ledger::{MemoryDirectories, MemoryLedger, MemoryLimits};

/// The instant `second` after the one at which the world begins.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

pub fn id<T: From<Uuid>>(number: u128) -> T {
    T::from(Uuid::from_u128(number))
}

pub const ENDPOINT: u128 = 2;
pub const AGENT: u128 = 20;
pub const CREDENTIAL: u128 = 30;
pub const RATE: u128 = 60;
/// The secret that the connection to the upstream server presents.
pub const SECRET: &str = "Bearer upstream-secret";

/// The key of credential number `n`: 1 may use everything, 2 nothing, 3 has expired, 4 comes from elsewhere.
pub fn key(n: u8) -> String {
    model::key::mint([n; 32])
}

pub fn price() -> Money {
    Money { amount: "0.0025".parse().unwrap(), currency: Currency::EUR }
}

/// Does not move unless told to: shows the second that it is set to.
#[derive(Default)]
pub struct SetClock(pub Mutex<i64>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        at(*self.0.lock())
    }

    fn since_boot(&self) -> Duration {
        Duration::ZERO
    }
}

/// Counts.
pub struct CountedEntropy(AtomicU64);

impl CountedEntropy {
    /// Counts from here on.
    pub fn from(begins: u64) -> Self {
        Self(AtomicU64::new(begins))
    }
}

impl Entropy for CountedEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        buffer.iter_mut().rev().zip(number.into_iter().rev()).for_each(|(byte, digit)| *byte = digit);
    }
}

/// Shows what it is set to.
#[derive(Default)]
pub struct SetBoot(pub Mutex<Duration>);

impl BootClock for SetBoot {
    fn since_boot(&self) -> Duration {
        *self.0.lock()
    }
}

/// One secret, unless told to fail.
#[derive(Default)]
pub struct OneSecret {
    pub broken: Mutex<bool>,
    /// What is presented instead once a server has refused it.
    pub instead: Mutex<Option<Result<Option<&'static str>, NotPresented>>>,
    /// With which challenges servers refused it.
    pub refusals: Mutex<Vec<Challenge>>,
}

#[async_trait]
impl Connections for OneSecret {
    async fn authorization(&self, _: TenantId, _: ConnectionId) -> Result<SecretString, NotPresented> {
        if *self.broken.lock() { Err(NotPresented::Unavailable) } else { Ok(SecretString::from(SECRET)) }
    }

    async fn refused(
        &self,
        _: TenantId,
        _: ConnectionId,
        _: &SecretString,
        challenge: &Challenge,
    ) -> Result<Option<SecretString>, NotPresented> {
        self.refusals.lock().push(challenge.clone());
        let instead = *self.instead.lock();
        instead.map_or(Ok(None), |instead| instead.map(|text| text.map(SecretString::from)))
    }
}

/// A native module with a tool that greets, one that fails, one that hangs and one that panics.
pub struct Native;

#[async_trait]
impl NativeModules for Native {
    async fn call(
        &self,
        who: &Attribution,
        _: CallId,
        module: &str,
        tool: &str,
        arguments: Bytes,
    ) -> Result<NativeAnswer, NativeFailure> {
        assert_eq!(module, "crm");
        match tool {
            "hang" => std::future::pending().await,
            "panic" => panic!("a native tool broke"),
            "fail" => Err(NativeFailure { sentence: "The CRM is being moved.".to_owned() }),
            _ => {
                let arguments: Value = serde_json::from_slice(&arguments).unwrap();
                let result = json!({"content": [{"type": "text", "text": format!("hello {}", who.agent)}],
                    "structuredContent": arguments});
                Ok(NativeAnswer { result: result.to_string().into(), is_error: false })
            }
        }
    }
}

/// Remembers what servers offered when they were asked again: the names, each with its module.
#[derive(Default)]
pub struct MemoryCatalog(pub Mutex<Vec<(model::ModuleId, Vec<String>)>>);

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn offered(
        &self,
        _: TenantId,
        module: model::ModuleId,
        _: &str,
        discovered: Discovered,
    ) -> Result<(), Unavailable> {
        let names = discovered.tools.into_iter().map(|tool| tool.name).collect();
        self.0.lock().push((module, names));
        Ok(())
    }
}

/// Gathers traces whose id begins with an odd byte, once it is told to.
#[derive(Default)]
pub struct MemoryTraces {
    pub is_on: std::sync::atomic::AtomicBool,
    pub ended: Mutex<Vec<Traced>>,
}

impl Traces for MemoryTraces {
    fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    fn samples(&self, trace: &TraceId) -> bool {
        trace[0] % 2 == 1
    }

    fn ended(&self, call: Traced) {
        self.ended.lock().push(call);
    }
}

pub struct World {
    pub gateway: Gateway,
    pub url: String,
    pub ledger: Arc<MemoryLedger>,
    pub limits: Arc<MemoryLimits>,
    pub directories: Arc<MemoryDirectories>,
    pub clock: Arc<SetClock>,
    pub boot: Arc<SetBoot>,
    pub connections: Arc<OneSecret>,
    pub catalog: Arc<MemoryCatalog>,
    pub traces: Arc<MemoryTraces>,
    http: Client<HttpConnector, Full<Bytes>>,
    facts: Mutex<Facts>,
}

/// What came back.
#[derive(Debug)]
pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The code of a JSON-RPC error.
    pub fn rpc_error(&self) -> i64 {
        self.json()["error"]["code"].as_i64().unwrap_or_else(|| panic!("no error: {self:?}"))
    }

    pub fn result(&self) -> Value {
        let json = self.json();
        assert_eq!(json.get("error"), None, "{self:?}");
        json["result"].clone()
    }

    /// The code in a tool result that reports a refusal or failure.
    pub fn trouble(&self) -> String {
        let result = self.result();
        assert_eq!(result["isError"], true, "{self:?}");
        result["structuredContent"]["error"]["code"].as_str().unwrap().to_owned()
    }
}

/// Facts with an upstream module `up` at `url` and a native module `crm`.
pub fn facts(url: &str) -> Facts {
    let hash = |n| Sha256::digest(key(n)).into();
    let credential = |n: u8, agent: u128| CredentialFact {
        id: id(CREDENTIAL + u128::from(n)),
        agent: id(agent),
        on_behalf_of: None,
        secret_hash: hash(n),
        expires_at: (n == 3).then(|| at(-1)),
        allowed_addresses: if n == 4 { vec!["192.0.2.0/24".parse().unwrap()] } else { vec![] },
    };
    let agent = |number: u128, name: &str| AgentFact {
        id: id(number),
        name: name.to_owned(),
        owner: id(10),
        home_unit: id(5),
        standing: Standing::Active,
    };
    let mut tools = Vec::new();
    let mut number = 100;
    for (module, names) in [(40, &crate::upstream::TOOLS[..]), (41, &["greet", "fail", "hang", "panic"][..])]
    {
        for name in names {
            number += 1;
            let definition = match *name {
                "mirrored" => json!({"name": name, "inputSchema": {"type": "object",
                    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}}),
                _ => {
                    json!({"name": name, "description": format!("Does {name}."), "inputSchema": {"type": "object"}})
                }
            };
            tools.push(ToolFact {
                id: id(number),
                module: id(module),
                name: (*name).to_owned(),
                definition: definition.to_string(),
                definition_hash: Sha256::digest(definition.to_string()).into(),
                key: if module == 40 { "up:read" } else { "crm:read" }.parse().unwrap(),
                standing: if *name == "drifted" { ToolStanding::Drifted } else { ToolStanding::Approved },
                price: price(),
                rate: Some(id::<RateId>(RATE)),
                timeouts: Default::default(),
            });
        }
    }
    let module = |number: u128, name: &str, kind, url: Option<&str>, connection: Option<u128>| ModuleFact {
        id: id(number),
        name: name.to_owned(),
        title: name.to_uppercase(),
        kind,
        url: url.map(str::to_owned),
        connection: connection.map(id),
        owner: Some(id(10)),
        standing: ModuleStanding::Live,
    };
    let grant = |number: u128, key: &str| GrantFact {
        id: id::<GrantId>(number),
        key: key.parse().unwrap(),
        grantee: Grantee::Agent(id(AGENT)),
        expires_at: None,
    };
    Facts {
        epoch: epoch(1),
        tenant: TenantFact {
            id: id(1),
            slug: "acme".parse().unwrap(),
            name: "Acme".to_owned(),
            mcp_id: id(ENDPOINT),
            standing: Standing::Active,
            agents_stopped: false,
            zone: model::Zone::UTC,
        },
        units: vec![UnitFact { id: id(5), parent: None, kind: UnitKind::Team, name: "Sales".to_owned() }],
        users: vec![UserFact {
            id: id(10),
            name: "Ada".to_owned(),
            home_unit: id(5),
            units: vec![],
            roles: vec![Role::Admin],
            standing: Standing::Active,
        }],
        agents: vec![agent(AGENT, "Scout"), agent(AGENT + 1, "Idle")],
        credentials: vec![
            credential(1, AGENT),
            credential(2, AGENT + 1),
            credential(3, AGENT),
            credential(4, AGENT),
        ],
        modules: vec![
            module(40, "up", ModuleKind::Mcp, Some(url), Some(50)),
            module(41, "crm", ModuleKind::Native, None, None),
        ],
        tools,
        grants: vec![grant(70, "up"), grant(71, "crm")],
        bundles: vec![],
        limits: vec![],
    }
}

pub fn epoch(number: i64) -> Epoch {
    Epoch { number, token: Uuid::from_u128(number.unsigned_abs().into()) }
}

pub fn build(facts: &Facts) -> Arc<Directory> {
    Arc::new(Directory::build(facts.clone(), at(0)).unwrap())
}

/// Settings for tests: loopback upstreams, and no long waits.
pub fn settings() -> Settings {
    Settings {
        allowed_upstream_networks: vec!["127.0.0.0/8".parse().unwrap()],
        allowed_origins: vec!["https://inspector.example.com".to_owned()],
        upstream_timeout: Duration::from_millis(800),
        connect_timeout: Duration::from_millis(500),
        body_timeout: Duration::from_millis(300),
        upstream_faults: 0,
        ..Settings::default()
    }
}

impl World {
    /// A world whose module `up` is at `url`.
    pub async fn new(url: &str) -> Self {
        Self::with(url, settings()).await
    }

    pub async fn with(url: &str, settings: Settings) -> Self {
        Self::node(url, settings, 0).await
    }

    /// One of several nodes: its random numbers begin elsewhere.
    pub async fn node(url: &str, settings: Settings, begins: u64) -> Self {
        let connections = Arc::new(OneSecret::default());
        let mut world = Self::presenting(url, settings, connections.clone(), begins).await;
        world.connections = connections;
        world
    }

    /// One whose module is presented what somebody else says.
    pub async fn presenting(
        url: &str,
        settings: Settings,
        presented: Arc<dyn Connections>,
        begins: u64,
    ) -> Self {
        Self::plugged(url, settings, presented, begins, Arc::default()).await
    }

    /// One of several nodes that share these meters.
    pub async fn beside(url: &str, settings: Settings, begins: u64, limits: Arc<MemoryLimits>) -> Self {
        let connections = Arc::new(OneSecret::default());
        let mut world = Self::plugged(url, settings, connections.clone(), begins, limits).await;
        world.connections = connections;
        world
    }

    async fn plugged(
        url: &str,
        settings: Settings,
        presented: Arc<dyn Connections>,
        begins: u64,
        limits: Arc<MemoryLimits>,
    ) -> Self {
        let facts = facts(url);
        let endpoint: McpId = id(ENDPOINT);
        let directories = Arc::new(MemoryDirectories::new(endpoint, build(&facts)));
        let ledger = Arc::new(MemoryLedger::default());
        *ledger.epoch.lock() = Some(facts.epoch);
        let boot = Arc::new(SetBoot::default());
        let catalog = Arc::new(MemoryCatalog::default());
        let traces = Arc::new(MemoryTraces::default());
        let plugs = Plugs {
            directories: directories.clone(),
            ledger: ledger.clone(),
            limits: limits.clone(),
            connections: presented,
            catalog: catalog.clone(),
            traces: traces.clone(),
            native: Arc::new(Native),
            boot: boot.clone(),
            state_key: StateKey::new([5; 32], []),
        };
        let clock = Arc::new(SetClock::default());
        let ambient = Ambient::new(clock.clone(), Arc::new(CountedEntropy::from(begins)));
        let gateway = Gateway::new(plugs, settings, ambient).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/{endpoint}/mcp", listener.local_addr().unwrap());
        let service = gateway.router().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        let http = Client::builder(TokioExecutor::new()).build_http();
        Self {
            gateway,
            url,
            ledger,
            limits,
            directories,
            clock,
            boot,
            connections: Arc::default(),
            catalog,
            traces,
            http,
            facts: Mutex::new(facts),
        }
    }

    /// Changes the facts under a new epoch: the database and the gate know at once, this node does not.
    pub fn change(&self, change: impl FnOnce(&mut Facts)) {
        let mut facts = self.facts.lock();
        change(&mut facts);
        facts.epoch = epoch(facts.epoch.number + 1);
        *self.directories.latest.lock() = build(&facts);
        *self.ledger.epoch.lock() = Some(facts.epoch);
        self.directories.told.send_replace(());
    }

    /// Changes only what this node has: its snapshot is older than what the gate knows.
    pub fn forget(&self, change: impl FnOnce(&mut Facts)) {
        let mut facts = self.facts.lock().clone();
        change(&mut facts);
        facts.epoch = epoch(0);
        *self.directories.had.lock() = build(&facts);
    }

    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answered {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.exchange(request.body(Full::new(body.into())).unwrap()).await
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Answered {
        let response = tokio::time::timeout(Duration::from_secs(20), self.http.request(request)).await;
        let (head, body) = response.expect("an answer in time").expect("an answer").into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answered { status: head.status, headers: head.headers, text }
    }

    /// A request of the `initialize` era in a session, whose answer is read event by event.
    pub async fn stream(&self, session: &str, method: &str, params: Value) -> Events {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.url)
            .header("authorization", format!("Bearer {}", key(1)))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2025-11-25")
            .header("mcp-session-id", session)
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        self.events(request).await
    }

    async fn events(&self, request: Request<Full<Bytes>>) -> Events {
        let (head, body) = self.http.request(request).await.unwrap().into_parts();
        Events { status: head.status, headers: head.headers, body, text: String::new() }
    }

    /// Key `n` listens for changes as a client of 2026-07-28.
    pub async fn listen(&self, n: u8, id: Value, notifications: Value) -> Events {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let body = json!({"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen",
            "params": {"_meta": meta, "notifications": notifications}});
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.url)
            .header("authorization", format!("Bearer {}", key(n)))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "subscriptions/listen")
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        self.events(request).await
    }

    /// Key `n` gets the stream of the `initialize` era, in a session or without one.
    pub async fn get(&self, n: u8, session: Option<&str>) -> Events {
        let mut request = Request::builder()
            .method(Method::GET)
            .uri(&self.url)
            .header("authorization", format!("Bearer {}", key(n)))
            .header("accept", "text/event-stream")
            .header("mcp-protocol-version", "2025-11-25");
        if let Some(session) = session {
            request = request.header("mcp-session-id", session);
        }
        self.events(request.body(Full::default()).unwrap()).await
    }

    /// Opens a session for a client with these capabilities.
    pub async fn open(&self, capabilities: Value) -> String {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities});
        let opened = self.ask("initialize", params).await;
        opened.headers["mcp-session-id"].to_str().unwrap().to_owned()
    }

    /// Posts a body with key 1 and further headers.
    pub async fn post(&self, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answered {
        let bearer = format!("Bearer {}", key(1));
        let mut all = vec![
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        all.extend_from_slice(headers);
        self.send(Method::POST, &self.url, &all, body).await
    }

    /// The same with headers that need not be text.
    pub async fn post_raw(&self, headers: &HeaderMap, body: Vec<u8>) -> Answered {
        let mut request = Request::builder().method(Method::POST).uri(&self.url);
        request = request.header("authorization", format!("Bearer {}", key(1)));
        request = request.header("content-type", "application/json");
        request = request.header("accept", "application/json, text/event-stream");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.exchange(request.body(Full::new(body.into())).unwrap()).await
    }

    /// A request of the `initialize` era.
    pub async fn ask(&self, method: &str, params: Value) -> Answered {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        self.post(&[("mcp-protocol-version", "2025-11-25")], body).await
    }

    /// A call by an agent of the `initialize` era.
    pub async fn call(&self, tool: &str, arguments: Value) -> Answered {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// The same with another key.
    pub async fn call_with(&self, n: u8, tool: &str) -> Answered {
        let body =
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}}).to_string();
        let bearer = format!("Bearer {}", key(n));
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.send(Method::POST, &self.url, &headers, body).await
    }

    /// A request of 2026-07-28, as its clients write it.
    pub async fn ask_stateless(&self, method: &str, params: Value) -> Answered {
        self.ask_able(1, json!({}), method, params).await
    }

    /// The same with key `n`, by a client with these capabilities.
    pub async fn ask_able(&self, n: u8, able: Value, method: &str, mut params: Value) -> Answered {
        let token = params["_meta"]["progressToken"].take();
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": able,
            "io.modelcontextprotocol/clientInfo": {"name": "Stateless", "version": "9.1"},
        });
        if !token.is_null() {
            params["_meta"]["progressToken"] = token;
        }
        let name = params["name"].as_str().or(params["uri"].as_str()).map(str::to_owned);
        let bearer = format!("Bearer {}", key(n));
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", method),
        ];
        headers.extend(name.as_deref().map(|name| ("mcp-name", name)));
        let body = json!({"jsonrpc": "2.0", "id": "a", "method": method, "params": params}).to_string();
        self.send(Method::POST, &self.url, &headers, body).await
    }
}

/// An answer as it comes.
pub struct Events {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: hyper::body::Incoming,
    text: String,
}

impl Events {
    /// The next message, within five seconds.
    pub async fn next(&mut self) -> Value {
        let next = async {
            loop {
                if let Some((event, rest)) = self.text.split_once("\n\n") {
                    let data =
                        event.split_once("data: ").map(|(_, data)| serde_json::from_str(data).unwrap());
                    self.text = rest.to_owned();
                    match data {
                        Some(message) => return message,
                        None => continue,
                    }
                }
                let Some(frame) = self.body.frame().await else {
                    // Nothing was told before the answer.
                    return serde_json::from_str(&self.text).expect("another event");
                };
                let frame = frame.unwrap();
                self.text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
            }
        };
        tokio::time::timeout(Duration::from_secs(5), next).await.expect("an event in time")
    }

    /// For more than the second within which changes are told, no message comes.
    pub async fn stays_silent(&mut self) {
        let next = tokio::time::timeout(Duration::from_millis(1_300), self.body.frame()).await;
        if let Ok(Some(Ok(frame))) = next {
            let text = frame.data_ref().map_or(&b""[..], |data| data);
            assert_eq!(text, b":\n\n", "{}", String::from_utf8_lossy(text));
        }
        assert!(!self.text.contains("data"), "{}", self.text);
    }

    /// Whether it ends, and nothing more comes.
    pub async fn over(&mut self) -> bool {
        let rest = tokio::time::timeout(Duration::from_secs(5), (&mut self.body).collect()).await;
        let rest = rest.expect("an end in time").unwrap().to_bytes();
        !self.text.contains("data") && !String::from_utf8_lossy(&rest).contains("data")
    }
}

/// Waits until something holds, for at most five seconds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come about: {what}");
}

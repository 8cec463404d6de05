//! Resources whose updates clients hear of: through servers of both eras, to clients of both eras.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use futures::StreamExt as _;
use gateway::Settings;
use http::{HeaderMap, Method, StatusCode};
use model::call::{Outcome, Verdict};
use model::catalog::ToolStanding;
use parking_lot::Mutex;
use policy::ToolFact;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::world::{Events, World, eventually, id, key, price, settings};

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Era {
    Stateless,
    Opened,
}

const ERAS: [Era; 2] = [Era::Stateless, Era::Opened];

/// An upstream server that tells what it is told to tell.
#[derive(Clone)]
struct Server {
    era: Era,
    capabilities: Value,
    seen: Arc<Mutex<Vec<Value>>>,
    open: Arc<Mutex<u32>>,
    opened: Arc<Mutex<u32>>,
    tells: broadcast::Sender<Value>,
    /// How it answers who wants its stream instead of giving it.
    refuses: Arc<Mutex<Option<StatusCode>>>,
}

async fn server(era: Era, subscribe: bool) -> (Server, World) {
    server_that(era, json!({"resources": {"subscribe": subscribe}})).await
}

async fn server_that(era: Era, capabilities: Value) -> (Server, World) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let server = Server {
        era,
        capabilities,
        seen: Arc::default(),
        open: Arc::default(),
        opened: Arc::default(),
        tells: broadcast::Sender::new(256),
        refuses: Arc::default(),
    };
    let router = Router::new().route("/mcp", post(receive).get(get).delete(leave)).with_state(server.clone());
    // What it tells is told at once.
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let settings = Settings { upstream_timeout: Duration::from_secs(3), ..settings() };
    let world = World::with(&url, settings).await;
    world.change(|facts| {
        for (n, (name, definition)) in (0..).zip([
            ("resource:test://notes", json!({"name": "Notes", "uri": "test://notes"})),
            ("resource:test://other", json!({"name": "Other", "uri": "test://other"})),
            ("resource:test://closed", json!({"name": "Closed", "uri": "test://closed"})),
            ("template:test://city/{name}", json!({"name": "City", "uriTemplate": "test://city/{name}"})),
        ]) {
            facts.tools.push(ToolFact {
                id: id(900 + n),
                module: id(40),
                name: name.to_owned(),
                definition: definition.to_string(),
                definition_hash: [9; 32],
                key: "up:read".parse().unwrap(),
                standing: ToolStanding::Approved,
                price: price(),
                rate: None,
                timeouts: Default::default(),
            });
        }
    });
    // The node learns of it.
    let latest = world.directories.latest.lock().clone();
    *world.directories.had.lock() = latest;
    (server, world)
}

struct Guard(Server);

impl Drop for Guard {
    fn drop(&mut self) {
        *self.0.open.lock() -= 1;
    }
}

impl Server {
    fn stream(&self, first: Option<Value>) -> Response {
        *self.open.lock() += 1;
        *self.opened.lock() += 1;
        let guard = Guard(self.clone());
        let told = futures::stream::unfold((guard, self.tells.subscribe()), |(guard, mut tells)| async {
            let message = tells.recv().await.ok()?;
            // It breaks off where it is told to.
            (message != "end").then_some((message, (guard, tells)))
        });
        let events = futures::stream::iter(first)
            .chain(told)
            .map(|message| Ok::<_, Infallible>(Bytes::from(format!("data: {message}\n\n"))));
        ([("content-type", "text/event-stream")], Body::from_stream(events)).into_response()
    }

    fn updated(&self, uri: &str) {
        let message =
            json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}});
        self.tells.send(message).unwrap();
    }

    fn with_method(&self, method: &str) -> Vec<Value> {
        self.seen.lock().iter().filter(|message| message["method"] == method).cloned().collect()
    }

    async fn is_left(&self) {
        eventually("nobody listens to it", || *self.open.lock() == 0).await;
    }

    /// How often it was asked for this resource.
    fn subscriptions(&self, uri: &str) -> usize {
        let listens = self.with_method("subscriptions/listen").into_iter().filter(|message| {
            let uris = &message["params"]["notifications"]["resourceSubscriptions"];
            uris.as_array().is_some_and(|uris| uris.iter().any(|other| other == uri))
        });
        let subscribes = self.with_method("resources/subscribe").into_iter();
        listens.count() + subscribes.filter(|message| message["params"]["uri"] == uri).count()
    }
}

async fn leave() -> StatusCode {
    StatusCode::OK
}

async fn get(State(server): State<Server>) -> Response {
    if server.era == Era::Stateless {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let refuses = *server.refuses.lock();
    refuses.map_or_else(|| server.stream(None), IntoResponse::into_response)
}

async fn receive(State(server): State<Server>, _: HeaderMap, body: String) -> Response {
    let message: Value = serde_json::from_str(&body).unwrap();
    server.seen.lock().push(message.clone());
    let answer = |result: Value| axum::Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result}));
    let capabilities = server.capabilities.clone();
    let of = |uri: &str| message["params"].to_string().contains(uri);
    if message["method"].as_str().is_some_and(|method| method.contains("subscri")) {
        if of("test://city/hangs") {
            return std::future::pending().await;
        }
        if of("test://city/breaks") {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    }
    if message.get("result").is_some() {
        // It does not take what it asked for.
        return std::future::pending().await;
    }
    match (server.era, message["method"].as_str().unwrap_or_default()) {
        (Era::Stateless, "server/discover") => {
            answer(json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": capabilities}))
                .into_response()
        }
        (Era::Stateless, "subscriptions/listen") => {
            let mut honoured = message["params"]["notifications"].clone();
            if let Some(uris) = honoured["resourceSubscriptions"].as_array_mut() {
                uris.retain(|uri| uri != "test://closed");
            }
            let params = json!({"_meta": {SUBSCRIPTION: message["id"]}, "notifications": honoured});
            let method = "notifications/subscriptions/acknowledged";
            server.stream(Some(json!({"jsonrpc": "2.0", "method": method, "params": params})))
        }
        (Era::Opened, "initialize") => {
            let result = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities,
                "serverInfo": {"name": "tells", "version": "1"}});
            ([("mcp-session-id", "s1")], answer(result)).into_response()
        }
        (Era::Opened, "resources/subscribe") if message["params"]["uri"] == "test://closed" => {
            let error = json!({"code": -32002, "message": "no such resource"});
            axum::Json(json!({"jsonrpc": "2.0", "id": message["id"], "error": error})).into_response()
        }
        (Era::Opened, "resources/subscribe" | "resources/unsubscribe") => answer(json!({})).into_response(),
        (Era::Opened, "server/discover") => StatusCode::BAD_REQUEST.into_response(),
        (_, "tools/list") => {
            let tool = json!({"name": "new", "inputSchema": {"type": "object"}});
            answer(json!({"resultType": "complete", "tools": [tool]})).into_response()
        }
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

/// Listens as a client of 2026-07-28; gives the stream and what is honoured.
async fn listen(world: &World, uris: Value) -> (Events, Value) {
    let mut events = world.listen(1, json!("s"), json!({"resourceSubscriptions": uris})).await;
    let honoured = events.next().await["params"]["notifications"].clone();
    (events, honoured)
}

fn updated(uri: &str, is_stateless: bool) -> Value {
    let mut params = json!({ "uri": uri });
    if is_stateless {
        params["_meta"] = json!({SUBSCRIPTION: "s"});
    }
    json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": params})
}

impl World {
    /// In a session of the `initialize` era.
    async fn in_session(&self, session: &str, method: &str, uri: &str) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"uri": uri}}).to_string();
        let headers = [("mcp-protocol-version", "2025-11-25"), ("mcp-session-id", session)];
        self.post(&headers, body).await.json()
    }
}

#[tokio::test]
async fn an_update_reaches_who_subscribed_by_the_name_that_they_have_for_it() {
    for era in ERAS {
        let (server, world) = server(era, true).await;
        let (mut events, honoured) = listen(&world, json!(["up+test://notes", "up+test://city/paris"])).await;
        assert_eq!(honoured, json!({"resourceSubscriptions": ["up+test://city/paris", "up+test://notes"]}));
        let session = world.open(json!({})).await;
        let mut older = world.get(1, Some(&session)).await;
        let answered = world.in_session(&session, "resources/subscribe", "up+test://notes").await;
        assert_eq!(answered["result"], json!({}), "{answered}");

        server.updated("test://notes");
        assert_eq!(events.next().await, updated("up+test://notes", true), "{era:?}");
        assert_eq!(older.next().await, updated("up+test://notes", false));
        // What is below a resource is of it; what only begins alike is not.
        server.updated("test://city/paris/weather");
        assert_eq!(events.next().await, updated("up+test://city/paris", true));
        server.updated("test://city/parish");
        server.updated("test://other");
        events.stays_silent().await;
        older.stays_silent().await;

        // To begin was a call, on record and free.
        world.ledger.assert_balanced();
        let entries = world.ledger.entries.lock().clone();
        assert_eq!(entries.len(), 3);
        for (entry, settled) in entries.iter().zip(world.ledger.settlements.lock().iter()) {
            assert_eq!((entry.verdict, settled.outcome), (Verdict::Permit, Outcome::Succeeded));
            assert!(settled.charge.amount.is_zero() && entry.wanted.price.amount.is_zero());
            assert!(entry.arguments.starts_with(b"{\"uri\":\"up+test://"));
        }
        // All of them share what its server was asked for.
        assert_eq!(server.subscriptions("test://notes"), 1, "{era:?}");
        assert_eq!(*server.open.lock(), 1);
    }
}

#[tokio::test]
async fn what_nobody_wants_to_hear_of_is_given_up() {
    for era in ERAS {
        let (server, world) = server(era, true).await;
        let session = world.open(json!({})).await;
        let mut older = world.get(1, Some(&session)).await;
        world.in_session(&session, "resources/subscribe", "up+test://notes").await;
        world.in_session(&session, "resources/subscribe", "up+test://other").await;
        let (events, _) = listen(&world, json!(["up+test://notes"])).await;
        drop(events);
        server.updated("test://notes");
        assert_eq!(older.next().await, updated("up+test://notes", false));
        let answered = world.in_session(&session, "resources/unsubscribe", "up+test://notes").await;
        assert_eq!(answered["result"], json!({}));
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.updated("test://notes");
        older.stays_silent().await;
        server.updated("test://other");
        assert_eq!(older.next().await, updated("up+test://other", false), "{era:?}");
        // Another session does not end it.
        world.in_session("elsewhere", "resources/unsubscribe", "up+test://other").await;
        server.updated("test://other");
        assert_eq!(older.next().await, updated("up+test://other", false));
        world.in_session(&session, "resources/unsubscribe", "up+test://other").await;
        server.is_left().await;
        if era == Era::Opened {
            assert_eq!(server.with_method("resources/unsubscribe").len(), 2);
        }
    }
}

#[tokio::test]
async fn who_may_not_read_a_resource_does_not_hear_of_it() {
    for era in ERAS {
        let (server, world) = server(era, true).await;
        // Unknown, not allowed, or not told of by its server.
        let uris = json!(["up+test://notes", "up+test://unknown", "up+test://closed", "test://notes"]);
        let (_events, honoured) = listen(&world, uris).await;
        assert_eq!(honoured, json!({"resourceSubscriptions": ["up+test://notes"]}), "{era:?}");
        let mut idle =
            world.listen(2, json!("s"), json!({"resourceSubscriptions": ["up+test://notes"]})).await;
        assert_eq!(idle.next().await["params"]["notifications"], json!({}));
        let session = world.open(json!({})).await;
        let answered = world.in_session(&session, "resources/subscribe", "up+test://unknown").await;
        assert_eq!(answered["error"]["code"], -32002, "{answered}");
        let answered = world.in_session(&session, "resources/subscribe", "up+test://closed").await;
        assert!(answered["error"].is_object(), "{answered}");
        let denied =
            world.ledger.entries.lock().iter().filter(|entry| entry.verdict == Verdict::Deny).count();
        assert_eq!(denied, 4);
        world.ledger.assert_balanced();
        assert_eq!(
            server
                .with_method("resources/subscribe")
                .iter()
                .filter(|asked| asked["params"]["uri"] == "test://unknown")
                .count(),
            0
        );
    }
}

#[tokio::test]
async fn a_right_that_is_taken_away_ends_it() {
    for era in ERAS {
        let (server, world) = server(era, true).await;
        let session = world.open(json!({})).await;
        let mut older = world.get(1, Some(&session)).await;
        world.in_session(&session, "resources/subscribe", "up+test://notes").await;
        let (mut events, _) = listen(&world, json!(["up+test://notes"])).await;
        server.updated("test://notes");
        assert_eq!(events.next().await, updated("up+test://notes", true));
        assert_eq!(older.next().await, updated("up+test://notes", false));
        world.change(|facts| facts.grants.clear());
        // That the lists have changed, older clients are told; this one did not ask.
        for kind in ["tools", "resources"] {
            assert_eq!(older.next().await["method"], format!("notifications/{kind}/list_changed"));
        }
        // Its server is heard no longer, though it has said nothing; and the client finds that out by asking anew.
        assert_eq!(events.next().await["result"]["resultType"], "complete", "{era:?}");
        server.is_left().await;
        let (_events, honoured) = listen(&world, json!(["up+test://notes"])).await;
        assert_eq!(honoured, json!({}));
        older.stays_silent().await;
    }
}

#[tokio::test]
async fn a_module_that_is_connected_anew_is_subscribed_to_anew() {
    for era in ERAS {
        let (server, world) = server(era, true).await;
        let (mut events, _) = listen(&world, json!(["up+test://notes"])).await;
        let session = world.open(json!({})).await;
        world.in_session(&session, "resources/subscribe", "up+test://other").await;
        world.change(|facts| facts.modules[0].connection = Some(id(51)));
        assert_eq!(events.next().await["result"]["resultType"], "complete", "{era:?}");
        server.is_left().await;
        let (mut events, _) = listen(&world, json!(["up+test://notes"])).await;
        server.updated("test://notes");
        assert_eq!(events.next().await, updated("up+test://notes", true));
        assert_eq!(*server.open.lock(), 1);
        // What has nothing to do with it ends nothing.
        world.change(|facts| facts.agents[1].name = "Other".to_owned());
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.updated("test://notes");
        assert_eq!(events.next().await, updated("up+test://notes", true));
    }
}

#[tokio::test]
async fn while_rights_cannot_be_known_nothing_is_told_and_nothing_ends() {
    let (server, world) = server(Era::Opened, true).await;
    let session = world.open(json!({})).await;
    let mut older = world.get(1, Some(&session)).await;
    world.in_session(&session, "resources/subscribe", "up+test://notes").await;
    // The first look is over.
    server.updated("test://notes");
    assert_eq!(older.next().await, updated("up+test://notes", false));
    world.directories.unavailable.store(true, Ordering::SeqCst);
    server.updated("test://notes");
    older.stays_silent().await;
    world.directories.unavailable.store(false, Ordering::SeqCst);
    assert_eq!(older.next().await, updated("up+test://notes", false));
}

#[tokio::test]
async fn a_revoked_key_ends_it_at_once() {
    let (server, world) = server(Era::Stateless, true).await;
    let (mut events, _) = listen(&world, json!(["up+test://notes"])).await;
    world.change(|facts| facts.credentials.clear());
    assert_eq!(events.next().await["result"]["resultType"], "complete");
    server.is_left().await;
}

#[tokio::test]
async fn a_server_that_does_not_tell_of_its_resources_is_not_asked() {
    for era in ERAS {
        let (server, world) = server(era, false).await;
        let (_events, honoured) = listen(&world, json!(["up+test://notes"])).await;
        assert_eq!(honoured, json!({}), "{era:?}");
        let session = world.open(json!({})).await;
        let answered = world.in_session(&session, "resources/subscribe", "up+test://notes").await;
        assert_eq!(answered["error"]["data"]["code"], "upstream_without_subscriptions", "{answered}");
        assert!(!answered.to_string().contains("may or may not"), "{answered}");
        assert_eq!(server.subscriptions("test://notes"), 0);
        assert_eq!(server.with_method("server/discover").len(), 1, "it has said so");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_opened_again_and_anything_may_have_happened() {
    for era in ERAS {
        let (server, world) = server(era, true).await;
        let (mut events, _) = listen(&world, json!(["up+test://notes"])).await;
        server.tells.send(json!("end")).unwrap();
        assert_eq!(events.next().await, updated("up+test://notes", true), "{era:?}");
        assert_eq!(*server.opened.lock(), 2);
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.updated("test://notes");
        assert_eq!(events.next().await, updated("up+test://notes", true));
    }
}

#[tokio::test]
async fn what_a_server_cannot_take_for_one_breaks_nothing_for_others() {
    for era in ERAS {
        let (server, world) = server(era, true).await;
        let (mut events, _) = listen(&world, json!(["up+test://notes"])).await;
        for name in ["breaks", "hangs"] {
            let uri = format!("up+test://city/{name}");
            let session = world.open(json!({})).await;
            let answered = world.in_session(&session, "resources/subscribe", &uri).await;
            assert!(answered["error"].is_object(), "{answered}");
            server.updated("test://notes");
            assert_eq!(events.next().await, updated("up+test://notes", true), "{era:?} {name}");
        }
        let (_others, honoured) = listen(&world, json!(["up+test://other"])).await;
        assert_eq!(honoured, json!({"resourceSubscriptions": ["up+test://other"]}));
        events.stays_silent().await;
        if era == Era::Opened {
            assert_eq!(*server.opened.lock(), 1);
        }
    }
}

#[tokio::test]
async fn who_subscribes_is_heard_while_a_server_talks() {
    for era in ERAS {
        let (server, world) = server(era, true).await;
        let (_events, _) = listen(&world, json!(["up+test://notes"])).await;
        let talking = tokio::spawn({
            let server = server.clone();
            async move {
                loop {
                    server.updated("test://unheard");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        });
        let many: Vec<String> = (10..40).map(|n| format!("up+test://city/{n}")).collect();
        let (_events, honoured) = listen(&world, json!(many)).await;
        talking.abort();
        assert_eq!(honoured, json!({ "resourceSubscriptions": many }), "{era:?}");
    }
}

#[tokio::test]
async fn a_server_that_asks_without_end_and_takes_no_answer_gets_a_few() {
    let (server, world) = server(Era::Opened, true).await;
    let (mut events, _) = listen(&world, json!(["up+test://notes"])).await;
    for n in 0..40 {
        server.tells.send(json!({"jsonrpc": "2.0", "id": format!("p{n}"), "method": "ping"})).unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.updated("test://notes");
    assert_eq!(events.next().await, updated("up+test://notes", true));
    let answers = || server.seen.lock().iter().filter(|message| message.get("result").is_some()).count();
    eventually("it is answered", || answers() == 4).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(answers(), 4);
}

#[tokio::test]
async fn a_server_that_has_no_stream_is_not_one_that_fails_to_give_it() {
    let (server, world) = server(Era::Opened, true).await;
    let session = world.open(json!({})).await;
    let subscribe = async |uri: &str| world.in_session(&session, "resources/subscribe", uri).await;
    for (status, code) in [
        (StatusCode::SERVICE_UNAVAILABLE, "upstream_status"),
        (StatusCode::NOT_FOUND, "upstream_session_lost"),
        (StatusCode::FORBIDDEN, "upstream_unauthorized"),
    ] {
        *server.refuses.lock() = Some(status);
        assert_eq!(subscribe("up+test://notes").await["error"]["data"]["code"], code);
    }
    *server.refuses.lock() = None;
    assert_eq!(subscribe("up+test://notes").await["result"], json!({}));
    world.in_session(&session, "resources/unsubscribe", "up+test://notes").await;
    server.is_left().await;
    // One that has none is asked once.
    *server.refuses.lock() = Some(StatusCode::METHOD_NOT_ALLOWED);
    for _ in 0..3 {
        let answered = subscribe("up+test://notes").await;
        assert_eq!(answered["error"]["data"]["code"], "upstream_without_subscriptions", "{answered}");
    }
    assert_eq!(server.with_method("initialize").len(), 5);
}

#[tokio::test]
async fn what_never_left_the_house_was_not_sent() {
    let (_server, world) = server(Era::Opened, true).await;
    world.change(|facts| facts.modules[0].url = Some("ftp://up.example".to_owned()));
    let latest = world.directories.latest.lock().clone();
    *world.directories.had.lock() = latest;
    let session = world.open(json!({})).await;
    let answered = world.in_session(&session, "resources/subscribe", "up+test://notes").await;
    assert_eq!(answered["error"]["data"]["code"], "upstream_bad_url", "{answered}");
    assert_eq!(world.ledger.settlement().outcome, Outcome::NotSent);
}

#[tokio::test]
async fn what_is_asked_for_is_bounded_and_has_a_session() {
    let (_server, world) = server(Era::Opened, true).await;
    let many: Vec<String> = (0..65).map(|n| format!("up+test://city/{n}")).collect();
    for uris in [json!(many), json!("up+test://notes"), json!([7]), json!(["x".repeat(2049)])] {
        let listening = world.listen(1, json!("s"), json!({"resourceSubscriptions": uris})).await;
        assert_eq!(listening.status, 200);
        assert!(listening.headers["content-type"].to_str().unwrap().contains("json"));
    }
    let answered = world.ask("resources/subscribe", json!({"uri": "up+test://notes"})).await;
    assert_eq!(answered.rpc_error(), -32602);
    assert_eq!(answered.json()["error"]["data"]["code"], "no_session");
    let bearer = format!("Bearer {}", key(1));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body =
        json!({"jsonrpc": "2.0", "id": 1, "method": "resources/subscribe", "params": {"uri": 7}}).to_string();
    assert_eq!(world.send(Method::POST, &world.url, &headers, body).await.rpc_error(), -32602);
    assert_eq!(world.ledger.entries.lock().len(), 0);
}

/// Says that it tells of its tools alone.
fn lists() -> Value {
    json!({"tools": {"listChanged": true}})
}

fn changed(kind: &str) -> Value {
    json!({"jsonrpc": "2.0", "method": format!("notifications/{kind}/list_changed")})
}

#[tokio::test]
async fn a_server_that_says_that_its_lists_have_changed_is_asked_what_it_offers() {
    for era in ERAS {
        let (server, world) = server_that(era, lists()).await;
        assert!(server.seen.lock().is_empty(), "nobody wants to hear of it");
        let mut events = world.listen(1, json!("s"), json!({"toolsListChanged": true})).await;
        let mut others =
            world.listen(1, json!("t"), json!({"promptsListChanged": true, "toolsListChanged": true})).await;
        events.next().await;
        others.next().await;
        // What happened before it was heard has happened.
        let offered = || world.catalog.0.lock().clone();
        eventually("it is asked", || offered().len() == 1).await;
        assert_eq!(offered()[0], (id(40), vec!["new".to_owned()]), "{era:?}");
        assert_eq!(*server.open.lock(), 1, "one stream for all");
        for kind in ["tools", "prompts", "tools"] {
            server.tells.send(changed(kind)).unwrap();
        }
        eventually("it is asked once for all of that", || offered().len() == 2).await;
        // Nothing is told that is not so: what is shown has not changed.
        events.stays_silent().await;
        others.stays_silent().await;
        assert_eq!(offered().len(), 2);
        assert!(!world.ask("tools/list", json!({})).await.text.contains("up.new"));
    }
}

#[tokio::test]
async fn a_server_that_says_so_without_end_is_asked_so_often_and_no_more() {
    let (server, world) = server_that(Era::Stateless, lists()).await;
    let mut events = world.listen(1, json!("s"), json!({"toolsListChanged": true})).await;
    events.next().await;
    eventually("it is heard", || *server.open.lock() == 1).await;
    for _ in 0..100 {
        let _ = server.tells.send(changed("tools"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = server.with_method("tools/list").len();
    assert!((3..=10).contains(&asked), "{asked}");
}

#[tokio::test]
async fn a_server_that_cannot_tell_of_its_lists_is_left_alone() {
    for era in ERAS {
        let (server, world) = server(era, true).await;
        let session = world.open(json!({})).await;
        let _older = world.get(1, Some(&session)).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!((*server.open.lock(), world.catalog.0.lock().len()), (0, 0), "{era:?}");
        // It can still be subscribed to, and left again.
        let answered = world.in_session(&session, "resources/subscribe", "up+test://notes").await;
        assert_eq!(answered["result"], json!({}), "{answered}");
        assert_eq!(*server.open.lock(), 1);
        world.in_session(&session, "resources/unsubscribe", "up+test://notes").await;
        server.is_left().await;
    }
}

#[tokio::test]
async fn what_happened_before_its_lists_were_heard_is_asked_for_on_a_stream_that_was_open() {
    for era in ERAS {
        let capabilities = json!({"tools": {"listChanged": true}, "resources": {"subscribe": true}});
        let (server, world) = server_that(era, capabilities).await;
        let (_events, _) = listen(&world, json!(["up+test://notes"])).await;
        let asked = || server.with_method("tools/list").len();
        assert_eq!(asked(), 0);
        let mut lists = world.listen(1, json!("t"), json!({"toolsListChanged": true})).await;
        lists.next().await;
        eventually("it is asked", || asked() == 1).await;
        eventually("on one stream", || *server.open.lock() == 1).await;
        drop(lists);
        // Who comes back soon is heard as if nothing had been.
        let mut lists = world.listen(1, json!("t"), json!({"toolsListChanged": true})).await;
        lists.next().await;
        lists.stays_silent().await;
        assert_eq!((asked(), *server.open.lock()), (1, 1), "{era:?}");
    }
}

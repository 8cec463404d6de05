//! Servers that end the stream of an answer before the answer has come, to be asked for the rest of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::world::World;

/// What it answers: the call, then each GET.
type Script = Vec<(u16, &'static str, String)>;

#[derive(Default)]
struct Seen {
    calls: Vec<Value>,
    gets: Vec<(Instant, HeaderMap)>,
}

#[derive(Clone)]
struct Server {
    script: Arc<Script>,
    seen: Arc<Mutex<Seen>>,
}

const EVENTS: &str = "text/event-stream";

async fn server(script: Script) -> (Server, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let server = Server { script: Arc::new(script), seen: Arc::default() };
    let router = Router::new().route("/mcp", post(receive).get(resume)).with_state(server.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (server, url)
}

async fn receive(State(server): State<Server>, body: String) -> Response {
    let message: Value = serde_json::from_str(&body).unwrap();
    match message["method"].as_str().unwrap() {
        "initialize" => {
            let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                "serverInfo": {"name": "polled", "version": "1"}});
            let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
            ([("mcp-session-id", "s1")], axum::Json(answer)).into_response()
        }
        "tools/call" => {
            server.seen.lock().calls.push(message);
            server.play(0)
        }
        "server/discover" => StatusCode::BAD_REQUEST.into_response(),
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

async fn resume(State(server): State<Server>, headers: HeaderMap) -> Response {
    let number = {
        let mut seen = server.seen.lock();
        seen.gets.push((Instant::now(), headers));
        seen.gets.len()
    };
    server.play(number)
}

impl Server {
    /// The step of this number, or the last.
    fn play(&self, number: usize) -> Response {
        let (status, kind, text) = self.script.get(number).or(self.script.last()).cloned().unwrap();
        let id = self.seen.lock().calls[0]["id"].to_string();
        (StatusCode::from_u16(status).unwrap(), [("content-type", kind)], text.replace("ID", &id))
            .into_response()
    }
}

fn events(text: &str) -> (u16, &'static str, String) {
    (200, EVENTS, text.to_owned())
}

const ANSWER: &str = "data: {\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{\"content\":[],\"n\":1.50}}\n\n";

#[tokio::test]
async fn the_rest_is_asked_for_when_the_server_wants_it_to_be() {
    let (server, url) = server(vec![
        events("id: a1\nretry: 150\ndata:\n\n"),
        events("id: a2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}\n\nid: a3\ndata: {\"json"),
        events(ANSWER),
    ])
    .await;
    let world = World::new(&url).await;
    let begun = Instant::now();
    assert!(world.call("up.echo", json!({})).await.text.contains(r#""n":1.50"#));
    let seen = server.seen.lock();
    assert_eq!(seen.calls.len(), 1, "it is made once");
    let last: Vec<&str> =
        seen.gets.iter().map(|(_, headers)| headers["last-event-id"].to_str().unwrap()).collect();
    assert_eq!(last, ["a1", "a2"], "what was cut short comes again");
    for ((at, headers), least) in seen.gets.iter().zip([150, 300]) {
        assert!(at.duration_since(begun) >= Duration::from_millis(least));
        assert_eq!(headers["accept"], EVENTS);
        assert_eq!(headers["mcp-session-id"], "s1");
        assert_eq!(headers["mcp-protocol-version"], "2025-11-25");
        assert_eq!(headers["authorization"], crate::world::SECRET);
    }
    world.ledger.assert_balanced();
}

#[tokio::test]
async fn what_cannot_be_gone_on_with_is_broken_off_and_not_made_again() {
    let primed = || events("id: a1\nretry: 0\ndata:\n\n");
    let refused = |status, kind| (status, kind, "{}".to_owned());
    for (script, code, gets) in [
        (vec![events(": nothing\n\n")], "upstream_broke_off", 0),
        (vec![events("id: a1\ndata:\n\nid\n\n")], "upstream_broke_off", 0),
        (vec![primed(), refused(404, "text/plain")], "upstream_broke_off", 1),
        (vec![primed(), refused(405, "text/plain")], "upstream_broke_off", 1),
        (vec![primed(), refused(503, "text/plain")], "upstream_broke_off", 1),
        (vec![primed(), refused(200, "application/json")], "upstream_broke_off", 1),
        (vec![primed(), primed(), refused(405, "text/plain")], "upstream_broke_off", 2),
        (vec![events("id: a1\nretry: 60000\ndata:\n\n")], "upstream_timeout", 0),
    ] {
        let (server, url) = server(script).await;
        let world = World::new(&url).await;
        assert_eq!(world.call("up.echo", json!({})).await.trouble(), code);
        let seen = server.seen.lock();
        assert_eq!((seen.calls.len(), seen.gets.len()), (1, gets));
    }
    // One that says nothing but that it goes on is bounded by the call's time.
    let (server, url) = server(vec![primed()]).await;
    let world = World::new(&url).await;
    assert_eq!(world.call("up.echo", json!({})).await.trouble(), "upstream_timeout");
    assert!(server.seen.lock().gets.len() <= 20);
}

//! Servers of MCP 2024-11-05, which speak HTTP with SSE: messages are posted to a place that their one stream names, and answered on it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::world::{SECRET, World, eventually, id};

#[derive(Clone, Default)]
struct Server {
    /// What comes before the session's number in the address that it names.
    endpoint: Arc<Mutex<String>>,
    /// Each stream with its number, while it is open.
    streams: Arc<Mutex<HashMap<u32, mpsc::UnboundedSender<String>>>>,
    opened: Arc<Mutex<u32>>,
    seen: Arc<Mutex<Vec<Value>>>,
    headers: Arc<Mutex<Vec<HeaderMap>>>,
}

async fn server(endpoint: &str) -> (Server, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/sse", listener.local_addr().unwrap());
    let server = Server::default();
    *server.endpoint.lock() = endpoint.to_owned();
    let router =
        Router::new().route("/sse", get(stream)).route("/messages", post(receive)).with_state(server.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (server, url)
}

async fn stream(State(server): State<Server>, headers: HeaderMap) -> Response {
    let (sender, said) = mpsc::unbounded_channel();
    let number = {
        let mut opened = server.opened.lock();
        *opened += 1;
        *opened
    };
    server.headers.lock().push(headers);
    sender.send(format!("event: endpoint\r\ndata: {}{number}\r\n\r\n", server.endpoint.lock())).unwrap();
    server.streams.lock().insert(number, sender);
    let events = futures::stream::unfold(said, |mut said| async {
        Some((Ok::<_, Infallible>(Bytes::from(said.recv().await?)), said))
    });
    ([("content-type", "text/event-stream; charset=utf-8")], Body::from_stream(events)).into_response()
}

async fn receive(
    State(server): State<Server>,
    Query(query): Query<HashMap<String, u32>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let message: Value = serde_json::from_str(&body).unwrap();
    server.headers.lock().push(headers);
    server.seen.lock().push(message.clone());
    let Some(stream) = server.streams.lock().get(&query["session"]).cloned() else {
        return (StatusCode::NOT_FOUND, "Session not found").into_response();
    };
    let say = |message: Value| {
        let _ = stream.send(format!("event: message\r\ndata: {message}\r\n\r\n"));
    };
    let answer = |result: Value| say(json!({"jsonrpc": "2.0", "id": message["id"], "result": result}));
    match message["method"].as_str() {
        Some("initialize") => answer(json!({"protocolVersion": "2024-11-05", "capabilities": {"tools": {}},
            "serverInfo": {"name": "old", "version": "0.1"}})),
        Some("tools/list") => {
            answer(json!({"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}));
        }
        Some("tools/call") => match message["params"]["arguments"]["do"].as_str() {
            Some("ask") => {
                let params =
                    json!({"message": "Who?", "requestedSchema": {"type": "object", "properties": {}}});
                say(
                    json!({"jsonrpc": "2.0", "id": message["id"], "method": "elicitation/create", "params": params}),
                );
            }
            Some("break") => {
                server.streams.lock().remove(&query["session"]);
            }
            Some("hang") => (),
            Some("refuse") => return StatusCode::UNAUTHORIZED.into_response(),
            _ => {
                let token = &message["params"]["_meta"]["progressToken"];
                if !token.is_null() {
                    let params = json!({"progressToken": token, "progress": 1});
                    say(json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}));
                }
                answer(json!({"content": [], "structuredContent": {"session": query["session"]}}));
            }
        },
        // It asks by the call's own number, so that is the call that it answers.
        None => answer(json!({"content": [], "structuredContent": message["result"]})),
        _ => (),
    }
    (StatusCode::ACCEPTED, "Accepted").into_response()
}

#[tokio::test]
async fn an_old_server_is_recognised_and_used() {
    let (server, url) = server("/messages?session=").await;
    let world = World::new(&url).await;
    let discovered = world.gateway.discover(id(1), &url, None).await.unwrap();
    assert_eq!((discovered.server_name.as_str(), discovered.protocol.as_str()), ("old", "2024-11-05"));
    assert_eq!(discovered.tools[0].name, "echo");
    server.headers.lock().clear();

    for _ in 0..3 {
        let result = world.call("up.echo", json!({})).await.result();
        assert_eq!(result["structuredContent"], json!({"session": 2}), "one session for all calls");
    }
    let session = world.open(json!({})).await;
    let params = json!({"name": "up.echo", "arguments": {}, "_meta": {"progressToken": "t"}});
    let mut events = world.stream(&session, "tools/call", params).await;
    assert_eq!(events.next().await["params"], json!({"progressToken": "t", "progress": 1}));
    assert_eq!(events.next().await["result"]["structuredContent"], json!({"session": 2}));
    let headers = server.headers.lock();
    assert!(headers.iter().all(|headers| headers["authorization"] == SECRET), "{headers:?}");
    assert!(headers.iter().all(|headers| !headers.contains_key("mcp-session-id")));
    let methods: Vec<Value> = server.seen.lock().iter().map(|seen| seen["method"].clone()).collect();
    assert_eq!(methods[..3], ["initialize", "notifications/initialized", "tools/list"]);
}

#[tokio::test]
async fn what_it_asks_is_asked_of_the_client() {
    let (_server, url) = server("/messages?session=").await;
    let world = World::new(&url).await;
    let session = world.open(json!({"elicitation": {}})).await;
    let params = json!({"name": "up.echo", "arguments": {"do": "ask"}});
    let mut events = world.stream(&session, "tools/call", params).await;
    let question = events.next().await;
    assert_eq!(question["params"]["message"], "Who?");
    let result = json!({"action": "decline"});
    let said = json!({"jsonrpc": "2.0", "id": question["id"], "result": result}).to_string();
    world.post(&[("mcp-protocol-version", "2025-11-25")], said).await;
    assert_eq!(events.next().await["result"]["structuredContent"], result);
}

#[tokio::test]
async fn a_stream_that_breaks_off_fails_its_calls_and_another_is_opened() {
    let (server, url) = server("/messages?session=").await;
    let world = World::new(&url).await;
    assert_eq!(world.call("up.echo", json!({})).await.result()["structuredContent"]["session"], 1);
    let (hangs, breaks) = tokio::join!(world.call("up.echo", json!({"do": "hang"})), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.call("up.echo", json!({"do": "break"})).await
    });
    assert_eq!(
        (hangs.trouble(), breaks.trouble()),
        ("upstream_broke_off".into(), "upstream_broke_off".into())
    );
    assert_eq!(world.call("up.echo", json!({})).await.result()["structuredContent"]["session"], 2);
    // It has forgotten the session and keeps the stream: a call that it does not take is made in another one.
    let kept = server.streams.lock().drain().collect::<Vec<_>>();
    assert_eq!(world.call("up.echo", json!({})).await.result()["structuredContent"]["session"], 3);
    drop(kept);
    assert_eq!(world.call("up.echo", json!({"do": "refuse"})).await.trouble(), "upstream_unauthorized");
}

#[tokio::test]
async fn messages_are_posted_to_the_server_itself_and_nowhere_else() {
    let (elsewhere, other) = server("").await;
    let elsewhere_posts = other.replace("/sse", "/messages?session=");
    for endpoint in [elsewhere_posts.as_str(), "//169.254.169.254/?session=", "file:///etc/passwd?"] {
        let (_server, url) = server(endpoint).await;
        let world = World::new(&url).await;
        let error = world.gateway.discover(id(1), &url, None).await.unwrap_err().to_string();
        assert!(error.contains("at another origin than its own"), "{error}");
        assert_eq!(world.call("up.echo", json!({})).await.trouble(), "upstream_garbage");
    }
    assert!(elsewhere.seen.lock().is_empty());
}

#[tokio::test]
async fn it_is_told_when_nobody_waits_any_more() {
    let (server, url) = server("/messages?session=").await;
    let world = World::new(&url).await;
    assert_eq!(world.call("up.echo", json!({"do": "hang"})).await.trouble(), "upstream_timeout");
    eventually("it is told", || {
        server.seen.lock().iter().any(|seen| seen["method"] == "notifications/cancelled")
    })
    .await;
}

//! Servers that ask on the stream of the session, and not on that of the call.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, Method, StatusCode};
use model::access::Grantee;
use parking_lot::Mutex;
use policy::GrantFact;
use serde_json::{Value, json};

use crate::world::{AGENT, World, id, key};

#[derive(Default)]
struct Seen {
    /// Each message with its session.
    messages: Vec<(String, Value)>,
    /// The sessions whose streams were opened.
    gets: Vec<String>,
    opened: u32,
}

#[derive(Clone)]
struct Server {
    has_streams: bool,
    seen: Arc<Mutex<Seen>>,
}

async fn server(has_streams: bool) -> (Server, World) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let server = Server { has_streams, seen: Arc::default() };
    let router = Router::new().route("/mcp", post(receive).get(listen)).with_state(server.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (server, World::new(&url).await)
}

fn session(headers: &HeaderMap) -> String {
    headers.get("mcp-session-id").map(|id| id.to_str().unwrap().to_owned()).unwrap_or_default()
}

impl Server {
    async fn message(&self, session: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let seen =
                self.seen.lock().messages.iter().find(|(of, said)| of == session && is_it(said)).cloned();
            match seen {
                Some((_, message)) => return message,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

async fn receive(State(server): State<Server>, headers: HeaderMap, body: String) -> Response {
    let message: Value = serde_json::from_str(&body).unwrap();
    let session = session(&headers);
    server.seen.lock().messages.push((session.clone(), message.clone()));
    let answer = |result| axum::Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result}));
    match message["method"].as_str().unwrap_or_default() {
        "initialize" => {
            let number = {
                let mut seen = server.seen.lock();
                seen.opened += 1;
                seen.opened
            };
            let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                "serverInfo": {"name": "aside", "version": "1"}});
            ([("mcp-session-id", format!("s{number}"))], answer(result)).into_response()
        }
        "tools/call" => {
            let said = if server.has_streams {
                server.message(&session, |message| message["id"] == "q").await["result"].clone()
            } else {
                json!({})
            };
            answer(json!({"content": [], "structuredContent": said})).into_response()
        }
        "server/discover" => StatusCode::BAD_REQUEST.into_response(),
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

/// Tells of the progress of something, then asks, once a call has come in the session.
async fn listen(State(server): State<Server>, headers: HeaderMap) -> Response {
    let session = session(&headers);
    server.seen.lock().gets.push(session.clone());
    if !server.has_streams {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let events = futures::stream::once(async move {
        server.message(&session, |message| message["method"] == "tools/call").await;
        let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress",
            "params": {"progressToken": 1, "progress": 1}});
        let question = json!({"jsonrpc": "2.0", "id": "q", "method": "elicitation/create",
            "params": {"message": "Who?", "requestedSchema": {"type": "object", "properties": {}}}});
        Ok::<_, Infallible>(Bytes::from(format!("data: {progress}\n\ndata: {question}\n\n")))
    });
    let events = events.chain(futures::stream::pending());
    ([("content-type", "text/event-stream")], Body::from_stream(events)).into_response()
}

fn call() -> Value {
    json!({"name": "up.echo", "arguments": {}, "_meta": {"progressToken": "t"}})
}

#[tokio::test]
async fn a_question_on_the_sessions_stream_reaches_the_client_of_the_call() {
    let (server, world) = server(true).await;
    let session = world.open(json!({"elicitation": {}})).await;
    let mut events = world.stream(&session, "tools/call", call()).await;
    let question = events.next().await;
    assert_eq!(
        question["params"]["message"], "Who?",
        "its progress is not told of: it may be another call's"
    );
    let result = json!({"action": "accept", "content": {"name": "Ada"}});
    let said = json!({"jsonrpc": "2.0", "id": question["id"], "result": result}).to_string();
    let answered = world.post(&[("mcp-protocol-version", "2025-11-25")], said).await;
    assert_eq!(answered.status, StatusCode::ACCEPTED);
    assert_eq!(events.next().await["result"]["structuredContent"], result);
    let seen = server.seen.lock();
    assert_eq!((seen.opened, &seen.gets[..]), (1, &["s1".to_owned()][..]));
}

#[tokio::test]
async fn the_stream_is_opened_for_clients_that_can_be_asked_and_where_there_is_one() {
    let (server, world) = server(false).await;
    world.call("up.echo", json!({})).await.result();
    assert!(server.seen.lock().gets.is_empty(), "nobody can be asked");
    let session = world.open(json!({"elicitation": {}})).await;
    for _ in 0..3 {
        assert_eq!(
            world.stream(&session, "tools/call", call()).await.next().await["result"]["content"],
            json!([])
        );
    }
    assert_eq!(server.seen.lock().gets, ["s2"], "it has said that there is none");
}

#[tokio::test]
async fn a_session_in_which_clients_are_asked_is_one_keys_alone() {
    let (server, world) = server(false).await;
    world.change(|facts| {
        let grantee = Grantee::Agent(id(AGENT + 1));
        facts.grants.push(GrantFact { id: id(72), key: "up".parse().unwrap(), grantee, expires_at: None });
    });
    let latest = world.directories.latest.lock().clone();
    *world.directories.had.lock() = latest;
    for able in [json!({}), json!({"elicitation": {}})] {
        for n in [1, 2, 1] {
            let bearer = format!("Bearer {}", key(n));
            let mut headers = vec![
                ("authorization", bearer.as_str()),
                ("content-type", "application/json"),
                ("accept", "application/json, text/event-stream"),
                ("mcp-protocol-version", "2025-11-25"),
            ];
            let ask = |method: &str, params: Value| {
                json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
            };
            let params = json!({"protocolVersion": "2025-11-25", "capabilities": able});
            let opened = world.send(Method::POST, &world.url, &headers, ask("initialize", params)).await;
            let session = opened.headers["mcp-session-id"].to_str().unwrap();
            headers.push(("mcp-session-id", session));
            let answered = world.send(Method::POST, &world.url, &headers, ask("tools/call", call())).await;
            assert!(answered.text.contains(r#""content":[]"#), "{answered:?}");
        }
    }
    let seen = server.seen.lock();
    let calls = seen.messages.iter().filter(|(_, message)| message["method"] == "tools/call");
    let sessions: Vec<&str> = calls.map(|(session, _)| session.as_str()).collect();
    assert_eq!(sessions, ["s1", "s1", "s1", "s2", "s3", "s2"]);
}

/// Asks each question of a session on its one stream, for the call that came last.
mod single {
    use std::collections::HashMap;

    use tokio::sync::mpsc;

    use super::*;

    #[derive(Clone, Default)]
    pub(super) struct Single {
        /// Where each session's stream is written, while it is open.
        streams: Arc<Mutex<HashMap<String, mpsc::UnboundedSender<Value>>>>,
        answers: Arc<Mutex<HashMap<String, Value>>>,
        opened: Arc<Mutex<u32>>,
    }

    pub(super) async fn world() -> World {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let router = Router::new().route("/mcp", post(receive).get(listen)).with_state(Single::default());
        tokio::spawn(async move { axum::serve(listener, router).await });
        World::new(&url).await
    }

    async fn listen(State(server): State<Single>, headers: HeaderMap) -> Response {
        let (sender, told) = mpsc::unbounded_channel();
        {
            let mut streams = server.streams.lock();
            if streams.get(&session(&headers)).is_some_and(|stream| !stream.is_closed()) {
                return StatusCode::CONFLICT.into_response();
            }
            streams.insert(session(&headers), sender);
        }
        let events = futures::stream::unfold(told, |mut told| async {
            let message: Value = told.recv().await?;
            Some((Ok::<_, Infallible>(Bytes::from(format!("data: {message}\n\n"))), told))
        });
        ([("content-type", "text/event-stream")], Body::from_stream(events)).into_response()
    }

    async fn receive(State(server): State<Single>, headers: HeaderMap, body: String) -> Response {
        let message: Value = serde_json::from_str(&body).unwrap();
        let answer = |result| axum::Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result}));
        match message["method"].as_str() {
            Some("initialize") => {
                let number = {
                    let mut opened = server.opened.lock();
                    *opened += 1;
                    *opened
                };
                let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}});
                ([("mcp-session-id", format!("s{number}"))], answer(result)).into_response()
            }
            Some("tools/call") => {
                let id = message["params"]["arguments"]["who"].as_str().unwrap().to_owned();
                let params = json!({"message": id, "requestedSchema": {"type": "object", "properties": {}}});
                let asked =
                    json!({"jsonrpc": "2.0", "id": id, "method": "elicitation/create", "params": params});
                loop {
                    let stream = server.streams.lock().get(&session(&headers)).cloned();
                    if stream.is_some_and(|stream| stream.send(asked.clone()).is_ok()) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                loop {
                    if let Some(said) = server.answers.lock().remove(&id) {
                        return answer(json!({"content": [], "structuredContent": said})).into_response();
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            Some("server/discover") => StatusCode::BAD_REQUEST.into_response(),
            None => {
                let id = message["id"].as_str().unwrap().to_owned();
                server.answers.lock().insert(id, message["result"].clone());
                StatusCode::ACCEPTED.into_response()
            }
            _ => StatusCode::ACCEPTED.into_response(),
        }
    }
}

#[tokio::test]
async fn calls_that_wait_at_once_are_each_asked_what_is_theirs() {
    let world = single::world().await;
    let able = || json!({"elicitation": {"form": {}}});
    let call = async |who: &str, more: Value| {
        let mut params = json!({"name": "up.echo", "arguments": {"who": who}});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.ask_able(1, able(), "tools/call", params).await.result()
    };
    let (ann, bob) = (call("Ann", json!({})).await, call("Bob", json!({})).await);
    for (who, asked) in [("Bob", &bob), ("Ann", &ann)] {
        assert_eq!(asked["inputRequests"]["q1"]["params"]["message"], who, "{asked}");
        assert_eq!(asked["inputRequests"].as_object().unwrap().len(), 1);
        let said = json!({"action": "accept", "content": {"name": who}});
        let answers = json!({"inputResponses": {"q1": said}, "requestState": asked["requestState"]});
        assert_eq!(call(who, answers).await["structuredContent"], said);
    }
}

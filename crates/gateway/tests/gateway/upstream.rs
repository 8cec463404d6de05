//! An upstream MCP server of the `initialize` era that does what its tools are called: answer, hang, lie, break off.

use std::collections::HashSet;
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
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};

pub const TOOLS: [&str; 27] = [
    "ask_back",
    "asks",
    "bad_result",
    "breaks",
    "cut_stream",
    "drifted",
    "echo",
    "empty",
    "error_503",
    "fails",
    "forbidden",
    "garbage",
    "hang",
    "hang_stream",
    "html",
    "huge",
    "input_required",
    "mirrored",
    "other_id",
    "pretty",
    "progress",
    "redirect",
    "rpc_error",
    "slow",
    "status_400",
    "stream",
    "stream_huge",
];

/// How the server behaves besides what its tools do.
#[derive(Default)]
pub struct Behaviour {
    /// Gives out session ids and refuses calls without one.
    pub sessions: bool,
    /// Says 400 without an id instead of 404 when it does not know a session, as the common SDK does.
    pub forgets_politely: bool,
    /// How long `initialize` takes.
    pub opening: Duration,
    /// The revision it answers with.
    pub protocol: &'static str,
    /// `initialize` is answered with this status.
    pub opening_status: Option<u16>,
    /// `tools/list` answers with pages of one tool.
    pub paged: bool,
    /// What `tools/list` answers with instead.
    pub listing: Option<Value>,
    /// It offers prompts and resources as well.
    pub features: bool,
    /// It takes but what presents this, and refuses all else with this status and challenge.
    pub wants: Option<(&'static str, u16, &'static str)>,
}

pub fn prompt() -> Value {
    json!({"name": "travel", "arguments": [{"name": "city", "required": true}]})
}

pub fn resource() -> Value {
    json!({"name": "Notes", "uri": "test://notes"})
}

pub fn template() -> Value {
    json!({"name": "City", "uriTemplate": "test://city/{name}"})
}

#[derive(Default)]
pub struct Seen {
    pub messages: Vec<Value>,
    pub bodies: Vec<String>,
    pub headers: Vec<HeaderMap>,
    pub sessions: HashSet<String>,
    pub opened: u32,
    pub left: u32,
}

#[derive(Clone)]
pub struct Upstream {
    pub url: String,
    pub seen: Arc<Mutex<Seen>>,
    pub behaviour: Arc<Mutex<Behaviour>>,
}

impl Upstream {
    pub async fn new() -> Self {
        Self::behaving(Behaviour::default()).await
    }

    pub async fn behaving(behaviour: Behaviour) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            url: format!("http://{}/mcp", listener.local_addr().unwrap()),
            seen: Arc::default(),
            behaviour: Arc::new(Mutex::new(behaviour)),
        };
        let router = Router::new().route("/mcp", post(receive).delete(leave)).with_state(upstream.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        upstream
    }

    /// The calls that arrived.
    pub fn calls(&self) -> Vec<Value> {
        self.with_method("tools/call")
    }

    pub fn with_method(&self, method: &str) -> Vec<Value> {
        self.seen.lock().messages.iter().filter(|message| message["method"] == method).cloned().collect()
    }
}

async fn leave(State(upstream): State<Upstream>, headers: HeaderMap) -> StatusCode {
    let mut seen = upstream.seen.lock();
    seen.left += 1;
    let session = headers.get("mcp-session-id").unwrap().to_str().unwrap().to_owned();
    seen.sessions.remove(&session);
    StatusCode::OK
}

async fn receive(State(upstream): State<Upstream>, headers: HeaderMap, body: String) -> Response {
    let message: Value = serde_json::from_str(&body).unwrap();
    {
        let mut seen = upstream.seen.lock();
        seen.messages.push(message.clone());
        seen.bodies.push(body);
        seen.headers.push(headers.clone());
    }
    let method = message["method"].as_str().unwrap_or_default();
    if let Some((token, status, challenge)) = upstream.behaviour.lock().wants
        && headers.get("authorization").is_none_or(|presented| presented != token)
    {
        let status = StatusCode::from_u16(status).unwrap();
        return (status, [("www-authenticate", challenge)], "no").into_response();
    }
    if method == "initialize" {
        return open(&upstream, &message).await;
    }
    if upstream.behaviour.lock().sessions {
        let session = headers.get("mcp-session-id").and_then(|session| session.to_str().ok());
        if !session.is_some_and(|session| upstream.seen.lock().sessions.contains(session)) {
            if upstream.behaviour.lock().forgets_politely {
                let error = json!({"jsonrpc": "2.0", "id": null,
                    "error": {"code": -32000, "message": "Bad Request: No valid session ID provided"}});
                return (StatusCode::BAD_REQUEST, axum::Json(error)).into_response();
            }
            return StatusCode::NOT_FOUND.into_response();
        }
    }
    match method {
        "tools/call" if message["params"]["name"] == "asks" => asks(upstream, message),
        "tools/call" => call(&message).await,
        "tools/list" => list(&upstream, &message),
        "prompts/list" => answer(&message, json!({"prompts": [prompt()]})),
        "prompts/get" => answer(
            &message,
            json!({"messages": [{"role": "user", "content": message["params"]["arguments"]}]}),
        ),
        "resources/list" => answer(&message, json!({"resources": [resource()]})),
        "resources/templates/list" => answer(&message, json!({"resourceTemplates": [template()]})),
        "resources/read" => read(&message),
        "completion/complete" => answer(&message, json!({"completion": {"values": ["paris", "park"]}})),
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

async fn open(upstream: &Upstream, message: &Value) -> Response {
    let (opening, status, sessions, protocol) = {
        let behaviour = upstream.behaviour.lock();
        let protocol = if behaviour.protocol.is_empty() { "2025-06-18" } else { behaviour.protocol };
        (behaviour.opening, behaviour.opening_status, behaviour.sessions, protocol)
    };
    tokio::time::sleep(opening).await;
    if let Some(status) = status {
        return (StatusCode::from_u16(status).unwrap(), [("location", "/elsewhere")], "no").into_response();
    }
    let features = upstream.behaviour.lock().features;
    let capabilities =
        if features { json!({"tools": {}, "prompts": {}, "resources": {}}) } else { json!({"tools": {}}) };
    let result = json!({"protocolVersion": protocol, "capabilities": capabilities,
        "serverInfo": {"name": "fake", "version": "1.2"}});
    let mut response = answer(message, result);
    let mut seen = upstream.seen.lock();
    seen.opened += 1;
    if sessions {
        let session = format!("session-{}", seen.opened);
        response.headers_mut().insert("mcp-session-id", session.parse().unwrap());
        seen.sessions.insert(session);
    }
    response
}

fn list(upstream: &Upstream, message: &Value) -> Response {
    let behaviour = upstream.behaviour.lock();
    if let Some(listing) = &behaviour.listing {
        return answer(message, listing.clone());
    }
    let tool = |name: &str| json!({"name": name, "inputSchema": {"type": "object"}, "x": 1.0});
    if !behaviour.paged {
        return answer(message, json!({"tools": TOOLS.map(tool)}));
    }
    let page: usize = message["params"]["cursor"].as_str().map_or(0, |cursor| cursor.parse().unwrap());
    let mut result = json!({"tools": [tool(TOOLS[page])]});
    if page < 4 {
        result["nextCursor"] = json!((page + 1).to_string());
    }
    answer(message, result)
}

/// Says where there is nothing; everywhere else it says what was asked for.
fn read(message: &Value) -> Response {
    let uri = &message["params"]["uri"];
    if uri.as_str().is_some_and(|uri| uri.ends_with("/missing")) {
        let error = json!({"code": -32002, "message": "Resource not found"});
        return axum::Json(json!({"jsonrpc": "2.0", "id": message["id"], "error": error})).into_response();
    }
    answer(message, json!({"contents": [{"uri": uri, "text": "read"}]}))
}

fn answer(message: &Value, result: Value) -> Response {
    axum::Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})).into_response()
}

fn stream(events: Vec<String>, then: Option<Duration>) -> Response {
    let events =
        futures::stream::iter(events.into_iter().map(|event| Ok::<_, Infallible>(Bytes::from(event))));
    let pause = futures::stream::once(async move {
        if let Some(pause) = then {
            tokio::time::sleep(pause).await;
        }
        Ok(Bytes::new())
    });
    ([("content-type", "text/event-stream")], Body::from_stream(events.chain(pause))).into_response()
}

fn event(message: &Value) -> String {
    format!("event: message\ndata: {message}\n\n")
}

/// Asks the client what its arguments say, tells a line of log, and answers with what it was told; or does not, where they say
/// `"then": "hang"`. `also` is asked for at the same time. With `size` it does not wait for what it is told, but for 200 ms.
fn asks(upstream: Upstream, message: Value) -> Response {
    let arguments = &message["params"]["arguments"];
    let question =
        json!({"jsonrpc": "2.0", "id": "q", "method": arguments["method"], "params": arguments["params"]});
    let log = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "asked"}});
    let mut begun = event(&log) + &event(&question);
    if let Some(also) = arguments.get("also") {
        begun +=
            &event(&json!({"jsonrpc": "2.0", "id": "r", "method": also["method"], "params": also["params"]}));
    }
    let hangs = arguments["then"] == "hang";
    let answered = futures::stream::once(async move {
        let arguments = &message["params"]["arguments"];
        let said = loop {
            if let Some(size) = arguments["size"].as_u64() {
                tokio::time::sleep(Duration::from_millis(200)).await;
                break json!({"text": "x".repeat(usize::try_from(size).unwrap())});
            }
            let seen = upstream.seen.lock().messages.iter().rev().find(|said| said["id"] == "q").cloned();
            match seen {
                Some(said) => break said,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        let result = json!({"content": [], "structuredContent": said});
        let token = &message["params"]["_meta"]["progressToken"];
        let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress",
            "params": {"progressToken": token, "progress": 1}});
        let progress = if token.is_null() { String::new() } else { event(&progress) };
        let last = event(&json!({"jsonrpc": "2.0", "id": message["id"], "result": result}));
        Ok::<_, Infallible>(Bytes::from(progress + &last))
    });
    let events = futures::stream::once(async { Ok(Bytes::from(begun)) }).chain(answered);
    ([("content-type", "text/event-stream")], Body::from_stream(events)).into_response()
}

async fn call(message: &Value) -> Response {
    let id = &message["id"];
    let arguments = &message["params"]["arguments"];
    let result =
        json!({"content": [{"type": "text", "text": "done"}], "structuredContent": arguments, "more": 1.0});
    let reply = json!({"jsonrpc": "2.0", "id": id, "result": result});
    let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}});
    match message["params"]["name"].as_str().unwrap() {
        "hang" => std::future::pending().await,
        "slow" => {
            tokio::time::sleep(Duration::from_millis(200)).await;
            answer(message, result)
        }
        "fails" => answer(message, json!({"content": [{"type": "text", "text": "no"}], "isError": true})),
        "garbage" => ([("content-type", "application/json")], "{\"jsonrpc\":\"2.0\",\"id\":").into_response(),
        "html" => ([("content-type", "text/html")], "<html>").into_response(),
        "empty" => StatusCode::ACCEPTED.into_response(),
        "other_id" => answer(&json!({"id": 987_654}), result),
        "bad_result" => answer(message, json!("text")),
        "input_required" => answer(message, json!({"resultType": "input_required", "inputRequests": {}})),
        "huge" => answer(message, json!({"content": [{"type": "text", "text": "x".repeat(300_000)}]})),
        "stream_huge" => stream(vec![event(&json!({"x": "x".repeat(3_000_000)}))], None),
        "pretty" => (
            [("content-type", "application/json")],
            format!("{{\n \"jsonrpc\": \"2.0\",\n \"result\": {{\n  \"content\": [],\n  \"n\": 1.50\n }},\n \"id\": {id}\n}}"),
        )
            .into_response(),
        "redirect" => {
            (StatusCode::TEMPORARY_REDIRECT, [("location", "http://169.254.169.254/latest")]).into_response()
        }
        "error_503" => (StatusCode::SERVICE_UNAVAILABLE, "secret stack trace").into_response(),
        "forbidden" => (StatusCode::FORBIDDEN, "secret stack trace").into_response(),
        "status_400" => {
            let error = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32602, "message": "bad \"x\""}});
            (StatusCode::BAD_REQUEST, axum::Json(error)).into_response()
        }
        "rpc_error" => axum::Json(
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32602, "message": "x is missing", "data": {"a": 1}}}),
        )
        .into_response(),
        "breaks" => {
            let body = futures::stream::iter([Ok(Bytes::from("{\"jsonrpc\"")), Err("broken")]);
            ([("content-type", "application/json")], Body::from_stream(body)).into_response()
        }
        "stream" => stream(
            vec![
                ": hello\n\n".to_owned(),
                event(&progress),
                event(&json!({"jsonrpc": "2.0", "id": "other", "result": {}})),
                event(&reply),
            ],
            None,
        ),
        "ask_back" => stream(
            vec![
                event(&json!({"jsonrpc": "2.0", "id": "p", "method": "ping"})),
                event(&json!({"jsonrpc": "2.0", "id": "s", "method": "sampling/createMessage", "params": {}})),
                event(&reply),
            ],
            Some(Duration::from_millis(100)),
        ),
        "progress" => {
            let token = &message["params"]["_meta"]["progressToken"];
            let told = |n: u32| {
                event(&json!({"jsonrpc": "2.0", "method": "notifications/progress",
                    "params": {"progressToken": token, "progress": n, "total": 3}}))
            };
            stream(vec![told(1), told(2), told(3), event(&reply)], None)
        }
        "cut_stream" => stream(vec![event(&progress), "data: {\"jsonrpc\":".to_owned()], None),
        "hang_stream" => stream(vec![event(&progress)], Some(Duration::from_secs(30))),
        _ => axum::Json(reply).into_response(),
    }
}

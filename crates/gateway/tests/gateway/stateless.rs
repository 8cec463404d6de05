//! An upstream MCP server of 2026-07-28: it keeps no session, holds every request to its headers and its `_meta`, and does
//! what its tools are called.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::upstream::{prompt, resource, template};

/// The data of the error by which `rpc_error` says what its client lacks.
pub const LACKING: &str = r#"{"requiredCapabilities":{"elicitation":{"form":{}},"sampling":{}}, "n":1.50}"#;
const META: &str = "io.modelcontextprotocol";

/// What it does otherwise than a good server would.
#[derive(Default)]
pub struct Quirks {
    /// Answers the next requests with these instead, whatever they are: a status and a body.
    pub next: VecDeque<(u16, Value)>,
    /// What `tools/list` answers with instead.
    pub listing: Option<Value>,
    /// It has become a server of the `initialize` era, and this is all it answers to who has not opened a session.
    pub opened_era: Option<(u16, Value)>,
    /// What `input_required` answers in each round, the first first; then it is done.
    pub rounds: Vec<Value>,
}

#[derive(Default)]
pub struct Seen {
    pub messages: Vec<Value>,
    pub bodies: Vec<String>,
    pub headers: Vec<HeaderMap>,
    /// How many streams were let go of before their answer.
    pub let_go: u32,
}

#[derive(Clone)]
pub struct Stateless {
    pub url: String,
    pub seen: Arc<Mutex<Seen>>,
    pub quirks: Arc<Mutex<Quirks>>,
}

impl Stateless {
    pub async fn new() -> Self {
        Self::with(Quirks::default()).await
    }

    pub async fn with(quirks: Quirks) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            url: format!("http://{}/mcp", listener.local_addr().unwrap()),
            seen: Arc::default(),
            quirks: Arc::new(Mutex::new(quirks)),
        };
        let router = Router::new().route("/mcp", post(receive)).with_state(upstream.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        upstream
    }

    /// Those of its requests that had this method.
    pub fn with_method(&self, method: &str) -> Vec<Value> {
        self.seen.lock().messages.iter().filter(|message| message["method"] == method).cloned().collect()
    }

    /// The methods of all requests, in order.
    pub fn methods(&self) -> Vec<String> {
        let seen = self.seen.lock();
        seen.messages
            .iter()
            .map(|message| message["method"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// The headers of the last request.
    pub fn last_headers(&self) -> HeaderMap {
        self.seen.lock().headers.last().unwrap().clone()
    }
}

async fn receive(State(upstream): State<Stateless>, headers: HeaderMap, body: String) -> Response {
    let message: Value = serde_json::from_str(&body).unwrap();
    {
        let mut seen = upstream.seen.lock();
        seen.messages.push(message.clone());
        seen.bodies.push(body);
        seen.headers.push(headers.clone());
    }
    let next = upstream.quirks.lock().next.pop_front();
    if let Some((status, body)) = next {
        return said(status, with_id(body, &message));
    }
    let method = message["method"].as_str().unwrap_or_default();
    let opened_era = upstream.quirks.lock().opened_era.clone();
    if let Some((status, body)) = opened_era {
        return opened(method, &headers, &message, status, body);
    }
    if let Err(why) = held_to(&headers, &message) {
        return refuse(&message, 400, -32020, why, Value::Null);
    }
    let result = match method {
        "server/discover" => json!({"supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {}, "prompts": {}, "resources": {}}, "ttlMs": 1000, "cacheScope": "public",
            "_meta": {format!("{META}/serverInfo"): {"name": "stateless", "version": "3"}}}),
        "tools/list" => upstream.quirks.lock().listing.clone().unwrap_or_else(|| {
            json!({"tools": [{"name": "echo", "inputSchema": {"type": "object"}}], "ttlMs": 0, "cacheScope": "public"})
        }),
        "prompts/list" => json!({"prompts": [prompt()]}),
        "resources/list" => json!({"resources": [resource()]}),
        "resources/templates/list" => json!({"resourceTemplates": [template()]}),
        "completion/complete" => json!({"completion": {"values": ["paris"]}}),
        "prompts/get" | "resources/read" => asked(&upstream, &message).unwrap_or_else(|| done(method, &message)),
        "tools/call" => return call(&upstream, &message).await,
        _ => return refuse(&message, 404, -32601, "Method not found", Value::Null),
    };
    complete(&message, result)
}

fn done(method: &str, message: &Value) -> Value {
    if method == "prompts/get" {
        return json!({"messages": [{"role": "user", "content": message["params"]["arguments"]}]});
    }
    json!({"contents": [{"uri": message["params"]["uri"], "text": "read"}], "cacheScope": "public", "ttlMs": 3_600_000})
}

/// What it asks for in this round; nothing when there is no round left, or nobody configured any.
fn asked(upstream: &Stateless, message: &Value) -> Option<Value> {
    let round = match message["params"]["requestState"].as_str() {
        None if message["params"].get("inputResponses").is_some() => usize::MAX,
        None => 0,
        Some(state) => state.strip_prefix("round ").unwrap().parse().unwrap(),
    };
    let mut asked = upstream.quirks.lock().rounds.get(round)?.clone();
    asked["resultType"] = json!("input_required");
    if asked.get("requestState") == Some(&json!("count")) {
        asked["requestState"] = json!(format!("round {}", round + 1));
    }
    Some(asked)
}

async fn call(upstream: &Stateless, message: &Value) -> Response {
    let arguments = &message["params"]["arguments"];
    let content = json!([{"type": "text", "text": "done"}]);
    match message["params"]["name"].as_str().unwrap() {
        "input_required" => {
            let result = asked(upstream, message).unwrap_or_else(
                || json!({"content": content, "structuredContent": message["params"]["inputResponses"]}),
            );
            complete(message, result)
        }
        "fails" => complete(message, json!({"content": content, "isError": true})),
        "rpc_error" => {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32021,"message":"no","data":{LACKING}}}}}"#,
                message["id"]
            );
            (StatusCode::BAD_REQUEST, [("content-type", "application/json")], body).into_response()
        }
        "status_400" => refuse(message, 400, -32020, "Header mismatch: Mcp-Param-Region", Value::Null),
        "hang_stream" => {
            let guard = LetGo(upstream.seen.clone());
            let events = futures::stream::once(async move {
                let _guard = guard;
                std::future::pending::<Result<Bytes, std::convert::Infallible>>().await
            });
            ([("content-type", "text/event-stream")], Body::from_stream(events)).into_response()
        }
        "progress" => {
            let token = &message["params"]["_meta"]["progressToken"];
            let told = json!({"jsonrpc": "2.0", "method": "notifications/progress",
                "params": {"progressToken": token, "progress": 1}});
            let reply = json!({"jsonrpc": "2.0", "id": message["id"],
                "result": {"resultType": "complete", "content": content}});
            let asks = json!({"jsonrpc": "2.0", "id": "p", "method": "ping"});
            let events = futures::stream::iter([asks, told, reply]).then(|event| async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok::<_, std::convert::Infallible>(format!("data: {event}\n\n"))
            });
            ([("content-type", "text/event-stream")], Body::from_stream(events)).into_response()
        }
        // A result without a type is complete.
        "pretty" => {
            axum::Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": {"content": content}}))
                .into_response()
        }
        "slow" => {
            tokio::time::sleep(Duration::from_millis(200)).await;
            complete(message, json!({"content": content}))
        }
        _ => complete(message, json!({"content": content, "structuredContent": arguments})),
    }
}

/// Counts when it is dropped.
struct LetGo(Arc<Mutex<Seen>>);

impl Drop for LetGo {
    fn drop(&mut self) {
        self.0.lock().let_go += 1;
    }
}

/// A server of the other era.
fn opened(method: &str, headers: &HeaderMap, message: &Value, status: u16, body: Value) -> Response {
    match method {
        "initialize" => {
            let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                "serverInfo": {"name": "older", "version": "1"}});
            let mut response = complete_as(message, result);
            response.headers_mut().insert("mcp-session-id", "s1".parse().unwrap());
            response
        }
        _ if headers.get("mcp-session-id").is_none() => said(status, with_id(body, message)),
        "tools/call" => complete_as(message, json!({"structuredContent": message["params"]["arguments"]})),
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

/// Whether headers and `_meta` are what 2026-07-28 wants.
fn held_to(headers: &HeaderMap, message: &Value) -> Result<(), &'static str> {
    let header = |name: &str| {
        let value = headers.get(name)?.to_str().unwrap();
        match value.strip_prefix("=?base64?").and_then(|value| value.strip_suffix("?=")) {
            None => Some(value.to_owned()),
            Some(encoded) => Some(String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()),
        }
    };
    let params = &message["params"];
    let meta = &params["_meta"];
    let version = meta[format!("{META}/protocolVersion")].as_str();
    if version != Some("2026-07-28") || header("mcp-protocol-version").as_deref() != version {
        return Err("version");
    }
    let info = &meta[format!("{META}/clientInfo")];
    if !meta[format!("{META}/clientCapabilities")].is_object() || info["name"] != "WorkingAgents" {
        return Err("_meta");
    }
    if headers.contains_key("mcp-session-id") || headers.get("accept").is_none() {
        return Err("session or accept");
    }
    if header("mcp-method").as_deref() != message["method"].as_str() {
        return Err("Mcp-Method");
    }
    let name = match message["method"].as_str().unwrap() {
        "tools/call" | "prompts/get" => params["name"].as_str(),
        "resources/read" => params["uri"].as_str(),
        _ => None,
    };
    if header("mcp-name").as_deref() != name {
        return Err("Mcp-Name");
    }
    let region = params["arguments"]["region"].as_str().filter(|_| name == Some("mirrored"));
    if header("mcp-param-region").as_deref() != region {
        return Err("Mcp-Param-Region");
    }
    Ok(())
}

fn complete(message: &Value, mut result: Value) -> Response {
    if result.get("resultType").is_none() {
        result["resultType"] = json!("complete");
    }
    complete_as(message, result)
}

fn complete_as(message: &Value, result: Value) -> Response {
    axum::Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})).into_response()
}

fn refuse(message: &Value, status: u16, code: i64, why: &str, data: Value) -> Response {
    let mut error = json!({"code": code, "message": why});
    if !data.is_null() {
        error["data"] = data;
    }
    said(status, json!({"jsonrpc": "2.0", "id": message["id"], "error": error}))
}

/// `id` in a body is the request's unless the body says `null`.
fn with_id(mut body: Value, message: &Value) -> Value {
    if body.is_object() && body.get("id").is_none() {
        body["id"] = message["id"].clone();
    }
    body
}

fn said(status: u16, body: Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    if body.is_null() { status.into_response() } else { (status, axum::Json(body)).into_response() }
}

//! What servers of the `initialize` era ask of clients of that era while they serve one of their calls, and what they log.

use std::time::Duration;

use gateway::Settings;
use http::{Method, StatusCode};
use model::call::Outcome;
use serde_json::{Value, json};

use crate::upstream::Upstream;
use crate::world::{World, key, settings};

fn elicitation() -> Value {
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    json!({"message": "Your name?", "requestedSchema": schema})
}

fn asking(method: &str, params: Value) -> Value {
    json!({"name": "up.asks", "arguments": {"method": method, "params": params}})
}

/// Answers a question with key `n`.
pub async fn answer(world: &World, n: u8, id: &Value, said: (&str, Value)) -> StatusCode {
    let body = json!({"jsonrpc": "2.0", "id": id, said.0: said.1}).to_string();
    let bearer = format!("Bearer {}", key(n));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    world.send(Method::POST, &world.url, &headers, body).await.status
}

#[tokio::test]
async fn a_question_reaches_the_client_and_its_answer_the_server() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    let session = world.open(json!({"elicitation": {}, "sampling": {}})).await;
    let sampling = json!({"messages": [], "maxTokens": 9, "odd": 1.50});
    for (method, params, said) in [
        (
            "elicitation/create",
            elicitation(),
            ("result", json!({"action": "accept", "content": {"name": "Ada"}})),
        ),
        (
            "sampling/createMessage",
            sampling,
            ("result", json!({"role": "assistant", "model": "m", "x": 2.50})),
        ),
        (
            "elicitation/create",
            elicitation(),
            ("error", json!({"code": -32603, "message": "no", "data": [1]})),
        ),
    ] {
        upstream.seen.lock().messages.clear();
        let mut events = world.stream(&session, "tools/call", asking(method, params.clone())).await;
        let question = events.next().await;
        assert_eq!((&question["method"], &question["params"]), (&json!(method), &params));
        // Another agent cannot answer it, nor can it be answered by guessing.
        assert_eq!(answer(&world, 2, &question["id"], said.clone()).await, StatusCode::ACCEPTED);
        assert_eq!(answer(&world, 1, &json!("q"), said.clone()).await, StatusCode::ACCEPTED);
        assert_eq!(answer(&world, 1, &question["id"], said.clone()).await, StatusCode::ACCEPTED);
        let last = events.next().await;
        assert_eq!(last["result"]["structuredContent"][said.0], said.1, "{last}");
        let settled = world.ledger.settlement();
        assert_eq!(settled.outcome, Outcome::Succeeded);
        let exchange: Value = serde_json::from_slice(&settled.exchange.unwrap()).unwrap();
        assert_eq!(exchange, json!([{"method": method, "params": params, "answer": {said.0: said.1}}]));
        world.ledger.settlements.lock().clear();
    }
    let opened = upstream.with_method("initialize");
    assert!(opened.is_empty(), "the session is kept: {opened:?}");
}

#[tokio::test]
async fn a_server_may_ask_what_the_client_declared_and_nothing_else() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    let url = json!({"mode": "url", "elicitationId": "e", "message": "Go", "url": "https://example.com"});
    for (declared, method, params, code) in [
        (json!({}), "elicitation/create", elicitation(), -32601),
        (json!({"sampling": {}}), "elicitation/create", elicitation(), -32601),
        (json!({"elicitation": {}}), "elicitation/create", url.clone(), -32602),
        (json!({"elicitation": {"url": {}}}), "elicitation/create", elicitation(), -32602),
        (json!({"sampling": {}}), "sampling/createMessage", json!({"messages": [], "tools": []}), -32602),
        (json!({"sampling": {}}), "roots/list", json!({}), -32601),
        (json!({"sampling": {}}), "tasks/get", json!({}), -32601),
    ] {
        upstream.seen.lock().messages.clear();
        let session = world.open(declared.clone()).await;
        let mut events = world.stream(&session, "tools/call", asking(method, params)).await;
        let last = events.next().await;
        assert_eq!(last["result"]["structuredContent"]["error"]["code"], code, "{declared} {method} {last}");
    }
    let opened = |upstream: &Upstream| upstream.with_method("initialize");
    upstream.seen.lock().messages.clear();
    let session = world.open(json!({"elicitation": {"url": {}}, "roots": {}})).await;
    let mut events = world.stream(&session, "tools/call", asking("elicitation/create", url)).await;
    let question = events.next().await;
    assert_eq!(question["params"]["mode"], "url");
    // The server was told what this client can do, and no more.
    assert_eq!(
        opened(&upstream)[0]["params"]["capabilities"],
        json!({"elicitation": {"url": {}}, "roots": {}})
    );
}

#[tokio::test]
async fn a_client_that_takes_too_long_or_leaves_has_cancelled() {
    let upstream = Upstream::new().await;
    let settings = Settings { input_timeout: Duration::from_millis(200), ..settings() };
    let world = World::with(&upstream.url, settings).await;
    let session = world.open(json!({"elicitation": {}, "sampling": {}})).await;
    let mut events = world.stream(&session, "tools/call", asking("elicitation/create", elicitation())).await;
    let question = events.next().await;
    let last = events.next().await;
    assert_eq!(last["result"]["structuredContent"]["result"], json!({"action": "cancel"}), "{last}");
    assert_eq!(answer(&world, 1, &question["id"], ("result", json!({}))).await, StatusCode::ACCEPTED);
    let exchange: Value = serde_json::from_slice(&world.ledger.settlement().exchange.unwrap()).unwrap();
    assert_eq!(exchange[0]["answer"], Value::Null);
    upstream.seen.lock().messages.clear();
    let mut events = world.stream(&session, "tools/call", asking("sampling/createMessage", json!({}))).await;
    events.next().await;
    assert_eq!(events.next().await["result"]["structuredContent"]["error"]["code"], -1);
}

#[tokio::test]
async fn the_time_a_person_takes_is_not_the_servers() {
    let upstream = Upstream::new().await;
    // The server has 800 ms.
    let world = World::new(&upstream.url).await;
    let session = world.open(json!({"elicitation": {}})).await;
    let mut events = world.stream(&session, "tools/call", asking("elicitation/create", elicitation())).await;
    let question = events.next().await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    answer(&world, 1, &question["id"], ("result", json!({"action": "decline"}))).await;
    let last = events.next().await;
    assert_eq!(last["result"]["structuredContent"]["result"]["action"], "decline", "{last}");
}

#[tokio::test]
async fn a_log_is_told_as_loud_as_the_session_wants_it() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    let session = world.open(json!({})).await;
    let call = async |wanted: bool| {
        upstream.seen.lock().messages.clear();
        let mut events = world.stream(&session, "tools/call", asking("roots/list", json!({}))).await;
        let first = events.next().await;
        assert_eq!(first["method"] == "notifications/message", wanted, "{first}");
    };
    let set = async |level: Value| {
        let body =
            json!({"jsonrpc": "2.0", "id": 1, "method": "logging/setLevel", "params": {"level": level}});
        let headers = [("mcp-protocol-version", "2025-11-25"), ("mcp-session-id", session.as_str())];
        world.post(&headers, body.to_string()).await.json()
    };
    call(false).await;
    assert_eq!(set(json!("info")).await["result"], json!({}));
    call(true).await;
    assert_eq!(set(json!("warning")).await["result"], json!({}));
    call(false).await;
    assert_eq!(set(json!("loud")).await["error"]["code"], -32602);
    let stateless = world.ask_stateless("logging/setLevel", json!({"level": "info"})).await;
    assert_eq!(stateless.status, StatusCode::NOT_FOUND);
}

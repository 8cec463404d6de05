//! What clients of each revision ask besides calls, on the one endpoint.

use http::Method;
use serde_json::{Value, json};

use crate::upstream::TOOLS;
use crate::world::{World, key, settings};

async fn world() -> World {
    World::new("http://127.0.0.1:1/mcp").await
}

fn capabilities() -> serde_json::Value {
    let list = json!({"listChanged": true});
    let resources = json!({"listChanged": true, "subscribe": true});
    json!({"tools": list, "prompts": list, "resources": resources, "completions": {}, "logging": {}})
}

#[tokio::test]
async fn a_client_that_opens_agrees_on_a_revision() {
    let world = world().await;
    for (wanted, agreed) in [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        ("2024-11-05", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("tomorrow", "2025-11-25"),
    ] {
        let params = json!({"protocolVersion": wanted, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}});
        let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}).to_string();
        let answered = world.post(&[], body).await;
        assert_eq!(answered.status, 200);
        assert_eq!(answered.result()["protocolVersion"], agreed, "{wanted}");
        assert_eq!(answered.result()["capabilities"], capabilities());
        assert_eq!(answered.result()["serverInfo"]["name"], "WorkingAgents");
        assert!(answered.headers.contains_key("mcp-session-id"));
    }
    let answered = world.ask("initialize", json!({})).await;
    assert_eq!((answered.status.as_u16(), answered.rpc_error()), (400, -32602));
}

#[tokio::test]
async fn notifications_and_responses_are_accepted_and_answered_with_nothing() {
    let world = world().await;
    for body in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
    ] {
        let answered = world.post(&[("mcp-protocol-version", "2025-06-18")], body).await;
        assert_eq!((answered.status.as_u16(), answered.text.as_str()), (202, ""), "{body}");
    }
}

#[tokio::test]
async fn ping_is_answered_where_there_is_ping() {
    let world = world().await;
    assert_eq!(world.ask("ping", json!({})).await.result(), json!({}));
    for method in ["ping", "initialize", "logging/setLevel", "resources/subscribe"] {
        let answered = world.ask_stateless(method, json!({})).await;
        assert_eq!((answered.status.as_u16(), answered.rpc_error()), (404, -32601), "{method}");
    }
    for method in ["tasks/list", "tasks/get", "server/discover", "subscriptions/listen"] {
        let answered = world.ask(method, json!({})).await;
        assert_eq!((answered.status.as_u16(), answered.rpc_error()), (200, -32601), "{method}");
    }
    assert_eq!(world.ledger.rejected().len(), 8);
}

#[tokio::test]
async fn discovery_tells_what_the_schema_wants() {
    let result = world().await.ask_stateless("server/discover", json!({})).await.result();
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["supportedVersions"], json!(["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"]));
    assert_eq!(result["capabilities"], capabilities());
    assert_eq!(result["cacheScope"], "private");
    assert!(result["ttlMs"].is_u64());
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "WorkingAgents");
}

#[tokio::test]
async fn a_list_shows_what_the_agent_may_use_and_nothing_else() {
    let world = world().await;
    let result = world.ask("tools/list", json!({})).await.result();
    let names: Vec<&str> =
        result["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    let mut expected: Vec<String> =
        TOOLS.iter().filter(|name| **name != "drifted").map(|name| format!("up.{name}")).collect();
    expected.extend(["greet", "fail", "hang", "panic"].map(|name| format!("crm.{name}")));
    expected.sort();
    assert_eq!(names, expected);
    assert_eq!(result.get("nextCursor"), None);
    assert_eq!(result.get("resultType"), None);

    let bearer = format!("Bearer {}", key(2));
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let idle = world.send(Method::POST, &world.url, &headers, body).await.result();
    assert_eq!(idle, json!({"tools": []}));

    let result = world.ask_stateless("tools/list", json!({})).await.result();
    assert_eq!(
        (&result["resultType"], &result["cacheScope"], &result["ttlMs"]),
        (&json!("complete"), &json!("private"), &json!(5000))
    );
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let world =
        World::with("http://127.0.0.1:1/mcp", gateway::Settings { list_page: 10, ..settings() }).await;
    let mut names = Vec::new();
    let mut cursor = Value::Null;
    let mut pages = 0;
    loop {
        let params = if cursor.is_null() { json!({}) } else { json!({ "cursor": cursor }) };
        let result = world.ask("tools/list", params).await.result();
        names.extend(
            result["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        cursor = result["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!((pages, names.len()), (3, 30));
    assert!(names.is_sorted());
    for cursor in [json!("nonsense"), json!(7), json!("")] {
        let answered = world.ask("tools/list", json!({ "cursor": cursor })).await;
        assert_eq!(answered.rpc_error(), -32602, "{cursor}");
    }
}

#[tokio::test]
async fn a_batch_is_answered_together_in_the_one_revision_that_has_them() {
    let world = world().await;
    let batch = json!([
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "crm.greet"}},
        {"jsonrpc": "2.0", "id": 3, "method": "unheard/of"},
        {"jsonrpc": "2.0", "id": 4},
        {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "crm.greet", "arguments": {"n": 5}}},
    ]);
    for version in [None, Some("2025-03-26")] {
        let headers: Vec<_> = version.map(|version| ("mcp-protocol-version", version)).into_iter().collect();
        let answered = world.post(&headers, batch.to_string()).await;
        assert_eq!(answered.status, 200);
        let answers = answered.json();
        let answers = answers.as_array().unwrap();
        assert_eq!(
            answers.iter().map(|answer| answer["id"].clone()).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5].map(|n| json!(n))
        );
        assert_eq!(answers[4]["result"]["structuredContent"], json!({"n": 5}));
        assert_eq!(answers[2]["error"]["code"], -32601);
    }
    assert_eq!(world.ledger.entries.lock().len(), 4);
    world.ledger.assert_balanced();

    let only_told = world.post(&[], r#"[{"jsonrpc":"2.0","method":"notifications/initialized"}]"#).await;
    assert_eq!((only_told.status.as_u16(), only_told.text.as_str()), (202, ""));
    let too_many = Value::Array(vec![json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}); 21]);
    for body in ["[]".to_owned(), too_many.to_string(), "[".to_owned()] {
        assert_eq!(world.post(&[], body).await.status, 400);
    }
    for version in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        let answered = world.post(&[("mcp-protocol-version", version)], batch.to_string()).await;
        assert_eq!((answered.status.as_u16(), answered.rpc_error()), (400, -32600), "{version}");
    }
}

#[tokio::test]
async fn there_is_no_stream_for_whom_takes_none_and_no_session_to_end() {
    let world = world().await;
    let bearer = format!("Bearer {}", key(1));
    for method in [Method::GET, Method::DELETE, Method::PUT] {
        let answered = world.send(method, &world.url, &[("authorization", &bearer)], "").await;
        assert_eq!(answered.status, 405);
    }
}

#[tokio::test]
async fn arguments_that_a_tool_wants_mirrored_must_be_mirrored() {
    let world = world().await;
    let ask = async |headers: &[(&str, &str)]| {
        let params = json!({"name": "up.mirrored", "arguments": {"region": "eu"}, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
        let mut all = vec![
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "up.mirrored"),
        ];
        all.extend_from_slice(headers);
        world.post(&all, body).await
    };
    let answered = ask(&[("mcp-param-region", "us")]).await;
    assert_eq!((answered.status.as_u16(), answered.rpc_error()), (400, -32020));
    assert_eq!(ask(&[]).await.rpc_error(), -32020);
    assert!(world.ledger.entries.lock().is_empty());
    assert_eq!(world.ledger.rejected(), [("header_mismatch", 400); 2]);
    // Mirrored, it is a call; that nothing listens there is another matter.
    assert_eq!(ask(&[("mcp-param-region", "eu")]).await.trouble(), "upstream_unreachable");
    // Older clients know nothing of it.
    assert_eq!(world.call("up.mirrored", json!({"region": "eu"})).await.trouble(), "upstream_unreachable");
}

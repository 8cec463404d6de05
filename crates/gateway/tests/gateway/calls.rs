//! Calls that go well, that are denied, and what is written down of them.

use model::call::{Outcome, ReasonCode, Verdict};
use model::{AgentId, CredentialId, Money, TenantId};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::upstream::Upstream;
use crate::world::{AGENT, CREDENTIAL, SECRET, World, id, key, price};

#[tokio::test]
async fn a_permitted_call_reaches_its_upstream_and_is_on_record() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    let arguments = r#"{ "a": 1.0, "é": "\u00e9\u0000" , "big": 12345678901234567890123 }"#;
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":"x-1","method":"tools/call","params":{{"arguments":{arguments},"name":"up.echo",
            "_meta":{{"progressToken":7}}}}}}"#
    );
    let answered = world
        .post(
            &[("mcp-protocol-version", "2025-06-18"), ("user-agent", "claude-code/2.1"), ("cookie", "a=b")],
            body,
        )
        .await;

    assert_eq!(answered.status, 200);
    assert_eq!(answered.headers["content-type"], "application/json");
    assert!(
        answered.text.starts_with(r#"{"jsonrpc":"2.0","id":"x-1","result":{"content":"#),
        "{}",
        answered.text
    );
    assert_eq!(answered.result()["more"].to_string(), "1.0");
    assert_eq!(answered.result().get("resultType"), None);

    // Upstream: our words around the agent's bytes, our credential, nothing of the agent's.
    let (bodies, headers) = {
        let seen = upstream.seen.lock();
        (seen.bodies.clone(), seen.headers.clone())
    };
    let sent = bodies.last().unwrap();
    // The progress token is ours, too.
    let params =
        format!(r#""params":{{"name":"echo","arguments":{arguments},"_meta":{{"progressToken":3}}}}"#);
    assert!(sent.contains(&params), "{sent}");
    let headers = headers.last().unwrap();
    assert_eq!(headers["authorization"], SECRET);
    assert_eq!(headers["mcp-protocol-version"], "2025-06-18");
    assert!(!format!("{headers:?}").contains(&key(1)) && !headers.contains_key("cookie"));

    let entry = world.ledger.entry();
    assert_eq!(entry.verdict, Verdict::Permit);
    assert_eq!(entry.reason, None);
    assert_eq!(&*entry.arguments, arguments.as_bytes());
    assert_eq!(entry.arguments_digest, <[u8; 32]>::from(Sha256::digest(arguments)));
    assert_eq!(entry.who.agent, id::<AgentId>(AGENT));
    assert_eq!(entry.who.credential, id::<CredentialId>(CREDENTIAL + 1));
    assert_eq!(entry.wanted.name.as_ref(), "up.echo");
    assert_eq!(entry.wanted.price, price());
    assert_eq!(entry.client.name.as_deref(), Some("claude-code/2.1"));
    assert_eq!(entry.client.protocol.as_deref(), Some("2025-06-18"));
    assert_eq!(entry.client.address, Some("127.0.0.1".parse().unwrap()));

    let settlement = world.ledger.settlement();
    assert_eq!((settlement.call, settlement.tenant), (entry.id, id::<TenantId>(1)));
    assert_eq!(settlement.outcome, Outcome::Succeeded);
    assert_eq!(settlement.failure, None);
    let result = settlement.result.unwrap();
    assert!(answered.text.contains(std::str::from_utf8(&result).unwrap()));
    assert_eq!(settlement.result_size, result.len() as u64);
    assert_eq!(settlement.result_digest, Some(Sha256::digest(&result).into()));
    assert_eq!((settlement.charge, settlement.rate), (price(), entry.wanted.rate));
    assert!(settlement.upstream_duration.unwrap() <= settlement.duration);
}

#[tokio::test]
async fn a_stateless_client_is_served_with_its_own_words() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    let answered =
        world.ask_stateless("tools/call", json!({"name": "up.echo", "arguments": {"a": [1]}})).await;
    assert_eq!(answered.status, 200);
    assert_eq!(answered.json()["id"], "a");
    assert_eq!(answered.result()["resultType"], "complete");
    assert_eq!(answered.result()["structuredContent"], json!({"a": [1]}));
    let client = world.ledger.entry().client;
    assert_eq!((client.name.as_deref(), client.version.as_deref()), (Some("Stateless"), Some("9.1")));
    assert_eq!(client.protocol.as_deref(), Some("2026-07-28"));
}

#[tokio::test]
async fn a_native_module_is_one_more_kind_of_upstream() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    let answered = world.call("crm.greet", json!({"n": 1})).await;
    assert_eq!(answered.result()["content"][0]["text"], format!("hello {}", id::<AgentId>(AGENT)));
    assert_eq!(answered.result()["structuredContent"], json!({"n": 1}));
    assert_eq!(world.ledger.settlement().outcome, Outcome::Succeeded);

    let world = World::new("http://127.0.0.1:1/mcp").await;
    let answered = world.call("crm.fail", json!({})).await;
    assert_eq!(answered.trouble(), "module_failed");
    assert!(answered.text.contains("The CRM is being moved."));
    assert_eq!(world.ledger.settlement().outcome, Outcome::UpstreamError);

    let world = World::new("http://127.0.0.1:1/mcp").await;
    assert_eq!(world.call("crm.hang", json!({})).await.trouble(), "upstream_timeout");
    assert_eq!(world.ledger.settlement().outcome, Outcome::TimedOut);
}

#[tokio::test]
async fn a_tool_that_fails_is_a_tool_error_and_passes_as_it_is() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    let answered = world.call("up.fails", json!({})).await;
    assert_eq!(answered.result(), json!({"content": [{"type": "text", "text": "no"}], "isError": true}));
    let settlement = world.ledger.settlement();
    assert_eq!(settlement.outcome, Outcome::ToolError);
    assert_eq!(settlement.failure.unwrap().code, "tool_error");
    assert_eq!(settlement.charge, price());
}

#[tokio::test]
async fn a_denied_call_is_a_tool_result_that_says_which_key_is_missing_and_whom_to_ask() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    let answered = world.call_with(2, "up.echo").await;
    assert_eq!(answered.status, 200);
    let entry = world.ledger.entry();
    let result = answered.result();
    assert_eq!(result["isError"], true);
    let error = &result["structuredContent"]["error"];
    assert_eq!(error["code"], "missing_key");
    assert_eq!(error["missing_key"], "up:read");
    assert_eq!(error["call_id"], entry.id.to_string());
    assert_eq!(error["message"], entry.reason.clone().unwrap().sentence);
    assert!(error["ask"].is_string(), "{error}");
    assert!(result["content"][0]["text"].as_str().unwrap().starts_with(error["message"].as_str().unwrap()));
    assert_eq!(entry.verdict, Verdict::Deny);
    assert_eq!(entry.wanted.name.as_ref(), "up.echo");
    assert!(entry.wanted.tool.is_some());
    assert!(world.ledger.settlements.lock().is_empty());
    assert!(upstream.calls().is_empty());
}

#[tokio::test]
async fn an_unknown_tool_is_an_error_of_the_protocol_and_on_record_as_a_denied_call() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    let long = "x".repeat(500);
    for name in ["up.nothing", "echo", "", long.as_str()] {
        let answered = world.call(name, json!({})).await;
        assert_eq!((answered.status.as_u16(), answered.rpc_error()), (200, -32602), "{name}");
        assert!(answered.json()["error"]["message"].as_str().unwrap().starts_with("Unknown tool: "));
    }
    let entries = world.ledger.entries.lock();
    assert_eq!(entries.len(), 4);
    for entry in entries.iter() {
        assert_eq!(entry.reason.as_ref().unwrap().code, ReasonCode::UnknownTool);
        assert_eq!(entry.wanted.price, Money::zero(model::Currency::USD));
        assert!(entry.wanted.name.len() <= 200);
    }
}

#[tokio::test]
async fn a_drifted_tool_takes_no_calls() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    assert_eq!(world.call("up.drifted", json!({})).await.trouble(), "tool_drifted");
    assert_eq!(world.ledger.entry().verdict, Verdict::Deny);
    assert!(upstream.calls().is_empty());
}

#[tokio::test]
async fn a_known_credential_that_may_not_be_used_is_refused_and_its_calls_are_on_record() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    for (n, code) in [(3, ReasonCode::CredentialExpired), (4, ReasonCode::CredentialAddress)] {
        let answered = world.call_with(n, "up.echo").await;
        assert_eq!(answered.status, 401);
        assert!(answered.headers["www-authenticate"].to_str().unwrap().contains("invalid_token"));
        assert_eq!(answered.json()["error"]["data"]["code"], code.word());
        assert_eq!(answered.json()["id"], 1);
        let entry = world.ledger.entries.lock().last().unwrap().clone();
        assert_eq!(entry.reason.unwrap().code, code);
        assert_eq!(entry.who.credential, id::<CredentialId>(CREDENTIAL + u128::from(n)));

        // What is no call is turned away and recorded as that.
        let bearer = format!("Bearer {}", key(n));
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answered = world.send(http::Method::POST, &world.url, &headers, body).await;
        assert_eq!(answered.status, 401);
        assert_eq!(world.ledger.rejected().pop(), Some((code.word(), 401)));
    }
    assert_eq!(world.ledger.entries.lock().len(), 2);
}

#[tokio::test]
async fn a_result_too_large_to_keep_goes_through_and_leaves_its_size_and_digest() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    let answered = world.call("up.huge", json!({})).await;
    assert_eq!(answered.result()["content"][0]["text"].as_str().unwrap().len(), 300_000);
    let settlement = world.ledger.settlement();
    assert_eq!(settlement.outcome, Outcome::Succeeded);
    assert_eq!(settlement.result, None);
    assert!(settlement.result_size > 300_000);
    let raw = answered
        .text
        .strip_prefix(r#"{"jsonrpc":"2.0","id":1,"result":"#)
        .unwrap()
        .strip_suffix('}')
        .unwrap();
    assert_eq!(settlement.result_digest, Some(Sha256::digest(raw).into()));
}

#[tokio::test]
async fn a_client_that_takes_only_streams_gets_one_event() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "up.pretty"}})
        .to_string();
    let bearer = format!("Bearer {}", key(1));
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "text/event-stream"),
    ];
    let answered = world.send(http::Method::POST, &world.url, &headers, body).await;
    assert_eq!(answered.headers["content-type"], "text/event-stream");
    let data = answered.text.strip_prefix("event: message\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
    assert!(!data.contains('\n'));
    let message: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(message["result"]["n"].to_string(), "1.5");
    assert!(data.contains("1.50"));
}

#[tokio::test]
async fn progress_comes_before_the_answer_to_who_asked_for_it() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    let params = json!({"name": "up.progress", "arguments": {"a": 1}, "_meta": {"progressToken": "mine"}});
    let answered = world.ask("tools/call", params.clone()).await;
    assert_eq!(answered.headers["content-type"], "text/event-stream");
    assert_eq!(answered.headers["x-accel-buffering"], "no");
    let messages: Vec<serde_json::Value> = answered
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let told: Vec<_> =
        messages.iter().filter(|message| message["method"] == "notifications/progress").collect();
    assert_eq!(told.len(), 3);
    for (n, message) in (1..).zip(&told) {
        assert_eq!(message["params"], json!({"progressToken": "mine", "progress": n, "total": 3}));
    }
    assert_eq!(messages.last().unwrap()["result"]["structuredContent"], json!({"a": 1}));
    assert_eq!(messages.len(), 4);
    assert_eq!(world.ledger.settlement().outcome, Outcome::Succeeded);

    // Who does not ask, or takes no stream, gets the answer alone.
    let plain = world.call("up.progress", json!({})).await;
    assert_eq!(plain.headers["content-type"], "application/json");
    assert!(!upstream.calls().last().unwrap()["params"].to_string().contains("progressToken"));
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
    let bearer = format!("Bearer {}", key(1));
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("mcp-protocol-version", "2025-11-25"),
    ];
    let alone = world.send(http::Method::POST, &world.url, &headers, body).await;
    assert_eq!(alone.headers["content-type"], "application/json");
}

//! Upstream servers of 2026-07-28 beside those of the `initialize` era: how it is found out which one it is, and what each is
//! sent.

use std::time::Duration;

use gateway::PassedOver;
use model::TenantId;
use model::call::Outcome;
use model::catalog::ToolStanding;
use policy::ToolFact;
use serde_json::{Value, json};

use crate::stateless::{LACKING, Quirks, Stateless};
use crate::upstream::Upstream;
use crate::world::{SECRET, World, eventually, id, price};

fn rpc_error(code: i64, data: Value) -> Value {
    json!({"jsonrpc": "2.0", "error": {"code": code, "message": "no", "data": data}})
}

#[tokio::test]
async fn each_era_of_client_reaches_each_era_of_server() {
    let (older, newer) = (Upstream::new().await, Stateless::new().await);
    let arguments = json!({"a": [1.5, "é"]});
    for url in [&older.url, &newer.url] {
        let world = World::new(url).await;
        let answered = world.call("up.echo", arguments.clone()).await;
        assert_eq!((answered.status.as_u16(), &answered.result()["structuredContent"]), (200, &arguments));
        let params = json!({"name": "up.echo", "arguments": arguments});
        let answered = world.ask_stateless("tools/call", params).await;
        assert_eq!((answered.status.as_u16(), &answered.result()["structuredContent"]), (200, &arguments));
        assert_eq!(answered.result()["resultType"], "complete");
        world.ledger.assert_balanced();
        assert!(world.ledger.settlements.lock().iter().all(|settled| settled.outcome == Outcome::Succeeded));
    }
    assert_eq!(newer.methods(), ["server/discover", "tools/call", "tools/call"]);
    assert_eq!(older.calls().len(), 2);
    assert_eq!(older.with_method("server/discover").len(), 1, "it is probed once");
}

#[tokio::test]
async fn a_stateless_server_gets_everything_in_each_request() {
    let upstream = Stateless::new().await;
    let world = World::new(&upstream.url).await;
    let arguments = r#"{ "a": 1.0, "é": "\u00e9" , "big": 12345678901234567890123 }"#;
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{{"name":"up.echo","arguments":{arguments}}}}}"#
    );
    let answered = world.post(&[("mcp-protocol-version", "2025-06-18")], body).await;
    assert_eq!(answered.status, 200);
    let sent = upstream.seen.lock().bodies.last().unwrap().clone();
    assert!(
        sent.contains(&format!(r#""params":{{"name":"echo","arguments":{arguments},"_meta":{{"#)),
        "{sent}"
    );
    assert!(!sent.contains("progressToken") && !sent.contains("inputResponses"), "{sent}");
    let headers = upstream.last_headers();
    for (name, value) in [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "echo"),
        ("accept", "application/json, text/event-stream"),
        ("authorization", SECRET),
    ] {
        assert_eq!(headers[name], value);
    }
    // The fake itself refuses whatever else is missing or too much.
    for (region, header) in
        [("eu", "eu"), ("", ""), ("Zürich", "=?base64?WsO8cmljaA==?="), (" a\tb", "=?base64?IGEJYg==?=")]
    {
        let answered = world.call("up.mirrored", json!({"region": region})).await;
        assert_eq!(answered.result()["structuredContent"]["region"], region);
        assert_eq!(upstream.last_headers()["mcp-param-region"], header);
    }
    for arguments in [json!({}), json!({"region": null}), json!({"region": {}})] {
        assert_eq!(world.call("up.mirrored", arguments).await.status, 200);
        assert!(!upstream.last_headers().contains_key("mcp-param-region"));
    }
    assert!(world.ledger.settlements.lock().iter().all(|settled| settled.outcome == Outcome::Succeeded));
}

#[tokio::test]
async fn results_pass_with_their_type_and_without() {
    let upstream = Stateless::new().await;
    let world = World::new(&upstream.url).await;
    for tool in ["up.pretty", "up.echo"] {
        let answered = world.ask_stateless("tools/call", json!({"name": tool})).await;
        assert_eq!(answered.result()["resultType"], "complete");
        assert_eq!(answered.text.matches("resultType").count(), 1, "{}", answered.text);
    }
    assert_eq!(world.call("up.fails", json!({})).await.result()["isError"], true);
    let settled = world.ledger.settlements.lock().pop().unwrap();
    assert_eq!(settled.outcome, Outcome::ToolError);
}

#[tokio::test]
async fn progress_comes_through_and_what_a_stateless_server_may_not_ask_is_not_answered() {
    let upstream = Stateless::new().await;
    let world = World::new(&upstream.url).await;
    let params = json!({"name": "up.progress", "arguments": {}, "_meta": {"progressToken": "mine"}});
    let answered = world.ask("tools/call", params).await;
    assert_eq!(answered.headers["content-type"], "text/event-stream");
    assert!(answered.text.contains(r#""progressToken":"mine""#), "{}", answered.text);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(upstream.methods(), ["server/discover", "tools/call"]);
}

#[tokio::test]
async fn who_stops_waiting_lets_go_of_the_stream_and_says_nothing() {
    let upstream = Stateless::new().await;
    let world = World::new(&upstream.url).await;
    assert_eq!(world.call("up.hang_stream", json!({})).await.trouble(), "upstream_timeout");
    eventually("the stream is let go of", || upstream.seen.lock().let_go == 1).await;
    assert_eq!(upstream.methods(), ["server/discover", "tools/call"]);
    assert_eq!(world.ledger.settlement().outcome, Outcome::TimedOut);
}

#[tokio::test]
async fn a_version_that_is_refused_is_asked_for_once_more() {
    let refusal =
        |supported: Value| (400, rpc_error(-32022, json!({"supported": supported, "requested": "x"})));
    // The probe itself, then a call.
    for before in [&["server/discover"][..], &["server/discover", "tools/call"]] {
        let upstream = Stateless::new().await;
        let world = World::new(&upstream.url).await;
        if before.len() == 2 {
            world.call("up.echo", json!({})).await.result();
        }
        upstream.quirks.lock().next.push_back(refusal(json!(["2026-07-28"])));
        assert_eq!(
            world.call("up.echo", json!({"n": 2})).await.result()["structuredContent"],
            json!({"n": 2})
        );
        world.ledger.assert_balanced();
    }
    // Again and again: nothing was done, and it says so.
    let upstream = Stateless::new().await;
    let world = World::new(&upstream.url).await;
    world.call("up.echo", json!({})).await.result();
    world.ledger.settlements.lock().clear();
    upstream.quirks.lock().next.extend([refusal(json!(["2026-07-28"])), refusal(json!(["2026-07-28"]))]);
    assert_eq!(world.call("up.echo", json!({})).await.trouble(), "upstream_error");
    assert_eq!(world.ledger.settlement().outcome, Outcome::NotSent);
    // One that speaks nothing we do.
    let upstream = Stateless::new().await;
    upstream.quirks.lock().next.push_back(refusal(json!(["2031-01-01"])));
    let world = World::new(&upstream.url).await;
    assert_eq!(world.call("up.echo", json!({})).await.trouble(), "upstream_garbage");
    assert_eq!(upstream.methods(), ["server/discover"]);
}

#[tokio::test]
async fn a_server_whose_era_changes_is_probed_again() {
    // As the common SDK refuses who comes without a session: the call was not taken, and is sent once more.
    let unread = json!({"jsonrpc": "2.0", "id": null,
        "error": {"code": -32000, "message": "Bad Request: Server not initialized"}});
    let upstream = Stateless::new().await;
    let world = World::new(&upstream.url).await;
    world.call("up.echo", json!({})).await.result();
    upstream.quirks.lock().opened_era = Some((400, unread));
    assert_eq!(world.call("up.echo", json!({"n": 2})).await.result()["structuredContent"], json!({"n": 2}));
    let methods = upstream.methods();
    assert_eq!(
        methods[2..],
        ["tools/call", "server/discover", "initialize", "notifications/initialized", "tools/call"]
    );
    // And back: its session is lost, and the probe finds the newer one.
    upstream.quirks.lock().opened_era = None;
    upstream.quirks.lock().next.push_back((404, Value::Null));
    assert_eq!(world.call("up.echo", json!({"n": 3})).await.result()["structuredContent"], json!({"n": 3}));
    assert_eq!(upstream.methods()[7..], ["tools/call", "server/discover", "tools/call"]);
    world.ledger.assert_balanced();

    // What may have been taken is not sent again; the next call finds out.
    let upstream = Stateless::new().await;
    let world = World::new(&upstream.url).await;
    world.call("up.echo", json!({})).await.result();
    upstream.quirks.lock().opened_era = Some((404, Value::Null));
    assert_eq!(world.call("up.echo", json!({})).await.trouble(), "upstream_status");
    assert_eq!(upstream.with_method("tools/call").len(), 2);
    assert_eq!(world.call("up.echo", json!({"n": 2})).await.result()["structuredContent"], json!({"n": 2}));
    // An opened server that speaks of headers is one no longer, or has a code of its own: not sent again either.
    upstream.quirks.lock().opened_era = None;
    upstream.quirks.lock().next.push_back((400, rpc_error(-32020, Value::Null)));
    assert_eq!(world.call("up.echo", json!({})).await.trouble(), "upstream_error");
    assert_eq!(upstream.methods().last().unwrap(), "tools/call");
    assert_eq!(world.call("up.echo", json!({"n": 4})).await.result()["structuredContent"], json!({"n": 4}));
    assert_eq!(
        upstream.methods().iter().rev().take(2).collect::<Vec<_>>(),
        ["tools/call", "server/discover"]
    );
    world.ledger.assert_balanced();
}

#[tokio::test]
async fn a_call_is_never_the_probe() {
    // Nothing that says no to the probe in a way that leaves its era open is sent a call.
    for (status, body) in [
        (500, Value::Null),
        (429, Value::Null),
        (401, Value::Null),
        (400, rpc_error(-32020, Value::Null)),
        (400, rpc_error(-32021, json!({"requiredCapabilities": {}}))),
    ] {
        let upstream = Stateless::with(Quirks { next: [(status, body)].into(), ..Quirks::default() }).await;
        let world = World::new(&upstream.url).await;
        world.call("up.echo", json!({})).await.trouble();
        assert_eq!(upstream.methods(), ["server/discover"], "{status}");
        assert_eq!(world.ledger.settlement().outcome, Outcome::NotSent);
    }
}

#[tokio::test]
async fn what_a_server_wants_of_the_client_is_told_to_each_era_in_its_way() {
    let upstream = Stateless::new().await;
    let world = World::new(&upstream.url).await;
    let answered = world.ask_stateless("tools/call", json!({"name": "up.rpc_error"})).await;
    assert_eq!((answered.status.as_u16(), answered.rpc_error()), (400, -32021));
    assert_eq!(answered.json()["id"], "a");
    assert!(answered.text.contains(&format!(r#""data":{LACKING}"#)), "raw: {}", answered.text);
    let settled = world.ledger.settlement();
    assert_eq!(
        (settled.outcome, settled.failure.unwrap().code.as_str()),
        (Outcome::UpstreamError, "client_lacks_capability")
    );
    assert!(settled.result.is_some(), "what the server said is content");

    let unsaid = json!({"jsonrpc": "2.0", "error": {"code": -32021, "message": "no"}});
    upstream.quirks.lock().next.push_back((400, unsaid));
    let answered = world.ask_stateless("tools/call", json!({"name": "up.echo"})).await;
    assert_eq!((answered.status.as_u16(), answered.rpc_error()), (400, -32021));
    assert_eq!(answered.json()["error"]["data"], json!({"requiredCapabilities": {}}));

    let answered = world.call("up.rpc_error", json!({})).await;
    assert_eq!((answered.status.as_u16(), answered.trouble().as_str()), (200, "client_lacks_capability"));
    assert!(answered.text.contains("elicitation.form, sampling"), "{}", answered.text);
}

#[tokio::test]
async fn headers_that_do_not_fit_any_more_cost_nothing_and_say_whom_to_ask() {
    let upstream = Stateless::new().await;
    let world = World::new(&upstream.url).await;
    let answered = world.call("up.status_400", json!({})).await;
    assert_eq!(answered.trouble(), "upstream_error");
    assert!(answered.text.contains("nothing was done") && answered.text.contains("Ask an admin"));
    assert_eq!(world.ledger.settlement().outcome, Outcome::NotSent);
    assert_eq!(upstream.with_method("tools/call").len(), 1);
    // A number that no header can say, where no schema speaks against it.
    world.change(|facts| {
        let tool = facts.tools.iter_mut().find(|tool| tool.name == "mirrored").unwrap();
        tool.definition = json!({"name": "mirrored", "inputSchema": {"$schema": "https://example.com/own",
            "properties": {"region": {"type": "integer", "x-mcp-header": "Region"}}}})
        .to_string();
        tool.definition_hash = [8; 32];
    });
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"up.mirrored","arguments":{"region":1e999}}}"#;
    let answered = world.post(&[("mcp-protocol-version", "2025-11-25")], body).await;
    assert_eq!(answered.trouble(), "argument_without_header");
    assert_eq!(world.ledger.settlements.lock()[1].outcome, Outcome::NotSent);
    assert_eq!(upstream.with_method("tools/call").len(), 1);
}

#[tokio::test]
async fn discovery_leaves_out_tools_whose_headers_cannot_be() {
    let tool = |name: &str, property: Value| json!({"name": name, "inputSchema": {"type": "object", "properties": {"a": property}}});
    let listing = json!({"tools": [
        tool("good", json!({"type": "string", "x-mcp-header": "A"})),
        tool("bad", json!({"type": "number", "x-mcp-header": "A"})),
        tool("plain", json!({"type": "number"})),
    ]});
    let upstream = Stateless::with(Quirks { listing: Some(listing.clone()), ..Quirks::default() }).await;
    let world = World::new("http://127.0.0.1:1/mcp").await;
    let discovered = world.gateway.discover(id::<TenantId>(1), &upstream.url, None).await.unwrap();
    assert_eq!((discovered.server_name.as_str(), discovered.server_version.as_str()), ("stateless", "3"));
    assert_eq!(discovered.protocol, "2026-07-28");
    let names: Vec<&str> = discovered.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(
        names,
        ["good", "plain", "prompt:travel", "resource:test://notes", "template:test://city/{name}"]
    );
    let why = "x-mcp-header \"A\" is on what is no string, integer or boolean".to_owned();
    assert_eq!(discovered.passed_over, [PassedOver { name: "bad".to_owned(), why }]);
    assert_eq!(upstream.methods().len(), 5, "no session was opened or ended");

    // Older servers know nothing of headers.
    let older =
        Upstream::behaving(crate::upstream::Behaviour { listing: Some(listing), ..Default::default() }).await;
    let discovered = world.gateway.discover(id::<TenantId>(1), &older.url, None).await.unwrap();
    assert_eq!((discovered.tools.len(), discovered.passed_over), (3, vec![]));
}

#[tokio::test]
async fn prompts_and_resources_are_asked_of_it_in_its_words() {
    let upstream = Stateless::new().await;
    let world = World::new(&upstream.url).await;
    add_features(&world, &upstream).await;
    for (method, params, name) in [
        ("prompts/get", json!({"name": "up.travel", "arguments": {"city": "Paris"}}), Some("travel")),
        ("resources/read", json!({"uri": "up+test://notes"}), Some("test://notes")),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "up.travel"}, "argument": {"name": "city", "value": ""}}),
            None,
        ),
    ] {
        assert!(world.ask(method, params.clone()).await.result().is_object(), "{method}");
        assert_eq!(upstream.last_headers().get("mcp-name").map(|name| name.to_str().unwrap()), name);
        assert_eq!(world.ask_stateless(method, params).await.result()["resultType"], "complete");
    }
    // What may be read by one is not public, whatever its server says, and no longer kept than a list.
    let answered = world.ask_stateless("resources/read", json!({"uri": "up+test://notes"})).await;
    let result = answered.result();
    assert_eq!((&result["cacheScope"], &result["ttlMs"]), (&json!("private"), &json!(5000)));
    assert_eq!(result["contents"][0]["text"], "read");
    assert_eq!(answered.text.matches("cacheScope").count(), 1);
}

/// Approves what the server offers besides tools.
pub async fn add_features(world: &World, upstream: &Stateless) {
    let discovered = world.gateway.discover(id::<TenantId>(1), &upstream.url, None).await.unwrap();
    let found = discovered.tools.into_iter().filter(|tool| tool.name.contains(':'));
    world.change(|facts| {
        for (n, tool) in (0..).zip(found) {
            facts.tools.push(ToolFact {
                id: id(900 + n),
                module: id(40),
                name: tool.name,
                definition: tool.definition,
                definition_hash: [9; 32],
                key: "up:read".parse().unwrap(),
                standing: ToolStanding::Approved,
                price: price(),
                rate: None,
                timeouts: Default::default(),
            });
        }
    });
    // The node learns of it as of any change: by what does not hold any more.
    world.call("up.echo", json!({})).await.result();
    world.ledger.entries.lock().clear();
    world.ledger.settlements.lock().clear();
    *upstream.seen.lock() = crate::stateless::Seen::default();
}

//! Upstream servers in all their ways: sessions, streams, and everything that can go wrong.

use std::time::Duration;

use model::Money;
use model::call::Outcome;
use serde_json::json;

use crate::upstream::{Behaviour, Upstream};
use crate::world::{World, eventually, price, settings};

#[tokio::test]
async fn an_upstream_that_misbehaves_is_a_clear_failure_within_its_time() {
    let upstream = Upstream::new().await;
    let world =
        World::with(&upstream.url, gateway::Settings { max_upstream_bytes: 2 << 20, ..settings() }).await;
    for (tool, code, outcome) in [
        ("up.hang", "upstream_timeout", Outcome::TimedOut),
        ("up.hang_stream", "upstream_timeout", Outcome::TimedOut),
        ("up.garbage", "upstream_garbage", Outcome::UpstreamError),
        ("up.html", "upstream_garbage", Outcome::UpstreamError),
        ("up.empty", "upstream_garbage", Outcome::UpstreamError),
        ("up.other_id", "upstream_garbage", Outcome::UpstreamError),
        ("up.bad_result", "upstream_garbage", Outcome::UpstreamError),
        ("up.input_required", "upstream_garbage", Outcome::UpstreamError),
        ("up.stream_huge", "upstream_too_large", Outcome::UpstreamError),
        ("up.cut_stream", "upstream_broke_off", Outcome::UpstreamError),
        ("up.breaks", "upstream_broke_off", Outcome::UpstreamError),
        ("up.redirect", "upstream_redirect", Outcome::UpstreamError),
        ("up.error_503", "upstream_status", Outcome::UpstreamError),
        ("up.forbidden", "upstream_unauthorized", Outcome::UpstreamError),
        ("up.rpc_error", "upstream_error", Outcome::UpstreamError),
        ("up.status_400", "upstream_error", Outcome::UpstreamError),
    ] {
        let begun = tokio::time::Instant::now();
        let answered = world.call(tool, json!({})).await;
        assert_eq!(answered.trouble(), code, "{tool}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{tool}");
        let settlement = world.ledger.settlements.lock().pop().unwrap();
        assert!(world.ledger.settlements.lock().is_empty(), "{tool}");
        assert_eq!(settlement.outcome, outcome, "{tool}");
        assert_eq!(settlement.failure.unwrap().code, code, "{tool}");
        assert_eq!(settlement.charge, price(), "{tool} may have run");
        assert!(settlement.upstream_duration.is_some());
        // Agents are told what to do, not what lies behind.
        for secret in ["secret", "127.0.0.1", "169.254", "stack"] {
            assert!(!answered.text.contains(secret), "{tool}: {}", answered.text);
        }
    }
    // An error of the protocol is passed on in words; on record it is content, since it may repeat the arguments.
    assert!(world.call("up.rpc_error", json!({})).await.text.contains("x is missing"));
    let settlement = world.ledger.settlement();
    assert_eq!(settlement.failure.unwrap().sentence, "the server answered error -32602");
    let content: serde_json::Value = serde_json::from_slice(&settlement.result.unwrap()).unwrap();
    assert_eq!(content, json!({"code": -32602, "message": "x is missing", "data": {"a": 1}}));
    assert!(settlement.result_digest.is_some());
    assert_eq!(upstream.calls().len(), 17, "each was sent once");
}

#[tokio::test]
async fn a_call_that_could_not_be_sent_costs_nothing() {
    for (url, code) in [
        ("http://127.0.0.1:1/mcp", "upstream_unreachable"),
        ("http://no-such-host.invalid/mcp", "upstream_unreachable"),
        ("http://10.0.0.1/mcp", "upstream_private_address"),
        ("http://[::1]:1/mcp", "upstream_private_address"),
        ("http://0x0a000001/mcp", "upstream_private_address"),
        ("http://169.254.169.254/latest", "upstream_private_address"),
        ("ftp://example.com/", "upstream_bad_url"),
        ("http://user:pass@127.0.0.1/mcp", "upstream_bad_url"),
        ("nonsense", "upstream_bad_url"),
    ] {
        let world = World::new(url).await;
        let answered = world.call("up.echo", json!({})).await;
        assert_eq!(answered.trouble(), code, "{url}");
        assert!(answered.text.contains("nothing was done"));
        let settlement = world.ledger.settlement();
        assert_eq!(settlement.outcome, Outcome::NotSent, "{url}");
        assert_eq!(settlement.charge, Money::zero(price().currency));
        assert_eq!(settlement.upstream_duration, None);
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_refused_like_the_address() {
    // `localhost` is a name; only what it resolves to gives it away.
    let upstream = Upstream::new().await;
    let url = upstream.url.replace("127.0.0.1", "localhost");
    let world =
        World::with(&url, gateway::Settings { allowed_upstream_networks: vec![], ..settings() }).await;
    assert_eq!(world.call("up.echo", json!({})).await.trouble(), "upstream_private_address");
    assert!(upstream.seen.lock().messages.is_empty());
    let world = World::new(&url).await;
    assert_eq!(world.call("up.echo", json!({})).await.result()["isError"], json!(null));
}

#[tokio::test]
async fn a_stream_is_read_up_to_the_answer() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    let answered = world.call("up.stream", json!({"a": 1})).await;
    assert_eq!(answered.result()["structuredContent"], json!({"a": 1}));
    assert_eq!(world.ledger.settlement().outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn what_the_server_asks_of_us_is_answered_on_the_side() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    assert_eq!(
        world.call("up.ask_back", json!({"a": 1})).await.result()["structuredContent"],
        json!({"a": 1})
    );
    let answers = || {
        let seen = upstream.seen.lock();
        seen.messages.iter().filter(|message| message.get("method").is_none()).cloned().collect::<Vec<_>>()
    };
    eventually("both are answered", || answers().len() == 2).await;
    let answer = |id: &str| answers().into_iter().find(|answer| answer["id"] == id).unwrap();
    assert_eq!(answer("p")["result"], json!({}));
    assert_eq!(answer("s")["error"]["code"], -32601);
}

#[tokio::test]
async fn a_session_is_opened_once_and_shared() {
    let upstream = Upstream::behaving(Behaviour {
        sessions: true,
        opening: Duration::from_millis(100),
        protocol: "2025-11-25",
        ..Behaviour::default()
    })
    .await;
    let world = World::new(&upstream.url).await;
    let calls = (0..10).map(|n| world.call("up.echo", json!({ "n": n })));
    for (n, answered) in futures::future::join_all(calls).await.into_iter().enumerate() {
        assert_eq!(answered.result()["structuredContent"], json!({ "n": n }));
    }
    assert_eq!(upstream.seen.lock().opened, 1);
    assert_eq!(upstream.with_method("notifications/initialized").len(), 1);
    let mut ids: Vec<u64> = upstream.calls().iter().map(|call| call["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 10, "ids are unique in the session");
    let seen = upstream.seen.lock();
    assert!(seen.messages[0]["method"] == "server/discover" && seen.messages[1]["method"] == "initialize");
    for headers in seen.headers.iter().skip(2) {
        assert_eq!(headers["mcp-session-id"], "session-1");
        assert_eq!(headers["mcp-protocol-version"], "2025-11-25");
    }
}

#[tokio::test]
async fn a_lost_session_is_opened_again_and_the_call_sent_once_more() {
    for forgets_politely in [false, true] {
        let upstream =
            Upstream::behaving(Behaviour { sessions: true, forgets_politely, ..Behaviour::default() }).await;
        let world = World::new(&upstream.url).await;
        assert_eq!(
            world.call("up.echo", json!({"n": 1})).await.result()["structuredContent"],
            json!({"n": 1})
        );
        upstream.seen.lock().sessions.clear();
        assert_eq!(
            world.call("up.echo", json!({"n": 2})).await.result()["structuredContent"],
            json!({"n": 2})
        );
        assert_eq!(upstream.seen.lock().opened, 2);
        assert_eq!(upstream.calls().len(), 3);
        world.ledger.assert_balanced();
    }
}

#[tokio::test]
async fn a_server_that_opens_slowly_is_ready_for_the_next_call() {
    let upstream =
        Upstream::behaving(Behaviour { opening: Duration::from_millis(400), ..Behaviour::default() }).await;
    let world = World::new(&upstream.url).await;
    *world.ledger.send_within.lock() = Some(Duration::from_millis(150));
    let answered = world.call("up.echo", json!({})).await;
    assert_eq!(answered.trouble(), "upstream_still_opening");
    assert_eq!(world.ledger.settlement().outcome, Outcome::NotSent);
    eventually("it has opened", || upstream.with_method("notifications/initialized").len() == 1).await;
    assert_eq!(world.call("up.echo", json!({"n": 2})).await.result()["structuredContent"], json!({"n": 2}));
    assert_eq!(upstream.seen.lock().opened, 1);
}

#[tokio::test]
async fn a_slow_module_does_not_take_every_place() {
    let upstream = Upstream::new().await;
    let tight =
        gateway::Settings { upstream_concurrency: 2, upstream_wait: Duration::from_millis(50), ..settings() };
    let world = World::with(&upstream.url, tight).await;
    let calls = (0..5).map(|_| world.call("up.slow", json!({})));
    let answers = futures::future::join_all(calls).await;
    let busy = answers.iter().filter(|answered| answered.result()["isError"] == json!(true)).count();
    assert_eq!(busy, 3);
    assert_eq!(world.call("crm.greet", json!({})).await.status, 200);
    world.ledger.assert_balanced();
    let not_sent =
        world.ledger.settlements.lock().iter().filter(|settled| settled.outcome == Outcome::NotSent).count();
    assert_eq!(not_sent, 3);
}

#[tokio::test]
async fn a_connection_whose_secret_cannot_be_had_sends_nothing() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    *world.connections.broken.lock() = true;
    assert_eq!(world.call("up.echo", json!({})).await.trouble(), "connection_unavailable");
    assert_eq!(world.ledger.settlement().outcome, Outcome::NotSent);
    assert!(upstream.seen.lock().messages.is_empty());
}

#[tokio::test]
async fn a_server_that_does_not_open_is_a_failure_before_anything_was_sent() {
    for (behaviour, code) in [
        (Behaviour { opening_status: Some(500), ..Behaviour::default() }, "upstream_status"),
        (Behaviour { opening_status: Some(307), ..Behaviour::default() }, "upstream_redirect"),
        (Behaviour { protocol: "1999-01-01", ..Behaviour::default() }, "upstream_garbage"),
    ] {
        let upstream = Upstream::behaving(behaviour).await;
        let world = World::new(&upstream.url).await;
        assert_eq!(world.call("up.echo", json!({})).await.trouble(), code);
        assert_eq!(world.ledger.settlement().outcome, Outcome::NotSent);
        assert!(upstream.calls().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_keeps_failing_is_left_alone_for_a_while() {
    let upstream = Upstream::new().await;
    let rest = Duration::from_millis(300);
    let impatient = gateway::Settings { upstream_faults: 2, upstream_rest: rest, ..settings() };
    let world = World::with(&upstream.url, impatient).await;
    // A tool that fails, and one that is refused, are no faults of the server's.
    for tool in ["up.fails", "up.forbidden", "up.rpc_error", "up.error_503", "up.echo"] {
        world.call(tool, json!({})).await;
    }
    for _ in 0..2 {
        assert_eq!(world.call("up.error_503", json!({})).await.trouble(), "upstream_status");
    }
    let sent = upstream.calls().len();
    let answered = world.call("up.echo", json!({})).await;
    assert_eq!(answered.trouble(), "upstream_resting");
    assert_eq!(answered.result()["structuredContent"]["error"]["retry_after"], 1);
    assert_eq!(world.ledger.settlements.lock().last().unwrap().outcome, Outcome::NotSent);
    assert_eq!(upstream.calls().len(), sent);
    // Others are none the wiser.
    assert_eq!(world.call("crm.greet", json!({})).await.result()["isError"], json!(null));
    tokio::time::sleep(rest).await;
    assert_eq!(world.call("up.echo", json!({})).await.result()["isError"], json!(null));
}

#[tokio::test]
async fn what_may_be_repeated_is_asked_once_more_and_nothing_else_is() {
    let upstream = Upstream::new().await;
    for (hints, sent) in [
        (json!({}), 1),
        (json!({"idempotentHint": false, "readOnlyHint": false}), 1),
        (json!({"idempotentHint": true}), 2),
        (json!({"readOnlyHint": true}), 2),
    ] {
        for tool in ["error_503", "breaks"] {
            let world = World::new(&upstream.url).await;
            world.change(|facts| {
                let fact = facts.tools.iter_mut().find(|fact| fact.name == tool).unwrap();
                fact.definition =
                    json!({"name": tool, "inputSchema": {"type": "object"}, "annotations": hints})
                        .to_string();
            });
            let before = upstream.calls().len();
            let answered = world.call(&format!("up.{tool}"), json!({})).await;
            assert_eq!(answered.result()["isError"], true);
            assert_eq!(upstream.calls().len() - before, sent, "{tool} {hints}");
            assert_eq!(world.ledger.settlement().outcome, Outcome::UpstreamError);
        }
    }
    // A refusal is an answer.
    let world = World::new(&upstream.url).await;
    world.change(|facts| {
        let fact = facts.tools.iter_mut().find(|fact| fact.name == "rpc_error").unwrap();
        fact.definition = json!({"name": "rpc_error", "inputSchema": {"type": "object"},
            "annotations": {"readOnlyHint": true}})
        .to_string();
    });
    let before = upstream.calls().len();
    assert_eq!(world.call("up.rpc_error", json!({})).await.trouble(), "upstream_error");
    assert_eq!(upstream.calls().len() - before, 1);
}

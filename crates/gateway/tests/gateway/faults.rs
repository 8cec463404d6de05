//! Upstream servers that send without end, or send what is no text: the call ends with a clear error, no more is read than is
//! taken, and nothing of it reaches the client.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gateway::Settings;
use model::call::Outcome;
use serde_json::json;

use crate::raw::{Answer, ENDLESS, Raw};
use crate::world::{World, eventually, settings};

const LIMIT: usize = 2 << 20;
/// What two kernels keep for a connection, and what is read of a piece that goes over the limit.
const SLACK: u64 = 24 << 20;
const SAYS: &str = "{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"";
const DONE: &str = "data: {\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{\"content\":[]}}\n\n";
const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

/// One that waits for long, so that no time ends what has no other end.
async fn world(raw: &Raw) -> World {
    let patience = Duration::from_secs(15);
    let settings = Settings { max_upstream_bytes: LIMIT, upstream_timeout: patience, ..settings() };
    World::with(&raw.url, settings).await
}

async fn was_cut_off(raw: &Raw, what: &str) {
    eventually(what, || raw.cut_off.load(Ordering::SeqCst) == 1).await;
    let sent = raw.sent.load(Ordering::SeqCst);
    assert!(sent < LIMIT as u64 + SLACK, "{what}: {sent} of {ENDLESS} bytes were taken");
}

#[tokio::test]
async fn what_has_no_end_is_read_up_to_the_limit_and_cut_off() {
    let message = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":1}}";
    let progress = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1}}";
    let announced = {
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nContent-Length: {ENDLESS}\r\n\r\n{SAYS}");
        Answer { begins: head.into_bytes(), goes_on: b"x".to_vec() }
    };
    let chunked = {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n");
        Answer { begins: head.into_bytes(), goes_on: b"8\r\n        \r\n".to_vec() }
    };
    let failing = {
        let head =
            format!("HTTP/1.1 503 Service Unavailable\r\nContent-Type: {JSON}\r\nConnection: close\r\n\r\n");
        Answer { begins: head.into_bytes(), goes_on: b" ".to_vec() }
    };
    let heads = Answer { begins: b"HTTP/1.1 200 OK\r\n".to_vec(), goes_on: b"X-More: more\r\n".to_vec() };
    for (what, answer, code) in [
        ("a body", Answer::endless(JSON, SAYS, "x"), "upstream_too_large"),
        ("a body that says how long it is", announced, "upstream_too_large"),
        ("a body in chunks", chunked, "upstream_too_large"),
        ("one line of an event", Answer::endless(EVENTS, "data: ", "x"), "upstream_too_large"),
        ("one event", Answer::endless(EVENTS, "", "data: x\n"), "upstream_too_large"),
        ("empty lines", Answer::endless(EVENTS, "", "\r\n"), "upstream_too_large"),
        ("comments", Answer::endless(EVENTS, "", ": nothing\n"), "upstream_too_large"),
        ("events without a message", Answer::endless(EVENTS, "", "id: 1\ndata:\n\n"), "upstream_too_large"),
        ("small events", Answer::endless(EVENTS, "", &format!("data: {message}\n\n")), "upstream_too_large"),
        ("progress", Answer::endless(EVENTS, "", &format!("data: {progress}\n\n")), "upstream_too_large"),
        ("an error", failing, "upstream_status"),
        ("headers", heads, "upstream_broke_off"),
    ] {
        let raw = Raw::answering(answer).await;
        let world = world(&raw).await;
        let answered = world.call("up.echo", json!({})).await;
        assert_eq!(answered.trouble(), code, "{what}");
        let settlement = world.ledger.settlement();
        assert_eq!(settlement.outcome, Outcome::UpstreamError, "{what}");
        if code == "upstream_too_large" {
            let sentence = settlement.failure.unwrap().sentence;
            assert!(sentence.ends_with("answered with more than 2097152 bytes"), "{what}: {sentence}");
        }
        was_cut_off(&raw, what).await;
        assert_eq!(raw.calls.load(Ordering::SeqCst), 1, "{what}: it is not asked for once more");
    }
}

#[tokio::test]
async fn a_client_that_is_told_how_it_goes_is_told_of_a_server_without_end_that_it_failed() {
    let progress = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1}}\n\n";
    let raw = Raw::answering(Answer::endless(EVENTS, "", progress)).await;
    let world = world(&raw).await;
    let session = world.open(json!({})).await;
    let params = json!({"name": "up.echo", "arguments": {}, "_meta": {"progressToken": "p"}});
    let mut events = world.stream(&session, "tools/call", params).await;
    let last = loop {
        let message = events.next().await;
        if message.get("method").is_none() {
            break message;
        }
        assert_eq!(message["params"]["progressToken"], "p");
    };
    assert_eq!(last["result"]["structuredContent"]["error"]["code"], "upstream_too_large");
    was_cut_off(&raw, "progress").await;
}

#[tokio::test]
async fn of_requests_without_end_a_few_are_answered() {
    let ping = "data: {\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n\n";
    let raw = Raw::answering(Answer::endless(EVENTS, "", ping)).await;
    let world = world(&raw).await;
    assert_eq!(world.call("up.echo", json!({})).await.trouble(), "upstream_too_large");
    was_cut_off(&raw, "requests").await;
    let answers = || raw.told.lock().iter().filter(|told| told["id"] == "p").count();
    eventually("those that are answered are", || answers() == 32).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(answers(), 32);
}

#[tokio::test]
async fn what_goes_on_without_end_after_the_answer_is_not_listened_to() {
    let raw = Raw::answering(Answer::endless(EVENTS, DONE, ": more\n")).await;
    let world = world(&raw).await;
    assert_eq!(world.call("up.echo", json!({})).await.result()["content"], json!([]));
    was_cut_off(&raw, "what comes after the answer").await;
    assert_eq!(world.ledger.settlement().outcome, Outcome::Succeeded);
}

/// With a byte in the middle that no UTF-8 has, or half of a character.
fn broken(text: &str, how: &[u8]) -> Vec<u8> {
    let (before, after) = text.split_once('~').unwrap();
    [before.as_bytes(), how, after.as_bytes()].concat()
}

#[tokio::test]
async fn what_is_no_text_is_no_message_and_nothing_of_it_is_passed_on() {
    let result = r#"{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"secret~more"}]}}"#;
    let key = r#"{"jsonrpc":"2.0","id":ID,"result":{"content":[],"secret~more":1}}"#;
    let error = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32000,"message":"secret~more"}}"#;
    let told = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1,\"message\":\"secret~more\"}}\n\n";
    // Not a character, one that is cut off, a surrogate, one that is written too long, one beyond the last.
    let ways: [&[u8]; 5] = [b"\xFF", b"\xE2\x82", b"\xED\xA0\x80", b"\xC0\xAF", b"\xF4\x90\x80\x80"];
    for how in ways {
        for (kind, text) in [
            (JSON, result.to_owned()),
            (JSON, key.to_owned()),
            (JSON, error.to_owned()),
            (EVENTS, format!("data: {result}\n\n{DONE}")),
            (EVENTS, format!("data: {key}\n\n{DONE}")),
            (EVENTS, format!("data: {error}\n\n{DONE}")),
            (EVENTS, format!("{told}{DONE}")),
        ] {
            let raw = Raw::answering(Answer::closing(kind, &broken(&text, how))).await;
            let world = world(&raw).await;
            let session = world.open(json!({})).await;
            let params = json!({"name": "up.echo", "arguments": {}, "_meta": {"progressToken": "p"}});
            let headers = [("mcp-protocol-version", "2025-11-25"), ("mcp-session-id", session.as_str())];
            let body =
                json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
            // That it is UTF-8 at all is seen where it is read.
            let answered = world.post(&headers, body).await;
            assert!(answered.text.contains("upstream_garbage"), "{how:?} {text}: {}", answered.text);
            for bad in ["secret", "more\"", "\u{FFFD}"] {
                assert!(!answered.text.contains(bad), "{how:?} {text}: {}", answered.text);
            }
            let settlement = world.ledger.settlement();
            assert_eq!(settlement.outcome, Outcome::UpstreamError);
            assert_eq!(settlement.result, None, "{how:?} {text}");
            let sentence = settlement.failure.unwrap().sentence;
            assert!(sentence.ends_with("a message is not JSON-RPC 2.0"), "{sentence}");
        }
    }
}

#[tokio::test]
async fn what_is_no_text_beside_a_message_does_no_harm() {
    for beside in ["event: ~\ndata: x\n\n", "id: ~\n", ": ~\n", "~: x\n", "retry: ~\n"] {
        let text = format!("{beside}\n{DONE}");
        let raw = Raw::answering(Answer::closing(EVENTS, &broken(&text, b"\xFF"))).await;
        let world = world(&raw).await;
        assert_eq!(world.call("up.echo", json!({})).await.result(), json!({"content": []}), "{beside}");
    }
}

#[tokio::test]
async fn a_character_may_arrive_in_two_pieces() {
    let text = "€".repeat(200_000);
    let result =
        format!("data: {{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{{\"content\":[],\"x\":\"{text}\"}}}}\n\n");
    let raw = Raw::answering(Answer::closing(EVENTS, result.as_bytes())).await;
    let world = world(&raw).await;
    assert_eq!(world.call("up.echo", json!({})).await.result()["x"], text);
}

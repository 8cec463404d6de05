//! Bad input, in each era: a clear error of the protocol, recorded, and nothing reached.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::upstream::Upstream;
use crate::world::{World, id, key};

fn message(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

#[tokio::test]
async fn bodies_that_are_no_message_in_each_era() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    let deep = format!("{}{}", "[".repeat(70), "]".repeat(70));
    let deep = format!(r#"{{"name":"up.echo","arguments":{{"a":{deep}}}}}"#);
    let cases: Vec<(String, u16, i64)> = vec![
        ("".into(), 400, -32700),
        ("{".into(), 400, -32700),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} trailing".into(), 400, -32700),
        ("\u{feff}{}".into(), 400, -32700),
        ("null".into(), 400, -32600),
        ("\"tools/call\"".into(), 400, -32600),
        ("{}".into(), 400, -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#.into(), 400, -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#.into(), 400, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#.into(), 400, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}"#.into(), 400, -32600),
        (message("ping", "[]"), 400, -32602),
        (message("ping", "7"), 400, -32602),
        (message("tools/call", r#"{"name":"up.echo","name":"up.slow"}"#), 400, -32602),
        (message("tools/call", r#"{"name":"up.echo","_meta":7}"#), 400, -32602),
        (message("tools/call", "{}"), 200, -32602),
        (message("tools/call", r#"{"name":7}"#), 200, -32602),
        (message("tools/call", r#"{"name":"up.echo","arguments":[]}"#), 200, -32602),
        (message("tools/call", r#"{"name":"up.echo","arguments":null}"#), 200, -32602),
        (message("tools/call", r#"{"name":"up.echo","arguments":"{}"}"#), 200, -32602),
        (message("tools/call", r#"{"name":"up.echo","arguments":{"a":1,"a":2}}"#), 200, -32602),
        (message("tools/call", r#"{"name":"up.echo","arguments":{"a":1,"\u0061":2}}"#), 200, -32602),
        (message("tools/call", r#"{"name":"up.echo","arguments":{"a":"\ud800"}}"#), 200, -32602),
        (message("tools/call", &deep), 200, -32602),
    ];
    for (body, status, code) in &cases {
        let answered = world.post(&[("mcp-protocol-version", "2025-06-18")], body.clone()).await;
        assert_eq!((answered.status.as_u16(), answered.rpc_error()), (*status, *code), "{body}");
        assert!(!answered.json()["error"]["message"].as_str().unwrap().is_empty());
    }
    assert_eq!(world.ledger.rejections.lock().len(), cases.len(), "each is recorded");
    assert_eq!(world.post(&[], &b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}"[..]).await.status, 400);

    // The same contents, stateless.
    for (params, headers, status, code) in [
        (format!("{{{META}}}"), &[][..], 400, -32020),
        (format!("{{{META}}}"), &[("mcp-method", "tools/list")], 400, -32020),
        (format!(r#"{{{META},"name":"up.echo"}}"#), &[("mcp-method", "tools/call")], 400, -32020),
        (
            format!(r#"{{{META},"name":"up.echo"}}"#),
            &[("mcp-method", "tools/call"), ("mcp-name", "up.slow")],
            400,
            -32020,
        ),
        ("{}".to_owned(), &[("mcp-method", "tools/call")], 400, -32602),
        (format!("{{{META}}}"), &[("mcp-method", "tools/call")], 200, -32602),
        (
            format!(r#"{{{META},"name":"up.echo","arguments":{{"a":1,"a":2}}}}"#),
            &[("mcp-method", "tools/call"), ("mcp-name", "up.echo")],
            200,
            -32602,
        ),
    ] {
        let mut all = vec![("mcp-protocol-version", "2026-07-28")];
        all.extend_from_slice(headers);
        let answered = world.post(&all, message("tools/call", &params)).await;
        assert_eq!((answered.status.as_u16(), answered.rpc_error()), (status, code), "{params} {headers:?}");
        assert_eq!(answered.json()["id"], 1);
    }

    let unsupported = world.post(&[("mcp-protocol-version", "1999-01-01")], message("ping", "{}")).await;
    assert_eq!((unsupported.status.as_u16(), unsupported.rpc_error()), (400, -32022));
    assert_eq!(unsupported.json()["error"]["data"]["requested"], "1999-01-01");
    let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(world.post(&[("mcp-protocol-version", "1999-01-01")], told).await.status, 400);

    assert!(world.ledger.entries.lock().is_empty());
    assert!(upstream.seen.lock().messages.is_empty(), "nothing reached the upstream server");
}

#[tokio::test]
async fn requests_that_are_turned_away_at_the_door() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    let bearer = format!("Bearer {}", key(1));
    let body = message("ping", "{}");
    let post = async |headers: &[(&str, &str)], body: String| {
        world.send(Method::POST, &world.url, headers, body).await
    };
    let typed = [("authorization", bearer.as_str()), ("content-type", "application/json; charset=utf-8")];
    assert_eq!(post(&typed, body.clone()).await.status, 200);

    let answered = post(&[("content-type", "application/json")], body.clone()).await;
    assert_eq!(answered.status, 401);
    assert_eq!(answered.headers["www-authenticate"], r#"Bearer realm="WorkingAgents""#);
    assert_eq!(post(&[("authorization", &bearer)], body.clone()).await.status, 415);
    assert_eq!(
        post(&[("authorization", &bearer), ("content-type", "text/plain")], body.clone()).await.status,
        415
    );
    let picky = [typed[0], typed[1], ("accept", "text/html")];
    assert_eq!(post(&picky, body.clone()).await.status, 406);
    assert_eq!(post(&typed, " ".repeat((4 << 20) + 1)).await.status, 413);
    assert_eq!(
        world.ledger.rejected(),
        [
            ("no_key", 401),
            ("wrong_content_type", 415),
            ("wrong_content_type", 415),
            ("not_acceptable", 406),
            ("body_too_large", 413)
        ]
    );

    let foreign = [typed[0], typed[1], ("origin", "https://evil.example")];
    assert_eq!(post(&foreign, body.clone()).await.status, 403);
    assert_eq!(world.ledger.rejected().pop(), Some(("foreign_origin", 403)));
    assert_eq!(world.send(Method::GET, &world.url, &foreign, "").await.status, 403);
    let allowed = [typed[0], typed[1], ("origin", "https://inspector.example.com")];
    assert_eq!(post(&allowed, body.clone()).await.status, 200);
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_404_with_or_without_a_key() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    let other = world.url.replace(&id::<model::McpId>(2).to_string(), &id::<model::McpId>(3).to_string());
    let no_id = world.url.replace("mcp_", "ten_");
    let bearer = format!("Bearer {}", key(1));
    for url in [&other, &no_id] {
        for headers in [&[("authorization", bearer.as_str())][..], &[]] {
            assert_eq!(world.send(Method::POST, url, headers, "{}").await.status, 404);
        }
    }
    assert!(world.ledger.rejections.lock().is_empty(), "nobody's endpoint, nobody's record");
}

#[tokio::test]
async fn a_key_of_nobody_here_is_looked_for_once_and_refused_in_the_same_words() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    let mut answers = Vec::new();
    // Well formed and unknown here, as another organization's is; cut short; mistyped; something else altogether.
    let (unknown, known) = (key(77), key(1));
    let mistyped = format!("{}{}", &known[..51], if known.ends_with('0') { '1' } else { '0' });
    for (key, looked_for) in
        [(unknown.as_str(), 1), (&known[..40], 0), (mistyped.as_str(), 0), ("eyJhbGciOi", 0)]
    {
        let before = world.directories.asked_for_newer.load(Ordering::SeqCst);
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answered = world
            .send(Method::POST, &world.url, &headers, message("tools/call", r#"{"name":"up.echo"}"#))
            .await;
        assert_eq!(answered.status, 401, "{key}");
        assert_eq!(world.directories.asked_for_newer.load(Ordering::SeqCst) - before, looked_for, "{key}");
        answers.push((answered.headers["www-authenticate"].clone(), answered.text));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "nothing is told of which it was: {answers:?}");
    assert!(answers[0].1.contains("-32600"));
    assert_eq!(world.ledger.rejections.lock().len(), 4);
    assert!(world.ledger.entries.lock().is_empty());
}

#[tokio::test]
async fn a_key_that_is_newer_than_the_snapshot_is_known_at_the_first_request() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    world.forget(|facts| facts.credentials.clear());
    assert_eq!(world.call("crm.greet", json!({})).await.status, 200);
    assert_eq!(world.directories.asked_for_newer.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    let address = world.url.split('/').nth(2).unwrap();
    let path = format!("/{}", world.url.splitn(4, '/').nth(3).unwrap());
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\n\r\n{{\"jso",
        key(1)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer[..read.unwrap().unwrap()]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(world.ledger.rejected(), [("slow_body", 408)]);
}

#[tokio::test]
async fn without_a_directory_nothing_is_decided() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    world.directories.unavailable.store(true, Ordering::SeqCst);
    let answered = world.call("crm.greet", json!({})).await;
    assert_eq!((answered.status.as_u16(), answered.rpc_error()), (503, -32603));
    assert_eq!(answered.headers["retry-after"], "1");
}

//! Messages that are nearly right, thousands of them: by clients, and by upstream servers. Whatever comes is answered, on record, and
//! takes nothing down. `PROPTEST_CASES` says how many; the default is what the normal run can afford.

use std::ops::Range;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use gateway::Settings;
use parking_lot::Mutex;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::upstream::Upstream;
use crate::world::{World, settings};

/// What is done to a text, at a place that is a share of its length.
#[derive(Clone, Debug)]
enum Edit {
    Put(f64, Vec<u8>),
    Cut(f64, usize),
    /// What stands in one place, once more in another.
    Repeat(f64, usize, f64),
    End(f64),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = || 0.0..1.0_f64;
    let words: Vec<&[u8]> = vec![
        b"\"",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"null",
        b"-1",
        b"1e999",
        b"\n",
        b"\r\n\r\n",
        b"\ndata: ",
        b"\nid: 7\n\n",
        b"\\u0000",
        b"\\ud800",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\0",
        b"\"jsonrpc\":\"1.0\",",
        b"\"_meta\":{},",
        b"\"id\":18446744073709551616,",
        b"=?base64?",
        b"99999999999999999999",
        b"\"result\":{}",
        b"\"error\":{\"code\":1.5}",
    ];
    let word = prop::sample::select(words).prop_map(<[u8]>::to_vec);
    let bytes = prop_oneof![word, prop::collection::vec(any::<u8>(), 1..5)];
    prop_oneof![
        4 => (at(), bytes).prop_map(|(at, bytes)| Edit::Put(at, bytes)),
        3 => (at(), 1..12_usize).prop_map(|(at, length)| Edit::Cut(at, length)),
        2 => (at(), 1..40_usize, at()).prop_map(|(from, length, to)| Edit::Repeat(from, length, to)),
        1 => at().prop_map(Edit::End),
    ]
}

fn edited(text: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut text = text.to_vec();
    for edit in edits {
        let length = text.len();
        let place = |share: f64| ((length as f64 * share) as usize).min(length);
        let span = |from: f64, size: usize| -> Range<usize> { place(from)..(place(from) + size).min(length) };
        match edit {
            Edit::Put(at, bytes) => drop(text.splice(place(*at)..place(*at), bytes.iter().copied())),
            Edit::Cut(at, size) => drop(text.drain(span(*at, *size))),
            Edit::Repeat(from, size, to) => {
                let again = text[span(*from, *size)].to_vec();
                text.splice(place(*to)..place(*to), again);
            }
            Edit::End(at) => text.truncate(place(*at)),
        }
    }
    text
}

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"up.echo","arguments":{"a":{"b":[1,2.50,null,"\u00e9"]}}}}"#;
const STATELESS: &str = r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"up.echo","arguments":{"a":1},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}},"io.modelcontextprotocol/clientInfo":{"name":"a","version":"1"},"progressToken":7}}}"#;
const ROUND: &str = r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"up.echo","arguments":{"a":1},"inputResponses":{"q":{"action":"accept"}},"requestState":"AAAA","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
const OPENING: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"sampling":{}},"clientInfo":{"name":"a","version":"1"}}}"#;
const BATCH: &str = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/initialized"},{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"cursor":"x"}}]"#;
const READ: &str = r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"up+notes://all"}}"#;
const COMPLETE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"up.p"},"argument":{"name":"city","value":"pa"}}}"#;

/// What clients send that is right, and under which revision.
const SENT: [(&str, &str); 8] = [
    (CALL, "2025-06-18"),
    (CALL, "2025-11-25"),
    (STATELESS, "2026-07-28"),
    (ROUND, "2026-07-28"),
    (OPENING, "2025-11-25"),
    (BATCH, "2025-03-26"),
    (READ, "2025-11-25"),
    (COMPLETE, "2025-11-25"),
];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn runner() -> TestRunner {
    TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })
}

#[test]
fn whatever_a_client_sends_is_answered_and_takes_nothing_down() {
    let runtime = runtime();
    let (_upstream, world) = runtime.block_on(async {
        let upstream = Upstream::new().await;
        let world = World::new(&upstream.url).await;
        (upstream, world)
    });
    let header = prop::collection::vec(any::<u8>(), 0..12);
    let headers = prop::collection::vec((0..4_usize, prop::option::weighted(0.7, header)), 0..3);
    let sent = (prop::sample::select(SENT.to_vec()), prop::collection::vec(edit(), 0..5), headers);
    let done = runner().run(&sent, |((body, revision), edits, headers)| {
        let body = edited(body.as_bytes(), &edits);
        let mut names = HeaderMap::new();
        names.insert("mcp-protocol-version", HeaderValue::from_static(revision));
        if revision == "2026-07-28" {
            names.insert("mcp-method", HeaderValue::from_static("tools/call"));
            names.insert("mcp-name", HeaderValue::from_static("up.echo"));
        }
        for (which, value) in headers {
            let name = ["mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id"][which];
            match value.map(|value| HeaderValue::from_bytes(&value)) {
                Some(Ok(value)) => drop(names.insert(name, value)),
                Some(Err(_)) => (),
                None => drop(names.remove(name)),
            }
        }
        let answered = runtime.block_on(world.post_raw(&names, body));
        prop_assert!(answered.status.as_u16() < 500, "{}: {}", answered.status, answered.text);
        // Nothing, or messages of the protocol.
        let json = answered.text.strip_prefix("event: message\ndata: ").unwrap_or(&answered.text);
        let json = json.split("\n\n").next().unwrap_or_default();
        if !json.is_empty() {
            let message: Value = serde_json::from_str(json)
                .map_err(|wrong| TestCaseError::fail(format!("{wrong}: {json}")))?;
            let first = message.get(0).unwrap_or(&message);
            prop_assert_eq!(&first["jsonrpc"], "2.0");
        }
        Ok(())
    });
    done.unwrap();
    world.ledger.assert_balanced();
    assert_eq!(runtime.block_on(world.call("up.echo", serde_json::json!({}))).status, 200);
}

/// What is passed on is JSON; that a number is too large for anybody, or an escape half of a character, is for whoever reads it.
#[derive(Deserialize)]
struct Reply<'b> {
    #[serde(borrow)]
    result: Option<&'b RawValue>,
    #[serde(borrow)]
    error: Option<&'b RawValue>,
}

/// What a server answers a call with: kind, status and bytes.
type Answer = (&'static str, u16, Vec<u8>);

async fn receive(State(answer): State<Arc<Mutex<Answer>>>, body: Bytes) -> Response {
    let message: Value = serde_json::from_slice(&body).unwrap();
    if message["method"] == "initialize" {
        let result = serde_json::json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "odd", "version": "1"}});
        return axum::Json(serde_json::json!({"jsonrpc": "2.0", "id": message["id"], "result": result}))
            .into_response();
    }
    if message["method"] != "tools/call" {
        return StatusCode::ACCEPTED.into_response();
    }
    let (kind, status, bytes) = answer.lock().clone();
    let id = message["id"].to_string();
    let bytes = String::from_utf8(bytes.clone()).map_or(bytes, |text| text.replace("ID", &id).into_bytes());
    (StatusCode::from_u16(status).unwrap(), [("content-type", kind)], bytes).into_response()
}

const RESULT: &str = r#"{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"h\u00e9llo"}],"structuredContent":{"a":1.50},"isError":false}}"#;
const EVENTS: &str = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":1}}\n\n: a comment\nid: 3\nretry: 5\ndata: {\"jsonrpc\":\"2.0\",\"id\":ID,\ndata: \"result\":{\"content\":[]}}\n\n";
const ERROR: &str = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32000,"message":"no","data":{"a":[1]}}}"#;

#[test]
fn whatever_a_server_answers_the_call_ends_and_is_settled() {
    let runtime = runtime();
    let answer = Arc::new(Mutex::new(("", 200, Vec::new())));
    let world = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let router = Router::new().route("/mcp", post(receive)).with_state(answer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let patience = std::time::Duration::from_millis(200);
        World::with(&url, Settings { upstream_timeout: patience, ..settings() }).await
    });
    let kinds = ["application/json", "text/event-stream", "text/event-stream; charset=utf-8", "text/html"];
    let texts = prop::sample::select(vec![RESULT, EVENTS, ERROR]);
    let status = prop_oneof![8 => Just(200), 1 => prop::sample::select(vec![202_u16, 204, 307, 400, 401, 403, 404, 429, 500, 503])];
    let answered = (prop::sample::select(kinds.to_vec()), status, texts, prop::collection::vec(edit(), 0..5));
    let done = runner().run(&answered, |(kind, status, text, edits)| {
        *answer.lock() = (kind, status, edited(text.as_bytes(), &edits));
        let made = world.ledger.settlements.lock().len();
        let answered = runtime.block_on(world.call("up.echo", serde_json::json!({})));
        prop_assert_eq!(answered.status.as_u16(), 200, "{}", answered.text);
        let message = answered.text.rsplit("data: ").next().unwrap_or_default();
        let message: Reply<'_> = serde_json::from_str(message)
            .map_err(|wrong| TestCaseError::fail(format!("{wrong}: {message}")))?;
        prop_assert!(message.result.is_some() != message.error.is_some(), "{}", answered.text);
        prop_assert!(world.ledger.settlements.lock().len() > made, "it is settled");
        Ok(())
    });
    done.unwrap();
    world.ledger.assert_balanced();
}

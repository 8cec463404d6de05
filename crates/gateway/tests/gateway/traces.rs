//! A client's trace goes on to the server, and calls are told to whoever gathers traces.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::upstream::Upstream;
use crate::world::World;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn told(upstream: &Upstream) -> Value {
    upstream.calls().pop().unwrap()["params"]["_meta"]["traceparent"].clone()
}

#[tokio::test]
async fn a_trace_that_nobody_gathers_here_goes_on_as_it_is() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    let params =
        json!({"name": "up.echo", "arguments": {}, "_meta": {"traceparent": PARENT, "tracestate": "a=b"}});
    world.ask("tools/call", params).await.result();
    assert_eq!(told(&upstream), PARENT);
    assert!(
        upstream.calls()[0]["params"]["_meta"]["tracestate"].is_null(),
        "it would leave without being on record"
    );
    for none in [json!("00-odd"), json!(7), json!(null)] {
        let params = json!({"name": "up.echo", "arguments": {}, "_meta": {"traceparent": none}});
        world.ask("tools/call", params).await.result();
        assert_eq!(told(&upstream), Value::Null);
    }
    // The header is of the HTTP request: what the message says is closer.
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"up.echo","arguments":{}}}"#;
    world.post(&[("mcp-protocol-version", "2025-11-25"), ("traceparent", PARENT)], body).await.result();
    assert_eq!(told(&upstream), PARENT);
    assert!(world.traces.ended.lock().is_empty());
}

#[tokio::test]
async fn a_trace_that_is_gathered_tells_of_the_call_and_of_its_server() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    world.traces.is_on.store(true, Ordering::Relaxed);
    let params = json!({"name": "up.echo", "arguments": {}, "_meta": {"traceparent": PARENT}});
    world.ask("tools/call", params).await.result();
    let call = world.traces.ended.lock().pop().unwrap();
    assert_eq!(hex::encode(call.part.trace), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(call.part.parent.map(hex::encode).as_deref(), Some("00f067aa0ba902b7"));
    assert_eq!((call.method, &*call.target, call.revision), ("tools/call", "up.echo", Some("2025-11-25")));
    assert_eq!((call.verdict, call.error, call.call), ("permit", None, world.ledger.settlement().call));
    let (after, took) = call.upstream.unwrap();
    assert!(after + took <= call.took);
    let below = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", hex::encode(call.part.below));
    assert_eq!(told(&upstream), json!(below));

    // A refusal is part of it too; nothing was sent.
    let params = json!({"name": "up.nothing", "arguments": {}, "_meta": {"traceparent": PARENT}});
    world.ask("tools/call", params).await;
    let refused = world.traces.ended.lock().pop().unwrap();
    assert_eq!(
        (refused.verdict, refused.error.as_deref(), refused.upstream),
        ("deny", Some("unknown_tool"), None)
    );

    // A trace that is not among those, and one whose client does not want it told.
    for other in [PARENT.replace("4bf9", "4af9"), PARENT.replace("b7-01", "b7-00")] {
        let params = json!({"name": "up.echo", "arguments": {}, "_meta": {"traceparent": other}});
        world.ask("tools/call", params).await.result();
        assert_eq!(told(&upstream), other);
        assert!(world.traces.ended.lock().is_empty(), "{other}");
    }
}

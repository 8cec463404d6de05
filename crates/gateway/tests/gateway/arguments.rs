//! Arguments are checked against the schema that was approved, before anything runs.

use model::call::{ReasonCode, Verdict};
use policy::Facts;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::upstream::Upstream;
use crate::world::World;

/// Gives a tool an input schema.
fn takes(facts: &mut Facts, name: &str, schema: &Value) {
    let tool = facts.tools.iter_mut().find(|tool| tool.name == name).unwrap();
    tool.definition = json!({"name": name, "inputSchema": schema}).to_string();
    tool.definition_hash = Sha256::digest(&tool.definition).into();
}

fn payment() -> Value {
    json!({"type": "object", "properties": {"amount": {"type": "integer"}, "note": {"type": "string"}},
        "required": ["amount"], "additionalProperties": false})
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_refused_and_on_record_and_reach_nobody() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    world.change(|facts| takes(facts, "echo", &payment()));
    let answered = world.call("up.echo", json!({"amount": "a secret"})).await;
    assert_eq!(answered.trouble(), "invalid_arguments");
    let entry = world.ledger.entry();
    let reason = entry.reason.unwrap();
    assert_eq!((entry.verdict, reason.code), (Verdict::Deny, ReasonCode::InvalidArguments));
    assert!(
        reason.sentence.contains("`up.echo` takes: /amount: value is not of type"),
        "{}",
        reason.sentence
    );
    assert!(!reason.sentence.contains("secret"), "{}", reason.sentence);
    assert!(answered.text.contains("/amount"), "{}", answered.text);
    // It was not even asked who it is.
    assert_eq!(upstream.seen.lock().bodies.len(), 0);

    let answered = world.call("up.echo", json!({"amount": 3})).await;
    assert_eq!(answered.result()["structuredContent"], json!({"amount": 3}));
    // Arguments that were left out are none.
    assert_eq!(world.ask("tools/call", json!({"name": "up.echo"})).await.trouble(), "invalid_arguments");
    // What is built in is no exception.
    world.change(|facts| takes(facts, "greet", &payment()));
    assert_eq!(world.call("crm.greet", json!({"note": "x"})).await.trouble(), "invalid_arguments");
}

#[tokio::test]
async fn a_changed_schema_counts_from_the_next_call_on() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    world.change(|facts| takes(facts, "echo", &payment()));
    assert_eq!(world.call("up.echo", json!({"amount": 3})).await.status, 200);
    world.change(|facts| takes(facts, "echo", &json!({"type": "object", "required": ["currency"]})));
    assert_eq!(world.call("up.echo", json!({"amount": 3})).await.trouble(), "invalid_arguments");
}

#[tokio::test]
async fn who_may_not_call_a_tool_is_not_told_what_it_takes() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    world.change(|facts| takes(facts, "echo", &payment()));
    assert_eq!(world.call_with(2, "up.echo").await.trouble(), "missing_key");
}

#[tokio::test]
async fn large_arguments_are_checked_aside_and_a_schema_that_is_none_stops_nobody() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    world.change(|facts| takes(facts, "echo", &payment()));
    let note = "n".repeat(100_000);
    let answered = world.call("up.echo", json!({"amount": 3, "note": note})).await;
    assert_eq!(answered.result()["structuredContent"]["note"], note);
    let answered = world.call("up.echo", json!({"amount": "3", "note": note})).await;
    assert_eq!(answered.trouble(), "invalid_arguments");

    world.change(|facts| takes(facts, "echo", &json!({"$ref": "https://example.com/schema.json"})));
    assert_eq!(
        world.call("up.echo", json!({"any": 1})).await.result()["structuredContent"],
        json!({"any": 1})
    );
}

//! Servers of 2026-07-28 that ask for input, and clients of the `initialize` era, which are asked on the answer to their own
//! request: each round is a call of its own.

use std::time::Duration;

use gateway::Settings;
use http::StatusCode;
use model::call::{Outcome, Verdict};
use model::people::Standing;
use serde_json::{Value, json};

use crate::asking::answer;
use crate::modern_upstream::add_features;
use crate::rounds::question;
use crate::stateless::{Quirks, Stateless};
use crate::world::{Events, World, price, settings};

fn answered() -> Value {
    json!({"action": "accept", "content": {"name": "Ada", "n": 1.5}})
}

fn asks(requests: Value) -> Value {
    json!({"inputRequests": requests, "requestState": "count"})
}

async fn world(rounds: Vec<Value>) -> (World, Stateless) {
    let upstream = Stateless::with(Quirks { rounds, ..Quirks::default() }).await;
    (World::new(&upstream.url).await, upstream)
}

/// Calls in a session of a client with these capabilities.
async fn call(world: &World, able: Value) -> Events {
    let session = world.open(able).await;
    let params = json!({"name": "up.input_required", "arguments": {"a": 1}});
    world.stream(&session, "tools/call", params).await
}

fn trouble(last: &Value) -> &str {
    last["result"]["structuredContent"]["error"]["code"].as_str().unwrap_or_else(|| panic!("{last}"))
}

#[tokio::test]
async fn a_client_that_is_asked_on_its_own_request_makes_a_call_of_each_round() {
    let (world, upstream) =
        world(vec![asks(json!({"user": question()})), asks(json!({"folders": {"method": "roots/list"}}))])
            .await;
    let mut events = call(&world, json!({"elicitation": {}, "roots": {}})).await;
    let asked = events.next().await;
    assert_eq!(asked["method"], "elicitation/create");
    let mut params = question()["params"].clone();
    // What it is without a mode, revisions without modes know as well.
    params.as_object_mut().unwrap().remove("mode");
    assert_eq!(asked["params"], params);
    // The first call is over while the person thinks.
    assert_eq!(world.ledger.settlement().outcome, Outcome::Succeeded);
    assert_eq!(answer(&world, 1, &asked["id"], ("result", answered())).await, StatusCode::ACCEPTED);
    let asked = events.next().await;
    assert_eq!(asked["method"], "roots/list");
    let roots = json!({"roots": [{"uri": "file:///a"}]});
    answer(&world, 1, &asked["id"], ("result", roots.clone())).await;
    let last = events.next().await;
    assert_eq!(last["result"]["structuredContent"], json!({ "folders": roots }), "{last}");

    let calls = upstream.with_method("tools/call");
    assert_eq!(calls.len(), 3);
    for call in &calls {
        let declared = &call["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
        assert_eq!(*declared, json!({"elicitation": {"form": {}}, "roots": {}}));
        assert_eq!(call["params"]["arguments"], json!({"a": 1}));
    }
    assert_eq!(
        (&calls[1]["params"]["requestState"], &calls[1]["params"]["inputResponses"]),
        (&json!("round 1"), &json!({"user": answered()}))
    );
    assert_eq!(calls[2]["params"]["requestState"], "round 2");

    world.ledger.assert_balanced();
    let entries = world.ledger.entries.lock().clone();
    let recorded: Vec<Value> =
        entries.iter().map(|entry| serde_json::from_slice(&entry.arguments).unwrap()).collect();
    let first = entries[0].id;
    assert_eq!(
        recorded,
        [
            json!({"a": 1}),
            json!([{"a": 1}, {"round": 2, "first_call": first, "inputResponses": {"user": answered()}}]),
            json!([{"a": 1}, {"round": 3, "first_call": first, "inputResponses": {"folders": roots}}]),
        ]
    );
    for settled in world.ledger.settlements.lock().iter() {
        assert_eq!(
            (settled.outcome, settled.charge, &settled.exchange),
            (Outcome::Succeeded, price(), &None)
        );
    }
}

#[tokio::test]
async fn several_questions_are_asked_at_once_and_an_address_gets_a_name() {
    let url = json!({"method": "elicitation/create",
        "params": {"mode": "url", "message": "Go", "url": "https://a.example"}});
    let (world, upstream) = world(vec![asks(json!({"a": question(), "b": url}))]).await;
    let mut events = call(&world, json!({"elicitation": {"form": {}, "url": {}}})).await;
    let (one, two) = (events.next().await, events.next().await);
    assert_eq!(two["params"]["mode"], "url");
    assert!(two["params"]["elicitationId"].as_str().is_some_and(|id| !id.is_empty()), "{two}");
    answer(&world, 1, &two["id"], ("result", json!({"action": "accept"}))).await;
    answer(&world, 1, &one["id"], ("result", json!({"action": "decline"}))).await;
    let both = json!({"a": {"action": "decline"}, "b": {"action": "accept"}});
    assert_eq!(events.next().await["result"]["structuredContent"], both);
    assert_eq!(upstream.with_method("tools/call").len(), 2);
}

#[tokio::test]
async fn a_server_that_only_wants_to_be_asked_again_is() {
    let (world, upstream) = world(vec![json!({"requestState": "count"})]).await;
    let mut events = call(&world, json!({"roots": {}})).await;
    assert_eq!(events.next().await["result"]["resultType"], "complete");
    let again = upstream.with_method("tools/call").pop().unwrap();
    assert_eq!(again["params"]["requestState"], "round 1");
    assert_eq!(again["params"].get("inputResponses"), None);
}

#[tokio::test]
async fn nothing_is_asked_that_the_client_did_not_declare() {
    let tools =
        json!({"method": "sampling/createMessage", "params": {"tools": [], "messages": [], "maxTokens": 1}});
    for (asked, able, missing) in [
        (question(), json!({"roots": {}}), "elicitation.form"),
        (question(), json!({"elicitation": {"url": {}}}), "elicitation.form"),
        (tools, json!({"sampling": {}}), "sampling.tools"),
    ] {
        let (world, upstream) = world(vec![asks(json!({"a": asked}))]).await;
        let last = call(&world, able).await.next().await;
        assert_eq!(trouble(&last), "client_lacks_capability");
        assert!(last.to_string().contains(missing), "{last}");
        assert_eq!(upstream.with_method("tools/call").len(), 1);
        assert_eq!(world.ledger.settlement().outcome, Outcome::UpstreamError);
    }
}

#[tokio::test]
async fn a_client_that_does_not_answer_ends_it() {
    let upstream =
        Stateless::with(Quirks { rounds: vec![asks(json!({"a": question()}))], ..Quirks::default() }).await;
    let settings = Settings { input_timeout: Duration::from_millis(300), ..settings() };
    let world = World::with(&upstream.url, settings).await;
    for said in [
        None,
        Some((("error", json!({"code": -1, "message": "no"})), "input_not_given")),
        Some((("result", json!({"action": "perhaps"})), "malformed_input")),
        Some((("result", json!({"content": {}})), "malformed_input")),
        Some((("result", json!("yes")), "malformed_input")),
    ] {
        let mut events = call(&world, json!({"elicitation": {}})).await;
        let asked = events.next().await;
        let code = match said {
            None => "input_not_given",
            Some((said, code)) => {
                answer(&world, 1, &asked["id"], said).await;
                code
            }
        };
        assert_eq!(trouble(&events.next().await), code);
    }
    // A member that stands there twice would be read in two ways.
    let mut events = call(&world, json!({"elicitation": {}})).await;
    let asked = events.next().await;
    let twice = format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{{"action":"accept","content":{{"a":1,"a":2}}}}}}"#,
        asked["id"]
    );
    world.post(&[], twice).await;
    assert_eq!(trouble(&events.next().await), "malformed_input");
    assert_eq!(upstream.with_method("tools/call").len(), 6, "each was the first round of its call");
    world.ledger.assert_balanced();
}

#[tokio::test]
async fn a_right_that_is_taken_away_while_a_person_thinks_denies_the_next_round() {
    let (world, upstream) = world(vec![asks(json!({"a": question()}))]).await;
    let mut events = call(&world, json!({"elicitation": {}})).await;
    let asked = events.next().await;
    world.change(|facts| facts.grants.clear());
    answer(&world, 1, &asked["id"], ("result", answered())).await;
    assert_eq!(trouble(&events.next().await), "missing_key");
    assert_eq!(upstream.with_method("tools/call").len(), 1);
    let verdicts: Vec<Verdict> = world.ledger.entries.lock().iter().map(|entry| entry.verdict).collect();
    assert_eq!(verdicts, [Verdict::Permit, Verdict::Deny]);
    world.ledger.assert_balanced();
}

#[tokio::test]
async fn an_agent_that_is_stopped_or_a_tool_that_changes_while_a_person_thinks_ends_it() {
    let (world, upstream) = world(vec![asks(json!({"a": question()}))]).await;
    let mut events = call(&world, json!({"elicitation": {}})).await;
    let asked = events.next().await;
    world.change(|facts| {
        for tool in facts.tools.iter_mut().filter(|tool| tool.name == "input_required") {
            tool.definition_hash = [8; 32];
        }
    });
    answer(&world, 1, &asked["id"], ("result", answered())).await;
    let last = events.next().await;
    assert_eq!(last["error"]["data"]["code"], "bad_request_state", "{last}");

    let mut events = call(&world, json!({"elicitation": {}})).await;
    let asked = events.next().await;
    world.change(|facts| facts.agents.iter_mut().for_each(|agent| agent.standing = Standing::Suspended));
    answer(&world, 1, &asked["id"], ("result", answered())).await;
    let last = events.next().await;
    assert_ne!(last.get("error"), None, "{last}");
    assert_eq!(upstream.with_method("tools/call").len(), 2, "the first rounds alone");
    world.ledger.assert_balanced();
}

#[tokio::test]
async fn a_server_that_never_stops_asking_is_stopped() {
    let (world, upstream) = world(vec![asks(json!({"a": question()})); 20]).await;
    let mut events = call(&world, json!({"elicitation": {}})).await;
    for _ in 1..10 {
        let asked = events.next().await;
        answer(&world, 1, &asked["id"], ("result", answered())).await;
    }
    assert_eq!(trouble(&events.next().await), "too_many_rounds");
    assert_eq!(upstream.with_method("tools/call").len(), 10);
    world.ledger.assert_balanced();
}

#[tokio::test]
async fn prompts_and_resources_ask_as_well_and_fail_in_their_own_way() {
    let (world, upstream) = world(vec![asks(json!({"a": question()}))]).await;
    add_features(&world, &upstream).await;
    let session = world.open(json!({"elicitation": {}})).await;
    for (method, params, member) in [
        ("prompts/get", json!({"name": "up.travel", "arguments": {"city": "Paris"}}), "messages"),
        ("resources/read", json!({"uri": "up+test://notes"}), "contents"),
    ] {
        let mut events = world.stream(&session, method, params.clone()).await;
        let asked = events.next().await;
        answer(&world, 1, &asked["id"], ("result", answered())).await;
        let last = events.next().await;
        assert!(last["result"][member].is_array(), "{last}");
        let mut events = world.stream(&session, method, params).await;
        let asked = events.next().await;
        answer(&world, 1, &asked["id"], ("error", json!({"code": -1, "message": "no"}))).await;
        let last = events.next().await;
        assert_eq!(last["error"]["data"]["code"], "input_not_given", "{last}");
    }
    world.ledger.assert_balanced();
}

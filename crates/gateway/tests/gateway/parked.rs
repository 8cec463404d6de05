//! Servers of the `initialize` era that ask while they work on a call, and clients of 2026-07-28, which are asked in the result of
//! their request: the call waits at its server for the round that brings the answer.

use std::time::Duration;

use gateway::Settings;
use model::call::{Outcome, Settlement, Verdict};
use serde_json::{Value, json};

use crate::upstream::Upstream;
use crate::world::{Answered, World, eventually, price, settings};

fn question() -> Value {
    json!({"message": "Who?", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}})
}

fn able() -> Value {
    json!({"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}})
}

fn accepted() -> Value {
    json!({"action": "accept", "content": {"name": "Ada", "n": 1.5}})
}

fn arguments() -> Value {
    json!({"method": "elicitation/create", "params": question()})
}

impl World {
    async fn round(&self, arguments: &Value, more: Value) -> Answered {
        self.round_as(1, arguments, more).await
    }

    async fn round_as(&self, n: u8, arguments: &Value, more: Value) -> Answered {
        let mut params = json!({"name": "up.asks", "arguments": arguments});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.ask_able(n, able(), "tools/call", params).await
    }

    /// The state that the first round gives.
    async fn asked(&self, arguments: &Value) -> String {
        let result = self.round(arguments, json!({})).await.result();
        assert_eq!(result["resultType"], "input_required", "{result}");
        result["requestState"].as_str().unwrap().to_owned()
    }

    /// Waits until so many calls are settled, and gives the one of the first call.
    async fn settled(&self, many: usize) -> Settlement {
        eventually("they are settled", || self.ledger.settlements.lock().len() == many).await;
        self.ledger.assert_balanced();
        let first = self.ledger.entries.lock()[0].id;
        self.ledger.settlements.lock().iter().find(|settled| settled.call == first).unwrap().clone()
    }
}

fn answers(state: &str) -> Value {
    json!({"inputResponses": {"q1": accepted()}, "requestState": state})
}

/// What the server was answered.
fn heard(upstream: &Upstream) -> Vec<Value> {
    upstream.seen.lock().messages.iter().filter(|message| message["id"] == "q").cloned().collect()
}

async fn world() -> (World, Upstream) {
    let upstream = Upstream::new().await;
    (World::new(&upstream.url).await, upstream)
}

#[tokio::test]
async fn a_call_waits_for_the_round_that_brings_the_answer() {
    let (world, upstream) = world().await;
    let result = world.round(&arguments(), json!({})).await.result();
    assert_eq!(result["resultType"], "input_required");
    assert_eq!(
        result["inputRequests"],
        json!({"q1": {"method": "elicitation/create", "params": question()}})
    );
    let state = result["requestState"].as_str().unwrap();
    // The server was told what this client can do, and is at work: nothing is settled.
    let opened = &upstream.with_method("initialize")[0]["params"]["capabilities"];
    assert_eq!(*opened, json!({"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}));
    assert!(world.ledger.settlements.lock().is_empty());

    let last = world.round(&arguments(), answers(state)).await.result();
    assert_eq!(
        (&last["resultType"], &last["structuredContent"]["result"]),
        (&json!("complete"), &accepted())
    );
    assert_eq!(upstream.calls().len(), 1);

    // Both are on record, and both ended well.
    let first = world.settled(2).await;
    let entries = world.ledger.entries.lock().clone();
    let recorded: Value = serde_json::from_slice(&entries[1].arguments).unwrap();
    assert_eq!(
        recorded,
        json!([arguments(), {"round": 2, "first_call": first.call, "inputResponses": {"q1": accepted()}}])
    );
    let exchange: Value = serde_json::from_slice(&first.exchange.unwrap()).unwrap();
    assert_eq!(
        exchange,
        json!([{"method": "elicitation/create", "params": question(), "answer": {"result": accepted()}}])
    );
    for settled in world.ledger.settlements.lock().iter() {
        assert_eq!((settled.outcome, settled.charge), (Outcome::Succeeded, price()));
        let kept: Value = serde_json::from_slice(settled.result.as_ref().unwrap()).unwrap();
        assert_eq!(kept["structuredContent"]["result"], accepted());
    }
}

#[tokio::test]
async fn what_is_asked_at_once_is_told_at_once_and_an_address_loses_its_name() {
    let (world, upstream) = world().await;
    let mut arguments = arguments();
    arguments["also"] = json!({"method": "elicitation/create",
        "params": {"mode": "url", "elicitationId": "e", "message": "Go", "url": "https://a.example"}});
    let result = world.round(&arguments, json!({})).await.result();
    assert_eq!(
        result["inputRequests"]["q2"]["params"],
        json!({"mode": "url", "message": "Go", "url": "https://a.example"})
    );
    // One is left out: it is asked again, and the other is not.
    let given = json!({"inputResponses": {"q2": {"action": "accept"}, "q9": {}}, "requestState": result["requestState"]});
    let result = world.round(&arguments, given).await.result();
    assert_eq!(result["inputRequests"].as_object().unwrap().keys().collect::<Vec<_>>(), ["q1"]);
    eventually("the other is answered", || {
        upstream.seen.lock().messages.iter().any(|said| said["id"] == "r")
    })
    .await;
    let last = world.round(&arguments, answers(result["requestState"].as_str().unwrap())).await.result();
    assert_eq!(last["structuredContent"]["result"], accepted());
    let first = world.settled(3).await;
    let exchange: Value = serde_json::from_slice(&first.exchange.unwrap()).unwrap();
    assert_eq!(exchange.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_server_asks_what_the_client_declared_and_nothing_else() {
    let (world, upstream) = world().await;
    for (declared, code) in [
        (json!({}), -32601),
        (json!({"sampling": {}}), -32601),
        (json!({"elicitation": {"url": {}}}), -32602),
    ] {
        upstream.seen.lock().messages.clear();
        let params = json!({"name": "up.asks", "arguments": arguments()});
        let answered = world.ask_able(1, declared.clone(), "tools/call", params).await.result();
        assert_eq!(answered["structuredContent"]["error"]["code"], code, "{declared}");
    }
    // A later round says anew what its client can do.
    upstream.seen.lock().messages.clear();
    let state = world.asked(&arguments()).await;
    let params = json!({"name": "up.asks", "arguments": arguments(), "requestState": state});
    let answered = world.ask_able(1, json!({}), "tools/call", params).await;
    assert_eq!((answered.status.as_u16(), answered.rpc_error()), (400, -32021));
    eventually("the server hears that there is no answer", || !heard(&upstream).is_empty()).await;
    assert_eq!(heard(&upstream)[0]["result"], json!({"action": "cancel"}));
    eventually("all are settled", || world.ledger.settlements.lock().len() == 5).await;
    world.ledger.assert_balanced();
}

#[tokio::test]
async fn a_round_that_is_refused_ends_the_call_that_waits() {
    for hangs in [false, true] {
        let upstream = Upstream::new().await;
        let settings = Settings { upstream_timeout: Duration::from_secs(10), ..settings() };
        let world = World::with(&upstream.url, settings).await;
        let mut arguments = arguments();
        if hangs {
            arguments["then"] = json!("hang");
        }
        let state = world.asked(&arguments).await;
        world.change(|facts| facts.grants.clear());
        let answered = world.round(&arguments, answers(&state)).await;
        assert_eq!(answered.trouble(), "missing_key");
        let first = world.settled(1).await;
        let verdicts: Vec<Verdict> = world.ledger.entries.lock().iter().map(|entry| entry.verdict).collect();
        assert_eq!(verdicts, [Verdict::Permit, Verdict::Deny]);
        // The server hears no answer. One that is done by that is; the others are told to stop.
        assert_eq!(heard(&upstream)[0]["result"], json!({"action": "cancel"}));
        if hangs {
            assert_eq!(
                (first.outcome, first.failure.unwrap().code.as_str()),
                (Outcome::Cancelled, "input_not_given")
            );
            eventually("it is withdrawn", || !upstream.with_method("notifications/cancelled").is_empty())
                .await;
        } else {
            assert_eq!(first.outcome, Outcome::Succeeded);
        }
        // With the right back, there is nothing left to go on with.
        world.change(|facts| facts.grants = crate::world::facts("").grants);
        assert_eq!(world.round(&arguments, answers(&state)).await.trouble(), "not_waited_for");
        world.ledger.assert_balanced();
        assert_eq!(upstream.calls().len(), 1);
    }
}

#[tokio::test]
async fn a_revoked_key_and_a_node_that_stops_end_what_waits() {
    for stops in [false, true] {
        let (world, upstream) = world().await;
        world.asked(&arguments()).await;
        if stops {
            world.gateway.stop_listening();
            world.gateway.stopped_listening().await;
            assert_eq!(world.ledger.settlements.lock().len(), 1, "what a node leaves is settled");
        } else {
            world.change(|facts| facts.credentials.clear());
        }
        let first = world.settled(1).await;
        assert_eq!(
            (first.outcome, &heard(&upstream)[0]["result"]),
            (Outcome::Succeeded, &json!({"action": "cancel"}))
        );
        assert_eq!(world.ledger.entries.lock().len(), 1);
    }
    // What changes for others ends nothing.
    let (world, _upstream) = world().await;
    let state = world.asked(&arguments()).await;
    world.change(|facts| {
        facts
            .credentials
            .retain(|credential| credential.id == model::CredentialId::from(uuid::Uuid::from_u128(31)))
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(world.round(&arguments(), answers(&state)).await.result()["resultType"], "complete");
}

#[tokio::test]
async fn a_client_that_never_comes_back_has_cancelled() {
    let upstream = Upstream::new().await;
    let settings = Settings { input_timeout: Duration::from_millis(300), ..settings() };
    let world = World::with(&upstream.url, settings).await;
    let state = world.asked(&arguments()).await;
    let first = world.settled(1).await;
    assert_eq!(heard(&upstream)[0]["result"], json!({"action": "cancel"}));
    assert_eq!(first.outcome, Outcome::Succeeded);
    let exchange: Value = serde_json::from_slice(&first.exchange.unwrap()).unwrap();
    assert_eq!(exchange[0]["answer"], Value::Null);
    // The sealed state says when it ends by the clock, which stands still here.
    assert_eq!(world.round(&arguments(), answers(&state)).await.rpc_error(), -32602);
}

#[tokio::test]
async fn the_time_a_person_takes_is_not_the_servers_and_the_rest_is() {
    let (world, _upstream) = world().await;
    // The server has 800 ms.
    let state = world.asked(&arguments()).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(world.round(&arguments(), answers(&state)).await.result()["resultType"], "complete");
    let mut arguments = arguments();
    arguments["then"] = json!("hang");
    let state = world.asked(&arguments).await;
    assert_eq!(world.round(&arguments, answers(&state)).await.trouble(), "upstream_timeout");
    eventually("all are settled", || world.ledger.settlements.lock().len() == 4).await;
    let outcomes: Vec<Outcome> =
        world.ledger.settlements.lock().iter().map(|settled| settled.outcome).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::TimedOut).count(), 2);
}

#[tokio::test]
async fn an_answer_is_given_once_by_whom_it_was_asked_of_and_where() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    let other = World::node(&upstream.url, settings(), 1_000_000).await;
    let state = world.asked(&arguments()).await;
    // Another agent can neither answer nor end it.
    let foreign = world.round_as(2, &arguments(), answers(&state)).await;
    assert_ne!(foreign.json().get("error"), None, "{foreign:?}");
    // Another node does not know of it, and says so.
    let elsewhere = other.round(&arguments(), answers(&state)).await;
    assert_eq!(elsewhere.trouble(), "asked_by_another_node");
    assert_eq!(other.ledger.settlement().outcome, Outcome::NotSent);
    assert!(heard(&upstream).is_empty());
    // Nor may it be answered unreadably.
    let bad = json!({"inputResponses": {"q1": {"action": "perhaps"}}, "requestState": state});
    assert_eq!(world.round(&arguments(), bad).await.rpc_error(), -32602);
    assert_eq!(world.round(&arguments(), answers(&state)).await.result()["resultType"], "complete");
    let again = world.round(&arguments(), answers(&state)).await;
    assert_eq!(again.trouble(), "not_waited_for");
    assert_eq!(heard(&upstream).len(), 1);
    world.settled(3).await;
    let settlements = world.ledger.settlements.lock();
    let unsent = settlements.iter().find(|settled| settled.outcome == Outcome::NotSent).unwrap();
    assert!(unsent.charge.amount.is_zero());
}

#[tokio::test]
async fn too_late_a_round_is_not_sent_and_can_be_made_again() {
    let (world, upstream) = world().await;
    let state = world.asked(&arguments()).await;
    *world.ledger.send_within.lock() = Some(Duration::ZERO);
    assert_eq!(world.round(&arguments(), answers(&state)).await.trouble(), "too_late");
    assert!(heard(&upstream).is_empty());
    *world.ledger.send_within.lock() = None;
    assert_eq!(world.round(&arguments(), answers(&state)).await.result()["resultType"], "complete");
}

#[tokio::test]
async fn so_many_wait_and_no_more() {
    let (world, upstream) = world().await;
    let mut states = Vec::new();
    for _ in 0..16 {
        states.push(world.asked(&arguments()).await);
    }
    assert_eq!(world.round(&arguments(), json!({})).await.trouble(), "too_many_waiting");
    eventually("its server hears no answer", || !heard(&upstream).is_empty()).await;
    upstream.seen.lock().messages.retain(|message| message["id"] != "q");
    // The server of these tests takes any answer for its own: so one that is answered makes room for all.
    assert_eq!(world.round(&arguments(), answers(&states[0])).await.result()["resultType"], "complete");
    world.asked(&arguments()).await;
}

#[tokio::test]
async fn a_result_that_needed_no_answer_is_there_for_who_fetches_it() {
    let (world, _upstream) = world().await;
    // It comes with the question: nobody is asked.
    let params = json!({"name": "up.ask_back", "arguments": {"a": 1}});
    let result = world.ask_able(1, able(), "tools/call", params).await.result();
    assert_eq!((&result["resultType"], &result["structuredContent"]), (&json!("complete"), &json!({"a": 1})));
    for (size, is_kept) in [(1000, true), (300_000, false)] {
        world.ledger.settlements.lock().clear();
        world.ledger.entries.lock().clear();
        let mut arguments = arguments();
        arguments["size"] = json!(size);
        let state = world.asked(&arguments).await;
        assert_eq!(world.settled(1).await.outcome, Outcome::Succeeded);
        let last = world.round(&arguments, answers(&state)).await;
        if is_kept {
            assert_eq!(last.result()["structuredContent"]["text"].as_str().unwrap().len(), size);
        } else {
            assert_eq!(last.trouble(), "not_waited_for");
        }
        world.settled(2).await;
    }
    world.gateway.stop_listening();
    world.gateway.stopped_listening().await;
}

#[tokio::test]
async fn how_it_goes_is_told_in_the_round_that_goes_on_with_it() {
    let (world, _upstream) = world().await;
    let token = |token: &str| json!({"progressToken": token});
    let first = world.round(&arguments(), json!({"_meta": token("a")})).await;
    let state = first.result()["requestState"].as_str().unwrap().to_owned();
    let mut more = answers(&state);
    more["_meta"] = token("b");
    let last = world.round(&arguments(), more).await;
    let told: Vec<Value> = last
        .text
        .split("data: ")
        .skip(1)
        .map(|event| serde_json::from_str(event.split("\n\n").next().unwrap()).unwrap())
        .collect();
    assert_eq!(told[0]["params"], json!({"progressToken": "b", "progress": 1}), "{}", last.text);
    assert_eq!(told[1]["result"]["resultType"], "complete");
}

#[tokio::test]
async fn who_goes_away_during_a_round_ends_the_call() {
    let (world, upstream) = world().await;
    let mut arguments = arguments();
    arguments["then"] = json!("hang");
    let state = world.asked(&arguments).await;
    let round = world.round(&arguments, answers(&state));
    assert!(tokio::time::timeout(Duration::from_millis(300), round).await.is_err());
    let first = world.settled(2).await;
    assert_eq!(first.outcome, Outcome::Cancelled);
    eventually("it is withdrawn", || !upstream.with_method("notifications/cancelled").is_empty()).await;
}

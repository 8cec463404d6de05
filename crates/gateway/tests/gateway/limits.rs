//! Calls that a limit leaves no room for: what reaches the server, what agents are told, what is on record, and that nodes hold
//! limits together.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::StatusCode;
use model::call::{ReasonCode, Verdict};
use model::limit::{Allowance, OfWhat, Per, Scope, Whose};
use policy::LimitFact;
use serde_json::json;

use crate::ledger::Mood;
use crate::upstream::Upstream;
use crate::world::{AGENT, CREDENTIAL, World, id, settings};

fn limit(number: u128, what: OfWhat, allowance: Allowance) -> LimitFact {
    let scope = Scope { whose: Whose::Agent(id(AGENT)), what, each_agent: false };
    LimitFact { id: id(800 + number), scope, allowance, set_by: "Dana Roth".to_owned() }
}

/// The second call of an hour is one too many.
fn one_an_hour() -> LimitFact {
    limit(1, OfWhat::Everything, Allowance::new(1, Per::Hour))
}

async fn limited() -> (World, Upstream) {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    world.change(|facts| facts.limits = vec![one_an_hour()]);
    (world, upstream)
}

#[tokio::test]
async fn what_is_over_a_limit_reaches_no_server_and_is_told_when_to_try_again() {
    let (world, upstream) = limited().await;
    assert_eq!(world.call("up.echo", json!({})).await.result()["isError"], json!(null));
    let refused = world.call("up.echo", json!({"a": 1})).await;
    assert_eq!(refused.status, StatusCode::OK, "a model reads results, not statuses");
    let error = refused.result()["structuredContent"]["error"].clone();
    assert_eq!(error["code"], "limit_reached");
    assert_eq!((error["retry_after"].as_u64(), error["ask"].as_str()), (Some(3600), Some("Dana Roth")));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("agent Scout may make 1 call an hour"), "{message}");
    assert!(message.contains("Try again in 60 minutes"), "{message}");
    assert_eq!(upstream.calls().len(), 1);

    // It is on record as a call that was denied, with its reason and its arguments.
    let entries = world.ledger.entries.lock().clone();
    let denied = entries.last().unwrap();
    assert_eq!((entries.len(), denied.verdict), (2, Verdict::Deny));
    assert_eq!(denied.reason.as_ref().unwrap().code, ReasonCode::LimitReached);
    assert_eq!(denied.arguments, r#"{"a":1}"#);
    assert_eq!(error["call_id"], denied.id.to_string());
    assert_eq!(*world.limits.reached.lock(), [(one_an_hour().scope, Per::Hour)], "it is counted");
    world.ledger.assert_balanced();
}

#[tokio::test]
async fn a_flood_of_refusals_is_one_call_on_record_and_a_count() {
    let (world, upstream) = limited().await;
    world.call("up.echo", json!({})).await;
    let first =
        world.call("up.echo", json!({})).await.result()["structuredContent"]["error"]["call_id"].clone();
    for _ in 0..50 {
        let refused = world.call("up.echo", json!({})).await;
        assert_eq!(refused.trouble(), "limit_reached");
        assert_eq!(
            refused.result()["structuredContent"]["error"]["call_id"],
            first,
            "the one that is on record"
        );
    }
    // Another tool's refusals are recorded for themselves.
    assert_eq!(world.call("crm.greet", json!({})).await.trouble(), "limit_reached");
    assert_eq!(world.ledger.entries.lock().len(), 3);
    assert_eq!(world.ledger.rejected(), vec![("limit_reached", 429); 50]);
    assert_eq!(world.limits.reached.lock().len(), 52, "on record or not, each is counted");
    assert_eq!(world.ledger.rejections.lock()[0].credential, Some(id(CREDENTIAL + 1)));
    assert_eq!(upstream.calls().len(), 1);
}

#[tokio::test]
async fn a_refusal_that_is_decided_again_is_counted_once() {
    let (world, _upstream) = limited().await;
    world.call("up.echo", json!({})).await;
    *world.ledger.mood.lock() = Mood::Expired(2);
    assert_eq!(world.call("up.echo", json!({})).await.trouble(), "limit_reached");
    assert_eq!(world.limits.reached.lock().len(), 1);
}

#[tokio::test]
async fn what_has_no_result_to_say_it_in_says_it_as_an_error() {
    let (world, _upstream) = limited().await;
    world.change(|facts| {
        let mut prompt = facts.tools[0].clone();
        prompt.id = id(900);
        prompt.name = "prompt:travel".to_owned();
        prompt.definition = json!({"name": "travel"}).to_string();
        facts.tools.push(prompt);
    });
    world.call("up.echo", json!({})).await;
    let refused = world.ask("prompts/get", json!({"name": "up.travel"})).await;
    let error = &refused.json()["error"];
    assert_eq!(
        (error["code"].as_i64(), error["data"]["code"].as_str()),
        (Some(-31_001), Some("limit_reached"))
    );
    assert_eq!(error["data"]["retry_after"], 3600);
}

#[tokio::test]
async fn two_nodes_hold_a_limit_together() {
    let upstream = Upstream::new().await;
    let one = World::new(&upstream.url).await;
    let other = World::beside(&upstream.url, settings(), 1_000_000, Arc::clone(&one.limits)).await;
    for world in [&one, &other] {
        world.change(|facts| {
            facts.limits = vec![limit(1, OfWhat::Module(id(40)), Allowance::new(10, Per::Day))]
        });
    }
    let mut passed = 0;
    for _ in 0..15 {
        for world in [&one, &other] {
            passed += i32::from(world.call("up.echo", json!({})).await.result()["isError"] == json!(null));
        }
    }
    assert_eq!((passed, upstream.calls().len()), (10, 10));
    // What the limit does not count goes on.
    assert_eq!(other.call("crm.greet", json!({})).await.result()["isError"], json!(null));
}

#[tokio::test]
async fn a_limit_that_was_set_elsewhere_holds_at_the_next_call() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    world.change(|facts| facts.limits = vec![one_an_hour()]);
    world.call("up.echo", json!({})).await;
    // This node's snapshot is from before there was a limit; the gate knows better.
    world.forget(|facts| facts.limits = vec![]);
    assert_eq!(world.call("up.echo", json!({})).await.trouble(), "limit_reached");
    assert_eq!(upstream.calls().len(), 1);
}

#[tokio::test]
async fn a_call_that_was_not_admitted_counts_for_nothing() {
    let (world, upstream) = limited().await;
    *world.ledger.mood.lock() = Mood::Unavailable;
    assert_eq!(world.call("up.echo", json!({})).await.status, StatusCode::SERVICE_UNAVAILABLE);
    *world.ledger.mood.lock() = Mood::Expired(2);
    assert_eq!(world.call("up.echo", json!({})).await.result()["isError"], json!(null));
    assert_eq!(upstream.calls().len(), 1);
    // What was sent and failed counts.
    assert_eq!(world.call("up.echo", json!({})).await.trouble(), "limit_reached");
}

#[tokio::test]
async fn when_it_cannot_be_found_out_what_is_left_nothing_is_done() {
    let (world, upstream) = limited().await;
    world.limits.broken.store(true, Ordering::SeqCst);
    let refused = world.call("up.echo", json!({})).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(refused.json()["error"]["data"]["code"], "limits_unavailable");
    assert!(upstream.calls().is_empty() && world.ledger.entries.lock().is_empty());
    // Where there is no limit, nothing is asked.
    let unlimited = World::beside(&upstream.url, settings(), 1_000_000, Arc::clone(&world.limits)).await;
    assert_eq!(unlimited.call("up.echo", json!({})).await.result()["isError"], json!(null));
}

#[tokio::test]
async fn who_may_not_call_uses_nothing_up() {
    let (world, _upstream) = limited().await;
    world.change(|facts| {
        facts.limits = vec![LimitFact {
            scope: Scope { whose: Whose::Everybody, what: OfWhat::Everything, each_agent: false },
            ..one_an_hour()
        }]
    });
    assert_eq!(world.call_with(2, "up.echo").await.trouble(), "missing_key");
    assert_eq!(world.call("up.drifted", json!({})).await.trouble(), "tool_drifted");
    assert!(world.limits.meters.lock().is_empty());
    assert_eq!(world.call("up.echo", json!({})).await.result()["isError"], json!(null));
}

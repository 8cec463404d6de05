//! The gate: what is not on record does not run, what no longer holds is decided again, and every call that was admitted
//! is settled exactly once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use model::Money;
use model::call::{Outcome, ReasonCode, Verdict};
use serde_json::json;

use crate::ledger::Mood;
use crate::upstream::{Behaviour, Upstream};
use crate::world::{AGENT, World, eventually, id, key, price, settings};

#[tokio::test]
async fn a_right_that_was_just_withdrawn_is_denied_on_the_fresh_directory() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    assert_eq!(world.call("up.echo", json!({})).await.result()["isError"], json!(null));
    world.change(|facts| facts.grants.retain(|grant| grant.key.as_str() != "up"));
    assert_eq!(world.call("up.echo", json!({})).await.trouble(), "missing_key");
    assert_eq!(upstream.calls().len(), 1);
    let entries = world.ledger.entries.lock();
    assert_eq!(entries.len(), 2);
    assert_eq!((entries[1].verdict, entries[1].epoch.number), (Verdict::Deny, 2));
    assert_eq!(world.directories.asked_for_newer.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_right_that_was_just_given_is_not_denied_on_the_old_directory() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    world.forget(|facts| facts.grants.clear());
    assert_eq!(world.call("up.echo", json!({"a": 1})).await.result()["structuredContent"], json!({"a": 1}));
    assert_eq!(world.ledger.entry().verdict, Verdict::Permit);
    assert_eq!(world.ledger.attempts.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_credential_that_was_revoked_in_between_is_unknown() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    world.change(|facts| facts.credentials.remove(0).secret_hash = [0; 32]);
    let answered = world.call("crm.greet", json!({})).await;
    assert_eq!(answered.status, 401);
    assert!(world.ledger.entries.lock().is_empty());
    let rejection = world.ledger.rejections.lock()[0].clone();
    assert_eq!((rejection.code, rejection.credential), ("unknown_key", Some(id(31))));
}

#[tokio::test]
async fn an_agent_that_was_suspended_in_between_is_refused_on_record() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    world.change(|facts| facts.agents[0].standing = model::people::Standing::Suspended);
    assert_eq!(world.call("crm.greet", json!({})).await.status, 401);
    assert_eq!(world.ledger.entry().reason.unwrap().code, ReasonCode::AgentSuspended);
}

#[tokio::test]
async fn decisions_that_never_hold_end_in_time_and_run_nothing() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    *world.ledger.mood.lock() = Mood::AlwaysStale;
    let begun = tokio::time::Instant::now();
    let answered = world.call("up.echo", json!({})).await;
    assert_eq!((answered.status.as_u16(), answered.rpc_error()), (503, -32603));
    assert!(answered.text.contains("Try again"));
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert_eq!(world.ledger.attempts.load(Ordering::SeqCst), 4);
    assert!(upstream.calls().is_empty() && world.ledger.settlements.lock().is_empty());
}

#[tokio::test]
async fn a_decision_that_expired_behind_the_gate_is_made_again() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    *world.ledger.mood.lock() = Mood::Expired(2);
    assert_eq!(world.call("crm.greet", json!({})).await.status, 200);
    assert_eq!(world.ledger.attempts.load(Ordering::SeqCst), 3);
    world.ledger.assert_balanced();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_nothing_is_admitted_that_was_decided_before_a_change() {
    let upstream = Upstream::new().await;
    let world = std::sync::Arc::new(World::new(&upstream.url).await);
    let mut callers = tokio::task::JoinSet::new();
    for n in 0..8 {
        let world = world.clone();
        callers.spawn(async move {
            let mut denied = 0;
            for _ in 0..60 {
                let answered = world.call("up.echo", json!({ "n": n })).await;
                match answered.status.as_u16() {
                    200 if answered.result()["isError"] == json!(true) => denied += 1,
                    200 | 503 => (),
                    _ => panic!("{answered:?}"),
                }
            }
            denied
        });
    }
    let changes = tokio::spawn({
        let world = world.clone();
        async move {
            for round in 0..40 {
                tokio::time::sleep(Duration::from_millis(5)).await;
                world.change(|facts| {
                    let grant = crate::world::facts("").grants.remove(0);
                    facts.grants.retain(|grant| grant.key.as_str() != "up");
                    if round % 2 == 1 {
                        facts.grants.push(grant);
                    }
                });
            }
        }
    });
    let denied: u32 = callers.join_all().await.into_iter().sum();
    changes.await.unwrap();
    assert!(denied > 0);
    // Epochs with an even number are those without the right: 2, 4, … after the first change.
    for entry in world.ledger.entries.lock().iter() {
        let may = entry.epoch.number % 2 == 1;
        assert_eq!(entry.verdict == Verdict::Permit, may, "epoch {}", entry.epoch.number);
    }
    world.ledger.assert_balanced();
    let permitted =
        world.ledger.entries.lock().iter().filter(|entry| entry.verdict == Verdict::Permit).count();
    assert_eq!(upstream.calls().len(), permitted);
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_run() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    *world.ledger.mood.lock() = Mood::Unavailable;
    for n in [1, 2] {
        let answered = world.call_with(n, "up.echo").await;
        assert_eq!((answered.status.as_u16(), answered.rpc_error()), (503, -32603));
    }
    assert!(upstream.seen.lock().messages.is_empty());
}

#[tokio::test]
async fn a_receipt_for_something_else_runs_nothing() {
    for mood in [Mood::OtherCall, Mood::OtherArguments] {
        let upstream = Upstream::new().await;
        let world = World::new(&upstream.url).await;
        *world.ledger.mood.lock() = mood;
        let answered = world.call("up.echo", json!({})).await;
        assert_eq!((answered.status.as_u16(), answered.rpc_error()), (500, -32603), "{mood:?}");
        assert!(upstream.seen.lock().messages.is_empty());
        let settlement = world.ledger.settlement();
        assert_eq!(settlement.outcome, Outcome::NotSent);
        assert_eq!(settlement.charge, Money::zero(price().currency));
        world.ledger.assert_balanced();
    }
}

#[tokio::test]
async fn a_call_whose_time_to_be_sent_is_over_is_not_sent() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    *world.boot.0.lock() = Duration::from_secs(2);
    let answered = world.call("up.echo", json!({})).await;
    assert_eq!(answered.trouble(), "too_late");
    let native = world.call("crm.greet", json!({})).await;
    assert_eq!(native.trouble(), "too_late");
    assert!(upstream.calls().is_empty());
    for settlement in world.ledger.settlements.lock().iter() {
        assert_eq!(settlement.outcome, Outcome::NotSent);
        assert_eq!(settlement.charge, Money::zero(price().currency));
        assert_eq!(settlement.upstream_duration, None);
    }
    world.ledger.assert_balanced();
}

#[tokio::test]
async fn a_pause_between_the_gate_and_the_wire_is_noticed_at_the_wire() {
    // The session opens in time, and the clock has moved on when the call's bytes are asked for.
    let upstream =
        Upstream::behaving(Behaviour { opening: Duration::from_millis(200), ..Behaviour::default() }).await;
    let world = World::new(&upstream.url).await;
    let called = world.call("up.echo", json!({}));
    let paused = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        *world.boot.0.lock() = Duration::from_secs(2);
    };
    let (answered, ()) = tokio::join!(called, paused);
    assert_eq!(answered.trouble(), "too_late");
    assert!(upstream.calls().is_empty());
    assert_eq!(world.ledger.settlement().outcome, Outcome::NotSent);
}

#[tokio::test]
async fn a_caller_that_leaves_while_the_call_runs_leaves_a_cancelled_call() {
    for tool in ["up.hang", "up.hang_stream", "crm.hang"] {
        let upstream = Upstream::new().await;
        let world = World::with(
            &upstream.url,
            gateway::Settings { upstream_timeout: Duration::from_secs(30), ..settings() },
        )
        .await;
        let called = tokio::time::timeout(Duration::from_millis(300), world.call(tool, json!({}))).await;
        assert!(called.is_err());
        eventually("it is settled", || !world.ledger.settlements.lock().is_empty()).await;
        let settlement = world.ledger.settlement();
        assert_eq!(settlement.outcome, Outcome::Cancelled, "{tool}");
        assert_eq!(settlement.failure.unwrap().code, "cancelled");
        assert_eq!(settlement.charge, price(), "it may have happened");
        world.ledger.assert_balanced();
        if tool.starts_with("up.") {
            eventually("upstream is told", || upstream.with_method("notifications/cancelled").len() == 1)
                .await;
            let call = &upstream.calls()[0]["id"];
            assert_eq!(&upstream.with_method("notifications/cancelled")[0]["params"]["requestId"], call);
        }
    }
}

#[tokio::test]
async fn a_caller_that_leaves_while_the_call_is_admitted_leaves_a_call_that_was_not_sent() {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    *world.ledger.mood.lock() = Mood::Slow;
    let called = tokio::time::timeout(Duration::from_millis(200), world.call("up.echo", json!({}))).await;
    assert!(called.is_err());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(world.ledger.entries.lock().is_empty());
    world.ledger.go_on.notify_one();
    eventually("it is settled", || !world.ledger.settlements.lock().is_empty()).await;
    let settlement = world.ledger.settlement();
    assert_eq!((settlement.call, settlement.outcome), (world.ledger.entry().id, Outcome::NotSent));
    assert!(upstream.seen.lock().messages.is_empty());
}

#[tokio::test]
async fn a_denial_whose_caller_leaves_is_recorded_all_the_same() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    *world.ledger.mood.lock() = Mood::Slow;
    assert!(tokio::time::timeout(Duration::from_millis(200), world.call_with(2, "up.echo")).await.is_err());
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.ledger.go_on.notify_one();
    eventually("it is recorded", || !world.ledger.entries.lock().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(world.ledger.settlements.lock().is_empty());
}

#[tokio::test]
async fn a_request_whose_time_is_over_is_answered_and_settled() {
    let upstream = Upstream::new().await;
    let short = gateway::Settings {
        request_timeout: Duration::from_millis(300),
        upstream_timeout: Duration::from_secs(30),
        ..settings()
    };
    let world = World::with(&upstream.url, short.clone()).await;
    assert_eq!(world.call("up.hang", json!({})).await.trouble(), "upstream_timeout");
    assert_eq!(world.ledger.settlement().outcome, Outcome::TimedOut);

    let world = World::with(&upstream.url, short).await;
    *world.ledger.mood.lock() = Mood::Slow;
    let answered = world.call("up.echo", json!({})).await;
    assert_eq!((answered.status.as_u16(), answered.rpc_error()), (503, -32603));
    world.ledger.go_on.notify_one();
    eventually("it is settled", || !world.ledger.settlements.lock().is_empty()).await;
    assert_eq!(world.ledger.settlement().outcome, Outcome::NotSent);
}

#[tokio::test]
async fn a_panic_is_answered_and_settled() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    let answered = world.call("crm.panic", json!({})).await;
    assert_eq!((answered.status.as_u16(), answered.rpc_error()), (500, -32603));
    let settlement = world.ledger.settlement();
    assert_eq!(
        (settlement.outcome, settlement.failure.unwrap().code.as_str()),
        (Outcome::Interrupted, "internal_error")
    );
    world.ledger.assert_balanced();
    assert_eq!(world.call("crm.greet", json!({})).await.status, 200);

    *world.ledger.mood.lock() = Mood::Panics;
    assert_eq!(world.call("crm.greet", json!({})).await.status, 500);
    world.ledger.assert_balanced();
}

#[tokio::test]
async fn each_credential_of_an_agent_is_recorded_as_itself() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    world.change(|facts| {
        let mut rotated = facts.credentials[0].clone();
        rotated.id = id(39);
        rotated.secret_hash =
            sha2::Digest::finalize(sha2::Digest::chain_update(<sha2::Sha256 as sha2::Digest>::new(), key(9)))
                .into();
        facts.credentials.push(rotated);
    });
    assert_eq!(world.call_with(9, "crm.greet").await.status, 200);
    let who = world.ledger.entry().who;
    assert_eq!((who.agent, who.credential), (id(AGENT), id(39)));
}

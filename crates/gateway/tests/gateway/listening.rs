//! Streams on which clients hear that what they are shown has changed, in both eras.

use std::time::{Duration, Instant};

use gateway::Settings;
use http::{Method, StatusCode};
use model::people::Standing;
use policy::{BundleFact, BundledFact, Facts};
use serde_json::{Value, json};

use crate::upstream::{Behaviour, Upstream};
use crate::world::{Events, World, at, id, key, settings};

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

async fn world() -> (World, Upstream) {
    let upstream = Upstream::behaving(Behaviour::default()).await;
    (World::new(&upstream.url).await, upstream)
}

/// Key `n` listens as a client of 2026-07-28 for all lists, and has been acknowledged.
async fn listening(world: &World, n: u8) -> Events {
    let all = json!({"toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true});
    let mut events = world.listen(n, json!("s"), all.clone()).await;
    let acknowledged = events.next().await;
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(acknowledged["params"], json!({"_meta": {SUBSCRIPTION: "s"}, "notifications": all}));
    events
}

/// A tool of the native module that was not there.
fn another(facts: &mut Facts) {
    let mut tool = facts.tools.iter().find(|tool| tool.name == "greet").unwrap().clone();
    let n = facts.tools.len() as u128;
    tool.id = id(5_000 + n);
    tool.name = format!("another_{n}");
    tool.definition = json!({"name": tool.name, "inputSchema": {"type": "object"}}).to_string();
    facts.tools.push(tool);
}

fn ended(id: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": {"resultType": "complete", "_meta": {SUBSCRIPTION: id}}})
}

fn told(kind: &str, id: &Value) -> Value {
    let method = format!("notifications/{kind}/list_changed");
    json!({"jsonrpc": "2.0", "method": method, "params": {"_meta": {SUBSCRIPTION: id}}})
}

#[tokio::test]
async fn who_listens_is_told_under_the_id_it_gave_and_only_of_what_it_asked_for() {
    let (world, _upstream) = world().await;
    for id in [json!(7), json!("7"), json!("a \"b\"")] {
        let mut tools = world.listen(1, id.clone(), json!({"toolsListChanged": true, "odd": 1})).await;
        let notifications = json!({"toolsListChanged": true});
        assert_eq!(
            tools.next().await,
            json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
                "params": {"_meta": {SUBSCRIPTION: id}, "notifications": notifications}})
        );
        let wanted = json!({"promptsListChanged": true, "toolsListChanged": false});
        let mut prompts = world.listen(1, id.clone(), wanted).await;
        let acknowledged = prompts.next().await;
        assert_eq!(acknowledged["params"]["notifications"], json!({"promptsListChanged": true}));
        world.change(another);
        assert_eq!(tools.next().await, told("tools", &id));
        prompts.stays_silent().await;
    }
    let answered = world.ask("tools/list", json!({})).await.text;
    assert!(answered.contains("crm.another_"), "what was told of is there");
}

#[tokio::test]
async fn a_client_of_the_initialize_era_is_told_on_the_stream_that_it_gets() {
    let (world, _upstream) = world().await;
    for capability in ["tools", "prompts", "resources"] {
        let params = json!({"protocolVersion": "2025-11-25"});
        let opened = world.ask("initialize", params).await.result();
        assert_eq!(opened["capabilities"][capability]["listChanged"], true);
        let discovered = world.ask_stateless("server/discover", json!({})).await.result();
        assert_eq!(discovered["capabilities"][capability]["listChanged"], true);
    }
    let session = world.open(json!({})).await;
    let mut older = world.get(1, Some(&session)).await;
    let mut events = world.get(1, Some(&session)).await;
    let mut other = world.get(1, Some("other")).await;
    let mut nameless = world.get(1, None).await;
    assert_eq!(events.status, StatusCode::OK);
    assert_eq!(events.headers["content-type"], "text/event-stream");
    assert_eq!(events.headers["x-accel-buffering"], "no");
    world.change(another);
    let told = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    assert_eq!(events.next().await, told);
    assert_eq!(other.next().await, told);
    assert_eq!(nameless.next().await, told);
    // A message goes to one stream of a session.
    older.stays_silent().await;
    drop(events);
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.change(another);
    assert_eq!(older.next().await, told);
}

#[tokio::test]
async fn nothing_is_told_where_nothing_that_is_shown_has_changed() {
    let (world, _upstream) = world().await;
    let mut events = listening(&world, 1).await;
    // Another agent's rights, a tool that this one may not see, and nothing at all.
    world.change(|facts| {
        let mut grant = facts.grants.first().unwrap().clone();
        grant.id = id(99);
        grant.grantee = model::access::Grantee::Agent(id(21));
        facts.grants.push(grant);
    });
    world.change(|facts| facts.tenant.name = "Acme & Co".to_owned());
    world.change(|_| ());
    events.stays_silent().await;
    // What is changed and changed back within the second is no change either, once it was told of one.
    world.change(another);
    assert_eq!(events.next().await, told("tools", &json!("s")));
    world.change(another);
    world.change(|facts| drop(facts.tools.pop()));
    events.stays_silent().await;
}

#[tokio::test]
async fn another_agents_change_is_its_own() {
    let (world, _upstream) = world().await;
    let (mut mine, mut idle) = (listening(&world, 1).await, listening(&world, 2).await);
    world.change(|facts| {
        let mut grant = facts.grants.first().unwrap().clone();
        grant.id = id(99);
        grant.grantee = model::access::Grantee::Agent(id(21));
        facts.grants.push(grant);
    });
    assert_eq!(idle.next().await, told("tools", &json!("s")));
    mine.stays_silent().await;
    world.change(|facts| facts.tools[0].definition_hash = [8; 32]);
    assert_eq!(mine.next().await, told("tools", &json!("s")), "so is another definition");
    assert_eq!(idle.next().await, told("tools", &json!("s")));
    world.change(|facts| drop(facts.grants.pop()));
    assert_eq!(idle.next().await, told("tools", &json!("s")), "what is taken away is told of as well");
    mine.stays_silent().await;
}

#[tokio::test]
async fn a_bundle_is_listened_to_for_what_is_in_it() {
    let (mut world, _upstream) = world().await;
    world.change(|facts| {
        let tool = facts.tools.iter().find(|tool| tool.name == "greet").unwrap().id;
        let tools = vec![BundledFact { tool, name: "hello".to_owned() }];
        facts.bundles.push(BundleFact {
            id: id(990),
            name: "desk".to_owned(),
            title: "Desk".to_owned(),
            tools,
        });
    });
    world.url.push_str("/desk");
    let mut events = listening(&world, 1).await;
    let mut opened = world.get(1, Some("s")).await;
    world.change(another);
    events.stays_silent().await;
    world.change(|facts| facts.bundles[0].tools[0].name = "hi".to_owned());
    assert_eq!(events.next().await, told("tools", &json!("s")));
    assert_eq!(opened.next().await["method"], "notifications/tools/list_changed");
    world.change(|facts| facts.bundles.clear());
    assert_eq!(events.next().await, ended(&json!("s")));
    assert!(opened.over().await && events.over().await);
}

#[tokio::test]
async fn what_comes_at_once_is_told_once_a_second() {
    let (world, _upstream) = world().await;
    let mut events = listening(&world, 1).await;
    let began = Instant::now();
    world.change(another);
    assert_eq!(events.next().await, told("tools", &json!("s")));
    assert!(began.elapsed() < Duration::from_millis(700), "the first is told at once");
    for _ in 0..5 {
        world.change(another);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(events.next().await, told("tools", &json!("s")));
    assert!(began.elapsed() >= Duration::from_millis(950), "the next after a second");
    events.stays_silent().await;
}

#[tokio::test]
async fn whoever_may_not_come_in_any_more_listens_no_longer() {
    type Change = fn(&mut Facts);
    let ways: [(&str, Change); 3] = [
        ("revoked", |facts| facts.credentials.retain(|credential| credential.id != id(31))),
        ("suspended", |facts| facts.agents[0].standing = Standing::Suspended),
        ("stopped", |facts| facts.tenant.agents_stopped = true),
    ];
    for (way, change) in ways {
        let (world, _upstream) = world().await;
        let (mut events, mut opened) = (listening(&world, 1).await, world.get(1, Some("s")).await);
        let began = Instant::now();
        world.change(another);
        assert_eq!(events.next().await, told("tools", &json!("s")));
        assert_eq!(opened.next().await["method"], "notifications/tools/list_changed");
        // Though the next that is told would be told a second later.
        world.change(|facts| {
            another(facts);
            change(facts);
        });
        assert_eq!(events.next().await, ended(&json!("s")), "{way}");
        assert!(events.over().await && opened.over().await, "{way}");
        assert!(began.elapsed() < Duration::from_millis(900), "{way}");
    }
}

#[tokio::test]
async fn a_key_whose_time_is_over_listens_no_longer() {
    let (world, _upstream) = world().await;
    world.change(|facts| facts.credentials[0].expires_at = Some(at(1)));
    // The node has heard of it.
    world.listen(1, json!(0), json!({})).await.next().await;
    let mut events = listening(&world, 1).await;
    *world.clock.0.lock() = 2;
    assert_eq!(events.next().await, ended(&json!("s")));
}

#[tokio::test]
async fn a_stream_ends_when_it_has_lived_long_enough_and_when_the_node_stops() {
    let upstream = Upstream::behaving(Behaviour::default()).await;
    let settings = Settings { stream_lifetime: Duration::from_millis(300), ..settings() };
    let world = World::with(&upstream.url, settings).await;
    let (mut events, mut opened) = (listening(&world, 1).await, world.get(1, None).await);
    assert_eq!(events.next().await, ended(&json!("s")));
    assert!(events.over().await && opened.over().await);

    let world = World::new(&upstream.url).await;
    let (mut events, mut opened) = (listening(&world, 1).await, world.get(1, None).await);
    world.gateway.stop_listening();
    assert_eq!(events.next().await, ended(&json!("s")));
    assert!(events.over().await && opened.over().await);
    let late = world.ask_stateless("subscriptions/listen", json!({"notifications": {}})).await;
    assert_eq!((late.status.as_u16(), &late.json()["error"]["data"]["code"]), (503, &json!("stopping")));
    world.ask("tools/list", json!({})).await.result();
}

#[tokio::test]
async fn a_key_has_so_many_streams_and_no_more() {
    let (world, _upstream) = world().await;
    let mut streams = Vec::new();
    for n in 0..32 {
        streams.push(if n % 2 == 0 { listening(&world, 1).await } else { world.get(1, None).await });
    }
    let refused = world.ask_stateless("subscriptions/listen", json!({"notifications": {}})).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers["retry-after"], "10");
    assert_eq!(refused.json()["id"], "a");
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("32 streams"), "{refused:?}");
    assert_eq!(world.get(1, None).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(world.ledger.rejected(), [("too_many_streams", 429); 2]);
    listening(&world, 2).await;
    drop(streams.pop());
    tokio::time::sleep(Duration::from_millis(200)).await;
    listening(&world, 1).await;
}

#[tokio::test]
async fn who_cannot_listen_is_told_why() {
    let (world, _upstream) = world().await;
    for notifications in [json!(null), json!([]), json!(7), json!({"toolsListChanged": 1})] {
        let params = json!({"notifications": notifications});
        assert_eq!(world.ask_stateless("subscriptions/listen", params).await.rpc_error(), -32602);
    }
    assert_eq!(world.ask_stateless("subscriptions/listen", json!({})).await.rpc_error(), -32602);
    let params = json!({"notifications": {}, "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}}});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params});
    let bearer = format!("Bearer {}", key(1));
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "subscriptions/listen"),
    ];
    let without = world.send(Method::POST, &world.url, &headers, body.to_string()).await;
    assert_eq!(without.status, StatusCode::NOT_ACCEPTABLE);
    let older = world.ask("subscriptions/listen", json!({"notifications": {}})).await;
    assert_eq!((older.status.as_u16(), older.rpc_error()), (200, -32601));

    let bearer = |n| format!("Bearer {}", key(n));
    let (mine, expired) = (bearer(1), bearer(3));
    let events = ("accept", "text/event-stream");
    let authorization = |bearer: &'static str| ("authorization", bearer);
    let (mine, expired): (&'static str, &'static str) = (mine.leak(), expired.leak());
    for (headers, status) in [
        (&[events][..], 401),
        (&[events, authorization("Bearer wa_nonsense")], 401),
        (&[events, authorization(expired)], 401),
        (&[events, authorization(mine), ("origin", "https://evil.example")], 403),
        (&[events, authorization(mine), ("mcp-protocol-version", "2026-07-28")], 405),
        (&[events, authorization(mine), ("mcp-protocol-version", "nonsense")], 400),
        (&[("accept", "application/json"), authorization(mine)], 405),
        (&[authorization(mine)], 405),
    ] {
        let answered = world.send(Method::GET, &world.url, headers, "").await;
        assert_eq!(answered.status.as_u16(), status, "{headers:?}");
        assert!(answered.json()["error"]["message"].is_string());
    }
    let nowhere = format!("{}/nothing", world.url);
    let answered = world.send(Method::GET, &nowhere, &[events, authorization(mine)], "").await;
    assert_eq!(answered.json()["error"]["data"]["code"], "no_such_bundle");
}

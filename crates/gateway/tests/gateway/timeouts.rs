//! Tools whose servers are given a time of their own.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use gateway::Settings;
use gateway::seams::Names;
use model::Money;
use model::call::Outcome;
use model::catalog::Timeouts;
use serde_json::json;

use crate::raw::{Answer, Raw};
use crate::upstream::Upstream;
use crate::world::{World, price, settings};

/// So long that nobody waits for the end of it here.
const LONG: Duration = Duration::from_secs(30);
/// In this time, whatever is cut short is over, also on a machine that has much to do.
const SOON: Duration = Duration::from_secs(15);

/// With these timeouts for this tool of `up` or `crm`.
async fn world(settings: Settings, tool: &str, timeouts: Timeouts) -> (World, Upstream) {
    let upstream = Upstream::new().await;
    let world = World::with(&upstream.url, settings).await;
    world.change(|facts| {
        let tool = facts.tools.iter_mut().find(|there| there.name == tool).unwrap();
        tool.timeouts = timeouts;
    });
    (world, upstream)
}

async fn took(world: &World, tool: &str) -> (String, Duration) {
    let begun = tokio::time::Instant::now();
    let answered = world.call(tool, json!({})).await;
    (answered.trouble(), begun.elapsed())
}

fn patient() -> Settings {
    Settings { upstream_timeout: LONG, ..settings() }
}

#[tokio::test]
async fn a_tool_can_be_given_less_time_than_others() {
    let timeouts = Timeouts { total: Some(Duration::from_millis(200)), first_byte: None };
    let (world, _upstream) = world(patient(), "hang_stream", timeouts).await;
    let (code, took_this) = took(&world, "up.hang_stream").await;
    assert_eq!(code, "upstream_timeout");
    assert!(took_this < SOON, "{took_this:?}");
    assert_eq!(world.ledger.settlement().outcome, Outcome::TimedOut);

    // Others have the time that is set for all: 800 ms here.
    let (world, _upstream) = self::world(settings(), "hang_stream", timeouts).await;
    assert!(took(&world, "up.hang").await.1 >= Duration::from_millis(790));
}

#[tokio::test]
async fn a_tool_can_be_given_more_time_than_others_and_than_requests_have() {
    let timeouts = Timeouts { total: Some(Duration::from_millis(1500)), first_byte: None };
    let settings = Settings { request_timeout: Duration::from_millis(1000), ..settings() };
    let (world, _upstream) = world(settings, "hang", timeouts).await;
    let (code, took_this) = took(&world, "up.hang").await;
    assert_eq!(code, "upstream_timeout");
    assert!(took_this >= Duration::from_millis(1490), "{took_this:?}");
}

#[tokio::test]
async fn what_does_not_begin_in_its_time_is_over_and_what_has_begun_goes_on() {
    let timeouts = Timeouts { first_byte: Some(Duration::from_millis(150)), total: None };
    let (world, _upstream) = world(patient(), "hang", timeouts).await;
    let (code, took_this) = took(&world, "up.hang").await;
    assert_eq!(code, "upstream_timeout");
    assert!(took_this < SOON, "{took_this:?}");

    // Its server answers at once that an answer will come.
    let timeouts = Timeouts { first_byte: Some(Duration::from_millis(700)), total: None };
    let (other, _upstream) = self::world(settings(), "hang_stream", timeouts).await;
    assert!(took(&other, "up.hang_stream").await.1 >= Duration::from_millis(790));
}

#[tokio::test]
async fn a_tool_that_is_given_little_time_does_not_make_its_server_rest() {
    let timeouts = Timeouts { total: Some(Duration::from_millis(100)), first_byte: None };
    let settings = Settings { upstream_faults: 2, ..patient() };
    let (world, upstream) = world(settings, "hang", timeouts).await;
    for _ in 0..4 {
        assert_eq!(took(&world, "up.hang").await.0, "upstream_timeout");
    }
    let answered = world.call("up.echo", json!({})).await;
    assert_eq!(answered.result()["isError"], json!(null));
    assert_eq!(upstream.calls().len(), 5);
}

#[tokio::test]
async fn a_built_in_tool_has_its_time_too() {
    let timeouts = Timeouts { total: Some(Duration::from_millis(100)), first_byte: None };
    let upstream = Upstream::new().await;
    let world = World::with(&upstream.url, patient()).await;
    world.change(|facts| {
        let tools = facts
            .tools
            .iter_mut()
            .filter(|there| there.name == "hang" && there.module == crate::world::id(41));
        tools.for_each(|tool| tool.timeouts = timeouts);
    });
    assert!(took(&world, "crm.hang").await.1 < SOON);
}

/// Knows where everything is, until it is asked in vain.
#[derive(Debug, Default)]
struct Hangs(AtomicBool);

#[async_trait]
impl Names for Hangs {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        if self.0.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }
}

#[tokio::test]
async fn the_time_until_it_begins_holds_for_connecting_as_well() {
    let result = r#"{"jsonrpc":"2.0","id":ID,"result":{"content":[]}}"#;
    let raw = Raw::answering(Answer::closing("application/json", result.as_bytes())).await;
    let names = Arc::new(Hangs::default());
    let settings = Settings { connect_timeout: LONG, names: names.clone(), ..patient() };
    let url = format!("http://tools.example.com:{}/mcp", raw.at.port());
    let world = World::with(&url, settings).await;
    world.change(|facts| {
        let tool = facts.tools.iter_mut().find(|there| there.name == "echo").unwrap();
        tool.timeouts = Timeouts { first_byte: Some(Duration::from_millis(150)), total: None };
    });
    assert_eq!(world.call("up.echo", json!({})).await.result()["content"], json!([]));
    world.ledger.settlements.lock().clear();

    // There is a session by now, and each of its requests needs a connection.
    names.0.store(true, Ordering::SeqCst);
    let (code, took_this) = took(&world, "up.echo").await;
    assert_eq!(code, "upstream_timeout");
    assert!(took_this < SOON, "{took_this:?}");
    let settlement = world.ledger.settlement();
    assert_eq!(settlement.outcome, Outcome::NotSent);
    assert_eq!(settlement.charge, Money::zero(price().currency));
}

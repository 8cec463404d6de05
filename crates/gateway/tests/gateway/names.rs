//! Names that lead elsewhere than they did: whatever a name server says, and when, only an address that is permitted is connected to.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use gateway::Settings;
use gateway::seams::Names;
use http::Request;
use model::call::Outcome;
use parking_lot::Mutex;
use serde_json::json;

use crate::raw::{Answer, Raw};
use crate::world::{World, settings};

/// Stands for a public address: it alone is permitted.
const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
/// Stands for a private one, at which something listens as well.
const PRIVATE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const RESULT: &str = r#"{"jsonrpc":"2.0","id":ID,"result":{"content":[]}}"#;

/// Says what it was told to say, in turn, and then the last of it again and again.
#[derive(Debug, Default)]
struct Script {
    says: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Names for Script {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().push(host.to_owned());
        let mut says = self.says.lock();
        let last = if says.len() > 1 { says.pop_front() } else { says.front().cloned() };
        last.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// A server at either address, on one port.
async fn both() -> (Raw, Raw) {
    let answer = || Answer::closing("application/json", RESULT.as_bytes());
    let public = Raw::at("127.0.0.1:0", answer()).await;
    let private = Raw::at(&format!("127.0.0.2:{}", public.at.port()), answer()).await;
    (public, private)
}

fn saying(script: &Arc<Script>) -> Settings {
    let names: Arc<dyn Names> = script.clone();
    Settings { allowed_upstream_networks: vec!["127.0.0.1/32".parse().unwrap()], names, ..settings() }
}

#[tokio::test]
async fn a_name_that_has_become_a_private_address_is_not_connected_to() {
    let (public, private) = both().await;
    let script = Arc::new(Script::default());
    script.says.lock().push_back(vec![PUBLIC]);
    let url = format!("http://tools.example.com:{}/mcp", public.at.port());
    let world = World::with(&url, saying(&script)).await;
    assert_eq!(world.call("up.echo", json!({})).await.result()["content"], json!([]));
    assert_eq!(world.ledger.settlements.lock().pop().unwrap().outcome, Outcome::Succeeded);

    // It was looked at once; it is looked at again.
    *script.says.lock() = [vec![PRIVATE]].into();
    let looked_up = script.asked.lock().len();
    assert_eq!(world.call("up.echo", json!({})).await.trouble(), "upstream_private_address");
    assert_eq!(script.asked.lock().len(), looked_up + 1);
    assert_eq!(world.ledger.settlement().outcome, Outcome::NotSent);
    assert_eq!(private.connections.load(Ordering::SeqCst), 0);
    assert_eq!(public.calls.load(Ordering::SeqCst), 1);
    assert!(script.asked.lock().iter().all(|host| host == "tools.example.com"));
}

#[tokio::test]
async fn each_connection_looks_its_name_up_once_and_takes_what_it_has_looked_at() {
    let (public, private) = both().await;
    let script = Arc::new(Script::default());
    let url = format!("http://tools.example.com:{}/mcp", public.at.port());
    let world = World::with(&url, saying(&script)).await;
    // A second question, between looking and connecting, would be answered otherwise than the first.
    let turns = (0..50).map(|turn| vec![if turn % 2 == 0 { PUBLIC } else { PRIVATE }]);
    *script.says.lock() = turns.collect();
    for _ in 0..4 {
        world.call("up.echo", json!({})).await;
    }
    let (looked_up, connected) = (script.asked.lock().len(), public.connections.load(Ordering::SeqCst));
    assert!(connected > 0);
    assert_eq!(connected, looked_up.div_ceil(2), "every other question");
    assert_eq!(private.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn of_several_addresses_the_permitted_ones_are_tried() {
    let (public, private) = both().await;
    let script = Arc::new(Script::default());
    let url = format!("http://tools.example.com:{}/mcp", public.at.port());
    let mapped: IpAddr = "::ffff:127.0.0.2".parse().unwrap();
    *script.says.lock() = [vec![PRIVATE, mapped, PUBLIC]].into();
    let world = World::with(&url, saying(&script)).await;
    assert_eq!(world.call("up.echo", json!({})).await.result()["content"], json!([]));
    *script.says.lock() = [vec![mapped]].into();
    assert_eq!(world.call("up.echo", json!({})).await.trouble(), "upstream_private_address");
    for says in [vec![vec![]], vec![]] {
        *script.says.lock() = says.into();
        assert_eq!(world.call("up.echo", json!({})).await.trouble(), "upstream_unreachable");
    }
    assert_eq!(private.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_way_to_authorization_servers_asks_the_same_names() {
    let (public, private) = both().await;
    let script = Arc::new(Script::default());
    *script.says.lock() = [vec![PUBLIC], vec![PRIVATE]].into();
    let way = gateway::fetch(&saying(&script)).unwrap();
    let url = format!("http://tools.example.com:{}/mcp", public.at.port());
    let request = || Request::get(&url).body(Vec::new()).unwrap();
    assert_eq!(way.fetch(request()).await.unwrap().status(), 202);
    let refused = way.fetch(request()).await.unwrap_err();
    assert!(refused.to_string().contains("which is private"), "{refused}");
    assert_eq!(private.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_to_a_loopback_address_is_not_followed() {
    let (public, private) = both().await;
    let script = Arc::new(Script::default());
    *script.says.lock() = [vec![PUBLIC]].into();
    let port = public.at.port();
    let url = format!("http://tools.example.com:{port}/mcp");
    let world = World::with(&url, saying(&script)).await;
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        // Not even to one that is permitted, nor to where it is itself.
        for to in [
            format!("http://127.0.0.2:{port}/mcp"),
            format!("http://127.0.0.1:{port}/mcp"),
            "/mcp".to_owned(),
        ] {
            let before = public.connections.load(Ordering::SeqCst);
            let head = format!(
                "HTTP/1.1 {status}\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            *public.answer.lock() = Answer { begins: head.into_bytes(), goes_on: Vec::new() };
            let answered = world.call("up.echo", json!({})).await;
            assert_eq!(answered.trouble(), "upstream_redirect", "{status} {to}");
            assert!(!answered.text.contains("127.0.0"), "{}", answered.text);
            let settlement = world.ledger.settlements.lock().pop().unwrap();
            assert_eq!(settlement.outcome, Outcome::UpstreamError);
            let opening = if before == 0 { 3 } else { 0 };
            assert_eq!(public.connections.load(Ordering::SeqCst), before + opening + 1, "{status} {to}");
        }
    }
    assert_eq!(private.connections.load(Ordering::SeqCst), 0);
}

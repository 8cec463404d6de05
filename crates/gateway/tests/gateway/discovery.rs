//! What the catalog asks of an upstream server, and the sentences it gets when that fails.

use gateway::{DiscoveryError, Trouble};
use model::TenantId;
use secrecy::SecretString;
use serde_json::json;

use crate::upstream::{Behaviour, TOOLS, Upstream};
use crate::world::{World, eventually, id, settings};

fn tenant() -> TenantId {
    id(1)
}

#[tokio::test]
async fn a_server_tells_who_it_is_and_what_it_offers() {
    let upstream =
        Upstream::behaving(Behaviour { sessions: true, paged: true, ..Behaviour::default() }).await;
    let world = World::new("http://127.0.0.1:1/mcp").await;
    let secret = Some(SecretString::from("Bearer discover"));
    let discovered = world.gateway.discover(tenant(), &upstream.url, secret).await.unwrap();
    assert_eq!((discovered.server_name.as_str(), discovered.server_version.as_str()), ("fake", "1.2"));
    assert_eq!(discovered.protocol, "2025-06-18");
    let names: Vec<&str> = discovered.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, TOOLS[..5]);
    assert!(discovered.tools[0].definition.contains(r#""x":1.0"#), "{}", discovered.tools[0].definition);
    let seen = upstream.seen.lock();
    assert!(seen.headers.iter().all(|headers| headers["authorization"] == "Bearer discover"));
    assert_eq!((seen.opened, seen.left), (1, 1), "its session is ended");
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    let upstream = Upstream::new().await;
    let wrong_path = upstream.url.replace("/mcp", "/wrong");
    for (url, words) in [
        (wrong_path.as_str(), &["404 Not Found", "/wrong", "is the path right? Many servers use /mcp"][..]),
        ("http://127.0.0.1:1/mcp", &["nothing listens at 127.0.0.1:1"]),
        ("http://no-such-host.invalid/mcp", &["no address is known for no-such-host.invalid"]),
        ("http://10.1.2.3/mcp", &["10.1.2.3", "private", "network.allowed_upstream_networks"]),
        ("example.com/mcp", &["`example.com/mcp`", "https://"]),
        ("http://127.0.0.1:1/mcp?key=secret", &["nothing listens"]),
        ("http://127.0.0.1:1 /?key=secret", &["it is no URL"]),
        ("https://bob:secret@example.com/mcp", &["belong to a connection"]),
    ] {
        let error = world.gateway.discover(tenant(), url, None).await.unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{url}: {error}");
        }
        assert!(!error.contains("secret"), "{error}");
    }
    for (behaviour, word) in [
        (Behaviour { opening_status: Some(401), ..Behaviour::default() }, "it wants credentials"),
        (Behaviour { opening_status: Some(302), ..Behaviour::default() }, "redirects to /elsewhere"),
        (Behaviour { opening_status: Some(405), ..Behaviour::default() }, "it takes no POST there"),
        (Behaviour { protocol: "2031-01-01", ..Behaviour::default() }, "speaks MCP 2031-01-01"),
        (
            Behaviour { opening: settings().upstream_timeout * 2, ..Behaviour::default() },
            "did not answer within",
        ),
    ] {
        let upstream = Upstream::behaving(behaviour).await;
        let error = world.gateway.discover(tenant(), &upstream.url, None).await.unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let control = Some(SecretString::from("Bearer a\nb"));
    let error = world.gateway.discover(tenant(), &upstream.url, control).await.unwrap_err();
    assert_eq!(error, DiscoveryError::BadSecret);
}

#[tokio::test]
async fn definitions_that_cannot_be_used_are_named() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    let twice = json!({"name": "same", "inputSchema": {}});
    for (listing, word) in [
        (json!({"tools": [{"inputSchema": {}}]}), "number 1"),
        (json!({"tools": [{"name": "a", "inputSchema": 7}]}), "inputSchema"),
        (json!({"tools": [twice, twice]}), "two tools"),
        (json!({"tools": 7}), "the list of tools cannot be read"),
    ] {
        let upstream = Upstream::behaving(Behaviour { listing: Some(listing), ..Behaviour::default() }).await;
        let error = world.gateway.discover(tenant(), &upstream.url, None).await.unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let endless = json!({"tools": (0..5001).map(|n| json!({"name": n.to_string(), "inputSchema": {}})).collect::<Vec<_>>()});
    let upstream = Upstream::behaving(Behaviour { listing: Some(endless), ..Behaviour::default() }).await;
    let error = world.gateway.discover(tenant(), &upstream.url, None).await.unwrap_err();
    assert!(matches!(error, DiscoveryError::TooMany { .. }));
    eventually("nothing is left open", || upstream.seen.lock().sessions.is_empty()).await;
}

#[tokio::test]
async fn a_server_that_is_down_is_told_apart_from_one_that_refuses() {
    let world = World::new("http://127.0.0.1:1/mcp").await;
    let error = world.gateway.discover(tenant(), "http://127.0.0.1:1/mcp", None).await.unwrap_err();
    let DiscoveryError::Upstream(trouble) = error else { panic!("{error}") };
    assert_eq!(trouble, Trouble::NothingListens { authority: "127.0.0.1:1".to_owned() });
    assert_eq!(trouble.code(), "upstream_unreachable");
}

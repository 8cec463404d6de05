//! Servers that want a token: what becomes of calls, and the way out to whoever issues one.

use std::time::Duration;

use ::authorization::{Challenge, NotFetched};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use gateway::seams::NotPresented;
use gateway::{DiscoveryError, Settings};
use http::Request;
use model::TenantId;
use model::call::Outcome;
use serde_json::json;

use crate::upstream::{Behaviour, Upstream};
use crate::world::{SECRET, World, id, settings};

const EXPIRED: &str =
    r#"Bearer error="invalid_token", resource_metadata="https://up.example/meta", scope="a b""#;
const TOO_LITTLE: &str = r#"Bearer error="insufficient_scope", scope="more""#;
const RENEWED: &str = "Bearer renewed";

async fn wanting(token: &'static str, status: u16, challenge: &'static str) -> (Upstream, World) {
    let upstream = Upstream::new().await;
    let world = World::new(&upstream.url).await;
    // Spoken to before, so that the call itself is refused.
    assert_eq!(world.call("up.echo", json!({})).await.status, 200);
    world.ledger.settlements.lock().clear();
    upstream.behaviour.lock().wants = Some((token, status, challenge));
    (upstream, world)
}

#[tokio::test]
async fn a_call_that_was_refused_for_want_of_a_token_is_made_once_more_with_another() {
    // Some say nothing but 401.
    for (status, challenge) in [(401, EXPIRED), (401, ""), (403, TOO_LITTLE)] {
        let (upstream, world) = wanting(RENEWED, status, challenge).await;
        *world.connections.instead.lock() = Some(Ok(Some(RENEWED)));
        let answered = world.call("up.echo", json!({"a": 1})).await;
        assert_eq!(answered.result()["structuredContent"], json!({"a": 1}));
        assert_eq!(world.ledger.settlement().outcome, Outcome::Succeeded);
        let presented: Vec<_> =
            upstream.seen.lock().headers.iter().map(|headers| headers["authorization"].clone()).collect();
        assert_eq!(presented[presented.len() - 2..], [SECRET, RENEWED]);
    }
}

#[tokio::test]
async fn what_the_server_says_of_the_token_is_passed_on() {
    let (_upstream, world) = wanting(RENEWED, 401, EXPIRED).await;
    world.call("up.echo", json!({})).await;
    let challenge = Challenge {
        resource_metadata: Some("https://up.example/meta".to_owned()),
        scope: Some(["a", "b"].into_iter().collect()),
        error: Some("invalid_token".to_owned()),
        description: None,
    };
    assert_eq!(*world.connections.refusals.lock(), [challenge]);
}

#[tokio::test]
async fn a_call_that_was_refused_twice_is_not_made_a_third_time() {
    let (upstream, world) = wanting("Bearer never", 401, EXPIRED).await;
    *world.connections.instead.lock() = Some(Ok(Some(RENEWED)));
    let before = upstream.calls().len();
    assert_eq!(world.call("up.echo", json!({})).await.trouble(), "upstream_unauthorized");
    assert_eq!(upstream.calls().len(), before + 2);
    assert_eq!(world.ledger.settlement().outcome, Outcome::NotSent);
}

#[tokio::test]
async fn a_refusal_of_what_is_asked_once_more_does_not_unmake_what_was_sent() {
    let (upstream, world) = wanting(RENEWED, 401, EXPIRED).await;
    upstream.behaviour.lock().wants_after = upstream.calls().len() + 1;
    world.change(|facts| {
        let fact = facts.tools.iter_mut().find(|fact| fact.name == "breaks").unwrap();
        fact.definition = json!({"name": "breaks", "inputSchema": {"type": "object"},
            "annotations": {"idempotentHint": true}})
        .to_string();
    });
    let before = upstream.calls().len();
    assert_eq!(world.call("up.breaks", json!({})).await.trouble(), "upstream_broke_off");
    assert_eq!(upstream.calls().len(), before + 2);
    assert_eq!(world.ledger.settlement().outcome, Outcome::UpstreamError);
}

#[tokio::test]
async fn where_a_person_has_to_connect_again_the_agent_is_told_whom_to_ask() {
    let (upstream, world) = wanting(RENEWED, 401, EXPIRED).await;
    *world.connections.instead.lock() = Some(Err(NotPresented::MustConnect));
    let before = upstream.calls().len();
    let answered = world.call("up.echo", json!({})).await;
    assert_eq!(answered.trouble(), "must_be_connected");
    assert!(answered.text.contains("Ask Ada, who answers for it, to connect it again"), "{}", answered.text);
    assert_eq!(upstream.calls().len(), before + 1);
    let settlement = world.ledger.settlement();
    assert_eq!(settlement.outcome, Outcome::NotSent);
    assert_eq!(settlement.failure.unwrap().code, "must_be_connected");
}

#[tokio::test]
async fn a_refusal_that_is_not_about_a_token_is_one() {
    for (status, challenge) in [(401, "Basic realm=\"x\""), (403, EXPIRED), (403, "Bearer"), (403, "")] {
        let (upstream, world) = wanting(RENEWED, status, challenge).await;
        *world.connections.instead.lock() = Some(Ok(Some(RENEWED)));
        let before = upstream.calls().len();
        assert_eq!(world.call("up.echo", json!({})).await.trouble(), "upstream_unauthorized", "{challenge}");
        assert_eq!(upstream.calls().len(), before + 1);
        assert!(world.connections.refusals.lock().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_is_discovered_says_which_token_it_wants() {
    let upstream =
        Upstream::behaving(Behaviour { wants: Some((RENEWED, 401, EXPIRED)), ..Behaviour::default() }).await;
    let world = World::new(&upstream.url).await;
    let error = world.gateway.discover(id::<TenantId>(1), &upstream.url, None).await.unwrap_err();
    let DiscoveryError::Upstream(trouble) = error else { panic!("{error}") };
    assert_eq!(trouble.challenge().unwrap().resource_metadata.as_deref(), Some("https://up.example/meta"));
}

/// What authorization servers can do to whoever asks them.
async fn authorization_server() -> String {
    let router = Router::new()
        .route(
            "/ok",
            get(|headers: http::HeaderMap| async move { headers["user-agent"].to_str().unwrap().to_owned() }),
        )
        .route("/moved", get(|| async { (StatusCode::FOUND, [("location", "/ok")]) }))
        .route("/huge", get(|| async { "x".repeat(::authorization::MOST_BYTES + 1) }))
        .route("/hangs", get(std::future::pending::<()>));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn the_way_out_is_as_narrow_as_that_to_upstream_servers() {
    let url = authorization_server().await;
    let fetched = async |settings: Settings, path: &str| {
        let request = Request::get(format!("{url}{path}")).body(Vec::new()).unwrap();
        gateway::fetch(&settings).unwrap().fetch(request).await
    };
    let answer = fetched(settings(), "/ok").await.unwrap();
    assert!(answer.body().starts_with(b"WorkingAgents/"));
    assert_eq!(fetched(settings(), "/moved").await.unwrap().status(), StatusCode::FOUND);
    let impatient = || Settings { upstream_timeout: Duration::from_millis(50), ..settings() };
    let closed = || Settings { allowed_upstream_networks: Vec::new(), ..settings() };
    for (settings, path, why) in [
        (settings(), "/huge", "more than 262144 bytes"),
        (impatient(), "/hangs", "did not answer within 1 s"),
        (closed(), "/ok", "which is private"),
    ] {
        let NotFetched(said) = fetched(settings, path).await.unwrap_err();
        assert!(said.contains(why), "{said}");
    }
}

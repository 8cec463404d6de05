//! A module is connected by OAuth, as a browser without scripts does it: in the wizard, on its page, and when it goes wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use parking_lot::Mutex;
use serde_json::{Value, json};
use testkit::TestWorld;
use url::Url;

use super::{Browser, Page};

/// An MCP server and the authorization server that it trusts, on one port.
#[derive(Clone, Default)]
struct Service(Arc<Inner>);

#[derive(Default)]
struct Inner {
    url: Mutex<String>,
    /// With what the authorization server sends people back instead of a code.
    declines: Mutex<bool>,
    /// Whether nobody can register by themselves.
    closed: Mutex<bool>,
    tokens: AtomicU32,
    /// Which clients were given a token.
    clients: Mutex<Vec<String>>,
}

type Fields = std::collections::HashMap<String, String>;

impl Service {
    async fn start() -> Self {
        let service = Self::default();
        let router = Router::new()
            .route("/mcp", post(mcp))
            .route("/.well-known/oauth-protected-resource/mcp", get(resource))
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route(
                "/register",
                post(async || (StatusCode::CREATED, Json(json!({"client_id": "self-registered"})))),
            )
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(service.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        *service.0.url.lock() = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        service
    }

    fn url(&self) -> String {
        self.0.url.lock().clone()
    }

    fn mcp(&self) -> String {
        format!("{}/mcp", self.url())
    }
}

async fn mcp(State(service): State<Service>, headers: HeaderMap, Json(message): Json<Value>) -> Response {
    let presented = headers.get("authorization").map_or("", |value| value.to_str().unwrap());
    if !presented.starts_with("Bearer token-") {
        let challenge = format!(
            "Bearer resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\", scope=\"files:read\"",
            service.url()
        );
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response();
    }
    let result = match message["method"].as_str().unwrap() {
        "initialize" => json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
            "serverInfo": {"name": "files", "version": "1"}}),
        "tools/list" => json!({"tools": [{"name": "read", "inputSchema": {"type": "object"}}]}),
        _ => return StatusCode::ACCEPTED.into_response(),
    };
    Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})).into_response()
}

async fn resource(State(service): State<Service>) -> Json<Value> {
    Json(json!({"resource": service.mcp(), "authorization_servers": [service.url()]}))
}

async fn metadata(State(service): State<Service>) -> Json<Value> {
    let url = service.url();
    let mut metadata = json!({"issuer": url, "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"), "registration_endpoint": format!("{url}/register"),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_post"]});
    if *service.0.closed.lock() {
        metadata.as_object_mut().unwrap().remove("registration_endpoint");
    }
    Json(metadata)
}

async fn authorize(State(service): State<Service>, Query(asked): Query<Fields>) -> Redirect {
    let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
    let (name, value) = if *service.0.declines.lock() { ("error", "access_denied") } else { ("code", "c") };
    back.query_pairs_mut().append_pair(name, value).append_pair("state", &asked["state"]);
    Redirect::to(back.as_str())
}

async fn token(State(service): State<Service>, Form(asked): Form<Fields>) -> Json<Value> {
    service.0.clients.lock().push(asked["client_id"].clone());
    let number = service.0.tokens.fetch_add(1, Ordering::SeqCst) + 1;
    Json(json!({"access_token": format!("token-{number}"), "token_type": "Bearer", "expires_in": 3600,
        "scope": "files:read"}))
}

/// The link on a page that leads to the authorization server.
fn way_there(page: &Page) -> String {
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let (_, rest) = page.text.split_once("href=\"http://127.0.0.1").unwrap();
    let (link, _) = rest.split_once('"').unwrap();
    format!("http://127.0.0.1{}", link.replace("&amp;", "&"))
}

/// Goes there as a browser does, and comes back: the path and query of the dashboard.
async fn and_back(link: &str) -> String {
    let url: http::Uri = link.parse().unwrap();
    let client: Client<_, axum::body::Body> = Client::builder(TokioExecutor::new()).build_http();
    let response = client.get(url).await.unwrap();
    let place = Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    format!("{}?{}", place.path(), place.query().unwrap())
}

async fn browser() -> Browser {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    browser
}

/// Adds a module by the wizard, connected by OAuth.
async fn add(browser: &mut Browser, service: &Service) {
    let fields = [("url", service.mcp()), ("title", "Files".to_owned()), ("name", "files".to_owned())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let draft = browser.post("/t/acme/catalog/new", &fields).await.leads_to().to_owned();
    let failed = settled(browser, &draft).await;
    assert!(failed.text.contains(&format!("href=\"{draft}/oauth\"")), "{}", failed.text);
    let form = browser.get(&format!("{draft}/oauth")).await;
    assert!(form.text.contains("Ask who gives access"), "{}", form.text);
    let leaving = browser.post(&format!("{draft}/oauth"), &[]).await;
    for said in [service.url().as_str(), "self-registered", "files:read"] {
        assert!(leaving.text.contains(said), "{said}: {}", leaving.text);
    }
    let back = and_back(&way_there(&leaving)).await;
    let back = browser.get(&back).await;
    assert_eq!((back.status, back.leads_to()), (StatusCode::SEE_OTHER, draft.as_str()));
    let review = settled(browser, &draft).await;
    let (_, rest) = review.text.split_once("name=\"reviewed\" value=\"").expect(&review.text);
    let reviewed = rest.split('"').next().unwrap().to_owned();
    let added = browser.post(&format!("{draft}/add"), &[("reviewed", &reviewed), ("all", "1")]).await;
    assert_eq!(added.leads_to(), "/t/acme/catalog/files", "{}", added.text);
}

/// A draft's page once its server is not being asked any more.
async fn settled(browser: &mut Browser, draft: &str) -> Page {
    for _ in 0..400 {
        let page = browser.get(draft).await;
        if !page.headers.contains_key("refresh") {
            return page;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the server has not answered");
}

#[tokio::test]
async fn a_module_is_added_connected_again_and_disconnected() {
    let (mut browser, service) = (browser().await, Service::start().await);
    add(&mut browser, &service).await;
    let page = browser.get("/t/acme/catalog/files").await;
    for said in ["Connected with OAuth", "self-registered", "files:read", "Connect again", "Disconnect"] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    assert!(!page.text.contains("token-1"));
    // Its server is asked with the token.
    let asked = browser.post("/t/acme/catalog/files/-/rediscover", &[]).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.text);

    let leaving = browser.post("/t/acme/catalog/files/-/oauth", &[]).await;
    let back = and_back(&way_there(&leaving)).await;
    assert_eq!(browser.get(&back).await.leads_to(), "/t/acme/catalog/files");
    assert_eq!(service.0.tokens.load(Ordering::SeqCst), 2);
    // The way back can be gone but once.
    let again = browser.get(&back).await;
    assert_eq!(again.leads_to(), "/t/acme/catalog");
    let told = browser.get("/t/acme/catalog").await;
    assert!(
        told.text.contains("Nothing was connected.") && told.text.contains("begin it again"),
        "{}",
        told.text
    );
    assert_eq!(service.0.tokens.load(Ordering::SeqCst), 2);

    let ask = browser.get("/t/acme/catalog/files/-/connection/revoke").await;
    assert!(ask.text.contains("Disconnect it"), "{}", ask.text);
    browser.post("/t/acme/catalog/files/-/connection/revoke", &[]).await;
    let page = browser.get("/t/acme/catalog/files").await;
    assert!(page.text.contains("Connect with OAuth") && !page.text.contains("Connected with OAuth"));
}

#[tokio::test]
async fn what_stands_in_the_way_is_told_on_the_form() {
    let (mut browser, service) = (browser().await, Service::start().await);
    add(&mut browser, &service).await;
    let form = "/t/acme/catalog/files/-/oauth";
    // Declined there.
    *service.0.declines.lock() = true;
    let leaving = browser.post(form, &[]).await;
    let back = and_back(&way_there(&leaving)).await;
    let told = browser.get(&back).await;
    assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(told.text.contains("did not give access: access_denied"), "{}", told.text);
    *service.0.declines.lock() = false;
    // A secret without its client.
    let told = browser.post(form, &[("client_secret", "hunter2")]).await;
    assert!(told.text.contains("Give the client ID") && !told.text.contains("hunter2"), "{}", told.text);
    // Another browser of the same person has not begun it.
    let leaving = browser.post(form, &[]).await;
    let back = and_back(&way_there(&leaving)).await;
    let mut other = browser.stranger();
    other.sign_in().await;
    assert_eq!(other.get(&back).await.leads_to(), "/t/acme/catalog");
    assert_eq!(browser.get(&back).await.leads_to(), "/t/acme/catalog/files");
    // Somebody who is not signed in.
    let mut nobody = browser.stranger();
    assert!(nobody.get(&back).await.leads_to().starts_with("/sign-in"));
    // Nothing listens there.
    let told = browser.post("/t/acme/catalog/notes/-/oauth", &[]).await;
    assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(told.text.contains("Nothing listens at 127.0.0.1:9"), "{}", told.text);
}

#[tokio::test]
async fn a_client_that_was_registered_by_hand_is_used() {
    let (mut browser, service) = (browser().await, Service::start().await);
    *service.0.closed.lock() = true;
    browser.world.module("files", &service.mcp(), &[("read", true)]).await;
    let form = "/t/acme/catalog/files/-/oauth";
    let told = browser.post(form, &[]).await;
    assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY);
    for said in ["register this one there", "http://127.0.0.1:8080/t/acme/oauth/callback"] {
        assert!(told.text.contains(said), "{said}: {}", told.text);
    }
    for (fields, nth) in [(&[("client_id", "by-hand"), ("client_secret", "s")][..], 1), (&[][..], 2)] {
        let leaving = browser.post(form, fields).await;
        let back = and_back(&way_there(&leaving)).await;
        assert_eq!(browser.get(&back).await.leads_to(), "/t/acme/catalog/files");
        assert_eq!(*service.0.clients.lock(), vec!["by-hand"; nth], "it is remembered");
    }
}

#[tokio::test]
async fn what_we_are_as_a_client_can_be_read_where_others_can_reach_us() {
    let world = Arc::new(TestWorld::in_real_time().await);
    let mut open = Browser::in_world(world.clone(), "https://app.example.com");
    for organization in ["acme", "no-such-organization"] {
        let document: Value =
            serde_json::from_str(&open.get(&format!("/t/{organization}/oauth/client")).await.text).unwrap();
        let here = format!("https://app.example.com/t/{organization}/oauth");
        assert_eq!(document["client_id"], format!("{here}/client"));
        assert_eq!(document["redirect_uris"], json!([format!("{here}/callback")]));
        assert_eq!(document["token_endpoint_auth_method"], "none");
    }
    let mut inside = Browser::in_world(world, super::OURS);
    assert_eq!(inside.get("/t/acme/oauth/client").await.status, StatusCode::NOT_FOUND);
    assert_eq!(open.get("/t/NO/oauth/client").await.status, StatusCode::NOT_FOUND);
}

//! The dashboard as a browser meets it, over a database of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use control::ledger::Ledger;
use control::users::NewUser;
use futures::StreamExt as _;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, RETRY_AFTER, SET_COOKIE,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use model::CallId;
use model::access::Grantee;
use model::people::Role;
use secrecy::SecretString;
use testkit::{PASSWORD, TestWorld};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{Settings, router};

const OURS: &str = "http://127.0.0.1:8080";

/// A world with a dashboard, and a browser that keeps cookies.
struct Browser {
    world: Arc<TestWorld>,
    router: Router,
    cookies: BTreeMap<String, String>,
    stop: CancellationToken,
}

struct Page {
    status: StatusCode,
    headers: http::HeaderMap,
    text: String,
}

impl Page {
    fn leads_to(&self) -> &str {
        self.headers.get(LOCATION).map_or("", |place| place.to_str().unwrap())
    }
}

impl Browser {
    async fn new() -> Self {
        Self::in_world(Arc::new(TestWorld::in_real_time().await), OURS)
    }

    fn in_world(world: Arc<TestWorld>, origin: &str) -> Self {
        let site = std::env::temp_dir().join(format!("wa-dashboard-{}", std::process::id()));
        std::fs::create_dir_all(site.join("pkg")).unwrap();
        for name in ["app.css", "app.js", "app_bg.wasm"] {
            // Tests run side by side: what is there stays.
            let _ = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(site.join("pkg").join(name))
                .unwrap();
        }
        let stop = CancellationToken::new();
        let router = router(Settings {
            control: world.control.clone(),
            site,
            origin: origin.to_owned(),
            machines_origin: "http://127.0.0.1:8081".to_owned(),
            gateway: gateway::Settings::default(),
            development: true,
            stop: stop.clone(),
        })
        .unwrap();
        Self { world, router, cookies: BTreeMap::new(), stop }
    }

    /// Another browser at the same dashboard.
    fn stranger(&self) -> Self {
        Self {
            cookies: BTreeMap::new(),
            world: self.world.clone(),
            router: self.router.clone(),
            stop: self.stop.clone(),
        }
    }

    async fn send(&mut self, mut request: Request<Body>) -> Response<Body> {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request.headers_mut().insert(COOKIE, cookies.join("; ").parse().unwrap());
        }
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 4000))));
        let response = self.router.clone().oneshot(request).await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }

    async fn page(&mut self, request: Request<Body>) -> Page {
        let (head, body) = self.send(request).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Page { status: head.status, headers: head.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    async fn get(&mut self, path: &str) -> Page {
        self.page(Request::get(path).body(Body::empty()).unwrap()).await
    }

    fn form(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Request::post(path)
            .header(ORIGIN, OURS)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap()
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.page(Self::form(path, fields)).await
    }

    async fn sign_in(&mut self) -> Page {
        self.post("/sign-in", &[("email", "owner@acme.example"), ("password", PASSWORD), ("next", "")]).await
    }

    /// Records calls of an agent that may read notes and not write them.
    async fn calls(&self, tools: &[&str]) -> (Ledger, Vec<CallId>) {
        let world = &self.world;
        let (agent, key) = world.agent("Note taker").await;
        world.grant("notes:read", Grantee::Agent(agent)).await;
        let (ledger, _) = world.ledger(&world.control).await;
        let directories = world.directories(&world.control);
        let directory = directories.current(world.tenant.mcp_id).await.unwrap().unwrap();
        let mut ids = Vec::new();
        for tool in tools {
            let entry =
                testkit::entry(world.control.ambient(), &directory, TestWorld::hash(&key), tool).unwrap();
            ids.push(entry.id);
            ledger.admit(entry).await.unwrap();
        }
        (ledger, ids)
    }
}

#[tokio::test]
async fn one_signs_in_looks_and_signs_out() {
    let mut browser = Browser::new().await;
    assert_eq!(browser.get("/").await.leads_to(), "/sign-in");
    let page = browser.get("/t/acme/activity?verdict=deny").await;
    assert_eq!(page.leads_to(), "/sign-in?next=%2Ft%2Facme%2Factivity%3Fverdict%3Ddeny");

    let fields =
        [("email", "Owner@Acme.example"), ("password", PASSWORD), ("next", "/t/acme/activity?verdict=deny")];
    let page = browser.post("/sign-in", &fields).await;
    assert_eq!((page.status, page.leads_to()), (StatusCode::SEE_OTHER, "/t/acme/activity?verdict=deny"));
    let page = browser.get("/t/acme/activity").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.text.contains("acme Ltd") && page.text.contains("Olga Owner") && page.text.contains("Owner")
    );
    assert!(
        page.text.contains("No agent has called yet") && page.text.contains("http://127.0.0.1:8081/mcp_")
    );
    assert_eq!(browser.get("/").await.leads_to(), "/t/acme/activity");
    assert_eq!(browser.get("/t/acme").await.leads_to(), "/t/acme/activity");
    assert_eq!(browser.get("/sign-in").await.leads_to(), "/");

    let kept = browser.cookies.clone();
    assert_eq!(browser.post("/sign-out", &[]).await.leads_to(), "/sign-in?signed_out=yes");
    assert!(browser.get("/sign-in?signed_out=yes").await.text.contains("You are signed out."));
    browser.cookies = kept;
    assert!(browser.get("/t/acme/activity").await.leads_to().starts_with("/sign-in"), "the session is gone");
}

#[tokio::test]
async fn a_session_that_somebody_else_planted_is_worth_nothing() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    let first = browser.cookies.clone();
    let cookie = browser.sign_in().await;
    let set = cookie.headers.get(SET_COOKIE).unwrap().to_str().unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"), "{set}");
    assert_ne!(first, browser.cookies, "each sign-in has an id of its own");
    browser.cookies = first;
    assert!(browser.get("/t/acme/activity").await.leads_to().starts_with("/sign-in"));
}

#[tokio::test]
async fn behind_tls_the_cookie_is_bound_to_the_host() {
    let world = Arc::new(TestWorld::in_real_time().await);
    let mut browser = Browser::in_world(world, "https://app.example.com");
    let mut request = Browser::form("/sign-in", &[("email", "owner@acme.example"), ("password", PASSWORD)]);
    request.headers_mut().insert(ORIGIN, "https://app.example.com".parse().unwrap());
    let page = browser.page(request).await;
    let set = page.headers.get(SET_COOKIE).unwrap().to_str().unwrap();
    assert!(
        set.starts_with("__Host-wa_session=") && set.contains("Secure") && !set.contains("Domain"),
        "{set}"
    );
    assert!(page.headers.contains_key("strict-transport-security"));
}

#[tokio::test]
async fn what_is_wrong_at_sign_in_is_said_beside_the_field() {
    let mut browser = Browser::new().await;
    let page = browser.post("/sign-in", &[("email", ""), ("password", "")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("Enter your mail address.") && page.text.contains("Enter your password."));
    let wrong =
        browser.post("/sign-in", &[("email", "owner@acme.example"), ("password", "Tr0ub4dor&3")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("value=\"owner@acme.example\"") && !wrong.text.contains("Tr0ub4dor"));
    let unknown =
        browser.post("/sign-in", &[("email", "nobody@acme.example"), ("password", "Tr0ub4dor&3")]).await;
    let told = |page: &Page| {
        page.text.split("field-error").nth(1).map(|it| it.chars().skip(20).take(200).collect::<String>())
    };
    assert_eq!(told(&wrong), told(&unknown), "which of the two is wrong is not told");
}

#[tokio::test]
async fn whoever_tries_passwords_is_told_to_wait() {
    let mut browser = Browser::new().await;
    let mut last = None;
    for _ in 0..12 {
        let page = browser
            .post("/sign-in", &[("email", "owner@acme.example"), ("password", "not the password")])
            .await;
        last = Some(page);
    }
    let page = last.unwrap();
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = page.headers.get(RETRY_AFTER).unwrap().to_str().unwrap().parse().unwrap();
    assert!((1..=900).contains(&seconds));
    assert!(page.text.contains("Too many attempts have failed. Wait "));
    assert_eq!(browser.sign_in().await.status, StatusCode::TOO_MANY_REQUESTS, "not even with the right one");
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    for (name, value) in
        [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("x-nothing", "x")]
    {
        let mut request = Browser::form("/sign-out", &[]);
        request.headers_mut().remove(ORIGIN);
        request.headers_mut().insert(name, value.parse().unwrap());
        let page = browser.page(request).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{name}: {value}");
        assert!(page.text.contains("That did not come from here") && page.text.contains("href=\"/\""));
    }
    assert_eq!(browser.get("/t/acme/activity").await.status, StatusCode::OK, "still signed in");
}

#[tokio::test]
async fn what_one_may_not_see_is_not_there() {
    let mut browser = Browser::new().await;
    let (other, _) = browser.world.another_tenant("beta").await;
    let (_ledger, ids) = browser.calls(&["notes.read_note"]).await;
    browser.sign_in().await;
    assert_eq!(browser.get(&format!("/t/acme/activity/{}", ids[0])).await.status, StatusCode::OK);
    let of_nobody = format!("/t/acme/activity/{}", browser.world.control.ambient().id::<CallId>());
    let of_beta = format!("/t/beta/activity/{}", ids[0]);
    for path in [
        "/t/beta/activity",
        "/t/beta",
        "/t/beta/activity/live",
        "/t/beta/activity/rejected",
        "/t/gamma/activity",
        "/t/ACME/activity",
        "/t/%00/activity",
        "/t/acme/activity/call_1",
        "/t/acme/activity/..",
        "/t/acme/money",
        "/x",
        &of_nobody,
        &of_beta,
    ] {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(page.text.contains("There is no such page") && !page.text.contains("beta Ltd"), "{path}");
    }
    let _ = other;
    // A member sees calls of their own agents alone, and no rejected requests.
    let world = browser.world.clone();
    let member = NewUser {
        email: "mia@acme.example".into(),
        name: "Mia Member".into(),
        home_unit: world.tenant.unit,
        password: Some(SecretString::from(PASSWORD)),
        role: Some(Role::Member),
    };
    control::users::create(&world.control, &world.operator, member).await.unwrap();
    let mut mia = browser.stranger();
    mia.post("/sign-in", &[("email", "mia@acme.example"), ("password", PASSWORD)]).await;
    let page = mia.get("/t/acme/activity").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text.contains("notes.read_note") && !page.text.contains("Rejected requests"));
    assert_eq!(mia.get(&format!("/t/acme/activity/{}", ids[0])).await.status, StatusCode::NOT_FOUND);
    assert_eq!(mia.get("/t/acme/activity/rejected").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn somebody_of_two_organizations_chooses() {
    let mut browser = Browser::new().await;
    let (beta, operator) = browser.world.another_tenant("beta").await;
    let same = NewUser {
        email: "owner@acme.example".into(),
        name: "Olga Elsewhere".into(),
        home_unit: beta.unit,
        password: Some(SecretString::from(PASSWORD)),
        role: Some(Role::Auditor),
    };
    control::users::create(&browser.world.control, &operator, same).await.unwrap();
    assert_eq!(browser.sign_in().await.leads_to(), "/sign-in/organization");
    assert!(browser.get("/t/acme/activity").await.leads_to().starts_with("/sign-in"), "not signed in yet");
    let page = browser.get("/sign-in/organization").await;
    assert!(
        page.text.contains("acme Ltd")
            && page.text.contains("beta Ltd")
            && page.text.contains("Olga Elsewhere")
    );
    let elsewhere = browser.post("/sign-in/organization", &[("organization", "gamma")]).await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    let chosen = browser.post("/sign-in/organization", &[("organization", "beta")]).await;
    assert_eq!(chosen.leads_to(), "/t/beta/activity");
    assert!(browser.get("/t/beta/activity").await.text.contains("Auditor"));
    assert_eq!(browser.get("/t/acme/activity").await.status, StatusCode::NOT_FOUND);
    // A link that led here says which one is meant.
    let fields =
        [("email", "owner@acme.example"), ("password", PASSWORD), ("next", "/t/acme/activity/rejected")];
    assert_eq!(browser.stranger().post("/sign-in", &fields).await.leads_to(), "/t/acme/activity/rejected");
    // Nobody chooses who has not signed in.
    let nobody = browser.stranger().post("/sign-in/organization", &[("organization", "beta")]).await;
    assert_eq!(nobody.leads_to(), "/sign-in");
}

#[tokio::test]
async fn a_person_who_is_suspended_is_out_at_the_next_click() {
    let mut browser = Browser::new().await;
    let world = browser.world.clone();
    let new = NewUser {
        email: "ada@acme.example".into(),
        name: "Ada Admin".into(),
        home_unit: world.tenant.unit,
        password: Some(SecretString::from(PASSWORD)),
        role: Some(Role::Admin),
    };
    let ada = control::users::create(&world.control, &world.operator, new).await.unwrap();
    browser.post("/sign-in", &[("email", "ada@acme.example"), ("password", PASSWORD)]).await;
    assert_eq!(browser.get("/t/acme/activity").await.status, StatusCode::OK);
    control::users::suspend(&world.control, &world.operator, ada).await.unwrap();
    assert_eq!(browser.get("/t/acme/activity").await.leads_to(), "/sign-in");
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn every_answer_tells_the_browser_what_to_refuse() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    for path in ["/sign-in", "/t/acme/activity", "/x", "/pkg/app.js", "/fonts/none"] {
        let page = browser.get(path).await;
        let policy = page.headers.get(CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe-inline"));
        assert_eq!(page.headers.get("x-content-type-options").unwrap(), "nosniff");
        assert_eq!(page.headers.get("referrer-policy").unwrap(), "same-origin");
        assert!(page.headers.contains_key("permissions-policy") && page.headers.contains_key("x-request-id"));
    }
    let page = browser.get("/t/acme/activity").await;
    assert_eq!(page.headers.get(CACHE_CONTROL).unwrap(), "no-store");
    let policy = page.headers.get(CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert!(page.text.contains(&format!("nonce=\"{nonce}\"")));
    assert!(!browser.get("/t/acme/activity").await.text.contains(nonce), "each answer has its own");
}

#[tokio::test]
async fn static_files_are_kept_for_ever_under_the_address_of_their_content() {
    let mut browser = Browser::new().await;
    let sheet = browser.get("/sign-in").await.text;
    let address =
        sheet.split("rel=\"stylesheet\" href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(address.starts_with("/pkg/app.css?v="));
    let file = browser.get(&address).await;
    assert_eq!(file.status, StatusCode::OK);
    assert!(file.headers.get(CACHE_CONTROL).unwrap().to_str().unwrap().contains("immutable"));
    assert!(
        !browser
            .get("/pkg/app.css")
            .await
            .headers
            .get(CACHE_CONTROL)
            .unwrap()
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    assert_eq!(browser.get("/pkg/../Cargo.toml").await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/pkg/").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn filters_stand_in_the_address_and_empty_ones_do_not() {
    let mut browser = Browser::new().await;
    let (_ledger, ids) = browser.calls(&["notes.read_note", "notes.write_note", "notes.read_note"]).await;
    browser.sign_in().await;
    let sent =
        browser.get("/t/acme/activity?span=all&from=&to=&agent=&module=&tool=&verdict=deny&outcome=").await;
    assert_eq!((sent.status, sent.leads_to()), (StatusCode::SEE_OTHER, "/t/acme/activity?verdict=deny"));
    let page = browser.get("/t/acme/activity?verdict=deny").await;
    assert!(page.text.contains(&ids[1].to_string()) && !page.text.contains(&ids[0].to_string()));
    assert!(page.text.contains("notes:write"), "the reason stands in the row");
    let older = browser.get(&format!("/t/acme/activity?before={}", ids[1])).await;
    assert!(older.text.contains(&ids[0].to_string()) && !older.text.contains(&ids[2].to_string()));
    assert!(older.text.contains("Newer"));
    let wrong = browser.get("/t/acme/activity?verdict=perhaps").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("Choose one of the decisions."));
}

#[tokio::test]
async fn a_call_appears_live_and_only_in_lists_that_want_it() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    let mut all =
        events(browser.send(Request::get("/t/acme/activity/live").body(Body::empty()).unwrap()).await);
    let mut denied = events(
        browser.send(Request::get("/t/acme/activity/live?verdict=deny").body(Body::empty()).unwrap()).await,
    );
    let begins = next(&mut all).await;
    assert!(
        begins.contains("event: all") && begins.contains("data: <"),
        "browsers drop events without data: {begins}"
    );
    assert!(next(&mut denied).await.contains("event: all"));
    let (_ledger, ids) = browser.calls(&["notes.read_note", "notes.write_note"]).await;
    let mut seen = String::new();
    while !ids.iter().all(|id| seen.contains(&format!("id=\"{id}\""))) {
        seen.push_str(&next(&mut all).await);
    }
    assert!(seen.contains("event: calls") && seen.contains("<tr "));
    let seen = next(&mut denied).await;
    assert!(seen.contains(&ids[1].to_string()) && !seen.contains(&ids[0].to_string()));

    // When the server stops, streams end by themselves.
    browser.stop.cancel();
    while let Ok(Some(_)) = tokio::time::timeout(std::time::Duration::from_secs(5), all.next()).await {}
}

type Events = std::pin::Pin<Box<dyn futures::Stream<Item = String> + Send>>;

fn events(response: Response<Body>) -> Events {
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers().get(CONTENT_TYPE).unwrap(), "text/event-stream");
    let data = response.into_body().into_data_stream();
    Box::pin(data.map(|chunk| String::from_utf8(chunk.unwrap().to_vec()).unwrap()))
}

async fn next(events: &mut Events) -> String {
    let seen = tokio::time::timeout(std::time::Duration::from_secs(10), events.next()).await;
    seen.expect("an event within ten seconds").expect("the stream goes on")
}

#[tokio::test]
async fn a_stream_without_a_session_says_so_and_ends() {
    let mut browser = Browser::new().await;
    let response = browser.send(Request::get("/t/acme/activity/live").body(Body::empty()).unwrap()).await;
    let mut stream = events(response);
    assert!(next(&mut stream).await.contains("event: end"));
    assert!(stream.next().await.is_none());
    browser.sign_in().await;
    for query in ["?verdict=perhaps", "?before=call_00000000000000000000000000000001", "?to=2026-01-01T00:00"]
    {
        assert_eq!(
            browser.get(&format!("/t/acme/activity/live{query}")).await.status,
            StatusCode::BAD_REQUEST
        );
    }
}

#[tokio::test]
async fn a_stream_ends_when_the_session_does() {
    let mut browser = Browser::new().await;
    browser.sign_in().await;
    let mut stream =
        events(browser.send(Request::get("/t/acme/activity/live").body(Body::empty()).unwrap()).await);
    next(&mut stream).await;
    browser.post("/sign-out", &[]).await;
    let mut said = String::new();
    while let Ok(Some(chunk)) = tokio::time::timeout(std::time::Duration::from_secs(15), stream.next()).await
    {
        said.push_str(&chunk);
    }
    assert!(said.contains("event: end"), "{said}");
}

#[tokio::test]
async fn requests_of_the_wrong_kind_get_a_page_that_says_so() {
    let mut browser = Browser::new().await;
    let page =
        browser.page(Request::delete("/sign-in").header(ORIGIN, OURS).body(Body::empty()).unwrap()).await;
    assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(page.text.contains("That cannot be done here"));
    let large = "x".repeat(70_000);
    let page = browser.post("/sign-in", &[("email", &large), ("password", "x")]).await;
    assert!(page.status.is_client_error() && page.text.contains("</html>"), "{}", page.status);
    let mut odd = Browser::form("/sign-in", &[]);
    odd.headers_mut().insert(CONTENT_TYPE, "application/json".parse().unwrap());
    assert_eq!(browser.page(odd).await.status, StatusCode::BAD_REQUEST);
    let head = browser
        .page(Request::builder().method(Method::HEAD).uri("/sign-in").body(Body::empty()).unwrap())
        .await;
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
}

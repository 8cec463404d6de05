//! The dashboard as a browser meets it, over a database of its own.

mod agents;
mod attack;
mod bundles;
mod catalog;
mod crm;
mod grants;
mod home;
mod joining;
mod limits;
mod money;
mod oauth;
mod people;
mod seeing;
mod settings;
mod signing_in;
mod watching;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use control::ledger::Ledger;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use model::CallId;
use model::access::Grantee;
use testkit::{PASSWORD, TestWorld};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::{Settings, router};
use crate::discovery::Discoverer;

const OURS: &str = "http://127.0.0.1:8080";

/// Upstream servers of tests are on this machine and are not waited for long.
fn local() -> gateway::Settings {
    gateway::Settings {
        allowed_upstream_networks: vec!["127.0.0.1/32".parse().unwrap()],
        upstream_timeout: std::time::Duration::from_secs(2),
        programs: gateway::Programs {
            known: [("git".to_owned(), gateway::Program::default())].into(),
            ..gateway::Programs::default()
        },
        ..gateway::Settings::default()
    }
}

/// A world with a dashboard, and a browser that keeps cookies.
struct Browser {
    world: Arc<TestWorld>,
    router: Router,
    cookies: BTreeMap<String, String>,
    stop: CancellationToken,
    calls: Arc<OnceLock<gateway::Gateway>>,
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
        Self::with(world, origin, |_| {})
    }

    /// At a dashboard that is set otherwise.
    fn with(world: Arc<TestWorld>, origin: &str, set: impl FnOnce(&mut Settings)) -> Self {
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
        let calls: Arc<OnceLock<gateway::Gateway>> = Arc::default();
        let mut settings = Settings {
            control: world.control.clone(),
            site,
            origin: origin.to_owned(),
            machines_origin: "http://127.0.0.1:8081".to_owned(),
            gateway: gateway::Settings { programs: local().programs, ..gateway::Settings::default() },
            discoverer: Discoverer::for_pages(&world.control, local()).unwrap(),
            calls: Arc::clone(&calls),
            work: TaskTracker::new(),
            sign_up_open: true,
            development: true,
            stop: stop.clone(),
        };
        set(&mut settings);
        let router = router(settings).unwrap();
        Self { world, router, cookies: BTreeMap::new(), stop, calls }
    }

    /// Another browser at the same dashboard.
    fn stranger(&self) -> Self {
        Self {
            cookies: BTreeMap::new(),
            world: self.world.clone(),
            router: self.router.clone(),
            stop: self.stop.clone(),
            calls: self.calls.clone(),
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
        self.page(Request::get(path).header(ACCEPT, "text/html").body(Body::empty()).unwrap()).await
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

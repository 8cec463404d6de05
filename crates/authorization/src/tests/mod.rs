//! A network of a few documents, and the whole way to a token over it.

mod challenges;
mod registering;
mod revoking;
mod tokens;
mod ways;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use http::{Request, Response};
use model::ambient::{Clock, Entropy};
use model::{Ambient, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};
use url::Url;

use crate::{Application, Fetch, NotFetched, Reach};

pub(super) const MCP: &str = "https://mcp.example.com/mcp";
pub(super) const RESOURCE: &str = "https://mcp.example.com/.well-known/oauth-protected-resource";
pub(super) const ISSUER: &str = "https://as.example.com";
pub(super) const METADATA: &str = "https://as.example.com/.well-known/oauth-authorization-server";

/// What stands at which address, and what was asked.
#[derive(Default)]
pub(super) struct Net {
    answers: Mutex<HashMap<String, Response<Vec<u8>>>>,
    asked: Mutex<Vec<Request<Vec<u8>>>>,
}

#[async_trait]
impl Fetch for Net {
    async fn fetch(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, NotFetched> {
        let url = request.uri().to_string();
        self.asked.lock().push(request);
        match self.answers.lock().get(&url) {
            Some(answer) if answer.status() == 599 => Err(NotFetched("nothing listens there".to_owned())),
            Some(answer) => Ok(answer.clone()),
            None => Ok(Response::builder().status(404).body(Vec::new()).unwrap()),
        }
    }
}

impl Net {
    /// A server at [`MCP`] that trusts [`ISSUER`].
    pub(super) fn usual() -> Self {
        let net = Self::default();
        net.put(&format!("{RESOURCE}/mcp"), json!({"resource": MCP, "authorization_servers": [ISSUER]}));
        net.put(METADATA, metadata());
        net.put(&format!("{ISSUER}/register"), json!({"client_id": "registered"}));
        net.put(
            &format!("{ISSUER}/token"),
            json!({"access_token": "a1", "token_type": "Bearer", "expires_in": 60, "refresh_token": "r1"}),
        );
        net
    }

    pub(super) fn put(&self, url: &str, document: Value) {
        self.answer(url, 200, &document.to_string());
    }

    pub(super) fn answer(&self, url: &str, status: u16, body: &str) {
        let answer = Response::builder().status(status).header("content-type", "application/json");
        self.answers.lock().insert(url.to_owned(), answer.body(body.as_bytes().to_vec()).unwrap());
    }

    pub(super) fn redirect(&self, url: &str, to: &str) {
        let answer = Response::builder().status(302).header("location", to).body(Vec::new()).unwrap();
        self.answers.lock().insert(url.to_owned(), answer);
    }

    /// The addresses that were asked, and forgets them.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().drain(..).map(|request| request.uri().to_string()).collect()
    }

    /// The last request: its `Authorization` and its form.
    pub(super) fn form(&self) -> (Option<String>, HashMap<String, String>) {
        let asked = self.asked.lock();
        let request = asked.last().unwrap();
        let authorization =
            request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        (authorization, url::form_urlencoded::parse(request.body()).into_owned().collect())
    }

    /// The JSON of the last request.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(self.asked.lock().last().unwrap().body()).unwrap()
    }

    pub(super) fn reach(&self) -> Reach<'_> {
        Reach { fetch: self, loopback: false }
    }
}

pub(super) fn metadata() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://as.example.com/authorize?kept=1",
        "token_endpoint": "https://as.example.com/token",
        "registration_endpoint": "https://as.example.com/register",
        "code_challenge_methods_supported": ["plain", "S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "authorization_response_iss_parameter_supported": true,
    })
}

/// Metadata with other members; null takes one away.
pub(super) fn metadata_with(others: Value) -> Value {
    let mut metadata = metadata();
    for (name, value) in others.as_object().unwrap() {
        match value {
            Value::Null => drop(metadata.as_object_mut().unwrap().remove(name)),
            value => metadata[name] = value.clone(),
        }
    }
    metadata
}

pub(super) fn application() -> Application {
    Application {
        name: "WorkingAgents".to_owned(),
        redirect: Url::parse("https://wa.example.com/oauth/callback").unwrap(),
        document: None,
    }
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

struct Counter(AtomicU8);

impl Entropy for Counter {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0.fetch_add(1, Ordering::SeqCst));
    }
}

impl Clock for Counter {
    fn now(&self) -> Timestamp {
        at(0)
    }

    fn since_boot(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

pub(super) fn ambient() -> Ambient {
    Ambient::new(Arc::new(Counter(0.into())), Arc::new(Counter(1.into())))
}

/// All of it can be awaited on any thread.
#[test]
fn futures_are_send() {
    fn send<T: Send>(_: T) {}
    async fn whole(
        reach: Reach<'_>,
        server: &crate::Server,
        application: &Application,
        pending: crate::Pending,
        grant: &crate::Access,
    ) {
        let _ = crate::discover(reach, "", None, None).await;
        let _ = crate::register(reach, server, application, None, None, at(0)).await;
        let _ = crate::redeem(reach, at(0), pending, crate::Returned::default()).await;
        let _ = grant.refresh(reach, at(0)).await;
        let _ = grant.revoke(reach).await;
    }
    fn boxed<'a>(
        reach: Reach<'a>,
        server: &'a crate::Server,
        application: &'a Application,
        pending: crate::Pending,
        grant: &'a crate::Access,
    ) {
        let it: std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>> =
            Box::pin(whole(reach, server, application, pending, grant));
        send(it);
    }
    let _ = boxed;
}

//! The admin who connects the module when its server asks for a token: follows the address of the authorization server as a
//! browser would, agrees, and comes back. What is granted is presented from then on.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use authorization::{
    Access, Application, Challenge, Fetch, Given, Reach, Returned, begin, discover, redeem, register, wanted,
};
use gateway::seams::{Connections, NotPresented};
use http::header::LOCATION;
use http::{Request, StatusCode};
use model::{Ambient, ConnectionId, TenantId};
use parking_lot::Mutex;
use secrecy::SecretString;
use serde_json::Value;

/// How often the admin is bothered before they give up.
const MOST: u32 = 3;

pub struct Admin {
    url: String,
    ambient: Ambient,
    fetch: OnceLock<Arc<dyn Fetch>>,
    /// The client that the suite has registered beforehand, if any.
    given: Option<Given>,
    had: Mutex<Had>,
}

#[derive(Default)]
struct Had {
    grant: Option<Access>,
    times: u32,
}

impl Admin {
    pub fn new(url: &str, ambient: Ambient, context: &Value) -> Self {
        let secret = context["client_secret"].as_str().map(str::to_owned);
        let given = context["client_id"].as_str().map(|id| Given::new(id, secret));
        Self { url: url.to_owned(), ambient, fetch: OnceLock::new(), given, had: Mutex::default() }
    }

    pub fn goes_out_by(&self, fetch: Arc<dyn Fetch>) {
        let _ = self.fetch.set(fetch);
    }

    pub fn presented(&self) -> Option<SecretString> {
        self.had.lock().grant.as_ref().map(Access::authorization)
    }

    /// Connects, or connects again, as the server wants.
    pub async fn connect(&self, challenge: &Challenge) -> Result<SecretString, String> {
        let before = {
            let mut had = self.had.lock();
            had.times += 1;
            if had.times > MOST {
                return Err("the server is never content".to_owned());
            }
            had.grant.clone()
        };
        let grant = self.authorize(challenge, before).await.map_err(|error| error.to_string())?;
        let secret = grant.authorization();
        println!("connected: {} for {}", grant.issuer(), grant.scopes);
        self.had.lock().grant = Some(grant);
        Ok(secret)
    }

    async fn authorize(
        &self,
        challenge: &Challenge,
        before: Option<Access>,
    ) -> Result<Access, authorization::Error> {
        let fetch = self.fetch.get().expect("a way out");
        let reach = Reach { fetch: &**fetch, loopback: true };
        let application = Application {
            name: "WorkingAgents".to_owned(),
            redirect: "http://localhost:3000/callback".parse().unwrap(),
            document: Some("https://conformance-test.local/client-metadata.json".parse().unwrap()),
        };
        let found = discover(reach, &self.url, Some(challenge), None).await?;
        let known = before.as_ref().map(|grant| &grant.client);
        let now = self.ambient.now();
        let client = register(reach, &found.server, &application, self.given.as_ref(), known, now).await?;
        // What another authorization server has granted is nothing here.
        let granted = before.filter(|grant| grant.issuer() == found.server.issuer).map(|grant| grant.scopes);
        let scopes = wanted(&found, Some(challenge), &granted.unwrap_or_default());
        let (url, pending) = begin(&self.ambient, &found, client, scopes);
        let visit = Request::get(url.as_str()).body(Vec::new()).unwrap();
        let page = fetch.fetch(visit).await.expect("a page");
        assert_eq!(page.status(), StatusCode::FOUND);
        let back = page.headers()[LOCATION].to_str().unwrap();
        let (_, query) = back.split_once('?').unwrap();
        redeem(reach, now, pending, Returned::read(query)).await
    }
}

#[async_trait]
impl Connections for Admin {
    async fn authorization(&self, _: TenantId, _: ConnectionId) -> Result<SecretString, NotPresented> {
        self.presented().ok_or(NotPresented::MustConnect)
    }

    async fn refused(
        &self,
        _: TenantId,
        _: ConnectionId,
        _: &SecretString,
        challenge: &Challenge,
    ) -> Result<Option<SecretString>, NotPresented> {
        self.connect(challenge).await.map(Some).map_err(|why| {
            println!("not connected: {why}");
            NotPresented::MustConnect
        })
    }
}

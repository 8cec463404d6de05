//! An authorization server of a few lines, reached without a network.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use authorization::{Application, Fetch, NotFetched};
use control::modules::connections;
use control::modules::tokens::Way;
use control::{Control, Error};
use http::{Request, Response};
use model::{ConnectionId, TenantId};
use parking_lot::Mutex;
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

pub const MCP: &str = "https://drive.example/mcp";
pub const ISSUER: &str = "https://as.example";

/// Gives a token for each code and each refresh token, and a new refresh token with it.
pub struct Issuer {
    given: AtomicU64,
    registered: AtomicU64,
    /// What was sent to its token endpoint.
    pub asked: Mutex<Vec<HashMap<String, String>>>,
    /// With what it answers instead.
    pub answer: Mutex<Option<(u16, Value)>>,
    /// How long it takes.
    pub pause: Mutex<Duration>,
    /// How many seconds its tokens live; none: an hour.
    pub lifetime: Mutex<Option<u64>>,
    /// Whether it gives nothing to renew with.
    pub once: Mutex<bool>,
    /// What was given back to it, or was to be.
    pub revoked: Mutex<Vec<HashMap<String, String>>>,
    /// The status with which it answers that.
    pub revokes: Mutex<u16>,
}

impl Default for Issuer {
    fn default() -> Self {
        Self {
            given: AtomicU64::default(),
            registered: AtomicU64::default(),
            asked: Mutex::default(),
            answer: Mutex::default(),
            pause: Mutex::default(),
            lifetime: Mutex::default(),
            once: Mutex::default(),
            revoked: Mutex::default(),
            revokes: Mutex::new(200),
        }
    }
}

#[async_trait]
impl Fetch for Issuer {
    async fn fetch(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, NotFetched> {
        let (status, answer) = match request.uri().to_string().as_str() {
            "https://drive.example/.well-known/oauth-protected-resource/mcp" => (
                200,
                json!({"resource": MCP, "authorization_servers": [ISSUER], "scopes_supported": ["files"]}),
            ),
            "https://as.example/.well-known/oauth-authorization-server" => (
                200,
                json!({"issuer": ISSUER, "authorization_endpoint": "https://as.example/authorize",
                    "token_endpoint": "https://as.example/token", "registration_endpoint": "https://as.example/register",
                    "revocation_endpoint": "https://as.example/revoke",
                    "code_challenge_methods_supported": ["S256"], "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"]}),
            ),
            "https://as.example/register" => {
                let number = self.registered.fetch_add(1, Ordering::SeqCst) + 1;
                (201, json!({"client_id": format!("client-{number}"), "client_secret": "their-secret"}))
            }
            "https://as.example/token" => {
                let form = url::form_urlencoded::parse(request.body()).into_owned().collect();
                self.asked.lock().push(form);
                let pause = *self.pause.lock();
                tokio::time::sleep(pause).await;
                let number = self.given.fetch_add(1, Ordering::SeqCst) + 1;
                let mut token = json!({"access_token": format!("token-{number}"), "token_type": "Bearer",
                    "expires_in": self.lifetime.lock().unwrap_or(3600)});
                if !*self.once.lock() {
                    token["refresh_token"] = json!(format!("refresh-{number}"));
                }
                self.answer.lock().clone().unwrap_or((200, token))
            }
            "https://as.example/revoke" => {
                let form = url::form_urlencoded::parse(request.body()).into_owned().collect();
                self.revoked.lock().push(form);
                let pause = *self.pause.lock();
                tokio::time::sleep(pause).await;
                (*self.revokes.lock(), Value::Null)
            }
            _ => (404, Value::Null),
        };
        let response = Response::builder().status(status).header("content-type", "application/json");
        Ok(response.body(answer.to_string().into_bytes()).unwrap())
    }
}

/// The way to it.
pub fn way(issuer: &Arc<Issuer>) -> Way {
    Way { fetch: Arc::<Issuer>::clone(issuer), loopback: false }
}

/// Leads to one that nobody asks anything.
pub fn nowhere() -> Way {
    way(&Arc::default())
}

/// What we say of ourselves.
pub fn application() -> Application {
    Application {
        name: "WorkingAgents".to_owned(),
        redirect: Url::parse("https://wa.example/t/acme/oauth/callback").unwrap(),
        document: None,
    }
}

/// What a connection presents that needs nobody to be asked.
pub async fn presented(
    control: &Control,
    tenant: TenantId,
    connection: ConnectionId,
) -> Result<SecretString, Error> {
    let nowhere = Arc::new(Issuer::default());
    let presented = connections::authorization(control, &way(&nowhere), tenant, connection).await;
    assert!(nowhere.asked.lock().is_empty());
    presented.map(|presented| presented.secret)
}

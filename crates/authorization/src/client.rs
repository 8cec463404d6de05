//! How we are known to an authorization server (MCP, Client Registration).

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Request};
use model::Timestamp;
use oauth2::{ClientId, ClientSecret};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use crate::error::Error;
use crate::fetch::{Reach, cut};
use crate::place;
use crate::server::Server;

/// Longest client ID and secret that are taken, in bytes.
const LONGEST: usize = 2048;

/// What we say of ourselves.
#[derive(Debug, Clone)]
pub struct Application {
    /// What people are shown who are asked for access.
    pub name: String,
    /// Where they come back to.
    pub redirect: Url,
    /// Where [`document`] is served to everybody: an `https` address with a path. None: nowhere.
    pub document: Option<Url>,
}

/// How a client proves who it is at the token endpoint (RFC 7591 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// By its secret, in a header (`client_secret_basic`).
    Basic,
    /// By its secret, in the body (`client_secret_post`).
    Post,
    /// Not at all: a public client.
    None,
}

/// How a client became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// An admin registered it by hand.
    Given,
    /// By the address of a document about it, which every authorization server can read.
    Document,
    /// It registered itself (RFC 7591).
    Registered,
}

/// A client as one authorization server knows it, and no other.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Client {
    /// Whose client it is; empty for one that was given and not used yet.
    pub issuer: String,
    /// Its ID.
    pub id: ClientId,
    /// Its secret, if it has one. Its `Debug` does not show it.
    pub secret: Option<ClientSecret>,
    /// When that is over.
    pub secret_ends: Option<Timestamp>,
    /// How it proves who it is.
    pub method: Method,
    /// How it became known.
    pub origin: Origin,
    /// Where people come back to, as it was registered.
    pub redirect: Url,
}

/// A client that an admin registered by hand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Given {
    /// Its ID.
    pub id: ClientId,
    /// Its secret, if it has one.
    pub secret: Option<ClientSecret>,
    /// At which authorization server; none until that is known.
    pub issuer: Option<String>,
}

impl Given {
    /// One whose authorization server is not known yet. An empty secret is none.
    pub fn new(id: &str, secret: Option<String>) -> Self {
        let secret = secret.filter(|secret| !secret.is_empty()).map(ClientSecret::new);
        Self { id: ClientId::new(id.to_owned()), secret, issuer: None }
    }
}

/// The client by which this authorization server knows us: the one that was given, or the one that is `known` from before, or a
/// document about us, or one that is registered now (in the order of MCP, Client Registration).
pub async fn register(
    reach: Reach<'_>,
    server: &Server,
    application: &Application,
    given: Option<&Given>,
    known: Option<&Client>,
    now: Timestamp,
) -> Result<Client, Error> {
    if let Some(given) = given {
        return of_given(server, application, given);
    }
    if let Some(known) = known
        && known.still_serves(server, application, now)
    {
        return Ok(known.clone());
    }
    if let Some(document) = application.document.as_ref().filter(|_| server.takes_documents) {
        return Ok(Client {
            issuer: server.issuer.clone(),
            id: ClientId::new(document.to_string()),
            secret: None,
            secret_ends: None,
            method: Method::None,
            origin: Origin::Document,
            redirect: application.redirect.clone(),
        });
    }
    match &server.registration_endpoint {
        Some(endpoint) => introduce(reach, server, endpoint, application).await,
        None => Err(Error::NotRegistered {
            issuer: cut(&server.issuer, 200),
            redirect: application.redirect.to_string(),
        }),
    }
}

impl Client {
    /// Whether it is the registration that would be made now.
    fn still_serves(&self, server: &Server, application: &Application, now: Timestamp) -> bool {
        self.origin == Origin::Registered
            && self.issuer == server.issuer
            && self.redirect == application.redirect
            && self.secret_ends.is_none_or(|end| end > now)
    }
}

fn of_given(server: &Server, application: &Application, given: &Given) -> Result<Client, Error> {
    if let Some(registered) = given.issuer.as_ref().filter(|issuer| **issuer != server.issuer) {
        return Err(Error::ClientOfAnother {
            issuer: cut(&server.issuer, 200),
            registered: cut(registered, 200),
        });
    }
    Ok(Client {
        issuer: server.issuer.clone(),
        id: given.id.clone(),
        secret: given.secret.clone(),
        secret_ends: None,
        method: if given.secret.is_some() { server.method_with_secret()? } else { Method::None },
        origin: Origin::Given,
        redirect: application.redirect.clone(),
    })
}

#[derive(Deserialize)]
struct Registered {
    client_id: String,
    client_secret: Option<String>,
    client_secret_expires_at: Option<i64>,
    token_endpoint_auth_method: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Registers (RFC 7591 section 3).
async fn introduce(
    reach: Reach<'_>,
    server: &Server,
    endpoint: &Url,
    application: &Application,
) -> Result<Client, Error> {
    let asked = server.preferred_method()?;
    // What "web" means, and what not, matters to OpenID Connect (Dynamic Client Registration 1.0 section 2).
    let kind = if place::is_loopback(&application.redirect) { "native" } else { "web" };
    let metadata = about(application, asked, ("application_type", kind));
    let mut request = Request::new(metadata.to_string().into_bytes());
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = place::uri(endpoint)?;
    for name in [ACCEPT, CONTENT_TYPE] {
        request.headers_mut().insert(name, HeaderValue::from_static("application/json"));
    }
    let response = reach.send(request).await?;
    let refused = |why: String| Error::RegistrationRefused { issuer: cut(&server.issuer, 200), why };
    if !response.status().is_success() {
        let said: Option<Refusal> = serde_json::from_slice(response.body()).ok();
        return Err(refused(match said {
            Some(Refusal { error, error_description }) if !error.is_empty() => {
                in_words(&error, &error_description)
            }
            _ => format!("HTTP status {}", response.status().as_u16()),
        }));
    }
    let registered: Registered = serde_json::from_slice(response.body())
        .map_err(|error| refused(format!("its answer cannot be read: {}", cut(&error.to_string(), 200))))?;
    let fits = |text: &str| (1..=LONGEST).contains(&text.len()) && !text.contains(char::is_control);
    if !fits(&registered.client_id) || !registered.client_secret.as_deref().is_none_or(fits) {
        return Err(refused("the client ID or the secret that it gave cannot be used".to_owned()));
    }
    let method = match registered.token_endpoint_auth_method.as_deref() {
        Some(word) => Method::of(word).ok_or_else(|| unknown(server, word))?,
        None => asked,
    };
    // One without a secret has nothing to prove.
    let method = if registered.client_secret.is_some() { method } else { Method::None };
    Ok(Client {
        issuer: server.issuer.clone(),
        id: ClientId::new(registered.client_id),
        secret: registered.client_secret.filter(|_| method != Method::None).map(ClientSecret::new),
        // 0: never.
        secret_ends: registered
            .client_secret_expires_at
            .filter(|at| *at > 0)
            .and_then(|at| Timestamp::from_timestamp(at, 0)),
        method,
        origin: Origin::Registered,
        redirect: application.redirect.clone(),
    })
}

/// The document about us that stands at our client ID (Client ID Metadata Document, section 4).
pub fn document(application: &Application) -> serde_json::Value {
    let id = application.document.as_ref().map_or("", Url::as_str);
    about(application, Method::None, ("client_id", id))
}

fn about(application: &Application, method: Method, (name, value): (&str, &str)) -> serde_json::Value {
    json!({
        name: value,
        "client_name": application.name,
        "redirect_uris": [application.redirect.as_str()],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": method.word(),
    })
}

/// An error code and what is said of it.
pub(crate) fn in_words(error: &str, description: &str) -> String {
    match description {
        "" => cut(error, 60),
        description => format!("{} ({})", cut(description, 300), cut(error, 60)),
    }
}

fn unknown(server: &Server, method: &str) -> Error {
    Error::UnknownMethod { issuer: cut(&server.issuer, 200), method: cut(method, 60) }
}

impl Method {
    fn word(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::None => "none",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Basic, Self::Post, Self::None].into_iter().find(|method| method.word() == word)
    }
}

impl Server {
    /// The best that both know: a secret is better than none.
    fn preferred_method(&self) -> Result<Method, Error> {
        self.first_of(&[Method::Basic, Method::Post, Method::None])
    }

    fn method_with_secret(&self) -> Result<Method, Error> {
        self.first_of(&[Method::Basic, Method::Post])
    }

    fn first_of(&self, known: &[Method]) -> Result<Method, Error> {
        // What is not said is `client_secret_basic` (RFC 8414 section 2).
        let Some(theirs) = &self.methods else { return Ok(Method::Basic) };
        let both = known.iter().find(|method| theirs.iter().any(|word| word == method.word()));
        both.copied().ok_or_else(|| unknown(self, &theirs.join(", ")))
    }
}

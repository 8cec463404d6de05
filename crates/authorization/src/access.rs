//! Access that was given: the token that is presented, and how it is renewed.

use std::pin::Pin;
use std::time::Duration;

use chrono::TimeDelta;
use model::Timestamp;
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicTokenResponse, BasicTokenType};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, AuthorizationCode, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, TokenResponse as _,
    TokenUrl,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::client::{Client, Method, in_words};
use crate::error::Error;
use crate::fetch::{MOST_BYTES, NotFetched, Reach, cut};
use crate::place;
use crate::scopes::Scopes;

/// Longest token that is taken, in bytes: it has to fit into a header.
const LONGEST: usize = 8 << 10;
/// Longest lifetime that is believed.
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);

/// What an authorization server gave. It holds secrets: whoever keeps it seals it. Its `Debug` does not show them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Access {
    /// As whom.
    pub client: Client,
    /// What it is good for.
    pub scopes: Scopes,
    /// Until when the token can be presented; none if nobody said.
    pub ends: Option<Timestamp>,
    /// What the token is for (RFC 8707).
    pub resource: String,
    token_endpoint: Url,
    /// None: nobody said where, or it was given before that was kept.
    #[serde(default)]
    pub(crate) revocation_endpoint: Option<Url>,
    pub(crate) token: Option<AccessToken>,
    pub(crate) refresh: Option<RefreshToken>,
}

type Asking = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

impl Access {
    /// One that is only asked for.
    pub(crate) fn asking(
        client: Client,
        token_endpoint: Url,
        revocation_endpoint: Option<Url>,
        resource: String,
        scopes: Scopes,
    ) -> Self {
        Self {
            client,
            scopes,
            ends: None,
            resource,
            token_endpoint,
            revocation_endpoint,
            token: None,
            refresh: None,
        }
    }

    /// The value of the `Authorization` header.
    pub fn authorization(&self) -> SecretString {
        let token = self.token.as_ref().map_or("", |token| token.secret());
        SecretString::from(format!("Bearer {token}"))
    }

    /// Whether it can be renewed without a person.
    pub fn can_be_renewed(&self) -> bool {
        self.refresh.is_some()
    }

    /// Who gave it.
    pub fn issuer(&self) -> &str {
        &self.client.issuer
    }

    pub(crate) async fn redeem(
        self,
        reach: Reach<'_>,
        now: Timestamp,
        code: AuthorizationCode,
        verifier: PkceCodeVerifier,
    ) -> Result<Self, Error> {
        let send = Sending(reach);
        let given = self
            .client()
            .exchange_code(code)
            .set_pkce_verifier(verifier)
            .add_extra_param("resource", &self.resource)
            .request_async(&send)
            .await;
        self.with(given, now)
    }

    /// Renews it (RFC 6749 section 6). A refresh token may be used but once: whoever calls this keeps what it returns, and sees
    /// to it that nobody else does the same with the old one.
    ///
    /// # Errors
    /// [`Error::is_over`] tells whether a person has to connect again.
    pub async fn refresh(&self, reach: Reach<'_>, now: Timestamp) -> Result<Self, Error> {
        let token =
            self.refresh.as_ref().ok_or_else(|| Error::NoRefresh { issuer: cut(self.issuer(), 200) })?;
        let send = Sending(reach);
        let given = self
            .client()
            .exchange_refresh_token(token)
            .add_extra_param("resource", &self.resource)
            .request_async(&send)
            .await;
        self.clone().with(given, now)
    }

    fn client(&self) -> Asking {
        let client = &self.client;
        let mut asking = BasicClient::new(client.id.clone())
            .set_token_uri(TokenUrl::from_url(self.token_endpoint.clone()))
            .set_redirect_uri(RedirectUrl::from_url(client.redirect.clone()))
            .set_auth_type(match client.method {
                Method::Basic => AuthType::BasicAuth,
                Method::Post | Method::None => AuthType::RequestBody,
            });
        if let Some(secret) = client.secret.as_ref().filter(|_| client.method != Method::None) {
            asking = asking.set_client_secret(secret.clone());
        }
        asking
    }

    fn with(
        mut self,
        given: Result<BasicTokenResponse, RequestTokenError<NotFetched, BasicErrorResponse>>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let given = given.map_err(|error| self.trouble(error))?;
        let bad = |why| Error::BadToken { issuer: cut(self.issuer(), 200), why };
        if !matches!(given.token_type(), BasicTokenType::Bearer) {
            return Err(bad("it is not a bearer token"));
        }
        let fits = |token: &str| {
            (1..=LONGEST).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !fits(given.access_token().secret()) {
            return Err(bad("it cannot stand in a header"));
        }
        if given.refresh_token().is_some_and(|token| !(1..=LONGEST).contains(&token.secret().len())) {
            return Err(bad("what it can be renewed with is too long"));
        }
        self.ends = given.expires_in().and_then(|lifetime| {
            let lifetime = lifetime.min(LONGEST_LIFE).as_secs();
            now.checked_add_signed(TimeDelta::seconds(i64::try_from(lifetime).ok()?))
        });
        if let Some(scopes) = given.scopes() {
            self.scopes = scopes.iter().map(|scope| scope.as_str()).collect();
        }
        self.token = Some(given.access_token().clone());
        // One that is not replaced stays good (RFC 6749 section 6).
        if let Some(refresh) = given.refresh_token() {
            self.refresh = Some(refresh.clone());
        }
        Ok(self)
    }

    fn trouble(&self, error: RequestTokenError<NotFetched, BasicErrorResponse>) -> Error {
        let url = place::shown(self.token_endpoint.as_str());
        match error {
            RequestTokenError::ServerResponse(said) => {
                let error = said.error().to_string();
                let why = in_words(&error, said.error_description().map_or("", String::as_str));
                Error::TokenRefused { issuer: cut(self.issuer(), 200), error: cut(&error, 60), why }
            }
            RequestTokenError::Request(NotFetched(why)) => Error::Unreachable { url, why },
            RequestTokenError::Parse(_, body) => match serde_json::from_slice(&body) {
                // Some refuse with HTTP status 200.
                Ok(said) => self.trouble(RequestTokenError::ServerResponse(said)),
                // What it answered may hold a token, so it is not repeated.
                Err(_) => Error::Garbage { url, why: "it is no token response".to_owned() },
            },
            RequestTokenError::Other(why) => Error::Garbage { url, why: cut(&why, 200) },
        }
    }
}

/// The way out as `oauth2` wants it.
struct Sending<'a>(Reach<'a>);

impl<'c> AsyncHttpClient<'c> for Sending<'_> {
    type Error = NotFetched;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, NotFetched>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let response = self.0.fetch.fetch(request).await?;
            if response.body().len() > MOST_BYTES {
                return Err(NotFetched("its answer is too large".to_owned()));
            }
            Ok(response)
        })
    }
}

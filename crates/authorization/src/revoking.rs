//! Giving back what was given, once there is no use for it (RFC 7009).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::access::Access;
use crate::client::{self, in_words};
use crate::error::Error;
use crate::fetch::{Reach, cut};
use crate::place;

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Access {
    /// Gives it back: what it can be renewed with, and thereby what was given with it; else the token itself (RFC 7009 section 2.1). It
    /// need not be known there any more. Whether there is a place for that.
    ///
    /// # Errors
    /// It may still be good. [`Error::may_pass`] tells whether to try again is worth it.
    pub async fn revoke(&self, reach: Reach<'_>) -> Result<bool, Error> {
        let Some(endpoint) = &self.revocation_endpoint else { return Ok(false) };
        let Some(request) = self.revocation(endpoint)? else { return Ok(false) };
        let response = reach.send(request).await?;
        match response.status() {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(true),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => {
                let said: Option<Refusal> = serde_json::from_slice(response.body()).ok();
                let why = match said {
                    Some(said) if !said.error.is_empty() => in_words(&said.error, &said.error_description),
                    _ => format!("HTTP status {}", response.status().as_u16()),
                };
                Err(Error::NotRevoked { issuer: cut(self.issuer(), 200), why })
            }
            status => Err(Error::Status { url: place::shown(endpoint.as_str()), status: status.as_u16() }),
        }
    }

    fn revocation(&self, endpoint: &Url) -> Result<Option<Request<Vec<u8>>>, Error> {
        let (hint, token) = match (&self.refresh, &self.token) {
            (Some(refresh), _) => ("refresh_token", refresh.secret()),
            (None, Some(token)) => ("access_token", token.secret()),
            (None, None) => return Ok(None),
        };
        let mut form = Serializer::new(String::new());
        form.append_pair("token", token).append_pair("token_type_hint", hint);
        let mut request = Request::new(Vec::new());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = place::uri(endpoint)?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let (id, secret) = (self.client.id.as_str(), self.client.secret.as_ref());
        match (self.client.method, secret) {
            (client::Method::Basic, Some(secret)) => {
                headers.insert(AUTHORIZATION, basic(id, secret.secret())?);
            }
            (client::Method::Post, Some(secret)) => {
                form.append_pair("client_id", id).append_pair("client_secret", secret.secret());
            }
            _ => {
                form.append_pair("client_id", id);
            }
        }
        *request.body_mut() = form.finish().into_bytes();
        Ok(Some(request))
    }
}

/// ID and secret as HTTP Basic takes them (RFC 6749 section 2.3.1). It is not shown.
fn basic(id: &str, secret: &str) -> Result<HeaderValue, Error> {
    let coded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let value = format!("Basic {}", STANDARD.encode(format!("{}:{}", coded(id), coded(secret))));
    // Base64 can always stand in a header.
    let mut value = HeaderValue::try_from(value).map_err(|_| Error::BadClient { issuer: String::new() })?;
    value.set_sensitive(true);
    Ok(value)
}

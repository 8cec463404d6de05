//! The way out, injected: one HTTP exchange at a time.

use async_trait::async_trait;
use http::header::{ACCEPT, LOCATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

use crate::Error;
use crate::place;

/// Most bytes of an answer that are read.
pub const MOST_BYTES: usize = 256 << 10;
/// How many redirects a document may be away.
const MOST_REDIRECTS: usize = 3;

/// Makes HTTP requests, under whatever rules there are for where they may go.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// One exchange. Follows no redirects, reads at most [`MOST_BYTES`] of a body, and ends within a bounded time.
    async fn fetch(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, NotFetched>;
}

/// No answer came; a sentence for the person who set the address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotFetched(pub String);

/// How authorization servers are reached.
#[derive(Clone, Copy)]
pub struct Reach<'a> {
    /// The way out.
    pub fetch: &'a dyn Fetch,
    /// Whether `http` is enough on this machine's own loopback addresses, as in development.
    pub loopback: bool,
}

/// A document that was looked for.
pub(crate) enum Found<T> {
    /// It is there.
    Document(T),
    /// It is not; why it is none, where something else is there.
    Nothing(Option<String>),
}

impl Reach<'_> {
    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Error> {
        let url = request.uri().to_string();
        let response = self
            .fetch
            .fetch(request)
            .await
            .map_err(|NotFetched(why)| Error::Unreachable { url: place::shown(&url), why })?;
        if response.body().len() > MOST_BYTES {
            return Err(Error::Garbage { url: place::shown(&url), why: "it is too large".to_owned() });
        }
        Ok(response)
    }

    /// Gets a JSON document, over a few redirects. What answers 4xx, or with something else than JSON, has none.
    pub(crate) async fn document<T: DeserializeOwned>(&self, url: Url) -> Result<Found<T>, Error> {
        let mut url = url;
        for _ in 0..=MOST_REDIRECTS {
            let mut request = Request::new(Vec::new());
            *request.method_mut() = Method::GET;
            *request.uri_mut() = place::uri(&url)?;
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
            let response = self.send(request).await?;
            let status = response.status();
            match status {
                StatusCode::OK => {
                    return Ok(match serde_json::from_slice(response.body()) {
                        Ok(document) => Found::Document(document),
                        Err(error) => Found::Nothing(Some(format!(
                            "what is at {} cannot be read: {}",
                            place::shown(url.as_str()),
                            cut(&error.to_string(), 200)
                        ))),
                    });
                }
                StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {}
                status if status.is_client_error() || status.is_success() => return Ok(Found::Nothing(None)),
                status if status.is_redirection() => {
                    let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
                    let to = to.and_then(|to| url.join(to).ok());
                    let Some(to) = to else { return Ok(Found::Nothing(None)) };
                    url = place::checked(to.as_str(), self.loopback)?;
                    continue;
                }
                _ => {}
            }
            return Err(Error::Status { url: place::shown(url.as_str()), status: status.as_u16() });
        }
        Err(Error::Garbage { url: place::shown(url.as_str()), why: "it redirects without end".to_owned() })
    }
}

/// The beginning of a text from outside, without what would tear a line apart.
pub(crate) fn cut(text: &str, most: usize) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(most).collect()
}

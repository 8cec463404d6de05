//! The way out to authorization servers: the same client as for upstream servers, so that the same addresses are refused.

use std::time::Duration;

use async_trait::async_trait;
use authorization::{Fetch, MOST_BYTES, NotFetched};
use bytes::Bytes;
use http::header::USER_AGENT;
use http::{Request, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::client::HttpClient;
use super::exchange::WE;
use super::sending::Outgoing;
use super::trouble::{Place, Trouble};

/// How long one exchange may take at most.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Guarded {
    pub(super) http: HttpClient,
    pub(super) timeout: Duration,
}

#[async_trait]
impl Fetch for Guarded {
    async fn fetch(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, NotFetched> {
        let mut request = request.map(|body| Outgoing::any_time(Bytes::from(body)));
        request.headers_mut().insert(USER_AGENT, WE);
        let url = super::without_query(&request.uri().to_string());
        let authority = request.uri().authority().map_or_else(String::new, |authority| authority.to_string());
        let exchange = async {
            let response = self.http.request(request).await.map_err(|error| {
                let place = Place { url: &url, authority: &authority };
                NotFetched(Trouble::of_client(&error, error.is_connect(), &place).to_string())
            })?;
            let (head, body) = response.into_parts();
            match Limited::new(body, MOST_BYTES).collect().await {
                Ok(body) => Ok(Response::from_parts(head, body.to_bytes().to_vec())),
                Err(error) if error.is::<LengthLimitError>() => {
                    Err(NotFetched(format!("it answered with more than {MOST_BYTES} bytes")))
                }
                Err(_) => Err(NotFetched("it broke off before its answer was complete".to_owned())),
            }
        };
        let late = || NotFetched(format!("it did not answer within {} s", self.timeout.as_secs().max(1)));
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or_else(|_| Err(late()))
    }
}

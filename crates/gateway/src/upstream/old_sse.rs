//! The transport of MCP 2024-11-05, HTTP with SSE: a stream of events says first where messages are to be posted, then carries all that
//! the server says. Who is posted to and answers that it takes none may speak it (2025-11-25, Transports, Backwards Compatibility).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use url::Url;

use super::answer::Answer;
use super::client::HttpClient;
use super::events::Events;
use super::exchange::{ERROR_BODY, Peer, SESSION_HEADER, is_stream};
use super::pipe::{Out, Pipe, Source, in_use};
use super::sending::Outgoing;
use super::trouble::{Place, Trouble};

/// How long it may take to say where messages go.
const ENDPOINT: Duration = Duration::from_secs(5);
/// After how long without a call a stream is given up.
const IDLE: Duration = Duration::from_secs(300);

/// Where messages are posted.
#[derive(Debug)]
pub(super) struct Posting {
    http: HttpClient,
    to: Uri,
    url: Arc<str>,
}

impl Posting {
    /// With the response, where the message was not taken.
    pub(super) async fn post(
        &self,
        mut request: Request<Outgoing>,
    ) -> Result<Option<Response<Answer>>, Trouble> {
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.to.clone();
        request.headers_mut().remove(SESSION_HEADER);
        let place = Place { url: &self.url, authority: self.to.authority().map_or("", |to| to.as_str()) };
        let response = self
            .http
            .request(request)
            .await
            .map_err(|error| Trouble::of_client(&error, error.is_connect(), &place))?;
        if !response.status().is_success() {
            return Ok(Some(response.map(Answer::Http)));
        }
        // So that the connection can be used again.
        let rest = Limited::new(response.into_body(), ERROR_BODY).collect();
        tokio::spawn(async move { tokio::time::timeout(ENDPOINT, rest).await.is_ok() });
        Ok(None)
    }
}

/// Opens the stream. None: this is no such server.
pub(super) async fn open(peer: &Peer) -> Result<Option<Arc<Pipe>>, Trouble> {
    let opening = async {
        let response = peer.http.request(peer.streaming()).await.ok()?;
        let (head, body) = response.into_parts();
        if !head.status.is_success() || !is_stream(&head.headers) {
            return None;
        }
        let stream =
            Stream { url: peer.url.clone(), body, events: Events::new(peer.limit), early: Vec::new() };
        stream.with_endpoint().await
    };
    let Ok(Some((endpoint, stream))) = tokio::time::timeout(ENDPOINT, opening).await else {
        return Ok(None);
    };
    let to = there(&peer.uri, &endpoint).map_err(|why| peer.not_mcp(why))?;
    let posting = Posting { http: peer.http.clone(), to, url: peer.url.clone() };
    Ok(Some(Pipe::new(peer.url.clone(), Out::Post(Arc::new(posting)), stream, in_use(), IDLE)))
}

/// The place that a server names, if it is its own.
fn there(uri: &Uri, endpoint: &[u8]) -> Result<Uri, &'static str> {
    let unreadable = "the address that it names for messages cannot be read";
    let base = Url::parse(&uri.to_string()).map_err(|_| unreadable)?;
    let endpoint = std::str::from_utf8(endpoint).map_err(|_| unreadable)?;
    let mut to = base.join(endpoint.trim()).map_err(|_| unreadable)?;
    if to.origin() != base.origin() || !to.username().is_empty() || to.password().is_some() {
        return Err("the address that it names for messages is at another origin than its own");
    }
    to.set_fragment(None);
    to.as_str().parse().map_err(|_| unreadable)
}

struct Stream {
    url: Arc<str>,
    body: Incoming,
    events: Events,
    /// What came along with the endpoint.
    early: Vec<Bytes>,
}

impl Stream {
    async fn with_endpoint(mut self) -> Option<(Vec<u8>, Self)> {
        loop {
            let frame = self.body.frame().await?.ok()?;
            let Some(piece) = frame.data_ref() else { continue };
            let messages = self.events.feed(piece).ok()?;
            self.early.extend(messages.into_iter().map(Bytes::from));
            if let Some(endpoint) = self.events.endpoint() {
                return Some((endpoint, self));
            }
            // It is to come first.
            if !self.early.is_empty() {
                return None;
            }
        }
    }
}

impl Source for Stream {
    async fn next(&mut self) -> Result<Vec<Bytes>, Trouble> {
        if !self.early.is_empty() {
            return Ok(std::mem::take(&mut self.early));
        }
        loop {
            let frame = self.body.frame().await;
            let Some(Ok(frame)) = frame else { return Err(Trouble::BrokeOff { url: self.url.to_string() }) };
            let Some(piece) = frame.data_ref() else { continue };
            let messages = self
                .events
                .feed(piece)
                .map_err(|_| Trouble::TooLarge { url: self.url.to_string(), limit: self.events.limit() })?;
            if !messages.is_empty() {
                self.events.begin_again();
                return Ok(messages.into_iter().map(Bytes::from).collect());
            }
        }
    }

    async fn end(self, trouble: Option<Trouble>) -> Option<Trouble> {
        trouble
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_to_the_same_origin_and_nowhere_else() {
        let base: Uri = "https://mcp.example.com/a/sse?key=1".parse().unwrap();
        let there = |endpoint: &str| super::there(&base, endpoint.as_bytes()).map(|uri| uri.to_string());
        assert_eq!(there("/messages?session=2").unwrap(), "https://mcp.example.com/messages?session=2");
        assert_eq!(there("messages").unwrap(), "https://mcp.example.com/a/messages");
        assert_eq!(there("https://mcp.example.com:443/m#x").unwrap(), "https://mcp.example.com/m");
        for foreign in [
            "http://mcp.example.com/m",
            "https://other.example.com/m",
            "//other.example.com/m",
            "https://mcp.example.com:8443/m",
            "https://user@mcp.example.com/m",
            "file:///etc/passwd",
            "\\\\other.example.com/m",
        ] {
            assert!(there(foreign).is_err(), "{foreign}");
        }
    }
}

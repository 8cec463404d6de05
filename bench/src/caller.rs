//! One caller: one keep-alive HTTP/1.1 connection to an MCP endpoint, reconnecting when it breaks. Written on
//! hyper's connection itself, because the load generator shares its processors with what it measures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Failure;
use crate::message::{CallTemplate, LEGACY, MODERN, Verdict, excerpt, from_event_stream, judge};
use crate::tally::End;

/// A call that has not been answered by then has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Answers larger than this are not read to the end.
const MAX_REPLY: usize = 16 * 1024 * 1024;
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// Where and how to call.
pub(crate) struct Endpoint {
    authority: String,
    path: Uri,
    headers: HeaderMap,
    calls: CallTemplate,
    echoed: bool,
}

impl Endpoint {
    /// Reads the URL (`http://` only) and prepares the headers that all calls share.
    pub(crate) fn new(url: &str, key: &str, calls: CallTemplate, echoed: bool) -> Result<Self, Failure> {
        let uri: Uri = url.parse().map_err(|wrong| Failure::of(&format!("reading the URL {url}"), wrong))?;
        let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(Failure(format!("{url} is not an http:// URL")));
        };
        let authority = authority.as_str().to_owned();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path: Uri =
            path.parse().map_err(|wrong| Failure::of(&format!("reading the URL {url}"), wrong))?;
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|wrong| Failure::of("making the request headers", wrong))
        };
        let mut headers = HeaderMap::new();
        headers.insert(HOST, value(&authority)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        if !key.is_empty() {
            headers.insert(AUTHORIZATION, value(&format!("Bearer {key}"))?);
        }
        headers.insert(VERSION, HeaderValue::from_static(if calls.modern { MODERN } else { LEGACY }));
        if calls.modern {
            headers.insert(HeaderName::from_static("mcp-method"), HeaderValue::from_static("tools/call"));
            headers.insert(HeaderName::from_static("mcp-name"), value(&calls.tool)?);
        }
        // `host:port` for the connection; the port of a bare host is 80.
        let authority =
            if uri.port().is_some() { authority } else { format!("{}:80", uri.host().unwrap_or(&authority)) };
        Ok(Self { authority, path, headers, calls, echoed })
    }
}

/// A caller and its connection.
pub(crate) struct Caller {
    endpoint: Arc<Endpoint>,
    connection: Option<SendRequest<Full<Bytes>>>,
    headers: HeaderMap,
}

/// An HTTP answer, read to the end.
struct Answer {
    status: StatusCode,
    event_stream: bool,
    session: Option<HeaderValue>,
    body: Bytes,
}

impl Caller {
    /// A caller without a connection yet.
    pub(crate) fn new(endpoint: Arc<Endpoint>) -> Self {
        Self { headers: endpoint.headers.clone(), endpoint, connection: None }
    }

    /// Connects and, in the `initialize` era, shakes hands; takes the session that it is given, if any.
    pub(crate) async fn connect(&mut self) -> Result<(), Failure> {
        let to = self.endpoint.authority.as_str();
        let doing = || format!("connecting to {to}");
        let stream = tokio::time::timeout(PATIENCE, TcpStream::connect(to))
            .await
            .map_err(|_| Failure::of(&doing(), "no answer"))?
            .map_err(|wrong| Failure::of(&doing(), wrong))?;
        let _ = stream.set_nodelay(true);
        let (send, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|wrong| Failure::of(&doing(), wrong))?;
        tokio::spawn(connection);
        self.connection = Some(send);
        self.headers = self.endpoint.headers.clone();
        if !self.endpoint.calls.modern {
            self.shake_hands().await?;
        }
        Ok(())
    }

    async fn shake_hands(&mut self) -> Result<(), Failure> {
        let hello = format!(
            r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{LEGACY}","capabilities":{{}},"clientInfo":{{"name":"bench","version":"{}"}}}}}}"#,
            env!("CARGO_PKG_VERSION")
        );
        let answer = self.post(hello).await?;
        if answer.status != StatusCode::OK {
            let said = excerpt(&answer.body);
            return Err(Failure(format!("initialize was answered with {}: {said}", answer.status)));
        }
        if let Some(session) = answer.session {
            self.headers.insert(SESSION, session);
        }
        self.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.into()).await?;
        Ok(())
    }

    /// Makes call `number`, which was due at `due`. Returns how it ended, the latency from `due`, the time from sending, and
    /// what was said if it did not succeed.
    pub(crate) async fn call(
        &mut self,
        number: u64,
        due: Instant,
    ) -> (End, Duration, Duration, Option<String>) {
        if self.connection.as_ref().is_none_or(SendRequest::is_closed)
            && let Err(failure) = self.connect().await
        {
            self.connection = None;
            // A server that is being restarted: do not spin on its closed port.
            tokio::time::sleep(Duration::from_millis(20)).await;
            return (End::TransportError, due.elapsed(), Duration::ZERO, Some(failure.to_string()));
        }
        let text = self.endpoint.calls.text(number);
        let body = self.endpoint.calls.body(number, &text);
        let sent = Instant::now();
        let answer = self.post(body).await;
        let (latency, service) = (due.elapsed(), sent.elapsed());
        let (end, said) = match answer {
            Err(failure) => {
                self.connection = None;
                (End::TransportError, Some(failure.to_string()))
            }
            Ok(answer) => self.judged(&answer, number, &text),
        };
        (end, latency, service, said)
    }

    fn judged(&self, answer: &Answer, number: u64, text: &str) -> (End, Option<String>) {
        if answer.status != StatusCode::OK {
            return (End::HttpError, Some(format!("HTTP {}: {}", answer.status, excerpt(&answer.body))));
        }
        let streamed = answer.event_stream.then(|| String::from_utf8_lossy(&answer.body));
        let json = match &streamed {
            None => Some(answer.body.as_ref()),
            Some(stream) => from_event_stream(stream, number).map(str::as_bytes),
        };
        let Some(json) = json else {
            return (End::Wrong, Some(format!("no answer in the stream: {}", excerpt(&answer.body))));
        };
        match judge(json, number, text, self.endpoint.echoed) {
            Verdict::Success => (End::Success, None),
            Verdict::Denied(said) => (End::Denied, Some(said)),
            Verdict::ToolError(said) => (End::ToolError, Some(said)),
            Verdict::ProtocolError(said) => (End::ProtocolError, Some(said)),
            Verdict::Wrong(said) => (End::Wrong, Some(said)),
        }
    }

    async fn post(&mut self, body: String) -> Result<Answer, Failure> {
        tokio::time::timeout(PATIENCE, self.exchange(body))
            .await
            .unwrap_or_else(|_| Err(Failure(format!("no answer within {} s", PATIENCE.as_secs()))))
    }

    async fn exchange(&mut self, body: String) -> Result<Answer, Failure> {
        let doing = "sending a request";
        let connection = self.connection.as_mut().ok_or_else(|| Failure::of(doing, "not connected"))?;
        connection.ready().await.map_err(|wrong| Failure::of(doing, wrong))?;
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.path.clone();
        *request.headers_mut() = self.headers.clone();
        let response = connection.send_request(request).await.map_err(|wrong| Failure::of(doing, wrong))?;
        let status = response.status();
        let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let event_stream = kind.starts_with(b"text/event-stream");
        let session = response.headers().get(SESSION).cloned();
        let body = Limited::new(response.into_body(), MAX_REPLY).collect().await;
        let body = body.map_err(|wrong| Failure::of("reading an answer", wrong))?.to_bytes();
        Ok(Answer { status, event_stream, session, body })
    }
}

//! One caller: one keep-alive HTTP/1.1 connection to an MCP endpoint, reconnecting when it breaks. Written on
//! hyper's connection itself, because the load generator shares its processors with what it measures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Failure;
use crate::message::{
    Ask, CallTemplate, Expected, LEGACY, MODERN, Verdict, excerpt, from_event_stream, judge,
};
use crate::tally::End;

/// A call that has not been answered by then has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Answers larger than this are not read to the end.
const MAX_REPLY: usize = 72 << 20;
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// Where and how to call.
pub(crate) struct Endpoint {
    authority: String,
    place: Place,
    /// Others of the same server, which are called in turns with it.
    others: Vec<Place>,
    calls: CallTemplate,
    echoed: bool,
}

/// One MCP endpoint of a server, and the headers that all its calls share.
struct Place {
    path: Uri,
    headers: HeaderMap,
}

/// An MCP endpoint and the bearer key for it, or nothing.
#[derive(Clone, Debug, serde::Deserialize)]
pub(crate) struct Door {
    pub(crate) url: String,
    pub(crate) key: String,
}

impl Endpoint {
    /// Reads the URLs (`http://` only) and prepares the headers. The others have the first one's host and port; with others there is no
    /// handshake, so it has to be the stateless revision.
    pub(crate) fn new(
        first: &Door,
        others: &[Door],
        headers: &[(HeaderName, HeaderValue)],
        calls: CallTemplate,
        echoed: bool,
    ) -> Result<Self, Failure> {
        if !others.is_empty() && !calls.modern {
            return Err(Failure(
                "several endpoints can be called in turns in the stateless revision only".into(),
            ));
        }
        let (authority, place) = Place::new(first, headers, &calls)?;
        let read = |other: &Door| match Place::new(other, headers, &calls)? {
            (its, place) if its == authority => Ok(place),
            (its, _) => Err(Failure(format!("{its} is another server than {authority}"))),
        };
        let others = others.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { authority, place, others, calls, echoed })
    }
}

impl Place {
    fn new(
        Door { url, key }: &Door,
        more: &[(HeaderName, HeaderValue)],
        calls: &CallTemplate,
    ) -> Result<(String, Self), Failure> {
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
            let (method, name) = match &calls.ask {
                Ask::Call { tool, .. } => ("tools/call", Some(tool)),
                Ask::List => ("tools/list", None),
            };
            headers.insert(HeaderName::from_static("mcp-method"), HeaderValue::from_static(method));
            if let Some(name) = name {
                headers.insert(HeaderName::from_static("mcp-name"), value(name)?);
            }
        }
        headers.extend(more.iter().cloned());
        // `host:port` for the connection; the port of a bare host is 80.
        let authority =
            if uri.port().is_some() { authority } else { format!("{}:80", uri.host().unwrap_or(&authority)) };
        Ok((authority, Self { path, headers }))
    }
}

/// A caller and its connection.
pub(crate) struct Caller {
    endpoint: Arc<Endpoint>,
    connection: Option<SendRequest<Full<Bytes>>>,
    /// The session that it was given.
    session: Option<HeaderValue>,
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
        Self { endpoint, connection: None, session: None }
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
        self.session = None;
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
        let answer = self.post(0, hello).await?;
        if answer.status != StatusCode::OK {
            let said = excerpt(&answer.body);
            return Err(Failure(format!("initialize was answered with {}: {said}", answer.status)));
        }
        self.session = answer.session;
        self.post(0, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.into()).await?;
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
        let answer = self.post(number, body).await;
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

    /// Opens the stream on which its endpoint tells what changes (2025-11-25, Transports). It is open while the answer is kept.
    pub(crate) async fn listen(&mut self) -> Result<Response<Incoming>, Failure> {
        let doing = "opening a stream";
        let connection = self.connection.as_mut().ok_or_else(|| Failure::of(doing, "not connected"))?;
        connection.ready().await.map_err(|wrong| Failure::of(doing, wrong))?;
        let mut request = Request::new(Full::default());
        *request.uri_mut() = self.endpoint.place.path.clone();
        *request.headers_mut() = self.endpoint.place.headers.clone();
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(session) = &self.session {
            request.headers_mut().insert(SESSION, session.clone());
        }
        let response = connection.send_request(request).await.map_err(|wrong| Failure::of(doing, wrong))?;
        if response.status() != StatusCode::OK {
            return Err(Failure::of(doing, format_args!("HTTP {}", response.status())));
        }
        Ok(response)
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
        let calls = &self.endpoint.calls;
        let expected = if self.endpoint.echoed { calls.expected(text) } else { Expected::Anything };
        match judge(json, number, expected) {
            Verdict::Success => (End::Success, None),
            Verdict::Denied(said) => (End::Denied, Some(said)),
            Verdict::ToolError(said) => (End::ToolError, Some(said)),
            Verdict::ProtocolError(said) => (End::ProtocolError, Some(said)),
            Verdict::Wrong(said) => (End::Wrong, Some(said)),
        }
    }

    /// Sends request `number`, which goes to the endpoint whose turn it is.
    async fn post(&mut self, number: u64, body: String) -> Result<Answer, Failure> {
        tokio::time::timeout(PATIENCE, self.exchange(number, body))
            .await
            .unwrap_or_else(|_| Err(Failure(format!("no answer within {} s", PATIENCE.as_secs()))))
    }

    async fn exchange(&mut self, number: u64, body: String) -> Result<Answer, Failure> {
        let doing = "sending a request";
        let connection = self.connection.as_mut().ok_or_else(|| Failure::of(doing, "not connected"))?;
        connection.ready().await.map_err(|wrong| Failure::of(doing, wrong))?;
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        let turn = usize::try_from(number).unwrap_or(0) % (self.endpoint.others.len() + 1);
        let place = turn.checked_sub(1).and_then(|at| self.endpoint.others.get(at));
        let place = place.unwrap_or(&self.endpoint.place);
        *request.uri_mut() = place.path.clone();
        *request.headers_mut() = place.headers.clone();
        if let Some(session) = &self.session {
            request.headers_mut().insert(SESSION, session.clone());
        }
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

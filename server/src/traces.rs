//! Traces of calls, sent to an OpenTelemetry collector (OTLP over HTTP) in batches, by a thread of their own. Names are those of
//! OpenTelemetry's conventions for the Model Context Protocol and for generative AI. What cannot be sent is lost, and said so in the log;
//! no call waits for it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use gateway::seams::{self, Part, TraceId, Traced};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor as _,
};
use secrecy::ExposeSecret as _;
use tokio::runtime::Handle;

use crate::config::Traces as Settings;

/// Calls that wait to be sent, at most.
const WAITING: usize = 8192;
/// How long sending a batch may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer of a collector that is read, in bytes.
const ANSWER: usize = 64 << 10;

/// The way there is, when it cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be sent: {0}")]
pub(crate) struct NotSent(String);

/// Where calls are told.
#[derive(Debug)]
pub(crate) struct Collector {
    processor: BatchSpanProcessor,
    /// Of all numbers that a trace's last eight bytes may make, those below this.
    below: u64,
    scope: InstrumentationScope,
}

/// Where traces go: nowhere, if the configuration names no collector.
pub(crate) fn gather(settings: Option<&Settings>) -> Result<Option<Arc<Collector>>, NotSent> {
    settings.map(|settings| Collector::open(settings).map(Arc::new)).transpose()
}

impl Collector {
    fn open(settings: &Settings) -> Result<Self, NotSent> {
        let headers = settings.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Wire::open()?)
            .with_headers(headers)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(settings.endpoint.as_str())
            .with_timeout(PATIENCE)
            .build()
            .map_err(|wrong| NotSent(wrong.to_string()))?;
        let batches = BatchConfigBuilder::default().with_max_queue_size(WAITING).build();
        let mut processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder().with_service_name("workingagents").with_attribute(version).build();
        processor.set_resource(&resource);
        let scope = InstrumentationScope::builder("workingagents.gateway")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Ok(Self { processor, below: below(settings.sample), scope })
    }

    /// Sends what waits. Blocks; nothing is told afterwards.
    pub(crate) fn close(&self) {
        if let Err(wrong) = self.processor.shutdown_with_timeout(PATIENCE) {
            tracing::warn!(%wrong, "not all traces were sent");
        }
    }
}

/// A share of all numbers of 64 bits.
fn below(share: f64) -> u64 {
    // At one it saturates, and nothing is left out but one number.
    (share.clamp(0.0, 1.0) * u64::MAX as f64) as u64
}

impl seams::Traces for Collector {
    fn is_on(&self) -> bool {
        true
    }

    fn samples(&self, trace: &TraceId) -> bool {
        let [.., a, b, c, d, e, f, g, h] = *trace;
        u64::from_be_bytes([a, b, c, d, e, f, g, h]) <= self.below && self.below > 0
    }

    fn ended(&self, call: Traced) {
        let (own, below) = spans(&self.scope, &call);
        self.processor.on_end(own);
        if let Some(below) = below {
            self.processor.on_end(below);
        }
    }
}

/// The call as its client sees it, and what its server was asked, if it was.
fn spans(scope: &InstrumentationScope, call: &Traced) -> (SpanData, Option<SpanData>) {
    let Part { trace, parent, own, below } = call.part;
    let began = SystemTime::from(call.at);
    let method = KeyValue::new("mcp.method.name", call.method);
    let mut about = vec![method];
    // What it is called is of one organization, and there are few of them; an address of a resource is not.
    let target = match call.method {
        "tools/call" => {
            about.push(KeyValue::new("gen_ai.operation.name", "execute_tool"));
            about.push(KeyValue::new("gen_ai.tool.name", call.target.to_string()));
            Some(&*call.target)
        }
        "prompts/get" => {
            about.push(KeyValue::new("gen_ai.prompt.name", call.target.to_string()));
            Some(&*call.target)
        }
        "resources/read" | "resources/subscribe" => {
            about.push(KeyValue::new("mcp.resource.uri", call.target.to_string()));
            None
        }
        _ => None,
    };
    let name = target.map_or_else(|| call.method.to_owned(), |target| format!("{} {target}", call.method));
    let status = match &call.error {
        Some(error) => {
            about.push(KeyValue::new("error.type", error.clone()));
            Status::error(error.clone())
        }
        None => Status::Unset,
    };
    let span =
        |id, parent: Option<_>, is_remote, kind, from: Duration, took: Duration, attributes| SpanData {
            span_context: SpanContext::new(
                opentelemetry::trace::TraceId::from_bytes(trace),
                opentelemetry::trace::SpanId::from_bytes(id),
                TraceFlags::SAMPLED,
                false,
                TraceState::default(),
            ),
            parent_span_id: parent
                .map_or(opentelemetry::trace::SpanId::INVALID, opentelemetry::trace::SpanId::from_bytes),
            parent_span_is_remote: is_remote,
            span_kind: kind,
            name: name.clone().into(),
            start_time: began + from,
            end_time: began + from + took,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: status.clone(),
            instrumentation_scope: scope.clone(),
        };
    let of_server = call
        .upstream
        .map(|(after, took)| span(below, Some(own), false, SpanKind::Client, after, took, about.clone()));
    about.extend(call.revision.map(|revision| KeyValue::new("mcp.protocol.version", revision)));
    about.push(KeyValue::new("workingagents.call.id", call.call.to_string()));
    about.push(KeyValue::new("workingagents.tenant.id", call.tenant.to_string()));
    about.push(KeyValue::new("gen_ai.agent.id", call.agent.to_string()));
    about.push(KeyValue::new("workingagents.verdict", call.verdict));
    (span(own, parent, parent.is_some(), SpanKind::Server, Duration::ZERO, call.took, about), of_server)
}

/// The way to the collector. The batches are sent by a thread that knows nothing of the runtime, so each request is made by the runtime.
#[derive(Debug)]
struct Wire {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
}

impl Wire {
    fn open() -> Result<Self, NotSent> {
        let tls = rustls::crypto::ring::default_provider();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(tls)
            .map_err(|wrong| NotSent(wrong.to_string()))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            runtime: Handle::current(),
        })
    }
}

#[async_trait]
impl HttpClient for Wire {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let asked = async move {
            let response = client.request(request.map(Full::new)).await?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(head, body))
        };
        self.runtime.spawn(async { tokio::time::timeout(PATIENCE, asked).await? }).await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Traces as Settings;
    use gateway::seams::Traces as _;
    use model::{AgentId, CallId, TenantId};
    use secrecy::SecretString;
    use uuid::Uuid;

    fn call() -> Traced {
        let id = Uuid::from_u128(7);
        Traced {
            part: Part { trace: [1; 16], parent: Some([2; 8]), own: [3; 8], below: [4; 8] },
            method: "tools/call",
            target: "drive.read_file".into(),
            revision: Some("2025-11-25"),
            call: CallId::from(id),
            tenant: TenantId::from(id),
            agent: AgentId::from(id),
            at: model::Timestamp::default(),
            took: Duration::from_millis(9),
            verdict: "permit",
            error: Some("tool_error".into()),
            upstream: Some((Duration::from_millis(2), Duration::from_millis(5))),
        }
    }

    #[test]
    fn a_call_and_its_server_stand_below_one_another() {
        let (own, below) = spans(&InstrumentationScope::builder("x").build(), &call());
        let below = below.unwrap();
        assert_eq!((&*own.name, &own.span_kind), ("tools/call drive.read_file", &SpanKind::Server));
        assert_eq!(below.parent_span_id, own.span_context.span_id());
        assert_eq!(below.start_time.duration_since(own.start_time).unwrap(), Duration::from_millis(2));
        assert!(below.end_time < own.end_time);
        assert_eq!(own.status, Status::error("tool_error"));
        let words: Vec<String> = own.attributes.iter().map(|it| format!("{}={}", it.key, it.value)).collect();
        for said in
            ["mcp.method.name=tools/call", "gen_ai.tool.name=drive.read_file", "error.type=tool_error"]
        {
            assert!(words.iter().any(|word| word == said), "{words:?}");
        }
        let denied = Traced { upstream: None, method: "resources/read", ..call() };
        let (own, below) = spans(&InstrumentationScope::builder("x").build(), &denied);
        assert_eq!((&*own.name, below.is_some()), ("resources/read", false), "an address is no name");
    }

    #[test]
    fn a_share_of_the_traces_is_sampled_and_always_the_same_ones() {
        assert_eq!(below(0.0), 0);
        assert_eq!(below(2.0), u64::MAX);
        let half = below(0.5);
        assert!(half > u64::MAX / 2 - 1000 && half < u64::MAX / 2 + 1000);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_told_arrives_at_the_collector() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (arrived, mut heard) = tokio::sync::mpsc::channel(8);
        let router = axum::Router::new().route(
            "/v1/traces",
            axum::routing::post(move |headers: http::HeaderMap, body: Bytes| async move {
                let _ = arrived.send((headers, body)).await;
            }),
        );
        tokio::spawn(async move { axum::serve(listener, router).await });
        let settings = Settings {
            endpoint: format!("http://{address}/v1/traces").parse().unwrap(),
            headers: vec![("x-key".to_owned(), SecretString::from("s3"))],
            sample: 1.0,
        };
        let collector = gather(Some(&settings)).unwrap().unwrap();
        assert!(collector.samples(&[0xff; 16]) && collector.samples(&[0; 16]));
        collector.ended(call());
        tokio::task::spawn_blocking(move || collector.close()).await.unwrap();
        let (headers, body) = heard.recv().await.unwrap();
        assert_eq!(
            (&headers["x-key"], &headers["content-type"]),
            (&"s3".parse().unwrap(), &"application/x-protobuf".parse().unwrap())
        );
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains("tools/call drive.read_file") && text.contains("workingagents"));
    }
}

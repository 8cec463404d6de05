//! The echo upstream: an MCP server of the `initialize` era over streamable HTTP, stateless, one tool. It is the
//! yardstick, so it does nothing that it need not; crash tests read its log.

use std::convert::Infallible;
use std::fs::File;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request as HttpRequest, Response as HttpResponse, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::message::{CallParams, InitializeParams, LEGACY, Request};
use crate::processes::end_with_stdin;
use crate::{Failure, print, say};

/// Larger requests are refused with 413.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// Largest text that is answered, in bytes.
const LARGEST: u32 = 64 << 20;
const SPOKEN: [&str; 3] = ["2025-03-26", "2025-06-18", LEGACY];
/// The definition of its tool, an MCP `Tool` object.
pub(crate) const TOOL: &str = r#"{"name":"echo","description":"Answers with the text it was given.","inputSchema":{"type":"object","properties":{"text":{"type":"string"},"bytes":{"type":"integer","minimum":0,"maximum":67108864,"description":"Fill the answer up with dots to so many bytes."}},"required":["text"]},"annotations":{"readOnlyHint":true,"idempotentHint":true,"openWorldHint":false}}"#;

/// What the echo upstream can be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Port of 127.0.0.1 to listen on; 0 takes any and the ready line says which.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Wait this long before each answer to a call.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Append the `text` of each call received, one line each, before it is answered. Escapes stay as they came.
    #[arg(long)]
    log: Option<PathBuf>,
    /// Answer with an event stream instead of JSON.
    #[arg(long)]
    sse: bool,
    /// End when standard input does.
    #[arg(long, hide = true)]
    end_with_stdin: bool,
}

struct Echo {
    delay: Duration,
    log: Option<File>,
    sse: bool,
}

/// Serves until it is killed. Prints one JSON line, `{"url": …, "pid": …}`, once it listens.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    if options.end_with_stdin {
        end_with_stdin();
    }
    let log = match &options.log {
        Some(path) => {
            let opened = File::options().create(true).append(true).open(path);
            Some(opened.map_err(|wrong| Failure::of(&format!("opening {}", path.display()), wrong))?)
        }
        None => None,
    };
    let echo = Arc::new(Echo { delay: Duration::from_millis(options.delay_ms), log, sse: options.sse });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|wrong| Failure::of("starting the echo upstream", wrong))?;
    runtime.block_on(serve(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)), echo))
}

async fn serve(address: SocketAddr, echo: Arc<Echo>) -> Result<(), Failure> {
    let wrong = |wrong: std::io::Error| Failure::of(&format!("listening on {address}"), wrong);
    let listener = TcpListener::bind(address).await.map_err(wrong)?;
    let address = listener.local_addr().map_err(wrong)?;
    print(&format!(r#"{{"url":"http://{address}/mcp","pid":{}}}"#, std::process::id()));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, echo.clone()));
            }
            Err(wrong) => {
                // Out of file descriptors, most likely: wait for some to come back.
                say(&format!("bench echo: accepting: {wrong}"));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, echo: Arc<Echo>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let echo = echo.clone();
        async move { Ok::<_, Infallible>(answer(request, &echo).await) }
    });
    // A caller that hangs up is the caller's business.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: HttpRequest<Incoming>, echo: &Echo) -> HttpResponse<Full<Bytes>> {
    if request.method() != Method::POST {
        let mut response = bare(StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    let Ok(body) = Limited::new(request.into_body(), MAX_BODY).collect().await else {
        return bare(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let body = body.to_bytes();
    let Ok(request) = serde_json::from_slice::<Request<'_>>(&body) else {
        return message(
            StatusCode::BAD_REQUEST,
            br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"not a JSON-RPC request"}}"#
                .to_vec(),
            false,
        );
    };
    let Some(id) = request.id else { return bare(StatusCode::ACCEPTED) };
    let reply = |kind: &str, payload: &str| {
        let mut out = Vec::with_capacity(48 + id.get().len() + payload.len());
        for part in [r#"{"jsonrpc":"2.0","id":"#, id.get(), ",\"", kind, "\":", payload, "}"] {
            out.extend_from_slice(part.as_bytes());
        }
        message(StatusCode::OK, out, echo.sse)
    };
    match request.method.as_ref() {
        "tools/call" => {
            let params = request.params.map(|raw| serde_json::from_str::<CallParams<'_>>(raw.get()));
            let Some(Ok(CallParams { name, arguments: Some(arguments) })) = params else {
                return reply("error", r#"{"code":-32602,"message":"echo takes {\"text\": string}"}"#);
            };
            if name != "echo" {
                return reply("error", r#"{"code":-32602,"message":"the only tool here is echo"}"#);
            }
            let text = arguments.text.get();
            let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
                return reply("error", r#"{"code":-32602,"message":"text must be a string"}"#);
            };
            if let Some(mut log) = echo.log.as_ref()
                && log.write_all(format!("{inner}\n").as_bytes()).is_err()
            {
                return reply("error", r#"{"code":-32603,"message":"the log cannot be written"}"#);
            }
            if !echo.delay.is_zero() {
                tokio::time::sleep(echo.delay).await;
            }
            // What is escaped counts as it is written: the load generator's texts have no escapes.
            let missing = (arguments.bytes.unwrap_or(0).min(LARGEST) as usize).saturating_sub(inner.len());
            let dots = ".".repeat(missing);
            reply(
                "result",
                &[r#"{"content":[{"type":"text","text":""#, inner, &dots, r#""}],"isError":false}"#].concat(),
            )
        }
        "initialize" => {
            let asked =
                request.params.and_then(|raw| serde_json::from_str::<InitializeParams<'_>>(raw.get()).ok());
            let asked = asked.as_ref().map(|params| params.protocol_version.as_ref());
            let spoken = SPOKEN.into_iter().find(|version| Some(*version) == asked).unwrap_or(LEGACY);
            let version = env!("CARGO_PKG_VERSION");
            reply(
                "result",
                &format!(
                    r#"{{"protocolVersion":"{spoken}","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"bench-echo","version":"{version}"}}}}"#
                ),
            )
        }
        "tools/list" => reply("result", &[r#"{"tools":["#, TOOL, "]}"].concat()),
        "ping" => reply("result", "{}"),
        _ => reply("error", r#"{"code":-32601,"message":"no such method"}"#),
    }
}

fn bare(status: StatusCode) -> HttpResponse<Full<Bytes>> {
    let mut response = HttpResponse::new(Full::default());
    *response.status_mut() = status;
    response
}

fn message(status: StatusCode, json: Vec<u8>, sse: bool) -> HttpResponse<Full<Bytes>> {
    let (kind, body) = if sse {
        let framed = [b"event: message\ndata: ".as_slice(), json.as_slice(), b"\n\n"].concat();
        ("text/event-stream", framed)
    } else {
        ("application/json", json)
    };
    let mut response = HttpResponse::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

//! Listening: connections in, bounded in number and in the time they may take to say something; and out in good order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How long a new connection may take until it is clear which HTTP it speaks.
const FIRST_WORDS: Duration = Duration::from_secs(10);
/// How long a request's headers may take, and how long a connection may lie idle. Longer than proxies keep theirs.
const HEADERS: Duration = Duration::from_secs(75);
/// Most bytes of headers.
const HEADER_BYTES: usize = 64 << 10;
/// Requests at a time on one HTTP/2 connection.
const STREAMS: u32 = 256;
/// What an HTTP/2 connection begins with (RFC 9113 section 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("`{key}`: cannot listen on {address}: {why}")]
pub(crate) struct CannotListen {
    key: &'static str,
    address: SocketAddr,
    why: io::Error,
}

/// A place that is listened on, not yet served.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Takes the address. `key` is the setting that named it.
    pub(crate) async fn bind(key: &'static str, address: SocketAddr) -> Result<Self, CannotListen> {
        let cannot = |why| CannotListen { key, address, why };
        let socket = TcpListener::bind(address).await.map_err(cannot)?;
        let address = socket.local_addr().map_err(cannot)?;
        Ok(Self { socket, address })
    }

    /// Where it listens, with the port that was free.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`; then accepts nothing more and gives what is in flight `drain` to end.
    pub(crate) async fn serve(
        self,
        router: Router,
        max_connections: usize,
        drain: Duration,
        stop: CancellationToken,
    ) {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(max_connections));
        while let Some((stream, peer, place)) = self.next(&places, &stop).await {
            let watcher = graceful.watcher();
            let (router, stop) = (router.clone(), stop.clone());
            tokio::spawn(async move {
                let _place = place;
                tokio::select! {
                    spoke = tokio::time::timeout(FIRST_WORDS, speaks(&stream)) => {
                        if !matches!(spoke, Ok(Ok(()))) {
                            return;
                        }
                    }
                    () = stop.cancelled() => return,
                }
                let service = service_fn(move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(ConnectInfo(peer));
                    router.clone().oneshot(request.map(Body::new))
                });
                let mut builder = auto::Builder::new(TokioExecutor::new());
                builder
                    .http1()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADERS)
                    .max_buf_size(HEADER_BYTES);
                builder
                    .http2()
                    .timer(TokioTimer::new())
                    .max_concurrent_streams(STREAMS)
                    .max_header_list_size(HEADER_BYTES as u32)
                    .keep_alive_interval(Duration::from_secs(20))
                    .keep_alive_timeout(Duration::from_secs(20));
                let connection = builder.serve_connection(TokioIo::new(stream), service);
                if let Err(error) = watcher.watch(connection).await {
                    tracing::debug!(%peer, %error, "a connection ended early");
                }
            });
        }
        drop(self.socket);
        if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
            tracing::warn!(address = %self.address, "requests were still in flight after {drain:?}; cutting them off");
        }
    }

    async fn next(
        &self,
        places: &Arc<Semaphore>,
        stop: &CancellationToken,
    ) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
        loop {
            let place = tokio::select! {
                place = places.clone().acquire_owned() => place.ok()?,
                () = stop.cancelled() => return None,
            };
            tokio::select! {
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, peer)) => {
                        // Small answers must not wait for more to say.
                        let _ = stream.set_nodelay(true);
                        return Some((stream, peer, place));
                    }
                    // A caller that went away at once, or no file descriptors left: neither is a reason to stop.
                    Err(error) => {
                        tracing::warn!(%error, address = %self.address, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
                () = stop.cancelled() => return None,
            }
        }
    }
}

/// Returns once enough has arrived to tell HTTP/1 from HTTP/2, so that telling them apart later waits for nothing.
async fn speaks(stream: &TcpStream) -> io::Result<()> {
    let mut seen = [0u8; HTTP2.len()];
    loop {
        let count = stream.peek(&mut seen).await?;
        let heard = seen.get(..count).unwrap_or_default();
        if heard.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if count == HTTP2.len() || !HTTP2.starts_with(heard) {
            return Ok(());
        }
        // The beginning of HTTP/2's preface, in pieces.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

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

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use http_body_util::{BodyExt as _, Empty};
    use hyper_util::client::legacy::Client;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::task::JoinHandle;

    use super::*;

    /// A server whose `/slow` takes 300 ms, for `places` connections.
    async fn start(places: usize, drain: Duration) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
        let slow = async || {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "done"
        };
        let from = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string();
        let router = Router::new().route("/slow", get(slow)).route("/from", get(from));
        let listener = Listener::bind("test", ([127, 0, 0, 1], 0).into()).await.unwrap();
        let (address, stop) = (listener.address(), CancellationToken::new());
        (address, stop.clone(), tokio::spawn(listener.serve(router, places, drain, stop)))
    }

    async fn ask(
        address: SocketAddr,
        path: &str,
        http2: bool,
    ) -> Result<String, hyper_util::client::legacy::Error> {
        let client =
            Client::builder(TokioExecutor::new()).http2_only(http2).build_http::<Empty<bytes::Bytes>>();
        let response = client.get(format!("http://{address}{path}").parse().unwrap()).await?;
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Ok(String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn both_versions_of_http_are_spoken_and_the_peer_is_known() {
        let (address, _stop, _serving) = start(10, Duration::from_secs(1)).await;
        for http2 in [false, true] {
            assert_eq!(ask(address, "/from", http2).await.unwrap(), "127.0.0.1");
        }
    }

    #[tokio::test]
    async fn what_is_in_flight_ends_and_nothing_more_is_accepted() {
        let (address, stop, serving) = start(10, Duration::from_secs(5)).await;
        let in_flight = tokio::spawn(async move { ask(address, "/slow", false).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(ask(address, "/from", false).await.is_err());
        assert_eq!(in_flight.await.unwrap().unwrap(), "done");
        tokio::time::timeout(Duration::from_secs(1), serving).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_takes_longer_than_the_drain_is_not_waited_for() {
        let (address, stop, serving) = start(10, Duration::from_millis(50)).await;
        let in_flight = tokio::spawn(async move { ask(address, "/slow", false).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
        tokio::time::timeout(Duration::from_millis(200), serving).await.unwrap().unwrap();
        in_flight.abort();
    }

    #[tokio::test]
    async fn one_more_connection_than_there_are_places_waits() {
        let (address, _stop, _serving) = start(1, Duration::from_secs(1)).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        first.write_all(b"GET /from HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(first.read(&mut [0; 100]).await.unwrap() > 0);
        let second = tokio::spawn(async move { ask(address, "/from", false).await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!second.is_finished());
        drop(first);
        assert_eq!(second.await.unwrap().unwrap(), "127.0.0.1");
    }

    /// Time goes by itself while nothing happens.
    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_or_never_finishes_is_not_waited_for() {
        let (address, _stop, _serving) = start(10, Duration::from_secs(1)).await;
        for words in ["", "PRI * HTTP", "GET /from HTTP/1.1\r\nhost: x"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(words.as_bytes()).await.unwrap();
            let mut said = Vec::new();
            let read = tokio::time::timeout(HEADERS * 2, stream.read_to_end(&mut said)).await;
            assert!(read.is_ok(), "{words:?} is still listened to");
        }
    }
}

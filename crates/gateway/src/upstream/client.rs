//! The HTTP client for upstream servers: pooled connections, each to an address that the rule permits, with TLS by
//! the roots of Mozilla's programme; no redirects, no proxies from the environment.

use std::error::Error;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower_service::Service;

use super::address::AddressRule;
use super::sending::Outgoing;
use crate::seams::Names;

/// How long an unused connection is kept. Less than the 5 s after which Node.js closes its side: a call that is
/// sent into a closing connection is lost, and calls are not sent twice.
const IDLE: Duration = Duration::from_secs(4);

type BoxError = Box<dyn Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Sends requests to upstream servers. Cheap to clone.
pub(crate) type HttpClient = Client<Timed<HttpsConnector<Guarded>>, Outgoing>;

/// An address that the rule does not permit.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{host} has the address {address}, which is private")]
pub(crate) struct AddressRefused {
    pub(crate) host: String,
    pub(crate) address: IpAddr,
}

/// A name that no address was found for.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no address is known for {host}")]
pub(crate) struct UnknownHost {
    pub(crate) host: String,
}

/// Connecting took too long.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("connecting took too long")]
pub(crate) struct ConnectTimedOut;

/// Builds the client. Fails only where the cryptography that is built in offers no version of TLS.
pub(crate) fn client(
    rule: &AddressRule,
    names: Arc<dyn Names>,
    connect_timeout: Duration,
    idle_connections: usize,
) -> Result<HttpClient, rustls::Error> {
    let mut tcp = HttpConnector::new_with_resolver(Resolver { rule: rule.clone(), names });
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(Arc::new(rustls::crypto::ring::default_provider()))?
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .wrap_connector(Guarded { rule: rule.clone(), tcp });
    Ok(Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(idle_connections)
        .build(Timed { connector, timeout: connect_timeout }))
}

/// Finds the addresses of a name, and keeps those that the rule permits. Only they are connected to, and nobody looks the name up
/// once more in between: it may mean something else by then.
#[derive(Clone)]
pub(crate) struct Resolver {
    rule: AddressRule,
    names: Arc<dyn Names>,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (rule, names) = (self.rule.clone(), Arc::clone(&self.names));
        Box::pin(async move {
            let unknown = || UnknownHost { host: name.as_str().to_owned() };
            let found = names.addresses(name.as_str()).await.map_err(|_| unknown())?;
            let first = *found.first().ok_or_else(unknown)?;
            let permitted: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| rule.permits(*address))
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if permitted.is_empty() {
                return Err(AddressRefused { host: name.as_str().to_owned(), address: first }.into());
            }
            Ok(permitted.into_iter())
        })
    }
}

/// Connects to permitted addresses. Names go through [`Resolver`]; a host that is an address does not, so it is
/// looked at here.
#[derive(Clone)]
pub(crate) struct Guarded {
    rule: AddressRule,
    tcp: HttpConnector<Resolver>,
}

impl Service<Uri> for Guarded {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let host = uri.host().unwrap_or_default();
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>()
            && !self.rule.permits(address)
        {
            let refused = AddressRefused { host: host.to_owned(), address };
            return Box::pin(async move { Err(refused.into()) });
        }
        let connecting = self.tcp.call(uri);
        Box::pin(async move { connecting.await.map_err(Into::into) })
    }
}

/// Bounds the time that connecting takes, TLS included.
#[derive(Clone)]
pub(crate) struct Timed<C> {
    connector: C,
    timeout: Duration,
}

impl Service<Uri> for Timed<HttpsConnector<Guarded>> {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.connector.call(uri);
        let timeout = self.timeout;
        Box::pin(async move {
            tokio::time::timeout(timeout, connecting).await.map_err(|_| BoxError::from(ConnectTimedOut))?
        })
    }
}

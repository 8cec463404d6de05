//! `healthcheck`: asks the dashboard's listener of the server on this machine whether it is ready.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Failure;
use crate::config::Config;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Fails unless `/readyz` answers 200.
pub(crate) async fn command(config: &Config) -> Result<(), Failure> {
    let address = reachable(config.dashboard.listen);
    match tokio::time::timeout(PATIENCE, ask(address, "/readyz")).await {
        Ok(Ok(StatusCode::OK)) => Ok(()),
        Ok(Ok(status)) => Err(format!("not ready: http://{address}/readyz answered {status}").into()),
        Ok(Err(error)) => Err(format!("not ready: http://{address}/readyz: {error}").into()),
        Err(_) => {
            Err(format!("not ready: http://{address}/readyz did not answer within {PATIENCE:?}").into())
        }
    }
}

/// Asks a server on this machine for a path, and answers the status.
pub(crate) async fn ask(address: SocketAddr, path: &str) -> Result<StatusCode, Failure> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let talking = tokio::spawn(connection);
    let request = Request::get(path).header("host", address.to_string()).body(String::new())?;
    let status = sender.send_request(request).await?.status();
    talking.abort();
    Ok(status)
}

/// "Every address" is listened on, not connected to.
pub(crate) fn reachable(listening: SocketAddr) -> SocketAddr {
    let host = match listening.ip() {
        IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(host, listening.port())
}

//! One id and one line in the log for each request. Neither query nor headers: they may carry what is not ours to keep.

use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use tracing::Instrument as _;

use super::Dashboard;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id that is told in the answer, in the log and on error pages. Ours: what the request may claim is not read.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

/// Names the request, and logs how it went.
pub(super) async fn watch(State(dashboard): State<Dashboard>, mut request: Request, next: Next) -> Response {
    let id = hex::encode(dashboard.control.ambient().bytes::<8>());
    request.extensions_mut().insert(RequestId(id.clone()));
    let path = shown(request.uri().path());
    let span = tracing::info_span!("page", request = %id, method = %request.method(), path);
    let begun = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, ms) = (response.status().as_u16(), begun.elapsed().as_millis());
    span.in_scope(|| tracing::debug!(status, ms, "answered"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Pages of links that go by mail: what follows is a secret.
const SECRET: [&str; 3] = ["/verify/", "/reset/", "/join/"];

/// A path as it may stand in the log.
pub(super) fn shown(path: &str) -> String {
    match SECRET.iter().find(|secret| path.starts_with(**secret)) {
        Some(secret) => format!("{secret}…"),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_of_a_link_is_not_in_the_log() {
        assert_eq!(shown("/reset/abc"), "/reset/…");
        assert_eq!(shown("/t/acme/activity"), "/t/acme/activity");
    }
}

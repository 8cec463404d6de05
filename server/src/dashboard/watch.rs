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
    let span =
        tracing::info_span!("page", request = %id, method = %request.method(), path = request.uri().path());
    let begun = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, ms) = (response.status().as_u16(), begun.elapsed().as_millis());
    span.in_scope(|| tracing::debug!(status, ms, "answered"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

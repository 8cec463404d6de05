//! An answer that may become a stream: what is told on the way comes first, the answer last. Until something is told, it is
//! the answer that it would have been (2025-11-25 and 2026-07-28, Transports, Streamable HTTP).

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{StreamExt as _, stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use tokio::time::sleep;

use super::reply::{Form, Reply};
use crate::conduit::{COMMENT, Events};

/// How long nothing may be said before a comment is, so that what stands in between does not take the connection for dead.
const SILENCE: Duration = Duration::from_secs(15);
/// Tells proxies not to gather what is meant to arrive as it is written.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Waits for the answer, or for the first that is told of it, whichever comes first. Who drops the response drops the request.
pub(super) async fn answer(mut served: BoxFuture<'static, Reply>, mut told: Events, form: Form) -> Response {
    let (first, stage) = tokio::select! {
        biased;
        reply = &mut served => match told.try_recv() {
            // Told at the same moment: the answer is the second event.
            Ok(event) => (event, Stage::Last(reply.into_event(), told)),
            Err(_) => return reply.into_response(form),
        },
        Some(event) = told.recv() => (event, Stage::Open(served, told)),
        () = sleep(SILENCE) => (COMMENT, Stage::Open(served, told)),
    };
    let others = stream::unfold(stage, Stage::next);
    let events = stream::iter([first]).chain(others).map(Ok::<_, Infallible>);
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    response
}

/// How far a stream has come.
enum Stage {
    Open(BoxFuture<'static, Reply>, Events),
    /// The answer, and what was told before it and is not written yet.
    Last(Bytes, Events),
    Over,
}

impl Stage {
    async fn next(self) -> Option<(Bytes, Self)> {
        match self {
            Self::Open(mut served, mut told) => {
                let event = tokio::select! {
                    biased;
                    Some(event) = told.recv() => event,
                    reply = &mut served => return last(reply.into_event(), told),
                    () = sleep(SILENCE) => COMMENT,
                };
                Some((event, Self::Open(served, told)))
            }
            Self::Last(answer, told) => last(answer, told),
            Self::Over => None,
        }
    }
}

fn last(answer: Bytes, mut told: Events) -> Option<(Bytes, Stage)> {
    match told.try_recv() {
        Ok(event) => Some((event, Stage::Last(answer, told))),
        Err(_) => Some((answer, Stage::Over)),
    }
}

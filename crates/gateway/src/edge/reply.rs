//! Answers as HTTP responses: one JSON message, an array of them for a batch, or one event where the client wants
//! only streams.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::listening::Listening;
use crate::upstream::SESSION_HEADER;
use crate::wire::{self, Answer, Id};

/// In which form the client wants its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Events,
}

impl Form {
    /// By the `Accept` header: JSON wherever it is accepted, else a stream; none if neither is.
    pub(super) fn wanted(headers: &HeaderMap) -> Option<Self> {
        let mut events = false;
        let mut any = false;
        for value in headers.get_all(ACCEPT) {
            any = true;
            for range in value.to_str().unwrap_or("").split(',') {
                match range.split(';').next().unwrap_or("").trim().to_ascii_lowercase().as_str() {
                    "application/json" | "application/*" | "*/*" => return Some(Self::Json),
                    "text/event-stream" | "text/*" => events = true,
                    _ => (),
                }
            }
        }
        match (any, events) {
            (false, _) => Some(Self::Json),
            (true, true) => Some(Self::Events),
            (true, false) => None,
        }
    }
}

/// Whether the client takes a stream of events as well.
pub(super) fn takes_events(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let range = range.split(';').next().unwrap_or("").trim();
        ["text/event-stream", "text/*"].iter().any(|events| range.eq_ignore_ascii_case(events))
    })
}

/// What goes back over HTTP.
pub(crate) struct Reply {
    status: StatusCode,
    challenge: Option<&'static str>,
    session: Option<HeaderValue>,
    /// Nothing for a notification.
    message: Option<Vec<u8>>,
    /// What is to be listened to first; then there is another reply.
    listening: Option<Box<Listening>>,
}

impl Reply {
    /// An answer to a request whose id and era are not known.
    pub(crate) fn one(answer: Answer) -> Self {
        Self::to(None, answer, false)
    }

    /// The answer to a request.
    pub(crate) fn to(id: Option<Id<'_>>, answer: Answer, stateless: bool) -> Self {
        let mut message = Vec::new();
        wire::write(&mut message, id, &answer.said, stateless);
        Self {
            status: answer.status,
            challenge: answer.challenge,
            session: answer.session,
            message: Some(message),
            listening: None,
        }
    }

    /// A stream, and whatever it ends with.
    pub(crate) fn listening(listening: Listening) -> Self {
        Self { listening: Some(Box::new(listening)), ..Self::accepted() }
    }

    /// What is said last, once nothing more is listened to.
    pub(super) async fn last(self) -> Self {
        match self.listening {
            None => self,
            Some(listening) => listening.run().await,
        }
    }

    /// Nothing is to be answered (2025-11-25, Transports, Sending Messages, 4).
    pub(crate) fn accepted() -> Self {
        Self { status: StatusCode::ACCEPTED, challenge: None, session: None, message: None, listening: None }
    }

    /// The answers to a batch; those that were notifications have none.
    pub(crate) fn batch(replies: Vec<Self>) -> Self {
        let mut message = Vec::from(b"[");
        for answer in replies.into_iter().filter_map(|reply| reply.message) {
            if message.len() > 1 {
                message.push(b',');
            }
            message.extend(answer);
        }
        if message.len() == 1 {
            return Self::accepted();
        }
        message.push(b']');
        Self { status: StatusCode::OK, message: Some(message), ..Self::accepted() }
    }

    /// The message as the last event of a stream that has begun. What else there is to a reply cannot be said any more.
    pub(super) fn into_event(self) -> Bytes {
        self.message.map_or_else(Bytes::new, |message| wire::as_event(&message).into())
    }

    pub(super) fn into_response(self, form: Form) -> Response {
        let Self { status, challenge, session, message, listening: _ } = self;
        // A stream begins only where all went well: errors are JSON for everybody.
        let (body, kind) = match (message, form) {
            (None, _) => (Body::empty(), None),
            (Some(message), Form::Events) if status == StatusCode::OK => {
                (Body::from(Bytes::from(wire::as_event(&message))), Some("text/event-stream"))
            }
            (Some(message), _) => (Body::from(Bytes::from(message)), Some("application/json")),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if let Some(kind) = kind {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(session) = session {
            headers.insert(SESSION_HEADER, session);
        }
        let retry_after = match status {
            StatusCode::SERVICE_UNAVAILABLE => Some("1"),
            // What there are too many of ends after a while.
            StatusCode::TOO_MANY_REQUESTS => Some("10"),
            _ => None,
        };
        headers.extend(retry_after.map(|seconds| (RETRY_AFTER, HeaderValue::from_static(seconds))));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_preferred_and_a_stream_is_given_where_only_that_is_taken() {
        let wanted = |accept: &[&'static str]| {
            let headers = accept.iter().map(|accept| (ACCEPT, HeaderValue::from_static(accept))).collect();
            Form::wanted(&headers)
        };
        assert_eq!(wanted(&[]), Some(Form::Json));
        assert_eq!(wanted(&["application/json, text/event-stream"]), Some(Form::Json));
        assert_eq!(wanted(&["text/event-stream", "Application/JSON;q=0.1"]), Some(Form::Json));
        assert_eq!(wanted(&["*/*"]), Some(Form::Json));
        assert_eq!(wanted(&["text/event-stream"]), Some(Form::Events));
        assert_eq!(wanted(&["text/html"]), None);
    }
}

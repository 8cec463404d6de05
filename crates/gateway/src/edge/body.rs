//! Reads a request's body, within bounds of size and time.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::json;

use crate::settings::Settings;
use crate::wire::{Answer, RpcError, code};

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotRead {
    TooLarge,
    TooSlow,
    BrokeOff,
}

/// Reads the whole body.
pub(super) async fn read(body: Body, limit: usize, timeout: Duration) -> Result<Bytes, NotRead> {
    let collected = Limited::new(body, limit).collect();
    match tokio::time::timeout(timeout, collected).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(NotRead::TooLarge),
        Ok(Err(_)) => Err(NotRead::BrokeOff),
        Err(_) => Err(NotRead::TooSlow),
    }
}

impl NotRead {
    /// The code for the record and what is answered.
    pub(super) fn told(self, settings: &Settings) -> (&'static str, Answer) {
        let seconds = settings.body_timeout.as_secs();
        let (status, code, message) = match self {
            Self::TooLarge => return too_large(settings.max_body_bytes),
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "slow_body",
                format!("the body did not arrive within {seconds} s"),
            ),
            Self::BrokeOff => (StatusCode::BAD_REQUEST, "broken_body", "the body broke off".to_owned()),
        };
        (
            code,
            Answer::refused(
                status,
                RpcError::new(code::INVALID_REQUEST, message).with(json!({ "code": code })),
            ),
        )
    }
}

/// More than is taken.
pub(super) fn too_large(limit: usize) -> (&'static str, Answer) {
    let code = "body_too_large";
    let error = RpcError::new(code::INVALID_REQUEST, format!("a request may have at most {limit} bytes"))
        .with(json!({ "code": code }));
    (code, Answer::refused(StatusCode::PAYLOAD_TOO_LARGE, error))
}

//! Answers to requests that cannot be served, whatever they ask for. Each says what to do.

use http::StatusCode;
use serde_json::json;

use crate::wire::{Answer, RpcError, code};

/// `WWW-Authenticate` for a request without a key (RFC 6750 section 3).
const NO_TOKEN: &str = r#"Bearer realm="WorkingAgents""#;
/// The same for a key that may not be used.
pub(crate) const INVALID_TOKEN: &str = r#"Bearer realm="WorkingAgents", error="invalid_token""#;

fn refused(status: StatusCode, rpc: i32, code: &'static str, message: &'static str) -> Answer {
    Answer::refused(status, RpcError::new(rpc, message).with(json!({ "code": code })))
}

/// No key was presented.
pub(crate) fn no_key() -> Answer {
    let answer = refused(
        StatusCode::UNAUTHORIZED,
        code::INVALID_REQUEST,
        "unauthorized",
        "present an agent's key: `Authorization: Bearer wa_…`",
    );
    Answer { challenge: Some(NO_TOKEN), ..answer }
}

/// A key that is none, is of another organization, or was revoked: always the same words.
pub(crate) fn unknown_key() -> Answer {
    let answer = refused(
        StatusCode::UNAUTHORIZED,
        code::INVALID_REQUEST,
        "unauthorized",
        "this key is not valid here: use a current key of an agent of this organization",
    );
    Answer { challenge: Some(INVALID_TOKEN), ..answer }
}

/// There is no such endpoint, or the path is no endpoint at all.
pub(crate) fn no_such_endpoint() -> Answer {
    refused(
        StatusCode::NOT_FOUND,
        code::INVALID_REQUEST,
        "no_such_endpoint",
        "there is no MCP endpoint here: copy the URL from the dashboard",
    )
}

/// There is an endpoint, and no such bundle of it.
pub(crate) fn no_such_bundle() -> Answer {
    refused(
        StatusCode::NOT_FOUND,
        code::INVALID_REQUEST,
        "no_such_bundle",
        "there is no bundle of this name here: copy its URL from the dashboard, or leave its name out for all tools",
    )
}

/// Nothing can be decided at the moment.
pub(crate) fn directory_unavailable() -> Answer {
    refused(
        StatusCode::SERVICE_UNAVAILABLE,
        code::INTERNAL,
        "directory_unavailable",
        "who may do what cannot be read at the moment; nothing was done. Try again in a moment.",
    )
}

/// A stream would end before it began.
pub(crate) fn stopping() -> Answer {
    refused(
        StatusCode::SERVICE_UNAVAILABLE,
        code::INTERNAL,
        "stopping",
        "this node is about to stop. Listen again in a moment.",
    )
}

/// Nothing can be written down at the moment, so nothing runs.
pub(crate) fn ledger_unavailable() -> Answer {
    refused(
        StatusCode::SERVICE_UNAVAILABLE,
        code::INTERNAL,
        "ledger_unavailable",
        "calls cannot be recorded at the moment, and what is not recorded is not done. Try again in a moment.",
    )
}

/// Whether limits leave room for a call cannot be found out at the moment, so it is not made.
pub(crate) fn limits_unavailable() -> Answer {
    refused(
        StatusCode::SERVICE_UNAVAILABLE,
        code::INTERNAL,
        "limits_unavailable",
        "how much of your limits is left cannot be found out at the moment; nothing was done. Try again in a moment.",
    )
}

/// The call was decided again and again and never held.
pub(crate) fn rights_keep_changing() -> Answer {
    refused(
        StatusCode::SERVICE_UNAVAILABLE,
        code::INTERNAL,
        "rights_changing",
        "rights in this organization are changing just now; nothing was done. Try again in a moment.",
    )
}

/// Something is wrong on our side.
pub(crate) fn internal() -> Answer {
    refused(
        StatusCode::INTERNAL_SERVER_ERROR,
        code::INTERNAL,
        "internal_error",
        "something is wrong on our side; the call was not made. Tell your admin.",
    )
}

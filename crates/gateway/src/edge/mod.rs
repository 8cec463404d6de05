//! The door of `/{mcp_id}/mcp` and its bundles: HTTP in, HTTP out. What comes in is bounded in size and time and authenticated before
//! its body is read; what it asks for is found in `methods`.

mod body;
mod reply;
mod stream;
mod visitor;

pub use self::visitor::address as caller_address;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::routing::post;
use futures::FutureExt as _;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use model::{CredentialId, McpId, TenantId};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use self::body::NotRead;
use self::reply::Form;
pub(crate) use self::reply::Reply;
use self::visitor::NoKey;
use crate::conduit::Line;
use crate::gateway::House;
use crate::life::{self, Caller, NotSeen, Presented, Proof};
use crate::methods::{self, Visit};
use crate::wire::{Answer, RpcError, code};
use crate::{refusals, reject};

/// The routes.
pub(crate) fn router(house: Arc<House>) -> Router {
    let endpoint = || post(receive).get(not_offered).delete(not_offered);
    Router::new()
        .route("/{mcp_id}/mcp", endpoint())
        .route("/{mcp_id}/mcp/{bundle}", endpoint())
        .with_state(house)
}

/// There is no stream to listen to and no session to end (2025-11-25, Transports; 2026-07-28 has neither).
async fn not_offered(State(house): State<Arc<House>>, headers: HeaderMap) -> axum::response::Response {
    if !visitor::origin_is_allowed(&headers, &house.settings.allowed_origins) {
        return Reply::one(foreign_origin()).into_response(Form::Json);
    }
    let error =
        RpcError::new(code::INVALID_REQUEST, "send requests with POST: there is no stream or session here");
    let mut response =
        Reply::one(Answer::refused(StatusCode::METHOD_NOT_ALLOWED, error)).into_response(Form::Json);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

/// What the address says.
#[derive(Deserialize)]
struct Place {
    mcp_id: String,
    bundle: Option<String>,
}

async fn receive(
    State(house): State<Arc<House>>,
    Path(place): Path<Place>,
    request: Request,
) -> axum::response::Response {
    let form = Form::wanted(request.headers());
    let (line, told) = if reply::takes_events(request.headers()) {
        let (line, told) = Line::new();
        (Some(line), Some(told))
    } else {
        (None, None)
    };
    let served = AssertUnwindSafe(serve(house, place, request, form, line)).catch_unwind();
    let served = served.map(|served| {
        served.unwrap_or_else(|_| {
            // What was admitted was settled while the stack came down.
            tracing::error!("a request was given up after a panic");
            Reply::one(refusals::internal())
        })
    });
    let form = form.unwrap_or(Form::Json);
    match told {
        None => served.boxed().await.into_response(form),
        Some(told) => stream::answer(served.boxed(), told, form).await,
    }
}

async fn serve(
    house: Arc<House>,
    place: Place,
    request: Request,
    form: Option<Form>,
    line: Option<Line>,
) -> Reply {
    let started = Instant::now();
    let deadline = started + house.settings.request_timeout;
    let (head, body) = request.into_parts();
    let door = Door { house: &house, address: visitor::address(&head, &house.settings) };

    // Who is it, and where do they want to go?
    let Ok(endpoint) = place.mcp_id.parse::<McpId>() else { return Reply::one(refusals::no_such_endpoint()) };
    let directory = match life::current(&house, endpoint, deadline).await {
        Ok(directory) => directory,
        Err(answer) => return Reply::one(answer),
    };
    let tenant = directory.tenant().id;
    if !visitor::origin_is_allowed(&head.headers, &house.settings.allowed_origins) {
        return door.turn_away(tenant, None, "foreign_origin", foreign_origin());
    }
    let hash = match visitor::key(&head.headers) {
        Ok(hash) => hash,
        Err(NoKey::Missing) => return door.turn_away(tenant, None, "no_key", refusals::no_key()),
        Err(NoKey::Malformed) => {
            return door.turn_away(tenant, None, "malformed_key", refusals::unknown_key());
        }
    };
    let presented = Presented {
        endpoint,
        bundle: place.bundle.map(Arc::from),
        proof: Proof::Key(hash),
        address: door.address,
    };
    let caller = match life::look(&house, directory, &presented, deadline).await {
        Ok(caller) => caller,
        Err(NotSeen::Failed(answer)) => return Reply::one(answer),
        Err(NotSeen::Unknown { .. }) => {
            return door.turn_away(tenant, None, "unknown_key", refusals::unknown_key());
        }
        Err(NotSeen::NoBundle { credential, .. }) => {
            return door.turn_away(tenant, Some(credential), "unknown_bundle", refusals::no_such_bundle());
        }
    };

    // Can what they bring be read?
    let credential = Some(caller.principal.attribution.credential);
    if let Err((code, answer)) = acceptable(&head, form, house.settings.max_body_bytes) {
        return door.turn_away(tenant, credential, code, answer);
    }
    let text = match body::read(body, house.settings.max_body_bytes, house.settings.body_timeout).await {
        Ok(text) => text,
        // Nobody is there to be answered.
        Err(NotRead::BrokeOff) => return Reply::one(refusals::internal()),
        Err(not_read) => {
            let (code, answer) = not_read.told(&house.settings);
            return door.turn_away(tenant, credential, code, answer);
        }
    };
    let visit = Visit { house: &house, head: &head, caller: &caller, presented, started, deadline, line };
    methods::serve(visit, text).await
}

/// What is needed to turn somebody away.
struct Door<'a> {
    house: &'a House,
    address: Option<std::net::IpAddr>,
}

impl Door<'_> {
    fn turn_away(
        &self,
        tenant: TenantId,
        credential: Option<CredentialId>,
        code: &'static str,
        answer: Answer,
    ) -> Reply {
        reject::record(self.house, tenant, code, answer.status, credential, self.address);
        Reply::one(answer)
    }
}

fn foreign_origin() -> Answer {
    let error = RpcError::new(
        code::INVALID_REQUEST,
        "pages of this origin may not call here; an admin can allow it (setting gateway.allowed_origins)",
    );
    Answer::refused(StatusCode::FORBIDDEN, error.with(json!({"code": "foreign_origin"})))
}

/// Whether form and size, as the headers tell them, are such as are taken.
fn acceptable(head: &Parts, form: Option<Form>, limit: usize) -> Result<(), (&'static str, Answer)> {
    let refuse = |status, code: &'static str, message: String| {
        let error = RpcError::new(code::INVALID_REQUEST, message).with(json!({ "code": code }));
        Err((code, Answer::refused(status, error)))
    };
    let media_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = media_type.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let message = "send JSON: `Content-Type: application/json`".to_owned();
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong_content_type", message);
    }
    if form.is_none() {
        let message = "answers are JSON: `Accept: application/json, text/event-stream`".to_owned();
        return refuse(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message);
    }
    let length =
        head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit as u64) {
        return Err(body::too_large(limit));
    }
    Ok(())
}

/// Whether somebody who is known and may not come in is told so at the door. A call of theirs is recorded as a
/// call; anything else is turned away here.
pub(crate) fn turn_away_refused(house: &House, caller: &Caller, presented: &Presented) -> Option<Answer> {
    let reason = caller.refused.as_ref()?;
    let error = RpcError::new(code::INVALID_REQUEST, reason.sentence.clone());
    let error = error.with(json!({"code": reason.code.word()}));
    let answer = Answer::challenged(error, refusals::INVALID_TOKEN);
    let credential = Some(caller.principal.attribution.credential);
    let tenant = caller.directory.tenant().id;
    reject::record(house, tenant, reason.code.word(), answer.status, credential, presented.address);
    Some(answer)
}

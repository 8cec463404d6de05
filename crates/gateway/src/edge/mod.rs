//! The door of `/{mcp_id}/mcp` and its bundles: HTTP in, HTTP out. What comes in is bounded in size and time and authenticated before
//! its body is read; what it asks for is found in `methods`.

mod body;
mod reply;
mod stream;
mod visitor;

pub use self::visitor::address as caller_address;
pub(crate) use self::visitor::session;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::routing::post;
use futures::FutureExt as _;
use futures::future::BoxFuture;
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
use crate::wire::{self, Answer, Revision, RpcError, code};
use crate::{listening, refusals, reject};

/// The routes.
pub(crate) fn router(house: Arc<House>) -> Router {
    let endpoint = || post(receive).get(listen).delete(not_offered);
    Router::new()
        .route("/{mcp_id}/mcp", endpoint())
        .route("/{mcp_id}/mcp/{bundle}", endpoint())
        .with_state(house)
}

/// There is no session to end (2025-11-25, Transports), and no stream for whom does not take one, or speaks 2026-07-28, which has
/// neither.
async fn not_offered(State(house): State<Arc<House>>, headers: HeaderMap) -> axum::response::Response {
    if !visitor::origin_is_allowed(&headers, &house.settings.allowed_origins) {
        return Reply::one(foreign_origin()).into_response(Form::Json);
    }
    let error = RpcError::new(
        code::INVALID_REQUEST,
        "send requests with POST: there is no such stream or session here",
    );
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
    let served = to_the_end(serve(house, place, request, form, line));
    let form = form.unwrap_or(Form::Json);
    match told {
        None => served.await.into_response(form),
        Some(told) => stream::answer(served, told, form).await,
    }
}

/// The stream of the `initialize` era for what belongs to no request (2025-11-25, Transports, Listening for Messages from the
/// Server).
async fn listen(
    State(house): State<Arc<House>>,
    Path(place): Path<Place>,
    request: Request,
) -> axum::response::Response {
    let headers = request.headers();
    if !reply::takes_events(headers) || wire::from_header(headers).is_ok_and(Revision::is_stateless) {
        return not_offered(State(house), headers.clone()).await;
    }
    let (line, told) = Line::new();
    let (head, _) = request.into_parts();
    stream::answer(to_the_end(open(house, place, head, line)), told, Form::Json).await
}

/// What is answered in the end, whatever happens. What serving the request took is let go of before it is listened any further.
fn to_the_end(served: impl Future<Output = Reply> + Send + 'static) -> BoxFuture<'static, Reply> {
    let served = async move { served.await.last().await };
    let served = AssertUnwindSafe(served).catch_unwind().map(|served| {
        served.unwrap_or_else(|_| {
            // What was admitted was settled while the stack came down.
            tracing::error!("a request was given up after a panic");
            Reply::one(refusals::internal())
        })
    });
    served.boxed()
}

async fn open(house: Arc<House>, place: Place, head: Parts, line: Line) -> Reply {
    let deadline = Instant::now() + house.settings.request_timeout;
    let door = Door { house: &house, address: visitor::address(&head, &house.settings) };
    let (caller, presented) = match door.enter(place, &head.headers, deadline).await {
        Ok(entered) => entered,
        Err(reply) => return reply,
    };
    if let Some(answer) = turn_away_refused(&house, &caller, &presented) {
        return Reply::one(answer);
    }
    let opened = match wire::from_header(&head.headers) {
        Ok(_) => listening::open(&house, &caller, presented, visitor::session(&head.headers), line),
        Err(error) => Err(("unsupported_version", Answer::refused(StatusCode::BAD_REQUEST, error))),
    };
    opened.unwrap_or_else(|(code, answer)| {
        let credential = Some(caller.principal.attribution.credential);
        door.turn_away(caller.directory.tenant().id, credential, code, answer)
    })
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

    let (caller, presented) = match door.enter(place, &head.headers, deadline).await {
        Ok(entered) => entered,
        Err(reply) => return reply,
    };
    let tenant = caller.directory.tenant().id;

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

/// Who stands at the door is let in, or turned away.
struct Door<'a> {
    house: &'a House,
    address: Option<std::net::IpAddr>,
}

impl Door<'_> {
    /// Who is it, and where do they want to go?
    async fn enter(
        &self,
        place: Place,
        headers: &HeaderMap,
        deadline: Instant,
    ) -> Result<(Caller, Presented), Reply> {
        let Ok(endpoint) = place.mcp_id.parse::<McpId>() else {
            return Err(Reply::one(refusals::no_such_endpoint()));
        };
        let directory = life::current(self.house, endpoint, deadline).await.map_err(Reply::one)?;
        let tenant = directory.tenant().id;
        let away = |credential, code, answer| Err(self.turn_away(tenant, credential, code, answer));
        if !visitor::origin_is_allowed(headers, &self.house.settings.allowed_origins) {
            return away(None, "foreign_origin", foreign_origin());
        }
        let hash = match visitor::key(headers) {
            Ok(hash) => hash,
            Err(NoKey::Missing) => return away(None, "no_key", refusals::no_key()),
            Err(NoKey::Malformed) => return away(None, "malformed_key", refusals::unknown_key()),
        };
        let presented = Presented {
            endpoint,
            bundle: place.bundle.map(Arc::from),
            proof: Proof::Key(hash),
            address: self.address,
        };
        match life::look(self.house, directory, &presented, deadline).await {
            Ok(caller) => Ok((caller, presented)),
            Err(NotSeen::Failed(answer)) => Err(Reply::one(answer)),
            Err(NotSeen::Unknown { .. }) => away(None, "unknown_key", refusals::unknown_key()),
            Err(NotSeen::NoBundle { credential, .. }) => {
                away(Some(credential), "unknown_bundle", refusals::no_such_bundle())
            }
        }
    }

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

/// Reads of headers what is read of them before the body is.
#[cfg(fuzzing)]
pub(crate) fn read_headers(headers: &HeaderMap) {
    use crate::settings::{AddressHeader, Settings};

    let _ = (visitor::key(headers), session(headers), Form::wanted(headers), reply::takes_events(headers));
    visitor::origin_is_allowed(headers, &["https://inspector.example.com".to_owned()]);
    for client_address in [AddressHeader::ForwardedFor, AddressHeader::FlyClientIp] {
        let trusted_proxies = vec![ipnet::IpNet::from(std::net::IpAddr::from([10, 0, 0, 1]))];
        let settings = Settings { client_address, trusted_proxies, ..Settings::default() };
        let (mut head, ()) = http::Request::new(()).into_parts();
        head.headers = headers.clone();
        let peer = std::net::SocketAddr::from(([10, 0, 0, 1], 1));
        head.extensions.insert(axum::extract::ConnectInfo(peer));
        let _ = caller_address(&head, &settings);
    }
}

//! What is answered instead of a page, and the error pages. One mapping, in one place.
//!
//! A handler returns a [`Refusal`]; it becomes a status and a note on the response, and [`dress`] turns the note into a
//! page, because only there the response's nonce is known. So errors that axum itself answers get a page too.

use std::any::Any;
use std::time::Duration;

use app::links;
use app::pages::trouble::{self, Trouble};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use model::Zone;

use super::Dashboard;
use super::headers::Nonce;
use super::watch::RequestId;

/// Why there is no page.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// There is nothing, or nothing that this person may see.
    NotFound,
    /// Nobody is signed in. Afterwards, on to this path.
    SignIn {
        /// A path of ours; none when coming back makes no sense.
        next: Option<String>,
    },
    /// The form came from another site.
    OtherSite,
    /// The form could not be read.
    Unreadable,
    /// Too many live pages are open.
    TooManyWatchers,
    /// The database cannot be reached, or it took too long.
    Unavailable,
    /// A fault of ours.
    Broken,
}

impl From<control::Error> for Refusal {
    fn from(error: control::Error) -> Self {
        use control::Error;
        match &error {
            Error::NotFound { .. } => Self::NotFound,
            Error::Invalid { .. } | Error::Refused { .. } => Self::Unreadable,
            Error::Database(_) => {
                tracing::error!(error = crate::say::one_line(&error), "a page could not be made");
                Self::Unavailable
            }
            _ => {
                tracing::error!(error = crate::say::one_line(&error), "a page could not be made");
                Self::Broken
            }
        }
    }
}

impl From<tower_sessions::session::Error> for Refusal {
    fn from(error: tower_sessions::session::Error) -> Self {
        tracing::error!(error = crate::say::one_line(&error), "a session could not be read or written");
        Self::Unavailable
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::SignIn { .. } => StatusCode::SEE_OTHER,
            Self::OtherSite => StatusCode::FORBIDDEN,
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::TooManyWatchers => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if let Self::SignIn { next } = self {
            let mut query = form_urlencoded::Serializer::new(String::new());
            if let Some(next) = next {
                query.append_pair("next", &next);
            }
            let query = query.finish();
            let mark = if query.is_empty() { "" } else { "?" };
            return Redirect::to(&format!("{}{mark}{query}", links::SIGN_IN)).into_response();
        }
        self.status().into_response()
    }
}

/// For handlers that answer with a page instead of what was asked for.
impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        refusal.into_response()
    }
}

/// A panic is answered like any fault of ours; what it said is in the log and nowhere else.
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
    tracing::error!(panic = said.unwrap_or("…"), "a page panicked");
    Refusal::Broken.into_response()
}

/// Gives every error that has no body of its own a page.
pub(super) async fn dress(State(dashboard): State<Dashboard>, request: Request, next: Next) -> Response {
    let nonce = request.extensions().get::<Nonce>().cloned();
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
    let response = next.run(request).await;
    let status = response.status();
    let bare = !response.headers().contains_key(CONTENT_TYPE) || is_plain_text(&response);
    let Some(nonce) = nonce.filter(|_| (status.is_client_error() || status.is_server_error()) && bare) else {
        return response;
    };
    let page = trouble::page(&dashboard.site(&nonce, Zone::UTC), said(status, id));
    let (mut head, _) = response.into_parts();
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove(CONTENT_TYPE);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        head.headers.insert(RETRY_AFTER, HeaderValue::from(Duration::from_secs(5).as_secs()));
    }
    let mut dressed = Html(page).into_response();
    *dressed.status_mut() = status;
    for (name, value) in &head.headers {
        dressed.headers_mut().insert(name, value.clone());
    }
    dressed
}

/// What axum itself answers to an unreadable request.
fn is_plain_text(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"))
}

fn said(status: StatusCode, id: Option<String>) -> Trouble {
    let start = || ("Go to the start", "/".to_owned());
    let (title, sentence, request_id) = match status {
        StatusCode::NOT_FOUND => {
            ("There is no such page", "Nothing is at this address, or it is not yours to see.".to_owned(), None)
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            ("That cannot be done here", "The address takes no request of this kind.".to_owned(), None)
        }
        StatusCode::FORBIDDEN => (
            "That did not come from here",
            "The form was not sent by a page of this site, so nothing was done. Open the page here and try again."
                .to_owned(),
            None,
        ),
        StatusCode::PAYLOAD_TOO_LARGE => {
            ("That is too large", "The form holds more than is accepted; nothing was done.".to_owned(), None)
        }
        StatusCode::TOO_MANY_REQUESTS => {
            ("Too many live pages", "Close some of your open Activity pages and reload.".to_owned(), None)
        }
        StatusCode::SERVICE_UNAVAILABLE => (
            "It does not answer at the moment",
            "The database cannot be reached, or it took too long. Nothing was changed. Try again in a few seconds."
                .to_owned(),
            id,
        ),
        status if status.is_client_error() => {
            ("That could not be read", "The request is not one that this address understands.".to_owned(), None)
        }
        _ => ("Something broke on our side", "The page could not be made. The fault is recorded.".to_owned(), id),
    };
    Trouble { title, sentence, way_out: start(), request_id }
}

//! No request that changes something may come from another site.
//!
//! Browsers say where a request comes from in `Sec-Fetch-Site` and `Origin`, and pages cannot change what they say.
//! Both are believed, and each can refuse. A request that has neither is refused too: every browser that can show
//! these pages sends `Origin` with a form, and whatever is not a browser has no cookie that needs protecting; programs
//! use the API. `Referrer-Policy: same-origin` keeps browsers from sending `Origin: null` with our own forms.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::ORIGIN;
use http::{HeaderMap, HeaderName, Method};

use super::refusal::Refusal;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origins that our own forms come from.
#[derive(Clone, Debug)]
pub(super) struct Origins(Arc<[String]>);

impl Origins {
    /// The configured origin; where that is an address of this machine, also its name.
    pub(super) fn of(origin: &str) -> Self {
        let origin = origin.trim_end_matches('/').to_ascii_lowercase();
        let by_name = origin.strip_prefix("http://127.0.0.1:").map(|port| format!("http://localhost:{port}"));
        Self(std::iter::once(origin).chain(by_name).collect())
    }

    fn include(&self, origin: &str) -> bool {
        self.0.iter().any(|ours| ours.eq_ignore_ascii_case(origin))
    }
}

/// Lets through what reads, and what changes something from our own pages.
pub(super) async fn guard(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    if is_ours(request.method(), request.headers(), &origins) {
        next.run(request).await
    } else {
        tracing::warn!(
            path = super::watch::shown(request.uri().path()),
            "refused a form that another site sent"
        );
        Refusal::OtherSite.into_response()
    }
}

fn is_ours(method: &Method, headers: &HeaderMap, origins: &Origins) -> bool {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) {
        return true;
    }
    let mut given = headers.get_all(ORIGIN).iter();
    let origin = match (given.next(), given.next()) {
        (None, _) => None,
        (Some(origin), None) => Some(origin.to_str().is_ok_and(|origin| origins.include(origin))),
        (Some(_), Some(_)) => Some(false),
    };
    // `none`: the person themselves, by reloading or from a bookmark; no page had a hand in it.
    let site = headers.get(SEC_FETCH_SITE).map(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    match (origin, site) {
        (Some(origin), Some(site)) => origin && site,
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "https://app.example.com";

    fn passes(method: Method, origin: &[&str], site: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        for origin in origin {
            headers.append(ORIGIN, origin.parse().unwrap());
        }
        if let Some(site) = site {
            headers.insert(SEC_FETCH_SITE, site.parse().unwrap());
        }
        is_ours(&method, &headers, &Origins::of(OURS))
    }

    #[test]
    fn only_our_own_pages_may_change_something() {
        for (origin, site, passes_through) in [
            (&[OURS][..], Some("same-origin"), true),
            (&[OURS], None, true),
            (&[], Some("same-origin"), true),
            (&[], Some("none"), true),
            (&["HTTPS://APP.EXAMPLE.COM"], Some("same-origin"), true),
            (&[], None, false),
            (&[], Some("cross-site"), false),
            (&[], Some("same-site"), false),
            (&[], Some("made-up"), false),
            (&[OURS], Some("cross-site"), false),
            (&[OURS], Some("same-site"), false),
            (&["null"], None, false),
            (&["null"], Some("same-origin"), false),
            (&["https://evil.example"], Some("same-origin"), false),
            (&["https://evil.example"], None, false),
            (&["https://app.example.com.evil.example"], None, false),
            (&["http://app.example.com"], None, false),
            (&["https://app.example.com:8443"], None, false),
            (&[OURS, OURS], Some("same-origin"), false),
            (&[""], Some("same-origin"), false),
        ] {
            for method in
                [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::CONNECT, Method::TRACE]
            {
                assert_eq!(passes(method, origin, site), passes_through, "{origin:?} {site:?}");
            }
        }
    }

    #[test]
    fn reading_is_free_to_all() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert!(passes(method, &["https://evil.example"], Some("cross-site")));
        }
    }

    #[test]
    fn an_address_of_this_machine_has_a_name() {
        let origins = Origins::of("http://127.0.0.1:8080");
        assert!(origins.include("http://localhost:8080") && origins.include("http://127.0.0.1:8080"));
        assert!(!origins.include("http://localhost:8081"));
    }
}

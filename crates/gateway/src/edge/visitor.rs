//! What the head of a request tells of who sent it: the origin, the address, the key.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::ConnectInfo;
use http::header::{AUTHORIZATION, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use model::call::Digest;
use sha2::{Digest as _, Sha256};

use crate::settings::{AddressHeader, Settings};
use crate::upstream::SESSION_HEADER;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FLY_CLIENT_IP: HeaderName = HeaderName::from_static("fly-client-ip");
/// Ours have 35 characters; a client that brings another is believed up to here.
const SESSION_ID: usize = 64;

/// Why there is no key to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// No bearer token was presented.
    Missing,
    /// What was presented is no key: its form or checksum is wrong. Nothing is looked up.
    Malformed,
}

/// The SHA-256 of the key that is presented as a bearer token (RFC 6750 section 2.1).
pub(super) fn key(headers: &HeaderMap) -> Result<Digest, NoKey> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(NoKey::Missing)?;
    if values.next().is_some() {
        return Err(NoKey::Malformed);
    }
    let value = value.to_str().map_err(|_| NoKey::Malformed)?;
    let (scheme, key) = value.trim().split_once(' ').ok_or(NoKey::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(NoKey::Missing);
    }
    let key = key.trim();
    if model::key::well_formed(key) { Ok(Sha256::digest(key).into()) } else { Err(NoKey::Malformed) }
}

/// The id of the session that a client of the `initialize` era says it is in (2025-11-25, Transports, Session Management).
/// Theirs to say: it is a name for what belongs together, and nothing is looked up by it.
pub(crate) fn session(headers: &HeaderMap) -> Option<Arc<str>> {
    let said = headers.get(SESSION_HEADER)?.to_str().ok()?;
    (1..=SESSION_ID).contains(&said.len()).then(|| said.into())
}

/// Whether the request comes from no page, or from a page that may call here (DNS rebinding; MCP, Transports).
pub(super) fn origin_is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    headers.get_all(ORIGIN).iter().all(|origin| {
        origin.to_str().is_ok_and(|origin| allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)))
    })
}

/// Where the request comes from. The peer's word on somebody behind it counts only if the peer is a trusted proxy;
/// if its word cannot be read, nothing is known.
pub fn address(head: &Parts, settings: &Settings) -> Option<IpAddr> {
    let peer = head.extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip().to_canonical();
    if !is_trusted(peer, &settings.trusted_proxies) {
        return Some(peer);
    }
    match settings.client_address {
        AddressHeader::FlyClientIp => match head.headers.get(FLY_CLIENT_IP) {
            None => Some(peer),
            Some(address) => Some(address.to_str().ok()?.trim().parse::<IpAddr>().ok()?.to_canonical()),
        },
        AddressHeader::ForwardedFor => forwarded_for(&head.headers, peer, &settings.trusted_proxies),
    }
}

/// Walks from the nearest hop to the farthest and stops at the first that is not ours: what stands before it,
/// anybody may have written.
fn forwarded_for(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut nearest = peer;
    let values: Vec<&str> =
        headers.get_all(FORWARDED_FOR).iter().map(|value| value.to_str().ok()).collect::<Option<_>>()?;
    for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        nearest = read_hop(hop.trim())?;
        if !is_trusted(nearest, trusted) {
            break;
        }
    }
    Some(nearest)
}

/// `192.0.2.1`, `192.0.2.1:1234`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:1234`.
fn read_hop(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse::<IpAddr>().ok().or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()))?;
    Some(address.to_canonical())
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(peer: &str, headers: &[(&'static str, &str)]) -> Parts {
        let mut request = http::Request::new(());
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        request.into_parts().0
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let settings =
            Settings { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..Settings::default() };
        for (peer, headers, expected) in [
            ("192.0.2.9:1", &[][..], Some("192.0.2.9")),
            ("192.0.2.9:1", &[("x-forwarded-for", "1.1.1.1")], Some("192.0.2.9")),
            ("192.0.2.9:1", &[("fly-client-ip", "1.1.1.1")], Some("192.0.2.9")),
            ("10.0.0.1:1", &[], Some("10.0.0.1")),
            ("10.0.0.1:1", &[("fly-client-ip", "1.1.1.1")], Some("10.0.0.1")),
            ("10.0.0.1:1", &[("x-forwarded-for", "1.1.1.1")], Some("1.1.1.1")),
            ("10.0.0.1:1", &[("x-forwarded-for", "6.6.6.6, 1.1.1.1, 10.0.0.2")], Some("1.1.1.1")),
            (
                "10.0.0.1:1",
                &[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.1.1.1")],
                Some("1.1.1.1"),
            ),
            ("10.0.0.1:1", &[("x-forwarded-for", "[2001:db8::7]:80")], Some("2001:db8::7")),
            ("10.0.0.1:1", &[("x-forwarded-for", "1.1.1.1:80")], Some("1.1.1.1")),
            ("10.0.0.1:1", &[("x-forwarded-for", "1.1.1.1, nonsense")], None),
            ("[::ffff:10.0.0.1]:1", &[("x-forwarded-for", "::ffff:1.1.1.1")], Some("1.1.1.1")),
        ] {
            let expected = expected.map(|address| address.parse().unwrap());
            assert_eq!(address(&head(peer, headers), &settings), expected, "{peer} {headers:?}");
        }
        let fly = Settings { client_address: AddressHeader::FlyClientIp, ..settings };
        let headers = [("fly-client-ip", "1.1.1.1"), ("x-forwarded-for", "6.6.6.6")];
        assert_eq!(address(&head("10.0.0.1:1", &headers), &fly), Some("1.1.1.1".parse().unwrap()));
        assert_eq!(address(&head("192.0.2.9:1", &headers), &fly), Some("192.0.2.9".parse().unwrap()));
    }

    #[test]
    fn a_key_is_a_bearer_token_of_the_right_form() {
        let of = |value: &str| key(&head("192.0.2.9:1", &[("authorization", value)]).headers);
        let minted = model::key::mint([7; 32]);
        let hash: Digest = Sha256::digest(&minted).into();
        assert_eq!(of(&format!("Bearer {minted}")), Ok(hash));
        assert_eq!(of(&format!("bearer  {minted} ")), Ok(hash));
        assert_eq!(of(&format!("Bearer {minted}x")), Err(NoKey::Malformed));
        assert_eq!(of("Bearer wa_short"), Err(NoKey::Malformed));
        assert_eq!(of(&format!("Basic {minted}")), Err(NoKey::Missing));
        assert_eq!(of(&minted), Err(NoKey::Missing));
        assert_eq!(key(&HeaderMap::new()), Err(NoKey::Missing));
    }

    #[test]
    fn a_page_may_call_only_from_an_allowed_origin() {
        let allowed = ["https://inspector.example.com".to_owned()];
        let from =
            |origin: &str| origin_is_allowed(&head("192.0.2.9:1", &[("origin", origin)]).headers, &allowed);
        assert!(origin_is_allowed(&HeaderMap::new(), &allowed));
        assert!(from("https://inspector.example.com"));
        assert!(from("https://Inspector.example.com"));
        assert!(!from("https://evil.example"));
        assert!(!from("https://inspector.example.com.evil.example"));
        assert!(!from("null"));
    }
}

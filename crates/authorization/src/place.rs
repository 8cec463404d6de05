//! Addresses from outside: which may be used, and how they are shown.

use http::Uri;
use url::{Host, Url};

use crate::Error;
use crate::fetch::cut;

/// Longest address that is taken.
const LONGEST: usize = 2048;

/// Reads an address that may be asked, or that a person may be sent to: `https`, or `http` on a loopback address where that is
/// allowed (OAuth 2.1 section 1.5); no user name, no fragment.
pub(crate) fn checked(text: &str, loopback: bool) -> Result<Url, Error> {
    let bad = |why| Error::BadAddress { url: shown(text), why };
    if text.len() > LONGEST {
        return Err(bad("it is too long"));
    }
    let url = Url::parse(text).map_err(|_| bad("it is no URL"))?;
    let may = match url.scheme() {
        "https" => true,
        "http" => loopback && is_loopback(&url),
        _ => false,
    };
    if !may {
        return Err(bad("it must begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.host().is_none() {
        return Err(bad("a user name or password cannot stand in it"));
    }
    if url.fragment().is_some() {
        return Err(bad("it must not have a fragment"));
    }
    Ok(url)
}

/// Whether it is this machine itself by its own name or address.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

pub(crate) fn uri(url: &Url) -> Result<Uri, Error> {
    url.as_str().parse().map_err(|_| Error::BadAddress { url: shown(url.as_str()), why: "it is no URL" })
}

/// An address as it may be shown: without its query, cut.
pub(crate) fn shown(text: &str) -> String {
    cut(text.split(['?', '#']).next().unwrap_or_default(), 200)
}

/// The path of a well-known document (RFC 8615), inserted between host and path of `of`.
pub(crate) fn well_known(of: &Url, suffix: &str) -> Url {
    let path = of.path().trim_end_matches('/');
    at(of, &format!("/.well-known/{suffix}{path}"))
}

/// Another path at the same origin.
pub(crate) fn at(of: &Url, path: &str) -> Url {
    let mut url = of.clone();
    url.set_path(path);
    url.set_query(None);
    url.set_fragment(None);
    url
}

//! Finds the revision that a request speaks, from its header and its `_meta`, and holds 2026-07-28 to its headers.

use http::{HeaderMap, HeaderName};
use serde_json::json;

use super::code::{HEADER_MISMATCH, INVALID_PARAMS, UNSUPPORTED_VERSION};
use super::envelope::{Meta, text_of};
use super::{Revision, RpcError, mirror};

/// Names the revision.
pub(crate) const VERSION_HEADER: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// Names the method (2026-07-28).
pub(crate) const METHOD_HEADER: HeaderName = HeaderName::from_static("mcp-method");
/// Names the tool, prompt or resource (2026-07-28).
pub(crate) const NAME_HEADER: HeaderName = HeaderName::from_static("mcp-name");

/// The revision of a request. An error is answered with HTTP 400.
pub(crate) fn revision(
    headers: &HeaderMap,
    method: &str,
    meta: Option<&Meta<'_>>,
) -> Result<Revision, RpcError> {
    let header = single(headers, &VERSION_HEADER)?;
    if let Some(declared) = meta.and_then(|meta| meta.protocol_version) {
        let declared = text_of(declared).ok_or_else(|| missing("protocolVersion"))?;
        let revision = Revision::named(&declared);
        match header {
            Some(header) if header != declared => {
                return Err(mismatch("MCP-Protocol-Version", header, &declared));
            }
            None if revision.is_none_or(Revision::is_stateless) => {
                return Err(absent("MCP-Protocol-Version"));
            }
            _ => (),
        }
        let revision = revision.ok_or_else(|| unsupported(&declared))?;
        let has_capabilities = meta
            .and_then(|meta| meta.client_capabilities)
            .is_some_and(|capabilities| capabilities.get().starts_with('{'));
        if revision.is_stateless() && !has_capabilities {
            return Err(missing("clientCapabilities"));
        }
        return Ok(revision);
    }
    if method == "initialize" {
        // It negotiates in its params; whatever a header says does not count yet.
        return Ok(Revision::NEWEST_OPENED);
    }
    match from_header(headers)? {
        revision if revision.is_stateless() => Err(missing("protocolVersion")),
        revision => Ok(revision),
    }
}

/// The revision that the header alone names; the one to assume where there is none.
pub(crate) fn from_header(headers: &HeaderMap) -> Result<Revision, RpcError> {
    match single(headers, &VERSION_HEADER)? {
        None => Ok(Revision::ASSUMED),
        Some(header) => Revision::named(header).ok_or_else(|| unsupported(header)),
    }
}

/// Checks `Mcp-Method` and `Mcp-Name` against the body (2026-07-28, Streamable HTTP, Server Validation). An error
/// is answered with HTTP 400.
pub(crate) fn mirrored(headers: &HeaderMap, method: &str, name: Option<&str>) -> Result<(), RpcError> {
    let header = single(headers, &METHOD_HEADER)?.ok_or_else(|| absent("Mcp-Method"))?;
    if header != method {
        return Err(mismatch("Mcp-Method", header, method));
    }
    let header = single(headers, &NAME_HEADER)?;
    match (header, name) {
        (Some(header), Some(name)) => match mirror::decoded(header) {
            Some(decoded) if decoded == name => Ok(()),
            _ => Err(mismatch("Mcp-Name", header, name)),
        },
        (None, Some(_)) => Err(absent("Mcp-Name")),
        (_, None) => Ok(()),
    }
}

/// The one value of a header, without the white space around it. Two values, or one that is not plain ASCII, are
/// an error: it could be read in two ways.
pub(crate) fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, RpcError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match (value.to_str(), values.next()) {
        (Ok(value), None) => Ok(Some(value.trim_matches([' ', '\t']))),
        _ => Err(RpcError::new(
            HEADER_MISMATCH,
            format!("Header mismatch: the header {name} must have one value of plain ASCII characters"),
        )),
    }
}

/// A header and the body disagree.
pub(crate) fn mismatch(header: &str, value: &str, body: &str) -> RpcError {
    let short = |text: &str| text.chars().take(80).collect::<String>();
    RpcError::new(
        HEADER_MISMATCH,
        format!(
            "Header mismatch: the header {header} says '{}' and the body '{}'",
            short(value),
            short(body)
        ),
    )
}

/// A header that the body calls for is not there.
pub(crate) fn absent(header: &str) -> RpcError {
    RpcError::new(HEADER_MISMATCH, format!("Header mismatch: the header {header} is missing (2026-07-28)"))
}

fn missing(member: &str) -> RpcError {
    RpcError::new(
        INVALID_PARAMS,
        format!(
            "params._meta[\"io.modelcontextprotocol/{member}\"] is missing or not of its type (2026-07-28)"
        ),
    )
}

fn unsupported(requested: &str) -> RpcError {
    let requested: String = requested.chars().take(80).collect();
    RpcError::new(UNSUPPORTED_VERSION, "Unsupported protocol version").with(json!({
        "supported": Revision::ALL.map(Revision::word),
        "requested": requested,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::reply::Data;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn spoken(version: Option<&str>, method: &str, meta: Option<&str>) -> Result<Revision, i32> {
        let headers = headers(
            &version.map(|version| ("mcp-protocol-version", version)).into_iter().collect::<Vec<_>>(),
        );
        let meta = meta.map(|meta| serde_json::from_str::<Meta<'_>>(meta).unwrap());
        revision(&headers, method, meta.as_ref()).map_err(|error| error.code)
    }

    #[test]
    fn each_way_of_opening_finds_its_revision() {
        let stateless = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
            "io.modelcontextprotocol/clientCapabilities":{}}"#;
        let opened = r#"{"io.modelcontextprotocol/protocolVersion":"2025-06-18"}"#;
        let unknown = r#"{"io.modelcontextprotocol/protocolVersion":"v999",
            "io.modelcontextprotocol/clientCapabilities":{}}"#;
        let no_capabilities = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
        let bad_capabilities = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
            "io.modelcontextprotocol/clientCapabilities":[]}"#;
        let no_version = r#"{"io.modelcontextprotocol/clientCapabilities":{}}"#;
        let bad_version = r#"{"io.modelcontextprotocol/protocolVersion":7}"#;
        for (version, method, meta, expected) in [
            (None, "tools/list", None, Ok(Revision::V2025_03_26)),
            (Some("2025-03-26"), "tools/list", None, Ok(Revision::V2025_03_26)),
            (Some("2025-06-18"), "tools/list", Some("{}"), Ok(Revision::V2025_06_18)),
            (Some(" 2025-11-25 "), "tools/list", None, Ok(Revision::V2025_11_25)),
            (Some("2024-01-01"), "tools/list", None, Err(UNSUPPORTED_VERSION)),
            (Some("nonsense"), "initialize", None, Ok(Revision::V2025_11_25)),
            (Some("2026-07-28"), "tools/list", Some(stateless), Ok(Revision::V2026_07_28)),
            (Some("2026-07-28"), "initialize", Some(stateless), Ok(Revision::V2026_07_28)),
            (None, "tools/list", Some(stateless), Err(HEADER_MISMATCH)),
            (Some("2025-11-25"), "tools/list", Some(stateless), Err(HEADER_MISMATCH)),
            (Some("2026-07-28"), "tools/list", Some(unknown), Err(HEADER_MISMATCH)),
            (Some("v999"), "tools/list", Some(unknown), Err(UNSUPPORTED_VERSION)),
            (Some("2026-07-28"), "tools/list", None, Err(INVALID_PARAMS)),
            (Some("2026-07-28"), "tools/list", Some(no_version), Err(INVALID_PARAMS)),
            (Some("2026-07-28"), "tools/list", Some(no_capabilities), Err(INVALID_PARAMS)),
            (Some("2026-07-28"), "tools/list", Some(bad_capabilities), Err(INVALID_PARAMS)),
            (Some("2026-07-28"), "tools/list", Some(bad_version), Err(INVALID_PARAMS)),
            (None, "tools/list", Some(opened), Ok(Revision::V2025_06_18)),
            (Some("2025-11-25"), "tools/list", Some(opened), Err(HEADER_MISMATCH)),
        ] {
            assert_eq!(spoken(version, method, meta), expected, "{version:?} {method} {meta:?}");
        }
    }

    #[test]
    fn an_unsupported_version_is_told_which_are() {
        let error = revision(&headers(&[("mcp-protocol-version", "1900-01-01")]), "ping", None).unwrap_err();
        assert_eq!(
            error.data,
            Data::Ours(
                json!({"requested": "1900-01-01", "supported": ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"]})
            )
        );
    }

    #[test]
    fn mirrored_headers_must_say_what_the_body_says() {
        let check = |pairs: &[(&'static str, &str)], name: Option<&str>| {
            mirrored(&headers(pairs), "tools/call", name).map_err(|error| error.code)
        };
        let method = ("mcp-method", "tools/call");
        assert_eq!(check(&[method, ("mcp-name", "  crm.find ")], Some("crm.find")), Ok(()));
        assert_eq!(check(&[method, ("mcp-name", "=?base64?w6k=?=")], Some("é")), Ok(()));
        assert_eq!(check(&[method], None), Ok(()));
        for (pairs, name) in [
            (&[("mcp-name", "a")][..], Some("a")),
            (&[("mcp-method", "TOOLS/CALL"), ("mcp-name", "a")], Some("a")),
            (&[method], Some("a")),
            (&[method, ("mcp-name", "b")], Some("a")),
            (&[method, ("mcp-name", "=?base64?w6k?=")], Some("é")),
            (&[method, method, ("mcp-name", "a")], Some("a")),
        ] {
            let mut headers = HeaderMap::new();
            for (header, value) in pairs {
                headers.append(HeaderName::from_static(header), value.parse().unwrap());
            }
            assert_eq!(
                mirrored(&headers, "tools/call", name).map_err(|error| error.code),
                Err(HEADER_MISMATCH),
                "{pairs:?}"
            );
        }
    }
}

//! Arguments that a tool's definition wants mirrored into headers: `x-mcp-header` and `Mcp-Param-{name}`
//! (2026-07-28, Streamable HTTP, Custom Headers from Tool Parameters). Whoever reads the body must compare.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use serde_json::Value;

use super::RpcError;
use super::negotiate::{absent, mismatch, single};

/// What stands before and after a header value that is encoded.
const OPENING: &str = "=?base64?";
const CLOSING: &str = "?=";
/// How deep a definition's properties are searched for annotations.
const DEEPEST: usize = 16;

/// The text that a header value stands for; none if it is marked as encoded and cannot be decoded.
pub(crate) fn decoded(value: &str) -> Option<Cow<'_, str>> {
    match value.strip_prefix(OPENING).and_then(|value| value.strip_suffix(CLOSING)) {
        None => Some(Cow::Borrowed(value)),
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok().map(Cow::Owned),
    }
}

/// Compares the `Mcp-Param-*` headers with the arguments, for a tool whose listing asks for such headers.
pub(crate) fn check(listing: &str, arguments: &[u8], headers: &HeaderMap) -> Result<(), RpcError> {
    if !listing.contains("x-mcp-header") {
        return Ok(());
    }
    let (Ok(listing), Ok(arguments)) =
        (serde_json::from_str::<Value>(listing), serde_json::from_slice::<Value>(arguments))
    else {
        // Arguments that cannot be compared (a number beyond all bounds) are not waved through.
        return Err(absent("Mcp-Param-*"));
    };
    match listing.get("inputSchema") {
        Some(schema) => check_properties(schema, Some(&arguments), headers, DEEPEST),
        None => Ok(()),
    }
}

fn check_properties(
    schema: &Value,
    arguments: Option<&Value>,
    headers: &HeaderMap,
    deeper: usize,
) -> Result<(), RpcError> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Ok(()) };
    for (name, property) in properties {
        let argument = arguments.and_then(|arguments| arguments.get(name));
        if let Some(header) = property.get("x-mcp-header").and_then(Value::as_str) {
            check_one(header, argument, headers)?;
        }
        if deeper > 0 {
            check_properties(property, argument, headers, deeper - 1)?;
        }
    }
    Ok(())
}

fn check_one(header: &str, argument: Option<&Value>, headers: &HeaderMap) -> Result<(), RpcError> {
    let full = format!("Mcp-Param-{header}");
    // A name that is no header name makes the definition invalid; clients drop such a tool from their list.
    let Ok(name) = full.parse::<HeaderName>() else { return Ok(()) };
    let wanted = match argument {
        Some(Value::String(text)) => Cow::Borrowed(text.as_str()),
        Some(Value::Number(number)) => Cow::Owned(number.to_string()),
        Some(Value::Bool(truth)) => Cow::Borrowed(if *truth { "true" } else { "false" }),
        // Null, absent, or of no primitive type: no header is expected, and one that is there says something else.
        _ => {
            return match single(headers, &name)? {
                None => Ok(()),
                Some(value) => Err(mismatch(&full, value, "")),
            };
        }
    };
    let value = single(headers, &name)?.ok_or_else(|| absent(&full))?;
    let decoded = decoded(value).ok_or_else(|| mismatch(&full, value, &wanted))?;
    let equal = decoded == wanted
        || matches!(argument, Some(Value::Number(number))
            if decoded.parse::<f64>().is_ok_and(|header| number.as_f64() == Some(header)));
    if equal { Ok(()) } else { Err(mismatch(&full, value, &wanted)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = r#"{"name":"t","inputSchema":{"type":"object","properties":{
        "region":{"type":"string","x-mcp-header":"Region"},
        "size":{"type":"integer","x-mcp-header":"Size"},
        "deep":{"type":"object","properties":{"dry":{"type":"boolean","x-mcp-header":"Dry"}}}}}}"#;

    fn allowed(arguments: &str, pairs: &[(&'static str, &str)]) -> bool {
        let headers = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        check(LISTING, arguments.as_bytes(), &headers).is_ok()
    }

    #[test]
    fn headers_and_arguments_must_agree() {
        assert!(allowed("{}", &[]));
        assert!(allowed(r#"{"region":null}"#, &[]));
        assert!(allowed(r#"{"region":"eu"}"#, &[("mcp-param-region", "eu")]));
        assert!(allowed(r#"{"region":"Hello"}"#, &[("mcp-param-region", "=?base64?SGVsbG8=?=")]));
        assert!(allowed(r#"{"region":"=?base64?SGVsbG8="}"#, &[("mcp-param-region", "=?base64?SGVsbG8=")]));
        assert!(allowed(r#"{"size":42}"#, &[("mcp-param-size", "42.0")]));
        assert!(allowed(r#"{"deep":{"dry":true}}"#, &[("mcp-param-dry", "true")]));
        assert!(allowed("{}", &[("mcp-param-unheard-of", "x")]));

        assert!(!allowed(r#"{"region":"eu"}"#, &[]));
        assert!(!allowed(r#"{"region":"eu"}"#, &[("mcp-param-region", "us")]));
        assert!(!allowed(r#"{"region":"Hello"}"#, &[("mcp-param-region", "=?base64?SGVsbG8?=")]));
        assert!(!allowed(r#"{"region":"Hello"}"#, &[("mcp-param-region", "=?base64?SGVs!!!bG8=?=")]));
        assert!(!allowed("{}", &[("mcp-param-region", "eu")]));
        assert!(!allowed(r#"{"deep":{"dry":true}}"#, &[("mcp-param-dry", "false")]));
    }

    #[test]
    fn a_tool_that_asks_for_no_headers_is_not_looked_at() {
        assert!(check("{}", b"not even json", &HeaderMap::new()).is_ok());
    }
}

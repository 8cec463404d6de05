//! Arguments that a tool's definition wants mirrored into headers: `x-mcp-header` and `Mcp-Param-{name}`
//! (2026-07-28, Streamable HTTP, Custom Headers from Tool Parameters). Clients write them, and whoever reads the body must
//! compare: we are both.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::RpcError;
use super::negotiate::{absent, mismatch, single};

/// What stands before and after a header value that is encoded.
const OPENING: &str = "=?base64?";
const CLOSING: &str = "?=";
const ANNOTATION: &str = "x-mcp-header";
/// Integers up to here are the same number to every reader (2^53 - 1).
const SAFE: f64 = 9_007_199_254_740_991.0;
/// Keywords of JSON Schema whose values are data, so that what looks like an annotation there is none.
const DATA: [&str; 4] = ["default", "const", "enum", "examples"];
/// Keywords whose members are named by the author, each with a schema.
const NAMED: [&str; 5] = ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties"];

/// The text that a header value stands for; none if it is marked as encoded and cannot be decoded.
pub(crate) fn decoded(value: &str) -> Option<Cow<'_, str>> {
    match value.strip_prefix(OPENING).and_then(|value| value.strip_suffix(CLOSING)) {
        None => Some(Cow::Borrowed(value)),
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok().map(Cow::Owned),
    }
}

/// A text as a header value: as it is where that can be read in one way alone, else encoded. Not shown in logs: it may be an
/// argument.
pub(crate) fn encoded(text: &str) -> HeaderValue {
    let is_plain = text.bytes().all(|byte| matches!(byte, 0x20..=0x7E))
        && text.trim_matches(' ') == text
        && !(text.starts_with(OPENING) && text.ends_with(CLOSING));
    let value = if is_plain {
        HeaderValue::from_str(text)
    } else {
        HeaderValue::from_str(&format!("{OPENING}{}{CLOSING}", STANDARD.encode(text)))
    };
    // Visible ASCII either way: that is always a value.
    let mut value = value.unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// An argument that is mirrored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirrored {
    /// `mcp-param-{name}`.
    header: HeaderName,
    /// The names of the properties that lead to it, from the root.
    path: Vec<String>,
}

impl Mirrored {
    /// What stands in the arguments there, as the text that its header has; none where no header is expected.
    fn wanted<'v>(&self, arguments: &'v Value) -> (Option<Cow<'v, str>>, Option<&'v Value>) {
        let argument = self.path.iter().try_fold(arguments, |value, name| value.get(name));
        let text = match argument {
            Some(Value::String(text)) => Some(Cow::Borrowed(text.as_str())),
            Some(Value::Bool(truth)) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
            Some(Value::Number(number)) => Some(Cow::Owned(match number.as_f64() {
                // A whole number however it was written; 5e0 is 5.
                Some(float) if !number.is_i64() && float.fract() == 0.0 && float.abs() <= SAFE => {
                    format!("{float:.0}")
                }
                _ => number.to_string(),
            })),
            _ => None,
        };
        (text, argument)
    }
}

/// Which arguments a tool's definition wants mirrored.
///
/// # Errors
/// When an annotation breaks the rules: one that does makes the definition invalid. The sentence says which and why.
pub(crate) fn annotations(definition: &str) -> Result<Vec<Mirrored>, String> {
    if !definition.contains(ANNOTATION) {
        return Ok(Vec::new());
    }
    let definition: Value =
        serde_json::from_str(definition).map_err(|_| "its definition cannot be read".to_owned())?;
    let mut found = Vec::new();
    if let Some(Value::Object(schema)) = definition.get("inputSchema") {
        if schema.contains_key(ANNOTATION) {
            return Err(format!("{ANNOTATION} stands at the root of its inputSchema"));
        }
        walk(schema, Some(&mut Vec::new()), &mut found)?;
    }
    Ok(found)
}

/// Looks through a schema. `path` is how it is reached where that is by `properties` alone.
fn walk(
    schema: &Map<String, Value>,
    path: Option<&mut Vec<String>>,
    found: &mut Vec<Mirrored>,
) -> Result<(), String> {
    if let Some(annotation) = schema.get(ANNOTATION) {
        let Some(path) = &path else {
            return Err(format!("{ANNOTATION} {annotation} is not reached by `properties` alone"));
        };
        let mirrored = mirrored(schema, annotation, path)?;
        if found.iter().any(|other| other.header == mirrored.header) {
            return Err(format!("{ANNOTATION} {annotation} stands there twice"));
        }
        found.push(mirrored);
    }
    let mut path = path;
    for (keyword, value) in schema {
        match (keyword.as_str(), value) {
            (keyword, _) if keyword == ANNOTATION || DATA.contains(&keyword) => (),
            ("properties", Value::Object(properties)) => {
                for (name, property) in properties {
                    let Value::Object(property) = property else { continue };
                    match &mut path {
                        None => walk(property, None, found)?,
                        Some(path) => {
                            path.push(name.clone());
                            walk(property, Some(path), found)?;
                            path.pop();
                        }
                    }
                }
            }
            (keyword, Value::Object(schemas)) if NAMED.contains(&keyword) => {
                for schema in schemas.values().filter_map(Value::as_object) {
                    walk(schema, None, found)?;
                }
            }
            (_, Value::Object(schema)) => walk(schema, None, found)?,
            (_, Value::Array(schemas)) => {
                for schema in schemas.iter().filter_map(Value::as_object) {
                    walk(schema, None, found)?;
                }
            }
            _ => (),
        }
    }
    Ok(())
}

fn mirrored(schema: &Map<String, Value>, annotation: &Value, path: &[String]) -> Result<Mirrored, String> {
    let Some(name) = annotation.as_str().filter(|name| !name.is_empty()) else {
        return Err(format!("{ANNOTATION} {annotation} is no name"));
    };
    let Ok(header) = format!("mcp-param-{name}").parse::<HeaderName>() else {
        return Err(format!("{ANNOTATION} {annotation} cannot be part of a header's name"));
    };
    if !matches!(schema.get("type").and_then(Value::as_str), Some("string" | "integer" | "boolean")) {
        return Err(format!("{ANNOTATION} {annotation} is on what is no string, integer or boolean"));
    }
    Ok(Mirrored { header, path: path.to_vec() })
}

/// The headers that mirror `arguments` for a tool with this definition. None: they have to be mirrored and hold a number
/// that no reader could take.
pub(crate) fn headers(definition: &str, arguments: &[u8]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    // A definition that is invalid asks for none: whether its server takes the call is for the server to say.
    let asked = annotations(definition).unwrap_or_default();
    if asked.is_empty() {
        return Some(headers);
    }
    let arguments: Value = serde_json::from_slice(arguments).ok()?;
    for mirrored in asked {
        if let (Some(text), _) = mirrored.wanted(&arguments) {
            headers.insert(mirrored.header, encoded(&text));
        }
    }
    Some(headers)
}

/// Compares the `Mcp-Param-*` headers with the arguments, for a tool whose listing asks for such headers.
pub(crate) fn check(listing: &str, arguments: &[u8], headers: &HeaderMap) -> Result<(), RpcError> {
    // Clients leave a tool whose definition is invalid out of their list; who calls it all the same writes no headers.
    let asked = annotations(listing).unwrap_or_default();
    if asked.is_empty() {
        return Ok(());
    }
    // Arguments that cannot be compared (a number beyond all bounds) are not waved through.
    let arguments: Value = serde_json::from_slice(arguments).map_err(|_| absent("Mcp-Param-*"))?;
    asked.iter().try_for_each(|mirrored| check_one(mirrored, &arguments, headers))
}

fn check_one(mirrored: &Mirrored, arguments: &Value, headers: &HeaderMap) -> Result<(), RpcError> {
    let name = &mirrored.header;
    let (wanted, argument) = mirrored.wanted(arguments);
    let value = single(headers, name)?;
    let Some(wanted) = wanted else {
        // Null, absent, or of no primitive type: no header is expected, and one that is there says something else.
        return value.map_or(Ok(()), |value| Err(mismatch(name.as_str(), value, "")));
    };
    let value = value.ok_or_else(|| absent(name.as_str()))?;
    let decoded = decoded(value).ok_or_else(|| mismatch(name.as_str(), value, &wanted))?;
    let equal = decoded == wanted
        || matches!(argument, Some(Value::Number(number))
            if decoded.parse::<f64>().is_ok_and(|header| number.as_f64() == Some(header)));
    if equal { Ok(()) } else { Err(mismatch(name.as_str(), value, &wanted)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

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

    #[test]
    fn one_bad_annotation_makes_a_definition_invalid() {
        let good = json!({"type": "string", "x-mcp-header": "Region"});
        for (properties, is_valid) in [
            (json!({"a": good}), true),
            (json!({"a": {"type": "object", "properties": {"b": good}}}), true),
            (json!({"a": {"type": "integer", "x-mcp-header": "A"}, "b": good}), true),
            // Not annotations: a property of this name, and data.
            (json!({"x-mcp-header": {"type": "number"}}), true),
            (
                json!({"a": {"type": "object", "default": {"x-mcp-header": ""}, "enum": [{"x-mcp-header": 7}]}}),
                true,
            ),
            (json!({"a": {"type": "string", "x-mcp-header": ""}}), false),
            (json!({"a": {"type": "string", "x-mcp-header": 7}}), false),
            (json!({"a": {"type": "string", "x-mcp-header": "a b"}}), false),
            (json!({"a": {"type": "string", "x-mcp-header": "a\r\nb"}}), false),
            (json!({"a": {"type": "string", "x-mcp-header": "é"}}), false),
            (json!({"a": {"type": "number", "x-mcp-header": "A"}}), false),
            (json!({"a": {"type": "object", "x-mcp-header": "A"}}), false),
            (json!({"a": {"type": "null", "x-mcp-header": "A"}}), false),
            (json!({"a": {"type": ["string", "null"], "x-mcp-header": "A"}}), false),
            (json!({"a": {"x-mcp-header": "A"}}), false),
            (json!({"a": {"type": "string", "x-mcp-header": "region"}, "b": good}), false),
            (json!({"a": {"type": "array", "items": good}}), false),
            (json!({"a": {"anyOf": [good]}}), false),
            (json!({"a": {"if": {"properties": {"b": good}}}}), false),
            (json!({"a": {"$defs": {"b": good}}}), false),
        ] {
            let definition =
                json!({"name": "t", "inputSchema": {"type": "object", "properties": properties}});
            assert_eq!(annotations(&definition.to_string()).is_ok(), is_valid, "{properties}");
        }
        let at_the_root = json!({"inputSchema": {"type": "string", "x-mcp-header": "A"}});
        assert!(annotations(&at_the_root.to_string()).is_err());
    }

    #[test]
    fn headers_say_what_the_arguments_say() {
        let written = |arguments: &str| {
            let headers = headers(LISTING, arguments.as_bytes()).unwrap();
            let mut headers: Vec<_> = headers
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()))
                .collect();
            headers.sort();
            headers
        };
        let one = |name: &str, value: &str| vec![(format!("mcp-param-{name}"), value.to_owned())];
        assert_eq!(written("{}"), []);
        assert_eq!(written(r#"{"region":null,"deep":7,"other":"x"}"#), []);
        assert_eq!(written(r#"{"region":""}"#), one("region", ""));
        assert_eq!(written(r#"{"region":"us west"}"#), one("region", "us west"));
        assert_eq!(written(r#"{"region":"a\tb"}"#), one("region", "=?base64?YQli?="));
        assert_eq!(written(r#"{"size":-7}"#), one("size", "-7"));
        assert_eq!(written(r#"{"size":4.20e1}"#), one("size", "42"));
        assert_eq!(written(r#"{"deep":{"dry":false}}"#), one("dry", "false"));
        assert_eq!(headers(LISTING, br#"{"size":1e999}"#), None);
        assert_eq!(headers("{}", br#"{"size":1e999}"#), Some(HeaderMap::new()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_comes_back_from_a_header_that_can_be_sent(
            text in prop_oneof![".{0,40}", "[ -~]{0,20}", "=\\?base64\\?[A-Za-z=]{0,8}(\\?=)?", "[ \t]?x[ \t]?"],
        ) {
            let value = encoded(&text);
            let sent = value.to_str().unwrap();
            prop_assert!(sent.bytes().all(|byte| matches!(byte, 0x20..=0x7E)));
            prop_assert_eq!(sent.trim(), sent);
            let read = decoded(sent);
            prop_assert_eq!(read.as_deref(), Some(text.as_str()));
        }

        #[test]
        fn what_is_written_is_what_is_checked(
            region in proptest::option::of(".{0,20}"),
            size in proptest::option::of(any::<i64>()),
            dry in proptest::option::of(any::<bool>()),
        ) {
            let arguments = json!({"region": region, "size": size, "deep": {"dry": dry}}).to_string();
            let headers = headers(LISTING, arguments.as_bytes()).unwrap();
            prop_assert!(check(LISTING, arguments.as_bytes(), &headers).is_ok());
            for name in headers.keys() {
                let mut other = headers.clone();
                other.insert(name, HeaderValue::from_static("something else"));
                prop_assert!(check(LISTING, arguments.as_bytes(), &other).is_err());
            }
        }
    }
}

//! A tool's definition as its upstream gives it: read once, hashed over its meaning and not its spelling.

use std::collections::BTreeMap;
use std::fmt;

use model::call::Digest;
use model::catalog::Feature;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};

/// Largest definition that is taken, in bytes: agents read all of it.
const LARGEST: usize = 64 * 1024;
/// Longest URI or template, in characters.
const LONGEST_URI: usize = 1_000;

/// An MCP `Tool`, `Prompt`, `Resource` or `ResourceTemplate` object that can be shown, compared and approved. Which it is shows:
/// a template alone has a `uriTemplate`, a resource a `uri`, a tool an `inputSchema`.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    /// Its name inside its module.
    pub(crate) name: String,
    /// The text as it was given.
    pub(crate) text: String,
    /// SHA-256 of the canonical text: keys sorted by code point, no white space.
    pub(crate) hash: Digest,
    /// Whether it says of itself that it changes nothing (`annotations.readOnlyHint`).
    pub(crate) read_only: bool,
}

/// Reads a definition. The error says what is wrong with it.
pub(crate) fn read(text: &str) -> Result<Definition, String> {
    if text.len() > LARGEST {
        return Err(format!("its definition has {} bytes and may have {LARGEST}", text.len()));
    }
    let canon: Canon =
        serde_json::from_str(text).map_err(|error| format!("its definition is not taken: {error}"))?;
    let Canon::Object(members) = &canon else { return Err("its definition is no object".to_owned()) };
    let (feature, named) = ["uriTemplate", "uri", "name"]
        .into_iter()
        .zip([Feature::Template, Feature::Resource, Feature::Tool])
        .find_map(|(member, feature)| Some((feature, members.get(member)?)))
        .ok_or("it has no `name`")?;
    let Canon::String(name) = named else { return Err("its name is no text".to_owned()) };
    // A prompt has a name and neither a schema nor a URI.
    let is_prompt = feature == Feature::Tool && !members.contains_key("inputSchema");
    let feature = if is_prompt { Feature::Prompt } else { feature };
    let longest = match feature {
        Feature::Tool | Feature::Prompt => 128,
        Feature::Resource | Feature::Template => LONGEST_URI,
    };
    if !(1..=longest).contains(&name.chars().count()) || !name.chars().all(|c| c.is_ascii_graphic()) {
        return Err(format!("its name is not 1 to {longest} printable ASCII characters without spaces"));
    }
    if feature == Feature::Tool {
        if !matches!(members.get("inputSchema"), Some(Canon::Object(_))) {
            return Err("its `inputSchema` is no object".to_owned());
        }
        if Feature::of(name).0 != Feature::Tool {
            return Err("its name begins as that of a prompt or resource".to_owned());
        }
    }
    let read_only = feature != Feature::Tool
        || matches!(
            members.get("annotations"),
            Some(Canon::Object(hints)) if matches!(hints.get("readOnlyHint"), Some(Canon::Bool(true)))
        );
    let name = feature.name(name);
    let mut canonical = String::with_capacity(text.len());
    canon.write(&mut canonical);
    let hash = Sha256::digest(canonical.as_bytes()).into();
    Ok(Definition { name, text: text.trim().to_owned(), hash, read_only })
}

/// What a definition is called, for saying which one was not taken.
pub(crate) fn name_of(text: &str) -> String {
    #[derive(Deserialize)]
    struct Named {
        name: Option<String>,
        uri: Option<String>,
        #[serde(rename = "uriTemplate")]
        template: Option<String>,
    }
    serde_json::from_str::<Named>(text)
        .ok()
        .and_then(|named| named.template.or(named.uri).or(named.name))
        .map_or_else(|| "(without a name)".to_owned(), |name| name.chars().take(128).collect())
}

/// JSON with its keys in order, none of them twice: two readers of one text cannot see two different things.
enum Canon {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    Array(Vec<Canon>),
    Object(BTreeMap<String, Canon>),
}

impl Canon {
    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::String(text) => quote(text, out),
            Self::Array(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (n, (key, value)) in members.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    quote(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn quote(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

impl<'de> Deserialize<'de> for Canon {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Canon;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Canon, E> {
                Ok(Canon::Null)
            }
            fn visit_bool<E>(self, yes: bool) -> Result<Canon, E> {
                Ok(Canon::Bool(yes))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Canon, E> {
                Ok(Canon::Number(number.into()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Canon, E> {
                Ok(Canon::Number(number.into()))
            }
            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Canon, E> {
                serde_json::Number::from_f64(number)
                    .map(Canon::Number)
                    .ok_or_else(|| E::custom("a number is not finite"))
            }
            fn visit_str<E>(self, text: &str) -> Result<Canon, E> {
                Ok(Canon::String(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Canon, A::Error> {
                let mut array = Vec::new();
                while let Some(item) = items.next_element()? {
                    array.push(item);
                }
                Ok(Canon::Array(array))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Canon, A::Error> {
                let mut object = BTreeMap::new();
                while let Some((key, value)) = members.next_entry::<String, Canon>()? {
                    if object.contains_key(&key) {
                        return Err(A::Error::custom(format!("the key `{key}` stands twice in one object")));
                    }
                    object.insert(key, value);
                }
                Ok(Canon::Object(object))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOL: &str = r#"{"name":"echo","inputSchema":{"type":"object","properties":{"b":{"type":"number","maximum":1.5},"a":{}}}}"#;

    #[test]
    fn spelling_does_not_change_the_hash_and_meaning_does() {
        let one = read(TOOL).unwrap();
        let other = read(
            r#" { "inputSchema": {"properties":{"a":{},"b":{"maximum":1.5,"type":"number"}},"type":"object"}, "name":"\u0065cho" } "#,
        )
        .unwrap();
        assert_eq!(one.hash, other.hash);
        assert_ne!(one.hash, read(&TOOL.replace("1.5", "1.6")).unwrap().hash);
        // Pinned: hashes are stored, and a reader that saw numbers in another way would have every tool drift
        // at once.
        assert_eq!(
            hex::encode(one.hash),
            hex::encode(Sha256::digest(
                br#"{"inputSchema":{"properties":{"a":{},"b":{"maximum":1.5,"type":"number"}},"type":"object"},"name":"echo"}"#
            ))
        );
    }

    #[test]
    fn what_cannot_be_shown_or_compared_is_refused_in_words() {
        for (text, why) in [
            ("[]", "no object"),
            ("{}", "no `name`"),
            (r#"{"name":"a b","inputSchema":{}}"#, "printable"),
            (r#"{"name":"a","inputSchema":7}"#, "inputSchema"),
            (r#"{"name":"prompt:a","inputSchema":{}}"#, "begins as"),
            (r#"{"uri":"a b"}"#, "printable"),
            (r#"{"name":"a","name":"b","inputSchema":{}}"#, "twice"),
            (r#"{"name":"a","inputSchema":{"x":{"y":1,"y":2}}}"#, "twice"),
            (r#"{"name":"\ud800","inputSchema":{}}"#, "not taken"),
            (&format!(r#"{{"name":"a","inputSchema":{}{}}}"#, "[".repeat(200), "]".repeat(200)), "not taken"),
            (
                &format!(r#"{{"name":"a","description":"{}","inputSchema":{{}}}}"#, "x".repeat(LARGEST)),
                "bytes",
            ),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn prompts_resources_and_templates_are_told_apart_and_only_read() {
        for (text, name) in [
            (r#"{"name":"summarize","arguments":[{"name":"text"}]}"#, "prompt:summarize"),
            (r#"{"name":"Notes","uri":"file:///notes.txt"}"#, "resource:file:///notes.txt"),
            (r#"{"name":"Any","uriTemplate":"file:///{path}"}"#, "template:file:///{path}"),
        ] {
            let read = read(text).unwrap();
            assert_eq!((read.name.as_str(), read.read_only), (name, true));
        }
    }

    #[test]
    fn only_a_true_hint_makes_a_reader() {
        let with = |hint: &str| {
            read(&format!(r#"{{"name":"a","inputSchema":{{}},"annotations":{hint}}}"#)).unwrap().read_only
        };
        assert!(with(r#"{"readOnlyHint":true}"#));
        assert!(!with(r#"{"readOnlyHint":"true"}"#));
        assert!(!with(r#"{"readOnlyHint":false}"#));
        assert!(!with("null"));
    }
}

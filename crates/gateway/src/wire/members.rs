//! An object with some of its members said otherwise, and the rest as they came, in their order.

use std::fmt;

use bytes::Bytes;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::reply::write_string;

/// The members of an object, raw.
struct Members<'b>(Vec<(String, &'b RawValue)>);

impl<'de: 'b, 'b> Deserialize<'de> for Members<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder).map(Members)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

/// The members of an object in their order, each raw; none for what is no object.
pub(crate) fn members(text: &[u8]) -> Option<Vec<(String, &RawValue)>> {
    serde_json::from_slice::<Members<'_>>(text).ok().map(|members| members.0)
}

/// Writes an object with what is `said` before everything else, and nothing else by those names.
pub(crate) fn saying(text: &[u8], said: &[(&str, &str)]) -> Option<Bytes> {
    rewritten(text, said, &[])
}

/// Writes an object without the members of these names.
pub(crate) fn without(text: &[u8], names: &[&str]) -> Option<Bytes> {
    rewritten(text, &[], names)
}

fn rewritten(text: &[u8], said: &[(&str, &str)], dropped: &[&str]) -> Option<Bytes> {
    let members = members(text)?;
    let mut out = Vec::with_capacity(text.len() + 32 * said.len());
    let others = members
        .iter()
        .filter(|(name, _)| said.iter().all(|(other, _)| other != name) && !dropped.contains(&name.as_str()));
    let all = said.iter().copied().chain(others.map(|(name, value)| (name.as_str(), value.get())));
    for (n, (name, value)) in all.enumerate() {
        out.push(if n == 0 { b'{' } else { b',' });
        write_string(&mut out, name);
        out.push(b':');
        out.extend_from_slice(value.as_bytes());
    }
    if out.is_empty() {
        out.push(b'{');
    }
    out.push(b'}');
    Some(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_comes_first_and_the_rest_as_it_came() {
        for (text, said, expected) in [
            ("{}", &[][..], Some("{}")),
            ("{}", &[("a", "1")], Some(r#"{"a":1}"#)),
            (r#"{"b": 1.0 ,"\u0061":"x","c":[ ]}"#, &[("a", "null")], Some(r#"{"a":null,"b":1.0,"c":[ ]}"#)),
            ("[]", &[], None),
            ("{", &[], None),
        ] {
            let written = saying(text.as_bytes(), said);
            assert_eq!(written.as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn what_is_dropped_is_gone_and_the_rest_as_it_came() {
        for (text, names, expected) in [
            (r#"{"a":1,"b": 1.0 }"#, &["a"][..], Some(r#"{"b":1.0}"#)),
            (r#"{"a":1,"\u0061":2}"#, &["a"], Some("{}")),
            (r#"{"b":[ ]}"#, &["a"], Some(r#"{"b":[ ]}"#)),
            ("7", &["a"], None),
        ] {
            assert_eq!(without(text.as_bytes(), names).as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }
}

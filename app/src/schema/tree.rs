//! JSON as a tree that keeps the order of members and the digits of numbers.

use serde_json::value::RawValue;

use crate::pieces::json::members;

/// Deeper than this nothing is read: definitions are not taken that deep (`gateway`, discovery).
const DEPTH: usize = 80;

/// A JSON value.
#[derive(Clone, PartialEq, Debug)]
pub enum Tree {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// A string, unescaped.
    Text(String),
    /// An array.
    List(Vec<Tree>),
    /// An object, in its order.
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Reads a text. None: it is no JSON, or nested too deep.
    pub fn read(text: &str) -> Option<Self> {
        let raw: &RawValue = serde_json::from_str(text).ok()?;
        Self::of(raw, DEPTH)
    }

    fn of(raw: &RawValue, depth: usize) -> Option<Self> {
        let depth = depth.checked_sub(1)?;
        let text = raw.get();
        Some(match text.as_bytes().first()? {
            b'{' => {
                let members = members(text)?;
                let read = members.into_iter().map(|(key, value)| Some((key, Self::of(value, depth)?)));
                Self::Object(read.collect::<Option<_>>()?)
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                Self::List(items.into_iter().map(|item| Self::of(item, depth)).collect::<Option<_>>()?)
            }
            // A lone surrogate is legal JSON and no string: the escape itself is kept.
            b'"' => Self::Text(serde_json::from_str(text).unwrap_or_else(|_| text.to_owned())),
            b't' => Self::Bool(true),
            b'f' => Self::Bool(false),
            b'n' => Self::Null,
            _ => Self::Number(text.to_owned()),
        })
    }

    /// A member of an object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number, as near as a float comes to it.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// The entries of an array; none of anything else.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// The members of an object; none of anything else.
    pub fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// Whether two values mean the same: numbers by value, objects whatever their order.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(one), Self::Number(two)) => one == two || self.number() == other.number(),
            (Self::List(one), Self::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.same(two))
            }
            (Self::Object(one), Self::Object(two)) => {
                one.len() == two.len()
                    && one.iter().all(|(key, value)| other.get(key).is_some_and(|theirs| value.same(theirs)))
            }
            (one, two) => one == two,
        }
    }

    /// As JSON text, in its order.
    pub fn json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
            Self::Number(digits) => out.push_str(digits),
            Self::Text(text) => out.push_str(&quoted(text)),
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (key, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    out.push_str(&quoted(key));
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// As people read a plain value: a text without its quotes, anything else as JSON.
    pub fn plain(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            other => other.json(),
        }
    }

    /// Whether it is neither list nor object.
    pub fn is_plain(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Object(_))
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn order_digits_and_meaning_are_kept() {
        let text = r#"{"z":12345678901234567890.10,"a":["é\u0000",null,true],"o":{}}"#;
        assert_eq!(Tree::read(text).unwrap().json(), text);
        let same = |one: &str, two: &str| Tree::read(one).unwrap().same(&Tree::read(two).unwrap());
        assert!(same(r#"{"a":1,"b":[2.0]}"#, r#"{"b":[2],"a":1e0}"#));
        assert!(!same(r#"{"a":1}"#, r#"{"a":"1"}"#));
        assert!(Tree::read(&format!("{}1{}", "[".repeat(79), "]".repeat(79))).is_some());
        assert!(Tree::read(&format!("{}1{}", "[".repeat(90), "]".repeat(90))).is_none());
        assert!(Tree::read("{,}").is_none());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(text in "\\PC{0,80}") {
            let tree = Tree::Object(vec![(text.clone(), Tree::List(vec![Tree::Text(text)]))]);
            prop_assert_eq!(Tree::read(&tree.json()), Some(tree));
        }
    }
}

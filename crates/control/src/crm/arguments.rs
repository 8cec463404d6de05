//! A tool's arguments, read field by field. What is wrong is said of the field, so that the agent can mend
//! it.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::Id;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::answer::Fault;
use super::record::{self, Given};

/// Where a page begins: after the row with this sorting text and id.
#[derive(Serialize, Deserialize, Debug)]
pub(super) struct Cursor(pub(super) String, pub(super) Uuid);

impl Cursor {
    /// As agents are given it. They hand it back and read nothing from it.
    pub(super) fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }
}

/// See the module.
pub(super) struct Arguments {
    given: Map<String, Value>,
    /// What the tool takes, in the order in which it asked.
    taken: Vec<&'static str>,
}

impl Arguments {
    pub(super) fn read(text: &[u8]) -> Result<Self, Fault> {
        let given = if text.is_empty() { Ok(Map::new()) } else { serde_json::from_slice(text) };
        match given {
            Ok(given) => Ok(Self { given, taken: Vec::new() }),
            Err(_) => Err(Fault::say("The arguments are not a JSON object.")),
        }
    }

    /// A field and what it is read as; none: it was not given, or given as null.
    fn take<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(Value) -> Result<Option<T>, String>,
    ) -> Result<Option<T>, Fault> {
        self.taken.push(field);
        match self.given.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map_err(|why| Fault::say(format!("`{field}` {why}."))),
        }
    }

    /// Whether a field was given at all.
    pub(super) fn has(&self, field: &str) -> bool {
        self.given.get(field).is_some_and(|value| !value.is_null())
    }

    /// Gives a field a value that the tool has for it by itself.
    pub(super) fn put(&mut self, field: &str, value: String) {
        self.given.insert(field.to_owned(), value.into());
    }

    /// Fields of a record as text, of those that were given: null clears one. What a field may hold is the record's to say.
    pub(super) fn fields(&mut self, names: &[&'static str]) -> Result<Given, Fault> {
        let mut fields = Given::new();
        for name in names {
            self.taken.push(name);
            let text = match self.given.remove(*name) {
                None => continue,
                Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text,
                // Numbers are taken by their digits, not as floats.
                Some(Value::Number(number)) if *name == "amount" => number.to_string(),
                Some(_) if *name == "amount" => return Err(Fault::say(format!("`{name}` is not a number."))),
                Some(_) => return Err(Fault::say(format!("`{name}` is not a text."))),
            };
            fields.insert((*name).to_owned(), text);
        }
        Ok(fields)
    }

    /// Refuses what the tool does not take. Called once all else was read.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        match self.given.keys().next() {
            None => Ok(()),
            Some(unknown) => Err(Fault::say(format!(
                "There is no argument `{}`; this tool takes `{}`.",
                unknown.chars().take(60).collect::<String>(),
                self.taken.join("`, `")
            ))),
        }
    }

    pub(super) fn maybe_text(&mut self, field: &'static str, most: usize) -> Result<Option<String>, Fault> {
        self.take(field, |value| {
            let Value::String(text) = value else { return Err("is not a text".to_owned()) };
            record::line(&text, most).map_err(|sentence| format!("is wrong: {sentence}"))
        })
    }

    pub(super) fn id<T: Id + FromStr>(&mut self, field: &'static str) -> Result<T, Fault> {
        self.maybe_id(field)?.ok_or_else(|| Fault::say(format!("`{field}` is missing.")))
    }

    pub(super) fn maybe_id<T: Id + FromStr>(&mut self, field: &'static str) -> Result<Option<T>, Fault> {
        self.take(field, |value| match value.as_str().map(str::trim) {
            Some("") => Ok(None),
            Some(text) => text
                .parse()
                .map(Some)
                .map_err(|_| format!("is not an id of the form `{}_` and 32 hexadecimal digits", T::PREFIX)),
            None => Err("is not a text".to_owned()),
        })
    }

    pub(super) fn maybe_word<T: FromStr>(&mut self, field: &'static str) -> Result<Option<T>, Fault>
    where
        T::Err: std::fmt::Display,
    {
        self.take(field, |value| match value.as_str() {
            Some(text) => text.parse().map(Some).map_err(|error: T::Err| format!("is wrong: {error}")),
            None => Err("is not a text".to_owned()),
        })
    }

    /// How many rows are wanted.
    pub(super) fn limit(&mut self) -> Result<usize, Fault> {
        let limit = self.take("limit", |value| match value.as_u64() {
            Some(limit @ 1..=100) => Ok(usize::try_from(limit).ok()),
            _ => Err("is not a whole number from 1 to 100".to_owned()),
        })?;
        Ok(limit.unwrap_or(25))
    }

    pub(super) fn cursor(&mut self) -> Result<Option<Cursor>, Fault> {
        self.take("cursor", |value| {
            value
                .as_str()
                .filter(|text| text.len() <= 2000)
                .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
                .and_then(|bytes| serde_json::from_slice::<Cursor>(&bytes).ok())
                .filter(|cursor| !cursor.0.contains('\0'))
                .map(Some)
                .ok_or_else(|| "is not the `next_cursor` of an earlier answer".to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use model::CompanyId;

    use super::*;

    fn said<T: std::fmt::Debug>(result: Result<T, Fault>) -> String {
        match result {
            Err(Fault::Sentence(sentence)) => sentence,
            other => panic!("{other:?}"),
        }
    }

    fn given(text: &str) -> Arguments {
        Arguments::read(text.as_bytes()).unwrap_or_else(|_| panic!("an object"))
    }

    #[test]
    fn what_is_wrong_is_said_of_the_field() {
        assert_eq!(said(given("{}").id::<CompanyId>("id")), "`id` is missing.");
        assert_eq!(said(given(r#"{"name":7}"#).fields(&["name"])), "`name` is not a text.");
        assert_eq!(said(given(r#"{"amount":true}"#).fields(&["amount"])), "`amount` is not a number.");
        assert!(said(given(r#"{"search":"0123456789"}"#).maybe_text("search", 9)).contains("9 characters"));
        assert!(said(given(r#"{"search":"a\u0000"}"#).maybe_text("search", 9)).contains("control character"));
        assert!(said(given(r#"{"id":"cont_1"}"#).id::<CompanyId>("id")).contains("`comp_`"));
        assert!(said(given(r#"{"limit":0}"#).limit()).starts_with("`limit`"));
        assert!(said(given(r#"{"limit":2.5}"#).limit()).starts_with("`limit`"));
        assert!(said(given(r#"{"cursor":"%"}"#).cursor()).starts_with("`cursor`"));
        let mut unknown = given(r#"{"nmae":"x"}"#);
        unknown.fields(&["name"]).unwrap();
        assert_eq!(said(unknown.end()), "There is no argument `nmae`; this tool takes `name`.");
        assert!(Arguments::read(b"[]").is_err() && Arguments::read(b"{").is_err());
    }

    #[test]
    fn null_clears_and_what_is_not_given_stays() {
        let fields = given(r#"{"name":"x","website":null,"amount":1e3}"#)
            .fields(&["name", "website", "amount", "notes"]);
        let fields: Vec<_> = fields.unwrap().into_iter().collect();
        let field = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(fields, [field("amount", "1000.0"), field("name", "x"), field("website", "")]);
    }

    #[test]
    fn a_cursor_reads_back_what_it_wrote() {
        let cursor = Cursor("Zürich \"AG\"".to_owned(), Uuid::from_u128(7));
        let text = format!(r#"{{"cursor":"{}"}}"#, cursor.write());
        let read = given(&text).cursor().unwrap().unwrap();
        assert_eq!((read.0, read.1), (cursor.0, cursor.1));
    }
}

//! A tool's arguments, read field by field. What is wrong is said of the field, so that the agent can mend
//! it.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::NaiveDate;
use model::{Id, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::answer::Fault;

/// What becomes of a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Patch<T> {
    /// It was not given.
    Keep,
    /// It was given as null or empty.
    Clear,
    /// It was given.
    Set(T),
}

impl<T> Patch<T> {
    pub(super) fn changes(&self) -> bool {
        !matches!(self, Self::Keep)
    }

    pub(super) fn value(self) -> Option<T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }
}

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

    fn take<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(Value) -> Result<Option<T>, String>,
    ) -> Result<Patch<T>, Fault> {
        self.taken.push(field);
        match self.given.remove(field) {
            None => Ok(Patch::Keep),
            Some(Value::Null) => Ok(Patch::Clear),
            Some(value) => match read(value) {
                Ok(Some(value)) => Ok(Patch::Set(value)),
                Ok(None) => Ok(Patch::Clear),
                Err(why) => Err(Fault::say(format!("`{field}` {why}."))),
            },
        }
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

    fn required<T>(field: &str, patch: Patch<T>) -> Result<T, Fault> {
        patch.value().ok_or_else(|| Fault::say(format!("`{field}` is missing.")))
    }

    pub(super) fn text(&mut self, field: &'static str, most: usize) -> Result<String, Fault> {
        let patch = self.patch_text(field, most)?;
        Self::required(field, patch)
    }

    pub(super) fn maybe_text(&mut self, field: &'static str, most: usize) -> Result<Option<String>, Fault> {
        Ok(self.patch_text(field, most)?.value())
    }

    pub(super) fn patch_text(&mut self, field: &'static str, most: usize) -> Result<Patch<String>, Fault> {
        self.take(field, |value| {
            let Value::String(text) = value else { return Err("is not a text".to_owned()) };
            let text = text.trim();
            if text.chars().count() > most {
                return Err(format!("has more than {most} characters"));
            }
            if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
                return Err("contains a control character".to_owned());
            }
            Ok((!text.is_empty()).then(|| text.to_owned()))
        })
    }

    pub(super) fn id<T: Id + FromStr>(&mut self, field: &'static str) -> Result<T, Fault> {
        let patch = self.patch_id(field)?;
        Self::required(field, patch)
    }

    pub(super) fn maybe_id<T: Id + FromStr>(&mut self, field: &'static str) -> Result<Option<T>, Fault> {
        Ok(self.patch_id(field)?.value())
    }

    pub(super) fn patch_id<T: Id + FromStr>(&mut self, field: &'static str) -> Result<Patch<T>, Fault> {
        self.take(field, |value| match value.as_str().map(str::trim) {
            Some("") => Ok(None),
            Some(text) => text
                .parse()
                .map(Some)
                .map_err(|_| format!("is not an id of the form `{}_` and 32 hexadecimal digits", T::PREFIX)),
            None => Err("is not a text".to_owned()),
        })
    }

    pub(super) fn word<T: FromStr>(&mut self, field: &'static str) -> Result<T, Fault>
    where
        T::Err: std::fmt::Display,
    {
        let patch = self.maybe_word(field)?;
        patch.ok_or_else(|| Fault::say(format!("`{field}` is missing.")))
    }

    pub(super) fn maybe_word<T: FromStr>(&mut self, field: &'static str) -> Result<Option<T>, Fault>
    where
        T::Err: std::fmt::Display,
    {
        let patch = self.take(field, |value| match value.as_str() {
            Some(text) => text.parse().map(Some).map_err(|error: T::Err| format!("is wrong: {error}")),
            None => Err("is not a text".to_owned()),
        })?;
        Ok(patch.value())
    }

    /// An amount of money from 0 up, with at most two decimals. Numbers are taken by their digits, not as
    /// floats.
    pub(super) fn patch_amount(&mut self, field: &'static str) -> Result<Patch<Decimal>, Fault> {
        self.take(field, |value| {
            let text = match value {
                Value::Number(number) => number.to_string(),
                Value::String(text) => text.trim().to_owned(),
                _ => return Err("is not a number".to_owned()),
            };
            let amount = Decimal::from_str_exact(&text)
                .or_else(|_| Decimal::from_scientific(&text))
                .map_err(|_| "is not a number".to_owned())?
                .normalize();
            let fits =
                !amount.is_sign_negative() && amount.scale() <= 2 && amount < 1_000_000_000_000u64.into();
            if fits || amount.is_zero() {
                Ok(Some(amount))
            } else {
                Err("is not from 0 up, below a trillion, with at most two decimals".to_owned())
            }
        })
    }

    pub(super) fn patch_date(&mut self, field: &'static str) -> Result<Patch<NaiveDate>, Fault> {
        self.take(field, |value| match value.as_str().map(str::trim) {
            Some("") => Ok(None),
            Some(text) if text.len() == 10 => {
                text.parse().map(Some).map_err(|_| "is not a day such as 2026-09-30".to_owned())
            }
            _ => Err("is not a day such as 2026-09-30".to_owned()),
        })
    }

    pub(super) fn maybe_time(&mut self, field: &'static str) -> Result<Option<Timestamp>, Fault> {
        let patch = self.take(field, |value| {
            value
                .as_str()
                .and_then(|text| Timestamp::from_str(text.trim()).ok())
                .filter(|at| (1900..10_000).contains(&chrono::Datelike::year(at)))
                .map(Some)
                .ok_or_else(|| "is not a time such as 2026-09-30T14:00:00Z".to_owned())
        })?;
        Ok(patch.value())
    }

    /// How many rows are wanted.
    pub(super) fn limit(&mut self) -> Result<usize, Fault> {
        let patch = self.take("limit", |value| match value.as_u64() {
            Some(limit @ 1..=100) => Ok(usize::try_from(limit).ok()),
            _ => Err("is not a whole number from 1 to 100".to_owned()),
        })?;
        Ok(patch.value().unwrap_or(25))
    }

    pub(super) fn cursor(&mut self) -> Result<Option<Cursor>, Fault> {
        let patch = self.take("cursor", |value| {
            value
                .as_str()
                .filter(|text| text.len() <= 2000)
                .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
                .and_then(|bytes| serde_json::from_slice::<Cursor>(&bytes).ok())
                .filter(|cursor| !cursor.0.contains('\0'))
                .map(Some)
                .ok_or_else(|| "is not the `next_cursor` of an earlier answer".to_owned())
        })?;
        Ok(patch.value())
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
        assert_eq!(said(given("{}").text("name", 9)), "`name` is missing.");
        assert_eq!(said(given(r#"{"name":""}"#).text("name", 9)), "`name` is missing.");
        assert_eq!(said(given(r#"{"name":7}"#).text("name", 9)), "`name` is not a text.");
        assert_eq!(
            said(given(r#"{"name":"0123456789"}"#).text("name", 9)),
            "`name` has more than 9 characters."
        );
        assert_eq!(
            said(given(r#"{"name":"a\u0000"}"#).text("name", 9)),
            "`name` contains a control character."
        );
        assert!(said(given(r#"{"id":"cont_1"}"#).id::<CompanyId>("id")).contains("`comp_`"));
        assert!(said(given(r#"{"limit":0}"#).limit()).starts_with("`limit`"));
        assert!(said(given(r#"{"limit":2.5}"#).limit()).starts_with("`limit`"));
        assert!(said(given(r#"{"cursor":"%"}"#).cursor()).starts_with("`cursor`"));
        assert!(said(given(r#"{"at":"yesterday"}"#).maybe_time("at")).starts_with("`at`"));
        assert!(said(given(r#"{"on":"2026-02-30"}"#).patch_date("on")).starts_with("`on`"));
        let mut unknown = given(r#"{"nmae":"x"}"#);
        unknown.maybe_text("name", 9).unwrap();
        assert_eq!(said(unknown.end()), "There is no argument `nmae`; this tool takes `name`.");
        assert!(Arguments::read(b"[]").is_err() && Arguments::read(b"{").is_err());
    }

    #[test]
    fn amounts_are_exact() {
        let amount = |text: &str| given(&format!(r#"{{"a":{text}}}"#)).patch_amount("a");
        for (text, exact) in [
            ("0", "0"),
            ("12.5", "12.5"),
            ("999999999999.99", "999999999999.99"),
            ("\"7.10\"", "7.1"),
            ("1e3", "1000"),
        ] {
            assert_eq!(amount(text).unwrap(), Patch::Set(exact.parse().unwrap()), "{text}");
        }
        for text in ["-1", "0.001", "1e12", "1e300", "\"x\"", "true"] {
            assert!(said(amount(text)).starts_with("`a`"), "{text}");
        }
        assert_eq!(amount("null").unwrap(), Patch::Clear);
    }

    #[test]
    fn a_cursor_reads_back_what_it_wrote() {
        let cursor = Cursor("Zürich \"AG\"".to_owned(), Uuid::from_u128(7));
        let text = format!(r#"{{"cursor":"{}"}}"#, cursor.write());
        let read = given(&text).cursor().unwrap().unwrap();
        assert_eq!((read.0, read.1), (cursor.0, cursor.1));
    }
}

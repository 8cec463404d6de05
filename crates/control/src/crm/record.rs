//! What the four kinds of records have in common: they are made of named fields that are read from text, whoever gives
//! it: a tool's arguments, a form, a line of a file.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{NaiveDate, SubsecRound as _, TimeDelta};
use model::crm::{ChangedBy, Line, Records, Stage};
use model::{CallId, Timestamp};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::Error;
use crate::actor::Who;
use crate::tx::TenantTx;

/// Fields by name, as text. A field that is not there is left as it is; an empty one is cleared.
pub type Given = BTreeMap<String, String>;

/// A kind of record: one of those of [`model::crm`]. `set` and `get` are each other's inverse for every field of `FIELDS`.
pub trait Record: Default + Clone + PartialEq + Send + Sync + 'static {
    /// Its typed id.
    type Id: model::Id + FromStr<Err = model::id::NotAnId> + Send;
    /// Its list.
    const RECORDS: Records;
    /// Names of its fields, in the order in which forms and files have them.
    const FIELDS: &'static [&'static str];

    /// Sets a field of `FIELDS` from text; says what is wrong with it.
    fn set(&mut self, field: &str, text: &str) -> Result<(), String>;
    /// A field of `FIELDS` as text; empty when it has no value.
    fn get(&self, field: &str) -> String;
    /// What must hold of the whole, before it is stored.
    fn check(&self, now: Timestamp) -> Result<(), (&'static str, String)>;
    /// By what people call it.
    fn name(&self) -> String;
    /// The record it must belong to: which list, and which one of it.
    fn parent(&self) -> Option<(Records, Uuid)>;

    /// Adds records, all in one statement.
    fn insert(
        tx: &mut TenantTx,
        rows: &[(Uuid, Self)],
        mark: &Mark,
    ) -> impl Future<Output = Result<(), Error>> + Send;
    /// Writes records that are there, all in one statement.
    fn update(
        tx: &mut TenantTx,
        rows: &[(Uuid, Self)],
        mark: &Mark,
    ) -> impl Future<Output = Result<(), Error>> + Send;
    /// Records by a key, locked against changes until the transaction ends.
    fn matching(
        tx: &mut TenantTx,
        key: Key,
        values: &[String],
    ) -> impl Future<Output = Result<Vec<(Uuid, Self)>, Error>> + Send;
    /// Records of a list.
    fn list(
        tx: &mut TenantTx,
        filter: &Filter,
        start: &Start,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Line<Self>>, Error>> + Send;
    /// One record.
    fn find(tx: &mut TenantTx, id: Uuid) -> impl Future<Output = Result<Option<Line<Self>>, Error>> + Send;
    /// Locks one and says what hinders or follows its deletion; none: there is no such record.
    fn consequence(
        tx: &mut TenantTx,
        id: Uuid,
    ) -> impl Future<Output = Result<Option<Consequence>, Error>> + Send;
    /// Deletes one with what goes with it.
    fn delete(tx: &mut TenantTx, id: Uuid) -> impl Future<Output = Result<(), Error>> + Send;
}

/// What deleting a record would mean, in numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Consequence {
    /// By what people call it.
    pub name: String,
    /// Contacts that belong to it: while there are any it stays.
    pub contacts: u64,
    /// Deals that belong to it: while there are any it stays.
    pub deals: u64,
    /// Interactions that are deleted with it.
    pub interactions: u64,
}

impl Consequence {
    /// Whether it can be deleted at all.
    pub fn hinders(&self) -> bool {
        self.contacts + self.deals > 0
    }
}

model::words! {
    /// By what an import finds records again.
    Key {
        /// The id that exports carry.
        Id = "id",
        /// The id in another system.
        ExternalId = "external_id",
        /// The website's host, without `www.`.
        Domain = "website",
        /// The mail address.
        Email = "email",
        /// The name; case does not matter.
        Name = "name",
    }
}

model::words! {
    /// In which order a list is.
    Sort {
        /// By name.
        Name = "name",
        /// Changed last first.
        Changed = "changed",
        /// Made last first.
        Newest = "newest",
        /// Dearest first, within a currency; those without an amount last.
        Amount = "amount",
        /// Soonest expected to close first.
        Closing = "closing",
        /// When it was, newest first.
        When = "when",
    }
}

impl Sort {
    /// The orders that a list can be in, its usual one first.
    pub const fn of(records: Records) -> &'static [Self] {
        match records {
            Records::Companies | Records::Contacts => &[Self::Name, Self::Changed, Self::Newest],
            Records::Deals => &[Self::Newest, Self::Changed, Self::Name, Self::Amount, Self::Closing],
            Records::Interactions => &[Self::When, Self::Changed],
        }
    }
}

/// Which records are wanted; each that is given narrows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Part of the texts that are searched; case does not matter.
    pub search: Option<String>,
    /// Those of this company.
    pub company: Option<model::CompanyId>,
    /// Those of this contact.
    pub contact: Option<model::ContactId>,
    /// Deals in this stage.
    pub stage: Option<Stage>,
    /// Interactions of this kind.
    pub kind: Option<model::crm::InteractionKind>,
    /// In which order; none: the list's usual one.
    pub sort: Option<Sort>,
}

/// Where a page of a list begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Start {
    /// After that many rows, in the order of the filter.
    Row(i64),
    /// After this text and id, in the list's usual order: how tools go on.
    After(String, Uuid),
    /// After this id, by id: how exports go on.
    Id(Uuid),
}

/// The parts of a start as statements take them: text, id, id, offset.
pub(super) struct Bounds<'a> {
    pub(super) text: Option<&'a str>,
    pub(super) text_id: Option<Uuid>,
    pub(super) id: Option<Uuid>,
    pub(super) offset: i64,
}

impl Start {
    pub(super) fn bounds(&self) -> Bounds<'_> {
        let none = Bounds { text: None, text_id: None, id: None, offset: 0 };
        match self {
            Self::Row(offset) => Bounds { offset: *offset, ..none },
            Self::After(text, id) => Bounds { text: Some(text), text_id: Some(*id), ..none },
            Self::Id(id) => Bounds { id: Some(*id), ..none },
        }
    }
}

/// Who changes records, as it is kept with them.
#[derive(Debug)]
pub struct Mark {
    pub(super) kind: &'static str,
    pub(super) id: Option<Uuid>,
    pub(super) name: String,
    pub(super) call: Option<Uuid>,
}

impl Mark {
    pub(super) async fn of(tx: &mut TenantTx, call: Option<CallId>) -> Result<Self, Error> {
        let (tenant, actor) = (tx.tenant_uuid(), tx.actor().clone());
        let mut mark = Self {
            kind: "worker",
            id: None,
            name: actor.name().to_owned(),
            call: call.map(|call| call.uuid()),
        };
        match actor.who() {
            Who::User { id, .. } => (mark.kind, mark.id) = ("user", Some(id.uuid())),
            Who::Operator { .. } => mark.kind = "operator",
            Who::Worker => {}
            Who::Agent(who) => {
                (mark.kind, mark.id) = ("agent", Some(who.agent.uuid()));
                let name = sqlx::query_scalar!(
                    "SELECT name FROM agents WHERE tenant_id = $1 AND id = $2",
                    tenant,
                    who.agent.uuid()
                )
                .fetch_optional(tx.conn())
                .await?;
                mark.name = name.unwrap_or(mark.name);
            }
        }
        Ok(mark)
    }
}

/// The four columns as one value.
pub(super) fn changed_by(kind: &str, id: Option<Uuid>, name: String, call: Option<Uuid>) -> ChangedBy {
    match (kind, id) {
        ("user", Some(id)) => ChangedBy::Person { id: id.into(), name },
        ("agent", Some(id)) => ChangedBy::Agent { id: id.into(), name, call: call.map(Into::into) },
        _ => ChangedBy::Other(name),
    }
}

/// Sets every field that was given.
pub(super) fn fill<R: Record>(record: &mut R, given: &Given) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    for field in R::FIELDS {
        if let Some(text) = given.get(*field)
            && let Err(sentence) = record.set(field, text)
        {
            wrong.push((*field, sentence));
        }
    }
    wrong
}

/// The values of a key that are ids.
pub(super) fn uuids(values: &[String]) -> Vec<Uuid> {
    values.iter().filter_map(|value| Uuid::try_parse(value).ok()).collect()
}

/// A text of one line: trimmed, at most so many characters, none of them a control; none when empty.
pub(super) fn line(text: &str, most: usize) -> Result<Option<String>, String> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err("leave out line breaks and control characters".to_owned());
    }
    bounded(text, most)
}

/// The same with line breaks, which become `\n`, and tabs.
pub(super) fn lines(text: &str, most: usize) -> Result<Option<String>, String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.trim();
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err("leave out control characters".to_owned());
    }
    bounded(text, most)
}

fn bounded(text: &str, most: usize) -> Result<Option<String>, String> {
    if text.chars().count() > most {
        return Err(format!("give at most {most} characters"));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// An id, or none.
pub(super) fn id<I: model::Id + FromStr>(text: &str) -> Result<Option<I>, String> {
    match text.trim() {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| format!("give an id of the form `{}_` and 32 hexadecimal digits", I::PREFIX)),
    }
}

/// A word of a list, or none.
pub(super) fn word<W: FromStr>(text: &str) -> Result<Option<W>, String>
where
    W::Err: std::fmt::Display,
{
    match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|error: W::Err| error.to_string()),
    }
}

/// An amount from 0 up, below a trillion, with at most two decimals.
pub(super) fn amount(text: &str) -> Result<Option<Decimal>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong =
        || "give a number such as 1250.50: from 0 up, below a trillion, at most two decimals".to_owned();
    let amount =
        Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).map_err(|_| wrong())?;
    let amount = amount.normalize();
    let fits = !amount.is_sign_negative() && amount.scale() <= 2 && amount < 1_000_000_000_000u64.into();
    if fits || amount.is_zero() { Ok(Some(amount.abs())) } else { Err(wrong()) }
}

/// A day.
pub(super) fn day(text: &str) -> Result<Option<NaiveDate>, String> {
    match text.trim() {
        "" => Ok(None),
        text if text.len() == 10 && text.starts_with(|first: char| first.is_ascii_digit()) => {
            text.parse().map(Some).map_err(|_| "give a day such as 2026-09-30".to_owned())
        }
        _ => Err("give a day such as 2026-09-30".to_owned()),
    }
}

/// A time, to the microsecond, as the database keeps it. Without an offset it is in UTC.
pub(super) fn instant(text: &str) -> Result<Option<Timestamp>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let local = || {
        let naive = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"]
            .iter()
            .find_map(|pattern| chrono::NaiveDateTime::parse_from_str(text, pattern).ok())?;
        Some(naive.and_utc())
    };
    Timestamp::from_str(text)
        .ok()
        .or_else(local)
        .filter(|at| (1900..10_000).contains(&chrono::Datelike::year(at)))
        .map(|at| Some(at.trunc_subsecs(6)))
        .ok_or_else(|| "give a time such as 2026-09-30T14:00:00Z".to_owned())
}

/// What has happened cannot lie in the future, give or take a time zone.
pub(super) fn happened(at: Timestamp, now: Timestamp) -> Result<(), String> {
    if at > now + TimeDelta::days(1) {
        Err("it lies in the future: this is a record of what has happened".to_owned())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (text, exact) in [
            ("0", "0"),
            ("-0", "0"),
            ("12.5", "12.5"),
            ("999999999999.99", "999999999999.99"),
            (" 7.10 ", "7.1"),
            ("1e3", "1000"),
        ] {
            assert_eq!(amount(text).unwrap(), Some(exact.parse().unwrap()), "{text}");
        }
        for text in ["-1", "0.001", "1e12", "1e300", "x", "true", "1,000", "NaN"] {
            assert!(amount(text).is_err(), "{text}");
        }
        assert_eq!(amount(" ").unwrap(), None);
    }

    #[test]
    fn texts_are_trimmed_bounded_and_without_controls() {
        assert_eq!(line(" a b ", 3).unwrap().unwrap(), "a b");
        assert_eq!(line("  ", 3).unwrap(), None);
        assert!(line("abcd", 3).is_err() && line("a\nb", 9).is_err() && line("a\0b", 9).is_err());
        assert_eq!(lines("a\r\nb\tc\rd", 9).unwrap().unwrap(), "a\nb\tc\nd");
        assert!(lines("a\u{1b}", 9).is_err());
    }

    #[test]
    fn times_are_read_with_and_without_an_offset() {
        let at = instant("2026-01-03T10:00:00+02:00").unwrap().unwrap();
        assert_eq!(at, instant("2026-01-03T08:00").unwrap().unwrap());
        assert!(instant("yesterday").is_err() && instant("0001-01-01T00:00:00Z").is_err());
        assert!(day("2026-02-30").is_err() && day("+2026-01-1").is_err());
    }
}

//! What Grants' addresses and forms say: read, corrected, written. Reading what was written gives the same.
//!
//! Ids and other words are never typed by people: what is none is left out. Where that would show more than was asked
//! for, nothing is shown ([`None`]).

use std::collections::HashSet;

use chrono::{Days, NaiveDate, NaiveTime, TimeZone as _};
use control::grants::change::{Change, Give, Revoke};
use control::grants::listing::{self, Ends};
use control::grants::matrix;
use control::grants::pick::Kind;
use form_urlencoded::Serializer;
use model::access::{Grantee, PermissionKey};
use model::{Timestamp, UnitId, Zone};

use crate::links::grants::{grantee_pair, item};

/// The longest text that is looked for.
const TEXT: usize = 100;
/// Pages are not counted further than this.
const PAGES: u32 = 100_000;
/// How many modules may be open at once.
const OPEN: usize = 10;

/// Fields of a form or query in their order.
type Fields<'a> = &'a [(String, String)];

fn value<'a>(fields: Fields<'a>, name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(known, value)| known == name && !value.trim().is_empty());
    found.map(|(_, value)| value.trim())
}

/// Text to look for: bounded, and without what the database cannot hold.
fn text(fields: Fields<'_>, name: &str) -> String {
    value(fields, name)
        .unwrap_or_default()
        .chars()
        .filter(|c| *c != '\0')
        .take(TEXT)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// A page as it is counted in addresses, from 1.
fn page(fields: Fields<'_>, name: &str) -> u32 {
    value(fields, name).and_then(|text| text.parse().ok()).unwrap_or(1_u32).clamp(1, PAGES) - 1
}

/// Whom a query names: `unit=…`, `role=…`, `user=…` or `agent=…`. The outer none: it names somebody who cannot be.
pub fn grantee(fields: Fields<'_>) -> Option<Option<Grantee>> {
    for name in ["unit", "role", "user", "agent"] {
        let Some(text) = value(fields, name) else { continue };
        let grantee = match name {
            "unit" => text.parse().ok().map(Grantee::Unit),
            "role" => text.parse().ok().map(Grantee::Role),
            "user" => text.parse().ok().map(Grantee::User),
            _ => text.parse().ok().map(Grantee::Agent),
        };
        return grantee.map(Some);
    }
    Some(None)
}

/// The cell that a query names: `at=crm:write@unit_…`. The outer none: it cannot be.
pub fn cell(fields: Fields<'_>) -> Option<Option<(PermissionKey, Grantee)>> {
    match value(fields, "at") {
        None => Some(None),
        Some(text) => read_item(text).map(Some),
    }
}

/// A key that a query names. The outer none: it is no key.
fn key(fields: Fields<'_>) -> Option<Option<PermissionKey>> {
    match value(fields, "key") {
        None => Some(None),
        Some(text) => text.parse().ok().map(Some),
    }
}

/// The fields of a query.
pub fn fields(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes())
        .take(2_000)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// What the matrix shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MatrixQuery {
    /// Part of a module's, key's or tool's name.
    pub text: String,
    /// Which page of modules, the first one being 0.
    pub page: u32,
    /// Modules whose tools are shown.
    pub open: Vec<String>,
    /// What the columns are.
    pub by: Kind,
    /// The unit that one has drilled into.
    pub within: Option<UnitId>,
    /// This column alone.
    pub only: Option<Grantee>,
    /// Part of the columns' names.
    pub who: String,
    /// Which page of columns, the first one being 0.
    pub columns: u32,
}

impl Default for MatrixQuery {
    fn default() -> Self {
        Self {
            text: String::new(),
            page: 0,
            open: Vec::new(),
            by: Kind::Units,
            within: None,
            only: None,
            who: String::new(),
            columns: 0,
        }
    }
}

impl MatrixQuery {
    /// Reads it. None: it names a unit or somebody who cannot be.
    pub fn read(fields: Fields<'_>) -> Option<Self> {
        let only = grantee(fields)?;
        let mut open: Vec<String> = fields
            .iter()
            .filter(|(name, value)| name == "open" && model::access::is_key_word(value))
            .map(|(_, value)| value.clone())
            .collect();
        let mut seen = HashSet::new();
        open.retain(|name| seen.insert(name.clone()));
        open.truncate(OPEN);
        Some(Self {
            text: text(fields, "q"),
            page: page(fields, "page"),
            open,
            by: value(fields, "by").and_then(|word| word.parse().ok()).unwrap_or(Kind::Units),
            within: match value(fields, "in") {
                None => None,
                Some(id) => Some(id.parse().ok()?),
            },
            only,
            who: text(fields, "who"),
            columns: page(fields, "columns"),
        })
    }

    /// Writes it, without what goes without saying.
    pub fn to_query(&self) -> String {
        let mut out = Serializer::new(String::new());
        let mut put = |name: &str, value: &str| {
            if !value.is_empty() {
                out.append_pair(name, value);
            }
        };
        put("q", &self.text);
        if self.by != Kind::Units {
            put("by", self.by.word());
        }
        put("in", &self.within.map(|unit| unit.to_string()).unwrap_or_default());
        if let Some(only) = self.only {
            let (name, value) = grantee_pair(only);
            put(name, &value);
        }
        put("who", &self.who);
        for open in &self.open {
            put("open", open);
        }
        if self.page > 0 {
            put("page", &(self.page + 1).to_string());
        }
        if self.columns > 0 {
            put("columns", &(self.columns + 1).to_string());
        }
        out.finish()
    }

    /// As `control` is asked.
    pub fn wanted(&self) -> matrix::Wanted {
        matrix::Wanted {
            text: self.text.clone(),
            page: self.page,
            open: self.open.clone(),
            kind: self.by,
            within: self.within,
            only: self.only,
            who: self.who.clone(),
            columns: self.columns,
        }
    }
}

/// What the list shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListQuery {
    /// Part of a key or name.
    pub text: String,
    /// Given to this kind.
    pub kind: Option<Kind>,
    /// Given to this one.
    pub grantee: Option<Grantee>,
    /// By when they end.
    pub ends: Ends,
    /// Which page, the first one being 0.
    pub page: u32,
}

impl ListQuery {
    /// Reads it. None: it names somebody who cannot be.
    pub fn read(fields: Fields<'_>) -> Option<Self> {
        Some(Self {
            text: text(fields, "q"),
            kind: value(fields, "kind").and_then(|word| word.parse().ok()),
            grantee: grantee(fields)?,
            ends: value(fields, "ends").and_then(|word| word.parse().ok()).unwrap_or(Ends::Any),
            page: page(fields, "page"),
        })
    }

    /// Writes it, without what goes without saying.
    pub fn to_query(&self) -> String {
        let mut out = Serializer::new(String::new());
        if !self.text.is_empty() {
            out.append_pair("q", &self.text);
        }
        if let Some(kind) = self.kind {
            out.append_pair("kind", kind.word());
        }
        if let Some(grantee) = self.grantee {
            let (name, value) = grantee_pair(grantee);
            out.append_pair(name, &value);
        }
        if self.ends != Ends::Any {
            out.append_pair("ends", self.ends.word());
        }
        if self.page > 0 {
            out.append_pair("page", &(self.page + 1).to_string());
        }
        out.finish()
    }

    /// Whether anything is filtered.
    pub fn filters(&self) -> bool {
        !self.text.is_empty() || self.kind.is_some() || self.grantee.is_some() || self.ends != Ends::Any
    }

    /// As `control` is asked.
    pub fn wanted(&self) -> listing::Wanted {
        listing::Wanted {
            text: self.text.clone(),
            kind: self.kind,
            grantee: self.grantee,
            ends: self.ends,
            page: self.page,
        }
    }
}

/// What is looked for to give a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewQuery {
    /// The key, once it is chosen.
    pub key: Option<PermissionKey>,
    /// To whom, once that is chosen.
    pub grantee: Option<Grantee>,
    /// What is searched among, of those whom it could be given to.
    pub kind: Kind,
    /// Part of a name.
    pub text: String,
    /// Which page, the first one being 0.
    pub page: u32,
}

impl NewQuery {
    /// Reads it. None: it names a key or somebody that cannot be.
    pub fn read(fields: Fields<'_>) -> Option<Self> {
        Some(Self {
            key: key(fields)?,
            grantee: grantee(fields)?,
            kind: value(fields, "kind").and_then(|word| word.parse().ok()).unwrap_or(Kind::Units),
            text: text(fields, "q"),
            page: page(fields, "page"),
        })
    }

    /// Writes it, without what goes without saying.
    pub fn to_query(&self) -> String {
        let mut out = Serializer::new(String::new());
        if let Some(key) = &self.key {
            out.append_pair("key", key.as_str());
        }
        if let Some(grantee) = self.grantee {
            let (name, value) = grantee_pair(grantee);
            out.append_pair(name, &value);
        }
        if self.kind != Kind::Units {
            out.append_pair("kind", self.kind.word());
        }
        if !self.text.is_empty() {
            out.append_pair("q", &self.text);
        }
        if self.page > 0 {
            out.append_pair("page", &(self.page + 1).to_string());
        }
        out.finish()
    }
}

/// A key and whose, as [`item`] writes it.
fn read_item(text: &str) -> Option<(PermissionKey, Grantee)> {
    let (key, whose) = text.split_once('@')?;
    let grantee = match whose.split_once('_')?.0 {
        "unit" => Grantee::Unit(whose.parse().ok()?),
        "user" => Grantee::User(whose.parse().ok()?),
        "agent" => Grantee::Agent(whose.parse().ok()?),
        "role" => Grantee::Role(whose.strip_prefix("role_")?.parse().ok()?),
        _ => return None,
    };
    Some((key.parse().ok()?, grantee))
}

/// A grant to be given, as forms carry it: with its own end `crm:write@unit_0191…@2026-12-01T00:00:00Z`, or for ever
/// `…@never`; without, it ends as the form says.
fn read_give(text: &str) -> Option<(PermissionKey, Grantee, Option<Option<Timestamp>>)> {
    let mut parts = text.splitn(3, '@');
    let (key, grantee) = read_item(&format!("{}@{}", parts.next()?, parts.next()?))?;
    let until = match parts.next() {
        None => None,
        Some("never") => Some(None),
        Some(end) => Some(Some(end.parse().ok()?)),
    };
    Some((key, grantee, until))
}

/// A change that somebody asks for, with the end that holds for what has none of its own, and where they came from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    /// What is to be changed.
    pub change: Change,
    /// Which of the gives end as the form says.
    pub open_ended: bool,
    /// A path of ours to go back to.
    pub back: String,
}

/// What is wrong with what was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// It is no form of ours.
    Unreadable,
    /// The end is no date, or has passed.
    End,
}

impl Asked {
    /// Reads it from a form or query: `give` and `revoke` each name a grant; of the matrix, `cell` is what is ticked
    /// and `was` what had been given when it was shown.
    ///
    /// # Errors
    /// What is no grant is unreadable: nobody typed it. An end that is no date is told apart.
    pub fn read(fields: Fields<'_>, zone: Zone, now: Timestamp) -> Result<Self, Wrong> {
        let all = |name: &'static str| {
            fields.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
        };
        let common = match value(fields, "until") {
            None => None,
            Some(date) => Some(end_of(date, zone).filter(|end| *end > now).ok_or(Wrong::End)?),
        };
        let mut asked =
            Self { back: value(fields, "back").unwrap_or_default().to_owned(), ..Self::default() };
        for text in all("give") {
            let (key, grantee, until) = read_give(text).ok_or(Wrong::Unreadable)?;
            asked.open_ended |= until.is_none();
            asked.change.gives.push(Give { key, grantee, until: until.unwrap_or(common) });
        }
        for text in all("revoke") {
            let (key, grantee) = read_item(text).ok_or(Wrong::Unreadable)?;
            asked.change.revokes.push(Revoke { key, grantee });
        }
        let (ticked, given): (HashSet<&str>, HashSet<&str>) = (all("cell").collect(), all("was").collect());
        for text in ticked.difference(&given) {
            let (key, grantee) = read_item(text).ok_or(Wrong::Unreadable)?;
            asked.open_ended = true;
            asked.change.gives.push(Give { key, grantee, until: common });
        }
        for text in given.difference(&ticked) {
            let (key, grantee) = read_item(text).ok_or(Wrong::Unreadable)?;
            asked.change.revokes.push(Revoke { key, grantee });
        }
        // Sets have no order; people read by key.
        asked.change.gives.sort_by_key(|give| item(&give.key, give.grantee));
        asked.change.revokes.sort_by_key(|revoke| item(&revoke.key, revoke.grantee));
        Ok(asked)
    }

    /// A change with ends of its own, and where to go back to.
    pub fn of(change: Change, back: impl Into<String>) -> Self {
        Self { change, open_ended: false, back: back.into() }
    }

    /// The fields that say it, ends included.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = Vec::with_capacity(self.change.len() + 1);
        for give in &self.change.gives {
            let end = give.until.map_or_else(|| "never".to_owned(), written);
            fields.push(("give", format!("{}@{end}", item(&give.key, give.grantee))));
        }
        for revoke in &self.change.revokes {
            fields.push(("revoke", item(&revoke.key, revoke.grantee)));
        }
        if !self.back.is_empty() {
            fields.push(("back", self.back.clone()));
        }
        fields
    }

    /// The same as a query.
    pub fn to_query(&self) -> String {
        Serializer::new(String::new()).extend_pairs(self.fields()).finish()
    }
}

/// An instant to the microsecond, as the database keeps it.
fn written(at: Timestamp) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// The end of a day, which is the beginning of the next one.
fn end_of(date: &str, zone: Zone) -> Option<Timestamp> {
    let next = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?.checked_add_days(Days::new(1))?;
    // Where a day begins with a jump of the clock, its first instant after that.
    let begin = (0..4).find_map(|hour| {
        let time = next.and_time(NaiveTime::from_hms_opt(hour, 0, 0)?);
        zone.from_local_datetime(&time).earliest()
    })?;
    let end = begin.with_timezone(&chrono::Utc);
    // Years that the database can hold and people mean.
    (end.timestamp() < 253_402_300_800).then_some(end)
}

#[cfg(test)]
mod tests {
    use proptest::option::of;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn any_grantee() -> impl Strategy<Value = Grantee> {
        let uuid = any::<u128>().prop_map(Uuid::from_u128);
        prop_oneof![
            uuid.clone().prop_map(|id| Grantee::Unit(id.into())),
            uuid.clone().prop_map(|id| Grantee::User(id.into())),
            uuid.prop_map(|id| Grantee::Agent(id.into())),
            proptest::sample::select(model::people::Role::ALL.to_vec()).prop_map(Grantee::Role),
        ]
    }

    fn any_key() -> impl Strategy<Value = PermissionKey> {
        "[a-z][a-z0-9_-]{0,9}(:[a-z][a-z0-9_-]{0,9})?".prop_map(|text| text.parse().unwrap())
    }

    proptest! {
        #[test]
        fn a_matrix_reads_as_it_was_written(
            text in "[^\0]{0,80}", who in "[^\0]{0,80}", page in 0..PAGES, columns in 0..PAGES,
            open in prop::collection::hash_set("[a-z][a-z0-9_-]{0,9}", 0..4),
            by in proptest::sample::select(Kind::ALL.to_vec()),
            within in of(any::<u128>()), only in of(any_grantee()),
        ) {
            let query = MatrixQuery {
                text: text.trim().to_owned(), page, open: open.into_iter().collect(), by,
                within: within.map(|id| Uuid::from_u128(id).into()), only, who: who.trim().to_owned(), columns,
            };
            prop_assert_eq!(MatrixQuery::read(&fields(&query.to_query())), Some(query));
        }

        #[test]
        fn a_list_reads_as_it_was_written(
            text in "[^\0]{0,80}", page in 0..PAGES, kind in of(proptest::sample::select(Kind::ALL.to_vec())),
            ends in proptest::sample::select(Ends::ALL.to_vec()), grantee in of(any_grantee()),
        ) {
            let query = ListQuery { text: text.trim().to_owned(), kind, grantee, ends, page };
            prop_assert_eq!(ListQuery::read(&fields(&query.to_query())), Some(query));
        }

        #[test]
        fn a_change_reads_as_it_was_written(
            gives in prop::collection::vec((any_key(), any_grantee(), of(0..4_000_000_000_i64)), 0..5),
            revokes in prop::collection::vec((any_key(), any_grantee()), 0..5),
        ) {
            let until = |end: Option<i64>| end.map(|at| chrono::DateTime::from_timestamp_micros(at * 1_000_003).unwrap());
            let mut change = Change {
                gives: gives.into_iter().map(|(key, grantee, end)| Give { key, grantee, until: until(end) }).collect(),
                revokes: revokes.into_iter().map(|(key, grantee)| Revoke { key, grantee }).collect(),
            };
            change.gives.sort_by_key(|give| item(&give.key, give.grantee));
            change.revokes.sort_by_key(|revoke| item(&revoke.key, revoke.grantee));
            let asked = Asked::of(change, "/t/acme/grants?by=roles");
            let read = Asked::read(&fields(&asked.to_query()), Zone::UTC, at("2026-11-22T10:00:00Z"));
            prop_assert_eq!(read, Ok(asked));
        }

        #[test]
        fn any_query_is_read(text in ".{0,300}", name in "(q|in|open|by|unit|page|give|revoke|cell|was|until)", value in ".{0,60}") {
            for text in [text.clone(), format!("{name}={value}"), format!("{text}&{name}={value}")] {
                let fields = fields(&text);
                if let Some(query) = MatrixQuery::read(&fields) {
                    prop_assert_eq!(MatrixQuery::read(&super::fields(&query.to_query())), Some(query));
                }
                let _ = (ListQuery::read(&fields), NewQuery::read(&fields));
                let _ = Asked::read(&fields, Zone::UTC, Timestamp::default());
            }
        }
    }

    #[test]
    fn ticks_are_compared_with_what_was_there() {
        let unit = "unit_00000000000000000000000000000001";
        let text = format!(
            "cell=crm:read@{unit}&cell=crm@role_admin&was=crm:read@{unit}&was=crm:write@{unit}&until=2026-12-24&back=/t/x/grants"
        );
        let asked = Asked::read(&fields(&text), Zone::Europe__Berlin, at("2026-11-22T10:00:00Z")).unwrap();
        let gives: Vec<_> =
            asked.change.gives.iter().map(|give| (item(&give.key, give.grantee), give.until)).collect();
        assert_eq!(gives, [("crm@role_admin".to_owned(), Some(at("2026-12-24T23:00:00Z")))]);
        let revokes: Vec<_> = asked.change.revokes.iter().map(|it| item(&it.key, it.grantee)).collect();
        assert_eq!(revokes, [format!("crm:write@{unit}")]);
        assert!(asked.open_ended);
    }

    #[test]
    fn what_is_no_grant_or_no_end_is_told_apart() {
        let now = at("2026-11-22T10:00:00Z");
        for (text, wrong) in [
            ("give=crm", Wrong::Unreadable),
            ("give=CRM@role_admin", Wrong::Unreadable),
            ("give=crm@role_king", Wrong::Unreadable),
            ("give=crm@user_1", Wrong::Unreadable),
            ("give=crm@role_admin@tomorrow", Wrong::Unreadable),
            ("revoke=crm@call_00000000000000000000000000000001", Wrong::Unreadable),
            ("cell=x", Wrong::Unreadable),
            ("was=@", Wrong::Unreadable),
            ("until=tomorrow", Wrong::End),
            ("until=2026-11-21", Wrong::End),
            ("until=99999-01-01", Wrong::End),
            ("until=9999-12-31", Wrong::End),
        ] {
            assert_eq!(Asked::read(&fields(text), Zone::UTC, now), Err(wrong), "{text}");
        }
        assert!(Asked::read(&fields("until=2026-11-22"), Zone::UTC, now).is_ok(), "today has not ended");
    }
}

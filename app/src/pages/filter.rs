//! Activity's filters as they stand in the URL: read, corrected, written. Reading what was written gives the same.

use chrono::{NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use model::call::{Outcome, Verdict};
use model::{AgentId, CallId, ModuleId, Timestamp, ToolId, UnitId, UserId, Zone, words};

use crate::pieces::field::FieldError;

/// The longest text that is looked for.
const TEXT: usize = 100;
/// The longest id of a protocol session, in bytes.
const SESSION: usize = 400;
/// More of a query than this is not read.
const QUERY: usize = 4_000;

words! {
    /// How far back the list goes.
    Span {
        /// As far as records go.
        All = "all",
        /// The last 60 minutes.
        Hour = "1h",
        /// The last 24 hours.
        Day = "24h",
        /// The last 7 days.
        Week = "7d",
        /// From one instant to another.
        Custom = "custom",
    }
}

impl Span {
    /// As the form says it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::All => "All time",
            Self::Hour => "Last hour",
            Self::Day => "Last 24 hours",
            Self::Week => "Last 7 days",
            Self::Custom => "From … to …",
        }
    }
}

/// Which page of the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Cursor {
    /// The newest calls.
    #[default]
    Newest,
    /// Those older than a call.
    Before(CallId),
    /// Those newer than a call.
    After(CallId),
}

/// What the URL asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActivityQuery {
    /// How far back.
    pub span: Span,
    /// From when, with [`Span::Custom`]; whole seconds.
    pub from: Option<Timestamp>,
    /// Until when, with [`Span::Custom`]; whole seconds.
    pub to: Option<Timestamp>,
    /// Calls of this agent.
    pub agent: Option<AgentId>,
    /// Calls of this module's tools.
    pub module: Option<ModuleId>,
    /// Calls of exactly this tool.
    pub tool_id: Option<ToolId>,
    /// Calls whose tool name contains this; trimmed, not empty.
    pub tool: Option<String>,
    /// Calls of agents that sat in this unit or below.
    pub unit: Option<UnitId>,
    /// Calls of agents that sat in this very unit.
    pub team: Option<UnitId>,
    /// Calls of agents whose topmost department this was.
    pub department: Option<UnitId>,
    /// Calls of this person's agents, or on their behalf.
    pub person: Option<UserId>,
    /// Calls that count for this person: on their behalf, else of their agents.
    pub charged: Option<UserId>,
    /// Calls of this protocol session.
    pub session: Option<String>,
    /// Calls whose tool, client or reason contains this; trimmed, not empty.
    pub text: Option<String>,
    /// Calls so decided.
    pub verdict: Option<Verdict>,
    /// Calls that so ended.
    pub outcome: Option<Outcome>,
    /// Which page.
    pub cursor: Cursor,
}

impl Default for ActivityQuery {
    fn default() -> Self {
        Self {
            span: Span::All,
            from: None,
            to: None,
            agent: None,
            module: None,
            tool_id: None,
            tool: None,
            unit: None,
            team: None,
            department: None,
            person: None,
            charged: None,
            session: None,
            text: None,
            verdict: None,
            outcome: None,
            cursor: Cursor::Newest,
        }
    }
}

/// A query as it was read, with what is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Read {
    /// What could be understood.
    pub query: ActivityQuery,
    /// What could not.
    pub errors: Vec<FieldError>,
}

/// Reads the query part of a URL, for a reader in a zone: that is where times without `Z` are. Unknown names are ignored;
/// of a name that comes twice the first counts.
pub fn read(text: &str, zone: Zone) -> Read {
    let mut query = ActivityQuery::default();
    let mut errors = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    if text.len() > QUERY {
        errors.push(FieldError {
            field: "span".into(),
            sentence: "The address is too long. Set the filters again.".into(),
        });
        return Read { query, errors };
    }
    let mut span_given = false;
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let value = value.trim();
        if value.is_empty() || seen.iter().any(|known| *known == name) {
            continue;
        }
        seen.push(name.to_string());
        let mut wrong = |field: &'static str, sentence: &str| errors.push(FieldError::new(field, sentence));
        match name.as_ref() {
            "span" => match value.parse() {
                Ok(span) => (query.span, span_given) = (span, true),
                Err(_) => wrong("span", "Choose one of the time ranges."),
            },
            "from" => match instant(value, zone) {
                Some(at) => query.from = Some(at),
                None => wrong("from", "From must be a date and time such as 2026-11-22T09:30."),
            },
            "to" => match instant(value, zone) {
                Some(at) => query.to = Some(at),
                None => wrong("to", "To must be a date and time such as 2026-11-22T17:00."),
            },
            "agent" => match value.parse() {
                Ok(agent) => query.agent = Some(agent),
                Err(_) => wrong("agent", "Choose an agent from the list."),
            },
            "module" => match value.parse() {
                Ok(module) => query.module = Some(module),
                Err(_) => wrong("module", "Choose a module from the list."),
            },
            "tool_id" => match value.parse() {
                Ok(tool) => query.tool_id = Some(tool),
                Err(_) => wrong("tool", "The address names a tool that does not exist."),
            },
            "unit" => match value.parse() {
                Ok(unit) => query.unit = Some(unit),
                Err(_) => wrong("unit", "Choose a unit from the list."),
            },
            "team" => match value.parse() {
                Ok(unit) => query.team = Some(unit),
                Err(_) => wrong("unit", "The address names a team that does not exist."),
            },
            "department" => match value.parse() {
                Ok(unit) => query.department = Some(unit),
                Err(_) => wrong("unit", "The address names a department that does not exist."),
            },
            "person" => match value.parse() {
                Ok(person) => query.person = Some(person),
                Err(_) => wrong("who", "The address names a person who does not exist."),
            },
            "charged" => match value.parse() {
                Ok(person) => query.charged = Some(person),
                Err(_) => wrong("who", "The address names a person who does not exist."),
            },
            "session" if value.len() > SESSION || value.contains('\0') => {
                wrong("text", "The address names a session that does not exist.");
            }
            "session" => query.session = Some(value.to_owned()),
            "tool" | "text" if value.chars().count() > TEXT => {
                let field = if name == "tool" { "tool" } else { "text" };
                wrong(field, "The text may have at most 100 characters.");
            }
            "tool" | "text" if value.contains('\0') => {
                let field = if name == "tool" { "tool" } else { "text" };
                wrong(field, "The text contains a character that no name has.");
            }
            "tool" => query.tool = Some(value.to_owned()),
            "text" => query.text = Some(value.to_owned()),
            "verdict" => match value.parse() {
                Ok(verdict) => query.verdict = Some(verdict),
                Err(_) => wrong("verdict", "Choose one of the decisions."),
            },
            "outcome" => match value.parse() {
                Ok(outcome) => query.outcome = Some(outcome),
                Err(_) => wrong("outcome", "Choose one of the outcomes."),
            },
            "before" | "after" if query.cursor != Cursor::Newest => {}
            "before" | "after" => match value.parse() {
                Ok(call) if name == "before" => query.cursor = Cursor::Before(call),
                Ok(call) => query.cursor = Cursor::After(call),
                Err(_) => wrong("span", "The address names a place in the list that does not exist."),
            },
            _ => {}
        }
    }
    if !span_given && (query.from.is_some() || query.to.is_some()) {
        query.span = Span::Custom;
    }
    if query.span != Span::Custom {
        (query.from, query.to) = (None, None);
    } else if query.from.is_none() && query.to.is_none() && errors.is_empty() {
        errors.push(FieldError {
            field: "from".into(),
            sentence: "Say from when, until when, or both.".into(),
        });
    } else if let (Some(from), Some(to)) = (query.from, query.to)
        && from >= to
    {
        errors.push(FieldError { field: "to".into(), sentence: "To must be later than from.".into() });
    }
    Read { query, errors }
}

/// Date and time as `<input type=datetime-local>` sends them, in the reader's zone; with `Z`, UTC.
fn instant(text: &str, zone: Zone) -> Option<Timestamp> {
    let (text, utc) = text.strip_suffix('Z').map_or((text, false), |text| (text, true));
    let at = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
        .iter()
        .find_map(|pattern| NaiveDateTime::parse_from_str(text, pattern).ok())?;
    let at = if utc {
        at.and_utc()
    } else {
        // Twice a year there is no such time, or there are two: the hour after, and the first.
        let later = at.checked_add_signed(TimeDelta::hours(1))?;
        let found = zone.from_local_datetime(&at).earliest();
        found.or_else(|| zone.from_local_datetime(&later).earliest())?.with_timezone(&Utc)
    };
    // What PostgreSQL and the input both can hold.
    Some(at).filter(|at| (1970..=9998).contains(&chrono::Datelike::year(at)))
}

/// An instant as addresses have it: the same for readers in every zone.
fn written(at: Timestamp) -> String {
    format!("{}Z", local(at, Zone::UTC))
}

/// An instant as `<input type=datetime-local>` has it, in the reader's zone.
pub fn local(at: Timestamp, zone: Zone) -> String {
    let seconds = chrono::Timelike::second(&at) != 0;
    at.with_timezone(&zone).format(if seconds { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%dT%H:%M" }).to_string()
}

impl ActivityQuery {
    /// The query part of the URL: only what is set, in a fixed order, the page last.
    pub fn to_query(&self) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        if self.span != Span::All {
            out.append_pair("span", self.span.word());
        }
        let pairs = [
            ("from", self.from.map(written)),
            ("to", self.to.map(written)),
            ("unit", self.unit.map(|id| id.to_string())),
            ("team", self.team.map(|id| id.to_string())),
            ("department", self.department.map(|id| id.to_string())),
            ("person", self.person.map(|id| id.to_string())),
            ("charged", self.charged.map(|id| id.to_string())),
            ("agent", self.agent.map(|id| id.to_string())),
            ("module", self.module.map(|id| id.to_string())),
            ("tool_id", self.tool_id.map(|id| id.to_string())),
            ("tool", self.tool.clone()),
            ("session", self.session.clone()),
            ("text", self.text.clone()),
            ("verdict", self.verdict.map(|it| it.to_string())),
            ("outcome", self.outcome.map(|it| it.to_string())),
        ];
        for (name, value) in pairs {
            if let Some(value) = value {
                out.append_pair(name, &value);
            }
        }
        match self.cursor {
            Cursor::Newest => {}
            Cursor::Before(call) => {
                out.append_pair("before", &call.to_string());
            }
            Cursor::After(call) => {
                out.append_pair("after", &call.to_string());
            }
        }
        out.finish()
    }

    /// The same filters on another page.
    pub fn at(&self, cursor: Cursor) -> Self {
        Self { cursor, ..self.clone() }
    }

    /// Whether anything but the page is asked for.
    pub fn filters(&self) -> bool {
        self.at(Cursor::Newest) != Self::default()
    }

    /// From when the list goes, at `now`.
    pub fn since(&self, now: Timestamp) -> Option<Timestamp> {
        let ago = match self.span {
            Span::All => return None,
            Span::Custom => return self.from,
            Span::Hour => TimeDelta::hours(1),
            Span::Day => TimeDelta::hours(24),
            Span::Week => TimeDelta::days(7),
        };
        now.checked_sub_signed(ago)
    }

    /// Whether new calls belong into this list: it is the newest page and has no end.
    pub fn is_live(&self) -> bool {
        self.cursor == Cursor::Newest && self.to.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option::of;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn seconds() -> impl Strategy<Value = Timestamp> {
        (31_536_000..253_370_764_799_i64).prop_map(|at| chrono::DateTime::from_timestamp(at, 0).unwrap())
    }

    fn queries() -> impl Strategy<Value = ActivityQuery> {
        let uuid = any::<u128>().prop_map(Uuid::from_u128);
        let cursor = prop_oneof![
            Just(Cursor::Newest),
            uuid.clone().prop_map(|id| Cursor::Before(id.into())),
            uuid.clone().prop_map(|id| Cursor::After(id.into())),
        ];
        (
            proptest::sample::select(Span::ALL.to_vec()),
            (of(seconds()), of(seconds())),
            of(uuid.clone().prop_map(AgentId::from)),
            of(uuid.clone().prop_map(ModuleId::from)),
            of("[^\0]{1,90}"),
            of(proptest::sample::select(Verdict::ALL.to_vec())),
            of(proptest::sample::select(Outcome::ALL.to_vec())),
            cursor,
            (
                of(uuid.clone().prop_map(UnitId::from)),
                of(uuid.clone().prop_map(UserId::from)),
                of(uuid.prop_map(ToolId::from)),
                of("[^\0]{1,90}"),
                of("[^\0]{1,90}"),
            ),
        )
            .prop_map(|(span, (from, to), agent, module, tool, verdict, outcome, cursor, more)| {
                let (from, to) = match (span, from, to) {
                    (Span::Custom, Some(a), Some(b)) if a > b => (Some(b), Some(a)),
                    (Span::Custom, Some(a), Some(b)) if a == b => (Some(a), None),
                    (Span::Custom, None, None) => (Some(Timestamp::default()), None),
                    (Span::Custom, from, to) => (from, to),
                    _ => (None, None),
                };
                let trimmed = |text: Option<String>| {
                    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
                };
                let (tool, (unit, person, tool_id, session, text)) = (trimmed(tool), more);
                let (session, text) = (trimmed(session), trimmed(text));
                let (team, charged, department) = (unit, person, unit);
                ActivityQuery {
                    span,
                    from,
                    to,
                    agent,
                    module,
                    tool_id,
                    tool,
                    unit,
                    team,
                    department,
                    person,
                    charged,
                    session,
                    text,
                    verdict,
                    outcome,
                    cursor,
                }
            })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(query in queries()) {
            let written = query.to_query();
            for zone in [Zone::UTC, Zone::Asia__Tokyo] {
                prop_assert_eq!(read(&written, zone), Read { query: query.clone(), errors: vec![] });
            }
        }

        #[test]
        fn any_text_is_read_and_settles(text in ".{0,300}") {
            let first = read(&text, Zone::UTC);
            let again = read(&first.query.to_query(), Zone::UTC);
            if first.errors.is_empty() {
                prop_assert_eq!(again, first);
            }
        }
    }

    #[test]
    fn a_form_with_empty_fields_asks_for_nothing() {
        let read = read("span=all&from=&to=&agent=&module=&tool=+&verdict=&outcome=&unit=&text=", Zone::UTC);
        assert_eq!(read, Read { query: ActivityQuery::default(), errors: vec![] });
        assert_eq!(read.query.to_query(), "");
    }

    #[test]
    fn each_wrong_value_is_named_at_its_field() {
        for (text, field) in [
            ("agent=mod_00000000000000000000000000000001", "agent"),
            ("module=x", "module"),
            ("verdict=maybe", "verdict"),
            ("outcome=fine", "outcome"),
            ("span=forever", "span"),
            ("before=call_1", "span"),
            ("from=yesterday", "from"),
            ("span=custom&from=2026-11-22T10:00&to=2026-11-22T09:00", "to"),
            ("span=custom", "from"),
            ("tool=%00", "tool"),
            (&format!("tool={}", "x".repeat(101)), "tool"),
            (&format!("text={}", "x".repeat(101)), "text"),
            ("text=%00", "text"),
            ("unit=x", "unit"),
            ("team=user_00000000000000000000000000000001", "unit"),
            ("person=me", "who"),
            ("session=%00", "text"),
            ("tool_id=7", "tool"),
            (&format!("x={}", "x".repeat(5_000)), "span"),
        ] {
            let errors = read(text, Zone::UTC).errors;
            assert_eq!(
                errors.iter().map(|error| error.field.as_ref()).collect::<Vec<_>>(),
                [field],
                "{text}"
            );
        }
    }

    #[test]
    fn left_over_dates_do_not_count_beside_a_span() {
        let read = |text| super::read(text, Zone::UTC);
        let query = read("span=1h&from=2026-11-22T10:00").query;
        assert_eq!((query.span, query.from), (Span::Hour, None));
        assert_eq!(read("from=2026-11-22T10:00").query.span, Span::Custom);
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        assert_eq!(query.since(now), Some("2026-11-22T09:00:00Z".parse().unwrap()));
    }

    #[test]
    fn a_time_that_is_typed_is_the_readers_and_one_in_an_address_is_everybodys() {
        let from = |text: &str, zone| read(text, zone).query.from.map(|at| at.to_rfc3339());
        assert_eq!(from("from=2026-11-22T10:00", Zone::Asia__Tokyo).unwrap(), "2026-11-22T01:00:00+00:00");
        assert_eq!(from("from=2026-11-22T10:00Z", Zone::Asia__Tokyo).unwrap(), "2026-11-22T10:00:00+00:00");
        let query = read("from=2026-11-22T10:00", Zone::Asia__Tokyo).query;
        assert_eq!(query.to_query(), "span=custom&from=2026-11-22T01%3A00Z");
        assert_eq!(local(query.from.unwrap(), Zone::Asia__Tokyo), "2026-11-22T10:00");
        // When clocks are put forward there is no half past two; when they are put back there are two.
        let berlin = Zone::Europe__Berlin;
        assert_eq!(from("from=2026-03-29T02:30", berlin).unwrap(), "2026-03-29T01:30:00+00:00");
        assert_eq!(from("from=2026-10-25T02:30", berlin).unwrap(), "2026-10-25T00:30:00+00:00");
    }
}

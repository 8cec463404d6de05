//! What Money and My usage are asked for, as it stands in the URL: read, corrected, written.

use chrono::{Datelike as _, NaiveDate};
use control::money::{Dimension, Filter, Period, Whose};
use model::{Currency, words};

use crate::pieces::field::FieldError;

/// More of a query than this is not read.
const QUERY: usize = 4_000;
/// The longest period that is told apart by days.
pub const MOST_DAYS: i64 = 100;
/// The longest period, in days.
const LONGEST: i64 = 3_660;

words! {
    /// The one question that a view answers.
    View {
        /// Departments, teams, people, agents.
        Who = "who",
        /// Modules and tools.
        What = "what",
        /// Against the period before.
        Change = "change",
        /// Day by day, or month by month.
        When = "when",
        /// Two dimensions at once.
        Cross = "cross",
    }
}

impl View {
    /// As the tab says it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Who => "Who spends",
            Self::What => "On what",
            Self::Change => "What changed",
            Self::When => "When",
            Self::Cross => "Side by side",
        }
    }

    /// By what it tells spend apart; the first is where one begins.
    pub fn dimensions(self, whose: Whose) -> &'static [Dimension] {
        use Dimension::{Agent, Day, Department, Module, Month, Team, Tool, Unit, User};
        match (self, whose) {
            (Self::Who, Whose::Everybodys) => &[Department, Unit, Team, User, Agent],
            (Self::Who, Whose::Mine) => &[Agent, User],
            (Self::What, _) => &[Module, Tool],
            (Self::When, _) => &[Day, Month],
            (Self::Change, Whose::Everybodys) => &[Department, Team, User, Agent, Module, Tool],
            (Self::Cross, Whose::Everybodys) => &[Department, Team, User, Agent, Module, Tool],
            (Self::Change | Self::Cross, Whose::Mine) => &[Agent, User, Module, Tool],
        }
    }
}

/// A dimension as choices say it.
pub const fn label(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Department => "Department",
        Dimension::Unit => "Unit, level by level",
        Dimension::Team => "Team",
        Dimension::User => "Person",
        Dimension::Agent => "Agent",
        Dimension::Module => "Module",
        Dimension::Tool => "Tool",
        Dimension::Day => "Day",
        Dimension::Month => "Month",
    }
}

words! {
    /// The period.
    Span {
        /// From the first of this month to today.
        ThisMonth = "this-month",
        /// The whole month before.
        LastMonth = "last-month",
        /// Today and the six days before.
        Week = "7d",
        /// Today and the 29 days before.
        Month = "30d",
        /// Today and the 89 days before.
        Quarter = "90d",
        /// From one day to another.
        Custom = "custom",
    }
}

impl Span {
    /// As the form says it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::ThisMonth => "This month",
            Self::LastMonth => "Last month",
            Self::Week => "Last 7 days",
            Self::Month => "Last 30 days",
            Self::Quarter => "Last 90 days",
            Self::Custom => "From … to …",
        }
    }
}

/// What the URL asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MoneyQuery {
    /// Which question.
    pub view: View,
    /// Which period.
    pub span: Span,
    /// The first day, with [`Span::Custom`].
    pub from: Option<NaiveDate>,
    /// The last day, with [`Span::Custom`].
    pub to: Option<NaiveDate>,
    /// By what, where it is not what the view begins with.
    pub by: Option<Dimension>,
    /// By what else, with [`View::Cross`].
    pub beside: Option<Dimension>,
    /// Narrowed to what.
    pub filter: Filter,
    /// In which currency, where it is not the organization's.
    pub currency: Option<Currency>,
    /// Which page of the rows, from 1.
    pub page: u32,
}

impl Default for MoneyQuery {
    fn default() -> Self {
        Self {
            view: View::Who,
            span: Span::ThisMonth,
            from: None,
            to: None,
            by: None,
            beside: None,
            filter: Filter::default(),
            currency: None,
            page: 1,
        }
    }
}

/// A query as it was read, with what is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Read {
    /// What could be understood.
    pub query: MoneyQuery,
    /// What could not.
    pub errors: Vec<FieldError>,
}

/// Reads the query part of a URL. Unknown names are ignored; of a name that comes twice the first counts.
pub fn read(text: &str, whose: Whose) -> Read {
    let mut query = MoneyQuery::default();
    let mut errors = Vec::new();
    if text.len() > QUERY {
        errors.push(FieldError::new("span", "The address is too long. Set the filters again."));
        return Read { query, errors };
    }
    let mut seen: Vec<String> = Vec::new();
    let mut span = None;
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let value = value.trim();
        if value.is_empty() || seen.iter().any(|known| *known == name) {
            continue;
        }
        seen.push(name.to_string());
        let mut wrong = |field: &'static str, sentence: &str| errors.push(FieldError::new(field, sentence));
        let filter = &mut query.filter;
        match name.as_ref() {
            "view" => match value.parse() {
                Ok(view) => query.view = view,
                Err(_) => wrong("by", "The address names a view that does not exist."),
            },
            "span" => match value.parse() {
                Ok(known) => span = Some(known),
                Err(_) => wrong("span", "Choose one of the periods."),
            },
            "from" => match day(value) {
                Some(day) => query.from = Some(day),
                None => wrong("from", "From must be a day such as 2026-11-01."),
            },
            "to" => match day(value) {
                Some(day) => query.to = Some(day),
                None => wrong("to", "To must be a day such as 2026-11-22."),
            },
            "by" => match value.parse() {
                Ok(dimension) => query.by = Some(dimension),
                Err(_) => wrong("by", "Choose by what to tell it apart."),
            },
            "beside" => match value.parse() {
                Ok(dimension) => query.beside = Some(dimension),
                Err(_) => wrong("beside", "Choose what to put beside it."),
            },
            "currency" => match value.parse() {
                Ok(currency) => query.currency = Some(currency),
                Err(_) => wrong("currency", "Choose one of the currencies."),
            },
            "page" => match value.parse() {
                Ok(page) if (1..=100_000).contains(&page) => query.page = page,
                _ => wrong("by", "The address names a page that does not exist."),
            },
            "department" => keep(&mut filter.department, value, "department", &mut errors),
            "unit" => keep(&mut filter.unit, value, "unit", &mut errors),
            "team" => keep(&mut filter.team, value, "team", &mut errors),
            "user" => keep(&mut filter.user, value, "user", &mut errors),
            "agent" => keep(&mut filter.agent, value, "agent", &mut errors),
            "module" => keep(&mut filter.module, value, "module", &mut errors),
            "tool" => keep(&mut filter.tool, value, "tool", &mut errors),
            _ => {}
        }
    }
    let dated = query.from.is_some() || query.to.is_some();
    query.span = span.unwrap_or(if dated { Span::Custom } else { Span::ThisMonth });
    if query.span != Span::Custom {
        (query.from, query.to) = (None, None);
    } else if let (Some(from), Some(to)) = (query.from, query.to) {
        if from > to {
            errors.push(FieldError::new("to", "To must not be before from."));
        } else if (to - from).num_days() >= LONGEST {
            errors.push(FieldError::new("to", "Choose at most ten years."));
        }
    } else if errors.is_empty() {
        let (field, sentence) = match query.from {
            None => ("from", "Say from which day."),
            Some(_) => ("to", "Say to which day."),
        };
        errors.push(FieldError::new(field, sentence));
    }
    query.settle(whose);
    Read { query, errors }
}

fn keep<T: std::str::FromStr>(
    into: &mut Option<T>,
    value: &str,
    name: &'static str,
    errors: &mut Vec<FieldError>,
) {
    match value.parse() {
        Ok(id) => *into = Some(id),
        Err(_) => {
            errors.push(FieldError::new("by", format!("The address names a {name} that does not exist.")))
        }
    }
}

/// A day as `<input type=date>` sends it.
fn day(text: &str) -> Option<NaiveDate> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (1970..=9998).contains(&day.year()).then_some(day)
}

impl MoneyQuery {
    /// Drops what means nothing here or is so anyway.
    fn settle(&mut self, whose: Whose) {
        let there = self.view.dimensions(whose);
        self.by = self.by.filter(|by| there.contains(by) && there.first() != Some(by));
        let by = self.by(whose);
        self.beside =
            self.beside.filter(|beside| self.view == View::Cross && there.contains(beside) && *beside != by);
        if self.beside == Some(usual_beside(by)) {
            self.beside = None;
        }
    }

    /// By what spend is told apart.
    pub fn by(&self, whose: Whose) -> Dimension {
        let first = self.view.dimensions(whose).first().copied();
        self.by.or(first).unwrap_or(Dimension::Agent)
    }

    /// By what else, with [`View::Cross`].
    pub fn beside(&self, whose: Whose) -> Dimension {
        self.beside.unwrap_or(usual_beside(self.by(whose)))
    }

    /// The period, today being `today`.
    pub fn period(&self, today: NaiveDate) -> Period {
        match (self.span, self.from, self.to) {
            (Span::Custom, Some(from), Some(to)) => Period::of(from, to).unwrap_or(Period::month_to(today)),
            (Span::LastMonth, ..) => Period::month_before(today),
            (Span::Week, ..) => Period::days_to(today, 7),
            (Span::Month, ..) => Period::days_to(today, 30),
            (Span::Quarter, ..) => Period::days_to(today, 90),
            (Span::ThisMonth | Span::Custom, ..) => Period::month_to(today),
        }
    }

    /// The query part of the URL: only what is set, in a fixed order, the page last.
    pub fn to_query(&self) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        let known = Self::default();
        let filter = &self.filter;
        let pairs = [
            ("view", (self.view != known.view).then(|| self.view.to_string())),
            ("span", (self.span != known.span).then(|| self.span.to_string())),
            ("from", self.from.map(|day| day.to_string())),
            ("to", self.to.map(|day| day.to_string())),
            ("by", self.by.map(|it| it.to_string())),
            ("beside", self.beside.map(|it| it.to_string())),
            ("department", filter.department.map(|id| id.to_string())),
            ("unit", filter.unit.map(|id| id.to_string())),
            ("team", filter.team.map(|id| id.to_string())),
            ("user", filter.user.map(|id| id.to_string())),
            ("agent", filter.agent.map(|id| id.to_string())),
            ("module", filter.module.map(|id| id.to_string())),
            ("tool", filter.tool.map(|id| id.to_string())),
            ("currency", self.currency.map(|it| it.to_string())),
            ("page", (self.page > 1).then(|| self.page.to_string())),
        ];
        for (name, value) in pairs {
            if let Some(value) = value {
                out.append_pair(name, &value);
            }
        }
        out.finish()
    }

    /// Another view of the same: same period and filters.
    pub fn view(&self, view: View) -> Self {
        Self { view, by: None, beside: None, page: 1, ..self.clone() }
    }

    /// Told apart by something, in the view that does so.
    pub fn told_by(&self, view: View, by: Dimension, whose: Whose) -> Self {
        let mut query = Self { by: Some(by), ..self.view(view) };
        query.settle(whose);
        query
    }

    /// Narrowed by one more thing, or by another in its place.
    pub fn within(&self, filter: Filter) -> Self {
        Self { filter, page: 1, ..self.clone() }
    }

    /// Another page of the rows.
    pub fn at(&self, page: u32) -> Self {
        Self { page, ..self.clone() }
    }
}

/// What stands beside a dimension unless something else is asked for.
const fn usual_beside(by: Dimension) -> Dimension {
    match by {
        Dimension::Module | Dimension::Tool => Dimension::Agent,
        _ => Dimension::Module,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option::of;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn queries() -> impl Strategy<Value = (MoneyQuery, Whose)> {
        let uuid = || of(any::<u128>().prop_map(Uuid::from_u128));
        let date = || {
            (0..40_000i64)
                .prop_map(|day| NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + chrono::TimeDelta::days(day))
        };
        let filter =
            (uuid(), uuid(), uuid(), uuid(), uuid(), uuid(), uuid()).prop_map(|(a, b, c, d, e, f, g)| {
                Filter {
                    unit: a.map(Into::into),
                    team: b.map(Into::into),
                    department: c.map(Into::into),
                    user: d.map(Into::into),
                    agent: e.map(Into::into),
                    module: f.map(Into::into),
                    tool: g.map(Into::into),
                }
            });
        (
            proptest::sample::select(View::ALL.to_vec()),
            proptest::sample::select(Span::ALL.to_vec()),
            (date(), 0..3_000i64),
            of(proptest::sample::select(Dimension::ALL.to_vec())),
            of(proptest::sample::select(Dimension::ALL.to_vec())),
            filter,
            of(Just(Currency::USD)),
            1..500u32,
            any::<bool>(),
        )
            .prop_map(|(view, span, (from, days), by, beside, filter, currency, page, mine)| {
                let whose = if mine { Whose::Mine } else { Whose::Everybodys };
                let custom = span == Span::Custom;
                let mut query = MoneyQuery {
                    view,
                    span,
                    from: custom.then_some(from),
                    to: custom.then(|| from + chrono::TimeDelta::days(days)),
                    by,
                    beside,
                    filter,
                    currency,
                    page,
                };
                query.settle(whose);
                (query, whose)
            })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same((query, whose) in queries()) {
            prop_assert_eq!(read(&query.to_query(), whose), Read { query, errors: vec![] });
        }

        #[test]
        fn any_text_is_read_and_settles(text in ".{0,300}") {
            let first = read(&text, Whose::Everybodys);
            if first.errors.is_empty() {
                prop_assert_eq!(read(&first.query.to_query(), Whose::Everybodys), first);
            }
        }
    }

    #[test]
    fn each_wrong_value_is_named_at_its_field() {
        for (text, field) in [
            ("span=forever", "span"),
            ("from=yesterday&to=2026-01-01", "from"),
            ("from=2026-01-01", "to"),
            ("to=2026-01-01", "from"),
            ("from=2026-01-02&to=2026-01-01", "to"),
            ("from=1970-01-01&to=2026-01-01", "to"),
            ("agent=tool_00000000000000000000000000000001", "by"),
            ("by=colour", "by"),
            ("beside=colour", "beside"),
            ("currency=eur", "currency"),
            ("page=0", "by"),
            ("view=why", "by"),
        ] {
            let errors = read(text, Whose::Everybodys).errors;
            assert_eq!(
                errors.iter().map(|error| error.field.as_ref()).collect::<Vec<_>>(),
                [field],
                "{text}"
            );
        }
        let form = read("view=who&span=this-month&from=&to=&by=department&currency=", Whose::Everybodys);
        assert_eq!((form.query.to_query(), form.errors), (String::new(), vec![]));
    }
}

//! Money: what calls cost, by whom they count for and by what was used.
//!
//! A call counts for the agent that made it; for the person on whose behalf it was, or else the agent's owner; for the
//! unit that the agent sat in at the time, its **team**, and every unit above; for the topmost department among those; and
//! for the tool and its module. Moving any of them later changes nothing of the past. Days and months are UTC's, whoever
//! looks, so that all see the same figures. Amounts of different currencies are never added; a call of a tool that does not
//! exist has no price and counts in the organization's own.
//!
//! Most of an answer comes from sums that the worker keeps ([`rollup`]); the calls above its mark are read from the ledger,
//! at the same instant, so an answer is true to the last call.

pub mod rollup;
mod store;

use chrono::{Datelike as _, Days, Months, NaiveDate};
use model::{AgentId, Currency, ModuleId, Money, Timestamp, ToolId, UnitId, UserId, words};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::authority::{self, Deed};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, rows};
pub(crate) use store::mark;

/// Most rows of one answer.
pub const LONGEST: u16 = 1_000;

words! {
    /// What spend is told apart by.
    Dimension {
        /// The topmost department that the agent was in.
        Department = "department",
        /// The unit next below the one that is filtered by; without one, the topmost.
        Unit = "unit",
        /// The unit that the agent sat in.
        Team = "team",
        /// The person on whose behalf it was, else the agent's owner.
        User = "user",
        /// The agent.
        Agent = "agent",
        /// The module.
        Module = "module",
        /// The tool.
        Tool = "tool",
        /// The day.
        Day = "day",
        /// The month.
        Month = "month",
    }
}

/// Whole days in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Period {
    /// The first day.
    pub from: NaiveDate,
    /// The day after the last.
    pub until: NaiveDate,
}

impl Period {
    /// From a day to another, the latter included. None: it would end before it begins.
    pub fn of(first: NaiveDate, last: NaiveDate) -> Option<Self> {
        let until = last.succ_opt()?;
        (first < until).then_some(Self { from: first, until })
    }

    /// The month of a day, up to that day.
    pub fn month_to(day: NaiveDate) -> Self {
        Self { from: first_of_month(day), until: next(day) }
    }

    /// The month before that of a day.
    pub fn month_before(day: NaiveDate) -> Self {
        let until = first_of_month(day);
        Self { from: until.checked_sub_months(Months::new(1)).unwrap_or(until), until }
    }

    /// A number of days, of which a day is the last.
    pub fn days_to(day: NaiveDate, days: u32) -> Self {
        let until = next(day);
        Self { from: until.checked_sub_days(Days::new(days.into())).unwrap_or(until), until }
    }

    /// How many days.
    pub fn days(&self) -> i64 {
        (self.until - self.from).num_days()
    }

    /// The last day.
    pub fn last(&self) -> NaiveDate {
        self.until.pred_opt().unwrap_or(self.until)
    }

    /// What it is compared with: for whole months as many months before; for the beginning of a month the same days of the
    /// month before; else as many days before it.
    pub fn before(&self) -> Self {
        let shifted = |months| {
            let months = Months::new(months);
            let until = self.until.checked_sub_months(months).unwrap_or(self.until);
            Self { from: self.from.checked_sub_months(months).unwrap_or(self.from), until }
        };
        let begins = self.from.day() == 1;
        if begins && self.until.day() == 1 {
            let months = (self.until.year() - self.from.year()) * 12 + self.until.month0() as i32
                - self.from.month0() as i32;
            return shifted(months.unsigned_abs());
        }
        if begins && first_of_month(self.last()) == self.from {
            // The 31st has no day to be compared with in a shorter month: the whole month is.
            let last = self.last().checked_sub_months(Months::new(1)).unwrap_or(self.from);
            return Self { until: next(last), ..shifted(1) };
        }
        let days = Days::new(self.days().unsigned_abs());
        Self { from: self.from.checked_sub_days(days).unwrap_or(self.from), until: self.from }
    }
}

fn first_of_month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

fn next(day: NaiveDate) -> NaiveDate {
    day.succ_opt().unwrap_or(day)
}

/// Which calls count; each that is given narrows.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Filter {
    /// Agents that sat in this unit or below.
    pub unit: Option<UnitId>,
    /// Agents that sat in this very unit.
    pub team: Option<UnitId>,
    /// Agents whose topmost department this was.
    pub department: Option<UnitId>,
    /// For this person.
    pub user: Option<UserId>,
    /// By this agent.
    pub agent: Option<AgentId>,
    /// Of this module.
    pub module: Option<ModuleId>,
    /// Of this tool.
    pub tool: Option<ToolId>,
}

words! {
    /// Which rows come first.
    Order {
        /// Those that cost most.
        Amount = "amount",
        /// Those whose cost changed most.
        Change = "change",
        /// Those with the most calls.
        Calls = "calls",
        /// By time; for days and months.
        Time = "time",
    }
}

/// Whose calls count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// Everybody's whose cost the actor may see ([`Deed::ReadMoney`]).
    Everybodys,
    /// The actor's own: of agents that they own, and on their behalf.
    Mine,
}

/// A question about spend.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// Whose.
    pub whose: Whose,
    /// When.
    pub period: Period,
    /// What it is compared with; none: nothing.
    pub before: Option<Period>,
    /// In which currency.
    pub currency: Currency,
    /// What it is told apart by, none to two.
    pub by: Vec<Dimension>,
    /// Narrowed to what.
    pub filter: Filter,
    /// Which rows come first.
    pub order: Order,
    /// Rows left out at the beginning.
    pub offset: u32,
    /// Most rows, at most [`LONGEST`].
    pub limit: u16,
    /// Only these of the first dimension, by id, the least id for none. Empty: all. See [`cross`].
    pub only: Vec<Uuid>,
    /// These of the second dimension by themselves, all others together as [`Subject::Others`]. Empty: each by itself.
    pub beside: Vec<Uuid>,
}

impl Question {
    /// All of a period in one sum.
    pub fn about(period: Period, currency: Currency) -> Self {
        Self {
            whose: Whose::Everybodys,
            period,
            before: Some(period.before()),
            currency,
            by: Vec::new(),
            filter: Filter::default(),
            order: Order::Amount,
            offset: 0,
            limit: 100,
            only: Vec::new(),
            beside: Vec::new(),
        }
    }

    /// The same, told apart by something.
    pub fn by(mut self, dimensions: &[Dimension]) -> Self {
        self.by = dimensions.to_vec();
        self
    }
}

/// What calls came to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Sums {
    /// How many.
    pub calls: u64,
    /// How many were permitted.
    pub permitted: u64,
    /// How many were denied.
    pub denied: u64,
    /// How many were permitted and ended otherwise than well.
    pub failed: u64,
    /// What they cost, exactly.
    pub amount: Decimal,
}

/// What a row is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Subject {
    /// A department or team.
    Unit(UnitId),
    /// A person.
    User(UserId),
    /// An agent.
    Agent(AgentId),
    /// A module.
    Module(ModuleId),
    /// A tool.
    Tool(ToolId),
    /// A day, or the first of a month.
    Day(NaiveDate),
    /// Calls that count for none: of a tool that does not exist, or in no department.
    None,
    /// Everything that was not asked for by itself.
    Others,
}

impl Subject {
    /// Its id as questions name it; none for days and what has none.
    pub fn uuid(&self) -> Option<Uuid> {
        match self {
            Self::Unit(id) => Some(id.uuid()),
            Self::User(id) => Some(id.uuid()),
            Self::Agent(id) => Some(id.uuid()),
            Self::Module(id) => Some(id.uuid()),
            Self::Tool(id) => Some(id.uuid()),
            Self::Day(_) | Self::None | Self::Others => None,
        }
    }

    /// As statements name it: what has no id by the least one.
    fn key(&self) -> Uuid {
        self.uuid().unwrap_or(Uuid::nil())
    }
}

/// Something with its present name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// What it is.
    pub subject: Subject,
    /// What it is called: a tool by its full name, `crm.list_companies`; a module by its title; empty for what has no name.
    pub name: String,
    /// A module's name in addresses and permission keys.
    pub key: Option<String>,
}

/// One row of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// What it is about, one for each dimension asked for.
    pub about: Vec<Named>,
    /// In the period.
    pub now: Sums,
    /// In the period it is compared with.
    pub before: Sums,
}

/// The answer to a question.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Answer {
    /// The rows that were asked for.
    pub rows: Vec<Row>,
    /// How many rows there are in all.
    pub count: u64,
    /// All rows together, in the period.
    pub total: Sums,
    /// All rows together, in the period it is compared with.
    pub total_before: Sums,
}

/// Whose calls an actor may see the cost of.
#[derive(Debug)]
struct Sight {
    all: bool,
    units: Vec<Uuid>,
    person: Option<Uuid>,
}

impl Sight {
    fn of(actor: &Actor, whose: Whose) -> Result<Self, Error> {
        match whose {
            Whose::Mine => {
                let person = actor.user_id().ok_or_else(|| Error::not_found("usage of one's own"))?;
                Ok(Self { all: false, units: Vec::new(), person: Some(person.uuid()) })
            }
            Whose::Everybodys => {
                let all = authority::may(actor, Deed::ReadMoney);
                let held =
                    actor.roles().iter().filter(|held| authority::includes(held.role, Deed::ReadMoney));
                let units: Vec<Uuid> = held.filter_map(|held| held.unit).map(UnitId::uuid).collect();
                if !all && units.is_empty() {
                    return Err(Error::not_found("spend that you may see"));
                }
                Ok(Self { all, units, person: None })
            }
        }
    }
}

/// Whether an actor may see the cost of anybody's calls but their own.
pub fn may_read(actor: &Actor) -> bool {
    Sight::of(actor, Whose::Everybodys).is_ok()
}

/// Answers several questions at one instant, so that they agree with each other.
///
/// # Errors
/// `too_slow` when the sums are not made yet and going through the ledger takes more than ten seconds.
pub async fn answers(control: &Control, actor: &Actor, questions: &[Question]) -> Result<Vec<Answer>, Error> {
    let mut tx = TenantTx::snapshot(control, actor.clone()).await?;
    begin(&mut tx).await?;
    let mark = store::mark(&mut tx).await?;
    let mut answers = Vec::with_capacity(questions.len());
    for question in questions {
        let sight = Sight::of(actor, question.whose)?;
        answers.push(store::answer(&mut tx, &sight, question, mark).await?);
    }
    Ok(answers)
}

/// Sums over many rows are made in memory, and in bounded time.
async fn begin(tx: &mut TenantTx) -> Result<(), Error> {
    tx.bound_time().await?;
    sqlx::query!("SELECT set_config('work_mem', '64MB', true)").fetch_one(tx.conn()).await?;
    Ok(())
}

/// Answers one question.
pub async fn spend(control: &Control, actor: &Actor, question: &Question) -> Result<Answer, Error> {
    Ok(answers(control, actor, std::slice::from_ref(question)).await?.pop().unwrap_or_default())
}

/// Two dimensions at once.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Cross {
    /// The first dimension: the rows that were asked for, with their sums.
    pub rows: Answer,
    /// The second dimension: those that come first, with their sums.
    pub columns: Answer,
    /// What rows and columns have in common, told apart by both; what is in no column is in [`Subject::Others`].
    pub cells: Vec<Row>,
}

/// Tells spend apart by the question's dimension and a second one, of which those that come first get a column each. All at
/// one instant. Neither dimension is a time.
pub async fn cross(
    control: &Control,
    actor: &Actor,
    question: &Question,
    beside: Dimension,
    columns: u16,
) -> Result<Cross, Error> {
    let sight = Sight::of(actor, question.whose)?;
    let mut tx = TenantTx::snapshot(control, actor.clone()).await?;
    begin(&mut tx).await?;
    let mark = store::mark(&mut tx).await?;
    let rows = store::answer(&mut tx, &sight, question, mark).await?;
    let across = Question { offset: 0, limit: columns, ..question.clone() }.by(&[beside]);
    let columns = store::answer(&mut tx, &sight, &across, mark).await?;
    let keys = |answer: &Answer| -> Vec<Uuid> {
        answer.rows.iter().filter_map(|row| row.about.first()).map(|it| it.subject.key()).collect()
    };
    let mut cells = Vec::new();
    if !rows.rows.is_empty() {
        let by = question.by.first().copied().into_iter().chain([beside]).collect();
        let asked = Question {
            by,
            offset: 0,
            limit: LONGEST,
            only: keys(&rows),
            beside: keys(&columns),
            ..question.clone()
        };
        cells = store::answer(&mut tx, &sight, &asked, mark).await?.rows;
    }
    Ok(Cross { rows, columns, cells })
}

/// The currencies that calls have been priced in, the organization's own first.
pub async fn currencies(control: &Control, actor: &Actor) -> Result<Vec<Currency>, Error> {
    let mut tx = actor.read(control).await?;
    let tenant = tx.tenant_uuid();
    let mark = store::mark(&mut tx).await?;
    let own = sqlx::query_scalar!("SELECT currency FROM tenants WHERE tenant_id = $1", tenant)
        .fetch_one(tx.conn())
        .await?;
    let mut all: Vec<Currency> = vec![rows::word("tenant", &own)?];
    let used = sqlx::query_scalar!(
        r#"SELECT currency AS "currency!" FROM money_totals
           WHERE tenant_id = $1 AND dimension = 'all' AND grain = 'month'
           UNION
           SELECT currency FROM calls WHERE tenant_id = $1 AND id >= $2 AND tool_id IS NOT NULL
           ORDER BY 1"#,
        tenant,
        mark,
    )
    .fetch_all(tx.conn())
    .await?;
    for code in used {
        let currency = rows::word("money_lines", &code)?;
        if !all.contains(&currency) {
            all.push(currency);
        }
    }
    Ok(all)
}

/// What is filtered by, with its present names, in the order of the fields. What is not there, or not in this tenant, is left out.
pub async fn named(
    control: &Control,
    actor: &Actor,
    filter: &Filter,
) -> Result<Vec<(Dimension, Named)>, Error> {
    let mut tx = actor.read(control).await?;
    let asked = [
        (Dimension::Department, filter.department.map(UnitId::uuid)),
        (Dimension::Unit, filter.unit.map(UnitId::uuid)),
        (Dimension::Team, filter.team.map(UnitId::uuid)),
        (Dimension::User, filter.user.map(UserId::uuid)),
        (Dimension::Agent, filter.agent.map(AgentId::uuid)),
        (Dimension::Module, filter.module.map(ModuleId::uuid)),
        (Dimension::Tool, filter.tool.map(ToolId::uuid)),
    ];
    let mut out = Vec::new();
    for (dimension, id) in asked {
        let Some(id) = id else { continue };
        if let Some(named) = store::names(&mut tx, dimension, &[id]).await?.remove(&id) {
            out.push((dimension, named));
        }
    }
    Ok(out)
}

/// The day of an instant, in UTC.
pub fn day(at: Timestamp) -> NaiveDate {
    at.date_naive()
}

impl Sums {
    /// What they cost, with its currency.
    pub fn money(&self, currency: Currency) -> Money {
        Money { amount: self.amount, currency }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn period(from: &str, last: &str) -> Period {
        Period::of(day(from), day(last)).unwrap()
    }

    #[test]
    fn a_period_is_compared_with_one_that_is_like_it() {
        for (now, before) in [
            // A whole month with the whole month before, also when they differ in length.
            (period("2026-03-01", "2026-03-31"), period("2026-02-01", "2026-02-28")),
            (period("2026-01-01", "2026-12-31"), period("2025-01-01", "2025-12-31")),
            // The beginning of a month with the same days of the month before.
            (period("2026-11-01", "2026-11-22"), period("2026-10-01", "2026-10-22")),
            (period("2026-03-01", "2026-03-30"), period("2026-02-01", "2026-02-28")),
            (period("2026-01-01", "2026-01-01"), period("2025-12-01", "2025-12-01")),
            // Anything else with as many days before.
            (period("2026-11-16", "2026-11-22"), period("2026-11-09", "2026-11-15")),
            (period("2026-10-20", "2026-11-03"), period("2026-10-05", "2026-10-19")),
        ] {
            assert_eq!(now.before(), before, "{now:?}");
        }
        assert_eq!(Period::of(day("2026-02-02"), day("2026-02-01")), None);
    }

    #[test]
    fn the_periods_that_people_pick() {
        let today = day("2026-03-31");
        assert_eq!(Period::month_to(today), period("2026-03-01", "2026-03-31"));
        assert_eq!(Period::month_before(today), period("2026-02-01", "2026-02-28"));
        assert_eq!(Period::days_to(today, 7), period("2026-03-25", "2026-03-31"));
        assert_eq!(Period::days_to(today, 7).days(), 7);
    }
}

//! The tables of Money, where their rows lead, and the calls behind each figure.

use chrono::{Months, NaiveDate};
use control::money::{Answer, Cross, Dimension, Filter, Named, Period, Row, Subject, Whose};
use leptos::prelude::*;
use model::UserId;
use rust_decimal::Decimal;

use super::figure::{self, Delta, Figure};
use super::query::{self, MoneyQuery, Span, View};
use super::{PAGE, Shown, first};
use crate::document::Visit;
use crate::icon::Icon;
use crate::links::Links;
use crate::{text, wording};

/// Where things lead on a page: further into Money, to the pages of what is named, and to the calls.
pub(super) struct Places {
    links: Links,
    whose: Whose,
    user: UserId,
    query: MoneyQuery,
}

impl Places {
    pub(super) fn of(visit: &Visit, shown: &Shown, query: &MoneyQuery) -> Self {
        Self { links: visit.links(), whose: shown.whose, user: visit.user, query: query.clone() }
    }

    pub(super) fn links(&self) -> &Links {
        &self.links
    }

    pub(super) fn start(&self) -> String {
        self.here(&MoneyQuery::default())
    }

    pub(super) fn here(&self, query: &MoneyQuery) -> String {
        match self.whose {
            Whose::Everybodys => self.links.money_with(&query.to_query()),
            Whose::Mine => self.links.usage_with(&query.to_query()),
        }
    }

    pub(super) fn file(&self) -> String {
        match self.whose {
            Whose::Everybodys => self.links.money_file(&self.query.to_query()),
            Whose::Mine => self.links.usage_file(&self.query.to_query()),
        }
    }

    /// What a row leads to: the same told apart one step further in.
    pub(super) fn drill(&self, query: &MoneyQuery, by: Dimension, named: &Named) -> Option<String> {
        let filter = with(&query.filter, by, named.subject)?;
        let inner = query.within(filter);
        let (view, next) = match (by, named.subject) {
            (Dimension::Department, _) => (View::Who, Dimension::Team),
            // The unit itself, among those below it: its own agents.
            (Dimension::Unit, Subject::Unit(unit)) if query.filter.unit == Some(unit) => {
                (View::Who, Dimension::Agent)
            }
            (Dimension::Unit, _) => (View::Who, Dimension::Unit),
            (Dimension::Team | Dimension::User, _) => (View::Who, Dimension::Agent),
            (Dimension::Agent | Dimension::Module, _) => (View::What, Dimension::Tool),
            (Dimension::Tool, _) => (View::Who, Dimension::Agent),
            (Dimension::Day | Dimension::Month, _) => return None,
        };
        Some(self.here(&inner.told_by(view, next, self.whose)))
    }

    /// What a day or month leads to: who spent then.
    pub(super) fn drill_time(&self, by: Dimension, day: NaiveDate) -> Option<String> {
        let period = span(by, day)?;
        let (from, to) = (Some(period.from), Some(period.last()));
        Some(self.here(&MoneyQuery { span: Span::Custom, from, to, ..self.query.view(View::Who) }))
    }

    /// The calls that a figure counts.
    pub(super) fn calls(&self, filter: &Filter, period: Period, verdict: Option<&str>) -> String {
        let day = |day: NaiveDate| Some(format!("{day}T00:00Z"));
        let mut out = form_urlencoded::Serializer::new(String::new());
        let pairs = [
            ("span", Some("custom".to_owned())),
            ("from", day(period.from)),
            ("to", day(period.until)),
            ("agent", filter.agent.map(|id| id.to_string())),
            ("module", filter.module.map(|id| id.to_string())),
            ("tool_id", filter.tool.map(|id| id.to_string())),
            ("unit", filter.unit.map(|id| id.to_string())),
            ("team", filter.team.map(|id| id.to_string())),
            ("department", filter.department.map(|id| id.to_string())),
            ("charged", filter.user.map(|id| id.to_string())),
            ("person", (self.whose == Whose::Mine).then(|| self.user.to_string())),
            ("verdict", verdict.map(str::to_owned)),
        ];
        for (name, value) in pairs {
            if let Some(value) = value {
                out.append_pair(name, &value);
            }
        }
        self.links.activity_with(&out.finish())
    }
}

/// The days of a day or of a month.
fn span(by: Dimension, day: NaiveDate) -> Option<Period> {
    let until = match by {
        Dimension::Month => day.checked_add_months(Months::new(1))?,
        _ => day.succ_opt()?,
    };
    Some(Period { from: day, until })
}

/// Narrowed to one thing of a dimension; none for what cannot be asked for by itself.
fn with(filter: &Filter, by: Dimension, subject: Subject) -> Option<Filter> {
    let mut filter = filter.clone();
    match (by, subject) {
        (Dimension::Department, Subject::Unit(unit)) => filter.department = Some(unit),
        (Dimension::Unit, Subject::Unit(unit)) if filter.unit == Some(unit) => {
            (filter.unit, filter.team) = (None, Some(unit));
        }
        (Dimension::Unit, Subject::Unit(unit)) => filter.unit = Some(unit),
        (_, Subject::Unit(unit)) => filter.team = Some(unit),
        (_, Subject::User(user)) => filter.user = Some(user),
        (_, Subject::Agent(agent)) => filter.agent = Some(agent),
        (_, Subject::Module(module)) => filter.module = Some(module),
        (_, Subject::Tool(tool)) => filter.tool = Some(tool),
        (_, Subject::Day(_) | Subject::None | Subject::Others) => return None,
    }
    Some(filter)
}

/// Let go of one thing.
pub(super) fn without(filter: &Filter, dimension: Dimension) -> Filter {
    let mut filter = filter.clone();
    match dimension {
        Dimension::Department => filter.department = None,
        Dimension::Unit => filter.unit = None,
        Dimension::Team => filter.team = None,
        Dimension::User => filter.user = None,
        Dimension::Agent => filter.agent = None,
        Dimension::Module => filter.module = None,
        Dimension::Tool => filter.tool = None,
        Dimension::Day | Dimension::Month => {}
    }
    filter
}

/// What something is called in a row or a chart.
pub(super) fn label(named: &Named, by: Dimension) -> String {
    match (named.subject, by) {
        (Subject::None, Dimension::Department) => "In no department".to_owned(),
        (Subject::None, Dimension::Module | Dimension::Tool) => "Tools that do not exist".to_owned(),
        (Subject::None, _) => "(none)".to_owned(),
        (Subject::Others, _) => "All others".to_owned(),
        (Subject::Day(day), Dimension::Month) => day.format("%B %Y").to_string(),
        (Subject::Day(day), _) => day.format("%a %-d %b %Y").to_string(),
        _ => named.name.clone(),
    }
}

/// The page of something, where it has one.
fn page(links: &Links, named: &Named) -> Option<String> {
    match named.subject {
        Subject::Unit(unit) => Some(links.unit(unit)),
        Subject::User(user) => Some(links.user(user)),
        Subject::Agent(agent) => Some(links.agent(agent)),
        Subject::Module(_) => named.key.as_deref().map(|key| links.module(key)),
        Subject::Tool(_) => named.name.split_once('.').map(|(module, tool)| links.tool(module, tool)),
        Subject::Day(_) | Subject::None | Subject::Others => None,
    }
}

/// A name that leads to its page.
pub(super) fn page_link(places: &Places, named: &Named) -> AnyView {
    match page(&places.links, named) {
        Some(href) => view! { <a href=href>{said(named, &named.name)}</a> }.into_any(),
        None => said(named, &named.name),
    }
}

fn said(named: &Named, label: &str) -> AnyView {
    match named.subject {
        Subject::Tool(_) => text::code(label).into_any(),
        _ => text::name(label).into_any(),
    }
}

/// The head of a row: leads further in, and beside it to the thing's own page.
fn head(places: &Places, query: &MoneyQuery, by: Dimension, named: &Named) -> AnyView {
    let label = label(named, by);
    let Some(further) = places.drill(query, by, named) else {
        return view! { <span class="absent">{label}</span> }.into_any();
    };
    // Among the units below it, the unit itself stands for those who sit in it.
    let itself = matches!(named.subject, Subject::Unit(unit) if by == Dimension::Unit && query.filter.unit == Some(unit));
    let itself = itself.then_some(" itself");
    let own = page(&places.links, named).map(|href| {
        let what = format!("Page of {}", text::one_line(&label, 80));
        view! {
            " "
            <a class="own-page" href=href title=what.clone()>
                <Icon name="arrow" />
                <span class="visually-hidden">{what.clone()}</span>
            </a>
        }
    });
    view! { <a href=further>{said(named, &label)}</a> {itself} {own} }.into_any()
}

/// How many, leading to them.
fn count(number: u64, href: Option<String>) -> AnyView {
    match href.filter(|_| number > 0) {
        Some(href) => view! { <a href=href>{wording::grouped(number)}</a> }.into_any(),
        None if number == 0 => view! { <span class="absent">"0"</span> }.into_any(),
        None => wording::grouped(number).into_any(),
    }
}

/// Rows by one dimension.
pub(super) fn table(
    places: &Places,
    shown: &Shown,
    query: &MoneyQuery,
    by: Dimension,
    answer: &Answer,
) -> AnyView {
    let currency = shown.currency;
    let (period, than) =
        (figure::period(shown.period, shown.today), figure::period(shown.before, shown.today));
    let what = query::label(by);
    let whole = answer.total.amount;
    let change = query.view == View::Change;
    let rows = answer
        .rows
        .iter()
        .filter_map(|row| {
            let named = first(row)?;
            let inner = with(&query.filter, by, named.subject);
            let calls = |verdict| inner.as_ref().map(|filter| places.calls(filter, shown.period, verdict));
            let middle = if change {
                view! { <td class="number" data-label="Before"><Figure amount=row.before.amount currency=currency /></td> }.into_any()
            } else {
                view! { <td class="number portion" data-label="Share">{figure::share(row.now.amount, whole)}</td> }.into_any()
            };
            Some(view! {
                <tr>
                    <th scope="row">{head(places, query, by, named)}</th>
                    <td class="number"><Figure amount=row.now.amount currency=currency /></td>
                    {middle}
                    <td class="number" data-label="Change"><Delta now=row.now.amount before=row.before.amount currency=currency than=than.clone() /></td>
                    <td class="number" data-label="Calls">{count(row.now.calls, calls(None))}</td>
                    <td class="number" data-label="Denied">{count(row.now.denied, calls(Some("deny")))}</td>
                    <td class="number" data-label="Failed">{count(row.now.failed, None)}</td>
                </tr>
            }
            .into_any())
        })
        .collect::<Vec<_>>();
    let middle = if change { format!("{than} ({currency})") } else { "Share".to_owned() };
    let caption = format!("Spend by {} in {period}, compared with {than}.", what.to_lowercase());
    let (all, all_before) = (answer.total, answer.total_before);
    let foot_middle = if change {
        view! { <td class="number" data-label="Before"><Figure amount=all_before.amount currency=currency /></td> }.into_any()
    } else {
        view! { <td class="number portion" data-label="Share">{figure::share(whole, whole)}</td> }.into_any()
    };
    let on = if answer.count as usize > answer.rows.len() {
        format!("All {}", wording::grouped(answer.count))
    } else {
        "All".to_owned()
    };
    let head = view! {
            <tr>
                <th scope="col">{what}</th>
                <th scope="col" class="number">{format!("{period} ({currency})")}</th>
                <th scope="col" class="number">{middle}</th>
                <th scope="col" class="number">{format!("Against {than}")}</th>
                <th scope="col" class="number">"Calls"</th>
                <th scope="col" class="number">"Denied"</th>
                <th scope="col" class="number">"Failed"</th>
            </tr>
    }
    .into_any();
    let foot = view! {
            <tr>
                <th scope="row">{on}</th>
                <td class="number"><Figure amount=all.amount currency=currency /></td>
                {foot_middle}
                <td class="number" data-label="Change"><Delta now=all.amount before=all_before.amount currency=currency than=than /></td>
                <td class="number" data-label="Calls">{wording::grouped(all.calls)}</td>
                <td class="number" data-label="Denied">{wording::grouped(all.denied)}</td>
                <td class="number" data-label="Failed">{wording::grouped(all.failed)}</td>
            </tr>
    }
    .into_any();
    view! {
        {shell("spend", caption, head, rows, foot)}
        {pages(places, query, answer.count)}
    }
    .into_any()
}

/// Rows by day or month.
pub(super) fn times(places: &Places, shown: &Shown, by: Dimension, answer: &Answer) -> AnyView {
    let currency = shown.currency;
    let period = figure::period(shown.period, shown.today);
    let rows = answer
        .rows
        .iter()
        .filter_map(|row| {
            let named = first(row)?;
            let Subject::Day(day) = named.subject else { return None };
            let calls = |verdict| Some(places.calls(&places.query.filter, span(by, day)?, verdict));
            let href = places.drill_time(by, day);
            Some(
                view! {
                    <tr>
                        <th scope="row"><a href=href>{label(named, by)}</a></th>
                        <td class="number"><Figure amount=row.now.amount currency=currency /></td>
                        <td class="number portion" data-label="Share">{figure::share(row.now.amount, answer.total.amount)}</td>
                        <td class="number" data-label="Calls">{count(row.now.calls, calls(None))}</td>
                        <td class="number" data-label="Denied">{count(row.now.denied, calls(Some("deny")))}</td>
                        <td class="number" data-label="Failed">{count(row.now.failed, None)}</td>
                    </tr>
                }
                .into_any(),
            )
        })
        .collect::<Vec<_>>();
    let caption = format!("Spend by {} in {period}. Days in UTC.", query::label(by).to_lowercase());
    let all = answer.total;
    let head = view! {
            <tr>
                <th scope="col">{query::label(by)}</th>
                <th scope="col" class="number">{format!("Spend ({currency})")}</th>
                <th scope="col" class="number">"Share"</th>
                <th scope="col" class="number">"Calls"</th>
                <th scope="col" class="number">"Denied"</th>
                <th scope="col" class="number">"Failed"</th>
            </tr>
    }
    .into_any();
    let foot = view! {
            <tr>
                <th scope="row">"All"</th>
                <td class="number"><Figure amount=all.amount currency=currency /></td>
                <td class="number portion" data-label="Share">{figure::share(all.amount, all.amount)}</td>
                <td class="number" data-label="Calls">{wording::grouped(all.calls)}</td>
                <td class="number" data-label="Denied">{wording::grouped(all.denied)}</td>
                <td class="number" data-label="Failed">{wording::grouped(all.failed)}</td>
            </tr>
    }
    .into_any();
    shell("spend", caption, head, rows, foot)
}

/// The columns of a table of two dimensions: those with one of their own and, where there are more, all others together.
pub(super) fn columns(cross: &Cross) -> Vec<Named> {
    let mut columns: Vec<Named> = cross.columns.rows.iter().filter_map(first).cloned().collect();
    if cross.columns.count as usize > columns.len() {
        columns.push(Named { subject: Subject::Others, name: String::new(), key: None });
    }
    columns
}

/// What a row and a column have in common.
pub(super) fn cell<'a>(cross: &'a Cross, row: &Named, column: &Named) -> Option<&'a Row> {
    cross.cells.iter().find(|cell| {
        matches!(cell.about.as_slice(), [one, two] if one.subject == row.subject && two.subject == column.subject)
    })
}

/// Rows by one dimension, columns by another. What is darker costs more.
pub(super) fn cross(
    places: &Places,
    shown: &Shown,
    query: &MoneyQuery,
    (by, beside): (Dimension, Dimension),
    cross: &Cross,
) -> AnyView {
    let currency = shown.currency;
    let period = figure::period(shown.period, shown.today);
    let columns = columns(cross);
    let most = cross.cells.iter().map(|cell| cell.now.amount).max().unwrap_or_default();
    let heads = columns
        .iter()
        .map(|column| {
            let href = places.drill(query, beside, column);
            let name = label(column, beside);
            let inside = match href {
                Some(href) => view! { <a href=href>{said(column, &name)}</a> }.into_any(),
                None => view! { <span class="absent">{name}</span> }.into_any(),
            };
            view! { <th scope="col" class="number">{inside}</th> }.into_any()
        })
        .collect::<Vec<_>>();
    let rows = cross
        .rows
        .rows
        .iter()
        .filter_map(|row| {
            let named = first(row)?;
            let inner = with(&query.filter, by, named.subject);
            let cells = columns
                .iter()
                .map(|column| {
                    let Some(cell) = cell(cross, named, column) else {
                        return view! { <td class="number"><span class="absent">"–"</span></td> }.into_any();
                    };
                    // The calls of both.
                    let both = inner.as_ref().and_then(|inner| with(inner, beside, column.subject));
                    let href = both.map(|filter| places.calls(&filter, shown.period, None));
                    let figure = view! { <Figure amount=cell.now.amount currency=currency /> };
                    let inside = match href {
                        Some(href) if cell.now.calls > 0 => view! { <a href=href>{figure}</a> }.into_any(),
                        _ => figure.into_any(),
                    };
                    view! { <td class="number" data-heat=heat(cell.now.amount, most)>{inside}</td> }
                        .into_any()
                })
                .collect::<Vec<_>>();
            Some(
                view! {
                    <tr>
                        <th scope="row">{head(places, query, by, named)}</th>
                        {cells}
                        <td class="number sum"><Figure amount=row.now.amount currency=currency /></td>
                    </tr>
                }
                .into_any(),
            )
        })
        .collect::<Vec<_>>();
    let shown_columns: Decimal = cross.columns.rows.iter().map(|row| row.now.amount).sum();
    let total = cross.rows.total.amount;
    let feet = columns
        .iter()
        .map(|column| {
            let known = cross
                .columns
                .rows
                .iter()
                .find(|row| first(row).is_some_and(|it| it.subject == column.subject));
            let amount = known.map_or(total - shown_columns, |row| row.now.amount);
            view! { <td class="number"><Figure amount=amount currency=currency /></td> }
        })
        .collect::<Vec<_>>();
    let (one, two) = (query::label(by), query::label(beside));
    let caption = format!(
        "Spend in {period} by {} and {}, in {currency}. A figure leads to its calls.",
        one.to_lowercase(),
        two.to_lowercase()
    );
    let head = view! {
            <tr>
                <th scope="col">{one}</th>
                {heads}
                <th scope="col" class="number">"All"</th>
            </tr>
    }
    .into_any();
    let foot = view! {
            <tr>
                <th scope="row">"All"</th>
                {feet}
                <td class="number sum"><Figure amount=total currency=currency /></td>
            </tr>
    }
    .into_any();
    view! {
        {shell("spend cross", caption, head, rows, foot)}
        {pages(places, query, cross.rows.count)}
    }
    .into_any()
}

/// What every table stands in: it scrolls by itself where there is no room.
fn shell(kind: &'static str, caption: String, head: AnyView, rows: Vec<AnyView>, foot: AnyView) -> AnyView {
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=caption.clone()>
            <table class=kind>
                <caption>{caption.clone()}</caption>
                <thead>{head}</thead>
                <tbody>{rows}</tbody>
                <tfoot>{foot}</tfoot>
            </table>
        </div>
    }
    .into_any()
}

/// How much of the most a cell is, in five steps.
fn heat(amount: Decimal, most: Decimal) -> Option<&'static str> {
    match figure::fraction(amount, most) {
        part if part <= 0.0 => None,
        part if part < 0.1 => Some("1"),
        part if part < 0.3 => Some("2"),
        part if part < 0.6 => Some("3"),
        _ => Some("4"),
    }
}

/// The pages of a long table.
fn pages(places: &Places, query: &MoneyQuery, count: u64) -> Option<AnyView> {
    let last = u32::try_from(count.div_ceil(u64::from(PAGE))).unwrap_or(u32::MAX).max(1);
    if last == 1 {
        return None;
    }
    let to = |page: u32| places.here(&query.at(page));
    let before = (query.page > 1)
        .then(|| view! { <a class="button" href=to(query.page - 1) rel="prev"><Icon name="previous" />"Previous"</a> });
    let after = (query.page < last).then(
        || view! { <a class="button" href=to(query.page + 1) rel="next">"Next"<Icon name="next" /></a> },
    );
    let said = format!("Page {} of {}", wording::grouped(query.page.into()), wording::grouped(last.into()));
    Some(
        view! {
            <nav class="pages" aria-label="Pages of the table">
                <span class="note">{said}</span>
                {before}
                {after}
            </nav>
        }
        .into_any(),
    )
}

//! Money and My usage: what calls cost, one question to a view. The same page twice: of everybody whose cost one may see, and
//! of oneself.

pub mod chart;
pub mod figure;
pub mod file;
mod ledger;
pub mod query;

use chrono::NaiveDate;
use control::money::{Answer, Cross, Dimension, Filter, Named, Period, Row, Subject, Whose};
use leptos::prelude::*;
use model::Currency;

use self::chart::{Bar, Bars, Columns};
use self::figure::{Delta, Figure};
use self::ledger::Places;
use self::query::{MoneyQuery, Read, Span, View};
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::Place;
use crate::pieces::field::{ErrorSummary, Field, FieldError, error_of};
use crate::pieces::head::PageHead;
use crate::wording;

/// Rows on one page of a table.
pub const PAGE: u16 = 50;
/// Columns of a table of two dimensions, beside all others.
pub const ACROSS: u16 = 6;
/// Bars of a chart: the first rows.
const BARS: usize = 12;

/// What a page shows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Whose calls.
    pub whose: Whose,
    /// The present day, in UTC.
    pub today: NaiveDate,
    /// The period.
    pub period: Period,
    /// What it is compared with.
    pub before: Period,
    /// The currency of every amount.
    pub currency: Currency,
    /// Those that calls were priced in.
    pub currencies: Vec<Currency>,
    /// What it is narrowed to, by name.
    pub filters: Vec<(Dimension, Named)>,
    /// All of it in one sum.
    pub total: Answer,
    /// Told apart.
    pub content: Content,
}

/// Spend told apart.
#[derive(Clone, Debug)]
pub enum Content {
    /// By one dimension.
    Rows(Dimension, Answer),
    /// By two.
    Cross(Dimension, Dimension, Cross),
    /// Not at all: something was wrong with what was asked for.
    Nothing,
}

/// The page.
pub fn page(visit: &Visit, read: Read, shown: Shown) -> String {
    let mine = shown.whose == Whose::Mine;
    let (title, lead) = match mine {
        true => ("My usage", "What calls of your agents cost, and calls that agents made on your behalf."),
        false => ("Money", "What tool calls cost: who spends, on what, and what has changed."),
    };
    let place = match mine {
        false => Place::Money,
        true if visit.places.contains(&Place::Usage) => Place::Usage,
        true => Place::Elsewhere,
    };
    document::page(visit, place, title, vec![Crumb::here(title)], false, || {
        let places = Places::of(visit, &shown, &read.query);
        let wrong = !read.errors.is_empty();
        let file = (!wrong).then(|| places.file());
        let content = if wrong {
            view! { <p class="absent">"Nothing is added up until the filters are right."</p> }.into_any()
        } else {
            content(&places, &shown, &read.query)
        };
        view! {
            <ErrorSummary errors=read.errors.clone() />
            <PageHead title=title.into_any() lead=lead.into_any()>
                {file.map(|href| view! { <a class="button" href=href><Icon name="download" />"CSV"</a> })}
            </PageHead>
            {tabs(&places, &read.query)}
            {filters(&places, &shown, &read.query, &read.errors)}
            {chips(&places, &shown, &read.query)}
            {content}
        }
    })
}

fn tabs(places: &Places, query: &MoneyQuery) -> AnyView {
    let tabs = View::ALL
        .iter()
        .map(|view| {
            let here = (*view == query.view).then_some("page");
            view! { <a href=places.here(&query.view(*view)) aria-current=here>{view.label()}</a> }
        })
        .collect::<Vec<_>>();
    view! { <nav class="tabs money-tabs" aria-label="Questions">{tabs}</nav> }.into_any()
}

/// Period and dimensions: a plain form that writes the URL.
fn filters(places: &Places, shown: &Shown, query: &MoneyQuery, errors: &[FieldError]) -> AnyView {
    let whose = shown.whose;
    let error = |field: &str| error_of(errors, field);
    let described = |field: &str| error(field).map(|_| format!("{field}-error"));
    let (from_described, to_described) = (described("from"), described("to"));
    // What the dates say while another period is chosen: that period.
    let (from, to) = match query.span {
        Span::Custom => (query.from, query.to),
        _ => (Some(shown.period.from), Some(shown.period.last())),
    };
    let spans = Span::ALL.iter().map(|span| (span.word().to_owned(), span.label().to_owned())).collect();
    let there = query.view.dimensions(whose);
    let dimensions =
        || there.iter().map(|it| (it.word().to_owned(), query::label(*it).to_owned())).collect::<Vec<_>>();
    let (by, span) = (query.by(whose), query.span.word());
    let by_choices = dimensions();
    let beside = (query.view == View::Cross).then(|| {
        let others = dimensions().into_iter().filter(|(word, _)| word != by.word()).collect();
        let chosen = query.beside(whose).word();
        view! { <Field name="beside" label="Beside" error=error("beside")>{select("beside", others, chosen)}</Field> }
    });
    let currency = (shown.currencies.len() > 1).then(|| {
        let all = shown.currencies.iter().map(|it| (it.to_string(), it.to_string())).collect();
        let chosen = shown.currency.to_string();
        view! { <Field name="currency" label="Currency" error=error("currency")>{select("currency", all, &chosen)}</Field> }
    });
    // What a form does not ask for stays as it is.
    let whole = query.to_query();
    let kept = form_urlencoded::parse(whole.as_bytes())
        .into_owned()
        .filter(|(name, _)| {
            !["span", "from", "to", "by", "beside", "currency", "page"].contains(&name.as_str())
        })
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect::<Vec<_>>();
    view! {
        <form class="filters money-filters" method="get" action=places.start() aria-label="Choose the period">
            {kept}
            <Field name="span" label="Period (UTC)" error=error("span")>
                {select("span", spans, span)}
            </Field>
            <Field name="from" label="First day" error=error("from")>
                <input type="date" id="from" name="from" value=from.map(|day| day.to_string()) aria-describedby=from_described />
            </Field>
            <Field name="to" label="Last day" error=error("to")>
                <input type="date" id="to" name="to" value=to.map(|day| day.to_string()) aria-describedby=to_described />
            </Field>
            <Field name="by" label="By" error=error("by")>
                {select("by", by_choices, by.word())}
            </Field>
            {beside}
            {currency}
            <div class="filter-actions">
                <button type="submit" class="button">"Apply"</button>
            </div>
        </form>
    }
    .into_any()
}

fn select(name: &'static str, choices: Vec<(String, String)>, chosen: &str) -> AnyView {
    let options = choices
        .into_iter()
        .map(|(value, label)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{label}</option> }
        })
        .collect::<Vec<_>>();
    view! { <select id=name name=name>{options}</select> }.into_any()
}

/// What it is narrowed to, each with a way to let go of it.
fn chips(places: &Places, shown: &Shown, query: &MoneyQuery) -> Option<AnyView> {
    if query.filter == Filter::default() {
        return None;
    }
    let chips = shown
        .filters
        .iter()
        .map(|(dimension, named)| {
            let less = places.here(&query.within(ledger::without(&query.filter, *dimension)));
            let what = match dimension {
                Dimension::Unit => "In",
                other => query::label(*other),
            };
            view! {
                <li>
                    <span class="chip-what">{what}": "</span>
                    {ledger::page_link(places, named)}
                    <a class="chip-less" href=less>
                        <Icon name="deny" />
                        <span class="visually-hidden">"Any " {query::label(*dimension).to_lowercase()}</span>
                    </a>
                </li>
            }
        })
        .collect::<Vec<_>>();
    let all = places.here(&query.within(Filter::default()));
    view! {
        <ul class="chips" aria-label="Narrowed to">
            {chips}
            <li><a href=all>"Everything"</a></li>
        </ul>
    }
    .into_any()
    .into()
}

fn content(places: &Places, shown: &Shown, query: &MoneyQuery) -> AnyView {
    if shown.total.total.calls == 0 && shown.total.total_before.calls == 0 {
        return nothing(places, shown, query);
    }
    let free = shown.total.total.amount.is_zero() && shown.total.total.calls > 0;
    let free = free.then(|| {
        view! {
            <p class="notice">
                <Icon name="money" />
                <span>
                    "These calls cost nothing: none of their tools had a price. A price is set on a tool's page, in the "
                    <a href=places.links().catalog()>"Catalog"</a> "; calls that were made before keep theirs."
                </span>
            </p>
        }
    });
    let table = match &shown.content {
        Content::Rows(by @ (Dimension::Day | Dimension::Month), answer) => time(places, shown, *by, answer),
        Content::Rows(by, answer) => rows(places, shown, query, *by, answer),
        Content::Cross(by, beside, cross) => ledger::cross(places, shown, query, (*by, *beside), cross),
        Content::Nothing => ().into_any(),
    };
    view! {
        {headline(places, shown, query)}
        {free}
        {table}
    }
    .into_any()
}

/// All of it: the figure, how it changed, and how many calls that were.
fn headline(places: &Places, shown: &Shown, query: &MoneyQuery) -> AnyView {
    let (now, before) = (shown.total.total, shown.total.total_before);
    let period = figure::period(shown.period, shown.today);
    let than = figure::period(shown.before, shown.today);
    let calls = places.calls(&query.filter, shown.period, None);
    let denied = places.calls(&query.filter, shown.period, Some("deny"));
    view! {
        <dl class="sums">
            <div class="sums-main">
                <dt>"Spend, "{period}</dt>
                <dd>
                    <Figure amount=now.amount currency=shown.currency />
                    " " <span class="code">{shown.currency.to_string()}</span>
                </dd>
            </div>
            <div>
                <dt>"Against "{than.clone()}</dt>
                <dd><Delta now=now.amount before=before.amount currency=shown.currency than=than /></dd>
            </div>
            <div>
                <dt>"Calls"</dt>
                <dd><a href=calls>{wording::grouped(now.calls)}</a></dd>
            </div>
            <div>
                <dt>"Denied"</dt>
                <dd><a href=denied>{wording::grouped(now.denied)}</a></dd>
            </div>
            <div>
                <dt>"Failed"</dt>
                <dd>{wording::grouped(now.failed)}</dd>
            </div>
        </dl>
    }
    .into_any()
}

fn rows(places: &Places, shown: &Shown, query: &MoneyQuery, by: Dimension, answer: &Answer) -> AnyView {
    let change = query.view == View::Change;
    let bars = answer
        .rows
        .iter()
        .take(BARS)
        .filter_map(|row| {
            let named = row.about.first()?;
            Some(Bar {
                label: ledger::label(named, by),
                amount: row.now.amount,
                before: change.then_some(row.before.amount),
                href: places.drill(query, by, named),
            })
        })
        .collect::<Vec<_>>();
    let period = figure::period(shown.period, shown.today);
    let compared = change && bars.iter().any(|bar| bar.before.is_some_and(|before| !before.is_zero()));
    let axis = if compared {
        let before = figure::period(shown.before, shown.today);
        format!("{}: {period}; thin bars: {before}", shown.currency)
    } else {
        format!("{}, {period}", shown.currency)
    };
    let what = query::label(by).to_lowercase();
    let title = format!("Spend by {what}, {period}. The table below says the same.");
    let chart = (query.page == 1
        && bars.iter().any(|bar| !bar.amount.is_zero() || bar.before.is_some_and(|it| !it.is_zero())))
    .then(|| view! { <Bars bars=bars axis=axis title=title /> });
    view! {
        {chart}
        {ledger::table(places, shown, query, by, answer)}
    }
    .into_any()
}

fn time(places: &Places, shown: &Shown, by: Dimension, answer: &Answer) -> AnyView {
    let bars = answer
        .rows
        .iter()
        .filter_map(|row| {
            let named = row.about.first()?;
            let Subject::Day(day) = named.subject else { return None };
            let label = match by {
                Dimension::Month => day.format("%b %Y").to_string(),
                _ => figure::day(day, shown.today),
            };
            Some(Bar { label, amount: row.now.amount, before: None, href: places.drill_time(by, day) })
        })
        .collect::<Vec<_>>();
    let period = figure::period(shown.period, shown.today);
    let axis = format!("{}, {period}", shown.currency);
    let each = if by == Dimension::Month { "month" } else { "day" };
    let title = format!("Spend of each {each}, {period}. The table below says the same.");
    view! {
        <Columns bars=bars currency=shown.currency axis=axis title=title />
        {ledger::times(places, shown, by, answer)}
    }
    .into_any()
}

/// What there will be, and what to do.
fn nothing(places: &Places, shown: &Shown, query: &MoneyQuery) -> AnyView {
    let links = places.links();
    let period = figure::period(shown.period, shown.today);
    let narrowed = query.filter != Filter::default() || query.span != Span::ThisMonth;
    let wider = MoneyQuery { span: Span::Quarter, from: None, to: None, ..query.within(Filter::default()) };
    if narrowed {
        return view! {
            <section class="empty">
                <h2>"No calls in " {period}</h2>
                <p>"Nor in the period before. Choose a longer time, or let go of what it is narrowed to."</p>
                <p><a class="button" href=places.here(&wider)>"Everything of the last 90 days"</a></p>
            </section>
        }
        .into_any();
    }
    let first = match shown.whose {
        Whose::Everybodys => view! {
            <p>
                "Each tool can have a price for a call. Set it on the tool's page; from then on every call is charged to the agent, "
                "its owner or the person it acts for, its team and department, as they are at that moment."
            </p>
            <p><a class="button primary" href=links.catalog()>"Open the Catalog"</a></p>
        }
        .into_any(),
        Whose::Mine => view! {
            <p>
                "Calls of agents that you own will be here with what they cost, and calls that agents make on your behalf. "
                "Tool prices are set in the Catalog by owners and admins."
            </p>
            <p><a class="button" href=links.activity()>"Open Activity"</a></p>
        }
        .into_any(),
    };
    view! {
        <section class="empty">
            <h2>"No calls in " {period} " yet"</h2>
            {first}
        </section>
    }
    .into_any()
}

/// The sums of a row's first thing.
fn first(row: &Row) -> Option<&Named> {
    row.about.first()
}

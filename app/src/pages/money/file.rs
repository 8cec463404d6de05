//! Money as a file for a spreadsheet: what the tables show, with exact amounts and all rows.

use control::csv::{Cell, line};
use control::money::{Cross, Dimension, Named, Period, Row};
use model::Currency;
use rust_decimal::Decimal;

use super::ledger::{cell, columns, label};
use super::{first, query};

fn exact(amount: Decimal) -> String {
    amount.normalize().to_string()
}

/// A head: what it is called, the period, and the currency of its amounts.
fn head(what: &str, period: Period, currency: Currency) -> String {
    format!("{what} {} to {} ({currency})", period.from, period.last())
}

/// Rows by one dimension. Days and months are not compared.
pub fn rows<'a>(
    by: Dimension,
    rows: impl IntoIterator<Item = &'a Row>,
    period: Period,
    before: Option<Period>,
    currency: Currency,
) -> String {
    let mut out = String::new();
    let spend = head("Spend", period, currency);
    let compared = before.map(|before| head("Spend", before, currency));
    let heads = [query::label(by), &spend].into_iter().chain(compared.as_deref());
    line(&mut out, heads.chain(["Calls", "Permitted", "Denied", "Failed"]).map(Cell::Plain));
    for row in rows {
        let Some(named) = first(row) else { continue };
        let (name, now) = (name(named, by), row.now);
        let (amount, compared) = (exact(now.amount), before.map(|_| exact(row.before.amount)));
        let counts = [now.calls, now.permitted, now.denied, now.failed].map(|count| count.to_string());
        let cells = std::iter::once(Cell::Text(&name))
            .chain(std::iter::once(Cell::Plain(&amount)))
            .chain(compared.as_deref().map(Cell::Plain))
            .chain(counts.iter().map(|count| Cell::Plain(count)));
        line(&mut out, cells);
    }
    out
}

/// A day is written as machines read it.
fn name(named: &Named, by: Dimension) -> String {
    match named.subject {
        control::money::Subject::Day(day) if by == Dimension::Month => day.format("%Y-%m").to_string(),
        control::money::Subject::Day(day) => day.to_string(),
        _ => label(named, by),
    }
}

/// The head of a table of two dimensions.
pub fn cross_head(
    by: Dimension,
    beside: Dimension,
    cross: &Cross,
    period: Period,
    currency: Currency,
) -> String {
    let mut out = String::new();
    let names: Vec<String> = columns(cross).iter().map(|column| label(column, beside)).collect();
    let all = head("All", period, currency);
    let heads = std::iter::once(Cell::Plain(query::label(by)))
        .chain(names.iter().map(|name| Cell::Text(name)))
        .chain(std::iter::once(Cell::Plain(&all)));
    line(&mut out, heads);
    out
}

/// Its rows.
pub fn cross_rows(by: Dimension, cross: &Cross) -> String {
    let mut out = String::new();
    let columns = columns(cross);
    for row in &cross.rows.rows {
        let Some(named) = first(row) else { continue };
        let name = name(named, by);
        let amounts: Vec<String> = columns
            .iter()
            .map(|column| cell(cross, named, column).map_or("0".to_owned(), |cell| exact(cell.now.amount)))
            .chain([exact(row.now.amount)])
            .collect();
        line(
            &mut out,
            std::iter::once(Cell::Text(&name)).chain(amounts.iter().map(|amount| Cell::Plain(amount))),
        );
    }
    out
}

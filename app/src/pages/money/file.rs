//! Money as a file for a spreadsheet: what the tables show, with exact amounts and all rows.

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

/// Rows by one dimension, after their head. Days and months are not compared.
pub fn rows<'a>(
    by: Dimension,
    rows: impl IntoIterator<Item = &'a Row>,
    period: Period,
    before: Option<Period>,
    currency: Currency,
) -> Vec<Vec<String>> {
    let mut heads = vec![query::label(by).to_owned(), head("Spend", period, currency)];
    heads.extend(before.map(|before| head("Spend", before, currency)));
    heads.extend(["Calls", "Permitted", "Denied", "Failed"].map(str::to_owned));
    let rows = rows.into_iter().filter_map(|row| {
        let (named, now) = (first(row)?, row.now);
        let mut cells = vec![name(named, by), exact(now.amount)];
        cells.extend(before.map(|_| exact(row.before.amount)));
        cells.extend([now.calls, now.permitted, now.denied, now.failed].map(|count| count.to_string()));
        Some(cells)
    });
    std::iter::once(heads).chain(rows).collect()
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
) -> Vec<String> {
    let names = columns(cross).iter().map(|column| label(column, beside)).collect::<Vec<_>>();
    [vec![query::label(by).to_owned()], names, vec![head("All", period, currency)]].concat()
}

/// Its rows.
pub fn cross_rows(by: Dimension, cross: &Cross) -> Vec<Vec<String>> {
    let columns = columns(cross);
    let cells = |row: &Row| {
        let named = first(row)?;
        let amounts = columns
            .iter()
            .map(|column| cell(cross, named, column).map_or("0".to_owned(), |cell| exact(cell.now.amount)));
        Some(std::iter::once(name(named, by)).chain(amounts).chain([exact(row.now.amount)]).collect())
    };
    cross.rows.rows.iter().filter_map(cells).collect()
}

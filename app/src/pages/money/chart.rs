//! Charts as SVG from the server. Lengths are in percent of the width and text is not scaled, so that they can be read at any
//! width. What a chart shows, a table says again: bars are links to what the table's rows lead to.

use leptos::prelude::*;
use model::Currency;
use rust_decimal::Decimal;

use super::figure;
use crate::text;

/// How far bars go at most, in percent of the width: beyond stands what they come to.
const REACH: f64 = 74.0;
/// Height of one bar with its label.
const STEP: f64 = 44.0;
/// Height of the plot of columns.
const TALL: f64 = 150.0;
/// Characters of a label.
const LABEL: usize = 38;

/// Something with its amount.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What it is called.
    pub label: String,
    /// What it came to.
    pub amount: Decimal,
    /// What it came to before, where that is compared.
    pub before: Option<Decimal>,
    /// What it leads to.
    pub href: Option<String>,
}

fn percent(number: f64) -> String {
    format!("{number:.2}%")
}

/// `said`: what it is called where it does not say that itself.
fn link(href: Option<String>, said: Option<String>, inside: AnyView) -> AnyView {
    match href {
        Some(href) => view! { <a href=href aria-label=said>{inside}</a> }.into_any(),
        None => view! { <g>{inside}</g> }.into_any(),
    }
}

/// Horizontal bars, each with its label above and its amount beside it.
#[component]
pub fn Bars(
    /// What is shown, the first on top.
    bars: Vec<Bar>,
    /// What the axis measures, in words.
    axis: String,
    /// What the chart shows, for those who do not see it.
    title: String,
) -> impl IntoView {
    let most = bars.iter().flat_map(|bar| [Some(bar.amount), bar.before]).flatten().max().unwrap_or_default();
    let end = figure::round_up(most);
    let height = STEP * bars.len() as f64 + 40.0;
    let floor = height - 36.0;
    let ticks = [0u8, 1, 2]
        .map(|half| {
            let at = percent(REACH * f64::from(half) / 2.0);
            let value = end * Decimal::new(i64::from(half) * 5, 1);
            let anchor = if half == 0 { "start" } else { "middle" };
            view! {
                <line class="grid" x1=at.clone() x2=at.clone() y1="0" y2=floor.to_string() />
                <text class="tick" x=at y=(floor + 16.0).to_string() text-anchor=anchor>
                    {figure::amount(value)}
                </text>
            }
        })
        .into_iter()
        .collect::<Vec<_>>();
    let shown = bars
        .into_iter()
        .enumerate()
        .map(|(at, bar)| {
            let top = STEP * at as f64;
            let long = REACH * figure::fraction(bar.amount, end);
            let before = bar.before.map(|before| {
                let long = REACH * figure::fraction(before, end);
                view! {
                    <rect class="bar-before" x="0" y=(top + 35.0).to_string() width=percent(long) height="4" />
                }
            });
            let label = text::one_line(&bar.label, LABEL);
            let inside = view! {
                <text class="bar-label" x="0" y=(top + 15.0).to_string()>{label}" "</text>
                <rect class="bar" x="0" y=(top + 21.0).to_string() width=percent(long) height="14" rx="2" />
                {before}
                <text class="bar-value" x=percent(long) dx="8" y=(top + 32.5).to_string()>
                    {figure::amount(bar.amount)}
                </text>
            }
            .into_any();
            link(bar.href, None, inside)
        })
        .collect::<Vec<_>>();
    view! {
        <figure class="chart">
            <svg class="bars" width="100%" height=height.to_string() role="group" aria-label=title>
                {ticks}
                {shown}
                <text class="axis" x="0" y=(height - 3.0).to_string()>{axis}</text>
            </svg>
        </figure>
    }
}

/// Columns along time, the amount of the highest above it.
#[component]
pub fn Columns(
    /// What is shown, in the order of time.
    bars: Vec<Bar>,
    /// Of what the amounts are.
    currency: Currency,
    /// What the axis measures, in words.
    axis: String,
    /// What the chart shows, for those who do not see it.
    title: String,
) -> impl IntoView {
    let most = bars.iter().map(|bar| bar.amount).max().unwrap_or_default();
    let end = figure::round_up(most);
    let (top, floor) = (22.0, 22.0 + TALL);
    let count = bars.len().max(1) as f64;
    let every = bars.len().div_ceil(6).max(1);
    let highest = bars.iter().position(|bar| bar.amount == most && !most.is_zero());
    let ticks = [0u8, 1, 2]
        .map(|half| {
            let at = floor - TALL * f64::from(half) / 2.0;
            let value = end * Decimal::new(i64::from(half) * 5, 1);
            view! {
                <line class="grid" x1="0" x2="100%" y1=at.to_string() y2=at.to_string() />
                <text class="tick" x="0" y=(at - 4.0).to_string()>{figure::amount(value)}</text>
            }
        })
        .into_iter()
        .collect::<Vec<_>>();
    // The amounts along the axis stand to the left of the first column.
    let (left, width) = (11.0, 89.0);
    let shown = bars
        .into_iter()
        .enumerate()
        .map(|(at, bar)| {
            let x = left + width * at as f64 / count;
            let middle = x + width * 0.4 / count;
            let tall = TALL * figure::fraction(bar.amount, end);
            let said = format!("{}: {} {currency}", bar.label, figure::amount(bar.amount));
            let label = (at % every == 0).then(|| {
                view! { <text class="tick" x=percent(x) y=(floor + 16.0).to_string()>{bar.label.clone()}</text> }
            });
            let value = (highest == Some(at)).then(|| {
                let anchor = if middle > 70.0 { "end" } else { "start" };
                view! {
                    <text class="bar-value" x=percent(middle) y=(floor - tall - 5.0).to_string() text-anchor=anchor>
                        {figure::amount(bar.amount)}
                    </text>
                }
            });
            // All of the height leads there, also where the column is low.
            let inside = view! {
                <rect class="room" x=percent(x) y=top.to_string() width=percent(width / count) height=TALL.to_string() />
                <rect
                    class="bar"
                    x=percent(x)
                    y=(floor - tall).to_string()
                    width=percent(width * 0.8 / count)
                    height=tall.to_string()
                />
                <title>{said.clone()}</title>
            }
            .into_any();
            view! {
                {link(bar.href, Some(said), inside)}
                {value}
                {label}
            }
        })
        .collect::<Vec<_>>();
    view! {
        <figure class="chart">
            <svg class="columns" width="100%" height=(floor + 40.0).to_string() role="group" aria-label=title>
                {ticks}
                {shown}
                <text class="axis" x="0" y=(floor + 36.0).to_string()>{axis}</text>
            </svg>
        </figure>
    }
}

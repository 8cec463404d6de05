//! The last hour in figures and a line of bars, as the page has it and as the live stream sends it.

use control::home::Now;
use leptos::prelude::*;

use crate::document;
use crate::links::Links;
use crate::wording::{self, Clock};
use crate::{icon::Icon, text};

/// Height of the bars, in their own units.
const HEIGHT: u32 = 40;
/// Room of one bar and its gap.
const STEP: u32 = 8;

/// The figures as HTML, for the live stream.
pub fn html(now: &Now, links: &Links, clock: Clock) -> String {
    document::fragment(|| figures(now, links, clock))
}

pub(super) fn figures(now: &Now, links: &Links, clock: Clock) -> impl IntoView + use<> {
    let hour = links.activity_with("span=1h");
    let denied = links.activity_with("span=1h&verdict=deny");
    let held = links.activity_with("span=1h&verdict=hold");
    let since = if now.until.signed_duration_since(now.since).num_minutes() < 59 {
        format!("Since {}: there were more calls in this hour than are counted here.", clock.time(now.since))
    } else {
        "In the last 60 minutes.".to_owned()
    };
    let slowest = match &now.slowest {
        Some(slowest) => view! {
            <a href=links.module(&slowest.module)>{text::name(&slowest.title)}</a>
            " "
            <span class="figure" title=wording::microseconds(slowest.median_us)>
                {wording::duration(slowest.median_us)}
            </span>
        }
        .into_any(),
        None => view! { <span class="absent">"none answered"</span> }.into_any(),
    };
    let most = now.minutes.iter().map(|minute| minute.calls).max().unwrap_or(0);
    let highest = (most > 0).then(|| {
        let calls = if most == 1 { "call" } else { "calls" };
        view! { <span>{format!("Highest bar: {} {calls} in a minute", wording::grouped(u64::from(most)))}</span> }
    });
    // What red is, said in words.
    let red = (now.denied > 0).then(|| view! { " " <span class="minutes-denied">"Denied in red."</span> });
    let count = |count: u32| wording::grouped(u64::from(count));
    view! {
        <dl class="figures">
            <div>
                <dt>"Calls a minute"</dt>
                <dd>{per_minute(now.per_minute())}</dd>
            </div>
            <div>
                <dt>"Calls"</dt>
                <dd><a href=hour>{count(now.calls)}</a></dd>
            </div>
            <div data-tone=(now.denied > 0).then_some("deny")>
                <dt><Icon name="deny" />"Denied"</dt>
                <dd><a href=denied>{count(now.denied)}</a></dd>
            </div>
            <div data-tone=(now.held > 0).then_some("hold")>
                <dt><Icon name="hold" />"Held"</dt>
                <dd><a href=held>{count(now.held)}</a></dd>
            </div>
            <div data-tone=(now.failed > 0).then_some("fault")>
                <dt><Icon name="alert" />"Failed"</dt>
                <dd>{count(now.failed)}</dd>
            </div>
            <div>
                <dt>"Running"</dt>
                <dd>{count(now.running)}</dd>
            </div>
            <div class="wide">
                <dt>"Slowest module, median"</dt>
                <dd>{slowest}</dd>
            </div>
        </dl>
        {bars(now, clock)}
        <p class="note minutes-scale">
            <span>{since} {red}</span>
            {highest}
        </p>
    }
}

/// Figures that matter, not more.
fn per_minute(rate: f64) -> String {
    match rate {
        rate if rate >= 9.95 => wording::grouped(rate.round() as u64),
        0.0 => "0".to_owned(),
        rate => format!("{rate:.1}"),
    }
}

/// A bar for each minute; the part of it that was denied stands below.
fn bars(now: &Now, clock: Clock) -> impl IntoView + use<> {
    let most = now.minutes.iter().map(|minute| minute.calls).max().unwrap_or(0);
    let peak = now.minutes.iter().rev().find(|minute| most > 0 && minute.calls == most);
    let label = match peak {
        Some(peak) => format!(
            "Calls by minute: {} in all, at most {} in one minute, at {}.",
            wording::grouped(u64::from(now.calls)),
            wording::grouped(u64::from(most)),
            clock.time(peak.at)
        ),
        None => "Calls by minute: none.".to_owned(),
    };
    let scaled = |calls: u32| {
        let height = u64::from(calls) * u64::from(HEIGHT) / u64::from(most.max(1));
        // One call among thousands is to be seen too.
        u32::try_from(height).unwrap_or(HEIGHT).max(u32::from(calls > 0) * 2)
    };
    let rects = now
        .minutes
        .iter()
        .enumerate()
        .filter(|(_, minute)| minute.calls > 0)
        .map(|(at, minute)| {
            let x = u32::try_from(at).unwrap_or(0) * STEP;
            let (all, denied) = (scaled(minute.calls), scaled(minute.denied));
            let title =
                format!("{}: {} calls, {} denied", clock.time(minute.at), minute.calls, minute.denied);
            let rect = |class: &'static str, height: u32| {
                view! {
                    <rect
                        class=class
                        x=x.to_string()
                        y=(HEIGHT - height).to_string()
                        width=(STEP - 2).to_string()
                        height=height.to_string()
                    ></rect>
                }
            };
            view! {
                <g>
                    <title>{title}</title>
                    {rect("bar-all", all)}
                    {(denied > 0).then(|| rect("bar-denied", denied))}
                </g>
            }
        })
        .collect::<Vec<_>>();
    let width = STEP * u32::try_from(now.minutes.len().max(61)).unwrap_or(61);
    view! {
        <svg
            class="minutes"
            role="img"
            aria-label=label
            viewBox=format!("0 0 {width} {HEIGHT}")
            preserveAspectRatio="none"
        >
            {rects}
        </svg>
    }
}

//! The story of a protocol session: its calls in their order, with the pauses between them.

use chrono::TimeDelta;
use control::activity::{Session, SessionHead};
use leptos::prelude::*;
use model::call::{CallRow, Verdict};

use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::{Links, Place};
use crate::pieces::call_row::{Amount, Moment, Reader, Sum};
use crate::pieces::sign::{Badge, State};
use crate::wording::Clock;
use crate::{text, wording};

/// A pause that is told.
const PAUSE: TimeDelta = TimeDelta::seconds(10);

/// The page.
pub fn page(visit: &Visit, session: Session) -> String {
    let links = visit.links();
    let short = text::one_line(&session.head.session, 13);
    let crumbs = vec![Crumb::to("Activity", links.activity()), Crumb::here(format!("Session {short}"))];
    document::page(visit, Place::Activity, &format!("Session {short}"), crumbs, false, || {
        let Session { head, rows, earlier, later } = session;
        let (clock, reader) = (visit.clock(), visit.reader());
        let begin = links.session(&head.session);
        let on = rows.last().filter(|_| later).map(|row| links.session_after(&head.session, row.id));
        let steps = story(&rows, &links, clock);
        let query =
            crate::pages::filter::ActivityQuery { session: Some(head.session.clone()), ..Default::default() };
        let (list, file) = (links.activity_with(&query.to_query()), links.export(&query.to_query()));
        view! {
            <header class="page-head">
                <div>
                    <h1>"Session"</h1>
                    <p class="lead">"What one client did in one go, call by call, in the order in which it asked."</p>
                </div>
                <div class="actions">
                    <a class="button" href=list>
                        "As a list"
                    </a>
                    <a class="button" href=file download="">
                        <Icon name="download" />
                        "CSV"
                    </a>
                </div>
            </header>
            {told(&head, &links, clock, reader).into_any()}
            {earlier.then(|| view! { <p class="pages"><a class="button" href=begin>"From the beginning"</a></p> })}
            <ol class="story" aria-label="Calls, the first first">
                {steps}
            </ol>
            {on.map(|href| {
                view! {
                    <nav class="pages" aria-label="Pages of the session">
                        <a class="button" href=href rel="next">
                            "What came then"
                            <Icon name="next" />
                        </a>
                    </nav>
                }
            })}
        }
    })
}

/// Who, with what, from when to when, how much.
fn told(head: &SessionHead, links: &Links, clock: Clock, reader: Reader) -> impl IntoView + use<> {
    let agents = head
        .agents
        .iter()
        .enumerate()
        .map(|(at, (id, name))| {
            let href = if reader.people { links.agent(*id) } else { links.calls_of(*id) };
            view! { {(at > 0).then_some(", ")} <a href=href>{text::name(name)}</a> }
        })
        .collect::<Vec<_>>();
    let client =
        head.client.as_deref().map(|client| view! { <dt>"Client"</dt><dd>{text::name(client)}</dd> });
    let protocol =
        head.protocol.as_deref().map(|it| view! { <dt>"Protocol"</dt><dd>"MCP " {text::name(it)}</dd> });
    let address = head.address.as_deref().map(|it| view! { <dt>"From"</dt><dd>{text::code(it)}</dd> });
    let counted =
        |count: u64, what: &str| (count > 0).then(|| format!(", {} {what}", wording::grouped(count)));
    let calls = format!(
        "{}{}{}",
        wording::grouped(head.calls),
        counted(head.denied, "denied").unwrap_or_default(),
        counted(head.failed, "not answered well").unwrap_or_default(),
    );
    let charges = head
        .charges
        .iter()
        .enumerate()
        .map(|(at, money)| view! { {(at > 0).then_some(" + ")} <Sum money=*money /> })
        .collect::<Vec<_>>();
    let charges = (!charges.is_empty()).then(|| view! { <dt>"Charge"</dt><dd class="figure">{charges}</dd> });
    let lasted = head.last.signed_duration_since(head.first).num_microseconds().filter(|us| *us > 0);
    let lasted = lasted.map(|us| format!(", over {}", wording::duration(us)));
    let whole = text::one_line(&head.session, 400);
    view! {
        <dl class="session-facts">
            <dt>"Agent"</dt>
            <dd>{agents}</dd>
            <dt>"Person"</dt>
            <dd>{text::name(&head.person)}</dd>
            {client}
            {protocol}
            {address}
            <dt>"Began"</dt>
            <dd>
                <Moment at=head.first clock=clock />
                {lasted}
            </dd>
            <dt>"Calls"</dt>
            <dd class="figure">{calls}</dd>
            {charges}
            <dt>"Session"</dt>
            <dd>
                <code class="whole">
                    <bdi>{whole}</bdi>
                </code>
            </dd>
        </dl>
    }
}

fn story(rows: &[CallRow], links: &Links, clock: Clock) -> Vec<AnyView> {
    let mut steps = Vec::new();
    let mut before = None;
    for row in rows {
        if let Some(before) = before {
            let pause = row.received_at.signed_duration_since(before);
            if let Some(us) = pause.num_microseconds().filter(|_| pause >= PAUSE) {
                steps.push(
                    view! { <li class="pause"><Icon name="clock" />{wording::duration(us)} " later"</li> }
                        .into_any(),
                );
            }
        }
        before = Some(row.received_at);
        steps.push(step(row, links, clock));
    }
    steps
}

fn step(row: &CallRow, links: &Links, clock: Clock) -> AnyView {
    let reason = row.reason.as_ref().filter(|_| row.verdict != Verdict::Permit).map(|reason| {
        view! { <p class="reason">{text::prose(&wording::short_reason(reason), 600)}</p> }
    });
    let figures = row.duration_us.map(|us| {
        view! { <span class="figure" title=wording::microseconds(us)>{wording::duration(us)}</span> }
    });
    view! {
        <li data-tone=wording::verdict(row.verdict).tone.word()>
            <Moment at=row.received_at clock=clock />
            <a class="story-tool" href=links.call(row.id)>
                {text::code(&row.tool_name)}
            </a>
            <Badge sign=wording::verdict(row.verdict) />
            <State sign=wording::ending(row) />
            {figures}
            {row.charge.map(|money| view! { <Amount money=money /> })}
            {reason}
        </li>
    }
    .into_any()
}

//! The call row: time · who · tool · decision with its reason · outcome · duration · charge. The same everywhere,
//! also in the live stream, which sends rows that this component rendered.

use leptos::prelude::*;
use model::call::{CallRow, Verdict};
use model::{AgentId, Money, Timestamp, UserId};

use crate::links::Links;
use crate::pages::money::figure;
use crate::pieces::sign::{Badge, State};
use crate::wording::Clock;
use crate::{text, wording};

/// Characters of a reason in a row; the call's page has the whole of it.
const REASON: usize = 600;

/// An instant in a list: the day, quieter, and the time to the second, in the reader's zone.
#[component]
pub fn Moment(
    /// When.
    at: Timestamp,
    /// The present, which decides whether the year is said, and the zone.
    clock: Clock,
) -> impl IntoView {
    view! {
        <time datetime=wording::instant(at) title=clock.exact(at)>
            <span class="day">{clock.day(at)}</span>
            " "
            <span class="clock">{clock.time(at)}</span>
        </time>
    }
}

/// An amount with its code; nothing at all is said quietly.
#[component]
pub fn Amount(
    /// How much.
    money: Money,
) -> impl IntoView {
    let exact = format!("{} {}", money.amount, money.currency);
    view! {
        <data class="amount" class:zero=money.amount.is_zero() value=money.amount.to_string() title=exact>
            {money.to_string()}
        </data>
    }
}

/// A sum to be read, in cents; exact on hover and for machines.
#[component]
pub fn Sum(
    /// How much.
    money: Money,
) -> impl IntoView {
    let exact = format!("{} {}", money.amount.normalize(), money.currency);
    view! {
        <data class="amount" class:zero=money.amount.is_zero() value=money.amount.normalize().to_string() title=exact>
            {format!("{} {}", figure::amount(money.amount), money.currency)}
        </data>
    }
}

/// Whose page it is, which decides what names lead to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reader {
    /// The person.
    pub user: UserId,
    /// Whether they may see people and units.
    pub people: bool,
}

impl Reader {
    /// Where an agent's name leads: to its page, or for those who may not see that, to its calls.
    pub fn agent(self, links: &Links, agent: AgentId, owner: UserId) -> String {
        if self.people || owner == self.user { links.agent(agent) } else { links.calls_of(agent) }
    }
}

/// One call as a row of a table.
#[component]
pub fn Row(
    /// The call.
    call: CallRow,
    /// Where its organization's pages are.
    links: Links,
    /// The present, in the reader's zone.
    clock: Clock,
    /// Whose page it is.
    reader: Reader,
) -> impl IntoView {
    let who = call.on_behalf_of_name.as_deref().unwrap_or(&call.owner_name);
    let person = if reader.people {
        view! { <a href=links.user(call.on_behalf_of.unwrap_or(call.owner))>{text::name(who)}</a> }.into_any()
    } else {
        text::name(who).into_any()
    };
    let unit = call.unit_name.as_deref().map(|name| {
        let name = match call.unit.filter(|_| reader.people) {
            Some(unit) => view! { <a href=links.unit(unit)>{text::name(name)}</a> }.into_any(),
            None => text::name(name).into_any(),
        };
        view! { <span class="unit">{name}</span> }
    });
    let relation = if call.on_behalf_of_name.is_some() { "on behalf of " } else { "of " };
    let reason = call.reason.as_ref().filter(|_| call.verdict != Verdict::Permit).map(|reason| {
        let whole = text::lines(&reason.sentence, REASON);
        view! { <p class="reason" title=whole>{text::prose(&wording::short_reason(reason), REASON)}</p> }
    });
    view! {
        <tr id=call.id.to_string() class="call" data-verdict=call.verdict.word()>
            <td class="call-time">
                <Moment at=call.received_at clock=clock />
            </td>
            <td class="call-who">
                <a class="agent" href=reader.agent(&links, call.agent, call.owner)>
                    {text::name(&call.agent_name)}
                </a>
                <span class="person">{relation} {person} {unit}</span>
            </td>
            <th scope="row" class="call-tool">
                <a href=links.call(call.id)>{tool(&call.tool_name)}</a>
            </th>
            <td class="call-decision">
                <Badge sign=wording::verdict(call.verdict) />
                {reason}
            </td>
            <td class="call-outcome">
                <State sign=wording::ending(&call) />
            </td>
            <td class="call-duration number">
                {call.duration_us.map(|us| view! { <span title=wording::microseconds(us)>{wording::duration(us)}</span> })}
            </td>
            <td class="call-charge number">{call.charge.map(|money| view! { <Amount money=money /> })}</td>
        </tr>
    }
}

/// A tool's name, which may break after its module.
fn tool(name: &str) -> AnyView {
    match name.split_once('.') {
        Some((module, tool)) if !tool.is_empty() => {
            let module = format!("{}.", text::one_line(module, 80));
            view! { <code><bdi>{module}</bdi><wbr /><bdi>{text::one_line(tool, 200)}</bdi></code> }.into_any()
        }
        _ => text::code(name).into_any(),
    }
}

/// A row as HTML, for the live stream.
pub fn html(call: CallRow, links: &Links, clock: Clock, reader: Reader) -> String {
    crate::document::fragment(|| view! { <Row call=call links=links.clone() clock=clock reader=reader /> })
}

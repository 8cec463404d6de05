//! The front page: what needs one, what happens now, what this month costs; and the first steps of a new organization.

use control::home::{FirstStep, FirstSteps, Needs, Now};
use leptos::prelude::*;
use model::Money;

use crate::document::{self, Visit};
use crate::icon::Icon;
use crate::islands::LiveNow;
use crate::links::{Links, Place};
use crate::pieces::call_row::Sum;
use crate::pieces::head::PageHead;
use crate::text;

mod needs;
pub mod now;

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What needs the reader.
    pub needs: Needs,
    /// The last hour.
    pub now: Now,
    /// This month's spend.
    pub month: Month,
    /// What is left of the first steps, where they are the reader's to do.
    pub steps: Option<FirstSteps>,
}

/// This month's spend, beside the same days of the month before.
#[derive(Clone, Debug)]
pub struct Month {
    /// Whether it is the organization's, or the reader's own.
    pub everybodys: bool,
    /// By department, the dearest first: what it is called, where it leads, this month, the month before.
    pub departments: Vec<(String, Option<String>, Money, Money)>,
    /// How many more departments there are.
    pub more: u64,
    /// All of it.
    pub total: Money,
    /// All of the month before, up to the same day.
    pub before: Money,
    /// What the month is called: `November`.
    pub name: String,
    /// What it is compared with: `1 to 22 October`.
    pub compared: String,
}

/// The page.
pub fn page(visit: &Visit, shown: Shown) -> String {
    document::page(visit, Place::Home, "Home", Vec::new(), true, || {
        let links = visit.links();
        let Shown { needs, now, month, steps } = shown;
        let steps = steps.map(|steps| first_steps(&links, &steps).into_any());
        let figures = now::figures(&now, &links, visit.clock()).into_any();
        view! {
            <PageHead title="Home".into_any() lead="What needs you, what happens now, what this month costs.".into_any() />
            {steps}
            <section class="band" aria-labelledby="needs-title">
                <h2 id="needs-title">"Needs you"</h2>
                {needs::list(visit, needs)}
            </section>
            <section class="band" aria-labelledby="now-title">
                <div class="band-head">
                    <h2 id="now-title">"Now"</h2>
                    <form class="refresh" method="get" action=links.home()>
                        <button type="submit" class="button plain">
                            "Refresh"
                        </button>
                    </form>
                </div>
                <LiveNow url=links.now()>
                    <div id="now">{figures}</div>
                </LiveNow>
            </section>
            <section class="band" aria-labelledby="month-title">
                <h2 id="month-title">{format!("This month: {}", month.name)}</h2>
                {spend(&links, month)}
            </section>
        }
    })
}

fn first_steps(links: &Links, steps: &FirstSteps) -> impl IntoView + use<> {
    let (done, all) = (steps.done(), steps.steps.len());
    let mut next = true;
    let rows = steps
        .steps
        .iter()
        .map(|(step, done)| {
            let (title, why, label, href) = said(*step, links);
            let action = (!done).then(|| {
                let class = if std::mem::replace(&mut next, false) { "button primary" } else { "button" };
                view! { <a class=class href=href>{label}</a> }
            });
            let state = if *done { "done" } else { "open" };
            let icon = if *done { "check" } else { "none" };
            view! {
                <li data-state=state>
                    <span class="step-mark">
                        <Icon name=icon />
                        <span class="visually-hidden">{if *done { "Done:" } else { "To do:" }}</span>
                    </span>
                    <div>
                        <strong>{title}</strong>
                        {(!done).then(|| view! { <p>{why}</p> })}
                    </div>
                    {action}
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="first-steps" aria-labelledby="steps-title">
            <div class="band-head">
                <h2 id="steps-title">"First steps"</h2>
                <p class="note">{format!("{done} of {all} done")}</p>
                <form method="post" action=links.hide_first_steps()>
                    <button type="submit" class="button plain">
                        "Hide"
                    </button>
                </form>
            </div>
            <progress max=all.to_string() value=done.to_string() aria-labelledby="steps-title">
                {format!("{done} of {all}")}
            </progress>
            <ol>{rows}</ol>
        </section>
    }
}

/// What a step is called, why it matters, and where it is done.
fn said(step: FirstStep, links: &Links) -> (&'static str, &'static str, &'static str, String) {
    match step {
        FirstStep::VerifyMail => ("Your mail address is proved", "", "", links.me()),
        FirstStep::AddModule => (
            "Add a module, or switch on the CRM",
            "A module is a service whose tools agents may use: an MCP server of yours, or the CRM that is built in.",
            "Add a module",
            links.new_module(),
        ),
        FirstStep::MakeUnit => (
            "Make a team or a department",
            "Departments and teams are what rights are given to and what costs are counted by.",
            "Make a team",
            links.new_unit(None),
        ),
        FirstStep::Invite => (
            "Invite somebody",
            "Each person has a role of their own; nobody has to share yours.",
            "Invite somebody",
            links.invite(),
        ),
        FirstStep::GiveKey => (
            "Give a permission key",
            "Until a unit, person or agent has the key of a module, no agent can use it.",
            "Give a key",
            links.new_grant(None, None),
        ),
        FirstStep::ConnectAgent => (
            "Make an agent and connect it",
            "It gets a key of its own, shown once, and the lines that connect it.",
            "Make an agent",
            links.new_agent(),
        ),
        FirstStep::SeeCall => (
            "See the first call",
            "Whatever the agent asks for appears in Activity, permitted or denied.",
            "Open Activity",
            links.activity(),
        ),
    }
}

fn spend(links: &Links, month: Month) -> AnyView {
    let (more, total, before) = (month.more, month.total, month.before);
    let most = month.departments.iter().map(|(_, _, now, _)| now.amount).max().unwrap_or_default();
    let href = if month.everybodys { links.money() } else { links.usage() };
    if total.amount.is_zero() && before.amount.is_zero() {
        let whose = if month.everybodys { "The organization’s calls" } else { "Your agents’ calls" };
        return view! {
            <p class="absent">
                {whose} " have cost nothing this month. Prices are set on a tool’s page; "
                <a href=href>"Money"</a> " tells what calls came to."
            </p>
        }
        .into_any();
    }
    let rows = month
        .departments
        .into_iter()
        .map(|(name, href, now, was)| {
            let name = match href {
                Some(href) => view! { <a href=href>{text::name(&name)}</a> }.into_any(),
                None => text::name(&name).into_any(),
            };
            view! {
                <tr>
                    <th scope="row">{name}</th>
                    <td class="bar">
                        <meter min="0" max=most.to_string() value=now.amount.to_string() aria-hidden="true"></meter>
                    </td>
                    <td class="number">
                        <Sum money=now />
                    </td>
                    <td class="number">
                        <Sum money=was />
                    </td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    let table = (!rows.is_empty()).then(|| {
        view! {
            <table class="month">
                <caption class="visually-hidden">"Spend by department, the dearest first"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Department"</th>
                        <td></td>
                        <th scope="col" class="number">
                            {month.name}
                        </th>
                        <th scope="col" class="number">
                            {month.compared.clone()}
                        </th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        }
    });
    let label = if month.everybodys { "All of it in Money" } else { "My usage" };
    let others = (more > 0).then(|| format!(", in {more} more departments too"));
    view! {
        <p class="month-total">
            <Sum money=total />
            <span>" so far; " <Sum money=before /> " from " {month.compared} {others} "."</span>
        </p>
        {table}
        <p>
            <a class="button" href=href>
                {label}
            </a>
        </p>
    }
    .into_any()
}

//! What would change a decision: the grant that is missing or that carries the call, what stands in the way, and who can
//! do something about it.

use control::activity::{Change, Source, Why};
use leptos::prelude::*;
use model::UserId;
use model::access::Grantee;

use crate::document::Visit;
use crate::icon::Icon;
use crate::links::Links;
use crate::pieces::call_row::Reader;
use crate::{text, wording};

/// A way to go on.
struct Act {
    label: &'static str,
    href: String,
}

/// The section.
#[component]
pub fn WhatWouldChange(
    /// Who looks.
    visit: Visit,
    /// What is behind the decision.
    why: Why,
) -> impl IntoView {
    let links = visit.links();
    let reader = visit.reader();
    let (sentence, act) = said(&links, reader, &why);
    let since = why.changed_since.then(|| {
        view! {
            <p class="changed">
                <Icon name="check" />
                {match why.change {
                    Change::TakeAway(_) => "That has happened since: the same call would be denied now.",
                    _ => "That has happened since. Whether the same call would be permitted now, its next attempt says.",
                }}
            </p>
        }
    });
    let act = act.filter(|_| why.may).map(|Act { label, href }| {
        let class = if why.changed_since { "button" } else { "button primary" };
        view! {
            <p>
                <a class=class href=href>
                    {label}
                </a>
            </p>
        }
    });
    let ask = (!why.who_may.is_empty()).then(|| {
        let last = why.who_may.len() - 1;
        let names = why
            .who_may
            .iter()
            .enumerate()
            .map(|(at, (user, name))| {
                let joint = match at {
                    0 => "",
                    at if at == last => " or ",
                    _ => ", ",
                };
                let name = if reader.people {
                    view! { <a href=links.user(*user)>{text::name(name)}</a> }.into_any()
                } else {
                    text::name(name).into_any()
                };
                view! { {joint} {name} }
            })
            .collect::<Vec<_>>();
        view! { <p>"Who can do that: " {names} "."</p> }
    });
    let sources = (!why.sources.is_empty()).then(|| {
        let rows = why.sources.iter().map(|source| row(&visit, &links, source)).collect::<Vec<_>>();
        view! {
            <ul class="sources" aria-label="Grants that carry it now">
                {rows}
            </ul>
        }
    });
    view! {
        <section class="change" aria-labelledby="change">
            <h2 id="change">"What would change this decision"</h2>
            <p>{sentence}</p>
            {since}
            {sources}
            {act}
            {ask}
        </section>
    }
}

fn row(visit: &Visit, links: &Links, source: &Source) -> impl IntoView + use<> {
    let to = match source.grantee {
        Grantee::Unit(unit) => {
            view! { "unit " <a href=links.unit(unit)>{text::name(&source.name)}</a> }.into_any()
        }
        Grantee::User(user) => view! { <a href=links.user(user)>{text::name(&source.name)}</a> }.into_any(),
        Grantee::Agent(agent) => {
            view! { "agent " <a href=links.agent(agent)>{text::name(&source.name)}</a> }.into_any()
        }
        Grantee::Role(role) => view! { "everybody in the role " {wording::role(role)} }.into_any(),
    };
    let clock = visit.clock();
    let until = source.until.map(|until| {
        view! { ", until " <time datetime=wording::instant(until) title=clock.exact(until)>{clock.minute(until)}</time> }
    });
    view! {
        <li>
            {text::code(source.key.as_str())} " of " {to} ", given by " {text::name(&source.given_by)} {until}
        </li>
    }
}

/// What would change it, and where to do that.
fn said(links: &Links, reader: Reader, why: &Why) -> (AnyView, Option<Act>) {
    let agent = || {
        let (id, name) = &why.agent;
        view! { <a href=reader.agent(links, *id, why.owner.0)>{text::name(name)}</a> }
    };
    let person = |user: UserId, name: &str| {
        if reader.people {
            view! { <a href=links.user(user)>{text::name(name)}</a> }.into_any()
        } else {
            text::name(name).into_any()
        }
    };
    let tool = || match (&why.module, &why.tool) {
        (Some((module, _)), Some(tool)) => {
            let href = links.tool(module, tool);
            view! { <a href=href>{text::code(&format!("{module}.{tool}"))}</a> }.into_any()
        }
        _ => "the tool".into_any(),
    };
    let to_tool = |label| {
        let (module, tool) = (why.module.as_ref()?, why.tool.as_ref()?);
        Some(Act { label, href: links.tool(&module.0, tool) })
    };
    match &why.change {
        Change::GiveAgent(key) => (
            view! {
                "A grant of " {text::code(key.as_str())} ", or of all of " {text::code(key.module())} ", to " {agent()}
                ", to its unit, or to a unit above."
            }
            .into_any(),
            Some(Act { label: "Give the key", href: links.give_to_agent(key, why.agent.0) }),
        ),
        Change::GivePerson(key) => {
            let (id, name) = why.on_behalf_of.clone().unwrap_or_else(|| why.owner.clone());
            let href = links.give_to_user(key, id);
            (
                view! {
                    "A grant of " {text::code(key.as_str())} " to " {person(id, &name)}
                    ", for whom the agent acts: an agent may do on behalf of somebody only what both may do."
                }
                .into_any(),
                Some(Act { label: "Give the key", href }),
            )
        }
        Change::TakeAway(key) => (
            view! {
                "Without any grant of " {text::code(key.as_str())} " to " {agent()}
                ", to its unit or above, the same call would be denied."
            }
            .into_any(),
            Some(Act { label: "Open the grants", href: links.grants() }),
        ),
        Change::ResumeAgent => (
            view! { {agent()} ", allowed to act again." }.into_any(),
            Some(Act { label: "Open the agent", href: links.agent(why.agent.0) }),
        ),
        Change::ResumePerson(user, name) => (
            view! {
                {person(*user, name)}
                ", allowed to act again; or somebody else who answers for the agent."
            }
            .into_any(),
            Some(Act { label: "Open the person", href: links.user(*user) }),
        ),
        Change::NewKey => (
            view! { "A key of " {agent()} " that has not ended and may come from that address." }.into_any(),
            Some(Act { label: "Open the agent’s keys", href: links.agent(why.agent.0) }),
        ),
        Change::ReviewTool => (
            view! { {tool()} ", looked at as it is offered now, and approved." }.into_any(),
            to_tool("Look at the tool"),
        ),
        Change::SwitchOn => {
            let module = why.module.as_ref();
            let title = module.map(|(_, title)| text::name(title));
            (
                view! { {title} ", switched on." }.into_any(),
                module.map(|(name, _)| Act { label: "Open the module", href: links.module(name) }),
            )
        }
        Change::Name => (
            view! {
                "The name of a tool that the agent may use: " <code>"tools/list"</code>
                " names them. A tool that an agent may not use is to it as if there were none."
            }
            .into_any(),
            None,
        ),
        Change::Arguments => {
            (view! { "Arguments as " {tool()} " takes them; its page has the schema." }.into_any(), None)
        }
        Change::Limit => (
            view! {
                "A later time, when there is room again; or a wider limit: of " {agent()} ", its unit, " {tool()}
                " or everybody, as the reason says."
            }
            .into_any(),
            Some(Act { label: "Open the limits", href: links.limits() }),
        ),
        Change::Operator => (
            view! { "The organization, let go on by whoever runs this installation." }.into_any(),
            None,
        ),
        Change::Policies => (
            view! { "The policies in force: what determined it is named beside, under Facts." }.into_any(),
            None,
        ),
    }
}

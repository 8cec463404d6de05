//! Ending what somebody may do: the pages that say what it means in numbers, and the one that says what was done.

use control::agents::AgentStory;
use control::revocations::{Consequence, Revocation, Running, Target};
use leptos::prelude::*;

use super::{Tab, crumbs_below};
use crate::document::{self, Crumb, Visit};
use crate::links::{Links, Place};
use crate::pieces::call_row::Moment;
use crate::pieces::head::PageHead;
use crate::text;
use crate::wording::{self, Clock};

/// `No keys`, `One key`, `3 keys`.
fn counted(number: usize, one: &str, several: &str) -> String {
    match number {
        0 => format!("No {several}"),
        1 => format!("One {one}"),
        more => format!("{} {several}", wording::grouped(more as u64)),
    }
}

/// The page before Revoke now. `errors` are sentences of why it could not be done.
pub fn revoke(visit: &Visit, meant: &Consequence, errors: &[String]) -> String {
    let links = visit.links();
    let (what, back, action) = places(&links, meant.target, meant.agent.as_ref().map(|(id, _)| *id));
    let crumbs = vec![
        Crumb::to("People & Agents", links.people()),
        Crumb::to(meant.agent.as_ref().map_or(&meant.name, |(_, name)| name).clone(), back.clone()),
        Crumb::here(if matches!(meant.target, Target::Key(_)) { "Revoke a key" } else { "Revoke now" }),
    ];
    // A key is named with its beginning behind it.
    let name = match meant.target {
        Target::Key(_) => meant.name.rsplit_once(" (").map_or(meant.name.as_str(), |(name, _)| name),
        _ => &meant.name,
    };
    let before = if matches!(meant.target, Target::Key(_)) { "Revoke the key " } else { "Revoke now: " };
    document::page(visit, Place::People, &format!("{before}{name}"), crumbs, false, || {
        let wrong = errors
            .iter()
            .map(|sentence| view! { <p class="consequence" role="alert">{text::prose(sentence, 1_000)}</p> })
            .collect::<Vec<_>>();
        view! {
            <PageHead
                title=view! { {before} {text::name(name)} }.into_any()
                lead="Takes effect at once.".into_any()
            />
            <div class="settings-parts">
                {wrong}
                <div class="consequence" data-tone="deny">{consequence(&links, meant)}</div>
                {running(&links, &meant.running, visit.clock(), "Calls that are running")}
                {(!meant.running.calls.is_empty()).then(|| view! {
                    <p>"What is running was admitted before. It is not cut off: it may still end at the upstream server."</p>
                })}
                <form class="form-actions" method="post" action=action>
                    <button type="submit" class="button danger">{what}</button>
                    <a class="button plain" href=back.clone()>"Cancel"</a>
                </form>
            </div>
        }
    })
}

/// What ends, in numbers.
fn consequence(links: &Links, meant: &Consequence) -> AnyView {
    match meant.target {
        Target::Key(_) if meant.suspended => return view! { <p>"It was revoked before."</p> }.into_any(),
        // Of what may do nothing, there is nothing else to end.
        Target::Agent(_) if meant.suspended && meant.running.calls.is_empty() => {
            return view! {
                <p>
                    "It is suspended already. "
                    <strong>{counted(meant.keys, "key", "keys")}</strong>
                    " in force will be revoked."
                </p>
            }
            .into_any();
        }
        _ => {}
    }
    let happens = match meant.target {
        Target::Agent(_) if meant.suspended => "It is suspended already.",
        Target::Agent(_) => "The agent is suspended and its keys are revoked, everywhere and in one step.",
        Target::Person(_) => {
            "The person and the agents they own are suspended, and every key of those agents, or with which an agent acts \
             for them, is revoked, everywhere and in one step. They are signed out."
        }
        Target::Key(_) => "The key is revoked everywhere. The agent's other keys keep working.",
    };
    let already = (meant.suspended && matches!(meant.target, Target::Person(_)))
        .then(|| view! { <p>"The person is suspended already."</p> });
    let keys = (!matches!(meant.target, Target::Key(_))).then(|| {
        view! { <li><strong>{counted(meant.keys, "key", "keys")}</strong>" in force will be revoked."</li> }
    });
    let tools = (!meant.suspended || meant.tools > 0).then(|| {
        let with = match meant.keys {
            0 => " can be called at this moment.",
            1 => " can be called with it at this moment.",
            _ => " can be called with them at this moment.",
        };
        view! { <li><strong>{counted(meant.tools, "tool", "tools")}</strong>{with}</li> }
    });
    let units = meant.units.iter().map(|unit| text::one_line(unit, 80)).collect::<Vec<_>>();
    let units = match units.as_slice() {
        [.., _] if units.len() > 6 => format!("{}, …", units.get(..6).unwrap_or(&units).join(", ")),
        some => some.join(", "),
    };
    let agents = match (meant.target, &meant.agent) {
        (Target::Key(_), Some((id, name))) => {
            let place = (!units.is_empty()).then(|| view! { " (" <bdi>{units}</bdi> ")" });
            view! { <li>"Used by agent " <a href=links.agent(*id)>{text::name(name)}</a> {place} "."</li> }
                .into_any()
        }
        (Target::Person(_), _) => {
            let count = counted(meant.units.len(), "unit", "units").to_lowercase();
            let place = (!units.is_empty()).then(|| view! { ": " <bdi>{units}</bdi> });
            view! {
                <li>
                    <strong>{counted(meant.agent_count, "agent", "agents")}</strong>
                    " of "
                    <strong>{count}</strong>
                    " will be affected"
                    {place}
                    "."
                </li>
            }
            .into_any()
        }
        // The page is about this one.
        _ => ().into_any(),
    };
    let calls = &meant.running;
    let calls = (!calls.calls.is_empty() || !meant.suspended).then(|| {
        let count = if calls.more {
            format!("More than {} calls", calls.calls.len())
        } else {
            counted(calls.calls.len(), "call", "calls")
        };
        let are = if calls.calls.len() == 1 && !calls.more { " is" } else { " are" };
        view! { <li><strong>{count}</strong> {are} " running at this moment."</li> }
    });
    let names = meant
        .agents
        .iter()
        .map(|(id, name)| view! { <li><a href=links.agent(*id)>{text::name(name)}</a></li> })
        .collect::<Vec<_>>();
    let more = meant.agent_count.saturating_sub(meant.agents.len());
    let more = (more > 0).then(|| view! { <li>{format!("and {more} more")}</li> });
    let named = (meant.agent_count > 1).then(|| {
        view! {
            <details>
                <summary>"Which agents"</summary>
                <ul class="tool-list">{names} {more}</ul>
            </details>
        }
    });
    view! {
        <p>{happens}</p>
        <ul class="numbers">{keys} {tools} {agents} {calls}</ul>
        {already}
        {named}
    }
    .into_any()
}

/// What the button says, where one comes from, and where the form is sent.
fn places(links: &Links, target: Target, agent: Option<model::AgentId>) -> (&'static str, String, String) {
    match target {
        Target::Agent(id) => ("Revoke now", links.agent(id), links.revoke_agent(id)),
        Target::Person(id) => ("Revoke now", links.user(id), links.revoke_user(id)),
        Target::Key(id) => {
            let (back, action) = agent.map_or_else(
                || (links.people(), links.people()),
                |agent| (links.agent_tab(agent, Tab::Keys.word()), links.revoke_key(agent, id)),
            );
            ("Revoke the key", back, action)
        }
    }
}

/// The page after Revoke now.
pub fn revoked(visit: &Visit, done: &Revocation) -> String {
    let links = visit.links();
    let clock = visit.clock();
    let (_, back, _) = places(&links, done.target, done.agent.as_ref().map(|(id, _)| *id));
    let name = done.agent.as_ref().map_or(&done.name, |(_, name)| name);
    let crumbs = vec![
        Crumb::to("People & Agents", links.people()),
        Crumb::to(name.clone(), back.clone()),
        Crumb::here("Revoked"),
    ];
    document::page(visit, Place::People, "Revoked", crumbs, false, || {
        let agents = (done.agents > 0).then(|| {
            view! { <div><dt>"Agents suspended"</dt><dd>{wording::grouped(done.agents as u64)}</dd></div> }
        });
        let rest = if done.running.calls.is_empty() {
            view! {
                <p>"No call that was admitted before is still running."</p>
            }
            .into_any()
        } else {
            view! {
                {running(&links, &done.running, clock, "Admitted before, and still running")}
                <p>
                    "They are not cut off: each may still end at the upstream server. "
                    <a href=links.revocation(done.event)>"Look again"</a>
                </p>
            }
            .into_any()
        };
        let next = match done.target {
            Target::Key(_) => "To let the agent call from there again, issue a new key.",
            Target::Agent(_) => "To let the agent act again, resume it and issue a new key.",
            Target::Person(_) => {
                "To let them act again, resume the person and their agents, and issue new keys."
            }
        };
        view! {
            <PageHead
                title=view! { "Revoked: " {text::name(&done.name)} }.into_any()
                lead=view! {
                    "Since "
                    <strong><time datetime=wording::instant(done.since)>{clock.exact(done.since)}</time></strong>
                    " no call is admitted any more, on any node."
                }
                    .into_any()
            />
            <dl class="agent-facts">
                <div><dt>"Keys revoked"</dt><dd>{wording::grouped(done.keys as u64)}</dd></div>
                {agents}
                <div><dt>"By"</dt><dd>{text::name(&done.by)}</dd></div>
                <div>
                    <dt>"State of the rights"</dt>
                    <dd title="Counts every change of rights; what was decided in an earlier state is refused">{done.epoch}</dd>
                </div>
            </dl>
            {rest}
            <p class="hint">{next}</p>
            <p><a class="button" href=back.clone()>"Back"</a></p>
        }
    })
}

fn running(links: &Links, running: &Running, clock: Clock, caption: &'static str) -> AnyView {
    if running.calls.is_empty() {
        return ().into_any();
    }
    let rows = running
        .calls
        .iter()
        .map(|call| {
            let age = clock.now.signed_duration_since(call.admitted_at).num_microseconds().unwrap_or(0);
            view! {
                <tr>
                    <th scope="row"><a href=links.call(call.call)>{text::code(&call.tool_name)}</a></th>
                    <td><a href=links.agent(call.agent)>{text::name(&call.agent_name)}</a></td>
                    <td><Moment at=call.admitted_at clock=clock /></td>
                    <td class="number">{wording::duration(age)}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    let more = running.more.then(|| view! { <p class="hint">"There are more; these are the newest."</p> });
    view! {
        <table class="running">
            <caption>{caption}</caption>
            <thead>
                <tr>
                    <th scope="col">"Tool"</th>
                    <th scope="col">"Agent"</th>
                    <th scope="col">"Admitted"</th>
                    <th scope="col" class="number">"For"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
        {more}
    }
    .into_any()
}

/// The page before an agent is suspended.
pub fn suspend(visit: &Visit, story: &AgentStory, meant: &Consequence) -> String {
    let consequence = view! {
        <p>"Its next call is refused, whatever key it presents."</p>
        <ul class="numbers">
            <li><strong>{counted(meant.tools, "tool", "tools")}</strong>" can be called by it at this moment."</li>
            <li>"Its keys stay, and work again when it is resumed."</li>
        </ul>
    };
    confirm(visit, story, "suspend", "Suspend", consequence.into_any(), &meant.running)
}

/// The page before an agent is retired.
pub fn retire(visit: &Visit, story: &AgentStory, meant: &Consequence) -> String {
    let consequence = view! {
        <p>"This cannot be undone."</p>
        <ul class="numbers">
            <li><strong>{counted(meant.keys, "key", "keys")}</strong>" in force will be revoked."</li>
            <li><strong>{counted(meant.tools, "tool", "tools")}</strong>" can be called by it at this moment."</li>
            <li>"What was given to the agent itself is taken, and its name is free for another."</li>
        </ul>
    };
    confirm(visit, story, "retire", "Retire", consequence.into_any(), &meant.running)
}

fn confirm(
    visit: &Visit,
    story: &AgentStory,
    what: &'static str,
    word: &'static str,
    consequence: AnyView,
    still: &Running,
) -> String {
    let links = visit.links();
    let id = story.view.id;
    let crumbs = crumbs_below(&links, story, word);
    document::page(visit, Place::People, &format!("{word}: {}", story.view.name), crumbs, false, || {
        view! {
            <PageHead
                title=view! { {word} " " {text::name(&story.view.name)} }.into_any()
                lead="Takes effect at once.".into_any()
            />
            <div class="settings-parts">
                <div class="consequence" data-tone="deny">{consequence}</div>
                {running(&links, still, visit.clock(), "Calls that are running, and go on")}
                <form class="form-actions" method="post" action=links.agent_do(id, what)>
                    <button type="submit" class="button danger">{word}</button>
                    <a class="button plain" href=links.agent_tab(id, Tab::Settings.word())>"Cancel"</a>
                </form>
            </div>
        }
    })
}

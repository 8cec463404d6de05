//! What only owners do, with the consequence in numbers first.

use control::settings::{Closing, Stop};
use leptos::prelude::*;

use super::{Part, part};
use crate::document::{self, Crumb, Visit};
use crate::links::Place;
use crate::pages::people::said;
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::{Form, TextField};
use crate::pieces::head::PageHead;
use crate::{text, wording};

fn number(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", wording::grouped(count), if count == 1 { "" } else { "s" })
}

/// The two dangers.
pub fn danger(visit: &Visit, stop: &Stop) -> String {
    part(visit, Part::Danger, None, || {
        let (links, clock) = (visit.links(), visit.clock());
        let agents = match &stop.stopped {
            Some((since, by)) => view! {
                <p class="stopped">
                    "All agents are stopped since "
                    <time datetime=wording::instant(*since) title=clock.exact(*since)>{clock.minute(*since)}</time>
                    " by " {text::name(by)} "."
                </p>
                <p>
                    {format!("Letting them go on brings back {} that were active before.", number(stop.agents, "agent"))}
                </p>
                <form method="post" action=links.resume_agents()>
                    <button type="submit" class="button primary">"Let the agents go on"</button>
                </form>
            }
            .into_any(),
            None => view! {
                <p>"Every call of every agent is refused from that instant on, until an owner lets them go on."</p>
                <p><a class="button danger" href=links.stop_agents()>"Stop all agents…"</a></p>
            }
            .into_any(),
        };
        view! {
            <section class="danger-part">
                <h2>"Emergency stop"</h2>
                {agents}
            </section>
            <section class="danger-part">
                <h2>"Close the organization"</h2>
                <p>"Nobody can sign in any more and no call is admitted. Only the operator of this installation can undo it."</p>
                <p><a class="button danger" href=links.close_organization()>"Close the organization…"</a></p>
            </section>
        }
    })
}

/// What stopping all agents would mean.
pub fn stop(visit: &Visit, stop: &Stop) -> String {
    let lead = "Takes effect at once. People can still sign in.".into_any();
    ask(visit, "Stop all agents", lead, None, || {
        let links = visit.links();
        let running = (stop.running > 0).then(|| {
            let one = stop.running == 1;
            view! {
                <li>
                    <strong>{number(stop.running, "call")}</strong>
                    {if one {
                        " that was admitted before is still running and ends by itself."
                    } else {
                        " that were admitted before are still running and end by themselves."
                    }}
                </li>
            }
        });
        view! {
            <div class="settings-parts">
                <div class="consequence" data-tone="deny">
                    <p>
                        <strong>{number(stop.agents, "agent")}</strong>
                        " with "
                        <strong>{number(stop.keys, "valid key")}</strong>
                        " can do nothing from now on, and neither can agents that are made meanwhile. Their next call is refused and \
                         says so."
                    </p>
                    <ul class="numbers">
                        {running}
                        <li>"Keys, grants and who is suspended stay as they are: letting the agents go on brings back what was."</li>
                    </ul>
                </div>
                <form method="post" action=links.stop_agents() class="form-actions">
                    <button type="submit" class="button danger">"Stop all agents"</button>
                    <a class="button plain" href=links.danger()>"Cancel"</a>
                </form>
            </div>
        }
    })
}

/// What closing the organization would mean, and its short name to be typed.
pub fn close(visit: &Visit, closing: &Closing, form: Form) -> String {
    let title = format!("Close {}", visit.organization);
    let lead = "Takes effect at once. Only the operator of this installation can undo it.".into_any();
    ask(visit, &title, lead, Some(&form), || {
        let links = visit.links();
        let slug = visit.slug.as_str().to_owned();
        let ends = if closing.sessions == 1 { " ends." } else { " end." };
        view! {
            <div class="settings-parts">
                <div class="consequence" data-tone="deny">
                    <ul class="numbers">
                        <li>
                            <strong>{said::counted(closing.people, "person", "people")}</strong>
                            " cannot sign in any more, you among them; "
                            <strong>{number(closing.sessions, "session")}</strong>
                            {ends}
                        </li>
                        <li>"Every call of " <strong>{number(closing.agents, "agent")}</strong> " is refused."</li>
                        <li>
                            "Nothing is deleted by this: "
                            <strong>{number(closing.calls, "call")}</strong>
                            " and all else stay until whoever runs this installation deletes them. Ask them to."
                        </li>
                        <li>
                            "Only they can open the organization again. Its short name and MCP address are never given to another \
                             one."
                        </li>
                    </ul>
                </div>
                <form method="post" action=links.close_organization() class="sheet">
                    <TextField
                        form=form.clone()
                        name="short_name"
                        label="Short name of the organization"
                        longest=40
                        hint=format!("Type `{slug}` to show that you mean it.")
                    />
                    <div class="form-actions">
                        <button type="submit" class="button danger">"Close the organization"</button>
                        <a class="button plain" href=links.danger()>"Cancel"</a>
                    </div>
                </form>
            </div>
        }
    })
}

/// A page that asks before one of them is done. `form`: the one on it, for its errors.
fn ask<V: IntoView + 'static>(
    visit: &Visit,
    title: &str,
    lead: AnyView,
    form: Option<&Form>,
    content: impl FnOnce() -> V,
) -> String {
    let links = visit.links();
    let whole = form.map_or_else(|| title.to_owned(), |form| form.title(title));
    let errors = form.map(|form| form.errors().to_vec()).unwrap_or_default();
    let crumbs = vec![
        Crumb::to("Settings", links.settings()),
        Crumb::to(Part::Danger.label(), links.danger()),
        Crumb::here(title),
    ];
    document::page(visit, Place::Settings, &whole, crumbs, false, || {
        view! {
            <ErrorSummary errors=errors />
            <PageHead title=text::name(title).into_any() lead=lead />
            {content()}
        }
    })
}

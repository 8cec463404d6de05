//! What only owners do, with the consequence in numbers first.

use control::settings::{Closing, Stop};
use leptos::prelude::*;

use super::{Part, part};
use crate::document::Visit;
use crate::pieces::form::{Form, TextField};
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
    part(visit, Part::Danger, None, || {
        let links = visit.links();
        let running = if stop.running == 0 {
            "No call is running now.".to_owned()
        } else if stop.running == 1 {
            "One call that was admitted before is still running and ends by itself.".to_owned()
        } else {
            format!(
                "{} calls that were admitted before are still running and end by themselves.",
                wording::grouped(stop.running)
            )
        };
        view! {
            <section class="sheet">
                <h2>"Stop all agents?"</h2>
                <p>
                    {format!(
                        "{} with {} can do nothing from now on, and neither can agents that are made meanwhile. \
                         Their next call is refused and says so.",
                        number(stop.agents, "agent"),
                        number(stop.keys, "valid key"),
                    )}
                </p>
                <p>{running}</p>
                <p>"People can still sign in. Keys, grants and who is suspended stay as they are, so that letting the agents go on brings back what was."</p>
                <form method="post" action=links.stop_agents() class="form-actions">
                    <button type="submit" class="button danger">"Stop all agents"</button>
                    <a class="button plain" href=links.danger()>"Cancel"</a>
                </form>
            </section>
        }
    })
}

/// What closing the organization would mean, and its short name to be typed.
pub fn close(visit: &Visit, closing: &Closing, form: Form) -> String {
    part(visit, Part::Danger, Some(&form), || {
        let links = visit.links();
        let slug = visit.slug.as_str().to_owned();
        view! {
            <section class="sheet">
                <h2>"Close " {text::name(&visit.organization)} "?"</h2>
                <p>"At once:"</p>
                <ul class="consequences">
                    <li>{format!("{} cannot sign in any more, you among them; {} end.", number(closing.people, "person").replace("persons", "people"), number(closing.sessions, "session"))}</li>
                    <li>{format!("Every call of {} is refused.", number(closing.agents, "agent"))}</li>
                </ul>
                <p>"Later:"</p>
                <ul class="consequences">
                    <li>
                        {format!("Nothing is deleted by this: {} and all else stay until whoever runs this installation deletes them. Ask them to.", number(closing.calls, "call"))}
                    </li>
                    <li>"Only they can open the organization again. Its short name and MCP address are never given to another one."</li>
                </ul>
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
            </section>
        }
    })
}

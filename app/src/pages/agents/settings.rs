//! An agent's settings: its name, where it sits, who answers for it, and its end.

use control::agents::{AgentStory, Moving};
use leptos::prelude::*;
use model::people::Standing;

use super::{Tab, crumbs_below};
use crate::document::{self, Visit};
use crate::links::Place;
use crate::pieces::form::{Form, SelectField, TextField, hidden};
use crate::pieces::head::PageHead;
use crate::text;

/// Tools named one by one before a move.
const NAMED: usize = 20;

pub(super) fn forms(visit: &Visit, story: &AgentStory, units: &[(String, String)], form: &Form) -> AnyView {
    let links = visit.links();
    let id = story.view.id;
    let stop = match story.view.standing {
        Standing::Active => view! {
            <section class="part">
                <h2>"Suspend"</h2>
                <p>"Its calls are refused until somebody lets it act again. Its keys and what was given to it stay."</p>
                <p><a class="button" href=links.agent_do(id, "suspend")>"Suspend it"</a></p>
            </section>
        }
        .into_any(),
        Standing::Suspended => ().into_any(),
    };
    view! {
        <div class="settings-parts">
            <section class="part">
                <h2>"Rename"</h2>
                <form class="sheet" method="post" action=links.agent_do(id, "rename")>
                    <TextField form=form.clone() name="name" label="Name" />
                    <button type="submit" class="button">"Rename"</button>
                </form>
            </section>
            <section class="part">
                <h2>"Hand over"</h2>
                <form class="sheet" method="post" action=links.agent_do(id, "owner")>
                    <TextField
                        form=form.clone()
                        name="owner"
                        label="Mail address of the new owner"
                        kind="email"
                        longest=254
                        hint="The person who answers for it from then on. What it may do stays; its keys go on."
                    />
                    <button type="submit" class="button">"Hand over"</button>
                </form>
            </section>
            <section class="part">
                <h2>"Move"</h2>
                <form class="sheet" method="get" action=links.agent_do(id, "move")>
                    <SelectField
                        form=form.clone()
                        name="unit"
                        label="Move it to"
                        options=units.to_vec()
                        hint="What the move would change is shown first."
                    />
                    <button type="submit" class="button">"See what would change"</button>
                </form>
            </section>
            {stop}
            <section class="part">
                <h2>"Retire"</h2>
                <p>
                    "For an agent that is not needed any more. Its keys are revoked, what was given to it is taken, and its name is "
                    "free. Its past calls stay on record. This cannot be undone."
                </p>
                <p><a class="button danger" href=links.agent_do(id, "retire")>"Retire it"</a></p>
            </section>
        </div>
    }
    .into_any()
}

/// What a move would change, with the button that does it.
pub fn moving(visit: &Visit, story: &AgentStory, unit: &str, path: &str, moving: &Moving) -> String {
    let links = visit.links();
    let id = story.view.id;
    let crumbs = crumbs_below(&links, story, "Move");
    document::page(visit, Place::People, "Move an agent", crumbs, false, || {
        let nothing = (moving.lost.is_empty() && moving.gained.is_empty()).then(|| {
            view! { <p class="consequence">"What it may call stays the same."</p> }
        });
        view! {
            <PageHead
                title=view! { "Move " {text::name(&story.view.name)} " to " {text::name(path)} }.into_any()
                lead="It has what is given to its unit and to those above. From then on its calls count for the new unit; past \
                      ones stay where they were."
                    .into_any()
            />
            <div class="settings-parts">
                {nothing}
                {tools("It loses the use of", "deny", &moving.lost)}
                {tools("It gains the use of", "hold", &moving.gained)}
                <form class="form-actions" method="post" action=links.agent_do(id, "move")>
                    {hidden("unit", unit.to_owned())}
                    <button type="submit" class="button primary">"Move it"</button>
                    <a class="button plain" href=links.agent_tab(id, Tab::Settings.word())>"Cancel"</a>
                </form>
            </div>
        }
    })
}

fn tools(what: &'static str, tone: &'static str, names: &[String]) -> AnyView {
    if names.is_empty() {
        return ().into_any();
    }
    let count = names.len();
    let named =
        names.iter().take(NAMED).map(|name| view! { <li>{text::code(name)}</li> }).collect::<Vec<_>>();
    let more = (count > NAMED).then(|| view! { <li>{format!("and {} more", count - NAMED)}</li> });
    view! {
        <div class="consequence" data-tone=tone>
            <p>
                <strong>{format!("{what} {count} {}", if count == 1 { "tool" } else { "tools" })}</strong>
            </p>
            <ul class="tool-list">{named} {more}</ul>
        </div>
    }
    .into_any()
}

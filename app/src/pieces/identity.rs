//! The identity chain: person ▸ agent ▸ client ▸ session.

use leptos::prelude::*;
use model::call::CallStory;

use crate::icon::Icon;
use crate::links::Links;
use crate::text;

/// Who called, from the person who answers for it to the protocol session it came through.
#[component]
pub fn IdentityChain(
    /// The call.
    story: CallStory,
    /// Where its organization's pages are.
    links: Links,
) -> impl IntoView {
    let row = &story.row;
    let units = story.unit_path.iter().map(|unit| text::one_line(unit, 80)).collect::<Vec<_>>().join(" / ");
    let (person, role) = match &row.on_behalf_of_name {
        Some(person) => (text::name(person).into_any(), "on whose behalf"),
        None => (text::name(&row.owner_name).into_any(), "owner of the agent"),
    };
    let owner = row
        .on_behalf_of_name
        .is_some()
        .then(|| view! { <span class="note">"owned by " {text::name(&row.owner_name)}</span> });
    view! {
        <ol class="chain" aria-label="Identity, from person to session">
            <li>
                <span class="what">"Person"</span>
                <span class="whom"><Icon name="person" />{person}</span>
                <span class="note">{role}</span>
            </li>
            <li>
                <span class="what">"Agent"</span>
                <a class="whom" href=links.calls_of(row.agent)><Icon name="agent" />{text::name(&row.agent_name)}</a>
                <span class="note">{(!units.is_empty()).then(|| text::name(&units))}</span>
                {owner}
            </li>
            <li>
                <span class="what">"Client"</span>
                <span class="whom">{known(story.client.as_deref(), "not named")}</span>
                <span class="note">{story.address.as_deref().map(text::code)}</span>
            </li>
            <li>
                <span class="what">"Session"</span>
                <span class="whom">{session(story.session.as_deref())}</span>
                <span class="note">{story.protocol.as_deref().map(|it| view! { "MCP " {text::name(it)} })}</span>
            </li>
        </ol>
    }
}

fn known(text: Option<&str>, otherwise: &'static str) -> AnyView {
    match text {
        Some(text) => text::name(text).into_any(),
        None => view! { <span class="absent">{otherwise}</span> }.into_any(),
    }
}

fn session(id: Option<&str>) -> AnyView {
    match id {
        Some(id) => {
            let whole = text::one_line(id, 200);
            view! { <code title=whole><bdi>{text::one_line(id, 13)}</bdi></code> }.into_any()
        }
        None => known(None, "none: each request stands alone"),
    }
}

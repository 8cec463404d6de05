//! The identity chain: person ▸ agent ▸ client ▸ session.

use leptos::prelude::*;
use model::UserId;
use model::call::CallStory;

use crate::icon::Icon;
use crate::links::Links;
use crate::pieces::call_row::Reader;
use crate::text;

/// Who called, from the person who answers for it to the protocol session it came through.
#[component]
pub fn IdentityChain(
    /// The call.
    story: CallStory,
    /// Where its organization's pages are.
    links: Links,
    /// Whose page it is.
    reader: Reader,
) -> impl IntoView {
    let row = &story.row;
    let units = story.unit_path.iter().map(|unit| text::one_line(unit, 80)).collect::<Vec<_>>().join(" / ");
    let named = |user: UserId, name: &str| match reader.people {
        true => view! { <a href=links.user(user)>{text::name(name)}</a> }.into_any(),
        false => text::name(name).into_any(),
    };
    let (person, role) = match (row.on_behalf_of, &row.on_behalf_of_name) {
        (Some(user), Some(person)) => (named(user, person), "on whose behalf"),
        _ => (named(row.owner, &row.owner_name), "owner of the agent"),
    };
    let owner = row
        .on_behalf_of_name
        .is_some()
        .then(|| view! { <span class="note">"owned by " {named(row.owner, &row.owner_name)}</span> });
    view! {
        <ol class="chain" aria-label="Identity, from person to session">
            <li>
                <span class="what">"Person"</span>
                <span class="whom"><Icon name="person" />{person}</span>
                <span class="note">{role}</span>
            </li>
            <li>
                <span class="what">"Agent"</span>
                <a class="whom" href=reader.agent(&links, row.agent, row.owner)><Icon name="agent" />{text::name(&row.agent_name)}</a>
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
                <span class="whom">{session(&links, story.session.as_deref())}</span>
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

fn session(links: &Links, id: Option<&str>) -> AnyView {
    match id {
        Some(id) => {
            let whole = text::one_line(id, 200);
            let href = links.session(id);
            view! { <a href=href title=whole><code><bdi>{text::one_line(id, 13)}</bdi></code></a> }.into_any()
        }
        None => known(None, "none: each request stands alone"),
    }
}

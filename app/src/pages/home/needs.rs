//! What needs somebody: each with its age and the one link to act.

use control::home::{Due, Need, Needs};
use leptos::prelude::*;

use crate::document::Visit;
use crate::icon::Icon;
use crate::links::Links;
use crate::wording::{self, Clock};
use crate::{text, wording::Tone};

pub(super) fn list(visit: &Visit, needs: Needs) -> AnyView {
    if needs.all.is_empty() {
        return view! {
            <p class="absent">
                <Icon name="check" />
                "Nothing. Tools that have changed, modules that fail, keys and grants that end soon would be here."
            </p>
        }
        .into_any();
    }
    let (links, clock) = (visit.links(), visit.clock());
    let rows = needs.all.iter().map(|(need, due)| row(&links, clock, need, *due)).collect::<Vec<_>>();
    let more = (needs.more > 0).then(|| view! { <p class="note">{format!("And {} more.", needs.more)}</p> });
    view! {
        <ul class="needs">{rows}</ul>
        {more}
    }
    .into_any()
}

/// How one of them is said: tone, icon, sentence, and the link to act.
struct Said {
    tone: &'static str,
    icon: &'static str,
    sentence: AnyView,
    label: &'static str,
    href: String,
}

fn row(links: &Links, clock: Clock, need: &Need, due: Due) -> impl IntoView + use<> {
    let Said { tone, icon, sentence, label, href } = said(links, need);
    let (at, when) = match due {
        Due::Since(at) => (at, clock.ago(at)),
        Due::Ends(at) => (at, ends(clock, at)),
    };
    view! {
        <li data-tone=tone>
            <span class="marker">
                <Icon name=icon />
            </span>
            <p>{sentence}</p>
            <time datetime=wording::instant(at) title=clock.exact(at)>
                {when}
            </time>
            <a class="button" href=href>
                {label}
            </a>
        </li>
    }
}

/// How long from now: `ends in 3 days`.
fn ends(clock: Clock, at: model::Timestamp) -> String {
    match at.signed_duration_since(clock.now).num_minutes() {
        ..120 => "ends within two hours".to_owned(),
        minutes @ 120..2_880 => format!("ends in {} h", minutes / 60),
        minutes => format!("ends in {} days", minutes / 1_440),
    }
}

fn count_of(count: u32, tool: &str, others: &'static str) -> AnyView {
    let tool = text::code(tool);
    match count {
        0 | 1 => view! { {tool} }.into_any(),
        2 => view! { {tool} " and 1 more tool" }.into_any(),
        _ => view! { {tool} " and " {(count - 1).to_string()} {others} }.into_any(),
    }
}

fn said(links: &Links, need: &Need) -> Said {
    match need {
        Need::ToolsDrifted { module, title, tool, count } => Said {
            tone: "drift",
            icon: "drift",
            sentence: view! {
                {count_of(*count, tool, " more tools")} " of " <a href=links.module(module)>{text::name(title)}</a>
                {if *count > 1 { " are" } else { " is" }} " not what was approved, and frozen."
            }
            .into_any(),
            label: "Look at the change",
            href: if *count == 1 { links.tool(module, tool) } else { links.module(module) },
        },
        Need::MustConnect { module, title } => Said {
            tone: Tone::Fault.word(),
            icon: "alert",
            sentence: view! {
                <a href=links.module(module)>{text::name(title)}</a>
                " must be connected again: the access that was given to it is over."
            }
            .into_any(),
            label: "Connect it",
            href: links.module_to(module, "oauth"),
        },
        Need::ModuleFailing { module, title, failed, ended } => Said {
            tone: Tone::Fault.word(),
            icon: "alert",
            sentence: view! {
                <a href=links.module(module)>{text::name(title)}</a>
                {format!(" fails: {failed} of {ended} calls of the last hour were not answered.")}
            }
            .into_any(),
            label: "Open the module",
            href: links.module(module),
        },
        Need::ToolsProposed { module, title, tool, count } => Said {
            tone: Tone::Hold.word(),
            icon: "hold",
            sentence: view! {
                {count_of(*count, tool, " more tools")} " of " <a href=links.module(module)>{text::name(title)}</a>
                {if *count > 1 { " wait" } else { " waits" }} " to be approved; nobody can use "
                {if *count > 1 { "them" } else { "it" }} " until then."
            }
            .into_any(),
            label: "Look at them",
            href: if *count == 1 { links.tool(module, tool) } else { links.module(module) },
        },
        Need::KeyEnds { agent, agent_name, key } => Said {
            tone: Tone::Hold.word(),
            icon: "key",
            sentence: view! {
                "Key " {text::name(key)} " of " <a href=links.agent(*agent)>{text::name(agent_name)}</a>
                " ends, and none follows it."
            }
            .into_any(),
            label: "Open the agent’s keys",
            href: links.agent(*agent),
        },
        Need::GrantEnds { key, grantee, .. } => Said {
            tone: Tone::Hold.word(),
            icon: "grants",
            sentence: view! { {text::name(grantee)} " will lose " {text::code(key)} "." }.into_any(),
            label: "Open the grants",
            href: links.grants(),
        },
        Need::AgentWithoutOwner { agent, agent_name, owner, owner_name } => Said {
            tone: Tone::Deny.word(),
            icon: "agent",
            sentence: view! {
                <a href=links.agent(*agent)>{text::name(agent_name)}</a> " is refused, because "
                <a href=links.user(*owner)>{text::name(owner_name)}</a> ", who answers for it, is suspended."
            }
            .into_any(),
            label: "Hand it over",
            href: links.agent(*agent),
        },
        Need::InvitationsWait { email, count, over } => Said {
            tone: Tone::Quiet.word(),
            icon: "mail",
            sentence: view! {
                {text::name(email)}
                {match count {
                    0 | 1 => " was invited and has not come.".to_owned(),
                    count => format!(" and {} more were invited and have not come.", count - 1),
                }}
                {match over {
                    0 => String::new(),
                    1 => " One link has ended.".to_owned(),
                    over => format!(" {over} links have ended."),
                }}
            }
            .into_any(),
            label: "Open the invitations",
            href: links.invitations(),
        },
        Need::OneOwner { owner, owner_name } => Said {
            tone: Tone::Quiet.word(),
            icon: "person",
            sentence: view! {
                <a href=links.user(*owner)>{text::name(owner_name)}</a>
                " is the only owner. Should they lose their password or leave, nobody could make another."
            }
            .into_any(),
            label: "Make a second owner",
            href: links.people(),
        },
    }
}

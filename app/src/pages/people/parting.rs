//! Before somebody is suspended, is removed or leaves: what ends with it, in numbers.

use control::users::Parting;
use leptos::prelude::*;

use super::said;
use crate::document::{self, Crumb, Visit};
use crate::links::{Links, Place};
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::{Form, Radios, TextField};
use crate::pieces::head::PageHead;
use crate::text;

/// Before somebody is suspended.
pub fn suspend(visit: &Visit, told: &Parting, form: &Form) -> String {
    let links = visit.links();
    let person = &told.person;
    document::page(
        visit,
        Place::People,
        &form.title("Suspend a person"),
        crumbs(&links, told, "Suspend"),
        false,
        || {
            let stops = numbers(&[
                (told.agents, "agent that they own", "agents that they own"),
                (told.keys, "key of these agents", "keys of these agents"),
                (
                    told.keys_on_behalf,
                    "key with which an agent acts for them",
                    "keys with which agents act for them",
                ),
            ]);
            let body = if told.last_owner {
                last_owner(&links, "The only active owner cannot be suspended.")
            } else {
                view! {
                <div class="consequence" data-tone="deny">
                    <p>
                        {text::name(&person.name)}
                        " cannot sign in, and is signed out everywhere at once. Until they are made active again, these are "
                        "refused with their next call:"
                    </p>
                    {stops}
                    {running(told.running)}
                    <p>"Roles, grants and keys stay, and are good again when they are."</p>
                </div>
                <form class="form-actions" method="post" action=links.suspend_user(person.id)>
                    <button type="submit" class="button danger">
                        "Suspend"
                    </button>
                    <a class="button plain" href=links.user(person.id)>
                        "Cancel"
                    </a>
                </form>
            }
            .into_any()
            };
            view! {
                <ErrorSummary errors=form.errors().to_vec() />
                <PageHead
                    title=view! { "Suspend " {text::name(&person.name)} }.into_any()
                    lead="For a while: they can be made active again with all that they had.".into_any()
                />
                {body}
            }
        },
    )
}

/// Before somebody is removed.
pub fn remove(visit: &Visit, told: &Parting, form: &Form) -> String {
    let links = visit.links();
    let person = &told.person;
    document::page(
        visit,
        Place::People,
        &form.title("Remove a person"),
        crumbs(&links, told, "Remove"),
        false,
        || {
            let body = if told.last_owner {
                last_owner(&links, "The only active owner cannot be removed.")
            } else {
                let ends = ending(told, "They", "their");
                let fields = fate(told, form, true);
                view! {
                    {ends}
                    <form class="sheet" method="post" action=links.remove_user(person.id) novalidate="">
                        {fields}
                        <div class="form-actions">
                            <button type="submit" class="button danger">
                                "Remove"
                            </button>
                            <a class="button plain" href=links.user(person.id)>
                                "Cancel"
                            </a>
                        </div>
                    </form>
                }
                .into_any()
            };
            view! {
                <ErrorSummary errors=form.errors().to_vec() />
                <PageHead
                    title=view! { "Remove " {text::name(&person.name)} }.into_any()
                    lead="For good. Calls that were made keep their name, and their address can be invited again.".into_any()
                />
                {body}
            }
        },
    )
}

/// Before oneself leaves. `hands_over`: whether one may see people to hand agents over to.
pub fn leave(visit: &Visit, told: &Parting, form: &Form, hands_over: bool) -> String {
    let links = visit.links();
    let crumbs = vec![Crumb::to("My account", links.me()), Crumb::here("Leave")];
    document::page(visit, Place::Elsewhere, &form.title("Leave"), crumbs, false, || {
        let body = if told.last_owner {
            last_owner(&links, "You are the only active owner.")
        } else {
            let ends = ending(told, "You", "your");
            let fields = fate(told, form, hands_over);
            view! {
                {ends}
                <form class="sheet" method="post" action=links.leave() novalidate="">
                    {fields}
                    <div class="form-actions">
                        <button type="submit" class="button danger">
                            "Leave "
                            {text::name(&visit.organization)}
                        </button>
                        <a class="button plain" href=links.me()>
                            "Cancel"
                        </a>
                    </div>
                </form>
            }
            .into_any()
        };
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead
                title=view! { "Leave " {text::name(&visit.organization)} }.into_any()
                lead="For good. To come back, somebody has to invite you again.".into_any()
            />
            {body}
        }
    })
}

fn crumbs(links: &Links, told: &Parting, here: &str) -> Vec<Crumb> {
    vec![
        Crumb::to("People & Agents", links.people()),
        Crumb::to(told.person.name.clone(), links.user(told.person.id)),
        Crumb::here(here),
    ]
}

fn last_owner(links: &Links, sentence: &'static str) -> AnyView {
    view! {
        <p class="consequence">
            {sentence}
            " Make somebody else an owner first, on their page under "
            <a href=links.people()>"People & Agents"</a>
            "."
        </p>
    }
    .into_any()
}

fn numbers(counts: &[(u64, &'static str, &'static str)]) -> AnyView {
    let items: Vec<_> = counts
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| view! { <li>{said::counted(*count, one, many)}</li> })
        .collect();
    if items.is_empty() {
        view! { <p>"Nothing: no agent and no key is theirs."</p> }.into_any()
    } else {
        view! { <ul class="keys">{items}</ul> }.into_any()
    }
}

fn running(count: u64) -> Option<impl IntoView> {
    (count > 0).then(|| {
        let said = said::counted(count, "call is running", "calls are running");
        view! { <p>{said} " at this moment and may still come to an end."</p> }
    })
}

/// What is over with it.
fn ending(told: &Parting, who: &'static str, whose: &'static str) -> AnyView {
    let items: Vec<_> = [
        (told.sessions, "browser signed out", "browsers signed out"),
        (told.roles, "role taken", "roles taken"),
        (told.grants, "personal grant revoked", "personal grants revoked"),
        (told.keys_on_behalf, "key revoked that acts on behalf", "keys revoked that act on behalf"),
        (told.invitations, "open invitation withdrawn", "open invitations withdrawn"),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, one, many)| view! { <li>{said::counted(count, one, many)}</li> })
    .collect();
    let items = (!items.is_empty()).then(|| view! { <ul class="keys">{items}</ul> });
    view! {
        <div class="consequence" data-tone="deny">
            <p>
                {who}
                " cannot sign in any more, and no call that "
                {whose}
                " rights were needed for is let through from then on."
            </p>
            {items}
            {running(told.running)}
        </div>
    }
    .into_any()
}

/// What becomes of agents and modules; nothing is asked where there are none.
fn fate(told: &Parting, form: &Form, hands_over: bool) -> AnyView {
    if told.agents + told.suspended_agents + told.modules == 0 {
        return view! { <input type="hidden" name="agents" value="stop" /> }.into_any();
    }
    let what: Vec<String> = [
        (told.agents, "agent", "agents"),
        (told.suspended_agents, "suspended agent", "suspended agents"),
        (told.keys, "key", "keys"),
        (told.modules, "module", "modules"),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, one, many)| said::counted(count, one, many))
    .collect();
    let what = what.join(", ");
    let stop = "The agents are suspended with their next call; nobody answers for the modules until an admin says who.";
    if !hands_over {
        return view! {
            <input type="hidden" name="agents" value="stop" />
            <p class="consequence">"Left behind: " {what} ". " {stop}</p>
        }
        .into_any();
    }
    let options = vec![
        (
            "hand".to_owned(),
            "Hand them over".to_owned(),
            Some("They go on as they are, and another person answers for them.".to_owned()),
        ),
        ("stop".to_owned(), "Stop them".to_owned(), Some(stop.to_owned())),
    ];
    let begun =
        if form.value("agents").is_empty() { form.clone().with("agents", "hand") } else { form.clone() };
    view! {
        <Radios form=begun name="agents" legend=format!("What becomes of {what}?") options=options />
        <TextField
            form=form.clone()
            name="to"
            label="Mail address of the person who takes them over"
            hint="Only where they are handed over."
            kind="email"
            longest=254
            required=false
        />
    }
    .into_any()
}

//! A person's page: where they sit, what they may do, what they answer for, where they are signed in.

use control::account::SessionLine;
use control::authority::Deed;
use control::people::{AgentLine, Listed, Node, PersonStory, Presence, RoleHeld};
use leptos::prelude::*;
use model::UserId;

use super::list::agents_table;
use super::said;
use crate::document::{self, Crumb, Visit};
use crate::links::Place;
use crate::pieces::field::ErrorSummary;
use crate::pieces::folding::Head::{Of, Unseen};
use crate::pieces::folding::folding;
use crate::pieces::form::{Form, SelectField, hidden};
use crate::pieces::head::PageHead;
use crate::pieces::sessions;
use crate::pieces::sign::State;
use crate::{text, wording};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The person.
    pub story: PersonStory,
    /// The first of the agents that they answer for.
    pub agents: Listed<AgentLine>,
    /// The units to choose from; empty where the reader may change nothing.
    pub tree: Vec<Node>,
    /// Where they are signed in; none: not the reader's to see.
    pub sessions: Option<Vec<SessionLine>>,
    /// Whether the reader may make owners.
    pub may_own: bool,
    /// What they can use, as [`crate::pieces`] shows it; none: not the reader's to see.
    pub access: Option<String>,
}

/// The page. `form` holds what one of its forms came back with.
pub fn page(visit: &Visit, shown: &Shown, form: &Form) -> String {
    let links = visit.links();
    let story = &shown.story;
    let crumbs = vec![Crumb::to("People & Agents", links.people()), Crumb::here(story.name.clone())];
    document::page(visit, Place::People, &form.title(&story.name), crumbs, false, || {
        let (clock, me) = (visit.clock(), story.id == visit.user);
        let lead = match story.removed_at {
            Some(at) => view! {
                "Removed "
                {said::day(at, clock)}
                ". Their name stays on the calls that were made; their address can be invited again."
            }
            .into_any(),
            None => view! {
                {text::name(&story.email)}
                " · here since "
                {said::day(story.created_at, clock)}
                {me.then_some(" · this is you")}
            }
            .into_any(),
        };
        let sessions = shown.sessions.as_deref().filter(|_| !me).map(|list| {
            view! {
                <section class="part">
                    <h2>"Signed in"</h2>
                    {sessions::of_person(visit, list, None, &links.end_sessions_of(story.id))}
                </section>
            }
        });
        let home = &story.home;
        let actions = actions(visit, story);
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead title=text::name(&story.name).into_any() lead=lead>
                {actions}
            </PageHead>
            <dl class="particulars">
                <div>
                    <dt>"Standing"</dt>
                    <dd><State sign=said::presence(story.presence) /></dd>
                </div>
                <div>
                    <dt>"Sits in"</dt>
                    <dd>
                        {if story.path.is_empty() {
                            text::name(&home.1).into_any()
                        } else {
                            said::path(&links, &story.path).into_any()
                        }}
                    </dd>
                </div>
                <div>
                    <dt>"Signs in"</dt>
                    <dd>{if story.has_password { "By password" } else { "Not yet: has no password" }}</dd>
                </div>
                <div>
                    <dt>"Calls"</dt>
                    <dd>
                        <a href=links.calls_of_person(story.id)>
                            {if me { "Of your agents, and on your behalf" } else { "Of their agents, and on their behalf" }}
                        </a>
                    </dd>
                </div>
            </dl>
            {units(visit, shown, form)}
            {roles(visit, shown, form)}
            {agents(visit, shown)}
            {shown
                .access
                .clone()
                .map(|access| {
                    view! {
                        <section class="part" id="access">
                            <h2>{if me { "What you can use" } else { "What they can use" }}</h2>
                            <div inner_html=access></div>
                        </section>
                    }
                })}
            {sessions}
        }
    })
}

fn actions(visit: &Visit, story: &PersonStory) -> impl IntoView + use<> {
    let links = visit.links();
    let (id, me) = (story.id, story.id == visit.user);
    let own = me.then(|| view! { <a class="button" href=links.me()>"My account"</a> });
    let others = (story.may_change && !me).then(|| {
        let standing = match story.presence {
            Presence::Active => {
                view! { <a class="button" href=links.suspend_user(id)>"Suspend"</a> }.into_any()
            }
            _ => view! {
                <form method="post" action=links.resume_user(id)>
                    <button type="submit" class="button primary">
                        "Resume"
                    </button>
                </form>
            }
            .into_any(),
        };
        let revoke = visit.may(Deed::ChangeAgents).then(|| {
            view! { <a class="button danger" href=links.revoke_user(id)>"Revoke now"</a> }
        });
        view! {
            {revoke}
            {standing}
            <a class="button" href=links.remove_user(id)>
                "Remove"
            </a>
        }
    });
    view! {
        {own}
        {others}
    }
}

fn units(visit: &Visit, shown: &Shown, form: &Form) -> impl IntoView + use<> {
    let links = visit.links();
    let story = &shown.story;
    let id = story.id;
    let further = story
        .further
        .iter()
        .map(|unit| {
            let leave = story.may_change.then(|| {
                view! {
                    <form method="post" action=links.leave_unit(id)>
                        {hidden("unit", unit.0.to_string())}
                        <button type="submit" class="button plain">
                            "End"
                            <span class="visually-hidden">" membership of " <bdi>{text::one_line(&unit.1, 120)}</bdi></span>
                        </button>
                    </form>
                }
            });
            view! { <li>{said::unit_link(&links, unit)} {leave}</li> }
        })
        .collect::<Vec<_>>();
    let none = further.is_empty().then(|| {
        view! { <p class="absent">{if story.id == visit.user { "You are a member of no further unit." } else { "Member of no further unit." }}</p> }
    });
    let forms = story.may_change.then(|| {
        let begun = if form.value("home").is_empty() {
            form.clone().with("home", story.home.0.to_string())
        } else {
            form.clone()
        };
        view! {
            <div class="side-by-side">
                <form class="inline-form" method="post" action=links.move_user(id) novalidate="">
                    <SelectField form=begun name="home" label="Sits in" options=said::unit_options(&shown.tree) />
                    <button type="submit" class="button">
                        "Move there"
                    </button>
                </form>
                <form class="inline-form" method="post" action=links.join_unit(id) novalidate="">
                    <SelectField
                        form=form.clone()
                        name="unit"
                        label="Further unit"
                        none="Choose a unit"
                        options=said::unit_options(&shown.tree)
                    />
                    <button type="submit" class="button">
                        "Add"
                    </button>
                </form>
            </div>
        }
    });
    view! {
        <section class="part">
            <h2>"Units"</h2>
            <p class="note">
                "People have the permission keys of the unit that they sit in, of those that they are members of, and of all above."
            </p>
            {none}
            <ul class="members">{further}</ul>
            {forms}
        </section>
    }
}

fn roles(visit: &Visit, shown: &Shown, form: &Form) -> impl IntoView + use<> {
    let (links, clock) = (visit.links(), visit.clock());
    let story = &shown.story;
    let id = story.id;
    let rows = story
        .roles
        .iter()
        .map(|held| {
            let place = match &held.unit {
                Some(unit) => said::unit_link(&links, unit).into_any(),
                None => text::name(&visit.organization).into_any(),
            };
            let take = story.may_change.then(|| take_role(visit, id, held));
            view! {
                <tr>
                    <th scope="row" class="who">
                        {wording::role(held.role)}
                        <span class="note">{said::meaning(held.role)}</span>
                    </th>
                    <td data-label="Where">{place}</td>
                    <td data-label="Given">
                        {said::when(held.given_at, clock)}
                        " by "
                        {text::name(&held.given_by)}
                    </td>
                    <td class="row-actions">{take}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    let table = if rows.is_empty() {
        let said = if id == visit.user {
            "No role: you see yourself, your own agents and those agents' calls."
        } else {
            "No role: they see themselves, their own agents and those agents' calls."
        };
        view! { <p class="absent">{said}</p> }.into_any()
    } else {
        folding(Unseen("Roles of this person"), &[Of("Role"), Of("Where"), Of("Given"), Unseen("Take")], rows)
            .into_any()
    };
    let give = story.may_change.then(|| {
        view! {
            <form class="inline-form" method="post" action=links.give_role(id) novalidate="">
                <SelectField
                    form=form.clone()
                    name="role"
                    label="Role"
                    none="Choose a role"
                    options=said::role_options(shown.may_own)
                />
                <SelectField
                    form=form.clone()
                    name="where"
                    label="Where"
                    none=text::one_line(&visit.organization, 120)
                    options=said::unit_options(&shown.tree)
                />
                <button type="submit" class="button">
                    "Give"
                </button>
            </form>
        }
    });
    view! {
        <section class="part">
            <h2>"Roles"</h2>
            {table}
            {give}
        </section>
    }
}

fn take_role(visit: &Visit, user: UserId, held: &RoleHeld) -> impl IntoView + use<> {
    let links = visit.links();
    let place = held.unit.as_ref().map(|unit| hidden("where", unit.0.to_string()));
    view! {
        <form method="post" action=links.take_role(user)>
            {hidden("role", held.role.word())}
            {place}
            <button type="submit" class="button danger-link">
                "Take away"
                <span class="visually-hidden">" the role " {wording::role(held.role)}</span>
            </button>
        </form>
    }
}

fn agents(visit: &Visit, shown: &Shown) -> impl IntoView + use<> {
    let links = visit.links();
    let content = if shown.agents.rows.is_empty() {
        let who = if shown.story.id == visit.user { "You answer" } else { "They answer" };
        view! { <p class="absent">{who} " for no agent."</p> }.into_any()
    } else {
        let caption = said::counted(shown.agents.total, "agent", "agents");
        let cut = (shown.agents.total > shown.agents.rows.len() as u64).then(|| {
            view! { <p class="note">"The first " {shown.agents.rows.len()} " by name."</p> }
        });
        view! {
            {agents_table(&links, &shown.agents.rows, Of(&caption))}
            {cut}
        }
        .into_any()
    };
    view! {
        <section class="part">
            <h2>"Agents"</h2>
            {content}
        </section>
    }
}

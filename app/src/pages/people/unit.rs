//! A unit: its page, and the forms that make, rename, move and archive one.

use control::authority::Deed;
use control::people::{AgentLine, GrantHere, Listed, Node, PersonLine, RoleHere, UnitStory};
use control::units::{Archiving, Inherited, Moving};
use leptos::prelude::*;
use model::UnitId;
use model::people::{UnitKind, UnitView};

use super::list::{Query, Show, agents_table, people_table};
use super::said;
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::{Links, Place};
use crate::pieces::field::ErrorSummary;
use crate::pieces::folding::Head::{Number, Of, Unseen};
use crate::pieces::folding::folding;
use crate::pieces::form::{Form, Radios, SelectField, TextField, hidden};
use crate::pieces::head::PageHead;
use crate::wording::Clock;
use crate::{text, wording};

/// In the place of a unit: the top of the tree.
pub const TOP: &str = "top";

/// A unit's page, with the first of its people and agents.
pub fn page(
    visit: &Visit,
    story: &UnitStory,
    people: &Listed<PersonLine>,
    agents: &Listed<AgentLine>,
) -> String {
    let links = visit.links();
    let (_, above) =
        story.path.split_last().map_or((None, [].as_slice()), |(last, above)| (Some(last), above));
    let mut crumbs = said::crumbs(&links, above);
    crumbs.push(Crumb::here(story.node.view.name.clone()));
    document::page(visit, Place::People, &story.node.view.name, crumbs, false, || {
        let view = &story.node.view;
        let lead = view! {
            {said::kind(view.kind)}
            {(!above.is_empty()).then(|| view! { " in " {said::path(&links, above)} })}
            ": "
            {said::counted(story.node.people, "person", "people")}
            " and "
            {said::counted(story.node.agents, "agent", "agents")}
            " sit in it or below."
        }
        .into_any();
        let actions = visit.may(Deed::ChangePeople).then(|| actions(&links, view.id));
        let all =
            |show| links.people_with(&Query { unit: Some(view.id), show, ..Query::default() }.to_query());
        let people = first(
            ("People", "person", "people"),
            people,
            all(Show::People),
            "Nobody sits in this unit or below.",
            |rows| people_table(&links, rows, Of("In it and below, members too")).into_any(),
        );
        let agents = first(
            ("Agents", "agent", "agents"),
            agents,
            all(Show::Agents),
            "No agent sits in this unit or below.",
            |rows| agents_table(&links, rows, Unseen("Agents in it and below")).into_any(),
        );
        view! {
            <PageHead title=text::name(&view.name).into_any() lead=lead>
                {actions}
            </PageHead>
            {below(visit, &story.children, view.id)}
            {people}
            {agents}
            {roles(visit, &story.roles, view.id)}
            {story.grants.as_deref().map(|grants| given(visit, grants, view.id))}
        }
    })
}

fn actions(links: &Links, unit: UnitId) -> impl IntoView + use<> {
    view! {
        <a class="button" href=links.new_unit(Some(unit))>
            <Icon name="add" />
            "New unit below"
        </a>
        <a class="button" href=links.rename_unit(unit)>
            "Rename"
        </a>
        <a class="button" href=links.move_unit(unit)>
            "Move"
        </a>
        <a class="button" href=links.archive_unit(unit)>
            "Archive"
        </a>
    }
}

fn below(visit: &Visit, children: &[Node], unit: UnitId) -> impl IntoView + use<> {
    let links = visit.links();
    let content = if children.is_empty() {
        let way = visit.may(Deed::ChangePeople).then(|| {
            view! { " " <a href=links.new_unit(Some(unit))>"Make one"</a> "." }
        });
        view! { <p class="absent">"There is no unit below this one." {way}</p> }.into_any()
    } else {
        let rows = children
            .iter()
            .map(|node| {
                view! {
                    <tr>
                        <th scope="row" class="who">
                            <a href=links.unit(node.view.id)>{text::name(&node.view.name)}</a>
                        </th>
                        <td data-label="Kind">{said::kind(node.view.kind)}</td>
                        <td data-label="People" class="number">{wording::grouped(node.people)}</td>
                        <td data-label="Agents" class="number">{wording::grouped(node.agents)}</td>
                    </tr>
                }
            })
            .collect::<Vec<_>>();
        folding(
            Unseen("Units below, with those in them and below"),
            &[Of("Name"), Of("Kind"), Number("People"), Number("Agents")],
            rows,
        )
        .into_any()
    };
    view! {
        <section class="part">
            <h2>"Units below"</h2>
            {content}
        </section>
    }
}

/// How many rows of people and agents the page shows before it leads to the whole list.
pub const FIRST: usize = 10;

/// The first of the people or agents, and the way to all of them.
fn first<T>(
    (title, one, many): (&'static str, &str, &str),
    here: &Listed<T>,
    all: String,
    none: &'static str,
    table: impl Fn(&[T]) -> AnyView,
) -> AnyView {
    let content = if here.rows.is_empty() {
        view! { <p class="absent">{none}</p> }.into_any()
    } else {
        let shown = here.rows.get(..FIRST).unwrap_or(&here.rows);
        table(shown)
    };
    // Where there are none, there is nothing to see.
    let way = (here.total > 0).then(|| {
        let all_of = said::counted(here.total, one, many);
        view! { <a href=all>"See all " {all_of}</a> }
    });
    view! {
        <section class="part">
            <div class="part-head">
                <h2>{title}</h2>
                {way}
            </div>
            {content}
        </section>
    }
    .into_any()
}

fn roles(visit: &Visit, roles: &[RoleHere], unit: UnitId) -> impl IntoView + use<> {
    let (links, clock) = (visit.links(), visit.clock());
    let content = if roles.is_empty() {
        view! {
            <p class="absent">
                "Nobody holds a role on this unit. A role on a unit, such as approver, holds there and below; it is given on "
                "the page of a person."
            </p>
        }
        .into_any()
    } else {
        let rows = roles
            .iter()
            .map(|held| {
                view! {
                    <tr>
                        <th scope="row" class="who">{said::person_link(&links, &held.person)}</th>
                        <td data-label="Role">{wording::role(held.role)}</td>
                        <td data-label="Through">{through(&links, &held.unit, unit)}</td>
                        <td data-label="Given">{by(&held.given_by, held.given_at, clock)}</td>
                    </tr>
                }
            })
            .collect::<Vec<_>>();
        folding(
            Unseen("Roles that hold on this unit"),
            &[Of("Person"), Of("Role"), Of("Through"), Of("Given")],
            rows,
        )
        .into_any()
    };
    view! {
        <section class="part">
            <h2>"Roles on it"</h2>
            {content}
        </section>
    }
}

fn given(visit: &Visit, grants: &[GrantHere], unit: UnitId) -> impl IntoView + use<> {
    let (links, clock) = (visit.links(), visit.clock());
    let content = if grants.is_empty() {
        view! {
            <p class="absent">
                "No permission key was given to this unit or one above it, so its agents have only what they were given "
                "themselves."
            </p>
        }
        .into_any()
    } else {
        let rows = grants
            .iter()
            .map(|grant| {
                let until = match grant.expires_at {
                    Some(at) => view! { {said::when(at, clock)} }.into_any(),
                    None => view! { <span class="absent">"Until revoked"</span> }.into_any(),
                };
                view! {
                    <tr>
                        <th scope="row" class="who">{text::code(grant.key.as_str())}</th>
                        <td data-label="Through">{through(&links, &grant.unit, unit)}</td>
                        <td data-label="Until">{until}</td>
                        <td data-label="Given">{by(&grant.given_by, grant.given_at, clock)}</td>
                    </tr>
                }
            })
            .collect::<Vec<_>>();
        folding(
            Of("Permission keys that hold for everybody and every agent in it"),
            &[Of("Key"), Of("Through"), Of("Until"), Of("Given")],
            rows,
        )
        .into_any()
    };
    view! {
        <section class="part">
            <h2>"Grants"</h2>
            {content}
            <p>
                <a href=links.grants()>"See the grants matrix"</a>
            </p>
        </section>
    }
}

fn through(links: &Links, unit: &(UnitId, String), here: UnitId) -> AnyView {
    if unit.0 == here { view! { "This unit" }.into_any() } else { said::unit_link(links, unit).into_any() }
}

fn by(name: &str, at: model::Timestamp, clock: Clock) -> impl IntoView + use<> {
    view! {
        <span class="together">{said::when(at, clock)}</span>
        " by "
        {text::name(name)}
    }
}

/// The form for a new unit.
pub fn create(visit: &Visit, tree: &[Node], form: &Form) -> String {
    let links = visit.links();
    let crumbs = vec![Crumb::to("People & Agents", links.people()), Crumb::here("New unit")];
    document::page(visit, Place::People, &form.title("New unit"), crumbs, false, || {
        let kinds = vec![
            (
                "department".to_owned(),
                "Department".to_owned(),
                Some("Holds teams, and people who are in none.".to_owned()),
            ),
            (
                "team".to_owned(),
                "Team".to_owned(),
                Some("People who work on one thing, with their agents.".to_owned()),
            ),
        ];
        let begun = if form.value("kind").is_empty() {
            let kind = if form.value("parent").is_empty() { UnitKind::Department } else { UnitKind::Team };
            form.clone().with("kind", kind.word())
        } else {
            form.clone()
        };
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead
                title="New unit".into_any()
                lead="A unit gives everybody and every agent in it, and below, the permission keys that are given to it.".into_any()
            />
            <form class="sheet" method="post" action=links.new_unit(None) novalidate="">
                <TextField form=begun.clone() name="name" label="Name" />
                <Radios form=begun.clone() name="kind" legend="What it is" options=kinds />
                <SelectField
                    form=begun
                    name="parent"
                    label="Under"
                    none=text::one_line(&visit.organization, 120)
                    options=said::unit_options(tree)
                />
                <div class="form-actions">
                    <button type="submit" class="button primary">
                        "Make the unit"
                    </button>
                    <a class="button plain" href=links.people()>
                        "Cancel"
                    </a>
                </div>
            </form>
        }
    })
}

/// The form for another name.
pub fn rename(visit: &Visit, path: &[UnitView], form: &Form) -> String {
    let links = visit.links();
    let Some(unit) = path.last() else { return String::new() };
    let mut crumbs = said::crumbs(&links, path);
    crumbs.push(Crumb::here("Rename"));
    document::page(visit, Place::People, &form.title("Rename a unit"), crumbs, false, || {
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead
                title=view! { "Rename " {text::name(&unit.name)} }.into_any()
                lead="Calls that were made keep their place: they are found under the new name.".into_any()
            />
            <form class="sheet" method="post" action=links.rename_unit(unit.id) novalidate="">
                <TextField form=form.clone() name="name" label="Name" />
                <div class="form-actions">
                    <button type="submit" class="button primary">
                        "Rename"
                    </button>
                    <a class="button plain" href=links.unit(unit.id)>
                        "Cancel"
                    </a>
                </div>
            </form>
        }
    })
}

/// The choice of a new place; with one chosen, what the move would change and the button that does it.
pub fn relocate(
    visit: &Visit,
    path: &[UnitView],
    tree: &[Node],
    form: &Form,
    told: Option<&Moving>,
) -> String {
    let links = visit.links();
    let Some(unit) = path.last() else { return String::new() };
    let mut crumbs = said::crumbs(&links, path);
    crumbs.push(Crumb::here("Move"));
    document::page(visit, Place::People, &form.title("Move a unit"), crumbs, false, || {
        // Neither into itself nor below itself.
        let mut inside: Option<usize> = None;
        let free: Vec<Node> = tree
            .iter()
            .filter(|node| {
                if inside.is_some_and(|depth| node.depth <= depth) {
                    inside = None;
                }
                if node.view.id == unit.id {
                    inside = Some(node.depth);
                }
                inside.is_none()
            })
            .cloned()
            .collect();
        let mut options = vec![(TOP.to_owned(), text::one_line(&visit.organization, 120))];
        options.extend(said::unit_options(&free));
        let consequence = told.map(|told| consequence(visit, unit, told));
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead
                title=view! { "Move " {text::name(&unit.name)} }.into_any()
                lead="Everybody, every agent and every unit in it moves along. Nothing moves before you have seen what it changes.".into_any()
            />
            <form class="sheet" method="get" action=links.move_unit(unit.id) novalidate="">
                <SelectField form=form.clone() name="to" label="Under" options=options />
                <div class="form-actions">
                    <button type="submit" class="button" class:primary=told.is_none()>
                        "Show what it changes"
                    </button>
                    <a class="button plain" href=links.unit(unit.id)>
                        "Cancel"
                    </a>
                </div>
            </form>
            {consequence}
        }
    })
}

fn consequence(visit: &Visit, unit: &UnitView, told: &Moving) -> impl IntoView + use<> {
    let links = visit.links();
    let place = match told.to.last() {
        Some(goal) => view! { "under " {text::name(&goal.name)} }.into_any(),
        None => "to the top".into_any(),
    };
    let list = |keys: &[Inherited]| {
        keys.iter()
            .map(|it| {
                view! {
                    <li>
                        {text::code(it.key.as_str())}
                        ", given to "
                        {said::unit_link(&links, &(it.unit, it.unit_name.clone()))}
                    </li>
                }
            })
            .collect::<Vec<_>>()
    };
    let whom = format!(
        "{}, {} and {} in force",
        said::counted(told.people, "person", "people"),
        said::counted(told.agents, "agent", "agents"),
        said::counted(told.keys, "key", "keys")
    );
    let (loses, gains) = (list(&told.loses), list(&told.gains));
    let nothing = loses.is_empty() && gains.is_empty();
    view! {
        <section class="part">
            <h2>"What it changes"</h2>
            <div class="consequence">
                <p>
                    <strong>{text::name(&unit.name)}</strong>
                    " moves "
                    {place}
                    ", with "
                    {whom}
                    "."
                </p>
                {(!loses.is_empty())
                    .then(|| {
                        view! {
                            <p>"They lose, unless they have it in another way:"</p>
                            <ul class="keys">{loses}</ul>
                        }
                    })}
                {(!gains.is_empty())
                    .then(|| {
                        view! {
                            <p>"They gain:"</p>
                            <ul class="keys">{gains}</ul>
                        }
                    })}
                {nothing.then(|| view! { <p>"No permission key is lost or gained by it."</p> })}
            </div>
            <form method="post" action=links.move_unit(unit.id)>
                {hidden("to", told.to.last().map_or(TOP.to_owned(), |goal| goal.id.to_string()))}
                <button type="submit" class="button primary">
                    "Move the unit"
                </button>
            </form>
        </section>
    }
}

/// What archiving meets and ends, and the button that does it if nothing is inside.
pub fn archive(visit: &Visit, told: &Archiving, form: &Form) -> String {
    let links = visit.links();
    let Some(unit) = told.path.last() else { return String::new() };
    let mut crumbs = said::crumbs(&links, &told.path);
    crumbs.push(Crumb::here("Archive"));
    document::page(visit, Place::People, &form.title("Archive a unit"), crumbs, false, || {
        let body = if told.is_empty() { ending(&links, unit, told) } else { inside(&links, unit, told) };
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead
                title=view! { "Archive " {text::name(&unit.name)} }.into_any()
                lead="It leaves the tree and stays on the record of past calls. Its name can be used again.".into_any()
            />
            {body}
        }
    })
}

fn ending(links: &Links, unit: &UnitView, told: &Archiving) -> AnyView {
    let ends: Vec<String> = [
        (told.grants, "grant is revoked", "grants are revoked"),
        (told.roles, "role on it is taken", "roles on it are taken"),
        (told.invitations, "open invitation is withdrawn", "open invitations are withdrawn"),
    ]
    .into_iter()
    .filter(|(count, _, _)| *count > 0)
    .map(|(count, one, many)| said::counted(count, one, many))
    .collect();
    let sentence = if ends.is_empty() {
        "Nothing is inside, and nothing ends with it.".to_owned()
    } else {
        format!("Nothing is inside. With it, {}.", ends.join(", "))
    };
    view! {
        <p class="consequence" data-tone="deny">{sentence}</p>
        <form class="form-actions" method="post" action=links.archive_unit(unit.id)>
            <button type="submit" class="button danger">
                "Archive the unit"
            </button>
            <a class="button plain" href=links.unit(unit.id)>
                "Cancel"
            </a>
        </form>
    }
    .into_any()
}

fn inside(links: &Links, unit: &UnitView, told: &Archiving) -> AnyView {
    let id = unit.id;
    let people = links.people_with(&Query { unit: Some(id), ..Query::default() }.to_query());
    let query = Query { unit: Some(id), show: Show::Agents, ..Query::default() };
    let agents = links.people_with(&query.to_query());
    let items = [
        (told.units, "unit below", "units below", links.unit(id)),
        (told.people, "person", "people", people),
        (told.agents, "agent", "agents", agents),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, one, many, href)| view! { <li><a href=href>{said::counted(count, one, many)}</a></li> })
    .collect::<Vec<_>>();
    view! {
        <div class="consequence">
            <p>"It is not empty, so it cannot be archived yet. Move these first, each on its own page:"</p>
            <ul class="keys">{items}</ul>
        </div>
        <p>
            <a class="button" href=links.unit(id)>
                "Back to the unit"
            </a>
        </p>
    }
    .into_any()
}

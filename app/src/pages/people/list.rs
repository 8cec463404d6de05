//! The front page of the place: the tree of units left, the people or agents of the chosen one right.

use std::str::FromStr;

use control::authority::Deed;
use control::people::{AgentLine, Listed, Node, PAGE, PersonLine, Presence, Sought, SoughtAgents};
use leptos::prelude::*;
use model::UnitId;
use model::people::{Role, Standing};

use super::said;
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::{Links, Place};
use crate::pieces::field::Field;
use crate::pieces::folding::Head::{Number, Of};
use crate::pieces::folding::{Head, folding};
use crate::pieces::head::PageHead;
use crate::pieces::sign::State;
use crate::{text, wording};

/// A search is cut to this many characters.
const TEXT: usize = 100;
/// Up to this many units, the tree is all open.
const FEW: usize = 24;

/// What is listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Show {
    /// People.
    #[default]
    People,
    /// Agents.
    Agents,
}

/// What the address asks for. What cannot be understood is left out of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// What is listed.
    pub show: Show,
    /// Of which unit and below.
    pub unit: Option<UnitId>,
    /// Part of a name or mail address.
    pub text: String,
    /// People with this role.
    pub role: Option<Role>,
    /// People who are so; for agents, active or suspended.
    pub presence: Option<Presence>,
    /// Which page, from 0.
    pub page: u32,
}

impl Query {
    /// Reads it from the fields of an address.
    pub fn read<'a>(field: impl Fn(&str) -> &'a str) -> Self {
        fn word<T: FromStr>(text: &str) -> Option<T> {
            text.parse().ok()
        }
        let show = if field("show") == "agents" { Show::Agents } else { Show::People };
        let presence = word(field("standing"));
        Self {
            show,
            unit: word(field("unit")),
            text: field("text").trim().chars().filter(|c| !c.is_control()).take(TEXT).collect(),
            role: word(field("role")).filter(|_| show == Show::People),
            presence: presence.filter(|it| show == Show::People || *it != Presence::Removed),
            page: word::<u32>(field("page")).map_or(0, |page| page.saturating_sub(1).min(10_000)),
        }
    }

    /// As it stands in an address, without what is left out.
    pub fn to_query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(unit) = self.unit {
            query.append_pair("unit", &unit.to_string());
        }
        if self.show == Show::Agents {
            query.append_pair("show", "agents");
        }
        if !self.text.is_empty() {
            query.append_pair("text", &self.text);
        }
        if let Some(role) = self.role {
            query.append_pair("role", role.word());
        }
        if let Some(presence) = self.presence {
            query.append_pair("standing", presence.word());
        }
        if self.page > 0 {
            query.append_pair("page", &(self.page + 1).to_string());
        }
        query.finish()
    }

    /// For the list of people.
    pub fn people(&self) -> Sought {
        let text = (!self.text.is_empty()).then(|| self.text.clone());
        Sought { unit: self.unit, text, role: self.role, presence: self.presence, page: self.page }
    }

    /// For the list of agents.
    pub fn agents(&self) -> SoughtAgents {
        SoughtAgents {
            unit: self.unit,
            text: (!self.text.is_empty()).then(|| self.text.clone()),
            standing: match self.presence {
                Some(Presence::Active) => Some(Standing::Active),
                Some(Presence::Suspended) => Some(Standing::Suspended),
                Some(Presence::Removed) | None => None,
            },
            owner: None,
            page: self.page,
        }
    }

    fn filters(&self) -> bool {
        !self.text.is_empty() || self.role.is_some() || self.presence.is_some()
    }

    fn at(&self, links: &Links) -> String {
        links.people_with(&self.to_query())
    }
}

/// What the page lists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rows {
    /// People.
    People(Listed<PersonLine>),
    /// Agents.
    Agents(Listed<AgentLine>),
}

/// What the page shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// The tree; none for those who see themselves alone.
    pub tree: Option<Vec<Node>>,
    /// The list.
    pub rows: Rows,
    /// How many invitations wait, for those who may invite.
    pub invited: Option<u64>,
}

/// The page.
pub fn page(visit: &Visit, query: &Query, shown: &Shown) -> String {
    let links = visit.links();
    let chosen = shown
        .tree
        .as_deref()
        .and_then(|tree| tree.iter().find(|node| Some(node.view.id) == query.unit).cloned());
    let crumbs = match &chosen {
        Some(node) => vec![Crumb::to("People & Agents", links.people()), Crumb::here(node.view.name.clone())],
        None => vec![Crumb::here("People & Agents")],
    };
    document::page(visit, Place::People, "People & Agents", crumbs, false, || {
        let lead = match shown.tree {
            Some(_) => "Who is here, in which unit, and the agents they answer for.".into_any(),
            None => "You and the agents that you answer for.".into_any(),
        };
        let tree = shown.tree.as_deref().map(|tree| tree_of(visit, tree, query));
        let list = match &shown.rows {
            Rows::People(people) => people_of(visit, query, people, chosen.as_ref()),
            Rows::Agents(agents) => agents_of(visit, query, agents, chosen.as_ref()),
        };
        let actions = actions(visit, shown.invited);
        view! {
            <PageHead title="People & Agents".into_any() lead=lead>
                {actions}
            </PageHead>
            <div class="people" data-alone=shown.tree.is_none()>
                {tree}
                <section class="people-list" aria-label="People and agents">
                    {chosen.as_ref().map(|node| unit_head(visit, node))}
                    {tabs(&links, query)}
                    {shown.tree.is_some().then(|| filters(&links, query))}
                    {list}
                </section>
            </div>
        }
    })
}

fn actions(visit: &Visit, invited: Option<u64>) -> impl IntoView + use<> {
    let links = visit.links();
    let people = visit.may(Deed::ChangePeople).then(|| {
        let waiting =
            invited.filter(|count| *count > 0).map(|count| format!(" ({})", wording::grouped(count)));
        view! {
            <a class="button primary" href=links.invite()>
                <Icon name="mail" />
                "Invite people"
            </a>
            <a class="button" href=links.invitations()>
                "Invitations"
                {waiting}
            </a>
            <a class="button" href=links.new_unit(None)>
                <Icon name="team" />
                "New unit"
            </a>
        }
    });
    let agents = visit.may(Deed::ChangeAgents).then(|| {
        view! {
            <a class="button" href=links.new_agent()>
                <Icon name="agent" />
                "New agent"
            </a>
        }
    });
    view! {
        {people}
        {agents}
    }
}

fn unit_head(visit: &Visit, node: &Node) -> impl IntoView + use<> {
    let links = visit.links();
    view! {
        <div class="unit-head">
            <h2>{text::name(&node.view.name)}</h2>
            <span class="note">{said::kind(node.view.kind)} " and all below it"</span>
            <a href=links.unit(node.view.id)>"Open the unit"</a>
        </div>
    }
}

/// People or agents, each keeping the unit and the search.
fn tabs(links: &Links, query: &Query) -> impl IntoView + use<> {
    let to = |show| Query { show, role: None, presence: None, page: 0, ..query.clone() }.at(links);
    let here = |show| (query.show == show).then_some("page");
    view! {
        <nav class="tabs" aria-label="What is listed">
            <a href=to(Show::People) aria-current=here(Show::People)>"People"</a>
            <a href=to(Show::Agents) aria-current=here(Show::Agents)>"Agents"</a>
        </nav>
    }
}

fn filters(links: &Links, query: &Query) -> impl IntoView + use<> {
    let options = |choices: Vec<(&'static str, &'static str)>, chosen: Option<&'static str>| {
        choices
            .into_iter()
            .map(|(value, label)| {
                let selected = chosen == Some(value);
                view! { <option value=value selected=selected>{label}</option> }
            })
            .collect::<Vec<_>>()
    };
    let people = query.show == Show::People;
    let roles = people.then(|| {
        let roles = Role::ALL.iter().map(|role| (role.word(), wording::role(*role))).collect();
        let roles = options(roles, query.role.map(Role::word));
        view! {
            <Field name="role" label="Role" error=None>
                <select id="role" name="role">
                    <option value="">"Any role"</option>
                    {roles}
                </select>
            </Field>
        }
    });
    let standings: &[Presence] = if people {
        &[Presence::Active, Presence::Suspended, Presence::Removed]
    } else {
        &[Presence::Active, Presence::Suspended]
    };
    let standings = standings.iter().map(|it| (it.word(), said::presence(*it).word)).collect();
    let standings = options(standings, query.presence.map(Presence::word));
    let text = text::one_line(&query.text, TEXT);
    let any = if people { "All who are here" } else { "Any" };
    let label = if people { "Name or mail address" } else { "Name of agent or owner" };
    let unit = query.unit.map(|unit| view! { <input type="hidden" name="unit" value=unit.to_string() /> });
    let show = (!people).then(|| view! { <input type="hidden" name="show" value="agents" /> });
    let clear =
        query.filters().then(|| Query { unit: query.unit, show: query.show, ..Query::default() }.at(links));
    view! {
        <form class="filters" method="get" action=links.people() role="search" aria-label="Search">
            {unit}
            {show}
            <Field name="text" label=label error=None>
                <input
                    type="search"
                    id="text"
                    name="text"
                    maxlength="100"
                    autocomplete="off"
                    spellcheck="false"
                    value=text
                />
            </Field>
            {roles}
            <Field name="standing" label="Standing" error=None>
                <select id="standing" name="standing">
                    <option value="">{any}</option>
                    {standings}
                </select>
            </Field>
            <div class="filter-actions">
                <button type="submit" class="button">
                    "Apply"
                </button>
                {clear.map(|href| view! { <a class="button plain" href=href>"Clear"</a> })}
            </div>
        </form>
    }
}

/// The tree: where there is no room beside the list, folded to the name of the chosen unit. A unit with others below opens
/// by itself where the chosen one is in it; all are open where there are few.
fn tree_of(visit: &Visit, tree: &[Node], query: &Query) -> impl IntoView + use<> {
    let links = visit.links();
    let keep = Query { role: None, presence: None, page: 0, text: String::new(), ..query.clone() };
    let to = |unit| Query { unit, ..keep.clone() }.at(&links);
    let everybody = query.unit.is_none().then_some("page");
    let open = opened(tree, query.unit);
    let mut rest = tree.iter().zip(open).peekable();
    let nodes = level(&mut rest, 0, query, &to);
    let chosen = tree.iter().find(|node| Some(node.view.id) == query.unit);
    let name = chosen.map_or(visit.organization.as_str(), |node| node.view.name.as_str());
    let whole = tree.iter().filter(|node| node.depth == 0).map(|node| here(node, query)).sum();
    view! {
        <details class="tree-fold">
            <summary>"Unit: " {text::name(name)}</summary>
            <nav class="tree" aria-label="Units">
                <a class="tree-row" href=to(None) aria-current=everybody>
                    {text::name(&visit.organization)}
                    {tree_count(whole, query)}
                </a>
                <ul>{nodes}</ul>
            </nav>
        </details>
    }
}

/// How many people or agents a unit has with all below it.
fn here(node: &Node, query: &Query) -> u64 {
    if query.show == Show::People { node.people } else { node.agents }
}

fn tree_count(count: u64, query: &Query) -> impl IntoView + use<> {
    let (one, many) = if query.show == Show::People { ("person", "people") } else { ("agent", "agents") };
    let title = format!("{} in it or below", said::counted(count, one, many));
    view! { <span class="tree-count" title=title>{wording::grouped(count)}</span> }
}

/// For each unit, whether what is below it is shown.
fn opened(tree: &[Node], chosen: Option<UnitId>) -> Vec<bool> {
    if tree.len() <= FEW {
        return vec![true; tree.len()];
    }
    let mut open = vec![false; tree.len()];
    let Some(at) = tree.iter().position(|node| Some(node.view.id) == chosen) else { return open };
    let mut depth = usize::MAX;
    for (node, open) in tree.iter().zip(open.iter_mut()).take(at + 1).rev() {
        if node.depth < depth {
            (depth, *open) = (node.depth, true);
        }
    }
    open
}

fn level<'a>(
    rest: &mut std::iter::Peekable<impl Iterator<Item = (&'a Node, bool)>>,
    depth: usize,
    query: &Query,
    to: &impl Fn(Option<UnitId>) -> String,
) -> Vec<AnyView> {
    let mut level_views = Vec::new();
    while let Some((node, open)) = rest.next_if(|(node, _)| node.depth >= depth) {
        let below = level(rest, node.depth + 1, query, to);
        let current = (query.unit == Some(node.view.id)).then_some("page");
        let name = text::one_line(&node.view.name, 120);
        let below = (!below.is_empty()).then(|| {
            view! {
                <details open=open>
                    <summary>
                        <Icon name="next" />
                        <span class="visually-hidden">"Units below " <bdi>{name}</bdi></span>
                    </summary>
                    <ul>{below}</ul>
                </details>
            }
        });
        level_views.push(
            view! {
                <li>
                    <a class="tree-row" href=to(Some(node.view.id)) aria-current=current>
                        {text::name(&node.view.name)}
                        {tree_count(here(node, query), query)}
                    </a>
                    {below}
                </li>
            }
            .into_any(),
        );
    }
    level_views
}

fn people_of(visit: &Visit, query: &Query, people: &Listed<PersonLine>, unit: Option<&Node>) -> AnyView {
    let links = visit.links();
    if people.rows.is_empty() {
        return nothing(visit, query, unit);
    }
    let pages = said::pages(people.total, query.page, PAGE, "people", |page| {
        Query { page, ..query.clone() }.at(&links)
    });
    view! {
        {people_table(&links, &people.rows, Of(&said::counted(people.total, "person", "people")))}
        {pages}
    }
    .into_any()
}

/// People as a table.
pub(super) fn people_table(links: &Links, people: &[PersonLine], caption: Head<'_>) -> impl IntoView + use<> {
    let rows = people
        .iter()
        .map(|person| {
            view! {
                <tr>
                    <th scope="row" class="who">
                        <a href=links.user(person.id)>{text::name(&person.name)}</a>
                        <span class="note">{text::name(&person.email)}</span>
                    </th>
                    <td data-label="Unit">{said::unit_link(links, &person.home)}</td>
                    <td data-label="Roles">{said::roles(links, &person.roles)}</td>
                    <td data-label="Agents" class="number">{wording::grouped(person.agents)}</td>
                    <td data-label="Standing"><State sign=said::presence(person.presence) /></td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    folding(caption, &[Of("Name"), Of("Unit"), Of("Roles"), Number("Agents"), Of("Standing")], rows)
}

fn agents_of(visit: &Visit, query: &Query, agents: &Listed<AgentLine>, unit: Option<&Node>) -> AnyView {
    let links = visit.links();
    if agents.rows.is_empty() {
        return nothing(visit, query, unit);
    }
    let pages = said::pages(agents.total, query.page, PAGE, "agents", |page| {
        Query { page, ..query.clone() }.at(&links)
    });
    view! {
        {agents_table(&links, &agents.rows, Of(&said::counted(agents.total, "agent", "agents")))}
        {pages}
    }
    .into_any()
}

/// Agents as a table.
pub(super) fn agents_table(links: &Links, agents: &[AgentLine], caption: Head<'_>) -> impl IntoView + use<> {
    let rows = agents
        .iter()
        .map(|agent| {
            view! {
                <tr>
                    <th scope="row" class="who">
                        <a href=links.agent(agent.id)>{text::name(&agent.name)}</a>
                    </th>
                    <td data-label="Owner">{said::person_link(links, &agent.owner)}</td>
                    <td data-label="Unit">{said::unit_link(links, &agent.home)}</td>
                    <td data-label="Keys" class="number">{wording::grouped(agent.keys)}</td>
                    <td data-label="Standing">
                        <State sign=said::standing(agent.standing, agent.owner_presence) />
                    </td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    folding(caption, &[Of("Name"), Of("Owner"), Of("Unit"), Number("Keys in force"), Of("Standing")], rows)
}

fn nothing(visit: &Visit, query: &Query, unit: Option<&Node>) -> AnyView {
    let links = visit.links();
    if query.filters() || query.page > 0 {
        let clear = Query { unit: query.unit, show: query.show, ..Query::default() }.at(&links);
        let (title, sentence) = match query.show {
            Show::People => ("Nobody matches", "Look for less of the name, or take a filter away."),
            Show::Agents => ("No agent matches", "Look for less of the name, or take a filter away."),
        };
        return view! {
            <section class="empty">
                <h2>{title}</h2>
                <p>{sentence}</p>
                <p>
                    <a class="button" href=clear>
                        "Clear the filters"
                    </a>
                </p>
            </section>
        }
        .into_any();
    }
    let place = match unit {
        Some(_) => "this unit",
        None => "the organization",
    };
    match query.show {
        Show::People => {
            let act = visit.may(Deed::ChangePeople).then(|| {
                view! {
                    <p>
                        <a class="button primary" href=links.invite()>
                            "Invite people"
                        </a>
                    </p>
                }
            });
            view! {
                <section class="empty">
                    <h2>"Nobody is in " {place} " yet"</h2>
                    <p>
                        "People sit in one unit and can be members of others. What is given to a unit holds for everybody "
                        "in it and below."
                    </p>
                    {act}
                </section>
            }
            .into_any()
        }
        Show::Agents => {
            let act = visit.may(Deed::ChangeAgents).then(|| {
                view! {
                    <p>
                        <a class="button primary" href=links.new_agent()>
                            "New agent"
                        </a>
                    </p>
                }
            });
            view! {
                <section class="empty">
                    <h2>"There is no agent in " {place} " yet"</h2>
                    <p>
                        "An agent is what calls tools: it has a person who answers for it, a unit whose permission keys it "
                        "has, and keys of its own to connect with."
                    </p>
                    {act}
                </section>
            }
            .into_any()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&'static str, &'static str)]) -> Query {
        let fields = fields.to_vec();
        Query::read(move |name| {
            fields.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value)
        })
    }

    #[test]
    fn an_address_keeps_what_can_be_understood() {
        let query = read(&[
            ("unit", "unit_00000000000000000000000000000007"),
            ("show", "agents"),
            ("text", "  a & b\0 "),
            ("role", "owner"),
            ("standing", "removed"),
            ("page", "3"),
        ]);
        assert_eq!(
            query.to_query(),
            "unit=unit_00000000000000000000000000000007&show=agents&text=a+%26+b&page=3",
            "agents have no role and are never removed"
        );
        let query = read(&[("role", "king"), ("standing", "asleep"), ("page", "-1"), ("unit", "agent_1")]);
        assert_eq!(query, Query::default());
        assert_eq!(read(&[("page", "1")]).to_query(), "");
        assert_eq!(read(&[("page", "99999999")]).page, 10_000);
        assert_eq!(
            read(&[("role", "admin"), ("standing", "active")]).to_query(),
            "role=admin&standing=active"
        );
    }
}

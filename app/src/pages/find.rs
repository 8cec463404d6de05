//! Search: pages, what one may do, people, agents, units, modules and tools, by the beginnings of words. As a page, and
//! as the fragment that the palette shows.

use control::find::{AgentHit, Found, ModuleHit, PersonHit, ToolHit, UnitHit};
use leptos::prelude::*;
use model::people::{Standing, UnitKind};

use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::{Links, Place};
use crate::pieces::head::PageHead;
use crate::text;

mod places;

/// Of each kind on the page.
pub const PAGE: u16 = 20;
/// Of each kind in the palette.
pub const PALETTE: u16 = 5;
/// Characters of a question that are kept.
pub const LONGEST: usize = 120;

/// One thing to go to.
struct Entry {
    icon: &'static str,
    href: String,
    /// What it is called.
    name: AnyView,
    /// What tells it from others of that name.
    beside: Option<AnyView>,
    suspended: bool,
}

/// Things of one kind.
struct Group {
    title: &'static str,
    entries: Vec<Entry>,
    /// Whether there are more than these.
    more: bool,
}

/// The page.
pub fn page(visit: &Visit, asked: &str, found: Found) -> String {
    let asked = text::one_line(asked, LONGEST);
    let title = if asked.is_empty() { "Find".to_owned() } else { format!("Find “{asked}”") };
    document::page(visit, Place::Elsewhere, &title, vec![Crumb::here("Find")], false, || {
        let links = visit.links();
        let groups = groups(visit, &links, &asked, found);
        let count: usize = groups.iter().map(|group| group.entries.len()).sum();
        let more = groups.iter().any(|group| group.more);
        let said = match (asked.is_empty(), count) {
            (true, _) => None,
            (false, 0) => None,
            (false, 1) => Some("1 result".to_owned()),
            (false, _) => Some(format!("{count} results{}", if more { ", and more" } else { "" })),
        };
        let nothing = (!asked.is_empty() && count == 0).then(|| nothing(&links));
        let sections = groups
            .into_iter()
            .enumerate()
            .map(|(at, group)| {
                let id = format!("found-{at}");
                let labelled = id.clone();
                let more = group.more.then(|| {
                    view! { <p class="note">"There are more: add a word, or more letters of one."</p> }
                });
                let entries = group
                    .entries
                    .into_iter()
                    .map(|entry| {
                        let Entry { icon, href, name, beside, suspended } = entry;
                        view! {
                            <li>
                                <a href=href>
                                    <Icon name=icon />
                                    {name}
                                </a>
                                {beside.map(|beside| view! { <span class="beside">{beside}</span> })}
                                {suspended.then(|| view! { <span class="beside">"suspended"</span> })}
                            </li>
                        }
                    })
                    .collect::<Vec<_>>();
                view! {
                    <section class="found" aria-labelledby=labelled>
                        <h2 id=id>{group.title}</h2>
                        <ul>{entries}</ul>
                        {more}
                    </section>
                }
                .into_any()
            })
            .collect::<Vec<_>>();
        view! {
            <PageHead
                title="Find".into_any()
                lead="Type how a word of the name begins. Finds people, agents, units, modules, tools, pages and what you can do.".into_any()
            />
            <form class="find-form" method="get" action=links.find() role="search">
                <label for="q">"Name"</label>
                <input
                    type="search"
                    id="q"
                    name="q"
                    value=asked
                    maxlength="120"
                    autocomplete="off"
                    spellcheck="false"
                    autofocus=""
                />
                <button type="submit" class="button primary">
                    "Find"
                </button>
            </form>
            {said.map(|said| view! { <p class="note" role="status">{said}</p> })}
            {nothing}
            <div class="found-groups">{sections}</div>
        }
    })
}

fn nothing(links: &Links) -> impl IntoView + use<> {
    view! {
        <section class="empty">
            <h2>"Nothing found"</h2>
            <p>
                "Type how each word of the name begins: "<code>"inb he"</code>" finds “Inbox helper”. What you may not see is "
                "not found. Calls are found in Activity."
            </p>
            <p>
                <a class="button" href=links.activity()>
                    "Search calls"
                </a>
            </p>
        </section>
    }
}

/// What the palette shows: options of a list box, in groups. The count is told to those who do not see it.
pub fn fragment(visit: &Visit, asked: &str, found: Found) -> String {
    let links = visit.links();
    let asked = text::one_line(asked, LONGEST);
    document::fragment(|| {
        let groups = groups(visit, &links, &asked, found);
        let count: usize = groups.iter().map(|group| group.entries.len()).sum();
        let more = groups.iter().any(|group| group.more);
        let mut number = 0;
        let mut option = |entry: Entry| {
            number += 1;
            let Entry { icon, href, name, beside, suspended } = entry;
            view! {
                <a role="option" aria-selected="false" tabindex="-1" id=format!("palette-{number}") href=href>
                    <Icon name=icon />
                    <span class="called">{name}</span>
                    {beside.map(|beside| view! { <span class="beside">{beside}</span> })}
                    {suspended.then(|| view! { <span class="beside">"suspended"</span> })}
                </a>
            }
        };
        let mut views: Vec<AnyView> = groups
            .into_iter()
            .map(|group| {
                let entries: Vec<_> = group.entries.into_iter().map(&mut option).collect();
                view! {
                    <div role="group" aria-label=group.title>
                        <p class="group-title" aria-hidden="true">
                            {group.title}
                        </p>
                        {entries}
                    </div>
                }
                .into_any()
            })
            .collect();
        if more {
            let all = Entry {
                icon: "find",
                href: links.find_for(&asked),
                name: view! { "All results for “" {text::name(&asked)} "”" }.into_any(),
                beside: None,
                suspended: false,
            };
            let all = option(all);
            views.push(view! { <div role="group" aria-label="More">{all}</div> }.into_any());
        }
        let nothing = (count == 0).then(|| view! { <p class="nothing">"Nothing found."</p> });
        view! { <div data-count=count.to_string()>{views} {nothing}</div> }
    })
}

fn groups(visit: &Visit, links: &Links, asked: &str, found: Found) -> Vec<Group> {
    let Found { people, agents, units, modules, tools } = found;
    let (pages, deeds) = places::found(visit, links, asked);
    let all = vec![
        Group { title: "Go to", entries: pages, more: false },
        Group { title: "Do", entries: deeds, more: false },
        Group {
            title: "People",
            more: people.more,
            entries: people.hits.into_iter().map(|hit| person(links, &hit)).collect(),
        },
        Group {
            title: "Agents",
            more: agents.more,
            entries: agents.hits.into_iter().map(|hit| agent(links, &hit)).collect(),
        },
        Group {
            title: "Departments and teams",
            more: units.more,
            entries: units.hits.into_iter().map(|hit| unit(links, &hit)).collect(),
        },
        Group {
            title: "Modules",
            more: modules.more,
            entries: modules.hits.into_iter().map(|hit| module(links, &hit)).collect(),
        },
        Group {
            title: "Tools",
            more: tools.more,
            entries: tools.hits.into_iter().map(|hit| tool(links, &hit)).collect(),
        },
    ];
    all.into_iter().filter(|group| !group.entries.is_empty()).collect()
}

fn person(links: &Links, hit: &PersonHit) -> Entry {
    let beside = view! { {text::name(&hit.unit)} " · " {text::name(&hit.email)} };
    Entry {
        icon: "person",
        href: links.user(hit.id),
        name: text::name(&hit.name).into_any(),
        beside: Some(beside.into_any()),
        suspended: hit.standing == Standing::Suspended,
    }
}

fn agent(links: &Links, hit: &AgentHit) -> Entry {
    let beside = view! { "of " {text::name(&hit.owner)} " · " {text::name(&hit.unit)} };
    Entry {
        icon: "agent",
        href: links.agent(hit.id),
        name: text::name(&hit.name).into_any(),
        beside: Some(beside.into_any()),
        suspended: hit.standing == Standing::Suspended,
    }
}

fn unit(links: &Links, hit: &UnitHit) -> Entry {
    let kind = match hit.kind {
        UnitKind::Department => "department",
        UnitKind::Team => "team",
    };
    let above = hit.above.as_deref().map(|above| view! { " in " {text::name(above)} });
    Entry {
        icon: "team",
        href: links.unit(hit.id),
        name: text::name(&hit.name).into_any(),
        beside: Some(view! { {kind} {above} }.into_any()),
        suspended: false,
    }
}

fn module(links: &Links, hit: &ModuleHit) -> Entry {
    Entry {
        icon: "catalog",
        href: links.module(&hit.name),
        name: text::name(&hit.title).into_any(),
        beside: Some(text::code(&hit.name).into_any()),
        suspended: false,
    }
}

fn tool(links: &Links, hit: &ToolHit) -> Entry {
    Entry {
        icon: "key",
        href: links.tool(&hit.module, &hit.name),
        name: text::code(&format!("{}.{}", hit.module, hit.name)).into_any(),
        beside: Some(text::name(&hit.module_title).into_any()),
        suspended: false,
    }
}

//! The catalog: modules, tools and bundles, the wizard that adds a module, trying a tool.

pub mod bundle;
pub mod bundles;
pub mod confirm;
mod definition;
pub mod module;
pub mod oauth;
pub mod table;
pub mod tool;
pub mod trial;
pub mod wizard;

use control::modules::{Asked, Health, Yours};
use leptos::prelude::*;
use model::access::PermissionKey;
use model::catalog::{ModuleKind, ToolStanding};

use crate::icon::Icon;
use crate::links::Links;
use crate::text;
use crate::wording::{Sign, Tone, grouped};

/// What the lists of modules and tools are asked for, as the URL has it.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Query {
    /// What is looked for.
    pub asked: Asked,
    /// Whether tools are listed, rather than modules.
    pub tools: bool,
}

impl Query {
    /// Reads a query. What it does not understand it leaves out: a list is shown in any case.
    pub fn read(query: &str) -> Self {
        let mut read = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).take(20) {
            match &*name {
                // NUL can be in no name, and the database takes none.
                "q" => read.asked.text = value.replace('\0', "").trim().chars().take(200).collect(),
                "standing" => read.asked.standing = value.parse().ok(),
                "page" => read.asked.page = value.parse::<u32>().map_or(0, |page| page.clamp(1, 10_000) - 1),
                "show" => read.tools = value == "tools",
                _ => {}
            }
        }
        read
    }

    /// The query part of the URL: only what is set.
    pub fn to_query(&self) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        if self.tools {
            out.append_pair("show", "tools");
        }
        if !self.asked.text.is_empty() {
            out.append_pair("q", &self.asked.text);
        }
        if let Some(standing) = self.asked.standing {
            out.append_pair("standing", standing.word());
        }
        if self.asked.page > 0 {
            out.append_pair("page", &(self.asked.page + 1).to_string());
        }
        out.finish()
    }

    fn at(&self, page: u32) -> Self {
        Self { asked: Asked { page, ..self.asked.clone() }, ..self.clone() }
    }

    /// Whether anything is looked for.
    fn filters(&self) -> bool {
        !self.asked.text.is_empty() || self.asked.standing.is_some()
    }
}

/// What the catalog is looked at as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tab {
    Modules,
    Tools,
    Bundles,
}

fn tabs(links: &Links, tab: Tab) -> AnyView {
    let here = |it: Tab| (it == tab).then_some("page");
    view! {
        <nav class="tabs" aria-label="Catalog">
            <a href=links.catalog() aria-current=here(Tab::Modules)>"Modules"</a>
            <a href=links.catalog_with("show=tools") aria-current=here(Tab::Tools)>"Tools"</a>
            <a href=links.bundles() aria-current=here(Tab::Bundles)>"Bundles"</a>
        </nav>
    }
    .into_any()
}

/// How a tool stands.
pub const fn standing(standing: ToolStanding) -> Sign {
    match standing {
        ToolStanding::Approved => Sign { tone: Tone::Permit, icon: "check", word: "Approved" },
        ToolStanding::Proposed => Sign { tone: Tone::Hold, icon: "clock", word: "Proposed" },
        ToolStanding::Drifted => Sign { tone: Tone::Drift, icon: "drift", word: "Drifted" },
        ToolStanding::Withdrawn => Sign { tone: Tone::Quiet, icon: "none", word: "Withdrawn" },
    }
}

/// How a module is.
pub const fn health(health: &Health) -> Sign {
    match health {
        Health::Off => Sign { tone: Tone::Quiet, icon: "stop", word: "Off" },
        Health::NotReached(_) => Sign { tone: Tone::Fault, icon: "alert", word: "Not reached" },
        Health::Failing => Sign { tone: Tone::Fault, icon: "alert", word: "Calls fail" },
        Health::Well => Sign { tone: Tone::Permit, icon: "check", word: "Well" },
        Health::Unknown => Sign { tone: Tone::Quiet, icon: "none", word: "Not asked yet" },
    }
}

/// How a module is reached, in words.
pub const fn kind(kind: ModuleKind) -> &'static str {
    match kind {
        ModuleKind::Mcp => "MCP server",
        ModuleKind::Native => "Built in",
    }
}

/// A number with its noun: `1 tool`, `1,200 tools`.
fn count(number: u64, one: &str) -> String {
    format!("{} {one}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// The standings to filter by.
fn standings() -> Vec<(String, String)> {
    ToolStanding::ALL.iter().map(|it| (it.word().to_owned(), standing(*it).word.to_owned())).collect()
}

/// Search and standing: a form that writes the URL.
fn filters(action: String, query: &Query, what: &'static str, clear: Option<String>) -> AnyView {
    let chosen = query.asked.standing;
    let options = standings()
        .into_iter()
        .map(|(value, label)| {
            let selected = chosen.is_some_and(|it| it.word() == value);
            view! { <option value=value selected=selected>{label}</option> }
        })
        .collect::<Vec<_>>();
    let show = query.tools.then(|| view! { <input type="hidden" name="show" value="tools" /> });
    view! {
        <form class="filters catalog-filters" method="get" action=action role="search" aria-label=what>
            {show}
            <div class="field">
                <label for="q">"Search"</label>
                <input
                    type="search"
                    id="q"
                    name="q"
                    maxlength="200"
                    autocomplete="off"
                    spellcheck="false"
                    value=text::one_line(&query.asked.text, 200)
                />
            </div>
            <div class="field">
                <label for="standing">"Standing of tools"</label>
                <select id="standing" name="standing">
                    <option value="">"Any standing"</option>
                    {options}
                </select>
            </div>
            <div class="filter-actions">
                <button type="submit" class="button">
                    "Apply"
                </button>
                {clear.map(|href| view! { <a class="button plain" href=href>"Clear"</a> })}
            </div>
        </form>
    }
    .into_any()
}

/// Which part of a list is shown, and the way to the others.
fn pages(query: &Query, total: u64, size: u32, shown: usize, href: impl Fn(&Query) -> String) -> AnyView {
    let page = query.asked.page;
    let first = u64::from(page) * u64::from(size) + 1;
    let last = first + shown as u64 - u64::from(shown > 0);
    let previous = (page > 0).then(|| {
        view! { <a class="button" href=href(&query.at(page - 1)) rel="prev"><Icon name="previous" />"Previous"</a> }
    });
    let next = (last < total).then(|| {
        view! { <a class="button" href=href(&query.at(page + 1)) rel="next">"Next"<Icon name="next" /></a> }
    });
    if previous.is_none() && next.is_none() {
        return ().into_any();
    }
    view! {
        <nav class="pages" aria-label="Pages of the list">
            <span class="note">{grouped(first)} "–" {grouped(last)} " of " {grouped(total)}</span>
            {previous}
            {next}
        </nav>
    }
    .into_any()
}

/// A permission key.
fn key(key: &PermissionKey) -> AnyView {
    view! { <code class="cat-key">{text::one_line(key.as_str(), 90)}</code> }.into_any()
}

/// Whether the reader may use it: what they hold themselves, and which of their agents do.
fn yours(yours: &Yours, links: &Links) -> AnyView {
    let own = match yours.keys.as_slice() {
        [] => view! { <p>"You hold no key of it."</p> }.into_any(),
        keys => {
            let keys = keys.iter().map(|it| view! { <li>{key(it)}</li> }).collect::<Vec<_>>();
            view! { <p>"You hold:"</p><ul class="cat-inline-list">{keys}</ul> }.into_any()
        }
    };
    let agents = yours
        .agents
        .iter()
        .map(|(id, name, keys)| {
            let keys = keys.iter().map(|it| view! { " " {key(it)} }).collect::<Vec<_>>();
            view! { <li><a href=links.agent(*id)>{text::name(name)}</a> {keys}</li> }
        })
        .collect::<Vec<_>>();
    let agents = if agents.is_empty() {
        view! { <p class="note">"None of your agents may use it."</p> }.into_any()
    } else {
        view! { <p>"Your agents that may use it:"</p><ul class="cat-plain-list">{agents}</ul> }.into_any()
    };
    view! { {own} {agents} }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_it_is_written_and_nonsense_is_left_out() {
        for text in ["", "q=a%20b&page=3", "show=tools&q=%3Cscript%3E&standing=drifted&page=2"] {
            let again = Query::read(&Query::read(text).to_query());
            assert_eq!(again, Query::read(text), "{text}");
        }
        let odd = Query::read("q=a%00b&page=-1&standing=nice&show=all&page=99999999999");
        assert_eq!(
            (odd.asked.text.as_str(), odd.asked.page, odd.asked.standing, odd.tools),
            ("ab", 0, None, false)
        );
    }
}

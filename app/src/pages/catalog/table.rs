//! The catalog as a table: modules, or all tools.

use control::authority::Deed;
use control::modules::{
    Health, MODULES_A_PAGE, ModuleRow, ModuleRows, Standings, TOOLS_A_PAGE, ToolRow, ToolRows,
};
use leptos::prelude::*;
use model::catalog::ToolStanding;

use super::{Query, Tab, count, filters, health, key, kind, pages, standing, tabs};
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::{Links, Place};
use crate::pieces::call_row::{Amount, Sum};
use crate::pieces::head::PageHead;
use crate::pieces::sign::{Badge, State};
use crate::schema::Definition;
use crate::text;
use crate::wording::grouped;

/// What the table shows.
#[derive(Clone, Debug)]
pub enum Shown {
    /// A page of modules.
    Modules(ModuleRows),
    /// A page of tools.
    Tools(ToolRows),
}

/// The page.
pub fn page(visit: &Visit, query: &Query, shown: Shown) -> String {
    let links = visit.links();
    let crumbs = vec![Crumb::here("Catalog")];
    document::page(visit, Place::Catalog, "Catalog", crumbs, false, || {
        let add = visit.may(Deed::ChangeCatalog).then(|| {
            view! {
                <a class="button primary" href=links.new_module()>
                    <Icon name="add" />
                    "Add a module"
                </a>
            }
        });
        let clear = |tools: bool| {
            let bare = Query { tools, ..Query::default() };
            query.filters().then(|| links.catalog_with(&bare.to_query()))
        };
        let content = match shown {
            Shown::Modules(rows) if !rows.any => empty(visit),
            Shown::Modules(rows) => view! {
                {tabs(&links, Tab::Modules)}
                {filters(links.catalog(), query, "Search the modules", clear(false))}
                {modules(&links, query, rows)}
            }
            .into_any(),
            Shown::Tools(rows) => view! {
                {tabs(&links, Tab::Tools)}
                {filters(links.catalog(), query, "Search the tools", clear(true))}
                {tools(&links, query, rows)}
            }
            .into_any(),
        };
        view! {
            <PageHead
                title="Catalog".into_any()
                lead="The services that your agents can use, and their tools. A tool runs only as it was approved here.".into_any()
            >
                {add}
            </PageHead>
            {content}
        }
    })
}

fn empty(visit: &Visit) -> AnyView {
    let links = visit.links();
    let todo = if visit.may(Deed::ChangeCatalog) {
        view! {
            <p>
                "Add an MCP server by its address: it is asked for its tools, and you approve the ones you want. Or switch on
                the built-in CRM, which needs nothing, to see the whole way in a minute."
            </p>
            <p class="form-actions">
                <a class="button primary" href=links.new_module()>"Add a module"</a>
            </p>
        }
        .into_any()
    } else {
        view! { <p>"An owner or admin of your organization adds the first one."</p> }.into_any()
    };
    view! {
        <section class="empty">
            <h2>"No service is connected yet"</h2>
            <p>
                "Here will be the services that your agents use: each with its tools, its permission keys, who may use it and
                whether it works. Agents see nothing that is not here."
            </p>
            {todo}
        </section>
    }
    .into_any()
}

fn none_match(href: String) -> AnyView {
    view! {
        <section class="empty">
            <h2>"Nothing matches"</h2>
            <p>"Look for another part of the name, or take the filter away."</p>
            <p><a class="button" href=href>"Show all"</a></p>
        </section>
    }
    .into_any()
}

fn modules(links: &Links, query: &Query, rows: ModuleRows) -> AnyView {
    if rows.rows.is_empty() {
        return none_match(links.catalog());
    }
    let shown = rows.rows.len();
    let spend = rows.rows.iter().any(|row| row.spend.is_some());
    let lines = rows.rows.into_iter().map(|row| module(links, row)).collect::<Vec<_>>();
    let spend = spend.then(|| view! { <th scope="col" class="number">"Spend this month"</th> });
    view! {
        <div class="cat-cards">
            <table class="catalog-table">
                <caption class="visually-hidden">
                    {count(rows.total, "module")} ", by title. Calls are those of the last 7 days."
                </caption>
                <thead>
                    <tr>
                        <th scope="col">"Module"</th>
                        <th scope="col">"Health"</th>
                        <th scope="col">"Tools"</th>
                        <th scope="col">"Permission keys"</th>
                        <th scope="col">"Owner"</th>
                        <th scope="col" class="number">"Agents with access"</th>
                        <th scope="col" class="number">"Calls, 7 days"</th>
                        {spend}
                    </tr>
                </thead>
                <tbody>{lines}</tbody>
            </table>
        </div>
        {pages(query, rows.total, MODULES_A_PAGE, shown, |query| links.catalog_with(&query.to_query()))}
    }
    .into_any()
}

fn module(links: &Links, row: ModuleRow) -> AnyView {
    let href = links.module(&row.view.name);
    let why = match &row.health {
        Health::NotReached(why) => Some(text::one_line(why, 300)),
        _ => None,
    };
    let owner = match (row.view.owner, &row.owner_name) {
        (Some(id), Some(name)) => view! { <a href=links.user(id)>{text::name(name)}</a> }.into_any(),
        _ => view! { <span class="absent">"nobody"</span> }.into_any(),
    };
    let keys = row.keys.iter().map(|it| view! { <li>{key(it)}</li> }).collect::<Vec<_>>();
    let spend = row.spend.map(|spend| {
        let amounts = spend.into_iter().map(|money| view! { <Sum money=money /> " " }).collect::<Vec<_>>();
        let nothing = amounts.is_empty().then(|| view! { <span class="absent">"–"</span> });
        view! { <td data-label="Spend this month" class="number">{amounts} {nothing}</td> }
    });
    let calling = (row.recent.agents > 0).then(|| {
        view! { <span class="cat-under">"by " {count(row.recent.agents, "agent")}</span> }
    });
    let failed = (row.recent.failed > 0).then(|| {
        view! { <span class="cat-under" data-tone="fault">{grouped(row.recent.failed)} " failed there"</span> }
    });
    view! {
        <tr>
            <th scope="row" class="catalog-name">
                <a href=href.clone()>{text::name(&row.view.title)}</a>
                <span class="cat-under">{text::code(&row.view.name)} " · " {kind(row.view.kind)}</span>
            </th>
            <td data-label="Health">
                <State sign=health(&row.health) />
                {why.map(|why| view! { <span class="cat-under">{why}</span> })}
            </td>
            <td data-label="Tools">{tallies(row.tools, &href)}</td>
            <td data-label="Keys"><ul class="cat-inline-list">{keys}</ul></td>
            <td data-label="Owner">{owner}</td>
            <td data-label="Agents with access" class="number">{grouped(row.agents)}</td>
            <td data-label="Calls, 7 days" class="number">{grouped(row.recent.calls)} {calling} {failed}</td>
            {spend}
        </tr>
    }
    .into_any()
}

/// How many tools stand where: what needs somebody is a link to it.
fn tallies(tools: Standings, href: &str) -> AnyView {
    let approved = view! { <li>{grouped(tools.approved.into())} " approved"</li> };
    let waiting = [
        (tools.drifted, ToolStanding::Drifted),
        (tools.proposed, ToolStanding::Proposed),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, it)| {
        let tone = standing(it).tone.word();
        let (href, word) = (format!("{href}?standing={it}"), it.word());
        view! { <li><a href=href class="cat-tally" data-tone=tone>{grouped(number.into())} " " {word}</a></li> }
    })
    .collect::<Vec<_>>();
    view! { <ul class="cat-tallies">{approved} {waiting}</ul> }.into_any()
}

fn tools(links: &Links, query: &Query, rows: ToolRows) -> AnyView {
    if rows.rows.is_empty() {
        let nothing = !query.filters() && query.asked.page == 0;
        let href = if nothing { links.catalog() } else { links.catalog_with("show=tools") };
        return none_match(href);
    }
    let shown = rows.rows.len();
    let lines = rows.rows.into_iter().map(|row| tool(links, row)).collect::<Vec<_>>();
    view! {
        <div class="cat-cards">
            <table class="catalog-table">
                <caption class="visually-hidden">{count(rows.total, "tool")} ", by module and name."</caption>
                <thead>
                    <tr>
                        <th scope="col">"Tool"</th>
                        <th scope="col">"What it says it does"</th>
                        <th scope="col">"Standing"</th>
                        <th scope="col">"Permission key"</th>
                        <th scope="col" class="number">"Price per call"</th>
                    </tr>
                </thead>
                <tbody>{lines}</tbody>
            </table>
        </div>
        {pages(query, rows.total, TOOLS_A_PAGE, shown, |query| links.catalog_with(&query.to_query()))}
    }
    .into_any()
}

fn tool(links: &Links, row: ToolRow) -> AnyView {
    let href = links.tool(&row.module_name, &row.view.name);
    view! {
        <tr>
            <th scope="row" class="catalog-name">
                <a href=href>{text::code(&row.view.name)}</a>
                <span class="cat-under">
                    <a href=links.module(&row.module_name)>{text::name(&row.module_title)}</a>
                </span>
            </th>
            <td data-label="Does">{summary(&row.definition)}</td>
            <td data-label="Standing"><Badge sign=standing(row.view.standing) /></td>
            <td data-label="Key">{key(&row.view.key)}</td>
            <td data-label="Price per call" class="number"><Amount money=row.view.price /></td>
        </tr>
    }
    .into_any()
}

/// The first words of a definition's description.
pub(super) fn summary(definition: &str) -> AnyView {
    match Definition::read(definition).description {
        Some(words) => {
            let words = text::one_line(words.trim(), 160);
            view! { <span class="cat-summary">{text::prose(&words, 200)}</span> }.into_any()
        }
        None => view! { <span class="absent">"It does not say."</span> }.into_any(),
    }
}

//! One bundle: where it is reached, what is in it by which names, and what could be.

use control::authority::Deed;
use control::bundles::{BundlePage, Bundled};
use leptos::prelude::*;
use model::catalog::Feature;

use super::{bundles, count, standing};
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::{Links, Place};
use crate::pages::connect::{Connection, EveryWay, snippet};
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::{Form, TextField};
use crate::pieces::head::PageHead;
use crate::pieces::sign::Badge;
use crate::text;
use crate::wording::grouped;

fn crumbs(links: &Links, bundle: &BundlePage, here: Option<&str>) -> Vec<Crumb> {
    let mut crumbs = vec![Crumb::to("Catalog", links.catalog()), Crumb::to("Bundles", links.bundles())];
    match here {
        None => crumbs.push(Crumb::here(bundle.view.title.clone())),
        Some(here) => {
            crumbs.push(Crumb::to(bundle.view.title.clone(), links.bundle(&bundle.view.name)));
            crumbs.push(Crumb::here(here));
        }
    }
    crumbs
}

/// The page. `form` says what was wrong with what was done on it.
pub fn page(visit: &Visit, bundle: BundlePage, form: &Form) -> String {
    let links = visit.links();
    let title = text::one_line(&bundle.view.title, 120);
    let crumbs = crumbs(&links, &bundle, None);
    document::page(visit, Place::Catalog, &form.title(&title), crumbs, false, || {
        let name = &bundle.view.name;
        let may = visit.may(Deed::ChangeCatalog);
        let actions = may.then(|| {
            view! {
                <a class="button" href=links.bundle_to(name, "describe")>
                    <Icon name="edit" />
                    "Title and names"
                </a>
                <a class="button" href=links.bundle_to(name, "delete")>"Delete"</a>
            }
        });
        let head = text::name(&bundle.view.title).into_any();
        let lead = "An MCP address with a choice of the tools. It gives no right: who may call what is asked of each call.";
        let url = visit.bundle_url(name);
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead title=head lead=lead.into_any()>{actions}</PageHead>
            {snippet("bundle-url", "MCP address of this bundle", url.clone())}
            <section class="cat-section" aria-labelledby="tools">
                <h2 id="tools">"Tools in this bundle"</h2>
                {chosen(&links, &bundle, may)}
            </section>
            {may.then(|| others(&links, &bundle))}
            <section class="cat-section" aria-labelledby="connect">
                <h2 id="connect">"Connect an agent to it"</h2>
                <EveryWay connection=Connection::to(url) />
            </section>
        }
    })
}

/// What it is called there, for people.
fn shown(tool: &Bundled) -> String {
    tool.shown().map(|(_, name)| name.to_owned()).unwrap_or_default()
}

fn kind(feature: Feature) -> &'static str {
    match feature {
        Feature::Tool => "Tool",
        Feature::Prompt => "Prompt",
        Feature::Resource => "Resource",
        Feature::Template => "Resources by template",
    }
}

fn chosen(links: &Links, bundle: &BundlePage, may: bool) -> AnyView {
    if bundle.tools.is_empty() {
        return view! { <p class="absent">"Nothing yet: an agent that connects here finds an empty list."</p> }
            .into_any();
    }
    let name = &bundle.view.name;
    let lines = bundle.tools.iter().map(|tool| line(links, name, tool, may)).collect::<Vec<_>>();
    let table = view! {
        <div class="cat-cards">
            <table class="catalog-table">
                <caption class="visually-hidden">{count(bundle.tools.len() as u64, "tool")} ", by name."</caption>
                <thead>
                    <tr>
                        {may.then(|| view! { <th scope="col"><span class="visually-hidden">"Take out"</span></th> })}
                        <th scope="col">"Name here"</th>
                        <th scope="col">"In the catalog"</th>
                        <th scope="col">"Kind"</th>
                        <th scope="col">"Standing"</th>
                    </tr>
                </thead>
                <tbody>{lines}</tbody>
            </table>
        </div>
    };
    if !may {
        return table.into_any();
    }
    view! {
        <form method="post" action=links.bundle_to(name, "remove")>
            {table}
            <div class="form-actions approve-bar">
                <button type="submit" class="button">"Take out what is ticked"</button>
                <p class="note">"Agents lose it with their next request. It stays in the catalog."</p>
            </div>
        </form>
    }
    .into_any()
}

fn line(links: &Links, bundle: &str, tool: &Bundled, may: bool) -> AnyView {
    let here = shown(tool);
    let feature = Feature::of(&tool.name).0;
    let tick = may.then(|| {
        let label = format!("Take out {}", text::one_line(&here, 128));
        view! {
            <td class="cat-tick">
                <input type="checkbox" name="tool" value=tool.tool.to_string() aria-label=label />
            </td>
        }
    });
    let rename = (may && matches!(feature, Feature::Tool | Feature::Prompt)).then(|| {
        let label = format!("Rename {}", text::one_line(&here, 128));
        view! {
            <a href=links.bundled_name(bundle, tool.tool) aria-label=label>"Rename"</a>
        }
    });
    let (module, title) = &tool.module;
    view! {
        <tr>
            {tick}
            <th scope="row" class="catalog-name">{text::code(&here)} " " {rename}</th>
            <td data-label="In the catalog">
                <a href=links.tool(module, &tool.name)>{text::code(&tool.name)}</a>
                <span class="cat-under"><a href=links.module(module)>{text::name(title)}</a></span>
            </td>
            <td data-label="Kind">{kind(feature)}</td>
            <td data-label="Standing"><Badge sign=standing(tool.standing) /></td>
        </tr>
    }
    .into_any()
}

/// What could be put in, module by module.
fn others(links: &Links, bundle: &BundlePage) -> AnyView {
    let name = &bundle.view.name;
    if bundle.others.is_empty() {
        let words = if bundle.tools.is_empty() {
            "There is no approved tool in the catalog yet: add a module first."
        } else {
            "Everything that is approved is in it."
        };
        return view! {
            <section class="cat-section" aria-labelledby="add">
                <h2 id="add">"Add tools"</h2>
                <p class="absent">{words}</p>
            </section>
        }
        .into_any();
    }
    let modules = bundle
        .others
        .chunk_by(|one, other| one.module.0 == other.module.0)
        .map(|tools| {
            let title = tools.first().map(|tool| tool.module.1.clone()).unwrap_or_default();
            let boxes = tools.iter().map(choice).collect::<Vec<_>>();
            view! {
                <details class="cat-holders">
                    <summary>{text::name(&title)} " " <span class="note">{grouped(tools.len() as u64)}</span></summary>
                    <ul class="cat-columns">{boxes}</ul>
                </details>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="cat-section" aria-labelledby="add">
            <h2 id="add">"Add tools"</h2>
            <form method="post" action=links.bundle_to(name, "add")>
                {modules}
                <div class="form-actions approve-bar">
                    <button type="submit" class="button primary">"Put in what is ticked"</button>
                </div>
            </form>
        </section>
    }
    .into_any()
}

fn choice(tool: &Bundled) -> AnyView {
    let id = format!("add-{}", tool.tool);
    view! {
        <li>
            <input type="checkbox" name="tool" id=id.clone() value=tool.tool.to_string() />
            <label for=id>{text::code(&tool.name)}</label>
        </li>
    }
    .into_any()
}

/// Its title, and what tools are called.
pub fn describe(visit: &Visit, bundle: &BundlePage, form: &Form) -> String {
    let links = visit.links();
    let crumbs = crumbs(&links, bundle, Some("Title and names"));
    document::page(visit, Place::Catalog, &form.title("Title and names"), crumbs, false, || {
        let name = &bundle.view.name;
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead title=view! { "Title and names of " {text::name(&bundle.view.title)} }.into_any() />
            <form class="sheet" method="post" action=links.bundle_to(name, "describe") novalidate>
                <TextField form=form.clone() name="title" label="Title" hint="What people call it." />
                {bundles::naming(form)}
                <p class="note">"Tools already in it keep their names."</p>
                <div class="form-actions">
                    <button type="submit" class="button primary">"Save"</button>
                    <a class="button plain" href=links.bundle(name)>"Cancel"</a>
                </div>
            </form>
        }
    })
}

/// What a tool is called in it.
pub fn rename(visit: &Visit, bundle: &BundlePage, tool: &Bundled, form: &Form) -> String {
    let links = visit.links();
    let crumbs = crumbs(&links, bundle, Some("Rename"));
    document::page(visit, Place::Catalog, &form.title("Rename"), crumbs, false, || {
        let name = &bundle.view.name;
        let full = format!("{}.{}", tool.module.0, tool.name);
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead title=view! { "Rename " {text::code(&shown(tool))} }.into_any() />
            <form class="sheet" method="post" action=links.bundled_name(name, tool.tool) novalidate>
                <p class="consequence">
                    "Agents that use this bundle know it by this name: from the next request on they find it by the new one
                    alone. The record goes on calling it " {text::code(&full)} "."
                </p>
                <TextField
                    form=form.clone()
                    name="here"
                    label="Name in this bundle"
                    hint="Letters, digits, underscore, hyphen or dot."
                    longest=128
                />
                <div class="form-actions">
                    <button type="submit" class="button primary">"Rename it"</button>
                    <a class="button plain" href=links.bundle(name)>"Cancel"</a>
                </div>
            </form>
        }
    })
}

/// Before it is deleted.
pub fn delete(visit: &Visit, bundle: &BundlePage) -> String {
    let links = visit.links();
    let crumbs = crumbs(&links, bundle, Some("Delete"));
    document::page(visit, Place::Catalog, "Delete", crumbs, false, || {
        let name = &bundle.view.name;
        view! {
            <PageHead title=view! { "Delete " {text::name(&bundle.view.title)} "?" }.into_any() />
            <div class="sheet">
                <p class="consequence" data-tone="deny">
                    "From the next request on there is nothing at " {text::code(&visit.bundle_url(name))}
                    ": agents that connect there are told so. Its " {count(bundle.tools.len() as u64, "tool")}
                    " stay in the catalog, and nobody loses a right."
                </p>
                <form method="post" action=links.bundle_to(name, "delete") class="form-actions">
                    <button type="submit" class="button danger">"Delete it"</button>
                    <a class="button plain" href=links.bundle(name)>"Cancel"</a>
                </form>
            </div>
        }
    })
}

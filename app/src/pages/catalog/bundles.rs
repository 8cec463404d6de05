//! Bundles as a table, and where one is made.

use control::authority::Deed;
use control::bundles::BundleRow;
use leptos::prelude::*;
use model::catalog::Naming;

use super::{Tab, count, tabs};
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::Place;
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::{Form, Radios, TextField};
use crate::pieces::head::PageHead;
use crate::text;
use crate::wording::grouped;

/// The table.
pub fn page(visit: &Visit, rows: Vec<BundleRow>) -> String {
    let links = visit.links();
    let crumbs = vec![Crumb::to("Catalog", links.catalog()), Crumb::here("Bundles")];
    document::page(visit, Place::Catalog, "Bundles", crumbs, false, || {
        let make = visit.may(Deed::ChangeCatalog).then(|| {
            view! {
                <a class="button primary" href=links.new_bundle()>
                    <Icon name="add" />
                    "Make a bundle"
                </a>
            }
        });
        let content = if rows.is_empty() {
            let todo = make.is_none().then(|| {
                view! { <p>"An owner or admin of your organization makes the first one."</p> }
            });
            view! {
                <section class="empty">
                    <h2>"No bundle has been made yet"</h2>
                    <p>
                        "A bundle is an MCP address of its own that shows a choice of the tools, by names of its own. An agent that
                        needs five tools of three modules finds these five, and nothing else distracts it. A bundle gives no
                        right: each call is asked about as everywhere."
                    </p>
                    {todo}
                </section>
            }
            .into_any()
        } else {
            table(visit, rows)
        };
        view! {
            <PageHead
                title="Bundles".into_any()
                lead="MCP addresses that show a choice of the tools, by names of their own. They give no right.".into_any()
            >
                {make}
            </PageHead>
            {tabs(&links, Tab::Bundles)}
            {content}
        }
    })
}

fn table(visit: &Visit, rows: Vec<BundleRow>) -> AnyView {
    let links = visit.links();
    let total = rows.len() as u64;
    let lines = rows
        .into_iter()
        .map(|row| {
            let modules = if row.modules.is_empty() {
                view! { <span class="absent">"none yet"</span> }.into_any()
            } else {
                let titles = row.modules.iter().map(|title| view! { <li>{text::name(title)}</li> });
                view! { <ul class="cat-inline-list">{titles.collect::<Vec<_>>()}</ul> }.into_any()
            };
            view! {
                <tr>
                    <th scope="row" class="catalog-name">
                        <a href=links.bundle(&row.view.name)>{text::name(&row.view.title)}</a>
                        <span class="cat-under">{text::code(&row.view.name)}</span>
                    </th>
                    <td data-label="Tools" class="number">{grouped(row.tools.into())}</td>
                    <td data-label="Of the modules">{modules}</td>
                    <td data-label="MCP address"><code class="cat-address">{visit.bundle_url(&row.view.name)}</code></td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <div class="cat-cards">
            <table class="catalog-table">
                <caption class="visually-hidden">{count(total, "bundle")} ", by title."</caption>
                <thead>
                    <tr>
                        <th scope="col">"Bundle"</th>
                        <th scope="col" class="number">"Tools"</th>
                        <th scope="col">"Of the modules"</th>
                        <th scope="col">"MCP address"</th>
                    </tr>
                </thead>
                <tbody>{lines}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// Where one is made.
pub fn new(visit: &Visit, form: &Form) -> String {
    let links = visit.links();
    let crumbs = vec![
        Crumb::to("Catalog", links.catalog()),
        Crumb::to("Bundles", links.bundles()),
        Crumb::here("Make a bundle"),
    ];
    document::page(visit, Place::Catalog, &form.title("Make a bundle"), crumbs, false, || {
        let address = format!("It is the last part of its address: {}", visit.bundle_url("travel-desk"));
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead
                title="Make a bundle".into_any()
                lead="First what it is called, then what is in it.".into_any()
            />
            <form class="sheet" method="post" action=links.new_bundle() novalidate>
                <TextField form=form.clone() name="title" label="Title" hint="What people call it, such as Travel desk." />
                <TextField form=form.clone() name="name" label="Name" hint=address longest=40 />
                {naming(form)}
                <div class="form-actions">
                    <button type="submit" class="button primary">"Make it"</button>
                    <a class="button plain" href=links.bundles()>"Cancel"</a>
                </div>
            </form>
        }
    })
}

/// What tools are called.
pub(super) fn naming(form: &Form) -> AnyView {
    let option = |naming: Naming, label: &str, hint: &str| {
        (naming.word().to_owned(), label.to_owned(), Some(hint.to_owned()))
    };
    let options = vec![
        option(Naming::Full, "With their module", "As everywhere: `drive.search`."),
        option(
            Naming::Plain,
            "As their server calls them",
            "Without the module: `search`. Where two would have one name, the second keeps its module.",
        ),
    ];
    view! {
        <Radios form=form.clone() name="naming" legend="How tools are named in this bundle" options=options />
    }
    .into_any()
}

//! What is asked before something is switched off, taken away or changed, with its consequence in numbers; and the small
//! forms of a module.

use control::modules::{ModulePage, ToolPage};
use leptos::prelude::*;

use super::tool::{crumbs, full_name};
use super::{count, key};
use crate::document::{self, Crumb, Visit};
use crate::links::Place;
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::{Form, Radios, TextField};
use crate::pieces::head::PageHead;
use crate::text;

fn module_crumbs(visit: &Visit, module: &ModulePage, here: &str) -> Vec<Crumb> {
    let links = visit.links();
    vec![
        Crumb::to("Catalog", links.catalog()),
        Crumb::to(module.view.title.clone(), links.module(&module.view.name)),
        Crumb::here(here),
    ]
}

/// Before a module is switched off.
pub fn off(visit: &Visit, module: &ModulePage) -> String {
    let links = visit.links();
    let crumbs = module_crumbs(visit, module, "Switch off");
    document::page(visit, Place::Catalog, "Switch off", crumbs, false, || {
        let name = &module.view.name;
        view! {
            <PageHead title=view! { "Switch off " {text::name(&module.view.title)} "?" }.into_any() />
            <div class="sheet">
                <p class="consequence" data-tone="deny">
                    "The next call of each of its "
                    {count(u64::from(module.standings.approved), "approved tool")}
                    " is refused, whoever makes it. "
                    {count(module.agents, "agent")} " can use it now; "
                    {count(module.recent.calls, "call")} " were made in the last 7 days, by "
                    {count(module.recent.agents, "agent")} "."
                </p>
                <p>"Grants, tools and prices stay as they are. It can be switched on again at any time."</p>
                <form method="post" action=links.module_to(name, "off") class="form-actions">
                    <button type="submit" class="button danger">"Switch it off"</button>
                    <a class="button plain" href=links.module(name)>"Cancel"</a>
                </form>
            </div>
        }
    })
}

/// Before a tool is taken out.
pub fn withdraw(visit: &Visit, tool: &ToolPage) -> String {
    let links = visit.links();
    let crumbs = crumbs(&links, tool, Some("Withdraw"));
    document::page(visit, Place::Catalog, "Withdraw", crumbs, false, || {
        let (module, name) = (&tool.module.name, &tool.detail.view.name);
        view! {
            <PageHead title=view! { "Withdraw " {text::code(&full_name(tool))} "?" }.into_any() />
            <div class="sheet">
                <p class="consequence" data-tone="deny">
                    "Its next call is refused, whoever makes it. " {count(tool.recent.calls, "call")}
                    " of it were made in the last 7 days, by " {count(tool.recent.agents, "agent")} "."
                </p>
                <p>"It stays out, also when its server offers it again, until somebody approves it."</p>
                <form method="post" action=links.tool_to(module, name, "withdraw") class="form-actions">
                    <button type="submit" class="button danger">"Withdraw it"</button>
                    <a class="button plain" href=links.tool(module, name)>"Cancel"</a>
                </form>
            </div>
        }
    })
}

/// Which key a tool asks for.
pub fn tool_key(visit: &Visit, tool: &ToolPage, form: &Form) -> String {
    let links = visit.links();
    let crumbs = crumbs(&links, tool, Some("Key"));
    document::page(visit, Place::Catalog, &form.title("Change the key"), crumbs, false, || {
        let (module, name) = (&tool.module.name, &tool.detail.view.name);
        let option =
            |part: &str, hint: &str| (part.to_owned(), format!("`{module}:{part}`"), Some(hint.to_owned()));
        let options = vec![
            option("read", "For tools that change nothing."),
            option("write", "For tools that change, send or delete."),
        ];
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead title=view! { "Which key does " {text::code(&full_name(tool))} " ask for?" }.into_any() />
            <form class="sheet" method="post" action=links.tool_to(module, name, "key") novalidate>
                <p class="consequence">
                    "It asks for " {key(&tool.detail.view.key)} " now, and " {count(tool.recent.calls, "call")}
                    " of it were made in the last 7 days, by " {count(tool.recent.agents, "agent")}
                    ". Who has the old key and not the new one may no longer call it, from the next call on; who has "
                    {text::code(module)} " may in any case."
                </p>
                <Radios form=form.clone() name="key" legend="The key" options=options />
                <div class="form-actions">
                    <button type="submit" class="button primary">"Change it"</button>
                    <a class="button plain" href=links.tool(module, name)>"Cancel"</a>
                </div>
            </form>
        }
    })
}

/// A module's title and owner.
pub fn describe(visit: &Visit, module: &ModulePage, form: &Form) -> String {
    let links = visit.links();
    let crumbs = module_crumbs(visit, module, "Title and owner");
    document::page(visit, Place::Catalog, &form.title("Title and owner"), crumbs, false, || {
        let name = &module.view.name;
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead title=view! { "Title and owner of " {text::name(&module.view.title)} }.into_any() />
            <form class="sheet" method="post" action=links.module_to(name, "describe") novalidate>
                <TextField form=form.clone() name="title" label="Title" hint="What people call it." />
                <TextField
                    form=form.clone()
                    name="owner"
                    label="Owner's mail address"
                    hint="Who answers for it: denials tell people to ask them."
                    kind="email"
                    longest=254
                    required=false
                />
                <div class="form-actions">
                    <button type="submit" class="button primary">"Save"</button>
                    <a class="button plain" href=links.module(name)>"Cancel"</a>
                </div>
            </form>
        }
    })
}

/// What is presented to a module's server.
pub fn connection(visit: &Visit, module: &ModulePage, form: &Form) -> String {
    let links = visit.links();
    let crumbs = module_crumbs(visit, module, "Authorization header");
    document::page(visit, Place::Catalog, &form.title("Authorization header"), crumbs, false, || {
        let name = &module.view.name;
        let was = module.connection.is_some().then(|| {
            view! {
                <p class="consequence">
                    "The secret that is presented now is no longer presented, from the next call on. It cannot be read or
                    brought back."
                </p>
            }
        });
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead title=view! { "What is presented to " {text::name(&module.view.title)} }.into_any() />
            <form class="sheet" method="post" action=links.module_to(name, "connection") novalidate>
                {was}
                <TextField
                    form=form.clone()
                    name="authorization"
                    label="Value of the Authorization header"
                    hint="The whole value, such as `Bearer …`. It is sealed, presented to this server alone, and never shown again."
                    kind="password"
                    longest=8192
                />
                <div class="form-actions">
                    <button type="submit" class="button primary">"Present this from now on"</button>
                    <a class="button plain" href=links.module(name)>"Cancel"</a>
                </div>
            </form>
        }
    })
}

/// Before nothing is presented any more.
pub fn revoke_connection(visit: &Visit, module: &ModulePage) -> String {
    let links = visit.links();
    let is_token = module.token.is_some();
    let title = if is_token { "Disconnect" } else { "Revoke the secret" };
    let crumbs = module_crumbs(visit, module, title);
    document::page(visit, Place::Catalog, title, crumbs, false, || {
        let name = &module.view.name;
        let (last, button) = if is_token {
            (". To connect it again, somebody has to give access anew.", "Disconnect it")
        } else {
            (". The secret cannot be brought back.", "Revoke it")
        };
        view! {
            <PageHead title=view! { "Present nothing to " {text::name(&module.view.title)} "?" }.into_any() />
            <div class="sheet">
                <p class="consequence" data-tone="deny">
                    "From the next call on its server gets no Authorization header: calls that need one fail. "
                    {count(module.recent.calls, "call")} " were made in the last 7 days, by "
                    {count(module.recent.agents, "agent")} {last}
                </p>
                <form method="post" action=links.module_to(name, "connection/revoke") class="form-actions">
                    <button type="submit" class="button danger">{button}</button>
                    <a class="button plain" href=links.module(name)>"Cancel"</a>
                </form>
            </div>
        }
    })
}

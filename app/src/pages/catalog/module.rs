//! A module's page: its tools with their standing, what waits for somebody, what is presented to its server, who holds its
//! keys.

use control::authority::Deed;
use control::limits::LimitRow;
use control::modules::tokens::TokenView;
use control::modules::{Health, Holder, ModulePage, TOOLS_A_PAGE, ToolRow};
use leptos::prelude::*;
use model::access::Grantee;
use model::catalog::{ModuleKind, ModuleStanding, ToolStanding};
use model::limit::{OfWhat, Whose};

use super::definition::suspect_mark;
use super::table::summary;
use super::{Query, count, filters, health, key, kind, oauth, pages, standing, yours};
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::{Links, Place};
use crate::pieces::call_row::{Amount, Moment};
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::Form;
use crate::pieces::head::PageHead;
use crate::pieces::limits;
use crate::pieces::sign::{Badge, State};
use crate::text;
use crate::wording::{self, Sign, Tone, grouped};

/// The page. `form` says what was wrong with what was done on it.
pub fn page(
    visit: &Visit,
    query: &Query,
    module: ModulePage,
    limits: Option<Vec<LimitRow>>,
    form: &Form,
) -> String {
    let links = visit.links();
    let title = text::one_line(&module.view.title, 120);
    let crumbs = vec![Crumb::to("Catalog", links.catalog()), Crumb::here(module.view.title.clone())];
    let errors = form.errors().to_vec();
    document::page(visit, Place::Catalog, &form.title(&title), crumbs, false, || {
        view! {
            <ErrorSummary errors=errors />
            {head(visit, &links, &module)}
            {band(visit, &links, &module)}
            <div class="call-body">
                <div class="call-main">
                    <section aria-labelledby="tools">
                        <h2 id="tools">"Tools"</h2>
                        {tools(visit, &links, query, &module)}
                    </section>
                </div>
                <aside class="facts" aria-labelledby="facts">
                    <h2 id="facts">"Facts"</h2>
                    {facts(visit, &links, &module, limits.as_deref())}
                </aside>
            </div>
        }
    })
}

fn head(visit: &Visit, links: &Links, module: &ModulePage) -> AnyView {
    let name = module.view.name.clone();
    let to = |what: &str| links.module_to(&name, what);
    let is_off = module.view.standing == ModuleStanding::Off;
    let actions = visit.may(Deed::ChangeCatalog).then(|| {
        let rediscover = (module.view.kind == ModuleKind::Mcp).then(|| {
            view! {
                <form method="post" action=to("rediscover")>
                    <button type="submit" class="button">"Ask its server again"</button>
                </form>
            }
        });
        let switch = if is_off {
            view! {
                <form method="post" action=to("on")>
                    <button type="submit" class="button primary">"Switch on"</button>
                </form>
            }
            .into_any()
        } else {
            view! { <a class="button" href=to("off")>"Switch off"</a> }.into_any()
        };
        view! {
            {rediscover}
            <a class="button" href=to("describe")>
                <Icon name="edit" />
                "Title and owner"
            </a>
            {switch}
        }
    });
    let url = module.view.url.as_deref().map(|url| view! { " at " {text::code(url)} });
    let lead = view! { {text::code(&module.view.name)} " · " {kind(module.view.kind)} {url} }.into_any();
    let title = text::name(&module.view.title).into_any();
    match actions {
        Some(actions) => view! { <PageHead title=title lead=lead>{actions}</PageHead> }.into_any(),
        None => view! { <PageHead title=title lead=lead /> }.into_any(),
    }
}

/// What needs somebody, above everything else.
fn band(visit: &Visit, links: &Links, module: &ModulePage) -> AnyView {
    let at = |standing: ToolStanding| format!("{}?standing={standing}", links.module(&module.view.name));
    let mut said = Vec::new();
    if let Some(over) = module.token.as_ref().and_then(|token| token.over.as_deref()) {
        said.push(
            view! {
                <p class="consequence" data-tone="deny">
                    "It must be connected again, and until then its tools cannot be used: " <bdi>{oauth::why(over)}</bdi> " "
                    {connect(visit, links, module, "Connect it again")}
                </p>
            }
            .into_any(),
        );
    }
    if let Some(wanted) = module.token.as_ref().map(|token| &token.wanted).filter(|wanted| !wanted.is_empty())
    {
        said.push(
            view! {
                <div class="consequence">
                    <p>
                        "Its server refused a call for want of more than it was given. "
                        {connect(visit, links, module, "Connect it again to ask for that")}
                    </p>
                    {oauth::scopes(wanted.iter())}
                </div>
            }
            .into_any(),
        );
    }
    match &module.health {
        Health::Off => said.push(
            view! { <p class="consequence">"It is switched off: every call of its tools is refused."</p> }
                .into_any(),
        ),
        Health::NotReached(why) => {
            let why = wording::sentence(&text::lines(why, 1_000));
            said.push(
                view! {
                    <p class="consequence" data-tone="deny">
                        "When its server was asked last: " <bdi>{why}</bdi> " Tools stay as they were."
                    </p>
                }
                .into_any(),
            );
        }
        Health::Failing => {
            let (failed, calls) = (grouped(module.recent.failed), count(module.recent.calls, "call"));
            said.push(
                view! {
                    <p class="consequence">{failed} " of " {calls} " of the last 7 days came to nothing because of its server."</p>
                }
                .into_any(),
            );
        }
        Health::Well | Health::Unknown => {}
    }
    let drifted = u64::from(module.standings.drifted);
    if drifted > 0 {
        let words = if drifted == 1 { "1 tool is" } else { "tools are" };
        let number = (drifted > 1).then(|| format!("{} ", grouped(drifted)));
        said.push(
            view! {
                <p class="consequence" data-tone="drift">
                    {number} {words} " no longer what was approved, and frozen. "
                    <a href=at(ToolStanding::Drifted)>"See what changed"</a>
                </p>
            }
            .into_any(),
        );
    }
    let proposed = u64::from(module.standings.proposed);
    if proposed > 0 {
        let verb = if proposed == 1 { "waits" } else { "wait" };
        said.push(
            view! {
                <p class="consequence">
                    {count(proposed, "tool")} " " {verb} " to be approved. "
                    <a href=at(ToolStanding::Proposed)>"Review"</a>
                </p>
            }
            .into_any(),
        );
    }
    if said.is_empty() { ().into_any() } else { view! { <div class="cat-band">{said}</div> }.into_any() }
}

fn tools(visit: &Visit, links: &Links, query: &Query, module: &ModulePage) -> AnyView {
    let here = links.module(&module.view.name);
    let with = |query: &Query| {
        let query = query.to_query();
        if query.is_empty() { here.clone() } else { format!("{here}?{query}") }
    };
    let rows = &module.tools.rows;
    let clear = query.filters().then(|| here.clone());
    if rows.is_empty() {
        let words = if query.filters() {
            "No tool matches."
        } else {
            "Its server offers no tool. Ask it again once it does."
        };
        return view! { {filters(here, query, "Search its tools", clear)} <p class="absent">{words}</p> }
            .into_any();
    }
    let waiting: Vec<_> = rows.iter().filter(|row| row.offered.is_some()).collect();
    let may = visit.may(Deed::ChangeCatalog);
    let choosing = may && !waiting.is_empty();
    let approve = choosing.then(|| {
        view! {
            <div class="form-actions approve-bar">
                <button type="submit" class="button primary">
                    <Icon name="check" />
                    "Approve what is ticked"
                </button>
                <p class="note">
                    "From then on whoever has its key may call it. Look at a drifted tool before you approve its change."
                </p>
            </div>
        }
    });
    let lines = rows.iter().map(|row| tool(links, module, row, choosing)).collect::<Vec<_>>();
    let does = match module.view.kind {
        ModuleKind::Native => "What it does",
        ModuleKind::Mcp => "What it does, as its server says",
    };
    let table = view! {
        <div class="cat-cards">
            <table class="catalog-table">
                <caption class="visually-hidden">{count(module.tools.total, "tool")} ", by name."</caption>
                <thead>
                    <tr>
                        {choosing.then(|| view! { <th scope="col"><span class="visually-hidden">"Approve"</span></th> })}
                        <th scope="col">"Tool"</th>
                        <th scope="col">{does}</th>
                        <th scope="col">"Standing"</th>
                        <th scope="col">"Key"</th>
                        <th scope="col" class="number">"Price"</th>
                    </tr>
                </thead>
                <tbody>{lines}</tbody>
            </table>
        </div>
    };
    let table = if choosing {
        let to = links.module_to(&module.view.name, "approve");
        view! { <form method="post" action=to>{table} {approve}</form> }.into_any()
    } else {
        table.into_any()
    };
    view! {
        {filters(here.clone(), query, "Search its tools", clear)}
        {table}
        {pages(query, module.tools.total, TOOLS_A_PAGE, rows.len(), with)}
    }
    .into_any()
}

fn tool(links: &Links, module: &ModulePage, row: &ToolRow, choosing: bool) -> AnyView {
    let href = links.tool(&module.view.name, &row.view.name);
    let tick = choosing.then(|| {
        let tick = row.offered.map(|hash| {
            // The hash of what the reader sees: should the server have changed it since, it is not approved.
            let value = format!("{}.{}", row.view.id, hex(&hash));
            let label = format!("Approve {}", text::one_line(&row.view.name, 128));
            view! { <input type="checkbox" name="approve" value=value aria-label=label /> }
        });
        view! { <td class="cat-tick">{tick}</td> }
    });
    view! {
        <tr>
            {tick}
            <th scope="row" class="catalog-name">
                <a href=href>{text::code(&row.view.name)}</a>
                {row.offered.and_then(|_| suspect_mark(&row.definition))}
            </th>
            <td data-label="Does">{summary(&row.definition)}</td>
            <td data-label="Standing"><Badge sign=standing(row.view.standing) /></td>
            <td data-label="Key">{key(&row.view.key)}</td>
            <td data-label="Price" class="number"><Amount money=row.view.price /></td>
        </tr>
    }
    .into_any()
}

/// A SHA-256 in hexadecimal.
pub(super) fn hex(hash: &[u8; 32]) -> String {
    use std::fmt::Write;
    hash.iter().fold(String::with_capacity(64), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn facts(visit: &Visit, links: &Links, module: &ModulePage, rows: Option<&[LimitRow]>) -> AnyView {
    let set = (Whose::Everybody, OfWhat::Module(module.view.id));
    let limits = limits::facts(visit, rows, set).map(|limits| {
        view! {
            <dt>"Limits"</dt>
            <dd>{limits}</dd>
        }
    });
    let owner = match (module.view.owner, &module.owner) {
        (Some(id), Some((name, _))) => view! { <a href=links.user(id)>{text::name(name)}</a> }.into_any(),
        _ => view! { <span class="absent">"nobody: denials name nobody to ask"</span> }.into_any(),
    };
    let asked = match module.asked_at {
        Some(at) => view! { <Moment at=at clock=visit.clock() /> }.into_any(),
        None => view! { <span class="absent">"not yet"</span> }.into_any(),
    };
    let remote = (module.view.kind == ModuleKind::Mcp).then(|| {
        view! {
            <dt>"Presented to its server"</dt>
            <dd>{connection(visit, links, module)}</dd>
            <dt>"Server last asked for its tools"</dt>
            <dd>{asked}</dd>
        }
    });
    let recent = module.recent;
    let calls = view! {
        <dt>"Calls, last 7 days"</dt>
        <dd>
            <a href=links.activity_with(&format!("span=7d&module={}", module.view.id))>{count(recent.calls, "call")}</a>
            {(recent.agents > 0).then(|| view! { " by " {count(recent.agents, "agent")} })}
            {(recent.refused > 0).then(|| view! { ", " {grouped(recent.refused)} " refused" })}
            {(recent.failed > 0).then(|| view! { ", " {grouped(recent.failed)} " failed at its server" })}
        </dd>
    };
    view! {
        <dl>
            <dt>"Health"</dt>
            <dd><State sign=health(&module.health) /></dd>
            <dt>"Owner"</dt>
            <dd>{owner}</dd>
            {remote}
            {calls}
            <dt>"Agents with access"</dt>
            <dd class="figure">{grouped(module.agents)}</dd>
            <dt>"Permission keys"</dt>
            <dd>{keys(links, module)}</dd>
            {limits}
            <dt>"You"</dt>
            <dd>{yours(&module.yours, links)}</dd>
        </dl>
    }
    .into_any()
}

fn connection(visit: &Visit, links: &Links, module: &ModulePage) -> AnyView {
    let to = |what: &str| links.module_to(&module.view.name, what);
    let is = match (&module.connection, &module.token) {
        (Some(_), Some(token)) => connected(visit, token),
        (Some((_, since)), None) => view! {
            "A secret, since " <Moment at=*since clock=visit.clock() />
        }
        .into_any(),
        (None, _) => view! { <span class="absent">"nothing"</span> }.into_any(),
    };
    let change = visit.may(Deed::ChangeCatalog).then(|| {
        let has = module.connection.is_some();
        let is_token = module.token.is_some();
        let end = if is_token { "Disconnect" } else { "Revoke" };
        let revoke = has.then(|| view! { " " <a href=to("connection/revoke")>{end}</a> });
        let set = if has && !is_token { "Replace" } else { "Set a header" };
        let again = if is_token { "Connect again" } else { "Connect with OAuth" };
        view! { <p class="cat-choices"><a href=to("oauth")>{again}</a> " " <a href=to("connection")>{set}</a> {revoke}</p> }
    });
    view! { {is} {change} }.into_any()
}

/// What of a token may be seen.
fn connected(visit: &Visit, token: &TokenView) -> AnyView {
    let state = if token.over.is_some() {
        Sign { icon: "alert", word: "Must be connected again", tone: Tone::Deny }
    } else {
        Sign { icon: "check", word: "Connected with OAuth", tone: Tone::Permit }
    };
    let good = token.over.is_none().then(|| view! { <li>{oauth::until(visit, token)}</li> });
    let scopes = (!token.scopes.is_empty())
        .then(|| view! { <li>"good for " {oauth::scopes(token.scopes.iter())}</li> });
    view! {
        <State sign=state />
        <ul class="cat-plain-list">
            <li>"by " {text::code(&token.issuer)}</li>
            <li>"as client " {text::code(&token.client)}</li>
            {scopes}
            {good}
            <li class="note">
                "since " <Moment at=token.connected_at clock=visit.clock() /> ", by " {text::name(&token.connected_by)}
            </li>
        </ul>
    }
    .into_any()
}

/// The way to connect it, for who may.
fn connect(visit: &Visit, links: &Links, module: &ModulePage, label: &'static str) -> Option<AnyView> {
    let to = links.module_to(&module.view.name, "oauth");
    visit.may(Deed::ChangeCatalog).then(|| view! { <a href=to>{label}</a> }.into_any())
}

fn keys(links: &Links, module: &ModulePage) -> AnyView {
    let lines = module
        .keys
        .iter()
        .map(|(it, title, grants)| {
            let given = grants.map(|number| match number {
                0 => view! { <span class="absent">"given to nobody"</span> }.into_any(),
                number => view! { <span class="note">{count(number, "grant")}</span> }.into_any(),
            });
            let given = given.map(|given| view! { <span class="note">" · "</span> {given} });
            view! { <li>{key(it)} " " <span class="note">{text::one_line(title, 120)}</span> {given}</li> }
        })
        .collect::<Vec<_>>();
    let holders = (!module.holders.is_empty()).then(|| holders(links, &module.holders));
    let matrix = module.keys.iter().any(|(_, _, grants)| grants.is_some()).then(|| {
        view! { <p><a class="onward" href=links.grants()>"All grants in the matrix" <Icon name="arrow" /></a></p> }
    });
    view! {
        <ul class="cat-plain-list">{lines}</ul>
        {holders}
        {matrix}
    }
    .into_any()
}

/// Who was given a key, each once with its keys.
pub(super) fn holders(links: &Links, holders: &[Holder]) -> AnyView {
    let lines = holders
        .iter()
        .map(|holder| {
            let whom = match holder.grantee {
                Grantee::Unit(id) => {
                    view! { "Unit " <a href=links.unit(id)>{text::name(&holder.name)}</a> }.into_any()
                }
                Grantee::Role(role) => view! { "Everyone who is " {wording::role(role)} }.into_any(),
                Grantee::User(id) => {
                    view! { <a href=links.user(id)>{text::name(&holder.name)}</a> }.into_any()
                }
                Grantee::Agent(id) => {
                    view! { "Agent " <a href=links.agent(id)>{text::name(&holder.name)}</a> }.into_any()
                }
            };
            view! { <li>{whom} " " {key(&holder.key)}</li> }
        })
        .collect::<Vec<_>>();
    view! {
        <details class="cat-holders">
            <summary>{count(holders.len() as u64, "grant")} " by name"</summary>
            <ul class="cat-plain-list">{lines}</ul>
        </details>
    }
    .into_any()
}

//! A tool's page: what it does, takes and answers; how it stands and what has changed; who may use it and what it costs.

use std::time::Duration;

use control::authority::Deed;
use control::limits::LimitRow;
use control::modules::ToolPage;
use leptos::prelude::*;
use model::catalog::{Feature, ModuleKind, ModuleStanding, ToolStanding};
use model::limit::{OfWhat, Whose};

use super::module::{hex, holders};
use super::{count, definition, key, standing, yours};
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::{Links, Place};
use crate::pieces::call_row::{Amount, Moment};
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::{Form, TextField, hidden};
use crate::pieces::head::PageHead;
use crate::pieces::limits;
use crate::pieces::sign::Badge;
use crate::schema::Definition;
use crate::text;
use crate::wording::grouped;

/// The page. `form` holds what was typed as its price or its timeouts, if that was wrong.
pub fn page(visit: &Visit, tool: ToolPage, limits: Option<Vec<LimitRow>>, form: &Form) -> String {
    let links = visit.links();
    let name = full_name(&tool);
    let crumbs = crumbs(&links, &tool, None);
    let errors = form.errors().to_vec();
    document::page(visit, Place::Catalog, &form.title(&text::one_line(&name, 120)), crumbs, false, || {
        let read = Definition::read(&tool.detail.definition);
        let title =
            read.title.as_deref().map(|title| view! { <bdi>{text::one_line(title, 200)}</bdi> " · " });
        let answers = read.output.as_ref().map(|output| {
            view! {
                <section aria-labelledby="answers">
                    <h2 id="answers">"What it answers with"</h2>
                    {definition::schema(output, "What it answers with", "always", "It does not say more.")}
                </section>
            }
        });
        let actions = actions(visit, &links, &tool);
        let (feature, theirs) = Feature::of(&tool.detail.view.name);
        let takes = match feature {
            Feature::Tool | Feature::Prompt => Some(view! {
                <section aria-labelledby="takes">
                    <h2 id="takes">"What it takes"</h2>
                    {definition::schema(&read.input, "What it takes", "required", "It takes no arguments.")}
                    {definition::checked(&tool.detail.definition)}
                </section>
            }),
            Feature::Resource | Feature::Template => None,
        };
        let what = match feature {
            Feature::Tool => definition::hints(read.hints, tool.module.kind),
            Feature::Prompt => view! { <p class="note">"A prompt: agents get it as text for their model, filled with what they give."</p> }.into_any(),
            Feature::Resource => view! { <p class="note">"A resource: agents read it at " {text::code(theirs)} "."</p> }.into_any(),
            Feature::Template => view! { <p class="note">"A template: agents read whatever address fits " {text::code(theirs)} "."</p> }.into_any(),
        };
        view! {
            <ErrorSummary errors=errors />
            <PageHead
                title=text::code(&name).into_any()
                lead=view! { {title} <a href=links.module(&tool.module.name)>{text::name(&tool.module.title)}</a> }.into_any()
            >
                {actions}
            </PageHead>
            {band(visit, &links, &tool)}
            <div class="call-body">
                <div class="call-main">
                    <section aria-labelledby="does">
                        <h2 id="does">"What it does"</h2>
                        {definition::description(&read)}
                        {what}
                    </section>
                    {takes}
                    {answers}
                    <section aria-labelledby="whole">
                        <h2 id="whole">"Whole definition"</h2>
                        {definition::raw(&tool.detail.definition)}
                    </section>
                </div>
                <aside class="facts" aria-labelledby="facts">
                    <h2 id="facts">"Facts"</h2>
                    {facts(visit, &links, &tool, limits.as_deref(), form)}
                </aside>
            </div>
        }
    })
}

pub(super) fn full_name(tool: &ToolPage) -> String {
    format!("{}.{}", tool.module.name, tool.detail.view.name)
}

/// Where a page of a tool is.
pub(super) fn crumbs(links: &Links, tool: &ToolPage, here: Option<&str>) -> Vec<Crumb> {
    let mut crumbs = vec![
        Crumb::to("Catalog", links.catalog()),
        Crumb::to(tool.module.title.clone(), links.module(&tool.module.name)),
    ];
    let name = tool.detail.view.name.clone();
    match here {
        None => crumbs.push(Crumb::here(name)),
        Some(here) => {
            crumbs.push(Crumb::to(name, links.tool(&tool.module.name, &tool.detail.view.name)));
            crumbs.push(Crumb::here(here));
        }
    }
    crumbs
}

fn actions(visit: &Visit, links: &Links, tool: &ToolPage) -> AnyView {
    let to = |what: &str| links.tool_to(&tool.module.name, &tool.detail.view.name, what);
    let may = visit.may(Deed::ChangeCatalog);
    let back = tool.detail.view.standing == ToolStanding::Withdrawn && tool.detail.withdrawn_by.is_some();
    let withdraw = (may && tool.detail.view.standing != ToolStanding::Withdrawn).then(|| {
        view! { <a class="button" href=to("withdraw")>"Withdraw"</a> }
    });
    let approve = (may && back).then(|| approval(links, tool, "Approve it again"));
    let primary =
        if tool.detail.view.standing == ToolStanding::Approved { "button primary" } else { "button" };
    // Only tools are called from here.
    let is_tool = Feature::of(&tool.detail.view.name).0 == Feature::Tool;
    view! {
        {is_tool.then(|| view! { <a class=primary href=to("try")>"Try it"</a> })}
        {approve}
        {withdraw}
    }
    .into_any()
}

/// The button that approves the definition that is shown, and no other.
fn approval(links: &Links, tool: &ToolPage, label: &'static str) -> AnyView {
    let to = links.tool_to(&tool.module.name, &tool.detail.view.name, "approve");
    view! {
        <form method="post" action=to>
            {hidden("reviewed", hex(&tool.detail.offered))}
            <button type="submit" class="button primary">
                <Icon name="check" />
                {label}
            </button>
        </form>
    }
    .into_any()
}

/// How it stands, where that is not simply approved.
fn band(visit: &Visit, links: &Links, tool: &ToolPage) -> AnyView {
    let may = visit.may(Deed::ChangeCatalog);
    let off = (tool.module.standing == ModuleStanding::Off).then(|| {
        view! { <p class="consequence">"Its module is switched off: every call is refused."</p> }
    });
    let stands = match tool.detail.view.standing {
        ToolStanding::Approved => ().into_any(),
        ToolStanding::Proposed => {
            let approve = may.then(|| approval(links, tool, "Approve as it is"));
            view! {
                <section class="consequence cat-stands" aria-label="Standing">
                    <p>"Nobody may call it before it is approved. What is shown here is what would be approved."</p>
                    {approve}
                </section>
            }
            .into_any()
        }
        ToolStanding::Drifted => {
            let approve = may.then(|| approval(links, tool, "Approve the change"));
            let since = tool
                .detail
                .drifted_at
                .map(|at| view! { " Seen since " <Moment at=at clock=visit.clock() /> "." });
            let seen = tool.detail.seen_definition.clone().unwrap_or_default();
            let changed = Definition::read(&seen).hints.read_only != Some(true)
                && Definition::read(&tool.detail.definition).hints.read_only == Some(true);
            let warning = changed.then(|| {
                view! { <p><strong>"It no longer says that it only reads."</strong></p> }
            });
            view! {
                <section class="consequence cat-stands" data-tone="drift" aria-labelledby="drift">
                    <h2 id="drift">"It is no longer what was approved"</h2>
                    <p>
                        "Its server now offers another definition under this name, so every call is refused until somebody
                        approves the change. Below it is shown as it was approved."
                        {since}
                    </p>
                    {warning}
                    {definition::changes(&tool.detail.definition, &seen)}
                    {approve}
                </section>
            }
            .into_any()
        }
        ToolStanding::Withdrawn => {
            let words = match &tool.detail.withdrawn_by {
                Some(by) => {
                    view! { <bdi>{text::one_line(by, 120)}</bdi> " took it out: nobody may call it." }
                        .into_any()
                }
                None => view! { "Its server no longer offers it." }.into_any(),
            };
            view! { <p class="consequence">{words}</p> }.into_any()
        }
    };
    // What would be approved; of what is approved, it is too late for the question.
    let offered = tool.detail.seen_definition.as_ref().unwrap_or(&tool.detail.definition);
    let suspects = (tool.detail.view.standing != ToolStanding::Approved)
        .then(|| definition::suspects(offered))
        .flatten();
    view! { <div class="cat-band">{off} {suspects} {stands}</div> }.into_any()
}

fn facts(visit: &Visit, links: &Links, tool: &ToolPage, rows: Option<&[LimitRow]>, form: &Form) -> AnyView {
    let set = (Whose::Everybody, OfWhat::Tool(tool.detail.view.id));
    let limits = limits::facts(visit, rows, set).map(|limits| {
        view! {
            <dt>"Limits"</dt>
            <dd>{limits}</dd>
        }
    });
    let clock = visit.clock();
    let detail = &tool.detail;
    let approved = match (detail.approved_at, &detail.approved_by) {
        (Some(at), Some(by)) => view! {
            <Moment at=at clock=clock /> " by " {text::name(by)}
        }
        .into_any(),
        _ => view! { <span class="absent">"never"</span> }.into_any(),
    };
    let may = visit.may(Deed::ChangeCatalog);
    let chosen = detail
        .key_chosen_by
        .as_deref()
        .map(|by| view! { <span class="note">" chosen by " {text::name(by)}</span> });
    let change_key = (may && tool.module.kind == ModuleKind::Mcp).then(|| {
        let to = links.tool_to(&tool.module.name, &detail.view.name, "key");
        view! { <p><a href=to>"Change the key"</a></p> }
    });
    let who = if visit.may(Deed::ReadGrants) {
        let by_name = if tool.holders.is_empty() {
            view! { <p class="absent">"Nobody: no grant gives its key."</p> }.into_any()
        } else {
            holders(links, &tool.holders)
        };
        view! {
            <dt>"Who may use it"</dt>
            <dd>
                {by_name}
                <p><a class="onward" href=links.grants()>"All grants in the matrix" <Icon name="arrow" /></a></p>
            </dd>
        }
        .into_any()
    } else {
        ().into_any()
    };
    let recent = tool.recent;
    let full = full_name(tool);
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("span", "7d")
        .append_pair("tool", &full)
        .finish();
    let hash = hex(&tool.hash);
    let short: String = hash.chars().take(12).collect();
    view! {
        <dl>
            <dt>"Standing"</dt>
            <dd><Badge sign=standing(detail.view.standing) /></dd>
            <dt>"Approved"</dt>
            <dd>{approved}</dd>
            <dt>"Definition in force (SHA-256)"</dt>
            <dd>
                <details class="digest">
                    <summary><code>{short}"…"</code></summary>
                    <code class="whole">{hash}</code>
                </details>
            </dd>
            <dt>"First offered"</dt>
            <dd><Moment at=detail.discovered_at clock=clock /></dd>
            <dt>"Permission key"</dt>
            <dd>{key(&detail.view.key)} {chosen} {change_key}</dd>
            {who}
            <dt>"You"</dt>
            <dd>{yours(&tool.yours, links)}</dd>
            <dt>"Calls, last 7 days"</dt>
            <dd>
                <a href=links.activity_with(&query)>{count(recent.calls, "call")}</a>
                {(recent.agents > 0).then(|| view! { " by " {count(recent.agents, "agent")} })}
                {(recent.refused > 0).then(|| view! { ", " {grouped(recent.refused)} " refused" })}
                {(recent.failed > 0).then(|| view! { ", " {grouped(recent.failed)} " failed at its server" })}
            </dd>
            {limits}
            <dt>"Timeouts"</dt>
            <dd>{timeouts(visit, links, tool, form)}</dd>
            <dt>"Price per call"</dt>
            <dd>{price(visit, links, tool, form)}</dd>
        </dl>
    }
    .into_any()
}

fn price(visit: &Visit, links: &Links, tool: &ToolPage, form: &Form) -> AnyView {
    let clock = visit.clock();
    let history = (tool.prices.len() > 1).then(|| {
        let lines = tool
            .prices
            .iter()
            .map(|it| {
                view! {
                    <li><Amount money=it.price /> " from " <Moment at=it.from clock=clock /> " by " {text::name(&it.by)}</li>
                }
            })
            .collect::<Vec<_>>();
        view! {
            <details class="cat-holders">
                <summary>"Earlier prices"</summary>
                <ul class="cat-plain-list">{lines}</ul>
            </details>
        }
    });
    let change = visit.may(Deed::ChangeCatalog).then(|| {
        let to = links.tool_to(&tool.module.name, &tool.detail.view.name, "price");
        view! {
            <form method="post" action=to class="price-form" novalidate>
                <TextField
                    form=form.clone()
                    name="price"
                    label=format!("New price in {}", visit.currency)
                    longest=40
                />
                <button type="submit" class="button">"Set"</button>
            </form>
        }
    });
    view! { <Amount money=tool.detail.view.price /> {history} {change} }.into_any()
}

/// How long its server may take. Two forms are on the page: what was typed is put back into the one that was sent.
fn timeouts(visit: &Visit, links: &Links, tool: &ToolPage, form: &Form) -> AnyView {
    let set = tool.detail.timeouts;
    let is = |time: Option<Duration>, none: &'static str| match time {
        Some(time) => format!("{} s", grouped(time.as_secs())),
        None => none.to_owned(),
    };
    // What is built in has no answer that begins before it ends.
    let is_native = tool.module.kind == ModuleKind::Native;
    let mut said = format!("To the end of its answer: {}.", is(set.total, "as everywhere"));
    if !is_native {
        said.push_str(&format!(
            " Until it begins, connecting included: {}.",
            is(set.first_byte, "no time of its own")
        ));
    }
    let change = visit.may(Deed::ChangeCatalog).then(|| {
        let to = links.tool_to(&tool.module.name, &tool.detail.view.name, "timeouts");
        let was_sent = form.has("timeouts", "yes");
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs().to_string()).unwrap_or_default();
        let form = if was_sent {
            form.clone()
        } else {
            Form::default().with("total", seconds(set.total)).with("first_byte", seconds(set.first_byte))
        };
        let first_byte = |form| {
            (!is_native).then(|| {
                view! { <TextField form=form name="first_byte" label="Seconds until it begins" longest=6 required=false /> }
            })
        };
        view! {
            <form method="post" action=to class="timeout-form" novalidate>
                {hidden("timeouts", "yes")}
                <TextField form=form.clone() name="total" label="Seconds to the end of its answer" longest=6 required=false />
                {first_byte(form)}
                <button type="submit" class="button">"Set"</button>
            </form>
        }
    });
    view! { {said} {change} }.into_any()
}

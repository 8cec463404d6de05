//! Adding a module in three steps: where it is, what its server offers, which of it is taken.

use control::modules::drafts::{Draft, DraftState, OfferedTool};
use leptos::prelude::*;
use model::DraftId;

use super::{count, definition};
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::{Links, Place};
use crate::pieces::field::{ErrorSummary, error_of};
use crate::pieces::form::{Form, TextField, hidden};
use crate::pieces::head::PageHead;
use crate::schema::Definition;
use crate::text;
use crate::wording::{grouped, sentence};

/// Up to how many tools each shows what it takes.
const DETAILED: usize = 60;
/// Names shown while they are found.
const NAMES: usize = 40;

/// A built-in module that can be switched on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// Whether it is in the catalog already.
    pub there: bool,
}

/// The first step: where the module is.
pub fn start(visit: &Visit, form: &Form, built_in: &[BuiltIn], drafts: &[(DraftId, String)]) -> String {
    let links = visit.links();
    page(visit, &form.title("Add a module"), 1, || {
        let drafts = drafts
            .iter()
            .map(|(id, title)| view! { <li><a href=links.draft(*id)>{text::name(title)}</a></li> })
            .collect::<Vec<_>>();
        let drafts = (!drafts.is_empty()).then(|| {
            view! {
                <section aria-labelledby="begun">
                    <h2 id="begun">"Begun and not finished"</h2>
                    <ul class="cat-plain-list">{drafts}</ul>
                </section>
            }
        });
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <div class="cat-two">
                <section aria-labelledby="server">
                    <h2 id="server">"An MCP server"</h2>
                    {place_form(visit, form, links.new_module(), false, "Ask it for its tools")}
                </section>
                <div class="stack">
                    {built_in_modules(&links, built_in)}
                    {drafts}
                </div>
            </div>
        }
    })
}

fn page<V: IntoView + 'static>(visit: &Visit, title: &str, step: u8, content: impl FnOnce() -> V) -> String {
    let links = visit.links();
    let crumbs = vec![Crumb::to("Catalog", links.catalog()), Crumb::here("Add a module")];
    document::page(visit, Place::Catalog, title, crumbs, false, || {
        let steps = [(1, "Where it is"), (2, "What it offers"), (3, "Review")]
            .into_iter()
            .map(|(number, label)| {
                let here = (number == step).then_some("step");
                let state = if number < step { "done" } else { "" };
                view! { <li aria-current=here data-state=state>{label}</li> }
            })
            .collect::<Vec<_>>();
        view! {
            <PageHead
                title="Add a module".into_any()
                lead="Connect a service once; then give teams and agents exactly the tools they may use.".into_any()
            />
            <ol class="cat-steps" aria-label="Steps">{steps}</ol>
            {content()}
        }
    })
}

/// Where a module is: the same fields at first and when they have to be corrected.
fn place_form(visit: &Visit, form: &Form, to: String, has_secret: bool, button: &'static str) -> AnyView {
    let links = visit.links();
    let place = "Where the server speaks MCP over streamable HTTP, such as `https://mcp.example.com/mcp`.";
    let place = match &visit.site.programs {
        Some(names) => format!("{place} Or a program that is set up here, such as `stdio:NAME`: {names}."),
        None => place.to_owned(),
    };
    let secret = if has_secret {
        "The value that was given before is kept; give another one to replace it."
    } else {
        "Only if the server wants one: the whole value, such as `Bearer …`. It is sealed, presented to this server alone, and \
         never shown again."
    };
    view! {
        <form class="sheet" method="post" action=to novalidate>
            <TextField
                form=form.clone()
                name="url"
                label="Address"
                hint=place
                kind="url"
                longest=2000
            />
            <TextField form=form.clone() name="title" label="Title" hint="What people call it, such as `Google Drive`." />
            <TextField
                form=form.clone()
                name="name"
                label="Name"
                hint="Its permission key and the first part of its tools' names, such as `drive`: `a-z` first, then `a-z`, `0-9`, `_` or `-`. \
                      It cannot be changed later."
                longest=40
            />
            <TextField
                form=form.clone()
                name="owner"
                label="Owner's mail address"
                hint="Who answers for it: denials tell people to ask them."
                kind="email"
                longest=254
                required=false
            />
            <TextField
                form=form.clone()
                name="authorization"
                label="Authorization header"
                hint=secret
                kind="password"
                longest=8192
                required=false
            />
            <div class="form-actions">
                <button type="submit" class="button primary">{button}</button>
                <a class="button plain" href=links.catalog()>"Back to the catalog"</a>
            </div>
        </form>
    }
    .into_any()
}

fn built_in_modules(links: &Links, built_in: &[BuiltIn]) -> AnyView {
    let lines = built_in
        .iter()
        .map(|module| {
            let name = module.name;
            if module.there {
                return view! {
                    <li>
                        <a href=links.module(name)>{module.title}</a>
                        <span class="note">" is in the catalog"</span>
                    </li>
                }
                .into_any();
            }
            view! {
                <li>
                    <form method="post" action=links.built_in_module() class="form-actions">
                        {hidden("module", name)}
                        <button type="submit" class="button">{format!("Switch on {}", module.title)}</button>
                        <span class="note">"All its tools are approved at once; nobody has a key of it yet."</span>
                    </form>
                </li>
            }
            .into_any()
        })
        .collect::<Vec<_>>();
    view! {
        <section aria-labelledby="built-in">
            <h2 id="built-in">"Built in"</h2>
            <p class="note">"These need no server."</p>
            <ul class="cat-plain-list">{lines}</ul>
        </section>
    }
    .into_any()
}

/// A draft as far as it has come: asked, failed or to be reviewed. `form` holds what was typed.
pub fn draft(visit: &Visit, draft: &Draft, form: &Form) -> String {
    let links = visit.links();
    match &draft.state {
        DraftState::Asking => page(visit, "Asking the server", 2, || asking(&links, draft)),
        DraftState::Failed { code, sentence } => {
            let form = if form == &Form::default() { &place_of(draft) } else { form };
            page(visit, "The server could not be used", 2, || failed(visit, draft, code, sentence, form))
        }
        DraftState::Found => page(visit, &form.title("Review the tools"), 3, || review(visit, draft, form)),
    }
}

/// What a draft holds, as the fields of its form.
pub fn place_of(draft: &Draft) -> Form {
    Form::default()
        .with("url", draft.url.clone())
        .with("title", draft.title.clone())
        .with("name", draft.name.clone())
        .with("owner", draft.owner_email.clone().unwrap_or_default())
}

/// How far asking has come. The page is loaded again until it has ended.
fn asking(links: &Links, draft: &Draft) -> AnyView {
    view! {
        <section class="cat-discovery" aria-labelledby="asking">
            <h2 id="asking">"Asking " {text::name(&draft.title)}</h2>
            {progress(draft)}
            <p class="note">"This page goes on by itself. A server that does not answer is given up after 15 seconds."</p>
            <div class="form-actions">
                <a class="button" href=links.draft(draft.id)>"Look again"</a>
                {discard(links, draft)}
            </div>
        </section>
    }
    .into_any()
}

fn progress(draft: &Draft) -> AnyView {
    let line = |done: bool, words: AnyView| {
        let (tone, icon) = if done { ("permit", "check") } else { ("busy", "busy") };
        view! { <li class="state" data-tone=tone><Icon name=icon /> <span>{words}</span></li> }.into_any()
    };
    let connect =
        line(draft.server.is_some(), view! { "Connecting to " {text::code(&draft.url)} }.into_any());
    let opened = draft.server.as_ref().map(|(name, version, protocol)| {
        let words = view! {
            <bdi>{text::one_line(name, 120)} " " {text::one_line(version, 60)}</bdi> " answered; it speaks MCP "
            <code>{text::one_line(protocol, 40)}</code>
        };
        line(true, words.into_any())
    });
    let found = draft
        .server
        .as_ref()
        .map(|_| line(false, view! { {count(draft.seen.len() as u64, "tool")} " found so far" }.into_any()));
    let more = draft.seen.len().saturating_sub(NAMES);
    let names = draft
        .seen
        .iter()
        .rev()
        .take(NAMES)
        .map(|name| view! { <li>{text::code(name)}</li> })
        .collect::<Vec<_>>();
    let more = (more > 0).then(|| view! { <li class="note">"and " {grouped(more as u64)} " more"</li> });
    view! {
        <ol class="cat-progress" role="status">{connect} {opened} {found}</ol>
        <ul class="cat-choices" aria-label="Tools found">{names} {more}</ul>
    }
    .into_any()
}

fn discard(links: &Links, draft: &Draft) -> AnyView {
    view! {
        <button type="submit" class="button plain" form="discard">"Discard it"</button>
        <form id="discard" method="post" action=links.draft_to(draft.id, "discard")></form>
    }
    .into_any()
}

fn failed(visit: &Visit, draft: &Draft, code: &str, words: &str, form: &Form) -> AnyView {
    let links = &visit.links();
    let words = sentence(&text::lines(words, 2_000));
    view! {
        <ErrorSummary errors=form.errors().to_vec() />
        <section class="consequence cat-stands" data-tone="deny" aria-labelledby="failed">
            <h2 id="failed">"The server could not be used"</h2>
            <p class="cat-said"><bdi>{words}</bdi></p>
            {advice(links, draft, code)}
        </section>
        <h2 class="cat-again">"Correct it and ask again"</h2>
        {place_form(visit, form, links.draft(draft.id), draft.has_authorization, "Ask again")}
        <div class="form-actions">{discard(links, draft)}</div>
    }
    .into_any()
}

/// What can be done about it.
fn advice(links: &Links, draft: &Draft, code: &str) -> AnyView {
    match code {
        "upstream_private_address" => view! {
            <p>
                "Addresses that are not public are refused, so that nobody can reach the inside of the network that WorkingAgents
                runs in. If this server is meant, whoever runs the installation allows its network in the configuration, then
                starts it again:"
            </p>
            <figure class="snippet">
                <pre tabindex="0"><code>"[network]\nallowed_upstream_networks = [\"10.20.0.0/16\"]"</code></pre>
            </figure>
        }
        .into_any(),
        "upstream_unreachable" => view! {
            <p>"Check the host name, the port, and whether the server can be reached from where WorkingAgents runs."</p>
        }
        .into_any(),
        "upstream_unauthorized" => view! {
            <p>
                "If people sign in to this service, connect it with OAuth. If it gives out keys, give one in the field "
                <strong>"Authorization header"</strong> " below: the whole value, such as " <code>"Bearer …"</code> "."
            </p>
            <div class="form-actions">
                <a class="button primary" href=links.draft_to(draft.id, "oauth")>"Connect with OAuth"</a>
            </div>
        }
        .into_any(),
        "upstream_timeout" | "upstream_still_opening" => view! {
            <p>"It took the connection and said nothing. It may be starting, or busy: ask again in a moment."</p>
        }
        .into_any(),
        "upstream_garbage" | "upstream_status" | "upstream_redirect" | "upstream_bad_url" => view! {
            <p>
                "Is it the address where the server speaks MCP over streamable HTTP? Its path is often " <code>"/mcp"</code>
                ", and " <code>"/sse"</code> " at servers that are older."
            </p>
        }
        .into_any(),
        "upstream_broke_off" | "upstream_too_large" | "upstream_error" => view! {
            <p>"The server itself has a problem with being asked for its tools: its own log says more."</p>
        }
        .into_any(),
        _ => ().into_any(),
    }
}

fn review(visit: &Visit, draft: &Draft, form: &Form) -> AnyView {
    let links = visit.links();
    let (name, version, protocol) = draft.server.clone().unwrap_or_default();
    let taken = draft.offered.iter().filter(|tool| tool.refused.is_none()).count();
    let detailed = draft.offered.len() <= DETAILED;
    let rows = draft
        .offered
        .iter()
        .enumerate()
        .filter(|(_, tool)| tool.refused.is_none())
        .map(|(at, offered)| tool(draft, at, offered, form, detailed))
        .collect::<Vec<_>>();
    let refused: Vec<&OfferedTool> = draft.offered.iter().filter(|tool| tool.refused.is_some()).collect();
    let refused = (!refused.is_empty()).then(|| {
        let lines = refused
            .iter()
            .take(50)
            .map(|tool| {
                let why = text::one_line(tool.refused.as_deref().unwrap_or_default(), 300);
                view! { <li>{text::code(&tool.name)} ": " <bdi>{why}</bdi></li> }
            })
            .collect::<Vec<_>>();
        view! {
            <section class="consequence" aria-labelledby="refused">
                <h2 id="refused">{count(refused.len() as u64, "tool")} " cannot be taken"</h2>
                <ul class="cat-plain-list">{lines}</ul>
            </section>
        }
    });
    let table = if taken == 0 {
        view! { <p class="absent">"It offers no tool that can be taken. It can be added all the same, and asked again later."</p> }
            .into_any()
    } else {
        view! {
            <div class="cat-cards">
                <table class="catalog-table cat-review">
                    <caption class="visually-hidden">"Tools to review"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Approve"</th>
                            <th scope="col">"Tool"</th>
                            <th scope="col">"What it does, as its server says"</th>
                            <th scope="col">"Permission key"</th>
                            <th scope="col">{format!("Price per call in {}", visit.currency)}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    view! {
        <ErrorSummary errors=form.errors().to_vec() />
        <p class="lead">
            <bdi>{text::one_line(&name, 120)} " " {text::one_line(&version, 60)}</bdi> " at " {text::code(&draft.url)}
            " speaks MCP " <code>{text::one_line(&protocol, 40)}</code> " and offers " {count(draft.offered.len() as u64, "tool")} ". "
            "As " {text::code(&draft.name)} " they will be called " <code>{text::one_line(&draft.name, 40)} ".…"</code>
        </p>
        {refused}
        <form method="post" action=links.draft_to(draft.id, "add") novalidate>
            {hidden("reviewed", draft.fingerprint.clone())}
            {table}
            <p class="note">
                "Approved means: whoever has the key may call the tool as it is defined now. Nobody has a key yet. What is not
                ticked is proposed, and can be approved later."
            </p>
            <div class="form-actions">
                <button type="submit" class="button primary">
                    {if taken == 0 { "Add it" } else { "Add it, approve what is ticked" }}
                </button>
                {(taken > 0).then(|| view! {
                    <button type="submit" class="button" name="all" value="yes">
                        {format!("Add it, approve all {}", grouped(taken as u64))}
                    </button>
                })}
            </div>
        </form>
        <div class="form-actions">{discard(&links, draft)}</div>
    }
    .into_any()
}

fn tool(draft: &Draft, at: usize, offered: &OfferedTool, form: &Form, detailed: bool) -> AnyView {
    let read = Definition::read(&offered.definition);
    let name = text::one_line(&offered.name, 128);
    let (tick, key, price) = (format!("a{at}"), format!("k{at}"), format!("p{at}"));
    let sent = form != &Form::default();
    let writes = match form.value(&key) {
        "read" => false,
        "write" => true,
        _ => !offered.read_only,
    };
    let error = error_of(form.errors(), &price);
    let described = error.is_some().then(|| format!("{price}-error"));
    let invalid = error.is_some().then_some("true");
    let error = error.map(|words| view! { <p class="field-error" id=format!("{price}-error")>{words}</p> });
    let words = read.description.as_deref().map_or_else(
        || view! { <span class="absent">"It does not say."</span> }.into_any(),
        |words| text::prose(&text::one_line(words.trim(), 400), 500).into_any(),
    );
    let hints = read.hints.words().into_iter().map(|(word, _)| word).collect::<Vec<_>>().join(" · ");
    let takes = detailed.then(|| {
        view! {
            <details class="raw">
                <summary>"What it takes"</summary>
                {definition::schema(&read.input, "What it takes", "required", "It takes no arguments.")}
                {definition::checked(&offered.definition)}
            </details>
        }
    });
    let option = |part: &'static str, chosen: bool| {
        let label = format!("{}:{part}", draft.name);
        view! { <option value=part selected=chosen>{label}</option> }
    };
    view! {
        <tr>
            <td class="cat-tick" data-label="Approve">
                <input
                    type="checkbox"
                    id=tick.clone()
                    name=tick.clone()
                    value="yes"
                    checked=form.has(&tick, "yes")
                    aria-label=format!("Approve {name}")
                />
            </td>
            <th scope="row" class="catalog-name">
                <label for=tick.clone()>{text::code(&offered.name)}</label>
                <span class="cat-under">{hints}</span>
            </th>
            <td data-label="Does"><p class="cat-summary">{words}</p> {definition::suspects(&offered.definition)} {takes}</td>
            <td data-label="Key">
                <select name=key aria-label=format!("Permission key of {name}")>
                    {option("read", !writes)}
                    {option("write", writes)}
                </select>
            </td>
            <td data-label="Price">
                {error}
                <input
                    type="text"
                    id=price.clone()
                    name=price.clone()
                    inputmode="decimal"
                    maxlength="24"
                    autocomplete="off"
                    value=if sent { text::one_line(form.value(&price), 40) } else { "0".to_owned() }
                    aria-label=format!("Price per call of {name}")
                    aria-describedby=described
                    aria-invalid=invalid
                />
            </td>
        </tr>
    }
    .into_any()
}

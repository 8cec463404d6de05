//! Trying a tool: a form made of its schema, as which agent, and what came of it.

use control::modules::ToolPage;
use control::modules::trial::Identity;
use leptos::prelude::*;
use model::call::{CallStory, Outcome, Verdict};
use model::catalog::{ModuleStanding, ToolStanding};

use super::tool::{crumbs, full_name};
use super::{definition, key};
use crate::document::{self, Visit};
use crate::icon::Icon;
use crate::links::{Links, Place};
use crate::pieces::call_row::Amount;
use crate::pieces::content::Answer;
use crate::pieces::field::{ErrorSummary, Field as Labelled, error_of};
use crate::pieces::form::{Form, TextArea, hidden};
use crate::pieces::head::PageHead;
use crate::pieces::sign::{Badge, State};
use crate::schema::form::{Control, Field, Fields, JSON};
use crate::schema::{Definition, Tree};
use crate::{text, wording};

/// What the page is made of.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The tool.
    pub tool: ToolPage,
    /// The form of its arguments.
    pub fields: Fields,
    /// Whether they are entered as JSON although there is a form.
    pub as_json: bool,
    /// As which agents.
    pub identities: Vec<Identity>,
    /// Part of an agent's name, where there are too many to list.
    pub looked_for: String,
    /// What is in the fields.
    pub form: Form,
    /// The call that was made, if one was.
    pub called: Option<CallStory>,
    /// Whether a call was made that is not on record yet.
    pub waiting: bool,
}

/// The page.
pub fn page(visit: &Visit, trial: Trial) -> String {
    let links = visit.links();
    let name = full_name(&trial.tool);
    let crumbs = crumbs(&links, &trial.tool, Some("Try it"));
    let title = trial.form.title(&format!("Try {}", text::one_line(&name, 100)));
    document::page(visit, Place::Catalog, &title, crumbs, false, || {
        let read = Definition::read(&trial.tool.detail.definition);
        let stands = stands(&trial.tool).map(|words| view! { <p class="consequence">{words}</p> });
        view! {
            <ErrorSummary errors=trial.form.errors().to_vec() />
            <PageHead
                title=view! { "Try " {text::code(&name)} }.into_any()
                lead="A real call, made as an agent: decided, recorded and charged like any other.".into_any()
            />
            {stands}
            <div class="cat-two cat-trial">
                <section aria-labelledby="arguments">
                    <h2 id="arguments">"Arguments"</h2>
                    {arguments(visit, &links, &trial)}
                </section>
                <section aria-labelledby="result">
                    <h2 id="result">"Result"</h2>
                    {result(&links, &trial)}
                    <h2>"What it does"</h2>
                    {definition::description(&read)}
                    {definition::hints(read.hints, trial.tool.module.kind)}
                </section>
            </div>
        }
    })
}

fn stands(tool: &ToolPage) -> Option<&'static str> {
    match (tool.module.standing, tool.detail.view.standing) {
        (ModuleStanding::Off, _) => Some("Its module is switched off: the call will be refused."),
        (_, ToolStanding::Proposed) => Some("It is not approved yet: the call will be refused."),
        (_, ToolStanding::Drifted) => Some("It is no longer what was approved: the call will be refused."),
        (_, ToolStanding::Withdrawn) => Some("It is withdrawn: the call will be refused."),
        (ModuleStanding::Live, ToolStanding::Approved) => None,
    }
}

fn arguments(visit: &Visit, links: &Links, trial: &Trial) -> AnyView {
    let here = links.tool_to(&trial.tool.module.name, &trial.tool.detail.view.name, "try");
    if trial.identities.is_empty() && trial.looked_for.is_empty() {
        return no_agents(links);
    }
    let as_json = trial.as_json || trial.fields == Fields::Json;
    let fields = match &trial.fields {
        Fields::Some(fields) if !as_json => {
            if fields.is_empty() {
                view! { <p class="absent">"It takes no arguments."</p> }.into_any()
            } else {
                fields.iter().map(|it| field(it, &trial.form)).collect::<Vec<_>>().into_any()
            }
        }
        _ => view! {
            <TextArea
                form=trial.form.clone()
                name=JSON
                label="Arguments as JSON"
                hint="One object, such as `{\"name\": \"value\"}`. Left empty: no arguments."
                rows=12
                longest=60_000
                required=false
            />
        }
        .into_any(),
    };
    let other = match (&trial.fields, as_json) {
        (Fields::Json, _) => None,
        (_, true) => Some((here.clone(), "Fill in fields instead")),
        (_, false) => Some((format!("{here}?as=json"), "Enter them as JSON instead")),
    };
    let other = other.map(|(href, label)| view! { <a class="button plain" href=href>{label}</a> });
    let price = trial.tool.detail.view.price;
    let charge = (!price.amount.is_zero())
        .then(|| view! { <p class="note">"It costs " <Amount money=price /> "."</p> });
    let currency = visit.currency;
    let free = price
        .amount
        .is_zero()
        .then(|| view! { <p class="note">{format!("It costs nothing ({currency} 0).")}</p> });
    view! {
        {look_for(&here, trial)}
        <form class="sheet" method="post" action=here novalidate>
            {as_json.then(|| hidden("as", "json"))}
            {identity(trial)}
            {fields}
            {charge}
            {free}
            <div class="form-actions">
                <button type="submit" class="button primary">"Make the call"</button>
                {other}
            </div>
        </form>
    }
    .into_any()
}

fn no_agents(links: &Links) -> AnyView {
    view! {
        <section class="empty">
            <h3>"A call needs an agent"</h3>
            <p>
                "Calls are made as an agent that you own, or may change, by one of its keys: only then it is certain what they
                may do. You have none with a key in force."
            </p>
            <p><a class="button primary" href=links.new_agent()>"Make an agent"</a></p>
        </section>
    }
    .into_any()
}

/// Where there are more agents than a list can hold, one looks for them.
fn look_for(here: &str, trial: &Trial) -> AnyView {
    if trial.identities.len() < 100 && trial.looked_for.is_empty() {
        return ().into_any();
    }
    let as_json = trial.as_json.then(|| hidden("as", "json"));
    view! {
        <form class="filters" method="get" action=here.to_owned() role="search" aria-label="Look for an agent">
            {as_json}
            <div class="field">
                <label for="agents">"Agent's name contains"</label>
                <input type="search" id="agents" name="agents" maxlength="120" value=text::one_line(&trial.looked_for, 120) />
            </div>
            <div class="filter-actions"><button type="submit" class="button">"Look"</button></div>
        </form>
    }
    .into_any()
}

fn identity(trial: &Trial) -> AnyView {
    let name = "credential";
    let options = trial
        .identities
        .iter()
        .map(|it| {
            let value = it.credential.to_string();
            let selected = trial.form.has(name, &value);
            let owner =
                if it.own { String::new() } else { format!(" (of {})", text::one_line(&it.owner, 60)) };
            let behalf =
                it.on_behalf_of.as_deref().map(|whom| format!(", on behalf of {}", text::one_line(whom, 60)));
            let (key, prefix) = (&it.key.0, &it.key.1);
            let label = format!(
                "{}{owner}{} · key {} ({}…)",
                text::one_line(&it.agent, 80),
                behalf.unwrap_or_default(),
                text::one_line(key, 60),
                text::one_line(prefix, 20),
            );
            view! { <option value=value selected=selected>{label}</option> }
        })
        .collect::<Vec<_>>();
    let error = error_of(trial.form.errors(), name);
    let wrong = error.is_some().then_some("true");
    let described =
        if error.is_some() { format!("{name}-error {name}-hint") } else { format!("{name}-hint") };
    view! {
        <Labelled name=name label="As the agent" error=error>
            <p class="hint" id=format!("{name}-hint")>
                "By one of its keys. What the agent may not do, you cannot do here either; the record says that it was you."
            </p>
            <select id=name name=name aria-describedby=described aria-invalid=wrong>{options}</select>
        </Labelled>
    }
    .into_any()
}

/// One value of the arguments, by what its server calls it.
fn field(field: &Field, form: &Form) -> AnyView {
    let error = error_of(form.errors(), &field.name);
    let mut described = Vec::new();
    if error.is_some() {
        described.push(format!("{}-error", field.name));
    }
    let words = about(field);
    if words.is_some() {
        described.push(format!("{}-hint", field.name));
    }
    let described = (!described.is_empty()).then(|| described.join(" "));
    let invalid = error.is_some().then_some("true");
    let label = text::one_line(&field.label, 120);
    let label = if field.required { label } else { format!("{label} (optional)") };
    let name = field.name.clone();
    let value = text::lines(form.value(&name), 60_000);
    let control = match &field.control {
        Control::Group(inner) => {
            let inner = inner.iter().map(|it| self::field(it, form)).collect::<Vec<_>>();
            let id = name.clone();
            return view! {
                <fieldset class="cat-group" id=id tabindex="-1">
                    <legend>{label}</legend>
                    {words}
                    {inner}
                </fieldset>
            }
            .into_any();
        }
        Control::Several(choices) => {
            let boxes = choices
                .iter()
                .enumerate()
                .map(|(at, choice)| {
                    let (id, value) = (format!("{name}-{at}"), at.to_string());
                    let checked = form.has(&name, &value);
                    view! {
                        <div class="choice-field">
                            <input type="checkbox" id=id.clone() name=name.clone() value=value checked=checked />
                            <label for=id><bdi>{text::one_line(&choice.plain(), 120)}</bdi></label>
                        </div>
                    }
                })
                .collect::<Vec<_>>();
            let wrong = error.is_some().then_some("");
            let error = error.map(|words| {
                view! { <p class="field-error" id=format!("{name}-error")><Icon name="alert" />{words}</p> }
            });
            return view! {
                <fieldset class="field choices-field" id=name.clone() data-field=name.clone() data-wrong=wrong tabindex="-1">
                    <legend>{label}</legend>
                    {error}
                    {words}
                    {boxes}
                </fieldset>
            }
            .into_any();
        }
        Control::Choice(choices) => {
            let none = (!field.required || form.value(&name).is_empty()).then(|| {
                let words = if field.required { "Choose" } else { "Leave it out" };
                view! { <option value="">{words}</option> }
            });
            let options = choices
                .iter()
                .enumerate()
                .map(|(at, choice)| {
                    let value = at.to_string();
                    let selected = form.has(&name, &value);
                    view! { <option value=value selected=selected>{choice_words(choice)}</option> }
                })
                .collect::<Vec<_>>();
            view! {
                <select id=name.clone() name=name.clone() aria-describedby=described aria-invalid=invalid>
                    {none}
                    {options}
                </select>
            }
            .into_any()
        }
        Control::Line { kind, .. } => view! {
            <input
                type=*kind
                id=name.clone()
                name=name.clone()
                value=value
                autocomplete="off"
                spellcheck="false"
                aria-describedby=described
                aria-invalid=invalid
            />
        }
        .into_any(),
        Control::Area | Control::Lines(_) | Control::Json => {
            let rows = if matches!(field.control, Control::Area) { "5" } else { "3" };
            view! {
                <textarea
                    id=name.clone()
                    name=name.clone()
                    rows=rows
                    spellcheck="false"
                    aria-describedby=described
                    aria-invalid=invalid
                    inner_html=text::in_textarea(&value)
                ></textarea>
            }
            .into_any()
        }
    };
    view! { <Labelled name=name label=label error=error>{words} {control}</Labelled> }.into_any()
}

fn choice_words(choice: &Tree) -> String {
    match choice {
        Tree::Null => "nothing (null)".to_owned(),
        Tree::Text(text) if text.is_empty() => "empty text".to_owned(),
        other => text::one_line(&other.plain(), 120),
    }
}

/// What a server says of a value, and how it is entered.
fn about(field: &Field) -> Option<AnyView> {
    let entered = match &field.control {
        Control::Lines(_) => Some("One entry on each line."),
        Control::Json => Some("As JSON."),
        _ => None,
    };
    let words = field.description.as_deref().map(str::trim).filter(|words| !words.is_empty());
    let words = words.map(|words| view! { {text::prose(&text::one_line(words, 600), 700)} " " });
    let rules = field.rules.join(", ");
    if words.is_none() && rules.is_empty() && entered.is_none() {
        return None;
    }
    let rules =
        (!rules.is_empty()).then(|| view! { <span class="cat-rule">{text::prose(&rules, 300)}</span> " " });
    Some(view! { <p class="hint" id=format!("{}-hint", field.name)>{words} {rules} {entered}</p> }.into_any())
}

fn result(links: &Links, trial: &Trial) -> AnyView {
    if trial.waiting {
        return view! {
            <p class="state" data-tone="busy" role="status">
                <Icon name="busy" />
                <span>"The call is under way. This page looks again by itself."</span>
            </p>
        }
        .into_any();
    }
    let Some(story) = &trial.called else {
        return view! { <p class="absent">"It will be here, and in Activity."</p> }.into_any();
    };
    let row = &story.row;
    let link = view! {
        <p><a class="button" href=links.call(row.id)>"The call, with its whole story" <Icon name="arrow" /></a></p>
    };
    if row.verdict != Verdict::Permit {
        let words =
            row.reason.as_ref().map(|reason| wording::without_verdict(&reason.sentence)).unwrap_or_default();
        let missing = row.reason.as_ref().and_then(|reason| reason.missing_key.clone());
        let missing = missing.map(|it| {
            view! { <p>"Missing: " {key(&it)} " · " <a href=links.grants()>"Grants"</a></p> }
        });
        return view! {
            <div class="decision" data-tone=wording::verdict(row.verdict).tone.word()>
                <Badge sign=wording::verdict(row.verdict) />
                <p class="sentence">{text::prose(&words, 2_000)}</p>
            </div>
            {missing}
            {link}
        }
        .into_any();
    }
    let failure = story.failure.as_ref().filter(|_| row.outcome != Some(Outcome::ToolError)).map(|failure| {
        view! { <p class="consequence" data-tone="deny">{text::prose(&wording::sentence(&failure.sentence), 2_000)}</p> }
    });
    let meaning = row.outcome.map(wording::outcome_meaning);
    view! {
        <p class="result-head">
            <State sign=wording::ending(row) />
            {row.duration_us.map(|us| view! { <span class="note" title=wording::microseconds(us)>{wording::duration(us)}</span> })}
            {row.charge.map(|money| view! { <Amount money=money /> })}
        </p>
        <p class="note">{meaning}</p>
        {failure}
        <div class="content"><Answer content=story.result.clone() /></div>
        {link}
    }
    .into_any()
}

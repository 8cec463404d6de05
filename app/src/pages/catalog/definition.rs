//! A tool's definition as people read it: what it takes as a table, what it says of itself, what has changed.

use arguments::InputSchema;
use control::modules::{Suspect, suspicions};
use leptos::prelude::*;
use model::catalog::ModuleKind;

use crate::schema::diff::{self, Change};
use crate::schema::outline::{Line, Outline, outline};
use crate::schema::{Definition, Hints, Tree};
use crate::{text, wording};

/// Characters of a description, of a default, of raw JSON.
const WORDS: usize = 4_000;
const SHORT: usize = 200;
const RAW: usize = 70_000;

/// What in a definition is to be looked at closely, if anything is.
pub(super) fn suspects(definition: &str) -> Option<AnyView> {
    let found = suspicions(definition);
    if found.is_empty() {
        return None;
    }
    let lines = found
        .into_iter()
        .map(|it| {
            let what = match it.what {
                Suspect::Hidden(codes) => {
                    view! { "has characters that are not seen: " <code>{text::one_line(&codes.join(" "), SHORT)}</code> }
                        .into_any()
                }
                Suspect::Instruction(words) => {
                    view! { "speaks to the model: “" <bdi>{text::one_line(&words, SHORT)}</bdi> "”" }.into_any()
                }
            };
            view! { <li>{text::code(&it.place)} " " {what}</li> }
        })
        .collect::<Vec<_>>();
    let suspects = view! {
        <section class="consequence cat-suspects" data-tone="deny" aria-label="To be looked at closely">
            <p><strong>"Look closely before you approve it."</strong> " Models read all of a definition, also what people do not see."</p>
            <ul class="cat-plain-list">{lines}</ul>
        </section>
    };
    Some(suspects.into_any())
}

/// Whether there is something in a definition to be looked at closely, for a line of a table.
pub(super) fn suspect_mark(definition: &str) -> Option<AnyView> {
    let is_any = !suspicions(definition).is_empty();
    is_any.then(|| view! { <span class="cat-under" data-tone="deny">"Look closely"</span> }.into_any())
}

/// What a tool says of itself, in words.
pub(super) fn hints(hints: Hints, kind: ModuleKind) -> AnyView {
    let words = hints
        .words()
        .into_iter()
        .map(|(word, sentence)| view! { <li><strong>{word} "."</strong> " " <span class="note">{sentence}</span></li> })
        .collect::<Vec<_>>();
    let unchecked = (kind == ModuleKind::Mcp).then(|| {
        view! { <p class="note">"This is what the server says of its tool. Nothing checks it."</p> }
    });
    view! {
        <ul class="cat-hints">{words}</ul>
        {unchecked}
    }
    .into_any()
}

/// What a server says that a tool does.
pub(super) fn description(definition: &Definition) -> AnyView {
    match &definition.description {
        Some(words) => view! { <p class="tool-words">{text::prose(words.trim(), WORDS)}</p> }.into_any(),
        None => view! { <p class="absent">"The server does not say what it does."</p> }.into_any(),
    }
}

/// Whether arguments are checked against what a tool says it takes.
pub(super) fn checked(definition: &str) -> AnyView {
    match InputSchema::of(definition) {
        Ok(None) => ().into_any(),
        Ok(Some(_)) => {
            view! { <p class="note">"A call whose arguments do not fit is refused before anything runs."</p> }
                .into_any()
        }
        Err(why) => {
            let why = text::one_line(&why.to_string(), SHORT);
            view! { <p class="note">"Arguments are passed on unchecked, since this schema cannot be used: " <bdi>{why}</bdi> "."</p> }
                .into_any()
        }
    }
}

/// A schema as a table, with its JSON behind a toggle. `must` is said of what is there in any case.
pub(super) fn schema(
    schema: &Tree,
    caption: &'static str,
    must: &'static str,
    when_empty: &'static str,
) -> AnyView {
    let Outline { lines, cut } = outline(schema);
    let table = if lines.is_empty() && !cut {
        view! { <p class="absent">{when_empty}</p> }.into_any()
    } else {
        let described = lines.iter().any(|line| line.description.is_some());
        let rows = lines.into_iter().map(|it| line(it, must, described)).collect::<Vec<_>>();
        view! {
            <div class="scroll" tabindex="0" role="group" aria-label=caption>
                <table class="cat-schema">
                    <caption class="visually-hidden">{caption}</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Name"</th>
                            <th scope="col">"What it is"</th>
                            {described.then(|| view! { <th scope="col">"What it is for"</th> })}
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    view! {
        {table}
        {cut.then(|| view! { <p class="cut">"There is more than the table shows; the raw JSON has it all."</p> })}
        {raw(&schema.json())}
    }
    .into_any()
}

fn line(line: Line, must: &'static str, described: bool) -> AnyView {
    let Line { depth, name, place, kind, required, rules, choices, more_choices, default, description } =
        line;
    let place = (!place.is_empty()).then(|| view! { <span class="note">{place}</span> " " });
    let name = name.map(|name| text::code(&name).into_any());
    let must = required.then(|| view! { " " <span class="cat-must">{must}</span> });
    let rules = rules
        .into_iter()
        .map(|rule| view! { <span class="cat-rule">{text::prose(&rule, SHORT)}</span> })
        .collect::<Vec<_>>();
    let choices = (!choices.is_empty()).then(|| {
        let more = (more_choices > 0)
            .then(|| view! { <li class="note">"and " {wording::grouped(more_choices as u64)} " more"</li> });
        let items = choices
            .iter()
            .map(|choice| view! { <li><code>{text::one_line(choice, 80)}</code></li> })
            .collect::<Vec<_>>();
        view! { <ul class="cat-choices" aria-label="Choices">{items} {more}</ul> }
    });
    let default = default.map(|value| {
        view! { <span class="cat-rule">"default " <code>{text::one_line(&value, SHORT)}</code></span> }
    });
    let words = description.map(|words| text::prose(words.trim(), 1_200));
    let words = described.then(|| view! { <td class="tool-words">{words}</td> });
    view! {
        <tr data-depth=depth.to_string()>
            <th scope="row">{place} {name} {must}</th>
            <td><span class="kind">{text::one_line(&kind, 120)}</span> {rules} {default} {choices}</td>
            {words}
        </tr>
    }
    .into_any()
}

/// JSON as it is, behind a toggle.
pub(super) fn raw(json: &str) -> AnyView {
    let cut = json.chars().nth(RAW).is_some();
    view! {
        <details class="raw">
            <summary>"Raw JSON" <span class="note">{wording::size(json.len() as u64)}</span></summary>
            <pre tabindex="0" aria-label="Raw JSON"><code><bdi>{text::lines(json, RAW)}</bdi></code></pre>
            {cut.then(|| view! { <p class="cut">"Cut after " {wording::grouped(RAW as u64)} " characters."</p> })}
        </details>
    }
    .into_any()
}

/// What has changed between what was approved and what is offered now.
pub(super) fn changes(approved: &str, offered: &str) -> AnyView {
    let tree = |text: &str| Tree::read(text).unwrap_or(Tree::Null);
    let changes = diff::changes(&tree(approved), &tree(offered));
    let rows = changes.into_iter().map(change).collect::<Vec<_>>();
    view! {
        <div class="cat-cards">
            <table class="cat-changes">
                <caption class="visually-hidden">"What changed since it was approved"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Where"</th>
                        <th scope="col">"As approved"</th>
                        <th scope="col">"As offered now"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn change(change: Change) -> AnyView {
    let Change { path, before, after } = change;
    let nothing = || view! { <span class="absent">"not there"</span> }.into_any();
    let (was, is) = match (before, after) {
        (Some(before), Some(after)) => {
            let (before, after) = (text::lines(&before, WORDS), text::lines(&after, WORDS));
            let (head, one, two, tail) = diff::parts(&before, &after);
            (
                view! { <bdi>{head.to_owned()}<del>{one.to_owned()}</del>{tail.to_owned()}</bdi> }.into_any(),
                view! { <bdi>{head.to_owned()}<ins>{two.to_owned()}</ins>{tail.to_owned()}</bdi> }.into_any(),
            )
        }
        (before, after) => (
            before.map_or_else(nothing, |it| {
                view! { <bdi><del>{text::lines(&it, WORDS)}</del></bdi> }.into_any()
            }),
            after.map_or_else(nothing, |it| {
                view! { <bdi><ins>{text::lines(&it, WORDS)}</ins></bdi> }.into_any()
            }),
        ),
    };
    let path = if path.is_empty() { "the whole definition".to_owned() } else { path };
    view! {
        <tr>
            <th scope="row"><code><bdi>{text::one_line(&path, 300)}</bdi></code></th>
            <td data-label="As approved">{was}</td>
            <td data-label="As offered now">{is}</td>
        </tr>
    }
    .into_any()
}

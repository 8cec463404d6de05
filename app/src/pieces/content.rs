//! Arguments and results of calls: a readable table first, the exact bytes behind a toggle. Never as HTML.

use leptos::prelude::*;
use model::call::Content;
use serde_json::value::RawValue;

use crate::pieces::json::{self, Grid, Leaf};
use crate::{text, wording};

/// Lines of a table on the page.
const LINES: usize = 100;
/// Characters of one value.
const VALUE: usize = 4_000;
/// Characters of raw JSON on the page.
const RAW: usize = 64_000;
/// Blocks of a result on the page.
const BLOCKS: usize = 40;

/// What was sent to the tool.
#[component]
pub fn Arguments(
    /// The arguments.
    content: Content,
) -> impl IntoView {
    match shown(content) {
        Err(absence) => absence,
        Ok(json) => view! {
            {json_table(&json, "The tool was called without arguments.")}
            {raw(&json)}
        }
        .into_any(),
    }
}

/// What the tool answered: `content` blocks as text, `structuredContent` as a table (MCP, tools/call result).
#[component]
pub fn Answer(
    /// The result.
    content: Content,
) -> impl IntoView {
    let json = match shown(content) {
        Err(absence) => return absence,
        Ok(json) => json,
    };
    let members = json::members(&json).unwrap_or_default();
    let find = |wanted: &str| members.iter().find(|(key, _)| key == wanted).map(|(_, value)| *value);
    let blocks: Vec<&RawValue> =
        find("content").and_then(|content| serde_json::from_str(content.get()).ok()).unwrap_or_default();
    let structured = find("structuredContent").map(RawValue::get);
    if blocks.is_empty() && structured.is_none() {
        return view! {
            {json_table(&json, "The tool answered with nothing.")}
            {raw(&json)}
        }
        .into_any();
    }
    let blocks = without_twin(blocks, structured);
    let with_blocks = !blocks.is_empty();
    let more = blocks.len().saturating_sub(BLOCKS);
    let blocks = blocks.into_iter().take(BLOCKS).map(block).collect::<Vec<_>>();
    view! {
        <div class="blocks">{blocks}</div>
        {(more > 0).then(|| view! { <p class="cut">{more}" more blocks are in the raw JSON."</p> })}
        {structured
            .map(|structured| {
                view! {
                    {with_blocks.then(|| view! { <h3>"Structured content"</h3> })}
                    {json_table(structured, "Empty.")}
                }
            })}
        {raw(&json)}
    }
    .into_any()
}

/// Servers repeat structured content as a text block for older clients (MCP, structured content). Once is enough.
fn without_twin<'a>(mut blocks: Vec<&'a RawValue>, structured: Option<&str>) -> Vec<&'a RawValue> {
    let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).ok();
    let Some(structured) = structured.and_then(value) else { return blocks };
    blocks.retain(|block| {
        let text = value(block.get()).and_then(|block| Some(block.get("text")?.as_str()?.to_owned()));
        text.as_deref().and_then(value).is_none_or(|twin| twin != structured)
    });
    blocks
}

/// The text of a content, or what to say instead.
fn shown(content: Content) -> Result<String, AnyView> {
    let sentence = match content {
        Content::Text(json) => return Ok(json),
        Content::None => "There is none.".to_owned(),
        Content::TooLarge(size) => {
            format!("It was {}, more than is kept. Its digest is on record.", wording::size(size))
        }
        Content::Withheld => {
            "Your role does not include the content of calls. Owners, admins and auditors can see it."
                .to_owned()
        }
    };
    Err(view! { <p class="absent">{sentence}</p> }.into_any())
}

/// One content block of a result.
fn block(block: &RawValue) -> AnyView {
    let members = json::members(block.get()).unwrap_or_default();
    let string = |wanted: &str| {
        members
            .iter()
            .find(|(key, _)| key == wanted)
            .and_then(|(_, value)| serde_json::from_str::<String>(value.get()).ok())
    };
    let kind = string("type").unwrap_or_default();
    if kind == "text" {
        let words = text::lines(&string("text").unwrap_or_default(), RAW);
        return view! { <pre class="text-block" dir="auto"><bdi>{words}</bdi></pre> }.into_any();
    }
    let about = match kind.as_str() {
        "image" | "audio" => {
            let size = string("data").map_or(0, |data| data.len() as u64 * 3 / 4);
            let mime = string("mimeType").unwrap_or_else(|| "of unknown type".into());
            format!("{mime}, about {}", wording::size(size))
        }
        "resource_link" => string("uri").unwrap_or_default(),
        _ => String::new(),
    };
    if about.is_empty() {
        return json_table(block.get(), "An empty block.");
    }
    view! {
        <p class="other-block">
            <span class="block-kind">{text::name(&kind.replace('_', " "))}</span>
            {text::code(&about)}
            <span class="note">"not shown here"</span>
        </p>
    }
    .into_any()
}

fn json_table(json: &str, when_empty: &'static str) -> AnyView {
    let Some(table) = json::table(json, LINES) else {
        return view! { <p class="absent">"It is not valid JSON; see the raw text."</p> }.into_any();
    };
    if let [line] = table.lines.as_slice()
        && line.path.is_empty()
        && matches!(&line.value, Leaf::Json(json) if json.len() <= 4)
    {
        return view! { <p class="absent">{when_empty}</p> }.into_any();
    }
    let rows = table
        .lines
        .into_iter()
        .map(|line| {
            let path = if line.path.is_empty() { "value".to_owned() } else { line.path };
            match line.value {
                Leaf::Grid(grid) => beside(&path, grid),
                value => view! {
                    <tr>
                        <th scope="row">{text::code(&path)}</th>
                        <td>{leaf(value)}</td>
                    </tr>
                }
                .into_any(),
            }
        })
        .collect::<Vec<_>>();
    view! {
        <div class="scroll" tabindex="0" role="group" aria-label="Values">
            <table class="pairs">
                <tbody>{rows}</tbody>
            </table>
        </div>
        {table.cut.then(|| view! { <p class="cut">"Cut after " {LINES} " values; the raw JSON has them all."</p> })}
    }
    .into_any()
}

/// Objects that are alike, as a table over the whole width.
fn beside(path: &str, grid: Grid) -> AnyView {
    let more = grid.count.saturating_sub(grid.rows.len());
    let head =
        grid.columns.iter().map(|name| view! { <th scope="col">{text::code(name)}</th> }).collect::<Vec<_>>();
    let rows = grid
        .rows
        .into_iter()
        .map(|row| {
            let cells = row.into_iter().map(|cell| view! { <td>{cell.map(leaf)}</td> }).collect::<Vec<_>>();
            view! { <tr>{cells}</tr> }
        })
        .collect::<Vec<_>>();
    view! {
        <tr>
            <td colspan="2">
                <p class="grid-name">{text::code(path)} <span class="note">{grid.count} " entries"</span></p>
                <div class="scroll" tabindex="0" role="group" aria-label="Entries">
                    <table class="grid">
                        <thead>
                            <tr>{head}</tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
                {(more > 0).then(|| view! { <p class="cut">{more} " more are in the raw JSON."</p> })}
            </td>
        </tr>
    }
    .into_any()
}

fn leaf(leaf: Leaf) -> AnyView {
    match leaf {
        Leaf::Grid(grid) => view! { {grid.count} " entries" }.into_any(),
        Leaf::Text(string) if string.is_empty() => {
            view! { <span class="absent">"empty text"</span> }.into_any()
        }
        Leaf::Text(string) => {
            view! { <span class="value-text"><bdi>{text::lines(&string, VALUE)}</bdi></span> }.into_any()
        }
        Leaf::Word(word) => {
            view! { <code class="value-word">{text::one_line(&word, VALUE)}</code> }.into_any()
        }
        Leaf::Json(json) => {
            view! { <code class="value-json"><bdi>{text::lines(&json, VALUE)}</bdi></code> }.into_any()
        }
    }
}

fn raw(json: &str) -> AnyView {
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

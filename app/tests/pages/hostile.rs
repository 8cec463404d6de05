//! Whatever agents, tools and clients send, a page shows it as text: escaped, isolated, with what hides made visible.

use app::document::Visit;
use app::pages::activity::{self, Shown};
use app::pages::rejected::{self, Rejected};
use app::pages::sign_in::{self, Choice, Form};
use app::pages::{call, filter};
use app::pieces::call_row;

use model::Zone;

use crate::sample::{self, HOSTILE};

/// Every tag of a document with its attributes. Ours are all double-quoted; whatever is not is a fault by itself.
fn tags(html: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        rest = &rest[name.len()..];
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('>') {
                rest = after;
                break;
            }
            if let Some(after) = rest.strip_prefix('/') {
                rest = after;
                continue;
            }
            let end = rest.find(['=', ' ', '>', '/']).unwrap();
            let (key, after) = rest.split_at(end);
            rest = after;
            let mut value = String::new();
            if let Some(after) = rest.strip_prefix('=') {
                let quoted = after.strip_prefix('"').unwrap_or_else(|| panic!("unquoted {key} in <{name}>"));
                let (inside, after) = quoted.split_once('"').unwrap();
                value = inside.to_owned();
                rest = after;
            }
            attributes.push((key.to_owned(), value));
        }
        // A script's text is not markup.
        if name == "script" {
            rest = rest.split_once("</script>").unwrap().1;
        }
        tags.push((name, attributes));
    }
    tags
}

/// The elements that pages are made of. `img`, `iframe`, `style`, `b` and the like are not among them.
const ELEMENTS: &[&str] = &[
    "a",
    "aside",
    "bdi",
    "body",
    "button",
    "circle",
    "code",
    "data",
    "dd",
    "del",
    "details",
    "textarea",
    "progress",
    "legend",
    "g",
    "fieldset",
    "kbd",
    "dialog",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "form",
    "h1",
    "h2",
    "h3",
    "head",
    "header",
    "html",
    "input",
    "ins",
    "label",
    "legend",
    "leptos-children",
    "leptos-island",
    "li",
    "link",
    "main",
    "meta",
    "meter",
    "nav",
    "ol",
    "option",
    "p",
    "path",
    "pre",
    "rect",
    "script",
    "section",
    "select",
    "span",
    "strong",
    "summary",
    "svg",
    "symbol",
    "table",
    "tbody",
    "td",
    "textarea",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "ul",
    "use",
    "wbr",
    "caption",
    "fieldset",
    "g",
    "line",
    "text",
    "tfoot",
];

pub(crate) fn is_harmless(what: &str, html: &str, scripts: usize) {
    for hidden in ['\0', '\r', '\u{1B}', '\u{202E}', '\u{2066}', '\u{E0041}'] {
        let around = html.find(hidden).map(|at| html[..at].chars().rev().take(120).collect::<Vec<_>>());
        let around = around.map(|it| it.into_iter().rev().collect::<String>());
        assert_eq!(around, None, "{what}: {hidden:?} reaches the page");
    }
    let tags = tags(html);
    for (name, attributes) in &tags {
        assert!(ELEMENTS.contains(&name.as_str()), "{what}: <{name}>");
        for (key, value) in attributes {
            assert!(!key.starts_with("on") && key != "style" && key != "srcdoc", "{what}: {key} in <{name}>");
            if ["href", "src", "action", "formaction"].contains(&key.as_str()) {
                let ours = value.starts_with('/') && !value.starts_with("//") || value.starts_with('#');
                assert!(ours, "{what}: <{name} {key}={value}>");
            }
        }
    }
    // The frame's own is on every page of it, once.
    let (frames, own): (Vec<_>, Vec<_>) = tags
        .iter()
        .filter(|(name, _)| name == "script")
        .partition(|(_, attributes)| attributes.contains(&("id".to_owned(), "keys".to_owned())));
    assert_eq!(frames.len(), usize::from(html.contains("class=\"rail\"")), "{what}: the frame's script");
    assert_eq!(own.len(), scripts, "{what}");
}

pub(crate) fn visit() -> Visit {
    let bad = || HOSTILE.to_owned();
    Visit { organization: bad(), person: bad(), roles: vec![bad()], ..sample::visit() }
}

#[test]
fn a_row() {
    let mut row = sample::hostile().row;
    is_harmless(
        "permitted",
        &call_row::html(row.clone(), &visit().links(), sample::clock(), visit().reader()),
        0,
    );
    row.verdict = model::call::Verdict::Deny;
    let html = call_row::html(row, &visit().links(), sample::clock(), visit().reader());
    is_harmless("denied", &html, 0);
    assert!(html.len() < 8_000, "10,000 characters are cut: {}", html.len());
    for said in ["&lt;script&gt;", "⟦U+202E⟧gpj.exe␀", "שלום 👩‍👩‍👧", "⟦U+E0041⟧"] {
        assert!(html.contains(said), "{said} is shown");
    }
}

#[test]
fn names_are_isolated() {
    let html = call_row::html(sample::hostile().row, &visit().links(), sample::clock(), visit().reader());
    for (at, _) in html.match_indices("&lt;script&gt;") {
        let before = &html[..at];
        assert!(before.rfind("<bdi>") > before.rfind("</bdi>"), "outside of <bdi>: …{}", &before[at - 60..]);
    }
}

#[test]
fn a_call_with_arguments_and_results() {
    let page = call::page(&visit(), sample::hostile(), None);
    is_harmless("call", &page, 0);
    assert!(page.contains("javascript:alert(1)"), "shown as text, not as a link");
    assert!(page.contains("⟦U+202E⟧"));
    assert!(page.len() < 120_000, "{}", page.len());
}

#[test]
fn contents_that_are_no_json_or_too_much_of_it() {
    use model::call::Content;
    for (what, json) in [
        ("broken", "{\"a\": <script>alert(1)</script>".to_owned()),
        ("deep", "[".repeat(5_000)),
        ("wide", format!("[{}]", vec!["\"<b>\""; 20_000].join(","))),
        ("long", format!("{:?}", "<b>".repeat(100_000))),
        (
            "blocks",
            r#"{"content":[{"type":"<b>","x":"<i>"},7,null,{"type":"text"},{"type":"text","text":5}]}"#
                .into(),
        ),
        ("many", format!(r#"{{"content":[{}]}}"#, vec![r#"{"type":"text","text":"<b>"}"#; 500].join(","))),
        ("empty", String::new()),
    ] {
        let text = || Content::Text(json.clone());
        let page = call::page(
            &visit(),
            model::call::CallStory { arguments: text(), result: text(), exchange: text(), ..sample::story() },
            None,
        );
        is_harmless(what, &page, 0);
        assert!(page.len() < 700_000, "{what}: {}", page.len());
    }
}

#[test]
fn the_list_its_filters_and_its_choices() {
    let bad = || HOSTILE.to_owned();
    let mut agents = sample::agents();
    agents[0].1 = bad();
    let shown = || Shown {
        rows: vec![sample::hostile().row],
        older: true,
        agents: agents.clone(),
        modules: vec![(sample::modules()[0].0, bad())],
        ..Shown::default()
    };
    // What somebody types into a field goes back to them as it was, for them to change.
    for query in ["", "tool=%3Cscript%3E%22%27%3E&span=7d", "tool=%22+onfocus%3Dalert(1)+autofocus"] {
        is_harmless(query, &activity::page(&visit(), filter::read(query, Zone::UTC), shown()), 1);
    }
    is_harmless(
        "wrong",
        &activity::page(&visit(), filter::read("from=%22%3E%3Cb%3E&agent=%3Cb%3E", Zone::UTC), shown()),
        0,
    );
    is_harmless("empty", &activity::page(&visit(), filter::read("", Zone::UTC), Shown::default()), 1);
}

#[test]
fn forms_and_rejected_requests() {
    let bad = || HOSTILE.to_owned();
    let site = sample::visit().site;
    let form = Form { email: format!("{HOSTILE}{}", "x".repeat(10_000)), next: bad(), ..Form::default() };
    let page = sign_in::page(&site, form);
    is_harmless("sign-in", &page.replace(&html_of_next(), ""), 0);
    assert!(page.len() < 12_000);
    let choice = Choice { slug: bad(), organization: bad(), person: bad() };
    is_harmless("choose", &sign_in::choose(&site, vec![choice]).replace(&html_of_next(), ""), 0);
    let row = Rejected {
        at: sample::now(),
        code: bad(),
        status: 401,
        credential: Some(bad()),
        address: Some(bad()),
        count: 3,
    };
    is_harmless("rejected", &rejected::page(&visit(), vec![row]), 0);
}

/// Values that go back to the server are not rewritten, only escaped.
fn html_of_next() -> String {
    HOSTILE.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

//! Pieces and pages as they are, so that a change of markup is seen by whoever makes it.

use app::links::Links;
use app::pages::activity::{self, Shown};
use app::pages::sign_in::{self, Form};
use app::pages::trouble::{self, Trouble};
use app::pages::{call, filter};
use app::pieces::call_row;
use app::pieces::field::FieldError;
use insta::assert_snapshot;

use model::Zone;

use crate::sample;

/// One element a line.
fn told(html: &str) -> String {
    html.replace("><", ">\n<")
}

/// What is inside `<main>`.
fn main_of(html: &str) -> String {
    let from = html.find("<main").unwrap();
    let to = html.find("</main>").unwrap();
    told(&html[from..to])
}

fn links() -> Links {
    sample::visit().links()
}

#[test]
fn rows() {
    for (name, at) in [("running", 0), ("on_behalf_of", 1), ("denied", 2), ("held", 4), ("interrupted", 8)] {
        let row = sample::rows().swap_remove(at);
        assert_snapshot!(
            format!("row_{name}"),
            told(&call_row::html(row, &links(), sample::clock(), sample::visit().reader()))
        );
    }
}

#[test]
fn the_page_and_the_stream_have_the_same_row() {
    let visit = sample::visit();
    let shown = Shown { rows: sample::rows(), ..Shown::default() };
    let page = activity::page(&visit, filter::read("", Zone::UTC), shown);
    for row in sample::rows() {
        assert!(page.replace("<!>", "").contains(&call_row::html(
            row,
            &links(),
            sample::clock(),
            sample::visit().reader()
        )));
    }
}

#[test]
fn call_pages() {
    assert_snapshot!("call", main_of(&call::page(&sample::visit(), sample::story(), None)));
    assert_snapshot!("call_denied", main_of(&call::page(&sample::visit(), sample::denied(), None)));
}

#[test]
fn an_empty_activity_teaches_and_a_filtered_one_leads_back() {
    let visit = sample::visit();
    let empty = activity::page(&visit, filter::read("", Zone::UTC), Shown::default());
    assert_snapshot!("activity_empty", main_of(&empty));
    let none = activity::page(&visit, filter::read("verdict=hold", Zone::UTC), Shown::default());
    assert!(none.contains("No call matches") && none.contains("Clear the filters"));
    assert!(!none.contains("claude mcp add"));
}

#[test]
fn wrong_filters_are_named_and_nothing_is_listed() {
    let visit = sample::visit();
    let shown = Shown { rows: sample::rows(), ..Shown::default() };
    let page = activity::page(&visit, filter::read("agent=nobody", Zone::UTC), shown);
    assert!(page.contains("Choose an agent from the list.") && page.contains("id=\"agent-error\""));
    assert!(!page.contains("id=\"calls\""));
}

#[test]
fn islands_are_loaded_only_where_there_is_one() {
    let visit = sample::visit();
    let shown = || Shown { rows: sample::rows(), ..Shown::default() };
    let loads = |page: &str| page.contains("app_bg.wasm") && page.contains("nonce=\"c2FtcGxl\"");
    assert!(loads(&activity::page(&visit, filter::read("verdict=deny", Zone::UTC), shown())));
    for page in [
        activity::page(&visit, filter::read(&format!("before={}", sample::call_id(3)), Zone::UTC), shown()),
        activity::page(&visit, filter::read("to=2026-11-22T10:00", Zone::UTC), shown()),
        call::page(&visit, sample::story(), None),
        sign_in::page(&visit.site, Form::default()),
    ] {
        // The palette's script names the islands and loads none of them before it is opened.
        let (before, script) = page.split_once("id=\"keys\"").unwrap_or((&page, ""));
        assert!(!before.contains("wasm") && !before.contains("<script type=\"module\" nonce"));
        assert_eq!(script.matches("<script").count(), 0);
        assert!(script.is_empty() || script.contains("if(!awake){awake=1;import("));
    }
}

#[test]
fn sign_in_says_what_is_wrong_and_keeps_the_address() {
    let form = Form {
        email: "dana@brightwater.example".into(),
        next: "/t/brightwater/activity".into(),
        errors: vec![FieldError {
            field: "password".into(),
            sentence: "The mail address or the password is not right.".into(),
        }],
        notice: None,
    };
    assert_snapshot!("sign_in_wrong", main_of(&sign_in::page(&sample::visit().site, form)));
}

#[test]
fn an_error_page_names_the_way_out() {
    let trouble = Trouble {
        title: "Something broke on our side",
        sentence: "The page could not be made.".into(),
        way_out: ("Go to the start", "/".into()),
        request_id: Some("0011223344556677".into()),
    };
    let page = trouble::page(&sample::visit().site, trouble);
    assert!(page.contains("href=\"/\"") && page.contains("0011223344556677"));
}

//! Grants' pages: what cells say, who may tick them, what a review says first; hostile names.

use app::document::Visit;
use app::pages::grants::query::{Asked, ListQuery, MatrixQuery, NewQuery, fields};
use app::pages::grants::{cell, list, matrix, new, review};
use app::pieces::field::FieldError;
use app::pieces::form::Form;
use control::authority::Deed;
use control::grants::GrantLine;
use control::grants::change::{Change, Give, Reviewed, Revoke};
use control::grants::listing::Ends;
use control::grants::matrix::{Cell, Given, KeyRow, Matrix, ModuleRows, OneCell, Reach, Source, ToolRow};
use control::grants::pick::{Found, KeyChoice, Kind, Named};
use control::grants::preview::{Affected, Effect, Line, Preview, Running, Shift, Way};
use model::access::{GrantView, Grantee, PermissionKey};
use model::catalog::{ModuleStanding, ToolStanding};
use model::people::{Role, UnitKind};
use model::{AgentId, GrantId, Timestamp, UnitId, UserId};
use std::collections::BTreeMap;
use uuid::Uuid;

use crate::hostile::is_harmless;
use crate::sample::{self, HOSTILE};

fn key(text: &str) -> PermissionKey {
    text.parse().unwrap()
}

fn unit(n: u128) -> Grantee {
    Grantee::Unit(UnitId::from(Uuid::from_u128(n)))
}

fn column(grantee: Grantee, name: &str, below: i64) -> Named {
    Named { grantee, name: name.to_owned(), note: None, below, suspended: false }
}

fn given(by: &str, end: Option<Timestamp>) -> Given {
    let id = GrantId::from(Uuid::from_u128(5));
    Given { id, given_by: by.to_owned(), given_at: sample::before(86_400_000), expires_at: end }
}

fn source(key_text: &str, grantee: Grantee, name: &str) -> Source {
    Source { key: key(key_text), grantee, name: name.to_owned(), given: given("Dana Reyes", None) }
}

fn row(key_text: &str, tools: &[(&str, ToolStanding)], cells: Vec<Cell>) -> KeyRow {
    KeyRow {
        key: key(key_text),
        title: "Read".to_owned(),
        tools_total: 2,
        tools: tools
            .iter()
            .map(|(name, standing)| ToolRow { name: (*name).to_owned(), standing: *standing })
            .collect(),
        cells,
    }
}

/// Sales has the CRM until tomorrow; Support had writing; EMEA has what Sales has.
pub(crate) fn shown() -> Matrix {
    let tomorrow = Some(sample::before(-86_400_000));
    let own = |end| Cell { own: Some(given("Dana Reyes", end)), ..Cell::default() };
    let from =
        |key_text: &str| Cell { inherited: vec![source(key_text, unit(1), "Sales")], ..Cell::default() };
    Matrix {
        trail: vec![],
        columns: vec![column(unit(1), "Sales", 2), column(unit(2), "Support", 0), column(unit(3), "EMEA", 0)],
        columns_total: 3,
        modules: vec![ModuleRows {
            id: Uuid::from_u128(9).into(),
            name: "crm".to_owned(),
            title: "Customers".to_owned(),
            standing: ModuleStanding::Live,
            keys: vec![
                row("crm", &[], vec![Cell { below: 3, ..own(tomorrow) }, Cell::default(), from("crm")]),
                row(
                    "crm:write",
                    &[("delete_company", ToolStanding::Drifted), ("add_contact", ToolStanding::Approved)],
                    vec![from("crm"), own(Some(sample::before(1_000))), from("crm")],
                ),
            ],
        }],
        modules_total: 1,
    }
}

fn query(text: &str) -> MatrixQuery {
    MatrixQuery::read(&fields(text)).unwrap()
}

fn reader() -> Visit {
    let deeds = Deed::ALL.iter().copied().filter(|deed| *deed != Deed::ChangeGrants).collect();
    Visit { deeds, ..sample::visit() }
}

/// What a cell says to somebody who hears it: its words without tags, and without what is for the eye alone.
fn words(html: &str, key_text: &str, at: usize) -> String {
    let html = &html.replace("<span aria-hidden=\"true\">–</span>", "");
    let row = html.split("<tr").find(|row| row.contains(&format!("<bdi>{key_text}</bdi>"))).unwrap();
    let cell = row.split("<td").nth(at + 1).unwrap();
    let mut out = String::new();
    let mut inside = true;
    for c in cell.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is inside `<main>`: the frame around it has boxes of its own.
fn content(page: &str) -> &str {
    &page[page.find("<main").unwrap()..page.find("</main>").unwrap()]
}

#[test]
fn each_cell_says_in_words_what_it_is() {
    let page = matrix::page(&sample::visit(), query("open=crm"), shown(), None);
    assert_eq!(words(&page, "crm", 0), "Until 23 Nov 3 below");
    assert_eq!(words(&page, "crm", 1), "Not given");
    assert_eq!(words(&page, "crm", 2), "From Sales");
    assert_eq!(words(&page, "crm:write", 1), "Ended 22 Nov");
    assert_eq!(words(&page, "delete_company", 0), "Has crm:write");
    assert_eq!(words(&page, "delete_company", 1), "Does not have the key");
    assert!(page.contains("Frozen: it has changed"));
    for said in ["scope=\"col\"", "scope=\"row\"", "<caption", "aria-label=\"crm:write for Support\""] {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn what_is_given_is_ticked_and_what_was_typed_stays() {
    let boxes = |page: &str| content(page).matches("type=\"checkbox\"").count();
    let ticked = |page: &str| {
        content(page).split("<input").filter(|it| it.contains("checkbox") && it.contains("checked")).count()
    };
    let page = matrix::page(&sample::visit(), query(""), shown(), None);
    assert_eq!((boxes(&page), ticked(&page)), (6, 1));
    assert_eq!(page.matches("name=\"was\"").count(), 1);
    let item = |n: u128| format!("crm:write@unit_{:032x}", n);
    let typed = Form::new(vec![
        ("cell".into(), item(2)),
        ("cell".into(), item(3)),
        ("until".into(), "yesterday".into()),
    ])
    .wrong(vec![FieldError::new("until", "Give a day that has not passed.")]);
    let page = matrix::page(&sample::visit(), query(""), shown(), Some(typed));
    assert_eq!((boxes(&page), ticked(&page)), (6, 2));
    assert!(page.contains("There is a problem") && page.contains("value=\"yesterday\""));
    assert!(page.contains("<title>Error: Grants"));
}

#[test]
fn who_may_only_read_sees_no_boxes() {
    let page = matrix::page(&reader(), query(""), shown(), None);
    assert!(
        !content(&page).contains("checkbox")
            && !page.contains("Review the change")
            && !page.contains("Give a key")
    );
    assert!(page.contains("From <bdi>Sales</bdi>"));
    let one = cell::page(&reader(), one_cell());
    assert!(!one.contains("Revoke") && !one.contains("<form class=\"sheet\""));
    let page = list::page(&reader(), ListQuery::read(&[]).unwrap(), lines("Sales"), None);
    assert!(!page.contains("Revoke"));
}

#[test]
fn empty_matrices_say_what_to_do() {
    let nothing = Matrix { modules: vec![], modules_total: 0, ..shown() };
    let page = matrix::page(&sample::visit(), query(""), nothing.clone(), None);
    assert!(page.contains("There is nothing to give yet") && page.contains("/catalog/new"));
    assert!(
        matrix::page(&sample::visit(), query("q=zzz"), nothing.clone(), None)
            .contains("No module, key or tool matches")
    );
    assert!(matrix::page(&sample::visit(), query("page=9"), nothing, None).contains("To the first page"));
    let nobody = Matrix { columns: vec![], columns_total: 0, ..shown() };
    assert!(matrix::page(&sample::visit(), query("who=zzz"), nobody, None).contains("Nobody of that name"));
}

fn one_cell() -> OneCell {
    let mut cell = shown().modules[0].keys[0].cells[0].clone();
    cell.inherited.push(source("crm", Grantee::Role(Role::Auditor), "auditor"));
    OneCell {
        column: column(unit(1), "Sales", 2),
        module: Uuid::from_u128(9).into(),
        module_name: "crm".to_owned(),
        module_title: "Customers".to_owned(),
        module_standing: ModuleStanding::Off,
        row: row("crm", &[("add_contact", ToolStanding::Proposed)], vec![]),
        cell,
        reach: Reach { people: 1_204, agents: 1 },
    }
}

#[test]
fn a_cell_of_its_own_says_who_gave_it_and_what_can_be_done() {
    let page = cell::page(&sample::visit(), one_cell());
    for said in [
        "it was given here",
        "1,204 people and 1 agent",
        "Dana Reyes",
        "21 Nov, 18:03",
        "Take the end away",
        "Change its end",
        "switched off",
        "not approved yet",
    ] {
        assert!(page.contains(said), "{said}");
    }
    assert_eq!(page.matches("Revoke…").count(), 2);
}

fn shift(way: Way, agents: usize, people: usize) -> Shift {
    let agent = |n: usize| Affected {
        id: AgentId::from(Uuid::from_u128(n as u128)),
        name: format!("Agent {n}"),
        unit: UnitId::from(Uuid::from_u128(1)),
        unit_name: "Sales".to_owned(),
        on_behalf_of: if n == 1 {
            vec![(UserId::from(Uuid::from_u128(3)), "Mara Vogel".to_owned())]
        } else {
            vec![]
        },
    };
    Shift {
        key: key("crm:write"),
        way,
        tools: 6,
        agents_total: agents,
        units: BTreeMap::from([(UnitKind::Department, 1), (UnitKind::Team, 2)]),
        agents: (0..agents.min(20)).map(agent).collect(),
        people_total: people,
        people: (0..people.min(2))
            .map(|n| (UserId::from(Uuid::from_u128(n as u128)), format!("Person {n}")))
            .collect(),
    }
}

fn preview(shifts: Vec<Shift>) -> Preview {
    let (grantee, until) = (unit(1), None);
    let change = Change {
        gives: vec![Give { key: key("crm:write"), grantee, until }],
        revokes: vec![Revoke { key: key("drive"), grantee }],
    };
    let line = |text: &str, effect| Line { key: key(text), whom: column(grantee, "Sales", 0), effect };
    Preview {
        reviewed: Reviewed { epoch: 41, digest: [0xAB; 32] },
        lines: vec![
            line("crm:write", Effect::Given { until: None }),
            line("drive", Effect::Revoked { was: Some(sample::before(-1_000)) }),
            line("crm", Effect::GivenAlready),
        ],
        change,
        shifts,
        idle: vec![key("drive:scan")],
        running: vec![Running {
            call: sample::call_id(1),
            agent: AgentId::from(Uuid::from_u128(1)),
            agent_name: "Agent 1".to_owned(),
            tool: "drive.save".to_owned(),
            since: sample::before(2_000),
        }],
    }
}

#[test]
fn a_review_says_the_consequence_in_numbers_and_names_before_the_button() {
    let preview = preview(vec![shift(Way::Loses, 14, 0), shift(Way::Gains, 1, 1)]);
    let asked = Asked::of(preview.change.clone(), "/t/brightwater/grants?by=roles");
    let page = review::page(&sample::visit(), &asked, preview, false);
    let plain = page.replace("<code>", "").replace("</code>", "").replace("<bdi>", "").replace("</bdi>", "");
    for said in [
        "14 agents of 1 department and 2 teams lose ",
        "(6 tools).",
        "1 agent of 1 department and 2 teams gains ",
        "1 person gains crm:write: ",
        "6 more",
        "acting for Mara Vogel",
        "No tool asks for drive:scan",
        "1 call of theirs is running now",
        "Given already",
        "Give 1 and revoke 1",
    ] {
        assert!(plain.replace("<!>", "").contains(said), "{said}");
    }
    let at = |text: &str| page.find(text).unwrap();
    assert!(
        at("What it comes to") < at("What is changed") && at("What is changed") < at("Give 1 and revoke 1")
    );
    assert!(at("14 agents") < at("1 agent of"), "losses first");
    assert!(page.contains("name=\"epoch\" value=\"41\"") && page.contains(&"ab".repeat(32)));
    assert!(page.contains("@never\"") && page.contains("class=\"button danger\""));
}

#[test]
fn a_review_without_consequence_says_so_and_one_without_effect_has_no_button() {
    let mut empty = preview(vec![]);
    let asked = Asked::of(empty.change.clone(), "");
    let page = review::page(&sample::visit(), &asked, empty.clone(), true);
    assert!(
        page.contains("Nobody gains or loses anything at present")
            && page.contains("Rights have changed since")
    );
    empty.change = Change::default();
    let page = review::page(&sample::visit(), &asked, empty, false);
    assert!(page.contains("everything is so already") && !page.contains("name=\"epoch\""));
}

fn lines(name: &str) -> Found<GrantLine> {
    let view = GrantView {
        id: GrantId::from(Uuid::from_u128(1)),
        key: key("crm:write"),
        grantee: unit(1),
        expires_at: Some(sample::before(-86_400_000)),
    };
    let line = GrantLine {
        view,
        grantee_name: name.to_owned(),
        given_by: name.to_owned(),
        given_at: sample::before(5_000),
    };
    Found { rows: vec![line], total: 120 }
}

#[test]
fn hostile_names_are_text_on_every_page() {
    let bad = || HOSTILE.to_owned();
    let visit = Visit { organization: bad(), person: bad(), roles: vec![bad()], ..sample::visit() };
    let mut matrix = shown();
    matrix.trail = vec![(UnitId::from(Uuid::from_u128(1)), bad()), (UnitId::from(Uuid::from_u128(2)), bad())];
    for column in &mut matrix.columns {
        (column.name, column.note) = (bad(), Some(bad()));
    }
    for module in &mut matrix.modules {
        module.title = bad();
        for row in &mut module.keys {
            row.title = bad();
            row.tools.iter_mut().for_each(|tool| tool.name = bad());
            for cell in &mut row.cells {
                cell.inherited.iter_mut().for_each(|source| source.name = bad());
            }
        }
    }
    is_harmless("matrix", &matrix::page(&visit, query("open=crm"), matrix.clone(), None), 0);
    let asked = "q=%3Cscript%3E%22%27%3E&who=%22+onfocus%3Dalert(1)+autofocus";
    is_harmless("typed", &matrix::page(&visit, query(asked), matrix, None), 0);
    let mut one = one_cell();
    (one.column.name, one.module_title, one.row.title) = (bad(), bad(), bad());
    one.row.tools[0].name = bad();
    one.cell.own.as_mut().unwrap().given_by = bad();
    one.cell.inherited[0].name = bad();
    is_harmless("cell", &cell::page(&visit, one), 0);
    let ends = ListQuery { ends: Ends::Week, ..ListQuery::read(&[]).unwrap() };
    is_harmless("list", &list::page(&visit, ends, lines(HOSTILE), Some(bad())), 0);
    let of_one = ListQuery { grantee: Some(unit(1)), ..ListQuery::read(&[]).unwrap() };
    is_harmless("list of one", &list::page(&visit, of_one, lines(HOSTILE), Some(bad())), 0);
    let none = Found { rows: vec![], total: 0 };
    is_harmless("no list", &list::page(&visit, ListQuery::read(&[]).unwrap(), none, None), 0);

    let mut told = preview(vec![shift(Way::Loses, 14, 2)]);
    for line in &mut told.lines {
        line.whom.name = bad();
    }
    for agent in &mut told.shifts[0].agents {
        (agent.name, agent.unit_name) = (bad(), bad());
        agent.on_behalf_of.iter_mut().for_each(|it| it.1 = bad());
    }
    told.shifts[0].people.iter_mut().for_each(|it| it.1 = bad());
    (told.running[0].agent_name, told.running[0].tool) = (bad(), bad());
    let asked = Asked::of(told.change.clone(), "/t/brightwater/grants");
    is_harmless("review", &review::page(&visit, &asked, told, true), 0);
    let form = Form::default().with("until", "\"><b>").wrong(vec![FieldError::new("until", bad())]);
    let items = vec![("give", "\"><script>".to_owned())];
    // The sentence of an error is ours, but holds names.
    let page = review::wrong(&visit, form, items, "/t/brightwater/grants".to_owned());
    assert!(!page.contains("<script>") && !page.contains("<b>"));

    let step = |key_text: Option<&str>, grantee: Option<Grantee>| NewQuery {
        key: key_text.map(key),
        grantee,
        kind: Kind::Units,
        text: String::new(),
        page: 0,
    };
    let choice = KeyChoice { key: key("crm"), title: bad(), module: bad() };
    let named = column(unit(1), HOSTILE, 0);
    let keys = new::Step::Key(Found { rows: vec![choice], total: 60 }, Some(named.clone()));
    is_harmless("key", &new::page(&visit, step(None, Some(unit(1))), keys, String::new()), 0);
    let whom = new::Step::Whom(key("crm"), Found { rows: vec![named.clone()], total: 1 });
    is_harmless("whom", &new::page(&visit, step(Some("crm"), None), whom, String::new()), 0);
    let end = new::Step::End(key("crm"), named);
    is_harmless("end", &new::page(&visit, step(Some("crm"), Some(unit(1))), end, String::new()), 0);
}

//! Money: what others named shows as text, what one may ask for is a link, and a page that has nothing to show teaches.

use app::pages::money::query::{self, View};
use app::pages::money::{self, Content, Shown};
use control::money::{Answer, Cross, Dimension, Filter, Named, Period, Row, Subject, Sums, Whose};
use model::Currency;
use uuid::Uuid;

use crate::hostile::is_harmless;
use crate::sample::{self, HOSTILE};

fn sums(calls: u64, amount: &str) -> Sums {
    Sums { calls, permitted: calls, denied: 1, failed: 2, amount: amount.parse().unwrap() }
}

fn named(subject: Subject, name: &str) -> Named {
    Named { subject, name: name.to_owned(), key: Some(name.to_owned()) }
}

fn row(about: Vec<Named>, now: Sums, before: Sums) -> Row {
    Row { about, now, before }
}

fn answer(rows: Vec<Row>) -> Answer {
    let count = rows.len() as u64;
    Answer { rows, count, total: sums(1_234, "1234.56"), total_before: sums(1_000, "1000") }
}

fn unit(n: u128) -> Subject {
    Subject::Unit(Uuid::from_u128(n).into())
}

fn departments(name: &str) -> Answer {
    answer(vec![
        row(vec![named(unit(1), name)], sums(1_000, "1230.0649"), sums(900, "1000")),
        row(vec![named(unit(2), "Marketing")], sums(200, "0.0025"), sums(100, "0")),
        row(vec![named(Subject::None, "")], sums(34, "4.4926"), sums(0, "0")),
    ])
}

fn shown(content: Content) -> Shown {
    let today = sample::now().date_naive();
    let period = Period::month_to(today);
    Shown {
        whose: Whose::Everybodys,
        today,
        period,
        before: period.before(),
        currency: Currency::EUR,
        currencies: vec![Currency::EUR],
        filters: Vec::new(),
        total: answer(Vec::new()),
        content,
    }
}

fn page(query: &str, shown: Shown) -> String {
    money::page(&sample::visit(), query::read(query, shown.whose), shown)
}

fn cross(name: &str) -> Cross {
    let rows = departments(name);
    let columns = answer(vec![row(
        vec![named(Subject::Module(Uuid::from_u128(7).into()), name)],
        sums(9, "1200"),
        sums(0, "0"),
    )]);
    let columns = Answer { count: 3, ..columns };
    let cell =
        |about: [&Named; 2], amount| row(about.map(Clone::clone).to_vec(), sums(9, amount), sums(0, "0"));
    let others = Named { subject: Subject::Others, name: String::new(), key: None };
    let cells = vec![
        cell([&rows.rows[0].about[0], &columns.rows[0].about[0]], "1200"),
        cell([&rows.rows[0].about[0], &others], "30.0649"),
    ];
    Cross { rows, columns, cells }
}

#[test]
fn whatever_things_are_called_they_are_text() {
    let views = [
        ("who", page("", shown(Content::Rows(Dimension::Department, departments(HOSTILE))))),
        ("change", page("view=change", shown(Content::Rows(Dimension::Department, departments(HOSTILE))))),
        (
            "cross",
            page(
                "view=cross",
                shown(Content::Cross(Dimension::Department, Dimension::Module, cross(HOSTILE))),
            ),
        ),
    ];
    for (what, html) in views {
        is_harmless(what, &html, 0);
        assert!(html.contains("⟦U+202E⟧"), "{what}");
    }
    let filter = Filter { agent: Some(Uuid::from_u128(3).into()), ..Filter::default() };
    let narrowed = Shown {
        filters: vec![(Dimension::Agent, named(Subject::Agent(Uuid::from_u128(3).into()), HOSTILE))],
        ..shown(Content::Rows(Dimension::Department, departments(HOSTILE)))
    };
    let query = query::MoneyQuery { filter, ..query::MoneyQuery::default() }.to_query();
    is_harmless("narrowed", &page(&query, narrowed), 0);
}

#[test]
fn figures_are_read_in_cents_and_exact_on_hover_and_lead_to_their_calls() {
    let html = page("", shown(Content::Rows(Dimension::Department, departments("Sales"))));
    assert!(html.contains("title=\"1230.0649 EUR\"") && html.contains(">1,230.06<"));
    assert!(html.contains(">0.0025<"), "below a cent, what matters");
    assert!(html.contains("(+23%)") && html.contains("(new)"));
    let department = "unit_00000000000000000000000000000001";
    let calls = format!(
        "/t/brightwater/activity?span=custom&amp;from=2026-11-01T00%3A00Z&amp;to=2026-11-23T00%3A00Z&amp;department={department}"
    );
    assert!(html.contains(&format!("href=\"{calls}\"")), "{calls}");
    assert!(html.contains(&format!("href=\"{calls}&amp;verdict=deny\"")));
    // A bar and its row lead further in.
    let further = format!("href=\"/t/brightwater/money?by=team&amp;department={department}\"");
    assert_eq!(html.matches(&further).count(), 2);
    assert!(html.contains("In no department") && html.contains("/t/brightwater/money/file"));
}

#[test]
fn the_questions_keep_the_period_and_what_it_is_narrowed_to() {
    let agent = "agent_00000000000000000000000000000003";
    let html = page(
        &format!("span=7d&agent={agent}"),
        shown(Content::Rows(Dimension::Department, departments("Sales"))),
    );
    for view in View::ALL.iter().filter(|view| **view != View::Who) {
        assert!(
            html.contains(&format!("/t/brightwater/money?view={view}&amp;span=7d&amp;agent={agent}")),
            "{view}"
        );
    }
    let crossed =
        page("view=cross", shown(Content::Cross(Dimension::Department, Dimension::Module, cross("Sales"))));
    let both = "department=unit_00000000000000000000000000000001";
    assert!(
        crossed.contains(&format!("module=mod_00000000000000000000000000000007&amp;{both}")),
        "a cell leads to its calls"
    );
    assert!(crossed.contains("All others") && crossed.contains("data-heat=\"4\""));
}

#[test]
fn with_nothing_to_show_it_says_what_will_be_here_and_what_to_do() {
    let none = || Shown {
        total: Answer::default(),
        ..shown(Content::Rows(Dimension::Department, Answer::default()))
    };
    let html = page("", none());
    assert!(html.contains("/t/brightwater/catalog") && html.contains("Each tool can have a price"));
    assert!(page("span=7d", none()).contains("Everything of the last 90 days"));
    let mine = page("", Shown { whose: Whose::Mine, ..none() });
    assert!(
        mine.contains("My usage") && mine.contains("agents that you own") && !mine.contains("/money/file")
    );
    let free = Shown {
        total: Answer { total: sums(5, "0"), ..Answer::default() },
        ..shown(Content::Rows(Dimension::Department, departments("Sales")))
    };
    assert!(page("", free).contains("These calls cost nothing"));
    let wrong = page("span=forever", shown(Content::Nothing));
    assert!(wrong.contains("Choose one of the periods.") && wrong.contains("until the filters are right"));
}

#[test]
fn a_file_has_exact_amounts_and_no_formulas() {
    let today = sample::now().date_naive();
    let period = Period::month_to(today);
    let answer = departments("=SUM(A1)");
    let rows =
        money::file::rows(Dimension::Department, &answer.rows, period, Some(period.before()), Currency::EUR);
    let lines: Vec<String> = rows.iter().map(|cells| cells.join("|")).collect();
    assert_eq!(
        lines,
        [
            "Department|Spend 2026-11-01 to 2026-11-22 (EUR)|Spend 2026-10-01 to 2026-10-22 (EUR)|Calls|Permitted|Denied|Failed",
            "=SUM(A1)|1230.0649|1000|1000|1000|1|2",
            "Marketing|0.0025|0|200|200|1|2",
            "In no department|4.4926|0|34|34|1|2",
        ]
    );
    let cross = cross("Sales");
    let head =
        money::file::cross_head(Dimension::Department, Dimension::Module, &cross, period, Currency::EUR);
    assert_eq!(head, ["Department", "Sales", "All others", "All 2026-11-01 to 2026-11-22 (EUR)"]);
    let rows = money::file::cross_rows(Dimension::Department, &cross);
    assert_eq!(rows[0], ["Sales", "1200", "30.0649", "1230.0649"]);
}

//! Home, search, sessions and what would change a decision: text of others everywhere, and what is said.

use app::pages::activity::{self, Shown};
use app::pages::home::{self, Month};
use app::pages::{call, filter, find, session};
use control::activity::saved::SavedFilter;
use control::activity::{Change, Names, Session, SessionHead, Source, Why};
use control::authority::Deed;
use control::find::{AgentHit, Found, Group, ModuleHit, PersonHit, ToolHit, UnitHit};
use control::home::{Due, FirstStep, FirstSteps, Minute, Need, Needs, Now, Slowest};
use model::access::Grantee;
use model::people::{Role, Standing, UnitKind};
use model::{AgentId, Currency, GrantId, Money, SavedFilterId, UnitId, UserId, Zone};
use uuid::Uuid;

use crate::hostile::{is_harmless, visit};
use crate::sample::{self, HOSTILE};

fn id<T: From<Uuid>>(n: u128) -> T {
    T::from(Uuid::from_u128(n))
}

fn bad() -> String {
    HOSTILE.to_owned()
}

fn money(text: &str) -> Money {
    Money { amount: text.parse().unwrap(), currency: Currency::EUR }
}

fn needs() -> Needs {
    let since = Due::Since(sample::before(7_200_000));
    let ends = Due::Ends(sample::now() + chrono::TimeDelta::days(3));
    let all = vec![
        (Need::ToolsDrifted { module: "crm".into(), title: bad(), tool: bad(), count: 3 }, since),
        (Need::ModuleFailing { module: "crm".into(), title: bad(), failed: 4, ended: 5 }, since),
        (Need::ToolsProposed { module: "crm".into(), title: bad(), tool: bad(), count: 1 }, since),
        (Need::KeyEnds { agent: id(1), agent_name: bad(), key: bad() }, ends),
        (Need::GrantEnds { grant: id::<GrantId>(1), key: "crm:write".into(), grantee: bad() }, ends),
        (Need::AgentWithoutOwner { agent: id(1), agent_name: bad(), owner: id(2), owner_name: bad() }, since),
        (Need::InvitationsWait { email: bad(), count: 3, over: 1 }, since),
        (Need::OneOwner { owner: id(2), owner_name: bad() }, since),
    ];
    Needs { all, more: 4 }
}

fn now() -> Now {
    let minutes = (0..61)
        .map(|n| Minute {
            at: sample::before((60 - n) * 60_000),
            calls: (n as u32 * 7) % 13,
            denied: n as u32 % 2,
        })
        .collect();
    Now {
        since: sample::before(3_600_000),
        until: sample::now(),
        calls: 1_234,
        denied: 30,
        held: 0,
        running: 2,
        failed: 1,
        minutes,
        slowest: Some(Slowest { module: "crm".into(), title: bad(), median_us: 182_345, calls: 9 }),
    }
}

fn month() -> Month {
    Month {
        everybodys: true,
        departments: vec![
            (bad(), Some("/t/brightwater/people/units/x".into()), money("12.5"), money("0")),
            ("In no department".into(), None, money("1"), money("7.25")),
        ],
        more: 2,
        total: money("13.5"),
        before: money("7.25"),
        name: "November".into(),
        compared: "1 to 22 October".into(),
    }
}

pub(crate) fn full() -> home::Shown {
    let steps = FirstStep::ALL.iter().map(|step| (*step, *step == FirstStep::VerifyMail)).collect();
    home::Shown { needs: needs(), now: now(), month: month(), steps: Some(FirstSteps { steps }) }
}

#[test]
fn home_shows_names_as_text_and_each_need_with_its_age_and_one_link() {
    let page = home::page(&visit(), full());
    is_harmless("home", &page, 1);
    for said in
        ["2 h ago", "ends in 3 days", "And 4 more.", "1,234", "182 ms", "1 of 7 done", "In no department"]
    {
        assert!(page.contains(said), "{said}");
    }
    assert_eq!(page.matches("class=\"needs\"").count(), 1);
    let give = visit().links().new_grant(None, None);
    assert!(page.contains(&format!("href=\"{give}\"")), "the step leads to where it is done");
    is_harmless("figures", &home::now::html(&now(), &visit().links(), visit().clock()), 0);

    let nothing = home::Shown {
        needs: Needs::default(),
        now: Now { calls: 0, minutes: Vec::new(), slowest: None, ..now() },
        month: Month { total: money("0"), before: money("0"), departments: Vec::new(), ..month() },
        steps: None,
    };
    let page = home::page(&sample::visit(), nothing);
    is_harmless("empty home", &page, 1);
    assert!(page.contains("Nothing. Tools that have changed") && page.contains("Calls by minute: none."));
    assert!(!page.contains("First steps"));
}

pub(crate) fn found() -> Found {
    let mut found = Found { people: Group { hits: Vec::new(), more: true }, ..Found::default() };
    found.people.hits.push(PersonHit {
        id: id(1),
        name: bad(),
        email: "a@b.c".into(),
        unit: bad(),
        standing: Standing::Suspended,
    });
    found.agents.hits.push(AgentHit {
        id: id(2),
        name: bad(),
        owner: bad(),
        unit: bad(),
        standing: Standing::Active,
    });
    found.units.hits.push(UnitHit { id: id(3), name: bad(), kind: UnitKind::Team, above: Some(bad()) });
    found.modules.hits.push(ModuleHit { id: id(4), name: "crm".into(), title: bad() });
    found.tools.hits.push(ToolHit { id: id(5), name: bad(), module: "crm".into(), module_title: bad() });
    found
}

#[test]
fn search_shows_whatever_is_called_so_and_whatever_was_asked_as_text() {
    for asked in ["", "set", HOSTILE, "\" onfocus=\"alert(1)"] {
        is_harmless(asked, &find::page(&visit(), asked, found()), 0);
        let fragment = find::fragment(&visit(), asked, found());
        is_harmless(asked, &fragment, 0);
        assert!(fragment.contains("role=\"option\"") && fragment.contains("data-count="));
    }
    let page = find::page(&sample::visit(), "nobody called so", Found::default());
    assert!(page.contains("Nothing found"));
}

#[test]
fn pages_and_deeds_are_found_by_those_who_may() {
    let labels = |visit: &app::document::Visit, asked: &str| {
        let html = find::fragment(visit, asked, Found::default());
        html.split("class=\"called\">")
            .skip(1)
            .map(|rest| rest.split('<').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let owner = sample::visit();
    assert_eq!(labels(&owner, "sett"), ["Settings"]);
    assert_eq!(labels(&owner, "new mcp"), ["Add a module"]);
    assert!(labels(&owner, "").contains(&"New agent".to_owned()));
    let member = app::document::Visit { deeds: vec![Deed::ReadCatalog], ..sample::visit() };
    assert_eq!(labels(&member, "add"), [] as [&str; 0]);
    assert_eq!(labels(&member, "rejected"), [] as [&str; 0]);
}

#[test]
fn a_session_is_a_story() {
    let mut rows = sample::rows();
    rows.reverse();
    rows.push(sample::hostile().row);
    let head = SessionHead {
        session: bad(),
        agents: vec![(id::<AgentId>(1), bad())],
        person: bad(),
        client: Some(bad()),
        protocol: Some(bad()),
        address: Some(bad()),
        first: sample::before(9_000_000),
        last: sample::now(),
        calls: 1_200,
        denied: 3,
        failed: 1,
        charges: vec![money("0.25")],
    };
    let page = session::page(&visit(), Session { head, rows, earlier: true, later: true });
    is_harmless("session", &page, 0);
    assert!(page.contains("1,200, 3 denied, 1 not answered well") && page.contains(" later"));
    assert!(page.contains("From the beginning") && page.contains("What came then"));
}

fn why(change: Change, may: bool) -> Why {
    Why {
        agent: (id(1), bad()),
        owner: (id(2), bad()),
        on_behalf_of: Some((id(3), bad())),
        module: Some(("crm".into(), bad())),
        tool: Some(bad()),
        change,
        changed_since: true,
        may,
        who_may: if may { vec![] } else { vec![(id::<UserId>(4), bad()), (id(5), "Olga".into())] },
        sources: vec![
            Source {
                key: "crm".parse().unwrap(),
                grantee: Grantee::Unit(id::<UnitId>(6)),
                name: bad(),
                given_by: bad(),
                until: Some(sample::now()),
            },
            Source {
                key: "crm:write".parse().unwrap(),
                grantee: Grantee::Role(Role::Member),
                name: "member".into(),
                given_by: bad(),
                until: None,
            },
        ],
    }
}

#[test]
fn a_decision_says_what_would_change_it_and_leads_there_whoever_may() {
    let key = || "crm:write".parse().unwrap();
    for change in [
        Change::GiveAgent(key()),
        Change::GivePerson(key()),
        Change::TakeAway(key()),
        Change::ResumeAgent,
        Change::ResumePerson(id(2), bad()),
        Change::NewKey,
        Change::ReviewTool,
        Change::SwitchOn,
        Change::Name,
        Change::Arguments,
        Change::Limit,
        Change::Operator,
        Change::Policies,
    ] {
        for may in [true, false] {
            let page = call::page(&visit(), sample::hostile(), Some(why(change.clone(), may)));
            is_harmless(&format!("{change:?}"), &page, 0);
            assert_eq!(page.contains("Who can do that: "), !may, "{change:?}");
        }
    }
    let page = call::page(&sample::visit(), sample::denied(), Some(why(Change::GiveAgent(key()), true)));
    let form = "/t/brightwater/grants/new?key=crm%3Awrite&amp;agent=agent_00000000000000000000000000000001";
    assert!(page.contains(form), "the form is filled in");
    let page = call::page(&sample::visit(), sample::denied(), Some(why(Change::GiveAgent(key()), false)));
    assert!(!page.contains("/grants/new"), "whoever may not is told whom to ask");
}

#[test]
fn filters_are_said_saved_and_forgotten() {
    let query = format!(
        "person={}&charged={}&team={}&department={}&tool_id={}&session=%3Cb%3E",
        id::<UserId>(1),
        id::<UserId>(2),
        id::<UnitId>(3),
        id::<UnitId>(4),
        id::<model::ToolId>(5),
    );
    let names = Names {
        person: Some(bad()),
        charged: Some(bad()),
        team: Some(bad()),
        department: Some(bad()),
        tool: Some(bad()),
        ..Names::default()
    };
    let saved = |n: u128, shared| SavedFilter {
        id: id::<SavedFilterId>(n),
        name: bad(),
        query: "verdict=deny".into(),
        shared,
        by: bad(),
        created_at: sample::now(),
        deletable: shared,
    };
    let shown = || Shown {
        rows: sample::rows(),
        units: vec![(id(3), bad())],
        names: names.clone(),
        saved: vec![saved(1, false), saved(2, true)],
        who: bad(),
        may_share: true,
        ..Shown::default()
    };
    let page = activity::page(&visit(), filter::read(&query, Zone::UTC), shown());
    is_harmless("filters", &page, 1);
    for said in ["Counts for", "Directly in", "Department", "Session", "Save this filter", "Delete filters"] {
        assert!(page.contains(said), "{said}");
    }
    assert!(
        page.contains("type=\"hidden\" name=\"session\" value=\"&lt;b&gt;\""),
        "what has no field is carried on"
    );
    let mut reader = sample::visit();
    reader.deeds = vec![Deed::ReadCatalog];
    let page = activity::page(&reader, filter::read("verdict=deny", Zone::UTC), shown());
    assert!(
        !page.contains("id=\"who\"") && !page.contains("id=\"unit\""),
        "who may not see people filters by none"
    );
    assert!(!page.contains("/people/users/"), "and no name leads to them");
}

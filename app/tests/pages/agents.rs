//! An agent's pages, with hostile names everywhere, and the text that agents are connected with.

use std::time::Duration;

use app::document::Visit;
use app::pages::agents::{Shown, View, keys, new, page, settings, stop};
use app::pages::connect::Way;
use app::pieces::form::Form;
use control::access::{Faces, Holder, Line, Shown as AccessShown, Source, Subject, Wanted, Way as Right};
use control::agents::{AgentStory, Moving};
use control::credentials::CredentialLine;
use control::revocations::{Consequence, Revocation, Running, RunningCall, Target};
use model::call::Verdict;
use model::people::{AgentView, CredentialView, Role, Standing};
use model::{AgentId, Currency, Money, UserId};
use uuid::Uuid;

use crate::hostile::is_harmless;
use crate::sample::{self, HOSTILE};

fn id<T: From<Uuid>>(n: u128) -> T {
    T::from(Uuid::from_u128(n))
}

fn visit() -> Visit {
    sample::visit()
}

fn story(name: &str) -> AgentStory {
    AgentStory {
        view: AgentView {
            id: id(1),
            name: name.to_owned(),
            owner: id(2),
            home_unit: id(3),
            standing: Standing::Active,
        },
        owner: (name.to_owned(), "dana@brightwater.example".to_owned()),
        owner_standing: Standing::Active,
        unit_path: vec![(id(4), name.to_owned()), (id(3), name.to_owned())],
        created_at: sample::before(86_400_000),
        retired_at: None,
        keys: 1,
    }
}

fn line(name: &str) -> CredentialLine {
    CredentialLine {
        view: CredentialView {
            id: id(5),
            agent: id(1),
            name: name.to_owned(),
            prefix: "wa_3fK9aQ".to_owned(),
            created_at: sample::before(60_000),
            expires_at: None,
        },
        agent_name: name.to_owned(),
        on_behalf_of: Some((id(2), name.to_owned())),
        allowed_addresses: vec!["192.0.2.0/24".parse().unwrap()],
        replaces: None,
        revoked_at: None,
    }
}

fn access(name: &str) -> AccessShown {
    let right = |source| Right {
        grant: id(9),
        key: "crm:read".parse().unwrap(),
        holder: Holder::Agent,
        source,
        until: Some(sample::now() + Duration::from_secs(86_400)),
        given: Some((name.to_owned(), sample::before(60_000))),
    };
    let unit = Source::Unit { above: 1, unit: id(4), name: name.to_owned(), through: Some(name.to_owned()) };
    let tool = |tool: &str, verdict| Line {
        module: "crm".to_owned(),
        module_title: name.to_owned(),
        name: tool.to_owned(),
        full_name: format!("crm.{tool}"),
        key: "crm:read".parse().unwrap(),
        price: Money::zero(Currency::EUR),
        verdict,
        reason: (verdict == Verdict::Deny).then(sample::denial),
        until: None,
        ways: vec![right(unit.clone()), right(Source::Itself), right(Source::Role(Role::Admin))],
    };
    let refused = Line { ways: vec![], ..tool(name, Verdict::Deny) };
    AccessShown {
        subject: Subject::OnBehalf(id(1), id(2)),
        counts: [1, 0, 1],
        matching: 2,
        page: 0,
        pages: 2,
        tools: vec![tool("list_companies", Verdict::Permit), refused],
    }
}

fn running(name: &str) -> Running {
    let call = RunningCall {
        call: sample::call_id(7),
        agent: id(1),
        agent_name: name.to_owned(),
        tool_name: name.to_owned(),
        admitted_at: sample::before(4_200),
    };
    Running { calls: vec![call], more: true }
}

fn meant(name: &str) -> Consequence {
    Consequence {
        target: Target::Agent(id(1)),
        name: name.to_owned(),
        agent: None,
        suspended: false,
        keys: 2,
        agents: vec![(id::<AgentId>(1), name.to_owned()), (id(6), name.to_owned())],
        agent_count: 2,
        units: vec![name.to_owned()],
        tools: 18,
        running: running(name),
    }
}

fn done(name: &str) -> Revocation {
    Revocation {
        event: id(8),
        target: Target::Agent(id(1)),
        name: name.to_owned(),
        agent: None,
        by: name.to_owned(),
        since: sample::before(1_000),
        epoch: 419,
        keys: 2,
        agents: 1,
        running: running(name),
    }
}

fn agent(name: &str, view: View) -> String {
    let shown = Shown { story: story(name), spend: Some(Money::zero(Currency::EUR)), limits: None, view };
    page(&visit(), shown, &Form::default())
}

fn views(name: &str) -> Vec<(&'static str, View)> {
    let faces = Faces { itself: true, people: vec![(id::<UserId>(2), name.to_owned(), vec![id(5)])] };
    let wanted = Wanted { text: Some(name.to_owned()), ..Wanted::default() };
    vec![
        ("keys", View::Keys(vec![keys::Line { key: line(name), last_used: Some(sample::before(1_000)) }])),
        ("access", View::Access { faces: Some(faces), shown: Box::new(access(name)), wanted }),
        ("withheld", View::Withheld),
        ("activity", View::Activity(sample::rows())),
        ("settings", View::Settings(vec![("unit_1".to_owned(), name.to_owned())])),
    ]
}

#[test]
fn whatever_things_are_called_pages_show_it_as_text() {
    let long = format!("{HOSTILE}{}", "A".repeat(10_000));
    for name in [HOSTILE, long.as_str()] {
        for (what, view) in views(name) {
            is_harmless(what, &agent(name, view), 0);
        }
        let visit = visit();
        is_harmless("connect", &agent(name, View::Connect(Way::Curl)), 1);
        let units = vec![("unit_1".to_owned(), name.to_owned())];
        is_harmless("new", &new::page(&visit, units, &Form::default().with("name", name)), 0);
        is_harmless(
            "new key",
            &keys::new(&visit, &story(name), id(5), &Form::default().with("name", name)),
            0,
        );
        is_harmless("rotate", &keys::rotate(&visit, &story(name), &line(name), id(5), &Form::default()), 0);
        is_harmless("issued", &keys::issued(&visit, &story(name), name, "wa_x", Some(sample::now())), 1);
        is_harmless("issued before", &keys::issued_before(&visit, &story(name)), 0);
        let moving = Moving { lost: vec![name.to_owned(); 30], gained: vec![name.to_owned()] };
        is_harmless("moving", &settings::moving(&visit, &story(name), "unit_1", name, &moving), 0);
        is_harmless("revoke", &stop::revoke(&visit, &meant(name), &[name.to_owned()]), 0);
        is_harmless("revoked", &stop::revoked(&visit, &done(name)), 0);
        is_harmless("suspend", &stop::suspend(&visit, &story(name), &meant(name)), 0);
        is_harmless("retire", &stop::retire(&visit, &story(name), &meant(name)), 0);
    }
}

/// What is typed into several lines comes back as text, also where it tries to end them.
#[test]
fn a_text_area_holds_what_was_typed() {
    let typed = "192.0.2.7\r\n</textarea><img src=x><script>alert(1)</script>";
    let form = Form::default().with("allowed_addresses", typed);
    let page = keys::new(&visit(), &story("Inbox helper"), id(5), &form);
    is_harmless("a text area", &page, 0);
    assert!(page.contains("\n192.0.2.7\n&lt;/textarea&gt;&lt;img src=x&gt;"), "{page}");
}

#[test]
fn a_right_says_its_way_in_words() {
    let page = agent("Inbox helper", views("Sales").swap_remove(1).1);
    let text = page.replace("<!>", "").replace("<bdi>", "").replace("</bdi>", "");
    for said in [
        "given to the agent itself",
        "given to the role Admin",
        ", inherited by Sales",
        " by Sales",
        "until 23 Nov, 18:03",
        "1 to 2 of 2",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(page.contains("tab=access&amp;for=user_"), "pages of the list keep whose it is");
}

#[test]
fn what_is_revoked_is_said_in_numbers_that_agree() {
    let said = |meant: &Consequence| {
        let page = stop::revoke(&visit(), meant, &[]);
        let mark = |text: &str, mark: &str| text.replace(mark, "");
        ["<!>", "<bdi>", "</bdi>", "<strong>", "</strong>"].iter().fold(page, |text, it| mark(&text, it))
    };
    let whole = Consequence { running: Running::default(), ..meant("Inbox helper") };
    let text = said(&whole);
    assert!(text.contains("2 keys in force will be revoked.") && text.contains("called with them"), "{text}");
    let text = said(&Consequence { keys: 1, ..whole.clone() });
    assert!(text.contains("One key in force will be revoked.") && text.contains("called with it"), "{text}");
    let text = said(&Consequence { keys: 1, tools: 0, suspended: true, ..whole.clone() });
    assert!(text.contains("It is suspended already. One key in force will be revoked."), "{text}");
    assert!(!text.contains("class=\"numbers\""), "{text}");
    let key = Consequence {
        target: Target::Key(id(5)),
        name: "laptop (wa_abc…)".to_owned(),
        agent: Some((id(1), "Inbox helper".to_owned())),
        units: vec!["Sales".to_owned()],
        keys: 1,
        ..whole
    };
    let text = said(&key);
    assert!(text.contains("<h1>Revoke the key laptop</h1>"), "{text}");
    assert!(text.contains("Used by agent <a") && text.contains("Inbox helper</a> (Sales)."), "{text}");
}

#[test]
fn what_one_may_not_change_has_no_buttons() {
    let mut visit = visit();
    visit.deeds.clear();
    for (_, view) in views("Inbox helper") {
        let shown = Shown { story: story("Inbox helper"), spend: None, limits: None, view };
        if matches!(shown.view, View::Settings(_)) {
            continue;
        }
        let page = page(&visit, shown, &Form::default());
        for said in [
            "Revoke now",
            "Issue a key",
            "Rotate",
            "tab=settings",
            "<form method=\"post\" action=\"/t/brightwater/people",
        ] {
            assert!(!page.contains(said), "{said}");
        }
    }
    let retired = AgentStory { retired_at: Some(sample::now()), ..story("Inbox helper") };
    let view = View::Activity(vec![]);
    let page =
        page(&sample::visit(), Shown { story: retired, spend: None, limits: None, view }, &Form::default());
    assert!(page.contains("Retired") && !page.contains("Revoke now") && !page.contains("How to connect</a>"));
}

#[test]
fn every_way_has_the_url_and_the_key_where_it_is_known() {
    let url = "https://mcp.workingagents.example/mcp_7c1e0d4f5a9b4c2d8e6f1a2b3c4d5e6f/mcp";
    for way in Way::ALL {
        let page = agent("Inbox helper", View::Connect(*way));
        assert!(page.contains(url), "{way}");
        assert!(page.contains("WORKINGAGENTS_KEY") || page.contains("THE KEY"), "{way}");
    }
    let issued = keys::issued(&visit(), &story("Inbox helper"), "laptop", "wa_secret", None);
    assert!(!issued.contains("WORKINGAGENTS_KEY") && !issued.contains("THE KEY"));
    assert_eq!(issued.matches("wa_secret").count(), 1 + Way::ALL.len(), "shown, and in every way");
}

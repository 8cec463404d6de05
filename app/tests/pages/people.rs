//! Units, people and invitations: hostile names everywhere, and the pages as they are.

use app::pages::people::list::{self, Query, Rows, Show, Shown};
use app::pages::people::{invitations, join, me, parting, person, unit};
use app::pages::settings;
use app::pieces::field::FieldError;
use app::pieces::form::Form;
use control::account::{Account, SessionLine};
use control::authority::Deed;
use control::invitations::{InvitationLine, Standing as Link, Welcome};
use control::people::{
    AgentLine, GrantHere, Listed, Node, PersonLine, PersonStory, Presence, RoleAt, RoleHeld, RoleHere,
    UnitStory,
};
use control::units::{Archiving, Inherited, Moving};
use control::users::Parting;
use insta::assert_snapshot;
use model::people::{Role, Standing, UnitKind, UnitView, UserView};
use model::{AgentId, GrantId, InvitationId, UnitId, UserId, Zone};
use uuid::Uuid;

use crate::hostile::{self, is_harmless};
use crate::sample::{self, HOSTILE};

fn unit_id(n: u128) -> UnitId {
    UnitId::from(Uuid::from_u128(n))
}

fn user_id(n: u128) -> UserId {
    UserId::from(Uuid::from_u128(n))
}

fn node(n: u128, parent: Option<u128>, depth: usize, name: &str) -> Node {
    Node {
        view: UnitView {
            id: unit_id(n),
            parent: parent.map(unit_id),
            kind: UnitKind::Team,
            name: name.into(),
        },
        depth,
        people: 1_200,
        agents: 3,
    }
}

fn tree(name: impl Fn(&'static str) -> String) -> Vec<Node> {
    vec![
        node(1, None, 0, &name("Marketing")),
        node(2, None, 0, &name("Sales")),
        node(3, Some(2), 1, &name("EMEA")),
        node(4, Some(3), 2, &name("North")),
    ]
}

fn people(name: impl Fn(&'static str) -> String) -> Listed<PersonLine> {
    let line = |n: u128, who, presence| PersonLine {
        id: user_id(n),
        name: name(who),
        email: name("ada@example.com"),
        home: (unit_id(3), name("EMEA")),
        presence,
        roles: vec![
            RoleAt { role: Role::Finance, unit: None },
            RoleAt { role: Role::Approver, unit: Some((unit_id(2), name("Sales"))) },
        ],
        agents: 2,
    };
    Listed { rows: vec![line(10, "Ada", Presence::Active), line(11, "Bob", Presence::Suspended)], total: 120 }
}

fn agents(name: impl Fn(&'static str) -> String) -> Listed<AgentLine> {
    let line = AgentLine {
        id: AgentId::from(Uuid::from_u128(20)),
        name: name("Inbox helper"),
        owner: (user_id(10), name("Ada")),
        owner_presence: Presence::Removed,
        home: (unit_id(3), name("EMEA")),
        standing: Standing::Active,
        keys: 1,
    };
    Listed { rows: vec![line], total: 1 }
}

fn story(name: impl Fn(&'static str) -> String) -> PersonStory {
    PersonStory {
        id: user_id(10),
        name: name("Ada"),
        email: name("ada@example.com"),
        presence: Presence::Active,
        created_at: sample::before(90_000_000),
        removed_at: None,
        home: (unit_id(3), name("EMEA")),
        path: tree(&name).into_iter().skip(1).take(2).map(|node| node.view).collect(),
        further: vec![(unit_id(1), name("Marketing"))],
        roles: vec![RoleHeld {
            role: Role::Approver,
            unit: Some((unit_id(2), name("Sales"))),
            given_by: name("Dana Reyes"),
            given_at: sample::before(3_600_000),
        }],
        has_password: true,
        may_change: true,
    }
}

fn handle(n: u8) -> String {
    format!("{n:02x}").repeat(32)
}

fn sessions(name: impl Fn(&'static str) -> String) -> Vec<SessionLine> {
    let session = |n: u8| SessionLine {
        handle: handle(n),
        user: user_id(10),
        user_name: name("Ada"),
        since: sample::before(7_200_000),
        seen: sample::before(60_000),
        user_agent: Some(name("Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0")),
        address: Some("192.0.2.7".parse().unwrap()),
        may_end: true,
    };
    vec![session(1), session(2), session(3)]
}

fn told(name: impl Fn(&'static str) -> String) -> Parting {
    Parting {
        person: UserView {
            id: user_id(10),
            name: name("Ada"),
            email: name("ada@example.com"),
            home_unit: unit_id(3),
            standing: Standing::Active,
        },
        agents: 2,
        suspended_agents: 1,
        keys: 3,
        keys_on_behalf: 1,
        running: 1,
        modules: 1,
        roles: 1,
        grants: 4,
        sessions: 2,
        invitations: 5,
        last_owner: false,
    }
}

/// Every page of the place with this in the place of each name and each thing typed.
fn pages(name: impl Fn(&'static str) -> String + Copy) -> Vec<(&'static str, String)> {
    let mut visit = hostile::visit();
    visit.person = name("Dana Reyes");
    visit.organization = name("Brightwater");
    let wrong = Form::new(
        ["name", "emails", "to", "time_zone", "role", "home", "unit", "where"]
            .map(|field| (field.to_owned(), name("typed")))
            .to_vec(),
    )
    .wrong(vec![FieldError::new("name", name("Wrong.")), FieldError::new("form", name("All wrong."))]);
    let (path, tree) = (story(name).path, tree(name));
    let given = Inherited { key: "crm:read".parse().unwrap(), unit: unit_id(2), unit_name: name("Sales") };
    let moving = Moving {
        from: path.clone(),
        to: vec![tree[0].view.clone()],
        people: 3,
        agents: 2,
        keys: 1,
        gains: vec![given.clone()],
        loses: vec![given],
    };
    let archiving =
        Archiving { path: path.clone(), units: 1, people: 2, agents: 3, grants: 1, roles: 1, invitations: 1 };
    let unit_story = UnitStory {
        node: tree[2].clone(),
        path: path.clone(),
        children: vec![tree[3].clone()],
        roles: vec![RoleHere {
            person: (user_id(10), name("Ada")),
            role: Role::Approver,
            unit: (unit_id(2), name("Sales")),
            given_by: name("Dana Reyes"),
            given_at: sample::before(5_000),
        }],
        grants: Some(vec![GrantHere {
            id: GrantId::from(Uuid::from_u128(1)),
            key: "crm".parse().unwrap(),
            unit: (unit_id(3), name("EMEA")),
            given_by: name("Dana Reyes"),
            given_at: sample::before(5_000),
            expires_at: Some(sample::now()),
        }]),
    };
    let query = Query { unit: Some(unit_id(3)), text: name("ada"), ..Query::default() };
    let shown = |rows| Shown { tree: Some(tree.clone()), rows, invited: Some(3) };
    let invitation = InvitationLine {
        id: InvitationId::from(Uuid::from_u128(1)),
        email: name("ada@example.com"),
        unit: (unit_id(2), name("Sales")),
        role: Role::Member,
        invited_by: (Some(user_id(10)), name("Dana Reyes")),
        sent_at: sample::before(5_000),
        expires_at: sample::before(1),
    };
    let welcome = Welcome {
        organization: name("Brightwater"),
        slug: "brightwater".parse().unwrap(),
        email: name("ada@example.com"),
        unit: name("Sales"),
        role: Role::Approver,
        invited_by: name("Dana Reyes"),
        expires_at: sample::now(),
    };
    let here = Link::Here { organization: name("Brightwater"), email: name("ada@example.com") };
    let account = Account {
        name: name("Dana Reyes"),
        email: name("dana@example.com"),
        zone: Some(Zone::Asia__Tokyo),
        organizations_zone: Zone::UTC,
        has_password: true,
    };
    let mine = me::Shown { account, sessions: sessions(name), here: Some(handle(1)) };
    let person_shown = person::Shown {
        story: story(name),
        agents: agents(name),
        tree: tree.clone(),
        sessions: Some(sessions(name)),
        may_own: true,
        access: None,
    };
    vec![
        ("list", list::page(&visit, &query, &shown(Rows::People(people(name))))),
        (
            "agents",
            list::page(
                &visit,
                &Query { show: Show::Agents, ..query.clone() },
                &shown(Rows::Agents(agents(name))),
            ),
        ),
        ("nobody", list::page(&visit, &query, &shown(Rows::People(Listed::default())))),
        ("unit", unit::page(&visit, &unit_story, &people(name), &agents(name))),
        ("new unit", unit::create(&visit, &tree, &wrong)),
        ("rename", unit::rename(&visit, &path, &wrong)),
        ("move", unit::relocate(&visit, &path, &tree, &wrong, Some(&moving))),
        ("archive", unit::archive(&visit, &archiving, &wrong)),
        ("person", person::page(&visit, &person_shown, &wrong)),
        ("suspend", parting::suspend(&visit, &told(name), &wrong)),
        ("remove", parting::remove(&visit, &told(name), &wrong)),
        ("leave", parting::leave(&visit, &told(name), &wrong, true)),
        ("invite", invitations::form(&visit, &tree, &wrong, true, true)),
        ("invitations", invitations::list(&visit, &[invitation], 1, 0)),
        ("join", join::page(&visit.site, &"0".repeat(64), &Link::Open(welcome), &wrong)),
        ("here", join::page(&visit.site, "x", &here, &Form::default())),
        ("over", join::page(&visit.site, "x", &Link::Over, &Form::default())),
        ("me", me::page(&visit, &mine, me::Part::About(wrong.clone()))),
        ("my password", me::page(&visit, &mine, me::Part::Password(wrong))),
        ("sessions", settings::sessions(&visit, &sessions(name), &name("ada"), 0, true, None)),
        ("end all", settings::end_all(&visit, user_id(10), &name("Ada"), 2)),
    ]
}

#[test]
fn a_session_has_a_button_where_the_reader_may_end_it_and_it_is_not_this_one() {
    let plain = |usual: &'static str| usual.to_owned();
    let mut lines = sessions(plain);
    lines[1].may_end = false;
    let html = settings::sessions(&sample::visit(), &lines, "", 0, false, Some(&handle(1)));
    assert!(html.contains("This browser") && html.contains("Firefox on Linux"));
    let ends = |n| html.contains(&format!("value=\"{}\"", handle(n)));
    assert_eq!((ends(1), ends(2), ends(3)), (false, false, true));
    assert_eq!(html.matches(&sample::visit().links().end_all_sessions_of(user_id(10))).count(), 1);
}

fn scripts(html: &str) -> usize {
    // The frame has one of its own.
    html.matches("<script").count() - usize::from(html.contains("class=\"rail\""))
}

#[test]
fn whatever_somebody_calls_themselves_is_shown_as_text() {
    let plain: Vec<usize> = pages(|usual| usual.to_owned()).iter().map(|(_, html)| scripts(html)).collect();
    for ((what, html), scripts) in pages(|_| HOSTILE.to_owned()).into_iter().zip(plain) {
        is_harmless(what, &html, scripts);
        // The page of a link that is over names nobody.
        assert!(html.contains("&lt;script&gt;") || what == "over", "{what}");
    }
    for (what, html) in pages(|_| "<b>".repeat(10_000)) {
        assert!(html.len() < 900_000, "{what}: {}", html.len());
    }
}

#[test]
fn each_page_has_one_first_heading_and_no_id_twice() {
    for (what, html) in pages(|usual| usual.to_owned()) {
        assert_eq!(html.matches("<h1").count(), 1, "{what}");
        let mut ids: Vec<&str> =
            html.split(" id=\"").skip(1).filter_map(|part| part.split('"').next()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{what}");
    }
}

#[test]
fn who_may_change_nothing_is_offered_nothing() {
    let mut visit = sample::visit();
    visit.deeds = vec![Deed::ReadPeople, Deed::ReadGrants];
    let plain = |usual: &'static str| usual.to_owned();
    let mut shown = person::Shown {
        story: PersonStory { may_change: false, ..story(plain) },
        agents: agents(plain),
        tree: Vec::new(),
        sessions: None,
        may_own: false,
        access: None,
    };
    for presence in [Presence::Active, Presence::Suspended, Presence::Removed] {
        shown.story.presence = presence;
        let html = person::page(&visit, &shown, &Form::default());
        assert_eq!(
            html[html.find("<main").unwrap()..html.find("</main>").unwrap()].matches("<form").count(),
            0,
            "{presence}: no form"
        );
    }
    let front = Shown { tree: Some(tree(plain)), rows: Rows::People(people(plain)), invited: None };
    let html = list::page(&visit, &Query::default(), &front);
    for word in ["Invite", "New unit", "New agent"] {
        assert!(!html.contains(word), "{word}");
    }
    // Where no mail goes out, nobody is asked to wait for one.
    let html = invitations::form(&sample::visit(), &tree(plain), &Form::default(), true, false);
    assert!(html.contains("sends no mail") && !html.contains("Send invitations"));
}

#[test]
fn the_list_and_what_a_removal_ends_look_like_this() {
    let plain = |usual: &'static str| usual.to_owned();
    let visit = sample::visit();
    let front = Shown { tree: Some(tree(plain)), rows: Rows::People(people(plain)), invited: Some(1) };
    let query = Query { unit: Some(unit_id(3)), ..Query::default() };
    assert_snapshot!("people_list", inside(&list::page(&visit, &query, &front)));
    assert_snapshot!("people_remove", inside(&parting::remove(&visit, &told(plain), &Form::default())));
}

/// What is inside `<main>`, one element a line.
fn inside(html: &str) -> String {
    let from = html.find("<main").unwrap();
    let to = html.find("</main>").unwrap();
    html[from..to].replace("><", ">\n<")
}

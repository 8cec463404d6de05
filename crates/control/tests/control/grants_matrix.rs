//! The matrix of grants: it says what decisions say, shows only what was asked for, and to those alone who may see it.

use std::time::Duration;

use crate::outside::{not_there, with_role};
use chrono::{SubsecRound as _, TimeDelta};
use control::agents::{self, NewAgent};
use control::credentials::{self, NewCredential};
use control::grants::listing::{self, Ends};
use control::grants::matrix::{self, COLUMNS, Matrix, cell, matrix};
use control::grants::pick::{self, Kind};
use control::grants::{self};
use control::units::{self, NewUnit};
use control::users;
use control::users::NewUser;
use model::access::{Grantee, PermissionKey};
use model::catalog::Feature;
use model::people::{Role, UnitKind};
use model::{UnitId, UserId};
use policy::{Decision, Directory};
use testkit::TestWorld;

fn key(text: &str) -> PermissionKey {
    text.parse().unwrap()
}

fn by(kind: Kind) -> matrix::Wanted {
    matrix::Wanted {
        text: String::new(),
        page: 0,
        open: vec![],
        kind,
        within: None,
        only: None,
        who: String::new(),
        columns: 0,
    }
}

async fn unit(world: &TestWorld, name: &str, parent: Option<UnitId>) -> UnitId {
    let new = NewUnit { parent, kind: UnitKind::Team, name: name.to_owned() };
    units::create(&world.control, &world.operator, new).await.unwrap()
}

async fn person(world: &TestWorld, name: &str, home_unit: UnitId) -> UserId {
    let new = NewUser {
        email: format!("{}@acme.example", name.to_lowercase().replace(' ', ".")),
        name: name.to_owned(),
        home_unit,
        password: None,
        role: None,
    };
    users::create(&world.control, &world.operator, new).await.unwrap()
}

async fn seen(world: &TestWorld, wanted: &matrix::Wanted) -> Matrix {
    matrix(&world.control, &world.operator, wanted).await.unwrap()
}

fn names(matrix: &Matrix) -> Vec<&str> {
    matrix.columns.iter().map(|column| column.name.as_str()).collect()
}

/// A small generator of numbers, so that every run tries the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Random units, people, agents and grants: each cell is held just when a call would be permitted.
#[tokio::test]
async fn a_cell_is_held_when_a_call_is_permitted() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    world.module("drive", "http://127.0.0.1:9/mcp", &[("open", true), ("save", false)]).await;
    let mut numbers = Numbers(7);
    let mut units = vec![world.tenant.unit];
    for n in 0..9 {
        let parent = (n % 3 > 0).then(|| units[numbers.below(units.len())]);
        units.push(unit(&world, &format!("Unit {n}"), parent).await);
    }
    let mut people = vec![];
    for n in 0..8 {
        let home = units[numbers.below(units.len())];
        let id = person(&world, &format!("Person {n}"), home).await;
        let further = units[numbers.below(units.len())];
        if n % 2 == 0 && further != home {
            users::join_unit(control, operator, id, further).await.unwrap();
        }
        if n % 3 == 0 {
            users::give_role(control, operator, id, Role::ALL[1 + numbers.below(5)], None).await.unwrap();
        }
        people.push(id);
    }
    // An agent that holds everything may do for a person just what the person may.
    let (anything, _) = world.agent("Anything").await;
    for module in ["notes", "drive"] {
        world.grant(module, Grantee::Agent(anything)).await;
    }
    let issue = |agent, on_behalf_of| {
        let new = NewCredential {
            agent,
            name: "test".to_owned(),
            expires_at: None,
            allowed_addresses: vec![],
            on_behalf_of,
        };
        async move { credentials::issue(control, operator, new).await.unwrap().key }
    };
    let mut holders = vec![];
    for (n, id) in people.iter().enumerate() {
        holders.push((Grantee::User(*id), issue(anything, Some(*id)).await));
        let home_unit = units[numbers.below(units.len())];
        let new = NewAgent { name: format!("Agent {n}"), owner: *id, home_unit };
        let agent = agents::create(control, operator, new).await.unwrap();
        holders.push((Grantee::Agent(agent), issue(agent, None).await));
    }
    let now = control.ambient().now();
    for n in 0..24 {
        let grantee = match n % 4 {
            0 | 1 => Grantee::Unit(units[numbers.below(units.len())]),
            2 => Grantee::Role(Role::ALL[1 + numbers.below(5)]),
            _ => holders[numbers.below(holders.len())].0,
        };
        let keys = ["notes", "notes:read", "notes:write", "drive", "drive:read", "drive:write"];
        let until = (n % 5 == 0).then(|| now + TimeDelta::hours(1));
        grants::give(control, operator, &key(keys[numbers.below(6)]), grantee, until).await.ok();
    }
    // Some of them end.
    world.clock.as_ref().unwrap().advance(Duration::from_secs(3_600));
    let now = control.ambient().now();

    let facts = control::directory::facts(control, world.tenant.tenant).await.unwrap();
    let directory = Directory::build(facts, now).unwrap();
    let mut compared = [0, 0];
    for kind in [Kind::People, Kind::Agents] {
        let shown = seen(&world, &by(kind)).await;
        for (at, column) in shown.columns.iter().enumerate() {
            let Some((_, presented)) = holders.iter().find(|(grantee, _)| *grantee == column.grantee) else {
                continue;
            };
            let principal = directory.authenticate(&TestWorld::hash(presented), None, now).unwrap();
            for module in &shown.modules {
                for row in module.keys.iter().filter(|row| row.key.as_str().contains(':')) {
                    let name = match row.key.as_str() {
                        "notes:read" => "notes.read_note",
                        "notes:write" => "notes.write_note",
                        "drive:read" => "drive.open",
                        _ => "drive.save",
                    };
                    let tool = directory.resolve(&principal, Feature::Tool, name).unwrap();
                    let decision = directory.decide(&principal, &tool, [0; 32], now);
                    let permitted = matches!(decision, Decision::Permit(_));
                    let cell = &row.cells[at];
                    assert_eq!(cell.held(now), permitted, "{} {} {cell:?}", row.key, column.name);
                    compared[usize::from(permitted)] += 1;
                    // The page of the cell says the same.
                    let alone = cell_of(&world, &row.key, column.grantee).await;
                    assert_eq!(alone, *cell);
                }
            }
        }
    }
    assert!(compared[0] > 8 && compared[1] > 8, "{compared:?}");
}

async fn cell_of(world: &TestWorld, key: &PermissionKey, grantee: Grantee) -> matrix::Cell {
    cell(&world.control, &world.operator, key, grantee).await.unwrap().cell
}

#[tokio::test]
async fn one_drills_down_from_the_top_and_sees_where_rights_come_from() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let sales = unit(&world, "Sales", None).await;
    let emea = unit(&world, "EMEA", Some(sales)).await;
    let apac = unit(&world, "APAC", Some(sales)).await;
    let eve = person(&world, "Eve", emea).await;
    grants::give(control, operator, &key("notes"), Grantee::Unit(sales), None).await.unwrap();
    world.grant("notes:read", Grantee::Unit(emea)).await;
    world.grant("notes:read", Grantee::User(eve)).await;
    world.grant("notes:read", Grantee::Role(Role::Auditor)).await;
    let now = control.ambient().now();

    let top = seen(&world, &by(Kind::Units)).await;
    assert_eq!(names(&top), ["Operations", "Sales"]);
    assert_eq!((top.columns_total, top.columns[1].below), (2, 2));
    assert_eq!((top.modules_total, top.modules.len()), (1, 1));
    let keys: Vec<_> = top.modules[0].keys.iter().map(|row| (row.key.as_str(), row.tools_total)).collect();
    assert_eq!(keys, [("notes", 0), ("notes:read", 1), ("notes:write", 1)]);
    let read = &top.modules[0].keys[1];
    assert!(!read.cells[0].held(now) && read.cells[0].below == 0);
    // Sales has its module's key, and two grants of this one lie below it: EMEA's and Eve's.
    assert_eq!((read.cells[1].given(now), read.cells[1].below), (false, 2));
    let source = &read.cells[1].inherited[0];
    assert_eq!((source.key.as_str(), source.grantee), ("notes", Grantee::Unit(sales)));
    let own = top.modules[0].keys[0].cells[1].own.as_ref().unwrap();
    assert_eq!((own.given_by.as_str(), own.given_at, own.expires_at), ("test", now.trunc_subsecs(6), None));

    let inside =
        seen(&world, &matrix::Wanted { within: Some(sales), open: vec!["notes".into()], ..by(Kind::Units) })
            .await;
    assert_eq!(inside.trail, [(sales, "Sales".to_owned())]);
    assert_eq!(names(&inside), ["Sales", "APAC", "EMEA"]);
    let read = &inside.modules[0].keys[1];
    assert_eq!(read.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["read_note"]);
    assert!(read.cells[1].held(now) && !read.cells[1].given(now));
    assert!(read.cells[2].given(now) && read.cells[2].inherited[0].name == "Sales");
    let deeper = seen(&world, &matrix::Wanted { within: Some(apac), ..by(Kind::Units) }).await;
    assert_eq!(deeper.trail.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["Sales", "APAC"]);

    let people = seen(&world, &matrix::Wanted { within: Some(sales), ..by(Kind::People) }).await;
    assert_eq!(names(&people), ["Eve"]);
    let sources: Vec<_> = people.modules[0].keys[1].cells[0]
        .inherited
        .iter()
        .map(|it| (it.key.as_str(), it.name.as_str()))
        .collect();
    assert_eq!(sources, [("notes:read", "EMEA"), ("notes", "Sales")], "the nearest first");
    let roles = seen(&world, &by(Kind::Roles)).await;
    assert_eq!(roles.columns.len(), 6);
    let auditor = roles.columns.iter().position(|it| it.grantee == Grantee::Role(Role::Auditor)).unwrap();
    assert!(roles.modules[0].keys[1].cells[auditor].given(now));
    let only = seen(&world, &matrix::Wanted { only: Some(Grantee::User(eve)), ..by(Kind::Units) }).await;
    assert_eq!(names(&only), ["Eve"]);

    let one = cell(control, operator, &key("notes"), Grantee::Unit(sales)).await.unwrap();
    assert_eq!((one.row.tools_total, one.reach.people, one.reach.agents), (2, 1, 0));
    not_there(cell(control, operator, &key("drive"), Grantee::Unit(sales)).await);
    not_there(cell(control, operator, &key("notes"), Grantee::Unit(UnitId::from(eve.uuid()))).await);
}

#[tokio::test]
async fn rows_and_columns_are_searched_and_paged() {
    let world = TestWorld::new().await;
    for n in 0..17 {
        world.module(&format!("m{n:02}"), "http://127.0.0.1:9/mcp", &[("look", true)]).await;
        unit(&world, &format!("Unit {n:02}"), None).await;
    }
    let first = seen(&world, &by(Kind::Units)).await;
    assert_eq!((first.modules.len(), first.modules_total), (15, 18));
    assert_eq!((first.columns.len() as i64, first.columns_total), (COLUMNS, 18));
    let second = seen(&world, &matrix::Wanted { page: 1, columns: 1, ..by(Kind::Units) }).await;
    assert_eq!((second.modules.len(), second.columns.len()), (3, 8));
    let far = seen(&world, &matrix::Wanted { page: 900, columns: 900, ..by(Kind::Units) }).await;
    assert_eq!((far.modules.len(), far.columns.len()), (0, 0));
    let found =
        seen(&world, &matrix::Wanted { text: "READ_note".into(), who: "unit 03".into(), ..by(Kind::Units) })
            .await;
    assert_eq!((found.modules.len(), names(&found)), (1, vec!["Unit 03"]));
    assert_eq!(found.modules[0].name, "notes");
    // Signs that mean something in patterns mean nothing here.
    for odd in ["%", "_", "\\", "'", "\u{202E}"] {
        let none =
            seen(&world, &matrix::Wanted { text: odd.into(), who: odd.into(), ..by(Kind::People) }).await;
        assert!(none.columns.is_empty(), "{odd:?}");
        assert!(none.modules.iter().all(|module| odd == "_" && module.name == "notes"), "{odd:?}");
    }
    let keys = pick::keys(&world.control, &world.operator, "m0", 0).await.unwrap();
    assert_eq!((keys.rows.len(), keys.total), (30, 30));
    let units = pick::grantees(&world.control, &world.operator, Kind::Units, "unit 1", 0).await.unwrap();
    assert_eq!(units.total, 7);
}

#[tokio::test]
async fn grants_are_found_by_name_kind_and_end() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let (agent, _) = world.agent("Scout").await;
    let now = control.ambient().now();
    let at = |days| Some(now + TimeDelta::days(days));
    for (text, grantee, until) in [
        ("notes", Grantee::Agent(agent), at(20)),
        ("notes:read", Grantee::Unit(world.tenant.unit), at(3)),
        ("notes:write", Grantee::Role(Role::Member), None),
        ("notes:read", Grantee::User(world.tenant.owner), at(1)),
    ] {
        grants::give(control, operator, &key(text), grantee, until).await.unwrap();
    }
    world.clock.as_ref().unwrap().advance(Duration::from_secs(2 * 86_400));
    let find = |text: &str, kind, grantee, ends| {
        let wanted = listing::Wanted { text: text.to_owned(), kind, grantee, ends, page: 0 };
        async move {
            let found = listing::search(control, operator, &wanted).await.unwrap();
            assert_eq!(found.total, found.rows.len() as i64);
            found.rows.into_iter().map(|line| line.grantee_name).collect::<Vec<_>>()
        }
    };
    assert_eq!(find("", None, None, Ends::Any).await, ["member", "Olga Owner", "Operations", "Scout"]);
    assert_eq!(find("", None, None, Ends::Week).await, ["Operations"]);
    assert_eq!(find("", None, None, Ends::Month).await, ["Operations", "Scout"]);
    assert_eq!(find("", None, None, Ends::Over).await, ["Olga Owner"]);
    assert_eq!(find("", None, None, Ends::Never).await, ["member"]);
    assert_eq!(find("READ", None, None, Ends::Any).await, ["Olga Owner", "Operations"]);
    assert_eq!(find("sco", None, None, Ends::Any).await, ["Scout"]);
    assert_eq!(find("", Some(Kind::Roles), None, Ends::Any).await, ["member"]);
    assert_eq!(find("", None, Some(Grantee::Agent(agent)), Ends::Any).await, ["Scout"]);
    assert!(find("%", None, None, Ends::Any).await.is_empty());
}

#[tokio::test]
async fn who_may_not_read_grants_sees_none() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let (_, theirs) = world.another_tenant("other").await;
    let sales = unit(&world, "Sales", None).await;
    world.grant("notes", Grantee::Unit(sales)).await;
    let strange = matrix(control, &theirs, &by(Kind::Units)).await.unwrap();
    assert!(strange.modules.is_empty() && !names(&strange).contains(&"Sales"));
    not_there(matrix(control, &theirs, &matrix::Wanted { within: Some(sales), ..by(Kind::Units) }).await);
    not_there(cell(control, &theirs, &key("notes"), Grantee::Unit(sales)).await);
    let all = listing::Wanted { text: String::new(), kind: None, grantee: None, ends: Ends::Any, page: 0 };
    for (role, sees) in
        [(Role::Auditor, true), (Role::Finance, false), (Role::Approver, false), (Role::Member, false)]
    {
        let actor = with_role(&world, &format!("Tess{role}"), role).await;
        assert_eq!(matrix(control, &actor, &by(Kind::Units)).await.is_ok(), sees, "{role}");
        assert_eq!(cell(control, &actor, &key("notes"), Grantee::Unit(sales)).await.is_ok(), sees, "{role}");
        assert_eq!(listing::search(control, &actor, &all).await.is_ok(), sees, "{role}");
        assert_eq!(pick::keys(control, &actor, "", 0).await.is_ok(), sees, "{role}");
        assert_eq!(pick::grantees(control, &actor, Kind::Agents, "", 0).await.is_ok(), sees, "{role}");
    }
}

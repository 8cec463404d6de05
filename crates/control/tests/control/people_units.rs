//! The tree of units as an admin changes it: what moving and archiving do, told before and done after.

use crate::outside::{audit, epoch, not_there, refused, signed_in, user, with_role};
use control::units::{self, NewUnit};
use control::{Actor, Error, agents, people, users};
use model::UnitId;
use model::access::Grantee;
use model::people::{Role, UnitKind};
use testkit::TestWorld;

async fn unit(world: &TestWorld, parent: Option<UnitId>, name: &str) -> UnitId {
    let new = NewUnit { parent, kind: UnitKind::Team, name: name.to_owned() };
    units::create(&world.control, &world.operator, new).await.unwrap()
}

async fn tree(world: &TestWorld, actor: &Actor) -> Vec<String> {
    let nodes = people::tree(&world.control, actor).await.unwrap();
    nodes
        .iter()
        .map(|node| format!("{}{} {}/{}", ".".repeat(node.depth), node.view.name, node.people, node.agents))
        .collect()
}

#[tokio::test]
async fn a_unit_moves_with_all_in_it_and_never_into_itself() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let sales = unit(&world, None, "Sales").await;
    let emea = unit(&world, Some(sales), "EMEA").await;
    let north = unit(&world, Some(emea), "North").await;
    let support = unit(&world, None, "Support").await;
    let ada = user(&world, "Ada", None).await;
    users::move_to(control, operator, ada, north).await.unwrap();
    assert_eq!(
        tree(&world, operator).await,
        ["Operations 1/0", "Sales 1/0", ".EMEA 1/0", "..North 1/0", "Support 0/0"]
    );

    for inside in [sales, emea, north] {
        assert_eq!(refused(units::move_to(control, operator, sales, Some(inside)).await), "circle");
        assert_eq!(refused(units::moving(control, operator, sales, Some(inside)).await), "circle");
    }
    assert_eq!(refused(units::move_to(control, operator, emea, Some(sales)).await), "nothing_to_do");
    assert_eq!(refused(units::move_to(control, operator, sales, None).await), "nothing_to_do");
    unit(&world, Some(support), "emea").await;
    assert_eq!(refused(units::move_to(control, operator, emea, Some(support)).await), "name_taken");

    let before = epoch(&world).await;
    units::move_to(control, operator, north, Some(support)).await.unwrap();
    assert_eq!(epoch(&world).await, before + 1);
    assert_eq!(
        tree(&world, operator).await,
        ["Operations 1/0", "Sales 0/0", ".EMEA 0/0", "Support 1/0", ".emea 0/0", ".North 1/0"]
    );
    units::move_to(control, operator, north, None).await.unwrap();
    assert!(audit(&world).await.ends_with(&[
        "operator test unit.move: North".to_owned(),
        "operator test unit.move: North".to_owned(),
    ]));

    // Nobody who may not, and nobody of another organization.
    let auditor = with_role(&world, "Audrey", Role::Auditor).await;
    not_there(units::move_to(control, &auditor, north, Some(sales)).await);
    not_there(units::moving(control, &auditor, north, Some(sales)).await);
    let (other, stranger) = world.another_tenant("other").await;
    not_there(units::move_to(control, operator, north, Some(other.unit)).await);
    not_there(units::move_to(control, &stranger, north, Some(other.unit)).await);
}

#[tokio::test]
async fn a_unit_that_moves_keeps_the_tree_within_its_depth() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let mut deepest = None;
    for depth in 0..31 {
        deepest = Some(unit(&world, deepest, &format!("level {depth}")).await);
    }
    let two = unit(&world, None, "two").await;
    unit(&world, Some(two), "high").await;
    assert_eq!(refused(units::move_to(control, operator, two, deepest).await), "too_deep");
    let one = unit(&world, None, "one").await;
    units::move_to(control, operator, one, deepest).await.unwrap();
}

#[tokio::test]
async fn what_a_move_gives_and_takes_is_told_before() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    world.module("drive", "http://127.0.0.1:9/mcp", &[("read", true), ("write", false)]).await;
    let sales = unit(&world, None, "Sales").await;
    let emea = unit(&world, Some(sales), "EMEA").await;
    let north = unit(&world, Some(emea), "North").await;
    let support = unit(&world, None, "Support").await;
    for (key, unit) in [
        // Lost: given above the old place alone.
        ("notes:read", sales),
        // Kept: the new place has the whole module.
        ("drive:read", sales),
        // Kept: its own.
        ("notes:write", emea),
        ("notes:write", sales),
        // Gained.
        ("drive", support),
    ] {
        world.grant(key, Grantee::Unit(unit)).await;
    }
    let ada = user(&world, "Ada", None).await;
    users::move_to(control, operator, ada, north).await.unwrap();
    let bob = user(&world, "Bob", None).await;
    users::join_unit(control, operator, bob, emea).await.unwrap();
    user(&world, "Elsewhere", None).await;
    let (agent, _) = world.agent("Helper").await;
    world.key(agent).await;
    agents::move_to(control, operator, agent, north).await.unwrap();

    let told = units::moving(control, operator, emea, Some(support)).await.unwrap();
    let keys = |list: &[units::Inherited]| {
        list.iter().map(|it| format!("{} of {}", it.key, it.unit_name)).collect::<Vec<_>>()
    };
    assert_eq!(keys(&told.loses), ["notes:read of Sales"]);
    assert_eq!(keys(&told.gains), ["drive of Support"]);
    assert_eq!((told.people, told.agents, told.keys), (2, 1, 2));
    let names =
        |path: &[model::people::UnitView]| path.iter().map(|unit| unit.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        (names(&told.from), names(&told.to)),
        (vec!["Sales".into(), "EMEA".into()], vec!["Support".into()])
    );
    let told = units::moving(control, operator, emea, None).await.unwrap();
    assert_eq!(keys(&told.loses), ["drive:read of Sales", "notes:read of Sales"]);
    assert!(told.gains.is_empty() && told.to.is_empty());
}

#[tokio::test]
async fn what_archiving_meets_and_ends_is_told_before() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let sales = unit(&world, None, "Sales").await;
    let emea = unit(&world, Some(sales), "EMEA").await;
    let ada = user(&world, "Ada", None).await;
    users::move_to(control, operator, ada, emea).await.unwrap();
    let bob = user(&world, "Bob", None).await;
    users::join_unit(control, operator, bob, emea).await.unwrap();
    users::give_role(control, operator, bob, Role::Approver, Some(emea)).await.unwrap();
    world.grant("notes:read", Grantee::Unit(emea)).await;
    let (agent, _) = world.agent("Helper").await;
    agents::move_to(control, operator, agent, emea).await.unwrap();

    let told = units::archiving(control, operator, emea).await.unwrap();
    assert_eq!((told.units, told.people, told.agents, told.grants, told.roles), (0, 2, 1, 1, 1));
    assert!(!told.is_empty());
    assert_eq!(refused(units::archive(control, operator, emea).await), "unit_not_empty");
    assert_eq!(units::archiving(control, operator, sales).await.unwrap().units, 1);

    users::leave_unit(control, operator, bob, emea).await.unwrap();
    agents::move_to(control, operator, agent, sales).await.unwrap();
    // Who was removed is in nobody's way.
    users::remove(control, operator, ada, users::Agents::Stop).await.unwrap();
    assert!(units::archiving(control, operator, emea).await.unwrap().is_empty());
    units::archive(control, operator, emea).await.unwrap();
    not_there(units::archiving(control, operator, emea).await);
    not_there(people::unit(control, operator, emea).await);
    // Their page still says where they sat.
    let story = people::person(control, operator, ada).await.unwrap();
    assert_eq!((story.home.1.as_str(), story.path.len()), ("EMEA", 0));
}

#[tokio::test]
async fn a_units_page_tells_what_holds_there_and_from_where() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let sales = unit(&world, None, "Sales").await;
    let emea = unit(&world, Some(sales), "EMEA").await;
    unit(&world, Some(emea), "North").await;
    let ada = user(&world, "Ada", None).await;
    users::give_role(control, operator, ada, Role::Approver, Some(sales)).await.unwrap();
    world.grant("notes:read", Grantee::Unit(sales)).await;
    world.grant("notes:write", Grantee::Unit(emea)).await;
    let owner = signed_in(&world, world.tenant.owner).await;
    let story = people::unit(control, &owner, emea).await.unwrap();
    assert_eq!(story.path.iter().map(|unit| unit.name.as_str()).collect::<Vec<_>>(), ["Sales", "EMEA"]);
    assert_eq!(story.children.len(), 1);
    let held: Vec<_> = story.roles.iter().map(|it| (it.person.1.as_str(), it.unit.1.as_str())).collect();
    assert_eq!(held, [("Ada", "Sales")]);
    let given: Vec<_> = story.grants.unwrap().iter().map(|it| format!("{} {}", it.key, it.unit.1)).collect();
    assert_eq!(given, ["notes:write EMEA", "notes:read Sales"]);
    // Who may not see grants sees none; who may not see people sees no unit.
    let approver = with_role(&world, "Anna", Role::Approver).await;
    assert_eq!(people::unit(control, &approver, emea).await.unwrap().grants, None);
    let member = with_role(&world, "Mia", Role::Member).await;
    not_there(people::unit(control, &member, emea).await);
    not_there(people::tree(control, &member).await);
    let (other, _) = world.another_tenant("other").await;
    not_there(people::unit(control, operator, other.unit).await);
    let stranger: Result<_, Error> =
        people::unit(control, &Actor::operator(other.tenant, "test"), emea).await;
    not_there(stranger);
}

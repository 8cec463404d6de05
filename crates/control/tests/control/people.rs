//! Organizations, units, people, agents and roles, as an admin works with them.

use crate::outside::{audit, epoch, invalid, not_there, refused, signed_in, user, with_role};
use control::agents::{self, NewAgent};
use control::tenants::{self, NewOwner, NewTenant};
use control::units::{self, NewUnit};
use control::users::{self, NewUser};
use model::people::{Role, Standing, UnitKind};
use model::{Currency, UnitId};
use testkit::TestWorld;

async fn unit(world: &TestWorld, parent: Option<UnitId>, name: &str) -> UnitId {
    let new = NewUnit { parent, kind: UnitKind::Team, name: name.to_owned() };
    units::create(&world.control, &world.operator, new).await.unwrap()
}

#[tokio::test]
async fn a_short_name_is_given_once_and_a_failed_founding_leaves_nothing() {
    let world = TestWorld::new().await;
    let new = |slug: &str, email: &str| NewTenant {
        slug: slug.parse().unwrap(),
        name: "Other".to_owned(),
        currency: Currency::USD,
        first_unit: "All".to_owned(),
        owner: NewOwner {
            email: email.to_owned(),
            name: "Otto".to_owned(),
            password: "a long enough password".to_owned().into(),
        },
    };
    assert_eq!(
        refused(tenants::create(&world.control, "root", new("acme", "otto@x.example")).await),
        "slug_taken"
    );
    assert_eq!(invalid(tenants::create(&world.control, "root", new("other", "nonsense")).await), "email");
    assert_eq!(tenants::list(&world.control).await.unwrap().len(), 1);

    let made = tenants::create(&world.control, "root", new("other", "otto@x.example")).await.unwrap();
    let heads = tenants::list(&world.control).await.unwrap();
    assert_eq!(heads.iter().map(|head| head.slug.as_str()).collect::<Vec<_>>(), ["acme", "other"]);
    let head = tenants::by_slug(&world.control, &"other".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((head.id, head.mcp_id, head.currency), (made.tenant, made.mcp_id, Currency::USD));
    assert_eq!(tenants::by_slug(&world.control, &"nobody".parse().unwrap()).await.unwrap(), None);
    assert_eq!(made.mcp_id.uuid().get_version_num(), 4, "tells nothing of when it was made");
}

#[tokio::test]
async fn a_suspended_organization_lets_nobody_act_and_only_the_operator_suspends() {
    let world = TestWorld::new().await;
    let owner = signed_in(&world, world.tenant.owner).await;
    not_there(tenants::suspend(&world.control, &owner).await);
    tenants::suspend(&world.control, &world.operator).await.unwrap();
    assert_eq!(refused(tenants::suspend(&world.control, &world.operator).await), "nothing_to_do");
    let acting =
        control::sign_in::actor(&world.control, world.tenant.tenant, world.tenant.owner).await.unwrap();
    assert!(acting.is_none());
    tenants::resume(&world.control, &world.operator).await.unwrap();
    signed_in(&world, world.tenant.owner).await;
    let audit = audit(&world).await;
    assert!(audit.contains(&"operator test tenant.suspend: acme Ltd".to_owned()), "{audit:?}");
}

#[tokio::test]
async fn units_are_found_by_path_and_archived_only_when_empty() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let sales = unit(&world, None, "Sales").await;
    let emea = unit(&world, Some(sales), "EMEA").await;
    let support = unit(&world, None, "Support").await;
    let other = unit(&world, Some(support), "EMEA").await;

    assert_eq!(units::find(control, operator, "sales/emea").await.unwrap().id, emea);
    assert_eq!(units::find(control, operator, "Support/EMEA").await.unwrap().id, other);
    assert_eq!(units::find(control, operator, "Sales").await.unwrap().id, sales);
    assert_eq!(refused(units::find(control, operator, "EMEA").await), "ambiguous_name");
    not_there(units::find(control, operator, "Nowhere").await);

    let again = NewUnit { parent: Some(sales), kind: UnitKind::Team, name: " emea ".to_owned() };
    assert_eq!(refused(units::create(control, operator, again).await), "name_taken");
    assert_eq!(refused(units::archive(control, operator, sales).await), "unit_not_empty");

    let ada = user(&world, "Ada", None).await;
    users::join_unit(control, operator, ada, emea).await.unwrap();
    assert_eq!(refused(users::join_unit(control, operator, ada, emea).await), "nothing_to_do");
    assert_eq!(refused(units::archive(control, operator, emea).await), "unit_not_empty");
    users::leave_unit(control, operator, ada, emea).await.unwrap();
    not_there(users::leave_unit(control, operator, ada, emea).await);
    world.grant("notes", model::access::Grantee::Unit(emea)).await;
    units::archive(control, operator, emea).await.unwrap();
    not_there(units::archive(control, operator, emea).await);
    units::archive(control, operator, sales).await.unwrap();
    // What the unit had been given is gone with it, and its name is free.
    assert!(control::grants::list(control, operator).await.unwrap().is_empty());
    unit(&world, None, "Sales").await;
}

#[tokio::test]
async fn the_tree_has_a_bottom() {
    let world = TestWorld::new().await;
    let mut parent = None;
    for depth in 0..32 {
        parent = Some(unit(&world, parent, &format!("level {depth}")).await);
    }
    let new = NewUnit { parent, kind: UnitKind::Team, name: "too deep".to_owned() };
    assert_eq!(refused(units::create(&world.control, &world.operator, new).await), "too_deep");
    let facts = control::directory::facts(&world.control, world.tenant.tenant).await.unwrap();
    policy::Directory::build(facts, world.control.ambient().now()).unwrap();
}

#[tokio::test]
async fn only_owners_make_owners_and_one_always_stays() {
    let world = TestWorld::new().await;
    let control = &world.control;
    let admin = with_role(&world, "Adam", Role::Admin).await;
    let owner = signed_in(&world, world.tenant.owner).await;
    let ada = user(&world, "Ada", None).await;
    let password = "another long password".to_owned().into();

    // An admin manages people, and can neither become an owner nor touch one.
    users::give_role(control, &admin, ada, Role::Auditor, None).await.unwrap();
    assert_eq!(refused(users::give_role(control, &admin, ada, Role::Auditor, None).await), "already_held");
    not_there(users::give_role(control, &admin, admin.user_id().unwrap(), Role::Owner, None).await);
    let new = NewUser {
        email: "eve@acme.example".to_owned(),
        name: "Eve".to_owned(),
        home_unit: world.tenant.unit,
        password: None,
        role: Some(Role::Owner),
    };
    not_there(users::create(control, &admin, new).await);
    not_there(users::suspend(control, &admin, world.tenant.owner).await);
    not_there(users::set_password(control, &admin, world.tenant.owner, &password).await);
    not_there(users::take_role(control, &admin, world.tenant.owner, Role::Owner, None).await);

    // The only owner cannot go.
    assert_eq!(
        refused(users::take_role(control, &owner, world.tenant.owner, Role::Owner, None).await),
        "last_owner"
    );
    assert_eq!(refused(users::suspend(control, &owner, world.tenant.owner).await), "last_owner");
    assert_eq!(
        refused(users::give_role(control, &owner, ada, Role::Owner, Some(world.tenant.unit)).await),
        "owner_of_a_unit"
    );
    users::give_role(control, &owner, ada, Role::Owner, None).await.unwrap();
    users::suspend(control, &owner, ada).await.unwrap();
    // A suspended owner does not count.
    assert_eq!(refused(users::suspend(control, &owner, world.tenant.owner).await), "last_owner");
    users::resume(control, &owner, ada).await.unwrap();
    users::take_role(control, &owner, world.tenant.owner, Role::Owner, None).await.unwrap();
    not_there(users::take_role(control, &world.operator, world.tenant.owner, Role::Owner, None).await);
    assert!(signed_in(&world, world.tenant.owner).await.roles().is_empty(), "gone with the next request");
}

#[tokio::test]
async fn people_are_found_by_address_and_listed_with_what_they_hold() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let ada = user(&world, "Ada", Some(Role::Approver)).await;
    let sales = unit(&world, None, "Sales").await;
    users::join_unit(control, operator, ada, sales).await.unwrap();
    users::give_role(control, operator, ada, Role::Auditor, Some(sales)).await.unwrap();
    assert_eq!(users::find(control, operator, " ADA@acme.example").await.unwrap().id, ada);
    not_there(users::find(control, operator, "nobody@acme.example").await);
    let lines = users::list(control, operator).await.unwrap();
    let line = lines.iter().find(|line| line.view.id == ada).unwrap();
    assert_eq!(line.units, [sales]);
    let held: Vec<_> = line.roles.iter().map(|held| (held.role, held.unit)).collect();
    assert!(
        held.contains(&(Role::Approver, None)) && held.contains(&(Role::Auditor, Some(sales))),
        "{held:?}"
    );
    assert!(!line.has_password);
    assert!(lines.iter().any(|line| line.view.id == world.tenant.owner && line.has_password));
    let same = NewUser {
        email: "ADA@acme.example".to_owned(),
        name: "Ada Two".to_owned(),
        home_unit: sales,
        password: None,
        role: None,
    };
    assert_eq!(refused(users::create(control, operator, same).await), "email_taken");
    users::move_to(control, operator, ada, sales).await.unwrap();
    assert_eq!(users::find(control, operator, "ada@acme.example").await.unwrap().home_unit, sales);
}

#[tokio::test]
async fn agents_have_one_name_each_and_stop_when_told() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let (inbox, _) = world.agent("Inbox helper").await;
    let new =
        NewAgent { name: "inbox HELPER".to_owned(), owner: world.tenant.owner, home_unit: world.tenant.unit };
    assert_eq!(refused(agents::create(control, operator, new).await), "name_taken");
    assert_eq!(agents::find(control, operator, "inbox helper").await.unwrap().id, inbox);
    agents::suspend(control, operator, inbox).await.unwrap();
    let twice = agents::suspend(control, operator, inbox).await.unwrap_err();
    assert_eq!(twice.to_string(), "agent “Inbox helper” is suspended already");
    assert_eq!(agents::find(control, operator, "Inbox helper").await.unwrap().standing, Standing::Suspended);
    agents::resume(control, operator, inbox).await.unwrap();
    assert_eq!(
        agents::find(control, operator, "Outbox").await.unwrap_err().to_string(),
        "there is no agent “Outbox” here"
    );
    // Its owner sees it, another member does not.
    let owner = signed_in(&world, world.tenant.owner).await;
    let member = with_role(&world, "Mia", Role::Member).await;
    assert_eq!(agents::list(control, &owner).await.unwrap().len(), 1);
    assert!(agents::list(control, &member).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_changes_rights_moves_the_epoch_and_is_on_record_and_what_fails_does_neither() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let (before, events) = (epoch(&world).await, audit(&world).await.len());
    let ada = user(&world, "Ada", Some(Role::Member)).await;
    assert_eq!(epoch(&world).await, before + 1);
    users::suspend(control, operator, ada).await.unwrap();
    assert_eq!(epoch(&world).await, before + 2);
    // Refused, so nothing happened.
    refused(users::suspend(control, operator, ada).await);
    assert_eq!(epoch(&world).await, before + 2);
    users::set_password(control, operator, ada, &"a long enough password".to_owned().into()).await.unwrap();
    assert_eq!(epoch(&world).await, before + 2, "a password authorizes no call");
    assert_eq!(
        audit(&world).await[events..],
        [
            "operator test user.create: Ada",
            "operator test role.give: Ada",
            "operator test user.suspend: Ada",
            "operator test user.set_password: Ada",
        ]
    );
}

#[tokio::test]
async fn ids_of_another_organization_are_not_there() {
    let world = TestWorld::new().await;
    let (other, operator) = world.another_tenant("other").await;
    let (control, mine) = (&world.control, &world.operator);
    let (agent, _) = world.agent("Mine").await;
    not_there(units::rename(control, mine, other.unit, "Theirs").await);
    not_there(users::suspend(control, mine, other.owner).await);
    not_there(users::move_to(control, mine, world.tenant.owner, other.unit).await);
    not_there(agents::suspend(control, &operator, agent).await);
    let new = NewAgent { name: "Spy".to_owned(), owner: other.owner, home_unit: world.tenant.unit };
    not_there(agents::create(control, mine, new).await);
    assert!(agents::list(control, &operator).await.unwrap().is_empty());
    // A session of one organization is nobody in another.
    assert!(control::sign_in::actor(control, other.tenant, world.tenant.owner).await.unwrap().is_none());
}

//! People and agents as they are searched, filtered and paged.

use crate::outside::{not_there, signed_in, user, with_role};
use control::people::{self, Presence, Sought, SoughtAgents};
use control::units::{self, NewUnit};
use control::{Actor, agents, users};
use model::UnitId;
use model::people::{Role, Standing, UnitKind};
use testkit::TestWorld;

async fn names(world: &TestWorld, actor: &Actor, sought: Sought) -> Vec<String> {
    let listed = people::people(&world.control, actor, &sought).await.unwrap();
    listed.rows.into_iter().map(|row| row.name).collect()
}

async fn unit(world: &TestWorld, parent: Option<UnitId>, name: &str) -> UnitId {
    let new = NewUnit { parent, kind: UnitKind::Team, name: name.to_owned() };
    units::create(&world.control, &world.operator, new).await.unwrap()
}

#[tokio::test]
async fn people_are_found_by_name_address_unit_role_and_standing() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let sales = unit(&world, None, "Sales").await;
    let emea = unit(&world, Some(sales), "EMEA").await;
    let ada = user(&world, "Ada", Some(Role::Finance)).await;
    users::move_to(control, operator, ada, emea).await.unwrap();
    let bob = user(&world, "Bob", None).await;
    users::join_unit(control, operator, bob, emea).await.unwrap();
    users::give_role(control, operator, bob, Role::Approver, Some(sales)).await.unwrap();
    let cyd = user(&world, "Cyd", None).await;
    users::suspend(control, operator, cyd).await.unwrap();
    let dan = user(&world, "Dan", Some(Role::Finance)).await;
    users::remove(control, operator, dan, users::Agents::Stop).await.unwrap();

    let all = Sought::default;
    assert_eq!(names(&world, operator, all()).await, ["Ada", "Bob", "Cyd", "Olga Owner"]);
    let text = |text: &str| Sought { text: Some(text.to_owned()), ..all() };
    assert_eq!(names(&world, operator, text(" aDa ")).await, ["Ada"]);
    assert_eq!(names(&world, operator, text("OWNER@acme")).await, ["Olga Owner"]);
    assert_eq!(names(&world, operator, text("%")).await, Vec::<String>::new(), "no pattern");
    assert_eq!(names(&world, operator, text("  ")).await.len(), 4);
    for (place, expected) in [
        (sales, ["Ada", "Bob"].as_slice()),
        (emea, &["Ada", "Bob"]),
        (world.tenant.unit, &["Bob", "Cyd", "Olga Owner"]),
    ] {
        assert_eq!(names(&world, operator, Sought { unit: Some(place), ..all() }).await, expected);
    }
    let role = |role| Sought { role: Some(role), ..all() };
    assert_eq!(names(&world, operator, role(Role::Finance)).await, ["Ada"]);
    assert_eq!(names(&world, operator, role(Role::Approver)).await, ["Bob"]);
    let presence = |presence| Sought { presence: Some(presence), ..all() };
    assert_eq!(names(&world, operator, presence(Presence::Suspended)).await, ["Cyd"]);
    assert_eq!(names(&world, operator, presence(Presence::Removed)).await, ["Dan"]);
    assert_eq!(names(&world, operator, presence(Presence::Active)).await, ["Ada", "Bob", "Olga Owner"]);

    let listed = people::people(control, operator, &text("Bob")).await.unwrap();
    let line = &listed.rows[0];
    assert_eq!(
        (line.home.1.as_str(), line.email.as_str(), listed.total),
        ("Operations", "bob@acme.example", 1)
    );
    assert_eq!(line.roles[0].unit.as_ref().unwrap().1, "Sales");
}

#[tokio::test]
async fn pages_hold_together_and_know_their_number() {
    let world = TestWorld::new().await;
    let mut owner = world.database.owner().await;
    // Faster than one by one; the names are not in the order of their making.
    sqlx::query(
        "INSERT INTO users (tenant_id, id, email, name, home_unit_id, created_at)
         SELECT $1, gen_random_uuid(), format('p%s@acme.example', n), format('Person %s', lpad((n * 37 % 120)::text, 3, '0')), $2, now()
         FROM generate_series(0, 119) n",
    )
    .bind(world.tenant.tenant.uuid())
    .bind(world.tenant.unit.uuid())
    .execute(&mut owner)
    .await
    .unwrap();
    let mut seen = Vec::new();
    for page in 0..4 {
        let sought = Sought { text: Some("person".to_owned()), page, ..Sought::default() };
        let listed = people::people(&world.control, &world.operator, &sought).await.unwrap();
        assert_eq!(
            listed.total,
            if page < 3 { 120 } else { 0 },
            "a page that is not there has no rows to count"
        );
        seen.extend(listed.rows.into_iter().map(|row| row.name));
    }
    let expected: Vec<_> = (0..120).map(|n| format!("Person {n:03}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn agents_are_found_by_name_owner_unit_and_standing() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let sales = unit(&world, None, "Sales").await;
    let ada = user(&world, "Ada", None).await;
    let new = agents::NewAgent { name: "Adas helper".to_owned(), owner: ada, home_unit: sales };
    let adas = agents::create(control, operator, new).await.unwrap();
    let (stopped, _) = world.agent("Stopped").await;
    world.key(stopped).await;
    agents::suspend(control, operator, stopped).await.unwrap();
    let find = async |sought: SoughtAgents| {
        let listed = people::agents(control, operator, &sought).await.unwrap();
        listed.rows.into_iter().map(|row| row.name).collect::<Vec<_>>()
    };
    assert_eq!(find(SoughtAgents::default()).await, ["Adas helper", "Stopped"]);
    assert_eq!(find(SoughtAgents { unit: Some(sales), ..SoughtAgents::default() }).await, ["Adas helper"]);
    assert_eq!(
        find(SoughtAgents { text: Some("OLGA".into()), ..SoughtAgents::default() }).await,
        ["Stopped"]
    );
    assert_eq!(find(SoughtAgents { owner: Some(ada), ..SoughtAgents::default() }).await, ["Adas helper"]);
    let sought = SoughtAgents { standing: Some(Standing::Suspended), ..SoughtAgents::default() };
    let listed = people::agents(control, operator, &sought).await.unwrap();
    assert_eq!((listed.total, listed.rows[0].keys, listed.rows[0].owner.1.as_str()), (1, 2, "Olga Owner"));
    users::suspend(control, operator, ada).await.unwrap();
    let listed = people::agents(control, operator, &SoughtAgents::default()).await.unwrap();
    assert_eq!((listed.rows[0].id, listed.rows[0].owner_presence), (adas, Presence::Suspended));
}

#[tokio::test]
async fn who_may_not_see_people_sees_themselves_and_their_own_agents() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    world.agent("Somebody elses").await;
    let mia = with_role(&world, "Mia", Role::Member).await;
    let own = mia.user_id().unwrap();
    let new = agents::NewAgent { name: "Mine".to_owned(), owner: own, home_unit: world.tenant.unit };
    agents::create(control, operator, new).await.unwrap();
    assert_eq!(names(&world, &mia, Sought::default()).await, ["Mia"]);
    assert_eq!(names(&world, &mia, Sought { text: Some("olga".into()), ..Sought::default() }).await.len(), 0);
    let listed = people::agents(control, &mia, &SoughtAgents::default()).await.unwrap();
    assert_eq!(listed.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["Mine"]);
    let others = SoughtAgents { owner: Some(world.tenant.owner), ..SoughtAgents::default() };
    assert_eq!(people::agents(control, &mia, &others).await.unwrap().total, 0);
    assert!(!people::person(control, &mia, own).await.unwrap().may_change);
    not_there(people::person(control, &mia, world.tenant.owner).await);

    // An admin sees and changes people, but no owner; a person of another organization is not there.
    let admin = with_role(&world, "Adam", Role::Admin).await;
    assert!(people::person(control, &admin, own).await.unwrap().may_change);
    assert!(!people::person(control, &admin, world.tenant.owner).await.unwrap().may_change);
    let owner = signed_in(&world, world.tenant.owner).await;
    assert!(people::person(control, &owner, world.tenant.owner).await.unwrap().may_change);
    let (other, _) = world.another_tenant("other").await;
    not_there(people::person(control, &owner, other.owner).await);
    let elsewhere = Sought { unit: Some(other.unit), ..Sought::default() };
    assert_eq!(names(&world, &owner, elsewhere).await.len(), 0);
}

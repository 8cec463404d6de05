//! Finding: by the beginnings of words, only what one may see, the best first, in a large organization as quickly as
//! in a small one.

use crate::outside::{signed_in, user, with_role};
use control::find::{Found, find};
use control::units::{self, NewUnit};
use control::users;
use model::people::{Role, UnitKind};
use testkit::TestWorld;

fn people(found: &Found) -> Vec<&str> {
    found.people.hits.iter().map(|hit| hit.name.as_str()).collect()
}

#[tokio::test]
async fn the_beginning_of_each_word_finds_whatever_its_case() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    for name in ["Ada Lovelace", "Émile Zola", "Ben Adams", "Zoë Kravitz"] {
        let new = control::users::NewUser {
            email: format!("{}@acme.example", name.len() + name.as_bytes()[0] as usize),
            name: name.to_owned(),
            home_unit: world.tenant.unit,
            password: None,
            role: None,
        };
        control::users::create(control, operator, new).await.unwrap();
    }
    world.agent("Inbox helper").await;
    let new = NewUnit { parent: None, kind: UnitKind::Team, name: "Field sales".to_owned() };
    units::create(control, operator, new).await.unwrap();

    let ask = async |text: &str| find(control, operator, text, 10).await.unwrap();
    // Who is called so comes before who has it further back.
    assert_eq!(people(&ask("ada").await), ["Ada Lovelace", "Ben Adams"]);
    assert_eq!(people(&ask("LOVE a").await), ["Ada Lovelace"]);
    assert_eq!(people(&ask("émi").await), ["Émile Zola"]);
    assert_eq!(people(&ask("ÉMILE").await), ["Émile Zola"]);
    assert_eq!(people(&ask("zo").await), ["Zoë Kravitz", "Émile Zola"]);
    assert_eq!(people(&ask("owner@acme.ex").await), ["Olga Owner"]);
    assert!(ask("vela").await.is_empty(), "the middle of a word is not its beginning");
    assert_eq!(ask("helper in").await.agents.hits[0].name, "Inbox helper");
    assert_eq!(ask("sales").await.units.hits[0].name, "Field sales");
    let tools = ask("notes.read").await.tools;
    assert_eq!((tools.hits.len(), tools.hits[0].name.as_str()), (1, "read_note"));
    assert_eq!(ask("note").await.modules.hits[0].name, "notes");
    assert_eq!(ask("note").await.tools.hits.len(), 2);

    // Whatever is typed is text.
    for odd in
        ["", "  ", "%", "_", "'; DROP TABLE users; --", "a\0da", "\u{202E}", "((((", &"x".repeat(10_000)]
    {
        ask(odd).await;
    }
    assert_eq!(people(&ask("a\0da").await), ["Ada Lovelace", "Ben Adams"]);
    assert!(ask("%").await.is_empty() && ask("o_ga").await.people.hits.is_empty());
}

#[tokio::test]
async fn what_is_renamed_is_found_by_its_new_name_alone() {
    let world = TestWorld::new().await;
    let new = NewUnit { parent: None, kind: UnitKind::Department, name: "Logistics".to_owned() };
    let unit = units::create(&world.control, &world.operator, new).await.unwrap();
    units::rename(&world.control, &world.operator, unit, "Warehouse").await.unwrap();
    let ask =
        async |text: &str| find(&world.control, &world.operator, text, 10).await.unwrap().units.hits.len();
    assert_eq!((ask("logi").await, ask("ware").await), (0, 1));
    units::archive(&world.control, &world.operator, unit).await.unwrap();
    assert_eq!(ask("ware").await, 0, "what is archived is not gone to");
}

#[tokio::test]
async fn who_was_removed_is_not_found() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    let ada = user(&world, "Ada", None).await;
    let ask = async |text: &str| find(control, operator, text, 10).await.unwrap();
    assert_eq!(people(&ask("ada").await), ["Ada"]);
    users::remove(control, operator, ada, users::Agents::Stop).await.unwrap();
    assert!(ask("ada").await.is_empty() && ask("ada@acme.example").await.is_empty());
}

#[tokio::test]
async fn one_finds_what_one_may_see() {
    let world = TestWorld::new().await;
    let ada = user(&world, "Ada", Some(Role::Member)).await;
    let control = &world.control;
    for (name, owner) in [("Ada’s helper", ada), ("Olga’s helper", world.tenant.owner)] {
        let new = control::agents::NewAgent { name: name.to_owned(), owner, home_unit: world.tenant.unit };
        control::agents::create(control, &world.operator, new).await.unwrap();
    }
    let member = signed_in(&world, ada).await;
    let found = find(control, &member, "o", 10).await.unwrap();
    assert!(found.people.hits.is_empty() && found.units.hits.is_empty());
    let agents = |found: &Found| found.agents.hits.iter().map(|hit| hit.name.clone()).collect::<Vec<_>>();
    assert_eq!(agents(&find(control, &member, "helper", 10).await.unwrap()), ["Ada’s helper"]);
    assert_eq!(find(control, &member, "notes", 10).await.unwrap().tools.hits.len(), 2);
    let finance = with_role(&world, "Fin", Role::Finance).await;
    let found = find(control, &finance, "o", 10).await.unwrap();
    assert_eq!((people(&found), found.units.hits.len()), (vec!["Olga Owner"], 1));
    assert_eq!(agents(&find(control, &finance, "helper", 10).await.unwrap()).len(), 2);

    // Another organization has another Olga, and an agent finds nothing at all.
    let (_, theirs) = world.another_tenant("other").await;
    let found = find(control, &theirs, "ol", 10).await.unwrap();
    assert_eq!(people(&found), ["Olga Owner"]);
    assert!(found.agents.hits.is_empty() && found.tools.hits.is_empty());
}

#[tokio::test]
async fn there_are_more_than_are_shown() {
    let world = TestWorld::new().await;
    for n in 0..7 {
        user(&world, &format!("Ann{n}"), None).await;
    }
    let found = find(&world.control, &world.operator, "ann", 5).await.unwrap().people;
    assert_eq!((found.hits.len(), found.more), (5, true));
    let found = find(&world.control, &world.operator, "ann", 7).await.unwrap().people;
    assert_eq!((found.hits.len(), found.more), (7, false));
}

#[tokio::test]
async fn a_search_reads_a_range_of_an_index_behind_row_security() {
    let world = TestWorld::new().await;
    let mut owner = world.database.owner().await;
    sqlx::query(
        "INSERT INTO find_words SELECT $1, 'user', 'w' || n, gen_random_uuid() FROM generate_series(1, 20000) AS n",
    )
    .bind(world.tenant.tenant.uuid())
    .execute(&mut owner)
    .await
    .unwrap();
    sqlx::query("ANALYZE find_words").execute(&mut owner).await.unwrap();
    sqlx::query("SET ROLE workingagents_app").execute(&mut owner).await.unwrap();
    sqlx::query("SELECT set_config('app.tenant_id', $1, false)")
        .bind(world.tenant.tenant.uuid().to_string())
        .execute(&mut owner)
        .await
        .unwrap();
    let plan: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "EXPLAIN SELECT subject FROM find_words w WHERE w.tenant_id = '{}' AND w.kind = 'user'
         AND w.word >= 'w12' AND w.word < 'w12' || U&'\\+10FFFF'",
        world.tenant.tenant.uuid()
    )))
    .fetch_all(&mut owner)
    .await
    .unwrap();
    let plan = plan.join("\n");
    let condition = plan.lines().find(|line| line.contains("Index Cond")).unwrap_or_else(|| panic!("{plan}"));
    assert!(condition.contains("word >="), "the words are a condition of the index, not a filter: {plan}");
}

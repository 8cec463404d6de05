//! Bundles: made, filled without two things of one name, renamed, taken apart; and what the directory makes of them.

use crate::outside::{audit, epoch, invalid, not_there, refused, with_role};
use control::bundles::{self, NewBundle};
use control::modules::{self, NewModule};
use model::ToolId;
use model::access::Grantee;
use model::catalog::{Feature, Naming};
use model::people::Role;
use testkit::TestWorld;

fn desk(naming: Naming) -> NewBundle {
    NewBundle { name: "desk".to_owned(), title: "Travel desk".to_owned(), naming }
}

/// A module whose server offers `search` and a prompt; all approved.
async fn module(world: &TestWorld, name: &str) {
    let new = NewModule {
        name: name.to_owned(),
        title: name.to_uppercase(),
        url: format!("https://{name}.example/mcp"),
        owner: None,
        authorization: None,
    };
    let offered = [
        r#"{"name":"search","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}"#,
        r#"{"name":"sum_up","arguments":[]}"#,
        r#"{"name":"a","uri":"file:///a"}"#,
    ];
    let offered = offered.map(str::to_owned).to_vec();
    let added = modules::add_mcp(&world.control, &world.operator, new, offered).await.unwrap();
    modules::approve_all(&world.control, &world.operator, added.module).await.unwrap();
}

async fn tool(world: &TestWorld, full_name: &str) -> ToolId {
    modules::find_tool(&world.control, &world.operator, full_name).await.unwrap().id
}

/// What is in the bundle, as agents see it.
async fn shown(world: &TestWorld) -> Vec<String> {
    let page = bundles::page(&world.control, &world.operator, "desk").await.unwrap();
    page.tools.iter().map(|tool| tool.shown().unwrap().1.to_owned()).collect()
}

#[tokio::test]
async fn two_things_of_one_name_cannot_be() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    module(&world, "drive").await;
    module(&world, "wiki").await;
    bundles::create(control, operator, desk(Naming::Plain)).await.unwrap();
    assert_eq!(refused(bundles::create(control, operator, desk(Naming::Full)).await), "name_taken");
    let (drive, wiki) = (tool(&world, "drive.search").await, tool(&world, "wiki.search").await);
    let prompt = tool(&world, "drive.prompt:sum_up").await;
    assert_eq!(bundles::add(control, operator, "desk", &[drive, wiki, drive, prompt]).await.unwrap(), 3);
    assert_eq!(bundles::add(control, operator, "desk", &[wiki]).await.unwrap(), 0);
    assert_eq!(shown(&world).await, ["search", "wiki.search", "sum_up"]);
    assert_eq!(refused(bundles::rename(control, operator, "desk", wiki, "search").await), "name_taken");
    assert_eq!(
        refused(bundles::rename(control, operator, "desk", wiki, "wiki.search").await),
        "nothing_to_do"
    );
    for bad in ["", "a b", "prompt:x", "é", &"x".repeat(129)] {
        assert_eq!(invalid(bundles::rename(control, operator, "desk", wiki, bad).await), "here", "{bad}");
    }
    // A prompt is something else than a tool: both can be called alike.
    bundles::rename(control, operator, "desk", prompt, "search").await.unwrap();
    bundles::rename(control, operator, "desk", wiki, "find_page").await.unwrap();
    assert_eq!(shown(&world).await, ["find_page", "search", "search"]);
    assert_eq!(bundles::remove(control, operator, "desk", &[drive, prompt]).await.unwrap(), 2);
    assert_eq!(bundles::remove(control, operator, "desk", &[drive]).await.unwrap(), 0);
    not_there(bundles::rename(control, operator, "desk", drive, "gone").await);
    bundles::describe(control, operator, "desk", "Desk", Naming::Full).await.unwrap();
    bundles::add(control, operator, "desk", &[drive]).await.unwrap();
    assert_eq!(shown(&world).await, ["drive.search", "find_page"]);
    let said: Vec<String> = audit(&world).await.into_iter().filter(|said| said.contains("bundle.")).collect();
    let acts: Vec<&str> = said.iter().map(|said| said.split("bundle.").nth(1).unwrap()).collect();
    assert_eq!(
        acts,
        [
            "create: Travel desk",
            "add_tools: Travel desk",
            "rename_tool: Travel desk",
            "rename_tool: Travel desk",
            "remove_tools: Travel desk",
            "describe: Desk",
            "add_tools: Desk",
        ]
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_bundle_is_said() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    for name in ["", "Desk", "new", "a/b", "..", &"x".repeat(41)] {
        let new = NewBundle { name: name.to_owned(), ..desk(Naming::Full) };
        assert_eq!(invalid(bundles::create(control, operator, new).await), "name", "{name}");
    }
    let new = NewBundle { title: " ".to_owned(), ..desk(Naming::Full) };
    assert_eq!(invalid(bundles::create(control, operator, new).await), "title");
    bundles::create(control, operator, desk(Naming::Full)).await.unwrap();
    let unknown = ToolId::from(uuid::Uuid::from_u128(7));
    not_there(bundles::add(control, operator, "desk", &[unknown]).await);
    not_there(bundles::page(control, operator, "other").await);
    module(&world, "drive").await;
    let resource = tool(&world, "drive.resource:file:///a").await;
    bundles::add(control, operator, "desk", &[resource]).await.unwrap();
    assert_eq!(shown(&world).await, ["drive+file:///a"]);
    assert_eq!(refused(bundles::rename(control, operator, "desk", resource, "a").await), "address");
    let member = with_role(&world, "Mia", Role::Member).await;
    assert_eq!(bundles::list(control, &member).await.unwrap()[0].tools, 1);
    not_there(bundles::delete(control, &member, "desk").await);
}

#[tokio::test]
async fn the_directory_knows_a_change_of_a_bundle_by_its_epoch() {
    let world = TestWorld::new().await;
    let (control, operator) = (&world.control, &world.operator);
    module(&world, "drive").await;
    let (agent, key) = world.agent("Helper").await;
    world.grant("drive", Grantee::Agent(agent)).await;
    let directories = world.directories(control);
    let seen = async |name: &str| {
        let had = directories.current(world.tenant.mcp_id).await.unwrap().unwrap();
        let directory = directories.newer(world.tenant.mcp_id, had.epoch()).await.unwrap().unwrap();
        let principal =
            directory.authenticate(&TestWorld::hash(&key), None, control.ambient().now()).unwrap();
        directory.resolve_in("desk", &principal, Feature::Tool, name).is_ok()
    };
    let before = epoch(&world).await;
    bundles::create(control, operator, desk(Naming::Plain)).await.unwrap();
    let search = tool(&world, "drive.search").await;
    bundles::add(control, operator, "desk", &[search]).await.unwrap();
    assert!(epoch(&world).await > before);
    assert!(seen("search").await && !seen("drive.search").await);
    bundles::rename(control, operator, "desk", search, "look").await.unwrap();
    assert!(seen("look").await && !seen("search").await);
    bundles::delete(control, operator, "desk").await.unwrap();
    assert!(!seen("look").await);
    bundles::create(control, operator, desk(Naming::Plain)).await.unwrap();
    assert!(!seen("look").await, "what was in the one before is not in its namesake");
}

//! Endpoints that show a choice of the catalog under names of their own.

use gateway::Settings;
use http::StatusCode;
use model::ToolId;
use policy::{BundleFact, BundledFact};
use serde_json::{Value, json};

use crate::features;
use crate::upstream::{Behaviour, Upstream};
use crate::world::{World, id, settings};

/// The organization of [`features::world`], asked at its bundle `desk`: one of its tools, its prompt, its resource and its
/// template by names of their own.
async fn world() -> (World, Upstream) {
    let (mut world, upstream) = features::world().await;
    world.change(|facts| {
        let find = |name: &str| -> ToolId { facts.tools.iter().find(|tool| tool.name == name).unwrap().id };
        let tools = [
            ("echo", "say_it_again"),
            ("prompt:travel", "prompt:trip"),
            ("resource:test://notes", "resource:test://notes"),
            ("template:test://city/{name}", "template:test://city/{name}"),
            ("drifted", "frozen"),
        ];
        let tools = tools.map(|(theirs, ours)| BundledFact { tool: find(theirs), name: ours.to_owned() });
        let (name, title) = ("desk".to_owned(), "Travel desk".to_owned());
        facts.bundles.push(BundleFact { id: id(990), name, title, tools: tools.into() });
    });
    world.url.push_str("/desk");
    (world, upstream)
}

fn names(list: &Value, member: &str, name: &str) -> Vec<String> {
    list[member].as_array().unwrap().iter().map(|one| one[name].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_bundle_lists_what_is_chosen_under_its_own_names() {
    let (world, _upstream) = world().await;
    for (method, member, name, expected) in [
        ("tools/list", "tools", "name", "say_it_again"),
        ("prompts/list", "prompts", "name", "trip"),
        ("resources/list", "resources", "uri", "test://notes"),
        ("resources/templates/list", "resourceTemplates", "uriTemplate", "test://city/{name}"),
    ] {
        assert_eq!(names(&world.ask(method, json!({})).await.result(), member, name), [expected], "{method}");
    }
    let opened = world.ask("initialize", json!({"protocolVersion": "2025-11-25"})).await.result();
    assert!(opened["instructions"].as_str().unwrap().starts_with("Tools of Travel desk (Acme),"), "{opened}");
}

#[tokio::test]
async fn what_is_asked_for_by_the_bundles_name_is_on_record_by_the_catalogs() {
    let (world, upstream) = world().await;
    for (method, params, theirs, recorded) in [
        (
            "tools/call",
            json!({"name": "say_it_again", "arguments": {"text": "a"}}),
            json!({"name": "echo", "arguments": {"text": "a"}}),
            "up.echo",
        ),
        (
            "prompts/get",
            json!({"name": "trip"}),
            json!({"name": "travel", "arguments": {}}),
            "up.prompt:travel",
        ),
        (
            "resources/read",
            json!({"uri": "test://notes"}),
            json!({"uri": "test://notes"}),
            "up.resource:test://notes",
        ),
        (
            "resources/read",
            json!({"uri": "test://city/Paris"}),
            json!({"uri": "test://city/Paris"}),
            "up.template:test://city/{name}",
        ),
    ] {
        let answered = world.ask(method, params).await;
        assert!(answered.result().is_object(), "{method}");
        assert_eq!(upstream.with_method(method).pop().unwrap()["params"], theirs, "{method}");
        assert_eq!(&*world.ledger.entries.lock().pop().unwrap().wanted.name, recorded, "{method}");
    }
}

#[tokio::test]
async fn what_is_not_in_the_bundle_is_not_there_and_what_is_gives_no_right() {
    let (world, _upstream) = world().await;
    let unknown = world.call("up.echo", json!({})).await;
    assert_eq!(unknown.rpc_error(), -32602);
    let sentence = unknown.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(sentence.contains("there is no tool `up.echo`"), "{sentence}");
    let near = world.call("say-it-agian", json!({})).await.json()["error"]["message"].to_string();
    assert!(near.contains("Did you mean `say_it_again`?"), "{near}");
    assert_eq!(world.call("frozen", json!({})).await.trouble(), "tool_drifted");
    // The other agent has no key for it, at whichever endpoint it asks.
    assert_eq!(world.call_with(2, "say_it_again").await.trouble(), "missing_key");
    world.change(|facts| facts.grants.clear());
    assert_eq!(world.call("say_it_again", json!({})).await.trouble(), "missing_key");
    assert!(names(&world.ask("tools/list", json!({})).await.result(), "tools", "name").is_empty());
}

#[tokio::test]
async fn a_bundle_that_is_not_there_is_no_endpoint() {
    let (mut world, _upstream) = world().await;
    world.url.push('x');
    let answered = world.call("say_it_again", json!({})).await;
    assert_eq!(answered.status, StatusCode::NOT_FOUND);
    assert_eq!(answered.json()["error"]["data"]["code"], "no_such_bundle");
    // Who presents no key learns nothing of bundles.
    let url = world.url.clone();
    let unknown = world.send(http::Method::POST, &url, &[("content-type", "application/json")], "{}").await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED);
    world.url.pop();
    world.call("say_it_again", json!({})).await.result();
    world.change(|facts| facts.bundles.clear());
    // The node's snapshot still has it, so the call is decided, and refused by the gate as decided on what is past.
    let answered = world.call("say_it_again", json!({})).await;
    assert_eq!(answered.status, StatusCode::NOT_FOUND, "{answered:?}");
}

#[tokio::test]
async fn a_cursor_of_one_endpoint_is_none_of_another() {
    let upstream = Upstream::behaving(Behaviour::default()).await;
    let mut world = World::with(&upstream.url, Settings { list_page: 1, ..settings() }).await;
    world.forget(|facts| {
        let tools = facts.tools.iter().take(2);
        let tools = tools.map(|tool| BundledFact { tool: tool.id, name: format!("own_{}", tool.name) });
        let (name, title) = ("desk".to_owned(), "Desk".to_owned());
        facts.bundles.push(BundleFact { id: id(990), name, title, tools: tools.collect() });
    });
    let everything = world.url.clone();
    world.url.push_str("/desk");
    let first = world.ask("tools/list", json!({})).await.result();
    let next = json!({"cursor": first["nextCursor"]});
    let second = world.ask("tools/list", next.clone()).await.result();
    let pages = [names(&first, "tools", "name"), names(&second, "tools", "name")];
    assert_eq!(pages, [["own_ask_back"], ["own_asks"]]);
    assert_eq!(second.get("nextCursor"), None);
    world.url = everything;
    assert_eq!(world.ask("tools/list", next).await.rpc_error(), -32602);
}

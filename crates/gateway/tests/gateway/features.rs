//! Prompts, resources and what completes their arguments: each that reaches its server is a call, decided, recorded and
//! settled.

use model::TenantId;
use model::call::{Outcome, Verdict};
use model::catalog::ToolStanding;
use policy::ToolFact;
use serde_json::{Value, json};

use crate::upstream::{Behaviour, Upstream, prompt, resource, template};
use crate::world::{World, id, price};

/// An organization whose module `up` has a prompt, a resource and a template.
pub async fn world() -> (World, Upstream) {
    let upstream = Upstream::behaving(Behaviour { features: true, ..Behaviour::default() }).await;
    let world = World::new(&upstream.url).await;
    let discovered = world.gateway.discover(id::<TenantId>(1), &upstream.url, None).await.unwrap();
    let found = discovered.tools.into_iter().filter(|tool| tool.name.contains(':')).collect::<Vec<_>>();
    let names: Vec<&str> = found.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["prompt:travel", "resource:test://notes", "template:test://city/{name}"]);
    world.change(|facts| {
        for (n, tool) in (0..).zip(found) {
            facts.tools.push(ToolFact {
                id: id(900 + n),
                module: id(40),
                name: tool.name,
                definition: tool.definition,
                definition_hash: [9; 32],
                key: "up:read".parse().unwrap(),
                standing: ToolStanding::Approved,
                price: price(),
                rate: None,
                timeouts: Default::default(),
            });
        }
    });
    // The node learns of it as of any change: by what does not hold any more.
    world.call("up.echo", json!({})).await.result();
    world.ledger.entries.lock().clear();
    world.ledger.settlements.lock().clear();
    upstream.seen.lock().messages.clear();
    (world, upstream)
}

#[tokio::test]
async fn lists_show_each_under_its_modules_name() {
    let (world, _) = world().await;
    for (method, member, mut expected, name) in [
        ("prompts/list", "prompts", prompt(), ("name", "up.travel")),
        ("resources/list", "resources", resource(), ("uri", "up+test://notes")),
        (
            "resources/templates/list",
            "resourceTemplates",
            template(),
            ("uriTemplate", "up+test://city/{name}"),
        ),
    ] {
        expected[name.0] = json!(name.1);
        assert_eq!(world.ask(method, json!({})).await.result(), json!({ member: [expected] }));
        let result = world.ask_stateless(method, json!({})).await.result();
        assert_eq!((&result["cacheScope"], &result["resultType"]), (&json!("private"), &json!("complete")));
    }
    let tools = world.ask("tools/list", json!({})).await.text;
    assert!(!tools.contains("travel") && !tools.contains("test://"));
}

#[tokio::test]
async fn what_is_asked_for_reaches_the_server_in_its_own_words_and_is_on_record() {
    let (world, upstream) = world().await;
    let ref_prompt = json!({"type": "ref/prompt", "name": "up.travel"});
    let ref_template = json!({"type": "ref/resource", "uri": "up+test://city/{name}"});
    let argument = json!({"name": "city", "value": "par"});
    for (method, params, theirs, recorded, free) in [
        (
            "prompts/get",
            json!({"name": "up.travel", "arguments": {"city": "Paris"}}),
            json!({"name": "travel", "arguments": {"city": "Paris"}}),
            "up.prompt:travel",
            false,
        ),
        (
            "resources/read",
            json!({"uri": "up+test://notes"}),
            json!({"uri": "test://notes"}),
            "up.resource:test://notes",
            false,
        ),
        (
            "resources/read",
            json!({"uri": "up+test://city/Paris"}),
            json!({"uri": "test://city/Paris"}),
            "up.template:test://city/{name}",
            false,
        ),
        (
            "completion/complete",
            json!({"ref": ref_prompt, "argument": argument}),
            json!({"ref": {"type": "ref/prompt", "name": "travel"}, "argument": argument}),
            "up.prompt:travel",
            true,
        ),
        (
            "completion/complete",
            json!({"ref": ref_template, "argument": argument, "context": {"arguments": {"a": "b"}}}),
            json!({"ref": {"type": "ref/resource", "uri": "test://city/{name}"}, "argument": argument,
                   "context": {"arguments": {"a": "b"}}}),
            "up.template:test://city/{name}",
            true,
        ),
    ] {
        let answered = world.ask(method, params.clone()).await;
        assert!(answered.result().is_object(), "{method}");
        let sent = upstream.with_method(method).pop().unwrap();
        assert_eq!(sent["params"], theirs, "{method}");
        let entry = world.ledger.entries.lock().pop().unwrap();
        assert_eq!((&*entry.wanted.name, entry.verdict), (recorded, Verdict::Permit), "{method}");
        assert_eq!(entry.wanted.price.amount.is_zero(), free, "{method}");
        let settlement = world.ledger.settlement();
        assert_eq!(settlement.outcome, Outcome::Succeeded, "{method}");
        assert_eq!(settlement.charge, entry.wanted.price, "{method}");
        world.ledger.settlements.lock().clear();
    }
}

#[tokio::test]
async fn what_is_not_there_is_an_error_of_the_protocol() {
    let (world, upstream) = world().await;
    for (method, params, code) in [
        ("prompts/get", json!({"name": "up.nothing"}), -32602),
        // What is a tool is no prompt, and the other way round.
        ("prompts/get", json!({"name": "up.echo"}), -32602),
        ("tools/call", json!({"name": "up.prompt:travel"}), -32602),
        ("tools/call", json!({"name": "up.travel"}), -32602),
        ("resources/read", json!({"uri": "up+test://nothing"}), -32002),
        ("resources/read", json!({"uri": "test://notes"}), -32002),
        ("resources/read", json!({"uri": "crm+test://notes"}), -32002),
        ("resources/read", json!({"uri": "up+test://city/{name}/more"}), -32002),
        ("resources/read", json!({"uri": 7}), -32602),
        ("resources/read", json!({"uri": "x".repeat(3000)}), -32602),
        ("completion/complete", json!({"ref": {"type": "ref/prompt", "name": "up.travel"}}), -32602),
        ("completion/complete", json!({"ref": {"type": "other"}, "argument": {}}), -32602),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "up.x"}, "argument": {}}),
            -32602,
        ),
    ] {
        let answered = world.ask(method, params.clone()).await;
        assert_eq!(answered.rpc_error(), code, "{method} {params}");
    }
    assert!(upstream.seen.lock().messages.is_empty(), "nothing was sent");
    // 2026-07-28 has one code for all of it, and names the URI.
    let missing = world.ask_stateless("resources/read", json!({"uri": "up+test://nothing"})).await;
    assert_eq!(
        (missing.rpc_error(), &missing.json()["error"]["data"]["uri"]),
        (-32602, &json!("up+test://nothing"))
    );
    // What the server does not find is told as its own error.
    let answered = world.ask("resources/read", json!({"uri": "up+test://city/missing"})).await;
    assert_eq!(answered.rpc_error(), -32002);
    let answered = world.ask_stateless("resources/read", json!({"uri": "up+test://city/missing"})).await;
    assert_eq!(answered.rpc_error(), -32602);
}

#[tokio::test]
async fn who_lacks_the_key_is_told_which() {
    let (world, upstream) = world().await;
    world.change(|facts| facts.grants.clear());
    for (method, params) in [
        ("prompts/get", json!({"name": "up.travel"})),
        ("resources/read", json!({"uri": "up+test://notes"})),
        ("resources/read", json!({"uri": "up+test://city/Paris"})),
    ] {
        let answered = world.ask(method, params).await;
        let error = &answered.json()["error"];
        assert_eq!(
            (&error["code"], &error["data"]["code"], &error["data"]["missing_key"]),
            (&json!(-31001), &json!("missing_key"), &json!("up:read")),
            "{method}"
        );
    }
    for (method, member) in [("prompts/list", "prompts"), ("resources/list", "resources")] {
        assert_eq!(world.ask(method, json!({})).await.result()[member], json!([]));
    }
    assert!(upstream.seen.lock().messages.is_empty());
}

#[tokio::test]
async fn a_resource_that_was_read_is_not_kept_by_anybody() {
    let (world, _) = world().await;
    let result = world.ask_stateless("resources/read", json!({"uri": "up+test://notes"})).await.result();
    assert_eq!(
        (&result["resultType"], &result["ttlMs"], &result["cacheScope"]),
        (&json!("complete"), &json!(0), &json!("private"))
    );
    let prompt = world.ask_stateless("prompts/get", json!({"name": "up.travel"})).await.result();
    assert_eq!(prompt.get("ttlMs"), None::<&Value>);
}

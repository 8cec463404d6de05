//! Servers that ask for input before they answer, in as many rounds as they need: each is a call of its own, and what lies
//! between them is in the client's hands, sealed.

use model::call::{Outcome, Verdict};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::modern_upstream::add_features;
use crate::stateless::{Quirks, Stateless};
use crate::upstream::Upstream;
use crate::world::{AGENT, Answered, World, id, price};

fn able() -> Value {
    json!({"elicitation": {"form": {}, "url": {}}, "sampling": {"tools": {}, "context": {}}, "roots": {"listChanged": true},
        "extensions": {"io.modelcontextprotocol/tasks": {}}})
}

pub fn question() -> Value {
    json!({"method": "elicitation/create", "params": {"mode": "form", "message": "Who?",
        "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}})
}

fn answers() -> Value {
    json!({"user": {"action": "accept", "content": {"name": "Ada"}}})
}

/// Asks for a name, once, with a state.
fn one_round() -> Vec<Value> {
    vec![json!({"inputRequests": {"user": question()}, "requestState": "count"})]
}

async fn world(rounds: Vec<Value>) -> (World, Stateless) {
    let upstream = Stateless::with(Quirks { rounds, ..Quirks::default() }).await;
    (World::new(&upstream.url).await, upstream)
}

impl World {
    async fn ask_for_input(&self, more: Value) -> Answered {
        self.ask_as(1, more).await
    }

    async fn ask_as(&self, n: u8, more: Value) -> Answered {
        let mut params = json!({"name": "up.input_required", "arguments": {"a": 1}});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.ask_able(n, able(), "tools/call", params).await
    }

    /// The state that a first round gives.
    async fn first_round(&self) -> String {
        let result = self.ask_for_input(json!({})).await.result();
        assert_eq!(result["resultType"], "input_required");
        result["requestState"].as_str().unwrap().to_owned()
    }
}

/// Turned away as a request that cannot be understood: nothing is on record as a call, and nothing was sent.
fn assert_turned_away(world: &World, answered: &Answered, code: &'static str) {
    assert_eq!(answered.rpc_error(), -32602, "{answered:?}");
    assert_eq!(answered.json()["error"]["data"]["code"], code);
    assert_eq!(world.ledger.rejected().pop(), Some((code, 200)));
}

#[tokio::test]
async fn a_question_passes_to_the_client_and_its_answer_to_the_server_each_in_a_call_of_its_own() {
    let (world, upstream) = world(one_round()).await;
    let answered = world.ask_for_input(json!({})).await;
    assert_eq!(answered.status, 200);
    let asked = answered.result();
    assert_eq!(
        (&asked["resultType"], &asked["inputRequests"]["user"]),
        (&json!("input_required"), &question())
    );
    let state = asked["requestState"].as_str().unwrap();
    assert!(!answered.text.contains("round 1"), "the server's own state is not shown");
    assert_eq!(answered.text.matches("requestState").count(), 1);

    let answered = world.ask_for_input(json!({"inputResponses": answers(), "requestState": state})).await;
    let result = answered.result();
    assert_eq!((&result["resultType"], &result["structuredContent"]), (&json!("complete"), &answers()));

    // The server: what we can carry was declared to it, and its state came back.
    let calls = upstream.with_method("tools/call");
    for call in &calls {
        let declared = &call["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
        assert_eq!(
            *declared,
            json!({"elicitation": {"form": {}, "url": {}}, "sampling": {"tools": {}}, "roots": {}})
        );
        assert_eq!(call["params"]["arguments"], json!({"a": 1}));
    }
    assert_eq!(calls[0]["params"].get("requestState"), None);
    assert_eq!(calls[1]["params"]["requestState"], "round 1");
    assert_eq!(calls[1]["params"]["inputResponses"], answers());
    assert_ne!(calls[0]["id"], calls[1]["id"]);

    // The record: two calls, each decided, settled and charged; the second tells what it goes on from and what was answered.
    world.ledger.assert_balanced();
    let entries = world.ledger.entries.lock().clone();
    assert_eq!(entries.len(), 2);
    assert_eq!(&*entries[0].arguments, br#"{"a":1}"#);
    let recorded: Value = serde_json::from_slice(&entries[1].arguments).unwrap();
    assert_eq!(
        recorded,
        json!([{"a": 1}, {"round": 2, "first_call": entries[0].id, "inputResponses": answers()}])
    );
    for entry in &entries {
        assert_eq!(entry.verdict, Verdict::Permit);
        assert_eq!(entry.arguments_digest, <[u8; 32]>::from(Sha256::digest(&entry.arguments)));
    }
    let settlements = world.ledger.settlements.lock().clone();
    for settled in &settlements {
        assert_eq!((settled.outcome, &settled.failure, settled.charge), (Outcome::Succeeded, &None, price()));
    }
    let kept: Value = serde_json::from_slice(settlements[0].result.as_ref().unwrap()).unwrap();
    assert_eq!((&kept["resultType"], &kept["requestState"]), (&json!("input_required"), &json!("round 1")));
    assert_eq!(
        settlements[0].result_digest,
        Some(Sha256::digest(settlements[0].result.as_ref().unwrap()).into())
    );
}

#[tokio::test]
async fn answers_go_on_byte_for_byte() {
    let (world, upstream) = world(one_round()).await;
    let state = world.first_round().await;
    let answers = r#"{ "user": {"action":"accept","content":{ "n":1.50, "é":"\u00e9" }} , "more":{}}"#;
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"up.input_required","arguments":{{"a":1}},"inputResponses":{answers},"requestState":"{state}","_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    );
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "up.input_required"),
    ];
    world.post(&headers, body).await.result();
    let sent = upstream.seen.lock().bodies.last().unwrap().clone();
    assert!(sent.contains(&format!(r#""inputResponses":{answers},"requestState":"round 1""#)), "{sent}");
    let entry = world.ledger.entries.lock().pop().unwrap();
    assert!(String::from_utf8(entry.arguments.to_vec()).unwrap().contains(answers));
}

#[tokio::test]
async fn rounds_follow_each_other_also_without_a_state_of_the_server() {
    let ask = |state: Value| {
        let mut asked = json!({"inputRequests": {"user": question(), "r": {"method": "roots/list"}}});
        if !state.is_null() {
            asked["requestState"] = state;
        }
        asked
    };
    let (world, upstream) = world(vec![ask(json!("count")), ask(json!("count")), ask(Value::Null)]).await;
    let mut given = json!({});
    let mut states = Vec::new();
    for _ in 0..3 {
        let result = world.ask_for_input(given).await.result();
        assert_eq!(result["resultType"], "input_required");
        states.push(result["requestState"].as_str().unwrap().to_owned());
        given = json!({"inputResponses": answers(), "requestState": states.last()});
    }
    let theirs = |n: usize| upstream.with_method("tools/call")[n]["params"].get("requestState").cloned();
    assert_eq!((theirs(1), theirs(2)), (Some(json!("round 1")), Some(json!("round 2"))));
    // The third had no state of its server's; ours still links it, and none goes on.
    assert_eq!(world.ask_for_input(given).await.result()["resultType"], "complete");
    assert_eq!(theirs(3), None);
    let entries = world.ledger.entries.lock().clone();
    for (n, entry) in entries.iter().enumerate().skip(1) {
        let recorded: Value = serde_json::from_slice(&entry.arguments).unwrap();
        assert_eq!(
            (&recorded[1]["round"], &recorded[1]["first_call"]),
            (&json!(n + 1), &json!(entries[0].id))
        );
    }
    states.sort();
    states.dedup();
    assert_eq!(states.len(), 3);
    // A state alone means: come again.
    let (world, _) = self::world(vec![json!({"requestState": "count"})]).await;
    let result = world.ask_stateless("tools/call", json!({"name": "up.input_required"})).await.result();
    assert_eq!(result.get("inputRequests"), None);
    let params = json!({"name": "up.input_required", "requestState": result["requestState"]});
    assert_eq!(world.ask_stateless("tools/call", params).await.result()["resultType"], "complete");
}

#[tokio::test]
async fn answers_without_a_state_are_a_call_of_their_own() {
    let (world, upstream) = world(vec![json!({"inputRequests": {"user": question()}})]).await;
    assert_eq!(world.ask_for_input(json!({})).await.result()["resultType"], "input_required");
    let given = json!({"inputResponses": {"user": answers()["user"], "unheard_of": {"x": 1}}});
    let result = world.ask_for_input(given.clone()).await.result();
    assert_eq!(result["structuredContent"], given["inputResponses"]);
    let entry = world.ledger.entries.lock().pop().unwrap();
    let recorded: Value = serde_json::from_slice(&entry.arguments).unwrap();
    assert_eq!(recorded, json!([{"a": 1}, given]));
    assert_eq!(upstream.with_method("tools/call").len(), 2);
}

#[tokio::test]
async fn a_state_serves_who_got_it_for_what_they_got_it_and_nothing_else() {
    let (world, upstream) = world(one_round()).await;
    let state = world.first_round().await;
    let sent = upstream.with_method("tools/call").len();
    let entries = world.ledger.entries.lock().len();

    // Changed, cut short, or no state at all.
    for bad in
        [json!(format!("{state}-TAMPERED")), json!(state[1..]), json!(""), json!("x"), json!(7), json!(null)]
    {
        let answered = world.ask_for_input(json!({"requestState": bad})).await;
        assert_turned_away(&world, &answered, "bad_request_state");
    }
    // For other arguments, another tool, another method.
    for params in [
        json!({"name": "up.input_required", "arguments": {"a": 2}}),
        json!({"name": "up.input_required", "arguments": {"a": 1.0}}),
        json!({"name": "up.input_required"}),
        json!({"name": "up.echo", "arguments": {"a": 1}}),
    ] {
        let mut params = params;
        params["requestState"] = json!(state);
        let answered = world.ask_able(1, able(), "tools/call", params.clone()).await;
        assert_turned_away(&world, &answered, "bad_request_state");
        let answered = world.ask_able(1, able(), "prompts/get", params).await;
        assert_turned_away(&world, &answered, "bad_request_state");
    }
    // Of another agent.
    let answered = world.ask_as(2, json!({"requestState": state})).await;
    assert_turned_away(&world, &answered, "bad_request_state");
    // For a tool that is not the same any more.
    world.change(|facts| {
        facts
            .tools
            .iter_mut()
            .filter(|tool| tool.name == "input_required")
            .for_each(|tool| tool.definition_hash = [8; 32]);
    });
    world.call_with(2, "up.echo").await;
    let answered = world.ask_for_input(json!({"requestState": state})).await;
    assert_turned_away(&world, &answered, "bad_request_state");

    assert_eq!(upstream.with_method("tools/call").len(), sent, "nothing was sent");
    let denied = world.ledger.entries.lock()[entries..]
        .iter()
        .filter(|entry| entry.verdict == Verdict::Permit)
        .count();
    assert_eq!(denied, 0);
    // The older era knows nothing of it, and neither does what is completed.
    let params = json!({"name": "up.echo", "requestState": "x", "inputResponses": 7});
    assert_eq!(world.ask("tools/call", params).await.status, 200);
    let params = json!({"ref": {"type": "ref/prompt", "name": "up.x"}, "argument": {}, "requestState": "x"});
    assert!(world.ask_stateless("completion/complete", params).await.text.contains("Unknown prompt"));
}

#[tokio::test]
async fn a_state_ends() {
    let (world, upstream) = world(one_round()).await;
    let state = world.first_round().await;
    *world.clock.0.lock() = 599;
    let again = json!({"inputResponses": answers(), "requestState": state});
    assert_eq!(world.ask_for_input(again.clone()).await.result()["resultType"], "complete");
    *world.clock.0.lock() = 600;
    let answered = world.ask_for_input(again).await;
    assert_turned_away(&world, &answered, "request_state_expired");
    assert_eq!(upstream.with_method("tools/call").len(), 2);
}

#[tokio::test]
async fn a_server_that_never_stops_asking_is_stopped() {
    let (world, upstream) = world(vec![one_round().remove(0); 20]).await;
    let mut given = json!({});
    for round in 1..10 {
        let result = world.ask_for_input(given).await.result();
        assert_eq!(result["resultType"], "input_required", "{round}");
        given = json!({"inputResponses": answers(), "requestState": result["requestState"]});
    }
    let answered = world.ask_for_input(given).await;
    assert_eq!(answered.trouble(), "too_many_rounds");
    assert_eq!(upstream.with_method("tools/call").len(), 10);
    world.ledger.assert_balanced();
    let settled = world.ledger.settlements.lock().pop().unwrap();
    assert_eq!((settled.outcome, settled.charge), (Outcome::UpstreamError, price()));
    assert!(settled.result.is_some());
}

#[tokio::test]
async fn a_server_asks_for_no_more_than_the_client_can_do() {
    let roots = json!({"method": "roots/list"});
    let tools =
        json!({"method": "sampling/createMessage", "params": {"tools": [], "messages": [], "maxTokens": 1}});
    let url = json!({"method": "elicitation/create", "params": {"mode": "url", "message": "?", "url": "https://a.example"}});
    for (asked, able, missing) in [
        (json!({"a": question()}), json!({}), json!({"elicitation": {"form": {}}})),
        (json!({"a": question()}), json!({"elicitation": {"url": {}}}), json!({"elicitation": {"form": {}}})),
        (json!({"a": url}), json!({"elicitation": {}}), json!({"elicitation": {"url": {}}})),
        (json!({"a": tools}), json!({"sampling": {}}), json!({"sampling": {"tools": {}}})),
        (
            json!({"a": question(), "b": roots}),
            json!({"sampling": {}}),
            json!({"elicitation": {"form": {}}, "roots": {}}),
        ),
    ] {
        let (world, _) = world(vec![json!({"inputRequests": asked, "requestState": "count"})]).await;
        let answered = world.ask_able(1, able, "tools/call", json!({"name": "up.input_required"})).await;
        assert_eq!((answered.status.as_u16(), answered.rpc_error()), (400, -32021), "{missing}");
        assert_eq!(answered.json()["error"]["data"], json!({ "requiredCapabilities": missing }));
        let settled = world.ledger.settlement();
        assert_eq!(settled.failure.unwrap().code, "client_lacks_capability");
        assert_eq!((settled.outcome, settled.charge), (Outcome::UpstreamError, price()));
    }
}

#[tokio::test]
async fn who_cannot_be_asked_is_told_so_in_its_own_way() {
    let (world, upstream) = world(one_round()).await;
    let answered = world.call("up.input_required", json!({})).await;
    assert_eq!(answered.trouble(), "client_lacks_capability");
    assert!(answered.text.contains("asks for input"), "{}", answered.text);
    let call = upstream.with_method("tools/call").pop().unwrap();
    assert_eq!(call["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"], json!({}));
    add_features(&world, &upstream).await;
    for (method, params) in
        [("prompts/get", json!({"name": "up.travel"})), ("resources/read", json!({"uri": "up+test://notes"}))]
    {
        let answered = world.ask(method, params).await;
        assert_eq!((answered.status.as_u16(), answered.rpc_error()), (200, -32603), "{method}");
        assert_eq!(answered.json()["error"]["data"]["code"], "client_lacks_capability");
    }
}

#[tokio::test]
async fn what_a_server_asks_for_unreadably_is_no_result() {
    for asked in [
        json!({}),
        json!({"inputRequests": []}),
        json!({"inputRequests": {"a": {"method": "tasks/get"}}}),
        json!({"requestState": "x".repeat(65_537)}),
        json!({"requestState": 7}),
    ] {
        let (world, _) = world(vec![asked]).await;
        assert_eq!(world.ask_for_input(json!({})).await.trouble(), "upstream_garbage");
    }
    let (world, _) = world(vec![json!({"requestState": "x".repeat(65_536)})]).await;
    assert_eq!(world.ask_for_input(json!({})).await.result()["resultType"], "input_required");
}

#[tokio::test]
async fn prompts_and_resources_ask_as_well() {
    let (world, upstream) = world(one_round()).await;
    add_features(&world, &upstream).await;
    for (method, params, member) in [
        ("prompts/get", json!({"name": "up.travel", "arguments": {"city": "Paris"}}), "messages"),
        ("resources/read", json!({"uri": "up+test://notes"}), "contents"),
    ] {
        let asked = world.ask_able(1, able(), method, params.clone()).await.result();
        assert_eq!(asked["inputRequests"]["user"], question(), "{method}");
        assert_eq!((asked.get("ttlMs"), asked.get("cacheScope")), (None, None));
        let mut again = params;
        again["requestState"] = asked["requestState"].clone();
        again["inputResponses"] = answers();
        let result = world.ask_able(1, able(), method, again).await.result();
        assert!(result[member].is_array(), "{result}");
        if method == "resources/read" {
            // True of this once.
            assert_eq!((&result["ttlMs"], &result["cacheScope"]), (&json!(0), &json!("private")));
        }
        let sent = upstream.with_method(method).pop().unwrap();
        assert_eq!(
            (&sent["params"]["requestState"], &sent["params"]["inputResponses"]),
            (&json!("round 1"), &answers())
        );
    }
    world.ledger.assert_balanced();
    assert_eq!(world.ledger.entries.lock().len(), 4);
}

#[tokio::test]
async fn answers_that_are_none_are_turned_away() {
    let (world, upstream) = world(one_round()).await;
    let state = world.first_round().await;
    for (bad, code) in [
        (json!(null), "malformed_arguments"),
        (json!([]), "malformed_arguments"),
        (json!("x"), "malformed_arguments"),
        (json!({"user": 12345}), "malformed_input"),
        (json!({"user": null}), "malformed_input"),
        (json!({"user": {"action": "perhaps"}}), "malformed_input"),
        (json!({"user": {"action": "accept", "content": "Ada"}}), "malformed_input"),
    ] {
        for given in [json!({"inputResponses": bad}), json!({"inputResponses": bad, "requestState": state})] {
            let answered = world.ask_for_input(given).await;
            assert_turned_away(&world, &answered, code);
        }
    }
    // That it was a question is known from what was asked.
    let given = json!({"inputResponses": {"user": {"content": {}}}, "requestState": state});
    let answered = world.ask_for_input(given).await;
    assert_turned_away(&world, &answered, "malformed_input");
    let twice = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"up.input_required","inputResponses":{"a":{},"a":{}},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "up.input_required"),
    ];
    let answered = world.post(&headers, twice).await;
    assert_turned_away(&world, &answered, "malformed_arguments");
    assert_eq!(upstream.with_method("tools/call").len(), 1);
    assert_eq!(world.ledger.entries.lock().len(), 1);
}

#[tokio::test]
async fn a_right_that_was_taken_away_between_rounds_denies_the_next() {
    let (world, upstream) = world(one_round()).await;
    let state = world.first_round().await;
    world.change(|facts| facts.grants.clear());
    let answered = world.ask_for_input(json!({"inputResponses": answers(), "requestState": state})).await;
    assert_eq!(answered.trouble(), "missing_key");
    assert_eq!(upstream.with_method("tools/call").len(), 1);
    let entries = world.ledger.entries.lock().clone();
    assert_eq!(
        entries.iter().map(|entry| entry.verdict).collect::<Vec<_>>(),
        [Verdict::Permit, Verdict::Deny]
    );
    assert_eq!(entries[1].who.agent, id(AGENT));
    assert!(entries[1].arguments.starts_with(b"["), "the record says what was tried");
}

#[tokio::test]
async fn a_round_is_not_sent_to_a_server_that_does_not_know_what_it_asked() {
    let (world, upstream) = world(one_round()).await;
    let state = world.first_round().await;
    let unread = json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32000, "message": "no session"}});
    upstream.quirks.lock().opened_era = Some((400, unread));
    let answered = world.ask_for_input(json!({"inputResponses": answers(), "requestState": state})).await;
    assert_eq!(answered.trouble(), "upstream_wrong_revision");
    assert_eq!(world.ledger.settlements.lock()[1].outcome, Outcome::NotSent);
    // Answers alone are passed over by who has never heard of them.
    let older = Upstream::new().await;
    let world = World::new(&older.url).await;
    let params = json!({"name": "up.echo", "inputResponses": answers()});
    assert_eq!(world.ask_stateless("tools/call", params).await.status, 200);
    assert_eq!(older.calls()[0]["params"].get("inputResponses"), None);
}

//! The gateway as a client of the server whose URL is the last argument, for the client scenarios of the official conformance
//! suite. The server is discovered, what it offers is approved, and then used through the gateway's own endpoint, by a client
//! of the server's era: what the suite sees is what any server behind the gateway sees.
//!
//! `MCP_CONFORMANCE_CONTEXT` may say which calls to make; otherwise all that is offered is used once, with arguments made from
//! its schema. Prints what came of each.
//!
//! `cargo run -p gateway --example conformance_client -- http://localhost:3000/mcp`
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "no part of the product, and built from rooms of its tests"
)]

#[path = "../../tests/gateway/ledger.rs"]
mod ledger;
#[path = "../../tests/gateway/upstream.rs"]
mod upstream;
#[path = "../../tests/gateway/world.rs"]
mod world;

mod admin;
mod forms;
mod opened;
mod stateless;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use gateway::{Discovered, DiscoveryError, Settings};
use model::Ambient;
use model::catalog::ToolStanding;
use policy::ToolFact;
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::forms::sample;
use crate::opened::Opened;
use crate::stateless::Stateless;
use crate::world::{CountedEntropy, SetClock, World, id, price, settings};

/// The module behind which the server is, as its names begin.
const MODULE: &str = "up.";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(url) = std::env::args().skip(1).last() else {
        eprintln!("the URL of an MCP server is wanted");
        return ExitCode::FAILURE;
    };
    match use_all(&url).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

async fn use_all(url: &str) -> Result<(), String> {
    let patience = Duration::from_secs(15);
    let networks = ["127.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap());
    let settings = Settings {
        allowed_upstream_networks: networks.into(),
        upstream_timeout: patience,
        connect_timeout: patience,
        body_timeout: patience,
        ..settings()
    };
    let context = std::env::var("MCP_CONFORMANCE_CONTEXT").unwrap_or_default();
    let context: Value = serde_json::from_str(&context).unwrap_or_default();
    let ambient = Ambient::new(Arc::new(SetClock::default()), Arc::new(CountedEntropy::from(1 << 32)));
    let admin = Arc::new(Admin::new(url, ambient, &context));
    admin.goes_out_by(gateway::fetch(&settings).map_err(|error| error.to_string())?);
    let world = World::presenting(url, settings, admin.clone(), 0).await;
    let found = found_out(&world, &admin, url).await?;
    println!(
        "{} {} speaks {} and offers {}",
        found.server_name,
        found.server_version,
        found.protocol,
        found.tools.len()
    );
    for passed_over in &found.passed_over {
        println!("passed over: {}: {}", passed_over.name, passed_over.why);
    }
    approve(&world, &found, admin.presented().is_some());
    let client = match found.protocol.as_str() {
        "2026-07-28" => Client::Stateless(Stateless { world: &world }),
        _ => Client::Opened(Opened::open(&world).await),
    };
    for (method, params, schema) in wishes(&client, &context).await {
        let answer = client.ask(method, params.clone(), &schema).await;
        println!("{method} {params}\n  {answer}");
    }
    world.ledger.assert_balanced();
    Ok(())
}

/// What the server offers, once it lets anybody see it.
async fn found_out(world: &World, admin: &Admin, url: &str) -> Result<Discovered, String> {
    loop {
        let error = match world.gateway.discover(id(1), url, admin.presented()).await {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        let challenge = match &error {
            DiscoveryError::Upstream(trouble) => trouble.challenge(),
            _ => None,
        };
        match challenge {
            Some(challenge) => drop(admin.connect(challenge).await?),
            None => return Err(error.to_string()),
        }
    }
}

/// Puts what was found into the catalog, in place of what the world has, and has the gateway know it.
fn approve(world: &World, found: &Discovered, is_connected: bool) {
    world.change(|facts| {
        let module = id(40);
        facts.tools.retain(|tool| tool.module != module);
        for (number, tool) in (1_000..).zip(&found.tools) {
            facts.tools.push(ToolFact {
                id: id(number),
                module,
                name: tool.name.clone(),
                definition: tool.definition.clone(),
                definition_hash: [9; 32],
                key: "up:read".parse().unwrap(),
                standing: ToolStanding::Approved,
                price: price(),
                rate: None,
                timeouts: Default::default(),
            });
        }
        for module in &mut facts.modules {
            module.connection = module.connection.filter(|_| is_connected);
        }
    });
    let latest = world.directories.latest.lock().clone();
    *world.directories.had.lock() = latest;
}

enum Client<'w> {
    Opened(Opened<'w>),
    Stateless(Stateless<'w>),
}

impl Client<'_> {
    /// Asks until there is an answer; questions in between are answered as their schema suggests.
    async fn ask(&self, method: &str, params: Value, schema: &Value) -> Value {
        match self {
            Self::Opened(client) => client.ask(method, params).await,
            Self::Stateless(client) => client.ask(method, params, schema).await,
        }
    }

    async fn list(&self, method: &str, member: &str) -> Vec<Value> {
        let mut answer = self.ask(method, json!({}), &Value::Null).await;
        match answer["result"][member].take() {
            Value::Array(listed) => listed,
            _ => Vec::new(),
        }
    }
}

/// What is to be asked for: method, `params`, and the schema of its arguments.
async fn wishes(client: &Client<'_>, context: &Value) -> Vec<(&'static str, Value, Value)> {
    let mut tools = client.list("tools/list", "tools").await;
    tools.retain(|tool| tool["name"].as_str().is_some_and(|name| name.starts_with(MODULE)));
    if let Some(calls) = context["toolCalls"].as_array() {
        let called = calls.iter().map(|call| {
            let name = format!("{MODULE}{}", call["name"].as_str().unwrap_or_default());
            let tool = tools.iter().find(|tool| tool["name"] == name.as_str());
            let schema = tool.map(|tool| tool["inputSchema"].clone()).unwrap_or_default();
            ("tools/call", json!({"name": name, "arguments": call["arguments"]}), schema)
        });
        return called.collect();
    }
    let mut wishes = Vec::new();
    for tool in &tools {
        let schema = &tool["inputSchema"];
        let arguments = match &tool["name"] {
            // It wants to see what became of a schema of its on the way.
            name if *name == "up.json_schema_echo" => json!({"schema": tools[0]["inputSchema"]}),
            _ => sample(schema),
        };
        let params = json!({"name": tool["name"], "arguments": arguments});
        wishes.push(("tools/call", params, schema.clone()));
    }
    for prompt in client.list("prompts/list", "prompts").await {
        let mut params = json!({"name": prompt["name"]});
        for argument in prompt["arguments"].as_array().into_iter().flatten() {
            params["arguments"][argument["name"].as_str().unwrap_or_default()] = json!("text");
        }
        wishes.push(("prompts/get", params, Value::Null));
    }
    for resource in client.list("resources/list", "resources").await {
        wishes.push(("resources/read", json!({"uri": resource["uri"]}), Value::Null));
    }
    wishes
}

//! What a decision costs in a large tenant: 10,000 people, 500 units, 1,000 agents, 2,000 tools. Prints
//! numbers.
//!
//! `cargo run --release -p policy --example decide_cost`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic
)]

#[allow(dead_code, unreachable_pub, reason = "a room of the tests: not all of it is needed here")]
#[path = "../tests/policy/world.rs"]
mod world;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use model::access::Grantee;
use model::call::Digest;
use model::catalog::Feature;
use model::people::Role;
use policy::{Decision, Directory, GrantFact, Principal, Tool, consequence};

use world::{World, at};

const UNITS: usize = 500;
const PEOPLE: usize = 10_000;
const AGENTS: usize = 1_000;
const MODULES: usize = 50;
const TOOLS_OF_A_MODULE: usize = 40;
const PARTS: [&str; 4] = ["read", "write", "send", "delete"];

fn hash(agent: usize, on_behalf: bool) -> Digest {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&(agent as u64).to_be_bytes());
    hash[8] = u8::from(on_behalf);
    hash
}

fn large() -> World {
    let mut world = World::new();
    let mut units = Vec::new();
    for n in 0..UNITS {
        let parent = (n > 0).then(|| units[(n - 1) / 5]);
        units.push(world.unit(&format!("Unit {n}"), parent));
    }
    let users: Vec<_> = (0..PEOPLE)
        .map(|n| {
            let user = world.user(&format!("Person {n}"), units[n % UNITS]);
            world.role(user, Role::Member);
            if n % 3 == 0 {
                world.user_mut_last().units.push(units[(n * 7 + 1) % UNITS]);
            }
            user
        })
        .collect();
    for n in 0..AGENTS {
        let agent = world.agent(&format!("Agent {n}"), users[n * 10], units[n % UNITS]);
        world.credential_of(hash(n, false), agent, None);
        world.credential_of(hash(n, true), agent, Some(users[n * 10]));
    }
    for m in 0..MODULES {
        let module = world.module(&format!("module{m}"), &format!("Module {m}"), Some(users[m]));
        for t in 0..TOOLS_OF_A_MODULE {
            world.tool(module, &format!("tool_{t}"), &format!("module{m}:{}", PARTS[t % PARTS.len()]));
        }
        // Whole modules to the top and to roles, parts to units, some to people and agents.
        match m % 5 {
            0 => _ = world.grant(&format!("module{m}"), Grantee::Unit(units[0]), None),
            1 => _ = world.grant(&format!("module{m}:read"), Grantee::Role(Role::Member), None),
            _ => {
                for u in 0..20 {
                    let unit = Grantee::Unit(units[(m * 31 + u * 17) % UNITS]);
                    world.grant(&format!("module{m}:{}", PARTS[u % PARTS.len()]), unit, Some(at(3600)));
                }
            }
        }
    }
    for (n, user) in users.iter().enumerate().step_by(20) {
        world.grant(&format!("module{}:send", n % MODULES), Grantee::User(*user), None);
    }
    world
}

/// Runs something often enough to be measured, in twenty batches; prints what one run took in the middle
/// batch.
fn measure(what: &str, times: usize, mut run: impl FnMut(usize)) {
    let mut batches: Vec<f64> = (0..20)
        .map(|batch| {
            let begin = Instant::now();
            (0..times / 20).for_each(|n| run(batch * (times / 20) + n));
            begin.elapsed().as_secs_f64() / (times / 20) as f64
        })
        .collect();
    batches.sort_by(f64::total_cmp);
    println!("{what:<64} {:>12.2} µs", batches[10] * 1e6);
}

fn pairs(directory: &Directory, on_behalf: bool, permitted: bool) -> Vec<(Arc<Principal>, Arc<Tool>)> {
    let all: Vec<String> = (0..MODULES)
        .flat_map(|m| (0..TOOLS_OF_A_MODULE).map(move |t| format!("module{m}.tool_{t}")))
        .collect();
    (0..AGENTS)
        .filter_map(|n| {
            let principal = directory.authenticate(&hash(n, on_behalf), None, at(0)).unwrap();
            let mut names = all.iter().cycle().skip(n * 7).take(all.len());
            names.find_map(|name| {
                let tool = directory.resolve(&principal, Feature::Tool, name).unwrap();
                let decision = directory.decide(&principal, &tool, [0; 32], at(0));
                (matches!(decision, Decision::Permit(_)) == permitted).then(|| (Arc::clone(&principal), tool))
            })
        })
        .collect()
}

fn main() {
    let world = large();
    println!(
        "{PEOPLE} people, {UNITS} units, {AGENTS} agents, {} tools, {} grants",
        world.facts.tools.len(),
        world.facts.grants.len()
    );
    let begin = Instant::now();
    let directory = world.directory();
    println!("{:<64} {:>12.2} ms", "build, the first time", begin.elapsed().as_secs_f64() * 1e3);
    let begin = Instant::now();
    drop(black_box(Directory::build(world.facts.clone(), at(1)).unwrap()));
    println!("{:<64} {:>12.2} ms", "build, again", begin.elapsed().as_secs_f64() * 1e3);

    for (what, key, grantee) in [
        ("a module to everybody", "module7", Grantee::Unit(world.facts.units[0].id)),
        ("a key to one unit", "module8:read", Grantee::Unit(world.facts.units[7].id)),
        ("a key to one agent", "module8:read", Grantee::Agent(world.facts.agents[7].id)),
    ] {
        let mut after = world.facts.grants.clone();
        let id = after[0].id;
        after.push(GrantFact { id, key: key.parse().unwrap(), grantee, expires_at: None });
        let begin = Instant::now();
        let told = consequence(&world.facts, &after, at(1)).unwrap();
        println!(
            "{:<64} {:>12.2} ms",
            format!("foretell {what}: {} agents, {} people", told.agents.len(), told.people.len()),
            begin.elapsed().as_secs_f64() * 1e3
        );
    }

    measure("authenticate, the first time", AGENTS, |n| {
        black_box(directory.authenticate(&hash(n, true), None, at(0)).unwrap());
    });
    measure("authenticate", 100_000, |n| {
        black_box(directory.authenticate(&hash(n % AGENTS, true), None, at(0)).unwrap());
    });
    for (what, on_behalf, permitted) in [
        ("decide: permit, for itself", false, true),
        ("decide: permit, on behalf of a person", true, true),
        ("decide: deny, for itself", false, false),
        ("decide: deny, on behalf of a person", true, false),
    ] {
        let pairs = pairs(&directory, on_behalf, permitted);
        measure(&format!("{what}, {} agents in turn", pairs.len()), 100_000, |n| {
            let (principal, tool) = &pairs[n % pairs.len()];
            black_box(directory.decide(principal, tool, [0; 32], at(0)));
        });
        measure(&format!("{what}, one agent"), 100_000, |_| {
            let (principal, tool) = &pairs[0];
            black_box(directory.decide(principal, tool, [0; 32], at(0)));
        });
    }
    let fresh = world.directory();
    let principals: Vec<_> =
        (0..AGENTS).map(|n| fresh.authenticate(&hash(n, true), None, at(0)).unwrap()).collect();
    measure("visible, on behalf of a person, the first time", AGENTS, |n| {
        black_box(fresh.visible(&principals[n]));
    });
    measure("visible", 10_000, |n| {
        black_box(fresh.visible(&principals[n % AGENTS]));
    });
    measure("resolve", 100_000, |n| {
        black_box(fresh.resolve(&principals[n % AGENTS], Feature::Tool, "module7.tool_11").unwrap());
    });
    measure("resolve a name that is not there", 1_000, |n| {
        black_box(fresh.resolve(&principals[n % AGENTS], Feature::Tool, "modul7.tool_11").unwrap_err());
    });
}

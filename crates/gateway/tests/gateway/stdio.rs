//! Servers that are programs: spoken to like any other, confined, and started again when they fail.

use std::time::Duration;

use gateway::{Program, Programs, RunAs, Settings};
use model::call::Outcome;
use serde_json::{Value, json};

use crate::world::{World, eventually, id, settings};

const SCRIPT: &str = include_str!("child.py");
/// The numbers of no users.
const FIRST: u32 = 61_184;
const LAST: u32 = 61_200;

/// Each program as a user of its own, where we may say so; else as ourselves.
fn user() -> RunAs {
    let we = rustix::process::geteuid();
    if we.is_root() { RunAs::Range(FIRST, LAST) } else { RunAs::Named(we.as_raw().to_string()) }
}

fn programs() -> Programs {
    let program = Program {
        command: ["/usr/bin/python3", "-u", "-c", SCRIPT].map(str::to_owned).to_vec(),
        environment: vec![("GREETING".to_owned(), "hello".into())],
    };
    let gone = Program { command: vec!["/no/such/file".to_owned()], environment: vec![] };
    Programs {
        known: [("child".to_owned(), program), ("gone".to_owned(), gone)].into(),
        user: Some(user()),
        // Counted with all others of ours, where it runs as we do.
        tasks: 4096,
        launcher: Some(vec![env!("CARGO_BIN_EXE_confined").into()]),
        ..Programs::default()
    }
}

fn with(programs: Programs) -> Settings {
    // A start takes its time on a machine that does other things as well.
    Settings {
        programs,
        upstream_timeout: Duration::from_secs(10),
        max_upstream_bytes: 2 << 20,
        ..settings()
    }
}

async fn world(programs: Programs) -> World {
    World::with("stdio:child", with(programs)).await
}

async fn call(world: &World, what: &str) -> Value {
    world.call("up.echo", json!({"do": what})).await.result()["structuredContent"].clone()
}

#[tokio::test]
async fn a_program_is_spoken_to_like_any_other_server() {
    let programs = programs();
    let world = world(programs.clone()).await;
    let discovered = world.gateway.discover(id(1), "stdio:child", None).await.unwrap();
    assert_eq!((discovered.server_name.as_str(), discovered.protocol.as_str()), ("child", "2025-11-25"));
    assert_eq!(discovered.tools[0].name, "echo");
    eventually("it is stopped once it was asked", || programs.running.count() == 0).await;

    // As a client may write it: over several lines.
    let body = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"up.echo\",\n\"arguments\":{\"x\":\r\n\"a\\nb\"}}}";
    let first = world.post(&[("mcp-protocol-version", "2025-11-25")], body).await.result();
    assert_eq!(first["structuredContent"]["arguments"], json!({"x": "a\nb"}));
    assert_eq!(
        call(&world, "").await["pid"],
        first["structuredContent"]["pid"],
        "one for all who cannot be asked"
    );
    assert_eq!(call(&world, "ping").await["result"], json!({}));
    assert_eq!(programs.running.count(), 1);

    let session = world.open(json!({})).await;
    let params = json!({"name": "up.echo", "arguments": {"do": "progress"}, "_meta": {"progressToken": "t"}});
    let mut events = world.stream(&session, "tools/call", params).await;
    for step in [1, 2] {
        assert_eq!(events.next().await["params"], json!({"progressToken": "t", "progress": step}));
    }
    assert_eq!(events.next().await["result"]["content"], json!([]));
    drop(world);
}

#[tokio::test]
async fn what_it_asks_is_asked_of_the_client_of_the_call() {
    let world = world(programs()).await;
    let session = world.open(json!({"elicitation": {}})).await;
    let params = json!({"name": "up.echo", "arguments": {"do": "ask"}});
    let mut events = world.stream(&session, "tools/call", params).await;
    let question = events.next().await;
    assert_eq!(question["params"]["message"], "Who?");
    let result = json!({"action": "accept", "content": {"name": "Ada"}});
    let said = json!({"jsonrpc": "2.0", "id": question["id"], "result": result}).to_string();
    world.post(&[("mcp-protocol-version", "2025-11-25")], said).await;
    assert_eq!(events.next().await["result"]["structuredContent"], result);

    // A client of the other era is asked in its own way.
    let ask = json!({"name": "up.echo", "arguments": {"do": "ask"}});
    let able = json!({"elicitation": {"form": {}}});
    let asked = world.ask_able(1, able.clone(), "tools/call", ask.clone()).await.result();
    assert_eq!(asked["inputRequests"]["q1"]["params"]["message"], "Who?");
    let mut answers = ask;
    answers["inputResponses"] = json!({"q1": result});
    answers["requestState"] = asked["requestState"].clone();
    assert_eq!(world.ask_able(1, able, "tools/call", answers).await.result()["structuredContent"], result);
}

#[tokio::test]
async fn it_is_told_when_nobody_waits_any_more() {
    let settings = Settings { upstream_timeout: Duration::from_secs(2), ..with(programs()) };
    let world = World::with("stdio:child", settings).await;
    let pid = call(&world, "").await["pid"].clone();
    assert_eq!(world.call("up.echo", json!({"do": "hang"})).await.trouble(), "upstream_timeout");
    let told = call(&world, "told").await["told"].clone();
    assert_eq!(told[1]["method"], "notifications/cancelled", "{told}");
    assert_eq!(call(&world, "").await["pid"], pid, "it goes on");
}

#[tokio::test]
async fn one_that_fails_fails_its_call_and_is_started_again() {
    let programs = programs();
    for (what, code, words) in [
        (
            "die",
            "upstream_broke_off",
            "the program behind stdio:child ended before its answer was complete (exit status: 3)",
        ),
        ("garbage", "upstream_garbage", "a message is not JSON-RPC 2.0"),
        ("long", "upstream_too_large", "more than 2097152 bytes"),
    ] {
        let world = world(programs.clone()).await;
        let before = call(&world, "").await["pid"].clone();
        assert_eq!(world.call("up.echo", json!({"do": what})).await.trouble(), code, "{what}");
        let settlement = world.ledger.settlements.lock().pop().unwrap();
        assert_eq!(settlement.outcome, Outcome::UpstreamError, "{what}");
        let sentence = settlement.failure.unwrap().sentence;
        assert!(sentence.contains(words), "{sentence}");
        assert_ne!(call(&world, "").await["pid"], before, "{what}");
        drop(world);
    }
    eventually("they are all gone", || programs.running.count() <= 3).await;
}

#[tokio::test]
async fn one_that_keeps_failing_is_left_alone_for_a_while() {
    let world = world(programs()).await;
    for _ in 0..2 {
        assert_eq!(world.call("up.echo", json!({"do": "die"})).await.trouble(), "upstream_broke_off");
    }
    let answered = world.call("up.echo", json!({})).await;
    assert_eq!(answered.trouble(), "upstream_resting");
    assert_eq!(answered.result()["structuredContent"]["error"]["retry_after"].as_u64().unwrap_or(1), 1);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    call(&world, "").await;
}

#[tokio::test]
async fn it_finds_nothing_of_ours_and_uses_no_more_than_it_may() {
    let small = Programs { memory: 256 << 20, open_files: 64, ..programs() };
    let world = world(small).await;
    let about = call(&world, "about").await;
    let folder = about["folder"].as_str().unwrap();
    assert_eq!(
        about["environment"],
        json!({"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": folder, "TMPDIR": folder, "GREETING": "hello"})
    );
    assert_eq!((&about["files"], &about["mode"]), (&json!([]), &json!("0o700")));
    assert_eq!((&about["gains_nothing"], &about["group"]), (&json!(true), &json!(true)));
    // The last is the folder that it looks into.
    assert_eq!(about["descriptors"], json!(["0", "1", "2", "3"]));
    let both = |most: u64| json!([most, most]);
    assert_eq!(
        about["limits"],
        json!({"CORE": both(0), "CPU": both(1800), "DATA": both(256 << 20), "AS": both(8 << 30), "FSIZE": both(1 << 30),
            "NOFILE": both(64), "NPROC": both(4096)})
    );
    let user = about["user"].as_u64().unwrap();
    if rustix::process::geteuid().is_root() {
        assert!((u64::from(FIRST)..=u64::from(LAST)).contains(&user), "{user}");
        assert_eq!(about["groups"], json!([]));
    }
    assert_eq!(call(&world, "memory").await["bytes"], 0, "there is no GiB for it");
    assert!(std::path::Path::new(folder).exists());
    world.call("up.echo", json!({"do": "die"})).await;
    eventually("its folder goes with it", || !std::path::Path::new(folder).exists()).await;
}

#[tokio::test]
async fn one_that_nobody_uses_is_stopped_with_all_that_it_started() {
    let programs = Programs { idle: Duration::from_millis(300), ..programs() };
    let world = world(programs.clone()).await;
    let first = call(&world, "").await["pid"].clone();
    let started = call(&world, "child").await["pid"].as_u64().unwrap();
    let lives = || {
        let state = std::fs::read_to_string(format!("/proc/{started}/stat")).unwrap_or_default();
        !state.is_empty() && !state.contains(") Z ")
    };
    assert!(lives());
    eventually("it is stopped", || programs.running.count() == 0).await;
    eventually("what it started is stopped", || !lives()).await;
    assert_ne!(call(&world, "").await["pid"], first);
}

#[tokio::test]
async fn one_that_is_called_is_not_idle() {
    let programs = Programs { idle: Duration::from_millis(200), ..programs() };
    let settings = Settings { upstream_timeout: Duration::from_secs(2), ..with(programs.clone()) };
    let world = World::with("stdio:child", settings).await;
    let waiting = world.call("up.echo", json!({"do": "hang"}));
    assert_eq!(waiting.await.trouble(), "upstream_timeout", "it was not stopped meanwhile");
}

#[tokio::test]
async fn organizations_never_share_one() {
    let programs = programs();
    let world = world(programs.clone()).await;
    let about = call(&world, "about").await;
    let pid = call(&world, "").await["pid"].clone();
    let other = world.gateway.discover(id(2), "stdio:child", None).await.unwrap();
    assert_ne!(other.server_version, pid.to_string());
    // Nor do two whose clients can be asked.
    for n in [1, 2] {
        world.open(json!({"elicitation": {}})).await;
        let able = json!({"elicitation": {"form": {}}});
        let call = json!({"name": "up.echo", "arguments": {"do": "about"}});
        let answered = world.ask_able(n, able, "tools/call", call).await.result();
        if n == 1 && rustix::process::geteuid().is_root() {
            assert_ne!(answered["structuredContent"]["user"], about["user"]);
            assert_ne!(answered["structuredContent"]["folder"], about["folder"]);
        }
    }
}

#[tokio::test]
async fn as_many_run_as_may() {
    let programs = Programs { processes: 2, ..programs() };
    let world = world(programs.clone()).await;
    let settings = Settings { upstream_timeout: Duration::from_secs(3), ..with(programs.clone()) };
    let busy = World::with("stdio:child", settings).await;
    call(&busy, "").await;
    // Its one place is the organization's share, and is used: nobody else's is taken for it.
    let hang = busy.call("up.echo", json!({"do": "hang"}));
    let other = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.call("up.echo", json!({})).await.trouble()
    };
    let (hang, other) = tokio::join!(hang, other);
    assert_eq!((hang.trouble().as_str(), other.as_str()), ("upstream_timeout", "upstream_busy"));
    // One that is idle makes place.
    call(&busy, "").await;
    call(&world, "").await;
    assert_eq!(programs.running.count(), 1);
}

#[tokio::test]
async fn what_stands_in_the_way_is_said() {
    let said = async |url: &str, programs: Programs| {
        let world = World::with(url, with(programs)).await;
        world.gateway.discover(id(1), url, None).await.unwrap_err().to_string()
    };
    let none = said("stdio:child", Programs::default()).await;
    assert!(none.contains("no programs are set up here"), "{none}");
    let other = said("stdio:sh -c id", programs()).await;
    assert!(other.contains("there is no program `sh -c id` here; there is child, gone"), "{other}");
    let gone = said("stdio:gone", programs()).await;
    assert!(gone.contains("ended before its answer was complete (exit status: 1)"), "{gone}");
    let nobody = said("stdio:child", Programs { user: None, ..programs() }).await;
    assert!(nobody.contains("it is not said whom programs run as (setting programs.user)"), "{nobody}");
    for root in ["root", "0"] {
        let user = Some(RunAs::Named(root.to_owned()));
        let refused = said("stdio:child", Programs { user, ..programs() }).await;
        assert!(refused.contains("programs do not run as root"), "{refused}");
    }
    let user = Some(RunAs::Named("no-such-user".to_owned()));
    assert!(
        said("stdio:child", Programs { user, ..programs() }).await.contains("there is no user no-such-user")
    );
}

#[tokio::test]
async fn who_only_listens_makes_place_for_who_calls() {
    let programs = Programs { processes: 2, ..programs() };
    let world = world(programs.clone()).await;
    let session = world.open(json!({})).await;
    let _listening = world.get(1, Some(&session)).await;
    eventually("it is asked what it offers, and heard", || !world.catalog.0.lock().is_empty()).await;
    call(&world, "").await;
}

//! `workingagents dev` from nothing: ready keys that do what their notes say, the same after `kill -9`, and everything gone
//! when it is told to stop.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that stops here has failed"
)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};

/// A data folder that is gone at the end.
struct Data(PathBuf);

impl Data {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("workingagents-test-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workingagents"));
    // Neither the developer's own database nor settings are to be used.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name == "DATABASE_URL"
            || name.starts_with("WORKINGAGENTS_") && name != "WORKINGAGENTS_POSTGRES_BIN"
        {
            command.env_remove(name);
        }
    }
    command
}

/// A running `dev`.
struct Dev {
    process: Child,
    ready: Value,
    /// What it said on stdout after the ready line.
    rest: BufReader<std::process::ChildStdout>,
}

impl Dev {
    fn start(data: &Path) -> Self {
        let mut process = program()
            .args(["dev", "--json", "--port", "0", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut rest = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        rest.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Self { process, ready, rest }
    }

    fn text(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.ready))
    }

    fn admin(&self, words: &[&str]) -> Value {
        let output = program()
            .args(["admin", "--config", self.text("config_file"), "--json"])
            .args(words)
            .output()
            .unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to stop, and waits.
    fn stop(mut self) -> (std::process::ExitStatus, String) {
        signal(self.process.id(), Signal::TERM);
        let status = self.process.wait().unwrap();
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.rest, &mut rest).unwrap();
        (status, rest)
    }
}

/// By the system's own call: the program `kill` is not on every machine.
fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

impl Drop for Dev {
    fn drop(&mut self) {
        // Only where a test has failed before it came to stopping.
        let _ = self.process.kill();
    }
}

async fn post(url: &str, key: &str, method: &str, params: Value) -> (u16, Value) {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let request = http::Request::post(url)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(Full::new(bytes::Bytes::from(body)))
        .unwrap();
    let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

/// What an agent is told when it calls a tool: whether it worked, and the text.
async fn call(dev: &Dev, agent: &Value, tool: &str, arguments: Value) -> (bool, String) {
    let key = agent["key"].as_str().unwrap();
    let (status, answer) =
        post(dev.text("mcp_url"), key, "tools/call", json!({ "name": tool, "arguments": arguments })).await;
    assert_eq!(status, 200, "{answer}");
    let result = &answer["result"];
    (result["isError"] != true, result["content"][0]["text"].as_str().unwrap_or_default().to_owned())
}

/// What is there, by its lists.
fn lists(dev: &Dev) -> Vec<Value> {
    let nouns = ["tenant", "unit", "user", "agent", "key", "module", "grant"];
    let mut lists: Vec<Value> = nouns.iter().map(|noun| dev.admin(&[noun, "list"])).collect();
    lists.push(dev.admin(&["calls", "list", "--limit", "1000"]));
    lists
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_do_what_their_notes_say_and_outlive_a_kill() {
    let data = Data::new("dev");
    let dev = Dev::start(&data.0);
    assert!(dev.text("mailbox_url").starts_with("http://127.0.0.1:"));
    let agents = dev.ready["agents"].as_array().unwrap().clone();
    let [reader, steward, outsider] = [&agents[0], &agents[1], &agents[2]];

    for agent in &agents {
        let (status, answer) =
            post(dev.text("mcp_url"), agent["key"].as_str().unwrap(), "tools/list", json!({})).await;
        let tools = answer["result"]["tools"].as_array().map(Vec::len);
        let suspended = agent["note"].as_str().unwrap().contains("suspended");
        assert_eq!(
            (status, tools.is_some()),
            if suspended { (401, false) } else { (200, true) },
            "{agent}: {answer}"
        );
    }
    let (well, deals) = call(&dev, reader, "crm.list_deals", json!({ "limit": 1 })).await;
    assert!(well, "{deals}");
    let deal = serde_json::from_str::<Value>(&deals).unwrap()["deals"][0]["id"].clone();
    let (well, why) = call(&dev, reader, "crm.delete_deal", json!({ "id": deal })).await;
    assert!(!well && why.contains("crm:delete"), "{why}");
    let (well, why) = call(&dev, outsider, "crm.list_deals", json!({})).await;
    assert!(!well && why.contains("crm:read"), "{why}");
    let (well, what) = call(&dev, steward, "crm.delete_deal", json!({ "id": deal })).await;
    assert!(well, "{what}");

    // Everything there is, and nothing twice.
    let calls = dev.admin(&["calls", "list", "--limit", "1000"]);
    assert_eq!(calls.as_array().unwrap().len(), 1000, "a week of calls is on record");
    for verdict in ["permit", "deny"] {
        assert!(calls.as_array().unwrap().iter().any(|call| call["verdict"] == verdict), "{verdict}");
    }
    let before = lists(&dev);

    // One process at a time has the folder.
    let second: Output = program().args(["dev", "--port", "0", "--data"]).arg(&data.0).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1));
    assert!(
        said.contains("another `workingagents dev` runs with") && said.trim().lines().count() == 1,
        "{said}"
    );

    let ready = dev.ready.clone();
    dev.kill();
    let again = Dev::start(&data.0);
    for same in ["tenant", "owner", "agents", "people"] {
        assert_eq!(again.ready[same], ready[same], "{same}");
    }
    assert_eq!(lists(&again), before, "loading the demo a second time changes nothing");
    let (well, why) = call(&again, &again.ready["agents"][0], "crm.list_deals", json!({ "limit": 1 })).await;
    assert!(well, "{why}");

    // Told to stop, it leaves nothing behind.
    let socket = data.0.join("postgres/run/.s.PGSQL.5432");
    assert!(socket.exists());
    let (status, rest) = again.stop();
    assert!(status.success());
    assert_eq!(rest, "", "one line is all there is on stdout");
    assert!(!socket.exists(), "PostgreSQL has stopped with us");
}

/// A process that was paused for so long that its lease ran out: it admits nothing under the old one, and goes on by itself.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_lease_nothing_is_admitted_and_a_new_one_is_taken() {
    let data = Data::new("lease");
    let dev = Dev::start(&data.0);
    let agent = &dev.ready["agents"][0];
    let asked = json!({ "limit": 1 });
    assert!(call(&dev, agent, "crm.list_deals", asked.clone()).await.0);

    let mut owner: PgConnection =
        dev.text("admin_database_url").parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
    let expire = "UPDATE nodes SET lease_until = clock_timestamp() - interval '1 minute' RETURNING id";
    let former: Vec<uuid::Uuid> = sqlx::query_scalar(expire).fetch_all(&mut owner).await.unwrap();
    assert_eq!(former.len(), 1);
    let params = json!({ "name": "crm.list_deals", "arguments": asked });
    let (status, refused) =
        post(dev.text("mcp_url"), agent["key"].as_str().unwrap(), "tools/call", params).await;
    assert_eq!((status, &refused["result"]), (503, &Value::Null), "{refused}");

    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let (status, _) = post(
            dev.text("mcp_url"),
            agent["key"].as_str().unwrap(),
            "tools/call",
            json!({ "name": "crm.list_deals", "arguments": asked }),
        )
        .await;
        if status == 200 {
            break;
        }
        assert!(Instant::now() < patience, "no new lease was taken");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let nodes: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT id FROM nodes WHERE lease_until > clock_timestamp()")
            .fetch_all(&mut owner)
            .await
            .unwrap();
    assert!(nodes.len() == 1 && nodes != former, "{nodes:?}");
    assert!(dev.stop().0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_was_cut_off_is_done_again() {
    let data = Data::new("cut-off");
    let mut first = program()
        .args(["dev", "--json", "--port", "0", "--data"])
        .arg(&data.0)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(first.stderr.take().unwrap());
    let begun = said.lines().map(Result::unwrap).any(|line| line.contains("a week of calls"));
    assert!(begun);
    tokio::time::sleep(Duration::from_millis(500)).await;
    first.kill().unwrap();
    first.wait().unwrap();

    let dev = Dev::start(&data.0);
    let (well, companies) =
        call(&dev, &dev.ready["agents"][1], "crm.list_companies", json!({ "limit": 100 })).await;
    assert!(well, "{companies}");
    let companies: Value = serde_json::from_str(&companies).unwrap();
    assert_eq!(companies["companies"].as_array().unwrap().len(), 25, "each company once");
    assert_eq!(dev.admin(&["calls", "list", "--limit", "1000"]).as_array().unwrap().len(), 1000);
    assert!(dev.stop().0.success());
}

#[test]
fn killed_on_the_spot_it_takes_its_postgresql_with_it() {
    let data = Data::new("killed");
    let dev = Dev::start(&data.0);
    let socket = data.0.join("postgres/run/.s.PGSQL.5432");
    assert!(socket.exists());
    dev.kill();
    let patience = Instant::now() + Duration::from_secs(30);
    while socket.exists() {
        assert!(Instant::now() < patience, "PostgreSQL still runs");
        std::thread::sleep(Duration::from_millis(50));
    }
}

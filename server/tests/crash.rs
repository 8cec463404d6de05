//! `kill -9` under load, of the server and of PostgreSQL. Afterwards every call that the upstream server received is on
//! record, none reached it twice, and every admitted call has ended with one charge.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection, Row as _};

/// An upstream MCP server that keeps what it received.
#[derive(Clone, Default)]
struct Upstream {
    /// How often each `n` arrived.
    received: Arc<Mutex<HashMap<u64, u32>>>,
}

impl Upstream {
    async fn start(&self) -> SocketAddr {
        let upstream = self.clone();
        let answer = move |Json(request): Json<Value>| {
            let upstream = upstream.clone();
            async move { upstream.answer(&request).await }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = axum::Router::new().route("/mcp", axum::routing::post(answer));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        address
    }

    async fn answer(&self, request: &Value) -> Response {
        let result = match request["method"].as_str().unwrap() {
            "initialize" => json!({
                "protocolVersion": "2025-11-25",
                "capabilities": { "tools": {} },
                "serverInfo": { "name": "counter", "version": "1" },
            }),
            "tools/list" => json!({ "tools": [{
                "name": "count",
                "description": "Counts.",
                "inputSchema": { "type": "object", "properties": { "n": { "type": "integer" } } },
            }] }),
            "tools/call" => {
                let n = request["params"]["arguments"]["n"].as_u64().unwrap();
                *self.received.lock().entry(n).or_default() += 1;
                // Long enough for some to be under way when the axe falls.
                tokio::time::sleep(Duration::from_millis(20)).await;
                json!({ "content": [{ "type": "text", "text": n.to_string() }] })
            }
            _ => return axum::http::StatusCode::ACCEPTED.into_response(),
        };
        Json(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result })).into_response()
    }
}

/// A whole installation on a data folder.
struct Dev {
    process: Child,
    ready: Value,
}

impl Dev {
    fn start(data: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_workingagents"))
            .args(["dev", "--json", "--port", "0", "--data"])
            .arg(data)
            .env_remove("DATABASE_URL")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Self { process, ready }
    }

    fn text(&self, name: &str) -> String {
        self.ready[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.ready)).to_owned()
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn admin(&self, arguments: &[&str]) {
        let output = Command::new(env!("CARGO_BIN_EXE_workingagents"))
            .args(["--config", &self.text("config_file"), "admin", "--tenant", "demo"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        if !matches!(self.process.try_wait(), Ok(None)) {
            return;
        }
        // Asks for an orderly end, so that the cluster goes with it.
        signal(self.process.id(), Signal::TERM);
        let patience = Instant::now() + Duration::from_secs(20);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
    }
}

/// Callers that never stop trying; each call has a number of its own.
struct Load {
    stop: Arc<AtomicBool>,
    next: Arc<AtomicU64>,
    answered: Arc<AtomicU64>,
    endpoint: Arc<Mutex<(String, String)>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(dev: &Dev) -> Self {
        let mut load = Self {
            stop: Arc::default(),
            next: Arc::default(),
            answered: Arc::default(),
            endpoint: Arc::new(Mutex::new(endpoint(dev))),
            tasks: Vec::new(),
        };
        let client =
            hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
        for _ in 0..16 {
            let (stop, next, answered, endpoint) =
                (load.stop.clone(), load.next.clone(), load.answered.clone(), load.endpoint.clone());
            let client: hyper_util::client::legacy::Client<_, http_body_util::Full<bytes::Bytes>> =
                client.clone();
            load.tasks.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let (url, key) = endpoint.lock().clone();
                    let body = format!(
                        r#"{{"jsonrpc":"2.0","id":{n},"method":"tools/call","params":{{"name":"counter.count","arguments":{{"n":{n}}}}}}}"#
                    );
                    let request = http::Request::post(url)
                        .header("content-type", "application/json")
                        .header("accept", "application/json, text/event-stream")
                        .header("mcp-protocol-version", "2025-11-25")
                        .header("authorization", format!("Bearer {key}"))
                        .body(body.into())
                        .unwrap();
                    match client.request(request).await {
                        Ok(response) if response.status().is_success() => {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                }
            }));
        }
        load
    }

    async fn answers_more(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        let patience = Instant::now() + Duration::from_secs(60);
        while self.answered.load(Ordering::Relaxed) < before + 50 {
            assert!(Instant::now() < patience, "no calls are answered any more");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.answered.load(Ordering::Relaxed)
    }
}

fn endpoint(dev: &Dev) -> (String, String) {
    let agents = dev.ready["agents"].as_array().unwrap();
    (dev.text("mcp_url"), agents[0]["key"].as_str().unwrap().to_owned())
}

fn kill_postgres(data: &Path) {
    let pid = std::fs::read_to_string(data.join("postgres/data/postmaster.pid")).unwrap();
    signal(pid.lines().next().unwrap().parse().unwrap(), Signal::KILL);
}

/// By the system's own call: the program `kill` is not on every machine.
fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

async fn count(conn: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}

/// A folder that any user can get to, since PostgreSQL runs as another.
fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("workingagents-crash-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_every_received_call_is_on_record_once() {
    let data = folder();
    let upstream = Upstream::default();
    let address = upstream.start().await;
    let mut dev = Dev::start(&data);
    let agent = dev.ready["agents"][0]["name"].as_str().unwrap().to_owned();
    let url = format!("http://{address}/mcp");
    dev.admin(&["module", "add", "--name", "counter", "--title", "Counter", "--url", &url, "--approve-all"]);
    dev.admin(&["grant", "give", "--key", "counter", "--agent", &agent]);
    let price = ["module", "price", "--tool", "counter.count", "--amount", "0.01", "--currency", "EUR"];
    dev.admin(&price);

    let load = Load::start(&dev);
    for round in 0..3u64 {
        load.answers_more().await;
        tokio::time::sleep(Duration::from_millis(137 * round)).await;
        dev.kill();
        dev = Dev::start(&data);
        *load.endpoint.lock() = endpoint(&dev);
        load.answers_more().await;
        kill_postgres(&data);
    }
    load.answers_more().await;
    let answered = load.finish().await;

    let mut database = PgConnection::connect(&dev.text("admin_database_url")).await.unwrap();
    // What was cut off is settled once the dead node's lease and the grace are over.
    let open = "SELECT count(*) FROM calls c LEFT JOIN settlements s ON s.tenant_id = c.tenant_id AND s.call_id = c.id
                WHERE c.tool_name = 'counter.count' AND c.verdict = 'permit' AND s.call_id IS NULL";
    let patience = Instant::now() + Duration::from_secs(60);
    while count(&mut database, open).await > 0 {
        assert!(Instant::now() < patience, "{} calls never end", count(&mut database, open).await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    let received = upstream.received.lock().clone();
    let digests: HashMap<Vec<u8>, String> = sqlx::query(
        "SELECT c.arguments_digest, s.outcome FROM calls c JOIN settlements s ON s.tenant_id = c.tenant_id AND s.call_id = c.id
         WHERE c.tool_name = 'counter.count'",
    )
    .fetch_all(&mut database)
    .await
    .unwrap()
    .iter()
    .map(|row| (row.get(0), row.get(1)))
    .collect();
    let mut outcomes: HashMap<&str, u32> = HashMap::new();
    for (n, times) in &received {
        assert_eq!(*times, 1, "call {n} reached the upstream server more than once");
        let digest = Sha256::digest(format!(r#"{{"n":{n}}}"#)).to_vec();
        let outcome =
            digests.get(&digest).unwrap_or_else(|| panic!("call {n} was received and is not on record"));
        assert_ne!(outcome, "not_sent", "call {n} was received and is on record as not sent");
        *outcomes.entry(outcome).or_default() += 1;
    }
    let charges = count(
        &mut database,
        "SELECT count(*) FROM charges ch JOIN calls c ON c.tenant_id = ch.tenant_id AND c.id = ch.call_id
         WHERE c.tool_name = 'counter.count'",
    )
    .await;
    assert_eq!(charges, i64::try_from(digests.len()).unwrap(), "each settled call has one charge");
    println!("{answered} answered, {} received, {} on record: {outcomes:?}", received.len(), digests.len());
    assert!(outcomes.contains_key("interrupted"), "something was cut off: {outcomes:?}");
    assert!(received.len() > 300, "there was load: {}", received.len());
    drop(dev);
    let _ = std::fs::remove_dir_all(&data);
}

//! What is compared: the echo upstream called directly, through a gateway whose ledger forgets, and through the product as
//! it is run. Each is a process of its own; all of them live until the comparison is over.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::Deserialize;

use crate::caller::Door;
use crate::forgetful::MODULE;
use crate::processes::{Started, cpu_of, cpu_of_tree, find_below};
use crate::report::{DIRECT, WITH, WITHOUT};
use crate::{Failure, say};

/// `dev` makes a database, migrates it and loads the demo before it is ready.
const PATIENCE: Duration = Duration::from_secs(180);

/// Something to call.
pub(crate) struct Subject {
    /// Its name in the report.
    pub(crate) name: &'static str,
    /// Its MCP endpoint.
    pub(crate) door: Door,
    /// Other headers that it wants.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// The tool's name there.
    pub(crate) tool: String,
    /// The processes that a call costs time.
    pub(crate) watched: Watched,
}

/// Processes by the role they have.
pub(crate) type Watched = Vec<(&'static str, Watch)>;

/// Somebody else's gateway.
pub(crate) struct Other<'a> {
    pub(crate) name: &'a str,
    pub(crate) url: &'a str,
    pub(crate) headers: &'a [(HeaderName, HeaderValue)],
    pub(crate) tool: &'a str,
    pub(crate) pid: Option<u32>,
}

impl Other<'_> {
    pub(crate) fn subject(&self) -> Subject {
        let mut watched = vec![("load", Watch::Process(std::process::id()))];
        watched.extend(self.pid.map(|pid| ("other", Watch::Tree(pid))));
        Subject {
            // One name, for as long as the process is there.
            name: Box::leak(self.name.to_owned().into_boxed_str()),
            door: Door { url: self.url.to_owned(), key: String::new() },
            headers: self.headers.to_vec(),
            tool: self.tool.to_owned(),
            watched,
        }
    }
}

/// Whose processor time is read.
#[derive(Clone, Copy)]
pub(crate) enum Watch {
    /// One process.
    Process(u32),
    /// A process and everything below it.
    Tree(u32),
}

impl Stage {
    /// The process of the gateway without a ledger.
    pub(crate) fn bare_pid(&self) -> u32 {
        self.gateway.pid()
    }
}

impl Watch {
    /// Processor seconds until now.
    pub(crate) fn cpu(self) -> f64 {
        match self {
            Self::Process(pid) => cpu_of(pid),
            Self::Tree(pid) => cpu_of_tree(pid),
        }
    }
}

/// The processes of a comparison. Fields end in the order in which they stand here.
pub(crate) struct Stage {
    /// What is compared, in the order of the report.
    pub(crate) subjects: Vec<Subject>,
    /// The product's database as one who sees all rows.
    pub(crate) database_url: String,
    _product: Started,
    gateway: Started,
    _echo: Started,
}

/// A gateway without a ledger.
#[derive(Deserialize)]
pub(crate) struct Bare {
    /// One for each tenant.
    pub(crate) doors: Vec<Door>,
}

impl Bare {
    /// Starts one before `upstream`; `more` are further arguments.
    pub(crate) fn start(upstream: &str, more: &[&str], logs: &Path) -> Result<(Started, Self), Failure> {
        let mut command = Command::new(own()?);
        command.args(["gateway", "--end-with-stdin", "--upstream", upstream]).args(more);
        Started::start("the gateway without a ledger", &mut command, &logs.join("gateway.log"), PATIENCE)
    }

    /// The first tenant's.
    pub(crate) fn first(&self) -> Result<&Door, Failure> {
        self.doors.first().ok_or_else(|| Failure("the gateway without a ledger has no tenant".into()))
    }
}

fn own() -> Result<std::path::PathBuf, Failure> {
    std::env::current_exe().map_err(|wrong| Failure::of("finding the benchmark's own binary", wrong))
}

#[derive(Deserialize)]
struct EchoReady {
    url: String,
}

#[derive(Deserialize)]
struct DevReady {
    mcp_url: String,
    tenant: String,
    agents: Vec<ReadyAgent>,
    config_file: PathBuf,
    admin_database_url: String,
    pid: u32,
}

#[derive(Deserialize)]
struct ReadyAgent {
    name: String,
    key: String,
}

/// Starts everything. `binary` is the product, `data` where its database lies, `logs` what the processes say.
pub(crate) fn start(binary: &Path, data: &Path, logs: &Path, echo_port: u16) -> Result<Stage, Failure> {
    say("bench: starting the echo upstream");
    let mut command = Command::new(own()?);
    command.args(["echo", "--end-with-stdin", "--port", &echo_port.to_string()]);
    let log = logs.join("echo.log");
    let (echo, EchoReady { url: echo_url }) =
        Started::start("the echo upstream", &mut command, &log, PATIENCE)?;

    say("bench: starting the gateway without a ledger");
    let (gateway, bare) = Bare::start(&echo_url, &[], logs)?;

    say("bench: starting the product with its database");
    let mut command = Command::new(binary);
    command.args(["dev", "--json", "--port", "0", "--data"]).arg(data);
    let log = logs.join("workingagents.log");
    let (product, ready) = Started::start::<DevReady>("workingagents dev", &mut command, &log, PATIENCE)?;
    let agent = ready.agents.first().ok_or_else(|| Failure("the demo has no agents".into()))?;
    let admin = Admin { binary: binary.to_owned(), ready: &ready };
    admin.run(&[
        "module",
        "add",
        "--name",
        MODULE,
        "--title",
        "Bench echo",
        "--url",
        &echo_url,
        "--approve-all",
    ])?;
    admin.run(&["grant", "give", "--key", MODULE, "--agent", &agent.name])?;
    let postgres = find_below(product.pid(), "postgres")
        .ok_or_else(|| Failure("no PostgreSQL runs below workingagents dev".into()))?;

    let echo_time = ("echo", Watch::Process(echo.pid()));
    let load_time = ("load", Watch::Process(std::process::id()));
    let subjects = vec![
        Subject {
            name: DIRECT,
            door: Door { url: echo_url, key: String::new() },
            headers: Vec::new(),
            tool: "echo".into(),
            watched: vec![load_time, echo_time],
        },
        Subject {
            name: WITHOUT,
            door: bare.first()?.clone(),
            headers: Vec::new(),
            tool: format!("{MODULE}.echo"),
            watched: vec![load_time, echo_time, ("gateway", Watch::Process(gateway.pid()))],
        },
        Subject {
            name: WITH,
            door: Door { url: ready.mcp_url.clone(), key: agent.key.clone() },
            headers: Vec::new(),
            tool: format!("{MODULE}.echo"),
            watched: vec![
                load_time,
                echo_time,
                ("gateway", Watch::Process(ready.pid)),
                ("postgres", Watch::Tree(postgres)),
            ],
        },
    ];
    let database_url = ready.admin_database_url.clone();
    Ok(Stage { subjects, database_url, _product: product, gateway, _echo: echo })
}

struct Admin<'a> {
    binary: PathBuf,
    ready: &'a DevReady,
}

impl Admin<'_> {
    fn run(&self, words: &[&str]) -> Result<(), Failure> {
        let doing = || format!("workingagents admin {}", words.join(" "));
        let output = Command::new(&self.binary)
            .args(["admin", "--config"])
            .arg(&self.ready.config_file)
            .args(["--tenant", &self.ready.tenant, "--json"])
            .args(words)
            .output()
            .map_err(|wrong| Failure::of(&doing(), wrong))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Failure::of(&doing(), String::from_utf8_lossy(&output.stderr).trim()))
    }
}

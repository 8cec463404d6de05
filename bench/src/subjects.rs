//! What is compared: the echo upstream called directly, through a gateway whose ledger forgets, and through the product as
//! it is run. Each is a process of its own; all of them live until the comparison is over.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

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
    pub(crate) url: String,
    /// The bearer key it wants, or nothing.
    pub(crate) key: String,
    /// The tool's name there.
    pub(crate) tool: String,
    /// The processes that a call costs time, by the role they have.
    pub(crate) watched: Vec<(&'static str, Watch)>,
}

/// Whose processor time is read.
#[derive(Clone, Copy)]
pub(crate) enum Watch {
    /// One process.
    Process(u32),
    /// A process and everything below it.
    Tree(u32),
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
    _gateway: Started,
    _echo: Started,
}

#[derive(Deserialize)]
struct GatewayReady {
    url: String,
    key: String,
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
pub(crate) fn start(binary: &Path, data: &Path, logs: &Path) -> Result<Stage, Failure> {
    let own =
        std::env::current_exe().map_err(|wrong| Failure::of("finding the benchmark's own binary", wrong))?;
    say("bench: starting the echo upstream");
    let mut command = Command::new(&own);
    command.args(["echo", "--end-with-stdin"]);
    let log = logs.join("echo.log");
    let (echo, EchoReady { url: echo_url }) =
        Started::start("the echo upstream", &mut command, &log, PATIENCE)?;

    say("bench: starting the gateway without a ledger");
    let mut command = Command::new(&own);
    command.args(["gateway", "--end-with-stdin", "--upstream", &echo_url]);
    let log = logs.join("gateway.log");
    let (gateway, bare) =
        Started::start::<GatewayReady>("the gateway without a ledger", &mut command, &log, PATIENCE)?;

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
            url: echo_url,
            key: String::new(),
            tool: "echo".into(),
            watched: vec![load_time, echo_time],
        },
        Subject {
            name: WITHOUT,
            url: bare.url,
            key: bare.key,
            tool: format!("{MODULE}.echo"),
            watched: vec![load_time, echo_time, ("gateway", Watch::Process(gateway.pid()))],
        },
        Subject {
            name: WITH,
            url: ready.mcp_url.clone(),
            key: agent.key.clone(),
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
    Ok(Stage { subjects, database_url, _product: product, _gateway: gateway, _echo: echo })
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

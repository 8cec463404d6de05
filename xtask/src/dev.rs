//! `cargo xtask dev`: a running WorkingAgents with a demo tenant, from nothing.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use crate::build;
use crate::failure::{Failure, Result, at};
use crate::machine::postgres;
use crate::progress::say;
use crate::run::{self, line_of};
use crate::workspace::{binary, root, site};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The dashboard's port; 0 takes any free one.
    #[arg(long)]
    port: Option<u16>,
    /// Where the private PostgreSQL and the demo tenant live; made if it is not there [default: .dev in the repository].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Optimize the server; slow to compile, fast to run.
    #[arg(long)]
    release: bool,
    /// Say "ready" as one JSON object on stdout, and nothing else there.
    #[arg(long)]
    json: bool,
    /// Further arguments for `workingagents dev`.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Does not return if all goes well: this process becomes the server.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    postgres::programs()?;
    build::everything(&build::Arguments { release: arguments.release })?;
    let data = match &arguments.data {
        Some(folder) => std::path::absolute(folder).map_err(at("finding", folder))?,
        None => root().join(".dev"),
    };

    let mut command = Command::new(binary("workingagents", arguments.release));
    command.arg("dev").arg("--data").arg(data).arg("--site").arg(site());
    if let Some(port) = arguments.port {
        command.arg("--port").arg(port.to_string());
    }
    if arguments.json {
        command.arg("--json");
    }
    command.args(&arguments.rest);
    run::unless_interrupted()?;
    say(line_of(&command));
    let source = command.exec();
    Err(Failure::Start { program: line_of(&command), source })
}

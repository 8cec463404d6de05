//! `cargo xtask test`: prepares what tests need and runs all of them.

use std::env;
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::cluster::Cluster;
use crate::e2e::{self, Suite};
use crate::failure::{Failure, Result};
use crate::progress::say;
use crate::run;
use crate::workspace::{PRODUCT, TOOLS, cargo, on_path};

/// Tells tests where a PostgreSQL is that they may use as they like. Set from outside, it is taken as it is.
const DATABASE: &str = "WORKINGAGENTS_TEST_DATABASE_URL";

#[derive(Args, Default)]
pub(crate) struct Arguments {
    /// Run one part alone.
    #[arg(long)]
    only: Option<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Tests inside the crates and in their documentation.
    Unit,
    /// Tests in the crates' tests folders, against a real PostgreSQL.
    Database,
    /// A running server and real MCP clients.
    Protocol,
    /// A running server and a real browser.
    Browser,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut closing = Vec::new();
    let mut failed = Vec::new();
    let mut note = |(mut lines, outcome): (Vec<String>, Result<()>)| {
        closing.append(&mut lines);
        match outcome {
            // What is broken for one part need not be for the next, and all of it is worth knowing.
            Err(failure @ (Failure::Command { .. } | Failure::Several(_))) => {
                failed.push(failure.to_string());
                Ok(())
            }
            other => other,
        }
    };
    let only = arguments.only;
    if matches!(only, None | Some(Part::Unit | Part::Database)) {
        let cluster = database()?;
        note(run::run_and_recall("tests of the product", &mut product(only, cluster.as_ref()), is_summary))?;
        drop(cluster);
    }
    if matches!(only, None | Some(Part::Unit)) {
        let mut documentation = cargo();
        documentation.args(["test", "--doc", "--quiet"]).args(PRODUCT);
        note(run::run_and_recall("tests in the documentation", &mut documentation, is_summary))?;
        for tool in TOOLS {
            let mut command = runner();
            command.args(["--package", tool]);
            note(run::run_and_recall(&format!("tests of {tool}"), &mut command, is_summary))?;
        }
    }
    let suite = match only {
        None => Some(Suite::All),
        Some(Part::Protocol) => Some(Suite::Protocol),
        Some(Part::Browser) => Some(Suite::Browser),
        Some(Part::Unit | Part::Database) => None,
    };
    if let Some(suite) = suite {
        note(e2e::run(suite, false))?;
    }
    for line in closing {
        println!("{line}");
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::Several(failed)) }
}

/// The PostgreSQL of this run, unless somebody lends us one.
fn database() -> Result<Option<Cluster>> {
    if env::var_os(DATABASE).is_some() {
        say(format_args!("using the PostgreSQL of {DATABASE}"));
        return Ok(None);
    }
    Cluster::start().map(Some)
}

fn product(only: Option<Part>, cluster: Option<&Cluster>) -> Command {
    let mut command = runner();
    command.args(PRODUCT);
    match only {
        Some(Part::Unit) => command.args(["--lib", "--bins"]),
        Some(Part::Database) => command.args(["--test", "*"]),
        // All of them, but not the documentation's, which come after.
        _ => command.args(["--tests"]),
    };
    if let Some(cluster) = cluster {
        command.env(DATABASE, cluster.url("postgres"));
    }
    command
}

/// nextest where it is installed, else cargo's own.
fn runner() -> Command {
    let mut command = cargo();
    if on_path(&["cargo-nextest"]).is_some() {
        command.args(["nextest", "run"]);
    } else {
        command.args(["test", "--no-fail-fast"]);
    }
    command
}

/// The lines with which nextest closes, and cargo's own runner where it ran anything. What nextest repeats of a failed
/// test is indented.
fn is_summary(line: &str) -> bool {
    let nextest = line.trim_start().starts_with("Summary [") && line.contains("tests run");
    let cargo = line.starts_with("test result:") && !line.contains(" 0 passed; 0 failed");
    nextest || cargo
}

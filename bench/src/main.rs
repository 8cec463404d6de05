//! Measuring WorkingAgents: a fast echo upstream, a load generator, and the comparison of a direct call with a
//! governed one. `bench/README.md` says what the numbers mean.

mod caller;
mod compare;
mod disk;
mod echo;
mod forgetful;
mod load;
mod message;
mod processes;
mod record;
mod report;
mod round;
mod schedule;
mod setting;
mod subjects;
mod tally;
mod tenant;
mod wide;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What stopped a measurement, in one sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(pub(crate) String);

impl Failure {
    /// Says what was being done and what went wrong.
    pub(crate) fn of(doing: &str, wrong: impl std::fmt::Display) -> Self {
        Self(format!("{doing}: {wrong}"))
    }
}

/// Measures WorkingAgents: the echo called directly, through the gateway without a ledger, and through the whole product.
#[derive(Parser)]
#[command(name = "bench", version, args_conflicts_with_subcommands = true)]
struct Line {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    compare: compare::Options,
}

/// The parts of a comparison, for use by themselves.
#[derive(Subcommand)]
enum Command {
    /// The whole comparison; the same as no command at all.
    Run(compare::Options),
    /// An upstream MCP server with one tool, `echo`, that costs as little as it can.
    Echo(echo::Options),
    /// The gateway before `echo`, with a ledger that remembers nothing.
    Gateway(forgetful::Options),
    /// Calls one tool of one MCP endpoint and reports how long the answers took.
    Load(load::Options),
    /// Many callers, tools and tenants, large results, and memory.
    Wide(wide::Options),
    /// A large organization, and how long each page of its dashboard takes.
    Tenant(tenant::Options),
}

fn main() -> ExitCode {
    let line = Line::parse();
    let done = match line.command {
        None => compare::run(line.compare),
        Some(Command::Run(options)) => compare::run(options),
        Some(Command::Echo(options)) => echo::run(options),
        Some(Command::Gateway(options)) => forgetful::run(options),
        Some(Command::Load(options)) => load::run(options),
        Some(Command::Wide(options)) => wide::run(options),
        Some(Command::Tenant(options)) => tenant::run(options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say_wrong(&failure);
            ExitCode::FAILURE
        }
    }
}

/// One line to the person at the terminal; stdout is for results.
#[allow(clippy::print_stderr, reason = "a command-line tool speaks to its terminal")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

fn say_wrong(failure: &Failure) {
    say(&format!("bench: {failure}"));
}

/// One line of results to stdout; a reader that went away is not our failure.
pub(crate) fn print(line: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

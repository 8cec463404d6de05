//! `cargo xtask`: what a developer and CI do with this repository, each by one command that gets what it needs and says
//! what it is doing.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks to its terminal")]

mod bench;
mod build;
mod ci;
mod cluster;
mod dependencies;
mod dev;
mod e2e;
mod failure;
mod fuzz;
mod machine;
mod progress;
mod queries;
mod run;
mod test;
mod wasm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Builds, runs and tests WorkingAgents")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run WorkingAgents with a demo tenant on a private PostgreSQL.
    Dev(dev::Arguments),
    /// Build the server and the site folder.
    Build(build::Arguments),
    /// Prepare what tests need and run all of them.
    Test(test::Arguments),
    /// Run real MCP clients and a browser against a real server.
    E2e(e2e::Arguments),
    /// Take pictures of every page, to be looked at.
    Screenshots,
    /// Measure throughput and latency, optimized.
    Bench(bench::Arguments),
    /// Fuzz what reads bytes from outside.
    Fuzz(fuzz::Arguments),
    /// Record what the database says about the checked queries.
    Sqlx(queries::Arguments),
    /// Check licences, bans and sources of what we depend on.
    Deny,
    /// Everything that must hold before a change lands.
    Ci,
}

fn main() -> ExitCode {
    progress::begin();
    let outcome = run::watch_signals().and_then(|()| match CommandLine::parse().command {
        Command::Dev(arguments) => dev::run(&arguments),
        Command::Build(arguments) => build::everything(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::E2e(arguments) => e2e::command(&arguments),
        Command::Screenshots => e2e::screenshots(),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Sqlx(arguments) => queries::record(&arguments),
        Command::Deny => dependencies::check(),
        Command::Ci => ci::run(),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            progress::say(format_args!("error: {failure}"));
            failure.exit_code()
        }
    }
}

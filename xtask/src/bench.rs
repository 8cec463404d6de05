//! `cargo xtask bench`: optimized programs and the benchmark over them.

use std::process::Command;

use clap::Args;

use crate::build;
use crate::failure::Result;
use crate::machine::postgres;
use crate::run;
use crate::workspace::{binary, root};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Arguments for the benchmark itself; `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    postgres::programs()?;
    build::everything(&build::Arguments { release: true })?;
    build::program("bench", "bench", true)?;
    let mut command = Command::new(binary("bench", true));
    command.args(&arguments.rest).current_dir(root());
    command.env("WORKINGAGENTS_BIN", binary("workingagents", true));
    run::run_and_recall("benchmark", &mut command, |_| false).1
}

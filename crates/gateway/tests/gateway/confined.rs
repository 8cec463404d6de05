//! Becomes a program as the server does: called with a plan and a command.

#![allow(clippy::print_stderr)]

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let plan = arguments.next().unwrap_or_default();
    let command: Vec<OsString> = arguments.collect();
    eprintln!("{}", gateway::become_confined(&plan.to_string_lossy(), &command));
    ExitCode::FAILURE
}

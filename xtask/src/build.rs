//! Builds the server's program and the site folder.

use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use crate::failure::Result;
use crate::run;
use crate::wasm;
use crate::workspace::{PRODUCT, binary, cargo, root, site, target};

/// The most bytes that the compressed islands may have: what a phone on a slow line loads in about a second.
const WASM_LIMIT: u64 = 150_000;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Optimize the server; slow to compile, fast to run.
    #[arg(long)]
    pub(crate) release: bool,
}

pub(crate) fn everything(arguments: &Arguments) -> Result<()> {
    front_end()?;
    program("server", "workingagents", arguments.release)
}

/// Compiles one program of the product: optimized as it is shipped, by itself; otherwise as the tests do, which then
/// find most of their work done.
pub(crate) fn program(package: &str, name: &str, release: bool) -> Result<()> {
    one("--bin", package, name, release)
}

/// Compiles one example in the same way, and returns where it is.
pub(crate) fn example(package: &str, name: &str, release: bool) -> Result<PathBuf> {
    one("--example", package, name, release)?;
    Ok(binary("examples", release).join(name))
}

fn one(kind: &str, package: &str, name: &str, release: bool) -> Result<()> {
    let mut command = cargo();
    command.args(["build", kind, name]);
    if release {
        command.args(["--release", "--package", package]);
    } else {
        command.args(PRODUCT);
    }
    run::run(&format!("{name}: compiling"), &mut command)
}

/// Fills `target/site`: islands, their glue, style, fonts, each with its compressed twin.
pub(crate) fn front_end() -> Result<()> {
    let wasm = wasm::islands()?;
    run::run("front: compiling", cargo().args(["build", "--package", "front"]))?;
    let mut command = Command::new(binary("front", false));
    command.arg("--wasm").arg(wasm);
    command.arg("--style").arg(root().join("style"));
    command.arg("--glue").arg(target().join("front/glue"));
    command.arg("--site").arg(site());
    command.arg("--lock").arg(root().join("Cargo.lock"));
    command.arg("--limit").arg(WASM_LIMIT.to_string());
    run::run("site: glue, style and static files", &mut command)
}

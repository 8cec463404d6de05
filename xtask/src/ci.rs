//! `cargo xtask ci`: everything that must hold before a change lands, the cheap checks first.

use crate::failure::Result;
use crate::queries;
use crate::test;
use crate::workspace::cargo;
use crate::{dependencies, machine, run, wasm};

pub(crate) fn run() -> Result<()> {
    machine::warn_if_disk_is_short();
    run::run("format", cargo().args(["fmt", "--all", "--check"]))?;
    dependencies::check()?;
    queries::record(&queries::Arguments { check: true })?;
    let mut clippy = cargo();
    clippy.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--keep-going",
        "--",
        "-D",
        "warnings",
    ]);
    run::run("clippy: workspace", &mut clippy)?;
    wasm::lint_islands()?;
    // Everywhere else the whole workspace is compiled at once, where one crate's features can make up for another's.
    run::run(
        "the server alone, as it is shipped",
        cargo().args(["check", "--package", "server", "--locked"]),
    )?;
    test::run(&test::Arguments::default())
}

//! Licences, sources and bans of everything we depend on, by cargo-deny and deny.toml.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Result;
use crate::machine::version;
use crate::progress::say;
use crate::run::{self, answer};
use crate::workspace::{cargo, on_path, root, target};

/// What we install where there is none, and the oldest that understands deny.toml.
const PINNED: &str = "0.20.2";
const OLDEST: (u32, u32) = (0, 18);

pub(crate) fn check() -> Result<()> {
    let program = program()?;
    // Advisories would need a database from the network; CI must not.
    run::run(
        "dependencies: licences, bans, sources",
        Command::new(program)
            .args([
                "--all-features",
                "--locked",
                "--log-level",
                "warn",
                "check",
                "--hide-inclusion-graph",
                "licenses",
                "bans",
                "sources",
            ])
            .current_dir(root()),
    )
}

/// A cargo-deny of the machine, or our own in the target folder.
fn program() -> Result<PathBuf> {
    let home = target().join("tools");
    let own = home.join("bin/cargo-deny");
    for candidate in [on_path(&["cargo-deny"]), Some(own.clone())].into_iter().flatten() {
        if suffices(&candidate) {
            return Ok(candidate);
        }
    }
    say("cargo-deny is missing; compiling it takes two or three minutes");
    run::run(
        &format!("cargo install cargo-deny@{PINNED}"),
        cargo()
            .args(["install", "--locked", "--quiet", &format!("cargo-deny@{PINNED}"), "--root"])
            .arg(&home)
            .arg("--target-dir")
            .arg(home.join("build")),
    )?;
    Ok(own)
}

fn suffices(program: &Path) -> bool {
    answer(Command::new(program).arg("--version"))
        .is_ok_and(|said| version(&said).is_some_and(|found| found >= OLDEST))
}

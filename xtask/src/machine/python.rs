//! Python with the packages of the end-to-end tests, in an environment of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::install;
use crate::failure::{Result, at};
use crate::run;
use crate::workspace::on_path;

/// Returns a python that has what `requirements` names; `environment` is made anew when that has changed.
pub(crate) fn ready(requirements: &Path, environment: &Path) -> Result<PathBuf> {
    let wanted = fs::read(requirements).map_err(at("reading", requirements))?;
    let stamp = environment.join("installed-requirements.txt");
    let python = environment.join("bin/python");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) && works(&python) {
        return Ok(python);
    }
    if environment.exists() {
        fs::remove_dir_all(environment).map_err(at("removing", environment))?;
    }
    let machines = on_path(&["python3"]).filter(|python| has_venv(python));
    let machines = match machines {
        Some(python) => python,
        None => {
            install("Python with venv", &["python3", "python3-venv"])?;
            PathBuf::from("/usr/bin/python3")
        }
    };
    run::run("python: making an environment", Command::new(machines).args(["-m", "venv"]).arg(environment))?;
    run::run(
        "python: packages of the end-to-end tests",
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(requirements),
    )?;
    fs::write(&stamp, wanted).map_err(at("writing", &stamp))?;
    Ok(python)
}

fn works(python: &Path) -> bool {
    run::answer(Command::new(python).args(["-c", "pass"])).is_ok()
}

/// Debian ships Python without the parts that make an environment.
fn has_venv(python: &Path) -> bool {
    run::answer(Command::new(python).args(["-c", "import venv, ensurepip"])).is_ok()
}

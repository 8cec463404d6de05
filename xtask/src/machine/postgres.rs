//! PostgreSQL's programs, version 15 or newer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{install, version};
use crate::failure::{Failure, Result};
use crate::progress::say;
use crate::run::answer;
use crate::workspace::on_path;

const OLDEST: u32 = 15;

/// Names a folder with `postgres`, `initdb` and `psql` that is to be used whatever else is there.
const FORCED: &str = "WORKINGAGENTS_POSTGRES_BIN";

pub(crate) struct Programs {
    pub(crate) folder: PathBuf,
}

impl Programs {
    pub(crate) fn command(&self, name: &str) -> Command {
        Command::new(self.folder.join(name))
    }
}

/// Finds the newest PostgreSQL on this machine, or installs Debian's.
pub(crate) fn programs() -> Result<Programs> {
    if let Some(forced) = std::env::var_os(FORCED) {
        let folder = PathBuf::from(forced);
        return match major(&folder) {
            Some(found) if found >= OLDEST => Ok(Programs { folder }),
            _ => Err(Failure::Missing {
                what: format!("PostgreSQL {OLDEST} or newer"),
                how: format!("{FORCED} names {}, which has none.", folder.display()),
            }),
        };
    }
    if let Some(found) = newest() {
        return Ok(found);
    }
    install(&format!("PostgreSQL {OLDEST} or newer"), &["postgresql"])?;
    newest().ok_or_else(|| Failure::Missing {
        what: format!("PostgreSQL {OLDEST} or newer"),
        how: format!(
            "The package postgresql of this system is older; install a newer one and name its folder of programs in {FORCED}."
        ),
    })
}

fn newest() -> Option<Programs> {
    let mut folders = below(Path::new("/usr/lib/postgresql"), "bin");
    folders.extend(
        below(Path::new("/usr"), "bin").into_iter().filter(|path| path.to_string_lossy().contains("pgsql-")),
    );
    folders.extend(
        below(Path::new("/opt/homebrew/opt"), "bin")
            .into_iter()
            .filter(|path| path.to_string_lossy().contains("postgresql")),
    );
    folders.extend(on_path(&["postgres"]).and_then(|program| program.parent().map(Path::to_path_buf)));
    let (found, folder) = folders
        .into_iter()
        .filter_map(|folder| Some((major(&folder)?, folder)))
        .filter(|(found, _)| *found >= OLDEST)
        .max_by_key(|(found, _)| *found)?;
    say(format_args!("PostgreSQL {found} in {}", folder.display()));
    Some(Programs { folder })
}

/// `folder/*/name` for every folder there is.
fn below(folder: &Path, name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path().join(name)).filter(|path| path.is_dir()).collect()
}

fn major(folder: &Path) -> Option<u32> {
    if !folder.join("initdb").is_file() || !folder.join("psql").is_file() {
        return None;
    }
    let said = answer(Command::new(folder.join("postgres")).arg("--version")).ok()?;
    version(&said).map(|(major, _)| major)
}

//! Finds PostgreSQL's own programs on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest major version that will do.
const OLDEST: u32 = 15;
/// Names a folder with `postgres` and `initdb` that is to be used whatever else is there.
const FORCED: &str = "WORKINGAGENTS_POSTGRES_BIN";

/// A folder with `postgres` and `initdb`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Programs {
    pub(super) folder: PathBuf,
    pub(super) major: u32,
}

impl Programs {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// No programs that will do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotInstalled {
    #[error(
        "PostgreSQL {OLDEST} or newer is not installed here. Install it (Debian, Ubuntu: apt-get install postgresql), name \
         the folder of its programs in {FORCED}, or give the address of a database in DATABASE_URL"
    )]
    Nowhere,
    #[error("{FORCED} names {0}, which has no PostgreSQL {OLDEST} or newer")]
    Forced(PathBuf),
    #[error(
        "the data in {data} is of PostgreSQL {wanted}, which is not installed here. Install it, or begin anew with another --data"
    )]
    Major { data: PathBuf, wanted: u32 },
}

/// The newest programs that will do; or, for data that is there already, those of its major version.
pub(super) fn find(data: &Path) -> Result<Programs, NotInstalled> {
    let wanted = major_of_data(data);
    let fits = |found: &Programs| found.major >= OLDEST && wanted.is_none_or(|wanted| wanted == found.major);
    if let Some(forced) = std::env::var_os(FORCED) {
        let folder = PathBuf::from(forced);
        return programs(folder.clone()).filter(fits).ok_or(NotInstalled::Forced(folder));
    }
    let found = candidates().into_iter().filter_map(programs).filter(fits).max_by_key(|found| found.major);
    found.ok_or_else(|| match wanted {
        Some(wanted) => NotInstalled::Major { data: data.to_owned(), wanted },
        None => NotInstalled::Nowhere,
    })
}

/// As `PG_VERSION` in the data says.
fn major_of_data(data: &Path) -> Option<u32> {
    std::fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// Where distributions put them.
fn candidates() -> Vec<PathBuf> {
    let below = |folder: &str, name: &str| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().join(name)).collect::<Vec<_>>()
    };
    let mut folders = below("/usr/lib/postgresql", "bin");
    folders.extend(below("/usr", "bin").into_iter().filter(|path| path.to_string_lossy().contains("pgsql")));
    folders.push("/usr/local/pgsql/bin".into());
    folders.extend(below("/opt/homebrew/opt", "bin"));
    folders.extend(below("/usr/local/opt", "bin"));
    folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    folders
}

fn programs(folder: PathBuf) -> Option<Programs> {
    if !folder.join("initdb").is_file() || !folder.join("postgres").is_file() {
        return None;
    }
    let said = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let major = major(&String::from_utf8_lossy(&said.stdout))?;
    Some(Programs { folder, major })
}

/// 15 of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn major(said: &str) -> Option<u32> {
    let version = said.split_once("(PostgreSQL) ")?.1;
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version.get(..digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_postgres_says() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("something else 15"), None);
    }
}

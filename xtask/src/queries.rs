//! Records what PostgreSQL says about the checked queries into `.sqlx`, so that everybody else compiles without a
//! database, and tells when that record is no longer true.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;

use crate::cluster::Cluster;
use crate::failure::{Failure, Result, at};
use crate::progress::say;
use crate::run;
use crate::workspace::{cargo, root, target};

/// The crate that has SQL.
const PACKAGE: &str = "control";

#[derive(Args)]
pub(crate) struct Arguments {
    /// Change nothing; fail if the record differs from what the database says now.
    #[arg(long)]
    pub(crate) check: bool,
}

pub(crate) fn record(arguments: &Arguments) -> Result<()> {
    let recorded = root().join(".sqlx");
    let fresh = target().join("sqlx-record");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(at("clearing", &fresh))?;
    }
    fs::create_dir_all(&fresh).map_err(at("creating", &fresh))?;

    let cluster = Cluster::start()?;
    let url = cluster.migrated_database("queries", &root().join("migrations"))?;
    ask(&url, &fresh)?;
    drop(cluster);

    let (before, after) = (queries(&recorded)?, queries(&fresh)?);
    if after.is_empty() {
        return Err(Failure::Other(format!(
            "compiling {PACKAGE} asked the database nothing, which cannot be right"
        )));
    }
    if arguments.check { compare(&before, &after) } else { replace(&recorded, &before, &after) }
}

/// Compiles the crate against the database; its macros write what they learn into `folder`.
fn ask(url: &str, folder: &Path) -> Result<()> {
    // The macros run only when the crate is compiled, and cargo does not know that their answer can change. The flag
    // makes this compilation one of its own, which no other build of the crate can satisfy.
    let source = Touched::now(&root().join("crates").join(PACKAGE).join("src/lib.rs"))?;
    let outcome = run::run(
        "sqlx: compiling the queries against the database",
        cargo()
            .args([
                "rustc",
                "--package",
                PACKAGE,
                "--lib",
                "--profile",
                "check",
                "--",
                "--cfg",
                "recording_queries",
            ])
            .env("DATABASE_URL", url)
            .env("SQLX_OFFLINE", "false")
            .env("SQLX_OFFLINE_DIR", folder),
    );
    drop(source);
    outcome
}

/// The recorded files by name.
fn queries(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    if folder.exists() {
        for entry in fs::read_dir(folder).map_err(at("reading", folder))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("query-") {
                found.insert(name, fs::read(entry.path()).map_err(at("reading", &entry.path()))?);
            }
        }
    }
    Ok(found)
}

/// Makes the record equal to what was just learnt; unchanged files are left alone.
fn replace(
    recorded: &Path,
    before: &BTreeMap<String, Vec<u8>>,
    after: &BTreeMap<String, Vec<u8>>,
) -> Result<()> {
    fs::create_dir_all(recorded).map_err(at("creating", recorded))?;
    let mut changed = 0;
    for (name, bytes) in after.iter().filter(|(name, bytes)| before.get(*name) != Some(*bytes)) {
        fs::write(recorded.join(name), bytes).map_err(at("writing", &recorded.join(name)))?;
        changed += 1;
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        fs::remove_file(recorded.join(name)).map_err(at("removing", &recorded.join(name)))?;
        changed += 1;
    }
    say(format_args!("sqlx: {} queries on record, {changed} files changed", after.len()));
    Ok(())
}

fn compare(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let mut wrong = Vec::new();
    for (name, bytes) in after {
        match before.get(name) {
            None => wrong.push(format!("  missing   .sqlx/{name}")),
            Some(recorded) if recorded != bytes => wrong.push(format!("  differs   .sqlx/{name}")),
            Some(_) => {}
        }
    }
    let unused = before.keys().filter(|name| !after.contains_key(*name));
    wrong.extend(unused.map(|name| format!("  unused    .sqlx/{name}")));
    if wrong.is_empty() {
        say(format_args!("sqlx: the record of {} queries is true", after.len()));
        return Ok(());
    }
    Err(Failure::Other(format!(
        "the record of queries is out of date; run `cargo xtask sqlx` and commit .sqlx:\n{}",
        wrong.join("\n")
    )))
}

/// A source file that looks new to cargo for as long as this lives. Its time is put back afterwards, so that other
/// builds of the crate stay good, unless somebody has changed the file meanwhile.
struct Touched {
    path: PathBuf,
    before: SystemTime,
    touched: SystemTime,
}

impl Touched {
    fn now(path: &Path) -> Result<Self> {
        let before = time_of(path).map_err(at("reading", path))?;
        // The file system's own idea of now, which is what cargo compares with.
        let probe = target().join("sqlx-now");
        fs::write(&probe, "").map_err(at("writing", &probe))?;
        let touched = time_of(&probe).map_err(at("reading", &probe))?;
        set_time(path, touched).map_err(at("touching", path))?;
        Ok(Self { path: path.to_owned(), before, touched })
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        if time_of(&self.path).is_ok_and(|time| time == self.touched) {
            // At worst something is compiled once more than needed.
            let _ = set_time(&self.path, self.before);
        }
    }
}

fn time_of(path: &Path) -> std::io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}

fn set_time(path: &Path, time: SystemTime) -> std::io::Result<()> {
    fs::OpenOptions::new().append(true).open(path)?.set_modified(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_named() {
        let record = |files: &[(&str, &str)]| -> BTreeMap<String, Vec<u8>> {
            files.iter().map(|(name, text)| (name.to_string(), text.as_bytes().to_vec())).collect()
        };
        let before = record(&[("query-a.json", "1"), ("query-b.json", "1"), ("query-c.json", "1")]);
        let after = record(&[("query-a.json", "1"), ("query-b.json", "2"), ("query-d.json", "1")]);
        assert!(compare(&before, &before).is_ok());
        let said = compare(&before, &after).unwrap_err().to_string();
        for line in
            ["differs   .sqlx/query-b.json", "missing   .sqlx/query-d.json", "unused    .sqlx/query-c.json"]
        {
            assert!(said.contains(line), "{said}");
        }
        assert!(!said.contains("query-a"), "{said}");
    }

    #[test]
    fn the_record_becomes_what_was_learnt() {
        let folder = std::env::temp_dir().join(format!("xtask-{}-record", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("query-old.json"), "1").unwrap();
        fs::write(folder.join("README.md"), "stays").unwrap();
        let after = BTreeMap::from([("query-new.json".to_owned(), b"2".to_vec())]);
        replace(&folder, &queries(&folder).unwrap(), &after).unwrap();
        assert_eq!(queries(&folder).unwrap(), after);
        assert!(folder.join("README.md").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}

//! Where a measurement takes place and where its result goes: what all of them have in common.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{Failure, say};

/// What to measure, and where.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// The product's binary; by default the one that lies beside this one.
    #[arg(long, env = "WORKINGAGENTS_BIN")]
    bin: Option<PathBuf>,
    /// Where the product's database is made, in a folder of this run's own that goes when it ends; the disk is measured here too.
    #[arg(long, default_value = "target/bench")]
    data: PathBuf,
    /// Where the JSON goes; by default `bench/results/DATE-COMMIT.json`, or `KIND-DATE-COMMIT.json` of a kind of its own.
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Place {
    /// The product's binary, and a folder of this run's own. Drop the folder last: the product must have ended before its
    /// files go.
    pub(crate) fn prepare(&self) -> Result<(PathBuf, Folder, Setting), Failure> {
        let folder = Folder::make(&self.data)?;
        let binary = match &self.bin {
            Some(binary) => binary.clone(),
            None => beside()?,
        };
        let setting = Setting::of(&binary);
        Ok((binary, folder, setting))
    }

    /// Writes a result, of which `setting` is the head, and says where. `kind` is how its file's name begins.
    pub(crate) fn write(
        &self,
        kind: Option<&str>,
        setting: &Setting,
        result: &impl Serialize,
    ) -> Result<(), Failure> {
        let path = self.json.clone().unwrap_or_else(|| {
            let commit = setting.commit.as_deref().unwrap_or("unknown");
            let kind = kind.map_or(String::new(), |kind| format!("{kind}-"));
            PathBuf::from(format!("bench/results/{kind}{}-{commit}.json", setting.date))
        });
        write_json(&path, result)?;
        say(&format!("bench: written to {}", path.display()));
        Ok(())
    }
}

/// When, of what and where it was measured: the head of each result.
#[derive(Serialize)]
pub(crate) struct Setting {
    /// The day, in UTC, as `2026-07-28`.
    pub(crate) date: String,
    /// The commit that was checked out, when it is known. `cargo xtask bench` builds before it measures; see `built` otherwise.
    pub(crate) commit: Option<String>,
    /// Whether the sources were as that commit has them.
    pub(crate) clean: bool,
    /// When the product's binary was built, in UTC.
    pub(crate) built: Option<String>,
    /// Where.
    pub(crate) machine: Machine,
}

impl Setting {
    /// As it is before anything is begun.
    fn of(binary: &Path) -> Self {
        Self {
            date: today(),
            commit: git(&["rev-parse", "--short=10", "HEAD"]).filter(|commit| !commit.is_empty()),
            clean: git(&["status", "--porcelain"]).is_some_and(|changes| changes.is_empty()),
            built: built(binary),
            machine: machine(),
        }
    }
}

/// Where it was measured. No names and no addresses.
#[derive(Serialize)]
pub(crate) struct Machine {
    /// Processors that may be used.
    pub(crate) processors: usize,
    /// What the processor calls itself.
    pub(crate) model: String,
    /// Version of the Linux kernel.
    pub(crate) kernel: String,
    /// Load average of the minute before (proc(5)): what else was going on. A quiet machine is near 0.
    pub(crate) load_before: f64,
}

/// Writes a result, for people to read too.
fn write_json(path: &Path, result: &impl serde::Serialize) -> Result<(), Failure> {
    let written = || -> std::io::Result<()> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let mut json = serde_json::to_vec_pretty(result)?;
        json.push(b'\n');
        std::fs::write(path, json)
    };
    written().map_err(|wrong| Failure::of(&format!("writing {}", path.display()), wrong))
}

/// A folder that only this run uses: another one may be going on, and its database is not ours to touch.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// Makes it. An existing folder of this name is left alone and is an error.
    pub(crate) fn make(parent: &Path) -> Result<Self, Failure> {
        let doing = || format!("making a folder in {}", parent.display());
        std::fs::create_dir_all(parent).map_err(|wrong| Failure::of(&doing(), wrong))?;
        let parent = parent.canonicalize().map_err(|wrong| Failure::of(&doing(), wrong))?;
        let own = parent.join(format!("run-{}", std::process::id()));
        std::fs::create_dir(&own)
            .map_err(|wrong| Failure::of(&format!("making {}", own.display()), wrong))?;
        Ok(Self(own))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(wrong) = std::fs::remove_dir_all(&self.0) {
            say(&format!("bench: {} is left behind: {wrong}", self.0.display()));
        }
    }
}

fn beside() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().map_err(|wrong| Failure::of("finding the product's binary", wrong))?;
    let binary = own.with_file_name("workingagents");
    if binary.is_file() {
        return Ok(binary);
    }
    let path = binary.display();
    Err(Failure(format!("there is no {path}: `cargo build --release -p server`, or give --bin")))
}

#[allow(clippy::disallowed_methods, reason = "a result is dated by the real day; nothing decides on it")]
fn today() -> String {
    utc(std::time::SystemTime::now()).date_naive().to_string()
}

/// When a file was last written, to the second.
fn built(binary: &Path) -> Option<String> {
    let written = std::fs::metadata(binary).and_then(|file| file.modified()).ok()?;
    Some(utc(written).format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn utc(time: std::time::SystemTime) -> chrono::DateTime<chrono::Utc> {
    let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    chrono::DateTime::from_timestamp(i64::try_from(since.as_secs()).unwrap_or(0), 0).unwrap_or_default()
}

/// What git answers; nothing if it cannot.
fn git(arguments: &[&str]) -> Option<String> {
    let output = std::process::Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn machine() -> Machine {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(':')).map_or("unknown", |(_, model)| model.trim());
    Machine {
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        model: model.to_owned(),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        load_before: read("/proc/loadavg")
            .split(' ')
            .next()
            .and_then(|load| load.parse().ok())
            .unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_takes_away_its_own_folder_and_no_other() {
        let parent = std::env::temp_dir().join(format!("bench-folders-{}", std::process::id()));
        let other = parent.join("run-0").join("database");
        std::fs::create_dir_all(&other).unwrap();
        let folder = Folder::make(&parent).unwrap();
        assert!(Folder::make(&parent).is_err(), "a folder that is there is somebody's");
        std::fs::write(folder.0.join("file"), "x").unwrap();
        drop(folder);
        assert!(other.is_dir());
        assert_eq!(std::fs::read_dir(&parent).unwrap().count(), 1);
        std::fs::remove_dir_all(&parent).unwrap();
    }
}

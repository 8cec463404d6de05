//! `bench run`: everything in one run, on one machine, in turns, so that what disturbs one disturbs all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use http::{HeaderName, HeaderValue};

use crate::disk::{fdatasync_us, median};
use crate::load::{Options as LoadOptions, header};
use crate::report::{Comparison, Disk, Machine, Measured, Round, Shape, WITH, goals, ratios, tables};
use crate::subjects::{Other, Subject, start};
use crate::{Failure, print, say};
use crate::{record, round};

/// Rounds by shape and subject.
type Rounds = BTreeMap<(usize, usize), Vec<Round>>;

/// What to compare and for how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds that each single measurement takes.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How often each measurement is repeated, in turns with the others; the median is reported.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Calls a second of the open-loop measurement.
    #[arg(long, default_value_t = 2500.0)]
    open_rate: f64,
    /// Length of the echoed text in bytes.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    payload: u32,
    /// Fill the answers up to so many bytes of text.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=64 << 20))]
    result: u32,
    /// Port of the echo upstream, for another gateway that is to stand before it too; 0: any.
    #[arg(long, default_value_t = 0)]
    echo_port: u16,
    /// Another MCP gateway before the same upstream, to be measured in turns with ours. Start it first, with the echo upstream as
    /// `http://127.0.0.1:ECHO_PORT/mcp`.
    #[arg(long, value_name = "NAME=URL", requires = "echo_port")]
    other: Option<String>,
    /// A header that it wants, as `Name: value`; may be given more than once.
    #[arg(long, value_parser = header, value_name = "NAME: VALUE", requires = "other")]
    other_header: Vec<(HeaderName, HeaderValue)>,
    /// What the tool `echo` is called there.
    #[arg(long, default_value = "echo", requires = "other")]
    other_tool: String,
    /// Its process, whose processor time is to be told.
    #[arg(long, requires = "other")]
    other_pid: Option<u32>,
    /// The product's binary; by default the one that lies beside this one.
    #[arg(long, env = "WORKINGAGENTS_BIN")]
    bin: Option<PathBuf>,
    /// Where the product's database is made, in a folder of this run's own that goes when it ends; the disk is measured here too.
    #[arg(long, default_value = "target/bench")]
    data: PathBuf,
    /// Where the JSON goes; by default `bench/results/DATE-COMMIT.json`.
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Options {
    fn other(&self) -> Result<Option<Subject>, Failure> {
        let Some(other) = &self.other else { return Ok(None) };
        let (name, url) =
            other.split_once('=').ok_or_else(|| Failure("--other must be NAME=URL".to_owned()))?;
        let other =
            Other { name, url, headers: &self.other_header, tool: &self.other_tool, pid: self.other_pid };
        Ok(Some(other.subject()))
    }
}

/// Compares, writes the JSON file and prints the tables.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    // Dropped last: the product must have ended before its files go.
    let folder = Folder::make(&options.data)?;
    let data = &folder.0;
    let binary = match &options.bin {
        Some(binary) => binary.clone(),
        None => beside()?,
    };
    let (machine, built) = (machine(), built(&binary));
    let mut stage = start(&binary, &data.join("database"), data, options.echo_port)?;
    stage.subjects.extend(options.other()?);
    let shapes = [
        Shape { callers: 1, rate: None },
        Shape { callers: 64, rate: None },
        Shape { callers: 64, rate: Some(options.open_rate) },
    ];
    let mut disk = Vec::new();
    let mut rounds = Rounds::new();
    for turn in 1..=options.rounds {
        disk.extend(fdatasync_us(data)?);
        for (at_shape, shape) in shapes.iter().enumerate() {
            for (at_subject, subject) in stage.subjects.iter().enumerate() {
                let round = one(subject, *shape, &options, turn)?;
                rounds.entry((at_shape, at_subject)).or_default().push(round);
            }
        }
    }
    let (made, tool) = made_through_the_product(&stage.subjects, &rounds);
    let record = record::count(&stage.database_url, tool, made)?;
    let floor = median(&disk);
    let results = summed_up(&shapes, &stage.subjects, rounds);
    let ratios = ratios(&results, floor);
    let comparison = Comparison {
        date: today(),
        commit: git(&["rev-parse", "--short=10", "HEAD"]).filter(|commit| !commit.is_empty()),
        clean: git(&["status", "--porcelain"]).is_some_and(|changes| changes.is_empty()),
        built,
        machine,
        seconds: options.seconds,
        rounds: options.rounds,
        payload: options.payload,
        result: options.result,
        fdatasync_us: Disk::of(disk),
        goals: goals(&results, &ratios, &record, floor),
        record,
        ratios,
        results,
    };
    let path = options.json.clone().unwrap_or_else(|| {
        let commit = comparison.commit.as_deref().unwrap_or("unknown");
        PathBuf::from(format!("bench/results/{}-{commit}.json", comparison.date))
    });
    write_json(&path, &comparison)?;
    print(&tables(&comparison));
    say(&format!("bench: written to {}", path.display()));
    Ok(())
}

/// One measurement.
fn one(subject: &Subject, shape: Shape, options: &Options, turn: u32) -> Result<Round, Failure> {
    let load = LoadOptions {
        headers: subject.headers.clone(),
        callers: shape.callers,
        seconds: options.seconds,
        payload: options.payload,
        result: options.result,
        prefix: format!("r{turn}"),
        ..LoadOptions::of(&subject.door, &subject.tool).paced(shape.rate)
    };
    round::take(&format!("round {turn}, {}", subject.name), &load, &subject.watched)
}

/// How many calls the product got, warm-ups included, and of which tool.
fn made_through_the_product<'a>(subjects: &'a [Subject], rounds: &Rounds) -> (u64, &'a str) {
    let product = subjects.iter().position(|subject| subject.name == WITH);
    let its =
        rounds.iter().filter(|((_, subject), _)| Some(*subject) == product).flat_map(|(_, rounds)| rounds);
    let tool = product.and_then(|at| subjects.get(at)).map_or("", |subject| subject.tool.as_str());
    (its.map(|round| round.report.made).sum(), tool)
}

fn summed_up(shapes: &[Shape], subjects: &[Subject], mut rounds: Rounds) -> Vec<Measured> {
    let mut results = Vec::new();
    for (at_shape, shape) in shapes.iter().enumerate() {
        for (at_subject, subject) in subjects.iter().enumerate() {
            let rounds = rounds.remove(&(at_shape, at_subject)).unwrap_or_default();
            results.push(Measured::of(subject.name, *shape, rounds));
        }
    }
    results
}

/// Writes a result, for people to read too.
pub(crate) fn write_json(path: &Path, result: &impl serde::Serialize) -> Result<(), Failure> {
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

pub(crate) fn beside() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().map_err(|wrong| Failure::of("finding the product's binary", wrong))?;
    let binary = own.with_file_name("workingagents");
    if binary.is_file() {
        return Ok(binary);
    }
    let path = binary.display();
    Err(Failure(format!("there is no {path}: `cargo build --release -p server`, or give --bin")))
}

#[allow(clippy::disallowed_methods, reason = "a result is dated by the real day; nothing decides on it")]
pub(crate) fn today() -> String {
    utc(std::time::SystemTime::now()).date_naive().to_string()
}

/// When a file was last written, to the second.
pub(crate) fn built(binary: &Path) -> Option<String> {
    let written = std::fs::metadata(binary).and_then(|file| file.modified()).ok()?;
    Some(utc(written).format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn utc(time: std::time::SystemTime) -> chrono::DateTime<chrono::Utc> {
    let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    chrono::DateTime::from_timestamp(i64::try_from(since.as_secs()).unwrap_or(0), 0).unwrap_or_default()
}

/// What git answers; nothing if it cannot.
pub(crate) fn git(arguments: &[&str]) -> Option<String> {
    let output = std::process::Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

pub(crate) fn machine() -> Machine {
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

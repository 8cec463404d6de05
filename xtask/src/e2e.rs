//! `cargo xtask e2e`: a real server on a throw-away data folder, and the suites in e2e/ that speak to it as MCP
//! clients and as a browser.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use rustix::process::Signal;

use crate::build;
use crate::failure::{Failure, Result, at};
use crate::machine::{browser, node, postgres, python};
use crate::progress::{say, step};
use crate::run::{self, Group};
use crate::workspace::{binary, root, site, target};

/// How long the server may take from nothing to ready.
const PATIENCE: Duration = Duration::from_secs(180);
/// The suite for which the gateway is built as a program that uses one server, and where it finds that.
const CLIENT_SUITE: &str = "conformance-client";
const CLIENT: &str = "WORKINGAGENTS_CONFORMANCE_CLIENT";
/// Has the suite of every page take pictures.
const PICTURES: &str = "WORKINGAGENTS_PICTURES";

#[derive(Args)]
pub(crate) struct Arguments {
    /// Run the suites of one kind alone.
    #[arg(long)]
    only: Option<Suite>,
    /// Run the suites whose names begin so, such as `browser-people`.
    #[arg(conflicts_with = "only")]
    suites: Vec<String>,
    /// Try the optimized server.
    #[arg(long)]
    release: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    All,
    Protocol,
    Browser,
}

impl Suite {
    /// The names of its files less their ending; none means all.
    fn names(self) -> Result<Vec<String>> {
        let folder = root().join("e2e");
        if self == Self::All {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(&folder).map_err(at("reading", &folder))?.flatten();
        let names = entries
            .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".test.mjs")?.to_owned()));
        Ok(names.filter(|name| name.starts_with("browser") == (self == Self::Browser)).collect())
    }
}

pub(crate) fn command(arguments: &Arguments) -> Result<()> {
    let mut closing = Vec::new();
    let names = match arguments.only {
        Some(suite) => suite.names()?,
        None => arguments.suites.clone(),
    };
    let outcome = try_run(&names, arguments.release, &[], &mut closing);
    for line in closing {
        println!("{line}");
    }
    outcome
}

/// Runs suites and returns the lines with which they closed.
pub(crate) fn run(suite: Suite, release: bool) -> (Vec<String>, Result<()>) {
    let mut closing = Vec::new();
    let outcome = suite.names().and_then(|names| try_run(&names, release, &[], &mut closing));
    (closing, outcome)
}

/// Takes pictures of every page, light and dark, wide and on a phone.
pub(crate) fn screenshots() -> Result<()> {
    let names = ["browser-every-page".to_owned()];
    let outcome = try_run(&names, false, &[(PICTURES, "1")], &mut Vec::new());
    let folder = target().join("screenshots");
    say(format_args!("pictures are in {}: open index-light.html and index-dark.html", folder.display()));
    outcome
}

/// Runs the suites whose names begin with one of these; all of them where there are none.
fn try_run(
    names: &[String],
    release: bool,
    settings: &[(&str, &str)],
    closing: &mut Vec<String>,
) -> Result<()> {
    let folder = root().join("e2e");
    postgres::programs()?;
    let node = node::ready(&folder)?;
    let mut command = Command::new(&node);
    command.arg("run.mjs").current_dir(&folder);
    let bin = node.parent().unwrap_or(Path::new("/")).to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(bin).chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(folders).unwrap_or(path));
    let requirements = folder.join("requirements.txt");
    if requirements.exists() {
        command.env("WORKINGAGENTS_PYTHON", python::ready(&requirements, &target().join("venv"))?);
    }
    if names.is_empty() || names.iter().any(|name| name.starts_with("browser")) {
        command.env(browser::FORCED, browser::ready()?);
    }
    command.args(names).envs(settings.iter().copied());
    build::everything(&build::Arguments { release })?;
    if names.is_empty() || names.iter().any(|name| CLIENT_SUITE.starts_with(name.as_str())) {
        command.env(CLIENT, build::example("gateway", "conformance_client", release)?);
    }

    let mut server = step("starting the server", || Server::start(release))?;
    command
        .env("WORKINGAGENTS_READY", &server.ready)
        .env("WORKINGAGENTS_BIN", binary("workingagents", release));
    let (lines, outcome) = run::run_and_recall("end-to-end tests", &mut command, is_count);
    closing.extend(closing_line(&lines));
    if outcome.is_err() {
        server.show_log();
    }
    outcome
}

/// The numbers with which Node's test runner closes, one a line: `ℹ pass 12`.
fn is_count(line: &str) -> bool {
    ["pass", "fail", "skipped"].iter().any(|word| count(line, word).is_some())
}

fn count(line: &str, word: &str) -> Option<u32> {
    line.trim_start_matches(['ℹ', '#', ' ']).strip_prefix(word)?.trim().parse().ok()
}

/// One line out of them, as the other runners have.
fn closing_line(lines: &[String]) -> Option<String> {
    let number = |word| lines.iter().rev().find_map(|line| count(line, word));
    let skipped =
        number("skipped").filter(|skipped| *skipped > 0).map(|skipped| format!(", {skipped} skipped"));
    Some(format!("{} passed, {} failed{}", number("pass")?, number("fail")?, skipped.unwrap_or_default()))
}

/// A server of our own with its private PostgreSQL, gone with all it wrote when this is dropped.
struct Server {
    group: Group,
    ready: String,
    data: PathBuf,
    log: PathBuf,
}

impl Server {
    fn start(release: bool) -> Result<Self> {
        let parent = target().join("e2e");
        fs::create_dir_all(&parent).map_err(at("creating", &parent))?;
        let data = parent.join(format!("data-{}", std::process::id()));
        let log = parent.join("server.log");
        let log_file = fs::File::create(&log).map_err(at("creating", &log))?;
        let mut command = Command::new(binary("workingagents", release));
        command.args(["dev", "--port", "0", "--json"]).arg("--data").arg(&data).arg("--site").arg(site());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log_file).current_dir(root());
        let group = Group::start_apart(&mut command)?;
        let mut server = Self { group, ready: String::new(), data, log };
        match server.first_line() {
            Ok(line) => {
                serde_json::from_str::<serde_json::Value>(&line).map_err(|error| {
                    Failure::Other(format!("the server's ready line is not JSON ({error}): {line}"))
                })?;
                server.ready = line;
                Ok(server)
            }
            Err(failure) => {
                server.show_log();
                Err(failure)
            }
        }
    }

    /// The line that says the server is ready. The rest of its stdout is read and dropped, so that it never blocks.
    fn first_line(&mut self) -> Result<String> {
        let (sender, receiver) = mpsc::channel();
        if let Some(stdout) = self.group.child.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(|line| line.ok()) {
                    // Nobody listens after the first line.
                    let _ = sender.send(line);
                }
            });
        }
        let begin = Instant::now();
        loop {
            run::unless_interrupted()?;
            match receiver.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => return Ok(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(Failure::Other("the server ended before it was ready".into()));
                }
                Err(mpsc::RecvTimeoutError::Timeout) if begin.elapsed() > PATIENCE => {
                    return Err(Failure::Other(format!(
                        "the server was not ready after {} s",
                        PATIENCE.as_secs()
                    )));
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Where everything stands that the server said; its last words too, if it has ended.
    fn show_log(&mut self) {
        say(format_args!("the server's log: {}", self.log.display()));
        if !matches!(self.group.child.try_wait(), Ok(None)) {
            let text = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let end = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default();
            say(format_args!("it has ended; its last words:\n{}", end.join("\n")));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.group.stop(Signal::TERM, Signal::KILL, Duration::from_secs(20));
        // Its PostgreSQL ends with it, also when it was killed; the folder may be in use a moment longer.
        for _ in 0..20 {
            if fs::remove_dir_all(&self.data).is_ok() || !self.data.exists() {
                break;
            }
            thread::sleep(Duration::from_millis(250));
        }
        say("stopped the server");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_is_made_of_the_runners_numbers() {
        let said = ["ℹ tests 14", "ℹ suites 2", "ℹ pass 12", "ℹ fail 1", "ℹ cancelled 0", "ℹ skipped 1"];
        let kept: Vec<String> =
            said.iter().filter(|line| is_count(line)).map(|line| line.to_string()).collect();
        assert_eq!(closing_line(&kept).as_deref(), Some("12 passed, 1 failed, 1 skipped"));
        assert_eq!(closing_line(&[]), None, "a runner that died says nothing");
        assert!(!is_count("passing arguments on"));
    }
}

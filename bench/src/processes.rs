//! Processes: those we start and stop, and how much processor time each one has used (`/proc/PID/stat`, proc(5)).

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use serde::de::DeserializeOwned;

use crate::Failure;

/// A process of ours that said on its first line, in JSON, how to reach it. Ends with us.
pub(crate) struct Started {
    name: &'static str,
    child: Child,
}

impl Started {
    /// Starts `command` and reads its ready line. What it says on stderr goes to `log`.
    pub(crate) fn start<R: DeserializeOwned>(
        name: &'static str,
        command: &mut Command,
        log: &Path,
        patience: Duration,
    ) -> Result<(Self, R), Failure> {
        let failed = |wrong: String| Failure(format!("starting {name}: {wrong}; it said: {}", tail(log)));
        let stderr = std::fs::File::create(log).map_err(|wrong| failed(wrong.to_string()))?;
        // A pipe as stdin: those of ours that are told to do so end when we are gone, however we went.
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).spawn();
        let mut child = child.map_err(|wrong| failed(wrong.to_string()))?;
        let stdout = child.stdout.take();
        let started = Self { name, child };
        let (say, heard) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.into_iter().flat_map(|out| BufReader::new(out).lines().map_while(Result::ok)) {
                // After the ready line nobody listens, and the pipe still has to be emptied.
                let _ = say.send(line);
            }
        });
        let line = heard
            .recv_timeout(patience)
            .map_err(|_| failed("it ended or did not get ready in time".into()))?;
        let ready = serde_json::from_str(&line).map_err(|wrong| failed(format!("{wrong} in `{line}`")))?;
        Ok((started, ready))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else { return };
        let _ = kill_process(pid, Signal::TERM);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(20) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        crate::say(&format!("bench: {} did not end when asked to and is killed", self.name));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.split_at(lines.len().saturating_sub(12)).1.join(" | ")
}

/// Ends this process when its standard input ends, that is, when the process that started it is gone.
pub(crate) fn end_with_stdin() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        std::process::exit(0);
    });
}

/// One line of `/proc/PID/stat`, as far as it matters. Times are in clock ticks.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    pid: u32,
    name: String,
    parent: u32,
    own: u64,
    of_reaped_children: u64,
}

fn parse(line: &str) -> Option<Stat> {
    // The name is in parentheses and may itself contain spaces and parentheses: split at the last one.
    let (head, rest) = line.rsplit_once(')')?;
    let (pid, name) = head.split_once('(')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        pid: pid.trim().parse().ok()?,
        name: name.to_owned(),
        parent: fields.get(1)?.parse().ok()?,
        own: ticks(11)? + ticks(12)?,
        of_reaped_children: ticks(13)? + ticks(14)?,
    })
}

fn stat(pid: u32) -> Option<Stat> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn all() -> Vec<Stat> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(stat).collect()
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// Processor seconds (user and system) that a process has used, its children not included; 0 if it is gone.
pub(crate) fn cpu_of(pid: u32) -> f64 {
    stat(pid).map_or(0.0, |stat| seconds(stat.own))
}

/// Processor seconds that a process and everything below it has used, also what has ended meanwhile.
pub(crate) fn cpu_of_tree(root: u32) -> f64 {
    seconds(ticks_of_tree(&all(), root))
}

/// Memory that a process holds (`VmRSS` of `/proc/PID/status`), in bytes; nothing if it is gone.
pub(crate) fn memory_of(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// Takes as many open files as the system allows: each connection is one. What is started from here may open as many.
pub(crate) fn open_many() {
    let limits = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits });
}

fn ticks_of_tree(all: &[Stat], root: u32) -> u64 {
    let below = |stat: &&Stat| stat.parent == root && stat.pid != root;
    let own: u64 =
        all.iter().filter(|stat| stat.pid == root).map(|stat| stat.own + stat.of_reaped_children).sum();
    own + all.iter().filter(below).map(|child| ticks_of_tree(all, child.pid)).sum::<u64>()
}

/// The topmost process called `name` among those below `root`.
pub(crate) fn find_below(root: u32, name: &str) -> Option<u32> {
    let all = all();
    let mut level = vec![root];
    // A process tree is not deep; the bound is there because the snapshot is not atomic.
    for _ in 0..32 {
        let below: Vec<&Stat> = all.iter().filter(|stat| level.contains(&stat.parent)).collect();
        if let Some(found) = below.iter().find(|stat| stat.name == name) {
            return Some(found.pid);
        }
        level = below.iter().map(|stat| stat.pid).collect();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "77 (odd) name (x) S 12 77 77 0 -1 4194560 1 2 3 4 50 60 7 8 20 0 1 0 100 1000 10";

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let expected =
            Stat { pid: 77, name: "odd) name (x".into(), parent: 12, own: 110, of_reaped_children: 15 };
        assert_eq!(parse(LINE), Some(expected));
    }

    #[test]
    fn a_tree_counts_the_living_and_those_that_ended() {
        let process = |pid, parent, own, reaped| Stat {
            pid,
            name: "postgres".into(),
            parent,
            own,
            of_reaped_children: reaped,
        };
        let all = [process(1, 0, 1000, 0), process(5, 1, 10, 7), process(6, 5, 20, 0), process(8, 6, 1, 2)];
        assert_eq!(ticks_of_tree(&all, 5), 40);
    }

    #[test]
    fn our_own_memory_is_seen() {
        assert!(memory_of(std::process::id()).is_some_and(|bytes| bytes > 1 << 20));
        assert_eq!(memory_of(u32::MAX), None);
    }

    #[test]
    fn our_own_time_is_seen() {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(120) {
            std::hint::black_box(begin);
        }
        assert!(cpu_of(std::process::id()) > 0.0);
    }
}

//! Running other programs. Each gets a process group of its own, so that an interrupt can be passed on to all
//! its descendants and nothing of ours outlives us.

use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::{Failure, Result};
use crate::progress::{say, step};

/// The signal that asked us to stop, or 0.
static STOP: AtomicI32 = AtomicI32::new(0);
/// Groups of programs that we are waiting for right now.
static GROUPS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// Passes interrupts on to what is running; the command then ends by itself, cleaning up on its way.
pub(crate) fn watch_signals() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|source| Failure::Start { program: "the signal watcher".into(), source })?;
    thread::spawn(move || {
        for signal in &mut signals {
            if STOP.swap(signal, Ordering::SeqCst) == 0 {
                say("interrupted; stopping what runs");
            }
            let first = if signal == SIGINT { Signal::INT } else { Signal::TERM };
            signal_groups(first);
            thread::spawn(|| {
                for stronger in [Signal::TERM, Signal::KILL] {
                    thread::sleep(Duration::from_secs(8));
                    signal_groups(stronger);
                }
            });
        }
    });
    Ok(())
}

/// An error as soon as somebody asked us to stop.
pub(crate) fn unless_interrupted() -> Result<()> {
    if STOP.load(Ordering::SeqCst) == 0 { Ok(()) } else { Err(Failure::Interrupted) }
}

fn signal_groups(signal: Signal) {
    for group in GROUPS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        // A group that has just ended is no reason to complain.
        let _ = kill_process_group(*group, signal);
    }
}

/// What a program is allowed to say on our stdout.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stdout {
    /// Nothing: its stdout joins our stderr.
    Joined,
    /// All of it.
    Kept,
}

/// Runs a program as a step of its own, its output in plain sight.
pub(crate) fn run(what: &str, command: &mut Command) -> Result<()> {
    step(what, || quietly(what, command))
}

/// Runs a program without lines around it; its output is still seen.
pub(crate) fn quietly(what: &str, command: &mut Command) -> Result<()> {
    command.stdin(Stdio::null()).stdout(io::stderr());
    let status = wait_for(command)?;
    judge(what, command, status)
}

/// Runs a program that may ask the person something (a password), so it stays in the terminal's foreground.
pub(crate) fn interactively(what: &str, command: &mut Command) -> Result<()> {
    unless_interrupted()?;
    let status = step(what, || command.stdout(io::stderr()).status().map_err(start_failed(command)))?;
    judge(what, command, status)
}

/// Runs a program and returns what it printed, trimmed; its stderr is shown only if it fails.
pub(crate) fn answer(command: &mut Command) -> Result<String> {
    let line = line_of(command);
    let output = command.stdin(Stdio::null()).output().map_err(start_failed(command))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Failure::Command { what: said, line, status: output.status.to_string() })
    }
}

/// Runs a test runner and returns those lines of its output that are `wanted`. On a terminal it keeps its colours
/// and its progress display, and no lines are returned: the person has just seen them.
pub(crate) fn run_and_recall(
    what: &str,
    command: &mut Command,
    wanted: fn(&str) -> bool,
) -> (Vec<String>, Result<()>) {
    let mut recalled = Vec::new();
    let outcome = step(what, || {
        command.stdin(Stdio::null());
        if io::stderr().is_terminal() {
            command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
            let status = wait_for(command)?;
            return judge(what, command, status);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut group = Group::start(command)?;
        let (stdout, stderr) = (group.child.stdout.take(), group.child.stderr.take());
        let status = thread::scope(|scope| {
            let out =
                scope.spawn(move || stdout.map_or_else(Vec::new, |pipe| pass_on(pipe, Stdout::Kept, wanted)));
            let err = scope
                .spawn(move || stderr.map_or_else(Vec::new, |pipe| pass_on(pipe, Stdout::Joined, wanted)));
            let status = group.wait();
            recalled.extend(out.join().unwrap_or_default());
            recalled.extend(err.join().unwrap_or_default());
            status
        });
        let status = status.map_err(start_failed(command))?;
        unless_interrupted()?;
        judge(what, command, status)
    });
    (recalled, outcome)
}

/// Copies a pipe line by line to where it belongs and keeps the wanted lines.
fn pass_on(pipe: impl Read, to: Stdout, wanted: fn(&str) -> bool) -> Vec<String> {
    let mut kept = Vec::new();
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // A closed terminal must not stop the tests.
        let _ = match to {
            Stdout::Kept => io::stdout().write_all(&line),
            Stdout::Joined => io::stderr().write_all(&line),
        };
        let text = String::from_utf8_lossy(&line);
        if wanted(text.trim_end()) {
            kept.push(text.trim().to_owned());
        }
        line.clear();
    }
    kept
}

/// A program in a process group of its own.
pub(crate) struct Group {
    pub(crate) child: Child,
    id: Option<Pid>,
}

impl Group {
    /// Starts it where interrupts reach it.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let group = Self::start_apart(command)?;
        if let Some(id) = group.id {
            GROUPS.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        }
        // An interrupt between the first look and the registration reached nobody.
        if unless_interrupted().is_err() {
            signal_groups(Signal::TERM);
        }
        Ok(group)
    }

    /// Starts it where interrupts do not reach it: somebody else stops it, in the right order.
    pub(crate) fn start_apart(command: &mut Command) -> Result<Self> {
        unless_interrupted()?;
        let child = command.process_group(0).spawn().map_err(start_failed(command))?;
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(Self { child, id })
    }

    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait();
        self.forget();
        status
    }

    /// Asks with the first signal, insists with the second after `patience`.
    pub(crate) fn stop(&mut self, ask: Signal, insist: Signal, patience: Duration) {
        let begin = Instant::now();
        let mut signal = Some(ask);
        loop {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            if let (Some(signal), Some(id)) = (signal.take(), self.id) {
                let _ = rustix::process::kill_process(id, signal);
            }
            if begin.elapsed() > patience {
                if let Some(id) = self.id {
                    let _ = kill_process_group(id, insist);
                }
                let _ = self.child.wait();
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.forget();
    }

    fn forget(&self) {
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner).retain(|id| Some(*id) != self.id);
    }
}

fn wait_for(command: &mut Command) -> Result<ExitStatus> {
    let status = Group::start(command)?.wait().map_err(start_failed(command))?;
    unless_interrupted()?;
    Ok(status)
}

fn judge(what: &str, command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    Err(Failure::Command { what: what.to_owned(), line: line_of(command), status: status.to_string() })
}

fn start_failed(command: &Command) -> impl FnOnce(io::Error) -> Failure + use<> {
    let program = command.get_program().to_string_lossy().into_owned();
    move |source| Failure::Start { program, source }
}

/// The command as one would type it.
pub(crate) fn line_of(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        let argument = argument.to_string_lossy();
        let plain = !argument.is_empty() && !argument.contains([' ', '\'', '"', '$', '*', '(', ';', '&']);
        line.push(' ');
        line.push_str(&if plain { argument.into_owned() } else { format!("'{argument}'") });
    }
    line
}

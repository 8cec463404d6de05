//! One line for each step, with the time since the command began. Everything goes to stderr: stdout belongs to
//! the programs whose answers somebody reads.

use std::fmt::Display;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Starts the clock.
pub(crate) fn begin() {
    LazyLock::force(&BEGIN);
}

pub(crate) fn say(line: impl Display) {
    eprintln!("[xtask {:>7}] {line}", seconds(BEGIN.elapsed()));
}

/// Does one step, saying so before and how long it took after.
pub(crate) fn step<T, E>(what: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    say(what);
    let begin = Instant::now();
    let outcome = work();
    let taken = seconds(begin.elapsed());
    match &outcome {
        Ok(_) => say(format_args!("{what}: done in {taken}")),
        Err(_) => say(format_args!("{what}: FAILED after {taken}")),
    }
    outcome
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

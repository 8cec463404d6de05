//! Speaking to the person at the terminal: progress on stderr, answers on stdout.

use std::fmt::Display;
use std::io::Write;

/// Tells on stderr what is being done. A terminal that is gone must not stop the work.
pub(crate) fn progress(what: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "workingagents: {what}");
}

/// Writes an answer to stdout. A reader who has seen enough and left, such as `head`, is no failure.
pub(crate) fn answer(text: impl Display) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// An error with its causes, in one line.
pub(crate) fn one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        // Some errors tell their cause themselves.
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = next.source();
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

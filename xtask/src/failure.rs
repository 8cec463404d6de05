//! What can end a command early, in words that say what to do next.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) type Result<T> = std::result::Result<T, Failure>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A program ran and said no; its own output stands above.
    #[error("{what} failed ({status}): {line}")]
    Command { what: String, line: String, status: String },
    /// A program could not be started at all.
    #[error("cannot start {program}: {source}")]
    Start { program: String, source: std::io::Error },
    /// Something that only the person at the machine can get.
    #[error("{what} is missing. {how}")]
    Missing { what: String, how: String },
    #[error("{what} {path}: {source}", path = .path.display())]
    File { what: &'static str, path: PathBuf, source: std::io::Error },
    /// Several checks of one command failed; each has said so above.
    #[error("failed: {}", .0.join("; "))]
    Several(Vec<String>),
    #[error("{0}")]
    Other(String),
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Interrupted => ExitCode::from(130),
            _ => ExitCode::FAILURE,
        }
    }
}

/// Puts the deed and the path into an I/O error.
pub(crate) fn at(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let path = path.to_owned();
    move |source| Failure::File { what, path, source }
}

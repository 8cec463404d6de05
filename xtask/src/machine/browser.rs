//! A Chromium for the browser tests.

use std::path::PathBuf;

use super::install;
use crate::failure::{Failure, Result};
use crate::workspace::on_path;

/// Names the browser to use whatever else is there.
pub(crate) const FORCED: &str = "WORKINGAGENTS_CHROMIUM";

/// Finds a Chromium, or installs Debian's.
pub(crate) fn ready() -> Result<PathBuf> {
    if let Some(forced) = std::env::var_os(FORCED) {
        let program = PathBuf::from(forced);
        return if program.is_file() {
            Ok(program)
        } else {
            let how = format!("{FORCED} names {}, which does not exist.", program.display());
            Err(Failure::Missing { what: "Chromium".into(), how })
        };
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    if let Some(found) = on_path(&names) {
        return Ok(found);
    }
    install("Chromium", &["chromium"])?;
    on_path(&names).ok_or_else(|| Failure::Missing {
        what: "Chromium".into(),
        how: format!("The package chromium brought none; name one in {FORCED}."),
    })
}

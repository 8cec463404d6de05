//! What is logged, and where: stderr, as text or one JSON object a line. Secrets are `SecretString`s, which print nothing.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::Log;

/// Checks a filter such as `info,gateway=debug`.
pub(crate) fn filter(text: &str) -> Result<String, String> {
    match EnvFilter::builder().parse(text) {
        Ok(_) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err("error, warn, info, debug or trace, or a filter such as info,gateway=debug".to_owned()),
    }
}

/// Sets up logging for the whole process. A second call changes nothing.
pub(crate) fn start(log: &Log) {
    let filter = EnvFilter::builder().parse_lossy(&log.filter);
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = if log.json {
        subscriber.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else {
        subscriber.with_target(false).with_ansi(std::io::stderr().is_terminal()).compact().try_init()
    };
}

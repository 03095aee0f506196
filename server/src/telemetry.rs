//! Where log lines go: to stderr, filtered, coloured on a terminal only.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Whether `filter` is one.
pub(crate) fn check_filter(filter: &str) -> Result<(), String> {
    EnvFilter::try_new(filter).map(|_| ()).map_err(|error| error.to_string())
}

/// Starts writing log lines for the whole process; does nothing where that was done before.
pub fn start(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A line that cannot be written, as on a full disk, would be told on stderr, which panics where that is the same file.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    if subscriber.try_init().is_err() {
        tracing::debug!("log lines are written already");
    }
}

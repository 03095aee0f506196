//! Where log lines go: to stderr, filtered, coloured on a terminal only.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

/// Puts another filter in the place of the one in force.
type Change = Box<dyn Fn(EnvFilter) -> bool + Send + Sync>;

/// There is one subscriber in a process, and so one filter of it.
static CHANGE: OnceLock<Change> = OnceLock::new();

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
        .with_ansi(std::io::stderr().is_terminal())
        .with_filter_reloading();
    let handle = subscriber.reload_handle();
    if subscriber.try_init().is_err() {
        tracing::debug!("log lines are written already");
        return;
    }
    CHANGE.get_or_init(|| Box::new(move |filter| handle.reload(filter).is_ok()));
}

/// Writes log lines by another filter from now on. False where it is none, or where [`start`] did not begin them.
pub fn change(filter: &str) -> bool {
    let Ok(filter) = EnvFilter::try_new(filter) else { return false };
    CHANGE.get().is_some_and(|change| change(filter))
}

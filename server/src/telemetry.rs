//! Where log lines go: to stderr, filtered, coloured on a terminal only. And the spans of calls to a collector, where there is one.

#[cfg(feature = "otlp")]
mod otlp;

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

use crate::config::Config;

/// Puts another filter in the place of the one in force.
type Change = Box<dyn Fn(EnvFilter) -> bool + Send + Sync>;

/// There is one subscriber in a process, and so one filter of it.
static CHANGE: OnceLock<Change> = OnceLock::new();

/// Whether `filter` is one.
pub(crate) fn check_filter(filter: &str) -> Result<(), String> {
    EnvFilter::try_new(filter).map(|_| ()).map_err(|error| error.to_string())
}

/// Whether spans can be handed to a collector at this address.
pub(crate) fn check_collector(address: &str) -> Result<(), String> {
    if cfg!(not(feature = "otlp")) {
        return Err("this radslagd was built without it: cargo build --features otlp".to_owned());
    }
    let uri = address.parse::<tonic::codegen::http::Uri>().ok();
    match uri.filter(|uri| uri.scheme_str() == Some("http") && uri.authority().is_some()) {
        Some(_) => Ok(()),
        None => Err("it is not a collector's address, http://HOST:PORT".to_owned()),
    }
}

fn filter_of(filter: &str) -> EnvFilter {
    EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Starts writing log lines for the whole process; does nothing where that was done before.
pub fn start(filter: &str) {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter_of(filter))
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

/// Writes log lines by another filter from now on. False where it is none, or where nobody began to write them.
pub fn change(filter: &str) -> bool {
    let Ok(filter) = EnvFilter::try_new(filter) else { return false };
    CHANGE.get().is_some_and(|change| change(filter))
}

/// The spans that are on their way to a collector, if there is one.
#[derive(Debug, Default)]
pub struct Traces {
    #[cfg(feature = "otlp")]
    provider: Option<opentelemetry_sdk::trace::SdkTracerProvider>,
}

/// As [`start`], and hands spans to the collector that the configuration names. Must be called within a tokio runtime.
pub fn start_serving(config: &Config) -> Traces {
    #[cfg(feature = "otlp")]
    if let Some(collector) = &config.otlp {
        return otlp::start(&config.log, collector);
    }
    start(&config.log);
    Traces::default()
}

impl Traces {
    /// Hands over what is left, for at most 5 s. The runtime must still be there, and this blocks.
    pub fn end(self) {
        #[cfg(feature = "otlp")]
        if let Some(Err(error)) = self.provider.map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "the collector did not take the last spans");
        }
    }
}

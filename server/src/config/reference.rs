//! Every setting in a table: what it is by default, what it takes and what it does. `docs/operating.md` has it word for word.

use std::ffi::OsString;
use std::fmt::Write as _;

use super::{ConfigError, MOST_CACHE_MIB, MOST_HEARTBEAT_MS, MOST_QUEUED, Settings, settle};
use crate::limits;

/// What a setting takes and does; of the limits their own file says it.
fn about(key: &str) -> Option<(String, &'static str)> {
    let up_to = |most: u64| format!("1 to {most}");
    let said = match key {
        "data" => (
            "a directory".to_owned(),
            "Where the store and the log's key are. Made where it is not there; one that is there belongs to the server's user and is closed to others (mode 700).",
        ),
        "listen" => (
            "an address and a port".to_owned(),
            "Where it listens. Programmes are begun and devices enrolled only while that is loopback; port 0 takes any free one.",
        ),
        "log" => (
            "a level, or levels by module".to_owned(),
            "Which log lines are written to stderr: `error`, `warn`, `info`, `debug`, `trace`, `off`, or `info,radslag_engine=debug`. Taken up at SIGHUP.",
        ),
        "queue" => (up_to(MOST_QUEUED as u64), "How many pushes may wait for the writer."),
        "cache_mib" => (up_to(MOST_CACHE_MIB), "The most memory of the store's cache, in MiB."),
        "heartbeat_ms" => (
            up_to(MOST_HEARTBEAT_MS),
            "How long a stream stays silent when there is nothing new, in milliseconds.",
        ),
        "metrics" => (
            "an address and a port, or `off`".to_owned(),
            "Where `GET /metrics` and `GET /health` are answered, to everybody who reaches it.",
        ),
        "otlp" => (
            "a collector's address, or `off`".to_owned(),
            "Hands the spans of calls to a collector, as `http://127.0.0.1:4317` (OTLP over gRPC). Only in a program that was built with `--features otlp`.",
        ),
        "tls_cert" => (
            "a file, or `off`".to_owned(),
            "Speaks TLS with this certificate: PEM, the server's own first, then those between it and its authority. Taken up at SIGHUP.",
        ),
        "tls_key" => (
            "a file, or `off`".to_owned(),
            "Its private key: PEM, not encrypted, closed to others (mode 600, or 640 for a group that may read it). Taken up at SIGHUP.",
        ),
        key => {
            let limit = limits::ABOUT.iter().find(|limit| Some(limit.key) == key.strip_prefix("limits."))?;
            (up_to(limit.most), limit.what)
        }
    };
    Some(said)
}

/// The table, as Markdown: a line for each setting, in the order of `radslagd config`.
///
/// # Errors
/// None: what is built in is valid.
pub fn reference() -> Result<String, ConfigError> {
    let nothing = |_: &str| -> Option<OsString> { None };
    let mut table = "| key | default | takes | what it does |\n|---|---|---|---|\n".to_owned();
    for setting in settle(Settings::default(), None, nothing)?.settings {
        let (takes, what) = about(setting.key).unwrap_or_default();
        writeln!(table, "| `{}` | `{}` | {takes} | {} |", setting.key, setting.value, what.trim())
            .expect("a string takes everything");
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_says_what_it_takes_and_does() {
        let nothing = |_: &str| -> Option<OsString> { None };
        for setting in settle(Settings::default(), None, nothing).unwrap().settings {
            let (takes, what) = about(setting.key).unwrap_or_else(|| panic!("{} says nothing", setting.key));
            assert!(!takes.is_empty() && what.trim().ends_with('.'), "{}: {takes}, {what}", setting.key);
        }
        assert_eq!(about("limits.conections"), None);
        assert_eq!(reference().unwrap().lines().count(), 2 + 10 + limits::ABOUT.len());
    }
}

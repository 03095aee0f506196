//! The simulation: a sweep over many seeds in a release build, or one seed again.

use std::path::Path;
use std::process::{Command, ExitCode};

/// Builds and runs `radslag-tests`' `sim` with these arguments, and ends as it ends.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> ExitCode {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "radslag-tests",
        "--bin",
        "sim",
        "--",
    ]);
    match cargo.args(arguments).status() {
        Ok(status) => {
            status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            eprintln!("error: cargo cannot be run: {error}");
            ExitCode::FAILURE
        }
    }
}

//! `radslag`: a municipality's replica on the command line.
//!
//! Reads the arguments, runs one command, and turns what went wrong into words and an exit code.

#![allow(unreachable_pub, reason = "in a binary, pub says what other modules here may use")]

mod args;
mod commands;
mod error;
mod names;
mod shape;
mod ui;
mod when;

use std::error::Error as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use crate::error::CliError;
use crate::ui::{Lang, Ui};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let failed = error.use_stderr();
            // Help that cannot be written has no reader left to tell.
            let _ = error.print();
            return if failed { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("RADSLAG_LOG");
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();
    let ui = Ui { format: cli.format, lang: cli.lang.unwrap_or_else(Lang::of_locale) };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(&CliError::Output(error)),
    };
    // What was acknowledged is on disk whatever happens here; the panic has already said where it was.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(commands::run(cli, ui))))
    {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => end(&error),
        Err(_) => ExitCode::from(70),
    }
}

/// Says what is so, why, and what to run next.
fn end(error: &CliError) -> ExitCode {
    let code = ExitCode::from(error.exit_code());
    if matches!(error, CliError::BrokenPipe) {
        return code;
    }
    let mut text = format!("error: {error}\n");
    let mut cause = error.source();
    let mut last = error.to_string();
    while let Some(source) = cause {
        let words = source.to_string();
        if !last.contains(&words) {
            text.push_str(&format!("caused by: {words}\n"));
        }
        last = words;
        cause = source.source();
    }
    if let Some(hint) = error.hint() {
        text.push_str(&format!("\nhint: {hint}\n"));
    }
    // Nobody is left to tell if this fails.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
    code
}

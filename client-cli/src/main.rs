//! `radslag`: a municipality's replica on the command line.
//!
//! Reads the arguments, runs one command, and turns what went wrong into words and an exit code.

#![allow(unreachable_pub, reason = "in a binary, pub says what other modules here may use")]

mod args;
mod commands;
mod error;
mod help;
mod names;
mod shape;
mod swedish;
mod ui;
mod when;

use std::error::Error as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::FromArgMatches as _;

use crate::args::Cli;
use crate::error::CliError;
use crate::ui::{Lang, Ui};

fn main() -> ExitCode {
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let lang = help::lang(&args);
    let parsed = help::command(lang).try_get_matches_from(args);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            let failed = error.use_stderr();
            if let Some(text) = help::wrong(&error).filter(|_| lang == Lang::Sv) {
                let _ = std::io::stderr().lock().write_all(text.as_bytes());
                return ExitCode::from(2);
            }
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
    let ui = Ui { format: cli.format, lang: cli.lang.unwrap_or(lang) };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(ui.lang, &CliError::Output(error)),
    };
    // What was acknowledged is on disk whatever happens here; the panic has already said where it was.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(commands::run(cli, ui))))
    {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => end(ui.lang, &error),
        Err(_) => ExitCode::from(70),
    }
}

/// Says what is so, why, and what to run next.
fn end(lang: Lang, error: &CliError) -> ExitCode {
    let code = ExitCode::from(error.exit_code());
    if matches!(error, CliError::BrokenPipe) {
        return code;
    }
    let [wrong, why, next] = match lang {
        Lang::Sv => ["fel", "orsak", "tips"],
        Lang::En => ["error", "caused by", "hint"],
    };
    let said = |text: &str| match lang {
        Lang::Sv => swedish::said(text),
        Lang::En => text.to_owned(),
    };
    let mut text = format!("{wrong}: {}\n", said(&error.to_string()));
    let mut cause = error.source();
    let mut last = error.to_string();
    while let Some(source) = cause {
        let words = source.to_string();
        if !last.contains(&words) {
            text.push_str(&format!("{why}: {}\n", said(&words)));
        }
        last = words;
        cause = source.source();
    }
    if let Some(hint) = error.hint() {
        text.push_str(&format!("\n{next}: {}\n", said(&hint)));
    }
    // Nobody is left to tell if this fails.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
    code
}

//! `radslagd`: the server as a process. Flags and signals in, exit codes out; everything else is the library's.

mod args;
mod commands;
mod notify;
mod reread;
mod say;
mod signals;

use std::panic;
use std::process::ExitCode;

use clap::Parser as _;

use args::Args;

/// A fault of the program, in the numbering of BSD's sysexits.
const BUG: u8 = 70;

fn main() -> ExitCode {
    // The panic's own message is on stderr by the time it arrives here.
    let code = panic::catch_unwind(|| commands::run(Args::parse())).unwrap_or_else(|_| {
        say::fault();
        BUG
    });
    ExitCode::from(code)
}

//! `cargo xtask`: the project's own chores. Decides what runs and in which order; every check itself is cargo's, a
//! script's, or a file of this crate. Depends on none of our crates, so that it builds when they do not.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the person at the terminal")]

mod api_doc;
mod ci;
mod errors_doc;
mod layers;
mod sim;
mod survival;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  ci          everything that must hold before a change lands, in order; stops at the first failure
  layers      every arrow between our crates is an allowed one, and core stays free of IO
  errors-doc  every reason has its page in docs/errors, and every page its reason
  api-doc     every call in proto/ has its place in docs/api.md, with a request and an answer
  survival    every fault of docs/guarantees.md, many times; one line for each
  sim         many towns, many seeds: [--seeds N] [--replicas K] [--first S], or --seed S [--replicas K]";

/// What a wrong command line ends with.
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = root();
    let outcome = match arguments.as_slice() {
        ["ci"] => ci::run(&root),
        ["layers"] => layers::run(&root),
        ["errors-doc"] => errors_doc::run(&root),
        ["api-doc"] => api_doc::run(&root),
        ["survival"] => survival::run(&root),
        ["help" | "-h" | "--help"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        ["sim", rest @ ..] => return sim::run(&root, rest),
        [] => return usage("a command is missing"),
        [other, ..] => return usage(&format!("{other:?} is not a command, or is followed by too much")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("error: {what}");
            ExitCode::FAILURE
        }
    }
}

fn usage(what: &str) -> ExitCode {
    eprintln!("error: {what}\n\n{USAGE}");
    ExitCode::from(USAGE_ERROR)
}

/// The top of the workspace that this program was built in.
fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).expect("this crate stands two folders below the top").to_owned()
}

/// One line for each of `wrong`, or nothing to complain about.
fn all_well(title: &str, wrong: &[String]) -> Result<(), String> {
    if wrong.is_empty() { Ok(()) } else { Err(format!("{title}\n  {}", wrong.join("\n  "))) }
}

//! Measures a scenario and, in the same run, the yardsticks that it is held against: figures from two machines, or from
//! two days of one machine, cannot be compared.
//!
//! One JSON object a line on stdout: a cell each, then the ratios between cells. Client and server share the machine, as
//! they do in the yardsticks; the server, and the other end of a yardstick, are processes of their own. `docs/performance.md`
//! says what each cell means.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a measurement is printed")]

mod as_of;
mod bootstrap;
mod catchup;
mod drafts;
mod fill;
mod followers;
mod goals;
mod history;
mod host;
mod live;
mod measure;
mod mixed;
mod process;
mod push;
mod restart;
mod whole;
mod writer;
mod yardstick;

use std::error::Error;
use std::process::ExitCode;

use clap::builder::RangedU64ValueParser;
use clap::{Parser, Subcommand};

use process::Role;

/// Whatever goes wrong ends the run and is told.
type Failed = Box<dyn Error + Send + Sync>;

/// Measures the server against what it could not be faster than; a JSON object a line
#[derive(Debug, Parser)]
#[command(name = "radslag-bench")]
struct Called {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Push(push::Asked),
    Catchup(catchup::Asked),
    Live(live::Asked),
    Restart(restart::Asked),
    Mixed(mixed::Asked),
    History(history::Asked),
    AsOf(as_of::Asked),
    Bootstrap(bootstrap::Asked),
    Followers(followers::Asked),
    /// Is the other end of a measurement
    #[command(subcommand, name = process::CALLED, hide = true)]
    Be(Role),
}

impl Task {
    async fn run(&self) -> Result<(), Failed> {
        match self {
            Self::Push(asked) => push::run(asked).await,
            Self::Catchup(asked) => catchup::run(asked).await,
            Self::Live(asked) => live::run(asked).await,
            Self::Restart(asked) => restart::run(asked).await,
            Self::Mixed(asked) => mixed::run(asked).await,
            Self::History(asked) => history::run(asked).await,
            Self::AsOf(asked) => as_of::run(asked).await,
            Self::Bootstrap(asked) => bootstrap::run(asked).await,
            Self::Followers(asked) => followers::run(asked).await,
            Self::Be(role) => role.be().await,
        }
    }
}

/// A number on the command line, both ends inclusive.
fn number(least: u64, most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(least..=most)
}

fn main() -> ExitCode {
    let called = Called::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(Failed::from).and_then(|runtime| runtime.block_on(called.task.run())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn read(arguments: &[&str]) -> Result<Task, clap::Error> {
        Called::try_parse_from([&["radslag-bench"], arguments].concat()).map(|called| called.task)
    }

    #[test]
    fn a_command_line_says_what_is_measured_and_for_how_long() {
        Called::command().debug_assert();
        let right: [&[&str]; 6] = [
            &["push"],
            &["push", "--seconds", "30", "--dir", "here"],
            &["push", "--events", "2000", "--writers", "1,64", "--batch", "10", "--programmes", "64"],
            &["bootstrap", "--events", "5000"],
            &["as-of", "--events", "50000", "--activities", "32,10000", "--reads", "5"],
            &["followers", "--subscribers", "0"],
        ];
        for arguments in right {
            assert!(read(arguments).is_ok(), "{arguments:?}");
        }
        let wrong: [&[&str]; 16] = [
            &[],
            &["pull"],
            &["push", "--seconds"],
            &["push", "--seconds", "0"],
            &["push", "--seconds", "601"],
            &["push", "--events", "-1"],
            &["push", "--events", "9", "--seconds", "9"],
            &["push", "--fast", "9"],
            &["push", "--batch", "501"],
            &["push", "--writers", "1,,2"],
            &["bootstrap", "--events", "7"],
            &["bootstrap", "--dir"],
            &["as-of", "--events", "12"],
            &["as-of", "--activities", "32,x"],
            &["as-of", "--against", "-1"],
            &["followers", "--subscribers", "2001"],
        ];
        for arguments in wrong {
            assert!(read(arguments).is_err(), "{arguments:?}");
        }
    }
}

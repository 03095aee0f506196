//! Measures a scenario and, in the same run, the yardsticks that it is held against: figures from two machines, or from
//! two days of one machine, cannot be compared.
//!
//! One JSON object a line on stdout: a cell each, then the ratios between cells. Client and server share the machine, as
//! they do in the yardsticks.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a measurement is printed")]

mod as_of;
mod bootstrap;
mod followers;
mod measure;
mod push;
mod writer;
mod yardstick;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use measure::{Bound, Cell};
use serde_json::json;

/// Whatever goes wrong ends the run and is told.
type Failed = Box<dyn Error + Send + Sync>;

const USAGE: &str = "\
usage: radslag-bench push [--seconds N | --events N] [--dir DIR]

  push         1 and 64 writers push one signed event a call to a server on loopback; beside it
               bare sled commits, a bare gRPC echo and bare fdatasync
  --seconds N  how long each cell runs, 1 to 600 (5 where nothing is said)
  --events N   how many events each cell counts instead, 1 to 10000000
  --dir DIR    where data is kept while it runs: a folder on the disk to be measured, not in memory
               (the system's folder for temporary files where nothing is said)";

/// How many writers are at work at once, or events in one batch.
const WIDTHS: [usize; 2] = [1, 64];

/// What a wrong command line ends with.
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if matches!(arguments.as_slice(), ["help" | "-h" | "--help"]) {
        println!("{USAGE}\n\n{}\n\n{}\n\n{}", bootstrap::USAGE, followers::USAGE, as_of::USAGE);
        return ExitCode::SUCCESS;
    }
    if let ["bootstrap", flags @ ..] = arguments.as_slice() {
        return bootstrap(flags);
    }
    if let ["followers", flags @ ..] = arguments.as_slice() {
        return followers(flags);
    }
    if let ["as-of", flags @ ..] = arguments.as_slice() {
        return as_of(flags);
    }
    if let [as_of::serve::ROLE, dir] = arguments.as_slice() {
        return finish(as_of::serve::be(Path::new(dir)));
    }
    let (bound, dir) = match read_arguments(&arguments) {
        Ok(read) => read,
        Err(what) => {
            eprintln!("error: {what}\n\n{USAGE}");
            return ExitCode::from(USAGE_ERROR);
        }
    };
    match run(bound, &dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn followers(flags: &[&str]) -> ExitCode {
    let asked = match followers::read_arguments(flags) {
        Ok(asked) => asked,
        Err(what) => {
            eprintln!("error: {what}\n\n{}", followers::USAGE);
            return ExitCode::from(USAGE_ERROR);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(Failed::from).and_then(|runtime| runtime.block_on(followers::run(&asked))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn as_of(flags: &[&str]) -> ExitCode {
    match as_of::read_arguments(flags) {
        Ok(asked) => finish(as_of::run(&asked)),
        Err(what) => {
            eprintln!("error: {what}\n\n{}", as_of::USAGE);
            ExitCode::from(USAGE_ERROR)
        }
    }
}

/// Runs it to its end.
fn finish(work: impl Future<Output = Result<(), Failed>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(Failed::from).and_then(|runtime| runtime.block_on(work)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bootstrap(flags: &[&str]) -> ExitCode {
    let (events, dir) = match bootstrap::read_arguments(flags) {
        Ok(read) => read,
        Err(what) => {
            eprintln!("error: {what}\n\n{}", bootstrap::USAGE);
            return ExitCode::from(USAGE_ERROR);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done =
        runtime.map_err(Failed::from).and_then(|runtime| runtime.block_on(bootstrap::run(&dir, events)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read_arguments(arguments: &[&str]) -> Result<(Bound, PathBuf), String> {
    let [scenario, flags @ ..] = arguments else { return Err("a scenario is missing".to_owned()) };
    if *scenario != "push" {
        return Err(format!("{scenario:?} is not a scenario"));
    }
    let mut bound = None;
    let mut dir = None;
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        if !["--seconds", "--events", "--dir"].contains(flag) {
            return Err(format!("{flag:?} is not a flag"));
        }
        let value = flags.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match *flag {
            "--seconds" if bound.is_none() => {
                let seconds = number(flag, value, 600)?;
                bound = Some(Bound::Time(Duration::from_secs(seconds)));
            }
            "--events" if bound.is_none() => bound = Some(Bound::Events(number(flag, value, 10_000_000)?)),
            "--dir" if dir.is_none() => dir = Some(PathBuf::from(value)),
            _ => return Err(format!("{flag} is said twice, or beside the other bound")),
        }
    }
    Ok((bound.unwrap_or(Bound::Time(Duration::from_secs(5))), dir.unwrap_or_else(std::env::temp_dir)))
}

fn number(flag: &str, value: &str, most: u64) -> Result<u64, String> {
    let read = value.parse().ok().filter(|number| (1..=most).contains(number));
    read.ok_or_else(|| format!("{flag} is {value:?}, not a number from 1 to {most}"))
}

#[derive(Default)]
struct Cells(Vec<Cell>);

impl Cells {
    fn add(&mut self, cell: Cell) {
        println!("{}", cell.to_json());
        self.0.push(cell);
    }

    /// How one cell's rate stands to another's, to three decimals.
    fn ratio(&self, one: (&str, usize), two: (&str, usize)) -> f64 {
        let rate = |(scenario, writers): (&str, usize)| {
            let found = self.0.iter().find(|cell| cell.scenario == scenario && cell.writers == writers);
            found.map_or(f64::NAN, Cell::events_per_s)
        };
        (rate(one) / rate(two) * 1_000.0).round() / 1_000.0
    }
}

fn run(bound: Bound, dir: &Path) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let payload = writer::payload()?;
    let mut cells = Cells::default();
    for writers in WIDTHS {
        cells.add(runtime.block_on(push::run(dir, bound, writers))?);
    }
    for batch in WIDTHS {
        cells.add(yardstick::sled::run(dir, bound, batch, &payload)?);
    }
    for writers in WIDTHS {
        cells.add(runtime.block_on(yardstick::echo::run(bound, writers, &payload))?);
    }
    cells.add(yardstick::disk::run(dir, bound)?);
    println!(
        "{}",
        json!({ "ratios": {
            "push_1_to_sled_1": cells.ratio(("push", 1), ("sled", 1)),
            "push_64_to_sled_64": cells.ratio(("push", 64), ("sled", 64)),
            "push_1_to_echo_1": cells.ratio(("push", 1), ("echo", 1)),
            "push_64_to_echo_64": cells.ratio(("push", 64), ("echo", 64)),
            "push_1_to_fdatasync": cells.ratio(("push", 1), ("fdatasync", 1)),
            "push_64_to_push_1": cells.ratio(("push", 64), ("push", 1)),
        }, "event_bytes": payload.len() })
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_says_what_is_measured_and_for_how_long() {
        let bound = |arguments: &[&str]| read_arguments(arguments).map(|(bound, _)| bound);
        assert_eq!(bound(&["push"]), Ok(Bound::Time(Duration::from_secs(5))));
        assert_eq!(bound(&["push", "--seconds", "30"]), Ok(Bound::Time(Duration::from_secs(30))));
        assert_eq!(bound(&["push", "--events", "2000"]), Ok(Bound::Events(2_000)));
        assert_eq!(read_arguments(&["push", "--dir", "here"]).unwrap().1, PathBuf::from("here"));
        let wrong: [&[&str]; 8] = [
            &[],
            &["pull"],
            &["push", "--seconds"],
            &["push", "--seconds", "0"],
            &["push", "--seconds", "601"],
            &["push", "--events", "-1"],
            &["push", "--events", "9", "--seconds", "9"],
            &["push", "--fast", "9"],
        ];
        for arguments in wrong {
            assert!(read_arguments(arguments).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn a_new_replica_of_a_short_programme_is_measured_too() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(bootstrap::run(dir.path(), 3_000)).unwrap();
        assert!(bootstrap::read_arguments(&["--events", "7"]).is_err());
        assert!(bootstrap::read_arguments(&["--dir"]).is_err());
        assert_eq!(bootstrap::read_arguments(&["--events", "5000"]).unwrap().0, 5_000);
    }

    #[test]
    fn looking_back_is_asked_for_in_numbers() {
        assert!(
            as_of::read_arguments(&["--events", "50000", "--activities", "32,10000", "--reads", "5"]).is_ok()
        );
        for wrong in [&["--events", "12"][..], &["--activities", "32,x"], &["--reads"], &["--against", "-1"]]
        {
            assert!(as_of::read_arguments(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_cell_runs_and_counts_what_it_was_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        run(Bound::Events(3), dir.path()).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a measurement leaves nothing behind");
    }
}

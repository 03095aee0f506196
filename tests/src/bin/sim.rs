//! `sim`: a sweep over many seeds, or one seed again. `cargo xtask sim` runs it in a release build.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to the person at the terminal")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use radslag_tests::sim::{Failure, Report, run_and_shrink};

const USAGE: &str = "usage: sim [--seeds N] [--replicas K] [--first S]   or   sim --seed S [--replicas K]";

struct Asked {
    first: u64,
    seeds: u64,
    replicas: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match read(&arguments) {
        Ok(asked) => sweep(&asked),
        Err(what) => {
            eprintln!("error: {what}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn read(arguments: &[String]) -> Result<Asked, String> {
    let mut asked = Asked { first: 1, seeds: 200, replicas: 8 };
    for pair in arguments.chunks(2) {
        let [name, value] = pair else { return Err(format!("{} needs a number", pair[0])) };
        let number: u64 = value.parse().map_err(|_| format!("{name}: {value:?} is not a number"))?;
        match name.as_str() {
            "--seeds" => asked.seeds = number,
            "--first" => asked.first = number,
            "--seed" => (asked.first, asked.seeds) = (number, 1),
            "--replicas" if (1..=50).contains(&number) => {
                asked.replicas = usize::try_from(number).map_err(|error| error.to_string())?;
            }
            "--replicas" => return Err("there can be 1 to 50 replicas".to_owned()),
            _ => return Err(format!("{name:?} is not an option")),
        }
    }
    Ok(asked)
}

fn sweep(asked: &Asked) -> ExitCode {
    // A law that is broken by a panic says so in its failure; the backtrace would drown it.
    std::panic::set_hook(Box::new(|_| {}));
    let begun = Instant::now();
    let next = AtomicU64::new(0);
    let total = Mutex::new(Report::default());
    let failures = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| work(asked, &next, &total, &failures));
        }
    });
    let (total, failures) = (unlocked(total), unlocked(failures));
    println!(
        "{} seeds with {} replicas in {:.1} s: {} events authored, {} records, {} rejected, {} fields in conflict, \
         {} messages lost or repeated, {} crashes",
        asked.seeds,
        asked.replicas,
        begun.elapsed().as_secs_f64(),
        total.authored,
        total.records,
        total.rejected,
        total.conflicts,
        total.faults,
        total.crashes,
    );
    if failures.is_empty() {
        println!("every law held in every run");
        return ExitCode::SUCCESS;
    }
    for failure in &failures {
        println!("\n{failure}");
    }
    println!("{} runs broke a law; keep the seeds in tests/fixtures/sim/seeds.txt", failures.len());
    ExitCode::FAILURE
}

fn unlocked<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn work(asked: &Asked, next: &AtomicU64, total: &Mutex<Report>, failures: &Mutex<Vec<Failure>>) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let enough = failures.lock().is_ok_and(|failures| failures.len() >= 5);
        if index >= asked.seeds || enough {
            return;
        }
        match run_and_shrink(asked.first + index, asked.replicas) {
            Ok(report) => total.lock().expect("nothing panics while it holds the sum").add(&report),
            Err(failure) => failures.lock().expect("nothing panics while it holds these").push(failure),
        }
    }
}

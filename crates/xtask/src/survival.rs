//! `cargo xtask survival`: every fault of `docs/guarantees.md` in full numbers, and one line for each: how often it was tried, what was
//! lost, what that means.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::ci::cargo;

/// One fault, and the tests that bring it about.
struct Fault {
    what: &'static str,
    package: &'static str,
    /// Which of its test binaries.
    binary: &'static [&'static str],
    /// Parts of the names of the tests.
    tests: &'static [&'static str],
    /// How often, by which variable; none where the test has a number of its own.
    times: Option<(&'static str, u32)>,
}

const FAULTS: &[Fault] = &[
    Fault {
        what: "server killed under load",
        package: "radslag-tests",
        binary: &["--test", "e2e"],
        tests: &["crash::killed::nothing_acknowledged"],
        times: Some(("RADSLAG_KILLS", 100)),
    },
    Fault {
        what: "power cut under the server",
        package: "radslag-tests",
        binary: &["--test", "e2e"],
        tests: &["crash::power::nothing_acknowledged"],
        times: Some(("RADSLAG_POWER_CUT_ROUNDS", 25)),
    },
    Fault {
        what: "power cut under a replica",
        package: "radslag-tests",
        binary: &["--test", "e2e"],
        tests: &["crash::power::nothing_queued"],
        times: Some(("RADSLAG_POWER_CUT_ROUNDS", 25)),
    },
    Fault {
        what: "power cut under the bare store",
        package: "radslag-log-sled",
        binary: &["--test", "store"],
        tests: &["power_cut::nothing_acknowledged"],
        times: Some(("RADSLAG_POWER_CUT_ROUNDS", 25)),
    },
    Fault {
        what: "the same without fdatasync, which has to lose",
        package: "radslag-log-sled",
        binary: &["--test", "store"],
        tests: &["power_cut::without_the_sync"],
        times: Some(("RADSLAG_POWER_CUT_ROUNDS", 25)),
    },
    Fault {
        what: "k-th fdatasync fails",
        package: "radslag-tests",
        binary: &["--test", "e2e"],
        tests: &["crash::syncs::"],
        times: Some(("RADSLAG_FAILED_SYNCS", 50)),
    },
    Fault {
        what: "disk full, file too large",
        package: "radslag-tests",
        binary: &["--test", "e2e"],
        tests: &["crash::full::"],
        times: None,
    },
    Fault {
        what: "bytes flipped, cut off, emptied, deleted",
        package: "radslag-tests",
        binary: &["--test", "e2e"],
        tests: &["crash::damage::"],
        times: Some(("RADSLAG_DAMAGES", 10)),
    },
    Fault {
        what: "disk gone, backup cut short",
        package: "radslag-tests",
        binary: &["--test", "e2e"],
        tests: &["e2e::backup::", "e2e::from_replica::", "e2e::restored::"],
        times: None,
    },
    Fault {
        what: "told to end under load",
        package: "radslag-server",
        binary: &["--test", "rpc"],
        tests: &["ending::"],
        times: None,
    },
    Fault {
        what: "port flooded, descriptors gone",
        package: "radslag-server",
        binary: &["--test", "rpc"],
        tests: &["port::", "floods::"],
        times: None,
    },
    Fault {
        what: "server stood still",
        package: "radslag-tests",
        binary: &["--test", "e2e"],
        tests: &["crash::killed::a_server_that_stood_still"],
        times: Some(("RADSLAG_STANDSTILL", 30)),
    },
    Fault {
        what: "clock set forward and back",
        package: "radslag-server",
        binary: &["--test", "rpc"],
        tests: &["clock"],
        times: None,
    },
    Fault {
        what: "bytes from elsewhere",
        package: "radslag-tests",
        binary: &["--lib"],
        tests: &["fuzz::"],
        times: Some(("RADSLAG_FUZZ_INPUTS", 200_000)),
    },
];

/// Tries all of them; the error says how many did not hold.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    // The tests run the real programs.
    let built =
        Command::new(cargo()).args(["build", "--quiet", "--workspace", "--bins"]).current_dir(root).status();
    if !built.is_ok_and(|built| built.success()) {
        return Err("the programs do not build".to_owned());
    }
    let outcomes: Vec<(&Fault, Outcome)> = FAULTS.iter().map(|fault| (fault, try_out(fault, root))).collect();
    println!("{:<46} {:>8}  {:<6} verdict", "fault", "tried", "lost");
    for (fault, outcome) in &outcomes {
        let tried = fault.times.map_or_else(|| "once".to_owned(), |(_, times)| times.to_string());
        let (tried, lost, verdict) = match outcome {
            Outcome::Holds => (tried, "none", "holds".to_owned()),
            Outcome::Skipped(why) => ("0".to_owned(), "-", format!("skipped: {why}")),
            Outcome::Fails => (tried, "see", "DOES NOT HOLD: what was said is above".to_owned()),
        };
        println!("{:<46} {tried:>8}  {lost:<6} {verdict}", fault.what);
    }
    match outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Fails)).count() {
        0 => Ok(()),
        failed => Err(format!("{failed} of {} do not hold", FAULTS.len())),
    }
}

enum Outcome {
    Holds,
    Skipped(String),
    Fails,
}

fn try_out(fault: &Fault, root: &Path) -> Outcome {
    eprintln!("==> {}", fault.what);
    let began = Instant::now();
    let mut test = Command::new(cargo());
    test.args(["test", "--quiet", "--package", fault.package]).args(fault.binary);
    // Several filters are the test binary's own matter; cargo takes one.
    test.args(["--", "--nocapture"]).args(fault.tests);
    test.envs(fault.times.map(|(variable, times)| (variable, times.to_string())));
    let Ok(output) = test.current_dir(root).output() else { return Outcome::Fails };
    eprintln!("    took {:.1} s", began.elapsed().as_secs_f64());
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    judge(output.status.success(), &said)
}

/// What a run of tests amounts to. One that ran no test shows nothing.
fn judge(succeeded: bool, said: &str) -> Outcome {
    let ran = said.lines().any(|line| line.starts_with("running ") && !line.starts_with("running 0 "));
    if !succeeded || !ran {
        eprintln!("{said}");
        return Outcome::Fails;
    }
    match said.lines().find_map(|line| line.trim_start().strip_prefix("skipped, ")) {
        Some(why) => Outcome::Skipped(why.to_owned()),
        None => Outcome::Holds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_a_test_shows_nothing() {
        assert!(matches!(judge(true, "running 0 tests\n"), Outcome::Fails));
        assert!(matches!(judge(false, "running 1 test\n"), Outcome::Fails));
        assert!(matches!(judge(true, "\nrunning 2 tests\n..\n"), Outcome::Holds));
        let skipped = judge(true, "running 1 test\nskipped, there is no disk: mount: no\n.\n");
        assert!(matches!(skipped, Outcome::Skipped(why) if why == "there is no disk: mount: no"));
    }
}

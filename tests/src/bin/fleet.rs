//! `cargo run --release -p radslag-tests --bin fleet -- --processes 8 --edits 500 --kills 10`: real replica processes edit
//! while the server is killed and started again; then everything is accounted for. Prints what came of it, a line each.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a measurement is printed")]

use std::process::ExitCode;

use radslag_tests::fleet::{Plan, run};

const USAGE: &str = "usage: fleet [--processes N] [--edits N] [--kills N] [--seed N]  (8, 500, 10 and 1 where nothing is said)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(plan) = read(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    radslag_tests::build_programs();
    let report = run(&plan);
    println!("processes {}, edits each {}, seed {}", plan.processes, plan.edits, plan.seed);
    println!("outcomes      {} of {}", report.outcomes(), plan.processes * plan.edits);
    println!("accepted      {}", report.accepted);
    for (reason, count) in &report.rejected {
        println!("rejected      {count} {reason}");
    }
    println!("kills         {}", report.kills);
    println!("failed calls  {}", report.failed_calls);
    println!("seconds       {:.1}", report.took.as_secs_f64());
    println!("position      {}", report.stands.position);
    println!(
        "conflicts     {}, listed identically by all replicas and the server",
        report.stands.conflicts.len()
    );
    println!(
        "lost writes   0 by the referee; the last writer alone would have dropped {}",
        report.would_drop
    );
    println!("state hash    {}, in all replicas and the server", report.stands.state_hash);
    ExitCode::SUCCESS
}

fn read(arguments: &[String]) -> Option<Plan> {
    let mut plan = Plan { processes: 8, edits: 500, kills: 10, seed: 1 };
    for pair in arguments.chunks(2) {
        let [name, value] = pair else { return None };
        match name.as_str() {
            "--processes" => plan.processes = value.parse().ok()?,
            "--edits" => plan.edits = value.parse().ok()?,
            "--kills" => plan.kills = value.parse().ok()?,
            "--seed" => plan.seed = value.parse().ok()?,
            _ => return None,
        }
    }
    // Every kill has its own moment in the fleet's progress.
    let room = plan.processes * plan.edits * 9 / 10;
    ((1..=8).contains(&plan.processes) && plan.edits > 0 && plan.kills <= room).then_some(plan)
}

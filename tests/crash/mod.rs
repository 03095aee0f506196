//! What can go wrong under a server and a replica that run, and what has to hold after it: `docs/guarantees.md` names the test for each
//! fault. Few rounds here; `cargo xtask survival` makes many.

mod damage;
mod full;
mod killed;
mod power;
mod syncs;

use std::collections::BTreeSet;

use radslag_tests::{Municipality, Town, all_equal, settle};

/// The ids of every record of a replica's log.
fn there(replica: &Municipality) -> BTreeSet<String> {
    let log = replica.objects(&["log"]);
    let ids: Vec<String> = log
        .iter()
        .filter(|record| !record["position"].is_null())
        .filter_map(|record| record["event_id"].as_str())
        .map(str::to_owned)
        .collect();
    let once: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(once.len(), ids.len(), "an event is in the log twice");
    once
}

/// The server holds all that was acknowledged; everybody goes on from what they have to the same log, whose root the server signs; and
/// the store itself verifies.
#[track_caller]
fn stands(town: &mut Town, replicas: &[&Municipality], acknowledged: &BTreeSet<String>) {
    assert!(!acknowledged.is_empty(), "nothing was acknowledged");
    settle(replicas);
    // Who comes new has it from the server alone.
    let newcomer = town.municipality("nykomling", "Ny");
    let log = there(&newcomer);
    let lost: Vec<&String> = acknowledged.difference(&log).collect();
    assert!(lost.is_empty(), "acknowledged and gone: {lost:?}");
    let all: Vec<&Municipality> = replicas.iter().copied().chain([&newcomer]).collect();
    settle(&all);
    all_equal(&all);
    assert!(!town.said().contains("panicked"), "{}", town.said());
    town.stop();
    town.check();
}

//! The power of the server's disk, or of a replica's, goes under load.

use std::collections::BTreeSet;

use radslag_tests::disk::Disk;
use radslag_tests::load::Load;
use radslag_tests::rounds::rounds;
use radslag_tests::{Municipality, Town};

use super::{stands, there};

const ROUNDS: &str = "RADSLAG_POWER_CUT_ROUNDS";

#[test]
fn nothing_acknowledged_is_lost_when_the_servers_power_goes() {
    let Some(disk) = Disk::or_skip(512) else { return };
    let mut town = Town::with_data_in(&disk.mounted().join("server"));
    let all = ["haninge", "huddinge", "nacka"].map(|org| town.municipality(org, "Handläggare"));
    let mut load = Load::begin(&all.each_ref(), 2);
    for round in 0..rounds(ROUNDS, 2) {
        load.wait_for(1 + round * 11 % 60);
        disk.cut();
        town.crash();
        disk.turn_on();
        town.start();
    }
    let acknowledged = load.end();
    stands(&mut town, &all.each_ref(), &acknowledged);
}

/// Edits until the disk takes no more; gives the ids of what was said to be queued.
fn edit_on(replica: &Municipality, cut_after: usize, disk: &Disk) -> BTreeSet<String> {
    let mut queued = BTreeSet::new();
    for number in 0.. {
        if number == cut_after {
            disk.cut();
        }
        let comment =
            format!("Ändring {number} {}", "lång ".repeat(if number % 5 == 4 { 10_000 } else { 1 }));
        let edit = replica.run(&["edit", "Nyckeltalsdagen", "--comment", &comment, "--format", "json"]);
        if edit.code != Some(0) {
            assert!(!edit.err.contains("panicked"), "{edit}");
            break;
        }
        let ids = edit.object()["queued"].as_array().cloned().unwrap_or_default();
        queued.extend(ids.iter().filter_map(|id| id.as_str()).map(str::to_owned));
    }
    queued
}

#[test]
fn nothing_queued_is_lost_when_a_replicas_power_goes() {
    let Some(disk) = Disk::or_skip(128) else { return };
    let town = Town::with_sample();
    let haninge = town.municipality_in(&disk.mounted().join("haninge"), "haninge", "Håkan");
    let mut queued = BTreeSet::new();
    for round in 0..rounds(ROUNDS, 2) {
        queued.extend(edit_on(&haninge, 3 + round * 5 % 13, &disk));
        disk.turn_on();
        let outbox = haninge.objects(&["outbox", "list"]);
        let kept: BTreeSet<String> =
            outbox.iter().filter_map(|row| row["event_id"].as_str()).map(str::to_owned).collect();
        let log = there(&haninge);
        let lost: Vec<&String> =
            queued.iter().filter(|event| !kept.contains(*event) && !log.contains(*event)).collect();
        assert!(lost.is_empty(), "round {round}: queued and gone: {lost:?}");
        // Every second round something is pulled and handed in between the cuts.
        if round % 2 == 1 {
            haninge.does(&["sync"]);
        }
    }
    haninge.does(&["sync"]);
    assert!(queued.is_subset(&there(&haninge)), "what was queued is in the log");
    haninge.does(&["verify", "--online"]);
}

//! The power goes: what the kernel had not written is gone, and what was acknowledged must be there.
//!
//! The power of a disk is cut under the writing process, turned on again, and what is there is compared. The counter-proof does the same
//! with the fdatasync left out and must find loss: a cut that finds nothing there proves nothing here. Where there can be no such disk
//! the tests say so and pass, unless `RADSLAG_REQUIRE_POWER_CUT` is set. `RADSLAG_POWER_CUT_ROUNDS` sets the number of rounds.

use std::path::Path;

use crate::child::{Child, Role, verify};
use crate::disk::Disk;
use crate::rounds::rounds;

const ROUNDS: &str = "RADSLAG_POWER_CUT_ROUNDS";

#[test]
fn nothing_acknowledged_is_lost_to_a_power_cut() {
    let Some(disk) = Disk::or_skip(256) else { return };
    let store = disk.mounted().join("store");
    for round in 0..rounds(ROUNDS, 5) {
        let acknowledged = cut_while(&disk, Role::Append, &store, 5 + round * 61 % 173);
        assert!(acknowledged > 0, "round {round}: nothing was acknowledged");
        let head = verify(&store);
        let stands = head.as_ref().is_ok_and(|head| *head >= acknowledged);
        assert!(stands, "round {round}: {acknowledged} acknowledged, found {head:?}");
        eprintln!("round {round}: {acknowledged} acknowledged, {head:?} found");
    }
}

#[test]
fn without_the_sync_a_power_cut_does_lose_what_was_acknowledged() {
    let Some(disk) = Disk::or_skip(256) else { return };
    for round in 0..rounds(ROUNDS, 5) {
        // A store of its own each time: the one before is broken, that is the point.
        let store = disk.mounted().join(format!("store-{round}"));
        let acknowledged = cut_while(&disk, Role::AppendWithoutSync, &store, 5 + round * 61 % 173);
        let head = verify(&store);
        eprintln!("round {round}, not synced: {acknowledged} acknowledged, {head:?} found");
        if !head.is_ok_and(|head| head >= acknowledged) {
            return;
        }
    }
    panic!("no round lost anything: the cut is not a cut");
}

/// Cuts the power after some commits of a child and turns it on again; gives the last acknowledged position.
fn cut_while(disk: &Disk, role: Role, store: &Path, commits: usize) -> u64 {
    let mut child = Child::start(role, store);
    let alive = child.wait_for_acknowledgements(commits);
    assert!(alive, "the child ended by itself: {}", child.said);
    disk.cut();
    child.kill();
    disk.turn_on();
    child.acknowledged
}

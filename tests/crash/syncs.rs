//! The k-th fdatasync fails, for every k: nothing that was acknowledged is lost, and after the failure nothing more is believed.

use std::process::Command;

use radslag_tests::Town;
use radslag_tests::load::Load;
use radslag_tests::rounds::rounds;

use super::stands;

/// Whether a process can be run under `strace` with calls that fail.
fn strace_or_skip() -> bool {
    let tried = Command::new("strace").args(["-D", "-f", "-qq", "-e", "trace=fdatasync", "true"]).output();
    let can = tried.as_ref().is_ok_and(|tried| tried.status.success());
    if !can {
        eprintln!("skipped, no call can be made to fail here: strace: {tried:?}");
    }
    can
}

#[test]
fn a_sync_that_fails_stops_writing_and_loses_nothing() {
    if !strace_or_skip() {
        return;
    }
    let mut town = Town::with_sample();
    let all = ["haninge", "huddinge"].map(|org| town.municipality(org, "Handläggare"));
    town.stop();
    let mut load = Load::begin(&all.each_ref(), 5);
    for k in 1..=rounds("RADSLAG_FAILED_SYNCS", 6) {
        // Detached, so that the server is still our child.
        let under = format!(
            "exec strace -D -f -qq -o /dev/null -e trace=fdatasync -e inject=fdatasync:error=EIO:when={k}"
        );
        match town.try_start(&under) {
            Ok(()) => {
                load.wait_for_refusal("WRITES_STOPPED");
                town.crash();
            }
            // It failed while the store was opened: said, and nothing was served.
            Err(said) => assert!(said.contains("error") && !said.contains("panicked"), "{k}: {said}"),
        }
    }
    town.start();
    load.wait_for(20);
    let acknowledged = load.end();
    stands(&mut town, &all.each_ref(), &acknowledged);
}

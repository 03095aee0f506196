//! SIGKILL under load: what was acknowledged is there, once, in the order in which everybody sees it.

use radslag_tests::Town;
use radslag_tests::disk::rounds;
use radslag_tests::load::Load;

use super::stands;

#[test]
fn nothing_acknowledged_is_lost_to_a_kill_under_load() {
    let mut town = Town::with_sample();
    let all = ["haninge", "huddinge", "nacka"].map(|org| town.municipality(org, "Handläggare"));
    let mut load = Load::begin(&all.each_ref(), 1);
    for round in 0..rounds("RADSLAG_KILLS", 5) {
        load.wait_for(1 + round * 7 % 40);
        town.crash();
        town.start();
    }
    let acknowledged = load.end();
    stands(&mut town, &all.each_ref(), &acknowledged);
}

#[cfg(unix)]
#[test]
fn a_server_that_stood_still_goes_on_where_it_was() {
    let mut town = Town::with_sample();
    let all = ["haninge", "huddinge"].map(|org| town.municipality(org, "Handläggare"));
    let mut load = Load::begin(&all.each_ref(), 6);
    load.wait_for(5);
    town.server().signal("STOP");
    // As long as it is told to stand still; without a word no longer than the signals take.
    std::thread::sleep(std::time::Duration::from_secs(rounds("RADSLAG_STANDSTILL", 0) as u64));
    town.server().signal("CONT");
    load.wait_for(20);
    let acknowledged = load.end();
    stands(&mut town, &all.each_ref(), &acknowledged);
}

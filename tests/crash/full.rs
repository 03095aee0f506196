//! The disk is nearly full, or the operating system lets no file grow: the call gets a typed error before anything is written, reading
//! goes on, and with room the same change is handed in again and is there once.

use std::fs;

use radslag_tests::disk::Disk;
use radslag_tests::load::Load;
use radslag_tests::{Municipality, Town};

use super::stands;

/// Nothing is written, and all that is there can be read.
#[track_caller]
fn only_reads(town: &Town, replica: &Municipality, load: &mut Load) {
    load.wait_for_refusal("DISK_FULL");
    replica.does(&["pull"]);
    replica.does(&["verify"]);
    town.cli(&["program", "list", "--server", town.url()]).run().done().says("Södertörns utvecklingsprogram");
    assert!(town.said().contains("there is no room"), "{}", town.said());
}

#[test]
fn a_full_disk_stops_writing_until_there_is_room_and_loses_nothing() {
    let Some(disk) = Disk::or_skip(32) else { return };
    let ballast = disk.mounted().join("ballast");
    fs::write(&ballast, vec![1; 14 << 20]).unwrap();
    let mut town = Town::with_data_in(&disk.mounted().join("server"));
    let all = ["haninge", "huddinge"].map(|org| town.municipality(org, "Handläggare"));
    let reader = town.municipality("salem", "Eva");
    let mut load = Load::begin(&all.each_ref(), 3);
    only_reads(&town, &reader, &mut load);
    // A server that is started anew meanwhile is no worse.
    town.stop();
    town.start();
    only_reads(&town, &reader, &mut load);
    fs::remove_file(&ballast).unwrap();
    load.wait_for(20);
    let acknowledged = load.end();
    stands(&mut town, &all.each_ref(), &acknowledged);
}

#[test]
fn a_full_disk_queues_no_edit_and_loses_none() {
    let Some(disk) = Disk::or_skip(24) else { return };
    let town = Town::with_sample();
    let haninge = town.municipality_in(&disk.mounted().join("haninge"), "haninge", "Håkan");
    let before = haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1000"]);
    let ballast = disk.mounted().join("ballast");
    // As much as there is.
    let mut file = fs::File::create(&ballast).unwrap();
    while std::io::Write::write_all(&mut file, &[1; 1 << 16]).is_ok() {}
    drop(file);
    let refused = haninge.run(&["edit", "Nyckeltalsdagen", "--cost", "2000"]).exits(1);
    assert!(refused.err.contains("room") && !refused.err.contains("panicked"), "{refused}");
    assert_eq!(haninge.object(&["status"])["outbox"], 1);
    fs::remove_file(&ballast).unwrap();
    let after = haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "3000"]);
    haninge.does(&["sync"]);
    let log = super::there(&haninge);
    assert!(before.iter().chain(&after).all(|event| log.contains(event)));
}

#[test]
fn a_file_that_may_not_grow_stops_writing_and_loses_nothing() {
    let mut town = Town::with_sample();
    let all = ["haninge", "huddinge"].map(|org| town.municipality(org, "Handläggare"));
    let reader = town.municipality("salem", "Eva");
    town.stop();
    let size = fs::metadata(town.data().join("db")).unwrap().len();
    // The shell counts in blocks of 512 bytes.
    let most = (size + (6 << 20)) / 512;
    town.try_start(&format!("ulimit -f {most};")).unwrap();
    let mut load = Load::begin(&all.each_ref(), 4);
    only_reads(&town, &reader, &mut load);
    town.stop();
    town.start();
    load.wait_for(20);
    let acknowledged = load.end();
    stands(&mut town, &all.each_ref(), &acknowledged);
}

//! The suite that every store passes, and what is particular to pieces and to the high-water mark.

use std::fs;
use std::path::Path;

use radslag_core::id::Position;
use radslag_log::conformance::{self, sample};
use radslag_log::{Append, Around, EventLog, LogError, StoredRecord};
use radslag_log_sled::{OpenOptions, SledLog};
use tempfile::TempDir;

use crate::damage::sled_in;

/// Opens a store as tests do.
pub(crate) fn open(dir: &Path) -> SledLog {
    SledLog::open(dir, OpenOptions::default()).expect("the store opens")
}

pub(crate) fn open_error(dir: &Path) -> LogError {
    SledLog::open(dir, OpenOptions::default()).expect_err("the store does not open")
}

fn place() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// A store that takes its directory along when it goes.
struct Temporary {
    log: SledLog,
    _dir: TempDir,
}

impl Around for Temporary {
    fn inner(&self) -> &dyn EventLog {
        &self.log
    }
}

#[test]
fn the_store_passes_the_suite() {
    conformance::run_all(|| {
        let dir = place();
        Temporary { log: open(dir.path()), _dir: dir }
    });
}

#[test]
fn the_store_passes_the_suite_for_durable_stores() {
    conformance::run_durable(place, |dir| open(dir.path()));
}

#[test]
fn pieces_at_their_boundaries_survive_reopening() {
    let dir = place();
    let mut written: Vec<Append> = Vec::new();
    for size in [0, 1, 4060, 4090, 4094, 4095, 4096, 4097, 8190, 65_535, 65_536] {
        let log = open(dir.path());
        let big: StoredRecord = sample::with_value(sample::accepted(size), 1, size);
        written.push(sample::write(&log, sample::program(1), vec![sample::accepted(1), big]));
    }
    let log = open(dir.path());
    written.iter().for_each(|append| sample::assert_stands(&log, append));
}

#[test]
fn sled_never_holds_a_value_over_4_kib_nor_a_file_that_it_does_not_sync() {
    let dir = place();
    let log = open(dir.path());
    for _ in 0..40 {
        let big = |size| sample::with_value(sample::accepted(size), 1, size);
        sample::write(&log, sample::program(1), [4_000, 60_000, 4_090, 300, 65_536, 4_093].map(big).into());
    }
    log.close().expect("the store closes");
    assert_eq!(fs::read_dir(dir.path().join("blobs")).expect("sled makes the folder").count(), 0);
    let db = sled_in(dir.path());
    assert!(db.iter().values().all(|value| value.expect("sled reads").len() <= 4096));
}

#[test]
fn a_store_behind_its_high_water_mark_does_not_open() {
    let dir = place();
    let early = place();
    sample::write(&open(dir.path()), sample::program(1), vec![sample::accepted(1), sample::accepted(2)]);
    copy(dir.path(), early.path());
    sample::write(&open(dir.path()), sample::program(1), vec![sample::accepted(3), sample::accepted(4)]);
    assert_eq!(open(dir.path()).head(sample::program(1)).expect("head").map(|head| head.position), Some(4));

    for slot in ["acknowledged.0", "acknowledged.1"] {
        fs::copy(dir.path().join(slot), early.path().join(slot)).expect("a slot is copied");
    }
    let error = open_error(early.path());
    let text = format!("position 3 of 4 acknowledged changes of programme {} is missing", sample::program(1));
    assert_eq!(error.to_string(), text);
    assert!(error.help().is_some());
    // It is no use to try again, and nothing was repaired behind anybody's back.
    assert!(matches!(open_error(early.path()), LogError::Behind { .. }));
}

#[test]
fn a_store_whose_database_is_gone_does_not_begin_anew() {
    let dir = place();
    sample::write(&open(dir.path()), sample::program(1), vec![sample::accepted(1)]);
    for entry in fs::read_dir(dir.path()).expect("the folder is read").map(|entry| entry.expect("an entry")) {
        if !entry.file_name().to_string_lossy().starts_with("acknowledged") {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("removed");
        }
    }
    assert!(matches!(open_error(dir.path()), LogError::Behind { has: Position::ZERO, .. }));
}

#[test]
fn another_history_of_the_same_length_is_damage() {
    let (one, other) = (place(), place());
    sample::write(&open(one.path()), sample::program(1), vec![sample::accepted(1)]);
    sample::write(&open(other.path()), sample::program(1), vec![sample::accepted(2)]);
    for slot in ["acknowledged.0", "acknowledged.1"] {
        fs::copy(one.path().join(slot), other.path().join(slot)).expect("a slot is copied");
    }
    assert!(matches!(open_error(other.path()), LogError::Damaged { position: Some(_), .. }));
}

#[test]
fn a_missing_high_water_mark_begins_anew() {
    let dir = place();
    sample::write(&open(dir.path()), sample::program(1), vec![sample::accepted(1)]);
    for slot in ["acknowledged.0", "acknowledged.1"] {
        fs::remove_file(dir.path().join(slot)).expect("a slot is removed");
    }
    drop(open(dir.path()));
    let sizes = ["acknowledged.0", "acknowledged.1"]
        .map(|slot| fs::metadata(dir.path().join(slot)).expect("a slot").len());
    assert!(sizes.iter().any(|size| *size > 0), "{sizes:?}");
}

/// Copies a closed store.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder is made");
    for entry in fs::read_dir(from).expect("the folder is read").map(|entry| entry.expect("an entry")) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file is copied");
        }
    }
}

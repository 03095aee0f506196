//! A store that an earlier release wrote, kept for ever: every later release reads it.

use std::fs;
use std::path::{Path, PathBuf};

use radslag_core::id::Position;
use radslag_log::conformance::sample;
use radslag_log::{Append, Commit, EventLog, Rewind, RowChange, RowKey, RowKind};
use radslag_log_sled::format::VERSION;

use crate::contract::{copy, open};

fn fixture(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/fixtures/store/v{version}"))
}

/// What each version holds: two programmes, fourteen records, values in pieces, a rejected record, rows.
fn appends() -> Vec<Append> {
    let one = sample::program(1);
    let small = |n: usize| sample::with_value(sample::accepted(150 + n), 1, 20 + n);
    let large = sample::with_value(sample::with_value(sample::accepted(6_000), 3, 9_000), 2, 4_096);
    let first = sample::append(one, None, (0..8).map(small).collect());
    let second = sample::append(one, Some(&first.head), vec![large, sample::rejected(), small(9)]);
    let third = sample::append(one, Some(&second.head), vec![small(10)]);
    let other = sample::append(sample::program(2), None, vec![small(1), sample::accepted(0)]);
    vec![first, second, third, other]
}

fn rows() -> Vec<(RowKey, Vec<u8>)> {
    let key = |kind, number| RowKey { program: sample::program(1), kind, number };
    let outbox = (1..=3).map(|n| (key(RowKind::Outbox, n), sample::bytes(3, 100)));
    let others = [
        (key(RowKind::Quarantine, 7), sample::bytes(4, 5_000)),
        (key(RowKind::Setting, 1), b"setting".to_vec()),
        (key(RowKind::Snapshot, 0), sample::bytes(5, 4_096)),
        (key(RowKind::Index, u64::MAX), Vec::new()),
    ];
    outbox.chain(others).collect()
}

#[test]
fn a_store_of_every_version_is_read_and_goes_on() {
    (1..=VERSION).for_each(reads_and_goes_on);
}

fn reads_and_goes_on(version: u32) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    copy(&fixture(version), dir.path());
    let log = open(dir.path());
    appends().iter().for_each(|append| sample::assert_stands(&log, append));
    let ends: Vec<_> =
        log.programs().expect("programs").into_iter().map(|id| log.head(id).expect("head")).collect();
    assert_eq!(ends.into_iter().flatten().map(|head| head.position).collect::<Vec<_>>(), [12, 2]);
    for kind in RowKind::ALL {
        let of_kind = rows().into_iter().filter(|(key, _)| key.kind == kind);
        let expected: Vec<_> = of_kind.map(|(key, bytes)| (key.number, bytes)).collect();
        assert_eq!(log.rows(sample::program(1), kind).expect("rows"), expected);
    }
    let one = sample::program(1);
    sample::write(&log, one, vec![sample::accepted(1)]);
    let last = log.read(one, Position::new(13), sample::EVERYTHING).expect("read");
    assert_eq!(last.len(), 1);

    // Back into what was found, and on from there: both kinds of pages stand side by side.
    let [first, ..] = &appends()[..] else { unreachable!("there are four") };
    log.rewind(Rewind { program: one, head: first.head.clone(), rows: Vec::new() }).expect("it goes back");
    let with_values = |n| sample::with_value(sample::accepted(n), 1, 30);
    let next = [
        sample::write(&log, one, vec![with_values(1), with_values(2)]),
        sample::write(&log, one, vec![with_values(3)]),
    ];
    drop(log);
    let log = open(dir.path());
    [first, &next[0], &next[1]].into_iter().for_each(|append| sample::assert_stands(&log, append));
    let walked: Vec<u64> = log
        .values_from(one, Position::new(7))
        .expect("values")
        .map(|value| value.expect("it is whole").0.get())
        .collect();
    assert_eq!(walked, [7, 8, 9, 10, 11]);
    let signed: Vec<u64> = log
        .bundles_from(one, Position::new(1))
        .expect("bundles")
        .map(|bundle| bundle.expect("it is whole").position)
        .collect();
    assert_eq!(signed, [1, 9, 11]);
}

/// Writes the fixture; a release that changes the format writes a new one beside it and leaves this alone.
#[test]
fn the_fixture_is_written_when_asked_for() {
    if std::env::var_os("RADSLAG_WRITE_FIXTURE").is_none() {
        return;
    }
    let dir = fixture(VERSION);
    assert!(!dir.exists(), "{} is there already and is never changed", dir.display());
    let log = open(&dir);
    for append in appends() {
        log.commit(Commit { appends: vec![append], rows: Vec::new() }).expect("an append is taken");
    }
    let rows = rows().into_iter().map(|(key, bytes)| RowChange::Put(key, bytes)).collect();
    log.commit(Commit { appends: Vec::new(), rows }).expect("rows are taken");
    log.close().expect("the store closes");
    // The folder is empty and git keeps no empty folders: sled makes it anew.
    fs::remove_dir(dir.join("blobs")).expect("sled keeps nothing in it");
}

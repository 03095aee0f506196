//! Damage in what is stored becomes an error, never a panic and never an answer.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use radslag_core::id::Position;
use radslag_core::value::Slot;
use radslag_log::conformance::sample;
use radslag_log::{Commit, EventLog, LogError, ReadLimit, RowChange, RowKey, RowKind};
use radslag_log_sled::format;
use tempfile::TempDir;

use crate::child::{Child, Role, verify};
use crate::contract::{copy, open, open_error};

const OUTBOX: RowKind = RowKind::Outbox;

/// A store of three commits: positions 1, 2 and 3, 4; record 2 has a value in pieces. And one row.
fn store() -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let log = open(dir.path());
    sample::write(&log, sample::program(1), vec![sample::accepted(100)]);
    let valued = sample::with_value(sample::accepted(9_000), 1, 9_000);
    sample::write(&log, sample::program(1), vec![valued, sample::accepted(3)]);
    sample::write(&log, sample::program(1), vec![sample::accepted(100)]);
    let key = RowKey { program: sample::program(1), kind: OUTBOX, number: 1 };
    let rows = vec![RowChange::Put(key, sample::bytes(1, 9_000))];
    log.commit(Commit { appends: Vec::new(), rows }).expect("a row is taken");
    dir
}

/// Opens sled itself. Its threads may hold its lock a moment longer than the store that was dropped.
pub(crate) fn sled_in(dir: &Path) -> sled::Db {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match sled::open(dir) {
            Ok(db) => return db,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        thread::yield_now();
    }
}

/// Changes one stored value behind the store's back.
fn tamper(dir: &Path, key: &[u8], change: impl Fn(&mut Vec<u8>)) {
    let db = sled_in(dir);
    let mut value = db.get(key).expect("sled reads").expect("there is such a key").to_vec();
    change(&mut value);
    db.insert(key, value).expect("sled writes");
    db.flush().expect("sled flushes");
}

fn remove(dir: &Path, key: &[u8]) {
    let db = sled_in(dir);
    db.remove(key).expect("sled writes").expect("there is such a key");
    db.flush().expect("sled flushes");
}

fn at(position: u64) -> Position {
    Position::new(position)
}

fn record_key(position: u64, piece: u16) -> Vec<u8> {
    format::piece(&format::page(sample::program(1), at(position)), piece)
}

fn damaged_position<T: std::fmt::Debug>(answer: Result<T, LogError>) -> Option<u64> {
    match answer {
        Err(LogError::Damaged { position, .. }) => position.map(Position::get),
        other => panic!("expected damage, got {other:?}"),
    }
}

#[test]
fn a_flipped_byte_in_a_record_is_damage_at_its_position() {
    for (key, position) in [(record_key(1, 0), 1), (record_key(2, 1), 2), (record_key(3, 0), 3)] {
        let dir = store();
        tamper(dir.path(), &key, |value| *value.last_mut().expect("a record is not empty") ^= 1);
        let log = open(dir.path());
        let program = sample::program(1);
        assert_eq!(damaged_position(log.read(program, Position::ZERO, sample::EVERYTHING)), Some(position));
        let one = ReadLimit { records: 1, bytes: 0 };
        assert_eq!(damaged_position(log.read(program, at(position), one)), Some(position));
        let intact = log.read(program, at(4), one).expect("what is not damaged is read");
        assert_eq!(intact[0].position, 4);
    }
}

#[test]
fn a_missing_page_or_piece_is_damage() {
    for (key, position) in
        [(record_key(1, 0), 1), (record_key(2, 0), 2), (record_key(2, 2), 2), (record_key(3, 0), 3)]
    {
        let dir = store();
        remove(dir.path(), &key);
        let answer = open(dir.path()).read(sample::program(1), Position::ZERO, sample::EVERYTHING);
        assert_eq!(damaged_position(answer), Some(position));
    }
}

#[test]
fn a_damaged_or_missing_end_does_not_open() {
    let last = record_key(4, 0);
    let head = format::piece(&format::head(sample::program(1)), 0);
    let version = format::piece(&format::version(), 0);
    for key in [&last, &head, &version] {
        let dir = store();
        tamper(dir.path(), key, |value| *value.last_mut().expect("nothing is empty") ^= 1);
        assert!(matches!(open_error(dir.path()), LogError::Damaged { .. }));
        let dir = store();
        remove(dir.path(), key);
        assert!(matches!(open_error(dir.path()), LogError::Damaged { .. }));
    }
}

#[test]
fn a_flipped_byte_in_a_value_a_bundle_or_a_row_is_damage() {
    let program = sample::program(1);
    let value = format::piece(&format::values(program, at(2), Slot::TITLE), 1);
    let bundle = format::piece(&format::bundle(program, at(2)), 0);
    let row = format::piece(&format::row(RowKey { program, kind: OUTBOX, number: 1 }), 2);
    let dir = store();
    for key in [&value, &bundle, &row] {
        tamper(dir.path(), key, |value| value[7] ^= 0x40);
    }
    let log = open(dir.path());
    assert_eq!(damaged_position(log.value(program, at(2), Slot::TITLE)), Some(2));
    assert_eq!(damaged_position(log.values(program, at(2))), Some(2));
    assert_eq!(damaged_position(log.bundle(program, at(2))), Some(2));
    assert_eq!(damaged_position(log.rows(program, OUTBOX)), None);
    assert_eq!(
        log.read(program, Position::ZERO, sample::EVERYTHING).expect("the records are whole").len(),
        4
    );
}

#[test]
fn a_store_of_a_later_release_says_so() {
    let dir = store();
    let stem = format::version();
    let mut sealed = crc32fast_of(&[stem.as_slice(), &3_u32.to_be_bytes()].concat()).to_be_bytes().to_vec();
    sealed.extend(3_u32.to_be_bytes());
    tamper(dir.path(), &format::piece(&stem, 0), |value| {
        value.truncate(2);
        value.extend(&sealed);
    });
    let error = open_error(dir.path());
    assert!(matches!(error, LogError::Newer { version: 3, supported: 2, .. }), "{error:?}");
}

fn crc32fast_of(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

#[test]
fn a_flipped_bit_in_the_file_is_never_a_wrong_answer() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut child = Child::start(Role::Append, dir.path());
    child.wait_for_acknowledgements(40);
    child.kill();
    let end = verify(dir.path()).expect("a kill alone does no harm");
    let whole = fs::read(dir.path().join("db")).expect("the file is read");
    let used = whole.iter().rposition(|byte| *byte != 0).expect("the file is not empty");
    for round in 0..12 {
        let spoilt = tempfile::tempdir().expect("a temporary directory");
        copy(dir.path(), spoilt.path());
        let mut bytes = whole.clone();
        bytes[used * (2 * round + 1) / 24] ^= 1 << (round % 8);
        fs::write(spoilt.path().join("db"), bytes).expect("the file is written");
        match verify(spoilt.path()) {
            Ok(head) => assert_eq!(head, end, "round {round}"),
            Err(said) => assert!(!said.is_empty(), "round {round}: it ended without a word"),
        }
    }
}

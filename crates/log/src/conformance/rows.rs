//! Rows: opaque bytes beside the log, in the same commits.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Case;
use super::sample::{accepted, append, bytes, program};
use crate::contract::{Commit, EventLog, RowChange, RowKey, RowKind};

pub(super) const CASES: &[Case] = &[
    rows_are_ascending_and_apart,
    a_row_is_written_over_and_taken_away,
    a_row_is_read_whole_while_it_is_written_over,
    the_last_change_of_a_row_counts,
    rows_land_with_their_append,
];

fn key(number: u64) -> RowKey {
    RowKey { program: program(1), kind: RowKind::Outbox, number }
}

fn change(log: &dyn EventLog, rows: Vec<RowChange>) {
    log.commit(Commit { appends: Vec::new(), rows }).expect("row changes are taken");
}

fn outbox(log: &dyn EventLog) -> Vec<(u64, Vec<u8>)> {
    log.rows(program(1), RowKind::Outbox).expect("rows")
}

fn rows_are_ascending_and_apart(log: &dyn EventLog) {
    let mut changes = Vec::new();
    for id in [program(0), program(1), program(2)] {
        for kind in RowKind::ALL {
            for number in [u64::MAX, 1, 256, 0, 255] {
                let mark = vec![id.bytes()[0], kind.number(), number.to_be_bytes()[7]];
                changes.push(RowChange::Put(RowKey { program: id, kind, number }, mark));
            }
        }
    }
    change(log, changes);
    for id in [program(0), program(1), program(2)] {
        for kind in RowKind::ALL {
            let mark = |number: u64| vec![id.bytes()[0], kind.number(), number.to_be_bytes()[7]];
            let expected = [0, 1, 255, 256, u64::MAX].map(|number| (number, mark(number)));
            assert_eq!(log.rows(id, kind).expect("rows"), expected);
            for (number, mark) in expected {
                assert_eq!(log.row(RowKey { program: id, kind, number }).expect("row"), Some(mark));
            }
            assert_eq!(log.row(RowKey { program: id, kind, number: 2 }).expect("row"), None);
        }
    }
    assert_eq!(log.rows(program(3), RowKind::Outbox).expect("rows"), []);
    assert_eq!(log.programs().expect("rows alone make no programme"), []);
}

fn a_row_is_written_over_and_taken_away(log: &dyn EventLog) {
    // From many pieces to few and back: nothing of a longer predecessor may shine through.
    for len in [9_000, 10, 4_096, 0, 70_000, 5_000, 4_090, 4_091] {
        change(log, vec![RowChange::Put(key(4), bytes(len, len))]);
        assert_eq!(outbox(log), [(4, bytes(len, len))]);
        assert_eq!(log.row(key(4)).expect("row"), Some(bytes(len, len)));
    }
    change(log, vec![RowChange::Put(key(5), vec![5])]);
    change(log, vec![RowChange::Delete(key(4)), RowChange::Delete(key(77))]);
    assert_eq!(outbox(log), [(5, vec![5])]);
    assert_eq!(log.row(key(4)).expect("row"), None);
    change(log, vec![RowChange::Delete(key(5))]);
    assert_eq!(outbox(log), []);
}

fn a_row_is_read_whole_while_it_is_written_over(log: &dyn EventLog) {
    let lengths = [9_000, 30_000, 5_000, 12_000];
    change(log, vec![RowChange::Put(key(6), bytes(lengths[0], lengths[0]))]);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for len in lengths.iter().cycle().take(40) {
                change(log, vec![RowChange::Put(key(6), bytes(*len, *len))]);
            }
            over.store(true, Ordering::Release);
        });
        while !over.load(Ordering::Acquire) {
            let read = log.row(key(6)).expect("row").expect("it is never taken away");
            assert!(lengths.contains(&read.len()) && read == bytes(read.len(), read.len()), "{}", read.len());
        }
    });
}

fn the_last_change_of_a_row_counts(log: &dyn EventLog) {
    let put = |number, len| RowChange::Put(key(number), bytes(len, len));
    let rows = vec![
        put(1, 20_000),
        put(1, 3),
        put(2, 9_000),
        RowChange::Delete(key(2)),
        RowChange::Delete(key(3)),
        put(3, 6_000),
    ];
    change(log, rows);
    assert_eq!(outbox(log), [(1, bytes(3, 3)), (3, bytes(6_000, 6_000))]);
}

fn rows_land_with_their_append(log: &dyn EventLog) {
    change(log, vec![RowChange::Put(key(1), vec![1]), RowChange::Put(key(2), vec![2])]);
    let appends = vec![append(program(1), None, vec![accepted(10)])];
    let rows = vec![
        RowChange::Delete(key(1)),
        RowChange::Put(RowKey { kind: RowKind::Quarantine, ..key(1) }, vec![9]),
    ];
    log.commit(Commit { appends, rows }).expect("an append with its rows is taken");
    assert_eq!(outbox(log), [(2, vec![2])]);
    assert_eq!(log.rows(program(1), RowKind::Quarantine).expect("rows"), [(1, vec![9])]);
    assert_eq!(log.head(program(1)).expect("head").map(|head| head.position), Some(1));
}

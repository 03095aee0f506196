//! What must be there when a store is opened again.

use radslag_core::id::Position;

use super::rewinding::back_to;
use super::sample::{
    EVERYTHING, accepted, append, assert_stands, bytes, program, rejected, with_value, write,
};
use crate::contract::{Commit, EventLog, RowChange, RowKey, RowKind};
use crate::error::LogError;

/// Runs the cases for stores that outlive their process. `place` makes an empty place, `open` opens the store in it; each store
/// is dropped before its place is opened again.
pub fn run_durable<P, L: EventLog>(place: impl Fn() -> P, open: impl Fn(&P) -> L) {
    an_empty_store_reopens_empty(&place(), &open);
    everything_is_there_after_reopening(&place(), &open);
    a_log_goes_on_after_reopening(&place(), &open);
    a_rewound_log_reopens_where_it_ends(&place(), &open);
}

fn a_rewound_log_reopens_where_it_ends<P, L: EventLog>(place: &P, open: &impl Fn(&P) -> L) {
    let log = open(place);
    let first = write(&log, program(1), vec![with_value(accepted(200), 1, 30)]);
    write(&log, program(1), vec![accepted(300), with_value(accepted(9), 1, 5_000)]);
    log.rewind(back_to(&first, Vec::new())).expect("the log is longer than that");
    drop(log);

    let log = open(place);
    assert_eq!(log.head(program(1)).expect("head").as_ref(), Some(&first.head));
    let second = write(&log, program(1), vec![with_value(accepted(5), 2, 7)]);
    drop(log);
    let log = open(place);
    assert_stands(&log, &first);
    assert_stands(&log, &second);
}

fn an_empty_store_reopens_empty<P, L: EventLog>(place: &P, open: &impl Fn(&P) -> L) {
    for _ in 0..3 {
        assert_eq!(open(place).programs().expect("programs"), []);
    }
}

fn everything_is_there_after_reopening<P, L: EventLog>(place: &P, open: &impl Fn(&P) -> L) {
    let log = open(place);
    let big = with_value(with_value(accepted(9_000), 3, 65_536), 1, 4_096);
    let appends = [
        write(&log, program(1), vec![with_value(accepted(200), 1, 30), rejected()]),
        write(&log, program(2), vec![accepted(1)]),
        write(&log, program(1), vec![accepted(4_000), big, accepted(0)]),
    ];
    let outbox = RowKey { program: program(1), kind: RowKind::Outbox, number: 3 };
    let gone = RowKey { number: 2, ..outbox };
    let put = |key, len| RowChange::Put(key, bytes(len, len));
    let rows = |rows| Commit { appends: Vec::new(), rows };
    log.commit(rows(vec![put(outbox, 12_000), put(gone, 12_000)])).expect("rows are taken");
    log.commit(rows(vec![put(outbox, 10), RowChange::Delete(gone)])).expect("rows are taken");
    drop(log);

    let log = open(place);
    appends.iter().for_each(|append| assert_stands(&log, append));
    assert_eq!(log.programs().expect("programs"), [program(1), program(2)]);
    assert_eq!(log.head(program(1)).expect("head").as_ref(), Some(&appends[2].head));
    assert_eq!(log.rows(program(1), RowKind::Outbox).expect("rows"), [(3, bytes(10, 10))]);
}

fn a_log_goes_on_after_reopening<P, L: EventLog>(place: &P, open: &impl Fn(&P) -> L) {
    for _ in 0..5 {
        let log = open(place);
        write(&log, program(1), vec![accepted(100), accepted(200)]);
    }
    let log = open(place);
    let repeat = append(program(1), None, vec![accepted(100)]);
    let answer = log.commit(Commit { appends: vec![repeat], rows: Vec::new() });
    assert!(matches!(answer, Err(LogError::OutOfOrder { .. })), "{answer:?}");
    let records = log.read(program(1), Position::ZERO, EVERYTHING).expect("read");
    assert!((1..=10).eq(records.iter().map(|record| record.position)));
}

//! What reads give: where they begin, where they end, and what is not there.

use prost::Message as _;
use radslag_core::id::Position;
use radslag_core::value::Slot;
use radslag_proto::log::v1;

use super::Case;
use super::sample::{EVERYTHING, accepted, program, rejected, with_value, write};
use crate::contract::{EventLog, ReadLimit};

pub(super) const CASES: &[Case] = &[
    a_read_begins_where_asked,
    a_read_keeps_its_limits_but_gives_one,
    a_long_log_is_read_in_chunks_without_a_gap,
    values_come_by_slot,
    a_bundle_stands_where_it_begins,
];

fn read(log: &dyn EventLog, from: u64, limit: ReadLimit) -> Vec<v1::Record> {
    log.read(program(1), Position::new(from), limit).expect("read")
}

fn positions(records: &[v1::Record]) -> Vec<u64> {
    records.iter().map(|record| record.position).collect()
}

fn a_read_begins_where_asked(log: &dyn EventLog) {
    for size in [2, 3, 1] {
        write(log, program(1), (0..size).map(|_| accepted(50)).collect());
    }
    // A neighbour on each side: what is read must not run over into it.
    write(log, program(0), vec![accepted(1)]);
    write(log, program(2), vec![accepted(1)]);
    for from in 1..=6 {
        assert!((from..=6).eq(positions(&read(log, from, EVERYTHING))), "from {from}");
    }
    assert_eq!(read(log, 0, EVERYTHING), read(log, 1, EVERYTHING));
    assert_eq!(read(log, 7, EVERYTHING), []);
    assert_eq!(read(log, u64::MAX, EVERYTHING), []);
}

fn a_read_keeps_its_limits_but_gives_one(log: &dyn EventLog) {
    let append = write(log, program(1), (0..10).map(|_| accepted(100)).collect());
    let one = append.records[0].record.encoded_len();
    let taken = |records, bytes| read(log, 3, ReadLimit { records, bytes }).len();
    assert_eq!(taken(4, usize::MAX), 4);
    assert_eq!(taken(usize::MAX, 4 * one + 8), 4);
    assert_eq!(taken(usize::MAX, 1), 1);
    assert_eq!(taken(0, 0), 1);
    assert_eq!(taken(100, usize::MAX), 8);
}

fn a_long_log_is_read_in_chunks_without_a_gap(log: &dyn EventLog) {
    for n in 0..60 {
        write(log, program(1), (0..=n % 7).map(|i| accepted(i * 700)).collect());
    }
    let end = log.head(program(1)).expect("head").expect("there are records").position;
    for step in [1, 3, 64] {
        let mut next = 1;
        while next <= end {
            let chunk = positions(&read(log, next, ReadLimit { records: step, bytes: usize::MAX }));
            let last = *chunk.last().expect("at least one record comes while there is any");
            assert!((next..=last).eq(chunk));
            next = last + 1;
        }
        assert_eq!(next, end + 1);
    }
}

fn values_come_by_slot(log: &dyn EventLog) {
    let stored = with_value(with_value(with_value(accepted(5), 300, 7), 2, 5_000), 65_535, 0);
    let written = write(log, program(1), vec![accepted(1), stored, rejected()]);
    let slots = |at| -> Vec<u32> {
        let values = log.values(program(1), Position::new(at)).expect("values");
        values.iter().map(|value| value.slot).collect()
    };
    assert_eq!(slots(1), []);
    assert_eq!(slots(2), [2, 300, 65_535]);
    assert_eq!(slots(3), []);
    assert_eq!(slots(0), []);
    assert_eq!(slots(4), []);
    let one = |at, slot| log.value(program(1), Position::new(at), Slot::new(slot)).expect("value");
    assert_eq!(one(2, 300).as_ref(), Some(&written.records[1].values[0]));
    assert_eq!(one(2, 2).as_ref(), Some(&written.records[1].values[1]));
    assert_eq!(one(2, 65_535).as_ref(), Some(&written.records[1].values[2]));
    assert_eq!((one(2, 1), one(1, 2), one(3, 2), one(4, 2)), (None, None, None, None));
    assert_eq!(log.value(program(2), Position::new(2), Slot::new(2)).expect("value"), None);
    // And one after the other: each as it stands at its record.
    let later = with_value(with_value(accepted(1), 9, 4_100), 3, 2);
    write(log, program(1), vec![accepted(2), later, with_value(accepted(1), 1, 1)]);
    for from in 0..8 {
        let walk = log.values_from(program(1), Position::new(from)).expect("a walk");
        let walked: Vec<_> = walk.map(|value| value.expect("a value")).collect();
        let single = (from.max(1)..8).map(Position::new).flat_map(|at| {
            let values = log.values(program(1), at).expect("values");
            values.into_iter().map(move |value| (at, value))
        });
        assert_eq!(walked, single.collect::<Vec<_>>(), "from {from}");
    }
    assert_eq!(log.values_from(program(2), Position::new(1)).expect("a walk").count(), 0);
}

fn a_bundle_stands_where_it_begins(log: &dyn EventLog) {
    let first = write(log, program(1), vec![accepted(1), accepted(2)]);
    let second = write(log, program(1), vec![accepted(3)]);
    let at = |position| log.bundle(program(1), Position::new(position)).expect("bundle");
    assert_eq!(at(1), Some(first.bundles[0].clone()));
    assert_eq!(at(3), Some(second.bundles[0].clone()));
    assert_eq!((at(0), at(2), at(4)), (None, None, None));
    assert_eq!(log.bundle(program(2), Position::new(1)).expect("bundle"), None);
}

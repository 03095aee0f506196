//! Taking back the end of a log.

use prost::Message as _;
use radslag_core::id::Position;
use radslag_proto::log::v1;

use super::Case;
use super::sample::{
    EVERYTHING, accepted, append, assert_stands, bytes, program, rejected, with_value, write,
};
use crate::contract::{Append, Commit, EventLog, MAX_COMMIT_BYTES, Rewind, RowChange, RowKey, RowKind};
use crate::error::LogError;

pub(super) const CASES: &[Case] = &[
    what_was_taken_back_is_gone_and_the_rows_are_there,
    a_log_goes_on_from_where_it_was_taken_back_to,
    a_page_is_cut_where_the_log_ends,
    an_append_of_many_bundles_is_cut_between_them,
    other_programmes_stay_as_they_are,
    a_rewind_that_takes_nothing_back_is_refused,
];

/// Three bundles with values large and small.
fn three(log: &dyn EventLog) -> [Append; 3] {
    let records =
        |n: usize| vec![with_value(accepted(100 + n), 1, 30), with_value(accepted(n), 2, 9_000), rejected()];
    [1, 2, 3].map(|n| write(log, program(1), records(n)))
}

fn row(number: u64) -> RowKey {
    RowKey { program: program(1), kind: RowKind::Lost, number }
}

/// Goes back to the end of `append`.
pub(super) fn back_to(append: &Append, rows: Vec<RowChange>) -> Rewind {
    Rewind { program: append.program, head: append.head.clone(), rows }
}

fn what_was_taken_back_is_gone_and_the_rows_are_there(log: &dyn EventLog) {
    let [first, second, third] = three(log);
    log.rewind(back_to(&first, vec![RowChange::Put(row(4), bytes(5, 9_000))]))
        .expect("the log is longer than that");
    assert_stands(log, &first);
    assert_eq!(log.head(program(1)).expect("head"), Some(first.head.clone()));
    assert_eq!(log.read(program(1), Position::ZERO, EVERYTHING).expect("read").len(), first.records.len());
    for gone in second.records.iter().chain(&third.records) {
        let at = Position::new(gone.record.position);
        assert_eq!(log.values(program(1), at).expect("values"), []);
        assert_eq!(log.bundle(program(1), at).expect("bundle"), None);
    }
    assert_eq!(log.rows(program(1), RowKind::Lost).expect("rows"), [(4, bytes(5, 9_000))]);
}

fn a_log_goes_on_from_where_it_was_taken_back_to(log: &dyn EventLog) {
    let [first, ..] = three(log);
    log.rewind(back_to(&first, Vec::new())).expect("the log is longer than that");
    let other = append(program(1), Some(&first.head), vec![with_value(accepted(7), 9, 3), accepted(8)]);
    log.commit(Commit { appends: vec![other.clone()], rows: Vec::new() }).expect("it goes on");
    assert_stands(log, &first);
    assert_stands(log, &other);
    let again = write(log, program(1), vec![accepted(1)]);
    log.rewind(back_to(&other, Vec::new())).expect("it may be taken back again");
    assert_eq!(log.head(program(1)).expect("head"), Some(other.head));
    assert!(again.head.position > 0);
}

fn a_page_is_cut_where_the_log_ends(log: &dyn EventLog) {
    let first = append(program(1), None, vec![accepted(10), accepted(11)]);
    let second = append(program(1), Some(&first.head), vec![accepted(12), accepted(13)]);
    let both = Commit { appends: vec![first.clone(), second], rows: Vec::new() };
    log.commit(both).expect("two appends in one commit are taken");
    log.rewind(back_to(&first, Vec::new())).expect("the log is longer than that");
    assert_stands(log, &first);
    let other = append(program(1), Some(&first.head), vec![accepted(99)]);
    log.commit(Commit { appends: vec![other.clone()], rows: Vec::new() }).expect("it goes on");
    assert_stands(log, &first);
    assert_stands(log, &other);
}

/// What lies side by side because it came together, values and signatures too.
fn an_append_of_many_bundles_is_cut_between_them(log: &dyn EventLog) {
    let records =
        |n: usize| vec![with_value(with_value(accepted(n), 1, 30), 4, 9), with_value(accepted(n), 2, 40)];
    let mut parts = vec![append(program(1), None, records(1))];
    for n in 2..=5 {
        let head = parts.last().map(|part| part.head.clone());
        parts.push(append(program(1), head.as_ref(), records(n)));
    }
    let end = parts.last().expect("there are five");
    let together = Append {
        program: program(1),
        records: parts.iter().flat_map(|part| part.records.clone()).collect(),
        bundles: parts.iter().flat_map(|part| part.bundles.clone()).collect(),
        head: end.head.clone(),
        root: end.root,
    };
    log.commit(Commit { appends: vec![together.clone()], rows: Vec::new() })
        .expect("one append of five bundles");
    assert_stands(log, &together);
    assert_walks(log, &together);
    log.rewind(back_to(&parts[2], Vec::new())).expect("the log is longer than that");
    parts[..3].iter().for_each(|part| assert_stands(log, part));
    for gone in 7..=10 {
        assert_eq!(log.values(program(1), Position::new(gone)).expect("values"), []);
        assert_eq!(log.bundle(program(1), Position::new(gone)).expect("bundle"), None);
    }
    let other = write(log, program(1), records(6));
    assert_stands(log, &other);
    let stays = |part: &Append| (part.records.clone(), part.bundles.clone());
    let (records, bundles): (Vec<_>, Vec<_>) = parts[..3].iter().chain([&other]).map(stays).unzip();
    assert_walks(log, &Append { records: records.concat(), bundles: bundles.concat(), ..other });
}

/// Walks along the values and the bundles of a log that is just this append, from each of its records on.
fn assert_walks(log: &dyn EventLog, append: &Append) {
    for begin in 0..append.records.len() {
        let records = &append.records[begin..];
        let from = Position::new(records[0].record.position);
        let values: Vec<_> = log
            .values_from(append.program, from)
            .expect("values")
            .collect::<Result<_, _>>()
            .expect("all are whole");
        let stored = records.iter().flat_map(|stored| {
            let at = Position::new(stored.record.position);
            stored.values.iter().map(move |value| (at, value.clone()))
        });
        assert!(stored.eq(values), "values from {from}");
        let bundles: Vec<_> = log
            .bundles_from(append.program, from)
            .expect("bundles")
            .collect::<Result<_, _>>()
            .expect("all are whole");
        let signed = append.bundles.iter().filter(|bundle| bundle.position >= from.get()).cloned();
        assert!(signed.clone().eq(bundles), "bundles from {from}");
        let encoded = log.encoded_from(append.program, from).expect("records");
        let encoded: Vec<_> = encoded.collect::<Result<_, _>>().expect("all are whole");
        assert_eq!(encoded.len(), records.len(), "from {from}");
        for (found, stored) in encoded.iter().zip(records) {
            let at = stored.record.position;
            assert_eq!(
                (found.position.get(), found.bundle_position.get()),
                (at, stored.record.bundle_position)
            );
            assert_eq!(v1::Record::decode(&found.record[..]).as_ref(), Ok(&stored.record));
            let values = found.values.iter().map(|value| v1::Value::decode(&value[..]).expect("a value"));
            assert!(values.eq(stored.values.iter().cloned()), "values of {at}");
            let bundle =
                found.bundle.as_ref().map(|bundle| v1::Bundle::decode(&bundle[..]).expect("a bundle"));
            assert_eq!(bundle, signed.clone().find(|bundle| bundle.position == at));
        }
    }
}

fn other_programmes_stay_as_they_are(log: &dyn EventLog) {
    let [first, ..] = three(log);
    let others = [
        write(log, program(0), vec![with_value(accepted(3), 1, 5)]),
        write(log, program(2), vec![accepted(4)]),
    ];
    log.rewind(back_to(&first, Vec::new())).expect("the log is longer than that");
    others.iter().for_each(|append| assert_stands(log, append));
}

fn a_rewind_that_takes_nothing_back_is_refused(log: &dyn EventLog) {
    let nothing = append(program(1), None, vec![accepted(1)]);
    assert!(matches!(log.rewind(back_to(&nothing, Vec::new())), Err(LogError::OutOfOrder { .. })));
    let [first, second, third] = three(log);
    assert!(matches!(log.rewind(back_to(&third, Vec::new())), Err(LogError::OutOfOrder { .. })));
    let mut wrong = back_to(&first, Vec::new());
    wrong.head.recorded_at += 1;
    assert!(matches!(log.rewind(wrong), Err(LogError::Malformed { .. })));
    let large = vec![RowChange::Put(row(1), vec![0; MAX_COMMIT_BYTES])];
    assert!(matches!(log.rewind(back_to(&first, large)), Err(LogError::TooLarge { .. })));
    for append in [&first, &second, &third] {
        assert_stands(log, append);
    }
    assert_eq!(log.rows(program(1), RowKind::Lost).expect("rows"), []);
}

//! What a commit does, and what it refuses without a trace.

use std::thread;

use radslag_core::digest::Digest;
use radslag_core::id::Position;

use super::Case;
use super::sample::{
    EVERYTHING, accepted, append, assert_stands, bytes, program, rejected, with_value, write,
};
use crate::contract::{
    Append, Commit, EventLog, MAX_COMMIT_BYTES, ReadLimit, RowChange, RowKey, RowKind, StoredRecord,
};
use crate::error::LogError;

pub(super) const CASES: &[Case] = &[
    an_empty_store_has_nothing,
    an_empty_commit_is_nothing,
    what_was_appended_stands,
    appends_continue_one_another,
    programmes_are_apart,
    a_gap_and_a_repeat_are_out_of_order,
    what_does_not_belong_together_is_malformed,
    a_commit_over_the_limit_is_refused,
    a_refused_commit_changes_nothing,
    every_size_comes_back,
    a_reader_beside_the_writer_sees_whole_commits,
];

fn one(append: Append) -> Commit {
    Commit { appends: vec![append], rows: Vec::new() }
}

fn an_empty_store_has_nothing(log: &dyn EventLog) {
    assert_eq!(log.programs().expect("programs"), []);
    assert_eq!(log.head(program(1)).expect("head"), None);
    assert_eq!(log.read(program(1), Position::ZERO, EVERYTHING).expect("read"), []);
}

fn an_empty_commit_is_nothing(log: &dyn EventLog) {
    log.commit(Commit::default()).expect("an empty commit is taken");
    assert_eq!(log.programs().expect("programs"), []);
}

fn what_was_appended_stands(log: &dyn EventLog) {
    let records = vec![with_value(accepted(300), 1, 20), rejected(), accepted(0)];
    let append = write(log, program(1), records);
    assert_stands(log, &append);
    assert_eq!(log.head(program(1)).expect("head"), Some(append.head));
    assert_eq!(log.programs().expect("programs"), [program(1)]);
}

fn appends_continue_one_another(log: &dyn EventLog) {
    let first = append(program(1), None, vec![accepted(10), accepted(11)]);
    let second = append(program(1), Some(&first.head), vec![with_value(accepted(12), 3, 9)]);
    log.commit(Commit { appends: vec![first.clone(), second.clone()], rows: Vec::new() })
        .expect("two appends of one programme in one commit are taken");
    let third = write(log, program(1), vec![accepted(13)]);
    for append in [&first, &second, &third] {
        assert_stands(log, append);
    }
    assert_eq!(log.read(program(1), Position::ZERO, EVERYTHING).expect("read").len(), 4);
}

fn programmes_are_apart(log: &dyn EventLog) {
    // Neighbours in every order of keys: 1, 2, and one that begins like a prefix of nothing.
    let ids = [program(2), program(1), program(255), program(0)];
    let written: Vec<Append> =
        (1..).zip(ids).map(|(n, id)| write(log, id, vec![with_value(accepted(n), 1, n); n])).collect();
    for (n, append) in (1..).zip(&written) {
        assert_stands(log, append);
        assert_eq!(log.read(append.program, Position::ZERO, EVERYTHING).expect("read").len(), n);
    }
    let mut sorted = ids;
    sorted.sort();
    assert_eq!(log.programs().expect("programs"), sorted);
}

fn a_gap_and_a_repeat_are_out_of_order(log: &dyn EventLog) {
    let first = write(log, program(1), vec![accepted(1), accepted(2)]);
    let second = append(program(1), Some(&first.head), vec![accepted(3)]);
    let third = append(program(1), Some(&second.head), vec![accepted(4)]);
    let refused = |append: Append| match log.commit(one(append)) {
        Err(LogError::OutOfOrder { expected, got, .. }) => (expected.get(), got.get()),
        other => panic!("expected OutOfOrder, got {other:?}"),
    };
    assert_eq!(refused(third), (3, 4));
    assert_eq!(refused(first), (3, 1));
    let mut holed = append(program(1), Some(&second.head), vec![accepted(5), accepted(6), accepted(7)]);
    holed.records.remove(1);
    log.commit(one(second)).expect("a refusal leaves the store as usable as before");
    assert_eq!(refused(holed), (5, 6));
}

fn what_does_not_belong_together_is_malformed(log: &dyn EventLog) {
    let spoilt: [fn(&mut Append); 14] = [
        |a| a.records.clear(),
        |a| a.records[1].record.event_id.truncate(15),
        |a| a.records[1].record.body_hash.push(0),
        |a| a.records[1].record.outcome = 0,
        |a| a.records[1].record.outcome = 2,
        |a| a.records[1].values[0].slot = 0,
        |a| a.records[1].values[0].slot = 65_536,
        |a| a.records[1].values[1].slot = a.records[1].values[0].slot,
        |a| a.records[1].values[0].salt.clear(),
        |a| a.bundles[0].signature.truncate(63),
        |a| a.bundles[0].position = 4,
        |a| a.head.recorded_at += 1,
        |a| a.head.frontier.truncate(1),
        |a| a.root = Digest::ZERO,
    ];
    let good = append(
        program(1),
        None,
        vec![accepted(1), with_value(with_value(accepted(2), 1, 5), 2, 5), accepted(3)],
    );
    for (case, spoil) in spoilt.iter().enumerate() {
        let mut bad = good.clone();
        spoil(&mut bad);
        let answer = log.commit(one(bad));
        assert!(matches!(answer, Err(LogError::Malformed { .. })), "case {case}: {answer:?}");
    }
    assert_eq!(log.head(program(1)).expect("head"), None);
    log.commit(one(good)).expect("what was not spoilt is taken");
}

fn a_commit_over_the_limit_is_refused(log: &dyn EventLog) {
    let row =
        |len| RowChange::Put(RowKey { program: program(1), kind: RowKind::Outbox, number: 1 }, bytes(1, len));
    let over = Commit { appends: Vec::new(), rows: vec![row(MAX_COMMIT_BYTES + 1)] };
    assert!(matches!(log.commit(over), Err(LogError::TooLarge { limit: MAX_COMMIT_BYTES, .. })));
    let full = Commit { appends: Vec::new(), rows: vec![row(MAX_COMMIT_BYTES)] };
    log.commit(full).expect("a commit at the limit is taken");
    let many: Vec<StoredRecord> = (0..100).map(|_| accepted(6_000)).collect();
    let answer = log.commit(one(append(program(1), None, many)));
    assert!(matches!(answer, Err(LogError::TooLarge { .. })), "{answer:?}");
}

fn a_refused_commit_changes_nothing(log: &dyn EventLog) {
    let key = RowKey { program: program(1), kind: RowKind::Setting, number: 1 };
    let good = append(program(1), None, vec![accepted(1)]);
    let bad = append(program(2), Some(&good.head), vec![accepted(1)]);
    let commit = Commit { appends: vec![good, bad], rows: vec![RowChange::Put(key, vec![1])] };
    assert!(matches!(log.commit(commit), Err(LogError::OutOfOrder { .. })));
    assert_eq!(log.programs().expect("programs"), []);
    assert_eq!(log.rows(program(1), RowKind::Setting).expect("rows"), []);
    assert_eq!(log.read(program(1), Position::ZERO, EVERYTHING).expect("read"), []);
}

fn every_size_comes_back(log: &dyn EventLog) {
    let around = |size: usize| size.saturating_sub(130)..=size + 3;
    let mut sizes: Vec<usize> = around(4_096).chain([0, 1, 8_191, 8_192, 8_193, 65_535, 65_536]).collect();
    sizes.extend(around(65_536).step_by(40));
    for size in sizes {
        let records =
            vec![accepted(7), with_value(with_value(accepted(size), 65_535, size), 1, 3), rejected()];
        assert_stands(log, &write(log, program(1), records));
    }
    let head = log.head(program(1)).expect("head").expect("there are records");
    let all = log.read(program(1), Position::ZERO, EVERYTHING).expect("read");
    assert!((1..=head.position).eq(all.iter().map(|record| record.position)));
}

fn a_reader_beside_the_writer_sees_whole_commits(log: &dyn EventLog) {
    const COMMITS: u64 = 40;
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..COMMITS {
                write(log, program(1), (0..3).map(|_| with_value(accepted(900), 1, 10)).collect());
            }
        });
        let mut seen = 0;
        while seen < COMMITS * 3 {
            let records = log.read(program(1), Position::ZERO, EVERYTHING).expect("read");
            let last = records.last().map_or(0, |record| record.position);
            assert!(last >= seen && last.is_multiple_of(3), "{last} after {seen}");
            assert!((1..=last).eq(records.iter().map(|record| record.position)));
            if last > 0 {
                let first_of_the_last = ReadLimit { records: 1, bytes: 0 };
                let at = Position::new(last);
                assert_eq!(log.read(program(1), at, first_of_the_last).expect("read").len(), 1);
                assert_eq!(log.values(program(1), at).expect("values").len(), 1);
            }
            seen = last;
        }
    });
}

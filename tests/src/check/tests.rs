//! The referee sees what it is there to see: hand-made logs, and states that were folded wrongly.

use radslag_core::digest::Digest;
use radslag_core::event::{Group, NewValue, ValueDigest};
use radslag_core::id::{DeviceId, DeviceSeq, MemberId, ProgramId};
use radslag_core::state::Keep;
use radslag_core::time::Instant;
use uuid::Uuid;

use super::*;

const PROGRAM: ProgramId = ProgramId::new(Uuid::from_u128(7));
const TITLE: Key = (EntityId::new(Uuid::from_u128(7)), FieldKey::Title);

fn event(position: u64) -> EventId {
    EventId::new(Uuid::from_u128(1000 + u128::from(position)))
}

fn day(text: &str) -> CivilDate {
    text.parse().unwrap()
}

/// A revision of the programme's title on 1 May 2026: from which device, having seen what, dated when.
fn revision(position: u64, device: u128, seq: u64, seen: (u64, u64), on: &str) -> Recorded {
    let change = Change::FieldRevised { entity: TITLE.0, field: TITLE.1, value: NewValue::Sealed };
    record(position, device, seq, seen, on, change)
}

fn record(position: u64, device: u128, seq: u64, seen: (u64, u64), on: &str, change: Change) -> Recorded {
    let body = EventBody {
        event_id: event(position),
        program_id: PROGRAM,
        actor_id: MemberId::new(Uuid::from_u128(device)),
        org_id: "haninge".parse().unwrap(),
        device_id: DeviceId::new(Uuid::from_u128(device)),
        device_seq: DeviceSeq::new(seq),
        prev: Digest::ZERO,
        base: Base {
            epoch: EpochId::default(),
            position: Position::new(seen.0),
            seq: DeviceSeq::new(seen.1),
        },
        authored_at: Instant::default(),
        effective_on: None,
        group: None::<Group>,
        expect: Vec::new(),
        kind: change.kind().unwrap().to_owned(),
        schema_version: 1,
        must_understand: false,
        digests: vec![ValueDigest { slot: Slot::TITLE, digest: Digest::ZERO }],
        change,
    };
    let facts = Facts {
        recorded_on: day("2026-05-01"),
        applies_on: Some(day(on)),
        equal_to: Vec::new(),
        first: None,
    };
    Recorded {
        position: Position::new(position),
        recorded_at: Instant::from_micros(i64::try_from(position).unwrap()),
        event_id: body.event_id,
        body_hash: Digest::ZERO,
        entry: Entry::Accepted { body: Box::new(body), facts },
    }
}

/// A programme, and a title from each of two devices that had not seen the other's.
fn two_that_disagree() -> Vec<Recorded> {
    let created = Change::ProgramCreated { log_key: [1; 32], device_key: [2; 32], rules: 1 };
    vec![
        record(1, 1, 1, (0, 0), "2026-05-01", created),
        revision(2, 1, 2, (1, 1), "2026-05-01"),
        revision(3, 2, 1, (1, 0), "2026-05-01"),
    ]
}

fn stand(records: &[Recorded], on: &str) -> Vec<EventId> {
    sides(records, day(on)).remove(&TITLE).unwrap_or_default().into_iter().collect()
}

fn folded(records: &[Recorded], keep: Keep) -> State {
    let mut state = State::new(PROGRAM, keep);
    records.iter().for_each(|record| state.apply(record));
    state
}

#[test]
fn two_writes_that_had_not_seen_each_other_stand_until_one_that_had_seen_both() {
    let mut log = two_that_disagree();
    assert_eq!(stand(&log, "2026-05-01"), [event(2), event(3)]);
    assert_eq!(conflicts(&log, day("2026-05-01")).len(), 1);
    assert_eq!(last_writer_would_drop(&log), 1);
    // The second device has seen its own and not the other's.
    log.push(revision(4, 2, 2, (1, 1), "2026-05-01"));
    assert_eq!(stand(&log, "2026-05-01"), [event(2), event(4)]);
    log.push(revision(5, 1, 3, (4, 2), "2026-05-01"));
    assert_eq!(stand(&log, "2026-05-01"), [event(5)]);
    assert_eq!(conflicts(&log, day("2026-05-01")).len(), 0);
}

#[test]
fn a_write_for_a_later_day_leaves_the_days_before_it_as_they_are() {
    let mut log = two_that_disagree();
    log.push(revision(4, 1, 3, (3, 2), "2026-06-01"));
    assert_eq!(sides_on(&log, day("2026-05-31"))[&TITLE].len(), 2);
    assert_eq!(sides_on(&log, day("2026-06-01"))[&TITLE], BTreeSet::from([event(4)]));
    assert_eq!(stand(&log, "2026-05-01"), [event(2), event(3), event(4)]);
    assert!(sides_on(&log, day("2026-04-30")).is_empty());
    // What is dated before cannot stand for what is dated after, and had seen it, so that they do not disagree.
    log.push(revision(5, 1, 4, (4, 3), "2026-05-20"));
    assert_eq!(sides_on(&log, day("2026-05-20"))[&TITLE], BTreeSet::from([event(5)]));
    assert_eq!(sides_on(&log, day("2026-06-01"))[&TITLE], BTreeSet::from([event(4), event(5)]));
    assert_eq!(conflicts(&log, day("2026-05-20")).len(), 0);
    assert_eq!(conflicts(&log, day("2026-05-01")).len(), 1);
}

#[test]
fn an_honest_fold_has_lost_nothing_however_much_it_keeps() {
    let mut log = two_that_disagree();
    log.push(revision(4, 1, 3, (3, 2), "2026-06-01"));
    for length in 0..=log.len() {
        for keep in [Keep::Sides, Keep::Everything] {
            assert_eq!(lost_writes(&log[..length], &folded(&log[..length], keep)), []);
        }
    }
}

#[test]
fn a_write_that_was_dropped_or_outlived_its_day_is_named() {
    let log = two_that_disagree();
    // As when a client stamps its base anew when it pushes: the fold then covers what the author never saw.
    let mut stamped = log.clone();
    stamped[2] = revision(3, 2, 1, (2, 0), "2026-05-01");
    let wrong = |event, how| Wrong { entity: TITLE.0, field: TITLE.1, event, how };
    assert_eq!(lost_writes(&log, &folded(&stamped, Keep::Sides)), [wrong(event(2), How::Lost)]);
    assert_eq!(lost_writes(&stamped, &folded(&log, Keep::Sides)), [wrong(event(2), How::Undead)]);
    assert_eq!(lost_writes(&log, &folded(&log[..2], Keep::Sides)), [wrong(event(3), How::Lost)]);
}

#[test]
fn a_base_from_before_a_restore_vouches_for_what_the_restored_log_had() {
    let epoch_id = EpochId::new(Uuid::from_u128(99));
    let opened = Change::EpochOpened { epoch_id, cut_position: Position::new(1), cut_root: Digest::ZERO };
    let mut log = two_that_disagree();
    log[1] = record(2, 3, 1, (1, 0), "2026-05-01", opened);
    // Its author had seen position 3 of the life that ended; the restored log's position 3 is another record.
    log.push(revision(4, 1, 2, (3, 1), "2026-05-01"));
    assert_eq!(stand(&log, "2026-05-01"), [event(3), event(4)]);
    assert_eq!(lost_writes(&log, &folded(&log, Keep::Sides)), []);
}

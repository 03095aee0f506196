//! An engine with its threads, whose log is longer than what stays in memory: receipts are for ever, and so are answers.

#![allow(clippy::unwrap_used, reason = "a test stops at what is not so, in its helpers too")]

#[path = "../epochs/desk.rs"]
mod desk;
mod room;

use std::sync::Arc;

use desk::{Desk, Written, comment, entity, program};
use radslag_core::as_of::{AsOf, Recorded as Point};
use radslag_core::event::Base;
use radslag_core::history::Told;
use radslag_core::id::{EpochId, EventId, Position};
use radslag_core::time::Instant;
use radslag_core::value::{ValueRef, Values as _};
use radslag_core::verdict::{Landing, Receipt, Verdict};
use radslag_engine::clock::SystemClock;
use radslag_engine::engine::{Engine, Options};
use radslag_engine::ledger::Ledger;
use radslag_engine::read::fold_until;
use radslag_engine::trail::{After, changes_of};
use radslag_log::{Commit, EventLog, MemoryLog, RowChange, RowKey, RowKind};
use radslag_proto::convert::event::decode_body;
use radslag_trust::keys::DeviceKey;

const NOW: Instant = Instant::from_micros(1_772_323_200_000_000);
/// More than two chunks of the index.
const EDITS: usize = 2_300;

fn start(log: &Arc<MemoryLog>) -> Engine {
    let options = Options { open_enrolment: true, queue: 8, log_key: DeviceKey::from_seed([0x55; 32]) };
    let log: Arc<dyn EventLog> = Arc::clone(log) as Arc<dyn EventLog>;
    Engine::open(log, Arc::new(SystemClock), options).unwrap()
}

/// A programme with edits of one activity by two devices that see nothing of each other for a while, so that conflicts open.
struct Long {
    log: Arc<MemoryLog>,
    desk: Desk,
    bundles: Vec<Vec<Written>>,
    receipts: Vec<Verdict>,
}

async fn long() -> Long {
    let log = Arc::new(MemoryLog::new());
    let engine = start(&log);
    let (mut desk, mut other) = (Desk::new(1), Desk::new(2));
    let begin = desk.begin(engine.log_key());
    let events = desk.write_all(Base::default(), NOW, begin);
    let created = engine.create(desk.sign(&events)).await.unwrap();
    let join = other.join();
    let joined = other.write_all(Base::default(), NOW, join);
    engine.push(other.sign(&joined)).await.unwrap();
    let base =
        |at: u64, desk: &Desk| Base { epoch: EpochId::default(), position: Position::new(at), seq: desk.seq };
    let blind = base(created.head.get(), &other);
    let blind = other.write(blind, NOW, comment(entity(3), "Utan att ha sett"));
    let (mut bundles, mut receipts) = (vec![events], created.verdicts);
    for part in 0..EDITS / 100 {
        let at = engine.programme(program()).unwrap().head().get();
        let edits = (0..100).map(|edit| comment(entity(3), &format!("Version {part}.{edit}"))).collect();
        let events = desk.write_all(base(at, &desk), NOW, edits);
        receipts.extend(engine.push(desk.sign(&events)).await.unwrap().verdicts);
        bundles.push(events);
        if part == 0 {
            let landed = engine.push(other.sign(std::slice::from_ref(&blind))).await.unwrap();
            assert!(matches!(
                landed.verdicts[..],
                [Verdict::Accepted(Receipt { landing: Landing::OpenedConflict, .. })]
            ));
            receipts.extend(landed.verdicts);
        }
    }
    engine.close();
    // The other device's one event is handed in again with the others.
    bundles.push(vec![blind]);
    Long { log, desk: other, bundles, receipts }
}

fn id_of(event: &Written) -> EventId {
    decode_body(&event.bytes).unwrap().event_id
}

fn rows(log: &MemoryLog, kind: RowKind) -> usize {
    log.rows(program(), kind).unwrap().len()
}

fn receipt(verdict: &Verdict) -> Receipt {
    match verdict {
        Verdict::Accepted(receipt) | Verdict::DuplicateAccepted(receipt) => *receipt,
        other => panic!("not accepted: {other:?}"),
    }
}

/// Everything that was ever handed in, once more: the same receipts.
async fn hands_all_in_again(long: &Long) {
    let engine = start(&long.log);
    let first = Desk::new(1);
    let mut again = Vec::new();
    for bundle in &long.bundles[..long.bundles.len() - 1] {
        again.extend(engine.push(first.sign(bundle)).await.unwrap().verdicts);
    }
    let blind = engine.push(long.desk.sign(long.bundles.last().unwrap())).await.unwrap().verdicts;
    again.extend(blind);
    assert!(again.iter().all(|verdict| matches!(verdict, Verdict::DuplicateAccepted(_))));
    let by_position = |verdicts: &[Verdict]| {
        let mut receipts: Vec<Receipt> = verdicts.iter().map(receipt).collect();
        receipts.sort_by_key(|receipt| receipt.position);
        receipts
    };
    assert_eq!(by_position(&again), by_position(&long.receipts));
    engine.close();
}

#[tokio::test]
async fn a_receipt_is_the_same_however_old_it_is() {
    let long = long().await;
    assert!(rows(&long.log, RowKind::Index) >= 2 && rows(&long.log, RowKind::State) >= 2);
    let engine = start(&long.log);
    let programme = engine.programme(program()).unwrap();
    let held = programme.published().index.len();
    assert!(held < EDITS / 2, "{held} events are held in memory");
    engine.close();
    hands_all_in_again(&long).await;
}

#[tokio::test]
async fn a_receipt_is_the_same_when_the_index_was_lost_or_damaged() {
    let long = long().await;
    for kind in [RowKind::Index, RowKind::State, RowKind::Resume, RowKind::Trail] {
        let key = |number| RowKey { program: program(), kind, number };
        let (number, mut bytes) = long.log.rows(program(), kind).unwrap().swap_remove(0);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        long.log
            .commit(Commit { appends: Vec::new(), rows: vec![RowChange::Put(key(number), bytes)] })
            .unwrap();
        hands_all_in_again(&long).await;
        let lost = long.log.rows(program(), kind).unwrap();
        let rows = lost.into_iter().map(|(number, _)| RowChange::Delete(key(number))).collect();
        long.log.commit(Commit { appends: Vec::new(), rows }).unwrap();
        hands_all_in_again(&long).await;
    }
    // What was lost has been made anew when it was missed: the trails by whoever asks for a history.
    assert_eq!(rows(&long.log, RowKind::Trail), 0);
    let engine = start(&long.log);
    let programme = engine.programme(program()).unwrap();
    let asked = changes_of(
        long.log.as_ref(),
        programme.as_ref(),
        entity(3),
        Told::AsRecorded,
        programme.head(),
        After::default(),
        10,
    );
    assert_eq!(asked.unwrap().len(), 10);
    engine.write_behind().unwrap();
    assert!(rows(&long.log, RowKind::Index) >= 2 && rows(&long.log, RowKind::Trail) >= 2);
    engine.close();
}

#[tokio::test]
async fn an_id_that_was_used_long_ago_is_used_for_ever() {
    let mut long = long().await;
    let engine = start(&long.log);
    let oldest = id_of(&long.bundles[1][0]);
    let mut draft = comment(entity(3), "Med ett annats id");
    draft.event = Some(oldest);
    let at = engine.programme(program()).unwrap().head();
    let base = Base { epoch: EpochId::default(), position: at, seq: long.desk.seq };
    let reused = long.desk.write(base, NOW, draft);
    let verdict = engine.push(long.desk.sign(std::slice::from_ref(&reused))).await.unwrap().verdicts;
    let Verdict::Rejected(receipt) = &verdict[0] else { panic!("{verdict:?}") };
    assert_eq!(receipt.reason.name(), "ID_REUSED");
    let position = receipt.position;
    engine.close();
    let engine = start(&long.log);
    let again = engine.push(long.desk.sign(std::slice::from_ref(&reused))).await.unwrap().verdicts;
    assert!(
        matches!(&again[0], Verdict::DuplicateRejected(receipt) if receipt.position == position),
        "{again:?}"
    );
    engine.close();
}

#[tokio::test]
async fn a_value_of_long_ago_is_found_and_a_point_is_read_without_the_log() {
    let long = long().await;
    let engine = start(&long.log);
    let programme = engine.programme(program()).unwrap();
    let old = &long.bundles[1][3];
    let values = engine.past(&programme);
    let at = ValueRef { event: id_of(old), slot: radslag_core::value::Slot::COMMENT };
    assert_eq!(values.bytes(at).as_deref(), Some("Version 0.3".as_bytes()));
    let head = programme.head();
    for position in [1, 7, 500, 1_000, 1_001, 1_777, head.get()] {
        let point = Point::Position(Position::new(position));
        let read = engine.read_at(&programme, AsOf { recorded: point, effective: None }).unwrap();
        let (whole, _) = fold_until(long.log.as_ref(), program(), head, point).unwrap();
        assert_eq!(read.state.hash(), whole.hash(), "at {position}");
    }
    engine.close();
    Ledger::verify(long.log.as_ref(), program()).unwrap();
}

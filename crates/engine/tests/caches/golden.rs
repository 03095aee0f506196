//! A log that an earlier release wrote, kept for ever with the state hash of every prefix. It adopts other rules half way: what was
//! recorded before that folds as it did, in every later release.

use std::path::{Path, PathBuf};

use prost::Message as _;
use radslag_core::as_of::{AsOf, Recorded as Point};
use radslag_core::command::Draft;
use radslag_core::event::{Base, Change};
use radslag_core::field::FieldKey;
use radslag_core::id::{DeviceId, DeviceSeq, Position};
use radslag_core::record::{Entry, Facts, Recorded};
use radslag_core::state::{Keep, State};
use radslag_core::time::Instant;
use radslag_engine::as_of::read_at;
use radslag_engine::ledger::read_record;
use radslag_proto::convert::record::encode_record;
use radslag_proto::log::v1;

use crate::history::history;
use crate::shelf::{Shelf, body_bytes};
use crate::town::{Dice, HUDDINGE, NACKA, Town, folded, text};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/log/v1")
}

/// The records, one after another, each with its length before it.
fn records() -> Vec<Recorded> {
    let bytes = std::fs::read(fixture().join("records.bin")).unwrap();
    let mut rest = bytes.as_slice();
    let mut records = Vec::new();
    while !rest.is_empty() {
        records.push(read_record(&v1::Record::decode_length_delimited(&mut rest).unwrap()).unwrap());
    }
    records
}

/// What each prefix amounts to: its last position, the rules in force, the state hash.
fn states(records: &[Recorded]) -> String {
    let Entry::Accepted { body, .. } = &records[0].entry else {
        panic!("a log begins with an accepted record")
    };
    let mut state = State::new(body.program_id, Keep::Sides);
    let mut lines = String::new();
    for record in records {
        state.apply(record);
        lines.push_str(&format!("{} {} {}\n", state.head(), state.rules(), state.hash()));
    }
    lines
}

#[test]
fn a_log_that_adopted_other_rules_folds_as_it_did_when_it_was_written() {
    let records = records();
    let kept = std::fs::read_to_string(fixture().join("states.txt")).unwrap();
    for (now, then) in states(&records).lines().zip(kept.lines()) {
        assert_eq!(now, then, "position, rules, state hash");
    }
    assert_eq!(kept.lines().count(), records.len());
    let adopted = kept.lines().position(|line| line.split(' ').nth(1) == Some("2")).unwrap();
    assert!(adopted > 40 && records.len() - adopted > 3);

    // Looking back from beyond the adoption gives what stood there before it, on both axes.
    let town = Town::new();
    let shelf = Shelf::holding(&town, records);
    for upto in [1, adopted / 2, adopted - 1, adopted, adopted + 1, shelf.records.len()] {
        let before = folded(shelf.program(), Keep::Everything, &shelf.records[..upto]);
        let point = Point::Position(Position::new(u64::try_from(upto).unwrap()));
        let read = read_at(&shelf.log, &shelf.ledger, AsOf { recorded: point, effective: None }).unwrap();
        assert_eq!((read.state.hash(), read.state.rules()), (before.hash(), before.rules()), "at {upto}");
        assert_eq!(read.state.rules(), if upto > adopted { 2 } else { 1 });
    }
}

/// Writes the fixture; a release whose logs look otherwise writes a new one beside it and leaves this alone.
#[test]
fn the_golden_log_is_written_when_asked_for() {
    if std::env::var_os("RADSLAG_WRITE_FIXTURE").is_none() {
        return;
    }
    let dir = fixture();
    assert!(!dir.exists(), "{} is there already and is never changed", dir.display());
    std::fs::create_dir_all(&dir).unwrap();
    let mut dice = Dice(286);
    let steps: Vec<u64> = (0..80).map(|_| dice.roll()).collect();
    let mut town = history(&steps);
    adopt(&mut town, 2);
    let activity = town.activity();
    let edits = [FieldKey::Comment, FieldKey::Title, FieldKey::Time, FieldKey::Comment, FieldKey::Title];
    let landed = edits.into_iter().enumerate().filter(|(turn, field)| {
        town.pass(1);
        let who = if turn % 2 == 0 { HUDDINGE } else { NACKA };
        town.write(who, text(activity, *field, &format!("Efter {turn}"))).is_ok()
    });
    assert!(landed.count() > 1, "what was rejected stands in the log too");
    let shelf = Shelf::before(&town);
    let mut bytes = Vec::new();
    for record in &shelf.records {
        let stored = encode_record(record, body_bytes(record), record.position, 0);
        stored.encode_length_delimited(&mut bytes).unwrap();
    }
    std::fs::write(dir.join("records.bin"), bytes).unwrap();
    std::fs::write(dir.join("states.txt"), states(&shelf.records)).unwrap();
}

/// The log's own record that other rules are in force from here on.
fn adopt(town: &mut Town, version: u32) {
    let mut body = town.author(HUDDINGE, Base::default(), Draft::new(Change::RulesAdopted { version }));
    town.devices[HUDDINGE].views.pop();
    town.devices[HUDDINGE].seq = town.devices[HUDDINGE].seq.previous();
    body.device_id = DeviceId::default();
    body.device_seq = DeviceSeq::new(99);
    let recorded_at = Instant::from_micros(town.state.recorded_at().micros() + 1);
    let facts = Facts { recorded_on: town.today(), applies_on: None, equal_to: Vec::new(), first: None };
    let record = Recorded {
        position: town.state.head().next(),
        recorded_at,
        event_id: body.event_id,
        body_hash: radslag_core::digest::Digest::ZERO,
        entry: Entry::Accepted { body: Box::new(body), facts },
    };
    town.state.apply(&record);
    town.log.push(record);
}

//! A snapshot goes on as the ledger that it was taken of, over the same random histories that the laws of the fold are tried with.

#![allow(clippy::unwrap_used, reason = "a test stops at what is not so, in its helpers too")]

// The histories are the domain's own; this file uses a part of what they can do.
#[allow(dead_code, reason = "shared with the laws of core, which use the rest")]
#[path = "../../core/tests/laws/history.rs"]
mod history;
#[allow(dead_code, reason = "shared with the laws of core, which use the rest")]
#[path = "../../core/tests/laws/naive.rs"]
mod naive;
#[allow(dead_code, reason = "shared with the laws of core, which use the rest")]
#[path = "../../core/tests/laws/town.rs"]
mod town;

use history::{history, steps, tries};
use proptest::prelude::*;
use radslag_core::digest::Digest;
use radslag_core::id::Position;
use radslag_core::record::Recorded;
use radslag_core::value::{Slot, Value};
use radslag_engine::ledger::Ledger;
use radslag_engine::snapshot::{Carried, SignedSnapshot, Snapshot, check, wanted};
use radslag_proto::log::v1;
use radslag_trust::keys::DeviceKey;
use town::Town;

fn folded(records: &[Recorded], town: &Town) -> Ledger {
    let mut ledger = Ledger::new(town.state.program_id());
    records.iter().for_each(|record| ledger.note(record, record.body_hash));
    ledger
}

fn snapshot(ledger: &Ledger, town: &Town) -> Snapshot {
    let carried = wanted(&ledger.state).into_iter().filter_map(|(event, slots)| {
        let value = |slot: Slot| {
            let bytes = town.past.values.get(event, slot)?.to_vec();
            let mut salt = [1; 16];
            salt[..2].copy_from_slice(&slot.get().to_be_bytes());
            Some(Value { slot, salt, bytes })
        };
        let values: Vec<Value> = slots.into_iter().filter_map(value).collect();
        (!values.is_empty()).then_some(Carried { event, position: ledger.position_of(event)?, values })
    });
    let last = v1::Record {
        position: ledger.state.head().get(),
        recorded_at: ledger.state.recorded_at().micros(),
        ..v1::Record::default()
    };
    Snapshot {
        state: ledger.state.clone(),
        fences: ledger.fences.clone(),
        frontier: ledger.frontier.clone(),
        values: carried.collect(),
        last,
    }
}

fn key() -> DeviceKey {
    DeviceKey::from_seed([5; 32])
}

/// A history whose log key is ours, signed as a server signs it.
fn signed() -> (Snapshot, SignedSnapshot) {
    let town = history(&[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9]);
    let records: Vec<Recorded> = town.log.iter().cloned().map(with_key).collect();
    let snapshot = snapshot(&folded(&records, &town), &town);
    let signed = SignedSnapshot::sign(&snapshot, &key());
    (snapshot, signed)
}

fn with_key(mut record: Recorded) -> Recorded {
    if let radslag_core::record::Entry::Accepted { body, .. } = &mut record.entry
        && let radslag_core::event::Change::ProgramCreated { log_key, .. } = &mut body.change
    {
        *log_key = *key().public().bytes();
    }
    record
}

proptest! {
    #![proptest_config(tries(96))]

    #[test]
    fn a_snapshot_reads_back_and_goes_on_as_the_log_does(steps in steps(), at in any::<prop::sample::Index>()) {
        let town = history(&steps);
        let cut = at.index(town.log.len()) + 1;
        let (before, after) = town.log.split_at(cut);
        let whole = folded(before, &town);
        let taken = snapshot(&whole, &town);
        let read = Snapshot::decode(&taken.encode()).unwrap();
        prop_assert_eq!(read.difference(&taken), None);
        prop_assert_eq!(&read, &taken);

        let mut going_on = read.to_ledger();
        let mut folded_on = whole;
        prop_assert_eq!(going_on.begun_after, Position::new(u64::try_from(cut).unwrap()));
        for record in after {
            going_on.note(record, record.body_hash);
            folded_on.note(record, record.body_hash);
            prop_assert_eq!(going_on.state.hash(), folded_on.state.hash());
        }
        prop_assert_eq!(&going_on.state, &folded_on.state);
        prop_assert_eq!(&going_on.fences, &folded_on.fences);
        prop_assert_eq!(going_on.frontier.root(), folded_on.frontier.root());
    }

    #[test]
    fn bytes_that_are_no_snapshot_are_an_error_and_never_a_panic(hit in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<prop::sample::Index>()) {
        let (_, signed) = signed();
        let mut bytes = signed.chunks.concat();
        let at = hit.index(bytes.len());
        bytes[at] ^= 1 << bit;
        // What still reads is another snapshot, or one that its digest tells apart.
        let _ = Snapshot::decode(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        let _ = Snapshot::decode(&bytes);
    }
}

#[test]
fn what_the_log_signed_is_taken_and_nothing_else() {
    let (snapshot, signed) = signed();
    let program = snapshot.state.program_id();
    let log_key = *key().public().bytes();
    let ok = |chunks: &[Vec<u8>], manifest: &[u8], signature: &[u8]| {
        check(program, &log_key, manifest, signature, chunks).map_err(|error| error.to_string())
    };
    assert_eq!(ok(&signed.chunks, &signed.manifest, signed.signature.bytes()).unwrap(), snapshot);

    let mut damaged = signed.chunks.clone();
    damaged[0][40] ^= 1;
    let error = ok(&damaged, &signed.manifest, signed.signature.bytes()).unwrap_err();
    assert!(error.contains("chunk 0 is damaged"), "{error}");

    let mut manifest = signed.manifest.clone();
    manifest[10] ^= 1;
    let error = ok(&signed.chunks, &manifest, signed.signature.bytes()).unwrap_err();
    assert!(error.contains("not signed by the log's key"), "{error}");

    let missing = ok(&[], &signed.manifest, signed.signature.bytes()).unwrap_err();
    assert!(missing.contains("a chunk is missing"), "{missing}");

    // A stranger's key signs as well as ours, but it is not the log's.
    let stranger = DeviceKey::from_seed([6; 32]);
    let forged = SignedSnapshot::sign(&snapshot, &stranger);
    let error = ok(&forged.chunks, &forged.manifest, forged.signature.bytes()).unwrap_err();
    assert!(error.contains("not signed by the log's key"), "{error}");
    let theirs = *stranger.public().bytes();
    let error = check(program, &theirs, &forged.manifest, forged.signature.bytes(), &forged.chunks);
    assert!(error.unwrap_err().to_string().contains("another log"));
}

#[test]
fn two_snapshots_say_in_what_they_differ() {
    let (snapshot, _) = signed();
    let mut other = snapshot.clone();
    other.values[0].values[0].bytes.push(b'!');
    assert_eq!(snapshot.difference(&other), Some("a value"));
    let mut other = snapshot.clone();
    other.frontier.append(Digest::ZERO);
    assert_eq!(snapshot.difference(&other), Some("the Merkle root"));
    assert_eq!(snapshot.difference(&snapshot.clone()), None);
}

//! Well-formed records, values and appends without a meaning: a store does not look inside.

use prost::Message as _;
use radslag_core::digest::Digest;
use radslag_core::id::{Position, ProgramId};
use radslag_proto::log::v1;

use crate::check;
use crate::contract::{Append, Commit, EventLog, ReadLimit, StoredRecord};

/// A limit that no sample reaches.
pub const EVERYTHING: ReadLimit = ReadLimit { records: usize::MAX, bytes: usize::MAX };

/// A programme id made of one byte.
pub fn program(byte: u8) -> ProgramId {
    ProgramId::from_slice(&[byte; 16]).expect("sixteen bytes are an id")
}

/// Bytes that are easy to tell apart: a run that begins at `seed`.
pub fn bytes(seed: usize, len: usize) -> Vec<u8> {
    let byte = |i: usize| u8::try_from((seed + i * 31) % 251).expect("a remainder of 251 is a byte");
    (0..len).map(byte).collect()
}

/// An accepted record whose body has `body` bytes. [`append`] gives it its place.
pub fn accepted(body: usize) -> StoredRecord {
    record(v1::Outcome::Accepted, bytes(body, body))
}

/// A rejected record: no body, no values.
pub fn rejected() -> StoredRecord {
    record(v1::Outcome::Rejected, Vec::new())
}

fn record(outcome: v1::Outcome, body: Vec<u8>) -> StoredRecord {
    let record = v1::Record {
        outcome: outcome.into(),
        body_hash: Digest::of(&body).bytes().to_vec(),
        facts: vec![1; 20],
        body,
        ..v1::Record::default()
    };
    StoredRecord { record, values: Vec::new() }
}

/// The record with one more value, of `len` bytes.
#[must_use]
pub fn with_value(mut stored: StoredRecord, slot: u32, len: usize) -> StoredRecord {
    let seed = len + usize::try_from(slot).expect("a slot is small");
    stored.values.push(v1::Value { slot, salt: bytes(seed + 1, 16), bytes: bytes(seed, len) });
    stored
}

/// Puts records after `head`, all in one bundle.
pub fn append(program: ProgramId, head: Option<&v1::Head>, mut records: Vec<StoredRecord>) -> Append {
    let mut head = head.cloned().unwrap_or_default();
    let bundle = bundle(head.position + 1, records.len());
    for (index, stored) in (0_u32..).zip(&mut records) {
        place(&mut stored.record, head.position + 1);
        stored.record.bundle_position = bundle.position;
        stored.record.bundle_index = index;
        push(&mut head, &stored.record);
    }
    let root = check::frontier_root(&head).unwrap_or(Digest::of(b""));
    Append { program, records, bundles: vec![bundle], head, root }
}

fn bundle(position: u64, size: usize) -> v1::Bundle {
    v1::Bundle {
        position,
        device_id: vec![7; 16],
        size: u32::try_from(size).expect("a sample is small") + 1,
        signature: vec![9; 64],
        absent: vec![v1::AbsentMember { index: 0, body_hash: vec![3; 32] }],
    }
}

fn place(record: &mut v1::Record, position: u64) {
    record.position = position;
    record.recorded_at = 1_700_000_000_000_000 + i64::try_from(position).expect("a sample is short");
    record.event_id = Digest::of(&position.to_be_bytes()).bytes()[..16].to_vec();
}

/// Adds a leaf to the frontier: every complete pair to the left folds into it.
fn push(head: &mut v1::Head, record: &v1::Record) {
    let mut carry = Digest::of(&record.encode_to_vec());
    for _ in 0..head.position.trailing_ones() {
        let left = head.frontier.pop().expect("one digest for each bit of the size");
        carry = check::node(Digest::from_slice(&left).expect("a digest is 32 bytes"), carry);
    }
    head.frontier.push(carry.bytes().to_vec());
    head.position = record.position;
    head.recorded_at = record.recorded_at;
}

/// Appends records at the end of a programme's log, in a commit of their own, and gives back what was written.
pub fn write(log: &dyn EventLog, program: ProgramId, records: Vec<StoredRecord>) -> Append {
    let head = log.head(program).expect("the head can be read");
    let append = append(program, head.as_ref(), records);
    let commit = Commit { appends: vec![append.clone()], rows: Vec::new() };
    log.commit(commit).expect("a well-formed append at the head is taken");
    append
}

/// Panics unless everything of an append is in the log as it was written.
pub fn assert_stands(log: &dyn EventLog, append: &Append) {
    let program = append.program;
    for stored in &append.records {
        let at = Position::new(stored.record.position);
        let limit = ReadLimit { records: 1, bytes: 0 };
        let read = log.read(program, at, limit).expect("a record can be read");
        assert_eq!(read, std::slice::from_ref(&stored.record), "position {at}");
        let mut values = stored.values.clone();
        values.sort_by_key(|value| value.slot);
        assert_eq!(log.values(program, at).expect("values can be read"), values, "values of {at}");
    }
    for bundle in &append.bundles {
        let stands = log.bundle(program, Position::new(bundle.position)).expect("a bundle can be read");
        assert_eq!(stands.as_ref(), Some(bundle));
    }
}

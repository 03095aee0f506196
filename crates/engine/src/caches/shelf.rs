//! Things that are kept on disk in pieces: folded states for looking back, and points that opening goes on from. The mark that says
//! they are there is written last, so that whatever is cut short is not there.

use std::collections::BTreeMap;

use prost::Message as _;
use radslag_core::digest::Digest;
use radslag_core::id::{Position, ProgramId};
use radslag_core::state::State;
use radslag_log::{Commit, EventLog, RowChange, RowKey, RowKind};
use radslag_proto::convert::snapshot::{decode_state, encode_state};
use radslag_proto::log::v1;

use super::{FORMAT, Pace, forgiving, seal, unseal};
use crate::ledger::LedgerError;

/// The most bytes of one piece. Each is a commit of its own: whoever waits for the store waits for no more.
const PART: usize = 128 << 10;
/// The numbers that the pieces of one thing may have.
const PARTS: u64 = 1 << 12;

/// The tail after a folded state is counted in records of so many bytes, about what one takes on disk.
pub(crate) const RECORD_BYTES: u64 = 400;
/// How many points to go on from there are: the newest, and the one before it for when that one does not read.
const SLOTS: u64 = 2;

/// A mark that was read, and where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) number: u64,
    pub(crate) position: Position,
    parts: u32,
    pub(crate) bytes: u64,
    digest: Vec<u8>,
}

/// The folded states and resume points of a programme on disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) states: BTreeMap<Position, Kept>,
    /// Newest last.
    pub(crate) resumes: Vec<Kept>,
}

impl Shelf {
    /// What the marks in a store say; one that does not read is passed over.
    pub(crate) fn read(log: &dyn EventLog, program: ProgramId, head: Position) -> Result<Self, LedgerError> {
        let states = marks(log, program, RowKind::State)?;
        let mut resumes = marks(log, program, RowKind::Resume)?;
        resumes.retain(|kept| kept.position <= head);
        resumes.sort_by_key(|kept| kept.position);
        let states =
            states.into_iter().filter(|kept| kept.position <= head && kept.number == kept.position.get());
        Ok(Self { states: states.map(|kept| (kept.position, kept)).collect(), resumes })
    }

    /// Whether a state should be kept at a head.
    pub(crate) fn state_is_due(&self, pace: Pace, head: Position) -> bool {
        let last = self.states.last_key_value();
        let (position, bytes) = last.map_or((Position::ZERO, 0), |(position, kept)| (*position, kept.bytes));
        tail(position, head) >= pace.state_tail.max(pace.ratio * bytes)
    }

    /// Whether a point to go on from should be kept at a head; when the store is about to be closed, sooner.
    pub(crate) fn resume_is_due(&self, pace: Pace, head: Position, closing: bool) -> bool {
        let last = self.resumes.last();
        let (position, bytes) = last.map_or((Position::ZERO, 0), |kept| (kept.position, kept.bytes));
        let state = self.states.last_key_value().map_or(0, |(_, kept)| kept.bytes);
        let least = if closing {
            pace.state_tail.max(pace.ratio.min(1) * (bytes + state))
        } else {
            pace.resume_tail.max(pace.ratio * (bytes + state))
        };
        tail(position, head) >= least
    }

    /// The slot of the next point to go on from: not the newest one's.
    pub(crate) fn next_slot(&self) -> u64 {
        self.resumes.last().map_or(0, |newest| (newest.number + 1) % SLOTS)
    }

    pub(crate) fn add_state(&mut self, kept: Kept) {
        self.states.insert(kept.position, kept);
    }

    pub(crate) fn add_resume(&mut self, kept: Kept) {
        self.resumes.retain(|older| older.number != kept.number);
        self.resumes.push(kept);
    }
}

fn tail(from: Position, to: Position) -> u64 {
    to.get().saturating_sub(from.get()).saturating_mul(RECORD_BYTES)
}

fn marks(log: &dyn EventLog, program: ProgramId, kind: RowKind) -> Result<Vec<Kept>, LedgerError> {
    let rows = forgiving(log.rows(program, kind).map(Some))?.unwrap_or_default();
    let read = rows.into_iter().filter_map(|(number, sealed)| {
        let mark = v1::KeptMark::decode(unseal(&sealed)?).ok()?;
        let position = Position::new(mark.position);
        let sound = mark.format == FORMAT && u64::from(mark.parts) < PARTS && position > Position::ZERO;
        sound.then_some(Kept { number, position, parts: mark.parts, bytes: mark.bytes, digest: mark.digest })
    });
    Ok(read.collect())
}

/// Where the pieces of a kind of thing stand.
fn parts_of(kind: RowKind) -> RowKind {
    if kind == RowKind::State { RowKind::StatePart } else { RowKind::ResumePart }
}

fn part_key(program: ProgramId, kind: RowKind, number: u64, part: u64) -> RowKey {
    RowKey { program, kind: parts_of(kind), number: number * PARTS + part }
}

/// Keeps bytes under a number: piece by piece, then the mark. What stood there before is gone with the first piece. None where they
/// are too many to be kept.
pub(crate) fn put(
    log: &dyn EventLog,
    program: ProgramId,
    kind: RowKind,
    number: u64,
    position: Position,
    bytes: &[u8],
) -> Result<Option<Kept>, LedgerError> {
    let parts: Vec<&[u8]> = bytes.chunks(PART).collect();
    let count = u32::try_from(parts.len()).ok().filter(|count| u64::from(*count) < PARTS);
    let (Some(count), Ok(length)) = (count, u64::try_from(bytes.len())) else { return Ok(None) };
    let mark = RowKey { program, kind, number };
    let before = forgiving(log.row(mark))?.and_then(|sealed| v1::KeptMark::decode(unseal(&sealed)?).ok());
    let mut rows = vec![RowChange::Delete(mark)];
    for (part, bytes) in (0..).zip(parts) {
        rows.push(RowChange::Put(part_key(program, kind, number, part), bytes.to_vec()));
        log.commit(Commit { appends: Vec::new(), rows: std::mem::take(&mut rows) })?;
    }
    let left_over = u64::from(count)..u64::from(before.map_or(0, |mark| mark.parts)).min(PARTS);
    rows.extend(left_over.map(|part| RowChange::Delete(part_key(program, kind, number, part))));
    let digest = Digest::of(bytes).bytes().to_vec();
    let message = v1::KeptMark {
        format: FORMAT,
        position: position.get(),
        parts: count,
        bytes: length,
        digest: digest.clone(),
    };
    rows.push(RowChange::Put(mark, seal(&message.encode_to_vec())));
    log.commit(Commit { appends: Vec::new(), rows })?;
    Ok(Some(Kept { number, position, parts: count, bytes: length, digest }))
}

/// The bytes that a mark speaks of; none where they are not all there or are others.
pub(crate) fn take(
    log: &dyn EventLog,
    program: ProgramId,
    kind: RowKind,
    kept: &Kept,
) -> Result<Option<Vec<u8>>, LedgerError> {
    let mut bytes = Vec::new();
    for part in 0..u64::from(kept.parts) {
        let Some(part) = forgiving(log.row(part_key(program, kind, kept.number, part)))? else {
            return Ok(None);
        };
        bytes.extend(part);
    }
    Ok((Digest::of(&bytes).bytes().as_slice() == kept.digest.as_slice()).then_some(bytes))
}

/// Keeps a folded state under its position. None before the first record.
pub(crate) fn put_state(log: &dyn EventLog, state: &State) -> Result<Option<Kept>, LedgerError> {
    let (program, head) = (state.program_id(), state.head());
    let Some(message) = encode_state(state) else { return Ok(None) };
    put(log, program, RowKind::State, head.get(), head, &message.encode_to_vec())
}

/// The folded state that a mark speaks of; none where it does not read.
pub(crate) fn take_state(
    log: &dyn EventLog,
    program: ProgramId,
    kept: &Kept,
) -> Result<Option<State>, LedgerError> {
    let Some(bytes) = take(log, program, RowKind::State, kept)? else { return Ok(None) };
    let message = v1::Snapshot::decode(bytes.as_slice()).ok();
    let state = message.and_then(|message| decode_state(&message).ok());
    Ok(state.filter(|state| state.program_id() == program && state.head() == kept.position))
}

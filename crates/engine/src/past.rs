//! What judging and viewing look up beside the state: values and earlier records, from a store.

use std::collections::HashMap;

use radslag_core::id::{EventId, Position, ProgramId};
use radslag_core::judge::{MemoryPast, Past};
use radslag_core::record::{Entry, Recorded};
use radslag_core::state::State;
use radslag_core::value::{Slot, ValueRef, Values};
use radslag_log::{EventLog, ReadLimit};
use radslag_proto::convert::record::decode_record;
use radslag_proto::log::v1;

use crate::caches::far::Far;
use crate::ledger::{LedgerError, values_at};

/// Where events of a log stand.
pub type Index = HashMap<EventId, Position>;

/// A store's past, with what is not stored yet laid over it.
///
/// A store that cannot be read answers as if the value were forgotten; the error itself is logged here and met again by
/// whoever reads records.
pub struct LogPast<'a> {
    /// The store.
    pub log: &'a dyn EventLog,
    /// The programme.
    pub program: ProgramId,
    /// Where its events stand, as far as that is in memory.
    pub index: &'a Index,
    /// Where the others stand.
    pub far: &'a Far,
    /// Events that are judged but not stored, and outboxes.
    pub overlay: &'a MemoryPast,
}

impl LogPast<'_> {
    fn place(&self, event: EventId) -> Option<Position> {
        match self.index.get(&event) {
            Some(position) => Some(*position),
            None => said(event, self.far.event(self.log, event)),
        }
    }
}

/// Where an event was found. A store that does not answer is met again by whoever reads records.
pub(crate) fn said(event: EventId, found: Result<Option<Position>, LedgerError>) -> Option<Position> {
    found.unwrap_or_else(|error| {
        tracing::error!(%event, %error, "an event cannot be looked up");
        None
    })
}

/// Where the events stand that wrote what a state holds.
pub fn places(state: &State) -> Index {
    let registers = state.entities().flat_map(|(_, entity)| entity.fields.values());
    registers.flat_map(|register| register.writes()).map(|write| (write.event, write.position)).collect()
}

/// Whether one record lies so little before another that it costs less to walk on to it, past what lies between, than to look it up.
pub(crate) const fn is_close(one: Position, other: Position) -> bool {
    other.get().saturating_sub(one.get()) < 64
}

/// No more bytes of values are held at once.
const HELD: usize = 4 << 20;

/// The values of some records, which ascend, read along the log where they lie close together. What cannot be read, or is too much to
/// hold, is left out: it is met when it is asked for by itself.
pub(crate) fn values_of(
    log: &dyn EventLog,
    program: ProgramId,
    positions: impl IntoIterator<Item = Position>,
) -> HashMap<Position, Vec<v1::Value>> {
    let (mut held, mut bytes) = (HashMap::new(), 0);
    let mut walk = None;
    for at in positions {
        // Several changes of one record.
        if walk.as_ref().is_some_and(|(last, _)| *last == at) {
            continue;
        }
        let close = walk.take().filter(|(last, _): &(Position, _)| is_close(*last, at));
        let started = || log.values_from(program, at).ok().map(Iterator::peekable);
        let Some(mut along) = close.map(|(_, along)| along).or_else(started) else { continue };
        let Ok(values) = values_at(&mut along, at) else { continue };
        walk = Some((at, along));
        bytes += values.iter().map(|value| value.bytes.len()).sum::<usize>();
        if bytes > HELD {
            break;
        }
        held.insert(at, values);
    }
    held
}

/// A value of the record at a position, as [`Values`] wants it.
pub(crate) fn value_at(
    log: &dyn EventLog,
    program: ProgramId,
    position: Position,
    slot: Slot,
) -> Option<Vec<u8>> {
    match log.value(program, position, slot) {
        Ok(value) => value.map(|value| value.bytes),
        Err(error) => {
            tracing::error!(%program, %position, %error, "a value cannot be read");
            None
        }
    }
}

/// The accepted record at a position, as [`Past`] wants it.
pub(crate) fn accepted_at(log: &dyn EventLog, program: ProgramId, position: Position) -> Option<Recorded> {
    let stored = log.read(program, position, ReadLimit { records: 1, bytes: 0 }).ok()?;
    let record = decode_record(stored.first()?).ok()?;
    matches!(record.entry, Entry::Accepted { .. }).then_some(record)
}

impl Values for LogPast<'_> {
    fn bytes(&self, at: ValueRef) -> Option<Vec<u8>> {
        if let Some(bytes) = self.overlay.values.get(at.event, at.slot) {
            return Some(bytes.to_vec());
        }
        value_at(self.log, self.program, self.place(at.event)?, at.slot)
    }
}

impl Past for LogPast<'_> {
    fn record(&self, event: EventId) -> Option<Recorded> {
        if let Some(record) = self.overlay.records.get(&event) {
            return Some(record.clone());
        }
        accepted_at(self.log, self.program, self.place(event)?)
    }
}

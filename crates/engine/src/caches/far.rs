//! Where events stand that are in whole chunks: four bytes of SHA-256 of each id in memory, compared with the record when they fit.
//!
//! That is about twelve bytes an event instead of the hundred of a map. A key that fits by chance costs one read of a record; a miss
//! costs none. The keys are read from the chunks on disk when the first question comes, and from the records where a chunk is bad.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use radslag_core::digest::Digest;
use radslag_core::id::{EventId, Position, ProgramId};
use radslag_core::time::CivilDate;
use radslag_log::{EventLog, ReadLimit, RowKind};
use radslag_proto::log::v1;

use super::chunk;
use super::journal::{Key, key_in, key_of};
use super::{Pace, forgiving, unseal};
use crate::ledger::{LedgerError, read_record};
use prost::Message as _;
use radslag_core::record::Recorded;

/// Where the events of whole chunks stand. Clones share what they know; an empty one knows of none.
#[derive(Clone, Debug, Default)]
pub struct Far(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    program: ProgramId,
    pace: Pace,
    // Written when a chunk has been written, and once for reading the keys; nothing waits while holding it but that one read.
    held: RwLock<Held>,
    damaged: AtomicBool,
}

#[derive(Debug)]
struct Held {
    upto: Position,
    known: Option<Known>,
}

#[derive(Debug, Default)]
struct Known {
    table: Table,
    /// Of each chunk, the earliest date of its back-dated writes.
    earliest: Vec<Option<CivilDate>>,
}

impl Known {
    fn take(&mut self, first: Position, index: &chunk::Index) {
        for (position, key) in (first.get()..).zip(&index.keys) {
            self.table.insert(*key, position);
        }
        for (offset, key) in &index.declined {
            self.table.insert(*key, first.get() + offset);
        }
        self.earliest.push(index.earliest);
    }
}

impl Far {
    /// What whole chunks up to a record say.
    pub(crate) fn new(program: ProgramId, pace: Pace, upto: Position) -> Self {
        let held = RwLock::new(Held { upto, known: None });
        Self(Some(Arc::new(Shared { program, pace, held, damaged: AtomicBool::new(false) })))
    }

    /// Where the record stands that first had an event's id, accepted or rejected.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn event(&self, log: &dyn EventLog, event: EventId) -> Result<Option<Position>, LedgerError> {
        self.find(log, key_of(event), |record| record.event_id == event)
    }

    /// Where a rejected record stands, by the hash of its body.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn declined(&self, log: &dyn EventLog, body: Digest) -> Result<Option<Position>, LedgerError> {
        self.find(log, key_in(&body), |record| record.body().is_none() && record.body_hash == body)
    }

    fn find(
        &self,
        log: &dyn EventLog,
        key: Key,
        is_it: impl Fn(&Recorded) -> bool,
    ) -> Result<Option<Position>, LedgerError> {
        let Some(shared) = &self.0 else { return Ok(None) };
        let candidates = shared.with(log, |known| known.table.at(key))?;
        for position in candidates {
            let read = log.read(shared.program, position, ReadLimit { records: 1, bytes: 0 })?;
            let stored = read.first().filter(|stored| stored.position == position.get());
            if let Some(stored) = stored
                && is_it(&read_record(stored)?)
            {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }

    /// The chunks among `firsts` that may hold a write dated on or before a day and before the day of its record.
    pub(crate) fn with_backdated(
        &self,
        log: &dyn EventLog,
        firsts: &[Position],
        day: CivilDate,
    ) -> Result<Vec<Position>, LedgerError> {
        let Some(shared) = &self.0 else { return Ok(Vec::new()) };
        shared.with(log, |known| {
            let earliest = |first: &Position| {
                let index = usize::try_from(first.get() / shared.pace.chunk).ok()?;
                known.earliest.get(index).copied().flatten()
            };
            firsts.iter().copied().filter(|first| earliest(first).is_some_and(|date| date <= day)).collect()
        })
    }

    /// Reads the keys now, so that nobody waits for it later, and notes a chunk that does not read.
    ///
    /// # Errors
    /// The store does not answer.
    pub(crate) fn warm(&self, log: &dyn EventLog) -> Result<(), LedgerError> {
        self.0.as_ref().map_or(Ok(()), |shared| shared.with(log, |_| ()))
    }

    /// Notes that a row of the caches was missing or did not read.
    pub(crate) fn found_damage(&self) {
        if let Some(shared) = &self.0 {
            shared.damaged.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a row of the caches was found missing or did not read.
    pub(crate) fn is_damaged(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| shared.damaged.load(Ordering::Relaxed))
    }

    /// The rows were made anew: what was read of them is read again.
    pub(crate) fn mended(&self) {
        if let Some(shared) = &self.0 {
            let mut held = shared.held.write().unwrap_or_else(PoisonError::into_inner);
            held.known = None;
            shared.damaged.store(false, Ordering::Relaxed);
        }
    }

    /// Takes in the next chunk that is on disk.
    pub(crate) fn extend(&self, first: Position, chunk: &v1::IndexChunk) {
        let Some(shared) = &self.0 else { return };
        let mut held = shared.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.upto.next() != first {
            return;
        }
        held.upto = shared.pace.last_of(first);
        if let (Some(known), Some(index)) =
            (&mut held.known, chunk::Index::read(chunk, first, shared.pace.chunk))
        {
            known.take(first, &index);
        }
    }
}

impl Shared {
    fn with<T>(&self, log: &dyn EventLog, ask: impl FnOnce(&Known) -> T) -> Result<T, LedgerError> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &held.known {
            return Ok(ask(known));
        }
        drop(held);
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.known.is_none() {
            held.known = Some(self.load(log, held.upto)?);
        }
        Ok(ask(held.known.get_or_insert_default()))
    }

    fn load(&self, log: &dyn EventLog, upto: Position) -> Result<Known, LedgerError> {
        let rows = forgiving(log.rows(self.program, RowKind::Index).map(Some))?.unwrap_or_default();
        let mut rows = rows.into_iter().peekable();
        let mut known = Known::default();
        let mut first = Position::new(1);
        while first <= upto {
            while rows.next_if(|(number, _)| *number < first.get()).is_some() {}
            let row = rows.next_if(|(number, _)| *number == first.get());
            let index = row.and_then(|(_, sealed)| {
                let chunk = v1::IndexChunk::decode(unseal(&sealed)?).ok()?;
                chunk::Index::read(&chunk, first, self.pace.chunk)
            });
            match index {
                Some(index) => known.take(first, &index),
                None => self.read_records(log, first, &mut known)?,
            }
            first = self.pace.last_of(first).next();
        }
        Ok(known)
    }

    /// The keys of a chunk that is missing, from its records.
    fn read_records(
        &self,
        log: &dyn EventLog,
        first: Position,
        known: &mut Known,
    ) -> Result<(), LedgerError> {
        tracing::warn!(program = %self.program, %first, "a chunk of the index is missing; its records are read");
        self.damaged.store(true, Ordering::Relaxed);
        let last = self.pace.last_of(first);
        crate::read::walk(log, self.program, first, last, |record| {
            known.table.insert(key_of(record.event_id), record.position.get());
            if record.body().is_none() {
                known.table.insert(key_in(&record.body_hash), record.position.get());
            }
        })?;
        // Nobody knows without the chunk, so that it is asked.
        known.earliest.push(Some(CivilDate::FIRST));
        Ok(())
    }
}

const SHARDS: usize = 256;
const POSITION_BITS: u32 = 40;

/// Keys and positions, eight bytes each, open addressing: many small tables, so that growing one is no pause.
#[derive(Debug, Default)]
struct Table(Vec<Shard>);

#[derive(Clone, Debug, Default)]
struct Shard {
    // The lower three bytes of the key, then the position; zero is free: no record is at zero.
    slots: Vec<u64>,
    used: usize,
}

impl Table {
    fn insert(&mut self, key: Key, position: u64) {
        if self.0.is_empty() {
            self.0 = vec![Shard::default(); SHARDS];
        }
        let [shard, ..] = key.to_be_bytes();
        self.0[usize::from(shard)].insert(u64::from(key & 0x00FF_FFFF), position);
    }

    /// The positions under a key, ascending where they were put in so.
    fn at(&self, key: Key) -> Vec<Position> {
        let [shard, ..] = key.to_be_bytes();
        let Some(shard) = self.0.get(usize::from(shard)) else { return Vec::new() };
        shard.at(u64::from(key & 0x00FF_FFFF))
    }
}

impl Shard {
    fn insert(&mut self, tag: u64, position: u64) {
        if self.used * 4 >= self.slots.len() * 3 {
            self.grow();
        }
        self.used += 1;
        self.put(tag << POSITION_BITS | position);
    }

    fn put(&mut self, slot: u64) {
        let mut at = self.home(slot >> POSITION_BITS);
        while self.slots[at] != 0 {
            at = (at + 1) % self.slots.len();
        }
        self.slots[at] = slot;
    }

    /// Tags are digests and so are spread evenly: their order is their place.
    fn home(&self, tag: u64) -> usize {
        let size = u64::try_from(self.slots.len()).unwrap_or(u64::MAX);
        usize::try_from((tag * size) >> 24).unwrap_or(0)
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 5 / 4).max(16);
        let mut old = std::mem::replace(&mut self.slots, vec![0; size]);
        old.retain(|slot| *slot != 0);
        // Of equal tags the earliest record is met first, as before.
        old.sort_unstable_by_key(|slot| slot & ((1 << POSITION_BITS) - 1));
        old.into_iter().for_each(|slot| self.put(slot));
    }

    fn at(&self, tag: u64) -> Vec<Position> {
        let mut found = Vec::new();
        if self.slots.is_empty() {
            return found;
        }
        let mut at = self.home(tag);
        while self.slots[at] != 0 {
            if self.slots[at] >> POSITION_BITS == tag {
                found.push(Position::new(self.slots[at] & ((1 << POSITION_BITS) - 1)));
            }
            at = (at + 1) % self.slots.len();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_and_its_earliest_record_first() {
        let mut table = Table::default();
        let key = |number: u64| key_in(&Digest::of(&number.to_be_bytes()));
        for number in 1..=50_000 {
            table.insert(key(number), number);
        }
        // One key that many records have, as somebody might bring about.
        (60_001..=60_500).for_each(|position| table.insert(key(7), position));
        for number in 1..=50_000 {
            assert!(table.at(key(number)).contains(&Position::new(number)), "{number}");
        }
        let crowd = table.at(key(7));
        assert_eq!(crowd.first(), Some(&Position::new(7)));
        assert!(crowd.is_sorted());
        let strangers = (100_000..200_000).filter(|number| !table.at(key(*number)).is_empty()).count();
        assert!(strangers < 20, "{strangers} strangers of 100 000 look like one of 50 000");
        let slots: usize = table.0.iter().map(|shard| shard.slots.len()).sum();
        assert!(slots * 8 <= 50_500 * 16, "{slots} slots");
    }

    #[test]
    fn an_empty_table_knows_of_nothing() {
        assert_eq!(Table::default().at(7), []);
        assert!(Far::default().event(&radslag_log::MemoryLog::new(), EventId::default()).unwrap().is_none());
    }
}

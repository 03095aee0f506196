//! What the caches need to know of each record, noted while it is folded and kept until it is written behind.

use std::collections::{BTreeMap, HashMap, VecDeque};

use radslag_core::digest::Digest;
use radslag_core::field::FieldKey;
use radslag_core::fold;
use radslag_core::id::{EntityId, EventId, Position};
use radslag_core::record::{Entry, Recorded};
use radslag_core::register::Write;
use radslag_core::state::State;
use radslag_core::time::CivilDate;
use radslag_core::verdict::Landing;

use super::Pace;
use super::shelf::Shelf;

/// What an event id or the hash of a body is found by: four bytes of SHA-256.
pub type Key = u32;

/// The key of an event.
pub fn key_of(event: EventId) -> Key {
    key_in(&Digest::of(event.bytes()))
}

/// The key of a body, by its hash.
pub fn key_in(digest: &Digest) -> Key {
    let [a, b, c, d, ..] = *digest.bytes();
    Key::from_be_bytes([a, b, c, d])
}

/// A write that applies from before the day of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backdated {
    /// The entity.
    pub entity: EntityId,
    /// The field.
    pub field: FieldKey,
    /// The day of its record.
    pub recorded_on: CivilDate,
    /// The write, with the class that it landed with.
    pub write: Write,
}

/// What is noted of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) key: Key,
    /// The key of the body, for a record that was rejected.
    pub(crate) declined: Option<Key>,
    pub(crate) landing: Landing,
    /// Each entity that it touches, with the last record before that does.
    pub(crate) touched: Vec<(EntityId, Position)>,
    pub(crate) backdated: Vec<Backdated>,
}

/// The back-dated writes of a record, as they will stand once `state`, which ends before it, has taken it in.
pub(crate) fn backdated(state: &State, record: &Recorded) -> Vec<Backdated> {
    let Entry::Accepted { body, facts } = &record.entry else { return Vec::new() };
    let date = body.effective_on.or(facts.applies_on);
    if date.is_none_or(|date| date >= facts.recorded_on) {
        return Vec::new();
    }
    let class = |entity, field: FieldKey| {
        let equal = facts.equal_to.iter().find(|(of, _)| *of == field).map(|(_, event)| *event)?;
        let register = state.register(entity, field)?;
        register.writes().iter().find(|write| write.event == equal).map(|write| write.class)
    };
    let chain_from = state.chain_from(body.device_id, body.device_seq);
    let mut found = Vec::new();
    for written in fold::field_writes(body) {
        let mut write = fold::write_of(record, body, facts, written.content, chain_from);
        write.class = class(written.entity, written.field).unwrap_or(write.class);
        let (entity, field) = (written.entity, written.field);
        found.push(Backdated { entity, field, recorded_on: facts.recorded_on, write });
    }
    found
}

/// Whole chunks that wait to be written, and what follows them.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    pub(crate) pace: Pace,
    /// Everything up to here is in chunks on disk.
    written: Position,
    /// The records after it.
    noted: VecDeque<Noted>,
    /// The last record that touches each entity.
    last: HashMap<EntityId, Position>,
    /// The folded states on disk, and the points to go on from.
    pub(crate) shelf: Shelf,
}

impl Journal {
    /// An empty one.
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, ..Self::default() }
    }

    /// Everything up to here is in chunks on disk.
    pub const fn written(&self) -> Position {
        self.written
    }

    /// The last record that was noted.
    fn head(&self) -> Position {
        Position::new(self.written.get() + u64::try_from(self.noted.len()).unwrap_or(u64::MAX))
    }

    /// Notes the next record.
    pub(crate) fn note(&mut self, record: &Recorded, landing: Landing, backdated: Vec<Backdated>) {
        let touched = record.body().map_or_else(Vec::new, fold::touched);
        let last = &mut self.last;
        let touch = |entity| (entity, last.insert(entity, record.position).unwrap_or_default());
        self.noted.push_back(Noted {
            key: key_of(record.event_id),
            declined: record.body().is_none().then(|| key_in(&record.body_hash)),
            landing,
            touched: touched.into_iter().map(touch).collect(),
            backdated,
        });
    }

    /// At most so many whole chunks that are not written yet, each with its first record.
    pub(crate) fn whole_chunks(&self, most: usize) -> Vec<(Position, Vec<Noted>)> {
        let size = usize::try_from(self.pace.chunk).unwrap_or(usize::MAX);
        let mut chunks = Vec::new();
        let (mut first, mut rest) = (self.written.next(), self.noted.iter());
        while chunks.len() < most && rest.len() >= size {
            chunks.push((first, rest.by_ref().take(size).cloned().collect()));
            first = self.pace.last_of(first).next();
        }
        chunks
    }

    /// Whether a whole chunk waits.
    pub(crate) fn has_whole_chunk(&self) -> bool {
        self.pace.whole_at(self.head()) > self.written
    }

    /// The records after the last chunk on disk.
    pub(crate) fn tail(&self) -> (Position, Vec<Noted>) {
        (self.written.next(), self.noted.iter().cloned().collect())
    }

    /// The last record that touches each entity, ascending by entity.
    pub(crate) fn last(&self) -> BTreeMap<EntityId, Position> {
        self.last.iter().map(|(entity, position)| (*entity, *position)).collect()
    }

    /// Chunks up to here are on disk.
    pub(crate) fn set_written(&mut self, upto: Position) {
        // Whoever comes second with the same chunks takes nothing back.
        if upto <= self.written {
            return;
        }
        let count = upto.get().saturating_sub(self.written.get());
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.noted.len());
        self.noted.drain(..count);
        self.written = upto;
    }

    /// Goes on from what a resume point holds.
    pub(crate) fn resumed(
        pace: Pace,
        written: Position,
        noted: Vec<Noted>,
        last: BTreeMap<EntityId, Position>,
        shelf: Shelf,
    ) -> Self {
        Self { pace, written, noted: noted.into(), last: last.into_iter().collect(), shelf }
    }

    /// The records after the last chunk on disk that touch an entity, ascending, and the last one before them.
    pub(crate) fn trail(&self, entity: EntityId) -> (Position, Vec<Position>) {
        let mut found = Vec::new();
        let mut before = None;
        let mut at = self.written;
        for noted in &self.noted {
            at = at.next();
            for (_, earlier) in noted.touched.iter().filter(|(touched, _)| *touched == entity) {
                before.get_or_insert(*earlier);
                found.push(at);
            }
        }
        let last = self.last.get(&entity).copied().unwrap_or_default();
        (before.unwrap_or(last), found)
    }

    /// The back-dated writes after `after` and up to `upto` that are in no chunk on disk.
    pub(crate) fn backdated_in_tail(&self, after: Position, upto: Position) -> Vec<Backdated> {
        let noted = self.noted.iter().flat_map(|noted| &noted.backdated);
        noted.filter(|one| one.write.position > after && one.write.position <= upto).cloned().collect()
    }

    /// The first records of the chunks on disk that hold records after `after` and up to `upto`.
    pub(crate) fn chunks_between(&self, after: Position, upto: Position) -> Vec<Position> {
        let (mut first, last) = (self.pace.first_of(after.next()), upto.min(self.written));
        let mut firsts = Vec::new();
        while first <= last {
            firsts.push(first);
            first = self.pace.last_of(first).next();
        }
        firsts
    }
}

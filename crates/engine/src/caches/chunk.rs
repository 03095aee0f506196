//! Chunks of the index, of the trails and of the back-dated writes as rows, each so many records; the same messages hold what
//! follows the last whole chunk in a resume point.

use prost::Message;
use radslag_core::fold;
use radslag_core::id::{EntityId, Position, ProgramId};
use radslag_core::record::Recorded;
use radslag_core::time::CivilDate;
use radslag_core::verdict::Landing;
use radslag_log::{EventLog, RowChange, RowKey, RowKind};
use radslag_proto::convert::snapshot::{decode_field_key, decode_write, encode_write};
use radslag_proto::log::v1;

use super::journal::{Backdated, Key, Noted, key_of};
use super::{FORMAT, Pace, forgiving, seal, unseal};
use crate::ledger::LedgerError;

/// The most bytes of one row: a chunk of events that each name many parties takes more than a commit may hold. The last piece of a
/// message is shorter, if need be empty.
const PIECE: usize = 128 << 10;
/// The number of a piece after the first has this bit: a position does not.
const AFTER_FIRST: u64 = 1 << 63;
/// The numbers that the pieces of one message may have.
const PIECE_BITS: u32 = 16;

pub(crate) fn row(program: ProgramId, kind: RowKind, first: Position) -> RowKey {
    RowKey { program, kind, number: first.get() }
}

fn piece(program: ProgramId, kind: RowKind, first: Position, piece: u64) -> RowKey {
    let number = if piece == 0 { first.get() } else { AFTER_FIRST | first.get() << PIECE_BITS | piece };
    RowKey { program, kind, number }
}

/// The rows of one whole chunk.
pub(crate) fn rows(program: ProgramId, first: Position, noted: &[Noted]) -> Vec<RowChange> {
    let index = seal(&encode_index(first, noted).encode_to_vec());
    let mut rows = vec![RowChange::Put(row(program, RowKind::Index, first), index)];
    put_in_pieces(program, RowKind::Trail, first, &encode_trail(first, noted), &mut rows);
    let backdated = encode_backdated(first, noted);
    if !backdated.writes.is_empty() {
        put_in_pieces(program, RowKind::Backdated, first, &backdated, &mut rows);
    }
    rows
}

fn put_in_pieces(
    program: ProgramId,
    kind: RowKind,
    first: Position,
    message: &impl Message,
    rows: &mut Vec<RowChange>,
) {
    let sealed = seal(&message.encode_to_vec());
    let ends_with_a_whole_one = sealed.len().is_multiple_of(PIECE).then_some([].as_slice());
    let pieces = (0..).zip(sealed.chunks(PIECE).chain(ends_with_a_whole_one));
    rows.extend(
        pieces.map(|(number, bytes)| RowChange::Put(piece(program, kind, first, number), bytes.to_vec())),
    );
}

fn offset(index: usize) -> u32 {
    u32::try_from(index).expect("a chunk has far fewer records")
}

fn offsets(noted: &[Noted], which: impl Fn(&Noted) -> bool) -> Vec<u32> {
    noted.iter().enumerate().filter(|(_, one)| which(one)).map(|(index, _)| offset(index)).collect()
}

pub(crate) fn encode_index(first: Position, noted: &[Noted]) -> v1::IndexChunk {
    let dates = noted.iter().flat_map(|one| &one.backdated).map(|one| one.write.date.days());
    v1::IndexChunk {
        format: FORMAT,
        first: first.get(),
        count: offset(noted.len()),
        keys: noted.iter().flat_map(|one| one.key.to_be_bytes()).collect(),
        declined: offsets(noted, |one| one.declined.is_some()),
        declined_keys: noted.iter().filter_map(|one| one.declined).flat_map(Key::to_be_bytes).collect(),
        conflicting: offsets(noted, |one| one.landing == Landing::OpenedConflict),
        to_retired: offsets(noted, |one| one.landing == Landing::AppliedToRetired),
        earliest: dates.min(),
    }
}

pub(crate) fn encode_trail(first: Position, noted: &[Noted]) -> v1::Trail {
    let mut trail =
        v1::Trail { format: FORMAT, first: first.get(), count: offset(noted.len()), ..v1::Trail::default() };
    for (index, one) in noted.iter().enumerate() {
        let at = first.get() + u64::from(offset(index));
        let back = |before: &Position| if *before == Position::ZERO { 0 } else { at - before.get() };
        trail.back.extend(one.touched.iter().map(|(_, before)| back(before)));
        if one.touched.len() != 1 {
            trail.others.push(offset(index));
            trail.touched.push(offset(one.touched.len()));
        }
    }
    trail
}

pub(crate) fn encode_backdated(first: Position, noted: &[Noted]) -> v1::BackdatedChunk {
    let write = |one: &Backdated| v1::BackdatedWrite {
        entity_id: one.entity.bytes().to_vec(),
        field: one.field.number().into(),
        party_id: if one.field.qualifier().is_zero() {
            Vec::new()
        } else {
            one.field.qualifier().bytes().to_vec()
        },
        recorded_on: one.recorded_on.days(),
        write: Some(encode_write(&one.write)),
    };
    v1::BackdatedChunk {
        format: FORMAT,
        first: first.get(),
        count: offset(noted.len()),
        writes: noted.iter().flat_map(|one| &one.backdated).map(write).collect(),
    }
}

/// A chunk of the index, read.
pub(crate) struct Index {
    pub(crate) keys: Vec<Key>,
    pub(crate) declined: Vec<(u64, Key)>,
    conflicting: Vec<u32>,
    to_retired: Vec<u32>,
    pub(crate) earliest: Option<CivilDate>,
}

impl Index {
    /// Reads it; none where it is not the chunk of these records.
    pub(crate) fn read(chunk: &v1::IndexChunk, first: Position, count: u64) -> Option<Self> {
        let fits = chunk.format == FORMAT && chunk.first == first.get() && u64::from(chunk.count) == count;
        let (keys, []) = chunk.keys.as_chunks::<4>() else { return None };
        let (declined, []) = chunk.declined_keys.as_chunks::<4>() else { return None };
        let within = |offsets: &[u32]| {
            offsets.windows(2).all(|pair| pair[0] < pair[1])
                && offsets.last().is_none_or(|last| u64::from(*last) < count)
        };
        let sound = u64::try_from(keys.len()) == Ok(count) && declined.len() == chunk.declined.len();
        let ordered = within(&chunk.declined) && within(&chunk.conflicting) && within(&chunk.to_retired);
        if !(fits && sound && ordered) {
            return None;
        }
        let earliest = chunk.earliest.map(CivilDate::from_days);
        if earliest == Some(None) {
            return None;
        }
        let offsets = chunk.declined.iter().copied().map(u64::from);
        Some(Self {
            keys: keys.iter().map(|key| Key::from_be_bytes(*key)).collect(),
            declined: offsets.zip(declined.iter().map(|key| Key::from_be_bytes(*key))).collect(),
            conflicting: chunk.conflicting.clone(),
            to_retired: chunk.to_retired.clone(),
            earliest: earliest.flatten(),
        })
    }

    /// What landing meant for the record at an offset.
    pub(crate) fn landing(&self, offset: u64) -> Landing {
        let holds =
            |offsets: &[u32]| u32::try_from(offset).is_ok_and(|at| offsets.binary_search(&at).is_ok());
        if holds(&self.conflicting) {
            Landing::OpenedConflict
        } else if holds(&self.to_retired) {
            Landing::AppliedToRetired
        } else {
            Landing::Clean
        }
    }
}

/// Reads what is sealed about a chunk as a message; none where it is missing or does not read.
fn message<M: Message + Default>(
    log: &dyn EventLog,
    program: ProgramId,
    kind: RowKind,
    first: Position,
) -> Result<Option<M>, LedgerError> {
    let mut sealed = Vec::new();
    for number in 0..1 << PIECE_BITS {
        let Some(bytes) = forgiving(log.row(piece(program, kind, first, number)))? else { break };
        let last = bytes.len() != PIECE;
        sealed.extend(bytes);
        if last {
            break;
        }
    }
    Ok(unseal(&sealed).and_then(|bytes| M::decode(bytes).ok()))
}

/// The chunk of the index that begins at a record; none where it is missing or does not read.
pub(crate) fn index(
    log: &dyn EventLog,
    program: ProgramId,
    pace: Pace,
    first: Position,
) -> Result<Option<Index>, LedgerError> {
    let chunk: Option<v1::IndexChunk> = message(log, program, RowKind::Index, first)?;
    Ok(chunk.and_then(|chunk| Index::read(&chunk, first, pace.chunk)))
}

/// A trail, read.
pub(crate) struct Trail {
    first: Position,
    back: Vec<u64>,
    /// The records that do not touch exactly one entity, with how many they touch.
    others: Vec<(u64, usize)>,
}

impl Trail {
    /// Reads it; none where it is not that of these records.
    pub(crate) fn read(trail: v1::Trail, first: Position, count: u64) -> Option<Self> {
        let fits = trail.format == FORMAT && trail.first == first.get() && u64::from(trail.count) == count;
        let ascends = trail.others.windows(2).all(|pair| pair[0] < pair[1]);
        let within = trail.others.last().is_none_or(|last| u64::from(*last) < count);
        let others = trail.others.iter().copied().map(u64::from);
        let touched = trail.touched.iter().map(|touched| usize::try_from(*touched).unwrap_or(usize::MAX));
        let sound = fits && ascends && within && trail.others.len() == trail.touched.len();
        let read = Self { first, back: trail.back, others: others.zip(touched).collect() };
        let end = sound.then(|| read.index_of(first.get() + count))??;
        (end == read.back.len()).then_some(read)
    }

    /// Where the entities of a record begin among all of the chunk.
    fn index_of(&self, at: u64) -> Option<usize> {
        let offset = at.checked_sub(self.first.get())?;
        let mut index = usize::try_from(offset).ok()?;
        for (_, touched) in self.others.iter().take_while(|(other, _)| *other < offset) {
            index = index.checked_add(*touched)?.checked_sub(1)?;
        }
        Some(index)
    }

    /// How many entities a record touches.
    pub(crate) fn touched(&self, at: Position) -> usize {
        let offset = at.get() - self.first.get();
        let found = self.others.binary_search_by_key(&offset, |(other, _)| *other);
        found.map_or(1, |found| self.others[found].1)
    }

    /// The last record before `at` that touches the entity that it touches in a place; zero for none.
    pub(crate) fn before(&self, at: Position, place: usize) -> Option<Position> {
        let back = *self.back.get(self.index_of(at.get())?.checked_add(place)?)?;
        if back == 0 {
            Some(Position::ZERO)
        } else {
            at.get().checked_sub(back).filter(|at| *at > 0).map(Position::new)
        }
    }
}

/// The trail of the chunk that begins at a record; none where it is missing or does not read.
pub(crate) fn trail(
    log: &dyn EventLog,
    program: ProgramId,
    pace: Pace,
    first: Position,
) -> Result<Option<Trail>, LedgerError> {
    let trail: Option<v1::Trail> = message(log, program, RowKind::Trail, first)?;
    Ok(trail.and_then(|trail| Trail::read(trail, first, pace.chunk)))
}

/// The back-dated writes of the chunk that begins at a record; none where they are missing or do not read.
pub(crate) fn backdated(
    log: &dyn EventLog,
    program: ProgramId,
    first: Position,
) -> Result<Option<Vec<Backdated>>, LedgerError> {
    let chunk: Option<v1::BackdatedChunk> = message(log, program, RowKind::Backdated, first)?;
    Ok(chunk.and_then(|chunk| read_backdated(&chunk, first)))
}

/// The back-dated writes of a chunk; none where they do not read.
pub(crate) fn read_backdated(chunk: &v1::BackdatedChunk, first: Position) -> Option<Vec<Backdated>> {
    if chunk.format != FORMAT || chunk.first != first.get() {
        return None;
    }
    let read = |one: &v1::BackdatedWrite| {
        Some(Backdated {
            entity: EntityId::from_slice(&one.entity_id)?,
            field: decode_field_key(one.field, &one.party_id).ok()?,
            recorded_on: CivilDate::from_days(one.recorded_on)?,
            write: decode_write(one.write.as_ref()?).ok()?,
        })
    };
    chunk.writes.iter().map(read).collect()
}

/// What was noted of records, from three messages about them and the records themselves; none where they do not belong together.
pub(crate) fn read_noted(
    index: &v1::IndexChunk,
    trail: &v1::Trail,
    backdated: &v1::BackdatedChunk,
    records: &[Recorded],
    first: Position,
) -> Option<Vec<Noted>> {
    let count = u64::from(index.count);
    let index = Index::read(index, first, count)?;
    let trail = Trail::read(trail.clone(), first, count)?;
    if u64::try_from(records.len()) != Ok(count) || u64::from(backdated.count) != count {
        return None;
    }
    let mut noted: Vec<Noted> = Vec::with_capacity(records.len());
    for (offset, (key, record)) in (0..).zip(index.keys.iter().zip(records)) {
        let entities = record.body().map_or_else(Vec::new, fold::touched);
        if *key != key_of(record.event_id) || entities.len() != trail.touched(record.position) {
            return None;
        }
        let before = |(place, entity)| Some((entity, trail.before(record.position, place)?));
        let touched: Option<Vec<_>> = entities.into_iter().enumerate().map(before).collect();
        let (landing, touched) = (index.landing(offset), touched?);
        noted.push(Noted { key: *key, declined: None, landing, touched, backdated: Vec::new() });
    }
    for (offset, key) in &index.declined {
        noted.get_mut(usize::try_from(*offset).ok()?)?.declined = Some(*key);
    }
    for one in read_backdated(backdated, first)? {
        let offset = one.write.position.get().checked_sub(first.get())?;
        noted.get_mut(usize::try_from(offset).ok()?)?.backdated.push(one);
    }
    Some(noted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use radslag_log::{Commit, MAX_COMMIT_BYTES, MemoryLog};

    #[test]
    fn a_message_of_any_length_comes_back_from_rows_that_a_commit_holds() {
        let (program, first) = (ProgramId::default(), Position::new(1_001));
        let sum = seal(&[]).len();
        for length in [1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, MAX_COMMIT_BYTES, 5 * PIECE] {
            // The message is as long as that with its seal; the tag and the length of the one field take four bytes at most.
            let trail = |keys: usize| v1::Trail { back: vec![1; keys], ..v1::Trail::default() };
            let overhead = trail(length).encoded_len() - length;
            let written = trail(length.saturating_sub(sum + overhead).max(1));
            let (log, mut rows) = (MemoryLog::new(), Vec::new());
            put_in_pieces(program, RowKind::Trail, first, &written, &mut rows);
            for row in rows {
                log.commit(Commit { appends: Vec::new(), rows: vec![row] }).unwrap();
            }
            let read: Option<v1::Trail> = message(&log, program, RowKind::Trail, first).unwrap();
            assert_eq!(read, Some(written), "{length}");
        }
    }

    #[test]
    fn a_message_that_lacks_a_piece_is_not_there() {
        let (program, first) = (ProgramId::default(), Position::new(1));
        let written = v1::Trail { back: vec![1; 3 * PIECE], ..v1::Trail::default() };
        let mut rows = Vec::new();
        put_in_pieces(program, RowKind::Trail, first, &written, &mut rows);
        assert_eq!(rows.len(), 4);
        for missing in 0..rows.len() {
            let log = MemoryLog::new();
            for (_, row) in rows.iter().enumerate().filter(|(number, _)| *number != missing) {
                log.commit(Commit { appends: Vec::new(), rows: vec![row.clone()] }).unwrap();
            }
            let read: Option<v1::Trail> = message(&log, program, RowKind::Trail, first).unwrap();
            assert_eq!(read, None, "without piece {missing}");
        }
    }
}

//! Chunks of the index, of the trails and of the back-dated writes as rows, each so many records; the same messages hold what
//! follows the last whole chunk in a resume point.

use std::collections::BTreeMap;

use prost::Message;
use radslag_core::id::{EntityId, Position, ProgramId};
use radslag_core::time::CivilDate;
use radslag_core::verdict::Landing;
use radslag_log::{EventLog, RowChange, RowKey, RowKind};
use radslag_proto::convert::snapshot::{decode_field_key, decode_write, encode_write};
use radslag_proto::log::v1;

use super::journal::{Backdated, Key, Noted};
use super::{FORMAT, Pace, forgiving, seal, unseal};
use crate::ledger::LedgerError;

pub(crate) fn row(program: ProgramId, kind: RowKind, first: Position) -> RowKey {
    RowKey { program, kind, number: first.get() }
}

/// The rows of one whole chunk.
pub(crate) fn rows(program: ProgramId, first: Position, noted: &[Noted]) -> Vec<RowChange> {
    let put = |kind, bytes: Vec<u8>| RowChange::Put(row(program, kind, first), seal(&bytes));
    let mut rows = vec![
        put(RowKind::Index, encode_index(first, noted).encode_to_vec()),
        put(RowKind::Trail, encode_trail(first, noted).encode_to_vec()),
    ];
    let backdated = encode_backdated(first, noted);
    if !backdated.writes.is_empty() {
        rows.push(put(RowKind::Backdated, backdated.encode_to_vec()));
    }
    rows
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
    let mut entities: BTreeMap<EntityId, (Position, Vec<u32>)> = BTreeMap::new();
    for (index, one) in noted.iter().enumerate() {
        for (entity, before) in &one.touched {
            entities.entry(*entity).or_insert((*before, Vec::new())).1.push(offset(index));
        }
    }
    let entity = |(entity, (before, offsets)): (EntityId, (Position, Vec<u32>))| v1::TrailEntity {
        entity_id: entity.bytes().to_vec(),
        before: before.get(),
        offsets,
    };
    v1::Trail {
        format: FORMAT,
        first: first.get(),
        count: offset(noted.len()),
        entities: entities.into_iter().map(entity).collect(),
    }
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
        let holds = |offsets: &[u32]| u32::try_from(offset).is_ok_and(|at| offsets.binary_search(&at).is_ok());
        if holds(&self.conflicting) {
            Landing::OpenedConflict
        } else if holds(&self.to_retired) {
            Landing::AppliedToRetired
        } else {
            Landing::Clean
        }
    }
}

/// Reads a sealed row as a message; none where it is missing or does not read.
pub(crate) fn message<M: Message + Default>(
    log: &dyn EventLog,
    key: RowKey,
) -> Result<Option<M>, LedgerError> {
    let Some(sealed) = forgiving(log.row(key))? else { return Ok(None) };
    Ok(unseal(&sealed).and_then(|bytes| M::decode(bytes).ok()))
}

/// The chunk of the index that begins at a record; none where it is missing or does not read.
pub(crate) fn index(
    log: &dyn EventLog,
    program: ProgramId,
    pace: Pace,
    first: Position,
) -> Result<Option<Index>, LedgerError> {
    let chunk: Option<v1::IndexChunk> = message(log, row(program, RowKind::Index, first))?;
    Ok(chunk.and_then(|chunk| Index::read(&chunk, first, pace.chunk)))
}

/// The records of a chunk that touch one entity, ascending, and the last one before the chunk; none where the chunk is missing,
/// does not read, or has none.
pub(crate) fn trail_of(
    log: &dyn EventLog,
    program: ProgramId,
    pace: Pace,
    first: Position,
    entity: EntityId,
) -> Result<Option<(Position, Vec<Position>)>, LedgerError> {
    let trail: Option<v1::Trail> = message(log, row(program, RowKind::Trail, first))?;
    let Some(trail) = trail.filter(|trail| {
        trail.format == FORMAT && trail.first == first.get() && u64::from(trail.count) == pace.chunk
    }) else {
        return Ok(None);
    };
    let found = trail.entities.iter().find(|one| one.entity_id == entity.bytes());
    let at = |offset: &u32| Position::new(first.get() + u64::from(*offset));
    Ok(found.filter(|found| found.before < first.get()).map(|found| {
        (Position::new(found.before), found.offsets.iter().map(at).collect())
    }))
}

/// The back-dated writes of the chunk that begins at a record; none where they are missing or do not read.
pub(crate) fn backdated(
    log: &dyn EventLog,
    program: ProgramId,
    first: Position,
) -> Result<Option<Vec<Backdated>>, LedgerError> {
    let chunk: Option<v1::BackdatedChunk> = message(log, row(program, RowKind::Backdated, first))?;
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

/// What was noted of the records that three messages are about; none where they do not belong together.
pub(crate) fn read_noted(
    index: &v1::IndexChunk,
    trail: &v1::Trail,
    backdated: &v1::BackdatedChunk,
    first: Position,
) -> Option<Vec<Noted>> {
    let count = index.count;
    let read = Index::read(index, first, u64::from(count))?;
    if trail.format != FORMAT || trail.first != first.get() || trail.count != count || backdated.count != count {
        return None;
    }
    let mut noted: Vec<Noted> = Vec::with_capacity(read.keys.len());
    for (offset, key) in (0..).zip(&read.keys) {
        let landing = read.landing(offset);
        noted.push(Noted { key: *key, declined: None, landing, touched: Vec::new(), backdated: Vec::new() });
    }
    for (offset, key) in &read.declined {
        noted.get_mut(usize::try_from(*offset).ok()?)?.declined = Some(*key);
    }
    for one in &trail.entities {
        let entity = EntityId::from_slice(&one.entity_id)?;
        let mut before = Position::new(one.before);
        for offset in &one.offsets {
            noted.get_mut(usize::try_from(*offset).ok()?)?.touched.push((entity, before));
            before = Position::new(first.get() + u64::from(*offset));
        }
    }
    for one in read_backdated(backdated, first)? {
        let offset = one.write.position.get().checked_sub(first.get())?;
        noted.get_mut(usize::try_from(offset).ok()?)?.backdated.push(one);
    }
    Some(noted)
}

//! A point that opening goes on from: everything of a programme in memory that the folded state of the same position does not hold.

use std::collections::BTreeMap;

use prost::Message as _;
use radslag_core::digest::Digest;
use radslag_core::id::{EntityId, Position};
use radslag_log::{EventLog, RowKind};
use radslag_proto::log::v1;
use radslag_sync::fence::Fences;
use radslag_trust::merkle::Frontier;

use super::chunk::{encode_backdated, encode_index, encode_trail, read_noted};
use super::far::Far;
use super::journal::{Journal, Noted};
use super::shelf::{self, Kept, Shelf};
use super::{FORMAT, Pace};
use crate::ledger::{Ledger, LedgerError};
use crate::past::places;
use crate::read::walk;
use crate::snapshot::{decode_fences, encode_fence};
use radslag_core::record::Recorded;
use radslag_core::verdict::Landing;

/// What a ledger holds at its head, to be written without it.
pub(crate) struct Resume {
    position: Position,
    state_hash: Digest,
    fences: Fences,
    frontier: Frontier,
    first: Position,
    noted: Vec<Noted>,
    last: BTreeMap<EntityId, Position>,
}

impl Resume {
    /// Of a ledger that notes what it takes in; none of another.
    pub(crate) fn of(ledger: &Ledger) -> Option<Self> {
        let journal = ledger.journal.as_ref()?;
        let (first, noted) = journal.tail();
        Some(Self {
            position: ledger.state.head(),
            state_hash: Digest::ZERO,
            fences: ledger.fences.clone(),
            frontier: ledger.frontier.clone(),
            first,
            noted,
            last: journal.last(),
        })
    }

    /// Keeps it in a slot.
    pub(crate) fn put(
        mut self,
        log: &dyn EventLog,
        state: &radslag_core::state::State,
        slot: u64,
    ) -> Result<Option<Kept>, LedgerError> {
        self.state_hash = state.hash();
        let bytes = self.encode();
        shelf::put(log, state.program_id(), RowKind::Resume, slot, self.position, &bytes)
    }

    fn encode(&self) -> Vec<u8> {
        let last = |(entity, position): (&EntityId, &Position)| v1::EntityLast {
            entity_id: entity.bytes().to_vec(),
            position: position.get(),
        };
        let message = v1::ResumePoint {
            format: FORMAT,
            position: self.position.get(),
            frontier: self.frontier.hashes().iter().map(|hash| hash.bytes().to_vec()).collect(),
            fences: self.fences.iter().map(|(device, fence)| encode_fence(device, fence)).collect(),
            index: Some(encode_index(self.first, &self.noted)),
            trail: Some(encode_trail(self.first, &self.noted)),
            backdated: Some(encode_backdated(self.first, &self.noted)),
            last: self.last.iter().map(last).collect(),
            state_hash: self.state_hash.bytes().to_vec(),
        };
        message.encode_to_vec()
    }
}

/// The ledger at a resume point; none where the point or the state of its position does not read.
pub(crate) fn ledger_at(
    log: &dyn EventLog,
    program: radslag_core::id::ProgramId,
    pace: Pace,
    shelf: &Shelf,
    kept: &Kept,
) -> Result<Option<Ledger>, LedgerError> {
    let Some(state) = shelf.states.get(&kept.position) else { return Ok(None) };
    let Some(state) = shelf::take_state(log, program, state)? else { return Ok(None) };
    let Some(bytes) = shelf::take(log, program, RowKind::Resume, kept)? else { return Ok(None) };
    let Ok(message) = v1::ResumePoint::decode(bytes.as_slice()) else { return Ok(None) };
    if message.format != FORMAT
        || message.position != state.head().get()
        || message.state_hash != state.hash().bytes()
    {
        return Ok(None);
    }
    let Some(index) = &message.index else { return Ok(None) };
    let mut waiting = Vec::new();
    walk(log, program, Position::new(index.first), kept.position, |record| waiting.push(record))?;
    Ok(put_together(&message, pace, state, shelf, &waiting))
}

fn put_together(
    message: &v1::ResumePoint,
    pace: Pace,
    state: radslag_core::state::State,
    shelf: &Shelf,
    waiting: &[Recorded],
) -> Option<Ledger> {
    let hashes: Option<Vec<Digest>> = message.frontier.iter().map(|hash| Digest::from_slice(hash)).collect();
    let (index, trail) = (message.index.as_ref()?, message.trail.as_ref()?);
    let written = Position::new(index.first).previous();
    // What waits is less than the chunks that were whole when the point was kept; the rest is on disk.
    let ends = written.get() + u64::from(index.count);
    if !written.get().is_multiple_of(pace.chunk)
        || ends != message.position
        || written > pace.whole_at(state.head())
    {
        return None;
    }
    let noted = read_noted(index, trail, message.backdated.as_ref()?, waiting, written.next())?;
    let mut last = BTreeMap::new();
    for one in &message.last {
        last.insert(EntityId::from_slice(&one.entity_id)?, Position::new(one.position));
    }
    let mut ledger = Ledger::new(state.program_id());
    ledger.fences = decode_fences(&message.fences).ok()?;
    ledger.frontier = Frontier::from_parts(message.position, hashes?).ok()?;
    ledger.index = places(&state);
    ledger.far = Far::new(state.program_id(), pace, written);
    for (at, noted) in (written.next().get()..).zip(&noted) {
        if matches!(noted.landing, Landing::OpenedConflict | Landing::AppliedToRetired) {
            ledger.unclean.insert(Position::new(at), noted.landing);
        }
    }
    waiting.iter().for_each(|record| ledger.remember(record));
    ledger.state = state;
    ledger.journal = Some(Box::new(Journal::resumed(pace, written, noted, last, shelf.clone())));
    Some(ledger)
}

//! The changes of one entity, at a cost that goes by how many there are and not by the length of the log.

use std::collections::BTreeSet;

use prost::Message as _;
use radslag_core::fold;
use radslag_core::history::{self, FieldChange, Told};
use radslag_core::id::{EntityId, Position, ProgramId};
use radslag_core::record::Recorded;
use radslag_core::state::{Keep, State};
use radslag_log::{EncodedRecords, EventLog};
use radslag_proto::log::v1;

use crate::as_of::{Look, record_at, state_at};
use crate::caches::chunk;
use crate::ledger::{LedgerError, forged, read_record};
use crate::past::is_close;
use crate::read::walk;

/// Records of one entity up to so many are folded from its first; further on the nearest folded state is cheaper.
const FROM_THE_FIRST: usize = 256;

/// The records up to `upto` that touch an entity, ascending.
///
/// # Errors
/// The store does not answer.
pub fn records_of(
    log: &dyn EventLog,
    ledger: &impl Look,
    entity: EntityId,
    upto: Position,
) -> Result<Vec<Position>, LedgerError> {
    let (program, tail) = ledger.look(|ledger| {
        let tail = ledger.journal.as_ref().map(|journal| (journal.pace, journal.trail(entity)));
        (ledger.state.program_id(), tail)
    });
    let Some((pace, (mut next, mut tail))) = tail else { return walked(log, program, entity, upto) };
    let mut back = Vec::new();
    let mut held: Option<(Position, chunk::Trail)> = None;
    while next > Position::ZERO {
        let first = pace.first_of(next);
        if held.as_ref().is_none_or(|(of, _)| *of != first) {
            held = chunk::trail(log, program, pace, first)?.map(|trail| (first, trail));
        }
        let before = match &held {
            Some((_, trail)) => before(log, program, entity, trail, next)?,
            None => None,
        };
        let Some(before) = before else {
            ledger.look(|ledger| ledger.far.found_damage());
            tracing::warn!(%program, %entity, up_to = %next, "a trail is missing; the log is walked");
            back.extend(walked(log, program, entity, next)?.into_iter().rev());
            break;
        };
        back.push(next);
        next = before;
    }
    back.reverse();
    back.append(&mut tail);
    back.retain(|at| *at <= upto);
    Ok(back)
}

/// The last record before `at` that touches an entity that `at` touches; none where the trail does not say.
fn before(
    log: &dyn EventLog,
    program: ProgramId,
    entity: EntityId,
    trail: &chunk::Trail,
    at: Position,
) -> Result<Option<Position>, LedgerError> {
    let place = match trail.touched(at) {
        1 => Some(0),
        _ => {
            let record = record_at(log, program, at)?;
            record.body().and_then(|body| fold::touched(body).iter().position(|touched| *touched == entity))
        }
    };
    Ok(place.and_then(|place| trail.before(at, place)).filter(|before| *before < at))
}

fn walked(
    log: &dyn EventLog,
    program: ProgramId,
    entity: EntityId,
    upto: Position,
) -> Result<Vec<Position>, LedgerError> {
    let mut found = Vec::new();
    walk(log, program, Position::new(1), upto, |record| {
        if record.body().is_some_and(|body| fold::touched(body).contains(&entity)) {
            found.push(record.position);
        }
    })?;
    Ok(found)
}

/// Where a page of changes begins: after so many changes of the record at a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct After {
    /// The record.
    pub position: Position,
    /// How many of its changes have been given.
    pub changes: usize,
}

/// The changes of an entity by records up to `upto`, oldest first, told for the day that `told` says: at most `most` of
/// them, each with the place after it.
///
/// # Errors
/// The store does not answer.
pub fn changes_of(
    log: &dyn EventLog,
    ledger: &impl Look,
    entity: EntityId,
    told: Told,
    upto: Position,
    after: After,
    most: usize,
) -> Result<Vec<(FieldChange, After)>, LedgerError> {
    let program = ledger.look(|ledger| ledger.state.program_id());
    let touching = records_of(log, ledger, entity, upto)?;
    let given = touching.partition_point(|at| *at < after.position);
    let (mut state, first) = match touching.get(given) {
        // One of the others needs every write that there ever was.
        Some(next) if given > FROM_THE_FIRST && told == Told::AsRecorded => {
            (state_at(log, ledger, next.previous())?, given)
        }
        _ if told == Told::AsRecorded => (State::new(program, Keep::Sides), 0),
        _ => (State::new(program, Keep::Everything), 0),
    };
    ledger.look(|ledger| state.take_chains(&ledger.state));
    let held = state.head();
    let mut steps: BTreeSet<Position> = touching[first..].iter().copied().collect();
    steps.extend(openings(ledger).into_iter().filter(|at| *at > held && *at <= upto));
    let mut found = Vec::new();
    let mut records = Records::new(log, program, steps.into_iter().collect());
    while let Some(record) = records.next()? {
        state.skip_to(record.position.previous());
        let changes = history::step_told(&mut state, &record, told);
        let changes = changes.into_iter().filter(|change| change.entity == entity);
        for (given, change) in (1..).zip(changes) {
            let place = After { position: record.position, changes: given };
            let before = record.position < after.position
                || (record.position == after.position && given <= after.changes);
            if !before {
                found.push((change, place));
            }
            if found.len() >= most {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

/// One entity with every write it ever had, up to a record: for what was covered long ago. Of others it says nothing.
///
/// # Errors
/// The store does not answer.
pub fn everything_of(
    log: &dyn EventLog,
    ledger: &impl Look,
    entity: EntityId,
    upto: Position,
) -> Result<State, LedgerError> {
    let program = ledger.look(|ledger| ledger.state.program_id());
    let mut steps: BTreeSet<Position> = records_of(log, ledger, entity, upto)?.into_iter().collect();
    steps.extend(openings(ledger).into_iter().filter(|at| *at <= upto));
    let mut state = State::new(program, Keep::Everything);
    ledger.look(|ledger| state.take_chains(&ledger.state));
    let mut records = Records::new(log, program, steps.into_iter().collect());
    while let Some(record) = records.next()? {
        state.skip_to(record.position.previous());
        state.apply(&record);
    }
    Ok(state)
}

/// The records that opened an epoch: what they say holds for every entity.
fn openings(ledger: &impl Look) -> Vec<Position> {
    ledger.look(|ledger| ledger.state.epochs().iter().map(|epoch| epoch.cut.next()).collect())
}

/// Some records in order. Those that lie close together are walked to, and what lies between is not looked into; one that stands alone is
/// read alone.
struct Records<'a> {
    log: &'a dyn EventLog,
    program: ProgramId,
    wanted: std::vec::IntoIter<Position>,
    walk: Option<(Position, EncodedRecords<'a>)>,
}

impl<'a> Records<'a> {
    fn new(log: &'a dyn EventLog, program: ProgramId, wanted: Vec<Position>) -> Self {
        Self { log, program, wanted: wanted.into_iter(), walk: None }
    }

    fn next(&mut self) -> Result<Option<Recorded>, LedgerError> {
        let Some(at) = self.wanted.next() else { return Ok(None) };
        let alone = || record_at(self.log, self.program, at).map(Some);
        let next_is_close = self.wanted.as_slice().first().is_some_and(|next| is_close(at, *next));
        let mut walk = match self.walk.take().filter(|(last, _)| is_close(*last, at)) {
            Some((_, walk)) => walk,
            None if next_is_close => self.log.encoded_from(self.program, at)?,
            None => return alone(),
        };
        let found = walk.find(|record| record.as_ref().map_or(true, |record| record.position == at));
        let Some(Ok(found)) = found else {
            // Something on the way does not read, or something beside the record: it may be whole all the same.
            return alone();
        };
        self.walk = Some((at, walk));
        let record = v1::Record::decode(&found.record[..]);
        read_record(&record.map_err(|_| forged(at, "the record does not decode"))?).map(Some)
    }
}

//! Reading: a programme at any point of both clocks, and the records behind it.

use std::collections::HashMap;
use std::sync::Arc;

use radslag_core::as_of::{self, AsOf, Mark};
use radslag_core::id::{EventId, Position, ProgramId};
use radslag_core::judge::Past;
use radslag_core::record::Recorded;
use radslag_core::state::{Keep, State};
use radslag_core::time::CivilDate;
use radslag_core::value::{ValueRef, Values};
use radslag_log::{EventLog, ReadLimit};
use radslag_proto::log::v1;

use crate::caches::lookup::place_of;
use crate::engine::{Engine, EngineError, Programme};
use crate::ledger::{LedgerError, read_record};
use crate::past::{Index, accepted_at, places, said, value_at, values_of};

const PAGE: ReadLimit = ReadLimit { records: 2_000, bytes: 1 << 20 };

/// A programme at a point.
pub struct Reading {
    /// The state there.
    pub state: State,
    /// The day that values are shown for; none before the first record.
    pub day: Option<CivilDate>,
}

/// The values and records of a published programme.
pub struct PublishedPast {
    /// The store.
    pub log: Arc<dyn EventLog>,
    /// The programme.
    pub programme: Arc<Programme>,
    /// Where events stand that a reading refers to, so that none of them is searched for.
    places: Index,
    /// The values of records that were read together.
    held: HashMap<Position, Vec<v1::Value>>,
}

impl PublishedPast {
    fn place(&self, event: EventId) -> Option<Position> {
        if let Some(position) = self.places.get(&event) {
            return Some(*position);
        }
        said(event, place_of(self.log.as_ref(), self.programme.as_ref(), event))
    }
}

impl Values for PublishedPast {
    fn bytes(&self, at: ValueRef) -> Option<Vec<u8>> {
        let position = self.place(at.event)?;
        if let Some(values) = self.held.get(&position) {
            let value = values.iter().find(|value| value.slot == u32::from(at.slot.get()));
            return value.map(|value| value.bytes.clone());
        }
        value_at(self.log.as_ref(), self.programme.id(), position, at.slot)
    }
}

impl Past for PublishedPast {
    fn record(&self, event: EventId) -> Option<Recorded> {
        accepted_at(self.log.as_ref(), self.programme.id(), self.place(event)?)
    }
}

impl Engine {
    /// The values and records of a programme.
    pub fn past(&self, programme: &Arc<Programme>) -> PublishedPast {
        PublishedPast {
            log: Arc::clone(self.log()),
            programme: Arc::clone(programme),
            places: Index::default(),
            held: HashMap::new(),
        }
    }

    /// As [`Engine::past`], for whoever shows a whole reading of it.
    pub fn past_of(&self, programme: &Arc<Programme>, reading: &Reading) -> PublishedPast {
        // What the programme shows today or later is in memory.
        let today = reading.state.head() == programme.head() && reading.day >= reading.state.today();
        let places = if today { Index::default() } else { places(&reading.state) };
        PublishedPast { places, ..self.past(programme) }
    }

    /// As [`Engine::past`], for whoever shows records whose places are known and ascend: their values are read along the log.
    pub fn past_at(
        &self,
        programme: &Arc<Programme>,
        places: impl IntoIterator<Item = (EventId, Position)> + Clone,
    ) -> PublishedPast {
        let positions = places.clone().into_iter().map(|(_, position)| position);
        let held = values_of(self.log().as_ref(), programme.id(), positions);
        PublishedPast { places: places.into_iter().collect(), held, ..self.past(programme) }
    }

    /// A programme at a point on both clocks.
    ///
    /// # Errors
    /// The position is after the head, or the store does not answer.
    pub fn read_at(&self, programme: &Programme, at: AsOf) -> Result<Reading, EngineError> {
        let head = programme.head();
        if let as_of::Recorded::Position(asked) = at.recorded
            && asked > head
        {
            return Err(EngineError::PositionAhead { asked, head });
        }
        Ok(crate::as_of::read_at(self.log().as_ref(), programme, at)?)
    }
}

/// Folds a log up to a point from its first record, keeping every write, so that any effective day can be read. Returns the state
/// and the position that the point stands for. This is what every shorter way is compared with.
///
/// # Errors
/// The store does not answer, or what it holds does not read.
pub fn fold_until(
    log: &dyn EventLog,
    program: ProgramId,
    head: Position,
    recorded: as_of::Recorded,
) -> Result<(State, Position), LedgerError> {
    let last = match recorded {
        as_of::Recorded::Head => head,
        as_of::Recorded::Position(position) => position.min(head),
        as_of::Recorded::Instant(_) | as_of::Recorded::Day(_) => {
            as_of::last_position(recorded, &marks(log, program, head)?)
        }
    };
    let mut state = State::new(program, Keep::Everything);
    walk(log, program, Position::new(1), last, |record| {
        state.apply(&record);
    })?;
    Ok((state, last))
}

/// When each record up to `head` was taken, and where groups begin and end.
///
/// # Errors
/// The store does not answer, or what it holds does not read.
pub fn marks(log: &dyn EventLog, program: ProgramId, head: Position) -> Result<Vec<Mark>, LedgerError> {
    let mut marks = Vec::new();
    walk(log, program, Position::new(1), head, |record| marks.push(crate::as_of::mark(&record)))?;
    Ok(marks)
}

/// Reads the records from `from` to `to`, both included, in order.
///
/// # Errors
/// The store does not answer, or what it holds does not read.
pub fn walk(
    log: &dyn EventLog,
    program: ProgramId,
    from: Position,
    to: Position,
    mut visit: impl FnMut(Recorded),
) -> Result<(), LedgerError> {
    let mut next = from;
    while next <= to {
        let records = log.read(program, next, PAGE)?;
        let Some(last) = records.last() else { break };
        let after = Position::new(last.position).next();
        for stored in &records {
            if stored.position <= to.get() {
                visit(read_record(stored)?);
            }
        }
        next = after;
    }
    Ok(())
}

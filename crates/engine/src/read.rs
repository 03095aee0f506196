//! Reading: a programme at any point of both clocks, and the records behind it.

use std::sync::Arc;

use radslag_core::as_of::{self, AsOf, Mark};
use radslag_core::id::{EventId, Position, ProgramId};
use radslag_core::judge::{MemoryPast, Past};
use radslag_core::record::Recorded;
use radslag_core::state::{Keep, State};
use radslag_core::time::CivilDate;
use radslag_core::value::{ValueRef, Values};
use radslag_log::{EventLog, ReadLimit};

use crate::engine::{Engine, EngineError, Programme};
use crate::ledger::{LedgerError, read_record};
use crate::past::LogPast;

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
}

impl PublishedPast {
    fn with<T>(&self, ask: impl FnOnce(&LogPast<'_>) -> T) -> T {
        let published = self.programme.published();
        let overlay = MemoryPast::default();
        let program = self.programme.id();
        ask(&LogPast { log: self.log.as_ref(), program, index: &published.index, overlay: &overlay })
    }
}

impl Values for PublishedPast {
    fn bytes(&self, at: ValueRef) -> Option<Vec<u8>> {
        self.with(|past| past.bytes(at))
    }
}

impl Past for PublishedPast {
    fn record(&self, event: EventId) -> Option<Recorded> {
        self.with(|past| past.record(event))
    }
}

impl Engine {
    /// The values and records of a programme.
    pub fn past(&self, programme: &Arc<Programme>) -> PublishedPast {
        PublishedPast { log: Arc::clone(self.log()), programme: Arc::clone(programme) }
    }

    /// A programme at a point on both clocks.
    ///
    /// # Errors
    /// The position is after the head, or the store does not answer.
    pub fn read_at(&self, programme: &Programme, at: AsOf) -> Result<Reading, EngineError> {
        let published = programme.published().state.clone();
        let today = published.today();
        let current = at.effective.is_none_or(|day| today.is_some_and(|today| day >= today));
        if at.recorded == as_of::Recorded::Head && current {
            return Ok(Reading { day: at.effective.or(today), state: published });
        }
        if let as_of::Recorded::Position(asked) = at.recorded
            && asked > published.head()
        {
            return Err(EngineError::PositionAhead { asked, head: published.head() });
        }
        let (state, _) = fold_until(self.log().as_ref(), programme.id(), published.head(), at.recorded)?;
        Ok(Reading { day: at.effective.or(state.today()), state })
    }
}

/// Folds a log up to a point, keeping every write, so that any effective day can be read. Returns the state and the
/// position that the point stands for.
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
    marks_between(log, program, Position::new(1), head)
}

/// As [`marks`], from `first` on.
///
/// # Errors
/// As for [`marks`].
pub fn marks_between(
    log: &dyn EventLog,
    program: ProgramId,
    first: Position,
    head: Position,
) -> Result<Vec<Mark>, LedgerError> {
    let mut marks = Vec::new();
    walk(log, program, first, head, |record| {
        let group = record.body().and_then(|body| body.group);
        let at = record.position.get();
        let start = group.map(|group| Position::new(at.saturating_sub(u64::from(group.index))));
        let end = group.map(|group| Position::new(at + u64::from(group.size - 1 - group.index)));
        marks.push(Mark {
            position: record.position,
            recorded_at: record.recorded_at,
            recorded_on: record.recorded_on(),
            group_start: start,
            group_end: end,
        });
    })?;
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

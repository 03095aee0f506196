//! Points in time: what an answer is read at, what it rests on, and whether the question is open.

use radslag_core::as_of::{AsOf, Recorded};
use radslag_core::basis::{Basis, Closing, Open};
use radslag_core::id::{EventId, Position};
use radslag_core::state::Baseline;
use radslag_core::time::CivilDate;
use radslag_core::view::VIEW_VERSION;
use radslag_engine::clock::day_of;
use radslag_engine::engine::{Engine, EngineError, Programme};
use radslag_engine::read::Reading;
use radslag_proto::api::v1 as api;
use radslag_proto::status::{ApiError, Reason};

use super::failure::Answer;

/// What a call asks for: a point, or the basis of an earlier answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// The point. That of the basis, where one is named.
    pub(super) at: AsOf,
    /// The basis; then `at` is its point.
    pub(super) basis: Option<Basis>,
    /// The event that named the point; the day of `at`, where there is one, is read instead of the point's.
    pub(super) baseline: Option<EventId>,
}

/// A programme at a point.
pub(super) struct Read {
    /// The state there, and the day.
    pub(super) reading: Reading,
    /// Why the question may be answered otherwise later.
    open: Option<Open>,
}

impl Asked {
    /// The day that every change is told for, where one was asked for.
    pub(super) fn day(&self) -> Option<CivilDate> {
        self.at.effective.filter(|_| self.basis.is_none())
    }
}

impl Read {
    /// What the answer rests on.
    pub(super) fn basis(&self) -> api::Basis {
        let open = self.open.and_then(|open| match open {
            // A server shows nothing that is queued.
            Open::Queued => None,
            Open::Recorded => Some(api::OpenReason::Recorded),
            Open::Effective => Some(api::OpenReason::Effective),
        });
        api::Basis { open: open.map(i32::from).into_iter().collect(), ..basis(&self.reading) }
    }
}

/// What an answer rests on.
fn basis(reading: &Reading) -> api::Basis {
    let basis = Basis::of(&reading.state, reading.day);
    api::Basis {
        epoch_id: basis.epoch.to_string(),
        position: basis.position.get(),
        effective_on: basis.effective_on.map(|day| day.to_string()).unwrap_or_default(),
        redactions: basis.redactions,
        view_version: basis.view_version,
        open: Vec::new(),
    }
}

/// A point that was asked for, found in a log.
pub(super) struct Found {
    /// The point, with the position and day that a basis or baseline names.
    at: AsOf,
    closing: Closing,
}

/// A programme at a point. At the head the day is today, so that what was decided for a day applies from that day on, whether or
/// not anybody writes; a clock that is behind is taken no further back than the last record.
pub(super) fn read(engine: &Engine, programme: &Programme, asked: Asked) -> Answer<Read> {
    let mut found = find(engine, programme, asked)?;
    if found.at.recorded == Recorded::Head {
        found.at.effective = found.at.effective.or(Some(found.closing.today));
    }
    found.read(engine, programme, None)
}

/// Finds what was asked for, before anything is read.
pub(super) fn find(engine: &Engine, programme: &Programme, asked: Asked) -> Answer<Found> {
    // What is closed is told before the log is read: what it speaks of is there by then.
    let closed_to = engine.closed_to(programme);
    let closing = Closing { closed_to, closed_on: day_of(closed_to), today: today(engine, programme) };
    let mut at = asked.at;
    let basis = match asked.baseline {
        None => asked.basis,
        Some(event) => {
            let named = named(programme, event)?;
            at.recorded = Recorded::Position(named.position);
            at.effective = at.effective.or(named.effective_on);
            Some(named)
        }
    };
    if let Some(basis) = basis {
        check_held(programme, &basis)?;
    }
    Ok(Found { at, closing })
}

impl Found {
    /// Reads the programme there; with `pinned`, at the position that an earlier page was read at.
    pub(super) fn read(
        &self,
        engine: &Engine,
        programme: &Programme,
        pinned: Option<Position>,
    ) -> Answer<Read> {
        let recorded = pinned.map_or(self.at.recorded, Recorded::Position);
        let reading = engine.read_at(programme, AsOf { recorded, ..self.at })?;
        let day = reading.day.or(self.at.effective);
        let open = day.and_then(|day| self.closing.open(self.at.recorded, day));
        Ok(Read { reading, open })
    }
}

/// A programme as the first page of an answer read it: at a position, for a day.
pub(super) fn read_again(
    engine: &Engine,
    programme: &Programme,
    position: Position,
    effective: Option<CivilDate>,
) -> Answer<Read> {
    let recorded = Recorded::Position(position);
    let reading = engine.read_at(programme, AsOf { recorded, effective })?;
    Ok(Read { reading, open: None })
}

/// Today in Europe/Stockholm, or the day of the last record where the clock is behind it.
fn today(engine: &Engine, programme: &Programme) -> CivilDate {
    let today = day_of(engine.clock().now());
    programme.published().state.today().map_or(today, |last| last.max(today))
}

/// What a named point rests on.
fn named(programme: &Programme, event: EventId) -> Answer<Basis> {
    let published = programme.published();
    let found = published.state.baselines().iter().find(|baseline| baseline.event == event);
    let Some(Baseline { epoch, position, effective_on, .. }) = found.copied() else {
        let what = format!("there is no baseline {event} in the programme");
        let missing = ApiError::new(Reason::EntityNotFound, what);
        return Err(missing.with_resource("baseline", event.to_string()).into());
    };
    let effective_on = Some(effective_on);
    Ok(Basis { epoch, position, effective_on, redactions: 0, view_version: VIEW_VERSION })
}

fn check_held(programme: &Programme, basis: &Basis) -> Answer<()> {
    let published = programme.published();
    let head = published.state.head();
    if basis.position > head {
        return Err(EngineError::PositionAhead { asked: basis.position, head }.into());
    }
    if basis.is_of(&published.state) {
        return Ok(());
    }
    let what = format!("the log does not have position {} of epoch {}", basis.position, basis.epoch);
    Err(ApiError::new(Reason::ForeignEpoch, what).into())
}

//! Points in time: what an answer is read at, what it rests on, and whether the question is open.

use radslag_core::as_of::{AsOf, Recorded};
use radslag_core::basis::{Basis, Closing, Open};
use radslag_core::id::EventId;
use radslag_core::state::Baseline;
use radslag_core::time::CivilDate;
use radslag_core::view::VIEW_VERSION;
use radslag_engine::clock::day_of;
use radslag_engine::engine::{Cursor, Engine, EngineError, Misplaced, Programme, locate};
use radslag_engine::read::Reading;
use radslag_proto::api::v1 as api;
use radslag_proto::status::{ApiError, Reason};

use super::failure::Answer;
use super::page::Pin;

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

    /// Where the other pages of the answer are read.
    pub(super) fn pin(&self) -> Pin {
        Pin { position: self.reading.state.head(), day: self.reading.day }
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

/// A programme at a point, or where the first page of an answer about that point was read. At the head the day is today, so that
/// what was decided for a day applies from that day on, whether or not anybody writes; a clock that is behind is taken no further
/// back than the last record.
pub(super) fn read(
    engine: &Engine,
    programme: &Programme,
    asked: Asked,
    pinned: Option<Pin>,
) -> Answer<Read> {
    // What is closed is told before the log is read: what it speaks of is there by then.
    let closed_to = engine.closed_to(programme);
    let closing = Closing { closed_to, closed_on: day_of(closed_to), today: today(engine, programme) };
    let asked = find(programme, asked)?;
    let at = match pinned {
        Some(Pin { position, day }) => AsOf { recorded: Recorded::Position(position), effective: day },
        None if asked.recorded == Recorded::Head => {
            AsOf { effective: asked.effective.or(Some(closing.today)), ..asked }
        }
        None => asked,
    };
    let reading = engine.read_at(programme, at)?;
    let day = reading.day.or(at.effective);
    let open = day.and_then(|day| closing.open(asked.recorded, day));
    Ok(Read { reading, open })
}

/// The point, with the position and day that a basis or baseline names.
fn find(programme: &Programme, asked: Asked) -> Answer<AsOf> {
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
    Ok(at)
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
    let held = Cursor { epoch: basis.epoch, position: basis.position };
    locate(&published.state, held).map_err(|misplaced| match misplaced {
        Misplaced::Ahead => {
            EngineError::PositionAhead { asked: basis.position, head: published.state.head() }.into()
        }
        Misplaced::ForeignEpoch(_) => {
            let what = format!("the log does not have position {} of epoch {}", basis.position, basis.epoch);
            ApiError::new(Reason::ForeignEpoch, what).into()
        }
    })
}

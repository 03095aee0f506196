//! Points in time: what an answer is read at.

use std::sync::Arc;

use radslag_core::as_of::{AsOf, Recorded};
use radslag_engine::clock::day_of;
use radslag_engine::engine::{Engine, EngineError, Programme};
use radslag_engine::read::Reading;

/// A programme at a point. At the head the day is today, so that what was decided for a day applies from that day on, whether or
/// not anybody writes; a clock that is behind is taken no further back than the last record.
pub(super) fn read(engine: &Engine, programme: &Arc<Programme>, at: AsOf) -> Result<Reading, EngineError> {
    if at.recorded != Recorded::Head || at.effective.is_some() {
        return engine.read_at(programme, at);
    }
    let today = day_of(engine.clock().now());
    let last = programme.published().state.today();
    let day = last.map_or(today, |last| last.max(today));
    engine.read_at(programme, AsOf { effective: Some(day), ..at })
}

//! Points in time: which records a reader knows of, and which day it reads them for.

use crate::id::Position;
use crate::time::{CivilDate, Instant};

/// What the system knew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recorded {
    /// Everything.
    #[default]
    Head,
    /// Up to and including this record.
    Position(Position),
    /// Up to and including this instant.
    Instant(Instant),
    /// Up to the end of this day in Europe/Stockholm.
    Day(CivilDate),
}

/// A point on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsOf {
    /// What the system knew.
    pub recorded: Recorded,
    /// What applies; the day of the last record read when absent.
    pub effective: Option<CivilDate>,
}

/// What finding a point reads of each record, in order of position.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// The record's place.
    pub position: Position,
    /// When it was taken.
    pub recorded_at: Instant,
    /// The day of that in Europe/Stockholm.
    pub recorded_on: CivilDate,
    /// Where the record's group begins, when it is in one.
    pub group_start: Option<Position>,
    /// Where the record's group ends, when it is in one.
    pub group_end: Option<Position>,
}

/// The last position that a point includes. `marks` are all records of the log in order; a point between two members of a
/// group rounds down to before the group.
pub fn last_position(recorded: Recorded, marks: &[Mark]) -> Position {
    let included = match recorded {
        Recorded::Head => return marks.last().map_or(Position::ZERO, |mark| mark.position),
        Recorded::Position(position) => return position,
        Recorded::Instant(instant) => marks.partition_point(|mark| mark.recorded_at <= instant),
        Recorded::Day(day) => marks.partition_point(|mark| mark.recorded_on <= day),
    };
    let Some(last) = included.checked_sub(1).map(|index| marks[index]) else { return Position::ZERO };
    match (last.group_start, last.group_end) {
        (Some(start), Some(end)) if end > last.position => start.previous(),
        _ => last.position,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_inside_a_group_rounds_down_to_before_it() {
        let mark = |position, start, end| Mark {
            position: Position::new(position),
            recorded_at: Instant::from_micros(i64::try_from(position).unwrap() * 10),
            recorded_on: CivilDate::from_days(i32::try_from(position).unwrap()).unwrap(),
            group_start: start,
            group_end: end,
        };
        let group = |position| mark(position, Some(Position::new(2)), Some(Position::new(4)));
        let marks = [mark(1, None, None), group(2), group(3), group(4), mark(5, None, None)];
        let at = |micros| last_position(Recorded::Instant(Instant::from_micros(micros)), &marks).get();
        assert_eq!([at(9), at(10), at(20), at(39), at(40), at(49), at(50), at(99)], [0, 1, 1, 1, 4, 4, 5, 5]);
        let day = CivilDate::from_days(4).unwrap();
        assert_eq!(last_position(Recorded::Day(day), &marks).get(), 4);
        assert_eq!(last_position(Recorded::Head, &marks).get(), 5);
        assert_eq!(last_position(Recorded::Head, &[]), Position::ZERO);
    }
}

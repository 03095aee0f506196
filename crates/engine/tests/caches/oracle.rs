//! As-of against two oracles: the fold of everything from the first record, and the model read literally.

use proptest::prelude::*;
use radslag_core::as_of::{AsOf, Recorded as Point};
use radslag_core::id::Position;
use radslag_core::state::{Keep, State};
use radslag_core::time::{CivilDate, Instant};
use radslag_core::view;
use radslag_engine::as_of::{position_at, read_at};
use radslag_engine::read::{Reading, fold_until};

use crate::history::{history, steps, tries};
use crate::naive::Naive;
use crate::shelf::Shelf;
use crate::town::{Town, days_of_interest, folded};

fn reading(shelf: &Shelf, at: u64, day: Option<CivilDate>) -> Reading {
    let at = AsOf { recorded: Point::Position(Position::new(at)), effective: day };
    read_at(&shelf.log, &shelf.ledger, at).unwrap()
}

/// Everything that a reader can see of a state on a day.
fn agree(town: &Town, shelf: &Shelf, upto: usize, day: CivilDate) -> Result<(), TestCaseError> {
    let read = reading(shelf, u64::try_from(upto).unwrap(), Some(day)).state;
    let whole = folded(shelf.program(), Keep::Everything, &shelf.records[..upto]);
    let naive = Naive::new(&shelf.records[..upto]);
    prop_assert_eq!(read.head(), whole.head());
    prop_assert_eq!(read.hash(), whole.hash(), "at {} on {}", upto, day);
    for key in naive.writes.keys() {
        let (short, long) = (read.register(key.0, key.1).unwrap(), whole.register(key.0, key.1).unwrap());
        let epochs = whole.epochs();
        prop_assert_eq!(
            short.sides_at(day, epochs),
            long.sides_at(day, epochs),
            "{:?} at {} on {}",
            key,
            upto,
            day
        );
        prop_assert_eq!(short.shown_at(day, epochs), long.shown_at(day, epochs));
        prop_assert_eq!(short.conflict_at(day, epochs), long.conflict_at(day, epochs));
        let shown = short.shown_at(day, epochs).map(|write| write.event);
        prop_assert_eq!(shown, naive.shown(*key, day), "{:?} at {} on {}", key, upto, day);
        prop_assert_eq!(short.conflict_at(day, epochs), naive.conflict(*key, day));
    }
    let values = &town.past.values;
    prop_assert_eq!(
        view::program(&read, values, day),
        view::program(&whole, values, day),
        "at {} on {}",
        upto,
        day
    );
    let conflicts = |state: &State| {
        let conflicts = view::conflicts(state).into_iter();
        conflicts.map(|one| (one.id, one.sides.into_iter().cloned().collect::<Vec<_>>())).collect::<Vec<_>>()
    };
    prop_assert_eq!(conflicts(&read), conflicts(&whole));
    Ok(())
}

proptest! {
    #![proptest_config(tries(48))]

    #[test]
    fn a_folded_state_and_its_tail_say_what_the_whole_log_says(
        steps in steps(),
        at in any::<prop::sample::Index>(),
    ) {
        let town = history(&steps);
        let shelf = Shelf::of(&town);
        for upto in [1 + at.index(town.log.len()), town.log.len()] {
            for day in days_of_interest(&town.log) {
                agree(&town, &shelf, upto, day)?;
            }
        }
    }

    #[test]
    fn an_answer_is_the_same_before_and_after_more_is_recorded(
        steps in steps(),
        at in any::<prop::sample::Index>(),
        then in any::<prop::sample::Index>(),
    ) {
        let town = history(&steps);
        let upto = 1 + at.index(town.log.len());
        let asked = 1 + then.index(upto);
        let mut shelf = Shelf::before(&town);
        shelf.grow_to(upto);
        let days = days_of_interest(&town.log);
        let answers = |shelf: &Shelf| -> Vec<_> {
            let read = days.iter().map(|day| reading(shelf, u64::try_from(asked).unwrap(), Some(*day)).state);
            let view = |(state, day): (State, &CivilDate)| (state.hash(), view::program(&state, &town.past.values, *day));
            read.zip(&days).map(view).collect()
        };
        let before = answers(&shelf);
        shelf.grow_to(town.log.len());
        prop_assert_eq!(before, answers(&shelf));
    }

    #[test]
    fn a_time_is_found_as_by_walking(steps in steps()) {
        let town = history(&steps);
        let shelf = Shelf::of(&town);
        let (program, head) = (shelf.program(), shelf.head());
        let mut points = vec![Point::Head];
        for record in &shelf.records {
            let at = record.recorded_at.micros();
            points.extend([at - 1, at, at + 1].map(|at| Point::Instant(Instant::from_micros(at))));
            points.push(Point::Day(record.recorded_on()));
            points.push(Point::Day(CivilDate::from_days(record.recorded_on().days() - 1).unwrap()));
        }
        for point in points {
            let (_, walked) = fold_until(&shelf.log, program, head, point).unwrap();
            prop_assert_eq!(position_at(&shelf.log, program, Position::ZERO, head, point).unwrap(), walked, "{:?}", point);
        }
    }
}

#[test]
fn the_caches_are_really_met() {
    let mut dice = crate::town::Dice(4);
    let steps: Vec<u64> = (0..90).map(|_| dice.roll()).collect();
    let shelf = Shelf::of(&history(&steps));
    let journal = shelf.ledger.journal.as_ref().unwrap();
    assert!(
        shelf.head().get() > 60 && journal.written().get() > 50,
        "{} {}",
        shelf.head(),
        journal.written()
    );
    let count = |kind| radslag_log::EventLog::rows(&shelf.log, shelf.program(), kind).unwrap().len();
    use radslag_log::RowKind::{Backdated, Index, Resume, State, Trail};
    assert!(count(State) >= 5 && count(Resume) == 2 && count(Index) >= 7 && count(Trail) == count(Index));
    assert!(count(Backdated) > 0);
}

//! As-of against two oracles: the fold of everything from the first record, and the model read literally.

use proptest::prelude::*;
use radslag_core::as_of::{AsOf, Recorded as Point};
use radslag_core::id::Position;
use radslag_core::state::{Keep, State};
use radslag_core::time::{CivilDate, Instant};
use radslag_core::view;
use radslag_engine::as_of::{position_at, read_at};
use radslag_engine::read::{Reading, fold_until};
use radslag_log::{EventLog as _, RowKind};

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

#[test]
fn a_chunk_of_additions_that_name_many_parties_is_kept_and_read() {
    use radslag_core::command::Draft;
    use radslag_core::event::{Change, PartyKind};
    use radslag_core::value::Slot;
    let mut town = Town::new();
    for number in 0..64 {
        let party = town.fresh();
        let kind = PartyKind::Municipality;
        let added = Change::PartyAdded { party, kind, organisation: None, source: None };
        town.write(crate::town::NACKA, Draft::new(added).with_text(Slot::NAME, &format!("Part {number}")))
            .unwrap();
        town.parties.push(party);
    }
    let mut responsible = town.parties[town.parties.len() - 64..].to_vec();
    responsible.sort();
    town.pass(10);
    let on = town.in_days(-5);
    for number in 0..120 {
        let (activity, subgoal) = (town.fresh(), town.subgoals[0]);
        let (order_key, responsible) = (format!("3{number:03}1"), responsible.clone());
        let added =
            Change::ActivityAdded { activity, subgoal, order_key, responsible, lead: None, source: None };
        let draft = Draft::new(added).with_text(Slot::TITLE, &format!("Åtgärd {number}"));
        town.write(crate::town::HUDDINGE, crate::town::dated(draft, on)).unwrap();
    }
    let pace = radslag_engine::caches::Pace { chunk: 80, ..crate::shelf::QUICK };
    let mut shelf = Shelf::before_at_pace(&town, pace);
    shelf.grow_to(town.log.len());
    let rows = shelf.log.rows(shelf.program(), RowKind::Backdated).unwrap();
    let of_second = rows.iter().filter(|(number, _)| *number == 81 || *number >> 16 == 1 << 47 | 81);
    let bytes: usize = of_second.map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes > radslag_log::MAX_COMMIT_BYTES, "{bytes} bytes");
    for ledger in [shelf.opened(), shelf.ledger.clone()] {
        shelf.ledger = ledger;
        for days in [-6, -5, -4, 0] {
            agree(&town, &shelf, town.log.len(), town.in_days(days)).unwrap();
        }
    }
}

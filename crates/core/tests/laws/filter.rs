//! What somebody is shown who follows one area or one organisation.

use proptest::prelude::*;
use radslag_core::command::Draft;
use radslag_core::event::Change;
use radslag_core::field::FieldKey;
use radslag_core::filter::{Filter, Places, parent};
use radslag_core::id::{EntityId, Position};
use radslag_core::record::Recorded;
use radslag_core::state::{Keep, State};

use super::history::{history, steps, tries};
use super::town::{HANINGE, HUDDINGE, NACKA, Town, dated, text};

/// The positions of a log that pass, by states as a replica folds them and by places as a server keeps them.
fn passing(town: &Town, filter: &Filter) -> Vec<u64> {
    let mut state = State::new(town.state.program_id(), Keep::Sides);
    let mut places = Places::new(town.state.program_id());
    for record in &town.log {
        places.note(record);
    }
    let mut passing = Vec::new();
    for record in &town.log {
        let before = filter.fits_place(record, |entity| parent(&state, entity));
        state.apply(record);
        let after = filter.fits_place(record, |entity| parent(&state, entity));
        let passes = filter.fits_author(record, &state) && (before || after);
        assert_eq!(passes, by_places(&places, town, filter, record), "{record:?}");
        if passes {
            passing.push(record.position.get());
        }
    }
    passing
}

fn by_places(places: &Places, town: &Town, filter: &Filter, record: &Recorded) -> bool {
    let at = |position| move |entity| places.parent_at(entity, position);
    let (before, after) = (record.position.previous(), record.position);
    filter.fits_author(record, &town.state)
        && (filter.fits_place(record, at(before)) || filter.fits_place(record, at(after)))
}

fn area(area: EntityId) -> Filter {
    Filter { area: Some(area), org: None }
}

fn moved(entity: EntityId, to: EntityId) -> Draft {
    Draft::new(Change::Placed { entity, parent: to, order_key: "5".to_owned() })
}

/// What passes of the records after `head`, counted from it.
fn news(town: &Town, head: Position, filter: &Filter) -> Vec<u64> {
    passing(town, filter).into_iter().filter_map(|at| at.checked_sub(head.get() + 1)).collect()
}

#[test]
fn an_area_is_itself_and_what_stands_below_it() {
    let mut town = Town::new();
    let head = town.state.head();
    let (here, there) = (area(town.areas[0]), area(town.areas[1]));
    town.write(NACKA, text(town.areas[0], FieldKey::Goal, "Fler bostäder")).unwrap();
    town.write(NACKA, text(town.subgoals[0], FieldKey::Title, "Bygg tätare")).unwrap();
    town.write(NACKA, text(town.activities[0], FieldKey::Comment, "i maj")).unwrap();
    town.write(NACKA, text(town.activities[1], FieldKey::Comment, "i juni")).unwrap();
    town.write(NACKA, text(town.parties[0], FieldKey::Name, "Huddinge kommun")).unwrap();
    assert_eq!(news(&town, head, &here), [0, 1, 2]);
    assert_eq!(news(&town, head, &there), [3]);
    // Its own beginning too, and that of what was added in it.
    assert_eq!(passing(&town, &here).len(), 3 + 3);
}

#[test]
fn a_move_is_shown_in_both_areas_and_what_follows_it_in_the_new_one() {
    let mut town = Town::new();
    let head = town.state.head();
    let (here, there) = (area(town.areas[0]), area(town.areas[1]));
    town.write(NACKA, moved(town.activities[0], town.subgoals[1])).unwrap();
    town.write(NACKA, text(town.activities[0], FieldKey::Comment, "i maj")).unwrap();
    assert_eq!(news(&town, head, &here), [0]);
    assert_eq!(news(&town, head, &there), [0, 1]);
    // With a sub-goal moves what stands in it, although nothing is written there.
    town.write(NACKA, moved(town.subgoals[1], town.areas[0])).unwrap();
    town.write(NACKA, text(town.activities[0], FieldKey::Comment, "i juni")).unwrap();
    assert_eq!(news(&town, head, &here), [0, 2, 3]);
    assert_eq!(news(&town, head, &there), [0, 1, 2]);
}

#[test]
fn a_move_that_is_dated_counts_from_the_first_record_of_its_day() {
    let mut town = Town::new();
    let head = town.state.head();
    let there = area(town.areas[1]);
    town.write(NACKA, dated(moved(town.activities[0], town.subgoals[1]), town.in_days(3))).unwrap();
    town.write(NACKA, text(town.activities[0], FieldKey::Comment, "i maj")).unwrap();
    town.pass(3);
    town.write(NACKA, text(town.parties[0], FieldKey::Name, "Huddinge kommun")).unwrap();
    town.write(NACKA, text(town.activities[0], FieldKey::Comment, "i juni")).unwrap();
    assert_eq!(news(&town, head, &there), [3]);
}

#[test]
fn two_places_that_disagree_are_where_the_programme_shows_the_entity() {
    let mut town = Town::new();
    let third = town.fresh();
    let added = Change::AreaAdded { area: third, order_key: "3".to_owned(), source: None };
    town.write(HUDDINGE, Draft::new(added)).unwrap();
    let (one, two) = (town.look(NACKA), town.look(HANINGE));
    let head = town.state.head();
    town.write_from(NACKA, one, moved(town.subgoals[0], third)).unwrap();
    town.write_from(HANINGE, two, moved(town.subgoals[0], town.areas[1])).unwrap();
    town.write(HUDDINGE, text(town.subgoals[0], FieldKey::Title, "Bygg tätare")).unwrap();
    assert!(town.in_conflict(town.subgoals[0], FieldKey::Place));
    assert_eq!(news(&town, head, &area(town.areas[0])), [0]);
    assert_eq!(news(&town, head, &area(third)), [0, 1]);
    assert_eq!(news(&town, head, &area(town.areas[1])), [1, 2]);
}

#[test]
fn an_organisation_is_what_its_people_wrote_also_what_was_declined() {
    let mut town = Town::new();
    let (activity, gone) = (town.activity(), town.fresh());
    let of = |area| Filter { area, org: Some(town.devices[NACKA].org.clone()) };
    let (all, in_area) = (of(None), of(Some(town.areas[0])));
    let head = town.state.head();
    town.write(HANINGE, text(activity, FieldKey::Comment, "i maj")).unwrap();
    town.write(NACKA, text(activity, FieldKey::Comment, "i juni")).unwrap();
    town.write(NACKA, text(gone, FieldKey::Comment, "om inget")).unwrap_err();
    town.write(NACKA, text(town.activities[1], FieldKey::Comment, "i juli")).unwrap();
    assert_eq!(news(&town, head, &all), [1, 2, 3]);
    assert_eq!(news(&town, head, &in_area), [1]);
    assert!(Filter::default().is_empty() && !all.is_empty());
    assert_eq!(news(&town, head, &Filter::default()), [0, 1, 2, 3]);
}

#[test]
fn what_passes_does_not_depend_on_what_comes_later() {
    let mut town = Town::new();
    let here = area(town.areas[0]);
    town.write(NACKA, text(town.activities[0], FieldKey::Comment, "i maj")).unwrap();
    let before = passing(&town, &here);
    town.write(NACKA, moved(town.subgoals[0], town.areas[1])).unwrap();
    town.write(NACKA, text(town.activities[0], FieldKey::Comment, "i juni")).unwrap();
    assert_eq!(passing(&town, &here)[..before.len()], before);
}

proptest! {
    #![proptest_config(tries(64))]

    #[test]
    fn places_are_those_of_the_state_after_every_record(steps in steps()) {
        let town = history(&steps);
        let mut places = Places::new(town.state.program_id());
        for record in &town.log {
            places.note(record);
        }
        let mut state = State::new(town.state.program_id(), Keep::Sides);
        for record in &town.log {
            state.apply(record);
            for (entity, _) in state.entities() {
                prop_assert_eq!(places.parent_at(entity, record.position), parent(&state, entity));
            }
        }
    }
}

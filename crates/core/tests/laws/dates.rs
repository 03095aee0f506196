//! The second axis: what a date does to a write, to a conflict and to what is shown.

use radslag_core::command::{Choice, resolve};
use radslag_core::field::FieldKey;
use radslag_core::rejection::Rejection;

use super::town::{HANINGE, HUDDINGE, NACKA, Town, dated, day, text};

const COST: FieldKey = FieldKey::Cost;
const COMMENT: FieldKey = FieldKey::Comment;

#[test]
fn a_cost_decided_for_next_year_is_shown_from_next_year() {
    let mut town = Town::new();
    let activity = town.activity();
    let next_year = town.in_days(306);
    let now = town.write(HUDDINGE, text(activity, COST, "100 SEK\n1")).unwrap();
    let then = town.write(HUDDINGE, dated(text(activity, COST, "200 SEK\n2"), next_year)).unwrap();
    assert_eq!(town.sides(activity, COST), [now, then]);
    assert!(!town.in_conflict(activity, COST));
    assert_eq!(town.shown(activity, COST, town.in_days(305)), Some(now));
    assert_eq!(town.shown(activity, COST, next_year), Some(then));
}

#[test]
fn a_late_registration_of_an_earlier_decision_does_not_override_a_later_one() {
    let mut town = Town::new();
    let activity = town.activity();
    let current = town.write(HUDDINGE, text(activity, COST, "100 SEK\n1")).unwrap();
    town.pass(10);
    let late = town.write(NACKA, dated(text(activity, COST, "200 SEK\n2"), town.in_days(-20))).unwrap();
    assert_eq!(town.shown(activity, COST, town.today()), Some(current));
    // It had seen the later decision, so this is order, not disagreement; and it is not lost.
    assert_eq!(town.sides(activity, COST), [current, late]);
    assert!(!town.in_conflict(activity, COST));
    assert_eq!(town.shown(activity, COST, day("2026-02-25")), Some(late));
}

#[test]
fn a_late_registration_does_not_settle_the_conflict_of_today() {
    let mut town = Town::new();
    let activity = town.activity();
    let (one, two) = (town.look(HUDDINGE), town.look(NACKA));
    let ours = town.write_from(HUDDINGE, one, text(activity, COST, "100 SEK\n1")).unwrap();
    let theirs = town.write_from(NACKA, two, text(activity, COST, "200 SEK\n2")).unwrap();
    let late = town.write(HANINGE, dated(text(activity, COST, "300 SEK\n3"), town.in_days(-20))).unwrap();
    assert!(town.in_conflict(activity, COST));
    assert_eq!(town.sides(activity, COST), [ours, theirs, late]);
}

#[test]
fn an_undated_edit_in_sight_of_a_future_value_needs_a_date() {
    let mut town = Town::new();
    let activity = town.activity();
    let latest = town.in_days(30);
    let unaware = town.look(NACKA);
    let first = town.write(HUDDINGE, dated(text(activity, COST, "100 SEK\n1"), latest)).unwrap();
    let verdict = town.write(HUDDINGE, text(activity, COST, "200 SEK\n2"));
    assert_eq!(verdict, Err(Rejection::DateNeeded { entity: activity, field: COST, latest }));
    // One who had not seen it may leave the date out, and covers nothing.
    let other = town.write_from(NACKA, unaware, text(activity, COST, "300 SEK\n3")).unwrap();
    assert_eq!(town.sides(activity, COST), [first, other]);
    // Once the day has come, nobody needs to state it.
    town.pass(30);
    let edit = town.write(HUDDINGE, text(activity, COST, "400 SEK\n4")).unwrap();
    assert_eq!(town.sides(activity, COST), [edit]);
}

#[test]
fn a_mistyped_future_value_is_corrected_by_an_edit_of_that_date() {
    let mut town = Town::new();
    let activity = town.activity();
    let mistyped = day("2096-04-01");
    let current = town.write(HUDDINGE, text(activity, COST, "100 SEK\n1")).unwrap();
    town.write(HUDDINGE, dated(text(activity, COST, "200 SEK\n2"), mistyped)).unwrap();
    let corrected = town.write(HUDDINGE, dated(text(activity, COST, "100 SEK\n1"), mistyped)).unwrap();
    assert_eq!(town.sides(activity, COST), [current, corrected]);
    assert!(!town.in_conflict(activity, COST));
}

#[test]
fn a_resolution_is_dated_as_the_latest_side_it_settles() {
    let mut town = Town::new();
    let activity = town.activity();
    let (soon, later) = (town.in_days(5), town.in_days(50));
    let (one, two) = (town.look(HUDDINGE), town.look(NACKA));
    let ours = town.write_from(HUDDINGE, one, dated(text(activity, COST, "100 SEK\n1"), later)).unwrap();
    town.write_from(NACKA, two, dated(text(activity, COST, "200 SEK\n2"), soon)).unwrap();
    assert!(town.in_conflict(activity, COST));
    let draft = resolve(&town.conflict(activity, COST).unwrap(), &Choice::Take(ours)).unwrap();
    let settled = town.write(HANINGE, draft.clone()).unwrap();
    assert_eq!(town.written(settled).date, later);
    assert!(!town.in_conflict(activity, COST));
    // Unless it states a date itself.
    let stated = town.write(HANINGE, dated(draft, soon)).unwrap();
    assert_eq!(town.written(stated).date, soon);
}

#[test]
fn an_unsent_edit_does_not_outrun_its_own_correction() {
    let mut town = Town::new();
    let activity = town.activity();
    let offline = town.look(NACKA);
    town.devices[NACKA].clock_off = 700;
    let wrong = town.author(NACKA, offline, text(activity, COMMENT, "Fel"));
    town.devices[NACKA].clock_off = -700;
    let right = town.author(NACKA, town.devices[NACKA].view(), text(activity, COMMENT, "Rätt"));
    town.pass(3);
    let arrived = town.today();
    town.land(&wrong, None).unwrap();
    assert_eq!(town.written(wrong.event_id).date, arrived);
    town.land(&right, None).unwrap();
    assert_eq!(town.written(right.event_id).date, arrived);
    assert_eq!(town.sides(activity, COMMENT), [right.event_id]);
}

#[test]
fn an_offline_edit_applies_from_the_day_it_was_written() {
    let mut town = Town::new();
    let activity = town.activity();
    town.write(HUDDINGE, dated(text(activity, COMMENT, "Länge sedan"), day("2020-01-01"))).unwrap();
    let offline = town.look(NACKA);
    let wrote = town.author(NACKA, offline, text(activity, COMMENT, "I skogen"));
    town.pass(14);
    let meanwhile = town.write(HUDDINGE, text(activity, COMMENT, "På kontoret")).unwrap();
    town.land(&wrote, None).unwrap();
    assert_eq!(town.written(wrote.event_id).date, day("2026-03-01"));
    // The later day is shown, although the other one landed last; both are there, in conflict.
    assert_eq!(town.shown(activity, COMMENT, town.today()), Some(meanwhile));
    assert!(town.in_conflict(activity, COMMENT));
}

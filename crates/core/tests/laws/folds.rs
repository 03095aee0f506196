//! What holds of every history: nothing is lost, equal records make equal states, and judging again says the same.

use std::collections::BTreeSet;

use proptest::prelude::*;
use radslag_core::event::Change;
use radslag_core::id::{EventId, Position};
use radslag_core::judge::{Landing, judge};
use radslag_core::record::{Entry, Recorded};
use radslag_core::register::Register;
use radslag_core::state::{Keep, State};
use radslag_core::time::CivilDate;
use radslag_core::value::ValueMap;
use radslag_core::view;

use super::history::{history, steps, tries};
use super::naive::{Naive, same};
use super::town::{Town, day_of, days_of_interest, folded, meant};

fn ids<'a>(sides: impl IntoIterator<Item = &'a radslag_core::register::Write>) -> Vec<EventId> {
    sides.into_iter().map(|side| side.event).collect()
}

/// Decision 4: every accepted write is a side of its field at some date, or an accepted write that had seen it and is
/// dated on or after it stands in for it.
fn nothing_is_lost(town: &Town) -> Result<(), TestCaseError> {
    let naive = Naive::new(&town.log);
    let everything = folded(town.state.program_id(), Keep::Everything, &town.log);
    let days = days_of_interest(&town.log);
    for record in &town.log {
        let Some(body) = record.body() else { continue };
        for key in meant(body) {
            let lines = &naive.writes[&key];
            let line = lines.iter().find(|line| line.event == body.event_id).unwrap();
            let covered = lines.iter().any(|other| naive.covers(other, line));
            let side = |register: &Register, epochs, day: &CivilDate| {
                register.sides_at(*day, epochs).iter().any(|side| side.event == body.event_id)
            };
            let full = everything.register(key.0, key.1).unwrap();
            let somewhere = days.iter().any(|day| side(full, everything.epochs(), day));
            prop_assert!(covered || somewhere, "{key:?} of {:?} is lost to the past", body.event_id);
            let kept = town.state.register(key.0, key.1).unwrap();
            let kept = kept.writes().iter().any(|write| write.event == body.event_id);
            prop_assert!(covered || kept, "{key:?} of {:?} is lost to the state", body.event_id);
        }
    }
    Ok(())
}

/// A state that holds only sides answers for today and every later day as one that holds everything.
fn agree(sides: &State, everything: &State, days: &[CivilDate]) -> Result<(), TestCaseError> {
    prop_assert_eq!(sides.hash(), everything.hash());
    let today = sides.today().unwrap();
    for (id, entity) in everything.entities() {
        for (field, full) in &entity.fields {
            let few = sides.register(id, *field).unwrap();
            let epochs = sides.epochs();
            prop_assert_eq!(ids(few.sides(today, epochs)), ids(full.sides(today, epochs)));
            prop_assert_eq!(few.in_conflict(today, epochs), full.in_conflict(today, epochs));
            for day in days.iter().copied().filter(|day| *day >= today) {
                prop_assert_eq!(ids(few.sides_at(day, epochs)), ids(full.sides_at(day, epochs)));
                prop_assert_eq!(few.shown_at(day, epochs), full.shown_at(day, epochs));
                prop_assert_eq!(few.conflict_at(day, epochs), full.conflict_at(day, epochs));
            }
        }
    }
    Ok(())
}

/// What `verify` does: every record is judged once more against the state before it.
fn judged_again(town: &Town) -> Result<(), TestCaseError> {
    let mut state = State::new(town.state.program_id(), Keep::Sides);
    for record in &town.log {
        if let Entry::Accepted { body, facts } = &record.entry
            && !matches!(body.change, Change::EpochOpened { .. })
        {
            let landing = Landing {
                position: record.position,
                recorded_at: record.recorded_at,
                recorded_on: day_of(record.recorded_at),
                authored_on: day_of(body.authored_at),
                first: facts.first,
            };
            let again = judge(&state, &town.past, body, landing);
            prop_assert_eq!(again.as_ref(), Ok(facts), "at {}", record.position);
        }
        state.apply(record);
    }
    Ok(())
}

/// `equal_to` names the earliest kept write that says the same, and nothing else.
fn classes_are_those_of_equal_values(town: &Town) -> Result<(), TestCaseError> {
    for (before, record) in town.log.iter().enumerate() {
        let Entry::Accepted { body, facts } = &record.entry else { continue };
        let naive = Naive::new(&town.log[..=before]);
        for key in meant(body) {
            let own = naive.writes[&key].last().unwrap();
            let earlier = Naive::new(&town.log[..before]);
            let kept = if earlier.writes.contains_key(&key) {
                earlier.kept(key, facts.recorded_on)
            } else {
                Vec::new()
            };
            let equal =
                kept.iter().find(|line| same(&line.content, &own.content, &town.past)).map(|line| line.event);
            let named = facts.equal_to.iter().find(|(field, _)| *field == key.1).map(|(_, event)| *event);
            prop_assert_eq!(named, equal, "{:?} at {}", key, record.position);
        }
    }
    Ok(())
}

/// A write without a date applies from the earlier of the days on which it was written and recorded, but not from before
/// the kept writes that its author had seen; a resolution from the day of the latest side that it settles.
fn undated_writes_apply_from_the_day_of_the_model(town: &Town) -> Result<(), TestCaseError> {
    for (before, record) in town.log.iter().enumerate() {
        let Entry::Accepted { body, facts } = &record.entry else { continue };
        let earlier = Naive::new(&town.log[..before]);
        let mut wanted = day_of(body.authored_at).min(facts.recorded_on);
        for key in meant(body).into_iter().filter(|key| earlier.writes.contains_key(key)) {
            let kept = earlier.kept(key, facts.recorded_on);
            let seen = kept
                .iter()
                .filter(|line| earlier.has_seen(body, record.position, line))
                .map(|line| line.date);
            wanted =
                wanted.max(seen.clone().filter(|date| *date <= facts.recorded_on).max().unwrap_or(wanted));
            let resolved = matches!(body.change, Change::ConflictResolved { .. });
            let ahead = seen.max().is_some_and(|date| date > facts.recorded_on);
            prop_assert!(resolved || !ahead || body.effective_on.is_some(), "no date at {}", record.position);
        }
        if let Change::ConflictResolved { entity, field, settles, .. } = &body.change {
            let settled =
                earlier.writes[&(*entity, *field)].iter().filter(|line| settles.contains(&line.event));
            wanted = settled.map(|line| line.date).max().unwrap();
        }
        let undated = body.effective_on.is_none() && !meant(body).is_empty();
        prop_assert_eq!(facts.applies_on, undated.then_some(wanted), "at {}", record.position);
    }
    Ok(())
}

proptest! {
    #![proptest_config(tries(160))]

    #[test]
    fn nothing_is_lost_silently(steps in steps()) {
        nothing_is_lost(&history(&steps))?;
    }

    #[test]
    fn equal_prefixes_make_equal_states_however_they_are_folded(steps in steps(), half in any::<prop::sample::Index>()) {
        let town = history(&steps);
        let program = town.state.program_id();
        let whole = folded(program, Keep::Sides, &town.log);
        let (first, second) = town.log.split_at(half.index(town.log.len()));
        let mut resumed = folded(program, Keep::Sides, first).clone();
        second.iter().for_each(|record| resumed.apply(record));
        prop_assert_eq!(&resumed, &whole);
        prop_assert_eq!(resumed.hash(), whole.hash());
        // The writer's own state knows nothing of what a restore took away, either.
        prop_assert_eq!(&town.state, &whole);
    }

    #[test]
    fn a_state_that_keeps_only_sides_answers_as_one_that_keeps_everything(
        steps in steps(),
        at in any::<prop::sample::Index>(),
    ) {
        let town = history(&steps);
        let days = days_of_interest(&town.log);
        let program = town.state.program_id();
        let (mut sides, mut everything) = (State::new(program, Keep::Sides), State::new(program, Keep::Everything));
        for record in &town.log {
            sides.apply(record);
            everything.apply(record);
            prop_assert_eq!(sides.hash(), everything.hash(), "at {}", record.position);
            if record.position == town.log[at.index(town.log.len())].position {
                agree(&sides, &everything, &days)?;
            }
        }
        agree(&sides, &everything, &days)?;
    }

    #[test]
    fn judging_again_gives_the_same_facts(steps in steps()) {
        judged_again(&history(&steps))?;
    }

    #[test]
    fn a_class_holds_what_says_the_same(steps in steps()) {
        classes_are_those_of_equal_values(&history(&steps))?;
    }

    #[test]
    fn undated_writes_apply_from_the_day_that_the_model_says(steps in steps()) {
        undated_writes_apply_from_the_day_of_the_model(&history(&steps))?;
    }

    #[test]
    fn forgetting_every_value_changes_no_state(steps in steps()) {
        let town = history(&steps);
        // No value is handed to the fold; the view is where a forgotten one is missed.
        let again = folded(town.state.program_id(), Keep::Sides, &town.log);
        let forgotten = ValueMap::default();
        prop_assert_eq!(again.hash(), town.state.hash());
        prop_assert_eq!(view::program(&again, &forgotten, town.today()).title, view::REDACTED);
        let ids = |state: &State| view::conflicts(state).iter().map(|conflict| conflict.id).collect::<Vec<_>>();
        prop_assert_eq!(ids(&again), ids(&town.state));
    }

    #[test]
    fn a_rejected_group_leaves_nothing_but_records(steps in steps()) {
        let mut town = history(&steps);
        let before = town.state.clone();
        let base = town.look(0);
        let (good, missing) = (town.activity(), town.fresh());
        let field = radslag_core::field::FieldKey::Title;
        let members = [good, good, missing, good].map(|entity| town.author(0, base, super::town::text(entity, field, "En")));
        let verdict = town.land_group(&members);
        prop_assert!(verdict.is_err());
        let records: Vec<&Recorded> = town.log.iter().rev().take(4).collect();
        let code = verdict.unwrap_err().code();
        for record in records {
            let Entry::Rejected(facts) = &record.entry else { panic!("a member landed") };
            prop_assert_eq!(facts.reason, code);
        }
        let held = |state: &State| state.entities().map(|(id, entity)| (id, entity.clone())).collect::<Vec<_>>();
        prop_assert_eq!(held(&town.state), held(&before));
        prop_assert_eq!(town.state.head(), Position::new(before.head().get() + 4));
    }
}

#[test]
fn the_histories_have_everything_in_them() {
    let mut seen = BTreeSet::new();
    let mut dice = super::town::Dice(1);
    for _ in 0..40 {
        let steps: Vec<u64> = (0..90).map(|_| dice.roll()).collect();
        let town = history(&steps);
        for record in &town.log {
            match &record.entry {
                Entry::Rejected(facts) => seen.extend([facts.reason.to_string()]),
                Entry::Accepted { body, facts } => {
                    seen.insert(body.kind.clone());
                    let today = facts.recorded_on;
                    let told = [
                        ("dated ahead", body.effective_on.is_some_and(|date| date > today)),
                        ("dated back", body.effective_on.is_some_and(|date| date < today)),
                        ("an equal value", !facts.equal_to.is_empty()),
                        ("pushed again", facts.first.is_some()),
                        ("a base before the restore", body.base.epoch != town.state.epoch()),
                        ("strict", !body.expect.is_empty()),
                    ];
                    seen.extend(told.iter().filter(|(_, so)| *so).map(|(what, _)| (*what).to_owned()));
                }
            }
        }
        let open = view::conflicts(&town.state);
        seen.extend(open.iter().map(|conflict| format!("conflict of {}", conflict.field.name())));
        seen.extend(
            open.iter().filter(|conflict| conflict.sides.len() > 2).map(|_| "three sides".to_owned()),
        );
    }
    for wanted in [
        "STALE",
        "ENTITY_MISSING",
        "DATE_NEEDED",
        "SETTLES_UNSEEN",
        "FIELD_UNFIT",
        "PARENT_UNFIT",
        "POINT_MISSING",
        "activity_added",
        "area_added",
        "baseline_set",
        "conflict_resolved",
        "epoch_opened",
        "field_revised",
        "party_added",
        "placed",
        "responsible_assigned",
        "responsible_unassigned",
        "restored",
        "retired",
        "subgoal_added",
        "dated ahead",
        "dated back",
        "an equal value",
        "pushed again",
        "a base before the restore",
        "strict",
        "conflict of cost",
        "conflict of life",
        "conflict of place",
        "conflict of title",
        "three sides",
    ] {
        assert!(seen.contains(wanted), "no history has {wanted:?}; they have {seen:?}");
    }
}

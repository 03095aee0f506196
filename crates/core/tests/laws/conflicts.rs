//! Sides, conflicts and what settles them, one sentence of the model at a time.

use proptest::prelude::*;
use radslag_core::command::{Choice, Draft, To, resolve};
use radslag_core::event::{Change, NewValue, Standing};
use radslag_core::field::FieldKey;
use radslag_core::history::{Contests, Ended};
use radslag_core::id::EventId;
use radslag_core::register::{Content, conflict_id};
use radslag_core::rejection::Rejection;
use radslag_core::state::{Keep, State};
use radslag_core::value::Slot;
use radslag_core::view;

use super::history::{history, steps, tries};
use super::town::{HANINGE, HUDDINGE, NACKA, Town, dated, text};

const TITLE: FieldKey = FieldKey::Title;
const COMMENT: FieldKey = FieldKey::Comment;
const COST: FieldKey = FieldKey::Cost;

/// Two comments, neither of whose authors saw the other's.
fn quarrel(town: &mut Town) -> (EventId, EventId) {
    let (one, two) = (town.look(HUDDINGE), town.look(NACKA));
    let activity = town.activity();
    let ours = town.write_from(HUDDINGE, one, text(activity, COMMENT, "I vår")).unwrap();
    let theirs = town.write_from(NACKA, two, text(activity, COMMENT, "I höst")).unwrap();
    assert_eq!(town.sides(activity, COMMENT), [ours, theirs]);
    assert!(town.in_conflict(activity, COMMENT));
    (ours, theirs)
}

fn resolution(town: &Town, choice: &Choice) -> Draft {
    resolve(&town.conflict(town.activity(), COMMENT).unwrap(), choice).unwrap()
}

#[test]
fn a_late_offline_edit_is_a_conflict_not_a_loss() {
    let mut town = Town::new();
    let activity = town.activity();
    let offline = town.look(NACKA);
    let first = town.write(HUDDINGE, text(activity, TITLE, "Inventera mark")).unwrap();
    town.pass(30);
    let late = town.write_from(NACKA, offline, text(activity, TITLE, "Inventera all mark")).unwrap();
    assert_eq!(town.sides(activity, TITLE), [first, late]);
    assert!(town.in_conflict(activity, TITLE));
    assert_eq!(town.shown(activity, TITLE, town.today()), Some(late));
}

#[test]
fn a_plain_edit_in_sight_of_both_sides_settles_the_conflict() {
    let mut town = Town::new();
    quarrel(&mut town);
    let activity = town.activity();
    let edit = town.write(HANINGE, text(activity, COMMENT, "Hela året")).unwrap();
    assert_eq!(town.sides(activity, COMMENT), [edit]);
    assert!(!town.in_conflict(activity, COMMENT));
}

#[test]
fn a_resolution_that_takes_a_side_shows_that_side_and_copies_no_text() {
    let mut town = Town::new();
    let (ours, _) = quarrel(&mut town);
    let draft = resolution(&town, &Choice::Take(ours));
    assert!(draft.values.is_empty());
    let settled = town.write(HANINGE, draft).unwrap();
    assert_eq!(town.sides(town.activity(), COMMENT), [settled]);
    assert!(matches!(town.written(settled).content, Content::Sealed(at) if at.event == ours));
    let kept = town.state.register(town.activity(), COMMENT).unwrap().writes();
    assert_eq!(kept.iter().map(|write| write.class).collect::<Vec<_>>(), [ours]);
}

#[test]
fn racing_resolutions_both_land_and_agree_when_they_take_the_same_side() {
    let mut town = Town::new();
    let (ours, _) = quarrel(&mut town);
    let draft = resolution(&town, &Choice::Take(ours));
    let (one, two) = (town.look(HUDDINGE), town.look(NACKA));
    let first = town.write_from(HUDDINGE, one, draft.clone()).unwrap();
    let second = town.write_from(NACKA, two, draft).unwrap();
    assert_eq!(town.sides(town.activity(), COMMENT), [first, second]);
    assert!(!town.in_conflict(town.activity(), COMMENT));
}

#[test]
fn racing_resolutions_that_differ_are_a_conflict_of_their_own() {
    let mut town = Town::new();
    let (ours, theirs) = quarrel(&mut town);
    let before = town.conflict(town.activity(), COMMENT).unwrap().id;
    let drafts = [ours, theirs].map(|side| resolution(&town, &Choice::Take(side)));
    let bases = [town.look(HUDDINGE), town.look(NACKA)];
    let [one, two] = drafts;
    let first = town.write_from(HUDDINGE, bases[0], one).unwrap();
    let second = town.write_from(NACKA, bases[1], two).unwrap();
    assert_eq!(town.sides(town.activity(), COMMENT), [first, second]);
    assert_ne!(town.conflict(town.activity(), COMMENT).unwrap().id, before);
}

#[test]
fn a_resolution_leaves_the_side_that_it_had_not_seen() {
    let mut town = Town::new();
    let (ours, theirs) = quarrel(&mut town);
    let activity = town.activity();
    let draft = resolution(&town, &Choice::Value(To::Text("Vår och höst".to_owned())));
    let base = town.look(HUDDINGE);
    let third =
        town.write_from(HANINGE, town.devices[HANINGE].views[0], text(activity, COMMENT, "Aldrig")).unwrap();
    assert_eq!(town.sides(activity, COMMENT), [ours, theirs, third]);
    let settled = town.write_from(HUDDINGE, base, draft).unwrap();
    assert_eq!(town.sides(activity, COMMENT), [third, settled]);
    assert!(town.in_conflict(activity, COMMENT));
}

#[test]
fn a_resolution_may_not_name_a_side_that_its_author_had_not_seen() {
    let mut town = Town::new();
    let early = town.look(HANINGE);
    let (ours, theirs) = quarrel(&mut town);
    let draft = resolution(&town, &Choice::Value(To::Cleared));
    let verdict = town.write_from(HANINGE, early, draft.clone());
    assert!(matches!(verdict, Err(Rejection::SettlesUnseen { side }) if side == ours || side == theirs));
    // Taking it does not help: what it had covered would stay unseen.
    for side in [ours, theirs] {
        let mut draft = resolution(&town, &Choice::Take(side));
        let Change::ConflictResolved { settles, .. } = &mut draft.change else { panic!("not a resolution") };
        settles.retain(|settled| *settled == side);
        assert_eq!(town.write_from(HANINGE, early, draft), Err(Rejection::SettlesUnseen { side }));
    }
    // Nor an event that wrote another field.
    let other = town.write(HUDDINGE, text(town.activity(), TITLE, "Mark")).unwrap();
    let Change::ConflictResolved { entity, field, stands, .. } = draft.change else {
        panic!("not a resolution")
    };
    let change = Change::ConflictResolved { entity, field, settles: vec![other], take: None, stands };
    assert_eq!(town.write(HANINGE, Draft::new(change)), Err(Rejection::SettlesUnseen { side: other }));
}

#[test]
fn a_resolution_says_what_the_side_that_it_takes_says() {
    let mut town = Town::new();
    let (ours, theirs) = quarrel(&mut town);
    let (entity, field) = (town.activity(), COMMENT);
    for stands in [Standing::Cleared, Standing::SealedIn(theirs), Standing::Sealed] {
        let settles = vec![ours.min(theirs), ours.max(theirs)];
        let change = Change::ConflictResolved { entity, field, settles, take: Some(ours), stands };
        assert_eq!(town.write(HANINGE, Draft::new(change)), Err(Rejection::FieldUnfit { entity, field }));
    }
}

#[test]
fn equal_words_in_other_spellings_are_two_sides_of_one_class() {
    let mut town = Town::new();
    let activity = town.activity();
    let (one, two) = (town.look(HUDDINGE), town.look(NACKA));
    let composed = town.write_from(HUDDINGE, one, text(activity, TITLE, "Bost\u{e4}der")).unwrap();
    let decomposed = town.write_from(NACKA, two, text(activity, TITLE, "Bosta\u{308}der")).unwrap();
    assert_eq!(town.sides(activity, TITLE), [composed, decomposed]);
    assert_eq!(
        town.written(decomposed).content,
        Content::Sealed(radslag_core::value::ValueRef { event: decomposed, slot: Slot::TITLE })
    );
    let register = town.state.register(activity, TITLE).unwrap();
    assert!(register.writes().iter().all(|write| write.class == composed));
    assert!(!town.in_conflict(activity, TITLE));
}

#[test]
fn equal_amounts_in_other_words_are_no_conflict_and_other_amounts_are() {
    let mut town = Town::new();
    let activity = town.activity();
    let bases = [HUDDINGE, NACKA, HANINGE].map(|who| town.look(who));
    let cost = |typed| text(activity, COST, typed);
    let one = town.write_from(HUDDINGE, bases[0], cost("5000000 SEK\n50000")).unwrap();
    let two = town.write_from(NACKA, bases[1], cost("5000000 SEK\n50 000 kr")).unwrap();
    assert_eq!(town.sides(activity, COST), [one, two]);
    assert!(!town.in_conflict(activity, COST));
    let three = town.write_from(HANINGE, bases[2], cost("5000001 SEK\n50 000,01")).unwrap();
    let conflict = town.conflict(activity, COST).unwrap();
    assert_eq!(conflict.sides.iter().map(|side| side.event).collect::<Vec<_>>(), [one, two, three]);
    let classes: std::collections::BTreeSet<_> = conflict.sides.iter().map(|side| side.class).collect();
    assert_eq!(classes, [one, three].into());
    let view = view::program(&town.state, &town.past, town.today());
    assert_eq!((view.cost.low, view.cost.high), (5_000_000, 5_000_001));
}

#[test]
fn a_redacted_value_equals_nothing_new() {
    let mut town = Town::new();
    let activity = town.activity();
    let (one, two) = (town.look(HUDDINGE), town.look(NACKA));
    let first = town.write_from(HUDDINGE, one, text(activity, TITLE, "Mark")).unwrap();
    town.past.values.remove(first);
    town.write_from(NACKA, two, text(activity, TITLE, "Mark")).unwrap();
    assert!(town.in_conflict(activity, TITLE));
}

#[test]
fn own_offline_edits_cover_each_other() {
    let mut town = Town::new();
    let activity = town.activity();
    let offline = town.look(NACKA);
    let bodies: Vec<_> = ["Ett", "Två", "Tre"]
        .map(|words| {
            let base = town.devices[NACKA].view();
            assert_eq!(base.position, offline.position);
            town.author(NACKA, base, text(activity, COMMENT, words))
        })
        .into();
    for body in &bodies {
        town.land(body, None).unwrap();
    }
    assert_eq!(town.sides(activity, COMMENT), [bodies[2].event_id]);
    assert!(!town.in_conflict(activity, COMMENT));
}

#[test]
fn two_people_behind_one_device_conflict_with_what_they_did_not_see() {
    let mut town = Town::new();
    let activity = town.activity();
    let form = town.look(NACKA);
    let first = town.write_from(NACKA, form, text(activity, COMMENT, "Anna skriver")).unwrap();
    // The second form was opened before the first was saved.
    let second = town.write_from(NACKA, form, text(activity, COMMENT, "Bo skriver")).unwrap();
    assert_eq!(town.sides(activity, COMMENT), [first, second]);
    assert!(town.in_conflict(activity, COMMENT));
}

#[test]
fn a_restored_log_remembers_what_an_edit_had_seen() {
    let mut town = Town::new();
    let activity = town.activity();
    let cut = town.state.head();
    let seen = town.write(HUDDINGE, text(activity, COMMENT, "Före")).unwrap();
    let old = town.look(NACKA);
    let lost = town.restore(cut);
    let body = lost[0].body().unwrap().clone();
    let stood = radslag_core::record::First { epoch: Default::default(), position: lost[0].position };
    for (first, sides) in [(Some(stood), 1), (None, 2)] {
        let mut town = town.clone();
        town.land(&body, first).unwrap();
        let edit = town.write_from(NACKA, old, text(activity, COMMENT, "Efter")).unwrap();
        // With its old place proved, the edit covers it; without, more sides, never fewer.
        assert_eq!(town.sides(activity, COMMENT), [seen, edit][2 - sides..]);
    }
}

#[test]
fn responsible_is_who_any_side_says_is_and_a_disagreement_is_a_notice() {
    let mut town = Town::new();
    let (activity, party) = (town.activity(), town.parties[1]);
    let (one, two) = (town.look(HUDDINGE), town.look(NACKA));
    town.write_from(HUDDINGE, one, Draft::new(Change::ResponsibleAssigned { activity, party })).unwrap();
    town.write_from(NACKA, two, Draft::new(Change::ResponsibleUnassigned { activity, party })).unwrap();
    assert_eq!(town.sides(activity, FieldKey::Responsible(party)).len(), 2);
    assert!(view::conflicts(&town.state).is_empty());
    let view = view::program(&town.state, &town.past, town.today());
    let (_, _, shown) = view.activities().find(|(_, _, shown)| shown.id == activity).unwrap();
    assert!(shown.responsible.contains(&party));
}

#[test]
fn two_leads_are_a_conflict_and_so_are_two_parents_but_not_two_places_in_one() {
    let mut town = Town::new();
    let activity = town.activity();
    let bases = [town.look(HUDDINGE), town.look(NACKA)];
    for (who, base) in bases.into_iter().enumerate() {
        let value = NewValue::Party(town.parties[who]);
        let lead = Change::FieldRevised { entity: activity, field: FieldKey::Lead, value };
        town.write_from(who, base, Draft::new(lead)).unwrap();
        let key = ["x", "y"][who].to_owned();
        let within = Change::Placed { entity: activity, parent: town.subgoals[1], order_key: key.clone() };
        town.write_from(who, base, Draft::new(within)).unwrap();
        let apart = Change::Placed { entity: town.activities[1], parent: town.subgoals[who], order_key: key };
        town.write_from(who, base, Draft::new(apart)).unwrap();
    }
    assert!(town.in_conflict(activity, FieldKey::Lead));
    assert_eq!(town.sides(activity, FieldKey::Place).len(), 2);
    assert!(!town.in_conflict(activity, FieldKey::Place));
    assert!(town.in_conflict(town.activities[1], FieldKey::Place));
}

#[test]
fn an_edit_to_something_retired_is_kept() {
    let mut town = Town::new();
    let activity = town.activity();
    let offline = town.look(NACKA);
    town.write(HUDDINGE, Draft::new(Change::Retired { entity: activity, merged_into: None })).unwrap();
    let edit = town.write_from(NACKA, offline, text(activity, TITLE, "Ändå")).unwrap();
    assert!(!town.state.lives(activity, town.today()));
    assert_eq!(town.sides(activity, TITLE), [edit]);
    town.write(HUDDINGE, Draft::new(Change::Restored { entity: activity })).unwrap();
    assert!(town.state.lives(activity, town.today()));
    assert_eq!(town.shown(activity, TITLE, town.today()), Some(edit));
}

#[test]
fn a_conflict_that_only_comes_later_is_a_conflict_now() {
    let mut town = Town::new();
    let activity = town.activity();
    let next_year = town.in_days(365);
    let (one, two) = (town.look(HUDDINGE), town.look(NACKA));
    town.write_from(HUDDINGE, one, dated(text(activity, COST, "100 SEK\n1"), next_year)).unwrap();
    town.write_from(NACKA, two, dated(text(activity, COST, "200 SEK\n2"), next_year)).unwrap();
    let register = town.state.register(activity, COST).unwrap();
    assert!(!register.conflict_at(town.today(), town.state.epochs()));
    assert!(town.in_conflict(activity, COST));
}

/// Every conflict that the log shows to be over.
fn over(town: &Town) -> Vec<Ended> {
    let mut state = State::new(town.state.program_id(), Keep::Sides);
    let mut contests = Contests::begin(&state);
    town.log.iter().flat_map(|record| contests.step(&mut state, record)).collect()
}

#[test]
fn a_conflict_that_is_over_names_the_change_that_ended_it() {
    let mut town = Town::new();
    let (ours, _) = quarrel(&mut town);
    let activity = town.activity();
    let first = town.conflict(activity, COMMENT).unwrap().id;
    assert_eq!(over(&town), []);
    // A third side: the first conflict is no more, and there is another one.
    let early = town.devices[HANINGE].views[0];
    let third = town.write_from(HANINGE, early, text(activity, COMMENT, "Aldrig")).unwrap();
    let second = town.conflict(activity, COMMENT).unwrap().id;
    let draft = resolution(&town, &Choice::Take(ours));
    let settled = town.write(HUDDINGE, draft).unwrap();
    let over = over(&town);
    let by = |over: &Ended| over.by.clone().unwrap();
    let ended: Vec<_> = over.iter().map(|over| (over.id, by(over).event, by(over).conflict_after)).collect();
    assert_eq!(ended, [(first, third, true), (second, settled, false)]);
    assert_eq!((by(&over[1]).org, over[1].field), (town.devices[HUDDINGE].org.clone(), COMMENT));
}

#[test]
fn of_two_decisions_at_once_the_first_ended_the_conflict() {
    let mut town = Town::new();
    let (ours, theirs) = quarrel(&mut town);
    let before = town.conflict(town.activity(), COMMENT).unwrap().id;
    let drafts = [ours, theirs].map(|side| resolution(&town, &Choice::Take(side)));
    let bases = [town.look(HUDDINGE), town.look(NACKA)];
    let [one, two] = drafts;
    let first = town.write_from(HUDDINGE, bases[0], one).unwrap();
    town.write_from(NACKA, bases[1], two).unwrap();
    let ended: Vec<_> = over(&town).into_iter().map(|over| (over.id, over.by.unwrap().event)).collect();
    assert_eq!(ended, [(before, first)]);
}

#[test]
fn a_conflict_that_a_date_ended_was_ended_by_nobody() {
    let mut town = Town::new();
    let activity = town.activity();
    let in_a_week = town.in_days(7);
    let bases = [town.look(HUDDINGE), town.look(NACKA)];
    for (who, cost) in [(HUDDINGE, "100 SEK\n1"), (NACKA, "200 SEK\n2")] {
        town.write_from(who, bases[who], text(activity, COST, cost)).unwrap();
    }
    let first = town.conflict(activity, COST).unwrap().id;
    let seen = town.look(HANINGE);
    let dated = dated(text(activity, COST, "300 SEK\n3"), in_a_week);
    let later = town.write_from(HANINGE, seen, dated).unwrap();
    let second = town.conflict(activity, COST).unwrap().id;
    town.pass(10);
    // Somebody else's business shows the new day.
    town.write(HUDDINGE, text(town.activities[1], COMMENT, "Möte")).unwrap();
    assert!(!town.in_conflict(activity, COST));
    let over = over(&town);
    let ended: Vec<_> = over.iter().map(|over| (over.id, over.by.as_ref().map(|by| by.event))).collect();
    assert_eq!(ended, [(first, Some(later)), (second, None)]);
    assert_eq!((over[1].entity, over[1].field, over[1].on), (activity, COST, town.today()));
}

proptest! {
    #![proptest_config(tries(32))]

    #[test]
    fn a_conflict_has_one_id_in_whatever_order_its_sides_are_listed(steps in steps(), turn in any::<prop::sample::Index>()) {
        let town = history(&steps);
        for conflict in view::conflicts(&town.state) {
            let mut sides = conflict.sides.clone();
            sides.reverse();
            prop_assert_eq!(conflict_id(conflict.entity, conflict.field, &sides), conflict.id);
            let by = turn.index(sides.len());
            sides.rotate_left(by);
            prop_assert_eq!(conflict_id(conflict.entity, conflict.field, &sides), conflict.id);
            sides.pop();
            prop_assert_ne!(conflict_id(conflict.entity, conflict.field, &sides), conflict.id);
        }
    }

    #[test]
    fn what_ended_a_conflict_changed_the_field_of_one_that_was_open(steps in steps()) {
        let town = history(&steps);
        let mut state = State::new(town.state.program_id(), Keep::Sides);
        let mut contests = Contests::begin(&state);
        let mut was_open = std::collections::BTreeMap::new();
        for record in &town.log {
            let today = view::conflicts_at(&state, record.recorded_on()).into_iter();
            was_open.extend(today.map(|conflict| (conflict.id, (conflict.entity, conflict.field))));
            let ended = contests.step(&mut state, record);
            let open = view::conflicts(&state);
            for over in ended {
                prop_assert_eq!(was_open.get(&over.id), Some(&(over.entity, over.field)));
                if let Some(by) = over.by {
                    prop_assert_eq!(by.event, record.event_id);
                }
                prop_assert!(open.iter().all(|conflict| conflict.id != over.id));
            }
            let known: Vec<_> = open.iter().map(|conflict| conflict.id).collect();
            prop_assert_eq!(contests.open(), known);
            was_open.extend(open.iter().map(|conflict| (conflict.id, (conflict.entity, conflict.field))));
        }
    }
}

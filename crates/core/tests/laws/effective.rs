//! Life, place and responsibility on the second axis, and what people read on a day: everything that is not retired, in its place,
//! with what is not in force flagged.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use radslag_core::command::{CommandError, Draft, undo};
use radslag_core::event::Change;
use radslag_core::field::FieldKey;
use radslag_core::history::{FieldChange, Told, step_told};
use radslag_core::id::{EntityId, EventId};
use radslag_core::register::Content;
use radslag_core::rejection::Rejection;
use radslag_core::state::{EntityKind, Keep, State};
use radslag_core::time::CivilDate;
use radslag_core::value::Slot;
use radslag_core::view::{self, ProgramView, Standing};

use super::history::{history, steps, tries};
use super::naive::{Line, Naive};
use super::town::{HANINGE, HUDDINGE, NACKA, Town, dated, day, days_of_interest, folded, text};

const COST: FieldKey = FieldKey::Cost;

fn everything(town: &Town) -> State {
    folded(town.state.program_id(), Keep::Everything, &town.log)
}

fn read(town: &Town, day: CivilDate) -> ProgramView {
    view::program(&everything(town), &town.past, day)
}

/// An activity in the view, with the standing of all it stands in, from the outside in.
fn found(view: &ProgramView, id: EntityId) -> Option<(Vec<Standing>, view::ActivityView)> {
    let (area, subgoal, activity) = view.activities().find(|(.., activity)| activity.id == id)?;
    Some((vec![area.standing, subgoal.standing, activity.standing], activity.clone()))
}

fn add_activity(town: &mut Town, from: CivilDate) -> (EntityId, EventId) {
    let activity = town.fresh();
    let (subgoal, order_key) = (town.subgoals[0], "z".to_owned());
    let (responsible, lead) = (vec![town.parties[0]], None);
    let added = Change::ActivityAdded { activity, subgoal, order_key, responsible, lead, source: None };
    let added = Draft::new(added)
        .with_text(Slot::TITLE, "Cykelbana")
        .with_value(Slot::COST, b"100 SEK\n1 kr".to_vec());
    let event = town.write(HUDDINGE, dated(added, from)).unwrap();
    (activity, event)
}

/// What one event changed, told for the day from which it applies.
fn changes(town: &Town, event: EventId) -> Vec<FieldChange> {
    let mut state = State::new(town.state.program_id(), Keep::Everything);
    let all = town.log.iter().flat_map(|record| step_told(&mut state, record, Told::AsApplied));
    all.filter(|change| change.event == event).collect()
}

fn undone(town: &Town, event: EventId) -> Result<Vec<Draft>, CommandError> {
    undo(&everything(town), &town.past, &changes(town, event))
}

#[test]
fn what_is_retired_from_next_year_on_is_there_until_then() {
    let mut town = Town::new();
    let activity = town.activity();
    let next_year = town.in_days(306);
    let retired = Change::Retired { entity: activity, merged_into: None };
    town.write(HUDDINGE, dated(Draft::new(retired), next_year)).unwrap();
    assert!(found(&read(&town, town.in_days(305)), activity).is_some());
    assert!(found(&read(&town, next_year), activity).is_none());
    // Keeping it after all is a decision about that day, too.
    let restored = Draft::new(Change::Restored { entity: activity });
    let needed = town.write(NACKA, restored.clone());
    assert_eq!(
        needed,
        Err(Rejection::DateNeeded { entity: activity, field: FieldKey::Life, latest: next_year })
    );
    town.write(NACKA, dated(restored, next_year)).unwrap();
    assert!(found(&read(&town, next_year), activity).is_some());
}

#[test]
fn a_move_dated_ahead_happens_on_its_day() {
    let mut town = Town::new();
    let (activity, to) = (town.activity(), town.subgoals[1]);
    let moves_on = town.in_days(20);
    let placed = Change::Placed { entity: activity, parent: to, order_key: "5".to_owned() };
    town.write(HUDDINGE, dated(Draft::new(placed), moves_on)).unwrap();
    let parent = |day| {
        let view = read(&town, day);
        view.subgoals().find(|subgoal| subgoal.activities.iter().any(|a| a.id == activity)).map(|s| s.id)
    };
    assert_eq!(parent(town.in_days(19)), Some(town.subgoals[0]));
    assert_eq!(parent(moves_on), Some(to));
}

#[test]
fn a_party_is_responsible_from_its_day_and_while_anybody_says_so() {
    let mut town = Town::new();
    let (activity, party) = (town.activity(), town.parties[1]);
    let (from, until) = (town.in_days(10), town.in_days(40));
    let responsible = |town: &Town, day| {
        let (_, activity) = found(&read(town, day), activity).unwrap();
        activity.responsible.contains(&party)
    };
    let assigned = Draft::new(Change::ResponsibleAssigned { activity, party });
    town.write(HUDDINGE, dated(assigned.clone(), from)).unwrap();
    assert_eq!([9, 10].map(|days| responsible(&town, town.in_days(days))), [false, true]);
    // Two who have not seen each other: one ends it, one repeats it. Any side that says so is enough.
    let (ends, repeats) = (town.look(NACKA), town.look(HANINGE));
    let unassigned = Draft::new(Change::ResponsibleUnassigned { activity, party });
    town.write_from(NACKA, ends, dated(unassigned.clone(), until)).unwrap();
    town.write_from(HANINGE, repeats, dated(assigned, until)).unwrap();
    assert!(responsible(&town, until));
    assert!(view::conflicts_at(&town.state, until).is_empty(), "a disagreement here is a notice");
    town.write(HUDDINGE, dated(unassigned, until)).unwrap();
    assert_eq!([39, 40].map(|days| responsible(&town, town.in_days(days))), [true, false]);
}

#[test]
fn an_addition_dated_ahead_is_flagged_in_place_and_costs_nothing_yet() {
    let mut town = Town::new();
    let next_year = town.in_days(306);
    let before = read(&town, town.today()).cost;
    let (activity, _) = add_activity(&mut town, next_year);
    let today = read(&town, town.today());
    let (standings, shown) = found(&today, activity).expect("it is never dropped");
    assert_eq!(standings, [Standing::InForce, Standing::InForce, Standing::NotYet(next_year)]);
    assert_eq!((shown.title.as_str(), shown.cost.unwrap().raw.as_str()), ("Cykelbana", "1 kr"));
    assert_eq!(shown.responsible, [town.parties[0]]);
    assert_eq!(today.cost, before);
    let then = read(&town, next_year);
    assert_eq!(found(&then, activity).unwrap().0, [Standing::InForce; 3]);
    assert_eq!((then.cost.low, then.cost.activities), (before.low + 100, before.activities + 1));
}

#[test]
fn an_addition_dated_after_its_edits_shows_its_own_values_once_it_is_in_force() {
    let mut town = Town::new();
    let (soon, next_year) = (town.in_days(30), town.in_days(306));
    let (activity, added) = add_activity(&mut town, next_year);
    let needed = town.write(NACKA, text(activity, COST, "200 SEK\n2 kr"));
    assert_eq!(needed, Err(Rejection::DateNeeded { entity: activity, field: COST, latest: next_year }));
    let early = town.write(NACKA, dated(text(activity, COST, "200 SEK\n2 kr"), soon)).unwrap();
    assert_eq!(town.shown(activity, COST, soon), Some(early));
    assert_eq!(town.shown(activity, COST, next_year), Some(added));
    assert!(!town.in_conflict(activity, COST), "it had seen the addition");
    // Until it is in force it is read as it will stand then.
    let (standings, shown) = found(&read(&town, soon), activity).unwrap();
    assert_eq!((standings[2], shown.cost.unwrap().raw.as_str()), (Standing::NotYet(next_year), "1 kr"));
}

#[test]
fn what_stands_in_a_parent_not_yet_in_force_stands_there_all_the_same() {
    let mut town = Town::new();
    let (area, subgoal, activity) = (town.fresh(), town.fresh(), town.fresh());
    let from = town.in_days(90);
    let added = Change::AreaAdded { area, order_key: "x".to_owned(), source: None };
    town.write(HUDDINGE, dated(Draft::new(added).with_text(Slot::TITLE, "Klimat"), from)).unwrap();
    let added = Change::SubgoalAdded { subgoal, area, order_key: "1".to_owned(), source: None };
    town.write(HUDDINGE, dated(Draft::new(added).with_text(Slot::TITLE, "Grönare"), from)).unwrap();
    let order_key = "1".to_owned();
    let added =
        Change::ActivityAdded { activity, subgoal, order_key, responsible: vec![], lead: None, source: None };
    town.write(NACKA, Draft::new(added).with_text(Slot::TITLE, "Cykelbana")).unwrap();
    let today = read(&town, town.today());
    let (standings, shown) = found(&today, activity).unwrap();
    assert_eq!(standings, [Standing::NotYet(from), Standing::NotYet(from), Standing::InForce]);
    assert_eq!(shown.title, "Cykelbana");
    assert_eq!(today.areas.iter().find(|shown| shown.id == area).unwrap().title, "Klimat");
}

#[test]
fn what_is_taken_back_before_its_day_never_comes_into_force() {
    let mut town = Town::new();
    let next_year = town.in_days(306);
    let (activity, added) = add_activity(&mut town, next_year);
    let drafts = undone(&town, added).unwrap();
    assert_eq!(drafts[0].effective_on, Some(next_year), "undone with the date of what is undone");
    town.write(NACKA, drafts[0].clone()).unwrap();
    for days in [0, 305, 306, 1_000] {
        assert!(found(&read(&town, town.in_days(days)), activity).is_none(), "in {days} days");
    }
}

#[test]
fn undoing_a_late_registration_sets_back_what_its_own_day_showed() {
    let mut town = Town::new();
    let activity = town.activity();
    town.write(HUDDINGE, dated(text(activity, COST, "100 SEK\n1"), day("2019-01-01"))).unwrap();
    let current = town.write(HUDDINGE, text(activity, COST, "300 SEK\n3")).unwrap();
    let late = town.write(NACKA, dated(text(activity, COST, "200 SEK\n2"), day("2019-07-01"))).unwrap();
    let [draft] = &undone(&town, late).unwrap()[..] else { panic!("it changed one field") };
    assert_eq!(draft.effective_on, Some(day("2019-07-01")));
    assert_eq!(draft.values, [(Slot::COST, b"100 SEK\n1".to_vec())]);
    let back = town.write(NACKA, draft.clone()).unwrap();
    let state = everything(&town);
    let shown = |day| state.shown(activity, COST, day).map(|write| write.event);
    assert_eq!(shown(day("2019-07-01")), Some(back));
    assert_eq!(shown(town.today()), Some(current));
    // What was undone is not undone again.
    assert!(matches!(undone(&town, late), Err(CommandError::ChangedSince { by, .. }) if by == back));
}

/// What the model says of one activity on a day.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    standing: Standing,
    parent: EntityId,
    responsible: BTreeSet<EntityId>,
    lead: Option<EntityId>,
}

fn shown<'a>(naive: &'a Naive<'_>, key: (EntityId, FieldKey), day: CivilDate) -> Option<&'a Line<'a>> {
    naive.sides(key, day).into_iter().max_by_key(|side| (side.date, side.position))
}

/// Every activity that is not retired, read from the list of records.
fn literally(naive: &Naive<'_>, activities: &[EntityId], day: CivilDate) -> BTreeMap<EntityId, Read> {
    let mut found = BTreeMap::new();
    for id in activities {
        let life = (*id, FieldKey::Life);
        let lives = |day| shown(naive, life, day).map(|line| line.content != retired(line));
        let mut days: Vec<CivilDate> = naive.writes[&life].iter().map(|line| line.date).collect();
        days.sort_unstable();
        let standing = match lives(day) {
            Some(true) => Standing::InForce,
            Some(false) => continue,
            None => match days.into_iter().find(|day| lives(*day) == Some(true)) {
                Some(from) => Standing::NotYet(from),
                None => continue,
            },
        };
        let day = if let Standing::NotYet(from) = standing { from } else { day };
        let place = (*id, FieldKey::Place);
        let placed = shown(naive, place, day).unwrap_or(&naive.writes[&place][0]);
        let Content::Place { parent, .. } = placed.content else { panic!("a place is a place") };
        let lead = match shown(naive, (*id, FieldKey::Lead), day).map(|line| &line.content) {
            Some(Content::Party(party)) => Some(*party),
            _ => None,
        };
        let mut responsible = BTreeSet::new();
        for key in naive.writes.keys().filter(|key| key.0 == *id) {
            let says = |side: &&Line<'_>| side.content == Content::Responsible(true);
            if let FieldKey::Responsible(party) = key.1
                && naive.sides(*key, day).iter().any(says)
            {
                responsible.insert(party);
            }
        }
        found.insert(*id, Read { standing, parent, responsible, lead });
    }
    found
}

/// What a retirement of the same target says.
fn retired(line: &Line<'_>) -> Content {
    let merged_into = if let Content::Life { merged_into, .. } = line.content { merged_into } else { None };
    Content::Life { retired: true, merged_into }
}

proptest! {
    #![proptest_config(tries(48))]

    #[test]
    fn what_people_read_on_any_day_is_the_model_read_literally(steps in steps(), at in any::<prop::sample::Index>()) {
        let town = history(&steps);
        for upto in [1 + at.index(town.log.len()), town.log.len()] {
            let log = &town.log[..upto];
            let state = folded(town.state.program_id(), Keep::Everything, log);
            let naive = Naive::new(log);
            let activities: Vec<EntityId> = state
                .entities()
                .filter(|(_, entity)| entity.kind == EntityKind::Activity)
                .map(|(id, _)| id)
                .collect();
            for day in days_of_interest(log) {
                let view = view::program(&state, &town.past, day);
                let read: BTreeMap<EntityId, Read> = view
                    .activities()
                    .map(|(_, subgoal, activity)| (activity.id, Read {
                        standing: activity.standing,
                        parent: subgoal.id,
                        responsible: activity.responsible.iter().copied().collect(),
                        lead: activity.lead,
                    }))
                    .collect();
                prop_assert_eq!(view.activities().count(), read.len(), "nothing stands twice");
                prop_assert_eq!(read, literally(&naive, &activities, day), "on {}", day);
                for id in &activities {
                    let lives = shown(&naive, (*id, FieldKey::Life), day).is_some_and(|l| l.content != retired(l));
                    prop_assert_eq!(state.lives(*id, day), lives);
                }
            }
        }
    }
}

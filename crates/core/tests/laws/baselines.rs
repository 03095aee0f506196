//! Named points: what may get a name, that a name changes nothing else, and that everybody holds the same ones.

use radslag_core::basis::Basis;
use radslag_core::command::Draft;
use radslag_core::event::Change;
use radslag_core::id::{EpochId, EventId, Position};
use radslag_core::record::First;
use radslag_core::rejection::Rejection;
use radslag_core::state::{Baseline, Keep};
use radslag_core::value::{Slot, Values as _};

use super::town::{HUDDINGE, NACKA, Town, day, folded, text};

fn named(name: &str, epoch: EpochId, position: Position) -> Draft {
    let set = Change::BaselineSet { epoch, position, effective_on: day("2026-07-01") };
    Draft::new(set).with_text(Slot::BASELINE_NAME, name)
}

fn names(town: &Town) -> Vec<String> {
    town.state.baselines().iter().map(|baseline| town.past.text(baseline.name()).unwrap()).collect()
}

#[test]
fn a_name_stands_in_the_log_and_changes_nothing_else() {
    let mut town = Town::new();
    let before = town.state.clone();
    let set = town.write(NACKA, named("Beslutad 2026", EpochId::default(), Position::new(9))).unwrap();
    let [baseline] = town.state.baselines() else { panic!("there is one") };
    assert_eq!((baseline.event, baseline.position.get(), baseline.set_at), (set, 9, town.state.head()));
    assert_eq!((baseline.effective_on, baseline.device), (day("2026-07-01"), town.devices[NACKA].id));
    let entities = |state: &radslag_core::state::State| {
        state.entities().map(|(id, entity)| (id, entity.clone())).collect::<Vec<_>>()
    };
    assert_eq!(entities(&town.state), entities(&before));
    assert_ne!(town.state.hash(), before.hash(), "who holds another name holds another programme");
    assert_eq!(folded(town.state.program_id(), Keep::Everything, &town.log).hash(), town.state.hash());
}

#[test]
fn two_at_once_under_one_name_are_both_kept() {
    let mut town = Town::new();
    let (one, two) = (town.look(HUDDINGE), town.look(NACKA));
    town.write_from(HUDDINGE, one, named("Remiss", EpochId::default(), Position::new(9))).unwrap();
    town.write_from(NACKA, two, named("remiss", EpochId::default(), Position::new(10))).unwrap();
    assert_eq!(names(&town), ["Remiss", "remiss"]);
}

#[test]
fn only_a_point_that_the_log_has_gets_a_name() {
    let mut town = Town::new();
    let head = town.state.head();
    let unknown = EpochId::from_slice(&[7; 16]).unwrap();
    for (epoch, position) in [
        (EpochId::default(), Position::ZERO),
        (EpochId::default(), Position::new(head.get() + 1_000)),
        (unknown, Position::new(1)),
    ] {
        let verdict = town.write(NACKA, named("Aldrig", epoch, position));
        assert_eq!(verdict, Err(Rejection::PointMissing { position }));
    }
    let mut stated = named("Daterad", EpochId::default(), head);
    stated.effective_on = Some(day("2026-01-01"));
    let unfit = Rejection::EffectiveDateUnfit { kind: "baseline_set".to_owned() };
    assert_eq!(town.write(NACKA, stated), Err(unfit), "its day is in the change");
    assert_eq!(names(&town), Vec::<String>::new());
}

#[test]
fn a_point_that_a_restore_took_cannot_be_named_any_more_and_one_before_it_can() {
    let mut town = Town::new();
    let cut = town.state.head();
    let activity = town.activity();
    town.write(HUDDINGE, text(activity, radslag_core::field::FieldKey::Title, "Förlorad")).unwrap();
    let lost_point = town.state.head();
    let named_before = town.write(NACKA, named("Förlorad", EpochId::default(), lost_point)).unwrap();
    let lost = town.restore(cut);
    assert!(town.state.baselines().is_empty());
    let verdict = town.write(HUDDINGE, named("Igen", EpochId::default(), lost_point));
    assert_eq!(verdict, Err(Rejection::PointMissing { position: lost_point }));
    town.write(HUDDINGE, named("Före", EpochId::default(), cut)).unwrap();
    let epoch = town.state.epoch();
    let head = town.state.head();
    town.write(HUDDINGE, named("Efter", epoch, head)).unwrap();
    // What was proved to have stood is not judged again; that its point is gone is seen by whoever asks for it.
    let again = lost.iter().find(|record| record.event_id == named_before).unwrap();
    let first = First { epoch: EpochId::default(), position: again.position };
    town.land(again.body().unwrap(), Some(first)).unwrap();
    assert_eq!(names(&town), ["Före", "Efter", "Förlorad"]);
    let there = |baseline: &Baseline| {
        let on = Some(baseline.effective_on);
        let (epoch, position) = (baseline.epoch, baseline.position);
        Basis { epoch, position, effective_on: on, redactions: 0, view_version: 1 }.is_of(&town.state)
    };
    assert_eq!(town.state.baselines().iter().map(there).collect::<Vec<_>>(), [true, true, false]);
    let events: Vec<EventId> = town.state.baselines().iter().map(|baseline| baseline.event).collect();
    assert_eq!(events[2], named_before);
}

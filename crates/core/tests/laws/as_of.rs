//! What was answered once is answered for ever: both axes against the model read literally.

use proptest::prelude::*;
use radslag_core::state::{Keep, State};

use super::history::{history, steps, tries};
use super::naive::Naive;
use super::town::{days_of_interest, folded};

proptest! {
    #![proptest_config(tries(96))]

    #[test]
    fn every_answer_is_that_of_the_model_read_literally(steps in steps(), at in any::<prop::sample::Index>()) {
        let town = history(&steps);
        let days = days_of_interest(&town.log);
        for upto in [1 + at.index(town.log.len()), town.log.len()] {
            let log = &town.log[..upto];
            let state = folded(town.state.program_id(), Keep::Everything, log);
            let naive = Naive::new(log);
            let held = state.entities().map(|(_, entity)| entity.fields.len()).sum::<usize>();
            prop_assert_eq!(held, naive.writes.len());
            for key in naive.writes.keys() {
                let register = state.register(key.0, key.1).unwrap();
                for day in &days {
                    let sides = register.sides_at(*day, state.epochs());
                    let sides: Vec<_> = sides.iter().map(|side| (side.event, side.class, side.date)).collect();
                    let wanted: Vec<_> =
                        naive.sides(*key, *day).iter().map(|side| (side.event, side.class, side.date)).collect();
                    prop_assert_eq!(sides, wanted, "{:?} on {}", key, day);
                    let shown = state.shown(key.0, key.1, *day).map(|write| write.event);
                    prop_assert_eq!(shown, naive.shown(*key, *day), "{:?} on {}", key, day);
                    let conflict = register.conflict_at(*day, state.epochs());
                    prop_assert_eq!(conflict, naive.conflict(*key, *day), "{:?} on {}", key, day);
                }
                let today = state.today().unwrap();
                let sides = register.sides(today, state.epochs());
                let sides: Vec<_> = sides.iter().map(|side| side.event).collect();
                let wanted: Vec<_> = naive.kept(*key, today).iter().map(|side| side.event).collect();
                prop_assert_eq!(sides, wanted);
            }
        }
    }

    #[test]
    fn a_past_answer_never_changes(steps in steps(), at in any::<prop::sample::Index>()) {
        let town = history(&steps);
        let upto = at.index(town.log.len());
        let program = town.state.program_id();
        // A store hands a reader the whole log; the reader stops at the position it was asked for.
        let mut growing = State::new(program, Keep::Everything);
        let mut answer = None;
        for record in &town.log {
            if growing.head() == town.log[upto].position {
                answer = Some(growing.clone());
            }
            growing.apply(record);
        }
        let answer = answer.unwrap_or(growing);
        let only = folded(program, Keep::Everything, &town.log[..=upto]);
        prop_assert_eq!(&answer, &only);
        prop_assert_eq!(answer.hash(), only.hash());
    }
}

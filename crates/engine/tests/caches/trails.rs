//! The history of one entity from its trail is what walking the log gives, whole and in pages.

use proptest::prelude::*;
use radslag_core::history::{FieldChange, Told, step};
use radslag_core::id::{EntityId, Position};
use radslag_core::state::{Keep, State};
use radslag_engine::trail::{After, changes_of, everything_of, records_of};

use crate::history::{history, steps, tries};
use crate::shelf::Shelf;
use crate::town::folded;

pub(crate) fn walked(shelf: &Shelf, entity: EntityId, upto: usize) -> Vec<FieldChange> {
    let mut state = State::new(shelf.program(), Keep::Sides);
    let changes = shelf.records[..upto].iter().flat_map(|record| step(&mut state, record));
    changes.filter(|change| change.entity == entity).collect()
}

pub(crate) fn in_pages(shelf: &Shelf, entity: EntityId, upto: usize, size: usize) -> Vec<FieldChange> {
    let (mut after, mut all) = (After::default(), Vec::new());
    let upto = Position::new(u64::try_from(upto).unwrap());
    loop {
        let page =
            changes_of(&shelf.log, &shelf.ledger, entity, Told::AsRecorded, upto, after, size).unwrap();
        let Some((_, last)) = page.last() else { return all };
        after = *last;
        all.extend(page.into_iter().map(|(change, _)| change));
    }
}

proptest! {
    #![proptest_config(tries(48))]

    #[test]
    fn a_trail_gives_the_history_of_its_entity(
        steps in steps(),
        at in any::<prop::sample::Index>(),
        size in 1_usize..9,
    ) {
        let town = history(&steps);
        let shelf = Shelf::of(&town);
        for upto in [1 + at.index(town.log.len()), town.log.len()] {
            let whole = folded(shelf.program(), Keep::Everything, &shelf.records[..upto]);
            for (entity, held) in whole.entities() {
                let wanted = walked(&shelf, entity, upto);
                prop_assert_eq!(&in_pages(&shelf, entity, upto, 1_000), &wanted, "{}", entity);
                prop_assert_eq!(&in_pages(&shelf, entity, upto, size), &wanted, "{}", entity);
                let head = Position::new(u64::try_from(upto).unwrap());
                let alone = everything_of(&shelf.log, &shelf.ledger, entity, head).unwrap();
                prop_assert_eq!(alone.entity(entity), Some(held));
                prop_assert!(records_of(&shelf.log, &shelf.ledger, entity, head).unwrap().is_sorted());
            }
        }
    }
}

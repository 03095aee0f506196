//! Opening from a resume point and a tail gives what folding from the first record gives, and keeps every promise of a receipt.

use proptest::prelude::*;
use radslag_core::digest::Digest;
use radslag_engine::ledger::Ledger;

use crate::history::{history, steps, tries};
use crate::shelf::Shelf;

/// Where every event stands, where every rejection stands, and what landing meant, asked of a ledger.
pub(crate) fn keeps_its_promises(shelf: &Shelf, ledger: &Ledger) -> Result<(), TestCaseError> {
    let head = usize::try_from(shelf.head().get()).unwrap();
    let (log, landings) = (&shelf.log, shelf.landings());
    for (record, landing) in shelf.records[..head].iter().zip(landings) {
        let first = shelf.records.iter().find(|other| other.event_id == record.event_id).unwrap();
        prop_assert_eq!(ledger.find(log, record.event_id).unwrap(), Some(first.position));
        if record.body().is_none() {
            let same = |other: &&radslag_core::record::Recorded| {
                other.body().is_none() && other.body_hash == record.body_hash
            };
            let at = ledger.find_declined(log, record.body_hash).unwrap().unwrap();
            prop_assert!(shelf.records.iter().filter(same).any(|other| other.position == at));
        }
        prop_assert_eq!(ledger.landing_of(log, record).unwrap(), landing, "at {}", record.position);
    }
    let stranger = Digest::of(b"nobody");
    prop_assert_eq!(ledger.find_declined(log, stranger).unwrap(), None);
    let id = radslag_core::id::EventId::from_slice(&stranger.bytes()[..16]).unwrap();
    prop_assert_eq!(ledger.find(log, id).unwrap(), None);
    Ok(())
}

pub(crate) fn is_the_same(one: &Ledger, two: &Ledger) -> Result<(), TestCaseError> {
    prop_assert_eq!(&one.state, &two.state);
    prop_assert_eq!(&one.fences, &two.fences);
    prop_assert_eq!(&one.frontier, &two.frontier);
    Ok(())
}

proptest! {
    #![proptest_config(tries(64))]

    #[test]
    fn opening_goes_on_where_it_was(steps in steps(), at in any::<prop::sample::Index>()) {
        let town = history(&steps);
        let mut shelf = Shelf::before(&town);
        shelf.grow_to(1 + at.index(town.log.len()));
        let opened = shelf.opened();
        is_the_same(&opened, &Ledger::replay(&shelf.log, shelf.program()).unwrap())?;
        keeps_its_promises(&shelf, &opened)?;
        // Whoever opened it goes on writing behind.
        shelf.ledger = opened;
        shelf.grow_to(town.log.len());
        is_the_same(&shelf.ledger, &Ledger::replay(&shelf.log, shelf.program()).unwrap())?;
        keeps_its_promises(&shelf, &shelf.ledger)?;
        keeps_its_promises(&shelf, &shelf.opened())?;
    }

    #[test]
    fn a_log_without_caches_gets_them_when_it_is_opened(steps in steps()) {
        let town = history(&steps);
        let mut shelf = Shelf::before(&town);
        shelf.ledger.journal = None;
        shelf.ledger.far = radslag_engine::caches::far::Far::default();
        shelf.grow_to(town.log.len());
        let opened = shelf.opened();
        is_the_same(&opened, &shelf.ledger)?;
        keeps_its_promises(&shelf, &opened)?;
        let written = opened.journal.as_ref().unwrap().written().get();
        prop_assert_eq!(written, shelf.head().get() / 7 * 7);
    }
}

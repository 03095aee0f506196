//! A cache that is missing, damaged, or another's is passed over: answers stay right, and it is made anew.

use proptest::prelude::*;
use radslag_core::as_of::{AsOf, Recorded as Point};
use radslag_core::id::Position;
use radslag_core::state::Keep;
use radslag_engine::as_of::read_at;
use radslag_engine::caches::behind;
use radslag_engine::ledger::Ledger;
use radslag_log::{Commit, EventLog, RowChange, RowKey, RowKind};

use crate::history::{history, steps, tries};
use crate::opening::{is_the_same, keeps_its_promises};
use crate::shelf::Shelf;
use crate::town::{days_of_interest, folded};
use crate::trails::{in_pages, walked};

const KINDS: [RowKind; 7] = [
    RowKind::Index,
    RowKind::State,
    RowKind::StatePart,
    RowKind::Resume,
    RowKind::ResumePart,
    RowKind::Trail,
    RowKind::Backdated,
];

fn all(shelf: &Shelf) -> Vec<(RowKey, Vec<u8>)> {
    let of_kind = |kind| {
        let rows = shelf.log.rows(shelf.program(), kind).unwrap().into_iter();
        rows.map(move |(number, bytes)| (RowKey { program: shelf.program(), kind, number }, bytes))
    };
    KINDS.into_iter().flat_map(of_kind).collect()
}

fn change(shelf: &Shelf, rows: Vec<RowChange>) {
    shelf.log.commit(Commit { appends: Vec::new(), rows }).unwrap();
}

/// Every answer that a cache helps with.
fn answers_right(shelf: &Shelf, ledger: &Ledger, at: usize) -> Result<(), TestCaseError> {
    keeps_its_promises(shelf, ledger)?;
    let upto = 1 + at;
    let whole = folded(shelf.program(), Keep::Everything, &shelf.records[..upto]);
    for day in days_of_interest(&shelf.records) {
        let point = Point::Position(Position::new(u64::try_from(upto).unwrap()));
        let read = read_at(&shelf.log, ledger, AsOf { recorded: point, effective: Some(day) }).unwrap();
        prop_assert_eq!(read.state.hash(), whole.hash());
        for (entity, held) in whole.entities() {
            for (field, register) in &held.fields {
                let short = read.state.register(entity, *field).unwrap();
                let epochs = whole.epochs();
                prop_assert_eq!(short.sides_at(day, epochs), register.sides_at(day, epochs), "{}", day);
            }
        }
    }
    for (entity, _) in whole.entities() {
        prop_assert_eq!(in_pages(shelf, entity, upto, 50), walked(shelf, entity, upto));
    }
    Ok(())
}

proptest! {
    #![proptest_config(tries(64))]

    #[test]
    fn a_damaged_or_missing_cache_changes_no_answer(
        steps in steps(),
        hits in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
        bit in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        gone in any::<bool>(),
    ) {
        let town = history(&steps);
        let mut shelf = Shelf::of(&town);
        let rows = all(&shelf);
        if rows.is_empty() {
            return Ok(());
        }
        let hit = |hit: &prop::sample::Index| {
            let (key, bytes) = &rows[hit.index(rows.len())];
            let mut bytes = bytes.clone();
            if gone || bytes.is_empty() {
                return RowChange::Delete(*key);
            }
            let at = bit.index(bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
            RowChange::Put(*key, bytes)
        };
        change(&shelf, hits.iter().map(hit).collect());
        let at = at.index(town.log.len());
        // Whoever had it open goes on, and so does whoever opens it now.
        answers_right(&shelf, &shelf.ledger, at)?;
        let opened = shelf.opened();
        is_the_same(&opened, &Ledger::replay(&shelf.log, shelf.program()).unwrap())?;
        shelf.ledger = opened;
        answers_right(&shelf, &shelf.ledger, at)?;
        // Made anew, the indexes are what they were; what lies after the point that opening went on from is due anyway.
        behind::write(&shelf.log, &mut shelf.ledger, false).unwrap();
        behind::anew(&shelf.log, &shelf.ledger).unwrap();
        for (key, bytes) in rows.iter().filter(|(key, _)| matches!(key.kind, RowKind::Index | RowKind::Trail | RowKind::Backdated)) {
            prop_assert_eq!(shelf.log.row(*key).unwrap(), Some(bytes.clone()), "{:?}", key);
        }
    }
}

#[test]
fn a_folded_state_that_does_not_read_is_kept_anew_by_who_passes_it() {
    let mut dice = crate::town::Dice(9);
    let steps: Vec<u64> = (0..90).map(|_| dice.roll()).collect();
    let shelf = Shelf::of(&history(&steps));
    let parts = shelf.log.rows(shelf.program(), RowKind::StatePart).unwrap();
    let (number, bytes) = parts[parts.len() / 2].clone();
    let key = RowKey { program: shelf.program(), kind: RowKind::StatePart, number };
    change(&shelf, vec![RowChange::Put(key, b"not a state".to_vec())]);
    let after = Position::new((number >> 12) + 3);
    read_at(&shelf.log, &shelf.ledger, AsOf { recorded: Point::Position(after), effective: None }).unwrap();
    assert_eq!(shelf.log.row(key).unwrap(), Some(bytes));
}

#[test]
fn the_caches_of_another_format_are_made_anew() {
    let mut dice = crate::town::Dice(11);
    let steps: Vec<u64> = (0..90).map(|_| dice.roll()).collect();
    let shelf = Shelf::of(&history(&steps));
    let other = radslag_engine::caches::Pace { chunk: 5, ..crate::shelf::QUICK };
    let opened = Ledger::open_at_pace(&shelf.log, shelf.program(), other).unwrap();
    assert_eq!(opened.state, shelf.ledger.state);
    keeps_its_promises(&shelf, &opened).unwrap();
}

#[test]
fn damage_that_was_met_is_mended_once() {
    let mut town = crate::town::Town::new();
    for number in 0..30 {
        let activity = town.activities[number % 2];
        let edit =
            crate::town::text(activity, radslag_core::field::FieldKey::Comment, &format!("Möte {number}"));
        town.write(crate::town::NACKA, edit).unwrap();
        town.pass(1);
    }
    let mut shelf = Shelf::of(&town);
    let row = |kind, first| RowKey { program: shelf.program(), kind, number: first };
    let (index, trail) = (row(RowKind::Index, 1), row(RowKind::Trail, 8));
    let sound = shelf.log.row(index).unwrap();
    let read = |shelf: &Shelf| {
        let early = Some(crate::town::day("2026-03-02"));
        read_at(&shelf.log, &shelf.ledger, AsOf { recorded: Point::Head, effective: early }).unwrap();
    };
    change(&shelf, vec![RowChange::Delete(index)]);
    shelf.ledger = shelf.opened();
    assert!(behind::keep(&shelf.log, &mut shelf.ledger, false));
    assert_eq!(shelf.log.row(index).unwrap(), None, "nobody has asked for it");
    read(&shelf);
    assert!(behind::keep(&shelf.log, &mut shelf.ledger, false));
    assert_eq!(shelf.log.row(index).unwrap(), sound);
    // The same question meets no damage now: what is missing elsewhere shows that nothing is made anew.
    change(&shelf, vec![RowChange::Delete(trail)]);
    read(&shelf);
    assert!(behind::keep(&shelf.log, &mut shelf.ledger, true));
    assert_eq!(shelf.log.row(trail).unwrap(), None);
}

//! Every byte of the store, version 2: keys, values and the files beside sled's own. What is said here is never changed, only added to.
//!
//! A store is a directory. sled keeps `db`, `conf`, `snap.*` and `blobs/` (always empty) in it; `lock` is held by the one process that has the
//! store open; `acknowledged.0` and `acknowledged.1` are the two slots of the high-water mark (below).
//!
//! # Keys
//! There is one tree. A key is a *stem* and the number of a piece. Integers are big endian, so that keys are sequential within a log.
//!
//! | stem | its bytes once the pieces are joined |
//! |---|---|
//! | `0x00` | sealed: version of the format, u32 |
//! | `0x01 ‖ program(16)` | sealed: `radslag.log.v1.Head` |
//! | `0x02 ‖ program(16) ‖ position u64` | a page of records, the first of them at that position |
//! | `0x03 ‖ program(16) ‖ position u64 ‖ slot u16` | sealed: `radslag.log.v1.Value`; version 1 wrote these, and they are read for ever |
//! | `0x04 ‖ program(16) ‖ position u64` | sealed: `radslag.log.v1.Bundle`; the same |
//! | `0x05 ‖ program(16) ‖ kind u8 ‖ number u64` | sealed: a row |
//! | `0x06 ‖ program(16)` | sealed: generation u64; a log that was rewound has this |
//! | `0x07 ‖ program(16) ‖ position u64 ‖ slot u16` | a page of values, the first of them in that slot of that record |
//! | `0x08 ‖ program(16) ‖ position u64` | a page of bundles, the first of them that position's |
//!
//! A store of version 1 becomes one of version 2 with the first commit after it was opened: what was written stays, under `0x03` and `0x04`, and pages follow it. A position has
//! either the one or the other, and the pages come after all the others.
//!
//! **Pieces.** sled never gets a value over 4 096 bytes. The value under `stem ‖ piece u16` is `pieces u16 ‖ bytes`, with at most 4 094 bytes; pieces
//! are numbered from 0 and each says how many there are. Nothing at all is one piece without bytes.
//!
//! **Sealed** is `crc32(stem ‖ bytes) u32 ‖ bytes`: what was moved to another key does not read.
//!
//! **A page** holds entries of one kind and one commit, ascending, as many as fit one piece, or a single larger one in several. Each entry is
//! `crc32 u32 ‖ position u64 ‖ length u32 ‖ bytes`. In a page of records the bytes are a `radslag.log.v1.Record`, the positions are consecutive, and the checksum
//! is over `program ‖ position ‖ length ‖ bytes`. In the others they are a `radslag.log.v1.Value` or `radslag.log.v1.Bundle`, and the checksum is over
//! `kind u8 ‖ program ‖ position ‖ length ‖ bytes`, the kind being the first byte of the page's key.
//!
//! # The high-water mark
//! A slot is `"radslag/acknowledged/v1\n" ‖ generation u64 ‖ count u32 ‖ count × (program(16) ‖ position u64 ‖ root(32)) ‖ crc32 u32`, the checksum over all
//! before it. The slot with the higher generation counts; the other one is written next, so that a torn write leaves one. A store that ends before a
//! position that its mark names does not open. A rewind writes the generation of the mark that stands under `0x06` in its own batch, and a new mark
//! right after it: a crash between the two leaves a mark of just that generation, which does not bind this log.

use radslag_core::id::{Position, ProgramId};
use radslag_core::value::Slot;
use radslag_log::{LogError, RowKey, RowKind};

/// The version of the format that is written, and the newest that is read.
pub const VERSION: u32 = 2;

/// The most bytes that sled is ever given as one value.
pub const VALUE_LIMIT: usize = 4096;

const FORMAT: u8 = 0;
const HEAD: u8 = 1;
const RECORD: u8 = 2;
const VALUE: u8 = 3;
const BUNDLE: u8 = 4;
const ROW: u8 = 5;
const REWOUND: u8 = 6;
const VALUES: u8 = 7;
const BUNDLES: u8 = 8;

/// What shares pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paged {
    /// Records.
    Records,
    /// Values.
    Values,
    /// Bundles.
    Bundles,
}

impl Paged {
    /// The first byte of the keys of its pages.
    pub const fn number(self) -> u8 {
        match self {
            Self::Records => RECORD,
            Self::Values => VALUES,
            Self::Bundles => BUNDLES,
        }
    }
}

const PROGRAM_END: usize = 17;
const POSITION_END: usize = 25;

/// The stem of the version.
pub fn version() -> Vec<u8> {
    vec![FORMAT]
}

/// What the stems of all heads begin with.
pub fn heads() -> Vec<u8> {
    vec![HEAD]
}

/// The stem of a programme's head.
pub fn head(program: ProgramId) -> Vec<u8> {
    of_program(HEAD, program)
}

/// The stem of the mark that a rewind took the force from.
pub fn rewound(program: ProgramId) -> Vec<u8> {
    of_program(REWOUND, program)
}

/// What the stems of a programme's pages of values begin with.
pub fn all_values(program: ProgramId) -> Vec<u8> {
    of_program(VALUES, program)
}

/// What the stems of a programme's pages of bundles begin with.
pub fn bundles(program: ProgramId) -> Vec<u8> {
    of_program(BUNDLES, program)
}

/// What the stems of a programme's values of version 1 begin with.
pub fn all_single_values(program: ProgramId) -> Vec<u8> {
    of_program(VALUE, program)
}

/// What the stems of a programme's bundles of version 1 begin with.
pub fn single_bundles(program: ProgramId) -> Vec<u8> {
    of_program(BUNDLE, program)
}

/// What the stems of all pages begin with.
pub fn all_records() -> Vec<u8> {
    vec![RECORD]
}

/// What the stems of a programme's pages begin with.
pub fn records(program: ProgramId) -> Vec<u8> {
    of_program(RECORD, program)
}

/// The stem of the page that begins at a position.
pub fn page(program: ProgramId, first: Position) -> Vec<u8> {
    at_position(RECORD, program, first)
}

/// The stem of the page whose first value is in that slot of that record.
pub fn values(program: ProgramId, at: Position, slot: Slot) -> Vec<u8> {
    let mut stem = at_position(VALUES, program, at);
    stem.extend(slot.get().to_be_bytes());
    stem
}

/// The stem of the page whose first bundle is that position's.
pub fn bundle(program: ProgramId, at: Position) -> Vec<u8> {
    at_position(BUNDLES, program, at)
}

/// What the stems of a record's values of version 1 begin with.
pub fn single_values(program: ProgramId, at: Position) -> Vec<u8> {
    at_position(VALUE, program, at)
}

/// The stem of one value of version 1.
pub fn single_value(program: ProgramId, at: Position, slot: Slot) -> Vec<u8> {
    let mut stem = single_values(program, at);
    stem.extend(slot.get().to_be_bytes());
    stem
}

/// The stem of a bundle of version 1.
pub fn single_bundle(program: ProgramId, at: Position) -> Vec<u8> {
    at_position(BUNDLE, program, at)
}

/// What the stems of a programme's rows of one kind begin with.
pub fn rows(program: ProgramId, kind: RowKind) -> Vec<u8> {
    let mut stem = of_program(ROW, program);
    stem.push(kind.number());
    stem
}

/// The stem of a row.
pub fn row(key: RowKey) -> Vec<u8> {
    let mut stem = rows(key.program, key.kind);
    stem.extend(key.number.to_be_bytes());
    stem
}

/// The key of one piece.
pub fn piece(stem: &[u8], number: u16) -> Vec<u8> {
    let mut key = stem.to_vec();
    key.extend(number.to_be_bytes());
    key
}

fn of_program(kind: u8, program: ProgramId) -> Vec<u8> {
    let mut stem = vec![kind];
    stem.extend(program.bytes());
    stem
}

fn at_position(kind: u8, program: ProgramId, at: Position) -> Vec<u8> {
    let mut stem = of_program(kind, program);
    stem.extend(at.get().to_be_bytes());
    stem
}

/// The first key after all that begin with `prefix`.
pub(crate) fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    unreachable!("every key begins with a kind, and no kind is 0xFF")
}

/// The programme that a stem belongs to; none where a stem is too short to say.
pub(crate) fn program_of(stem: &[u8]) -> Option<ProgramId> {
    ProgramId::from_slice(stem.get(1..PROGRAM_END)?)
}

/// The position that a page, value or bundle belongs to.
pub(crate) fn position_of(stem: &[u8]) -> Option<Position> {
    let has_one = matches!(stem.first(), Some(&(RECORD | VALUE | BUNDLE | VALUES | BUNDLES)));
    let bytes = stem.get(PROGRAM_END..POSITION_END)?.try_into().ok()?;
    has_one.then(|| Position::new(u64::from_be_bytes(bytes)))
}

/// The number of a row: the end of its stem.
pub(crate) fn number_of(stem: &[u8]) -> Option<u64> {
    stem.last_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// Damage at the place that a stem names.
pub(crate) fn damaged(stem: &[u8], what: impl Into<String>) -> LogError {
    LogError::Damaged { program: program_of(stem), position: position_of(stem), what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_for_ever() {
        let program = ProgramId::from_slice(&[0xAB; 16]).unwrap();
        let hex = |key: Vec<u8>| key.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let id = "ab".repeat(16);
        let at = Position::new(0x0102);
        assert_eq!(hex(version()), "00");
        assert_eq!(hex(head(program)), format!("01{id}"));
        assert_eq!(hex(page(program, at)), format!("02{id}0000000000000102"));
        assert_eq!(hex(single_value(program, at, Slot::new(9))), format!("03{id}00000000000001020009"));
        assert_eq!(hex(single_bundle(program, at)), format!("04{id}0000000000000102"));
        assert_eq!(hex(values(program, at, Slot::new(9))), format!("07{id}00000000000001020009"));
        assert_eq!(hex(bundle(program, at)), format!("08{id}0000000000000102"));
        let key = RowKey { program, kind: RowKind::Quarantine, number: 7 };
        assert_eq!(hex(row(key)), format!("05{id}020000000000000007"));
        assert_eq!(hex(rewound(program)), format!("06{id}"));
        assert_eq!(hex(piece(&head(program), 258)), format!("01{id}0102"));
    }

    #[test]
    fn stems_say_where_they_belong() {
        let program = ProgramId::from_slice(&[3; 16]).unwrap();
        let at = Position::new(77);
        for stem in [single_value(program, at, Slot::new(1)), values(program, at, Slot::new(1))] {
            assert_eq!((program_of(&stem), position_of(&stem)), (Some(program), Some(at)));
        }
        let key = RowKey { program, kind: RowKind::Outbox, number: 5 };
        assert_eq!((position_of(&row(key)), number_of(&row(key))), (None, Some(5)));
        assert_eq!((program_of(&version()), position_of(&version())), (None, None));
    }

    #[test]
    fn the_end_of_a_prefix_lies_after_it_all() {
        assert_eq!(after(&[2, 7]), [2, 8]);
        assert_eq!(after(&[2, 0xFF, 0xFF]), [3]);
    }
}

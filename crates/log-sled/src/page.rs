//! How entries share a page, and how each proves its place when it is read.

use prost::Message as _;
use prost::bytes::Bytes;
use radslag_core::id::{Position, ProgramId};
use radslag_core::value::Slot;
use radslag_log::{LogError, check};
use radslag_proto::log::v1;

use crate::format::{self, Paged};
use crate::pieces::PIECE;

const SHORT: &str = "the page ends within an entry";

/// A page to be stored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// The stem that it is stored under.
    pub(crate) stem: Vec<u8>,
    /// Its entries.
    pub(crate) bytes: Vec<u8>,
}

/// Pages that are being filled with entries of one kind, as many as fit a piece each; an entry that is larger gets a page of its own.
struct Packing {
    kind: Paged,
    program: ProgramId,
    pages: Vec<Page>,
}

impl Packing {
    fn new(kind: Paged, program: ProgramId) -> Self {
        Self { kind, program, pages: Vec::new() }
    }

    fn add(&mut self, stem: impl FnOnce() -> Vec<u8>, position: u64, message: &impl prost::Message) {
        let len = message.encoded_len();
        let page = match self.pages.last_mut() {
            Some(page) if page.bytes.len() + HEADER + len <= PIECE => page,
            _ => {
                self.pages.push(Page { stem: stem(), bytes: Vec::with_capacity(PIECE.min(HEADER + len)) });
                self.pages.last_mut().expect("one was pushed a line above")
            }
        };
        put_entry(&mut page.bytes, self.kind, self.program, position, message);
    }
}

/// What stands before the bytes of an entry: checksum, position, length.
const HEADER: usize = 4 + 8 + 4;

fn put_entry(
    page: &mut Vec<u8>,
    kind: Paged,
    program: ProgramId,
    position: u64,
    message: &impl prost::Message,
) {
    let begin = page.len();
    let len = u32::try_from(message.encoded_len()).expect("a commit is far smaller than 4 GiB");
    page.extend([0; 4]);
    page.extend(position.to_be_bytes());
    page.extend(len.to_be_bytes());
    message.encode(page).expect("a vector takes as much as there is memory");
    let sum = checksum(kind, program, &page[begin + 4..]);
    page[begin..begin + 4].copy_from_slice(&sum.to_be_bytes());
}

/// The checksum of an entry: over its place and all of it that follows the checksum itself.
fn checksum(kind: Paged, program: ProgramId, entry: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    match kind {
        // Pages of records are older than the other kinds.
        Paged::Records => {}
        Paged::Values | Paged::Bundles => hasher.update(&[kind.number()]),
    }
    hasher.update(program.bytes());
    hasher.update(entry);
    hasher.finalize()
}

/// The pages of consecutive records.
pub(crate) fn pack<'a>(program: ProgramId, records: impl IntoIterator<Item = &'a v1::Record>) -> Vec<Page> {
    let mut packing = Packing::new(Paged::Records, program);
    for record in records {
        let stem = || format::page(program, Position::new(record.position));
        packing.add(stem, record.position, record);
    }
    packing.pages
}

/// The pages of values, which ascend by position and slot.
pub(crate) fn pack_values<'a>(
    program: ProgramId,
    values: impl IntoIterator<Item = (Position, &'a v1::Value)>,
) -> Vec<Page> {
    let mut packing = Packing::new(Paged::Values, program);
    for (at, value) in values {
        let slot = u16::try_from(value.slot).expect("the commit was checked: a slot has 16 bits");
        packing.add(|| format::values(program, at, Slot::new(slot)), at.get(), value);
    }
    packing.pages
}

/// The pages of bundles, which ascend.
pub(crate) fn pack_bundles<'a>(
    program: ProgramId,
    bundles: impl IntoIterator<Item = &'a v1::Bundle>,
) -> Vec<Page> {
    let mut packing = Packing::new(Paged::Bundles, program);
    for bundle in bundles {
        let stem = || format::bundle(program, Position::new(bundle.position));
        packing.add(stem, bundle.position, bundle);
    }
    packing.pages
}

/// Reads all records of the page that begins at `first`; at least one.
pub(crate) fn unpack(
    program: ProgramId,
    first: Position,
    mut page: &[u8],
) -> Result<Vec<v1::Record>, LogError> {
    let mut records = Vec::new();
    let mut at = first;
    while !page.is_empty() || records.is_empty() {
        let (record, rest) =
            take_record(program, at, page).map_err(|what| LogError::damaged_at(program, at, what))?;
        records.push(record);
        page = rest;
        at = at.next();
    }
    Ok(records)
}

fn take_record(program: ProgramId, at: Position, page: &[u8]) -> Result<(v1::Record, &[u8]), &'static str> {
    let (position, bytes, rest) = take_entry(Paged::Records, program, page)?;
    let record = v1::Record::decode(bytes).map_err(|_| "the record does not decode")?;
    if position != at || record.position != position.get() {
        return Err("the record is in the place of another");
    }
    check::record(&record)?;
    Ok((record, rest))
}

fn take_entry(
    kind: Paged,
    program: ProgramId,
    page: &[u8],
) -> Result<(Position, &[u8], &[u8]), &'static str> {
    let (sum, checked) = page.split_first_chunk().ok_or(SHORT)?;
    let (position, rest) = checked.split_first_chunk().ok_or(SHORT)?;
    let (len, rest) = rest.split_first_chunk().ok_or(SHORT)?;
    let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| SHORT)?;
    let (bytes, rest) = rest.split_at_checked(len).ok_or(SHORT)?;
    let entry = &checked[..checked.len() - rest.len()];
    if checksum(kind, program, entry) != u32::from_be_bytes(*sum) {
        return Err("the checksum of an entry differs");
    }
    Ok((Position::new(u64::from_be_bytes(*position)), bytes, rest))
}

/// An entry as it is stored: its position and its message, encoded.
pub(crate) type Entry = (Position, Bytes);

/// Reads the entries of the page under `stem` that are `wanted`, without looking into them. All of the page is held against its
/// checksums: an entry whose place is damaged must not be taken for one that is not there.
pub(crate) fn entries(
    kind: Paged,
    program: ProgramId,
    stem: &[u8],
    page: Vec<u8>,
    wanted: impl Fn(Position) -> bool,
) -> Result<Vec<Entry>, LogError> {
    let misplaced = || format::damaged(stem, "the page is in the place of another");
    let page = Bytes::from(page);
    let mut entries: Vec<Entry> = Vec::new();
    let (mut rest, mut last) = (&page[..], None);
    while !rest.is_empty() {
        let (position, bytes, after) =
            take_entry(kind, program, rest).map_err(|what| format::damaged(stem, what))?;
        let slot = match kind {
            Paged::Values => OfValue::decode(bytes).map_err(|_| misplaced())?.slot,
            Paged::Records | Paged::Bundles => 0,
        };
        let in_place = match last {
            None => stem == stem_of(kind, program, position, slot),
            Some(last) => last < (position, slot),
        };
        if !in_place {
            return Err(misplaced());
        }
        if wanted(position) {
            entries.push((position, page.slice_ref(bytes)));
        }
        (rest, last) = (after, Some((position, slot)));
    }
    if last.is_none() { Err(format::damaged(stem, "the page is empty")) } else { Ok(entries) }
}

/// What is read of a value to know its place. Decoding it copies nothing.
#[derive(Clone, PartialEq, prost::Message)]
struct OfValue {
    #[prost(uint32, tag = "1")]
    slot: u32,
}

/// The stem of the page that begins with an entry.
fn stem_of(kind: Paged, program: ProgramId, position: Position, slot: u32) -> Vec<u8> {
    match kind {
        Paged::Records => format::page(program, position),
        Paged::Bundles => format::bundle(program, position),
        // A number that is no slot is on no stem.
        Paged::Values => {
            let slot = u16::try_from(slot).unwrap_or_default();
            format::values(program, position, Slot::new(slot))
        }
    }
}

/// The value of an entry.
pub(crate) fn value(program: ProgramId, (at, bytes): &Entry) -> Result<v1::Value, LogError> {
    let wrong = |what| LogError::damaged_at(program, *at, what);
    let value = v1::Value::decode(&bytes[..]).map_err(|_| wrong("the value does not decode"))?;
    check::value(&value).map_err(wrong)?;
    Ok(value)
}

/// The bundle of an entry.
pub(crate) fn bundle(program: ProgramId, (at, bytes): &Entry) -> Result<v1::Bundle, LogError> {
    let wrong = |what| LogError::damaged_at(program, *at, what);
    let bundle = v1::Bundle::decode(&bytes[..]).map_err(|_| wrong("the bundle does not decode"))?;
    check::bundle(&bundle).map_err(wrong)?;
    if bundle.position == at.get() { Ok(bundle) } else { Err(wrong("the bundle is in the place of another")) }
}

#[cfg(test)]
mod tests {
    use radslag_log::conformance::sample;

    use super::*;

    fn program() -> ProgramId {
        sample::program(1)
    }

    fn first(page: &Page) -> Position {
        format::position_of(&page.stem).unwrap()
    }

    fn records(sizes: &[usize]) -> Vec<v1::Record> {
        let records = sizes.iter().map(|size| sample::accepted(*size)).collect();
        sample::append(program(), None, records).records.into_iter().map(|stored| stored.record).collect()
    }

    #[test]
    fn small_records_share_a_page_and_a_large_one_stands_alone() {
        let records = records(&[300, 300, 300, 9_000, 10, 3_800, 300]);
        let pages = pack(program(), &records);
        let firsts: Vec<u64> = pages.iter().map(|page| first(page).get()).collect();
        assert_eq!(firsts, [1, 4, 5, 7]);
        let read = pages.iter().flat_map(|page| unpack(program(), first(page), &page.bytes).unwrap());
        assert!(read.eq(records));
    }

    #[test]
    fn a_page_that_is_full_to_the_byte_is_one_piece() {
        let spare = PIECE - pack(program(), &records(&[3_000]))[0].bytes.len();
        let full = pack(program(), &records(&[3_000 + spare]));
        assert_eq!((full.len(), full[0].bytes.len()), (1, PIECE));
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_page_is_damage() {
        let page = pack(program(), &records(&[3, 40])).remove(0);
        for bit in 0..page.bytes.len() * 8 {
            let mut bytes = page.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let answer = unpack(program(), first(&page), &bytes);
            assert!(matches!(answer, Err(LogError::Damaged { .. })), "bit {bit}");
        }
    }

    fn values() -> Vec<(Position, v1::Value)> {
        let value = |slot, len| v1::Value { slot, salt: vec![7; 16], bytes: vec![3; len] };
        let at = Position::new;
        vec![(at(5), value(1, 9)), (at(5), value(9, 20)), (at(8), value(2, 0))]
    }

    fn page_of_values(values: &[(Position, v1::Value)]) -> Page {
        let mut pages = pack_values(program(), values.iter().map(|(at, value)| (*at, value)));
        assert_eq!(pages.len(), 1);
        pages.remove(0)
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_page_of_values_is_damage_whatever_is_asked() {
        let page = page_of_values(&values());
        let whole = entries(Paged::Values, program(), &page.stem, page.bytes.clone(), |_| true).unwrap();
        let read = whole.iter().map(|entry| (entry.0, value(program(), entry).unwrap()));
        assert!(read.eq(values()));
        for bit in 0..page.bytes.len() * 8 {
            let mut bytes = page.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let answer = entries(Paged::Values, program(), &page.stem, bytes, |at| at == Position::new(5));
            assert!(matches!(answer, Err(LogError::Damaged { .. })), "bit {bit}");
        }
    }

    #[test]
    fn a_page_of_values_proves_its_slot_its_order_and_its_kind() {
        let page = page_of_values(&values());
        let other = format::values(program(), Position::new(5), Slot::new(9));
        assert!(entries(Paged::Values, program(), &other, page.bytes.clone(), |_| true).is_err());
        assert!(entries(Paged::Bundles, program(), &page.stem, page.bytes, |_| true).is_err());
        let twice = page_of_values(&[values()[0].clone(), values()[0].clone()]);
        assert!(entries(Paged::Values, program(), &twice.stem, twice.bytes, |_| true).is_err());
        assert!(entries(Paged::Values, program(), &other, Vec::new(), |_| true).is_err());
    }

    #[test]
    fn a_page_under_another_key_or_cut_short_is_damage() {
        let page = pack(program(), &records(&[3, 40])).remove(0);
        assert!(unpack(program(), Position::new(2), &page.bytes).is_err());
        assert!(unpack(sample::program(2), first(&page), &page.bytes).is_err());
        assert!(unpack(program(), first(&page), &page.bytes[..page.bytes.len() - 1]).is_err());
        assert!(unpack(program(), first(&page), &[]).is_err());
    }
}

//! How records share a page, and how each proves its place when it is read.

use prost::Message as _;
use radslag_core::id::{Position, ProgramId};
use radslag_log::{LogError, StoredRecord, check};
use radslag_proto::log::v1;

use crate::pieces::PIECE;

/// A page to be stored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// The position of its first record.
    pub(crate) first: Position,
    /// Its entries.
    pub(crate) bytes: Vec<u8>,
}

/// Packs consecutive records into as few pages as fit a piece each; a record that is larger gets a page of its own.
pub(crate) fn pack(program: ProgramId, records: &[StoredRecord]) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    for stored in records {
        let entry = entry(program, &stored.record);
        match pages.last_mut() {
            Some(page) if page.bytes.len() + entry.len() <= PIECE => page.bytes.extend(entry),
            _ => pages.push(Page { first: Position::new(stored.record.position), bytes: entry }),
        }
    }
    pages
}

fn entry(program: ProgramId, record: &v1::Record) -> Vec<u8> {
    let bytes = record.encode_to_vec();
    let len = u32::try_from(bytes.len()).expect("a commit is far smaller than 4 GiB");
    let sum = checksum(program, record.position, len, &bytes);
    let mut entry = sum.to_be_bytes().to_vec();
    entry.extend(record.position.to_be_bytes());
    entry.extend(len.to_be_bytes());
    entry.extend(bytes);
    entry
}

fn checksum(program: ProgramId, position: u64, len: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(program.bytes());
    hasher.update(&position.to_be_bytes());
    hasher.update(&len.to_be_bytes());
    hasher.update(bytes);
    hasher.finalize()
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
            take_entry(program, at, page).map_err(|what| LogError::damaged_at(program, at, what))?;
        records.push(record);
        page = rest;
        at = at.next();
    }
    Ok(records)
}

fn take_entry(program: ProgramId, at: Position, page: &[u8]) -> Result<(v1::Record, &[u8]), &'static str> {
    const SHORT: &str = "the page ends within a record";
    let (sum, rest) = page.split_first_chunk().ok_or(SHORT)?;
    let (position, rest) = rest.split_first_chunk().ok_or(SHORT)?;
    let (len, rest) = rest.split_first_chunk().ok_or(SHORT)?;
    let (position, len) = (u64::from_be_bytes(*position), u32::from_be_bytes(*len));
    let bytes = usize::try_from(len).ok().and_then(|len| rest.get(..len)).ok_or(SHORT)?;
    if checksum(program, position, len, bytes) != u32::from_be_bytes(*sum) {
        return Err("the checksum of the record differs");
    }
    let record = v1::Record::decode(bytes).map_err(|_| "the record does not decode")?;
    if position != at.get() || record.position != position {
        return Err("the record is in the place of another");
    }
    check::record(&record)?;
    Ok((record, &rest[bytes.len()..]))
}

#[cfg(test)]
mod tests {
    use radslag_log::conformance::sample;

    use super::*;

    fn program() -> ProgramId {
        sample::program(1)
    }

    fn records(sizes: &[usize]) -> Vec<StoredRecord> {
        let records = sizes.iter().map(|size| sample::accepted(*size)).collect();
        sample::append(program(), None, records).records
    }

    #[test]
    fn small_records_share_a_page_and_a_large_one_stands_alone() {
        let records = records(&[300, 300, 300, 9_000, 10, 3_800, 300]);
        let pages = pack(program(), &records);
        let firsts: Vec<u64> = pages.iter().map(|page| page.first.get()).collect();
        assert_eq!(firsts, [1, 4, 5, 7]);
        let read = pages.iter().flat_map(|page| unpack(program(), page.first, &page.bytes).unwrap());
        assert!(read.eq(records.into_iter().map(|stored| stored.record)));
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
            let answer = unpack(program(), page.first, &bytes);
            assert!(matches!(answer, Err(LogError::Damaged { .. })), "bit {bit}");
        }
    }

    #[test]
    fn a_page_under_another_key_or_cut_short_is_damage() {
        let page = pack(program(), &records(&[3, 40])).remove(0);
        assert!(unpack(program(), Position::new(2), &page.bytes).is_err());
        assert!(unpack(sample::program(2), page.first, &page.bytes).is_err());
        assert!(unpack(program(), page.first, &page.bytes[..page.bytes.len() - 1]).is_err());
        assert!(unpack(program(), page.first, &[]).is_err());
    }
}

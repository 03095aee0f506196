//! How bytes of any length become values of at most 4 KiB, and what proves on the way back that they are whole and in their place.

use radslag_log::LogError;

use crate::format::{VALUE_LIMIT, damaged};

const COUNT: usize = 2;

/// The most bytes of one piece.
pub(crate) const PIECE: usize = VALUE_LIMIT - COUNT;

/// Puts a checksum over stem and bytes before the bytes.
pub(crate) fn seal(stem: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut sealed = checksum(stem, bytes).to_be_bytes().to_vec();
    sealed.extend(bytes);
    sealed
}

/// Takes the checksum off again, if it is right.
pub(crate) fn unseal<'a>(stem: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], LogError> {
    match sealed.split_first_chunk() {
        Some((sum, bytes)) if u32::from_be_bytes(*sum) == checksum(stem, bytes) => Ok(bytes),
        _ => Err(damaged(stem, "the checksum differs")),
    }
}

fn checksum(stem: &[u8], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(stem);
    hasher.update(bytes);
    hasher.finalize()
}

/// Cuts bytes into the values to store, in order.
pub(crate) fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let count = bytes.len().div_ceil(PIECE).max(1);
    let count = u16::try_from(count).expect("a commit is far smaller than 65 535 pieces").to_be_bytes();
    let framed = |chunk: &[u8]| [&count, chunk].concat();
    if bytes.is_empty() { vec![framed(&[])] } else { bytes.chunks(PIECE).map(framed).collect() }
}

/// Collects the pieces of one stem in order.
#[derive(Debug)]
pub(crate) struct Joining {
    stem: Vec<u8>,
    bytes: Vec<u8>,
    taken: u16,
    count: u16,
}

impl Joining {
    /// Begins with the piece under `key`, which must be the first of its stem.
    pub(crate) fn begin(key: &[u8], value: &[u8]) -> Result<Self, LogError> {
        let (stem, number) = take_apart(key)?;
        let mut joining = Self { stem: stem.to_vec(), bytes: Vec::new(), taken: 0, count: 0 };
        let (count, _) = framed(stem, value)?;
        joining.count = count;
        joining.add_numbered(number, value)?;
        Ok(joining)
    }

    /// Adds the next piece.
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), LogError> {
        let (stem, number) = take_apart(key)?;
        if stem != self.stem {
            return Err(self.missing());
        }
        self.add_numbered(number, value)
    }

    fn add_numbered(&mut self, number: u16, value: &[u8]) -> Result<(), LogError> {
        let (count, chunk) = framed(&self.stem, value)?;
        if number != self.taken || count != self.count || count == 0 {
            return Err(self.missing());
        }
        self.bytes.extend(chunk);
        self.taken += 1;
        Ok(())
    }

    /// Whether all pieces are there.
    pub(crate) fn is_whole(&self) -> bool {
        self.taken == self.count
    }

    /// The error for a piece that is not where it should be.
    pub(crate) fn missing(&self) -> LogError {
        damaged(&self.stem, format!("piece {} of {} is missing", self.taken, self.count))
    }

    /// The stem and the joined bytes.
    pub(crate) fn finish(self) -> (Vec<u8>, Vec<u8>) {
        (self.stem, self.bytes)
    }
}

/// A key's stem and the number of its piece.
pub(crate) fn take_apart(key: &[u8]) -> Result<(&[u8], u16), LogError> {
    let (stem, number) = key.split_last_chunk().ok_or_else(|| damaged(key, "a key is too short"))?;
    Ok((stem, u16::from_be_bytes(*number)))
}

fn framed<'a>(stem: &[u8], value: &'a [u8]) -> Result<(u16, &'a [u8]), LogError> {
    let (count, chunk) = value.split_first_chunk().ok_or_else(|| damaged(stem, "a piece is too short"))?;
    Ok((u16::from_be_bytes(*count), chunk))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format;

    fn join(stem: &[u8], values: &[(u16, Vec<u8>)]) -> Result<Vec<u8>, LogError> {
        let key = |number| format::piece(stem, number);
        let mut joining = Joining::begin(&key(values[0].0), &values[0].1)?;
        for (number, value) in &values[1..] {
            joining.add(&key(*number), value)?;
        }
        if joining.is_whole() { Ok(joining.finish().1) } else { Err(joining.missing()) }
    }

    fn numbered(bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
        (0..).zip(split(bytes)).collect()
    }

    #[test]
    fn every_length_is_cut_and_joined() {
        for len in [0, 1, 4093, 4094, 4095, 4096, 4097, 8188, 8189, 65_535, 65_536, 524_288] {
            let bytes: Vec<u8> = (0..len).map(|i: usize| i.to_be_bytes()[7] ^ i.to_be_bytes()[6]).collect();
            let pieces = numbered(&bytes);
            assert!(pieces.iter().all(|(_, value)| value.len() <= VALUE_LIMIT), "{len}");
            assert_eq!(pieces.len(), len.div_ceil(PIECE).max(1), "{len}");
            assert_eq!(join(b"stem", &pieces).unwrap(), bytes, "{len}");
        }
    }

    #[test]
    fn a_missing_swapped_or_foreign_piece_is_damage() {
        let pieces = numbered(&[5; 10_000]);
        let [a, b, c] = [&pieces[0], &pieces[1], &pieces[2]].map(Clone::clone);
        for wrong in [vec![a.clone(), b.clone()], vec![a.clone(), c.clone()], vec![b.clone(), c.clone()]] {
            assert!(join(b"stem", &wrong).is_err());
        }
        let of_another_write = (1, numbered(&[5; 5_000])[1].1.clone());
        assert!(join(b"stem", &[a, of_another_write, c]).is_err());
        assert!(join(b"stem", &[(0, vec![0, 0])]).is_err());
        assert!(join(b"stem", &[(0, vec![1])]).is_err());
    }

    #[test]
    fn a_seal_holds_for_its_stem_alone() {
        let sealed = seal(b"stem", b"bytes");
        assert_eq!(unseal(b"stem", &sealed).unwrap(), b"bytes");
        assert!(unseal(b"stem2", &sealed).is_err());
        assert!(unseal(b"stem", &sealed[..3]).is_err());
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(b"stem", &flipped).is_err(), "bit {bit}");
        }
    }
}

//! What every store checks: the shape of a commit before it is taken, and of a message when it is read back.
//!
//! Only what a store itself leans on is judged here: lengths, positions, slots, and that head, frontier and root belong together.
//! Signatures, digests of values and the meaning of bodies are others' business.

use std::collections::{BTreeMap, BTreeSet};

use radslag_core::digest::{Digest, Hasher};
use radslag_core::id::{Position, ProgramId};
use radslag_proto::log::v1;

use crate::contract::{Append, Commit, MAX_COMMIT_BYTES, Rewind};
use crate::error::LogError;

/// Checks a whole commit against the heads that stand, and gives the heads that will stand after it, one for each programme that
/// grows. `head_of` is asked once for each of them.
pub fn commit(
    commit: &Commit,
    mut head_of: impl FnMut(ProgramId) -> Result<Option<v1::Head>, LogError>,
) -> Result<BTreeMap<ProgramId, v1::Head>, LogError> {
    let bytes = commit.bytes();
    if bytes > MAX_COMMIT_BYTES {
        return Err(LogError::TooLarge { bytes, limit: MAX_COMMIT_BYTES });
    }
    let mut heads: BTreeMap<ProgramId, v1::Head> = BTreeMap::new();
    for append in &commit.appends {
        let standing = match heads.get(&append.program) {
            Some(head) => Some(head.position),
            None => head_of(append.program)?.map(|head| head.position),
        };
        check_append(append, standing.unwrap_or(0))?;
        heads.insert(append.program, append.head.clone());
    }
    Ok(heads)
}

/// Checks a rewind against the head that stands and the record that is to be the last one.
pub fn rewind(
    rewind: &Rewind,
    standing: Option<&v1::Head>,
    last: Option<&v1::Record>,
) -> Result<(), LogError> {
    let bytes = rewind.bytes();
    if bytes > MAX_COMMIT_BYTES {
        return Err(LogError::TooLarge { bytes, limit: MAX_COMMIT_BYTES });
    }
    let program = rewind.program;
    let malformed = |what: &str| LogError::Malformed { program, what: what.to_owned() };
    let standing = standing.map_or(0, |head| head.position);
    if rewind.head.position >= standing {
        let (expected, got) = (Position::new(standing), Position::new(rewind.head.position));
        return Err(LogError::OutOfOrder { program, expected, got });
    }
    let last = last.ok_or_else(|| malformed("the record at the new head is missing"))?;
    head_after(&rewind.head, last).map_err(malformed)?;
    frontier_root(&rewind.head).map(|_| ()).ok_or_else(|| malformed("the frontier has no root"))
}

fn check_append(append: &Append, standing: u64) -> Result<(), LogError> {
    let malformed = |what: String| LogError::Malformed { program: append.program, what };
    let Some(last) = append.records.last() else {
        return Err(malformed("it appends no record".to_owned()));
    };
    let mut expected = Position::new(standing).next();
    let first = expected;
    for stored in &append.records {
        let got = Position::new(stored.record.position);
        if got != expected {
            return Err(LogError::OutOfOrder { program: append.program, expected, got });
        }
        record(&stored.record).map_err(|what| malformed(format!("position {got}: {what}")))?;
        check_values(&stored.values).map_err(|what| malformed(format!("position {got}: {what}")))?;
        expected = expected.next();
    }
    let range = first.get()..=last.record.position;
    let mut begun = BTreeSet::new();
    for signed in &append.bundles {
        if !begun.insert(signed.position) {
            return Err(malformed(format!("two bundles begin at {}", signed.position)));
        }
        bundle(signed).map_err(|what| malformed(format!("bundle at {}: {what}", signed.position)))?;
        if !range.contains(&signed.position) {
            return Err(malformed(format!("the bundle at {} begins at no record here", signed.position)));
        }
    }
    head_after(&append.head, &last.record).map_err(|what| malformed(what.to_owned()))?;
    if frontier_root(&append.head) != Some(append.root) {
        return Err(malformed("the root is not what the frontier adds up to".to_owned()));
    }
    Ok(())
}

fn check_values(values: &[v1::Value]) -> Result<(), &'static str> {
    let mut slots = BTreeSet::new();
    for one in values {
        value(one)?;
        if !slots.insert(one.slot) {
            return Err("a slot holds two values");
        }
    }
    Ok(())
}

/// Checks the lengths and numbers of one record; the error says what is wrong.
pub fn record(record: &v1::Record) -> Result<(), &'static str> {
    if record.position == 0 {
        return Err("a record has no position");
    }
    if record.event_id.len() != 16 {
        return Err("an event id is not 16 bytes");
    }
    if record.body_hash.len() != 32 {
        return Err("a body hash is not 32 bytes");
    }
    match v1::Outcome::try_from(record.outcome) {
        Ok(v1::Outcome::Accepted) => Ok(()),
        Ok(v1::Outcome::Rejected) if record.body.is_empty() => Ok(()),
        Ok(v1::Outcome::Rejected) => Err("a rejected record has a body"),
        Ok(v1::Outcome::Unspecified) | Err(_) => Err("a record has no known outcome"),
    }
}

/// Checks the lengths and numbers of one bundle.
pub fn bundle(bundle: &v1::Bundle) -> Result<(), &'static str> {
    if bundle.position == 0 {
        return Err("a bundle has no position");
    }
    if bundle.device_id.len() != 16 {
        return Err("a device id is not 16 bytes");
    }
    if bundle.signature.len() != 64 {
        return Err("a signature is not 64 bytes");
    }
    if bundle.absent.iter().any(|member| member.body_hash.len() != 32) {
        return Err("the body hash of an absent member is not 32 bytes");
    }
    Ok(())
}

/// Checks the lengths and numbers of one value.
pub fn value(value: &v1::Value) -> Result<(), &'static str> {
    if value.slot == 0 || u16::try_from(value.slot).is_err() {
        return Err("a slot is not between 1 and 65535");
    }
    if value.salt.len() != 16 {
        return Err("a salt is not 16 bytes");
    }
    Ok(())
}

/// Checks a head by itself: it ends somewhere, and its frontier has the shape of that many leaves.
pub fn head(head: &v1::Head) -> Result<(), &'static str> {
    if head.position == 0 {
        return Err("the head has no position");
    }
    if u32::try_from(head.frontier.len()) != Ok(head.position.count_ones()) {
        return Err("the frontier does not have the size of the log");
    }
    if head.frontier.iter().any(|digest| digest.len() != 32) {
        return Err("a digest of the frontier is not 32 bytes");
    }
    Ok(())
}

/// Checks that `head` is the end of a log whose last record is `last`.
pub fn head_after(head: &v1::Head, last: &v1::Record) -> Result<(), &'static str> {
    self::head(head)?;
    if head.position != last.position {
        return Err("the head is not at the last record");
    }
    if head.recorded_at != last.recorded_at {
        return Err("the head does not have the time of the last record");
    }
    Ok(())
}

/// The Merkle root that a head's frontier adds up to (`docs/format.md`, "Records and log leaves"); none when a digest is not 32 bytes
/// or there is none.
pub fn frontier_root(head: &v1::Head) -> Option<Digest> {
    let mut from_the_right = head.frontier.iter().rev().map(|bytes| Digest::from_slice(bytes));
    let mut root = from_the_right.next()??;
    for left in from_the_right {
        root = node(left?, root);
    }
    Some(root)
}

/// An inner node of the Merkle tree.
pub(crate) fn node(left: Digest, right: Digest) -> Digest {
    let mut hasher = Hasher::default();
    hasher.put(&[1]).put(left.bytes()).put(right.bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frontier_of_three_leaves_adds_up_to_their_root() {
        let [a, b, c] = [1_u8, 2, 3].map(|n| Digest::of(&[n]));
        let frontier = vec![node(a, b).bytes().to_vec(), c.bytes().to_vec()];
        let three = v1::Head { position: 3, recorded_at: 9, frontier };
        assert_eq!(head(&three), Ok(()));
        assert_eq!(frontier_root(&three), Some(node(node(a, b), c)));
    }

    #[test]
    fn a_frontier_of_another_size_is_not_a_head() {
        let one = Digest::of(b"x").bytes().to_vec();
        assert!(head(&v1::Head { position: 3, recorded_at: 1, frontier: vec![one.clone()] }).is_err());
        assert!(head(&v1::Head { position: 2, recorded_at: 1, frontier: vec![one[1..].to_vec()] }).is_err());
        assert!(head(&v1::Head { position: 0, recorded_at: 1, frontier: vec![] }).is_err());
        assert_eq!(frontier_root(&v1::Head::default()), None);
    }
}

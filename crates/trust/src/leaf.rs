//! Log leaves: all that the log says about one record, in the bytes that its Merkle tree commits to.

use radslag_core::digest::Digest;
use radslag_core::id::{EventId, Position};
use radslag_core::time::Instant;

use crate::merkle;

/// How long the bytes of a leaf are.
pub const LOG_LEAF_LEN: usize = 129;

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeafOutcome {
    /// The rules took it.
    Accepted,
    /// The rules declined it.
    Rejected,
}

/// What a leaf commits to. The fold reads nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLeaf {
    /// What became of the event.
    pub outcome: LeafOutcome,
    /// The record's place.
    pub position: Position,
    /// When the writer took it.
    pub recorded_at: Instant,
    /// The event's id.
    pub event_id: EventId,
    /// SHA-256 of the body.
    pub body_hash: Digest,
    /// SHA-256 of the 64 bytes of the bundle's signature ([`crate::keys::Signature::digest`]).
    pub signature_hash: Digest,
    /// SHA-256 of the facts' bytes.
    pub facts_hash: Digest,
}

impl LogLeaf {
    /// The bytes of `docs/format.md`, "Records and log leaves".
    pub fn bytes(&self) -> [u8; LOG_LEAF_LEN] {
        let outcome = match self.outcome {
            LeafOutcome::Accepted => 1,
            LeafOutcome::Rejected => 2,
        };
        let mut out = [0; LOG_LEAF_LEN];
        out[0] = outcome;
        out[1..9].copy_from_slice(&self.position.get().to_be_bytes());
        out[9..17].copy_from_slice(&self.recorded_at.micros().to_be_bytes());
        out[17..33].copy_from_slice(self.event_id.bytes());
        out[33..65].copy_from_slice(self.body_hash.bytes());
        out[65..97].copy_from_slice(self.signature_hash.bytes());
        out[97..].copy_from_slice(self.facts_hash.bytes());
        out
    }

    /// The leaf's hash, as it enters the tree.
    pub fn hash(&self) -> Digest {
        merkle::leaf_hash(&self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_record_changes_its_leaf() {
        let leaf = LogLeaf {
            outcome: LeafOutcome::Accepted,
            position: Position::new(1),
            recorded_at: Instant::from_micros(-1),
            event_id: EventId::from_slice(&[4; 16]).unwrap(),
            body_hash: Digest::of(b"body"),
            signature_hash: Digest::of(b"signature"),
            facts_hash: Digest::of(b"facts"),
        };
        let other = Digest::of(b"other");
        let altered = [
            LogLeaf { outcome: LeafOutcome::Rejected, ..leaf },
            LogLeaf { position: Position::new(2), ..leaf },
            LogLeaf { recorded_at: Instant::from_micros(0), ..leaf },
            LogLeaf { event_id: EventId::from_slice(&[5; 16]).unwrap(), ..leaf },
            LogLeaf { body_hash: other, ..leaf },
            LogLeaf { signature_hash: other, ..leaf },
            LogLeaf { facts_hash: other, ..leaf },
        ];
        for altered in altered {
            assert_ne!(altered.hash(), leaf.hash(), "{altered:?}");
        }
        assert_eq!(&leaf.bytes()[9..17], &[0xff; 8]);
    }
}

//! Proofs that a record stood in a log before it was restored: its leaf leads to a checkpoint that the log's key signed.
//!
//! Whether that place is lost to the log as it is now is the writer's question ([`radslag_core::state::State::lost`]).

use radslag_core::id::EpochId;
use radslag_core::record::First;
use radslag_core::verdict::Refusal;
use radslag_proto::convert::bundle::{PushedBundle, PushedStood};
use radslag_trust::checkpoint::Checkpoint;
use radslag_trust::keys::{PublicKey, Signature};
use radslag_trust::leaf::{LeafOutcome, LogLeaf};
use radslag_trust::merkle::verify_inclusion;

use crate::check::CheckedEvent;

/// The checkpoints of a bundle that bear the log's signature.
pub(crate) struct Proofs(Vec<Checkpoint>);

fn unfit(what: impl Into<String>) -> Refusal {
    Refusal::ProofUnfit(what.into())
}

impl Proofs {
    pub(crate) fn read(bundle: &PushedBundle, log_key: &[u8; 32]) -> Result<Self, Refusal> {
        if bundle.checkpoints.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let key = PublicKey::from_bytes(log_key).map_err(|error| unfit(error.to_string()))?;
        let read = |note: &String| Checkpoint::verify(note, bundle.program, &key);
        let read: Result<Vec<_>, _> = bundle.checkpoints.iter().map(read).collect();
        read.map(Self).map_err(|error| unfit(error.to_string()))
    }

    /// The place where an accepted record is proved to have stood.
    pub(crate) fn check(
        &self,
        stood: &PushedStood,
        event: &CheckedEvent,
        signature: &Signature,
    ) -> Result<First, Refusal> {
        let checkpoint = self.of(stood.first.epoch)?;
        let position = stood.first.position;
        let leaf = LogLeaf {
            outcome: LeafOutcome::Accepted,
            position,
            recorded_at: stood.recorded_at,
            event_id: event.body.event_id,
            body_hash: event.hash,
            signature_hash: signature.digest(),
            facts_hash: stood.facts_hash,
        };
        let index = position.previous().get();
        verify_inclusion(leaf.hash(), index, checkpoint.size, &stood.path, checkpoint.root)
            .map_err(|error| unfit(error.to_string()))?;
        Ok(stood.first)
    }

    fn of(&self, epoch: EpochId) -> Result<&Checkpoint, Refusal> {
        let found = self.0.iter().find(|checkpoint| checkpoint.epoch == epoch);
        found.ok_or_else(|| unfit(format!("there is no checkpoint of epoch {epoch}")))
    }
}

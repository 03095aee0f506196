//! Looking back in a replica, and checking what it holds.

use radslag_core::as_of;
use radslag_core::digest::Digest;
use radslag_core::id::Position;
use radslag_core::record::Recorded;
use radslag_core::state::State;
use radslag_core::time::Instant;
use radslag_engine::ledger::Ledger;
use radslag_engine::read::{fold_until, walk};
use radslag_log::ReadLimit;
use radslag_trust::checkpoint::Checkpoint;
use radslag_trust::keys::PublicKey;

use crate::error::ClientError;
use crate::remote::Remote;
use crate::replica::Replica;

/// A replica's log after every record of it was checked.
#[derive(Clone, Copy, Debug)]
pub struct Verified {
    /// The last record.
    pub position: Position,
    /// The Merkle root of all records.
    pub root: Digest,
    /// The hash of the folded state.
    pub state_hash: Digest,
}

/// What comparing with the server showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// The server has the same log.
    Same,
    /// The server has more; pull first.
    ServerAhead {
        /// Its position.
        position: u64,
    },
}

impl Replica {
    /// The confirmed programme at a recorded point, every write kept, so that any day can be read. The whole log up to there is folded;
    /// [`Replica::read_at`] reads one day of it for less.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn state_at(&self, recorded: as_of::Recorded) -> Result<State, ClientError> {
        let head = self.ledger.state.head();
        if let Some(provisional) = &self.provisional {
            return provisional.state_at(head, recorded);
        }
        let (state, _) = fold_until(self.log.as_ref(), self.settings.program, head, recorded)?;
        Ok(state)
    }

    /// Every confirmed record that is held after [`Replica::origin`], in order.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn records(&self) -> Result<Vec<Recorded>, ClientError> {
        let mut records = Vec::new();
        let head = self.ledger.state.head();
        let first = self.origin().head().next();
        walk(self.log.as_ref(), self.settings.program, first, head, |record| records.push(record))?;
        Ok(records)
    }

    /// When the programme began; none before the first pull.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn began(&self) -> Result<Option<Instant>, ClientError> {
        let limit = ReadLimit { records: 1, bytes: 0 };
        let first = self.log.read(self.settings.program, Position::new(1), limit)?;
        Ok(first.first().map(|record| Instant::from_micros(record.recorded_at)))
    }

    /// Checks every record of the local log from the first: signatures, sequences, values, the rules, the root.
    ///
    /// # Errors
    /// The first thing that does not hold, or there is nothing to check yet.
    pub fn verify(&self) -> Result<Verified, ClientError> {
        if self.ledger.state.head() == Position::ZERO {
            return Err(ClientError::Empty);
        }
        let ledger = Ledger::verify(self.log.as_ref(), self.settings.program)?;
        Ok(Verified {
            position: ledger.state.head(),
            root: ledger.frontier.root(),
            state_hash: ledger.state.hash(),
        })
    }

    /// Compares a verified log with the server's checkpoint.
    ///
    /// # Errors
    /// The server has gone, or its log is another one.
    pub async fn compare(&self, verified: &Verified, remote: &Remote) -> Result<Compared, ClientError> {
        let hello = remote.hello(&self.settings.program.to_string()).await?;
        let key = PublicKey::from_bytes(self.ledger.state.log_key());
        let key = key.map_err(|error| ClientError::Unverified(error.to_string()))?;
        let checkpoint = Checkpoint::verify(&hello.checkpoint, self.settings.program, &key)
            .map_err(|error| ClientError::Unverified(format!("the server's checkpoint: {error}")))?;
        if checkpoint.size > verified.position.get() {
            return Ok(Compared::ServerAhead { position: checkpoint.size });
        }
        if (checkpoint.size, checkpoint.root) == (verified.position.get(), verified.root) {
            return Ok(Compared::Same);
        }
        Err(ClientError::Unverified(format!(
            "the server's log at position {} is not this replica's log",
            checkpoint.size
        )))
    }
}

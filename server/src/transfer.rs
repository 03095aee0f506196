//! Writing a log into a fresh store: records, values and bundles as they are, and the Merkle tree grown beside them.
//!
//! Nothing is judged here. What was written has the root that comes out; whoever reads compares it with the one that it must be.

use prost::Message as _;
use radslag_core::digest::Digest;
use radslag_core::id::{Position, ProgramId};
use radslag_engine::ledger::{LedgerError, leaf_hash, read_record};
use radslag_log::{Append, Commit, EventLog as _, StoredRecord};
use radslag_log_sled::SledLog;
use radslag_proto::log::v1;
use radslag_trust::keys::Signature;
use radslag_trust::merkle::Frontier;

use crate::error::StartError;

/// Records are stored in commits of about this size.
const COMMIT_BYTES: usize = 256 * 1024;

/// One programme's log on its way into a store.
pub(crate) struct Transfer {
    program: ProgramId,
    frontier: Frontier,
    recorded_at: i64,
    /// Of the bundle that the last record came in, and where that begins.
    signature: Option<(u64, Signature)>,
    records: Vec<StoredRecord>,
    bundles: Vec<v1::Bundle>,
    bytes: usize,
}

impl Transfer {
    /// A log before its first record.
    pub(crate) fn new(program: ProgramId) -> Self {
        let (records, bundles) = (Vec::new(), Vec::new());
        Self {
            program,
            frontier: Frontier::new(),
            recorded_at: 0,
            signature: None,
            records,
            bundles,
            bytes: 0,
        }
    }

    /// The programme.
    pub(crate) const fn program(&self) -> ProgramId {
        self.program
    }

    /// The last record that was taken.
    pub(crate) const fn position(&self) -> Position {
        Position::new(self.frontier.size())
    }

    /// The Merkle root over all that was taken.
    pub(crate) fn root(&self) -> Digest {
        self.frontier.root()
    }

    /// Takes the next record, and the bundle that begins with it if one does. Now and then what was taken is committed to `to`.
    ///
    /// # Errors
    /// It is not the next record, has no signature or does not read, or `to` does not take it.
    pub(crate) fn add(
        &mut self,
        to: &SledLog,
        stored: StoredRecord,
        bundle: Option<v1::Bundle>,
    ) -> Result<(), StartError> {
        let at = Position::new(stored.record.position);
        let wrong = |what: &str| LedgerError::Forged { position: at, what: what.to_owned() };
        if at != self.position().next() {
            return Err(wrong("another record was expected").into());
        }
        // A signature over many members of which few landed is much larger than what landed.
        let bytes = stored.bytes() + bundle.as_ref().map_or(0, v1::Bundle::encoded_len);
        if self.bytes > 0 && self.bytes + bytes > COMMIT_BYTES {
            self.commit(to)?;
        }
        if let Some(bundle) = bundle {
            let signature = Signature::from_slice(&bundle.signature);
            self.signature = signature.map(|signature| (bundle.position, signature));
            self.bundles.push(bundle);
        }
        let signature = self.signature.filter(|(begin, _)| *begin == stored.record.bundle_position);
        let (_, signature) = signature.ok_or_else(|| wrong("the signature it came under is missing"))?;
        self.frontier.append(leaf_hash(&read_record(&stored.record)?, &signature));
        self.recorded_at = stored.record.recorded_at;
        self.records.push(stored);
        self.bytes += bytes;
        Ok(())
    }

    /// Commits what was taken and is not in `to` yet.
    ///
    /// # Errors
    /// `to` does not take it.
    pub(crate) fn commit(&mut self, to: &SledLog) -> Result<(), StartError> {
        if self.records.is_empty() {
            return Ok(());
        }
        let frontier = self.frontier.hashes().iter().map(|hash| hash.bytes().to_vec()).collect();
        let append = Append {
            program: self.program,
            records: std::mem::take(&mut self.records),
            bundles: std::mem::take(&mut self.bundles),
            head: v1::Head { position: self.frontier.size(), recorded_at: self.recorded_at, frontier },
            root: self.frontier.root(),
        };
        self.bytes = 0;
        Ok(to.commit(Commit { appends: vec![append], rows: Vec::new() })?)
    }
}

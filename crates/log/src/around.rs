//! A store around another one, for tests: one that waits, fails or crashes where a test wants it to, and is the other one in all else.

use radslag_core::id::{Position, ProgramId};
use radslag_core::value::Slot;
use radslag_proto::log::v1;

use crate::contract::{Bundles, Commit, EventLog, ReadLimit, Rewind, RowKey, RowKind, Values};
use crate::encoded::EncodedRecords;
use crate::error::LogError;

/// What such a store does differently. Whatever implements this is an [`EventLog`]; every read is the inner store's own, so that none
/// falls back to a default that the inner store has something better for.
pub trait Around: Send + Sync + 'static {
    /// The store that it is around.
    fn inner(&self) -> &dyn EventLog;

    /// What it does for a commit.
    ///
    /// # Errors
    /// As for [`EventLog::commit`].
    fn commit_around(&self, commit: Commit) -> Result<(), LogError> {
        self.inner().commit(commit)
    }

    /// What it does for a rewind.
    ///
    /// # Errors
    /// As for [`EventLog::rewind`].
    fn rewind_around(&self, rewind: Rewind) -> Result<(), LogError> {
        self.inner().rewind(rewind)
    }
}

impl<T: Around> EventLog for T {
    fn programs(&self) -> Result<Vec<ProgramId>, LogError> {
        self.inner().programs()
    }

    fn head(&self, program: ProgramId) -> Result<Option<v1::Head>, LogError> {
        self.inner().head(program)
    }

    fn commit(&self, commit: Commit) -> Result<(), LogError> {
        self.commit_around(commit)
    }

    fn rewind(&self, rewind: Rewind) -> Result<(), LogError> {
        self.rewind_around(rewind)
    }

    fn read(
        &self,
        program: ProgramId,
        from: Position,
        limit: ReadLimit,
    ) -> Result<Vec<v1::Record>, LogError> {
        self.inner().read(program, from, limit)
    }

    fn bundle(&self, program: ProgramId, at: Position) -> Result<Option<v1::Bundle>, LogError> {
        self.inner().bundle(program, at)
    }

    fn bundles_from(&self, program: ProgramId, from: Position) -> Result<Bundles<'_>, LogError> {
        self.inner().bundles_from(program, from)
    }

    fn values(&self, program: ProgramId, at: Position) -> Result<Vec<v1::Value>, LogError> {
        self.inner().values(program, at)
    }

    fn values_from(&self, program: ProgramId, from: Position) -> Result<Values<'_>, LogError> {
        self.inner().values_from(program, from)
    }

    fn encoded_from(&self, program: ProgramId, from: Position) -> Result<EncodedRecords<'_>, LogError> {
        self.inner().encoded_from(program, from)
    }

    fn value(&self, program: ProgramId, at: Position, slot: Slot) -> Result<Option<v1::Value>, LogError> {
        self.inner().value(program, at, slot)
    }

    fn rows(&self, program: ProgramId, kind: RowKind) -> Result<Vec<(u64, Vec<u8>)>, LogError> {
        self.inner().rows(program, kind)
    }

    fn row(&self, key: RowKey) -> Result<Option<Vec<u8>>, LogError> {
        self.inner().row(key)
    }
}

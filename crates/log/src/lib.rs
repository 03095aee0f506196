//! The storage port: what Rådslag asks of whatever keeps its logs.
//!
//! A store keeps bytes. It knows positions, lengths and the shape of the Merkle frontier, so that it can tell a damaged log from a
//! whole one; it knows nothing of what an event means. [`EventLog`] is the contract, [`MemoryLog`] the reference, and the
//! `conformance` module (feature `conformance`) the suite that every store passes; `Around` beside it is for tests that make one fail.

pub mod check;
mod contract;
mod encoded;
mod error;
mod memory;

#[cfg(any(test, feature = "conformance"))]
mod around;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

#[cfg(any(test, feature = "conformance"))]
pub use around::Around;
pub use contract::{
    Append, Bundles, CHECKPOINTS, Commit, EventLog, HELD_SNAPSHOT, MAX_COMMIT_BYTES, ReadLimit, Rewind,
    RowChange, RowKey, RowKind, StoredRecord, Values, until_damage,
};
pub use encoded::{EncodedRecord, EncodedRecords};
pub use error::LogError;
pub use memory::MemoryLog;

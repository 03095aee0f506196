//! The log's one writer and its readers, over any store.
//!
//! [`ledger::Ledger`] is a programme in memory: state, fences and Merkle frontier, rebuilt from a store and verified
//! record by record; replicas use it as the writer does. [`engine::Engine`] adds the writer thread with group commit,
//! published states, and the head that subscribers wait for. [`caches`] keeps on disk what would else be walked for. The clock and the ids come in from here.

pub mod admit;
pub mod as_of;
pub mod caches;
pub mod check;
pub mod clock;
mod closing;
pub mod engine;
pub mod epoch;
pub mod ledger;
pub mod meter;
pub mod past;
mod proof;
pub mod read;
pub mod snapshot;
pub mod snapshots;
pub mod timekeeper;
pub mod trail;
mod writer;

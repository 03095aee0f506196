//! The embedded store: logs in sled 0.34, in one directory, for one process at a time.
//!
//! sled is fast and needs care. Four rules make it trustworthy here, and all of them were measured by cutting the power (`tests/store`):
//! - an acknowledgement follows `flush()` **and** `sync_data()` on a kept-open handle of sled's file: `flush()` alone never syncs;
//! - nothing that sled holds is larger than 4 KiB, because larger leaves go to files that sled never syncs;
//! - the first error of a flush or sync ends writing for good, and where the disk has no room left sled is not even asked;
//! - what was acknowledged is also noted beside the database, because sled can lose its tail without a word.
//!
//! [`mod@format`] documents every byte of it. What the store promises is [`radslag_log::EventLog`].

mod acknowledged;
mod batch;
mod disk;
pub mod format;
mod keeper;
mod lock;
mod open;
mod page;
mod pieces;
mod room;
mod store;
mod walk;

pub use open::OpenOptions;
pub use store::SledLog;

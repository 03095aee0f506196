//! The domain of Rådslag: a programme, the events that change it, and the fold that reads them.
//!
//! Everything here is pure: no IO, no clock, no randomness, no time zone, no async. Two folds of the same
//! records give the same [`state::State`] on every machine, for ever; `docs/format.md` holds the bytes.

pub mod digest;
pub mod event;
pub mod field;
pub mod id;
pub mod parse;
pub mod record;
pub mod rejection;
pub mod time;
pub mod value;

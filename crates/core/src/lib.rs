//! The domain of Rådslag: a programme, the events that change it, and the fold that reads them.
//!
//! Everything here is pure: no IO, no clock, no randomness, no time zone, no async. Two folds of the same
//! records give the same [`state::State`] on every machine, for ever; `docs/format.md` holds the bytes.

pub mod as_of;
pub mod basis;
pub mod broken;
pub mod class;
pub mod command;
pub mod diff;
pub mod digest;
pub mod event;
pub mod field;
pub mod filter;
pub mod fold;
pub mod history;
pub mod id;
pub mod judge;
pub mod merge;
pub mod order;
pub mod parse;
pub mod parts;
pub mod recall;
pub mod record;
pub mod register;
pub mod rejection;
pub mod report;
pub mod state;
pub mod time;
pub mod value;
pub mod verdict;
pub mod view;

//! The suite that every store must pass. A case takes an empty store and panics when the contract does not hold.
//!
//! [`run_all`] is for every store, [`run_durable`] also for those that are there after they were closed. [`sample`] makes
//! well-formed records, for a store's own tests too.

mod appending;
mod durable;
mod reading;
mod rewinding;
mod rows;
pub mod sample;

use crate::contract::EventLog;

pub use durable::run_durable;

/// Runs every case, each on a store that `make` just made.
pub fn run_all<L: EventLog>(make: impl Fn() -> L) {
    for case in appending::CASES.iter().chain(reading::CASES).chain(rows::CASES).chain(rewinding::CASES) {
        case(&make());
    }
}

type Case = fn(&dyn EventLog);

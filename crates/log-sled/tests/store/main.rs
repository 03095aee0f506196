//! The store against the contract, against damage, against a kill, and against a power cut.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a child speaks to its parent, a skipped test to its reader"
)]

mod child;
mod contract;
mod damage;
// The same disk that the whole server is tried on.
#[allow(unreachable_pub, reason = "a module of the end-to-end tests' library too")]
#[path = "../../../../tests/src/disk.rs"]
mod disk;
mod fixture;
mod kill;
mod power_cut;
#[allow(unreachable_pub, reason = "a module of the end-to-end tests' library too")]
#[path = "../../../../tests/src/rounds.rs"]
mod rounds;
mod sharing;

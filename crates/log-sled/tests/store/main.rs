//! The store against the contract, against damage, against a kill, and against a power cut.

mod child;
mod contract;
mod damage;
mod fixture;
mod kill;
mod power_cut;
mod sharing;

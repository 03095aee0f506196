//! The server over real sockets: every test starts its own on a free port, with a store of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg(unix)]
mod backups;
mod clock;
mod clocks;
#[cfg(unix)]
mod ending;
mod filtering;
mod floods;
mod following;
mod handbook;
mod harness;
mod metrics;
#[cfg(unix)]
mod operator;
mod otlp;
mod outcomes;
mod pages;
mod port;
mod process;
mod pushing;
mod raw;
mod reading;
mod snapshots;
mod starting;
mod tls;

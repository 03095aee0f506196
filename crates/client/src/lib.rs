//! A municipality's replica: a local store with the confirmed log, an outbox, a key, and the way to the server.
//!
//! [`replica::Replica`] works without a network: it shows `fold(confirmed ++ outbox)` and queues what is edited.
//! A [`form::Form`] is a view that somebody writes in sight of, kept while the replica goes on. [`remote::Remote`] is the
//! connection, [`exchange`] moves records over it, [`steps`] verifies and stores every one.

mod again;
pub mod author;
pub mod backoff;
pub mod bootstrap;
mod checks;
pub mod error;
pub mod exchange;
pub mod fork;
pub mod form;
pub mod history;
pub mod looking;
pub mod parted;
pub mod past;
pub mod quarantine;
pub mod reading;
pub mod remote;
pub mod replica;
pub mod resubmit;
mod returning;
mod setting;
pub mod settings;
pub mod snapshot;
pub mod steps;
mod tls;
pub mod watch;

pub use error::ClientError;
/// Time, ids and the civil day, as the writer has them.
pub use radslag_engine::clock;
/// A device's key.
pub use radslag_trust::keys::DeviceKey;
pub use tls::Distrust;

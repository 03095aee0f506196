//! A municipality's replica: a local store with the confirmed log, an outbox, a key, and the way to the server.
//!
//! There are two ways to a programme. [`remote::Remote`] is the connection to a server, and whoever only asks (a report, a web page) asks
//! over it: [`Remote::programs`](remote::Remote::programs) and [`Remote::audit`](remote::Remote::audit) are the calls of
//! `proto/radslag/api/v1`, and their answers are the server's word. [`replica::Replica`] believes nothing unverified and works without a
//! network: it shows `fold(confirmed ++ outbox)`, queues what is edited, and syncs when there is a server. Whoever writes needs one.
//!
//! | to | use |
//! |---|---|
//! | connect, list programmes, ask the server | [`remote::Remote`] |
//! | make, open, close a replica | [`replica::Replica::make`], [`open`](replica::Replica::open), [`close`](replica::Replica::close) |
//! | begin a programme, or enrol in one | [`found`](replica::Replica::found) and [`create`](replica::Replica::create); [`introduce`](replica::Replica::introduce) and [`sync`](replica::Replica::sync) |
//! | begin from a snapshot of a long log | [`begin_from_snapshot`](replica::Replica::begin_from_snapshot), [`fetch_history`](replica::Replica::fetch_history) |
//! | read, now | [`view`](replica::Replica::view), and `radslag_core::view` over it |
//! | read, as it was | [`read_at`](replica::Replica::read_at), [`changes_of`](replica::Replica::changes_of) |
//! | write | `radslag_core::command` makes drafts from a view, [`queue`](replica::Replica::queue) takes them in sight of its base |
//! | write from a form that stays open | [`form::Form`] |
//! | exchange with the server | [`pull`](replica::Replica::pull), [`push`](replica::Replica::push), [`sync`](replica::Replica::sync) |
//! | follow live | [`watch::Watch`] |
//! | see what will not land, and write it anew | [`quarantined`](replica::Replica::quarantined), [`resubmit`](replica::Replica::resubmit) |
//! | check everything | [`verify`](replica::Replica::verify), [`compare`](replica::Replica::compare) |
//!
//! One process at a time holds a replica's store; [`open`](replica::Replica::open) waits for another a little. Every error is a
//! [`ClientError`], whose variants are what a caller does differently.
//!
//! `cargo run -p radslag-client --example two_offices` is the whole of it: two offices, the same cost changed in both, the conflict, its
//! decision, the history. Here is the short way in:
//!
//! ```
//! use std::sync::Arc;
//!
//! use radslag_client::DeviceKey;
//! use radslag_client::clock::{IdSource as _, SystemClock, SystemIds};
//! use radslag_client::remote::Remote;
//! use radslag_client::replica::Replica;
//! use radslag_client::settings::Settings;
//! use radslag_core::id::ProgramId;
//! use radslag_core::view;
//!
//! # async fn first_replica(server: &str, dir: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
//! let remote = Remote::connect(server).await?;
//! let hello = remote.hello("").await?;
//!
//! let program = ProgramId::new(SystemIds.random_id());
//! let settings = Settings::fresh(server, program, "haninge".parse()?, "Håkan", &SystemIds);
//! let key = DeviceKey::from_seed(SystemIds.random32());
//! let mut replica = Replica::make(dir, &settings, &key, Arc::new(SystemClock), Arc::new(SystemIds))?;
//! replica.found("Klimatprogram", hello.log_key.as_slice().try_into()?)?;
//!
//! // Queued, and shown already. It is confirmed when the server has recorded it and the replica has verified the record.
//! assert_eq!(replica.outbox.len(), 3);
//! replica.create(&remote, |_, _| {}).await?;
//! assert_eq!(replica.outbox.len(), 0);
//!
//! let view = replica.view();
//! assert_eq!(view::program(&view.state, &view, view.day()).title, "Klimatprogram");
//! assert_eq!(remote.list_programs().await?[0].0, program.to_string());
//! drop(view);
//! replica.close()?;
//! # Ok(())
//! # }
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     let dir = tempfile::tempdir()?;
//! #     let config = radslag_server::Config {
//! #         data: dir.path().join("server"), listen: "127.0.0.1:0".parse()?, ..radslag_server::Config::default()
//! #     };
//! #     let running = radslag_server::start(config).await?;
//! #     first_replica(&format!("http://{}", running.addr()), &dir.path().join("haninge")).await?;
//! #     running.shutdown().await;
//! #     Ok(())
//! # }
//! ```
//!
//! [`exchange`] moves records over the connection, [`steps`] verifies and stores every one.

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
pub mod joining;
pub mod looking;
pub mod parted;
pub mod past;
pub mod quarantine;
pub mod reading;
pub mod remote;
pub mod replica;
pub mod resubmit;
mod returning;
pub mod served;
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

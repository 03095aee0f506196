//! The server: programmes over gRPC, on one address, with the embedded store in one directory.
//!
//! [`start`] opens the store, binds the address and answers calls until [`Running::shutdown`]; `radslagd` is that with flags, signals
//! and exit codes around it, and `radslag quickstart` and the tests call it in their own process. What a call means is decided by
//! `radslag-engine`; here requests are checked, answers shaped, and errors put into words.

/// The release and the commit that it was built from, as `0.1.0 (1dffa0864c1e)`.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("RADSLAG_COMMIT"), ")");

mod backup;
mod check;
pub mod config;
#[cfg(unix)]
mod control;
mod error;
mod fresh;
mod from_replica;
mod guard;
mod host;
mod limits;
mod log_key;
mod metrics;
mod port;
mod reach;
mod recovery;
mod restore;
mod rpc;
mod running;
pub mod telemetry;
mod tls;
mod transfer;

pub use backup::{BackedUp, Progress, backup};
pub use check::{Checked, CheckedStore, check};
pub use config::{Config, ConfigError, InForce, Setting, Settings, Source};
pub use error::StartError;
pub use from_replica::{Taken, restore_from_replicas};
pub use limits::{LimitSettings, Limits};
pub use log_key::LogKeyError;
pub use metrics::Metrics;
pub use port::check_descriptors;
pub use recovery::RecoveryError;
pub use restore::{Restored, restore};
pub use running::{Running, start, start_on};
pub use tls::{TlsError, TlsFiles, check_certificate};

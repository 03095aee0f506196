//! The server: programmes over gRPC, on one address, with the embedded store in one directory.
//!
//! [`start`] opens the store, binds the address and answers calls until [`Running::shutdown`]; `radslagd` is that with flags, signals
//! and exit codes around it, and `radslag quickstart` and the tests call it in their own process. What a call means is decided by
//! `radslag-engine`; here requests are checked, answers shaped, and errors put into words.

mod check;
pub mod config;
mod error;
mod host;
mod limits;
mod log_key;
mod metrics;
mod port;
mod restore;
mod rpc;
mod running;
pub mod telemetry;

pub use check::{Checked, check};
pub use config::{Config, ConfigError, InForce, Setting, Settings, Source};
pub use error::StartError;
pub use limits::{LimitSettings, Limits};
pub use log_key::LogKeyError;
pub use metrics::Metrics;
pub use restore::{Restored, restore};
pub use running::{Running, start, start_on};

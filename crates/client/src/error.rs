//! What can go wrong between a person and the log: one variant for each thing that is done differently about it.

use std::path::PathBuf;

use radslag_core::command::CommandError;
use radslag_core::id::{DeviceId, EventId, Position};
use radslag_core::rejection::Rejection;
use radslag_core::verdict::Refusal;
use radslag_engine::ledger::LedgerError;
use radslag_log::LogError;
use radslag_proto::status::ApiError;

use crate::form::UnfitForm;
use crate::resubmit::KeptInOutbox;
use crate::tls::Distrust;

/// Why a replica did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Neither here nor above is a replica.
    #[error("there is no replica in {} or above it", .0.display())]
    NoReplica(PathBuf),
    /// There is a replica already.
    #[error("there is a replica in {} already", .0.display())]
    ReplicaExists(PathBuf),
    /// A file of the replica is not what it should be.
    #[error("{} cannot be used: {what}", path.display())]
    BadFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file cannot be read or written.
    #[error("{}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nothing answers at the server's address.
    #[error("nothing answers at {server}")]
    NoAnswer {
        /// The address.
        server: String,
        /// Why.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The address is not one.
    #[error("{0:?} is not a server's address")]
    BadAddress(String),
    /// Something answers there, but nobody that can be trusted. Nothing was said to it.
    #[error("{server} is not trusted: {why}")]
    Distrusted {
        /// The address.
        server: String,
        /// Why not.
        why: Distrust,
    },
    /// The address is without TLS, and what answers there speaks it.
    #[error("what answers at {server} speaks TLS")]
    SpeaksTls {
        /// The address.
        server: String,
    },
    /// The address is with TLS, and what answers there does not speak it.
    #[error("what answers at {server} does not speak TLS")]
    SpeaksNoTls {
        /// The address.
        server: String,
    },
    /// Something answers there, but not a Rådslag server.
    #[error("what answers at {server} is not a radslagd: {what}")]
    NotOurServer {
        /// The address.
        server: String,
        /// What it said.
        what: String,
    },
    /// The server declined the call as a whole.
    #[error("{0}")]
    Api(Box<ApiError>),
    /// What was received or stored does not verify.
    #[error("the log failed verification: {0}")]
    Unverified(String),
    /// The server's log has another record than this replica after a position.
    #[error(
        "the log failed verification: the server's log does not continue this replica's: it has another change after position {after}"
    )]
    Parted {
        /// The last position at which they may have the same.
        after: Position,
    },
    /// The store does not answer.
    #[error("{0}")]
    Log(#[source] Box<LogError>),
    /// The rules would decline the change.
    #[error("{0}")]
    Rejected(Box<Rejection>),
    /// The change makes no sense as asked for.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A value is over a limit of the format.
    #[error("{what} is {size} bytes, the limit is {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large.
        size: usize,
        /// How large it may be.
        limit: usize,
    },
    /// An event of this replica was refused.
    #[error("the server refused an event: {reason}: {detail}")]
    Refused {
        /// The reason's name.
        reason: String,
        /// Why.
        detail: String,
    },
    /// A server would refuse the change, so it is not queued.
    #[error("a server would refuse the change: {0}")]
    WouldBeRefused(Box<Refusal>),
    /// Another machine writes with this replica's key, and the server does not let this one enrol as another device.
    #[error(
        "another machine writes with this replica's key (device {device}, event {}), as when a folder is copied, \
         and this server does not let devices enrol themselves",
        other.short()
    )]
    Forked {
        /// The device that both write as.
        device: DeviceId,
        /// The other machine's event.
        other: EventId,
    },
    /// The rules would decline what is to be handed in again.
    #[error("number {number} would be declined again: {rejection}")]
    DeclinedAgain {
        /// Its number in the quarantine.
        number: u64,
        /// Why.
        rejection: Box<Rejection>,
    },
    /// What waits in the outbox cannot be given up.
    #[error("{0}")]
    KeptInOutbox(#[from] KeptInOutbox),
    /// Nothing can be written in sight of the form.
    #[error(transparent)]
    Form(#[from] UnfitForm),
    /// The replica has not been pulled yet.
    #[error("this replica has no programme yet")]
    Empty,
}

impl ClientError {
    /// Whether what is stored or was received cannot be what was recorded.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Unverified(_) | Self::Parted { .. } => true,
            Self::Log(error) => matches!(**error, LogError::Damaged { .. } | LogError::Behind { .. }),
            _ => false,
        }
    }
}

impl From<LedgerError> for ClientError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Log(error) => Self::Log(Box::new(error)),
            LedgerError::Forged { .. } => Self::Unverified(error.to_string()),
        }
    }
}

impl From<LogError> for ClientError {
    fn from(error: LogError) -> Self {
        Self::Log(Box::new(error))
    }
}

//! Why there is no backup, or no log from a replica; what to do about it, and which exit code says so.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use radslag_core::id::{Position, ProgramId};
use radslag_engine::ledger::LedgerError;
use radslag_log::LogError;

use crate::error::StartError;
use crate::log_key::LogKeyError;

/// Why `radslagd backup` or `radslagd restore --from-replica` did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// As for a server that does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is something where the backup is to be.
    #[error("there is something in {} already", dir.display())]
    BackupInTheWay {
        /// Where.
        dir: PathBuf,
    },
    /// The backup would be lost with what it is of.
    #[error("{} lies inside the data directory", dir.display())]
    BackupInside {
        /// Where.
        dir: PathBuf,
    },
    /// The backup cannot be written.
    #[error("the backup cannot be written to {}", dir.display())]
    BackupDenied {
        /// Where.
        dir: PathBuf,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// Somebody has the store open, and no server answers there.
    #[error("{} is in use, and no radslagd answers there", dir.display())]
    NobodyAnswers {
        /// Which store.
        dir: PathBuf,
    },
    /// The server says that it cannot go on.
    #[error("the server ended the backup: {what}")]
    Declined {
        /// What it said.
        what: String,
    },
    /// The server was there and went away.
    #[error("the server broke off in the middle of the backup")]
    BrokenOff {
        /// How that showed.
        #[source]
        source: io::Error,
    },
    /// What was copied is not the log that was to be copied.
    #[error("what was copied of programme {program} up to position {position} does not have the log's root")]
    Differs {
        /// The programme.
        program: ProgramId,
        /// The last record that was copied.
        position: Position,
    },
    /// There is no replica.
    #[error("there is no replica in {}", dir.display())]
    NoReplica {
        /// Where.
        dir: PathBuf,
    },
    /// The replica's own description does not read.
    #[error("{} cannot be used: {what}", path.display())]
    BadSettings {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A command has the replica open.
    #[error("the replica in {} is in use", dir.display())]
    ReplicaInUse {
        /// Which.
        dir: PathBuf,
    },
    /// The replica lacks the beginning of the log.
    #[error("the replica in {} began from a snapshot and lacks the history before it", dir.display())]
    Provisional {
        /// Which.
        dir: PathBuf,
    },
    /// The replica has no log.
    #[error("the replica in {} holds no record of its programme", dir.display())]
    EmptyReplica {
        /// Which.
        dir: PathBuf,
    },
    /// The replica's store does not open, or nothing at its beginning holds, or its end is not what it had verified.
    #[error("the log of the replica in {} cannot be believed", dir.display())]
    BadReplica {
        /// Which.
        dir: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Two replicas have different records at one position, and no restore explains it.
    #[error("the replicas in {} and {} hold different logs", one.display(), other.display())]
    ReplicasDiffer {
        /// One.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// Nobody said where the log's key is.
    #[error("the log's key is not in any replica, and --log-key does not say where it is")]
    NoKey,
    /// The key that was named cannot be used.
    #[error(transparent)]
    Key(LogKeyError),
    /// The key is another log's.
    #[error("the key in {} is not the one that programme {program} was begun with", path.display())]
    OtherKey {
        /// The file.
        path: PathBuf,
        /// The programme.
        program: ProgramId,
    },
}

impl From<LogError> for RecoveryError {
    fn from(error: LogError) -> Self {
        Self::Start(error.into())
    }
}

impl From<LedgerError> for RecoveryError {
    fn from(error: LedgerError) -> Self {
        Self::Start(error.into())
    }
}

impl From<LogKeyError> for RecoveryError {
    fn from(error: LogKeyError) -> Self {
        Self::Start(error.into())
    }
}

impl RecoveryError {
    /// What to do about it, as one sentence in the imperative; none where the text says it all.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Start(error) => error.hint(),
            Self::BackupInTheWay { .. } => Some("name a directory that is empty or not there yet"),
            Self::BackupInside { .. } => {
                Some("name a directory outside the data directory, best on another disk")
            }
            Self::BackupDenied { .. } => {
                Some("name a directory that this user may write to, or not there yet in one that they may")
            }
            Self::NobodyAnswers { .. } => Some(
                "if a radslagd starts or stops there just now, run this again when it has; else end whoever uses it",
            ),
            Self::Declined { .. } | Self::BrokenOff { .. } => Some(
                "look at the server's log, then run this again; what is there of the backup is taken for one by nobody",
            ),
            Self::Differs { .. } => {
                Some("run `radslagd check` on the data directory when no server runs on it")
            }
            Self::NoReplica { .. } => Some("name the folder of a replica, the one that holds `.radslag`"),
            Self::BadSettings { .. } => Some("name another replica, or put that file right"),
            Self::ReplicaInUse { .. } => Some("run this again when the command that uses it has ended"),
            Self::Provisional { .. } => {
                Some("name a replica that has the whole log: `radslag status` says of each whether it has")
            }
            Self::EmptyReplica { .. } => Some("name a replica that has pulled"),
            Self::BadReplica { .. } => {
                Some("keep that folder as it is, and name the replica of another municipality")
            }
            Self::ReplicasDiffer { .. } => Some(
                "compare them with `radslag log`, and restore from the one that is right alone: the other will raise the alarm",
            ),
            Self::NoKey => Some(
                "give the copy of the server's log.key that was kept, with --log-key FILE; without it no replica follows this log, \
                 and all that is left is a new programme: `radslag export` in a replica, `radslag program create --import`",
            ),
            Self::Key(LogKeyError::TooOpen { .. }) => {
                Some("make it yours alone with `chmod 600`, after asking who may have read it")
            }
            Self::Key(LogKeyError::Malformed { .. } | LogKeyError::Io { .. }) | Self::OtherKey { .. } => {
                Some("give the copy of the log.key of the server that is lost, with --log-key FILE")
            }
        }
    }

    /// The exit code of the process: 5 for a log that does not hold, else 1.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Start(error) => error.exit_code(),
            Self::Differs { .. } | Self::BadReplica { .. } | Self::ReplicasDiffer { .. } => 5,
            Self::BackupInTheWay { .. }
            | Self::BackupInside { .. }
            | Self::BackupDenied { .. }
            | Self::NobodyAnswers { .. }
            | Self::Declined { .. }
            | Self::BrokenOff { .. }
            | Self::NoReplica { .. }
            | Self::BadSettings { .. }
            | Self::ReplicaInUse { .. }
            | Self::Provisional { .. }
            | Self::EmptyReplica { .. }
            | Self::NoKey
            | Self::Key(_)
            | Self::OtherKey { .. } => 1,
        }
    }
}

//! Why a server does not start, what the person in front of it can do, and which exit code says so.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use radslag_core::id::ProgramId;
use radslag_engine::engine::EngineError;
use radslag_engine::ledger::LedgerError;
use radslag_log::LogError;

use crate::log_key::LogKeyError;
use crate::tls::TlsError;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be made or read.
    #[error("the data directory {} cannot be used", dir.display())]
    DataDir {
        /// Which.
        dir: PathBuf,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// The data directory, or something in it, is another user's.
    #[error("{} belongs to user {owner}, and this radslagd is user {user}", path.display())]
    OthersData {
        /// What.
        path: PathBuf,
        /// Whose.
        owner: u32,
        /// Whom the process runs as.
        user: u32,
    },
    /// There is nothing in the data directory that could be checked.
    #[error("there is no store in {}", dir.display())]
    NoStore {
        /// Which.
        dir: PathBuf,
    },
    /// There is something where a store is to be restored to.
    #[error("there is something in {} already", dir.display())]
    StoreInTheWay {
        /// Where.
        dir: PathBuf,
    },
    /// What is there was being restored.
    #[error("a restore into {} was not finished", dir.display())]
    RestoreUnfinished {
        /// Where.
        dir: PathBuf,
    },
    /// What is there was being backed up to.
    #[error("a backup into {} was not finished", dir.display())]
    BackupUnfinished {
        /// Where.
        dir: PathBuf,
    },
    /// What is to be served is a backup.
    #[error("{} is a backup", dir.display())]
    IsABackup {
        /// Which.
        dir: PathBuf,
    },
    /// What is to be restored or backed up lacks the log's key.
    #[error("there is no log.key in {}", dir.display())]
    NoLogKey {
        /// Where.
        dir: PathBuf,
    },
    /// It is to be restored into the copy itself.
    #[error("{} lies inside the copy", dir.display())]
    InsideTheCopy {
        /// Where.
        dir: PathBuf,
    },
    /// What is to be restored is the directory of a server that runs.
    #[error("a radslagd has {} open", dir.display())]
    CopyInUse {
        /// Where.
        dir: PathBuf,
    },
    /// The log's key cannot be used.
    #[error(transparent)]
    LogKey(#[from] LogKeyError),
    /// A programme in the store was begun under another key.
    #[error("the log's key is not the one that programme {program} was begun with")]
    OtherLogKey {
        /// The programme.
        program: ProgramId,
    },
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] LogError),
    /// A log in the store does not add up.
    #[error(transparent)]
    Log(#[from] EngineError),
    /// Another program listens on the address.
    #[error("another program listens on {address}")]
    AddressTaken {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("the address {address} cannot be listened on")]
    Address {
        /// The address.
        address: SocketAddr,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// The certificate cannot be served.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The process may not have as many files open as a server needs for itself.
    #[error(
        "this process may have {most} files open, which is too few: a server needs {needed}, and one for each connection"
    )]
    TooFewDescriptors {
        /// How many it may.
        most: usize,
        /// The fewest that it needs.
        needed: usize,
    },
    /// The process is ending.
    #[error("the start was cut short")]
    CutShort,
}

impl From<LedgerError> for StartError {
    fn from(error: LedgerError) -> Self {
        Self::Log(error.into())
    }
}

impl StartError {
    /// A store that does not open, in words about its directory where the operating system denies it.
    pub(crate) fn opening(dir: &Path, error: LogError) -> Self {
        match error {
            LogError::Io { source } => {
                Self::DataDir { dir: dir.to_owned(), source: io::Error::new(source.kind(), source) }
            }
            error => error.into(),
        }
    }

    /// What to do about it, as one sentence in the imperative; none where the text says it all.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::DataDir { .. } => {
                Some("let this user write to it and to all in it, or give another directory with --data DIR")
            }
            Self::OthersData { .. } => Some(
                "run it as the user whom the data directory belongs to, or give the directory and all in it to this one with `chown -R`",
            ),
            Self::NoStore { .. } => Some("name the data directory of a server with --data DIR"),
            Self::StoreInTheWay { .. } => Some(
                "move it away and keep it: it may hold changes that the copy lacks; or name another --data DIR",
            ),
            Self::RestoreUnfinished { .. } => {
                Some("run `radslagd restore COPY` into it again, or --from-replica; it begins afresh")
            }
            Self::BackupUnfinished { .. } => {
                Some("run `radslagd backup` into it again, or restore from an older backup")
            }
            Self::IsABackup { .. } => Some(
                "run `radslagd restore BACKUP --data NEW` and serve NEW: it opens an epoch, so that replicas hand in what the backup lacks",
            ),
            Self::NoLogKey { .. } => Some(
                "put the log.key of this server into that directory: replicas trust no checkpoint signed by another",
            ),
            Self::InsideTheCopy { .. } => Some("give a directory outside the copy with --data DIR"),
            Self::CopyInUse { .. } => {
                Some("a copy of a running store is no backup: stop that server, then copy its directory")
            }
            Self::LogKey(LogKeyError::TooOpen { .. }) => {
                Some("make it yours alone with `chmod 600`, after asking who may have read it")
            }
            Self::LogKey(LogKeyError::Io { source, .. })
                if matches!(source.kind(), io::ErrorKind::PermissionDenied) =>
            {
                Some("give the file to the server's user with `chown`, and close it with `chmod 600`")
            }
            Self::LogKey(LogKeyError::Malformed { .. } | LogKeyError::Io { .. })
            | Self::OtherLogKey { .. } => Some(
                "put back the log.key that belongs to this data directory: replicas trust no checkpoint signed by another",
            ),
            Self::Store(error) => error.help(),
            Self::Log(EngineError::ClockUnfit(_)) => {
                Some("set the clock right, or say that it is right with --accept-clock")
            }
            Self::Log(_) => Some(
                "run `radslagd check` to see which programme is damaged, and keep the directory as it is until it is restored",
            ),
            Self::AddressTaken { .. } => {
                Some("stop it, or give another address, such as --listen 127.0.0.1:0 for any free port")
            }
            Self::Address { .. } => Some("give another address with --listen ADDR:PORT"),
            Self::Tls(error) => Some(error.hint()),
            Self::TooFewDescriptors { .. } => {
                Some("raise the limit: `ulimit -n 1024`, or LimitNOFILE=1024 in the unit")
            }
            Self::CutShort => None,
        }
    }

    /// The exit code of the process: 5 for a damaged log, else 1.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Log(EngineError::ClockUnfit(_)) => 1,
            Self::Store(LogError::Damaged { .. } | LogError::Behind { .. }) | Self::Log(_) => 5,
            Self::Store(
                LogError::Stopped { .. }
                | LogError::OutOfOrder { .. }
                | LogError::Malformed { .. }
                | LogError::TooLarge { .. }
                | LogError::InUse { .. }
                | LogError::Newer { .. }
                | LogError::NotHeld { .. }
                | LogError::NoRoom { .. }
                | LogError::Full { .. }
                | LogError::Io { .. },
            )
            | Self::DataDir { .. }
            | Self::OthersData { .. }
            | Self::NoStore { .. }
            | Self::StoreInTheWay { .. }
            | Self::RestoreUnfinished { .. }
            | Self::BackupUnfinished { .. }
            | Self::IsABackup { .. }
            | Self::NoLogKey { .. }
            | Self::InsideTheCopy { .. }
            | Self::CopyInUse { .. }
            | Self::LogKey(_)
            | Self::OtherLogKey { .. }
            | Self::AddressTaken { .. }
            | Self::Address { .. }
            | Self::Tls(_)
            | Self::TooFewDescriptors { .. }
            | Self::CutShort => 1,
        }
    }
}

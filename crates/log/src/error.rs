//! What a store answers when it cannot do as asked: one variant for each thing a caller does differently.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use radslag_core::id::{Position, ProgramId};

/// Why a store did not do as asked. Cloneable, because one failed commit is the answer to everybody who was in it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// An earlier write or sync failed. Writes are over until the store is opened anew; reads go on.
    #[error("the store has stopped writing: {reason}")]
    Stopped {
        /// What went wrong at the time.
        reason: String,
    },
    /// An append does not continue the log. Read the head and try again from there.
    #[error("the log of programme {program} goes on at position {expected}, not at {got}")]
    OutOfOrder {
        /// Whose log.
        program: ProgramId,
        /// The position that comes next.
        expected: Position,
        /// The position that was handed over.
        got: Position,
    },
    /// What was handed over is not a commit. A bug in the caller.
    #[error("the commit for programme {program} is malformed: {what}")]
    Malformed {
        /// Whose log or row.
        program: ProgramId,
        /// What is wrong with it.
        what: String,
    },
    /// The commit is over the limit. Split it.
    #[error("a commit of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// What it would have held.
        bytes: usize,
        /// What it may hold.
        limit: usize,
    },
    /// What is stored is not what was written. Nobody but an operator can help.
    #[error("the store is damaged{}: {what}", place(*.program, *.position))]
    Damaged {
        /// Whose log or row, where that is known.
        program: Option<ProgramId>,
        /// At which position, where that is known.
        position: Option<Position>,
        /// What does not fit.
        what: String,
    },
    /// Somebody else has the store open. Wait, or find out who.
    #[error("{} is already in use by another radslag or radslagd", .dir.display())]
    InUse {
        /// Which store.
        dir: PathBuf,
    },
    /// The store holds less than it has acknowledged. It does not open.
    #[error("position {} of {acknowledged} acknowledged changes of programme {program} is missing", .has.next())]
    Behind {
        /// Whose log.
        program: ProgramId,
        /// The last position that is there.
        has: Position,
        /// The last position that was acknowledged.
        acknowledged: Position,
    },
    /// The replica began from a snapshot and has not fetched the records before it yet.
    #[error("the history before position {from} is not here yet: this replica began from a snapshot")]
    NotHeld {
        /// The first position that is held: that of the snapshot.
        from: Position,
    },
    /// A later release wrote the store. Use that release.
    #[error("{} has store format {version}, this release reads up to {supported}", .dir.display())]
    Newer {
        /// Which store.
        dir: PathBuf,
        /// The format found.
        version: u32,
        /// The newest format that is understood.
        supported: u32,
    },
    /// There is hardly any room on the disk, so nothing was written. With room writing goes on.
    #[error(
        "there is no room: {left} bytes can still be written, and {wanted} have to be free before anything is"
    )]
    NoRoom {
        /// How many bytes have to be free for what was asked.
        wanted: u64,
        /// How many are.
        left: u64,
    },
    /// The disk is full. What was acknowledged is safe; make room before the store is opened again.
    #[error("the disk is full")]
    Full {
        /// The operating system's answer.
        #[source]
        source: Arc<io::Error>,
    },
    /// The disk or the file system failed.
    #[error("the store could not be read or written")]
    Io {
        /// The operating system's answer.
        #[source]
        source: Arc<io::Error>,
    },
}

impl LogError {
    /// Damage at a position of a log.
    pub fn damaged_at(program: ProgramId, position: Position, what: impl Into<String>) -> Self {
        Self::Damaged { program: Some(program), position: Some(position), what: what.into() }
    }

    /// Damage that belongs to a programme but to no position.
    pub fn damaged_in(program: ProgramId, what: impl Into<String>) -> Self {
        Self::Damaged { program: Some(program), position: None, what: what.into() }
    }

    /// Damage that cannot be placed.
    pub fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { program: None, position: None, what: what.into() }
    }

    /// What the person in front of it can do, as one sentence in the imperative; none where the text says it all.
    pub const fn help(&self) -> Option<&'static str> {
        match self {
            Self::Stopped { .. } => {
                Some("see the first error in the log, mend the disk, and restart the process")
            }
            Self::Damaged { .. } | Self::Behind { .. } => Some(
                "run `check` to see what is left and `restore` to bring back a backup or a replica's copy; keep the damaged directory",
            ),
            Self::InUse { .. } => {
                Some("wait for the other process or stop it; a store has one user at a time")
            }
            Self::Newer { .. } => Some("use the release that wrote the store, or a later one"),
            Self::NotHeld { .. } => Some("radslag fetch-history"),
            Self::NoRoom { .. } => {
                Some("make room on the disk, or let files grow (ulimit -f); writing goes on by itself")
            }
            Self::Full { .. } => Some("make room on the disk first: a store does not open on a full disk"),
            Self::OutOfOrder { .. } | Self::Malformed { .. } | Self::TooLarge { .. } | Self::Io { .. } => {
                None
            }
        }
    }
}

impl From<io::Error> for LogError {
    /// A full disk is told apart from every other failure.
    fn from(error: io::Error) -> Self {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let source = Arc::new(error);
        if full { Self::Full { source } } else { Self::Io { source } }
    }
}

fn place(program: Option<ProgramId>, position: Option<Position>) -> String {
    match (program, position) {
        (Some(program), Some(position)) => format!(" at position {position} of programme {program}"),
        (Some(program), None) => format!(" in programme {program}"),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_is_so_and_where() {
        let program = ProgramId::default();
        let id = "00000000-0000-0000-0000-000000000000";
        let behind =
            LogError::Behind { program, has: Position::new(4119), acknowledged: Position::new(4123) };
        assert_eq!(
            behind.to_string(),
            format!("position 4120 of 4123 acknowledged changes of programme {id} is missing")
        );
        let damaged = LogError::damaged_at(program, Position::new(7), "the checksum differs");
        assert_eq!(
            damaged.to_string(),
            format!("the store is damaged at position 7 of programme {id}: the checksum differs")
        );
        assert_eq!(LogError::damaged("no format").to_string(), "the store is damaged: no format");
    }

    #[test]
    fn a_full_disk_is_told_apart() {
        assert!(matches!(io::Error::from(io::ErrorKind::StorageFull).into(), LogError::Full { .. }));
        assert!(matches!(io::Error::from(io::ErrorKind::BrokenPipe).into(), LogError::Io { .. }));
    }
}

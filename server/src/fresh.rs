//! A directory that becomes a store: made where nothing is, marked until it is whole, and made durable.
//!
//! What a step that fails leaves is marked: no server opens it, nothing is restored from it, and the next try begins afresh. A backup
//! stays marked as what it is when it is whole, so that nobody serves it as if nothing had happened since.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::StartError;
use crate::guard;
use crate::log_key;

/// The file in a directory whose restore is not finished. A restore holds its lock.
const RESTORING: &str = "restoring";
/// The file in a directory whose backup is not finished. A backup holds its lock.
const BACKING_UP: &str = "backing-up";
/// What becomes of that file when the backup is whole.
pub(crate) const BACKUP: &str = "backup";

/// What a directory is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be served.
    Restore,
    /// To be kept, and restored from.
    Backup,
}

impl Purpose {
    const fn mark(self) -> &'static str {
        match self {
            Self::Restore => RESTORING,
            Self::Backup => BACKING_UP,
        }
    }
}

/// A directory that is being made. The mark is locked as long as this is there.
pub(crate) struct Fresh {
    dir: PathBuf,
    purpose: Purpose,
    mark: fs::File,
}

impl Fresh {
    /// Makes the directory, marks it, and takes away what an earlier try left there. It may not lie inside one of `sources`.
    ///
    /// # Errors
    /// There is something in it already, it lies inside a source, or it cannot be written.
    pub(crate) fn begin(dir: &Path, purpose: Purpose, sources: &[&Path]) -> Result<Self, StartError> {
        let failed = |source| StartError::DataDir { dir: dir.to_owned(), source };
        let mark = dir.join(purpose.mark());
        let in_the_way = || StartError::StoreInTheWay { dir: dir.to_owned() };
        if !mark.is_file() && dir.exists() && fs::read_dir(dir).map_err(failed)?.next().is_some() {
            return Err(in_the_way());
        }
        // A copy into itself would not end, and one beside it in the same place is lost with it.
        let whole = std::path::absolute(dir).map_err(failed)?;
        let there = whole.ancestors().find_map(|dir| fs::canonicalize(dir).ok());
        for source in sources {
            let source = fs::canonicalize(source).map_err(failed)?;
            if there.as_ref().is_some_and(|dir| dir.starts_with(&source)) {
                return Err(StartError::InsideTheCopy { dir: dir.to_owned() });
            }
        }
        log_key::make_data_dir(dir).map_err(failed)?;
        if !mark.is_file() {
            guard::closed(dir)?;
        }
        let file =
            fs::File::options().create(true).write(true).truncate(false).open(&mark).map_err(failed)?;
        file.try_lock().map_err(|_| in_the_way())?;
        file.sync_all().and_then(|()| log_key::sync_dir(dir)).map_err(failed)?;
        for entry in fs::read_dir(dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let is_dir = entry.file_type().map_err(failed)?.is_dir();
            if is_dir {
                fs::remove_dir_all(entry.path()).map_err(failed)?;
            } else if entry.file_name() != purpose.mark() {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(Self { dir: dir.to_owned(), purpose, mark: file })
    }

    /// The directory is whole: its mark is taken away, or says from now on that it is a backup.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn done(self) -> Result<(), StartError> {
        let Self { dir, purpose, mark } = self;
        let path = dir.join(purpose.mark());
        let done = match purpose {
            Purpose::Restore => fs::remove_file(path),
            Purpose::Backup => fs::rename(path, dir.join(BACKUP)),
        };
        done.and_then(|()| log_key::sync_dir(&dir)).map_err(|source| StartError::DataDir { dir, source })?;
        drop(mark);
        Ok(())
    }
}

/// Refuses a directory that was never finished.
///
/// # Errors
/// [`StartError::RestoreUnfinished`] or [`StartError::BackupUnfinished`].
pub(crate) fn refuse_unfinished(dir: &Path) -> Result<(), StartError> {
    if dir.join(RESTORING).exists() {
        return Err(StartError::RestoreUnfinished { dir: dir.to_owned() });
    }
    if dir.join(BACKING_UP).exists() {
        return Err(StartError::BackupUnfinished { dir: dir.to_owned() });
    }
    Ok(())
}

/// Refuses a directory that cannot be served as it is: never finished, or a backup.
///
/// # Errors
/// As for [`refuse_unfinished`], and [`StartError::IsABackup`].
pub(crate) fn refuse_unservable(dir: &Path) -> Result<(), StartError> {
    refuse_unfinished(dir)?;
    if dir.join(BACKUP).exists() {
        return Err(StartError::IsABackup { dir: dir.to_owned() });
    }
    Ok(())
}

//! `radslagd restore DIR`: a copy of a data directory becomes the data directory, and each of its logs opens an epoch.
//!
//! A copy may lack what was acknowledged after it was taken. The epoch says so in the log itself: replicas that hold more find
//! where their log and this one part, keep what is lost, and hand it in again. Nothing is copied over what is there.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use radslag_core::id::{Position, ProgramId};
use radslag_engine::clock::{SystemClock, SystemIds};
use radslag_engine::ledger::Ledger;
use radslag_log::EventLog as _;

use crate::config::Config;
use crate::error::StartError;
use crate::log_key;
use crate::running::{open_engine, open_store};

/// One programme's log, restored.
#[derive(Clone, Copy, Debug)]
pub struct Restored {
    /// The programme.
    pub program: ProgramId,
    /// The last record that the copy had.
    pub cut: Position,
}

/// The file in a data directory whose restore is not finished. A restore holds its lock.
const MARK: &str = "restoring";

/// Copies the data directory in `from` to `config.data`, which must be empty or hold what an earlier try left, verifies every log, and
/// opens an epoch in each. What a step that fails leaves is marked: no server opens it, and the next try begins afresh.
///
/// # Errors
/// There is no store to copy or something in the way, it is in use, a log does not verify, or a file cannot be written.
pub async fn restore(config: &Config, from: &Path) -> Result<Vec<Restored>, StartError> {
    let data = &config.data;
    if !from.join("db").is_file() {
        return Err(StartError::NoStore { dir: from.to_owned() });
    }
    refuse_unfinished(from)?;
    if !from.join(log_key::FILE).is_file() {
        return Err(StartError::NoLogKey { dir: from.to_owned() });
    }
    // Whatever is wrong with it is to be mended there: the copy of it is taken away by the next try.
    log_key::load_or_make(from, &SystemIds)?;
    let failed = |source| StartError::DataDir { dir: data.clone(), source };
    let mark = {
        // Held until everything is copied: no server begins on it meanwhile.
        let _lock = lock(from)?;
        let mark = make_room(data, from)?;
        copy(from, data).map_err(failed)?;
        mark
    };
    let restored = open_epochs(config).await?;
    fs::remove_file(data.join(MARK)).and_then(|()| log_key::sync_dir(data)).map_err(failed)?;
    drop(mark);
    Ok(restored)
}

/// Refuses a data directory whose restore is not finished.
///
/// # Errors
/// [`StartError::RestoreUnfinished`].
pub(crate) fn refuse_unfinished(data: &Path) -> Result<(), StartError> {
    if data.join(MARK).exists() {
        return Err(StartError::RestoreUnfinished { dir: data.to_owned() });
    }
    Ok(())
}

/// Verifies every log of the copy and opens an epoch in each.
async fn open_epochs(config: &Config) -> Result<Vec<Restored>, StartError> {
    let store = Arc::new(open_store(config)?);
    for program in store.programs()? {
        Ledger::verify(store.as_ref(), program)?;
    }
    let key = log_key::load_or_make(&config.data, &SystemIds)?;
    let engine = open_engine(config, Arc::clone(&store) as _, key, Arc::new(SystemClock))?;
    let mut restored = Vec::new();
    for programme in engine.programmes() {
        let opened = engine.open_epoch(programme.id(), &SystemIds).await?;
        restored.push(Restored { program: programme.id(), cut: opened.cut });
    }
    engine.close();
    drop(engine);
    // Whoever still reads closes it; nobody does.
    if let Ok(store) = Arc::try_unwrap(store) {
        store.close()?;
    }
    Ok(restored)
}

/// Makes the directory and marks it, and takes away what an earlier try left there. The mark is locked while it is open.
fn make_room(data: &Path, from: &Path) -> Result<fs::File, StartError> {
    let failed = |source| StartError::DataDir { dir: data.to_owned(), source };
    let mark = data.join(MARK);
    let in_the_way = || StartError::StoreInTheWay { dir: data.to_owned() };
    if !mark.is_file() && data.exists() && fs::read_dir(data).map_err(failed)?.next().is_some() {
        return Err(in_the_way());
    }
    // A copy into itself would not end.
    let copied = fs::canonicalize(from).map_err(failed)?;
    let whole = std::path::absolute(data).map_err(failed)?;
    let there = whole.ancestors().find_map(|dir| fs::canonicalize(dir).ok());
    if there.is_some_and(|dir| dir.starts_with(&copied)) {
        return Err(StartError::InsideTheCopy { dir: data.to_owned() });
    }
    log_key::make_data_dir(data).map_err(failed)?;
    let file = fs::File::options().create(true).write(true).truncate(false).open(&mark).map_err(failed)?;
    file.try_lock().map_err(|_| in_the_way())?;
    file.sync_all().and_then(|()| log_key::sync_dir(data)).map_err(failed)?;
    for entry in fs::read_dir(data).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_dir = entry.file_type().map_err(failed)?.is_dir();
        if is_dir {
            fs::remove_dir_all(entry.path()).map_err(failed)?;
        } else if entry.file_name() != MARK {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(file)
}

/// The lock of the store that is copied; none where it has no lock file, which every store has that a server ever opened.
fn lock(store: &Path) -> Result<Option<fs::File>, StartError> {
    let file = match fs::File::open(store.join("lock")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StartError::DataDir { dir: store.to_owned(), source }),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Err(StartError::CopyInUse { dir: store.to_owned() }),
        Err(fs::TryLockError::Error(source)) => Err(StartError::DataDir { dir: store.to_owned(), source }),
    }
}

/// Copies a directory's files and folders durably. The lock is the copy's own matter.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if entry.file_name() != "lock" {
            fs::copy(entry.path(), &target)?;
            // Windows flushes only through a handle that may write; on Unix a key may be read-only.
            fs::File::options().read(true).write(!cfg!(unix)).open(&target)?.sync_all()?;
        }
    }
    log_key::sync_dir(to)
}

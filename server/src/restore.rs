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
use crate::fresh::{self, BACKUP, Fresh, Purpose};
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
    fresh::refuse_unfinished(from)?;
    // Whatever is wrong with it is to be mended there: the copy of it is taken away by the next try.
    log_key::load(from)?.ok_or_else(|| StartError::NoLogKey { dir: from.to_owned() })?;
    let fresh = {
        // Held until everything is copied: no server begins on it meanwhile.
        let _lock = lock(from, || StartError::CopyInUse { dir: from.to_owned() })?;
        let fresh = Fresh::begin(data, Purpose::Restore, &[from])?;
        copy(from, data).map_err(|source| StartError::DataDir { dir: data.clone(), source })?;
        fresh
    };
    let restored = open_epochs(config).await?;
    fresh.done()?;
    Ok(restored)
}

/// Verifies every log of the copy and opens an epoch in each.
pub(crate) async fn open_epochs(config: &Config) -> Result<Vec<Restored>, StartError> {
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

/// The lock of the store that is copied; none where it has no lock file, which every store has that a server ever opened.
pub(crate) fn lock<E: From<StartError>>(
    store: &Path,
    in_use: impl FnOnce() -> E,
) -> Result<Option<fs::File>, E> {
    let failed = |source| E::from(StartError::DataDir { dir: store.to_owned(), source });
    let file = match fs::File::open(store.join("lock")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Err(in_use()),
        Err(fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Copies a directory's files and folders durably. The lock is the copy's own matter, and so is that it is a backup; a socket that a
/// server left behind is nobody's.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        let name = entry.file_name();
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if fs::metadata(entry.path())?.is_file() && name != "lock" && name != BACKUP {
            fs::copy(entry.path(), &target)?;
            // Windows flushes only through a handle that may write; on Unix a key may be read-only.
            fs::File::options().read(true).write(!cfg!(unix)).open(&target)?.sync_all()?;
        }
    }
    log_key::sync_dir(to)
}

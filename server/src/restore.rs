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

/// Copies the data directory in `from` to `config.data`, which must not hold a store, verifies every log, and opens an epoch
/// in each. When a step fails, what was copied stays where it is and is no store that was ever served.
///
/// # Errors
/// There is no store to copy or one in the way, it is in use, a log does not verify, or a file cannot be written.
pub async fn restore(config: &Config, from: &Path) -> Result<Vec<Restored>, StartError> {
    if !from.join("db").is_file() {
        return Err(StartError::NoStore { dir: from.to_owned() });
    }
    if is_in_use(from) {
        return Err(StartError::CopyInUse { dir: from.to_owned() });
    }
    if config.data.join("db").exists() || config.data.join(log_key::FILE).exists() {
        return Err(StartError::StoreInTheWay { dir: config.data.clone() });
    }
    log_key::make_data_dir(&config.data)
        .map_err(|source| StartError::DataDir { dir: config.data.clone(), source })?;
    copy(from, &config.data).map_err(|source| StartError::DataDir { dir: config.data.clone(), source })?;
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

/// Whether a server has the store open: what is copied under it is no copy.
fn is_in_use(store: &Path) -> bool {
    let lock = fs::File::open(store.join("lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(fs::TryLockError::WouldBlock)))
}

/// Copies a directory's files and folders. The lock is the copy's own matter.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if entry.file_name() != "lock" {
            fs::copy(entry.path(), &target)?;
            fs::File::open(&target)?.sync_all()?;
        }
    }
    Ok(())
}

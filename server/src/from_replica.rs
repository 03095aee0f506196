//! `radslagd restore --from-replica DIR`: with the server's disk gone, its log comes back from the replicas' own copies of it.
//!
//! A replica's store is copied before it is opened: opening may write, and what a municipality holds may be the last of its kind. From the
//! first record on, whole bundles are verified as a replica verifies them; a group never spans two, so the log ends where one does. What
//! the replica keeps beside its log, its outbox foremost, is left to it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;
use radslag_core::id::ProgramId;
use radslag_log::{EventLog as _, HELD_SNAPSHOT, RowKey, RowKind, StoredRecord};
use radslag_log_sled::{OpenOptions, SledLog};
use radslag_proto::convert::value::encode_values;
use radslag_proto::log::v1;
use serde::Deserialize;

use crate::config::Config;
use crate::error::StartError;
use crate::fresh::{Fresh, Purpose};
use crate::log_key;
use crate::reach::{Reach, bundles, reach};
use crate::recovery::RecoveryError;
use crate::restore::{Restored, copy, lock, open_epochs};
use crate::transfer::Transfer;

/// The folder that makes its parent a replica.
const FOLDER: &str = ".radslag";

/// One programme's log, restored from a replica.
#[derive(Debug)]
pub struct Taken {
    /// The programme, and the last record that the replica had.
    pub restored: Restored,
    /// Which replica it is from.
    pub replica: PathBuf,
    /// Why nothing after that record was taken, where the replica holds more.
    pub stopped: Option<String>,
}

/// Makes the logs that replicas hold the logs of `config.data`, which must be empty or hold what an earlier try left, with the key in
/// `log_key`, and opens an epoch in each. Of several replicas of one programme, the one that reaches furthest is taken.
///
/// # Errors
/// A replica is not whole from the first record, is in use, or nothing of it holds; no key or another log's; something in the way.
pub async fn restore_from_replicas(
    config: &Config,
    replicas: &[PathBuf],
    log_key: Option<&Path>,
) -> Result<Vec<Taken>, RecoveryError> {
    let data = &config.data;
    let folders = replicas.iter().map(|dir| Folder::find(dir)).collect::<Result<Vec<_>, _>>()?;
    let key_file = log_key.ok_or(RecoveryError::NoKey)?;
    let key = log_key::read(key_file).map_err(RecoveryError::Key)?;
    let sources: Vec<&Path> = folders.iter().map(|folder| folder.path.as_path()).collect();
    let fresh = Fresh::begin(data, Purpose::Restore, &sources)?;
    let mut found = Vec::new();
    for (number, folder) in folders.into_iter().enumerate() {
        let held = Held::copy(folder, data.join(format!("replica.{number}")))?;
        if held.reach.log_key != *key.public().bytes() {
            let (path, program) = (key_file.to_owned(), held.folder.program);
            return Err(RecoveryError::OtherKey { path, program });
        }
        found.push(held);
    }
    let chosen = choose(&found);
    let to = SledLog::open(data, OpenOptions::default()).map_err(StartError::Store)?;
    for held in chosen.values() {
        held.write(&to, &found)?;
    }
    to.close()?;
    log_key::save(data, &key)?;
    for held in &found {
        let gone = fs::remove_dir_all(&held.copied);
        gone.map_err(|source| StartError::DataDir { dir: held.copied.clone(), source })?;
    }
    let mut taken = Vec::new();
    for restored in open_epochs(config).await? {
        let Some(held) = chosen.get(&restored.program) else { continue };
        let stopped = held.reach.stopped.as_ref().map(|error| words(error.as_ref()));
        taken.push(Taken { restored, replica: held.folder.dir.clone(), stopped });
    }
    fresh.done()?;
    Ok(taken)
}

/// A replica's folder, found and not yet read.
struct Folder {
    /// As it was named.
    dir: PathBuf,
    /// Where `replica.toml` is.
    path: PathBuf,
    program: ProgramId,
}

/// What is read of `replica.toml`.
#[derive(Deserialize)]
struct Settings {
    program: String,
}

impl Folder {
    fn find(dir: &Path) -> Result<Self, RecoveryError> {
        let inside = dir.join(FOLDER);
        let path = if inside.is_dir() { inside } else { dir.to_owned() };
        let file = path.join("replica.toml");
        if !file.is_file() || !path.join("store").join("db").is_file() {
            return Err(RecoveryError::NoReplica { dir: dir.to_owned() });
        }
        let bad = |what: String| RecoveryError::BadSettings { path: file.clone(), what };
        let text = fs::read_to_string(&file).map_err(|error| bad(error.to_string()))?;
        let settings: Settings = toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
        let program = settings.program.parse().map_err(|error| bad(format!("{error}")))?;
        Ok(Self { dir: dir.to_owned(), path, program })
    }

    fn bad(&self, source: impl Into<Box<dyn Error + Send + Sync>>) -> RecoveryError {
        RecoveryError::BadReplica { dir: self.dir.clone(), source: source.into() }
    }
}

/// A replica's log: a copy of it, and how far it holds.
struct Held {
    folder: Folder,
    copied: PathBuf,
    reach: Reach,
}

impl Held {
    /// Copies a replica's store to `to` while no command uses it, and verifies the copy.
    fn copy(folder: Folder, to: PathBuf) -> Result<Self, RecoveryError> {
        let store = folder.path.join("store");
        {
            let _lock = lock(&store, || RecoveryError::ReplicaInUse { dir: folder.dir.clone() })?;
            copy(&store, &to).map_err(|source| StartError::DataDir { dir: to.clone(), source })?;
        }
        let log = SledLog::open(&to, OpenOptions::default()).map_err(|error| folder.bad(error))?;
        check_whole(&log, &folder)?;
        let reach = reach(&log, folder.program).map_err(|error| folder.bad(error))?;
        log.close()?;
        Ok(Self { folder, copied: to, reach })
    }

    /// Whether this log is what replicas should go on with rather than `other`: who has followed more restores knows the later log.
    fn is_further_than(&self, other: &Self) -> bool {
        let rank = |held: &Self| (held.reach.epochs, held.reach.position);
        rank(self) > rank(other)
    }

    /// Writes the log as far as it was verified, and compares it on the way with that of every other replica in the same epoch.
    fn write(&self, to: &SledLog, all: &[Self]) -> Result<(), RecoveryError> {
        let program = self.folder.program;
        let log =
            SledLog::open(&self.copied, OpenOptions::default()).map_err(|error| self.folder.bad(error))?;
        let same = |other: &&Self| other.folder.program == program && other.reach.epoch == self.reach.epoch;
        let roots: Vec<&Self> = all.iter().filter(same).collect();
        let mut transfer = Transfer::new(program);
        while transfer.position() < self.reach.position {
            let batch = bundles(&log, program, transfer.position().next());
            let batch = batch.map_err(|error| self.folder.bad(error))?;
            if batch.records.is_empty() {
                return Err(self.folder.bad("its log became shorter"));
            }
            let mut bundles = batch.bundles.into_iter().peekable();
            for frame in batch.records {
                if frame.record.position > self.reach.position.get() {
                    break;
                }
                let bundle = bundles.next_if(|bundle| bundle.position == frame.record.position);
                let stored = StoredRecord { record: frame.record, values: encode_values(&frame.values) };
                transfer.add(to, stored, bundle)?;
                let here = roots.iter().find(|held| held.reach.position == transfer.position());
                if let Some(other) = here.filter(|held| held.reach.root != transfer.root()) {
                    let (one, other) = (self.folder.dir.clone(), other.folder.dir.clone());
                    return Err(RecoveryError::ReplicasDiffer { one, other });
                }
            }
        }
        transfer.commit(to)?;
        Ok(log.close()?)
    }
}

/// Of each programme the log that is furthest.
fn choose(found: &[Held]) -> BTreeMap<ProgramId, &Held> {
    let mut chosen: BTreeMap<ProgramId, &Held> = BTreeMap::new();
    for held in found {
        match chosen.get(&held.folder.program) {
            Some(best) if !held.is_further_than(best) => {}
            Some(_) | None => {
                chosen.insert(held.folder.program, held);
            }
        }
    }
    chosen
}

/// Refuses a replica whose log does not begin with the first record, and one that has none.
fn check_whole(log: &SledLog, folder: &Folder) -> Result<(), RecoveryError> {
    let program = folder.program;
    let held = log.row(RowKey { program, kind: RowKind::Snapshot, number: HELD_SNAPSHOT });
    let held = held.map_err(|error| folder.bad(error))?.unwrap_or_default();
    let held = v1::HeldSnapshot::decode(held.as_slice()).map_err(|error| folder.bad(error))?;
    // Without a manifest the snapshot is not all there, and nothing was built on it.
    if !held.manifest.is_empty() {
        return Err(RecoveryError::Provisional { dir: folder.dir.clone() });
    }
    if log.head(program)?.is_none() {
        return Err(RecoveryError::EmptyReplica { dir: folder.dir.clone() });
    }
    Ok(())
}

/// An error and its causes, in one line.
fn words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(&format!(": {source}"));
        cause = source.source();
    }
    text
}

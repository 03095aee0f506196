//! sled behind a door: its panics become errors, its values are joined from pieces, and a write is over only when the disk said so.

use std::fs::{self, File};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use radslag_core::id::ProgramId;
use radslag_log::LogError;

use crate::format;
use crate::pieces::{self, Joining};
use crate::room;

/// Its threads may hold sled's own lock a little longer than the database that was closed in this process.
const LINGERING: Duration = Duration::from_secs(5);
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// A stem, and what is stored under it.
pub(crate) type Blob = (Vec<u8>, Vec<u8>);

/// sled, and the handle that its file is synced through.
#[derive(Debug)]
pub(crate) struct Disk {
    db: sled::Db,
    /// Open before the first write and until the end: sled's own thread syncs the same file and only logs a failure, and the kernel
    /// reports a failed write-back once to every handle that was open at the time. This one is ours to hear it.
    file: File,
    skip_sync: bool,
}

impl Disk {
    /// Opens or makes the database in `dir`, and makes durable whatever is found there: a predecessor that was killed may have left
    /// records that are in the page cache alone, and from now on they are shown.
    pub(crate) fn open(dir: &Path, cache_bytes: u64, skip_sync: bool) -> Result<Self, LogError> {
        let db = open_db(dir, cache_bytes)?;
        let file = File::options().write(true).open(dir.join("db"))?;
        let disk = Self { db, file, skip_sync };
        sync_directories(dir)?;
        disk.sync()?;
        Ok(disk)
    }

    /// Whether nothing was ever written.
    pub(crate) fn is_empty(&self) -> Result<bool, LogError> {
        Ok(guard(|| self.db.iter().next().transpose())?.is_none())
    }

    /// What is stored under one stem.
    pub(crate) fn get(&self, stem: &[u8]) -> Result<Option<Vec<u8>>, LogError> {
        match self.blobs(stem.to_vec(), stem).next() {
            Some(Ok((found, bytes))) if found == stem => Ok(Some(bytes)),
            Some(Err(error)) => Err(error),
            Some(Ok(_)) | None => Ok(None),
        }
    }

    /// What is stored and sealed under one stem.
    pub(crate) fn get_sealed(&self, stem: &[u8]) -> Result<Option<Vec<u8>>, LogError> {
        let Some(sealed) = self.get(stem)? else { return Ok(None) };
        pieces::unseal(stem, &sealed).map(|bytes| Some(bytes.to_vec()))
    }

    /// All that is sealed under stems with a prefix, ascending.
    pub(crate) fn sealed(&self, prefix: &[u8]) -> impl Iterator<Item = Result<Blob, LogError>> + use<> {
        self.sealed_from(prefix.to_vec(), prefix)
    }

    /// The same from the first piece of `start` on.
    pub(crate) fn sealed_from(
        &self,
        start: Vec<u8>,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<Blob, LogError>> + use<> {
        self.blobs(start, prefix).map(|blob| {
            let (stem, sealed) = blob?;
            let bytes = pieces::unseal(&stem, &sealed)?.to_vec();
            Ok((stem, bytes))
        })
    }

    /// All stems with a prefix and what is stored under them, ascending from the first piece of `start` on.
    pub(crate) fn blobs(&self, start: Vec<u8>, prefix: &[u8]) -> Blobs {
        let iter = guard(|| Ok(self.db.range(start..format::after(prefix))));
        match iter {
            Ok(iter) => Blobs { iter: Some(iter), failed: None },
            Err(error) => Blobs { iter: None, failed: Some(error) },
        }
    }

    /// All keys with a prefix from the first piece of `start` on.
    pub(crate) fn keys(&self, start: Vec<u8>, prefix: &[u8]) -> Result<Vec<Vec<u8>>, LogError> {
        guard(|| {
            let range = self.db.range(start..format::after(prefix));
            range.keys().map(|key| key.map(|key| key.to_vec())).collect()
        })
    }

    /// The last stem with a prefix that comes before all keys of `end`.
    pub(crate) fn last_stem_before(&self, end: &[u8], prefix: &[u8]) -> Result<Option<Vec<u8>>, LogError> {
        let Some((key, _)) = guard(|| self.db.get_lt(end))? else { return Ok(None) };
        if !key.starts_with(prefix) {
            return Ok(None);
        }
        let (stem, _) = pieces::take_apart(&key)?;
        Ok(Some(stem.to_vec()))
    }

    /// The last stem with a prefix that comes before all keys of `end`, and what is stored under it.
    pub(crate) fn last_before(&self, end: &[u8], prefix: &[u8]) -> Result<Option<Blob>, LogError> {
        let Some((key, value)) = guard(|| self.db.get_lt(end))? else { return Ok(None) };
        if !key.starts_with(prefix) {
            return Ok(None);
        }
        // Nearly everything is one piece, and that was read just now.
        let joining = Joining::begin(&key, &value);
        if let Ok(joining) = joining
            && joining.is_whole()
        {
            return Ok(Some(joining.finish()));
        }
        let (stem, _) = pieces::take_apart(&key)?;
        let missing = || format::damaged(stem, "the first piece of a page is missing");
        let bytes = self.get(stem)?.ok_or_else(missing)?;
        Ok(Some((stem.to_vec(), bytes)))
    }

    /// The first programme after `previous` that has a page of records.
    pub(crate) fn next_with_records(
        &self,
        previous: Option<ProgramId>,
    ) -> Result<Option<ProgramId>, LogError> {
        let kind = format::all_records();
        let start = previous.map_or(kind.clone(), |program| format::after(&format::records(program)));
        let first = guard(|| self.db.range(start..format::after(&kind)).next().transpose())?;
        let Some((key, _)) = first else { return Ok(None) };
        format::program_of(&key).map(Some).ok_or_else(|| LogError::damaged("the key of a page is too short"))
    }

    /// How many pieces stand under a stem.
    pub(crate) fn pieces_of(&self, stem: &[u8]) -> Result<u16, LogError> {
        let count = guard(|| {
            self.db.scan_prefix(stem).keys().try_fold(0_usize, |count, key| key.map(|_| count + 1))
        })?;
        u16::try_from(count).map_err(|_| format::damaged(stem, "there are more pieces than numbers"))
    }

    /// Refuses a commit of so many bytes where there is no room for it.
    pub(crate) fn check_room(&self, bytes: usize) -> Result<(), LogError> {
        room::check(&self.file, bytes)
    }

    /// Writes a batch whole, flushes, syncs. Only then is it durable.
    pub(crate) fn write(&self, batch: sled::Batch) -> Result<(), LogError> {
        guard(|| self.db.apply_batch(batch))?;
        guard(|| self.db.flush())?;
        if self.skip_sync { Ok(()) } else { self.sync() }
    }

    // On Linux sled's flush ends in sync_file_range, which survives a kill but not a power cut.
    fn sync(&self) -> Result<(), LogError> {
        Ok(self.file.sync_data()?)
    }

    /// Makes every later sync fail.
    #[cfg(test)]
    pub(crate) fn break_sync(&mut self) {
        self.file = File::open("/dev/null").unwrap();
    }
}

/// An ascending walk over stems and their joined bytes.
pub(crate) struct Blobs {
    iter: Option<sled::Iter>,
    failed: Option<LogError>,
}

impl Blobs {
    fn next_piece(&mut self) -> Result<Option<(sled::IVec, sled::IVec)>, LogError> {
        match &mut self.iter {
            Some(iter) => guard(|| iter.next().transpose()),
            None => Ok(None),
        }
    }

    fn next_blob(&mut self) -> Result<Option<Blob>, LogError> {
        let Some((key, value)) = self.next_piece()? else { return Ok(None) };
        let mut joining = Joining::begin(&key, &value)?;
        while !joining.is_whole() {
            let (key, value) = self.next_piece()?.ok_or_else(|| joining.missing())?;
            joining.add(&key, &value)?;
        }
        Ok(Some(joining.finish()))
    }
}

impl Iterator for Blobs {
    type Item = Result<Blob, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = match self.failed.take() {
            Some(error) => Err(error),
            None => self.next_blob(),
        };
        // Behind damage nothing can be vouched for: the walk ends there.
        if next.is_err() {
            self.iter = None;
        }
        next.transpose()
    }
}

fn open_db(dir: &Path, cache_bytes: u64) -> Result<sled::Db, LogError> {
    let deadline = Instant::now() + LINGERING;
    loop {
        // Compression stays off (four times slower writes); the mode is sled's default. Its garbage collection runs with the timed flush only.
        let config = sled::Config::new().path(dir).cache_capacity(cache_bytes).flush_every_ms(Some(500));
        let mut locked = false;
        let opened = guard(|| config.open().inspect_err(|error| locked = is_locked(error)));
        match opened {
            Err(_) if locked && Instant::now() < deadline => thread::sleep(BETWEEN_TRIES),
            Err(_) if locked => return Err(LogError::InUse { dir: dir.to_owned() }),
            Err(error) => return Err(error),
            Ok(db) => return Ok(db),
        }
    }
}

// sled has no kind of its own for it.
fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(io) if io.to_string().contains("could not acquire lock"))
}

/// Makes the names of sled's files durable: a synced file whose name is lost is lost.
fn sync_directories(dir: &Path) -> Result<(), LogError> {
    let parent = fs::canonicalize(dir)?.parent().map(Path::to_path_buf);
    let inside = ["conf", "blobs"].map(|name| dir.join(name));
    let paths: Vec<PathBuf> = inside.into_iter().chain([dir.to_owned()]).chain(parent).collect();
    for path in paths.iter().filter(|path| path.exists()) {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}

/// Runs a call into sled, which panics on much of the damage that it meets.
fn guard<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, LogError> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(answer) => answer.map_err(from_sled),
        Err(payload) => {
            let said = payload.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
            Err(LogError::damaged(format!("sled gave up: {said}")))
        }
    }
}

fn from_sled(error: sled::Error) -> LogError {
    match error {
        sled::Error::Io(error) => error.into(),
        other => LogError::damaged(format!("sled: {other}")),
    }
}

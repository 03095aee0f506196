//! One store, one process: a lock file of our own, taken before sled opens anything, so that the answer is clean and waiting is possible.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use radslag_log::LogError;

const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Takes the lock of a store, which is held until the file is closed, by whatever end of the process. Waits up to `wait` for another holder.
pub(crate) fn take(dir: &Path, wait: Duration) -> Result<File, LogError> {
    let file = File::options().create(true).write(true).truncate(false).open(dir.join("lock"))?;
    let asked = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Err(TryLockError::WouldBlock) if asked.elapsed() >= wait => {
                return Err(LogError::InUse { dir: dir.to_owned() });
            }
            Err(TryLockError::WouldBlock) => thread::sleep(BETWEEN_TRIES),
        }
    }
}

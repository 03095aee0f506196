//! Whether there is room for a commit, asked before sled is: a write that fails inside sled leaves it answering reads with that failure,
//! and nobody can say what of the write is on disk. Refused before it, nothing has happened, and with room everything goes on.

use std::fs::File;

use radslag_log::LogError;

/// What has to be left on the disk beside a commit: sled writes in segments, its own notes and the high-water mark need some too.
const LEFT: u64 = 4 << 20;
/// sled writes a commit more than once: the log, and the pages that it is in.
const TIMES: u64 = 4;

/// Refuses a commit of so many bytes where the disk, or the largest size of a file, leaves no room for it.
pub(crate) fn check(file: &File, bytes: usize) -> Result<(), LogError> {
    let wanted = LEFT.saturating_add(TIMES.saturating_mul(u64::try_from(bytes).unwrap_or(u64::MAX)));
    match left(file) {
        Some(left) if left < wanted => Err(LogError::NoRoom { wanted, left }),
        _ => Ok(()),
    }
}

/// How many bytes the file may still grow by; none where the operating system does not say.
#[cfg(unix)]
fn left(file: &File) -> Option<u64> {
    let disk = rustix::fs::fstatvfs(file).ok()?;
    let on_disk = disk.f_bavail.saturating_mul(disk.f_frsize);
    let most = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    let of_file = most.map(|most| most.saturating_sub(file.metadata().map_or(0, |file| file.len())));
    Some(of_file.map_or(on_disk, |of_file| of_file.min(on_disk)))
}

#[cfg(not(unix))]
const fn left(_: &File) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_no_disk_has_room_for_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("db")).unwrap();
        assert!(check(&file, 0).is_ok());
        #[cfg(unix)]
        assert!(matches!(check(&file, usize::MAX), Err(LogError::NoRoom { .. })));
    }
}

//! Whose a data directory is, and to whom it is open. What is in it is as good as the programme's keys: it is its server's user's alone.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::StartError;

/// Refuses a directory that belongs to another user, or has something in it that does: what would be written there is theirs no more, or
/// their server finds files that it may not read. One that is not there is nobody's.
///
/// # Errors
/// [`StartError::OthersData`], or it cannot be looked at.
pub(crate) fn own(dir: &Path) -> Result<(), StartError> {
    let failed = |source| StartError::DataDir { dir: dir.to_owned(), source };
    let inside = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // Said by whose it is before that it cannot be read.
        Err(error) => return own_one(dir).and(Err(failed(error))),
        Ok(inside) => inside,
    };
    own_one(dir)?;
    for entry in inside {
        let entry = entry.map_err(failed)?;
        // A file system's own, where the directory is the top of one.
        if entry.file_name() != "lost+found" {
            own_one(&entry.path())?;
        }
    }
    Ok(())
}

fn own_one(path: &Path) -> Result<(), StartError> {
    match owner(path) {
        Ok((owner, user)) if owner != user => {
            Err(StartError::OthersData { path: path.to_owned(), owner, user })
        }
        // What goes away meanwhile is nobody's; what cannot be looked at says so when it is opened.
        _ => Ok(()),
    }
}

/// Closes a directory that others may look into. A copy that was unpacked, the top of a file system and what an administrator made by hand
/// are all open at first; keys in it that others may have read are refused for themselves.
///
/// # Errors
/// It cannot be looked at or closed.
pub(crate) fn closed(dir: &Path) -> Result<(), StartError> {
    let failed = |source| StartError::DataDir { dir: dir.to_owned(), source };
    let mode = match mode(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        mode => mode.map_err(failed)?,
    };
    if mode & 0o077 == 0 {
        return Ok(());
    }
    if fs::read_dir(dir).map_err(failed)?.next().is_some() {
        let was = format!("{mode:03o}");
        tracing::warn!(dir = %dir.display(), was, "the data directory was open to others and is closed to them now (mode 700)");
    }
    close(dir).map_err(failed)
}

/// The user whom something belongs to, and the one that this process is.
#[cfg(unix)]
fn owner(path: &Path) -> io::Result<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    Ok((fs::metadata(path)?.uid(), rustix::process::geteuid().as_raw()))
}

#[cfg(unix)]
fn mode(dir: &Path) -> io::Result<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::metadata(dir)?.permissions().mode() & 0o777)
}

#[cfg(unix)]
fn close(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

// Elsewhere rights are inherited from the folder above, and are its owner's to say.
#[cfg(not(unix))]
fn owner(_: &Path) -> io::Result<(u32, u32)> {
    Ok((0, 0))
}

#[cfg(not(unix))]
fn mode(_: &Path) -> io::Result<u32> {
    Ok(0o700)
}

#[cfg(not(unix))]
fn close(_: &Path) -> io::Result<()> {
    Ok(())
}

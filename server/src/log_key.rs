//! The log's own key: an Ed25519 seed in a file beside the store, made on the first start, readable by its owner alone.
//!
//! The caller holds the store's lock, so that no second process makes another key at the same time.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use radslag_core::digest::Digest;
use radslag_engine::clock::IdSource;
use radslag_trust::keys::DeviceKey;

/// The file's name in the data directory.
pub(crate) const FILE: &str = "log.key";

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum LogKeyError {
    /// The file cannot be read or written.
    #[error("the log's key in {} cannot be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// The file does not hold a key.
    #[error("{} does not hold a key: 64 hexadecimal digits and a line feed", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// Others may read or write the file.
    #[error("{} is open to others (mode {mode:03o})", path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// Reads the key of a data directory, or makes one where there is none.
pub(crate) fn load_or_make(data: &Path, ids: &dyn IdSource) -> Result<DeviceKey, LogKeyError> {
    if let Some(key) = load(data)? {
        return Ok(key);
    }
    let key = DeviceKey::from_seed(ids.random32());
    save(data, &key)?;
    tracing::info!(path = %data.join(FILE).display(), "made the log's key; keep a copy in a safe place");
    Ok(key)
}

/// Reads the key of a data directory; none where there is none.
pub(crate) fn load(data: &Path) -> Result<Option<DeviceKey>, LogKeyError> {
    let path = data.join(FILE);
    match read(&path) {
        Err(LogKeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// Reads a key from a file.
pub(crate) fn read(path: &Path) -> Result<DeviceKey, LogKeyError> {
    let io = |source| LogKeyError::Io { path: path.to_owned(), source };
    let bytes = fs::read(path).map_err(io)?;
    if let Some(mode) = check_mode(path).map_err(io)? {
        return Err(LogKeyError::TooOpen { path: path.to_owned(), mode });
    }
    let seed = parse(&bytes).ok_or_else(|| LogKeyError::Malformed { path: path.to_owned() })?;
    Ok(DeviceKey::from_seed(seed))
}

/// Keeps a key in a data directory.
pub(crate) fn save(data: &Path, key: &DeviceKey) -> Result<(), LogKeyError> {
    let path = data.join(FILE);
    write(data, &path, key.seed()).map_err(|source| LogKeyError::Io { path, source })
}

fn parse(bytes: &[u8]) -> Option<[u8; 32]> {
    let text = std::str::from_utf8(bytes).ok()?;
    let digits = text.strip_suffix('\n').unwrap_or(text);
    // A seed is no digest, but it is spelled like one; hexadecimal digits and nothing else, not even a sign.
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    Digest::from_hex(digits).filter(|_| plain).map(|seed| *seed.bytes())
}

/// Written beside, synced and renamed, so that a crash leaves a whole key or none.
fn write(data: &Path, path: &Path, seed: [u8; 32]) -> io::Result<()> {
    let beside = data.join(format!("{FILE}.new"));
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = private_file(&beside)?;
    writeln!(file, "{}", Digest::new(seed))?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    sync_dir(data)
}

#[cfg(unix)]
fn private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn private_file(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}

/// The permissions, when they let others in.
#[cfg(unix)]
fn check_mode(path: &Path) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

#[cfg(not(unix))]
fn check_mode(_: &Path) -> io::Result<Option<u32>> {
    Ok(None)
}

/// Makes the names in a directory durable.
#[cfg(unix)]
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Only Unix has handles of directories that can be synced.
#[cfg(not(unix))]
pub(crate) fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes the data directory where it is not there, for its owner alone.
pub(crate) fn make_data_dir(data: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(data)
}

#[cfg(test)]
mod tests {
    use radslag_engine::clock::SystemIds;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let made = load_or_make(dir.path(), &SystemIds).unwrap();
        let found = load_or_make(dir.path(), &SystemIds).unwrap();
        assert_eq!(made.seed(), found.seed());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_a_crash_left_beside_is_not_the_key() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("log.key.new"), "half").unwrap();
        load_or_make(dir.path(), &SystemIds).unwrap();
        assert!(!dir.path().join("log.key.new").exists());
    }

    #[test]
    fn a_malformed_key_is_not_replaced() {
        let signed = format!("{}+f\n", "0".repeat(62));
        for text in ["", "\n", "xyz\n", "00\n", signed.as_str(), &format!("{}\n\n", "0".repeat(64))] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(FILE);
            writeln!(private_file(&path).unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            let error = load_or_make(dir.path(), &SystemIds).unwrap_err();
            assert!(matches!(error, LogKeyError::Malformed { .. }), "{text:?}: {error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_an_error() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        load_or_make(dir.path(), &SystemIds).unwrap();
        let path = dir.path().join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = load_or_make(dir.path(), &SystemIds).unwrap_err();
        assert!(error.to_string().ends_with("is open to others (mode 640)"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn the_data_directory_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("a/b");
        make_data_dir(&data).unwrap();
        assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
        make_data_dir(&data).unwrap();
    }
}

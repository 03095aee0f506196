//! A replica's files: who it is, where its server is, and its key.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use radslag_core::id::{DeviceId, MemberId, OrgId, ProgramId};
use radslag_trust::keys::DeviceKey;
use serde::{Deserialize, Serialize};

use crate::error::ClientError;

/// The folder that makes its parent a replica.
pub const FOLDER: &str = ".radslag";

/// Who a replica is and where its server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The server's address, `https://host:port`, or `http://host:port` without TLS.
    pub server: String,
    /// The PEM file of the authorities that are trusted for it, where they are not the computer's.
    pub ca: Option<PathBuf>,
    /// The programme.
    pub program: ProgramId,
    /// The organisation that is acted for.
    pub org: OrgId,
    /// The member who acts.
    pub member: MemberId,
    /// The member's name.
    pub name: String,
    /// The device.
    pub device: DeviceId,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    server: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca: Option<PathBuf>,
    program: String,
    org: String,
    member: String,
    name: String,
    device: String,
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> ClientError + '_ {
    move |source| ClientError::Io { path: path.to_owned(), source }
}

impl Settings {
    /// Reads `replica.toml` in `folder`.
    ///
    /// # Errors
    /// It cannot be read, or a line of it is not what it should be.
    pub fn load(folder: &Path) -> Result<Self, ClientError> {
        let path = folder.join("replica.toml");
        let text = fs::read_to_string(&path).map_err(io(&path))?;
        let bad = |what: String| ClientError::BadFile { path: path.clone(), what };
        let written: Written = toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
        Ok(Self {
            server: written.server,
            // One that somebody has written in by hand is beside the replica, wherever the command is run.
            ca: written.ca.map(|ca| folder.parent().unwrap_or(folder).join(ca)),
            program: written.program.parse().map_err(|error| bad(format!("{error}")))?,
            org: written.org.parse().map_err(|error| bad(format!("{error}")))?,
            member: written.member.parse().map_err(|error| bad(format!("{error}")))?,
            name: written.name,
            device: written.device.parse().map_err(|error| bad(format!("{error}")))?,
        })
    }

    /// Writes `replica.toml` in `folder`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), ClientError> {
        let written = Written {
            server: self.server.clone(),
            ca: self.ca.clone(),
            program: self.program.to_string(),
            org: self.org.to_string(),
            member: self.member.to_string(),
            name: self.name.clone(),
            device: self.device.to_string(),
        };
        let text = toml::to_string(&written).expect("a flat table of texts is TOML");
        write_file(&folder.join("replica.toml"), text.as_bytes(), false)
    }
}

/// Writes a file whole or not at all; a secret one is readable by its owner alone.
///
/// # Errors
/// It cannot be written.
pub fn write_file(path: &Path, bytes: &[u8], secret: bool) -> Result<(), ClientError> {
    let temporary = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    if secret {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = secret;
    let mut file = options.open(&temporary).map_err(io(&temporary))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io(&temporary))?;
    fs::rename(&temporary, path).map_err(io(path))?;
    #[cfg(unix)]
    if let Some(parent) = path.parent() {
        fs::File::open(parent).and_then(|folder| folder.sync_all()).map_err(io(parent))?;
    }
    Ok(())
}

/// Reads the device's key from `folder`.
///
/// # Errors
/// It cannot be read, others may read it too, or it is not sixty-four hexadecimal digits.
pub fn load_key(folder: &Path) -> Result<DeviceKey, ClientError> {
    load_key_at(&key_path(folder))
}

pub(crate) fn load_key_at(path: &Path) -> Result<DeviceKey, ClientError> {
    let path = path.to_owned();
    let text = fs::read_to_string(&path).map_err(io(&path))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&path).map_err(io(&path))?.permissions().mode();
        if mode & 0o077 != 0 {
            let what = format!("others may read it (mode {:03o}); run chmod 600 on it", mode & 0o777);
            return Err(ClientError::BadFile { path, what });
        }
    }
    let seed = radslag_core::digest::Digest::from_hex(text.trim());
    let what = "a device key is 64 hexadecimal digits".to_owned();
    let seed = seed.ok_or(ClientError::BadFile { path, what })?;
    Ok(DeviceKey::from_seed(*seed.bytes()))
}

/// Keeps the device's key in `folder`.
///
/// # Errors
/// It cannot be written.
pub fn save_key(folder: &Path, key: &DeviceKey) -> Result<(), ClientError> {
    save_key_at(&key_path(folder), key)
}

pub(crate) fn save_key_at(path: &Path, key: &DeviceKey) -> Result<(), ClientError> {
    let text = radslag_core::digest::Digest::new(key.seed()).to_string();
    write_file(path, format!("{text}\n").as_bytes(), true)
}

/// Where a replica's key is.
pub fn key_path(folder: &Path) -> PathBuf {
    folder.join("device.key")
}

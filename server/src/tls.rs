//! TLS: the certificate and its key from their files, checked before anything is served and read again when an operator says so.
//!
//! The handshake itself is rustls's; for how long it may take is the port's to say. What is served over it does not know of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::net::TcpStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, InconsistentKeys, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// What is spoken inside: a client that offers protocols and not this one is turned away.
const HTTP2: &[u8] = b"h2";

/// The files of a server's certificate, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and after it those between it and its authority.
    pub cert: PathBuf,
    /// Its private key, not encrypted (PKCS#8, PKCS#1 or SEC1), closed to everybody but the owner and at most the group.
    pub key: PathBuf,
}

/// Why a certificate and its key cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// The first file holds no certificate, or something that is none.
    #[error("{} holds no certificate in PEM", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The second file holds no key.
    #[error("{} holds no private key in PEM, or an encrypted one", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Others may read the key.
    #[error("{} is open to others (mode {mode:03o})", path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// They do not belong together.
    #[error("the key in {} is not the one of the first certificate in {}", key.display(), cert.display())]
    Mismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The library does not take them.
    #[error("the certificate in {} cannot be served", path.display())]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

impl TlsError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "name files that the server's user may read with --tls-cert FILE and --tls-key FILE"
            }
            Self::NoCertificate { .. } => {
                "the file begins with -----BEGIN CERTIFICATE-----: the server's own, then those between it and its authority"
            }
            Self::NoKey { .. } => {
                "the file has a line -----BEGIN PRIVATE KEY-----; take a passphrase away with `openssl pkey -in FILE -out FILE2`"
            }
            Self::TooOpen { .. } => {
                "close it with `chmod 600`, or 640 for a group that may read it, after asking who may have read it"
            }
            Self::Mismatch { .. } => {
                "put the server's own certificate first, and name the key that it was made for"
            }
            Self::Unusable { .. } => "use an ECDSA (P-256, P-384), Ed25519 or RSA key of 2048 bits or more",
        }
    }
}

/// The certificate in force.
#[derive(Debug)]
pub(crate) struct Tls {
    // Held to take a reference at each handshake, and to put another certificate in its place.
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the certificate and its key.
    pub(crate) fn open(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self { config: RwLock::new(Arc::new(read(files)?)) })
    }

    /// Reads them again. What cannot be served leaves the one in force as it was; connections that are open go on either way.
    pub(crate) fn reload(&self, files: &TlsFiles) -> Result<(), TlsError> {
        let config = Arc::new(read(files)?);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// Shakes hands with somebody who connected.
    pub(crate) fn accept(&self, io: TcpStream) -> Accept<TcpStream> {
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        TlsAcceptor::from(config).accept(io)
    }
}

/// Whether a certificate and its key can be served, by this user and now.
///
/// # Errors
/// Why not.
pub fn check_certificate(files: &TlsFiles) -> Result<(), TlsError> {
    read(files).map(drop)
}

/// A connection on which both have shaken hands.
pub(crate) type Shaken = TlsStream<TcpStream>;

fn read(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let TlsFiles { cert, key } = files;
    let no_certificate = || TlsError::NoCertificate { path: cert.clone() };
    let chain = CertificateDer::pem_slice_iter(&read_file(cert)?).collect::<Result<Vec<_>, _>>();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(no_certificate)?;
    let pem = read_file(key)?;
    if let Some(mode) = too_open(key).map_err(|source| unreadable(key, source))? {
        return Err(TlsError::TooOpen { path: key.clone(), mode });
    }
    let secret = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::NoKey { path: key.clone() })?;
    let unusable = |source| match source {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            TlsError::Mismatch { cert: cert.clone(), key: key.clone() }
        }
        rustls::Error::InvalidCertificate(_) => no_certificate(),
        source => TlsError::Unusable { path: cert.clone(), source },
    };
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(unusable)?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, secret).map_err(unusable)?;
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(config)
}

fn unreadable(path: &Path, source: io::Error) -> TlsError {
    TlsError::Unreadable { path: path.to_owned(), source }
}

fn read_file(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| unreadable(path, source))
}

/// The permissions, when they let in more than the owner and readers of the group, which is how distributions keep such keys.
#[cfg(unix)]
fn too_open(path: &Path) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    Ok((mode & 0o037 != 0).then_some(mode))
}

#[cfg(not(unix))]
fn too_open(_: &Path) -> io::Result<Option<u32>> {
    Ok(None)
}

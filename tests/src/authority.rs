//! An authority that issues certificates, of the test's own.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

/// An authority whose files are in a folder: `ca.pem`, and what [`Authority::issues`] writes.
pub struct Authority {
    dir: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority of that name in a new folder.
    ///
    /// # Panics
    /// It cannot be made.
    pub fn new(dir: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new([]).expect("no names are fine");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key can be made");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("it signs itself");
        fs::create_dir_all(dir).expect("the test's folder can be written");
        fs::write(dir.join("ca.pem"), issuer.pem()).expect("the test's folder can be written");
        fs::write(dir.join("ca.key"), issuer.key().serialize_pem())
            .expect("the test's folder can be written");
        Self::close(&dir.join("ca.key"));
        Self { dir: dir.to_owned(), issuer }
    }

    /// Its own certificate, which clients are told to trust.
    pub fn ca(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// Its own key: what no server should show a certificate with.
    pub fn key(&self) -> PathBuf {
        self.dir.join("ca.key")
    }

    /// Writes a certificate for these names and its key, in the place of those before; gives both files. It is valid until the first day
    /// of `until`.
    ///
    /// # Panics
    /// They cannot be written.
    pub fn issues(&self, names: &[&str], until: i32) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().expect("a key can be made");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("the names are names");
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).expect("the authority signs");
        let files = (self.dir.join("server.pem"), self.dir.join("server.key"));
        fs::write(&files.0, certificate.pem()).expect("the test's folder can be written");
        fs::write(&files.1, key.serialize_pem()).expect("the test's folder can be written");
        Self::close(&files.1);
        files
    }

    #[cfg(unix)]
    fn close(key: &Path) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(key, fs::Permissions::from_mode(0o600)).expect("the test owns it");
    }

    #[cfg(not(unix))]
    fn close(_: &Path) {}
}

//! Whom a replica trusts: the authorities of its computer, or the one that a person names; and why it does not trust a server.
//!
//! rustls decides; here its verdicts become words for a person who has to ask somebody for help.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error as TlsError, RootCertStore};
use tonic::transport::{Certificate, ClientTlsConfig};

use crate::error::ClientError;

/// Why a server is not trusted, so that nothing was said to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// Its certificate is from an authority that is not known here.
    UnknownAuthority,
    /// Its certificate is for other names; these, where it says them.
    OtherName(Vec<String>),
    /// Its certificate has expired.
    Expired,
    /// Its certificate is not valid yet.
    NotYetValid,
    /// The certificate that it shows is an authority's own.
    AuthorityItself,
    /// This computer knows no authority at all.
    NoAuthorities,
    /// Anything else, in the library's words.
    Otherwise(String),
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAuthority => {
                f.write_str("its certificate is from an authority that is not known here")
            }
            Self::OtherName(names) if names.is_empty() => f.write_str("its certificate is not for this name"),
            Self::OtherName(names) => {
                write!(f, "its certificate is for {}, not for this name", names.join(", "))
            }
            Self::Expired => f.write_str("its certificate has expired, or this computer's clock is wrong"),
            Self::NotYetValid => {
                f.write_str("its certificate is not valid yet, or this computer's clock is wrong")
            }
            Self::AuthorityItself => f.write_str(
                "it shows the certificate of an authority, not one that an authority issued for it",
            ),
            Self::NoAuthorities => f.write_str("this computer knows no authority that issues certificates"),
            Self::Otherwise(what) => write!(f, "TLS does not come about: {what}"),
        }
    }
}

/// What is wrong with the other end.
pub(crate) enum Fault {
    /// It is somebody, but not to be trusted.
    Distrust(Distrust),
    /// What it says is not TLS.
    NoTls,
    /// It does not speak HTTP/2 inside.
    NoHttp2,
}

/// Whom to trust: the authorities in a file alone, or those of this computer.
///
/// # Errors
/// The file cannot be read, or holds no certificate that can be trusted.
pub(crate) fn config(ca: Option<&Path>, patience: Duration) -> Result<ClientTlsConfig, ClientError> {
    let config = ClientTlsConfig::new().timeout(patience);
    let Some(path) = ca else { return Ok(config.with_native_roots()) };
    let pem = fs::read(path).map_err(|source| ClientError::Io { path: path.to_owned(), source })?;
    let bad = |what: String| ClientError::BadFile { path: path.to_owned(), what };
    let found: Result<Vec<CertificateDer<'_>>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|error| bad(format!("it is not PEM: {error}")))?;
    if found.is_empty() {
        return Err(bad("it holds no certificate in PEM".to_owned()));
    }
    // The library passes over what it cannot read, and then trusts nobody.
    let mut roots = RootCertStore::empty();
    for certificate in found {
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    Ok(config.ca_certificate(Certificate::from_pem(pem)))
}

/// What came of a connection that did not come about, where TLS is why.
pub(crate) fn fault(error: &(dyn Error + 'static)) -> Option<Fault> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = tls_error(error) {
            return Some(judged(error));
        }
        // tonic's own error for it has no name outside of it.
        if error.to_string() == "HTTP/2 was not negotiated." {
            return Some(Fault::NoHttp2);
        }
        cause = error.source();
    }
    None
}

fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a TlsError> {
    let io = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.downcast_ref().or_else(|| io.and_then(|inner| inner.downcast_ref()))
}

fn judged(error: &TlsError) -> Fault {
    let distrust = match error {
        TlsError::InvalidMessage(_) => return Fault::NoTls,
        TlsError::AlertReceived(AlertDescription::NoApplicationProtocol) => return Fault::NoHttp2,
        TlsError::InvalidCertificate(certificate) => distrust(certificate),
        error => Distrust::Otherwise(error.to_string()),
    };
    Fault::Distrust(distrust)
}

fn distrust(error: &CertificateError) -> Distrust {
    match error {
        // The latter is one of the same name with another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Distrust::UnknownAuthority,
        CertificateError::NotValidForName => Distrust::OtherName(Vec::new()),
        CertificateError::NotValidForNameContext { presented, .. } => {
            Distrust::OtherName(presented.iter().map(|name| plain_name(name)).collect())
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Distrust::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Distrust::NotYetValid,
        // The usual mistake with a certificate that somebody made by hand; the library has no variant for it.
        error if error.to_string().contains("CaUsedAsEndEntity") => Distrust::AuthorityItself,
        error => Distrust::Otherwise(error.to_string()),
    }
}

/// `DnsName("a.example")` as the name alone.
fn plain_name(presented: &str) -> String {
    presented.split('"').nth(1).unwrap_or(presented).to_owned()
}

//! TLS: who does not shake hands in time, which certificate is shown, and which is not taken.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use radslag_engine::clock::SystemClock;
use radslag_log::MemoryLog;
use radslag_proto::api::v1 as api;
use radslag_server::{Config, Limits, Metrics, Running, StartError, TlsError, TlsFiles, start};
use radslag_trust::keys::DeviceKey;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::harness::{Client, Town, config};
use crate::metrics::scrape;
use crate::raw::{PREFACE, SETTINGS, closed, soon};

/// An authority of its own, and a server's files in a folder.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, dir: tempfile::tempdir().unwrap() }
    }

    fn files(&self) -> TlsFiles {
        TlsFiles { cert: self.dir.path().join("server.pem"), key: self.dir.path().join("server.key") }
    }

    /// Writes a new certificate for 127.0.0.1 and its key.
    fn issues(&self) -> TlsFiles {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let files = self.files();
        fs::write(&files.cert, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        close(&files.key, 0o600);
        files
    }

    fn endpoint(&self, running: &Running) -> Endpoint {
        let trusted = Certificate::from_pem(self.issuer.pem());
        let tls = ClientTlsConfig::new().ca_certificate(trusted);
        Endpoint::from_shared(running.url()).unwrap().tls_config(tls).unwrap()
    }

    async fn connect(&self, running: &Running) -> Result<Channel, tonic::transport::Error> {
        soon(self.endpoint(running).connect()).await
    }
}

#[cfg(unix)]
fn close(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn close(_: &Path, _: u32) {}

async fn serving(files: TlsFiles, limits: Limits) -> Running {
    let metrics = Metrics::On("127.0.0.1:0".parse().unwrap());
    let config = Config { tls: Some(files), limits, metrics, ..config() };
    let log = Arc::new(MemoryLog::new());
    radslag_server::start_on(config, log, DeviceKey::from_seed([9; 32]), Arc::new(SystemClock)).await.unwrap()
}

#[tokio::test]
async fn everything_goes_over_tls_and_nothing_without() {
    let authority = Authority::new();
    let running = serving(authority.issues(), Limits::default()).await;
    assert!(running.url().starts_with("https://127.0.0.1:"), "{}", running.url());
    let mut client = Client::on(authority.connect(&running).await.unwrap());
    let town = Town::begin(&mut client).await;
    let request = api::SubscribeRequest { program_id: town.program.to_string(), ..Default::default() };
    let mut stream = client.sync.subscribe(request).await.unwrap().into_inner();
    assert!(soon(stream.message()).await.unwrap().is_some());
    // Somebody who does not begin with TLS, and somebody who trusts another authority.
    let mut plain = TcpStream::connect(running.addr()).await.unwrap();
    plain.write_all(&[PREFACE, SETTINGS].concat()).await.unwrap();
    closed(&mut plain).await;
    assert!(Authority::new().connect(&running).await.is_err());
    assert!((scrape(&running).await["radslag_handshakes_failed_total"] - 2.0).abs() < f64::EPSILON);
    drop(stream);
    running.shutdown().await;
}

#[tokio::test]
async fn whoever_does_not_shake_hands_in_time_is_hung_up_on() {
    const PATIENCE: Duration = Duration::from_millis(200);
    let authority = Authority::new();
    let running = serving(authority.issues(), Limits { handshake_ms: 200, ..Limits::default() }).await;
    let began = Instant::now();
    let mut waiting = Vec::new();
    // Nothing; a record of 512 bytes that is announced; one that begins with a ClientHello.
    for said in [&b""[..], &[0x16, 3, 1, 2, 0], &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]] {
        let mut socket = TcpStream::connect(running.addr()).await.unwrap();
        socket.write_all(said).await.unwrap();
        waiting.push(tokio::spawn(async move {
            closed(&mut socket).await;
            Instant::now()
        }));
    }
    let mut client = Client::on(authority.connect(&running).await.unwrap());
    client.log_key().await;
    for socket in waiting {
        assert!(socket.await.unwrap() - began >= PATIENCE, "nobody is hung up on before their time");
    }
    client.log_key().await;
    let told = scrape(&running).await;
    assert!((told["radslag_limits_met_total{limit=\"handshake\"}"] - 3.0).abs() < f64::EPSILON);
    running.shutdown().await;
}

#[tokio::test]
async fn whoever_shakes_hands_and_does_not_call_has_no_more_time_than_without_tls() {
    let authority = Authority::new();
    let limits = Limits { first_call_ms: 100, handshake_ms: 60_000, ..Limits::default() };
    let running = serving(authority.issues(), limits).await;
    let mut socket = TcpStream::connect(running.addr()).await.unwrap();
    closed(&mut socket).await;
    let told = scrape(&running).await;
    assert!((told["radslag_limits_met_total{limit=\"first_call\"}"] - 1.0).abs() < f64::EPSILON);
    running.shutdown().await;
}

#[tokio::test]
async fn a_server_that_ends_does_not_wait_for_a_handshake() {
    let authority = Authority::new();
    let limits = Limits { handshake_ms: 600_000, first_call_ms: 600_000, ..Limits::default() };
    let running = serving(authority.issues(), limits).await;
    let mut socket = TcpStream::connect(running.addr()).await.unwrap();
    while scrape(&running).await["radslag_connections_open"] < 1.0 {
        tokio::task::yield_now().await;
    }
    let began = Instant::now();
    running.shutdown().await;
    closed(&mut socket).await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_certificate_that_is_renewed_is_shown_to_whoever_comes_next() {
    let (before, after) = (Authority::new(), Authority::new());
    let running = serving(before.issues(), Limits::default()).await;
    let mut early = Client::on(before.connect(&running).await.unwrap());
    // What cannot be served changes nothing.
    let files = after.issues();
    let mixed = TlsFiles { cert: files.cert.clone(), key: before.files().key };
    assert!(matches!(running.reload_certificate(&mixed), Err(TlsError::Mismatch { .. })));
    assert!(before.connect(&running).await.is_ok());
    running.reload_certificate(&files).unwrap();
    assert!(before.connect(&running).await.is_err());
    Client::on(after.connect(&running).await.unwrap()).log_key().await;
    // Who was there stays.
    early.log_key().await;
    running.shutdown().await;
}

/// What a start says with these files, and what to do about it.
async fn refused(files: TlsFiles) -> String {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { tls: Some(files), data: dir.path().join("data"), ..config() };
    let Err(error) = start(config).await else { panic!("it serves") };
    assert!(matches!(error, StartError::Tls(_)) && error.exit_code() == 1, "{error}");
    assert!(!dir.path().join("data").exists(), "the certificate is looked at first");
    format!("{error}\n{}", error.hint().unwrap())
}

#[tokio::test]
async fn what_cannot_be_served_is_said_at_the_start() {
    let authority = Authority::new();
    let files = authority.issues();
    let with_key = |key: &str| {
        let path = authority.dir.path().join("other.key");
        fs::write(&path, key).unwrap();
        close(&path, 0o600);
        TlsFiles { cert: files.cert.clone(), key: path }
    };
    let nowhere = authority.dir.path().join("nowhere");
    let said = refused(TlsFiles { cert: nowhere.clone(), ..files.clone() }).await;
    assert!(said.contains("nowhere cannot be read") && said.contains("--tls-cert"), "{said}");
    let said = refused(TlsFiles { key: nowhere, ..files.clone() }).await;
    assert!(said.contains("nowhere cannot be read"), "{said}");
    let said = refused(TlsFiles { cert: files.key.clone(), ..files.clone() }).await;
    assert!(said.contains("server.key holds no certificate in PEM"), "{said}");
    let said = refused(with_key(
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    ))
    .await;
    assert!(said.contains("holds no private key in PEM, or an encrypted one"), "{said}");
    let said = refused(with_key("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")).await;
    assert!(said.contains("cannot be served"), "{said}");
    let said = refused(with_key(&KeyPair::generate().unwrap().serialize_pem())).await;
    assert!(said.contains("is not the one of the first certificate in"), "{said}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_that_others_can_read_is_not_taken_and_one_of_a_group_is() {
    let authority = Authority::new();
    let files = authority.issues();
    for mode in [0o644, 0o604, 0o660] {
        close(&files.key, mode);
        let said = refused(files.clone()).await;
        assert!(
            said.contains(&format!("is open to others (mode {mode:03o})")) && said.contains("chmod"),
            "{said}"
        );
    }
    for mode in [0o640, 0o400] {
        close(&files.key, mode);
        serving(files.clone(), Limits::default()).await.shutdown().await;
    }
}

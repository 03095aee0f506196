//! What a server is told, and who said it: flags over `RADSLAG_*` over a TOML file over what is built in.
//!
//! Nothing here reads the environment or the command line; both come in as arguments.

mod layers;
mod reference;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::limits::{self, LimitSettings, Limits};
use crate::metrics::Metrics;
use crate::telemetry;
use crate::tls::TlsFiles;

pub(crate) use layers::{Layers, parsed, within};
pub use layers::{MaybePath, Setting, Source};
use layers::{Read, path_value};
pub use reference::reference;

/// The variable that names the configuration file.
pub const CONFIG_VARIABLE: &str = "RADSLAG_CONFIG";
/// The port that a server listens on unless it is told another.
pub const PORT: u16 = 7420;

const MOST_QUEUED: usize = 65_536;
const MOST_CACHE_MIB: u64 = 65_536;
// Clients give a connection up that has said nothing for 60 s.
const MOST_HEARTBEAT_MS: u64 = 30_000;

/// What a server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The directory of the store and the log's key. Made when it is not there.
    pub data: PathBuf,
    /// The address to listen on; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Which log lines are written: `info`, or `info,radslag_engine=debug`.
    pub log: String,
    /// How many pushes may wait for the writer, 1 to 65 536.
    pub queue: usize,
    /// The most memory of the store's cache, in MiB, 1 to 65 536.
    pub cache_mib: u64,
    /// Whether the clock is right though it is more than 400 days ahead of the last record: an operator's word for this start, which no
    /// file and no variable can give.
    pub accept_clock: bool,
    /// How long a stream stays silent when there is nothing new, in milliseconds, 1 to 30 000. Then it says that it lives.
    pub heartbeat_ms: u64,
    /// Where metrics are told; to everybody who reaches that address.
    pub metrics: Metrics,
    /// The collector that spans are handed to; only in a build with the feature `otlp`.
    pub otlp: Option<String>,
    /// The certificate that is shown; none where no TLS is spoken.
    pub tls: Option<TlsFiles>,
    /// How much others may take of the server.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("./radslag-data"),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            log: "info".to_owned(),
            queue: 256,
            cache_mib: 64,
            accept_clock: false,
            heartbeat_ms: 25_000,
            metrics: Metrics::Off,
            otlp: None,
            tls: None,
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// Whether anybody who reaches the server may begin programmes and enrol devices. Only where nobody reaches it from outside: there
    /// is no other check of who they are.
    pub const fn open_enrolment(&self) -> bool {
        self.listen.ip().is_loopback()
    }
}

/// What one source says; absent where it says nothing. Unknown keys of a file are errors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// [`Config::data`]; a relative one starts at the working directory.
    pub data: Option<PathBuf>,
    /// [`Config::listen`].
    pub listen: Option<SocketAddr>,
    /// [`Config::log`].
    pub log: Option<String>,
    /// [`Config::queue`].
    pub queue: Option<usize>,
    /// [`Config::cache_mib`].
    pub cache_mib: Option<u64>,
    /// [`Config::heartbeat_ms`].
    pub heartbeat_ms: Option<u64>,
    /// [`Config::metrics`]: an address, or `off`.
    pub metrics: Option<Metrics>,
    /// [`Config::otlp`]: an address, or `off`.
    pub otlp: Option<String>,
    /// The certificate's file of [`Config::tls`]: a path, or `off`.
    pub tls_cert: Option<MaybePath>,
    /// The key's file of [`Config::tls`]: a path, or `off`.
    pub tls_key: Option<MaybePath>,
    /// [`Config::limits`], as a table.
    #[serde(default)]
    pub limits: LimitSettings,
}

/// The configuration in force, and where each value of it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// The configuration.
    pub config: Config,
    /// Its values in order.
    pub settings: Vec<Setting>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML, has an unknown key or a value of the wrong sort.
    #[error("the configuration file {} is not valid", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A variable of the environment names a limit that there is not. Other variables may be the clients'.
    #[error("the environment variable {0} is of no limit")]
    UnknownVariable(String),
    /// A value is not one that the setting takes.
    #[error("{key} is {value:?} by {source_name}: {what}", source_name = .from)]
    Value {
        /// The setting.
        key: &'static str,
        /// What it was set to.
        value: String,
        /// Who said so.
        from: Source,
        /// What is wrong with it.
        what: String,
    },
}

/// Settles what is in force. `file` is the configuration file that a flag names; else [`CONFIG_VARIABLE`] may name one.
///
/// # Errors
/// The first thing that is not valid.
pub fn settle(
    flags: Settings,
    file: Option<PathBuf>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<InForce, ConfigError> {
    let path = file.or_else(|| variable(CONFIG_VARIABLE).map(PathBuf::from));
    let from_file = path.as_deref().map(read_file).transpose()?.unwrap_or_default();
    let mut layers = Layers::new(path.unwrap_or_default(), &variable);
    let built_in = Config::default();
    let config = Config {
        data: layers.pick("data", flags.data, from_file.data, built_in.data, &path_value)?,
        listen: layers.pick("listen", flags.listen, from_file.listen, built_in.listen, &parsed)?,
        log: layers.pick("log", flags.log, from_file.log, built_in.log, &parsed)?,
        queue: layers.pick("queue", flags.queue, from_file.queue, built_in.queue, &parsed)?,
        cache_mib: layers.pick(
            "cache_mib",
            flags.cache_mib,
            from_file.cache_mib,
            built_in.cache_mib,
            &parsed,
        )?,
        accept_clock: false,
        heartbeat_ms: layers.pick(
            "heartbeat_ms",
            flags.heartbeat_ms,
            from_file.heartbeat_ms,
            built_in.heartbeat_ms,
            &parsed,
        )?,
        metrics: layers.pick("metrics", flags.metrics, from_file.metrics, built_in.metrics, &parsed)?,
        otlp: otlp(&mut layers, flags.otlp, from_file.otlp)?,
        tls: tls_files(
            &mut layers,
            (flags.tls_cert, from_file.tls_cert),
            (flags.tls_key, from_file.tls_key),
        )?,
        limits: limits::settle(&mut layers, &from_file.limits)?,
    };
    layers.check("log", telemetry::check_filter(&config.log))?;
    layers.check("queue", within(config.queue, MOST_QUEUED))?;
    layers.check("cache_mib", within(config.cache_mib, MOST_CACHE_MIB))?;
    layers.check("heartbeat_ms", within(config.heartbeat_ms, MOST_HEARTBEAT_MS))?;
    Ok(InForce { config, settings: layers.into_settings() })
}

/// A collector, or none.
fn otlp(
    layers: &mut Layers<'_>,
    flag: Option<String>,
    file: Option<String>,
) -> Result<Option<String>, ConfigError> {
    let otlp = layers.pick("otlp", flag, file, "off".to_owned(), &parsed)?;
    if otlp == "off" {
        return Ok(None);
    }
    layers.check("otlp", telemetry::check_collector(&otlp))?;
    Ok(Some(otlp))
}

/// Both files or none; of each what the flag and the file say.
fn tls_files(
    layers: &mut Layers<'_>,
    (flag, file): (Option<MaybePath>, Option<MaybePath>),
    (key_flag, key_file): (Option<MaybePath>, Option<MaybePath>),
) -> Result<Option<TlsFiles>, ConfigError> {
    let read: Read<'_, MaybePath> = &|text| Ok(text.into());
    let MaybePath(cert) = layers.pick("tls_cert", flag, file, MaybePath::default(), read)?;
    let MaybePath(key) = layers.pick("tls_key", key_flag, key_file, MaybePath::default(), read)?;
    let given = |other: &Option<PathBuf>, says: &str| match other {
        Some(_) => Err(says.to_owned()),
        None => Ok(()),
    };
    match (cert, key) {
        (Some(cert), Some(key)) => return Ok(Some(TlsFiles { cert, key })),
        (None, key) => layers.check("tls_cert", given(&key, "tls_key needs its certificate"))?,
        (cert, None) => layers.check("tls_key", given(&cert, "tls_cert needs its key"))?,
    }
    Ok(None)
}

/// Refuses variables that look like a limit's and are none: a limit that is misspelt would not be in force.
///
/// # Errors
/// [`ConfigError::UnknownVariable`], the first of them.
pub fn check_variables(names: impl IntoIterator<Item = OsString>) -> Result<(), ConfigError> {
    for name in names {
        let name = name.to_string_lossy();
        let Some(limit) = name.strip_prefix("RADSLAG_LIMITS_") else { continue };
        if !limits::ABOUT.iter().any(|about| about.key.to_uppercase() == limit) {
            return Err(ConfigError::UnknownVariable(name.into_owned()));
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<Settings, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    toml::from_str(&text)
        .map_err(|source| ConfigError::Invalid { path: path.to_owned(), source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &str) -> Option<OsString> {
        None
    }

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("radslagd.toml");
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    fn source(in_force: &InForce, key: &str) -> Source {
        in_force.settings.iter().find(|setting| setting.key == key).unwrap().source.clone()
    }

    #[test]
    fn flags_go_before_variables_before_the_file_before_what_is_built_in() {
        let (_dir, path) = file("data = \"a\"\nlisten = \"127.0.0.1:1\"\nlog = \"warn\"\n");
        let variable = |name: &str| match name {
            "RADSLAG_LISTEN" => Some("127.0.0.1:2".into()),
            "RADSLAG_DATA" => Some("b".into()),
            _ => None,
        };
        let flags = Settings { data: Some("c".into()), ..Settings::default() };
        let in_force = settle(flags, Some(path.clone()), variable).unwrap();
        assert_eq!(in_force.config.data, PathBuf::from("c"));
        assert_eq!(in_force.config.listen.port(), 2);
        assert_eq!(in_force.config.log, "warn");
        assert_eq!(in_force.config.queue, Config::default().queue);
        assert_eq!(source(&in_force, "data"), Source::Flag);
        assert_eq!(source(&in_force, "listen"), Source::Variable("RADSLAG_LISTEN".to_owned()));
        assert_eq!(source(&in_force, "log"), Source::File(path));
        assert_eq!(source(&in_force, "cache_mib"), Source::Default);
    }

    #[test]
    fn a_variable_can_name_the_file() {
        let (_dir, path) = file("queue = 7\n");
        let variable = |name: &str| (name == CONFIG_VARIABLE).then(|| path.clone().into_os_string());
        assert_eq!(settle(Settings::default(), None, variable).unwrap().config.queue, 7);
    }

    #[test]
    fn a_key_that_nobody_knows_is_an_error() {
        let (_dir, path) = file("lisen = \"127.0.0.1:1\"\n");
        let error = settle(Settings::default(), Some(path), nothing).unwrap_err();
        let ConfigError::Invalid { source, .. } = error else { panic!("{error}") };
        assert!(source.to_string().contains("unknown field `lisen`"), "{source}");
    }

    #[test]
    fn values_out_of_bounds_are_errors_that_name_their_source() {
        for (name, value) in [
            ("RADSLAG_QUEUE", "0"),
            ("RADSLAG_QUEUE", "many"),
            ("RADSLAG_CACHE_MIB", "65537"),
            ("RADSLAG_HEARTBEAT_MS", "30001"),
            ("RADSLAG_LISTEN", "localhost"),
            ("RADSLAG_LOG", "radslag=loud"),
            ("RADSLAG_METRICS", "on"),
            ("RADSLAG_LIMITS_HANDSHAKE_MS", "0"),
            ("RADSLAG_LIMITS_CONNECTIONS", "0"),
            ("RADSLAG_LIMITS_CALL_MS", "3600001"),
            ("RADSLAG_LIMITS_HEADER_BYTES", "large"),
        ] {
            let variable = |asked: &str| (asked == name).then(|| value.into());
            let error = settle(Settings::default(), None, variable).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
    }

    #[test]
    fn a_limit_is_a_key_of_a_table_and_a_variable() {
        let (_dir, path) = file("[limits]\nconnections = 9\nresets = 5\n");
        let variable = |name: &str| (name == "RADSLAG_LIMITS_RESETS").then(|| "6".into());
        let in_force = settle(Settings::default(), Some(path.clone()), variable).unwrap();
        let limits = &in_force.config.limits;
        assert_eq!((limits.connections, limits.resets), (9, 6));
        assert_eq!(limits.call_ms, Limits::default().call_ms);
        assert_eq!(source(&in_force, "limits.connections"), Source::File(path));
        let (_dir, path) = file("[limits]\nconections = 9\n");
        let error = settle(Settings::default(), Some(path), nothing).unwrap_err();
        let ConfigError::Invalid { source, .. } = error else { panic!("{error}") };
        assert!(source.to_string().contains("unknown field `conections`"), "{source}");
    }

    #[test]
    fn a_certificate_and_its_key_go_together() {
        let (_dir, path) = file("tls_cert = \"server.pem\"\ntls_key = \"server.key\"\n");
        let in_force = settle(Settings::default(), Some(path.clone()), nothing).unwrap();
        let files = in_force.config.tls.unwrap();
        assert_eq!((files.cert, files.key), ("server.pem".into(), "server.key".into()));
        let off = Settings { tls_key: Some(PathBuf::from("off").into()), ..Settings::default() };
        let error = settle(off, Some(path.clone()), nothing).unwrap_err().to_string();
        assert_eq!(error, "tls_key is \"off\" by flag: tls_cert needs its key");
        let variable = |name: &str| (name == "RADSLAG_TLS_CERT").then(|| "off".into());
        let error = settle(Settings::default(), Some(path), variable).unwrap_err().to_string();
        assert_eq!(
            error,
            "tls_cert is \"off\" by environment variable RADSLAG_TLS_CERT: tls_key needs its certificate"
        );
    }

    #[test]
    fn a_variable_of_no_limit_is_an_error_and_one_of_somebody_else_is_not() {
        let names = |names: &[&str]| check_variables(names.iter().map(OsString::from));
        names(&["PATH", "RADSLAG_SERVER", "RADSLAG_LIMITS_CALLS", "RADSLAG_LIMITS_FIRST_CALL_MS"]).unwrap();
        let error = names(&["RADSLAG_LIMITS_CALLS", "RADSLAG_LIMITS_CALS"]).unwrap_err();
        assert_eq!(error.to_string(), "the environment variable RADSLAG_LIMITS_CALS is of no limit");
    }

    #[test]
    fn enrolment_is_open_on_loopback_only() {
        let open =
            |listen: &str| Config { listen: listen.parse().unwrap(), ..Config::default() }.open_enrolment();
        assert!(open("127.0.0.1:7420") && open("[::1]:7420") && open("127.3.2.1:0"));
        assert!(!open("0.0.0.0:7420") && !open("[::]:7420") && !open("192.0.2.1:7420"));
    }

    #[test]
    fn what_is_in_force_reads_back_as_a_file() {
        let flags = Settings { data: Some("a \"b\"\\c".into()), ..Settings::default() };
        let in_force = settle(flags, None, nothing).unwrap();
        let lines: Vec<String> =
            in_force.settings.iter().map(|setting| format!("{} = {}", setting.key, setting.value)).collect();
        let (_dir, path) = file(&lines.join("\n"));
        assert_eq!(settle(Settings::default(), Some(path), nothing).unwrap().config, in_force.config);
    }
}

//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use radslag_server::config::MaybePath;
use radslag_server::{LimitSettings, Metrics, Settings};

/// Serves Rådslag programmes to municipalities' replicas.
#[derive(Debug, Parser)]
#[command(name = "radslagd", version = radslag_server::VERSION, disable_help_subcommand = true)]
#[command(after_help = "Example: radslagd serve --data ./radslag-data --listen 127.0.0.1:7420\n\n\
    Flags go before RADSLAG_DATA, RADSLAG_LISTEN, RADSLAG_LOG, RADSLAG_QUEUE, RADSLAG_CACHE_MIB, RADSLAG_HEARTBEAT_MS, RADSLAG_METRICS, RADSLAG_OTLP, RADSLAG_TLS_CERT and RADSLAG_TLS_KEY, these before \
    the file that --config or RADSLAG_CONFIG names, and that before the defaults. The limits have no flags: their keys in the file are \
    limits.connections and so on, their variables RADSLAG_LIMITS_CONNECTIONS and so on; `radslagd config` lists them, docs/limits.md says \
    what each does.\n\n\
    Exit codes: 0 done, 1 not possible (store in use, port taken), 2 usage, 3 broken pipe, 5 a log failed verification, 70 a bug.")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) flags: Flags,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What every command takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct Flags {
    /// The directory of the store and the log's key [default: ./radslag-data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The address to listen on; port 0 takes any free one [default: 127.0.0.1:7420]
    #[arg(long, global = true, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Which log lines go to stderr, such as `debug` or `warn,radslag_engine=debug` [default: info]
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    /// How many pushes may wait for the writer [default: 256]
    #[arg(long, global = true, value_name = "N")]
    queue: Option<usize>,
    /// The most memory of the store's cache, in MiB [default: 64]
    #[arg(long, global = true, value_name = "MIB")]
    cache_mib: Option<u64>,
    /// The clock is right though it is more than 400 days ahead of the last record; for this start only
    #[arg(long, global = true)]
    pub(crate) accept_clock: bool,
    /// How long a stream stays silent when there is nothing new, in milliseconds, at most 30000 [default: 25000]
    #[arg(long, global = true, value_name = "MS")]
    heartbeat_ms: Option<u64>,
    /// Where `GET /metrics` tells Prometheus how the server does, to everybody who reaches it, such as 127.0.0.1:9420 [default: off]
    #[arg(long, global = true, value_name = "ADDR:PORT")]
    metrics: Option<Metrics>,
    /// The collector that the spans of calls are handed to, such as http://127.0.0.1:4317, if it was built with that [default: off]
    #[arg(long, global = true, value_name = "URL")]
    otlp: Option<String>,
    /// Speaks TLS, with this certificate: PEM, its own first and then those between it and its authority; SIGHUP reads it again [default: off]
    #[arg(long, global = true, value_name = "FILE")]
    tls_cert: Option<MaybePath>,
    /// The certificate's private key: PEM, not encrypted, closed to others [default: off]
    #[arg(long, global = true, value_name = "FILE")]
    tls_key: Option<MaybePath>,
    /// A TOML file with any of: data, listen, log, queue, cache_mib, heartbeat_ms, metrics, otlp, tls_cert, tls_key, and a table limits
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Flags {
    /// What the flags say, and the file that they name.
    pub(crate) fn into_settings(self) -> (Settings, Option<PathBuf>) {
        let Self {
            data, listen, log, queue, cache_mib, heartbeat_ms, metrics, otlp, tls_cert, tls_key, ..
        } = self;
        let limits = LimitSettings::default();
        let settings = Settings {
            data,
            listen,
            log,
            queue,
            cache_mib,
            heartbeat_ms,
            metrics,
            otlp,
            tls_cert,
            tls_key,
            limits,
        };
        (settings, self.config)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serves until Ctrl-C or SIGTERM. What `radslagd` alone does.
    Serve,
    /// Prints the configuration in force and where each value of it comes from
    Config {
        /// Prints a table of every setting instead: its default, what it takes and what it does
        #[arg(long)]
        reference: bool,
    },
    /// Verifies every log of a store that no server has open
    Check,
    /// Backs every log and the log's key up into a directory, while the server runs or when it does not
    #[command(after_help = "Example: radslagd backup /mnt/backup/2026-06-15 --data ./radslag-data\n\n\
        The backup holds the logs as they stand when it begins; the server goes on meanwhile. It is read over a socket in the data directory \
        that only the server's user may open, so run it as that user. The directory holds log.key: keep it as safe as the server. A backup \
        that was cut short is taken for one by nobody; run it again. To check it: radslagd check --data DIR. To go back to it: \
        radslagd restore DIR --data NEW.")]
    Backup {
        /// Where to: a directory that is empty or not there yet.
        dir: PathBuf,
    },
    /// Makes a backup, a copy or replicas' logs the data directory; what it lacks, replicas hand in again
    #[command(
        after_help = "Examples:\n  radslagd restore /mnt/backup/2026-06-15 --data ./radslag-data-2\n  \
        radslagd restore --from-replica haninge --from-replica huddinge --log-key log.key --data ./radslag-data-2\n\n\
        From replicas, when the server's disk is gone: what they hold is verified from the first record on and only read; of several replicas \
        of one programme the one that reaches furthest is taken. It needs the log.key of the server that is lost, because replicas follow \
        no log by another key. A replica's own queued changes stay with it."
    )]
    Restore {
        /// A backup, or a copy of a data directory that was taken while no server ran on it.
        #[arg(required_unless_present = "from_replica")]
        dir: Option<PathBuf>,
        /// The folder of a replica to take the log from; may be given several times.
        #[arg(long, value_name = "DIR", conflicts_with = "dir")]
        from_replica: Vec<PathBuf>,
        /// With --from-replica: the copy that was kept of the lost server's log.key.
        #[arg(long, value_name = "FILE", conflicts_with = "dir")]
        log_key: Option<PathBuf>,
    },
    /// Makes the store smaller (not in this release)
    Compact,
}

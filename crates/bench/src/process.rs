//! This program in another role, in a process of its own: what it computes, holds and writes is then nobody else's, and it can be
//! ended as a machine ends it.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use clap::Subcommand;
use radslag_server::{Config, Limits};

use crate::Failed;
use crate::yardstick::wire;

/// What it is called with to be something else than a measurement.
pub(crate) const CALLED: &str = "be";
/// The kernel counts the time of a process in hundredths of a second.
const TICKS_PER_S: f64 = 100.0;

/// What a process is there for. It says its address on stdout and ends with its standard input.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Role {
    /// The real server, on a directory.
    Server {
        data: PathBuf,
        #[arg(long, default_value_t = 64)]
        cache_mib: u64,
    },
    /// Answers a call with what it was called with.
    Echo,
    /// The same, once the signature in front is verified.
    SignedEcho,
    /// Streams the messages of a file.
    Stream { messages: PathBuf },
}

impl Role {
    fn arguments(&self) -> Vec<OsString> {
        match self {
            Self::Server { data, cache_mib } => {
                vec!["server".into(), data.into(), "--cache-mib".into(), cache_mib.to_string().into()]
            }
            Self::Echo => vec!["echo".into()],
            Self::SignedEcho => vec!["signed-echo".into()],
            Self::Stream { messages } => vec!["stream".into(), messages.into()],
        }
    }

    /// Is it, until the standard input ends.
    pub(crate) async fn be(&self) -> Result<(), Failed> {
        match self {
            Self::Server { data, cache_mib } => serve(data, *cache_mib).await,
            Self::Echo => wire::serve_echo(false).await,
            Self::SignedEcho => wire::serve_echo(true).await,
            Self::Stream { messages } => wire::serve_stream(messages).await,
        }
    }
}

async fn serve(data: &Path, cache_mib: u64) -> Result<(), Failed> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    // All who are measured come from one address.
    let limits = Limits {
        connections: 4_096,
        connections_per_address: 4_096,
        calls_per_address: 4_096,
        ..Limits::default()
    };
    let config = Config { data: data.to_owned(), listen, cache_mib, limits, ..Config::default() };
    let server = radslag_server::start(config).await?;
    println!("{}", server.url());
    ended().await;
    server.shutdown().await;
    Ok(())
}

/// Waits until the standard input ends: who started this process wants it no more, or is gone.
pub(crate) async fn ended() {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    // An input that cannot be read has ended, too.
    let _ = read.await;
}

/// A process in a role; killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    /// Where it listens: `http://127.0.0.1:PORT`.
    pub(crate) url: String,
}

impl Process {
    /// Starts one and waits until it says where it listens.
    pub(crate) fn start(role: &Role) -> Result<Self, Failed> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(CALLED).args(role.arguments()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let output = child.stdout.take().ok_or("the process has no output")?;
        let input = child.stdin.take();
        let mut process = Self { child, input, url: String::new() };
        BufReader::new(output).read_line(&mut process.url)?;
        process.url.truncate(process.url.trim_end().len());
        if process.url.is_empty() {
            return Err(format!("{role:?} ended before it listened").into());
        }
        Ok(process)
    }

    /// What it has used so far.
    pub(crate) fn used(&self) -> Result<Used, Failed> {
        Used::of(&self.child.id().to_string())
    }

    /// Stops it as an operator does.
    pub(crate) fn stop(mut self) -> Result<(), Failed> {
        drop(self.input.take());
        let ended = self.child.wait()?;
        if ended.success() { Ok(()) } else { Err(format!("the process ended with {ended}").into()) }
    }

    /// Ends it as a machine does.
    pub(crate) fn kill(mut self) -> Result<(), Failed> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that is gone already needs no ending.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the system says that a process has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// What its threads have computed, in seconds, to a hundredth.
    pub(crate) cpu_s: f64,
    /// Its resident set, in KiB.
    pub(crate) resident_kib: u64,
    /// The largest that it ever was, in KiB.
    pub(crate) peak_kib: u64,
    /// What it had written to a disk, in bytes.
    pub(crate) written: u64,
}

impl Used {
    /// Of a process by its number, or of `self`.
    pub(crate) fn of(process: &str) -> Result<Self, Failed> {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}"));
        let (status, stat) = (read("status")?, read("stat")?);
        let field = |text: &str, name: &str| -> Result<u64, Failed> {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            number.ok_or_else(|| format!("the system does not say {name} of process {process}").into())
        };
        // The second field is a name in parentheses; user and system time are the 14th and 15th.
        let (_, rest) = stat.rsplit_once(')').ok_or("the system does not say what a process computed")?;
        let times: Vec<f64> =
            rest.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self {
            cpu_s: times.iter().sum::<f64>() / TICKS_PER_S,
            resident_kib: field(&status, "VmRSS:")?,
            peak_kib: field(&status, "VmHWM:")?,
            // Some systems tell only the owner, some nobody.
            written: read("io").map_or(Ok(0), |io| field(&io, "write_bytes:"))?,
        })
    }
}

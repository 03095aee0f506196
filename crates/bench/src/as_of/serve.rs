//! A server in a process of its own, so that it can be ended as a machine ends it and its memory can be read.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use radslag_client::remote::Remote;
use radslag_server::Config;

use crate::Failed;

/// What this program is called with to be the server.
pub(crate) const ROLE: &str = "as-of-server";

/// Serves a directory until its standard input ends.
pub(crate) async fn be(dir: &Path) -> Result<(), Failed> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = radslag_server::start(Config { data: dir.to_owned(), listen, ..Config::default() }).await?;
    println!("{}", server.url());
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    ended.await??;
    server.shutdown().await;
    Ok(())
}

/// A running server.
pub(crate) struct Served {
    child: Child,
    input: Option<ChildStdin>,
    /// The connection to it.
    pub(crate) remote: Remote,
    /// From the start of the process to its first answer.
    pub(crate) first_answer: Duration,
}

impl Served {
    /// Starts one on a directory and waits for its first answer.
    pub(crate) async fn start(dir: &Path) -> Result<Self, Failed> {
        let began = Instant::now();
        let mut child = Command::new(std::env::current_exe()?)
            .arg(ROLE)
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("the server has no output")?;
        let mut url = String::new();
        BufReader::new(output).read_line(&mut url)?;
        // Connecting asks the first question, and waits for its answer.
        let remote = Remote::connect(url.trim()).await;
        let remote = remote.inspect_err(|_| drop(child.kill()))?;
        Ok(Self { input: child.stdin.take(), child, remote, first_answer: began.elapsed() })
    }

    /// Its memory in MiB: now, and the most it ever was.
    pub(crate) fn memory(&self) -> Result<(u64, u64), Failed> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        };
        let (now, most) =
            line("VmRSS:").zip(line("VmHWM:")).ok_or("the system does not say how much memory")?;
        Ok((now / 1024, most / 1024))
    }

    /// Stops it as an operator does.
    pub(crate) fn stop(mut self) -> Result<(), Failed> {
        drop(self.input.take());
        let ended = self.child.wait()?;
        if ended.success() { Ok(()) } else { Err(format!("the server ended with {ended}").into()) }
    }

    /// Ends it as a machine does.
    pub(crate) fn kill(mut self) -> Result<(), Failed> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

//! The server that is measured: one that is started for it, or one that runs elsewhere.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use radslag_client::remote::Remote;
use tempfile::TempDir;

use crate::Failed;
use crate::process::{Process, Role, Used};

/// Where data is kept while something is measured.
#[derive(Args, Clone, Debug)]
pub(crate) struct Folder {
    /// A folder on the disk to be measured, not in memory
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    pub(crate) dir: PathBuf,
    /// The cache of the server that is started, in MiB
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub(crate) cache_mib: u64,
}

/// Which server is measured.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) folder: Folder,
    /// Measure this server, http://HOST:PORT, in place of one that is started; what it uses is then not known
    #[arg(long)]
    pub(crate) server: Option<String>,
}

/// A server in a process of its own.
pub(crate) struct Served {
    process: Process,
    /// The connection to it.
    pub(crate) remote: Remote,
    /// From the start of the process to its first answer.
    pub(crate) first_answer: Duration,
}

impl Served {
    /// Starts one on a directory and waits for its first answer.
    pub(crate) async fn start(data: &Path, cache_mib: u64) -> Result<Self, Failed> {
        let began = Instant::now();
        let process = Process::start(&Role::Server { data: data.to_owned(), cache_mib })?;
        // Connecting asks the first question, and waits for its answer.
        let remote = Remote::connect(&process.url).await?;
        Ok(Self { process, remote, first_answer: began.elapsed() })
    }

    /// What it has used so far.
    pub(crate) fn used(&self) -> Result<Used, Failed> {
        self.process.used()
    }

    /// Stops it as an operator does.
    pub(crate) fn stop(self) -> Result<(), Failed> {
        self.process.stop()
    }

    /// Ends it as a machine does.
    pub(crate) fn kill(self) -> Result<(), Failed> {
        self.process.kill()
    }
}

/// What is measured; with the data, where it is ours.
pub(crate) struct Host {
    remote: Remote,
    own: Option<(Served, TempDir)>,
}

/// What a server had used when a cell began.
pub(crate) struct Meter {
    server: Used,
    load: Used,
    disk: u64,
}

/// What a cell took of the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Costs {
    /// What the load tool computed, in seconds.
    pub(crate) load_cpu_s: f64,
    /// Of the server, where it is ours.
    pub(crate) server: Option<ServerCosts>,
}

/// What a cell took of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerCosts {
    /// What it computed, in seconds.
    pub(crate) cpu_s: f64,
    /// Its largest resident set since its start, in KiB.
    pub(crate) peak_kib: u64,
    /// How much larger its store was once it had been stopped, in bytes.
    pub(crate) grown: u64,
    /// What it had written to the disk meanwhile, in bytes.
    pub(crate) written: u64,
}

impl Host {
    /// Starts a server on an empty store, or connects to the one that was named.
    pub(crate) async fn open(place: &Place) -> Result<Self, Failed> {
        if let Some(url) = &place.server {
            return Ok(Self { remote: Remote::connect(url).await?, own: None });
        }
        let data = tempfile::tempdir_in(&place.folder.dir)?;
        let served = Served::start(data.path(), place.folder.cache_mib).await?;
        Ok(Self { remote: served.remote.clone(), own: Some((served, data)) })
    }

    /// A connection to it.
    pub(crate) const fn remote(&self) -> &Remote {
        &self.remote
    }

    /// A connection of its own.
    pub(crate) async fn connect(&self) -> Result<Remote, Failed> {
        Ok(Remote::connect(self.remote.server()).await?)
    }

    /// A cell begins.
    pub(crate) fn meter(&self) -> Result<Meter, Failed> {
        let (server, disk) = match &self.own {
            Some((served, data)) => (served.used()?, on_disk(data.path())?),
            None => (Used::default(), 0),
        };
        Ok(Meter { server, load: Used::of("self")?, disk })
    }

    /// A cell has ended, and others follow; what it took of the disk is not settled yet.
    pub(crate) fn costs(&self, meter: &Meter) -> Result<Costs, Failed> {
        let load_cpu_s = Used::of("self")?.cpu_s - meter.load.cpu_s;
        let Some((served, data)) = &self.own else { return Ok(Costs { load_cpu_s, server: None }) };
        let used = served.used()?;
        let server = ServerCosts {
            cpu_s: used.cpu_s - meter.server.cpu_s,
            peak_kib: used.peak_kib,
            grown: on_disk(data.path())?.saturating_sub(meter.disk),
            written: used.written.saturating_sub(meter.server.written),
        };
        Ok(Costs { load_cpu_s, server: Some(server) })
    }

    /// The last cell has ended: the server is stopped, and what its store then takes is what the cell took.
    pub(crate) fn close(self, meter: &Meter) -> Result<Costs, Failed> {
        let mut costs = self.costs(meter)?;
        if let (Some((served, data)), Some(server)) = (self.own, &mut costs.server) {
            served.stop()?;
            server.grown = on_disk(data.path())?.saturating_sub(meter.disk);
        }
        Ok(costs)
    }
}

/// What the files below a folder take of the disk, in bytes.
pub(crate) fn on_disk(dir: &Path) -> Result<u64, Failed> {
    /// The unit of `st_blocks`, whatever the file system.
    const BLOCK: u64 = 512;
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(about) if about.is_dir() => bytes += on_disk(&entry.path())?,
            Ok(about) => bytes += about.blocks() * BLOCK,
            // A server at work replaces files.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}

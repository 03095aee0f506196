//! The scenario: writers that push one event a call to a real server and wait for its receipt.
//!
//! The time of a call is from handing the signed bundle to the connection until the receipt is read; writing and signing the event
//! is not in it, but takes its share of the machine and so counts in the rate. Every writer has a connection and a device of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use radslag_client::remote::Remote;
use radslag_server::Config;
use tokio::task::JoinSet;

use crate::Failed;
use crate::measure::{Bound, Cell, Gate};
use crate::writer::Writer;

/// Starts a server with an empty store below `dir` and measures it.
pub(crate) async fn run(dir: &Path, bound: Bound, writers: usize) -> Result<Cell, Failed> {
    let data = tempfile::tempdir_in(dir)?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = Config { data: data.path().join("data"), listen, ..Config::default() };
    let server = radslag_server::start(config).await?;
    let measured = measure(&server.url(), bound, writers).await;
    server.shutdown().await;
    measured
}

async fn measure(url: &str, bound: Bound, writers: usize) -> Result<Cell, Failed> {
    let mut desks = Vec::with_capacity(writers);
    let remote = Remote::connect(url).await?;
    let (first, subgoal) = Writer::begin(&remote).await?;
    for _ in 1..writers {
        let remote = Remote::connect(url).await?;
        let writer = first.join(&remote, subgoal).await?;
        desks.push((remote, writer));
    }
    desks.push((remote, first));

    let gate = Arc::new(Gate::open(bound));
    let mut tasks = JoinSet::new();
    for (remote, writer) in desks {
        tasks.spawn(work(remote, writer, Arc::clone(&gate)));
    }
    let mut calls = Vec::new();
    while let Some(done) = tasks.join_next().await {
        calls.extend(done??);
    }
    Ok(Cell::new("push", writers, 1, gate.elapsed(), calls))
}

async fn work(remote: Remote, mut writer: Writer, gate: Arc<Gate>) -> Result<Vec<Duration>, Failed> {
    let mut calls = Vec::new();
    while gate.admits(1) {
        let bundle = writer.edit()?;
        let sent = Instant::now();
        writer.push(&remote, bundle).await?;
        calls.push(sent.elapsed());
    }
    Ok(calls)
}

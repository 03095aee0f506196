//! What readers cost a server in memory: many follow a log while it grows, half of them without ever reading.
//!
//! The server is a process of its own, so that its resident set is nobody else's. What is compared is a server in its stride: its log
//! has grown until its cache is full, and everybody is connected. Beside the run with readers stands one without any: a log that
//! grows costs memory too, and that is not the readers'.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use radslag_client::remote::Remote;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use serde_json::json;
use tokio::task::JoinSet;

use crate::host::{Folder, Served};
use crate::writer::Writer;
use crate::{Failed, number};

/// Events in a bundle.
const BUNDLE: usize = 20;

/// A server's memory while events are appended, with readers and without, and how fast they are delivered
#[derive(Args, Clone, Debug)]
pub(crate) struct Asked {
    #[command(flatten)]
    folder: Folder,
    /// How many follow
    #[arg(long, default_value_t = 500, value_parser = number(0, 2_000))]
    subscribers: usize,
    /// How many of them never read
    #[arg(long, default_value_t = 250, value_parser = number(0, 2_000))]
    stopped: usize,
    /// How many events are appended
    #[arg(long, default_value_t = 20_000, value_parser = number(BUNDLE as u64, 1_000_000))]
    events: usize,
    /// How many events are appended before anybody connects, so that the cache is full
    #[arg(long, default_value_t = 150_000, value_parser = number(0, 1_000_000))]
    warm: usize,
}

/// A server's resident set in KiB, and how long the run took.
struct Measured {
    /// With everybody connected.
    before: u64,
    /// At its greatest from then on.
    most: u64,
    after: u64,
    /// From the first push until whoever reads has read everything.
    elapsed: Duration,
    /// What the server computed meanwhile, in seconds.
    computed: f64,
}

pub(crate) async fn run(asked: &Asked) -> Result<(), Failed> {
    let alone = measured(asked, 0, 0).await?;
    let with = measured(asked, asked.subscribers, asked.stopped.min(asked.subscribers)).await?;
    let share = |part: u64, whole: u64| (part as f64 / whole as f64 * 1000.0).round() / 1000.0;
    for (name, cell) in [("alone", &alone), ("followed", &with)] {
        let events_per_s = (asked.events as f64 / cell.elapsed.as_secs_f64()).round();
        println!(
            "{}",
            json!({"cell": name, "before_kib": cell.before, "most_kib": cell.most,
                   "after_kib": cell.after, "most_to_before": share(cell.most, cell.before), "events_per_s": events_per_s,
                   "server_cpu_s": (cell.computed * 100.0).round() / 100.0})
        );
    }
    // What the log itself took while it grew is not the readers'.
    let grown = with.most.saturating_sub(with.before);
    let by_log = alone.most.saturating_sub(alone.before);
    println!(
        "{}",
        json!({"ratio": "followed growth beyond the log's own, to what was resident before",
               "subscribers": asked.subscribers, "stopped": asked.stopped, "events": asked.events,
               "warm": asked.warm, "cache_mib": asked.folder.cache_mib,
               "kib": grown as f64 - by_log as f64,
               "value": share(grown.saturating_sub(by_log), with.before)})
    );
    Ok(())
}

async fn measured(asked: &Asked, subscribers: usize, stopped: usize) -> Result<Measured, Failed> {
    let data = tempfile::tempdir_in(&asked.folder.dir)?;
    let server = Served::start(data.path(), asked.folder.cache_mib).await?;
    let remote = server.remote.clone();
    let (mut writer, subgoal) = Writer::begin(&remote).await?;
    writer.add(&remote, subgoal, BUNDLE).await?;
    append(&server, &remote, &mut writer, asked.warm).await?;
    let program_id = writer.program().to_string();
    let from = remote.hello(&program_id).await?.head.ok_or("no head")?;
    let (mut followers, held) = follow(&server, &program_id, &from, subscribers, stopped).await?;
    let before = server.used()?.resident_kib;
    let (began, computed) = (Instant::now(), server.used()?.cpu_s);
    let most = append(&server, &remote, &mut writer, asked.events).await?;
    followers.reach(writer.head()).await?;
    let (elapsed, after) = (began.elapsed(), server.used()?.resident_kib);
    let computed = server.used()?.cpu_s - computed;
    drop(held);
    Ok(Measured { before, most: most.max(before).max(after), after, elapsed, computed })
}

/// Appends so many events and gives the server's greatest resident set meanwhile.
async fn append(server: &Served, remote: &Remote, writer: &mut Writer, events: usize) -> Result<u64, Failed> {
    let mut most = 0;
    for _ in 0..events / BUNDLE {
        let events = writer.edit_all(BUNDLE)?;
        writer.push(remote, events).await?;
        most = most.max(server.used()?.resident_kib);
    }
    Ok(most)
}

/// Those who read, and how far each has come.
struct Followers {
    readers: JoinSet<Result<(), Failed>>,
    reached: Vec<Arc<AtomicU64>>,
}

impl Followers {
    /// Waits until everybody has everything; one whose stream ends before has failed.
    async fn reach(&mut self, head: u64) -> Result<(), Failed> {
        while self.reached.iter().any(|reached| reached.load(Ordering::Acquire) < head) {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(1)) => {}
                Some(ended) = self.readers.join_next() => ended??,
            }
        }
        Ok(())
    }
}

type Stream = tonic::Streaming<api::SubscribeResponse>;

/// Subscribes, each on a connection of their own. The streams of those who never read are given as they are.
async fn follow(
    server: &Served,
    program_id: &str,
    from: &api::Cursor,
    subscribers: usize,
    stopped: usize,
) -> Result<(Followers, Vec<Stream>), Failed> {
    let mut followers = Followers { readers: JoinSet::new(), reached: Vec::new() };
    let mut held = Vec::new();
    for number in 0..subscribers {
        let own = Remote::connect(server.remote.server()).await?;
        let request = api::SubscribeRequest {
            program_id: program_id.to_owned(),
            after: Some(from.clone()),
            ..api::SubscribeRequest::default()
        };
        let stream = own.sync().subscribe(request).await?.into_inner();
        if number < stopped {
            held.push(stream);
        } else {
            let reached = Arc::new(AtomicU64::new(0));
            followers.reached.push(Arc::clone(&reached));
            followers.readers.spawn(read(stream, reached));
        }
    }
    Ok((followers, held))
}

async fn read(mut stream: Stream, reached: Arc<AtomicU64>) -> Result<(), Failed> {
    while let Some(message) = stream.message().await? {
        if let Some(Frame::Events(events)) = message.frame {
            let last = events.records.last().and_then(|frame| frame.record.as_ref());
            reached.store(last.map_or(0, |record| record.position), Ordering::Release);
        }
    }
    Err("a stream ended before the run did".into())
}

//! What readers cost a server in memory: many follow a log while it grows, half of them without ever reading.
//!
//! The server is a process of its own, so that its resident set is nobody else's. What is compared is a server in its stride: its log
//! has grown until its cache is full, and everybody is connected. Beside the run with readers stands one without any: a log that
//! grows costs memory too, and that is not the readers'.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use radslag_client::remote::Remote;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use serde_json::json;
use tokio::task::JoinSet;

use crate::Failed;
use crate::writer::Writer;

pub(crate) const USAGE: &str = "\
usage: radslag-bench followers [--subscribers N] [--stopped N] [--events N] [--warm N] [--cache-mib N] [--dir DIR]

  followers        a server's resident memory while events are appended, with readers and without, and how
                   fast they are delivered; needs radslagd beside this program: cargo build --release -p radslag-server
  --subscribers N  how many follow, 0 to 2000 (500)
  --stopped N      how many of them never read (250)
  --events N       how many events are appended, 100 to 1000000 (20000)
  --warm N         how many events are appended before anybody connects, so that the cache is full (150000)
  --cache-mib N    the server's setting (64, its default: full after some 140000 events)";

/// Events in a bundle.
const BUNDLE: usize = 20;

/// What is asked for.
pub(crate) struct Asked {
    subscribers: usize,
    stopped: usize,
    events: usize,
    warm: usize,
    cache_mib: usize,
    dir: PathBuf,
}

pub(crate) fn read_arguments(flags: &[&str]) -> Result<Asked, String> {
    let dir = std::env::temp_dir();
    let mut asked =
        Asked { subscribers: 500, stopped: 250, events: 20_000, warm: 150_000, cache_mib: 64, dir };
    for pair in flags.chunks(2) {
        let [flag, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
        let number = || value.parse::<usize>().map_err(|_| format!("{flag} is {value:?}, not a number"));
        match *flag {
            "--subscribers" => asked.subscribers = number()?.min(2_000),
            "--stopped" => asked.stopped = number()?,
            "--events" => asked.events = number()?.clamp(BUNDLE, 1_000_000),
            "--warm" => asked.warm = number()?.min(1_000_000),
            "--cache-mib" => asked.cache_mib = number()?,
            "--dir" => asked.dir = PathBuf::from(value),
            _ => return Err(format!("{flag:?} is not a flag")),
        }
    }
    asked.stopped = asked.stopped.min(asked.subscribers);
    Ok(asked)
}

/// A server process; killed when it is dropped.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that is gone already needs no ending.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(data: &Path, cache_mib: usize) -> Result<Self, Failed> {
        let program = std::env::current_exe()?.with_file_name("radslagd");
        let mut command = Command::new(&program);
        // All of them come from one address.
        for limit in ["CONNECTIONS", "CONNECTIONS_PER_ADDRESS", "CALLS_PER_ADDRESS"] {
            command.env(format!("RADSLAG_LIMITS_{limit}"), "4096");
        }
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).stdout(Stdio::piped());
        command.args(["--cache-mib", &cache_mib.to_string()]);
        command.stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| {
            format!("{}: {error}; cargo build --release -p radslag-server", program.display())
        })?;
        let stdout = child.stdout.take().ok_or("the server has no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let url = line.split_whitespace().find(|word| word.starts_with("http://"));
        let url = url.ok_or_else(|| format!("the server said {line:?}"))?;
        let url = url.trim_end_matches(|c: char| !c.is_ascii_digit()).to_owned();
        Ok(Self { child, url })
    }

    /// Its resident set in KiB.
    fn resident(&self) -> Result<u64, Failed> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
    }

    /// What its threads have computed, in seconds; from the kernel, which counts hundredths.
    fn computed(&self) -> Result<f64, Failed> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The second field is a name in parentheses; user and system time are the 14th and 15th.
        let (_, rest) = stat.rsplit_once(')').ok_or("no name in stat")?;
        let times: Vec<f64> =
            rest.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        Ok(times.iter().sum::<f64>() / 100.0)
    }
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
    let with = measured(asked, asked.subscribers, asked.stopped).await?;
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
               "warm": asked.warm, "cache_mib": asked.cache_mib,
               "kib": grown as f64 - by_log as f64,
               "value": share(grown.saturating_sub(by_log), with.before)})
    );
    Ok(())
}

async fn measured(asked: &Asked, subscribers: usize, stopped: usize) -> Result<Measured, Failed> {
    let data = tempfile::tempdir_in(&asked.dir)?;
    let server = Server::start(data.path(), asked.cache_mib)?;
    let remote = Remote::connect(&server.url).await?;
    let (mut writer, subgoal) = Writer::begin(&remote).await?;
    writer.add(&remote, subgoal, BUNDLE).await?;
    append(&server, &remote, &mut writer, asked.warm).await?;
    let program_id = writer.program().to_string();
    let from = remote.hello(&program_id).await?.head.ok_or("no head")?;
    let (mut followers, held) = follow(&server, &program_id, &from, subscribers, stopped).await?;
    let before = server.resident()?;
    let (began, computed) = (Instant::now(), server.computed()?);
    let most = append(&server, &remote, &mut writer, asked.events).await?;
    followers.reach(writer.head()).await?;
    let (elapsed, after) = (began.elapsed(), server.resident()?);
    let computed = server.computed()? - computed;
    drop(held);
    Ok(Measured { before, most: most.max(before).max(after), after, elapsed, computed })
}

/// Appends so many events and gives the server's greatest resident set meanwhile.
async fn append(server: &Server, remote: &Remote, writer: &mut Writer, events: usize) -> Result<u64, Failed> {
    let mut most = 0;
    for _ in 0..events / BUNDLE {
        let bundle = writer.edit_all(BUNDLE)?;
        writer.push(remote, bundle).await?;
        most = most.max(server.resident()?);
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
    server: &Server,
    program_id: &str,
    from: &api::Cursor,
    subscribers: usize,
    stopped: usize,
) -> Result<(Followers, Vec<Stream>), Failed> {
    let mut followers = Followers { readers: JoinSet::new(), reached: Vec::new() };
    let mut held = Vec::new();
    for number in 0..subscribers {
        let own = Remote::connect(&server.url).await?;
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

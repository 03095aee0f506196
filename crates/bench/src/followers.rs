//! What readers cost a server in memory: many follow a log while it grows, half of them without ever reading.
//!
//! The server is a process of its own, so that its resident set is nobody else's. Beside the run with readers stands one
//! without any: a log that grows costs memory too, and that is not the readers'.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use radslag_client::remote::Remote;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use serde_json::json;
use tokio::task::JoinSet;

use crate::Failed;
use crate::writer::Writer;

pub(crate) const USAGE: &str = "\
usage: radslag-bench followers [--subscribers N] [--stopped N] [--events N] [--dir DIR]

  followers        a server's resident memory while events are appended, with readers and without;
                   needs radslagd beside this program: cargo build --release -p radslag-server
  --subscribers N  how many follow, 0 to 2000 (500)
  --stopped N      how many of them never read (250)
  --events N       how many events are appended, 100 to 1000000 (20000)";

/// Events in a bundle.
const BUNDLE: usize = 20;

/// What is asked for.
pub(crate) struct Asked {
    subscribers: usize,
    stopped: usize,
    events: usize,
    dir: PathBuf,
}

pub(crate) fn read_arguments(flags: &[&str]) -> Result<Asked, String> {
    let mut asked = Asked { subscribers: 500, stopped: 250, events: 20_000, dir: std::env::temp_dir() };
    for pair in flags.chunks(2) {
        let [flag, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
        let number = || value.parse::<usize>().map_err(|_| format!("{flag} is {value:?}, not a number"));
        match *flag {
            "--subscribers" => asked.subscribers = number()?.min(2_000),
            "--stopped" => asked.stopped = number()?,
            "--events" => asked.events = number()?.clamp(BUNDLE, 1_000_000),
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
    fn start(data: &Path) -> Result<Self, Failed> {
        let program = std::env::current_exe()?.with_file_name("radslagd");
        let mut command = Command::new(&program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).stdout(Stdio::piped());
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
}

/// A server's resident set in KiB: with everybody connected, at its greatest, and at the end.
struct Memory {
    before: u64,
    most: u64,
    after: u64,
}

pub(crate) async fn run(asked: &Asked) -> Result<(), Failed> {
    let alone = measured(asked, 0, 0).await?;
    let with = measured(asked, asked.subscribers, asked.stopped).await?;
    let share = |part: u64, whole: u64| (part as f64 / whole as f64 * 1000.0).round() / 1000.0;
    for (name, memory) in [("alone", &alone), ("followed", &with)] {
        println!(
            "{}",
            json!({"cell": name, "before_kib": memory.before, "most_kib": memory.most, "after_kib": memory.after,
                   "most_to_before": share(memory.most, memory.before)})
        );
    }
    // What the log itself took while it grew is not the readers'.
    let grown = with.most.saturating_sub(with.before);
    let by_log = alone.most.saturating_sub(alone.before);
    println!(
        "{}",
        json!({"ratio": "followed growth beyond the log's own, to what was resident before",
               "subscribers": asked.subscribers, "stopped": asked.stopped, "events": asked.events,
               "value": (grown as f64 - by_log as f64) / with.before as f64})
    );
    Ok(())
}

async fn measured(asked: &Asked, subscribers: usize, stopped: usize) -> Result<Memory, Failed> {
    let data = tempfile::tempdir_in(&asked.dir)?;
    let server = Server::start(data.path())?;
    let remote = Remote::connect(&server.url).await?;
    let (mut writer, subgoal) = Writer::begin(&remote).await?;
    writer.add(&remote, subgoal, BUNDLE).await?;
    // One round first, so that what every server needs once is resident before anything is compared.
    for _ in 0..asked.events / BUNDLE / 4 {
        let bundle = writer.edit_all(BUNDLE)?;
        writer.push(&remote, bundle).await?;
    }
    let program_id = writer.program().to_string();
    let from = remote.hello(&program_id).await?.head.ok_or("no head")?;
    let head = from.position + (asked.events / BUNDLE * BUNDLE) as u64;
    let mut readers = JoinSet::new();
    let mut held = Vec::new();
    for number in 0..subscribers {
        let own = Remote::connect(&server.url).await?;
        let request = api::SubscribeRequest {
            program_id: program_id.clone(),
            after: Some(from.clone()),
            ..api::SubscribeRequest::default()
        };
        let stream = own.sync().subscribe(request).await?.into_inner();
        if number < stopped {
            held.push(stream);
        } else {
            readers.spawn(read_to(stream, head));
        }
    }
    let before = server.resident()?;
    let mut most = before;
    for _ in 0..asked.events / BUNDLE {
        let bundle = writer.edit_all(BUNDLE)?;
        writer.push(&remote, bundle).await?;
        most = most.max(server.resident()?);
    }
    while let Some(read) = readers.join_next().await {
        read??;
        most = most.max(server.resident()?);
    }
    let after = server.resident()?;
    drop(held);
    Ok(Memory { before, most, after })
}

async fn read_to(mut stream: tonic::Streaming<api::SubscribeResponse>, head: u64) -> Result<(), Failed> {
    while let Some(message) = stream.message().await? {
        if let Some(Frame::Events(events)) = message.frame {
            let last = events.records.last().and_then(|frame| frame.record.as_ref());
            if last.is_some_and(|record| record.position >= head) {
                return Ok(());
            }
        }
    }
    Err("a stream ended before the head".into())
}

//! The scenario: how long until a server answers again, after it was stopped and after it was killed in the middle of its work, and
//! how long until it takes the next change. Whatever it acknowledged is there.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use radslag_client::remote::Remote;
use radslag_core::id::EntityId;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::host::{Folder, Served};
use crate::measure::{Times, rounded};
use crate::writer::Writer;
use crate::{Failed, number};

/// How many push while the server is killed.
const WRITERS: usize = 8;
/// How many events a push holds.
const BATCH: usize = 10;
/// How many pushes are answered before the server is killed.
const ANSWERED: u64 = 50;
/// How many activities are edited.
const ACTIVITIES: usize = 250;

/// How long until the first answer, after a stop and after a kill under load
#[derive(Args, Clone, Debug)]
pub(crate) struct Asked {
    #[command(flatten)]
    folder: Folder,
    /// How many events the log has
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
    events: u64,
    /// How often it is stopped, and how often killed
    #[arg(long, default_value_t = 5, value_parser = number(1, 1_000))]
    times: usize,
}

/// How long it took, once for each time.
#[derive(Default)]
struct Again {
    first_answer: Vec<Duration>,
    first_receipt: Vec<Duration>,
}

/// Measures both and prints a cell for each.
pub(crate) async fn run(asked: &Asked) -> Result<(), Failed> {
    let data = tempfile::tempdir_in(&asked.folder.dir)?;
    let mut served = Served::start(data.path(), asked.folder.cache_mib).await?;
    let (mut first, subgoal) = Writer::begin(&served.remote).await?;
    first.add(&served.remote, subgoal, ACTIVITIES).await?;
    while first.head() < asked.events {
        let events = first.edit_next(ACTIVITIES)?;
        first.push(&served.remote, events).await?;
    }
    let mut stopped = Again::default();
    for _ in 0..asked.times {
        served.stop()?;
        served = again(asked, data.path(), &mut first, &mut stopped).await?;
    }
    say("restart-after-stop", &first, stopped);
    let mut killed = Again::default();
    for _ in 0..asked.times {
        let acknowledged = kill_under_load(served, &first, subgoal).await?;
        served = again(asked, data.path(), &mut first, &mut killed).await?;
        // The receipt of its first change says how long the log is.
        if first.head() <= acknowledged {
            let head = first.head();
            return Err(
                format!("position {acknowledged} was acknowledged, and the log ends at {head}").into()
            );
        }
    }
    say("restart-after-kill", &first, killed);
    served.stop()
}

/// Starts the server once more, and has it take a change.
async fn again(asked: &Asked, data: &Path, first: &mut Writer, again: &mut Again) -> Result<Served, Failed> {
    let began = Instant::now();
    let served = Served::start(data, asked.folder.cache_mib).await?;
    let events = first.edit(1)?;
    first.push(&served.remote, events).await?;
    again.first_answer.push(served.first_answer);
    again.first_receipt.push(began.elapsed());
    Ok(served)
}

/// Kills the server while everybody pushes, and gives the last position that it had acknowledged.
async fn kill_under_load(served: Served, first: &Writer, subgoal: EntityId) -> Result<u64, Failed> {
    let acknowledged = Arc::new(AtomicU64::new(0));
    let (answered, mut answers) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    for _ in 0..WRITERS {
        let remote = Remote::connect(served.remote.server()).await?;
        let desk = first.join(&remote, subgoal).await?;
        tasks.spawn(push(remote, desk, Arc::clone(&acknowledged), answered.clone()));
    }
    drop(answered);
    for _ in 0..ANSWERED {
        answers.recv().await.ok_or("the server took nothing")?;
    }
    served.kill()?;
    // Those who push find that out by themselves.
    while answers.recv().await.is_some() {}
    while let Some(done) = tasks.join_next().await {
        done?;
    }
    Ok(acknowledged.load(Ordering::Acquire))
}

/// Pushes until nobody answers.
async fn push(remote: Remote, mut desk: Writer, acknowledged: Arc<AtomicU64>, answered: mpsc::Sender<()>) {
    loop {
        let Ok(events) = desk.edit(BATCH) else { return };
        if desk.push(&remote, events).await.is_err() {
            return;
        }
        acknowledged.fetch_max(desk.head(), Ordering::AcqRel);
        if answered.send(()).await.is_err() {
            return;
        }
    }
}

fn say(scenario: &str, first: &Writer, again: Again) {
    let (answer, receipt) = (Times::new(again.first_answer), Times::new(again.first_receipt));
    let millis = |times: &Times, percent| rounded(times.percentile_us(percent) / 1_000.0, 1);
    let said = json!({
        "scenario": scenario, "events": first.head(), "times": answer.len(),
        "first_answer_p50_ms": millis(&answer, 50), "first_answer_most_ms": millis(&answer, 100),
        "first_receipt_p50_ms": millis(&receipt, 50), "first_receipt_most_ms": millis(&receipt, 100),
    });
    println!("{said}");
}

//! `cargo run --release -p radslag-tests --bin catch_up`: a replica that was offline for 1 000 edits by others and 200 of its
//! own catches up with one `radslag sync`. Prints how long the command took, and the stages of a second replica's sync.
#![allow(clippy::print_stdout, reason = "a measurement is printed")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use radslag_client::ClientError;
use radslag_client::clock::{SystemClock, SystemIds};
use radslag_client::remote::Remote;
use radslag_client::replica::Replica;
use radslag_tests::Town;
use radslag_tests::member::Member;

const OTHERS: usize = 1000;
const OWN: usize = 200;
const LIMIT: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> Result<(), ClientError> {
    radslag_tests::build_programs();
    let town = Town::with_sample();
    let [huddinge, haninge] = ["huddinge", "haninge"].map(|org| town.municipality(org, "Eva"));
    let away = ["nacka", "salem"].map(|org| town.municipality(org, "Åke"));
    for (seed, replica) in (1..).zip(&away) {
        edit(replica.dir(), seed, OWN, OWN, None).await?;
    }
    let remote = Remote::connect(town.url()).await?;
    for (seed, replica) in (11..).zip([&huddinge, &haninge]) {
        // One by one, each under a signature of its own: there is no harder way to hand in as many.
        edit(replica.dir(), seed, OTHERS / 2, 1, Some(&remote)).await?;
    }
    let started = Instant::now();
    let synced = away[0].does(&["sync", "--format", "json"]);
    let took = started.elapsed();
    let report = synced.object();
    println!("radslag sync: {:.3} s for {report}", took.as_secs_f64());
    println!("it said on the way: {:?}", synced.err.trim());
    stages(away[1].dir(), town.url()).await?;
    assert_eq!(report["outbox"], 0);
    println!("limit {} s: {}", LIMIT.as_secs(), if took < LIMIT { "held" } else { "NOT held" });
    if took < LIMIT { Ok(()) } else { std::process::exit(1) }
}

/// Queues `count` events, handing in after every `round` of them where there is a server.
async fn edit(
    dir: &Path,
    seed: u64,
    count: usize,
    round: usize,
    remote: Option<&Remote>,
) -> Result<(), ClientError> {
    let mut member = Member::open(dir, seed)?;
    let mut authored = 0;
    while authored < count {
        let most = count.min(authored + round);
        while authored < most {
            authored += member.edit(most - authored)?.len();
        }
        if let Some(remote) = remote {
            member.sync(remote).await?;
        }
    }
    member.replica.close()
}

/// The same sync once more, stage by stage.
async fn stages(dir: &Path, url: &str) -> Result<(), ClientError> {
    let mut clock = Stopwatch(Instant::now());
    let mut replica = Replica::open(dir, Arc::new(SystemClock), Arc::new(SystemIds))?;
    clock.lap("open");
    let remote = Remote::connect(url).await?;
    clock.lap("connect");
    let pulled = replica.pull(&remote, |_, _| {}).await?;
    clock.lap(&format!("pull of {} records", pulled.records));
    let queued = replica.outbox.len();
    replica.push(&remote, |_, _| {}).await?;
    clock.lap(&format!("push of {queued} events"));
    let pulled = replica.pull(&remote, |_, _| {}).await?;
    clock.lap(&format!("pull of {} records", pulled.records));
    replica.close()?;
    clock.lap("close");
    Ok(())
}

struct Stopwatch(Instant);

impl Stopwatch {
    fn lap(&mut self, what: &str) {
        println!("  {what}: {:.3} s", self.0.elapsed().as_secs_f64());
        self.0 = Instant::now();
    }
}

//! The scenario: how long until what one pushes is in the hands of another who follows the log. Alone and as fast as it goes, and at
//! a steady pace from several; before one reader and before sixteen.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use radslag_core::id::EventId;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use crate::goals::{Goal, Ratios};
use crate::host::{Host, Place};
use crate::measure::{Gate, Length, Times, rounded};
use crate::push::{Desk, desks};
use crate::{Failed, number};

/// How many push at a steady pace.
const PACED: u32 = 8;

/// How long from a push until another subscriber has the event
#[derive(Args, Clone, Debug)]
pub(crate) struct Asked {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    length: Length,
    /// How many follow, two cells each: one writer as fast as it goes, and eight at a steady pace
    #[arg(long, value_delimiter = ',', default_value = "1,16", value_parser = number(1, 1_000))]
    subscribers: Vec<usize>,
    /// The steady pace, in events a second
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pace: u32,
}

/// An event under way.
struct Sent {
    event: EventId,
    at: Instant,
    /// From then until its receipt.
    push: Duration,
}

/// A cell.
struct Measured {
    push: Times,
    delivered: Times,
}

type Arrivals = Vec<(Vec<u8>, Instant)>;
type Stream = tonic::Streaming<api::SubscribeResponse>;

/// Measures all cells, prints each, and then the ratios.
pub(crate) async fn run(asked: &Asked) -> Result<(), Failed> {
    let mut ratios = Ratios::default();
    for subscribers in &asked.subscribers {
        let alone = measure(asked, *subscribers, None).await?;
        let (push, delivered) = (alone.push.percentile_us(50), alone.delivered.percentile_us(50));
        ratios.ratio(format!("live_{subscribers}_p50_to_push_p50"), delivered, push, Goal::AtMost(1.3));
        let paced = measure(asked, *subscribers, Some(asked.pace)).await?;
        let (push, delivered) = (paced.push.percentile_us(50), paced.delivered.percentile_us(99));
        let name = format!("live_{subscribers}_at_{}_per_s_p99_to_push_p50", asked.pace);
        ratios.ratio(name, delivered, push, Goal::AtMost(3.0));
    }
    println!("{}", ratios.to_json());
    Ok(())
}

async fn measure(asked: &Asked, subscribers: usize, pace: Option<u32>) -> Result<Measured, Failed> {
    let host = Host::open(&asked.place).await?;
    let writers = if pace.is_some() { PACED } else { 1 };
    let desks = desks(&host, usize::try_from(writers)?, 1).await?;
    let program = desks[0].writers[0].program().to_string();
    let (head, known) = watch::channel(u64::MAX);
    let mut readers = JoinSet::new();
    for _ in 0..subscribers {
        let stream = follow(&host, &program).await?;
        readers.spawn(read(stream, known.clone()));
    }
    let meter = host.meter()?;
    let gate = Arc::new(Gate::open(asked.length.bound()));
    let mut tasks = JoinSet::new();
    let begin = tokio::time::Instant::now();
    for (number, desk) in (0_u32..).zip(desks) {
        // One after the other and never all at once.
        let ticks = pace.map(|pace| {
            let every = Duration::from_secs(1) / pace;
            interval_at(begin + every * number, every * writers)
        });
        tasks.spawn(push(desk, ticks, Arc::clone(&gate)));
    }
    let mut sent = Vec::new();
    while let Some(done) = tasks.join_next().await {
        sent.extend(done??);
    }
    let elapsed = gate.elapsed();
    let last = host.remote().hello(&program).await?.head.ok_or("the programme has gone")?;
    head.send_replace(last.position);
    let mut delivered = Vec::new();
    let at: HashMap<Vec<u8>, Instant> =
        sent.iter().map(|sent| (sent.event.bytes().to_vec(), sent.at)).collect();
    while let Some(done) = readers.join_next().await {
        let arrivals = done??;
        let times = arrivals.iter().filter_map(|(event, arrived)| Some(*arrived - *at.get(event)?));
        delivered.extend(times);
    }
    let costs = host.close(&meter)?;
    if delivered.len() != sent.len() * subscribers {
        let wanted = sent.len() * subscribers;
        return Err(format!("{} of {wanted} deliveries came", delivered.len()).into());
    }
    let events = sent.len();
    let push = Times::new(sent.iter().map(|sent| sent.push).collect());
    let delivered = Times::new(delivered);
    let server = costs.server;
    let said = json!({
        "scenario": "live", "subscribers": subscribers, "writers": writers, "pace_per_s": pace, "events": events,
        "events_per_s": rounded(events as f64 / elapsed.as_secs_f64(), 0), "deliveries": delivered.len(),
        "p50_us": delivered.percentile_us(50), "p99_us": delivered.percentile_us(99),
        "push_p50_us": push.percentile_us(50), "push_p99_us": push.percentile_us(99),
        "load_cpu_s": rounded(costs.load_cpu_s, 2),
        "server_cpu_s": server.map(|server| rounded(server.cpu_s, 2)),
        "server_peak_rss_mib": server.map(|server| server.peak_kib >> 10),
    });
    println!("{said}");
    Ok(Measured { push, delivered })
}

/// A stream on a connection of its own that has caught up.
async fn follow(host: &Host, program: &str) -> Result<Stream, Failed> {
    let request = api::SubscribeRequest { program_id: program.to_owned(), ..Default::default() };
    let mut stream = host.connect().await?.sync().subscribe(request).await?.into_inner();
    while let Some(message) = stream.message().await? {
        if matches!(message.frame, Some(Frame::CaughtUp(_))) {
            return Ok(stream);
        }
    }
    Err("a stream ended before it had caught up".into())
}

/// Notes what arrives and when, until the last record there will be.
async fn read(mut stream: Stream, mut last: watch::Receiver<u64>) -> Result<Arrivals, Failed> {
    let (mut arrivals, mut position) = (Vec::new(), 0);
    loop {
        let wanted = *last.borrow_and_update();
        if position >= wanted {
            return Ok(arrivals);
        }
        let message = tokio::select! {
            message = stream.message() => message?.ok_or("a stream ended before the run did")?,
            changed = last.changed() => {
                changed?;
                continue;
            }
        };
        let arrived = Instant::now();
        let Some(Frame::Events(events)) = message.frame else { continue };
        for record in events.records.into_iter().filter_map(|frame| frame.record) {
            position = record.position;
            arrivals.push((record.event_id.to_vec(), arrived));
        }
    }
}

/// Pushes single events, one after the other or each at its time.
async fn push(mut desk: Desk, mut ticks: Option<Interval>, gate: Arc<Gate>) -> Result<Vec<Sent>, Failed> {
    if let Some(ticks) = &mut ticks {
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    }
    let mut sent = Vec::new();
    loop {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        if !gate.admits(1) {
            return Ok(sent);
        }
        let writer = &mut desk.writers[0];
        let events = writer.edit(1)?;
        let event = events.first().ok_or("nothing was written")?.body.event_id;
        let at = Instant::now();
        writer.push(&desk.remote, events).await?;
        sent.push(Sent { event, at, push: at.elapsed() });
    }
}

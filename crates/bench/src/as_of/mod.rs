//! The scenario: looking back in a long programme and in a short one, of few activities and of many. What is held against what is
//! the same question to both, in one run.

mod fold;

use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::RangedU64ValueParser;
use radslag_client::remote::Remote;
use radslag_core::id::EntityId;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::as_of::Recorded;
use serde_json::{Value, json};

use crate::host::{Folder, Served, on_disk};
use crate::writer::Writer;
use crate::{Failed, number};

/// How many municipalities write.
const WRITERS: usize = 8;
/// How many events one push holds.
const BUNDLE: usize = 250;
/// How many changes the one activity has whose history is read, in the long log as in the short one.
const CHANGES: u64 = 100;
/// How many records lie between the two points of the difference, in a log that has so many.
const MEETING: u64 = 50_000;

/// Looking back in a long programme and in a short one: as-of, history, log and blame, opening, folding and memory
///
/// The goals are for --events 1000000 --against 10000 --activities 32,10000.
#[derive(Args, Clone, Debug)]
pub(crate) struct Asked {
    #[command(flatten)]
    folder: Folder,
    /// How many events the long programme has after its activities were added
    #[arg(long, default_value_t = 60_000, value_parser = count())]
    events: u64,
    /// How many events the short one has
    #[arg(long, default_value_t = 6_000, value_parser = count())]
    against: u64,
    /// How many activities there are; each number is a measurement of its own
    #[arg(long, value_delimiter = ',', default_value = "32,1000", value_parser = number(8, 100_000))]
    activities: Vec<usize>,
    /// How often each question is asked
    #[arg(long, default_value_t = 200, value_parser = number(1, 1_000_000))]
    reads: usize,
}

fn count() -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(1_000..=100_000_000)
}

/// Measures it and prints a JSON object for each programme, then the ratios.
pub(crate) async fn run(asked: &Asked) -> Result<(), Failed> {
    for activities in &asked.activities {
        let short = measure(asked, *activities, asked.against).await?;
        println!("{short}");
        let long = measure(asked, *activities, asked.events).await?;
        println!("{long}");
        let ratio = |name: &str| {
            let of = |one: &Value| one[name].as_f64();
            of(&long).zip(of(&short)).map(|(long, short)| (long / short * 100.0).round() / 100.0)
        };
        let names = [
            "as_of_p50_ms",
            "as_of_p99_ms",
            "history_p50_ms",
            "history_p99_ms",
            "log_p50_ms",
            "log_p99_ms",
            "blame_p50_ms",
        ];
        let ratios: serde_json::Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), json!(ratio(name)))).collect();
        println!("{}", json!({ "activities": activities, "ratios": ratios }));
    }
    Ok(())
}

/// A programme that was written, and what is asked about it.
struct Written {
    program: String,
    /// The activity whose history is read.
    activity: EntityId,
    /// The last record before the events that count.
    begun: u64,
    head: u64,
}

async fn measure(asked: &Asked, activities: usize, events: u64) -> Result<Value, Failed> {
    let data = tempfile::tempdir_in(&asked.folder.dir)?;
    let cache = asked.folder.cache_mib;
    let served = Served::start(data.path(), cache).await?;
    let began = Instant::now();
    let written = write(&served.remote, activities, events).await?;
    let per_s = events as f64 / began.elapsed().as_secs_f64();
    let peak_writing = served.used()?.peak_kib >> 10;
    let mut said = ask(&served.remote, &written, asked.reads).await?;
    let peak = served.used()?.peak_kib >> 10;
    served.kill()?;
    let killed = Served::start(data.path(), cache).await?;
    let after_kill = killed.first_answer;
    killed.stop()?;
    let again = Served::start(data.path(), cache).await?;
    let after_stop = again.first_answer;
    let live = again.used()?.resident_kib >> 10;
    again.stop()?;
    let folded = fold::measure(data.path())?;
    let fields = said.as_object_mut().ok_or("a measurement is an object")?;
    let more = json!({
        "scenario": "as-of", "activities": activities, "events": written.head - written.begun,
        "written_per_s": per_s.round(), "peak_rss_writing_mib": peak_writing, "peak_rss_mib": peak, "live_rss_mib": live,
        "first_answer_after_kill_ms": millis(after_kill), "first_answer_after_stop_ms": millis(after_stop),
        "folded_per_s": folded.per_s.round(), "read_and_folded_per_s": folded.with_reading_per_s.round(),
        "fold_share_of_writing": (per_s / folded.per_s * 1_000.0).round() / 1_000.0,
        "states": folded.states, "states_mib": folded.state_bytes >> 20,
        "store_mib": on_disk(data.path())? >> 20,
    });
    fields.extend(more.as_object().cloned().unwrap_or_default());
    Ok(said)
}

/// Municipalities that edit their activities in turn, all at once, and one activity that is edited a hundred times whatever the length.
async fn write(remote: &Remote, activities: usize, events: u64) -> Result<Written, Failed> {
    let (mut first, subgoal) = Writer::begin(remote).await?;
    let program = first.program();
    let mut desks = Vec::with_capacity(WRITERS);
    for _ in 0..WRITERS {
        desks.push(first.join(remote, subgoal).await?);
    }
    for desk in &mut desks {
        let mut left = (activities / WRITERS).max(1);
        while left > 0 {
            let some = left.min(BUNDLE);
            desk.add(remote, subgoal, some).await?;
            left -= some;
        }
    }
    first.look(remote).await?;
    let begun = first.head();
    let stretch = (events / CHANGES).max(1);
    let mut written = 0;
    while written < events {
        let edit = first.edit(1)?;
        first.push(remote, edit).await?;
        let left = (events - written - 1).min(stretch - 1);
        desks = stretch_of(remote, desks, left).await?;
        first.look(remote).await?;
        written += left + 1;
    }
    Ok(Written { program: program.to_string(), activity: first.activity(), begun, head: first.head() })
}

/// So many edits, by all desks at once.
async fn stretch_of(remote: &Remote, desks: Vec<Writer>, events: u64) -> Result<Vec<Writer>, Failed> {
    let count = desks.len() as u64;
    let mut tasks = tokio::task::JoinSet::new();
    for (index, mut desk) in (0..).zip(desks) {
        let remote = remote.clone();
        let mut left = usize::try_from(events / count + u64::from(index < events % count))?;
        tasks.spawn(async move {
            while left > 0 {
                let some = left.min(BUNDLE);
                let events = desk.edit_next(some)?;
                desk.push(&remote, events).await?;
                left -= some;
            }
            Ok::<_, Failed>(desk)
        });
    }
    let mut back = Vec::new();
    while let Some(done) = tasks.join_next().await {
        back.push(done??);
    }
    Ok(back)
}

/// Asks each question so often, the points spread over the log as dice fall.
async fn ask(remote: &Remote, written: &Written, reads: usize) -> Result<Value, Failed> {
    let mut dice = Dice(7);
    let (mut as_of, mut history, mut log, mut blame) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let program_id = || written.program.clone();
    for _ in 0..reads {
        let at = written.begun + dice.below(written.head - written.begun) + 1;
        let request = api::GetProgramRequest { program_id: program_id(), as_of: Some(position(at)) };
        as_of.push(timed(remote.programs().get_program(request)).await?);
        let request = api::ListHistoryRequest {
            program_id: program_id(),
            entity_id: written.activity.to_string(),
            ..api::ListHistoryRequest::default()
        };
        history.push(timed(remote.audit().list_history(request)).await?);
        log.push(log_page(remote, written).await?);
        let request = api::GetBlameRequest { program_id: program_id(), ..api::GetBlameRequest::default() };
        // A programme of thousands of activities has more lines than a message holds; then there is nothing to measure.
        match timed(remote.audit().get_blame(request)).await {
            Ok(time) => blame.push(time),
            Err(status) if status.code() == tonic::Code::OutOfRange => {}
            Err(status) => return Err(status.into()),
        }
    }
    let middle = written.head - (written.head - written.begun).min(MEETING * 2) / 2;
    let from = middle.saturating_sub(MEETING / 2).max(written.begun);
    let to = (from + MEETING).min(written.head);
    let request = api::GetDiffRequest {
        program_id: program_id(),
        from: Some(position(from)),
        to: Some(position(to)),
        ..api::GetDiffRequest::default()
    };
    let diff = timed(remote.audit().get_diff(request)).await?;
    let mut said = json!({ "diff_ms": millis(diff), "diff_records": to - from });
    let fields = said.as_object_mut().ok_or("a measurement is an object")?;
    for (name, mut times) in [("as_of", as_of), ("history", history), ("log", log), ("blame", blame)] {
        times.sort_unstable();
        for percent in [50, 99] {
            let rank = (times.len() * percent).div_ceil(100).max(1);
            fields.insert(format!("{name}_p{percent}_ms"), json!(times.get(rank - 1).copied().map(millis)));
        }
    }
    Ok(said)
}

/// The second page of the log: the first has nothing before it to skip.
async fn log_page(remote: &Remote, written: &Written) -> Result<Duration, Failed> {
    let mut request = api::ListLogRequest { program_id: written.program.clone(), ..Default::default() };
    request.page_token = remote.audit().list_log(request.clone()).await?.into_inner().next_page_token;
    Ok(timed(remote.audit().list_log(request)).await?)
}

async fn timed<T>(call: impl Future<Output = Result<T, tonic::Status>>) -> Result<Duration, tonic::Status> {
    let began = Instant::now();
    call.await?;
    Ok(began.elapsed())
}

fn position(at: u64) -> api::AsOf {
    api::AsOf { recorded: Some(Recorded::Position(at)), effective_on: String::new() }
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e5).round() / 100.0
}

/// Dice that fall the same way in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % count.max(1)
    }
}

//! The scenario: the history of one activity that was changed a thousand times, in a programme where others write too.

use std::time::Instant;

use clap::Args;
use radslag_client::remote::Remote;
use radslag_proto::api::v1 as api;
use serde_json::json;

use crate::goals::{Goal, Ratios};
use crate::host::{Host, Place};
use crate::measure::{Times, rounded};
use crate::writer::Writer;
use crate::{Failed, number};

/// How many changes one push holds, between which somebody else pushes as many.
const BATCH: usize = 50;
/// The largest page that there is.
const PAGE: u32 = 500;
/// How many activities the other edits in turn.
const OTHERS: usize = 100;

/// The history of one activity with a thousand changes
#[derive(Args, Clone, Debug)]
pub(crate) struct Asked {
    #[command(flatten)]
    place: Place,
    /// How many changes it has
    #[arg(long, default_value_t = 1_000, value_parser = number(1, 100_000))]
    changes: usize,
    /// How often it is read
    #[arg(long, default_value_t = 500, value_parser = number(1, 1_000_000))]
    reads: usize,
}

/// Measures it and prints a cell for the first page and one for all pages, then the ratios.
pub(crate) async fn run(asked: &Asked) -> Result<(), Failed> {
    let host = Host::open(&asked.place).await?;
    let remote = host.remote();
    let (mut first, subgoal) = Writer::begin(remote).await?;
    let mut other = first.join(remote, subgoal).await?;
    other.add(remote, subgoal, OTHERS).await?;
    let mut left = asked.changes;
    while left > 0 {
        let some = left.min(BATCH);
        let events = first.edit(some)?;
        first.push(remote, events).await?;
        let events = other.edit_next(some)?;
        other.push(remote, events).await?;
        left -= some;
    }
    let mut ratios = Ratios::default();
    for (name, page, whole) in [("history-first-page", 0, false), ("history-whole", PAGE, true)] {
        let meter = host.meter()?;
        let (mut calls, mut changes) = (Vec::with_capacity(asked.reads), 0);
        for _ in 0..asked.reads {
            let began = Instant::now();
            changes = read(remote, &first, page, whole).await?;
            calls.push(began.elapsed());
        }
        // Its being added is a change, too.
        if whole && changes < asked.changes {
            return Err(format!("the history has {changes} of {} changes", asked.changes).into());
        }
        let costs = host.costs(&meter)?;
        let (calls, server) = (Times::new(calls), costs.server);
        let server_ms = server.map(|server| server.cpu_s * 1_000.0 / asked.reads as f64);
        let said = json!({
            "scenario": name, "changes": changes, "reads": calls.len(),
            "p50_us": calls.percentile_us(50), "p99_us": calls.percentile_us(99),
            "server_cpu_ms_per_read": server_ms.map(|ms| rounded(ms, 3)),
            "load_cpu_s": rounded(costs.load_cpu_s, 2),
            "server_peak_rss_mib": server.map(|server| server.peak_kib >> 10),
        });
        println!("{said}");
        if whole {
            let p50 = calls.percentile_us(50) / 1_000.0;
            ratios.add(format!("history_{}_changes_p50_ms_at_the_client", asked.changes), p50, Goal::None);
            let name = format!("history_{}_changes_cpu_ms_at_the_server", asked.changes);
            ratios.add(name, server_ms.unwrap_or(f64::NAN), Goal::AtMost(1.0));
        }
    }
    println!("{}", ratios.to_json());
    Ok(())
}

/// Reads one page or all of them, and gives how many changes they have.
async fn read(remote: &Remote, writer: &Writer, page_size: u32, whole: bool) -> Result<usize, Failed> {
    let mut request = api::ListHistoryRequest {
        program_id: writer.program().to_string(),
        entity_id: writer.activity().to_string(),
        page_size,
        ..api::ListHistoryRequest::default()
    };
    let mut changes = 0;
    loop {
        let page = remote.audit().list_history(request.clone()).await?.into_inner();
        changes += page.changes.len();
        if !whole || page.next_page_token.is_empty() {
            return Ok(changes);
        }
        request.page_token = page.next_page_token;
    }
}

//! The scenario: a client reads a long log from its begin, computes the Merkle root on the way and holds it against the checkpoint.
//! Beside it the same messages, byte for byte, in a bare stream: once not looked at, and once read and checked just as well, which is
//! what a server would give that costs nothing. The passes alternate, and the middle one of each counts.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use prost::Message as _;
use radslag_core::id::ProgramId;
use radslag_proto::api::v1 as api;
use serde_json::json;
use tonic::Request;
use tonic::codegen::http::uri::PathAndQuery;

use crate::fill::{self, Fill};
use crate::goals::{Goal, Ratios};
use crate::host::{Costs, Host, Place};
use crate::measure::rounded;
use crate::whole::{self, Checker};
use crate::yardstick::stream::{Bare, Through};
use crate::yardstick::wire::{self, Raw};
use crate::{Failed, number};

/// Where the real server is asked for its stream.
const SUBSCRIBE: &str = "/radslag.api.v1.SyncService/Subscribe";

/// A client reads a long log and checks its root; beside it a bare stream of the same messages
#[derive(Args, Clone, Debug)]
pub(crate) struct Asked {
    #[command(flatten)]
    place: Place,
    /// How many events the log has, about
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
    events: u64,
    /// How many municipalities write it, with 250 activities each
    #[arg(long, default_value_t = 8, value_parser = number(1, 64))]
    writers: usize,
    /// How often it is read
    #[arg(long, default_value_t = 3, value_parser = number(1, 100))]
    reads: usize,
}

/// One pass over the log.
struct Pass {
    elapsed: Duration,
    costs: Costs,
}

/// Measures it and prints a cell for each pass, then the ratios.
pub(crate) async fn run(asked: &Asked) -> Result<(), Failed> {
    let host = Host::open(&asked.place).await?;
    let meter = host.meter()?;
    let fill = Fill { events: asked.events, writers: asked.writers, activities: 250 };
    let program = fill::write(host.remote(), &fill).await?;
    let folder = tempfile::tempdir_in(&asked.place.folder.dir)?;
    let messages = folder.path().join("messages");
    let kept = keep(&host, program, &messages).await?;
    let bare = Bare::start(&messages)?;
    let (mut records, mut passes, mut throughs, mut checked) = (0, Vec::new(), Vec::new(), Vec::new());
    for _ in 0..asked.reads {
        let meter = host.meter()?;
        let read = whole::read(host.remote(), program, |_| {}).await?;
        let pass = Pass { elapsed: read.elapsed, costs: host.costs(&meter)? };
        records = read.records;
        say("catchup", records, kept, pass.elapsed, Some(pass.costs));
        passes.push(pass.elapsed);
        let through = bare.read(|_| Ok(())).await?;
        if (through.messages, through.bytes) != (kept.messages, kept.bytes) {
            return Err("the bare stream is not the server's".into());
        }
        say("stream", records, kept, through.elapsed, None);
        throughs.push(through.elapsed);
        let mut checker = Checker::new(host.remote(), program, |_| {}).await?;
        let through = bare.read(|message| checker.take(api::SubscribeResponse::decode(message)?)).await?;
        checker.finish()?;
        say("stream-checked", records, kept, through.elapsed, None);
        checked.push(through.elapsed);
    }
    drop(bare);
    let costs = host.close(&meter)?;
    let rate = |times: &mut Vec<Duration>| records as f64 / middle(times).as_secs_f64();
    let (read, bare, checked) = (rate(&mut passes), rate(&mut throughs), rate(&mut checked));
    let mut ratios = Ratios::default();
    ratios.ratio("catchup_to_bare_stream", read, bare, Goal::AtLeast(0.7));
    ratios.ratio("catchup_to_bare_stream_that_is_checked", read, checked, Goal::None);
    ratios.ratio("bare_stream_that_is_checked_to_bare_stream", checked, bare, Goal::None);
    ratios.add("catchup_events_per_s", read, Goal::AtLeast(1_300_000.0));
    if let Some(server) = costs.server {
        ratios.add("server_peak_rss_mib", server.peak_kib as f64 / 1024.0, Goal::None);
        ratios.add("disk_bytes_per_event", server.grown as f64 / records as f64, Goal::None);
        // What travels is what was signed, with the record and its bundle around it.
        ratios.ratio("disk_bytes_to_bytes_on_the_wire", server.grown as f64, kept.bytes as f64, Goal::None);
    }
    println!("{}", ratios.to_json());
    Ok(())
}

/// The messages of the real stream, as they are, in a file.
async fn keep(host: &Host, program: ProgramId, file: &Path) -> Result<Through, Failed> {
    let mut file = BufWriter::new(File::create(file)?);
    let mut client = tonic::client::Grpc::new(wire::connect(host.remote().server()).await?);
    client.ready().await?;
    let request = Request::new(whole::request(program).encode_to_vec().into());
    let path = PathAndQuery::from_static(SUBSCRIBE);
    let mut stream = client.server_streaming(request, path, Raw).await?.into_inner();
    let mut kept = Through { messages: 0, bytes: 0, elapsed: Duration::ZERO };
    while let Some(message) = stream.message().await? {
        wire::append_message(&mut file, &message)?;
        kept.messages += 1;
        kept.bytes += message.len() as u64;
    }
    file.flush()?;
    Ok(kept)
}

fn say(scenario: &str, records: u64, kept: Through, elapsed: Duration, costs: Option<Costs>) {
    let seconds = elapsed.as_secs_f64();
    let server = costs.and_then(|costs| costs.server);
    let said = json!({
        "scenario": scenario, "events": records, "events_per_s": (records as f64 / seconds).round(),
        "seconds": rounded(seconds, 3), "messages": kept.messages, "bytes": kept.bytes,
        "mib_per_s": rounded(kept.bytes as f64 / seconds / 1_048_576.0, 1),
        "load_cpu_s": costs.map(|costs| rounded(costs.load_cpu_s, 2)),
        "server_cpu_s": server.map(|server| rounded(server.cpu_s, 2)),
        "server_peak_rss_mib": server.map(|server| server.peak_kib >> 10),
    });
    println!("{said}");
}

/// The one in the middle; of an even number the shorter of two.
fn middle(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

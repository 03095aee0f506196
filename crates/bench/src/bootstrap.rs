//! The scenario: a new replica of a long programme, once from a snapshot and once by fetching and verifying all of its history.
//!
//! "Usable" means that the programme can be shown: everything is stored, the head is the server's, and the view has been read.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use radslag_client::clock::{SystemClock, SystemIds};
use radslag_client::remote::Remote;
use radslag_client::replica::Replica;
use radslag_client::settings::Settings;
use radslag_core::id::ProgramId;
use radslag_core::view;
use radslag_engine::clock::IdSource as _;
use radslag_trust::keys::DeviceKey;
use serde_json::json;

use crate::Failed;
use crate::fill::{self, Fill};
use crate::host::{Host, Place};

/// How many municipalities write.
const WRITERS: usize = 8;
/// How many activities each of them has, and edits one after the other.
const ACTIVITIES: usize = 250;

/// A new replica of a programme of 2 000 activities, from a snapshot and by its whole history
#[derive(Args, Clone, Debug)]
pub(crate) struct Asked {
    #[command(flatten)]
    place: Place,
    /// How many events the programme has
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
    events: u64,
}

/// Measures it and prints one JSON object.
pub(crate) async fn run(asked: &Asked) -> Result<(), Failed> {
    let data = tempfile::tempdir_in(&asked.place.folder.dir)?;
    let host = Host::open(&asked.place).await?;
    println!("{}", measure(host.remote(), data.path(), asked.events).await?);
    Ok(())
}

async fn measure(remote: &Remote, dir: &Path, events: u64) -> Result<serde_json::Value, Failed> {
    let began = Instant::now();
    let program = fill::write(remote, &Fill { events, writers: WRITERS, activities: ACTIVITIES }).await?;
    let written_s = began.elapsed().as_secs_f64();
    let log_key: [u8; 32] =
        remote.hello("").await?.log_key.try_into().map_err(|_| "the server's key is not 32 bytes")?;

    // The first replica waits for the snapshot to be made, the second gets the same one.
    let first = from_snapshot(remote, program, &dir.join("first"), &log_key).await?;
    let mut second = from_snapshot(remote, program, &dir.join("second"), &log_key).await?;
    let mut whole = make(remote, program, &dir.join("whole"))?;
    let began = Instant::now();
    whole.pull(remote, |_, _| {}).await?;
    let activities = shown(&whole);
    let full_s = began.elapsed().as_secs_f64();

    let provisional = second.replica.provisional.as_ref().ok_or("it began without a snapshot")?;
    let bytes = provisional.snapshot.encode().len();
    let began = Instant::now();
    let history = second.replica.fetch_history(remote, None, |_, _| {}).await?;
    let history_s = began.elapsed().as_secs_f64();
    let same = second.replica.ledger.state.hash() == whole.ledger.state.hash();
    if !history.complete || !same || first.activities != activities {
        return Err("the replicas do not show the same programme".into());
    }
    let reopened = reopen(first.replica, &dir.join("first"))?;
    let position = whole.ledger.state.head().get();
    let reopened_whole = reopen(whole, &dir.join("whole"))?;
    Ok(json!({
        "scenario": "bootstrap", "events": position, "activities": activities,
        "written_s": seconds(written_s), "snapshot_bytes": bytes,
        "usable_s": seconds(first.usable_s), "usable_again_s": seconds(second.usable_s),
        "full_s": seconds(full_s), "fetch_history_s": seconds(history_s),
        "open_provisional_s": seconds(reopened), "open_whole_s": seconds(reopened_whole),
        "ratios": {
            "full_to_usable": ratio(full_s, first.usable_s),
            "full_to_usable_again": ratio(full_s, second.usable_s),
            "fetch_history_to_full": ratio(history_s, full_s),
        },
    }))
}

struct Begun {
    replica: Replica,
    usable_s: f64,
    activities: usize,
}

async fn from_snapshot(
    remote: &Remote,
    program: ProgramId,
    dir: &Path,
    log_key: &[u8; 32],
) -> Result<Begun, Failed> {
    let mut replica = make(remote, program, dir)?;
    let began = Instant::now();
    replica.begin_from_snapshot(remote, log_key, |_, _| {}).await?;
    replica.pull(remote, |_, _| {}).await?;
    let activities = shown(&replica);
    Ok(Begun { replica, usable_s: began.elapsed().as_secs_f64(), activities })
}

fn make(remote: &Remote, program: ProgramId, dir: &Path) -> Result<Replica, Failed> {
    let settings = Settings {
        server: remote.server().to_owned(),
        ca: None,
        program,
        org: "haninge".parse()?,
        member: radslag_core::id::MemberId::new(SystemIds.random_id()),
        name: "Anna Be".to_owned(),
        device: radslag_core::id::DeviceId::new(SystemIds.random_id()),
    };
    let key = DeviceKey::from_seed(SystemIds.random32());
    Ok(Replica::make(dir, &settings, &key, Arc::new(SystemClock), Arc::new(SystemIds))?)
}

fn shown(replica: &Replica) -> usize {
    let view = replica.view();
    view::program(&view.state, &view, view.day()).activities().count()
}

fn reopen(replica: Replica, dir: &Path) -> Result<f64, Failed> {
    replica.close()?;
    let began = Instant::now();
    let replica = Replica::open(dir, Arc::new(SystemClock), Arc::new(SystemIds))?;
    let opened = began.elapsed().as_secs_f64();
    replica.close()?;
    Ok(opened)
}

fn seconds(s: f64) -> f64 {
    (s * 1_000.0).round() / 1_000.0
}

fn ratio(one: f64, two: f64) -> f64 {
    (one / two * 10.0).round() / 10.0
}

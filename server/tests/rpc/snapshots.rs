//! Snapshots over the wire: what is sent holds, a cut download goes on, one that cannot go on begins again and says why.

use radslag_engine::ledger::{Batch, FramedRecord};
use radslag_engine::snapshot::{Snapshot, check};
use radslag_log::MemoryLog;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use radslag_proto::convert::value::decode_values;
use radslag_proto::status::Reason;
use tonic::Code;

use crate::harness::{Client, Town, accepted, in_memory, reason};

async fn ask(
    client: &mut Client,
    town: &Town,
    from_chunk: u32,
    snapshot_id: Vec<u8>,
) -> Vec<api::GetSnapshotResponse> {
    let request = api::GetSnapshotRequest { program_id: town.program.to_string(), from_chunk, snapshot_id };
    let mut stream = client.sync.get_snapshot(request).await.unwrap().into_inner();
    let mut frames = Vec::new();
    while let Some(frame) = stream.message().await.unwrap() {
        frames.push(frame);
    }
    frames
}

async fn checked(client: &mut Client, town: &Town, frames: &[api::GetSnapshotResponse]) -> Snapshot {
    let (last, chunks) = frames.split_last().unwrap();
    let chunks: Vec<Vec<u8>> = chunks.iter().map(|frame| frame.bytes.clone()).collect();
    let log_key = client.log_key().await;
    check(town.program, &log_key, &last.manifest, &last.signature, &chunks).unwrap()
}

#[tokio::test]
async fn a_snapshot_holds_and_takes_in_what_lands_after_it() {
    let (_running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    let frames = ask(&mut client, &town, 0, Vec::new()).await;
    let snapshot = checked(&mut client, &town, &frames).await;
    assert_eq!((snapshot.state.head().get(), frames[0].position, frames[0].chunks), (6, 6, 1));

    let edit = town.device.retitle(town.activity, "Nyckeltalsdagen 2020");
    let bundle = town.device.sign(&[edit]);
    assert!(accepted(&client.push(bundle).await.answers[0]).is_some());
    let after = Some(api::Cursor { epoch_id: snapshot.state.epoch().to_string(), position: 6 });
    let request = api::SubscribeRequest {
        program_id: town.program.to_string(),
        after,
        until_caught_up: true,
        filter: None,
    };
    let mut stream = client.sync.subscribe(request).await.unwrap().into_inner();
    let Some(Frame::Events(events)) = stream.message().await.unwrap().unwrap().frame else {
        panic!("the records after the snapshot come first")
    };
    let framed = |frame: api::RecordFrame| FramedRecord {
        values: decode_values(&frame.values).unwrap(),
        record: frame.record.unwrap(),
    };
    let batch = Batch { records: events.records.into_iter().map(framed).collect(), bundles: events.bundles };
    let mut ledger = snapshot.to_ledger();
    ledger.take_in(&MemoryLog::new(), batch).unwrap();
    assert_eq!(ledger.state.head().get(), 7);

    // The log has moved on by one record; the next replica gets what was made already.
    let again = ask(&mut client, &town, 0, Vec::new()).await;
    assert_eq!(again[0].snapshot_id, frames[0].snapshot_id);
}

#[tokio::test]
async fn a_cut_download_goes_on_and_another_one_begins_again_and_says_why() {
    let (_running, mut client) = in_memory().await;
    let town = Town::begin(&mut client).await;
    let whole = ask(&mut client, &town, 0, Vec::new()).await;
    let id = whole[0].snapshot_id.clone();
    let rest = ask(&mut client, &town, 1, id.clone()).await;
    assert_eq!(rest, whole[1..]);
    // Nothing is left but the manifest, however far the caller says it has come.
    assert_eq!(ask(&mut client, &town, 4_000_000_000, id).await, whole[1..]);

    let other = ask(&mut client, &town, 1, vec![7; 32]).await;
    assert_eq!((other[0].chunk, other[0].restarted.as_str()), (0, "SNAPSHOT_REPLACED"));
    assert!(other[1..].iter().all(|frame| frame.restarted.is_empty()));
    checked(&mut client, &town, &other).await;
}

#[tokio::test]
async fn a_request_for_a_snapshot_that_makes_no_sense_is_told_so() {
    let (_running, mut client) = in_memory().await;
    let town = Town::begin(&mut client).await;
    let request = api::GetSnapshotRequest {
        program_id: town.program.to_string(),
        from_chunk: 0,
        snapshot_id: vec![1; 31],
    };
    let status = client.sync.get_snapshot(request.clone()).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).reason), (Code::InvalidArgument, Reason::InvalidRequest));
    assert_eq!(reason(&status).violations[0].0, "snapshot_id");
    let stranger = api::GetSnapshotRequest {
        program_id: crate::harness::entity().to_string(),
        snapshot_id: Vec::new(),
        ..request
    };
    let status = client.sync.get_snapshot(stranger).await.unwrap_err();
    assert_eq!(reason(&status).reason, Reason::ProgramNotFound);
}

//! A snapshot on its way to a replica: the chunks from the one asked for, then the signed manifest.

use std::sync::Arc;

use radslag_core::digest::Digest;
use radslag_engine::snapshot::SignedSnapshot;
use radslag_proto::api::v1 as api;
use radslag_proto::status::Reason;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tracing::Instrument as _;

use crate::host::Stopping;

/// How many frames may wait for the reader.
const AHEAD: usize = 2;

/// The frames of a stream.
pub(super) type Frames = ReceiverStream<Result<api::GetSnapshotResponse, Status>>;

/// Sends a snapshot in a task that ends with its reader or with the server. A download of another snapshot begins at the first chunk,
/// and the first frame says why.
pub(super) fn send(
    snapshot: Arc<SignedSnapshot>,
    continued: Option<Digest>,
    from_chunk: u32,
    mut stopping: Stopping,
) -> Frames {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let goes_on = continued == Some(snapshot.id);
    let from = if goes_on { usize::try_from(from_chunk).unwrap_or(usize::MAX) } else { 0 };
    let restarted = continued.is_some() && !goes_on;
    let task = async move {
        tokio::select! {
            () = feed(&snapshot, from, restarted, &sender) => {}
            () = stopping.wait() => tracing::debug!("the server stops in the middle of a snapshot"),
        }
    };
    tokio::spawn(task.instrument(tracing::Span::current()));
    ReceiverStream::new(receiver)
}

async fn feed(
    snapshot: &SignedSnapshot,
    from: usize,
    restarted: bool,
    sender: &mpsc::Sender<Result<api::GetSnapshotResponse, Status>>,
) {
    let count = number(snapshot.chunks.len());
    let mut reason = if restarted { Reason::SnapshotReplaced.name() } else { "" };
    let frame = |chunk: u32| api::GetSnapshotResponse {
        chunk,
        snapshot_id: snapshot.id.bytes().to_vec(),
        chunks: count,
        position: snapshot.position.get(),
        ..api::GetSnapshotResponse::default()
    };
    for (index, bytes) in snapshot.chunks.iter().enumerate().skip(from) {
        let chunk = api::GetSnapshotResponse {
            bytes: bytes.clone(),
            digest: Digest::of(bytes).bytes().to_vec(),
            restarted: std::mem::take(&mut reason).to_owned(),
            ..frame(number(index))
        };
        if sender.send(Ok(chunk)).await.is_err() {
            return;
        }
    }
    let last = api::GetSnapshotResponse {
        manifest: snapshot.manifest.clone(),
        signature: snapshot.signature.bytes().to_vec(),
        ..frame(count)
    };
    if sender.send(Ok(last)).await.is_err() {
        tracing::debug!("the reader has gone before the manifest");
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a snapshot has at most some hundred chunks")
}

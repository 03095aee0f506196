//! A snapshot on its way to a replica: the chunks from the one asked for, then the signed manifest.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use radslag_core::digest::Digest;
use radslag_engine::snapshot::SignedSnapshot;
use radslag_proto::api::v1 as api;
use radslag_proto::status::{ApiError, Reason};
use tokio_stream::Stream;
use tonic::Status;

use crate::host::Stopping;

/// The frames of a stream, each made when the connection has room for it: a reader who stops holds one.
pub(super) struct Frames {
    snapshot: Arc<SignedSnapshot>,
    /// The next chunk; after the last comes the manifest.
    next: usize,
    /// Whether the reader has chunks of another snapshot and is to be told so.
    restarted: bool,
    ended: bool,
    stopping: Stopping,
}

/// Sends a snapshot. A download of another snapshot begins at the first chunk, and the first frame says why.
pub(super) fn send(
    snapshot: Arc<SignedSnapshot>,
    continued: Option<Digest>,
    from_chunk: u32,
    stopping: Stopping,
) -> Frames {
    let goes_on = continued == Some(snapshot.id);
    let from = if goes_on { usize::try_from(from_chunk).unwrap_or(usize::MAX) } else { 0 };
    let next = from.min(snapshot.chunks.len());
    Frames { restarted: continued.is_some() && !goes_on, snapshot, next, ended: false, stopping }
}

impl Frames {
    fn frame(&mut self) -> api::GetSnapshotResponse {
        let snapshot = &self.snapshot;
        let frame = api::GetSnapshotResponse {
            chunk: number(self.next),
            snapshot_id: snapshot.id.bytes().to_vec(),
            chunks: number(snapshot.chunks.len()),
            position: snapshot.position.get(),
            ..api::GetSnapshotResponse::default()
        };
        let Some(bytes) = snapshot.chunks.get(self.next) else {
            self.ended = true;
            return api::GetSnapshotResponse {
                manifest: snapshot.manifest.clone(),
                signature: snapshot.signature.bytes().to_vec(),
                ..frame
            };
        };
        self.next += 1;
        let reason = if std::mem::take(&mut self.restarted) { Reason::SnapshotReplaced.name() } else { "" };
        api::GetSnapshotResponse {
            bytes: bytes.clone(),
            digest: Digest::of(bytes).bytes().to_vec(),
            restarted: reason.to_owned(),
            ..frame
        }
    }
}

impl Stream for Frames {
    type Item = Result<api::GetSnapshotResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.stopping.is_so() {
            self.ended = true;
            let down = ApiError::new(Reason::ShuttingDown, "the server is shutting down");
            return Poll::Ready(Some(Err(down.into())));
        }
        Poll::Ready(Some(Ok(self.frame())))
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a snapshot has at most some hundred chunks")
}

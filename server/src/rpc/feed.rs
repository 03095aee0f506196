//! One subscriber: a cursor that goes along the log at its reader's own pace.
//!
//! Only the head's number wakes it. It reads the log and waits until its reader has taken what was read, so that a reader who stops
//! costs one cursor and at most [`AHEAD`] frames.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use radslag_core::id::{EpochId, Position};
use radslag_engine::engine::{EngineError, Programme};
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use radslag_proto::convert::bundle::{LogCursor, encode_cursor};
use radslag_proto::status::Reason;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_stream::Stream;
use tonic::Status;
use tracing::Instrument as _;

use super::failure::{Answer, Failure};
use super::frame;
use super::sync::Standing;
use crate::host::{Lease, Stopping};

/// How many frames may wait for the reader.
const AHEAD: usize = 1;
/// How many readers' frames are read from the log at once; every one of them is a megabyte for a moment.
static READING: Semaphore = Semaphore::const_new(4);
/// How long a stream stays silent when there is nothing new.
const HEARTBEAT: Duration = Duration::from_secs(25);

type Sent = Result<api::SubscribeResponse, Status>;

/// The frames of a stream. Records are read when the connection asks for more, not before: for a reader who stops, nothing waits here.
pub(super) struct Frames {
    receiver: mpsc::Receiver<Sent>,
    asked: Arc<Notify>,
}

impl Stream for Frames {
    type Item = Sent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Sent>> {
        let polled = self.receiver.poll_recv(context);
        if polled.is_pending() {
            self.asked.notify_one();
        }
        polled
    }
}

/// The other end of [`Frames`].
struct Sender {
    frames: mpsc::Sender<Sent>,
    asked: Arc<Notify>,
}

impl Sender {
    /// Waits until the connection asks for more.
    async fn asked(&self) -> Result<(), End> {
        tokio::select! {
            () = self.asked.notified() => Ok(()),
            () = self.frames.closed() => Err(End::Done),
        }
    }
}

fn channel() -> (Sender, Frames) {
    let (frames, receiver) = mpsc::channel(AHEAD);
    let asked = Arc::new(Notify::new());
    (Sender { frames, asked: Arc::clone(&asked) }, Frames { receiver, asked })
}

/// A stream that only says that the caller must start again.
pub(super) fn must_refetch(reason: Reason) -> Frames {
    let (sender, frames) = channel();
    let frame = Frame::MustRefetch(api::MustRefetch { reason: reason.name().to_owned(), backoff_ms: 0 });
    sender.frames.try_send(Ok(message(frame))).expect("a fresh channel has room for one frame");
    frames
}

fn message(frame: Frame) -> api::SubscribeResponse {
    api::SubscribeResponse { frame: Some(frame), covered_to: None }
}

/// What a subscriber asked for.
pub(super) struct Follow {
    pub(super) engine: Lease,
    pub(super) programme: Arc<Programme>,
    /// The last record that the reader holds.
    pub(super) start: Position,
    pub(super) until_caught_up: bool,
}

/// Why a stream ends before its reader has gone.
enum End {
    /// All that was asked for was sent, or nobody takes it any more.
    Done,
    /// The reader is told why.
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Follow {
    /// Begins to follow, in a task that ends with its reader or with the server.
    pub(super) fn begin(self, mut stopping: Stopping) -> Frames {
        let (sender, frames) = channel();
        let task = async move {
            let ended = tokio::select! {
                ended = self.run(&sender) => ended,
                () = stopping.wait() => End::Failed(EngineError::ShuttingDown.into()),
            };
            if let End::Failed(failure) = ended
                && sender.frames.try_send(Err(failure.into())).is_err()
            {
                tracing::debug!("the reader is not there to hear why its stream ends");
            }
        };
        tokio::spawn(task.instrument(tracing::Span::current()));
        frames
    }

    async fn run(&self, sender: &Sender) -> End {
        match self.follow(sender).await {
            Ok(()) => End::Done,
            Err(end) => end,
        }
    }

    async fn follow(&self, sender: &Sender) -> Result<(), End> {
        // Watched before the first read, so that no head can slip by between reading and waiting.
        let mut heads = self.programme.watch();
        let mut cursor = self.start;
        let caught_up = loop {
            cursor = self.send_up_to(cursor, self.programme.head(), frame::CATCH_UP, sender).await?;
            let standing = Standing::of(&self.engine, &self.programme);
            if standing.head.position == cursor {
                break standing;
            }
        };
        let frame =
            api::CaughtUp { head: Some(encode_cursor(&caught_up.head)), checkpoint: caught_up.checkpoint };
        send(sender, Frame::CaughtUp(frame)).await?;
        if self.until_caught_up {
            return Ok(());
        }
        loop {
            let news = tokio::select! {
                news = tokio::time::timeout(HEARTBEAT, heads.changed()) => news,
                () = sender.frames.closed() => return Err(End::Done),
            };
            match news {
                Ok(Ok(())) => {
                    let head = *heads.borrow_and_update();
                    cursor = self.send_up_to(cursor, head, frame::LIVE, sender).await?;
                }
                // Only a server that is going down lets go of a programme.
                Ok(Err(_)) => return Err(End::Failed(EngineError::ShuttingDown.into())),
                Err(_) => send(sender, Frame::Heartbeat(self.heartbeat(cursor))).await?,
            }
        }
    }

    fn heartbeat(&self, at: Position) -> api::Heartbeat {
        let epoch: EpochId = self.programme.published().state.epoch();
        api::Heartbeat { head: Some(encode_cursor(&LogCursor { epoch, position: at })) }
    }

    /// Sends the records after `cursor` up to `head`; gives the last one sent.
    async fn send_up_to(
        &self,
        mut cursor: Position,
        head: Position,
        most: usize,
        sender: &Sender,
    ) -> Result<Position, End> {
        while cursor < head {
            sender.asked().await?;
            let frame = self.read(cursor, head, most).await?;
            let last = frame.records.last().and_then(|frame| frame.record.as_ref());
            let Some(last) = last else {
                let missing = EngineError::Damaged(format!("the record after position {cursor} is missing"));
                return Err(End::Failed(missing.into()));
            };
            cursor = Position::new(last.position);
            send(sender, Frame::Events(frame)).await?;
        }
        Ok(cursor)
    }

    async fn read(&self, after: Position, head: Position, most: usize) -> Answer<api::Events> {
        let _turn = READING.acquire().await.map_err(|_| EngineError::ShuttingDown)?;
        let engine = self.engine.clone();
        let program = self.programme.id();
        let read = tokio::task::spawn_blocking(move || {
            frame::read(engine.log().as_ref(), program, after, head, most)
        });
        Ok(read.await.map_err(|_| EngineError::ShuttingDown)??)
    }
}

async fn send(sender: &Sender, frame: Frame) -> Result<(), End> {
    // Nobody takes frames any more: the reader has gone.
    sender.frames.send(Ok(message(frame))).await.map_err(|_| End::Done)
}

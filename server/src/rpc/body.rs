//! The body of a stream's answer: blocks of frames that are only lent to it.
//!
//! tonic would encode every frame anew for every reader, and a connection that is full would keep what was encoded. Here a frame is made
//! once (`encoded`), its readers are lent it, and whoever does not take it in time gives it back (`feed`). What stays with a reader who
//! stops is a place in the log and two blocks.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::Frame as Part;
use tokio::sync::{Notify, mpsc};
use tonic::Status;
use tonic::codegen::{Body, Bytes, http};

use super::encoded::Encoded;

/// What the connection is given next.
enum Piece {
    /// A frame, for as long as somebody else keeps it.
    Lent(Weak<Encoded>),
    /// A message that is small and this reader's own.
    Own(Arc<Encoded>),
    /// The end, with its reason.
    End(Status),
}

/// What both ends know.
#[derive(Default)]
struct Shared {
    /// Tells that one of the others has changed.
    changed: Notify,
    /// The connection has room and there is nothing for it.
    asking: AtomicBool,
    /// Every block of the frame that was lent last has been taken.
    taken: AtomicBool,
}

/// The end that fills a body.
pub(super) struct Sender {
    pieces: mpsc::Sender<Piece>,
    shared: Arc<Shared>,
}

/// Nobody takes anything any more.
#[derive(Debug)]
pub(super) struct Gone;

impl Sender {
    /// Waits until the connection asks for more.
    pub(super) async fn asked(&self) -> Result<(), Gone> {
        self.until(|shared| shared.asking.load(Ordering::Acquire)).await
    }

    /// Waits until the connection asks for more, or has all of the frame that was lent last.
    pub(super) async fn asked_or_taken(&self) -> Result<(), Gone> {
        let either =
            |shared: &Shared| shared.asking.load(Ordering::Acquire) || shared.taken.load(Ordering::Acquire);
        self.until(either).await
    }

    /// Whether the frame that was lent last is on its way, all of it.
    pub(super) fn is_taken(&self) -> bool {
        self.shared.taken.load(Ordering::Acquire)
    }

    /// Waits until nobody takes anything any more.
    pub(super) async fn closed(&self) {
        self.pieces.closed().await;
    }

    async fn until(&self, is_so: impl Fn(&Shared) -> bool) -> Result<(), Gone> {
        loop {
            // What changes before it is waited for is not missed: the notice is kept.
            if is_so(&self.shared) {
                return Ok(());
            }
            tokio::select! {
                () = self.shared.changed.notified() => {}
                () = self.pieces.closed() => return Err(Gone),
            }
        }
    }

    /// Lends a frame to a connection that asks, for at most `hold` from when it takes the first block. Whether all of it is on its way
    /// then. When a frame with the same bytes was lent before and taken back, the connection goes on in the middle of it.
    pub(super) async fn lend(&self, frame: &Arc<Encoded>, hold: Duration) -> Result<bool, Gone> {
        self.shared.taken.store(false, Ordering::Release);
        self.pieces.send(Piece::Lent(Arc::downgrade(frame))).await.map_err(|_| Gone)?;
        let is_taken = |shared: &Shared| shared.taken.load(Ordering::Acquire);
        // Who asks has room for a block, so that however short the time is, something of the frame gets through. Who took all of it
        // may be asking again by now.
        self.until(|shared| is_taken(shared) || !shared.asking.load(Ordering::Acquire)).await?;
        match tokio::time::timeout(hold, self.until(is_taken)).await {
            Ok(taken) => taken.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// Gives a message away; waits until the one before it was taken.
    pub(super) async fn give(&self, message: Encoded) -> Result<(), Gone> {
        self.pieces.send(Piece::Own(Arc::new(message))).await.map_err(|_| Gone)
    }

    /// Ends the stream well: everything was sent. Waits until it was taken.
    pub(super) async fn done(&self) -> Result<(), Gone> {
        self.pieces.send(Piece::End(Status::ok(""))).await.map_err(|_| Gone)
    }

    /// Ends the stream, and says why where that can be said now. A reader who is not told hears that it was cut short.
    pub(super) fn fail(&self, status: Status) -> Result<(), Gone> {
        self.pieces.try_send(Piece::End(status)).map_err(|_| Gone)
    }
}

/// What is under way of a frame.
enum Open {
    Lent(Weak<Encoded>),
    Own(Arc<Encoded>),
}

impl Open {
    fn frame(&self) -> Option<Arc<Encoded>> {
        match self {
            Self::Lent(frame) => frame.upgrade(),
            Self::Own(frame) => Some(Arc::clone(frame)),
        }
    }
}

/// The end that the connection takes from.
pub(super) struct Blocks {
    pieces: mpsc::Receiver<Piece>,
    shared: Arc<Shared>,
    open: Option<Open>,
    /// The next block of the frame that is open, or of the one that was taken back.
    next: usize,
    ended: bool,
}

/// A body and the end that fills it.
pub(super) fn body() -> (Sender, Blocks) {
    let (sender, receiver) = mpsc::channel(1);
    let shared = Arc::new(Shared::default());
    let blocks = Blocks { pieces: receiver, shared: Arc::clone(&shared), open: None, next: 0, ended: false };
    (Sender { pieces: sender, shared }, blocks)
}

/// A body of one message, which nobody has to fill.
pub(super) fn only(message: Encoded) -> Blocks {
    let (sender, receiver) = mpsc::channel(2);
    for piece in [Piece::Own(Arc::new(message)), Piece::End(Status::ok(""))] {
        sender.try_send(piece).map_err(|_| Gone).expect("a fresh channel has room for two pieces");
    }
    Blocks { pieces: receiver, shared: Arc::default(), open: None, next: 0, ended: false }
}

impl Blocks {
    /// The next block of what is open; none when that is done or was taken back.
    fn next_block(&mut self) -> Option<Bytes> {
        let open = self.open.as_ref()?;
        let Some(frame) = open.frame() else {
            self.open = None;
            return None;
        };
        let block = frame.block(self.next);
        self.next += 1;
        if self.next >= frame.len() {
            self.next = 0;
            if matches!(open, Open::Lent(_)) {
                self.shared.taken.store(true, Ordering::Release);
                self.shared.changed.notify_one();
            }
            self.open = None;
        }
        block
    }

    fn trailers(&mut self, status: &Status) -> Option<Result<Part<Bytes>, Status>> {
        self.ended = true;
        let mut trailers = http::HeaderMap::new();
        Some(status.add_header(&mut trailers).map(|()| Part::trailers(trailers)))
    }
}

impl Body for Blocks {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Part<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            if let Some(block) = self.next_block() {
                return Poll::Ready(Some(Ok(Part::data(block))));
            }
            match self.pieces.poll_recv(context) {
                Poll::Pending => {
                    self.shared.asking.store(true, Ordering::Release);
                    self.shared.changed.notify_one();
                    return Poll::Pending;
                }
                Poll::Ready(Some(Piece::Lent(frame))) => self.open = Some(Open::Lent(frame)),
                Poll::Ready(Some(Piece::Own(frame))) => self.open = Some(Open::Own(frame)),
                Poll::Ready(Some(Piece::End(status))) => return Poll::Ready(self.trailers(&status)),
                // Whoever filled it has gone without a word, as when the server stops.
                Poll::Ready(None) => {
                    return Poll::Ready(self.trailers(&Status::unavailable("the stream was cut short")));
                }
            }
            self.shared.asking.store(false, Ordering::Release);
            self.shared.changed.notify_one();
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

/// Carries a body past tonic's own encoding: in the extensions of an answer, until `door` puts it in its place.
// A lock, because extensions are shared and a body is taken out once.
#[derive(Clone)]
pub(super) struct Instead(Arc<Mutex<Option<Blocks>>>);

impl Instead {
    pub(super) fn new(body: Blocks) -> Self {
        Self(Arc::new(Mutex::new(Some(body))))
    }

    pub(super) fn take(&self) -> Option<Blocks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use radslag_core::id::Position;
    use radslag_proto::api::v1 as api;
    use radslag_proto::api::v1::subscribe_response::Frame;

    use super::*;

    fn frame(text: &str) -> Encoded {
        let frame = Frame::CaughtUp(api::CaughtUp { head: None, checkpoint: text.to_owned() });
        Encoded::new(frame, None, Position::ZERO)
    }

    async fn next(blocks: &mut Blocks) -> Option<Part<Bytes>> {
        std::future::poll_fn(|context| Pin::new(&mut *blocks).poll_frame(context)).await.transpose().unwrap()
    }

    fn text(bytes: &[u8]) -> String {
        let message = api::SubscribeResponse::decode(&bytes[5..]).unwrap();
        let Some(Frame::CaughtUp(frame)) = message.frame else { panic!("{message:?}") };
        frame.checkpoint
    }

    #[tokio::test]
    async fn a_frame_that_was_given_back_is_gone_and_its_reader_goes_on_in_the_middle_of_it() {
        let (sender, mut blocks) = body();
        let (given_back, mut gone) = mpsc::channel(1);
        let long = "å".repeat(20_000);
        let count = frame(&long).len();
        let expected = long.clone();
        let filling = tokio::spawn(async move {
            let mut readings = 0;
            loop {
                sender.asked_or_taken().await.unwrap();
                if sender.is_taken() {
                    sender.done().await.unwrap();
                    return readings;
                }
                let read = Arc::new(frame(&long));
                readings += 1;
                // No time at all: it is taken back when one block is gone.
                sender.lend(&read, Duration::ZERO).await.unwrap();
                assert_eq!(Arc::strong_count(&read), 1, "nothing but this holds on to it");
                drop(read);
                given_back.send(()).await.unwrap();
            }
        });
        let mut bytes = Vec::new();
        for _ in 0..count {
            bytes.extend(next(&mut blocks).await.unwrap().into_data().unwrap());
            gone.recv().await.unwrap();
        }
        assert_eq!(text(&bytes), expected);
        let end = next(&mut blocks).await.unwrap().into_trailers().unwrap();
        assert_eq!(end["grpc-status"], "0");
        assert!(next(&mut blocks).await.is_none() && blocks.is_end_stream());
        assert_eq!((filling.await.unwrap(), count), (5, 5));
    }

    #[tokio::test]
    async fn a_stream_that_nobody_fills_any_more_does_not_end_well() {
        let (sender, mut blocks) = body();
        sender.give(frame("x")).await.unwrap();
        // Nothing is waited for: the connection takes nothing.
        assert!(sender.fail(Status::unavailable("shutting down")).is_err());
        drop(sender);
        assert!(next(&mut blocks).await.unwrap().is_data());
        let end = next(&mut blocks).await.unwrap().into_trailers().unwrap();
        assert_eq!(end["grpc-status"], "14");

        let mut whole = only(frame("x"));
        assert!(next(&mut whole).await.unwrap().is_data());
        let end = next(&mut whole).await.unwrap().into_trailers().unwrap();
        assert_eq!(end["grpc-status"], "0");
    }

    #[tokio::test]
    async fn a_stream_that_ends_in_the_middle_of_a_frame_does_not_end_well() {
        let (sender, mut blocks) = body();
        let long = frame(&"x".repeat(50_000));
        let filling = tokio::spawn(async move { sender.lend(&Arc::new(long), Duration::ZERO).await });
        assert!(next(&mut blocks).await.unwrap().is_data());
        assert!(!filling.await.unwrap().unwrap());
        let end = next(&mut blocks).await.unwrap().into_trailers().unwrap();
        assert_eq!(end["grpc-status"], "14");
    }

    #[tokio::test]
    async fn a_connection_that_takes_nothing_is_lent_nothing() {
        let (sender, mut blocks) = body();
        let mut asked = std::pin::pin!(sender.asked());
        assert!(std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await.is_pending());
        let waits =
            std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut blocks).poll_frame(context))).await;
        assert!(waits.is_pending());
        asked.await.unwrap();
        drop(blocks);
        assert!(sender.give(frame("x")).await.is_err(), "nobody is there any more");
    }
}

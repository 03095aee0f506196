//! One subscriber: a cursor that goes along the log at its reader's own pace.
//!
//! Only the head's number wakes it. It reads the log when its reader asks for more, and what was read is lent: a reader who stops costs
//! one cursor and two blocks, whatever they stopped in.

use std::sync::Arc;
use std::time::Duration;

use radslag_core::filter::Filter;
use radslag_core::id::{EpochId, Position};
use radslag_engine::engine::{EngineError, Feed, Programme, Step};
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use radslag_proto::convert::bundle::{LogCursor, encode_cursor};
use radslag_proto::status::Reason;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::body::{self, Blocks, Gone, Sender};
use super::encoded::Encoded;
use super::failure::{Answer, Failure};
use super::shelf::Key;
use super::sync::Standing;
use super::{blocking, filtered, frame};
use crate::host::{Host, Lease, Stopping};

/// How long a reader is asked to wait before they come back, at least; they add to it at random.
const BACKOFF: Duration = Duration::from_millis(500);

/// A stream that only says that the caller must start again.
pub(super) fn must_refetch(reason: Reason, common: Option<LogCursor>) -> Blocks {
    let backoff_ms = u32::try_from(BACKOFF.as_millis()).unwrap_or(u32::MAX);
    let common = common.as_ref().map(encode_cursor);
    let reason = reason.name().to_owned();
    let frame = Frame::MustRefetch(api::MustRefetch { reason, common, backoff_ms });
    body::only(Encoded::new(frame, None, Position::ZERO))
}

/// So many records behind the head, a reader stands where others stand, too: all of them wake when it moves.
const LEVEL: u64 = 2_000;

/// What a subscriber asked for.
pub(super) struct Follow {
    pub(super) host: Arc<Host>,
    pub(super) engine: Lease,
    pub(super) programme: Arc<Programme>,
    pub(super) feed: Feed,
    pub(super) filter: Filter,
}

/// Why a stream ends early.
enum End {
    /// Nobody takes it any more.
    Gone,
    /// The reader is told why.
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<EngineError> for End {
    fn from(error: EngineError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

/// How far a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// Behind: large frames that are theirs alone.
    CatchUp,
    /// About level: small frames that others want too.
    Live,
}

impl Pace {
    /// When a frame of the log is full.
    const fn most(self) -> usize {
        match self {
            Self::CatchUp => frame::CATCH_UP,
            Self::Live => frame::LIVE,
        }
    }

    /// How long a reader may keep a frame before it is read anew for them. Others wait for their turn to have a large one.
    const fn hold(self) -> Duration {
        match self {
            Self::CatchUp => Duration::from_millis(250),
            Self::Live => Duration::from_secs(2),
        }
    }
}

impl Follow {
    /// Begins to follow, in a task that ends with its reader or with the server.
    pub(super) fn begin(self, mut stopping: Stopping) -> Blocks {
        let (sender, blocks) = body::body();
        let following = self.host.tally().follows();
        let task = async move {
            let _following = following;
            let mut stream = Stream { said: Instant::now(), follow: self, sender };
            let ended = tokio::select! {
                ended = stream.follow() => ended,
                () = stopping.wait() => Err(EngineError::ShuttingDown.into()),
            };
            if let Err(End::Failed(failure)) = ended
                && stream.sender.fail(failure.into()).is_err()
            {
                tracing::debug!("the reader is not there to hear why its stream ends");
            }
        };
        tokio::spawn(task.instrument(tracing::Span::current()));
        blocks
    }
}

/// A subscriber under way.
struct Stream {
    follow: Follow,
    sender: Sender,
    /// When something was said last.
    said: Instant,
}

impl Stream {
    async fn follow(&mut self) -> Result<(), End> {
        // Watched before the first read, so that no head can slip by between reading and waiting.
        let mut heads = self.follow.programme.watch();
        loop {
            let head = *heads.borrow_and_update();
            match self.follow.feed.step(head) {
                Step::Send { up_to, .. } => self.go_to(up_to).await?,
                Step::CaughtUp => self.say_caught_up().await?,
                Step::Wait => self.wait(&mut heads).await?,
                Step::End => return Ok(self.sender.done().await?),
            }
        }
    }

    /// Says that there is no more, unless there is by now.
    async fn say_caught_up(&mut self) -> Result<(), End> {
        let standing = Standing::of(&self.follow.engine, &self.follow.programme);
        if standing.head.position > self.cursor() {
            return self.go_to(standing.head.position).await;
        }
        let frame =
            api::CaughtUp { head: Some(encode_cursor(&standing.head)), checkpoint: standing.checkpoint };
        self.say(Frame::CaughtUp(frame)).await?;
        self.follow.feed.told();
        Ok(())
    }

    /// Until there is a new head, or it was silent for so long that the reader is told where the log ends.
    async fn wait(&mut self, heads: &mut watch::Receiver<Position>) -> Result<(), End> {
        let silence = tokio::time::sleep_until(self.said + self.follow.host.heartbeat());
        tokio::select! {
            // Only a server that is going down lets go of a programme.
            news = heads.changed() => news.map_err(|_| EngineError::ShuttingDown.into()),
            () = silence => self.beat().await,
            () = self.sender.closed() => Err(End::Gone),
        }
    }

    /// Sends what the filter lets through of the records up to `head`.
    async fn go_to(&mut self, head: Position) -> Result<(), End> {
        let behind = head.get().saturating_sub(self.cursor().get());
        let pace = if self.follow.feed.is_live() && behind <= LEVEL { Pace::Live } else { Pace::CatchUp };
        while self.cursor() < head {
            self.sender.asked().await?;
            let held = self.frame(head, pace).await?;
            let covered = held.frame.covered;
            if covered <= self.cursor() {
                let what = format!("the record after position {} is missing", self.cursor());
                return Err(EngineError::Damaged(what).into());
            }
            if held.frame.has_records {
                self.lend(held, pace).await?;
                self.said = Instant::now();
            }
            self.follow.feed.sent(covered);
            // A long way without anything that passes is told of, too.
            if self.said.elapsed() >= self.follow.host.heartbeat() {
                self.beat().await?;
            }
        }
        Ok(())
    }

    /// Lends a frame until all of it is on its way. Whoever does not take it in time gives it back, and goes on in the middle of it
    /// when they ask again.
    async fn lend(&self, mut held: Held, pace: Pace) -> Result<(), End> {
        let (covered, print) = (held.frame.covered, held.frame.print());
        while !self.sender.lend(&held.frame, pace.hold()).await? {
            drop(held);
            self.sender.asked_or_taken().await?;
            if self.sender.is_taken() {
                break;
            }
            held = self.own(covered, usize::MAX).await?;
            if held.frame.print() != print {
                let what = format!("the records after {} are not what they were a moment ago", self.cursor());
                return Err(EngineError::Damaged(what).into());
            }
        }
        Ok(())
    }

    async fn frame(&self, head: Position, pace: Pace) -> Answer<Held> {
        if pace == Pace::CatchUp {
            return self.own(head, pace.most()).await;
        }
        let (program, filter) = (self.follow.programme.id(), self.follow.filter.clone());
        let key = Key { program, after: self.cursor(), filter };
        let frame = self.follow.host.shelf().shared(key, self.read(head, pace.most())).await?;
        Ok(Held { frame, _hand: None })
    }

    /// A frame that nobody else wants.
    async fn own(&self, head: Position, most: usize) -> Answer<Held> {
        let hand = self.follow.host.shelf().hand(&self.follow.filter).await;
        Ok(Held { frame: Arc::new(self.read(head, most).await?), _hand: Some(hand) })
    }

    /// Reads the records after the cursor off the async threads: whole bundles up to `head`, and not many more bytes than `most`.
    async fn read(&self, head: Position, most: usize) -> Answer<Encoded> {
        let Follow { host, engine, programme, filter, .. } = &self.follow;
        let (host, engine, programme, filter) =
            (Arc::clone(host), engine.clone(), Arc::clone(programme), filter.clone());
        let (after, epoch) = (self.cursor(), self.epoch());
        let read = move || -> Answer<Encoded> {
            let log = engine.log().as_ref();
            let events = frame::read(log, programme.id(), after, head, most)?;
            let covered = events.last.unwrap_or(after);
            if filter.is_empty() {
                return Ok(Encoded::events(&events, covered));
            }
            let events = events.decode(programme.id())?;
            let events = filtered::sift(events, &filter, log, &programme, host.places())?;
            let covered_to = encode_cursor(&LogCursor { epoch, position: covered });
            Ok(Encoded::new(Frame::Events(events), Some(covered_to), covered))
        };
        blocking(&self.follow.host, read).await
    }

    async fn beat(&mut self) -> Result<(), End> {
        let head = LogCursor { epoch: self.epoch(), position: self.follow.programme.head() };
        self.say(Frame::Heartbeat(api::Heartbeat { head: Some(encode_cursor(&head)) })).await
    }

    async fn say(&mut self, frame: Frame) -> Result<(), End> {
        let covered_to = (!self.follow.filter.is_empty())
            .then(|| encode_cursor(&LogCursor { epoch: self.epoch(), position: self.cursor() }));
        self.sender.give(Encoded::new(frame, covered_to, self.cursor())).await?;
        self.said = Instant::now();
        Ok(())
    }

    /// The last record that was looked at.
    const fn cursor(&self) -> Position {
        self.follow.feed.cursor()
    }

    fn epoch(&self) -> EpochId {
        self.follow.programme.published().state.epoch()
    }
}

/// A frame, and the turn to have it, which is given back with it.
struct Held {
    frame: Arc<Encoded>,
    _hand: Option<OwnedSemaphorePermit>,
}

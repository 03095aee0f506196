//! Frames that several readers want: read and encoded once, kept for a while, and never many at a time.
//!
//! Whoever follows a log live stands where everybody else stands, so the frames that were made last serve almost all of them. A
//! reader who is behind has frames of its own; how many of those there are at once is bounded, however many readers there are.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use radslag_core::filter::Filter;
use radslag_core::id::{Position, ProgramId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::encoded::Encoded;
use super::failure::Answer;

/// How many bytes of frames are kept for those who come next.
const KEPT: usize = 512 << 10;
/// How many readers who are behind have a frame at once; every one of them takes some megabytes for a moment.
const HANDS: usize = 16;
/// The same for those who follow an area. What it is made of may have to be read from the first record on, and all of them wait for that;
/// nobody else does.
const AREA_HANDS: usize = 4;

/// Which frame: what a filter lets through of the records of a programme after a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) program: ProgramId,
    pub(super) after: Position,
    pub(super) filter: Filter,
}

#[derive(Default)]
struct Kept {
    frames: VecDeque<(Key, Arc<Encoded>)>,
    bytes: usize,
}

/// The frames of all programmes.
pub(crate) struct Shelf {
    // Held for as long as it takes to look through some hundred keys.
    kept: Mutex<Kept>,
    /// The turn to read a frame that others wait for too.
    turn: Semaphore,
    hands: Arc<Semaphore>,
    area_hands: Arc<Semaphore>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            turn: Semaphore::new(1),
            hands: Arc::new(Semaphore::new(HANDS)),
            area_hands: Arc::new(Semaphore::new(AREA_HANDS)),
        }
    }
}

impl Shelf {
    /// A frame: the one that is kept, or the one that `read` makes now. Which record it ends at is not in the key; a reader goes on
    /// after whatever they get.
    pub(super) async fn shared(
        &self,
        key: Key,
        read: impl Future<Output = Answer<Encoded>>,
    ) -> Answer<Arc<Encoded>> {
        if let Some(frame) = self.find(&key) {
            return Ok(frame);
        }
        let turns = if key.filter.is_empty() { &self.turn } else { self.hands(&key.filter).as_ref() };
        let _turn = turns.acquire().await.expect(NEVER_CLOSED);
        // Somebody who had the turn before may have made it.
        if let Some(frame) = self.find(&key) {
            return Ok(frame);
        }
        let frame = Arc::new(read.await?);
        self.keep(key, Arc::clone(&frame));
        Ok(frame)
    }

    /// A turn to have a frame that nobody else wants. It is given back with the frame.
    pub(super) async fn hand(&self, filter: &Filter) -> OwnedSemaphorePermit {
        Arc::clone(self.hands(filter)).acquire_owned().await.expect(NEVER_CLOSED)
    }

    const fn hands(&self, filter: &Filter) -> &Arc<Semaphore> {
        if filter.area.is_some() { &self.area_hands } else { &self.hands }
    }

    fn find(&self, key: &Key) -> Option<Arc<Encoded>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // What is asked for is among the last.
        kept.frames.iter().rev().find(|(other, _)| other == key).map(|(_, frame)| Arc::clone(frame))
    }

    fn keep(&self, key: Key, frame: Arc<Encoded>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += frame.bytes();
        kept.frames.push_back((key, frame));
        // The newest stays, however large it is: everybody is about to ask for it.
        while kept.bytes > KEPT && kept.frames.len() > 1 {
            let Some((_, oldest)) = kept.frames.pop_front() else { break };
            kept.bytes -= oldest.bytes();
        }
    }
}

const NEVER_CLOSED: &str = "the semaphores of the shelf are never closed";

#[cfg(test)]
mod tests {
    use radslag_core::id::EntityId;
    use radslag_proto::api::v1 as api;
    use radslag_proto::api::v1::subscribe_response::Frame;

    use super::*;

    fn key(after: u64) -> Key {
        Key { program: ProgramId::default(), after: Position::new(after), filter: Filter::default() }
    }

    fn frame(bytes: usize) -> Encoded {
        let checkpoint = "x".repeat(bytes);
        Encoded::new(Frame::CaughtUp(api::CaughtUp { head: None, checkpoint }), None, Position::ZERO)
    }

    #[tokio::test]
    async fn a_frame_that_many_want_at_once_is_read_once() {
        let shelf = Shelf::default();
        let reads = std::sync::atomic::AtomicUsize::new(0);
        let want = || {
            shelf.shared(key(7), async {
                // Lets the others come before there is anything to find.
                tokio::task::yield_now().await;
                reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Ok(frame(10))
            })
        };
        let (one, two, three) = tokio::join!(want(), want(), want());
        let one = one.unwrap();
        assert!([two, three].into_iter().all(|other| Arc::ptr_eq(&other.unwrap(), &one)));
        assert_eq!(reads.into_inner(), 1);
        let other = shelf
            .shared(Key { filter: Filter { area: None, org: "nacka".parse().ok() }, ..key(7) }, async {
                Ok(frame(10))
            });
        assert!(!Arc::ptr_eq(&other.await.unwrap(), &one), "another filter is another frame");
    }

    #[tokio::test]
    async fn followers_of_an_area_hold_up_nobody_else() {
        let shelf = Shelf::default();
        let area = Filter { area: Some(EntityId::default()), org: None };
        let mut held = Vec::new();
        for _ in 0..AREA_HANDS {
            held.push(shelf.hand(&area).await);
        }
        assert!(shelf.area_hands.try_acquire().is_err());
        held.push(shelf.hand(&Filter::default()).await);
        held.push(shelf.hand(&Filter { area: None, org: "nacka".parse().ok() }).await);
    }

    #[tokio::test]
    async fn the_last_frames_are_kept_and_no_more_than_that() {
        let shelf = Shelf::default();
        let mut given = Vec::new();
        for after in 0..4 {
            let made = shelf.shared(key(after), async { Ok(frame(KEPT / 2)) }).await.unwrap();
            given.push(Arc::downgrade(&made));
        }
        let held =
            |given: &[std::sync::Weak<Encoded>]| given.iter().filter(|one| one.upgrade().is_some()).count();
        assert_eq!(held(&given), 1);
        // One that is larger than everything that is kept together is there for those who come at once.
        let large = shelf.shared(key(9), async { Ok(frame(3 * KEPT)) }).await.unwrap();
        assert_eq!(held(&given), 0);
        let again = shelf.shared(key(9), async { panic!("it is read again") }).await.unwrap();
        assert!(Arc::ptr_eq(&large, &again));
    }
}

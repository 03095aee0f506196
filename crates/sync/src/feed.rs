//! The server's end of a reader's stream, without sockets and clocks: from where it can begin, and what it does next.

use radslag_core::event::Base;
use radslag_core::id::{DeviceSeq, Position};
use radslag_core::state::State;

use crate::exchange::Cursor;

/// Why a log cannot be followed from a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misplaced {
    /// The place is not of this log. Where its epoch is, the last place that both logs have.
    ForeignEpoch(Option<Cursor>),
    /// The log ends before.
    Ahead,
}

/// Whether a log in this state can be followed from a place.
///
/// # Errors
/// Why not.
pub fn locate(state: &State, after: Cursor) -> Result<(), Misplaced> {
    let base = Base { epoch: after.epoch, position: after.position, seq: DeviceSeq::ZERO };
    let Some(vouched) = state.vouched(&base) else { return Err(Misplaced::ForeignEpoch(None)) };
    // Past the cut of a later epoch, what the caller holds is not what stands here.
    if vouched < after.position {
        return Err(Misplaced::ForeignEpoch(Some(Cursor { position: vouched, ..after })));
    }
    if after.position > state.head() { Err(Misplaced::Ahead) } else { Ok(()) }
}

/// What a server does next for one reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sends records after one position, up to another.
    Send {
        /// The last record that the reader has.
        after: Position,
        /// The head.
        up_to: Position,
    },
    /// Says that there is no more for now.
    CaughtUp,
    /// Waits until the head moves.
    Wait,
    /// Ends the stream.
    End,
}

/// The server's end of one reader's stream: all that a slow reader costs.
#[derive(Clone, Copy, Debug)]
pub struct Feed {
    sent: Position,
    until_caught_up: bool,
    told: bool,
}

impl Feed {
    /// Follows on after a position; one that is asked for `until_caught_up` ends there.
    pub const fn new(after: Position, until_caught_up: bool) -> Self {
        Self { sent: after, until_caught_up, told: false }
    }

    /// What to do with the log ending at `head`.
    pub fn step(&self, head: Position) -> Step {
        if head > self.sent {
            Step::Send { after: self.sent, up_to: head }
        } else if !self.told {
            Step::CaughtUp
        } else if self.until_caught_up {
            Step::End
        } else {
            Step::Wait
        }
    }

    /// The last record that was sent, or looked at and not wanted.
    pub const fn cursor(&self) -> Position {
        self.sent
    }

    /// Whether the reader has been level with the head.
    pub const fn is_live(&self) -> bool {
        self.told
    }

    /// Records up to a position were sent, or looked at and not wanted.
    pub fn sent(&mut self, up_to: Position) {
        self.sent = up_to;
    }

    /// The reader was told that it is level with the head.
    pub fn told(&mut self) {
        self.told = true;
    }
}

#[cfg(test)]
mod tests {
    use radslag_core::id::{EpochId, ProgramId};
    use radslag_core::state::Keep;

    use super::*;

    #[test]
    fn a_place_of_another_epoch_is_told_where_the_logs_part() {
        let state = State::new(ProgramId::default(), Keep::Sides);
        let at = |position| Cursor { epoch: EpochId::default(), position: Position::new(position) };
        assert_eq!(locate(&state, at(0)), Ok(()));
        assert_eq!(locate(&state, at(1)), Err(Misplaced::Ahead));
        let foreign = Cursor { epoch: EpochId::from_slice(&[5; 16]).unwrap(), ..at(0) };
        assert_eq!(locate(&state, foreign), Err(Misplaced::ForeignEpoch(None)));
    }

    #[test]
    fn a_reader_is_sent_everything_told_once_and_then_follows_or_ends() {
        let (start, head) = (Position::ZERO, Position::new(3));
        for (until_caught_up, after) in [(false, Step::Wait), (true, Step::End)] {
            let mut feed = Feed::new(start, until_caught_up);
            assert_eq!(feed.step(head), Step::Send { after: start, up_to: head });
            feed.sent(head);
            assert_eq!((feed.step(head), feed.is_live()), (Step::CaughtUp, false));
            feed.told();
            assert_eq!((feed.step(head), feed.is_live()), (after, true));
            assert_eq!(feed.step(head.next()), Step::Send { after: head, up_to: head.next() });
        }
    }
}

//! What becomes of the bytes of one connection: how many of them pass, and what happens after them. Touches no socket.

use std::time::Duration;

use super::frames::Frames;
use super::{Fault, Way};

/// What happens after bytes have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    GoOn,
    /// The receiver hears that nothing more comes; what comes is dropped.
    HalfClose,
    /// Both ends are reset.
    Cut,
}

/// One connection's bytes and its fault.
pub(super) struct Passage {
    fault: Option<Fault>,
    asked: Frames,
    answered: Frames,
    said: Vec<u8>,
    heard: Vec<u8>,
    /// How many bytes have passed to server and client.
    passed: [usize; 2],
    half_closed: Option<Way>,
    doomed: Option<u32>,
    answer_lost: bool,
}

impl Passage {
    pub(super) const fn new(fault: Option<Fault>) -> Self {
        Self {
            fault,
            asked: Frames::of_client(),
            answered: Frames::of_server(),
            said: Vec::new(),
            heard: Vec::new(),
            passed: [0; 2],
            half_closed: None,
            doomed: None,
            answer_lost: false,
        }
    }

    /// How long bytes wait before they pass.
    pub(super) fn delay(&self) -> Option<Duration> {
        if let Some(Fault::Delay(delay)) = self.fault { Some(delay) } else { None }
    }

    /// All that the client has said.
    pub(super) fn said(&self) -> &[u8] {
        &self.said
    }

    /// Whether an answer was lost, as was asked for.
    pub(super) const fn answer_lost(&self) -> bool {
        self.answer_lost
    }

    /// How many of these bytes pass, and what then.
    pub(super) fn take(&mut self, way: Way, bytes: &[u8]) -> (usize, Then) {
        if self.half_closed == Some(way) {
            return (0, Then::GoOn);
        }
        let (pass, then) = self.judge(way, bytes);
        self.passed[usize::from(way == Way::ToClient)] += pass;
        (pass, then)
    }

    fn judge(&mut self, way: Way, bytes: &[u8]) -> (usize, Then) {
        let passed = self.passed[usize::from(way == Way::ToClient)];
        let on = (bytes.len(), Then::GoOn);
        match &self.fault {
            Some(Fault::CutAfter(at, limit)) if *at == way => {
                let left = limit.saturating_sub(passed);
                if left <= bytes.len() { (left, Then::Cut) } else { on }
            }
            Some(Fault::HalfCloseAfter(at, limit)) if *at == way => {
                let left = limit.saturating_sub(passed);
                if left > bytes.len() {
                    return on;
                }
                self.half_closed = Some(way);
                (left, Then::HalfClose)
            }
            Some(Fault::Repeat) if way == Way::ToServer => {
                self.said.extend(bytes);
                on
            }
            Some(Fault::LoseAnswerTo(call)) => {
                if way == Way::ToServer {
                    let found = self.asked.feed(bytes).into_iter().find(|frame| frame.carries(call));
                    self.doomed = self.doomed.or(found.map(|frame| frame.stream));
                    return on;
                }
                let frames = self.answered.feed(bytes);
                let Some(doomed) = self.doomed else { return on };
                self.answer_lost = frames.iter().any(|frame| frame.stream == doomed && frame.ends_stream());
                (0, if self.answer_lost { Then::Cut } else { Then::GoOn })
            }
            Some(Fault::CutInside(words)) if way == Way::ToClient => {
                self.heard.extend(bytes);
                match self.heard.windows(words.len()).position(|window| window == words) {
                    None => on,
                    Some(at) => ((at + words.len() / 2).saturating_sub(passed).min(bytes.len()), Then::Cut),
                }
            }
            Some(
                Fault::Delay(_)
                | Fault::CutAfter(..)
                | Fault::HalfCloseAfter(..)
                | Fault::Stall
                | Fault::Repeat
                | Fault::CutInside(_),
            )
            | None => on,
        }
    }
}

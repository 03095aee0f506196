//! Up to when no record will come any more, so that an answer for an instant can say whether it is the last word.
//!
//! While the writer has a batch in flight, whose records have their instants already, that is the last published record; while it is
//! idle it is now. What was said once is kept: the writer gives every later record a later instant, also where the clock steps back.

use std::sync::{Mutex, PoisonError};

use radslag_core::time::Instant;

/// A clock that stands this much behind what was said was wrong when it was said: keeping the word would only spread the fault.
const FAULTY: i64 = 3_600_000_000;

#[derive(Debug)]
struct Said {
    busy: bool,
    closed_to: Instant,
}

/// What readers were told, and whether the writer is at work.
#[derive(Debug)]
pub(crate) struct Closing {
    // Held for a comparison; readers ask seldom, the writer twice for each batch.
    said: Mutex<Said>,
}

impl Default for Closing {
    fn default() -> Self {
        Self { said: Mutex::new(Said { busy: false, closed_to: Instant::from_micros(i64::MIN) }) }
    }
}

impl Closing {
    /// The writer takes up a batch: what is closed grows no more until it is done. Gives the time that its records may have.
    pub(crate) fn begin(&self, now: Instant) -> Instant {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.busy = true;
        if said.closed_to.micros().saturating_sub(now.micros()) > FAULTY {
            tracing::warn!("the clock was ahead when readers were told what is closed; that no longer holds");
            said.closed_to = Instant::from_micros(now.micros() - 1);
        }
        if now > said.closed_to { now } else { Instant::from_micros(said.closed_to.micros() + 1) }
    }

    /// The batch is published, or will not be.
    pub(crate) fn end(&self) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).busy = false;
    }

    /// Up to when no record will come any more in a programme whose last published record is of `last`.
    pub(crate) fn closed_to(&self, last: Instant, now: Instant) -> Instant {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if !said.busy {
            said.closed_to = said.closed_to.max(now);
        }
        said.closed_to.max(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: i64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn what_is_closed_stays_closed_whatever_the_clock_does() {
        let closing = Closing::default();
        assert_eq!(closing.closed_to(at(10), at(50)), at(50), "idle: now");
        assert_eq!(closing.begin(at(40)), at(51), "the clock went back, the word is kept");
        assert_eq!(closing.closed_to(at(10), at(90)), at(50), "in flight: nothing new is closed");
        assert_eq!(closing.closed_to(at(51), at(90)), at(51), "published is closed");
        closing.end();
        assert_eq!(closing.closed_to(at(51), at(90)), at(90));
        assert_eq!(closing.closed_to(at(51), at(80)), at(90));
        assert_eq!(closing.begin(at(95)), at(95));
    }

    #[test]
    fn a_clock_that_leapt_ahead_while_readers_asked_does_not_carry_the_log_along() {
        let closing = Closing::default();
        assert_eq!(closing.closed_to(at(10), at(100 * FAULTY)), at(100 * FAULTY));
        assert_eq!(closing.begin(at(60)), at(60), "that word is broken, and no other was given");
        closing.end();
        assert_eq!(closing.closed_to(at(60), at(70)), at(70));
    }
}

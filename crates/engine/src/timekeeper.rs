//! Whether the clock may say when changes are recorded: one bad jump would stand in every later time of a log.
//!
//! Behind the last record, time goes on by microseconds and a warning is raised. Far ahead of it when the process starts, or ahead
//! of the machine's steady clock while it runs, nothing is recorded until the clock is right again or an operator accepts it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use radslag_core::time::Instant;

use crate::clock::Clock;

const SECOND: i64 = 1_000_000;
/// So far behind the last record a clock is no matter of two machines.
const BEHIND: i64 = 5 * SECOND;
/// So far ahead of the last record nobody starts a server without having a word about it.
const AHEAD: i64 = 400 * 24 * 3_600 * SECOND;
/// So much faster than the steady clock no clock runs: it was set.
const OUTRUN: i64 = 3_600 * SECOND;

/// What is so of the clock. Times are in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is fit.
    Fit,
    /// It is behind the last record by so much; what is recorded is dated after that record all the same.
    Behind(i64),
    /// It was so far ahead of the last record when the process started, and nobody accepted that.
    Ahead(i64),
    /// It has gone forward so much more than the machine's steady clock since the process started.
    Outrun(i64),
}

impl Standing {
    /// Whether changes may be recorded.
    pub const fn records(self) -> bool {
        matches!(self, Self::Fit | Self::Behind(_))
    }
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fit => f.write_str("the clock is fit"),
            Self::Behind(seconds) => write!(f, "the clock is {seconds} s behind the last record"),
            Self::Ahead(seconds) => {
                write!(f, "the clock is {} days ahead of the last record", seconds / (24 * 3_600))
            }
            Self::Outrun(seconds) => {
                write!(f, "the clock has been set forward by {seconds} s since the server started")
            }
        }
    }
}

/// Keeps watch over the clock of one process.
pub struct Timekeeper {
    clock: Arc<dyn Clock>,
    began: Instant,
    steady: Option<Duration>,
    /// The newest record of the store when the process started; `i64::MIN` for none.
    newest: i64,
    /// The newest record that was checked before another one was recorded; what is told is about that one.
    checked: AtomicI64,
    accepted: AtomicBool,
    // What was last said of it, so that a change is told once: its number, below.
    told: AtomicI64,
}

impl std::fmt::Debug for Timekeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timekeeper").field("began", &self.began).finish_non_exhaustive()
    }
}

impl Timekeeper {
    /// Begins now, with the newest record of the store.
    pub(crate) fn begin(clock: Arc<dyn Clock>, newest: Option<Instant>) -> Self {
        let (began, steady) = (clock.now(), clock.steady());
        let newest = newest.map_or(i64::MIN, Instant::micros);
        let (checked, told) = (AtomicI64::new(newest), AtomicI64::new(0));
        Self { clock, began, steady, newest, checked, accepted: AtomicBool::new(false), told }
    }

    /// Takes an operator's word that the clock was right when the process started.
    pub fn accept(&self) {
        self.accepted.store(true, Ordering::Relaxed);
    }

    /// What is so now, for a log whose last record was taken at `last`.
    pub fn standing(&self, last: Option<Instant>) -> Standing {
        let now = self.clock.now().micros();
        if let Some((steady, then)) = self.clock.steady().zip(self.steady) {
            let passed = i64::try_from(steady.saturating_sub(then).as_micros()).unwrap_or(i64::MAX);
            let outrun = now.saturating_sub(self.began.micros()).saturating_sub(passed);
            if outrun > OUTRUN {
                return Standing::Outrun(outrun / SECOND);
            }
        }
        let started_ahead = self.newest > i64::MIN && self.began.micros().saturating_sub(self.newest) > AHEAD;
        let ahead = now.saturating_sub(self.newest);
        if started_ahead && ahead > AHEAD && !self.accepted.load(Ordering::Relaxed) {
            return Standing::Ahead(ahead / SECOND);
        }
        match last.map(|last| last.micros().saturating_sub(now)).filter(|behind| *behind > BEHIND) {
            Some(behind) => Standing::Behind(behind / SECOND),
            None => Standing::Fit,
        }
    }

    /// As [`Timekeeper::standing`], for whoever is about to record, and for the newest record of all logs; a change of it goes to the
    /// process's log.
    pub(crate) fn check(&self, last: Option<Instant>) -> Standing {
        let last = last.map_or(i64::MIN, Instant::micros);
        let newest = self.checked.fetch_max(last, Ordering::Relaxed).max(last);
        let standing = self.standing((newest > i64::MIN).then(|| Instant::from_micros(newest)));
        let number = match standing {
            Standing::Fit => 0,
            Standing::Behind(_) => 1,
            Standing::Ahead(_) => 2,
            Standing::Outrun(_) => 3,
        };
        if self.told.swap(number, Ordering::Relaxed) != number {
            match standing {
                Standing::Fit => tracing::info!("the clock is fit again"),
                Standing::Behind(_) => tracing::warn!(%standing, "recorded times go on by microseconds"),
                Standing::Ahead(_) | Standing::Outrun(_) => {
                    tracing::error!(%standing, "nothing is recorded: set the clock right, or restart with --accept-clock");
                }
            }
        }
        standing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Faked {
        now: AtomicI64,
        steady: AtomicI64,
    }

    impl Faked {
        fn pass(&self, seconds: i64) {
            self.now.fetch_add(seconds * SECOND, Ordering::Relaxed);
            self.steady.fetch_add(seconds * SECOND, Ordering::Relaxed);
        }

        fn set_forward(&self, seconds: i64) {
            self.now.fetch_add(seconds * SECOND, Ordering::Relaxed);
        }
    }

    impl Clock for Faked {
        fn now(&self) -> Instant {
            Instant::from_micros(self.now.load(Ordering::Relaxed))
        }

        fn steady(&self) -> Option<Duration> {
            let micros = u64::try_from(self.steady.load(Ordering::Relaxed)).unwrap();
            Some(Duration::from_micros(micros))
        }
    }

    const DAY: i64 = 24 * 3_600;

    fn seconds(seconds: i64) -> Option<Instant> {
        Some(Instant::from_micros(seconds * SECOND))
    }

    #[test]
    fn a_clock_behind_the_last_record_is_told_and_goes_on() {
        let clock = Arc::new(Faked::default());
        clock.pass(1_000);
        let keeper = Timekeeper::begin(Arc::clone(&clock) as _, seconds(1_000));
        assert_eq!(keeper.standing(seconds(1_005)), Standing::Fit);
        assert_eq!(keeper.standing(seconds(1_006)), Standing::Behind(6));
        assert!(keeper.standing(seconds(1_006)).records());
        clock.pass(10);
        assert_eq!(keeper.standing(seconds(1_006)), Standing::Fit);
        assert_eq!(keeper.standing(None), Standing::Fit);
    }

    #[test]
    fn a_start_far_ahead_of_the_last_record_wants_a_word() {
        let clock = Arc::new(Faked::default());
        clock.pass(401 * DAY);
        let keeper = Timekeeper::begin(Arc::clone(&clock) as _, seconds(0));
        assert_eq!(keeper.standing(seconds(0)), Standing::Ahead(401 * DAY));
        assert!(!keeper.standing(seconds(0)).records());
        assert_eq!(keeper.standing(seconds(0)).to_string(), "the clock is 401 days ahead of the last record");
        // Put right, it is fit without a word.
        clock.set_forward(-10 * DAY);
        assert_eq!(keeper.standing(seconds(0)), Standing::Fit);
        clock.set_forward(10 * DAY);
        keeper.accept();
        assert_eq!(keeper.standing(seconds(0)), Standing::Fit);
        // A store without records, and one that is not so old, want none.
        for newest in [None, seconds(2 * DAY)] {
            let keeper = Timekeeper::begin(Arc::clone(&clock) as _, newest);
            assert_eq!(keeper.standing(newest), Standing::Fit);
        }
    }

    #[test]
    fn a_server_that_was_idle_for_years_is_not_ahead() {
        let clock = Arc::new(Faked::default());
        let keeper = Timekeeper::begin(Arc::clone(&clock) as _, seconds(0));
        clock.pass(900 * DAY);
        assert_eq!(keeper.standing(seconds(0)), Standing::Fit);
    }

    #[test]
    fn a_clock_that_is_set_forward_while_running_wants_a_word_however_often_it_is() {
        let clock = Arc::new(Faked::default());
        let keeper = Timekeeper::begin(Arc::clone(&clock) as _, seconds(0));
        keeper.accept();
        clock.set_forward(3_600);
        assert_eq!(keeper.standing(seconds(0)), Standing::Fit);
        clock.pass(5_000);
        clock.set_forward(1);
        assert_eq!(keeper.check(seconds(0)), Standing::Outrun(3_601));
        assert!(!keeper.check(seconds(0)).records());
        clock.set_forward(-1);
        assert_eq!(keeper.check(seconds(0)), Standing::Fit);
        clock.set_forward(-100_000);
        assert!(matches!(keeper.check(seconds(0)), Standing::Behind(_)));
    }

    #[test]
    fn what_is_told_is_about_the_newest_record_of_all_logs() {
        let clock = Arc::new(Faked::default());
        clock.pass(1_000);
        let keeper = Timekeeper::begin(Arc::clone(&clock) as _, seconds(1_000));
        clock.set_forward(-500);
        // Recorded in the one and in the other by turns: nothing has changed in between.
        for last in [seconds(1_000), seconds(10), None, seconds(1_000)] {
            assert_eq!(keeper.check(last), Standing::Behind(500));
        }
    }
}

//! How long a cell runs, and what is said of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// When a cell is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// After this long.
    Time(Duration),
    /// After this many events, those of all writers together.
    Events(u64),
}

/// A running cell: every writer asks it before each call.
pub(crate) struct Gate {
    bound: Bound,
    began: Instant,
    events: AtomicU64,
}

impl Gate {
    /// Starts the clock.
    pub(crate) fn open(bound: Bound) -> Self {
        Self { bound, began: Instant::now(), events: AtomicU64::new(0) }
    }

    /// Whether one more call, with this many events, belongs to the cell.
    pub(crate) fn admits(&self, events: usize) -> bool {
        match self.bound {
            Bound::Time(time) => self.began.elapsed() < time,
            Bound::Events(most) => self.events.fetch_add(events as u64, Ordering::Relaxed) < most,
        }
    }

    /// Since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// One combination of scenario and width, measured.
#[derive(Debug)]
pub(crate) struct Cell {
    /// What was done.
    pub(crate) scenario: &'static str,
    /// How many at once; for a batch, how many events it holds.
    pub(crate) writers: usize,
    /// How many events there were.
    events: usize,
    /// From the first call to the last answer.
    elapsed: Duration,
    /// How long each call took, ascending.
    calls: Vec<Duration>,
}

impl Cell {
    /// A cell from the times of its calls, each of `batch` events.
    pub(crate) fn new(
        scenario: &'static str,
        writers: usize,
        batch: usize,
        elapsed: Duration,
        mut calls: Vec<Duration>,
    ) -> Self {
        calls.sort_unstable();
        Self { scenario, writers, events: calls.len() * batch, elapsed, calls }
    }

    /// Events that were done in a second.
    pub(crate) fn events_per_s(&self) -> f64 {
        self.events as f64 / self.elapsed.as_secs_f64()
    }

    /// The time in microseconds that so many of a hundred calls did not exceed; 0 without calls.
    fn percentile(&self, percent: usize) -> u64 {
        let rank = (self.calls.len() * percent).div_ceil(100).max(1);
        let time = self.calls.get(rank - 1).copied().unwrap_or_default();
        u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
    }

    /// The line that is printed.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "scenario": self.scenario,
            "writers": self.writers,
            "events_per_s": self.events_per_s().round(),
            "p50_us": self.percentile(50),
            "p99_us": self.percentile(99),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_calls_that_were_made() {
        let calls = |count: u64| (1..=count).rev().map(Duration::from_micros).collect::<Vec<_>>();
        let cell = |count| Cell::new("x", 1, 1, Duration::from_secs(1), calls(count));
        assert_eq!((cell(100).percentile(50), cell(100).percentile(99)), (50, 99));
        assert_eq!((cell(1).percentile(50), cell(1).percentile(99)), (1, 1));
        assert_eq!((cell(3).percentile(50), cell(3).percentile(99)), (2, 3));
        assert_eq!(cell(0).percentile(50), 0);
    }

    #[test]
    fn a_batch_counts_its_events_and_not_its_calls() {
        let cell = Cell::new("x", 64, 64, Duration::from_secs(2), vec![Duration::from_millis(1); 10]);
        assert_eq!(cell.to_json()["events_per_s"], 320.0);
    }

    #[test]
    fn a_gate_lets_in_as_many_as_it_was_told() {
        let gate = Gate::open(Bound::Events(130));
        assert_eq!((0..9).filter(|_| gate.admits(64)).count(), 3);
        assert!(!Gate::open(Bound::Time(Duration::ZERO)).admits(1));
    }
}

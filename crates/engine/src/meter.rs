//! What the writer does, in plain numbers that whoever watches over a server reads. Nothing here decides anything.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the times that are told apart, in microseconds.
const MICROS: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000,
];
/// The upper bounds of the numbers of records that are told apart.
const RECORDS: &[u64] = &[1, 2, 5, 10, 25, 50, 100, 250, 500];

/// How often something was how large.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// How many there were up to each bound and over the one before; the last is over all.
    counts: Vec<AtomicU64>,
    sum: AtomicU64,
}

/// A histogram as it was a moment ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Each bound, inclusive, with how many there were up to it.
    pub up_to: Vec<(u64, u64)>,
    /// How many there were.
    pub count: u64,
    /// What they come to together.
    pub sum: u64,
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    pub(crate) fn note(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub(crate) fn note_time(&self, time: Duration) {
        self.note(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// What it says now.
    pub fn read(&self) -> Reading {
        let mut count = 0;
        let mut up_to = Vec::new();
        for (place, in_it) in self.counts.iter().enumerate() {
            count += in_it.load(Ordering::Relaxed);
            up_to.extend(self.bounds.get(place).map(|bound| (*bound, count)));
        }
        Reading { up_to, count, sum: self.sum.load(Ordering::Relaxed) }
    }
}

/// What the writer has done since it was opened.
#[derive(Debug)]
pub struct Meter {
    /// From when a push was queued until it was acknowledged, in microseconds.
    pub append: Histogram,
    /// The time of a commit with its flush and its sync, in microseconds.
    pub commit: Histogram,
    /// How many records a commit had.
    pub records: Histogram,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            append: Histogram::new(MICROS),
            commit: Histogram::new(MICROS),
            records: Histogram::new(RECORDS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_counts_what_is_up_to_it_and_the_sum_is_of_all() {
        let histogram = Histogram::new(&[1, 10]);
        for value in [1, 2, 10, 11] {
            histogram.note(value);
        }
        histogram.note_time(Duration::from_micros(7));
        assert_eq!(histogram.read(), Reading { up_to: vec![(1, 1), (10, 4)], count: 5, sum: 31 });
    }
}

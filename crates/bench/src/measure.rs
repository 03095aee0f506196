//! How long a cell runs, and what is said of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use crate::host::Costs;

/// How long each cell runs, as a command line says it.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Length {
    /// How long each cell runs, in seconds
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How many events each cell counts instead
    #[arg(long, conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    events: Option<u64>,
}

impl Length {
    /// When a cell of this length is over.
    pub(crate) fn bound(self) -> Bound {
        self.events.map_or(Bound::Time(Duration::from_secs(self.seconds)), Bound::Events)
    }
}

/// When a cell is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// After this long.
    Time(Duration),
    /// After this many events, those of all writers together.
    Events(u64),
}

impl Bound {
    /// No more events than so many, where it counts them.
    pub(crate) const fn at_most(self, most: u64) -> Self {
        match self {
            Self::Events(events) if events > most => Self::Events(most),
            Self::Events(_) | Self::Time(_) => self,
        }
    }
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

/// How long calls took, ascending.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The time in microseconds, to a tenth, that so many of a hundred calls did not exceed; 0 without calls.
    pub(crate) fn percentile_us(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        let time = self.0.get(rank - 1).copied().unwrap_or_default();
        rounded(time.as_secs_f64() * 1e6, 1)
    }
}

/// One combination of scenario and width, measured.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// What was done.
    pub(crate) scenario: &'static str,
    /// How many at once.
    pub(crate) writers: usize,
    /// How many events a call holds.
    pub(crate) batch: usize,
    /// In how many programmes.
    pub(crate) programmes: usize,
    /// How many events there were.
    pub(crate) events: u64,
    /// How many of them the server declined.
    pub(crate) refused: u64,
    /// The bytes of all events as they were signed: bodies, values, signatures; 0 where nobody counted.
    pub(crate) raw_bytes: u64,
    /// From the first call to the last answer.
    pub(crate) elapsed: Duration,
    /// How long each call took.
    pub(crate) calls: Times,
    /// What it took of the machine, where that was read.
    pub(crate) costs: Option<Costs>,
}

impl Cell {
    /// A cell from the times of its calls, each of `batch` events.
    pub(crate) fn new(
        scenario: &'static str,
        writers: usize,
        batch: usize,
        elapsed: Duration,
        calls: Vec<Duration>,
    ) -> Self {
        let events = (calls.len() * batch) as u64;
        let calls = Times::new(calls);
        let (programmes, refused, raw_bytes, costs) = (1, 0, 0, None);
        Self { scenario, writers, batch, programmes, events, refused, raw_bytes, elapsed, calls, costs }
    }

    /// Events that were done in a second.
    pub(crate) fn events_per_s(&self) -> f64 {
        self.events as f64 / self.elapsed.as_secs_f64()
    }

    /// What the server's store grew by, to what the events were; not a number where that was not measured.
    pub(crate) fn disk_to_raw(&self) -> f64 {
        let grown = self.costs.and_then(|costs| costs.server).map_or(f64::NAN, |server| server.grown as f64);
        if self.raw_bytes == 0 { f64::NAN } else { grown / self.raw_bytes as f64 }
    }

    /// The server's largest resident set, in MiB; not a number where that was not measured.
    pub(crate) fn peak_mib(&self) -> f64 {
        let server = self.costs.and_then(|costs| costs.server);
        server.map_or(f64::NAN, |server| server.peak_kib as f64 / 1024.0)
    }

    /// The line that is printed.
    pub(crate) fn to_json(&self) -> Value {
        let mut said = json!({
            "scenario": self.scenario,
            "writers": self.writers,
            "batch": self.batch,
            "programmes": self.programmes,
            "events": self.events,
            "events_per_s": self.events_per_s().round(),
            "p50_us": self.calls.percentile_us(50),
            "p99_us": self.calls.percentile_us(99),
        });
        let Some(costs) = self.costs else { return said };
        let per_event = |bytes: u64| rounded(bytes as f64 / self.events as f64, 0);
        let server = costs.server;
        let more = json!({
            "refused": self.refused,
            "load_cpu_s": rounded(costs.load_cpu_s, 2),
            "server_cpu_s": server.map(|server| rounded(server.cpu_s, 2)),
            "server_peak_rss_mib": server.map(|server| server.peak_kib >> 10),
            "raw_bytes_per_event": per_event(self.raw_bytes),
            "disk_bytes_per_event": server.map(|server| per_event(server.grown)),
            "written_bytes_per_event": server.map(|server| per_event(server.written)),
        });
        if let (Some(said), Some(more)) = (said.as_object_mut(), more.as_object()) {
            said.extend(more.clone());
        }
        said
    }
}

/// So many decimals.
pub(crate) fn rounded(number: f64, decimals: i32) -> f64 {
    let unit = 10_f64.powi(decimals);
    (number * unit).round() / unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_calls_that_were_made() {
        let calls = |count: u64| Times::new((1..=count).rev().map(Duration::from_micros).collect());
        assert_eq!((calls(100).percentile_us(50), calls(100).percentile_us(99)), (50.0, 99.0));
        assert_eq!((calls(1).percentile_us(50), calls(1).percentile_us(99)), (1.0, 1.0));
        assert_eq!((calls(3).percentile_us(50), calls(3).percentile_us(99)), (2.0, 3.0));
        assert_eq!(calls(0).percentile_us(50), 0.0);
    }

    #[test]
    fn a_batch_counts_its_events_and_not_its_calls() {
        let cell = Cell::new("x", 64, 64, Duration::from_secs(2), vec![Duration::from_millis(1); 10]);
        assert_eq!(cell.to_json()["events_per_s"], 320.0);
        assert_eq!(cell.to_json()["events"], 640);
    }

    #[test]
    fn a_gate_lets_in_as_many_as_it_was_told() {
        let gate = Gate::open(Bound::Events(130));
        assert_eq!((0..9).filter(|_| gate.admits(64)).count(), 3);
        assert!(!Gate::open(Bound::Time(Duration::ZERO)).admits(1));
        assert_eq!(Bound::Events(130).at_most(9), Bound::Events(9));
        assert_eq!(Bound::Events(3).at_most(9), Bound::Events(3));
    }
}

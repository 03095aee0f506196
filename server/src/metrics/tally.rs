//! What became of events and pushes, and who follows: counted where it happens.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use radslag_core::verdict::Verdict;
use radslag_proto::status::Reason;

/// The counts since the start.
#[derive(Default)]
pub(crate) struct Tally {
    // Held to count a push, and to read. The names are those of the code: nobody outside can make it grow.
    events: Mutex<BTreeMap<Fate, u64>>,
    failed: Mutex<BTreeMap<&'static str, u64>>,
    subscribers: Arc<AtomicUsize>,
}

/// What became of an event: in one word, and for what reason where there is one.
pub(super) type Fate = (&'static str, String);

impl Tally {
    /// Counts what became of the events of a push.
    pub(crate) fn count(&self, verdicts: &[Verdict]) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        for verdict in verdicts {
            *events.entry(fate(verdict)).or_default() += 1;
        }
    }

    /// Counts a push that failed as a whole.
    pub(crate) fn count_failed(&self, reason: Reason) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed.entry(reason.name()).or_default() += 1;
    }

    /// Counts somebody who follows a log, until what it gives is dropped.
    pub(crate) fn follows(&self) -> Following {
        self.subscribers.fetch_add(1, Ordering::Relaxed);
        Following(Arc::clone(&self.subscribers))
    }

    pub(super) fn events(&self) -> BTreeMap<Fate, u64> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn failed(&self) -> BTreeMap<&'static str, u64> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn subscribers(&self) -> usize {
        self.subscribers.load(Ordering::Relaxed)
    }
}

/// Somebody who follows a log.
pub(crate) struct Following(Arc<AtomicUsize>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn fate(verdict: &Verdict) -> Fate {
    match verdict {
        Verdict::Accepted(_) => ("accepted", String::new()),
        Verdict::DuplicateAccepted(_) | Verdict::DuplicateRejected(_) => ("duplicate", String::new()),
        Verdict::Rejected(receipt) => ("rejected", receipt.reason.name().to_owned()),
        Verdict::Refused(refusal) => ("refused", refusal.name().to_owned()),
        Verdict::DeviceForked { .. } => ("device_forked", String::new()),
        Verdict::Gap { .. } => ("gap", String::new()),
        Verdict::RetryLater { .. } => ("retry_later", String::new()),
    }
}

//! The thread that keeps the high-water mark: behind the commits, never before them, and never more than a second late.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use radslag_core::digest::Digest;
use radslag_core::id::{Position, ProgramId};
use radslag_log::LogError;
use radslag_proto::log::v1;

use crate::acknowledged::{Acknowledged, Mark, Marks};

/// A mark is written at the latest this long after the commit, which leaves time for the write itself within the second.
const LATEST: Duration = Duration::from_millis(800);
/// No commit for this long counts as idle: the mark is written at once.
const QUIET: Duration = Duration::from_millis(20);

/// What was acknowledged of one log.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) head: v1::Head,
    pub(crate) root: Digest,
}

impl Standing {
    pub(crate) fn mark(&self) -> Mark {
        Mark { position: Position::new(self.head.position), root: self.root }
    }
}

/// What the store and its keeper share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Written by a commit after it is durable, read by everybody: what is not in here is not shown.
    heads: RwLock<BTreeMap<ProgramId, Standing>>,
    /// Why writing has stopped; set once and for good.
    stopped: OnceLock<String>,
    signal: Mutex<Signal>,
    /// Wakes the keeper.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Signal {
    commits: u64,
    closing: bool,
}

impl Shared {
    pub(crate) fn new(heads: BTreeMap<ProgramId, Standing>) -> Self {
        Self { heads: RwLock::new(heads), ..Self::default() }
    }

    /// Shows what became durable, and has it noted.
    pub(crate) fn publish(&self, durable: BTreeMap<ProgramId, Standing>) {
        if durable.is_empty() {
            return;
        }
        self.heads.write().unwrap_or_else(PoisonError::into_inner).extend(durable);
        self.signal().commits += 1;
        self.changed.notify_one();
    }

    /// The end of one log.
    pub(crate) fn head(&self, program: ProgramId) -> Option<v1::Head> {
        let heads = self.heads.read().unwrap_or_else(PoisonError::into_inner);
        heads.get(&program).map(|standing| standing.head.clone())
    }

    /// The last position of one log; zero before its first record.
    pub(crate) fn end(&self, program: ProgramId) -> Position {
        let heads = self.heads.read().unwrap_or_else(PoisonError::into_inner);
        heads.get(&program).map_or(Position::ZERO, |standing| Position::new(standing.head.position))
    }

    pub(crate) fn programs(&self) -> Vec<ProgramId> {
        self.heads.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    pub(crate) fn marks(&self) -> Marks {
        let heads = self.heads.read().unwrap_or_else(PoisonError::into_inner);
        heads.iter().map(|(program, standing)| (*program, standing.mark())).collect()
    }

    /// Ends writing for good. The first reason stands.
    pub(crate) fn stop(&self, reason: &LogError) {
        let text = match std::error::Error::source(reason) {
            Some(cause) => format!("{reason}: {cause}"),
            None => reason.to_string(),
        };
        tracing::error!(reason = text, "writing has stopped");
        // A second reason is a consequence of the first.
        let _ = self.stopped.set(text);
    }

    /// The answer to a commit when writing has stopped.
    pub(crate) fn check_stopped(&self) -> Result<(), LogError> {
        match self.stopped.get() {
            Some(reason) => Err(LogError::Stopped { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    fn close(&self) {
        self.signal().closing = true;
        self.changed.notify_one();
    }

    fn signal(&self) -> MutexGuard<'_, Signal> {
        self.signal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there are commits after the first `noted` and a pause or the latest moment has come, or for the end. Gives the number of
    /// commits and whether it is the end.
    fn wait(&self, noted: u64) -> (u64, bool) {
        let idle = |signal: &mut Signal| signal.commits == noted && !signal.closing;
        let mut signal = self.changed.wait_while(self.signal(), idle).unwrap_or_else(PoisonError::into_inner);
        let first = Instant::now();
        while !signal.closing {
            let seen = signal.commits;
            let left = LATEST.saturating_sub(first.elapsed());
            let waited = self.changed.wait_timeout(signal, QUIET.min(left));
            signal = waited.unwrap_or_else(PoisonError::into_inner).0;
            if signal.commits == seen || left.is_zero() {
                break;
            }
        }
        (signal.commits, signal.closing)
    }
}

/// The running thread. It ends, and writes the mark a last time, when it is closed or dropped.
#[derive(Debug)]
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    /// Written by the thread, and by a rewind in its stead.
    file: Arc<Mutex<Acknowledged>>,
    thread: Option<JoinHandle<Result<(), LogError>>>,
}

impl Keeper {
    /// Starts the thread.
    pub(crate) fn start(shared: Arc<Shared>, file: Acknowledged) -> Result<Self, LogError> {
        let file = Arc::new(Mutex::new(file));
        let theirs = (Arc::clone(&shared), Arc::clone(&file));
        let builder = thread::Builder::new().name("acknowledged".to_owned());
        let thread = builder.spawn(move || keep(&theirs.0, &theirs.1))?;
        Ok(Self { shared, file, thread: Some(thread) })
    }

    /// Has a log rewound by `work`, which is given the generation of the mark that stands, and notes the new end at once: nobody else
    /// writes a mark between the two.
    pub(crate) fn rewind(
        &self,
        program: ProgramId,
        work: impl FnOnce(u64) -> Result<Standing, LogError>,
    ) -> Result<(), LogError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = work(file.generation()).and_then(|standing| {
            self.shared.publish([(program, standing)].into());
            file.write(&self.shared.marks())
        });
        noted.inspect_err(|error| self.shared.stop(error))
    }

    /// Has the last mark written and waits for it. The second call does nothing.
    pub(crate) fn close(&mut self) -> Result<(), LogError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.shared.close();
        thread.join().unwrap_or_else(|_| Err(LogError::damaged("the thread of the high-water mark is gone")))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "the high-water mark was not written at close");
        }
    }
}

fn keep(shared: &Shared, file: &Mutex<Acknowledged>) -> Result<(), LogError> {
    let mut noted = 0;
    loop {
        let (commits, closing) = shared.wait(noted);
        if commits != noted {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            // The heads are read after the number: a mark may hold more than `noted` says, never less.
            file.write(&shared.marks()).inspect_err(|error| shared.stop(error))?;
            noted = commits;
        }
        if closing {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use radslag_log::conformance::sample;

    use super::*;

    fn standing(position: u64) -> BTreeMap<ProgramId, Standing> {
        let head = v1::Head { position, ..v1::Head::default() };
        [(sample::program(1), Standing { head, root: Digest::ZERO })].into()
    }

    #[test]
    fn closing_writes_the_last_mark() {
        let dir = tempfile::tempdir().unwrap();
        let (file, _) = Acknowledged::open(dir.path()).unwrap();
        let shared = Arc::new(Shared::default());
        let mut keeper = Keeper::start(Arc::clone(&shared), file).unwrap();
        (1..=50).for_each(|position| shared.publish(standing(position)));
        keeper.close().unwrap();
        let (_, marks) = Acknowledged::open(dir.path()).unwrap();
        assert_eq!(marks.unwrap()[&sample::program(1)].position, Position::new(50));
    }

    #[test]
    fn a_mark_that_cannot_be_written_stops_writing() {
        let shared = Arc::new(Shared::default());
        let mut keeper = Keeper::start(Arc::clone(&shared), Acknowledged::broken()).unwrap();
        shared.publish(standing(1));
        assert!(matches!(keeper.close(), Err(LogError::Full { .. })));
        assert!(matches!(shared.check_stopped(), Err(LogError::Stopped { .. })));
    }
}

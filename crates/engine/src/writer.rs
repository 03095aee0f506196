//! The one writer: a thread that takes what is queued, judges it, commits it in one batch, and only then publishes and
//! answers. Nobody sees a change that a crash could take back.

use std::collections::HashMap;
use std::sync::Arc;

use prost::Message as _;
use radslag_core::broken::{self, Variant};
use radslag_core::id::{Position, ProgramId};
use radslag_core::time::Instant;
use radslag_core::verdict::Verdict;
use radslag_log::{Append, Commit, EventLog, LogError, StoredRecord};
use radslag_proto::log::v1;
use radslag_trust::keys::DeviceKey;
use tokio::sync::{mpsc, oneshot};

use crate::admit::{Ground, Working};
use crate::caches::behind::Wake;
use crate::check::CheckedBundle;
use crate::clock::Clock;
use crate::closing::Closing;
use crate::engine::{EngineError, Programme, Programmes};
use crate::epoch::{NewEpoch, Opened};
use crate::meter::Meter;
use crate::timekeeper::Timekeeper;

/// Collecting stops once a commit holds this many events or bytes.
const COMMIT_EVENTS: usize = 256;
const COMMIT_BYTES: usize = 256 * 1024;
/// What a bundle takes beside its events at most: for each member that is not there, and for the signature and its device.
const ABSENT_BYTES: usize = 44;
const BUNDLE_BYTES: usize = 160;

/// What became of a push.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// One verdict for each event, up to and including the first that stopped the push.
    pub verdicts: Vec<Verdict>,
    /// The end of the log after it.
    pub head: Position,
}

pub(crate) enum Job {
    Push(PushJob),
    OpenEpoch(OpenJob),
}

/// An epoch to open.
pub(crate) struct OpenJob {
    pub(crate) programme: Arc<Programme>,
    pub(crate) new: NewEpoch,
    pub(crate) log_key: DeviceKey,
    pub(crate) reply: oneshot::Sender<Result<Opened, EngineError>>,
}

pub(crate) struct PushJob {
    pub(crate) bundle: CheckedBundle,
    /// The programme, or none when the bundle begins one.
    pub(crate) programme: Option<Arc<Programme>>,
    pub(crate) reply: oneshot::Sender<Result<Pushed, EngineError>>,
}

struct Progress {
    job: PushJob,
    programme: Arc<Programme>,
    verdicts: Vec<Verdict>,
}

/// The one writer of a store. It has a thread of its own, or is turned by hand.
pub struct Writer {
    pub(crate) queue: mpsc::Receiver<Job>,
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) programmes: Arc<Programmes>,
    pub(crate) open_enrolment: bool,
    pub(crate) working: HashMap<ProgramId, Working>,
    /// The bytes of all that is judged and waits for the commit: records, values, bundles.
    pub(crate) pending: usize,
    pub(crate) stopped: Option<String>,
    pub(crate) timekeeper: Arc<Timekeeper>,
    /// Wakes what is written behind; none where nobody does, or the caller by hand.
    pub(crate) wake: Option<Wake>,
    pub(crate) closing: Arc<Closing>,
    pub(crate) meter: Arc<Meter>,
}

impl Writer {
    /// Runs until every sender is gone and the queue is empty.
    pub(crate) fn run(mut self) {
        while let Some(job) = self.queue.blocking_recv() {
            self.round_from(job);
        }
        tracing::debug!("the writer has nothing left to do");
    }

    /// Takes what is queued into one commit and answers; false when nothing is queued.
    pub fn turn(&mut self) -> bool {
        let Ok(job) = self.queue.try_recv() else { return false };
        self.round_from(job);
        true
    }

    /// Pushes up to the limits of a commit or up to the opening of an epoch, which has a commit of its own.
    fn round_from(&mut self, job: Job) {
        self.closing.begin(self.clock.now());
        self.batch_from(job);
        self.closing.end();
    }

    fn batch_from(&mut self, job: Job) {
        let (mut round, mut opening) = (Vec::new(), None);
        let (mut events, mut bytes) = (0, 0);
        let mut next = Some(job);
        while let Some(job) = next.take() {
            match job {
                Job::Push(job) => {
                    events += job.bundle.events.len();
                    bytes += size(&job.bundle);
                    round.push(job);
                    if events < COMMIT_EVENTS && bytes < COMMIT_BYTES {
                        next = self.queue.try_recv().ok();
                    }
                }
                Job::OpenEpoch(job) => opening = Some(job),
            }
        }
        self.round(round);
        if let Some(job) = opening {
            let outcome = self.open_epoch(&job);
            self.closing.end();
            answer(job.reply, outcome);
        }
    }

    /// Opens an epoch in a commit of its own, after everything that was queued before.
    fn open_epoch(&mut self, job: &OpenJob) -> Result<Opened, EngineError> {
        if self.stopped.is_some() {
            return Err(self.stopped_error());
        }
        self.check_clock(&job.programme)?;
        let opened = {
            let published = job.programme.published();
            let ground = Ground {
                log: self.log.as_ref(),
                published: &published,
                open_enrolment: self.open_enrolment,
                now: self.now(),
            };
            let program = job.programme.id();
            let working = self.working.entry(program).or_insert_with(|| Working::new(&published));
            working.open_epoch(&ground, job.new, &job.log_key)?
        };
        self.commit()?;
        let (program, epoch, cut) = (job.programme.id(), opened.epoch, opened.cut.get());
        tracing::warn!(%program, %epoch, cut, "opened an epoch: the log may lack what came after the cut");
        Ok(opened)
    }

    fn round(&mut self, jobs: Vec<PushJob>) {
        let mut done = Vec::new();
        let mut no_room = None;
        for job in jobs {
            if let Some(reason) = &self.stopped {
                answer(job.reply, Err(EngineError::WritesStopped { reason: reason.clone() }));
                continue;
            }
            if let Some(no_room) = &no_room {
                answer(job.reply, Err(EngineError::clone(no_room)));
                continue;
            }
            let program = job.bundle.program;
            let programme = match &job.programme {
                Some(programme) => Arc::clone(programme),
                // Two creations of one programme may have been queued; the second finds the first's.
                None => self.programmes.get(program).unwrap_or_else(|| Arc::new(Programme::empty(program))),
            };
            if let Err(unfit) = self.check_clock(&programme) {
                answer(job.reply, Err(unfit));
                continue;
            }
            match self.admit_all(&programme, &job.bundle) {
                Ok(verdicts) => done.push(Progress { job, programme, verdicts }),
                // What was judged before it is not there either.
                Err(error @ EngineError::NoRoom(_)) => {
                    answer(job.reply, Err(error.clone()));
                    no_room = Some(error);
                }
                Err(error) => {
                    tracing::error!(%program, %error, "a push could not be judged");
                    // What is pending may stand on what could not be read.
                    self.stop(&error.to_string());
                    answer(job.reply, Err(error));
                }
            }
        }
        let too_early = broken::is(Variant::AckBeforeFlush);
        let committed = match no_room {
            Some(error) => Err(error),
            None if self.stopped.is_none() => self.commit(),
            None => Err(self.stopped_error()),
        };
        let outcome = if too_early { Ok(()) } else { committed };
        // Whoever hears of the records finds them closed.
        self.closing.end();
        for progress in done {
            let program = progress.programme.id();
            let head = self.programmes.get(program).unwrap_or(progress.programme).head();
            let reply = outcome.clone().map(|()| Pushed { verdicts: progress.verdicts, head });
            answer(progress.job.reply, reply);
        }
    }

    /// Nothing is recorded by a clock that is not fit, not even a rejection.
    fn check_clock(&self, programme: &Programme) -> Result<(), EngineError> {
        let last = {
            let state = &programme.published().state;
            state.today().map(|_| state.recorded_at())
        };
        let standing = self.timekeeper.check(last);
        if standing.records() { Ok(()) } else { Err(EngineError::ClockUnfit(standing)) }
    }

    /// Judges all events of a bundle; one too large for a commit is committed part by part.
    fn admit_all(
        &mut self,
        programme: &Arc<Programme>,
        bundle: &CheckedBundle,
    ) -> Result<Vec<Verdict>, EngineError> {
        let mut verdicts = Vec::new();
        let mut at = 0;
        while at < bundle.events.len() {
            // What is admitted next must fit beside what is pending: a commit over the store's limit would end all writing.
            let rest: usize =
                bundle.events[at..].iter().flatten().map(crate::check::CheckedEvent::size).sum();
            let beside = bundle.hashes.len() * ABSENT_BYTES + BUNDLE_BYTES;
            if self.pending > 0 && self.pending + beside + rest.min(COMMIT_BYTES) > COMMIT_BYTES {
                self.commit()?;
            }
            // The first part of a creation has been published by the time the second is judged.
            let programme = self.programmes.get(bundle.program).unwrap_or_else(|| Arc::clone(programme));
            let published = programme.published();
            let ground = Ground {
                log: self.log.as_ref(),
                published: &published,
                open_enrolment: self.open_enrolment,
                now: self.now(),
            };
            let working = self.working.entry(bundle.program).or_insert_with(|| Working::new(&published));
            let before = (working.records.len(), working.bundles.len());
            let (decided, next) = working.admit(&ground, bundle, at, COMMIT_BYTES)?;
            self.pending += working.records[before.0..].iter().map(StoredRecord::bytes).sum::<usize>();
            self.pending += working.bundles[before.1..].iter().map(v1::Bundle::encoded_len).sum::<usize>();
            verdicts.extend(decided);
            at = next;
        }
        Ok(verdicts)
    }

    /// The time that a record may have now: after whatever readers were told is closed.
    fn now(&self) -> Instant {
        self.closing.begin(self.clock.now())
    }

    fn stopped_error(&self) -> EngineError {
        EngineError::WritesStopped { reason: self.stopped.clone().unwrap_or_default() }
    }

    fn stop(&mut self, reason: &str) {
        tracing::error!(reason, "writes have stopped; restart the process once the cause is mended");
        self.stopped = Some(reason.to_owned());
    }

    fn commit(&mut self) -> Result<(), EngineError> {
        let mut commit = Commit::default();
        self.pending = 0;
        for (program, working) in &mut self.working {
            if working.records.is_empty() {
                continue;
            }
            commit.appends.push(Append {
                program: *program,
                records: std::mem::take(&mut working.records),
                bundles: std::mem::take(&mut working.bundles),
                head: head_of(working),
                root: working.ledger.frontier.root(),
            });
        }
        if commit.appends.is_empty() {
            return Ok(());
        }
        let events: usize = commit.appends.iter().map(|append| append.records.len()).sum();
        let programs: Vec<ProgramId> = commit.appends.iter().map(|append| append.program).collect();
        let began = std::time::Instant::now();
        if let Err(error) = self.log.commit(commit) {
            // Nothing was written: what was judged is forgotten, and the next push begins where the log ends.
            if matches!(error, LogError::NoRoom { .. }) {
                tracing::error!(%error, "a commit was refused; make room on the disk");
                self.working.clear();
                return Err(EngineError::NoRoom(error));
            }
            self.stop(&error.to_string());
            return Err(self.stopped_error());
        }
        self.meter.commit.note_time(began.elapsed());
        self.meter.records.note(u64::try_from(events).unwrap_or(u64::MAX));
        for program in programs {
            self.publish(program);
        }
        tracing::debug!(events, "appended");
        Ok(())
    }

    /// The head moves only after the flush.
    fn publish(&mut self, program: ProgramId) {
        let Some(working) = self.working.get_mut(&program) else { return };
        let programme = self.programmes.get_or_insert(program);
        let pending = std::mem::take(&mut working.pending);
        let behind = programme.publish(&pending);
        working.published();
        if behind {
            self.wake.iter().for_each(Wake::wake);
        }
    }
}

fn head_of(working: &Working) -> v1::Head {
    v1::Head {
        position: working.ledger.state.head().get(),
        recorded_at: working.ledger.state.recorded_at().micros(),
        frontier: working.ledger.frontier.hashes().iter().map(|hash| hash.bytes().to_vec()).collect(),
    }
}

fn size(bundle: &CheckedBundle) -> usize {
    bundle.events.iter().flatten().map(crate::check::CheckedEvent::size).sum()
}

fn answer<T>(reply: oneshot::Sender<Result<T, EngineError>>, outcome: Result<T, EngineError>) {
    if reply.send(outcome).is_err() {
        tracing::debug!("the caller has gone; it will ask again");
    }
}

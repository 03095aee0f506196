//! The handle that a server holds: programmes, pushes, heads.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;

use radslag_core::digest::Digest;
use radslag_core::event::Change;
use radslag_core::id::{EpochId, EventId, Position, ProgramId};
use radslag_core::record::Recorded;
use radslag_core::time::Instant;
use radslag_core::verdict::{Refusal, Verdict};
use radslag_log::{EventLog, LogError};
use radslag_proto::convert::bundle::PushedBundle;
use radslag_proto::convert::event::decode_body;
use radslag_trust::checkpoint::Checkpoint;
use radslag_trust::keys::DeviceKey;
use tokio::sync::{mpsc, oneshot, watch};

use crate::as_of::Look;
use crate::caches::Pace;
use crate::caches::behind::{self, Behind, Touch, Wake};
use crate::caches::lookup::place_of;
use crate::check::{CheckedBundle, Keys, check_bundle};
use crate::clock::{Clock, IdSource};
use crate::closing::Closing;
use crate::epoch::{NewEpoch, Opened};
use crate::ledger::{Ledger, LedgerError};
use crate::meter::Meter;
use crate::snapshots::Snapshots;
use crate::timekeeper::{Standing, Timekeeper};
use crate::writer::{Job, OpenJob, PushJob};

pub use crate::writer::{Pushed, Writer};
/// Whether a log can be followed from a place, and the steps of one who follows it.
pub use radslag_sync::exchange::Cursor;
pub use radslag_sync::feed::{Feed, Misplaced, Step, locate};

/// Why a call as a whole was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no such programme here.
    #[error("there is no programme {0} on this server")]
    ProgramNotFound(ProgramId),
    /// There is such a programme already.
    #[error("programme {0} exists already")]
    ProgramExists(ProgramId),
    /// The first event does not begin a programme here.
    #[error("the programme cannot be created: {0}")]
    CreationDenied(String),
    /// Too much is queued.
    #[error("the server has more changes queued than it takes")]
    QueueFull,
    /// A write failed; nothing more is taken until the process is restarted.
    #[error("writes have stopped: {reason}")]
    WritesStopped {
        /// What went wrong at the time.
        reason: String,
    },
    /// There is hardly any room on the disk; with room everything goes on.
    #[error("{0}")]
    NoRoom(LogError),
    /// A point after the head was asked for.
    #[error("position {asked} is after the head {head}")]
    PositionAhead {
        /// What was asked for.
        asked: Position,
        /// The head.
        head: Position,
    },
    /// The store does not answer, or what it holds does not verify.
    #[error("the log cannot be read: {0}")]
    Damaged(String),
    /// The clock is not fit to say when changes are recorded.
    #[error("nothing is recorded for now: {0}")]
    ClockUnfit(Standing),
    /// The server is shutting down.
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl From<LedgerError> for EngineError {
    fn from(error: LedgerError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<LogError> for EngineError {
    fn from(error: LogError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// A programme as its readers see it: nothing that is not on disk.
#[derive(Debug)]
pub struct Programme {
    id: ProgramId,
    // Written by the writer alone, after each commit; held for microseconds.
    published: RwLock<Ledger>,
    // Only the number travels; every subscriber reads the log at its own pace.
    head: watch::Sender<Position>,
}

impl Programme {
    pub(crate) fn empty(id: ProgramId) -> Self {
        Self::new(Ledger::kept(id, Pace::MEASURED))
    }

    fn new(ledger: Ledger) -> Self {
        let head = watch::Sender::new(ledger.state.head());
        Self { id: ledger.state.program_id(), published: RwLock::new(ledger), head }
    }

    /// Which programme.
    pub const fn id(&self) -> ProgramId {
        self.id
    }

    /// What is on disk, in memory.
    pub fn published(&self) -> RwLockReadGuard<'_, Ledger> {
        self.published.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last record.
    pub fn head(&self) -> Position {
        *self.head.borrow()
    }

    /// Tells of every new head.
    pub fn watch(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }

    /// Shows what is on disk now; says whether something waits to be written behind it.
    pub(crate) fn publish(&self, pending: &[(Recorded, Digest)]) -> bool {
        let mut published = self.published.write().unwrap_or_else(PoisonError::into_inner);
        for (record, leaf) in pending {
            published.note(record, *leaf);
        }
        let (head, behind) = (published.state.head(), published.is_behind());
        drop(published);
        self.head.send_replace(head);
        behind
    }
}

impl Look for Programme {
    fn look<T>(&self, ask: impl FnOnce(&Ledger) -> T) -> T {
        ask(&self.published())
    }
}

impl Touch for &Programme {
    fn touch<T>(&mut self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        change(&mut self.published.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// All programmes of a store.
#[derive(Debug, Default)]
pub(crate) struct Programmes(RwLock<BTreeMap<ProgramId, Arc<Programme>>>);

impl Programmes {
    pub(crate) fn get(&self, id: ProgramId) -> Option<Arc<Programme>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    pub(crate) fn get_or_insert(&self, id: ProgramId) -> Arc<Programme> {
        let mut programmes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(programmes.entry(id).or_insert_with(|| Arc::new(Programme::empty(id))))
    }

    fn all(&self) -> Vec<Arc<Programme>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// What an engine is told at the start.
pub struct Options {
    /// Whether devices may enrol themselves: on loopback only.
    pub open_enrolment: bool,
    /// How many pushes may wait.
    pub queue: usize,
    /// The key that signs checkpoints.
    pub log_key: DeviceKey,
}

/// The writer and the published programmes.
pub struct Engine {
    log: Arc<dyn EventLog>,
    programmes: Arc<Programmes>,
    // Taken away at close, so that the writer drains its queue and ends.
    queue: std::sync::Mutex<Option<mpsc::Sender<Job>>>,
    writer: std::sync::Mutex<Option<JoinHandle<()>>>,
    log_key: DeviceKey,
    keys: Arc<Keys>,
    open_enrolment: bool,
    clock: Arc<dyn Clock>,
    snapshots: Snapshots,
    timekeeper: Arc<Timekeeper>,
    // Closed after the writer: it writes what the writer left.
    behind: std::sync::Mutex<Option<Behind>>,
    closing: Arc<Closing>,
    meter: Arc<Meter>,
}

impl Engine {
    /// Opens every programme of a store and starts the writer.
    ///
    /// # Errors
    /// The store does not answer, or what it holds does not add up.
    pub fn open(
        log: Arc<dyn EventLog>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Self, EngineError> {
        let (engine, mut writer) = Self::open_by_hand(log, clock, options)?;
        writer.wake = engine.start_behind()?;
        let spawned = std::thread::Builder::new().name("writer".to_owned()).spawn(move || writer.run());
        let thread =
            spawned.map_err(|error| EngineError::Damaged(format!("no thread for the writer: {error}")))?;
        *engine.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(engine)
    }

    /// Opens every programme of a store and leaves the writer to the caller, who turns it.
    ///
    /// # Errors
    /// As for [`Engine::open`].
    pub fn open_by_hand(
        log: Arc<dyn EventLog>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<(Self, Writer), EngineError> {
        let programmes = Arc::new(Programmes::default());
        for program in log.programs()? {
            let ledger = Ledger::open(log.as_ref(), program)?;
            tracing::info!(%program, position = ledger.state.head().get(), "opened");
            let mut all = programmes.0.write().unwrap_or_else(PoisonError::into_inner);
            all.insert(program, Arc::new(Programme::new(ledger)));
        }
        let newest = programmes.all().iter().map(|programme| programme.published().state.recorded_at()).max();
        let timekeeper = Arc::new(Timekeeper::begin(Arc::clone(&clock), newest));
        let (sender, queue) = mpsc::channel(options.queue);
        let closing = Arc::new(Closing::default());
        let meter = Arc::new(Meter::default());
        let writer = Writer {
            queue,
            pending: 0,
            log: Arc::clone(&log),
            clock: Arc::clone(&clock),
            programmes: Arc::clone(&programmes),
            open_enrolment: options.open_enrolment,
            working: HashMap::new(),
            stopped: None,
            timekeeper: Arc::clone(&timekeeper),
            wake: None,
            closing: Arc::clone(&closing),
            meter: Arc::clone(&meter),
        };
        let engine = Self {
            log,
            programmes,
            queue: std::sync::Mutex::new(Some(sender)),
            writer: std::sync::Mutex::new(None),
            log_key: options.log_key,
            keys: Arc::default(),
            open_enrolment: options.open_enrolment,
            clock,
            snapshots: Snapshots::default(),
            timekeeper,
            behind: std::sync::Mutex::new(None),
            closing,
            meter,
        };
        Ok((engine, writer))
    }

    /// Starts the thread that writes the caches. It begins with reading the index, so that no push waits for that.
    fn start_behind(&self) -> Result<Option<Wake>, EngineError> {
        let (log, programmes) = (Arc::clone(&self.log), Arc::clone(&self.programmes));
        let behind = Behind::start(move |closing| write_behind(log.as_ref(), &programmes, closing));
        let behind = behind.map_err(|error| {
            EngineError::Damaged(format!("no thread for what is written behind: {error}"))
        })?;
        let wake = behind.wake();
        wake.iter().for_each(Wake::wake);
        *self.behind.lock().unwrap_or_else(PoisonError::into_inner) = Some(behind);
        Ok(wake)
    }

    /// Writes what is due behind the log now, for an engine without a thread for it.
    ///
    /// # Errors
    /// The store does not take it.
    pub fn write_behind(&self) -> Result<(), EngineError> {
        Ok(write_behind(self.log.as_ref(), &self.programmes, false)?)
    }

    /// The store.
    pub fn log(&self) -> &Arc<dyn EventLog> {
        &self.log
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Who keeps watch over the clock.
    pub fn timekeeper(&self) -> &Timekeeper {
        &self.timekeeper
    }

    /// What is so of the clock, for the log of one programme or for the newest of all.
    pub fn clock_standing(&self, programme: Option<&Programme>) -> Standing {
        let last = |programme: &Programme| {
            let state = &programme.published().state;
            state.today().map(|_| state.recorded_at())
        };
        let newest = || self.programmes.all().iter().filter_map(|programme| last(programme)).max();
        self.timekeeper.standing(programme.map_or_else(newest, last))
    }

    /// Up to when no record will come any more in a programme: every later one gets a later `recorded_at`.
    pub fn closed_to(&self, programme: &Programme) -> Instant {
        // The published end comes after the time was taken, never before: what is closed grows with both.
        let now = self.clock.now();
        // A clock that may not say when changes are recorded may not say until when there are none either.
        let fit = self.clock_standing(Some(programme)).records();
        let last = programme.published().state.recorded_at();
        self.closing.closed_to(last, if fit { now } else { last })
    }

    /// What the writer has done so far, in numbers.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// How many pushes wait for the writer.
    pub fn queued(&self) -> usize {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }

    pub(crate) const fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    pub(crate) const fn key(&self) -> &DeviceKey {
        &self.log_key
    }

    /// The public key that checkpoints are signed with.
    pub fn log_key(&self) -> [u8; 32] {
        *self.log_key.public().bytes()
    }

    /// Whether devices may enrol themselves.
    pub const fn open_enrolment(&self) -> bool {
        self.open_enrolment
    }

    /// All programmes, by id.
    pub fn programmes(&self) -> Vec<Arc<Programme>> {
        self.programmes.all()
    }

    /// One programme.
    ///
    /// # Errors
    /// There is none with this id.
    pub fn programme(&self, id: ProgramId) -> Result<Arc<Programme>, EngineError> {
        self.programmes.get(id).ok_or(EngineError::ProgramNotFound(id))
    }

    /// A checkpoint of what is published.
    pub fn checkpoint(&self, programme: &Programme) -> String {
        let published = programme.published();
        let checkpoint = Checkpoint {
            program: programme.id(),
            epoch: published.state.epoch(),
            size: published.frontier.size(),
            root: published.frontier.root(),
        };
        drop(published);
        checkpoint.sign(&self.log_key)
    }

    /// Hands in a bundle. Acknowledged means on disk.
    ///
    /// # Errors
    /// About the call as a whole; an event's fate is in its verdict.
    pub async fn push(&self, bundle: PushedBundle) -> Result<Pushed, EngineError> {
        let programme = self.programme(bundle.program)?;
        let enrolled = programme.published().key_of(bundle.device);
        self.submit(bundle, enrolled, Some(programme)).await
    }

    /// Begins a programme. A retry gets the same receipts.
    ///
    /// # Errors
    /// As for [`Engine::push`]; also when the programme exists or its first event does not begin one here.
    pub async fn create(&self, bundle: PushedBundle) -> Result<Pushed, EngineError> {
        let first = bundle.events.first().map(|event| decode_body(&event.body_bytes));
        let Some(Ok(body)) = first else {
            return Err(EngineError::CreationDenied("the first event cannot be read".to_owned()));
        };
        let Change::ProgramCreated { log_key, rules, .. } = &body.change else {
            return Err(EngineError::CreationDenied("the first event is not a ProgramCreated".to_owned()));
        };
        if let Some(programme) = self.programmes.get(bundle.program) {
            if place_of(self.log.as_ref(), programme.as_ref(), body.event_id)?.is_none() {
                return Err(EngineError::ProgramExists(bundle.program));
            }
            let enrolled = programme.published().key_of(bundle.device);
            return self.submit(bundle, enrolled, Some(programme)).await;
        }
        if *log_key != self.log_key() || *rules != radslag_core::judge::RULES {
            return Err(EngineError::CreationDenied(
                "it names another log key or other rules than this server's".to_owned(),
            ));
        }
        self.submit(bundle, None, None).await
    }

    async fn submit(
        &self,
        bundle: PushedBundle,
        enrolled: Option<[u8; 32]>,
        programme: Option<Arc<Programme>>,
    ) -> Result<Pushed, EngineError> {
        let head = programme.as_ref().map_or(Position::ZERO, |programme| programme.head());
        // A stranger gets no signature checked and no place in the queue.
        let stranger = enrolled.is_none() && !self.open_enrolment && bundle.checkpoints.is_empty();
        if let Some(programme) = programme.as_ref().filter(|_| stranger)
            && enrols_anew(self.log.as_ref(), &bundle, programme)?
        {
            return Ok(Pushed { verdicts: vec![Verdict::Refused(Refusal::EnrolmentClosed)], head });
        }
        let checked = match check(bundle, enrolled, self.log_key(), &self.keys).await {
            Ok(checked) => checked,
            Err(refusal) => return Ok(Pushed { verdicts: vec![Verdict::Refused(refusal)], head }),
        };
        let queued = std::time::Instant::now();
        let answer = self.enqueue(checked, programme)?;
        let pushed = answer.await.unwrap_or(Err(EngineError::ShuttingDown))?;
        self.meter.append.note_time(queued.elapsed());
        Ok(pushed)
    }

    /// Queues a checked bundle for the writer. Without a programme it begins one. The answer comes once the writer has had
    /// its turn; where it is dropped instead, nothing is known of the push.
    ///
    /// # Errors
    /// The queue is full, or the engine is closing.
    pub fn enqueue(
        &self,
        bundle: CheckedBundle,
        programme: Option<Arc<Programme>>,
    ) -> Result<oneshot::Receiver<Result<Pushed, EngineError>>, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.queue(Job::Push(PushJob { bundle, programme, reply }))?;
        Ok(answer)
    }

    fn queue(&self, job: Job) -> Result<(), EngineError> {
        let sender = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match sender.ok_or(EngineError::ShuttingDown)?.try_send(job) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(EngineError::QueueFull),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(EngineError::ShuttingDown),
        }
    }

    /// Opens an epoch at the end of a log: the first thing to do after a restore, before anything else is taken. Once it
    /// is answered it is on disk. Called twice, it opens two.
    ///
    /// # Errors
    /// There is no such programme, its log was begun with another key, or the store does not take it.
    pub async fn open_epoch(&self, program: ProgramId, ids: &dyn IdSource) -> Result<Opened, EngineError> {
        let event = EventId::new(ids.event_id(self.clock.now()));
        let answer = self.enqueue_epoch(program, NewEpoch { event, epoch: EpochId::new(ids.random_id()) })?;
        answer.await.unwrap_or(Err(EngineError::ShuttingDown))
    }

    /// Queues the opening of an epoch for the writer, as [`Engine::enqueue`] does a bundle.
    ///
    /// # Errors
    /// There is no such programme, the queue is full, or the engine is closing.
    pub fn enqueue_epoch(
        &self,
        program: ProgramId,
        new: NewEpoch,
    ) -> Result<oneshot::Receiver<Result<Opened, EngineError>>, EngineError> {
        let programme = self.programme(program)?;
        let (reply, answer) = oneshot::channel();
        self.queue(Job::OpenEpoch(OpenJob { programme, new, log_key: self.log_key.clone(), reply }))?;
        Ok(answer)
    }

    /// Takes no more pushes, lets the writer finish what is queued, and waits for it. May be called twice.
    pub fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && writer.join().is_err()
        {
            tracing::error!("the writer ended badly");
        }
        if let Some(mut behind) = self.behind.lock().unwrap_or_else(PoisonError::into_inner).take() {
            behind.close();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

fn write_behind(log: &dyn EventLog, programmes: &Programmes, closing: bool) -> Result<(), LedgerError> {
    for programme in programmes.all() {
        if !closing {
            programme.look(|ledger| ledger.far.clone()).warm(log)?;
            behind::mend(log, programme.as_ref())?;
        }
        behind::write(log, &mut programme.as_ref(), closing)?;
    }
    Ok(())
}

/// Whether a bundle begins with the enrolment of its device, and that was not handed in before.
fn enrols_anew(
    log: &dyn EventLog,
    bundle: &PushedBundle,
    programme: &Programme,
) -> Result<bool, EngineError> {
    let first = bundle.events.first().and_then(|event| decode_body(&event.body_bytes).ok());
    let Some(body) = first.filter(|body| matches!(body.change, Change::DeviceEnrolled { .. })) else {
        return Ok(false);
    };
    Ok(place_of(log, programme, body.event_id)?.is_none())
}

/// Signatures and digests of a large bundle are work for a thread of its own; those of a small one are not worth the way.
async fn check(
    bundle: PushedBundle,
    enrolled: Option<[u8; 32]>,
    log_key: [u8; 32],
    keys: &Arc<Keys>,
) -> Result<CheckedBundle, Refusal> {
    if bundle.events.len() <= 8 {
        return check_bundle(bundle, enrolled, &log_key, keys);
    }
    let keys = Arc::clone(keys);
    let checked = tokio::task::spawn_blocking(move || check_bundle(bundle, enrolled, &log_key, &keys)).await;
    checked.unwrap_or_else(|_| Err(Refusal::Undecodable("the check of the bundle was cut short".to_owned())))
}

//! A replica: the confirmed log, the outbox, and the view of both.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use radslag_core::command::Draft;
use radslag_core::digest::Digest;
use radslag_core::event::{Base, EventBody};
use radslag_core::id::{DeviceSeq, EventId, Position};
use radslag_core::judge::{self, MemoryPast, Past};
use radslag_core::record::{Entry, First, Recorded};
use radslag_core::rejection::Rejection;
use radslag_core::state::State;
use radslag_core::time::{CivilDate, Instant};
use radslag_core::value::{Value, ValueRef, Values};
use radslag_engine::caches::behind;
use radslag_engine::clock::{Clock, IdSource, day_of};
use radslag_engine::ledger::Ledger;
use radslag_engine::past::LogPast;
use radslag_log::{Commit, EventLog, RowKey, RowKind};
use radslag_log_sled::{OpenOptions, SledLog};
use radslag_proto::api::v1::SignedEvent;
use radslag_proto::convert::event::decode_body;
use radslag_proto::convert::value::decode_values;
use radslag_proto::log::v1::QuarantinedEvent;
use radslag_trust::keys::DeviceKey;

use crate::author::{Act, Authored, Chain, author};
use crate::error::ClientError;
use crate::fork::{Keys, is_current, row_number};
use crate::parted::{LostNumbers, LostTail};
use crate::quarantine::{Cause, Refused};
use crate::settings::{self, FOLDER, Settings};
use crate::snapshot::{self, Provisional};

/// How long a command waits for another one that holds the store.
const PATIENCE: Duration = Duration::from_secs(5);

/// A municipality's replica, opened.
pub struct Replica {
    /// The folder that holds `.radslag`.
    pub dir: PathBuf,
    /// Who it is.
    pub settings: Settings,
    /// Its key.
    pub key: DeviceKey,
    /// The confirmed log.
    pub log: Arc<dyn EventLog>,
    /// The confirmed programme.
    pub ledger: Ledger,
    /// Set while the history before the snapshot that it began from is missing.
    pub provisional: Option<Provisional>,
    /// What waits to be pushed, in order.
    pub outbox: Vec<Authored>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Ids and salts.
    pub ids: Arc<dyn IdSource>,
    /// Which rows of the store are this device's outbox.
    pub(crate) generation: u64,
    /// Where keys are kept.
    pub(crate) keys: Keys,
    // What a restored log lacks, and the own numbers that stood there.
    pub(crate) lost: Vec<LostTail>,
    pub(crate) lost_numbers: Option<LostNumbers>,
    // The log without what stands in for a history that is missing: gapless from 1, and the rows.
    disk: Arc<dyn EventLog>,
    // Kept apart so that closing can be waited for; none where somebody else keeps the log.
    store: Option<Arc<SledLog>>,
}

/// An own event that will not land, with everything that was typed.
#[derive(Clone, Debug)]
pub struct Quarantined {
    /// Its number in the quarantine.
    pub number: u64,
    /// What it says.
    pub body: EventBody,
    /// The values beside it.
    pub values: Vec<Value>,
    /// Why, by name.
    pub reason: String,
    /// Why, in words.
    pub detail: String,
    /// Whether it is a record of the log, rejected; else the server refused it.
    pub rejected: bool,
    /// The sides that the field had, where the reason is staleness.
    pub current_sides: Vec<EventId>,
    /// When it came here, where that is known.
    pub since: Option<Instant>,
    /// The own event that it builds on and that will not land either.
    pub cause: Option<Cause>,
    /// Where the refusal began; none for a rejection.
    pub refused_from: Option<Refused>,
}

/// The programme as the replica shows it, or as it did when a form was opened.
pub struct View<'a> {
    pub(crate) replica: &'a Replica,
    /// What whoever looks at it has seen: the base of what is written in sight of it.
    pub base: Base,
    /// The last confirmed record in it.
    pub confirmed: Position,
    /// Confirmed and queued changes, folded.
    pub state: State,
    /// The queued changes as they would be recorded.
    pub queued: Vec<Recorded>,
    /// Queued changes that the rules would decline as things stand.
    pub doubtful: Vec<(EventId, Rejection)>,
    pub(crate) overlay: MemoryPast,
}

impl Values for View<'_> {
    fn bytes(&self, at: ValueRef) -> Option<Vec<u8>> {
        self.past(|past| past.bytes(at))
    }
}

impl Past for View<'_> {
    fn record(&self, event: EventId) -> Option<Recorded> {
        self.past(|past| past.record(event))
    }
}

impl<'a> View<'a> {
    /// A view that shows `state`, for now without anything queued.
    pub(crate) fn on(replica: &'a Replica, base: Base, state: State) -> Self {
        Self {
            replica,
            base,
            confirmed: state.head(),
            state,
            queued: Vec::new(),
            doubtful: Vec::new(),
            overlay: MemoryPast::default(),
        }
    }

    fn past<T>(&self, ask: impl FnOnce(&LogPast<'_>) -> T) -> T {
        ask(&LogPast {
            log: self.replica.log.as_ref(),
            program: self.replica.settings.program,
            index: &self.replica.ledger.index,
            far: &self.replica.ledger.far,
            overlay: &self.overlay,
        })
    }

    /// The day that the view is shown for: today, so that what was decided for a day applies from that day on, whether or not
    /// anybody writes. A clock that is behind is taken no further back than the last record.
    pub fn day(&self) -> CivilDate {
        let today = day_of(self.replica.clock.now());
        self.state.today().map_or(today, |last| last.max(today))
    }

    /// Judges a queued event as if it landed next and takes it into the view.
    ///
    /// # Errors
    /// The rules would decline it.
    pub(crate) fn take(&mut self, event: &Authored) -> Result<(), Rejection> {
        self.take_as(event, None)
    }

    /// As [`View::take`], for one that stood in the log before a restore.
    pub(crate) fn take_as(&mut self, event: &Authored, first: Option<First>) -> Result<(), Rejection> {
        for value in &event.values {
            self.overlay.values.insert(event.body.event_id, value.slot, value.bytes.clone());
        }
        self.land(&event.body, event.hash, first)
    }

    /// As [`View::take`], for an event whose values are where the view finds them.
    ///
    /// # Errors
    /// The rules would decline it.
    pub(crate) fn land(
        &mut self,
        body: &EventBody,
        hash: Digest,
        first: Option<First>,
    ) -> Result<(), Rejection> {
        let last = self.state.recorded_at();
        let now = self.replica.clock.now();
        let recorded_at = if now > last { now } else { Instant::from_micros(last.micros() + 1) };
        let landing = judge::Landing {
            position: self.state.head().next(),
            recorded_at,
            recorded_on: day_of(recorded_at),
            authored_on: day_of(body.authored_at),
            first: first.filter(|first| self.state.lost(*first)),
        };
        let facts = judge::judge(&self.state, &*self, body, landing)?;
        let record = Recorded {
            position: landing.position,
            recorded_at,
            event_id: body.event_id,
            body_hash: hash,
            entry: Entry::Accepted { body: Box::new(body.clone()), facts },
        };
        self.state.apply(&record);
        self.overlay.records.insert(body.event_id, record.clone());
        self.queued.push(record);
        Ok(())
    }
}

/// The folder of the replica that holds `from`, going upward.
///
/// # Errors
/// There is none.
pub fn find(from: &Path) -> Result<PathBuf, ClientError> {
    let start = fs::canonicalize(from).map_err(|source| ClientError::Io { path: from.to_owned(), source })?;
    let found = start.ancestors().find(|dir| dir.join(FOLDER).join("replica.toml").is_file());
    found.map(Path::to_owned).ok_or(ClientError::NoReplica(start))
}

impl Replica {
    /// Makes a replica's folder with its settings and key, and opens it. Nothing is asked of the server.
    ///
    /// # Errors
    /// There is one already, or the folder cannot be written.
    pub fn make(
        dir: &Path,
        settings: &Settings,
        key: &DeviceKey,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Result<Self, ClientError> {
        let folder = dir.join(FOLDER);
        if folder.exists() {
            return Err(ClientError::ReplicaExists(dir.to_owned()));
        }
        let made = fs::create_dir_all(&folder);
        made.map_err(|source| ClientError::Io { path: folder.clone(), source })?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let private = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
            private.map_err(|source| ClientError::Io { path: folder.clone(), source })?;
        }
        settings::save_key(&folder, key)?;
        settings.save(&folder)?;
        Self::open(dir, clock, ids)
    }

    /// Opens the replica in `dir`. Waits a little for another command that uses it.
    ///
    /// # Errors
    /// There is none, it is in use, or its store does not add up.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Result<Self, ClientError> {
        Self::open_again(dir, clock, ids, None)
    }

    /// Opens the replica in `dir` once more; where it has not moved since, the programme is not read anew.
    ///
    /// # Errors
    /// As for [`Replica::open`].
    pub fn open_again(
        dir: &Path,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        known: Option<Ledger>,
    ) -> Result<Self, ClientError> {
        let folder = dir.join(FOLDER);
        let settings = Settings::load(&folder)?;
        let key = settings::load_key(&folder)?;
        let options = OpenOptions { wait: PATIENCE, ..OpenOptions::default() };
        let store = Arc::new(SledLog::open(&folder.join("store"), options)?);
        let log: Arc<dyn EventLog> = Arc::clone(&store) as Arc<dyn EventLog>;
        let keys = Keys::Folder(folder);
        let mut replica = Self::begin_on(log, settings, key, keys, clock, ids, known)?;
        dir.clone_into(&mut replica.dir);
        replica.store = Some(store);
        Ok(replica)
    }

    /// Opens a replica on a log that somebody else keeps, without a folder.
    ///
    /// # Errors
    /// What the log holds does not add up.
    pub fn on(
        log: Arc<dyn EventLog>,
        settings: Settings,
        key: DeviceKey,
        keys: Keys,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Result<Self, ClientError> {
        Self::begin_on(log, settings, key, keys, clock, ids, None)
    }

    fn begin_on(
        log: Arc<dyn EventLog>,
        settings: Settings,
        key: DeviceKey,
        keys: Keys,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        known: Option<Ledger>,
    ) -> Result<Self, ClientError> {
        let disk = log;
        let snapshot::Opened { log, ledger, provisional } = snapshot::open(&disk, settings.program, known)?;
        let (dir, outbox, generation, store) = (PathBuf::new(), Vec::new(), 0, None);
        let mut replica = Self {
            dir,
            settings,
            key,
            log,
            ledger,
            provisional,
            outbox,
            clock,
            ids,
            generation,
            keys,
            lost: Vec::new(),
            lost_numbers: None,
            disk,
            store,
        };
        replica.follow_device()?;
        replica.outbox = replica.read_outbox()?;
        replica.lost = replica.read_lost()?;
        replica.lost_numbers = replica.read_lost_numbers()?;
        Ok(replica)
    }

    /// Closes the store and waits until it is closed.
    ///
    /// # Errors
    /// The last write failed.
    pub fn close(self) -> Result<(), ClientError> {
        self.close_and_keep().map(|_| ())
    }

    /// Closes the store, and keeps the programme for [`Replica::open_again`].
    ///
    /// # Errors
    /// The last write failed.
    pub fn close_and_keep(mut self) -> Result<Ledger, ClientError> {
        self.write_behind(true);
        let Self { log, store, disk, provisional, ledger, .. } = self;
        drop((log, disk, provisional));
        // Where somebody still reads, the store closes with the last reader; one that is not ours is not closed here.
        if let Some(Ok(store)) = store.map(Arc::try_unwrap) {
            store.close()?;
        }
        Ok(ledger)
    }

    /// Writes the caches of the log that are due. One that cannot be written is made when it is missed.
    pub(crate) fn write_behind(&mut self, closing: bool) {
        behind::keep(self.disk.as_ref(), &mut self.ledger, closing);
    }

    /// The store itself, which holds nothing but whole histories from the first record on.
    pub(crate) const fn disk(&self) -> &Arc<dyn EventLog> {
        &self.disk
    }

    fn read_outbox(&self) -> Result<Vec<Authored>, ClientError> {
        let mut outbox = Vec::new();
        let rows = self.log.rows(self.settings.program, RowKind::Outbox)?.into_iter();
        for (number, bytes) in rows.filter(|(number, _)| is_current(self.generation, *number)) {
            let bad =
                |what: String| ClientError::Unverified(format!("outbox row {number} is damaged: {what}"));
            let row = SignedEvent::decode(bytes.as_slice()).map_err(|error| bad(error.to_string()))?;
            let body = decode_body(&row.body).map_err(|error| bad(error.to_string()))?;
            let values = decode_values(&row.values).map_err(|error| bad(error.to_string()))?;
            let hash = Digest::of(&row.body);
            outbox.push(Authored { body, bytes: row.body, hash, values });
        }
        Ok(outbox)
    }

    /// The key of an outbox row.
    pub fn outbox_row(&self, seq: DeviceSeq) -> RowKey {
        let number = row_number(self.generation, seq);
        RowKey { program: self.settings.program, kind: RowKind::Outbox, number }
    }

    /// The own events that will not land, oldest first.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn quarantine(&self) -> Result<Vec<(u64, QuarantinedEvent)>, ClientError> {
        let rows = self.log.rows(self.settings.program, RowKind::Quarantine)?;
        let read = rows.into_iter().map(|(number, bytes)| {
            let row = QuarantinedEvent::decode(bytes.as_slice());
            row.map(|row| (number, row)).map_err(|error| {
                ClientError::Unverified(format!("quarantine row {number} is damaged: {error}"))
            })
        });
        read.collect()
    }

    /// The bodies of the own events that will not land, with the reason and the text that came with it, and whether there
    /// is a record of the rejection.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn quarantined(&self) -> Result<Vec<Quarantined>, ClientError> {
        let mut found = Vec::new();
        for (number, row) in self.quarantine()? {
            let bad = |what: String| ClientError::Unverified(format!("quarantine row {number}: {what}"));
            let body = decode_body(&row.body).map_err(|error| bad(error.to_string()))?;
            let values = decode_values(&row.values).map_err(|error| bad(error.to_string()))?;
            let cause = EventId::from_slice(&row.because_of).map(|event| Cause { event, why: row.cause });
            found.push(Quarantined {
                number,
                body,
                values,
                reason: row.reason,
                detail: row.detail,
                rejected: row.position > 0,
                current_sides: row.current_sides.iter().filter_map(|id| EventId::from_slice(id)).collect(),
                since: (row.since > 0).then(|| Instant::from_micros(row.since)),
                cause,
                refused_from: EventId::from_slice(&row.refused_first)
                    .map(|event| Refused { event, seq: DeviceSeq::new(row.refused_from) }),
            });
        }
        Ok(found)
    }

    /// The view: confirmed and queued changes, folded.
    pub fn view(&self) -> View<'_> {
        self.view_on(self.ledger.state.clone())
    }

    /// What is being looked at now: the base of whatever is edited in sight of it.
    pub fn base(&self) -> Base {
        Base { epoch: self.ledger.state.epoch(), position: self.ledger.state.head(), seq: self.chain().seq }
    }

    pub(crate) fn chain(&self) -> Chain {
        let confirmed = self.confirmed_chain();
        let queued = self.outbox.last().map(|last| Chain { seq: last.body.device_seq, hash: last.hash });
        let last = confirmed.into_iter().chain(queued).max_by_key(|chain| chain.seq);
        last.unwrap_or(Chain { seq: DeviceSeq::ZERO, hash: radslag_core::digest::Digest::ZERO })
    }

    /// Queues changes: gives them their envelopes, judges them as if they landed now, and writes them down. All or none.
    ///
    /// # Errors
    /// The rules would decline one, one is too large, or the store does not take them; then nothing is queued.
    pub fn queue(
        &mut self,
        base: Base,
        drafts: Vec<Draft>,
        act: &Act,
        grouped: bool,
    ) -> Result<Vec<EventId>, ClientError> {
        let now = self.clock.now();
        let chain = self.chain();
        let events = author(&self.settings, self.ids.as_ref(), now, base, chain, drafts, act, grouped)?;
        let mut view = self.view();
        for event in &events {
            self.check_own(event)?;
            view.take(event).map_err(|rejection| ClientError::Rejected(Box::new(rejection)))?;
        }
        let rows = events.iter().map(|event| self.put_outbox(event)).collect();
        self.log.commit(Commit { appends: Vec::new(), rows })?;
        let ids = events.iter().map(|event| event.body.event_id).collect();
        self.outbox.extend(events);
        Ok(ids)
    }
}

//! A programme in memory, as its log makes it: the folded state, the fences, the Merkle frontier and where each event
//! stands. The writer grows one, a replica rebuilds and verifies one; both take a record in through the same door.

use std::collections::{BTreeMap, HashMap};
use std::iter::Peekable;

use radslag_core::digest::Digest;
use radslag_core::event::{Change, EventBody};
use radslag_core::field::FieldKey;
use radslag_core::fold;
use radslag_core::id::{DeviceId, EventId, Position, ProgramId};
use radslag_core::judge::{self, MemoryPast, Past};
use radslag_core::record::{Entry, Facts, Recorded, RejectedFacts};
use radslag_core::state::{Keep, State};
use radslag_core::value::Value;
use radslag_core::verdict::Landing;
use radslag_log::{EventLog, LogError, ReadLimit};
use radslag_proto::convert::bundle::{LandedBundle, decode_landed_bundle};
use radslag_proto::convert::record::decode_record;
use radslag_proto::log::v1;
use radslag_sync::fence::{Fences, Passage};
use radslag_trust::bundle::verify_bundle;
use radslag_trust::keys::{PublicKey, Signature};
use radslag_trust::leaf::{LeafOutcome, LogLeaf};
use radslag_trust::merkle::Frontier;
use radslag_trust::value::check_values;

use crate::caches::far::Far;
use crate::caches::journal::{self, Journal};
use crate::check::key_in;
use crate::clock::day_of;
use crate::epoch::{self, is_the_logs_own};
use crate::past::{Index, LogPast};

/// Why a log was not taken as it is.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store did not answer.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What the log says cannot be what was recorded.
    #[error("the log failed verification at position {position}: {what}")]
    Forged {
        /// Where.
        position: Position,
        /// What does not hold.
        what: String,
    },
}

pub(crate) fn forged(position: Position, what: impl Into<String>) -> LedgerError {
    LedgerError::Forged { position, what: what.into() }
}

/// How many records one read of a replay asks for.
const REPLAY: ReadLimit = ReadLimit { records: 2_000, bytes: 1 << 20 };

/// A programme in memory.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// The folded state.
    pub state: State,
    /// Every device's chain.
    pub fences: Fences,
    /// The Merkle tree's frontier.
    pub frontier: Frontier,
    /// Where accepted events stand: all of them, or with a journal those that are in no whole chunk on disk or that the state refers to.
    pub index: Index,
    /// Where rejected events stand, by body; with a journal those that are in no whole chunk on disk.
    pub reused: HashMap<Digest, Position>,
    /// As [`Ledger::reused`], by id, the first of each.
    pub declined: Index,
    /// What landing meant, for the records that did not land clean: a receipt is the same for ever. With a journal those that are in
    /// no whole chunk on disk.
    pub unclean: BTreeMap<Position, Landing>,
    /// Where the events of whole chunks on disk stand.
    pub far: Far,
    /// What waits to be written behind the log; none for a ledger that is not kept on disk.
    pub journal: Option<Box<Journal>>,
    /// The last record that was taken from a snapshot, and not from the log; zero where everything was folded.
    pub begun_after: Position,
}

impl Ledger {
    /// A programme before its first record.
    pub fn new(program: ProgramId) -> Self {
        Self {
            state: State::new(program, Keep::Sides),
            fences: Fences::default(),
            frontier: Frontier::new(),
            index: HashMap::new(),
            reused: HashMap::new(),
            declined: HashMap::new(),
            unclean: BTreeMap::new(),
            far: Far::default(),
            journal: None,
            begun_after: Position::ZERO,
        }
    }

    /// Takes in the next record.
    pub fn note(&mut self, record: &Recorded, leaf: Digest) {
        let backdated = self.journal.as_ref().map(|_| journal::backdated(&self.state, record));
        self.state.apply(record);
        let landing = record.body().map_or(Landing::Clean, |body| landing(&self.state, body));
        match landing {
            Landing::Clean | Landing::Unsaid => {}
            unclean @ (Landing::OpenedConflict | Landing::AppliedToRetired) => {
                self.unclean.insert(record.position, unclean);
            }
        }
        let state = &self.state;
        self.fences.note(record, |base| state.clamp(base));
        self.frontier.append(leaf);
        self.remember(record);
        if let (Some(journal), Some(backdated)) = (&mut self.journal, backdated) {
            journal.note(record, landing, backdated);
        }
    }

    /// Rebuilds a programme from its store and compares the Merkle frontier that comes out with the one stored.
    ///
    /// # Errors
    /// The store does not answer, a record does not read, or the frontiers differ.
    pub fn replay(log: &dyn EventLog, program: ProgramId) -> Result<Self, LedgerError> {
        let mut ledger = Self::new(program);
        ledger.replay_on(log)?;
        Ok(ledger)
    }

    /// As [`Ledger::replay`], from the record after those that are here already.
    ///
    /// # Errors
    /// As for [`Ledger::replay`].
    pub fn replay_on(&mut self, log: &dyn EventLog) -> Result<(), LedgerError> {
        self.replay_in_steps(log, u64::MAX, None, |_| ())
    }

    /// As [`Ledger::replay_on`], up to a record, without comparing the frontier: the store has that of its end alone.
    ///
    /// # Errors
    /// As for [`Ledger::replay`].
    pub fn replay_to(&mut self, log: &dyn EventLog, last: Position) -> Result<(), LedgerError> {
        self.replay_in_steps(log, u64::MAX, Some(last), |_| ())
    }

    /// As [`Ledger::replay_on`], or [`Ledger::replay_to`] where there is a last record; `pause` has its turn about every so many records, and at the end.
    ///
    /// # Errors
    /// As for [`Ledger::replay`].
    pub(crate) fn replay_in_steps(
        &mut self,
        log: &dyn EventLog,
        stride: u64,
        last: Option<Position>,
        mut pause: impl FnMut(&mut Self),
    ) -> Result<(), LedgerError> {
        let program = self.state.program_id();
        let mut paused = self.state.head();
        let mut signatures = Signatures::default();
        let end = last.unwrap_or(Position::new(u64::MAX));
        while self.state.head() < end {
            let records = log.read(program, self.state.head().next(), REPLAY)?;
            if records.is_empty() {
                break;
            }
            for stored in records.iter().filter(|stored| stored.position <= end.get()) {
                let record = read_record(stored)?;
                let signature = signatures.of(log, program, stored)?;
                let leaf = leaf_hash(&record, &signature);
                self.note(&record, leaf);
                if self.state.head().get() - paused.get() >= stride {
                    paused = self.state.head();
                    pause(self);
                }
            }
        }
        if last.is_none() {
            self.compare_frontier(log)?;
        }
        pause(self);
        Ok(())
    }

    /// Whether a store ends where this programme does, with the same records behind it.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn is_that_of(&self, log: &dyn EventLog) -> Result<bool, LedgerError> {
        let head = log.head(self.state.program_id())?;
        let stored: Vec<&[u8]> = head.iter().flat_map(|head| &head.frontier).map(Vec::as_slice).collect();
        let own: Vec<&[u8]> = self.frontier.hashes().iter().map(|hash| hash.bytes().as_slice()).collect();
        let position = head.as_ref().map_or(0, |head| head.position);
        Ok(stored == own && position == self.state.head().get())
    }

    fn compare_frontier(&self, log: &dyn EventLog) -> Result<(), LedgerError> {
        if self.is_that_of(log)? {
            Ok(())
        } else {
            Err(forged(
                self.state.head(),
                "the Merkle root of the records is not the one stored with the head",
            ))
        }
    }

    /// Verifies everything that a store holds of a programme, from the first record: signatures, sequences, values, the
    /// rules' verdicts, the facts and the Merkle root. Returns the verified programme.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(log: &dyn EventLog, program: ProgramId) -> Result<Self, LedgerError> {
        let mut ledger = Self::new(program);
        let mut next = Position::new(1);
        loop {
            let batch = read_whole_bundles(log, program, next, REPLAY)?;
            let Some(last) = batch.records.last() else { break };
            next = Position::new(last.record.position).next();
            ledger.take_in(log, batch)?;
        }
        ledger.compare_frontier(log)?;
        Ok(ledger)
    }

    /// Verifies records that continue this programme and takes them in. `log` is only read, for values and records
    /// before these.
    ///
    /// # Errors
    /// The first thing that does not hold; then the programme is as it was up to the record before.
    pub fn take_in(&mut self, log: &dyn EventLog, batch: Batch) -> Result<Vec<Recorded>, LedgerError> {
        let mut overlay = MemoryPast::default();
        let mut taken = Vec::with_capacity(batch.records.len());
        let mut open: Option<OpenBundle> = None;
        for frame in batch.records {
            let record = read_record(&frame.record)?;
            let at = record.position;
            if frame.record.bundle_position == at.get() || open.is_none() {
                finish(open.take())?;
                let bundle =
                    batch.bundles.iter().find(|bundle| bundle.position == frame.record.bundle_position);
                let bundle = bundle.ok_or_else(|| forged(at, "the signature it came under is missing"))?;
                open = Some(OpenBundle::new(self, bundle, &record)?);
            }
            let bundle = open.as_mut().ok_or_else(|| forged(at, "the signature it came under is missing"))?;
            bundle.add(&frame.record, &record)?;
            let leaf = leaf_hash(&record, &Signature::new(bundle.landed.signature));
            self.verify_record(log, &mut overlay, &record, &frame.values, taken.last())?;
            self.note(&record, leaf);
            taken.push(record);
        }
        finish(open)?;
        Ok(taken)
    }

    /// Everything about a record that does not concern its signature.
    fn verify_record(
        &self,
        log: &dyn EventLog,
        overlay: &mut MemoryPast,
        record: &Recorded,
        values: &[Value],
        before: Option<&Recorded>,
    ) -> Result<(), LedgerError> {
        let at = record.position;
        if at != self.state.head().next() {
            return Err(forged(at, format!("the record after {} was expected", self.state.head())));
        }
        if record.recorded_at <= self.state.recorded_at() {
            return Err(forged(at, "it was recorded before the record before it"));
        }
        if record.recorded_on() != day_of(record.recorded_at) {
            return Err(forged(at, "its day is not that of its instant"));
        }
        let Entry::Accepted { body, facts } = &record.entry else { return Ok(()) };
        check_values(self.state.program_id(), body.event_id, &body.digests, values)
            .map_err(|error| forged(at, error.to_string()))?;
        for value in values {
            overlay.values.insert(body.event_id, value.slot, value.bytes.clone());
        }
        if let Change::RulesAdopted { version } = &body.change {
            return Err(forged(
                at,
                format!("it adopts version {version} of the rules, which this release does not have"),
            ));
        }
        if matches!(body.change, Change::EpochOpened { .. }) {
            let stored =
                if before.is_none() { epoch::record_at(log, self, self.state.head())? } else { None };
            epoch::verify(log, self, before.or(stored.as_ref()), record)?;
        } else {
            // That it was proved is the writer's word; that a restore can have taken the place is in the log.
            if facts.first.is_some_and(|first| !self.state.lost(first)) {
                return Err(forged(at, "no restore took the place where it is said to have stood"));
            }
            self.verify_sequence(record)?;
            let landing = judge::Landing {
                position: at,
                recorded_at: record.recorded_at,
                recorded_on: facts.recorded_on,
                authored_on: day_of(body.authored_at),
                first: facts.first,
            };
            let program = self.state.program_id();
            let past = LogPast { log, program, index: &self.index, far: &self.far, overlay };
            match judge::judge(&self.state, &past, body, landing) {
                Ok(own) if own == *facts => {}
                // What was settled lies before the snapshot; the log's word is taken until its history is there.
                _ if self.begun_after > Position::ZERO && settles_unheld(&self.state, &past, body) => {}
                Ok(_) => return Err(forged(at, "its facts are not what the rules give")),
                Err(rejection) => return Err(forged(at, format!("the rules decline it: {rejection}"))),
            }
        }
        overlay.records.insert(body.event_id, record.clone());
        Ok(())
    }

    fn verify_sequence(&self, record: &Recorded) -> Result<(), LedgerError> {
        let Some(body) = record.body() else { return Ok(()) };
        match self.fences.check(body, self.state.epoch(), self.state.vouched(&body.base)) {
            Passage::Open => Ok(()),
            Passage::Gap { expected } => {
                Err(forged(record.position, format!("its device's number {expected} is missing")))
            }
            Passage::Forked { at } => {
                Err(forged(record.position, format!("its device's number {at} is another event's")))
            }
            Passage::ViewNotClosed { .. } => Err(forged(record.position, "its author's view is not closed")),
        }
    }

    /// What landing meant for an accepted record of this log that is in memory; [`Ledger::landing_of`] knows of all.
    pub fn landing_at(&self, position: Position) -> Landing {
        self.unclean.get(&position).copied().unwrap_or(Landing::Clean)
    }

    /// The key of a device, if one is enrolled.
    pub fn key_of(&self, device: DeviceId) -> Option<[u8; 32]> {
        self.state.devices().get(&device).map(|device| device.key)
    }

    /// Where an event stands, accepted or rejected, if that is in memory; [`Ledger::find`] knows of all.
    pub fn position_of(&self, event: EventId) -> Option<Position> {
        self.index.get(&event).or_else(|| self.declined.get(&event)).copied()
    }
}

/// Whether a resolution settles a write that is neither kept by the state nor held as a record.
fn settles_unheld(state: &State, past: &dyn Past, body: &EventBody) -> bool {
    let Change::ConflictResolved { entity, field, settles, .. } = &body.change else { return false };
    let kept = |side: &EventId| {
        let register = state.register(*entity, *field);
        register.is_some_and(|register| register.writes().iter().any(|write| write.event == *side))
    };
    settles.iter().any(|side| !kept(side) && past.record(*side).is_none())
}

/// What it meant that an event landed, on the state that it left.
pub(crate) fn landing(state: &State, body: &EventBody) -> Landing {
    let Some(today) = state.today() else { return Landing::Clean };
    let writes = fold::field_writes(body);
    let conflict = writes.iter().any(|write| {
        let register = state.register(write.entity, write.field);
        register.is_some_and(|register| register.in_conflict(today, state.epochs()))
    });
    let retired = writes.iter().any(|write| {
        write.field != FieldKey::Life
            && !state.lives(write.entity, today)
            && state.shown(write.entity, FieldKey::Life, today).is_some()
    });
    match (conflict, retired) {
        (true, _) => Landing::OpenedConflict,
        (false, true) => Landing::AppliedToRetired,
        (false, false) => Landing::Clean,
    }
}

/// Records with their values, and the bundles they came in; no bundle is cut.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// In order.
    pub records: Vec<FramedRecord>,
    /// Every bundle that a record names.
    pub bundles: Vec<v1::Bundle>,
}

/// A stored record with its values, decoded.
#[derive(Clone, Debug)]
pub struct FramedRecord {
    /// The record as stored.
    pub record: v1::Record,
    /// Its values.
    pub values: Vec<Value>,
}

/// The members of a bundle as they come in, until the signature can be checked.
struct OpenBundle {
    landed: LandedBundle,
    program: ProgramId,
    key: PublicKey,
    hashes: Vec<Option<Digest>>,
}

impl OpenBundle {
    fn new(ledger: &Ledger, bundle: &v1::Bundle, first: &Recorded) -> Result<Self, LedgerError> {
        let at = first.position;
        let landed = decode_landed_bundle(bundle).map_err(|error| forged(at, error.to_string()))?;
        let size = usize::try_from(landed.size).unwrap_or(usize::MAX);
        if size > radslag_proto::limits::PUSH_EVENTS {
            return Err(forged(at, "its bundle has too many members"));
        }
        // Only an enrolled device has a key in the state; the event that enrols one brings it.
        let introduced = first.body().filter(|body| body.device_id == landed.device).and_then(key_in);
        // The log's own records stand alone, under the device id that no device has.
        let by_log = landed.device.is_zero() && landed.size == 1 && first.body().is_some_and(is_the_logs_own);
        let key =
            if by_log { Some(*ledger.state.log_key()) } else { ledger.key_of(landed.device).or(introduced) };
        let key = key.ok_or_else(|| forged(at, format!("device {} is not enrolled", landed.device)))?;
        let key = PublicKey::from_bytes(&key).map_err(|error| forged(at, error.to_string()))?;
        let mut hashes = vec![None; size];
        for (index, hash) in &landed.absent {
            if let Some(slot) = usize::try_from(*index).ok().and_then(|index| hashes.get_mut(index)) {
                *slot = Some(*hash);
            }
        }
        Ok(Self { landed, program: ledger.state.program_id(), key, hashes })
    }

    fn add(&mut self, stored: &v1::Record, record: &Recorded) -> Result<(), LedgerError> {
        let at = record.position;
        let device = match &record.entry {
            Entry::Accepted { body, .. } => body.device_id,
            Entry::Rejected(facts) => facts.device_id,
        };
        if stored.bundle_position != self.landed.position.get() || device != self.landed.device {
            return Err(forged(at, "it is not a member of the bundle before it"));
        }
        let slot = usize::try_from(stored.bundle_index).ok().and_then(|index| self.hashes.get_mut(index));
        match slot {
            Some(slot @ None) => *slot = Some(record.body_hash),
            _ => return Err(forged(at, "its place in its bundle is taken")),
        }
        Ok(())
    }
}

fn finish(bundle: Option<OpenBundle>) -> Result<(), LedgerError> {
    let Some(bundle) = bundle else { return Ok(()) };
    let at = bundle.landed.position;
    let hashes: Option<Vec<Digest>> = bundle.hashes.into_iter().collect();
    let hashes = hashes.ok_or_else(|| forged(at, "members of its bundle are missing"))?;
    let signature = Signature::new(bundle.landed.signature);
    verify_bundle(&bundle.key, bundle.program, bundle.landed.device, &hashes, &signature).map_err(|_| {
        forged(at, format!("the signature is not by the key of device {}", bundle.landed.device))
    })
}

/// The signatures of stored bundles; the last one read is usually the next one asked for.
#[derive(Default)]
pub struct Signatures(Option<(u64, Signature)>);

impl Signatures {
    /// The signature that a record came under.
    ///
    /// # Errors
    /// The store does not have it.
    pub fn of(
        &mut self,
        log: &dyn EventLog,
        program: ProgramId,
        record: &v1::Record,
    ) -> Result<Signature, LedgerError> {
        if let Some((position, signature)) = self.0
            && position == record.bundle_position
        {
            return Ok(signature);
        }
        let at = Position::new(record.position);
        let bundle = log.bundle(program, Position::new(record.bundle_position))?;
        let signature = bundle.and_then(|bundle| Signature::from_slice(&bundle.signature));
        let signature = signature.ok_or_else(|| forged(at, "the signature it came under is missing"))?;
        self.0 = Some((record.bundle_position, signature));
        Ok(signature)
    }
}

/// Reads a stored record.
///
/// # Errors
/// It is not one.
pub fn read_record(stored: &v1::Record) -> Result<Recorded, LedgerError> {
    decode_record(stored).map_err(|error| forged(Position::new(stored.position), error.to_string()))
}

/// The hash of a record's leaf in the Merkle tree.
pub fn leaf_hash(record: &Recorded, signature: &Signature) -> Digest {
    let (outcome, facts) = match &record.entry {
        Entry::Accepted { facts, .. } => (LeafOutcome::Accepted, Facts::encode(facts)),
        Entry::Rejected(facts) => (LeafOutcome::Rejected, RejectedFacts::encode(facts)),
    };
    let leaf = LogLeaf {
        outcome,
        position: record.position,
        recorded_at: record.recorded_at,
        event_id: record.event_id,
        body_hash: record.body_hash,
        signature_hash: signature.digest(),
        facts_hash: Digest::of(&facts),
    };
    leaf.hash()
}

/// Reads records from `from` on without cutting a bundle: at least one bundle if there is any record.
///
/// # Errors
/// The store does not answer, or what it holds does not read.
pub fn read_whole_bundles(
    log: &dyn EventLog,
    program: ProgramId,
    from: Position,
    limit: ReadLimit,
) -> Result<Batch, LedgerError> {
    let mut records = log.read(program, from, limit)?;
    let Some(last) = records.last() else { return Ok(Batch::default()) };
    let last_bundle = last.bundle_position;
    let head = log.head(program)?.map_or(0, |head| head.position);
    if last.position < head {
        complete_or_drop_last(log, program, &mut records, last_bundle)?;
    }
    let mut batch = Batch::default();
    let mut known = None;
    let mut values = log.values_from(program, from)?.peekable();
    let mut bundles = log.bundles_from(program, from)?.peekable();
    for record in records {
        let position = Position::new(record.position);
        if known != Some(record.bundle_position) {
            known = Some(record.bundle_position);
            batch.bundles.push(bundle_of(&mut bundles, log, program, &record)?);
        }
        let values = values_at(&mut values, position)?;
        let values = radslag_proto::convert::value::decode_values(&values)
            .map_err(|error| forged(position, error.to_string()))?;
        batch.records.push(FramedRecord { record, values });
    }
    Ok(batch)
}

/// The values of one record, from a walk along those of all; what comes before it is passed over.
///
/// # Errors
/// The store does not answer.
pub fn values_at(
    walk: &mut Peekable<radslag_log::Values<'_>>,
    position: Position,
) -> Result<Vec<v1::Value>, LogError> {
    let mut values = Vec::new();
    // An error is met where the walk is.
    while let Some(value) = walk.next_if(|value| value.as_ref().map_or(true, |(at, _)| *at <= position)) {
        let (at, value) = value?;
        if at == position {
            values.push(value);
        }
    }
    Ok(values)
}

/// The signature that a record came under, from a walk along those of all; what comes before it is passed over. A walk that began
/// after it does not have it: it is asked for.
///
/// # Errors
/// The store does not answer, or does not have it.
pub fn bundle_of(
    walk: &mut Peekable<radslag_log::Bundles<'_>>,
    log: &dyn EventLog,
    program: ProgramId,
    record: &v1::Record,
) -> Result<v1::Bundle, LedgerError> {
    let at = record.bundle_position;
    while let Some(bundle) =
        walk.next_if(|bundle| bundle.as_ref().map_or(true, |bundle| bundle.position <= at))
    {
        let bundle = bundle?;
        if bundle.position == at {
            return Ok(bundle);
        }
    }
    let asked = log.bundle(program, Position::new(at))?;
    asked.ok_or_else(|| forged(Position::new(record.position), "the signature it came under is missing"))
}

/// A read that stopped inside a bundle goes back to the bundle's begin, or on to its end when it is the only one.
fn complete_or_drop_last(
    log: &dyn EventLog,
    program: ProgramId,
    records: &mut Vec<v1::Record>,
    last_bundle: u64,
) -> Result<(), LedgerError> {
    let whole = records.partition_point(|record| record.bundle_position != last_bundle);
    let next = records.last().map_or(1, |record| record.position + 1);
    let following = log.read(program, Position::new(next), ReadLimit { records: 1, bytes: 0 })?;
    if following.first().is_none_or(|record| record.bundle_position != last_bundle) {
        return Ok(());
    }
    if whole > 0 {
        records.truncate(whole);
        return Ok(());
    }
    let most = ReadLimit { records: radslag_proto::limits::PUSH_EVENTS, bytes: usize::MAX };
    let rest = log.read(program, Position::new(next), most)?;
    records.extend(rest.into_iter().take_while(|record| record.bundle_position == last_bundle));
    Ok(())
}

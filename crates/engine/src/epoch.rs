//! Opening an epoch: the log's own record, after a restore, that says where the log was cut.
//!
//! Everything in it but its ids and its time follows from the log before it, so that whoever verifies builds the body
//! that must stand there and compares. It is signed by the log's key, alone in its bundle, under the device id of zero
//! bytes that no device may have ("The log's own records" in `docs/format.md`).

use radslag_core::digest::Digest;
use radslag_core::event::{Base, Change, EventBody};
use radslag_core::id::{DeviceId, EpochId, EventId, MemberId, OrgId, Position};
use radslag_core::record::{Entry, Facts, Recorded};
use radslag_core::time::Instant;
use radslag_log::{EventLog, ReadLimit, StoredRecord};
use radslag_proto::convert::bundle::{LandedBundle, encode_landed_bundle};
use radslag_proto::convert::event::encode_body;
use radslag_proto::convert::record::encode_record;
use radslag_trust::bundle::sign_bundle;
use radslag_trust::keys::DeviceKey;

use crate::admit::{Ground, Working};
use crate::clock::day_of;
use crate::ledger::{Ledger, LedgerError, leaf_hash, read_record};

/// The organisation in the log's own records.
const LOG: &str = "log";

/// The ids of an epoch that is to be opened. They come from outside; nobody can guess them.
#[derive(Clone, Copy, Debug)]
pub struct NewEpoch {
    /// The record's event.
    pub event: EventId,
    /// The epoch.
    pub epoch: EpochId,
}

/// An epoch that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The epoch.
    pub epoch: EpochId,
    /// Where the record stands that opened it.
    pub position: Position,
    /// The last record before it.
    pub cut: Position,
    /// The Merkle root up to the cut.
    pub cut_root: Digest,
}

/// Whether an event is the log's own and no device's.
pub fn is_the_logs_own(body: &EventBody) -> bool {
    match &body.change {
        Change::EpochOpened { .. } | Change::RulesAdopted { .. } => body.device_id.is_zero(),
        Change::ProgramCreated { .. }
        | Change::OrganisationAdmitted { .. }
        | Change::MemberAdmitted { .. }
        | Change::DeviceEnrolled { .. }
        | Change::AreaAdded { .. }
        | Change::SubgoalAdded { .. }
        | Change::ActivityAdded { .. }
        | Change::PartyAdded { .. }
        | Change::FieldRevised { .. }
        | Change::ResponsibleAssigned { .. }
        | Change::ResponsibleUnassigned { .. }
        | Change::Placed { .. }
        | Change::Retired { .. }
        | Change::Restored { .. }
        | Change::ConflictResolved { .. }
        | Change::SourceImported { .. }
        | Change::BaselineSet { .. }
        | Change::Unknown => false,
    }
}

/// The body of the record that opens an epoch after the ledger's last record.
fn body_of(ledger: &Ledger, new: NewEpoch, at: Instant) -> EventBody {
    let state = &ledger.state;
    let chain = ledger.fences.of(DeviceId::default());
    let change = Change::EpochOpened {
        epoch_id: new.epoch,
        cut_position: state.head(),
        cut_root: ledger.frontier.root(),
    };
    EventBody {
        event_id: new.event,
        program_id: state.program_id(),
        actor_id: MemberId::default(),
        org_id: LOG.parse::<OrgId>().expect("it is a short name"),
        device_id: DeviceId::default(),
        device_seq: chain.last_seq().next(),
        prev: chain.last_body(),
        base: Base { epoch: state.epoch(), position: state.head(), seq: chain.last_seq() },
        authored_at: at,
        effective_on: None,
        group: None,
        expect: Vec::new(),
        kind: "epoch_opened".to_owned(),
        schema_version: 1,
        must_understand: true,
        digests: Vec::new(),
        change,
    }
}

fn facts_of(recorded_at: Instant) -> Facts {
    Facts { recorded_on: day_of(recorded_at), applies_on: None, equal_to: Vec::new(), first: None }
}

impl Working {
    /// Adds the record that opens an epoch. The log has a record already: before its first there is nothing to restore.
    ///
    /// # Errors
    /// The log has no record, its key is another, the ids are used, or it ends inside a group.
    pub fn open_epoch(
        &mut self,
        ground: &Ground<'_>,
        new: NewEpoch,
        log_key: &DeviceKey,
    ) -> Result<Opened, LedgerError> {
        let cut = self.ledger.state.head();
        let position = cut.next();
        let wrong = |what: &str| LedgerError::Forged { position, what: what.to_owned() };
        if *self.ledger.state.log_key() != *log_key.public().bytes() {
            return Err(wrong("the log was begun with another key than this one"));
        }
        let landed_before = self.ledger.position_of(new.event).is_some();
        if landed_before
            || ground.published.find(ground.log, new.event)?.is_some()
            || is_used(&self.ledger, new.epoch)
        {
            return Err(wrong("the ids of the epoch are used"));
        }
        let last = match self.pending.last() {
            Some((record, _)) => Some(record.clone()),
            None => record_at(ground.log, &self.ledger, cut)?,
        };
        if last.as_ref().is_some_and(ends_inside_a_group) {
            return Err(wrong("the log ends inside a group"));
        }
        let recorded_at = self.next_instant(ground.now);
        let body = body_of(&self.ledger, new, recorded_at);
        let cut_root = self.ledger.frontier.root();
        let bytes = encode_body(&body).map_err(|error| wrong(&error.to_string()))?;
        let body_hash = Digest::of(&bytes);
        let program = self.ledger.state.program_id();
        let signature = sign_bundle(log_key, program, body.device_id, &[body_hash]);
        let device = body.device_id;
        let entry = Entry::Accepted { body: Box::new(body), facts: facts_of(recorded_at) };
        let record = Recorded { position, recorded_at, event_id: new.event, body_hash, entry };
        let leaf = leaf_hash(&record, &signature);
        self.ledger.note(&record, leaf);
        self.records
            .push(StoredRecord { record: encode_record(&record, bytes, position, 0), values: Vec::new() });
        self.bundles.push(encode_landed_bundle(&LandedBundle {
            position,
            device,
            size: 1,
            signature: *signature.bytes(),
            absent: Vec::new(),
        }));
        self.overlay.records.insert(record.event_id, record.clone());
        self.pending.push((record, leaf));
        Ok(Opened { epoch: new.epoch, position, cut, cut_root })
    }
}

/// Whether a record opens an epoch after the ledger's last record as the log would have done it; `before` is that last
/// record, where it is at hand. The signature is the bundle's matter.
///
/// # Errors
/// What does not hold.
pub(crate) fn verify(
    log: &dyn EventLog,
    ledger: &Ledger,
    before: Option<&Recorded>,
    record: &Recorded,
) -> Result<(), LedgerError> {
    let wrong = |what: &str| LedgerError::Forged { position: record.position, what: what.to_owned() };
    let Entry::Accepted { body, facts } = &record.entry else { return Err(wrong("it was rejected")) };
    let Change::EpochOpened { epoch_id, cut_position, cut_root } = &body.change else {
        return Err(wrong("it opens no epoch"));
    };
    if *cut_position != ledger.state.head() {
        return Err(wrong("the epoch was not cut at the record before it"));
    }
    if *cut_root != ledger.frontier.root() {
        return Err(wrong("the root at the epoch's cut is not that of the records up to it"));
    }
    if epoch_id.is_zero() || is_used(ledger, *epoch_id) {
        return Err(wrong("the epoch's id is used"));
    }
    if before.is_some_and(ends_inside_a_group) {
        return Err(wrong("the epoch was opened inside a group"));
    }
    let new = NewEpoch { event: body.event_id, epoch: *epoch_id };
    if ledger.find(log, new.event)?.is_some() || **body != body_of(ledger, new, body.authored_at) {
        return Err(wrong("the log would have opened the epoch in other words"));
    }
    if *facts != facts_of(record.recorded_at) {
        return Err(wrong("its facts are not what the rules give"));
    }
    Ok(())
}

/// Used by an epoch, or named by nobody: the first epoch has no record.
fn is_used(ledger: &Ledger, epoch: EpochId) -> bool {
    epoch.is_zero() || ledger.state.epochs().iter().any(|known| known.id == epoch)
}

/// Whether members of the record's group are still to come. A rejected record no longer says what group it was in; a
/// group lands in one commit either way.
fn ends_inside_a_group(record: &Recorded) -> bool {
    let group = record.body().and_then(|body| body.group);
    group.is_some_and(|group| group.index + 1 < group.size)
}

/// The record at a position, where the store has it: a replica that started from a snapshot lacks the oldest ones.
pub(crate) fn record_at(
    log: &dyn EventLog,
    ledger: &Ledger,
    at: Position,
) -> Result<Option<Recorded>, LedgerError> {
    let read = log.read(ledger.state.program_id(), at, ReadLimit { records: 1, bytes: 0 })?;
    let stored = read.first().filter(|stored| stored.position == at.get());
    stored.map(read_record).transpose()
}

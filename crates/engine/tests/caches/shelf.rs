//! A history in a store, record by record, with caches of a pace that short histories meet.

use radslag_core::digest::Digest;
use radslag_core::id::{DeviceId, DeviceSeq, Position, ProgramId};
use radslag_core::record::{Entry, Recorded};
use radslag_core::verdict::Landing;
use radslag_engine::caches::{Pace, behind};
use radslag_engine::ledger::{Ledger, leaf_hash};
use radslag_log::{Append, Commit, EventLog as _, MemoryLog, StoredRecord};
use radslag_proto::convert::bundle::{LandedBundle, encode_landed_bundle};
use radslag_proto::convert::event::encode_body;
use radslag_proto::convert::record::encode_record;
use radslag_proto::log::v1;
use radslag_trust::keys::Signature;

use crate::town::Town;

/// Chunks of seven records, a folded state about every nine, a point to go on from about every twenty.
pub(crate) const QUICK: Pace = Pace { chunk: 7, state_tail: 9 * 400, resume_tail: 20 * 400, ratio: 0 };

/// A store that grows, and the ledger of whoever writes it.
pub(crate) struct Shelf {
    pub(crate) log: MemoryLog,
    pub(crate) ledger: Ledger,
    pub(crate) records: Vec<Recorded>,
    pace: Pace,
}

impl Shelf {
    /// A history as it is before its first record.
    pub(crate) fn before(town: &Town) -> Self {
        Self::before_at_pace(town, QUICK)
    }

    /// As [`Shelf::before`], with caches of another pace.
    pub(crate) fn before_at_pace(town: &Town, pace: Pace) -> Self {
        let program = town.state.program_id();
        Self {
            log: MemoryLog::new(),
            ledger: Ledger::kept(program, pace),
            records: town.log.iter().map(with_own_hash).collect(),
            pace,
        }
    }

    /// Other records of the same programme, with everything that was due written behind.
    pub(crate) fn holding(town: &Town, records: Vec<Recorded>) -> Self {
        let mut shelf = Self { records, ..Self::before(town) };
        shelf.grow_to(shelf.records.len());
        shelf
    }

    /// The whole history, with everything that was due written behind.
    pub(crate) fn of(town: &Town) -> Self {
        let mut shelf = Self::before(town);
        shelf.grow_to(shelf.records.len());
        shelf
    }

    pub(crate) fn program(&self) -> ProgramId {
        self.ledger.state.program_id()
    }

    pub(crate) fn head(&self) -> Position {
        self.ledger.state.head()
    }

    /// Takes records in until there are so many, and writes behind what is due after each.
    pub(crate) fn grow_to(&mut self, count: usize) {
        while self.ledger.state.head().get() < u64::try_from(count).unwrap() {
            let done = usize::try_from(self.ledger.state.head().get()).unwrap();
            let record = self.records[done].clone();
            self.append(&record);
            behind::write(&self.log, &mut self.ledger, false).unwrap();
        }
    }

    fn append(&mut self, record: &Recorded) {
        let signature = Signature::new([7; 64]);
        let device = match &record.entry {
            Entry::Accepted { body, .. } => body.device_id,
            Entry::Rejected(facts) => facts.device_id,
        };
        self.ledger.note(record, leaf_hash(record, &signature));
        let stored = StoredRecord {
            record: encode_record(record, body_bytes(record), record.position, 0),
            values: Vec::new(),
        };
        let append = Append {
            program: self.program(),
            records: vec![stored],
            bundles: vec![bundle(record.position, device, &signature)],
            head: v1::Head {
                position: record.position.get(),
                recorded_at: record.recorded_at.micros(),
                frontier: self.ledger.frontier.hashes().iter().map(|hash| hash.bytes().to_vec()).collect(),
            },
            root: self.ledger.frontier.root(),
        };
        self.log.commit(Commit { appends: vec![append], rows: Vec::new() }).unwrap();
    }

    /// Opens what is in the store as another process would.
    pub(crate) fn opened(&self) -> Ledger {
        Ledger::open_at_pace(&self.log, self.program(), self.pace).unwrap()
    }

    /// What every record meant as it landed, by folding them all.
    pub(crate) fn landings(&self) -> Vec<Landing> {
        let mut plain = Ledger::new(self.program());
        let head = usize::try_from(self.head().get()).unwrap();
        self.records[..head].iter().for_each(|record| plain.note(record, Digest::ZERO));
        self.records[..head].iter().map(|record| plain.landing_at(record.position)).collect()
    }
}

pub(crate) fn body_bytes(record: &Recorded) -> Vec<u8> {
    record.body().map_or_else(Vec::new, |body| encode_body(body).unwrap())
}

/// The town does not encode its events, and leaves the log's own without a number; a store wants bytes and the hash of them.
fn with_own_hash(record: &Recorded) -> Recorded {
    let mut own = record.clone();
    if let Entry::Accepted { body, .. } = &mut own.entry {
        body.device_seq = body.device_seq.max(DeviceSeq::new(1));
        own.body_hash = Digest::of(&encode_body(body).unwrap());
    }
    own
}

fn bundle(position: Position, device: DeviceId, signature: &Signature) -> v1::Bundle {
    encode_landed_bundle(&LandedBundle {
        position,
        device,
        size: 1,
        signature: *signature.bytes(),
        absent: Vec::new(),
    })
}

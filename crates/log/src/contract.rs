//! The contract of a store: what is handed over, what is asked for, and what each answer promises.

use prost::Message as _;
use radslag_core::digest::Digest;
use radslag_core::id::{Position, ProgramId};
use radslag_core::value::Slot;
use radslag_proto::log::v1;

use crate::encoded::EncodedRecords;
use crate::error::LogError;

/// The most that one commit may hold, in [`Commit::bytes`]: 512 KiB. Larger commits were never measured to survive a power cut.
pub const MAX_COMMIT_BYTES: usize = 512 * 1024;

/// A record with the values that stand beside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredRecord {
    /// The record; its position decides where it stands.
    pub record: v1::Record,
    /// Its values, each slot at most once, in any order.
    pub values: Vec<v1::Value>,
}

impl StoredRecord {
    /// What the record and its values count for in [`Commit::bytes`].
    pub fn bytes(&self) -> usize {
        self.record.encoded_len() + self.values.iter().map(v1::Value::encoded_len).sum::<usize>()
    }
}

/// Records for the end of one programme's log.
#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    /// Whose log.
    pub program: ProgramId,
    /// At least one record, at consecutive positions after the head that stands when this append's turn comes.
    pub records: Vec<StoredRecord>,
    /// The signatures whose first landed member is among these records.
    pub bundles: Vec<v1::Bundle>,
    /// The end of the log with these records: position and time of the last one, and the Merkle frontier.
    pub head: v1::Head,
    /// The Merkle root over the log with these records; what the head's frontier adds up to.
    pub root: Digest,
}

/// The row of kind [`RowKind::Snapshot`] in which a replica notes the snapshot that it began from: `radslag.log.v1.HeldSnapshot`.
pub const HELD_SNAPSHOT: u64 = 0;
/// The row of kind [`RowKind::Setting`] in which a replica keeps the last checkpoint of each epoch that it verified:
/// `radslag.log.v1.Checkpoints`.
pub const CHECKPOINTS: u64 = 4;

/// What kind of thing a row holds. The numbers are on disk and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RowKind {
    /// An event of this replica that has not been seen in the log yet.
    Outbox = 1,
    /// An event of this replica that will not land, kept for its author.
    Quarantine = 2,
    /// A small setting of this replica; the number says which.
    Setting = 3,
    /// A chunk of a projection's snapshot, or records that a replica holds after one without those before it.
    Snapshot = 4,
    /// A chunk of the index of events, written behind the log; the number is its first position.
    Index = 5,
    /// What is said of a folded state that is kept for looking back; the number is its position.
    State = 6,
    /// A piece of such a state.
    StatePart = 7,
    /// What is said of a point that opening goes on from.
    Resume = 8,
    /// A piece of such a point.
    ResumePart = 9,
    /// Which entities a chunk of the log touches; the number is its first position. A long one goes on in rows of higher numbers.
    Trail = 10,
    /// The writes of a chunk of the log that apply from before their record; numbered as a trail is.
    Backdated = 11,
    /// A record that this replica held and that a restored log lacks.
    Lost = 12,
}

impl RowKind {
    /// All of them, ascending by number.
    pub const ALL: [Self; 12] = [
        Self::Outbox,
        Self::Quarantine,
        Self::Setting,
        Self::Snapshot,
        Self::Index,
        Self::State,
        Self::StatePart,
        Self::Resume,
        Self::ResumePart,
        Self::Trail,
        Self::Backdated,
        Self::Lost,
    ];

    /// The number on disk.
    pub const fn number(self) -> u8 {
        match self {
            Self::Outbox => 1,
            Self::Quarantine => 2,
            Self::Setting => 3,
            Self::Snapshot => 4,
            Self::Index => 5,
            Self::State => 6,
            Self::StatePart => 7,
            Self::Resume => 8,
            Self::ResumePart => 9,
            Self::Trail => 10,
            Self::Backdated => 11,
            Self::Lost => 12,
        }
    }
}

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// Whose row.
    pub program: ProgramId,
    /// What it holds.
    pub kind: RowKind,
    /// Which of its kind; [`EventLog::rows`] is ascending by it.
    pub number: u64,
}

/// A change to one row. A row is opaque bytes beside the log, written in the same commit as what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowChange {
    /// Writes the row, over whatever stood there.
    Put(RowKey, Vec<u8>),
    /// Takes the row away; one that is not there is no error.
    Delete(RowKey),
}

impl RowChange {
    /// The row that changes.
    pub const fn key(&self) -> RowKey {
        match self {
            Self::Put(key, _) | Self::Delete(key) => *key,
        }
    }
}

/// What becomes durable together or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    /// Appends in order; two for one programme continue one another.
    pub appends: Vec<Append>,
    /// Row changes in order; the last one of a row counts.
    pub rows: Vec<RowChange>,
}

impl Commit {
    /// The size that [`MAX_COMMIT_BYTES`] bounds: all messages encoded, and the bytes of the rows.
    pub fn bytes(&self) -> usize {
        let appends: usize = self.appends.iter().map(Append::bytes).sum();
        let rows: usize = self.rows.iter().map(row_bytes).sum();
        appends + rows
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.appends.is_empty() && self.rows.is_empty()
    }
}

impl Append {
    /// What the append counts for in [`Commit::bytes`].
    pub fn bytes(&self) -> usize {
        let records: usize = self.records.iter().map(StoredRecord::bytes).sum();
        let bundles: usize = self.bundles.iter().map(v1::Bundle::encoded_len).sum();
        records + bundles + self.head.encoded_len()
    }
}

fn row_bytes(change: &RowChange) -> usize {
    match change {
        RowChange::Put(_, bytes) => bytes.len(),
        RowChange::Delete(_) => 0,
    }
}

/// Takes back the end of one log: what a replica does that had followed a server whose log was since restored to an earlier end.
/// What it takes back is kept in rows of the same commit, or it would be lost.
#[derive(Clone, Debug, PartialEq)]
pub struct Rewind {
    /// Whose log.
    pub program: ProgramId,
    /// The end of the log from now on: position and time of a record that is there and the last of its bundle, and the Merkle frontier.
    pub head: v1::Head,
    /// Row changes in order; the last one of a row counts.
    pub rows: Vec<RowChange>,
}

impl Rewind {
    /// The size that [`MAX_COMMIT_BYTES`] bounds.
    pub fn bytes(&self) -> usize {
        self.head.encoded_len() + self.rows.iter().map(row_bytes).sum::<usize>()
    }
}

/// How much one read may return. The first record comes whatever the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// The most records.
    pub records: usize,
    /// The most bytes of encoded records.
    pub bytes: usize,
}

impl ReadLimit {
    /// Whether a record of `next` bytes may follow `records` records of `bytes` bytes in all.
    pub const fn admits(&self, records: usize, bytes: usize, next: usize) -> bool {
        records == 0 || (records < self.records && bytes.saturating_add(next) <= self.bytes)
    }
}

/// Values on their way out of a store, each with the position of its record. No walk outlives a rewind of its log: whoever rewinds has
/// none under way.
pub type Values<'a> = Box<dyn Iterator<Item = Result<(Position, v1::Value), LogError>> + 'a>;

/// Bundles on their way out of a store; see [`Values`].
pub type Bundles<'a> = Box<dyn Iterator<Item = Result<v1::Bundle, LogError>> + 'a>;

/// A walk that ends after an error: behind damage nothing can be vouched for.
pub fn until_damage<T>(
    walk: impl Iterator<Item = Result<T, LogError>>,
) -> impl Iterator<Item = Result<T, LogError>> {
    let mut damaged = false;
    walk.take_while(move |found| !std::mem::replace(&mut damaged, found.is_err()))
}

/// A store of logs: one log per programme, and rows beside it.
///
/// # What holds for every call
/// - **Nothing unacknowledged shows in a log.** Records, bundles, values and heads become visible when the commit that brought them is
///   durable, all of it at once. A reader may see a later head than the one it asked for before; an earlier one only after
///   [`EventLog::rewind`].
/// - **Nothing is half there.** After a crash a commit stands whole or not at all; one that was answered `Ok` stands.
/// - Calls come from any thread; commits happen one at a time, in the order in which they are let in.
/// - A programme that the store has never heard of has no head, no records and no rows; that is not an error.
/// - [`LogError::Damaged`] may answer any call: what is stored does not match its checksum, its place or its shape. The store never hands
///   out what it cannot vouch for.
/// - [`LogError::Stopped`] never answers a read.
/// - [`LogError::NotHeld`] answers reads of a replica's log that began from a snapshot, for what lies before it; a store that was never
///   given a snapshot does not answer it.
pub trait EventLog: Send + Sync + 'static {
    /// The programmes that have a record here, ascending. A programme with rows alone is not among them.
    fn programs(&self) -> Result<Vec<ProgramId>, LogError>;

    /// The end of a programme's log; none before its first record.
    fn head(&self, program: ProgramId) -> Result<Option<v1::Head>, LogError>;

    /// Makes a commit durable, and visible after that. Blocks until the disk has answered: one writer thread calls this.
    ///
    /// `Ok` means durable: a power cut a moment later takes nothing back. An empty commit is `Ok` and writes nothing.
    ///
    /// Refused with nothing changed, and the store as usable as before:
    /// - [`LogError::OutOfOrder`]: an append does not begin one after the head. Committing the same append twice gets this answer.
    /// - [`LogError::Malformed`]: a length or a number is wrong, or head, root and records do not belong together.
    /// - [`LogError::NoRoom`]: hardly any room is left on the disk. Later commits may well succeed.
    /// - [`LogError::TooLarge`]: more than [`MAX_COMMIT_BYTES`]. A replica that catches up splits at any record.
    ///
    /// Anything else ([`LogError::Full`], [`LogError::Io`], [`LogError::Damaged`]) leaves open whether the commit survives. The store then
    /// stops writing for good, every later commit is answered [`LogError::Stopped`], and what was acknowledged stays readable. Trying
    /// again is not offered: after a failed fsync a later success proves nothing. Opening the store anew shows what there is.
    fn commit(&self, commit: Commit) -> Result<(), LogError>;

    /// Makes durable that a log ends earlier than it did: records, values and bundles after `rewind.head` are gone, and the rows are
    /// changed, all of it or none. A server never does this. [`LogError::OutOfOrder`] where the log does not reach beyond that head;
    /// the other answers are those of [`EventLog::commit`].
    fn rewind(&self, rewind: Rewind) -> Result<(), LogError>;

    /// Records from `from` on, in order and without a gap, as many as `limit` admits but at least one if there is any. Position zero
    /// reads as the first; past the head there is nothing.
    fn read(&self, program: ProgramId, from: Position, limit: ReadLimit)
    -> Result<Vec<v1::Record>, LogError>;

    /// The bundle whose first landed member is at `at`; none where no bundle begins.
    fn bundle(&self, program: ProgramId, at: Position) -> Result<Option<v1::Bundle>, LogError>;

    /// The bundles whose first landed member is at `from` or later, ascending, up to the head at the time of the call. They are read as they
    /// are taken; the walk ends after an error. A store in which they lie side by side walks along them.
    fn bundles_from(&self, program: ProgramId, from: Position) -> Result<Bundles<'_>, LogError> {
        let end = self.head(program)?.map_or(0, |head| head.position);
        let of = move |at| self.bundle(program, Position::new(at)).transpose();
        Ok(Box::new(until_damage((from.get().max(1)..=end).filter_map(of))))
    }

    /// The values of one record that are still kept, ascending by slot. Empty for a record without any, and where there is no record.
    fn values(&self, program: ProgramId, at: Position) -> Result<Vec<v1::Value>, LogError>;

    /// The values of the records from `from` on, each with its position, ascending by position and slot, up to the head at the time of the
    /// call. They are read as they are taken; the walk ends after an error. A store in which they lie side by side walks along them.
    fn values_from(&self, program: ProgramId, from: Position) -> Result<Values<'_>, LogError> {
        let end = self.head(program)?.map_or(0, |head| head.position);
        let of = move |at: u64| {
            let at = Position::new(at);
            let (values, failed) = match self.values(program, at) {
                Ok(values) => (values, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            values.into_iter().map(move |value| Ok((at, value))).chain(failed)
        };
        Ok(Box::new((from.get().max(1)..=end).flat_map(of)))
    }

    /// The records from `from` on with all that stands beside them, as they are stored, one for each position up to the head at the time of the
    /// call. They are read as they are taken; the walk ends after an error. What is handed out has been held against its checksum and its
    /// place; that it decodes is for who looks inside.
    fn encoded_from(&self, program: ProgramId, from: Position) -> Result<EncodedRecords<'_>, LogError> {
        crate::encoded::walk(self, program, from)
    }

    /// One value of one record; none when the record has none in that slot.
    fn value(&self, program: ProgramId, at: Position, slot: Slot) -> Result<Option<v1::Value>, LogError>;

    /// All rows of a kind, ascending by number. Waits for a commit that is under way.
    ///
    /// After a commit failed, what it would have changed may show here or not.
    fn rows(&self, program: ProgramId, kind: RowKind) -> Result<Vec<(u64, Vec<u8>)>, LogError>;

    /// One row; none where it was never written or was taken away.
    ///
    /// Waits for no commit that is under way: the row is whole, as it stood before that commit or as it will stand after it. So it is for
    /// what can be made anew from the log, and not for what must be durable when it is seen.
    fn row(&self, key: RowKey) -> Result<Option<Vec<u8>>, LogError>;
}

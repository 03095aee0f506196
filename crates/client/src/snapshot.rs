//! A replica that began from a snapshot: what it holds, and its log, which has a gap in front.
//!
//! The store keeps the records from 1 on that were fetched since, gapless as the contract asks. What was pulled after the snapshot
//! stands beside them in rows until the gap is closed, and then moves over in one pass (`docs/adr/0010-a-replica-begins-from-a-snapshot.md`).

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use prost::Message as _;
use radslag_core::id::{Position, ProgramId};
use radslag_core::value::Slot;
use radslag_engine::ledger::Ledger;
use radslag_engine::snapshot::Snapshot;
use radslag_log::{
    Append, Commit, EventLog, LogError, MAX_COMMIT_BYTES, ReadLimit, Rewind, RowChange, RowKey, RowKind,
    StoredRecord, check,
};
use radslag_proto::convert::value::encode_values;
use radslag_proto::log::v1;

use crate::error::ClientError;

/// The row that says which snapshot is held; its chunks follow from the next number on.
pub(crate) const HELD: u64 = radslag_log::HELD_SNAPSHOT;
/// Where the rows of records after the snapshot begin: each is at this number and its first position.
const TAIL: u64 = 1 << 40;

/// What a replica knows of itself while the history before its snapshot is missing.
#[derive(Clone, Debug)]
pub struct Provisional {
    /// What it began from.
    pub snapshot: Arc<Snapshot>,
    /// How far the history has been fetched and verified from the first record; zero for nothing.
    pub fetched: Position,
    /// What the history showed to be otherwise than the snapshot said.
    pub contradicted: Option<String>,
    pub(crate) held: v1::HeldSnapshot,
    pub(crate) log: Arc<TailLog>,
}

impl Provisional {
    /// The position of the snapshot.
    pub fn position(&self) -> Position {
        self.snapshot.state.head()
    }

    /// The programme as snapshot and store have it.
    pub(crate) fn replay(&self) -> Result<Ledger, ClientError> {
        let mut ledger = self.snapshot.to_ledger();
        ledger.replay_on(self.log.as_ref())?;
        Ok(ledger)
    }
}

/// A programme as a store holds it: whole, or from a snapshot on.
pub(crate) struct Opened {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) ledger: Ledger,
    pub(crate) provisional: Option<Provisional>,
}

/// The rows of a snapshot and of what follows it, as a store holds them.
pub(crate) struct Rows {
    pub(crate) held: Option<v1::HeldSnapshot>,
    /// The chunks from the first on, as far as they are there without a gap.
    pub(crate) chunks: Vec<Vec<u8>>,
    tail: Vec<v1::TailRecords>,
    numbers: Vec<u64>,
}

pub(crate) fn row(program: ProgramId, number: u64) -> RowKey {
    RowKey { program, kind: RowKind::Snapshot, number }
}

fn damaged(program: ProgramId, what: impl std::fmt::Display) -> ClientError {
    LogError::damaged_in(program, format!("what is held of a snapshot does not read: {what}")).into()
}

impl Rows {
    pub(crate) fn read(store: &dyn EventLog, program: ProgramId) -> Result<Self, ClientError> {
        let mut rows = Self { held: None, chunks: Vec::new(), tail: Vec::new(), numbers: Vec::new() };
        for (number, bytes) in store.rows(program, RowKind::Snapshot)? {
            rows.numbers.push(number);
            if number == HELD {
                let held = v1::HeldSnapshot::decode(bytes.as_slice());
                rows.held = Some(held.map_err(|error| damaged(program, error))?);
            } else if number > TAIL {
                let tail = v1::TailRecords::decode(bytes.as_slice());
                rows.tail.push(tail.map_err(|error| damaged(program, error))?);
            } else if usize::try_from(number) == Ok(rows.chunks.len() + 1) {
                rows.chunks.push(bytes);
            }
        }
        Ok(rows)
    }

    /// The changes that take all of it away.
    pub(crate) fn forget(&self, program: ProgramId) -> Vec<RowChange> {
        self.numbers.iter().map(|number| RowChange::Delete(row(program, *number))).collect()
    }

    fn is_whole(&self) -> bool {
        self.held.as_ref().is_some_and(|held| !held.manifest.is_empty())
    }
}

/// Reads a programme from its store. `known` is the programme as it was read before, for one that has not moved since.
pub(crate) fn open(
    store: &Arc<dyn EventLog>,
    program: ProgramId,
    known: Option<Ledger>,
) -> Result<Opened, ClientError> {
    let rows = Rows::read(store.as_ref(), program)?;
    if !rows.is_whole() {
        return whole(store, program, known);
    }
    let snapshot = Snapshot::decode(&rows.chunks.concat()).map_err(|error| damaged(program, error))?;
    let fetched = head_of(store.as_ref(), program)?;
    if fetched > snapshot.state.head() {
        // The history was there and right, and something ended the process while the records after it moved over.
        move_over(store.as_ref(), program, &rows)?;
        return whole(store, program, None);
    }
    let snapshot = Arc::new(snapshot);
    let held = rows.held.unwrap_or_default();
    let log = Arc::new(TailLog::new(Arc::clone(store), program, Arc::clone(&snapshot), rows.tail));
    let mut ledger = snapshot.to_ledger();
    ledger.replay_on(log.as_ref())?;
    let contradicted = Some(held.contradicted.clone()).filter(|what| !what.is_empty());
    let provisional = Provisional { snapshot, fetched, contradicted, held, log: Arc::clone(&log) };
    Ok(Opened { log, ledger, provisional: Some(provisional) })
}

fn whole(
    store: &Arc<dyn EventLog>,
    program: ProgramId,
    known: Option<Ledger>,
) -> Result<Opened, ClientError> {
    let ledger = match known {
        Some(known) if known.is_that_of(store.as_ref())? => known,
        Some(_) | None => Ledger::open(store.as_ref(), program)?,
    };
    Ok(Opened { log: Arc::clone(store), ledger, provisional: None })
}

pub(crate) fn head_of(store: &dyn EventLog, program: ProgramId) -> Result<Position, ClientError> {
    Ok(store.head(program)?.map_or(Position::ZERO, |head| Position::new(head.position)))
}

/// Puts the records after the snapshot behind the history, and forgets the snapshot. Whatever ends it in the middle, it goes on from
/// there when it is called again.
pub(crate) fn move_over(store: &dyn EventLog, program: ProgramId, rows: &Rows) -> Result<(), ClientError> {
    let mut next = head_of(store, program)?.next();
    for tail in &rows.tail {
        let Some(first) = tail.records.first().and_then(|one| one.record.as_ref()) else { continue };
        if first.position != next.get() {
            continue;
        }
        let head = tail.head.clone().unwrap_or_default();
        let root = check::frontier_root(&head).ok_or_else(|| damaged(program, "a head has no root"))?;
        next = Position::new(head.position).next();
        let append = Append { program, records: stored(tail), bundles: tail.bundles.clone(), head, root };
        let rows = vec![RowChange::Delete(row(program, TAIL + first.position))];
        store.commit(Commit { appends: vec![append], rows })?;
    }
    Ok(store.commit(Commit { appends: Vec::new(), rows: rows.forget(program) })?)
}

fn stored(tail: &v1::TailRecords) -> Vec<StoredRecord> {
    let one =
        |one: &v1::TailRecord| Some(StoredRecord { record: one.record.clone()?, values: one.values.clone() });
    tail.records.iter().filter_map(one).collect()
}

/// The log of a replica that began from a snapshot. It goes on after the snapshot; before it there is what was fetched so far, the
/// values that came with the snapshot, and its last record.
pub struct TailLog {
    store: Arc<dyn EventLog>,
    program: ProgramId,
    snapshot: Arc<Snapshot>,
    // Which carried values belong to a position: its place in the snapshot's list.
    places: BTreeMap<Position, usize>,
    // Grows with each commit and is read between them; nothing waits while holding it but the commit itself.
    tail: RwLock<Tail>,
}

#[derive(Debug)]
struct Tail {
    records: Vec<StoredRecord>,
    bundles: BTreeMap<u64, v1::Bundle>,
    head: v1::Head,
}

impl Tail {
    fn take(&mut self, records: Vec<StoredRecord>, bundles: Vec<v1::Bundle>, head: v1::Head) {
        self.records.extend(records);
        self.bundles.extend(bundles.into_iter().map(|bundle| (bundle.position, bundle)));
        self.head = head;
    }
}

impl std::fmt::Debug for TailLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TailLog").field("program", &self.program).field("begin", &self.begin()).finish()
    }
}

impl TailLog {
    fn new(
        store: Arc<dyn EventLog>,
        program: ProgramId,
        snapshot: Arc<Snapshot>,
        rows: Vec<v1::TailRecords>,
    ) -> Self {
        let head = v1::Head {
            position: snapshot.state.head().get(),
            recorded_at: snapshot.state.recorded_at().micros(),
            frontier: snapshot.frontier.hashes().iter().map(|hash| hash.bytes().to_vec()).collect(),
        };
        let mut tail = Tail { records: Vec::new(), bundles: BTreeMap::new(), head };
        for row in rows {
            let records = stored(&row);
            tail.take(records, row.bundles, row.head.unwrap_or_default());
        }
        let places = snapshot.values.iter().enumerate().map(|(place, one)| (one.position, place)).collect();
        Self { store, program, snapshot, places, tail: RwLock::new(tail) }
    }

    fn tail(&self) -> RwLockReadGuard<'_, Tail> {
        self.tail.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The snapshot's position: what is after it is in the tail.
    fn begin(&self) -> Position {
        self.snapshot.state.head()
    }

    fn index(&self, at: Position) -> Option<usize> {
        usize::try_from(at.get().checked_sub(self.begin().get() + 1)?).ok()
    }

    /// The row changes that take away what is after a head.
    fn rows_after(&self, head: &v1::Head) -> Result<Vec<RowChange>, LogError> {
        let mut changes = Vec::new();
        for (number, bytes) in self.store.rows(self.program, RowKind::Snapshot)? {
            let at = row(self.program, number);
            if number > TAIL + head.position {
                changes.push(RowChange::Delete(at));
            } else if number > TAIL {
                let wrong = |error| LogError::damaged_in(self.program, format!("row {number}: {error}"));
                let mut part = v1::TailRecords::decode(bytes.as_slice()).map_err(wrong)?;
                if part.head.as_ref().is_some_and(|end| end.position > head.position) {
                    let stays = |one: &v1::TailRecord| {
                        one.record.as_ref().is_some_and(|record| record.position <= head.position)
                    };
                    part.records.retain(stays);
                    part.bundles.retain(|bundle| bundle.position <= head.position);
                    part.head = Some(head.clone());
                    changes.push(RowChange::Put(at, part.encode_to_vec()));
                }
            }
        }
        Ok(changes)
    }

    fn is_fetched(&self, at: Position) -> Result<bool, LogError> {
        Ok(self.store.head(self.program)?.is_some_and(|head| at.get() <= head.position))
    }
}

impl EventLog for TailLog {
    fn programs(&self) -> Result<Vec<ProgramId>, LogError> {
        Ok(vec![self.program])
    }

    fn head(&self, program: ProgramId) -> Result<Option<v1::Head>, LogError> {
        Ok((program == self.program).then(|| self.tail().head.clone()))
    }

    fn commit(&self, commit: Commit) -> Result<(), LogError> {
        let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
        check::commit(&commit, |program| Ok((program == self.program).then(|| tail.head.clone())))?;
        let mut rows = commit.rows;
        for append in &commit.appends {
            let record = |one: &StoredRecord| v1::TailRecord {
                record: Some(one.record.clone()),
                values: one.values.clone(),
            };
            let written = v1::TailRecords {
                records: append.records.iter().map(record).collect(),
                bundles: append.bundles.clone(),
                head: Some(append.head.clone()),
            };
            let first = append.records.first().map_or(0, |one| one.record.position);
            rows.push(RowChange::Put(row(append.program, TAIL + first), written.encode_to_vec()));
        }
        self.store.commit(Commit { appends: Vec::new(), rows })?;
        for append in commit.appends {
            tail.take(append.records, append.bundles, append.head);
        }
        Ok(())
    }

    fn rewind(&self, rewind: Rewind) -> Result<(), LogError> {
        let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
        let last = Position::new(rewind.head.position);
        let stays = match self.index(last) {
            Some(index) => index + 1,
            None if last == self.begin() => 0,
            None => return Err(LogError::NotHeld { from: self.begin() }),
        };
        let record = stays.checked_sub(1).and_then(|index| tail.records.get(index)).map(|one| &one.record);
        check::rewind(&rewind, Some(&tail.head), record.or(Some(&self.snapshot.last)))?;
        let mut both = Commit { appends: Vec::new(), rows: self.rows_after(&rewind.head)? };
        let kept = Commit { appends: Vec::new(), rows: rewind.rows };
        if kept.bytes() + both.bytes() > MAX_COMMIT_BYTES {
            // What is kept of the records first: were that the last that was done, they would stand twice, and be found again.
            self.store.commit(kept)?;
        } else {
            both.rows.extend(kept.rows);
        }
        self.store.commit(both)?;
        tail.records.truncate(stays);
        tail.bundles.split_off(&last.next().get());
        tail.head = rewind.head;
        Ok(())
    }

    fn read(
        &self,
        program: ProgramId,
        from: Position,
        limit: ReadLimit,
    ) -> Result<Vec<v1::Record>, LogError> {
        let from = from.max(Position::new(1));
        if from <= self.begin() {
            if self.is_fetched(from)? {
                return self.store.read(program, from, limit);
            }
            let last = (from == self.begin()).then(|| vec![self.snapshot.last.clone()]);
            return last.ok_or(LogError::NotHeld { from: self.begin() });
        }
        let tail = self.tail();
        let (mut records, mut bytes) = (Vec::new(), 0);
        let start = self.index(from).unwrap_or(usize::MAX);
        for one in tail.records.iter().skip(start) {
            let next = one.record.encoded_len();
            if !limit.admits(records.len(), bytes, next) {
                break;
            }
            bytes += next;
            records.push(one.record.clone());
        }
        Ok(records)
    }

    fn bundle(&self, program: ProgramId, at: Position) -> Result<Option<v1::Bundle>, LogError> {
        if at <= self.begin() {
            return self.store.bundle(program, at);
        }
        Ok(self.tail().bundles.get(&at.get()).cloned())
    }

    fn values(&self, program: ProgramId, at: Position) -> Result<Vec<v1::Value>, LogError> {
        if at > self.begin() {
            let tail = self.tail();
            let found = self.index(at).and_then(|index| tail.records.get(index));
            let mut values = found.map_or_else(Vec::new, |one| one.values.clone());
            values.sort_by_key(|value| value.slot);
            return Ok(values);
        }
        if self.is_fetched(at)? {
            return self.store.values(program, at);
        }
        let carried = self.places.get(&at).and_then(|place| self.snapshot.values.get(*place));
        Ok(carried.map_or_else(Vec::new, |carried| encode_values(&carried.values)))
    }

    fn value(&self, program: ProgramId, at: Position, slot: Slot) -> Result<Option<v1::Value>, LogError> {
        let values = self.values(program, at)?;
        Ok(values.into_iter().find(|value| value.slot == u32::from(slot.get())))
    }

    fn rows(&self, program: ProgramId, kind: RowKind) -> Result<Vec<(u64, Vec<u8>)>, LogError> {
        self.store.rows(program, kind)
    }

    fn row(&self, key: RowKey) -> Result<Option<Vec<u8>>, LogError> {
        self.store.row(key)
    }
}

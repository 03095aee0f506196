//! The store: commits one at a time, reads that show only what is durable.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prost::Message as _;
use radslag_core::id::{Position, ProgramId};
use radslag_core::value::Slot;
use radslag_log::{
    Bundles, Commit, EncodedRecords, EventLog, LogError, ReadLimit, Rewind, RowKey, RowKind, Values, check,
};
use radslag_proto::log::v1;

use crate::disk::{Blob, Disk};
use crate::format::Paged;
use crate::keeper::{Keeper, Shared, Standing};
use crate::open::{self, OpenOptions, Opened};
use crate::walk::{self, Way};
use crate::{batch, format, page};

/// An open store. Closing it, or dropping it, writes the high-water mark and lets the next process in.
// The fields are dropped in this order: the last mark, then sled, and the lock when nothing is written any more.
#[derive(Debug)]
pub struct SledLog {
    keeper: Keeper,
    disk: Disk,
    shared: Arc<Shared>,
    /// The last record beside which version 1 of the format wrote, of each log that it wrote in.
    singles: BTreeMap<ProgramId, Position>,
    /// Whether it still says that version 1 wrote it.
    is_old: AtomicBool,
    /// The turn to write: commits happen one at a time, and rows are read between them.
    turn: Mutex<()>,
    _lock: File,
}

impl SledLog {
    /// Opens the store in `dir`, or makes one where nothing is.
    ///
    /// [`LogError::InUse`] when another opener, in this process or another, keeps it for longer than [`OpenOptions::wait`];
    /// [`LogError::Behind`] when it ends before what was acknowledged; [`LogError::Newer`] when a later release wrote it;
    /// [`LogError::Damaged`] when anything in it is not as it was written, or sled panics over it.
    pub fn open(dir: &Path, options: OpenOptions) -> Result<Self, LogError> {
        let Opened { lock, disk, acknowledged, heads, is_old, singles } = open::open(dir, options)?;
        let shared = Arc::new(Shared::new(heads));
        let keeper = Keeper::start(Arc::clone(&shared), acknowledged)?;
        let is_old = AtomicBool::new(is_old);
        Ok(Self { keeper, disk, shared, singles, is_old, turn: Mutex::new(()), _lock: lock })
    }

    /// Closes the store; the error is that of the last high-water mark. Dropping does the same and only logs it.
    pub fn close(mut self) -> Result<(), LogError> {
        self.keeper.close()
    }

    // The turn guards no data, so a panic of an earlier holder left nothing half done in it.
    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, commit: &Commit, heads: &BTreeMap<ProgramId, v1::Head>) -> Result<(), LogError> {
        let batch = batch::build(commit, heads, |stem| self.disk.pieces_of(stem))?;
        self.write_batch(batch)
    }

    /// From the first batch on, the store may hold what a reader of version 1 would not find.
    fn write_batch(&self, mut batch: sled::Batch) -> Result<(), LogError> {
        if self.is_old.load(Ordering::Relaxed) {
            batch::put_version(&mut batch);
        }
        self.disk.write(batch)?;
        self.is_old.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// What lies after a position, and what stays of the pages that it lies in.
    fn tail(&self, program: ProgramId, last: Position) -> Result<batch::Tail, LogError> {
        let next = last.next();
        let begins = [
            (format::page(program, next), format::records(program)),
            (format::values(program, next, Slot::new(0)), format::all_values(program)),
            (format::bundle(program, next), format::bundles(program)),
            (format::single_values(program, next), format::all_single_values(program)),
            (format::single_bundle(program, next), format::single_bundles(program)),
        ];
        let mut keys = Vec::new();
        for (start, prefix) in begins {
            keys.extend(self.disk.keys(start, &prefix)?);
        }
        let first = self.page_of(program, last)?;
        let missing = || LogError::damaged_at(program, first, "the page is missing");
        let bytes = self.disk.get(&format::page(program, first))?.ok_or_else(missing)?;
        let mut records = page::unpack(program, first, &bytes)?;
        records.retain(|record| record.position <= last.get());
        let mut pages = page::pack(program, &records);
        if let Some((stem, bytes)) = self.values_page_before(program, next)? {
            let entries = page::entries(Paged::Values, program, &stem, bytes, |at| at <= last)?;
            let values = entries.iter().map(|entry| Ok((entry.0, page::value(program, entry)?)));
            let values: Vec<_> = values.collect::<Result<_, LogError>>()?;
            pages.extend(page::pack_values(program, values.iter().map(|(at, value)| (*at, value))));
        }
        if let Some((stem, bytes)) = self.bundles_page_before(program, next)? {
            let entries = page::entries(Paged::Bundles, program, &stem, bytes, |at| at <= last)?;
            let bundles = entries.iter().map(|entry| page::bundle(program, entry));
            pages.extend(page::pack_bundles(program, &bundles.collect::<Result<Vec<_>, _>>()?));
        }
        Ok(batch::Tail { keys, pages })
    }

    /// The last page of values that begins before a record.
    fn values_page_before(&self, program: ProgramId, at: Position) -> Result<Option<Blob>, LogError> {
        self.disk.last_before(&format::values(program, at, Slot::new(0)), &format::all_values(program))
    }

    /// The last page of bundles that begins before a record.
    fn bundles_page_before(&self, program: ProgramId, at: Position) -> Result<Option<Blob>, LogError> {
        self.disk.last_before(&format::bundle(program, at), &format::bundles(program))
    }

    /// Whether a record may have what version 1 of the format wrote beside it.
    fn may_be_single(&self, program: ProgramId, at: Position) -> bool {
        self.singles.get(&program).is_some_and(|last| at <= *last)
    }

    /// The way from a position to the end of a log.
    fn way(&self, program: ProgramId, from: Position) -> Way {
        let from = from.max(Position::new(1));
        Way { program, from, end: self.shared.end(program), singles: self.may_be_single(program, from) }
    }

    /// The first position of the page that holds `at`.
    fn page_of(&self, program: ProgramId, at: Position) -> Result<Position, LogError> {
        let end = format::after(&format::page(program, at));
        let stem = self.disk.last_stem_before(&end, &format::records(program))?;
        let first = stem.as_deref().and_then(format::position_of);
        first.ok_or_else(|| LogError::damaged_at(program, at, "the record is missing"))
    }

    fn is_shown(&self, program: ProgramId, at: Position) -> bool {
        at <= self.shared.end(program)
    }
}

impl EventLog for SledLog {
    fn programs(&self) -> Result<Vec<ProgramId>, LogError> {
        Ok(self.shared.programs())
    }

    fn head(&self, program: ProgramId) -> Result<Option<v1::Head>, LogError> {
        Ok(self.shared.head(program))
    }

    fn commit(&self, commit: Commit) -> Result<(), LogError> {
        let _turn = self.turn();
        self.shared.check_stopped()?;
        let heads = check::commit(&commit, |program| Ok(self.shared.head(program)))?;
        if commit.is_empty() {
            return Ok(());
        }
        self.disk.check_room(commit.bytes())?;
        // Whatever went wrong, nobody can say how much of it reached the disk: a later success would prove nothing.
        self.write(&commit, &heads).inspect_err(|error| self.shared.stop(error))?;
        let root = |head: &v1::Head| {
            check::frontier_root(head).expect("the commit was checked: its frontiers have roots")
        };
        let standing = |head: v1::Head| Standing { root: root(&head), head };
        self.shared.publish(heads.into_iter().map(|(program, head)| (program, standing(head))).collect());
        Ok(())
    }

    fn rewind(&self, rewind: Rewind) -> Result<(), LogError> {
        let _turn = self.turn();
        self.shared.check_stopped()?;
        let (program, last) = (rewind.program, Position::new(rewind.head.position));
        let record = self.read(program, last, ReadLimit { records: 1, bytes: 0 })?;
        check::rewind(&rewind, self.shared.head(program).as_ref(), record.first())?;
        self.disk.check_room(rewind.bytes())?;
        let tail = self.tail(program, last)?;
        let root =
            check::frontier_root(&rewind.head).expect("the rewind was checked: its frontier has a root");
        self.keeper.rewind(program, |generation| {
            let batch = batch::rewind(&rewind, tail, generation, |stem| self.disk.pieces_of(stem))?;
            self.write_batch(batch)?;
            Ok(Standing { root, head: rewind.head })
        })
    }

    fn read(
        &self,
        program: ProgramId,
        from: Position,
        limit: ReadLimit,
    ) -> Result<Vec<v1::Record>, LogError> {
        let end = self.shared.end(program);
        let from = from.max(Position::new(1));
        if from > end {
            return Ok(Vec::new());
        }
        let mut next = self.page_of(program, from)?;
        let (mut records, mut bytes) = (Vec::new(), 0);
        for blob in self.disk.blobs(format::page(program, next), &format::records(program)) {
            let (stem, page) = blob?;
            if format::position_of(&stem) != Some(next) {
                break;
            }
            for record in page::unpack(program, next, &page)? {
                let size = record.encoded_len();
                if next > end || (next >= from && !limit.admits(records.len(), bytes, size)) {
                    return Ok(records);
                }
                if next >= from {
                    bytes += size;
                    records.push(record);
                }
                next = next.next();
            }
            // What was not asked for is not read: it may be damaged.
            if next > end || records.len() >= limit.records.max(1) {
                return Ok(records);
            }
        }
        Err(LogError::damaged_at(program, next, "the record is missing"))
    }

    fn bundle(&self, program: ProgramId, at: Position) -> Result<Option<v1::Bundle>, LogError> {
        if !self.is_shown(program, at) {
            return Ok(None);
        }
        if self.may_be_single(program, at)
            && let Some(bytes) = self.disk.get_sealed(&format::single_bundle(program, at))?
        {
            return page::bundle(program, &(at, bytes.into())).map(Some);
        }
        let Some((stem, page)) = self.bundles_page_before(program, at.next())? else { return Ok(None) };
        let entries = page::entries(Paged::Bundles, program, &stem, page, |found| found == at)?;
        entries.first().map(|entry| page::bundle(program, entry)).transpose()
    }

    fn bundles_from(&self, program: ProgramId, from: Position) -> Result<Bundles<'_>, LogError> {
        let entries = walk::entries(&self.disk, Paged::Bundles, self.way(program, from))?;
        Ok(Box::new(entries.map(move |entry| page::bundle(program, &entry?))))
    }

    fn values(&self, program: ProgramId, at: Position) -> Result<Vec<v1::Value>, LogError> {
        if !self.is_shown(program, at) {
            return Ok(Vec::new());
        }
        if self.may_be_single(program, at) {
            let sealed = self.disk.sealed(&format::single_values(program, at));
            let single: Vec<v1::Value> = sealed
                .map(|value| value.and_then(|(_, bytes)| page::value(program, &(at, bytes.into()))))
                .collect::<Result<_, _>>()?;
            if !single.is_empty() {
                return Ok(single);
            }
        }
        // From the last page that has any back to the one with the first. What was not asked for is not read: it may be damaged.
        let prefix = format::all_values(program);
        let mut end = format::values(program, at.next(), Slot::new(0));
        let mut pages = Vec::new();
        while let Some((stem, page)) = self.disk.last_before(&end, &prefix)? {
            pages.push(page::entries(Paged::Values, program, &stem, page, |found| found == at)?);
            if format::position_of(&stem) != Some(at) {
                break;
            }
            end = stem;
        }
        let values = pages.iter().rev().flatten().map(|entry| page::value(program, entry));
        let values: Vec<v1::Value> = values.collect::<Result<_, _>>()?;
        if !values.is_sorted_by(|one, other| one.slot < other.slot) {
            return Err(LogError::damaged_at(program, at, "a slot holds two values"));
        }
        Ok(values)
    }

    fn values_from(&self, program: ProgramId, from: Position) -> Result<Values<'_>, LogError> {
        let entries = walk::entries(&self.disk, Paged::Values, self.way(program, from))?;
        Ok(Box::new(entries.map(move |entry| {
            let entry = entry?;
            Ok((entry.0, page::value(program, &entry)?))
        })))
    }

    fn encoded_from(&self, program: ProgramId, from: Position) -> Result<EncodedRecords<'_>, LogError> {
        Ok(Box::new(walk::encoded(&self.disk, self.way(program, from))?))
    }

    fn value(&self, program: ProgramId, at: Position, slot: Slot) -> Result<Option<v1::Value>, LogError> {
        let values = self.values(program, at)?;
        Ok(values.into_iter().find(|value| value.slot == u32::from(slot.get())))
    }

    fn rows(&self, program: ProgramId, kind: RowKind) -> Result<Vec<(u64, Vec<u8>)>, LogError> {
        let _turn = self.turn();
        let numbered = |(stem, bytes): Blob| {
            let number = format::number_of(&stem)
                .ok_or_else(|| format::damaged(&stem, "the key of a row is too short"))?;
            Ok((number, bytes))
        };
        self.disk.sealed(&format::rows(program, kind)).map(|row| row.and_then(numbered)).collect()
    }

    fn row(&self, key: RowKey) -> Result<Option<Vec<u8>>, LogError> {
        let stem = format::row(key);
        match self.disk.get_sealed(&stem) {
            // A commit that writes the row over may have been met half way; between two commits there is no such thing.
            Err(LogError::Damaged { .. }) => {
                let _turn = self.turn();
                self.disk.get_sealed(&stem)
            }
            answer => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use radslag_log::conformance::sample;

    use super::*;

    fn commit(log: &SledLog) -> Result<(), LogError> {
        let head = log.head(sample::program(1))?;
        let append = sample::append(sample::program(1), head.as_ref(), vec![sample::accepted(10)]);
        log.commit(Commit { appends: vec![append], rows: Vec::new() })
    }

    /// A process that ends between a rewind and the mark that follows it.
    #[test]
    fn a_rewind_that_was_cut_short_opens_and_a_store_that_lost_its_end_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let log = SledLog::open(dir.path(), OpenOptions::default()).unwrap();
        commit(&log).unwrap();
        let first = log.head(sample::program(1)).unwrap().unwrap();
        commit(&log).unwrap();
        commit(&log).unwrap();
        log.close().unwrap();
        let marks = ["acknowledged.0", "acknowledged.1"].map(|name| dir.path().join(name));
        let before = marks.each_ref().map(|path| std::fs::read(path).unwrap());
        let rewind = |log: &SledLog| {
            log.rewind(Rewind { program: sample::program(1), head: first.clone(), rows: Vec::new() })
        };
        let put_back = |bytes: &[Vec<u8>; 2]| {
            marks.iter().zip(bytes).for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
        };

        let log = SledLog::open(dir.path(), OpenOptions::default()).unwrap();
        rewind(&log).unwrap();
        log.close().unwrap();
        put_back(&before);
        let log = SledLog::open(dir.path(), OpenOptions::default()).unwrap();
        assert_eq!(log.head(sample::program(1)).unwrap().unwrap().position, 1);
        log.close().unwrap();

        // A later mark binds again: the excuse was for that one alone.
        let log = SledLog::open(dir.path(), OpenOptions::default()).unwrap();
        commit(&log).unwrap();
        commit(&log).unwrap();
        log.close().unwrap();
        let after = marks.each_ref().map(|path| std::fs::read(path).unwrap());
        let log = SledLog::open(dir.path(), OpenOptions::default()).unwrap();
        rewind(&log).unwrap();
        commit(&log).unwrap();
        log.close().unwrap();
        let log = SledLog::open(dir.path(), OpenOptions::default()).unwrap();
        rewind(&log).unwrap();
        log.close().unwrap();
        put_back(&after);
        let answer = SledLog::open(dir.path(), OpenOptions::default());
        assert!(matches!(answer, Err(LogError::Behind { .. })), "{answer:?}");
    }

    #[test]
    fn after_a_failed_sync_writes_are_over_and_reads_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = SledLog::open(dir.path(), OpenOptions::default()).unwrap();
        commit(&log).unwrap();
        log.disk.break_sync();
        assert!(matches!(commit(&log), Err(LogError::Io { .. })));
        let answer = commit(&log);
        assert!(matches!(answer, Err(LogError::Stopped { .. })), "{answer:?}");
        assert!(matches!(log.commit(Commit::default()), Err(LogError::Stopped { .. })));

        let all = log.read(sample::program(1), Position::ZERO, sample::EVERYTHING).unwrap();
        assert_eq!(all.len(), 1, "what was not acknowledged is not shown");
        assert_eq!(log.head(sample::program(1)).unwrap().unwrap().position, 1);
        drop(log);

        let log = SledLog::open(dir.path(), OpenOptions::default()).unwrap();
        assert!(log.head(sample::program(1)).unwrap().unwrap().position >= 1);
        commit(&log).unwrap();
    }
}

//! The reference store: a log in memory, gone with the process. It says what the others must do; tests and simulations run on it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};

use prost::Message as _;
use radslag_core::id::{Position, ProgramId};
use radslag_core::value::Slot;
use radslag_proto::log::v1;

use crate::check;
use crate::contract::{Append, Commit, EventLog, ReadLimit, Rewind, RowChange, RowKey, RowKind};
use crate::error::LogError;

/// Logs in memory. "Durable" means: for as long as this value lives.
#[derive(Debug, Default)]
pub struct MemoryLog {
    /// A lock, because the contract allows calls from any thread; nothing in here waits while holding it.
    state: Mutex<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    programs: BTreeMap<ProgramId, Program>,
    rows: BTreeMap<RowKey, Vec<u8>>,
}

#[derive(Clone, Debug, Default)]
struct Program {
    head: v1::Head,
    records: BTreeMap<u64, v1::Record>,
    values: BTreeMap<(u64, u32), v1::Value>,
    bundles: BTreeMap<u64, v1::Bundle>,
}

impl MemoryLog {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another store that holds the same: what a copied disk is.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self { state: Mutex::new(self.state().clone()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the state")
    }
}

impl State {
    fn change(&mut self, rows: Vec<RowChange>) {
        for change in rows {
            match change {
                RowChange::Put(key, bytes) => self.rows.insert(key, bytes),
                RowChange::Delete(key) => self.rows.remove(&key),
            };
        }
    }
}

impl Program {
    fn rewind(&mut self, head: v1::Head) {
        let after = head.position + 1;
        self.records.split_off(&after);
        self.values.split_off(&(after, 0));
        self.bundles.split_off(&after);
        self.head = head;
    }

    fn append(&mut self, append: Append) {
        for stored in append.records {
            let position = stored.record.position;
            self.values.extend(stored.values.into_iter().map(|value| ((position, value.slot), value)));
            self.records.insert(position, stored.record);
        }
        self.bundles.extend(append.bundles.into_iter().map(|bundle| (bundle.position, bundle)));
        self.head = append.head;
    }
}

impl EventLog for MemoryLog {
    fn programs(&self) -> Result<Vec<ProgramId>, LogError> {
        Ok(self.state().programs.keys().copied().collect())
    }

    fn head(&self, program: ProgramId) -> Result<Option<v1::Head>, LogError> {
        Ok(self.state().programs.get(&program).map(|log| log.head.clone()))
    }

    fn commit(&self, commit: Commit) -> Result<(), LogError> {
        let mut state = self.state();
        check::commit(&commit, |program| Ok(state.programs.get(&program).map(|log| log.head.clone())))?;
        for append in commit.appends {
            state.programs.entry(append.program).or_default().append(append);
        }
        state.change(commit.rows);
        Ok(())
    }

    fn rewind(&self, rewind: Rewind) -> Result<(), LogError> {
        let mut state = self.state();
        let log = state.programs.get(&rewind.program);
        let last = log.and_then(|log| log.records.get(&rewind.head.position));
        check::rewind(&rewind, log.map(|log| &log.head), last)?;
        if let Some(log) = state.programs.get_mut(&rewind.program) {
            log.rewind(rewind.head);
        }
        state.change(rewind.rows);
        Ok(())
    }

    fn read(
        &self,
        program: ProgramId,
        from: Position,
        limit: ReadLimit,
    ) -> Result<Vec<v1::Record>, LogError> {
        let state = self.state();
        let Some(log) = state.programs.get(&program) else { return Ok(Vec::new()) };
        let mut records = Vec::new();
        let mut bytes = 0;
        for record in log.records.range(from.get()..).map(|(_, record)| record) {
            let next = record.encoded_len();
            if !limit.admits(records.len(), bytes, next) {
                break;
            }
            bytes += next;
            records.push(record.clone());
        }
        Ok(records)
    }

    fn bundle(&self, program: ProgramId, at: Position) -> Result<Option<v1::Bundle>, LogError> {
        Ok(self.state().programs.get(&program).and_then(|log| log.bundles.get(&at.get()).cloned()))
    }

    fn values(&self, program: ProgramId, at: Position) -> Result<Vec<v1::Value>, LogError> {
        let state = self.state();
        let Some(log) = state.programs.get(&program) else { return Ok(Vec::new()) };
        let of_the_record = (Bound::Included((at.get(), 0)), Bound::Included((at.get(), u32::MAX)));
        Ok(log.values.range(of_the_record).map(|(_, value)| value.clone()).collect())
    }

    fn value(&self, program: ProgramId, at: Position, slot: Slot) -> Result<Option<v1::Value>, LogError> {
        let state = self.state();
        let log = state.programs.get(&program);
        Ok(log.and_then(|log| log.values.get(&(at.get(), u32::from(slot.get()))).cloned()))
    }

    fn rows(&self, program: ProgramId, kind: RowKind) -> Result<Vec<(u64, Vec<u8>)>, LogError> {
        let state = self.state();
        let first = RowKey { program, kind, number: 0 };
        let last = RowKey { program, kind, number: u64::MAX };
        Ok(state.rows.range(first..=last).map(|(key, bytes)| (key.number, bytes.clone())).collect())
    }

    fn row(&self, key: RowKey) -> Result<Option<Vec<u8>>, LogError> {
        Ok(self.state().rows.get(&key).cloned())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_reference_passes_the_suite() {
        crate::conformance::run_all(super::MemoryLog::new);
    }
}

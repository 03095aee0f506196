//! What judging and viewing look up beside the state: values and earlier records, from a store.

use std::collections::HashMap;

use radslag_core::id::{EventId, Position, ProgramId};
use radslag_core::judge::{MemoryPast, Past};
use radslag_core::record::{Entry, Recorded};
use radslag_core::value::{ValueRef, Values};
use radslag_log::{EventLog, ReadLimit};
use radslag_proto::convert::record::decode_record;

/// Where each event of a log stands.
pub type Index = HashMap<EventId, Position>;

/// A store's past, with what is not stored yet laid over it.
///
/// A store that cannot be read answers as if the value were forgotten; the error itself is logged here and met again by
/// whoever reads records.
pub struct LogPast<'a> {
    /// The store.
    pub log: &'a dyn EventLog,
    /// The programme.
    pub program: ProgramId,
    /// Where its events stand.
    pub index: &'a Index,
    /// Events that are judged but not stored, and outboxes.
    pub overlay: &'a MemoryPast,
}

impl Values for LogPast<'_> {
    fn bytes(&self, at: ValueRef) -> Option<Vec<u8>> {
        if let Some(bytes) = self.overlay.values.get(at.event, at.slot) {
            return Some(bytes.to_vec());
        }
        let position = *self.index.get(&at.event)?;
        match self.log.value(self.program, position, at.slot) {
            Ok(value) => value.map(|value| value.bytes),
            Err(error) => {
                tracing::error!(program = %self.program, %position, %error, "a value cannot be read");
                None
            }
        }
    }
}

impl Past for LogPast<'_> {
    fn record(&self, event: EventId) -> Option<Recorded> {
        if let Some(record) = self.overlay.records.get(&event) {
            return Some(record.clone());
        }
        let position = *self.index.get(&event)?;
        let stored = self.log.read(self.program, position, ReadLimit { records: 1, bytes: 0 }).ok()?;
        let record = decode_record(stored.first()?).ok()?;
        matches!(record.entry, Entry::Accepted { .. }).then_some(record)
    }
}

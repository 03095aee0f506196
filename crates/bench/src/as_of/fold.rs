//! How fast one core folds: with everything that a ledger keeps of a record, and with reading the records from the store.

use std::path::Path;
use std::time::Instant;

use radslag_core::digest::Digest;
use radslag_core::id::Position;
use radslag_core::record::Recorded;
use radslag_engine::ledger::Ledger;
use radslag_engine::read::walk;
use radslag_log::{EventLog as _, RowKind};
use radslag_log_sled::{OpenOptions, SledLog};

use crate::Failed;

/// So many records are enough to know.
const MOST: u64 = 200_000;

/// Records in a second.
pub(crate) struct Folded {
    pub(crate) per_s: f64,
    pub(crate) with_reading_per_s: f64,
    /// How many folded states stand beside the log, and how many bytes they have.
    pub(crate) states: usize,
    pub(crate) state_bytes: usize,
}

/// Folds the log of a store that nobody has open.
pub(crate) fn measure(dir: &Path) -> Result<Folded, Failed> {
    let log = SledLog::open(dir, OpenOptions::default())?;
    let program = log.programs()?.pop().ok_or("the store is empty")?;
    let head = log.head(program)?.map_or(0, |head| head.position).min(MOST);
    let began = Instant::now();
    let mut records: Vec<Recorded> = Vec::new();
    walk(&log, program, Position::new(1), Position::new(head), |record| records.push(record))?;
    let read = began.elapsed();
    let mut ledger = Ledger::new(program);
    let began = Instant::now();
    records.iter().for_each(|record| ledger.note(record, Digest::ZERO));
    let folded = began.elapsed();
    let states = log.rows(program, RowKind::State)?.len();
    let state_bytes = log.rows(program, RowKind::StatePart)?.iter().map(|(_, part)| part.len()).sum();
    log.close()?;
    let count = records.len() as f64;
    Ok(Folded {
        per_s: count / folded.as_secs_f64(),
        with_reading_per_s: count / (read + folded).as_secs_f64(),
        states,
        state_bytes,
    })
}

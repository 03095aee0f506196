//! sled alone, under the commit rule: a batch, `flush()`, `sync_data()` on the file. One key an event, keys ascending.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use crate::Failed;
use crate::measure::{Bound, Cell, Gate};

/// The server's default.
const CACHE_BYTES: u64 = 64 << 20;

/// Measures batches of `batch` events in a database below `dir`, from the first on: with as many events as a scenario had, both
/// stores are equally filled all the time.
pub(crate) fn run(dir: &Path, bound: Bound, batch: usize, payload: &[u8]) -> Result<Cell, Failed> {
    let data = tempfile::tempdir_in(dir)?;
    let config = sled::Config::new().path(data.path()).cache_capacity(CACHE_BYTES).flush_every_ms(Some(500));
    let db = config.open()?;
    let file = File::options().write(true).open(data.path().join("db"))?;
    let gate = Gate::open(bound);
    let mut next: u64 = 0;
    let mut calls = Vec::new();
    while gate.admits(batch) {
        let start = Instant::now();
        let mut events = sled::Batch::default();
        for _ in 0..batch {
            events.insert(&next.to_be_bytes(), payload);
            next += 1;
        }
        db.apply_batch(events)?;
        db.flush()?;
        file.sync_data()?;
        calls.push(start.elapsed());
    }
    Ok(Cell::new("sled", 1, batch, gate.elapsed(), calls))
}

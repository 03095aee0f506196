//! The disk alone: 4 KiB appended and made durable, over and over.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use crate::Failed;
use crate::measure::{Bound, Cell, Gate};

const PAGE: [u8; 4096] = [0x5A; 4096];

/// Measures the disk below `dir`.
pub(crate) fn run(dir: &Path, bound: Bound) -> Result<Cell, Failed> {
    let data = tempfile::tempdir_in(dir)?;
    let mut file = File::create(data.path().join("appends"))?;
    let gate = Gate::open(bound);
    let mut calls = Vec::new();
    while gate.admits(1) {
        let start = Instant::now();
        file.write_all(&PAGE)?;
        file.sync_data()?;
        calls.push(start.elapsed());
    }
    Ok(Cell::new("fdatasync", 1, 1, gate.elapsed(), calls))
}

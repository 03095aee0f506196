//! The disk alone: so many bytes appended and made durable, over and over.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use crate::Failed;
use crate::measure::{Bound, Cell, Gate};

/// What is appended, with the name of its cell.
pub(crate) const SIZES: [(&str, usize); 2] = [("fdatasync-4k", 4 << 10), ("fdatasync-64k", 64 << 10)];

/// So many are enough to know, and do not fill the disk.
const MOST: u64 = 10_000;

/// Measures the disk below `dir`.
pub(crate) fn run(dir: &Path, bound: Bound, (name, size): (&'static str, usize)) -> Result<Cell, Failed> {
    let data = tempfile::tempdir_in(dir)?;
    let mut file = File::create(data.path().join("appends"))?;
    let page = vec![0x5A; size];
    let gate = Gate::open(bound.at_most(MOST));
    let mut calls = Vec::new();
    while gate.admits(1) {
        let start = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        calls.push(start.elapsed());
    }
    Ok(Cell::new(name, 1, 1, gate.elapsed(), calls))
}

//! What a commit writes: every key and value of it, as one sled batch.

use std::collections::BTreeMap;

use prost::Message as _;
use radslag_core::id::{Position, ProgramId};
use radslag_log::{Append, Commit, LogError, Rewind, RowChange, RowKey};
use radslag_proto::log::v1;

use crate::page::Page;
use crate::{format, page, pieces};

/// The batch of a commit that was checked, with the heads that will stand. `pieces_of` says how many pieces a stem has now.
pub(crate) fn build(
    commit: &Commit,
    heads: &BTreeMap<ProgramId, v1::Head>,
    pieces_of: impl Fn(&[u8]) -> Result<u16, LogError>,
) -> Result<sled::Batch, LogError> {
    let mut batch = sled::Batch::default();
    commit.appends.iter().for_each(|append| put_append(&mut batch, append));
    for (program, head) in heads {
        put_sealed(&mut batch, &format::head(*program), &head.encode_to_vec());
    }
    change_rows(&mut batch, &commit.rows, pieces_of)?;
    Ok(batch)
}

/// What a rewind finds on the disk.
pub(crate) struct Tail {
    /// Every key of the pages that begin after the new head.
    pub(crate) keys: Vec<Vec<u8>>,
    /// What stays of the pages that the new head lies in.
    pub(crate) pages: Vec<Page>,
}

/// The batch of a rewind that was checked: the tail goes, and the mark of before `generation` no longer binds.
pub(crate) fn rewind(
    rewind: &Rewind,
    tail: Tail,
    generation: u64,
    pieces_of: impl Fn(&[u8]) -> Result<u16, LogError>,
) -> Result<sled::Batch, LogError> {
    let mut batch = sled::Batch::default();
    tail.keys.into_iter().for_each(|key| batch.remove(key));
    for page in tail.pages {
        // A page that was larger than a piece held one entry, and that one stays.
        let written = put(&mut batch, &page.stem, &page.bytes);
        (written..pieces_of(&page.stem)?).for_each(|piece| batch.remove(format::piece(&page.stem, piece)));
    }
    put_sealed(&mut batch, &format::head(rewind.program), &rewind.head.encode_to_vec());
    put_sealed(&mut batch, &format::rewound(rewind.program), &generation.to_be_bytes());
    change_rows(&mut batch, &rewind.rows, pieces_of)?;
    Ok(batch)
}

/// Only the last change of a row counts, so that the pieces of an earlier one are never written.
fn change_rows(
    batch: &mut sled::Batch,
    rows: &[RowChange],
    pieces_of: impl Fn(&[u8]) -> Result<u16, LogError>,
) -> Result<(), LogError> {
    let rows: BTreeMap<RowKey, &RowChange> = rows.iter().map(|change| (change.key(), change)).collect();
    for (key, change) in rows {
        let stem = format::row(key);
        let written = match change {
            RowChange::Put(_, bytes) => put_sealed(batch, &stem, bytes),
            RowChange::Delete(_) => 0,
        };
        for left_over in written..pieces_of(&stem)? {
            batch.remove(format::piece(&stem, left_over));
        }
    }
    Ok(())
}

/// The batch that makes an empty database a store.
pub(crate) fn first() -> sled::Batch {
    let mut batch = sled::Batch::default();
    put_version(&mut batch);
    batch
}

/// Says that this version wrote here.
pub(crate) fn put_version(batch: &mut sled::Batch) {
    put_sealed(batch, &format::version(), &format::VERSION.to_be_bytes());
}

fn put_append(batch: &mut sled::Batch, append: &Append) {
    let mut values: Vec<(Position, &v1::Value)> = Vec::new();
    for stored in &append.records {
        let at = Position::new(stored.record.position);
        values.extend(stored.values.iter().map(|value| (at, value)));
    }
    values.sort_by_key(|(at, value)| (*at, value.slot));
    let mut bundles: Vec<&v1::Bundle> = append.bundles.iter().collect();
    bundles.sort_by_key(|bundle| bundle.position);
    let pages = [
        page::pack(append.program, append.records.iter().map(|stored| &stored.record)),
        page::pack_values(append.program, values),
        page::pack_bundles(append.program, bundles),
    ];
    for page in pages.iter().flatten() {
        put(batch, &page.stem, &page.bytes);
    }
}

fn put_sealed(batch: &mut sled::Batch, stem: &[u8], bytes: &[u8]) -> u16 {
    put(batch, stem, &pieces::seal(stem, bytes))
}

fn put(batch: &mut sled::Batch, stem: &[u8], bytes: &[u8]) -> u16 {
    let mut next = 0;
    for value in pieces::split(bytes) {
        batch.insert(format::piece(stem, next), value);
        next += 1;
    }
    next
}

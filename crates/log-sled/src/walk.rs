//! Walking along what is stored in order: entries of one kind, from a position on, whichever version of the format wrote them.

use std::iter;

use prost::bytes::Bytes;
use radslag_core::id::{Position, ProgramId};
use radslag_core::value::Slot;
use radslag_log::{EncodedRecord, LogError, until_damage};

use crate::disk::Disk;
use crate::format::{self, Paged};
use crate::page::{self, Entry};

/// Where a walk begins and ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) program: ProgramId,
    /// The first position.
    pub(crate) from: Position,
    /// The last one. What is not shown yet may stand behind it already.
    pub(crate) end: Position,
    /// Whether version 1 of the format wrote on the way.
    pub(crate) singles: bool,
}

/// The entries of one kind, ascending. The walk ends after an error: behind damage nothing can be vouched for.
pub(crate) fn entries(
    disk: &Disk,
    kind: Paged,
    way: Way,
) -> Result<impl Iterator<Item = Result<Entry, LogError>> + use<>, LogError> {
    let Way { program, from, end, singles } = way;
    let (start, prefix) = first_page(disk, kind, program, from)?;
    let paged = disk.blobs(start, &prefix).flat_map(move |blob| {
        let page = blob.and_then(|(stem, page)| page::entries(kind, program, &stem, page, |at| at >= from));
        let (entries, damage) = match page {
            Ok(entries) => (entries, None),
            Err(error) => (Vec::new(), Some(Err(error))),
        };
        entries.into_iter().map(Ok).chain(damage)
    });
    let alone = single(kind, program, from).filter(|_| singles).map(|(start, prefix)| {
        disk.sealed_from(start, &prefix).map(|sealed| {
            let (stem, bytes) = sealed?;
            let at =
                format::position_of(&stem).ok_or_else(|| format::damaged(&stem, "a key is too short"))?;
            Ok((at, Bytes::from(bytes)))
        })
    });
    let position = |entry: &Result<Entry, LogError>| entry.as_ref().ok().map(|(at, _)| *at);
    let walk = alone.into_iter().flatten().chain(paged);
    Ok(until_damage(walk).take_while(move |entry| position(entry).is_none_or(|at| at <= end)))
}

/// The stem of the page that the entries from a position on begin in, and what its kind of stems begins with.
fn first_page(
    disk: &Disk,
    kind: Paged,
    program: ProgramId,
    from: Position,
) -> Result<(Vec<u8>, Vec<u8>), LogError> {
    let (exact, after, prefix) = match kind {
        Paged::Records => {
            (format::page(program, from), format::page(program, from.next()), format::records(program))
        }
        // A record has several values, and the first of them may end the page before.
        Paged::Values => {
            let first = format::values(program, from, Slot::new(0));
            (first.clone(), first, format::all_values(program))
        }
        Paged::Bundles => {
            (format::bundle(program, from), format::bundle(program, from.next()), format::bundles(program))
        }
    };
    let start = disk.last_stem_before(&after, &prefix)?.unwrap_or(exact);
    Ok((start, prefix))
}

/// Where version 1 put what now shares pages, from a position on.
fn single(kind: Paged, program: ProgramId, from: Position) -> Option<(Vec<u8>, Vec<u8>)> {
    match kind {
        Paged::Records => None,
        Paged::Values => Some((format::single_values(program, from), format::all_single_values(program))),
        Paged::Bundles => Some((format::single_bundle(program, from), format::single_bundles(program))),
    }
}

/// Records with what stands beside them, as they are stored; every position of the way, or an error.
pub(crate) fn encoded(
    disk: &Disk,
    way: Way,
) -> Result<impl Iterator<Item = Result<EncodedRecord, LogError>> + use<>, LogError> {
    let mut records = entries(disk, Paged::Records, way)?;
    let mut values = entries(disk, Paged::Values, way)?.peekable();
    let mut bundles = entries(disk, Paged::Bundles, way)?.peekable();
    let Way { program, from, end, .. } = way;
    let mut next = from;
    let mut walk = move || -> Result<EncodedRecord, LogError> {
        let at = next;
        let record = match records.next().transpose()? {
            Some((position, record)) if position == at => record,
            Some(_) | None => return Err(LogError::damaged_at(program, at, "the record is missing")),
        };
        next = at.next();
        let here =
            |entry: &Result<Entry, LogError>| entry.as_ref().map_or(true, |(position, _)| *position <= at);
        // What lies before was not taken by its record: it is there twice, or the record has none of its kind.
        let own = |entry: Result<Entry, LogError>| match entry? {
            (position, bytes) if position == at => Ok(bytes),
            (position, _) => Err(LogError::damaged_at(program, position, "something stands there twice")),
        };
        let bundle = bundles.next_if(here).map(own).transpose()?;
        let own = std::iter::from_fn(|| values.next_if(here)).map(own).collect::<Result<_, _>>()?;
        EncodedRecord::new(at, record, own, bundle)
            .ok_or_else(|| LogError::damaged_at(program, at, "the record does not decode"))
    };
    let mut at = from;
    Ok(until_damage(iter::from_fn(move || {
        let walked = (at <= end).then(&mut walk);
        at = at.next();
        walked
    })))
}

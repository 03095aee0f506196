//! What goes into a frame of records: whole bundles, as many as make a message of a good size.

use prost::Message as _;
use radslag_core::id::{Position, ProgramId};
use radslag_engine::ledger::{LedgerError, bundle_of, values_at};
use radslag_log::{EventLog, ReadLimit};
use radslag_proto::api::v1 as api;
use radslag_proto::limits::PUSH_EVENTS;
use radslag_proto::log::v1;

/// A frame of a catch-up is closed once it holds this much. What it can hold beyond is the rest of one bundle, so that it stays
/// below 2 MiB.
pub(super) const CATCH_UP: usize = 512 << 10;
/// The same for a reader who was level once: a reader who stops costs what is under way to them, so that is little.
pub(super) const LIVE: usize = 32 << 10;
/// No frame has more records, beside the rest of its last bundle.
const RECORDS: usize = 2_000;

/// The records after `after`, up to `head` at most, with their values and the bundles that they came in; empty only at the head.
/// No bundle is cut: a reader can check every signature with what the frame holds.
///
/// # Errors
/// The store does not answer, or a signature is missing.
pub(super) fn read(
    log: &dyn EventLog,
    program: ProgramId,
    after: Position,
    head: Position,
    most: usize,
) -> Result<api::Events, LedgerError> {
    let records = whole_bundles(log, program, after.next(), head, most)?;
    let mut frame = api::Events::default();
    let mut bytes = 0;
    let mut open = None;
    let mut all = log.values_from(program, after.next())?.peekable();
    let mut bundles = log.bundles_from(program, after.next())?.peekable();
    for record in records {
        if open != Some(record.bundle_position) {
            // Values are counted as they come, for they can be a hundred times as large as the bodies beside them.
            if bytes >= most {
                break;
            }
            open = Some(record.bundle_position);
            let bundle = bundle_of(&mut bundles, log, program, &record)?;
            bytes += bundle.encoded_len();
            frame.bundles.push(bundle);
        }
        let values = values_at(&mut all, Position::new(record.position))?;
        let record = api::RecordFrame { record: Some(record), values };
        bytes += record.encoded_len();
        frame.records.push(record);
    }
    Ok(frame)
}

/// Records up to the head or to the last bundle that was read whole. The head itself never cuts a bundle.
fn whole_bundles(
    log: &dyn EventLog,
    program: ProgramId,
    from: Position,
    head: Position,
    most: usize,
) -> Result<Vec<v1::Record>, LedgerError> {
    // Whoever reads a frame again knows where it ends, and says nothing about bytes.
    let left = head.get().saturating_sub(from.get()).saturating_add(1);
    let limit =
        ReadLimit { records: usize::try_from(left).map_or(RECORDS, |left| left.min(RECORDS)), bytes: most };
    let mut records = log.read(program, from, limit)?;
    // The store may be ahead of what is published.
    records.retain(|record| record.position <= head.get());
    let Some(last) = records.last() else { return Ok(records) };
    let (last_position, last_bundle) = (last.position, last.bundle_position);
    if last_position == head.get() {
        return Ok(records);
    }
    let whole = records.partition_point(|record| record.bundle_position != last_bundle);
    if whole > 0 {
        records.truncate(whole);
        return Ok(records);
    }
    let most = ReadLimit { records: PUSH_EVENTS, bytes: usize::MAX };
    let rest = log.read(program, Position::new(last_position).next(), most)?;
    records.extend(rest.into_iter().take_while(|record| record.bundle_position == last_bundle));
    Ok(records)
}

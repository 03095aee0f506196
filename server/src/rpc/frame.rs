//! What goes into a frame of records: whole bundles, as many as make a message of a good size, taken from the store as they stand there.

use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use radslag_core::id::{Position, ProgramId};
use radslag_engine::ledger::LedgerError;
use radslag_log::{EncodedRecord, EventLog};
use radslag_proto::api::v1 as api;
use tonic::codegen::Bytes;

/// A frame of a catch-up is closed once it holds this much. What it can hold beyond is the rest of one bundle, so that it stays
/// below 2 MiB.
pub(super) const CATCH_UP: usize = 512 << 10;
/// The same for a reader who was level once: a reader who stops costs what is under way to them, so that is little.
pub(super) const LIVE: usize = 32 << 10;
/// No frame has more records, beside the rest of its last bundle.
const RECORDS: usize = 2_000;

/// The numbers of the fields in `radslag.api.v1`.
mod field {
    /// `Events.records`.
    pub(super) const RECORDS: u32 = 1;
    /// `Events.bundles`.
    pub(super) const BUNDLES: u32 = 2;
    /// `RecordFrame.record`.
    pub(super) const RECORD: u32 = 1;
    /// `RecordFrame.values`.
    pub(super) const VALUES: u32 = 2;
}

/// An `Events` message, encoded.
pub(super) struct Events {
    /// The message.
    pub(super) bytes: Vec<u8>,
    /// Its last record; none where it has no record.
    pub(super) last: Option<Position>,
}

impl Events {
    /// The message as such.
    ///
    /// # Errors
    /// What the store holds does not decode.
    pub(super) fn decode(&self, program: ProgramId) -> Result<api::Events, LedgerError> {
        api::Events::decode(&self.bytes[..]).map_err(|_| {
            let what = "the records of a frame do not decode";
            radslag_log::LogError::Damaged { program: Some(program), position: self.last, what: what.into() }
                .into()
        })
    }
}

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
) -> Result<Events, LedgerError> {
    let mut bytes = Vec::with_capacity(most.min(CATCH_UP) + (most.min(CATCH_UP) >> 3));
    let (mut bundles, mut open, mut last, mut count) = (Vec::new(), None, None, 0);
    for record in log.encoded_from(program, after.next())? {
        let record = record?;
        // The store may be ahead of what is published, and the head itself never cuts a bundle.
        if record.position > head {
            break;
        }
        if open != Some(record.bundle_position) {
            // Whoever reads a frame again knows where it ends, and says nothing about bytes.
            if bytes.len() + bundles.len() >= most || (count >= RECORDS && most < usize::MAX) {
                break;
            }
            open = Some(record.bundle_position);
            put(&mut bundles, field::BUNDLES, &signature(log, program, &record)?);
        }
        put_record(&mut bytes, &record);
        last = Some(record.position);
        count += 1;
    }
    bytes.extend(bundles);
    Ok(Events { bytes, last })
}

fn signature(log: &dyn EventLog, program: ProgramId, record: &EncodedRecord) -> Result<Bytes, LedgerError> {
    if let Some(bundle) = &record.bundle {
        return Ok(bundle.clone());
    }
    let bundle = log.bundle(program, record.bundle_position)?;
    let bundle = bundle.ok_or_else(|| LedgerError::Forged {
        position: record.position,
        what: "the signature it came under is missing".to_owned(),
    })?;
    Ok(bundle.encode_to_vec().into())
}

/// A `RecordFrame` in `Events`.
fn put_record(to: &mut Vec<u8>, record: &EncodedRecord) {
    let values: usize = record.values.iter().map(|value| field_len(field::VALUES, value)).sum();
    encode_key(field::RECORDS, WireType::LengthDelimited, to);
    encode_varint((field_len(field::RECORD, &record.record) + values) as u64, to);
    put(to, field::RECORD, &record.record);
    record.values.iter().for_each(|value| put(to, field::VALUES, value));
}

/// A message as a field of another.
pub(super) fn put(to: &mut Vec<u8>, field: u32, message: &[u8]) {
    encode_key(field, WireType::LengthDelimited, to);
    encode_varint(message.len() as u64, to);
    to.extend_from_slice(message);
}

/// What [`put`] adds.
pub(super) fn field_len(field: u32, message: &[u8]) -> usize {
    key_len(field) + encoded_len_varint(message.len() as u64) + message.len()
}

#[cfg(test)]
mod tests {
    use radslag_log::conformance::sample;
    use radslag_log::{Append, MemoryLog};

    use super::*;

    const PROGRAM: u8 = 1;

    /// Five bundles of three records, with values and without.
    fn log() -> (MemoryLog, Vec<Append>) {
        let log = MemoryLog::new();
        let records = |n: usize| {
            let valued = sample::with_value(sample::with_value(sample::accepted(n), 1, 30 * n), 4, 9);
            vec![valued, sample::rejected(), sample::with_value(sample::accepted(200), 2, n)]
        };
        let bundles = (1..=5).map(|n| sample::write(&log, sample::program(PROGRAM), records(n))).collect();
        (log, bundles)
    }

    fn read_from(log: &MemoryLog, after: u64, head: u64, most: usize) -> Events {
        read(log, sample::program(PROGRAM), Position::new(after), Position::new(head), most).unwrap()
    }

    /// What the frame of some bundles says, put together from the messages.
    fn messages<'a>(bundles: impl IntoIterator<Item = &'a Append>) -> api::Events {
        let mut events = api::Events::default();
        for append in bundles {
            events.bundles.extend(append.bundles.clone());
            let frame = |stored: &radslag_log::StoredRecord| api::RecordFrame {
                record: Some(stored.record.clone()),
                values: stored.values.clone(),
            };
            events.records.extend(append.records.iter().map(frame));
        }
        events
    }

    #[test]
    fn a_frame_is_to_the_byte_what_its_messages_would_be() {
        let (log, bundles) = log();
        let all = read_from(&log, 0, 15, usize::MAX);
        assert_eq!((all.bytes, all.last), (messages(&bundles).encode_to_vec(), Some(Position::new(15))));
        let some = read_from(&log, 3, 9, usize::MAX);
        assert_eq!(some.decode(sample::program(PROGRAM)).unwrap(), messages(&bundles[1..3]));
        let none = read_from(&log, 15, 15, usize::MAX);
        assert_eq!((none.bytes.len(), none.last), (0, None));
    }

    #[test]
    fn a_frame_that_is_full_ends_between_bundles_and_is_read_again_alike() {
        let (log, bundles) = log();
        let one = read_from(&log, 0, 15, 1);
        assert_eq!(one.bytes, messages(&bundles[..1]).encode_to_vec());
        let two = read_from(&log, 0, 15, one.bytes.len() + 1);
        assert_eq!(two.bytes, messages(&bundles[..2]).encode_to_vec());
        let again = read_from(&log, 0, two.last.unwrap().get(), usize::MAX);
        assert_eq!(again.bytes, two.bytes);
    }

    #[test]
    fn a_frame_that_begins_within_a_bundle_has_its_signature() {
        let (log, bundles) = log();
        let rest = read_from(&log, 4, 6, usize::MAX).decode(sample::program(PROGRAM)).unwrap();
        let mut whole = messages(&bundles[1..2]);
        whole.records.remove(0);
        assert_eq!(rest, whole);
    }
}

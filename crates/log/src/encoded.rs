//! Records as they are stored, for who hands them on without looking inside.

use prost::Message as _;
use prost::bytes::Bytes;
use radslag_core::id::{Position, ProgramId};
use radslag_proto::log::v1;

use crate::contract::{EventLog, ReadLimit, until_damage};
use crate::error::LogError;

/// How many records are read at once where a store has no walk of its own.
const PART: ReadLimit = ReadLimit { records: 256, bytes: 256 * 1024 };

/// A record and what stands beside it, each an encoded message of `radslag.log.v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedRecord {
    /// Where it stands.
    pub position: Position,
    /// Where the bundle that it came in begins.
    pub bundle_position: Position,
    /// The `Record`.
    pub record: Bytes,
    /// Each `Value` that is still kept, ascending by slot.
    pub values: Vec<Bytes>,
    /// The `Bundle`, where it begins with this record.
    pub bundle: Option<Bytes>,
}

/// Encoded records on their way out of a store; see [`Values`](crate::Values).
pub type EncodedRecords<'a> = Box<dyn Iterator<Item = Result<EncodedRecord, LogError>> + 'a>;

/// What is read of a record to know which bundle it belongs to. Decoding it copies nothing.
#[derive(Clone, PartialEq, prost::Message)]
struct OfRecord {
    #[prost(uint64, tag = "8")]
    bundle_position: u64,
}

impl EncodedRecord {
    /// None where the record is no message.
    pub fn new(position: Position, record: Bytes, values: Vec<Bytes>, bundle: Option<Bytes>) -> Option<Self> {
        let of = OfRecord::decode(&record[..]).ok()?;
        let bundle_position = Position::new(of.bundle_position);
        Some(Self { position, bundle_position, record, values, bundle })
    }

    fn encode(record: &v1::Record, values: &[v1::Value], bundle: Option<&v1::Bundle>) -> Self {
        Self {
            position: Position::new(record.position),
            bundle_position: Position::new(record.bundle_position),
            record: record.encode_to_vec().into(),
            values: values.iter().map(|value| value.encode_to_vec().into()).collect(),
            bundle: bundle.map(|bundle| bundle.encode_to_vec().into()),
        }
    }
}

/// The walk of a store that keeps messages in another form.
pub(crate) fn walk<L: EventLog + ?Sized>(
    log: &L,
    program: ProgramId,
    from: Position,
) -> Result<EncodedRecords<'_>, LogError> {
    let end = log.head(program)?.map_or(0, |head| head.position);
    let (mut next, mut read) = (from.get().max(1), Vec::new().into_iter());
    let mut one = move || -> Result<EncodedRecord, LogError> {
        if read.len() == 0 {
            read = log.read(program, Position::new(next), PART)?.into_iter();
        }
        let at = Position::new(next);
        let record: v1::Record =
            read.next().ok_or_else(|| LogError::damaged_at(program, at, "the record is missing"))?;
        next += 1;
        Ok(EncodedRecord::encode(&record, &log.values(program, at)?, log.bundle(program, at)?.as_ref()))
    };
    Ok(Box::new(until_damage((next..=end).map(move |_| one()))))
}

//! A frame as the wire takes it: made once, however many readers it goes to, and cut into small blocks.
//!
//! A connection that is full keeps the block that it could not send. Were that a slice of the whole frame, the frame would stay in
//! memory for as long as its reader does not read.

use prost::Message as _;
use radslag_core::id::Position;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use tonic::codegen::Bytes;

use super::frame::{self, Events};

/// How large a block is: what a reader who stops can hold on to, twice.
const BLOCK: usize = 8 << 10;
/// What gRPC puts before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;
/// The number of `SubscribeResponse.events`.
const EVENTS: u32 = 1;

/// A message of a stream in blocks.
pub(super) struct Encoded {
    blocks: Vec<Bytes>,
    bytes: usize,
    /// The last record that was looked at for it.
    pub(super) covered: Position,
    /// Whether it has any record.
    pub(super) has_records: bool,
    print: u32,
}

impl Encoded {
    /// A frame of messages: what says something else than records, and records that a filter looked at. `covered` is the last record that was looked at for it.
    pub(super) fn new(frame: Frame, covered_to: Option<api::Cursor>, covered: Position) -> Self {
        let has_records = matches!(&frame, Frame::Events(events) if !events.records.is_empty());
        let message = api::SubscribeResponse { frame: Some(frame), covered_to };
        let whole = prefixed(message.encoded_len(), |whole| {
            message.encode(whole).expect("a vector takes as much as there is memory");
        });
        Self::cut(&whole, has_records, covered)
    }

    /// A frame of records that were encoded already.
    pub(super) fn events(events: &Events, covered: Position) -> Self {
        let length = frame::field_len(EVENTS, &events.bytes);
        let whole = prefixed(length, |whole| frame::put(whole, EVENTS, &events.bytes));
        Self::cut(&whole, events.last.is_some(), covered)
    }

    fn cut(whole: &[u8], has_records: bool, covered: Position) -> Self {
        let blocks = whole.chunks(BLOCK).map(Bytes::copy_from_slice).collect();
        Self { blocks, bytes: whole.len(), covered, has_records, print: crc32fast::hash(whole) }
    }

    /// One of its blocks, from 0; none past the end.
    pub(super) fn block(&self, index: usize) -> Option<Bytes> {
        self.blocks.get(index).cloned()
    }

    /// How many blocks there are.
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// How much memory it takes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What tells its bytes from others: another reading of the same records has to give the same.
    pub(super) const fn print(&self) -> (usize, u32) {
        (self.bytes, self.print)
    }
}

/// A message of so many bytes, and before it what gRPC puts there.
fn prefixed(length: usize, put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut whole = Vec::with_capacity(PREFIX + length);
    whole.push(0);
    let prefix = u32::try_from(length).expect("a frame holds at most some megabytes");
    whole.extend(prefix.to_be_bytes());
    put(&mut whole);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is put together by hand is what the messages themselves would be.
    #[test]
    fn encoded_records_are_a_frame_like_any_other() {
        let events = api::Events {
            records: vec![api::RecordFrame::default()],
            bundles: vec![radslag_proto::log::v1::Bundle { position: 9, ..Default::default() }],
        };
        let encoded = Events { bytes: events.encode_to_vec(), last: Some(Position::new(9)) };
        let one = Encoded::events(&encoded, Position::new(9));
        let other = Encoded::new(Frame::Events(events), None, Position::new(9));
        assert_eq!(one.blocks, other.blocks);
        assert_eq!((one.bytes(), one.print(), one.has_records), (other.bytes(), other.print(), true));
    }
}

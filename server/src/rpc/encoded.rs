//! A frame as the wire takes it: made once, however many readers it goes to, and cut into small blocks.
//!
//! A connection that is full keeps the block that it could not send. Were that a slice of the whole frame, the frame would stay in
//! memory for as long as its reader does not read.

use std::hash::{DefaultHasher, Hasher as _};

use prost::Message as _;
use radslag_core::id::Position;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use tonic::codegen::Bytes;

/// How large a block is: what a reader who stops can hold on to, twice.
const BLOCK: usize = 8 << 10;
/// What gRPC puts before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// A message of a stream in blocks.
pub(super) struct Encoded {
    blocks: Vec<Bytes>,
    bytes: usize,
    /// The last record that was looked at for it.
    pub(super) covered: Position,
    /// Whether it has any record.
    pub(super) has_records: bool,
    print: u64,
}

impl Encoded {
    /// `covered` is the last record that was looked at for it.
    pub(super) fn new(frame: Frame, covered_to: Option<api::Cursor>, covered: Position) -> Self {
        let has_records = matches!(&frame, Frame::Events(events) if !events.records.is_empty());
        let message = api::SubscribeResponse { frame: Some(frame), covered_to };
        let length = message.encoded_len();
        let mut whole = Vec::with_capacity(PREFIX + length);
        whole.push(0);
        let prefix = u32::try_from(length).expect("a frame holds at most some megabytes");
        whole.extend(prefix.to_be_bytes());
        message.encode(&mut whole).expect("a vector takes as much as there is memory");
        let mut hasher = DefaultHasher::new();
        hasher.write(&whole);
        let blocks = whole.chunks(BLOCK).map(Bytes::copy_from_slice).collect();
        Self { blocks, bytes: whole.len(), covered, has_records, print: hasher.finish() }
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
    pub(super) const fn print(&self) -> u64 {
        self.print
    }
}

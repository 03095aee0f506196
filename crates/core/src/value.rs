//! What people typed. A body holds only salted digests of these; the values travel and are stored beside it, so
//! that one can be forgotten while every signature and proof still verifies.

use crate::id::EventId;

/// Which value of an event. A field's slot has the field's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

impl Slot {
    /// A title.
    pub const TITLE: Self = Self(1);
    /// An area's main goal.
    pub const GOAL: Self = Self(2);
    /// An activity's comment.
    pub const COMMENT: Self = Self(3);
    /// An activity's time, as written.
    pub const TIME: Self = Self(4);
    /// An activity's cost (`docs/format.md`, "Cost").
    pub const COST: Self = Self(5);
    /// The responsible cell of an imported activity, as written.
    pub const RESPONSIBLE_TEXT: Self = Self(6);
    /// A party's name.
    pub const NAME: Self = Self(7);
    /// A member's name.
    pub const MEMBER_NAME: Self = Self(8);
    /// Why the author made the change.
    pub const REASON: Self = Self(9);
    /// The registry number of the decision behind it.
    pub const DECISION: Self = Self(10);
    /// SHA-256 of an imported file, 32 bytes.
    pub const FILE_DIGEST: Self = Self(11);
    /// The layout of an imported file (`docs/format.md`, "Layout").
    pub const FILE_LAYOUT: Self = Self(12);
    /// Name of a baseline.
    pub const BASELINE_NAME: Self = Self(13);

    /// Wraps a number, known or not.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// A value beside its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Which value of the event.
    pub slot: Slot,
    /// Sixteen random bytes, never all zero and never used twice in an event.
    pub salt: [u8; 16],
    /// What was typed, byte for byte.
    pub bytes: Vec<u8>,
}

/// Where a value is found: the event that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueRef {
    /// The event.
    pub event: EventId,
    /// Which of its values.
    pub slot: Slot,
}

/// Looks values up. The fold never does; judging and viewing do.
pub trait Values {
    /// The bytes of a value; none when it was forgotten.
    fn bytes(&self, at: ValueRef) -> Option<Vec<u8>>;

    /// The value as text; none when it was forgotten. Bytes that are not UTF-8 never pass a decoder, so a
    /// replacement character here means a damaged store.
    fn text(&self, at: ValueRef) -> Option<String> {
        self.bytes(at).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Values held in memory: outboxes, tests.
#[derive(Clone, Debug, Default)]
pub struct ValueMap(std::collections::BTreeMap<(EventId, Slot), Vec<u8>>);

impl ValueMap {
    /// Keeps a value.
    pub fn insert(&mut self, event: EventId, slot: Slot, bytes: Vec<u8>) {
        self.0.insert((event, slot), bytes);
    }

    /// The bytes, if they are held.
    pub fn get(&self, event: EventId, slot: Slot) -> Option<&[u8]> {
        self.0.get(&(event, slot)).map(Vec::as_slice)
    }

    /// Forgets all values of an event.
    pub fn remove(&mut self, event: EventId) {
        self.0.retain(|(id, _), _| *id != event);
    }
}

impl Values for ValueMap {
    fn bytes(&self, at: ValueRef) -> Option<Vec<u8>> {
        self.get(at.event, at.slot).map(<[u8]>::to_vec)
    }
}

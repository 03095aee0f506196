//! The limits of the format (`docs/format.md`), in one place. They are the same everywhere, and all are inclusive.

/// The largest event with its values, in bytes.
pub const EVENT_BYTES: usize = 65_536;
/// The most events in a push.
pub const PUSH_EVENTS: usize = 500;
/// The largest push, in bytes of bodies and values.
pub const PUSH_BYTES: usize = 1_048_576;
/// The largest group, in bytes of bodies and values.
pub const GROUP_BYTES: usize = 262_144;
/// The fewest members of a group.
pub const GROUP_MIN: u32 = 2;
/// The most members of a group.
pub const GROUP_MAX: u32 = 500;
/// The most conditions of strict mode in an event.
pub const EXPECTATIONS: usize = 64;
/// The most sides that a resolution settles.
pub const SETTLED_SIDES: usize = 64;
/// The longest name of a kind, in bytes.
pub const KIND_BYTES: usize = 64;
/// The longest name of a dialect, in bytes.
pub const DIALECT_BYTES: usize = 40;

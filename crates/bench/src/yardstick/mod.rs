//! What a push could not be faster than: its parts, bare.

pub(crate) mod disk;
pub(crate) mod echo;
pub(crate) mod sled;

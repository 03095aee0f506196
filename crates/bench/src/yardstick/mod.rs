//! What the server could not be faster than: its parts, bare.

pub(crate) mod disk;
pub(crate) mod echo;
pub(crate) mod signature;
pub(crate) mod sled;
pub(crate) mod stream;
pub(crate) mod wire;

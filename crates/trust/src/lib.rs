//! What makes the log believable: keys, value digests, signed bundles, log leaves, the Merkle tree, checkpoints.
//!
//! Everything here works over bytes, ids and digests; nothing knows what an event means, reads a clock or draws a
//! random number: seeds and salts come in as arguments. The bytes are those of `docs/format.md`, held in place by
//! the vectors in `tests/fixtures/vectors`.

pub mod bundle;
pub mod checkpoint;
pub mod keys;
pub mod leaf;
pub mod merkle;
pub mod value;

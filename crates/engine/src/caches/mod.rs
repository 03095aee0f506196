//! What stands on disk beside a log so that neither opening nor looking back walks it: an index of events, the trail of each entity,
//! back-dated writes, folded states, and a point to go on from when it is opened.
//!
//! All of it is a cache. It is written behind the log, off the thread that acknowledges; it is made from the log and from nothing
//! else; what is missing, damaged or of another format is passed over and made anew. `docs/adr/0022-caches-are-written-behind.md`
//! says how much there is of it and what each question costs.

use radslag_core::digest::Digest;
use radslag_core::id::Position;
use radslag_log::LogError;

use crate::ledger::LedgerError;

pub mod behind;
pub(crate) mod chunk;
pub mod far;
pub mod journal;
pub mod lookup;
mod open;
mod resume;
pub mod shelf;

/// The version of everything in the caches, and of the fold that it comes from. Raised when a message changes its shape, or when
/// the same records would fold to something else: then all of it is made anew.
pub const FORMAT: u32 = 1;

/// How often the caches are written. Caches of another size of chunk are made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How many records a chunk of the indexes holds.
    pub chunk: u64,
    /// No folded state is kept before the tail has so many bytes.
    pub state_tail: u64,
    /// No point to go on from is kept before the tail has so many bytes: it holds more than the state.
    pub resume_tail: u64,
    /// A state is kept when the tail is so many times its predecessor, a point to go on from when it is so many times both.
    pub ratio: u64,
}

impl Pace {
    /// What is measured and used. The keys of a chunk fit one value of the store.
    pub const MEASURED: Self = Self { chunk: 1_000, state_tail: 256 << 10, resume_tail: 1 << 20, ratio: 2 };

    /// The first record of the chunk that holds a record.
    pub(crate) const fn first_of(self, at: Position) -> Position {
        Position::new((at.get().saturating_sub(1) / self.chunk) * self.chunk + 1)
    }

    /// The last record of the chunk that begins with a record.
    pub(crate) const fn last_of(self, first: Position) -> Position {
        Position::new(first.get() + self.chunk - 1)
    }

    /// The last record of the last chunk that is whole at a head.
    pub(crate) const fn whole_at(self, head: Position) -> Position {
        Position::new(head.get() / self.chunk * self.chunk)
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::MEASURED
    }
}

const SUM: usize = 8;

/// Puts eight bytes of SHA-256 before a row: a store need not have checksums of its own.
pub(crate) fn seal(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = Digest::of(bytes).bytes()[..SUM].to_vec();
    sealed.extend(bytes);
    sealed
}

/// Takes them off again; none where they do not fit.
pub(crate) fn unseal(sealed: &[u8]) -> Option<&[u8]> {
    let (sum, bytes) = sealed.split_first_chunk::<SUM>()?;
    (*sum == Digest::of(bytes).bytes()[..SUM]).then_some(bytes)
}

/// Damage in a store is a cache that is not there; that the store does not answer at all is an error.
pub(crate) fn forgiving<T>(read: Result<Option<T>, LogError>) -> Result<Option<T>, LedgerError> {
    match read {
        Err(LogError::Damaged { program, position, what }) => {
            tracing::warn!(?program, ?position, what, "a cache is damaged and will be made anew");
            Ok(None)
        }
        answer => Ok(answer?),
    }
}

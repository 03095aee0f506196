//! Deliberately broken variants of the rules, for showing that the simulation finds them.
//!
//! Only with the feature `broken`, which the simulation's own tests turn on and nothing that is shipped does, can one be
//! chosen; without it [`is`] is a constant and the compiler drops every trace of it.

/// A way in which the project could be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// A later write covers every earlier one, seen or not.
    LastWriterWins,
    /// The writer does not remember what became of an event.
    ForgottenOutcomes,
    /// Of two sides that say the same, one is dropped.
    CollapsedEqualSides,
    /// The writer answers before the store has the commit.
    AckBeforeFlush,
    /// A replica gives its waiting events the base of the moment of the push.
    BaseRestamped,
    /// A form is saved with the base of the moment of saving.
    BaseAtSaving,
    /// A rejected event does not use up its number.
    RejectionFree,
    /// A refused event uses up a number.
    RefusalConsumes,
    /// A base of before a restore still vouches for what was lost.
    BasesUnclamped,
    /// An event need not point back to its device's event before it.
    PrevIgnored,
    /// An edit covers what it has seen, whatever the dates.
    OlderCoversNewer,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::LastWriterWins,
        Self::ForgottenOutcomes,
        Self::CollapsedEqualSides,
        Self::AckBeforeFlush,
        Self::BaseRestamped,
        Self::BaseAtSaving,
        Self::RejectionFree,
        Self::RefusalConsumes,
        Self::BasesUnclamped,
        Self::PrevIgnored,
        Self::OlderCoversNewer,
    ];
}

#[cfg(feature = "broken")]
thread_local! {
    static CHOSEN: std::cell::Cell<Option<Variant>> = const { std::cell::Cell::new(None) };
}

/// Breaks the rules in one way on this thread, or mends them.
#[cfg(feature = "broken")]
pub fn choose(variant: Option<Variant>) {
    CHOSEN.set(variant);
}

/// Whether the rules are broken in this way.
#[cfg(feature = "broken")]
pub fn is(variant: Variant) -> bool {
    CHOSEN.get() == Some(variant)
}

/// Whether the rules are broken in this way: never.
#[cfg(not(feature = "broken"))]
#[inline(always)]
#[allow(clippy::inline_always, reason = "so that nothing of it is left")]
pub const fn is(_variant: Variant) -> bool {
    false
}

//! What is under way between machines.

use radslag_proto::api::v1 as api;
use radslag_sync::exchange::Cursor;
use radslag_sync::feed::Feed;

/// Names one call; zero is nobody's.
pub type Call = u64;

/// A message under way.
#[derive(Clone, Debug)]
pub enum Flight {
    /// A bundle on its way to the server.
    Push {
        /// Whose.
        from: usize,
        /// Which call.
        call: Call,
        /// What is handed in.
        bundle: api::Bundle,
    },
    /// A reader on its way to the server.
    Follow {
        /// Whose.
        from: usize,
        /// Which call.
        call: Call,
        /// From where on.
        after: Cursor,
    },
    /// Answers on their way back.
    Answers {
        /// To whom.
        to: usize,
        /// For which call.
        call: Call,
        /// What became of the events.
        answers: Vec<api::Answer>,
        /// How often the server had been restored by then.
        restores: usize,
    },
    /// The answer that the log cannot be followed from there.
    Refetch {
        /// To whom.
        to: usize,
        /// For which call.
        call: Call,
        /// What was asked for.
        asked: Cursor,
        /// The answer.
        answer: api::MustRefetch,
    },
    /// A stream of records; each arrival is its next frame.
    Stream {
        /// To whom.
        to: usize,
        /// For which call.
        call: Call,
        /// How far it has come.
        feed: Feed,
    },
}

impl Flight {
    /// The member and the call that wait for it.
    pub const fn waits(&self) -> (usize, Call) {
        match self {
            Self::Push { from, call, .. } | Self::Follow { from, call, .. } => (*from, *call),
            Self::Answers { to, call, .. }
            | Self::Refetch { to, call, .. }
            | Self::Stream { to, call, .. } => (*to, *call),
        }
    }

    /// Whether it goes to the server, and may arrive there twice.
    pub const fn to_server(&self) -> bool {
        matches!(self, Self::Push { .. } | Self::Follow { .. })
    }
}

//! What became of an event that was handed in. A gRPC error is about a call as a whole; an event's fate is one of these.

use crate::digest::Digest;
use crate::id::{DeviceSeq, EventId, Position};
use crate::rejection::RejectionCode;
use crate::time::Instant;

/// What landing meant for the programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// Not said: the event had landed before.
    Unsaid,
    /// Nothing disagrees with it.
    Clean,
    /// A field that it wrote is now in conflict.
    OpenedConflict,
    /// What it changed had been retired.
    AppliedToRetired,
}

/// The receipt of an accepted event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Where it stands.
    pub position: Position,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// Its leaf in the Merkle tree.
    pub leaf_hash: Digest,
    /// What landing meant.
    pub landing: Landing,
}

/// The receipt of a rejected event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectionReceipt {
    /// Where the record of the rejection stands.
    pub position: Position,
    /// Why.
    pub reason: RejectionCode,
    /// Why, for a person.
    pub detail: String,
    /// The sides of the field as they are, where the reason is staleness.
    pub current_sides: Vec<EventId>,
}

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the log.
    Accepted(Receipt),
    /// It was in the log already, accepted.
    DuplicateAccepted(Receipt),
    /// It was in the log already, rejected.
    DuplicateRejected(RejectionReceipt),
    /// The rules declined it, and the log says so.
    Rejected(RejectionReceipt),
    /// It was not authentic, not readable or over a limit. Nothing was consumed and nothing is remembered.
    Refused(Refusal),
    /// Another event of this device has landed at its number.
    DeviceForked {
        /// That event.
        landed: EventId,
    },
    /// An event of this device is missing before it.
    Gap {
        /// The number that the log expects next.
        expected: DeviceSeq,
    },
    /// The server could not take it now.
    RetryLater {
        /// How long to wait at least, in milliseconds.
        after_ms: u32,
    },
}

impl Verdict {
    /// Whether nothing after this event of the same push is applied.
    pub const fn stops_the_push(&self) -> bool {
        matches!(
            self,
            Self::Refused(_) | Self::DeviceForked { .. } | Self::Gap { .. } | Self::RetryLater { .. }
        )
    }
}

/// Why an event was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bundle's signature is not that of the device's key.
    #[error("the signature is not by the key of device {device}")]
    BadSignature {
        /// The device.
        device: String,
    },
    /// No key is enrolled for the device.
    #[error("device {device} is not enrolled in the programme")]
    DeviceNotEnrolled {
        /// The device.
        device: String,
    },
    /// The body cannot be read.
    #[error("the body cannot be read: {0}")]
    Undecodable(String),
    /// A value does not match its digest, is missing or is one too many.
    #[error("{0}")]
    ValueMismatch(String),
    /// The body belongs to another programme.
    #[error("the body belongs to programme {0}")]
    WrongProgram(String),
    /// The author cannot have seen what the log does not have yet.
    #[error("the base is position {base}, the log ends at {head}")]
    BaseAhead {
        /// The base, clamped.
        base: Position,
        /// The head.
        head: Position,
    },
    /// The author has seen an own event without what that event had seen.
    #[error("the base is position {base}, but the device's own event in view had seen position {seen}")]
    ViewNotClosed {
        /// The event's base.
        base: Position,
        /// What the earlier own event had seen.
        seen: Position,
    },
    /// The proof of where it stood before a restore does not hold.
    #[error("the proof of where it stood before a restore does not hold: {0}")]
    ProofUnfit(String),
    /// The members of a group do not stand side by side in the bundle.
    #[error("the group is not complete: {0}")]
    GroupIncomplete(String),
    /// Over a limit of the format.
    #[error("{what} is {size}, the limit is {limit}")]
    OverLimit {
        /// What is too large.
        what: &'static str,
        /// How large.
        size: usize,
        /// How large it may be.
        limit: usize,
    },
    /// Devices do not enrol themselves here.
    #[error("this server does not let devices enrol themselves")]
    EnrolmentClosed,
    /// The public key is not one.
    #[error("the public key cannot be used: {0}")]
    KeyUnfit(String),
    /// A reason of a newer server.
    #[error("{detail}")]
    Other {
        /// The reason's name.
        reason: String,
        /// The text that came with it.
        detail: String,
    },
}

impl Refusal {
    /// The reason's name on the wire and in `docs/errors`.
    pub fn name(&self) -> &str {
        match self {
            Self::BadSignature { .. } => "BAD_SIGNATURE",
            Self::DeviceNotEnrolled { .. } => "DEVICE_NOT_ENROLLED",
            Self::Undecodable(_) => "UNDECODABLE",
            Self::ValueMismatch(_) => "VALUE_MISMATCH",
            Self::WrongProgram(_) => "WRONG_PROGRAM",
            Self::BaseAhead { .. } => "BASE_AHEAD",
            Self::ViewNotClosed { .. } => "VIEW_NOT_CLOSED",
            Self::ProofUnfit(_) => "PROOF_UNFIT",
            Self::GroupIncomplete(_) => "GROUP_INCOMPLETE",
            Self::OverLimit { .. } => "OVER_LIMIT",
            Self::EnrolmentClosed => "ENROLMENT_CLOSED",
            Self::KeyUnfit(_) => "KEY_UNFIT",
            Self::Other { reason, .. } => reason,
        }
    }
}

//! Every reason with its name and its class, in one table.

use std::time::Duration;

use radslag_core::rejection::RejectionCode;

const BUSY_DELAY: Duration = Duration::from_secs(1);
const AWAY_DELAY: Duration = Duration::from_secs(5);

/// What a caller does about a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Fixes the request; it names what is wrong with it.
    Invalid,
    /// Checks the name.
    Missing,
    /// Takes what is there, or another name.
    Exists,
    /// Pulls, looks, sends again.
    Stale,
    /// Changes the state first.
    State,
    /// Asks for an earlier point.
    Range,
    /// Signs in.
    Anonymous,
    /// Asks the owner.
    Denied,
    /// Waits and sends the same again: there is too much to do.
    Busy,
    /// Waits and sends the same again: the server is not there or not able.
    Away,
    /// Asks the operator: what is stored is damaged.
    Damaged,
    /// Asks the operator: a fault of the program.
    Bug,
}

impl Class {
    /// Whether waiting and sending the same again can help.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Busy | Self::Away)
    }

    /// How long to wait where nobody says how long.
    pub(super) const fn delay(self) -> Option<Duration> {
        match self {
            Self::Busy => Some(BUSY_DELAY),
            Self::Away => Some(AWAY_DELAY),
            Self::Invalid
            | Self::Missing
            | Self::Exists
            | Self::Stale
            | Self::State
            | Self::Range
            | Self::Anonymous
            | Self::Denied
            | Self::Damaged
            | Self::Bug => None,
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $name:literal $class:ident,)*) => {
        /// Why something was not done. `docs/errors` has a page for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name on the wire and in `docs/errors`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What the caller does about it.
            pub const fn class(self) -> Class {
                match self {
                    $(Self::$variant => Class::$class,)*
                }
            }
        }
    };
}

reasons! {
    // The call as a whole.
    /// No such programme on this server.
    ProgramNotFound "PROGRAM_NOT_FOUND" Missing,
    /// No such entity in the programme.
    EntityNotFound "ENTITY_NOT_FOUND" Missing,
    /// The programme is there already.
    ProgramExists "PROGRAM_EXISTS" Exists,
    /// This server does not let the caller begin programmes.
    CreationDenied "CREATION_DENIED" Denied,
    /// A field of the request does not say what it may.
    InvalidRequest "INVALID_REQUEST" Invalid,
    /// The page token was not given for this question.
    InvalidPageToken "INVALID_PAGE_TOKEN" Invalid,
    /// The position lies after the end of the log.
    PositionAhead "POSITION_AHEAD" Range,
    /// The cursor's epoch is not one of this log.
    ForeignEpoch "FOREIGN_EPOCH" State,
    /// The writer's queue is full.
    QueueFull "QUEUE_FULL" Busy,
    /// The server has too much under way, in all or for the caller's address.
    Overloaded "OVERLOADED" Busy,
    /// The call took longer than the server lets one.
    DeadlinePassed "DEADLINE_PASSED" Away,
    /// The server writes no more until it is started again.
    WritesStopped "WRITES_STOPPED" Away,
    /// The server's disk is nearly full.
    DiskFull "DISK_FULL" Away,
    /// The server's clock is not fit to say when changes are recorded.
    ClockUnfit "CLOCK_UNFIT" Away,
    /// The server is going down.
    ShuttingDown "SHUTTING_DOWN" Away,
    /// The snapshot that a download began with is no longer kept.
    SnapshotReplaced "SNAPSHOT_REPLACED" State,
    /// There is no snapshot yet.
    NotYet "NOT_YET" State,
    /// What is stored does not agree with itself.
    LogDamaged "LOG_DAMAGED" Damaged,
    /// A fault of the program.
    Internal "INTERNAL" Bug,

    // An event that was refused: nothing consumed, nothing remembered.
    /// The signature does not verify.
    BadSignature "BAD_SIGNATURE" Anonymous,
    /// No key is enrolled for the device.
    DeviceNotEnrolled "DEVICE_NOT_ENROLLED" Anonymous,
    /// The device may no longer sign.
    DeviceRevoked "DEVICE_REVOKED" Denied,
    /// The body could not be read.
    Undecodable "UNDECODABLE" Invalid,
    /// A value is missing, one too many, malformed, or not the one that was signed.
    ValueMismatch "VALUE_MISMATCH" Invalid,
    /// The event belongs to another programme.
    WrongProgram "WRONG_PROGRAM" Invalid,
    /// The event's base lies after the end of the log.
    BaseAhead "BASE_AHEAD" State,
    /// The event claims to have seen an own event but not the records before it.
    ViewNotClosed "VIEW_NOT_CLOSED" Invalid,
    /// What is to prove where the event stood before a restore does not.
    ProofUnfit "PROOF_UNFIT" Invalid,
    /// The members of a group do not stand side by side in one bundle.
    GroupIncomplete "GROUP_INCOMPLETE" Invalid,
    /// A limit of the format is exceeded.
    OverLimit "OVER_LIMIT" Invalid,
    /// This server does not let devices enrol themselves.
    EnrolmentClosed "ENROLMENT_CLOSED" Denied,
    /// The key is not one that can be enrolled.
    KeyUnfit "KEY_UNFIT" Invalid,

    // An event that was rejected: a record of the log.
    /// The member, organisation or kind is not allowed to do this.
    Denied "DENIED" Denied,
    /// Strict mode: the field has changed since it was read.
    Stale "STALE" Stale,
    /// Something that the event names is not in the programme.
    EntityMissing "ENTITY_MISSING" Missing,
    /// The id of an addition is taken.
    EntityExists "ENTITY_EXISTS" Exists,
    /// The field has a value dated in the future, so the edit must say its own date.
    DateNeeded "DATE_NEEDED" State,
    /// The field has as many sides as it may.
    TooManySides "TOO_MANY_SIDES" State,
    /// The same file was imported before.
    AlreadyImported "ALREADY_IMPORTED" Exists,
    /// The rules in force do not have this kind of change.
    KindNotInForce "KIND_NOT_IN_FORCE" State,
    /// Another event has the same id.
    IdReused "ID_REUSED" Exists,
    /// A resolution names a side that its author had not seen.
    SettlesUnseen "SETTLES_UNSEEN" Stale,
    /// The entity has no such field, or the field takes no such value.
    FieldUnfit "FIELD_UNFIT" Invalid,
    /// The parent is not of the kind that the entity can stand in.
    ParentUnfit "PARENT_UNFIT" Invalid,
    /// The kind takes no effective date.
    EffectiveDateUnfit "EFFECTIVE_DATE_UNFIT" Invalid,
    /// A baseline names a point that the log does not have.
    PointMissing "POINT_MISSING" Range,
    /// Rejected by a newer release for a reason that this one has no name for.
    UnknownRejection "UNKNOWN_REJECTION" State,
}

impl Reason {
    /// The reason of that name; none for a name that this release does not know.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.name() == name)
    }

    /// The reason of a rejection that a record keeps.
    pub fn of_rejection(code: RejectionCode) -> Self {
        Self::from_name(code.name()).unwrap_or(Self::UnknownRejection)
    }
}

//! Why the rules decline an event that an enrolled key signed. A rejection is a record of the log; its number is
//! for ever.

use std::fmt;

use crate::field::FieldKey;
use crate::id::{EntityId, EventId};

/// A rejection's number as the log leaf commits to it. A newer release may know numbers that this one does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RejectionCode(u16);

impl RejectionCode {
    /// Wraps a number, known or not.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The name of a known number, `UNKNOWN_REJECTION` otherwise.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(number, _)| *number == self.0).map_or("UNKNOWN_REJECTION", |(_, name)| name)
    }
}

impl fmt::Display for RejectionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Numbers and names, in order.
pub const NAMES: &[(u16, &str)] = &[
    (1, "DENIED"),
    (2, "STALE"),
    (3, "ENTITY_MISSING"),
    (4, "ENTITY_EXISTS"),
    (5, "DATE_NEEDED"),
    (6, "TOO_MANY_SIDES"),
    (7, "ALREADY_IMPORTED"),
    (8, "KIND_NOT_IN_FORCE"),
    (9, "ID_REUSED"),
    (10, "SETTLES_UNSEEN"),
    (11, "FIELD_UNFIT"),
    (12, "PARENT_UNFIT"),
    (13, "EFFECTIVE_DATE_UNFIT"),
    (14, "POINT_MISSING"),
];

/// Why an event was declined, with what the author needs to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The member, organisation or kind is not allowed to do this.
    #[error("denied: {what}")]
    Denied {
        /// What is not allowed.
        what: String,
    },
    /// The field's sides are no longer those the author expected.
    #[error("the {} of {entity} has changed since it was read", field.name())]
    Stale {
        /// The entity.
        entity: EntityId,
        /// The field.
        field: FieldKey,
        /// Its sides now, ascending.
        current: Vec<EventId>,
    },
    /// Something that the event names is not in the programme.
    #[error("there is no {what} {entity} in the programme")]
    EntityMissing {
        /// What it should be.
        what: &'static str,
        /// Its id.
        entity: EntityId,
    },
    /// The id of an addition is taken.
    #[error("the id {entity} is taken")]
    EntityExists {
        /// The id.
        entity: EntityId,
    },
    /// The author has seen a write of the field dated in the future, so the edit must say its own date.
    #[error("the {} of {entity} already has a value dated {latest}; the change needs a date of its own", field.name())]
    DateNeeded {
        /// The entity.
        entity: EntityId,
        /// The field.
        field: FieldKey,
        /// The future date.
        latest: crate::time::CivilDate,
    },
    /// The field has as many sides as it may.
    #[error("the {} of {entity} already has {limit} sides", field.name())]
    TooManySides {
        /// The entity.
        entity: EntityId,
        /// The field.
        field: FieldKey,
        /// How many sides a field may have.
        limit: usize,
    },
    /// The same file was imported before.
    #[error("the same file was imported before, by event {import}")]
    AlreadyImported {
        /// The earlier import.
        import: EventId,
    },
    /// The rules in force do not have this kind of change.
    #[error("the rules in force do not have the kind {kind:?}")]
    KindNotInForce {
        /// The kind's name.
        kind: String,
    },
    /// Another event has the same id.
    #[error("the event id {event} belongs to another event")]
    IdReused {
        /// The id.
        event: EventId,
    },
    /// A resolution names a side that its author had not seen or that did not write the field.
    #[error("the resolution names {side}, which is not a write of the field that its author had seen")]
    SettlesUnseen {
        /// The named side.
        side: EventId,
    },
    /// The entity has no such field, or the field takes no such value.
    #[error("the {} of {entity} cannot be set like this", field.name())]
    FieldUnfit {
        /// The entity.
        entity: EntityId,
        /// The field.
        field: FieldKey,
    },
    /// The parent is not of the kind that the entity can stand in.
    #[error("{entity} cannot stand in {parent}")]
    ParentUnfit {
        /// What was to be placed.
        entity: EntityId,
        /// Where.
        parent: EntityId,
    },
    /// The kind takes no effective date.
    #[error("a change of kind {kind:?} takes no effective date")]
    EffectiveDateUnfit {
        /// The kind's name.
        kind: String,
    },
    /// A baseline names a point that the log does not have.
    #[error("the log does not have position {position} of the epoch that the baseline names")]
    PointMissing {
        /// The position.
        position: crate::id::Position,
    },
}

impl Rejection {
    /// The number that the record keeps.
    pub const fn code(&self) -> RejectionCode {
        RejectionCode(match self {
            Self::Denied { .. } => 1,
            Self::Stale { .. } => 2,
            Self::EntityMissing { .. } => 3,
            Self::EntityExists { .. } => 4,
            Self::DateNeeded { .. } => 5,
            Self::TooManySides { .. } => 6,
            Self::AlreadyImported { .. } => 7,
            Self::KindNotInForce { .. } => 8,
            Self::IdReused { .. } => 9,
            Self::SettlesUnseen { .. } => 10,
            Self::FieldUnfit { .. } => 11,
            Self::ParentUnfit { .. } => 12,
            Self::EffectiveDateUnfit { .. } => 13,
            Self::PointMissing { .. } => 14,
        })
    }

    /// The sides of the field as they are, where that is what the author needs.
    pub fn current_sides(&self) -> &[EventId] {
        if let Self::Stale { current, .. } = self { current } else { &[] }
    }
}
